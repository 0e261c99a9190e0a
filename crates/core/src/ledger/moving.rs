//! Cleaning, the ledger's part: what is still live in the oldest segment, and its record anew.
//!
//! Queues and openings need no moving: every segment begins with them.

use super::finish::death_code;
use super::message::{NONE, Standing};
use super::recorder::{Note, Recorder};
use super::{Ledger, dedup};
use crate::command::Reason;
use crate::hash;
use crate::id::GeneratedId;
use crate::journal::{DeathRecord, EntryKey, EntryRecord, MessageRecord, Record, StoredState};
use crate::time::Timestamp;

/// Something live in the oldest segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Live {
    /// A message.
    Message(u32),
    /// A recorded step.
    Step(u32),
    /// A finished dedup entry.
    Entry(u32),
    /// A producer.
    Producer(u32),
    /// A saved circuit.
    Circuit(u64),
    /// What is held back for a while.
    Hold(u64),
}

/// Another content for a message; none leaves a part as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Edit<'a> {
    /// Encoded headers.
    pub headers: Option<&'a [u8]>,
    /// Encoded body.
    pub body: Option<&'a [u8]>,
}

impl Edit<'_> {
    /// What a message counts with this content; none if `payload` is no message's record.
    #[must_use]
    pub fn counted_bytes(&self, payload: &[u8]) -> Option<u32> {
        let Ok(Record::Message(stored)) = Record::decode(payload) else {
            return None;
        };
        let edited = MessageRecord {
            headers: self.headers.unwrap_or(stored.headers),
            body: self.body.unwrap_or(stored.body),
            ..stored
        };
        Some(edited.counted_bytes())
    }
}

impl Ledger {
    /// Whether anything in this segment must survive it.
    #[must_use]
    pub fn is_live(&self, segment: u32) -> bool {
        self.chain
            .head()
            .is_some_and(|slot| self.messages[slot].place.segment <= segment)
            || self.has_live_step(segment)
            || (self
                .dedup
                .oldest_place()
                .is_some_and(|(_, place)| place.segment <= segment)
                && !bug!("clean-ids-away"))
            || self.next_live_producer(segment).is_some()
            || self.circuits.oldest(segment).is_some()
            || self.holds.kept.oldest(segment).is_some()
    }

    fn next_live_producer(&self, segment: u32) -> Option<u32> {
        let (producer, at) = self.producers.oldest_place()?;
        (at <= segment).then_some(producer)
    }

    /// What is to be moved next out of this segment and is not on its way yet, behind what was moved
    /// last: messages, then steps, circuits, holds, entries and producers.
    #[must_use]
    pub fn next_live(&self, segment: u32, after: Option<Live>) -> Option<Live> {
        let message = match after {
            None => self.next_live_message(segment, None),
            Some(Live::Message(slot)) => self.next_live_message(segment, Some(slot)),
            Some(_) => None,
        };
        if let Some(slot) = message {
            return Some(Live::Message(slot));
        }
        let step = match after {
            None | Some(Live::Message(_)) => self.next_live_step(segment, None),
            Some(Live::Step(key)) => self.next_live_step(segment, Some(key)),
            Some(Live::Circuit(_) | Live::Hold(_) | Live::Entry(_) | Live::Producer(_)) => None,
        };
        if let Some(key) = step {
            return Some(Live::Step(key));
        }
        if let Some(circuit) = self.circuits.oldest(segment) {
            return Some(Live::Circuit(circuit));
        }
        if let Some(hold) = self.holds.kept.oldest(segment) {
            return Some(Live::Hold(hold));
        }
        if let Some((entry, place)) = self.dedup.oldest_place()
            && place.segment <= segment
        {
            return Some(Live::Entry(entry));
        }
        self.next_live_producer(segment).map(Live::Producer)
    }

    fn next_live_message(&self, segment: u32, after: Option<u32>) -> Option<u32> {
        let mut cursor = match after {
            Some(slot) => self.chain.next(&self.messages, slot),
            None => self.chain.head(),
        };
        while let Some(slot) = cursor {
            let message = &self.messages[slot];
            if message.place.segment > segment {
                break;
            }
            if !message.moving {
                return Some(slot);
            }
            cursor = self.chain.next(&self.messages, slot);
        }
        None
    }

    /// Writes a message again with its whole state, since the segment of its record is cleaned.
    /// `payload` is that record, `death` that of its death if it has one elsewhere. False: the bytes
    /// make no message.
    pub fn rewrite_message(
        &mut self,
        slot: u32,
        payload: &[u8],
        death: Option<&[u8]>,
        out: &mut impl Recorder,
    ) -> bool {
        let number = self.messages[slot].number;
        self.write_again(slot, payload, death, Note::Moved { slot, number }, out)
    }

    /// Writes a message with its whole state; `note` tells why.
    pub(super) fn write_again(
        &mut self,
        slot: u32,
        payload: &[u8],
        death: Option<&[u8]>,
        note: Note,
        out: &mut impl Recorder,
    ) -> bool {
        self.write_edited(slot, payload, death, &Edit::default(), note, out)
    }

    /// Writes a dead letter again with another content. Its id stays taken by the body that it was
    /// enqueued with: who enqueues that again is told of a duplicate. False: the bytes make no message.
    pub fn edit(
        &mut self,
        slot: u32,
        payload: &[u8],
        death: Option<&[u8]>,
        edit: &Edit<'_>,
        out: &mut impl Recorder,
    ) -> bool {
        let number = self.messages[slot].number;
        let note = Note::Edited { slot, number };
        self.note_change(self.messages[slot].queue);
        self.write_edited(slot, payload, death, edit, note, out)
    }

    /// Takes an edit back whose record will never be durable: the letter is still stored as it was, and
    /// counted `bytes`.
    pub fn unedit(&mut self, slot: u32, bytes: u32) {
        self.uncache(slot);
        self.resize(slot, bytes);
        self.messages[slot].moving = false;
        self.note_change(self.messages[slot].queue);
    }

    fn write_edited(
        &mut self,
        slot: u32,
        payload: &[u8],
        death: Option<&[u8]>,
        edit: &Edit<'_>,
        note: Note,
        out: &mut impl Recorder,
    ) -> bool {
        let Ok(Record::Message(stored)) = Record::decode(payload) else {
            return false;
        };
        let message = &self.messages[slot];
        let (error, history) = match death.map(Record::decode) {
            Some(Ok(Record::Dead { error, history, .. })) => (error, history),
            Some(_) => (&[][..], &[][..]),
            None => match (&message.death, stored.death) {
                (Some(own), Some(stored_death)) if own.place == message.place => {
                    (stored_death.error, stored.history)
                }
                _ => (&*message.error, &*message.history),
            },
        };
        let history = if bug!("clean-loses-history") {
            &[][..]
        } else {
            history
        };
        let record = MessageRecord {
            due: if bug!("clean-loses-due") {
                message.enqueued_at.0
            } else {
                message.due.0
            },
            deadline: if bug!("clean-loses-deadline") {
                u64::MAX
            } else {
                message.deadline.0
            },
            order: message.order,
            attempt: if bug!("move-without-attempts") {
                0
            } else {
                message.attempt
            },
            deaths: if bug!("clean-loses-deaths") {
                0
            } else {
                message.deaths
            },
            first_delivery: if bug!("clean-loses-first-delivery") {
                0
            } else {
                message.first_delivery.0
            },
            state: match message.standing {
                Standing::Leased if message.suspect => StoredState::LeasedSuspect,
                Standing::Leased => StoredState::Leased,
                Standing::Dead if stored.state == StoredState::Damaged && edit.body.is_none() => {
                    StoredState::Damaged
                }
                Standing::Dead => StoredState::Dead,
                _ if message.suspect => StoredState::Suspect,
                _ => StoredState::Waiting,
            },
            fingerprint: self.fingerprint_of(slot),
            death: message.death.as_ref().map(|own| DeathRecord {
                sequence: own.sequence,
                at: own.at.0,
                reason: death_code(own.reason, own.blocks),
                error,
            }),
            history,
            started_at: if message.standing == Standing::Leased {
                message.started_at.0
            } else {
                message.first_delivery.0
            },
            first_step: self.first_step(slot),
            // A message that came from another queue is still stored as it was there.
            queue: message.queue,
            id: message.id.as_deref(),
            headers: edit.headers.unwrap_or(stored.headers),
            body: edit.body.unwrap_or(stored.body),
            ..stored
        };
        let bytes = record.counted_bytes();
        out.write(&Record::Message(record), note);
        self.messages[slot].moving = true;
        self.resize(slot, bytes);
        true
    }

    /// Writes a message whose stored bytes are damaged as a dead letter that keeps those bytes, and what
    /// is known of it beside them: of one that was dead before, how it died, from the record `details` of
    /// its death. It is held or dead afterwards; the caller has taken it out of its set.
    pub fn rewrite_damaged(
        &mut self,
        slot: u32,
        raw: &[u8],
        details: Option<&[u8]>,
        now: Timestamp,
        out: &mut impl Recorder,
    ) {
        if self.messages[slot].death.is_none() {
            let blocks = self.would_block(slot);
            self.bury(slot, now, Reason::Corrupt, blocks, b"");
            self.queues[self.messages[slot].queue as usize]
                .counters
                .dead += 1;
        } else if let Some(death) = &mut self.messages[slot].death {
            death.reason = Reason::Corrupt;
        }
        let (group, destination) = (self.group(slot), self.destination(slot));
        let message = &self.messages[slot];
        let death = message.death.as_ref().expect("buried above");
        let (error, history) = match details.map(Record::decode) {
            Some(Ok(Record::Dead { error, history, .. })) => (error, history),
            _ => (&*message.error, &*message.history),
        };
        let record = MessageRecord {
            number: message.number,
            queue: message.queue,
            open: message.open,
            enqueued_at: message.enqueued_at.0,
            due: message.due.0,
            deadline: message.deadline.0,
            priority: message.priority,
            max_attempts: message.max_attempts,
            order: message.order,
            attempt: message.attempt,
            deaths: message.deaths,
            first_delivery: message.first_delivery.0,
            state: StoredState::Damaged,
            token: 0,
            fingerprint: self.fingerprint_of(slot),
            death: Some(DeathRecord {
                sequence: death.sequence,
                at: death.at.0,
                reason: death_code(death.reason, death.blocks),
                error,
            }),
            history,
            id: message.id.as_deref(),
            group: &group,
            destination: &destination,
            headers: b"",
            started_at: message.first_delivery.0,
            first_step: self.first_step(slot),
            body: raw,
        };
        let number = message.number;
        out.write(&Record::Message(record), Note::Moved { slot, number });
        let bytes = record.counted_bytes();
        self.resize(slot, bytes);
        self.messages[slot].moving = true;
    }

    /// The fingerprint under which deduplication knows a message; 0 if its id is not taken.
    fn fingerprint_of(&self, slot: u32) -> u64 {
        let entry = self.messages[slot].entry;
        if entry == NONE {
            0
        } else {
            self.dedup.fingerprint(entry)
        }
    }

    /// Writes a finished entry again, with the result and the history that its record keeps; a history
    /// that is not shown any more is left out. `is_damaged`: the result is what is left of a record that
    /// was damaged.
    pub fn rewrite_entry(
        &mut self,
        entry: u32,
        result: &[u8],
        history: &[u8],
        is_damaged: bool,
        now: Timestamp,
        out: &mut impl Recorder,
    ) {
        let history = if self.shows_history(entry, now) {
            history
        } else {
            self.forget_history(entry);
            &[]
        };
        let dedup = &self.dedup;
        let (Some(number), Some(at), Some(state)) = (
            dedup.finished_number(entry),
            dedup.finished_at(entry),
            dedup.finished_state(entry),
        ) else {
            return;
        };
        let record = EntryRecord {
            key: EntryKey {
                queue: self.dedup.get(entry).map_or(0, dedup::Entry::queue),
                hash: self.dedup.hash(entry),
                fingerprint: self.dedup.fingerprint(entry),
            },
            number,
            finished_at: if bug!("clean-prolongs-window") {
                now.0
            } else {
                at.0
            },
            state: dedup::end_code(state, is_damaged),
            attempt: dedup.finished_attempt(entry).unwrap_or(0),
            history,
            result,
        };
        out.write(&Record::Entry(record), Note::Entry { entry, number });
        self.unplace_entry(entry);
    }

    /// The record of a finished entry is about to be written again.
    pub fn unplace_entry(&mut self, entry: u32) {
        self.live_bytes -= super::stored_bytes(self.dedup.place(entry));
        self.dedup.unplace(entry);
    }

    /// Writes a queue's definition, new or changed.
    pub fn write_queue(&self, queue: u32, out: &mut impl Recorder) {
        let target = &self.queues[queue as usize];
        let options = super::settings::encode(&target.settings.named);
        let record = Record::Queue {
            queue,
            paused: target.paused,
            name: &target.name,
            options: &options,
        };
        out.write(&record, Note::None);
    }

    /// Writes what every segment begins with: all queues, the list of openings, and how much
    /// was moved in.
    pub fn write_definitions(&self, out: &mut impl Recorder) {
        for queue in 0..self.queues.len() as u32 {
            self.write_queue(queue, out);
        }
        out.write(&Record::Opens(self.opens.pairs()), Note::None);
        self.write_moved(out);
    }

    /// A number for a run that begins, which no known run has.
    #[must_use]
    pub fn draw_run(&self, entropy: &[u8; 32]) -> u32 {
        let [a, b, c, d, ..] = hash::derive(entropy, "run");
        let drawn = u32::from_le_bytes([a, b, c, d]);
        self.opens.free_number(drawn, GeneratedId::OPEN_MAX)
    }

    /// Notes that a run began after message `last_number`.
    pub fn note_open(&mut self, open: u32, last_number: u64) {
        self.open = open;
        self.opens.note(open, last_number);
    }

    /// The hash under which an id is remembered.
    #[must_use]
    pub fn id_hash(&self, queue: u32, id: &str) -> u128 {
        hash::id_hash(&self.hash_key, queue, id.as_bytes())
    }
}
