//! Stored bytes that fail their checksum. [S19]

use ackbox_core::command::*;
use ackbox_core::config::{Config, Guarantee, QueueOptions};
use ackbox_core::effect::{EventKind, Notice};

use crate::draining::{drain_by, drained, outcome};
use crate::support::{World, message};

/// A cold box that holds "a", "bad" and "b", the second of which was damaged on the disk.
fn damaged(options: QueueOptions, segment_bytes: u32) -> (World, QueueId) {
    let config = Config {
        max_memory_bytes: 0,
        segment_bytes,
        ..Config::default()
    };
    let mut world = World::with_config(config);
    let orders = world.define("orders", options);
    world.listen(orders);
    for text in ["a", "bad", "b"] {
        world
            .try_enqueue(Enqueue {
                id: Some(text),
                ..message(orders, &text.repeat(50))
            })
            .unwrap();
    }
    flip(&mut world, "bad".repeat(50).as_bytes());
    (world, orders)
}

/// Damages the first byte of something; where that is.
fn flip(world: &mut World, what: &[u8]) -> (u32, usize) {
    for (segment, bytes) in &mut world.disk {
        if let Some(at) = bytes.windows(what.len()).position(|window| window == what) {
            bytes[at] ^= 1;
            return (*segment, at);
        }
    }
    panic!("it is on the disk");
}

#[test]
fn a_damaged_message_is_a_dead_letter_and_the_others_go_on() {
    for guarantee in [Guarantee::AtLeastOnce, Guarantee::AtMostOnce] {
        let (mut world, orders) = damaged(
            QueueOptions {
                guarantee: Some(guarantee),
                ..QueueOptions::default()
            },
            1 << 20,
        );
        let worker = world.worker(orders, 1);
        let draining = drain_by(&mut world, worker);
        let delivered = world.work_off();
        assert_eq!(delivered, ["a".repeat(50), "b".repeat(50)], "{guarantee:?}");
        let dead = u64::from(guarantee == Guarantee::AtLeastOnce);
        assert_eq!(outcome(&mut world, &draining), drained(2, 0, dead, 0));
        if guarantee == Guarantee::AtLeastOnce {
            let dead = world.dead(orders);
            assert_eq!(
                (dead[0].id.as_str(), dead[0].reason),
                ("bad", Some(Reason::Corrupt))
            );
            assert_eq!(world.events_of(EventKind::Dead).len(), 1);
        } else {
            let lost = world.events_of(EventKind::Failed);
            assert_eq!((lost.len(), lost[0].id.as_str()), (1, "bad"));
            let is_told = |notice: &Notice| matches!(notice, Notice::Warning { message, queue: Some(_) } if message.contains("'bad'") && message.contains("lost"));
            assert_eq!(
                world
                    .notices
                    .iter()
                    .filter(|notice| is_told(notice))
                    .count(),
                1
            );
            assert_eq!(world.stats(orders).rejected, 1);
        }
    }
}

#[test]
fn a_damaged_message_does_not_stop_a_dequeue() {
    let (mut world, orders) = damaged(QueueOptions::default(), 1 << 20);
    let deliveries = world.dequeue(orders, 3);
    let ids: Vec<_> = deliveries
        .iter()
        .map(|delivery| delivery.id.as_str())
        .collect();
    assert_eq!(ids, ["a", "b"]);
    assert_eq!(world.dead(orders).len(), 1);
}

#[test]
fn a_damaged_message_is_shown_as_such() {
    let (mut world, orders) = damaged(QueueOptions::default(), 1 << 20);
    let ticket = world
        .request(Request::Peek {
            queue: orders,
            state: None,
            limit: 10,
        })
        .unwrap();
    let intact: Vec<_> = world.bodies[&ticket]
        .iter()
        .map(|(_, intact, _)| *intact)
        .collect();
    assert_eq!(intact, [true, false, true]);
}

#[test]
fn cleaning_moves_a_damaged_message_byte_for_byte_and_goes_on() {
    let (mut world, orders) = damaged(QueueOptions::default(), 4096);
    let worker = world.worker(orders, 1);
    world.at_once(Request::PauseWorker { worker });
    clean(&mut world, orders);
    let dead = world.dead(orders);
    assert_eq!((dead.len(), dead[0].reason), (1, Some(Reason::Corrupt)));
    assert_eq!(world.stats(orders).dead, 1);
    assert!(
        world
            .notices
            .iter()
            .any(|notice| matches!(notice, Notice::Warning { .. })),
        "and it is told"
    );
    let kept = world.disk.values().any(|bytes| {
        let raw = [b"cad".as_slice(), "bad".repeat(49).as_bytes()].concat();
        bytes.windows(raw.len()).any(|window| window == raw)
    });
    assert!(kept, "its bytes, damage and all, are kept");
    assert_eq!(shown_dead(&mut world, orders), [false], "they are no body");
    let before = world.box_stats().cleaned_segments;
    clean_until(&mut world, orders, before + 6);
    assert_eq!(shown_dead(&mut world, orders), [false], "moved once more");
    world.audit();
    let redriven = world.redrive(orders, DeadFilter::default());
    assert_eq!(
        (redriven.moved, redriven.skipped),
        (0, 1),
        "there is nothing to deliver"
    );
    let mut world = world.reopen();
    assert_eq!(world.dead(orders)[0].reason, Some(Reason::Corrupt));
    assert_eq!(shown_dead(&mut world, orders), [false], "read anew");
    world.worker(orders, 1);
    assert_eq!(world.work_off().len(), 2);
}

#[test]
fn a_damaged_dead_letter_keeps_how_it_died() {
    let options = QueueOptions {
        max_attempts: Some(2),
        ..QueueOptions::default()
    };
    let config = Config {
        max_memory_bytes: 0,
        segment_bytes: 4096,
        ..Config::default()
    };
    let mut world = World::with_config(config);
    let orders = world.define("orders", options);
    world.enqueue_id(orders, "bad", &"bad".repeat(50));
    for error in [&b"first"[..], b"second"] {
        let token = world.dequeue(orders, 1)[0].token;
        let reject = Verdict::Reject { delay_ms: Some(0) };
        world.settle_with(token, reject, true, b"", error).unwrap();
    }
    let before = world.dead(orders).remove(0);
    flip(&mut world, "bad".repeat(50).as_bytes());
    clean(&mut world, orders);
    for _ in 0..2 {
        let kept = world.dead(orders).remove(0);
        assert_eq!(kept.reason, Some(Reason::Corrupt));
        assert_eq!(kept.error.as_deref(), Some("second"));
        assert_eq!(kept.history.len(), 2);
        assert_eq!(kept.history, before.history);
        assert_eq!(
            (kept.attempt, kept.finished_at),
            (Some(2), before.finished_at)
        );
        world.audit();
        world = world.reopen();
    }
}

/// Which of the dead letters are shown with a body.
fn shown_dead(world: &mut World, queue: QueueId) -> Vec<bool> {
    let ticket = world
        .request(Request::Peek {
            queue,
            state: Some(MessageState::Dead),
            limit: 10,
        })
        .unwrap();
    let shown = world.bodies[&ticket].iter();
    shown.map(|(_, intact, _)| *intact).collect()
}

/// Writes until three segments were cleaned.
fn clean(world: &mut World, queue: QueueId) {
    clean_until(world, queue, 3);
}

fn clean_until(world: &mut World, queue: QueueId, segments: u64) {
    let filler = "f".repeat(1000);
    let mut rounds = 0;
    while world.box_stats().cleaned_segments < segments {
        let (.., id) = world.try_enqueue(message(queue, &filler)).unwrap();
        world.value(Request::Cancel { queue, id });
        rounds += 1;
        assert!(rounds < 1000, "cleaning goes on");
    }
}

#[test]
fn a_damaged_message_in_flight_is_moved_from_memory() {
    let config = Config {
        max_memory_bytes: 0,
        segment_bytes: 4096,
        ..Config::default()
    };
    let mut world = World::with_config(config);
    let orders = world.define("orders", QueueOptions::default());
    let text = "running".repeat(20);
    world.enqueue_id(orders, "running", &text);
    let delivery = world.dequeue(orders, 1).remove(0);
    flip(&mut world, text.as_bytes());
    let filler = "f".repeat(1000);
    let mut rounds = 0;
    while world.box_stats().cleaned_segments < 2 {
        let (.., id) = world.try_enqueue(message(orders, &filler)).unwrap();
        world.value(Request::Cancel { queue: orders, id });
        rounds += 1;
        assert!(rounds < 1000, "cleaning goes on");
    }
    world.settle(delivery.token, Verdict::Return).unwrap();
    assert_eq!(world.dequeue(orders, 1)[0].content.body(), text.as_bytes());
}

#[test]
fn damage_before_what_was_stable_refuses_the_box_untouched() {
    let (world, _) = damaged(QueueOptions::default(), 1 << 20);
    let disk = world.crash();
    let refused = World::open(disk, crate::support::T0, Config::default())
        .err()
        .expect("it is refused");
    assert_eq!(refused.code, ackbox_core::error::ErrorCode::Corrupt);
    assert!(
        refused.segment.is_some() && refused.offset.is_some(),
        "with its place"
    );
}

#[test]
fn what_was_buried_as_damaged_stays_dead_though_its_own_record_reads_well_again() {
    for (was_started, group) in [(false, Some("g")), (true, Some("g")), (false, None)] {
        let config = Config {
            max_memory_bytes: 0,
            segment_bytes: 4096,
            ..Config::default()
        };
        let mut world = World::with_config(config);
        let orders = world.define("orders", QueueOptions::default());
        for text in ["bad", "b"] {
            let item = Enqueue {
                group,
                ..message(orders, text)
            };
            world.try_enqueue(item).unwrap();
        }
        if was_started {
            assert_eq!(world.dequeue(orders, 1).len(), 1);
            world = world.reopen();
        }
        let (segment, at) = flip(&mut world, b"bad");
        while world.dead(orders).is_empty() {
            let filler = "f".repeat(1000);
            let (.., id) = world.try_enqueue(message(orders, &filler)).unwrap();
            world.value(Request::Cancel { queue: orders, id });
        }
        let mut segments = world.removed.clone();
        segments.extend(world.disk.clone());
        segments.get_mut(&segment).expect("it was there")[at] ^= 1;
        // A crash behind the move and before its segment was removed, in which the damage is not seen again.
        let config = world.config.clone();
        let mut world = World::open(segments, world.now, config).expect("it is sound");
        let dead = world.dead(orders);
        assert_eq!((dead.len(), dead[0].reason), (1, Some(Reason::Corrupt)));
        let next = world.dequeue(orders, 2);
        assert_eq!(next.len(), 1, "the others go on");
        world.ack(next[0].token);
        let world = &mut world.reopen();
        assert_eq!(world.dead(orders).len(), 1);
        assert_eq!(world.box_stats().messages, 0);
    }
}
