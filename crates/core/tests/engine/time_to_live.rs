//! Messages that may not start after a while. [S5]

use ackbox_core::command::*;
use ackbox_core::config::QueueOptions;
use ackbox_core::effect::EventKind;

use crate::support::{World, message};

fn with_ttl(queue: QueueId, body: &str, ttl: u64) -> Enqueue<'_> {
    Enqueue {
        ttl_ms: Some(ttl),
        ..message(queue, body)
    }
}

#[test]
fn a_message_that_nobody_takes_dies_when_its_time_is_over() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.listen(orders);
    let (.., id) = world.try_enqueue(with_ttl(orders, "x", 1000)).unwrap();
    world.advance(1000);
    assert_eq!(
        world.state(orders, &id),
        Some(MessageState::Ready),
        "it may still start at that instant"
    );
    world.advance(1);
    let dead = world.dead(orders);
    assert_eq!(
        (dead[0].reason, dead[0].attempt),
        (Some(Reason::Expired), Some(0))
    );
    assert!(dead[0].history.is_empty(), "no attempt was made");
    assert_eq!(world.events_of(EventKind::Dead).len(), 1);
    let stats = world.stats(orders);
    assert_eq!(
        (stats.expired, stats.dead, stats.ready, stats.dead_letters),
        (1, 1, 0, 1)
    );
    world.audit();
}

#[test]
fn a_message_may_start_at_its_last_instant_whatever_else_is_due_then() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.try_enqueue(with_ttl(orders, "x", 1000)).unwrap();
    let later = Enqueue {
        delay_ms: Some(1000),
        ..message(orders, "y")
    };
    world.try_enqueue(later).unwrap();
    world.advance(1000);
    assert_eq!(world.dequeue(orders, 2).len(), 2);
}

#[test]
fn a_delayed_message_expires_while_it_waits() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.worker(orders, 1);
    world
        .try_enqueue(Enqueue {
            delay_ms: Some(5000),
            ..with_ttl(orders, "x", 1000)
        })
        .unwrap();
    world.advance(1001);
    assert_eq!(world.dead(orders)[0].reason, Some(Reason::Expired));
    world.advance(10_000);
    assert!(world.deliveries.is_empty());
}

#[test]
fn a_running_one_may_finish_and_its_retry_expires() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.worker(orders, 2);
    world
        .try_enqueue(with_ttl(orders, "finishes", 1000))
        .unwrap();
    world.try_enqueue(with_ttl(orders, "fails", 1000)).unwrap();
    let (first, second) = (world.delivery(), world.delivery());
    world.advance(5000);
    world.ack(first.token);
    world.reject(second.token);
    world.advance(1);
    let dead = world.dead(orders);
    assert_eq!(dead.len(), 1);
    assert_eq!(
        (dead[0].reason, dead[0].history.len()),
        (Some(Reason::Expired), 1)
    );
    assert_eq!(world.stats(orders).acked, 1);
}

#[test]
fn expiry_goes_on_over_reopening_and_in_a_paused_queue() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.value(Request::PauseQueue { queue: orders });
    world.try_enqueue(with_ttl(orders, "x", 1000)).unwrap();
    let mut world = world.reopen();
    world.advance(1001);
    assert_eq!(world.dead(orders).len(), 1);
}

#[test]
fn a_redriven_message_has_no_deadline_any_more() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let (.., id) = world.try_enqueue(with_ttl(orders, "x", 10)).unwrap();
    world.advance(11);
    world.redrive(orders, DeadFilter::default());
    world.advance(100_000);
    assert_eq!(world.state(orders, &id), Some(MessageState::Ready));
    world.audit();
}

#[test]
fn a_time_to_live_of_nothing_is_refused() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let refused = world.try_enqueue(with_ttl(orders, "x", 0)).unwrap_err();
    assert_eq!(refused.code, ackbox_core::error::ErrorCode::InvalidOption);
}

#[test]
fn a_message_whose_time_ends_while_its_start_is_written_does_not_start() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.worker(orders, 3);
    world.hold_appends = true;
    world.command(Command::EnqueueMany(vec![
        with_ttl(orders, "late", 1000),
        message(orders, "still good"),
        with_ttl(orders, "late too", 1000),
    ]));
    world.now += 1001;
    world.hold_appends = false;
    world.land();
    assert_eq!(world.delivered(), ["still good"]);
    let dead = world.dead(orders);
    let died = |at: usize| (dead[at].reason, dead[at].attempt);
    assert_eq!(dead.len(), 2);
    assert_eq!(died(0), (Some(Reason::Expired), Some(0)));
    assert_eq!(died(1), (Some(Reason::Expired), Some(0)));
    world.audit();
}

#[test]
fn a_message_that_was_claimed_ahead_expires_while_no_handler_is_free() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.worker(orders, 1);
    world.enqueue(orders, "first");
    let first = world.delivery();
    world.enqueue(orders, "second");
    world.try_enqueue(with_ttl(orders, "late", 1000)).unwrap();
    // The start of a third one is written while the second one runs.
    world.hold_appends = true;
    world.unanswered(Command::Settle(Settle {
        token: first.token,
        verdict: Verdict::Ack,
        returned: true,
        result: b"",
        error: b"",
    }));
    world.land();
    while world.held.is_some() {
        world.land();
    }
    world.hold_appends = false;
    let second = world.delivery();
    assert_eq!(
        world.stats(orders).leased,
        2,
        "one runs, one is claimed ahead"
    );
    world.advance(1001);
    world.ack(second.token);
    assert!(world.deliveries.is_empty(), "its time to live is over");
    assert_eq!(world.dead(orders)[0].reason, Some(Reason::Expired));
    world.audit();
}

#[test]
fn a_dequeue_gets_nothing_whose_time_ended_meanwhile() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.try_enqueue(with_ttl(orders, "late", 1000)).unwrap();
    world.enqueue(orders, "good");
    world.hold_appends = true;
    let ticket = world.command(Command::Dequeue {
        queue: orders,
        max: 2,
        lease_ms: None,
        wait_ms: 5000,
    });
    world.now += 1001;
    world.hold_appends = false;
    world.land();
    assert_eq!(world.delivered(), ["good"]);
    world.advance(5000);
    assert!(world.answer(ticket).is_some(), "it is answered");
    assert_eq!(world.dead(orders)[0].reason, Some(Reason::Expired));
}
