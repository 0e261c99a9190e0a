//! Events, each kind once.

use ackbox_core::command::*;
use ackbox_core::config::{Config, Guarantee, QueueOptions};
use ackbox_core::effect::EventKind;
use ackbox_core::time::Timestamp;

use crate::support::{T0, World, message};

fn kinds(world: &mut World) -> Vec<EventKind> {
    std::mem::take(&mut world.events)
        .iter()
        .map(|event| event.kind)
        .collect()
}

#[test]
fn a_life_is_told_in_order() {
    use EventKind::*;
    let mut world = World::new();
    let orders = world.define(
        "orders",
        QueueOptions {
            max_attempts: Some(2),
            ..QueueOptions::default()
        },
    );
    world.listen(orders);
    world.worker(orders, 1);
    world.enqueue_id(orders, "a", "x");
    assert_eq!(kinds(&mut world), [Enqueued, Started]);
    let first = world.delivery();
    world.advance(7);
    world
        .settle_with(
            first.token,
            Verdict::Reject { delay_ms: Some(9) },
            true,
            b"",
            b"why",
        )
        .unwrap();
    let retry = world
        .events
        .iter()
        .find(|event| event.kind == Retry)
        .unwrap()
        .clone();
    assert_eq!(
        (
            retry.attempt,
            retry.wait_ms,
            retry.at,
            retry.id.as_str(),
            &*retry.error
        ),
        (1, 9, Timestamp(T0 + 16), "a", &b"why"[..])
    );
    assert_eq!(kinds(&mut world), [Failed, Retry]);
    world.advance(9);
    let second = world.delivery();
    world.advance(3);
    world.events.clear();
    world.ack(second.token);
    let completed = world
        .events
        .iter()
        .find(|event| event.kind == Completed)
        .unwrap()
        .clone();
    assert_eq!(
        (completed.attempt, completed.handle_ms, completed.wait_ms),
        (2, 3, 16)
    );
    assert_eq!(kinds(&mut world), [Completed, Drained]);
    world.enqueue_id(orders, "a", "x");
    assert_eq!(kinds(&mut world), [Duplicate]);
    world.enqueue_id(orders, "b", "x");
    let delivery = world.delivery();
    world.events.clear();
    world
        .settle_with(
            delivery.token,
            Verdict::Dead(Reason::Permanent),
            true,
            b"",
            b"why",
        )
        .unwrap();
    let dead = world
        .events
        .iter()
        .find(|event| event.kind == Dead)
        .unwrap();
    assert_eq!(
        (dead.reason, dead.id.as_str(), &*dead.error),
        (Some(Reason::Permanent), "b", &b"why"[..])
    );
    assert_eq!(kinds(&mut world), [Failed, Dead, Drained]);
}

const REJECT: Verdict = Verdict::Reject { delay_ms: None };

/// What is told of the end of a first attempt that is settled like this.
fn told_of(guarantee: Guarantee, max_attempts: u32, verdict: Verdict) -> Vec<EventKind> {
    let mut world = World::new();
    let options = QueueOptions {
        guarantee: Some(guarantee),
        max_attempts: Some(max_attempts),
        ..QueueOptions::default()
    };
    let orders = world.define("orders", options);
    world.listen(orders);
    world.enqueue_id(orders, "a", "x");
    let token = world.dequeue(orders, 1)[0].token;
    world.events.clear();
    let _ = world.settle_with(token, verdict, true, b"", b"why");
    for failed in world.events_of(EventKind::Failed) {
        let told = (failed.id.as_str(), failed.attempt, &*failed.error);
        assert_eq!(told, ("a", 1, &b"why"[..]), "{verdict:?}");
    }
    kinds(&mut world)
}

#[test]
fn every_attempt_that_failed_is_told_ahead_of_what_follows() {
    use EventKind::{Dead, Drained, Failed, Retry};
    let later = |costs_attempt| Verdict::RetryAt {
        at: Timestamp(T0 + 5000),
        costs_attempt,
        counts_as_failure: costs_attempt,
    };
    let permanent = Verdict::Dead(Reason::Permanent);
    let invalid = Verdict::Dead(Reason::Invalid);
    for guarantee in [Guarantee::AtLeastOnce, Guarantee::ExactlyOnce] {
        let told = |max_attempts, verdict| told_of(guarantee, max_attempts, verdict);
        assert_eq!(told(2, REJECT), [Failed, Retry]);
        assert_eq!(told(2, later(true)), [Failed, Retry]);
        assert_eq!(told(1, REJECT), [Failed, Dead, Drained]);
        assert_eq!(told(2, permanent), [Failed, Dead, Drained]);
        assert_eq!(told(2, invalid), [Failed, Dead, Drained]);
        assert_eq!(told(2, later(false)), [Retry], "it cost no attempt");
        assert_eq!(told(2, Verdict::Return), [], "nothing failed");
    }
    let told = |verdict| told_of(Guarantee::AtMostOnce, 2, verdict);
    assert_eq!(told(REJECT), [Failed, Drained]);
    assert_eq!(told(invalid), [Failed, Dead, Drained]);
}

#[test]
fn a_retry_that_comes_too_late_is_an_attempt_that_failed() {
    use EventKind::{Dead, Drained, Failed};
    let mut world = World::new();
    let options = QueueOptions {
        max_retry_ms: Some(1000),
        ..QueueOptions::default()
    };
    let orders = world.define("orders", options);
    world.listen(orders);
    world.enqueue(orders, "x");
    let token = world.dequeue(orders, 1)[0].token;
    world.events.clear();
    let later = Verdict::RetryAt {
        at: Timestamp(T0 + 5000),
        costs_attempt: false,
        counts_as_failure: false,
    };
    world.settle(token, later).unwrap();
    assert_eq!(kinds(&mut world), [Failed, Dead, Drained]);
}

/// A queue with messages "a" and "b" that time to live ends after 100 ms, and who is listened to.
fn two(options: QueueOptions) -> (World, QueueId) {
    let config = Config {
        max_memory_bytes: 0,
        ..Config::default()
    };
    let mut world = World::with_config(config);
    world.define("letters", QueueOptions::default());
    let orders = world.define("orders", options);
    world.listen(orders);
    for id in ["a", "b"] {
        let item = Enqueue {
            id: Some(id),
            ttl_ms: Some(100),
            ..message(orders, id)
        };
        world.try_enqueue(item).unwrap();
    }
    world.events.clear();
    (world, orders)
}

fn cancel(world: &mut World, queue: QueueId, id: &str) {
    let id = id.to_owned();
    assert_eq!(world.value(Request::Cancel { queue, id }), 1);
}

#[test]
fn whatever_ends_the_last_unfinished_message_drains_its_queue() {
    use EventKind::{Dead, Drained};
    for guarantee in [Guarantee::AtLeastOnce, Guarantee::AtMostOnce] {
        let options = || QueueOptions {
            guarantee: Some(guarantee),
            ..QueueOptions::default()
        };
        let (mut world, orders) = two(options());
        cancel(&mut world, orders, "a");
        assert_eq!(kinds(&mut world), [], "b is left");
        cancel(&mut world, orders, "b");
        assert_eq!(kinds(&mut world), [Drained], "cancelled");

        let (mut world, orders) = two(options());
        assert_eq!(world.value(Request::Purge { queue: orders }), 2);
        assert_eq!(kinds(&mut world), [Drained], "purged");
        assert_eq!(world.value(Request::Purge { queue: orders }), 0);
        assert_eq!(kinds(&mut world), [], "there was nothing to purge");

        let (mut world, _) = two(options());
        world.advance(101);
        assert_eq!(kinds(&mut world), [Dead, Dead, Drained], "expired");

        let told = QueueOptions {
            dead_letter_to: Some("letters".to_owned()),
            ..options()
        };
        let (mut world, _) = two(told);
        world.advance(101);
        assert_eq!(
            kinds(&mut world),
            [Dead, Dead, Drained],
            "expired, and read before"
        );
    }
}

#[test]
fn a_leased_message_that_is_cancelled_drains_its_queue() {
    let (mut world, orders) = two(QueueOptions::default());
    cancel(&mut world, orders, "a");
    world.worker(orders, 1);
    world.events.clear();
    cancel(&mut world, orders, "b");
    assert_eq!(kinds(&mut world), [EventKind::Drained]);
}

#[test]
fn a_message_that_waits_for_its_handler_is_left() {
    use EventKind::{Completed, Drained, Failed, Retry, Started};
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.listen(orders);
    world.worker(orders, 1);
    world.enqueue(orders, "x");
    let token = world.delivery().token;
    world.events.clear();
    world.settle_with(token, REJECT, false, b"", b"").unwrap();
    assert_eq!(kinds(&mut world), [Failed, Retry]);
    world.unanswered(Command::Returned { token });
    world.advance(2000);
    world.ack(world.deliveries[0].token);
    assert_eq!(kinds(&mut world), [Started, Completed, Drained]);
}

#[test]
fn a_lost_lease_is_stalled_and_not_failed() {
    use EventKind::{Retry, Stalled};
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.listen(orders);
    world.enqueue(orders, "x");
    world.dequeue(orders, 1);
    world.events.clear();
    world.advance(30_000);
    assert_eq!(kinds(&mut world), [Stalled, Retry]);
}

#[test]
fn failed_is_told_of_at_most_once() {
    let mut world = World::new();
    let orders = world.define(
        "orders",
        QueueOptions {
            guarantee: Some(Guarantee::AtMostOnce),
            ..QueueOptions::default()
        },
    );
    world.listen(orders);
    world.worker(orders, 1);
    world.enqueue(orders, "x");
    let delivery = world.delivery();
    let settle = Settle {
        token: delivery.token,
        verdict: Verdict::Reject { delay_ms: None },
        returned: true,
        result: b"",
        error: b"why",
    };
    world
        .engine
        .handle_command(Timestamp(world.now), Ticket(0), Command::Settle(settle));
    world.run();
    let failed = world.events_of(EventKind::Failed);
    assert_eq!(
        (failed.len(), failed[0].id.as_str(), &*failed[0].error),
        (1, delivery.id.as_str(), &b"why"[..])
    );
    assert_eq!(world.stats(orders).rejected, 1);
    assert!(world.dead(orders).is_empty());
}

#[test]
fn only_what_is_listened_to_is_told() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.enqueue(orders, "unheard");
    world.at_once(Request::Listen {
        queue: orders,
        events: 1 << EventKind::Completed as u32,
    });
    world.worker(orders, 1);
    world.work_off();
    assert_eq!(kinds(&mut world), [EventKind::Completed]);
    world.at_once(Request::Listen {
        queue: orders,
        events: 0,
    });
    world.enqueue(orders, "unheard");
    world.work_off();
    assert!(world.events.is_empty());
}
