//! Records into frames.

use super::bytes::{put_u32, put_u64, u32_at};
use super::intact;
use super::place::{Position, Span};
use super::record::Record;

/// A frame's header.
pub const FRAME_HEADER_BYTES: u32 = 48;

/// A record's header: length and checksum of its payload.
pub const RECORD_HEADER_BYTES: u32 = 8;

/// The largest frame: 64 MiB of staged records (the engine's limit), one atomic unit of 8 MiB with
/// its ids and options, and records moved by cleaning; the next power of two.
pub const MAX_FRAME_BYTES: u32 = 128 << 20;

/// The largest segment: a [`super::Place`] keeps its offset in 32 bits.
pub const MAX_SEGMENT_BYTES: u64 = u32::MAX as u64;

/// Frames and records begin at multiples of this.
pub(super) const ALIGNMENT: usize = 8;

/// First bytes of a frame: no text in UTF-8, and no run of equal bytes.
pub(super) const FRAME_MAGIC: u32 = u32::from_le_bytes([0xF5, b'A', b'F', 0x9E]);

/// Offsets of the fields of a frame's header.
pub(super) mod field {
    pub(crate) const LENGTH: usize = 4;
    pub(crate) const RECORDS: usize = 8;
    pub(crate) const CHECKSUM: usize = 12;
    pub(crate) const NUMBER: usize = 16;
    pub(crate) const TIME: usize = 24;
    pub(crate) const STABLE_SEGMENT: usize = 32;
    pub(crate) const STABLE_OFFSET: usize = 40;
}

/// The largest buffer that is kept for the next frame: most batches fit, an idle box wastes little.
const KEPT_CAPACITY: usize = 1 << 20;

/// Collects records and seals them as one frame.
#[derive(Debug, Default)]
pub struct FrameBuilder {
    /// Room for the header, then the records. Empty while there is none.
    frame: Vec<u8>,
    records: u32,
}

/// A state of a [`FrameBuilder`] to return to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark {
    bytes: usize,
    records: u32,
}

/// What a frame says beside its records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seal {
    /// Whose frame it is.
    pub box_id: [u8; 16],
    /// Which segment it is appended to.
    pub segment: u32,
    /// Its number: one more than that of the frame before.
    pub number: u64,
    /// When it was sealed, in ms.
    pub time: u64,
    /// How far the journal is durable now.
    pub stable_to: Position,
}

impl FrameBuilder {
    /// A builder without records.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A builder without records that fills the buffer of an earlier frame, unless that is too large
    /// to be kept.
    #[must_use]
    pub fn reusing(mut buffer: Vec<u8>) -> Self {
        if buffer.capacity() > KEPT_CAPACITY {
            return Self::default();
        }
        buffer.clear();
        Self {
            frame: buffer,
            records: 0,
        }
    }

    /// Adds a record.
    ///
    /// # Panics
    /// When the frame outgrows [`MAX_FRAME_BYTES`]: its bytes could not be read back. Whoever adds
    /// records keeps [`FrameBuilder::bytes`] below it.
    pub fn push(&mut self, record: &Record<'_>) -> Span {
        if self.frame.is_empty() {
            self.frame.resize(FRAME_HEADER_BYTES as usize, 0);
        }
        let start = self.frame.len();
        let payload = start + RECORD_HEADER_BYTES as usize;
        self.frame.resize(payload, 0);
        record.encode(&mut self.frame);
        let end = self.frame.len();
        let padded = end.next_multiple_of(ALIGNMENT);
        assert!(
            padded <= MAX_FRAME_BYTES as usize,
            "a frame of {padded} bytes is above the limit of {MAX_FRAME_BYTES}"
        );
        let length = (end - payload) as u32;
        let checksum = crc32fast::hash(&self.frame[payload..]);
        self.frame[start..start + 4].copy_from_slice(&length.to_le_bytes());
        self.frame[start + 4..payload].copy_from_slice(&checksum.to_le_bytes());
        self.frame.resize(padded, 0);
        self.records += 1;
        Span {
            offset: start as u32,
            length,
        }
    }

    /// The payload of a record that was added and not taken back.
    #[must_use]
    pub fn payload(&self, span: Span) -> &[u8] {
        let start = span.offset as usize + RECORD_HEADER_BYTES as usize;
        &self.frame[start..start + span.length as usize]
    }

    /// Whether there is nothing to seal.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// The frame's length if it were sealed now.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.frame.len().max(FRAME_HEADER_BYTES as usize)
    }

    /// How many records it has.
    #[must_use]
    pub fn records(&self) -> u32 {
        self.records
    }

    /// The present state, for [`FrameBuilder::truncate_to`].
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark {
            bytes: self.frame.len(),
            records: self.records,
        }
    }

    /// Takes back every record that was added since `mark`, which is of this frame.
    pub fn truncate_to(&mut self, mark: Mark) {
        self.frame.truncate(mark.bytes);
        self.records = mark.records;
    }

    /// The finished frame. The builder is empty afterwards.
    pub fn seal(&mut self, seal: &Seal) -> Vec<u8> {
        let header = header(seal, self.bytes() as u32, self.records);
        let mut frame = std::mem::take(&mut self.frame);
        frame.resize(frame.len().max(header.len()), 0);
        frame[..header.len()].copy_from_slice(&header);
        let checksum = intact::seal_checksum(&frame, &seal.box_id, seal.segment);
        frame[field::CHECKSUM..field::CHECKSUM + 4].copy_from_slice(&checksum.to_le_bytes());
        self.records = 0;
        frame
    }
}

/// A frame's header with a checksum of zero.
fn header(seal: &Seal, length: u32, records: u32) -> Vec<u8> {
    let mut header = Vec::with_capacity(FRAME_HEADER_BYTES as usize);
    put_u32(&mut header, FRAME_MAGIC);
    put_u32(&mut header, length);
    put_u32(&mut header, records);
    put_u32(&mut header, 0);
    put_u64(&mut header, seal.number);
    put_u64(&mut header, seal.time);
    put_u32(&mut header, seal.stable_to.segment);
    put_u32(&mut header, 0);
    put_u64(&mut header, seal.stable_to.offset);
    header
}

/// The payload of a record that was read back alone (header and payload, `8 + length` bytes of a
/// [`super::Place`]), if it is what was written there.
#[must_use]
pub fn verify(record_bytes: &[u8]) -> Option<&[u8]> {
    let (header, payload) = record_bytes.split_first_chunk::<{ RECORD_HEADER_BYTES as usize }>()?;
    let whole = u32_at(header, 0) as usize == payload.len()
        && u32_at(header, 4) == crc32fast::hash(payload);
    whole.then_some(payload)
}
