//! The end of a replay: what time and the death of the owner did meanwhile.

use super::Ledger;
use super::history::OWNER_DIED;
use super::message::Standing;
use crate::command::Reason;
use crate::config::WhenFull;
use crate::time::Timestamp;

/// What the end of a replay leaves to do.
#[derive(Debug, Default)]
pub struct Interrupted {
    /// Deliveries that died with their owner.
    pub count: u64,
    /// Those of their messages that have no attempt left: they are held and must die.
    pub exhausted: Vec<u32>,
}

impl Ledger {
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
    pub(super) fn finish_what_time_did(&mut self, now: Timestamp) {
        // Each death ended a life that took a number; a journal that says otherwise has taken it now.
        self.last_number = self.last_number.max(self.last_death);
        self.free_replayed_purges(now);
        self.forget_all_strays();
        self.dedup.cut_ends(now);
        self.cut_histories(now);
        self.shrink_dedup();
    }

    /// Forgets again what was forgotten to make room: that was never written. An index that rejects has
    /// forgotten nothing; it may hold more than its limit, where that was lowered, or where a clock that was
    /// set back keeps ids whose windows were over.
    pub(super) fn shrink_dedup(&mut self) {
        for queue in 0..self.queues.len() {
            let settings = &self.queues[queue].settings;
            if settings.dedup_when_full == WhenFull::Reject {
                continue;
            }
            let (limit, queue) = (settings.dedup_max_entries, queue as u32);
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
    pub(super) fn owner_died(&mut self, ended_at: Timestamp, now: Timestamp, free_deaths: u32) {
        for queue in 0..self.queues.len() {
            while let Some(slot) = self.queues[queue].leased.any() {
                self.note_attempt(slot, ended_at, Reason::OwnerDied, OWNER_DIED);
                self.unlease(slot);
                let message = &mut self.messages[slot];
                message.deaths += 1;
                message.suspect = !bug!("no-suspects");
                message.due = message.due.min(now);
                if message.deaths <= free_deaths || bug!("death-costs-nothing") {
                    message.attempt -= 1;
                }
            }
        }
    }
}
