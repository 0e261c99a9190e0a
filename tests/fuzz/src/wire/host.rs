//! A driver that says anything, at any moment: records with any values, requests with any options, answers of a
//! storage that fails, a clock that stands still or leaps. The engine answers or refuses; it never breaks, every
//! ticket is answered once at most, and what it says can be decoded.

use std::collections::BTreeMap;

use ackbox_wire::Host;
use ackbox_wire::decode::{Message, Messages};
use ackbox_wire::input::{
    AppendFailed, Appended, Chunk, Input, MaintenanceFailed, ReadFailed, Removed, Truncated,
};
use ackbox_wire::output::Output;
use serde_json::json;

use super::requests;
use crate::chance::Chance;

const START: f64 = 1_700_000_000_000.0;
/// Things that are said at most.
const STEPS_MAX: usize = 200;
/// Steps without rest that are no rest any more.
const ROUNDS_MAX: usize = 20_000;
/// Where the key is in a record.
const KEY: std::ops::Range<usize> = 8..16;
const STOP_WAITING: u32 = ackbox_wire::input::StopWaiting::LAYOUT.kind;
/// Texts of records, so that they meet.
const TEXTS: [&str; 6] = ["", "a", "b", "s", "d", "orders"];

/// Something that the storage was asked for.
enum Job {
    Append(u32, Vec<u8>),
    Read {
        key: f64,
        segment: u32,
        offset: usize,
        length: usize,
    },
    Truncate(u32, usize),
    Remove(u32),
}

struct Driver {
    host: Host,
    output: Vec<u8>,
    disk: BTreeMap<u32, Vec<u8>>,
    jobs: Vec<Job>,
    now: f64,
    tickets: f64,
    /// How often each ticket was answered for good.
    answers: BTreeMap<u64, u32>,
    tokens: Vec<f64>,
    /// Keys under which something is to be taken.
    announced: Vec<f64>,
}

pub(super) fn take(mut chance: Chance<'_>) {
    let config = json!({ "segmentBytes": 4096, "maxMemoryBytes": chance.pick(&[0, 100, 1 << 20]) });
    let host = Host::new(START, config, [1; 32]).expect("the options are sound");
    let mut driver = Driver {
        host,
        output: vec![0; 64],
        disk: BTreeMap::new(),
        jobs: Vec::new(),
        now: START,
        tickets: 0.0,
        answers: BTreeMap::new(),
        tokens: Vec::new(),
        announced: Vec::new(),
    };
    driver.call(json!({ "op": "open", "segments": [] }));
    driver.call(json!({ "op": "defineQueue", "name": "orders" }));
    for _ in 0..STEPS_MAX {
        if chance.is_spent() {
            break;
        }
        driver.once(&mut chance);
    }
    driver.end();
}

impl Driver {
    fn once(&mut self, chance: &mut Chance<'_>) {
        match chance.below(10) {
            0..=4 => self.record(chance),
            5 | 6 => {
                let request = requests::request(chance);
                self.call(request);
            }
            7 => {
                self.now += chance.pick(&[0.0, 0.5, 1.0, 50.0, 1000.0, 86_400_000.0]);
                self.step(&[]);
            }
            8 => {
                let at = self.host.wakeup();
                if at.is_finite() {
                    self.now = self.now.max(at).min(1e15);
                }
                self.step(&[]);
            }
            _ => self.serve(chance.below(8), chance),
        }
        if chance.once_in(2) {
            self.serve(0, chance);
        }
    }

    fn ticket(&mut self) -> f64 {
        self.tickets += 1.0;
        self.tickets
    }

    fn call(&mut self, request: serde_json::Value) {
        let ticket = self.ticket();
        self.host.call(self.now, ticket, request);
        self.step(&[]);
    }

    /// One to three records, as the layouts have them, with any values. What is malformed is refused by the decoder;
    /// what it passes is the engine's to answer. Completions are the storage's to say.
    fn record(&mut self, chance: &mut Chance<'_>) {
        let mut bytes = Vec::new();
        for _ in 0..=chance.below(3) {
            bytes.extend(self.any_record(chance));
        }
        let is_said = |message| matches!(message, Ok(Message::Command(..)));
        if Messages::new(&bytes).all(is_said) {
            self.step(&bytes);
        }
    }

    fn any_record(&mut self, chance: &mut Chance<'_>) -> Vec<u8> {
        let kind = chance.pick(&[
            1_u32, 1, 1, 2, 3, 3, 4, 5, 6, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 24,
        ]);
        let layouts = Input::LAYOUTS;
        let layout = layouts.iter().find(|layout| layout.kind == kind);
        let layout = layout.expect("the kinds here are those of commands");
        let mut out = vec![0; layout.fixed_bytes()];
        out[..4].copy_from_slice(&kind.to_le_bytes());
        let key = match layout.key {
            Some("token") => self.token(chance),
            // Who stops waiting names the ticket of who waits.
            _ if kind == STOP_WAITING => 1.0 + chance.below(self.tickets as usize) as f64,
            _ => self.ticket(),
        };
        out[KEY].copy_from_slice(&key.to_le_bytes());
        for (index, field) in layout.fields.iter().enumerate() {
            let at = layout.field_offset(index);
            let value = self.field(field.name, chance);
            if field.kind.bytes() == 4 {
                out[at..at + 4].copy_from_slice(&(value as u32).to_le_bytes());
            } else {
                out[at..at + 8].copy_from_slice(&value.to_le_bytes());
            }
        }
        for index in 0..layout.tails.len() {
            let text = chance.pick(&TEXTS);
            let at = layout.length_offset(index);
            out[at..at + 4].copy_from_slice(&(text.len() as u32).to_le_bytes());
            out.extend(text.as_bytes());
        }
        out.resize(out.len().next_multiple_of(8), 0);
        let size = out.len() as u32;
        out[4..8].copy_from_slice(&size.to_le_bytes());
        out
    }

    fn token(&mut self, chance: &mut Chance<'_>) -> f64 {
        if self.tokens.is_empty() || chance.once_in(8) {
            return chance.number() as f64;
        }
        self.tokens[chance.below(self.tokens.len())]
    }

    fn field(&mut self, name: &str, chance: &mut Chance<'_>) -> f64 {
        match name {
            "token" => self.token(chance),
            "queue" if !chance.once_in(16) => chance.below(2) as f64,
            "count" | "settles" | "enqueues" | "max" if !chance.once_in(16) => {
                chance.below(3) as f64
            }
            _ if chance.once_in(3) => f64::NAN,
            _ if chance.once_in(16) => f64::INFINITY,
            "at" | "when" => self.now + chance.number() as f64 - 8.0,
            _ => chance.number() as f64,
        }
    }

    fn step(&mut self, input: &[u8]) {
        let mut input = input;
        for _ in 0..ROUNDS_MAX {
            let done = self.host.step(self.now, input, &mut self.output);
            input = &[];
            let written = self.output[..done.written as usize].to_vec();
            let mut rest = written.as_slice();
            while !rest.is_empty() {
                let (record, size) = Output::decode(rest).expect("an engine says records");
                self.hear(&record);
                rest = &rest[size..];
            }
            if done.needed > 0 {
                self.output.resize(done.needed as usize, 0);
            }
            if !done.more {
                for key in std::mem::take(&mut self.announced) {
                    self.host.take(key);
                }
                return;
            }
        }
        panic!("the engine never comes to rest");
    }

    fn hear(&mut self, record: &Output<'_>) {
        match record {
            Output::Append(append) => {
                let waits = self.jobs.iter().any(|job| matches!(job, Job::Append(..)));
                assert!(!waits, "two appends in flight");
                self.jobs
                    .push(Job::Append(append.segment, append.bytes.to_vec()));
            }
            Output::Read(read) => self.jobs.push(Job::Read {
                key: read.read,
                segment: read.segment,
                offset: read.offset as usize,
                length: read.length as usize,
            }),
            Output::Truncate(cut) => self
                .jobs
                .push(Job::Truncate(cut.segment, cut.length as usize)),
            Output::Remove(remove) => self.jobs.push(Job::Remove(remove.segment)),
            Output::Deliver(deliver) => self.tokens.push(deliver.token),
            Output::Reply(reply) => {
                let answers = self.answers.entry(reply.ticket as u64).or_default();
                *answers += 1;
                assert_eq!(*answers, 1, "answered twice: {reply:?}");
                if reply.code > 0 {
                    self.announced.push(reply.ticket);
                }
            }
            Output::Notice(notice) => self.announced.push(notice.number),
            _ => {}
        }
    }

    /// The storage answers one thing, well unless `how` is 1 or 2.
    fn serve(&mut self, how: usize, chance: &mut Chance<'_>) {
        if self.jobs.is_empty() {
            return;
        }
        let job = self.jobs.remove(chance.below(self.jobs.len()));
        let said = self.completion(job, how);
        self.step(&said);
    }

    fn completion(&mut self, job: Job, how: usize) -> Vec<u8> {
        match (job, how) {
            (Job::Append(..), 1 | 2) => {
                said(&Input::AppendFailed(AppendFailed { clean: how == 1 }))
            }
            (Job::Read { key, .. }, 2) => said(&Input::ReadFailed(ReadFailed { read: key })),
            (Job::Truncate(..) | Job::Remove(_), 2) => {
                said(&Input::MaintenanceFailed(MaintenanceFailed {}))
            }
            (Job::Append(segment, bytes), _) => {
                self.disk.entry(segment).or_default().extend(bytes);
                said(&Input::Appended(Appended {}))
            }
            (
                Job::Read {
                    key,
                    segment,
                    offset,
                    length,
                },
                _,
            ) => {
                let bytes = &self.disk[&segment][offset..][..length];
                said(&Input::Chunk(Chunk { read: key, bytes }))
            }
            (Job::Truncate(segment, bytes), _) => {
                self.disk.entry(segment).or_default().truncate(bytes);
                said(&Input::Truncated(Truncated {}))
            }
            (Job::Remove(segment), _) => {
                self.disk.remove(&segment);
                said(&Input::Removed(Removed { segment }))
            }
        }
    }

    /// The storage answers everything, and the box is closed.
    fn end(&mut self) {
        self.call(json!({ "op": "close" }));
        let mut chance = Chance::new(&[]);
        for _ in 0..ROUNDS_MAX {
            if self.jobs.is_empty() {
                return;
            }
            self.serve(0, &mut chance);
        }
        panic!("the storage is asked without end");
    }
}

fn said(record: &Input<'_>) -> Vec<u8> {
    let mut bytes = vec![0; record.size()];
    record.encode(&mut bytes);
    bytes
}
