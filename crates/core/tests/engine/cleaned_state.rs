//! What cleaning wrote again is what it was, whether or not the segment that it left is still there. [S19]

use ackbox_core::command::*;
use ackbox_core::config::{Config, GroupOnDead, QueueOptions};
use ackbox_core::policy::backoff::{Backoff, Jitter};

use crate::support::{Disk, World, body, message};

fn cold() -> Config {
    Config {
        segment_bytes: 4096,
        max_memory_bytes: 0,
        ..Config::default()
    }
}

fn at_once() -> QueueOptions {
    QueueOptions {
        backoff: Some(Backoff::Constant {
            ms: 10,
            jitter: Jitter::None,
        }),
        ..QueueOptions::default()
    }
}

/// Writes beside it until so many segments were cleaned.
fn churn(world: &mut World, segments: u64) {
    let queue = world.define("churned", QueueOptions::default());
    let filler = "f".repeat(500);
    let until = world.box_stats().cleaned_segments + segments;
    while world.box_stats().cleaned_segments < until {
        let (.., id) = world.try_enqueue(message(queue, &filler)).unwrap();
        world.value(Request::Cancel { queue, id });
    }
}

/// Moves all that lives, in one run and again in the next.
fn moved(mut world: World) -> World {
    for _ in 0..2 {
        churn(&mut world, 4);
        world.audit();
        world = world.reopen();
    }
    world
}

fn next(world: &mut World, queue: QueueId) -> Token {
    world.dequeue(queue, 1).remove(0).token
}

#[test]
fn how_long_a_message_may_be_retried_counts_from_its_first_delivery() {
    let mut world = World::with_config(cold());
    let options = QueueOptions {
        max_retry_ms: Some(10_000),
        backoff: Some(Backoff::Constant {
            ms: 4000,
            jitter: Jitter::None,
        }),
        ..QueueOptions::default()
    };
    let orders = world.define("orders", options);
    world.enqueue(orders, "x");
    world.advance(60_000);
    let token = next(&mut world, orders);
    world.reject(token);
    let mut world = moved(world);
    for is_dead in [false, true] {
        world.advance(4000);
        let token = next(&mut world, orders);
        world.reject(token);
        assert_eq!(world.dead(orders).len(), usize::from(is_dead));
    }
}

#[test]
fn a_redriven_message_keeps_its_place_and_has_no_deadline() {
    let mut world = World::with_config(cold());
    let orders = world.define("orders", QueueOptions::default());
    let short = Enqueue {
        ttl_ms: Some(10),
        ..message(orders, "redriven")
    };
    world.try_enqueue(short).unwrap();
    for text in ["1", "2"] {
        world.enqueue(orders, text);
    }
    world.advance(11);
    world.redrive(orders, DeadFilter::default());
    let mut world = moved(world);
    world.advance(1000);
    world.worker(orders, 1);
    assert_eq!(world.work_off(), ["1", "2", "redriven"]);
}

/// Messages in every state: of groups and of none, waiting, retried, in flight, dead, redriven.
fn everything() -> (World, QueueId) {
    let mut world = World::with_config(cold());
    let orders = world.define(
        "orders",
        QueueOptions {
            group_on_dead: Some(GroupOnDead::Block),
            max_attempts: Some(2),
            ..at_once()
        },
    );
    let put = |world: &mut World, id: &'static str, group: Option<&'static str>, priority| {
        let item = Enqueue {
            id: Some(id),
            group,
            priority,
            headers: b"h",
            ..message(orders, id)
        };
        world.try_enqueue(item).unwrap();
    };
    for (id, group) in [("dead", Some("d")), ("redriven", Some("r")), ("lone", None)] {
        put(&mut world, id, group, 9);
    }
    put(&mut world, "behind the dead", Some("d"), 0);
    put(&mut world, "behind the redriven", Some("r"), 0);
    for _ in 0..3 {
        let token = next(&mut world, orders);
        world
            .settle(token, Verdict::Dead(Reason::Permanent))
            .unwrap();
    }
    let ids = Some(vec!["redriven".to_owned(), "lone".to_owned()]);
    let filter = DeadFilter {
        ids,
        ..DeadFilter::default()
    };
    world.redrive(orders, filter);
    for (id, group) in [
        ("retried", Some("t")),
        ("running", Some("g")),
        ("free", None),
    ] {
        put(&mut world, id, group, 200);
    }
    for (id, group) in [("behind the retried", "t"), ("behind the running", "g")] {
        put(&mut world, id, Some(group), 0);
    }
    let token = next(&mut world, orders);
    world.reject(token);
    for _ in 0..2 {
        next(&mut world, orders);
    }
    for text in ["later", "latest"] {
        let item = Enqueue {
            delay_ms: Some(1000),
            ..message(orders, text)
        };
        world.try_enqueue(item).unwrap();
    }
    (world, orders)
}

/// All that can be seen and had of the queue of [`everything`], whose owner died.
fn seen(mut world: World, queue: QueueId) -> (Vec<String>, Vec<(String, u32)>) {
    world.advance(5);
    let mut shown = Vec::new();
    for state in [
        MessageState::Ready,
        MessageState::Scheduled,
        MessageState::Leased,
    ] {
        shown.extend(world.peek(queue, Some(state)));
    }
    shown.extend(world.dead(queue));
    let stats = world.stats(queue);
    let mut shown: Vec<String> = shown.iter().map(|info| format!("{info:?}")).collect();
    shown.push(format!(
        "{} bytes, {} ids, {} dead",
        stats.bytes, stats.dedup_entries, stats.dead_letters
    ));
    let mut had = Vec::new();
    let take = |world: &mut World, had: &mut Vec<_>| {
        world.advance(100_000);
        while let Some(delivery) = world.dequeue(queue, 1).pop() {
            had.push((body(&delivery), delivery.attempt));
            world.ack(delivery.token);
            world.advance(100_000);
        }
    };
    take(&mut world, &mut had);
    world.redrive(queue, DeadFilter::default());
    take(&mut world, &mut had);
    assert_eq!(world.box_stats().messages, 0);
    world.audit();
    (shown, had)
}

#[test]
fn a_crash_before_a_removal_leaves_what_one_behind_it_does() {
    for is_next_run in [false, true] {
        let (mut world, orders) = everything();
        if is_next_run {
            world = world.reopen();
        }
        let before = world.disk.clone();
        churn(&mut world, 4);
        let mut written = world.removed.clone();
        assert!(written.len() >= 4);
        written.extend(world.disk.clone());
        let (config, now) = (world.config.clone(), world.now);
        let open = |disk: Disk| World::open(disk, now, config.clone()).expect("it is sound");
        let expected = seen(open(before), orders);
        assert_eq!(expected.1.len(), 12, "nothing is lost: {:?}", expected.1);
        assert_eq!(seen(open(written), orders), expected, "before the removals");
        assert_eq!(seen(world.reopen(), orders), expected, "behind them");
    }
}
