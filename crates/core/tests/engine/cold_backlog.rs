//! Contents that are not kept in memory are read back. [A1 maxMemoryBytes]

use ackbox_core::command::*;
use ackbox_core::config::{Config, QueueOptions};

use crate::support::{World, body, message};

fn cold(max_memory_bytes: u64) -> World {
    World::with_config(Config {
        max_memory_bytes,
        ..Config::default()
    })
}

fn bodies(count: usize) -> Vec<String> {
    (0..count)
        .map(|index| format!("body {index:05} {}", "x".repeat(100)))
        .collect()
}

#[test]
fn a_backlog_larger_than_memory_is_delivered_whole_and_in_order() {
    for reopens in [false, true] {
        let mut world = cold(10_000);
        let orders = world.define("orders", QueueOptions::default());
        let bodies = bodies(3000);
        world.command(Command::EnqueueMany(
            bodies.iter().map(|body| message(orders, body)).collect(),
        ));
        if reopens {
            world = world.reopen();
        }
        assert!(
            world.box_stats().memory_bytes <= 10_000,
            "{} bytes in memory",
            world.box_stats().memory_bytes
        );
        world.worker(orders, 100);
        assert_eq!(world.work_off(), bodies);
        assert!(world.reads > 0);
        assert_eq!(world.box_stats().memory_bytes, 0);
    }
}

#[test]
fn neighbours_share_a_read() {
    let mut world = cold(0);
    let orders = world.define("orders", QueueOptions::default());
    let bodies = bodies(1000);
    world.command(Command::EnqueueMany(
        bodies.iter().map(|body| message(orders, body)).collect(),
    ));
    let before = world.reads;
    world.worker(orders, 500);
    assert_eq!(world.deliveries.len(), 500);
    assert_eq!(
        world.reads - before,
        1,
        "500 neighbours of 200 bytes are one read"
    );
}

#[test]
fn a_read_does_not_overtake_the_order_of_hand_out() {
    let mut world = cold(0);
    let orders = world.define("orders", QueueOptions::default());
    world.enqueue(orders, "cold");
    world.hold_reads = true;
    world.worker(orders, 2);
    world.enqueue(orders, "warm");
    assert!(
        world.deliveries.is_empty(),
        "the first one is still being read"
    );
    world.answer_reads();
    world.answer_reads();
    assert_eq!(world.delivered(), ["cold", "warm"]);
}

#[test]
fn what_is_shown_of_a_cold_backlog_is_read_back() {
    let mut world = cold(0);
    let orders = world.define(
        "orders",
        QueueOptions {
            max_attempts: Some(1),
            ..QueueOptions::default()
        },
    );
    world.worker(orders, 1);
    let item = Enqueue {
        id: Some("a"),
        headers: b"{\"h\":1}",
        ..message(orders, "dead body")
    };
    world.try_enqueue(item).unwrap();
    let delivery = world.delivery();
    world.reject(delivery.token);
    let ticket = world
        .request(Request::DeadPage {
            queue: orders,
            filter: DeadFilter::default(),
            after: None,
            limit: 10,
        })
        .unwrap();
    let shown = &world.bodies[&ticket][0];
    assert!(shown.1, "intact");
    assert_eq!(
        (shown.2.headers(), shown.2.body()),
        (&b"{\"h\":1}"[..], &b"dead body"[..])
    );
}

#[test]
fn a_message_cancelled_or_returned_while_it_is_read_leaves_no_trace() {
    for cancels in [true, false] {
        let mut world = cold(0);
        let orders = world.define("orders", QueueOptions::default());
        let (.., id) = world.enqueue_id(orders, "a", "cold");
        world.enqueue(orders, "next");
        world.hold_reads = true;
        let worker = world.worker(orders, 1);
        if cancels {
            world.value(Request::Cancel { queue: orders, id });
        } else {
            world.at_once(Request::PauseWorker { worker });
        }
        while !world.held_reads.is_empty() {
            world.answer_reads();
        }
        if cancels {
            assert_eq!(
                world.delivered(),
                ["next"],
                "the worker is free for the next"
            );
        } else {
            assert!(world.deliveries.is_empty());
            world.at_once(Request::ResumeWorker { worker });
            while !world.held_reads.is_empty() {
                world.answer_reads();
            }
            assert_eq!(body(&world.delivery()), "cold");
        }
    }
}
