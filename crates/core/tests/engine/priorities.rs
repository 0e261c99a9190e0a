//! Who goes first. [S7]

use ackbox_core::command::*;
use ackbox_core::config::QueueOptions;

use crate::support::{World, body, message};

#[test]
fn higher_priorities_go_first_and_equal_ones_in_order() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    for (text, priority) in [("low", 0), ("high 1", 255), ("middle", 7), ("high 2", 255)] {
        world
            .try_enqueue(Enqueue {
                priority,
                ..message(orders, text)
            })
            .unwrap();
    }
    let mut world = world.reopen();
    world.worker(orders, 1);
    assert_eq!(world.work_off(), ["high 1", "high 2", "middle", "low"]);
}

#[test]
fn a_retry_keeps_its_place_and_its_priority() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    for text in ["a", "b", "c"] {
        world.enqueue(orders, text);
    }
    let worker = world.worker(orders, 1);
    let a = world.delivery();
    world.at_once(Request::PauseWorker { worker });
    let settled = world.settle(a.token, Verdict::Reject { delay_ms: Some(0) });
    assert!(settled.is_ok());
    world.advance(0);
    world.at_once(Request::ResumeWorker { worker });
    assert_eq!(
        world.work_off(),
        ["a", "b", "c"],
        "a retry that is due is in front of what came later"
    );
}

#[test]
fn oldest_ready_is_the_oldest_of_all_priorities() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.enqueue(orders, "old");
    world.advance(5000);
    world
        .try_enqueue(Enqueue {
            priority: 9,
            ..message(orders, "new")
        })
        .unwrap();
    world.advance(1000);
    assert_eq!(world.stats(orders).oldest_ready_ms, Some(6000));
    world.worker(orders, 1);
    assert_eq!(body(&world.delivery()), "new");
    assert_eq!(world.stats(orders).oldest_ready_ms, Some(6000));
}
