//! Who asks for time gets it for a whole destination, whatever the worker wants of its destinations. [A3, S8]

use ackbox_core::command::*;
use ackbox_core::config::{Guarantee, QueueOptions};
use ackbox_core::consumer::policies::{Policies, Scope, WorkerRate};
use ackbox_core::consumer::sluice::{Level, SluiceState};
use ackbox_core::consumer::watch::HandlerLimits;
use ackbox_core::effect::{Delivery, Object};
use ackbox_core::meter::looks;
use ackbox_core::policy::backoff::{Backoff, Jitter};
use ackbox_core::policy::breaker::State;
use ackbox_core::policy::budget::BudgetOptions;
use ackbox_core::policy::rate::Rate;
use ackbox_core::time::Timestamp;

use crate::circuits::guarded;
use crate::support::{World, body, message};

/// A queue whose messages come back exactly when they were told to.
fn queue(world: &mut World) -> QueueId {
    let backoff = Backoff::Constant {
        ms: 1,
        jitter: Jitter::None,
    };
    let options = QueueOptions {
        backoff: Some(backoff),
        ..QueueOptions::default()
    };
    world.define("orders", options)
}

fn named(name: &str) -> Policies {
    Policies {
        name: name.into(),
        ..Policies::default()
    }
}

/// The handler of a delivery is told to come back in so many milliseconds.
fn ask(world: &mut World, delivery: &Delivery, ms: u64) {
    let verdict = Verdict::RetryAt {
        at: Timestamp(world.now + ms),
        costs_attempt: false,
        counts_as_failure: false,
    };
    world.unanswered(Command::Settle(Settle {
        token: delivery.token,
        verdict,
        returned: true,
        result: b"",
        error: b"",
    }));
}

fn ask_next(world: &mut World, ms: u64) {
    let delivery = world.delivery();
    ask(world, &delivery, ms);
}

/// Policies that tell no destinations apart.
fn blind() -> Vec<Policies> {
    let rate = |scope| {
        let rate = Rate {
            limit: 1000,
            per_ms: 1000,
        };
        Some(WorkerRate { rate, scope })
    };
    vec![
        Policies::default(),
        Policies {
            rate: rate(Scope::Queue),
            ..Policies::default()
        },
        Policies {
            rate: rate(Scope::Worker),
            ..Policies::default()
        },
        Policies {
            retry_budget: Some(BudgetOptions {
                ratio_milli: 200,
                min_per_second: 10,
                ttl_ms: 10_000,
            }),
            ..Policies::default()
        },
        Policies {
            sluice: Some(7),
            ..Policies::default()
        },
    ]
}

#[test]
fn a_worker_that_wants_nothing_of_its_destinations_leaves_one_alone_that_asked_for_time() {
    for policies in blind() {
        let mut world = World::new();
        let orders = queue(&mut world);
        let state = SluiceState {
            level: Level::Open,
            places: 0,
            until: None,
        };
        world.at_once(Request::SetSluice { sluice: 7, state });
        world.worker_with(orders, 1, policies.clone());
        for (destination, text) in [("a", "a1"), ("a", "a2"), ("b", "b1"), ("a", "a3")] {
            world.send(orders, destination, text);
        }
        world.enqueue(orders, "none");
        ask_next(&mut world, 5000);
        assert_eq!(world.work_off(), ["b1", "none"], "{policies:?}");
        world.send(orders, "a", "a4");
        world.send(orders, "b", "b2");
        assert_eq!(world.work_off(), ["b2"], "{policies:?}");
        world.advance(4999);
        assert!(world.deliveries.is_empty(), "{policies:?}");
        world.audit();
        world.advance(1);
        assert_eq!(world.work_off(), ["a1", "a2", "a3", "a4"], "{policies:?}");
        world.audit();
    }
}

#[test]
fn messages_without_a_destination_are_held_together() {
    let mut world = World::new();
    let orders = queue(&mut world);
    world.worker(orders, 1);
    world.enqueue(orders, "x");
    world.enqueue(orders, "y");
    world.send(orders, "a", "a1");
    ask_next(&mut world, 5000);
    assert_eq!(world.work_off(), ["a1"]);
    world.advance(4999);
    assert!(world.deliveries.is_empty());
    world.advance(1);
    assert_eq!(world.work_off(), ["x", "y"]);
}

#[test]
fn they_come_back_in_growing_numbers() {
    let mut world = World::new();
    let orders = queue(&mut world);
    world.worker(orders, 100);
    world.send(orders, "a", "first");
    let first = world.delivery();
    ask(&mut world, &first, 5000);
    for n in 0..20 {
        world.send(orders, "a", &n.to_string());
    }
    world.advance(5000);
    let mut rounds = Vec::new();
    while !world.deliveries.is_empty() {
        let round: Vec<Delivery> = world.deliveries.drain(..).collect();
        rounds.push(round.len());
        for delivery in round {
            world.ack(delivery.token);
        }
    }
    assert_eq!(rounds, [1, 2, 4, 8, 6]);
}

#[test]
fn all_workers_of_the_name_leave_it_alone_and_no_others() {
    let mut world = World::new();
    let orders = queue(&mut world);
    world.worker(orders, 1);
    world.send(orders, "a", "a1");
    let first = world.delivery();
    world.worker(orders, 1);
    world.worker_with(orders, 1, guarded());
    ask(&mut world, &first, 5000);
    world.worker(orders, 1);
    for text in ["a2", "a3"] {
        world.send(orders, "a", text);
    }
    assert!(world.deliveries.is_empty(), "nobody of that name takes it");
    world.worker_with(orders, 1, named("another"));
    assert_eq!(world.work_off(), ["a2", "a3"]);
    world.advance(5000);
    assert_eq!(world.work_off(), ["a1"]);
}

#[test]
fn who_is_told_by_one_that_has_circuits_tells_one_that_has_none() {
    let mut world = World::new();
    let orders = queue(&mut world);
    world.worker_with(orders, 1, guarded());
    world.send(orders, "a", "a1");
    let first = world.delivery();
    world.worker(orders, 9);
    ask(&mut world, &first, 5000);
    world.send(orders, "a", "a2");
    assert!(world.deliveries.is_empty());
    world.advance(5000);
    assert_eq!(world.work_off(), ["a1", "a2"]);
}

#[test]
fn what_was_claimed_before_is_taken_back() {
    let mut world = World::new();
    let orders = queue(&mut world);
    world.worker(orders, 9);
    world.send(orders, "a", "a1");
    let first = world.delivery();
    world.hold_appends = true;
    for (destination, text) in [("a", "a2"), ("b", "b1")] {
        world.command(Command::Enqueue(Enqueue {
            destination: Some(destination),
            ..message(orders, text)
        }));
    }
    assert_eq!(world.stats_now(orders).leased, 3);
    ask(&mut world, &first, 5000);
    world.hold_appends = false;
    world.land();
    assert_eq!(world.work_off(), ["b1"]);
    world.advance(5000);
    assert_eq!(world.work_off(), ["a1", "a2"]);
}

#[test]
fn it_lasts_over_a_crash_and_over_the_end_of_the_worker() {
    for closes in [false, true] {
        let mut world = World::new();
        let orders = queue(&mut world);
        let worker = world.worker(orders, 1);
        world.send(orders, "a", "a1");
        let first = world.delivery();
        let closing = closes.then(|| world.request(Request::CloseWorker { worker }));
        ask(&mut world, &first, 5000);
        assert_eq!(closing.is_some(), closes);
        let mut world = if closes { world } else { world.reopen() };
        world.worker(orders, 1);
        world.send(orders, "a", "a2");
        world.send(orders, "b", "b1");
        assert_eq!(world.work_off(), ["b1"]);
        world.advance(4999);
        assert!(world.deliveries.is_empty());
        world.advance(1);
        assert_eq!(world.work_off(), ["a1", "a2"]);
        world.audit();
    }
}

#[test]
fn what_is_never_tried_again_holds_the_others_all_the_same() {
    // A breaker in front of workers has to be known first.
    let blind = blind().into_iter().filter(|it| it.sluice.is_none());
    for policies in blind {
        let mut world = World::new();
        let options = QueueOptions {
            guarantee: Some(Guarantee::AtMostOnce),
            ..QueueOptions::default()
        };
        let orders = world.define("orders", options);
        world.worker_with(orders, 1, policies);
        world.send(orders, "a", "a1");
        ask_next(&mut world, 5000);
        world.send(orders, "a", "a2");
        world.send(orders, "b", "b1");
        assert_eq!(world.work_off(), ["b1"]);
        world.advance(5000);
        assert_eq!(world.work_off(), ["a2"]);
    }
}

#[test]
fn a_time_that_has_passed_holds_nobody() {
    let mut world = World::new();
    let orders = queue(&mut world);
    world.worker(orders, 3);
    for n in 0..3 {
        world.send(orders, "a", &n.to_string());
    }
    let all: Vec<Delivery> = world.deliveries.drain(..).collect();
    for delivery in &all {
        ask(&mut world, delivery, 0);
    }
    assert_eq!(world.delivered(), ["0", "1", "2"]);
}

#[test]
fn a_drain_does_not_wait_for_it() {
    let mut world = World::new();
    let orders = queue(&mut world);
    let worker = world.worker(orders, 1);
    for text in ["a1", "a2"] {
        world.send(orders, "a", text);
    }
    let ticket = world
        .request(Request::DrainWorker { worker })
        .expect("taken");
    ask_next(&mut world, 5000);
    assert!(world.deliveries.is_empty());
    assert!(world.replies.contains_key(&ticket), "nothing is to be had");
}

#[test]
fn a_long_backlog_is_told_apart_in_slices_and_then_costs_nothing() {
    let looked = |backlog: u64| {
        let mut world = World::new();
        let orders = queue(&mut world);
        world.worker(orders, 1);
        world.send(orders, "a", "first");
        let first = world.delivery();
        for _ in 0..backlog {
            world.send(orders, "a", "x");
        }
        world.send(orders, "b", "b1");
        let steps = world.steps;
        ask(&mut world, &first, 5000);
        assert!(world.steps > steps + backlog / 2000, "in slices");
        let delivery = world.delivery();
        assert_eq!(body(&delivery), "b1");
        let before = looks();
        world.ack(delivery.token);
        world.send(orders, "b", "b2");
        ask_next(&mut world, 5000);
        looks() - before
    };
    let (few, many) = (looked(10), looked(10_000));
    assert!(
        many <= few + 10,
        "{few} looks behind few others, {many} behind many"
    );
}

/// What a worker tells of its destinations: each with its state, and until when it waits.
fn told(world: &mut World, worker: WorkerId) -> Vec<(String, State, Option<Timestamp>)> {
    let all = Request::Circuits {
        worker,
        destination: None,
    };
    match world.at_once(all) {
        Object::Circuits(infos) => infos
            .into_iter()
            .map(|info| (info.destination, info.state, info.retry_at))
            .collect(),
        other => panic!("expected circuits, got {other:?}"),
    }
}

fn reset(worker: WorkerId) -> Request {
    Request::ForceCircuit {
        worker,
        destination: "a".into(),
        isolate: false,
    }
}

#[test]
fn who_knows_better_lets_a_destination_go() {
    const DAYS_MS: u64 = 30 * 86_400_000;
    for (policies, state) in [
        (Policies::default(), State::Disabled),
        (guarded(), State::Closed),
    ] {
        for crashes in [false, true] {
            let mut world = World::new();
            let orders = queue(&mut world);
            let worker = world.worker_with(orders, 9, policies.clone());
            let neighbour = world.worker_with(orders, 9, policies.clone());
            world.send(orders, "a", "first");
            ask_next(&mut world, DAYS_MS);
            let until = Timestamp(world.now + DAYS_MS);
            for n in 0..4 {
                world.send(orders, "a", &n.to_string());
            }
            for id in [worker, neighbour] {
                assert_eq!(told(&mut world, id), [("a".into(), state, Some(until))]);
            }
            world.advance(3_600_000);
            assert!(world.deliveries.is_empty());
            world.at_once(reset(neighbour));
            assert_eq!(body(&world.deliveries[0]), "0", "{policies:?}");
            let told = told(&mut world, worker);
            assert!(told.iter().all(|(_, _, until)| until.is_none()), "{told:?}");
            if crashes {
                world = world.reopen();
                world.worker_with(orders, 9, policies.clone());
            }
            assert_eq!(world.work_off().len(), 4, "{policies:?}");
            world.audit();
        }
    }
}

#[test]
fn one_handler_that_never_returns_keeps_nobody_out() {
    let limits = HandlerLimits {
        timeout_ms: Some(1000),
        max_runtime_ms: None,
    };
    for (policies, gated) in [
        (Policies::default(), false),
        (guarded(), false),
        (
            Policies {
                sluice: Some(7),
                ..Policies::default()
            },
            true,
        ),
    ] {
        let mut world = World::new();
        let orders = queue(&mut world);
        if gated {
            let state = SluiceState {
                level: Level::Open,
                places: 0,
                until: None,
            };
            world.at_once(Request::SetSluice { sluice: 7, state });
        }
        world.open_worker(orders, 20, policies.clone(), limits);
        world.send(orders, "a", "first");
        ask_next(&mut world, 5000);
        for n in 0..200 {
            world.send(orders, "a", &n.to_string());
        }
        world.advance(5000);
        let _hangs = world.delivery();
        assert!(world.deliveries.is_empty());
        world.advance(1000);
        assert_eq!(
            world.work_off().len(),
            200,
            "all but what hangs: {policies:?}"
        );
    }
}

#[test]
fn a_destination_that_fails_as_always_gets_all_handlers_back() {
    let mut world = World::new();
    let orders = queue(&mut world);
    world.worker(orders, 20);
    world.send(orders, "a", "first");
    ask_next(&mut world, 5000);
    for n in 0..400 {
        world.send(orders, "a", &n.to_string());
    }
    world.advance(5000);
    for ended in 1..=40 {
        let delivery = world.delivery();
        if ended % 10 == 0 {
            world.reject(delivery.token);
        } else {
            world.ack(delivery.token);
        }
    }
    assert_eq!(world.deliveries.len(), 20);
}
