//! Telling intact frames from anything else.

use crc32fast::Hasher;

use super::bytes::{u32_at, u64_at};
use super::frame::{
    ALIGNMENT, FRAME_HEADER_BYTES, FRAME_MAGIC, MAX_FRAME_BYTES, RECORD_HEADER_BYTES, field,
};
use super::place::Position;

const HEADER: usize = FRAME_HEADER_BYTES as usize;
const RECORD_HEADER: usize = RECORD_HEADER_BYTES as usize;

/// Whose frames are looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner {
    /// Unknown when the segment's header is damaged and there is no other: then a frame passes
    /// whose records are all intact.
    pub(super) box_id: Option<[u8; 16]>,
    pub(super) segment: u32,
}

/// What begins with some bytes.
pub(super) enum Probe<'a> {
    /// An intact frame.
    Whole(Frame<'a>),
    /// Perhaps a frame; so many bytes are needed to tell.
    Partial(u32),
    /// No intact frame: why.
    Damaged(&'static str),
}

/// A frame of which every byte was checked.
#[derive(Clone, Copy)]
pub(super) struct Frame<'a> {
    bytes: &'a [u8],
}

/// Looks at the frame that should begin `bytes`, which are the first of the `remaining` bytes of
/// the segment. Asks for the whole frame before it checks any record.
pub(super) fn probe(bytes: &[u8], remaining: u64, owner: Owner) -> Probe<'_> {
    match frame_length(bytes, remaining) {
        Ok(length) if bytes.len() < length as usize => Probe::Partial(length),
        Ok(length) => check(&bytes[..length as usize], length, owner),
        Err(probe) => probe,
    }
}

/// The same for a place where there need not be a frame: checks the records that are there before
/// it asks for more, so that bytes which only look like a header cost little.
pub(super) fn probe_anywhere(bytes: &[u8], remaining: u64, owner: Owner) -> Probe<'_> {
    match frame_length(bytes, remaining) {
        Ok(length) => check(&bytes[..bytes.len().min(length as usize)], length, owner),
        Err(probe) => probe,
    }
}

/// The first multiple of the alignment at which a frame may begin.
pub(super) fn find_magic(bytes: &[u8]) -> Option<usize> {
    let magic = FRAME_MAGIC.to_le_bytes();
    bytes
        .chunks(ALIGNMENT)
        .position(|chunk| chunk.starts_with(&magic))
        .map(|chunk| chunk * ALIGNMENT)
}

/// The checksum of a frame that was just built.
pub(super) fn seal_checksum(frame: &[u8], box_id: &[u8; 16], segment: u32) -> u32 {
    let mut hasher = header_hasher(frame, box_id, segment);
    let mut offset = HEADER;
    while offset < frame.len() {
        hasher.update(&frame[offset..offset + RECORD_HEADER]);
        offset =
            (offset + RECORD_HEADER + u32_at(frame, offset) as usize).next_multiple_of(ALIGNMENT);
    }
    hasher.finalize()
}

/// A hasher that took everything that a frame's checksum covers before the records.
fn header_hasher(frame: &[u8], box_id: &[u8; 16], segment: u32) -> Hasher {
    let mut hasher = Hasher::new();
    hasher.update(box_id);
    hasher.update(&segment.to_le_bytes());
    hasher.update(&frame[..field::CHECKSUM]);
    hasher.update(&[0; 4]);
    hasher.update(&frame[field::CHECKSUM + 4..HEADER]);
    hasher
}

/// The length that a frame's header claims, if it can be true.
fn frame_length(bytes: &[u8], remaining: u64) -> Result<u32, Probe<'static>> {
    if remaining < HEADER as u64 {
        return Err(Probe::Damaged("the segment ends inside a frame's header"));
    }
    if bytes.len() < HEADER {
        return Err(Probe::Partial(FRAME_HEADER_BYTES));
    }
    if u32_at(bytes, 0) != FRAME_MAGIC {
        return Err(Probe::Damaged("no frame begins here"));
    }
    let length = u32_at(bytes, field::LENGTH);
    if !(FRAME_HEADER_BYTES..=MAX_FRAME_BYTES).contains(&length)
        || !(length as usize).is_multiple_of(ALIGNMENT)
    {
        return Err(Probe::Damaged("a frame has a length that no frame has"));
    }
    if u64::from(length) > remaining {
        return Err(Probe::Damaged("the segment ends inside a frame"));
    }
    Ok(length)
}

/// Checks as much of a frame of `length` bytes as is there, and says which of the three it is.
fn check(available: &[u8], length: u32, owner: Owner) -> Probe<'_> {
    let mut hasher = header_hasher(available, &owner.box_id.unwrap_or_default(), owner.segment);
    let mut offset = HEADER;
    for _ in 0..u32_at(available, field::RECORDS) {
        if offset == length as usize {
            return Probe::Damaged("a frame has fewer records than its header says");
        }
        match check_record(available, offset, length) {
            Ok(Some(next)) => {
                hasher.update(&available[offset..offset + RECORD_HEADER]);
                offset = next;
            }
            Ok(None) => return Probe::Partial(length),
            Err(what) => return Probe::Damaged(what),
        }
    }
    if offset != length as usize {
        return Probe::Damaged("a frame has more bytes than its records");
    }
    let is_checked = owner.box_id.is_some() && !bug!("skip-frame-checksum");
    if is_checked && hasher.finalize() != u32_at(available, field::CHECKSUM) {
        return Probe::Damaged("a frame's checksum does not hold");
    }
    Probe::Whole(Frame { bytes: available })
}

/// Where the record at `offset` ends, if it is intact; none if it is not all there.
fn check_record(
    available: &[u8],
    offset: usize,
    length: u32,
) -> Result<Option<usize>, &'static str> {
    let Some(rest) = available
        .get(offset..)
        .filter(|rest| rest.len() >= RECORD_HEADER)
    else {
        return Ok(None);
    };
    // In 64 bits, because `usize` has 32 on WebAssembly and the length may be anything.
    let payload_end = offset as u64 + RECORD_HEADER as u64 + u64::from(u32_at(rest, 0));
    let end = payload_end.next_multiple_of(ALIGNMENT as u64);
    if end > u64::from(length) {
        return Err("a record is longer than the rest of its frame");
    }
    let (payload_end, end) = (payload_end as usize, end as usize);
    if end > available.len() {
        return Ok(None);
    }
    let checksum = crc32fast::hash(&available[offset + RECORD_HEADER..payload_end]);
    if checksum != u32_at(rest, 4) && !bug!("skip-record-checksum") {
        return Err("a record's checksum does not hold");
    }
    if available[payload_end..end].iter().any(|&byte| byte != 0) {
        return Err("the padding of a record is not zero");
    }
    Ok(Some(end))
}

impl<'a> Frame<'a> {
    pub(super) fn length(&self) -> u32 {
        self.bytes.len() as u32
    }

    pub(super) fn number(&self) -> u64 {
        u64_at(self.bytes, field::NUMBER)
    }

    pub(super) fn time(&self) -> u64 {
        u64_at(self.bytes, field::TIME)
    }

    pub(super) fn stable_to(&self) -> Position {
        Position {
            segment: u32_at(self.bytes, field::STABLE_SEGMENT),
            offset: u64_at(self.bytes, field::STABLE_OFFSET),
        }
    }

    pub(super) fn record_count(&self) -> u32 {
        u32_at(self.bytes, field::RECORDS)
    }

    /// Each record: where its header begins in the frame, and its payload.
    pub(super) fn records(&self) -> impl Iterator<Item = (u32, &'a [u8])> + use<'a> {
        let bytes = self.bytes;
        let mut offset = HEADER;
        std::iter::from_fn(move || {
            if offset == bytes.len() {
                return None;
            }
            let start = offset;
            let payload = start + RECORD_HEADER;
            let end = payload + u32_at(bytes, start) as usize;
            offset = end.next_multiple_of(ALIGNMENT);
            Some((start as u32, &bytes[payload..end]))
        })
    }
}
