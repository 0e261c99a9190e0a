//! Workers that end by themselves once nothing is ready. [A3 drain]

use ackbox_core::command::*;
use ackbox_core::config::{Guarantee, QueueOptions};
use ackbox_core::effect::*;

use crate::support::{World, body, message};

/// A drain under way: its worker and the ticket of its answer.
pub struct Draining {
    worker: WorkerId,
    ticket: u64,
}

fn drain(world: &mut World, queue: QueueId, concurrency: u32) -> Draining {
    let worker = world.worker(queue, concurrency);
    drain_by(world, worker)
}

pub fn drain_by(world: &mut World, worker: WorkerId) -> Draining {
    let ticket = world.request(Request::DrainWorker { worker }).unwrap();
    Draining { worker, ticket }
}

pub fn outcome(world: &mut World, draining: &Draining) -> Option<Drained> {
    match world.answer(draining.ticket)? {
        Ok(Answer::Object(object)) => match *object {
            Object::Drained(drained) => Some(drained),
            other => panic!("expected what was drained, got {other:?}"),
        },
        other => panic!("expected what was drained, got {other:?}"),
    }
}

pub fn drained(completed: u64, retried: u64, dead: u64, remaining: u64) -> Option<Drained> {
    Some(Drained {
        completed,
        retried,
        dead,
        remaining,
    })
}

fn grouped<'a>(queue: QueueId, group: &'a str, body: &'a str) -> Enqueue<'a> {
    Enqueue {
        group: Some(group),
        ..message(queue, body)
    }
}

#[test]
fn an_empty_queue_is_drained_at_once() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let draining = drain(&mut world, orders, 1);
    assert_eq!(outcome(&mut world, &draining), drained(0, 0, 0, 0));
    let gone = Request::CloseWorker {
        worker: draining.worker,
    };
    assert_eq!(world.value(gone), 0, "the worker has ended");
}

#[test]
fn what_became_of_its_deliveries_is_counted() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    for text in ["done", "fails", "hopeless", "comes back"] {
        world.enqueue(orders, text);
    }
    let draining = drain(&mut world, orders, 2);
    while let Some(delivery) = world.deliveries.pop_front() {
        let verdict = match (body(&delivery).as_str(), delivery.attempt) {
            ("fails", _) => Verdict::Reject { delay_ms: None },
            ("hopeless", _) => Verdict::Dead(Reason::Permanent),
            ("comes back", 1) => Verdict::Reject { delay_ms: Some(0) },
            _ => Verdict::Ack,
        };
        world.settle(delivery.token, verdict).unwrap();
    }
    assert_eq!(
        outcome(&mut world, &draining),
        drained(2, 2, 1, 1),
        "what failed waits for its retry"
    );
}

#[test]
fn what_becomes_ready_meanwhile_is_handled_too() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let soon = Enqueue {
        delay_ms: Some(5),
        ..message(orders, "soon")
    };
    world.try_enqueue(soon).unwrap();
    world.enqueue(orders, "first");
    let draining = drain(&mut world, orders, 1);
    let first = world.delivery();
    world.enqueue(orders, "later");
    world.advance(5);
    world.ack(first.token);
    for expected in ["soon", "later"] {
        assert_eq!(outcome(&mut world, &draining), None);
        let delivery = world.delivery();
        assert_eq!(body(&delivery), expected);
        world.ack(delivery.token);
    }
    assert_eq!(outcome(&mut world, &draining), drained(3, 0, 0, 0));
}

#[test]
fn it_ends_when_its_last_settlement_is_durable_and_takes_what_came_until_then() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let others = world.define("others", QueueOptions::default());
    world.enqueue(orders, "first");
    let draining = drain(&mut world, orders, 1);
    let first = world.delivery();
    world.hold_appends = true;
    let settle = Settle {
        token: first.token,
        verdict: Verdict::Ack,
        returned: true,
        result: b"",
        error: b"",
    };
    world.command(Command::Settle(settle));
    assert_eq!(outcome(&mut world, &draining), None);
    world.command(Command::Enqueue(message(orders, "late")));
    world.land();
    assert_eq!(outcome(&mut world, &draining), None);
    world.land();
    let late = world.delivery();
    assert_eq!(body(&late), "late");
    world.command(Command::Settle(Settle {
        token: late.token,
        verdict: Verdict::Ack,
        returned: true,
        result: b"",
        error: b"",
    }));
    assert_eq!(outcome(&mut world, &draining), None, "not durable yet");
    // Traffic of other queues does not put the end off.
    world.command(Command::Enqueue(message(others, "x")));
    world.land();
    assert_eq!(outcome(&mut world, &draining), drained(2, 0, 0, 0));
}

#[test]
fn it_waits_behind_a_busy_head_and_leaves_what_waits_behind_a_retry() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    for text in ["a1", "a2"] {
        world.try_enqueue(grouped(orders, "a", text)).unwrap();
    }
    let elsewhere = world.dequeue(orders, 1).remove(0);
    let draining = drain(&mut world, orders, 5);
    assert!(world.deliveries.is_empty());
    assert_eq!(outcome(&mut world, &draining), None, "a2 waits for a1");
    world.ack(elsewhere.token);
    let a2 = world.delivery();
    for text in ["a3", "a4"] {
        world.try_enqueue(grouped(orders, "a", text)).unwrap();
    }
    world.reject(a2.token);
    assert_eq!(
        outcome(&mut world, &draining),
        drained(0, 1, 0, 3),
        "a2 waits for its retry, a3 and a4 for a2"
    );
}

#[test]
fn who_waits_behind_a_busy_head_may_be_purged_cancelled_or_postponed_again() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    for (id, group) in [("a1", "a"), ("a2", "a"), ("b1", "b"), ("b2", "b")] {
        let enqueue = Enqueue {
            id: Some(id),
            ..grouped(orders, group, "x")
        };
        world.try_enqueue(enqueue).unwrap();
    }
    let heads = world.dequeue(orders, 2);
    let first = drain(&mut world, orders, 5);
    let cancel = Request::Cancel {
        queue: orders,
        id: "a2".to_owned(),
    };
    assert_eq!(world.value(cancel), 1);
    assert_eq!(outcome(&mut world, &first), None, "b2 still waits for b1");
    assert_eq!(world.value(Request::Purge { queue: orders }), 1);
    assert_eq!(outcome(&mut world, &first), drained(0, 0, 0, 2));
    // The counts of the groups start anew behind the purge.
    world.try_enqueue(grouped(orders, "a", "a3")).unwrap();
    let second = drain(&mut world, orders, 5);
    assert_eq!(outcome(&mut world, &second), None, "a3 waits for a1");
    world.reject(heads[0].token);
    assert_eq!(outcome(&mut world, &second), drained(0, 0, 0, 3));
    world.ack(heads[1].token);
    world.audit();
}

#[test]
fn it_ends_once_nobody_waits_behind_a_busy_head_any_more() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    for id in ["a1", "a2"] {
        let enqueue = Enqueue {
            id: Some(id),
            ..grouped(orders, "a", id)
        };
        world.try_enqueue(enqueue).unwrap();
    }
    let head = world.dequeue(orders, 1).remove(0);
    let draining = drain(&mut world, orders, 5);
    assert_eq!(outcome(&mut world, &draining), None, "a2 waits for a1");
    let id = "a2".to_owned();
    let cancel = Request::Cancel { queue: orders, id };
    assert_eq!(world.value(cancel), 1);
    assert_eq!(outcome(&mut world, &draining), drained(0, 0, 0, 1));
    world.ack(head.token);
    world.try_enqueue(grouped(orders, "a", "a3")).unwrap();
    let a3 = world.dequeue(orders, 1).remove(0);
    let next = drain(&mut world, orders, 5);
    assert_eq!(outcome(&mut world, &next), drained(0, 0, 0, 1));
    world.ack(a3.token);
}

#[test]
fn suspects_are_drained_one_at_a_time_however_long_they_wait() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let others = world.define("others", QueueOptions::default());
    for text in ["s1", "s2"] {
        world.enqueue(orders, text);
    }
    world.enqueue(others, "x");
    world.worker(orders, 2);
    world.deliveries.clear();
    let mut world = world.reopen();
    assert_eq!(world.dequeue(others, 1).len(), 1);
    let draining = drain(&mut world, orders, 5);
    assert!(world.deliveries.is_empty(), "suspects wait for quiet");
    for expected in ["s1", "s2"] {
        assert_eq!(outcome(&mut world, &draining), None);
        world.advance(1000);
        let delivery = world.delivery();
        assert_eq!(body(&delivery), expected);
        world.ack(delivery.token);
    }
    assert_eq!(outcome(&mut world, &draining), drained(2, 0, 0, 0));
}

#[test]
fn a_paused_queue_ends_a_drain_and_keeps_its_messages() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    for text in ["1", "2"] {
        world.enqueue(orders, text);
    }
    let draining = drain(&mut world, orders, 1);
    world.value(Request::PauseQueue { queue: orders });
    assert_eq!(outcome(&mut world, &draining), None, "a handler runs");
    let running = world.delivery();
    world.ack(running.token);
    assert_eq!(outcome(&mut world, &draining), drained(1, 0, 0, 1));
}

#[test]
fn a_drain_that_is_closed_tells_what_it_has_done() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    for text in ["1", "2", "3"] {
        world.enqueue(orders, text);
    }
    let draining = drain(&mut world, orders, 1);
    let first = world.delivery();
    world.ack(first.token);
    let worker = draining.worker;
    let closing = world.request(Request::CloseWorker { worker }).unwrap();
    assert!(world.answer(closing).is_none(), "a handler runs");
    let second = world.delivery();
    world.settle(second.token, Verdict::Return).unwrap();
    assert!(matches!(world.answer(closing), Some(Ok(Answer::Value(1)))));
    assert_eq!(outcome(&mut world, &draining), drained(1, 0, 0, 2));
}

#[test]
fn at_most_once_counts_what_its_handlers_finished() {
    let mut world = World::new();
    let options = QueueOptions {
        guarantee: Some(Guarantee::AtMostOnce),
        ..QueueOptions::default()
    };
    let orders = world.define("orders", options);
    for text in ["1", "2"] {
        world.try_enqueue(grouped(orders, "g", text)).unwrap();
    }
    let draining = drain(&mut world, orders, 2);
    let first = world.delivery();
    assert_eq!(
        outcome(&mut world, &draining),
        None,
        "the second waits for the first"
    );
    let failed = Settle {
        token: first.token,
        verdict: Verdict::Reject { delay_ms: None },
        returned: true,
        result: b"",
        error: b"",
    };
    let now = ackbox_core::time::Timestamp(world.now);
    world
        .engine
        .handle_command(now, Ticket(0), Command::Settle(failed));
    world.run();
    let second = world.delivery();
    world.ack(second.token);
    assert_eq!(
        outcome(&mut world, &draining),
        drained(1, 0, 0, 0),
        "a failure is final: neither retried nor dead"
    );
}

#[test]
fn a_failed_storage_refuses_who_waits_for_a_drain() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.enqueue(orders, "1");
    let draining = drain(&mut world, orders, 1);
    world.hold_appends = true;
    world.command(Command::Enqueue(message(orders, "2")));
    world.fail_append(false);
    assert!(matches!(world.answer(draining.ticket), Some(Err(_))));
}
