//! Headers and body of a message's record, found without reading the rest of it: what a delivery needs.

use std::ops::Range;

use super::codec::kind;
use super::message::flag;

/// Where headers and body are in the payload of a message's record, found without reading the rest;
/// none if it is no message, or too short for what its flags say.
#[must_use]
pub fn content_parts(payload: &[u8]) -> Option<(Range<usize>, Range<usize>)> {
    let (&[kind, f0, f1, f2], _) = payload.split_first_chunk()?;
    if kind != kind::MESSAGE {
        return None;
    }
    let flags = u32::from_le_bytes([f0, f1, f2, 0]);
    let mut at = FIXED_BYTES;
    if flags != 0 {
        at += FLAGGED_BYTES
            .iter()
            .map(|&(flag, bytes)| if flags & flag != 0 { bytes } else { 0 })
            .sum::<usize>();
        // The death ends with a string, in front of the others.
        let strings = [
            flag::DEATH,
            flag::HISTORY,
            flag::ID,
            flag::GROUP,
            flag::DESTINATION,
        ];
        for _ in strings.iter().filter(|&flag| flags & flag != 0) {
            at = string_at(payload, at)?.end;
        }
    }
    let headers = if flags & flag::HEADERS != 0 {
        string_at(payload, at)?
    } else {
        at..at
    };
    let between = BETWEEN_BYTES
        .iter()
        .map(|&(flag, bytes)| if flags & flag != 0 { bytes } else { 0 });
    let body = headers.end + between.sum::<usize>();
    (body <= payload.len()).then_some((headers, body..payload.len()))
}

/// Kind, flags and the fields that are always there.
const FIXED_BYTES: usize = 4 + 8 + 4 + 4 + 8 + 4;
/// Fields of a fixed length; of a death, what is in front of its error.
const FLAGGED_BYTES: [(u32, usize); 11] = [
    (flag::DUE, 8),
    (flag::DEADLINE, 8),
    (flag::PRIORITY, 1),
    (flag::ORDER, 8),
    (flag::ATTEMPT, 4),
    (flag::DEATHS, 4),
    (flag::FIRST_DELIVERY, 8),
    (flag::STATE, 1),
    (flag::TOKEN, 8),
    (flag::FINGERPRINT, 8),
    (flag::DEATH, 8 + 8 + 1),
];

/// The fields between headers and body.
const BETWEEN_BYTES: [(u32, usize); 2] = [(flag::STARTED_AT, 8), (flag::FIRST_STEP, 4)];

/// The string whose length is at `at`.
fn string_at(payload: &[u8], at: usize) -> Option<Range<usize>> {
    let (length, rest) = payload.get(at..)?.split_first_chunk()?;
    let length = u32::from_le_bytes(*length) as usize;
    (length <= rest.len()).then(|| at + 4..at + 4 + length)
}
