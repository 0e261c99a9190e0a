//! Queues that are told of the dead letters of others: always, once, and in the same commit. [A2 deadLetterTo]

use std::collections::BTreeSet;

use ackbox_core::command::*;
use ackbox_core::config::{Bodies, Config, Guarantee, QueueOptions};
use ackbox_core::effect::{EventKind, Object};
use ackbox_core::error::ErrorCode;
use ackbox_core::policy::backoff::{Backoff, Jitter};
use serde_json::{Value, json};

use crate::support::{T0, World, body, message};

pub fn cold() -> Config {
    Config {
        max_memory_bytes: 0,
        segment_bytes: 16 << 10,
        ..Config::default()
    }
}

pub fn telling(to: &str) -> QueueOptions {
    QueueOptions {
        max_attempts: Some(1),
        dead_letter_to: Some(to.to_owned()),
        backoff: Some(Backoff::Constant {
            ms: 10,
            jitter: Jitter::None,
        }),
        ..QueueOptions::default()
    }
}

/// `orders` tells `refunds` of its dead letters.
pub fn world(config: Config) -> (World, QueueId, QueueId) {
    let mut world = World::with_config(config);
    let orders = world.define("orders", telling("refunds"));
    let refunds = world.define("refunds", QueueOptions::default());
    (world, orders, refunds)
}

pub fn order<'a>(queue: QueueId, id: &'a str, body: &'a str) -> Enqueue<'a> {
    Enqueue {
        id: Some(id),
        headers: br#"{"trace":"t"}"#,
        ..message(queue, body)
    }
}

/// The next message of a queue fails with this error.
pub fn fail(world: &mut World, queue: QueueId, verdict: Verdict, error: &[u8]) {
    let delivery = world.dequeue(queue, 1).remove(0);
    world
        .settle_with(delivery.token, verdict, true, b"", error)
        .expect("it is settled");
}

pub const REJECT: Verdict = Verdict::Reject { delay_ms: None };

/// What a queue was told, oldest first; it is settled on the way.
pub fn told(world: &mut World, queue: QueueId) -> Vec<Value> {
    let mut told = Vec::new();
    while let Some(delivery) = world.dequeue(queue, 1).pop() {
        told.push(serde_json::from_slice(delivery.content.body()).expect("it is JSON"));
        world.ack(delivery.token);
    }
    told
}

pub fn about(id: &str, body: Value, reason: &str) -> Value {
    json!({ "queue": "orders", "id": id, "body": body, "headers": { "trace": "t" }, "reason": reason })
}

#[test]
fn every_death_is_told_with_all_there_is_to_know() {
    for config in [Config::default(), cold()] {
        let (mut world, orders, refunds) = world(config);
        world.listen(refunds);
        let error = json!({ "name": "Error", "message": "no \"money\"" });
        let text = error.to_string();
        for (id, reason) in [
            ("thrown", REJECT),
            ("permanent", Verdict::Dead(Reason::Permanent)),
        ] {
            world.try_enqueue(order(orders, id, r#"{"n":1}"#)).unwrap();
            fail(&mut world, orders, reason, text.as_bytes());
        }
        let with_error = |id, reason| {
            let mut told = about(id, json!({ "n": 1 }), reason);
            told["error"] = error.clone();
            told
        };
        assert_eq!(
            told(&mut world, refunds),
            [
                with_error("thrown", "exhausted"),
                with_error("permanent", "permanent")
            ]
        );
        world.try_enqueue(order(orders, "invalid", "[")).unwrap();
        fail(&mut world, orders, Verdict::Dead(Reason::Invalid), b"");
        world.try_enqueue(order(orders, "lease", "[1]")).unwrap();
        world.dequeue(orders, 1);
        world.advance(30_000);
        world
            .try_enqueue(Enqueue {
                ttl_ms: Some(5),
                ..order(orders, "late", "\"x\"")
            })
            .unwrap();
        world.advance(6);
        let mut invalid = about("invalid", Value::Null, "invalid");
        invalid.as_object_mut().unwrap().remove("body");
        invalid["bodyBase64"] = json!("Ww==");
        let mut lease = about("lease", json!([1]), "lease-expired");
        lease["error"] = json!({
            "name": "AckboxError",
            "message": "the lease ran out 30000 ms after the delivery, which was not settled",
            "code": "ERR_LEASE_LOST",
        });
        assert_eq!(
            told(&mut world, refunds),
            [invalid, lease, about("late", json!("x"), "expired")]
        );
        assert_eq!(world.events_of(EventKind::Enqueued).len(), 5);
        world.try_enqueue(order(orders, "owner", "null")).unwrap();
        world.dequeue(orders, 1);
        let mut world = world.reopen();
        let mut died = about("owner", Value::Null, "owner-died");
        died["error"] = json!({
            "name": "AckboxError",
            "message": "the process that owned the box ended before the delivery was settled",
            "code": "ERR_LEASE_LOST",
        });
        assert_eq!(told(&mut world, refunds), [died]);
        assert_eq!(world.dead(orders).len(), 6, "the letters stay");
        world.audit();
        assert!(told(&mut world.reopen(), refunds).is_empty(), "once");
    }
}

#[test]
fn of_damaged_letters_it_is_told_without_a_body() {
    for moved in [false, true] {
        let (mut world, orders, refunds) = world(cold());
        world
            .try_enqueue(order(orders, "bad", &"bad".repeat(50)))
            .unwrap();
        for bytes in world.disk.values_mut() {
            if let Some(at) = bytes.windows(9).position(|part| part == b"badbadbad") {
                bytes[at] ^= 1;
            }
        }
        if moved {
            let churned = world.define("churned", QueueOptions::default());
            for _ in 0..120 {
                let id = world.enqueue(churned, &"x".repeat(300));
                world.value(Request::Cancel { queue: churned, id });
            }
        } else {
            assert!(world.dequeue(orders, 1).is_empty());
        }
        let mut expected = about("bad", Value::Null, "corrupt");
        expected.as_object_mut().unwrap().remove("body");
        expected["headers"] = json!({});
        assert_eq!(told(&mut world, refunds), [expected], "moved: {moved}");
    }
}

#[test]
fn a_death_and_its_message_are_durable_together() {
    for config in [Config::default(), cold()] {
        let (mut world, orders, refunds) = world(config.clone());
        for id in ["a", "b"] {
            world.try_enqueue(order(orders, id, "1")).unwrap();
        }
        world
            .try_enqueue(Enqueue {
                ttl_ms: Some(5),
                ..order(orders, "late", "2")
            })
            .unwrap();
        let deliveries = world.dequeue(orders, 2);
        world.hold_appends = true;
        for delivery in &deliveries {
            let settle = Settle {
                token: delivery.token,
                verdict: REJECT,
                returned: true,
                result: b"",
                error: b"",
            };
            world.command(Command::Settle(settle));
        }
        world.advance(6);
        let mut seen = BTreeSet::new();
        while let Some((segment, bytes)) = world.held.clone() {
            for written in (0..=bytes.len()).step_by(3).chain([bytes.len()]) {
                let mut disk = world.disk.clone();
                disk.entry(segment).or_default().extend(&bytes[..written]);
                // A later owner would kill what was interrupted or is late: look at what is written.
                let config = Config {
                    read_only: true,
                    ..config.clone()
                };
                let mut other = World::open(disk, T0, config).unwrap();
                let letters = other.stats(orders).dead_letters;
                let told = other.stats(refunds);
                assert_eq!(letters, told.ready + told.scheduled, "{written} bytes");
                seen.insert(letters);
            }
            world.land();
        }
        assert!(seen.contains(&0) && seen.contains(&3), "{seen:?}");
        world.hold_appends = false;
        assert_eq!(told(&mut world, refunds).len(), 3);
        world.audit();
    }
}

#[test]
fn its_id_follows_from_the_death() {
    let (mut world, orders, refunds) = world(Config::default());
    world.try_enqueue(order(orders, "a", "1")).unwrap();
    let mut ids = BTreeSet::new();
    for _ in 0..3 {
        fail(&mut world, orders, REJECT, b"");
        world = world.reopen();
        let ready = world.peek(refunds, Some(MessageState::Ready));
        assert_eq!(ready.len(), 1);
        assert!(
            ready[0].id.starts_with("dead-") && ready[0].id.len() == 37,
            "{}",
            ready[0].id
        );
        let ticket = world
            .request(Request::Get {
                queue: refunds,
                id: ready[0].id.to_string(),
            })
            .unwrap();
        let (.., content) = world.bodies.remove(&ticket).unwrap().remove(0);
        let again = String::from_utf8(content.body().to_vec()).unwrap();
        let (is_duplicate, ..) = world.enqueue_id(refunds, &ready[0].id, &again);
        assert!(is_duplicate);
        ids.insert(ready[0].id.to_string());
        told(&mut world, refunds);
        world.redrive(orders, DeadFilter::default());
    }
    assert_eq!(ids.len(), 3, "one for each death");
}

#[test]
fn bodies_that_are_no_json_come_as_base64() {
    let (mut world, orders, refunds) = world(Config::default());
    let deep = "[".repeat(5000) + &"]".repeat(5000);
    let cases: [(&[u8], &[u8], &[u8]); 4] = [
        (b"\xff\x00", b"", b"no json"),
        (b"", b"no json", b"\xff"),
        (b"1 2", b"{}", b"{\"cut"),
        (deep.as_bytes(), b"{\"a\":\"\\ud800\"}", b""),
    ];
    for (body, headers, error) in cases {
        world
            .try_enqueue(Enqueue {
                headers,
                body,
                ..message(orders, "")
            })
            .unwrap();
        fail(&mut world, orders, REJECT, error);
    }
    let mut raw = Vec::new();
    while let Some(delivery) = world.dequeue(refunds, 1).pop() {
        raw.push(body(&delivery));
        world.ack(delivery.token);
    }
    let parsed: Vec<Value> = raw[..3]
        .iter()
        .map(|text| serde_json::from_str(text).unwrap())
        .collect();
    let told: Vec<_> = parsed
        .iter()
        .map(|told| (&told["bodyBase64"], &told["headers"], &told["error"]))
        .collect();
    let none = json!({});
    assert_eq!(
        told,
        [
            (&json!("/wA="), &none, &json!("no json")),
            (&json!(""), &none, &json!("\u{fffd}")),
            (&json!("MSAy"), &none, &json!("{\"cut"))
        ]
    );
    assert!(raw[3].contains(&format!(
        "\"body\":{deep},\"headers\":{{\"a\":\"\\ud800\"}}"
    )));
    let encoded = QueueOptions {
        bodies: Some(Bodies::Encoded),
        ..QueueOptions::default()
    };
    world.define("orders", encoded);
    let mut world = world.reopen();
    world.enqueue(orders, "1");
    fail(&mut world, orders, REJECT, b"");
    let delivery = world.dequeue(refunds, 1).remove(0);
    assert!(
        body(&delivery).contains("\"bodyBase64\":\"MQ==\""),
        "it may look like JSON"
    );
}

#[test]
fn a_long_error_is_cut_and_a_large_body_is_told_whole() {
    let (mut world, orders, refunds) = world(Config::default());
    world.define(
        "refunds",
        QueueOptions {
            max_body_bytes: Some(10),
            ..QueueOptions::default()
        },
    );
    let large = format!("\"{}\"", "x".repeat(1 << 19));
    world.try_enqueue(order(orders, "a", &large)).unwrap();
    fail(&mut world, orders, REJECT, &[b'e'; 5000]);
    let told = told(&mut world, refunds);
    assert_eq!(told[0]["body"].as_str().unwrap().len(), 1 << 19);
    assert_eq!(told[0]["error"].as_str().unwrap().len(), 4096);
}

#[test]
fn at_most_once_tells_of_what_never_ran() {
    let mut world = World::new();
    let orders = world.define(
        "orders",
        QueueOptions {
            guarantee: Some(Guarantee::AtMostOnce),
            ..telling("refunds")
        },
    );
    let refunds = world.define("refunds", QueueOptions::default());
    world.worker(orders, 1);
    for (id, verdict) in [
        ("invalid", Verdict::Dead(Reason::Invalid)),
        ("thrown", REJECT),
    ] {
        world.try_enqueue(order(orders, id, "1")).unwrap();
        let settle = Settle {
            token: world.delivery().token,
            verdict,
            returned: true,
            result: b"",
            error: b"",
        };
        let now = ackbox_core::time::Timestamp(world.now);
        world
            .engine
            .handle_command(now, Ticket(0), Command::Settle(settle));
        world.run();
    }
    assert_eq!(
        told(&mut world, refunds),
        [about("invalid", json!(1), "invalid")]
    );
    world.audit();
}

#[test]
fn a_queue_that_nobody_defined_is_there() {
    let mut world = World::new();
    let orders = world.define("orders", telling("refunds"));
    world.enqueue_id(orders, "a", "1");
    fail(&mut world, orders, REJECT, b"");
    let mut world = world.reopen();
    let options = QueueOptions {
        max_attempts: Some(3),
        ..QueueOptions::default()
    };
    let refunds = world.define("refunds", options.clone());
    assert_eq!(told(&mut world, refunds)[0]["id"], "a");

    let mut world = World::new();
    world.define("orders", telling("refunds"));
    for created in [true, false] {
        let define = Request::DefineQueue {
            name: "refunds".into(),
            options: options.clone(),
        };
        let Object::Defined(defined) = world.at_once(define) else {
            panic!("expected a definition")
        };
        assert_eq!(
            (defined.created, defined.changed.len()),
            (created, 0),
            "nobody changed it"
        );
        assert_eq!(defined.options.max_attempts, Some(3));
    }
}

#[test]
fn nobody_is_told_any_more_once_that_is_named() {
    let (mut world, orders, refunds) = world(Config::default());
    let Object::Defined(defined) = world.at_once(Request::DefineQueue {
        name: "orders".into(),
        options: QueueOptions {
            dead_letter_to: Some(String::new()),
            ..QueueOptions::default()
        },
    }) else {
        panic!("expected a definition")
    };
    assert_eq!(defined.changed[0].option, "deadLetterTo");
    let mut world = world.reopen();
    world.enqueue_id(orders, "a", "1");
    fail(&mut world, orders, REJECT, b"");
    assert!(told(&mut world, refunds).is_empty());
}

#[test]
fn a_chain_goes_on_and_a_row_that_leads_back_is_refused() {
    let mut world = World::new();
    let refused = |world: &mut World, name: &str, to: &str| {
        let define = Request::DefineQueue {
            name: name.into(),
            options: telling(to),
        };
        let queues = world.at_once(Request::Queues {});
        let failure = world.try_at_once(define).unwrap_err();
        assert_eq!(failure.code, ErrorCode::InvalidOption);
        assert_eq!(
            world.at_once(Request::Queues {}),
            queues,
            "nothing is created"
        );
        failure.message
    };
    assert!(refused(&mut world, "a", "a").contains("'a' to 'a'"));
    assert!(refused(&mut world, "a", &"x".repeat(257)).contains("256 bytes"));
    let a = world.define("a", telling("b"));
    let b = world.define("b", telling("c"));
    let message = refused(&mut world, "c", "a");
    assert!(message.contains("'c' to 'a' to 'b' to 'c'"), "{message}");
    let mut world = world.reopen();
    refused(&mut world, "c", "b");
    let c = world.define("c", QueueOptions::default());
    world.enqueue_id(a, "1", "1");
    fail(&mut world, a, REJECT, b"");
    fail(&mut world, b, REJECT, b"");
    let told = told(&mut world, c);
    assert_eq!(
        (
            &told[0]["queue"],
            &told[0]["body"]["queue"],
            &told[0]["body"]["id"]
        ),
        (&json!("b"), &json!("a"), &json!("1"))
    );
    world.audit();
}

#[test]
fn who_waits_for_the_end_of_the_letter_hears_of_it_as_before() {
    let (mut world, orders, _) = world(cold());
    world
        .try_enqueue(Enqueue {
            ttl_ms: Some(5),
            ..order(orders, "a", "1")
        })
        .unwrap();
    let ticket = world.command(Command::Finished {
        queue: orders,
        id: "a",
    });
    world.advance(6);
    let infos = match world.answer(ticket) {
        Some(Ok(ackbox_core::effect::Answer::Object(object))) => object,
        other => panic!("expected the end, got {other:?}"),
    };
    let Object::Infos(infos) = *infos else {
        panic!("expected infos")
    };
    assert_eq!(
        (infos[0].state, infos[0].reason),
        (MessageState::Dead, Some(Reason::Expired))
    );
}
