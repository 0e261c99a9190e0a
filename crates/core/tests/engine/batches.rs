//! Batches: all of it or nothing. [S16]

use ackbox_core::command::*;
use ackbox_core::config::QueueOptions;
use ackbox_core::error::ErrorCode;

use crate::support::{World, message};

#[test]
fn a_batch_is_one_frame_with_one_receipt_an_item() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let before = world.appends;
    let ticket = world.command(Command::EnqueueMany(
        (0..500).map(|_| message(orders, "x")).collect(),
    ));
    assert_eq!(world.appends, before + 1);
    let receipts: Vec<u32> = world
        .receipts
        .iter()
        .filter(|receipt| receipt.0 == ticket)
        .map(|receipt| receipt.1)
        .collect();
    assert_eq!(receipts, (0..500).collect::<Vec<_>>());
}

#[test]
fn a_refused_item_takes_the_whole_batch_with_it() {
    let mut world = World::new();
    let orders = world.define(
        "orders",
        QueueOptions {
            max_depth: Some(3),
            ..QueueOptions::default()
        },
    );
    let item = |id: &'static str| Enqueue {
        id: Some(id),
        group: Some("g"),
        ..message(orders, "x")
    };
    world.try_enqueue(item("kept")).unwrap();
    let batches = [
        (
            vec![
                item("a"),
                item("kept"),
                Enqueue {
                    id: Some(""),
                    ..item("")
                },
            ],
            "item 2",
            ErrorCode::InvalidOption,
        ),
        (
            vec![item("a"), item("b"), item("c")],
            "item 2",
            ErrorCode::QueueFull,
        ),
        (
            vec![
                item("a"),
                Enqueue {
                    body: b"other",
                    ..item("kept")
                },
            ],
            "item 1",
            ErrorCode::IdConflict,
        ),
        (
            vec![
                item("a"),
                item("b"),
                Enqueue {
                    body: b"other",
                    ..item("a")
                },
            ],
            "item 2",
            ErrorCode::IdConflict,
        ),
    ];
    for (batch, place, code) in batches {
        let ticket = world.command(Command::EnqueueMany(batch));
        let refused = world.answer(ticket).unwrap().unwrap_err();
        assert_eq!(refused.code, code);
        assert!(refused.message.contains(place), "{}", refused.message);
        assert!(world.receipts.iter().all(|receipt| receipt.0 != ticket));
        assert_eq!(
            (world.stats(orders).ready, world.stats(orders).enqueued),
            (1, 1)
        );
        assert_eq!(world.stats(orders).dedup_entries, 1);
        world.audit();
    }
    let mut world = world.reopen();
    assert!(!world.enqueue_id(orders, "a", "free").0);
}

#[test]
fn a_batch_in_parts_becomes_what_it_does_as_a_whole() {
    let half = vec![b'x'; 4 << 20];
    let options = || QueueOptions {
        max_body_bytes: Some(8 << 20),
        max_depth: Some(6),
        ..QueueOptions::default()
    };
    let item = |id: &'static str| Enqueue {
        id: Some(id),
        group: Some("g"),
        ..message(QueueId(0), "x")
    };
    let large = Enqueue {
        body: &half,
        ..item("large")
    };
    let invalid = Enqueue {
        ttl_ms: Some(0),
        ..item("invalid")
    };
    let ids = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let cases = [
        ids[..5].iter().map(|id| item(id)).collect::<Vec<_>>(),
        vec![item("kept"), item("a"), item("a"), item("b")],
        vec![item("kept"); 3],
        vec![item("a"), item("b"), invalid, item("c"), item("d")],
        ids.iter().map(|id| item(id)).collect(),
        vec![large.clone(), Enqueue { id: None, ..large }, item("a")],
    ];
    for (number, items) in cases.into_iter().enumerate() {
        let seen: Vec<_> = [100, 3, 2, 1]
            .into_iter()
            .map(|size| {
                let mut world = World::new();
                let orders = world.define("orders", options());
                world.try_enqueue(item("kept")).unwrap();
                let ticket = world.batch_in_parts(&items, size);
                let refused = world
                    .answer(ticket)
                    .map(|answer| answer.unwrap_err().message);
                let receipts: Vec<_> = world
                    .receipts
                    .iter()
                    .filter(|receipt| receipt.0 == ticket)
                    .map(|receipt| (receipt.1, receipt.2, receipt.4.clone()))
                    .collect();
                world.audit();
                let ready = world.reopen().stats(orders).ready;
                (refused, receipts, ready)
            })
            .collect();
        let (refused, receipts, _) = &seen[0];
        assert_eq!(refused.is_none(), !receipts.is_empty(), "case {number}");
        assert!(
            seen.iter().all(|other| *other == seen[0]),
            "case {number}: {seen:?}"
        );
    }
}

#[test]
fn a_refused_first_batch_leaves_the_run_able_to_begin() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let mut world = world.reopen();
    let before = world.disk_bytes();
    let ticket = world.command(Command::EnqueueMany(vec![
        message(orders, "x"),
        Enqueue {
            id: Some(""),
            ..message(orders, "y")
        },
    ]));
    assert!(world.answer(ticket).unwrap().is_err());
    assert_eq!(world.disk_bytes(), before, "nothing was written");
    let id = world.enqueue(orders, "z");
    // Only a run whose beginning was journaled ends the leases of the one before and dates its ids.
    let mut world = world.reopen();
    world.enqueue(orders, "later");
    let mut world = world.reopen();
    assert!(world.enqueue_id(orders, &id, "z").0);
}
