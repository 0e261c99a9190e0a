//! Retries past the budget of their workers: they are put off, and called when there is room.
//!
//! Who waits is scheduled for when the reserve alone would let it go. A call makes it claimable at once, if
//! that is still what it waits for: one that was cancelled, taken by hand or told to come at another time is not
//! called. Nothing of it is written: after a crash all may be claimed earlier.

use super::Engine;
use crate::command::WorkerId;
use crate::ledger::message::Standing;
use crate::policy::budget::Budget;
use crate::time::Timestamp;

/// Those in line that are looked at with each start: more than one start makes room for.
const LOOKED_AT: usize = 8;

impl Engine {
    /// Whether the budget of a worker lets a message start; a retry that it does not is put off.
    pub(super) fn is_in_budget(&mut self, id: WorkerId, slot: u32) -> bool {
        let now = self.now;
        let message = &self.ledger.messages[slot];
        if message.attempt == 0 {
            return true;
        }
        let (queue, number) = (message.queue, message.number);
        let Some(key) = self.workers.get(&id).and_then(|worker| worker.control) else {
            return true;
        };
        let budget = self.budget_of(queue, key);
        let Some(Err(until)) = budget.map(|budget| budget.check(now, number)) else {
            return true;
        };
        self.ledger.defer(slot, until, now);
        self.ledger.touch(queue);
        self.call_put_off(queue, key, &mut { LOOKED_AT });
        false
    }

    /// A message starts; `retried`: its number, if that is a retry.
    pub(super) fn count_in_budget(&mut self, queue: u32, key: u32, retried: Option<u64>) {
        let now = self.now;
        let Some(budget) = self.budget_of(queue, key) else {
            return;
        };
        match retried {
            Some(number) => budget.withdraw(now, number),
            None => budget.deposit(now),
        }
        self.call_put_off(queue, key, &mut { LOOKED_AT });
    }

    /// What was counted did not start after all.
    pub(super) fn uncount_in_budget(&mut self, queue: u32, key: u32, is_retry: bool) {
        let now = self.now;
        let Some(budget) = self.budget_of(queue, key) else {
            return;
        };
        if is_retry {
            budget.undo_withdrawal(now);
        } else {
            budget.undo_deposit(now);
        }
        self.call_put_off(queue, key, &mut { LOOKED_AT });
    }

    /// Lets as many of those that were put off go as there is room for. Who is looked at is taken from what is
    /// `left`; for the others the queue wakes again.
    pub(super) fn call_put_off(&mut self, queue: u32, key: u32, left: &mut usize) {
        let now = self.now;
        while let Some((number, until)) = self
            .budget_of(queue, key)
            .and_then(|budget| budget.next_to_call(now))
        {
            self.ledger.touch(queue);
            if *left == 0 {
                return;
            }
            *left -= 1;
            let waits = self.put_off_until(queue, number, until);
            // A retry that is kept for one whose destination is called no more would be nobody's: that one waits there,
            // and asks again when it may pass.
            let is_shut = waits.is_some_and(|slot| self.is_shut_for(queue, key, slot));
            let budget = self.budget_of(queue, key).expect("asked just now");
            if is_shut || waits.is_none() {
                budget.forget(number);
            } else {
                budget.call(now, number);
            }
            let Some(slot) = waits else {
                continue;
            };
            if self.ledger.messages[slot].standing == Standing::Scheduled {
                self.ledger.defer(slot, now, now);
            }
        }
    }

    /// Whether nobody knows when the destination of a message lets it pass.
    fn is_shut_for(&self, queue: u32, key: u32, slot: u32) -> bool {
        let destination = self.ledger.messages[slot].destination;
        let lanes = &self.ledger.queues[queue as usize].lanes;
        lanes.is_shut(key, destination)
    }

    /// The message with this number, if it waits for room in a budget or, since its time came, for a handler.
    fn put_off_until(&self, queue: u32, number: u64, until: Timestamp) -> Option<u32> {
        let slot = self.ledger.by_number(number)?;
        let message = &self.ledger.messages[slot];
        let waits = match message.standing {
            Standing::Scheduled => message.due == until,
            Standing::Ready | Standing::Parked => true,
            Standing::Held | Standing::Leased | Standing::Dead => false,
        };
        (waits && message.queue == queue && message.attempt > 0).then_some(slot)
    }

    fn budget_of(&mut self, queue: u32, key: u32) -> Option<&mut Budget> {
        let control = self.desks[queue as usize].controls.get_mut(&key)?;
        control.budget.as_mut()
    }
}
