//! Instants as the host tells them. The core reads no clock.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Later than every instant that a host can name.
    pub const NEVER: Self = Self(u64::MAX);

    /// The instant `ms` milliseconds later; never wraps.
    #[must_use]
    pub fn plus(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to `self`, zero if it is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// For people: the date and time in UTC, as ISO 8601 writes them. `never`, or the number itself, where no calendar goes.
impl fmt::Display for Timestamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NEVER => return out.write_str("never"),
            Self(ms) if ms >= YEAR_10_000_MS => return write!(out, "{ms}"),
            Self(_) => {}
        }
        let (days, in_day) = (self.0 / DAY_MS, self.0 % DAY_MS);
        let (year, month, day) = date_of(days);
        let (seconds, ms) = (in_day / 1000, in_day % 1000);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(
            out,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z"
        )
    }
}

const DAY_MS: u64 = 86_400_000;

/// Years have four digits before it.
const YEAR_10_000_MS: u64 = 253_402_300_800_000;

/// Year, month and day of so many days after 1 January 1970, by Howard Hinnant's `civil_from_days`: years begin in
/// March, so that the day that some of them have more is their last, and repeat after 400.
fn date_of(days: u64) -> (u64, u64, u64) {
    let since_year_0 = days + 719_468;
    let (era, in_era) = (since_year_0 / 146_097, since_year_0 % 146_097);
    let year_in_era = (in_era - in_era / 1460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year_in_era + year_in_era / 4 - year_in_era / 100);
    let month_from_march = (5 * in_year + 2) / 153;
    let day = in_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_in_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_shown_as_dates() {
        // As `new Date(ms).toISOString()` gives them.
        for (ms, shown) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_600_000_000_123, "2020-09-13T12:26:40.123Z"),
            (1_735_603_200_000, "2024-12-31T00:00:00.000Z"),
            (4_107_542_399_000, "2100-02-28T23:59:59.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (253_402_300_800_000, "253402300800000"),
            (u64::MAX, "never"),
        ] {
            assert_eq!(Timestamp(ms).to_string(), shown);
        }
    }
}
