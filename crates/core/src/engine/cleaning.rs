//! Cleaning the journal: oldest segment first, what is still live is written again at the end, and
//! a segment with nothing live is removed.
//!
//! Oldest first means that a settlement is never lost before its message. Cleaning keeps the
//! segments within twice the live bytes plus one segment; it begins a little earlier, so that the
//! bound holds while it works. It writes nothing before the run has something of its own to write:
//! a box on a full disk opens.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::Engine;
use super::commit::Gate;
use super::contents::{Loaded, Purpose};
use crate::effect::Effect;
use crate::journal::{EntryRecord, Place, Record};
use crate::ledger::Live;
use crate::ledger::message::Standing;

/// Bytes that one step moves at least, so that cleaning gets on in an idle box.
const MOVE_BYTES: usize = 256 << 10;

/// Progress of cleaning.
#[derive(Debug, Default)]
pub(super) struct Cleaning {
    /// Segments removed in this run.
    pub(super) segments: u64,
    /// A segment that is being removed.
    removing: Option<u32>,
    /// Messages of which not everything was read yet, by number.
    parts: BTreeMap<u64, Parts>,
    /// Bytes of records that are being read to be moved.
    reading: usize,
}

/// What was read of a message that is to be moved.
#[derive(Debug, Default)]
struct Parts {
    awaited: u8,
    content: Option<Result<Rc<[u8]>, Vec<u8>>>,
    details: Option<Rc<[u8]>>,
}

impl Engine {
    /// One step of cleaning.
    pub(super) fn clean(&mut self) {
        let idle = self.commit.has_begun() && self.dead_jobs.is_idle() && !self.ledger.is_purging();
        if !idle || self.cleaning.removing.is_some() {
            return;
        }
        let Some(&(oldest, bytes)) = self.commit.segments.front() else {
            return;
        };
        if self.commit.segments.len() < 2 {
            return;
        }
        if !self.ledger.is_live(oldest) {
            if !self.reads.touch(oldest) {
                self.cleaning.removing = Some(oldest);
                if self.commit.gate(Gate::Emptied(oldest)).is_some() {
                    self.output.push_back(Effect::Remove { segment: oldest });
                }
            }
        } else if self.is_worth_cleaning() {
            self.move_out_of(oldest, bytes);
        }
    }

    /// The bound is twice the live bytes and a segment; a margin of it is left for the work itself.
    fn is_worth_cleaning(&self) -> bool {
        let live = self.ledger.live_bytes;
        let allowed = live + live / 4 * 3 + u64::from(self.config.segment_bytes) / 2;
        self.commit.total_bytes() > allowed
    }

    fn move_out_of(&mut self, segment: u32, segment_bytes: u64) {
        let staged = self.commit.staged_bytes();
        let limit = staged
            .saturating_mul(2)
            .max(MOVE_BYTES)
            .min(segment_bytes as usize + MOVE_BYTES);
        self.commit.begin_unit();
        let mut moved = self.cleaning.reading;
        while moved < limit
            && let Some(live) = self.ledger.next_live(segment)
        {
            moved += match live {
                Live::Message(slot) => self.move_message(slot),
                Live::Entry(entry) => self.move_entry(entry),
            };
        }
    }

    /// Moves a message, or has it read first; returns how many bytes that is.
    fn move_message(&mut self, slot: u32) -> usize {
        let message = &mut self.ledger.messages[slot];
        message.moving = true;
        let (number, place, details) = (message.number, message.place, message.details_place());
        if let (Some(payload), None) = (&message.content, details) {
            let payload = Rc::clone(payload);
            self.rewrite(slot, &payload, None);
        } else {
            self.cleaning.parts.insert(
                number,
                Parts {
                    awaited: 1 + u8::from(details.is_some()),
                    ..Parts::default()
                },
            );
            self.read_to_move(
                place,
                Purpose::Move {
                    number,
                    details: false,
                },
            );
            if let Some(details) = details {
                self.read_to_move(
                    details,
                    Purpose::Move {
                        number,
                        details: true,
                    },
                );
            }
        }
        place.length as usize
    }

    fn read_to_move(&mut self, place: Place, purpose: Purpose) {
        self.reads.want(place, purpose);
        self.cleaning.reading += place.length as usize;
    }

    fn rewrite(&mut self, slot: u32, payload: &Rc<[u8]>, details: Option<&[u8]>) {
        if self
            .ledger
            .rewrite_message(slot, payload, details, &mut self.commit)
        {
            // Its new place cannot be read before it is durable: its content stays in memory.
            let content = Rc::from(crate::ledger::Recorder::last_payload(&self.commit));
            self.ledger.uncache(slot);
            self.ledger.cache(slot, content);
        } else {
            self.rewrite_damaged(slot, payload);
        }
    }

    fn rewrite_damaged(&mut self, slot: u32, raw: &[u8]) {
        match self.ledger.messages[slot].standing {
            // A delivery in flight has the content in memory: it is moved when that is over.
            Standing::Leased | Standing::Held => self.ledger.messages[slot].moving = false,
            standing => {
                if standing != Standing::Dead {
                    self.ledger.leave(slot);
                }
                self.ledger
                    .rewrite_damaged(slot, raw, self.now, &mut self.commit);
                let content = Rc::from(crate::ledger::Recorder::last_payload(&self.commit));
                self.ledger.cache(slot, content);
                let id = self.ledger.id_text(slot);
                let queue = self.ledger.messages[slot].queue;
                self.warn(
                    Some(queue),
                    format!("the stored bytes of message '{id}' are damaged: it is a dead letter"),
                );
            }
        }
    }

    fn move_entry(&mut self, entry: u32) -> usize {
        let place = self.ledger.dedup.place(entry);
        if self.ledger.dedup.charge(entry) == 0 {
            self.ledger.rewrite_entry(entry, b"", &mut self.commit);
        } else {
            let number = self.ledger.dedup.finished_number(entry).unwrap_or(0);
            self.read_to_move(place, Purpose::MoveEntry { entry, number });
            // The read keeps the segment until the entry is written again.
            self.ledger.unplace_entry(entry);
        }
        place.length as usize
    }

    /// A record to be moved was read.
    pub(super) fn loaded_for_move(&mut self, loaded: Loaded) {
        let bytes = match &loaded.payload {
            Ok(payload) => payload.len(),
            Err(raw) => raw.len(),
        };
        self.cleaning.reading = self.cleaning.reading.saturating_sub(bytes);
        match loaded.purpose {
            Purpose::Move { number, details } => self.loaded_part(number, details, loaded.payload),
            Purpose::MoveEntry { entry, number } => {
                self.loaded_entry(entry, number, loaded.payload.ok())
            }
            Purpose::Deliver(_) | Purpose::Inspect { .. } => {
                unreachable!("sorted out by the caller")
            }
        }
    }

    fn loaded_part(&mut self, number: u64, details: bool, payload: Result<Rc<[u8]>, Vec<u8>>) {
        let Some(parts) = self.cleaning.parts.get_mut(&number) else {
            return;
        };
        parts.awaited -= 1;
        if details {
            parts.details = payload.ok();
        } else {
            parts.content = Some(payload);
        }
        if parts.awaited > 0 {
            return;
        }
        let parts = self
            .cleaning
            .parts
            .remove(&number)
            .expect("looked up just now");
        let Some(slot) = self.ledger.by_number(number) else {
            return;
        };
        self.commit.begin_unit();
        let needs_details = self.ledger.messages[slot].details_place().is_some();
        match parts.content.expect("a move reads the content first") {
            Err(raw) => self.rewrite_damaged(slot, &raw),
            // It died since the reads began: the next round reads its details as well.
            Ok(_) if needs_details && parts.details.is_none() => {
                self.ledger.messages[slot].moving = false
            }
            Ok(payload) => {
                let details = parts.details.filter(|_| needs_details);
                self.rewrite(slot, &payload, details.as_deref());
            }
        }
    }

    fn loaded_entry(&mut self, entry: u32, number: u64, payload: Option<Rc<[u8]>>) {
        if self.ledger.dedup.finished_number(entry) != Some(number) {
            return;
        }
        let record = payload.as_deref().map(Record::decode);
        let result = match record {
            Some(Ok(
                Record::Completed { result, .. } | Record::Entry(EntryRecord { result, .. }),
            )) => result,
            _ => b"",
        };
        self.commit.begin_unit();
        self.ledger.rewrite_entry(entry, result, &mut self.commit);
    }

    pub(super) fn removed(&mut self, segment: u32) {
        if self.opening_removed() {
            return;
        }
        debug_assert_eq!(
            self.cleaning.removing,
            Some(segment),
            "removed what was not asked for"
        );
        self.cleaning.removing = None;
        self.cleaning.segments += 1;
        self.commit.segments.retain(|(kept, _)| *kept != segment);
    }
}
