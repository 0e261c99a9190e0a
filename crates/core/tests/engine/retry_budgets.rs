//! Budgets of retries: what is past them is put off, and never lost.

use ackbox_core::command::*;
use ackbox_core::config::QueueOptions;
use ackbox_core::consumer::policies::Policies;
use ackbox_core::policy::backoff::{Backoff, Jitter};
use ackbox_core::policy::budget::BudgetOptions;

use crate::support::{World, body};

/// A queue whose messages are retried at once, and a worker whose reserve is ten retries in ten seconds.
fn world() -> (World, QueueId) {
    let mut world = World::new();
    let backoff = Backoff::Constant {
        ms: 0,
        jitter: Jitter::None,
    };
    let options = QueueOptions {
        backoff: Some(backoff),
        max_attempts: Some(100),
        ..QueueOptions::default()
    };
    let orders = world.define("orders", options);
    let retry_budget = Some(BudgetOptions {
        ratio_milli: 200,
        min_per_second: 1,
        ttl_ms: 10_000,
    });
    world.worker_with(
        orders,
        100,
        Policies {
            retry_budget,
            ..Policies::default()
        },
    );
    (world, orders)
}

/// Rejects what is delivered until nothing more is; returns the attempts.
fn reject_all(world: &mut World) -> Vec<u32> {
    let mut attempts = Vec::new();
    while let Some(delivery) = world.deliveries.pop_front() {
        attempts.push(delivery.attempt);
        world.reject(delivery.token);
    }
    attempts
}

#[test]
fn retries_past_the_budget_are_put_off_and_not_dropped() {
    let (mut world, orders) = world();
    world.enqueue(orders, "x");
    assert_eq!(
        reject_all(&mut world),
        (1..=11).collect::<Vec<u32>>(),
        "ten retries of the reserve"
    );
    assert_eq!(world.stats(orders).scheduled, 1);
    world.enqueue(orders, "fresh");
    let fresh = world.delivery();
    assert_eq!(body(&fresh), "fresh", "first attempts are not limited");
    world.ack(fresh.token);
    world.advance(10_000);
    assert_eq!(
        reject_all(&mut world)[0],
        12,
        "the attempt that was put off was not counted"
    );
}

#[test]
fn each_five_first_attempts_allow_a_retry_more() {
    let (mut world, orders) = world();
    world.enqueue(orders, "x");
    reject_all(&mut world);
    for _ in 0..5 {
        world.enqueue(orders, "fresh");
    }
    for _ in 0..5 {
        let fresh = world.delivery();
        world.ack(fresh.token);
    }
    world.advance(1000);
    assert_eq!(reject_all(&mut world), [12]);
}

#[test]
fn many_retries_are_put_off_one_behind_the_other() {
    let (mut world, orders) = world();
    for _ in 0..30 {
        world.enqueue(orders, "x");
    }
    assert_eq!(
        reject_all(&mut world).len(),
        30 + 16,
        "ten of the reserve, and six for thirty first attempts"
    );
    assert_eq!(world.stats(orders).scheduled, 30);
    let before = world.steps;
    world.advance(9_000);
    assert!(
        world.steps - before < 100,
        "each is looked at when its time comes: {} steps",
        world.steps - before
    );
}
