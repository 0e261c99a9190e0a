//! Rates of workers, alone and over all workers of a queue.

use ackbox_core::command::*;
use ackbox_core::config::QueueOptions;
use ackbox_core::consumer::policies::{Policies, Scope, WorkerRate};
use ackbox_core::consumer::watch::HandlerLimits;
use ackbox_core::error::ErrorCode;
use ackbox_core::policy::breaker::BreakerOptions;
use ackbox_core::policy::rate::Rate;

use crate::support::World;

fn rated(name: &str, scope: Scope) -> Policies {
    limited(name, scope, 2)
}

fn limited(name: &str, scope: Scope, limit: u32) -> Policies {
    let rate = Rate {
        limit,
        per_ms: 1000,
    };
    Policies {
        name: name.into(),
        rate: Some(WorkerRate { rate, scope }),
        ..Policies::default()
    }
}

fn backlog(world: &mut World, count: u32) -> QueueId {
    let orders = world.define("orders", QueueOptions::default());
    for _ in 0..count {
        world.enqueue(orders, "x");
    }
    orders
}

#[test]
fn a_worker_starts_so_many_in_a_time() {
    let mut world = World::new();
    let orders = backlog(&mut world, 5);
    world.worker_with(orders, 10, rated("", Scope::Worker));
    let mut started = vec![world.delivered().len()];
    for _ in 0..4 {
        world.advance(500);
        started.push(world.delivered().len());
    }
    assert_eq!(started, [2, 1, 1, 1, 0]);
}

#[test]
fn each_worker_has_a_rate_of_its_own() {
    let mut world = World::new();
    let orders = backlog(&mut world, 9);
    world.worker_with(orders, 10, rated("", Scope::Worker));
    world.worker_with(orders, 10, rated("", Scope::Worker));
    assert_eq!(world.delivered().len(), 4);
}

#[test]
fn rates_of_their_own_may_differ_under_one_name() {
    let mut world = World::new();
    let orders = backlog(&mut world, 20);
    let circuits = |policies| Policies {
        breaker: Some(BreakerOptions::default()),
        ..policies
    };
    world.worker_with(orders, 20, limited("", Scope::Worker, 1));
    assert_eq!(world.delivered().len(), 1);
    world.worker_with(orders, 20, circuits(limited("", Scope::Worker, 2)));
    assert_eq!(world.delivered().len(), 2);
    world.worker_with(orders, 20, circuits(limited("", Scope::Worker, 4)));
    assert_eq!(world.delivered().len(), 4);
    world.advance(1000);
    assert_eq!(world.delivered().len(), 7, "each at its own rate");
    world.worker_with(orders, 20, circuits(Policies::default()));
    assert_eq!(world.delivered().len(), 6, "and one without any");
}

#[test]
fn a_rate_over_the_queue_is_one_rate_under_one_name() {
    let mut world = World::new();
    let orders = backlog(&mut world, 0);
    world.worker_with(orders, 1, limited("", Scope::Queue, 1));
    let open = Request::OpenWorker {
        queue: orders,
        concurrency: 1,
        policies: Box::new(limited("", Scope::Queue, 2)),
        limits: HandlerLimits::default(),
    };
    let failure = world.try_at_once(open).expect_err("they share it");
    assert_eq!(failure.code, ErrorCode::InvalidOption);
}

#[test]
fn a_new_worker_goes_on_at_the_rate_of_the_one_before_it() {
    for (name, at_once) in [("", 0), ("another", 2)] {
        let mut world = World::new();
        let orders = backlog(&mut world, 9);
        let worker = world.worker_with(orders, 10, rated("", Scope::Worker));
        assert_eq!(world.work_off().len(), 2);
        world.request(Request::CloseWorker { worker }).unwrap();
        let mut world = world.reopen();
        world.worker_with(orders, 10, rated(name, Scope::Worker));
        assert_eq!(world.delivered().len(), at_once, "{name}");
    }
}

#[test]
fn all_workers_of_a_queue_share_its_rate() {
    let mut world = World::new();
    let orders = backlog(&mut world, 9);
    world.worker_with(orders, 10, rated("one", Scope::Queue));
    world.worker_with(orders, 10, rated("two", Scope::Queue));
    assert_eq!(world.delivered().len(), 2);
    world.advance(1000);
    assert_eq!(world.delivered().len(), 2);
}

#[test]
fn what_did_not_start_does_not_count() {
    let mut world = World::new();
    let orders = backlog(&mut world, 2);
    world.hold_appends = true;
    let worker = world.worker_with(orders, 10, rated("", Scope::Worker));
    assert!(world.deliveries.is_empty(), "their starts are not durable");
    world.at_once(Request::PauseWorker { worker });
    world.hold_appends = false;
    world.land();
    world.at_once(Request::ResumeWorker { worker });
    assert_eq!(
        world.delivered().len(),
        2,
        "at once, as if they had not been claimed before"
    );
}

#[test]
fn what_nobody_saw_does_not_count() {
    let mut world = World::new();
    let orders = backlog(&mut world, 2);
    world.worker_with(orders, 10, rated("", Scope::Worker));
    for _ in 0..2 {
        let delivery = world.delivery();
        let token = delivery.token;
        world.unanswered(Command::Declined { token });
    }
    assert_eq!(
        world.delivered().len(),
        2,
        "at once, as if they had not been handed out before"
    );
}

#[test]
fn a_crash_allows_one_burst_more() {
    let mut world = World::new();
    let orders = backlog(&mut world, 9);
    world.worker_with(orders, 10, rated("", Scope::Queue));
    assert_eq!(world.work_off().len(), 2);
    let mut world = world.reopen();
    world.worker_with(orders, 10, rated("", Scope::Queue));
    assert_eq!(world.work_off().len(), 2);
    world.advance(499);
    assert!(world.deliveries.is_empty());
}

#[test]
fn a_drain_waits_for_its_rate() {
    let mut world = World::new();
    let orders = backlog(&mut world, 3);
    let worker = world.worker_with(orders, 10, rated("", Scope::Worker));
    let ticket = world
        .request(Request::DrainWorker { worker })
        .expect("taken");
    assert_eq!(world.work_off().len(), 2);
    assert!(!world.replies.contains_key(&ticket), "something is ready");
    world.advance(500);
    assert_eq!(world.work_off().len(), 1);
    assert!(world.replies.contains_key(&ticket));
}

#[test]
fn rates_are_checked() {
    let mut world = World::new();
    let orders = backlog(&mut world, 0);
    let mut policies = Box::new(rated("", Scope::Worker));
    policies.rate.as_mut().unwrap().rate.limit = 0;
    let open = Request::OpenWorker {
        queue: orders,
        concurrency: 1,
        policies,
        limits: HandlerLimits::default(),
    };
    let failure = world.try_at_once(open).expect_err("nothing could start");
    assert!(
        failure.message.starts_with("rate.limit: expected 1 to"),
        "{failure:?}"
    );
}

#[test]
fn different_rates_over_one_queue_are_each_their_own() {
    let mut world = World::new();
    let orders = backlog(&mut world, 1000);
    world.worker_with(orders, 1000, limited("fast", Scope::Queue, 10));
    world.worker_with(orders, 1000, limited("slow", Scope::Queue, 2));
    assert_eq!(world.delivered().len(), 12);
    let mut started = 0;
    for _ in 0..600 {
        world.advance(100);
        started += world.delivered().len();
    }
    assert_eq!(started, 600 + 120, "ten and two a second for a minute");
}

#[test]
fn another_rate_goes_on_where_the_one_before_was() {
    let mut world = World::new();
    let orders = backlog(&mut world, 100);
    world.worker_with(orders, 100, limited("other", Scope::Queue, 1));
    assert_eq!(world.delivered().len(), 1);
    let worker = world.worker_with(orders, 100, limited("", Scope::Queue, 2));
    assert_eq!(world.work_off().len(), 2);
    world.value(Request::CloseWorker { worker });
    for limit in [2, 4] {
        let worker = world.worker_with(orders, 100, limited("", Scope::Queue, limit));
        assert!(world.deliveries.is_empty(), "{limit}: no second burst");
        world.value(Request::CloseWorker { worker });
    }
    world.advance(1000);
    world.worker_with(orders, 100, limited("", Scope::Queue, 4));
    assert_eq!(world.delivered().len(), 1 + 4);
}
