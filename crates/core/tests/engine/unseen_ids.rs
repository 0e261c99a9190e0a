//! At-most-once: the id of a message that may be taken back is taken, however short ids are remembered. [S6]

use ackbox_core::command::*;
use ackbox_core::config::{DedupOptions, QueueOptions};
use ackbox_core::effect::Delivery;
use ackbox_core::error::ErrorCode;

use crate::support::{World, message};
use crate::taking_back::{land_all, options};

#[test]
fn an_id_stays_taken_until_somebody_sees_its_message() {
    for window_ms in [0, 700] {
        let mut world = World::new();
        let dedup = DedupOptions {
            window_ms: Some(window_ms),
            ..DedupOptions::default()
        };
        let orders = world.define(
            "orders",
            QueueOptions {
                dedup: Some(dedup),
                ..options()
            },
        );
        world.enqueue_id(orders, "a", "a");
        world.hold_appends = true;
        let worker = world.worker(orders, 1);
        // Its settlement is on its way to the disk for longer than its id would be remembered.
        world.advance(1_000);
        let sent = |body| {
            Command::Enqueue(Enqueue {
                id: Some("a"),
                ..message(orders, body)
            })
        };
        let conflict = world.command(sent("another"));
        world.command(sent("a"));
        world.at_once(Request::PauseWorker { worker });
        land_all(&mut world);
        let refused = world.answer(conflict).expect("it is answered");
        assert_eq!(refused.unwrap_err().code, ErrorCode::IdConflict);
        let (_, _, duplicate, ..) = world.receipts.last().expect("it is told");
        assert!(duplicate, "it is there, and may be taken back");
        assert_eq!(world.box_stats().messages, 1);
        assert!(world.enqueue_id(orders, "a", "a").0);
        world.audit();

        world.at_once(Request::ResumeWorker { worker });
        let token = world.delivery().token;
        world.unanswered(Command::Began { token });
        let (duplicate, ..) = world.enqueue_id(orders, "a", "a");
        assert_eq!(duplicate, window_ms > 0, "its window began");
    }
}

/// A message whose id is remembered for no time, and its delivery, of which nobody knows yet whether code
/// of the user sees it.
fn handed_out(claims: impl Fn(&mut World, QueueId)) -> (World, QueueId, Delivery) {
    let mut world = World::new();
    let dedup = DedupOptions {
        window_ms: Some(0),
        ..DedupOptions::default()
    };
    let options = QueueOptions {
        dedup: Some(dedup),
        ..options()
    };
    let orders = world.define("orders", options);
    world.enqueue_id(orders, "a", "a");
    claims(&mut world, orders);
    let delivery = world.delivery();
    (world, orders, delivery)
}

fn with_a_worker() -> (World, QueueId, Delivery) {
    handed_out(|world, orders| {
        world.worker(orders, 1);
    })
}

fn with_a_dequeue() -> (World, QueueId, Delivery) {
    handed_out(|world, orders| {
        world.command(Command::Dequeue {
            queue: orders,
            max: 1,
            lease_ms: Some(500),
            wait_ms: 0,
        });
    })
}

#[test]
fn the_id_of_what_nobody_saw_was_never_free() {
    for (mut world, orders, unseen) in [with_a_worker(), with_a_dequeue()] {
        let again = world.enqueue_id(orders, "a", "a");
        assert!(again.0, "its delivery may be declined yet");
        let forget = Request::Forget {
            queue: orders,
            id: "a".to_owned(),
        };
        assert_eq!(world.value(forget), 0);
        world.value(Request::PauseQueue { queue: orders });
        let waiting = world.finished(orders, "a");
        let token = unseen.token;
        world.unanswered(Command::Declined { token });
        world.audit();
        assert!(world.end(waiting).is_none(), "it waits again");
        for reopens in [false, true] {
            let disk = world.disk.clone();
            let mut heir = World::open(disk, world.now, world.config.clone()).unwrap();
            if reopens {
                heir.enqueue(orders, "b");
                heir = heir.reopen();
            }
            assert_eq!(heir.peek(orders, None).len(), 1 + usize::from(reopens));
            assert_eq!(heir.state(orders, "a"), Some(MessageState::Ready));
            let id = "a".to_owned();
            assert_eq!(heir.value(Request::Cancel { queue: orders, id }), 1);
            assert_eq!(heir.state(orders, "a"), None);
            heir.audit();
        }
        world.value(Request::ResumeQueue { queue: orders });
        world.worker(orders, 1);
        let seen = world.delivery();
        assert!(world.deliveries.is_empty(), "there is one of it");
        world.unanswered(Command::Began { token: seen.token });
        assert!(!world.enqueue_id(orders, "a", "a").0, "its id is free");
        let token = seen.token;
        world.unanswered(Command::Declined { token });
        assert_eq!(world.work_off(), ["a"], "what was seen cannot come back");
        assert!(world.end(waiting).is_some());
        world.audit();
        assert_eq!(world.reopen().box_stats().messages, 0);
    }
}
