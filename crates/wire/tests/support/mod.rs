//! A driver in a few lines: it performs effects at once and writes down what it was told.

use ackbox_wire::codes::REPLIES;
use ackbox_wire::input::{Appended, Batch, Enqueue};
use ackbox_wire::output::Output;
use ackbox_wire::{Host, StepResult};
use serde_json::{Value, json};

/// A host, its output area, and the bytes of its storage.
pub(crate) struct Driver {
    pub(crate) host: Host,
    pub(crate) output: Vec<u8>,
    pub(crate) journal: Vec<u8>,
    /// How many steps the last input took.
    pub(crate) steps: u32,
}

impl Driver {
    pub(crate) const NOW: f64 = 1_700_000_000_000.0;

    pub(crate) fn new(entropy: [u8; 32]) -> Self {
        let host = Host::new(Self::NOW, json!({}), entropy).unwrap();
        Self {
            host,
            output: vec![0xAA; 1 << 16],
            journal: Vec::new(),
            steps: 0,
        }
    }

    /// A new box with one queue.
    pub(crate) fn opened() -> Self {
        let mut driver = Self::new([1; 32]);
        driver.open();
        driver
    }

    pub(crate) fn open(&mut self) {
        let opened = self.call(1, json!({ "op": "open", "segments": [] }));
        if opened == json!({}) {
            assert_eq!(self.run(&[]), ["reply 1 object"]);
            assert_eq!(self.host.take(1.0)["created"], true);
        } else {
            assert_eq!(opened["ok"]["created"], true);
        }
        let defined = self.call(2, json!({ "op": "defineQueue", "name": "orders" }));
        assert_eq!(defined["ok"]["queue"], 0);
        self.run(&[]);
    }

    pub(crate) fn call(&mut self, ticket: u32, request: Value) -> Value {
        self.host.call(Self::NOW, f64::from(ticket), request)
    }

    /// Steps until nothing is left to do, and says what happened.
    pub(crate) fn run(&mut self, input: &[u8]) -> Vec<String> {
        let mut log = Vec::new();
        let mut input = input.to_vec();
        loop {
            let answers = self.drain(&input, &mut log);
            if answers.is_empty() {
                return log;
            }
            input = answers;
        }
    }

    /// One input and all its outputs; gives the answers to them.
    pub(crate) fn drain(&mut self, input: &[u8], log: &mut Vec<String>) -> Vec<u8> {
        let mut answers = Vec::new();
        let mut input = input;
        self.steps = 0;
        loop {
            self.steps += 1;
            let StepResult {
                written,
                more,
                needed,
            } = self.host.step(Self::NOW, input, &mut self.output);
            assert_eq!(needed, 0, "the area of this test holds every record");
            let mut rest = &self.output[..written as usize];
            while !rest.is_empty() {
                let (record, size) = Output::decode(rest).unwrap();
                if let Output::Append(append) = record {
                    self.journal.extend_from_slice(append.bytes);
                    answers.extend(appended());
                }
                log.push(describe(&record));
                rest = &rest[size..];
            }
            if !more {
                return answers;
            }
            input = &[];
        }
    }
}

fn describe(record: &Output<'_>) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    match record {
        Output::Append(_) => "append".into(),
        Output::Deliver(deliver) => format!("deliver {} {}", deliver.id, text(deliver.body)),
        Output::Receipt(receipt) => {
            let again = if receipt.duplicate { " again" } else { "" };
            format!("receipt {} {}{again}", receipt.ticket, receipt.id)
        }
        Output::Reply(reply) => {
            format!(
                "reply {} {}",
                reply.ticket, REPLIES.entries[reply.code as usize].0
            )
        }
        Output::Body(body) => format!("body {} {}", body.ticket, text(body.body)),
        other => format!("{other:?}"),
    }
}

fn encoded(size: usize, encode: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut bytes = vec![0; size];
    encode(&mut bytes);
    bytes
}

/// The record that confirms an append.
pub(crate) fn appended() -> Vec<u8> {
    encoded(Appended {}.size(), |out| Appended {}.encode(out))
}

const PLAIN: Enqueue<'_> = Enqueue {
    ticket: 0.0,
    delay_ms: None,
    at: None,
    ttl_ms: None,
    max_attempts: None,
    queue: 0,
    priority: 0,
    id: "",
    group: "",
    destination: "",
    headers: &[],
    body: &[],
};

fn record(enqueue: Enqueue<'_>) -> Vec<u8> {
    encoded(enqueue.size(), |out| enqueue.encode(out))
}

/// The record of one enqueue into the first queue.
pub(crate) fn enqueue(ticket: u32, id: &str, body: &[u8]) -> Vec<u8> {
    record(Enqueue {
        ticket: f64::from(ticket),
        id,
        body,
        ..PLAIN
    })
}

/// The same, for later.
pub(crate) fn delayed(ticket: u32, id: &str, delay_ms: f64) -> Vec<u8> {
    record(Enqueue {
        ticket: f64::from(ticket),
        id,
        delay_ms: Some(delay_ms),
        ..PLAIN
    })
}

/// The records of an atomic batch.
pub(crate) fn batch(ticket: u32, items: &[(&str, &[u8])]) -> Vec<u8> {
    let header = Batch {
        ticket: f64::from(ticket),
        count: items.len() as u32,
    };
    let mut bytes = encoded(header.size(), |out| header.encode(out));
    for (id, body) in items {
        bytes.extend(record(Enqueue { id, body, ..PLAIN }));
    }
    bytes
}
