//! Deliveries that are settled by hand. [S3]

use ackbox_core::command::*;
use ackbox_core::config::QueueOptions;
use ackbox_core::effect::{Answer, EventKind, Recipient};
use ackbox_core::error::ErrorCode;

use crate::support::{World, body};

#[test]
fn a_lease_that_runs_out_ends_the_attempt() {
    let mut world = World::new();
    let orders = world.define(
        "orders",
        QueueOptions {
            max_attempts: Some(2),
            ..QueueOptions::default()
        },
    );
    world.listen(orders);
    world.enqueue(orders, "x");
    assert_eq!(world.dequeue(orders, 5).len(), 1);
    world.advance(30_000);
    assert_eq!(
        (
            world.events_of(EventKind::Stalled).len(),
            world.stats(orders).leases_lost
        ),
        (1, 1)
    );
    assert_eq!(world.aborts.len(), 1);
    assert!(
        world.dequeue(orders, 5).is_empty(),
        "it waits for its backoff"
    );
    world.advance(1100);
    let second = world.dequeue(orders, 5).remove(0);
    assert_eq!(second.attempt, 2);
    world.advance(30_000);
    let dead = world.dead(orders);
    assert_eq!(dead[0].reason, Some(Reason::LeaseExpired));
    let reasons: Vec<_> = dead[0]
        .history
        .iter()
        .map(|attempt| attempt.reason)
        .collect();
    assert_eq!(reasons, [Reason::LeaseExpired; 2]);
    world.audit();
}

#[test]
fn a_lease_runs_from_the_hand_out_for_as_long_as_was_asked() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.enqueue(orders, "x");
    let ticket = world.command(Command::Dequeue {
        queue: orders,
        max: 1,
        lease_ms: Some(100),
        wait_ms: 0,
    });
    let delivery = world.delivery();
    assert_eq!(
        (delivery.to, delivery.lease_until.0),
        (Recipient::Dequeue(Ticket(ticket)), world.now + 100)
    );
    world.advance(99);
    world.ack(delivery.token);
    world.advance(1000);
    assert_eq!(world.stats(orders).leases_lost, 0);
}

#[test]
fn many_are_claimed_at_once_in_order_and_settled_alone() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    for text in ["a", "b", "c", "d"] {
        world.enqueue(orders, text);
    }
    let deliveries = world.dequeue(orders, 3);
    let bodies: Vec<_> = deliveries.iter().map(body).collect();
    assert_eq!(bodies, ["a", "b", "c"]);
    world.settle(deliveries[1].token, Verdict::Return).unwrap();
    let again = world.dequeue(orders, 1).remove(0);
    assert_eq!(
        (body(&again).as_str(), again.attempt),
        ("b", 1),
        "given back without cost"
    );
}

#[test]
fn a_waiting_dequeue_gets_the_first_message_or_gives_up() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let waiting = world.command(Command::Dequeue {
        queue: orders,
        max: 3,
        lease_ms: None,
        wait_ms: 1000,
    });
    assert!(world.answer(waiting).is_none());
    world.advance(500);
    world.enqueue(orders, "x");
    assert!(matches!(world.answer(waiting), Some(Ok(Answer::Value(1)))));
    let late = world.command(Command::Dequeue {
        queue: orders,
        max: 3,
        lease_ms: None,
        wait_ms: 1000,
    });
    world.advance(999);
    assert!(world.answer(late).is_none());
    world.advance(1);
    assert!(matches!(world.answer(late), Some(Ok(Answer::Value(0)))));
}

#[test]
fn waiting_can_be_stopped() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let waiting = world.command(Command::Dequeue {
        queue: orders,
        max: 1,
        lease_ms: None,
        wait_ms: 60_000,
    });
    world.engine.handle_command(
        ackbox_core::time::Timestamp(world.now),
        Ticket(waiting),
        Command::StopWaiting,
    );
    world.run();
    assert!(matches!(world.answer(waiting), Some(Ok(Answer::Value(0)))));
    world.enqueue(orders, "x");
    assert!(world.deliveries.is_empty());
    assert_eq!(world.engine.poll_timeout(), None);
}

#[test]
fn waiting_dequeues_are_served_in_order() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let wait = |world: &mut World| {
        world.command(Command::Dequeue {
            queue: orders,
            max: 1,
            lease_ms: None,
            wait_ms: 1000,
        })
    };
    let (first, second) = (wait(&mut world), wait(&mut world));
    world.enqueue(orders, "a");
    world.enqueue(orders, "b");
    let to: Vec<_> = world
        .deliveries
        .iter()
        .map(|delivery| delivery.to)
        .collect();
    assert_eq!(
        to,
        [
            Recipient::Dequeue(Ticket(first)),
            Recipient::Dequeue(Ticket(second))
        ]
    );
}

#[test]
fn a_message_cancelled_before_its_hand_out_leaves_the_wait_open() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let waiting = world.command(Command::Dequeue {
        queue: orders,
        max: 1,
        lease_ms: None,
        wait_ms: 1000,
    });
    world.hold_appends = true;
    world.command(Command::Enqueue(Enqueue {
        id: Some("a"),
        ..crate::support::message(orders, "a")
    }));
    world
        .request(Request::Cancel {
            queue: orders,
            id: "a".into(),
        })
        .unwrap();
    world.land();
    world.land();
    assert!(world.answer(waiting).is_none() && world.deliveries.is_empty());
    world.hold_appends = false;
    world.enqueue(orders, "b");
    assert_eq!(world.delivered(), ["b"]);
    assert!(matches!(world.answer(waiting), Some(Ok(Answer::Value(1)))));
}

#[test]
fn a_queue_that_does_not_exist_is_refused() {
    let mut world = World::new();
    let ticket = world.command(Command::Dequeue {
        queue: QueueId(3),
        max: 1,
        lease_ms: None,
        wait_ms: 0,
    });
    assert_eq!(
        world.answer(ticket).unwrap().unwrap_err().code,
        ErrorCode::InvalidOption
    );
}
