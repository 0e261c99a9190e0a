//! Steps outlive every segment that they were in, wherever their message is. [S15, S19]

use ackbox_core::command::*;
use ackbox_core::config::{Config, QueueOptions};
use ackbox_core::effect::{Answer, Notice};
use ackbox_core::error::ErrorCode;

use crate::support::{World, body, message};

const SEGMENT: u32 = 8 << 10;

fn small(max_memory_bytes: u64) -> World {
    World::with_config(Config {
        segment_bytes: SEGMENT,
        max_memory_bytes,
        ..Config::default()
    })
}

/// Writes and withdraws until so many segments were cleaned.
fn churn(world: &mut World, queue: QueueId, segments: u64) {
    let filler = "f".repeat(500);
    let until = world.box_stats().cleaned_segments + segments;
    while world.box_stats().cleaned_segments < until {
        let (.., id) = world.try_enqueue(message(queue, &filler)).unwrap();
        world.value(Request::Cancel { queue, id });
        let stats = world.box_stats();
        let bound = 2 * stats.live_bytes + u64::from(SEGMENT) + 1024;
        assert!(stats.journal_bytes <= bound, "{stats:?}");
    }
}

fn recalled(world: &mut World, token: Token, steps: u32) {
    for step in 0..steps {
        let expected = Some(format!("gave {step} {}", "x".repeat(300)));
        let told = world.recall(token, &format!("step {step}"));
        assert_eq!(told, Ok(Some(expected)), "step {step}");
    }
}

fn record(world: &mut World, token: Token, step: u32) {
    let result = format!("gave {step} {}", "x".repeat(300));
    world
        .record(token, &format!("step {step}"), Some(&result))
        .unwrap();
}

const NAMES: [&str; 6] = ["step 0", "step 1", "step 2", "step 3", "step 4", "step 5"];

fn names_of(world: &mut World, queue: QueueId, id: &str) -> Vec<String> {
    let steps = world.get(queue, id).unwrap().steps.unwrap();
    steps.into_iter().map(|step| step.name).collect()
}

#[test]
fn steps_outlive_every_segment_in_every_state_of_their_message() {
    for max_memory_bytes in [0, 64 << 20] {
        let mut world = small(max_memory_bytes);
        let churned = world.define("churned", QueueOptions::default());
        let kept = world.define("kept", QueueOptions::default());
        for id in ["waiting", "dead", "leased"] {
            world.enqueue_id(kept, id, &format!("body of {id}"));
        }
        let mut tokens = Vec::new();
        for delivery in world.dequeue(kept, 3) {
            for step in 0..6 {
                record(&mut world, delivery.token, step);
                // Their records lie in different segments, and behind where their message was.
                churn(&mut world, churned, 1);
            }
            tokens.push(delivery.token);
        }
        let delay_ms = Some(1_000_000);
        world
            .settle(tokens[0], Verdict::Reject { delay_ms })
            .unwrap();
        world
            .settle(tokens[1], Verdict::Dead(Reason::Permanent))
            .unwrap();
        churn(&mut world, churned, 20);
        recalled(&mut world, tokens[2], 6);
        world.settle(tokens[2], Verdict::Return).unwrap();
        world.audit();
        let mut world = world.reopen();
        churn(&mut world, churned, 20);
        assert_eq!(names_of(&mut world, kept, "dead"), NAMES);
        world.audit();
        world.redrive(kept, DeadFilter::default());
        let id = "waiting".to_owned();
        world.value(Request::RetryNow { queue: kept, id });
        for delivery in world.dequeue(kept, 3) {
            assert_eq!(delivery.steps, 6, "{}", delivery.id.as_str());
            recalled(&mut world, delivery.token, 6);
            world.ack(delivery.token);
        }
        for id in ["waiting", "dead", "leased"] {
            let id = id.to_owned();
            world.value(Request::Forget { queue: kept, id });
        }
        churn(&mut world, churned, 4);
        assert_eq!(
            world.box_stats().live_bytes,
            0,
            "steps go with their messages"
        );
        world.audit();
    }
}

#[test]
fn what_was_forgotten_stays_forgotten_when_its_message_is_moved() {
    let mut world = small(0);
    let churned = world.define("churned", QueueOptions::default());
    let kept = world.define("kept", QueueOptions::default());
    world.enqueue_id(kept, "a", "body");
    let token = world.dequeue(kept, 1).remove(0).token;
    // The step lies in a segment that is still there when the one of its message is cleaned.
    let filler = "f".repeat(500);
    let first = world.box_stats().segments;
    while world.box_stats().segments == first {
        world.enqueue(churned, &filler);
    }
    record(&mut world, token, 0);
    world
        .settle(token, Verdict::Dead(Reason::Permanent))
        .unwrap();
    world.object(Request::Redrive {
        queue: kept,
        filter: DeadFilter::default(),
        to: None,
        per_second_milli: None,
        forget_steps: true,
    });
    let token = world.dequeue(kept, 1).remove(0).token;
    world.record(token, "step 0", Some("anew")).unwrap();
    for step in 1..6 {
        record(&mut world, token, step);
        for _ in 0..8 {
            world.enqueue(churned, &filler);
        }
    }
    world.settle(token, Verdict::Return).unwrap();
    world.hold_appends = true;
    world.request(Request::Purge { queue: churned }).unwrap();
    while world.box_stats().cleaned_segments < 8 {
        world.command(Command::Enqueue(message(churned, &filler)));
        world.request(Request::Purge { queue: churned }).unwrap();
        world.land();
        // What a crash leaves between two appends.
        let config = world.config.clone();
        let mut other = World::open(world.disk.clone(), world.now, config).unwrap();
        let again = other.dequeue(kept, 1).remove(0);
        assert_eq!((again.steps, body(&again).as_str()), (6, "body"));
        assert_eq!(names_of(&mut other, kept, "a"), NAMES);
        let told = other.recall(again.token, "step 0");
        assert_eq!(told, Ok(Some(Some("anew".into()))));
    }
}

#[test]
fn steps_in_front_of_their_message_are_not_removed_after_a_reopening() {
    let mut world = small(64 << 20);
    let churned = world.define("churned", QueueOptions::default());
    let kept = world.define("kept", QueueOptions::default());
    let filler = "f".repeat(500);
    let next_segment = |world: &mut World| {
        let segments = world.box_stats().segments;
        while world.box_stats().segments == segments {
            world.enqueue(churned, &filler);
        }
    };
    // The step of one lies in a segment behind it, and in front of another message with its step.
    world.enqueue_id(kept, "a", "body");
    let first = world.dequeue(kept, 1).remove(0).token;
    next_segment(&mut world);
    record(&mut world, first, 0);
    next_segment(&mut world);
    world.enqueue_id(kept, "b", "body");
    let second = world.dequeue(kept, 1).remove(0).token;
    record(&mut world, second, 0);
    for token in [first, second] {
        world.settle(token, Verdict::Return).unwrap();
    }
    world.hold_appends = true;
    world.request(Request::Purge { queue: churned }).unwrap();
    let until = world.box_stats().cleaned_segments + 8;
    while world.box_stats().cleaned_segments < until {
        world.command(Command::Enqueue(message(churned, &filler)));
        world.request(Request::Purge { queue: churned }).unwrap();
        world.land();
        // The messages are moved first: for a while their steps are met in front of them.
        let config = world.config.clone();
        let mut other = World::open(world.disk.clone(), world.now, config).unwrap();
        churn(&mut other, churned, 4);
        for delivery in other.dequeue(kept, 2) {
            recalled(&mut other, delivery.token, 1);
        }
        other.audit();
    }
}

/// Spoils the only record that holds this text.
fn spoil(world: &mut World, text: &str) {
    let mut spoilt = 0;
    for bytes in world.disk.values_mut() {
        let found = bytes
            .windows(text.len())
            .position(|window| window == text.as_bytes());
        if let Some(at) = found {
            bytes[at] ^= 1;
            spoilt += 1;
        }
    }
    assert_eq!(spoilt, 1, "{text}");
}

#[test]
fn a_damaged_result_makes_a_dead_letter_when_a_handler_asks_for_it() {
    let mut world = small(0);
    let kept = world.define("kept", QueueOptions::default());
    world.enqueue_id(kept, "a", "body");
    let first = world.dequeue(kept, 1).remove(0).token;
    world.record(first, "charge", Some("receipt 7")).unwrap();
    world.settle(first, Verdict::Return).unwrap();
    spoil(&mut world, "receipt 7");
    let second = world.dequeue(kept, 1).remove(0).token;
    let refused = world.recall(second, "charge").unwrap_err();
    assert_eq!(refused.code, ErrorCode::Corrupt);
    assert!(refused.segment.is_some() && refused.offset.is_some());
    assert_eq!(world.aborts.len(), 1, "its handler is told");
    let letter = world.dead(kept).remove(0);
    assert_eq!(letter.reason, Some(Reason::Corrupt));
    assert_eq!(letter.id, "a");
}

#[test]
fn a_damaged_result_makes_a_dead_letter_when_it_is_moved() {
    let mut world = small(0);
    let churned = world.define("churned", QueueOptions::default());
    let kept = world.define("kept", QueueOptions::default());
    for id in ["waiting", "leased"] {
        world.enqueue_id(kept, id, "body");
        let token = world.dequeue(kept, 1).remove(0).token;
        let result = format!("receipt of {id}");
        world.record(token, "charge", Some(&result)).unwrap();
        world.record(token, "notify", None).unwrap();
        let delay_ms = Some(1_000_000);
        world.settle(token, Verdict::Reject { delay_ms }).unwrap();
        spoil(&mut world, &result);
    }
    let id = "leased".to_owned();
    world.value(Request::RetryNow { queue: kept, id });
    let leased = world.dequeue(kept, 1).remove(0).token;
    churn(&mut world, churned, 8);
    let warnings = world.notices.iter().filter(
        |notice| matches!(notice, Notice::Warning { message, .. } if message.contains("'charge'")),
    );
    assert_eq!(warnings.count(), 2);
    let dead = world.dead(kept);
    assert_eq!(dead.len(), 1, "what is handled is not taken away");
    assert_eq!(
        (dead[0].id.as_str(), dead[0].reason),
        ("waiting", Some(Reason::Corrupt))
    );
    assert_eq!(
        world.recall(leased, "notify"),
        Ok(Some(None)),
        "the others are whole"
    );
    let refused = world.recall(leased, "charge").unwrap_err();
    assert_eq!(refused.code, ErrorCode::Corrupt);
    assert_eq!(world.dead(kept).len(), 2);
    world.audit();
    let mut world = world.reopen();
    assert_eq!(world.dead(kept).len(), 2);
    churn(&mut world, churned, 8);
    world.audit();
}

#[test]
fn a_move_that_finds_no_room_leaves_a_step_where_it_was() {
    let mut world = small(0);
    let churned = world.define("churned", QueueOptions::default());
    let kept = world.define("kept", QueueOptions::default());
    world.enqueue_id(kept, "a", "body");
    let token = world.dequeue(kept, 1).remove(0).token;
    for step in 0..6 {
        record(&mut world, token, step);
    }
    world.hold_appends = true;
    let mut failed = 0;
    for round in 0..200 {
        let filler = "f".repeat(500);
        world.command(Command::Enqueue(message(churned, &filler)));
        if world.held.is_some() && round % 3 == 0 {
            world.fail_append(true);
            failed += 1;
        }
        while world.held.is_some() {
            world.land();
        }
        if let Ok(ticket) = world.request(Request::Purge { queue: churned }) {
            while world.held.is_some() {
                world.land();
            }
            assert!(matches!(world.answer(ticket), Some(Ok(Answer::Value(_)))));
        }
    }
    assert!(failed > 20 && world.box_stats().cleaned_segments > 5);
    world.hold_appends = false;
    recalled(&mut world, token, 6);
    world.settle(token, Verdict::Return).unwrap();
    world.audit();
}

#[test]
fn steps_in_front_of_their_messages_outlive_a_reopening_and_cleaning() {
    for letters in (10..100).step_by(6) {
        let mut world = small(1000);
        let churned = world.define("churned", QueueOptions::default());
        let kept = world.define("kept", QueueOptions::default());
        for letter in 0..letters {
            let body = "b".repeat(40 + 7 * letter);
            world.enqueue_id(kept, &letter.to_string(), &body);
            let token = world.dequeue(kept, 1).remove(0).token;
            world.record(token, "step 0", Some("gave")).unwrap();
            world
                .settle(token, Verdict::Dead(Reason::Permanent))
                .unwrap();
            // Cleaning moves a message and its step each by itself.
            churn(&mut world, churned, letter as u64 % 2);
        }
        let mut world = world.reopen();
        churn(&mut world, churned, 30);
        for letter in 0..letters {
            let id = letter.to_string();
            assert_eq!(names_of(&mut world, kept, &id), ["step 0"], "{id}");
        }
        world.audit();
    }
}

#[test]
fn a_step_that_is_on_its_way_when_its_message_ends_becomes_no_other_messages() {
    let mut world = small(0);
    let churned = world.define("churned", QueueOptions::default());
    let kept = world.define("kept", QueueOptions::default());
    for id in ["a", "b"] {
        world.enqueue_id(kept, id, id);
    }
    let [a, b] = &world.dequeue(kept, 2)[..] else {
        panic!("both are delivered")
    };
    world.record(a.token, "step", Some("gave a")).unwrap();
    let find = |bytes: &[u8]| bytes.windows(6).position(|text| text == b"gave a");
    let (segment, at) = world
        .disk
        .iter()
        .find_map(|(segment, bytes)| Some((*segment, find(bytes)? as u64)))
        .expect("it is on the disk");
    world.hold_reads = true;
    let is_it = |(_, of, from, length): &(_, u32, u64, u32)| {
        *of == segment && (*from..*from + u64::from(*length)).contains(&at)
    };
    while !world.held_reads.iter().any(is_it) {
        let id = world.enqueue(churned, &"f".repeat(500));
        world.value(Request::Cancel { queue: churned, id });
    }
    world.ack(a.token);
    world.record(b.token, "step", Some("gave b")).unwrap();
    world.answer_reads();
    world.hold_reads = false;
    let given = Ok(Some(Some("gave b".to_owned())));
    assert_eq!(world.recall(b.token, "step"), given);
    world.settle(b.token, Verdict::Return).unwrap();
    world.audit();
    let mut world = world.reopen();
    let b = world.dequeue(kept, 1).remove(0);
    assert_eq!(world.recall(b.token, "step"), given);
}
