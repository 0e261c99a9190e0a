//! Records of every kind, made of owned parts.

use ackbox_core::journal::{
    AttemptRecord, DeathRecord, EntryKey, EntryRecord, MessageRecord, Record, StepResult,
    StoredState, Transfer,
};
use proptest::collection::vec;
use proptest::prelude::*;

pub const KINDS: u8 = 22;

/// Parts from which any record can be made.
#[derive(Clone, Debug)]
pub struct Parts {
    pub kind: u8,
    pub numbers: [u64; 12],
    pub small: [u32; 5],
    pub hash: u128,
    pub bytes: [u8; 3],
    pub flags: [bool; 3],
    pub blobs: [Vec<u8>; 4],
    pub texts: [String; 3],
    pub opens: Vec<(u32, u64)>,
}

pub fn encoded(record: &Record<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    record.encode(&mut out);
    out
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        Just(1),
        Just(u64::MAX),
        0..1_000_000_u64,
        any::<u64>()
    ]
}

fn small() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), Just(u32::MAX), 0..100_u32, any::<u32>()]
}

/// As [`parts`], but of numbers that a box may reach.
#[allow(
    dead_code,
    reason = "not every test that includes this file reads a journal"
)]
pub fn reachable_parts(size: usize) -> impl Strategy<Value = Parts> {
    const NUMBER: u64 = (1 << 48) - 1;
    const SMALL: u32 = (1 << 30) - 1;
    parts(size).prop_map(|mut parts| {
        parts.numbers = parts.numbers.map(|number| number & NUMBER);
        parts.small = parts.small.map(|number| number & SMALL);
        for (run, number) in &mut parts.opens {
            (*run, *number) = (*run & SMALL, *number & NUMBER);
        }
        parts
    })
}

/// Any record with byte strings of up to `size` bytes.
pub fn parts(size: usize) -> impl Strategy<Value = Parts> {
    let blob = move || prop_oneof![Just(Vec::new()), vec(any::<u8>(), 0..=size)];
    let text = || prop_oneof![Just(String::new()), "\\PC{0,12}"];
    (
        (
            0..KINDS,
            [number(), number(), number(), number(), number(), number()],
            [number(), number(), number()],
        ),
        (
            [number(), number(), number()],
            [small(), small(), small(), small(), small()],
            any::<u128>(),
        ),
        (
            any::<[u8; 3]>(),
            any::<[bool; 3]>(),
            [blob(), blob(), blob(), blob()],
            [text(), text(), text()],
        ),
        vec((small(), number()), 0..4),
    )
        .prop_map(
            |((kind, a, b), (c, small, hash), (bytes, flags, blobs, texts), opens)| Parts {
                kind,
                numbers: [
                    a[0], a[1], a[2], a[3], a[4], a[5], b[0], b[1], b[2], c[0], c[1], c[2],
                ],
                small,
                hash,
                bytes,
                flags,
                blobs,
                texts,
                opens,
            },
        )
}

impl Parts {
    pub fn record(&self) -> Record<'_> {
        let [n0, n1, n2, ..] = self.numbers;
        let [s0, ..] = self.small;
        let [b0, b1, ..] = &self.blobs;
        match self.kind {
            0 => Record::Opened {
                open: s0,
                last_number: n0,
                last_token: n1,
            },
            1 => Record::Opens(self.opens.clone()),
            2 => Record::Queue {
                queue: s0,
                paused: self.flags[0],
                name: &self.texts[0],
                options: b0,
            },
            3 => Record::Message(self.message()),
            4 => Record::Started {
                number: n0,
                token: n1,
            },
            5 => Record::Returned { number: n0 },
            6 => Record::Retried {
                number: n0,
                due: n1,
                costs: self.flags[0],
                attempt: self.attempt(),
            },
            7 => Record::Completed {
                number: n0,
                handed_over: self.flags[0],
                entry: self.flags[1].then(|| self.key()),
                attempt: self.optional_attempt(),
                history: self.optional_history(),
                result: b0,
            },
            8 => Record::Dead {
                number: n0,
                reason: self.bytes[0],
                attempt: self.flags[0].then(|| self.attempt()),
                error: b1,
                history: &self.blobs[2],
            },
            9 => Record::Cancelled { number: n0 },
            10 => Record::Removed { number: n0 },
            11 => Record::Rescheduled {
                number: n0,
                due: n1,
            },
            12 => Record::Purged {
                queue: s0,
                last_number: n0,
            },
            13 => Record::Redriven {
                queue: s0,
                filter: b0,
                last_death: n1,
                first_order: n2,
                forget_steps: self.flags[0],
            },
            14 => Record::Forgotten {
                queue: s0,
                hash: self.hash,
            },
            15 => Record::Revived {
                number: n0,
                order: n1,
                to: self.flags[1].then_some(Transfer {
                    queue: s0,
                    fingerprint: n2,
                }),
                forget_steps: self.flags[2],
            },
            16 => Record::Step {
                number: n0,
                index: s0,
                name: &self.texts[0],
                result: match self.bytes[0] % 3 {
                    0 => StepResult::Nothing,
                    1 => StepResult::Damaged(b0),
                    _ => StepResult::Value(b0),
                },
            },
            17 => Record::Producer {
                producer: s0,
                epoch: n0,
                watermark: n1,
                name: &self.texts[0],
                ahead: b0,
            },
            18 => Record::Produced {
                producer: s0,
                sequence: n0,
            },
            19 => Record::Circuit {
                queue: s0,
                worker: &self.texts[0],
                destination: &self.texts[1],
                state: b0,
            },
            20 => Record::Held {
                queue: s0,
                worker: &self.texts[0],
                destination: &self.texts[1],
                since: n0,
                until: n1,
                paced: n2,
            },
            21 => Record::Moved { key: n0 },
            _ => Record::Entry(EntryRecord {
                key: self.key(),
                number: n0,
                finished_at: n1,
                state: self.bytes[0],
                attempt: self.optional_attempt(),
                history: self.optional_history(),
                result: b0,
            }),
        }
    }

    fn message(&self) -> MessageRecord<'_> {
        let [
            number,
            enqueued_at,
            due,
            deadline,
            order,
            first_delivery,
            token,
            fingerprint,
            ..,
        ] = self.numbers;
        let [queue, open, max_attempts, attempt, deaths] = self.small;
        let death = DeathRecord {
            sequence: self.numbers[8],
            at: self.numbers[9],
            reason: self.bytes[1],
            error: &self.blobs[0],
        };
        MessageRecord {
            number,
            queue,
            open,
            enqueued_at,
            due,
            deadline,
            priority: self.bytes[0],
            max_attempts,
            order,
            attempt,
            deaths,
            first_delivery,
            state: [
                StoredState::Waiting,
                StoredState::Leased,
                StoredState::Dead,
                StoredState::Suspect,
                StoredState::LeasedSuspect,
                StoredState::Damaged,
            ][usize::from(self.bytes[2] % 6)],
            token,
            fingerprint,
            death: self.flags[0].then_some(death),
            history: &self.blobs[1],
            id: self.flags[1].then_some(&self.texts[0]),
            group: &self.texts[1],
            destination: &self.texts[2],
            headers: &self.blobs[2],
            started_at: if self.flags[1] {
                self.numbers[9]
            } else {
                first_delivery
            },
            first_step: self.small[0],
            body: &self.blobs[3],
        }
    }

    fn attempt(&self) -> AttemptRecord<'_> {
        AttemptRecord {
            attempt: self.small[1],
            started_at: self.numbers[3],
            ended_at: self.numbers[4],
            reason: self.bytes[1],
            error: &self.blobs[3],
        }
    }

    /// 0, which is not stored, as often as not.
    fn optional_attempt(&self) -> u32 {
        if self.flags[0] { self.small[3] } else { 0 }
    }

    /// Empty, which is not stored, as often as not.
    fn optional_history(&self) -> &[u8] {
        if self.flags[2] { &self.blobs[3] } else { b"" }
    }

    fn key(&self) -> EntryKey {
        EntryKey {
            queue: self.small[2],
            hash: self.hash,
            fingerprint: self.numbers[5],
        }
    }
}

/// A message as most are: nothing beside id and body.
pub fn plain_message<'a>(number: u64, id: &'a str, body: &'a [u8]) -> MessageRecord<'a> {
    MessageRecord {
        number,
        queue: 0,
        open: 1,
        enqueued_at: 1_700_000_000_000,
        due: 1_700_000_000_000,
        deadline: u64::MAX,
        priority: 0,
        max_attempts: 5,
        order: number,
        attempt: 0,
        deaths: 0,
        first_delivery: 0,
        state: StoredState::Waiting,
        token: 0,
        fingerprint: 0,
        death: None,
        history: &[],
        id: Some(id),
        group: "",
        destination: "",
        headers: &[],
        started_at: 0,
        first_step: 0,
        body,
    }
}
