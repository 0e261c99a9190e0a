//! Options of a breaker: as they are given, and as they are once they have been checked.

use serde::{Deserialize, Serialize};

use super::window::Window;
use crate::policy::backoff::{Backoff, Jitter};

/// Calls of a count window at most: 16 KiB of results.
pub const SIZE_MAX: u32 = 65_536;
/// Probes at once, and successes that close, at most.
pub const PROBES_MAX: u32 = 100;
/// Milliseconds of a time window at most: a week.
const WINDOW_MS_MAX: u64 = 7 * 86_400_000;
/// Milliseconds of any other time at most: the longest that a host can name.
const MS_MAX: u64 = 100 * 366 * 86_400_000;
/// Millionths in one.
const PPM: u32 = 1_000_000;

/// What the results are judged by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WindowKind {
    /// Failures in a row.
    #[default]
    Consecutive,
    /// The last `size` calls.
    Count,
    /// The calls of the last `window_ms`.
    Time,
}

/// What a caller may choose. What is absent has its default.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct BreakerOptions {
    /// Default: consecutive.
    pub window: WindowKind,
    /// Consecutive failures that open it. Default 5.
    pub failures: Option<u32>,
    /// Calls in a count window. Default 100.
    pub size: Option<u32>,
    /// Length of a time window. Default 10,000.
    pub window_ms: Option<u64>,
    /// The share of failures that opens it, in millionths. Default a half.
    pub failure_rate_ppm: Option<u32>,
    /// Calls that the window must hold first. Default 20, in a smaller count window its size.
    pub min_calls: Option<u32>,
    /// Calls that take longer are slow. Default: none are.
    pub slow_ms: Option<u64>,
    /// The share of slow calls that opens it, in millionths. Default, where `slow_ms` is given: all.
    pub slow_rate_ppm: Option<u32>,
    /// How long it stays open, by the number of openings in a row. Default 30 s.
    pub cooldown: Option<Backoff>,
    /// Probes at once while half-open. Default 1.
    pub probes: Option<u32>,
    /// Successful probes that close it. Default 1.
    pub successes: Option<u32>,
    /// Deadline of a probe. Default 30,000, or more where a call is known to take more: see [`super::Breaker::begin_probe`].
    pub probe_timeout_ms: Option<u64>,
}

/// Options that make sense, with all defaults filled in. Breakers of the same kind share them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    pub(super) span: Span,
    pub(super) failures: u32,
    pub(super) failure_rate_ppm: u32,
    pub(super) min_calls: u32,
    pub(super) slow: Option<Slow>,
    pub(super) cooldown: Backoff,
    pub(super) probes: u8,
    pub(super) successes: u32,
    pub(super) probe_timeout_ms: u64,
    /// Nobody has named the deadline of a probe.
    pub(super) probe_timeout_is_default: bool,
}

/// Which calls are looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Span {
    Consecutive,
    Count { size: u32 },
    Time { window_ms: u64 },
}

/// Which calls are slow, and how many of them are too many.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Slow {
    pub(super) ms: u64,
    pub(super) rate_ppm: u32,
}

impl Settings {
    /// # Errors
    /// A sentence for `ERR_INVALID_OPTION`: what was expected of which option, and what came.
    pub fn parse(options: &BreakerOptions) -> Result<Self, String> {
        fits(options)?;
        let probes = within("probes", options.probes, 1, 1, PROBES_MAX)?;
        let cooldown = options.cooldown.clone().unwrap_or(Backoff::Constant {
            ms: 30_000,
            jitter: Jitter::None,
        });
        cooldown
            .check()
            .map_err(|why| why.replace("`backoff", "`cooldown"))?;
        Ok(Self {
            span: span(options)?,
            failures: within("failures", options.failures, 5, 1, u32::MAX)?,
            failure_rate_ppm: within("failureRate", options.failure_rate_ppm, PPM / 2, 1, PPM)?,
            min_calls: min_calls(options)?,
            slow: slow(options)?,
            cooldown,
            probes: u8::try_from(probes).expect("the limit of probes is below 256"),
            successes: within("successes", options.successes, 1, 1, PROBES_MAX)?,
            probe_timeout_is_default: options.probe_timeout_ms.is_none(),
            probe_timeout_ms: within(
                "probeTimeoutMs",
                options.probe_timeout_ms,
                30_000,
                1,
                MS_MAX,
            )?,
        })
    }

    /// What the window of a closed breaker takes of memory, in bytes, beside the breaker itself.
    #[must_use]
    pub fn window_bytes(&self) -> usize {
        Window::bytes(self.span)
    }

    /// The longest that a breaker stays open.
    #[must_use]
    pub fn cooldown_ms_max(&self) -> u64 {
        self.cooldown.max_delay_ms()
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::parse(&BreakerOptions::default()).expect("defaults make sense")
    }
}

/// Refuses options that would say nothing in the chosen window: who names them expects another window.
fn fits(options: &BreakerOptions) -> Result<(), String> {
    let consecutive = options.window == WindowKind::Consecutive;
    let count = options.window == WindowKind::Count;
    let time = options.window == WindowKind::Time;
    let rated = count || time;
    for (name, given, fits, windows) in [
        (
            "failures",
            options.failures.is_some(),
            consecutive,
            "consecutive",
        ),
        ("size", options.size.is_some(), count, "count"),
        ("windowMs", options.window_ms.is_some(), time, "time"),
        (
            "failureRate",
            options.failure_rate_ppm.is_some(),
            rated,
            "count or time",
        ),
        (
            "minCalls",
            options.min_calls.is_some(),
            rated,
            "count or time",
        ),
        ("slowMs", options.slow_ms.is_some(), rated, "count or time"),
        (
            "slowRate",
            options.slow_rate_ppm.is_some(),
            rated,
            "count or time",
        ),
    ] {
        if given && !fits {
            let window = match options.window {
                WindowKind::Consecutive => "consecutive",
                WindowKind::Count => "count",
                WindowKind::Time => "time",
            };
            return Err(format!(
                "expected `window` to be {windows} with the option `{name}`, got {window}"
            ));
        }
    }
    Ok(())
}

fn span(options: &BreakerOptions) -> Result<Span, String> {
    Ok(match options.window {
        WindowKind::Consecutive => Span::Consecutive,
        WindowKind::Count => Span::Count {
            size: within("size", options.size, 100, 1, SIZE_MAX)?,
        },
        WindowKind::Time => Span::Time {
            window_ms: within("windowMs", options.window_ms, 10_000, 1, WINDOW_MS_MAX)?,
        },
    })
}

fn min_calls(options: &BreakerOptions) -> Result<u32, String> {
    let max = match span(options)? {
        Span::Count { size } => size,
        Span::Consecutive | Span::Time { .. } => u32::MAX,
    };
    within("minCalls", options.min_calls, max.min(20), 1, max)
}

fn slow(options: &BreakerOptions) -> Result<Option<Slow>, String> {
    let rate_ppm = within("slowRate", options.slow_rate_ppm, PPM, 1, PPM)?;
    if options.slow_rate_ppm.is_some() && options.slow_ms.is_none() {
        return Err("expected `slowMs` beside the option `slowRate`, got nothing".into());
    }
    let ms = within("slowMs", options.slow_ms, 0, 0, MS_MAX)?;
    Ok(options.slow_ms.map(|_| Slow { ms, rate_ppm }))
}

fn within<N>(name: &str, given: Option<N>, default: N, min: N, max: N) -> Result<N, String>
where
    N: Copy + PartialOrd + std::fmt::Display,
{
    match given {
        None => Ok(default),
        Some(value) if (min..=max).contains(&value) => Ok(value),
        Some(value) => Err(format!(
            "expected `{name}` to be from {min} to {max}, got {value}"
        )),
    }
}
