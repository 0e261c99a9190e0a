//! What hosts keep in an inbox and move into the journal: once each, in order, whatever cuts it off. [A1 share, A2 stored]

use ackbox_core::command::*;
use ackbox_core::config::{Config, QueueOptions};
use ackbox_core::effect::*;
use ackbox_core::error::{ErrorCode, Failure};

use crate::support::{World, message};

fn row<'a>(after: u64, key: u64, enqueues: &[Enqueue<'a>]) -> Command<'a> {
    Command::Move(Move {
        after,
        key,
        refused: None,
        enqueues: enqueues.to_vec(),
    })
}

fn buried<'a>(after: u64, key: u64, item: Enqueue<'a>) -> Command<'a> {
    Command::Move(Move {
        after,
        key,
        refused: Some(b"{\"message\":\"no\"}"),
        enqueues: vec![item],
    })
}

fn with_id<'a>(queue: QueueId, id: &'a str, body: &'a str) -> Enqueue<'a> {
    Enqueue {
        id: Some(id),
        ..message(queue, body)
    }
}

fn told(world: &mut World, ticket: u64) -> Option<Result<u64, Failure>> {
    Some(match world.replies.remove(&ticket)? {
        Ok(Answer::Value(value)) => Ok(value),
        Ok(other) => panic!("expected a value, got {other:?}"),
        Err(failure) => Err(failure),
    })
}

fn refusal(world: &mut World, ticket: u64) -> ErrorCode {
    let answer = told(world, ticket).expect("answered");
    answer.expect_err("refused").code
}

/// The statistics count a queue's dead letters.
fn dead(world: &mut World, queue: QueueId) -> Vec<MessageInfo> {
    world.infos(Request::Peek {
        queue,
        state: Some(MessageState::Dead),
        limit: 10,
    })
}

#[test]
fn a_crash_at_any_byte_leaves_all_messages_of_a_key_with_it_or_none() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.command(row(0, 3, &[message(orders, "1")]));
    world.hold_appends = true;
    let last = world.command(row(3, 7, &[message(orders, "2"), message(orders, "3")]));
    let (segment, bytes) = world.held.clone().expect("an append is held");
    assert!(
        told(&mut world, last).is_none(),
        "nothing before it is durable"
    );
    for written in 0..=bytes.len() {
        let mut disk = world.disk.clone();
        disk.entry(segment).or_default().extend(&bytes[..written]);
        let mut found = World::open(disk, world.now, Config::default()).expect("it opens");
        let expected = if written == bytes.len() {
            (7, 3)
        } else {
            (3, 1)
        };
        assert_eq!((found.report().moved, found.stats(orders).ready), expected);
    }
    world.land();
    assert_eq!(told(&mut world, last).expect("answered"), Ok(0));
}

#[test]
fn nothing_overtakes_what_was_refused() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.hold_appends = true;
    world.command(row(0, 1, &[with_id(orders, "a", "1")]));
    let conflict = world.command(row(
        1,
        2,
        &[message(orders, "x"), with_id(orders, "a", "2")],
    ));
    let behind = world.command(row(2, 3, &[message(orders, "3")]));
    assert_eq!(refusal(&mut world, conflict), ErrorCode::IdConflict);
    assert_eq!(refusal(&mut world, behind), ErrorCode::InvalidOption);
    // Whoever left it was told.
    let behind = world.command(row(1, 3, &[message(orders, "3")]));
    let again = world.command(row(3, 3, &[message(orders, "3")]));
    assert_eq!(refusal(&mut world, again), ErrorCode::InvalidOption);
    world.land();
    world.land();
    assert_eq!(told(&mut world, behind).expect("answered"), Ok(0));
    assert_eq!(world.stats(orders).ready, 2);
}

#[test]
fn what_nobody_can_be_told_becomes_a_dead_letter_past_all_limits() {
    let mut world = World::new();
    let options = QueueOptions {
        max_depth: Some(1),
        ..QueueOptions::default()
    };
    let orders = world.define("orders", options);
    world.command(row(0, 1, &[with_id(orders, "a", "1")]));
    let full = world.command(row(1, 2, &[with_id(orders, "b", "2")]));
    assert_eq!(refusal(&mut world, full), ErrorCode::QueueFull);
    let kept = world.command(buried(1, 2, with_id(orders, "b", "2")));
    assert_eq!(told(&mut world, kept).expect("answered"), Ok(0));
    let taken = world.command(buried(2, 3, with_id(orders, "a", "another")));
    assert_eq!(told(&mut world, taken).expect("answered"), Ok(0));
    let known = world.command(buried(3, 4, with_id(orders, "a", "1")));
    assert_eq!(told(&mut world, known).expect("answered"), Ok(0));
    let mut world = world.reopen();
    assert_eq!(world.report().moved, 4);
    let letters = dead(&mut world, orders);
    assert_eq!(letters.len(), 2, "what is known already is no dead letter");
    assert_eq!(letters[0].id, "b");
    assert_ne!(letters[1].id, "a", "that id is another message's");
    for letter in &letters {
        assert_eq!(letter.reason, Some(Reason::Refused));
        assert_eq!(letter.error.as_deref(), Some("{\"message\":\"no\"}"));
    }
    assert_eq!(world.stats(orders).ready, 1);
    world.audit();
}

#[test]
fn without_room_what_was_moved_is_taken_back_with_its_keys() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.command(row(0, 1, &[message(orders, "1")]));
    world.hold_appends = true;
    let refused = [
        world.command(row(1, 2, &[message(orders, "2")])),
        world.command(row(2, 3, &[message(orders, "3")])),
    ];
    world.fail_append(true);
    for ticket in refused {
        assert_eq!(refusal(&mut world, ticket), ErrorCode::StorageFull);
    }
    world.hold_appends = false;
    let again = world.command(row(1, 2, &[message(orders, "2")]));
    assert_eq!(told(&mut world, again).expect("answered"), Ok(0));
    let mut world = world.reopen();
    assert_eq!((world.report().moved, world.stats(orders).ready), (2, 2));
    world.audit();
}

#[test]
fn without_room_what_was_known_waits_with_what_was_not() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.enqueue_id(orders, "known", "1");
    world.hold_appends = true;
    let known = [with_id(orders, "known", "1")];
    let refused = [
        world.command(row(0, 1, &known)),
        world.command(row(1, 2, &[message(orders, "2")])),
        world.command(row(2, 3, &known)),
        world.command(row(3, 4, &[])),
    ];
    while world.held.is_some() {
        world.fail_append(true);
    }
    for ticket in refused {
        assert_eq!(refusal(&mut world, ticket), ErrorCode::StorageFull);
    }
    world.hold_appends = false;
    let again = world.command(row(0, 1, &known));
    assert_eq!(told(&mut world, again).expect("answered"), Ok(0));
    assert_eq!(world.reopen().report().moved, 1);
}

#[test]
fn the_duplicate_of_what_finds_no_room_is_not_moved_either() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.hold_appends = true;
    world.command(Command::Enqueue(with_id(orders, "a", "1")));
    let refused = world.command(row(0, 1, &[with_id(orders, "a", "1")]));
    while world.held.is_some() {
        world.fail_append(true);
    }
    assert_eq!(refusal(&mut world, refused), ErrorCode::StorageFull);
    world.hold_appends = false;
    world.enqueue(orders, "2");
    assert_eq!(world.reopen().report().moved, 0, "its message is nowhere");
}

#[test]
fn a_dead_letter_without_room_waits_for_it() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.command(row(0, 1, &[with_id(orders, "a", "1")]));
    world.hold_appends = true;
    let kept = world.command(buried(1, 2, message(orders, "2")));
    world.fail_append(true);
    assert!(told(&mut world, kept).is_none(), "it is not lost");
    world.hold_appends = false;
    world.advance(1_000);
    assert_eq!(told(&mut world, kept).expect("answered"), Ok(0));
    let mut world = world.reopen();
    assert_eq!(
        (world.report().moved, dead(&mut world, orders).len()),
        (2, 1)
    );
}

#[test]
fn how_far_was_moved_outlives_every_segment() {
    let config = Config {
        segment_bytes: 4 << 10,
        ..Config::default()
    };
    let mut world = World::with_config(config);
    let orders = world.define("orders", QueueOptions::default());
    for key in 1..=5 {
        world.command(row(key - 1, key, &[message(orders, "x")]));
    }
    for _ in 0..300 {
        world.enqueue(orders, "something else");
        for delivery in world.dequeue(orders, 10) {
            world.ack(delivery.token);
        }
        world.advance(1);
    }
    assert!(!world.removed.is_empty(), "segments were cleaned");
    assert!(world.removed.contains_key(&1));
    let mut world = world.reopen();
    assert_eq!(world.report().moved, 5);
    let stale = world.command(row(4, 5, &[message(orders, "x")]));
    assert_eq!(refusal(&mut world, stale), ErrorCode::InvalidOption);
}
