//! Segments back into records.
//!
//! [`Recovery`] asks for one read after the other and replays what it verified. It passes through
//! these phases:
//! - *header*: at the beginning of a segment. A sound header leads on; one that is not leads to
//!   *scan*, or fails the recovery.
//! - *frames*: within a segment, each intact frame is replayed. At the end of the segment comes the
//!   next one's header, behind the last segment the recovery is *done*. Damage leads to *scan*.
//! - *scan*: see [`super::scan`]. Ends in *done*, with a cut, or in *failed*.
//! - *done*, *failed*: no read is asked for.

use crate::command::SegmentInfo;
use crate::effect::Cut;

use super::cursor::{Cursor, ReadRequest};
use super::error::JournalError;
use super::header::{Beginning, SEGMENT_HEADER_BYTES, SegmentHeader, begin};
use super::intact::{Frame, Owner, Probe, probe};
use super::place::{Place, Position};
use super::record::Record;
use super::replay::{FrameInfo, RecoveryReport, Replay};
use super::scan::Scan;

/// The recovery of one journal.
///
/// ```
/// use ackbox_core::command::SegmentInfo;
/// use ackbox_core::journal::*;
///
/// /// Counts records.
/// struct Count(u64);
///
/// impl Replay for Count {
///     fn segment(&mut self, _: &SegmentHeader) {}
///     fn frame(&mut self, _: &FrameInfo) {}
///     fn record(&mut self, _: Record<'_>, _: Place, _: &[u8]) -> Result<(), &'static str> {
///         self.0 += 1;
///         Ok(())
///     }
/// }
///
/// /// Recovers a journal whose only segment has these bytes.
/// fn count(file: &[u8]) -> Result<(u64, RecoveryReport), JournalError> {
///     let mut recovery = Recovery::new(&[SegmentInfo { segment: 3, bytes: file.len() as u64 }])?;
///     let mut count = Count(0);
///     while let Some(read) = recovery.poll_read() {
///         let bytes = &file[read.offset as usize..][..read.length as usize];
///         recovery.handle_chunk(bytes, &mut count)?;
///     }
///     Ok((count.0, recovery.into_report()))
/// }
///
/// let file = include_bytes!("../../testdata/journal/v1-3.segment");
/// let (records, report) = count(file)?;
/// assert_eq!((records, report.cut), (22, None));
///
/// // What a crash left of an append is cut.
/// let (records, report) = count(&file[..file.len() - 1])?;
/// assert_eq!((records, report.truncate()), (0, Some((3, 128))));
/// # Ok::<(), JournalError>(())
/// ```
#[derive(Debug)]
pub struct Recovery {
    cursor: Cursor,
    phase: Phase,
    asked: Option<ReadRequest>,
    /// Known from the first sound header on.
    box_id: Option<[u8; 16]>,
    /// The number that the next frame must have; any if there was no header yet.
    next_frame: Option<u64>,
    report: RecoveryReport,
}

#[derive(Debug)]
enum Phase {
    Header,
    Frames,
    Scan(Scan),
    Done,
    Failed,
}

impl Recovery {
    /// Begins the recovery of these segments, in any order.
    ///
    /// # Errors
    /// [`JournalError::Corrupt`] when their numbers are not contiguous, or one is larger than
    /// [`super::MAX_SEGMENT_BYTES`].
    pub fn new(segments: &[SegmentInfo]) -> Result<Self, JournalError> {
        let mut recovery = Self {
            cursor: Cursor::new(segments)?,
            phase: Phase::Header,
            asked: None,
            box_id: None,
            next_frame: None,
            report: RecoveryReport::default(),
        };
        recovery.settle();
        Ok(recovery)
    }

    /// The next read; none while one is unanswered, and none when the recovery is over.
    pub fn poll_read(&mut self) -> Option<ReadRequest> {
        if self.asked.is_some() || matches!(self.phase, Phase::Done | Phase::Failed) {
            return None;
        }
        self.asked = self.cursor.request();
        self.asked
    }

    /// Takes the bytes of the read that was asked for, and replays what they complete.
    ///
    /// # Errors
    /// Why the journal cannot be opened; the recovery is over then.
    ///
    /// # Panics
    /// When no read was asked for.
    pub fn handle_chunk(
        &mut self,
        bytes: &[u8],
        replay: &mut dyn Replay,
    ) -> Result<(), JournalError> {
        let read = self
            .asked
            .take()
            .expect("a chunk answers a read that was asked for");
        let result = self.advance(read, bytes, replay);
        if result.is_err() {
            self.phase = Phase::Failed;
        }
        result
    }

    /// Whether everything was read and the report is complete.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Done)
    }

    /// What was found.
    ///
    /// # Panics
    /// When the recovery is not done.
    #[must_use]
    pub fn into_report(self) -> RecoveryReport {
        assert!(
            self.is_done(),
            "the report of a recovery is complete when it is done"
        );
        self.report
    }

    fn advance(
        &mut self,
        read: ReadRequest,
        bytes: &[u8],
        replay: &mut dyn Replay,
    ) -> Result<(), JournalError> {
        if bytes.len() != read.length as usize {
            let what = "the storage returned another number of bytes than it listed";
            return Err(JournalError::Corrupt {
                segment: read.segment,
                offset: read.offset,
                what,
            });
        }
        match &mut self.phase {
            Phase::Header => self.read_header(bytes, replay)?,
            Phase::Frames => self.read_frames(bytes, read.offset, replay)?,
            Phase::Scan(scan) => scan.read(&mut self.cursor, bytes, read.offset)?,
            Phase::Done | Phase::Failed => {}
        }
        self.settle();
        Ok(())
    }

    /// Moves on while no bytes are needed for it.
    fn settle(&mut self) {
        loop {
            match &mut self.phase {
                Phase::Header => match self.cursor.segment() {
                    None => self.finish(),
                    Some(info) if info.bytes == 0 => self.damaged("the segment is empty"),
                    Some(_) => return,
                },
                Phase::Frames => {
                    let Some(info) = self
                        .cursor
                        .segment()
                        .filter(|_| self.cursor.remaining() == 0)
                    else {
                        return;
                    };
                    self.report.segments.push((info.segment, info.bytes));
                    self.cursor.next_segment();
                    self.phase = Phase::Header;
                }
                Phase::Scan(scan) => {
                    if !scan.is_over(&mut self.cursor) {
                        return;
                    }
                    self.finish();
                }
                Phase::Done | Phase::Failed => return,
            }
        }
    }

    fn read_header(&mut self, bytes: &[u8], replay: &mut dyn Replay) -> Result<(), JournalError> {
        let Some(info) = self.cursor.segment() else {
            return Ok(());
        };
        let beginning = match begin(bytes, info.segment) {
            // Behind a segment of this box lies nobody else's file, but what a crash left of the next one:
            // some file systems show noise where bytes never reached the disk.
            Err(JournalError::Foreign { .. }) if self.box_id.is_some() => {
                Beginning::Torn("the segment does not begin with the magic number")
            }
            beginning => beginning?,
        };
        match beginning {
            Beginning::Torn(what) => {
                self.damaged(what);
                Ok(())
            }
            Beginning::Sound(header) => {
                self.check_header(&header, info.segment)?;
                replay.segment(&header);
                self.box_id = Some(header.box_id);
                self.next_frame = Some(header.first_frame);
                self.report.last_frame = header.first_frame.saturating_sub(1);
                self.report.last_time = self.report.last_time.max(header.time);
                self.report.header = Some(header);
                self.cursor.advance(u64::from(SEGMENT_HEADER_BYTES));
                self.phase = Phase::Frames;
                self.read_frames(bytes, 0, replay)
            }
        }
    }

    fn check_header(&self, header: &SegmentHeader, segment: u32) -> Result<(), JournalError> {
        let what = if header.segment != segment {
            "the segment's header names another segment"
        } else if self.box_id.is_some_and(|box_id| box_id != header.box_id) {
            "the segment belongs to another box"
        } else if self
            .next_frame
            .is_some_and(|number| number != header.first_frame)
        {
            "frames are missing before this segment"
        } else if let Err(what) = header.check_numbers() {
            what
        } else {
            return Ok(());
        };
        Err(JournalError::Corrupt {
            segment,
            offset: 0,
            what,
        })
    }

    /// Replays every frame that is whole in `chunk`, which was read from `start`.
    fn read_frames(
        &mut self,
        chunk: &[u8],
        start: u64,
        replay: &mut dyn Replay,
    ) -> Result<(), JournalError> {
        let Some(info) = self.cursor.segment() else {
            return Ok(());
        };
        let owner = Owner {
            box_id: self.box_id,
            segment: info.segment,
        };
        while self.cursor.remaining() > 0 {
            match probe(
                self.cursor.rest(chunk, start),
                self.cursor.remaining(),
                owner,
            ) {
                Probe::Whole(frame) => {
                    self.replay_frame(&frame, info.segment, replay)?;
                    self.cursor.advance(u64::from(frame.length()));
                }
                Probe::Partial(bytes) => {
                    self.cursor.need(bytes);
                    return Ok(());
                }
                Probe::Damaged(what) => {
                    self.damaged(what);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn replay_frame(
        &mut self,
        frame: &Frame<'_>,
        segment: u32,
        replay: &mut dyn Replay,
    ) -> Result<(), JournalError> {
        let number = frame.number();
        let corrupt = |offset: u32, what| JournalError::Corrupt {
            segment,
            offset: u64::from(offset),
            what,
        };
        // Segments are at most `MAX_SEGMENT_BYTES` long.
        let offset = self.cursor.offset() as u32;
        if self.next_frame.is_some_and(|expected| expected != number) {
            return Err(corrupt(
                offset,
                "a frame is missing: the numbers of the frames are not contiguous",
            ));
        }
        replay.frame(&FrameInfo {
            segment,
            offset,
            length: frame.length(),
            number,
            time: frame.time(),
            records: frame.record_count(),
        });
        for (start, payload) in frame.records() {
            let place = Place {
                segment,
                offset: offset + start,
                length: payload.len() as u32,
            };
            Record::decode(payload)
                .and_then(|record| {
                    record.check_numbers()?;
                    replay.record(record, place, payload)
                })
                .map_err(|what| corrupt(place.offset, what))?;
        }
        self.next_frame = Some(number.wrapping_add(1));
        self.report.frames += 1;
        self.report.last_frame = number;
        self.report.last_time = self.report.last_time.max(frame.time());
        Ok(())
    }

    /// Damage where the cursor is: everything from here on is given up, unless the scan finds that
    /// it had been durable.
    fn damaged(&mut self, what: &'static str) {
        let Some(info) = self.cursor.segment() else {
            return;
        };
        let offset = self.cursor.offset();
        let later = self.cursor.later_segments();
        let bytes = info.bytes - offset + later.iter().map(|info| info.bytes).sum::<u64>();
        self.report.cut = (bytes > 0).then_some(Cut {
            segment: info.segment,
            offset,
            bytes,
        });
        self.report.remove = later.iter().rev().map(|info| info.segment).collect();
        if offset == 0 {
            self.report.remove.push(info.segment);
        } else {
            self.report.segments.push((info.segment, offset));
        }
        let place = Position {
            segment: info.segment,
            offset,
        };
        self.phase = Phase::Scan(Scan::new(place, what, self.box_id, &mut self.cursor));
    }

    fn finish(&mut self) {
        if let Some(&(segment, offset)) = self.report.segments.last() {
            self.report.end = Position { segment, offset };
        }
        self.phase = Phase::Done;
    }
}
