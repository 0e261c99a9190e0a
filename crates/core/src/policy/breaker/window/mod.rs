//! What a closed breaker remembers of the calls before.

mod count;
mod time;

use serde::Serialize;

use super::options::{Settings, Span};
use super::state::Why;
use count::CountWindow;
use time::TimeWindow;

/// Millionths in one.
const PPM: u64 = 1_000_000;

/// What a window holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Totals {
    /// Calls that succeeded or failed.
    pub calls: u32,
    /// Those that failed.
    pub failures: u32,
    /// Those that were slow.
    pub slow: u32,
}

impl Totals {
    /// Whether there are neither failures nor slow calls.
    fn is_spotless(self) -> bool {
        self.failures == 0 && self.slow == 0
    }

    fn add(&mut self, failed: bool, slow: bool) {
        self.calls = self.calls.saturating_add(1);
        self.failures = self.failures.saturating_add(u32::from(failed));
        self.slow = self.slow.saturating_add(u32::from(slow));
    }
}

/// The last calls, by one of three measures.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Window {
    /// How many failed since the last success.
    Consecutive(u32),
    Count(CountWindow),
    Time(TimeWindow),
}

impl Window {
    pub(super) fn new(span: Span) -> Self {
        match span {
            Span::Consecutive => Self::Consecutive(0),
            Span::Count { size } => Self::Count(CountWindow::new(size)),
            Span::Time { window_ms } => Self::Time(TimeWindow::new(window_ms)),
        }
    }

    /// What one over this span takes beside itself.
    pub(super) fn bytes(span: Span) -> usize {
        match span {
            Span::Consecutive => 0,
            Span::Count { size } => CountWindow::bytes(size),
            Span::Time { .. } => TimeWindow::BYTES_MAX,
        }
    }

    pub(super) fn record(&mut self, failed: bool, slow: bool, now: u64) {
        match self {
            Self::Consecutive(failures) => {
                *failures = if failed {
                    failures.saturating_add(1)
                } else {
                    0
                };
            }
            Self::Count(window) => window.record(failed, slow),
            Self::Time(window) => window.record(failed, slow, now),
        }
    }

    /// So many successes that were not slow, into a window that is calm.
    pub(super) fn record_successes(&mut self, times: u32, now: u64) {
        match self {
            Self::Consecutive(failures) if times > 0 => *failures = 0,
            Self::Consecutive(_) => {}
            Self::Count(window) => window.record_successes(times),
            Self::Time(window) => window.record_successes(times, now),
        }
    }

    /// Whether no success can open the breaker, so that it does not matter when it is told of them, as long as it is
    /// before anything else.
    pub(super) fn is_calm(&self, settings: &Settings, now: u64) -> bool {
        match self {
            // They only end what has failed in a row.
            Self::Consecutive(_) => true,
            // Its rates were looked at before, and with each success they fall.
            Self::Count(window) if window.totals().calls >= settings.min_calls => true,
            // In a time window they rise when older successes leave.
            Self::Count(_) | Self::Time(_) => self.totals(now).is_spotless(),
        }
    }

    pub(super) fn totals(&self, now: u64) -> Totals {
        match self {
            Self::Consecutive(failures) => Totals {
                calls: *failures,
                failures: *failures,
                slow: 0,
            },
            Self::Count(window) => window.totals(),
            Self::Time(window) => window.totals(now),
        }
    }

    /// Whether what it holds opens the breaker.
    pub(super) fn trips(&self, settings: &Settings, now: u64) -> Option<Why> {
        let totals = self.totals(now);
        if let Self::Consecutive(failures) = self {
            return (*failures >= settings.failures).then_some(Why::Failures);
        }
        if totals.calls < settings.min_calls {
            return None;
        }
        let reaches =
            |part: u32, ppm: u32| u64::from(part) * PPM >= u64::from(ppm) * u64::from(totals.calls);
        if reaches(totals.failures, settings.failure_rate_ppm) {
            return Some(Why::Failures);
        }
        let slow = settings
            .slow
            .is_some_and(|slow| reaches(totals.slow, slow.rate_ppm));
        slow.then_some(Why::SlowCalls)
    }
}
