//! Budgets of retries: what is past them is put off, and never lost.

use ackbox_core::command::*;
use ackbox_core::config::QueueOptions;
use ackbox_core::consumer::policies::Policies;
use ackbox_core::policy::backoff::{Backoff, Jitter};
use ackbox_core::policy::breaker::BreakerOptions;
use ackbox_core::policy::budget::BudgetOptions;

use crate::support::{World, body};

/// A queue whose messages are retried at once, and a worker whose reserve is ten retries in ten seconds.
fn world() -> (World, QueueId) {
    let (world, orders, _) = world_with(None);
    (world, orders)
}

fn world_with(breaker: Option<BreakerOptions>) -> (World, QueueId, WorkerId) {
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
    let policies = Policies {
        retry_budget,
        breaker,
        ..Policies::default()
    };
    let worker = world.worker_with(orders, 100, policies);
    (world, orders, worker)
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
    for _ in 0..3 {
        assert_eq!(succeed(&mut world, orders), ["fresh"]);
    }
    assert_eq!(
        succeed(&mut world, orders),
        ["fresh", "x"],
        "the first attempt of x itself, and four more"
    );
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

/// Delivers a fresh message, lets everything succeed that this brings, and returns it.
fn succeed(world: &mut World, orders: QueueId) -> Vec<String> {
    world.enqueue(orders, "fresh");
    let mut bodies = Vec::new();
    while let Some(delivery) = world.deliveries.pop_front() {
        bodies.push(body(&delivery));
        world.ack(delivery.token);
    }
    bodies
}

/// Thirty messages that failed: sixteen of them were retried, and failed again.
fn exhausted() -> (World, QueueId) {
    let (mut world, orders) = world();
    for n in 0..30 {
        world.enqueue(orders, &format!("x{n}"));
    }
    assert_eq!(reject_all(&mut world).len(), 46);
    assert_eq!(world.stats(orders).scheduled, 30);
    (world, orders)
}

#[test]
fn first_attempts_call_those_that_were_put_off_and_the_oldest_first() {
    let (mut world, orders) = exhausted();
    let mut retried = Vec::new();
    for _ in 0..50 {
        retried.extend(succeed(&mut world, orders));
    }
    retried.retain(|body| body != "fresh");
    let expected: Vec<String> = (16..26).map(|n| format!("x{n}")).collect();
    assert_eq!(retried, expected, "one for five, at once");
    assert_eq!(world.stats(orders).scheduled, 20);
}

#[test]
fn a_retry_that_is_due_only_now_waits_behind_those_that_were_put_off() {
    let (mut world, orders) = exhausted();
    for _ in 0..4 {
        assert_eq!(succeed(&mut world, orders), ["fresh"]);
    }
    world.enqueue(orders, "new");
    let new = world.delivery();
    world.reject(new.token);
    let retry = world.delivery();
    assert_eq!(body(&retry), "x16");
    world.ack(retry.token);
    assert!(world.deliveries.is_empty());
}

#[test]
fn what_is_forgotten_calls_those_that_were_put_off() {
    let (mut world, _) = exhausted();
    world.advance(9_999);
    assert!(world.deliveries.is_empty());
    world.advance(1);
    let called: Vec<String> = world.deliveries.iter().map(body).collect();
    let expected: Vec<String> = (16..26).map(|n| format!("x{n}")).collect();
    assert_eq!(called, expected, "the reserve of ten");
}

#[test]
fn who_is_gone_takes_no_place_of_those_that_were_put_off() {
    let (mut world, orders) = world();
    let ids: Vec<String> = (0..30)
        .map(|n| world.enqueue(orders, &format!("x{n}")))
        .collect();
    reject_all(&mut world);
    for id in &ids[16..29] {
        world
            .request(Request::Cancel {
                queue: orders,
                id: id.clone(),
            })
            .expect("taken");
    }
    let retried: Vec<String> = (0..5).flat_map(|_| succeed(&mut world, orders)).collect();
    assert_eq!(retried.last().map(String::as_str), Some("x29"));
    assert_eq!(retried.len(), 6);
}

#[test]
fn those_before_an_open_circuit_take_no_room_from_those_who_may_go() {
    let patient = BreakerOptions {
        failures: Some(1000),
        ..BreakerOptions::default()
    };
    let (mut world, orders, worker) = world_with(Some(patient));
    for n in 0..30 {
        world.send(orders, "a", &format!("a{n}"));
    }
    reject_all(&mut world);
    world.send(orders, "b", "b");
    reject_all(&mut world);
    assert_eq!(world.stats(orders).scheduled, 31, "b waits behind them");
    let force = |world: &mut World, isolate| {
        world.at_once(Request::ForceCircuit {
            worker,
            destination: "a".to_owned(),
            isolate,
        });
    };
    force(&mut world, true);
    let mut retried = Vec::new();
    for _ in 0..5 {
        retried.extend(succeed(&mut world, orders));
    }
    retried.retain(|body| body != "fresh");
    assert_eq!(retried, ["b"], "it has the retry of five first attempts");
    force(&mut world, false);
    world.advance(40_000);
    assert_eq!(world.work_off().len(), 30, "none was lost");
}
