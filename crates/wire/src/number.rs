//! Numbers as JavaScript has them, and what they mean to the core.
//!
//! What the host may not say panics: its driver checks every value before it writes a record.

use ackbox_core::time::Timestamp;

/// First integer that a double cannot tell from its neighbour.
const EXACT_END: f64 = (1_u64 << 53) as f64;

/// An identity: an integer below 2^53.
pub(crate) fn exact(value: f64, what: &str) -> u64 {
    assert!(
        (0.0..EXACT_END).contains(&value) && value.fract() == 0.0,
        "{what}: expected an integer from 0 below 2^53, got {value}"
    );
    value as u64
}

/// A duration; a fraction counts as a whole millisecond, infinite is without end.
pub(crate) fn duration(value: f64, what: &str) -> u64 {
    assert!(
        value >= 0.0,
        "{what}: expected milliseconds from 0, got {value}"
    );
    value.ceil() as u64
}

/// An instant not before which something happens; what lies before 1970 is 1970.
pub(crate) fn instant(value: f64, what: &str) -> Timestamp {
    assert!(
        !value.is_nan(),
        "{what}: expected milliseconds since 1970, got {value}"
    );
    Timestamp(value.ceil() as u64)
}

/// The time of the host's clock, of which fractions are cut off.
pub(crate) fn now(value: f64) -> Timestamp {
    assert!(
        (0.0..EXACT_END).contains(&value),
        "now: expected milliseconds since 1970, got {value}"
    );
    Timestamp(value as u64)
}

/// A limit: infinite is the largest one.
pub(crate) fn limit(value: f64, what: &str) -> u32 {
    assert!(
        value >= 0.0 && (value.fract() == 0.0 || value == f64::INFINITY),
        "{what}: expected an integer from 0, got {value}"
    );
    value as u32
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
        assert_eq!(duration(0.2, "delay"), 1);
        assert_eq!(duration(1000.0, "delay"), 1000);
        assert_eq!(instant(1.5, "at"), Timestamp(2));
        assert_eq!(now(1.9), Timestamp(1));
    }

    #[test]
    fn infinite_is_the_largest_number_both_ways() {
        assert_eq!(duration(f64::INFINITY, "ttl"), u64::MAX);
        assert_eq!(limit(f64::INFINITY, "attempts"), u32::MAX);
        assert_eq!(to_host(Timestamp::NEVER.0), f64::INFINITY);
        assert_eq!(to_host(7), 7.0);
    }

    #[test]
    fn an_instant_before_1970_is_1970() {
        assert_eq!(instant(-1.0, "at"), Timestamp(0));
    }

    #[test]
    #[should_panic(
        expected = "ticket: expected an integer from 0 below 2^53, got 9007199254740992"
    )]
    fn an_inexact_identity_is_a_bug_of_the_host() {
        exact(EXACT_END, "ticket");
    }

    #[test]
    #[should_panic(expected = "delay: expected milliseconds from 0, got NaN")]
    fn a_duration_that_is_not_a_number_is_a_bug_of_the_host() {
        duration(f64::NAN, "delay");
    }
}
