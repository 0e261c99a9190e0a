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
use crate::journal::{FRAME_HEADER_BYTES, RECORD_HEADER_BYTES, Record};
use crate::ledger::{Note, Recorder};

impl Engine {
    /// The append in flight is durable: its gates open.
    pub(super) fn appended(&mut self) {
        let done = self.commit.appended();
        for worker in self.workers.values_mut() {
            worker.append_ended();
        }
        let over = self.ledger.cached_bytes > self.config.max_memory_bytes;
        for (note, _) in &done.notes {
            match *note {
                Note::Accepted { slot, number } | Note::Moved { slot, number }
                    if over && self.ledger.is_tenant(slot, number) =>
                {
                    self.ledger.uncache(slot);
                }
                Note::Death { slot, number }
                    if self.ledger.is_tenant(slot, number)
                        && self.ledger.messages[slot].death.is_some() =>
                {
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
        let (failed, later) = self.commit.retract();
        let accepted: BTreeSet<u64> = failed
            .notes
            .iter()
            .filter_map(|(note, _)| match note {
                Note::Accepted { number, .. } => Some(*number),
                _ => None,
            })
            .collect();
        let records = failed.notes.iter().map(|(note, span)| {
            let start = failed.frame_at + (span.offset + RECORD_HEADER_BYTES) as usize;
            debug_assert!(
                span.offset >= FRAME_HEADER_BYTES,
                "records follow the frame's header"
            );
            (
                *note,
                failed.bytes[start..start + span.length as usize].to_vec(),
            )
        });
        let failed = Retracted {
            records: records.collect(),
            gates: failed.gates,
        };
        if accepted.is_empty() {
            self.stage_again(vec![failed], later, &accepted);
            return self.fail_storage("the storage has no room even for settlements");
        }
        for number in accepted.iter().rev() {
            if let Some(slot) = self.ledger.by_number(*number) {
                self.retract_deliveries(slot);
                self.ledger.retract(slot, self.now);
            }
        }
        self.stage_again(vec![failed], later, &accepted);
    }

    /// A message that is taken back may have been claimed.
    fn retract_deliveries(&mut self, slot: u32) {
        if let Some(token) = self.leases.of_slot(slot) {
            self.leases.remove(token);
            self.settled_suspect(token);
        }
    }

    /// Stages frames anew without the messages that were taken back.
    fn stage_again(&mut self, failed: Vec<Retracted>, later: Vec<Retracted>, gone: &BTreeSet<u64>) {
        for frame in failed.into_iter().chain(later) {
            self.commit.begin_frame();
            for (note, payload) in &frame.records {
                let record = Record::decode(payload).expect("it was encoded by this run");
                if !number_of(&record).is_some_and(|number| gone.contains(&number)) {
                    self.commit.write(&record, *note);
                }
            }
            for gate in frame.gates {
                match self.refuse_gone(gate, gone) {
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

    /// Turns the receipt of a message that was taken back, or of its duplicate, into a refusal.
    fn refuse_gone(&mut self, gate: Gate, gone: &BTreeSet<u64>) -> Option<Gate> {
        match gate {
            Gate::Effect(Effect::Receipt {
                ticket,
                index,
                number,
                id,
                ..
            }) if gone.contains(&number) => {
                if index == 0 {
                    let message = "the storage is full: the message was not accepted";
                    let failure = Failure {
                        id: Some(id),
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
        self.phase = Phase::Failed(failure.clone());
        self.output.push_back(Effect::Notice(Notice::Failed {
            failure: failure.clone(),
        }));
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
        tickets.extend(self.workers.values().filter_map(|worker| worker.closing));
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
