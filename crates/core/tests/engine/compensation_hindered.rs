//! Telling of dead letters where something is in the way: no room, much to read, a crash, a close.

use ackbox_core::command::*;
use ackbox_core::config::{Config, DedupOptions, QueueOptions, WhenFull};
use ackbox_core::consumer::policies::{Policies, WhenOpen};
use ackbox_core::effect::{Answer, Notice, Object};
use serde_json::json;

use crate::circuits::guarded;
use crate::compensation::*;
use crate::support::{World, message};

#[test]
fn a_queue_without_room_is_not_told_and_the_letter_stays() {
    let limits: [(&str, QueueOptions); 3] = [
        (
            "maxDepth",
            QueueOptions {
                max_depth: Some(1),
                ..QueueOptions::default()
            },
        ),
        (
            "maxBytes",
            QueueOptions {
                max_bytes: Some(150),
                ..QueueOptions::default()
            },
        ),
        (
            "dedup.maxEntries",
            QueueOptions {
                dedup: Some(DedupOptions {
                    max_entries: Some(1),
                    when_full: Some(WhenFull::Reject),
                    window_ms: Some(0),
                    ..DedupOptions::default()
                }),
                ..QueueOptions::default()
            },
        ),
    ];
    for (option, limit) in limits {
        let (mut world, orders, refunds) = world(Config::default());
        world.define("refunds", limit);
        for id in ["a", "b", "c"] {
            world.enqueue_id(orders, id, "1");
            fail(&mut world, orders, REJECT, b"");
        }
        assert_eq!(world.dead(orders).len(), 3, "{option}");
        let warnings: Vec<String> = world
            .notices
            .drain(..)
            .map(|notice| match notice {
                Notice::Warning { message, queue } if queue.as_deref() == Some("orders") => message,
                other => panic!("expected a warning of the queue, got {other:?}"),
            })
            .collect();
        assert_eq!(warnings.len(), 1, "one for a full queue: {warnings:?}");
        for part in ["'refunds'", "'b'", option] {
            assert!(warnings[0].contains(part), "{part}: {warnings:?}");
        }
        world.audit();
        assert_eq!(told(&mut world, refunds)[0]["id"], "a");
        world.enqueue_id(orders, "d", "1");
        fail(&mut world, orders, REJECT, b"");
        assert_eq!(told(&mut world, refunds)[0]["id"], "d");
        assert!(world.notices.is_empty());
    }
}

#[test]
fn what_is_read_for_deaths_at_a_time_is_limited() {
    let (mut world, orders, refunds) = world(Config {
        max_memory_bytes: 0,
        ..Config::default()
    });
    let large = format!("\"{}\"", "x".repeat(100_000));
    for _ in 0..200 {
        world
            .try_enqueue(Enqueue {
                ttl_ms: Some(5),
                ..message(orders, &large)
            })
            .unwrap();
    }
    world.hold_reads = true;
    world.advance(6);
    let mut rounds = 0;
    while !world.held_reads.is_empty() {
        let bytes: u32 = world.held_reads.iter().map(|(.., length)| length).sum();
        assert!(bytes < (4 << 20) + 200_000, "{bytes} bytes at once");
        assert!(world.box_stats().memory_bytes < 200_000, "nothing is kept");
        rounds += 1;
        world.answer_reads();
    }
    assert!(rounds >= 5, "{rounds}");
    world.hold_reads = false;
    assert_eq!(told(&mut world, refunds).len(), 200);
    world.audit();
}

#[test]
fn what_waits_for_its_death_may_go_meanwhile() {
    /// What happens to a message, and how many of its deaths are told.
    type Case = (fn(&mut World, QueueId), usize);
    let meanwhile: [Case; 4] = [
        (
            |world, queue| {
                assert_eq!(
                    world.value(Request::Cancel {
                        queue,
                        id: "a".into()
                    }),
                    1
                )
            },
            0,
        ),
        (
            |world, queue| assert_eq!(world.value(Request::Purge { queue }), 1),
            0,
        ),
        (
            |world, queue| {
                assert_eq!(
                    world.value(Request::RetryNow {
                        queue,
                        id: "a".into()
                    }),
                    0
                )
            },
            1,
        ),
        (
            |world, queue| assert!(world.enqueue_id(queue, "a", "1").0, "it is known"),
            1,
        ),
    ];
    for (what, deaths) in meanwhile {
        let (mut world, orders, refunds) = world(cold());
        world
            .try_enqueue(Enqueue {
                ttl_ms: Some(5),
                ..order(orders, "a", "1")
            })
            .unwrap();
        world.hold_reads = true;
        world.advance(6);
        assert_eq!(world.held_reads.len(), 1);
        assert!(
            world.dequeue(orders, 1).is_empty(),
            "nobody gets it any more"
        );
        what(&mut world, orders);
        world.hold_reads = false;
        world.answer_reads();
        assert_eq!(world.dead(orders).len(), deaths);
        assert_eq!(told(&mut world, refunds).len(), deaths);
        world.audit();
    }
}

#[test]
fn a_crash_or_a_close_before_a_death_finds_it_again() {
    for close in [false, true] {
        let (mut world, orders, refunds) = world(cold());
        for _ in 0..3 {
            world
                .try_enqueue(Enqueue {
                    ttl_ms: Some(5),
                    group: Some("g"),
                    ..message(orders, "1")
                })
                .unwrap();
        }
        world.hold_reads = true;
        world.advance(6);
        if close {
            let ticket = world.request(Request::Close {}).unwrap();
            world.answer_reads();
            world.answer_reads();
            assert!(world.answer(ticket).is_some());
        }
        let mut world = world.reopen();
        world.advance(1);
        assert_eq!(told(&mut world, refunds).len(), 3);
        assert_eq!(world.dead(orders).len(), 3);
        world.audit();
    }
}

#[test]
fn without_room_on_the_storage_a_death_is_tried_again_with_its_message() {
    let (mut world, orders, refunds) = world(cold());
    world.enqueue_id(orders, "a", "1");
    let delivery = world.dequeue(orders, 1).remove(0);
    world.hold_appends = true;
    let refused = world.command(Command::Enqueue(message(orders, "in flight")));
    let settle = Settle {
        token: delivery.token,
        verdict: REJECT,
        returned: true,
        result: b"",
        error: b"",
    };
    world.command(Command::Settle(settle));
    world.fail_append(true);
    assert!(world.answer(refused).unwrap().is_err());
    world.hold_appends = false;
    world.land();
    world.audit();
    let mut world = world.reopen();
    assert_eq!(told(&mut world, refunds).len(), 1);
    assert_eq!(world.dead(orders).len(), 1);
}

#[test]
fn who_dies_of_an_open_circuit_is_told_with_its_body() {
    for (when_open, reason) in [
        (WhenOpen::DeadLetter, "circuit-open"),
        (WhenOpen::Reject, "exhausted"),
    ] {
        for config in [Config::default(), cold()] {
            let (mut world, orders, refunds) = world(config);
            let policies = Policies {
                when_open,
                ..guarded()
            };
            world.worker_with(orders, 1, policies);
            for id in ["a", "b"] {
                world.try_enqueue(order(orders, id, "1")).unwrap();
                let token = world.delivery().token;
                world.reject(token);
            }
            told(&mut world, refunds);
            world
                .try_enqueue(order(orders, "turned away", "2"))
                .unwrap();
            let letter = &told(&mut world, refunds)[0];
            assert_eq!(letter["body"], json!(2), "{when_open:?}");
            assert_eq!(letter["headers"], json!({ "trace": "t" }));
            assert_eq!(letter["reason"], json!(reason));
            assert_eq!(letter["error"]["code"], json!("ERR_CIRCUIT_OPEN"));
            assert_eq!(world.dead(orders).len(), 3);
            world.audit();
        }
    }
}

#[test]
fn what_died_with_its_owner_is_told_of_whoever_purges_or_withdraws_it() {
    for close in [false, true] {
        let (mut world, orders, refunds) = world(cold());
        world.try_enqueue(order(orders, "died", "1")).unwrap();
        world.dequeue(orders, 1);
        world.try_enqueue(order(orders, "waits", "2")).unwrap();
        let mut world = world.reopen_holding_reads();
        assert_eq!(world.held_reads.len(), 1, "its death has to be read for");
        let id = "died".to_owned();
        let cancel = Request::Cancel { queue: orders, id };
        assert_eq!(world.value(cancel), 0, "it is dead");
        let end = world.command(Command::Finished {
            queue: orders,
            id: "died",
        });
        let purge = world.request(Request::Purge { queue: orders }).unwrap();
        assert!(world.answer(purge).is_none(), "dead letters come first");
        let closing = close.then(|| world.request(Request::Close {}).unwrap());
        world.hold_reads = false;
        world.answer_reads();
        let dropped = world.answer(purge).expect("answered");
        assert!(matches!(dropped, Ok(Answer::Value(1))), "{dropped:?}");
        let Ok(Answer::Object(ended)) = world.answer(end).expect("answered") else {
            panic!("expected an end");
        };
        let Object::Infos(ended) = *ended else {
            panic!("expected infos, got {ended:?}");
        };
        assert_eq!(ended[0].state, MessageState::Dead);
        assert!(closing.is_none_or(|ticket| world.answer(ticket).is_some()));
        let mut world = world.reopen();
        assert_eq!(world.dead(orders).len(), 1);
        assert_eq!(told(&mut world, refunds)[0]["id"], "died");
        world.audit();
    }
}
