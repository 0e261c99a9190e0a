//! The state machine.

use std::sync::Arc;

use super::options::Settings;
use super::permit::{Answer, Outcome, Permit, Refusal};
use super::probes::Probes;
use super::snapshot::Snapshot;
use super::state::{Change, Changes, State, Why};
use super::stats::{Counters, Stats};
use super::steady::Steady;
use super::window::{Totals, Window};
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

    /// The breaker of a snapshot. One that was half-open begins its probes again; one that was open stays so for
    /// what is left of its cooldown.
    ///
    /// # Errors
    /// What is wrong with the snapshot.
    pub fn restore(
        settings: Arc<Settings>,
        seed: [u8; 16],
        snapshot: &Snapshot,
        now: Timestamp,
    ) -> Result<Self, String> {
        snapshot.check()?;
        let mut breaker = Self::new(settings, seed);
        let at = breaker.steady.at(now);
        breaker.epoch = snapshot.epoch.wrapping_add(1);
        breaker.openings = snapshot.openings;
        breaker.paused_until = at.saturating_add(snapshot.pause_left_ms(now));
        breaker.phase = match snapshot.state {
            State::Closed => {
                let mut window = Window::new(breaker.settings.span);
                if let Window::Consecutive(failures) = &mut window {
                    *failures = snapshot.failures.min(breaker.settings.failures - 1);
                }
                Phase::Closed(window)
            }
            State::Disabled => Phase::Disabled,
            State::HalfOpen => Phase::HalfOpen(Probes::new(breaker.settings.probes)),
            State::Isolated => Phase::Isolated,
            State::Open => {
                let left = snapshot.cooldown_left_ms(now, breaker.settings.cooldown_ms_max());
                Phase::Open {
                    since: at,
                    until: at.saturating_add(left),
                }
            }
        };
        Ok(breaker)
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
            self.count_late(outcome);
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
            self.count_late(outcome);
            return None;
        }
        self.count(outcome);
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

    /// Lets no call through until somebody says otherwise.
    #[must_use = "a change is to be saved and told of"]
    pub fn isolate(&mut self, now: Timestamp) -> Option<Change> {
        self.force(Phase::Isolated, now)
    }

    /// Lets all calls through and looks at none until somebody says otherwise.
    #[must_use = "a change is to be saved and told of"]
    pub fn disable(&mut self, now: Timestamp) -> Option<Change> {
        self.force(Phase::Disabled, now)
    }

    /// Closes it, whatever it was: nothing that happened before counts any more.
    #[must_use = "a change is to be saved and told of"]
    pub fn reset(&mut self, now: Timestamp) -> Option<Change> {
        self.force(Phase::Closed(Window::new(self.settings.span)), now)
    }

    /// Sets how long the present cooldown takes, from its beginning; for hosts that compute it themselves.
    /// Without effect unless it is open.
    pub fn cool_down_for(&mut self, ms: u64) {
        if let Phase::Open { since, until } = &mut self.phase {
            *until = since.saturating_add(ms);
        }
    }

    /// What outlives the process.
    #[must_use]
    pub fn snapshot(&self, now: Timestamp) -> Snapshot {
        let (opened_at, open_until) = match self.phase {
            Phase::Open { since, until } => (
                Some(self.steady.to_host(since)),
                Some(self.steady.to_host(until)),
            ),
            _ => (None, None),
        };
        let failures = match self.phase {
            Phase::Closed(Window::Consecutive(failures)) => failures,
            _ => 0,
        };
        let paused = self.paused_until > self.steady.peek(now);
        Snapshot {
            version: Snapshot::VERSION,
            state: self.state(),
            epoch: self.epoch,
            openings: self.openings,
            failures,
            saved_at: now,
            opened_at,
            open_until,
            paused_until: paused.then(|| self.steady.to_host(self.paused_until)),
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
                let why = window.trips(&self.settings, at)?;
                Some(self.open(why, at))
            }
            // A slow probe is no sign that the others may follow.
            Phase::HalfOpen(_) if failed || slow => Some(self.open(Why::ProbeFailed, at)),
            Phase::HalfOpen(probes) => {
                if probes.succeed() < self.settings.successes {
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
        let until = at.saturating_add(cooldown);
        self.enter(Phase::Open { since: at, until }, why, at)
    }

    fn force(&mut self, phase: Phase, now: Timestamp) -> Option<Change> {
        let at = self.steady.at(now);
        self.openings = 0;
        self.paused_until = 0;
        let change = self.enter(phase, Why::Manual, at);
        (change.from != change.to).then_some(change)
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

    fn count(&mut self, outcome: Outcome) {
        let counters = &mut self.counters;
        match outcome {
            Outcome::Cancelled => counters.cancelled += 1,
            Outcome::Failure => counters.failures += 1,
            Outcome::Ignored => counters.ignored += 1,
            Outcome::Success => counters.successes += 1,
            Outcome::Throttled { failed, .. } => {
                counters.throttled += 1;
                counters.failures += u64::from(failed);
            }
            Outcome::Timeout => {
                counters.failures += 1;
                counters.timeouts += 1;
            }
        }
    }

    fn count_late(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Failure | Outcome::Timeout => self.counters.late_failures += 1,
            Outcome::Success => self.counters.late_successes += 1,
            Outcome::Cancelled => self.counters.cancelled += 1,
            Outcome::Ignored => self.counters.ignored += 1,
            Outcome::Throttled { failed, .. } => {
                self.counters.throttled += 1;
                self.counters.late_failures += u64::from(failed);
            }
        }
    }
}

/// What an outcome means for the state.
enum Verdict {
    Nothing,
    NoFailure,
    Pause {
        until: Timestamp,
        failed: bool,
        slow: bool,
    },
    Result {
        failed: bool,
        slow: bool,
    },
}

impl Verdict {
    fn of(outcome: Outcome, took_ms: u64, settings: &Settings) -> Self {
        let slow = settings.slow.is_some_and(|slow| took_ms > slow.ms);
        match outcome {
            Outcome::Cancelled => Self::Nothing,
            Outcome::Ignored => Self::NoFailure,
            Outcome::Throttled { until, failed } => Self::Pause {
                until,
                failed,
                slow,
            },
            Outcome::Failure | Outcome::Timeout => Self::Result { failed: true, slow },
            Outcome::Success => Self::Result {
                failed: false,
                slow,
            },
        }
    }
}
