//! Moving in what the host kept in its inbox, in the order of its keys, each with its messages in one frame.
//!
//! What is refused is answered, and nothing behind it is taken before the host has dealt with it: whoever
//! left it is told, or, if nobody is there any more, it becomes a dead letter.

use super::Engine;
use super::enqueueing::{Told, check_unit, payload_bytes};
use super::staging::{Gate, Retracted};
use crate::command::{Move, Reason, Ticket};
use crate::effect::Answer;
use crate::error::{ErrorCode, Failure};
use crate::ledger::Accepted;

impl Engine {
    pub(super) fn move_in(&mut self, ticket: Ticket, unit: &Move<'_>) {
        let size = unit.enqueues.iter().map(payload_bytes).sum();
        let checked = self
            .check_order(unit)
            .and_then(|()| self.room_to_stage())
            .and_then(|()| check_unit(unit.enqueues.len(), size));
        if let Err(failure) = checked {
            return self.refuse(ticket, failure);
        }
        let mark = self.commit.begin_unit();
        let accepted = match unit.refused {
            None => self.accept_all(&unit.enqueues, false, mark),
            Some(error) => Ok(self.bury_all(unit, error)),
        };
        let accepted = match accepted {
            Ok(accepted) => accepted,
            Err(failure) => return self.refuse(ticket, failure),
        };
        let refused = unit.refused.is_some();
        self.ledger.note_moved(unit.key, refused, &mut self.commit);
        self.commit.end_unit();
        self.tell_all_accepted(ticket, accepted);
        if refused {
            return self.reply(ticket, Ok(Answer::Value(0)));
        }
        let gate = self.commit.gate(Gate::MovedIn(ticket));
        debug_assert!(gate.is_none(), "its key was written");
    }

    fn check_order(&self, unit: &Move<'_>) -> Result<(), Failure> {
        let Move { after, key, .. } = *unit;
        let moved = self.ledger.moved();
        let overtakes = after != moved && !bug!("overtake-refused-row");
        if overtakes || key <= moved {
            let message = format!("inbox: expected a key behind {moved}, got {key} behind {after}");
            return Err(Failure::new(ErrorCode::InvalidOption, message));
        }
        let queues = self.ledger.queues.len();
        match unit
            .enqueues
            .iter()
            .find(|item| item.queue.0 as usize >= queues)
        {
            None => Ok(()),
            Some(item) => {
                let message = format!("expected the number of a queue, got {}", item.queue.0);
                Err(Failure::new(ErrorCode::InvalidOption, message))
            }
        }
    }

    fn bury_all(&mut self, unit: &Move<'_>, error: &[u8]) -> Vec<Told> {
        let mut outcomes = Vec::with_capacity(unit.enqueues.len());
        for item in &unit.enqueues {
            let accepted = self.ledger.accept_refused(self.now, item, &mut self.commit);
            if let Accepted::New(slot) = accepted {
                self.await_message(slot);
                self.ledger.leave(slot);
                self.kill(slot, Reason::Refused, false, error);
                self.count_death(item.queue.0);
            }
            outcomes.push(Told::of(item, accepted));
        }
        outcomes
    }
}

/// The moves that wait to be told and could still be refused. If one of them is, so are all: what was behind it
/// must not overtake it.
pub(super) fn moves(frames: &[Retracted]) -> impl Iterator<Item = Ticket> {
    let gates = frames.iter().flat_map(|frame| &frame.gates);
    gates.filter_map(|gate| match gate {
        Gate::MovedIn(ticket) => Some(*ticket),
        _ => None,
    })
}
