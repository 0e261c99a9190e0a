//! What workers of one name and one queue share: the valves of their destinations and their budget.
//!
//! Valves of destinations that nothing happens with cost memory and no time. There are at most
//! [`VALVES_MAX`] of them; the one used least recently goes first, as if nothing had ever passed it.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::policies::{PerDestination, Policies};
use super::valve::{Stance, Valve};
use crate::meter::look;
use crate::policy::budget::Budget;
use crate::time::Timestamp;

/// The destination of messages without one.
pub const NONE: u32 = u32::MAX;

/// Valves that are kept beyond those in use.
pub const VALVES_MAX: usize = 10_000;

/// The shared state of workers of one name.
#[derive(Debug)]
pub struct Control {
    /// Their name.
    pub name: Rc<str>,
    /// What they want.
    pub policies: Policies,
    /// How many of them are open.
    pub workers: u32,
    /// Their retries.
    pub budget: Option<Budget>,
    valves: BTreeMap<u32, Valve>,
    /// Closed valves by when time alone may open them.
    wakes: BTreeSet<(Timestamp, u32)>,
    /// Valves that nothing passes at the moment, by when that was last so.
    resting: BTreeSet<(u64, u32)>,
    uses: u64,
}

impl Control {
    /// That of workers of which none is open yet.
    #[must_use]
    pub fn new(name: Rc<str>, policies: Policies) -> Self {
        Self {
            name,
            budget: policies.retry_budget.map(Budget::new),
            policies,
            workers: 0,
            valves: BTreeMap::new(),
            wakes: BTreeSet::new(),
            resting: BTreeSet::new(),
            uses: 0,
        }
    }

    /// What holds for a destination. Messages without one share a valve that limits nothing.
    fn limits(&self, destination: u32) -> PerDestination {
        let limits = self.policies.per_destination.as_ref();
        limits
            .filter(|_| destination != NONE)
            .cloned()
            .unwrap_or_default()
    }

    /// Whether there is a valve for a destination.
    #[must_use]
    pub fn has_valve(&self, destination: u32) -> bool {
        self.valves.contains_key(&destination)
    }

    /// Adds a valve for a destination that has none.
    pub fn add_valve(&mut self, destination: u32) {
        self.valves.insert(destination, Valve::new());
        self.rest(destination);
    }

    /// Takes out a valve that is worth forgetting, if there are too many; the caller opens its lane.
    pub fn forget_one(&mut self) -> Option<u32> {
        if self.valves.len() <= VALVES_MAX {
            return None;
        }
        let (_, destination) = self.resting.pop_first()?;
        self.forget(destination);
        Some(destination)
    }

    fn forget(&mut self, destination: u32) {
        if let Some(valve) = self.valves.remove(&destination) {
            self.wakes.remove(&(valve.wake, destination));
            self.resting.remove(&(valve.rested, destination));
        }
    }

    /// Destinations that have a valve.
    pub fn destinations(&self) -> impl Iterator<Item = u32> {
        self.valves.keys().copied()
    }

    /// How the valve of a destination stands. A closed one is asked again when time may have opened it.
    pub fn stance(&mut self, destination: u32, now: Timestamp) -> Stance {
        look();
        let limits = self.limits(destination);
        let Some(valve) = self.valves.get_mut(&destination) else {
            return Stance::Open;
        };
        let stance = valve.stance(&limits, now);
        let wake = match stance {
            Stance::Open => Timestamp::NEVER,
            Stance::ClosedUntil(until) => until,
        };
        let old = std::mem::replace(&mut valve.wake, wake);
        if old != wake {
            self.wakes.remove(&(old, destination));
            if wake != Timestamp::NEVER {
                self.wakes.insert((wake, destination));
            }
        }
        stance
    }

    /// A message passes the valve of its destination.
    pub fn pass(&mut self, destination: u32, now: Timestamp) {
        let limits = self.limits(destination);
        if let Some(valve) = self.valves.get_mut(&destination) {
            self.resting.remove(&(valve.rested, destination));
            valve.pass(&limits, now);
        }
    }

    /// What has passed is done.
    pub fn leave(&mut self, destination: u32, started: bool) {
        let limits = self.limits(destination);
        if let Some(valve) = self.valves.get_mut(&destination) {
            valve.leave(&limits, started);
            if valve.running == 0 {
                self.rest(destination);
            }
        }
    }

    /// A destination wants nothing before this instant.
    pub fn hold(&mut self, destination: u32, until: Timestamp) {
        if let Some(valve) = self.valves.get_mut(&destination) {
            valve.hold(until);
        }
    }

    /// A closed valve that time may have opened by now.
    #[must_use]
    pub fn due(&self, now: Timestamp) -> Option<u32> {
        let (at, destination) = self.wakes.first()?;
        (*at <= now).then_some(*destination)
    }

    /// When time alone may open a valve.
    #[must_use]
    pub fn next_change(&self) -> Timestamp {
        let first = self.wakes.first();
        first.map_or(Timestamp::NEVER, |(at, _)| *at)
    }

    fn rest(&mut self, destination: u32) {
        self.uses += 1;
        if let Some(valve) = self.valves.get_mut(&destination) {
            valve.rested = self.uses;
            self.resting.insert((self.uses, destination));
        }
    }
}
