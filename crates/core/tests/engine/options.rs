//! Options of a queue: what is named applies and survives, what is not named changes nothing, and what
//! changes is told with both values.

use ackbox_core::command::*;
use ackbox_core::config::{DeadOptions, DedupOptions, QueueOptions};
use ackbox_core::effect::{Defined, Object};
use ackbox_core::policy::backoff::{Backoff, Jitter};
use serde_json::{Value, json};

use crate::support::{World, message};

fn define(world: &mut World, options: QueueOptions) -> Defined {
    let name = "orders".to_owned();
    match world.at_once(Request::DefineQueue { name, options }) {
        Object::Defined(defined) => defined,
        other => panic!("expected a definition, got {other:?}"),
    }
}

fn changes(defined: &Defined) -> Value {
    serde_json::to_value(&defined.changed).unwrap()
}

fn first() -> QueueOptions {
    QueueOptions {
        max_attempts: Some(3),
        max_bytes: Some(500),
        backoff: Some(Backoff::Constant {
            ms: 5,
            jitter: Jitter::None,
        }),
        dedup: Some(DedupOptions {
            window_ms: Some(1000),
            ..DedupOptions::default()
        }),
        ..QueueOptions::default()
    }
}

#[test]
fn a_change_is_told_with_the_old_value_and_the_new_one() {
    let mut world = World::new();
    let created = define(&mut world, first());
    assert!(created.created && created.changed.is_empty());
    for options in [first(), QueueOptions::default()] {
        let defined = define(&mut world, options);
        assert!(!defined.created);
        assert_eq!(changes(&defined), json!([]), "nothing else was named");
    }
    let newer = QueueOptions {
        max_attempts: Some(4),
        max_depth: Some(10_000_000),
        dedup: Some(DedupOptions {
            max_entries: Some(7),
            window_ms: Some(1000),
            ..DedupOptions::default()
        }),
        dead: Some(DeadOptions {
            retain_ms: Some(60),
        }),
        backoff: Some(Backoff::Constant {
            ms: 6,
            jitter: Jitter::None,
        }),
        ..QueueOptions::default()
    };
    let expected = json!([
        { "option": "backoff",
          "from": { "kind": "constant", "ms": 5, "jitter": "none" },
          "to": { "kind": "constant", "ms": 6, "jitter": "none" } },
        { "option": "dead.retainMs", "to": 60 },
        { "option": "dedup.maxEntries", "from": 4_000_000, "to": 7 },
        { "option": "maxAttempts", "from": 3, "to": 4 },
    ]);
    let mut other = world.reopen();
    assert_eq!(changes(&define(&mut other, newer)), expected);
}

#[test]
fn what_was_named_is_told_apart_from_defaults() {
    let mut world = World::new();
    let named =
        |world: &mut World, options| serde_json::to_value(define(world, options).named).unwrap();
    assert_eq!(named(&mut world, QueueOptions::default()), json!({}));
    let first = QueueOptions {
        backoff: None,
        ..first()
    };
    let expected = json!({ "maxAttempts": 3, "dedup": { "windowMs": 1000 }, "maxBytes": 500 });
    assert_eq!(named(&mut world, first), expected);
    let mut world = world.reopen();
    assert_eq!(named(&mut world, QueueOptions::default()), expected);
}

#[test]
fn named_options_survive_and_those_of_an_undeclared_queue_go_on_applying() {
    let mut world = World::new();
    let options = QueueOptions {
        max_depth: Some(2),
        dead: Some(DeadOptions {
            retain_ms: Some(50),
        }),
        ..first()
    };
    let orders = define(&mut world, options).queue;
    let expiring = Enqueue {
        id: Some("expires"),
        ttl_ms: Some(100),
        ..message(orders, "x")
    };
    world.try_enqueue(expiring).unwrap();
    world.enqueue_id(orders, "done", "x");
    let delivery = world.dequeue(orders, 2).remove(1);
    world.ack(delivery.token);
    // Nobody declares the queue in this run: time passes for it all the same.
    let mut world = world.reopen();
    let counts = |world: &mut World| {
        let stats = world.stats(orders);
        (stats.ready, stats.dead_letters, stats.dedup_entries)
    };
    assert_eq!(counts(&mut world), (1, 0, 2));
    world.advance(101);
    assert_eq!(counts(&mut world), (0, 1, 2), "it expired");
    world.advance(50);
    assert_eq!(counts(&mut world), (0, 0, 1), "it was kept long enough");
    world.advance(900);
    assert_eq!(counts(&mut world), (0, 0, 0), "its window is over");
    assert!(world.deliveries.is_empty());
    let mut world = world.reopen();
    let defined = define(&mut world, QueueOptions::default());
    assert_eq!(defined.options.max_depth, Some(2));
    assert_eq!(defined.options.max_attempts, Some(3));
}

#[test]
fn what_is_in_force_tells_a_limit_of_bytes_only_where_there_is_one() {
    let mut world = World::new();
    let in_force = |world: &mut World, options| define(world, options).options.max_bytes;
    assert_eq!(in_force(&mut world, QueueOptions::default()), None);
    assert_eq!(in_force(&mut world, first()), Some(500));
}

#[test]
fn what_is_out_of_range_is_refused_with_the_range() {
    let mut world = World::new();
    for (options, expected) in [
        (
            QueueOptions {
                max_attempts: Some(0),
                ..QueueOptions::default()
            },
            "maxAttempts: expected 1 or more, got 0",
        ),
        (
            QueueOptions {
                max_body_bytes: Some(0),
                ..QueueOptions::default()
            },
            "maxBodyBytes: expected 1 to 8388608, got 0",
        ),
    ] {
        let name = "orders".to_owned();
        let refused = world.try_at_once(Request::DefineQueue { name, options });
        assert_eq!(refused.unwrap_err().message, expected);
    }
}

#[test]
fn a_hundred_years_are_the_longest_that_can_be_named() {
    let mut world = World::new();
    let most = 100 * 366 * 86_400_000;
    let retained = |retain_ms| QueueOptions {
        dead: Some(DeadOptions {
            retain_ms: Some(retain_ms),
        }),
        ..QueueOptions::default()
    };
    let name = || "orders".to_owned();
    let refused = world.try_at_once(Request::DefineQueue {
        name: name(),
        options: retained(most + 1),
    });
    assert_eq!(
        refused.unwrap_err().message,
        "dead.retainMs: expected 0 to 3162240000000, got 3162240000001"
    );
    let defined = define(&mut world, retained(most)).options.dead.unwrap();
    assert_eq!(defined.retain_ms, Some(most));
}
