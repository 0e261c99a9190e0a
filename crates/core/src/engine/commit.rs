//! Group commit: records on their way into frames, and what waits for them.
//!
//! - **Staged**: records gather in a frame; what may be seen only after them waits at its gates.
//! - **In flight**: one sealed frame is with the storage. Everything else goes on being staged.
//! - **Durable**: the storage said so. The gates open, in order.
//!
//! A segment begins with the definitions of all queues, so that what follows can be replayed without
//! the segments before it.
//!
//! Nothing is written before there is something to write: the record that a run began goes in
//! front of the run's first other record.

mod remote;
mod sealing;
mod taking_apart;

use super::staging::{Gate, InFlight, Spare, Staged, UnitMark};
use super::totals::Totals;
use crate::config::Durability;
use crate::journal::{Position, Record, SegmentHeader};
use crate::ledger::{Note, Recorder};
pub(super) use remote::Remote;
use std::collections::VecDeque;

/// A frame that holds so much is closed, so that no frame grows far beyond an atomic unit.
pub(super) const FRAME_BYTES: usize = 4 << 20;
/// The same in records, all of which one step sees to when the frame is durable: as many as a unit has items.
pub(super) const FRAME_RECORDS: usize = 10_000;

/// The journal's end and what is on its way there.
#[derive(Debug)]
pub(super) struct Commit {
    identity: SegmentHeader,
    durability: Durability,
    segment_bytes: u32,
    /// What is written goes to a remote ledger.
    pub(super) remote: Option<Remote>,
    /// Written in front of everything else.
    opening: Option<(u64, u64)>,
    open: u32,
    staged: VecDeque<Staged>,
    in_flight: Option<InFlight>,
    written: Totals,
    /// What is written belongs together until the unit ends.
    in_unit: bool,
    /// What is staged goes with what is written next: alone it found no room.
    on_hold: bool,
    /// Segments and their sizes, oldest first; the last one is written to.
    pub(super) segments: VecDeque<(u32, u64)>,
    frames: u64,
    stable: Position,
    /// Bytes of the definitions that the last segment began with.
    preamble_bytes: usize,
    spare: Spare,
    /// Frames made durable in this run.
    pub(super) appends: u64,
    /// Records sealed in this run.
    pub(super) records: u64,
}

impl Recorder for Commit {
    fn write(&mut self, record: &Record<'_>, note: Note) {
        if self.remote.is_some() {
            return self.write_remote(record);
        }
        if !self.in_unit || bug!("split-unit") {
            self.make_frame();
        }
        if let Some((last_number, last_token)) = self.opening.take() {
            let opened = Record::Opened {
                open: self.open,
                last_number,
                last_token,
            };
            self.push(&opened, Note::None);
        }
        self.push(record, note);
    }

    fn last_payload(&self) -> &[u8] {
        let staged = self.staged.back().expect("asked right after a write");
        let (_, span) = staged.notes.last().expect("asked right after a write");
        staged.frame.payload(*span)
    }
}

/// Writes into the frame of the record that was written last: both become durable together.
pub(super) struct Joined<'a>(&'a mut Commit);

impl Recorder for Joined<'_> {
    fn write(&mut self, record: &Record<'_>, note: Note) {
        if self.0.remote.is_some() {
            return self.0.write_remote(record);
        }
        self.0.push(record, note);
    }

    fn last_payload(&self) -> &[u8] {
        self.0.last_payload()
    }
}

impl Commit {
    /// For what must not become durable without the record that was written last, nor that without it.
    pub(super) fn joined(&mut self) -> Joined<'_> {
        debug_assert!(!self.staged.is_empty(), "a record was written just now");
        Joined(self)
    }

    /// A journal that ends with `segments`, after `frames` frames. `identity` names the box;
    /// `last_token` is the last one of the runs before.
    #[must_use]
    pub(super) fn new(
        identity: SegmentHeader,
        durability: Durability,
        segment_bytes: u32,
        segments: VecDeque<(u32, u64)>,
        frames: u64,
    ) -> Self {
        let stable = segments
            .back()
            .map_or_else(Position::default, |(segment, bytes)| Position {
                segment: *segment,
                // A weaker storage flushed what is before its last segment.
                offset: if durability == Durability::PowerLoss {
                    *bytes
                } else {
                    0
                },
            });
        let SegmentHeader {
            last_number,
            last_token,
            deaths,
            ..
        } = identity;
        Self {
            open: identity.run,
            preamble_bytes: 0,
            spare: Spare::default(),
            identity,
            durability,
            segment_bytes,
            remote: None,
            opening: Some((last_number, last_token)),
            staged: VecDeque::new(),
            in_flight: None,
            written: Totals {
                last_number,
                last_token,
                deaths,
            },
            in_unit: false,
            on_hold: false,
            segments,
            frames,
            stable,
            appends: 0,
            records: 0,
        }
    }

    /// Whether this run has written or staged anything.
    #[must_use]
    pub(super) fn has_begun(&self) -> bool {
        self.opening.is_none()
    }

    /// The identity of the journal.
    #[must_use]
    pub(super) fn box_id(&self) -> &[u8; 16] {
        &self.identity.box_id
    }

    /// Begins an atomic unit: what is written until it ends goes into one frame. Returns where it
    /// begins.
    pub(super) fn begin_unit(&mut self) -> UnitMark {
        self.make_frame();
        self.in_unit = true;
        let staged = self.staged.back().expect("made above");
        UnitMark {
            frame: staged.frame.mark(),
            notes: staged.notes.len(),
            opening: self.opening,
            written: self.written,
            on_hold: self.on_hold,
        }
    }

    /// Ends the atomic unit.
    pub(super) fn end_unit(&mut self) {
        self.in_unit = false;
    }

    /// Ends the atomic unit that began at `mark` and takes back what was written in it.
    pub(super) fn take_unit_back(&mut self, mark: UnitMark) {
        let staged = self.staged.back_mut().expect("a unit was begun");
        staged.frame.truncate_to(mark.frame);
        staged.notes.truncate(mark.notes);
        self.opening = mark.opening;
        self.written = mark.written;
        self.on_hold = mark.on_hold;
        self.end_unit();
    }

    /// Sees to it that there is a frame with room.
    fn make_frame(&mut self) {
        if self
            .staged
            .back()
            .is_none_or(|staged| staged.is_full() || bug!("split-unit"))
        {
            self.staged
                .push_back(Staged::new(self.written, &mut self.spare));
        }
    }

    fn push(&mut self, record: &Record<'_>, note: Note) {
        let staged = self.staged.back_mut().expect("a frame was made before");
        if staged.frame.is_empty() {
            staged.before = self.written;
        }
        staged.push(record, note);
        self.written.count(record);
        self.on_hold = false;
    }

    /// Lets something wait for everything written so far; gives it back if all of it is durable.
    pub(super) fn gate(&mut self, gate: Gate) -> Option<Gate> {
        if self.remote.is_some() {
            return self.gate_remote(gate);
        }
        let staged = self
            .staged
            .iter_mut()
            .rev()
            .find(|staged| !staged.frame.is_empty());
        if let Some(staged) = staged {
            staged.gates.push(gate);
            self.on_hold = false;
        } else if let Some(in_flight) = &mut self.in_flight {
            in_flight.gates.push(gate);
        } else {
            return Some(gate);
        }
        None
    }

    /// Whether everything that somebody waits for is durable.
    #[must_use]
    pub(super) fn is_durable(&self) -> bool {
        if let Some(remote) = &self.remote {
            return remote.is_idle();
        }
        self.in_flight.is_none()
            && (self.on_hold || self.staged.iter().all(|staged| staged.frame.is_empty()))
    }

    /// Whether a segment is the one that is written to.
    #[must_use]
    pub(super) fn is_last(&self, segment: u32) -> bool {
        self.segments
            .back()
            .is_some_and(|(last, _)| *last == segment)
    }

    /// Whether the removal of a segment waits for what found no room.
    #[must_use]
    pub(super) fn delays_removal(&self) -> bool {
        let mut gates = self.staged.iter().flat_map(|staged| &staged.gates);
        self.on_hold && gates.any(|gate| matches!(gate, Gate::Emptied(_)))
    }

    /// Whether what is staged found no room, and waits until something else is written.
    #[must_use]
    pub(super) fn is_on_hold(&self) -> bool {
        self.on_hold
    }

    /// Bytes of records that wait to be sealed.
    #[must_use]
    pub(super) fn staged_bytes(&self) -> usize {
        if let Some(remote) = &self.remote {
            return remote.staged_bytes();
        }
        self.staged
            .iter()
            .filter(|staged| !staged.frame.is_empty())
            .map(|staged| staged.frame.bytes())
            .sum()
    }

    /// What waits to be told or done.
    #[must_use]
    pub(super) fn gates(&self) -> usize {
        if let Some(remote) = &self.remote {
            return remote.gates();
        }
        let in_flight = self.in_flight.iter().map(|in_flight| in_flight.gates.len());
        let staged = self.staged.iter().map(|staged| staged.gates.len());
        in_flight.chain(staged).sum()
    }

    /// Bytes of all segments, those in flight included.
    #[must_use]
    pub(super) fn total_bytes(&self) -> u64 {
        self.segments.iter().map(|(_, bytes)| bytes).sum()
    }

    /// Bytes on their way to the storage.
    #[must_use]
    pub(super) fn bytes_in_flight(&self) -> u64 {
        self.in_flight
            .as_ref()
            .map_or(0, |in_flight| in_flight.bytes.len() as u64)
    }

    /// The append in flight is durable: what waited for it.
    pub(super) fn appended(&mut self) -> InFlight {
        let done = self
            .in_flight
            .take()
            .expect("Appended without an append in flight");
        self.appends += 1;
        match self.durability {
            Durability::PowerLoss => self.stable = done.end,
            // A storage that does not flush each append flushes a segment when the next one begins.
            Durability::ProcessCrash | Durability::None => {
                if done.began_segment {
                    self.stable = Position {
                        segment: done.end.segment,
                        offset: 0,
                    };
                }
            }
        }
        done
    }
}
