//! A host may say how long a circuit stays open: it is asked once for each opening, and not waited for.

use ackbox_core::command::*;
use ackbox_core::consumer::policies::Policies;
use ackbox_core::effect::{EventKind, Notice};
use ackbox_core::policy::backoff::{Backoff, Jitter};
use ackbox_core::policy::breaker::{BreakerOptions, State};
use ackbox_core::time::Timestamp;

use crate::circuits::{breaker, broken, guarded, reject_next};
use crate::support::World;

/// The host says how long an opening takes, a day at most.
fn told() -> Policies {
    let cooldown = Backoff::Constant {
        ms: 86_400_000,
        jitter: Jitter::None,
    };
    let options = BreakerOptions {
        cooldown: Some(cooldown),
        ..breaker()
    };
    Policies {
        breaker: Some(options),
        asks_cooldown: true,
        ..Policies::default()
    }
}

/// A world whose host is asked how long an opening takes, and has not answered yet.
fn asking() -> (World, QueueId, WorkerId) {
    broken(told())
}

fn answer(world: &mut World, worker: WorkerId, ms: u64) {
    world.at_once(Request::CoolDown {
        worker,
        destination: "a".into(),
        ms,
    });
}

#[test]
fn a_host_may_say_how_long_an_opening_takes() {
    let (mut world, orders, worker) = asking();
    let asked = |openings| Notice::Cooldown {
        worker,
        destination: "a".into(),
        openings,
    };
    assert_eq!(world.notices, [asked(1)]);
    assert!(
        world.events_of(EventKind::Circuit).is_empty(),
        "it is told of once it is known how long it takes"
    );
    answer(&mut world, worker, 70_000);
    let until = world.events_of(EventKind::Circuit)[0].at;
    assert_eq!(until, Timestamp(world.now + 70_000));
    world.advance(69_999);
    assert!(world.deliveries.is_empty());
    world.advance(1);
    assert_eq!(reject_next(&mut world).0, "first");
    assert_eq!(world.notices[1..], [asked(2)]);
    answer(&mut world, worker, 90_000);
    let mut world = world.reopen();
    world.worker_with(orders, 1, told());
    world.advance(89_999);
    assert!(world.deliveries.is_empty(), "it was saved");
    world.advance(1);
    assert_eq!(world.work_off(), ["first"]);
}

#[test]
fn a_host_that_does_not_answer_is_not_waited_for() {
    let (mut world, ..) = asking();
    world.advance(29_999);
    assert!(world.deliveries.is_empty());
    world.advance(1);
    assert_eq!(world.delivered(), ["first"]);
    let (mut world, orders, worker) = asking();
    assert_eq!(world.value(Request::CloseWorker { worker }), 0);
    let mut world = world.reopen();
    world.worker_with(orders, 1, guarded());
    assert!(world.deliveries.is_empty(), "it was saved all the same");
}

#[test]
fn an_answer_that_comes_too_late_changes_nothing() {
    let (mut world, _, worker) = asking();
    world.at_once(Request::ForceCircuit {
        worker,
        destination: "a".into(),
        isolate: true,
    });
    answer(&mut world, worker, 10);
    world.advance(1000);
    assert_eq!(world.circuits(worker)["a"], State::Isolated);
}
