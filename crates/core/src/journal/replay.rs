//! What recovery tells while it reads, and when it is done.

use crate::effect::Cut;

use super::header::SegmentHeader;
use super::place::{Place, Position};
use super::record::Record;

/// Takes what recovery reads, in the order in which it was written.
///
/// Only what is verified comes here, but damage further on may still fail the recovery as a whole.
pub trait Replay {
    /// A segment begins.
    fn segment(&mut self, header: &SegmentHeader);

    /// A frame begins; its records follow.
    fn frame(&mut self, info: &FrameInfo);

    /// One record; `payload` is what it was decoded from and what [`super::verify`] gives back for
    /// `place`.
    ///
    /// # Errors
    /// What contradicts the records before it. The journal is then reported as corrupt at `place`.
    fn record(
        &mut self,
        record: Record<'_>,
        place: Place,
        payload: &[u8],
    ) -> Result<(), &'static str>;
}

/// An intact frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameInfo {
    /// In which segment.
    pub segment: u32,
    /// Where it begins, in bytes from the segment's start.
    pub offset: u32,
    /// Its bytes.
    pub length: u32,
    /// Its number.
    pub number: u64,
    /// When it was sealed, in ms.
    pub time: u64,
    /// How many records it has.
    pub records: u32,
}

/// What recovery found, and what is to be done before anything is appended.
///
/// First every segment in `remove` is removed, in that order, then [`RecoveryReport::truncate`] is
/// carried out: an interruption then leaves a journal from which recovery finds the same again.
/// Appending goes on at `end` if it is in the last kept segment, or with a new segment, whose number
/// is one above that of the last kept one.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RecoveryReport {
    /// Header of the last segment kept; none if none is.
    pub header: Option<SegmentHeader>,
    /// Segments kept, ascending, each with the bytes that stay.
    pub segments: Vec<(u32, u64)>,
    /// Frames replayed.
    pub frames: u64,
    /// Number of the last frame. In a journal without frames, one less than the first will have; 0
    /// if no segment is kept.
    pub last_frame: u64,
    /// The latest time in a header or frame, in ms.
    pub last_time: u64,
    /// Behind the last frame.
    pub end: Position,
    /// The torn tail, none if there was none: where it began and how many bytes are given up, those
    /// of removed segments included.
    pub cut: Option<Cut>,
    /// Segments that hold nothing and are to be removed, latest first.
    pub remove: Vec<u32>,
}

impl RecoveryReport {
    /// The segment to shorten, and to how many bytes. None if there is no torn tail or if only whole
    /// segments go.
    #[must_use]
    pub fn truncate(&self) -> Option<(u32, u64)> {
        let cut = self.cut?;
        (!self.remove.contains(&cut.segment)).then_some((cut.segment, cut.offset))
    }
}
