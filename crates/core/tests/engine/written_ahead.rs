//! Starts that are written before a slot is free. [S1]

use ackbox_core::command::*;
use ackbox_core::config::{Guarantee, QueueOptions};

use crate::support::{World, message};

/// A world with a backlog behind `running` handlers, of which `returned` come back during one append.
fn backlog(options: QueueOptions, running: u32, returned: usize) -> (World, QueueId, WorkerId) {
    let mut world = World::new();
    let orders = world.define("orders", options);
    world.command(Command::EnqueueMany(
        (0..100).map(|_| message(orders, "x")).collect(),
    ));
    let worker = world.worker(orders, running);
    let tokens: Vec<Token> = world
        .deliveries
        .drain(..)
        .map(|delivery| delivery.token)
        .collect();
    assert_eq!(tokens.len(), running as usize);
    world.hold_appends = true;
    world.command(Command::Enqueue(message(orders, "in flight")));
    for token in &tokens[..returned] {
        let settle = Settle {
            token: *token,
            verdict: Verdict::Ack,
            returned: true,
            result: b"",
            error: b"",
        };
        world.command(Command::Settle(settle));
    }
    world.land();
    (world, orders, worker)
}

/// Deliveries that a crash at this moment would count as interrupted.
fn interrupted_by_a_crash(world: World) -> u64 {
    world.reopen().report().interrupted
}

#[test]
fn as_many_are_written_ahead_as_handlers_returned_during_the_last_append() {
    let (mut world, ..) = backlog(QueueOptions::default(), 10, 4);
    world.land();
    assert_eq!(world.delivered().len(), 4, "the slots that were free");
    while world.held.is_some() {
        world.land();
    }
    assert_eq!(world.delivered().len(), 0);
    assert_eq!(
        interrupted_by_a_crash(world),
        10 + 4,
        "10 run, 4 were written ahead"
    );
}

#[test]
fn what_was_written_ahead_starts_without_waiting_for_an_append() {
    let (mut world, ..) = backlog(QueueOptions::default(), 10, 4);
    while world.held.is_some() {
        world.land();
    }
    let next = world.deliveries.pop_front().unwrap();
    world.deliveries.clear();
    let settle = Settle {
        token: next.token,
        verdict: Verdict::Ack,
        returned: true,
        result: b"",
        error: b"",
    };
    world.command(Command::Settle(settle));
    assert_eq!(
        world.deliveries.len(),
        1,
        "its start was durable before the slot was free"
    );
}

#[test]
fn nothing_is_written_ahead_in_at_most_once_or_for_a_last_attempt() {
    let at_most_once = QueueOptions {
        guarantee: Some(Guarantee::AtMostOnce),
        ..QueueOptions::default()
    };
    let last_attempt = QueueOptions {
        max_attempts: Some(1),
        ..QueueOptions::default()
    };
    let (mut world, orders, _) = backlog(at_most_once, 10, 4);
    while world.held.is_some() {
        world.land();
    }
    assert_eq!(world.delivered().len(), 4);
    assert_eq!(world.stats(orders).ready, 101 - 14, "others wait unclaimed");
    let (mut world, ..) = backlog(last_attempt, 10, 4);
    while world.held.is_some() {
        world.land();
    }
    assert_eq!(world.delivered().len(), 4);
    assert_eq!(interrupted_by_a_crash(world), 10);
}

#[test]
fn pause_and_close_take_it_back_without_cost() {
    for request in [0, 1, 2, 3] {
        let (mut world, orders, worker) = backlog(QueueOptions::default(), 10, 4);
        while world.held.is_some() {
            world.land();
        }
        world.hold_appends = false;
        match request {
            0 => drop(world.at_once(Request::PauseWorker { worker })),
            1 => drop(world.request(Request::CloseWorker { worker })),
            2 => drop(world.request(Request::Close {})),
            _ => drop(world.request(Request::PauseQueue { queue: orders })),
        }
        assert_eq!(world.stats(orders).leased, 10, "only those that run");
        let mut world = world.reopen();
        assert_eq!(world.report().interrupted, 10);
        let attempts: Vec<u32> = world
            .peek(orders, None)
            .iter()
            .filter_map(|info| info.attempt)
            .collect();
        assert_eq!(
            attempts.iter().filter(|attempt| **attempt == 1).count(),
            10,
            "those that ran"
        );
        assert_eq!(attempts.iter().filter(|attempt| **attempt > 1).count(), 0);
    }
}

#[test]
fn an_attempt_is_never_too_low_and_at_most_one_too_high_after_a_crash() {
    let (mut world, orders, _) = backlog(QueueOptions::default(), 10, 4);
    while world.held.is_some() {
        world.land();
    }
    let running: Vec<String> = world
        .peek(orders, Some(MessageState::Leased))
        .iter()
        .map(|info| info.id.clone())
        .collect();
    let mut world = world.reopen();
    for info in world.peek(orders, None) {
        let ran = running.contains(&info.id);
        let attempt = info.attempt.expect("it is live");
        assert!(attempt <= 1 && (!ran || attempt == 1), "{info:?}");
    }
}

#[test]
fn starts_are_taken_in_turn_by_workers() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let workers = [world.worker(orders, 2), world.worker(orders, 2)];
    for _ in 0..4 {
        world.enqueue(orders, "x");
    }
    let to: Vec<_> = world
        .deliveries
        .iter()
        .map(|delivery| delivery.to)
        .collect();
    let each = |worker| {
        to.iter()
            .filter(|to| **to == ackbox_core::effect::Recipient::Worker(worker))
            .count()
    };
    assert_eq!(workers.map(each), [2, 2]);
    assert_ne!(to[0], to[1], "in turn");
}
