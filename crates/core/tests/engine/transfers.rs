//! Dead letters that are redriven to another queue: one record each, so that none is lost or doubled. [A5 dead redrive]

use ackbox_core::command::*;
use ackbox_core::config::{Config, DedupOptions, GroupOnDead, Guarantee, QueueOptions, WhenFull};
use ackbox_core::effect::{EventKind, Redriven};
use ackbox_core::error::{ErrorCode, Failure};

use crate::support::{World, body, message};

fn named(ids: &[&str]) -> DeadFilter {
    DeadFilter {
        ids: Some(ids.iter().map(|id| (*id).to_owned()).collect()),
        ..DeadFilter::default()
    }
}

fn request(queue: QueueId, filter: DeadFilter, to: &str) -> Request {
    Request::Redrive {
        queue,
        filter,
        to: Some(to.to_owned()),
        per_second_milli: None,
        forget_steps: false,
    }
}

fn redrive(world: &mut World, queue: QueueId, filter: DeadFilter, to: &str) -> (u64, u64) {
    match world.object(request(queue, filter, to)) {
        ackbox_core::effect::Object::Redriven(Redriven { moved, skipped }) => (moved, skipped),
        other => panic!("expected what was redriven, got {other:?}"),
    }
}

fn all() -> DeadFilter {
    DeadFilter::default()
}

/// Accepts a message and lets it die; its id.
fn dead(world: &mut World, enqueue: Enqueue<'_>) -> String {
    let (queue, (.., id)) = (enqueue.queue, world.try_enqueue(enqueue).expect("accepted"));
    let delivery = world.dequeue(queue, 1).remove(0);
    assert_eq!(delivery.id, id);
    let verdict = Verdict::Dead(Reason::Permanent);
    world
        .settle_with(delivery.token, verdict, true, b"", br#"{"message":"no"}"#)
        .expect("it is dead");
    id
}

fn with_id<'a>(queue: QueueId, id: &'a str, body: &'a str) -> Enqueue<'a> {
    Enqueue {
        id: Some(id),
        ..message(queue, body)
    }
}

fn queues(world: &mut World) -> (QueueId, QueueId) {
    let orders = world.define("orders", QueueOptions::default());
    (orders, world.define("repairs", QueueOptions::default()))
}

#[test]
fn a_letter_goes_with_everything_it_has_and_a_new_life() {
    let mut world = World::new();
    let (orders, repairs) = queues(&mut world);
    world.listen(repairs);
    dead(
        &mut world,
        Enqueue {
            headers: b"{}",
            priority: 7,
            max_attempts: Some(3),
            group: Some("g"),
            destination: Some("d"),
            ttl_ms: Some(50),
            ..with_id(orders, "a", "text")
        },
    );
    assert_eq!(redrive(&mut world, orders, all(), "repairs"), (1, 0));
    assert_eq!(redrive(&mut world, orders, all(), "repairs"), (0, 0));
    assert!(world.get(orders, "a").is_none());
    let info = world.get(repairs, "a").unwrap();
    assert_eq!(
        (info.state, info.attempt, info.max_attempts, info.priority),
        (MessageState::Ready, Some(0), Some(3), Some(7))
    );
    assert_eq!(
        (info.group.as_deref(), info.destination.as_deref()),
        (Some("g"), Some("d"))
    );
    assert!(info.history.is_empty() && info.error.is_none() && info.expires_at.is_none());
    assert_eq!(world.events_of(EventKind::Enqueued).len(), 1);
    assert_eq!(world.stats(repairs).enqueued, 1);
    assert_eq!(
        (world.stats(orders).bytes, world.stats(repairs).bytes),
        (0, 7)
    );
    world.audit();
    let mut world = world.reopen();
    world.advance(1000);
    world.worker(repairs, 1);
    let delivery = world.delivery();
    assert_eq!(
        (delivery.id.as_str(), body(&delivery), delivery.attempt),
        ("a", "text".to_owned(), 1)
    );
    assert_eq!(delivery.content.headers(), b"{}");
    world.ack(delivery.token);
    world.audit();
}

#[test]
fn its_id_is_free_where_it_was_and_taken_where_it_is() {
    let mut world = World::new();
    let (orders, repairs) = queues(&mut world);
    dead(&mut world, with_id(orders, "a", "x"));
    redrive(&mut world, orders, all(), "repairs");
    let mut world = world.reopen();
    assert!(!world.enqueue_id(orders, "a", "another").0, "it is free");
    assert!(world.enqueue_id(repairs, "a", "x").0, "it is taken");
    let conflict = world.try_enqueue(with_id(repairs, "a", "another"));
    assert_eq!(conflict.unwrap_err().code, ErrorCode::IdConflict);
    assert_eq!(world.stats(repairs).dedup_entries, 1);
    let delivery = world.dequeue(repairs, 1).remove(0);
    world.ack(delivery.token);
    assert!(world.enqueue_id(repairs, "a", "x").0, "through the window");
    world.audit();
}

#[test]
fn a_generated_id_becomes_an_explicit_one_and_at_home_a_generated_one_again() {
    let mut world = World::with_config(Config {
        segment_bytes: 4096,
        max_memory_bytes: 0,
        ..Config::default()
    });
    let (orders, repairs) = queues(&mut world);
    let id = dead(&mut world, message(orders, "xx"));
    let bytes = world.stats(orders).bytes;
    let room_for = |world: &mut World, name, max_bytes| {
        let options = QueueOptions {
            max_bytes: Some(max_bytes),
            ..QueueOptions::default()
        };
        world.define(name, options);
    };
    // There its id takes room.
    room_for(&mut world, "repairs", bytes + id.len() as u64 - 1);
    let too_much = redrive(&mut world, orders, named(&[&id]), "repairs");
    assert_eq!(too_much, (0, 1));
    room_for(&mut world, "repairs", bytes + id.len() as u64);
    redrive(&mut world, orders, named(&[&id]), "repairs");
    world.audit();
    assert!(world.get(orders, &id).is_none());
    assert_eq!(world.state(repairs, &id), Some(MessageState::Ready));
    assert_eq!(world.stats(repairs).bytes, bytes + id.len() as u64);
    // Nothing without an id of a caller's is left there.
    for guarantee in [Guarantee::ExactlyOnce, Guarantee::AtLeastOnce] {
        let options = QueueOptions {
            guarantee: Some(guarantee),
            ..QueueOptions::default()
        };
        world.define("orders", options);
    }
    // Nobody else can have it, so whatever comes under it is this message.
    assert!(world.enqueue_id(repairs, &id, "anything").0);
    churn(&mut world);
    world.audit();
    let delivery = world.dequeue(repairs, 1).remove(0);
    assert_eq!(
        (delivery.id.as_str(), body(&delivery)),
        (id.as_str(), "xx".to_owned())
    );
    world
        .settle(delivery.token, Verdict::Dead(Reason::Permanent))
        .unwrap();
    // At home it takes none.
    room_for(&mut world, "orders", bytes - 1);
    assert_eq!(
        redrive(&mut world, repairs, named(&[&id]), "orders"),
        (0, 1)
    );
    room_for(&mut world, "orders", bytes);
    assert_eq!(
        redrive(&mut world, repairs, named(&[&id]), "orders"),
        (1, 0)
    );
    assert_eq!(world.state(orders, &id), Some(MessageState::Ready));
    assert_eq!(
        (world.stats(orders).bytes, world.stats(orders).dedup_entries),
        (bytes, 0)
    );
    assert_eq!(world.stats(repairs).dedup_entries, 0);
    churn(&mut world);
    world.audit();
    let mut world = world.reopen();
    let delivery = world.dequeue(orders, 1).remove(0);
    assert_eq!(
        (body(&delivery).as_str(), delivery.id.as_str()),
        ("xx", id.as_str())
    );
}

/// Writes so much beside it that whatever lives is moved.
fn churn(world: &mut World) {
    let churned = world.define("churned", QueueOptions::default());
    let before = world.box_stats().cleaned_segments;
    for _ in 0..60 {
        let id = world.enqueue(churned, &"x".repeat(300));
        world.value(Request::Cancel { queue: churned, id });
    }
    assert!(world.box_stats().cleaned_segments > before + 2);
}

#[test]
fn an_id_that_the_other_queue_knows_is_skipped_and_nothing_is_lost() {
    let mut world = World::new();
    let (orders, repairs) = queues(&mut world);
    for id in ["waits", "done", "free"] {
        dead(&mut world, with_id(orders, id, "x"));
    }
    world.enqueue_id(repairs, "done", "x");
    let delivery = world.dequeue(repairs, 1).remove(0);
    world.ack(delivery.token);
    world.enqueue_id(repairs, "waits", "another");
    assert_eq!(redrive(&mut world, orders, all(), "repairs"), (1, 2));
    assert_eq!(
        redrive(
            &mut world,
            orders,
            named(&["done", "free", "no"]),
            "repairs"
        ),
        (0, 3)
    );
    world.audit();
    world.advance(86_400_000);
    assert_eq!(
        redrive(&mut world, orders, all(), "repairs"),
        (1, 1),
        "its window is over"
    );
    assert_eq!(world.state(repairs, "done"), Some(MessageState::Ready));
    assert_eq!(world.state(orders, "waits"), Some(MessageState::Dead));
    world.audit();
    let mut world = world.reopen();
    world.value(Request::Purge { queue: repairs });
    assert_eq!(
        redrive(&mut world, orders, all(), "repairs"),
        (1, 0),
        "its id is free"
    );
    world.audit();
}

#[test]
fn a_message_that_was_passed_on_under_its_id_does_not_take_the_place_of_the_first() {
    let mut world = World::new();
    let (orders, repairs) = queues(&mut world);
    let id = world.enqueue(orders, "first");
    let first = world.dequeue(orders, 1).remove(0);
    dead(&mut world, with_id(repairs, &id, "passed on"));
    for _ in 0..2 {
        let moved = redrive(&mut world, repairs, all(), "orders");
        assert_eq!(moved, (0, 1), "orders knows the id");
        world.audit();
        if world.stats(orders).leased > 0 {
            world.ack(first.token);
        }
    }
    assert_eq!(world.state(repairs, &id), Some(MessageState::Dead));
}

#[test]
fn what_a_full_queue_does_not_take_stays_dead() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    for id in ["1", "2", "3"] {
        dead(&mut world, with_id(orders, id, "12345"));
    }
    let limited = |options: QueueOptions| options;
    let dedup = |max_entries, when_full| DedupOptions {
        max_entries: Some(max_entries),
        when_full: Some(when_full),
        ..DedupOptions::default()
    };
    let cases = [
        (
            "depth",
            limited(QueueOptions {
                max_depth: Some(1),
                ..QueueOptions::default()
            }),
        ),
        (
            "bytes",
            limited(QueueOptions {
                max_bytes: Some(11),
                ..QueueOptions::default()
            }),
        ),
        (
            "ids",
            limited(QueueOptions {
                dedup: Some(dedup(1, WhenFull::Reject)),
                ..QueueOptions::default()
            }),
        ),
    ];
    for (name, options) in cases {
        let full = world.define(name, options);
        assert_eq!(redrive(&mut world, orders, all(), name), (1, 2), "{name}");
        world.audit();
        let delivery = world.dequeue(full, 1).remove(0);
        assert_eq!(delivery.id, "1");
        world
            .settle(delivery.token, Verdict::Dead(Reason::Permanent))
            .unwrap();
        assert_eq!(
            redrive(&mut world, full, all(), "orders"),
            (1, 0),
            "and back"
        );
        let delivery = world.dequeue(orders, 1).remove(0);
        world
            .settle(delivery.token, Verdict::Dead(Reason::Permanent))
            .unwrap();
        assert_eq!(world.stats(orders).dead_letters, 3);
        // In the order of their deaths, the first one is the last one now.
        redrive(&mut world, orders, named(&["2"]), "orders");
        redrive(&mut world, orders, named(&["3"]), "orders");
        for _ in 0..2 {
            let delivery = world.dequeue(orders, 1).remove(0);
            world
                .settle(delivery.token, Verdict::Dead(Reason::Permanent))
                .unwrap();
        }
    }
    let shortened = world.define(
        "shortened",
        QueueOptions {
            dedup: Some(dedup(1, WhenFull::Shorten)),
            ..QueueOptions::default()
        },
    );
    world.enqueue_id(shortened, "done", "x");
    let delivery = world.dequeue(shortened, 1).remove(0);
    world.ack(delivery.token);
    assert_eq!(
        redrive(&mut world, orders, named(&["1"]), "shortened"),
        (1, 0)
    );
    assert_eq!(
        world.notices.len(),
        1,
        "ids are forgotten early: {:?}",
        world.notices
    );
    world.audit();
}

#[test]
fn a_queue_that_does_not_exist_is_not_created() {
    let mut world = World::new();
    let (orders, _) = queues(&mut world);
    dead(&mut world, with_id(orders, "a", "x"));
    let failure: Failure = world
        .request(request(orders, all(), "repiars"))
        .unwrap_err();
    assert_eq!(failure.code, ErrorCode::NotFound);
    assert!(failure.message.contains("'repiars'"), "{failure:?}");
    assert_eq!(world.state(orders, "a"), Some(MessageState::Dead));
    assert_eq!(
        redrive(&mut world, orders, all(), "orders"),
        (1, 0),
        "its own is like none"
    );
    assert_eq!(world.state(orders, "a"), Some(MessageState::Ready));
    world.audit();
}

#[test]
fn a_group_that_its_dead_letter_held_goes_on_and_the_other_queue_has_it_at_its_tail() {
    let mut world = World::new();
    let blocking = QueueOptions {
        group_on_dead: Some(GroupOnDead::Block),
        ..QueueOptions::default()
    };
    let orders = world.define("orders", blocking.clone());
    let repairs = world.define("repairs", blocking);
    let grouped = |queue, body| Enqueue {
        group: Some("g"),
        ..message(queue, body)
    };
    dead(&mut world, grouped(orders, "letter"));
    world.try_enqueue(grouped(repairs, "first")).unwrap();
    world.try_enqueue(grouped(orders, "behind")).unwrap();
    assert!(
        world.dequeue(orders, 1).is_empty(),
        "its group waits for it"
    );
    world.audit();
    redrive(&mut world, orders, all(), "repairs");
    world.audit();
    assert_eq!(body(&world.dequeue(orders, 1)[0]), "behind");
    let mut world = world.reopen();
    let mut order = Vec::new();
    while let Some(delivery) = world.dequeue(repairs, 1).pop() {
        order.push(body(&delivery));
        world.ack(delivery.token);
    }
    assert_eq!(order, ["first", "letter"]);
}

#[test]
fn a_crash_leaves_each_letter_in_one_queue() {
    let mut world = World::new();
    let (orders, repairs) = queues(&mut world);
    for index in 0..30 {
        dead(&mut world, with_id(orders, &index.to_string(), "x"));
    }
    world.hold_appends = true;
    let ticket = world.request(request(orders, all(), "repairs")).unwrap();
    assert!(
        world.answer(ticket).is_none(),
        "nothing is told before it is durable"
    );
    let (segment, bytes) = world.held.clone().unwrap();
    for written in (0..=bytes.len()).step_by(7).chain([bytes.len()]) {
        let mut disk = world.disk.clone();
        disk.entry(segment).or_default().extend(&bytes[..written]);
        let mut other = World::open(disk, world.now, world.config.clone()).unwrap();
        let (from, to) = (other.stats(orders).dead_letters, other.stats(repairs).ready);
        let expected = if written == bytes.len() {
            (0, 30)
        } else {
            (30, 0)
        };
        assert_eq!((from, to), expected, "{written} of {} bytes", bytes.len());
        other.audit();
    }
    world.land();
    assert!(world.answer(ticket).is_some());
}

#[test]
fn what_cannot_be_decoded_where_it_went_is_a_dead_letter_there() {
    for (id, window_ms) in [(None, 1000), (None, 0), (Some("a"), 1000), (Some("a"), 0)] {
        let mut world = World::new();
        let orders = world.define("orders", QueueOptions::default());
        let once = world.define(
            "once",
            QueueOptions {
                guarantee: Some(Guarantee::AtMostOnce),
                dedup: Some(DedupOptions {
                    window_ms: Some(window_ms),
                    ..DedupOptions::default()
                }),
                ..QueueOptions::default()
            },
        );
        let id = dead(
            &mut world,
            Enqueue {
                id,
                ..message(orders, "x")
            },
        );
        redrive(&mut world, orders, all(), "once");
        world.worker(once, 1);
        let delivery = world.delivery();
        let settle = Settle {
            token: delivery.token,
            verdict: Verdict::Dead(Reason::Invalid),
            returned: true,
            result: b"",
            error: b"",
        };
        let now = ackbox_core::time::Timestamp(world.now);
        let command = Command::Settle(settle);
        world.engine.handle_command(now, Ticket(0), command);
        world.run();
        let letters = world.dead(once);
        assert_eq!((letters[0].id.as_str(), letters.len()), (id.as_str(), 1));
        assert!(world.dead(orders).is_empty());
        assert!(world.enqueue_id(once, &id, "x").0, "its id is taken");
        world.audit();
    }
}

#[test]
fn who_waits_for_its_id_in_the_other_queue_hears_of_its_end() {
    let mut world = World::new();
    let (orders, repairs) = queues(&mut world);
    dead(&mut world, with_id(orders, "a", "x"));
    let ticket = world.command(Command::Finished {
        queue: repairs,
        id: "a",
    });
    redrive(&mut world, orders, all(), "repairs");
    assert!(world.answer(ticket).is_none());
    let delivery = world.dequeue(repairs, 1).remove(0);
    world.ack(delivery.token);
    assert!(matches!(world.answer(ticket), Some(Ok(_))));
}
