//! Handlers that were told to stop and run on: nobody waits for them, but their messages do. [S3]

use ackbox_core::command::*;
use ackbox_core::config::{Guarantee, QueueOptions};
use ackbox_core::effect::{Answer, Delivery, EventKind};

use crate::support::{World, body, message};

const LEASE_MS: u64 = 5000;

fn options(guarantee: Guarantee) -> QueueOptions {
    QueueOptions {
        guarantee: Some(guarantee),
        lease_ms: Some(LEASE_MS),
        ..QueueOptions::default()
    }
}

/// A box with one message, whose handler runs and is abandoned by its closing worker.
fn abandoned() -> (World, QueueId, Delivery, u64) {
    let mut world = World::new();
    let orders = world.define("orders", options(Guarantee::AtLeastOnce));
    let worker = world.worker(orders, 1);
    world.enqueue_id(orders, "a", "x");
    let first = world.delivery();
    let closing = world.request(Request::CloseWorker { worker }).unwrap();
    assert!(world.answer(closing).is_none(), "its handler runs");
    world.command(Command::Abandoned { token: first.token });
    (world, orders, first, closing)
}

fn answered(world: &mut World, ticket: u64) -> Option<u64> {
    match world.answer(ticket)? {
        Ok(Answer::Value(value)) => Some(value),
        other => panic!("expected a value, got {other:?}"),
    }
}

#[test]
fn a_worker_closes_without_them_and_their_messages_wait_for_them() {
    let (mut world, orders, first, closing) = abandoned();
    assert_eq!(answered(&mut world, closing), Some(1), "one was returned");
    world.worker(orders, 1);
    world.advance(LEASE_MS - 1);
    assert!(world.deliveries.is_empty() && world.dequeue(orders, 1).is_empty());
    world.command(Command::Returned { token: first.token });
    let again = world.delivery();
    assert_eq!((again.id.as_str(), again.attempt), ("a", 1), "without cost");
    world.ack(again.token);
    world.audit();
}

#[test]
fn their_messages_wait_no_longer_than_a_lease() {
    let (mut world, orders, first, _) = abandoned();
    world.worker(orders, 1);
    world.advance(LEASE_MS);
    let again = world.delivery();
    world.command(Command::Returned { token: first.token });
    world.ack(again.token);
    assert_eq!(world.box_stats().running, 0);
    world.audit();
}

#[test]
fn they_take_no_slot() {
    let mut world = World::new();
    let orders = world.define("orders", options(Guarantee::AtLeastOnce));
    world.worker(orders, 1);
    world.enqueue(orders, "stuck");
    world.enqueue(orders, "next");
    let stuck = world.delivery();
    world.command(Command::Abandoned { token: stuck.token });
    let next = world.delivery();
    assert_eq!(body(&next), "next");
    world.command(Command::Returned { token: stuck.token });
    assert!(world.deliveries.is_empty(), "the only slot is taken");
    world.ack(next.token);
    assert_eq!(world.work_off(), ["stuck"]);
}

#[test]
fn they_keep_no_box_open_and_what_they_had_is_ready_for_the_next() {
    let mut world = World::new();
    let orders = world.define("orders", options(Guarantee::AtLeastOnce));
    world.worker(orders, 1);
    world.enqueue(orders, "x");
    let first = world.delivery();
    let closing = world.request(Request::Close {}).unwrap();
    assert_eq!(answered(&mut world, closing), None);
    world.command(Command::Abandoned { token: first.token });
    assert_eq!(answered(&mut world, closing), Some(1));
    let mut world = world.reopen();
    assert_eq!(world.report().interrupted, 0);
    assert_eq!(world.dequeue(orders, 1)[0].attempt, 1);
}

#[test]
fn one_that_had_settled_keeps_its_message_waiting_as_well() {
    let mut world = World::new();
    let orders = world.define("orders", options(Guarantee::AtLeastOnce));
    let worker = world.worker(orders, 1);
    world.enqueue(orders, "x");
    let first = world.delivery();
    let rejected = Verdict::Reject { delay_ms: Some(0) };
    world
        .settle_with(first.token, rejected, false, b"", b"")
        .unwrap();
    let closing = world.request(Request::CloseWorker { worker }).unwrap();
    world.command(Command::Abandoned { token: first.token });
    assert_eq!(answered(&mut world, closing), Some(0), "it was settled");
    world.worker(orders, 1);
    world.advance(LEASE_MS - 1);
    assert!(world.deliveries.is_empty());
    world.advance(1);
    assert_eq!(world.delivery().attempt, 2);
}

#[test]
fn what_waits_for_them_can_be_withdrawn_and_enqueued_anew() {
    for purges in [false, true] {
        let (mut world, orders, first, _) = abandoned();
        world.worker(orders, 1);
        if purges {
            world.value(Request::Purge { queue: orders });
        } else {
            let id = "a".to_owned();
            assert_eq!(world.value(Request::Cancel { queue: orders, id }), 1);
        }
        world.enqueue_id(orders, "a", "another");
        assert_eq!(world.work_off(), ["another"], "it is another message");
        world.command(Command::Returned { token: first.token });
        world.advance(LEASE_MS);
        assert!(world.deliveries.is_empty());
        world.audit();
    }
}

#[test]
fn a_group_waits_for_them_whatever_the_guarantee() {
    for guarantee in [Guarantee::AtLeastOnce, Guarantee::AtMostOnce] {
        for returns in [false, true] {
            let mut world = World::new();
            let orders = world.define("orders", options(guarantee));
            world.listen(orders);
            let worker = world.worker(orders, 1);
            for text in ["1", "2"] {
                let item = Enqueue {
                    group: Some("g"),
                    ..message(orders, text)
                };
                world.try_enqueue(item).unwrap();
            }
            let first = world.delivery();
            let closing = world.request(Request::CloseWorker { worker }).unwrap();
            world.command(Command::Abandoned { token: first.token });
            let is_final = guarantee == Guarantee::AtMostOnce;
            assert_eq!(answered(&mut world, closing), Some(u64::from(!is_final)));
            assert_eq!(
                world.events_of(EventKind::Failed).len(),
                usize::from(is_final)
            );
            world.worker(orders, 1);
            assert!(world.deliveries.is_empty(), "{guarantee:?}");
            if returns {
                world.command(Command::Returned { token: first.token });
            } else {
                world.advance(LEASE_MS - 1);
                assert!(world.deliveries.is_empty(), "{guarantee:?}");
                world.advance(1);
            }
            let rest = world.work_off();
            assert_eq!(rest, if is_final { vec!["2"] } else { vec!["1", "2"] });
            world.audit();
        }
    }
}
