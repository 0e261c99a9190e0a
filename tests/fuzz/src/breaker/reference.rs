//! A circuit breaker as one would explain it: a list of all calls, and every total counted anew.

use ackbox_core::policy::backoff::Backoff;
use ackbox_core::policy::breaker::{BreakerOptions, Outcome, State, Totals, WindowKind};

/// What was chosen, with all defaults.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    pub(super) window: WindowKind,
    pub(super) failures: u32,
    pub(super) size: usize,
    pub(super) window_ms: u64,
    pub(super) failure_rate_ppm: u64,
    pub(super) min_calls: u32,
    /// From how many ms on a call is slow, and how many of a million are too many.
    pub(super) slow: Option<(u64, u64)>,
    pub(super) cooldown: Backoff,
    pub(super) probes: usize,
    pub(super) successes: u32,
    pub(super) probe_timeout_ms: u64,
}

/// One call that counted.
#[derive(Clone, Copy, Debug)]
struct Call {
    at: u64,
    failed: bool,
    slow: bool,
}

/// A state, and what is known only in it.
#[derive(Clone, Debug)]
enum Phase {
    Closed(Vec<Call>),
    Open {
        since: u64,
        until: u64,
    },
    HalfOpen {
        probes: Vec<(u64, u64)>,
        succeeded: u32,
        /// Ends that were nobody's failure.
        ignored: u32,
    },
    Isolated,
    Disabled,
}

/// Leave to make a call, in the period that gave it, and which probe it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leave {
    period: u64,
    probe: Option<u64>,
}

/// The breaker.
#[derive(Clone, Debug)]
pub(super) struct Naive {
    chosen: Chosen,
    phase: Phase,
    period: u64,
    given: u64,
    pub(super) openings: u32,
    paused_until: u64,
    /// Time that never goes back, and what the clock said last.
    time: u64,
    clock: u64,
}

impl Naive {
    pub(super) fn new(chosen: Chosen, now: u64) -> Self {
        Self {
            chosen,
            phase: Phase::Closed(Vec::new()),
            period: 0,
            given: 0,
            openings: 0,
            paused_until: 0,
            time: now,
            clock: now,
        }
    }

    /// What is left of it after a restart, when the clock is moved by so much.
    pub(super) fn restart(&mut self, now: u64) {
        let moved = now as i128 - i128::from(self.clock);
        let before = self.time;
        // Never longer than at the time of the snapshot, whatever the clock says.
        let left = |until: u64, most: u64| {
            let left = i128::from(until) - i128::from(before) - moved;
            now + (left.max(0) as u64).min(most)
        };
        let longest = self.chosen.cooldown.max_delay_ms();
        self.paused_until = left(self.paused_until, self.paused_until.saturating_sub(before));
        match &mut self.phase {
            Phase::Closed(calls) if self.chosen.window == WindowKind::Consecutive => {
                // One failure less than opens it, at most.
                let failures = calls.iter().rev().take_while(|call| call.failed).count();
                let dropped = calls.len() - failures.min(self.chosen.failures as usize - 1);
                calls.drain(..dropped);
            }
            Phase::Closed(calls) => calls.clear(),
            Phase::Open { since, until } => {
                let before = until.saturating_sub(before);
                *until = left(*until, (*until - *since).min(before).min(longest));
                *since = now;
            }
            Phase::HalfOpen {
                probes,
                succeeded,
                ignored,
            } => {
                probes.clear();
                (*succeeded, *ignored) = (0, 0);
            }
            Phase::Isolated | Phase::Disabled => {}
        }
        self.period += 1;
        self.time = now;
        self.clock = now;
    }

    /// The host's clock is looked at.
    pub(super) fn tick(&mut self, now: u64) {
        self.time += now.saturating_sub(self.clock);
        self.clock = now;
    }

    pub(super) fn state(&self) -> State {
        match self.phase {
            Phase::Closed(_) => State::Closed,
            Phase::Open { .. } => State::Open,
            Phase::HalfOpen { .. } => State::HalfOpen,
            Phase::Isolated => State::Isolated,
            Phase::Disabled => State::Disabled,
        }
    }

    pub(super) fn probes(&self) -> usize {
        match &self.phase {
            Phase::HalfOpen { probes, .. } => probes.len(),
            _ => 0,
        }
    }

    /// What the window holds: counted anew.
    pub(super) fn totals(&self) -> Totals {
        let Phase::Closed(calls) = &self.phase else {
            return Totals::default();
        };
        let bucket_ms = self.chosen.window_ms.div_ceil(10).max(1);
        let buckets = self.chosen.window_ms.div_ceil(bucket_ms).max(1);
        let now = self.time / bucket_ms;
        let seen: Vec<&Call> = match self.chosen.window {
            WindowKind::Consecutive => calls.iter().rev().take_while(|call| call.failed).collect(),
            WindowKind::Count => calls.iter().rev().take(self.chosen.size).collect(),
            WindowKind::Time => {
                let recent = |call: &&Call| now - call.at / bucket_ms < buckets;
                calls.iter().filter(recent).collect()
            }
        };
        let count = |what: fn(&Call) -> bool| seen.iter().filter(|call| what(call)).count() as u32;
        let rated = self.chosen.window != WindowKind::Consecutive;
        Totals {
            calls: seen.len() as u32,
            failures: count(|call| call.failed),
            slow: if rated { count(|call| call.slow) } else { 0 },
        }
    }

    /// Lets time pass.
    pub(super) fn advance(&mut self, now: u64) {
        self.tick(now);
        self.expire();
        if let Phase::Open { until, .. } = self.phase
            && until <= self.time
        {
            self.enter(Phase::HalfOpen {
                probes: Vec::new(),
                succeeded: 0,
                ignored: 0,
            });
        }
    }

    /// A probe that did not return opens it when it should have.
    fn expire(&mut self) {
        if let Phase::HalfOpen { probes, .. } = &self.phase
            && let Some(deadline) = probes.iter().map(|(_, deadline)| *deadline).min()
            && deadline <= self.time
        {
            self.open(deadline);
        }
    }

    /// Asks for leave.
    pub(super) fn ask(&mut self, now: u64) -> Option<Leave> {
        self.advance(now);
        let paused = self.paused_until > self.time;
        let deadline = self.time + self.chosen.probe_timeout_ms;
        self.given += 1;
        let given = self.given;
        let probe = match &mut self.phase {
            Phase::Disabled => None,
            Phase::Closed(_) if !paused => None,
            Phase::HalfOpen { probes, .. } if !paused && probes.len() < self.chosen.probes => {
                probes.push((given, deadline));
                Some(given)
            }
            _ => return None,
        };
        let period = self.period;
        Some(Leave { period, probe })
    }

    /// Tells how a call went.
    pub(super) fn tell(&mut self, leave: Leave, outcome: Outcome, took_ms: u64, now: u64) {
        self.tick(now);
        self.expire();
        if leave.period != self.period {
            return;
        }
        if let Phase::HalfOpen { probes, .. } = &mut self.phase {
            let before = probes.len();
            probes.retain(|(probe, _)| Some(*probe) != leave.probe);
            if probes.len() == before {
                return;
            }
        }
        let failed = match outcome {
            Outcome::Cancelled => return,
            Outcome::Ignored => {
                // Each five of them tell that somebody is there.
                if let Phase::HalfOpen { ignored, .. } = &mut self.phase {
                    *ignored += 1;
                    if *ignored % 5 == 0 {
                        self.judge(false, false);
                    }
                }
                return;
            }
            Outcome::Throttled { until, failed } => {
                if matches!(self.phase, Phase::Closed(_) | Phase::HalfOpen { .. }) {
                    let until = self.time + until.0.saturating_sub(now);
                    self.paused_until = self.paused_until.max(until);
                }
                if !failed {
                    return;
                }
                true
            }
            Outcome::Failure | Outcome::Timeout => true,
            Outcome::Success => false,
        };
        let slow = self.chosen.slow.is_some_and(|(ms, _)| took_ms > ms);
        self.judge(failed, slow);
    }

    fn judge(&mut self, failed: bool, slow: bool) {
        let at = self.time;
        match &mut self.phase {
            Phase::Closed(calls) => {
                calls.push(Call { at, failed, slow });
                if self.trips() {
                    self.open(at);
                }
            }
            Phase::HalfOpen { .. } if failed || slow => self.open(at),
            Phase::HalfOpen { succeeded, .. } => {
                *succeeded += 1;
                if *succeeded >= self.chosen.successes {
                    self.openings = 0;
                    self.enter(Phase::Closed(Vec::new()));
                }
            }
            _ => {}
        }
    }

    fn trips(&self) -> bool {
        let totals = self.totals();
        let (calls, failures) = (u64::from(totals.calls), u64::from(totals.failures));
        if self.chosen.window == WindowKind::Consecutive {
            return totals.failures >= self.chosen.failures;
        }
        let reaches = |part: u64, ppm: u64| part * 1_000_000 >= ppm * calls;
        let slow = u64::from(totals.slow);
        totals.calls >= self.chosen.min_calls
            && (reaches(failures, self.chosen.failure_rate_ppm)
                || self.chosen.slow.is_some_and(|(_, ppm)| reaches(slow, ppm)))
    }

    fn open(&mut self, since: u64) {
        let until = since + self.chosen.cooldown.delay_ms(self.openings, |_| 0);
        self.openings += 1;
        self.enter(Phase::Open { since, until });
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.period += 1;
    }

    /// Somebody decides.
    pub(super) fn force(&mut self, to: State, now: u64) {
        self.tick(now);
        self.openings = 0;
        self.paused_until = 0;
        self.enter(match to {
            State::Isolated => Phase::Isolated,
            State::Disabled => Phase::Disabled,
            _ => Phase::Closed(Vec::new()),
        });
    }

    /// The host computes the present cooldown itself.
    pub(super) fn cool_down_for(&mut self, ms: u64) {
        if let Phase::Open { since, until } = &mut self.phase {
            *until = *since + ms;
        }
    }
}

impl Chosen {
    /// Options with their defaults.
    pub(super) fn of(options: &BreakerOptions) -> Self {
        let size = options.size.unwrap_or(100);
        let counted = options.window == WindowKind::Count;
        let min_calls = if counted { size.min(20) } else { 20 };
        Self {
            window: options.window,
            failures: options.failures.unwrap_or(5),
            size: size as usize,
            window_ms: options.window_ms.unwrap_or(10_000),
            failure_rate_ppm: u64::from(options.failure_rate_ppm.unwrap_or(500_000)),
            min_calls: options.min_calls.unwrap_or(min_calls),
            slow: options
                .slow_ms
                .map(|ms| (ms, u64::from(options.slow_rate_ppm.unwrap_or(1_000_000)))),
            cooldown: options.cooldown.clone().unwrap_or(Backoff::Constant {
                ms: 30_000,
                jitter: ackbox_core::policy::backoff::Jitter::None,
            }),
            probes: options.probes.unwrap_or(1) as usize,
            successes: options.successes.unwrap_or(1),
            probe_timeout_ms: options.probe_timeout_ms.unwrap_or(30_000),
        }
    }
}
