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
use super::contents::{Loaded, Purpose, is_damaged_end};
use super::staging::Gate;
use crate::command::{Reason, Token};
use crate::effect::Effect;
use crate::journal::{Place, Record};
use crate::ledger::Live;
use crate::ledger::dedup::Entry;
use crate::ledger::message::Standing;

/// Bytes that go into one append at least, so that cleaning gets on in an idle box.
const MOVE_BYTES: usize = 256 << 10;
/// Bytes moved for each byte written by others: while all live bytes are moved once, at most a
/// quarter as many are written.
const MOVES_PER_WRITE: usize = 4;

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
    /// Bytes of records moved since the last append ended.
    moved: usize,
    /// The storage had no room: nothing is moved before it took something.
    no_room: bool,
}

impl Cleaning {
    /// Whether a segment is being removed.
    #[must_use]
    pub(super) fn is_removing(&self) -> bool {
        self.removing.is_some()
    }

    /// A segment was about to be removed, and is not.
    pub(super) fn keep(&mut self, segment: u32) {
        self.removing = self.removing.filter(|removing| *removing != segment);
    }

    /// An append is durable.
    pub(super) fn append_ended(&mut self) {
        self.moved = 0;
        self.no_room = false;
    }

    /// An append found no room.
    pub(super) fn wait_for_room(&mut self) {
        self.no_room = true;
    }
}

/// What was read of a message that is to be moved.
#[derive(Debug)]
struct Parts {
    awaited: u8,
    content: Option<Result<Rc<[u8]>, Vec<u8>>>,
    /// The death whose details are read as well.
    death: Option<u64>,
    /// Those details; empty if they are damaged.
    details: Rc<[u8]>,
}

impl Engine {
    /// One step of cleaning.
    pub(super) fn clean(&mut self) {
        if !self.may_move() || self.cleaning.is_removing() || self.commit.segments.len() < 2 {
            return;
        }
        let Some(&(oldest, _)) = self.commit.segments.front() else {
            return;
        };
        if !self.ledger.is_live(oldest) {
            if !self.reads.touch(oldest) {
                self.cleaning.removing = Some(oldest);
                if bug!("remove-before-moved") || self.commit.gate(Gate::Emptied(oldest)).is_some()
                {
                    self.remove_emptied(oldest);
                }
            }
        } else if !self.cleaning.no_room && self.is_worth_cleaning() {
            self.move_out_of(oldest);
        }
    }

    /// Nothing live is in a segment any more.
    pub(super) fn remove_emptied(&mut self, oldest: u32) {
        let segment = oldest + u32::from(bug!("remove-newer-segment-first"));
        self.output.push_back(Effect::Remove { segment });
    }

    /// Whether records may be written that say how messages stand: not while one record has changed
    /// many of them and that is still being carried out.
    fn may_move(&self) -> bool {
        self.commit.has_begun()
            && self.closing.is_none()
            && !self.dead_jobs.is_redriving_any()
            && !self.ledger.is_purging()
    }

    /// The bound is twice the live bytes and a segment. A quarter of what lives, or half a segment
    /// where little lives, is left for what others write while everything live is moved once, and room
    /// for the segment that is there twice until it is removed.
    fn is_worth_cleaning(&self) -> bool {
        let live = self.ledger.live_bytes;
        let allowed = live + (live / 4 * 3).max(u64::from(self.config.segment_bytes) / 2);
        self.commit.total_bytes() - self.commit.bytes_in_flight() > allowed
    }

    fn move_out_of(&mut self, segment: u32) {
        let by_others = self
            .commit
            .staged_bytes()
            .saturating_sub(self.cleaning.moved);
        let limit = by_others.saturating_mul(MOVES_PER_WRITE).max(MOVE_BYTES);
        let mut last = None;
        while self.cleaning.reading + self.cleaning.moved < limit
            && let Some(live) = self.ledger.next_live(segment, last)
        {
            last = Some(live);
            match live {
                Live::Message(slot) => self.move_message(slot),
                Live::Step(key) => self.move_step(key),
                Live::Entry(entry) => self.move_entry(entry),
                Live::Producer(producer) => self.move_producer(producer),
                Live::Circuit(circuit) => {
                    let moved = self.ledger.rewrite_circuit(circuit, &mut self.commit);
                    self.cleaning.moved += moved;
                }
                Live::Hold(hold) => {
                    let moved = self.ledger.rewrite_hold(hold, self.now, &mut self.commit);
                    self.cleaning.moved += moved;
                }
            }
        }
    }

    /// Moves a message, or has it read first.
    fn move_message(&mut self, slot: u32) {
        let message = &mut self.ledger.messages[slot];
        message.moving = true;
        let (number, place, details) = (message.number, message.place, message.details_place());
        if let (Some(payload), None) = (&message.content, details) {
            let payload = Rc::clone(payload);
            return self.rewrite(slot, &payload, None);
        }
        let parts = Parts {
            awaited: 1 + u8::from(details.is_some()),
            content: None,
            death: message.death_elsewhere(),
            details: Rc::from([]),
        };
        self.cleaning.parts.insert(number, parts);
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
            self.keep_last_payload(slot);
        } else {
            self.rewrite_damaged(slot, payload, details);
        }
    }

    fn keep_last_payload(&mut self, slot: u32) {
        let content: Rc<[u8]> = Rc::from(crate::ledger::Recorder::last_payload(&self.commit));
        self.cleaning.moved += content.len();
        self.ledger.uncache(slot);
        self.ledger.cache(slot, content);
    }

    /// `details`: the record of its death, if it is dead and has one elsewhere.
    fn rewrite_damaged(&mut self, slot: u32, raw: &[u8], details: Option<&[u8]>) {
        match self.ledger.messages[slot].standing {
            Standing::Leased | Standing::Held => {
                // Its delivery has the content, or finds the damage itself: until then it stays.
                let token = Token(self.ledger.messages[slot].token);
                if let Some(payload) = self.leases.content_of(slot, token) {
                    self.rewrite(slot, &payload, None);
                }
            }
            standing => {
                if standing != Standing::Dead {
                    self.ledger.leave(slot);
                }
                self.ledger
                    .rewrite_damaged(slot, raw, details, self.now, &mut self.commit);
                self.keep_last_payload(slot);
                let id = self.ledger.id_text(slot);
                let queue = self.ledger.messages[slot].queue;
                self.warn(
                    Some(queue),
                    format!("the stored bytes of message '{id}' are damaged: it is a dead letter"),
                );
                if standing != Standing::Dead {
                    self.tell_dead(slot, Reason::Corrupt, b"");
                    self.note_drained(queue);
                }
            }
        }
    }

    /// Has a step read, to move it as it is stored.
    fn move_step(&mut self, key: u32) {
        let step = self.ledger.step(key);
        let (index, place) = (step.index, step.place);
        let number = self.ledger.messages[step.slot].number;
        self.ledger.begin_to_move_step(key);
        self.read_to_move(place, Purpose::MoveStep { key, number, index });
    }

    fn loaded_step(&mut self, key: u32, payload: Result<Rc<[u8]>, Vec<u8>>) {
        if !self.may_move() {
            return self.ledger.leave_step(key);
        }
        let raw = match &payload {
            Ok(payload) if self.ledger.rewrite_step(key, payload, &mut self.commit) => {
                self.cleaning.moved += payload.len();
                return;
            }
            Ok(payload) => &**payload,
            Err(raw) => raw,
        };
        self.ledger.rewrite_damaged_step(key, raw, &mut self.commit);
        self.cleaning.moved += raw.len();
        self.lose_message_of(key);
    }

    /// What a step gave is damaged: its message dies if it waits. One that is being handled does when
    /// its handler asks for the step, a dead letter once it lives again and is asked.
    fn lose_message_of(&mut self, key: u32) {
        let step = self.ledger.step(key);
        let slot = step.slot;
        let (id, queue) = (self.ledger.id_text(slot), self.ledger.messages[slot].queue);
        let message = format!(
            "the recorded result of step '{}' of message '{id}' is damaged",
            step.name
        );
        self.warn(Some(queue), message);
        let standing = self.ledger.messages[slot].standing;
        if matches!(
            standing,
            Standing::Scheduled | Standing::Ready | Standing::Parked
        ) {
            self.ledger.leave(slot);
            self.kill_undelivered(slot, Reason::Corrupt);
        }
    }

    fn move_entry(&mut self, entry: u32) {
        let place = self.ledger.dedup.place(entry);
        if !self.ledger.dedup.tells(entry) {
            self.cleaning.moved += place.length as usize;
            self.ledger
                .rewrite_entry(entry, b"", b"", false, self.now, &mut self.commit);
        } else {
            let number = self.ledger.dedup.finished_number(entry).unwrap_or(0);
            self.read_to_move(place, Purpose::MoveEntry { entry, number });
            // The read keeps the segment until the entry is written again.
            self.ledger.unplace_entry(entry);
        }
    }

    fn move_producer(&mut self, producer: u32) {
        self.ledger.rewrite_producer(producer, &mut self.commit);
        self.cleaning.moved += crate::ledger::Recorder::last_payload(&self.commit).len();
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
                self.loaded_entry(entry, number, &loaded.payload)
            }
            Purpose::MoveStep { key, number, index } => {
                if self.ledger.is_step(key, number, index) {
                    self.loaded_step(key, loaded.payload);
                }
            }
            Purpose::Deliver(_)
            | Purpose::Die(_)
            | Purpose::Edit { .. }
            | Purpose::Inspect { .. } => {
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
            parts.details = payload.unwrap_or_else(|_| Rc::from([]));
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
        let message = &mut self.ledger.messages[slot];
        let death = message.death_elsewhere();
        if death != parts.death || !self.may_move() {
            // It died or lives again since the reads began: the next round moves it.
            self.ledger.messages[slot].moving = false;
            return;
        }
        let details = death.map(|_| &*parts.details);
        match parts.content.expect("a move reads the content first") {
            Err(raw) => self.rewrite_damaged(slot, &raw, details),
            Ok(payload) => self.rewrite(slot, &payload, details),
        }
    }

    fn loaded_entry(&mut self, entry: u32, number: u64, payload: &Result<Rc<[u8]>, Vec<u8>>) {
        if self.ledger.dedup.finished_number(entry) != Some(number) {
            // Its id was forgotten meanwhile: whoever asked is told so.
            let asked = self.inspections.take_asked(entry);
            return self.ask_again(asked);
        }
        let stored = match payload {
            Ok(payload) => Record::decode(payload).map_err(|_| &**payload),
            Err(raw) => Err(&**raw),
        };
        let (result, history, is_damaged): (&[u8], &[u8], bool) = match &stored {
            Ok(Record::Completed {
                result, history, ..
            }) => (result, history, false),
            Ok(Record::Entry(end)) => (end.result, end.history, is_damaged_end(end)),
            Ok(_) => (&[], &[], true),
            Err(raw) => (raw, &[], true),
        };
        if is_damaged && !matches!(stored, Ok(Record::Entry(_))) {
            let queue = self.ledger.dedup.get(entry).map(Entry::queue);
            let message = format!("the stored result of message {number} is damaged");
            self.warn(queue, message);
        }
        self.cleaning.moved += result.len() + history.len();
        self.ledger.rewrite_entry(
            entry,
            result,
            history,
            is_damaged,
            self.now,
            &mut self.commit,
        );
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
