//! Transactions: ends of deliveries and new messages together, or nothing of it. [A5 transaction, S16]

use ackbox_core::command::*;
use ackbox_core::config::{DedupOptions, Guarantee, QueueOptions, WhenFull};
use ackbox_core::effect::{Answer, Delivery, EventKind};
use ackbox_core::error::{ErrorCode, Failure};

use crate::support::{World, body, message};

/// The end of a delivery whose handler runs on.
pub fn end(delivery: &Delivery, verdict: Verdict) -> Settle<'static> {
    Settle {
        token: delivery.token,
        verdict,
        returned: false,
        result: b"",
        error: b"",
    }
}

pub fn ack(delivery: &Delivery) -> Settle<'static> {
    end(delivery, Verdict::Ack)
}

pub fn with_id<'a>(queue: QueueId, id: &'a str, body: &'a str) -> Enqueue<'a> {
    Enqueue {
        id: Some(id),
        ..message(queue, body)
    }
}

/// What a transaction is answered with.
pub fn transact(
    world: &mut World,
    settles: Vec<Settle<'_>>,
    enqueues: Vec<Enqueue<'_>>,
) -> Result<Answer, Failure> {
    let unit = Transaction { settles, enqueues };
    let ticket = world.command(Command::Transaction(unit));
    world.answer(ticket).expect("a transaction is answered")
}

fn refused(world: &mut World, settles: Vec<Settle<'_>>, enqueues: Vec<Enqueue<'_>>) -> Failure {
    transact(world, settles, enqueues).expect_err("it is refused")
}

struct Site {
    world: World,
    orders: QueueId,
    bills: QueueId,
}

/// Two queues, three messages in the first.
fn site(bills: QueueOptions) -> Site {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let bills = world.define("bills", bills);
    for id in ["a", "b", "c"] {
        world.enqueue_id(orders, id, id);
    }
    Site {
        world,
        orders,
        bills,
    }
}

#[test]
fn all_of_it_is_one_frame_that_is_told_when_it_is_durable() {
    let Site {
        mut world,
        orders,
        bills,
    } = site(QueueOptions::default());
    let claimed = world.dequeue(orders, 3);
    let appends = world.appends;
    world.hold_appends = true;
    let unit = Transaction {
        settles: vec![
            Settle {
                result: b"\"paid\"",
                ..ack(&claimed[0])
            },
            end(&claimed[1], Verdict::Reject { delay_ms: Some(7) }),
        ],
        enqueues: vec![message(bills, "1"), with_id(orders, "d", "d")],
    };
    let ticket = world.command(Command::Transaction(unit));
    assert!(world.answer(ticket).is_none() && world.receipts.iter().all(|told| told.0 != ticket));
    assert_eq!(world.appends, appends + 1);
    world.land();
    let told: Vec<u32> = world
        .receipts
        .iter()
        .filter(|told| told.0 == ticket)
        .map(|told| told.1)
        .collect();
    assert_eq!(told, [0, 1]);
    assert!(matches!(world.answer(ticket), Some(Ok(Answer::Value(2)))));
    world.hold_appends = false;
    let mut world = world.reopen();
    let paid = Some((MessageState::Completed, Some("\"paid\"".to_owned())));
    assert_eq!(world.outcome(orders, "a"), paid);
    assert_eq!(world.state(orders, "b"), Some(MessageState::Scheduled));
    assert_eq!(world.state(orders, "d"), Some(MessageState::Ready));
    assert_eq!(world.stats(bills).ready, 1);
}

#[test]
fn a_refusal_leaves_everything_as_it_was() {
    let Site {
        mut world,
        orders,
        bills,
    } = site(QueueOptions {
        max_depth: Some(3),
        dedup: Some(DedupOptions {
            max_entries: Some(1),
            when_full: Some(WhenFull::Reject),
            ..DedupOptions::default()
        }),
        max_result_bytes: Some(1),
        ..QueueOptions::default()
    });
    let once = world.define(
        "once",
        QueueOptions {
            guarantee: Some(Guarantee::AtMostOnce),
            ..QueueOptions::default()
        },
    );
    world.enqueue(once, "x");
    let handed_over = world.dequeue(once, 1).remove(0);
    let bill = world.enqueue(bills, "0");
    let billed = world.dequeue(bills, 1).remove(0);
    let claimed = world.dequeue(orders, 3);
    let [open, settled, lost] = &claimed[..] else {
        panic!("three")
    };
    world.ack(settled.token);
    world.value(Request::Cancel {
        queue: orders,
        id: lost.id.to_string(),
    });
    let disk = world.disk_bytes();
    let two_ids = || vec![with_id(bills, "i", ""), with_id(bills, "j", "")];
    let long = Settle {
        result: b"12",
        ..ack(&billed)
    };
    let large = vec![b' '; 1 << 20];
    let mebibyte = || Enqueue {
        body: &large,
        ..message(orders, "")
    };
    let many = (0..10_000).map(|_| message(orders, "")).collect();
    let nowhere = message(QueueId(99), "");
    let other = with_id(orders, "a", "another");
    let full = vec![message(bills, ""); 3];
    let cases = [
        (vec![settled], vec![], ErrorCode::LeaseLost, "settlement 1"),
        (vec![lost], vec![], ErrorCode::LeaseLost, "settlement 1"),
        (
            vec![open],
            vec![],
            ErrorCode::AlreadySettled,
            "settlement 1",
        ),
        (
            vec![&handed_over],
            vec![],
            ErrorCode::LeaseLost,
            "at-most-once",
        ),
        (vec![], vec![nowhere], ErrorCode::InvalidOption, "item 0"),
        (vec![], full, ErrorCode::QueueFull, "item 2"),
        (
            vec![],
            vec![message(bills, ""), other],
            ErrorCode::IdConflict,
            "item 1",
        ),
        (vec![], two_ids(), ErrorCode::DedupFull, "item 1"),
        (
            vec![],
            vec![mebibyte(); 8],
            ErrorCode::BodyTooLarge,
            "8388608 bytes",
        ),
        (vec![], many, ErrorCode::BodyTooLarge, "10001 items"),
    ];
    for (more, enqueues, code, place) in cases {
        let mut settles = vec![Settle {
            result: b"1",
            ..ack(open)
        }];
        settles.extend(more.into_iter().map(ack));
        let failure = refused(&mut world, settles, enqueues);
        assert_eq!(failure.code, code, "{}", failure.message);
        assert!(failure.message.contains(place), "{}", failure.message);
        world.audit();
    }
    let failure = refused(&mut world, vec![ack(open), long], vec![]);
    assert_eq!(failure.code, ErrorCode::BodyTooLarge);
    assert_eq!(world.disk_bytes(), disk, "nothing was written");
    assert_eq!(world.stats(orders).leased, 1);
    assert_eq!(
        (
            world.stats(bills).enqueued,
            world.stats(bills).dedup_entries
        ),
        (1, 0)
    );
    transact(&mut world, vec![ack(open), ack(&billed)], vec![]).expect("both are still open");
    assert_eq!(world.state(orders, "a"), Some(MessageState::Completed));
    assert!(
        world
            .try_enqueue(with_id(bills, &bill, "0"))
            .expect("known")
            .0
    );
}

#[test]
fn what_is_acknowledged_makes_room_for_what_is_enqueued() {
    let Site {
        mut world, bills, ..
    } = site(QueueOptions {
        max_depth: Some(1),
        max_bytes: Some(10),
        ..QueueOptions::default()
    });
    world.enqueue(bills, "0123456789");
    let first = world.dequeue(bills, 1).remove(0);
    let rejected = vec![end(&first, Verdict::Reject { delay_ms: None })];
    let failure = refused(&mut world, rejected, vec![message(bills, "")]);
    assert_eq!(failure.code, ErrorCode::QueueFull, "it stays");
    let unit = vec![message(bills, "9876543210")];
    transact(&mut world, vec![ack(&first)], unit).expect("it goes");
    let next = world.dequeue(bills, 1).remove(0);
    assert_eq!(body(&next), "9876543210");
    assert_eq!(world.stats(bills).bytes, 10);
    world.audit();
}

#[test]
fn the_id_of_what_is_acknowledged_stays_taken() {
    let Site {
        mut world, orders, ..
    } = site(QueueOptions::default());
    let first = world.dequeue(orders, 1).remove(0);
    let again = vec![
        with_id(orders, "a", "a"),
        with_id(orders, "n", ""),
        with_id(orders, "n", ""),
    ];
    transact(&mut world, vec![ack(&first)], again).expect("taken");
    let told: Vec<bool> = world
        .receipts
        .iter()
        .rev()
        .take(3)
        .map(|told| told.2)
        .collect();
    assert_eq!(told, [true, false, true], "backwards");
    assert_eq!(world.state(orders, "a"), Some(MessageState::Completed));
}

#[test]
fn a_death_in_a_transaction_is_told_to_whom_it_concerns() {
    let mut world = World::new();
    let orders = world.define(
        "orders",
        QueueOptions {
            dead_letter_to: Some("letters".to_owned()),
            ..QueueOptions::default()
        },
    );
    let letters = world.define("letters", QueueOptions::default());
    world.listen(orders);
    world.enqueue_id(orders, "a", "1");
    let first = world.dequeue(orders, 1).remove(0);
    let appends = world.appends;
    let dead = Settle {
        error: br#"{"message":"no"}"#,
        ..end(&first, Verdict::Dead(Reason::Permanent))
    };
    transact(&mut world, vec![dead], vec![message(orders, "2")]).expect("taken");
    assert_eq!(world.appends, appends + 1);
    assert_eq!(world.events_of(EventKind::Dead).len(), 1);
    let letter = world.dequeue(letters, 1).remove(0);
    assert!(
        body(&letter).contains(r#""id":"a","body":1"#),
        "{}",
        body(&letter)
    );
    assert_eq!(world.dead(orders).len(), 1);
    world.audit();
}

#[test]
fn a_handler_that_settled_so_keeps_its_slot_until_it_returns() {
    let Site {
        mut world, orders, ..
    } = site(QueueOptions::default());
    world.worker(orders, 1);
    let first = world.delivery();
    transact(&mut world, vec![ack(&first)], vec![]).expect("taken");
    assert!(world.deliveries.is_empty(), "its handler runs on");
    let failure = refused(&mut world, vec![ack(&first)], vec![]);
    assert_eq!(failure.code, ErrorCode::AlreadySettled);
    world.unanswered(Command::Returned { token: first.token });
    let second = world.delivery();
    let returned = Settle {
        returned: true,
        ..ack(&second)
    };
    let unknown = vec![message(QueueId(99), "")];
    let failure = refused(&mut world, vec![returned.clone()], unknown);
    assert_eq!(failure.code, ErrorCode::InvalidOption);
    assert!(world.deliveries.is_empty(), "its delivery is still open");
    transact(&mut world, vec![returned], vec![]).expect("taken");
    assert_eq!(world.delivery().id.to_string(), "c");
}

#[test]
fn a_group_goes_on_with_what_the_transaction_enqueued() {
    let Site {
        mut world, orders, ..
    } = site(QueueOptions::default());
    let grouped = |body| Enqueue {
        group: Some("g"),
        priority: 1,
        ..message(orders, body)
    };
    world.try_enqueue(grouped("1")).expect("accepted");
    let first = world.dequeue(orders, 1).remove(0);
    assert_eq!(body(&first), "1");
    transact(
        &mut world,
        vec![ack(&first)],
        vec![grouped("2"), grouped("3")],
    )
    .expect("taken");
    let next = world.dequeue(orders, 1).remove(0);
    assert_eq!(body(&next), "2");
    assert_eq!(
        body(&world.dequeue(orders, 1)[0]),
        "a",
        "one of a group at a time"
    );
    world.audit();
}

#[test]
fn nothing_at_all_is_a_transaction_too() {
    let mut world = World::new();
    let disk = world.disk_bytes();
    assert!(matches!(
        transact(&mut world, vec![], vec![]),
        Ok(Answer::Value(0))
    ));
    assert_eq!(world.disk_bytes(), disk);
}
