//! Handlers that come to a step of their message: they ask what it gave, and if nobody knows, they run it
//! and have that recorded.

use ackbox_core::command::{Command, RecordStep, Request, Token};
use ackbox_core::effect::{Answer, Object};
use ackbox_core::error::{ErrorCode, Failure};

use crate::invariants::Violation;
use crate::model::steps::Gave;
use crate::model::{Asked, Held};
use crate::must;
use crate::op::Effort;
use crate::world::{Stop, World};

/// A handler that waits to hear what a step gave.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// Of which message.
    pub message: usize,
    /// In which delivery.
    pub token: u64,
    /// The number of its message, and the run that accepted that.
    pub origin: (u64, u32),
    /// What it is about to do.
    pub effort: Effort,
}

fn name_of(name: u8) -> String {
    format!("step-{name}")
}

impl World {
    pub(crate) fn come_to_step(&mut self, pick: u32, effort: Effort) -> Result<(), Stop> {
        let now = self.clock.engine_now();
        // Nobody begins with what took too long before.
        let may_come = |held: &Held| held.is_open(now) && (held.seen || !held.late);
        let Some(place) = self.pick(pick, may_come) else {
            return Ok(());
        };
        self.see(place);
        let held = &self.model.held[place];
        let (token, message, queue) = (held.token, held.message, held.queue);
        let origin = held.origin;
        let sequence = self.next_sequence();
        if self.model.at_most_once(queue) {
            self.model.asked.insert(sequence, Asked::Stale);
        } else if self.model.is_in_step(message, effort.name) {
            return Ok(());
        } else {
            let call = Call {
                message,
                token,
                origin,
                effort,
            };
            self.model.asked.insert(sequence, Asked::Recall(call));
        }
        let name = name_of(effort.name);
        let token = Token(token);
        self.command(sequence, Command::RecallStep { token, name: &name })
    }

    /// Whoever lost a delivery has nothing recorded.
    pub(crate) fn record_stale_step(&mut self, pick: u32, name: u8) -> Result<(), Stop> {
        let stale = &self.model.stale;
        if stale.is_empty() {
            return Ok(());
        }
        let token = Token(stale[pick as usize % stale.len()]);
        let sequence = self.next_sequence();
        self.model.asked.insert(sequence, Asked::Stale);
        let name = name_of(name);
        let step = RecordStep {
            token,
            name: &name,
            result: None,
        };
        self.command(sequence, Command::RecordStep(step))
    }

    /// A handler hears what its step gave, or runs it.
    pub(crate) fn recalled(
        &mut self,
        sequence: u64,
        call: Call,
        answer: &Answer,
    ) -> Result<(), Stop> {
        let body = self.bodies.remove(&sequence);
        let steps = &mut self.model.messages[call.message].steps;
        let step = steps.entry(call.effort.name).or_default();
        match answer {
            Answer::Value(0) => {
                step.deny()?;
                self.run_step(call)
            }
            Answer::Value(1) => {
                self.figures.steps_recalled += 1;
                Ok(step.show(None)?)
            }
            Answer::Value(2) => {
                self.figures.steps_recalled += 1;
                must!(body.is_some(), "what a step gave was not shown");
                Ok(step.show(body)?)
            }
            other => {
                let what = format!("a step gave nothing that could be understood: {other:?}");
                Err(Violation(what).into())
            }
        }
    }

    fn run_step(&mut self, call: Call) -> Result<(), Stop> {
        let Call {
            message,
            token,
            effort,
            ..
        } = call;
        self.figures.steps += 1;
        let key = self.key_of_step(call.origin, effort.name)?;
        let model = &mut self.model;
        let whose = &mut model.messages[message];
        let whose_name = whose.name();
        let step = whose.steps.entry(effort.name).or_default();
        model.service.call(&whose_name, effort.name, step, &key)?;
        if effort.cut_off {
            self.figures.steps_cut_off += 1;
            return Ok(());
        }
        let sequence = self.next_sequence();
        let gives = |bytes| format!("call {sequence}").repeat(1 + usize::from(bytes) / 8);
        let gave: Gave = effort.gives.map(|bytes| gives(bytes).into_bytes());
        let steps = &mut self.model.messages[message].steps;
        let step = steps.entry(effort.name).or_default();
        step.ask(sequence, gave.clone());
        let asked = Asked::Record {
            message,
            token,
            name: effort.name,
        };
        self.model.asked.insert(sequence, asked);
        let name = name_of(effort.name);
        let step = RecordStep {
            token: Token(token),
            name: &name,
            result: gave.as_deref(),
        };
        // Whoever heard the answer is still being called: what follows comes later.
        self.tell(sequence, Command::RecordStep(step));
        Ok(())
    }

    /// The idempotency key, as the handler of a delivery learns it.
    fn key_of_step(&mut self, origin: (u64, u32), name: u8) -> Result<String, Stop> {
        let (number, run) = origin;
        let request = Request::StepKey {
            number,
            run,
            name: name_of(name),
        };
        match self.setting_up(request)? {
            Some(Object::StepKey(key)) => Ok(key.key),
            other => Err(Violation(format!("a step without a key: {other:?}")).into()),
        }
    }

    /// A question about a step, or the record of one, is refused.
    pub(crate) fn step_refused(&mut self, token: u64, failure: &Failure) -> Result<(), Stop> {
        if failure.code == ErrorCode::Corrupt {
            // Its message dies of it, and with that the delivery ends.
            let mut held = self.model.held.iter_mut();
            if let Some(held) = held.find(|held| held.token == token) {
                held.lost = true;
            }
            return Ok(());
        }
        let now = self.clock.engine_now();
        let fenced = matches!(
            failure.code,
            ErrorCode::LeaseLost | ErrorCode::AlreadySettled
        );
        let mut held = self.model.held.iter();
        let is_open = held.any(|held| held.token == token && held.is_open(now));
        must!(
            !(fenced && is_open && self.closing.is_none()),
            "I4: a step of an open delivery was refused: {failure:?}"
        );
        Ok(())
    }
}
