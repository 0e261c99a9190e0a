//! How long a handler may take, and what happens to one that takes longer.
//!
//! Told to stop, a handler has one lease's time to return; until then its message waits for it. After that
//! the message waits no longer, and the handler is reported, once.

use serde::{Deserialize, Serialize};

use crate::command::Reason;
use crate::id_text::IdText;
use crate::time::Timestamp;

/// What a worker allows its handlers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HandlerLimits {
    /// Told to stop after so much; the attempt fails with the end of the handler.
    pub timeout_ms: Option<u64>,
    /// No lease lasts longer: the attempt ends.
    pub max_runtime_ms: Option<u64>,
}

/// What an alarm means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Alarm {
    /// The handler is to be told to stop.
    TimedOut,
    /// Its lease is over.
    RanOut,
    /// It was told to stop a lease's time ago, and has not.
    Ignored,
}

/// A handler on the clock.
#[derive(Clone, Debug)]
pub struct Watch {
    /// Of its message.
    pub id: IdText,
    /// How its attempt ends if it fails now; none for an error of the handler.
    pub reason: Option<Reason>,
    times_out: Timestamp,
    runs_out: Timestamp,
    patience_ends: Timestamp,
}

impl HandlerLimits {
    /// When a handler's attempt has failed at the latest; none if it may take any time.
    #[must_use]
    pub fn longest_ms(&self) -> Option<u64> {
        self.timeout_ms.into_iter().chain(self.max_runtime_ms).min()
    }

    /// Whether there is anything to watch for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.timeout_ms.is_none() && self.max_runtime_ms.is_none()
    }

    /// What is wrong with them, if anything is.
    pub fn check(&self) -> Result<(), String> {
        for (name, ms) in [
            ("timeoutMs", self.timeout_ms),
            ("maxRuntimeMs", self.max_runtime_ms),
        ] {
            if ms == Some(0) {
                return Err(format!("{name}: expected 1 or more, got 0"));
            }
        }
        Ok(())
    }

    /// Watches over a handler from now on.
    #[must_use]
    pub fn watch(&self, id: IdText, now: Timestamp) -> Watch {
        let after = |ms: Option<u64>| ms.map_or(Timestamp::NEVER, |ms| now.plus(ms));
        Watch {
            id,
            reason: None,
            times_out: after(self.timeout_ms),
            runs_out: after(self.max_runtime_ms),
            patience_ends: Timestamp::NEVER,
        }
    }
}

impl Watch {
    /// When it is to be looked at next.
    #[must_use]
    pub fn next(&self) -> Timestamp {
        self.times_out.min(self.runs_out).min(self.patience_ends)
    }

    /// It was settled while its handler runs on: its lease cannot run out any more.
    pub fn end_lease(&mut self) {
        self.runs_out = Timestamp::NEVER;
    }

    /// What is due; `patience_ms` is what a handler has that is told to stop now.
    pub fn ring(&mut self, now: Timestamp, patience_ms: u64) -> Option<Alarm> {
        let alarm = if self.times_out <= now {
            self.times_out = Timestamp::NEVER;
            Alarm::TimedOut
        } else if self.runs_out <= now {
            self.runs_out = Timestamp::NEVER;
            Alarm::RanOut
        } else if self.patience_ends <= now {
            self.patience_ends = Timestamp::NEVER;
            self.runs_out = Timestamp::NEVER;
            return Some(Alarm::Ignored);
        } else {
            return None;
        };
        if self.patience_ends == Timestamp::NEVER {
            self.patience_ends = now.plus(patience_ms);
        }
        Some(alarm)
    }
}
