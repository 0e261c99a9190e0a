//! Nothing is told before it is durable. [A2 enqueue]

use ackbox_core::command::*;
use ackbox_core::config::{Guarantee, QueueOptions};
use ackbox_core::effect::EventKind;

use crate::support::{World, body, message};

fn holding(options: QueueOptions) -> (World, QueueId) {
    let mut world = World::new();
    let orders = world.define("orders", options);
    world.listen(orders);
    world.hold_appends = true;
    (world, orders)
}

fn is_silent(world: &World) -> bool {
    world.receipts.is_empty()
        && world.deliveries.is_empty()
        && world.replies.is_empty()
        && world.events.is_empty()
        && world.bodies.is_empty()
}

#[test]
fn receipt_event_and_delivery_wait_for_one_append() {
    let (mut world, orders) = holding(QueueOptions::default());
    world.worker(orders, 1);
    world.command(Command::Enqueue(message(orders, "x")));
    assert!(is_silent(&world));
    world.land();
    assert_eq!(
        (world.receipts.len(), world.deliveries.len()),
        (1, 1),
        "message and start shared a frame"
    );
    assert_eq!(world.events_of(EventKind::Enqueued).len(), 1);
    assert!(world.held.is_none());
}

#[test]
fn a_settlement_is_answered_when_it_is_durable() {
    let (mut world, orders) = holding(QueueOptions::default());
    world.worker(orders, 1);
    world.command(Command::Enqueue(message(orders, "x")));
    world.land();
    let delivery = world.delivery();
    (world.events, world.receipts) = (Vec::new(), Vec::new());
    let settle = Settle {
        token: delivery.token,
        verdict: Verdict::Ack,
        returned: true,
        result: b"",
        error: b"",
    };
    let ticket = world.command(Command::Settle(settle));
    assert!(is_silent(&world));
    world.land();
    assert!(world.answer(ticket).unwrap().is_ok());
    assert_eq!(world.events_of(EventKind::Completed).len(), 1);
}

#[test]
fn a_crash_before_the_append_landed_forgets_what_was_never_told() {
    let (mut world, orders) = holding(QueueOptions::default());
    world.command(Command::Enqueue(message(orders, "x")));
    world.held = None;
    let mut world = world.reopen();
    assert_eq!(world.box_stats().messages, 0);
    assert_eq!(world.define("orders", QueueOptions::default()), orders);
}

#[test]
fn at_most_once_is_settled_on_the_disk_before_its_handler_starts() {
    let (mut world, orders) = holding(QueueOptions {
        guarantee: Some(Guarantee::AtMostOnce),
        ..QueueOptions::default()
    });
    world.worker(orders, 1);
    world.command(Command::Enqueue(message(orders, "x")));
    assert!(is_silent(&world));
    world.land();
    assert_eq!(body(&world.delivery()), "x");
    let mut world = world.reopen();
    world.worker(orders, 1);
    assert!(world.deliveries.is_empty(), "never delivered twice");
    assert_eq!(world.box_stats().messages, 0);
}

#[test]
fn a_duplicate_waits_for_its_original_to_be_durable() {
    let (mut world, orders) = holding(QueueOptions::default());
    let item = || Enqueue {
        id: Some("a"),
        ..message(orders, "x")
    };
    world.command(Command::Enqueue(item()));
    world.command(Command::Enqueue(item()));
    assert!(is_silent(&world));
    world.land();
    assert_eq!(
        world
            .receipts
            .iter()
            .map(|receipt| receipt.2)
            .collect::<Vec<_>>(),
        [false, true]
    );
    assert!(world.held.is_none(), "a duplicate writes nothing");
}

#[test]
fn what_is_shown_is_durable() {
    let (mut world, orders) = holding(QueueOptions::default());
    world.command(Command::Enqueue(Enqueue {
        id: Some("a"),
        ..message(orders, "x")
    }));
    let get = world
        .request(Request::Get {
            queue: orders,
            id: "a".into(),
        })
        .unwrap();
    let peek = world
        .request(Request::Peek {
            queue: orders,
            state: None,
            limit: 9,
        })
        .unwrap();
    assert!(is_silent(&world));
    world.land();
    for ticket in [get, peek] {
        assert!(world.answer(ticket).unwrap().is_ok());
        assert_eq!(world.bodies[&ticket][0].2.body(), b"x");
    }
}

#[test]
fn switches_and_withdrawals_wait_as_well() {
    let (mut world, orders) = holding(QueueOptions::default());
    let item = |id| Enqueue {
        id: Some(id),
        ..message(orders, "x")
    };
    world.command(Command::EnqueueMany(vec![item("a"), item("b")]));
    world.land();
    (world.events, world.receipts) = (Vec::new(), Vec::new());
    let requests = [
        Request::PauseQueue { queue: orders },
        Request::ResumeQueue { queue: orders },
        Request::Cancel {
            queue: orders,
            id: "a".into(),
        },
        Request::Purge { queue: orders },
        Request::Redrive {
            queue: orders,
            filter: DeadFilter::default(),
            to: None,
            per_second_milli: None,
            forget_steps: false,
        },
    ];
    for request in requests {
        let ticket = world.request(request.clone()).unwrap();
        assert!(is_silent(&world), "{request:?}");
        world.land();
        assert!(world.answer(ticket).unwrap().is_ok(), "{request:?}");
        (world.events, world.receipts) = (Vec::new(), Vec::new());
    }
}

#[test]
fn a_handlers_slot_is_free_before_its_settlement_is_durable() {
    let (mut world, orders) = holding(QueueOptions::default());
    world.worker(orders, 1);
    world.command(Command::Enqueue(message(orders, "a")));
    world.command(Command::Enqueue(message(orders, "b")));
    world.land();
    world.land();
    let first = world.delivery();
    let settle = |token| Settle {
        token,
        verdict: Verdict::Ack,
        returned: true,
        result: b"",
        error: b"",
    };
    world.command(Command::Settle(settle(first.token)));
    assert!(
        world.deliveries.is_empty(),
        "the next start is not durable yet"
    );
    world.land();
    assert_eq!(
        world.delivered(),
        ["b"],
        "settlement and next start shared a frame"
    );
}
