//! What a breaker tells of itself.

use super::{Breaker, Phase};
use crate::policy::breaker::state::State;
use crate::policy::breaker::stats::Stats;
use crate::policy::breaker::window::Totals;
use crate::time::Timestamp;

impl Breaker {
    /// The state, as of the last call that told the time.
    #[must_use]
    pub fn state(&self) -> State {
        match self.phase {
            Phase::Closed(_) => State::Closed,
            Phase::Disabled => State::Disabled,
            Phase::HalfOpen(_) => State::HalfOpen,
            Phase::Isolated => State::Isolated,
            Phase::Open { .. } => State::Open,
        }
    }

    /// When the next permit can be had without a report before; none if now. [`Timestamp::NEVER`] if it is isolated.
    #[must_use]
    pub fn retry_at(&self, now: Timestamp) -> Option<Timestamp> {
        let at = self.steady.peek(now);
        let retry = match &self.phase {
            Phase::Disabled => return None,
            Phase::Isolated => return Some(Timestamp::NEVER),
            Phase::Closed(_) => self.paused_until,
            Phase::HalfOpen(probes) if probes.free() > 0 => self.paused_until,
            Phase::HalfOpen(probes) => self.paused_until.max(probes.deadline().unwrap_or(0)),
            Phase::Open { until, .. } => self.paused_until.max(*until),
        };
        (retry > at).then(|| self.steady.to_host(retry))
    }

    /// How many permits can be had now: all, none, or so many as there are slots for probes.
    #[must_use]
    pub fn room(&self, now: Timestamp) -> u32 {
        let paused = self.paused_until > self.steady.peek(now);
        match &self.phase {
            Phase::Disabled => u32::MAX,
            Phase::Closed(_) if !paused => u32::MAX,
            Phase::HalfOpen(probes) if !paused => probes.free(),
            _ => 0,
        }
    }

    /// When time alone changes something next: the end of a cooldown or of a pause, or the deadline of a probe.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let pause = Some(self.paused_until).filter(|until| *until > self.steady.peek(Timestamp(0)));
        let next = match &self.phase {
            Phase::Disabled | Phase::Isolated => None,
            Phase::Closed(_) => pause,
            Phase::HalfOpen(probes) => probes.deadline().into_iter().chain(pause).min(),
            Phase::Open { until, .. } => Some(*until),
        };
        next.map(|at| self.steady.to_host(at))
    }

    /// Counts the changes of state; permits of another epoch are late.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Whether nothing would be lost with it: a new one would give the same answers.
    #[must_use]
    pub fn is_blank(&self, now: Timestamp) -> bool {
        let at = self.steady.peek(now);
        match &self.phase {
            Phase::Closed(window) => {
                self.paused_until <= at && window.totals(at) == Totals::default()
            }
            _ => false,
        }
    }

    /// What it has seen.
    #[must_use]
    pub fn stats(&self, now: Timestamp) -> Stats {
        let (window, probes) = match &self.phase {
            Phase::Closed(window) => (window.totals(self.steady.peek(now)), 0),
            Phase::HalfOpen(probes) => (Totals::default(), probes.under_way()),
            _ => (Totals::default(), 0),
        };
        let retry_at = self.retry_at(now);
        Stats {
            state: self.state(),
            retry_at: retry_at.filter(|at| *at != Timestamp::NEVER),
            openings: self.openings,
            probes,
            window,
            counters: self.counters,
        }
    }
}
