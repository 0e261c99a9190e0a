//! Rates that count over all workers of a queue that name them.
//!
//! Workers that name the same rate share what it allows. Another rate is counted by itself: were both one
//! number, the faster would leave nothing to the slower.

use std::collections::BTreeMap;

use crate::policy::rate::{Pace, Rate};
use crate::time::Timestamp;

/// What was started at one rate.
#[derive(Debug)]
struct Shared {
    rate: Rate,
    pace: Pace,
    workers: u32,
}

/// What was started at each of the rates of open workers.
#[derive(Debug, Default)]
pub struct Paces(BTreeMap<(u32, u64), Shared>);

impl Paces {
    /// A worker has this rate from now on. `kept`: what is remembered of the workers before, where none that is
    /// open has it.
    pub fn join(&mut self, rate: Rate, kept: Pace) {
        let fresh = Shared {
            rate,
            pace: kept,
            workers: 0,
        };
        self.0.entry(key(rate)).or_insert(fresh).workers += 1;
    }

    /// A worker has this rate no more. If it was the last one: what is to be remembered.
    pub fn part(&mut self, rate: Rate) -> Option<Pace> {
        let shared = self.0.get_mut(&key(rate))?;
        shared.workers -= 1;
        if shared.workers > 0 {
            return None;
        }
        self.0.remove(&key(rate)).map(|shared| shared.pace)
    }

    /// What was started at this rate.
    #[must_use]
    pub fn of(&self, rate: Rate) -> Pace {
        let shared = self.0.get(&key(rate));
        shared.map_or(Pace::default(), |shared| shared.pace)
    }

    /// One starts.
    pub fn take(&mut self, rate: Rate, now: Timestamp) {
        if let Some(shared) = self.0.get_mut(&key(rate)) {
            shared.pace.take(shared.rate, now);
        }
    }

    /// One that was taken did not start after all.
    pub fn refund(&mut self, rate: Rate) {
        if let Some(shared) = self.0.get_mut(&key(rate)) {
            shared.pace.refund(shared.rate);
        }
    }

    /// What is to be remembered of all of them: no rate owes more than a whole burst of its own, so one is enough.
    #[must_use]
    pub fn slowest(&self) -> Pace {
        let paces = self.0.values().map(|shared| shared.pace);
        paces.fold(Pace::default(), Pace::slower)
    }
}

const fn key(rate: Rate) -> (u32, u64) {
    (rate.limit, rate.per_ms)
}
