//! Time that jumps. [S23]

use ackbox_core::command::*;
use ackbox_core::config::{Config, DedupOptions, QueueOptions, WhenFull};
use ackbox_core::effect::Notice;
use ackbox_core::time::Timestamp;

use crate::support::{T0, World, message};

const DAY: u64 = 86_400_000;

fn reopened_at(world: World, now: u64) -> World {
    World::open(world.crash(), now, Config::default()).expect("it opens")
}

#[test]
fn time_never_runs_backwards_within_a_run() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.advance(1000);
    world.now = T0;
    let (.., id) = world
        .try_enqueue(Enqueue {
            delay_ms: Some(10),
            ..message(orders, "x")
        })
        .unwrap();
    assert_eq!(
        world.get(orders, &id).unwrap().due_at,
        Some(Timestamp(T0 + 1010))
    );
}

#[test]
fn a_clock_set_back_between_runs_is_told_and_retries_wait_no_longer_than_they_may() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.advance(DAY);
    world.enqueue(orders, "retried");
    world
        .try_enqueue(Enqueue {
            at: Some(Timestamp(T0 + 2 * DAY)),
            ..message(orders, "at")
        })
        .unwrap();
    let delivery = world.dequeue(orders, 1).remove(0);
    world.reject(delivery.token);
    let mut world = reopened_at(world, T0);
    assert!(world.notices.iter().any(
        |notice| matches!(notice, Notice::Warning { message, .. } if message.contains("clock"))
    ));
    let scheduled = world.peek(orders, Some(MessageState::Scheduled));
    let due: Vec<_> = scheduled
        .iter()
        .map(|info| info.due_at.unwrap().0)
        .collect();
    assert!(
        (T0 + 299_000..=T0 + 300_000).contains(&due[0]),
        "the longest backoff is five minutes"
    );
    assert_eq!(due[1], T0 + 2 * DAY, "what was asked for stays");
    world.worker(orders, 9);
    world.advance(300_000);
    assert_eq!(world.delivered(), ["retried"]);
    world.value(Request::RetryNow {
        queue: orders,
        id: scheduled[1].id.clone(),
    });
    assert_eq!(world.delivered(), ["at"]);
}

#[test]
fn a_window_is_cut_when_the_clock_was_set_back() {
    let options = QueueOptions {
        dedup: Some(DedupOptions {
            window_ms: Some(1000),
            ..DedupOptions::default()
        }),
        ..QueueOptions::default()
    };
    let mut world = World::new();
    let orders = world.define("orders", options);
    world.worker(orders, 1);
    world.advance(DAY);
    world.enqueue_id(orders, "a", "x");
    world.work_off();
    let mut world = reopened_at(world, T0);
    assert!(world.enqueue_id(orders, "a", "x").0);
    world.advance(1000);
    assert!(!world.enqueue_id(orders, "a", "x").0);
}

#[test]
fn ids_that_a_clock_set_back_brings_back_push_no_other_out_of_a_full_index() {
    let options = QueueOptions {
        dedup: Some(DedupOptions {
            window_ms: Some(1000),
            max_entries: Some(3),
            when_full: Some(WhenFull::Reject),
            ..DedupOptions::default()
        }),
        ..QueueOptions::default()
    };
    let mut world = World::new();
    let orders = world.define("orders", options);
    world.advance(DAY);
    for id in ["late", "a", "b"] {
        world.enqueue_id(orders, id, "x");
    }
    let [_late, a, b] = &world.dequeue(orders, 3)[..] else {
        panic!("all three are delivered")
    };
    world.ack(a.token);
    world.ack(b.token);
    let mut world = reopened_at(world, T0);
    world.advance(1001);
    let late = world.dequeue(orders, 1).remove(0);
    world.ack(late.token);
    assert!(!world.enqueue_id(orders, "c", "x").0, "there is room");
    let now = world.now;
    let mut world = reopened_at(world, now);
    let known = world.enqueue_id(orders, "late", "x").0;
    assert!(known, "its window has just begun");
}

#[test]
fn a_clock_that_goes_on_is_not_warned_of() {
    let mut world = World::new();
    world.define("orders", QueueOptions::default());
    world.advance(5);
    let world = world.reopen();
    assert!(world.notices.is_empty());
}
