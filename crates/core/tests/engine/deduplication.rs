//! Ids that callers give: known while their message lives and for a window after it finished. [S10]

use ackbox_core::command::*;
use ackbox_core::config::{Compare, Config, DedupOptions, Guarantee, QueueOptions, WhenFull};
use ackbox_core::effect::{EventKind, Notice};
use ackbox_core::error::ErrorCode;
use ackbox_core::time::Timestamp;

use crate::support::{World, message};

const WINDOW: u64 = 10_000;

fn options(dedup: DedupOptions) -> QueueOptions {
    QueueOptions {
        dedup: Some(dedup),
        max_attempts: Some(1),
        ..QueueOptions::default()
    }
}

fn windowed() -> QueueOptions {
    options(DedupOptions {
        window_ms: Some(WINDOW),
        ..DedupOptions::default()
    })
}

fn world_with(options: QueueOptions) -> (World, QueueId) {
    let mut world = World::new();
    let orders = world.define("orders", options);
    world.worker(orders, 1);
    (world, orders)
}

#[test]
fn an_id_that_is_enqueued_again_is_a_duplicate_in_its_originals_state() {
    let (mut world, orders) = world_with(windowed());
    world.listen(orders);
    assert_eq!(
        world.enqueue_id(orders, "a", "x"),
        (false, MessageState::Ready, "a".into())
    );
    assert_eq!(
        world.enqueue_id(orders, "a", "x"),
        (true, MessageState::Leased, "a".into())
    );
    let delivery = world.delivery();
    world.ack(delivery.token);
    assert_eq!(
        world.enqueue_id(orders, "a", "x"),
        (true, MessageState::Completed, "a".into())
    );
    world.audit();
    let mut world = world.reopen();
    assert_eq!(
        world.enqueue_id(orders, "a", "x").1,
        MessageState::Completed
    );
    assert_eq!(world.stats(orders).duplicates, 1);
    assert_eq!(world.stats(orders).enqueued, 0);
}

#[test]
fn the_window_begins_when_the_message_finishes() {
    for reopens in [false, true] {
        let (mut world, orders) = world_with(windowed());
        world.enqueue_id(orders, "a", "x");
        world.advance(3 * WINDOW);
        let delivery = world.delivery();
        world.ack(delivery.token);
        world.advance(WINDOW - 1);
        if reopens {
            world = world.reopen();
        }
        assert!(world.enqueue_id(orders, "a", "x").0);
        world.advance(1);
        assert_eq!(world.stats(orders).dedup_entries, 0, "forgotten by time");
        assert!(!world.enqueue_id(orders, "a", "x").0);
    }
}

#[test]
fn without_a_window_an_id_is_free_when_its_message_finished() {
    let (mut world, orders) = world_with(options(DedupOptions {
        window_ms: Some(0),
        ..DedupOptions::default()
    }));
    world.enqueue_id(orders, "a", "x");
    assert!(world.enqueue_id(orders, "a", "x").0);
    let delivery = world.delivery();
    world.ack(delivery.token);
    assert!(!world.enqueue_id(orders, "a", "x").0);
    world.audit();
}

#[test]
fn another_body_is_a_conflict_unless_only_ids_are_compared() {
    let (mut world, orders) = world_with(windowed());
    world.enqueue_id(orders, "a", "x");
    let conflict = |world: &mut World| {
        world
            .try_enqueue(Enqueue {
                id: Some("a"),
                ..message(orders, "y")
            })
            .unwrap_err()
    };
    let refused = conflict(&mut world);
    assert_eq!(
        (refused.code, refused.id.as_deref()),
        (ErrorCode::IdConflict, Some("a"))
    );
    let delivery = world.delivery();
    world.ack(delivery.token);
    let mut world = world.reopen();
    assert_eq!(conflict(&mut world).code, ErrorCode::IdConflict);
    world.define(
        "orders",
        options(DedupOptions {
            compare: Some(Compare::Id),
            ..DedupOptions::default()
        }),
    );
    assert!(world.enqueue_id(orders, "a", "z").0);
}

#[test]
fn each_queue_has_its_own_ids() {
    let (mut world, orders) = world_with(windowed());
    let mails = world.define("mails", windowed());
    world.enqueue_id(orders, "a", "x");
    assert!(!world.enqueue_id(mails, "a", "y").0);
    world.audit();
}

#[test]
fn cancel_removal_purge_and_forget_free_an_id_durably() {
    type Freeing = fn(&mut World, QueueId);
    let ways: [(&str, Freeing); 4] = [
        ("cancel", |world, queue| {
            assert_eq!(
                world.value(Request::Cancel {
                    queue,
                    id: "a".into()
                }),
                1
            );
        }),
        ("purge", |world, queue| {
            assert_eq!(world.value(Request::Purge { queue }), 1)
        }),
        ("forget", |world, queue| {
            let token = world.dequeue(queue, 1)[0].token;
            world.ack(token);
            assert_eq!(
                world.value(Request::Forget {
                    queue,
                    id: "a".into()
                }),
                1
            );
            assert_eq!(
                world.value(Request::Forget {
                    queue,
                    id: "a".into()
                }),
                0
            );
        }),
        ("remove", |world, queue| {
            world.advance(10);
            let filter = DeadFilter::default();
            assert_eq!(world.value(Request::RemoveDead { queue, filter }), 1);
        }),
    ];
    for (name, free) in ways {
        for reopens in [false, true] {
            let mut world = World::new();
            let orders = world.define("orders", windowed());
            let ttl_ms = (name == "remove").then_some(5);
            world
                .try_enqueue(Enqueue {
                    id: Some("a"),
                    ttl_ms,
                    ..message(orders, "x")
                })
                .unwrap();
            free(&mut world, orders);
            world.audit();
            if reopens {
                world = world.reopen();
            }
            assert!(!world.enqueue_id(orders, "a", "another").0, "{name}");
            world.audit();
        }
    }
}

#[test]
fn forgetting_the_id_of_a_finished_message_frees_it() {
    let (mut world, orders) = world_with(windowed());
    world.enqueue_id(orders, "a", "x");
    let delivery = world.delivery();
    world.ack(delivery.token);
    assert_eq!(
        world.value(Request::Forget {
            queue: orders,
            id: "a".into()
        }),
        1
    );
    let mut world = world.reopen();
    assert!(!world.enqueue_id(orders, "a", "y").0);
}

/// Whether a forgetting of "a" freed its id.
fn forgets(world: &mut World, queue: QueueId) -> bool {
    let id = "a".into();
    world.value(Request::Forget { queue, id }) == 1
}

#[test]
fn the_id_of_an_unfinished_or_dead_message_cannot_be_forgotten() {
    for guarantee in [Guarantee::AtLeastOnce, Guarantee::ExactlyOnce] {
        let mut world = World::new();
        let options = QueueOptions {
            guarantee: Some(guarantee),
            ..windowed()
        };
        let orders = world.define("orders", options);
        let later = Enqueue {
            id: Some("a"),
            delay_ms: Some(10),
            ..message(orders, "x")
        };
        world.try_enqueue(later).unwrap();
        assert!(!forgets(&mut world, orders), "scheduled");
        world.advance(10);
        assert!(!forgets(&mut world, orders), "ready");
        let token = world.dequeue(orders, 1)[0].token;
        assert!(!forgets(&mut world, orders), "leased");
        assert_eq!(
            world.enqueue_id(orders, "a", "x").1,
            MessageState::Leased,
            "no second one runs beside it"
        );
        world
            .settle(token, Verdict::Dead(Reason::Permanent))
            .unwrap();
        assert!(!forgets(&mut world, orders), "dead");
        assert_eq!(world.state(orders, "a"), Some(MessageState::Dead));
        let mut world = world.reopen();
        assert!(!forgets(&mut world, orders), "dead in another run");
        world.redrive(orders, DeadFilter::default());
        let token = world.dequeue(orders, 1)[0].token;
        world.ack(token);
        assert!(forgets(&mut world, orders), "finished");
        assert!(!world.enqueue_id(orders, "a", "another").0);
        world.audit();
    }
}

#[test]
fn a_dead_letter_keeps_its_id_until_it_completes() {
    let (mut world, orders) = world_with(windowed());
    world.enqueue_id(orders, "a", "x");
    let delivery = world.delivery();
    world.reject(delivery.token);
    world.advance(10 * WINDOW);
    assert_eq!(world.enqueue_id(orders, "a", "x").1, MessageState::Dead);
    let mut world = world.reopen();
    world.worker(orders, 1);
    assert!(world.enqueue_id(orders, "a", "x").0);
    world.redrive(orders, DeadFilter::default());
    let delivery = world.delivery();
    world.ack(delivery.token);
    world.advance(WINDOW - 1);
    assert_eq!(
        world.enqueue_id(orders, "a", "x").1,
        MessageState::Completed
    );
    world.advance(1);
    assert!(!world.enqueue_id(orders, "a", "x").0);
}

#[test]
fn an_index_that_is_full_rejects_or_shortens() {
    let full = |when_full, guarantee| QueueOptions {
        guarantee: Some(guarantee),
        dedup: Some(DedupOptions {
            window_ms: Some(WINDOW),
            max_entries: Some(3),
            when_full,
            ..DedupOptions::default()
        }),
        ..QueueOptions::default()
    };
    let (mut world, orders) = world_with(full(None, Guarantee::ExactlyOnce));
    for id in ["a", "b", "c"] {
        world.enqueue_id(orders, id, id);
    }
    let refused = world
        .try_enqueue(Enqueue {
            id: Some("d"),
            ..message(orders, "d")
        })
        .unwrap_err();
    assert_eq!(refused.code, ErrorCode::DedupFull);
    assert!(
        world.enqueue_id(orders, "a", "a").0,
        "known ids are still known"
    );
    world.work_off();
    let ended = world.try_enqueue(Enqueue {
        id: Some("d"),
        ..message(orders, "d")
    });
    assert_eq!(ended.unwrap_err().code, ErrorCode::DedupFull);
    assert!(world.enqueue_id(orders, "a", "a").0, "those that ended too");

    let (mut world, orders) = world_with(full(None, Guarantee::AtLeastOnce));
    for (id, forgotten) in [
        ("a", false),
        ("b", false),
        ("c", false),
        ("d", true),
        ("e", true),
    ] {
        world.enqueue_id(orders, id, id);
        world.work_off();
        world.advance(100);
        let warnings = world
            .notices
            .iter()
            .filter(|notice| matches!(notice, Notice::Warning { .. }))
            .count();
        assert_eq!(warnings, usize::from(forgotten), "it warns once");
    }
    let stats = world.stats(orders);
    assert_eq!((stats.dedup_entries, stats.dedup_window_ms), (3, Some(300)));
    assert_eq!(
        world.state(orders, "b"),
        None,
        "the earliest finished were forgotten"
    );
    assert_eq!(world.state(orders, "c"), Some(MessageState::Completed));
    world.audit();
    world.advance(WINDOW - 301);
    assert_eq!(world.stats(orders).dedup_window_ms, Some(WINDOW - 1));
    world.advance(1);
    assert_eq!(world.stats(orders).dedup_window_ms, None, "it has grown");

    let (mut world, orders) = world_with(full(Some(WhenFull::Shorten), Guarantee::AtLeastOnce));
    for id in ["a", "b", "c"] {
        world.enqueue_id(orders, id, id);
    }
    let refused = world
        .try_enqueue(Enqueue {
            id: Some("d"),
            ..message(orders, "d")
        })
        .unwrap_err();
    assert_eq!(
        refused.code,
        ErrorCode::DedupFull,
        "ids of unfinished messages are never forgotten"
    );
}

/// A full index, all of whose messages have finished, and whose windows passed while the process slept:
/// the next call comes before any timer was looked at.
fn full_and_slept(guarantee: Guarantee) -> (World, QueueId) {
    let (mut world, orders) = world_with(QueueOptions {
        guarantee: Some(guarantee),
        dedup: Some(DedupOptions {
            window_ms: Some(WINDOW),
            max_entries: Some(2),
            ..DedupOptions::default()
        }),
        ..QueueOptions::default()
    });
    for id in ["a", "b"] {
        world.enqueue_id(orders, id, id);
    }
    world.work_off();
    world.now += WINDOW;
    (world, orders)
}

#[test]
fn an_id_whose_window_passed_during_a_sleep_is_free_at_once() {
    let (mut world, orders) = full_and_slept(Guarantee::ExactlyOnce);
    assert!(!world.enqueue_id(orders, "a", "another").0);
    assert_eq!(world.delivered(), ["another"]);
    world.audit();
}

#[test]
fn ids_whose_windows_are_over_make_room_before_others_are_refused_or_forgotten() {
    for guarantee in [Guarantee::ExactlyOnce, Guarantee::AtLeastOnce] {
        let (mut world, orders) = full_and_slept(guarantee);
        assert!(!world.enqueue_id(orders, "c", "c").0, "{guarantee:?}");
        assert!(world.notices.is_empty(), "nothing was forgotten early");
        assert_eq!(world.stats(orders).dedup_window_ms, None, "not shortened");
        world.audit();
    }
}

#[test]
fn an_index_that_rejects_keeps_every_id_when_its_limit_is_lowered() {
    let limited = |max_entries| {
        options(DedupOptions {
            window_ms: Some(WINDOW),
            max_entries: Some(max_entries),
            when_full: Some(WhenFull::Reject),
            ..DedupOptions::default()
        })
    };
    let (mut world, orders) = world_with(limited(3));
    for id in ["a", "b", "c"] {
        world.enqueue_id(orders, id, id);
    }
    world.work_off();
    world.define("orders", limited(1));
    let mut world = world.reopen();
    for id in ["a", "b", "c"] {
        assert!(world.enqueue_id(orders, id, id).0, "{id} is in its window");
    }
    let refused = world.try_enqueue(Enqueue {
        id: Some("d"),
        ..message(orders, "d")
    });
    assert_eq!(refused.unwrap_err().code, ErrorCode::DedupFull);
    world.advance(WINDOW);
    assert!(!world.enqueue_id(orders, "d", "d").0);
    world.audit();
}

#[test]
fn messages_without_a_callers_id_are_not_in_the_index() {
    let (mut world, orders) = world_with(windowed());
    let first = world.enqueue(orders, "same");
    let second = world.enqueue(orders, "same");
    assert!(
        first < second,
        "generated ids sort in the order of enqueueing"
    );
    assert_eq!(world.stats(orders).dedup_entries, 0);
}

#[test]
fn the_same_id_twice_in_one_batch_is_a_duplicate_of_the_first() {
    let (mut world, orders) = world_with(windowed());
    let item = || Enqueue {
        id: Some("a"),
        ..message(orders, "x")
    };
    let ticket = world.command(Command::EnqueueMany(vec![
        item(),
        message(orders, "y"),
        item(),
    ]));
    let receipts: Vec<_> = world
        .receipts
        .iter()
        .filter(|receipt| receipt.0 == ticket)
        .collect();
    assert_eq!(
        receipts
            .iter()
            .map(|receipt| (receipt.1, receipt.2))
            .collect::<Vec<_>>(),
        [(0, false), (1, false), (2, true)]
    );
    assert_eq!(world.box_stats().messages, 2);
}

#[test]
fn exactly_once_needs_an_id_of_the_callers() {
    let exactly_once = QueueOptions {
        guarantee: Some(Guarantee::ExactlyOnce),
        ..QueueOptions::default()
    };
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.enqueue(orders, "x");
    let switch = Request::DefineQueue {
        name: "orders".into(),
        options: exactly_once,
    };
    let refused = world.try_at_once(switch.clone()).unwrap_err();
    assert_eq!(
        refused.code,
        ErrorCode::IdRequired,
        "a message without an id is unfinished"
    );
    world.value(Request::Purge { queue: orders });
    world.try_at_once(switch).unwrap();
    assert_eq!(
        world.try_enqueue(message(orders, "x")).unwrap_err().code,
        ErrorCode::IdRequired
    );
    assert!(!world.enqueue_id(orders, "a", "x").0);
}

#[test]
fn a_duplicate_is_told_as_an_event() {
    let (mut world, orders) = world_with(windowed());
    world.listen(orders);
    world.enqueue_id(orders, "a", "x");
    world.enqueue_id(orders, "a", "x");
    let told: Vec<_> = world
        .events_of(EventKind::Duplicate)
        .iter()
        .map(|event| event.id.clone())
        .collect();
    assert_eq!(told, ["a"]);
    assert_eq!(world.events_of(EventKind::Enqueued).len(), 1);
}

/// Looks at a message that finished with its second attempt.
fn expect_finished(world: &mut World, queue: QueueId, finished_at: u64) {
    let info = world.get(queue, "a").expect("it is remembered");
    assert_eq!(info.state, MessageState::Completed);
    assert_eq!(info.attempt, Some(2));
    assert_eq!(info.finished_at, Some(Timestamp(finished_at)));
    assert_eq!(
        (info.enqueued_at, info.priority),
        (None, None),
        "what is not kept is not told"
    );
}

#[test]
fn a_finished_message_tells_its_end_and_its_last_attempt() {
    let config = Config {
        segment_bytes: 4096,
        ..Config::default()
    };
    let mut world = World::with_config(config);
    let orders = world.define("orders", QueueOptions::default());
    world.worker(orders, 1);
    world.enqueue_id(orders, "a", "x");
    let first = world.delivery();
    world.reject(first.token);
    world.advance(10_000);
    let second = world.delivery();
    let finished_at = world.now;
    world
        .settle_with(second.token, Verdict::Ack, true, b"done", b"")
        .expect("acknowledged");
    expect_finished(&mut world, orders, finished_at);
    let mut world = world.reopen();
    expect_finished(&mut world, orders, finished_at);
    world.worker(orders, 1);
    let body = "b".repeat(1000);
    while world.box_stats().cleaned_segments < 5 {
        world.enqueue(orders, &body);
        world.work_off();
    }
    expect_finished(&mut world, orders, finished_at);
    let mut world = world.reopen();
    expect_finished(&mut world, orders, finished_at);
}
