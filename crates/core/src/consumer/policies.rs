//! What a worker wants of its destinations and of itself, as a host names it.

use serde::{Deserialize, Serialize};

use crate::policy::breaker::BreakerOptions;
use crate::policy::budget::BudgetOptions;
use crate::policy::rate::Rate;

/// Over whom a rate counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Over all workers of the queue.
    #[default]
    Queue,
    /// Over this worker.
    Worker,
}

/// The rate of a worker.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkerRate {
    /// How often.
    pub rate: Rate,
    /// Over whom.
    #[serde(default)]
    pub scope: Scope,
}

/// What holds for each destination.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PerDestination {
    /// Handlers at once.
    pub concurrency: Option<u32>,
    /// Starts.
    pub rate: Option<Rate>,
    /// Instead of the worker's.
    pub breaker: Option<BreakerOptions>,
    /// The host is asked how long each opening of that breaker takes.
    pub asks_cooldown: bool,
}

/// What becomes of messages whose circuit is open.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhenOpen {
    /// They wait, at no cost.
    #[default]
    Pause,
    /// They become dead letters.
    DeadLetter,
    /// An attempt fails, without a call of the handler.
    Reject,
}

/// All of it. Workers of a queue with one name share what is counted, and must want the same, but for rates
/// that are each worker's own.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Policies {
    /// Under which breakers are kept; the queue's name when empty.
    pub name: String,
    /// Destinations take turns, each within these limits.
    pub per_destination: Option<PerDestination>,
    /// A circuit for messages without a destination, and one for each destination.
    pub breaker: Option<BreakerOptions>,
    /// The host is asked how long each opening of that breaker takes.
    pub asks_cooldown: bool,
    /// The number of a gate of the host in front of all messages: see [`super::sluice`].
    pub sluice: Option<u32>,
    /// What becomes of messages whose circuit is open.
    pub when_open: WhenOpen,
    /// Starts of the worker.
    pub rate: Option<WorkerRate>,
    /// The share of retries.
    pub retry_budget: Option<BudgetOptions>,
}

impl Policies {
    /// What is wrong with them, if anything is.
    pub fn check(&self) -> Result<(), String> {
        let prefixed = |prefix: &str, checked: Result<(), String>| {
            checked.map_err(|what| format!("{prefix}{what}"))
        };
        if let Some(rate) = &self.rate {
            prefixed("rate.", rate.rate.check())?;
        }
        if let Some(budget) = &self.retry_budget {
            prefixed("retryBudget.", budget.check())?;
        }
        let Some(limits) = &self.per_destination else {
            return Ok(());
        };
        if limits.concurrency == Some(0) {
            return Err("perDestination.concurrency: expected 1 or more, got 0".to_owned());
        }
        if let Some(rate) = &limits.rate {
            prefixed("perDestination.rate.", rate.check())?;
        }
        Ok(())
    }

    /// Whether destinations are told apart, even while none has asked for time.
    #[must_use]
    pub fn tell_destinations_apart(&self) -> bool {
        self.per_destination.is_some() || self.breaker.is_some()
    }

    /// Whether there is anything to heed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let counts_nothing = self.rate.is_none() && self.retry_budget.is_none();
        counts_nothing && self.sluice.is_none() && !self.tell_destinations_apart()
    }
}
