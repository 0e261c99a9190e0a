//! What workers of one name and one queue share: the valves of their destinations and their budget.
//!
//! Workers that want nothing of that share a control of their own from when a destination asks for time.
//!
//! Valves of destinations that nothing happens with cost memory and no time. There are at most
//! [`VALVES_MAX`] of them, fewer where the windows of their circuits would take more than [`WINDOWS_BYTES`];
//! the one used least recently goes first, as if nothing had ever passed it. Those of destinations that are
//! known to fail, which have no window, are kept longer, up to [`BROKEN_MAX`].

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use super::circuit::Circuit;
use super::policies::{PerDestination, Policies};
use super::ramp::Step;
use super::valve::{Stance, Valve};
use crate::command::WorkerId;
use crate::meter::look;
use crate::policy::breaker::{Change, Outcome, Settings};
use crate::policy::budget::Budget;
use crate::policy::hold::Hold;
use crate::time::Timestamp;

/// The destination of messages without one.
pub const NONE: u32 = u32::MAX;

/// Valves that are kept beyond those in use.
pub const VALVES_MAX: usize = 10_000;

/// What the windows of closed circuits may take.
pub const WINDOWS_BYTES: usize = 16 * 1024 * 1024;

/// Valves that are kept with those of destinations that fail.
pub const BROKEN_MAX: usize = 100_000;

/// The shared state of workers of one name.
#[derive(Debug)]
pub struct Control {
    /// Their name.
    pub name: Rc<str>,
    /// What they want.
    pub policies: Policies,
    /// How many of them are open.
    pub workers: u32,
    /// Handlers that all of them have.
    pub slots: u32,
    /// The one whose delivery ended last.
    pub judged_last: Option<WorkerId>,
    /// Their retries.
    pub budget: Option<Budget>,
    /// Their destinations are told apart: they want that, or one of them has asked for time.
    pub tells_apart: bool,
    limits: PerDestination,
    breaker: Option<Arc<Settings>>,
    breaker_without: Option<Arc<Settings>>,
    valves: BTreeMap<u32, Valve>,
    /// How many are kept beyond those in use.
    valves_max: usize,
    /// Valves by when time alone may change how they stand.
    wakes: BTreeSet<(Timestamp, u32)>,
    /// Valves that nothing passes at the moment, by whether they are known to be closed, and by when they
    /// were used last.
    resting: BTreeSet<((bool, u64), u32)>,
    uses: u64,
}

impl Control {
    /// That of workers of which none is open yet.
    ///
    /// # Errors
    /// What is wrong with their breakers.
    pub fn new(name: Rc<str>, policies: Policies) -> Result<Self, String> {
        let parse = |options: Option<&_>, prefix: &str| {
            let parsed = options.map(Settings::parse).transpose();
            let parsed = parsed.map_err(|what| format!("{prefix}: {what}"))?;
            Ok::<_, String>(parsed.map(Arc::new))
        };
        let breaker_without = parse(policies.breaker.as_ref(), "breaker")?;
        let limits = policies.per_destination.clone().unwrap_or_default();
        let own = parse(limits.breaker.as_ref(), "perDestination.breaker")?;
        let breaker = own.or_else(|| breaker_without.clone());
        let window_bytes = breaker.as_ref().map_or(0, |it| it.window_bytes());
        Ok(Self {
            name,
            budget: policies.retry_budget.map(Budget::new),
            tells_apart: policies.tell_destinations_apart(),
            policies,
            workers: 0,
            slots: 0,
            judged_last: None,
            limits,
            breaker,
            breaker_without,
            valves: BTreeMap::new(),
            valves_max: VALVES_MAX.min(WINDOWS_BYTES / window_bytes.max(1)),
            wakes: BTreeSet::new(),
            resting: BTreeSet::new(),
            uses: 0,
        })
    }

    /// The settings of a destination's breaker, if it has one.
    #[must_use]
    pub fn breaker_of(&self, destination: u32) -> Option<Arc<Settings>> {
        if destination == NONE {
            self.breaker_without.clone()
        } else {
            self.breaker.clone()
        }
    }

    /// Whether the host tells how long an opening of a destination's circuit takes.
    #[must_use]
    pub fn asks_cooldown(&self, destination: u32) -> bool {
        if destination == NONE || self.limits.breaker.is_none() {
            self.policies.asks_cooldown
        } else {
            self.limits.asks_cooldown
        }
    }

    /// Whether there is a valve for a destination.
    #[must_use]
    pub fn has_valve(&self, destination: u32) -> bool {
        self.valves.contains_key(&destination)
    }

    /// Adds a valve for a destination that has none.
    pub fn add_valve(&mut self, destination: u32, circuit: Option<Circuit>) {
        self.valves.insert(destination, Valve::new(circuit));
        self.rest(destination, false);
    }

    /// Takes out a valve that is worth forgetting, if there is no room for one more; the caller opens its lane.
    pub fn forget_one(&mut self, now: Timestamp) -> Option<u32> {
        let too_many = self.valves.len() >= self.valves_max;
        let &((is_closed, _), destination) = self.resting.first().filter(|_| too_many)?;
        if !is_closed && !self.valves[&destination].is_idle(now) {
            self.rest(destination, true);
            return None;
        }
        if is_closed && self.valves.len() < BROKEN_MAX {
            return None;
        }
        self.unrest(destination);
        let valve = self.valves.remove(&destination)?;
        self.wakes.remove(&(valve.wake, destination));
        Some(destination)
    }

    /// Destinations that have a valve.
    pub fn destinations(&self) -> impl Iterator<Item = u32> {
        self.valves.keys().copied()
    }

    /// The circuit of a destination.
    #[must_use]
    pub fn circuit(&self, destination: u32) -> Option<&Circuit> {
        self.valves.get(&destination)?.circuit.as_deref()
    }

    /// The circuit of a destination, to be changed.
    pub fn circuit_mut(&mut self, destination: u32) -> Option<&mut Circuit> {
        self.valves.get_mut(&destination)?.circuit.as_deref_mut()
    }

    /// How the valve of a destination stands. It is asked again when time may have changed that.
    pub fn stance(&mut self, destination: u32, now: Timestamp) -> Stance {
        look();
        let limits = limits_of(&self.limits, destination);
        let Some(valve) = self.valves.get_mut(&destination) else {
            return Stance::Open;
        };
        let (stance, wake) = valve.stance(limits, now);
        let old = std::mem::replace(&mut valve.wake, wake);
        if old != wake {
            self.wakes.remove(&(old, destination));
            if wake != Timestamp::NEVER {
                self.wakes.insert((wake, destination));
            }
        }
        stance
    }

    /// Whether nobody knows when the valve of a destination opens, if it is closed.
    #[must_use]
    pub fn is_shut(&self, destination: u32, now: Timestamp) -> bool {
        let valve = self.valves.get(&destination);
        valve.is_some_and(|valve| valve.is_shut(now))
    }

    /// A message passes the valve of its destination, false if that has none; and how it comes back, if it does.
    pub fn pass(&mut self, destination: u32, now: Timestamp) -> (bool, Option<Step>) {
        let limits = limits_of(&self.limits, destination);
        let Some(valve) = self.valves.get_mut(&destination) else {
            return (false, None);
        };
        let step = valve.pass(limits, now);
        self.unrest(destination);
        (true, step)
    }

    /// What has passed is done.
    pub fn leave(&mut self, destination: u32, started: bool) {
        let limits = limits_of(&self.limits, destination);
        if let Some(valve) = self.valves.get_mut(&destination) {
            valve.leave(limits, started);
            if valve.running == 0 {
                self.rest(destination, false);
            }
        }
    }

    /// How one went that came back.
    pub fn answer(&mut self, destination: u32, step: Step, outcome: Outcome, now: Timestamp) {
        if let Some(valve) = self.valves.get_mut(&destination) {
            valve.answer(step, outcome, self.slots, now);
        }
    }

    /// A destination wants nothing before this instant. True if that was not known.
    pub fn hold(&mut self, destination: u32, until: Timestamp) -> bool {
        let valve = self.valves.get_mut(&destination);
        valve.is_some_and(|valve| valve.hold(until))
    }

    /// Somebody knows better than a destination that asked for time.
    pub fn let_go(&mut self, destination: u32) {
        if let Some(valve) = self.valves.get_mut(&destination) {
            valve.let_go();
        }
    }

    /// Until when a destination is held, if it is.
    #[must_use]
    pub fn held_until(&self, destination: u32, now: Timestamp) -> Option<Timestamp> {
        self.valves.get(&destination)?.held_until(now)
    }

    /// How long a destination is held back, as far as that outlives its valve.
    #[must_use]
    pub fn kept(&self, destination: u32, now: Timestamp) -> Hold {
        let valve = self.valves.get(&destination);
        valve.map_or(Hold::default(), |valve| valve.kept(now))
    }

    /// The valve of a destination goes on with what was kept of an earlier one.
    pub fn resume(&mut self, destination: u32, kept: Hold, now: Timestamp) {
        let limits = limits_of(&self.limits, destination);
        if let Some(valve) = self.valves.get_mut(&destination) {
            valve.resume(kept, limits, now);
        }
    }

    /// What changed about the circuit of a destination since it was asked last.
    pub fn take_changes(&mut self, destination: u32) -> Vec<Change> {
        self.circuit_mut(destination)
            .map_or_else(Vec::new, Circuit::take_changes)
    }

    /// A valve that time may have changed by now.
    #[must_use]
    pub fn due(&self, now: Timestamp) -> Option<u32> {
        let (at, destination) = self.wakes.first()?;
        (*at <= now).then_some(*destination)
    }

    /// When time alone may change how a valve stands, or make room in the budget for who waits for that.
    #[must_use]
    pub fn next_change(&self) -> Timestamp {
        let first = self.wakes.first();
        let valve = first.map_or(Timestamp::NEVER, |(at, _)| *at);
        let budget = self.budget.as_ref();
        budget.map_or(valve, |budget| valve.min(budget.next_change()))
    }

    fn rest(&mut self, destination: u32, is_closed: bool) {
        self.unrest(destination);
        self.uses += 1;
        if let Some(valve) = self.valves.get_mut(&destination) {
            valve.rested = (is_closed, self.uses);
            self.resting.insert((valve.rested, destination));
        }
    }

    fn unrest(&mut self, destination: u32) {
        if let Some(valve) = self.valves.get(&destination) {
            self.resting.remove(&(valve.rested, destination));
        }
    }
}

/// What holds for a destination. Messages without one share a valve that limits nothing.
fn limits_of(limits: &PerDestination, destination: u32) -> &PerDestination {
    if destination == NONE {
        &NO_LIMITS
    } else {
        limits
    }
}

static NO_LIMITS: PerDestination = PerDestination {
    concurrency: None,
    rate: None,
    breaker: None,
    asks_cooldown: false,
};
