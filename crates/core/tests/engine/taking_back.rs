//! What was claimed and seen by nobody is taken back, durably, even in at-most-once. [S6]

use ackbox_core::command::*;
use ackbox_core::config::{Config, Guarantee, QueueOptions};
use ackbox_core::effect::{Answer, Delivery};
use ackbox_core::error::ErrorCode;

use crate::support::{World, message};

pub fn options() -> QueueOptions {
    QueueOptions {
        guarantee: Some(Guarantee::AtMostOnce),
        ..QueueOptions::default()
    }
}

fn item(queue: QueueId, id: &'static str) -> Enqueue<'static> {
    Enqueue {
        id: Some(id),
        group: Some("g"),
        destination: Some("d"),
        priority: 7,
        ttl_ms: Some(60_000),
        headers: b"h",
        ..message(queue, id)
    }
}

/// Three messages of one group, of which the first is claimed by a worker and not handed out: its
/// settlement is on its way to the disk.
fn claimed() -> (World, QueueId, WorkerId) {
    let mut world = World::new();
    let orders = world.define("orders", options());
    for id in ["a", "b", "c"] {
        world.try_enqueue(item(orders, id)).unwrap();
    }
    world.hold_appends = true;
    let worker = world.worker(orders, 1);
    assert!(world.held.is_some() && world.deliveries.is_empty());
    (world, orders, worker)
}

/// Claims for a dequeue that waits; what is claimed is not handed out yet.
fn dequeued(world: &mut World, orders: QueueId) -> Ticket {
    world.hold_appends = true;
    Ticket(world.command(Command::Dequeue {
        queue: orders,
        max: 1,
        lease_ms: None,
        wait_ms: 60_000,
    }))
}

pub fn land_all(world: &mut World) {
    while world.held.is_some() {
        world.land();
    }
    world.hold_appends = false;
}

/// All three are there as they were, and run in their order.
fn expect_untouched(world: World, orders: QueueId) {
    for reopens in [false, true] {
        let disk = world.disk.clone();
        let mut world = World::open(disk, world.now, world.config.clone()).unwrap();
        if reopens {
            world.enqueue_id(orders, "a", "a");
            world = world.reopen();
        }
        world.value(Request::ResumeQueue { queue: orders });
        let first = world.get(orders, "a").expect("it is unfinished");
        assert_eq!(
            (first.state, first.attempt, first.history.len()),
            (MessageState::Ready, Some(0), 0)
        );
        assert_eq!(
            world.enqueue_id(orders, "a", "a"),
            (true, MessageState::Ready, "a".to_owned()),
            "its id is that of an unfinished message"
        );
        let conflict = world.try_enqueue(Enqueue {
            id: Some("a"),
            ..message(orders, "another")
        });
        assert_eq!(conflict.unwrap_err().code, ErrorCode::IdConflict);
        world.worker(orders, 1);
        let first: Delivery = world.delivery();
        assert_eq!((first.id.as_str(), first.attempt), ("a", 1));
        assert_eq!((&*first.group, &*first.destination), ("g", "d"));
        assert_eq!((first.priority, first.content.headers()), (7, &b"h"[..]));
        world.ack(first.token);
        assert_eq!(world.work_off(), ["b", "c"]);
        world.audit();
        assert_eq!(world.reopen().box_stats().messages, 0);
    }
}

#[test]
fn pausing_a_worker_takes_back_what_it_claimed() {
    let (mut world, orders, worker) = claimed();
    world.at_once(Request::PauseWorker { worker });
    land_all(&mut world);
    assert!(world.deliveries.is_empty(), "no handler starts after it");
    assert_eq!(world.stats(orders).delivered, 0);
    assert_eq!(world.box_stats().running, 0);
    world.audit();
    expect_untouched(world, orders);
}

#[test]
fn closing_a_worker_takes_back_what_it_claimed() {
    let (mut world, orders, worker) = claimed();
    let closing = world.request(Request::CloseWorker { worker }).unwrap();
    assert!(
        world.answer(closing).is_none(),
        "what it took back is not durable yet"
    );
    land_all(&mut world);
    assert!(matches!(world.answer(closing), Some(Ok(Answer::Value(0)))));
    world.audit();
    expect_untouched(world, orders);
}

#[test]
fn pausing_a_queue_takes_back_what_its_workers_and_dequeues_claimed() {
    for by_hand in [false, true] {
        let (mut world, orders) = if by_hand {
            let (mut world, orders, worker) = claimed();
            world.at_once(Request::PauseWorker { worker });
            land_all(&mut world);
            dequeued(&mut world, orders);
            (world, orders)
        } else {
            let (world, orders, _) = claimed();
            (world, orders)
        };
        let pausing = world
            .request(Request::PauseQueue { queue: orders })
            .unwrap();
        land_all(&mut world);
        assert!(world.answer(pausing).is_some() && world.deliveries.is_empty());
        expect_untouched(world, orders);
    }
}

#[test]
fn closing_the_box_takes_back_what_was_claimed() {
    for by_hand in [false, true] {
        let (mut world, orders, worker) = claimed();
        if by_hand {
            world.at_once(Request::PauseWorker { worker });
            land_all(&mut world);
            dequeued(&mut world, orders);
        }
        let closing = world.request(Request::Close {}).unwrap();
        land_all(&mut world);
        assert!(matches!(world.answer(closing), Some(Ok(Answer::Value(0)))));
        assert!(world.deliveries.is_empty());
        expect_untouched(world, orders);
    }
}

#[test]
fn a_dequeue_that_stops_waiting_gives_back_what_it_claimed() {
    let (mut world, orders, worker) = claimed();
    world.request(Request::CloseWorker { worker }).unwrap();
    land_all(&mut world);
    let waiting = dequeued(&mut world, orders);
    world.unanswered_as(waiting, Command::StopWaiting);
    assert!(matches!(
        world.answer(waiting.0),
        Some(Ok(Answer::Value(0)))
    ));
    land_all(&mut world);
    world.audit();
    expect_untouched(world, orders);
}

#[test]
fn what_nobody_saw_is_taken_back_although_it_was_handed_out() {
    for by_hand in [false, true] {
        let (mut world, orders, worker) = claimed();
        if by_hand {
            world.request(Request::CloseWorker { worker }).unwrap();
            land_all(&mut world);
            dequeued(&mut world, orders);
        }
        land_all(&mut world);
        let unseen = world.delivery();
        world.value(Request::PauseQueue { queue: orders });
        world.unanswered(Command::Declined {
            token: unseen.token,
        });
        let stats = world.stats(orders);
        assert_eq!((stats.delivered, stats.rejected), (0, 0));
        assert_eq!(world.box_stats().running, 0);
        world.unanswered(Command::Declined {
            token: unseen.token,
        });
        world.unanswered(Command::Returned {
            token: unseen.token,
        });
        world.audit();
        expect_untouched(world, orders);
    }
}

#[test]
fn a_start_that_nobody_saw_costs_no_attempt() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.enqueue_id(orders, "a", "a");
    let worker = world.worker(orders, 1);
    let unseen = world.delivery();
    world.at_once(Request::PauseWorker { worker });
    world.unanswered(Command::Declined {
        token: unseen.token,
    });
    assert_eq!(world.stats(orders).delivered, 0);
    world.audit();
    let mut world = world.reopen();
    assert_eq!(world.report().interrupted, 0);
    assert_eq!(world.dequeue(orders, 1)[0].attempt, 1);
}

#[test]
fn what_a_closing_worker_was_handed_and_did_not_start_counts_as_returned() {
    for guarantee in [Guarantee::AtLeastOnce, Guarantee::AtMostOnce] {
        let mut world = World::new();
        let options = QueueOptions {
            guarantee: Some(guarantee),
            ..QueueOptions::default()
        };
        let orders = world.define("orders", options);
        world.enqueue(orders, "a");
        let worker = world.worker(orders, 1);
        let unseen = world.delivery();
        let closing = world.request(Request::CloseWorker { worker }).unwrap();
        world.unanswered(Command::Declined {
            token: unseen.token,
        });
        assert!(matches!(world.answer(closing), Some(Ok(Answer::Value(1)))));
    }
}

#[test]
fn a_lost_delivery_that_nobody_saw_is_over() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.worker(orders, 1);
    world.enqueue_id(orders, "a", "a");
    world.enqueue(orders, "b");
    let unseen = world.delivery();
    let id = "a".to_owned();
    assert_eq!(world.value(Request::Cancel { queue: orders, id }), 1);
    world.unanswered(Command::Declined {
        token: unseen.token,
    });
    assert_eq!(world.work_off(), ["b"], "its slot is free");
}

#[test]
fn no_end_is_told_of_what_may_be_taken_back() {
    let (mut world, orders, worker) = claimed();
    let waiting = [world.finished(orders, "a"), world.finished(orders, "b")];
    world.at_once(Request::PauseWorker { worker });
    land_all(&mut world);
    assert!(world.end(waiting[0]).is_none());
    world.at_once(Request::ResumeWorker { worker });
    let unseen = world.delivery();
    world.at_once(Request::PauseWorker { worker });
    world.unanswered(Command::Declined {
        token: unseen.token,
    });
    assert!(world.end(waiting[0]).is_none(), "nobody saw it");
    world.at_once(Request::ResumeWorker { worker });
    let seen = world.delivery();
    assert!(world.end(waiting[0]).is_none(), "its handler runs");
    world.ack(seen.token);
    let (info, _) = world.end(waiting[0]).expect("it has ended");
    assert_eq!((&*info.id, info.state), ("a", MessageState::Completed));
    assert!(world.end(waiting[1]).is_none());
}

#[test]
fn who_waits_for_what_is_withdrawn_hears_of_it() {
    let (mut world, orders, _) = claimed();
    let waiting = world.finished(orders, "a");
    let id = "a".to_owned();
    world
        .request(Request::Cancel { queue: orders, id })
        .unwrap();
    land_all(&mut world);
    let (info, _) = world.end(waiting).expect("it has ended");
    assert_eq!(info.state, MessageState::Cancelled);
}

#[test]
fn what_was_said_of_a_delivery_cannot_be_unsaid() {
    let (mut world, orders, _) = claimed();
    land_all(&mut world);
    let seen = world.delivery();
    world
        .settle_with(seen.token, Verdict::Ack, false, b"", b"")
        .unwrap();
    world.unanswered(Command::Declined { token: seen.token });
    assert_eq!(world.work_off(), ["b", "c"]);
    assert_eq!(
        world.state(orders, "a"),
        Some(MessageState::Completed),
        "it is done"
    );
}

#[test]
fn a_crash_before_it_was_written_again_loses_it_and_never_brings_it_back_twice() {
    let (mut world, orders, worker) = claimed();
    world.at_once(Request::PauseWorker { worker });
    let ids = |world: &mut World| -> Vec<String> {
        let infos = world.peek(orders, None);
        infos.into_iter().map(|info| info.id).collect()
    };
    let mut found = Vec::new();
    loop {
        let mut heir = World::open(world.disk.clone(), world.now, world.config.clone())
            .expect("each crash leaves what can be opened");
        found.push(ids(&mut heir));
        if world.held.is_none() {
            break;
        }
        world.land();
    }
    assert_eq!(
        found,
        [vec!["a", "b", "c"], vec!["b", "c"], vec!["a", "b", "c"]],
        "before, between and after the two appends"
    );
}

#[test]
fn it_can_be_claimed_and_taken_back_again_before_any_of_it_is_durable() {
    let (mut world, orders, worker) = claimed();
    for _ in 0..3 {
        world.at_once(Request::PauseWorker { worker });
        world.at_once(Request::ResumeWorker { worker });
    }
    land_all(&mut world);
    assert_eq!(world.work_off(), ["a", "b", "c"]);
    world.audit();
    assert_eq!(world.stats(orders).delivered, 3);
}

/// Like [`claimed`], but the first message has to be read back, which takes a while.
fn claimed_cold() -> (World, QueueId, WorkerId) {
    let mut world = World::with_config(Config {
        max_memory_bytes: 0,
        ..Config::default()
    });
    let orders = world.define("orders", options());
    for id in ["a", "b", "c"] {
        world.try_enqueue(item(orders, id)).unwrap();
    }
    world.hold_reads = true;
    let worker = world.worker(orders, 1);
    assert_eq!((world.held_reads.len(), world.deliveries.len()), (1, 0));
    (world, orders, worker)
}

#[test]
fn what_must_be_read_first_is_taken_back_when_it_is_there() {
    let (mut world, orders, worker) = claimed_cold();
    world.at_once(Request::PauseWorker { worker });
    let closing = world.request(Request::Close {}).unwrap();
    assert!(world.answer(closing).is_none(), "it is not back yet");
    world.answer_reads();
    assert!(world.answer(closing).is_some() && world.deliveries.is_empty());
    expect_untouched(world, orders);
}

#[test]
fn a_dequeue_can_stop_while_its_message_is_read() {
    let (mut world, orders, worker) = claimed_cold();
    world.request(Request::CloseWorker { worker }).unwrap();
    world.answer_reads();
    let waiting = dequeued(&mut world, orders);
    world.hold_appends = false;
    world.land();
    assert_eq!(world.held_reads.len(), 1);
    world.unanswered_as(waiting, Command::StopWaiting);
    assert!(world.answer(waiting.0).is_some(), "at once");
    world.answer_reads();
    assert!(world.deliveries.is_empty());
    world.hold_reads = false;
    world.audit();
    expect_untouched(world, orders);
}

#[test]
fn what_is_withdrawn_before_anybody_saw_it_does_not_start_and_frees_its_id() {
    for way in ["cancel", "purge", "purge while it is read"] {
        let (mut world, orders, worker) = if way == "purge while it is read" {
            claimed_cold()
        } else {
            claimed()
        };
        let asked = if way == "cancel" {
            let id = "a".to_owned();
            world.request(Request::Cancel { queue: orders, id })
        } else {
            world.request(Request::Purge { queue: orders })
        };
        world.answer_reads();
        land_all(&mut world);
        let count = if way == "cancel" { 1 } else { 3 };
        assert!(
            matches!(world.answer(asked.unwrap()), Some(Ok(Answer::Value(value))) if value == count),
            "{way}"
        );
        world.hold_reads = false;
        let rest = if way == "cancel" {
            vec!["b", "c"]
        } else {
            vec![]
        };
        assert_eq!(world.work_off(), rest, "{way}");
        assert_eq!(world.state(orders, "a"), None);
        world.at_once(Request::PauseWorker { worker });
        world.audit();
        let mut world = world.reopen();
        assert!(
            !world.enqueue_id(orders, "a", "another").0,
            "its id is free"
        );
    }
}

#[test]
fn what_a_handler_may_have_seen_cannot_be_cancelled() {
    let (mut world, orders, _) = claimed();
    land_all(&mut world);
    let id = "a".to_owned();
    assert_eq!(world.value(Request::Cancel { queue: orders, id }), 0);
    assert!(world.aborts.is_empty());
    assert_eq!(world.work_off(), ["a", "b", "c"]);
}

#[test]
fn an_id_whose_message_may_be_taken_back_cannot_be_forgotten() {
    let (mut world, orders, worker) = claimed();
    let forget = |id: &str| Request::Forget {
        queue: orders,
        id: id.to_owned(),
    };
    let refused = world.request(forget("a")).unwrap();
    world.at_once(Request::PauseWorker { worker });
    land_all(&mut world);
    let told = world.answer(refused);
    assert!(matches!(told, Some(Ok(Answer::Value(0)))), "{told:?}");
    world.audit();
    assert!(world.enqueue_id(orders, "a", "a").0, "it is taken");
    world.at_once(Request::ResumeWorker { worker });
    let token = world.delivery().token;
    assert_eq!(world.value(forget("a")), 0, "it may be declined yet");
    world.unanswered(Command::Began { token });
    assert_eq!(world.value(forget("a")), 1, "it cannot come back any more");
    world.audit();
}

#[test]
fn a_clean_failure_refuses_what_was_accepted_and_taken_back() {
    let mut world = World::new();
    let orders = world.define("orders", options());
    let worker = world.worker(orders, 1);
    world.hold_appends = true;
    let refused = world.command(Command::Enqueue(item(orders, "a")));
    world.at_once(Request::PauseWorker { worker });
    world.fail_append(true);
    land_all(&mut world);
    let refusal = world.answer(refused).unwrap().unwrap_err();
    assert_eq!(refusal.code, ErrorCode::StorageFull);
    assert!(world.peek(orders, None).is_empty());
    assert_eq!(world.stats(orders).enqueued, 0);
    world.at_once(Request::ResumeWorker { worker });
    assert!(
        !world.enqueue_id(orders, "a", "another").0,
        "its id is free"
    );
    assert_eq!(world.work_off(), ["another"]);
    world.audit();
}

#[test]
fn a_clean_failure_loses_nothing_that_was_taken_back() {
    let mut world = World::new();
    let orders = world.define("orders", options());
    let other = world.define("other", options());
    for id in ["a", "b", "c"] {
        world.try_enqueue(item(orders, id)).unwrap();
    }
    world.hold_appends = true;
    world.request(Request::PauseQueue { queue: other }).unwrap();
    let worker = world.worker(orders, 1);
    let refused = world.command(Command::Enqueue(message(other, "x")));
    world.land();
    world.at_once(Request::PauseWorker { worker });
    world.fail_append(true);
    land_all(&mut world);
    let refusal = world.answer(refused).unwrap().unwrap_err();
    assert_eq!(refusal.code, ErrorCode::StorageFull);
    world.value(Request::ResumeQueue { queue: other });
    world.audit();
    expect_untouched(world, orders);
}

#[test]
fn a_purge_spares_what_was_handed_out_though_it_comes_back_unseen() {
    let (mut world, orders, _) = claimed();
    land_all(&mut world);
    let unseen = world.delivery();
    assert_eq!(world.value(Request::Purge { queue: orders }), 2);
    world.value(Request::PauseQueue { queue: orders });
    world.unanswered(Command::Declined {
        token: unseen.token,
    });
    for _ in 0..2 {
        assert_eq!(world.state(orders, "a"), Some(MessageState::Ready));
        assert_eq!(world.box_stats().messages, 1);
        world.audit();
        world = world.reopen();
    }
}
