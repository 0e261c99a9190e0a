//! When the storage fails.
//!
//! A failed append is final: what waits for it is told that its outcome is unknown, nothing later is
//! ever called durable, and the box takes no more work; reopening recovers. An append that
//! failed *clean* wrote nothing: what it would have accepted is refused, all else is staged again.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::commit::{Gate, Retracted};
use super::contents::Purpose;
use super::{Engine, Phase};
use crate::command::{Command, ReadId, Ticket};
use crate::effect::{Effect, Notice};
use crate::error::{ErrorCode, Failure};
use crate::journal::Record;
use crate::ledger::Note;

impl Engine {
    /// The append in flight is durable: its gates open.
    pub(super) fn appended(&mut self) {
        let done = self.commit.appended();
        self.cleaning.append_ended();
        for worker in self.workers.values_mut() {
            worker.append_ended();
        }
        for (note, span) in &done.notes {
            self.ledger
                .place(*note, span.at(done.segment, done.frame_offset));
            match *note {
                Note::Accepted { slot, number } | Note::Moved { slot, number } => {
                    let over = self.ledger.cached_bytes > self.config.max_memory_bytes;
                    if over && self.ledger.is_tenant(slot, number) {
                        self.ledger.uncache(slot);
                    }
                }
                Note::Death { slot, sequence } if self.ledger.is_death(slot, sequence) => {
                    self.ledger.forget_details(slot);
                }
                _ => {}
            }
        }
        let mut gates = done.gates;
        for gate in gates.drain(..) {
            self.open_gate(gate);
        }
        self.commit.recycle(done.notes, gates);
        for queue in 0..self.desks.len() {
            if !self.desks[queue].workers.is_empty() {
                self.ledger.touch(queue as u32);
            }
        }
    }

    fn open_gate(&mut self, gate: Gate) {
        match gate {
            Gate::Effect(effect) => self.output.push_back(effect),
            Gate::Started(token) => self.started(token),
            Gate::Inspected(job) => self.inspected(job),
            Gate::Emptied(segment) => self.output.push_back(Effect::Remove { segment }),
        }
    }

    pub(super) fn append_failed(&mut self, clean: bool) {
        if !clean {
            return self.fail_storage("an append to the journal failed");
        }
        let frames = self.commit.retract();
        let gone = gone_with(&frames);
        // Deaths are counted in records, so a message whose death is written cannot be taken back.
        let is_final = if gone.is_empty() {
            frames[0].is_awaited()
        } else {
            gone.iter().any(|number| self.is_dead(*number))
        };
        if is_final {
            self.stage_again(frames, &BTreeSet::new());
            return self.fail_storage("the storage has no room even for settlements");
        }
        self.forget_leases_of(&gone);
        for number in gone.iter().rev() {
            if let Some(slot) = self.ledger.by_number(*number) {
                self.ledger.retract(slot, self.now);
            }
        }
        self.cleaning.wait_for_room();
        self.stage_again(frames, &gone);
        self.commit.hold_if_unawaited();
    }

    fn is_dead(&self, number: u64) -> bool {
        let slot = self.ledger.by_number(number);
        slot.is_some_and(|slot| self.ledger.messages[slot].death.is_some())
    }

    /// A message that is taken back may have been claimed, or even settled (at-most-once).
    fn forget_leases_of(&mut self, gone: &BTreeSet<u64>) {
        for token in self.leases.tokens() {
            let lease = self.leases.get(token).expect("listed just now");
            if !gone.contains(&lease.number) {
                continue;
            }
            let lease = self.forget_claim(token).expect("listed just now");
            if let Some(letter) = &lease.letter {
                self.ledger
                    .retract_completed(lease.queue, lease.number, &letter.id);
                self.end_hand_over(&lease);
            }
        }
    }

    /// Stages frames anew without the messages that were taken back, and without what cleaning moved:
    /// that is still where it was.
    fn stage_again(&mut self, frames: Vec<Retracted>, gone: &BTreeSet<u64>) {
        let mut refused = BTreeSet::new();
        for frame in frames {
            self.commit.begin_frame();
            for (note, payload) in &frame.records {
                let record = Record::decode(payload).expect("it was encoded by this run");
                if let Some(slot) = self.is_still_there(&record, *note) {
                    self.ledger.messages[slot].moving = false;
                } else if matches!(record, Record::Opens(_)) {
                    // The segment that begins next gets a new list.
                } else if !number_of(&record).is_some_and(|number| gone.contains(&number)) {
                    self.commit.write_again(&record, *note);
                }
            }
            for gate in frame.gates {
                match self.refuse_gone(gate, gone, &mut refused) {
                    Some(Gate::Started(token)) if self.leases.get(token).is_none() => {}
                    Some(gate) => {
                        if let Some(gate) = self.commit.gate(gate) {
                            self.open_gate(gate);
                        }
                    }
                    None => {}
                }
            }
        }
    }

    /// The slot of a message that was only moved: its old record is as good. (That of a dead letter
    /// may be the only one of its death.)
    fn is_still_there(&self, record: &Record<'_>, note: Note) -> Option<u32> {
        match (record, note) {
            (Record::Message(message), Note::Moved { slot, number }) if message.death.is_none() => {
                self.ledger.is_tenant(slot, number).then_some(slot)
            }
            _ => None,
        }
    }

    /// Turns the receipts of a unit of which something was taken back into one refusal.
    fn refuse_gone(
        &mut self,
        gate: Gate,
        gone: &BTreeSet<u64>,
        refused: &mut BTreeSet<Ticket>,
    ) -> Option<Gate> {
        match gate {
            Gate::Effect(Effect::Receipt {
                ticket, number, id, ..
            }) if gone.contains(&number) || refused.contains(&ticket) => {
                if refused.insert(ticket) {
                    let message = "the storage is full: the message was not accepted";
                    // A generated id must not be used again: it would count as accepted.
                    let id = Some(id).filter(|id| !self.ledger.is_generated(id));
                    let failure = Failure {
                        id,
                        ..Failure::new(ErrorCode::StorageFull, message)
                    };
                    self.output.push_back(Effect::Reply {
                        ticket,
                        result: Err(failure),
                    });
                }
                None
            }
            Gate::Effect(Effect::Event(event))
                if event.number != 0 && gone.contains(&event.number) =>
            {
                None
            }
            gate => Some(gate),
        }
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
        for gate in self.commit.abandon() {
            match gate {
                Gate::Effect(Effect::Receipt {
                    ticket,
                    index: 0,
                    id,
                    ..
                }) => {
                    let failure = Failure {
                        id: Some(id),
                        ..failure.clone()
                    };
                    self.output.push_back(Effect::Reply {
                        ticket,
                        result: Err(failure),
                    });
                }
                Gate::Effect(Effect::Reply { ticket, .. }) => self.refuse(ticket, failure.clone()),
                _ => {}
            }
        }
        let mut tickets = self.inspections.abandon();
        tickets.extend(self.dead_jobs.abandon());
        tickets.extend(
            self.workers
                .values_mut()
                .flat_map(|worker| worker.closing.drain(..)),
        );
        for desk in &mut self.desks {
            tickets.extend(desk.waiters.drain(..).map(|waiter| waiter.ticket));
        }
        if let Some(closing) = self.closing.take() {
            tickets.extend(closing.tickets());
        }
        for ticket in tickets {
            self.refuse(ticket, failure.clone());
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
                Purpose::Inspect {
                    job,
                    index,
                    details,
                } => {
                    let payload: Option<Rc<[u8]>> = loaded.payload.ok();
                    self.loaded_for_inspection(job, index, details, payload);
                }
                Purpose::Move { .. } | Purpose::MoveEntry { .. } => self.loaded_for_move(loaded),
            }
        }
    }
}

/// The messages that are refused: those that the failed frame would have accepted, and with each of
/// them whatever was enqueued in one unit with it or with a duplicate of it.
fn gone_with(frames: &[Retracted]) -> BTreeSet<u64> {
    let mut gone: BTreeSet<u64> = frames[0].accepted().collect();
    loop {
        let before = gone.len();
        let refused = receipts(frames).filter(|(_, number, _)| gone.contains(number));
        let refused: BTreeSet<Ticket> = refused.map(|(ticket, ..)| ticket).collect();
        let taken_back = receipts(frames)
            .filter(|(ticket, _, duplicate)| !duplicate && refused.contains(ticket));
        gone.extend(taken_back.map(|(_, number, _)| number));
        if gone.len() == before {
            return gone;
        }
    }
}

/// Ticket, message and whether it is a duplicate of every receipt that waits.
fn receipts(frames: &[Retracted]) -> impl Iterator<Item = (Ticket, u64, bool)> {
    frames
        .iter()
        .flat_map(|frame| &frame.gates)
        .filter_map(|gate| match gate {
            Gate::Effect(Effect::Receipt {
                ticket,
                number,
                duplicate,
                ..
            }) => Some((*ticket, *number, *duplicate)),
            _ => None,
        })
}

impl Retracted {
    /// The messages that it would have accepted.
    fn accepted(&self) -> impl Iterator<Item = u64> {
        self.records.iter().filter_map(|(note, _)| match note {
            Note::Accepted { number, .. } => Some(*number),
            _ => None,
        })
    }

    /// Whether it holds more than housekeeping that can wait.
    fn is_awaited(&self) -> bool {
        let can_wait = |(note, payload): &(Note, Vec<u8>)| {
            let is_kept_elsewhere = matches!(
                Record::decode(payload),
                Ok(Record::Opened { .. }
                    | Record::Opens(_)
                    | Record::Queue { .. }
                    | Record::Entry(_))
            );
            is_kept_elsewhere || matches!(note, Note::Moved { .. })
        };
        self.gates.iter().any(Gate::is_awaited) || !self.records.iter().all(can_wait)
    }
}

/// The message that a record is about, if it is about one.
fn number_of(record: &Record<'_>) -> Option<u64> {
    Some(match record {
        Record::Message(message) => message.number,
        Record::Entry(entry) => entry.number,
        Record::Started { number, .. }
        | Record::Returned { number }
        | Record::Retried { number, .. }
        | Record::Completed { number, .. }
        | Record::Dead { number, .. }
        | Record::Cancelled { number }
        | Record::Removed { number }
        | Record::Rescheduled { number, .. } => *number,
        Record::Opened { .. }
        | Record::Opens(_)
        | Record::Queue { .. }
        | Record::Purged { .. }
        | Record::Redriven { .. }
        | Record::Forgotten { .. } => return None,
    })
}
