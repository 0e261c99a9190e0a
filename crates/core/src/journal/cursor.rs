//! A walk over the bytes of all segments, one read after the other.

use crate::command::SegmentInfo;

use super::error::JournalError;
use super::frame::MAX_SEGMENT_BYTES;

/// A usual read: long enough that its cost is the bytes, short enough to hold in memory. Longer only
/// for a longer frame.
pub const READ_BYTES: u32 = 1 << 20;

/// Bytes to read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReadRequest {
    /// In which segment.
    pub segment: u32,
    /// From here.
    pub offset: u64,
    /// So many.
    pub length: u32,
}

/// Where recovery looks next. Reads begin at what is not consumed yet, so nothing is kept from one
/// to the next.
#[derive(Debug)]
pub(super) struct Cursor {
    segments: Vec<SegmentInfo>,
    index: usize,
    offset: u64,
    need: u32,
}

impl Cursor {
    /// Before the first byte of the first of these segments.
    pub(super) fn new(segments: &[SegmentInfo]) -> Result<Self, JournalError> {
        let mut segments = segments.to_vec();
        segments.sort_unstable_by_key(|info| info.segment);
        check_list(&segments)?;
        Ok(Self {
            segments,
            index: 0,
            offset: 0,
            need: 0,
        })
    }

    /// The segment it is in; none behind the last.
    pub(super) fn segment(&self) -> Option<SegmentInfo> {
        self.segments.get(self.index).copied()
    }

    /// The segments behind the present one.
    pub(super) fn later_segments(&self) -> &[SegmentInfo] {
        self.segments.get(self.index + 1..).unwrap_or_default()
    }

    /// Bytes from the start of the segment.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes to the end of the segment.
    pub(super) fn remaining(&self) -> u64 {
        self.segment()
            .map_or(0, |segment| segment.bytes.saturating_sub(self.offset))
    }

    /// The read that goes on from here; none at the end of a segment.
    pub(super) fn request(&self) -> Option<ReadRequest> {
        let segment = self.segment()?.segment;
        let length = self.remaining().min(u64::from(READ_BYTES.max(self.need))) as u32;
        (length > 0).then_some(ReadRequest {
            segment,
            offset: self.offset,
            length,
        })
    }

    /// The next read has at least so many bytes.
    pub(super) fn need(&mut self, bytes: u32) {
        self.need = bytes;
    }

    /// Goes on by so many bytes, at most to the end of the segment.
    pub(super) fn advance(&mut self, bytes: u64) {
        self.offset += bytes.min(self.remaining());
        self.need = 0;
    }

    /// Goes on to the beginning of the next segment.
    pub(super) fn next_segment(&mut self) {
        self.index += 1;
        self.offset = 0;
        self.need = 0;
    }

    /// The rest of a chunk that was read from `start` of this segment.
    pub(super) fn rest<'a>(&self, chunk: &'a [u8], start: u64) -> &'a [u8] {
        &chunk[((self.offset - start) as usize).min(chunk.len())..]
    }
}

fn check_list(segments: &[SegmentInfo]) -> Result<(), JournalError> {
    for pair in segments.windows(2) {
        if pair[1].segment == pair[0].segment {
            return Err(corrupt_list(pair[1].segment, "the segment is listed twice"));
        }
        if pair[1].segment != pair[0].segment + 1 {
            return Err(corrupt_list(pair[0].segment + 1, "the segment is missing"));
        }
    }
    match segments.iter().find(|info| info.bytes > MAX_SEGMENT_BYTES) {
        Some(info) => Err(corrupt_list(
            info.segment,
            "the segment is larger than any segment",
        )),
        None => Ok(()),
    }
}

fn corrupt_list(segment: u32, what: &'static str) -> JournalError {
    JournalError::Corrupt {
        segment,
        offset: 0,
        what,
    }
}
