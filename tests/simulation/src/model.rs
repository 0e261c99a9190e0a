//! What the world knows of its messages: what it asked for, what it was told, and what is in doubt.
//!
//! The model decides nothing that the engine decides. It keeps bounds: a message that was acknowledged
//! without an answer may be there after a crash or not, and until somebody looks it is both.

#![expect(missing_docs, reason = "each variant and struct says what it is")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ackbox_core::config::{Guarantee, QueueOptions};
use ackbox_core::policy::backoff::{Backoff, Jitter};

use crate::op::Say;

/// Whether a message is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// It is not.
    No,
    /// Its acknowledgement was asked for, as the command of this sequence.
    Asked(u64),
    /// Nobody knows until somebody looks.
    Maybe,
    /// It is.
    Told,
}

/// What may be true.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sure {
    /// It is not.
    No,
    /// It may be.
    Maybe,
    /// It is.
    Yes,
}

/// A message that was sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Sent {
    /// Where to.
    pub queue: usize,
    /// Under which id.
    pub id: Option<String>,
    /// Its headers, which no other one has.
    pub headers: String,
    /// What was in it.
    pub body: Vec<u8>,
    /// In which group.
    pub group: Option<String>,
    /// How urgent.
    pub priority: u8,
    /// The earliest delivery.
    pub not_before: u64,
    /// The latest start of a delivery.
    pub deadline: Option<u64>,
    /// When.
    pub at: u64,
    /// Its id may have been known.
    pub known: bool,
}

impl fmt::Debug for Sent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            queue,
            id,
            group,
            at,
            not_before,
            deadline,
            ..
        } = self;
        let body = String::from_utf8_lossy(&self.body[..self.body.len().min(12)]);
        let delay_ms = not_before - at;
        write!(
            formatter,
            "{id:?} `{body}` to queue {queue} at {at}, {group:?}, +{delay_ms}, {deadline:?}"
        )
    }
}

/// A message that was accepted.
#[derive(Clone, Debug)]
pub struct Message {
    /// As it was sent.
    pub sent: Sent,
    /// The command that it came with.
    pub sequence: u64,
    /// Its id, once that is known.
    pub id: Option<String>,
    /// Its number, once that is known.
    pub number: Option<u64>,
    /// Whether it is over.
    pub end: End,
    /// When it was acknowledged.
    pub acked_at: Option<u64>,
    /// Whether it is a dead letter.
    pub dead: Sure,
    /// What happened to it may have killed it.
    pub may_die: bool,
    /// It was a dead letter, so that nobody knows its place any more.
    pub displaced: bool,
    /// The earliest next delivery.
    pub not_before: u64,
    /// The latest start.
    pub deadline: Option<u64>,
    /// How many of its starts count, at least and at most.
    pub starts: (u32, u32),
    /// A start was taken back, which may not have become durable.
    pub refunded: bool,
    /// Token of its last delivery.
    pub token: u64,
    /// It was given to a consumer, at most once.
    pub handed_over: bool,
    /// Which of its steps are recorded.
    pub steps: BTreeMap<u8, Sure>,
}

/// A delivery whose consumer is not done.
#[derive(Clone, Debug)]
pub struct Held {
    /// Its token.
    pub token: u64,
    /// Its message.
    pub message: usize,
    /// Its queue.
    pub queue: usize,
    /// It runs in a handler; else it was claimed by hand.
    pub handler: bool,
    /// When a lease by hand ends.
    pub until: Option<u64>,
    /// It was settled.
    pub settled: bool,
    /// Its lease was taken away.
    pub lost: bool,
    /// It was given up, and holds what it holds until then.
    pub abandoned: Option<u64>,
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
    Sweep { queue: usize },
    /// Another chance for dead letters of a queue.
    Redrive { queue: usize },
    /// A step to be recorded.
    Step { message: usize, name: u8 },
    /// What a step gave, which was certainly recorded or may be.
    Recall {
        message: usize,
        name: u8,
        sure: bool,
    },
    /// Something that changes nothing.
    Other,
}

/// What is known.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// Options of the queues.
    pub queues: Vec<QueueOptions>,
    /// Every message that was accepted.
    pub messages: Vec<Message>,
    /// Which of them has this number.
    pub by_number: BTreeMap<u64, usize>,
    /// Deliveries of this run.
    pub held: Vec<Held>,
    /// Tokens that are worth nothing any more.
    pub stale: Vec<u64>,
    /// All tokens ever seen.
    pub tokens: BTreeSet<u64>,
    /// Finished ids.
    pub entries: BTreeMap<(usize, String), Entry>,
    /// Commands of this run without an answer, by their sequence.
    pub asked: BTreeMap<u64, Asked>,
    /// Everything up to this command is durable.
    pub durable: u64,
    /// The latest time that any run was told.
    pub latest: u64,
    /// The storage had no room in this run.
    pub was_full: bool,
}

impl Message {
    /// It may have been redriven.
    pub fn redrive(&mut self) {
        self.starts.0 = 0;
        self.displaced = true;
        (self.not_before, self.deadline) = (0, None);
        self.dead = Sure::Maybe;
    }

    /// What one of its steps gives.
    #[must_use]
    pub fn result_of(&self, name: u8) -> Vec<u8> {
        format!("step {name} of {}", self.sent.headers).into_bytes()
    }

    /// How many steps are recorded, at least and at most.
    #[must_use]
    pub fn steps_recorded(&self) -> (u32, u32) {
        let sure = self.steps.values().filter(|sure| **sure == Sure::Yes);
        (sure.count() as u32, self.steps.len() as u32)
    }

    /// Whether it may be a dead letter.
    #[must_use]
    pub fn may_be_dead(&self) -> bool {
        self.dead != Sure::No || self.may_die || self.sent.deadline.is_some()
    }
}

impl Held {
    /// Whether the lease may be over by time.
    #[must_use]
    pub fn is_over(&self, now: u64) -> bool {
        self.lost || self.until.is_some_and(|until| until <= now)
    }

    /// Whether it certainly may be settled.
    #[must_use]
    pub fn is_open(&self, now: u64) -> bool {
        !self.settled && self.abandoned.is_none() && !self.is_over(now)
    }
}

impl Model {
    /// Whether a queue gives its messages away before they are handled.
    #[must_use]
    pub fn at_most_once(&self, queue: usize) -> bool {
        self.queues[queue].guarantee == Some(Guarantee::AtMostOnce)
    }

    /// Whether a message may be a dead letter that nobody keeps any more.
    #[must_use]
    pub fn may_have_retired(&self, message: &Message) -> bool {
        self.queues[message.sent.queue].dead.is_some() && message.may_be_dead()
    }

    /// How long a queue remembers finished ids.
    #[must_use]
    pub fn window_ms(&self, queue: usize) -> u64 {
        let dedup = self.queues[queue].dedup.as_ref();
        dedup.and_then(|dedup| dedup.window_ms).unwrap_or(0)
    }

    /// The shortest time that a queue waits before a retry.
    #[must_use]
    pub fn least_backoff_ms(&self, queue: usize) -> u64 {
        match &self.queues[queue].backoff {
            Some(Backoff::Constant { ms, .. }) => *ms,
            Some(Backoff::Exponential {
                base_ms,
                jitter: Jitter::None | Jitter::Fraction(_),
                ..
            }) => *base_ms,
            _ => 0,
        }
    }

    /// The message under this id that is not certainly over.
    #[must_use]
    pub fn live(&self, queue: usize, id: &str) -> Option<usize> {
        self.messages.iter().rposition(|message| {
            message.sent.queue == queue
                && message.end != End::Told
                && message.id.as_deref() == Some(id)
        })
    }

    /// Whether an id may be known when it is sent.
    #[must_use]
    pub fn may_be_known(&self, queue: usize, id: &str, now: u64) -> bool {
        let is_it = |item: &Sent| item.queue == queue && item.id.as_deref() == Some(id);
        let sent = self.asked.values().any(|asked| match asked {
            Asked::Enqueue { items, .. } | Asked::Unit { items, .. } => {
                items.iter().flatten().any(is_it)
            }
            _ => false,
        });
        let entry = self.entries.get(&(queue, id.to_owned()));
        sent || self.live(queue, id).is_some() || entry.is_some_and(|entry| now < entry.at_most)
    }

    /// Adds a message that is durable.
    pub fn accept(&mut self, sent: Sent, id: String, number: Option<u64>, sequence: u64) -> usize {
        let index = self.messages.len();
        if let Some(number) = number {
            self.by_number.insert(number, index);
        }
        self.messages.push(Message {
            sequence,
            id: Some(id),
            number,
            end: End::No,
            acked_at: None,
            dead: Sure::No,
            may_die: false,
            displaced: false,
            not_before: sent.not_before,
            deadline: sent.deadline,
            starts: (0, 0),
            refunded: false,
            token: 0,
            handed_over: false,
            steps: BTreeMap::new(),
            sent,
        });
        index
    }

    /// A consumer says what became of a delivery: what follows, if the engine agrees.
    pub fn say(&mut self, index: usize, say: Say, now: u64, sequence: u64) {
        let queue = self.messages[index].sent.queue;
        let backoff = self.least_backoff_ms(queue);
        let is_bounded = self.queues[queue].max_retry_ms.is_some();
        let message = &mut self.messages[index];
        let refund = |message: &mut Message| {
            message.starts = (
                message.starts.0.saturating_sub(1),
                message.starts.1.saturating_sub(1),
            );
            message.refunded = true;
        };
        match say {
            Say::Ack => (message.end, message.acked_at) = (End::Asked(sequence), Some(now)),
            Say::Reject { delay_ms } => {
                message.not_before = now + delay_ms.unwrap_or(backoff);
                message.may_die = true;
            }
            Say::Dead => message.may_die = true,
            Say::Later { ms, costs } => {
                message.not_before = now + ms;
                message.may_die |= costs || is_bounded;
                if !costs {
                    refund(message);
                }
            }
            Say::Return => {
                message.not_before = 0;
                refund(message);
            }
        }
    }

    /// An acknowledgement is durable.
    pub fn complete(&mut self, index: usize, now: u64, sure: bool) {
        let message = &mut self.messages[index];
        message.end = End::Told;
        let (queue, sequence) = (message.sent.queue, message.sequence);
        let (Some(id), Some(acked_at)) = (message.sent.id.clone(), message.acked_at) else {
            return;
        };
        self.remember(queue, id, sequence, (acked_at, now), sure);
    }

    /// An id is finished since some time between these two.
    pub fn remember(
        &mut self,
        queue: usize,
        id: String,
        sequence: u64,
        finished: (u64, u64),
        sure: bool,
    ) {
        let window_ms = self.window_ms(queue);
        if window_ms == 0 {
            return;
        }
        let entry = Entry {
            sequence,
            at_least: finished.0 + window_ms,
            // A clock that was set back finishes things at the latest time in the journal.
            at_most: finished.1.max(self.latest) + window_ms,
            sure,
        };
        self.entries.insert((queue, id), entry);
    }

    /// Messages of a queue that may wait, so that somebody who sweeps it may find them.
    pub fn swept(
        &mut self,
        queue: usize,
        now: u64,
        may_be: impl Fn(&Message) -> bool,
    ) -> Vec<usize> {
        let held: BTreeSet<usize> = self
            .held
            .iter()
            .filter(|held| held.is_open(now))
            .map(|held| held.message)
            .collect();
        (0..self.messages.len())
            .filter(|index| {
                let message = &self.messages[*index];
                message.sent.queue == queue
                    && message.end != End::Told
                    && !held.contains(index)
                    && may_be(message)
            })
            .collect()
    }
}
