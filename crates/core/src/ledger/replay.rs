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

use super::dedup::{End, parse_end};
use super::finish::parse_death;
use super::message::{NONE, Standing};
use super::{Ledger, Note, redrive};
use crate::command::{MessageState, Token};
use crate::journal::{AttemptRecord, EntryRecord, Place, Record};
use crate::json;
use crate::policy::hold::Hold;
use crate::time::Timestamp;

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
                self.replay_steps_of(slot, message.first_step);
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
                    self.forget_strays(number);
                    return Ok(());
                };
                if self.messages[slot].standing == Standing::Dead {
                    return Err("the withdrawal of a message that is dead");
                }
                self.withdraw(slot, time);
            }
            Record::Removed { number } => {
                let Some(slot) = self.known(number)? else {
                    self.forget_strays(number);
                    return Ok(());
                };
                if self.messages[slot].standing != Standing::Dead {
                    return Err("the removal of a message that is not dead");
                }
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
                forget_steps,
            } => {
                self.queue_known(queue)?;
                let filter = json::read(filter).ok_or("a redrive with an unknown filter")?;
                let mut begun = self.resume_redrive(queue, filter, last_death, first_order);
                begun.forget_steps = forget_steps;
                redrive::replay(self, &mut begun, time);
            }
            Record::Revived {
                number,
                order,
                to,
                forget_steps,
            } => {
                self.last_number = self.last_number.max(order);
                if let Some(slot) = self.known(number)? {
                    self.replay_revived(slot, order, to, forget_steps, time)?;
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
            Record::Producer { .. } => self.replay_producer(&record, place)?,
            Record::Produced { producer, sequence } => self.replay_produced(producer, sequence)?,
            Record::Moved { key } => self.replay_moved(key),
            Record::Step { number, .. } => {
                if bug!("forget-steps") {
                    return Ok(());
                }
                let slot = self.known(number)?;
                self.replay_step(slot, &record, place)?;
            }
            Record::Circuit {
                queue,
                worker,
                destination,
                state,
            } => {
                let key = (queue, Rc::from(worker), Rc::from(destination));
                let state = if bug!("forget-circuit") {
                    &[][..]
                } else {
                    state
                };
                self.replay_circuit(key, state, place)?;
            }
            Record::Held {
                queue,
                worker,
                destination,
                since,
                until,
                paced,
            } => {
                let key = (queue, Rc::from(worker), Rc::from(destination));
                let hold = Hold {
                    since: Timestamp(since),
                    until: Timestamp(until),
                    paced: Timestamp(paced),
                };
                self.replay_hold(key, hold, place)?;
            }
        }
        Ok(())
    }

    fn replay_retry(&mut self, slot: u32, due: u64, costs: bool, attempt: &AttemptRecord<'_>) {
        self.unlease(slot);
        let message = &mut self.messages[slot];
        message.due = Timestamp(due);
        message.suspect = false;
        if costs || bug!("charge-given-back") {
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
            match self.messages[slot].standing {
                Standing::Leased => self.unlease(slot),
                Standing::Dead => return Err("the completion of a message that is dead"),
                _ => {}
            }
            let known = self.messages[slot].entry;
            self.drop_entry(known);
            self.messages[slot].entry = NONE;
            self.erase(slot, time);
        } else if number > self.replay_floor {
            return Err("the completion of a message that does not exist");
        } else {
            self.forget_strays(number);
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
        let end = parse_end(record.state).filter(|(state, _)| {
            use MessageState::{Cancelled, Completed, Dead};
            matches!(state, Completed | Dead | Cancelled)
        });
        let (state, is_damaged) = end.ok_or("an entry of a state that is no end")?;
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
        let end = End {
            at: Timestamp(record.finished_at),
            state,
            number,
            attempt,
            tells: is_damaged || !result.is_empty() || !history.is_empty(),
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
