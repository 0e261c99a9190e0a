//! Sealing: a staged frame becomes the append in flight, and begins a segment where one is full.

use std::rc::Rc;

use super::Commit;
use crate::effect::Effect;
use crate::engine::staging::{Front, InFlight, Spare};
use crate::engine::totals::Totals;
use crate::journal::{FrameBuilder, Position, SEGMENT_HEADER_BYTES, Seal, SegmentHeader};
use crate::time::Timestamp;

impl Commit {
    /// Whether an append may be sealed now.
    #[must_use]
    fn can_seal(&self) -> bool {
        self.in_flight.is_none()
            && !self.on_hold
            && self.staged.iter().any(|staged| !staged.frame.is_empty())
    }

    /// Seals the oldest staged frame, if none is in flight, and returns what takes it to the storage.
    /// `definitions` writes what a segment begins with.
    pub(in crate::engine) fn seal(
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
        let is_defined = bug!("segment-without-definitions") && self.frames > 1;
        if (began_segment || self.is_last_segment_empty()) && !is_defined {
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
            last_number: if bug!("header-without-counters") {
                0
            } else {
                totals.last_number
            },
            last_token: totals.last_token,
            deaths: totals.deaths,
            run: self.open,
            time: now.0,
            ..self.identity
        }
        .encode()
    }

    /// Takes what a frame that is done was kept in, for the next one to fill.
    pub(in crate::engine) fn recycle(&mut self, done: InFlight) {
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
}
