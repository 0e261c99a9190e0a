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

use super::staging::{Front, Gate, InFlight, Retracted, Spare, Staged, UnitMark};
use super::totals::Totals;
use crate::config::Durability;
use crate::effect::Effect;
use crate::journal::{
    FrameBuilder, Position, RECORD_HEADER_BYTES, Record, SEGMENT_HEADER_BYTES, Seal, SegmentHeader,
    Span,
};
use crate::ledger::{Note, Recorder};
use crate::time::Timestamp;

/// A frame that holds so much is closed, so that no frame grows far beyond an atomic unit.
const FRAME_BYTES: usize = 4 << 20;
/// Records that may wait for the storage in all.
pub(super) const STAGED_BYTES_MAX: usize = 64 << 20;

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
    written: Totals,
    /// What is written belongs together until the unit ends.
    in_unit: bool,
    /// What is staged goes with what is written next: nobody waits for it, and alone it found no room.
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
        if !self.in_unit {
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
            .is_none_or(|staged| staged.frame.bytes() >= FRAME_BYTES)
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
        self.in_flight.is_none()
            && (self.on_hold || self.staged.iter().all(|staged| staged.frame.is_empty()))
    }

    /// Whether an append may be sealed now.
    #[must_use]
    fn can_seal(&self) -> bool {
        self.in_flight.is_none()
            && !self.on_hold
            && self.staged.iter().any(|staged| !staged.frame.is_empty())
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

    /// Seals the oldest staged frame, if none is in flight, and returns what takes it to the storage.
    /// `definitions` writes what a segment begins with.
    pub(super) fn seal(
        &mut self,
        now: Timestamp,
        definitions: impl FnOnce(&mut Front<'_>),
    ) -> Option<Effect> {
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
        if began_segment || self.is_last_segment_empty() {
            self.preamble_bytes = staged.put_in_front(definitions);
        }
        let mut bytes = Vec::new();
        if began_segment {
            bytes = self.begin_segment(now, staged.before);
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
            notes: staged.notes,
            gates: staged.gates,
            segment,
            frame_offset,
            bytes: Rc::clone(&bytes),
            frame_at,
            end,
            began_segment,
            before: staged.before,
        });
        Some(Effect::Append { segment, bytes })
    }

    fn needs_segment(&self, frame_bytes: usize) -> bool {
        let Some((_, end)) = self.segments.back() else {
            return true;
        };
        // Segments are much larger than the definitions that each of them begins with.
        let limit = u64::from(self.segment_bytes).max(8 * self.preamble_bytes as u64);
        *end > u64::from(SEGMENT_HEADER_BYTES) && end + frame_bytes as u64 > limit
    }

    /// Whether the last segment holds its header only: its first frame was torn.
    fn is_last_segment_empty(&self) -> bool {
        let header = u64::from(SEGMENT_HEADER_BYTES);
        self.segments.back().is_some_and(|(_, end)| *end <= header)
    }

    fn begin_segment(&mut self, now: Timestamp, totals: Totals) -> Vec<u8> {
        let segment = self.segments.back().map_or(1, |(segment, _)| segment + 1);
        self.segments.push_back((segment, 0));
        SegmentHeader {
            segment,
            first_frame: self.frames,
            last_number: totals.last_number,
            last_token: totals.last_token,
            deaths: totals.deaths,
            run: self.open,
            time: now.0,
            ..self.identity
        }
        .encode()
    }

    /// Takes what a frame that is done was kept in, for the next one to fill.
    pub(super) fn recycle(&mut self, done: InFlight) {
        let InFlight {
            mut notes,
            mut gates,
            bytes,
            ..
        } = done;
        notes.clear();
        gates.clear();
        // A host that still holds the bytes keeps them.
        let buffer = Rc::try_unwrap(bytes).unwrap_or_default();
        self.spare = Spare {
            frame: FrameBuilder::reusing(buffer),
            notes,
            gates,
        };
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

    /// The append in flight wrote nothing: it is taken back, together with the staged frames behind
    /// it. All are given back in order.
    pub(super) fn retract(&mut self) -> Vec<Retracted> {
        let failed = self
            .in_flight
            .take()
            .expect("AppendFailed without an append in flight");
        self.frames -= 1;
        self.written = failed.before;
        if failed.began_segment {
            self.segments.pop_back();
        } else {
            let (_, end) = self.segments.back_mut().expect("it was appended to");
            *end -= failed.bytes.len() as u64;
        }
        let payload = |span: &Span| {
            let start = failed.frame_at + (span.offset + RECORD_HEADER_BYTES) as usize;
            failed.bytes[start..start + span.length as usize].to_vec()
        };
        let first = Retracted {
            records: failed
                .notes
                .iter()
                .map(|(note, span)| (*note, payload(span)))
                .collect(),
            gates: failed.gates,
        };
        let later = std::mem::take(&mut self.staged)
            .into_iter()
            .map(|staged| Retracted {
                records: staged
                    .notes
                    .iter()
                    .map(|(note, span)| (*note, staged.frame.payload(*span).to_vec()))
                    .collect(),
                gates: staged.gates,
            });
        std::iter::once(first).chain(later).collect()
    }

    /// Begins to stage a frame anew that was taken back. Frames are joined where they fit: what nobody
    /// waits for shares the fate of what somebody does.
    pub(super) fn begin_again(&mut self) {
        self.make_frame();
    }

    /// Writes a record that was taken back.
    pub(super) fn write_again(&mut self, record: &Record<'_>, note: Note) {
        self.push(record, note);
    }

    /// Keeps what is staged until something else is written, unless somebody waits for it.
    pub(super) fn hold_if_unawaited(&mut self) {
        self.on_hold = !self
            .staged
            .iter()
            .flat_map(|staged| &staged.gates)
            .any(Gate::is_awaited);
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
