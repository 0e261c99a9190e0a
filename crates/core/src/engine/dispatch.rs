//! Claiming: which message goes to whom, and when its handler may start.

use std::rc::Rc;

use super::Engine;
use super::contents::{Purpose, content_of};
use super::staging::Gate;
use crate::command::{Token, WorkerId};
use crate::config::Guarantee;
use crate::consumer::lease::{Lease, Progress};
use crate::consumer::suspects::hold_ms;
use crate::effect::Recipient;
use crate::journal::Record;
use crate::ledger::{Note, Recorder};
use crate::meter::look;
use crate::time::Timestamp;

impl Engine {
    /// Claims in every queue that changed, suspects first.
    pub(super) fn dispatch(&mut self) {
        if self.suspects.expire(self.now) {
            self.release_held_back();
        }
        while self.may_claim()
            && let Some(queue) = self.stalled.take()
        {
            self.ledger.touch(queue);
            self.dispatch_changed();
        }
        self.dispatch_changed();
        if self.ledger.has_dirty() {
            // Claims change their own queue, and the end of the suspects' turns all that waited.
            self.dispatch_changed();
        }
        let is_released = self.released && !self.held_back.is_empty();
        self.more |= self.ledger.has_dirty() || is_released;
    }

    fn dispatch_changed(&mut self) {
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
            if self.pump(queue) {
                self.answer_waiters(queue);
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
            let Some((_, slot)) = self.ledger.queues[queue as usize]
                .suspects
                .first_key_value()
            else {
                self.suspect_queues.remove(&queue);
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
                // Whatever brings it one touches the queue.
                self.suspect_queues.remove(&queue);
                continue;
            };
            return self.start_suspect(queue, slot, to);
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
            let token = self.claim(slot, to);
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

    /// Claims as much of a queue as its consumers take, or a slice of that; true if that was all.
    fn pump(&mut self, queue: u32) -> bool {
        for _ in 0..super::SLICE {
            if self.is_held_back() {
                self.held_back.insert(queue);
                return true;
            }
            let target = &self.ledger.queues[queue as usize];
            if target.paused || self.closing.is_some() {
                return true;
            }
            let Some((_, slot)) = target.ready.first_key_value() else {
                return true;
            };
            let slot = *slot;
            let message = &self.ledger.messages[slot];
            if message.deadline < self.now {
                self.expire(slot);
                continue;
            }
            if !self.may_claim() {
                self.stalled.add(queue);
                return true;
            }
            let ahead =
                target.settings.guarantee != Guarantee::AtMostOnce && !message.is_on_last_attempt();
            let Some(to) = self.recipient(queue, ahead) else {
                return true;
            };
            self.claim(slot, to);
        }
        self.ledger.touch(queue);
        self.more = true;
        false
    }

    /// Who takes the next message of a queue: a waiting dequeue, else a worker with room, in turn.
    fn recipient(&mut self, queue: u32, ahead: bool) -> Option<Recipient> {
        if self.closing.is_some() || self.ledger.queues[queue as usize].paused {
            return None;
        }
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

    /// Claims a message: its start, or in at-most-once its settlement, is on its way to the journal.
    fn claim(&mut self, slot: u32, to: Recipient) -> Token {
        let token = self.next_token();
        self.ledger.lease(slot, token, self.now);
        let message = &self.ledger.messages[slot];
        let (queue, number, place) = (message.queue, message.number, message.place);
        let settings = &self.ledger.queues[queue as usize].settings;
        let handed_over = settings.guarantee == Guarantee::AtMostOnce;
        let manual_lease = match to {
            Recipient::Worker(_) => None,
            Recipient::Dequeue(ticket) => {
                let named = self.waiters.change(ticket, |waiter| {
                    waiter.pending.insert(token);
                    waiter.lease_ms
                });
                let named = named.expect("it was chosen just now");
                Some(named.unwrap_or(settings.lease_ms))
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
            detached: false,
            taken_back: false,
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
        if self.commit.gate(Gate::Started(token)).is_some() {
            unreachable!("a start was written just now");
        }
        token
    }
}
