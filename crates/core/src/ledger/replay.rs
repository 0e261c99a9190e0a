//! Rebuilding the ledger from its records.
//!
//! Segments are removed oldest first, and what was live in them was written again later on. Records
//! that are left may therefore speak of messages that are gone, or whose record comes later, with
//! everything that had happened until then: they are passed over. That can only be so for messages
//! accepted before the oldest segment that is left.
//!
//! While records are replayed, dead letters and leases stand in their sets, since later records
//! speak of them; waiting messages are held, and join their sets when all is known.

use std::rc::Rc;

use super::dedup::End;
use super::finish::parse_death;
use super::message::{NONE, Standing};
use super::{Ledger, Note, redrive};
use crate::command::{MessageState, Reason, Token};
use crate::journal::{AttemptRecord, EntryRecord, Place, Record};
use crate::time::Timestamp;

/// What the end of a replay leaves to do.
#[derive(Debug, Default)]
pub struct Interrupted {
    /// Deliveries that died with their owner.
    pub count: u64,
    /// Those of their messages that have no attempt left: they are held and must die.
    pub exhausted: Vec<u32>,
}

pub(super) type Replayed = Result<(), &'static str>;

impl Ledger {
    /// Begins a replay whose oldest segment was begun after message `last_number` was accepted.
    pub fn begin_replay(&mut self, last_number: u64) {
        self.replay_floor = last_number;
    }

    /// The records that follow were written together, at `time`.
    pub fn begin_batch(&mut self, time: Timestamp) {
        self.batch_before_at = std::mem::replace(&mut self.batch_at, time);
    }

    /// Applies one record that was written at `time`.
    pub fn replay(
        &mut self,
        record: Record<'_>,
        time: Timestamp,
        place: Place,
        payload: &[u8],
        cache_limit: u64,
        free_deaths: u32,
    ) -> Replayed {
        match record {
            Record::Opened {
                open, last_number, ..
            } => {
                self.owner_died(self.batch_before_at, time, free_deaths);
                self.note_open(open, last_number);
            }
            Record::Opens(pairs) => {
                for (open, last_number) in pairs {
                    self.note_open(open, last_number);
                }
            }
            Record::Queue {
                queue,
                paused,
                name,
                options,
            } => {
                self.replay_queue(queue, paused, name, options)?;
            }
            Record::Message(message) => {
                let slot = self.replay_message(&message)?;
                let number = message.number;
                self.place(Note::Moved { slot, number }, place);
                // An earlier record of it may have another content.
                self.uncache(slot);
                if self.cached_bytes + payload.len() as u64 <= cache_limit {
                    self.cache(slot, Rc::from(payload));
                }
            }
            Record::Started { number, token } => {
                let Some(slot) = self.waiting(number)? else {
                    return Ok(());
                };
                self.lease(slot, Token(token), time);
            }
            Record::Returned { number } => {
                let Some(slot) = self.leased(number)? else {
                    return Ok(());
                };
                self.unlease(slot);
                self.unstart(slot, time);
            }
            Record::Retried {
                number,
                due,
                costs,
                attempt,
            } => {
                let Some(slot) = self.leased(number)? else {
                    return Ok(());
                };
                self.replay_retry(slot, due, costs, &attempt);
            }
            Record::Completed {
                number,
                entry,
                attempt,
                history,
                result,
                ..
            } => {
                let record = entry.map(|key| EntryRecord {
                    key,
                    number,
                    finished_at: time.0,
                    state: MessageState::Completed as u8,
                    attempt,
                    history,
                    result,
                });
                self.replay_completed(number, record.as_ref(), time, place)?;
            }
            Record::Dead {
                number,
                reason,
                attempt,
                error,
                history,
            } => {
                let Some(slot) = self.known(number)? else {
                    // Deaths are counted without a gap: later ones keep their sequences.
                    self.last_death += 1;
                    return Ok(());
                };
                // The frame was sealed when the append before it was done: the attempt knows better.
                let at = attempt.map_or(time, |attempt| Timestamp(attempt.ended_at));
                self.replay_death(slot, reason, at, error, history)?;
                self.place(
                    Note::Death {
                        slot,
                        sequence: self.last_death,
                    },
                    place,
                );
                self.forget_details(slot);
            }
            Record::Cancelled { number } => {
                let Some(slot) = self.known(number)? else {
                    return Ok(());
                };
                self.withdraw(slot, time);
            }
            Record::Removed { number } => {
                let Some(slot) = self.known(number)? else {
                    return Ok(());
                };
                self.forget_dead(slot, time);
            }
            Record::Rescheduled { number, due } => {
                let Some(slot) = self.waiting(number)? else {
                    return Ok(());
                };
                self.messages[slot].due = Timestamp(due);
            }
            Record::Purged { queue, .. } => self.replay_purge(queue, time)?,
            Record::Redriven {
                queue,
                filter,
                last_death,
                first_order,
            } => {
                self.queue_known(queue)?;
                let filter = serde_json::from_slice(filter)
                    .map_err(|_| "a redrive with an unknown filter")?;
                let mut begun = self.resume_redrive(queue, filter, last_death, first_order);
                redrive::replay(self, &mut begun, time);
            }
            Record::Revived { number, order, to } => {
                self.last_number = self.last_number.max(order);
                if let Some(slot) = self.known(number)? {
                    self.replay_revived(slot, order, to, time)?;
                }
            }
            Record::Forgotten { queue, hash } => {
                if let Some(entry) = self.dedup.find(queue, hash) {
                    self.forget_entry(entry);
                }
            }
            Record::Entry(record) => {
                self.replay_entry(&record, place)?;
            }
        }
        Ok(())
    }

    /// Ends a replay whose last record was written at `last`: leases of the last owner end, all waiting
    /// messages join their sets. If the clock was set back since, no retry waits longer than its
    /// backoff can ask for.
    pub fn finish_replay(
        &mut self,
        now: Timestamp,
        last: Timestamp,
        free_deaths: u32,
    ) -> Interrupted {
        let count = self
            .queues
            .iter()
            .map(|queue| queue.leased.len() as u64)
            .sum();
        self.owner_died(self.batch_at, now, free_deaths);
        self.finish_what_time_did(now);
        let mut exhausted = Vec::new();
        let mut cursor = self.chain.head();
        while let Some(slot) = cursor {
            cursor = self.chain.next(&self.messages, slot);
            let message = &self.messages[slot];
            if message.standing != Standing::Held {
                continue;
            }
            let is_over = message.attempt >= message.max_attempts || self.is_too_late(slot, now);
            if message.suspect && is_over {
                exhausted.push(slot);
                continue;
            }
            if last > now && message.first_delivery > Timestamp(0) {
                let longest = self.queues[message.queue as usize].settings.max_delay_ms();
                let message = &mut self.messages[slot];
                message.due = message.due.min(now.plus(longest));
            }
            self.enter(slot, now);
        }
        // In the order of acceptance, whatever cleaning has moved.
        exhausted.sort_by_key(|slot| self.messages[*slot].number);
        Interrupted { count, exhausted }
    }

    /// Ends the replay of a journal that its owner may go on with: leases stay, all waiting messages join
    /// their sets.
    pub fn finish_looking(&mut self, now: Timestamp) {
        self.finish_what_time_did(now);
        let mut cursor = self.chain.head();
        while let Some(slot) = cursor {
            cursor = self.chain.next(&self.messages, slot);
            if self.messages[slot].standing == Standing::Held {
                self.enter(slot, now);
            }
        }
    }

    /// What is never written, because it follows from what is.
    fn finish_what_time_did(&mut self, now: Timestamp) {
        self.free_replayed_purges(now);
        self.dedup.sort(now);
        self.cut_histories(now);
        self.shrink_dedup();
    }

    /// Forgets again what was forgotten to make room: that was never written.
    fn shrink_dedup(&mut self) {
        for queue in 0..self.queues.len() {
            let (limit, queue) = (self.queues[queue].settings.dedup_max_entries, queue as u32);
            while self.dedup.count(queue) > limit
                && let Some((entry, _)) = self.dedup.oldest_finished(queue)
            {
                self.drop_entry(entry);
            }
        }
    }

    /// Ends the leases of an owner that wrote its last records at `ended_at`, and is known to be dead since
    /// `now`. That is when its attempts ended: when it really died nobody knows, and it must be the same
    /// for all who ask.
    fn owner_died(&mut self, ended_at: Timestamp, now: Timestamp, free_deaths: u32) {
        for queue in 0..self.queues.len() {
            while let Some(slot) = self.queues[queue].leased.any() {
                self.note_attempt(slot, ended_at, Reason::OwnerDied, b"");
                self.unlease(slot);
                let message = &mut self.messages[slot];
                message.deaths += 1;
                message.suspect = true;
                message.due = message.due.min(now);
                if message.deaths <= free_deaths {
                    message.attempt -= 1;
                }
            }
        }
    }

    fn replay_retry(&mut self, slot: u32, due: u64, costs: bool, attempt: &AttemptRecord<'_>) {
        self.unlease(slot);
        let message = &mut self.messages[slot];
        message.due = Timestamp(due);
        message.suspect = false;
        if costs {
            super::history::push(&mut message.history, attempt);
        } else {
            message.attempt -= 1;
        }
    }

    fn replay_completed(
        &mut self,
        number: u64,
        entry: Option<&EntryRecord<'_>>,
        time: Timestamp,
        place: Place,
    ) -> Replayed {
        if let Some(slot) = self.unpurged(number) {
            if self.messages[slot].standing == Standing::Leased {
                self.unlease(slot);
            }
            let known = self.messages[slot].entry;
            self.drop_entry(known);
            self.messages[slot].entry = NONE;
            self.erase(slot, time);
        } else if number > self.replay_floor {
            return Err("the completion of a message that does not exist");
        }
        entry.map_or(Ok(()), |entry| self.replay_entry(entry, place))
    }

    fn replay_entry(&mut self, record: &EntryRecord<'_>, place: Place) -> Replayed {
        let EntryRecord {
            key,
            number,
            attempt,
            history,
            result,
            ..
        } = *record;
        let state = MessageState::from_code(record.state).ok_or("an entry of an unknown state")?;
        self.queue_known(key.queue)?;
        if let Some(old) = self.dedup.find(key.queue, key.hash) {
            if self
                .dedup
                .live(old)
                .is_some_and(|slot| !self.is_purged(slot))
            {
                return Err("a finished id whose message is not finished");
            }
            self.forget_entry(old);
        }
        let entry = self
            .dedup
            .insert_live(key.queue, key.hash, key.fingerprint, NONE);
        let charge = u32::try_from(result.len() + history.len()).unwrap_or(u32::MAX);
        let end = End {
            at: Timestamp(record.finished_at),
            state,
            number,
            attempt,
            charge,
        };
        self.dedup.finish(entry, end);
        if !history.is_empty() {
            self.keep_history(key.queue, end.at, number);
        }
        self.place(Note::Entry { entry, number }, place);
        Ok(())
    }

    fn replay_death(
        &mut self,
        slot: u32,
        reason: u8,
        at: Timestamp,
        error: &[u8],
        history: &[u8],
    ) -> Replayed {
        let (reason, blocks) = parse_death(reason)?;
        match self.messages[slot].standing {
            Standing::Leased => self.unlease(slot),
            Standing::Held => {}
            _ => return Err("the death of a message that is dead"),
        }
        self.messages[slot].history = history.to_vec();
        self.bury(slot, at, reason, blocks, error);
        Ok(())
    }

    /// Takes out a message, whatever it is doing, and frees its id.
    fn withdraw(&mut self, slot: u32, time: Timestamp) {
        if self.messages[slot].standing == Standing::Leased {
            self.unlease(slot);
        }
        let entry = self.messages[slot].entry;
        self.drop_entry(entry);
        self.erase(slot, time);
    }

    /// Frees an id; its message, if it lives, goes on without.
    pub fn forget_entry(&mut self, entry: u32) {
        if let Some(slot) = self.dedup.live(entry)
            && let Some(message) = self.messages.get_mut(slot)
        {
            message.entry = NONE;
        }
        self.drop_entry(entry);
    }

    /// Error and history of a death are in the journal: memory lets go of them.
    pub fn forget_details(&mut self, slot: u32) {
        let message = &mut self.messages[slot];
        message.error = Box::default();
        message.history = Vec::new();
        if let Some(death) = &mut message.death {
            death.in_memory = false;
        }
    }

    /// A message that a record speaks of; none if its own record is gone or comes later.
    fn known(&self, number: u64) -> Result<Option<u32>, &'static str> {
        let slot = self.unpurged(number);
        let expected = slot.is_some() || number <= self.replay_floor;
        expected
            .then_some(slot)
            .ok_or("a record of a message that does not exist")
    }

    /// A message that was not purged.
    fn unpurged(&self, number: u64) -> Option<u32> {
        self.by_number(number).filter(|slot| !self.is_purged(*slot))
    }

    fn waiting(&self, number: u64) -> Result<Option<u32>, &'static str> {
        let slot = self.known(number)?;
        let waits = slot.is_none_or(|slot| self.messages[slot].standing == Standing::Held);
        waits
            .then_some(slot)
            .ok_or("the start of a message that does not wait")
    }

    fn leased(&self, number: u64) -> Result<Option<u32>, &'static str> {
        let slot = self.known(number)?;
        let leased = slot.is_none_or(|slot| self.messages[slot].standing == Standing::Leased);
        leased
            .then_some(slot)
            .ok_or("the end of a delivery that did not start")
    }

    pub(super) fn queue_known(&self, queue: u32) -> Replayed {
        let known = (queue as usize) < self.queues.len();
        known
            .then_some(())
            .ok_or("a record of a queue that was never defined")
    }
}
