//! What holds destinations, workers and queues back outlives the process. [A3 name, A3 rate]

use ackbox_core::command::*;
use ackbox_core::config::{Config, QueueOptions};
use ackbox_core::consumer::policies::{PerDestination, Policies, Scope, WorkerRate};
use ackbox_core::policy::backoff::{Backoff, Jitter};
use ackbox_core::policy::rate::Rate;
use ackbox_core::time::Timestamp;

use crate::support::World;

const RATE: Rate = Rate {
    limit: 2,
    per_ms: 1000,
};

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

fn telling_apart() -> Policies {
    Policies {
        per_destination: Some(PerDestination::default()),
        ..Policies::default()
    }
}

fn paced_destinations() -> Policies {
    let limits = PerDestination {
        rate: Some(RATE),
        ..PerDestination::default()
    };
    Policies {
        per_destination: Some(limits),
        ..Policies::default()
    }
}

fn rated(scope: Scope) -> Policies {
    Policies {
        rate: Some(WorkerRate { rate: RATE, scope }),
        ..Policies::default()
    }
}

/// The next delivery of a destination asks for time.
fn ask_for(world: &mut World, ms: u64) {
    let delivery = world.delivery();
    let verdict = Verdict::RetryAt {
        at: Timestamp(world.now + ms),
        costs_attempt: false,
        counts_as_failure: false,
    };
    world.settle(delivery.token, verdict).expect("settled");
}

/// A clean close, and a new owner.
fn close_and_open(mut world: World) -> World {
    world.value(Request::Close {});
    world.reopen()
}

#[test]
fn a_destination_that_asked_for_time_gets_it_over_a_crash() {
    let mut world = World::new();
    let orders = queue(&mut world);
    world.worker_with(orders, 1, telling_apart());
    world.send(orders, "a", "a1");
    ask_for(&mut world, 5000);
    world.advance(2000);
    let mut world = world.reopen();
    world.worker_with(orders, 1, telling_apart());
    for (destination, text) in [("a", "a2"), ("b", "b1")] {
        world.send(orders, destination, text);
    }
    assert_eq!(world.work_off(), ["b1"]);
    world.advance(2999);
    assert!(world.deliveries.is_empty());
    world.advance(1);
    assert_eq!(world.work_off(), ["a1", "a2"]);
}

#[test]
fn messages_without_a_destination_are_held_together_as_well() {
    let mut world = World::new();
    let orders = queue(&mut world);
    world.worker_with(orders, 1, telling_apart());
    world.enqueue(orders, "x");
    ask_for(&mut world, 5000);
    let mut world = world.reopen();
    world.worker_with(orders, 1, telling_apart());
    world.enqueue(orders, "y");
    world.advance(4999);
    assert!(world.deliveries.is_empty());
    world.advance(1);
    assert_eq!(world.work_off(), ["x", "y"]);
}

#[test]
fn a_hold_lasts_over_the_end_of_the_last_worker_of_its_name() {
    let mut world = World::new();
    let orders = queue(&mut world);
    let worker = world.worker_with(orders, 1, telling_apart());
    world.send(orders, "a", "a1");
    ask_for(&mut world, 5000);
    world
        .request(Request::CloseWorker { worker })
        .expect("closed");
    world.worker_with(orders, 1, telling_apart());
    world.send(orders, "a", "a2");
    assert!(world.deliveries.is_empty());
    world.advance(5000);
    assert_eq!(world.work_off(), ["a1", "a2"]);
}

#[test]
fn a_clock_that_was_set_back_prolongs_no_hold() {
    let mut world = World::new();
    let orders = queue(&mut world);
    world.worker_with(orders, 1, telling_apart());
    world.send(orders, "a", "a1");
    ask_for(&mut world, 5000);
    let (now, config) = (world.now - 3_600_000, world.config.clone());
    let mut world = World::open(world.crash(), now, config).expect("it opens");
    world.worker_with(orders, 1, telling_apart());
    world.send(orders, "a", "a2");
    world.advance(4999);
    assert!(world.deliveries.is_empty());
    world.advance(1);
    assert!(world.work_off().contains(&"a2".to_owned()));
}

#[test]
fn a_rate_goes_on_after_a_clean_close() {
    for policies in [
        paced_destinations(),
        rated(Scope::Queue),
        rated(Scope::Worker),
    ] {
        let mut world = World::new();
        let orders = queue(&mut world);
        world.worker_with(orders, 9, policies.clone());
        for n in 0..5 {
            world.send(orders, "a", &n.to_string());
        }
        assert_eq!(world.work_off(), ["0", "1"]);
        let mut world = close_and_open(world);
        world.worker_with(orders, 9, policies.clone());
        world.advance(499);
        assert!(world.deliveries.is_empty(), "{policies:?}");
        world.advance(1);
        assert_eq!(world.work_off(), ["2"], "{policies:?}");
    }
}

#[test]
fn a_rate_goes_on_with_the_next_worker_of_its_name() {
    for policies in [paced_destinations(), rated(Scope::Worker)] {
        let mut world = World::new();
        let orders = queue(&mut world);
        let worker = world.worker_with(orders, 9, policies.clone());
        for n in 0..3 {
            world.send(orders, "a", &n.to_string());
        }
        assert_eq!(world.work_off(), ["0", "1"]);
        assert_eq!(world.value(Request::CloseWorker { worker }), 0);
        world.worker_with(orders, 9, policies.clone());
        assert!(world.deliveries.is_empty(), "{policies:?}");
        world.advance(500);
        assert_eq!(world.work_off(), ["2"]);
    }
}

#[test]
fn a_crash_allows_one_burst_more_and_no_second_one() {
    let mut world = World::new();
    let orders = queue(&mut world);
    world.worker_with(orders, 9, paced_destinations());
    for n in 0..9 {
        world.send(orders, "a", &n.to_string());
    }
    assert_eq!(world.work_off(), ["0", "1"]);
    let mut world = world.reopen();
    world.worker_with(orders, 9, paced_destinations());
    assert_eq!(world.work_off(), ["2", "3"]);
    world.advance(499);
    assert!(world.deliveries.is_empty());
}

#[test]
fn no_message_costs_a_record_for_its_rate() {
    let mut world = World::new();
    let orders = queue(&mut world);
    world.worker_with(orders, 9, paced_destinations());
    let before = world.box_stats().records;
    for n in 0..10 {
        world.send(orders, "a", &n.to_string());
        world.work_off();
        world.advance(500);
        world.work_off();
    }
    assert_eq!(
        world.box_stats().records - before,
        30,
        "accepted, started, completed"
    );
}

#[test]
fn a_hold_survives_the_segments_that_it_was_written_in_and_goes_once_it_is_over() {
    let config = Config {
        segment_bytes: 4096,
        ..Config::default()
    };
    let mut world = World::with_config(config);
    let orders = queue(&mut world);
    world.worker_with(orders, 1, telling_apart());
    world.send(orders, "a", "a1");
    ask_for(&mut world, 60_000);
    let first = *world.disk.keys().next().expect("it was written");
    let fill = |world: &mut World| {
        for _ in 0..200 {
            world.send(orders, "c", &"y".repeat(100));
            world.work_off();
        }
    };
    fill(&mut world);
    assert!(!world.disk.contains_key(&first), "its segment was cleaned");
    world.audit();
    let mut world = world.reopen();
    world.worker_with(orders, 1, telling_apart());
    world.send(orders, "a", "a2");
    assert!(world.deliveries.is_empty());
    world.advance(60_000);
    assert_eq!(world.work_off(), ["a1", "a2"]);
    fill(&mut world);
    fill(&mut world);
    assert_eq!(world.box_stats().live_bytes, 0, "nothing is left of it");
    world.audit();
}

#[test]
fn holds_that_are_over_do_not_fill_the_journal() {
    let config = Config {
        segment_bytes: 4096,
        ..Config::default()
    };
    let mut world = World::with_config(config);
    let orders = queue(&mut world);
    world.worker_with(orders, 1, telling_apart());
    for n in 0..500 {
        world.send(orders, &n.to_string(), "x");
        ask_for(&mut world, 100);
        world.advance(101);
        world.work_off();
    }
    let stats = world.box_stats();
    assert!(stats.live_bytes < 1000, "{} bytes live", stats.live_bytes);
    world.audit();
}

#[test]
fn a_box_that_started_nothing_writes_nothing_when_it_is_closed() {
    let mut world = World::new();
    let orders = queue(&mut world);
    world.worker_with(orders, 9, rated(Scope::Queue));
    for n in 0..5 {
        world.send(orders, "a", &n.to_string());
    }
    world.work_off();
    let mut world = close_and_open(world);
    world.worker_with(orders, 9, rated(Scope::Queue));
    let appends = world.appends;
    world.value(Request::Close {});
    assert_eq!(world.appends, appends);
}

fn named(name: &str) -> Policies {
    Policies {
        name: name.to_owned(),
        ..telling_apart()
    }
}

#[test]
fn what_holds_workers_of_one_name_back_holds_no_others() {
    let mut world = World::new();
    let orders = queue(&mut world);
    let others = world.define("others", QueueOptions::default());
    for queue in [orders, others] {
        world.worker_with(queue, 1, named("m"));
        world.send(queue, "a", "x");
        ask_for(&mut world, 5000);
    }
    let mut world = world.reopen();
    world.value(Request::Purge { queue: orders });
    for name in ["l", "n"] {
        let worker = world.worker_with(orders, 1, named(name));
        world.send(orders, "a", name);
        assert_eq!(world.work_off(), [name]);
        world.value(Request::CloseWorker { worker });
    }
    world.worker_with(orders, 1, named("m"));
    world.send(orders, "a", "m");
    assert!(world.deliveries.is_empty());
}

#[test]
fn what_holds_one_destination_ends_no_hold_of_another() {
    let mut world = World::new();
    let orders = queue(&mut world);
    world.worker_with(orders, 1, telling_apart());
    let all = ["a", "b", "c", "d", "e", "f"];
    for (at, destination) in all.iter().enumerate() {
        world.send(orders, destination, destination);
        ask_for(&mut world, 5000 + at as u64);
        world.advance(1);
    }
    let mut world = world.reopen();
    world.worker_with(orders, 1, telling_apart());
    world.advance(4993);
    assert!(world.deliveries.is_empty());
    world.advance(11);
    assert_eq!(world.work_off(), all);
}

#[test]
fn holds_that_are_over_are_forgotten_without_cleaning() {
    let mut world = World::new();
    let orders = queue(&mut world);
    world.worker_with(orders, 1, telling_apart());
    for n in 0..100 {
        world.send(orders, &n.to_string(), "x");
        ask_for(&mut world, 100);
        world.advance(101);
        world.work_off();
    }
    let stats = world.box_stats();
    assert_eq!(stats.segments, 1, "nothing was cleaned");
    assert!(stats.live_bytes < 200, "{} bytes live", stats.live_bytes);
}

#[test]
fn what_is_over_or_known_already_costs_no_record_at_the_end() {
    let mut world = World::new();
    let orders = queue(&mut world);
    let policies = Policies {
        per_destination: Some(PerDestination::default()),
        ..rated(Scope::Queue)
    };
    world.worker_with(orders, 1, policies);
    world.send(orders, "a", "asks");
    ask_for(&mut world, 60_000);
    world.advance(30_000);
    let appends = world.appends;
    world.value(Request::Close {});
    assert_eq!(world.appends, appends);
}
