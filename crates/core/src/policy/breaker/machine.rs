//! The state machine: which calls it lets through, and what their ends make of it.

mod forcing;
mod looking;
mod saving;

use std::sync::Arc;

use super::options::Settings;
use super::permit::{Answer, Outcome, Permit, Refusal};
use super::probes::Probes;
use super::state::{Change, Changes, Why};
use super::stats::Counters;
use super::steady::Steady;
use super::verdict::Verdict;
use super::window::Window;
use crate::hash;
use crate::time::Timestamp;

/// One circuit breaker. The documentation of its module tells how it is used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Breaker {
    settings: Arc<Settings>,
    /// Decides the jitter of the cooldowns.
    seed: [u8; 16],
    steady: Steady,
    epoch: u32,
    phase: Phase,
    /// Openings in a row.
    openings: u32,
    /// The callee asked for a pause until then.
    paused_until: u64,
    counters: Counters,
}

/// A state, and what is known only in it. Times are steady.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Phase {
    Closed(Window),
    Disabled,
    HalfOpen(Probes),
    Isolated,
    Open { since: u64, until: u64 },
}

impl Breaker {
    /// A closed breaker. Breakers with the same seed draw the same jitter.
    #[must_use]
    pub fn new(settings: Arc<Settings>, seed: [u8; 16]) -> Self {
        let phase = Phase::Closed(Window::new(settings.span));
        Self {
            settings,
            seed,
            steady: Steady::default(),
            epoch: 0,
            phase,
            openings: 0,
            paused_until: 0,
            counters: Counters::default(),
        }
    }

    /// Asks for leave to make one call.
    pub fn permit(&mut self, now: Timestamp) -> Answer {
        let at = self.steady.at(now);
        let changes = self.pass(at);
        let paused = self.paused_until > at;
        let permit = match &mut self.phase {
            Phase::Closed(_) if !paused => Some(self.unmarked()),
            Phase::Disabled => Some(self.unmarked()),
            Phase::HalfOpen(probes) if !paused => {
                let deadline = at.saturating_add(self.settings.probe_timeout_ms);
                probes.start(self.epoch, deadline)
            }
            _ => None,
        };
        let permit = permit.ok_or_else(|| {
            self.counters.rejected += 1;
            Refusal {
                state: self.state(),
                retry_at: self.retry_at(now).unwrap_or(now),
            }
        });
        Answer { permit, changes }
    }

    /// A permitted call begins only now: if it is a probe, its time does. `limit_ms`: what it may take by itself, after
    /// which its end is told; it is no less where the options do not say how long a probe may take.
    pub fn begin_probe(&mut self, permit: Permit, limit_ms: Option<u64>, now: Timestamp) {
        let at = self.steady.at(now);
        let named = self.settings.probe_timeout_ms;
        let longer = limit_ms.filter(|_| self.settings.probe_timeout_is_default);
        let deadline = at.saturating_add(named.max(longer.unwrap_or(0)));
        if let Phase::HalfOpen(probes) = &mut self.phase
            && permit.epoch == self.epoch
        {
            probes.prolong(permit, deadline);
        }
    }

    /// Tells how a permitted call went and how long it took. A permit that is too late, or was reported before,
    /// changes nothing but a counter.
    #[must_use = "a change is to be saved and told of"]
    pub fn report(
        &mut self,
        permit: Permit,
        outcome: Outcome,
        took_ms: u64,
        now: Timestamp,
    ) -> Option<Change> {
        let at = self.steady.at(now);
        // A probe whose deadline passed unseen has opened the breaker before this report came.
        let expired = self.expire(at);
        if permit.epoch != self.epoch {
            self.counters.count_late(outcome);
            return expired;
        }
        let verdict = Verdict::of(outcome, took_ms, &self.settings);
        let counts = match &mut self.phase {
            Phase::Closed(_) => true,
            Phase::Disabled => return None,
            Phase::HalfOpen(probes) => probes.end(permit),
            Phase::Isolated | Phase::Open { .. } => false,
        };
        if !counts {
            self.counters.count_late(outcome);
            return None;
        }
        self.counters.count(outcome);
        match verdict {
            Verdict::Nothing => None,
            Verdict::NoFailure => {
                let Phase::HalfOpen(probes) = &mut self.phase else {
                    return None;
                };
                let is_answer = probes.ignore();
                is_answer.then(|| self.judge(false, false, at)).flatten()
            }
            Verdict::Pause {
                until,
                failed,
                slow,
            } => {
                let until = at.saturating_add(until.since(now));
                self.paused_until = self.paused_until.max(until);
                failed.then(|| self.judge(true, slow, at)).flatten()
            }
            Verdict::Result { failed, slow } => self.judge(failed, slow, at),
        }
    }

    /// The same as so many reports of success, for hosts that tell of them together: nothing is lost by that while the
    /// circuit [is calm](Self::is_calm).
    #[must_use = "a change is to be saved and told of"]
    pub fn report_successes(
        &mut self,
        permit: Permit,
        times: u32,
        now: Timestamp,
    ) -> Option<Change> {
        let at = self.steady.at(now);
        match &mut self.phase {
            Phase::Closed(window)
                if permit.epoch == self.epoch && window.is_calm(&self.settings, at) =>
            {
                window.record_successes(times, at);
                self.counters.successes += u64::from(times);
                None
            }
            // One after the other: what a change makes of those after it is theirs to find out.
            _ => (0..times).fold(None, |changed, _| {
                self.report(permit, Outcome::Success, 0, now).or(changed)
            }),
        }
    }

    /// Whether no success can change the state, so that they may be told later and together, though before anything else
    /// and, for a time window, with their time. Never true unless the circuit is closed.
    #[must_use]
    pub fn is_calm(&self, now: Timestamp) -> bool {
        match &self.phase {
            Phase::Closed(window) => window.is_calm(&self.settings, self.steady.peek(now)),
            _ => false,
        }
    }

    /// Lets time pass: what is due happens. Who asks for permits need not call it; it is for those who want to be
    /// told of a change as soon as it is due.
    pub fn advance(&mut self, now: Timestamp) -> Changes {
        let at = self.steady.at(now);
        self.pass(at)
    }

    fn unmarked(&self) -> Permit {
        Permit {
            epoch: self.epoch,
            slot: 0,
            turn: 0,
        }
    }

    /// What time alone does.
    fn pass(&mut self, at: u64) -> Changes {
        let mut changes = Changes::default();
        if let Some(change) = self.expire(at) {
            changes.push(change);
        }
        match self.phase {
            Phase::Open { until, .. } if until <= at => {
                let probes = Probes::new(self.settings.probes);
                changes.push(self.enter(Phase::HalfOpen(probes), Why::CooledDown, until));
            }
            _ => {}
        }
        changes
    }

    /// Opens it if a probe is past its deadline.
    fn expire(&mut self, at: u64) -> Option<Change> {
        let Phase::HalfOpen(probes) = &self.phase else {
            return None;
        };
        let deadline = probes.deadline().filter(|deadline| *deadline <= at)?;
        self.counters.expired_probes += probes.expired(at);
        Some(self.open(Why::ProbeTimeout, deadline))
    }

    /// A call that counts.
    fn judge(&mut self, failed: bool, slow: bool, at: u64) -> Option<Change> {
        match &mut self.phase {
            Phase::Closed(window) => {
                window.record(failed, slow, at);
                if bug!("never-open-circuit") {
                    return None;
                }
                let why = window.trips(&self.settings, at)?;
                Some(self.open(why, at))
            }
            // A slow probe is no sign that the others may follow.
            Phase::HalfOpen(_) if failed || slow => Some(self.open(Why::ProbeFailed, at)),
            Phase::HalfOpen(probes) => {
                if probes.succeed() < self.settings.successes || bug!("never-close-circuit") {
                    return None;
                }
                self.openings = 0;
                let window = Window::new(self.settings.span);
                Some(self.enter(Phase::Closed(window), Why::Recovered, at))
            }
            _ => None,
        }
    }

    fn open(&mut self, why: Why, at: u64) -> Change {
        let random = |opening| hash::jitter(&self.seed, &[], opening);
        let cooldown = self.settings.cooldown.delay_ms(self.openings, random);
        self.openings = self.openings.saturating_add(1);
        self.counters.opened += 1;
        let until = if bug!("open-circuit-for-ever") {
            u64::MAX / 2
        } else {
            at.saturating_add(cooldown)
        };
        self.enter(Phase::Open { since: at, until }, why, at)
    }

    fn enter(&mut self, phase: Phase, why: Why, at: u64) -> Change {
        let from = self.state();
        self.phase = phase;
        self.epoch = self.epoch.wrapping_add(1);
        let retry_at = match self.phase {
            Phase::Open { until, .. } => Some(self.steady.to_host(until.max(self.paused_until))),
            _ => None,
        };
        Change {
            from,
            to: self.state(),
            why,
            at: self.steady.to_host(at),
            retry_at,
        }
    }
}
