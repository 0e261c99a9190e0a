//! From input records to what the core takes.
//!
//! Any bytes are messages or [`BadInput`]: nothing here panics, and nothing is allocated beyond what the bytes hold.

use std::ops::Range;

use ackbox_core::command::{
    Claimed, Command, Completion, EditDead, Enqueue, Move, Part, Produce, QueueId, ReadId,
    RecordStep, Settle, Ticket, Token, Transaction, Verdict,
};

use ackbox_core::time::Timestamp;

use crate::codes;
use crate::input::{self, Input};
pub use crate::number::BadInput;
use crate::number::{Checked, duration, exact, instant, limit};

/// Messages of a batch that are handed over at once. A larger one comes in parts.
const PART: u32 = 2_500;

/// What one or, for a batch, several records say.
#[derive(Clone, Debug)]
pub enum Message<'a> {
    /// A command, and the ticket under which it is answered.
    Command(Ticket, Command<'a>),
    /// How the host fared with an effect.
    Completion(Completion<'a>),
}

/// Iterates over the messages of one input area, up to the first bad one.
#[derive(Clone, Debug)]
pub struct Messages<'a> {
    bytes: &'a [u8],
    first: usize,
    at: Place,
    records: usize,
}

/// How far an input area was read.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    byte: usize,
    /// The batch that goes on here.
    batch: Option<Batch>,
}

/// A batch of which parts were read.
#[derive(Clone, Copy, Debug)]
struct Batch {
    ticket: Ticket,
    count: u32,
    read: u32,
}

impl Place {
    /// The beginning of an area.
    pub const START: Self = Self {
        byte: 0,
        batch: None,
    };

    /// Whether everything of an area was read that has so many bytes.
    #[must_use]
    pub const fn is_end(&self, bytes: usize) -> bool {
        self.byte >= bytes && self.batch.is_none()
    }
}

impl<'a> Messages<'a> {
    /// Those of these bytes.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self::behind(bytes, Place::START)
    }

    /// Those of these bytes from where others ended.
    #[must_use]
    pub fn behind(bytes: &'a [u8], at: Place) -> Self {
        Self {
            bytes,
            first: at.byte,
            at,
            records: 0,
        }
    }

    /// Where the next one begins; the end of the bytes when there is none.
    #[must_use]
    pub const fn at(&self) -> Place {
        self.at
    }

    /// How many records were read.
    #[must_use]
    pub const fn records(&self) -> usize {
        self.records
    }

    /// How many bytes they have.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.at.byte - self.first
    }

    fn record(&mut self) -> Checked<Option<Input<'a>>> {
        let bytes = &self.bytes[self.at.byte..];
        if bytes.is_empty() {
            return Ok(None);
        }
        let (record, size) = Input::decode(bytes)
            .map_err(|why| BadInput(format!("input record at byte {}: {why}", self.at.byte)))?;
        self.at.byte += size;
        self.records += 1;
        Ok(Some(record))
    }

    /// What `read` makes of the next records, those with these numbers of a unit of `count`; none is smaller
    /// than `smallest`.
    fn unit<T>(
        &mut self,
        numbers: Range<u32>,
        count: u32,
        smallest: usize,
        read: impl Fn(Input<'a>) -> Checked<T>,
    ) -> Checked<Vec<T>> {
        let possible = (self.bytes.len() - self.at.byte) / smallest;
        let mut items = Vec::with_capacity(possible.min(numbers.len()));
        for index in numbers {
            let record = self.record()?.ok_or_else(|| {
                BadInput(format!(
                    "unit of {count}: expected a record at {index}, got none"
                ))
            })?;
            items.push(read(record)?);
        }
        Ok(items)
    }

    fn enqueues(&mut self, numbers: Range<u32>, count: u32) -> Checked<Vec<Enqueue<'a>>> {
        let smallest = input::Enqueue::LAYOUT.fixed_bytes();
        self.unit(numbers, count, smallest, |record| match record {
            Input::Enqueue(record) => enqueue(record),
            other => Err(unexpected(count, "an enqueue", &other)),
        })
    }

    fn settles(&mut self, count: u32) -> Checked<Vec<Settle<'a>>> {
        let smallest = input::Settle::LAYOUT.fixed_bytes();
        self.unit(0..count, count, smallest, |record| match record {
            Input::Settle(record) => settle(record),
            other => Err(unexpected(count, "a settlement", &other)),
        })
    }

    /// The next part of a batch.
    fn part(&mut self, batch: Batch) -> Checked<Message<'a>> {
        let Batch {
            ticket,
            count,
            read,
        } = batch;
        let end = count.min(read.saturating_add(PART));
        let items = self.enqueues(read..end, count)?;
        let is_last = end == count;
        self.at.batch = (!is_last).then_some(Batch { read: end, ..batch });
        Ok(Message::Command(
            ticket,
            Command::EnqueuePart(Part { items, is_last }),
        ))
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Checked<Message<'a>>;

    fn next(&mut self) -> Option<Checked<Message<'a>>> {
        if let Some(batch) = self.at.batch {
            let part = self.part(batch);
            return Some(part.map_err(|why| self.stop(why)));
        }
        let record = match self.record() {
            Ok(record) => record?,
            Err(why) => return Some(Err(self.stop(why))),
        };
        let message = self.message(record);
        Some(message.map_err(|why| self.stop(why)))
    }
}

impl<'a> Messages<'a> {
    /// Nothing is read behind a bad record.
    fn stop(&mut self, why: BadInput) -> BadInput {
        self.at = Place {
            byte: self.bytes.len(),
            batch: None,
        };
        why
    }

    fn message(&mut self, record: Input<'a>) -> Checked<Message<'a>> {
        let command = |key, command| Ok(Message::Command(ticket(key)?, command));
        let done = |completion| Ok(Message::Completion(completion));
        match record {
            Input::Enqueue(record) => command(record.ticket, Command::Enqueue(enqueue(record)?)),
            Input::Batch(record) => self.part(Batch {
                ticket: ticket(record.ticket)?,
                count: record.count,
                read: 0,
            }),
            Input::Transaction(record) => {
                let settles = self.settles(record.settles)?;
                let enqueues = self.enqueues(0..record.enqueues, record.enqueues)?;
                let unit = Transaction { settles, enqueues };
                command(record.ticket, Command::Transaction(unit))
            }
            Input::Settle(record) => {
                // Nothing is answered under ticket 0: a handler that returned.
                Ok(Message::Command(
                    Ticket(exact(record.ticket, "ticket")?),
                    Command::Settle(settle(record)?),
                ))
            }
            Input::Produce(record) => {
                let enqueue = self.enqueues(0..1, 1)?.pop().expect("one");
                let produce = Produce {
                    producer: record.producer,
                    epoch: exact(record.epoch, "epoch")?,
                    sequence: exact(record.sequence, "sequence")?,
                    enqueue,
                };
                command(record.ticket, Command::Produce(produce))
            }
            Input::Move(record) => {
                let mut enqueues = self.enqueues(0..record.count, record.count)?;
                let left_at = instant(record.left_at, "leftAt")?;
                for (index, enqueue) in enqueues.iter_mut().enumerate() {
                    enqueue.enqueued_at = Some(left_at);
                    enqueue.has_host_id = record.host_ids.get(index).is_some_and(|&is| is != 0);
                }
                let unit = Move {
                    after: exact(record.after, "after")?,
                    key: exact(record.inbox_key, "key")?,
                    refused: record.refused.then_some(record.error),
                    enqueues,
                };
                command(record.ticket, Command::Move(unit))
            }
            Input::Returned(record) => {
                let token = token(record.token)?;
                Ok(Message::Command(Ticket(0), Command::Returned { token }))
            }
            Input::Abandoned(record) => {
                let token = token(record.token)?;
                Ok(Message::Command(Ticket(0), Command::Abandoned { token }))
            }
            Input::Declined(record) => {
                let token = token(record.token)?;
                Ok(Message::Command(Ticket(0), Command::Declined { token }))
            }
            Input::Began(record) => {
                let token = token(record.token)?;
                Ok(Message::Command(Ticket(0), Command::Began { token }))
            }
            Input::Excused(record) => {
                let excused = Command::Excused {
                    token: token(record.token)?,
                    blameless: record.blameless,
                    free: record.free,
                    unasked: record.unasked,
                };
                Ok(Message::Command(Ticket(0), excused))
            }
            Input::Extend(record) => {
                let ms = duration(record.ms, "ms")?;
                command(
                    record.ticket,
                    Command::Extend {
                        token: token(record.token)?,
                        ms,
                    },
                )
            }
            Input::Dequeue(record) => command(record.ticket, dequeue(record)?),
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
                    token: token(record.token)?,
                    name: record.name,
                    result: record.has_result.then_some(record.result),
                }),
            ),
            Input::RecallStep(record) => command(
                record.ticket,
                Command::RecallStep {
                    token: token(record.token)?,
                    name: record.name,
                },
            ),
            Input::StopWaiting(record) => command(record.ticket, Command::StopWaiting),
            Input::Appended(_) => done(Completion::Appended),
            Input::AppendFailed(record) => done(Completion::AppendFailed {
                clean: record.clean,
            }),
            Input::Chunk(record) => done(Completion::Chunk {
                read: read(record.read)?,
                bytes: record.bytes,
            }),
            Input::ReadFailed(record) => done(Completion::ReadFailed {
                read: read(record.read)?,
            }),
            Input::Truncated(_) => done(Completion::Truncated),
            Input::Removed(record) => done(Completion::Removed {
                segment: record.segment,
            }),
            Input::MaintenanceFailed(_) => done(Completion::MaintenanceFailed),
            Input::Refused(record) => done(Completion::Refused(token(record.token)?)),
            Input::TakeIn(record) => {
                let claimed = claimed(record)?;
                Ok(Message::Command(Ticket(0), Command::TakeIn(claimed)))
            }
            Input::ClaimDone(record) => {
                let (queue, dry) = (QueueId(record.queue), record.dry);
                Ok(Message::Command(
                    Ticket(0),
                    Command::ClaimDone { queue, dry },
                ))
            }
            Input::LoseClaim(record) => {
                let token = token(record.token)?;
                Ok(Message::Command(Ticket(0), Command::LoseClaim { token }))
            }
        }
    }
}

/// A ticket that something is answered under.
pub(crate) fn ticket(key: f64) -> Checked<Ticket> {
    match exact(key, "ticket")? {
        0 => Err(BadInput(
            "ticket: expected an integer from 1, got 0".to_owned(),
        )),
        ticket => Ok(Ticket(ticket)),
    }
}

fn token(value: f64) -> Checked<Token> {
    exact(value, "token").map(Token)
}

fn read(key: f64) -> Checked<ReadId> {
    exact(key, "read").map(ReadId)
}

fn unexpected(count: u32, expected: &str, record: &Input<'_>) -> BadInput {
    let name = record.name();
    BadInput(format!("unit of {count}: expected {expected}, got {name}"))
}

fn enqueue(record: input::Enqueue<'_>) -> Checked<Enqueue<'_>> {
    let optional = |value: Option<f64>, what| value.map(|value| duration(value, what)).transpose();
    let priority = u8::try_from(record.priority).map_err(|_| {
        let priority = record.priority;
        BadInput(format!("priority: expected 0 to 255, got {priority}"))
    })?;
    let max_attempts = record.max_attempts.map(|value| limit(value, "maxAttempts"));
    Ok(Enqueue {
        queue: QueueId(record.queue),
        id: filled(record.id),
        delay_ms: optional(record.delay_ms, "delayMs")?,
        at: record.at.map(|value| instant(value, "at")).transpose()?,
        ttl_ms: optional(record.ttl_ms, "ttlMs")?,
        priority,
        max_attempts: max_attempts.transpose()?,
        group: filled(record.group),
        destination: filled(record.destination),
        headers: record.headers,
        body: record.body,
        enqueued_at: None,
        has_host_id: false,
    })
}

fn claimed(record: input::TakeIn<'_>) -> Checked<Claimed<'_>> {
    let priority = u8::try_from(record.priority).map_err(|_| {
        let priority = record.priority;
        BadInput(format!("priority: expected 0 to 255, got {priority}"))
    })?;
    if record.attempt == 0 {
        return Err(BadInput("attempt: expected 1 or more, got 0".to_owned()));
    }
    let deadline = record.deadline.map(|at| instant(at, "deadline"));
    Ok(Claimed {
        token: token(record.token)?,
        queue: QueueId(record.queue),
        id: record.id,
        attempt: record.attempt,
        deaths: record.deaths,
        max_attempts: limit(record.max_attempts, "maxAttempts")?,
        priority,
        enqueued_at: instant(record.enqueued_at, "enqueuedAt")?,
        first_delivery: instant(record.first_delivery, "firstDelivery")?,
        deadline: deadline.transpose()?.unwrap_or(Timestamp::NEVER),
        group: record.group,
        destination: record.destination,
        headers: record.headers,
        body: record.body,
    })
}

fn filled(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn settle(record: input::Settle<'_>) -> Checked<Settle<'_>> {
    Ok(Settle {
        token: token(record.token)?,
        verdict: verdict(&record)?,
        returned: record.returned,
        result: record.result,
        error: record.error,
    })
}

fn verdict(record: &input::Settle<'_>) -> Checked<Verdict> {
    use codes::Verdict as Code;
    let unknown =
        |what: &str, code: u32| BadInput(format!("{what}: expected a known one, got {code}"));
    let delay = || {
        let delay = record.when.map(|value| duration(value, "delayMs"));
        delay.transpose()
    };
    Ok(match record.verdict {
        code if code == Code::Ack as u32 => Verdict::Ack,
        code if code == Code::Reject as u32 => Verdict::Reject { delay_ms: delay()? },
        code if code == Code::Dead as u32 => {
            let reason = codes::reason(record.reason);
            Verdict::Dead(reason.ok_or_else(|| unknown("reason", record.reason))?)
        }
        code if code == Code::RetryAt as u32 => Verdict::RetryAt {
            at: instant(record.when.unwrap_or(f64::NAN), "when")?,
            costs_attempt: record.costs_attempt,
            counts_as_failure: record.counts_as_failure,
        },
        code if code == Code::Return as u32 => Verdict::Return,
        code if code == Code::PutOff as u32 => Verdict::PutOff {
            delay_ms: delay()?,
            costs_attempt: record.costs_attempt,
            counts_as_failure: record.counts_as_failure,
        },
        code => return Err(unknown("verdict", code)),
    })
}

fn dequeue<'a>(record: input::Dequeue) -> Checked<Command<'a>> {
    let lease = record.lease_ms.map(|value| duration(value, "leaseMs"));
    Ok(Command::Dequeue {
        queue: QueueId(record.queue),
        max: record.max,
        lease_ms: lease.transpose()?,
        wait_ms: duration(record.wait_ms, "waitMs")?,
    })
}
