//! What may happen in a world. An operation carries all its own chance, so that leaving one out changes
//! nothing in the others: picks are taken modulo what there is.

#![expect(missing_docs, reason = "named as in the commands that they become")]

use crate::storage::{Fault, Tear};

/// How many destinations there are.
pub const DESTINATIONS: u8 = 3;

/// One message that a producer sends.
#[derive(Clone, Debug)]
pub struct Item {
    /// Which of the world's queues, modulo their number.
    pub queue: usize,
    /// One of a few ids; without one the engine makes it.
    pub id: Option<u8>,
    /// Another body under the same id.
    pub conflicts: bool,
    /// No other item has it.
    pub serial: u32,
    /// How much is in the body.
    pub bytes: u16,
    /// One of a few groups.
    pub group: Option<u8>,
    /// Priority.
    pub priority: u8,
    /// One of a few destinations.
    pub destination: Option<u8>,
    /// Delay in ms.
    pub delay_ms: u64,
    /// Time to live in ms.
    pub ttl_ms: Option<u64>,
}

/// What a consumer says of a delivery.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Say {
    /// It succeeded.
    Ack,
    /// It failed.
    Reject { delay_ms: Option<u64> },
    /// It failed for good.
    Dead,
    /// Not before so many ms from now.
    Later { ms: u64, costs: bool },
    /// It did nothing.
    Return,
}

impl Say {
    /// What it means of a handler that was told to stop, for it took too long.
    #[must_use]
    pub fn when_late(self) -> Self {
        match self {
            Self::Ack => Self::Reject { delay_ms: None },
            Self::Later { ms, .. } => Self::Later { ms, costs: true },
            other => other,
        }
    }
}

/// What somebody who looks after the queues does.
#[derive(Clone, Debug)]
pub enum Care {
    /// Pause a queue, or resume it.
    Pause(bool),
    /// Withdraw a message.
    Cancel { pick: u32 },
    /// Have one tried at once.
    RetryNow { pick: u32 },
    /// Free the id of a finished one.
    Forget { id: u8 },
    /// Drop all that wait.
    Purge,
    /// Give dead letters another chance, perhaps one after the other, in another queue or without
    /// their steps.
    Redrive {
        limit: Option<u32>,
        per_second_milli: Option<u64>,
        to: Option<usize>,
        forget_steps: bool,
    },
    /// Give a dead letter another body.
    Edit { pick: u32, bytes: u16 },
    /// Remove dead letters.
    RemoveDead { limit: u32 },
    /// Look at what is there.
    Peek,
    /// Open one more worker.
    OpenWorker { concurrency: u32 },
    /// Close one.
    CloseWorker { pick: u32 },
    /// Pause one, or resume it.
    PauseWorker { pick: u32, paused: bool },
    /// Let one end when nothing is ready any more.
    DrainWorker { pick: u32 },
    /// Isolate a destination, or let it be tried again, whatever time it asked for.
    Circuit {
        pick: u32,
        destination: u8,
        isolate: bool,
    },
    /// Say how long a circuit stays open that somebody asked about.
    CoolDown { pick: u32, ms: u64 },
}

/// How a handler goes about a step of its message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Effort {
    /// One of a few names.
    pub name: u8,
    /// Bytes that the step gives; none: it gives nothing.
    pub gives: Option<u16>,
    /// It is cut off between its effect and the record of it.
    pub cut_off: bool,
}

/// Which of its numbers a producer sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Which {
    /// The next one, or one that leaves a gap.
    Next { gap: u64 },
    /// One that it has sent before.
    Again { pick: u32 },
    /// One from a handle that is not the latest.
    Fenced { pick: u32 },
}

/// One thing that happens.
#[derive(Clone, Debug)]
pub enum Op {
    /// A producer sends one message.
    Enqueue(Item),
    /// A producer sends several, all or none.
    EnqueueMany(Vec<Item>),
    /// A consumer claims by hand.
    Dequeue {
        queue: usize,
        max: u32,
        wait_ms: u64,
        lease_ms: Option<u64>,
    },
    /// A consumer settles.
    Settle {
        pick: u32,
        say: Say,
        answered: bool,
        returned: bool,
    },
    /// A consumer settles what is not its own any more.
    Stale { pick: u32, say: Say },
    /// A handler that settled by hand returns.
    Returned { pick: u32 },
    /// A handler is given up.
    Abandon { pick: u32 },
    /// A consumer begins with what it was given before.
    Begin { pick: u32 },
    /// A consumer gives back what it was given and has not begun with.
    Decline { pick: u32 },
    /// A consumer prolongs its lease.
    Extend { pick: u32, ms: u64 },
    /// Ends and messages, all or none.
    Transaction {
        ends: Vec<(u32, Say)>,
        items: Vec<Item>,
    },
    /// A handler comes to a step of its message.
    Step { pick: u32, effort: Effort },
    /// A consumer records a step of a delivery that is not its own any more.
    StaleStep { pick: u32, name: u8 },
    /// A producer that numbers what it sends is opened.
    OpenProducer { producer: u8 },
    /// It sends something.
    Produce {
        producer: u8,
        which: Which,
        item: Item,
    },
    /// A tab that does not drive the box leaves messages for the one that does.
    Leave { items: Vec<Item> },
    /// The one that does moves some of what was left into the box; what was refused before becomes a dead
    /// letter, or its tab takes it back.
    MoveIn { rows: u8, buries: bool },
    /// Somebody moves what was moved before, or what is behind something else.
    MoveAgain { pick: u32, leaps: bool },
    /// Somebody looks after a queue.
    Care { queue: usize, care: Care },
    /// The storage answers one thing that it was asked for.
    Serve { pick: u32 },
    /// Time passes.
    Advance { ms: u64 },
    /// Time passes until the engine wants to be called.
    Wake,
    /// Somebody sets the clock.
    Jump { ms: i64 },
    /// The storage is about to fail.
    Arm { fault: Fault, tear: Tear },
    /// The process is killed, or the power is cut, after so many effects.
    Crash { after: u32, tear: Tear },
    /// From now on the storage has room for no append longer than this; without a length, for all.
    Room { bytes: Option<u32> },
    /// A bit of the stored bytes is another one, for somebody who opens a copy.
    Flip { place: u64, bit: u8 },
    /// The box is closed and opened again.
    Close,
}
