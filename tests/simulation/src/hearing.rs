//! What the engine tells, and what follows from it for what is known.

use ackbox_core::command::Command;
use ackbox_core::config::Guarantee;
use ackbox_core::effect::{AbortReason, Effect, Event, EventKind, Notice};

use crate::invariants::Told;
use crate::model::{Asked, Sure};
use crate::must;
use crate::world::{Phase, Stop, World};

impl World {
    pub(crate) fn perform(&mut self, effect: Effect) -> Result<(), Stop> {
        let is_failed = matches!(self.phase, Phase::Failed(_));
        let Some(effect) = self.take_effect(effect)? else {
            return Ok(());
        };
        match effect {
            Effect::Deliver(delivery) => {
                must!(
                    !is_failed,
                    "I9: delivered by a box that failed: {delivery:?}"
                );
                self.figures.deliveries += 1;
                let now = self.clock.engine_now();
                let passage = self.check_passage(&delivery)?;
                self.model.delivery(&delivery, passage, now)?;
                if delivery.handed_over && !self.plan.late {
                    // Every consumer sees what it is given at once.
                    let token = delivery.token;
                    self.tell(0, Command::Began { token });
                }
            }
            Effect::Want { .. } | Effect::Settlement(_) | Effect::Transit { .. } => {
                unreachable!("the box is no remote one")
            }
            Effect::Abort { token, reason } => self.aborted(token.0, reason)?,
            Effect::Receipt {
                ticket,
                index,
                duplicate,
                state,
                number,
                id,
            } => {
                must!(!is_failed, "I9: accepted by a box that failed: {}", id);
                self.figures.messages += u64::from(!duplicate);
                self.figures.duplicates += u64::from(duplicate);
                self.model.receipt(&Told {
                    sequence: ticket.0,
                    index: index as usize,
                    duplicate,
                    state,
                    number,
                    id: id.as_str(),
                })?;
            }
            Effect::Reply { ticket, result } => self.replied(ticket.0, result)?,
            Effect::Body {
                ticket,
                intact,
                content,
                ..
            } => {
                let may_be = intact || self.model.rotten > 0;
                must!(may_be, "I2: sound bytes are shown as damaged");
                if let Some(Asked::Recall(_)) = self.model.asked.get(&ticket.0) {
                    self.bodies.insert(ticket.0, content.body().to_vec());
                }
            }
            Effect::Event(event) => self.note_event(&event),
            Effect::Notice(Notice::Failed { .. }) => self.phase = Phase::Failed(0),
            Effect::Notice(Notice::Warning { .. }) => {}
            Effect::Notice(Notice::Cooldown {
                worker,
                destination,
                ..
            }) => self.cooldowns.push((worker, destination)),
            Effect::Append { .. }
            | Effect::Read { .. }
            | Effect::Truncate { .. }
            | Effect::Remove { .. } => unreachable!("the storage took it"),
        }
        Ok(())
    }

    /// A handler is told to stop.
    fn aborted(&mut self, token: u64, reason: AbortReason) -> Result<(), Stop> {
        let now = self.clock.engine_now();
        let mut held = self.model.held.iter();
        let Some(place) = held.position(|held| held.token == token) else {
            return Ok(());
        };
        let held = &mut self.model.held[place];
        if reason != AbortReason::Timeout {
            held.lost = true;
            let held = held.clone();
            if reason == AbortReason::RanOut {
                self.note_result(&held, true, false);
            }
            return Ok(());
        }
        self.figures.timeouts += 1;
        let (at, limits) = (held.at, self.plan.limits[held.queue]);
        // At most once, both limits mean the same.
        let first = match self.plan.queues[held.queue].guarantee {
            Some(Guarantee::AtMostOnce) => limits.longest_ms(),
            _ => limits.timeout_ms,
        };
        must!(
            first.is_some_and(|ms| at + ms <= now),
            "I11: told to stop {} ms after it began, of {limits:?}",
            now - at
        );
        let before = held.clone();
        let lease_ms = self.model.queues[held.queue].lease_ms.unwrap_or(0);
        held.late = true;
        if held.patience.is_some() {
            let patience = now + lease_ms;
            held.patience = Some(patience);
            held.until = Some(held.until.map_or(patience, |until| until.min(patience)));
        }
        self.model.miss(&before);
        // It is told whether anybody has settled it or not, once.
        self.note_result(&before, true, false);
        self.look_at_circuit_of(&before)
    }

    fn note_event(&mut self, event: &Event) {
        if event.kind != EventKind::Dead {
            return;
        }
        let queue = event.queue.0 as usize;
        self.model.note_death(queue, &event.id);
        if self.model.is_ambiguous(queue, &event.id) {
            return;
        }
        if let Some(index) = self.model.live(queue, &event.id) {
            let message = &mut self.model.messages[index];
            if message.dead == Sure::No {
                message.dead = Sure::Yes;
            }
        }
    }
}
