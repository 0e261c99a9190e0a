//! Taking back what was claimed and not handed out, at no cost.

use super::Engine;
use crate::command::{MessageState, Token, WorkerId};
use crate::consumer::lease::Lease;
use crate::effect::Recipient;
use crate::ledger::message::NONE;

impl Engine {
    /// Removes a claim that was not handed out, and makes room for another.
    pub(super) fn forget_claim(&mut self, token: Token) -> Option<Lease> {
        let lease = self.leases.remove(token)?;
        debug_assert!(!lease.delivered, "it was handed out");
        self.settled_suspect(token);
        match lease.to {
            Recipient::Worker(id) => {
                if let Some(worker) = self.workers.get_mut(&id) {
                    worker.claimed.retain(|claimed| *claimed != token);
                }
                self.fill_slots(id);
            }
            Recipient::Dequeue(ticket) => {
                if let Some(waiter) = self.desks[lease.queue as usize].waiter(ticket) {
                    waiter.claimed -= 1;
                    waiter.closed = false;
                }
            }
        }
        self.ledger.touch(lease.queue);
        self.note_quiet();
        Some(lease)
    }

    /// A suspect may have waited until nothing else runs.
    pub(super) fn note_quiet(&mut self) {
        if self.leases.is_empty() {
            self.release_held_back();
        }
    }

    /// Takes back every claim that was not handed out, without cost.
    pub(super) fn take_back_claimed(&mut self) {
        let ids: Vec<WorkerId> = self.workers.keys().copied().collect();
        for id in ids {
            self.take_back_from(id);
        }
    }

    /// Takes back a worker's claims that were not handed out. At-most-once claims are kept: their
    /// messages are settled and exist nowhere else.
    pub(super) fn take_back_from(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        let claimed = std::mem::take(&mut worker.claimed);
        for token in claimed {
            match self.leases.get(token) {
                Some(lease) if lease.slot.is_some() => {
                    let lease = self.leases.remove(token).expect("found just now");
                    self.settled_suspect(token);
                    self.give_back(lease.slot.expect("checked above"));
                    self.note_quiet();
                }
                Some(_) => {
                    if let Some(worker) = self.workers.get_mut(&id) {
                        worker.claimed.push_back(token);
                    }
                }
                None => {}
            }
        }
    }

    /// Takes the start of a leased message back.
    pub(super) fn give_back(&mut self, slot: u32) {
        debug_assert_eq!(self.ledger.messages[slot].state(), MessageState::Leased);
        self.ledger.unlease(slot);
        self.ledger.messages[slot].moving = false;
        self.ledger.give_back(slot, self.now, &mut self.commit);
        self.ledger.enter(slot, self.now);
        self.promote_group_of(slot);
    }

    /// A lease ended while its message stays: others of its group may be claimable now.
    pub(super) fn promote_group_of(&mut self, slot: u32) {
        if let Some(message) = self.ledger.messages.get(slot)
            && message.group != NONE
        {
            let (queue, group) = (message.queue, message.group);
            self.ledger.promote(queue, group, self.now);
        }
    }
}
