//! What follows a failed attempt.

use ackbox_core::command::*;
use ackbox_core::config::QueueOptions;
use ackbox_core::effect::{Delivery, EventKind};
use ackbox_core::policy::backoff::{Backoff, Jitter};
use ackbox_core::time::Timestamp;

use crate::support::{World, message};

fn running(options: QueueOptions) -> (World, QueueId, Delivery) {
    let mut world = World::new();
    let orders = world.define("orders", options);
    world.listen(orders);
    world.worker(orders, 1);
    world.enqueue(orders, "x");
    let delivery = world.delivery();
    (world, orders, delivery)
}

#[test]
fn a_delay_of_the_handlers_replaces_the_backoff() {
    let (mut world, orders, delivery) = running(QueueOptions::default());
    world
        .settle(delivery.token, Verdict::Reject { delay_ms: Some(7) })
        .unwrap();
    let retry = world.events_of(EventKind::Retry)[0].clone();
    assert_eq!(
        (retry.attempt, retry.wait_ms, retry.at),
        (1, 7, Timestamp(world.now + 7))
    );
    world.audit();
    world.advance(7);
    assert_eq!(world.delivery().attempt, 2);
    assert_eq!(world.stats(orders).retried, 1);
}

#[test]
fn the_backoff_is_the_same_after_reopening() {
    let delays = |reopens: bool| -> Vec<u64> {
        let mut world = World::new();
        let orders = world.define("orders", QueueOptions::default());
        world.worker(orders, 1);
        world.enqueue(orders, "x");
        (0..5)
            .map(|_| {
                let delivery = world.delivery();
                world.reject(delivery.token);
                let due = world.peek(orders, None)[0].due_at.expect("it waits");
                let delay = due.0 - world.now;
                if reopens {
                    let audited = std::mem::replace(&mut world, World::new());
                    world = audited.reopen();
                    world.worker(orders, 1);
                }
                world.advance(delay);
                delay
            })
            .collect()
    };
    assert_eq!(delays(true), delays(false));
    for (retry, delay) in delays(false).into_iter().enumerate() {
        let base = 1000 << retry;
        assert!(
            (base..=base + base / 10).contains(&delay),
            "retry {retry} after {delay} ms"
        );
    }
}

#[test]
fn retry_at_costs_nothing_unless_told_so() {
    let (mut world, orders, delivery) = running(QueueOptions {
        max_attempts: Some(1),
        backoff: Some(fixed(1000, Jitter::None)),
        ..QueueOptions::default()
    });
    let at = Timestamp(world.now + 50);
    world
        .settle(
            delivery.token,
            Verdict::RetryAt {
                at,
                costs_attempt: false,
                counts_as_failure: false,
            },
        )
        .unwrap();
    world.audit();
    world.advance(49);
    assert!(world.deliveries.is_empty());
    world.advance(1);
    let again = world.delivery();
    assert_eq!(again.attempt, 1, "the first delivery cost nothing");
    let at = Timestamp(world.now + 50);
    world
        .settle(
            again.token,
            Verdict::RetryAt {
                at,
                costs_attempt: true,
                counts_as_failure: false,
            },
        )
        .unwrap();
    assert_eq!(world.dead(orders)[0].reason, Some(Reason::Exhausted));
}

#[test]
fn a_permanent_error_is_dead_at_once_with_its_error() {
    let (mut world, orders, delivery) = running(QueueOptions::default());
    let error = br#"{"message":"no such customer"}"#;
    world
        .settle_with(
            delivery.token,
            Verdict::Dead(Reason::Permanent),
            true,
            b"",
            error,
        )
        .unwrap();
    let mut world = world.reopen();
    let dead = world.dead(orders);
    assert_eq!(dead[0].reason, Some(Reason::Permanent));
    assert_eq!(
        dead[0].error.as_deref(),
        Some(r#"{"message":"no such customer"}"#)
    );
    assert_eq!(dead[0].history.len(), 1);
}

#[test]
fn no_retry_is_later_than_allowed_after_the_first_delivery() {
    let options = QueueOptions {
        max_retry_ms: Some(10_000),
        backoff: Some(Backoff::Constant {
            ms: 4000,
            jitter: Jitter::None,
        }),
        ..QueueOptions::default()
    };
    let (mut world, orders, delivery) = running(options);
    world.reject(delivery.token);
    for attempt in [2, 3] {
        world.advance(4000);
        let delivery = world.delivery();
        assert_eq!(delivery.attempt, attempt);
        world.reject(delivery.token);
    }
    let dead = world.dead(orders);
    assert_eq!(
        (dead[0].reason, dead[0].history.len()),
        (Some(Reason::Exhausted), 3),
        "12 s are too late"
    );
}

/// The instants at which 200 messages come back whose handlers are told to wait for 10 s.
fn told_to_wait(options: QueueOptions, costs_attempt: bool) -> (World, Vec<u64>) {
    let mut world = World::new();
    let orders = world.define("orders", options);
    world.listen(orders);
    world.worker(orders, 200);
    for number in 0..200 {
        world.enqueue(orders, &format!("{number}"));
    }
    let at = Timestamp(world.now + 10_000);
    let verdict = Verdict::RetryAt {
        at,
        costs_attempt,
        counts_as_failure: false,
    };
    for delivery in std::mem::take(&mut world.deliveries) {
        world.settle(delivery.token, verdict).unwrap();
    }
    let waits = world.events_of(EventKind::Retry);
    let waits = waits.iter().map(|retry| retry.wait_ms).collect();
    (world, waits)
}

#[test]
fn those_who_are_told_to_wait_come_back_a_little_later_and_never_earlier() {
    for (jitter, longest) in [
        (Jitter::Fraction(500), 15_000),
        (Jitter::Full, 11_000),
        (Jitter::Equal, 11_000),
        (Jitter::None, 10_000),
    ] {
        for costs_attempt in [false, true] {
            let options = QueueOptions {
                backoff: Some(fixed(1000, jitter)),
                ..QueueOptions::default()
            };
            let (mut world, waits) = told_to_wait(options, costs_attempt);
            assert_eq!(waits.len(), 200);
            assert!(
                waits.iter().all(|ms| (10_000..=longest).contains(ms)),
                "{jitter:?}: {waits:?}"
            );
            let late = waits.iter().filter(|ms| **ms > (10_000 + longest) / 2);
            let expected = if jitter == Jitter::None {
                0..1
            } else {
                70..130
            };
            assert!(expected.contains(&late.count()), "{jitter:?}: {waits:?}");
            world.audit();
        }
    }
}

#[test]
fn the_instant_at_which_a_message_comes_back_survives_reopening() {
    let (world, waits) = told_to_wait(QueueOptions::default(), false);
    let mut earliest = waits;
    earliest.sort_unstable();
    let began = world.now;
    let mut world = world.reopen();
    let orders = world.define("orders", QueueOptions::default());
    world.worker(orders, 200);
    let mut came = 0;
    for (at, ms) in earliest.iter().enumerate() {
        let due = began + ms;
        while world.now < due {
            world.advance((due - 1 - world.now).max(1));
            came += world.work_off().len();
            assert!(world.now == due || came <= at, "before {ms} ms");
        }
        assert!(came > at, "after {ms} ms");
    }
}

#[test]
fn jitter_makes_no_retry_later_than_allowed() {
    let options = QueueOptions {
        max_retry_ms: Some(10_200),
        ..QueueOptions::default()
    };
    let (mut world, waits) = told_to_wait(options, false);
    assert_eq!(waits.len(), 200, "none died of its jitter");
    assert!(waits.iter().all(|ms| (10_000..=10_200).contains(ms)));
    assert!(waits.contains(&10_200));
    world.audit();
}

fn fixed(ms: u64, jitter: Jitter) -> Backoff {
    Backoff::Constant { ms, jitter }
}

#[test]
fn a_retry_without_cost_is_not_later_than_allowed_either() {
    let (mut world, orders, delivery) = running(QueueOptions {
        max_retry_ms: Some(1000),
        ..QueueOptions::default()
    });
    let at = Timestamp(world.now + 1001);
    world
        .settle(
            delivery.token,
            Verdict::RetryAt {
                at,
                costs_attempt: false,
                counts_as_failure: false,
            },
        )
        .unwrap();
    assert_eq!(world.dead(orders).len(), 1);
    world.audit();
}

#[test]
fn a_start_that_was_taken_back_is_no_first_delivery() {
    let (mut world, orders, delivery) = running(QueueOptions {
        max_retry_ms: Some(5000),
        ..QueueOptions::default()
    });
    world.settle(delivery.token, Verdict::Return).unwrap();
    let again = world.delivery();
    assert_eq!(again.attempt, 1);
    world.value(Request::PauseQueue { queue: orders });
    world.settle(again.token, Verdict::Return).unwrap();
    world.audit();
    let mut world = world.reopen();
    world.value(Request::ResumeQueue { queue: orders });
    world.advance(60_000);
    world.worker(orders, 1);
    let delivery = world.delivery();
    world.reject(delivery.token);
    assert_eq!(
        world.dead(orders).len(),
        0,
        "a minute passed before it first ran, which does not count"
    );
}

#[test]
fn attempts_of_one_message_may_differ_from_those_of_its_queue() {
    let mut world = World::new();
    let orders = world.define(
        "orders",
        QueueOptions {
            max_attempts: Some(1),
            ..QueueOptions::default()
        },
    );
    world.worker(orders, 1);
    world
        .try_enqueue(Enqueue {
            max_attempts: Some(2),
            ..message(orders, "twice")
        })
        .unwrap();
    let first = world.delivery();
    world.reject(first.token);
    world.advance(1100);
    let second = world.delivery();
    world.reject(second.token);
    assert_eq!(world.dead(orders)[0].history.len(), 2);
}

#[test]
fn without_a_limit_a_message_is_retried_for_ever() {
    let options = QueueOptions {
        max_attempts: Some(u32::MAX),
        backoff: Some(Backoff::Constant {
            ms: 1,
            jitter: Jitter::None,
        }),
        ..QueueOptions::default()
    };
    let (mut world, orders, mut delivery) = running(options);
    for attempt in 1..=200 {
        assert_eq!(delivery.attempt, attempt);
        world.reject(delivery.token);
        world.advance(1);
        delivery = world.delivery();
    }
    let info = world.peek(orders, Some(MessageState::Leased)).remove(0);
    assert_eq!((info.max_attempts, info.history.len()), (None, 32));
}
