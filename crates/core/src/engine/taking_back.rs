//! Taking back what was claimed and not handed out, at no cost.

use super::Engine;
use crate::command::{MessageState, Token, WorkerId};
use crate::consumer::lease::Lease;
use crate::effect::Recipient;
use crate::ledger::message::NONE;

impl Engine {
    /// Removes a claim that was not handed out, and makes room for another.
    pub(super) fn forget_claim(&mut self, token: Token) -> Option<Lease> {
        self.release_consumer(token);
        let mut lease = self.leases.remove(token)?;
        self.leave_passage(&mut lease);
        debug_assert!(!lease.delivered, "it was handed out");
        self.settled_suspect(token);
        self.ledger.touch(lease.queue);
        self.note_quiet();
        Some(lease)
    }

    /// A claim that was not handed out is nobody's any more.
    fn release_consumer(&mut self, token: Token) {
        let Some(lease) = self.leases.get(token).filter(|lease| !lease.taken_back) else {
            return;
        };
        let queue = lease.queue;
        match lease.to {
            Recipient::Worker(id) => {
                if let Some(worker) = self.workers.get_mut(&id) {
                    worker.forget_claim(token);
                }
                self.fill_slots(id);
            }
            Recipient::Dequeue(ticket) => {
                self.waiters.change(ticket, |waiter| {
                    waiter.pending.remove(&token);
                    waiter.closed = false;
                });
            }
        }
        self.ledger.touch(queue);
    }

    /// Takes back a claim that was not handed out, without cost. At-most-once: it is written again,
    /// once its content is there.
    pub(super) fn take_claim_back(&mut self, token: Token) {
        let Some(lease) = self.leases.get(token).filter(|lease| !lease.delivered) else {
            return;
        };
        if lease.slot.is_none() && lease.content.is_none() {
            self.release_consumer(token);
            return self.leases.take_back(token);
        }
        let lease = self.forget_claim(token).expect("looked up just now");
        self.give_lease_back(&lease);
    }

    /// Gives back the message of a delivery that is nobody's any more.
    pub(super) fn give_lease_back(&mut self, lease: &Lease) {
        match lease.slot {
            Some(slot) => self.give_back(slot),
            None => self.take_hand_over_back(lease),
        }
    }

    /// A suspect may have waited until nothing else runs.
    pub(super) fn note_quiet(&mut self) {
        if self.leases.is_empty() {
            self.release_held_back();
        }
    }

    /// Takes back every claim of workers that was not handed out, without cost.
    pub(super) fn take_back_claimed(&mut self) {
        let ids: Vec<WorkerId> = self.workers.keys().copied().collect();
        for id in ids {
            self.take_back_from(id);
        }
    }

    /// Takes back a worker's claims that were not handed out.
    pub(super) fn take_back_from(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        for token in std::mem::take(&mut worker.claimed) {
            self.take_claim_back(token);
        }
    }

    /// Takes back what the consumers of a queue have claimed and was not handed out.
    pub(super) fn take_back_queue(&mut self, queue: u32) {
        let desk = &self.desks[queue as usize];
        let workers: Vec<WorkerId> = desk.workers.iter().copied().collect();
        for token in self.waiters.pending(queue) {
            self.take_claim_back(token);
        }
        for worker in workers {
            self.take_back_from(worker);
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
