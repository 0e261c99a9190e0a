//! What lets the messages of one destination through to workers of one name.
//!
//! A valve is open, or closed until an instant, or closed until something ends that it counts. It does
//! not act by itself: whoever changes something asks it again how it stands.

use super::circuit::{Circuit, Passage};
use super::policies::PerDestination;
use super::ramp::{Ramp, Step};
use crate::policy::breaker::Outcome;
use crate::policy::hold::Hold;
use crate::policy::rate::Pace;
use crate::time::Timestamp;

/// How a valve stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stance {
    /// Messages may pass.
    Open,
    /// One message may pass, to see whether the others may follow.
    Probing,
    /// Its circuit is open. None may pass before this instant; [`Timestamp::NEVER`]: before one that has
    /// passed is done.
    Broken(Timestamp),
    /// The same for any other reason.
    ClosedUntil(Timestamp),
}

/// The valve of one destination.
#[derive(Debug)]
pub struct Valve {
    /// Messages that have passed and are not done.
    pub running: u32,
    /// Its circuit, if its worker wants one.
    pub circuit: Option<Box<Circuit>>,
    /// The destination asked for time until then.
    held_until: Timestamp,
    /// How messages come back after that, where no circuit knows it.
    ramp: Ramp,
    pace: Pace,
    /// When it is asked again; [`Timestamp::NEVER`] if time alone changes nothing.
    pub wake: Timestamp,
    /// When it was used last: see [`super::control`].
    pub rested: (bool, u64),
}

impl Valve {
    /// One that nothing has passed yet.
    #[must_use]
    pub fn new(circuit: Option<Circuit>) -> Self {
        Self {
            running: 0,
            circuit: circuit.map(Box::new),
            held_until: Timestamp(0),
            ramp: Ramp::default(),
            pace: Pace::default(),
            wake: Timestamp::NEVER,
            rested: (false, 0),
        }
    }

    /// How it stands, and when time alone may change that.
    pub fn stance(&mut self, limits: &PerDestination, now: Timestamp) -> (Stance, Timestamp) {
        let running = self.running;
        let (passage, next) = if let Some(circuit) = &mut self.circuit {
            (circuit.passage(now), circuit.next_change())
        } else {
            let passage = self.ramp.next(now).map_or(Passage::Free, Passage::Waiting);
            (passage, Timestamp::NEVER)
        };
        let paced = limits.rate.map_or(now, |rate| self.pace.next(rate));
        let until = paced.max(self.held_until);
        let stance = if limits.concurrency.is_some_and(|most| running >= most) {
            Stance::ClosedUntil(Timestamp::NEVER)
        } else if let Passage::Broken(until) = passage {
            Stance::Broken(until)
        } else if let Passage::Waiting(until) = passage {
            Stance::ClosedUntil(until)
        } else if until > now {
            Stance::ClosedUntil(until)
        } else if passage == Passage::Probe {
            Stance::Probing
        } else {
            Stance::Open
        };
        let wake = match stance {
            Stance::Open | Stance::Probing => next,
            Stance::Broken(until) | Stance::ClosedUntil(until) => until.min(next),
        };
        (stance, wake)
    }

    /// A message passes: what it has to [answer](Self::answer), if messages come back.
    pub fn pass(&mut self, limits: &PerDestination, now: Timestamp) -> Option<Step> {
        self.running += 1;
        if let Some(rate) = limits.rate {
            self.pace.take(rate, now);
        }
        self.ramp().pass(now)
    }

    /// What has passed is done. It counts against the rate only if its handler `started`.
    pub fn leave(&mut self, limits: &PerDestination, started: bool) {
        self.running -= 1;
        if let Some(rate) = limits.rate.filter(|_| !started) {
            self.pace.refund(rate);
        }
    }

    /// How one went that came back, which its circuit, if there is one, was told.
    pub fn answer(&mut self, step: Step, outcome: Outcome, slots: u32, now: Timestamp) {
        self.ramp().leave(step, outcome, slots, now);
    }

    fn ramp(&mut self) -> &mut Ramp {
        match &mut self.circuit {
            Some(circuit) => &mut circuit.ramp,
            None => &mut self.ramp,
        }
    }

    /// The destination wants nothing before this instant. True if that was not known.
    pub fn hold(&mut self, until: Timestamp) -> bool {
        let is_news = until > self.held_until;
        match &mut self.circuit {
            Some(circuit) if is_news => circuit.begin_ramp(),
            None if is_news => self.ramp.begin(),
            _ => {}
        }
        self.held_until = self.held_until.max(until);
        is_news
    }

    /// Somebody knows better than the destination: it is held no longer.
    pub fn let_go(&mut self) {
        self.held_until = Timestamp(0);
    }

    /// Until when it is held, if it is.
    #[must_use]
    pub fn held_until(&self, now: Timestamp) -> Option<Timestamp> {
        (self.held_until > now).then_some(self.held_until)
    }

    /// How long it is held back, as far as that outlives it.
    #[must_use]
    pub fn kept(&self, now: Timestamp) -> Hold {
        Hold {
            since: now,
            until: self.held_until,
            paced: self.pace.due(),
        }
    }

    /// Goes on with what was kept of an earlier one.
    pub fn resume(&mut self, kept: Hold, limits: &PerDestination, now: Timestamp) {
        if kept.until > now {
            self.hold(kept.until);
        }
        if let Some(rate) = limits.rate {
            self.pace = self.pace.slower(Pace::resume(kept.paced, rate, now));
        }
    }

    /// Whether nobody knows when a closed one lets messages through again: nothing runs that would tell, and its
    /// destination fails or asked for time.
    #[must_use]
    pub fn is_shut(&self, now: Timestamp) -> bool {
        let lets_none = |it: &Circuit| !it.is_closed() || it.breaker().room(now) == 0;
        let circuit = self.circuit.as_deref();
        self.running == 0 && (self.held_until > now || circuit.is_some_and(lets_none))
    }

    /// Whether little is lost when it is forgotten.
    #[must_use]
    pub fn is_idle(&self, now: Timestamp) -> bool {
        let circuit = self.circuit.as_deref();
        self.running == 0 && self.held_until <= now && circuit.is_none_or(Circuit::is_closed)
    }
}
