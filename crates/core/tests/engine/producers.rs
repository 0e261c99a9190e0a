//! Numbered producers: a sequence is accepted once, for ever. [S13, A5 producer]

use ackbox_core::command::*;
use ackbox_core::config::{Config, DedupOptions, QueueOptions};
use ackbox_core::effect::{Answer, Object, ProducerOpened};
use ackbox_core::error::{ErrorCode, Failure};

use crate::support::{World, body, message};

/// What was told of a sequence: whether it is a duplicate, the id, and the lowest one that is missing.
pub type Told = Result<(bool, String, u64), Failure>;

pub fn open_producer(world: &mut World, name: &str) -> ProducerOpened {
    match world.object(Request::OpenProducer {
        name: name.to_owned(),
    }) {
        Object::Producer(opened) => opened,
        other => panic!("expected a producer, got {other:?}"),
    }
}

/// Sends without waiting; gives the ticket.
pub fn send(world: &mut World, handle: ProducerOpened, sequence: u64, enqueue: Enqueue<'_>) -> u64 {
    world.command(Command::Produce(Produce {
        producer: handle.producer,
        epoch: handle.epoch,
        sequence,
        enqueue,
    }))
}

/// What was told under a ticket; none if nothing was yet.
pub fn told(world: &mut World, ticket: u64) -> Option<Told> {
    Some(match world.answer(ticket)? {
        Ok(Answer::Value(next)) => {
            let receipt = world.receipts.iter().find(|receipt| receipt.0 == ticket);
            let receipt = receipt.expect("before the answer");
            Ok((receipt.2, receipt.4.clone(), next))
        }
        Ok(other) => panic!("expected a value, got {other:?}"),
        Err(failure) => Err(failure),
    })
}

pub fn produce(
    world: &mut World,
    handle: ProducerOpened,
    sequence: u64,
    enqueue: Enqueue<'_>,
) -> Told {
    let ticket = send(world, handle, sequence, enqueue);
    told(world, ticket).expect("it is answered")
}

fn next(world: &mut World, handle: ProducerOpened, sequence: u64, enqueue: Enqueue<'_>) -> u64 {
    produce(world, handle, sequence, enqueue).expect("taken").2
}

fn site() -> (World, QueueId) {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    (world, orders)
}

#[test]
fn a_sequence_is_accepted_once_also_out_of_order_and_in_later_runs() {
    let (mut world, orders) = site();
    let importer = open_producer(&mut world, "importer");
    assert_eq!((importer.epoch, importer.sequence), (1, 1));
    assert_eq!(next(&mut world, importer, 1, message(orders, "1")), 2);
    assert_eq!(next(&mut world, importer, 4, message(orders, "4")), 2);
    assert_eq!(next(&mut world, importer, 3, message(orders, "3")), 2);
    for sequence in [1, 3, 4] {
        let again = produce(&mut world, importer, sequence, message(orders, "again"));
        assert_eq!(again.expect("known"), (true, String::new(), 2));
    }
    assert_eq!(
        (world.stats(orders).ready, world.stats(orders).duplicates),
        (3, 3)
    );
    let mut world = world.reopen();
    let importer = open_producer(&mut world, "importer");
    assert_eq!((importer.epoch, importer.sequence), (2, 2));
    assert!(
        produce(&mut world, importer, 4, message(orders, "4"))
            .expect("known")
            .0
    );
    assert_eq!(next(&mut world, importer, 2, message(orders, "2")), 5);
    let other = open_producer(&mut world, "other");
    assert_eq!((other.producer, other.sequence), (1, 1));
    assert_eq!(next(&mut world, other, 1, message(orders, "other")), 2);
    let bodies: Vec<String> = world.dequeue(orders, 9).iter().map(body).collect();
    assert_eq!(bodies, ["1", "4", "3", "2", "other"]);
    world.audit();
}

#[test]
fn an_older_handle_is_fenced() {
    let (mut world, orders) = site();
    let old = open_producer(&mut world, "importer");
    let new = open_producer(&mut world, "importer");
    assert_eq!(new.epoch, old.epoch + 1);
    let refused = produce(&mut world, old, 1, message(orders, "old")).expect_err("fenced");
    assert_eq!(refused.code, ErrorCode::Fenced);
    assert_eq!(world.stats(orders).ready, 0);
    assert_eq!(next(&mut world, new, 1, message(orders, "new")), 2);
    let mut world = world.reopen();
    let refused = produce(&mut world, new, 2, message(orders, "of the run before"));
    assert!(refused.is_ok(), "nobody has opened it since");
}

#[test]
fn what_is_too_far_ahead_and_what_is_nothing_is_refused() {
    let (mut world, orders) = site();
    let importer = open_producer(&mut world, "importer");
    for sequence in [0, 1025, u64::MAX >> 11] {
        let refused = produce(&mut world, importer, sequence, message(orders, "x"));
        let refused = refused.expect_err("too far");
        assert_eq!(refused.code, ErrorCode::InvalidOption);
        assert!(refused.message.contains("1 to 1024"), "{}", refused.message);
    }
    assert_eq!(next(&mut world, importer, 1024, message(orders, "x")), 1);
    let nobody = ProducerOpened {
        producer: 7,
        ..importer
    };
    let refused = produce(&mut world, nobody, 1, message(orders, "x")).expect_err("unknown");
    assert_eq!(refused.code, ErrorCode::InvalidOption);
    for name in [String::new(), "n".repeat(257)] {
        let refused = world
            .request(Request::OpenProducer { name })
            .expect_err("a bad name");
        assert_eq!(refused.code, ErrorCode::InvalidOption);
    }
}

#[test]
fn a_refused_message_leaves_its_sequence_free() {
    let mut world = World::new();
    let options = QueueOptions {
        max_depth: Some(1),
        ..QueueOptions::default()
    };
    let orders = world.define("orders", options);
    let importer = open_producer(&mut world, "importer");
    assert_eq!(next(&mut world, importer, 1, message(orders, "1")), 2);
    let refused = produce(&mut world, importer, 2, message(orders, "2")).expect_err("full");
    assert_eq!(refused.code, ErrorCode::QueueFull);
    assert!(!refused.message.contains("item"), "{}", refused.message);
    let first = world.dequeue(orders, 1).remove(0);
    world.ack(first.token);
    assert_eq!(next(&mut world, importer, 2, message(orders, "2")), 3);
    world.audit();
}

#[test]
fn an_id_that_is_known_takes_its_sequence_too() {
    let (mut world, orders) = site();
    let importer = open_producer(&mut world, "importer");
    world.enqueue_id(orders, "a", "a");
    let with_id = |body| Enqueue {
        id: Some("a"),
        ..message(orders, body)
    };
    let known = produce(&mut world, importer, 1, with_id("a")).expect("known");
    assert_eq!(known, (true, "a".to_owned(), 2));
    let refused = produce(&mut world, importer, 2, with_id("another")).expect_err("a conflict");
    assert_eq!(refused.code, ErrorCode::IdConflict);
    let again = produce(&mut world, importer, 1, with_id("another")).expect("known");
    assert_eq!(
        again,
        (true, "a".to_owned(), 2),
        "with what is known of the id"
    );
    assert_eq!(world.stats(orders).ready, 1);
    world.audit();
}

/// Deduplication forgets ids when their window is over; sequences are known for ever.
#[test]
fn it_is_a_duplicate_long_after_every_window() {
    let mut world = World::new();
    let options = QueueOptions {
        dedup: Some(DedupOptions {
            window_ms: Some(10),
            ..DedupOptions::default()
        }),
        ..QueueOptions::default()
    };
    let orders = world.define("orders", options);
    let importer = open_producer(&mut world, "importer");
    let with_id = Enqueue {
        id: Some("a"),
        ..message(orders, "a")
    };
    produce(&mut world, importer, 1, with_id.clone()).expect("taken");
    let first = world.dequeue(orders, 1).remove(0);
    world.ack(first.token);
    world.advance(1000);
    let again = produce(&mut world, importer, 1, with_id).expect("known");
    assert_eq!(
        again,
        (true, String::new(), 2),
        "nothing is known of the id"
    );
}

#[test]
fn cleaning_keeps_producers_and_removes_the_records_of_their_sequences() {
    let config = Config {
        segment_bytes: 4 << 10,
        ..Config::default()
    };
    let mut world = World::with_config(config);
    let orders = world.define("orders", QueueOptions::default());
    let handles: Vec<ProducerOpened> = (0..20)
        .map(|number| open_producer(&mut world, &format!("producer-{number}")))
        .collect();
    for round in 0..100 {
        for (number, handle) in handles.iter().enumerate() {
            // Every third sequence of every second producer is left out for the time being.
            let sequence = 1 + round;
            if number % 2 == 0 || sequence % 3 != 0 {
                let enqueue = message(orders, "a body of some length, so that segments fill");
                produce(&mut world, *handle, sequence, enqueue).expect("taken");
            }
        }
        for delivery in world.dequeue(orders, 100) {
            world.ack(delivery.token);
        }
    }
    assert!(world.box_stats().cleaned_segments > 10);
    world.audit();
    let live = world.box_stats().live_bytes;
    assert!(
        world.disk_bytes() < 2 * live + 3 * (4 << 10),
        "{} for {live}",
        world.disk_bytes()
    );
    let mut world = world.reopen();
    for (number, handle) in handles.iter().enumerate() {
        let opened = open_producer(&mut world, &format!("producer-{number}"));
        assert_eq!(
            (opened.producer, opened.epoch),
            (handle.producer, handle.epoch + 1)
        );
        assert_eq!(opened.sequence, if number % 2 == 0 { 101 } else { 3 });
        for sequence in [1, 2, 100] {
            let enqueue = message(orders, "again");
            assert!(
                produce(&mut world, opened, sequence, enqueue)
                    .expect("known")
                    .0
            );
        }
        if number % 2 == 1 {
            assert_eq!(next(&mut world, opened, 3, message(orders, "3")), 6);
        }
    }
    world.audit();
}

#[test]
fn thousands_of_producers_are_told_apart() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let names: Vec<String> = (0..2100).map(|number| format!("p{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        let opened = open_producer(&mut world, name);
        assert_eq!(opened.producer as usize, number);
        for sequence in 1..=number as u64 % 3 {
            next(&mut world, opened, sequence, message(orders, "x"));
        }
    }
    let mut world = world.reopen();
    for (number, name) in names.iter().enumerate() {
        let opened = open_producer(&mut world, name);
        let sequence = number as u64 % 3 + 1;
        assert_eq!(
            (opened.producer as usize, opened.epoch, opened.sequence),
            (number, 2, sequence)
        );
    }
    world.audit();
}
