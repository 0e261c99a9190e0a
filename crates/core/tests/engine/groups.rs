//! Ordering groups: FIFO, one in flight, order kept over retries. [S7]

use ackbox_core::command::*;
use ackbox_core::config::{GroupOnDead, Guarantee, QueueOptions};

use crate::support::{World, body, message};

fn grouped<'a>(queue: QueueId, group: &'a str, body: &'a str) -> Enqueue<'a> {
    Enqueue {
        group: Some(group),
        ..message(queue, body)
    }
}

fn world_with(options: QueueOptions, bodies: &[&str]) -> (World, QueueId) {
    let mut world = World::new();
    let orders = world.define("orders", options);
    for body in bodies {
        world.try_enqueue(grouped(orders, "g", body)).unwrap();
    }
    (world, orders)
}

fn blocking(max_attempts: u32) -> QueueOptions {
    QueueOptions {
        group_on_dead: Some(GroupOnDead::Block),
        max_attempts: Some(max_attempts),
        ..QueueOptions::default()
    }
}

#[test]
fn one_of_a_group_is_in_flight_and_others_pass_by() {
    let (mut world, orders) = world_with(QueueOptions::default(), &["a1", "a2"]);
    world.try_enqueue(grouped(orders, "h", "b1")).unwrap();
    world.enqueue(orders, "free");
    world.worker(orders, 10);
    let a1 = world.delivery();
    assert_eq!(body(&a1), "a1");
    assert_eq!(world.delivered(), ["b1", "free"]);
    world.ack(a1.token);
    assert_eq!(world.delivered(), ["a2"]);
    world.audit();
}

#[test]
fn a_retrying_head_holds_its_group_in_order_over_reopening() {
    let (mut world, orders) = world_with(QueueOptions::default(), &["1", "2", "3"]);
    world.worker(orders, 10);
    let first = world.delivery();
    world.reject(first.token);
    world.advance(900);
    assert!(
        world.deliveries.is_empty(),
        "the head waits for its backoff, the others for the head"
    );
    let mut world = world.reopen();
    world.worker(orders, 10);
    assert!(world.deliveries.is_empty());
    world.advance(1000);
    assert_eq!(world.work_off(), ["1", "2", "3"]);
}

#[test]
fn a_delayed_head_holds_its_group() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world
        .try_enqueue(Enqueue {
            delay_ms: Some(100),
            ..grouped(orders, "g", "1")
        })
        .unwrap();
    world.try_enqueue(grouped(orders, "g", "2")).unwrap();
    world.worker(orders, 10);
    assert!(world.deliveries.is_empty());
    world.advance(100);
    assert_eq!(world.work_off(), ["1", "2"]);
}

#[test]
fn a_priority_orders_groups_by_their_heads_and_is_ignored_inside() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    for (group, text, priority) in [
        ("g", "g1", 1),
        ("g", "g2", 9),
        ("h", "h1", 5),
        ("h", "h2", 0),
    ] {
        world
            .try_enqueue(Enqueue {
                priority,
                ..grouped(orders, group, text)
            })
            .unwrap();
    }
    let mut order = Vec::new();
    while let Some(delivery) = world.dequeue(orders, 1).pop() {
        order.push(body(&delivery));
        world.ack(delivery.token);
    }
    assert_eq!(order, ["h1", "g1", "g2", "h2"]);
}

#[test]
fn a_dead_head_lets_the_group_go_on_or_blocks_it() {
    let options = QueueOptions {
        max_attempts: Some(1),
        ..QueueOptions::default()
    };
    let (mut world, orders) = world_with(options, &["1", "2"]);
    world.worker(orders, 10);
    let first = world.delivery();
    world.reject(first.token);
    assert_eq!(world.work_off(), ["2"]);

    let (mut world, orders) = world_with(blocking(1), &["1", "2"]);
    world.worker(orders, 10);
    let first = world.delivery();
    world.reject(first.token);
    assert!(
        world.deliveries.is_empty(),
        "the group waits for its dead letter"
    );
    let mut world = world.reopen();
    world.worker(orders, 10);
    assert!(world.deliveries.is_empty(), "after reopening as well");
    world.value(Request::RemoveDead {
        queue: orders,
        filter: DeadFilter::default(),
    });
    assert_eq!(world.work_off(), ["2"]);
}

#[test]
fn a_redriven_message_goes_to_the_head_of_a_blocked_group() {
    let (mut world, orders) = world_with(blocking(1), &["1", "2", "3"]);
    world.worker(orders, 10);
    let first = world.delivery();
    world.reject(first.token);
    world.redrive(orders, DeadFilter::default());
    world.audit();
    assert_eq!(world.work_off(), ["1", "2", "3"]);
}

#[test]
fn a_redriven_message_goes_to_the_tail_of_a_group_that_went_on() {
    let options = QueueOptions {
        max_attempts: Some(1),
        ..QueueOptions::default()
    };
    let (mut world, orders) = world_with(options, &["1", "2", "3"]);
    let worker = world.worker(orders, 10);
    let first = world.delivery();
    world.at_once(Request::PauseWorker { worker });
    world.reject(first.token);
    world.redrive(orders, DeadFilter::default());
    world.audit();
    world.at_once(Request::ResumeWorker { worker });
    assert_eq!(world.work_off(), ["2", "3", "1"]);
}

#[test]
fn the_kind_of_a_death_is_what_the_queue_wanted_then() {
    let (mut world, orders) = world_with(blocking(1), &["1", "2"]);
    world.worker(orders, 10);
    let first = world.delivery();
    world.reject(first.token);
    world.define(
        "orders",
        QueueOptions {
            group_on_dead: Some(GroupOnDead::Continue),
            ..QueueOptions::default()
        },
    );
    assert!(world.deliveries.is_empty());
    let mut world = world.reopen();
    world.worker(orders, 10);
    assert!(world.deliveries.is_empty(), "a blocked group stays blocked");
    world.redrive(orders, DeadFilter::default());
    assert_eq!(world.work_off(), ["1", "2"]);
}

#[test]
fn purging_a_group_leaves_it_usable_while_one_is_in_flight() {
    let (mut world, orders) = world_with(QueueOptions::default(), &["1", "2", "3"]);
    world.worker(orders, 10);
    let first = world.delivery();
    assert_eq!(world.value(Request::Purge { queue: orders }), 2);
    world.try_enqueue(grouped(orders, "g", "4")).unwrap();
    assert!(world.deliveries.is_empty(), "the first one is in flight");
    world.ack(first.token);
    assert_eq!(world.work_off(), ["4"]);
    world.audit();
}

#[test]
fn a_message_enqueued_right_after_a_purge_heads_its_group() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    for index in 0..3000 {
        world
            .try_enqueue(grouped(orders, "g", &index.to_string()))
            .unwrap();
    }
    let ticket = world.next_ticket();
    let now = ackbox_core::time::Timestamp(world.now);
    world
        .engine
        .handle_request(now, ticket, Request::Purge { queue: orders })
        .unwrap();
    world.command(Command::Enqueue(grouped(orders, "g", "new")));
    world.worker(orders, 10);
    assert_eq!(world.work_off(), ["new"]);
}

#[test]
fn cancelling_the_head_frees_the_next() {
    let (mut world, orders) = world_with(QueueOptions::default(), &["1", "2"]);
    let head = world.peek(orders, None)[0].id.clone();
    world
        .try_enqueue(Enqueue {
            delay_ms: Some(1000),
            ..grouped(orders, "h", "h1")
        })
        .unwrap();
    world.try_enqueue(grouped(orders, "h", "h2")).unwrap();
    let delayed = world.peek(orders, Some(MessageState::Scheduled))[0]
        .id
        .clone();
    assert_eq!(
        world.value(Request::Cancel {
            queue: orders,
            id: head
        }),
        1
    );
    assert_eq!(
        world.value(Request::Cancel {
            queue: orders,
            id: delayed
        }),
        1
    );
    world.worker(orders, 10);
    assert_eq!(world.delivered(), ["2", "h2"]);
}

#[test]
fn cancelling_a_running_head_frees_the_next() {
    let (mut world, orders) = world_with(QueueOptions::default(), &["1", "2"]);
    world.worker(orders, 10);
    let first = world.delivery();
    assert_eq!(
        world.value(Request::Cancel {
            queue: orders,
            id: first.id.to_string()
        }),
        1
    );
    assert_eq!(world.aborts.len(), 1, "its handler is told");
    assert_eq!(world.delivered(), ["2"]);
    assert!(world.settle(first.token, Verdict::Ack).is_err());
}

#[test]
fn an_at_most_once_group_waits_for_the_handler_to_return() {
    let options = QueueOptions {
        guarantee: Some(Guarantee::AtMostOnce),
        ..QueueOptions::default()
    };
    let (mut world, orders) = world_with(options, &["1", "2"]);
    world.worker(orders, 10);
    let first = world.delivery();
    assert!(world.deliveries.is_empty(), "settled, but its handler runs");
    world
        .settle_with(first.token, Verdict::Ack, false, b"", b"")
        .unwrap();
    assert!(
        world.deliveries.is_empty(),
        "acknowledged by hand, but its handler runs"
    );
    world.command(Command::Returned { token: first.token });
    assert_eq!(world.delivered(), ["2"]);
}

#[test]
fn the_next_of_a_group_follows_an_acknowledgement_by_hand() {
    let (mut world, orders) = world_with(QueueOptions::default(), &["1", "2"]);
    world.worker(orders, 10);
    let first = world.delivery();
    world
        .settle_with(
            first.token,
            Verdict::Reject { delay_ms: Some(0) },
            false,
            b"",
            b"",
        )
        .unwrap();
    world.advance(10);
    assert!(
        world.deliveries.is_empty(),
        "the head waits until its handler returned"
    );
    world.command(Command::Returned { token: first.token });
    assert_eq!(world.work_off(), ["1", "2"]);
}

#[test]
fn a_group_without_a_name_is_none() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    for text in ["1", "2"] {
        world.try_enqueue(grouped(orders, "", text)).unwrap();
    }
    assert_eq!(world.dequeue(orders, 2).len(), 2);
}

#[test]
fn the_longest_names_of_a_group_and_a_destination_have_256_bytes() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let longest = "x".repeat(256);
    let enqueue = Enqueue {
        destination: Some(&longest),
        ..grouped(orders, &longest, "1")
    };
    world.try_enqueue(enqueue).expect("accepted");
    let delivery = world.dequeue(orders, 1).remove(0);
    let names = (&*delivery.group, &*delivery.destination);
    assert_eq!(names, (&*longest, &*longest));
}
