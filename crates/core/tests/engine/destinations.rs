//! Workers that tell destinations apart: how many messages run at once, in whose turn, and who waits for
//! whom. [S8]

use ackbox_core::command::*;
use ackbox_core::config::{Config, QueueOptions};
use ackbox_core::consumer::policies::{PerDestination, Policies};
use ackbox_core::consumer::watch::HandlerLimits;
use ackbox_core::effect::Delivery;
use ackbox_core::meter::looks;
use ackbox_core::policy::backoff::{Backoff, Jitter};
use ackbox_core::policy::breaker::State;
use ackbox_core::policy::rate::Rate;
use ackbox_core::time::Timestamp;

use crate::support::{World, body, message};

fn limited(limits: PerDestination) -> Policies {
    Policies {
        per_destination: Some(limits),
        ..Policies::default()
    }
}

/// So many messages of each destination at once.
fn at_once(concurrency: u32) -> Policies {
    limited(PerDestination {
        concurrency: Some(concurrency),
        ..PerDestination::default()
    })
}

fn bodies(deliveries: &[Delivery]) -> Vec<String> {
    deliveries.iter().map(body).collect()
}

#[test]
fn destinations_take_turns() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    for (destination, text) in [
        ("a", "a1"),
        ("a", "a2"),
        ("a", "a3"),
        ("b", "b1"),
        ("b", "b2"),
    ] {
        world.send(orders, destination, text);
    }
    world.enqueue(orders, "none1");
    world.enqueue(orders, "none2");
    world.worker_with(orders, 1, limited(PerDestination::default()));
    assert_eq!(
        world.work_off(),
        ["a1", "b1", "none1", "a2", "b2", "none2", "a3"]
    );
}

#[test]
fn a_higher_priority_goes_before_the_turn() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    for (priority, text) in [(0, "low"), (9, "high1"), (9, "high2")] {
        let enqueue = Enqueue {
            priority,
            destination: Some(if priority == 0 { "a" } else { "b" }),
            ..message(orders, text)
        };
        world.try_enqueue(enqueue).expect("accepted");
    }
    world.worker_with(orders, 1, limited(PerDestination::default()));
    assert_eq!(world.work_off(), ["high1", "high2", "low"]);
}

#[test]
fn a_destination_runs_so_many_at_once_and_no_other_waits_for_it() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    for text in ["a1", "a2", "a3", "a4"] {
        world.send(orders, "a", text);
    }
    world.send(orders, "b", "b1");
    world.enqueue(orders, "none1");
    world.enqueue(orders, "none2");
    world.enqueue(orders, "none3");
    world.worker_with(orders, 100, at_once(2));
    let running: Vec<Delivery> = world.deliveries.drain(..).collect();
    assert_eq!(
        bodies(&running),
        ["a1", "b1", "none1", "a2", "none2", "none3"],
        "two of a destination; messages without one are not limited"
    );
    world.reject(running[0].token);
    assert_eq!(
        world.delivered(),
        ["a3"],
        "a failure frees the place as well"
    );
}

#[test]
fn a_group_stays_in_order_behind_its_destination() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    for (destination, text) in [("a", "1"), ("a", "2"), ("b", "3")] {
        let enqueue = Enqueue {
            group: Some("g"),
            destination: Some(destination),
            ..message(orders, text)
        };
        world.try_enqueue(enqueue).expect("accepted");
    }
    world.send(orders, "b", "free");
    world.worker_with(orders, 10, at_once(1));
    let first = world.delivery();
    assert_eq!(
        (body(&first), world.delivered()),
        ("1".into(), vec!["free".into()])
    );
    world.ack(first.token);
    let second = world.delivery();
    assert_eq!(body(&second), "2");
    world.ack(second.token);
    assert_eq!(
        world.delivered(),
        Vec::<String>::new(),
        "its destination is busy"
    );
}

#[test]
fn a_destination_has_a_rate() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    for text in ["a1", "a2", "a3", "a4"] {
        world.send(orders, "a", text);
    }
    world.send(orders, "b", "b1");
    let rate = Rate {
        limit: 2,
        per_ms: 1000,
    };
    let limits = PerDestination {
        rate: Some(rate),
        ..PerDestination::default()
    };
    world.worker_with(orders, 100, limited(limits));
    assert_eq!(world.delivered(), ["a1", "b1", "a2"]);
    world.advance(499);
    assert!(world.deliveries.is_empty());
    world.advance(1);
    assert_eq!(world.delivered(), ["a3"]);
    world.advance(500);
    assert_eq!(world.delivered(), ["a4"]);
}

#[test]
fn a_destination_that_asks_for_time_gets_it_for_all_its_messages() {
    let mut world = World::new();
    let unspread = Backoff::Constant {
        ms: 1,
        jitter: Jitter::None,
    };
    let options = QueueOptions {
        backoff: Some(unspread),
        ..QueueOptions::default()
    };
    let orders = world.define("orders", options);
    for (destination, text) in [("a", "a1"), ("a", "a2"), ("b", "b1"), ("b", "b2")] {
        world.send(orders, destination, text);
    }
    world.worker_with(orders, 1, limited(PerDestination::default()));
    let asked = world.delivery();
    let at = Timestamp(world.now + 5000);
    let verdict = Verdict::RetryAt {
        at,
        costs_attempt: false,
        counts_as_failure: false,
    };
    world.settle(asked.token, verdict).expect("settled");
    assert_eq!(world.work_off(), ["b1", "b2"]);
    world.advance(4999);
    assert!(world.deliveries.is_empty());
    world.advance(1);
    let again = world.delivery();
    assert_eq!((body(&again), again.attempt), ("a1".into(), 1));
}

#[test]
fn behind_a_claim_that_is_taken_back_no_other_is_handed_out() {
    let mut world = World::with_config(Config {
        max_memory_bytes: 0,
        ..Config::default()
    });
    let orders = world.define("orders", QueueOptions::default());
    world.send(orders, "a", "a1");
    world.send(orders, "a", "a2");
    world.worker_with(orders, 4, limited(PerDestination::default()));
    let (first, second) = (world.delivery(), world.delivery());
    let not_before = |at| Verdict::RetryAt {
        at: Timestamp(at),
        costs_attempt: false,
        counts_as_failure: false,
    };
    // It is claimed again at once, and waits for its body, which the next one has already.
    world.hold_reads = true;
    let now = world.now;
    world.settle(first.token, not_before(now)).expect("settled");
    world.send(orders, "a", "a3");
    assert!(world.deliveries.is_empty(), "they go out in turn");
    assert_eq!(world.stats(orders).leased, 3);

    world
        .settle(second.token, not_before(now + 1000))
        .expect("settled");
    assert!(
        world.deliveries.is_empty(),
        "the destination asked for time"
    );
    assert_eq!(world.stats(orders).leased, 0);
    world.hold_reads = false;
    world.answer_reads();
    world.advance(1000);
    // That of the second one is spread.
    assert_eq!(world.work_off(), ["a1", "a3"]);
}

#[test]
fn what_waits_when_the_worker_comes_is_told_apart_as_well() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    for n in 0..2500 {
        world.send(orders, "a", &format!("a{n}"));
    }
    world.send(orders, "b", "b0");
    world.worker_with(orders, 100, at_once(1));
    assert_eq!(world.delivered(), ["a0", "b0"]);
}

#[test]
fn the_backlog_of_a_closed_destination_costs_nothing() {
    let looked = |backlog: u32| {
        let mut world = World::new();
        let orders = world.define("orders", QueueOptions::default());
        for _ in 0..backlog {
            world.send(orders, "busy", "x");
        }
        world.worker_with(orders, 100, at_once(1));
        assert_eq!(world.delivered(), ["x"]);
        let before = looks();
        world.send(orders, "free", "y");
        let delivery = world.delivery();
        world.ack(delivery.token);
        looks() - before
    };
    let (few, many) = (looked(10), looked(2000));
    assert!(
        many <= few + 10,
        "{few} looks behind few others, {many} behind many"
    );
}

#[test]
fn many_closed_destinations_cost_nothing() {
    let looked = |closed: u32| {
        let mut world = World::new();
        let orders = world.define("orders", QueueOptions::default());
        for destination in 0..closed {
            for _ in 0..2 {
                world.send(orders, &format!("busy-{destination}"), "x");
            }
        }
        world.worker_with(orders, 10_000, at_once(1));
        assert_eq!(world.delivered().len(), closed as usize);
        let before = looks();
        world.send(orders, "free", "y");
        let delivery = world.delivery();
        world.ack(delivery.token);
        looks() - before
    };
    let (few, many) = (looked(10), looked(1000));
    assert!(
        many <= few + 10,
        "{few} looks beside few others, {many} beside many"
    );
}

#[test]
fn a_purge_leaves_busy_destinations_busy() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    for text in ["a1", "a2"] {
        world.send(orders, "a", text);
    }
    world.worker_with(orders, 10, at_once(1));
    let first = world.delivery();
    assert_eq!(world.value(Request::Purge { queue: orders }), 1);
    world.send(orders, "a", "a3");
    assert!(world.deliveries.is_empty());
    world.ack(first.token);
    assert_eq!(world.delivered(), ["a3"]);
}

#[test]
fn a_worker_without_limits_takes_what_another_may_not() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let careful = world.worker_with(orders, 10, at_once(1));
    for text in ["a1", "a2", "a3"] {
        world.send(orders, "a", text);
    }
    assert_eq!(world.delivered(), ["a1"]);
    assert_eq!(
        bodies(&world.dequeue(orders, 1)),
        ["a2"],
        "a dequeue has no limits"
    );
    let other = world.worker(orders, 1);
    assert_ne!(careful, other);
    assert_eq!(world.delivered(), ["a3"]);
}

#[test]
fn workers_of_one_name_share_their_limits() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    for text in ["a1", "a2", "a3"] {
        world.send(orders, "a", text);
    }
    let named = |name: &str| Policies {
        name: name.into(),
        ..at_once(1)
    };
    world.worker_with(orders, 10, named("one"));
    world.worker_with(orders, 10, named("one"));
    assert_eq!(world.delivered(), ["a1"]);
    world.worker_with(orders, 10, named("two"));
    assert_eq!(world.delivered(), ["a2"]);
}

#[test]
fn workers_of_one_name_must_want_the_same() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let one = world.worker_with(orders, 10, at_once(1));
    let open = |world: &mut World| {
        let policies = Box::new(at_once(2));
        world.try_at_once(Request::OpenWorker {
            queue: orders,
            concurrency: 1,
            policies,
            limits: HandlerLimits::default(),
        })
    };
    let failure = open(&mut world).expect_err("they contradict each other");
    assert!(
        failure.message.contains("name them differently"),
        "{failure:?}"
    );
    world
        .request(Request::CloseWorker { worker: one })
        .expect("closed");
    open(&mut world).expect("nobody else has the name any more");
}

#[test]
fn what_was_written_ahead_and_taken_back_frees_its_destination() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.send(orders, "a", "a1");
    world.hold_appends = true;
    let one = world.worker_with(orders, 1, at_once(1));
    assert!(world.deliveries.is_empty(), "its start is not durable");
    world.at_once(Request::PauseWorker { worker: one });
    world.hold_appends = false;
    world.land();
    world.at_once(Request::ResumeWorker { worker: one });
    let delivery = world.delivery();
    assert_eq!((body(&delivery), delivery.attempt), ("a1".into(), 1));
}

#[test]
fn a_suspect_behind_a_busy_destination_holds_nobody() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    for text in ["s1", "s2"] {
        world.send(orders, "a", text);
    }
    world.worker(orders, 2);
    assert_eq!(world.delivered(), ["s1", "s2"]);
    let mut world = world.reopen();
    world.send(orders, "b", "free");
    world.worker_with(orders, 10, at_once(1));
    let suspect = world.delivery();
    assert_eq!(body(&suspect), "s1");
    world.advance(1000);
    assert_eq!(
        world.work_off(),
        ["free"],
        "the second suspect cannot be claimed and holds nobody"
    );
    world.ack(suspect.token);
    assert_eq!(world.delivered(), ["s2"]);
}

#[test]
fn valves_of_ten_thousand_destinations_are_kept_and_no_more() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let rate = Rate {
        limit: 1,
        per_ms: 60_000,
    };
    let limits = PerDestination {
        rate: Some(rate),
        ..PerDestination::default()
    };
    world.worker_with(orders, 1, limited(limits));
    for destination in 0..10_001 {
        world.send(orders, &destination.to_string(), "x");
        world.work_off();
    }
    world.send(orders, "10000", "kept");
    assert!(world.deliveries.is_empty(), "its minute is not over");
    world.send(orders, "0", "forgotten");
    assert_eq!(
        world.work_off(),
        ["forgotten"],
        "as if nothing had gone there"
    );
}

#[test]
fn a_destination_that_fails_is_remembered_longer_than_those_that_do_not() {
    let mut world = World::new();
    let orders = crate::circuits::queue(&mut world);
    let worker = world.worker_with(orders, 1, crate::circuits::guarded());
    world.send(orders, "broken", "x");
    for _ in 0..2 {
        let delivery = world.delivery();
        world.reject(delivery.token);
    }
    for destination in 0..10_050 {
        world.send(orders, &destination.to_string(), "y");
        world.work_off();
    }
    let circuits = world.circuits(worker);
    assert!(circuits.len() <= 10_001, "{} circuits", circuits.len());
    assert_eq!(circuits["broken"], State::Open, "though it is the oldest");
    assert!(!circuits.contains_key("0"), "used least recently");
    assert!(circuits.contains_key("10049"));
}
