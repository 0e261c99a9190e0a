//! A gate of the host in front of workers of any queues lets nothing be claimed in vain. [A3 breaker, S1, S8]

use ackbox_core::command::*;
use ackbox_core::config::QueueOptions;
use ackbox_core::consumer::policies::{PerDestination, Policies, WhenOpen};
use ackbox_core::consumer::sluice::{Level, SluiceState};
use ackbox_core::effect::Delivery;
use ackbox_core::time::Timestamp;

use crate::circuits::{guarded, queue};
use crate::support::{World, body};

const SLUICE: u32 = 7;

fn level(level: Level, places: u32) -> SluiceState {
    SluiceState {
        level,
        places,
        until: None,
    }
}

fn set(world: &mut World, state: SluiceState) {
    world.at_once(Request::SetSluice {
        sluice: SLUICE,
        state,
    });
}

fn behind() -> Policies {
    Policies {
        sluice: Some(SLUICE),
        ..Policies::default()
    }
}

/// A world with a closed gate and messages of several destinations behind it.
fn closed(policies: Policies, concurrency: u32) -> (World, QueueId) {
    let mut world = World::new();
    let orders = queue(&mut world);
    set(&mut world, level(Level::Broken, 0));
    world.worker_with(orders, concurrency, policies);
    for (destination, text) in [("a", "a1"), ("b", "b1"), ("a", "a2"), ("b", "b2")] {
        world.send(orders, destination, text);
    }
    (world, orders)
}

/// The host's breaker counts this as a failed probe.
fn fail_probe(world: &mut World, delivery: &Delivery) {
    world.unanswered(Command::Excused {
        token: delivery.token,
        blameless: false,
        free: true,
        unasked: false,
    });
    world.reject(delivery.token);
}

#[test]
fn nothing_is_claimed_while_it_is_closed() {
    for closed_how in [Level::Broken, Level::Waiting] {
        let (mut world, orders) = closed(behind(), 9);
        set(&mut world, level(closed_how, 0));
        world.advance(1_000_000);
        assert!(world.deliveries.is_empty());
        assert_eq!(world.stats(orders).leased, 0);
        set(&mut world, level(Level::Open, 0));
        assert_eq!(world.delivered(), ["a1", "b1", "a2", "b2"]);
    }
}

#[test]
fn as_many_probes_are_claimed_as_it_has_places_for() {
    let (mut world, orders) = closed(behind(), 9);
    set(&mut world, level(Level::Probing, 2));
    assert_eq!(world.delivered(), ["a1", "b1"]);
    assert_eq!(world.stats(orders).leased, 2);
    set(&mut world, level(Level::Probing, 1));
    assert_eq!(world.delivered(), ["a2"], "one of them came back");
}

#[test]
fn probes_take_turns_over_messages_and_cost_no_attempt() {
    let (mut world, orders) = closed(behind(), 1);
    let mut probes = Vec::new();
    for _ in 0..9 {
        set(&mut world, level(Level::Probing, 1));
        let probe = world.delivery();
        assert!(world.deliveries.is_empty(), "one probe at a time");
        set(&mut world, level(Level::Broken, 0));
        fail_probe(&mut world, &probe);
        assert!(world.deliveries.is_empty());
        probes.push(format!("{} {}", body(&probe), probe.attempt));
        world.advance(1000);
    }
    assert_eq!(
        probes,
        [
            "a1 1", "b1 1", "a2 1", "b2 1", "a1 1", "b1 1", "a2 1", "b2 1", "a1 1"
        ]
    );
    assert_eq!(world.stats(orders).dead, 0);
}

#[test]
fn destinations_that_are_told_apart_take_turns_behind_it_as_well() {
    let policies = Policies {
        per_destination: Some(PerDestination {
            concurrency: Some(1),
            ..PerDestination::default()
        }),
        ..behind()
    };
    let (mut world, _) = closed(policies, 9);
    let mut probes = Vec::new();
    for _ in 0..4 {
        set(&mut world, level(Level::Probing, 1));
        let probe = world.delivery();
        set(&mut world, level(Level::Broken, 0));
        fail_probe(&mut world, &probe);
        probes.push(body(&probe));
    }
    probes.sort_unstable();
    assert_eq!(probes, ["a1", "a2", "b1", "b2"], "each of them once");
    set(&mut world, level(Level::Open, 0));
    assert_eq!(world.delivered().len(), 2, "one of each destination");
}

#[test]
fn what_fails_while_it_is_open_costs_an_attempt() {
    let (mut world, _) = closed(behind(), 1);
    set(&mut world, level(Level::Open, 0));
    let first = world.delivery();
    world.reject(first.token);
    let again = world.delivery();
    assert_eq!((body(&again), again.attempt), ("a1".into(), 2));
}

#[test]
fn after_a_recovery_messages_come_back_in_growing_numbers() {
    let mut world = World::new();
    let orders = queue(&mut world);
    set(&mut world, level(Level::Probing, 1));
    world.worker_with(orders, 10, behind());
    world.worker_with(orders, 10, behind());
    for n in 0..21 {
        world.enqueue(orders, &n.to_string());
    }
    let mut rounds = Vec::new();
    while !world.deliveries.is_empty() {
        let round: Vec<Delivery> = world.deliveries.drain(..).collect();
        rounds.push(round.len());
        for delivery in round {
            if rounds == [1] {
                // The breaker of the host closes with the success of the probe.
                set(&mut world, level(Level::Open, 0));
            }
            world.ack(delivery.token);
        }
    }
    assert_eq!(
        rounds,
        [1, 1, 2, 4, 8, 5],
        "a probe, and twice as many with each round"
    );
}

#[test]
fn what_was_claimed_and_not_handed_out_is_taken_back_when_it_closes() {
    let (mut world, orders) = closed(behind(), 9);
    world.hold_appends = true;
    set(&mut world, level(Level::Open, 0));
    assert!(world.deliveries.is_empty(), "their starts are not durable");
    assert_eq!(world.stats_now(orders).leased, 4);
    set(&mut world, level(Level::Broken, 0));
    world.hold_appends = false;
    world.land();
    assert_eq!(world.stats(orders).leased, 0);
    set(&mut world, level(Level::Open, 0));
    let attempts: Vec<u32> = world.deliveries.drain(..).map(|it| it.attempt).collect();
    assert_eq!(attempts, [1; 4]);
}

#[test]
fn workers_of_several_queues_share_its_places_and_take_turns() {
    let mut world = World::new();
    set(&mut world, level(Level::Broken, 0));
    let queues = ["one", "two", "three"].map(|name| world.define(name, QueueOptions::default()));
    for queue in queues {
        world.worker_with(queue, 5, behind());
        world.enqueue(queue, "x");
    }
    let mut probed = Vec::new();
    for _ in 0..3 {
        set(&mut world, level(Level::Probing, 1));
        let probe = world.delivery();
        assert!(world.deliveries.is_empty(), "one place for all of them");
        set(&mut world, level(Level::Broken, 0));
        fail_probe(&mut world, &probe);
        probed.push(probe.queue);
    }
    assert_eq!(probed, queues);
}

#[test]
fn a_probe_that_was_taken_back_frees_its_place() {
    let (mut world, _) = closed(behind(), 9);
    world.hold_appends = true;
    set(&mut world, level(Level::Probing, 1));
    set(&mut world, level(Level::Broken, 0));
    world.hold_appends = false;
    world.land();
    set(&mut world, level(Level::Probing, 1));
    assert_eq!(world.delivered().len(), 1);
}

#[test]
fn messages_that_are_not_to_wait_are_turned_away() {
    for (when_open, reason) in [
        (WhenOpen::DeadLetter, Reason::CircuitOpen),
        (WhenOpen::Reject, Reason::Exhausted),
    ] {
        let policies = Policies {
            when_open,
            ..behind()
        };
        let (mut world, orders) = closed(policies, 1);
        let until = Some(Timestamp(world.now + 5000));
        set(
            &mut world,
            SluiceState {
                until,
                ..level(Level::Broken, 0)
            },
        );
        // Attempts that fail without a backoff are a millisecond apart.
        for _ in 0..6 {
            world.advance(1);
        }
        assert!(world.deliveries.is_empty());
        let letters = world.dead(orders);
        assert_eq!(letters.len(), 4);
        for letter in letters {
            assert_eq!(letter.reason, Some(reason));
            let error = letter.error.expect("it tells why");
            assert!(error.contains("ERR_CIRCUIT_OPEN"), "{error}");
        }
        world.audit();
    }
}

#[test]
fn a_wait_turns_nothing_away() {
    let policies = Policies {
        when_open: WhenOpen::DeadLetter,
        ..behind()
    };
    let mut world = World::new();
    let orders = queue(&mut world);
    set(&mut world, level(Level::Waiting, 0));
    world.worker_with(orders, 1, policies);
    world.enqueue(orders, "x");
    assert_eq!(world.stats(orders).dead, 0);
    set(&mut world, level(Level::Open, 0));
    assert_eq!(world.work_off(), ["x"]);
}

#[test]
fn a_suspect_behind_it_holds_nobody() {
    let mut world = World::new();
    let orders = queue(&mut world);
    let others = world.define("others", QueueOptions::default());
    world.enqueue(orders, "suspect");
    world.worker(orders, 1);
    assert_eq!(world.delivered(), ["suspect"]);
    let mut world = world.reopen();
    set(&mut world, level(Level::Broken, 0));
    world.worker_with(orders, 1, behind());
    world.worker(others, 1);
    world.enqueue(others, "free");
    assert_eq!(world.work_off(), ["free"]);
}

#[test]
fn a_worker_has_to_name_one_that_was_told_of() {
    let mut world = World::new();
    let orders = queue(&mut world);
    let open = Request::OpenWorker {
        queue: orders,
        concurrency: 1,
        policies: Box::new(behind()),
        limits: Default::default(),
    };
    let failure = world.try_at_once(open).expect_err("nobody knows it");
    assert!(failure.message.starts_with("sluice:"), "{failure:?}");
}

#[test]
fn the_host_may_say_that_a_failure_is_none_of_the_destination() {
    let mut world = World::new();
    let orders = queue(&mut world);
    let worker = world.worker_with(orders, 1, guarded());
    world.send(orders, "a", "x");
    for _ in 0..4 {
        let delivery = world.delivery();
        world.unanswered(Command::Excused {
            token: delivery.token,
            blameless: true,
            free: false,
            unasked: false,
        });
        world.reject(delivery.token);
    }
    assert!(
        world.circuits(worker)["a"] == ackbox_core::policy::breaker::State::Closed,
        "two failures would have opened it"
    );
    assert_eq!(world.delivery().attempt, 5, "attempts are counted");
}
