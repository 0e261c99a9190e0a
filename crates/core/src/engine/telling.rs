//! Telling: at once what nothing was written for, and behind the commit what was.

use super::Engine;
use super::staging::Gate;
use crate::command::Ticket;
use crate::effect::{Answer, Effect, Event, EventKind, Notice};
use crate::error::Failure;

impl Engine {
    /// Tells something once everything written so far is durable.
    pub(super) fn after_commit(&mut self, effect: Effect) {
        if bug!("acknowledge-before-flush") {
            return self.output.push_back(effect);
        }
        if let Some(Gate::Effect(effect)) = self.commit.gate(Gate::Effect(effect)) {
            self.output.push_back(effect);
        }
    }

    /// Answers once everything written so far is durable. Ticket 0 asks for no answer.
    pub(super) fn reply(&mut self, ticket: Ticket, result: Result<Answer, Failure>) {
        if ticket.0 != 0 {
            self.after_commit(Effect::Reply { ticket, result });
        }
    }

    /// Refuses at once: nothing was written for it.
    pub(super) fn refuse(&mut self, ticket: Ticket, failure: Failure) {
        if ticket.0 != 0 {
            self.output.push_back(Effect::Reply {
                ticket,
                result: Err(failure),
            });
        }
    }

    /// Emits an event of a queue if anyone listens.
    pub(super) fn emit(&mut self, queue: u32, event: Event) {
        if self.listens(queue, event.kind) {
            if bug!("event-before-record") {
                self.output.push_back(Effect::Event(Box::new(event)));
                return;
            }
            self.after_commit(Effect::Event(Box::new(event)));
        }
    }

    pub(super) fn listens(&self, queue: u32, kind: EventKind) -> bool {
        self.ledger.queues[queue as usize].listens & (1 << kind as u32) != 0
    }

    pub(super) fn warn(&mut self, queue: Option<u32>, message: String) {
        let queue = queue.map(|queue| self.ledger.queues[queue as usize].name.to_string());
        self.output
            .push_back(Effect::Notice(Notice::Warning { message, queue }));
    }
}
