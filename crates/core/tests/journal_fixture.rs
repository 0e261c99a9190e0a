//! Journals of every format version that was ever written are committed under `testdata/journal`
//! and must be read for ever. A change that breaks these tests is a new format version.
//!
//! Version 1 is two segments, `v1-3.segment` and `v1-4.segment`, with every kind of record, and
//! `v1-5.segment` with what was added to it.
//! `ACKBOX_WRITE_FIXTURES=1 cargo test -p ackbox-core --test journal_fixture` writes them anew.

mod journal_support;

use std::fs;
use std::path::PathBuf;

use ackbox_core::journal::{
    AttemptRecord, DeathRecord, EntryKey, EntryRecord, MessageRecord, Position, Record,
    SegmentHeader, StepResult, StoredState, Transfer,
};
use journal_support::records::{encoded, plain_message};
use journal_support::{Disk, Writer, expect_whole};

const SEGMENTS: [u32; 3] = [3, 4, 5];
const KEY: EntryKey = EntryKey {
    queue: 2,
    hash: 0x0123_4567_89AB_CDEF_FEDC_BA98_7654_3210,
    fingerprint: 0xF1F2,
};
const ATTEMPT: AttemptRecord<'static> = AttemptRecord {
    attempt: 3,
    started_at: 1_700_000_000_100,
    ended_at: 1_700_000_000_200,
    reason: 2,
    error: br#"{"message":"no answer"}"#,
};

fn path(segment: u32) -> PathBuf {
    [
        env!("CARGO_MANIFEST_DIR"),
        "testdata",
        "journal",
        &format!("v1-{segment}.segment"),
    ]
    .iter()
    .collect()
}

/// A message with every optional field.
fn full_message() -> MessageRecord<'static> {
    MessageRecord {
        queue: 2,
        open: 6,
        due: 1_700_000_005_000,
        deadline: 1_700_000_060_000,
        priority: 200,
        max_attempts: u32::MAX,
        order: 11,
        attempt: 4,
        deaths: 1,
        first_delivery: 1_700_000_000_050,
        state: StoredState::Dead,
        token: 1 << 24,
        fingerprint: 0xABCD,
        death: Some(DeathRecord {
            sequence: 9,
            at: 1_700_000_000_300,
            reason: 5,
            error: b"{}",
        }),
        history: b"history",
        group: "customer-7",
        destination: "https://example.org/h\u{e4}ndler",
        headers: b"headers",
        started_at: 1_700_000_000_050,
        ..plain_message(42, "order-42", b"{\"total\":12}")
    }
}

fn every_record() -> Vec<Record<'static>> {
    vec![
        Record::Opened {
            open: 7,
            last_number: 41,
            last_token: 99,
        },
        Record::Opens(vec![(5, 10), (6, 41)]),
        Record::Queue {
            queue: 2,
            paused: true,
            name: "orders",
            options: br#"{"maxAttempts":5}"#,
        },
        Record::Message(plain_message(41, "order-41", b"body")),
        Record::Message(MessageRecord {
            id: None,
            ..plain_message(43, "", b"")
        }),
        Record::Message(full_message()),
        Record::Message(MessageRecord {
            state: StoredState::Leased,
            token: 5,
            ..plain_message(44, "order-44", b"x")
        }),
        Record::Started {
            number: 41,
            token: 100,
        },
        Record::Returned { number: 41 },
        Record::Retried {
            number: 41,
            due: 1_700_000_009_000,
            costs: true,
            attempt: ATTEMPT,
        },
        Record::Retried {
            number: 43,
            due: 1_700_000_009_000,
            costs: false,
            attempt: ATTEMPT,
        },
        Record::Completed {
            number: 41,
            handed_over: false,
            entry: Some(KEY),
            attempt: 0,
            history: b"",
            result: b"result",
        },
        Record::Completed {
            number: 43,
            handed_over: true,
            entry: None,
            attempt: 0,
            history: b"",
            result: b"",
        },
        Record::Dead {
            number: 44,
            reason: 1,
            attempt: Some(ATTEMPT),
            error: b"{}",
            history: b"history",
        },
        Record::Dead {
            number: 45,
            reason: 6,
            attempt: None,
            error: b"",
            history: b"",
        },
        Record::Cancelled { number: 46 },
        Record::Removed { number: 44 },
        Record::Rescheduled {
            number: 47,
            due: 1_700_000_010_000,
        },
        Record::Purged {
            queue: 2,
            last_number: 47,
        },
        Record::Redriven {
            queue: 2,
            filter: b"filter",
            last_death: 9,
            first_order: 48,
            forget_steps: false,
        },
        Record::Forgotten {
            queue: 2,
            hash: KEY.hash,
        },
        Record::Entry(EntryRecord {
            key: KEY,
            number: 41,
            finished_at: 1_700_000_000_400,
            state: 3,
            attempt: 0,
            history: b"",
            result: b"result",
        }),
    ]
}

/// Fields that came later. New ones go to the end: the frames before them stay as they are.
fn additions() -> Vec<Record<'static>> {
    vec![
        Record::Completed {
            number: 41,
            handed_over: false,
            entry: Some(KEY),
            attempt: 2,
            history: b"",
            result: b"result",
        },
        Record::Entry(EntryRecord {
            key: KEY,
            number: 41,
            finished_at: 1_700_000_000_400,
            state: 3,
            attempt: 2,
            history: b"",
            result: b"result",
        }),
        Record::Message(MessageRecord {
            state: StoredState::Leased,
            started_at: 1_700_000_000_150,
            ..full_message()
        }),
        Record::Revived {
            number: 44,
            order: 60,
            to: None,
            forget_steps: false,
        },
        Record::Revived {
            number: 45,
            order: 61,
            to: Some(Transfer {
                queue: 3,
                fingerprint: 0xF1F2,
            }),
            forget_steps: false,
        },
        Record::Completed {
            number: 41,
            handed_over: false,
            entry: Some(KEY),
            attempt: 2,
            history: b"history",
            result: b"result",
        },
        Record::Entry(EntryRecord {
            key: KEY,
            number: 41,
            finished_at: 1_700_000_000_400,
            state: 3,
            attempt: 2,
            history: b"history",
            result: b"result",
        }),
        Record::Step {
            number: 43,
            index: 2,
            name: "charge",
            result: StepResult::Value(b"{\"receipt\":7}"),
        },
        Record::Step {
            number: 43,
            index: 3,
            name: "notify",
            result: StepResult::Nothing,
        },
        Record::Step {
            number: 43,
            index: 4,
            name: "ship",
            result: StepResult::Damaged(b"\x14\x00rest"),
        },
        Record::Message(MessageRecord {
            first_step: 2,
            ..full_message()
        }),
        Record::Redriven {
            queue: 2,
            filter: b"filter",
            last_death: 10,
            first_order: 62,
            forget_steps: true,
        },
        Record::Revived {
            number: 45,
            order: 63,
            to: None,
            forget_steps: true,
        },
        Record::Producer {
            producer: 3,
            epoch: 2,
            watermark: 70,
            name: "importer",
            ahead: b"\x02\x00\x80",
        },
        Record::Produced {
            producer: 3,
            sequence: 72,
        },
        Record::Circuit {
            queue: 2,
            worker: "mailer",
            destination: "https://example.org",
            state: br#"{"version":1,"state":"open"}"#,
        },
        Record::Circuit {
            queue: 2,
            worker: "mailer",
            destination: "",
            state: b"",
        },
        Record::Held {
            queue: 2,
            worker: "mailer",
            destination: "https://example.org",
            since: 1_700_000_000_500,
            until: 1_700_000_030_500,
            paced: 0,
        },
        Record::Held {
            queue: 2,
            worker: "",
            destination: "",
            since: 1_700_000_000_600,
            until: 0,
            paced: 1_700_000_001_600,
        },
        Record::Moved { key: 4_097 },
    ]
}

/// All records in one frame, each again in a frame of its own, and then what was added since.
fn write() -> Writer {
    let mut writer = Writer::new();
    writer.next_frame = 1_000;
    let records = every_record();
    writer.begin_segment(SEGMENTS[0]);
    writer.append(&records);
    writer.begin_segment(SEGMENTS[1]);
    for record in &records {
        writer.append(std::slice::from_ref(record));
    }
    writer.begin_segment(SEGMENTS[2]);
    for record in &additions() {
        writer.append(std::slice::from_ref(record));
    }
    writer
}

fn load() -> Disk {
    // Parts of the program, for WebAssembly reads no files.
    let files: [&[u8]; 3] = [
        include_bytes!("../testdata/journal/v1-3.segment"),
        include_bytes!("../testdata/journal/v1-4.segment"),
        include_bytes!("../testdata/journal/v1-5.segment"),
    ];
    let files = files.map(<[u8]>::to_vec);
    Disk {
        segments: SEGMENTS.into_iter().zip(files).collect(),
    }
}

#[test]
fn version_1_is_read() {
    let disk = load();
    let (seen, report) = disk.recover().unwrap();
    let once: Vec<Vec<u8>> = every_record().iter().map(encoded).collect();
    let added: Vec<Vec<u8>> = additions().iter().map(encoded).collect();
    let all = once.iter().chain(&once).chain(&added);
    assert_eq!(
        seen.payloads(),
        all.map(Vec::as_slice).collect::<Vec<&[u8]>>()
    );
    let records = every_record().into_iter().chain(every_record());
    for ((_, payload), record) in seen.records.iter().zip(records.chain(additions())) {
        assert_eq!(Record::decode(payload), Ok(record));
    }
    assert_eq!(
        (report.frames, report.last_frame, report.cut),
        (43, 1_042, None)
    );
    assert_eq!(
        report.end,
        Position {
            segment: 5,
            offset: disk.segments[&5].len() as u64
        }
    );
    assert_eq!(
        report.header,
        Some(SegmentHeader {
            first_frame: 1_023,
            ..Writer::new().header(5)
        })
        .map(|header| {
            SegmentHeader {
                time: write().header(5).time - additions().len() as u64,
                ..header
            }
        })
    );
}

#[test]
fn version_1_is_what_is_written_today() {
    if std::env::var_os("ACKBOX_WRITE_FIXTURES").is_some() {
        for (segment, bytes) in write().disk.segments {
            fs::write(path(segment), bytes).unwrap();
        }
        // They are held against what is written by the next build.
        return;
    }
    let writer = write();
    expect_whole(&writer.disk, &writer.frames);
    assert!(
        writer.disk == load(),
        "the same records give other bytes: that is a new format version"
    );
}

/// The bytes that FORMAT.md shows.
#[test]
fn the_example_of_the_format_is_true() {
    let mut writer = Writer::new();
    writer.box_id = std::array::from_fn(|index| index as u8);
    writer.begin_segment(1);
    writer.append(&[Record::Started {
        number: 1,
        token: 16_777_217,
    }]);
    let dump: Vec<String> = writer.disk.segments[&1][128..]
        .chunks(16)
        .map(|line| {
            line.iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    let format = include_str!("../src/journal/FORMAT.md");
    assert!(format.contains(&dump.join("\n")), "{}", dump.join("\n"));
}
