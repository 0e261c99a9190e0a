//! Draining through what a worker limits: it waits for what comes by itself, and for nothing else. [A3 drain]

use ackbox_core::command::*;
use ackbox_core::config::QueueOptions;
use ackbox_core::consumer::policies::{PerDestination, Policies};
use ackbox_core::policy::rate::Rate;
use ackbox_core::time::Timestamp;

use crate::circuits::{guarded, queue, reject_next};
use crate::draining::{drain_by, drained, outcome};
use crate::support::{World, body};

fn retry_at(at: u64) -> Verdict {
    Verdict::RetryAt {
        at: Timestamp(at),
        costs_attempt: false,
        counts_as_failure: false,
    }
}

#[test]
fn it_ends_before_an_open_circuit_once_all_others_are_done() {
    let mut world = World::new();
    let orders = queue(&mut world);
    for (destination, text) in [("a", "a1"), ("a", "a2"), ("b", "b1")] {
        world.send(orders, destination, text);
    }
    let worker = world.worker_with(orders, 1, guarded());
    let draining = drain_by(&mut world, worker);
    for _ in 0..2 {
        assert_eq!(reject_next(&mut world).0, "a1");
    }
    assert_eq!(outcome(&mut world, &draining), None);
    let other = world.delivery();
    assert_eq!(body(&other), "b1");
    world.ack(other.token);
    assert_eq!(outcome(&mut world, &draining), drained(1, 2, 0, 2));
}

#[test]
fn a_circuit_that_was_open_before_ends_it_at_once() {
    let mut world = World::new();
    let orders = queue(&mut world);
    world.send(orders, "a", "x");
    let first = world.worker_with(orders, 1, guarded());
    for _ in 0..2 {
        reject_next(&mut world);
    }
    let second = world.worker_with(orders, 1, guarded());
    let draining = drain_by(&mut world, second);
    assert_eq!(outcome(&mut world, &draining), drained(0, 0, 0, 1));
    world.value(Request::CloseWorker { worker: first });
}

#[test]
fn it_waits_for_a_probe_under_way() {
    let mut world = World::new();
    let orders = queue(&mut world);
    for text in ["x", "y"] {
        world.send(orders, "a", text);
    }
    world.worker_with(orders, 1, guarded());
    for _ in 0..2 {
        reject_next(&mut world);
    }
    world.advance(10_000);
    let probe = world.delivery();
    let worker = world.worker_with(orders, 1, guarded());
    let draining = drain_by(&mut world, worker);
    assert_eq!(
        outcome(&mut world, &draining),
        None,
        "the probe may succeed"
    );
    world.reject(probe.token);
    assert_eq!(outcome(&mut world, &draining), drained(0, 0, 0, 2));
}

#[test]
fn a_destination_that_asked_for_time_ends_it() {
    let mut world = World::new();
    let orders = queue(&mut world);
    for text in ["x", "y"] {
        world.send(orders, "a", text);
    }
    for policies in [guarded(), PerDestination::default().into_policies()] {
        let worker = world.worker_with(orders, 1, policies);
        let draining = drain_by(&mut world, worker);
        let delivery = world.delivery();
        let at = world.now + 5000;
        world.settle(delivery.token, retry_at(at)).expect("settled");
        assert_eq!(outcome(&mut world, &draining), drained(0, 1, 0, 2));
        world.advance(5000);
    }
}

#[test]
fn rates_and_handlers_at_once_only_put_it_off() {
    let rate = Rate {
        limit: 1,
        per_ms: 1000,
    };
    for limits in [
        PerDestination {
            rate: Some(rate),
            ..PerDestination::default()
        },
        PerDestination {
            concurrency: Some(1),
            ..PerDestination::default()
        },
    ] {
        let mut world = World::new();
        let orders = queue(&mut world);
        for text in ["x", "y", "z"] {
            world.send(orders, "a", text);
        }
        let worker = world.worker_with(orders, 2, limits.into_policies());
        let draining = drain_by(&mut world, worker);
        for _ in 0..3 {
            assert_eq!(outcome(&mut world, &draining), None);
            if world.deliveries.is_empty() {
                world.advance(1000);
            }
            let delivery = world.delivery();
            world.ack(delivery.token);
        }
        assert_eq!(outcome(&mut world, &draining), drained(3, 0, 0, 0));
    }
}

#[test]
fn a_worker_that_is_not_ready_ends_with_what_it_has_done() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    for text in ["x", "y"] {
        world.enqueue(orders, text);
    }
    let worker = world.worker(orders, 1);
    let draining = drain_by(&mut world, worker);
    let first = world.delivery();
    world.at_once(Request::PauseWorker { worker });
    assert_eq!(outcome(&mut world, &draining), None, "its handler runs");
    world.ack(first.token);
    assert_eq!(outcome(&mut world, &draining), drained(1, 0, 0, 1));
}

trait IntoPolicies {
    fn into_policies(self) -> Policies;
}

impl IntoPolicies for PerDestination {
    fn into_policies(self) -> Policies {
        Policies {
            per_destination: Some(self),
            ..Policies::default()
        }
    }
}
