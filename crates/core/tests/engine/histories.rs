//! Histories of completed messages: shown within their window and limit, over crashes and cleaning. [A2 history]

use ackbox_core::command::*;
use ackbox_core::config::{Config, DedupOptions, HistoryOptions, QueueOptions};
use ackbox_core::error::ErrorCode;
use ackbox_core::policy::backoff::{Backoff, Jitter};

use crate::support::{World, message};

const WINDOW: u64 = 5000;

fn options(max_entries: u64) -> QueueOptions {
    QueueOptions {
        backoff: Some(Backoff::Constant {
            ms: 10,
            jitter: Jitter::None,
        }),
        history: Some(HistoryOptions {
            window_ms: Some(WINDOW),
            max_entries: Some(max_entries),
        }),
        ..QueueOptions::default()
    }
}

/// Completes a message after it failed so often.
fn complete(world: &mut World, queue: QueueId, id: &str, failures: u32) {
    world.enqueue_id(queue, id, "x");
    for _ in 0..failures {
        let token = world.dequeue(queue, 1).remove(0).token;
        world.reject(token);
        world.advance(10);
    }
    let token = world.dequeue(queue, 1).remove(0).token;
    world
        .settle_with(token, Verdict::Ack, true, b"result", b"")
        .unwrap();
}

/// The attempts that are shown of a completed message.
fn attempts(world: &mut World, queue: QueueId, id: &str) -> Vec<u32> {
    let info = world.get(queue, id).expect("it is remembered");
    assert_eq!(info.state, MessageState::Completed);
    info.history.iter().map(|past| past.attempt).collect()
}

#[test]
fn failed_attempts_of_a_completed_message_are_shown_within_the_window() {
    let mut world = World::new();
    let orders = world.define("orders", options(100));
    complete(&mut world, orders, "a", 2);
    complete(&mut world, orders, "at once", 0);
    for _ in 0..2 {
        let info = world.get(orders, "a").unwrap();
        assert_eq!((info.attempt, info.history.len()), (Some(3), 2));
        let past = &info.history[1];
        assert_eq!((past.attempt, past.reason), (2, Reason::Exhausted));
        assert_eq!(past.error.as_deref(), Some(r#"{"message":"no"}"#));
        assert!(attempts(&mut world, orders, "at once").is_empty());
        world.audit();
        world = world.reopen();
    }
    world.advance(WINDOW - 1);
    assert_eq!(attempts(&mut world, orders, "a"), [1, 2]);
    world.advance(1);
    assert!(attempts(&mut world, orders, "a").is_empty());
    let expected = Some((MessageState::Completed, Some("result".to_owned())));
    assert_eq!(world.outcome(orders, "a"), expected, "the result stays");
}

#[test]
fn nothing_is_kept_unless_it_is_asked_for() {
    let mut world = World::new();
    let orders = world.define(
        "orders",
        QueueOptions {
            history: None,
            ..options(0)
        },
    );
    complete(&mut world, orders, "a", 2);
    assert!(attempts(&mut world, orders, "a").is_empty());
    world.define("orders", options(9));
    assert!(attempts(&mut world, orders, "a").is_empty());
}

#[test]
fn what_nobody_can_ask_for_is_not_written() {
    let kept = |window_ms, max_entries| QueueOptions {
        history: Some(HistoryOptions {
            window_ms: Some(window_ms),
            max_entries: Some(max_entries),
        }),
        ..options(0)
    };
    for (queue, id) in [
        (kept(0, 0), Some("a")),
        (kept(WINDOW, 0), Some("a")),
        (kept(0, 9), Some("a")),
        (kept(WINDOW, 9), None),
    ] {
        let mut world = World::new();
        let orders = world.define("orders", queue);
        let item = Enqueue {
            id,
            ..message(orders, "x")
        };
        world.try_enqueue(item).unwrap();
        let token = world.dequeue(orders, 1).remove(0).token;
        world.reject(token);
        world.advance(10);
        let token = world.dequeue(orders, 1).remove(0).token;
        let before = world.disk[&1].len();
        world.ack(token);
        let written = &world.disk[&1][before..];
        let needle = br#"{"message":"no"}"#;
        let is_told = written.windows(needle.len()).any(|bytes| bytes == needle);
        assert!(!is_told, "the error of the first attempt, id {id:?}");
    }
}

#[test]
fn a_history_is_shown_without_a_result_too() {
    let mut world = World::with_config(Config {
        segment_bytes: 4096,
        ..Config::default()
    });
    let orders = world.define("orders", options(9));
    world.enqueue_id(orders, "a", "x");
    let token = world.dequeue(orders, 1).remove(0).token;
    world.reject(token);
    world.advance(10);
    let token = world.dequeue(orders, 1).remove(0).token;
    world.ack(token);
    for _ in 0..3 {
        assert_eq!(attempts(&mut world, orders, "a"), [1]);
        world = world.reopen();
        let until = world.box_stats().cleaned_segments + 3;
        while world.box_stats().cleaned_segments < until {
            let (.., id) = world
                .try_enqueue(message(orders, &"f".repeat(500)))
                .unwrap();
            world.value(Request::Cancel { queue: orders, id });
        }
    }
}

#[test]
fn an_end_without_result_and_history_is_told_without_reading() {
    let mut world = World::new();
    let orders = world.define("orders", options(9));
    world.enqueue_id(orders, "a", "x");
    let token = world.dequeue(orders, 1).remove(0).token;
    world.ack(token);
    let mut world = world.reopen();
    let before = world.reads;
    assert!(attempts(&mut world, orders, "a").is_empty());
    assert_eq!(world.reads, before);
}

#[test]
fn the_latest_are_kept_up_to_the_limit() {
    let mut world = World::new();
    let orders = world.define("orders", options(3));
    for id in ["a", "b", "c", "d", "e"] {
        complete(&mut world, orders, id, 1);
    }
    let shown = |world: &mut World| -> Vec<&str> {
        let ids = ["a", "b", "c", "d", "e"].into_iter();
        ids.filter(|id| !attempts(world, orders, id).is_empty())
            .collect()
    };
    assert_eq!(shown(&mut world), ["c", "d", "e"]);
    let mut world = world.reopen();
    assert_eq!(shown(&mut world), ["c", "d", "e"]);
    world.define("orders", options(1));
    assert_eq!(shown(&mut world), ["e"]);
    let id = "e".into();
    world.value(Request::Forget { queue: orders, id });
    world.define("orders", options(3));
    complete(&mut world, orders, "e", 1);
    assert_eq!(shown(&mut world), ["e"]);
}

#[test]
fn an_id_that_is_forgotten_makes_room_for_another_history() {
    let mut world = World::new();
    let orders = world.define("orders", options(2));
    for id in ["a", "b"] {
        complete(&mut world, orders, id, 1);
    }
    let id = "b".into();
    world.value(Request::Forget { queue: orders, id });
    complete(&mut world, orders, "c", 1);
    for id in ["a", "c"] {
        assert_eq!(attempts(&mut world, orders, id), [1]);
    }
}

#[test]
fn histories_are_moved_by_cleaning_and_left_behind_when_they_are_over() {
    let mut world = World::with_config(Config {
        segment_bytes: 16 << 10,
        ..Config::default()
    });
    let orders = world.define("orders", options(2));
    for id in ["a", "b", "c"] {
        complete(&mut world, orders, id, 3);
    }
    let churned = world.define("churned", QueueOptions::default());
    let churn = |world: &mut World| {
        let filler = "f".repeat(500);
        let until = world.box_stats().cleaned_segments + 4;
        while world.box_stats().cleaned_segments < until {
            let (.., id) = world.try_enqueue(message(churned, &filler)).unwrap();
            world.value(Request::Cancel { queue: churned, id });
        }
    };
    let needle = br#"{"message":"no"}"#;
    let kept = |world: &World| {
        let windows = world
            .disk
            .values()
            .flat_map(|bytes| bytes.windows(needle.len()));
        windows.filter(|window| window == needle).count()
    };
    churn(&mut world);
    for _ in 0..2 {
        assert!(attempts(&mut world, orders, "a").is_empty());
        assert_eq!(attempts(&mut world, orders, "b"), [1, 2, 3]);
        assert_eq!(attempts(&mut world, orders, "c"), [1, 2, 3]);
        assert_eq!(kept(&world), 6, "that of the first is gone from the disk");
        world.audit();
        world = world.reopen();
    }
    world.advance(WINDOW);
    churn(&mut world);
    assert_eq!(kept(&world), 0);
    let expected = Some((MessageState::Completed, Some("result".to_owned())));
    for id in ["a", "b", "c"] {
        assert_eq!(world.outcome(orders, id), expected);
    }
}

#[test]
fn no_history_outlives_its_id() {
    let mut world = World::new();
    let orders = world.define(
        "orders",
        QueueOptions {
            dedup: Some(DedupOptions {
                window_ms: Some(100),
                ..DedupOptions::default()
            }),
            ..options(9)
        },
    );
    complete(&mut world, orders, "a", 1);
    world.advance(100);
    assert_eq!(world.get(orders, "a"), None);
    // The place of its entry is another's now.
    complete(&mut world, orders, "b", 0);
    assert!(attempts(&mut world, orders, "b").is_empty());
}

#[test]
fn a_clock_that_was_set_back_shortens_no_history() {
    let mut world = World::new();
    let orders = world.define("orders", options(9));
    complete(&mut world, orders, "a", 1);
    let (config, now) = (world.config.clone(), world.now);
    let mut world = World::open(world.crash(), now - 100_000, config).unwrap();
    assert_eq!(attempts(&mut world, orders, "a"), [1]);
    world.advance(WINDOW);
    assert!(attempts(&mut world, orders, "a").is_empty());
}

#[test]
fn half_a_history_is_refused() {
    let mut world = World::new();
    let define = |world: &mut World, window_ms, max_entries| {
        let history = Some(HistoryOptions {
            window_ms,
            max_entries,
        });
        world.try_at_once(Request::DefineQueue {
            name: "orders".to_owned(),
            options: QueueOptions {
                history,
                ..QueueOptions::default()
            },
        })
    };
    for (window_ms, max_entries) in [(Some(5), None), (None, Some(5))] {
        let refused = define(&mut world, window_ms, max_entries).unwrap_err();
        assert_eq!(refused.code, ErrorCode::InvalidOption);
    }
    define(&mut world, Some(5), Some(5)).unwrap();
    define(&mut world, None, Some(6)).unwrap();
    define(&mut world, Some(0), None).unwrap();
    let refused = define(&mut world, Some(u64::MAX), None).unwrap_err();
    assert_eq!(refused.code, ErrorCode::InvalidOption);
}
