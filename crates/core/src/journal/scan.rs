//! Behind damage: was anything durable that is no longer whole?
//!
//! A crash leaves the last append, which nobody was told of, in any state: that is a torn tail and
//! is given up. Bytes that go bad on the disk look the same from the front. What tells them apart
//! is an intact frame further on which says that the journal had been durable beyond the damage.

use super::cursor::Cursor;
use super::error::JournalError;
use super::frame::{ALIGNMENT, FRAME_HEADER_BYTES};
use super::header::{Beginning, SEGMENT_HEADER_BYTES, begin};
use super::intact::{Frame, Owner, Probe, find_magic, probe_anywhere};
use super::place::Position;

/// The search for intact frames behind a damaged place, at every place where one may begin.
#[derive(Debug)]
pub(super) struct Scan {
    /// Where the damage begins.
    place: Position,
    /// What is wrong there.
    what: &'static str,
    /// None until a sound header told it.
    box_id: Option<[u8; 16]>,
    /// The next bytes are the beginning of a segment.
    at_header: bool,
}

impl Scan {
    /// Begins behind the damage, where the cursor is.
    pub(super) fn new(
        place: Position,
        what: &'static str,
        box_id: Option<[u8; 16]>,
        cursor: &mut Cursor,
    ) -> Self {
        let step = if place.offset == 0 {
            u64::from(SEGMENT_HEADER_BYTES)
        } else {
            ALIGNMENT as u64
        };
        cursor.advance(step);
        Self {
            place,
            what,
            box_id,
            at_header: false,
        }
    }

    /// Moves on to the next bytes to look at. True if there are none.
    pub(super) fn is_over(&mut self, cursor: &mut Cursor) -> bool {
        while cursor.segment().is_some() {
            let wanted = if self.at_header {
                1
            } else {
                u64::from(FRAME_HEADER_BYTES)
            };
            if cursor.remaining() >= wanted {
                return false;
            }
            cursor.next_segment();
            self.at_header = true;
        }
        true
    }

    /// Looks at a chunk that was read from `start` of the cursor's segment.
    ///
    /// # Errors
    /// The damage, when something had been durable behind it; or a later segment that is not of
    /// this box and format, which must not be removed.
    pub(super) fn read(
        &mut self,
        cursor: &mut Cursor,
        chunk: &[u8],
        start: u64,
    ) -> Result<(), JournalError> {
        let Some(info) = cursor.segment() else {
            return Ok(());
        };
        if self.at_header {
            self.read_header(chunk, info.segment)?;
            cursor.advance(u64::from(SEGMENT_HEADER_BYTES));
            self.at_header = false;
        }
        let owner = Owner {
            box_id: self.box_id,
            segment: info.segment,
        };
        loop {
            let rest = cursor.rest(chunk, start);
            let Some(skip) = find_magic(rest) else {
                cursor.advance(rest.len() as u64);
                return Ok(());
            };
            cursor.advance(skip as u64);
            match probe_anywhere(&rest[skip..], cursor.remaining(), owner) {
                Probe::Whole(frame) if self.proves_loss(&frame, info.segment, cursor.offset()) => {
                    return Err(self.corrupt());
                }
                Probe::Whole(frame) => cursor.advance(u64::from(frame.length())),
                Probe::Partial(bytes) => {
                    cursor.need(bytes);
                    return Ok(());
                }
                Probe::Damaged(_) => cursor.advance(ALIGNMENT as u64),
            }
        }
    }

    fn read_header(&mut self, bytes: &[u8], segment: u32) -> Result<(), JournalError> {
        if let Beginning::Sound(header) = begin(bytes, segment)? {
            let box_id = *self.box_id.get_or_insert(header.box_id);
            if box_id != header.box_id {
                let what = "the segment belongs to another box";
                return Err(JournalError::Corrupt {
                    segment,
                    offset: 0,
                    what,
                });
            }
        }
        Ok(())
    }

    /// A header and the first frame behind it are one append and share a sector, so a damaged header is
    /// a torn one only if that frame is not whole either. Frames further on are other appends: a power cut
    /// may have taken the first one alone, where appends are not flushed one by one.
    fn proves_loss(&self, frame: &Frame<'_>, segment: u32, offset: u64) -> bool {
        let header = Position { segment, offset: 0 };
        let was_appended_with_it = offset == u64::from(SEGMENT_HEADER_BYTES);
        (self.place == header && was_appended_with_it)
            || (frame.stable_to() > self.place && !bug!("ignore-stable-to"))
    }

    fn corrupt(&self) -> JournalError {
        JournalError::Corrupt {
            segment: self.place.segment,
            offset: self.place.offset,
            what: self.what,
        }
    }
}
