//! Nothing left to do: workers that drain a queue and end by themselves, and those who wait until a
//! queue is idle.
//!
//! Both are decided here and nowhere else, at the end of a step, when every command that came with
//! it is carried out: between the look and the answer no message is overlooked.
//!
//! A worker that drains is **done** when it handles nothing, what it settled is durable, and no
//! message could be claimed now or as soon as a delivery in flight ends, or its rate allows. Messages
//! that wait for a later time stay, with those of their group behind them; so does what waits for an
//! open circuit or for a destination that asked for time, and everything while the queue is paused or
//! the worker is not ready. What dies while it drains is in its report: by its own handlers, turned away for it,
//! and what nobody had, as that which expires. Of several that drain one queue the first counts the latter.
//!
//! A queue is **idle** when none of its messages is ready, leased or on its way back, and no handler runs.

use std::collections::BTreeMap;

use super::Engine;
use super::staging::Gate;
use crate::command::{QueueId, Ticket, Verdict, WorkerId};
use crate::consumer::worker::{Drain, Rest, Worker};
use crate::effect::{Answer, Drained, Effect, Object, Recipient};
use crate::error::{ErrorCode, Failure};

/// Calls that wait for a queue to be idle, over all queues.
const WAITING_MAX: usize = 10_000;

/// Who waits for which queue to be idle.
#[derive(Debug, Default)]
pub(super) struct IdleWaits {
    tickets: BTreeMap<u32, Vec<Ticket>>,
    count: usize,
}

impl IdleWaits {
    fn add(&mut self, queue: u32, ticket: Ticket) {
        self.count += 1;
        self.tickets.entry(queue).or_default().push(ticket);
    }

    /// Takes those who wait for a queue.
    fn take(&mut self, queue: u32) -> Vec<Ticket> {
        let tickets = self.tickets.remove(&queue).unwrap_or_default();
        self.count -= tickets.len();
        tickets
    }

    /// Takes one that waits no longer; false if it does not wait.
    fn remove(&mut self, ticket: Ticket) -> bool {
        let mut lists = self.tickets.values_mut();
        let found = lists.find_map(|list| {
            let at = list.iter().position(|waiting| *waiting == ticket)?;
            Some(list.swap_remove(at))
        });
        self.count -= usize::from(found.is_some());
        found.is_some()
    }

    /// The tickets of all that will not be answered.
    pub(super) fn abandon(&mut self) -> Vec<Ticket> {
        let lists = std::mem::take(self).tickets;
        lists.into_values().flatten().collect()
    }
}

impl Engine {
    /// Answers who waits for something to come to rest that has.
    pub(super) fn check_rest(&mut self) {
        // Work of this step that is still to come may make messages ready.
        if !self.more {
            self.check_drains();
            self.check_idle();
        }
    }

    pub(super) fn drain_worker(&mut self, ticket: Ticket, id: WorkerId) -> Result<(), Failure> {
        let Some(worker) = self.workers.get_mut(&id) else {
            return Err(Failure::new(ErrorCode::Closed, "the worker is closed"));
        };
        if worker.drain.is_some() {
            let message = "expected a worker that does not drain yet";
            return Err(Failure::new(ErrorCode::InvalidOption, message));
        }
        worker.drain = Some(Drain {
            ticket,
            rest: Rest::Busy,
        });
        self.leaving.insert(id);
        Ok(())
    }

    fn check_drains(&mut self) {
        let drains = |worker: &Worker| worker.drain.is_some() && worker.is_at_rest();
        for id in self.leaving_workers(drains) {
            let worker = &self.workers[&id];
            let is_busy = self.could_claim(worker) || self.dying.is_any_of(worker.queue);
            if worker.closing.is_empty() && is_busy {
                self.set_rest(id, Rest::Busy);
                continue;
            }
            let claims = worker.claims;
            if worker.drain.is_some_and(|drain| drain.rest == Rest::Busy) {
                self.set_rest(id, Rest::Settling);
                if self.commit.gate(Gate::Settled(id, claims)).is_some() {
                    self.set_rest(id, Rest::Settled);
                }
            }
            self.end_drain(id);
        }
    }

    /// What a worker had settled is durable; told of an earlier rest, it says nothing of this one.
    pub(super) fn settled_for(&mut self, id: WorkerId, claims: u64) {
        if let Some(worker) = self.workers.get(&id)
            && worker.claims == claims
        {
            self.set_rest(id, Rest::Settled);
        }
    }

    fn set_rest(&mut self, id: WorkerId, rest: Rest) {
        if let Some(worker) = self.workers.get_mut(&id)
            && let Some(drain) = &mut worker.drain
        {
            drain.rest = rest;
        }
    }

    /// Ends a worker whose drain is done; one that is being closed as well ends with that.
    fn end_drain(&mut self, id: WorkerId) {
        let worker = &self.workers[&id];
        let Some(drain) = worker.drain.filter(|drain| drain.rest == Rest::Settled) else {
            return;
        };
        let (queue, tally, closes) = (worker.queue, worker.tally, !worker.closing.is_empty());
        let target = &self.ledger.queues[queue as usize];
        let drained = Drained {
            completed: tally.completed,
            retried: tally.retried,
            dead: tally.dead,
            remaining: target.depth - target.dead.len() as u64,
        };
        if closes {
            self.workers.get_mut(&id).expect("looked up above").drain = None;
        } else {
            let worker = self.workers.remove(&id).expect("looked up above");
            self.leaving.remove(&id);
            self.leave_control(&worker);
            let desk = &mut self.desks[queue as usize];
            desk.workers.retain(|worker| *worker != id);
        }
        self.output.push_back(Effect::Reply {
            ticket: drain.ticket,
            result: Ok(Answer::Object(Box::new(Object::Drained(drained)))),
        });
    }

    /// Counts what became of a delivery for the worker that handled it; `stays`: it waits for another.
    pub(super) fn count_outcome(&mut self, to: Recipient, verdict: Verdict, stays: bool) {
        if let Recipient::Worker(id) = to
            && let Some(worker) = self.workers.get_mut(&id)
        {
            let tally = &mut worker.tally;
            match verdict {
                Verdict::Return => {}
                Verdict::Ack => tally.completed += 1,
                _ if stays => tally.retried += 1,
                _ => tally.dead += 1,
            }
        }
    }

    /// Counts what became of a message that a worker did not hand to its handler; `stays`: it waits for another attempt.
    pub(super) fn count_undelivered(&mut self, id: WorkerId, stays: bool) {
        if let Some(worker) = self.workers.get_mut(&id) {
            let tally = &mut worker.tally;
            if stays {
                tally.retried += 1;
            } else {
                tally.dead += 1;
            }
            worker.stir();
        }
    }

    /// Counts a message of a queue that died and was nobody's, for the first of those who drain it.
    pub(super) fn count_death(&mut self, queue: u32) {
        if self.leaving.is_empty() {
            return;
        }
        let workers = self.desks[queue as usize].workers.iter().copied();
        let drains = |id: &WorkerId| self.workers.get(id).is_some_and(|it| it.drain.is_some());
        if let Some(first) = workers.filter(drains).min() {
            self.count_undelivered(first, false);
        }
    }

    /// Whether a worker can claim a message, now, when a delivery in flight ends, or when its rate lets it.
    fn could_claim(&self, worker: &Worker) -> bool {
        let target = &self.ledger.queues[worker.queue as usize];
        let is_some_ready = !target.ready.is_empty() || !target.suspects.is_empty();
        let desk = &self.desks[worker.queue as usize];
        let may_come = self.ledger.is_remote && !desk.is_dry;
        let could = (is_some_ready && self.is_served(worker))
            || target.groups.wait_for_delivery()
            || may_come;
        could && !target.paused && self.closing.is_none()
    }

    pub(super) fn wait_for_idle(&mut self, ticket: Ticket, queue: QueueId) {
        if self.idle_waits.count >= WAITING_MAX {
            let message = format!("expected at most {WAITING_MAX} calls that wait for idle queues");
            return self.refuse(ticket, Failure::new(ErrorCode::QueueFull, message));
        }
        match self.known(queue) {
            Ok(queue) => self.idle_waits.add(queue, ticket),
            Err(failure) => self.refuse(ticket, failure),
        }
    }

    /// Answers one that waits no longer as if the queue had become idle.
    pub(super) fn stop_waiting_for_idle(&mut self, ticket: Ticket) {
        if self.idle_waits.remove(ticket) {
            self.reply(ticket, Ok(Answer::Value(0)));
        }
    }

    fn check_idle(&mut self) {
        let queues = self.idle_waits.tickets.keys().copied();
        let idle: Vec<u32> = queues.filter(|queue| self.is_idle(*queue)).collect();
        for queue in idle {
            for ticket in self.idle_waits.take(queue) {
                self.reply(ticket, Ok(Answer::Value(0)));
            }
        }
    }

    fn is_idle(&self, queue: u32) -> bool {
        let target = &self.ledger.queues[queue as usize];
        let runs = |worker: &Worker| worker.queue == queue && !worker.is_at_rest();
        target.ready_count() == 0
            && target.leased.is_empty()
            && !self.workers.values().any(runs)
            && self.leases.taken_back(queue).next().is_none()
    }
}
