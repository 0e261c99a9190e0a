//! Who waits until nothing of a queue is ready or being handled. [A6 idle]

use ackbox_core::command::*;
use ackbox_core::config::{Guarantee, QueueOptions};
use ackbox_core::error::ErrorCode;

use crate::support::{World, message};

fn wait(world: &mut World, queue: QueueId) -> u64 {
    world.command(Command::Idle { queue })
}

fn is_answered(world: &mut World, ticket: u64) -> bool {
    world.answer(ticket).is_some()
}

#[test]
fn a_queue_with_nothing_to_do_now_is_idle() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let ticket = wait(&mut world, orders);
    assert!(is_answered(&mut world, ticket));
    let later = Enqueue {
        delay_ms: Some(5),
        ..message(orders, "later")
    };
    world.try_enqueue(later).unwrap();
    let ticket = wait(&mut world, orders);
    assert!(
        is_answered(&mut world, ticket),
        "what waits for its time is no work"
    );
    world.advance(5);
    let ticket = wait(&mut world, orders);
    assert!(!is_answered(&mut world, ticket), "now it is ready");
}

#[test]
fn ready_and_leased_messages_keep_a_queue_busy_until_their_end_is_durable() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.enqueue(orders, "x");
    let ticket = wait(&mut world, orders);
    world.worker(orders, 1);
    let delivery = world.delivery();
    assert!(!is_answered(&mut world, ticket));
    world.hold_appends = true;
    world.command(Command::Settle(Settle {
        token: delivery.token,
        verdict: Verdict::Ack,
        returned: true,
        result: b"",
        error: b"",
    }));
    assert!(
        !is_answered(&mut world, ticket),
        "the end is not durable yet"
    );
    world.land();
    assert!(is_answered(&mut world, ticket));
}

#[test]
fn a_handler_that_runs_on_keeps_a_queue_busy() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let once = QueueOptions {
        guarantee: Some(Guarantee::AtMostOnce),
        ..QueueOptions::default()
    };
    let once = world.define("once", once);
    for queue in [orders, once] {
        world.enqueue(queue, "x");
        world.worker(queue, 1);
        let delivery = world.delivery();
        let ticket = wait(&mut world, queue);
        world
            .settle_with(delivery.token, Verdict::Ack, false, b"", b"")
            .unwrap();
        assert!(!is_answered(&mut world, ticket), "settled, not returned");
        let token = delivery.token;
        world.command(Command::Returned { token });
        assert!(is_answered(&mut world, ticket));
    }
}

#[test]
fn every_queue_has_its_own_waits_and_a_failed_storage_refuses_them() {
    let mut world = World::new();
    let (a, b) = (
        world.define("a", QueueOptions::default()),
        world.define("b", QueueOptions::default()),
    );
    for queue in [a, b] {
        world.enqueue(queue, "x");
    }
    let (first, second, other) = (
        wait(&mut world, a),
        wait(&mut world, a),
        wait(&mut world, b),
    );
    let delivery = world.dequeue(a, 1).remove(0);
    assert!(!is_answered(&mut world, first), "it is being handled");
    world.ack(delivery.token);
    assert!(is_answered(&mut world, first));
    assert!(is_answered(&mut world, second));
    assert!(!is_answered(&mut world, other));
    world.hold_appends = true;
    world.command(Command::Enqueue(message(b, "y")));
    world.fail_append(false);
    assert!(
        matches!(world.answer(other), Some(Err(failure)) if failure.code == ErrorCode::StorageFailed)
    );
}

#[test]
fn a_wait_is_given_up_and_waits_are_limited() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.enqueue(orders, "x");
    let ticket = wait(&mut world, orders);
    let now = ackbox_core::time::Timestamp(world.now);
    world
        .engine
        .handle_command(now, Ticket(ticket), Command::StopWaiting);
    world.run();
    assert!(is_answered(&mut world, ticket));
    for _ in 0..10_000 {
        wait(&mut world, orders);
    }
    let refused = wait(&mut world, orders);
    let answer = world.answer(refused);
    assert!(matches!(answer, Some(Err(failure)) if failure.code == ErrorCode::QueueFull));
}
