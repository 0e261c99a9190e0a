//! What a breaker has seen.

use serde::Serialize;

use super::permit::Outcome;
use super::state::State;
use super::window::Totals;
use crate::time::Timestamp;

/// Counts since the breaker was made or restored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counters {
    /// Calls that succeeded.
    pub successes: u64,
    /// Calls that failed, those that took too long included.
    pub failures: u64,
    /// Calls that took too long.
    pub timeouts: u64,
    /// Calls whose callee asked for a pause.
    pub throttled: u64,
    /// Calls that said nothing.
    pub ignored: u64,
    /// Calls that were given up.
    pub cancelled: u64,
    /// Calls that were not let through. They are no calls: nothing else counts them.
    pub rejected: u64,
    /// Successes of an earlier epoch, which changed nothing.
    pub late_successes: u64,
    /// Failures of an earlier epoch, which changed nothing.
    pub late_failures: u64,
    /// Probes that did not return by their deadline.
    pub expired_probes: u64,
    /// How often it opened.
    pub opened: u64,
}

impl Counters {
    /// A call that counted went so.
    pub(super) fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Cancelled => self.cancelled += 1,
            Outcome::Failure => self.failures += 1,
            Outcome::Ignored => self.ignored += 1,
            Outcome::Success => self.successes += 1,
            Outcome::Throttled { failed, .. } => {
                self.throttled += 1;
                self.failures += u64::from(failed);
            }
            Outcome::Timeout => {
                self.failures += 1;
                self.timeouts += 1;
            }
        }
    }

    /// A call of an earlier epoch went so, which changes nothing.
    pub(super) fn count_late(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Failure | Outcome::Timeout => self.late_failures += 1,
            Outcome::Success => self.late_successes += 1,
            Outcome::Cancelled => self.cancelled += 1,
            Outcome::Ignored => self.ignored += 1,
            Outcome::Throttled { failed, .. } => {
                self.throttled += 1;
                self.late_failures += u64::from(failed);
            }
        }
    }
}

/// A breaker at one instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// The state at that instant.
    pub state: State,
    /// When to ask again; absent while calls are let through, and while only a person can change that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// Openings in a row, without a close between them.
    pub openings: u32,
    /// Probes under way.
    pub probes: u32,
    /// What the window holds.
    pub window: Totals,
    /// What happened so far.
    #[serde(flatten)]
    pub counters: Counters,
}
