//! Limits and their errors. [S25]

use ackbox_core::command::*;
use ackbox_core::config::QueueOptions;
use ackbox_core::consumer::watch::HandlerLimits;
use ackbox_core::effect::Delivery;
use ackbox_core::error::ErrorCode;
use ackbox_core::time::Timestamp;

use crate::support::{World, message};

fn refusal(world: &mut World, enqueue: Enqueue<'_>) -> ErrorCode {
    world.try_enqueue(enqueue).unwrap_err().code
}

#[test]
fn depth_counts_unfinished_and_dead_messages() {
    let mut world = World::new();
    let options = QueueOptions {
        max_depth: Some(2),
        max_attempts: Some(1),
        ..QueueOptions::default()
    };
    let orders = world.define("orders", options);
    world.worker(orders, 1);
    world.enqueue(orders, "dies");
    let delivery = world.delivery();
    world.reject(delivery.token);
    world.enqueue(orders, "waits");
    assert_eq!(
        refusal(&mut world, message(orders, "x")),
        ErrorCode::QueueFull
    );
    let mut world = world.reopen();
    assert_eq!(
        refusal(&mut world, message(orders, "x")),
        ErrorCode::QueueFull
    );
    world.value(Request::RemoveDead {
        queue: orders,
        filter: DeadFilter::default(),
    });
    world.enqueue(orders, "fits");
}

#[test]
fn bytes_count_ids_headers_and_bodies() {
    let mut world = World::new();
    let orders = world.define(
        "orders",
        QueueOptions {
            max_bytes: Some(20),
            ..QueueOptions::default()
        },
    );
    let item = |body| Enqueue {
        id: Some("12345"),
        headers: b"12345",
        ..message(orders, body)
    };
    assert_eq!(
        refusal(&mut world, item("12345678901")),
        ErrorCode::QueueFull
    );
    world.try_enqueue(item("1234567890")).unwrap();
    assert_eq!(world.stats(orders).bytes, 20);
    assert_eq!(
        refusal(&mut world, message(orders, "1")),
        ErrorCode::QueueFull
    );
    let mut world = world.reopen();
    assert_eq!(world.stats(orders).bytes, 20);
    world.value(Request::Purge { queue: orders });
    assert_eq!(world.stats(orders).bytes, 0);
}

#[test]
fn room_that_a_purge_made_is_there_at_once() {
    let mut world = World::new();
    let options = QueueOptions {
        max_depth: Some(5000),
        max_bytes: Some(50_000),
        ..QueueOptions::default()
    };
    let orders = world.define("orders", options);
    let items = (0..5000).map(|_| message(orders, "0123456789")).collect();
    world.command(Command::EnqueueMany(items));
    let ticket = world.next_ticket();
    let now = Timestamp(world.now);
    world
        .engine
        .handle_request(now, ticket, Request::Purge { queue: orders })
        .unwrap();
    // Before the purge is carried out:
    world.enqueue(orders, "0123456789");
    assert_eq!(world.box_stats().messages, 1);
    assert_eq!(world.stats(orders).bytes, 10);
    world.audit();
}

#[test]
fn bodies_ids_and_names_have_limits() {
    let mut world = World::new();
    let orders = world.define(
        "orders",
        QueueOptions {
            max_body_bytes: Some(4),
            ..QueueOptions::default()
        },
    );
    let long = "x".repeat(257);
    assert_eq!(
        refusal(&mut world, message(orders, "12345")),
        ErrorCode::BodyTooLarge
    );
    for enqueue in [
        Enqueue {
            id: Some(""),
            ..message(orders, "x")
        },
        Enqueue {
            id: Some(&long),
            ..message(orders, "x")
        },
        Enqueue {
            group: Some(&long),
            ..message(orders, "x")
        },
        Enqueue {
            destination: Some(&long),
            ..message(orders, "x")
        },
        Enqueue {
            max_attempts: Some(0),
            ..message(orders, "x")
        },
        message(QueueId(9), "x"),
    ] {
        assert_eq!(refusal(&mut world, enqueue), ErrorCode::InvalidOption);
    }
    assert_eq!(world.box_stats().messages, 0);
    assert!(
        world.disk.values().all(|bytes| bytes.is_empty()) || world.appends <= 1,
        "nothing but the definition"
    );
    world
        .try_enqueue(Enqueue {
            id: Some(&long[1..]),
            ..message(orders, "1234")
        })
        .unwrap();
}

#[test]
fn one_unit_has_at_most_ten_thousand_items_and_eight_megabytes() {
    let mut world = World::new();
    let orders = world.define(
        "orders",
        QueueOptions {
            max_body_bytes: Some(8 << 20),
            ..QueueOptions::default()
        },
    );
    let many =
        |count: usize| Command::EnqueueMany((0..count).map(|_| message(orders, "x")).collect());
    let ticket = world.command(many(10_001));
    assert_eq!(
        world.answer(ticket).unwrap().unwrap_err().code,
        ErrorCode::BodyTooLarge
    );
    let half = "x".repeat(4 << 20);
    let ticket = world.command(Command::EnqueueMany(vec![
        message(orders, &half),
        message(orders, &half),
        message(orders, "x"),
    ]));
    assert_eq!(
        world.answer(ticket).unwrap().unwrap_err().code,
        ErrorCode::BodyTooLarge
    );
    assert_eq!(world.box_stats().messages, 0);
    world.command(Command::EnqueueMany(vec![
        message(orders, &half),
        message(orders, &half),
    ]));
    world.command(many(10_000));
    assert_eq!(world.box_stats().messages, 10_002);
    world.audit();
}

#[test]
fn what_waits_for_the_storage_is_limited() {
    let mut world = World::new();
    let orders = world.define(
        "orders",
        QueueOptions {
            max_body_bytes: Some(8 << 20),
            ..QueueOptions::default()
        },
    );
    world.hold_appends = true;
    let body = "x".repeat(4 << 20);
    let refused = (0..40).find_map(|_| {
        let ticket = world.command(Command::Enqueue(message(orders, &body)));
        world.answer(ticket)
    });
    assert_eq!(
        refused.expect("it is refused at last").unwrap_err().code,
        ErrorCode::QueueFull
    );
    assert!(world.receipts.is_empty());
    while world.held.is_some() {
        world.land();
    }
    assert_eq!(world.receipts.len() as u64, world.box_stats().messages);
}

#[test]
fn options_out_of_range_are_refused_by_name() {
    let mut world = World::new();
    let cases: [(&str, QueueOptions); 4] = [
        (
            "maxAttempts",
            QueueOptions {
                max_attempts: Some(0),
                ..QueueOptions::default()
            },
        ),
        (
            "leaseMs",
            QueueOptions {
                lease_ms: Some(0),
                ..QueueOptions::default()
            },
        ),
        (
            "maxDepth",
            QueueOptions {
                max_depth: Some(0),
                ..QueueOptions::default()
            },
        ),
        (
            "maxBodyBytes",
            QueueOptions {
                max_body_bytes: Some(u32::MAX),
                ..QueueOptions::default()
            },
        ),
    ];
    for (name, options) in cases {
        let refused = world
            .try_at_once(Request::DefineQueue {
                name: "orders".into(),
                options,
            })
            .unwrap_err();
        assert_eq!(refused.code, ErrorCode::InvalidOption);
        assert!(refused.message.contains(name), "{}", refused.message);
    }
    for name in ["", &"q".repeat(257)] {
        let request = Request::DefineQueue {
            name: name.to_owned(),
            options: QueueOptions::default(),
        };
        assert_eq!(
            world.try_at_once(request).unwrap_err().code,
            ErrorCode::InvalidOption
        );
    }
    assert_eq!(world.appends, 0, "a refusal writes nothing");
}

/// A world with a claimed message whose storage hangs and has been given as much as may wait.
fn full_stage() -> (World, QueueId, Delivery) {
    let mut world = World::new();
    let orders = world.define(
        "orders",
        QueueOptions {
            max_body_bytes: Some(8 << 20),
            ..QueueOptions::default()
        },
    );
    world.enqueue(orders, "x");
    let claimed = world.dequeue(orders, 1).remove(0);
    world.hold_appends = true;
    let body = "x".repeat(4 << 20);
    for _ in 0..40 {
        world.command(Command::Enqueue(message(orders, &body)));
    }
    (world, orders, claimed)
}

fn land_all(world: &mut World) {
    while world.held.is_some() {
        world.land();
    }
}

#[test]
fn requests_that_write_are_refused_while_too_much_waits_for_the_storage() {
    let (mut world, orders, _) = full_stage();
    let id = || "x".to_owned();
    let filter = DeadFilter::default;
    let requests = [
        Request::DefineQueue {
            name: "more".into(),
            options: QueueOptions::default(),
        },
        Request::PauseQueue { queue: orders },
        Request::ResumeQueue { queue: orders },
        Request::Cancel {
            queue: orders,
            id: id(),
        },
        Request::RetryNow {
            queue: orders,
            id: id(),
        },
        Request::Purge { queue: orders },
        Request::Forget {
            queue: orders,
            id: id(),
        },
        Request::DeadCount {
            queue: orders,
            filter: filter(),
        },
        Request::Redrive {
            queue: orders,
            filter: filter(),
            to: None,
            per_second_milli: None,
            forget_steps: false,
        },
        Request::RemoveDead {
            queue: orders,
            filter: filter(),
        },
    ];
    for request in &requests {
        let refused = world.request(request.clone()).expect_err("it is refused");
        assert_eq!(refused.code, ErrorCode::QueueFull, "{request:?}");
    }
    land_all(&mut world);
    for request in requests.into_iter().skip(1) {
        let ticket = world.request(request.clone()).expect("there is room again");
        land_all(&mut world);
        assert!(world.answer(ticket).expect("an answer").is_ok());
    }
}

#[test]
fn a_settlement_that_finds_no_room_changes_nothing() {
    let (mut world, orders, claimed) = full_stage();
    let settle = || Settle {
        token: claimed.token,
        verdict: Verdict::Ack,
        returned: true,
        result: b"",
        error: b"",
    };
    let ticket = world.command(Command::Settle(settle()));
    let refused = world.answer(ticket).expect("at once").unwrap_err();
    assert_eq!(refused.code, ErrorCode::QueueFull);
    assert_eq!(world.stats(orders).leased, 1, "the lease holds");
    land_all(&mut world);
    let ticket = world.command(Command::Settle(settle()));
    land_all(&mut world);
    assert!(world.answer(ticket).expect("an answer").is_ok());
    assert_eq!(world.stats(orders).acked, 1);
}

#[test]
fn what_a_handler_returned_is_always_taken() {
    let (mut world, orders, claimed) = full_stage();
    let settle = Settle {
        token: claimed.token,
        verdict: Verdict::Ack,
        returned: true,
        result: b"",
        error: b"",
    };
    let now = Timestamp(world.now);
    world
        .engine
        .handle_command(now, Ticket(0), Command::Settle(settle));
    world.run();
    assert_eq!(world.stats(orders).acked, 1);
    land_all(&mut world);
    let mut world = world.reopen();
    assert_eq!(world.stats(orders).leased + world.report().interrupted, 0);
}

#[test]
fn what_a_step_gave_is_always_taken() {
    let (mut world, _, claimed) = full_stage();
    let step = RecordStep {
        token: claimed.token,
        name: "charge",
        result: Some(b"7"),
    };
    let ticket = world.command(Command::RecordStep(step));
    assert!(world.answer(ticket).is_none(), "told before it is durable");
    land_all(&mut world);
    assert!(world.answer(ticket).expect("an answer").is_ok());
    let charge = world.recall(claimed.token, "charge");
    assert_eq!(charge, Ok(Some(Some("7".into()))));
}

#[test]
fn time_waits_while_too_much_waits_for_the_storage() {
    let (mut world, orders, _) = full_stage();
    // The lease of the claimed message ends meanwhile.
    world.advance(60_000);
    assert_eq!(world.stats(orders).leases_lost, 0);
    land_all(&mut world);
    world.advance(0);
    assert_eq!(world.stats(orders).leases_lost, 1);
}

#[test]
fn answers_that_wait_for_the_storage_are_limited() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.hold_appends = true;
    world.command(Command::Enqueue(message(orders, "x")));
    let now = Timestamp(world.now);
    let mut count = || {
        let request = Request::DeadCount {
            queue: orders,
            filter: DeadFilter::default(),
        };
        let ticket = world.next_ticket();
        world.engine.handle_request(now, ticket, request)
    };
    let refused = (0..1_100_000).find_map(|_| count().err());
    assert_eq!(
        refused.expect("it is refused at last").code,
        ErrorCode::QueueFull
    );
    world.land();
    let request = Request::DeadCount {
        queue: orders,
        filter: DeadFilter::default(),
    };
    assert_eq!(world.value(request), 0, "there is room again");
}

#[test]
fn messages_that_are_shown_at_once_are_limited() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let many = (0..1000).map(|_| message(orders, "x")).collect();
    world.command(Command::EnqueueMany(many));
    world.hold_appends = true;
    let waits = world.command(Command::Enqueue(message(orders, "not durable yet")));
    let peek = Request::Peek {
        queue: orders,
        state: None,
        limit: 1000,
    };
    let mut tickets = Vec::new();
    let refused = (0..200).find_map(|_| match world.request(peek.clone()) {
        Ok(ticket) => {
            tickets.push(ticket);
            None
        }
        Err(refused) => Some(refused),
    });
    let refused = refused.expect("it is refused at last");
    assert_eq!((refused.code, tickets.len()), (ErrorCode::QueueFull, 100));
    let get = Request::Get {
        queue: orders,
        id: "x".into(),
    };
    assert_eq!(
        world.request(get.clone()).unwrap_err().code,
        ErrorCode::QueueFull
    );
    let ticket = world.command(Command::Finished {
        queue: orders,
        id: "x",
    });
    let refused = world.answer(ticket).expect("at once").unwrap_err();
    assert_eq!(refused.code, ErrorCode::QueueFull);
    world.land();
    assert!(world.answer(waits).is_none(), "it got a receipt");
    for ticket in tickets {
        assert!(world.answer(ticket).expect("shown").is_ok());
    }
    let ticket = world.request(get).expect("there is room again");
    assert!(world.answer(ticket).expect("shown").is_ok());
}

#[test]
fn workers_and_their_handlers_are_limited() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let open = |world: &mut World, concurrency| {
        world.try_at_once(Request::OpenWorker {
            queue: orders,
            concurrency,
            policies: Box::default(),
            limits: HandlerLimits::default(),
        })
    };
    for concurrency in [0, 100_001] {
        let refused = open(&mut world, concurrency).unwrap_err();
        assert_eq!(refused.code, ErrorCode::InvalidOption);
        assert!(refused.message.contains(&concurrency.to_string()));
    }
    let first = world.worker(orders, 100_000);
    for _ in 1..10_000 {
        world.worker(orders, 1);
    }
    assert_eq!(open(&mut world, 1).unwrap_err().code, ErrorCode::QueueFull);
    world.value(Request::CloseWorker { worker: first });
    open(&mut world, 1).expect("there is room again");
}

fn dequeue(world: &mut World, queue: QueueId, max: u32) -> u64 {
    world.command(Command::Dequeue {
        queue,
        max,
        lease_ms: None,
        wait_ms: 1000,
    })
}

#[test]
fn dequeues_that_wait_are_limited() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    for max in [0, 100_001] {
        let ticket = dequeue(&mut world, orders, max);
        let refused = world.answer(ticket).expect("at once").unwrap_err();
        assert_eq!(refused.code, ErrorCode::InvalidOption);
        assert!(refused.message.contains(&max.to_string()));
    }
    for _ in 0..100_000 {
        dequeue(&mut world, orders, 1);
    }
    assert!(world.replies.is_empty(), "all of them wait");
    let ticket = dequeue(&mut world, orders, 1);
    let refused = world.answer(ticket).expect("at once").unwrap_err();
    assert_eq!(refused.code, ErrorCode::QueueFull);
    world.advance(1000);
    assert_eq!(world.replies.len(), 100_000);
    world.enqueue(orders, "x");
    dequeue(&mut world, orders, 1);
    assert_eq!(world.delivered(), ["x"], "there is room again");
}

#[test]
fn deliveries_that_are_not_over_are_limited() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let mails = world.define("mails", QueueOptions::default());
    for _ in 0..10 {
        let items = (0..10_000).map(|_| message(orders, "x")).collect();
        world.command(Command::EnqueueMany(items));
    }
    let claimed = world.dequeue(orders, 100_000);
    assert_eq!(claimed.len(), 100_000);
    let ticket = dequeue(&mut world, orders, 1);
    let refused = world.answer(ticket).expect("at once").unwrap_err();
    assert_eq!(refused.code, ErrorCode::QueueFull);
    // Workers just wait, each queue for its turn.
    for queue in [mails, orders] {
        world.worker(queue, 10);
        world.enqueue(queue, "y");
        world.enqueue(queue, "y");
    }
    assert!(world.deliveries.is_empty());
    let turns: Vec<u32> = claimed[..4]
        .iter()
        .map(|delivery| {
            world.ack(delivery.token);
            world.delivery().queue.0
        })
        .collect();
    assert_eq!(turns, [mails.0, orders.0, mails.0, orders.0]);
}

#[test]
fn nothing_is_claimed_while_too_much_waits_for_the_storage() {
    let (mut world, orders, _) = full_stage();
    world.worker(orders, 5);
    assert_eq!(world.stats(orders).leased, 1, "that of the dequeue");
    land_all(&mut world);
    assert_eq!(world.stats(orders).leased, 6);
    assert_eq!(world.deliveries.len(), 5);
}
