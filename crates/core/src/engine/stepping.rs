//! Recorded steps of the message of a delivery: asked for, and recorded.
//!
//! Both are fenced like a settlement. Whoever records a step is answered once it is durable; whoever
//! asks for one is shown it as inspections show things (see [`super::inspecting`]).

use super::Engine;
use super::deliveries::{already_settled, lease_lost};
use crate::command::{Reason, RecordStep, Settle, Ticket, Token, Verdict};
use crate::consumer::lease::Progress;
use crate::effect::{AbortReason, Answer, Effect};
use crate::error::{ErrorCode, Failure};
use crate::journal::Place;
use crate::ledger::steps::Gave;

/// The answer to a question about a step: nothing is recorded under this name, and something can be.
const UNKNOWN: u64 = 0;
/// It gave nothing.
const NOTHING: u64 = 1;
/// It gave what came in the `Body` before.
pub(super) const VALUE: u64 = 2;

impl Engine {
    pub(super) fn record_step(&mut self, ticket: Ticket, step: &RecordStep<'_>) {
        // However much is staged: what ran has happened, and a refusal would only repeat it.
        match self.write_step(step) {
            Ok(()) => self.reply(ticket, Ok(Answer::Value(0))),
            Err(failure) => self.refuse(ticket, failure),
        }
    }

    fn write_step(&mut self, step: &RecordStep<'_>) -> Result<(), Failure> {
        let slot = self.message_of(step.token)?;
        let queue = &self.ledger.queues[self.ledger.messages[slot].queue as usize];
        let length = step.result.map_or(0, <[u8]>::len);
        let limit = queue.settings.max_body_bytes as usize;
        if length > limit {
            let (name, queue) = (step.name, &queue.name);
            let message = format!(
                "step '{name}': expected a result of at most {limit} bytes, got {length} (queue '{queue}')"
            );
            return Err(Failure::new(ErrorCode::BodyTooLarge, message));
        }
        self.ledger
            .record_step(slot, step.name, step.result, &mut self.commit)
    }

    /// The message of a delivery that may be settled.
    fn message_of(&self, token: Token) -> Result<u32, Failure> {
        let lease = self.leases.get(token).filter(|lease| lease.delivered);
        let lease = lease
            .filter(|lease| !lease.handed_over)
            .ok_or_else(lease_lost)?;
        match lease.progress {
            // What ran is remembered, even if the attempt fails.
            Progress::Open | Progress::Late => lease.slot.ok_or_else(lease_lost),
            Progress::Settled => Err(already_settled()),
            Progress::Lost => Err(lease_lost()),
        }
    }

    pub(super) fn recall_step(&mut self, ticket: Ticket, token: Token, name: &str) {
        let slot = match self.message_of(token) {
            Ok(slot) => slot,
            Err(failure) => return self.refuse(ticket, failure),
        };
        let Some(key) = self.ledger.step_named(slot, name) else {
            // Whoever hears this runs the step: now is the time to say that it could not be recorded.
            return match self.ledger.room_for_step(slot, name) {
                Ok(()) => self.reply(ticket, Ok(Answer::Value(UNKNOWN))),
                Err(failure) => self.refuse(ticket, failure),
            };
        };
        let step = self.ledger.step(key);
        match step.gave {
            Gave::Value => match self.room_to_show() {
                Ok(()) => self.show_step(ticket, token, key),
                Err(failure) => self.refuse(ticket, failure),
            },
            Gave::Nothing => self.reply(ticket, Ok(Answer::Value(NOTHING))),
            Gave::Damaged => self.refuse_damaged_step(ticket, token, step.place),
        }
    }

    /// What a step gave is damaged: running it again could repeat it, so its message dies.
    pub(super) fn refuse_damaged_step(&mut self, ticket: Ticket, token: Token, place: Place) {
        if self.message_of(token).is_ok() {
            let settle = Settle {
                token,
                verdict: Verdict::Dead(Reason::Corrupt),
                returned: false,
                result: b"",
                error: b"",
            };
            self.settle_open(Ticket(0), &settle)
                .expect("its delivery is open");
            self.output.push_back(Effect::Abort {
                token,
                reason: AbortReason::LeaseLost,
            });
        }
        let failure = Failure {
            segment: Some(place.segment),
            offset: Some(place.offset.into()),
            ..Failure::new(
                ErrorCode::Corrupt,
                "the recorded result of the step is damaged: its message is a dead letter",
            )
        };
        self.refuse(ticket, failure);
    }
}
