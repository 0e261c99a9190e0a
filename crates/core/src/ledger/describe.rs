//! Messages and queues as users see them.

use std::collections::BTreeMap;

use super::message::{Message, Standing};
use super::rank::Rank;
use super::{Ledger, history};
use crate::command::MessageState;
use crate::effect::{MessageInfo, QueueStats, QueueSummary};
use crate::journal::Record;
use crate::time::Timestamp;

impl Ledger {
    /// A message without its content. Error and history of a dead letter may be in the journal
    /// only: see [`Ledger::add_details`].
    #[must_use]
    pub fn info(&self, slot: u32) -> MessageInfo {
        let (group, destination) = (self.group(slot), self.destination(slot));
        self.info_of(&self.messages[slot], &group, &destination)
    }

    pub(super) fn info_of(&self, message: &Message, group: &str, destination: &str) -> MessageInfo {
        let queue = &self.queues[message.queue as usize];
        let death = message.death.as_ref();
        let waits = matches!(message.standing, Standing::Scheduled | Standing::Held);
        MessageInfo {
            id: self.id_of(message).to_string(),
            queue: queue.name.to_string(),
            state: message.state(),
            attempt: Some(message.attempt),
            max_attempts: (message.max_attempts != u32::MAX).then_some(message.max_attempts),
            priority: Some(message.priority),
            enqueued_at: Some(message.enqueued_at),
            due_at: waits.then_some(message.due),
            expires_at: (message.deadline != Timestamp::NEVER).then_some(message.deadline),
            group: (!group.is_empty()).then(|| group.to_string()),
            destination: (!destination.is_empty()).then(|| destination.to_string()),
            finished_at: death.map(|death| death.at),
            reason: death.map(|death| death.reason),
            error: history::text(&message.error),
            history: history::describe(&message.history),
            steps: None,
        }
    }

    /// Adds what the record of a death (its own, or that of a moved dead letter) keeps.
    pub fn add_details(info: &mut MessageInfo, payload: &[u8]) {
        let (error, past) = match Record::decode(payload) {
            Ok(Record::Dead { error, history, .. }) => (error, history),
            Ok(Record::Message(message)) => (
                message.death.map_or(&b""[..], |death| death.error),
                message.history,
            ),
            _ => return,
        };
        if info.error.is_none() {
            info.error = history::text(error);
        }
        if info.history.is_empty() {
            info.history = history::describe(past);
        }
    }

    /// The entry of a message that is finished and remembered by its id only.
    #[must_use]
    pub fn finished_entry(&self, queue: u32, id: &str, now: Timestamp) -> Option<u32> {
        let entry = self.dedup.find(queue, self.id_hash(queue, id))?;
        self.dedup.finished_at(entry)?;
        (!self.is_outside_window(queue, entry, now)).then_some(entry)
    }

    /// What is remembered of a finished message: when and with which attempt it ended, and nothing of
    /// what it was.
    #[must_use]
    pub fn finished_info(&self, queue: u32, id: &str, entry: u32) -> MessageInfo {
        let finished_at = self.dedup.finished_at(entry).unwrap_or_default();
        let state = self.dedup.finished_state(entry);
        MessageInfo {
            state: state.unwrap_or(MessageState::Completed),
            attempt: self.dedup.finished_attempt(entry),
            ..self.cancelled_info(queue, id, finished_at)
        }
    }

    /// A message that was withdrawn, with nothing known of it but its id.
    #[must_use]
    pub fn cancelled_info(&self, queue: u32, id: &str, at: Timestamp) -> MessageInfo {
        MessageInfo {
            id: id.to_owned(),
            queue: self.queues[queue as usize].name.to_string(),
            state: MessageState::Cancelled,
            attempt: None,
            max_attempts: None,
            priority: None,
            enqueued_at: None,
            due_at: None,
            expires_at: None,
            group: None,
            destination: None,
            finished_at: Some(at),
            reason: None,
            error: None,
            history: Vec::new(),
            steps: None,
        }
    }

    /// Whether a finished entry is older than its queue's window.
    #[must_use]
    pub fn is_outside_window(&self, queue: u32, entry: u32, now: Timestamp) -> bool {
        let window = self.queues[queue as usize].settings.dedup_window_ms;
        self.dedup.finished_at(entry).is_some_and(|at| {
            at.plus(if bug!("forget-id-early") {
                window / 2
            } else {
                window
            }) <= now
        })
    }

    /// Forgets at most `limit` ids of a queue whose windows are over; true if there are more.
    pub fn expire_entries(&mut self, queue: u32, now: Timestamp, limit: usize) -> bool {
        for _ in 0..limit {
            match self.dedup.oldest_finished(queue) {
                Some((entry, _)) if self.is_outside_window(queue, entry, now) => {
                    self.drop_entry(entry)
                }
                _ => return false,
            }
        }
        true
    }

    /// When the next id of a queue is forgotten.
    #[must_use]
    pub fn next_entry_expiry(&self, queue: u32) -> Timestamp {
        let window = self.queues[queue as usize].settings.dedup_window_ms;
        self.dedup
            .oldest_finished(queue)
            .map_or(Timestamp::NEVER, |(_, at)| at.plus(window))
    }

    /// Slots of a queue's messages in one state, in the order in which they would go on, but for those that are held.
    #[must_use]
    pub fn slots_in(&self, queue: u32, state: MessageState, limit: usize) -> Vec<u32> {
        let queue = &self.queues[queue as usize];
        let leased;
        let slots: Box<dyn Iterator<Item = &u32>> = match state {
            MessageState::Ready => Box::new(
                queue
                    .suspects
                    .values()
                    .chain(queue.ready.values())
                    .chain(queue.parked.values()),
            ),
            MessageState::Scheduled => Box::new(queue.scheduled.values()),
            MessageState::Leased => {
                leased = queue.leased.in_order(&self.messages);
                Box::new(leased.iter())
            }
            MessageState::Dead => Box::new(queue.dead.values()),
            // They are in no set: their messages are gone.
            MessageState::Completed | MessageState::Cancelled => Box::new([].iter()),
        };
        slots.take(limit).copied().collect()
    }

    /// Counters and depths.
    #[must_use]
    pub fn stats(&self, queue: u32, now: Timestamp) -> QueueStats {
        let target = &self.queues[queue as usize];
        let counters = &target.counters;
        let due = |slot: u32| {
            let message = &self.messages[slot];
            message.due.max(message.enqueued_at)
        };
        let (leased, dead) = (target.leased.len() as u64, target.dead.len() as u64);
        let elsewhere = target.ready_count() + leased + dead;
        let sets = [&target.ready, &target.suspects, &target.parked];
        let oldest = sets
            .into_iter()
            .flat_map(first_of_each_priority)
            .map(due)
            .min();
        QueueStats {
            name: target.name.to_string(),
            paused: target.paused,
            enqueued: counters.enqueued,
            duplicates: counters.duplicates,
            delivered: counters.delivered,
            acked: counters.acked,
            rejected: counters.rejected,
            retried: counters.retried,
            dead: counters.dead,
            expired: counters.expired,
            leases_lost: counters.leases_lost,
            ready: target.ready_count(),
            // With those that are in no set: they wait for a handler of theirs to return.
            scheduled: target.depth.saturating_sub(elsewhere),
            leased: target.leased.len() as u64,
            dead_letters: target.dead.len() as u64,
            bytes: target.bytes,
            dedup_entries: self.dedup.count(queue),
            dedup_window_ms: target.shortened_window_ms(now),
            oldest_ready_ms: oldest.map(|due| now.since(due)),
            wait: counters.wait.snapshot(),
            handle: counters.handle.snapshot(),
        }
    }

    /// One line a queue.
    #[must_use]
    pub fn summaries(&self) -> Vec<QueueSummary> {
        let line = |queue: &super::queue::Queue| QueueSummary {
            name: queue.name.to_string(),
            paused: queue.paused,
            depth: queue.depth,
            dead_letters: queue.dead.len() as u64,
        };
        self.queues.iter().map(line).collect()
    }
}

/// The first message of each priority in a set, of which there are at most 256.
fn first_of_each_priority(set: &BTreeMap<Rank, u32>) -> impl Iterator<Item = u32> {
    let mut from = Some(Rank::FIRST);
    std::iter::from_fn(move || {
        let (rank, slot) = set.range(from?..).next()?;
        from = rank.of_next_priority();
        Some(*slot)
    })
}
