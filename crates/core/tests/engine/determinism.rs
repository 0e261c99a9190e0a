//! Equal inputs give equal bytes out. [S11]

use ackbox_core::command::*;
use ackbox_core::config::{Config, QueueOptions};

use crate::support::{Disk, World, message};

fn run(world: &mut World) -> (Disk, Vec<String>) {
    let orders = world.define(
        "orders",
        QueueOptions {
            max_attempts: Some(3),
            ..QueueOptions::default()
        },
    );
    world.worker(orders, 3);
    let mut told = Vec::new();
    for round in 0..200u64 {
        let (text, id, group) = (
            "b".repeat((round * 7 % 300) as usize),
            format!("{round}"),
            format!("{}", round % 4),
        );
        let enqueue = Enqueue {
            id: (round % 2 == 0).then_some(id.as_str()),
            group: (round % 3 == 0).then_some(group.as_str()),
            ttl_ms: (round % 11 == 0).then_some(5),
            ..message(orders, &text)
        };
        told.push(format!("{:?}", world.try_enqueue(enqueue)));
        if let Some(delivery) = world.deliveries.pop_front() {
            told.push(format!("{} {}", delivery.id, delivery.attempt));
            if round % 5 == 0 {
                world.reject(delivery.token)
            } else {
                world.ack(delivery.token)
            }
        }
        world.advance(round % 60);
    }
    world.redrive(orders, DeadFilter::default());
    world.value(Request::Purge { queue: orders });
    (world.disk.clone(), told)
}

#[test]
fn the_same_inputs_give_the_same_disk_and_the_same_answers() {
    let config = || Config {
        segment_bytes: 8 << 10,
        max_memory_bytes: 3000,
        ..Config::default()
    };
    let (mut one, mut other) = (World::with_config(config()), World::with_config(config()));
    assert_eq!(run(&mut one), run(&mut other));
    let (mut one, mut other) = (one.reopen(), other.reopen());
    assert_eq!(run(&mut one), run(&mut other));
}

#[test]
fn a_seed_fixes_the_jitter_and_counts_only_when_a_box_is_created() {
    let first_retry = |world: &mut World| {
        let orders = world.define("orders", QueueOptions::default());
        world.enqueue(orders, "x");
        let delivery = world.dequeue(orders, 1).remove(0);
        world.reject(delivery.token);
        world
            .peek(orders, Some(MessageState::Scheduled))
            .pop()
            .unwrap()
            .due_at
            .unwrap()
            .0
            - world.now
    };
    let seeded = |seed: &str| Config {
        seed: Some(seed.into()),
        ..Config::default()
    };
    let delays: Vec<u64> = ["a", "a", "b", "c", "d"]
        .map(|seed| first_retry(&mut World::with_config(seeded(seed))))
        .into();
    assert_eq!(delays[0], delays[1]);
    assert!(delays.iter().any(|delay| *delay != delays[0]));
    let mut created = World::with_config(seeded("a"));
    created.define("orders", QueueOptions::default());
    let now = created.now;
    let mut reopened = World::open(created.crash(), now, seeded("b")).unwrap();
    let mut same = World::with_config(seeded("a"));
    same.define("orders", QueueOptions::default());
    let mut same = same.reopen();
    assert_eq!(first_retry(&mut reopened), first_retry(&mut same));
}
