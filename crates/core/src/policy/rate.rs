//! How often something may start: the generic cell rate algorithm of ATM Forum, *Traffic Management
//! Specification 4.0*, 1996.
//!
//! One number tells all: the instant at which the next start would be due if all starts were spread
//! evenly. A start may come early by as much as `limit - 1` intervals, so `limit` starts at once are
//! allowed after a rest, and then one an interval. In integers: an instant has 32 fractional bits of a
//! millisecond, and an interval is rounded up, so that the rate is never exceeded.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

const FRACTION_BITS: u32 = 32;
/// Starts at once; a limit that is higher is none.
const LIMIT_MAX: u32 = 1_000_000;
/// A day.
const PER_MS_MAX: u64 = 86_400_000;

/// At most `limit` starts in `per_ms`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rate {
    /// Starts at once after a rest.
    pub limit: u32,
    /// Milliseconds in which they become possible again.
    pub per_ms: u64,
}

impl Rate {
    /// What is wrong with it, if anything is.
    pub fn check(&self) -> Result<(), String> {
        if !(1..=LIMIT_MAX).contains(&self.limit) {
            return Err(format!(
                "limit: expected 1 to {LIMIT_MAX}, got {}",
                self.limit
            ));
        }
        if !(1..=PER_MS_MAX).contains(&self.per_ms) {
            let got = self.per_ms;
            return Err(format!("perMs: expected 1 to {PER_MS_MAX}, got {got}"));
        }
        Ok(())
    }

    const fn interval(self) -> u128 {
        ((self.per_ms as u128) << FRACTION_BITS).div_ceil(self.limit as u128)
    }

    const fn burst(self) -> u128 {
        self.interval() * (self.limit as u128 - 1)
    }
}

/// What was started at a rate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pace(u128);

impl Pace {
    /// When one more may start: now at the latest, if it may at once.
    #[must_use]
    pub const fn next(self, rate: Rate) -> Timestamp {
        let at = self.0.saturating_sub(rate.burst());
        Timestamp((at.div_ceil(1 << FRACTION_BITS)) as u64)
    }

    /// One starts.
    pub fn take(&mut self, rate: Rate, now: Timestamp) {
        self.0 = self.0.max(u128::from(now.0) << FRACTION_BITS) + rate.interval();
    }

    /// One that was taken did not start after all.
    pub fn refund(&mut self, rate: Rate) {
        self.0 = self.0.saturating_sub(rate.interval());
    }

    /// When the next start would be due if all were spread evenly: what is to be remembered of it.
    #[must_use]
    pub const fn due(self) -> Timestamp {
        Timestamp((self.0.div_ceil(1 << FRACTION_BITS)) as u64)
    }

    /// One of which this was remembered. None owes more than a whole burst.
    #[must_use]
    pub fn resume(due: Timestamp, rate: Rate, now: Timestamp) -> Self {
        Self(u128::from(due.min(now.plus(rate.per_ms)).0) << FRACTION_BITS)
    }

    /// The one of two that allows less.
    #[must_use]
    pub fn slower(self, other: Self) -> Self {
        Self(self.0.max(other.0))
    }

    /// Whether nothing is to be remembered of it: it allows what one without a past allows.
    #[must_use]
    pub const fn is_rested(self, now: Timestamp) -> bool {
        self.0 <= (now.0 as u128) << FRACTION_BITS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN_A_SECOND: Rate = Rate {
        limit: 10,
        per_ms: 1000,
    };

    /// Takes as much as a pace allows in `ms` milliseconds; returns when.
    fn take_all(pace: &mut Pace, rate: Rate, from: u64, ms: u64) -> Vec<u64> {
        let mut taken = Vec::new();
        loop {
            let at = pace.next(rate).max(Timestamp(from));
            if at.0 >= from + ms {
                return taken;
            }
            pace.take(rate, at);
            taken.push(at.0 - from);
        }
    }

    #[test]
    fn a_burst_is_followed_by_even_starts() {
        let taken = take_all(&mut Pace::default(), TEN_A_SECOND, 5_000, 350);
        assert_eq!(taken, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100, 200, 300]);
    }

    #[test]
    fn rest_earns_no_more_than_one_burst() {
        let mut pace = Pace::default();
        take_all(&mut pace, TEN_A_SECOND, 0, 1);
        let taken = take_all(&mut pace, TEN_A_SECOND, 1_000_000, 1);
        assert_eq!(taken.len(), 10);
    }

    #[test]
    fn an_interval_that_is_no_whole_number_is_not_rounded_down() {
        let rate = Rate {
            limit: 3,
            per_ms: 10,
        };
        let taken = take_all(&mut Pace::default(), rate, 0, 3_000_000);
        assert_eq!(taken.len(), 900_002, "three at once, then one each 10/3 ms");
        assert_eq!(taken[3..7], [4, 7, 11, 14]);
    }

    #[test]
    fn what_did_not_start_may_start_again() {
        let mut pace = Pace::default();
        take_all(&mut pace, TEN_A_SECOND, 0, 1);
        assert_eq!(pace.next(TEN_A_SECOND), Timestamp(100));
        pace.refund(TEN_A_SECOND);
        assert_eq!(pace.next(TEN_A_SECOND), Timestamp(0));
    }

    #[test]
    fn a_pace_rests_once_all_is_earned_back() {
        let mut pace = Pace::default();
        pace.take(TEN_A_SECOND, Timestamp(50));
        assert!(!pace.is_rested(Timestamp(149)));
        assert!(pace.is_rested(Timestamp(150)));
    }

    #[test]
    fn limits_are_checked() {
        let rate = |limit, per_ms| Rate { limit, per_ms }.check();
        assert!(rate(1, 1).is_ok() && rate(LIMIT_MAX, PER_MS_MAX).is_ok());
        assert!(rate(0, 1).unwrap_err().contains("limit"));
        assert!(rate(LIMIT_MAX + 1, 1).unwrap_err().contains("limit"));
        assert!(rate(1, 0).unwrap_err().contains("perMs"));
        assert!(rate(1, PER_MS_MAX + 1).unwrap_err().contains("perMs"));
    }
}
