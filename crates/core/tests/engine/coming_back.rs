//! After a destination failed or asked for time its messages come back in growing numbers. [S8]

use ackbox_core::command::*;
use ackbox_core::consumer::policies::{Policies, WhenOpen};
use ackbox_core::consumer::watch::HandlerLimits;
use ackbox_core::effect::Delivery;
use ackbox_core::policy::breaker::State;
use ackbox_core::time::Timestamp;

use crate::circuits::{broken, guarded, queue, reject_next};
use crate::support::World;

/// How many messages are delivered at once, while all succeed.
fn rounds(world: &mut World) -> Vec<usize> {
    let mut rounds = Vec::new();
    while !world.deliveries.is_empty() {
        let round: Vec<Delivery> = world.deliveries.drain(..).collect();
        rounds.push(round.len());
        for delivery in round {
            world.ack(delivery.token);
        }
    }
    rounds
}

#[test]
fn a_success_closes_it_and_messages_come_back_in_growing_numbers() {
    let (mut world, orders, _) = broken(Policies {
        name: "one".into(),
        ..guarded()
    });
    for n in 0..20 {
        world.send(orders, "a", &format!("a{n}"));
    }
    world.worker_with(
        orders,
        99,
        Policies {
            name: "one".into(),
            ..guarded()
        },
    );
    world.advance(10_000);
    assert_eq!(
        rounds(&mut world),
        [1, 1, 2, 4, 8, 5],
        "a probe, and twice as many with each round"
    );
}

#[test]
fn what_fails_during_the_return_counts_again() {
    let (mut world, orders, worker) = broken(guarded());
    world.send(orders, "a", "second");
    world.advance(10_000);
    let probe = world.delivery();
    world.ack(probe.token);
    assert_eq!(reject_next(&mut world), ("second".into(), 1));
    assert_eq!(
        reject_next(&mut world),
        ("second".into(), 2),
        "the neighbour's failures count"
    );
    assert_eq!(world.circuits(worker)["a"], State::Open);
}

#[test]
fn whom_a_destination_kept_waiting_comes_back_in_growing_numbers_too() {
    for counts_as_failure in [false, true] {
        let mut world = World::new();
        let orders = queue(&mut world);
        let worker = world.worker_with(orders, 100, guarded());
        for n in 0..20 {
            world.send(orders, "a", &format!("a{n}"));
        }
        let all: Vec<Delivery> = world.deliveries.drain(..).collect();
        assert_eq!(all.len(), 20);
        let asked = Verdict::RetryAt {
            at: Timestamp(world.now + 5000),
            costs_attempt: false,
            counts_as_failure,
        };
        for (n, delivery) in all.iter().enumerate() {
            let verdict = if n == 0 { asked } else { Verdict::Return };
            world.settle(delivery.token, verdict).expect("settled");
        }
        world.advance(4999);
        assert!(world.deliveries.is_empty());
        world.advance(1);
        assert_eq!(rounds(&mut world), [1, 2, 4, 8, 5]);
        assert_eq!(world.circuits(worker)["a"], State::Closed);
        world.audit();
    }
}

#[test]
fn a_destination_that_goes_on_asking_for_time_is_asked_by_one_at_a_time() {
    let mut world = World::new();
    let orders = queue(&mut world);
    world.worker_with(orders, 100, guarded());
    for n in 0..20 {
        world.send(orders, "a", &format!("a{n}"));
    }
    let mut rounds = Vec::new();
    for _ in 0..4 {
        let round: Vec<Delivery> = world.deliveries.drain(..).collect();
        rounds.push(round.len());
        let verdict = Verdict::RetryAt {
            at: Timestamp(world.now + 5000),
            costs_attempt: false,
            counts_as_failure: false,
        };
        for delivery in round {
            world.settle(delivery.token, verdict).expect("settled");
        }
        world.advance(5000);
    }
    assert_eq!(rounds, [20, 1, 1, 1]);
}

/// A destination whose probe has succeeded just now, twenty messages for it, and handlers for all of them.
fn returning() -> World {
    let named = || Policies {
        name: "one".into(),
        ..guarded()
    };
    let (mut world, orders, _) = broken(named());
    for n in 0..20 {
        world.send(orders, "a", &format!("a{n}"));
    }
    world.worker_with(orders, 99, named());
    world.advance(10_000);
    let probe = world.delivery();
    world.ack(probe.token);
    world
}

#[test]
fn answers_that_say_nothing_bad_let_more_come_back() {
    let mut world = returning();
    let mut rounds = Vec::new();
    while !world.deliveries.is_empty() {
        let round: Vec<Delivery> = world.deliveries.drain(..).collect();
        rounds.push(round.len());
        for delivery in round {
            world
                .settle(delivery.token, Verdict::Dead(Reason::Permanent))
                .expect("settled");
        }
    }
    assert_eq!(rounds[..4], [1, 2, 4, 8]);
}

#[test]
fn whoever_is_put_off_lets_no_more_come_back() {
    let mut world = returning();
    for _ in 0..4 {
        let delivery = world.delivery();
        assert!(world.deliveries.is_empty(), "one at a time");
        let verdict = Verdict::PutOff {
            delay_ms: Some(60_000),
            costs_attempt: false,
            counts_as_failure: false,
        };
        world.settle(delivery.token, verdict).expect("settled");
    }
}

#[test]
fn five_answers_that_refuse_their_message_alone_close_a_circuit() {
    for excused in [false, true] {
        let (mut world, orders, worker) = broken(guarded());
        for n in 0..9 {
            world.send(orders, "a", &format!("a{n}"));
        }
        world.advance(10_000);
        for n in 0..5 {
            assert_eq!(world.circuits(worker)["a"], State::HalfOpen, "{n}");
            let token = world.delivery().token;
            if excused {
                // The host's `isFailure` said that its error is none.
                world.unanswered(Command::Excused {
                    token,
                    blameless: true,
                    free: false,
                    unasked: false,
                });
                world.reject(token);
            } else {
                let verdict = Verdict::Dead(Reason::Permanent);
                world.settle(token, verdict).expect("settled");
            }
        }
        assert_eq!(world.circuits(worker)["a"], State::Closed);
        world.audit();
    }
}

#[test]
fn a_destination_that_was_not_asked_is_not_known_to_be_back() {
    let (mut world, orders, worker) = broken(guarded());
    for n in 0..9 {
        world.send(orders, "a", &format!("a{n}"));
    }
    world.advance(10_000);
    for _ in 0..9 {
        let token = world.delivery().token;
        world.unanswered(Command::Excused {
            token,
            blameless: false,
            free: false,
            unasked: true,
        });
        let verdict = Verdict::Dead(Reason::Permanent);
        world.settle(token, verdict).expect("settled");
        assert_eq!(world.circuits(worker)["a"], State::HalfOpen);
    }
}

#[test]
fn bodies_that_no_handler_sees_say_nothing_of_the_destination() {
    let (mut world, orders, worker) = broken(guarded());
    for n in 0..9 {
        world.send(orders, "a", &format!("a{n}"));
    }
    world.advance(10_000);
    for _ in 0..9 {
        let token = world.delivery().token;
        let verdict = Verdict::Dead(Reason::Invalid);
        world.settle(token, verdict).expect("settled");
        assert_eq!(world.circuits(worker)["a"], State::HalfOpen);
    }
}

fn one_second() -> HandlerLimits {
    HandlerLimits {
        timeout_ms: Some(1000),
        max_runtime_ms: None,
    }
}

#[test]
fn handlers_that_hang_since_the_outage_keep_nobody_out() {
    for limits in [one_second(), HandlerLimits::default()] {
        let mut world = World::new();
        let orders = queue(&mut world);
        let worker = world.open_worker(orders, 20, guarded(), limits);
        for n in 0..7 {
            world.send(orders, "a", &format!("a{n}"));
        }
        // Two fail, the first one is tried again before the second one fails, and six never return.
        let mut hanging: Vec<Delivery> = world.deliveries.drain(2..).collect();
        for _ in 0..2 {
            reject_next(&mut world);
        }
        hanging.extend(world.deliveries.drain(..));
        assert_eq!(hanging.len(), 6);
        assert_eq!(world.circuits(worker)["a"], State::Open);
        for n in 7..30 {
            world.send(orders, "a", &format!("a{n}"));
        }
        world.advance(10_000);
        let returned = rounds(&mut world);
        assert_eq!(returned[..5], [1, 1, 2, 4, 8], "{limits:?}");
        assert_eq!(returned.iter().sum::<usize>(), 24, "all but what hangs");
        assert_eq!(world.circuits(worker)["a"], State::Closed);
    }
}

#[test]
fn who_hangs_during_the_return_keeps_nobody_out_for_long() {
    for (limits, patience_ms) in [(one_second(), 1000), (HandlerLimits::default(), 30_000)] {
        let mut world = World::new();
        let orders = queue(&mut world);
        let worker = world.open_worker(orders, 20, guarded(), limits);
        for n in 0..30 {
            world.send(orders, "a", &format!("a{n}"));
        }
        let all: Vec<Delivery> = world.deliveries.drain(..).collect();
        for delivery in all {
            world.reject(delivery.token);
        }
        // It was tried again before the circuit opened.
        let _before = world.delivery();
        assert!(world.deliveries.is_empty());
        world.advance(10_000);
        let probe = world.delivery();
        world.ack(probe.token);
        let _hangs = world.delivery();
        assert!(world.deliveries.is_empty(), "one at a time");
        world.advance(patience_ms - 1);
        assert!(world.deliveries.is_empty(), "{limits:?}");
        world.advance(1);
        assert_eq!(rounds(&mut world).iter().sum::<usize>(), 27, "{limits:?}");
        assert_eq!(world.circuits(worker)["a"], State::Closed);
    }
}

#[test]
fn failures_that_the_circuit_bears_do_not_prolong_the_return() {
    for failing in [10, 3, 2] {
        let (mut world, orders, worker) = broken(Policies {
            name: "one".into(),
            ..guarded()
        });
        let named = Policies {
            name: "one".into(),
            ..guarded()
        };
        world.worker_with(orders, 19, named);
        for n in 0..400 {
            world.send(orders, "a", &format!("a{n}"));
        }
        world.advance(10_000);
        let mut ended = 0;
        while ended < 100 {
            let delivery = world.delivery();
            ended += 1;
            if ended % failing == 0 {
                world.reject(delivery.token);
            } else {
                world.ack(delivery.token);
            }
        }
        assert_eq!(world.circuits(worker)["a"], State::Closed);
        assert_eq!(world.deliveries.len(), 20, "one of {failing} fails");
    }
}

#[test]
fn whom_a_probe_is_told_to_wait_for_is_not_turned_away() {
    let policies = Policies {
        when_open: WhenOpen::DeadLetter,
        ..guarded()
    };
    let (mut world, orders, _) = broken(policies);
    world.send(orders, "a", "probe");
    world.advance(10_000);
    if world.deliveries.is_empty() {
        world.send(orders, "a", "another");
    }
    let probe = world.delivery();
    let dead = world.stats(orders).dead;
    let verdict = Verdict::RetryAt {
        at: Timestamp(world.now + 60_000),
        costs_attempt: false,
        counts_as_failure: false,
    };
    world.settle(probe.token, verdict).expect("settled");
    for n in 0..20 {
        world.send(orders, "a", &n.to_string());
    }
    assert_eq!(world.stats(orders).dead, dead, "they wait");
}
