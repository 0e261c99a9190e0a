//! Handlers that take too long: told to stop, waited for, given up. [A3 timeoutMs, A3 maxRuntimeMs, S3]

use ackbox_core::command::*;
use ackbox_core::config::{Guarantee, QueueOptions};
use ackbox_core::consumer::policies::Policies;
use ackbox_core::consumer::watch::HandlerLimits;
use ackbox_core::effect::{AbortReason, Delivery, EventKind, Notice, Object};
use ackbox_core::error::ErrorCode;
use ackbox_core::policy::backoff::{Backoff, Jitter};
use ackbox_core::policy::breaker::{BreakerOptions, State};

use crate::support::{World, body, message};

const LEASE_MS: u64 = 1000;
const TIMEOUT_MS: u64 = 200;
const RUNTIME_MS: u64 = 500;

fn timeout() -> HandlerLimits {
    HandlerLimits {
        timeout_ms: Some(TIMEOUT_MS),
        max_runtime_ms: None,
    }
}

fn runtime() -> HandlerLimits {
    HandlerLimits {
        timeout_ms: None,
        max_runtime_ms: Some(RUNTIME_MS),
    }
}

fn options() -> QueueOptions {
    QueueOptions {
        max_attempts: Some(2),
        lease_ms: Some(LEASE_MS),
        backoff: Some(Backoff::Constant {
            ms: 10,
            jitter: Jitter::None,
        }),
        ..QueueOptions::default()
    }
}

/// A handler that runs within its limits, one slot, and what it works on.
fn running(options: QueueOptions, limits: HandlerLimits) -> (World, QueueId, Delivery) {
    let mut world = World::new();
    let orders = world.define("orders", options);
    world.listen(orders);
    world.limited_worker(orders, 1, limits);
    world.enqueue(orders, "x");
    let delivery = world.delivery();
    (world, orders, delivery)
}

/// How the attempts of the message of a delivery ended.
fn reasons(world: &mut World, delivery: &Delivery) -> Vec<Reason> {
    let (queue, id) = (delivery.queue, delivery.id.to_string());
    let info = world.infos(Request::Get { queue, id }).remove(0);
    info.history.iter().map(|attempt| attempt.reason).collect()
}

fn warnings(world: &World) -> usize {
    let is_warning = |notice: &&Notice| matches!(notice, Notice::Warning { .. });
    world.notices.iter().filter(is_warning).count()
}

#[test]
fn a_handler_that_times_out_is_told_to_stop_and_its_attempt_fails_with_its_end() {
    for verdict in [Verdict::Ack, Verdict::Reject { delay_ms: None }] {
        let (mut world, orders, delivery) = running(options(), timeout());
        world.advance(TIMEOUT_MS - 1);
        assert!(world.aborts.is_empty());
        world.advance(1);
        assert_eq!(world.aborts, [(delivery.token, AbortReason::Timeout)]);
        assert_eq!(world.peek(orders, Some(MessageState::Leased)).len(), 1);
        world.advance(50);
        world
            .settle(delivery.token, verdict)
            .expect("its end is taken");
        assert_eq!(reasons(&mut world, &delivery), [Reason::Timeout]);
        assert_eq!(world.events_of(EventKind::Retry)[0].wait_ms, 10);
        assert_eq!(world.events_of(EventKind::Failed).len(), 1);
        world.advance(10);
        let again = world.delivery();
        assert_eq!(again.attempt, 2);
        world.advance(TIMEOUT_MS);
        world.reject(again.token);
        let dead = world.dead(orders).remove(0);
        assert_eq!(dead.reason, Some(Reason::Timeout));
        assert_eq!(
            (warnings(&world), world.events_of(EventKind::Stalled).len()),
            (0, 0)
        );
        world.audit();
    }
}

#[test]
fn who_asks_for_time_after_its_time_out_gets_it_and_pays() {
    let (mut world, _, delivery) = running(options(), timeout());
    world.advance(TIMEOUT_MS);
    let at = ackbox_core::time::Timestamp(world.now + 5000);
    let verdict = Verdict::RetryAt {
        at,
        costs_attempt: false,
        counts_as_failure: false,
    };
    world
        .settle(delivery.token, verdict)
        .expect("its end is taken");
    assert_eq!(reasons(&mut world, &delivery), [Reason::Timeout]);
    world.advance(4999);
    assert!(world.deliveries.is_empty());
    world.advance(1);
    assert_eq!(world.delivery().attempt, 2);
}

#[test]
fn what_is_dead_for_good_stays_so_after_a_time_out() {
    let (mut world, orders, delivery) = running(options(), timeout());
    world.advance(TIMEOUT_MS);
    world
        .settle(delivery.token, Verdict::Dead(Reason::Permanent))
        .expect("its end is taken");
    assert_eq!(world.dead(orders)[0].reason, Some(Reason::Permanent));
}

#[test]
fn a_delivery_that_timed_out_cannot_be_settled_by_hand() {
    let (mut world, _, delivery) = running(options(), timeout());
    world.advance(TIMEOUT_MS);
    let refused = world
        .settle_with(delivery.token, Verdict::Ack, false, b"", b"")
        .expect_err("its time is over");
    assert_eq!(refused.code, ErrorCode::LeaseLost);
}

#[test]
fn a_handler_in_time_is_not_told_to_stop() {
    let limits = HandlerLimits {
        timeout_ms: Some(TIMEOUT_MS),
        max_runtime_ms: Some(RUNTIME_MS),
    };
    let (mut world, _, delivery) = running(options(), limits);
    world.advance(TIMEOUT_MS - 1);
    world.ack(delivery.token);
    world.advance(10 * LEASE_MS);
    assert!(world.aborts.is_empty());
    assert_eq!(
        world.engine.poll_timeout(),
        None,
        "nothing is watched any more"
    );
}

#[test]
fn a_handler_that_does_not_stop_is_reported_once_and_keeps_its_slot() {
    let (mut world, orders, delivery) = running(options(), timeout());
    world.enqueue(orders, "y");
    world.advance(TIMEOUT_MS + LEASE_MS - 1);
    assert_eq!(
        (warnings(&world), world.events_of(EventKind::Stalled).len()),
        (0, 0)
    );
    assert_eq!(
        world.peek(orders, Some(MessageState::Leased)).len(),
        1,
        "it is waited for"
    );
    world.advance(1);
    assert_eq!(reasons(&mut world, &delivery), [Reason::Timeout]);
    world.advance(10 * LEASE_MS);
    let stalled = world.events_of(EventKind::Stalled);
    assert_eq!((warnings(&world), stalled.len()), (1, 1));
    assert_eq!(
        (&stalled[0].id, stalled[0].attempt),
        (&delivery.id.to_string(), 1)
    );
    assert!(world.deliveries.is_empty(), "its slot is taken");
    world.audit();

    world.worker(orders, 1);
    let again = world.delivery();
    assert_eq!(
        (body(&again), again.attempt),
        ("x".into(), 2),
        "it waits no longer"
    );
    world.ack(again.token);
    assert_eq!(body(&world.delivery()), "y");

    let late = Command::Settle(Settle {
        token: delivery.token,
        verdict: Verdict::Ack,
        returned: true,
        result: b"",
        error: b"",
    });
    // On its last attempt, it is not claimed ahead of a slot.
    let last = Enqueue {
        max_attempts: Some(1),
        ..message(orders, "z")
    };
    world.try_enqueue(last).expect("accepted");
    world.unanswered_as(Ticket(0), late);
    assert_eq!(body(&world.delivery()), "z", "its slot is free again");
    assert_eq!(world.aborts.len(), 1);
    world.audit();
}

#[test]
fn a_lease_that_is_renewed_no_more_ends_the_attempt_at_once_and_the_message_waits() {
    let (mut world, orders, delivery) = running(options(), runtime());
    world.worker(orders, 1);
    world.advance(RUNTIME_MS);
    assert_eq!(world.aborts, [(delivery.token, AbortReason::RanOut)]);
    assert_eq!(reasons(&mut world, &delivery), [Reason::LeaseExpired]);
    assert_eq!(world.stats(orders).leases_lost, 1);
    assert_eq!(world.events_of(EventKind::Stalled).len(), 1);
    let refused = world
        .settle_with(delivery.token, Verdict::Ack, false, b"", b"")
        .expect_err("its lease is gone");
    assert_eq!(refused.code, ErrorCode::LeaseLost);
    world.advance(LEASE_MS - 1);
    assert!(world.deliveries.is_empty(), "its handler is waited for");
    world.advance(1);
    assert_eq!(world.delivery().attempt, 2);
    assert_eq!(
        (warnings(&world), world.events_of(EventKind::Stalled).len()),
        (1, 1),
        "it is told once"
    );
    assert!(world.events_of(EventKind::Failed).is_empty());
    world.audit();
}

#[test]
fn a_handler_without_a_lease_that_returns_frees_its_message_at_once() {
    let (mut world, orders, delivery) = running(options(), runtime());
    world.worker(orders, 1);
    world.advance(RUNTIME_MS + 20);
    assert!(world.deliveries.is_empty());
    world.unanswered(Command::Returned {
        token: delivery.token,
    });
    let again = world.delivery();
    assert_eq!(again.attempt, 2);
    world.ack(again.token);
    world.advance(10 * LEASE_MS);
    assert_eq!(warnings(&world), 0);
    world.audit();
}

#[test]
fn leases_that_run_out_end_in_the_dead_letters() {
    let options = QueueOptions {
        max_attempts: Some(1),
        ..options()
    };
    let (mut world, orders, _) = running(options, runtime());
    world.advance(RUNTIME_MS);
    assert_eq!(world.dead(orders)[0].reason, Some(Reason::LeaseExpired));
    world.audit();
}

#[test]
fn a_time_out_before_the_end_of_the_lease_is_the_reason() {
    let limits = HandlerLimits {
        timeout_ms: Some(TIMEOUT_MS),
        max_runtime_ms: Some(RUNTIME_MS),
    };
    let (mut world, _, delivery) = running(options(), limits);
    world.advance(RUNTIME_MS);
    let told = [
        (delivery.token, AbortReason::Timeout),
        (delivery.token, AbortReason::RanOut),
    ];
    assert_eq!(world.aborts, told);
    assert_eq!(reasons(&mut world, &delivery), [Reason::Timeout]);
    world.advance(10 * LEASE_MS);
    assert_eq!(warnings(&world), 1);
}

#[test]
fn at_most_once_fails_with_the_end_of_its_handler_and_keeps_its_group_busy() {
    let options = QueueOptions {
        guarantee: Some(Guarantee::AtMostOnce),
        ..options()
    };
    let mut world = World::new();
    let orders = world.define("orders", options);
    world.listen(orders);
    world.limited_worker(orders, 2, timeout());
    for text in ["x", "y"] {
        let grouped = Enqueue {
            group: Some("g"),
            ..message(orders, text)
        };
        world.try_enqueue(grouped).expect("accepted");
    }
    let delivery = world.delivery();
    world.advance(TIMEOUT_MS);
    assert_eq!(world.aborts, [(delivery.token, AbortReason::Timeout)]);
    world.ack(delivery.token);
    assert_eq!(world.events_of(EventKind::Failed).len(), 1);
    assert!(world.events_of(EventKind::Completed).is_empty());

    let next = world.delivery();
    world.advance(TIMEOUT_MS + LEASE_MS);
    assert_eq!(
        (world.events_of(EventKind::Failed).len(), warnings(&world)),
        (2, 1)
    );
    world.unanswered(Command::Returned { token: next.token });
    world.advance(10 * LEASE_MS);
    assert_eq!(world.events_of(EventKind::Failed).len(), 2);
    world.audit();
}

#[test]
fn a_handler_that_settled_by_hand_is_told_to_stop_as_well() {
    let (mut world, orders, delivery) = running(options(), timeout());
    let reject = Verdict::Reject { delay_ms: None };
    world
        .settle_with(delivery.token, reject, false, b"", b"")
        .expect("in time");
    world.advance(TIMEOUT_MS);
    assert_eq!(world.aborts, [(delivery.token, AbortReason::Timeout)]);
    assert_eq!(reasons(&mut world, &delivery), [Reason::Exhausted]);
    world.worker(orders, 1);
    world.advance(LEASE_MS - 1);
    assert!(world.deliveries.is_empty(), "its handler is waited for");
    world.advance(1);
    assert_eq!(world.delivery().attempt, 2);
    assert_eq!(warnings(&world), 1);
}

#[test]
fn a_handler_that_settled_by_hand_has_no_lease_that_could_run_out() {
    let (mut world, orders, delivery) = running(options(), runtime());
    let reject = Verdict::Reject { delay_ms: None };
    world
        .settle_with(delivery.token, reject, false, b"", b"")
        .expect("in time");
    world.worker(orders, 1);
    world.advance(RUNTIME_MS + 10 * LEASE_MS);
    assert_eq!((world.aborts.len(), warnings(&world)), (0, 0));
    assert!(
        world.deliveries.is_empty(),
        "nobody told its handler to stop"
    );
    world.unanswered(Command::Returned {
        token: delivery.token,
    });
    assert_eq!(world.delivery().attempt, 2);
}

#[test]
fn a_redriven_message_waits_for_a_handler_that_settled_by_hand_however_long_it_runs() {
    let (mut world, orders, delivery) = running(options(), runtime());
    let dead = Verdict::Dead(Reason::Permanent);
    world
        .settle_with(delivery.token, dead, false, b"", b"")
        .expect("in time");
    world.worker(orders, 1);
    world.advance(RUNTIME_MS + 10 * LEASE_MS);
    assert_eq!(world.redrive(orders, DeadFilter::default()).moved, 1);
    assert!(world.deliveries.is_empty(), "its handler still runs");
    world.unanswered(Command::Returned {
        token: delivery.token,
    });
    assert_eq!(world.delivery().attempt, 1);
}

#[test]
fn a_handler_that_is_given_up_by_a_close_costs_nothing_after_its_time_out() {
    let (mut world, _, delivery) = running(options(), timeout());
    world.advance(TIMEOUT_MS);
    world.unanswered(Command::Abandoned {
        token: delivery.token,
    });
    assert_eq!(reasons(&mut world, &delivery), [], "it was given back");
    world.advance(LEASE_MS);
    let again = world.delivery();
    assert_eq!(again.attempt, 1);
    world.ack(again.token);
    world.advance(10 * LEASE_MS);
    assert_eq!(warnings(&world), 0, "nobody waits for it");
    world.audit();
}

#[test]
fn a_failed_attempt_that_timed_out_survives_a_crash() {
    let (mut world, _, delivery) = running(options(), timeout());
    world.advance(TIMEOUT_MS);
    world.ack(delivery.token);
    let mut world = world.reopen();
    assert_eq!(reasons(&mut world, &delivery), [Reason::Timeout]);
    world.audit();
}

#[test]
fn a_circuit_hears_of_handlers_that_timed_out() {
    let mut world = World::new();
    let orders = world.define("orders", options());
    world.listen(orders);
    let opened = world.at_once(Request::OpenWorker {
        queue: orders,
        concurrency: 5,
        policies: Box::new(Policies {
            breaker: Some(BreakerOptions::default()),
            ..Policies::default()
        }),
        limits: timeout(),
    });
    let Object::Worker(opened) = opened else {
        panic!("expected a worker, got {opened:?}");
    };
    for n in 0..5 {
        world.send(orders, "a", &format!("{n}"));
    }
    world.advance(TIMEOUT_MS - 1);
    assert_eq!(world.circuits(opened.worker)["a"], State::Closed);
    // Their handlers run on, and may never return.
    world.advance(1);
    assert_eq!(world.circuits(opened.worker)["a"], State::Open);
    let aborted = world.aborts.iter().map(|(_, reason)| *reason);
    assert_eq!(aborted.collect::<Vec<_>>(), [AbortReason::Timeout; 5]);
    // What they say in the end is an end of that period.
    for delivery in std::mem::take(&mut world.deliveries) {
        world.ack(delivery.token);
    }
    assert_eq!(world.circuits(opened.worker)["a"], State::Open);
    assert_eq!(world.events_of(EventKind::Circuit).len(), 1);
    world.audit();
}

#[test]
fn limits_are_checked() {
    let mut world = World::new();
    let queue = world.define("orders", QueueOptions::default());
    for limits in [
        HandlerLimits {
            timeout_ms: Some(0),
            max_runtime_ms: None,
        },
        HandlerLimits {
            timeout_ms: None,
            max_runtime_ms: Some(0),
        },
    ] {
        let open = Request::OpenWorker {
            queue,
            concurrency: 1,
            policies: Box::default(),
            limits,
        };
        let refused = world.try_at_once(open).expect_err("no time at all");
        assert_eq!(refused.code, ErrorCode::InvalidOption);
    }
}

/// The errors of the attempts of a message, as text.
fn errors(world: &mut World, delivery: &Delivery) -> Vec<String> {
    let (queue, id) = (delivery.queue, delivery.id.to_string());
    let info = world.infos(Request::Get { queue, id }).remove(0);
    let errors = info.history.iter().map(|attempt| attempt.error.clone());
    errors.map(Option::unwrap_or_default).collect()
}

#[test]
fn the_time_of_a_handler_begins_when_it_starts() {
    let limits = HandlerLimits {
        timeout_ms: Some(TIMEOUT_MS),
        max_runtime_ms: Some(RUNTIME_MS),
    };
    let (mut world, _, delivery) = running(options(), limits);
    let token = delivery.token;
    world.advance(TIMEOUT_MS - 1);
    world.unanswered(Command::Began { token });
    world.advance(TIMEOUT_MS - 1);
    assert!(world.aborts.is_empty());
    world.advance(1);
    assert_eq!(world.aborts, [(token, AbortReason::Timeout)]);
    world.advance(RUNTIME_MS - TIMEOUT_MS - 1);
    assert_eq!(world.aborts.len(), 1);
    world.advance(1);
    assert_eq!(world.aborts[1], (token, AbortReason::RanOut));
}

#[test]
fn what_comes_before_a_handler_has_as_much_time() {
    let (mut world, _, delivery) = running(options(), timeout());
    world.advance(TIMEOUT_MS);
    assert_eq!(world.aborts, [(delivery.token, AbortReason::Timeout)]);
    let token = delivery.token;
    world.unanswered(Command::Began { token });
    world.advance(LEASE_MS);
    assert_eq!(reasons(&mut world, &delivery), [Reason::Timeout]);
}

#[test]
fn attempts_that_took_too_long_tell_so() {
    let (mut world, _, delivery) = running(options(), timeout());
    world.advance(TIMEOUT_MS);
    world.ack(delivery.token);
    assert!(errors(&mut world, &delivery)[0].contains("timeoutMs, 200 ms"));
    world.advance(10);
    let again = world.delivery();
    world.advance(TIMEOUT_MS + LEASE_MS);
    let dead = world.dead(again.queue).remove(0);
    let error = dead.error.expect("it tells why");
    assert!(
        error.contains("ERR_TIMEOUT") && error.contains("1000 ms after it was told to stop"),
        "{error}"
    );
    let (mut world, _, delivery) = running(options(), runtime());
    world.advance(RUNTIME_MS);
    assert!(errors(&mut world, &delivery)[0].contains("maxRuntimeMs, 500 ms"));
}

#[test]
fn a_delivery_by_hand_that_was_not_settled_tells_so() {
    let mut world = World::new();
    let orders = world.define("orders", options());
    world.enqueue(orders, "x");
    let delivery = world.dequeue(orders, 1).remove(0);
    world.advance(LEASE_MS);
    assert_eq!(reasons(&mut world, &delivery), [Reason::LeaseExpired]);
    let error = &errors(&mut world, &delivery)[0];
    assert!(error.contains("ran out 1000 ms after"), "{error}");
}
