//! The states of a breaker, and what is told of a change.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Whether calls are let through. The module's documentation tells when each is entered and left.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// All calls.
    Closed,
    /// None, until the cooldown is over.
    Open,
    /// Some, to see whether the others may follow.
    HalfOpen,
    /// None, until somebody says so.
    Isolated,
    /// All, unseen.
    Disabled,
}

/// What changed a state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// The cooldown is over.
    CooledDown,
    /// The window holds too many failures.
    Failures,
    /// Somebody asked for it.
    Manual,
    /// A probe failed or was slow.
    ProbeFailed,
    /// A probe did not return by its deadline.
    ProbeTimeout,
    /// Enough probes succeeded.
    Recovered,
    /// The window holds too many slow calls.
    SlowCalls,
}

/// One change of state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The state before.
    pub from: State,
    /// The state now.
    pub to: State,
    /// What did it.
    pub why: Why,
    /// When it happened. A deadline that passed unseen happened when it passed.
    pub at: Timestamp,
    /// When an open breaker lets the first probe through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
}

/// What time alone has changed, in order. A probe can outlive its deadline, and the cooldown after it be over
/// as well, before anybody looks; no more than that can have happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[must_use = "changes are to be saved and told of"]
pub struct Changes([Option<Change>; 2]);

impl Changes {
    pub(super) fn push(&mut self, change: Change) {
        let free = self.0.iter_mut().find(|place| place.is_none());
        *free.expect("time changes a state at most twice") = Some(change);
    }

    /// The changes in their order.
    pub fn iter(&self) -> impl Iterator<Item = Change> + '_ {
        self.0.iter().flatten().copied()
    }

    /// The last change: it tells the state now.
    #[must_use]
    pub fn last(&self) -> Option<Change> {
        self.iter().last()
    }

    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0[0].is_none()
    }
}
