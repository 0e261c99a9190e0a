//! What holds for every schedule, retry and random number.

use std::cell::Cell;

use ackbox_core::hash;
use ackbox_core::policy::backoff::{Backoff, Jitter};
use ackbox_core::policy::delay;
use proptest::prelude::*;

fn any_jitter() -> impl Strategy<Value = Jitter> {
    prop_oneof![
        Just(Jitter::None),
        Just(Jitter::Full),
        Just(Jitter::Equal),
        (0..=10_000_u32).prop_map(Jitter::Fraction),
    ]
}

fn any_jitter_of_growth() -> impl Strategy<Value = Jitter> {
    prop_oneof![4 => any_jitter(), 1 => Just(Jitter::Decorrelated)]
}

/// Every order of magnitude is as likely as any other.
fn any_ms() -> impl Strategy<Value = u64> {
    (0..=64_u32, any::<u64>()).prop_map(|(bits, ms)| ms.checked_shr(64 - bits).unwrap_or(0))
}

fn any_retry() -> impl Strategy<Value = u32> {
    prop_oneof![0..40_u32, any::<u32>()]
}

prop_compose! {
    fn any_exponential()(
        base_ms in any_ms(),
        factor_milli in prop_oneof![1000..=5000_u32, 1000..=u32::MAX],
        cap_ms in any_ms(),
        jitter in any_jitter_of_growth(),
    ) -> Backoff {
        Backoff::Exponential { base_ms, factor_milli, cap_ms: cap_ms.max(1), jitter }
    }
}

fn any_backoff() -> impl Strategy<Value = Backoff> {
    prop_oneof![
        any_exponential(),
        (any_ms(), any_jitter()).prop_map(|(ms, jitter)| Backoff::Constant { ms, jitter }),
        (prop::collection::vec(any_ms(), 1..9), any_jitter())
            .prop_map(|(delays_ms, jitter)| Backoff::Schedule { delays_ms, jitter }),
    ]
}

fn jitter_of(backoff: &Backoff) -> Jitter {
    match backoff {
        Backoff::Exponential { jitter, .. }
        | Backoff::Constant { jitter, .. }
        | Backoff::Schedule { jitter, .. } => *jitter,
    }
}

fn with_jitter(backoff: &Backoff, new: Jitter) -> Backoff {
    let mut backoff = backoff.clone();
    match &mut backoff {
        Backoff::Exponential { jitter, .. }
        | Backoff::Constant { jitter, .. }
        | Backoff::Schedule { jitter, .. } => *jitter = new,
    }
    backoff
}

/// The base of an exponential schedule, or its cap if that is less.
fn plain_base(backoff: &Backoff) -> u64 {
    with_jitter(backoff, Jitter::None).delay_ms(0, |_| 0)
}

fn decorrelated(base_ms: u64, factor_milli: u32, cap_ms: u64) -> Backoff {
    Backoff::Exponential {
        base_ms,
        factor_milli,
        cap_ms,
        jitter: Jitter::Decorrelated,
    }
}

proptest! {
    #[test]
    fn decorrelated_delays_follow_from_the_one_before(
        base_ms in 1..10_000_u64,
        factor_milli in 1000..4000_u32,
        cap_ms in 10_000..1_000_000_u64,
        message: u64,
    ) {
        let backoff = decorrelated(base_ms, factor_milli, cap_ms);
        let seed = hash::seed_from_text("chain");
        let mut previous = base_ms;
        for attempt in 1..300 {
            let ms = delay::after(&backoff, &seed, &message.to_le_bytes(), attempt);
            let end = (previous * u64::from(factor_milli) * 3).div_ceil(2000).min(cap_ms);
            prop_assert!((base_ms..=end).contains(&ms), "{ms} is not in {base_ms}..={end}");
            previous = ms;
        }
    }

    #[test]
    fn a_floor_is_never_undercut_and_its_jitter_is_small(
        backoff in any_backoff(),
        floor_ms in 0..1_u64 << 40,
        random: u64,
    ) {
        let ms = backoff.delay_above_ms(floor_ms, random);
        let milli = match jitter_of(&backoff) {
            Jitter::None => 0,
            Jitter::Fraction(milli) => u64::from(milli),
            _ => 100,
        };
        let end = backoff.delay_above_ms(floor_ms, u64::MAX);
        prop_assert_eq!(backoff.delay_above_ms(floor_ms, 0), floor_ms);
        prop_assert_eq!(end, floor_ms + floor_ms * milli / 1000);
        prop_assert!((floor_ms..=end).contains(&ms));
    }

    #[test]
    fn schedules_in_range_are_accepted_and_survive_json(backoff in any_backoff()) {
        prop_assert_eq!(backoff.check(), Ok(()));
        let json = serde_json::to_string(&backoff).expect("a schedule is JSON");
        prop_assert_eq!(serde_json::from_str::<Backoff>(&json).expect("its own JSON"), backoff);
    }

    #[test]
    fn no_delay_exceeds_the_cap_or_the_longest(backoff in any_backoff(), retry in any_retry(), random: u64) {
        let ms = backoff.delay_ms(retry, |_| random);
        prop_assert!(ms <= backoff.max_delay_ms());
        if let Backoff::Exponential { cap_ms, .. } = backoff {
            prop_assert!(backoff.max_delay_ms() <= cap_ms);
        }
    }

    #[test]
    fn the_longest_delay_is_reached(backoff in any_backoff()) {
        let retries = (0..9).chain([u32::MAX]);
        let reached = retries.map(|retry| backoff.delay_ms(retry, |_| u64::MAX)).max();
        prop_assert_eq!(reached, Some(backoff.max_delay_ms()));
    }

    #[test]
    fn jitter_stays_in_its_range(backoff in any_backoff(), retry in any_retry(), random: u64) {
        let ms = backoff.delay_ms(retry, |_| random);
        let plain = |jitter| with_jitter(&backoff, jitter).delay_ms(retry, |_| random);
        let d = plain(Jitter::None);
        let range = match jitter_of(&backoff) {
                Jitter::None => d..=d,
                Jitter::Full => 0..=d,
                Jitter::Equal => d.div_ceil(2)..=d,
                Jitter::Fraction(milli) => {
                    let low = backoff.delay_ms(retry, |_| 0);
                    let high = u128::from(low) * (1000 + u128::from(milli)) / 1000;
                    prop_assert!(low <= d);
                    low..=u64::try_from(high).unwrap_or(u64::MAX)
                }
                Jitter::Decorrelated => plain_base(&backoff)..=backoff.max_delay_ms(),
        };
        prop_assert!(range.contains(&ms), "{ms} is not in {range:?}");
    }

    #[test]
    fn capping_leaves_the_whole_spread(cap_ms in 1_000..=u64::MAX >> 1, milli in 1..=10_000_u32) {
        let backoff = Backoff::Exponential {
            base_ms: 1000,
            factor_milli: 2000,
            cap_ms,
            jitter: Jitter::Fraction(milli),
        };
        let (low, high) = (backoff.delay_ms(64, |_| 0), backoff.delay_ms(64, |_| u64::MAX));
        prop_assert_eq!(u128::from(high - low), u128::from(low) * u128::from(milli) / 1000);
        prop_assert!(high <= cap_ms);
        // Rounding the delay down loses less than 1 + j, rounding its spread down less than 1.
        prop_assert!((cap_ms - high) * 1000 < 2000 + u64::from(milli), "{high} of {cap_ms}");
    }

    #[test]
    fn delays_never_shrink(backoff in any_exponential(), retry in 0..200_u32, random: u64) {
        prop_assert!(backoff.delay_ms(retry, |_| random) <= backoff.delay_ms(retry + 1, |_| random));
    }

    #[test]
    fn more_random_is_never_less_delay(backoff in any_backoff(), retry in any_retry(), one: u64, other: u64) {
        let (low, high) = (one.min(other), one.max(other));
        prop_assert!(backoff.delay_ms(retry, |_| low) <= backoff.delay_ms(retry, |_| high));
    }
}

#[test]
fn messages_at_the_cap_come_back_at_different_times() {
    let backoff = Backoff::default();
    let seed = hash::seed_from_text("spread");
    let mut tenths = [0; 10];
    for message in 0..10_000_u32 {
        let ms = delay::after(&backoff, &seed, &message.to_le_bytes(), 51);
        tenths[usize::try_from((ms - 272_727) * 10 / 27_273).expect("below ten")] += 1;
    }
    assert!(
        tenths.iter().all(|&count| (800..=1200).contains(&count)),
        "{tenths:?}"
    );
}

#[test]
fn decorrelated_delays_do_not_pile_up_at_the_cap() {
    let backoff = decorrelated(128, 2000, 30_000);
    let seed = hash::seed_from_text("spread");
    let delays =
        (0..10_000_u32).map(|message| delay::after(&backoff, &seed, &message.to_le_bytes(), 14));
    let near = delays.filter(|&ms| ms > 29_970).count();
    assert!(
        near < 50,
        "{near} of 10,000 in the last thousandth below the cap"
    );
}

#[test]
fn a_chain_of_any_length_is_bounded_work() {
    let asked = Cell::new(0_u32);
    let random = |retry| {
        asked.set(asked.get() + 1);
        hash::jitter(&[7; 16], b"order-1", retry)
    };
    let ms = decorrelated(1000, 2000, 300_000).delay_ms(u32::MAX, random);
    assert!((1000..=300_000).contains(&ms));
    assert_eq!(asked.get(), 1000);
}

#[test]
fn one_seed_message_and_attempt_give_one_delay() {
    let seed = hash::seed_from_text("golden");
    let delays: Vec<u64> = (1..=10)
        .map(|attempt| delay::after(&Backoff::default(), &seed, b"order-1", attempt))
        .collect();
    assert_eq!(
        delays,
        [
            1033, 2020, 4191, 8128, 16_322, 35_040, 64_071, 128_193, 260_063, 289_991
        ]
    );
}

#[test]
fn the_json_form_is_fixed() {
    let json = serde_json::to_string(&Backoff::default()).expect("a schedule is JSON");
    let expected = r#"{"kind":"exponential","baseMs":1000,"factorMilli":2000,"capMs":300000,"jitter":{"fraction":100}}"#;
    assert_eq!(json, expected);
    let constant: Backoff =
        serde_json::from_str(r#"{"kind":"constant","ms":5,"jitter":"equal"}"#).expect("valid");
    assert_eq!(
        constant,
        Backoff::Constant {
            ms: 5,
            jitter: Jitter::Equal
        }
    );
    assert!(
        serde_json::from_str::<Backoff>(r#"{"kind":"constant","ms":5,"jitter":"none","cap":1}"#)
            .is_err()
    );
}
