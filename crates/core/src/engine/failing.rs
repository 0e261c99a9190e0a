//! When the storage fails.
//!
//! A failed append is final: what waits for it is told that its outcome is unknown, nothing later is
//! ever called durable, and the box takes no more work; reopening recovers. Only an append that
//! failed *clean* is another matter: see [`super::retracting`].

use std::rc::Rc;

use super::contents::Purpose;
use super::staging::Gate;
use super::{Engine, Phase};
use crate::command::{Command, ReadId, Ticket};
use crate::effect::{Answer, Effect, Notice};
use crate::error::{ErrorCode, Failure};
use crate::ledger::Note;

impl Engine {
    /// The append in flight is durable: its gates open.
    pub(super) fn appended(&mut self) {
        let mut done = self.commit.appended();
        self.cleaning.append_ended();
        self.room.found();
        self.tell_workers_of_append();
        let mut asked = Vec::new();
        for (note, span) in &done.notes {
            self.ledger
                .place(*note, span.at(done.segment, done.frame_offset));
            match *note {
                Note::Accepted { slot, number }
                | Note::Owed { slot, number }
                | Note::Moved { slot, number }
                | Note::TakenBack { slot, number }
                | Note::Edited { slot, number } => {
                    let over = self.ledger.cached_bytes > self.config.max_memory_bytes;
                    if over && self.ledger.is_tenant(slot, number) {
                        self.ledger.uncache(slot);
                    }
                }
                Note::Death { slot, sequence } if self.ledger.is_death(slot, sequence) => {
                    self.ledger.forget_details(slot);
                }
                Note::Entry { entry, .. } => asked.extend(self.inspections.take_asked(entry)),
                _ => {}
            }
        }
        for gate in done.gates.drain(..) {
            self.open_gate(gate);
        }
        self.ask_again(asked);
        self.commit.recycle(done);
    }

    /// Workers whose handlers returned during an append may claim ahead from now on, others no more.
    pub(super) fn tell_workers_of_append(&mut self) {
        for id in std::mem::take(&mut self.returned) {
            let Some(worker) = self.workers.get_mut(&id) else {
                continue;
            };
            if worker.append_ended() {
                self.returned.push(id);
            }
            self.ledger.touch(worker.queue);
        }
    }

    pub(super) fn open_gate(&mut self, gate: Gate) {
        match gate {
            Gate::Effect(effect) => self.output.push_back(effect),
            Gate::Started(token) => self.started(token),
            Gate::Inspected(job) => self.inspected(job),
            Gate::Settled(worker, claims) => self.settled_for(worker, claims),
            Gate::Emptied(segment) => self.remove_emptied(segment),
            Gate::Ended(ended) => self.ended(*ended),
            Gate::Edited(edited) => self.edited(&edited),
            Gate::ProducerOpened(opened) => self.producer_opened(&opened),
            Gate::Produced(produced) => self.produced(*produced),
            Gate::MovedIn(ticket) => {
                let result = Ok(Answer::Value(0));
                self.output.push_back(Effect::Reply { ticket, result });
            }
        }
    }

    pub(super) fn append_failed(&mut self, clean: bool) {
        if bug!("go-on-after-failed-append") {
            return self.appended();
        }
        if !clean {
            return self.fail_storage("an append to the journal failed");
        }
        self.retract_append();
    }

    /// The storage failed for good.
    pub(super) fn fail_storage(&mut self, what: &str) {
        if matches!(self.phase, Phase::Failed(_) | Phase::Closed) {
            return;
        }
        let message = format!("{what}: the box is read-only until it is opened again");
        let failure = Failure::new(ErrorCode::StorageFailed, message);
        self.fail(failure);
    }

    /// Ends the run: everything that waits is rejected.
    pub(super) fn fail(&mut self, failure: Failure) {
        self.output.push_back(Effect::Notice(Notice::Failed {
            failure: failure.clone(),
        }));
        if let Phase::Opening(opening) =
            std::mem::replace(&mut self.phase, Phase::Failed(failure.clone()))
        {
            self.refuse(opening.ticket(), failure.clone());
        }
        self.refuse_waiting(&failure);
        let mut tickets = self.inspections.abandon();
        tickets.extend(self.waits.abandon());
        tickets.extend(self.dead_jobs.abandon());
        tickets.extend(self.paced_redrives.abandon());
        tickets.extend(self.idle_waits.abandon());
        tickets.extend(
            self.workers
                .values_mut()
                .flat_map(|worker| worker.closing.drain(..)),
        );
        let drains = self.workers.values_mut();
        tickets.extend(
            drains
                .filter_map(|worker| worker.drain.take())
                .map(|drain| drain.ticket),
        );
        tickets.extend(self.waiters.abandon());
        if let Some(closing) = self.closing.take() {
            tickets.extend(closing.tickets());
        }
        for ticket in tickets {
            self.refuse(ticket, failure.clone());
        }
    }

    /// Refuses what waits for an append, and counts it no more. An enqueue is told its ids: with them it can
    /// be repeated safely.
    fn refuse_waiting(&mut self, failure: &Failure) {
        for queue in self.commit.accepting() {
            self.ledger.queues[queue as usize].counters.enqueued -= 1;
        }
        let is_event = |gate: &Gate| matches!(gate, Gate::Effect(Effect::Event(_)));
        let gates = self.commit.abandon().into_iter();
        let mut gates = gates.filter(|gate| !is_event(gate)).peekable();
        while let Some(gate) = gates.next() {
            match gate {
                Gate::Effect(Effect::Receipt { ticket, id, .. }) => {
                    // Between the receipts of one unit lie only events.
                    let mut ids = vec![id.to_string()];
                    while let Some(Gate::Effect(Effect::Receipt { id, .. })) =
                        gates.next_if(|next| is_receipt_of(next, ticket))
                    {
                        ids.push(id.to_string());
                    }
                    // The answer of a transaction follows its receipts.
                    gates.next_if(|next| is_reply_of(next, ticket));
                    let failure = Failure {
                        id: Some(ids[0].clone()),
                        ids: if ids.len() > 1 { ids } else { Vec::new() },
                        ..failure.clone()
                    };
                    self.refuse(ticket, failure);
                }
                Gate::Effect(Effect::Reply { ticket, .. }) => self.refuse(ticket, failure.clone()),
                Gate::MovedIn(ticket) => self.refuse(ticket, failure.clone()),
                Gate::Edited(edited) => self.refuse(edited.ticket, failure.clone()),
                Gate::ProducerOpened(opened) => self.refuse(opened.ticket, failure.clone()),
                Gate::Produced(produced) => {
                    let id = Some(produced.id.to_string()).filter(|id| !id.is_empty());
                    let failure = failure.clone();
                    self.refuse(produced.ticket, Failure { id, ..failure });
                }
                Gate::Ended(ended) => {
                    for ticket in ended.tickets() {
                        self.refuse(ticket, failure.clone());
                    }
                }
                _ => {}
            }
        }
    }

    /// Refuses a command of a box that takes no work.
    pub(super) fn refuse_command(
        &mut self,
        ticket: Ticket,
        command: &Command<'_>,
        failure: Failure,
    ) {
        let id = match command {
            Command::Enqueue(enqueue) => enqueue.id.map(str::to_owned),
            _ => None,
        };
        self.refuse(ticket, Failure { id, ..failure });
    }

    /// Bytes that were asked for.
    pub(super) fn chunk(&mut self, read: ReadId, bytes: &[u8]) {
        if matches!(self.phase, Phase::Opening(_)) {
            return self.opening_chunk(bytes);
        }
        for loaded in self.reads.chunk(read, bytes) {
            match loaded.purpose {
                Purpose::Deliver(token) => self.loaded_for_delivery(token, loaded.payload.ok()),
                Purpose::Inspect { job, index, part } => {
                    let payload: Option<Rc<[u8]>> = loaded.payload.ok();
                    self.loaded_for_inspection(job, index, part, payload);
                }
                Purpose::Die(number) => self.loaded_for_death(number, loaded.payload.ok()),
                Purpose::Edit { death, details } => {
                    self.loaded_for_edit(death, details, loaded.payload.ok());
                }
                Purpose::Move { .. } | Purpose::MoveEntry { .. } | Purpose::MoveStep { .. } => {
                    self.loaded_for_move(loaded)
                }
            }
        }
    }
}

fn is_receipt_of(gate: &Gate, unit: Ticket) -> bool {
    matches!(gate, Gate::Effect(Effect::Receipt { ticket, .. }) if *ticket == unit)
}

fn is_reply_of(gate: &Gate, unit: Ticket) -> bool {
    matches!(gate, Gate::Effect(Effect::Reply { ticket, .. }) | Gate::MovedIn(ticket) if *ticket == unit)
}
