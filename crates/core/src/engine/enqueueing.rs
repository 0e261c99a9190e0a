//! Accepting messages and telling so.

use std::rc::Rc;

use super::Engine;
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

/// What is to be told of a message that was accepted.
#[derive(Debug)]
pub(super) struct Told {
    queue: QueueId,
    pub(super) accepted: Accepted,
    /// Of a duplicate.
    id: Option<Rc<str>>,
}

impl Told {
    pub(super) fn of(enqueue: &Enqueue<'_>, accepted: Accepted) -> Self {
        let id = match accepted {
            Accepted::New(_) => None,
            Accepted::Duplicate { .. } => enqueue.id.map(Rc::from),
        };
        Self {
            queue: enqueue.queue,
            accepted,
            id,
        }
    }
}

impl Engine {
    pub(super) fn enqueue(&mut self, ticket: Ticket, enqueue: &Enqueue<'_>) {
        let outcome = self
            .room_to_stage()
            .and_then(|()| self.accept(enqueue, false));
        match outcome {
            Ok(accepted) => self.tell_accepted(ticket, 0, Told::of(enqueue, accepted)),
            Err(failure) => self.refuse(ticket, failure),
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

    pub(super) fn tell_accepted(&mut self, ticket: Ticket, index: u32, told: Told) {
        let Told {
            queue,
            accepted,
            id,
        } = told;
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
            Accepted::Duplicate { state, number } => {
                let id = id.unwrap_or_default();
                (true, state, number, IdText::given(id))
            }
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
