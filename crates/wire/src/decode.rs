//! From input records to what the core takes.

use ackbox_core::command::{
    Command, Completion, EditDead, Enqueue, Produce, QueueId, ReadId, RecordStep, Settle, Ticket,
    Token, Transaction, Verdict,
};

use crate::codes;
use crate::input::{self, Input};
use crate::number::{duration, exact, instant, limit};

/// What one or, for a batch, several records say.
#[derive(Clone, Debug)]
pub(crate) enum Message<'a> {
    Command(Ticket, Command<'a>),
    Completion(Completion<'a>),
}

/// Iterates over the messages of one input area.
pub(crate) struct Messages<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Messages<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn record(&mut self) -> Option<Input<'a>> {
        let bytes = &self.bytes[self.at..];
        if bytes.is_empty() {
            return None;
        }
        match Input::decode(bytes) {
            Ok((record, size)) => {
                self.at += size;
                Some(record)
            }
            Err(why) => panic!("input record at byte {}: {why}", self.at),
        }
    }

    /// What `read` makes of the next `count` records, none of which is smaller than `smallest`.
    fn unit<T>(&mut self, count: u32, smallest: usize, read: impl Fn(Input<'a>) -> T) -> Vec<T> {
        let possible = (self.bytes.len() - self.at) / smallest;
        let mut items = Vec::with_capacity(possible.min(count as usize));
        for index in 0..count {
            match self.record() {
                Some(record) => items.push(read(record)),
                None => panic!("unit of {count}: expected a record at {index}, got none"),
            }
        }
        items
    }

    fn enqueues(&mut self, count: u32) -> Vec<Enqueue<'a>> {
        let smallest = input::Enqueue::LAYOUT.fixed_bytes();
        self.unit(count, smallest, |record| match record {
            Input::Enqueue(record) => enqueue(record),
            other => panic!("unit of {count}: expected an enqueue, got {other:?}"),
        })
    }

    fn settles(&mut self, count: u32) -> Vec<Settle<'a>> {
        let smallest = input::Settle::LAYOUT.fixed_bytes();
        self.unit(count, smallest, |record| match record {
            Input::Settle(record) => settle(record),
            other => panic!("unit of {count}: expected a settlement, got {other:?}"),
        })
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let command = |key, command| Message::Command(ticket(key), command);
        Some(match self.record()? {
            Input::Enqueue(record) => command(record.ticket, Command::Enqueue(enqueue(record))),
            Input::Batch(record) => {
                let items = self.enqueues(record.count);
                command(record.ticket, Command::EnqueueMany(items))
            }
            Input::Transaction(record) => {
                let settles = self.settles(record.settles);
                let enqueues = self.enqueues(record.enqueues);
                let unit = Transaction { settles, enqueues };
                command(record.ticket, Command::Transaction(unit))
            }
            Input::Settle(record) => {
                // Nothing is answered under ticket 0: a handler that returned.
                Message::Command(
                    Ticket(exact(record.ticket, "ticket")),
                    Command::Settle(settle(record)),
                )
            }
            Input::Produce(record) => {
                let enqueue = self.enqueues(1).pop().expect("one");
                let produce = Produce {
                    producer: record.producer,
                    epoch: exact(record.epoch, "epoch"),
                    sequence: exact(record.sequence, "sequence"),
                    enqueue,
                };
                command(record.ticket, Command::Produce(produce))
            }
            Input::Returned(record) => Message::Command(
                Ticket(0),
                Command::Returned {
                    token: token(record.token),
                },
            ),
            Input::Abandoned(record) => Message::Command(
                Ticket(0),
                Command::Abandoned {
                    token: token(record.token),
                },
            ),
            Input::Declined(record) => Message::Command(
                Ticket(0),
                Command::Declined {
                    token: token(record.token),
                },
            ),
            Input::Began(record) => Message::Command(
                Ticket(0),
                Command::Began {
                    token: token(record.token),
                },
            ),
            Input::Excused(record) => Message::Command(
                Ticket(0),
                Command::Excused {
                    token: token(record.token),
                    blameless: record.blameless,
                    free: record.free,
                },
            ),
            Input::Extend(record) => {
                let ms = duration(record.ms, "ms");
                command(
                    record.ticket,
                    Command::Extend {
                        token: token(record.token),
                        ms,
                    },
                )
            }
            Input::Dequeue(record) => command(record.ticket, dequeue(record)),
            Input::Finished(record) => command(
                record.ticket,
                Command::Finished {
                    queue: QueueId(record.queue),
                    id: record.id,
                },
            ),
            Input::Idle(record) => command(
                record.ticket,
                Command::Idle {
                    queue: QueueId(record.queue),
                },
            ),
            Input::EditDead(record) => command(
                record.ticket,
                Command::EditDead(EditDead {
                    queue: QueueId(record.queue),
                    id: record.id,
                    headers: record.has_headers.then_some(record.headers),
                    body: record.has_body.then_some(record.body),
                }),
            ),
            Input::RecordStep(record) => command(
                record.ticket,
                Command::RecordStep(RecordStep {
                    token: token(record.token),
                    name: record.name,
                    result: record.has_result.then_some(record.result),
                }),
            ),
            Input::RecallStep(record) => command(
                record.ticket,
                Command::RecallStep {
                    token: token(record.token),
                    name: record.name,
                },
            ),
            Input::StopWaiting(record) => command(record.ticket, Command::StopWaiting),
            Input::Appended(_) => Message::Completion(Completion::Appended),
            Input::AppendFailed(record) => Message::Completion(Completion::AppendFailed {
                clean: record.clean,
            }),
            Input::Chunk(record) => Message::Completion(Completion::Chunk {
                read: read(record.read),
                bytes: record.bytes,
            }),
            Input::ReadFailed(record) => Message::Completion(Completion::ReadFailed {
                read: read(record.read),
            }),
            Input::Truncated(_) => Message::Completion(Completion::Truncated),
            Input::Removed(record) => Message::Completion(Completion::Removed {
                segment: record.segment,
            }),
            Input::MaintenanceFailed(_) => Message::Completion(Completion::MaintenanceFailed),
        })
    }
}

/// A ticket that something is answered under.
pub(crate) fn ticket(key: f64) -> Ticket {
    let ticket = exact(key, "ticket");
    assert!(ticket != 0, "ticket: expected an integer from 1, got 0");
    Ticket(ticket)
}

fn token(value: f64) -> Token {
    Token(exact(value, "token"))
}

fn read(key: f64) -> ReadId {
    ReadId(exact(key, "read"))
}

fn enqueue(record: input::Enqueue<'_>) -> Enqueue<'_> {
    Enqueue {
        queue: QueueId(record.queue),
        id: filled(record.id),
        delay_ms: record.delay_ms.map(|value| duration(value, "delayMs")),
        at: record.at.map(|value| instant(value, "at")),
        ttl_ms: record.ttl_ms.map(|value| duration(value, "ttlMs")),
        priority: u8::try_from(record.priority)
            .unwrap_or_else(|_| panic!("priority: expected 0 to 255, got {}", record.priority)),
        max_attempts: record.max_attempts.map(|value| limit(value, "maxAttempts")),
        group: filled(record.group),
        destination: filled(record.destination),
        headers: record.headers,
        body: record.body,
    }
}

fn filled(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn settle(record: input::Settle<'_>) -> Settle<'_> {
    Settle {
        token: token(record.token),
        verdict: verdict(&record),
        returned: record.returned,
        result: record.result,
        error: record.error,
    }
}

fn verdict(record: &input::Settle<'_>) -> Verdict {
    use codes::Verdict as Code;
    match record.verdict {
        code if code == Code::Ack as u32 => Verdict::Ack,
        code if code == Code::Reject as u32 => Verdict::Reject {
            delay_ms: record.when.map(|value| duration(value, "delayMs")),
        },
        code if code == Code::Dead as u32 => Verdict::Dead(
            codes::reason(record.reason)
                .unwrap_or_else(|| panic!("reason: expected a known one, got {}", record.reason)),
        ),
        code if code == Code::RetryAt as u32 => Verdict::RetryAt {
            at: instant(record.when.unwrap_or(f64::NAN), "when"),
            costs_attempt: record.costs_attempt,
            counts_as_failure: record.counts_as_failure,
        },
        code if code == Code::Return as u32 => Verdict::Return,
        code => panic!("verdict: expected a known one, got {code}"),
    }
}

fn dequeue<'a>(record: input::Dequeue) -> Command<'a> {
    Command::Dequeue {
        queue: QueueId(record.queue),
        max: record.max,
        lease_ms: record.lease_ms.map(|value| duration(value, "leaseMs")),
        wait_ms: duration(record.wait_ms, "waitMs"),
    }
}
