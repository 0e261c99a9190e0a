//! At-most-once: what is left to say of a message that was settled before anybody saw it. [S6]

use ackbox_core::command::*;
use ackbox_core::config::{Config, DedupOptions, Guarantee, QueueOptions};
use ackbox_core::effect::{Answer, EventKind};
use ackbox_core::error::ErrorCode;

use crate::support::{T0, World, body, message};

/// Two messages of one group.
fn pair() -> (World, QueueId) {
    let mut world = World::new();
    let options = QueueOptions {
        guarantee: Some(Guarantee::AtMostOnce),
        ..QueueOptions::default()
    };
    let orders = world.define("orders", options);
    world.listen(orders);
    for text in ["1", "2"] {
        let item = Enqueue {
            group: Some("g"),
            ..message(orders, text)
        };
        world.try_enqueue(item).unwrap();
    }
    (world, orders)
}

fn told(world: &World) -> (usize, usize) {
    let count = |kind| world.events_of(kind).len();
    (count(EventKind::Completed), count(EventKind::Failed))
}

#[test]
fn rejecting_what_was_dequeued_is_refused_and_ends_it_as_failed() {
    let (mut world, orders) = pair();
    let first = world.dequeue(orders, 2).remove(0);
    assert!(world.dequeue(orders, 1).is_empty(), "its group is busy");
    let refused = world
        .settle(first.token, Verdict::Reject { delay_ms: None })
        .unwrap_err();
    assert_eq!(refused.code, ErrorCode::LeaseLost);
    assert_eq!(told(&world), (0, 1));
    assert_eq!(world.stats(orders).rejected, 1);
    assert_eq!(body(&world.dequeue(orders, 1)[0]), "2");
    world.settle(first.token, Verdict::Ack).unwrap_err();
    world.audit();
}

#[test]
fn letting_go_of_what_was_dequeued_frees_its_group_and_is_no_failure() {
    let (mut world, orders) = pair();
    let first = world.dequeue(orders, 1).remove(0);
    let refused = world.settle(first.token, Verdict::Return).unwrap_err();
    assert_eq!(refused.code, ErrorCode::LeaseLost, "it cannot come back");
    assert_eq!(told(&world), (0, 0));
    assert_eq!(body(&world.dequeue(orders, 1)[0]), "2");
    assert_eq!(world.box_stats().running, 1);
}

#[test]
fn a_handler_whose_rejection_is_refused_ends_as_it_returns() {
    for verdict in [Verdict::Ack, Verdict::Reject { delay_ms: None }] {
        let (mut world, orders) = pair();
        world.worker(orders, 1);
        let first = world.delivery();
        let reject = Verdict::Reject { delay_ms: None };
        let refused = world
            .settle_with(first.token, reject, false, b"", b"")
            .unwrap_err();
        assert_eq!(refused.code, ErrorCode::LeaseLost);
        assert!(world.deliveries.is_empty(), "its handler runs");
        assert_eq!(told(&world), (0, 0));
        let end = Settle {
            token: first.token,
            verdict,
            returned: true,
            result: b"",
            error: b"",
        };
        world.unanswered(Command::Settle(end));
        let is_ack = verdict == Verdict::Ack;
        assert_eq!(told(&world), (usize::from(is_ack), usize::from(!is_ack)));
        assert_eq!(world.work_off(), ["2"]);
    }
}

#[test]
fn a_handler_that_returns_before_its_rejection_is_refused_failed() {
    let (mut world, orders) = pair();
    world.worker(orders, 1);
    let first = world.delivery();
    let reject = Verdict::Reject { delay_ms: None };
    world
        .settle_with(first.token, reject, false, b"", b"")
        .unwrap_err();
    world.unanswered(Command::Returned { token: first.token });
    assert_eq!(told(&world), (0, 1));
    assert_eq!(world.work_off(), ["2"], "slot and group are free");
}

#[test]
fn an_id_whose_message_was_lost_withdraws_no_message_that_has_its_number_now() {
    let options = || QueueOptions {
        guarantee: Some(Guarantee::AtMostOnce),
        ..QueueOptions::default()
    };
    let mut world = World::new();
    let orders = world.define("orders", options());
    let disk = world.disk.clone();
    let lost = world.enqueue(orders, "lost");
    // A power cut took the message from a weaker storage that had reported it.
    let mut world = World::open_with(disk, T0 + 1, Config::default(), [9; 32]).unwrap();
    world.hold_appends = true;
    world.worker(orders, 1);
    world.unanswered(Command::Enqueue(message(orders, "present")));
    let id = lost.clone();
    let cancelling = world
        .request(Request::Cancel { queue: orders, id })
        .unwrap();
    let waiting = world.finished(orders, &lost);
    while world.held.is_some() {
        world.land();
    }
    assert!(matches!(
        world.answer(cancelling),
        Some(Ok(Answer::Value(0)))
    ));
    assert_eq!(world.work_off(), ["present"]);
    assert!(world.end(waiting).is_none(), "nothing is known of its end");
}

#[test]
fn an_id_comes_back_with_its_message_whatever_its_window() {
    for (window_ms, waits_ms) in [(0, 0), (100, 50), (100, 200)] {
        let mut world = World::new();
        let dedup = Some(DedupOptions {
            window_ms: Some(window_ms),
            ..DedupOptions::default()
        });
        let options = QueueOptions {
            guarantee: Some(Guarantee::AtMostOnce),
            dedup,
            ..QueueOptions::default()
        };
        let orders = world.define("orders", options);
        world.enqueue_id(orders, "a", "a");
        world.worker(orders, 1);
        let token = world.delivery().token;
        world.value(Request::PauseQueue { queue: orders });
        world.advance(waits_ms);
        let another = Enqueue {
            id: Some("a"),
            ..message(orders, "other")
        };
        let refused = world.try_enqueue(another).unwrap_err();
        assert_eq!(refused.code, ErrorCode::IdConflict, "it may come back");
        world.unanswered(Command::Declined { token });
        assert_eq!(world.box_stats().messages, 1);
        world.audit();
        assert!(world.enqueue_id(orders, "a", "a").0, "it is taken");
        world.audit();
    }
}
