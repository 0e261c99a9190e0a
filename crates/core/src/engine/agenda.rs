//! When time next changes something in a queue.

use super::Engine;
use crate::time::Timestamp;

impl Engine {
    /// Lets time do its work in every queue where something is due, unless the storage must catch up
    /// first. Many queues share a slice.
    pub(super) fn run_agenda(&mut self) {
        if self.is_stage_full() {
            return;
        }
        let mut left = super::SLICE;
        while let Some((at, queue)) = self.agenda.first().copied() {
            if at > self.now {
                break;
            }
            if left == 0 {
                self.more = true;
                break;
            }
            self.agenda.remove(&(at, queue));
            self.wakes[queue as usize] = Timestamp::NEVER;
            if self.pass_time(queue, &mut left) {
                self.more = true;
            }
            self.ledger.touch(queue);
            if self.more {
                break;
            }
        }
    }

    /// Notes when time next changes something in a queue.
    pub(super) fn rearm(&mut self, queue: u32) {
        let target = &self.ledger.queues[queue as usize];
        let retention = match (
            target.settings.dead_retain_ms,
            target.dead.first_key_value(),
        ) {
            (Some(retain), Some((_, slot))) if !self.dead_jobs.is_redriving(queue) => {
                let death = self.ledger.messages[*slot].death.as_ref();
                death.map_or(Timestamp::NEVER, |death| death.at.plus(retain))
            }
            _ => Timestamp::NEVER,
        };
        let excess = if self.ledger.has_excess_history(queue) {
            self.now
        } else {
            Timestamp::NEVER
        };
        let next = target
            .next_change()
            .min(self.desks[queue as usize].next_change())
            .min(if bug!("no-waiter-timer") {
                Timestamp::NEVER
            } else {
                self.waiters.next_change(queue)
            })
            .min(self.ledger.next_entry_expiry(queue))
            .min(excess)
            .min(retention);
        let old = std::mem::replace(&mut self.wakes[queue as usize], next);
        if old != next {
            self.agenda.remove(&(old, queue));
            if next != Timestamp::NEVER {
                self.agenda.insert((next, queue));
            }
        }
    }
}
