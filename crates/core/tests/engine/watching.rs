//! Hints that a queue shows something else, and the look that follows. [A6 watch]

use ackbox_core::command::*;
use ackbox_core::config::{DedupOptions, QueueOptions};
use ackbox_core::effect::EventKind;
use ackbox_core::error::ErrorCode;

use crate::support::{World, message};

fn watched(options: QueueOptions) -> (World, QueueId) {
    let mut world = World::new();
    let orders = world.define("orders", options);
    world.at_once(Request::Listen {
        queue: orders,
        events: 1 << EventKind::Changed as u32,
    });
    (world, orders)
}

/// How many hints there were since the last call.
fn hints(world: &mut World) -> usize {
    let events = std::mem::take(&mut world.events);
    assert!(events.iter().all(|event| event.kind == EventKind::Changed));
    events.len()
}

fn select(
    world: &mut World,
    queue: QueueId,
    ids: Option<&[&str]>,
    states: Option<&[MessageState]>,
    limit: u32,
) -> Vec<(String, MessageState)> {
    let request = Request::Select {
        queue,
        ids: ids.map(|ids| ids.iter().map(|id| (*id).to_owned()).collect()),
        states: states.map(<[MessageState]>::to_vec),
        limit,
    };
    let infos = world.infos(request).into_iter();
    infos.map(|info| (info.id, info.state)).collect()
}

#[test]
fn every_change_of_a_message_gives_a_hint() {
    let (mut world, orders) = watched(QueueOptions::default());
    let id = || "a".to_owned();
    let mut steps = vec![];
    let mut step = |world: &mut World, what: &'static str| steps.push((what, hints(world) > 0));

    world.enqueue_id(orders, "a", "x");
    step(&mut world, "enqueued");
    let delivery = world.dequeue(orders, 1).remove(0);
    step(&mut world, "claimed");
    world.reject(delivery.token);
    step(&mut world, "retried");
    world.value(Request::RetryNow {
        queue: orders,
        id: id(),
    });
    step(&mut world, "retried now");
    let delivery = world.dequeue(orders, 1).remove(0);
    hints(&mut world);
    world.settle(delivery.token, Verdict::Return).unwrap();
    step(&mut world, "returned");
    let delivery = world.dequeue(orders, 1).remove(0);
    hints(&mut world);
    world
        .settle(delivery.token, Verdict::Dead(Reason::Permanent))
        .unwrap();
    step(&mut world, "dead");
    world.redrive(orders, DeadFilter::default());
    step(&mut world, "redriven");
    let delivery = world.dequeue(orders, 1).remove(0);
    world
        .settle(delivery.token, Verdict::Dead(Reason::Permanent))
        .unwrap();
    hints(&mut world);
    world.value(Request::RemoveDead {
        queue: orders,
        filter: DeadFilter::default(),
    });
    step(&mut world, "removed");
    world.enqueue_id(orders, "a", "x");
    hints(&mut world);
    world.value(Request::Cancel {
        queue: orders,
        id: id(),
    });
    step(&mut world, "cancelled");
    world.enqueue_id(orders, "a", "x");
    hints(&mut world);
    world.value(Request::Purge { queue: orders });
    step(&mut world, "purged");
    world.enqueue_id(orders, "a", "x");
    let delivery = world.dequeue(orders, 1).remove(0);
    hints(&mut world);
    world.ack(delivery.token);
    step(&mut world, "completed");
    world.value(Request::Forget {
        queue: orders,
        id: id(),
    });
    step(&mut world, "forgotten");

    let missed: Vec<_> = steps.iter().filter(|(_, told)| !told).collect();
    assert!(missed.is_empty(), "no hint: {missed:?}");
}

#[test]
fn time_alone_gives_hints() {
    let dedup = DedupOptions {
        window_ms: Some(1000),
        ..DedupOptions::default()
    };
    let (mut world, orders) = watched(QueueOptions {
        dedup: Some(dedup),
        ..QueueOptions::default()
    });
    let later = Enqueue {
        delay_ms: Some(5),
        ttl_ms: Some(50),
        id: Some("a"),
        ..message(orders, "x")
    };
    world.try_enqueue(later).unwrap();
    hints(&mut world);
    world.advance(5);
    assert_eq!(hints(&mut world), 1, "ready");
    let delivery = world.dequeue(orders, 1).remove(0);
    world.ack(delivery.token);
    hints(&mut world);
    world.advance(1000);
    assert_eq!(hints(&mut world), 1, "its id is forgotten");
    let short = Enqueue {
        ttl_ms: Some(50),
        ..message(orders, "x")
    };
    world.try_enqueue(short).unwrap();
    hints(&mut world);
    world.advance(51);
    assert_eq!(hints(&mut world), 1, "expired");
}

#[test]
fn one_step_gives_one_hint_and_other_queues_give_none() {
    let (mut world, orders) = watched(QueueOptions::default());
    let others = world.define("others", QueueOptions::default());
    world.worker(orders, 5);
    hints(&mut world);
    let items = vec![message(orders, "x"); 100];
    world.hold_appends = true;
    world.command(Command::EnqueueMany(items));
    assert_eq!(hints(&mut world), 1);
    world.hold_appends = false;
    world.land();
    hints(&mut world);
    world.enqueue(others, "x");
    assert_eq!(hints(&mut world), 0, "an append alone changes nothing");
}

#[test]
fn who_does_not_watch_gets_no_hint() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.listen(orders);
    world.enqueue(orders, "x");
    assert!(world.events_of(EventKind::Changed).is_empty());
}

#[test]
fn messages_are_selected_by_state_in_the_order_of_a_look() {
    use MessageState::{Dead, Leased, Ready, Scheduled};
    let (mut world, orders) = watched(QueueOptions::default());
    for id in ["dead", "leased", "ready", "ready2"] {
        world.enqueue_id(orders, id, "x");
    }
    let taken = world.dequeue(orders, 2);
    world
        .settle(taken[0].token, Verdict::Dead(Reason::Permanent))
        .unwrap();
    let later = Enqueue {
        id: Some("later"),
        delay_ms: Some(5),
        ..message(orders, "x")
    };
    world.try_enqueue(later).unwrap();
    let all = [
        ("leased".to_owned(), Leased),
        ("ready".to_owned(), Ready),
        ("ready2".to_owned(), Ready),
        ("later".to_owned(), Scheduled),
        ("dead".to_owned(), Dead),
    ];
    assert_eq!(select(&mut world, orders, None, None, 100), all);
    assert_eq!(select(&mut world, orders, None, None, 2), all[..2]);
    let some = select(&mut world, orders, None, Some(&[Dead, Ready]), 100);
    assert_eq!(some, [all[1].clone(), all[2].clone(), all[4].clone()]);
    assert!(select(&mut world, orders, None, Some(&[]), 100).is_empty());
}

#[test]
fn messages_are_selected_by_id_finished_ones_too() {
    use MessageState::{Completed, Ready};
    let (mut world, orders) = watched(QueueOptions::default());
    world.enqueue_id(orders, "a", "x");
    world.enqueue_id(orders, "b", "x");
    let taken = world.dequeue(orders, 1).remove(0);
    world.ack(taken.token);
    let ids = ["a", "never", "b", "b"];
    let both = [("b".to_owned(), Ready), ("a".to_owned(), Completed)];
    assert_eq!(select(&mut world, orders, Some(&ids), None, 100), both);
    assert_eq!(select(&mut world, orders, Some(&ids), None, 1), both[..1]);
    let completed = select(&mut world, orders, Some(&ids), Some(&[Completed]), 100);
    assert_eq!(completed, both[1..]);
    let too_many = Request::Select {
        queue: orders,
        ids: Some(vec!["a".to_owned(); 1001]),
        states: None,
        limit: 1,
    };
    let refused = world.request(too_many).unwrap_err();
    assert_eq!(refused.code, ErrorCode::InvalidOption);
}
