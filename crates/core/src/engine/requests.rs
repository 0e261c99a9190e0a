//! Cold requests: definitions, workers, durable switches, single messages, statistics.

use std::rc::Rc;

use super::limits::CLAIMS_MAX;
use super::redriving::How;
use super::selecting::Selection;
use super::{Engine, Phase};
use crate::command::{DeadFilter, MessageState, QueueId, Request, Ticket, Token, WorkerId};
use crate::consumer::policies::Policies;
use crate::consumer::watch::HandlerLimits;
use crate::effect::{
    AbortReason, Answer, BoxStats, Event, EventKind, Object, StepKey, WorkerOpened,
};
use crate::error::{ErrorCode, Failure};
use crate::hash;
use crate::journal::Record;
use crate::ledger::message::Standing;
use crate::ledger::{Note, Recorder};

type Requested = Result<Option<Object>, Failure>;

impl Engine {
    pub(super) fn request(&mut self, ticket: Ticket, request: Request) -> Requested {
        self.may_request(&request)?;
        match request {
            Request::Open { segments } => return self.open(ticket, &segments).map(|()| None),
            Request::Close {} => return Ok(self.close(ticket)),
            Request::CloseWorker { worker } => {
                return self.close_worker(ticket, worker).map(|()| None);
            }
            Request::QueueStats { queue } => {
                let queue = self.known(queue)?;
                return Ok(Some(Object::QueueStats(Box::new(
                    self.ledger.stats(queue, self.now),
                ))));
            }
            // Who stops listening to a box that has failed is not to hear of that.
            Request::Listen { queue, events } => {
                let queue = self.known(queue)?;
                self.ledger.queues[queue as usize].listens = events;
                return Ok(Some(Object::None));
            }
            Request::StepKey { number, run, name } => {
                let key = hash::step_key(&self.ledger.hash_key, number, run, name.as_bytes());
                let key = format!("{key:032x}");
                return Ok(Some(Object::StepKey(StepKey { key })));
            }
            Request::BoxStats {} => return Ok(Some(Object::BoxStats(self.box_stats()))),
            Request::Queues {} => return Ok(Some(Object::Queues(self.ledger.summaries()))),
            _ => self.accepting()?,
        }
        self.request_open(ticket, request)
    }

    /// Requests that need an open box.
    fn request_open(&mut self, ticket: Ticket, request: Request) -> Requested {
        if waits_for_storage(&request) {
            self.room_to_stage()?;
        }
        match request {
            Request::DefineQueue { name, options } => self.define(&name, options).map(Some),
            Request::OpenProducer { name } => {
                self.open_producer(ticket, &name)?;
                Ok(None)
            }
            Request::OpenWorker {
                queue,
                concurrency,
                policies,
                limits,
            } => {
                limits
                    .check()
                    .map_err(|what| Failure::new(ErrorCode::InvalidOption, what))?;
                let opened = self.open_worker(queue, concurrency, *policies)?;
                self.limit_worker(limits);
                Ok(Some(opened))
            }
            Request::Circuits {
                worker,
                destination,
            } => self.circuits(worker, destination.as_deref()).map(Some),
            Request::ForceCircuit {
                worker,
                destination,
                isolate,
            } => {
                let forced = self.force_circuit(worker, &destination, isolate);
                forced.map(Some)
            }
            Request::CoolDown {
                worker,
                destination,
                ms,
            } => self.cool_down(worker, &destination, ms).map(Some),
            Request::SetSluice { sluice, state } => {
                self.set_sluice(sluice, state);
                Ok(Some(Object::None))
            }
            Request::PauseWorker { worker } => self.pause_worker(worker, true),
            Request::ResumeWorker { worker } => self.pause_worker(worker, false),
            Request::DrainWorker { worker } => {
                self.drain_worker(ticket, worker)?;
                Ok(None)
            }
            Request::PauseQueue { queue } => self.pause_queue(ticket, queue, true),
            Request::ResumeQueue { queue } => self.pause_queue(ticket, queue, false),
            Request::Cancel { queue, id } => {
                let queue = self.known(queue)?;
                let value = u64::from(self.cancel(queue, &id));
                self.answer(ticket, value)
            }
            Request::RetryNow { queue, id } => {
                let queue = self.known(queue)?;
                let value = u64::from(self.retry_now(queue, &id));
                self.answer(ticket, value)
            }
            Request::Purge { queue } => {
                let queue = self.known(queue)?;
                // What is being redriven waits already, as far as the journal knows.
                if self.dead_jobs.is_redriving(queue) || self.dying.is_any_orphan_of(queue) {
                    self.purge_later(ticket, queue)?;
                    return Ok(None);
                }
                let count = self.purge(queue);
                self.answer(ticket, count)
            }
            Request::Forget { queue, id } => {
                let queue = self.known(queue)?;
                let value = u64::from(self.forget(queue, &id));
                self.answer(ticket, value)
            }
            Request::Get { queue, id } => {
                let queue = self.known_to_show(queue)?;
                self.inspect_one(ticket, queue, &id);
                Ok(None)
            }
            Request::Peek {
                queue,
                state,
                limit,
            } => {
                let queue = self.known_to_show(queue)?;
                self.check_peek(queue, state)?;
                self.inspect_many(ticket, queue, state, limit);
                Ok(None)
            }
            Request::Select {
                queue,
                ids,
                states,
                limit,
            } => {
                let queue = self.known_to_show(queue)?;
                let selection = Selection::new(ids, states, limit)?;
                self.select(ticket, queue, Rc::new(selection));
                Ok(None)
            }
            Request::DeadPage {
                queue,
                filter,
                after,
                limit,
            } => {
                let queue = self.known_to_show(queue)?;
                self.dead_page(ticket, queue, filter, after.as_deref(), limit)?;
                Ok(None)
            }
            Request::DeadCount { queue, filter } => {
                let queue = self.known(queue)?;
                if filter == DeadFilter::default() {
                    let count = self.ledger.queues[queue as usize].dead.len() as u64;
                    return self.answer(ticket, count);
                }
                self.count_dead(ticket, queue, filter)?;
                Ok(None)
            }
            Request::Redrive {
                queue,
                filter,
                to,
                per_second_milli,
                forget_steps,
            } => {
                let queue = self.known(queue)?;
                let to = match to {
                    Some(name) => Some(self.redrive_target(&name)?),
                    None => None,
                };
                let how = How { to, forget_steps };
                self.redrive(ticket, queue, filter, how, per_second_milli)?;
                Ok(None)
            }
            Request::RemoveDead { queue, filter } => {
                let queue = self.known(queue)?;
                self.remove_dead(ticket, queue, filter)?;
                Ok(None)
            }
            _ => unreachable!("answered by the caller"),
        }
    }

    fn answer(&mut self, ticket: Ticket, value: u64) -> Requested {
        self.reply(ticket, Ok(Answer::Value(value)));
        Ok(None)
    }

    /// The number of a queue that exists.
    pub(super) fn known(&self, queue: QueueId) -> Result<u32, Failure> {
        if (queue.0 as usize) < self.ledger.queues.len() {
            return Ok(queue.0);
        }
        let message = format!("expected the number of a queue, got {}", queue.0);
        Err(Failure::new(ErrorCode::InvalidOption, message))
    }

    /// The number of a queue of which something may be shown now.
    pub(super) fn known_to_show(&self, queue: QueueId) -> Result<u32, Failure> {
        self.room_to_show()?;
        self.known(queue)
    }

    fn open_worker(
        &mut self,
        queue: QueueId,
        concurrency: u32,
        policies: Policies,
    ) -> Result<Object, Failure> {
        let queue = self.known(queue)?;
        if !(1..=CLAIMS_MAX).contains(&concurrency) {
            let message = format!("concurrency: expected 1 to {CLAIMS_MAX}, got {concurrency}");
            return Err(Failure::new(ErrorCode::InvalidOption, message));
        }
        self.room_to_work()?;
        if self.closing.is_some() {
            return Err(Failure::new(ErrorCode::Closed, "the box is closing"));
        }
        let opened = self.new_worker(queue, concurrency, policies)?;
        self.last_worker += 1;
        let worker = WorkerId(self.last_worker);
        self.workers.insert(worker, opened);
        self.resume_paces(worker);
        self.desks[queue as usize].workers.push_back(worker);
        self.ask_anew(queue);
        self.ledger.touch(queue);
        Ok(Object::Worker(WorkerOpened { worker }))
    }

    /// Limits the handlers of the worker that was opened last.
    fn limit_worker(&mut self, limits: HandlerLimits) {
        let worker = self.workers.get_mut(&WorkerId(self.last_worker));
        worker.expect("it was opened just now").limits = limits;
    }

    fn pause_worker(&mut self, id: WorkerId, paused: bool) -> Requested {
        let Some(worker) = self.workers.get_mut(&id) else {
            return Err(Failure::new(ErrorCode::Closed, "the worker is closed"));
        };
        worker.paused = paused;
        let queue = worker.queue;
        if paused {
            self.take_back_from(id);
        }
        self.ledger.touch(queue);
        Ok(Some(Object::None))
    }

    fn pause_queue(&mut self, ticket: Ticket, queue: QueueId, paused: bool) -> Requested {
        let queue = self.known(queue)?;
        if self.ledger.queues[queue as usize].paused != paused {
            self.ledger.queues[queue as usize].paused = paused;
            if paused {
                self.take_back_queue(queue);
            }
            self.ledger.write_queue(queue, &mut self.commit);
            let kind = if paused {
                EventKind::Paused
            } else {
                EventKind::Resumed
            };
            self.emit(queue, Event::of(kind, QueueId(queue)));
            self.ledger.touch(queue);
        }
        self.answer(ticket, 0)
    }

    pub(super) fn purge(&mut self, queue: u32) -> u64 {
        self.take_back_queue(queue);
        self.more = true;
        let dropped = self.drop_hand_overs_on_their_way_back(queue);
        let count = dropped + self.ledger.purge(queue, &mut self.commit);
        self.waits.purged();
        for (slot, number) in self.leases.held(queue) {
            self.ledger.free_if_purged(slot, number, self.now);
        }
        if count > 0 {
            self.note_drained(queue);
        }
        count
    }

    fn cancel(&mut self, queue: u32, id: &str) -> bool {
        let Some(slot) = self.ledger.by_id(queue, id) else {
            return self.cancel_handed_over(queue, id);
        };
        let message = &self.ledger.messages[slot];
        match message.standing {
            Standing::Dead => return false,
            Standing::Held if self.dying.is_orphan(queue, message.number) => return false,
            Standing::Leased => {
                let token = Token(self.ledger.messages[slot].token);
                self.lose_lease(token, AbortReason::LeaseLost);
                self.ledger.unlease(slot);
            }
            _ => self.ledger.leave(slot),
        }
        let ended = self.end_of(slot, MessageState::Cancelled, b"");
        self.ledger.cancel(slot, self.now, &mut self.commit);
        self.tell_end(ended);
        self.note_drained(queue);
        true
    }

    fn retry_now(&mut self, queue: u32, id: &str) -> bool {
        let Some(slot) = self.ledger.by_id(queue, id) else {
            return false;
        };
        let message = &self.ledger.messages[slot];
        if message.standing != Standing::Scheduled {
            return false;
        }
        let number = message.number;
        self.ledger.leave(slot);
        self.ledger.messages[slot].due = self.now;
        if !bug!("retry-now-unwritten") {
            self.commit.write(
                &Record::Rescheduled {
                    number,
                    due: self.now.0,
                },
                Note::None,
            );
        }
        self.ledger.enter(slot, self.now);
        true
    }

    /// Frees the id of a finished message. That of an unfinished or dead one, or of one that may be taken
    /// back, stays taken: its message could be found no more, and a second one could run beside it.
    fn forget(&mut self, queue: u32, id: &str) -> bool {
        let hash = self.ledger.id_hash(queue, id);
        let found = self.ledger.dedup.find(queue, hash);
        let finished = found.filter(|entry| self.ledger.dedup.finished_at(*entry).is_some());
        let may_come_back = self.ledger.unseen(queue, hash).is_some();
        let Some(entry) = finished.filter(|_| !may_come_back) else {
            return false;
        };
        self.commit
            .write(&Record::Forgotten { queue, hash }, Note::None);
        self.ledger.drop_entry(entry);
        true
    }

    fn box_stats(&self) -> BoxStats {
        let queues = &self.ledger.queues;
        BoxStats {
            queues: queues.len() as u32,
            messages: queues
                .iter()
                .map(|queue| queue.depth - queue.dead.len() as u64)
                .sum(),
            dead_letters: queues.iter().map(|queue| queue.dead.len() as u64).sum(),
            segments: self.commit.segments.len() as u32,
            journal_bytes: self.commit.total_bytes(),
            live_bytes: self.ledger.live_bytes,
            memory_bytes: self.ledger.cached_bytes,
            appends: self.commit.appends,
            records: self.commit.records,
            cleaned_segments: self.cleaning.segments,
            running: self.leases.len() as u64,
        }
    }

    /// Whether the box works: open and not failed.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    /// Finished messages are in no set that could be walked over.
    fn check_peek(&self, queue: u32, state: Option<MessageState>) -> Result<(), Failure> {
        let (name, instead) = match state {
            Some(MessageState::Completed) => {
                ("completed", "get(id) finds one while its id is remembered")
            }
            Some(MessageState::Cancelled) => ("cancelled", "nothing is kept of it"),
            _ => return Ok(()),
        };
        let message = format!(
            "state: expected 'scheduled', 'ready', 'leased' or 'dead', got '{name}': {instead} (queue '{}')",
            self.ledger.queues[queue as usize].name
        );
        Err(Failure::new(ErrorCode::InvalidOption, message))
    }

    /// Messages in one state, or in all of them in the order in which they would go on.
    pub(super) fn peek_slots(
        &self,
        queue: u32,
        state: Option<MessageState>,
        limit: usize,
    ) -> Vec<u32> {
        use MessageState::{Dead, Leased, Ready, Scheduled};
        let states = match state {
            Some(state) => vec![state],
            None => vec![Leased, Ready, Scheduled, Dead],
        };
        let mut slots = Vec::new();
        for state in states {
            slots.extend(self.slots_in(queue, state, limit - slots.len()));
        }
        slots
    }
}

/// Whether a request may write records, or be answered behind those of others.
fn waits_for_storage(request: &Request) -> bool {
    matches!(
        request,
        Request::DefineQueue { .. }
            | Request::OpenProducer { .. }
            | Request::PauseQueue { .. }
            | Request::ResumeQueue { .. }
            | Request::Cancel { .. }
            | Request::RetryNow { .. }
            | Request::Purge { .. }
            | Request::Forget { .. }
            | Request::DeadCount { .. }
            | Request::Redrive { .. }
            | Request::RemoveDead { .. }
    )
}
