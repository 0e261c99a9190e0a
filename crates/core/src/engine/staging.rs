//! What is between a write and the disk: frames that gather records, and what waits for them.

use std::rc::Rc;

use super::commit::{FRAME_BYTES, FRAME_RECORDS};
use super::editing::Edited;
use super::outcomes::Ended;
use super::producing::{Opened, Produced};
use super::totals::Totals;
use crate::effect::Effect;
use crate::journal::{FrameBuilder, Mark, Position, RECORD_HEADER_BYTES, Record, Span};
use crate::ledger::{Note, Recorder};

/// Something that waits for a frame.
#[derive(Debug)]
pub(super) enum Gate {
    /// To be told or done then.
    Effect(Effect),
    /// A start is durable.
    Started(crate::command::Token),
    /// What an inspection saw is durable.
    Inspected(u64),
    /// What a worker has settled is durable, up to this claim of its.
    Settled(crate::command::WorkerId, u64),
    /// Nothing live is left in a segment.
    Emptied(u32),
    /// A message has ended that somebody waits for.
    Ended(Box<Ended>),
    /// A dead letter was edited.
    Edited(Edited),
    /// A producer was opened.
    ProducerOpened(Opened),
    /// A sequence of a producer was accepted, or known.
    Produced(Box<Produced>),
    /// What was kept in the inbox of the host was moved in, and could still be refused.
    MovedIn(crate::command::Ticket),
}

impl Gate {
    /// Whether somebody outside waits at it.
    pub(super) fn is_awaited(&self) -> bool {
        !matches!(self, Self::Emptied(_))
    }
}

/// A frame that gathers records.
#[derive(Debug)]
pub(super) struct Staged {
    pub(super) frame: FrameBuilder,
    pub(super) notes: Vec<(Note, Span)>,
    pub(super) gates: Vec<Gate>,
    /// What was counted before its first record.
    pub(super) before: Totals,
}

impl Staged {
    /// An empty frame with room for as many records and gates as the last one had.
    pub(super) fn new(before: Totals, spare: &mut Spare) -> Self {
        let Spare {
            frame,
            notes,
            gates,
        } = std::mem::take(spare);
        Self {
            frame,
            notes,
            gates,
            before,
        }
    }

    /// Whether it is closed to what does not have to be in it.
    pub(super) fn is_full(&self) -> bool {
        self.frame.bytes() >= FRAME_BYTES || self.notes.len() >= FRAME_RECORDS
    }

    pub(super) fn push(&mut self, record: &Record<'_>, note: Note) {
        let span = self.frame.push(record);
        self.notes.push((note, span));
    }

    /// Unpacks the frame, has `definitions` written into it, and packs it again. Returns how long the
    /// frame was in between.
    pub(super) fn put_in_front(&mut self, definitions: impl FnOnce(&mut Front<'_>)) -> usize {
        let frame = std::mem::take(&mut self.frame);
        let notes = std::mem::take(&mut self.notes);
        definitions(&mut Front(self));
        let preamble_bytes = self.frame.bytes();
        for (note, span) in notes {
            let record = Record::decode(frame.payload(span)).expect("it was encoded by this run");
            self.push(&record, note);
        }
        preamble_bytes
    }
}

/// What a frame that is done was kept in, emptied, for the next one: growing it anew costs as much as
/// filling it.
#[derive(Debug, Default)]
pub(super) struct Spare {
    pub(super) frame: FrameBuilder,
    pub(super) notes: Vec<(Note, Span)>,
    pub(super) gates: Vec<Gate>,
}

/// Writes in front of everything that is staged.
pub(super) struct Front<'a>(&'a mut Staged);

impl Recorder for Front<'_> {
    fn write(&mut self, record: &Record<'_>, note: Note) {
        self.0.push(record, note);
    }

    fn last_payload(&self) -> &[u8] {
        let (_, span) = self.0.notes.last().expect("asked right after a write");
        self.0.frame.payload(*span)
    }
}

/// A sealed frame that the storage has not confirmed.
#[derive(Debug)]
pub(super) struct InFlight {
    /// What each record was about.
    pub(super) notes: Vec<(Note, Span)>,
    /// What waits for it.
    pub(super) gates: Vec<Gate>,
    /// The segment that gets it.
    pub(super) segment: u32,
    /// Where the frame begins there.
    pub(super) frame_offset: u32,
    /// What the storage got.
    pub(super) bytes: Rc<Vec<u8>>,
    /// Where the frame begins in those bytes.
    pub(super) frame_at: usize,
    pub(super) end: Position,
    pub(super) began_segment: bool,
    pub(super) before: Totals,
}

impl InFlight {
    /// The payload of a record of its frame.
    pub(super) fn payload(&self, span: Span) -> &[u8] {
        let start = self.frame_at + (span.offset + RECORD_HEADER_BYTES) as usize;
        &self.bytes[start..start + span.length as usize]
    }
}

/// A point in the frame that is being staged.
#[derive(Clone, Copy, Debug)]
pub(super) struct UnitMark {
    pub(super) frame: Mark,
    pub(super) notes: usize,
    pub(super) opening: Option<(u64, u64)>,
    pub(super) written: Totals,
    pub(super) on_hold: bool,
}

/// A staged frame taken apart.
#[derive(Debug)]
pub(super) struct Retracted {
    /// Its records.
    pub(super) records: Vec<(Note, Vec<u8>)>,
    /// What waits for it.
    pub(super) gates: Vec<Gate>,
}
