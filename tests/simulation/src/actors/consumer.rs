//! Consumers: they succeed, fail, give up, come too late, or never say anything.

use ackbox_core::command::{Command, QueueId, Reason, Settle, Token, Transaction, Verdict};
use ackbox_core::time::Timestamp;

use super::producer::enqueues;
use crate::model::{Asked, Held, Message, Sure};
use crate::op::{Item, Say};
use crate::passing::is_free;
use crate::world::{Stop, World};

fn verdict(say: Say, now: u64) -> Verdict {
    match say {
        Say::Ack => Verdict::Ack,
        Say::Reject { delay_ms } => Verdict::Reject { delay_ms },
        Say::Dead => Verdict::Dead(Reason::Permanent),
        Say::Later { ms, costs } => Verdict::RetryAt {
            at: Timestamp(now + ms),
            costs_attempt: costs,
            counts_as_failure: false,
        },
        Say::Return => Verdict::Return,
    }
}

fn settle(token: u64, say: Say, now: u64, returned: bool) -> Settle<'static> {
    Settle {
        token: Token(token),
        verdict: verdict(say, now),
        returned,
        result: b"done",
        error: br#"{"message":"no"}"#,
    }
}

impl World {
    /// The n-th delivery for which something holds.
    pub(crate) fn pick(&self, pick: u32, fits: impl Fn(&Held) -> bool) -> Option<usize> {
        let fitting = self
            .model
            .held
            .iter()
            .enumerate()
            .filter(|(_, held)| fits(held));
        let places: Vec<usize> = fitting.map(|(place, _)| place).collect();
        (!places.is_empty()).then(|| places[pick as usize % places.len()])
    }

    /// Claims by hand.
    pub(crate) fn dequeue(
        &mut self,
        queue: usize,
        max: u32,
        wait_ms: u64,
        lease_ms: Option<u64>,
    ) -> Result<(), Stop> {
        let queue = QueueId((queue % self.model.queues.len()) as u32);
        let sequence = self.next_sequence();
        let until = self.clock.engine_now() + wait_ms;
        self.model.asked.insert(sequence, Asked::Dequeue { until });
        self.command(
            sequence,
            Command::Dequeue {
                queue,
                max,
                lease_ms,
                wait_ms,
            },
        )
    }

    /// Settles one delivery.
    pub(crate) fn settle_one(
        &mut self,
        pick: u32,
        say: Say,
        answered: bool,
        returned: bool,
    ) -> Result<(), Stop> {
        match self.pick(pick, |held| !held.settled) {
            Some(place) => self.settle_at(place, say, answered, returned),
            None => Ok(()),
        }
    }

    pub(crate) fn settle_at(
        &mut self,
        place: usize,
        say: Say,
        answered: bool,
        returned: bool,
    ) -> Result<(), Stop> {
        self.see(place);
        let now = self.clock.engine_now();
        let held = self.model.held[place].clone();
        let sequence = self.next_sequence();
        if self.model.at_most_once(held.queue) {
            self.model.held.remove(place);
            self.model.stale.push(held.token);
            self.model.asked.insert(sequence, Asked::Other);
            self.note_end(&held, say, false);
            let settle = settle(held.token, say, now, true);
            self.command(sequence, Command::Settle(settle))?;
            return self.look_at_circuit_of(&held);
        }
        let returned = returned || !held.handler;
        // One that timed out has failed once it returns, and not before.
        let sure = held.is_open(now) && (returned || !held.late);
        let meant = if held.late { say.when_late() } else { say };
        if let (Say::Later { ms, .. }, Some(passage), true) = (say, &held.passage, sure)
            && self.plan.policies[held.queue].tell_destinations_apart()
        {
            let key = (held.queue, passage.destination.clone());
            let until = self.model.holds.entry(key).or_default();
            *until = (*until).max(now + ms);
        }
        let before = vec![self.take(place, meant, sure, sequence, returned)];
        let unit = Asked::Unit {
            ends: vec![meant],
            before,
            items: Vec::new(),
            sure,
            returned,
            at: now,
        };
        self.model.asked.insert(sequence, unit);
        self.note_end(&held, say, sure);
        let command = Command::Settle(settle(held.token, say, now, returned));
        let is_heard = answered || !sure;
        let ticket = if is_heard { sequence } else { 0 };
        if !is_heard {
            self.model.unheard.insert(sequence);
        }
        self.command(ticket, command)?;
        self.look_at_circuit_of(&held)
    }

    /// Notes what a settlement means, and what was known before.
    fn take(
        &mut self,
        place: usize,
        say: Say,
        sure: bool,
        sequence: u64,
        returned: bool,
    ) -> (usize, Message, Held) {
        let now = self.clock.engine_now();
        let held = self.model.held[place].clone();
        let before = self.model.messages[held.message].clone();
        if sure {
            let free = is_free(&self.plan.policies[held.queue], held.passage.as_ref());
            if held.handler {
                // It did not take too long.
                self.model.messages[held.message].starts.0 = held.attempt;
            }
            self.model.say(held.message, say, now, sequence, free);
        }
        if returned {
            self.model.held.remove(place);
            self.model.stale.push(held.token);
        } else {
            self.model.settle(place, sure);
        }
        (held.message, before, held)
    }

    /// Settles what is nobody's any more.
    pub(crate) fn settle_stale(&mut self, pick: u32, say: Say) -> Result<(), Stop> {
        let (now, stale) = (self.clock.engine_now(), &self.model.stale);
        if stale.is_empty() {
            return Ok(());
        }
        let token = stale[pick as usize % stale.len()];
        let sequence = self.next_sequence();
        self.figures.stale_settlements += 1;
        self.model.asked.insert(sequence, Asked::Stale);
        self.command(sequence, Command::Settle(settle(token, say, now, true)))
    }

    /// A handler that settled by hand, or was given up, is done.
    pub(crate) fn handler_returns(&mut self, pick: u32) -> Result<(), Stop> {
        let Some(place) = self.pick(pick, |held| held.handler && held.settled) else {
            return Ok(());
        };
        self.returned_at(place)
    }

    pub(crate) fn returned_at(&mut self, place: usize) -> Result<(), Stop> {
        let held = self.model.held.remove(place);
        self.model.stale.push(held.token);
        self.command(
            0,
            Command::Returned {
                token: Token(held.token),
            },
        )
    }

    /// Nobody waits for a handler any more.
    pub(crate) fn abandon(&mut self, pick: u32) -> Result<(), Stop> {
        let Some(place) = self.pick(pick, |held| held.handler && held.abandoned.is_none()) else {
            return Ok(());
        };
        let now = self.clock.engine_now();
        if self.model.held[place].may_be_declined(now) {
            return self.decline_at(place);
        }
        self.see(place);
        let held = self.model.held[place].clone();
        if held.is_open(now) && !self.model.at_most_once(held.queue) {
            let sequence = self.next_sequence();
            let say = Say::Return;
            self.model.say(held.message, say, now, sequence, Sure::Yes);
        }
        if held.is_over(now) && !held.settled && !held.lost {
            // It has failed by now, whether that is told while anybody knows of it or not.
            self.note_result(&held, true, false);
        }
        let lease_ms = self.model.queues[held.queue].lease_ms.unwrap_or(0);
        let held = &mut self.model.held[place];
        held.abandoned = Some(now + lease_ms);
        held.settled = true;
        let token = Token(held.token);
        self.command(0, Command::Abandoned { token })
    }

    /// Prolongs a lease by hand.
    pub(crate) fn extend(&mut self, pick: u32, ms: u64) -> Result<(), Stop> {
        let now = self.clock.engine_now();
        let Some(place) = self.pick(pick, |held| !held.handler && held.is_open(now)) else {
            return Ok(());
        };
        self.see(place);
        let held = &mut self.model.held[place];
        let token = Token(held.token);
        let at_most_once = self.model.at_most_once(self.model.held[place].queue);
        if !at_most_once {
            self.model.held[place].until = Some(now + ms);
        }
        let sequence = self.next_sequence();
        self.model.asked.insert(sequence, Asked::Other);
        self.command(sequence, Command::Extend { token, ms })
    }

    /// Ends deliveries and sends messages, all or none of it.
    pub(crate) fn transact(&mut self, ends: &[(u32, Say)], items: &[Item]) -> Result<(), Stop> {
        let now = self.clock.engine_now();
        let sequence = self.next_sequence();
        let sent = self.sent(items);
        let mut before = Vec::new();
        let mut settles = Vec::new();
        let mut says = Vec::new();
        let mut ended = Vec::new();
        for (pick, say) in ends {
            let fits = |held: &Held| {
                held.is_open(now) && !held.late && !self.model.at_most_once(held.queue)
            };
            let Some(place) = self.pick(*pick, fits) else {
                continue;
            };
            self.see(place);
            let held = &self.model.held[place];
            settles.push(settle(held.token, *say, now, false));
            let (by_hand, held) = (!held.handler, held.clone());
            self.note_end(&held, *say, false);
            ended.push(held);
            before.push(self.take(place, *say, true, sequence, by_hand));
            says.push(*say);
        }
        let enqueues = enqueues(items, &sent, self.model.queues.len());
        let unit = Asked::Unit {
            ends: says,
            before,
            items: sent.iter().cloned().map(Some).collect(),
            sure: true,
            returned: false,
            at: now,
        };
        self.model.asked.insert(sequence, unit);
        self.command(
            sequence,
            Command::Transaction(Transaction { settles, enqueues }),
        )?;
        let mut ended = ended.iter();
        ended.try_for_each(|held| self.look_at_circuit_of(held))
    }
}
