//! Messages that waited in the host's inbox: ids that the host made for them, and when they were enqueued. [A2 stored, A2 id]

use ackbox_core::command::*;
use ackbox_core::config::{Config, DedupOptions, Guarantee, QueueOptions};
use ackbox_core::error::ErrorCode;
use ackbox_core::time::Timestamp;

use crate::support::{World, message};

/// Moves one message in whose id the host made.
fn move_in(world: &mut World, queue: QueueId, key: u64, id: &str, body: &str) -> u64 {
    world.command(Command::Move(Move {
        after: key - 1,
        key,
        refused: None,
        enqueues: vec![Enqueue {
            id: Some(id),
            has_host_id: true,
            ..message(queue, body)
        }],
    }))
}

fn work_off(world: &mut World, queue: QueueId) {
    for delivery in world.dequeue(queue, 100) {
        world.ack(delivery.token);
    }
}

fn limited() -> QueueOptions {
    QueueOptions {
        dedup: Some(DedupOptions {
            max_entries: Some(2),
            ..DedupOptions::default()
        }),
        ..QueueOptions::default()
    }
}

#[test]
fn they_crowd_out_no_id_of_a_caller() {
    let config = Config {
        segment_bytes: 4 << 10,
        ..Config::default()
    };
    let mut world = World::with_config(config);
    let orders = world.define("orders", limited());
    world.enqueue_id(orders, "order-1", "x");
    work_off(&mut world, orders);
    for key in 1..=5 {
        move_in(&mut world, orders, key, &format!("made-{key}"), "x");
        if key % 2 == 0 {
            world = world.reopen();
            world.define("orders", QueueOptions::default());
        }
    }
    let stats = world.stats(orders);
    assert_eq!((stats.ready, stats.dedup_entries), (5, 1));
    assert!(world.enqueue_id(orders, "made-3", "another").0, "it lives");
    work_off(&mut world, orders);
    assert!(world.enqueue_id(orders, "order-1", "x").0, "a duplicate");
    for _ in 0..100 {
        world.enqueue(orders, "something else, so that segments are cleaned");
        work_off(&mut world, orders);
    }
    let mut world = world.reopen();
    let orders = world.define("orders", QueueOptions::default());
    assert_eq!(world.stats(orders).dedup_entries, 1);
    assert!(world.enqueue_id(orders, "order-1", "x").0, "a duplicate");
    assert!(
        !world.enqueue_id(orders, "made-3", "x").0,
        "nothing remembers what has ended"
    );
}

#[test]
fn they_are_no_ids_for_an_exactly_once_queue() {
    let exactly_once = QueueOptions {
        guarantee: Some(Guarantee::ExactlyOnce),
        ..QueueOptions::default()
    };
    let mut world = World::new();
    let orders = world.define("orders", exactly_once.clone());
    let ticket = move_in(&mut world, orders, 1, "made", "x");
    let refused = world.replies.remove(&ticket).expect("answered");
    assert_eq!(refused.unwrap_err().code, ErrorCode::IdRequired);
    let others = world.define("others", QueueOptions::default());
    move_in(&mut world, others, 1, "made", "x");
    let switch = |world: &mut World| {
        world.try_at_once(Request::DefineQueue {
            name: "others".to_owned(),
            options: exactly_once.clone(),
        })
    };
    let refused = switch(&mut world).unwrap_err();
    assert_eq!(refused.code, ErrorCode::IdRequired);
    work_off(&mut world, others);
    switch(&mut world).expect("nothing is left that has no id of a caller");
}

#[test]
fn a_dead_letter_keeps_its_own_and_goes_to_another_queue_under_it() {
    let mut world = World::new();
    let orders = world.define(
        "orders",
        QueueOptions {
            max_attempts: Some(1),
            ..limited()
        },
    );
    let others = world.define("others", QueueOptions::default());
    move_in(&mut world, orders, 1, "made", "x");
    let delivery = world.dequeue(orders, 1).pop().expect("one");
    world.reject(delivery.token);
    let mut world = world.reopen();
    let (orders, _) = (
        world.define("orders", QueueOptions::default()),
        world.define("others", QueueOptions::default()),
    );
    assert!(world.enqueue_id(orders, "made", "y").0, "it is taken");
    world.object(Request::Redrive {
        queue: orders,
        filter: DeadFilter::default(),
        to: Some("others".to_owned()),
        per_second_milli: None,
        forget_steps: false,
    });
    assert!(!world.enqueue_id(orders, "made", "y").0, "it is free");
    assert!(world.enqueue_id(others, "made", "y").0, "it is taken there");
}

#[test]
fn they_are_as_old_as_the_host_says_but_never_from_the_future() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let now = world.now;
    for (key, at) in [(1, now - 5_000), (2, now + 5_000)] {
        world.command(Command::Move(Move {
            after: key - 1,
            key,
            refused: None,
            enqueues: vec![Enqueue {
                enqueued_at: Some(Timestamp(at)),
                ..message(orders, "x")
            }],
        }));
    }
    let mut world = world.reopen();
    let peeked = world.infos(Request::Peek {
        queue: orders,
        state: None,
        limit: 10,
    });
    let ages: Vec<_> = peeked.iter().map(|info| info.enqueued_at).collect();
    assert_eq!(ages, [Some(Timestamp(now - 5_000)), Some(Timestamp(now))]);
}
