//! What is under way: deliveries whose consumers are not done, ids that are remembered, and commands
//! without an answer.

#![expect(missing_docs, reason = "each variant says what it is")]

use std::fmt;

use ackbox_core::command::WorkerId;
use ackbox_core::consumer::watch::HandlerLimits;

use super::inbox::Row;
use super::meeting::{How, Swept};
use super::message::{Message, Sent};
use crate::actors::steps::Call;
use crate::op::Say;
use crate::passing::Passage;

/// A delivery whose consumer is not done.
#[derive(Clone, Debug)]
pub struct Held {
    /// Its token.
    pub token: u64,
    /// Its message.
    pub message: usize,
    /// Its queue.
    pub queue: usize,
    /// When it was handed out.
    pub at: u64,
    /// Which attempt it is.
    pub attempt: u32,
    /// It runs in a handler; else it was claimed by hand.
    pub handler: bool,
    /// When its lease ends by itself.
    pub until: Option<u64>,
    /// It was told to stop, and has failed whatever it says.
    pub late: bool,
    /// Nobody waits for its handler any more from then on.
    pub patience: Option<u64>,
    /// Its consumer has begun with it; until then it may be declined.
    pub seen: bool,
    /// It was settled.
    pub settled: bool,
    /// Its lease was taken away.
    pub lost: bool,
    /// It was given up, and holds what it holds until then.
    pub abandoned: Option<u64>,
    /// Which worker it was given to, and how.
    pub passage: Option<Passage>,
    /// The number of its message, and the run that accepted that.
    pub origin: (u64, u32),
}

/// A finished id that is remembered.
#[derive(Clone)]
pub struct Entry {
    /// Since which command.
    pub sequence: u64,
    /// It is remembered at least until then, if it is `sure`.
    pub at_least: u64,
    /// And at most until then.
    pub at_most: u64,
    /// It is remembered.
    pub sure: bool,
}

impl fmt::Debug for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            sequence,
            at_least,
            at_most,
            sure,
        } = self;
        write!(
            formatter,
            "since command {sequence}, until {at_least} to {at_most}, sure: {sure}"
        )
    }
}

/// A command without an answer.
#[derive(Clone, Debug)]
pub enum Asked {
    /// Messages whose receipts are missing.
    Enqueue { items: Vec<Option<Sent>> },
    /// Ends of deliveries and messages.
    Unit {
        /// What is said of the deliveries.
        ends: Vec<Say>,
        /// Their messages, as they were before, and the deliveries.
        before: Vec<(usize, Message, Held)>,
        /// Messages whose receipts are missing.
        items: Vec<Option<Sent>>,
        /// All deliveries were open when it was asked for.
        sure: bool,
        /// Their handlers returned with it.
        returned: bool,
        /// When.
        at: u64,
    },
    /// A settlement of what nobody holds any more.
    Stale,
    /// A withdrawal.
    Cancel { message: usize },
    /// An id to be freed.
    Forget { queue: usize, id: String },
    /// Something that may remove messages of a queue which nobody names.
    Sweep { queue: usize, what: Swept },
    /// Another chance for dead letters of a queue, perhaps for one after the other.
    Redrive {
        queue: usize,
        how: How,
        is_paced: bool,
    },
    /// The end of a worker, once it has no handler any more.
    Leave { worker: WorkerId },
    /// The same, once nothing of its queue is ready any more either.
    Drain { queue: usize },
    /// Messages for somebody who waits for them, no longer than until then.
    Dequeue { until: u64 },
    /// What a step of a message gave before.
    Recall(Call),
    /// What a step of a message gave now.
    Record {
        message: usize,
        token: u64,
        name: u8,
    },
    /// Another body for a dead letter.
    Edit { message: usize },
    /// A producer, opened anew.
    OpenProducer { producer: u8 },
    /// A numbered message; none once its receipt was told.
    Produce {
        producer: u8,
        number: u64,
        sent: Option<Sent>,
    },
    /// A row of the inbox; messages whose receipts are missing.
    Move { row: Row, items: Vec<Option<Sent>> },
    /// A row that was moved before, or that does not follow on what was.
    MovedBefore,
    /// A numbered message of a handle that is fenced.
    Fenced,
    /// Something that changes nothing.
    Other,
}

impl Held {
    /// Whether it was given to this worker.
    #[must_use]
    pub fn is_of(&self, worker: u32) -> bool {
        let passage = self.passage.as_ref();
        passage.is_some_and(|passage| passage.worker == worker)
    }

    /// Whether the lease may be over by time.
    #[must_use]
    pub fn is_over(&self, now: u64) -> bool {
        self.lost || self.until.is_some_and(|until| until <= now)
    }

    /// Whether its handler keeps its message from being handed out again.
    #[must_use]
    pub fn keeps(&self, now: u64) -> bool {
        let until = [self.abandoned, self.patience];
        self.handler && until.into_iter().flatten().all(|until| now < until)
    }

    /// Whether its consumer may still decline it.
    #[must_use]
    pub fn may_be_declined(&self, now: u64) -> bool {
        !self.seen && !self.late && self.is_open(now)
    }

    /// The time of its handler begins.
    pub fn begin(&mut self, limits: HandlerLimits, lease_ms: u64, is_final: bool, now: u64) {
        let first = limits.longest_ms();
        // At most once, it is settled already, and has no lease.
        let runs_out = limits.max_runtime_ms.filter(|_| !is_final);
        self.at = now;
        self.until = runs_out.map(|ms| now + ms);
        self.patience = first.map(|ms| now + ms + lease_ms);
    }

    /// Whether it certainly may be settled.
    #[must_use]
    pub fn is_open(&self, now: u64) -> bool {
        !self.settled && self.abandoned.is_none() && !self.is_over(now)
    }
}
