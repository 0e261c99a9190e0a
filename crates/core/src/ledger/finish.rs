//! How a message ends, or begins again: completed, cancelled, retried, dead.

use super::Ledger;
use super::dedup::{End, HOST_ID};
use super::history;
use super::message::{Death, Message, NONE, Standing};
use super::recorder::{Note, Recorder};
use crate::command::{MessageState, Reason};
use crate::config::GroupOnDead;
use crate::journal::{AttemptRecord, EntryKey, Place, Record};
use crate::policy::delay;
use crate::time::Timestamp;

/// What became of a failed attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failed {
    /// Retried at this instant.
    Retried(Timestamp),
    /// Dead, for this reason.
    Dead(Reason),
}

impl Ledger {
    /// Acknowledges a message that is in no set (`handed_over`: before its handler starts). Gives what
    /// was known of it.
    pub fn complete(
        &mut self,
        slot: u32,
        now: Timestamp,
        result: &[u8],
        handed_over: bool,
        out: &mut impl Recorder,
    ) -> Message {
        let message = &self.messages[slot];
        let (number, entry, queue) = (message.number, message.entry, message.queue);
        let attempt = message.attempt;
        let remembers = entry != NONE
            && self.dedup.fingerprint(entry) != HOST_ID
            && self.queues[queue as usize].settings.dedup_window_ms > 0;
        let key = remembers.then(|| EntryKey {
            queue,
            hash: self.dedup.hash(entry),
            fingerprint: self.dedup.fingerprint(entry),
        });
        let history = if remembers && self.keeps_histories(queue) {
            std::mem::take(&mut self.messages[slot].history)
        } else {
            Vec::new()
        };
        let note = if remembers {
            Note::Entry { entry, number }
        } else {
            Note::None
        };
        out.write(
            &Record::Completed {
                number,
                handed_over,
                entry: key,
                // Without an entry nobody can ask for them: the message itself is gone.
                attempt: if remembers { attempt } else { 0 },
                history: &history,
                result: if remembers || self.is_remote {
                    result
                } else {
                    b""
                },
            },
            note,
        );
        if remembers {
            let end = End {
                at: now,
                state: MessageState::Completed,
                number,
                attempt,
                tells: !result.is_empty() || !history.is_empty(),
            };
            self.dedup.finish(entry, end);
            if !history.is_empty() {
                self.keep_history(queue, now, number);
            }
        } else {
            self.drop_entry(entry);
        }
        self.erase(slot, now)
    }

    /// Withdraws a message that is in no set; frees its id.
    pub fn cancel(&mut self, slot: u32, now: Timestamp, out: &mut impl Recorder) {
        let message = &self.messages[slot];
        let (number, entry) = (message.number, message.entry);
        out.write(&Record::Cancelled { number }, Note::None);
        self.drop_entry(entry);
        self.erase(slot, now);
    }

    /// Takes a start back without cost. The message is held.
    pub fn give_back(&mut self, slot: u32, now: Timestamp, out: &mut impl Recorder) {
        out.write(
            &Record::Returned {
                number: self.messages[slot].number,
            },
            Note::None,
        );
        self.messages[slot].went_back = self.is_remote;
        self.unstart(slot, now);
    }

    /// Takes back a start whose record will never be durable. The message is held.
    pub fn retract_start(&mut self, slot: u32, now: Timestamp) {
        self.unstart(slot, now);
    }

    /// The state change of a start that is taken back, live or replayed.
    pub(super) fn unstart(&mut self, slot: u32, now: Timestamp) {
        let message = &mut self.messages[slot];
        message.attempt -= 1;
        message.due = message.due.min(now);
        if message.attempt == 0 {
            message.first_delivery = Timestamp(0);
        }
    }

    /// Ends a counted attempt that failed: retried after the queue's backoff (or `delay_ms`), or
    /// dead when attempts or time ran out. The message is held or dead afterwards.
    pub fn fail_attempt(
        &mut self,
        slot: u32,
        now: Timestamp,
        reason: Reason,
        delay_ms: Option<u64>,
        error: &[u8],
        out: &mut impl Recorder,
    ) -> Failed {
        let message = &self.messages[slot];
        let delay = delay_ms.unwrap_or_else(|| self.backoff_ms(slot));
        let delay = delay * (1 + 9 * u64::from(bug!("retry-late")));
        let due = now.plus(if bug!("retry-early") {
            delay / 2
        } else {
            delay
        });
        if message.attempt >= message.max_attempts || self.is_too_late(slot, due) {
            self.die(slot, now, reason, true, error, out);
            return Failed::Dead(reason);
        }
        self.note_attempt(slot, now, reason, error);
        let message = &self.messages[slot];
        let record = Record::Retried {
            number: message.number,
            due: due.0,
            costs: true,
            attempt: attempt_record(message.attempt, message.started_at, now, reason, error),
        };
        out.write(&record, Note::None);
        self.messages[slot].due = due;
        self.messages[slot].went_back = self.is_remote;
        self.queues[self.messages[slot].queue as usize]
            .counters
            .retried += 1;
        Failed::Retried(due)
    }

    /// Puts a message off until `due` at no cost. The message is held, or dead if that is later than
    /// it may be retried.
    pub fn put_off(
        &mut self,
        slot: u32,
        now: Timestamp,
        due: Timestamp,
        error: &[u8],
        out: &mut impl Recorder,
    ) -> Failed {
        if self.is_too_late(slot, due) {
            self.die(slot, now, Reason::Exhausted, true, error, out);
            return Failed::Dead(Reason::Exhausted);
        }
        let message = &mut self.messages[slot];
        let attempt = attempt_record(
            message.attempt,
            message.started_at,
            now,
            Reason::Exhausted,
            error,
        );
        out.write(
            &Record::Retried {
                number: message.number,
                due: due.0,
                costs: false,
                attempt,
            },
            Note::None,
        );
        message.attempt -= 1;
        message.due = due;
        message.went_back = self.is_remote;
        Failed::Retried(due)
    }

    /// Whether a message that nobody has in hand dies if an attempt fails now and the next were at `due`.
    #[must_use]
    pub fn dies_of_failure(&self, slot: u32, now: Timestamp, due: Timestamp) -> bool {
        let message = &self.messages[slot];
        let is_last = message.attempt + 1 >= message.max_attempts;
        let limit = self.queues[message.queue as usize].settings.max_retry_ms;
        let is_first = message.first_delivery == Timestamp(0);
        let began = if is_first {
            now
        } else {
            message.first_delivery
        };
        is_last || limit.is_some_and(|limit| due > began.plus(limit))
    }

    /// Whether a retry at `due` would be later after the first delivery than the queue allows.
    pub(super) fn is_too_late(&self, slot: u32, due: Timestamp) -> bool {
        let message = &self.messages[slot];
        let limit = self.queues[message.queue as usize].settings.max_retry_ms;
        let began = message.first_delivery;
        began != Timestamp(0) && limit.is_some_and(|limit| due > began.plus(limit))
    }

    /// Makes a message that is in no set a dead letter. `attempted`: an attempt ended with it.
    pub fn die(
        &mut self,
        slot: u32,
        now: Timestamp,
        reason: Reason,
        attempted: bool,
        error: &[u8],
        out: &mut impl Recorder,
    ) {
        if attempted {
            self.note_attempt(slot, now, reason, error);
        }
        let blocks = self.would_block(slot);
        let message = &self.messages[slot];
        // Its error stands in the history, and as the death's.
        let attempt = attempted
            .then(|| attempt_record(message.attempt, message.started_at, now, reason, b""));
        let record = Record::Dead {
            number: message.number,
            reason: death_code(reason, blocks),
            attempt,
            error: history::cut(error),
            history: &message.history,
        };
        out.write(
            &record,
            Note::Death {
                slot,
                sequence: self.last_death + 1,
            },
        );
        self.bury(slot, now, reason, blocks, error);
        self.queues[self.messages[slot].queue as usize]
            .counters
            .dead += 1;
    }

    /// The state change of a death, live or replayed.
    pub(super) fn bury(
        &mut self,
        slot: u32,
        at: Timestamp,
        reason: Reason,
        blocks: bool,
        error: &[u8],
    ) {
        self.last_death += 1;
        let sequence = self.last_death;
        let message = &mut self.messages[slot];
        let queue = &mut self.queues[message.queue as usize];
        message.death = Some(Box::new(Death {
            sequence,
            at,
            reason,
            place: Place::default(),
            blocks,
            in_memory: true,
        }));
        message.error = error[..error.len().min(history::ERROR_BYTES_MAX)].into();
        message.standing = Standing::Dead;
        message.suspect = false;
        queue.dead.insert(sequence, slot);
        let (number, group) = (message.queue, message.group);
        if group != NONE {
            queue.groups.bury(group, message.order, slot, blocks);
            self.promote(number, group, at);
        }
        self.touch(number);
        self.note_change(number);
    }

    /// Whether a message that dies now holds its group back.
    #[must_use]
    pub(super) fn would_block(&self, slot: u32) -> bool {
        let message = &self.messages[slot];
        let group_on_dead = self.queues[message.queue as usize].settings.group_on_dead;
        message.group != NONE && group_on_dead == GroupOnDead::Block
    }

    /// Adds the attempt that just ended to the message's history.
    pub(super) fn note_attempt(&mut self, slot: u32, now: Timestamp, reason: Reason, error: &[u8]) {
        let message = &mut self.messages[slot];
        let attempt = attempt_record(message.attempt, message.started_at, now, reason, error);
        history::push(&mut message.history, &attempt);
    }

    /// How long a message waits after its present attempt, as its queue's backoff has it.
    #[must_use]
    pub fn backoff_ms(&self, slot: u32) -> u64 {
        let message = &self.messages[slot];
        let id = self.id_text(slot);
        let backoff = &self.queues[message.queue as usize].settings.backoff;
        delay::after(backoff, &self.jitter_seed, id.as_bytes(), message.attempt)
    }

    /// When a message is due that its consumer wants back at `at` at the earliest: jitter puts it off,
    /// but not beyond the last instant of a retry, for nobody asked for that.
    #[must_use]
    pub fn due_from(&self, slot: u32, at: Timestamp, now: Timestamp) -> Timestamp {
        let message = &self.messages[slot];
        let id = self.id_text(slot);
        let settings = &self.queues[message.queue as usize].settings;
        let (backoff, seed) = (&settings.backoff, &self.jitter_seed);
        let floor_ms = at.since(now);
        let due = now.plus(delay::above(
            backoff,
            floor_ms,
            seed,
            id.as_bytes(),
            message.attempt,
        ));
        match (settings.max_retry_ms, message.first_delivery) {
            (None, _) | (_, Timestamp(0)) => due,
            (Some(limit), began) => due.min(began.plus(limit)).max(at),
        }
    }
}

/// Set in the stored reason of a death that holds its group back: replay must not depend on options,
/// whose record may have been moved behind that of the death.
const BLOCKS: u8 = 1 << 7;

/// A death's reason as it is stored.
#[must_use]
pub(super) const fn death_code(reason: Reason, blocks: bool) -> u8 {
    reason as u8 | if blocks { BLOCKS } else { 0 }
}

/// A stored reason, and whether the death holds its group back.
pub(crate) fn parse_death(code: u8) -> Result<(Reason, bool), &'static str> {
    let reason = Reason::from_code(code & !BLOCKS).ok_or("a death of an unknown reason")?;
    Ok((reason, code & BLOCKS != 0))
}

fn attempt_record(
    attempt: u32,
    started_at: Timestamp,
    now: Timestamp,
    reason: Reason,
    error: &[u8],
) -> AttemptRecord<'_> {
    AttemptRecord {
        attempt,
        started_at: started_at.0,
        ended_at: now.0,
        reason: reason as u8,
        error: history::cut(error),
    }
}
