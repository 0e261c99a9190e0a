//! Histories of completed messages: which ones are shown.
//!
//! A history lies in the record of its entry, beside the result. Memory keeps only which entries have
//! one: the latest `history.maxEntries` of each queue. A history that is not shown any more leaves the
//! disk when its entry is moved or forgotten.

use super::Ledger;
use crate::time::Timestamp;

impl Ledger {
    /// Whether a queue keeps the histories of messages that complete.
    pub(super) fn keeps_histories(&self, queue: u32) -> bool {
        let settings = &self.queues[queue as usize].settings;
        settings.history_window_ms > 0 && settings.history_max_entries > 0
    }

    /// A message that ended with a history was remembered.
    pub(super) fn keep_history(&mut self, queue: u32, at: Timestamp, number: u64) {
        let target = &mut self.queues[queue as usize];
        target.histories.insert((at, number));
        // One comes, one goes; and one more, in case the limit was lowered.
        for _ in 0..2 {
            if self.has_excess_history(queue) {
                self.queues[queue as usize].histories.pop_first();
            }
        }
    }

    /// Whether the history of a finished entry is shown.
    #[must_use]
    pub fn shows_history(&self, entry: u32, now: Timestamp) -> bool {
        let Some((queue, at, number)) = self.history_key(entry) else {
            return false;
        };
        let target = &self.queues[queue as usize];
        target.histories.contains(&(at, number)) && at.plus(target.settings.history_window_ms) > now
    }

    /// The history of an entry is not shown any more.
    pub(super) fn forget_history(&mut self, entry: u32) {
        if let Some((queue, at, number)) = self.history_key(entry) {
            self.queues[queue as usize].histories.remove(&(at, number));
        }
    }

    /// Whether a queue keeps more histories than its limit allows.
    #[must_use]
    pub fn has_excess_history(&self, queue: u32) -> bool {
        let target = &self.queues[queue as usize];
        target.histories.len() as u64 > target.settings.history_max_entries
    }

    /// Forgets at most `limit` histories beyond the limit of a queue, the oldest first.
    pub fn trim_histories(&mut self, queue: u32, limit: usize) {
        for _ in 0..limit {
            if !self.has_excess_history(queue) {
                return;
            }
            self.queues[queue as usize].histories.pop_first();
        }
    }

    /// Ends recovery: ends later than `now` were cut to `now`.
    pub(super) fn cut_histories(&mut self, now: Timestamp) {
        for queue in 0..self.queues.len() as u32 {
            let histories = &mut self.queues[queue as usize].histories;
            let late = histories.split_off(&(now.plus(1), 0));
            histories.extend(late.into_iter().map(|(_, number)| (now, number)));
            self.trim_histories(queue, usize::MAX);
        }
    }

    fn history_key(&self, entry: u32) -> Option<(u32, Timestamp, u64)> {
        let queue = self.dedup.get(entry)?.queue();
        if self.queues[queue as usize].histories.is_empty() {
            return None;
        }
        let at = self.dedup.finished_at(entry)?;
        Some((queue, at, self.dedup.finished_number(entry)?))
    }
}
