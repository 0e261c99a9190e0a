//! A second reader of journals, written from `FORMAT.md` alone: slow, all in memory, and without any of the
//! means by which the engine reads a large journal in pieces. Where the two disagree, one of them is wrong.

use super::Disk;

const MAGIC: &[u8] = b"\x89ACKBOX\n";
const FRAME_MAGIC: [u8; 4] = [0xF5, 0x41, 0x46, 0x9E];
const HEADER: usize = 128;
const FRAME_HEADER: usize = 48;
const FRAME_MAX: usize = 128 << 20;

/// A place.
pub(super) type Position = (u32, u64);

/// An intact frame.
pub(super) struct Frame<'a> {
    length: usize,
    number: u64,
    stable_to: Position,
    /// Payloads, each with its place from the start of the frame.
    records: Vec<(usize, &'a [u8])>,
}

/// What a journal holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Of every record its place and its payload, in order.
    pub(super) records: Vec<(Position, Vec<u8>)>,
    /// Where the torn tail begins, if there is one.
    pub(super) cut: Option<Position>,
}

/// Why a journal is not opened.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Corrupt(Position),
    Foreign(u32),
    Newer(u32),
}

enum Header {
    Sound { box_id: [u8; 16], first_frame: u64 },
    Damaged,
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// Reads all of it. `knows` tells whether a payload is one of the format's.
pub(super) fn read(disk: &Disk, knows: impl Fn(&[u8]) -> bool) -> Result<Found, Refusal> {
    let mut found = Found::default();
    let mut box_id: Option<[u8; 16]> = None;
    let mut next_frame: Option<u64> = None;
    let mut before: Option<u32> = None;
    for number in disk.keys() {
        if let Some(before) = before.filter(|before| before + 1 != *number) {
            return Err(Refusal::Corrupt((before + 1, 0)));
        }
        before = Some(*number);
    }
    for (segment, bytes) in disk {
        let header = header(bytes, *segment, box_id.is_some())?;
        let Header::Sound {
            box_id: id,
            first_frame,
        } = header
        else {
            return damage(disk, (*segment, 0), box_id, found);
        };
        let fits = u32_at(bytes, 64) == *segment
            && is_reached(bytes)
            && box_id.is_none_or(|known| known == id)
            && next_frame.is_none_or(|next| next == first_frame);
        if !fits {
            return Err(Refusal::Corrupt((*segment, 0)));
        }
        box_id = Some(id);
        let mut next = first_frame;
        let mut at = HEADER;
        while at < bytes.len() {
            let Some(frame) = frame(&bytes[at..], box_id, *segment) else {
                return damage(disk, (*segment, at as u64), box_id, found);
            };
            if frame.number != next {
                return Err(Refusal::Corrupt((*segment, at as u64)));
            }
            for (offset, payload) in &frame.records {
                let place = (*segment, (at + offset) as u64);
                if !knows(payload) {
                    return Err(Refusal::Corrupt(place));
                }
                found.records.push((place, payload.to_vec()));
            }
            next = next.wrapping_add(1);
            at += frame.length;
        }
        next_frame = Some(next);
    }
    Ok(found)
}

/// A segment's first bytes.
fn header(bytes: &[u8], segment: u32, behind_another: bool) -> Result<Header, Refusal> {
    let bytes = &bytes[..bytes.len().min(HEADER)];
    let magic = bytes.len().min(MAGIC.len());
    if bytes.iter().all(|byte| *byte == 0) {
        return Ok(Header::Damaged);
    }
    if bytes[..magic] != MAGIC[..magic] {
        return if behind_another {
            Ok(Header::Damaged)
        } else {
            Err(Refusal::Foreign(segment))
        };
    }
    if bytes.len() >= 12 && u32_at(bytes, 8) > 1 {
        return Err(Refusal::Newer(segment));
    }
    if bytes.len() < HEADER || crc32fast::hash(&bytes[..124]) != u32_at(bytes, 124) {
        return Ok(Header::Damaged);
    }
    if u32_at(bytes, 8) != 1 || u32_at(bytes, 12) != 128 {
        return Err(Refusal::Corrupt((segment, 8)));
    }
    Ok(Header::Sound {
        box_id: bytes[16..32].try_into().expect("sixteen bytes"),
        first_frame: u64_at(bytes, 72),
    })
}

/// Whether a box may have come so far.
fn is_reached(header: &[u8]) -> bool {
    let numbers = [72, 80, 88, 96].map(|at| u64_at(header, at));
    let most = [1 << 52, 1 << 49, 1 << 52, 1 << 49];
    numbers
        .iter()
        .zip(most)
        .all(|(number, most)| *number <= most)
        && u32_at(header, 104) < 1 << 30
}

/// The intact frame with which these bytes begin. Without a box id its own checksum is not looked at.
fn frame(bytes: &[u8], box_id: Option<[u8; 16]>, segment: u32) -> Option<Frame<'_>> {
    if bytes.len() < FRAME_HEADER || bytes[..4] != FRAME_MAGIC {
        return None;
    }
    let length = u32_at(bytes, 4) as usize;
    if !(FRAME_HEADER..=FRAME_MAX).contains(&length)
        || !length.is_multiple_of(8)
        || length > bytes.len()
    {
        return None;
    }
    let mut covered = box_id.unwrap_or_default().to_vec();
    covered.extend(segment.to_le_bytes());
    covered.extend(&bytes[..12]);
    covered.extend([0; 4]);
    covered.extend(&bytes[16..FRAME_HEADER]);
    let mut records = Vec::new();
    let mut at = FRAME_HEADER;
    for _ in 0..u32_at(bytes, 8) {
        if at + 8 > length {
            return None;
        }
        let payload = at + 8;
        let end = payload.checked_add(u32_at(bytes, at) as usize)?;
        let padded = end.checked_next_multiple_of(8)?;
        if padded > length
            || crc32fast::hash(&bytes[payload..end]) != u32_at(bytes, at + 4)
            || bytes[end..padded].iter().any(|byte| *byte != 0)
        {
            return None;
        }
        covered.extend(&bytes[at..payload]);
        records.push((at, &bytes[payload..end]));
        at = padded;
    }
    let sound = box_id.is_none() || crc32fast::hash(&covered) == u32_at(bytes, 12);
    (at == length && sound).then(|| Frame {
        length,
        number: u64_at(bytes, 16),
        stable_to: (u32_at(bytes, 32), u64_at(bytes, 40)),
        records,
    })
}

/// Damage at `place`: a torn tail, unless an intact frame behind it proves that it had been durable.
fn damage(
    disk: &Disk,
    place: Position,
    mut box_id: Option<[u8; 16]>,
    mut found: Found,
) -> Result<Found, Refusal> {
    for (segment, bytes) in disk.range(place.0..) {
        let here = *segment == place.0;
        let mut at = HEADER;
        if !here && let Header::Sound { box_id: id, .. } = later_header(bytes, *segment)? {
            if box_id.is_some_and(|known| known != id) {
                return Err(Refusal::Corrupt((*segment, 0)));
            }
            box_id = Some(id);
        }
        if here && place.1 > 0 {
            at = place.1 as usize + 8;
        }
        while at < bytes.len() {
            let Some(frame) = frame(&bytes[at..], box_id, *segment) else {
                at += 8;
                continue;
            };
            if frame.stable_to > place || here && place.1 == 0 {
                return Err(Refusal::Corrupt(place));
            }
            at += frame.length;
        }
    }
    // What is empty from its first byte on is no tail.
    let given_up: usize = disk.range(place.0..).map(|(_, bytes)| bytes.len()).sum();
    found.cut = (given_up as u64 > place.1).then_some(place);
    Ok(found)
}

/// The header of a segment behind damage; an empty one has none.
fn later_header(bytes: &[u8], segment: u32) -> Result<Header, Refusal> {
    if bytes.is_empty() {
        return Ok(Header::Damaged);
    }
    header(bytes, segment, false)
}
