//! A circuit breaker behind numbers: what both bindings wrap for breakers that stand alone.

use std::sync::Arc;

use ackbox_cold as cold;
use ackbox_core::error::{ErrorCode, Failure};
use ackbox_core::hash;
use ackbox_core::policy::breaker::{Breaker, Change, Outcome, Permit, Settings};
use serde_json::Value;

use crate::number::{duration, exact, instant, now, to_host, trusted};

/// Stands for a call that is not let through.
const REFUSED: f64 = -1.0;
/// Is added to an answer if there are changes to take. Permits are below 2^48.
const CHANGED: f64 = (1_u64 << 50) as f64;

/// Are added up: there are changes to take; successes may be told later and together.
const REPORT_CHANGED: u32 = 1;
const REPORT_CALM: u32 = 2;

/// Owns a breaker, and keeps its changes until they are taken.
///
/// A call of the host costs one number each way; when the answer says so, it takes the changes before the next
/// call. Whatever breaks a rule of this crate is a bug of the host and panics.
pub struct BreakerHost {
    breaker: Breaker,
    changes: Vec<Change>,
}

impl BreakerHost {
    /// A closed breaker, or that of a snapshot. Its jitter is drawn from `entropy`, or from `seed` if there is one.
    ///
    /// # Errors
    /// `ERR_INVALID_OPTION` when the options or the snapshot are not acceptable.
    pub fn new(
        now_ms: f64,
        options: Value,
        entropy: [u8; 16],
        seed: Option<&str>,
        snapshot: Option<Value>,
    ) -> Result<Self, Failure> {
        let options = cold::read_breaker(options)?;
        let settings = Arc::new(Settings::parse(&options).map_err(refused)?);
        let seed = seed.map_or(entropy, hash::seed_from_text);
        let breaker = match snapshot {
            None => Breaker::new(settings, seed),
            Some(snapshot) => {
                let snapshot = cold::read_snapshot(snapshot)?;
                Breaker::restore(settings, seed, &snapshot, now(now_ms)).map_err(refused)?
            }
        };
        Ok(Self {
            breaker,
            changes: Vec::new(),
        })
    }

    /// Asks for a permit: its number, or -1; 2^50 more if there are changes to take. `limit_ms`: what the call may take
    /// by itself; as a probe it has no less where the options do not say how long one may take.
    pub fn permit(&mut self, now_ms: f64, limit_ms: Option<f64>) -> f64 {
        let answer = self.breaker.permit(now(now_ms));
        self.changes.extend(answer.changes.iter());
        if let (Ok(permit), Some(limit_ms)) = (answer.permit, limit_ms) {
            let limit_ms = trusted(duration(limit_ms, "limit"));
            self.breaker
                .begin_probe(permit, Some(limit_ms), now(now_ms));
        }
        let permit = answer
            .permit
            .map_or(REFUSED, |permit| permit.number() as f64);
        if self.changes.is_empty() {
            permit
        } else {
            permit + CHANGED
        }
    }

    /// Tells how a call went: 0 succeeded, 1 failed, 2 took too long, 3 said nothing, 4 was given up; and that so many calls of
    /// the same permit succeeded just before. Gives 1 if there are changes to take, and 2 more if successes of the same
    /// permit may be told later and together.
    pub fn report(
        &mut self,
        permit: f64,
        outcome: u32,
        took_ms: f64,
        now_ms: f64,
        successes: u32,
    ) -> u32 {
        let outcome = match outcome {
            0 => Outcome::Success,
            1 => Outcome::Failure,
            2 => Outcome::Timeout,
            3 => Outcome::Ignored,
            4 => Outcome::Cancelled,
            other => panic!("outcome: expected a number from 0 to 4, got {other}"),
        };
        self.succeed(permit, successes, now_ms);
        self.end(permit, outcome, took_ms, now_ms);
        self.told(now_ms)
    }

    /// Tells of so many successes at once. Gives what `report` gives.
    pub fn report_successes(&mut self, permit: f64, times: u32, now_ms: f64) -> u32 {
        self.succeed(permit, times, now_ms);
        self.told(now_ms)
    }

    /// Tells that the callee asked for a pause, and whether that is a failure. Whether there are changes to take.
    pub fn throttle(&mut self, permit: f64, until_ms: f64, failed: bool, now_ms: f64) -> bool {
        let until = trusted(instant(until_ms, "until"));
        self.end(permit, Outcome::Throttled { until, failed }, 0.0, now_ms)
    }

    /// Lets time pass. Whether there are changes to take.
    pub fn advance(&mut self, now_ms: f64) -> bool {
        let changes = self.breaker.advance(now(now_ms));
        self.changes.extend(changes.iter());
        !changes.is_empty()
    }

    /// Somebody decides: 0 resets, 1 isolates, 2 disables. Whether there are changes to take.
    pub fn decide(&mut self, decision: u32, now_ms: f64) -> bool {
        let now = now(now_ms);
        let change = match decision {
            0 => self.breaker.reset(now),
            1 => self.breaker.isolate(now),
            2 => self.breaker.disable(now),
            other => panic!("decision: expected a number from 0 to 2, got {other}"),
        };
        self.changes.extend(change);
        change.is_some()
    }

    /// Sets how long the present cooldown takes, from its beginning.
    pub fn cool_down_for(&mut self, ms: f64) {
        self.breaker
            .cool_down_for(trusted(duration(ms, "cooldown")));
    }

    /// When the next permit can be had: -1 for now, infinite for never.
    #[must_use]
    pub fn retry_at(&self, now_ms: f64) -> f64 {
        let retry_at = self.breaker.retry_at(now(now_ms));
        retry_at.map_or(-1.0, |at| to_host(at.0))
    }

    /// The changes that were not taken yet, in their order.
    pub fn changes(&mut self) -> Value {
        cold::write_changes(&std::mem::take(&mut self.changes))
    }

    /// What it has seen.
    #[must_use]
    pub fn stats(&self, now_ms: f64) -> Value {
        cold::write_stats(&self.breaker.stats(now(now_ms)))
    }

    /// What outlives the process.
    #[must_use]
    pub fn snapshot(&self, now_ms: f64) -> Value {
        cold::write_snapshot(&self.breaker.snapshot(now(now_ms)))
    }

    fn told(&self, now_ms: f64) -> u32 {
        let calm = self.breaker.is_calm(now(now_ms));
        u32::from(!self.changes.is_empty()) * REPORT_CHANGED + u32::from(calm) * REPORT_CALM
    }

    fn succeed(&mut self, permit: f64, times: u32, now_ms: f64) {
        let permit = Permit::of(trusted(exact(permit, "permit")));
        let change = self.breaker.report_successes(permit, times, now(now_ms));
        self.changes.extend(change);
    }

    fn end(&mut self, permit: f64, outcome: Outcome, took_ms: f64, now_ms: f64) -> bool {
        let permit = Permit::of(trusted(exact(permit, "permit")));
        let took = trusted(duration(took_ms, "took"));
        let change = self.breaker.report(permit, outcome, took, now(now_ms));
        self.changes.extend(change);
        change.is_some()
    }
}

fn refused(message: String) -> Failure {
    Failure::new(ErrorCode::InvalidOption, message)
}
