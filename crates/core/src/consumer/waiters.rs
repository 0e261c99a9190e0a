//! Dequeues that are not answered yet, of all queues, each in the order in which it came.
//!
//! - **Open**: it may claim. It is *hungry* as long as it has fewer messages than it asked for.
//! - **Closed**: it has something, waited long enough, or nothing more is to be had. What was claimed
//!   for it is still on its way; if all of that is taken back, it is open again.
//! - **Done**: closed, and everything that was claimed for it was handed out. It can be answered.

use std::collections::{BTreeMap, BTreeSet};

use crate::command::{Ticket, Token};
use crate::meter::look;
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
    /// A dequeue that has nothing yet.
    #[must_use]
    pub const fn new(ticket: Ticket, max: u32, lease_ms: Option<u64>, until: Timestamp) -> Self {
        Self {
            ticket,
            max,
            lease_ms,
            until,
            pending: BTreeSet::new(),
            delivered: 0,
            closed: false,
        }
    }

    /// Messages claimed for it, handed out or not.
    #[must_use]
    pub fn claimed(&self) -> u32 {
        self.delivered + self.pending.len() as u32
    }
}

/// A queue, and the order of arrival.
type Key = (u32, u64);

/// All waiting dequeues of a box. Everything costs O(log n) for each one that it touches.
#[derive(Debug, Default)]
pub struct Waiters {
    all: BTreeMap<Key, Waiter>,
    by_ticket: BTreeMap<Ticket, Key>,
    /// Open, and with less than it asked for.
    hungry: BTreeSet<Key>,
    /// Open, and with something.
    fed: BTreeSet<Key>,
    /// Open, by when their waiting ends.
    ends: BTreeSet<(u32, Timestamp, u64)>,
    done: BTreeSet<Key>,
    /// With something that was not handed out yet.
    expecting: BTreeSet<Key>,
    last: u64,
}

impl Waiters {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Adds one.
    pub fn add(&mut self, queue: u32, waiter: Waiter) {
        self.last += 1;
        let key = (queue, self.last);
        self.by_ticket.insert(waiter.ticket, key);
        self.all.insert(key, waiter);
        self.file(key);
    }

    /// The queue that one waits at.
    #[must_use]
    pub fn queue_of(&self, ticket: Ticket) -> Option<u32> {
        self.by_ticket.get(&ticket).map(|(queue, _)| *queue)
    }

    /// Who takes the next message of a queue.
    #[must_use]
    pub fn next_hungry(&self, queue: u32) -> Option<Ticket> {
        let key = first(&self.hungry, queue)?;
        Some(self.all[&key].ticket)
    }

    /// Changes one; `None` if there is none with this ticket.
    pub fn change<R>(
        &mut self,
        ticket: Ticket,
        change: impl FnOnce(&mut Waiter) -> R,
    ) -> Option<R> {
        let key = *self.by_ticket.get(&ticket)?;
        self.unfile(key);
        let changed = change(self.all.get_mut(&key).expect("it has a ticket"));
        self.file(key);
        Some(changed)
    }

    /// Closes all of a queue that have something or waited long enough, or just all.
    pub fn close(&mut self, queue: u32, now: Timestamp, all: bool) {
        while let Some(key) = first(&self.fed, queue) {
            self.close_one(key);
        }
        let latest = if all { Timestamp::NEVER } else { now };
        while let Some((until, key)) = self.first_end(queue)
            && until <= latest
        {
            self.close_one(key);
        }
    }

    /// Takes out one of a queue that can be answered, in the order of arrival.
    pub fn take_done(&mut self, queue: u32) -> Option<Waiter> {
        let key = first(&self.done, queue)?;
        self.unfile(key);
        let waiter = self.all.remove(&key)?;
        self.by_ticket.remove(&waiter.ticket);
        Some(waiter)
    }

    /// What was claimed for those of a queue and not handed out yet.
    #[must_use]
    pub fn pending(&self, queue: u32) -> Vec<Token> {
        let expecting = self.expecting.range((queue, 0)..(queue + 1, 0));
        expecting
            .flat_map(|key| self.all[key].pending.iter().copied())
            .collect()
    }

    /// When time alone closes one of a queue.
    #[must_use]
    pub fn next_change(&self, queue: u32) -> Timestamp {
        self.first_end(queue)
            .map_or(Timestamp::NEVER, |(until, _)| until)
    }

    /// Takes all out, to be told that nothing will come of it.
    pub fn abandon(&mut self) -> Vec<Ticket> {
        let all = std::mem::take(self);
        all.all.into_values().map(|waiter| waiter.ticket).collect()
    }

    fn close_one(&mut self, key: Key) {
        self.unfile(key);
        if let Some(waiter) = self.all.get_mut(&key) {
            waiter.closed = true;
        }
        self.file(key);
    }

    fn first_end(&self, queue: u32) -> Option<(Timestamp, Key)> {
        let from = (queue, Timestamp(0), 0);
        let (_, until, order) = *self
            .ends
            .range(from..)
            .next()
            .filter(|end| end.0 == queue)?;
        Some((until, (queue, order)))
    }

    /// Enters one into the sets that its state puts it in.
    fn file(&mut self, key: Key) {
        look();
        let waiter = &self.all[&key];
        if !waiter.pending.is_empty() {
            self.expecting.insert(key);
        }
        if waiter.closed {
            if waiter.pending.is_empty() {
                self.done.insert(key);
            }
            return;
        }
        self.ends.insert((key.0, waiter.until, key.1));
        let claimed = waiter.claimed();
        if claimed < waiter.max {
            self.hungry.insert(key);
        }
        if claimed > 0 {
            self.fed.insert(key);
        }
    }

    /// Takes one out of all sets, before its state changes.
    fn unfile(&mut self, key: Key) {
        look();
        let until = self.all[&key].until;
        self.ends.remove(&(key.0, until, key.1));
        let sets = [
            &mut self.hungry,
            &mut self.fed,
            &mut self.done,
            &mut self.expecting,
        ];
        for set in sets {
            set.remove(&key);
        }
    }
}

/// The first one of a queue in a set.
fn first(set: &BTreeSet<Key>, queue: u32) -> Option<Key> {
    let key = set.range((queue, 0)..).next()?;
    (key.0 == queue).then_some(*key)
}
