//! Pauses of queues and workers.

use ackbox_core::command::*;
use ackbox_core::config::QueueOptions;
use ackbox_core::effect::EventKind;

use crate::support::World;

#[test]
fn a_paused_queue_delivers_nothing_over_reopening_until_it_is_resumed() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.listen(orders);
    world.enqueue(orders, "x");
    world.value(Request::PauseQueue { queue: orders });
    world.value(Request::PauseQueue { queue: orders });
    assert_eq!(
        world.events_of(EventKind::Paused).len(),
        1,
        "the second pause changes nothing"
    );
    world.worker(orders, 1);
    assert!(world.dequeue(orders, 1).is_empty());
    let mut world = world.reopen();
    world.listen(orders);
    assert!(world.stats(orders).paused);
    world.worker(orders, 1);
    assert!(world.deliveries.is_empty());
    world.value(Request::ResumeQueue { queue: orders });
    assert_eq!(world.delivered(), ["x"]);
    assert_eq!(world.events_of(EventKind::Resumed).len(), 1);
    assert!(!world.reopen().stats(orders).paused);
}

#[test]
fn what_runs_when_a_queue_is_paused_may_finish() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.worker(orders, 1);
    world.enqueue(orders, "x");
    let delivery = world.delivery();
    world.value(Request::PauseQueue { queue: orders });
    world.ack(delivery.token);
    assert_eq!(world.stats(orders).acked, 1);
}

#[test]
fn a_paused_worker_claims_nothing_and_others_do() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let paused = world.worker(orders, 1);
    world.at_once(Request::PauseWorker { worker: paused });
    world.enqueue(orders, "a");
    assert!(world.deliveries.is_empty());
    let other = world.worker(orders, 1);
    assert_eq!(
        world.delivery().to,
        ackbox_core::effect::Recipient::Worker(other)
    );
    world.enqueue(orders, "b");
    world.at_once(Request::ResumeWorker { worker: paused });
    assert_eq!(world.delivered(), ["b"]);
}

#[test]
fn options_and_pauses_of_many_queues_survive() {
    let mut world = World::new();
    for index in 0..50 {
        let queue = world.define(
            &format!("q{index}"),
            QueueOptions {
                max_depth: Some(index + 1),
                ..QueueOptions::default()
            },
        );
        if index % 3 == 0 {
            world.value(Request::PauseQueue { queue });
        }
    }
    world.audit();
    let mut world = world.reopen();
    for index in 0..50u64 {
        let queue = world.define(&format!("q{index}"), QueueOptions::default());
        assert_eq!(u64::from(queue.0), index);
        assert_eq!(world.stats(queue).paused, index % 3 == 0);
    }
}
