//! What something costs does not depend on what else there is. Counted are looks, never time. [S24, S25]

use ackbox_core::command::*;
use ackbox_core::config::QueueOptions;
use ackbox_core::meter::looks;

use crate::support::{World, message};

/// So much more may be looked at where there is a hundred times as much.
const SLACK: u64 = 10;

/// How often an action looks at something among few others and among many.
fn looks_among(prepare: impl Fn(&mut World, usize), act: impl Fn(&mut World)) -> (u64, u64) {
    let looked = |others| {
        let mut world = World::new();
        prepare(&mut world, others);
        let before = looks();
        act(&mut world);
        looks() - before
    };
    (looked(20), looked(2000))
}

fn expect_bounded((few, many): (u64, u64)) {
    assert!(few > 0, "something was counted");
    assert!(
        many <= few + SLACK,
        "{few} looks among few others, {many} among many"
    );
}

fn define(world: &mut World, count: usize) -> QueueId {
    for queue in 0..count {
        world.define(&format!("queue-{queue}"), QueueOptions::default());
    }
    QueueId(0)
}

fn wait_for_messages(world: &mut World, queue: QueueId) -> u64 {
    world.command(Command::Dequeue {
        queue,
        max: 1,
        lease_ms: None,
        wait_ms: 60_000,
    })
}

#[test]
fn a_message_costs_nothing_to_the_workers_of_other_queues() {
    let looked = looks_among(
        |world, others| {
            define(world, others);
            for queue in 0..others {
                world.worker(QueueId(queue as u32), 1);
            }
        },
        |world| {
            world.enqueue(QueueId(0), "x");
            let delivery = world.delivery();
            world.ack(delivery.token);
        },
    );
    expect_bounded(looked);
}

#[test]
fn the_first_waiting_dequeue_is_served_without_a_look_at_the_others() {
    let looked = looks_among(
        |world, others| {
            let queue = define(world, 1);
            for _ in 0..others {
                wait_for_messages(world, queue);
            }
        },
        |world| {
            world.enqueue(QueueId(0), "x");
            let delivery = world.delivery();
            world.ack(delivery.token);
        },
    );
    expect_bounded(looked);
}

#[test]
fn giving_up_to_wait_looks_at_no_other_dequeue_and_no_other_queue() {
    let looked = looks_among(
        |world, others| {
            define(world, others);
            for queue in 0..others {
                wait_for_messages(world, QueueId(queue as u32));
                wait_for_messages(world, QueueId(0));
            }
        },
        |world| {
            let ticket = wait_for_messages(world, QueueId(0));
            let now = ackbox_core::time::Timestamp(world.now);
            world
                .engine
                .handle_command(now, Ticket(ticket), Command::StopWaiting);
            world.run();
            assert!(world.answer(ticket).expect("it is answered").is_ok());
        },
    );
    expect_bounded(looked);
}

/// A world in which many messages are being handled, and `x` is the last of them.
fn leased(world: &mut World, others: usize) {
    let queue = define(world, 1);
    let many = (0..others).map(|_| message(queue, "y")).collect();
    world.command(Command::EnqueueMany(many));
    world.enqueue_id(queue, "x", "x");
    world.worker(queue, others as u32 + 1);
    assert_eq!(world.deliveries.len(), others + 1);
}

#[test]
fn a_leased_message_is_cancelled_without_a_look_at_other_leases() {
    let looked = looks_among(leased, |world| {
        let cancel = Request::Cancel {
            queue: QueueId(0),
            id: "x".into(),
        };
        assert_eq!(world.value(cancel), 1);
    });
    expect_bounded(looked);
}

#[test]
fn a_purge_looks_at_no_message_that_is_being_handled() {
    let looked = looks_among(leased, |world| {
        world
            .try_enqueue(Enqueue {
                delay_ms: Some(1),
                ..message(QueueId(0), "z")
            })
            .expect("accepted");
        assert_eq!(world.value(Request::Purge { queue: QueueId(0) }), 1);
    });
    expect_bounded(looked);
}

#[test]
fn suspects_that_nobody_takes_are_not_looked_at_again_and_again() {
    let looked = looks_among(
        |world, others| {
            define(world, others + 1);
            for queue in 1..=others {
                let queue = QueueId(queue as u32);
                world.enqueue(queue, "suspect");
                world.dequeue(queue, 1);
            }
            let crashed = std::mem::replace(world, World::new());
            *world = crashed.reopen();
            assert_eq!(world.report().interrupted, others as u64);
        },
        |world| {
            world.worker(QueueId(0), 1);
            world.enqueue(QueueId(0), "x");
            let delivery = world.delivery();
            world.ack(delivery.token);
        },
    );
    expect_bounded(looked);
}

#[test]
fn the_end_of_one_suspect_wakes_nobody_while_there_is_another() {
    let looked = looks_among(
        |world, others| {
            define(world, others + 1);
            for _ in 0..3 {
                world.enqueue(QueueId(0), "suspect");
            }
            world.dequeue(QueueId(0), 3);
            let crashed = std::mem::replace(world, World::new());
            *world = crashed.reopen();
            world.worker(QueueId(0), 1);
            assert_eq!(world.deliveries.len(), 1);
            for queue in 1..=others {
                world.worker(QueueId(queue as u32), 1);
                world.enqueue(QueueId(queue as u32), "held back");
            }
            assert_eq!(world.deliveries.len(), 1, "a suspect runs alone");
        },
        |world| {
            let delivery = world.delivery();
            world.ack(delivery.token);
            assert_eq!(world.deliveries.len(), 1, "so does the next one");
        },
    );
    expect_bounded(looked);
}
