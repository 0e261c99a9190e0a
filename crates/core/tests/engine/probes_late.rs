//! Probes that were not handed out before their deadline are nobody's any more, and those that were have as much time as
//! their handlers. [S8]

use ackbox_core::command::{Command, QueueId, Request, WorkerId};
use ackbox_core::consumer::policies::Policies;
use ackbox_core::consumer::watch::HandlerLimits;
use ackbox_core::effect::{AbortReason, EventKind, Object};
use ackbox_core::policy::breaker::{BreakerOptions, State};

use crate::circuits::{breaker, guarded, queue, reject_next};
use crate::support::World;

/// How long the circuit of [`guarded`] stays open.
const COOLDOWN_MS: u64 = 10_000;
/// How long a probe may take, where nobody says so.
const PROBE_MS: u64 = 30_000;

/// A worker whose handlers take so long at most.
fn limited(
    world: &mut World,
    orders: QueueId,
    policies: Policies,
    limits: HandlerLimits,
) -> WorkerId {
    let opened = world.at_once(Request::OpenWorker {
        queue: orders,
        concurrency: 3,
        policies: Box::new(policies),
        limits,
    });
    let Object::Worker(opened) = opened else {
        panic!("expected a worker, got {opened:?}");
    };
    opened.worker
}

fn timeout(ms: u64) -> HandlerLimits {
    HandlerLimits {
        timeout_ms: Some(ms),
        max_runtime_ms: None,
    }
}

/// One message whose destination has failed, as its first probe begins.
fn probing(policies: Policies, limits: HandlerLimits) -> (World, QueueId, WorkerId) {
    let mut world = World::new();
    let orders = queue(&mut world);
    let worker = limited(&mut world, orders, policies, limits);
    world.send(orders, "a", "x");
    assert_eq!(reject_next(&mut world), ("x".into(), 1));
    assert_eq!(reject_next(&mut world), ("x".into(), 2));
    world.advance(COOLDOWN_MS);
    assert_eq!(world.circuits(worker)["a"], State::HalfOpen);
    (world, orders, worker)
}

#[test]
fn a_probe_that_times_out_has_failed_then_and_costs_no_attempt() {
    let (mut world, orders, worker) = probing(guarded(), timeout(200));
    let probe = world.delivery();
    world.advance(200);
    assert_eq!(world.aborts, [(probe.token, AbortReason::Timeout)]);
    assert_eq!(world.circuits(worker)["a"], State::Open);
    world.ack(probe.token);
    assert_eq!(world.events_of(EventKind::Circuit).len(), 3);
    world.advance(COOLDOWN_MS);
    let next = world.delivery();
    assert_eq!(next.attempt, probe.attempt, "it cost none");
    world.ack(next.token);
    assert_eq!(world.circuits(worker)["a"], State::Closed);
    assert_eq!(world.stats(orders).acked, 1);
    world.audit();
}

#[test]
fn a_probe_that_was_never_handed_out_runs_beside_no_other() {
    let mut world = World::new();
    let orders = queue(&mut world);
    world.worker_with(orders, 3, guarded());
    for body in ["x", "y"] {
        world.send(orders, "a", body);
    }
    while let Some(delivery) = world.deliveries.pop_front() {
        world.reject(delivery.token);
    }
    world.hold_appends = true;
    world.advance(10_000);
    assert!(world.held.is_some(), "a probe is on its way");
    // Its deadline passes, and the time of rest after it.
    world.now += 60_000;
    world.advance(0);
    while world.held.is_some() {
        world.land();
    }
    assert_eq!(world.deliveries.len(), 1, "one probe at a time");
}

#[test]
fn a_probe_has_as_much_time_as_its_handler() {
    let both = HandlerLimits {
        timeout_ms: Some(4 * PROBE_MS),
        max_runtime_ms: Some(3 * PROBE_MS),
    };
    for (limits, ms) in [
        (HandlerLimits::default(), PROBE_MS),
        (timeout(1 + PROBE_MS / 2), 1 + PROBE_MS / 2),
        (timeout(4 * PROBE_MS), 4 * PROBE_MS),
        (both, 3 * PROBE_MS),
    ] {
        let (mut world, _, worker) = probing(guarded(), limits);
        let probe = world.delivery();
        world.advance(ms - 1);
        assert_eq!(world.circuits(worker)["a"], State::HalfOpen, "{limits:?}");
        world.ack(probe.token);
        assert_eq!(world.circuits(worker)["a"], State::Closed, "{limits:?}");

        let (mut world, _, worker) = probing(guarded(), limits);
        let probe = world.delivery();
        world.advance(ms);
        assert_eq!(world.circuits(worker)["a"], State::Open, "{limits:?}");
        world.unanswered(Command::Returned { token: probe.token });
        world.audit();
    }
}

#[test]
fn a_deadline_that_was_named_is_that_of_every_probe() {
    let policies = Policies {
        breaker: Some(BreakerOptions {
            probe_timeout_ms: Some(500),
            ..breaker()
        }),
        ..Policies::default()
    };
    let (mut world, _, worker) = probing(policies, timeout(4 * PROBE_MS));
    world.advance(499);
    assert_eq!(world.circuits(worker)["a"], State::HalfOpen);
    world.advance(1);
    assert_eq!(world.circuits(worker)["a"], State::Open);
    world.audit();
}

#[test]
fn the_time_of_a_probe_begins_when_its_handler_does() {
    let (mut world, _, worker) = probing(guarded(), timeout(2 * PROBE_MS));
    let probe = world.delivery();
    world.advance(PROBE_MS);
    world.unanswered(Command::Began { token: probe.token });
    world.advance(2 * PROBE_MS - 1);
    assert_eq!(world.circuits(worker)["a"], State::HalfOpen);
    world.ack(probe.token);
    assert_eq!(world.circuits(worker)["a"], State::Closed);
    world.audit();
}
