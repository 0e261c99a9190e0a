//! Where a queue hands out messages: its workers in turn, and those who wait for a dequeue.

use std::collections::{BTreeSet, VecDeque};

use crate::command::{Ticket, Token, WorkerId};
use crate::time::Timestamp;

/// A dequeue that is not answered yet.
#[derive(Debug)]
pub struct Waiter {
    /// Whom to answer.
    pub ticket: Ticket,
    /// At most so many messages.
    pub max: u32,
    /// Lease, if not the queue's.
    pub lease_ms: Option<u64>,
    /// Until when it waits for a first message.
    pub until: Timestamp,
    /// Messages claimed for it that were not handed out yet.
    pub pending: BTreeSet<Token>,
    /// Messages that were.
    pub delivered: u32,
    /// It claims no more.
    pub closed: bool,
}

impl Waiter {
    /// Messages claimed for it, handed out or not.
    #[must_use]
    pub fn claimed(&self) -> u32 {
        self.delivered + self.pending.len() as u32
    }
}

/// The consumers of one queue.
#[derive(Debug, Default)]
pub struct Desk {
    /// Open workers; the first one is served next.
    pub workers: VecDeque<WorkerId>,
    /// Dequeues in order.
    pub waiters: VecDeque<Waiter>,
    /// Ends of manual leases.
    pub lease_ends: BTreeSet<(Timestamp, u64)>,
}

impl Desk {
    /// The dequeue with this ticket.
    pub fn waiter(&mut self, ticket: Ticket) -> Option<&mut Waiter> {
        self.waiters
            .iter_mut()
            .find(|waiter| waiter.ticket == ticket)
    }

    /// When time alone changes something here.
    #[must_use]
    pub fn next_change(&self) -> Timestamp {
        let open = self.waiters.iter().filter(|waiter| !waiter.closed);
        let waits = open.map(|waiter| waiter.until).min();
        let lease = self.lease_ends.first().map(|(until, _)| *until);
        waits
            .into_iter()
            .chain(lease)
            .min()
            .unwrap_or(Timestamp::NEVER)
    }
}
