//! What lets the messages of one destination through to workers of one name.
//!
//! A valve is open, or closed until an instant, or closed until something ends that it counts. It does
//! not act by itself: whoever changes something asks it again how it stands.

use super::policies::PerDestination;
use crate::policy::rate::Pace;
use crate::time::Timestamp;

/// How a valve stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stance {
    /// Messages may pass.
    Open,
    /// None may before this instant; [`Timestamp::NEVER`]: before one that has passed is done.
    ClosedUntil(Timestamp),
}

/// The valve of one destination.
#[derive(Debug, Default)]
pub struct Valve {
    /// Messages that have passed and are not done.
    pub running: u32,
    /// The destination asked for time until then.
    held_until: Timestamp,
    pace: Pace,
    /// When it is asked again; [`Timestamp::NEVER`] if time alone changes nothing.
    pub wake: Timestamp,
    /// When it was used last, counted in uses; 0 while it is in use.
    pub rested: u64,
}

impl Valve {
    /// One that nothing has passed yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            wake: Timestamp::NEVER,
            ..Self::default()
        }
    }

    /// How it stands.
    #[must_use]
    pub fn stance(&self, limits: &PerDestination, now: Timestamp) -> Stance {
        let is_full = |most: u32| self.running >= most;
        if limits.concurrency.is_some_and(is_full) {
            return Stance::ClosedUntil(Timestamp::NEVER);
        }
        let paced = limits.rate.map_or(now, |rate| self.pace.next(rate));
        let until = paced.max(self.held_until);
        if until > now {
            Stance::ClosedUntil(until)
        } else {
            Stance::Open
        }
    }

    /// A message passes.
    pub fn pass(&mut self, limits: &PerDestination, now: Timestamp) {
        self.running += 1;
        if let Some(rate) = limits.rate {
            self.pace.take(rate, now);
        }
    }

    /// What has passed is done. It counts against the rate only if its handler `started`.
    pub fn leave(&mut self, limits: &PerDestination, started: bool) {
        self.running -= 1;
        if let Some(rate) = limits.rate.filter(|_| !started) {
            self.pace.refund(rate);
        }
    }

    /// The destination wants nothing before this instant.
    pub fn hold(&mut self, until: Timestamp) {
        self.held_until = self.held_until.max(until);
    }

    /// Whether little is lost when it is forgotten.
    #[must_use]
    pub fn is_idle(&self, now: Timestamp) -> bool {
        self.running == 0 && self.held_until <= now
    }
}
