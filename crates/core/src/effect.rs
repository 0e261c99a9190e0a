//! What the engine asks of the world, and what it tells.

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::command::{MessageState, QueueId, ReadId, Reason, Ticket, Token, WorkerId};
use crate::config::QueueOptions;
use crate::error::Failure;
use crate::id_text::IdText;
use crate::ledger::steps::Gave;
use crate::policy::breaker::State;
use crate::time::Timestamp;
pub use crate::transit::{Fate, Settlement};

/// One thing to do or to tell, in order.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Append to a segment (a number never seen before begins a new one). One at a time.
    Append {
        /// Which segment.
        segment: u32,
        /// One whole frame, after the segment's header if it is the first.
        bytes: Rc<Vec<u8>>,
    },
    /// Read back; answer with a chunk.
    Read {
        /// Correlates the chunk.
        read: ReadId,
        /// Which segment.
        segment: u32,
        /// From here.
        offset: u64,
        /// So many bytes.
        length: u32,
    },
    /// Cut a torn tail.
    Truncate {
        /// Which segment.
        segment: u32,
        /// Its new length.
        bytes: u64,
    },
    /// Remove a segment in which nothing is live.
    Remove {
        /// Which one.
        segment: u32,
    },
    /// Hand a message to a handler or to a waiting dequeue.
    Deliver(Box<Delivery>),
    /// A delivery is not valid any more: its handler's signal is to be aborted.
    Abort {
        /// Which delivery.
        token: Token,
        /// Why.
        reason: AbortReason,
    },
    /// A message was accepted or known; durable.
    Receipt {
        /// Of the command.
        ticket: Ticket,
        /// Of the item in its batch.
        index: u32,
        /// True if nothing was enqueued.
        duplicate: bool,
        /// Its state.
        state: MessageState,
        /// Its number, for the engine's own use.
        number: u64,
        /// Its id.
        id: IdText,
    },
    /// Answer to a command or request. An object goes to `take(ticket)`.
    Reply {
        /// Of the command.
        ticket: Ticket,
        /// What came of it.
        result: Result<Answer, Failure>,
    },
    /// The content of one entry of the reply that follows; of a completed message its result, as a
    /// body without headers.
    Body {
        /// Of the request.
        ticket: Ticket,
        /// Which entry.
        index: u32,
        /// False: the stored bytes fail their checksum, `content` is empty.
        intact: bool,
        /// Headers and body as they were enqueued.
        content: Content,
    },
    /// Something happened in a queue; durable.
    Event(Box<Event>),
    /// Remote: the consumers of a queue have room for so many messages more. Told when that changes, and behind
    /// each [`crate::command::Command::ClaimDone`] if there is any.
    Want {
        /// Which queue.
        queue: QueueId,
        /// How many; 0: none.
        max: u32,
    },
    /// Remote: what became of a claimed message, to be carried out with the transit that follows.
    Settlement(Box<Settlement>),
    /// Remote: carry out the settlements before this. Answered like an append; one at a time.
    Transit {
        /// How many they are.
        count: u32,
    },
    /// Something happened to the box.
    Notice(Notice),
}

/// Bytes of one message: a shared record payload and where its parts are.
#[derive(Clone, Debug)]
pub struct Content {
    /// The bytes that hold the parts.
    pub bytes: Rc<[u8]>,
    /// Encoded headers.
    pub headers: (u32, u32),
    /// Encoded body.
    pub body: (u32, u32),
}

impl Content {
    /// Nothing.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            bytes: Rc::from([]),
            headers: (0, 0),
            body: (0, 0),
        }
    }
    /// The encoded headers.
    #[must_use]
    pub fn headers(&self) -> &[u8] {
        &self.bytes[self.headers.0 as usize..self.headers.1 as usize]
    }
    /// The encoded body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.bytes[self.body.0 as usize..self.body.1 as usize]
    }
}

/// A delivery, its start already durable.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Fencing number.
    pub token: Token,
    /// The worker whose slot it takes, or the dequeue that waits for it.
    pub to: Recipient,
    /// Where from.
    pub queue: QueueId,
    /// The number of its message, which no other message of the box has.
    pub number: u64,
    /// From 1.
    pub attempt: u32,
    /// As enqueued.
    pub priority: u8,
    /// When it was accepted.
    pub enqueued_at: Timestamp,
    /// When the lease ends; [`Timestamp::NEVER`] where the engine renews it.
    pub lease_until: Timestamp,
    /// Its identity.
    pub id: IdText,
    /// Ordering key, empty for none.
    pub group: Rc<str>,
    /// What it goes to, empty for none.
    pub destination: Rc<str>,
    /// Headers and body.
    pub content: Content,
    /// The run that accepted it.
    pub run: u32,
    /// How many of its steps are recorded.
    pub steps: u32,
    /// It is settled already, as at-most-once wants: nothing of it can be recorded.
    pub handed_over: bool,
}

/// Who gets a delivery.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Recipient {
    /// A `process` handler.
    Worker(WorkerId),
    /// A manual dequeue.
    Dequeue(Ticket),
}

/// Why a delivery became invalid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum AbortReason {
    /// Its lease ran out or its message was cancelled.
    LeaseLost = 1,
    /// The box or worker closes.
    Closed = 2,
    /// It ran too long.
    Timeout = 3,
    /// It ran too long, and its lease is not renewed any more.
    RanOut = 4,
}

/// A successful answer.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A plain number; 0 where nothing is to be said.
    Value(u64),
    /// Something to take.
    Object(Box<Object>),
}

/// A kind of queue event; `1 << kind` in a listen mask.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
#[expect(
    missing_docs,
    reason = "each variant is the public event of the same name"
)]
pub enum EventKind {
    Enqueued = 0,
    Started = 1,
    Completed = 2,
    Failed = 3,
    Retry = 4,
    Dead = 5,
    Stalled = 6,
    Duplicate = 7,
    Drained = 8,
    Paused = 9,
    Resumed = 10,
    /// Other messages, or other states of them, are seen than before; not awaited by any journal.
    Changed = 11,
    Circuit = 12,
}

/// Something that happened in a queue. Fields that a kind does not use are 0 or empty.
#[derive(Clone, Debug)]
pub struct Event {
    /// What.
    pub kind: EventKind,
    /// Where.
    pub queue: QueueId,
    /// Of which attempt.
    pub attempt: u32,
    /// Why dead (as `u8` of [`Reason`]), 0 for none.
    pub reason: Option<Reason>,
    /// `retry`: the delay in ms; `completed`: ms from enqueue to start.
    pub wait_ms: u64,
    /// `completed`: ms in the handler.
    pub handle_ms: u64,
    /// `retry`: the instant of the next attempt; `circuit`: when an open one lets a message through.
    pub at: Timestamp,
    /// Number of the message that was accepted, for the engine's own use; 0 for other kinds.
    pub number: u64,
    /// `circuit`: the states before and now.
    pub states: Option<(State, State)>,
    /// Which message, empty for none; `circuit`: which destination.
    pub id: String,
    /// Encoded error, empty for none.
    pub error: Box<[u8]>,
}

/// Something that happened to the box.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(
    tag = "notice",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
#[expect(missing_docs, reason = "fields speak for themselves")]
pub enum Notice {
    /// The box is read-only from now on; everything pending was rejected.
    Failed { failure: Failure },
    /// An oddity that a person should know.
    Warning {
        message: String,
        queue: Option<String>,
    },
    /// The circuit of a destination (empty: messages without one) has opened: how long it stays so is
    /// asked, and answered by [`crate::command::Request::CoolDown`].
    Cooldown {
        worker: WorkerId,
        destination: String,
        openings: u32,
    },
}

/// Cold objects, equal on every engine.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "each variant documents its struct")]
pub enum Object {
    Opened(OpenReport),
    Defined(Defined),
    Worker(WorkerOpened),
    Producer(ProducerOpened),
    Circuits(Vec<CircuitInfo>),
    Infos(Vec<MessageInfo>),
    DeadPage(DeadPage),
    Redriven(Redriven),
    Drained(Drained),
    QueueStats(Box<QueueStats>),
    BoxStats(BoxStats),
    Queues(Vec<QueueSummary>),
    StepKey(StepKey),
    Notice(Notice),
    Failure(Failure),
    None,
}

/// What recovery found.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "fields speak for themselves")]
pub struct OpenReport {
    /// The identity of the journal, which it keeps for ever, in hexadecimal digits.
    pub box_id: String,
    pub created: bool,
    pub segments: u32,
    pub bytes: u64,
    pub frames: u64,
    pub messages: u64,
    pub dead_letters: u64,
    /// Deliveries that died with the previous owner.
    pub interrupted: u64,
    /// A torn tail that was cut: where, and how many bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<Cut>,
    /// What the host keeps in its inbox up to this key is in the journal; 0 for nothing.
    pub moved: u64,
}

/// A torn tail.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "fields speak for themselves")]
pub struct Cut {
    pub segment: u32,
    pub offset: u64,
    pub bytes: u64,
}

/// A queue that is defined now.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Defined {
    /// Its number in this box.
    pub queue: QueueId,
    /// True if it did not exist.
    pub created: bool,
    /// Options whose value changed, in the order of their names.
    pub changed: Vec<OptionChange>,
    /// All options in force.
    pub options: QueueOptions,
    /// Those of them that were named, now or in an earlier run.
    pub named: Box<QueueOptions>,
}

/// An option of a queue that has another value now; values as a host would name them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OptionChange {
    /// Its name.
    pub option: String,
    /// The value before; none if there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<serde_json::Value>,
    /// The value now; none if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<serde_json::Value>,
}

/// A worker that is open now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkerOpened {
    /// Its number in this run.
    pub worker: WorkerId,
}

/// A producer that is open now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProducerOpened {
    /// Its number in the box.
    pub producer: u32,
    /// Of this handle.
    pub epoch: u64,
    /// The lowest one that was not accepted.
    pub sequence: u64,
}

/// The circuit of a destination.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CircuitInfo {
    /// Empty for messages without one.
    pub destination: String,
    /// Whether messages pass.
    pub state: State,
    /// When the next one may, if it may not now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// Openings in a row, without a close between them.
    pub openings: u32,
}

/// A message without its content.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "named as in the public contract")]
pub struct MessageInfo {
    pub id: String,
    pub queue: String,
    pub state: MessageState,
    /// Starts so far, of a finished message the one that it finished with (at most 65,535 is told).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    /// None for a finished message, as all that was asked for with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// None for a finished message, of which only its id and its end are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enqueued_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The encoded error of the death, as the host gave it (JSON).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// One entry an attempt, oldest first; the last 32.
    pub history: Vec<AttemptInfo>,
    /// What was recorded of its steps, in order; none where steps are not shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<StepInfo>>,
}

/// What is told of a recorded step; its result, if it gave one, comes as a `Body`. Those of all steps
/// shown have the indexes behind the last entry, in order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "fields speak for themselves")]
pub struct StepInfo {
    pub name: String,
    pub gave: Gave,
}

/// The idempotency key of a step.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepKey {
    /// 32 hexadecimal digits.
    pub key: String,
}

/// One past attempt.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "named as in the public contract")]
pub struct AttemptInfo {
    pub attempt: u32,
    pub started_at: Timestamp,
    pub ended_at: Timestamp,
    pub reason: Reason,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Some dead letters.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadPage {
    /// In the order of their deaths.
    pub items: Vec<MessageInfo>,
    /// Pass back as `after` for the next page; none when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Outcome of a redrive.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "named as in the public contract")]
pub struct Redriven {
    pub moved: u64,
    pub skipped: u64,
}

/// Outcome of a drain: what became of its deliveries, and what is left in the queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "named as in the public contract")]
pub struct Drained {
    pub completed: u64,
    pub retried: u64,
    pub dead: u64,
    /// Unfinished messages: scheduled, leased by others, ready in a paused queue.
    pub remaining: u64,
}

/// Distribution of times in ms.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Histogram {
    /// How many were observed.
    pub count: u64,
    /// Their sum.
    pub sum_ms: u64,
    /// Upper bound in ms (none for the last) and how many fell at or below it and above the one before.
    pub buckets: Vec<Bucket>,
    /// Upper bound of the bucket that holds the 50th percentile.
    pub p50_ms: u64,
    /// The 90th.
    pub p90_ms: u64,
    /// The 99th.
    pub p99_ms: u64,
}

/// One bucket.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "fields speak for themselves")]
pub struct Bucket {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub le_ms: Option<u64>,
    pub count: u64,
}

/// Counters and depths of a queue. Counters count from the opening of the box.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "named as in the public contract")]
pub struct QueueStats {
    pub name: String,
    pub paused: bool,
    pub enqueued: u64,
    pub duplicates: u64,
    pub delivered: u64,
    pub acked: u64,
    pub rejected: u64,
    pub retried: u64,
    pub dead: u64,
    pub expired: u64,
    pub leases_lost: u64,
    pub ready: u64,
    pub scheduled: u64,
    pub leased: u64,
    pub dead_letters: u64,
    pub bytes: u64,
    pub dedup_entries: u64,
    /// Shorter than configured when the index was full.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dedup_window_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_ready_ms: Option<u64>,
    pub wait: Histogram,
    pub handle: Histogram,
}

/// The box as a whole.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "fields speak for themselves")]
pub struct BoxStats {
    pub queues: u32,
    pub messages: u64,
    pub dead_letters: u64,
    pub segments: u32,
    pub journal_bytes: u64,
    pub live_bytes: u64,
    pub memory_bytes: u64,
    pub appends: u64,
    pub records: u64,
    pub cleaned_segments: u64,
    pub running: u64,
}

/// One queue of the box.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "fields speak for themselves")]
pub struct QueueSummary {
    pub name: String,
    pub paused: bool,
    pub depth: u64,
    pub dead_letters: u64,
}
