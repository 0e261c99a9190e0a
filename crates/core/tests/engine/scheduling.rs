//! Messages that wait for their time.

use ackbox_core::command::*;
use ackbox_core::config::QueueOptions;
use ackbox_core::time::Timestamp;

use crate::support::{T0, World, message};

#[test]
fn a_delayed_message_is_delivered_when_its_delay_is_over() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.worker(orders, 9);
    let (_, state, id) = world
        .try_enqueue(Enqueue {
            delay_ms: Some(500),
            ..message(orders, "later")
        })
        .unwrap();
    assert_eq!(state, MessageState::Scheduled);
    assert_eq!(
        world.get(orders, &id).unwrap().due_at,
        Some(Timestamp(T0 + 500))
    );
    world.advance(499);
    assert!(world.deliveries.is_empty());
    world.advance(1);
    assert_eq!(world.delivered(), ["later"]);
}

#[test]
fn an_absolute_time_survives_reopening_and_one_in_the_past_means_now() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world
        .try_enqueue(Enqueue {
            at: Some(Timestamp(T0 + 1000)),
            ..message(orders, "future")
        })
        .unwrap();
    world
        .try_enqueue(Enqueue {
            at: Some(Timestamp(5)),
            ..message(orders, "past")
        })
        .unwrap();
    let mut world = world.reopen();
    world.worker(orders, 9);
    assert_eq!(world.delivered(), ["past"]);
    world.advance(999);
    assert!(world.deliveries.is_empty());
    world.advance(1);
    assert_eq!(world.delivered(), ["future"]);
}

#[test]
fn messages_that_fall_due_together_keep_their_order() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    for (body, delay) in [("a", 30), ("b", 20), ("c", 10)] {
        world
            .try_enqueue(Enqueue {
                delay_ms: Some(delay),
                ..message(orders, body)
            })
            .unwrap();
    }
    world.now += 30;
    world.run();
    world.worker(orders, 1);
    assert_eq!(
        world.work_off(),
        ["a", "b", "c"],
        "all were due when the first one was claimed"
    );
}

#[test]
fn retry_now_makes_a_scheduled_message_ready_durably() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let (.., id) = world
        .try_enqueue(Enqueue {
            delay_ms: Some(60_000),
            ..message(orders, "x")
        })
        .unwrap();
    assert_eq!(
        world.value(Request::RetryNow {
            queue: orders,
            id: id.clone()
        }),
        1
    );
    assert_eq!(
        world.value(Request::RetryNow {
            queue: orders,
            id: id.clone()
        }),
        0,
        "it is ready already"
    );
    assert_eq!(
        world.value(Request::RetryNow {
            queue: orders,
            id: "unknown".into()
        }),
        0
    );
    world.audit();
    let mut world = world.reopen();
    assert_eq!(world.state(orders, &id), Some(MessageState::Ready));
}

#[test]
fn queues_that_have_something_to_do_at_once_share_slices() {
    const QUEUES: usize = 3000;
    let mut world = World::new();
    let queues: Vec<QueueId> = (0..QUEUES)
        .map(|number| world.define(&format!("queue-{number}"), QueueOptions::default()))
        .collect();
    let at = Some(Timestamp(T0 + 10));
    for &queue in &queues {
        world.worker(queue, 1);
        world.command(Command::Enqueue(Enqueue {
            at,
            ..message(queue, "x")
        }));
    }
    world.now += 10;
    let started = |world: &mut World| {
        let stats = queues.iter().map(|queue| world.stats_now(*queue));
        stats.fold((0, 0), |(scheduled, leased), stats| {
            (scheduled + stats.scheduled, leased + stats.leased)
        })
    };
    world.engine.handle_timeout(Timestamp(world.now));
    assert!(world.engine.has_more());
    let (scheduled, leased) = started(&mut world);
    assert!(
        scheduled >= 1900,
        "{scheduled} queues wait for a later slice"
    );
    assert!(leased <= 1000, "{leased} messages were claimed");
    world.run();
    assert_eq!(started(&mut world), (0, QUEUES as u64));
    world.audit();
}

#[test]
fn a_backlog_that_falls_due_at_once_is_moved_in_slices() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let at = Some(Timestamp(T0 + 10));
    let items = (0..5000)
        .map(|_| Enqueue {
            at,
            ..message(orders, "x")
        })
        .collect();
    world.command(Command::EnqueueMany(items));
    world.now += 10;
    world.engine.handle_timeout(Timestamp(world.now));
    assert!(
        world.engine.has_more(),
        "5,000 messages are more than one step moves"
    );
    assert!(
        world.stats_now(orders).scheduled >= 3000,
        "one step moves a slice only"
    );
    world.run();
    assert_eq!(world.stats(orders).ready, 5000);
}
