//! Results: kept with the id of a finished message, in the journal and not in memory. [A2 get]

use ackbox_core::command::*;
use ackbox_core::config::{Config, DedupOptions, Guarantee, QueueOptions};
use ackbox_core::effect::{Answer, Notice, Object};
use ackbox_core::error::ErrorCode;
use ackbox_core::time::Timestamp;

use crate::support::{World, message};

const WINDOW: u64 = 10_000;
const COMPLETED: MessageState = MessageState::Completed;

fn windowed() -> QueueOptions {
    QueueOptions {
        dedup: Some(DedupOptions {
            window_ms: Some(WINDOW),
            ..DedupOptions::default()
        }),
        ..QueueOptions::default()
    }
}

fn world() -> (World, QueueId) {
    let mut world = World::new();
    let orders = world.define("orders", windowed());
    world.worker(orders, 1);
    (world, orders)
}

fn complete(world: &mut World, queue: QueueId, id: &str, result: &str) {
    world.enqueue_id(queue, id, "x");
    let delivery = world.delivery();
    world
        .settle_with(delivery.token, Verdict::Ack, true, result.as_bytes(), b"")
        .unwrap();
}

#[test]
fn a_result_is_kept_through_the_window_over_crashes() {
    let (mut world, orders) = world();
    complete(&mut world, orders, "a", "the result");
    complete(&mut world, orders, "b", "");
    for _ in 0..3 {
        assert_eq!(
            world.outcome(orders, "a"),
            Some((COMPLETED, Some("the result".into())))
        );
        assert_eq!(world.outcome(orders, "b"), Some((COMPLETED, None)));
        world = world.reopen();
    }
    world.advance(WINDOW - 1);
    assert!(world.outcome(orders, "a").is_some());
    world.advance(1);
    assert_eq!(world.outcome(orders, "a"), None);
}

#[test]
fn a_result_is_shown_before_its_record_is_durable_only_once_it_is() {
    let (mut world, orders) = world();
    world.enqueue_id(orders, "a", "x");
    let delivery = world.delivery();
    world.hold_appends = true;
    world.command(Command::Settle(Settle {
        token: delivery.token,
        verdict: Verdict::Ack,
        returned: true,
        result: b"late",
        error: b"",
    }));
    let get = Request::Get {
        queue: orders,
        id: "a".into(),
    };
    let in_flight = world.request(get.clone()).unwrap();
    let awaited = world.finished(orders, "a");
    assert!(world.held.is_some());
    assert!(world.answer(in_flight).is_none());
    assert!(world.end(awaited).is_none());
    world.land();
    let (info, result) = world.end(in_flight).expect("it is durable");
    assert_eq!((info.state, result.as_deref()), (COMPLETED, Some("late")));
    let (info, result) = world.end(awaited).expect("it is durable");
    assert_eq!((info.state, result.as_deref()), (COMPLETED, Some("late")));
}

#[test]
fn a_result_that_is_forgotten_before_it_is_durable_is_not_shown() {
    let (mut world, orders) = world();
    world.enqueue_id(orders, "a", "x");
    let delivery = world.delivery();
    world.hold_appends = true;
    world.command(Command::Settle(Settle {
        token: delivery.token,
        verdict: Verdict::Ack,
        returned: true,
        result: b"gone",
        error: b"",
    }));
    let get = |queue| Request::Get {
        queue,
        id: "a".into(),
    };
    let asked = world.request(get(orders)).unwrap();
    let forget = Request::Forget {
        queue: orders,
        id: "a".into(),
    };
    world.request(forget).unwrap();
    while world.held.is_some() {
        world.land();
    }
    match world.answer(asked) {
        Some(Ok(Answer::Object(object))) => assert_eq!(*object, Object::Infos(Vec::new())),
        other => panic!("expected nothing to be known, got {other:?}"),
    }
}

#[test]
fn results_take_no_memory() {
    let (mut world, orders) = world();
    let result = "r".repeat(60_000);
    for index in 0..50 {
        complete(&mut world, orders, &index.to_string(), &result);
    }
    assert_eq!(world.box_stats().memory_bytes, 0);
    let mut world = world.reopen();
    assert_eq!(world.box_stats().memory_bytes, 0);
    let reads = world.reads;
    assert_eq!(
        world.outcome(orders, "7"),
        Some((COMPLETED, Some(result.clone())))
    );
    assert_eq!(world.reads, reads + 1, "it was read back");
}

#[test]
fn the_result_of_a_generated_id_is_not_written() {
    let (mut world, orders) = world();
    world.enqueue(orders, "x");
    let before = world.disk_bytes();
    let token = world.delivery().token;
    let result = vec![b'r'; 60_000];
    world
        .settle_with(token, Verdict::Ack, true, &result, b"")
        .unwrap();
    assert!(world.disk_bytes() < before + 1000);
}

#[test]
fn results_survive_cleaning_and_a_crash_in_the_midst_of_it() {
    let mut world = World::with_config(Config {
        segment_bytes: 16 << 10,
        ..Config::default()
    });
    let orders = world.define("orders", QueueOptions::default());
    world.worker(orders, 1);
    for index in 0..20 {
        let result = format!("result {index}");
        complete(&mut world, orders, &index.to_string(), &result);
    }
    let churned = world.define("churned", QueueOptions::default());
    let filler = "f".repeat(500);
    for turn in 0..300 {
        let (.., id) = world.try_enqueue(message(churned, &filler)).unwrap();
        world.value(Request::Cancel { queue: churned, id });
        let index = turn % 20;
        let expected = Some((COMPLETED, Some(format!("result {index}"))));
        assert_eq!(world.outcome(orders, &index.to_string()), expected);
        if turn % 20 == 0 {
            world.audit();
            world = world.reopen();
        }
    }
    assert!(
        *world.disk.keys().next().unwrap() > 5,
        "segments were cleaned"
    );
}

#[test]
fn a_result_that_is_being_moved_is_shown() {
    let mut world = World::with_config(Config {
        segment_bytes: 16 << 10,
        ..Config::default()
    });
    let orders = world.define("orders", QueueOptions::default());
    world.worker(orders, 1);
    complete(&mut world, orders, "a", "moved");
    complete(&mut world, orders, "b", "forgotten");
    let churned = world.define("churned", QueueOptions::default());
    let filler = "f".repeat(500);
    world.hold_reads = true;
    while world.held_reads.is_empty() {
        let (.., id) = world.try_enqueue(message(churned, &filler)).unwrap();
        world.value(Request::Cancel { queue: churned, id });
    }
    let ask = |world: &mut World, id: &str| {
        let id = id.to_owned();
        world.request(Request::Get { queue: orders, id }).unwrap()
    };
    let (moved, forgotten) = (ask(&mut world, "a"), ask(&mut world, "b"));
    let id = "b".into();
    world.value(Request::Forget { queue: orders, id });
    assert!(world.answer(moved).is_none());
    while !world.held_reads.is_empty() {
        world.answer_reads();
    }
    let (info, result) = world.end(moved).expect("it was moved");
    assert_eq!((info.state, result.as_deref()), (COMPLETED, Some("moved")));
    match world.answer(forgotten) {
        Some(Ok(Answer::Object(object))) => assert_eq!(*object, Object::Infos(Vec::new())),
        other => panic!("expected nothing to be known, got {other:?}"),
    }
    world.hold_reads = false;
    world.audit();
}

#[test]
fn a_damaged_result_is_told_and_never_shown() {
    let (mut world, orders) = world();
    complete(&mut world, orders, "a", "the very result");
    let needle = b"the very result";
    for bytes in world.disk.values_mut() {
        let found = bytes
            .windows(needle.len())
            .position(|window| window == needle);
        if let Some(at) = found {
            bytes[at] ^= 1;
        }
    }
    assert_eq!(world.outcome(orders, "a"), Some((COMPLETED, None)));
    let ticket = world.finished(orders, "a");
    let Some(Err(failure)) = world.answer(ticket) else {
        panic!("expected a refusal")
    };
    assert_eq!(failure.code, ErrorCode::Corrupt);
    assert!(failure.segment.is_some() && failure.offset.is_some());
}

#[test]
fn a_result_that_is_found_damaged_when_it_is_moved_stays_damaged() {
    let mut world = World::with_config(Config {
        segment_bytes: 16 << 10,
        ..Config::default()
    });
    let orders = world.define("orders", QueueOptions::default());
    world.worker(orders, 1);
    complete(&mut world, orders, "a", "the very result");
    let needle = b"the very result";
    let bytes = world.disk.get_mut(&1).unwrap();
    let found = bytes
        .windows(needle.len())
        .position(|window| window == needle);
    bytes[found.unwrap()] ^= 1;
    clean(&mut world, orders);
    assert!(
        matches!(&world.notices[..], [Notice::Warning { message, queue }]
            if message.contains("result of message 1 is damaged") && queue.as_deref() == Some("orders")),
        "{:?}",
        world.notices
    );
    for cleans in [false, true, false] {
        if cleans {
            clean(&mut world, orders);
        }
        assert_eq!(world.outcome(orders, "a"), Some((COMPLETED, None)));
        let ticket = world.finished(orders, "a");
        let Some(Err(failure)) = world.answer(ticket) else {
            panic!("expected a refusal")
        };
        assert_eq!(failure.code, ErrorCode::Corrupt);
        let kept = |bytes: &Vec<u8>| bytes.windows(14).any(|window| window == &needle[1..]);
        assert!(world.disk.values().any(kept), "what is left of it is kept");
        world.audit();
        world = world.reopen();
        assert!(world.notices.is_empty(), "it is told once");
    }
}

/// Writes until the first segments were cleaned.
fn clean(world: &mut World, queue: QueueId) {
    let filler = "f".repeat(500);
    let first = *world.disk.keys().next().expect("a box has a segment");
    while world.disk.contains_key(&first) {
        let (.., id) = world.try_enqueue(message(queue, &filler)).unwrap();
        world.value(Request::Cancel { queue, id });
        while let Some(delivery) = world.deliveries.pop_front() {
            let _ = world.settle(delivery.token, Verdict::Ack);
        }
    }
}

#[test]
fn a_result_of_a_handler_above_its_limit_is_left_out_with_a_warning() {
    let mut world = World::new();
    let options = QueueOptions {
        max_result_bytes: Some(4),
        ..QueueOptions::default()
    };
    let orders = world.define("orders", options);
    world.worker(orders, 1);
    world.enqueue_id(orders, "a", "x");
    let token = world.delivery().token;
    let refused = world
        .settle_with(token, Verdict::Ack, false, b"12345", b"")
        .unwrap_err();
    assert_eq!(refused.code, ErrorCode::BodyTooLarge);
    assert_eq!(world.state(orders, "a"), Some(MessageState::Leased));
    let settle = Settle {
        token,
        verdict: Verdict::Ack,
        returned: true,
        result: b"12345",
        error: b"",
    };
    let command = Command::Settle(settle);
    world
        .engine
        .handle_command(Timestamp(world.now), Ticket(0), command);
    world.run();
    assert_eq!(world.outcome(orders, "a"), Some((COMPLETED, None)));
    assert!(
        matches!(&world.notices[..], [Notice::Warning { message, queue }]
            if message.contains("at most 4 bytes, got 5") && queue.as_deref() == Some("orders")),
        "{:?}",
        world.notices
    );
}

#[test]
fn at_most_once_is_completed_once_its_handler_is_done_and_keeps_no_result() {
    let mut world = World::new();
    let options = QueueOptions {
        guarantee: Some(Guarantee::AtMostOnce),
        ..QueueOptions::default()
    };
    let orders = world.define("orders", options);
    let waiting = world.finished(orders, "a");
    world.enqueue_id(orders, "a", "x");
    assert!(world.end(waiting).is_none());
    world.worker(orders, 1);
    let token = world.delivery().token;
    let later = world.finished(orders, "a");
    assert!(world.end(waiting).is_none() && world.end(later).is_none());
    world
        .settle_with(token, Verdict::Ack, true, b"result", b"")
        .unwrap();
    for ticket in [waiting, later] {
        let (info, result) = world.end(ticket).expect("its handler is done");
        assert_eq!(
            (info.state, info.attempt, result),
            (COMPLETED, Some(1), None)
        );
    }
    assert_eq!(world.outcome(orders, "a"), Some((COMPLETED, None)));
}
