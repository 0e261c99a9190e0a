//! Delays between attempts.
//!
//! A delay is a function of the schedule, of the retry's number and of a random number for each
//! retry so far, in integers alone: the same numbers give the same delay on every target. Two
//! promises hold for every schedule: no delay exceeds the cap, and the cap never takes the spread
//! away. What is capped is the range before a delay is drawn from it, so messages that have backed
//! off to the cap still come back at different times.
//!
//! No delay is remembered. Decorrelated jitter, in which each delay follows from the one before,
//! walks the whole chain anew, which the random numbers of earlier retries make possible.

use serde::{Deserialize, Serialize};

use super::named_backoff::Named;

/// Thousandths in one.
const MILLI: u64 = 1000;
/// Fractional bits of a delay while it grows, so that 1 ms times 1.1 becomes more than 1 ms.
const FRACTION_BITS: u32 = 32;
/// A delay may at most be spread over ten times itself.
const FRACTION_MAX: u32 = 10_000;
/// Steps of a schedule at most: it is journaled with the options of its queue.
const SCHEDULE_MAX: usize = 1000;
/// How far jitter that is no fraction goes above a delay below which it must not go.
const UPWARDS_MILLI: u32 = 100;
/// Decorrelated delays follow from so many retries before them; what came earlier has no weight.
const CHAIN_MAX: u32 = 1000;

/// How a delay is spread.
///
/// `r` is uniform in `[0, 1)`, `d` the delay before jitter. Full and equal jitter are those of Marc
/// Brooker, *Exponential Backoff And Jitter*, AWS Architecture Blog, 2015,
/// <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Jitter {
    /// Not at all: `d`.
    None,
    /// Anywhere in `[0, d]`: `r · d`.
    Full,
    /// Anywhere in `[d/2, d]`: `d/2 + r · d/2`.
    Equal,
    /// Anywhere in `[d, d·(1+j)]`, `j` in thousandths, at most 10,000: `d + r · j · d`.
    Fraction(u32),
    /// Anywhere between the base and 1.5 · factor times the delay before, which is the base for the
    /// first retry. With the factor of 2 these are the decorrelated delays of the same article, but
    /// that the cap bounds the range and not what is drawn from it. Of exponential schedules only.
    Decorrelated,
}

/// A retry schedule.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    try_from = "Named"
)]
#[expect(missing_docs, reason = "fields are explained above each variant")]
pub enum Backoff {
    /// `d = min(base · factor^n, cap)` for the retry n from 0; factor in thousandths, at least 1000.
    /// With a fraction `j` it is `min(base · factor^n, cap / (1+j))`.
    Exponential {
        base_ms: u64,
        factor_milli: u32,
        cap_ms: u64,
        jitter: Jitter,
    },
    /// Always the same.
    Constant { ms: u64, jitter: Jitter },
    /// One delay a retry, the last one for all later ones.
    Schedule { delays_ms: Vec<u64>, jitter: Jitter },
}

impl Backoff {
    /// How long to wait before a retry, from 0 for the first one. `random` gives the number of a
    /// retry, uniform over all of `u64` (see [`crate::hash::jitter`]); it is asked for this retry, and
    /// by decorrelated jitter for those before it.
    #[must_use]
    pub fn delay_ms(&self, retry: u32, random: impl Fn(u32) -> u64) -> u64 {
        match self {
            Self::Exponential {
                base_ms,
                factor_milli,
                cap_ms,
                jitter: Jitter::Decorrelated,
            } => wander(*base_ms, *factor_milli, *cap_ms, retry, random),
            Self::Exponential {
                base_ms,
                factor_milli,
                cap_ms,
                jitter,
            } => {
                if bug!("cap-after-jitter") {
                    let grown = grow(*base_ms, *factor_milli, retry, *cap_ms);
                    return jitter.spread(grown, random(retry)).min(*cap_ms);
                }
                let limit = jitter.room_below(*cap_ms);
                jitter.spread(grow(*base_ms, *factor_milli, retry, limit), random(retry))
            }
            Self::Constant { ms, jitter } => jitter.spread(*ms, random(retry)),
            Self::Schedule { delays_ms, jitter } => {
                let last = delays_ms.len().saturating_sub(1);
                let step = usize::try_from(retry).map_or(last, |retry| retry.min(last));
                jitter.spread(delays_ms.get(step).copied().unwrap_or(0), random(retry))
            }
        }
    }

    /// How long to wait where somebody else said that it must be `floor_ms` at least: never less, and
    /// up to so much more that those who were told the same do not come back together. That is the
    /// schedule's fraction, a tenth for the other kinds of jitter, and nothing without jitter.
    #[must_use]
    pub fn delay_above_ms(&self, floor_ms: u64, random: u64) -> u64 {
        self.jitter().upwards().spread(floor_ms, random)
    }

    fn jitter(&self) -> Jitter {
        match self {
            Self::Exponential { jitter, .. }
            | Self::Constant { jitter, .. }
            | Self::Schedule { jitter, .. } => *jitter,
        }
    }

    /// The longest of all delays.
    #[must_use]
    pub fn max_delay_ms(&self) -> u64 {
        match self {
            Self::Exponential {
                base_ms,
                cap_ms,
                jitter: Jitter::Decorrelated,
                ..
            } => {
                if *base_ms == 0 {
                    0
                } else {
                    *cap_ms
                }
            }
            Self::Exponential {
                base_ms,
                factor_milli,
                cap_ms,
                jitter,
            } => jitter.spread(
                grow(
                    *base_ms,
                    *factor_milli,
                    u32::MAX,
                    jitter.room_below(*cap_ms),
                ),
                u64::MAX,
            ),
            Self::Constant { ms, jitter } => jitter.spread(*ms, u64::MAX),
            Self::Schedule { delays_ms, jitter } => {
                jitter.spread(delays_ms.iter().copied().max().unwrap_or(0), u64::MAX)
            }
        }
    }

    /// Whether all values are in their ranges.
    ///
    /// # Errors
    /// A sentence for `ERR_INVALID_OPTION`: what was expected of which option, and what came.
    pub fn check(&self) -> Result<(), String> {
        match self {
            Self::Exponential {
                factor_milli,
                cap_ms,
                ..
            } => {
                if u64::from(*factor_milli) < MILLI {
                    let factor = decimal(*factor_milli);
                    return Err(format!(
                        "expected `backoff.factor` to be at least 1, got {factor}"
                    ));
                }
                if *cap_ms == 0 {
                    return Err("expected `backoff.capMs` to be at least 1, got 0".into());
                }
            }
            Self::Constant { .. } => {}
            Self::Schedule { delays_ms, .. } => {
                if !(1..=SCHEDULE_MAX).contains(&delays_ms.len()) {
                    let steps = delays_ms.len();
                    return Err(format!(
                        "expected `backoff` to have 1 to {SCHEDULE_MAX} delays, got {steps}"
                    ));
                }
            }
        }
        match self.jitter() {
            Jitter::Fraction(milli) if milli > FRACTION_MAX => {
                let (max, fraction) = (decimal(FRACTION_MAX), decimal(milli));
                Err(format!(
                    "expected `backoff.jitter` to be a fraction from 0 to {max}, got {fraction}"
                ))
            }
            Jitter::Decorrelated if !matches!(self, Self::Exponential { .. }) => {
                Err("expected `backoff.jitter` decorrelated with exponential delays only".into())
            }
            _ => Ok(()),
        }
    }
}

impl Default for Backoff {
    /// 1, 2, 4, 8, 16 s …, up to 5 min, each up to 10 % longer.
    fn default() -> Self {
        Self::Exponential {
            base_ms: 1000,
            factor_milli: 2000,
            cap_ms: 300_000,
            jitter: Jitter::Fraction(100),
        }
    }
}

impl Jitter {
    /// The longest delay that stays within the cap however it is spread.
    fn room_below(self, cap_ms: u64) -> u64 {
        match self {
            Self::None | Self::Full | Self::Equal | Self::Decorrelated => cap_ms,
            Self::Fraction(milli) => {
                let room = u128::from(cap_ms) * u128::from(MILLI)
                    / (u128::from(MILLI) + u128::from(milli));
                saturate(room)
            }
        }
    }

    /// The same, but never below the delay.
    fn upwards(self) -> Self {
        match self {
            Self::None | Self::Fraction(_) => self,
            Self::Full | Self::Equal | Self::Decorrelated => Self::Fraction(UPWARDS_MILLI),
        }
    }

    fn spread(self, delay_ms: u64, random: u64) -> u64 {
        match self {
            // Decorrelated delays have no delay before jitter: see `wander`.
            Self::None | Self::Decorrelated => delay_ms,
            Self::Full => up_to(delay_ms, random),
            Self::Equal => {
                let half = delay_ms / 2;
                delay_ms - half + up_to(half, random)
            }
            Self::Fraction(milli) => {
                let span = u128::from(delay_ms) * u128::from(milli) / u128::from(MILLI);
                delay_ms.saturating_add(up_to(saturate(span), random))
            }
        }
    }
}

/// `min(base · factor^n, limit)`, multiplied step by step: each step is exact to 2^-32 ms, never
/// shrinks, and the walk ends at the limit (after 44,000 steps at the very most, for a factor of
/// 1.001 and no cap worth the name).
fn grow(base_ms: u64, factor_milli: u32, retry: u32, limit_ms: u64) -> u64 {
    let limit = u128::from(limit_ms) << FRACTION_BITS;
    let mut delay = u128::from(base_ms) << FRACTION_BITS;
    if delay != 0 && u64::from(factor_milli) > MILLI {
        for _ in 0..retry {
            if delay >= limit {
                break;
            }
            delay = delay * u128::from(factor_milli) / u128::from(MILLI);
        }
    }
    saturate(delay.min(limit) >> FRACTION_BITS)
}

/// Decorrelated jitter: each delay anywhere in `[base, min(1.5 · factor · previous, cap)]`. Rounded up,
/// a range never shrinks to a point below the cap.
fn wander(
    base_ms: u64,
    factor_milli: u32,
    cap_ms: u64,
    retry: u32,
    random: impl Fn(u32) -> u64,
) -> u64 {
    let base = base_ms.min(cap_ms);
    let first = retry.saturating_sub(CHAIN_MAX - 1);
    (first..=retry).fold(base, |previous, retry| {
        let grown = u128::from(previous) * u128::from(factor_milli) * 3;
        let end = saturate(grown.div_ceil(2 * u128::from(MILLI))).clamp(base, cap_ms.max(base));
        base + up_to(end - base, random(retry))
    })
}

/// Uniform in `[0, span]`: of 2^64 random numbers, no value gets more than one more than another.
fn up_to(span: u64, random: u64) -> u64 {
    saturate(((u128::from(span) + 1) * u128::from(random)) >> u64::BITS)
}

fn saturate(value: u128) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

fn decimal(milli: u32) -> String {
    let digits = format!(
        "{}.{:03}",
        u64::from(milli) / MILLI,
        u64::from(milli) % MILLI
    );
    digits
        .trim_end_matches('0')
        .trim_end_matches('.')
        .to_owned()
}
