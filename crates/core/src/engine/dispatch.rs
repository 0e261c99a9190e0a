//! Claiming: which message goes to whom, and when its handler may start.

use std::rc::Rc;

use super::Engine;
use super::contents::{Purpose, content_of};
use super::passing::Found;
use super::staging::Gate;
use crate::command::{Token, WorkerId};
use crate::config::Guarantee;
use crate::consumer::lease::{Lease, Progress};
use crate::consumer::suspects::hold_ms;
use crate::effect::Recipient;
use crate::journal::Record;
use crate::ledger::lanes::Kind;
use crate::ledger::{Note, Recorder};
use crate::meter::look;
use crate::time::Timestamp;

/// What comes next in a queue.
enum Next {
    /// This message goes to this consumer.
    Claim(u32, Recipient),
    /// Something in the way was put aside: it is worth another look.
    Again,
    /// Nothing for now.
    Nothing,
}

impl Engine {
    /// Claims in every queue that changed, suspects first.
    pub(super) fn dispatch(&mut self) {
        if self.suspects.expire(self.now) {
            self.release_held_back();
        }
        let mut left = super::SLICE;
        while left > 0
            && self.may_claim()
            && let Some(queue) = self.stalled.take()
        {
            self.ledger.touch(queue);
            self.dispatch_changed(&mut left);
        }
        self.dispatch_changed(&mut left);
        if left > 0 && self.ledger.has_dirty() {
            // Claims change their own queue, and the end of the suspects' turns all that waited.
            self.dispatch_changed(&mut left);
        }
        let is_released = self.released && !self.held_back.is_empty();
        let may_go_on = self.may_claim() && !self.stalled.is_empty();
        self.more |= self.ledger.has_dirty() || is_released || may_go_on;
    }

    /// Claims `left` messages at most of all queues that changed; the others stay changed.
    fn dispatch_changed(&mut self, left: &mut usize) {
        let mut touched = Vec::new();
        while let Some(queue) = self.ledger.take_dirty() {
            look();
            self.note_suspects(queue);
            touched.push(queue);
        }
        self.dispatch_suspects();
        if std::mem::take(&mut self.released) && !self.is_held_back() {
            for queue in std::mem::take(&mut self.held_back) {
                self.ledger.touch(queue);
            }
        }
        for queue in touched {
            if *left == 0 {
                self.ledger.touch(queue);
                continue;
            }
            if self.pump(queue, left) {
                self.answer_waiters(queue);
                self.note_want(queue);
            }
            self.rearm(queue);
        }
    }

    /// What could not be claimed because of a suspect may be tried again, after other suspects.
    pub(super) fn release_held_back(&mut self) {
        self.released = true;
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
            return;
        }
        let mut from = 0;
        while let Some(queue) = self.suspect_queues.range(from..).next().copied() {
            look();
            from = queue + 1;
            match self.next_to_claim(queue, Kind::Suspect) {
                // Whatever brings it one, or brings somebody who takes it, touches the queue.
                Next::Nothing => {
                    self.suspect_queues.remove(&queue);
                }
                Next::Again => {
                    self.ledger.touch(queue);
                    self.more = true;
                }
                Next::Claim(slot, to) => return self.start_suspect(queue, slot, to),
            }
        }
        if self.suspects.give_up_waiting() {
            self.release_held_back();
        }
    }

    /// Starts a suspect, or has it wait until nothing else runs.
    fn start_suspect(&mut self, queue: u32, slot: u32, to: Recipient) {
        if !self.may_claim() {
            return self.stalled.add(queue);
        }
        let hold = self.hold_of(slot);
        let mut may_start = self
            .suspects
            .may_start(self.now, !self.leases.is_empty(), hold);
        if !may_start {
            self.take_back_claimed();
            may_start = self.leases.is_empty();
        }
        if may_start {
            let token = self.claim_for(slot, to);
            self.suspects.start(token, self.now, hold);
            self.note_suspects(queue);
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

    /// Claims as much of a queue as its consumers take, or what is left of a slice; true if that was all.
    fn pump(&mut self, queue: u32, left: &mut usize) -> bool {
        while *left > 0 {
            *left -= 1;
            if self.is_held_back() {
                self.held_back.insert(queue);
                return true;
            }
            if self.ledger.queues[queue as usize].ready.is_empty() {
                return true;
            }
            if !self.may_claim() {
                self.stalled.add(queue);
                return true;
            }
            match self.next_to_claim(queue, Kind::Ordinary) {
                Next::Claim(slot, to) => drop(self.claim_for(slot, to)),
                Next::Again => {}
                Next::Nothing => return true,
            }
        }
        self.ledger.touch(queue);
        self.more = true;
        false
    }

    /// Which message of a queue goes to whom next: to a waiting dequeue, else to a worker with room, in
    /// turn.
    fn next_to_claim(&mut self, queue: u32, kind: Kind) -> Next {
        if self.closing.is_some()
            || (self.ledger.queues[queue as usize].paused && !bug!("ignore-pause"))
        {
            return Next::Nothing;
        }
        if !self.desks[queue as usize].limits_nothing() {
            return self.next_through_policies(queue, kind);
        }
        match self.check_found(queue, self.first_of(queue, kind)) {
            Found::Nothing => Next::Nothing,
            Found::Again => Next::Again,
            Found::Message(slot) => {
                let to = self.recipient(queue, self.may_start_ahead(slot, kind));
                to.map_or(Next::Nothing, |to| Next::Claim(slot, to))
            }
        }
    }

    /// Whether the start of a message may be written before there is a slot for it.
    fn may_start_ahead(&self, slot: u32, kind: Kind) -> bool {
        let message = &self.ledger.messages[slot];
        let settings = &self.ledger.queues[message.queue as usize].settings;
        kind == Kind::Ordinary
            && settings.guarantee != Guarantee::AtMostOnce
            && !message.is_on_last_attempt()
    }

    /// Who takes the next message of a queue whose workers take all alike.
    fn recipient(&mut self, queue: u32, ahead: bool) -> Option<Recipient> {
        if let Some(ticket) = self.waiters.next_hungry(queue) {
            return Some(Recipient::Dequeue(ticket));
        }
        let desk = &mut self.desks[queue as usize];
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

    /// The same where some workers limit what they take: each of them has a next message of its own.
    fn next_through_policies(&mut self, queue: u32, kind: Kind) -> Next {
        if self.ledger.fill_lanes(queue, super::SLICE) {
            self.ledger.touch(queue);
            self.more = true;
        }
        if let Some(ticket) = self.waiters.next_hungry(queue) {
            match self.check_found(queue, self.first_of(queue, kind)) {
                Found::Message(slot) => return Next::Claim(slot, Recipient::Dequeue(ticket)),
                Found::Again => return Next::Again,
                Found::Nothing => return Next::Nothing,
            }
        }
        for ahead in [false, true] {
            for at in 0..self.desks[queue as usize].workers.len() {
                let id = self.desks[queue as usize].workers[at];
                if !self.workers[&id].has_room(ahead) || !self.is_paced(id) {
                    continue;
                }
                match self.find_for(id, kind, ahead) {
                    Found::Message(slot) if !ahead || self.may_start_ahead(slot, kind) => {
                        if kind == Kind::Ordinary && !self.is_in_budget(id, slot) {
                            return Next::Again;
                        }
                        self.desks[queue as usize].workers.rotate_left(at + 1);
                        return Next::Claim(slot, Recipient::Worker(id));
                    }
                    Found::Again => return Next::Again,
                    Found::Message(_) | Found::Nothing => {}
                }
            }
        }
        Next::Nothing
    }

    /// Claims a message, and counts it against what its worker limits.
    fn claim_for(&mut self, slot: u32, to: Recipient) -> Token {
        let passing = self.passing(slot);
        let token = self.claim(slot, to);
        if let Recipient::Worker(id) = to {
            self.pass(id, token, passing);
        }
        token
    }

    /// Claims a message: its start, or in at-most-once its settlement, is on its way to the journal.
    fn claim(&mut self, slot: u32, to: Recipient) -> Token {
        let token = if self.ledger.is_remote {
            Token(self.ledger.messages[slot].number)
        } else {
            self.next_token()
        };
        self.ledger.lease(slot, token, self.now);
        let message = &self.ledger.messages[slot];
        let (queue, number, place) = (message.queue, message.number, message.place);
        let settings = &self.ledger.queues[queue as usize].settings;
        let handed_over =
            settings.guarantee == Guarantee::AtMostOnce && !bug!("settle-at-most-once-late");
        let manual_lease = match to {
            Recipient::Worker(_) => None,
            Recipient::Dequeue(ticket) => {
                let named = self.waiters.change(ticket, |waiter| {
                    waiter.pending.insert(token);
                    waiter.lease_ms
                });
                let named = named.expect("it was chosen just now");
                Some(if bug!("ignore-dequeue-lease") {
                    settings.lease_ms
                } else {
                    named.unwrap_or(settings.lease_ms)
                })
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
            is_unseen: false,
            is_seen: false,
            progress: Progress::Open,
            held: None,
            detached: false,
            taken_back: false,
            watch: None,
            passage: None,
            content,
            enqueued_at: message.enqueued_at,
            ready_at: message.due.max(message.enqueued_at),
        };
        if handed_over {
            lease.slot = None;
            lease.handed_over_group = self.hand_over(slot, token);
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
            worker.claim(token);
        }
        // A remote ledger counted the attempt when it was claimed.
        if self.ledger.is_remote || bug!("start-before-record") {
            self.started(token);
        } else if self.commit.gate(Gate::Started(token)).is_some() {
            unreachable!("a start was written just now");
        }
        token
    }
}
