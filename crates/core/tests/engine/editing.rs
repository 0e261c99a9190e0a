//! Editing dead letters: durable, whole, and nothing but what was to be changed. [A5 dead edit]

use ackbox_core::command::*;
use ackbox_core::config::{Config, DedupOptions, QueueOptions};
use ackbox_core::effect::{Answer, MessageInfo};
use ackbox_core::error::{ErrorCode, Failure};

use crate::support::{Disk, World, body, message};

/// Nothing stays in memory, and cleaning has much to do.
pub fn tight() -> Config {
    Config {
        segment_bytes: 4096,
        max_memory_bytes: 0,
        ..Config::default()
    }
}

/// A box with one dead letter, `a`, of one failed attempt.
pub fn world_with_letter(config: Config) -> (World, QueueId) {
    let mut world = World::with_config(config);
    let orders = world.define("orders", QueueOptions::default());
    world
        .try_enqueue(Enqueue {
            id: Some("a"),
            headers: b"{\"h\":\"1\"}",
            group: Some("g"),
            ..message(orders, "original")
        })
        .unwrap();
    kill(&mut world, orders);
    (world, orders)
}

fn kill(world: &mut World, queue: QueueId) {
    let delivery = world.dequeue(queue, 1).remove(0);
    let verdict = Verdict::Dead(Reason::Permanent);
    world
        .settle_with(delivery.token, verdict, true, b"", br#"{"message":"no"}"#)
        .expect("it is dead");
}

pub fn begin(world: &mut World, queue: QueueId, headers: Option<&str>, body: Option<&str>) -> u64 {
    world.command(Command::EditDead(EditDead {
        queue,
        id: "a",
        headers: headers.map(str::as_bytes),
        body: body.map(str::as_bytes),
    }))
}

pub fn edit(
    world: &mut World,
    queue: QueueId,
    headers: Option<&str>,
    body: Option<&str>,
) -> Result<u64, Failure> {
    let ticket = begin(world, queue, headers, body);
    answered(world, ticket).expect("it is answered")
}

pub fn answered(world: &mut World, ticket: u64) -> Option<Result<u64, Failure>> {
    Some(world.answer(ticket)?.map(|answer| match answer {
        Answer::Value(value) => value,
        other => panic!("expected a value, got {other:?}"),
    }))
}

/// The letter, its headers and its body.
pub fn shown(world: &mut World, queue: QueueId) -> (MessageInfo, String, String) {
    let request = Request::Get {
        queue,
        id: "a".into(),
    };
    let ticket = world.request(request).unwrap();
    let (.., content) = world.bodies.remove(&ticket).unwrap().remove(0);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let info = world.get(queue, "a").expect("it is there");
    (info, text(content.headers()), text(content.body()))
}

fn churn(world: &mut World) {
    let churned = world.define("churned", QueueOptions::default());
    let before = world.box_stats().cleaned_segments;
    for _ in 0..60 {
        let id = world.enqueue(churned, &"x".repeat(300));
        world.value(Request::Cancel { queue: churned, id });
    }
    assert!(world.box_stats().cleaned_segments > before + 2);
}

#[test]
fn what_is_named_changes_and_all_else_stays() {
    for config in [Config::default(), tight()] {
        let (mut world, orders) = world_with_letter(config);
        let (before, ..) = shown(&mut world, orders);
        assert_eq!(edit(&mut world, orders, None, Some("mended")), Ok(1));
        let (info, headers, text) = shown(&mut world, orders);
        assert_eq!(
            (headers.as_str(), text.as_str()),
            ("{\"h\":\"1\"}", "mended")
        );
        assert_eq!(info, before, "reason, error, history and time of death");
        world.audit();
        assert_eq!(edit(&mut world, orders, Some("{}"), None), Ok(1));
        assert_eq!(edit(&mut world, orders, None, None), Ok(1));
        if world.config == tight() {
            churn(&mut world);
        }
        world.audit();
        let mut world = world.reopen();
        let (info, headers, text) = shown(&mut world, orders);
        assert_eq!((headers.as_str(), text.as_str()), ("{}", "mended"));
        assert_eq!(info, before);
        assert_eq!(
            edit(&mut world, orders, Some(""), Some("")),
            Ok(1),
            "moved by cleaning"
        );
        assert_eq!(
            shown(&mut world, orders),
            (before, String::new(), String::new())
        );
        assert_eq!(world.stats(orders).bytes, 1, "its id");
        world.redrive(orders, DeadFilter::default());
        assert_eq!(body(&world.dequeue(orders, 1)[0]), "");
    }
}

#[test]
fn a_redrive_delivers_what_was_edited() {
    let (mut world, orders) = world_with_letter(tight());
    edit(&mut world, orders, None, Some("mended")).unwrap();
    world.redrive(orders, DeadFilter::default());
    let mut world = world.reopen();
    let delivery = world.dequeue(orders, 1).remove(0);
    assert_eq!(
        (body(&delivery), delivery.attempt),
        ("mended".to_owned(), 1)
    );
    world.ack(delivery.token);
    world.audit();
}

#[test]
fn who_enqueues_the_original_again_finds_a_duplicate() {
    let (mut world, orders) = world_with_letter(tight());
    edit(&mut world, orders, None, Some("mended")).unwrap();
    for round in 0..2 {
        assert!(world.enqueue_id(orders, "a", "original").0);
        let conflict = world.try_enqueue(Enqueue {
            id: Some("a"),
            ..message(orders, "mended")
        });
        assert_eq!(
            conflict.unwrap_err().code,
            ErrorCode::IdConflict,
            "round {round}"
        );
        churn(&mut world);
        world = world.reopen();
    }
    world.redrive(orders, DeadFilter::default());
    let delivery = world.dequeue(orders, 1).remove(0);
    world.ack(delivery.token);
    assert!(
        world.enqueue_id(orders, "a", "original").0,
        "through the window"
    );
}

#[test]
fn there_must_be_a_dead_letter_with_this_id() {
    let (mut world, orders) = world_with_letter(Config::default());
    let others = world.define("others", QueueOptions::default());
    assert_eq!(edit(&mut world, others, None, Some("x")), Ok(0));
    world.redrive(orders, DeadFilter::default());
    assert_eq!(edit(&mut world, orders, None, Some("x")), Ok(0), "it waits");
    let delivery = world.dequeue(orders, 1).remove(0);
    assert_eq!(
        edit(&mut world, orders, None, Some("x")),
        Ok(0),
        "it is handled"
    );
    assert_eq!(body(&delivery), "original");
    world.ack(delivery.token);
    assert_eq!(
        edit(&mut world, orders, None, Some("x")),
        Ok(0),
        "it is done"
    );
    let unknown = begin(&mut world, QueueId(9), None, Some("x"));
    let failure = answered(&mut world, unknown).unwrap().unwrap_err();
    assert_eq!(failure.code, ErrorCode::InvalidOption);
}

#[test]
fn limits_hold_for_what_it_grows_by() {
    let (mut world, orders) = world_with_letter(Config::default());
    let limits = |max_body_bytes, max_bytes| QueueOptions {
        max_body_bytes: Some(max_body_bytes),
        max_bytes: Some(max_bytes),
        ..QueueOptions::default()
    };
    world.define("orders", limits(10, 22));
    let failure = edit(&mut world, orders, None, Some("12345678901")).unwrap_err();
    assert_eq!(failure.code, ErrorCode::BodyTooLarge);
    assert_eq!(world.stats(orders).bytes, 1 + 9 + 8);
    assert_eq!(edit(&mut world, orders, None, Some("1234567890")), Ok(1));
    let failure = edit(&mut world, orders, Some("12345678901234"), None).unwrap_err();
    assert_eq!(failure.code, ErrorCode::QueueFull);
    assert_eq!(
        edit(&mut world, orders, Some("123456789012"), Some("123456789")),
        Ok(1)
    );
    assert_eq!(world.stats(orders).bytes, 22);
    world.define("orders", limits(10, 5));
    assert_eq!(
        edit(&mut world, orders, None, Some("12345678")),
        Ok(1),
        "it shrinks"
    );
    world.audit();
}

#[test]
fn a_damaged_letter_is_not_edited() {
    let (world, orders) = world_with_letter(tight());
    let mut disk: Disk = world.crash();
    let bytes = disk.get_mut(&1).unwrap();
    let at = bytes
        .windows(8)
        .position(|part| part == b"original")
        .unwrap();
    let mut world = World::open(disk.clone(), crate::support::T0, tight()).unwrap();
    world.disk.get_mut(&1).unwrap()[at] ^= 1;
    let failure = edit(&mut world, orders, None, Some("x")).unwrap_err();
    assert_eq!(
        (failure.code, failure.segment),
        (ErrorCode::Corrupt, Some(1))
    );
    assert_eq!(world.state(orders, "a"), Some(MessageState::Dead));
    churn(&mut world);
    let info = world.get(orders, "a").unwrap();
    assert_eq!(info.reason, Some(Reason::Corrupt));
    let failure = edit(&mut world, orders, Some("x"), Some("x")).unwrap_err();
    assert_eq!(failure.code, ErrorCode::Corrupt);
    world.audit();
}

#[test]
fn it_is_told_when_it_is_durable_and_a_crash_before_leaves_the_original() {
    let (mut world, orders) = world_with_letter(tight());
    world.hold_appends = true;
    let ticket = begin(&mut world, orders, None, Some("mended"));
    assert_eq!(answered(&mut world, ticket), None);
    let (segment, bytes) = world.held.clone().unwrap();
    for written in (0..=bytes.len()).step_by(5).chain([bytes.len()]) {
        let mut disk = world.disk.clone();
        disk.entry(segment).or_default().extend(&bytes[..written]);
        let mut other = World::open(disk, world.now, tight()).unwrap();
        let (.., text) = shown(&mut other, orders);
        let expected = if written == bytes.len() {
            "mended"
        } else {
            "original"
        };
        assert_eq!(text, expected, "{written} of {} bytes", bytes.len());
    }
    world.hold_appends = false;
    world.land();
    assert_eq!(answered(&mut world, ticket), Some(Ok(1)));
}

#[test]
fn edits_of_one_letter_follow_each_other() {
    let (mut world, orders) = world_with_letter(tight());
    world.hold_appends = true;
    world.hold_reads = true;
    let first = begin(&mut world, orders, Some("{}"), None);
    let second = begin(&mut world, orders, None, Some("mended"));
    let count = world
        .request(Request::DeadCount {
            queue: orders,
            filter: DeadFilter {
                reason: Some(Reason::Permanent),
                ..DeadFilter::default()
            },
        })
        .unwrap();
    world.hold_reads = false;
    world.answer_reads();
    assert_eq!(answered(&mut world, first), None);
    assert_eq!(
        answered(&mut world, count),
        None,
        "jobs are done in their order"
    );
    world.hold_appends = false;
    world.land();
    for ticket in [first, second, count] {
        assert_eq!(answered(&mut world, ticket), Some(Ok(1)));
    }
    let (_, headers, text) = shown(&mut world, orders);
    assert_eq!((headers.as_str(), text.as_str()), ("{}", "mended"));
    world.audit();
}

#[test]
fn it_and_cleaning_do_not_undo_each_other() {
    let (mut world, orders) = world_with_letter(tight());
    let churned = world.define("churned", QueueOptions::default());
    for round in 0..80 {
        world.hold_reads = round % 2 == 0;
        let id = world.enqueue(churned, &"x".repeat(300));
        world.value(Request::Cancel { queue: churned, id });
        let text = format!("round {round}");
        let ticket = begin(&mut world, orders, None, Some(&text));
        world.hold_reads = false;
        world.answer_reads();
        assert_eq!(answered(&mut world, ticket), Some(Ok(1)), "{text}");
        let (info, _, now) = shown(&mut world, orders);
        assert_eq!(
            (now, info.error.as_deref()),
            (text, Some(r#"{"message":"no"}"#))
        );
        assert_eq!(info.history.len(), 1);
        world.audit();
    }
    assert!(world.box_stats().cleaned_segments > 5);
}

#[test]
fn a_letter_that_died_again_just_now_keeps_its_new_death() {
    let (mut world, orders) = world_with_letter(Config::default());
    edit(&mut world, orders, None, Some("once")).unwrap();
    world.redrive(orders, DeadFilter::default());
    let delivery = world.dequeue(orders, 1).remove(0);
    world.hold_appends = true;
    world.unanswered(Command::Settle(Settle {
        token: delivery.token,
        verdict: Verdict::Dead(Reason::Permanent),
        returned: true,
        result: b"",
        error: b"again",
    }));
    let ticket = begin(&mut world, orders, None, Some("twice"));
    while world.held.is_some() {
        world.land();
    }
    assert!(matches!(answered(&mut world, ticket), Some(Ok(1))));
    world.hold_appends = false;
    for _ in 0..2 {
        let (letter, _, body) = shown(&mut world, orders);
        assert_eq!(body, "twice");
        assert_eq!(letter.error.as_deref(), Some("again"));
        assert_eq!(letter.history[0].error.as_deref(), Some("again"));
        world = world.reopen();
    }
}

#[test]
fn cleaning_that_began_beside_it_is_waited_for() {
    let (mut world, orders) = world_with_letter(tight());
    let churned = world.define("churned", QueueOptions::default());
    let mut overtaken = 0;
    for round in 0..120 {
        world.hold_reads = true;
        let (headers, text) = (format!("{{\"h\":\"{round}\"}}"), format!("round {round}"));
        let first = begin(&mut world, orders, Some(&headers), None);
        let second = begin(&mut world, orders, None, Some(&text));
        let id = world.enqueue(churned, &"x".repeat(300));
        world.value(Request::Cancel { queue: churned, id });
        if world.held_reads.len() == 2 {
            // Cleaning has its answer first, and is on its way to the storage when the edit has its own.
            overtaken += 1;
            world.hold_appends = true;
            let read = world.held_reads.pop_front().unwrap();
            world.answer_reads();
            world.held_reads.push_front(read);
            world.answer_reads();
            world.land();
            world.hold_appends = false;
            if world.held.is_some() {
                world.land();
            }
        }
        world.hold_reads = false;
        world.answer_reads();
        for ticket in [first, second] {
            assert_eq!(answered(&mut world, ticket), Some(Ok(1)), "{text}");
        }
        let (_, shown_headers, shown_text) = shown(&mut world, orders);
        assert_eq!((shown_headers, shown_text), (headers, text));
        world.audit();
    }
    assert!(overtaken > 2, "{overtaken}");
}

#[test]
fn what_is_read_for_it_may_go_meanwhile() {
    let gone: [fn(&mut World, QueueId); 2] = [
        |world, orders| {
            let filter = DeadFilter::default();
            drop(world.request(Request::Redrive {
                queue: orders,
                filter,
                to: None,
                per_second_milli: Some(1000),
                forget_steps: false,
            }));
        },
        |world, _| world.advance(1000),
    ];
    for take_away in gone {
        let (mut world, orders) = world_with_letter(tight());
        let retained = QueueOptions {
            dead: Some(ackbox_core::config::DeadOptions {
                retain_ms: Some(1000),
            }),
            ..QueueOptions::default()
        };
        world.define("orders", retained);
        world.hold_reads = true;
        let ticket = begin(&mut world, orders, None, Some("mended"));
        take_away(&mut world, orders);
        world.hold_reads = false;
        world.answer_reads();
        assert_eq!(answered(&mut world, ticket), Some(Ok(0)));
        assert_eq!(world.stats(orders).dead_letters, 0);
        world.audit();
    }
}

#[test]
fn it_reads_again_what_memory_let_go_of_meanwhile() {
    // The letter died a moment ago: its error is in memory until the record of its death is durable.
    let mut world = World::with_config(tight());
    let orders = world.define("orders", QueueOptions::default());
    world.enqueue_id(orders, "a", "original");
    let delivery = world.dequeue(orders, 1).remove(0);
    world.hold_appends = true;
    let settle = Settle {
        token: delivery.token,
        verdict: Verdict::Dead(Reason::Permanent),
        returned: true,
        result: b"",
        error: b"why",
    };
    world.command(Command::Settle(settle));
    world.hold_reads = true;
    let ticket = begin(&mut world, orders, None, Some("mended"));
    world.hold_appends = false;
    world.land();
    world.hold_reads = false;
    world.answer_reads();
    world.answer_reads();
    assert_eq!(answered(&mut world, ticket), Some(Ok(1)));
    let (info, _, text) = shown(&mut world, orders);
    assert_eq!(
        (text.as_str(), info.error.as_deref(), info.history.len()),
        ("mended", Some("why"), 1)
    );
    world.audit();
}

#[test]
fn what_waits_is_limited() {
    let (mut world, orders) = world_with_letter(Config::default());
    world.define(
        "orders",
        QueueOptions {
            max_body_bytes: Some(8 << 20),
            dedup: Some(DedupOptions::default()),
            ..QueueOptions::default()
        },
    );
    world.hold_appends = true;
    let large = "x".repeat(8 << 20);
    let tickets: Vec<u64> = (0..10)
        .map(|_| begin(&mut world, orders, None, Some(&large)))
        .collect();
    let failure = answered(&mut world, tickets[9]).unwrap().unwrap_err();
    assert_eq!(failure.code, ErrorCode::QueueFull);
    world.hold_appends = false;
    world.land();
    for ticket in &tickets[..9] {
        assert_eq!(answered(&mut world, *ticket), Some(Ok(1)));
    }
    assert_eq!(edit(&mut world, orders, None, Some("small")), Ok(1));
}
