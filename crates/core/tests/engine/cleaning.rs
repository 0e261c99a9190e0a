//! Cleaning: the journal stays small, and nothing that lives is lost. [S19]

use ackbox_core::command::*;
use ackbox_core::config::{Config, QueueOptions};
use ackbox_core::policy::backoff::{Backoff, Jitter};

use crate::support::{World, body, message};

const SEGMENT: u32 = 16 << 10;

fn small(max_memory_bytes: u64) -> World {
    World::with_config(Config {
        segment_bytes: SEGMENT,
        max_memory_bytes,
        ..Config::default()
    })
}

/// Twice the live records, one segment, and what a beginning and one frame take beside records.
fn assert_bound(world: &mut World) {
    let stats = world.box_stats();
    assert_eq!(stats.journal_bytes, world.disk_bytes());
    let bound = 2 * stats.live_bytes + u64::from(SEGMENT) + 1024;
    assert!(
        stats.journal_bytes <= bound,
        "{} bytes with {} live",
        stats.journal_bytes,
        stats.live_bytes
    );
}

/// Writes and withdraws until so many segments were cleaned.
fn churn(world: &mut World, queue: QueueId, segments: u64) {
    let filler = "f".repeat(500);
    let until = world.box_stats().cleaned_segments + segments;
    while world.box_stats().cleaned_segments < until {
        let (.., id) = world.try_enqueue(message(queue, &filler)).unwrap();
        world.value(Request::Cancel { queue, id });
        assert_bound(world);
    }
}

#[test]
fn the_journal_stays_within_its_bound_under_a_long_mixed_load() {
    for max_memory_bytes in [0, 64 << 20] {
        let mut world = small(max_memory_bytes);
        let options = QueueOptions {
            max_attempts: Some(2),
            backoff: Some(Backoff::Constant {
                ms: 50,
                jitter: Jitter::None,
            }),
            ..QueueOptions::default()
        };
        let orders = world.define("orders", options);
        world.worker(orders, 4);
        let mut random = 1u64;
        let mut next = |below: u64| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % below
        };
        let mut cleaned = 0;
        for round in 0..1500 {
            let text = "b".repeat(next(600) as usize);
            let id = format!("id-{round}");
            let enqueue = Enqueue {
                id: (next(3) == 0).then_some(id.as_str()),
                delay_ms: (next(4) == 0).then(|| next(20_000)),
                ttl_ms: (next(9) == 0).then(|| 1 + next(500)),
                ..message(orders, &text)
            };
            world.try_enqueue(enqueue).unwrap();
            if next(3) != 0
                && let Some(delivery) = world.deliveries.pop_front()
            {
                match next(5) {
                    0 => world.reject(delivery.token),
                    1 => drop(world.settle_with(
                        delivery.token,
                        Verdict::Ack,
                        true,
                        &text.as_bytes()[..text.len() / 2],
                        b"",
                    )),
                    _ => world.ack(delivery.token),
                }
            }
            world.advance(next(40));
            assert_bound(&mut world);
            if round % 100 == 99 {
                world.audit();
            }
            if round % 400 == 399 {
                cleaned += world.box_stats().cleaned_segments;
                world = world.reopen();
                world.worker(orders, 4);
                world.enqueue(orders, "the run has begun");
                assert_bound(&mut world);
            }
        }
        assert!(cleaned > 10, "{cleaned} segments were cleaned");
        world.audit();
    }
}

#[test]
fn everything_that_lives_survives_many_cycles() {
    for max_memory_bytes in [0, 64 << 20] {
        let mut world = small(max_memory_bytes);
        let churned = world.define("churned", QueueOptions::default());
        let kept = world.define(
            "kept",
            QueueOptions {
                max_attempts: Some(1),
                max_result_bytes: Some(99),
                ..QueueOptions::default()
            },
        );
        let paused = world.define(
            "paused",
            QueueOptions {
                max_depth: Some(7),
                ..QueueOptions::default()
            },
        );
        world.value(Request::PauseQueue { queue: paused });
        world.worker(kept, 1);
        let error = br#"{"message":"broken"}"#;
        world
            .try_enqueue(Enqueue {
                id: Some("dead"),
                group: Some("g"),
                destination: Some("d"),
                headers: b"h",
                ..message(kept, "dead body")
            })
            .unwrap();
        let delivery = world.delivery();
        world
            .settle_with(
                delivery.token,
                Verdict::Dead(Reason::Permanent),
                true,
                b"",
                error,
            )
            .unwrap();
        world.enqueue_id(kept, "done", "done body");
        let delivery = world.delivery();
        world
            .settle_with(delivery.token, Verdict::Ack, true, b"result", b"")
            .unwrap();
        world.enqueue_id(kept, "done without result", "x");
        world.work_off();
        world
            .try_enqueue(Enqueue {
                id: Some("later"),
                delay_ms: Some(1 << 40),
                priority: 9,
                ttl_ms: Some(1 << 41),
                max_attempts: Some(4),
                ..message(kept, "later body")
            })
            .unwrap();
        world.enqueue_id(kept, "forgotten", "x");
        world.work_off();
        world.value(Request::Forget {
            queue: kept,
            id: "forgotten".into(),
        });
        let finished = world.enqueue(churned, "generated");
        world.worker(churned, 1);
        world.work_off();
        let infos = |world: &mut World| {
            (
                world.peek(kept, None),
                world.peek(paused, None),
                world.get(kept, "done").map(|info| info.state),
            )
        };
        let expected = infos(&mut world);
        for cycle in 0..6 {
            let worker = world.worker(churned, 1);
            world.at_once(Request::PauseWorker { worker });
            churn(&mut world, churned, 4);
            world.audit();
            assert_eq!(infos(&mut world), expected, "cycle {cycle}");
            assert!(
                world.enqueue_id(churned, &finished, "again").0,
                "its run is remembered"
            );
            assert!(world.enqueue_id(kept, "done", "done body").0);
            assert!(world.enqueue_id(kept, "dead", "dead body").0);
            world = world.reopen();
        }
        let ticket = world
            .request(Request::Get {
                queue: kept,
                id: "dead".into(),
            })
            .unwrap();
        let content = world.bodies[&ticket][0].2.clone();
        assert_eq!(
            (content.headers(), content.body()),
            (&b"h"[..], &b"dead body"[..])
        );
        assert_eq!(
            world.dead(kept)[0].error.as_deref(),
            Some(r#"{"message":"broken"}"#)
        );
        assert!(
            !world.enqueue_id(kept, "forgotten", "another").0,
            "a forgotten id stays free"
        );
        world.worker(kept, 1);
        world.redrive(kept, DeadFilter::default());
        let ids: Vec<_> = world
            .deliveries
            .iter()
            .map(|delivery| delivery.id.to_string())
            .collect();
        assert!(ids.contains(&"dead".to_owned()) || ids.contains(&"forgotten".to_owned()));
        assert!(world.stats(paused).paused);
        let max_depth = world.define("paused", QueueOptions::default());
        for _ in 0..7 {
            world.enqueue(max_depth, "fits");
        }
        assert!(
            world.try_enqueue(message(max_depth, "x")).is_err(),
            "options survive"
        );
    }
}

#[test]
fn a_result_survives_cleaning() {
    let mut world = small(0);
    let orders = world.define("orders", QueueOptions::default());
    world.worker(orders, 1);
    world.enqueue_id(orders, "a", "x");
    let delivery = world.delivery();
    world
        .settle_with(delivery.token, Verdict::Ack, true, b"the very result", b"")
        .unwrap();
    churn(&mut world, orders, 5);
    let needle = b"the very result";
    let kept = world
        .disk
        .values()
        .any(|bytes| bytes.windows(needle.len()).any(|window| window == needle));
    assert!(kept);
    world.audit();
}

#[test]
fn a_delivery_in_flight_survives_cleaning_and_a_crash() {
    let mut world = small(0);
    let orders = world.define("orders", QueueOptions::default());
    world.enqueue_id(orders, "running", "body");
    let delivery = world.dequeue(orders, 1).remove(0);
    let churned = world.define("churned", QueueOptions::default());
    churn(&mut world, churned, 5);
    let crashed = World::open(world.disk.clone(), world.now, Config::default()).unwrap();
    assert_eq!(crashed.report().interrupted, 1);
    let mut crashed = crashed;
    let again = crashed.dequeue(orders, 1).remove(0);
    assert_eq!((again.attempt, body(&again).as_str()), (2, "body"));
    world.ack(delivery.token);
    assert_eq!(
        world.state(orders, "running"),
        Some(MessageState::Completed)
    );
    world.audit();
}

#[test]
fn cleaning_waits_for_reads_of_the_segment_that_goes() {
    let mut world = small(0);
    let orders = world.define("orders", QueueOptions::default());
    let churned = world.define("churned", QueueOptions::default());
    world.enqueue(orders, "cold");
    world.hold_reads = true;
    world.worker(orders, 1);
    let filler = "f".repeat(500);
    for _ in 0..200 {
        let (.., id) = world.try_enqueue(message(churned, &filler)).unwrap();
        world.value(Request::Cancel { queue: churned, id });
    }
    assert!(world.disk.contains_key(&1), "it is being read");
    while !world.held_reads.is_empty() {
        world.answer_reads();
    }
    assert_eq!(world.delivered(), ["cold"]);
    world.hold_reads = false;
    churn(&mut world, churned, 1);
    assert!(!world.disk.contains_key(&1));
    world.audit();
}

#[test]
fn messages_that_change_while_they_are_moved_keep_their_last_state() {
    let mut world = small(0);
    let orders = world.define(
        "orders",
        QueueOptions {
            max_attempts: Some(1),
            ..QueueOptions::default()
        },
    );
    let churned = world.define("churned", QueueOptions::default());
    for id in ["acked", "cancelled", "purged", "died", "redriven"] {
        world
            .try_enqueue(Enqueue {
                id: Some(id),
                delay_ms: (id == "purged").then_some(1 << 40),
                ..message(orders, "b")
            })
            .unwrap();
    }
    let deliveries = world.dequeue(orders, 4);
    world.reject(deliveries[3].token);
    world.reject(deliveries[2].token);
    world.hold_reads = true;
    let filler = "f".repeat(500);
    while world.held_reads.is_empty() {
        let (.., id) = world.try_enqueue(message(churned, &filler)).unwrap();
        world.value(Request::Cancel { queue: churned, id });
    }
    // Their contents are being read to be moved.
    world.ack(deliveries[0].token);
    world.value(Request::Cancel {
        queue: orders,
        id: "cancelled".into(),
    });
    world.value(Request::Purge { queue: orders });
    world.redrive(
        orders,
        DeadFilter {
            ids: Some(vec!["redriven".into()]),
            ..DeadFilter::default()
        },
    );
    world.hold_reads = false;
    world.answer_reads();
    world.audit();
    churn(&mut world, churned, 3);
    world.audit();
    let mut world = world.reopen();
    let states: Vec<_> = ["acked", "cancelled", "purged", "died", "redriven"]
        .map(|id| world.state(orders, id))
        .into();
    assert_eq!(
        states,
        [
            Some(MessageState::Completed),
            None,
            None,
            Some(MessageState::Dead),
            Some(MessageState::Ready)
        ]
    );
}

#[test]
fn nothing_is_cleaned_before_a_run_has_something_to_write() {
    let mut world = small(0);
    let orders = world.define(
        "orders",
        QueueOptions {
            dedup: None,
            ..QueueOptions::default()
        },
    );
    let filler = "f".repeat(1000);
    for _ in 0..100 {
        world.enqueue(orders, &filler);
    }
    world.value(Request::Purge { queue: orders });
    let mut world = world.reopen();
    let before = world.disk.clone();
    world.advance(1_000_000);
    assert_eq!(world.disk, before);
    world.enqueue(orders, "begins");
    assert_bound(&mut world);
}

#[test]
fn many_queues_do_not_keep_cleaning_busy() {
    let mut world = World::with_config(Config {
        segment_bytes: 4096,
        ..Config::default()
    });
    for index in 0..300 {
        world.define(
            &format!("a queue with a long name, number {index}"),
            QueueOptions {
                max_depth: Some(9),
                ..QueueOptions::default()
            },
        );
    }
    let appends = world.box_stats().appends;
    let queue = QueueId(0);
    for _ in 0..100 {
        let id = world.enqueue(queue, "x");
        world.value(Request::Cancel { queue, id });
    }
    let stats = world.box_stats();
    assert!(
        stats.appends - appends < 300,
        "{} appends for 200 records",
        stats.appends - appends
    );
    world.audit();
}

#[test]
fn cleaning_keeps_up_while_appends_are_slow() {
    let mut world = small(64 << 20);
    let orders = world.define("orders", QueueOptions::default());
    let text = "b".repeat(300);
    for index in 0..200 {
        world
            .try_enqueue(Enqueue {
                delay_ms: Some(1 << 40),
                id: Some(&format!("live {index}")),
                ..message(orders, &text)
            })
            .unwrap();
    }
    world.hold_appends = true;
    for round in 0..600 {
        world.command(Command::Enqueue(Enqueue {
            id: Some(&format!("{round}")),
            ..message(orders, &text)
        }));
        world
            .request(Request::Cancel {
                queue: orders,
                id: format!("{round}"),
            })
            .unwrap();
        if round % 10 == 9 {
            world.land();
        }
        let stats = world.box_stats();
        let slack = 3 * u64::from(SEGMENT);
        assert!(
            world.disk_bytes() <= 2 * stats.live_bytes + slack,
            "{} bytes with {} live",
            world.disk_bytes(),
            stats.live_bytes
        );
    }
    while world.held.is_some() {
        world.land();
    }
    world.hold_appends = false;
    assert_bound(&mut world);
    world.audit();
    assert_eq!(world.box_stats().messages, 200);
}
