//! Steps of a handler: recorded durably, asked for by later deliveries, gone with their message. [S15]

use ackbox_core::command::*;
use ackbox_core::config::{Guarantee, QueueOptions};
use ackbox_core::effect::{Answer, Object};
use ackbox_core::error::ErrorCode;
use ackbox_core::policy::backoff::{Backoff, Jitter};

use crate::support::{World, message};

fn at_once() -> QueueOptions {
    QueueOptions {
        backoff: Some(Backoff::Constant {
            ms: 0,
            jitter: Jitter::None,
        }),
        ..QueueOptions::default()
    }
}

/// A world with a queue and one message, which was delivered.
fn delivered(options: QueueOptions) -> (World, QueueId, Token) {
    let mut world = World::new();
    let orders = world.define("orders", options);
    world.enqueue_id(orders, "a", "body");
    let token = world.dequeue(orders, 1).remove(0).token;
    (world, orders, token)
}

#[test]
fn what_a_step_gave_is_told_to_later_deliveries() {
    let (mut world, orders, token) = delivered(at_once());
    assert_eq!(world.recall(token, "charge"), Ok(None));
    world.record(token, "charge", Some("receipt 7")).unwrap();
    world.record(token, "notify", None).unwrap();
    world.record(token, "empty", Some("")).unwrap();
    world.reject(token);
    let second = world.dequeue(orders, 1).remove(0);
    assert_eq!((second.attempt, second.steps), (2, 3));
    let value = |text: &str| Ok(Some(Some(text.to_owned())));
    assert_eq!(world.recall(second.token, "charge"), value("receipt 7"));
    assert_eq!(world.recall(second.token, "notify"), Ok(Some(None)));
    assert_eq!(world.recall(second.token, "empty"), value(""));
    assert_eq!(world.recall(second.token, "ship"), Ok(None));
    assert_eq!(world.reads, 3 - 1, "what a step gave is not kept in memory");
}

#[test]
fn a_record_is_confirmed_once_it_is_durable() {
    let (mut world, _, token) = delivered(at_once());
    world.hold_appends = true;
    let ticket = world.command(Command::RecordStep(RecordStep {
        token,
        name: "charge",
        result: Some(b"7"),
    }));
    assert!(world.answer(ticket).is_none(), "told before it is durable");
    world.land();
    assert!(matches!(world.answer(ticket), Some(Ok(Answer::Value(0)))));
}

#[test]
fn steps_survive_whatever_ends_a_delivery() {
    type End = fn(World, QueueId, Token) -> World;
    let ends: [(&str, End); 5] = [
        ("a failure", |mut world, _, token| {
            world.reject(token);
            world
        }),
        ("a return", |mut world, _, token| {
            world.settle(token, Verdict::Return).unwrap();
            world
        }),
        ("a lost lease", |mut world, _, _| {
            world.advance(31_000);
            world
        }),
        ("a dead owner", |world, _, _| world.reopen()),
        ("a redrive", |mut world, orders, token| {
            world
                .settle(token, Verdict::Dead(Reason::Permanent))
                .unwrap();
            world.redrive(orders, DeadFilter::default());
            world
        }),
    ];
    for (what, end) in ends {
        let (mut world, orders, token) = delivered(at_once());
        world.record(token, "charge", Some("7")).unwrap();
        world = end(world, orders, token).reopen();
        let again = world.dequeue(orders, 1).remove(0);
        assert_eq!(again.steps, 1, "after {what}");
        let told = world.recall(again.token, "charge");
        assert_eq!(told, Ok(Some(Some("7".into()))), "after {what}");
        world.record(again.token, "ship", None).unwrap();
        world.reject(again.token);
        world.audit();
    }
}

#[test]
fn steps_are_fenced_like_settlements() {
    let (mut world, orders, token) = delivered(at_once());
    world.advance(31_000);
    let code = |result: Result<_, ackbox_core::error::Failure>| result.map_err(|why| why.code);
    assert_eq!(
        code(world.record(token, "a", None)),
        Err(ErrorCode::LeaseLost)
    );
    assert_eq!(
        world.recall(token, "a").map_err(|why| why.code),
        Err(ErrorCode::LeaseLost)
    );
    let worker = world.worker(orders, 1);
    let running = world.delivery().token;
    world
        .settle_with(running, Verdict::Ack, false, b"", b"")
        .unwrap();
    let settled = ErrorCode::AlreadySettled;
    assert_eq!(code(world.record(running, "a", None)), Err(settled));
    world.unanswered(Command::Returned { token: running });
    world.at_once(Request::PauseWorker { worker });
    assert_eq!(
        code(world.record(Token(9), "a", None)),
        Err(ErrorCode::LeaseLost)
    );
    world.audit();
}

#[test]
fn at_most_once_has_no_steps() {
    let (mut world, orders, token) = delivered(at_once());
    world.record(token, "charge", Some("7")).unwrap();
    world.settle(token, Verdict::Return).unwrap();
    world.define(
        "orders",
        QueueOptions {
            guarantee: Some(Guarantee::AtMostOnce),
            ..QueueOptions::default()
        },
    );
    let handed_over = world.dequeue(orders, 1).remove(0);
    assert!(handed_over.handed_over);
    assert_eq!(handed_over.steps, 0);
    let refused = world.record(handed_over.token, "ship", None).unwrap_err();
    assert_eq!(refused.code, ErrorCode::LeaseLost);
    world.audit();
}

#[test]
fn names_results_and_numbers_of_steps_have_limits() {
    let options = QueueOptions {
        max_body_bytes: Some(2 << 20),
        ..at_once()
    };
    let (mut world, _, token) = delivered(options);
    let refused = |world: &mut World, name: &str, result: &str| {
        let failure = world.record(token, name, Some(result)).unwrap_err();
        (failure.code, failure.message)
    };
    let large = "x".repeat(2 << 20);
    assert_eq!(refused(&mut world, "", "7").0, ErrorCode::InvalidOption);
    assert_eq!(
        refused(&mut world, &"n".repeat(257), "7").0,
        ErrorCode::InvalidOption
    );
    let (code, message) = refused(&mut world, "large", &format!("{large}x"));
    assert_eq!(code, ErrorCode::BodyTooLarge);
    assert!(
        message.contains("2097152") && message.contains("2097153"),
        "{message}"
    );
    world.record(token, "charge", Some("7")).unwrap();
    let (code, message) = refused(&mut world, "charge", "8");
    assert_eq!(code, ErrorCode::InvalidOption);
    assert!(
        message.contains("'charge'") && message.contains("'a'"),
        "{message}"
    );
    for step in 1..1024 {
        world.record(token, &format!("step {step}"), None).unwrap();
    }
    let (code, message) = refused(&mut world, "one more", "");
    assert_eq!(code, ErrorCode::InvalidOption);
    assert!(message.contains("1024"), "{message}");
    let asked = world.recall(token, "one more").unwrap_err();
    assert_eq!((asked.code, asked.message), (code, message));
    let told = world.recall(token, "charge");
    assert_eq!(told, Ok(Some(Some("7".into()))), "what is recorded is told");
    world.audit();
}

#[test]
fn whoever_asks_hears_that_the_steps_of_a_message_are_full_before_it_runs_one_more() {
    let options = QueueOptions {
        max_body_bytes: Some(8 << 20),
        ..at_once()
    };
    let (mut world, orders, token) = delivered(options);
    let nearly = "x".repeat((8 << 20) - "1".len() - 1);
    world.record(token, "1", Some(&nearly)).unwrap();
    assert_eq!(world.recall(token, "2"), Ok(None), "a byte is left");
    // The largest result under the longest name: what began is recorded.
    let name = "n".repeat(256);
    let largest = "x".repeat(8 << 20);
    world.record(token, &name, Some(&largest)).unwrap();
    let full = world.recall(token, "3").unwrap_err();
    assert_eq!(full.code, ErrorCode::BodyTooLarge);
    assert!(
        full.message.contains("'3'") && full.message.contains("8388608"),
        "{}",
        full.message
    );
    // One that ran side by side with those.
    world.record(token, "", None).unwrap_err();
    world.record(token, "4", None).unwrap();
    let refused = world.record(token, "5", None).unwrap_err();
    assert_eq!(refused.code, ErrorCode::BodyTooLarge);
    assert!(refused.message.contains("16777472"), "{}", refused.message);
    world.reject(token);
    let mut world = world.reopen();
    let again = world.dequeue(orders, 1).remove(0);
    assert_eq!(again.steps, 3);
    let told = world.recall(again.token, &name);
    assert_eq!(told, Ok(Some(Some(largest))));
    world.recall(again.token, "3").unwrap_err();
    world.audit();
}

#[test]
fn steps_go_with_their_message() {
    type End = fn(&mut World, QueueId, Token);
    let ends: [(&str, End); 4] = [
        ("completed", |world, _, token| world.ack(token)),
        ("cancelled", |world, orders, _| {
            let id = "a".to_owned();
            world.value(Request::Cancel { queue: orders, id });
        }),
        ("removed", |world, orders, token| {
            world
                .settle(token, Verdict::Dead(Reason::Permanent))
                .unwrap();
            let filter = DeadFilter::default();
            world.value(Request::RemoveDead {
                queue: orders,
                filter,
            });
        }),
        ("purged", |world, orders, token| {
            world.settle(token, Verdict::Return).unwrap();
            world.value(Request::Purge { queue: orders });
        }),
    ];
    for (what, end) in ends {
        let (mut world, orders, token) = delivered(at_once());
        world.record(token, "charge", Some("7")).unwrap();
        end(&mut world, orders, token);
        let id = "a".to_owned();
        world.value(Request::Forget { queue: orders, id });
        assert_eq!(world.box_stats().live_bytes, 0, "{what}");
        world.enqueue_id(orders, "a", "other");
        let other = world.dequeue(orders, 1).remove(0);
        assert_eq!(other.steps, 0, "{what}");
        assert_eq!(world.recall(other.token, "charge"), Ok(None), "{what}");
        world.settle(other.token, Verdict::Return).unwrap();
        world.audit();
    }
}

#[test]
fn a_redrive_keeps_steps_or_forgets_them() {
    for how in ["all", "each", "elsewhere"] {
        for forget_steps in [false, true] {
            let (mut world, orders, token) = delivered(at_once());
            let others = world.define("others", at_once());
            world.record(token, "charge", Some("7")).unwrap();
            world
                .settle(token, Verdict::Dead(Reason::Permanent))
                .unwrap();
            let redrive = Request::Redrive {
                queue: orders,
                filter: DeadFilter {
                    after: (how == "each").then_some(ackbox_core::time::Timestamp(0)),
                    ..DeadFilter::default()
                },
                to: (how == "elsewhere").then(|| "others".to_owned()),
                per_second_milli: None,
                forget_steps,
            };
            assert!(matches!(world.object(redrive), Object::Redriven(_)));
            world.audit();
            let queue = if how == "elsewhere" { others } else { orders };
            let again = world.dequeue(queue, 1).remove(0);
            let expected = (!forget_steps).then(|| Some("7".to_owned()));
            assert_eq!(world.recall(again.token, "charge"), Ok(expected), "{how}");
            if forget_steps {
                world.record(again.token, "charge", Some("8")).unwrap();
                world.reject(again.token);
                world = world.reopen();
                let third = world.dequeue(queue, 1).remove(0);
                let told = world.recall(third.token, "charge");
                assert_eq!(told, Ok(Some(Some("8".into()))), "{how}");
            }
        }
    }
}

#[test]
fn steps_that_were_forgotten_leave_all_of_their_room() {
    let options = QueueOptions {
        max_body_bytes: Some(8 << 20),
        ..at_once()
    };
    let (mut world, orders, token) = delivered(options);
    let nearly = "x".repeat((8 << 20) - "1".len() - 1);
    world.record(token, "1", Some(&nearly)).unwrap();
    world
        .settle(token, Verdict::Dead(Reason::Permanent))
        .unwrap();
    let redrive = Request::Redrive {
        queue: orders,
        filter: DeadFilter::default(),
        to: None,
        per_second_milli: None,
        forget_steps: true,
    };
    assert!(matches!(world.object(redrive), Object::Redriven(_)));
    let again = world.dequeue(orders, 1).remove(0).token;
    world.record(again, "1", Some(&nearly)).unwrap();
    assert_eq!(world.recall(again, "2"), Ok(None), "a byte is left");
}

#[test]
fn a_key_names_a_step_of_one_message_for_ever() {
    let (mut world, orders, token) = delivered(at_once());
    world.enqueue_id(orders, "b", "body");
    let other = world.dequeue(orders, 1).remove(0);
    let key = |world: &mut World, number, run, name: &str| match world.at_once(Request::StepKey {
        number,
        run,
        name: name.to_owned(),
    }) {
        Object::StepKey(step) => step.key,
        object => panic!("expected a key, got {object:?}"),
    };
    world
        .settle(token, Verdict::Dead(Reason::Permanent))
        .unwrap();
    world.redrive(orders, DeadFilter::default());
    let first = world.dequeue(orders, 1).remove(0);
    let charge = key(&mut world, first.number, first.run, "charge");
    assert_eq!(charge.len(), 32);
    assert!(charge.bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_ne!(charge, key(&mut world, first.number, first.run, "charg"));
    assert_ne!(charge, key(&mut world, other.number, other.run, "charge"));
    world.ack(other.token);
    world.reject(first.token);
    world = world.reopen();
    let again = world.dequeue(orders, 1).remove(0);
    assert_eq!((again.number, again.run), (first.number, first.run));
    assert_eq!(charge, key(&mut world, again.number, again.run, "charge"));
    let elsewhere = World::open_with(Default::default(), world.now, world.config.clone(), [9; 32]);
    let mut elsewhere = elsewhere.unwrap();
    assert_ne!(
        charge,
        key(&mut elsewhere, again.number, again.run, "charge")
    );
}

#[test]
fn steps_are_shown_with_their_message() {
    let (mut world, orders, token) = delivered(at_once());
    world.record(token, "charge", Some("7")).unwrap();
    world.record(token, "notify", None).unwrap();
    let expected = [("charge".into(), Some("7".into())), ("notify".into(), None)];
    assert_eq!(
        world.shown_steps(Request::Get {
            queue: orders,
            id: "a".into()
        }),
        expected
    );
    world
        .settle(token, Verdict::Dead(Reason::Permanent))
        .unwrap();
    let page = Request::DeadPage {
        queue: orders,
        filter: DeadFilter::default(),
        after: None,
        limit: 10,
    };
    assert_eq!(world.shown_steps(page.clone()), expected);
    let mut world = world.reopen();
    assert_eq!(world.shown_steps(page), expected);
    assert!(
        world.peek(orders, None)[0].steps.is_none(),
        "a peek shows none"
    );
}

#[test]
fn a_message_without_steps_says_so() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.try_enqueue(message(orders, "x")).unwrap();
    let delivery = world.dequeue(orders, 1).remove(0);
    assert_eq!(delivery.steps, 0);
    let id = delivery.id.to_string();
    assert_eq!(world.get(orders, &id).unwrap().steps, Some(Vec::new()));
}

#[test]
fn a_message_has_as_much_room_for_steps_in_the_next_run() {
    let (mut world, orders, token) = delivered(QueueOptions {
        max_body_bytes: Some(1 << 20),
        ..at_once()
    });
    let result = "x".repeat(500_000);
    let name = |step: u32| format!("{step}").repeat(200);
    for step in 1..3 {
        world.record(token, &name(step), Some(&result)).unwrap();
    }
    let mut world = world.reopen();
    let token = world.dequeue(orders, 1).remove(0).token;
    world.record(token, &name(3), Some(&result)).unwrap();
    for step in 1..4 {
        let told = world.recall(token, &name(step));
        assert_eq!(told, Ok(Some(Some(result.clone()))));
    }
    world.audit();
}
