//! Closing a box and its workers. [S1]

use ackbox_core::command::*;
use ackbox_core::config::QueueOptions;
use ackbox_core::consumer::watch::HandlerLimits;
use ackbox_core::effect::{AbortReason, Answer};
use ackbox_core::error::ErrorCode;

use crate::support::{World, message};

fn value(world: &mut World, ticket: u64) -> Option<u64> {
    match world.answer(ticket) {
        None => None,
        Some(Ok(Answer::Value(value))) => Some(value),
        other => panic!("expected a value, got {other:?}"),
    }
}

#[test]
fn a_box_closes_when_its_handlers_are_done() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.worker(orders, 1);
    world.enqueue(orders, "a");
    world.enqueue(orders, "b");
    let delivery = world.delivery();
    let closing = world.request(Request::Close {}).unwrap();
    let again = world.request(Request::Close {}).unwrap();
    assert_eq!(
        (value(&mut world, closing), value(&mut world, again)),
        (None, None)
    );
    world.ack(delivery.token);
    assert!(world.deliveries.is_empty(), "it claims nothing more");
    assert_eq!(
        (value(&mut world, closing), value(&mut world, again)),
        (Some(0), Some(0))
    );
    assert_eq!(
        world.try_enqueue(message(orders, "x")).unwrap_err().code,
        ErrorCode::Closed
    );
    let late = world.request(Request::Close {}).unwrap();
    assert_eq!(value(&mut world, late), Some(0), "closing is idempotent");
    assert_eq!(world.reopen().report().interrupted, 0);
}

#[test]
fn manual_deliveries_are_taken_back_and_counted_with_those_that_a_host_gives_back() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    for text in ["a", "b", "c"] {
        world.enqueue(orders, text);
    }
    let manual = world.dequeue(orders, 2);
    world.worker(orders, 1);
    let handled = world.delivery();
    let closing = world.request(Request::Close {}).unwrap();
    let aborted: Vec<_> = world
        .aborts
        .iter()
        .map(|(token, reason)| (*token, *reason))
        .collect();
    assert_eq!(
        aborted,
        manual
            .iter()
            .map(|delivery| (delivery.token, AbortReason::Closed))
            .collect::<Vec<_>>()
    );
    assert_eq!(value(&mut world, closing), None);
    world.settle(handled.token, Verdict::Return).unwrap();
    assert_eq!(value(&mut world, closing), Some(3));
    let mut world = world.reopen();
    assert_eq!(world.report().interrupted, 0);
    let attempts: Vec<_> = world
        .peek(orders, None)
        .iter()
        .filter_map(|info| info.attempt)
        .collect();
    assert_eq!(attempts, [0, 0, 0], "without cost");
}

#[test]
fn closing_waits_for_what_is_on_its_way_to_the_disk() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.hold_appends = true;
    world.command(Command::Enqueue(message(orders, "a")));
    world.command(Command::Enqueue(message(orders, "b")));
    let closing = world.request(Request::Close {}).unwrap();
    world.land();
    assert_eq!(value(&mut world, closing), None);
    world.land();
    assert_eq!(value(&mut world, closing), Some(0));
    assert_eq!(world.receipts.len(), 2);
    assert_eq!(world.reopen().box_stats().messages, 2);
}

#[test]
fn a_waiting_dequeue_is_answered() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let waiting = world.command(Command::Dequeue {
        queue: orders,
        max: 1,
        lease_ms: None,
        wait_ms: 60_000,
    });
    let closing = world.request(Request::Close {}).unwrap();
    assert_eq!(value(&mut world, waiting), Some(0));
    assert_eq!(value(&mut world, closing), Some(0));
}

#[test]
fn a_box_closes_after_its_slices_are_done() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.command(Command::EnqueueMany(
        (0..9000).map(|_| message(orders, "x")).collect(),
    ));
    let now = ackbox_core::time::Timestamp(world.now);
    let ticket = world.next_ticket();
    world
        .engine
        .handle_request(now, ticket, Request::Purge { queue: orders })
        .unwrap();
    let closing = world.request(Request::Close {}).unwrap();
    assert_eq!(value(&mut world, closing), Some(0));
    assert_eq!(world.reopen().box_stats().messages, 0);
}

#[test]
fn a_worker_closes_when_its_handlers_are_done_and_the_box_goes_on() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let worker = world.worker(orders, 2);
    for text in ["a", "b", "c"] {
        world.enqueue(orders, text);
    }
    let (a, b) = (world.delivery(), world.delivery());
    let closing = world.request(Request::CloseWorker { worker }).unwrap();
    let again = world.request(Request::CloseWorker { worker }).unwrap();
    world.ack(a.token);
    assert_eq!(value(&mut world, closing), None);
    world.settle(b.token, Verdict::Return).unwrap();
    assert_eq!(
        (value(&mut world, closing), value(&mut world, again)),
        (Some(1), Some(1))
    );
    assert!(world.deliveries.is_empty());
    assert_eq!(world.value(Request::CloseWorker { worker }), 0, "closed");
    let never = WorkerId(worker.0 + 1);
    let refused = world
        .request(Request::CloseWorker { worker: never })
        .unwrap_err();
    assert_eq!(refused.code, ErrorCode::Closed);
    world.worker(orders, 2);
    assert_eq!(world.delivered(), ["b", "c"]);
}

#[test]
fn a_new_worker_is_refused_while_the_box_closes() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.worker(orders, 1);
    world.enqueue(orders, "x");
    world.request(Request::Close {}).unwrap();
    let refused = world
        .try_at_once(Request::OpenWorker {
            queue: orders,
            concurrency: 1,
            policies: Box::default(),
            limits: HandlerLimits::default(),
        })
        .unwrap_err();
    assert_eq!(refused.code, ErrorCode::Closed);
}

#[test]
fn what_is_being_shown_is_shown_before_the_box_is_closed() {
    let config = ackbox_core::config::Config {
        max_memory_bytes: 0,
        ..Default::default()
    };
    let mut world = World::with_config(config);
    let orders = world.define("orders", QueueOptions::default());
    world.enqueue(orders, "cold");
    world.hold_reads = true;
    let peek = world
        .request(Request::Peek {
            queue: orders,
            state: None,
            limit: 1,
        })
        .unwrap();
    let closing = world.request(Request::Close {}).unwrap();
    assert_eq!(value(&mut world, closing), None, "a read is under way");
    world.answer_reads();
    assert!(world.answer(peek).unwrap().is_ok());
    assert_eq!(value(&mut world, closing), Some(0));
}
