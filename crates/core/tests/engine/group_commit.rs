//! One append in flight; what happens meanwhile shares the next one.

use ackbox_core::command::*;
use ackbox_core::config::QueueOptions;
use ackbox_core::time::Timestamp;

use crate::support::{World, message};

#[test]
fn a_thousand_enqueues_behind_one_append_share_the_next() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let before = world.appends;
    world.hold_appends = true;
    world.command(Command::Enqueue(message(orders, "first")));
    for _ in 0..1000 {
        world.command(Command::Enqueue(message(orders, "x")));
    }
    assert_eq!(world.appends, before + 1);
    world.land();
    assert_eq!((world.appends, world.receipts.len()), (before + 2, 1));
    world.land();
    assert_eq!((world.appends, world.receipts.len()), (before + 2, 1001));
    assert!(world.held.is_none());
}

#[test]
fn inputs_of_one_step_share_an_append() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let before = world.appends;
    for _ in 0..1000 {
        let ticket = world.next_ticket();
        world.engine.handle_command(
            Timestamp(world.now),
            ticket,
            Command::Enqueue(message(orders, "x")),
        );
    }
    world.run();
    assert_eq!((world.appends, world.receipts.len()), (before + 1, 1000));
}

#[test]
fn a_frame_has_no_more_records_than_one_step_can_see_to() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let before = world.appends;
    for _ in 0..25_000 {
        let ticket = world.next_ticket();
        world.engine.handle_command(
            Timestamp(world.now),
            ticket,
            Command::Enqueue(message(orders, "x")),
        );
    }
    world.run();
    assert_eq!((world.appends, world.receipts.len()), (before + 3, 25_000));
}

#[test]
fn a_frame_does_not_grow_far_beyond_an_atomic_unit() {
    let mut world = World::new();
    let orders = world.define(
        "orders",
        QueueOptions {
            max_result_bytes: Some(1 << 20),
            ..QueueOptions::default()
        },
    );
    world.worker(orders, 40);
    // Results are kept for messages with an id of the caller's.
    let ids: Vec<String> = (0..40).map(|index| index.to_string()).collect();
    let items = ids.iter().map(|id| Enqueue {
        id: Some(id),
        ..message(orders, "x")
    });
    world.command(Command::EnqueueMany(items.collect()));
    let tokens: Vec<Token> = world
        .deliveries
        .drain(..)
        .map(|delivery| delivery.token)
        .collect();
    assert_eq!(tokens.len(), 40);
    world.hold_appends = true;
    let result = vec![b'r'; 1 << 20];
    let settle = |token| Settle {
        token,
        verdict: Verdict::Ack,
        returned: true,
        result: &result,
        error: b"",
    };
    for token in tokens {
        world.command(Command::Settle(settle(token)));
    }
    let mut largest = 0;
    while let Some((_, bytes)) = &world.held {
        largest = largest.max(bytes.len());
        world.land();
    }
    assert!(
        (4 << 20..6 << 20).contains(&largest),
        "a frame of {largest} bytes"
    );
    world.audit();
}
