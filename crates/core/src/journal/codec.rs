//! Records to payloads and back: a kind byte, flags where there are some, then the fields.

use super::attempt::AttemptRecord;
use super::bytes::{Reader, cut_inside, put_bytes, put_u32, put_u64, put_u128};
use super::entry::{EntryKey, EntryRecord, With};
use super::message::MessageRecord;
use super::record::{Record, StepResult, Transfer};

/// First byte of a payload. Zero is none, so that zeroed bytes are no record.
pub(super) mod kind {
    pub(in super::super) const OPENED: u8 = 1;
    pub(in super::super) const OPENS: u8 = 2;
    pub(in super::super) const QUEUE: u8 = 3;
    pub(in super::super) const MESSAGE: u8 = 4;
    pub(in super::super) const STARTED: u8 = 5;
    pub(in super::super) const RETURNED: u8 = 6;
    pub(in super::super) const RETRIED: u8 = 7;
    pub(in super::super) const COMPLETED: u8 = 8;
    pub(in super::super) const DEAD: u8 = 9;
    pub(in super::super) const CANCELLED: u8 = 10;
    pub(in super::super) const REMOVED: u8 = 11;
    pub(in super::super) const RESCHEDULED: u8 = 12;
    pub(in super::super) const PURGED: u8 = 13;
    pub(in super::super) const REDRIVEN: u8 = 14;
    pub(in super::super) const FORGOTTEN: u8 = 15;
    pub(in super::super) const ENTRY: u8 = 16;
    pub(in super::super) const ENTRY_WITH_ATTEMPT: u8 = 17;
    pub(in super::super) const REVIVED: u8 = 18;
    pub(in super::super) const ENTRY_WITH_HISTORY: u8 = 19;
    pub(in super::super) const STEP: u8 = 20;
    pub(in super::super) const REDRIVEN_WITHOUT_STEPS: u8 = 21;
    pub(in super::super) const PRODUCER: u8 = 22;
    pub(in super::super) const PRODUCED: u8 = 23;
    pub(in super::super) const CIRCUIT: u8 = 24;
    pub(in super::super) const HELD: u8 = 25;
    pub(in super::super) const MOVED: u8 = 26;
}

const QUEUE_PAUSED: u8 = 1;
const RETRIED_COSTS: u8 = 1;
const COMPLETED_HANDED_OVER: u8 = 1;
const COMPLETED_ENTRY: u8 = 2;
const COMPLETED_ATTEMPT: u8 = 4;
const COMPLETED_HISTORY: u8 = 8;
const DEAD_ATTEMPT: u8 = 1;
const REVIVED_ELSEWHERE: u8 = 1;
const REVIVED_WITHOUT_STEPS: u8 = 2;
const STEP_NOTHING: u8 = 1;
const STEP_DAMAGED: u8 = 2;

impl<'a> Record<'a> {
    /// Appends its payload.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Opened {
                open,
                last_number,
                last_token,
            } => {
                out.push(kind::OPENED);
                put_u32(out, *open);
                put_u64(out, *last_number);
                put_u64(out, *last_token);
            }
            Self::Opens(opens) => {
                out.push(kind::OPENS);
                for &(open, last_number) in opens {
                    put_u32(out, open);
                    put_u64(out, last_number);
                }
            }
            Self::Queue {
                queue,
                paused,
                name,
                options,
            } => {
                out.extend_from_slice(&[kind::QUEUE, if *paused { QUEUE_PAUSED } else { 0 }]);
                put_u32(out, *queue);
                put_bytes(out, name.as_bytes());
                out.extend_from_slice(options);
            }
            Self::Message(message) => message.encode(kind::MESSAGE, out),
            Self::Started { number, token } => put_pair(out, kind::STARTED, *number, *token),
            Self::Returned { number } => put_number(out, kind::RETURNED, *number),
            Self::Retried {
                number,
                due,
                costs,
                attempt,
            } => {
                out.extend_from_slice(&[kind::RETRIED, if *costs { RETRIED_COSTS } else { 0 }]);
                put_u64(out, *number);
                put_u64(out, *due);
                attempt.encode(out);
            }
            Self::Completed {
                number,
                handed_over,
                entry,
                attempt,
                history,
                result,
            } => {
                let flag = |is_set, flag| if is_set { flag } else { 0 };
                let flags = flag(*handed_over, COMPLETED_HANDED_OVER)
                    | flag(entry.is_some(), COMPLETED_ENTRY)
                    | flag(*attempt != 0, COMPLETED_ATTEMPT)
                    | flag(!history.is_empty(), COMPLETED_HISTORY);
                out.extend_from_slice(&[kind::COMPLETED, flags]);
                put_u64(out, *number);
                if let Some(key) = entry {
                    key.encode(out);
                }
                if *attempt != 0 {
                    put_u32(out, *attempt);
                }
                if !history.is_empty() {
                    put_bytes(out, history);
                }
                out.extend_from_slice(result);
            }
            Self::Dead {
                number,
                reason,
                attempt,
                error,
                history,
            } => {
                out.extend_from_slice(&[
                    kind::DEAD,
                    if attempt.is_some() { DEAD_ATTEMPT } else { 0 },
                ]);
                put_u64(out, *number);
                out.push(*reason);
                if let Some(attempt) = attempt {
                    attempt.encode(out);
                }
                put_bytes(out, error);
                out.extend_from_slice(history);
            }
            Self::Cancelled { number } => put_number(out, kind::CANCELLED, *number),
            Self::Removed { number } => put_number(out, kind::REMOVED, *number),
            Self::Rescheduled { number, due } => put_pair(out, kind::RESCHEDULED, *number, *due),
            Self::Purged { queue, last_number } => {
                out.push(kind::PURGED);
                put_u32(out, *queue);
                put_u64(out, *last_number);
            }
            Self::Redriven {
                queue,
                filter,
                last_death,
                first_order,
                forget_steps,
            } => {
                out.push(if *forget_steps {
                    kind::REDRIVEN_WITHOUT_STEPS
                } else {
                    kind::REDRIVEN
                });
                put_u32(out, *queue);
                put_bytes(out, filter);
                put_u64(out, *last_death);
                put_u64(out, *first_order);
            }
            Self::Revived {
                number,
                order,
                to,
                forget_steps,
            } => {
                let elsewhere = if to.is_some() { REVIVED_ELSEWHERE } else { 0 };
                let without = if *forget_steps {
                    REVIVED_WITHOUT_STEPS
                } else {
                    0
                };
                out.extend_from_slice(&[kind::REVIVED, elsewhere | without]);
                put_u64(out, *number);
                put_u64(out, *order);
                if let Some(to) = to {
                    put_u32(out, to.queue);
                    put_u64(out, to.fingerprint);
                }
            }
            Self::Producer {
                producer,
                epoch,
                watermark,
                name,
                ahead,
            } => {
                out.push(kind::PRODUCER);
                put_u32(out, *producer);
                put_u64(out, *epoch);
                put_u64(out, *watermark);
                put_bytes(out, name.as_bytes());
                out.extend_from_slice(ahead);
            }
            Self::Produced { producer, sequence } => {
                out.push(kind::PRODUCED);
                put_u32(out, *producer);
                put_u64(out, *sequence);
            }
            Self::Moved { key } => {
                out.push(kind::MOVED);
                put_u64(out, *key);
            }
            Self::Forgotten { queue, hash } => {
                out.push(kind::FORGOTTEN);
                put_u32(out, *queue);
                put_u128(out, *hash);
            }
            Self::Entry(entry) => {
                out.push(match entry.with() {
                    With::Nothing => kind::ENTRY,
                    With::Attempt => kind::ENTRY_WITH_ATTEMPT,
                    With::History => kind::ENTRY_WITH_HISTORY,
                });
                entry.encode(out);
            }
            Self::Step {
                number,
                index,
                name,
                result,
            } => {
                let (flags, bytes): (u8, &[u8]) = match result {
                    StepResult::Value(bytes) => (0, bytes),
                    StepResult::Nothing => (STEP_NOTHING, &[]),
                    StepResult::Damaged(bytes) => (STEP_DAMAGED, bytes),
                };
                out.extend_from_slice(&[kind::STEP, flags]);
                put_u64(out, *number);
                put_u32(out, *index);
                put_bytes(out, name.as_bytes());
                out.extend_from_slice(bytes);
            }
            Self::Circuit {
                queue,
                worker,
                destination,
                state,
            } => {
                out.push(kind::CIRCUIT);
                put_u32(out, *queue);
                put_bytes(out, worker.as_bytes());
                put_bytes(out, destination.as_bytes());
                out.extend_from_slice(state);
            }
            Self::Held {
                queue,
                worker,
                destination,
                since,
                until,
                paced,
            } => {
                out.push(kind::HELD);
                put_u32(out, *queue);
                put_bytes(out, worker.as_bytes());
                put_bytes(out, destination.as_bytes());
                put_u64(out, *since);
                put_u64(out, *until);
                put_u64(out, *paced);
            }
        }
    }

    /// Reads a payload back.
    ///
    /// # Errors
    /// What is wrong with it: cut off, too long, not UTF-8, or a kind, flag or state that this
    /// format does not have.
    pub fn decode(payload: &'a [u8]) -> Result<Self, &'static str> {
        let mut reader = Reader::new(payload);
        let record = Self::read(&mut reader)?;
        reader.end()?;
        Ok(record)
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, &'static str> {
        const NUMBER: &str = cut_inside!("message number");
        const QUEUE: &str = cut_inside!("queue number");
        Ok(match reader.u8("the record is empty")? {
            kind::OPENED => Self::Opened {
                open: reader.u32(cut_inside!("run"))?,
                last_number: reader.u64(cut_inside!("last message number"))?,
                last_token: reader.u64(cut_inside!("last token"))?,
            },
            kind::OPENS => Self::Opens(read_opens(reader)?),
            kind::QUEUE => Self::Queue {
                paused: reader.flags(QUEUE_PAUSED)? & QUEUE_PAUSED != 0,
                queue: reader.u32(QUEUE)?,
                name: reader.str(cut_inside!("queue name"), "the queue name is not UTF-8")?,
                options: reader.rest(),
            },
            kind::MESSAGE => Self::Message(MessageRecord::read(reader)?),
            kind::STARTED => Self::Started {
                number: reader.u64(NUMBER)?,
                token: reader.u64(cut_inside!("token"))?,
            },
            kind::RETURNED => Self::Returned {
                number: reader.u64(NUMBER)?,
            },
            kind::RETRIED => Self::Retried {
                costs: reader.flags(RETRIED_COSTS)? & RETRIED_COSTS != 0,
                number: reader.u64(NUMBER)?,
                due: reader.u64(cut_inside!("due time"))?,
                attempt: AttemptRecord::read(reader)?,
            },
            kind::COMPLETED => {
                let flags = reader.flags(
                    COMPLETED_HANDED_OVER | COMPLETED_ENTRY | COMPLETED_ATTEMPT | COMPLETED_HISTORY,
                )?;
                Self::Completed {
                    number: reader.u64(NUMBER)?,
                    handed_over: flags & COMPLETED_HANDED_OVER != 0,
                    entry: if flags & COMPLETED_ENTRY != 0 {
                        Some(EntryKey::read(reader)?)
                    } else {
                        None
                    },
                    attempt: if flags & COMPLETED_ATTEMPT != 0 {
                        reader.u32(cut_inside!("attempt"))?
                    } else {
                        0
                    },
                    history: if flags & COMPLETED_HISTORY != 0 {
                        reader.bytes(cut_inside!("history"))?
                    } else {
                        &[]
                    },
                    result: reader.rest(),
                }
            }
            kind::DEAD => {
                let flags = reader.flags(DEAD_ATTEMPT)?;
                Self::Dead {
                    number: reader.u64(NUMBER)?,
                    reason: reader.u8(cut_inside!("reason"))?,
                    attempt: if flags & DEAD_ATTEMPT != 0 {
                        Some(AttemptRecord::read(reader)?)
                    } else {
                        None
                    },
                    error: reader.bytes(cut_inside!("error"))?,
                    history: reader.rest(),
                }
            }
            kind::CANCELLED => Self::Cancelled {
                number: reader.u64(NUMBER)?,
            },
            kind::REMOVED => Self::Removed {
                number: reader.u64(NUMBER)?,
            },
            kind::RESCHEDULED => Self::Rescheduled {
                number: reader.u64(NUMBER)?,
                due: reader.u64(cut_inside!("due time"))?,
            },
            kind::PURGED => Self::Purged {
                queue: reader.u32(QUEUE)?,
                last_number: reader.u64(cut_inside!("last message number"))?,
            },
            kind @ (kind::REDRIVEN | kind::REDRIVEN_WITHOUT_STEPS) => Self::Redriven {
                queue: reader.u32(QUEUE)?,
                filter: reader.bytes(cut_inside!("filter"))?,
                last_death: reader.u64(cut_inside!("last death"))?,
                first_order: reader.u64(cut_inside!("first order"))?,
                forget_steps: kind == kind::REDRIVEN_WITHOUT_STEPS,
            },
            kind::REVIVED => {
                let flags = reader.flags(REVIVED_ELSEWHERE | REVIVED_WITHOUT_STEPS)?;
                Self::Revived {
                    number: reader.u64(NUMBER)?,
                    order: reader.u64(cut_inside!("order"))?,
                    to: if flags & REVIVED_ELSEWHERE != 0 {
                        Some(Transfer {
                            queue: reader.u32(QUEUE)?,
                            fingerprint: reader.u64(cut_inside!("fingerprint"))?,
                        })
                    } else {
                        None
                    },
                    forget_steps: flags & REVIVED_WITHOUT_STEPS != 0,
                }
            }
            kind::PRODUCER => Self::Producer {
                producer: reader.u32(cut_inside!("producer"))?,
                epoch: reader.u64(cut_inside!("epoch"))?,
                watermark: reader.u64(cut_inside!("watermark"))?,
                name: reader.str(
                    cut_inside!("producer name"),
                    "the producer name is not UTF-8",
                )?,
                ahead: reader.rest(),
            },
            kind::PRODUCED => Self::Produced {
                producer: reader.u32(cut_inside!("producer"))?,
                sequence: reader.u64(cut_inside!("sequence"))?,
            },
            kind::MOVED => Self::Moved {
                key: reader.u64(cut_inside!("inbox key"))?,
            },
            kind::FORGOTTEN => Self::Forgotten {
                queue: reader.u32(QUEUE)?,
                hash: reader.u128(cut_inside!("hash"))?,
            },
            kind::ENTRY => Self::Entry(EntryRecord::read(reader, With::Nothing)?),
            kind::ENTRY_WITH_ATTEMPT => Self::Entry(EntryRecord::read(reader, With::Attempt)?),
            kind::ENTRY_WITH_HISTORY => Self::Entry(EntryRecord::read(reader, With::History)?),
            kind::STEP => read_step(reader)?,
            kind::CIRCUIT => Self::Circuit {
                queue: reader.u32(QUEUE)?,
                worker: reader.str(cut_inside!("worker name"), "the worker name is not UTF-8")?,
                destination: reader
                    .str(cut_inside!("destination"), "the destination is not UTF-8")?,
                state: reader.rest(),
            },
            kind::HELD => Self::Held {
                queue: reader.u32(QUEUE)?,
                worker: reader.str(cut_inside!("worker name"), "the worker name is not UTF-8")?,
                destination: reader
                    .str(cut_inside!("destination"), "the destination is not UTF-8")?,
                since: reader.u64(cut_inside!("beginning"))?,
                until: reader.u64(cut_inside!("end"))?,
                paced: reader.u64(cut_inside!("pace"))?,
            },
            _ => return Err("the record is of a kind that this format does not have"),
        })
    }
}

fn put_number(out: &mut Vec<u8>, kind: u8, number: u64) {
    out.push(kind);
    put_u64(out, number);
}

fn put_pair(out: &mut Vec<u8>, kind: u8, number: u64, other: u64) {
    put_number(out, kind, number);
    put_u64(out, other);
}

fn read_step<'a>(reader: &mut Reader<'a>) -> Result<Record<'a>, &'static str> {
    let flags = reader.flags(STEP_NOTHING | STEP_DAMAGED)?;
    Ok(Record::Step {
        number: reader.u64(cut_inside!("message number"))?,
        index: reader.u32(cut_inside!("index"))?,
        name: reader.str(cut_inside!("step name"), "the step name is not UTF-8")?,
        result: match flags {
            STEP_NOTHING => StepResult::Nothing,
            STEP_DAMAGED => StepResult::Damaged(reader.rest()),
            0 => StepResult::Value(reader.rest()),
            _ => return Err("a step that gave nothing and is damaged"),
        },
    })
}

fn read_opens(reader: &mut Reader<'_>) -> Result<Vec<(u32, u64)>, &'static str> {
    let mut opens = Vec::new();
    while !reader.is_empty() {
        opens.push((
            reader.u32(cut_inside!("run"))?,
            reader.u64(cut_inside!("last message number"))?,
        ));
    }
    Ok(opens)
}
