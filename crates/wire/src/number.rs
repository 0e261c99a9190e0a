//! Numbers as JavaScript has them, and what they mean to the core.
//!
//! What the host may not say is refused here: its driver checks every value before it writes a record.

use ackbox_core::time::Timestamp;

/// First integer that a double cannot tell from its neighbour.
const EXACT_END: f64 = (1_u64 << 53) as f64;

/// What a driver may not say: what was expected, and what came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadInput(pub(crate) String);

impl std::fmt::Display for BadInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadInput {}

/// A value, or why it is none.
pub(crate) type Checked<T> = Result<T, BadInput>;

/// What a host said that keeps the rules.
///
/// # Panics
/// When it does not: that is a bug of the host.
#[track_caller]
pub(crate) fn trusted<T>(checked: Checked<T>) -> T {
    checked.unwrap_or_else(|why| panic!("{why}"))
}

fn expect(fits: bool, what: &str, expected: &str, value: f64) -> Checked<()> {
    if fits {
        return Ok(());
    }
    Err(BadInput(format!(
        "{what}: expected {expected}, got {value}"
    )))
}

/// An identity: an integer below 2^53.
pub(crate) fn exact(value: f64, what: &str) -> Checked<u64> {
    let fits = (0.0..EXACT_END).contains(&value) && value.fract() == 0.0;
    expect(fits, what, "an integer from 0 below 2^53", value)?;
    Ok(value as u64)
}

/// A duration; a fraction counts as a whole millisecond, infinite is without end.
pub(crate) fn duration(value: f64, what: &str) -> Checked<u64> {
    expect(value >= 0.0, what, "milliseconds from 0", value)?;
    Ok(value.ceil() as u64)
}

/// An instant not before which something happens; what lies before 1970 is 1970.
pub(crate) fn instant(value: f64, what: &str) -> Checked<Timestamp> {
    expect(!value.is_nan(), what, "milliseconds since 1970", value)?;
    Ok(Timestamp(value.ceil() as u64))
}

/// The time of the host's clock, of which fractions are cut off.
pub(crate) fn now(value: f64) -> Timestamp {
    let fits = (0.0..EXACT_END).contains(&value);
    trusted(expect(fits, "now", "milliseconds since 1970", value));
    Timestamp(value as u64)
}

/// A limit: infinite is the largest one.
pub(crate) fn limit(value: f64, what: &str) -> Checked<u32> {
    let fits = value >= 0.0 && (value.fract() == 0.0 || value == f64::INFINITY);
    expect(fits, what, "an integer from 0", value)?;
    Ok(value as u32)
}

/// A number of the core for the host: the largest one stands for infinite.
pub(crate) fn to_host(value: u64) -> f64 {
    if value == u64::MAX {
        f64::INFINITY
    } else {
        value as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_never_shortened() {
        assert_eq!(duration(0.2, "delay"), Ok(1));
        assert_eq!(duration(1000.0, "delay"), Ok(1000));
        assert_eq!(instant(1.5, "at"), Ok(Timestamp(2)));
        assert_eq!(now(1.9), Timestamp(1));
    }

    #[test]
    fn infinite_is_the_largest_number_both_ways() {
        assert_eq!(duration(f64::INFINITY, "ttl"), Ok(u64::MAX));
        assert_eq!(limit(f64::INFINITY, "attempts"), Ok(u32::MAX));
        assert_eq!(to_host(Timestamp::NEVER.0), f64::INFINITY);
        assert_eq!(to_host(7), 7.0);
    }

    #[test]
    fn an_instant_before_1970_is_1970() {
        assert_eq!(instant(-1.0, "at"), Ok(Timestamp(0)));
    }

    #[test]
    fn what_no_host_may_say_is_refused() {
        let why = |checked: Checked<u64>| checked.unwrap_err().to_string();
        assert_eq!(
            why(exact(EXACT_END, "ticket")),
            "ticket: expected an integer from 0 below 2^53, got 9007199254740992"
        );
        assert_eq!(
            why(duration(f64::NAN, "delay")),
            "delay: expected milliseconds from 0, got NaN"
        );
    }

    #[test]
    #[should_panic(expected = "now: expected milliseconds since 1970, got -1")]
    fn a_clock_before_1970_is_a_bug_of_the_host() {
        now(-1.0);
    }
}
