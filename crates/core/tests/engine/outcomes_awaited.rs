//! Waiting for the end of a message: told once it is durable, by whatever ended it, and never missed. [A2 finished]

use ackbox_core::command::*;
use ackbox_core::config::{Guarantee, QueueOptions};
use ackbox_core::effect::MessageInfo;
use ackbox_core::error::ErrorCode;

use crate::support::{World, message};

fn world() -> (World, QueueId) {
    let mut world = World::new();
    let options = QueueOptions {
        max_attempts: Some(1),
        ..QueueOptions::default()
    };
    let orders = world.define("orders", options);
    (world, orders)
}

fn state_of(told: Option<(MessageInfo, Option<String>)>) -> Option<MessageState> {
    told.map(|(info, _)| info.state)
}

fn refusal(world: &mut World, ticket: u64) -> ErrorCode {
    match world.answer(ticket) {
        Some(Err(failure)) => failure.code,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

/// Ends the message that is delivered next.
fn end_next(world: &mut World, queue: QueueId, verdict: Verdict) {
    let delivery = world.dequeue(queue, 1).remove(0);
    world
        .settle_with(
            delivery.token,
            verdict,
            true,
            b"result",
            b"{\"message\":\"no\"}",
        )
        .unwrap();
}

#[test]
fn whoever_waits_is_told_how_a_message_ended() {
    let (mut world, orders) = world();
    // Before it is known, while it waits, and after it ended.
    for verdict in [Verdict::Ack, Verdict::Dead(Reason::Permanent)] {
        let early = world.finished(orders, "a");
        world.enqueue_id(orders, "a", "x");
        let waiting = world.finished(orders, "a");
        assert!(world.end(early).is_none() && world.end(waiting).is_none());
        world.advance(5);
        end_next(&mut world, orders, verdict);
        let late = world.finished(orders, "a");
        let told = [early, waiting, late].map(|ticket| world.end(ticket).expect("told"));
        for (info, result) in told {
            assert_eq!(
                (info.id.as_str(), info.finished_at.unwrap().0),
                ("a", world.now)
            );
            if verdict == Verdict::Ack {
                assert_eq!(info.state, MessageState::Completed);
                assert_eq!(result.as_deref(), Some("result"));
            } else {
                assert_eq!(info.state, MessageState::Dead);
                assert_eq!(info.reason, Some(Reason::Permanent));
                assert_eq!(info.error.as_deref(), Some("{\"message\":\"no\"}"));
                assert_eq!(result, None);
            }
        }
        let id = "a".into();
        world.value(Request::Forget { queue: orders, id });
        world.value(Request::RemoveDead {
            queue: orders,
            filter: DeadFilter::default(),
        });
    }
}

#[test]
fn the_last_attempt_is_told_with_the_result() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.worker(orders, 1);
    let id = world.enqueue(orders, "x");
    let waiting = world.finished(orders, &id);
    for _ in 0..2 {
        let token = world.delivery().token;
        world.reject(token);
        world.advance(10_000);
    }
    let token = world.delivery().token;
    world.ack(token);
    assert_eq!(world.end(waiting).expect("told").0.attempt, Some(3));
}

#[test]
fn an_end_is_told_when_it_is_durable_and_not_before() {
    let (mut world, orders) = world();
    world.enqueue_id(orders, "a", "x");
    let waiting = world.finished(orders, "a");
    let delivery = world.dequeue(orders, 1).remove(0);
    world.hold_appends = true;
    world.command(Command::Settle(Settle {
        token: delivery.token,
        verdict: Verdict::Ack,
        returned: true,
        result: b"r",
        error: b"",
    }));
    assert!(world.held.is_some());
    assert!(world.end(waiting).is_none());
    world.land();
    assert_eq!(state_of(world.end(waiting)), Some(MessageState::Completed));
}

#[test]
fn a_message_that_is_withdrawn_is_cancelled() {
    let (mut world, orders) = world();
    world.enqueue_id(orders, "waiting", "x");
    world.enqueue_id(orders, "running", "x");
    let waits = ["waiting", "running"].map(|id| world.finished(orders, id));
    world.dequeue(orders, 1);
    for id in ["waiting", "running"] {
        let id = id.into();
        world.value(Request::Cancel { queue: orders, id });
    }
    for ticket in waits {
        assert_eq!(state_of(world.end(ticket)), Some(MessageState::Cancelled));
    }
    let mut world = world.reopen();
    let again = world.finished(orders, "waiting");
    assert!(
        world.end(again).is_none(),
        "its id is free: in this run it was never seen"
    );
}

#[test]
fn all_who_wait_for_a_purged_message_are_told_and_no_others() {
    let (mut world, orders) = world();
    let others = world.define("others", QueueOptions::default());
    let mut purged = Vec::new();
    for index in 0..3000 {
        let id = index.to_string();
        let group = (index % 2 == 0).then_some("g");
        world
            .try_enqueue(Enqueue {
                id: Some(&id),
                group,
                ..message(orders, "x")
            })
            .unwrap();
        purged.push(world.finished(orders, &id));
    }
    world.enqueue_id(others, "other", "x");
    let other = world.finished(others, "other");
    let leased = world.dequeue(orders, 1).remove(0);
    let kept = purged.remove(0);
    assert_eq!(leased.id, "0");
    let never = world.finished(orders, "never");
    assert_eq!(world.value(Request::Purge { queue: orders }), 2999);
    for ticket in purged {
        assert_eq!(state_of(world.end(ticket)), Some(MessageState::Cancelled));
    }
    for ticket in [kept, other, never] {
        assert!(world.end(ticket).is_none());
    }
    world.ack(leased.token);
    assert_eq!(state_of(world.end(kept)), Some(MessageState::Completed));
}

#[test]
fn a_purge_ends_nothing_that_was_handed_over() {
    let mut world = World::new();
    let options = QueueOptions {
        guarantee: Some(Guarantee::AtMostOnce),
        ..QueueOptions::default()
    };
    let orders = world.define("orders", options);
    world.worker(orders, 1);
    world.enqueue_id(orders, "a", "x");
    let waiting = world.finished(orders, "a");
    let token = world.delivery().token;
    world.value(Request::Purge { queue: orders });
    assert!(world.end(waiting).is_none());
    world.ack(token);
    assert_eq!(state_of(world.end(waiting)), Some(MessageState::Completed));
}

#[test]
fn an_id_that_is_taken_again_right_after_a_purge_is_another_message() {
    let (mut world, orders) = world();
    world.enqueue_id(orders, "a", "x");
    let old = world.finished(orders, "a");
    let ticket = world.next_ticket();
    let now = ackbox_core::time::Timestamp(world.now);
    world
        .engine
        .handle_request(now, ticket, Request::Purge { queue: orders })
        .unwrap();
    let id = Some("a");
    let again = Enqueue {
        id,
        ..message(orders, "y")
    };
    world.command(Command::Enqueue(again));
    let new = world.finished(orders, "a");
    assert_eq!(state_of(world.end(old)), Some(MessageState::Cancelled));
    assert!(world.end(new).is_none());
    end_next(&mut world, orders, Verdict::Ack);
    assert_eq!(state_of(world.end(new)), Some(MessageState::Completed));
}

#[test]
fn messages_that_expire_or_run_out_of_attempts_are_dead() {
    let (mut world, orders) = world();
    let ttl = Enqueue {
        id: Some("expires"),
        ttl_ms: Some(5),
        ..message(orders, "x")
    };
    world.try_enqueue(ttl).unwrap();
    let expires = world.finished(orders, "expires");
    world.advance(10);
    let told = world.end(expires).expect("told").0;
    assert_eq!(told.reason, Some(Reason::Expired));
    world.enqueue_id(orders, "lost", "x");
    let lost = world.finished(orders, "lost");
    world.dequeue(orders, 1);
    world.advance(40_000);
    let told = world.end(lost).expect("told").0;
    assert_eq!(told.reason, Some(Reason::LeaseExpired));
}

#[test]
fn a_redriven_message_is_waited_for_again() {
    let (mut world, orders) = world();
    world.enqueue_id(orders, "a", "x");
    end_next(&mut world, orders, Verdict::Dead(Reason::Permanent));
    let mut world = world.reopen();
    let dead = world.finished(orders, "a");
    let (info, _) = world.end(dead).expect("it is dead");
    assert_eq!(info.error.as_deref(), Some("{\"message\":\"no\"}"));
    assert!(world.bodies.is_empty(), "its body was not asked for");
    world.redrive(orders, DeadFilter::default());
    let waiting = world.finished(orders, "a");
    assert!(world.end(waiting).is_none());
    end_next(&mut world, orders, Verdict::Ack);
    assert_eq!(state_of(world.end(waiting)), Some(MessageState::Completed));
}

#[test]
fn generated_ids_are_told_while_somebody_waits_and_known_to_be_over_in_later_runs() {
    let (mut world, orders) = world();
    let id = world.enqueue(orders, "x");
    let waiting = world.finished(orders, &id);
    end_next(&mut world, orders, Verdict::Ack);
    let (info, result) = world.end(waiting).expect("told");
    assert_eq!((info.id, result.as_deref()), (id.clone(), Some("result")));
    for _ in 0..2 {
        world = world.reopen();
        assert!(world.get(orders, &id).is_none());
        let late = world.finished(orders, &id);
        assert_eq!(refusal(&mut world, late), ErrorCode::NotFound);
    }
    let dead = world.enqueue(orders, "y");
    end_next(&mut world, orders, Verdict::Dead(Reason::Permanent));
    let waiting = world.finished(orders, &dead);
    assert_eq!(state_of(world.end(waiting)), Some(MessageState::Dead));
    world.redrive(orders, DeadFilter::default());
    let waiting = world.finished(orders, &dead);
    end_next(&mut world, orders, Verdict::Ack);
    assert_eq!(state_of(world.end(waiting)), Some(MessageState::Completed));
}

#[test]
fn what_nobody_remembers_is_waited_for() {
    let (mut world, orders) = world();
    let others = world.define("others", QueueOptions::default());
    world.enqueue_id(orders, "a", "x");
    end_next(&mut world, orders, Verdict::Ack);
    world.advance(86_400_000);
    let waits = [world.finished(orders, "a"), world.finished(others, "a")];
    for ticket in waits {
        assert!(world.end(ticket).is_none());
    }
    world.enqueue_id(orders, "a", "y");
    end_next(&mut world, orders, Verdict::Ack);
    assert_eq!(state_of(world.end(waits[0])), Some(MessageState::Completed));
    assert!(world.end(waits[1]).is_none(), "another queue has other ids");
}

#[test]
fn a_wait_that_is_given_up_is_answered_once() {
    let (mut world, orders) = world();
    world.enqueue_id(orders, "a", "x");
    let (given_up, kept) = (world.finished(orders, "a"), world.finished(orders, "a"));
    let stop = |world: &mut World, ticket: u64| {
        let now = ackbox_core::time::Timestamp(world.now);
        let command = Command::StopWaiting;
        world.engine.handle_command(now, Ticket(ticket), command);
        world.run();
    };
    stop(&mut world, given_up);
    assert!(matches!(
        world.answer(given_up),
        Some(Ok(ackbox_core::effect::Answer::Value(0)))
    ));
    end_next(&mut world, orders, Verdict::Ack);
    assert_eq!(state_of(world.end(kept)), Some(MessageState::Completed));
    stop(&mut world, kept);
    assert!(world.replies.is_empty());
}

#[test]
fn a_batch_that_is_refused_leaves_its_waits_where_they_were() {
    let (mut world, orders) = world();
    let waiting = world.finished(orders, "a");
    let item = |id, body| Enqueue {
        id: Some(id),
        ..message(orders, body)
    };
    let refused = world.command(Command::EnqueueMany(vec![
        item("a", "x"),
        item("b", "x"),
        item("b", "y"),
    ]));
    assert_eq!(refusal(&mut world, refused), ErrorCode::IdConflict);
    world.enqueue_id(orders, "a", "x");
    end_next(&mut world, orders, Verdict::Ack);
    assert_eq!(state_of(world.end(waiting)), Some(MessageState::Completed));
}

#[test]
fn an_end_that_found_no_room_with_its_message_is_not_told() {
    for guarantee in [Guarantee::AtLeastOnce, Guarantee::AtMostOnce] {
        let mut world = World::new();
        let options = QueueOptions {
            guarantee: Some(guarantee),
            ..QueueOptions::default()
        };
        let orders = world.define("orders", options);
        world.worker(orders, 1);
        let waiting = world.finished(orders, "a");
        world.hold_appends = true;
        let item = || Enqueue {
            id: Some("a"),
            ..message(orders, "x")
        };
        let full = world.command(Command::Enqueue(item()));
        world.fail_append(true);
        while world.held.is_some() {
            world.land();
        }
        assert_eq!(refusal(&mut world, full), ErrorCode::StorageFull);
        assert!(world.end(waiting).is_none(), "{guarantee:?}");
        world.hold_appends = false;
        assert_eq!(world.stats(orders).enqueued, 0, "{guarantee:?}");
        world.command(Command::Enqueue(item()));
        world.work_off();
        let told = state_of(world.end(waiting));
        assert_eq!(told, Some(MessageState::Completed), "{guarantee:?}");
    }
}

#[test]
fn waits_end_with_the_box() {
    let (mut world, orders) = world();
    world.enqueue_id(orders, "a", "x");
    let waits = [world.finished(orders, "a"), world.finished(orders, "never")];
    world.request(Request::Close {}).unwrap();
    for ticket in waits {
        assert_eq!(refusal(&mut world, ticket), ErrorCode::Closed);
    }

    let (mut world, orders) = self::world();
    world.enqueue_id(orders, "a", "x");
    let waits = [world.finished(orders, "a"), world.finished(orders, "never")];
    let delivery = world.dequeue(orders, 1).remove(0);
    world.hold_appends = true;
    world.command(Command::Settle(Settle {
        token: delivery.token,
        verdict: Verdict::Ack,
        returned: true,
        result: b"r",
        error: b"",
    }));
    world.fail_append(false);
    for ticket in waits {
        assert_eq!(refusal(&mut world, ticket), ErrorCode::StorageFailed);
    }
}

#[test]
fn a_closing_box_tells_what_still_ends() {
    let (mut world, orders) = world();
    world.worker(orders, 1);
    world.enqueue_id(orders, "a", "x");
    let waiting = world.finished(orders, "a");
    let delivery = world.delivery();
    world.request(Request::Close {}).unwrap();
    assert!(world.end(waiting).is_none());
    let late = world.finished(orders, "never");
    assert_eq!(refusal(&mut world, late), ErrorCode::Closed);
    world.ack(delivery.token);
    assert_eq!(state_of(world.end(waiting)), Some(MessageState::Completed));
}

#[test]
fn more_waits_than_allowed_are_refused() {
    let (mut world, orders) = world();
    let mut last = 0;
    for _ in 0..100_000 {
        last = world.finished(orders, "never");
    }
    let refused = world.finished(orders, "never");
    assert_eq!(refusal(&mut world, refused), ErrorCode::QueueFull);
    let now = ackbox_core::time::Timestamp(world.now);
    world
        .engine
        .handle_command(now, Ticket(last), Command::StopWaiting);
    world.run();
    let taken = world.finished(orders, "never");
    assert!(world.answer(taken).is_none());
    world.enqueue_id(orders, "never", "x");
    end_next(&mut world, orders, Verdict::Ack);
    assert_eq!(state_of(world.end(taken)), Some(MessageState::Completed));
}
