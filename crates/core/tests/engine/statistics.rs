//! What a queue and a box tell of themselves.

use ackbox_core::command::*;
use ackbox_core::config::QueueOptions;
use ackbox_core::effect::Object;
use ackbox_core::policy::backoff::{Backoff, Jitter};

use crate::support::{World, message};

#[test]
fn counters_count_what_happened_since_the_opening() {
    let mut world = World::new();
    let orders = world.define(
        "orders",
        QueueOptions {
            max_attempts: Some(2),
            ..QueueOptions::default()
        },
    );
    world.enqueue_id(orders, "a", "12345");
    world.enqueue_id(orders, "a", "12345");
    world
        .try_enqueue(Enqueue {
            delay_ms: Some(99_999),
            ..message(orders, "later")
        })
        .unwrap();
    world
        .try_enqueue(Enqueue {
            ttl_ms: Some(1),
            delay_ms: Some(2),
            ..message(orders, "expires")
        })
        .unwrap();
    world.advance(2);
    world.worker(orders, 1);
    let first = world.delivery();
    world.reject(first.token);
    world.advance(1200);
    let second = world.delivery();
    world.reject(second.token);
    world.enqueue(orders, "b");
    world.work_off();
    let stats = world.stats(orders);
    assert_eq!(
        (stats.enqueued, stats.duplicates, stats.delivered),
        (4, 1, 3)
    );
    assert_eq!((stats.acked, stats.rejected, stats.retried), (1, 2, 1));
    assert_eq!((stats.dead, stats.expired, stats.leases_lost), (2, 1, 0));
    assert_eq!(
        (
            stats.ready,
            stats.scheduled,
            stats.leased,
            stats.dead_letters
        ),
        (0, 1, 0, 2)
    );
    assert_eq!(stats.bytes, 6 + 5 + 7);
    let mut world = world.reopen();
    let stats = world.stats(orders);
    assert_eq!((stats.enqueued, stats.acked, stats.dead), (0, 0, 0));
    assert_eq!(
        (stats.scheduled, stats.dead_letters, stats.bytes),
        (1, 2, 18)
    );
}

#[test]
fn waiting_and_handling_times_are_distributions() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    for wait in [10, 20, 1000] {
        world.enqueue(orders, "x");
        world.advance(wait);
        let worker = world.worker(orders, 1);
        let delivery = world.delivery();
        world.advance(5);
        world.ack(delivery.token);
        world.request(Request::CloseWorker { worker }).unwrap();
    }
    let stats = world.stats(orders);
    assert_eq!((stats.wait.count, stats.wait.sum_ms), (3, 1030));
    assert_eq!((stats.handle.count, stats.handle.sum_ms), (3, 15));
    assert!(
        (20..=30).contains(&stats.wait.p50_ms) && (1000..=1500).contains(&stats.wait.p99_ms),
        "{:?}",
        stats.wait
    );
    let counted: u64 = stats.wait.buckets.iter().map(|bucket| bucket.count).sum();
    assert_eq!(counted, 3);
}

#[test]
fn waiting_counts_from_when_a_message_could_be_delivered() {
    let mut world = World::new();
    let options = QueueOptions {
        backoff: Some(Backoff::Constant {
            ms: 5000,
            jitter: Jitter::None,
        }),
        ..QueueOptions::default()
    };
    let orders = world.define("orders", options);
    world
        .try_enqueue(Enqueue {
            delay_ms: Some(1000),
            ..message(orders, "x")
        })
        .unwrap();
    world.advance(1007);
    let delivery = world.dequeue(orders, 1).remove(0);
    assert_eq!(world.stats(orders).wait.sum_ms, 7);
    world.reject(delivery.token);
    world.advance(5003);
    world.dequeue(orders, 1);
    let wait = world.stats(orders).wait;
    assert_eq!((wait.count, wait.sum_ms), (2, 10));
}

#[test]
fn oldest_ready_counts_from_when_a_message_fell_due() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    assert_eq!(world.stats(orders).oldest_ready_ms, None);
    world
        .try_enqueue(Enqueue {
            delay_ms: Some(100),
            ..message(orders, "x")
        })
        .unwrap();
    world.advance(150);
    assert_eq!(world.stats(orders).oldest_ready_ms, Some(50));
}

#[test]
fn a_box_adds_up_its_queues() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let mails = world.define("mails", QueueOptions::default());
    world.enqueue(orders, "x");
    world
        .try_enqueue(Enqueue {
            ttl_ms: Some(1),
            ..message(mails, "y")
        })
        .unwrap();
    world.advance(2);
    world.worker(orders, 1);
    let stats = world.box_stats();
    assert_eq!(
        (
            stats.queues,
            stats.messages,
            stats.dead_letters,
            stats.running
        ),
        (2, 1, 1, 1)
    );
    assert_eq!(stats.journal_bytes, world.disk_bytes());
    let Object::Queues(lines) = world.at_once(Request::Queues {}) else {
        panic!("expected queues")
    };
    let lines: Vec<_> = lines
        .iter()
        .map(|line| (line.name.as_str(), line.depth, line.dead_letters))
        .collect();
    assert_eq!(lines, [("orders", 1, 0), ("mails", 1, 1)]);
}
