//! Numbered producers: each sequence is accepted once, in one frame with its message.

use super::Engine;
use super::staging::Gate;
use crate::command::{MessageState, Produce, QueueId, Ticket};
use crate::effect::{Answer, Effect, Event, EventKind, Object, ProducerOpened};
use crate::error::{ErrorCode, Failure};
use crate::id_text::IdText;
use crate::ledger::{AHEAD_MAX, Accepted};

/// Bytes of a producer's name.
const NAME_BYTES_MAX: usize = 256;

/// An answer to a numbered enqueue that waits for its frame.
#[derive(Debug)]
pub(super) struct Produced {
    pub(super) ticket: Ticket,
    pub(super) producer: u32,
    pub(super) duplicate: bool,
    pub(super) state: MessageState,
    /// Of its message, 0 if that is not known.
    pub(super) number: u64,
    /// Empty for a duplicate of which nothing more is known.
    pub(super) id: IdText,
    /// The lowest sequence that is missing then.
    pub(super) next: u64,
}

/// The answer to the opening of a producer.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) ticket: Ticket,
    pub(super) producer: u32,
    pub(super) epoch: u64,
    pub(super) next: u64,
}

impl Engine {
    pub(super) fn open_producer(&mut self, ticket: Ticket, name: &str) -> Result<(), Failure> {
        if !(1..=NAME_BYTES_MAX).contains(&name.len()) {
            let length = name.len();
            let message =
                format!("producer name: expected 1 to {NAME_BYTES_MAX} bytes, got {length}");
            return Err(Failure::new(ErrorCode::InvalidOption, message));
        }
        let producer = self.ledger.open_producer(name, &mut self.commit)?;
        let known = self.ledger.producers.get(producer).expect("opened above");
        let opened = Gate::ProducerOpened(Opened {
            ticket,
            producer,
            epoch: known.epoch,
            next: known.next(),
        });
        if let Some(gate) = self.commit.gate(opened) {
            self.open_gate(gate);
        }
        Ok(())
    }

    pub(super) fn produce(&mut self, ticket: Ticket, produce: &Produce<'_>) {
        let outcome = self
            .room_to_stage()
            .and_then(|()| self.accept_produced(produce));
        let (accepted, id) = match outcome {
            Ok(told) => told,
            Err(failure) => return self.refuse(ticket, failure),
        };
        let (duplicate, state, number) = match accepted {
            Accepted::New(slot) => {
                let message = &self.ledger.messages[slot];
                (false, message.state(), message.number)
            }
            Accepted::Duplicate { state, number } => (true, state, number),
        };
        self.tell_produced(produce.enqueue.queue, duplicate, number, &id);
        let known = self.ledger.producers.get(produce.producer);
        let produced = Gate::Produced(Box::new(Produced {
            ticket,
            producer: produce.producer,
            duplicate,
            state,
            number,
            id,
            next: known.expect("it has accepted something").next(),
        }));
        if let Some(gate) = self.commit.gate(produced) {
            self.open_gate(gate);
        }
    }

    fn accept_produced(&mut self, produce: &Produce<'_>) -> Result<(Accepted, IdText), Failure> {
        let Produce {
            producer,
            sequence,
            enqueue,
            ..
        } = produce;
        self.known(enqueue.queue)?;
        self.check_sequence(produce)?;
        if self.has_produced(*producer, *sequence) {
            return Ok(self.produced_before(produce));
        }
        let mark = self.commit.begin_unit();
        let accepted = match self.accept(enqueue, false) {
            Ok(accepted) => accepted,
            Err(failure) => {
                self.commit.take_unit_back(mark);
                return Err(failure);
            }
        };
        self.ledger
            .note_produced(*producer, *sequence, &mut self.commit);
        self.commit.end_unit();
        let id = match accepted {
            Accepted::New(slot) => self.ledger.id_text(slot),
            Accepted::Duplicate { .. } => IdText::given(enqueue.id.unwrap_or_default().into()),
        };
        Ok((accepted, id))
    }

    fn has_produced(&self, producer: u32, sequence: u64) -> bool {
        let known = self.ledger.producers.get(producer);
        known.is_some_and(|known| known.has(sequence))
    }

    /// Whether a handle may send this sequence.
    fn check_sequence(&self, produce: &Produce<'_>) -> Result<(), Failure> {
        let Some(known) = self.ledger.producers.get(produce.producer) else {
            let message = format!(
                "expected the number of a producer, got {}",
                produce.producer
            );
            return Err(Failure::new(ErrorCode::InvalidOption, message));
        };
        if known.epoch != produce.epoch {
            let message = "the producer was opened again since: this handle is fenced";
            return Err(Failure::new(ErrorCode::Fenced, message));
        }
        let (next, sequence) = (known.next(), produce.sequence);
        if sequence == 0 || sequence >= next + AHEAD_MAX {
            let last = next + AHEAD_MAX - 1;
            let message = format!(
                "sequence: expected 1 to {last}, {AHEAD_MAX} behind those without a gap, got {sequence}"
            );
            return Err(Failure::new(ErrorCode::InvalidOption, message));
        }
        Ok(())
    }

    /// What is known of the message of a sequence that was accepted before: with its id, its state.
    fn produced_before(&mut self, produce: &Produce<'_>) -> (Accepted, IdText) {
        let queue = produce.enqueue.queue.0;
        self.ledger.queues[queue as usize].counters.duplicates += 1;
        let id = produce.enqueue.id;
        let known = id.and_then(|id| self.ledger.original(queue, id, self.now));
        match known {
            Some(known) => (known, IdText::given(id.unwrap_or_default().into())),
            None => {
                let unknown = Accepted::Duplicate {
                    state: MessageState::Completed,
                    number: 0,
                };
                (unknown, IdText::given("".into()))
            }
        }
    }

    fn tell_produced(&mut self, queue: QueueId, duplicate: bool, number: u64, id: &IdText) {
        let kind = if duplicate {
            EventKind::Duplicate
        } else {
            EventKind::Enqueued
        };
        if !id.is_empty() && self.listens(queue.0, kind) {
            let event = Event {
                number,
                id: id.to_string(),
                ..Event::of(kind, queue)
            };
            self.emit(queue.0, event);
        }
    }

    /// A producer is open, durably.
    pub(super) fn producer_opened(&mut self, opened: &Opened) {
        let object = Object::Producer(ProducerOpened {
            producer: opened.producer,
            epoch: opened.epoch,
            sequence: opened.next,
        });
        self.output.push_back(Effect::Reply {
            ticket: opened.ticket,
            result: Ok(Answer::Object(Box::new(object))),
        });
    }

    /// A sequence is accepted, durably.
    pub(super) fn produced(&mut self, produced: Produced) {
        let Produced {
            ticket,
            duplicate,
            state,
            number,
            id,
            next,
            ..
        } = produced;
        self.output.push_back(Effect::Receipt {
            ticket,
            index: 0,
            duplicate,
            state,
            number,
            id,
        });
        self.output.push_back(Effect::Reply {
            ticket,
            result: Ok(Answer::Value(next)),
        });
    }
}
