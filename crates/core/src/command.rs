//! What the world may ask of the engine: hot commands as borrowed structs, cold requests as
//! serde types, completions of the effects that the host performed.

use serde::{Deserialize, Serialize};

use crate::config::QueueOptions;
use crate::consumer::policies::Policies;
use crate::consumer::sluice::SluiceState;
use crate::consumer::watch::HandlerLimits;
use crate::time::Timestamp;
pub use crate::transit::Claimed;
pub use units::{Move, Produce, Transaction};

mod units;

macro_rules! newtype {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);
    };
}

newtype!(
    /// Correlates a command with its reply; chosen by the host, below 2^53, never 0.
    Ticket(u64)
);
newtype!(
    /// A queue of this box, numbered in the order of definition.
    QueueId(u32)
);
newtype!(
    /// A `process` worker of this run.
    WorkerId(u32)
);
newtype!(
    /// Fencing number of one delivery: later deliveries have higher ones. Below 2^53.
    Token(u64)
);
newtype!(
    /// Correlates a read with its chunk.
    ReadId(u64)
);

/// A hot command.
#[derive(Clone, Debug)]
pub enum Command<'a> {
    /// Accept one message. Answered by one receipt or a failed reply.
    Enqueue(Enqueue<'a>),
    /// Accept all of these or none. Answered by one receipt for each (`index` from 0) or one failed reply.
    EnqueueMany(Vec<Enqueue<'a>>),
    /// End a delivery. The ticket may be 0: then nothing is answered (a handler that returned).
    Settle(Settle<'a>),
    /// End deliveries and accept messages, all of it or nothing. Answered by one receipt for each message
    /// (`index` from 0) and then a reply with the number of settlements, or by one failed reply: then every
    /// delivery is as open as it was.
    Transaction(Transaction<'a>),
    /// Accept the message of a producer's sequence, once for ever. Answered by a receipt (with an empty id
    /// if nothing is known of the message that it was before) and then a reply with the lowest sequence
    /// that is missing, or by a failed reply.
    Produce(Produce<'a>),
    /// Accept what the host kept in its inbox under the next key, all of it or nothing; refused is also what
    /// does not follow on what was moved before. Answered like a transaction without settlements.
    Move(Move<'a>),
    /// The handler of a delivery that was settled, lost or abandoned before is done: its slot is free.
    Returned {
        /// The delivery.
        token: Token,
    },
    /// The handler of a delivery was told to stop and may run on, but its slot is free and nobody waits
    /// for it. Its message, if it was not settled, is given back without cost. What the delivery keeps
    /// waiting (its message, its group) goes on once the handler returned, or a lease later.
    Abandoned {
        /// The delivery.
        token: Token,
    },
    /// A delivery that no code of the user saw and none will see: it is taken back as if it had not been
    /// handed out, even in at-most-once.
    Declined {
        /// The delivery.
        token: Token,
    },
    /// Code of the user sees a delivery from now on, which was handed out before: the time of its handler
    /// runs from here on. To be told of handlers that are watched and that start later, and in at-most-once
    /// always: until then the delivery may be declined, so the id of its message is taken.
    Began {
        /// The delivery.
        token: Token,
    },
    /// What is to be known of the end of a delivery, which follows.
    Excused {
        /// The delivery.
        token: Token,
        /// It is no failure of the destination.
        blameless: bool,
        /// If it is a failure, it costs no attempt: it was a probe of the host's own breaker.
        free: bool,
        /// It says nothing about the destination, which was not asked.
        unasked: bool,
    },
    /// Prolong a lease: it ends `ms` from now.
    Extend {
        /// The delivery.
        token: Token,
        /// Milliseconds from now.
        ms: u64,
    },
    /// Claim up to `max` messages for manual settling. Answered by deliveries that carry the
    /// ticket, then by a reply whose value is their number.
    Dequeue {
        /// From where.
        queue: QueueId,
        /// At most so many, at least 1.
        max: u32,
        /// Lease; the queue's when none.
        lease_ms: Option<u64>,
        /// How long to wait for a first message; 0: not at all.
        wait_ms: u64,
    },
    /// Wait for the end of a message. Answered by [`crate::effect::Object::Infos`] with one entry when it
    /// is completed (its result comes as a `Body` before the reply), dead or cancelled. A message that is
    /// not known is waited for; one of which is known that it ended, and not how, is `ERR_NOT_FOUND`.
    Finished {
        /// Whose.
        queue: QueueId,
        /// Of the message.
        id: &'a str,
    },
    /// Wait until no message of a queue is ready or leased and none of its handlers runs. Answered with 0.
    Idle {
        /// Which one.
        queue: QueueId,
    },
    /// Give a dead letter another content. Answered by a value: 1, or 0 if there is no dead letter with
    /// this id.
    EditDead(EditDead<'a>),
    /// Record what a step of a delivery's message gave. Answered once that is durable.
    RecordStep(RecordStep<'a>),
    /// Ask what a step of a delivery's message gave. Answered by a value: 0, nothing is recorded under
    /// this name; 1, it gave nothing; 2, it gave what comes as a `Body` before. A result that is damaged
    /// is `ERR_CORRUPT`, and its message a dead letter.
    RecallStep {
        /// The delivery.
        token: Token,
        /// Of the step.
        name: &'a str,
    },
    /// Give up a waiting [`Command::Dequeue`] (its own ticket): it is answered with what it has. Or a
    /// waiting [`Command::Finished`] or [`Command::Idle`]: it is answered with 0. Or a paced
    /// [`Request::Redrive`]: it is answered with what it has done.
    StopWaiting,
    /// Remote: a message that was claimed for this engine. Nothing is answered.
    TakeIn(Claimed<'a>),
    /// Remote: a claim is over, and what it brought was taken in. `dry`: there was less than was wanted.
    ClaimDone {
        /// From where.
        queue: QueueId,
        /// Nothing more is there for now.
        dry: bool,
    },
    /// Remote: the claim of a message is gone; whoever handles it is told.
    LoseClaim {
        /// Of the claim.
        token: Token,
    },
    /// The same as [`Command::EnqueueMany`], in parts under one ticket, one behind the other: nothing else may
    /// be said between them, and all are answered with the last.
    EnqueuePart(Part<'a>),
}

/// Some messages of a batch.
#[derive(Clone, Debug)]
pub struct Part<'a> {
    /// The next ones.
    pub items: Vec<Enqueue<'a>>,
    /// Whether the batch ends with them.
    pub is_last: bool,
}

/// One message to accept.
#[derive(Clone, Debug)]
pub struct Enqueue<'a> {
    /// Where to.
    pub queue: QueueId,
    /// The caller's identity and idempotency key, 1 to 256 bytes; generated when none.
    pub id: Option<&'a str>,
    /// Not delivered before now plus this.
    pub delay_ms: Option<u64>,
    /// Not delivered before this instant. At most one of `delay_ms` and `at` is given.
    pub at: Option<Timestamp>,
    /// No delivery starts later than now plus this.
    pub ttl_ms: Option<u64>,
    /// Higher first.
    pub priority: u8,
    /// The queue's when none; `u32::MAX` is without limit.
    pub max_attempts: Option<u32>,
    /// Ordering key.
    pub group: Option<&'a str>,
    /// What it goes to.
    pub destination: Option<&'a str>,
    /// Encoded by the host, opaque here.
    pub headers: &'a [u8],
    /// Encoded by the host, opaque here.
    pub body: &'a [u8],
    /// Since when the host has had it; now when none.
    pub enqueued_at: Option<Timestamp>,
    /// Its id was made by the host, and is no caller's: nothing remembers it when the message has ended.
    pub has_host_id: bool,
}

/// Another content for a dead letter; none leaves a part as it is.
#[derive(Clone, Debug)]
pub struct EditDead<'a> {
    /// Where it is.
    pub queue: QueueId,
    /// Its id.
    pub id: &'a str,
    /// Encoded by the host, opaque here.
    pub headers: Option<&'a [u8]>,
    /// Encoded by the host, opaque here.
    pub body: Option<&'a [u8]>,
}

/// A step of a delivery's message that was done.
#[derive(Clone, Copy, Debug)]
pub struct RecordStep<'a> {
    /// The delivery.
    pub token: Token,
    /// Which no step of its message has that is recorded, 1 to 256 bytes.
    pub name: &'a str,
    /// Encoded by the host, opaque here; none if the step gave nothing.
    pub result: Option<&'a [u8]>,
}

/// The end of a delivery.
#[derive(Clone, Debug)]
pub struct Settle<'a> {
    /// The delivery.
    pub token: Token,
    /// What became of it.
    pub verdict: Verdict,
    /// The handler is done as well (true for a handler that returned or threw and for `dequeue`).
    pub returned: bool,
    /// Encoded result of an ack; empty for none.
    pub result: &'a [u8],
    /// Encoded error of a rejection (JSON, at most 4 KiB); empty for none.
    pub error: &'a [u8],
}

/// What became of a delivery.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Done.
    Ack,
    /// Failed: retried after the queue's backoff, or after `delay_ms`; dead when attempts ran out.
    Reject {
        /// Instead of the backoff.
        delay_ms: Option<u64>,
    },
    /// Failed for good.
    Dead(Reason),
    /// Not before `at`, and a little later as the queue's jitter has it; costs an attempt only if told so.
    RetryAt {
        /// The earliest next delivery.
        at: Timestamp,
        /// Whether this delivery counts as an attempt.
        costs_attempt: bool,
        /// Whether a circuit breaker counts it as a failure.
        counts_as_failure: bool,
    },
    /// Given back without cost (shutdown, an abandoned delivery): ready again at once.
    Return,
    /// Retried after the queue's backoff, or after `delay_ms`, for nobody knows when it is wanted; costs an attempt only
    /// if told so.
    PutOff {
        /// Instead of the backoff.
        delay_ms: Option<u64>,
        /// Whether this delivery counts as an attempt.
        costs_attempt: bool,
        /// Whether a circuit breaker counts it as a failure.
        counts_as_failure: bool,
    },
}

/// Why a message is dead, or why an attempt ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Reason {
    /// The last attempt threw.
    Exhausted = 1,
    /// Attempts ran out and the last one timed out.
    Timeout = 2,
    /// Attempts ran out and the last one lost its lease.
    LeaseExpired = 3,
    /// Attempts ran out and the last one died with its process.
    OwnerDied = 4,
    /// The handler said that no retry will help.
    Permanent = 5,
    /// No delivery started within the time to live.
    Expired = 6,
    /// The body could not be decoded.
    Invalid = 7,
    /// The stored bytes fail their checksum.
    Corrupt = 8,
    /// The circuit was open and the worker wants such messages dead.
    CircuitOpen = 9,
    /// Accepted by a tab, refused by the box.
    Refused = 10,
}

/// A state as users see it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum MessageState {
    /// Waits for its time.
    Scheduled = 0,
    /// May be delivered.
    Ready = 1,
    /// Is being handled.
    Leased = 2,
    /// Acknowledged.
    Completed = 3,
    /// Will not be delivered again unless redriven.
    Dead = 4,
    /// Withdrawn.
    Cancelled = 5,
}

/// How the host fared with an effect.
#[derive(Clone, Debug)]
pub enum Completion<'a> {
    /// The one append in flight is durable.
    Appended,
    /// Remote: the settlement of this claim, in flight, was refused: its lease was gone. Told ahead of `Appended`.
    Refused(Token),
    /// The one append in flight failed.
    AppendFailed {
        /// Nothing was written: the box lives on.
        clean: bool,
    },
    /// What a read returned.
    Chunk {
        /// Which read.
        read: ReadId,
        /// Exactly the bytes asked for.
        bytes: &'a [u8],
    },
    /// A read failed.
    ReadFailed {
        /// Which read.
        read: ReadId,
    },
    /// The truncation asked for is done.
    Truncated,
    /// A segment was removed.
    Removed {
        /// Which one.
        segment: u32,
    },
    /// A truncation or removal failed: final, like a failed append.
    MaintenanceFailed,
}

/// One stored segment, as the storage lists it when it opens.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SegmentInfo {
    /// Its number.
    pub segment: u32,
    /// Its size.
    pub bytes: u64,
}

/// Which dead letters.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DeadFilter {
    /// Only these.
    pub ids: Option<Vec<String>>,
    /// Only those that died of this.
    pub reason: Option<Reason>,
    /// Only those that died before.
    pub before: Option<Timestamp>,
    /// Only those that died after.
    pub after: Option<Timestamp>,
    /// At most so many, oldest first.
    pub limit: Option<u32>,
}

/// A cold request. Those marked *at once* answer from the call itself; all others with a reply to
/// the request's ticket, whose object is then taken with `take`.
///
/// Read from an object under its name: `{ "purge": { "queue": 0 } }`.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
#[expect(missing_docs, reason = "fields are named as in the public contract")]
pub enum Request {
    /// Recovers what these segments hold; reads follow. First request of a box.
    Open { segments: Vec<SegmentInfo> },
    /// At once: [`crate::effect::Object::Defined`]. Creates the queue or applies named options.
    DefineQueue {
        name: String,
        #[serde(default)]
        options: QueueOptions,
    },
    /// [`crate::effect::Object::Producer`]. Opens the producer with this name and fences its older handles.
    OpenProducer { name: String },
    /// At once: [`crate::effect::Object::Worker`].
    OpenWorker {
        queue: QueueId,
        concurrency: u32,
        #[serde(default)]
        policies: Box<Policies>,
        #[serde(default)]
        limits: HandlerLimits,
    },
    /// At once: [`crate::effect::Object::Circuits`], all of a worker or that of one destination (empty:
    /// that of messages without one).
    Circuits {
        worker: WorkerId,
        #[serde(default)]
        destination: Option<String>,
    },
    /// At once. Isolates the circuit of a destination, or closes it whatever it was.
    ForceCircuit {
        worker: WorkerId,
        destination: String,
        isolate: bool,
    },
    /// At once. How long the circuit of a destination stays open, from when it opened: the answer to
    /// [`crate::effect::Notice::Cooldown`].
    CoolDown {
        worker: WorkerId,
        destination: String,
        ms: u64,
    },
    /// At once. A gate of the host, in front of workers that name this number as theirs, stands like this
    /// from now on. Before the first of them is opened.
    SetSluice { sluice: u32, state: SluiceState },
    /// At once. Claims no more until resumed; what was written ahead is taken back.
    PauseWorker { worker: WorkerId },
    /// At once.
    ResumeWorker { worker: WorkerId },
    /// Claims no more, takes back what was not handed out; answers when its handlers are done and
    /// everything is durable.
    CloseWorker { worker: WorkerId },
    /// Lets a worker go on until nothing is ready, and ends it. Answers when that is durable:
    /// [`crate::effect::Object::Drained`].
    DrainWorker { worker: WorkerId },
    /// Stops claiming, takes back manual deliveries; answers when all handlers are done and all is
    /// durable; the reply's value is the number of returned messages.
    Close {},
    /// Durable pause of a queue.
    PauseQueue { queue: QueueId },
    /// Durable resume.
    ResumeQueue { queue: QueueId },
    /// Value 1 if it was cancelled.
    Cancel { queue: QueueId, id: String },
    /// Value 1 if it was scheduled and is ready now.
    RetryNow { queue: QueueId, id: String },
    /// Value: how many waiting messages were dropped.
    Purge { queue: QueueId },
    /// Value 1 if the id was known and is free now.
    Forget { queue: QueueId, id: String },
    /// [`crate::effect::Object::Infos`] with none or one entry; its content, or the result of a
    /// completed message, comes as a `Body` before the reply.
    Get { queue: QueueId, id: String },
    /// [`crate::effect::Object::Infos`]; contents come as `Body` before the reply.
    Peek {
        queue: QueueId,
        state: Option<MessageState>,
        limit: u32,
    },
    /// [`crate::effect::Object::Infos`]: messages in some states, or those of some ids (first the
    /// unfinished and dead ones, then what is remembered of finished ones); contents come as `Body`
    /// before the reply.
    Select {
        queue: QueueId,
        ids: Option<Vec<String>>,
        states: Option<Vec<MessageState>>,
        limit: u32,
    },
    /// [`crate::effect::Object::DeadPage`]; contents come as `Body` before the reply.
    DeadPage {
        queue: QueueId,
        #[serde(default)]
        filter: DeadFilter,
        after: Option<String>,
        limit: u32,
    },
    /// Value: how many.
    DeadCount {
        queue: QueueId,
        #[serde(default)]
        filter: DeadFilter,
    },
    /// [`crate::effect::Object::Redriven`], once all are redriven. `to`: they go to the queue of this
    /// name. `per_second_milli`: so many thousandths of a letter a second; [`Command::StopWaiting`]
    /// ends that early, and it is answered with what was done. `forget_steps`: what was recorded of
    /// their steps is forgotten.
    Redrive {
        queue: QueueId,
        #[serde(default)]
        filter: DeadFilter,
        to: Option<String>,
        per_second_milli: Option<u64>,
        #[serde(default)]
        forget_steps: bool,
    },
    /// Value: how many were removed.
    RemoveDead {
        queue: QueueId,
        #[serde(default)]
        filter: DeadFilter,
    },
    /// At once: [`crate::effect::Object::QueueStats`].
    QueueStats { queue: QueueId },
    /// At once: [`crate::effect::Object::BoxStats`].
    BoxStats {},
    /// At once: [`crate::effect::Object::Queues`].
    Queues {},
    /// At once: [`crate::effect::Object::StepKey`]. The idempotency key of a step, recorded or not, of the
    /// message with this number that this run accepted.
    StepKey { number: u64, run: u32, name: String },
    /// At once. Which event kinds of a queue are emitted, a bit set of `1 << EventKind`.
    Listen { queue: QueueId, events: u32 },
}

impl Reason {
    /// The reason with this number, as journals and boundaries store it.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Exhausted,
            2 => Self::Timeout,
            3 => Self::LeaseExpired,
            4 => Self::OwnerDied,
            5 => Self::Permanent,
            6 => Self::Expired,
            7 => Self::Invalid,
            8 => Self::Corrupt,
            9 => Self::CircuitOpen,
            10 => Self::Refused,
            _ => return None,
        })
    }
}

impl MessageState {
    /// The state with this number, as journals and boundaries store it.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::Scheduled,
            1 => Self::Ready,
            2 => Self::Leased,
            3 => Self::Completed,
            4 => Self::Dead,
            5 => Self::Cancelled,
            _ => return None,
        })
    }
}
