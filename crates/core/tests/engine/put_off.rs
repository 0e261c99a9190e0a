//! Deliveries that are put off: nobody knows when they are wanted, so the backoff says when they come back.

use ackbox_core::command::*;
use ackbox_core::config::QueueOptions;
use ackbox_core::consumer::watch::HandlerLimits;
use ackbox_core::policy::backoff::{Backoff, Jitter};
use ackbox_core::policy::breaker::State;

use crate::circuits::guarded;
use crate::support::World;

fn backoff_of_a_second() -> QueueOptions {
    QueueOptions {
        max_attempts: Some(1),
        backoff: Some(Backoff::Constant {
            ms: 1000,
            jitter: Jitter::None,
        }),
        ..QueueOptions::default()
    }
}

#[test]
fn they_wait_for_the_backoff_and_cost_nothing_unless_told_so() {
    let mut world = World::new();
    let orders = world.define("orders", backoff_of_a_second());
    world.worker(orders, 1);
    world.enqueue(orders, "x");
    let put_off = |delay_ms, costs_attempt| Verdict::PutOff {
        delay_ms,
        costs_attempt,
        counts_as_failure: false,
    };
    for (delay_ms, waits) in [(None, 1000), (Some(70), 70)] {
        let delivery = world.delivery();
        assert_eq!(delivery.attempt, 1);
        world
            .settle(delivery.token, put_off(delay_ms, false))
            .expect("settled");
        world.audit();
        world.advance(waits - 1);
        assert!(world.deliveries.is_empty());
        world.advance(1);
    }
    let last = world.delivery();
    assert_eq!(last.attempt, 1, "the first two deliveries cost nothing");
    world
        .settle(last.token, put_off(None, true))
        .expect("settled");
    assert_eq!(world.dead(orders)[0].reason, Some(Reason::Exhausted));
}

#[test]
fn they_hold_nobody_else_and_fail_only_if_told_so() {
    let mut world = World::new();
    let orders = world.define("orders", backoff_of_a_second());
    let worker = world.worker_with(orders, 1, guarded());
    let put_off = |world: &mut World, text: &str, counts_as_failure| {
        world.send(orders, "a", text);
        let delivery = world.delivery();
        let verdict = Verdict::PutOff {
            delay_ms: Some(60_000),
            costs_attempt: false,
            counts_as_failure,
        };
        world.settle(delivery.token, verdict).expect("settled");
    };
    for n in 0..4 {
        put_off(&mut world, &format!("blameless {n}"), false);
    }
    assert_eq!(world.circuits(worker)["a"], State::Closed);
    for n in 0..2 {
        put_off(&mut world, &format!("to blame {n}"), true);
    }
    assert_eq!(world.circuits(worker)["a"], State::Open);
}

#[test]
fn one_that_took_too_long_is_counted_all_the_same() {
    let mut world = World::new();
    let orders = world.define("orders", backoff_of_a_second());
    let limits = HandlerLimits {
        timeout_ms: Some(500),
        max_runtime_ms: None,
    };
    world.limited_worker(orders, 1, limits);
    world.enqueue(orders, "x");
    let delivery = world.delivery();
    world.advance(500);
    let verdict = Verdict::PutOff {
        delay_ms: None,
        costs_attempt: false,
        counts_as_failure: false,
    };
    world.settle(delivery.token, verdict).expect("settled");
    assert_eq!(world.dead(orders)[0].reason, Some(Reason::Timeout));
}
