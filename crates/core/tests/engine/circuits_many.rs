//! Circuits of very many destinations: no time while nothing happens, bounded memory. [S8]

use ackbox_core::consumer::policies::Policies;
use ackbox_core::meter::looks;
use ackbox_core::policy::breaker::{BreakerOptions, State, WindowKind};

use crate::circuits::{breaker, queue, reject_next};
use crate::support::World;

#[test]
fn ten_thousand_open_circuits_cost_no_time() {
    let looked = |broken: u32| {
        let mut world = World::new();
        let orders = queue(&mut world);
        let options = BreakerOptions {
            failures: Some(1),
            ..breaker()
        };
        let policies = Policies {
            breaker: Some(options),
            ..Policies::default()
        };
        world.worker_with(orders, 1, policies);
        for n in 0..broken {
            world.send(orders, &n.to_string(), "x");
            reject_next(&mut world);
        }
        let (before, steps) = (looks(), world.steps);
        world.advance(5000);
        assert!(
            world.steps - steps < 3,
            "nothing happens while they are open"
        );
        world.send(orders, "free", "y");
        assert_eq!(world.work_off(), ["y"]);
        looks() - before
    };
    let (few, many) = (looked(10), looked(10_000));
    assert!(
        many <= few + 10,
        "{few} looks beside few, {many} beside many"
    );
}

#[test]
fn windows_of_circuits_fill_no_memory_however_many_there_are() {
    let circuits = |size: u32| {
        let mut world = World::new();
        let orders = queue(&mut world);
        let options = BreakerOptions {
            window: WindowKind::Count,
            size: Some(size),
            ..BreakerOptions::default()
        };
        let policies = Policies {
            breaker: Some(options),
            ..Policies::default()
        };
        let worker = world.worker_with(orders, 1, policies);
        for n in 0..1100 {
            world.send(orders, &n.to_string(), "x");
            world.work_off();
        }
        let circuits = world.circuits(worker);
        assert!(circuits.contains_key("1099"), "the last one is kept");
        circuits.len()
    };
    assert_eq!(circuits(100), 1100);
    assert_eq!(circuits(65_536), 1024, "16 KiB each, of 16 MiB");
}

#[test]
fn the_closed_circuit_that_was_used_least_recently_is_forgotten_first() {
    let mut world = World::new();
    let orders = queue(&mut world);
    let options = BreakerOptions {
        window: WindowKind::Count,
        size: Some(65_536),
        min_calls: Some(1),
        ..BreakerOptions::default()
    };
    let policies = Policies {
        breaker: Some(options),
        ..Policies::default()
    };
    let worker = world.worker_with(orders, 1, policies);
    world.send(orders, "down", "x");
    reject_next(&mut world);
    for n in 0..1100 {
        world.send(orders, &n.to_string(), "x");
        if n % 100 == 0 {
            world.send(orders, "busy", "x");
        }
        world.work_off();
    }
    let circuits = world.circuits(worker);
    assert_eq!(circuits.get("down"), Some(&State::Open), "it is the oldest");
    assert!(circuits.contains_key("busy"), "it is used now and then");
    assert!(circuits.contains_key("1099") && circuits.contains_key("200"));
    assert!(!circuits.contains_key("0") && !circuits.contains_key("10"));
}
