//! What dies while a queue is drained is in the report, whether a handler had it or not. [A3 drain]

use ackbox_core::command::*;
use ackbox_core::config::{Config, QueueOptions};
use ackbox_core::consumer::policies::{Policies, WhenOpen};
use ackbox_core::consumer::sluice::{Level, SluiceState};

use crate::circuits::{guarded, queue, reject_next};
use crate::compensation;
use crate::draining::{drain_by, drained, outcome};
use crate::support::{World, message};

/// A message that no worker gets in time: it is scheduled for later than it may start.
fn doomed(queue: QueueId, ttl_ms: u64) -> Enqueue<'static> {
    Enqueue {
        delay_ms: Some(60_000),
        ttl_ms: Some(ttl_ms),
        ..message(queue, "\"doomed\"")
    }
}

/// A drain of a queue whose destination fails twice, while three messages go there, one of them with its last attempt.
fn drain_through(when_open: WhenOpen) -> Option<ackbox_core::effect::Drained> {
    let mut world = World::new();
    let orders = queue(&mut world);
    for (text, max_attempts) in [("x", None), ("y", None), ("z", Some(1))] {
        let sent = Enqueue {
            destination: Some("a"),
            max_attempts,
            ..message(orders, text)
        };
        world.try_enqueue(sent).unwrap();
    }
    let policies = Policies {
        when_open,
        ..guarded()
    };
    let worker = world.worker_with(orders, 1, policies);
    let draining = drain_by(&mut world, worker);
    for _ in 0..2 {
        assert_eq!(reject_next(&mut world).0, "x");
    }
    world.audit();
    outcome(&mut world, &draining)
}

#[test]
fn what_an_open_circuit_turns_away_is_counted() {
    for (when_open, expected) in [
        (WhenOpen::Pause, drained(0, 2, 0, 3)),
        (WhenOpen::DeadLetter, drained(0, 2, 3, 0)),
        (WhenOpen::Reject, drained(0, 4, 1, 2)),
    ] {
        assert_eq!(drain_through(when_open), expected, "{when_open:?}");
    }
}

#[test]
fn what_a_gate_of_the_host_turns_away_is_counted() {
    let mut world = World::new();
    let orders = queue(&mut world);
    for text in ["x", "y"] {
        world.enqueue(orders, text);
    }
    world.at_once(Request::SetSluice {
        sluice: 1,
        state: SluiceState {
            level: Level::Broken,
            places: 0,
            until: None,
        },
    });
    let policies = Policies {
        sluice: Some(1),
        when_open: WhenOpen::DeadLetter,
        ..Policies::default()
    };
    let worker = world.worker_with(orders, 1, policies);
    let draining = drain_by(&mut world, worker);
    assert_eq!(outcome(&mut world, &draining), drained(0, 0, 2, 0));
}

#[test]
fn what_expires_meanwhile_is_counted_once_and_for_its_queue() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let others = world.define("others", QueueOptions::default());
    for queue in [orders, others, others] {
        world.try_enqueue(doomed(queue, 5)).unwrap();
        world.enqueue(queue, "done");
    }
    let draining = [orders, others, others].map(|queue| {
        let worker = world.worker(queue, 1);
        drain_by(&mut world, worker)
    });
    world.advance(6);
    world.work_off();
    let reports = draining.map(|draining| outcome(&mut world, &draining));
    assert_eq!(
        reports,
        [
            drained(1, 0, 1, 0),
            drained(1, 0, 2, 1),
            drained(1, 0, 0, 0)
        ],
        "of two that drain one queue the first, which ends while the other handles its message, counts what neither had"
    );
}

#[test]
fn a_death_that_is_counted_is_durable() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.enqueue(orders, "first");
    world.try_enqueue(doomed(orders, 5)).unwrap();
    let worker = world.worker(orders, 1);
    let draining = drain_by(&mut world, worker);
    let first = world.delivery();
    world.hold_appends = true;
    world.command(Command::Settle(Settle {
        token: first.token,
        verdict: Verdict::Ack,
        returned: true,
        result: b"",
        error: b"",
    }));
    world.advance(6);
    world.land();
    assert_eq!(
        outcome(&mut world, &draining),
        None,
        "what it settled is durable, what expired behind that is not"
    );
    world.land();
    assert_eq!(outcome(&mut world, &draining), drained(1, 0, 1, 0));
}

#[test]
fn it_waits_for_what_has_to_be_read_before_it_dies() {
    let (mut world, orders, refunds) = compensation::world(Config {
        max_memory_bytes: 0,
        ..Config::default()
    });
    world.try_enqueue(doomed(orders, 5)).unwrap();
    world.hold_reads = true;
    world.advance(6);
    let drainings = [orders, refunds].map(|queue| {
        let worker = world.worker(queue, 1);
        drain_by(&mut world, worker)
    });
    let [first, other] = &drainings;
    assert_eq!(outcome(&mut world, first), None, "it is dying");
    assert_eq!(
        outcome(&mut world, other),
        drained(0, 0, 0, 0),
        "of this queue nothing dies"
    );
    world.answer_reads();
    assert_eq!(outcome(&mut world, first), drained(0, 0, 1, 0));
}

#[test]
fn what_is_withdrawn_before_it_dies_is_waited_for_no_longer() {
    let (mut world, orders, _) = compensation::world(Config {
        max_memory_bytes: 0,
        ..Config::default()
    });
    world.try_enqueue(doomed(orders, 5)).unwrap();
    world.hold_reads = true;
    world.advance(6);
    let worker = world.worker(orders, 1);
    let draining = drain_by(&mut world, worker);
    assert_eq!(world.value(Request::Purge { queue: orders }), 1);
    world.answer_reads();
    assert_eq!(outcome(&mut world, &draining), drained(0, 0, 0, 0));
}
