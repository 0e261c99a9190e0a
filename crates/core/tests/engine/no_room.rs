//! A storage without room for what can wait: claims are nobody's again, pauses and the like wait. [A8 clean]

use ackbox_core::command::*;
use ackbox_core::config::{Config, Guarantee, QueueOptions};
use ackbox_core::effect::{EventKind, Notice};
use ackbox_core::error::ErrorCode;

use crate::support::{Disk, T0, World, message};

/// Messages that wait in a box whose storage is about to be full.
fn backlog(options: QueueOptions, bodies: &[&str]) -> (World, QueueId) {
    let mut world = World::new();
    let orders = world.define("orders", options);
    world.listen(orders);
    for body in bodies {
        world.enqueue_id(orders, body, body);
    }
    world.hold_appends = true;
    (world, orders)
}

fn is_failed(world: &World) -> bool {
    let is_failure = |notice: &Notice| matches!(notice, Notice::Failed { .. });
    world.notices.iter().any(is_failure)
}

fn warnings(world: &World) -> usize {
    let is_about_room = |notice: &&Notice| matches!(notice, Notice::Warning { message, .. } if message.contains("no room"));
    world.notices.iter().filter(is_about_room).count()
}

/// Lets there be room again.
fn make_room(world: &mut World) {
    world.hold_appends = false;
    if world.held.is_some() {
        world.land();
    }
    world.advance(1_000);
}

#[test]
fn claims_are_nobodys_again_and_cost_nothing() {
    let (mut world, orders) = backlog(QueueOptions::default(), &["a", "b", "c"]);
    let worker = world.worker(orders, 2);
    assert_eq!(world.stats(orders).leased, 2);
    world.fail_append(true);
    assert!(!is_failed(&world));
    let stats = world.stats(orders);
    assert_eq!((stats.ready, stats.leased), (3, 0));
    assert!(world.held.is_none(), "nothing is tried again at once");
    world.audit();

    for _ in 0..5 {
        world.advance(999);
        assert!(world.held.is_none());
        world.advance(1);
        world.fail_append(true);
        assert!(world.deliveries.is_empty());
    }
    assert_eq!(warnings(&world), 1, "one shortage is told once");

    make_room(&mut world);
    let attempts: Vec<(String, u32)> = world
        .deliveries
        .iter()
        .map(|delivery| (delivery.id.to_string(), delivery.attempt))
        .collect();
    assert_eq!(attempts, [("a".to_owned(), 1), ("b".to_owned(), 1)]);
    world.audit();

    let closing = world.request(Request::CloseWorker { worker }).unwrap();
    assert!(world.answer(closing).is_none(), "two handlers run");
}

#[test]
fn what_was_never_written_is_not_there_after_a_crash() {
    let (mut world, orders) = backlog(QueueOptions::default(), &["a"]);
    world.worker(orders, 1);
    world.fail_append(true);
    let mut world = world.reopen();
    world.worker(orders, 1);
    assert_eq!(world.delivery().attempt, 1);
    assert_eq!(world.stats(orders).leases_lost, 0);
}

#[test]
fn a_claim_goes_back_to_its_place_in_queue_and_group() {
    let (mut world, orders) = backlog(QueueOptions::default(), &[]);
    world.hold_appends = false;
    for (id, group) in [("a", Some("g")), ("b", Some("g")), ("c", None)] {
        world
            .try_enqueue(Enqueue {
                id: Some(id),
                group,
                ..message(orders, id)
            })
            .expect("there is room");
    }
    world.hold_appends = true;
    world.worker(orders, 3);
    world.fail_append(true);
    assert_eq!(world.stats(orders).leased, 0);
    world.audit();
    make_room(&mut world);
    assert_eq!(world.delivered(), ["a", "c"]);
}

#[test]
fn a_dequeue_without_patience_gets_nothing_and_one_with_it_waits() {
    let (mut world, orders) = backlog(QueueOptions::default(), &["a"]);
    let dequeue = |wait_ms| Command::Dequeue {
        queue: orders,
        max: 1,
        lease_ms: None,
        wait_ms,
    };
    let impatient = world.command(dequeue(0));
    world.fail_append(true);
    assert!(world.answer(impatient).expect("it is answered").is_ok());
    let patient = world.command(dequeue(60_000));
    assert!(world.answer(patient).is_none());
    assert!(world.deliveries.is_empty());
    make_room(&mut world);
    assert_eq!(world.delivered(), ["a"]);
    assert!(world.answer(patient).is_some());
}

#[test]
fn a_pause_is_in_force_and_answered_once_it_is_durable() {
    let (mut world, orders) = backlog(QueueOptions::default(), &["a"]);
    let paused = world
        .request(Request::PauseQueue { queue: orders })
        .unwrap();
    world.fail_append(true);
    assert!(world.answer(paused).is_none() && !is_failed(&world));
    assert!(world.events_of(EventKind::Paused).is_empty());
    world.worker(orders, 1);
    assert!(world.deliveries.is_empty() && world.held.is_none());
    make_room(&mut world);
    assert!(world.answer(paused).expect("it is answered").is_ok());
    assert_eq!(world.events_of(EventKind::Paused).len(), 1);
    let mut world = world.reopen();
    world.worker(orders, 1);
    assert!(world.deliveries.is_empty(), "it survives");
}

#[test]
fn withdrawals_and_purges_wait() {
    let (mut world, orders) = backlog(QueueOptions::default(), &["a", "b", "c"]);
    let cancel = Request::Cancel {
        queue: orders,
        id: "a".into(),
    };
    let cancelled = world.request(cancel).unwrap();
    world.fail_append(true);
    let purged = world.request(Request::Purge { queue: orders }).unwrap();
    world.fail_append(true);
    assert!(world.answer(cancelled).is_none() && world.answer(purged).is_none());
    assert!(!is_failed(&world));
    make_room(&mut world);
    assert!(world.answer(cancelled).is_some() && world.answer(purged).is_some());
    world.audit();
    assert_eq!(world.reopen().box_stats().messages, 0);
}

#[test]
fn enqueues_are_refused_meanwhile_and_settlements_take_along_what_waits() {
    let (mut world, orders) = backlog(QueueOptions::default(), &["a", "b"]);
    let running = world.worker(orders, 1);
    world.land();
    let delivery = world.delivery();
    let paused = world
        .request(Request::PauseQueue { queue: orders })
        .unwrap();
    world.fail_append(true);
    let refused = world.command(Command::Enqueue(message(orders, "x")));
    while world.held.is_some() {
        world.fail_append(true);
    }
    assert!(world.answer(refused).expect("it is answered").is_err());
    assert!(world.answer(paused).is_none() && !is_failed(&world));
    // From the reserve.
    world.command(Command::Settle(Settle {
        token: delivery.token,
        verdict: Verdict::Ack,
        returned: true,
        result: b"",
        error: b"",
    }));
    world.land();
    assert!(world.answer(paused).is_some());
    assert_eq!(world.state(orders, "a"), Some(MessageState::Completed));
    let _ = running;
}

#[test]
fn at_most_once_delivers_once_there_is_room() {
    let options = QueueOptions {
        guarantee: Some(Guarantee::AtMostOnce),
        ..QueueOptions::default()
    };
    let (mut world, orders) = backlog(options, &["a", "b"]);
    world.worker(orders, 1);
    for _ in 0..3 {
        world.fail_append(true);
        assert!(world.deliveries.is_empty() && !is_failed(&world));
        world.advance(1_000);
    }
    make_room(&mut world);
    assert_eq!(world.delivered(), ["a"]);
    world.audit();
}

#[test]
fn a_box_that_waits_for_room_can_be_closed() {
    let (mut world, orders) = backlog(QueueOptions::default(), &["a"]);
    world.worker(orders, 1);
    world.fail_append(true);
    world
        .request(Request::PauseQueue { queue: orders })
        .unwrap();
    world.fail_append(true);
    let closing = world.request(Request::Close {}).unwrap();
    assert!(world.answer(closing).expect("closing never hangs").is_ok());
    assert_eq!(world.reopen().box_stats().messages, 1);
}

/// A box in whose only segment nothing lives, and which had no room to begin another one.
fn without_room_for_a_segment() -> (World, QueueId) {
    let config = Config {
        segment_bytes: 4096,
        ..Config::default()
    };
    let mut world = World::open(Disk::new(), T0, config.clone()).expect("an empty box opens");
    let orders = world.define("orders", QueueOptions::default());
    while world.disk_bytes() < 4096 - 600 {
        world.enqueue(orders, &"x".repeat(300));
        let token = world.dequeue(orders, 1)[0].token;
        world.ack(token);
    }
    let mut world = world.reopen();
    let orders = world.define("orders", QueueOptions::default());
    world.hold_appends = true;
    world.command(Command::Enqueue(message(orders, &"y".repeat(2_000))));
    world.fail_append(true);
    world.hold_appends = false;
    assert!(!is_failed(&world));
    (world, orders)
}

#[test]
fn a_box_closes_though_a_segment_was_about_to_be_removed() {
    let (mut world, _) = without_room_for_a_segment();
    let closing = world.request(Request::Close {}).unwrap();
    assert!(
        matches!(world.answer(closing), Some(Ok(_))),
        "nothing will be written any more for which the removal could wait"
    );
}

#[test]
fn a_segment_that_is_written_to_again_is_not_removed() {
    let (mut world, orders) = without_room_for_a_segment();
    world.enqueue_id(orders, "small", "small");
    assert_eq!(world.box_stats().messages, 1);
    let mut world = world.reopen();
    assert_eq!(world.state(orders, "small"), Some(MessageState::Ready));
    // Its time comes once another one was begun.
    world.enqueue(orders, &"y".repeat(2_000));
    for _ in 0..2 {
        let token = world.dequeue(orders, 1)[0].token;
        world.ack(token);
    }
    world.enqueue(orders, &"z".repeat(3_000));
    assert!(world.box_stats().cleaned_segments > 0);
    world.audit();
}

/// A box without room for a message, nor for the end of a delivery that nobody waits for.
fn settled_without_room() -> (World, QueueId) {
    let (mut world, orders) = backlog(QueueOptions::default(), &["a"]);
    // Nor does anybody want to hear of it.
    world.at_once(Request::Listen {
        queue: orders,
        events: 0,
    });
    let worker = world.worker(orders, 1);
    world.land();
    let token = world.delivery().token;
    world.at_once(Request::PauseWorker { worker });
    let first = world.command(Command::Enqueue(message(orders, "x")));
    world.unanswered(Command::Settle(Settle {
        token,
        verdict: Verdict::Ack,
        returned: true,
        result: b"",
        error: b"",
    }));
    let second = world.command(Command::Enqueue(message(orders, "y")));
    world.land();
    world.fail_append(true);
    assert!(!is_failed(&world) && world.answer(first).is_none());
    assert!(world.answer(second).expect("it is answered").is_err());
    (world, orders)
}

#[test]
fn a_settlement_that_found_no_room_is_written_before_the_box_is_closed() {
    let (mut world, orders) = settled_without_room();
    let closing = world.request(Request::Close {}).unwrap();
    while world.held.is_some() {
        assert!(world.answer(closing).is_none(), "it is not durable yet");
        world.land();
    }
    assert!(world.answer(closing).expect("it is closed").is_ok());
    let mut world = world.reopen();
    assert_eq!(world.state(orders, "a"), Some(MessageState::Completed));
}

#[test]
fn a_box_that_cannot_write_what_was_settled_does_not_close_well() {
    let (mut world, _) = settled_without_room();
    let closing = world.request(Request::Close {}).unwrap();
    while world.held.is_some() {
        world.fail_append(true);
    }
    let failure = world.answer(closing).expect("closing never hangs");
    assert_eq!(failure.unwrap_err().code, ErrorCode::StorageFailed);
    assert!(is_failed(&world));
}
