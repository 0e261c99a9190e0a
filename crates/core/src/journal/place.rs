//! Where bytes are.

/// A record in the journal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Place {
    /// In which segment.
    pub segment: u32,
    /// Where its header begins, in bytes from the segment's start.
    pub offset: u32,
    /// Bytes of its payload. Header and payload take [`super::RECORD_HEADER_BYTES`] more.
    pub length: u32,
}

/// A record within a frame that is not placed yet.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Span {
    /// Where its header begins, in bytes from the frame's start.
    pub offset: u32,
    /// Bytes of its payload.
    pub length: u32,
}

impl Span {
    /// The place of this record when its frame begins at `frame_offset` of `segment`, which it does
    /// not make larger than [`super::MAX_SEGMENT_BYTES`].
    #[must_use]
    pub fn at(self, segment: u32, frame_offset: u32) -> Place {
        Place {
            segment,
            offset: frame_offset + self.offset,
            length: self.length,
        }
    }
}

/// A point between bytes of the journal; later points are greater.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Position {
    /// In which segment.
    pub segment: u32,
    /// Bytes from the segment's start.
    pub offset: u64,
}
