//! How queues and their workers are set up.

use crate::chance::Rng;
use ackbox_core::config::{
    Config, DeadOptions, DedupOptions, Durability, GroupOnDead, Guarantee, QueueOptions, WhenFull,
};
use ackbox_core::consumer::policies::{PerDestination, Policies, Scope, WhenOpen, WorkerRate};
use ackbox_core::consumer::watch::HandlerLimits;
use ackbox_core::policy::backoff::{Backoff, Jitter};
use ackbox_core::policy::budget::BudgetOptions;
use ackbox_core::policy::rate::Rate;

use super::circuits::breaker;
use super::{pick, spread};

pub(super) fn queue(rng: &mut Rng) -> QueueOptions {
    use Guarantee::{AtLeastOnce, AtMostOnce, ExactlyOnce};
    let guarantees = [
        AtLeastOnce,
        AtLeastOnce,
        AtLeastOnce,
        AtMostOnce,
        ExactlyOnce,
    ];
    let dead_retain = (rng.u8(..5) == 0).then(|| spread(rng, 20_000));
    let guarantee = *pick(rng, &guarantees);
    QueueOptions {
        guarantee: Some(guarantee),
        max_attempts: Some(*pick(rng, &[1, 2, 3, 6, u32::MAX])),
        max_retry_ms: *pick(rng, &[None, None, None, Some(5000)]),
        backoff: Some(backoff(rng)),
        lease_ms: Some(*pick(rng, &[1, 300, 1000, 30_000])),
        dedup: Some(DedupOptions {
            window_ms: Some(*pick(rng, &[0, 700, 5000, 86_400_000])),
            max_entries: *pick(rng, &[None, None, None, None, Some(3)]),
            when_full: Some(*pick(rng, &[WhenFull::Reject, WhenFull::Shorten])),
            ..DedupOptions::default()
        }),
        max_depth: *pick(rng, &[None, None, None, Some(5)]),
        max_bytes: *pick(rng, &[None, None, None, None, Some(2000)]),
        max_body_bytes: *pick(rng, &[None, None, None, None, Some(600)]),
        group_on_dead: Some(*pick(rng, &[GroupOnDead::Continue, GroupOnDead::Block])),
        dead: dead_retain.map(|retain_ms| DeadOptions {
            retain_ms: Some(retain_ms),
        }),
        ..QueueOptions::default()
    }
}

/// What few worlds have. It is drawn last: bytes that end before it mean the usual.
pub(super) fn rarely(rng: &mut Rng, config: &mut Config, queues: &mut [QueueOptions]) {
    use Durability::{PowerLoss, ProcessCrash};
    config.durability = *pick(rng, &[PowerLoss, PowerLoss, PowerLoss, ProcessCrash]);
    // No row of queues may lead back, and each comes into being in its turn.
    let count = queues.len();
    for (at, queue) in queues.iter_mut().enumerate() {
        let tells = *pick(rng, &[false, false, true]) && at + 1 < count;
        queue.dead_letter_to = tells.then(|| format!("queue-{}", at + 1));
    }
}

pub(super) fn backoff(rng: &mut Rng) -> Backoff {
    if rng.bool() {
        return Backoff::Constant {
            ms: *pick(rng, &[0, 20, 300, 2000]),
            jitter: Jitter::None,
        };
    }
    Backoff::Exponential {
        base_ms: 100,
        factor_milli: 2000,
        cap_ms: 3000,
        jitter: *pick(
            rng,
            &[
                Jitter::None,
                Jitter::Full,
                Jitter::Equal,
                Jitter::Fraction(100),
            ],
        ),
    }
}

pub(super) fn workers(rng: &mut Rng) -> Vec<u32> {
    (0..rng.usize(..3))
        .map(|_| *pick(rng, &[1, 2, 5]))
        .collect()
}

/// How long handlers may take: often as long as they like.
pub(super) fn limits(rng: &mut Rng) -> HandlerLimits {
    HandlerLimits {
        timeout_ms: *pick(rng, &[None, None, None, Some(300), Some(5000)]),
        max_runtime_ms: *pick(rng, &[None, None, None, Some(200), Some(2000)]),
    }
}

/// What the workers of a queue heed: often nothing.
pub(super) fn policies(rng: &mut Rng, queue: &QueueOptions) -> Policies {
    let drawn = draw_policies(rng);
    // Who wants no rest between attempts without an end fails as fast as the engine can.
    let rests = !matches!(queue.backoff, Some(Backoff::Constant { ms: 0, .. }));
    let ends = queue.max_attempts != Some(u32::MAX);
    Policies {
        when_open: if rests || ends || drawn.when_open == WhenOpen::DeadLetter {
            drawn.when_open
        } else {
            WhenOpen::Pause
        },
        ..drawn
    }
}

fn draw_policies(rng: &mut Rng) -> Policies {
    if rng.bool() {
        return Policies::default();
    }
    let breaker = (rng.u8(..3) > 0).then(|| breaker(rng));
    let per_destination = rng.bool().then(|| PerDestination {
        concurrency: *pick(rng, &[None, Some(1), Some(2)]),
        rate: rng.bool().then(|| rate(rng)),
        ..PerDestination::default()
    });
    Policies {
        per_destination,
        asks_cooldown: breaker.is_some() && rng.bool(),
        breaker,
        when_open: *pick(
            rng,
            &[
                WhenOpen::Pause,
                WhenOpen::Pause,
                WhenOpen::Pause,
                WhenOpen::DeadLetter,
                WhenOpen::Reject,
            ],
        ),
        rate: (rng.u8(..4) == 0).then(|| WorkerRate {
            rate: rate(rng),
            scope: *pick(rng, &[Scope::Queue, Scope::Worker]),
        }),
        retry_budget: (rng.u8(..4) == 0).then(|| BudgetOptions {
            ratio_milli: *pick(rng, &[0, 200, 1000]),
            min_per_second: *pick(rng, &[1, 5]),
            ttl_ms: *pick(rng, &[1000, 10_000]),
        }),
        ..Policies::default()
    }
}

fn rate(rng: &mut Rng) -> Rate {
    Rate {
        limit: rng.u32(1..4),
        per_ms: *pick(rng, &[100, 2000]),
    }
}
