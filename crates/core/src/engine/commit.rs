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

use std::collections::VecDeque;
use std::rc::Rc;

use crate::config::Durability;
use crate::effect::Effect;
use crate::journal::{
    FrameBuilder, Mark, MessageRecord, Position, Record, SEGMENT_HEADER_BYTES, Seal, SegmentHeader,
    Span,
};
use crate::ledger::{Note, Recorder};
use crate::time::Timestamp;

/// A frame that holds so much is closed, so that no frame grows far beyond an atomic unit.
const FRAME_BYTES: usize = 4 << 20;
/// Records that may wait for the storage in all.
pub(super) const STAGED_BYTES_MAX: usize = 64 << 20;

/// Something that waits for a frame.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a gate lives for one append; boxing costs every receipt an allocation"
)]
pub(super) enum Gate {
    /// To be told or done then.
    Effect(Effect),
    /// A start is durable.
    Started(crate::command::Token),
    /// What an inspection saw is durable.
    Inspected(u64),
    /// Nothing live is left in a segment.
    Emptied(u32),
}

#[derive(Debug)]
struct Staged {
    frame: FrameBuilder,
    notes: Vec<(Note, Span)>,
    gates: Vec<Gate>,
    /// Deaths that the records before it tell of.
    deaths_before: u64,
}

impl Staged {
    /// An empty frame with room for as many records and gates as the last one had.
    fn new(deaths_before: u64, spare: &mut Spare) -> Self {
        let notes = std::mem::take(&mut spare.notes);
        let gates = std::mem::take(&mut spare.gates);
        Self {
            frame: FrameBuilder::new(),
            notes,
            gates,
            deaths_before,
        }
    }

    fn push(&mut self, record: &Record<'_>, note: Note) {
        let span = self.frame.push(record);
        self.notes.push((note, span));
    }
}

/// Emptied lists of a frame that is done, for the next one: growing them anew costs as much as
/// filling them.
#[derive(Debug, Default)]
struct Spare {
    notes: Vec<(Note, Span)>,
    gates: Vec<Gate>,
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
    /// What the storage got.
    pub(super) bytes: Rc<Vec<u8>>,
    /// Where the frame begins in those bytes.
    pub(super) frame_at: usize,
    /// What each record was about.
    pub(super) notes: Vec<(Note, Span)>,
    /// What waits for it.
    pub(super) gates: Vec<Gate>,
    end: Position,
    began_segment: bool,
    deaths_before: u64,
}

/// A point in the frame that is being staged.
#[derive(Clone, Copy, Debug)]
pub(super) struct UnitMark {
    frame: Mark,
    notes: usize,
    opening: Option<(u64, u64)>,
}

/// A frame on its way to the storage.
#[derive(Debug)]
pub(super) struct Sealed {
    /// What takes it there.
    pub(super) append: Effect,
    /// The segment that gets it.
    pub(super) segment: u32,
    /// Where it will begin there.
    pub(super) frame_offset: u32,
}

/// What a segment's header must know of the run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Totals {
    /// The last message number given away.
    pub(super) last_number: u64,
    /// The last token given away.
    pub(super) last_token: u64,
}

/// The journal's end and what is on its way there.
#[derive(Debug)]
pub(super) struct Commit {
    identity: SegmentHeader,
    durability: Durability,
    segment_bytes: u32,
    /// Written in front of everything else.
    opening: Option<(u64, u64)>,
    open: u32,
    staged: VecDeque<Staged>,
    in_flight: Option<InFlight>,
    /// Segments and their sizes, oldest first; the last one is written to.
    pub(super) segments: VecDeque<(u32, u64)>,
    frames: u64,
    stable: Position,
    /// Deaths that all records written so far tell of.
    deaths: u64,
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

impl Commit {
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
                offset: *bytes,
            });
        let (last_number, last_token) = (identity.last_number, identity.last_token);
        Self {
            open: identity.opens,
            deaths: identity.deaths,
            preamble_bytes: 0,
            spare: Spare::default(),
            identity,
            durability,
            segment_bytes,
            opening: Some((last_number, last_token)),
            staged: VecDeque::new(),
            in_flight: None,
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

    /// Begins an atomic unit: what is written until the next call goes into one frame.
    pub(super) fn begin_unit(&mut self) {
        let full = self
            .staged
            .back()
            .is_some_and(|staged| staged.frame.bytes() >= FRAME_BYTES);
        if full || self.staged.is_empty() {
            self.staged
                .push_back(Staged::new(self.deaths, &mut self.spare));
        }
    }

    /// Where the unit begun last stands.
    #[must_use]
    pub(super) fn mark(&self) -> UnitMark {
        let staged = self.staged.back().expect("a unit was begun");
        UnitMark {
            frame: staged.frame.mark(),
            notes: staged.notes.len(),
            opening: self.opening,
        }
    }

    /// Takes back what was written since the mark.
    pub(super) fn truncate_to(&mut self, mark: UnitMark) {
        let staged = self.staged.back_mut().expect("a unit was begun");
        staged.frame.truncate_to(mark.frame);
        staged.notes.truncate(mark.notes);
        self.opening = mark.opening;
    }

    fn push(&mut self, record: &Record<'_>, note: Note) {
        if self.staged.is_empty() {
            self.staged
                .push_back(Staged::new(self.deaths, &mut self.spare));
        }
        self.staged
            .back_mut()
            .expect("pushed above")
            .push(record, note);
        match record {
            Record::Dead { .. } => self.deaths += 1,
            Record::Message(MessageRecord {
                death: Some(death), ..
            }) => {
                self.deaths = self.deaths.max(death.sequence);
            }
            _ => {}
        }
    }

    /// Lets something wait for everything written so far; gives it back if all of it is durable.
    pub(super) fn gate(&mut self, gate: Gate) -> Option<Gate> {
        let staged = self
            .staged
            .iter_mut()
            .rev()
            .find(|staged| !staged.frame.is_empty());
        if let Some(staged) = staged {
            staged.gates.push(gate);
        } else if let Some(in_flight) = &mut self.in_flight {
            in_flight.gates.push(gate);
        } else {
            return Some(gate);
        }
        None
    }

    /// Whether everything written is durable.
    #[must_use]
    pub(super) fn is_durable(&self) -> bool {
        self.in_flight.is_none() && self.staged.iter().all(|staged| staged.frame.is_empty())
    }

    /// Whether an append may be sealed now.
    #[must_use]
    pub(super) fn can_seal(&self) -> bool {
        self.in_flight.is_none() && self.staged.iter().any(|staged| !staged.frame.is_empty())
    }

    /// Bytes of records that wait to be sealed.
    #[must_use]
    pub(super) fn staged_bytes(&self) -> usize {
        self.staged
            .iter()
            .filter(|staged| !staged.frame.is_empty())
            .map(|staged| staged.frame.bytes())
            .sum()
    }

    /// Bytes of all segments.
    #[must_use]
    pub(super) fn total_bytes(&self) -> u64 {
        self.segments.iter().map(|(_, bytes)| bytes).sum()
    }

    /// Whether the frame that is sealed next begins a segment.
    pub(super) fn begins_segment(&mut self) -> bool {
        if !self.can_seal() {
            return false;
        }
        while self
            .staged
            .front()
            .is_some_and(|staged| staged.frame.is_empty())
        {
            self.staged.pop_front();
        }
        self.needs_segment(self.staged[0].frame.bytes())
    }

    /// Unpacks the frame that is sealed next, has `definitions` written into it, and packs it again.
    pub(super) fn put_in_front(&mut self, definitions: impl FnOnce(&mut Front<'_>)) {
        let staged = &mut self.staged[0];
        let frame = std::mem::take(&mut staged.frame);
        let notes = std::mem::take(&mut staged.notes);
        definitions(&mut Front(staged));
        self.preamble_bytes = staged.frame.bytes();
        for (note, span) in notes {
            let record = Record::decode(frame.payload(span)).expect("it was encoded by this run");
            staged.push(&record, note);
        }
    }

    /// Seals the oldest staged frame, if none is in flight.
    pub(super) fn seal(&mut self, now: Timestamp, totals: Totals) -> Option<Sealed> {
        if !self.can_seal() {
            return None;
        }
        let mut staged = self.staged.pop_front().expect("can_seal");
        while staged.frame.is_empty() {
            staged = self.staged.pop_front().expect("can_seal");
        }
        self.frames += 1;
        self.records += u64::from(staged.frame.records());
        let began_segment = self.needs_segment(staged.frame.bytes());
        let mut bytes = Vec::new();
        if began_segment {
            bytes = self.begin_segment(now, totals, staged.deaths_before);
        }
        let (segment, end) = self.segments.back_mut().expect("a segment to append to");
        let frame_offset =
            u32::try_from(*end).expect("segments are shorter than 4 GiB") + bytes.len() as u32;
        let frame = staged.frame.seal(&Seal {
            box_id: self.identity.box_id,
            segment: *segment,
            number: self.frames,
            time: now.0,
            stable_to: self.stable,
        });
        let frame_at = bytes.len();
        if began_segment {
            bytes.extend_from_slice(&frame);
        } else {
            bytes = frame;
        }
        *end += bytes.len() as u64;
        let (segment, end) = (
            *segment,
            Position {
                segment: *segment,
                offset: *end,
            },
        );
        let bytes = Rc::new(bytes);
        self.in_flight = Some(InFlight {
            bytes: Rc::clone(&bytes),
            frame_at,
            notes: staged.notes,
            gates: staged.gates,
            end,
            began_segment,
            deaths_before: staged.deaths_before,
        });
        Some(Sealed {
            append: Effect::Append { segment, bytes },
            segment,
            frame_offset,
        })
    }

    fn needs_segment(&self, frame_bytes: usize) -> bool {
        let Some((_, end)) = self.segments.back() else {
            return true;
        };
        // Segments are much larger than the definitions that each of them begins with.
        let limit = u64::from(self.segment_bytes).max(8 * self.preamble_bytes as u64);
        *end > u64::from(SEGMENT_HEADER_BYTES) && end + frame_bytes as u64 > limit
    }

    fn begin_segment(&mut self, now: Timestamp, totals: Totals, deaths: u64) -> Vec<u8> {
        let segment = self.segments.back().map_or(1, |(segment, _)| segment + 1);
        self.segments.push_back((segment, 0));
        SegmentHeader {
            segment,
            first_frame: self.frames,
            last_number: totals.last_number,
            last_token: totals.last_token,
            deaths,
            opens: self.open,
            time: now.0,
            ..self.identity
        }
        .encode()
    }

    /// What the records in flight are about, and where they are in their frame.
    pub(super) fn sealed_notes(&self) -> &[(Note, Span)] {
        self.in_flight
            .as_ref()
            .map_or(&[], |in_flight| &in_flight.notes)
    }

    /// Takes the lists of a frame that is done, for the next one to fill.
    pub(super) fn recycle(&mut self, mut notes: Vec<(Note, Span)>, mut gates: Vec<Gate>) {
        notes.clear();
        gates.clear();
        self.spare = Spare { notes, gates };
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

    /// The append in flight wrote nothing: forget it, together with the staged frames behind it,
    /// which are given back in order.
    pub(super) fn retract(&mut self) -> (InFlight, Vec<Retracted>) {
        let failed = self
            .in_flight
            .take()
            .expect("AppendFailed without an append in flight");
        self.frames -= 1;
        if failed.began_segment {
            self.segments.pop_back();
        } else {
            let (_, end) = self.segments.back_mut().expect("it was appended to");
            *end -= failed.bytes.len() as u64;
        }
        self.deaths = failed.deaths_before;
        let staged = std::mem::take(&mut self.staged);
        let later = staged.into_iter().map(|staged| Retracted {
            records: staged
                .notes
                .iter()
                .map(|(note, span)| (*note, staged.frame.payload(*span).to_vec()))
                .collect(),
            gates: staged.gates,
        });
        (failed, later.collect())
    }

    /// Begins a new staged frame whatever the last one holds.
    pub(super) fn begin_frame(&mut self) {
        self.staged
            .push_back(Staged::new(self.deaths, &mut self.spare));
    }

    /// Everything that waits, to be told that it will never be durable.
    pub(super) fn abandon(&mut self) -> Vec<Gate> {
        let in_flight = self
            .in_flight
            .take()
            .into_iter()
            .flat_map(|in_flight| in_flight.gates);
        let staged = std::mem::take(&mut self.staged)
            .into_iter()
            .flat_map(|staged| staged.gates);
        in_flight.chain(staged).collect()
    }
}

/// A staged frame taken apart.
#[derive(Debug)]
pub(super) struct Retracted {
    /// Its records.
    pub(super) records: Vec<(Note, Vec<u8>)>,
    /// What waits for it.
    pub(super) gates: Vec<Gate>,
}
