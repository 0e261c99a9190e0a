//! What of a breaker outlives its process.

use serde::{Deserialize, Serialize};

use super::state::State;
use crate::time::Timestamp;

/// A breaker as plain data. Instants are the host's, so another process can read them; windows are not part of
/// it, for what they hold is about the past, but for the failures in a row, of which there may be one in each of
/// many short processes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Snapshot {
    /// Of this form: 1.
    pub version: u32,
    /// The state.
    pub state: State,
    /// Counts the changes of state: of two snapshots of one breaker, the higher one is the later.
    pub epoch: u32,
    /// Openings in a row, without a close between them.
    #[serde(default)]
    pub openings: u32,
    /// Failures in a row, of a breaker that counts them.
    #[serde(default)]
    pub failures: u32,
    /// When this was true.
    pub saved_at: Timestamp,
    /// When it opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<Timestamp>,
    /// When an open breaker lets the first probe through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_until: Option<Timestamp>,
    /// When the pause is over that the callee asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_until: Option<Timestamp>,
}

impl Snapshot {
    /// The form that this version writes and reads.
    pub const VERSION: u32 = 1;

    /// # Errors
    /// What was expected, and what came.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.version != Self::VERSION {
            let (expected, got) = (Self::VERSION, self.version);
            return Err(format!(
                "expected a snapshot of version {expected}, got version {got}"
            ));
        }
        if self.state == State::Open && (self.opened_at.is_none() || self.open_until.is_none()) {
            return Err(
                "expected `openedAt` and `openUntil` in the snapshot of an open breaker".into(),
            );
        }
        Ok(())
    }

    /// How long an open breaker has to stay so: never longer than it would have at the time of the snapshot, whatever
    /// the clocks of the two processes say.
    pub(super) fn cooldown_left_ms(&self, now: Timestamp, cooldown_ms_max: u64) -> u64 {
        let (Some(opened_at), Some(until)) = (self.opened_at, self.open_until) else {
            return 0;
        };
        until
            .since(now)
            .min(until.since(opened_at))
            .min(until.since(self.saved_at))
            .min(cooldown_ms_max)
    }

    /// How long the pause goes on: never longer than it would have at the time of the snapshot.
    pub(super) fn pause_left_ms(&self, now: Timestamp) -> u64 {
        let until = self.paused_until.unwrap_or_default();
        until.since(now).min(until.since(self.saved_at))
    }
}
