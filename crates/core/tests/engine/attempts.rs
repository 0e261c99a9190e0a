//! Attempts and their history. [S26]

use ackbox_core::command::*;
use ackbox_core::config::{Config, QueueOptions};
use ackbox_core::effect::AttemptInfo;
use ackbox_core::policy::backoff::{Backoff, Jitter};
use ackbox_core::time::Timestamp;

use crate::support::{T0, World};

fn quick(max_attempts: u32) -> QueueOptions {
    QueueOptions {
        max_attempts: Some(max_attempts),
        backoff: Some(Backoff::Constant {
            ms: 10,
            jitter: Jitter::None,
        }),
        ..QueueOptions::default()
    }
}

/// A world in which cleaning soon moves what stays.
fn small_segments() -> World {
    World::with_config(Config {
        segment_bytes: 4096,
        ..Config::default()
    })
}

#[test]
fn the_last_thirty_two_attempts_are_kept_with_four_kilobytes_of_error_each() {
    let mut world = World::new();
    let orders = world.define("orders", quick(40));
    world.worker(orders, 1);
    world.enqueue(orders, "x");
    for _ in 0..40 {
        let delivery = world.delivery();
        let error = vec![b'e'; 5000];
        world
            .settle_with(
                delivery.token,
                Verdict::Reject { delay_ms: None },
                true,
                b"",
                &error,
            )
            .unwrap();
        world.advance(10);
    }
    world.audit();
    let mut world = world.reopen();
    let dead = world.dead(orders).remove(0);
    let attempts: Vec<_> = dead.history.iter().map(|attempt| attempt.attempt).collect();
    assert_eq!(attempts, (9..=40).collect::<Vec<_>>());
    assert!(
        dead.history
            .iter()
            .all(|attempt| attempt.error.as_ref().unwrap().len() == 4096)
    );
    assert_eq!(dead.error.unwrap().len(), 4096);
}

#[test]
fn each_attempt_tells_when_it_began_and_ended_and_why() {
    let mut world = World::new();
    let orders = world.define("orders", quick(3));
    world.worker(orders, 1);
    world.enqueue(orders, "x");
    let first = world.delivery();
    world.advance(100);
    world.reject(first.token);
    world.advance(10);
    world.delivery();
    world.advance(1);
    let mut world = world.reopen();
    let info = world.peek(orders, Some(MessageState::Ready)).remove(0);
    let seen: Vec<_> = info
        .history
        .iter()
        .map(|at| (at.attempt, at.started_at, at.ended_at, at.reason))
        .collect();
    assert_eq!(
        seen,
        [
            (1, Timestamp(T0), Timestamp(T0 + 100), Reason::Exhausted),
            (
                2,
                Timestamp(T0 + 110),
                Timestamp(T0 + 110),
                Reason::OwnerDied
            ),
        ]
    );
}

#[test]
fn a_handler_that_settled_by_hand_keeps_its_message_from_running_twice() {
    let mut world = World::new();
    let orders = world.define("orders", quick(3));
    world.worker(orders, 5);
    world.enqueue(orders, "x");
    let first = world.delivery();
    world
        .settle_with(
            first.token,
            Verdict::Reject { delay_ms: None },
            false,
            b"",
            b"",
        )
        .unwrap();
    world.advance(1000);
    assert!(world.deliveries.is_empty(), "its handler still runs");
    assert_eq!(world.dequeue(orders, 1).len(), 0, "for nobody");
    world.command(Command::Returned { token: first.token });
    assert_eq!(world.delivery().attempt, 2);
}

#[test]
fn a_message_given_back_by_hand_waits_for_its_handler_over_purge_and_cancel() {
    for cancels in [false, true] {
        let mut world = World::new();
        let orders = world.define("orders", quick(3));
        world.worker(orders, 5);
        let (.., id) = world.enqueue_id(orders, "x", "x");
        let first = world.delivery();
        world
            .settle_with(first.token, Verdict::Return, false, b"", b"")
            .unwrap();
        let request = if cancels {
            Request::Cancel { queue: orders, id }
        } else {
            Request::Purge { queue: orders }
        };
        assert_eq!(world.value(request), 1);
        world.audit();
        world.command(Command::Returned { token: first.token });
        assert!(world.deliveries.is_empty());
        assert_eq!(world.box_stats().messages, 0);
        world.audit();
    }
}

#[test]
fn a_slot_is_free_when_the_handler_returned_not_when_it_settled() {
    let mut world = World::new();
    let orders = world.define("orders", quick(3));
    world.worker(orders, 1);
    world.enqueue(orders, "a");
    world.enqueue(orders, "b");
    let first = world.delivery();
    world
        .settle_with(first.token, Verdict::Ack, false, b"", b"")
        .unwrap();
    assert!(world.deliveries.is_empty());
    world.command(Command::Returned { token: first.token });
    assert_eq!(world.delivered(), ["b"]);
}

/// What a waiting message tells of its attempts: when each began and ended.
fn times(world: &mut World, queue: QueueId) -> Vec<(u64, u64)> {
    let info = world.peek(queue, Some(MessageState::Ready)).remove(0);
    let times = |attempt: &AttemptInfo| (attempt.started_at.0, attempt.ended_at.0);
    info.history.iter().map(times).collect()
}

#[test]
fn an_attempt_whose_owner_died_ended_with_the_last_that_it_wrote() {
    let mut world = small_segments();
    let orders = world.define("orders", quick(9));
    world.enqueue(orders, "x");
    let started = world.now;
    world.dequeue(orders, 1);
    world.advance(70);
    world.enqueue(orders, "y");
    let ended = world.now;
    world.advance(1000);
    for later in 0..3 {
        world = world.reopen();
        assert_eq!(times(&mut world, orders), [(started, ended)]);
        world.advance(500);
        if later == 1 {
            // The opening is journaled, and what a segment begins with is in front of it.
            world.enqueue(orders, &"b".repeat(4000));
            assert_eq!(world.disk.len(), 2);
        }
    }
    // Nor does it matter who moved the message in between.
    let mails = world.define("mails", quick(9));
    let before = world.box_stats().cleaned_segments;
    while world.box_stats().cleaned_segments < before + 3 {
        world.enqueue(mails, &"b".repeat(1000));
        world.value(Request::Purge { queue: mails });
    }
    assert_eq!(times(&mut world.reopen(), orders), [(started, ended)]);
}

#[test]
fn a_delivery_that_is_moved_while_it_runs_keeps_its_start() {
    let mut world = small_segments();
    let orders = world.define("orders", quick(9));
    world.worker(orders, 1);
    world.enqueue(orders, "x");
    let (first, began) = (world.delivery(), world.now);
    world.advance(5);
    let failed = world.now;
    world.reject(first.token);
    world.advance(100);
    let again = world.now - 100 + 10;
    world.delivery();
    let mails = world.define("mails", quick(9));
    while world.box_stats().cleaned_segments < 3 {
        world.enqueue(mails, &"b".repeat(1000));
        world.value(Request::Purge { queue: mails });
    }
    let ended = world.now;
    let mut world = world.reopen();
    assert_eq!(times(&mut world, orders), [(began, failed), (again, ended)]);
}
