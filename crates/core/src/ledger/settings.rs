//! The options of a queue, all resolved: named ones as given, the others at their defaults.
//!
//! Options that a user names are journaled and survive reopening; the journal therefore keeps the
//! named ones only ([`Settings::named`]), so that a later default applies to boxes of today.

use crate::config::{Bodies, Compare, GroupOnDead, Guarantee, QueueOptions, WhenFull};
use crate::error::{ErrorCode, Failure};
use crate::json;
use crate::policy::backoff::Backoff;

/// Longest window, lease or retention that can be named: a hundred years.
const MS_MAX: u64 = 100 * 366 * 86_400_000;
/// A body travels in one frame, whose offsets are 32 bits wide; the atomic unit is 8 MiB.
pub(super) const BODY_BYTES_MAX: u32 = 8 << 20;

/// Options in force.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "named as in the public contract")]
pub struct Settings {
    pub guarantee: Guarantee,
    pub max_attempts: u32,
    pub max_retry_ms: Option<u64>,
    pub backoff: Backoff,
    pub lease_ms: u64,
    pub dedup_window_ms: u64,
    pub dedup_max_entries: u64,
    pub dedup_when_full: WhenFull,
    pub dedup_compare: Compare,
    pub max_depth: u64,
    pub max_bytes: u64,
    pub max_body_bytes: u32,
    pub max_result_bytes: u32,
    pub group_on_dead: GroupOnDead,
    pub dead_retain_ms: Option<u64>,
    pub history_window_ms: u64,
    pub history_max_entries: u64,
    pub dead_letter_to: Option<String>,
    pub bodies: Bodies,
    /// What was named by a user, now or in an earlier run.
    pub named: QueueOptions,
}

impl Settings {
    /// Resolves named options against the defaults of the public contract.
    pub fn resolve(mut named: QueueOptions) -> Result<Self, Failure> {
        // As good as not named: a host that says so in every run changes nothing.
        named.bodies = named.bodies.filter(|bodies| *bodies != Bodies::Json);
        let dedup = named.dedup.clone().unwrap_or_default();
        let history = named.history.clone().unwrap_or_default();
        let guarantee = named.guarantee.unwrap_or_default();
        let settings = Self {
            guarantee,
            max_attempts: named.max_attempts.unwrap_or(6),
            max_retry_ms: named.max_retry_ms,
            backoff: named.backoff.clone().unwrap_or_default(),
            lease_ms: named.lease_ms.unwrap_or(30_000),
            dedup_window_ms: dedup.window_ms.unwrap_or(86_400_000),
            dedup_max_entries: dedup.max_entries.unwrap_or(4_000_000),
            dedup_when_full: dedup.when_full.unwrap_or(match guarantee {
                Guarantee::ExactlyOnce => WhenFull::Reject,
                _ => WhenFull::Shorten,
            }),
            dedup_compare: dedup.compare.unwrap_or(Compare::Body),
            max_depth: named.max_depth.unwrap_or(10_000_000),
            max_bytes: named.max_bytes.unwrap_or(u64::MAX),
            max_body_bytes: named.max_body_bytes.unwrap_or(1 << 20),
            max_result_bytes: named.max_result_bytes.unwrap_or(64 << 10),
            group_on_dead: named.group_on_dead.unwrap_or(GroupOnDead::Continue),
            dead_retain_ms: named.dead.as_ref().and_then(|dead| dead.retain_ms),
            history_window_ms: history.window_ms.unwrap_or(0),
            history_max_entries: history.max_entries.unwrap_or(0),
            dead_letter_to: named.dead_letter_to.clone().filter(|name| !name.is_empty()),
            bodies: named.bodies.unwrap_or_default(),
            named,
        };
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), Failure> {
        at_least("maxAttempts", u64::from(self.max_attempts), 1)?;
        within("leaseMs", self.lease_ms, 1, MS_MAX)?;
        within("maxRetryMs", self.max_retry_ms.unwrap_or(0), 0, MS_MAX)?;
        within("dedup.windowMs", self.dedup_window_ms, 0, MS_MAX)?;
        at_least("dedup.maxEntries", self.dedup_max_entries, 1)?;
        at_least("maxDepth", self.max_depth, 1)?;
        at_least("maxBytes", self.max_bytes, 1)?;
        within(
            "maxBodyBytes",
            self.max_body_bytes.into(),
            1,
            BODY_BYTES_MAX.into(),
        )?;
        within(
            "maxResultBytes",
            self.max_result_bytes.into(),
            0,
            BODY_BYTES_MAX.into(),
        )?;
        within("dead.retainMs", self.dead_retain_ms.unwrap_or(0), 0, MS_MAX)?;
        self.check_history()?;
        self.backoff
            .check()
            .map_err(|what| Failure::new(ErrorCode::InvalidOption, format!("backoff: {what}")))
    }

    /// A history that is kept needs both of its options: naming one alone would keep nothing.
    fn check_history(&self) -> Result<(), Failure> {
        within("history.windowMs", self.history_window_ms, 0, MS_MAX)?;
        let named = self.named.history.clone().unwrap_or_default();
        let missing = match (named.window_ms, named.max_entries) {
            (Some(1..), None) => "maxEntries",
            (None, Some(1..)) => "windowMs",
            _ => return Ok(()),
        };
        Err(Failure::new(
            ErrorCode::InvalidOption,
            format!(
                "history: expected windowMs and maxEntries together, {missing} was never named"
            ),
        ))
    }

    /// These settings with `newer` named on top.
    pub fn amend(&self, newer: QueueOptions) -> Result<Self, Failure> {
        let old = self.named.clone();
        let dedup = match (old.dedup, newer.dedup) {
            (Some(old), Some(new)) => Some(crate::config::DedupOptions {
                window_ms: new.window_ms.or(old.window_ms),
                max_entries: new.max_entries.or(old.max_entries),
                when_full: new.when_full.or(old.when_full),
                compare: new.compare.or(old.compare),
            }),
            (old, new) => new.or(old),
        };
        let history = match (old.history, newer.history) {
            (Some(old), Some(new)) => Some(crate::config::HistoryOptions {
                window_ms: new.window_ms.or(old.window_ms),
                max_entries: new.max_entries.or(old.max_entries),
            }),
            (old, new) => new.or(old),
        };
        Self::resolve(QueueOptions {
            guarantee: newer.guarantee.or(old.guarantee),
            max_attempts: newer.max_attempts.or(old.max_attempts),
            max_retry_ms: newer.max_retry_ms.or(old.max_retry_ms),
            backoff: newer.backoff.or(old.backoff),
            lease_ms: newer.lease_ms.or(old.lease_ms),
            dedup,
            max_depth: newer.max_depth.or(old.max_depth),
            max_bytes: newer.max_bytes.or(old.max_bytes),
            max_body_bytes: newer.max_body_bytes.or(old.max_body_bytes),
            max_result_bytes: newer.max_result_bytes.or(old.max_result_bytes),
            group_on_dead: newer.group_on_dead.or(old.group_on_dead),
            dead: newer.dead.or(old.dead),
            history,
            dead_letter_to: newer.dead_letter_to.or(old.dead_letter_to),
            bodies: newer.bodies.or(old.bodies),
        })
    }

    /// All options as a host would name them.
    #[must_use]
    pub fn in_force(&self) -> QueueOptions {
        QueueOptions {
            guarantee: Some(self.guarantee),
            max_attempts: Some(self.max_attempts),
            max_retry_ms: self.max_retry_ms,
            backoff: Some(self.backoff.clone()),
            lease_ms: Some(self.lease_ms),
            dedup: Some(crate::config::DedupOptions {
                window_ms: Some(self.dedup_window_ms),
                max_entries: Some(self.dedup_max_entries),
                when_full: Some(self.dedup_when_full),
                compare: Some(self.dedup_compare),
            }),
            max_depth: Some(self.max_depth),
            max_bytes: (self.max_bytes != u64::MAX).then_some(self.max_bytes),
            max_body_bytes: Some(self.max_body_bytes),
            max_result_bytes: Some(self.max_result_bytes),
            group_on_dead: Some(self.group_on_dead),
            dead: Some(crate::config::DeadOptions {
                retain_ms: self.dead_retain_ms,
            }),
            history: Some(crate::config::HistoryOptions {
                window_ms: Some(self.history_window_ms),
                max_entries: Some(self.history_max_entries),
            }),
            dead_letter_to: self.dead_letter_to.clone(),
            // The host knows, and nobody is to be told of a change.
            bodies: None,
        }
    }

    /// Longest delay that the backoff can ask for; due times are cut to it after a clock step.
    #[must_use]
    pub fn max_delay_ms(&self) -> u64 {
        self.backoff.max_delay_ms()
    }
}

/// Named options as a `Queue` record holds them: JSON, so that options may be added.
#[must_use]
pub fn encode(named: &QueueOptions) -> Vec<u8> {
    serde_json::to_vec(named).expect("options are plain data")
}

/// Reads what [`encode`] wrote.
pub fn decode(bytes: &[u8]) -> Result<QueueOptions, &'static str> {
    json::read(bytes).ok_or("queue options that this version does not know")
}

fn at_least(option: &str, value: u64, min: u64) -> Result<(), Failure> {
    within(option, value, min, u64::MAX)
}

fn within(option: &str, value: u64, min: u64, max: u64) -> Result<(), Failure> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    let range = if max == u64::MAX {
        format!("{min} or more")
    } else {
        format!("{min} to {max}")
    };
    Err(Failure::new(
        ErrorCode::InvalidOption,
        format!("{option}: expected {range}, got {value}"),
    ))
}
