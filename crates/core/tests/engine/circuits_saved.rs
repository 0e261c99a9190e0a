//! Circuits outlive the process: their records are few, survive cleaning and restarts, and are true in the
//! time of the new owner. [S19, S23]

use ackbox_core::command::*;
use ackbox_core::config::Config;
use ackbox_core::policy::breaker::State;

use crate::circuits::{guarded, queue};
use crate::support::{World, body};

fn open_circuit(world: &mut World, orders: QueueId, destination: &str) {
    world.send(orders, destination, "x");
    for _ in 0..2 {
        let delivery = world.delivery();
        world.reject(delivery.token);
    }
}

#[test]
fn an_open_circuit_stays_open_over_a_restart_for_what_is_left() {
    let mut world = World::new();
    let orders = queue(&mut world);
    world.worker_with(orders, 1, guarded());
    open_circuit(&mut world, orders, "a");
    world.advance(4000);
    let mut world = world.reopen();
    let worker = world.worker_with(orders, 1, guarded());
    assert_eq!(world.circuits(worker)["a"], State::Open);
    world.advance(5999);
    assert!(world.deliveries.is_empty());
    world.advance(1);
    assert_eq!(world.work_off(), ["x"]);
    let mut world = world.reopen();
    let worker = world.worker_with(orders, 1, guarded());
    assert!(
        world.circuits(worker).is_empty(),
        "nothing is kept of one that closed"
    );
}

#[test]
fn workers_of_another_name_know_nothing_of_it() {
    let mut world = World::new();
    let orders = queue(&mut world);
    world.worker_with(orders, 1, guarded());
    open_circuit(&mut world, orders, "a");
    let mut world = world.reopen();
    let mut other = guarded();
    other.name = "other".into();
    world.worker_with(orders, 1, other);
    assert_eq!(body(&world.delivery()), "x");
}

#[test]
fn closing_the_last_worker_of_a_name_keeps_its_circuits() {
    let mut world = World::new();
    let orders = queue(&mut world);
    let worker = world.worker_with(orders, 1, guarded());
    open_circuit(&mut world, orders, "a");
    world
        .request(Request::CloseWorker { worker })
        .expect("closed");
    let worker = world.worker_with(orders, 1, guarded());
    assert_eq!(world.circuits(worker)["a"], State::Open);
}

#[test]
fn an_open_circuit_survives_the_segments_that_it_was_written_in() {
    let config = Config {
        segment_bytes: 4096,
        ..Config::default()
    };
    let mut world = World::with_config(config);
    let orders = queue(&mut world);
    let worker = world.worker_with(orders, 1, guarded());
    open_circuit(&mut world, orders, "a");
    let first = *world.disk.keys().next().expect("it was written");
    let force = Request::ForceCircuit {
        worker,
        destination: "b".into(),
        isolate: true,
    };
    world.at_once(force);
    for _ in 0..200 {
        world.send(orders, "c", &"y".repeat(100));
        world.work_off();
    }
    assert!(!world.disk.contains_key(&first), "its segment was cleaned");
    world.audit();
    let mut world = world.reopen();
    let worker = world.worker_with(orders, 1, guarded());
    assert_eq!(world.circuits(worker)["a"], State::Open);
    assert_eq!(world.circuits(worker)["b"], State::Isolated);
    world.audit();
}

#[test]
fn what_is_kept_of_closed_circuits_does_not_fill_the_journal() {
    let config = Config {
        segment_bytes: 4096,
        ..Config::default()
    };
    let mut world = World::with_config(config);
    let orders = queue(&mut world);
    world.worker_with(orders, 1, guarded());
    for n in 0..200 {
        let destination = n.to_string();
        open_circuit(&mut world, orders, &destination);
        world.advance(10_000);
        world.work_off();
    }
    let stats = world.box_stats();
    assert!(stats.live_bytes < 1000, "{} bytes live", stats.live_bytes);
    assert!(
        stats.journal_bytes < 4 * 4096,
        "{} bytes",
        stats.journal_bytes
    );
}

#[test]
fn a_clock_that_was_set_back_prolongs_no_cooldown() {
    let mut world = World::new();
    let orders = queue(&mut world);
    world.worker_with(orders, 1, guarded());
    open_circuit(&mut world, orders, "a");
    let (now, config) = (world.now - 3_600_000, world.config.clone());
    let mut world = World::open(world.crash(), now, config).expect("it opens");
    world.worker_with(orders, 1, guarded());
    world.advance(10_000);
    assert_eq!(
        world.delivered(),
        ["x"],
        "no later than the longest cooldown from now"
    );
}

#[test]
fn transitions_are_written_and_nothing_else() {
    let mut world = World::new();
    let orders = queue(&mut world);
    world.worker_with(orders, 1, guarded());
    let before = world.box_stats().records;
    for _ in 0..10 {
        world.send(orders, "a", "x");
        world.work_off();
    }
    assert_eq!(
        world.box_stats().records - before,
        30,
        "accepted, started, completed"
    );
    let before = world.box_stats().records;
    open_circuit(&mut world, orders, "b");
    assert_eq!(
        world.box_stats().records - before,
        6,
        "accepted, twice started and retried, opened"
    );
}
