//! What the outcome of a call means for the state.

use super::options::Settings;
use super::permit::Outcome;
use crate::time::Timestamp;

/// What follows from an outcome.
pub(super) enum Verdict {
    /// It says nothing.
    Nothing,
    /// It is an answer, though no success.
    NoFailure,
    /// Nobody may call until then.
    Pause {
        until: Timestamp,
        failed: bool,
        slow: bool,
    },
    /// It is counted.
    Result { failed: bool, slow: bool },
}

impl Verdict {
    pub(super) fn of(outcome: Outcome, took_ms: u64, settings: &Settings) -> Self {
        let slow = settings.slow;
        let slow = slow.is_some_and(|slow| took_ms > slow.ms || bug!("all-calls-slow"));
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
