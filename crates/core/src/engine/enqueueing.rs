//! Accepting messages and telling so.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::Engine;
use super::staging::UnitMark;
use crate::command::{Enqueue, QueueId, Ticket};
use crate::effect::{Effect, Event, EventKind};
use crate::error::{ErrorCode, Failure};
use crate::id_text::IdText;
use crate::ledger::Accepted;
use crate::time::Timestamp;

/// One atomic unit is at most so large.
const UNIT_BYTES_MAX: usize = 8 << 20;
/// And has at most so many items.
const UNIT_ITEMS_MAX: usize = 10_000;

impl Engine {
    pub(super) fn enqueue(&mut self, ticket: Ticket, enqueue: &Enqueue<'_>) {
        let outcome = self
            .room_to_stage()
            .and_then(|()| self.accept(enqueue, false));
        match outcome {
            Ok(accepted) => self.tell_accepted(ticket, 0, enqueue, accepted),
            Err(failure) => self.refuse(ticket, failure),
        }
    }

    /// All or nothing: what was accepted before a refusal is taken back.
    pub(super) fn enqueue_many(&mut self, ticket: Ticket, items: &[Enqueue<'_>]) {
        let checked = self
            .room_to_stage()
            .and_then(|()| check_unit(items.len(), items.iter().map(payload_bytes).sum()));
        if let Err(failure) = checked {
            return self.refuse(ticket, failure);
        }
        let mark = self.commit.begin_unit();
        match self.accept_all(items, false, mark) {
            Ok(accepted) => {
                self.commit.end_unit();
                self.tell_all_accepted(ticket, items, accepted);
            }
            Err(failure) => self.refuse(ticket, failure),
        }
    }

    /// Accepts the messages of the unit that began at `mark`, in their order; ends it with a refusal.
    pub(super) fn accept_all(
        &mut self,
        items: &[Enqueue<'_>],
        owed: bool,
        mark: UnitMark,
    ) -> Result<Vec<Accepted>, Failure> {
        let mut outcomes = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            match self.accept(item, owed) {
                Ok(accepted) => outcomes.push(accepted),
                Err(failure) => {
                    let message = format!("item {index}: {}", failure.message);
                    self.take_back(&outcomes, mark);
                    return Err(Failure { message, ..failure });
                }
            }
        }
        Ok(outcomes)
    }

    pub(super) fn tell_all_accepted(
        &mut self,
        ticket: Ticket,
        items: &[Enqueue<'_>],
        accepted: Vec<Accepted>,
    ) {
        for (index, (item, accepted)) in items.iter().zip(accepted).enumerate() {
            self.tell_accepted(ticket, index as u32, item, accepted);
        }
    }

    /// Accepts one message; a refusal changes nothing.
    pub(super) fn accept(
        &mut self,
        enqueue: &Enqueue<'_>,
        owed: bool,
    ) -> Result<Accepted, Failure> {
        if enqueue.queue.0 as usize >= self.ledger.queues.len() {
            let message = format!("expected the number of a queue, got {}", enqueue.queue.0);
            return Err(Failure::new(ErrorCode::InvalidOption, message));
        }
        let queue = enqueue.queue.0;
        let had_shortened = self.has_shortened(queue);
        let accepted = self
            .ledger
            .accept(self.now, enqueue, owed, &mut self.commit);
        if let Ok(Accepted::New(slot)) = accepted {
            self.await_message(slot);
        }
        self.warn_of_shortening(queue, had_shortened);
        accepted
    }

    pub(super) fn has_shortened(&self, queue: u32) -> bool {
        let target = &self.ledger.queues[queue as usize];
        target.remembered_from.is_some()
    }

    /// Warns once a queue began to forget ids early.
    pub(super) fn warn_of_shortening(&mut self, queue: u32, had_shortened: bool) {
        if !had_shortened && self.has_shortened(queue) {
            let message = "dedup.maxEntries is reached: the ids that finished first are forgotten before their window is over";
            self.warn(Some(queue), message.to_owned());
        }
    }

    fn take_back(&mut self, outcomes: &[Accepted], mark: UnitMark) {
        let mut seen = BTreeSet::new();
        for accepted in outcomes.iter().rev() {
            if let Accepted::New(slot) = accepted
                && seen.insert(*slot)
            {
                self.unawait_message(*slot);
                self.ledger.retract(*slot, self.now);
            }
        }
        self.commit.take_unit_back(mark);
    }

    fn tell_accepted(
        &mut self,
        ticket: Ticket,
        index: u32,
        enqueue: &Enqueue<'_>,
        accepted: Accepted,
    ) {
        let queue = enqueue.queue;
        let (duplicate, state, number, id) = match accepted {
            Accepted::New(slot) => {
                let message = &self.ledger.messages[slot];
                (
                    false,
                    message.state(),
                    message.number,
                    self.ledger.id_text(slot),
                )
            }
            Accepted::Duplicate { state, number } => (
                true,
                state,
                number,
                IdText::given(Rc::from(enqueue.id.unwrap_or_default())),
            ),
        };
        let kind = if duplicate {
            EventKind::Duplicate
        } else {
            EventKind::Enqueued
        };
        if self.listens(queue.0, kind) {
            self.emit(
                queue.0,
                Event {
                    number,
                    id: id.to_string(),
                    ..Event::of(kind, queue)
                },
            );
        }
        self.after_commit(Effect::Receipt {
            ticket,
            index,
            duplicate,
            state,
            number,
            id,
        });
    }
}

impl Event {
    /// An event of a kind with nothing told yet.
    #[must_use]
    pub fn of(kind: EventKind, queue: QueueId) -> Self {
        Self {
            kind,
            queue,
            attempt: 0,
            reason: None,
            wait_ms: 0,
            handle_ms: 0,
            at: Timestamp(0),
            number: 0,
            states: None,
            id: String::new(),
            error: Box::default(),
        }
    }
}

/// Bytes of a message that count against the size of a unit.
pub(super) fn payload_bytes(enqueue: &Enqueue<'_>) -> usize {
    enqueue.body.len() + enqueue.headers.len()
}

/// Whether so much may be one atomic unit.
pub(super) fn check_unit(items: usize, bytes: usize) -> Result<(), Failure> {
    if items <= UNIT_ITEMS_MAX && bytes <= UNIT_BYTES_MAX {
        return Ok(());
    }
    Err(Failure::new(
        ErrorCode::BodyTooLarge,
        format!(
            "expected at most {UNIT_ITEMS_MAX} items and {UNIT_BYTES_MAX} bytes in one atomic unit, \
             got {items} items and {bytes} bytes"
        ),
    ))
}
