//! Ends that are behind, of ids that nothing else remembers: the last ones are told in the same run. [A2 finished]

use ackbox_core::command::*;
use ackbox_core::config::{DedupOptions, Guarantee, QueueOptions};
use ackbox_core::error::ErrorCode;
use ackbox_core::time::Timestamp;

use crate::support::{World, message};

type End = (MessageState, Option<u32>, Option<String>);

fn world() -> (World, QueueId) {
    with(QueueOptions::default())
}

fn with(options: QueueOptions) -> (World, QueueId) {
    let mut world = World::new();
    let orders = world.define("orders", options);
    (world, orders)
}

/// How a message ended, as somebody is told who asks now; none if that waits.
fn end(world: &mut World, queue: QueueId, id: &str) -> Option<End> {
    let ticket = world.finished(queue, id);
    let (info, result) = world.end(ticket)?;
    assert_eq!(
        (&*info.id, info.finished_at),
        (id, Some(Timestamp(world.now)))
    );
    Some((info.state, info.attempt, result))
}

fn refusal(world: &mut World, queue: QueueId, id: &str) -> ErrorCode {
    let ticket = world.finished(queue, id);
    let answer = world.answer(ticket).expect("answered at once");
    answer.expect_err("refused").code
}

fn complete(world: &mut World, queue: QueueId, result: &[u8]) {
    let token = world.dequeue(queue, 1)[0].token;
    world
        .settle_with(token, Verdict::Ack, true, result, b"")
        .unwrap();
}

fn cancel(world: &mut World, queue: QueueId, id: &str) {
    let id = id.to_owned();
    assert_eq!(world.value(Request::Cancel { queue, id }), 1);
}

fn completed(attempt: u32, result: &str) -> Option<End> {
    let result = Some(result.to_owned()).filter(|result| !result.is_empty());
    Some((MessageState::Completed, Some(attempt), result))
}

const CANCELLED: Option<End> = Some((MessageState::Cancelled, None, None));

#[test]
fn who_asks_behind_the_end_of_a_generated_id_is_told_in_the_same_run() {
    let (mut world, orders) = world();
    let id = world.enqueue(orders, "x");
    let first = world.dequeue(orders, 1).remove(0);
    let again = Verdict::Reject { delay_ms: Some(0) };
    world.settle(first.token, again).unwrap();
    complete(&mut world, orders, b"result");
    for _ in 0..2 {
        assert_eq!(end(&mut world, orders, &id), completed(2, "result"));
    }
    assert!(world.get(orders, &id).is_none(), "it is not shown");
    let mut world = world.reopen();
    assert_eq!(refusal(&mut world, orders, &id), ErrorCode::NotFound);
}

#[test]
fn ids_that_are_not_remembered_are_told_as_well() {
    let forgetful = DedupOptions {
        window_ms: Some(0),
        ..DedupOptions::default()
    };
    let (mut world, orders) = with(QueueOptions {
        dedup: Some(forgetful),
        ..QueueOptions::default()
    });
    world.enqueue_id(orders, "a", "x");
    complete(&mut world, orders, b"first");
    assert_eq!(end(&mut world, orders, "a"), completed(1, "first"));
    world.enqueue_id(orders, "a", "y");
    assert_eq!(
        end(&mut world, orders, "a"),
        None,
        "the new one is waited for"
    );
    complete(&mut world, orders, b"second");
    assert_eq!(end(&mut world, orders, "a"), completed(1, "second"));
}

#[test]
fn at_most_once_is_told_when_its_handler_is_done() {
    let (mut world, orders) = with(QueueOptions {
        guarantee: Some(Guarantee::AtMostOnce),
        ..QueueOptions::default()
    });
    for verdict in [Verdict::Ack, Verdict::Dead(Reason::Permanent)] {
        let id = world.enqueue(orders, "x");
        let token = world.dequeue(orders, 1)[0].token;
        assert_eq!(end(&mut world, orders, &id), None, "it is being handled");
        let _ = world.settle(token, verdict);
        assert_eq!(end(&mut world, orders, &id), completed(1, ""));
    }
    let id = world.enqueue(orders, "{broken");
    let token = world.dequeue(orders, 1)[0].token;
    let _ = world.settle(token, Verdict::Dead(Reason::Invalid));
    let ticket = world.finished(orders, &id);
    let (info, _) = world.end(ticket).expect("it is dead");
    assert_eq!(info.state, MessageState::Dead);
    let filter = DeadFilter::default();
    world.value(Request::RemoveDead {
        queue: orders,
        filter,
    });
    assert_eq!(
        refusal(&mut world, orders, &id),
        ErrorCode::NotFound,
        "it was never completed"
    );
}

#[test]
fn what_was_withdrawn_is_told_as_cancelled() {
    let (mut world, orders) = world();
    let generated = world.enqueue(orders, "x");
    world.enqueue_id(orders, "a", "x");
    for id in [&*generated, "a"] {
        cancel(&mut world, orders, id);
        assert_eq!(end(&mut world, orders, id), CANCELLED);
    }
    world.enqueue_id(orders, "a", "another");
    assert_eq!(end(&mut world, orders, "a"), None, "another one has the id");
    complete(&mut world, orders, b"result");
    assert_eq!(end(&mut world, orders, "a"), completed(1, "result"));
    let id = "a".to_owned();
    world.value(Request::Forget { queue: orders, id });
    assert_eq!(end(&mut world, orders, "a"), None, "nothing is known of it");
    let others = world.define("others", QueueOptions::default());
    assert_eq!(end(&mut world, others, "a"), None, "of another queue");
}

#[test]
fn what_was_purged_is_told_as_cancelled_before_and_after_it_is_freed() {
    let (mut world, orders) = world();
    let generated = world.enqueue(orders, "x");
    world.enqueue_id(orders, "a", "x");
    let ticket = world.next_ticket();
    let now = Timestamp(world.now);
    let purge = Request::Purge { queue: orders };
    world.engine.handle_request(now, ticket, purge).unwrap();
    for _ in 0..2 {
        for id in [&*generated, "a"] {
            assert_eq!(end(&mut world, orders, id), CANCELLED);
        }
    }
    world.enqueue_id(orders, "a", "another");
    assert_eq!(end(&mut world, orders, "a"), None);
    let mut world = world.reopen();
    assert_eq!(refusal(&mut world, orders, &generated), ErrorCode::NotFound);
}

#[test]
fn an_end_is_told_once_it_is_durable() {
    let (mut world, orders) = world();
    let id = world.enqueue(orders, "x");
    let token = world.dequeue(orders, 1)[0].token;
    world.hold_appends = true;
    world.command(Command::Settle(Settle {
        token,
        verdict: Verdict::Ack,
        returned: true,
        result: b"result",
        error: b"",
    }));
    let asked = world.finished(orders, &id);
    assert!(world.end(asked).is_none());
    world.land();
    let (info, result) = world.end(asked).expect("told");
    assert_eq!(
        (info.state, result.as_deref()),
        (MessageState::Completed, Some("result"))
    );
}

#[test]
fn the_end_of_a_message_that_found_no_room_is_not_told() {
    let (mut world, orders) = world();
    world.hold_appends = true;
    let item = || Enqueue {
        id: Some("a"),
        ..message(orders, "x")
    };
    world.command(Command::Enqueue(item()));
    let id = "a".to_owned();
    world
        .request(Request::Cancel { queue: orders, id })
        .unwrap();
    let asked = world.finished(orders, "a");
    world.fail_append(true);
    while world.held.is_some() {
        world.land();
    }
    world.hold_appends = false;
    assert!(world.end(asked).is_none(), "it was never accepted");
    assert_eq!(end(&mut world, orders, "a"), None);
    world.command(Command::Enqueue(item()));
    complete(&mut world, orders, b"result");
    let (info, _) = world.end(asked).expect("told");
    assert_eq!(info.state, MessageState::Completed);
}

#[test]
fn the_earliest_ends_make_room() {
    let (mut world, orders) = world();
    let ids: Vec<String> = (0..4098)
        .map(|_| {
            let id = world.enqueue(orders, "x");
            complete(&mut world, orders, b"");
            id
        })
        .collect();
    assert_eq!(refusal(&mut world, orders, &ids[1]), ErrorCode::NotFound);
    for id in [&ids[2], &ids[4097]] {
        assert_eq!(end(&mut world, orders, id), completed(1, ""));
    }
}

#[test]
fn results_are_kept_within_a_mebibyte() {
    let (mut world, orders) = with(QueueOptions {
        max_result_bytes: Some(2 << 20),
        ..QueueOptions::default()
    });
    let large = "r".repeat(600 << 10);
    let completed_with = |world: &mut World, result: &str| {
        let id = world.enqueue(orders, "x");
        complete(world, orders, result.as_bytes());
        id
    };
    let first = completed_with(&mut world, &large);
    assert_eq!(end(&mut world, orders, &first), completed(1, &large));
    let second = completed_with(&mut world, &large);
    assert_eq!(refusal(&mut world, orders, &first), ErrorCode::NotFound);
    assert_eq!(end(&mut world, orders, &second), completed(1, &large));
    let over = completed_with(&mut world, &"r".repeat((1 << 20) + 1));
    assert_eq!(
        refusal(&mut world, orders, &over),
        ErrorCode::NotFound,
        "never without its result"
    );
    assert_eq!(end(&mut world, orders, &second), completed(1, &large));
}

#[test]
fn the_end_of_what_was_handed_over_is_told_no_longer_than_its_id_is_remembered() {
    let mut world = World::new();
    let options = QueueOptions {
        guarantee: Some(Guarantee::AtMostOnce),
        dedup: Some(DedupOptions {
            window_ms: Some(100),
            ..DedupOptions::default()
        }),
        ..QueueOptions::default()
    };
    let orders = world.define("orders", options);
    world.worker(orders, 1);
    world.enqueue_id(orders, "a", "x");
    world.work_off();
    for is_told in [true, false] {
        let waiting = world.finished(orders, "a");
        assert_eq!(world.end(waiting).is_some(), is_told);
        world.advance(100);
    }
}
