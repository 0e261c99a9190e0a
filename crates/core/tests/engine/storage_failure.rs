//! A storage that fails: finally, or cleanly for want of room. [S12, A8 clean]

use ackbox_core::command::*;
use ackbox_core::config::{Guarantee, QueueOptions};
use ackbox_core::consumer::watch::HandlerLimits;
use ackbox_core::effect::{EventKind, Notice};
use ackbox_core::error::ErrorCode;

use crate::support::{World, message};

fn holding(options: QueueOptions) -> (World, QueueId) {
    let mut world = World::new();
    let orders = world.define("orders", options);
    world.listen(orders);
    world.hold_appends = true;
    (world, orders)
}

fn code_of(world: &mut World, ticket: u64) -> ErrorCode {
    world
        .answer(ticket)
        .expect("it is answered")
        .expect_err("it is refused")
        .code
}

fn failures(world: &World) -> usize {
    world
        .notices
        .iter()
        .filter(|notice| matches!(notice, Notice::Failed { .. }))
        .count()
}

#[test]
fn a_failed_append_is_final_for_everything_that_waits() {
    let (mut world, orders) = holding(QueueOptions::default());
    let worker = world.worker(orders, 1);
    let first = world.command(Command::Enqueue(Enqueue {
        id: Some("a"),
        ..message(orders, "a")
    }));
    let second = world.command(Command::Enqueue(message(orders, "b")));
    let batch = world.command(Command::EnqueueMany(vec![
        Enqueue {
            id: Some("c"),
            ..message(orders, "c")
        },
        message(orders, "d"),
        Enqueue {
            id: Some("e"),
            ..message(orders, "e")
        },
    ]));
    let last = world.command(Command::Enqueue(Enqueue {
        id: Some("f"),
        ..message(orders, "f")
    }));
    let peek = world
        .request(Request::Peek {
            queue: orders,
            state: None,
            limit: 1,
        })
        .unwrap();
    let waiting = world.command(Command::Dequeue {
        queue: orders,
        max: 1,
        lease_ms: None,
        wait_ms: 99,
    });
    let closing_worker = world.request(Request::CloseWorker { worker }).unwrap();
    let redrive = world
        .request(Request::Redrive {
            queue: orders,
            filter: DeadFilter::default(),
            to: None,
            per_second_milli: None,
            forget_steps: false,
        })
        .unwrap();
    let closing = world.request(Request::Close {}).unwrap();
    world.fail_append(false);
    assert_eq!(failures(&world), 1);
    let refused = world.answer(first).unwrap().unwrap_err();
    assert_eq!(
        (refused.code, refused.id.as_deref()),
        (ErrorCode::StorageFailed, Some("a"))
    );
    let refused = world.answer(second).unwrap().unwrap_err();
    assert!(
        refused.id.is_some(),
        "with its generated id it can be enqueued again safely"
    );
    assert!(refused.ids.is_empty());
    let refused = world.answer(batch).unwrap().unwrap_err();
    assert_eq!(refused.code, ErrorCode::StorageFailed);
    assert_eq!(refused.id.as_deref(), Some("c"));
    assert_eq!(refused.ids.len(), 3, "one id for each item, in their order");
    assert_eq!(
        (&refused.ids[0][..], &refused.ids[2][..]),
        ("c", "e"),
        "the second has a generated one"
    );
    let refused = world.answer(last).unwrap().unwrap_err();
    assert_eq!((refused.id.as_deref(), refused.ids.len()), (Some("f"), 0));
    for ticket in [peek, closing_worker, redrive, closing] {
        assert_eq!(code_of(&mut world, ticket), ErrorCode::StorageFailed);
    }
    let _ = world.answer(waiting).expect("it is answered");
    assert_eq!(world.stats(orders).enqueued, 0, "nothing was accepted");
    assert!(world.receipts.is_empty() && world.deliveries.is_empty() && world.events.is_empty());

    assert_eq!(
        world.try_enqueue(message(orders, "x")).unwrap_err().code,
        ErrorCode::StorageFailed
    );
    assert!(
        world
            .try_at_once(Request::OpenWorker {
                queue: orders,
                concurrency: 1,
                policies: Box::default(),
                limits: HandlerLimits::default(),
            })
            .is_err()
    );
    let closing = world.request(Request::Close {}).unwrap();
    assert!(world.answer(closing).unwrap().is_ok());
    let closing_worker = world.request(Request::CloseWorker { worker }).unwrap();
    assert!(
        world.answer(closing_worker).is_some(),
        "closing never hangs"
    );
    assert_eq!(world.engine.poll_timeout(), None);
}

#[test]
fn what_had_been_durable_is_there_after_reopening() {
    let (mut world, orders) = holding(QueueOptions::default());
    world.command(Command::Enqueue(message(orders, "durable")));
    world.land();
    world.command(Command::Enqueue(message(orders, "lost")));
    world.fail_append(false);
    let mut world = world.reopen();
    world.worker(orders, 9);
    assert_eq!(world.delivered(), ["durable"]);
}

#[test]
fn what_is_refused_by_a_failed_append_is_not_counted() {
    let (mut world, orders) = holding(QueueOptions::default());
    let others = world.define("others", QueueOptions::default());
    world.command(Command::Enqueue(message(orders, "accepted")));
    while world.held.is_some() {
        world.land();
    }
    world.command(Command::Enqueue(message(orders, "in flight")));
    world.command(Command::Enqueue(message(orders, "staged")));
    world.command(Command::Enqueue(message(others, "staged")));
    world.fail_append(false);
    assert_eq!(world.stats(orders).enqueued, 1);
    assert_eq!(world.stats(others).enqueued, 0);
}

#[test]
fn completions_that_arrive_after_the_failure_change_nothing() {
    let config = ackbox_core::config::Config {
        max_memory_bytes: 0,
        ..Default::default()
    };
    let mut world = World::with_config(config);
    let orders = world.define("orders", QueueOptions::default());
    world.enqueue(orders, "cold");
    (world.hold_reads, world.hold_appends) = (true, true);
    world.worker(orders, 1);
    world
        .request(Request::Peek {
            queue: orders,
            state: None,
            limit: 1,
        })
        .unwrap();
    let (read, ..) = world.held_reads.pop_front().expect("a read is under way");
    assert!(world.held.is_some(), "and an append");
    world.complete(Completion::ReadFailed { read });
    assert_eq!(failures(&world), 1);
    world.answer_reads();
    world.land();
    world.complete(Completion::Truncated);
    world.complete(Completion::MaintenanceFailed);
    assert_eq!(failures(&world), 1, "it fails once");
    assert!(world.deliveries.is_empty());
}

#[test]
fn a_storage_that_cannot_be_read_refuses_the_opening() {
    let mut world = World::new();
    world.define("orders", QueueOptions::default());
    let disk = world.crash();
    let now = ackbox_core::time::Timestamp(crate::support::T0);
    let mut engine =
        ackbox_core::engine::Engine::new(Default::default(), crate::support::entropy(), now)
            .unwrap();
    let segments = disk
        .iter()
        .map(|(segment, bytes)| SegmentInfo {
            segment: *segment,
            bytes: bytes.len() as u64,
        })
        .collect();
    engine
        .handle_request(now, Ticket(7), Request::Open { segments })
        .unwrap();
    let Some(ackbox_core::effect::Effect::Read { read, .. }) = engine.poll_effect() else {
        panic!("it reads")
    };
    engine.handle_completion(now, Completion::ReadFailed { read });
    let mut effects = std::iter::from_fn(|| engine.poll_effect());
    let answered = effects.any(|effect| {
        matches!(effect, ackbox_core::effect::Effect::Reply { ticket: Ticket(7), result: Err(failure) }
            if failure.code == ErrorCode::StorageFailed)
    });
    assert!(answered, "opening never hangs");
}

#[test]
fn a_clean_failure_refuses_what_it_would_have_accepted_and_the_box_lives() {
    let (mut world, orders) = holding(QueueOptions::default());
    let refused = world.command(Command::Enqueue(Enqueue {
        id: Some("a"),
        ..message(orders, "a")
    }));
    let later = world.command(Command::Enqueue(Enqueue {
        id: Some("b"),
        ..message(orders, "b")
    }));
    world.fail_append(true);
    let failure = world.answer(refused).unwrap().unwrap_err();
    assert_eq!(
        (failure.code, failure.id.as_deref()),
        (ErrorCode::StorageFull, Some("a"))
    );
    world.land();
    assert_eq!(
        world
            .receipts
            .iter()
            .map(|receipt| receipt.0)
            .collect::<Vec<_>>(),
        [later]
    );
    assert_eq!(failures(&world), 0);
    world.hold_appends = false;
    assert!(
        !world.enqueue_id(orders, "a", "another body").0,
        "its id is free"
    );
    assert_eq!(world.events_of(EventKind::Enqueued).len(), 2);
    world.audit();
    assert_eq!(world.stats(orders).enqueued, 2);
    assert_eq!(world.reopen().box_stats().messages, 2);
}

#[test]
fn a_box_on_a_full_disk_opens_refuses_and_lives() {
    let mut world = World::new();
    world.hold_appends = true;
    let orders = world.define("orders", QueueOptions::default());
    for _ in 0..3 {
        let ticket = world.command(Command::Enqueue(message(orders, "x")));
        while world.held.is_some() {
            world.fail_append(true);
        }
        let failure = world.answer(ticket).unwrap().unwrap_err();
        assert_eq!((failure.code, failure.id), (ErrorCode::StorageFull, None));
        assert_eq!(failures(&world), 0);
    }
    world.hold_appends = false;
    world.enqueue(orders, "fits");
    let mut world = world.reopen();
    assert_eq!(world.define("orders", QueueOptions::default()), orders);
    assert_eq!(world.box_stats().messages, 1);
}

#[test]
fn a_box_that_found_no_room_can_be_closed() {
    let mut world = World::new();
    world.hold_appends = true;
    let orders = world.define("orders", QueueOptions::default());
    world.command(Command::Enqueue(message(orders, "x")));
    while world.held.is_some() {
        world.fail_append(true);
    }
    let closing = world.request(Request::Close {}).unwrap();
    assert!(world.answer(closing).unwrap().is_ok());
}

#[test]
fn settlements_in_the_frame_that_failed_are_tried_again() {
    let (mut world, orders) = holding(QueueOptions::default());
    world.worker(orders, 1);
    world.command(Command::Enqueue(Enqueue {
        id: Some("a"),
        ..message(orders, "a")
    }));
    world.land();
    let delivery = world.delivery();
    world.command(Command::Enqueue(message(orders, "in flight")));
    let settle = Settle {
        token: delivery.token,
        verdict: Verdict::Ack,
        returned: true,
        result: b"r",
        error: b"",
    };
    let settled = world.command(Command::Settle(settle));
    let enqueued = world.command(Command::Enqueue(message(orders, "beside it")));
    world.land();
    world.fail_append(true);
    assert_eq!(code_of(&mut world, enqueued), ErrorCode::StorageFull);
    assert!(world.answer(settled).is_none());
    while world.held.is_some() {
        world.land();
    }
    assert!(world.answer(settled).unwrap().is_ok());
    assert_eq!(world.delivered(), ["in flight"]);
    world.hold_appends = false;
    assert_eq!(world.state(orders, "a"), Some(MessageState::Completed));
    let mut world = world.reopen();
    assert_eq!(world.state(orders, "a"), Some(MessageState::Completed));
    assert_eq!(world.box_stats().messages, 1);
}

#[test]
fn no_room_even_for_a_settlement_is_final() {
    let (mut world, orders) = holding(QueueOptions::default());
    world.worker(orders, 1);
    world.command(Command::Enqueue(message(orders, "a")));
    world.land();
    let delivery = world.delivery();
    let settle = Settle {
        token: delivery.token,
        verdict: Verdict::Ack,
        returned: true,
        result: b"",
        error: b"",
    };
    let settled = world.command(Command::Settle(settle));
    world.fail_append(true);
    assert_eq!(code_of(&mut world, settled), ErrorCode::StorageFailed);
    assert_eq!(failures(&world), 1);
}

#[test]
fn a_claim_of_a_refused_message_is_forgotten() {
    for guarantee in [Guarantee::AtLeastOnce, Guarantee::AtMostOnce] {
        let (mut world, orders) = holding(QueueOptions {
            guarantee: Some(guarantee),
            ..QueueOptions::default()
        });
        world.worker(orders, 1);
        let item = |id| Enqueue {
            id: Some(id),
            group: Some("g"),
            ..message(orders, "x")
        };
        let refused = world.command(Command::Enqueue(item("a")));
        world.fail_append(true);
        while world.held.is_some() {
            world.land();
        }
        assert_eq!(code_of(&mut world, refused), ErrorCode::StorageFull);
        assert!(
            world.deliveries.is_empty(),
            "{guarantee:?}: what was refused is not delivered"
        );
        assert_eq!(
            (world.stats(orders).leased, world.box_stats().running),
            (0, 0)
        );
        world.hold_appends = false;
        assert!(
            !world.enqueue_id(orders, "a", "another").0,
            "{guarantee:?}: its id is free"
        );
        assert_eq!(
            world.delivered(),
            ["another"],
            "{guarantee:?}: worker and group are free"
        );
        world.audit();
    }
}

#[test]
fn a_waiting_dequeue_goes_on_waiting_when_its_message_is_refused() {
    let (mut world, orders) = holding(QueueOptions::default());
    let waiting = world.command(Command::Dequeue {
        queue: orders,
        max: 1,
        lease_ms: None,
        wait_ms: 1000,
    });
    world.command(Command::Enqueue(message(orders, "x")));
    world.fail_append(true);
    assert!(world.answer(waiting).is_none());
    world.hold_appends = false;
    world.enqueue(orders, "y");
    assert_eq!(world.delivered(), ["y"]);
    assert!(world.answer(waiting).is_some());
}

#[test]
fn duplicates_and_batches_go_with_what_they_depend_on() {
    let (mut world, orders) = holding(QueueOptions::default());
    world.command(Command::Enqueue(Enqueue {
        id: Some("kept"),
        ..message(orders, "x")
    }));
    world.land();
    world.receipts.clear();
    let item = |id: &'static str| Enqueue {
        id: Some(id),
        ..message(orders, "x")
    };
    let original = world.command(Command::Enqueue(item("a")));
    let duplicate = world.command(Command::Enqueue(item("a")));
    let mixed = world.command(Command::EnqueueMany(vec![
        item("kept"),
        item("b"),
        item("a"),
        item("c"),
    ]));
    let of_mixed = world.command(Command::Enqueue(item("b")));
    let apart = world.command(Command::Enqueue(item("d")));
    world.fail_append(true);
    for ticket in [original, duplicate, mixed, of_mixed] {
        assert_eq!(code_of(&mut world, ticket), ErrorCode::StorageFull);
    }
    while world.held.is_some() {
        world.land();
    }
    assert_eq!(
        world
            .receipts
            .iter()
            .map(|receipt| receipt.0)
            .collect::<Vec<_>>(),
        [apart]
    );
    world.hold_appends = false;
    assert_eq!(world.box_stats().messages, 2);
    for id in ["a", "b", "c"] {
        assert_eq!(world.state(orders, id), None);
    }
    world.audit();
}

#[test]
fn withdrawals_of_refused_messages_leave_no_trace() {
    let (mut world, orders) = holding(QueueOptions::default());
    let item = |id: &'static str| Enqueue {
        id: Some(id),
        ttl_ms: Some(5),
        ..message(orders, "x")
    };
    for id in ["cancelled", "purged"] {
        world.command(Command::Enqueue(item(id)));
    }
    world
        .request(Request::Cancel {
            queue: orders,
            id: "cancelled".into(),
        })
        .unwrap();
    world.request(Request::Purge { queue: orders }).unwrap();
    world.fail_append(true);
    while world.held.is_some() {
        world.land();
    }
    world.hold_appends = false;
    assert_eq!((world.box_stats().messages, failures(&world)), (0, 0));
    world.audit();
    assert!(!world.enqueue_id(orders, "cancelled", "y").0);
}

#[test]
fn a_clean_failure_of_a_segments_first_frame_is_undone_whole() {
    let config = ackbox_core::config::Config {
        segment_bytes: 4096,
        ..Default::default()
    };
    let mut world = World::with_config(config);
    let orders = world.define("orders", QueueOptions::default());
    let text = "x".repeat(1500);
    for _ in 0..2 {
        world.enqueue(orders, &text);
    }
    world.hold_appends = true;
    for _ in 0..3 {
        let ticket = world.command(Command::Enqueue(message(orders, &text)));
        assert_eq!(world.held.as_ref().unwrap().0, 2, "it begins a segment");
        world.fail_append(true);
        assert_eq!(code_of(&mut world, ticket), ErrorCode::StorageFull);
    }
    world.hold_appends = false;
    world.enqueue(orders, &text);
    world.audit();
    assert_eq!(world.reopen().box_stats().messages, 3);
}

#[test]
fn who_gives_up_waiting_after_the_end_is_not_answered_again() {
    let mut world = World::new();
    let queue = world.define("orders", QueueOptions::default());
    let waiting = world.command(Command::Dequeue {
        queue,
        max: 1,
        lease_ms: None,
        wait_ms: 1000,
    });
    world.hold_appends = true;
    world.command(Command::Enqueue(message(queue, "never")));
    world.fail_append(false);
    assert!(matches!(world.replies.get(&waiting), Some(Err(_))));
    // Said in the same turn as the failure; the world refuses a second answer.
    world.unanswered_as(Ticket(waiting), Command::StopWaiting);
}
