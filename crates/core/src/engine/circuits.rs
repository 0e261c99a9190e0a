//! Circuit breakers in front of destinations: what deliveries tell them, and what follows when they open,
//! probe and close.
//!
//! A circuit that changes is saved with the next append and told of behind it. When it opens, what was only
//! written ahead is taken back. A probe that fails costs its message no attempt, and the next probe is
//! another message, so an outage of any length kills none.

use std::collections::VecDeque;
use std::rc::Rc;

use super::Engine;
use crate::command::{QueueId, Reason, Token, Verdict, WorkerId};
use crate::consumer::circuit::Circuit;
use crate::consumer::control::NONE;
use crate::consumer::lease::Passage;
use crate::consumer::policies::WhenOpen;
use crate::effect::{CircuitInfo, Effect, Event, EventKind, Notice, Object, Recipient};
use crate::error::{ErrorCode, Failure};
use crate::hash;
use crate::ledger::ValveKey;
use crate::ledger::lanes::Kind;
use crate::ledger::rank::Rank;
use crate::policy::breaker::{Outcome, State};
use crate::time::Timestamp;

impl Engine {
    /// Circuits that were saved before, for workers of a name that nobody had in this run.
    pub(super) fn restore_circuits(&mut self, queue: u32, key: u32) {
        let name = Rc::clone(&self.desks[queue as usize].controls[&key].name);
        for (text, state) in self.ledger.circuits_of(queue, &name) {
            let destination = self.ledger.acquire_destination(&text);
            let Some(circuit) = self.new_circuit(queue, key, destination, &state) else {
                self.ledger.release_destination(destination);
                continue;
            };
            let controls = &mut self.desks[queue as usize].controls;
            let control = controls.get_mut(&key).expect("it was made just now");
            control.add_valve(destination, Some(circuit));
            self.refresh_lane(queue, key, destination);
        }
    }

    /// A circuit for a destination, if its workers want one; `saved`: how it was, empty for none.
    pub(super) fn new_circuit(
        &self,
        queue: u32,
        key: u32,
        destination: u32,
        saved: &[u8],
    ) -> Option<Circuit> {
        let control = &self.desks[queue as usize].controls[&key];
        let settings = control.breaker_of(destination)?;
        let text = self.ledger.destination_text(destination);
        let identity = format!("{}\0{text}", control.name);
        let seed = hash::id_hash(&self.ledger.jitter_seed, queue, identity.as_bytes());
        let seed = seed.to_le_bytes();
        Some(if saved.is_empty() {
            Circuit::new(settings, seed)
        } else {
            Circuit::restore(settings, seed, saved, self.now)
        })
    }

    /// The message that is the next probe of a destination.
    pub(super) fn next_probe(
        &self,
        queue: u32,
        key: u32,
        destination: u32,
        kind: Kind,
    ) -> Option<u32> {
        let circuit = self.desks[queue as usize].controls[&key].circuit(destination);
        let probed = circuit.and_then(|circuit| circuit.probed).map(Rank::of);
        let lanes = &self.ledger.queues[queue as usize].lanes;
        lanes.after(destination, kind, probed)
    }

    /// A handler begins: if its message is a probe, that has as much time as its worker gives to handlers.
    pub(super) fn begin_probe(&mut self, token: Token) {
        let Some(lease) = self.leases.get(token) else {
            return;
        };
        let queue = lease.queue;
        let Some(passage) = lease.passage else {
            return;
        };
        let Some(permit) = passage.permit.filter(|permit| permit.is_probe()) else {
            return;
        };
        let limit_ms = self.limits_of(token).longest_ms();
        let (now, key, destination) = (self.now, passage.control, passage.destination);
        let controls = &mut self.desks[queue as usize].controls;
        let control = controls.get_mut(&key);
        if let Some(circuit) = control.and_then(|it| it.circuit_mut(destination)) {
            circuit.begin(permit, limit_ms, now);
            self.refresh_lane(queue, key, destination);
        }
    }

    /// How a delivery went: its destination's circuit is told. Returns what becomes of the message.
    pub(super) fn judge(&mut self, token: Token, verdict: Verdict) -> Verdict {
        let now = self.now;
        let Some(lease) = self.leases.get_mut(token) else {
            return verdict;
        };
        let (queue, took_ms) = (lease.queue, now.since(lease.delivered_at));
        let worker = match lease.to {
            Recipient::Worker(id) => Some(id),
            Recipient::Dequeue(_) => None,
        };
        let Some(passage) = &mut lease.passage else {
            if let Verdict::RetryAt { at, .. } = verdict {
                self.hold_destination(token, at);
            }
            return verdict;
        };
        let (key, destination) = (passage.control, passage.destination);
        let is_free = passage.is_free;
        let untold = passage.take_untold();
        let Some(control) = self.desks[queue as usize].controls.get_mut(&key) else {
            return verdict;
        };
        control.judged_last = worker;
        self.report(queue, &untold, outcome_of(verdict), took_ms);
        if let Verdict::RetryAt { at, .. } = verdict {
            self.hold_destination(token, at);
        }
        let control = &self.desks[queue as usize].controls[&key];
        let pauses = control.policies.when_open == WhenOpen::Pause;
        let was_probe = is_free || untold.permit.is_some_and(|permit| permit.is_probe());
        self.refresh_lane(queue, key, destination);
        if was_probe && pauses && !bug!("charge-failed-probe") {
            without_cost(verdict, now)
        } else {
            verdict
        }
    }

    /// A delivery takes too long: its destination's circuit is told now, for its handler may never return.
    pub(super) fn judge_time_out(&mut self, token: Token) {
        let now = self.now;
        let Some(lease) = self.leases.get_mut(token) else {
            return;
        };
        let (queue, took_ms) = (lease.queue, now.since(lease.delivered_at));
        let worker = match lease.to {
            Recipient::Worker(id) => Some(id),
            Recipient::Dequeue(_) => None,
        };
        let Some(passage) = &mut lease.passage else {
            return;
        };
        let untold = passage.take_untold();
        passage.is_free |= untold.permit.is_some_and(|permit| permit.is_probe());
        let (key, destination) = (passage.control, passage.destination);
        let Some(control) = self.desks[queue as usize].controls.get_mut(&key) else {
            return;
        };
        control.judged_last = worker;
        self.report(queue, &untold, Outcome::Timeout, took_ms);
        self.refresh_lane(queue, key, destination);
    }

    /// The host says how the end of a delivery, which follows, is to be taken.
    pub(super) fn excuse(&mut self, token: Token, blameless: bool, free: bool, unasked: bool) {
        let Some(lease) = self.leases.get_mut(token) else {
            return;
        };
        let queue = lease.queue;
        let Some(passage) = &mut lease.passage else {
            return;
        };
        passage.is_free |= free;
        if blameless || unasked {
            let untold = passage.take_untold();
            let outcome = if unasked {
                Outcome::Cancelled
            } else {
                Outcome::Ignored
            };
            self.report(queue, &untold, outcome, 0);
        }
    }

    /// A delivery ended in a way that says nothing about its destination.
    pub(super) fn return_permit(&mut self, queue: u32, passage: &Passage) {
        self.report(queue, passage, Outcome::Cancelled, 0);
    }

    /// Tells of a delivery what was not told yet: its circuit first, which may end the return that it came with.
    fn report(&mut self, queue: u32, untold: &Passage, outcome: Outcome, took_ms: u64) {
        let (now, destination) = (self.now, untold.destination);
        let controls = &mut self.desks[queue as usize].controls;
        let Some(control) = controls.get_mut(&untold.control) else {
            return;
        };
        let circuit = control.circuit_mut(destination);
        if let (Some(permit), Some(circuit)) = (untold.permit, circuit) {
            circuit.report(permit, outcome, took_ms, now);
        }
        if let Some(step) = untold.step {
            control.answer(destination, step, outcome, now);
        }
        if !untold.probes_sluice {
            self.answer_sluice(queue, untold.control, untold.sluice_step, outcome);
        }
    }

    /// Saves and tells what changed about a circuit.
    pub(super) fn tell_circuit(&mut self, queue: u32, key: u32, destination: u32) {
        let now = self.now;
        let controls = &mut self.desks[queue as usize].controls;
        let Some(control) = controls.get_mut(&key) else {
            return;
        };
        if control.asks_cooldown(destination)
            && let Some(circuit) = control.circuit_mut(destination)
        {
            if circuit.begins_to_ask(now) {
                self.ask_cooldown(queue, key, destination);
            }
            let control = &self.desks[queue as usize].controls[&key];
            if control.circuit(destination).is_some_and(Circuit::asks) {
                return;
            }
        }
        let controls = &mut self.desks[queue as usize].controls;
        let control = controls.get_mut(&key).expect("looked up above");
        let changes = control.take_changes(destination);
        if changes.is_empty() {
            return;
        }
        // Even if enough time has passed to probe it again: what was claimed before was not for that.
        let mut states = changes.iter().map(|change| change.to);
        let was_open = states.any(|state| matches!(state, State::Open | State::Isolated));
        let circuit = control.circuit(destination).expect("it changed");
        let state = circuit.saved(now);
        let key_in_journal = self.valve_key(queue, key, destination);
        let text = Rc::clone(&key_in_journal.2);
        self.ledger
            .save_circuit(key_in_journal, &state, &mut self.commit);
        for change in changes {
            let event = Event {
                states: Some((change.from, change.to)),
                at: change.retry_at.unwrap_or(Timestamp(0)),
                id: text.to_string(),
                ..Event::of(EventKind::Circuit, QueueId(queue))
            };
            self.emit(queue, event);
        }
        if was_open && !bug!("open-circuit-takes-nothing-back") {
            self.take_back_from_destination(queue, key, destination);
        }
    }

    /// A circuit has opened, and its host wants to say for how long: it is saved and told of after that.
    fn ask_cooldown(&mut self, queue: u32, key: u32, destination: u32) {
        self.take_back_from_destination(queue, key, destination);
        let text = self.ledger.destination_text(destination);
        let controls = &mut self.desks[queue as usize].controls;
        let control = controls.get_mut(&key).expect("its circuit has opened");
        let worker = control.judged_last;
        let Some(circuit) = control.circuit_mut(destination) else {
            return;
        };
        match worker.filter(|id| self.workers.contains_key(id)) {
            Some(worker) => self.output.push_back(Effect::Notice(Notice::Cooldown {
                worker,
                destination: text.to_string(),
                openings: circuit.breaker().stats(self.now).openings,
            })),
            None => circuit.stop_asking(),
        }
    }

    /// The host says how long a circuit stays open. Nothing of that matters once it is not.
    pub(super) fn cool_down(
        &mut self,
        id: WorkerId,
        destination: &str,
        ms: u64,
    ) -> Result<Object, Failure> {
        let now = self.now;
        let (queue, Some(key)) = self.control_of(id)? else {
            return Ok(Object::None);
        };
        let number = self.ledger.acquire_destination(destination);
        let controls = &mut self.desks[queue as usize].controls;
        let circuit = controls.get_mut(&key).and_then(|it| it.circuit_mut(number));
        if let Some(circuit) = circuit.filter(|circuit| circuit.asks()) {
            circuit.cool_down_for(ms, now);
            self.refresh_lane(queue, key, number);
        }
        self.ledger.release_destination(number);
        Ok(Object::None)
    }

    /// The last worker of a name goes: what its host was asked is not answered any more.
    pub(super) fn stop_asking(&mut self, queue: u32, key: u32) {
        let control = &self.desks[queue as usize].controls[&key];
        let asks = |of: &u32| control.circuit(*of).is_some_and(Circuit::asks);
        let asking: Vec<u32> = control.destinations().filter(asks).collect();
        for destination in asking {
            let controls = &mut self.desks[queue as usize].controls;
            let control = controls.get_mut(&key).expect("looked up above");
            if let Some(circuit) = control.circuit_mut(destination) {
                circuit.stop_asking();
            }
            self.tell_circuit(queue, key, destination);
        }
    }

    /// A circuit makes room for others: it is as if it had never been.
    pub(super) fn forget_circuit(&mut self, queue: u32, key: u32, destination: u32) {
        let control = &self.desks[queue as usize].controls[&key];
        if control.breaker_of(destination).is_none() {
            return;
        }
        let key = self.valve_key(queue, key, destination);
        self.ledger.save_circuit(key, b"", &mut self.commit);
    }

    pub(super) fn valve_key(&self, queue: u32, key: u32, destination: u32) -> ValveKey {
        let name = Rc::clone(&self.desks[queue as usize].controls[&key].name);
        (queue, name, self.ledger.destination_text(destination))
    }

    /// Takes back what was claimed for a destination and not handed out.
    pub(super) fn take_back_from_destination(&mut self, queue: u32, key: u32, destination: u32) {
        let text = self.ledger.destination_text(destination);
        let shares_it = |id: &WorkerId| {
            self.workers
                .get(id)
                .is_some_and(|it| it.control == Some(key))
        };
        let workers = self.desks[queue as usize].workers.iter().copied();
        for id in workers.filter(shares_it).collect::<Vec<WorkerId>>() {
            // All at once: behind one that is taken back, the next one would be handed out.
            let worker = self.workers.get_mut(&id).expect("listed just now");
            let claimed = std::mem::take(&mut worker.claimed).into_iter();
            let goes_there = |token: &Token| self.destination_of(*token) == text;
            let (back, kept): (VecDeque<Token>, VecDeque<Token>) = claimed.partition(goes_there);
            self.workers.get_mut(&id).expect("listed just now").claimed = kept;
            for token in back {
                self.take_claim_back(token);
            }
        }
    }

    /// The circuits of a worker and the destinations that asked it for time, or what is known of one of them.
    pub(super) fn circuits(
        &mut self,
        id: WorkerId,
        destination: Option<&str>,
    ) -> Result<Object, Failure> {
        let (queue, key) = self.control_of(id)?;
        let Some(key) = key else {
            return Ok(Object::Circuits(Vec::new()));
        };
        let control = &self.desks[queue as usize].controls[&key];
        let wanted = |of: &u32| {
            destination.is_none_or(|wanted| *self.ledger.destination_text(*of) == *wanted)
        };
        let infos = control.destinations().filter(wanted).filter_map(|of| {
            let held_until = control.held_until(of, self.now);
            let circuit = control.circuit(of);
            let stats = circuit.map(|it| it.breaker().stats(self.now));
            if stats.is_none() && held_until.is_none() {
                return None;
            }
            Some(CircuitInfo {
                destination: self.ledger.destination_text(of).to_string(),
                state: stats.map_or(State::Disabled, |stats| stats.state),
                retry_at: stats.and_then(|stats| stats.retry_at).max(held_until),
                openings: stats.map_or(0, |stats| stats.openings),
            })
        });
        Ok(Object::Circuits(infos.collect()))
    }

    /// Isolates the circuit of a destination; or closes it, and lets go of what the destination asked for.
    pub(super) fn force_circuit(
        &mut self,
        id: WorkerId,
        destination: &str,
        isolate: bool,
    ) -> Result<Object, Failure> {
        let now = self.now;
        let (queue, key) = self.control_of(id)?;
        let number = self.ledger.acquire_destination(destination);
        let was_held = !isolate && self.let_destination_go(id, queue, number);
        let controls = &self.desks[queue as usize].controls;
        let key = key.filter(|key| controls[key].breaker_of(number).is_some());
        if let Some(key) = key {
            self.add_valve(queue, key, number);
            let controls = &mut self.desks[queue as usize].controls;
            let control = controls.get_mut(&key).expect("looked up above");
            if let Some(circuit) = control.circuit_mut(number) {
                circuit.force(isolate, now);
            }
            self.refresh_lane(queue, key, number);
        }
        self.ledger.release_destination(number);
        if key.is_none() && !was_held {
            let message = "expected a worker with a circuit breaker for this destination";
            return Err(Failure::new(ErrorCode::InvalidOption, message));
        }
        Ok(Object::None)
    }

    fn control_of(&self, id: WorkerId) -> Result<(u32, Option<u32>), Failure> {
        let worker = self.workers.get(&id);
        let worker =
            worker.ok_or_else(|| Failure::new(ErrorCode::Closed, "the worker is closed"))?;
        Ok((worker.queue, worker.control))
    }
}

/// What a verdict says about the destination.
fn outcome_of(verdict: Verdict) -> Outcome {
    match verdict {
        Verdict::Ack => Outcome::Success,
        Verdict::Reject { .. } => Outcome::Failure,
        // No handler saw it.
        Verdict::Dead(Reason::Invalid) => Outcome::Cancelled,
        Verdict::Dead(_) => Outcome::Ignored,
        Verdict::RetryAt {
            at,
            counts_as_failure,
            ..
        } => Outcome::Throttled {
            until: at,
            failed: counts_as_failure,
        },
        Verdict::PutOff {
            counts_as_failure: true,
            ..
        } => Outcome::Failure,
        // An answer that asks for time lets no more come, and says nothing else.
        Verdict::PutOff { .. } => Outcome::Cancelled,
        Verdict::Return => Outcome::Cancelled,
    }
}

/// What becomes of the message of a probe that failed.
fn without_cost(verdict: Verdict, now: Timestamp) -> Verdict {
    match verdict {
        Verdict::Reject { delay_ms } => Verdict::RetryAt {
            at: now.plus(delay_ms.unwrap_or(0)),
            costs_attempt: false,
            counts_as_failure: true,
        },
        Verdict::RetryAt {
            at,
            counts_as_failure,
            ..
        } => Verdict::RetryAt {
            at,
            costs_attempt: false,
            counts_as_failure,
        },
        Verdict::PutOff {
            delay_ms,
            counts_as_failure,
            ..
        } => Verdict::PutOff {
            delay_ms,
            costs_attempt: false,
            counts_as_failure,
        },
        _ => verdict,
    }
}

const _: () = assert!(
    NONE == crate::ledger::message::NONE,
    "both mean no destination"
);
