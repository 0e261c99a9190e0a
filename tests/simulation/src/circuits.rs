//! What opens circuits: every result that one may have been told is kept here. One that opens must have had
//! reason to, and one that had reason for certain must not stay closed.

use ackbox_core::consumer::policies::Policies;
use ackbox_core::effect::CircuitInfo;
use ackbox_core::policy::breaker::{BreakerOptions, State, WindowKind};

use crate::model::Held;
use crate::must;
use crate::op::Say;
use crate::passing::Passage;
use crate::world::{Phase, Stop, World};

/// Millionths in one.
const PPM: u64 = 1_000_000;
/// A window of time moves on in so many parts.
const BUCKETS: u64 = 10;

/// What is known of a circuit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Circuit {
    /// Whether it was closed when somebody looked last; none if nobody did.
    is_closed: Option<bool>,
    /// How often it changed, or may have been forgotten: later, nobody knows whose leave is still good.
    epoch: u32,
    /// What it may have been told since it closed, in order.
    results: Vec<Outcome>,
}

/// A result as a circuit may have been told it.
#[derive(Clone, Copy, Debug)]
struct Outcome {
    at: u64,
    failed: bool,
    slow: bool,
    /// It counted for certain.
    counts: bool,
}

/// Calls that a window holds.
#[derive(Clone, Copy, Default)]
struct Totals {
    calls: u64,
    failures: u64,
    slow: u64,
}

impl Circuit {
    fn begin(&mut self, is_closed: bool) {
        self.is_closed = Some(is_closed);
        self.epoch += 1;
        self.results.clear();
    }

    /// Whether what it was told may have opened it. `more`: so many failures of which nobody knows when
    /// they were told.
    fn may_open(&self, options: &BreakerOptions, more: u64) -> bool {
        if options.window == WindowKind::Consecutive {
            let mut failures = more;
            return self.results.iter().any(|result| {
                if result.failed {
                    failures += 1;
                } else if result.counts {
                    failures = more;
                }
                failures >= u64::from(options.failures.unwrap_or(5))
            }) || more > 0;
        }
        let ends = 1..=self.results.len();
        let opens_at = |end: usize| {
            let told = &self.results[..end];
            let begin = self.begin_of_window(told, options, 0);
            let in_window = &told[begin..];
            let bad = |result: &&Outcome| result.counts || result.failed || result.slow;
            let mut totals = Totals::of(in_window.iter().filter(bad));
            totals.calls += more;
            totals.failures += more;
            totals.slow += more;
            let all = in_window.len() as u64 + more;
            totals.trip(options, all)
        };
        more > 0 || ends.into_iter().any(opens_at)
    }

    /// Whether what it was told has opened it, whatever is in doubt.
    fn has_to_open(&self, options: &BreakerOptions) -> bool {
        if options.window == WindowKind::Consecutive {
            let last = self.results.iter().rev().take_while(|result| result.failed);
            let failures = last.filter(|result| result.counts).count();
            return failures >= options.failures.unwrap_or(5) as usize;
        }
        if self.results.iter().any(|result| !result.counts) {
            return false;
        }
        let most = self.begin_of_window(&self.results, options, 0);
        let bucket_ms = options.window_ms.unwrap_or(0) / BUCKETS;
        let least = self.begin_of_window(&self.results, options, bucket_ms);
        let least = Totals::of(self.results[least..].iter());
        let totals = Totals {
            calls: (self.results.len() - most) as u64,
            ..least
        };
        totals.trip(options, least.calls)
    }

    /// The first of these results that is in the window when the last of them is told, or in one that is so
    /// much shorter.
    fn begin_of_window(&self, told: &[Outcome], options: &BreakerOptions, less_ms: u64) -> usize {
        match (options.size, options.window_ms, told.last()) {
            (Some(size), ..) => told.len().saturating_sub(size as usize),
            (None, Some(window_ms), Some(last)) => {
                let since = last.at.saturating_sub(window_ms - less_ms);
                told.partition_point(|result| result.at <= since)
            }
            _ => 0,
        }
    }
}

impl Totals {
    fn of<'a>(results: impl Iterator<Item = &'a Outcome>) -> Self {
        results.fold(Self::default(), |sum, result| Self {
            calls: sum.calls + 1,
            failures: sum.failures + u64::from(result.failed),
            slow: sum.slow + u64::from(result.slow),
        })
    }

    /// Whether these open a circuit of which so many calls are in the window.
    fn trip(self, options: &BreakerOptions, calls: u64) -> bool {
        let reaches = |part: u64, ppm: u32| part * PPM >= u64::from(ppm) * self.calls;
        let fails = reaches(self.failures, options.failure_rate_ppm.unwrap_or(500_000));
        let slow_ppm = options.slow_rate_ppm.unwrap_or(1_000_000);
        let is_slow = options.slow_ms.is_some() && reaches(self.slow, slow_ppm);
        calls >= u64::from(options.min_calls.unwrap_or(20)) && (fails || is_slow)
    }
}

/// The breaker of a destination; an empty one is that of messages without.
pub(crate) fn breaker_of<'a>(
    policies: &'a Policies,
    destination: &str,
) -> Option<&'a BreakerOptions> {
    let own = policies.per_destination.as_ref();
    let own = own.and_then(|limits| limits.breaker.as_ref());
    own.filter(|_| !destination.is_empty())
        .or(policies.breaker.as_ref())
}

impl World {
    /// A delivery is about to be settled: its circuit will be told. `is_sure`: whatever else happens.
    pub(crate) fn note_end(&mut self, held: &Held, say: Say, is_sure: bool) {
        if held.is_over(self.clock.engine_now()) {
            // It has failed by now, which may be told later.
            return self.note_result(held, true, false);
        }
        match say {
            Say::Ack => self.note_result(held, false, is_sure),
            Say::Reject { .. } => self.note_result(held, true, is_sure),
            // The callee is there, or was not asked.
            Say::Dead | Say::Later { .. } | Say::Return => {}
        }
    }

    pub(crate) fn note_result(&mut self, held: &Held, failed: bool, is_sure: bool) {
        let Some(passage) = held.passage.as_ref().filter(|_| !held.late) else {
            return;
        };
        let policies = &self.plan.policies[held.queue];
        let Some(options) = breaker_of(policies, &passage.destination) else {
            return;
        };
        let at = self.clock.engine_now();
        let key = (held.queue, passage.destination.clone());
        let circuit = self.circuits.entry(key).or_default();
        // Later ones may have had leave of a circuit that has changed since.
        let is_first = circuit.epoch == 0 && circuit.is_closed == Some(true);
        circuit.results.push(Outcome {
            at,
            failed,
            slow: options.slow_ms.is_some_and(|ms| at - held.at > ms),
            counts: is_sure && is_first,
        });
    }

    /// Sees how the circuit of a delivery stands that was settled just now.
    pub(crate) fn look_at_circuit_of(&mut self, held: &Held) -> Result<(), Stop> {
        match &held.passage {
            Some(passage) => self.look_at_circuit(held.queue, &passage.destination),
            None => Ok(()),
        }
    }

    fn look_at_circuit(&mut self, queue: usize, destination: &str) -> Result<(), Stop> {
        let policies = &self.plan.policies[queue];
        if self.phase != Phase::Open || self.closed {
            return Ok(());
        }
        let worker = self.workers.iter().find(|worker| worker.queue == queue);
        let (Some(_), Some(worker)) = (breaker_of(policies, destination), worker) else {
            return Ok(());
        };
        let passage = Passage::of(worker.id.0, destination.to_owned());
        match self.circuit_of(&passage)? {
            Some(info) => self.see_circuit(queue, &info),
            None => Ok(()),
        }
    }

    /// Somebody saw how a circuit stands.
    pub(crate) fn see_circuit(&mut self, queue: usize, info: &CircuitInfo) -> Result<(), Stop> {
        let destination = &info.destination;
        let now = self.clock.engine_now();
        // Who takes too long is told so one after the other, and their circuit at once.
        let longest_ms = self.plan.limits[queue].longest_ms();
        let is_late = |held: &Held| longest_ms.is_some_and(|ms| held.at + ms <= now);
        let has_run_out = |held: &&Held| {
            let goes_there = |passage: &Passage| passage.destination == *destination;
            held.queue == queue
                && held.passage.as_ref().is_some_and(goes_there)
                && (held.is_over(now) || (!held.late && is_late(held)))
        };
        let more = self.model.held.iter().filter(has_run_out).count() as u64;
        let policies = &self.plan.policies[queue];
        let Some(options) = breaker_of(policies, destination) else {
            return Ok(());
        };
        let key = (queue, destination.clone());
        let circuit = self.circuits.entry(key).or_default();
        match (circuit.is_closed, info.state) {
            (_, State::Disabled) => {}
            (None, state) => circuit.is_closed = Some(state == State::Closed),
            (Some(true), State::Closed) => {
                must!(
                    !circuit.has_to_open(options),
                    "I10: a circuit stays closed: {options:?}, {circuit:?}"
                );
            }
            (Some(true), State::Open | State::HalfOpen) => {
                must!(
                    circuit.may_open(options, more),
                    "I10: a circuit opened without a reason: {options:?}, {circuit:?}, {info:?}"
                );
                self.figures.opened += 1;
                circuit.begin(false);
            }
            (Some(was_closed), state) => {
                let is_closed = state == State::Closed;
                if was_closed != is_closed {
                    circuit.begin(is_closed);
                }
            }
        }
        Ok(())
    }

    /// Somebody opened or closed a circuit by hand.
    pub(crate) fn forget_results(&mut self, queue: usize, destination: &str) -> Result<(), Stop> {
        let key = (queue, destination.to_owned());
        let circuit = self.circuits.entry(key).or_default();
        circuit.begin(false);
        circuit.is_closed = None;
        self.look_at_circuit(queue, destination)
    }

    /// A worker is gone: what its circuits had counted may be, too.
    pub(crate) fn blur_circuits(&mut self, queue: usize) {
        let circuits = self.circuits.iter_mut();
        for (_, circuit) in circuits.filter(|((of, _), _)| *of == queue) {
            circuit.epoch += 1;
            circuit
                .results
                .iter_mut()
                .for_each(|result| result.counts = false);
        }
    }
}
