//! Journals whose checksums hold and whose records no engine writes: refused with their place, never a panic. [S17, S18]

use ackbox_core::command::*;
use ackbox_core::config::Config;
use ackbox_core::error::ErrorCode;
use ackbox_core::hash::id_hash;
use ackbox_core::journal::*;

use crate::support::{Disk, T0, World, message};

const HEADER: SegmentHeader = SegmentHeader {
    box_id: [1; 16],
    hash_key: [2; 16],
    jitter_seed: [3; 16],
    segment: 1,
    first_frame: 1,
    last_number: 0,
    last_token: 0,
    deaths: 0,
    run: 7,
    time: T0,
};

/// A journal of one frame.
fn journal(header: SegmentHeader, records: &[Record<'_>]) -> Disk {
    let mut frame = FrameBuilder::new();
    for record in records {
        frame.push(record);
    }
    let seal = Seal {
        box_id: header.box_id,
        segment: 1,
        number: 1,
        time: T0,
        stable_to: Position::default(),
    };
    let bytes = [header.encode(), frame.seal(&seal)].concat();
    Disk::from([(1, bytes)])
}

/// Why a journal of these records is not opened.
fn refusal(records: &[Record<'_>]) -> String {
    let disk = journal(HEADER, records);
    match World::open(disk, T0, Config::default()) {
        Ok(_) => panic!("opened: {records:?}"),
        Err(failure) => {
            assert_eq!(failure.code, ErrorCode::Corrupt);
            assert!(failure.offset.is_some(), "the place is told: {failure:?}");
            failure.message
        }
    }
}

const RUN: Record<'_> = Record::Opened {
    open: 7,
    last_number: 0,
    last_token: 0,
};

fn queue(number: u32, name: &str) -> Record<'_> {
    Record::Queue {
        queue: number,
        paused: false,
        name,
        options: b"{}",
    }
}

/// A message of a group in the first queue.
fn stored(number: u64) -> MessageRecord<'static> {
    MessageRecord {
        number,
        queue: 0,
        open: 7,
        enqueued_at: T0,
        due: T0,
        deadline: u64::MAX,
        priority: 0,
        max_attempts: 6,
        order: number,
        attempt: 0,
        deaths: 0,
        first_delivery: 0,
        state: StoredState::Waiting,
        token: 0,
        fingerprint: 0,
        death: None,
        history: b"",
        id: None,
        group: "g",
        destination: "",
        headers: b"",
        started_at: 0,
        first_step: 0,
        body: b"body",
    }
}

#[test]
fn a_journal_that_was_made_up_well_opens() {
    let records = [RUN, queue(0, "orders"), Record::Message(stored(1))];
    let disk = journal(HEADER, &records);
    let mut world = World::open(disk, T0, Config::default()).expect("it is sound");
    assert_eq!(world.dequeue(QueueId(0), 2).len(), 1);
    world.enqueue(QueueId(0), "more");
    assert!(world.try_enqueue(message(QueueId(0), "most")).is_ok());
}

#[test]
fn numbers_that_no_box_reaches_are_refused() {
    let most = 1 << 49;
    for number in [most + 1, 1 << 50, u64::MAX] {
        let why = refusal(&[RUN, queue(0, "orders"), Record::Message(stored(number))]);
        assert!(why.contains("a number that no box reaches"), "{why}");
    }
    let token = Record::Opened {
        open: 7,
        last_number: 0,
        last_token: u64::MAX,
    };
    assert!(refusal(&[token]).contains("a number that no box reaches"));
    let header = SegmentHeader {
        last_token: u64::MAX,
        ..HEADER
    };
    let opened = World::open(journal(header, &[RUN]), T0, Config::default());
    assert_eq!(
        opened.err().map(|failure| failure.code),
        Some(ErrorCode::Corrupt)
    );
}

#[test]
fn an_id_that_ended_in_no_end_is_refused() {
    let key = EntryKey {
        queue: 0,
        hash: 5,
        fingerprint: 6,
    };
    for state in [0, 1, 2, 6] {
        let entry = Record::Entry(EntryRecord {
            key,
            number: 1,
            finished_at: T0,
            state,
            attempt: 0,
            history: b"",
            result: b"",
        });
        let why = refusal(&[RUN, queue(0, "orders"), entry]);
        assert!(why.contains("a state that is no end"), "{why}");
    }
}

#[test]
fn an_id_that_ended_while_its_message_lives_is_refused() {
    let message = MessageRecord {
        id: Some("a"),
        fingerprint: 6,
        ..stored(1)
    };
    let key = EntryKey {
        queue: 0,
        hash: id_hash(&HEADER.hash_key, 0, b"a"),
        fingerprint: 6,
    };
    let entry = Record::Entry(EntryRecord {
        key,
        number: 1,
        finished_at: T0,
        state: MessageState::Completed as u8,
        attempt: 1,
        history: b"",
        result: b"",
    });
    let why = refusal(&[RUN, queue(0, "orders"), Record::Message(message), entry]);
    assert!(why.contains("whose message is not finished"), "{why}");
}

#[test]
fn two_messages_at_one_place_of_a_group_are_refused() {
    let other = MessageRecord {
        order: 1,
        ..stored(2)
    };
    let records = [stored(1), other].map(Record::Message);
    let why = refusal(&[&[RUN, queue(0, "orders")][..], &records].concat());
    assert!(
        why.contains("two messages at one place of a group"),
        "{why}"
    );
}

#[test]
fn a_message_that_was_moved_stays_where_it_was() {
    let queues = [RUN, queue(0, "orders"), queue(1, "mails")];
    for (moved, what) in [
        (
            MessageRecord {
                queue: 1,
                ..stored(1)
            },
            "another queue",
        ),
        (
            MessageRecord {
                order: 9,
                ..stored(1)
            },
            "another place of its group",
        ),
        (
            MessageRecord {
                group: "h",
                ..stored(1)
            },
            "another place of its group",
        ),
    ] {
        let records = [stored(1), moved].map(Record::Message);
        let why = refusal(&[&queues[..], &records].concat());
        assert!(why.contains(what), "{why}");
    }
}

#[test]
fn more_deaths_than_lives_are_lived_with() {
    let letter = MessageRecord {
        state: StoredState::Dead,
        death: Some(DeathRecord {
            sequence: 100,
            at: T0,
            reason: Reason::Permanent as u8,
            error: b"",
        }),
        ..stored(1)
    };
    let disk = journal(HEADER, &[RUN, queue(0, "orders"), Record::Message(letter)]);
    let mut world = World::open(disk, T0, Config::default()).expect("it can be lived with");
    world.redrive(QueueId(0), DeadFilter::default());
    let token = world.dequeue(QueueId(0), 1).remove(0).token;
    world.ack(token);
    world.reopen();
}

#[test]
fn a_death_in_the_middle_of_a_delivery_that_only_a_moved_message_tells_is_lived_with() {
    let letter = MessageRecord {
        state: StoredState::Dead,
        death: Some(DeathRecord {
            sequence: 1,
            at: T0,
            reason: Reason::Corrupt as u8,
            error: b"",
        }),
        ..stored(1)
    };
    let started = Record::Started {
        number: 1,
        token: 1,
    };
    let messages = [stored(1), stored(2)].map(Record::Message);
    let moved = [started, Record::Message(letter)];
    let records = [&[RUN, queue(0, "orders")][..], &messages, &moved].concat();
    let disk = journal(HEADER, &records);
    let mut world = World::open(disk, T0, Config::default()).expect("it can be lived with");
    assert_eq!(world.dead(QueueId(0)).len(), 1);
    let next = world.dequeue(QueueId(0), 2);
    assert_eq!(next.len(), 1, "its group goes on");
    world.ack(next[0].token);
    world.audit();
}

#[test]
fn a_queue_whose_number_or_name_does_not_fit_is_refused() {
    let orders = || queue(0, "orders");
    for records in [
        vec![RUN, orders(), queue(0, "mails")],
        vec![RUN, orders(), queue(2, "mails")],
        vec![RUN, queue(1, "orders")],
    ] {
        let why = refusal(&records);
        assert!(why.contains("number or name does not fit"), "{why}");
    }
}

#[test]
fn producers_that_do_not_fit_those_before_them_are_refused() {
    let producer = |producer, name| Record::Producer {
        producer,
        epoch: 1,
        watermark: 5,
        name,
        ahead: b"",
    };
    let produced = |sequence| Record::Produced {
        producer: 0,
        sequence,
    };
    let first = producer(0, "p");
    for (record, what) in [
        (producer(0, "q"), "a producer under another name"),
        (producer(1, "p"), "a producer under another number"),
        (produced(6 + 1024), "a sequence that is too far ahead"),
    ] {
        let why = refusal(&[RUN, first.clone(), record]);
        assert!(why.contains(what), "{why}");
    }
    let sound = [RUN, first, produced(5 + 1024)];
    World::open(journal(HEADER, &sound), T0, Config::default()).expect("it is sound");
}

#[test]
fn a_producer_is_at_most_as_far_ahead_as_its_bits_reach() {
    let ahead = |bytes: &'static [u8]| Record::Producer {
        producer: 0,
        epoch: 1,
        watermark: 5,
        name: "p",
        ahead: bytes,
    };
    let why = refusal(&[RUN, ahead(&[1; 129])]);
    assert!(why.contains("too far ahead"), "{why}");
    let all = journal(HEADER, &[RUN, ahead(&[1; 128])]);
    World::open(all, T0, Config::default()).expect("it is sound");
}

#[test]
fn ends_that_all_claim_to_be_the_same_are_lived_with() {
    let entry = |hash| {
        let key = EntryKey {
            queue: 0,
            hash,
            fingerprint: 6,
        };
        Record::Entry(EntryRecord {
            key,
            number: 1,
            finished_at: T0,
            state: MessageState::Completed as u8,
            attempt: 1,
            history: b"",
            result: b"",
        })
    };
    let mut records = vec![RUN, queue(0, "orders")];
    records.extend((1..=2000).map(entry));
    let disk = journal(HEADER, &records);
    let mut world = World::open(disk, T0, Config::default()).expect("it can be lived with");
    assert_eq!(world.stats(QueueId(0)).dedup_entries, 2000);
    world.advance(100_000_000);
    assert_eq!(world.stats(QueueId(0)).dedup_entries, 0);
}

#[test]
fn ends_that_do_not_fit_what_a_message_does_are_refused() {
    let leased = MessageRecord {
        state: StoredState::Leased,
        attempt: 1,
        ..stored(1)
    };
    let dead = MessageRecord {
        state: StoredState::Dead,
        death: Some(DeathRecord {
            sequence: 1,
            at: T0,
            reason: Reason::Permanent as u8,
            error: b"",
        }),
        ..stored(1)
    };
    let no_attempt = MessageRecord {
        attempt: 0,
        ..leased
    };
    let removed = || Record::Removed { number: 1 };
    for (message, end, what) in [
        (leased, removed(), "a message that is not dead"),
        (stored(1), removed(), "a message that is not dead"),
        (
            dead,
            Record::Cancelled { number: 1 },
            "a message that is dead",
        ),
        (
            no_attempt,
            Record::Returned { number: 1 },
            "a delivery that is no attempt",
        ),
    ] {
        let why = refusal(&[RUN, queue(0, "orders"), Record::Message(message), end]);
        assert!(why.contains(what), "{why}");
    }
}
