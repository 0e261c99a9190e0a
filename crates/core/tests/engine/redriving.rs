//! Dead letters: found by filter, redriven and removed in slices. [S25]

use ackbox_core::command::*;
use ackbox_core::config::{Config, DeadOptions, QueueOptions};
use ackbox_core::time::Timestamp;

use crate::support::{T0, World, message};

/// Ten dead letters, one each 100 ms; odd ones are permanent, even ones expired.
fn dead_letters() -> (World, QueueId) {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    for index in 0..10 {
        let id = index.to_string();
        let ttl_ms = (index % 2 == 0).then_some(99);
        world
            .try_enqueue(Enqueue {
                id: Some(&id),
                ttl_ms,
                ..message(orders, &id)
            })
            .unwrap();
        if index % 2 == 1 {
            let delivery = world.dequeue(orders, 1).remove(0);
            world.advance(100);
            world
                .settle(delivery.token, Verdict::Dead(Reason::Permanent))
                .unwrap();
        } else {
            world.advance(100);
        }
    }
    (world, orders)
}

fn ids(infos: &[ackbox_core::effect::MessageInfo]) -> Vec<&str> {
    infos.iter().map(|info| info.id.as_str()).collect()
}

#[test]
fn filters_choose_by_id_reason_and_time() {
    let (mut world, orders) = dead_letters();
    let cases: [(DeadFilter, &[&str]); 6] = [
        (
            DeadFilter {
                reason: Some(Reason::Permanent),
                ..DeadFilter::default()
            },
            &["1", "3", "5", "7", "9"],
        ),
        (
            DeadFilter {
                ids: Some(vec!["8".into(), "2".into(), "no".into()]),
                ..DeadFilter::default()
            },
            &["2", "8"],
        ),
        (
            DeadFilter {
                before: Some(Timestamp(T0 + 200)),
                ..DeadFilter::default()
            },
            &["0"],
        ),
        (
            DeadFilter {
                after: Some(Timestamp(T0 + 900)),
                ..DeadFilter::default()
            },
            &["9"],
        ),
        (
            DeadFilter {
                limit: Some(3),
                reason: Some(Reason::Expired),
                ..DeadFilter::default()
            },
            &["0", "2", "4"],
        ),
        (
            DeadFilter {
                ids: Some(vec![]),
                ..DeadFilter::default()
            },
            &[],
        ),
    ];
    for (filter, expected) in cases {
        let page = Request::DeadPage {
            queue: orders,
            filter: filter.clone(),
            after: None,
            limit: 100,
        };
        assert_eq!(ids(&world.infos(page)), expected, "{filter:?}");
        let count = world.value(Request::DeadCount {
            queue: orders,
            filter,
        });
        assert_eq!(count, expected.len() as u64);
    }
    assert_eq!(
        world.value(Request::DeadCount {
            queue: orders,
            filter: DeadFilter::default()
        }),
        10
    );
}

#[test]
fn a_redrive_is_idempotent_and_tells_what_it_did() {
    let (mut world, orders) = dead_letters();
    let filter = DeadFilter {
        ids: Some(vec!["3".into(), "4".into(), "unknown".into()]),
        ..DeadFilter::default()
    };
    let redriven = world.redrive(orders, filter.clone());
    assert_eq!((redriven.moved, redriven.skipped), (2, 1));
    let again = world.redrive(orders, filter);
    assert_eq!((again.moved, again.skipped), (0, 3));
    let info = world.get(orders, "3").unwrap();
    assert_eq!(
        (info.state, info.attempt.unwrap(), info.history.len()),
        (MessageState::Ready, 0, 0)
    );
    world.audit();
}

#[test]
fn a_limited_redrive_takes_the_oldest_that_match() {
    let (mut world, orders) = dead_letters();
    let filter = DeadFilter {
        limit: Some(2),
        reason: Some(Reason::Permanent),
        ..DeadFilter::default()
    };
    assert_eq!(world.redrive(orders, filter).moved, 2);
    world.audit();
    assert_eq!(
        ids(&world.dead(orders)),
        ["0", "2", "4", "5", "6", "7", "8", "9"]
    );
    let none = DeadFilter {
        limit: Some(0),
        ..DeadFilter::default()
    };
    assert_eq!(world.redrive(orders, none).moved, 0);
    world.audit();
}

#[test]
fn redriven_messages_come_in_the_order_of_their_deaths_behind_what_waits() {
    let (mut world, orders) = dead_letters();
    world.enqueue(orders, "waiting");
    world.redrive(orders, DeadFilter::default());
    world.enqueue(orders, "new");
    let mut world = world.reopen();
    world.worker(orders, 1);
    let expected: Vec<String> = [
        vec!["waiting".to_owned()],
        (0..10).map(|index| index.to_string()).collect(),
        vec!["new".to_owned()],
    ]
    .concat();
    assert_eq!(world.work_off(), expected);
}

#[test]
fn removing_frees_room_and_ids() {
    let (mut world, orders) = dead_letters();
    let expired = DeadFilter {
        reason: Some(Reason::Expired),
        ..DeadFilter::default()
    };
    assert_eq!(
        world.value(Request::RemoveDead {
            queue: orders,
            filter: expired
        }),
        5
    );
    assert_eq!(world.stats(orders).dedup_entries, 5);
    world.audit();
    let mut world = world.reopen();
    assert_eq!(ids(&world.dead(orders)), ["1", "3", "5", "7", "9"]);
}

#[test]
fn dead_letters_are_kept_for_as_long_as_was_asked() {
    let (mut world, orders) = dead_letters();
    world.advance(1 << 40);
    assert_eq!(world.dead(orders).len(), 10, "for ever by default");
    let (mut world, _) = dead_letters();
    let retained = QueueOptions {
        dead: Some(DeadOptions {
            retain_ms: Some(5000),
        }),
        ..QueueOptions::default()
    };
    world.define("orders", retained);
    world.advance(4600);
    assert_eq!(ids(&world.dead(orders)), ["6", "7", "8", "9"]);
    world.audit();
    let mut world = world.reopen();
    world.advance(10_000);
    assert_eq!(world.box_stats().dead_letters, 0);
}

fn many_dead(count: usize) -> (World, QueueId) {
    let mut world = World::with_config(Config {
        segment_bytes: 64 << 10,
        ..Config::default()
    });
    let orders = world.define("orders", QueueOptions::default());
    for _ in 0..count / 1000 {
        let items = (0..1000).map(|_| Enqueue {
            ttl_ms: Some(1),
            ..message(orders, "x")
        });
        world.command(Command::EnqueueMany(items.collect()));
    }
    world.advance(2);
    assert_eq!(world.box_stats().dead_letters, count as u64);
    (world, orders)
}

#[test]
fn a_redrive_is_one_record_carried_out_in_slices_over_a_crash() {
    let (mut world, orders) = many_dead(5000);
    let records = world.box_stats().records;
    let now = Timestamp(world.now);
    let ticket = world.next_ticket();
    world
        .engine
        .handle_request(
            now,
            ticket,
            Request::Redrive {
                queue: orders,
                filter: DeadFilter::default(),
                to: None,
                per_second_milli: None,
                forget_steps: false,
            },
        )
        .unwrap();
    world.engine.handle_timeout(now);
    assert!(world.engine.has_more());
    assert!(
        (1..5000).contains(&world.stats_now(orders).ready),
        "a slice"
    );
    let mut disk = world.disk.clone();
    while let Some(effect) = world.engine.poll_effect() {
        if let ackbox_core::effect::Effect::Append { segment, bytes } = effect {
            disk.entry(segment).or_default().extend(bytes.iter());
            world.disk = disk.clone();
            world.engine.handle_completion(now, Completion::Appended);
        }
    }
    let mut crashed = World::open(disk, world.now, Config::default()).unwrap();
    assert_eq!(
        (
            crashed.stats(orders).ready,
            crashed.stats(orders).dead_letters
        ),
        (5000, 0)
    );
    world.run();
    assert_eq!(world.box_stats().records, records + 1);
    assert_eq!(
        crashed.peek(orders, None),
        world.peek(orders, None),
        "in the same order"
    );
    world.audit();
}

#[test]
fn a_redrive_is_the_same_after_cleaning_took_a_part_of_what_it_knew() {
    // The redrive's record stays while the records of some that it moved are moved behind it.
    let mut world = World::with_config(Config {
        segment_bytes: 8 << 10,
        ..Config::default()
    });
    let orders = world.define(
        "orders",
        QueueOptions {
            max_attempts: Some(1),
            ..QueueOptions::default()
        },
    );
    let churned = world.define("churned", QueueOptions::default());
    let text = "b".repeat(300);
    for index in 0..40 {
        let id = index.to_string();
        world
            .try_enqueue(Enqueue {
                id: Some(&id),
                group: (index % 3 == 0).then_some("g"),
                ..message(orders, &text)
            })
            .unwrap();
        let delivery = world.dequeue(orders, 1).remove(0);
        world.reject(delivery.token);
    }
    world.redrive(
        orders,
        DeadFilter {
            limit: Some(25),
            ..DeadFilter::default()
        },
    );
    for round in 0..60 {
        let (.., id) = world.try_enqueue(message(churned, &text)).unwrap();
        world.value(Request::Cancel { queue: churned, id });
        world.audit();
        if round == 30 {
            world.redrive(
                orders,
                DeadFilter {
                    limit: Some(7),
                    ..DeadFilter::default()
                },
            );
        }
    }
    assert!(world.box_stats().cleaned_segments > 2);
    assert_eq!(world.stats(orders).dead_letters, 8);
}

#[test]
fn a_redrive_by_time_is_replayed_although_the_deaths_were_written_late() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    for (id, ttl_ms) in [("in time", 10), ("late", 110)] {
        let enqueue = Enqueue {
            id: Some(id),
            ttl_ms: Some(ttl_ms),
            ..message(orders, "x")
        };
        world.try_enqueue(enqueue).unwrap();
    }
    world.hold_appends = true;
    world.command(Command::Enqueue(message(orders, "in flight")));
    world.advance(200);
    world.hold_appends = false;
    world.land();
    let filter = DeadFilter {
        before: Some(Timestamp(T0 + 50)),
        ..DeadFilter::default()
    };
    assert_eq!(world.redrive(orders, filter).moved, 1);
    while let Some(delivery) = world.dequeue(orders, 1).pop() {
        world.ack(delivery.token);
    }
    let mut world = world.reopen();
    assert_eq!(ids(&world.dead(orders)), ["late"]);
}

#[test]
fn a_letter_whose_handler_still_runs_waits_for_its_return() {
    for filter in [
        DeadFilter::default(),
        DeadFilter {
            after: Some(Timestamp(1)),
            ..DeadFilter::default()
        },
    ] {
        let mut world = World::new();
        let orders = world.define("orders", QueueOptions::default());
        world.worker(orders, 2);
        world.enqueue(orders, "x");
        let first = world.delivery();
        world
            .settle_with(
                first.token,
                Verdict::Dead(Reason::Permanent),
                false,
                b"",
                b"",
            )
            .expect("settled by hand");
        assert_eq!(world.redrive(orders, filter).moved, 1);
        assert!(world.deliveries.is_empty(), "its handler still runs");
        world.unanswered(Command::Returned { token: first.token });
        let second = world.delivery();
        assert_eq!((second.number, second.attempt), (first.number, 1));
        world.ack(second.token);
        world.audit();
    }
}
