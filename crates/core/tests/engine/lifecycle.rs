//! A message's life from enqueue to acknowledgement, over reopening.

use crate::support::{World, body};
use ackbox_core::command::*;
use ackbox_core::config::QueueOptions;

#[test]
fn a_message_is_delivered_and_acknowledged_once() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.enqueue(orders, "first");
    world.worker(orders, 1);
    let delivery = world.delivery();
    assert_eq!((body(&delivery).as_str(), delivery.attempt), ("first", 1));
    world.ack(delivery.token);
    let mut world = world.reopen();
    let orders = world.define("orders", QueueOptions::default());
    world.worker(orders, 1);
    assert!(
        world.deliveries.is_empty(),
        "acknowledged messages are gone"
    );
    assert_eq!(world.stats(orders).ready, 0);
}

#[test]
fn what_a_dead_owner_was_handling_is_delivered_again_as_the_next_attempt() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.enqueue(orders, "a");
    world.enqueue(orders, "b");
    world.worker(orders, 1);
    assert_eq!(world.delivery().attempt, 1);
    let mut world = world.reopen();
    let orders = world.define("orders", QueueOptions::default());
    world.worker(orders, 2);
    let suspect = world.delivery();
    assert_eq!((body(&suspect).as_str(), suspect.attempt), ("a", 2));
    assert!(world.deliveries.is_empty(), "a suspect runs alone");
    world.ack(suspect.token);
    assert_eq!(body(&world.delivery()), "b");
}

#[test]
fn a_failed_attempt_is_retried_after_its_backoff_until_it_dies() {
    let mut world = World::new();
    let orders = world.define(
        "orders",
        QueueOptions {
            max_attempts: Some(2),
            ..QueueOptions::default()
        },
    );
    world.enqueue_id(orders, "o-1", "x");
    world.worker(orders, 1);
    let first = world.delivery();
    world.reject(first.token);
    assert!(world.deliveries.is_empty(), "it waits for its backoff");
    world.advance(999);
    assert!(world.deliveries.is_empty(), "it waits for its backoff");
    world.advance(101);
    let second = world.delivery();
    assert_eq!(second.attempt, 2);
    world.reject(second.token);
    let dead = world.infos(Request::DeadPage {
        queue: orders,
        filter: DeadFilter::default(),
        after: None,
        limit: 10,
    });
    assert_eq!(dead.len(), 1);
    assert_eq!(
        (dead[0].id.as_str(), dead[0].reason),
        ("o-1", Some(Reason::Exhausted))
    );
    assert_eq!(dead[0].history.len(), 2);
    let mut world = world.reopen();
    let orders = world.define("orders", QueueOptions::default());
    let dead = world.infos(Request::Get {
        queue: orders,
        id: "o-1".to_owned(),
    });
    assert_eq!(
        (dead[0].state, dead[0].history.len()),
        (MessageState::Dead, 2)
    );
    world.worker(orders, 1);
    world.object(Request::Redrive {
        queue: orders,
        filter: DeadFilter::default(),
        to: None,
        per_second_milli: None,
        forget_steps: false,
    });
    let again = world.delivery();
    assert_eq!((again.attempt, again.id.as_str()), (1, "o-1"));
}

#[test]
fn a_message_is_known_over_reopening_by_the_box_and_its_number() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.enqueue_id(orders, "a", "x");
    let first = world.dequeue(orders, 1).remove(0);
    let box_id = world.report().box_id.clone();
    assert_eq!(box_id.len(), 32);
    let mut world = world.reopen();
    assert_eq!(world.report().box_id, box_id);
    let again = world.dequeue(orders, 1).remove(0);
    assert_eq!(again.number, first.number);
    world.ack(again.token);
    let id = "a".to_owned();
    world.value(Request::Forget { queue: orders, id });
    world.enqueue_id(orders, "a", "x");
    let other = world.dequeue(orders, 1).remove(0);
    assert_ne!(other.number, first.number, "another message of that id");
}
