//! Circuit breakers in front of destinations: nothing is claimed while one is open, and nothing is lost or
//! counted for it. [S1, S2, S8]

use ackbox_core::command::*;
use ackbox_core::config::QueueOptions;
use ackbox_core::consumer::policies::{PerDestination, Policies, WhenOpen};
use ackbox_core::effect::{Delivery, EventKind};
use ackbox_core::policy::backoff::{Backoff, Jitter};
use ackbox_core::policy::breaker::{BreakerOptions, State};
use ackbox_core::time::Timestamp;

use crate::support::{World, body, message};

/// Opens after two failures, for ten seconds.
pub fn breaker() -> BreakerOptions {
    let cooldown = Backoff::Constant {
        ms: 10_000,
        jitter: Jitter::None,
    };
    BreakerOptions {
        failures: Some(2),
        cooldown: Some(cooldown),
        ..BreakerOptions::default()
    }
}

pub fn guarded() -> Policies {
    Policies {
        breaker: Some(breaker()),
        ..Policies::default()
    }
}

/// A queue whose failures are retried at once.
pub fn queue(world: &mut World) -> QueueId {
    let backoff = Backoff::Constant {
        ms: 0,
        jitter: Jitter::None,
    };
    let options = QueueOptions {
        backoff: Some(backoff),
        ..QueueOptions::default()
    };
    let orders = world.define("orders", options);
    world.listen(orders);
    orders
}

fn bodies(deliveries: &[Delivery]) -> Vec<String> {
    deliveries.iter().map(body).collect()
}

pub fn reject_next(world: &mut World) -> (String, u32) {
    let delivery = world.delivery();
    world.reject(delivery.token);
    (body(&delivery), delivery.attempt)
}

/// A world whose destination `a` fails: its circuit is open, `first` waits with two attempts behind it.
pub fn broken(policies: Policies) -> (World, QueueId, WorkerId) {
    let mut world = World::new();
    let orders = queue(&mut world);
    let worker = world.worker_with(orders, 1, policies);
    world.send(orders, "a", "first");
    assert_eq!(reject_next(&mut world), ("first".into(), 1));
    assert_eq!(reject_next(&mut world), ("first".into(), 2));
    (world, orders, worker)
}

#[test]
fn an_open_circuit_claims_nothing_and_others_go_on() {
    let (mut world, orders, worker) = broken(guarded());
    assert_eq!(world.circuits(worker)["a"], State::Open);
    for n in 0..100 {
        world.send(orders, "a", &format!("a{n}"));
    }
    world.send(orders, "b", "b1");
    world.enqueue(orders, "none");
    assert_eq!(world.work_off(), ["b1", "none"]);
    let stats = world.stats(orders);
    assert_eq!((stats.ready, stats.dead, stats.rejected), (101, 0, 2));
    world.advance(9_999);
    assert!(world.deliveries.is_empty());
    world.advance(1);
    assert_eq!(
        world.delivered(),
        ["first"],
        "one probe, the oldest known message"
    );
}

#[test]
fn an_outage_of_any_length_costs_no_attempt_and_probes_take_turns() {
    let (mut world, orders, worker) = broken(guarded());
    for text in ["second", "third"] {
        world.send(orders, "a", text);
    }
    let mut probes = Vec::new();
    for _ in 0..30 {
        world.advance(10_000);
        probes.push(reject_next(&mut world));
        assert!(world.deliveries.is_empty(), "one probe at a time");
    }
    assert_eq!(probes[0], ("first".into(), 3));
    assert_eq!(probes[1], ("second".into(), 1));
    assert_eq!(probes[2], ("third".into(), 1));
    assert_eq!(
        probes[3],
        ("first".into(), 3),
        "a failed probe costs no attempt"
    );
    assert_eq!(probes[29], ("third".into(), 1));
    world.advance(10_000);
    assert_eq!(world.work_off(), ["first", "second", "third"]);
    assert_eq!(world.circuits(worker)["a"], State::Closed);
    assert_eq!(world.stats(orders).dead, 0);
}

#[test]
fn events_tell_what_a_circuit_does() {
    let (mut world, ..) = broken(guarded());
    let opened_at = world.now;
    world.advance(10_000);
    world.work_off();
    let told = world
        .events_of(EventKind::Circuit)
        .into_iter()
        .map(|event| (event.id.clone(), event.states, event.at));
    let told: Vec<_> = told.collect();
    let a = || "a".to_owned();
    assert_eq!(
        told,
        [
            (
                a(),
                Some((State::Closed, State::Open)),
                Timestamp(opened_at + 10_000)
            ),
            (a(), Some((State::Open, State::HalfOpen)), Timestamp(0)),
            (a(), Some((State::HalfOpen, State::Closed)), Timestamp(0)),
        ]
    );
}

#[test]
fn what_was_written_ahead_is_taken_back_when_a_circuit_opens() {
    let mut world = World::new();
    let orders = queue(&mut world);
    for n in 0..20 {
        world.send(orders, "a", &format!("a{n}"));
    }
    world.worker_with(orders, 2, guarded());
    // Handlers that return while an append is in flight allow as many starts ahead.
    world.hold_appends = true;
    let running: Vec<Delivery> = world.deliveries.drain(..).collect();
    for delivery in &running {
        let settle = Settle {
            token: delivery.token,
            verdict: Verdict::Ack,
            returned: true,
            result: b"",
            error: b"",
        };
        world.unanswered(Command::Settle(settle));
    }
    world.land();
    world.land();
    let running: Vec<Delivery> = world.deliveries.drain(..).collect();
    assert_eq!(bodies(&running), ["a2", "a3"]);
    assert!(world.stats(orders).leased > 2, "starts were written ahead");
    world.hold_appends = false;
    if world.held.is_some() {
        world.land();
    }
    for delivery in running {
        world.reject(delivery.token);
    }
    let running = world.deliveries.len() as u64;
    assert_eq!(running, 1, "it started between the two failures");
    assert_eq!(
        world.stats(orders).leased,
        running,
        "all others were taken back"
    );
    world.advance(10_000);
    let attempts: Vec<u32> = world
        .infos(Request::Peek {
            queue: orders,
            state: None,
            limit: 100,
        })
        .iter()
        .filter_map(|info| info.attempt)
        .collect();
    let (failed, probes) = (2, 1);
    assert_eq!(
        u64::from(attempts.iter().sum::<u32>()),
        failed + running + probes
    );
}

#[test]
fn what_says_nothing_about_the_destination_opens_nothing() {
    let mut world = World::new();
    let orders = queue(&mut world);
    let worker = world.worker_with(orders, 1, guarded());
    for n in 0..10 {
        world.send(orders, "a", &format!("a{n}"));
    }
    for reason in [
        Reason::Permanent,
        Reason::Invalid,
        Reason::Permanent,
        Reason::Invalid,
    ] {
        let delivery = world.delivery();
        world
            .settle(delivery.token, Verdict::Dead(reason))
            .expect("settled");
    }
    for _ in 0..4 {
        let delivery = world.delivery();
        let at = Timestamp(world.now + 1000);
        let verdict = Verdict::RetryAt {
            at,
            costs_attempt: false,
            counts_as_failure: false,
        };
        world.settle(delivery.token, verdict).expect("settled");
        assert!(world.deliveries.is_empty(), "the whole destination waits");
        world.advance(1000);
    }
    assert_eq!(world.circuits(worker)["a"], State::Closed);
}

#[test]
fn a_destination_that_asks_for_time_may_count_as_failing() {
    let mut world = World::new();
    let orders = queue(&mut world);
    let worker = world.worker_with(orders, 1, guarded());
    world.send(orders, "a", "x");
    for _ in 0..2 {
        let delivery = world.delivery();
        let at = Timestamp(world.now + 1000);
        let verdict = Verdict::RetryAt {
            at,
            costs_attempt: false,
            counts_as_failure: true,
        };
        world.settle(delivery.token, verdict).expect("settled");
        world.advance(1000);
    }
    assert_eq!(world.circuits(worker)["a"], State::Open);
}

#[test]
fn a_probe_that_never_returns_ends_at_its_deadline() {
    let mut world = World::new();
    let orders = queue(&mut world);
    let options = BreakerOptions {
        probe_timeout_ms: Some(5000),
        ..breaker()
    };
    let worker = world.worker_with(
        orders,
        9,
        Policies {
            breaker: Some(options),
            ..Policies::default()
        },
    );
    for text in ["x", "y"] {
        world.send(orders, "a", text);
    }
    for _ in 0..2 {
        reject_next(&mut world);
    }
    world.deliveries.clear();
    world.send(orders, "a", "z");
    world.advance(10_000);
    let hung = world.delivery();
    world.advance(5000);
    assert_eq!(world.circuits(worker)["a"], State::Open);
    world.advance(10_000);
    let next = world.delivery();
    assert_ne!(body(&next), body(&hung));
    world.ack(hung.token);
    assert_eq!(
        world.circuits(worker)["a"],
        State::HalfOpen,
        "the late result of an earlier probe changes nothing"
    );
    world.ack(next.token);
    assert_eq!(world.circuits(worker)["a"], State::Closed);
}

#[test]
fn messages_without_a_destination_share_a_circuit() {
    let mut world = World::new();
    let orders = queue(&mut world);
    let worker = world.worker_with(orders, 1, guarded());
    world.enqueue(orders, "x");
    reject_next(&mut world);
    reject_next(&mut world);
    world.enqueue(orders, "y");
    world.send(orders, "a", "z");
    assert_eq!(world.work_off(), ["z"]);
    assert_eq!(world.circuits(worker)[""], State::Open);
}

#[test]
fn destinations_may_have_a_breaker_of_their_own_kind() {
    let own = BreakerOptions {
        failures: Some(1),
        ..breaker()
    };
    let limits = PerDestination {
        breaker: Some(own),
        ..PerDestination::default()
    };
    let mut world = World::new();
    let orders = queue(&mut world);
    let policies = Policies {
        per_destination: Some(limits),
        ..guarded()
    };
    let worker = world.worker_with(orders, 1, policies);
    world.send(orders, "a", "x");
    reject_next(&mut world);
    assert_eq!(
        world.circuits(worker)["a"],
        State::Open,
        "after one failure"
    );
    world.enqueue(orders, "y");
    reject_next(&mut world);
    assert_eq!(world.circuits(worker)[""], State::Closed, "two are needed");
}

#[test]
fn dead_letters_instead_of_a_pause() {
    let (mut world, orders, _) = broken(Policies {
        when_open: WhenOpen::DeadLetter,
        ..guarded()
    });
    world.send(orders, "a", "second");
    world.send(orders, "b", "other");
    assert_eq!(world.work_off(), ["other"]);
    let letters = world.infos(Request::Peek {
        queue: orders,
        state: Some(MessageState::Dead),
        limit: 10,
    });
    assert_eq!(letters.len(), 2);
    assert!(
        letters
            .iter()
            .all(|letter| letter.reason == Some(Reason::CircuitOpen))
    );
    assert!(
        letters[0]
            .error
            .as_deref()
            .is_some_and(|error| error.contains("ERR_CIRCUIT_OPEN"))
    );
}

#[test]
fn failed_attempts_instead_of_a_pause() {
    let backoff = Backoff::Constant {
        ms: 1000,
        jitter: Jitter::None,
    };
    let options = QueueOptions {
        backoff: Some(backoff),
        max_attempts: Some(4),
        ..QueueOptions::default()
    };
    let mut world = World::new();
    let orders = world.define("orders", options);
    world.worker_with(
        orders,
        1,
        Policies {
            when_open: WhenOpen::Reject,
            ..guarded()
        },
    );
    world.send(orders, "a", "x");
    reject_next(&mut world);
    world.advance(1000);
    reject_next(&mut world);
    world.advance(1000);
    assert!(
        world.deliveries.is_empty(),
        "the third attempt fails without a call of the handler"
    );
    world.advance(1000);
    let letters = world.infos(Request::Peek {
        queue: orders,
        state: Some(MessageState::Dead),
        limit: 10,
    });
    assert_eq!(letters.len(), 1, "and the fourth was the last");
    assert_eq!(letters[0].reason, Some(Reason::Exhausted));
    world.audit();
}

#[test]
fn who_is_turned_away_comes_back_in_a_later_millisecond() {
    let backoff = Backoff::Constant {
        ms: 0,
        jitter: Jitter::None,
    };
    let options = QueueOptions {
        backoff: Some(backoff),
        max_attempts: Some(u32::MAX),
        ..QueueOptions::default()
    };
    let mut world = World::new();
    let orders = world.define("orders", options);
    let policies = Policies {
        when_open: WhenOpen::Reject,
        ..guarded()
    };
    world.worker_with(orders, 1, policies);
    world.send(orders, "a", "x");
    for _ in 0..2 {
        reject_next(&mut world);
    }
    let rejected = world.stats(orders).rejected;
    assert_eq!(rejected, 3, "once at the time of the opening");
    for ms in 1..=5 {
        world.advance(1);
        assert_eq!(world.stats(orders).rejected, rejected + ms);
    }
    world.audit();
}

#[test]
fn a_message_behind_an_open_circuit_expires_all_the_same() {
    let (mut world, orders, _) = broken(guarded());
    let enqueue = Enqueue {
        destination: Some("a"),
        ttl_ms: Some(500),
        ..message(orders, "short")
    };
    world.try_enqueue(enqueue).expect("accepted");
    world.advance(501);
    assert_eq!(world.stats(orders).expired, 1);
}

#[test]
fn a_lone_message_is_probed_until_its_time_for_retries_is_over() {
    let mut world = World::new();
    let backoff = Backoff::Constant {
        ms: 0,
        jitter: Jitter::None,
    };
    let options = QueueOptions {
        backoff: Some(backoff),
        max_retry_ms: Some(35_000),
        ..QueueOptions::default()
    };
    let orders = world.define("orders", options);
    world.worker_with(orders, 1, guarded());
    world.send(orders, "a", "x");
    reject_next(&mut world);
    reject_next(&mut world);
    for _ in 0..3 {
        world.advance(10_000);
        reject_next(&mut world);
    }
    world.advance(10_000);
    reject_next(&mut world);
    assert_eq!(world.stats(orders).dead, 1);
}

#[test]
fn a_suspect_behind_an_open_circuit_holds_nobody() {
    let (mut world, orders, _) = broken(guarded());
    world.send(orders, "a", "second");
    world.advance(10_000);
    let probe = world.delivery();
    assert_eq!(body(&probe), "first");
    let mut world = world.reopen();
    let worker = world.worker_with(orders, 9, guarded());
    assert_eq!(
        world.delivered(),
        ["first"],
        "half-open before, and half-open now: the suspect is the probe"
    );
    world.advance(30_000);
    assert_eq!(
        world.circuits(worker)["a"],
        State::Open,
        "it did not return"
    );
    let mut world = world.reopen();
    world.worker_with(orders, 9, guarded());
    world.send(orders, "b", "free");
    assert_eq!(world.work_off(), ["free"], "the suspect cannot be claimed");
}

#[test]
fn a_circuit_is_isolated_and_closed_by_hand() {
    let mut world = World::new();
    let orders = queue(&mut world);
    let worker = world.worker_with(orders, 1, guarded());
    let force = |isolate| Request::ForceCircuit {
        worker,
        destination: "a".into(),
        isolate,
    };
    world.at_once(force(true));
    world.send(orders, "a", "x");
    world.advance(1_000_000);
    assert!(world.deliveries.is_empty());
    world.at_once(force(false));
    assert_eq!(world.work_off(), ["x"]);
    let plain = world.worker(orders, 1);
    let force = Request::ForceCircuit {
        worker: plain,
        destination: "a".into(),
        isolate: true,
    };
    world.try_at_once(force).expect_err("it has no breaker");
}
