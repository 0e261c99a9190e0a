//! Records that nobody would write, under checksums that hold. Such a journal is no forgery, as far as anybody can
//! tell: it is taken as it is or refused, but it breaks nothing.

use super::journals::{self, Origin};
use super::{Disk, reading};
use crate::chance::Chance;

/// Frames at most.
const FRAMES_MAX: usize = 24;
/// Records of one frame at most.
const RECORDS_MAX: usize = 8;
const BOX_ID: [u8; 16] = [3; 16];

/// A field of a record.
#[derive(Clone, Copy)]
enum Field {
    U8,
    U32,
    U64,
    U128,
    Text,
    Bytes,
    Attempt,
    Rest,
}
use Field::{Attempt, Bytes, Rest, Text, U8, U32, U64, U128};

/// The fields of each kind that has no flags, from kind 1.
const PLAIN: [&[Field]; 26] = [
    &[U32, U64, U64],
    &[U32, U64, U32, U64],
    &[],
    &[],
    &[U64, U64],
    &[U64],
    &[],
    &[],
    &[],
    &[U64],
    &[U64],
    &[U64, U64],
    &[U32, U64],
    &[U32, Bytes, U64, U64],
    &[U32, U128],
    &[U32, U128, U64, U64, U64, U8, Rest],
    &[U32, U128, U64, U64, U64, U8, U32, Rest],
    &[],
    &[U32, U128, U64, U64, U64, U8, U32, Bytes, Rest],
    &[],
    &[U32, Bytes, U64, U64],
    &[U32, U64, U64, Text, Rest],
    &[U32, U64],
    &[U32, Text, Text, Rest],
    &[U32, Text, Text, U64, U64, U64],
    &[U64],
];
/// Kinds that keep their number in more ways than one.
const QUEUE: u8 = 3;
const MESSAGE: u8 = 4;
const RETRIED: u8 = 7;
const COMPLETED: u8 = 8;
const DEAD: u8 = 9;
const REVIVED: u8 = 18;
const STEP: u8 = 20;

pub(super) fn take(mut chance: Chance<'_>) {
    let mut disk = Disk::new();
    let mut segment = chance.number().min(u64::from(u32::MAX) - FRAMES_MAX as u64) as u32;
    let mut number = chance.number();
    let mut bytes = header(segment, number, &mut chance);
    for index in 0..=chance.below(FRAMES_MAX) {
        if index > 0 && chance.once_in(6) {
            disk.insert(segment, bytes);
            segment += 1;
            bytes = header(segment, number, &mut chance);
        }
        bytes.extend(frame(segment, number, index == 0, &mut chance));
        number = number.wrapping_add(1);
        if chance.is_spent() {
            break;
        }
    }
    disk.insert(segment, bytes);
    let bodies = match reading::read(&disk) {
        Ok(found) => journals::bodies(&found),
        Err(_) => Vec::new(),
    };
    journals::open_and_use(&disk, &bodies, Origin::Anybody);
}

fn header(segment: u32, first_frame: u64, chance: &mut Chance<'_>) -> Vec<u8> {
    let mut bytes = b"\x89ACKBOX\n".to_vec();
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(128_u32.to_le_bytes());
    bytes.extend(BOX_ID);
    bytes.extend([4; 16]);
    bytes.extend([5; 16]);
    bytes.extend(segment.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(first_frame.to_le_bytes());
    for _ in ["last number", "last token", "deaths"] {
        bytes.extend(chance.number().to_le_bytes());
    }
    bytes.extend((chance.number() as u32).to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(chance.number().to_le_bytes());
    bytes.extend([0; 4]);
    let checksum = crc32fast::hash(&bytes);
    bytes.extend(checksum.to_le_bytes());
    bytes
}

/// A frame with some records; in the first one queues come first, so that there is something to speak of.
fn frame(segment: u32, number: u64, is_first: bool, chance: &mut Chance<'_>) -> Vec<u8> {
    let mut payloads: Vec<Vec<u8>> = Vec::new();
    if is_first {
        payloads.extend((0..2).map(|index| queue(index, chance)));
    }
    let more = chance.below(RECORDS_MAX);
    payloads.extend((0..=more).map(|_| payload(chance)));
    let mut records = Vec::new();
    let mut covered = Vec::new();
    for payload in &payloads {
        let mut header = (payload.len() as u32).to_le_bytes().to_vec();
        header.extend(crc32fast::hash(payload).to_le_bytes());
        covered.extend(&header);
        records.extend(header);
        records.extend(payload);
        records.resize(records.len().next_multiple_of(8), 0);
    }
    let mut frame = vec![0xF5, 0x41, 0x46, 0x9E];
    frame.extend((48 + records.len() as u32).to_le_bytes());
    frame.extend((payloads.len() as u32).to_le_bytes());
    frame.extend([0; 4]);
    frame.extend(number.to_le_bytes());
    frame.extend(chance.number().to_le_bytes());
    frame.extend(segment.to_le_bytes());
    frame.extend([0; 12]);
    let checksum = [&BOX_ID[..], &segment.to_le_bytes(), &frame, &covered].concat();
    frame[12..16].copy_from_slice(&crc32fast::hash(&checksum).to_le_bytes());
    frame.extend(records);
    frame
}

fn payload(chance: &mut Chance<'_>) -> Vec<u8> {
    let kind = chance.below(PLAIN.len() + 1) as u8;
    let mut out = vec![kind];
    match kind {
        QUEUE => return queue(chance.number() as u32, chance),
        0 | MESSAGE => return message(chance),
        RETRIED => {
            out.push(chance.below(2) as u8);
            put(&mut out, &[U64, U64, Attempt], chance);
        }
        COMPLETED => {
            let flags = chance.below(16) as u8;
            out.push(flags);
            put(&mut out, &[U64], chance);
            let flagged: [(u8, &[Field]); 3] = [(2, &[U32, U128, U64]), (4, &[U32]), (8, &[Bytes])];
            for (flag, fields) in flagged {
                if flags & flag != 0 {
                    put(&mut out, fields, chance);
                }
            }
            put(&mut out, &[Rest], chance);
        }
        DEAD => {
            let flags = chance.below(2) as u8;
            out.push(flags);
            put(&mut out, &[U64, U8], chance);
            if flags != 0 {
                put(&mut out, &[Attempt], chance);
            }
            put(&mut out, &[Bytes, Rest], chance);
        }
        REVIVED => {
            let flags = chance.below(4) as u8;
            out.push(flags);
            put(&mut out, &[U64, U64], chance);
            if flags & 1 != 0 {
                put(&mut out, &[U32, U64], chance);
            }
        }
        STEP => {
            out.push(chance.below(3) as u8);
            put(&mut out, &[U64, U32, Text, Rest], chance);
        }
        _ => put(&mut out, PLAIN[kind as usize - 1], chance),
    }
    out
}

fn queue(number: u32, chance: &mut Chance<'_>) -> Vec<u8> {
    const OPTIONS: [&str; 6] = [
        "{}",
        r#"{"guarantee":"at-most-once"}"#,
        r#"{"guarantee":"exactly-once","maxAttempts":2}"#,
        r#"{"groupOnDead":"block","maxAttempts":1}"#,
        r#"{"dedup":{"windowMs":0,"maxEntries":1},"maxDepth":2}"#,
        r#"{"dead":{"retainMs":1},"history":{"windowMs":9,"maxEntries":2},"deadLetterTo":"q1"}"#,
    ];
    let mut out = vec![QUEUE, chance.below(2) as u8];
    out.extend(number.to_le_bytes());
    put_bytes(&mut out, format!("q{number}").as_bytes());
    out.extend(chance.pick(&OPTIONS).as_bytes());
    out
}

fn message(chance: &mut Chance<'_>) -> Vec<u8> {
    // Each flag's field, in the order of the flags; the last two come at the end.
    const FLAGGED: [&[Field]; 18] = [
        &[U64],
        &[U64],
        &[U8],
        &[U64],
        &[U32],
        &[U32],
        &[U64],
        &[U8],
        &[U64],
        &[U64],
        &[U64, U64, U8, Bytes],
        &[Bytes],
        &[Text],
        &[Text],
        &[Text],
        &[Bytes],
        &[U64],
        &[U32],
    ];
    let flags = u32::from_le_bytes([chance.byte(), chance.byte(), chance.byte() & 3, 0]);
    let mut out = vec![MESSAGE];
    out.extend(&flags.to_le_bytes()[..3]);
    put(&mut out, &[U64, U32, U32, U64, U32], chance);
    for (bit, fields) in FLAGGED.iter().enumerate() {
        if flags & 1 << bit == 0 {
            continue;
        }
        if bit == 7 {
            out.push(chance.below(5) as u8);
        } else {
            put(&mut out, fields, chance);
        }
    }
    put(&mut out, &[Rest], chance);
    out
}

fn put(out: &mut Vec<u8>, fields: &[Field], chance: &mut Chance<'_>) {
    for field in fields {
        match field {
            U8 => out.push(chance.number() as u8),
            U32 => out.extend((chance.number() as u32).to_le_bytes()),
            U64 => out.extend(chance.number().to_le_bytes()),
            U128 => out.extend(u128::from(chance.number()).to_le_bytes()),
            Text => put_bytes(out, chance.pick(&["", "a", "b", "g", "q1"]).as_bytes()),
            Bytes if chance.once_in(3) => {
                let mut history = Vec::new();
                put(&mut history, &[Attempt], chance);
                put_bytes(out, &history);
            }
            Bytes => put_bytes(
                out,
                chance.pick(&["", "{}", r#"{"limit":1}"#, "x"]).as_bytes(),
            ),
            Attempt => {
                put(out, &[U32, U64, U64, U8], chance);
                put_bytes(out, b"{}");
            }
            Rest => out.extend(chance.bytes(8)),
        }
    }
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u32).to_le_bytes());
    out.extend(bytes);
}
