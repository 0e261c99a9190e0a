//! The end of handlers, and of what their deliveries kept waiting.
//!
//! One process never runs a message twice at once. While the handler of a settled delivery runs, its
//! message, if it waits again, is held, and the group of an at-most-once message stays busy. A handler
//! that was told to stop holds them for a lease at most, and nobody waits for its slot.

use super::{Engine, own_errors};
use crate::command::{Settle, Ticket, Token, Verdict, WorkerId};
use crate::consumer::lease::{Lease, Progress};
use crate::effect::Recipient;

impl Engine {
    /// The handler of a delivery is done: its slot is free, and what waited for it may go on.
    pub(super) fn handler_returned(&mut self, token: Token) {
        let Some(lease) = self.leases.get(token).filter(|lease| lease.delivered) else {
            return;
        };
        match (lease.progress, lease.handed_over) {
            (Progress::Open, false) => return,
            (Progress::Late, false) => {
                let settle = Settle {
                    token,
                    verdict: Verdict::Reject { delay_ms: None },
                    returned: true,
                    result: b"",
                    error: b"",
                };
                return self.settle_late(&settle);
            }
            // It had tried to reject what is final.
            (Progress::Open, true) => self.fail_handed_over(token, b""),
            (Progress::Late, true) => {
                let error = own_errors::took_too_long(self.limits_of(token));
                self.fail_handed_over(token, &error);
            }
            _ => {}
        }
        self.end_lease(token);
    }

    /// The handler of a delivery was told to stop; it may run on, and nobody waits for it.
    pub(super) fn abandon(&mut self, token: Token) {
        let Some(lease) = self.leases.get(token).filter(|lease| lease.delivered) else {
            return;
        };
        let Recipient::Worker(worker) = lease.to else {
            return;
        };
        if lease.detached {
            return;
        }
        let queue = lease.queue;
        if matches!(lease.progress, Progress::Open | Progress::Late) {
            if lease.handed_over {
                self.fail_handed_over(token, b"");
            } else {
                self.give_back_running(token);
            }
        }
        let lease_ms = self.ledger.queues[queue as usize].settings.lease_ms;
        let until = self.now.plus(lease_ms);
        self.unwatch(token);
        self.leases.detach(token, until);
        let desk = &mut self.desks[queue as usize];
        desk.lease_ends.insert((until, token.0));
        self.leave_running_passage(token);
        self.free_slot(worker);
        self.ledger.touch(queue);
    }

    /// Gives a message back whose handler still runs.
    fn give_back_running(&mut self, token: Token) {
        let settle = Settle {
            token,
            verdict: Verdict::Return,
            returned: false,
            result: b"",
            error: b"",
        };
        let given_back = self.settle_open(Ticket(0), &settle);
        debug_assert!(given_back.is_ok(), "an open delivery can be given back");
    }

    /// No code of the user saw a delivery: it is taken back as if it had not been handed out.
    pub(super) fn decline(&mut self, token: Token) {
        let Some(lease) = self.leases.get(token).filter(|lease| lease.delivered) else {
            return;
        };
        let is_lost = lease.handed_over && bug!("lose-declined");
        if lease.progress != Progress::Open || lease.is_seen || is_lost {
            return self.end_lease(token);
        }
        let counters = &mut self.ledger.queues[lease.queue as usize].counters;
        counters.delivered -= 1;
        if let Some(lease) = self.leases.get_mut(token) {
            lease.is_unseen = true;
        }
        let lease = self.remove_delivery(token).expect("looked up just now");
        self.count_returned(lease.to);
        self.give_lease_back(&lease);
        self.ledger.touch(lease.queue);
        self.note_quiet();
    }

    /// Removes a delivery that is over, and frees what it held.
    pub(super) fn end_lease(&mut self, token: Token) {
        let Some(lease) = self.remove_delivery(token) else {
            return;
        };
        if let Some(slot) = lease.held {
            self.let_go(slot, lease.number);
        }
        self.end_hand_over(&lease);
        self.ledger.touch(lease.queue);
        self.note_quiet();
    }

    /// Removes a delivery, and frees the slot that it took.
    fn remove_delivery(&mut self, token: Token) -> Option<Lease> {
        self.unwatch(token);
        let mut lease = self.leases.remove(token)?;
        self.leave_passage(&mut lease);
        self.settled_suspect(token);
        let desk = &mut self.desks[lease.queue as usize];
        desk.lease_ends.remove(&(lease.until, token.0));
        if let Recipient::Worker(id) = lease.to
            && !lease.detached
        {
            self.free_slot(id);
        }
        Some(lease)
    }

    fn free_slot(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        if worker.handler_returned() {
            self.returned.push(id);
        }
        self.fill_slots(id);
    }
}
