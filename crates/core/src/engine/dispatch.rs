//! Claiming: which message goes to whom, and when its handler may start.

use std::rc::Rc;

use super::Engine;
use super::commit::Gate;
use super::contents::{Purpose, content_of};
use crate::command::{MessageState, QueueId, Reason, Ticket, Token, WorkerId};
use crate::config::Guarantee;
use crate::consumer::desk::Waiter;
use crate::consumer::lease::{Lease, Letter, Progress};
use crate::consumer::suspects::hold_ms;
use crate::effect::{Answer, Delivery, Effect, Event, EventKind, Recipient};
use crate::journal::Record;
use crate::ledger::message::NONE;
use crate::ledger::{Note, Recorder};
use crate::time::Timestamp;

impl Engine {
    /// Claims in every queue that changed, suspects first.
    pub(super) fn dispatch(&mut self) {
        if self.suspects.expire(self.now) {
            self.release_held_back();
        }
        self.dispatch_changed();
        if self.ledger.has_dirty() {
            // Claims change their own queue, and the end of a suspect's turn changes all.
            self.dispatch_changed();
        }
        self.more |= self.ledger.has_dirty();
    }

    fn dispatch_changed(&mut self) {
        let mut touched = Vec::new();
        while let Some(queue) = self.ledger.take_dirty() {
            self.note_suspects(queue);
            touched.push(queue);
        }
        self.dispatch_suspects();
        for queue in touched {
            self.pump(queue);
            self.answer_waiters(queue);
            self.rearm(queue);
        }
    }

    /// Makes every queue try again that could not claim because of a suspect.
    pub(super) fn release_held_back(&mut self) {
        if std::mem::take(&mut self.held_back) {
            for queue in 0..self.ledger.queues.len() as u32 {
                self.ledger.touch(queue);
            }
        }
    }

    fn note_suspects(&mut self, queue: u32) {
        if self.ledger.queues[queue as usize].suspects.is_empty() {
            self.suspect_queues.remove(&queue);
        } else {
            self.suspect_queues.insert(queue);
        }
    }

    /// Starts the next suspect if one can be claimed and nothing else runs.
    fn dispatch_suspects(&mut self) {
        if self.suspects.holds(self.now) {
            self.held_back = true;
            return;
        }
        let queues: Vec<u32> = self.suspect_queues.iter().copied().collect();
        for queue in queues {
            let Some((_, slot)) = self.ledger.queues[queue as usize]
                .suspects
                .first_key_value()
            else {
                continue;
            };
            let slot = *slot;
            if self.ledger.messages[slot].deadline < self.now {
                self.expire(slot);
                self.ledger.touch(queue);
                self.more = true;
                continue;
            }
            let Some(to) = self.recipient(queue, false) else {
                continue;
            };
            let hold = self.hold_of(slot);
            let mut may_start = self
                .suspects
                .may_start(self.now, !self.leases.is_empty(), hold);
            if !may_start {
                self.take_back_claimed();
                may_start = self.leases.is_empty();
            }
            if may_start {
                let token = self.claim(slot, to);
                self.suspects.start(token, self.now, hold);
                self.note_suspects(queue);
            }
            self.held_back = true;
            return;
        }
        if self.suspects.give_up_waiting() {
            self.release_held_back();
        }
    }

    fn hold_of(&self, slot: u32) -> u64 {
        let message = &self.ledger.messages[slot];
        hold_ms(
            message.deaths,
            self.ledger.queues[message.queue as usize].settings.lease_ms,
        )
    }

    /// Whether a suspect keeps other work from being claimed.
    fn is_held_back(&self) -> bool {
        self.suspects.next_change() > self.now && self.suspects.next_change() != Timestamp::NEVER
    }

    /// Claims as much of a queue as its consumers take.
    fn pump(&mut self, queue: u32) {
        for _ in 0..super::SLICE {
            if self.is_held_back() {
                self.held_back = true;
                return;
            }
            let target = &self.ledger.queues[queue as usize];
            if target.paused || self.closing.is_some() {
                return;
            }
            let Some((_, slot)) = target.ready.first_key_value() else {
                return;
            };
            let slot = *slot;
            let message = &self.ledger.messages[slot];
            if message.deadline < self.now {
                self.expire(slot);
                continue;
            }
            let ahead =
                target.settings.guarantee != Guarantee::AtMostOnce && !message.is_on_last_attempt();
            let Some(to) = self.recipient(queue, ahead) else {
                return;
            };
            self.claim(slot, to);
        }
        self.ledger.touch(queue);
        self.more = true;
    }

    /// Who takes the next message of a queue: a waiting dequeue, else a worker with room, in turn.
    fn recipient(&mut self, queue: u32, ahead: bool) -> Option<Recipient> {
        if self.closing.is_some() || self.ledger.queues[queue as usize].paused {
            return None;
        }
        let desk = &mut self.desks[queue as usize];
        let waiter = desk
            .waiters
            .iter()
            .find(|waiter| !waiter.closed && waiter.claimed < waiter.max);
        if let Some(waiter) = waiter {
            return Some(Recipient::Dequeue(waiter.ticket));
        }
        for ahead in [false, ahead] {
            let workers = &self.workers;
            let has_room =
                |id: &WorkerId| workers.get(id).is_some_and(|worker| worker.has_room(ahead));
            if let Some(at) = desk.workers.iter().position(has_room) {
                let worker = desk.workers[at];
                desk.workers.rotate_left(at + 1);
                return Some(Recipient::Worker(worker));
            }
        }
        None
    }

    /// Claims a message: its start, or in at-most-once its settlement, is on its way to the journal.
    fn claim(&mut self, slot: u32, to: Recipient) -> Token {
        let token = self.next_token();
        self.ledger.lease(slot, self.now);
        let message = &self.ledger.messages[slot];
        let (queue, number, place) = (message.queue, message.number, message.place);
        let settings = &self.ledger.queues[queue as usize].settings;
        let handed_over = settings.guarantee == Guarantee::AtMostOnce;
        let manual_lease = match to {
            Recipient::Worker(_) => None,
            Recipient::Dequeue(ticket) => {
                let waiter = self.desks[queue as usize]
                    .waiter(ticket)
                    .expect("it was chosen just now");
                waiter.claimed += 1;
                Some(waiter.lease_ms.unwrap_or(settings.lease_ms))
            }
        };
        let content = message
            .content
            .as_ref()
            .and_then(|payload| content_of(Rc::clone(payload)));
        if content.is_none() {
            self.reads.want(place, Purpose::Deliver(token));
        }
        let mut lease = Lease {
            to,
            queue,
            number,
            slot: Some(slot),
            handed_over_group: None,
            handed_over,
            attempt: message.attempt,
            delivered_at: Timestamp(0),
            lease_ms: manual_lease,
            until: Timestamp::NEVER,
            durable: false,
            delivered: false,
            progress: Progress::Open,
            held: None,
            content,
            enqueued_at: message.enqueued_at,
            letter: None,
        };
        if handed_over {
            lease.slot = None;
            lease.letter = Some(Box::new(self.letter(slot)));
            lease.handed_over_group = self.hand_over(slot);
        } else {
            self.commit.write(
                &Record::Started {
                    number,
                    token: token.0,
                },
                Note::None,
            );
        }
        self.leases.insert(token, lease);
        if let Recipient::Worker(worker) = to
            && let Some(worker) = self.workers.get_mut(&worker)
        {
            worker.claimed.push_back(token);
        }
        if self.commit.gate(Gate::Started(token)).is_some() {
            unreachable!("a start was written just now");
        }
        token
    }

    fn letter(&self, slot: u32) -> Letter {
        Letter {
            id: self.ledger.id_text(slot),
            group: self.ledger.group(slot),
            destination: self.ledger.destination(slot),
            priority: self.ledger.messages[slot].priority,
        }
    }

    /// At-most-once: the message is settled before its handler starts. Its group stays busy.
    fn hand_over(&mut self, slot: u32) -> Option<u32> {
        let message = &self.ledger.messages[slot];
        let (queue, group) = (message.queue, message.group);
        if group != NONE {
            self.ledger.queues[queue as usize].groups.start(group);
        }
        self.ledger.unlease(slot);
        self.ledger
            .complete(slot, self.now, b"", true, &mut self.commit);
        (group != NONE).then_some(group)
    }

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
                    self.deliver(token);
                    if let Some(waiter) = self.desks[queue as usize].waiter(ticket) {
                        waiter.delivered += 1;
                    }
                    self.answer_waiters(queue);
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
            worker.claimed.pop_front();
            worker.running += 1;
            self.deliver(token);
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
        let letter = match (lease.slot, &lease.letter) {
            (Some(slot), _) => self.letter(slot),
            (None, Some(letter)) => Letter::clone(letter),
            (None, None) => unreachable!("a lease without a message was handed over"),
        };
        let lease = self.leases.get(token).expect("looked up above");
        let delivery = Delivery {
            token,
            to: lease.to,
            queue: QueueId(queue),
            attempt: lease.attempt,
            priority: letter.priority,
            enqueued_at: lease.enqueued_at,
            lease_until: lease.until,
            id: letter.id,
            group: letter.group,
            destination: letter.destination,
            content: lease.content.clone().expect("checked before"),
        };
        let (attempt, wait_ms) = (lease.attempt, now.since(lease.enqueued_at));
        let counters = &mut self.ledger.queues[queue as usize].counters;
        counters.delivered += 1;
        counters.wait.record(wait_ms);
        if self.listens(queue, EventKind::Started) {
            let id = delivery.id.clone();
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

    /// A claimed message had its content read; `None`: the stored bytes are damaged.
    pub(super) fn loaded_for_delivery(&mut self, token: Token, payload: Option<Rc<[u8]>>) {
        let Some(content) = payload.and_then(content_of) else {
            return self.lose_damaged(token);
        };
        if let Some(lease) = self.leases.get_mut(token) {
            lease.content = Some(content);
            let to = lease.to;
            self.hand_out(token, to);
        }
    }

    /// The bytes of a claimed message are damaged: it becomes a dead letter, undelivered.
    fn lose_damaged(&mut self, token: Token) {
        let Some(lease) = self.forget_claim(token) else {
            return;
        };
        if let Some(slot) = lease.slot {
            self.ledger.unlease(slot);
            self.ledger.messages[slot].moving = false;
            self.kill(slot, Reason::Corrupt, false, b"");
        } else {
            self.end_hand_over(&lease);
        }
        self.note_drained(lease.queue);
    }

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

    /// No delivery started in time.
    pub(super) fn expire(&mut self, slot: u32) {
        self.ledger.leave(slot);
        let queue = self.ledger.messages[slot].queue;
        self.ledger.queues[queue as usize].counters.expired += 1;
        self.kill(slot, Reason::Expired, false, b"");
    }

    /// Makes a held message a dead letter and tells so.
    pub(super) fn kill(&mut self, slot: u32, reason: Reason, attempted: bool, error: &[u8]) {
        self.ledger
            .die(slot, self.now, reason, attempted, error, &mut self.commit);
        self.tell_dead(slot, reason, error);
    }

    /// Emits the event of a death.
    pub(super) fn tell_dead(&mut self, slot: u32, reason: Reason, error: &[u8]) {
        let message = &self.ledger.messages[slot];
        let (queue, attempt) = (message.queue, message.attempt);
        if self.listens(queue, EventKind::Dead) {
            let event = Event {
                attempt,
                reason: Some(reason),
                id: self.ledger.id_text(slot),
                error: error.into(),
                ..Event::of(EventKind::Dead, QueueId(queue))
            };
            self.emit(queue, event);
        }
    }

    pub(super) fn dequeue(
        &mut self,
        ticket: Ticket,
        queue: QueueId,
        max: u32,
        lease_ms: Option<u64>,
        wait_ms: u64,
    ) {
        if let Err(failure) = self.known(queue) {
            return self.refuse(ticket, failure);
        }
        let until = self.now.plus(wait_ms);
        let waiter = Waiter {
            ticket,
            max,
            lease_ms,
            until,
            claimed: 0,
            delivered: 0,
            closed: false,
        };
        self.desks[queue.0 as usize].waiters.push_back(waiter);
        self.ledger.touch(queue.0);
    }

    pub(super) fn stop_waiting(&mut self, ticket: Ticket) {
        for queue in 0..self.desks.len() {
            if let Some(waiter) = self.desks[queue].waiter(ticket) {
                waiter.until = self.now;
                self.answer_waiters(queue as u32);
            }
        }
    }

    /// Answers dequeues that have what they wanted, or waited long enough.
    pub(super) fn answer_waiters(&mut self, queue: u32) {
        let now = self.now;
        let closing = self.closing.is_some();
        for waiter in &mut self.desks[queue as usize].waiters {
            waiter.closed |= closing || waiter.claimed > 0 || waiter.until <= now;
        }
        let done = |waiter: &Waiter| waiter.closed && waiter.claimed == waiter.delivered;
        while let Some(at) = self.desks[queue as usize].waiters.iter().position(done) {
            let waiter = self.desks[queue as usize]
                .waiters
                .remove(at)
                .expect("found just now");
            let result = Ok(Answer::Value(waiter.delivered.into()));
            self.output.push_back(Effect::Reply {
                ticket: waiter.ticket,
                result,
            });
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
