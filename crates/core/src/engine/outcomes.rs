//! How messages ended, for those who wait for it.
//!
//! A wait is registered and its message looked up in one go, so no end comes between. What ends is told
//! once it is durable, from what ended it: with its result, and whether or not anything is remembered
//! of it.

use std::rc::Rc;

use super::Engine;
use super::inspecting::Question;
use super::staging::Gate;
use super::waits::{Subject, Wait};
use crate::command::{MessageState, Ticket};
use crate::effect::{Answer, Content, Effect, MessageInfo, Object};
use crate::error::{ErrorCode, Failure};
use crate::ledger::RecentEnd;
use crate::ledger::message::Standing;

/// An end that somebody waits for.
#[derive(Debug)]
pub(super) struct Ended {
    /// Whose.
    pub(super) number: u64,
    waits: Vec<Wait>,
    info: MessageInfo,
    /// Encoded, empty for none.
    result: Rc<[u8]>,
}

impl Ended {
    /// The tickets of all who wait.
    pub(super) fn tickets(&self) -> impl Iterator<Item = Ticket> {
        self.waits.iter().map(|wait| wait.ticket)
    }
}

impl Engine {
    /// Answers with the end of the message with this id: at once if it has ended, else when it does.
    pub(super) fn finished(&mut self, ticket: Ticket, queue: u32, id: &str) {
        let subject = match self.ledger.by_id(queue, id) {
            Some(slot) => {
                let message = &self.ledger.messages[slot];
                if message.standing == Standing::Dead {
                    return self.inspect_death(ticket, slot);
                }
                Subject::Message(message.number)
            }
            None => {
                if let Some(number) = self.ledger.handed_over_by_id(queue, id) {
                    return self.await_end(ticket, Subject::Message(number), queue, id);
                }
                if self.inspect_end(ticket, queue, id, Question::Finished) {
                    return;
                }
                if let Some(end) = self.ledger.recent_end(queue, id, self.now) {
                    return self.tell_recent_end(ticket, queue, id, end);
                }
                if self.ledger.is_past(queue, id) {
                    let message = format!(
                        "message '{id}' ended long ago or in another run: how is kept for ids of the caller's only (queue '{}')",
                        self.ledger.queues[queue as usize].name
                    );
                    return self.reply(ticket, Err(Failure::new(ErrorCode::NotFound, message)));
                }
                Subject::Id(self.ledger.id_hash(queue, id))
            }
        };
        self.await_end(ticket, subject, queue, id);
    }

    /// Tells of an end that is behind, like any other once it is durable.
    fn tell_recent_end(&mut self, ticket: Ticket, queue: u32, id: &str, end: RecentEnd) {
        let attempt = (end.state == MessageState::Completed).then_some(end.attempt);
        let wait = Wait {
            ticket,
            queue,
            id: Box::from(id),
        };
        let info = MessageInfo {
            state: end.state,
            attempt,
            ..self.ledger.cancelled_info(queue, id, end.at)
        };
        self.tell_end(Some(Ended {
            number: end.number,
            waits: vec![wait],
            info,
            result: Rc::from(end.result),
        }));
    }

    fn await_end(&mut self, ticket: Ticket, subject: Subject, queue: u32, id: &str) {
        if self.closing.is_some() {
            let closing = Failure::new(ErrorCode::Closed, "the box is closing");
            return self.refuse(ticket, closing);
        }
        let id = Box::from(id);
        if let Err(failure) = self.waits.add(subject, Wait { ticket, queue, id }) {
            self.refuse(ticket, failure);
        }
    }

    /// A message was accepted: who waits for its id waits for it from now on.
    pub(super) fn await_message(&mut self, slot: u32) {
        if !self.waits.is_empty() {
            let (message, id) = self.subjects_of(slot);
            self.waits.rehang(id, message);
        }
    }

    /// A message is taken back as if it had never been accepted.
    pub(super) fn unawait_message(&mut self, slot: u32) {
        if !self.waits.is_empty() {
            let (message, id) = self.subjects_of(slot);
            self.waits.rehang(message, id);
        }
    }

    /// A message that was handed over is taken back as if it had never been accepted.
    pub(super) fn unawait_handed_over(&mut self, queue: u32, number: u64) {
        let message = Subject::Message(number);
        if self.waits.has(message)
            && let Some(id) = self.ledger.handed_over_id(number)
        {
            let id = Subject::Id(self.ledger.id_hash(queue, &id));
            self.waits.rehang(message, id);
        }
    }

    fn subjects_of(&self, slot: u32) -> (Subject, Subject) {
        let message = &self.ledger.messages[slot];
        let id = self.ledger.id_text(slot);
        (
            Subject::Message(message.number),
            Subject::Id(self.ledger.id_hash(message.queue, &id)),
        )
    }

    /// A message is about to end in this state. What it gives is told with [`Engine::tell_end`] as soon
    /// as the record of the end is written; none if nobody waits for it.
    pub(super) fn end_of(
        &mut self,
        slot: u32,
        state: MessageState,
        result: &[u8],
    ) -> Option<Ended> {
        if state != MessageState::Dead {
            self.ledger.note_end(slot, state, result, self.now);
        }
        let number = self.ledger.messages[slot].number;
        if !self.waits.has(Subject::Message(number)) {
            return None;
        }
        let info = self.ledger.info(slot);
        Some(self.ended_as(number, state, info, result))
    }

    fn ended_as(
        &mut self,
        number: u64,
        state: MessageState,
        info: MessageInfo,
        result: &[u8],
    ) -> Ended {
        Ended {
            number,
            waits: self.waits.take(Subject::Message(number)),
            info: MessageInfo {
                state,
                finished_at: Some(self.now),
                ..info
            },
            result: Rc::from(result),
        }
    }

    /// A message that was handed over has ended, which is told only now that it cannot be taken back any
    /// more: completed, however its handler fared, or withdrawn.
    pub(super) fn tell_hand_over_end(&mut self, number: u64, state: MessageState) {
        self.ledger.note_hand_over_end(number, state, self.now);
        if self.waits.has(Subject::Message(number))
            && let Some(info) = self.ledger.handed_over_info(number)
        {
            let ended = self.ended_as(number, state, info, b"");
            self.tell_end(Some(ended));
        }
    }

    /// A message has ended.
    pub(super) fn tell_end(&mut self, ended: Option<Ended>) {
        if let Some(ended) = ended
            && let Some(gate) = self.commit.gate(Gate::Ended(Box::new(ended)))
        {
            self.open_gate(gate);
        }
    }

    /// An end is durable.
    pub(super) fn ended(&mut self, ended: Ended) {
        for ticket in ended.tickets() {
            if !ended.result.is_empty() {
                self.output.push_back(Effect::Body {
                    ticket,
                    index: 0,
                    intact: true,
                    content: Content {
                        bytes: Rc::clone(&ended.result),
                        headers: (0, 0),
                        body: (0, ended.result.len() as u32),
                    },
                });
            }
            let infos = Object::Infos(vec![ended.info.clone()]);
            self.output.push_back(Effect::Reply {
                ticket,
                result: Ok(Answer::Object(Box::new(infos))),
            });
        }
    }

    /// An end will never have been: its message was taken back. Who waits goes on waiting.
    pub(super) fn unended(&mut self, ended: Ended) {
        for wait in ended.waits {
            let subject = Subject::Id(self.ledger.id_hash(wait.queue, &wait.id));
            let ticket = wait.ticket;
            if let Err(failure) = self.waits.add(subject, wait) {
                self.refuse(ticket, failure);
            }
        }
    }

    /// Tells those who wait for messages that were purged, a slice of them.
    pub(super) fn tell_purged(&mut self) {
        for _ in 0..super::SLICE {
            let Some(number) = self.waits.next_to_look_at() else {
                return;
            };
            let is_there = match self.ledger.by_number(number) {
                Some(slot) => !self.ledger.is_purged(slot),
                None => self.ledger.handed_over(number).is_some(),
            };
            if is_there {
                continue;
            }
            let waits = self.waits.take(Subject::Message(number));
            let wait = waits.first().expect("looked at because somebody waits");
            let info = self.ledger.cancelled_info(wait.queue, &wait.id, self.now);
            self.tell_end(Some(Ended {
                number,
                waits,
                info,
                result: Rc::from([]),
            }));
        }
        self.more = true;
    }
}
