//! Handing out what was claimed: when its start is durable, its content is loaded and somebody is free.

use std::collections::VecDeque;
use std::rc::Rc;

use super::Engine;
use super::contents::content_of;
use crate::command::{QueueId, Reason, Ticket, Token, WorkerId};

use crate::consumer::lease::Lease;
use crate::consumer::waiters::Waiter;
use crate::effect::{Answer, Delivery, Effect, Event, EventKind, Recipient};
use crate::id_text::IdText;

/// What a consumer is told of its message, content aside.
pub(super) struct Letter {
    pub(super) id: IdText,
    group: Rc<str>,
    destination: Rc<str>,
    priority: u8,
    run: u32,
    steps: u32,
}

impl Engine {
    /// The start of a delivery is durable.
    pub(super) fn started(&mut self, token: Token) {
        if let Some(lease) = self.leases.get_mut(token) {
            lease.durable = true;
            let to = lease.to;
            self.hand_out(token, to);
        }
    }

    /// Hands out what is ready for this recipient.
    pub(super) fn hand_out(&mut self, token: Token, to: Recipient) {
        match to {
            Recipient::Worker(worker) => self.fill_slots(worker),
            Recipient::Dequeue(ticket) => {
                let Some(lease) = self.leases.get(token) else {
                    return;
                };
                if lease.durable && lease.content.is_some() {
                    let queue = lease.queue;
                    if self.is_overdue(token) {
                        return self.take_claim_back(token);
                    }
                    self.deliver(token);
                    self.waiters.change(ticket, |waiter| {
                        waiter.pending.remove(&token);
                        waiter.delivered += 1;
                    });
                    self.answer_served(queue);
                }
            }
        }
    }

    /// Starts handlers for claimed messages in order, while slots are free.
    pub(super) fn fill_slots(&mut self, id: WorkerId) {
        while let Some(worker) = self.workers.get_mut(&id) {
            let Some(&token) = worker.claimed.front() else {
                return;
            };
            let Some(lease) = self.leases.get(token) else {
                worker.claimed.pop_front();
                continue;
            };
            if !worker.has_slot() || !lease.durable || lease.content.is_none() {
                return;
            }
            if self.is_overdue(token) {
                return self.take_overdue_back(id);
            }
            let worker = self.workers.get_mut(&id).expect("looked up above");
            worker.claimed.pop_front();
            worker.running += 1;
            self.deliver(token);
        }
    }

    /// Whether a message's time to live ran out between its claim and its hand-out. (At-most-once, its
    /// claim was its end.)
    fn is_overdue(&self, token: Token) -> bool {
        let slot = self.leases.get(token).and_then(|lease| lease.slot);
        slot.is_some_and(|slot| self.ledger.messages[slot].deadline < self.now)
            && !bug!("start-after-ttl")
    }

    /// Takes all overdue claims of a worker back, which then expire; hands out what is behind them.
    fn take_overdue_back(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get_mut(&id) else {
            return;
        };
        let claimed = std::mem::take(&mut worker.claimed);
        let (overdue, kept): (VecDeque<Token>, VecDeque<Token>) = claimed
            .into_iter()
            .partition(|token| self.is_overdue(*token));
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.claimed = kept;
        }
        for token in overdue {
            self.take_claim_back(token);
        }
    }

    fn deliver(&mut self, token: Token) {
        let now = self.now;
        let Some(lease) = self.leases.get_mut(token) else {
            return;
        };
        lease.delivered = true;
        lease.delivered_at = now;
        if let Some(lease_ms) = lease.lease_ms {
            lease.until = now.plus(lease_ms);
            self.desks[lease.queue as usize]
                .lease_ends
                .insert((lease.until, token.0));
        }
        let queue = lease.queue;
        self.hand_out_through_sluice(token);
        self.watch_handler(token);
        self.begin_probe(token);
        let lease = self.leases.get(token).expect("looked up above");
        let letter = self.letter(lease);
        let delivery = Delivery {
            token,
            to: lease.to,
            queue: QueueId(queue),
            number: lease.number,
            attempt: lease.attempt,
            priority: letter.priority,
            enqueued_at: lease.enqueued_at,
            lease_until: lease.until,
            id: letter.id,
            group: letter.group,
            destination: letter.destination,
            content: lease.content.clone().expect("checked before"),
            run: letter.run,
            steps: letter.steps,
            handed_over: lease.handed_over,
        };
        let attempt = lease.attempt;
        let wait_ms = now.since(lease.enqueued_at);
        let ready_ms = now.since(lease.ready_at);
        let counters = &mut self.ledger.queues[queue as usize].counters;
        counters.delivered += 1;
        counters.wait.record(ready_ms);
        if self.listens(queue, EventKind::Started) {
            let id = delivery.id.to_string();
            let event = Event {
                attempt,
                wait_ms,
                id,
                ..Event::of(EventKind::Started, QueueId(queue))
            };
            self.output.push_back(Effect::Event(Box::new(event)));
        }
        self.output.push_back(Effect::Deliver(Box::new(delivery)));
        self.ledger.touch(queue);
    }

    pub(super) fn letter(&self, lease: &Lease) -> Letter {
        let ledger = &self.ledger;
        if let Some(slot) = lease.slot {
            return Letter {
                id: ledger.id_text(slot),
                group: ledger.group(slot),
                destination: ledger.destination(slot),
                priority: ledger.messages[slot].priority,
                run: ledger.messages[slot].open,
                steps: ledger.steps_of(slot).len() as u32,
            };
        }
        let handed_over = ledger.handed_over(lease.number);
        let handed_over = handed_over.expect("a claim has a message, or handed it over");
        Letter {
            id: ledger.id_of(&handed_over.message),
            group: Rc::clone(&handed_over.group),
            destination: Rc::clone(&handed_over.destination),
            priority: handed_over.message.priority,
            run: handed_over.message.open,
            steps: 0,
        }
    }

    /// A claimed message had its content read; `None`: the stored bytes are damaged.
    pub(super) fn loaded_for_delivery(&mut self, token: Token, payload: Option<Rc<[u8]>>) {
        let Some(content) = payload.and_then(content_of) else {
            return self.lose_damaged(token);
        };
        if let Some(lease) = self.leases.get_mut(token) {
            lease.content = Some(content);
            if lease.taken_back {
                let lease = self.forget_claim(token).expect("looked up just now");
                return self.take_hand_over_back(&lease);
            }
            let to = lease.to;
            self.hand_out(token, to);
        }
    }

    /// The bytes of a claimed message are damaged: it becomes a dead letter, undelivered. In at-most-once
    /// nothing but these bytes is left of it: its loss is told.
    fn lose_damaged(&mut self, token: Token) {
        let Some(lease) = self.forget_claim(token) else {
            return;
        };
        if let Some(slot) = lease.slot {
            self.ledger.unlease(slot);
            self.ledger.messages[slot].moving = false;
            self.kill(slot, Reason::Corrupt, false, b"");
            if let Recipient::Worker(id) = lease.to {
                self.count_undelivered(id, false);
            }
        } else {
            self.tell_lost(&lease);
            self.end_hand_over(&lease);
        }
        self.note_drained(lease.queue);
    }

    pub(super) fn dequeue(
        &mut self,
        ticket: Ticket,
        queue: QueueId,
        max: u32,
        lease_ms: Option<u64>,
        wait_ms: u64,
    ) {
        if let Err(failure) = self.known(queue).and_then(|_| self.room_to_dequeue(max)) {
            return self.refuse(ticket, failure);
        }
        let until = self.now.plus(wait_ms);
        let waiter = Waiter::new(ticket, max, lease_ms, until);
        self.waiters.add(queue.0, waiter);
        self.ledger.touch(queue.0);
    }

    pub(super) fn stop_waiting(&mut self, ticket: Ticket) {
        if self.waits.stop(ticket) {
            let result = Ok(Answer::Value(0));
            self.output.push_back(Effect::Reply { ticket, result });
            return;
        }
        if self.stop_paced_redrive(ticket) {
            return;
        }
        if let Some(queue) = self.waiters.queue_of(ticket) {
            let now = self.now;
            let pending = self.waiters.change(ticket, |waiter| {
                waiter.until = now;
                std::mem::take(&mut waiter.pending)
            });
            for token in pending.into_iter().flatten() {
                self.take_claim_back(token);
            }
            return self.answer_waiters(queue);
        }
        self.stop_waiting_for_idle(ticket);
    }

    /// Answers dequeues that have what they wanted, or waited long enough.
    pub(super) fn answer_waiters(&mut self, queue: u32) {
        self.waiters.close(queue, self.now, self.closing.is_some());
        self.answer_served(queue);
    }

    /// Answers dequeues that got everything that was claimed for them.
    fn answer_served(&mut self, queue: u32) {
        while let Some(waiter) = self.waiters.take_done(queue) {
            if bug!("lose-dequeue-answer") {
                continue;
            }
            let result = Ok(Answer::Value(waiter.delivered.into()));
            self.output.push_back(Effect::Reply {
                ticket: waiter.ticket,
                result,
            });
        }
    }
}
