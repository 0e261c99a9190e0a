//! Settlements of deliveries that are over. [S14]

use ackbox_core::command::*;
use ackbox_core::config::{Guarantee, QueueOptions};
use ackbox_core::error::ErrorCode;

use crate::support::World;

#[test]
fn a_stale_token_changes_nothing() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.enqueue(orders, "x");
    let first = world.dequeue(orders, 1).remove(0);
    world.advance(31_100);
    let second = world.dequeue(orders, 1).remove(0);
    assert!(
        second.token > first.token,
        "later deliveries have higher tokens"
    );
    for verdict in [
        Verdict::Ack,
        Verdict::Reject { delay_ms: None },
        Verdict::Return,
        Verdict::Dead(Reason::Permanent),
    ] {
        let refused = world.settle(first.token, verdict).unwrap_err();
        assert_eq!(refused.code, ErrorCode::LeaseLost);
    }
    assert_eq!(world.stats(orders).leased, 1);
    world.ack(second.token);
}

#[test]
fn settling_twice_is_refused_and_says_so() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.worker(orders, 1);
    world.enqueue(orders, "x");
    let delivery = world.delivery();
    world
        .settle_with(delivery.token, Verdict::Ack, false, b"", b"")
        .unwrap();
    let refused = world
        .settle_with(delivery.token, Verdict::Ack, false, b"", b"")
        .unwrap_err();
    assert_eq!(refused.code, ErrorCode::AlreadySettled);
    let extended = world.command(Command::Extend {
        token: delivery.token,
        ms: 1000,
    });
    assert_eq!(
        world.answer(extended).unwrap().unwrap_err().code,
        ErrorCode::AlreadySettled
    );
    world.command(Command::Returned {
        token: delivery.token,
    });
    let refused = world.settle(delivery.token, Verdict::Ack).unwrap_err();
    assert_eq!(refused.code, ErrorCode::LeaseLost, "the delivery is over");
    assert_eq!(world.stats(orders).acked, 1);
}

#[test]
fn a_token_that_was_never_given_is_lost() {
    let mut world = World::new();
    world.define("orders", QueueOptions::default());
    assert_eq!(
        world.settle(Token(77), Verdict::Ack).unwrap_err().code,
        ErrorCode::LeaseLost
    );
    let extended = world.command(Command::Extend {
        token: Token(77),
        ms: 1000,
    });
    assert_eq!(
        world.answer(extended).unwrap().unwrap_err().code,
        ErrorCode::LeaseLost
    );
}

#[test]
fn extending_moves_the_end_of_a_lease_to_so_long_from_now() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.enqueue(orders, "x");
    let delivery = world.dequeue(orders, 1).remove(0);
    world.advance(29_000);
    let extended = world.command(Command::Extend {
        token: delivery.token,
        ms: 5000,
    });
    assert!(world.answer(extended).unwrap().is_ok());
    world.advance(4999);
    assert_eq!(world.stats(orders).leases_lost, 0);
    world.advance(1);
    assert_eq!(world.stats(orders).leases_lost, 1);
    assert!(world.settle(delivery.token, Verdict::Ack).is_err());
}

#[test]
fn tokens_ascend_over_every_reopening_whatever_the_guarantee() {
    for guarantee in [Guarantee::AtLeastOnce, Guarantee::AtMostOnce] {
        let mut world = World::new();
        let orders = world.define(
            "orders",
            QueueOptions {
                guarantee: Some(guarantee),
                ..QueueOptions::default()
            },
        );
        let mut last = Token(0);
        for run in 0..4 {
            world.enqueue(orders, "x");
            let delivery = world.dequeue(orders, 1).remove(0);
            assert!(
                delivery.token > last,
                "{guarantee:?}, run {run}: {:?} after {last:?}",
                delivery.token
            );
            last = delivery.token;
            world = world.reopen();
        }
    }
}
