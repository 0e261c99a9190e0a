//! What the circuits of a world are judged by.

use crate::chance::Rng;
use ackbox_core::consumer::policies::Policies;
use ackbox_core::policy::backoff::{Backoff, Jitter};
use ackbox_core::policy::breaker::{BreakerOptions, WindowKind};

use super::pick;

pub(super) fn breaker(rng: &mut Rng) -> BreakerOptions {
    let window = *pick(rng, &[WindowKind::Consecutive, WindowKind::Count]);
    let counts = window == WindowKind::Count;
    BreakerOptions {
        window,
        failures: (!counts).then(|| rng.u32(1..3)),
        size: counts.then_some(4),
        min_calls: counts.then_some(2),
        cooldown: Some(Backoff::Constant {
            ms: *pick(rng, &[50, 1000, 20_000]),
            jitter: Jitter::None,
        }),
        probes: Some(rng.u32(1..3)),
        successes: Some(rng.u32(1..3)),
        probe_timeout_ms: Some(*pick(rng, &[200, 30_000])),
        ..BreakerOptions::default()
    }
}

/// What few circuits have: windows of time, calls that are slow, and a breaker for destinations that is not
/// the one for messages without. It is drawn last: bytes that end before it mean the usual.
pub(super) fn refine(rng: &mut Rng, policies: &mut [Policies]) {
    for policies in policies {
        if let Some(shared) = policies.breaker.take() {
            policies.breaker = Some(refined(rng, shared));
        }
        if let Some(limits) = &mut policies.per_destination
            && rng.u8(..3) == 2
        {
            let own = breaker(rng);
            limits.breaker = Some(refined(rng, own));
            limits.asks_cooldown = rng.bool();
        }
    }
}

fn refined(rng: &mut Rng, usual: BreakerOptions) -> BreakerOptions {
    let is_timed = rng.u8(..3) == 2;
    if !is_timed && usual.window == WindowKind::Consecutive {
        return usual;
    }
    let slow_ms = *pick(rng, &[None, None, Some(10), Some(1000)]);
    let refined = BreakerOptions {
        failure_rate_ppm: *pick(rng, &[None, Some(1_000_000), Some(300_000)]),
        slow_ms,
        slow_rate_ppm: slow_ms.and(*pick(rng, &[None, Some(500_000)])),
        ..usual
    };
    if !is_timed {
        return refined;
    }
    BreakerOptions {
        window: WindowKind::Time,
        failures: None,
        size: None,
        // Its tenths are whole milliseconds.
        window_ms: Some(*pick(rng, &[100, 1000, 20_000])),
        min_calls: Some(*pick(rng, &[1, 2, 4])),
        ..refined
    }
}
