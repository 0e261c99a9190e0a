//! Purges: one record, carried out in slices. [S25]

use ackbox_core::command::*;
use ackbox_core::config::{Guarantee, QueueOptions};
use ackbox_core::consumer::policies::{PerDestination, Policies};
use ackbox_core::meter::looks;
use ackbox_core::time::Timestamp;

use crate::support::{World, message};

fn filled(count: usize) -> (World, QueueId) {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let ids: Vec<String> = (0..count).map(|index| index.to_string()).collect();
    for chunk in ids.chunks(5000) {
        let items = chunk.iter().enumerate().map(|(index, id)| Enqueue {
            id: Some(id),
            delay_ms: (index % 3 == 0).then_some(5000),
            ttl_ms: (index % 5 == 0).then_some(9000),
            group: (index % 2 == 0).then_some("g"),
            ..message(orders, "x")
        });
        world.command(Command::EnqueueMany(items.collect()));
    }
    (world, orders)
}

/// Begins a purge without letting the engine carry it out.
fn begin(world: &mut World, queue: QueueId) -> u64 {
    let ticket = world.next_ticket();
    world
        .engine
        .handle_request(Timestamp(world.now), ticket, Request::Purge { queue })
        .unwrap();
    ticket.0
}

#[test]
fn a_purge_is_one_record_and_takes_all_that_waits() {
    let (mut world, orders) = filled(9000);
    let running = world.dequeue(orders, 2);
    let records = world.box_stats().records;
    assert_eq!(world.value(Request::Purge { queue: orders }), 8998);
    assert_eq!(world.box_stats().records, records + 1);
    let stats = world.stats(orders);
    assert_eq!(
        (
            stats.ready,
            stats.scheduled,
            stats.leased,
            stats.dedup_entries
        ),
        (0, 0, 2, 2)
    );
    world.audit();
    world.advance(10_000);
    assert_eq!(world.stats(orders).expired, 0);
    for delivery in running {
        world.ack(delivery.token);
    }
    assert_eq!(world.reopen().box_stats().messages, 0);
}

#[test]
fn a_purge_is_at_once_for_everyone_who_looks() {
    let (mut world, orders) = filled(9000);
    begin(&mut world, orders);
    let stats = world.stats_now(orders);
    assert_eq!((stats.ready, stats.scheduled), (0, 0));
    let now = Timestamp(world.now);
    let ticket = world.next_ticket();
    world
        .engine
        .handle_request(
            now,
            ticket,
            Request::Get {
                queue: orders,
                id: "17".into(),
            },
        )
        .unwrap();
    let again = world.next_ticket();
    let item = Enqueue {
        id: Some("17"),
        ..message(orders, "another body")
    };
    world
        .engine
        .handle_command(now, again, Command::Enqueue(item));
    let cancel = world.next_ticket();
    world
        .engine
        .handle_request(
            now,
            cancel,
            Request::Cancel {
                queue: orders,
                id: "18".into(),
            },
        )
        .unwrap();
    world.engine.handle_timeout(now);
    assert!(world.engine.has_more(), "it is carried out in slices");
    world.run();
    assert!(
        matches!(world.answer(ticket.0), Some(Ok(ackbox_core::effect::Answer::Object(object))) if matches!(&*object, ackbox_core::effect::Object::Infos(infos) if infos.is_empty()))
    );
    assert!(matches!(
        world.answer(cancel.0),
        Some(Ok(ackbox_core::effect::Answer::Value(0)))
    ));
    assert_eq!(world.state(orders, "17"), Some(MessageState::Ready));
    assert_eq!(world.box_stats().messages, 1);
    world.audit();
    world.worker(orders, 1);
    assert_eq!(world.work_off(), ["another body"]);
}

#[test]
fn workers_that_tell_destinations_apart_see_nothing_of_what_was_purged() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let limits = PerDestination {
        concurrency: Some(1),
        ..PerDestination::default()
    };
    let policies = Policies {
        per_destination: Some(limits),
        ..Policies::default()
    };
    world.worker_with(orders, 9, policies);
    for text in ["running", "purged", "purged too"] {
        world.send(orders, "a", text);
    }
    let running = world.delivery();
    assert_eq!(world.value(Request::Purge { queue: orders }), 2);
    for destination in ["a", "b"] {
        world.send(orders, destination, destination);
    }
    world.ack(running.token);
    assert_eq!(world.work_off(), ["b", "a"]);
    world.audit();
}

#[test]
fn two_purges_and_what_comes_between() {
    let (mut world, orders) = filled(3000);
    begin(&mut world, orders);
    world.command(Command::Enqueue(message(orders, "between")));
    assert_eq!(world.value(Request::Purge { queue: orders }), 1);
    world.enqueue(orders, "after");
    assert_eq!(world.box_stats().messages, 1);
    world.audit();
    let mut world = world.reopen();
    world.worker(orders, 1);
    assert_eq!(world.work_off(), ["after"]);
}

#[test]
fn a_crash_in_the_middle_of_a_purge_finishes_it() {
    let (mut world, orders) = filled(9000);
    let ticket = begin(&mut world, orders);
    // The record becomes durable with the first slice; the crash comes before the others.
    world.engine.handle_timeout(Timestamp(world.now));
    while let Some(effect) = world.engine.poll_effect() {
        if let ackbox_core::effect::Effect::Append { segment, bytes } = effect {
            world.disk.entry(segment).or_default().extend(bytes.iter());
        }
    }
    let _ = ticket;
    let mut world = world.reopen();
    assert_eq!(world.box_stats().messages, 0);
    assert_eq!(world.stats(orders).dedup_entries, 0);
}

#[test]
fn a_purge_during_a_redrive_takes_what_is_being_redriven() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.command(Command::EnqueueMany(
        (0..5000)
            .map(|_| Enqueue {
                ttl_ms: Some(1),
                ..message(orders, "x")
            })
            .collect(),
    ));
    world.advance(2);
    assert_eq!(world.box_stats().dead_letters, 5000);
    let now = Timestamp(world.now);
    let redrive = world.next_ticket();
    world
        .engine
        .handle_request(
            now,
            redrive,
            Request::Redrive {
                queue: orders,
                filter: DeadFilter::default(),
                to: None,
                per_second_milli: None,
                forget_steps: false,
            },
        )
        .unwrap();
    world.engine.handle_timeout(now);
    assert!(world.engine.has_more());
    let purge = world.next_ticket();
    world
        .engine
        .handle_request(now, purge, Request::Purge { queue: orders })
        .unwrap();
    world.run();
    assert!(matches!(
        world.answer(purge.0),
        Some(Ok(ackbox_core::effect::Answer::Value(5000)))
    ));
    assert_eq!(
        world.box_stats().messages + world.box_stats().dead_letters,
        0
    );
    world.audit();
}

#[test]
fn a_purge_that_drops_nothing_writes_nothing() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.enqueue(orders, "x");
    let running = world.dequeue(orders, 1);
    let appends = world.appends;
    assert_eq!(world.value(Request::Purge { queue: orders }), 0);
    assert_eq!(world.appends, appends);
    world.ack(running[0].token);
}

/// What it takes to open a box with so many purges of one message beside a thousand that wait.
fn looks_to_open(purges: usize) -> u64 {
    let (mut world, _) = filled(1000);
    let mails = world.define("mails", QueueOptions::default());
    for _ in 0..purges {
        world.enqueue(mails, "x");
        assert_eq!(world.value(Request::Purge { queue: mails }), 1);
    }
    let before = looks();
    let mut world = world.reopen();
    let looked = looks() - before;
    assert_eq!(world.box_stats().messages, 1000);
    assert_eq!(world.stats(mails).bytes, 0);
    looked
}

#[test]
fn replaying_a_purge_looks_at_what_it_dropped_only() {
    let a_purge = (looks_to_open(200) - looks_to_open(0)) / 200;
    assert!(a_purge < 50, "one purge looks {a_purge} times at messages");
}

#[test]
fn an_id_that_was_purged_is_free_for_those_who_replay() {
    for finishes in [false, true] {
        let (mut world, orders) = filled(100);
        world.value(Request::Purge { queue: orders });
        assert!(!world.enqueue_id(orders, "17", "y").0);
        if finishes {
            world.worker(orders, 1);
            assert_eq!(world.work_off(), ["y"]);
        }
        world.audit();
        let mut world = world.reopen();
        assert_eq!(
            world.state(orders, "17"),
            Some(if finishes {
                MessageState::Completed
            } else {
                MessageState::Ready
            })
        );
        assert_eq!(world.stats(orders).dedup_entries, 1);
    }
}

#[test]
fn the_ids_that_a_purge_drops_hinder_no_switch_to_exactly_once() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let many = (0..5000).map(|_| message(orders, "x")).collect();
    world.command(Command::EnqueueMany(many));
    let (now, purging, switching) = (
        Timestamp(world.now),
        world.next_ticket(),
        world.next_ticket(),
    );
    let purge = Request::Purge { queue: orders };
    world.engine.handle_request(now, purging, purge).unwrap();
    let switch = Request::DefineQueue {
        name: "orders".to_owned(),
        options: QueueOptions {
            guarantee: Some(Guarantee::ExactlyOnce),
            ..QueueOptions::default()
        },
    };
    let switched = world.engine.handle_request(now, switching, switch);
    assert!(switched.is_ok(), "before its slices: {switched:?}");
    world.run();
    world.audit();
}
