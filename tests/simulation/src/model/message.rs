//! A message as it was sent, and what may have become of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::meeting::How;
use super::steps::Step;

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
    /// Where it goes from there.
    pub destination: Option<String>,
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

/// What is in a message.
#[derive(Clone, PartialEq, Eq)]
pub struct Body(pub Vec<u8>);

impl fmt::Debug for Body {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = String::from_utf8_lossy(&self.0[..self.0.len().min(12)]);
        write!(formatter, "`{start}`, {} bytes", self.0.len())
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
    /// Its bytes may have been read with another bit, and written again like that.
    pub may_be_damaged: bool,
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
    /// When that was.
    pub handed_over_at: u64,
    /// Attempts at most.
    pub max_attempts: u32,
    /// Bodies that it may have, and the commands that gave it those.
    pub bodies: Vec<(u64, Body)>,
    /// Bodies that it had before somebody gave it another one.
    pub former: Vec<(u64, Body)>,
    /// It tells of a death, and may not be there for good.
    pub provisional: bool,
    /// It may have been moved to one of these queues.
    pub elsewhere: BTreeSet<usize>,
    /// What was recorded of its steps, by their names' numbers.
    pub steps: BTreeMap<u8, Step>,
}

impl Message {
    /// Whether it may be in a queue.
    #[must_use]
    pub fn may_be_in(&self, queue: usize) -> bool {
        self.sent.queue == queue || self.elsewhere.contains(&queue)
    }

    /// It was seen in a queue.
    pub fn seen_in(&mut self, queue: usize) {
        self.sent.queue = queue;
        self.elsewhere.clear();
    }

    /// What tells it from all others, whoever counts them.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{:?} {}", self.id, self.sent.headers)
    }

    /// Whether it is what somebody found. Messages about deaths have no headers of their own.
    #[must_use]
    pub fn is_found(&self, headers: &[u8], id: &str) -> bool {
        let is_named = !headers.is_empty() || self.id.as_deref() == Some(id);
        is_named && self.sent.headers.as_bytes() == headers
    }

    /// Whether a body may be its own.
    #[must_use]
    pub fn may_hold(&self, body: &[u8]) -> bool {
        self.bodies.iter().any(|(_, may)| may.0 == body)
    }

    /// It may have been redriven.
    pub fn redrive(&mut self, how: How) {
        self.elsewhere.extend(how.to);
        if how.forget_steps {
            self.steps.values_mut().for_each(Step::may_forget);
        }
        self.starts.0 = 0;
        self.displaced = true;
        (self.not_before, self.deadline) = (0, None);
        self.dead = Sure::Maybe;
    }

    /// Whether it may be a dead letter.
    #[must_use]
    pub fn may_be_dead(&self) -> bool {
        self.dead != Sure::No || self.may_die || self.may_be_damaged || self.sent.deadline.is_some()
    }
}
