//! Commands of messages that come with something: a number, a key of the inbox, ends of deliveries.

use super::{Enqueue, Settle};

/// A numbered message of a producer.
#[derive(Clone, Debug)]
pub struct Produce<'a> {
    /// Its number in the box.
    pub producer: u32,
    /// Of the handle; a newer one fences it.
    pub epoch: u64,
    /// From 1, without gaps, at most 1,024 above those that are accepted without one.
    pub sequence: u64,
    /// The message.
    pub enqueue: Enqueue<'a>,
}

/// What the host kept in its inbox under one key.
#[derive(Clone, Debug)]
pub struct Move<'a> {
    /// The key that was moved before, 0 for none: what comes behind a refusal does not overtake it.
    pub after: u64,
    /// A higher one.
    pub key: u64,
    /// It was refused, and nobody is left to be told: its messages become dead letters with this error, past
    /// all limits, under generated ids where theirs are taken by others.
    pub refused: Option<&'a [u8]>,
    /// Its messages.
    pub enqueues: Vec<Enqueue<'a>>,
}

/// What becomes durable together.
#[derive(Clone, Debug)]
pub struct Transaction<'a> {
    /// Ends of different deliveries.
    pub settles: Vec<Settle<'a>>,
    /// Messages of any queues.
    pub enqueues: Vec<Enqueue<'a>>,
}
