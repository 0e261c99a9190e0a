//! Transactions cut off by a crash at any byte, and by storages that fail. [A5 transaction, A2 enqueueMany, A8 clean]

use ackbox_core::command::*;
use ackbox_core::config::QueueOptions;
use ackbox_core::effect::Notice;
use ackbox_core::error::ErrorCode;

use crate::support::{Disk, World, message};
use crate::transactions::{ack, end, with_id};

struct Site {
    world: World,
    orders: QueueId,
    bills: QueueId,
}

/// Two queues, of which the first has three messages; appends are held.
fn site() -> Site {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let bills = world.define("bills", QueueOptions::default());
    for id in ["a", "b", "c"] {
        world.enqueue_id(orders, id, id);
    }
    Site {
        world,
        orders,
        bills,
    }
}

/// Every disk that a crash within the append in flight may leave, from the untouched one to the whole.
fn cuts(world: &World) -> impl Iterator<Item = (bool, Disk)> + use<> {
    let (segment, bytes) = world.held.clone().expect("an append is held");
    let before = world.disk.clone();
    (0..=bytes.len()).map(move |written| {
        let mut disk = before.clone();
        disk.entry(segment).or_default().extend(&bytes[..written]);
        (written == bytes.len(), disk)
    })
}

fn reopened(world: &World, disk: Disk) -> World {
    World::open(disk, world.now, world.config.clone()).expect("what a crash leaves can be opened")
}

#[test]
fn a_crash_at_any_byte_leaves_all_of_a_transaction_or_nothing() {
    let Site {
        mut world,
        orders,
        bills,
    } = site();
    let claimed = world.dequeue(orders, 3);
    world.hold_appends = true;
    world.command(Command::Transaction(Transaction {
        settles: vec![
            ack(&claimed[0]),
            end(&claimed[1], Verdict::Dead(Reason::Permanent)),
            end(&claimed[2], Verdict::Reject { delay_ms: Some(9) }),
        ],
        enqueues: vec![with_id(bills, "1", "1"), with_id(orders, "d", "d")],
    }));
    for (whole, disk) in cuts(&world) {
        let mut found = reopened(&world, disk);
        let states = ["a", "b", "c", "d"].map(|id| found.state(orders, id));
        let bill = found.state(bills, "1");
        if whole {
            let [done, dead] = [MessageState::Completed, MessageState::Dead].map(Some);
            let [later, ready] = [MessageState::Scheduled, MessageState::Ready].map(Some);
            assert_eq!((states, bill), ([done, dead, later, ready], ready));
        } else {
            let ready = Some(MessageState::Ready);
            assert_eq!((states, bill), ([ready, ready, ready, None], None));
        }
    }
}

#[test]
fn a_crash_at_any_byte_leaves_all_of_a_batch_or_nothing() {
    let Site {
        mut world, bills, ..
    } = site();
    world.hold_appends = true;
    let bodies: Vec<String> = (0..20).map(|body| body.to_string()).collect();
    let items = bodies.iter().map(|body| message(bills, body)).collect();
    world.command(Command::EnqueueMany(items));
    for (whole, disk) in cuts(&world) {
        let mut found = reopened(&world, disk);
        assert_eq!(found.stats(bills).ready, if whole { 20 } else { 0 });
    }
}

#[test]
fn a_batch_behind_much_else_is_not_torn_apart_by_the_size_of_a_frame() {
    let Site {
        mut world, bills, ..
    } = site();
    world.hold_appends = true;
    let mebibyte = " ".repeat(1 << 20);
    // Held back behind the first: a frame is closed at 4 MiB, and a batch may be twice as long.
    for _ in 0..4 {
        world.command(Command::Enqueue(message(bills, &mebibyte)));
    }
    let ticket = world.command(Command::EnqueueMany(vec![message(bills, &mebibyte); 7]));
    loop {
        let told = world
            .receipts
            .iter()
            .filter(|told| told.0 == ticket)
            .count();
        let depth = reopened(&world, world.disk.clone()).stats(bills).ready;
        assert_eq!(told > 0, depth == 11, "{told} told, {depth} durable");
        assert!(told == 0 || told == 7);
        assert!(depth <= 4 || depth == 11, "{depth}");
        if world.held.is_none() {
            break;
        }
        world.land();
    }
}

#[test]
fn what_waits_when_the_storage_fails_is_refused_once_with_its_ids() {
    let Site {
        mut world,
        orders,
        bills,
    } = site();
    let claimed = world.dequeue(orders, 2);
    world.hold_appends = true;
    let unit = |settles, enqueues| Command::Transaction(Transaction { settles, enqueues });
    let both = world.command(unit(
        vec![ack(&claimed[0])],
        vec![with_id(bills, "1", ""), with_id(bills, "2", "")],
    ));
    let ends = world.command(unit(vec![ack(&claimed[1])], vec![]));
    world.fail_append(false);
    let failure = world.answer(both).expect("answered").expect_err("refused");
    assert_eq!(failure.code, ErrorCode::StorageFailed);
    assert_eq!(
        (failure.id.as_deref(), failure.ids),
        (Some("1"), vec!["1".to_owned(), "2".to_owned()])
    );
    let failure = world.answer(ends).expect("answered").expect_err("refused");
    assert_eq!((failure.code, failure.id), (ErrorCode::StorageFailed, None));
}

#[test]
fn without_room_the_enqueues_of_a_transaction_are_refused_together() {
    let Site {
        mut world, bills, ..
    } = site();
    world.hold_appends = true;
    let ticket = world.command(Command::Transaction(Transaction {
        settles: vec![],
        enqueues: vec![with_id(bills, "1", ""), with_id(bills, "2", "")],
    }));
    world.fail_append(true);
    let failure = world
        .answer(ticket)
        .expect("answered")
        .expect_err("refused");
    assert_eq!(failure.code, ErrorCode::StorageFull);
    assert_eq!(world.stats(bills).ready, 0);
    assert!(world.held.is_none() && world.receipts.iter().all(|told| told.0 != ticket));
    world.hold_appends = false;
    assert!(!world.enqueue_id(bills, "1", "other").0, "its id is free");
    world.audit();
}

#[test]
fn without_room_a_transaction_with_settlements_is_tried_again() {
    let Site {
        mut world,
        orders,
        bills,
    } = site();
    let first = world.dequeue(orders, 1).remove(0);
    world.hold_appends = true;
    let refused = world.command(Command::Enqueue(message(orders, "d")));
    let ticket = world.command(Command::Transaction(Transaction {
        settles: vec![ack(&first)],
        enqueues: vec![with_id(bills, "1", "")],
    }));
    world.fail_append(true);
    assert!(world.answer(refused).expect("answered").is_err());
    assert!(
        world.answer(ticket).is_none(),
        "it waits for its second try"
    );
    world.land();
    assert!(world.answer(ticket).expect("answered").is_ok());
    world.hold_appends = false;
    assert_eq!(world.state(orders, "a"), Some(MessageState::Completed));
    assert_eq!(world.state(bills, "1"), Some(MessageState::Ready));
    world.audit();
}

/// A transaction that settles and enqueues, alone in an append that finds no room.
fn alone_without_room() -> (Site, u64) {
    let mut site = site();
    let first = site.world.dequeue(site.orders, 1).remove(0);
    site.world.hold_appends = true;
    let ticket = site.world.command(Command::Transaction(Transaction {
        settles: vec![ack(&first)],
        enqueues: vec![with_id(site.bills, "1", "")],
    }));
    site.world.fail_append(true);
    (site, ticket)
}

fn is_failed(world: &World) -> bool {
    let failed = |notice: &Notice| matches!(notice, Notice::Failed { .. });
    world.notices.iter().any(failed)
}

#[test]
fn without_room_a_transaction_with_settlements_alone_waits_for_it() {
    let (site, ticket) = alone_without_room();
    let (mut world, orders, bills) = (site.world, site.orders, site.bills);
    for _ in 0..3 {
        assert!(!is_failed(&world) && world.answer(ticket).is_none());
        world.advance(999);
        assert!(world.held.is_none(), "it is tried once a second");
        world.advance(1);
        world.fail_append(true);
    }
    // A message takes it along, and is refused.
    let refused = world.command(Command::Enqueue(message(orders, "d")));
    world.fail_append(true);
    assert!(world.answer(refused).expect("answered").is_err());
    world.fail_append(true);
    assert!(world.held.is_none() && world.answer(ticket).is_none());
    world.advance(1_000);
    world.land();
    assert!(world.answer(ticket).expect("answered").is_ok());
    world.hold_appends = false;
    assert_eq!(world.state(orders, "a"), Some(MessageState::Completed));
    assert_eq!(world.state(bills, "1"), Some(MessageState::Ready));
    world.audit();
}

#[test]
fn what_waits_for_room_when_a_box_is_closed_or_dies_has_not_happened() {
    for closes in [true, false] {
        let (site, ticket) = alone_without_room();
        let (mut world, orders, bills) = (site.world, site.orders, site.bills);
        if closes {
            let closing = world.request(Request::Close {}).unwrap();
            assert!(world.answer(closing).expect("closing never hangs").is_ok());
        }
        assert!(!matches!(world.answer(ticket), Some(Ok(_))));
        let mut world = world.reopen();
        assert_eq!(world.state(orders, "a"), Some(MessageState::Ready));
        assert_eq!(world.state(bills, "1"), None);
    }
}

/// It told a duplicate of what is refused now, and ended a delivery: neither can be taken back.
#[test]
fn without_room_a_transaction_that_depends_on_what_is_refused_ends_the_run() {
    let Site {
        mut world,
        orders,
        bills,
    } = site();
    let first = world.dequeue(orders, 1).remove(0);
    world.hold_appends = true;
    world.command(Command::Enqueue(with_id(bills, "1", "")));
    let ticket = world.command(Command::Transaction(Transaction {
        settles: vec![ack(&first)],
        enqueues: vec![with_id(bills, "1", "")],
    }));
    world.fail_append(true);
    let failure = world
        .answer(ticket)
        .expect("answered")
        .expect_err("refused");
    assert_eq!(failure.code, ErrorCode::StorageFailed);
    assert!(is_failed(&world));
    let mut world = world.reopen();
    assert_eq!(world.state(orders, "a"), Some(MessageState::Ready));
    assert_eq!(world.state(bills, "1"), None);
}
