//! Deliveries that were claimed and are not over.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::ramp::Step;
use super::watch::Watch;
use crate::command::Token;
use crate::effect::{Content, Recipient};
use crate::index::{Index, spread};
use crate::policy::breaker::Permit;
use crate::slab::Slab;
use crate::time::Timestamp;

/// What has become of a delivery so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// It may be settled.
    Open,
    /// It was settled by hand; its handler still runs.
    Settled,
    /// Its handler was told to stop for it took too long: its end is a failure.
    Late,
    /// It was taken away; its handler still runs.
    Lost,
}

/// What a delivery counts against, where its worker limits anything.
#[derive(Clone, Copy, Debug)]
pub struct Passage {
    /// The worker's control.
    pub control: u32,
    /// The destination of its message.
    pub destination: u32,
    /// It went through the valve of that, which counts it until it leaves.
    pub in_valve: bool,
    /// It is no first attempt.
    pub is_retry: bool,
    /// Leave of the destination's circuit, until what came of it is told.
    pub permit: Option<Permit>,
    /// It came back with the destination's others, until what came of it is told.
    pub step: Option<Step>,
    /// It came back through the worker's sluice, likewise.
    pub sluice_step: Option<Step>,
    /// It is a probe of that.
    pub probes_sluice: bool,
    /// It costs its message no attempt if it fails: the host says so, or it was a probe and took too long.
    pub is_free: bool,
}

impl Passage {
    /// What is to be told of it now, and never again.
    pub fn take_untold(&mut self) -> Self {
        let untold = *self;
        (self.permit, self.step, self.sluice_step) = (None, None, None);
        untold
    }
}

/// One claimed delivery.
#[derive(Debug)]
pub struct Lease {
    /// Whose it is.
    pub to: Recipient,
    /// Its queue.
    pub queue: u32,
    /// Its message's number.
    pub number: u64,
    /// Its message; none after an at-most-once hand-over, or once it was settled.
    pub slot: Option<u32>,
    /// The group that an at-most-once delivery keeps busy.
    pub handed_over_group: Option<u32>,
    /// Settled before its handler starts.
    pub handed_over: bool,
    /// Which attempt.
    pub attempt: u32,
    /// When its handler started.
    pub delivered_at: Timestamp,
    /// Length of a manual lease, which runs from the hand-out on; none for a handler's.
    pub lease_ms: Option<u64>,
    /// When it runs out; never for a handler that is waited for.
    pub until: Timestamp,
    /// Its start is durable.
    pub durable: bool,
    /// It was handed out.
    pub delivered: bool,
    /// It was, and its handler did not start.
    pub is_unseen: bool,
    /// At-most-once: code of the user sees it, so it cannot come back.
    pub is_seen: bool,
    /// What has become of it.
    pub progress: Progress,
    /// A message that waits again, but not before the handler returned: see [`Leases::hold`].
    pub held: Option<u32>,
    /// Its handler is not waited for: see [`Leases::detach`].
    pub detached: bool,
    /// It is nobody's any more, and taken back once its content is there: see [`Leases::take_back`].
    pub taken_back: bool,
    /// How long its handler may take; none without limits.
    pub watch: Option<Box<Watch>>,
    /// What it counts against, until its slot is free.
    pub passage: Option<Passage>,
    /// Its content, once loaded.
    pub content: Option<Content>,
    /// When its message was accepted.
    pub enqueued_at: Timestamp,
    /// When it could have been claimed first, but for groups, suspects and pauses.
    pub ready_at: Timestamp,
}

/// All claimed deliveries by token.
#[derive(Debug, Default)]
pub struct Leases {
    leases: Slab<(Token, Lease)>,
    by_token: Index,
    detached: usize,
    /// Those that hold a message, by queue.
    holding: BTreeSet<(u32, Token)>,
    /// Those that are on their way back, by queue.
    taken_back: BTreeSet<(u32, Token)>,
}

impl Leases {
    /// Adds one.
    pub fn insert(&mut self, token: Token, lease: Lease) {
        let key = self.leases.insert((token, lease));
        self.by_token.insert(spread(token.0), key);
    }

    fn key(&self, token: Token) -> Option<u32> {
        self.by_token
            .find(spread(token.0), |key| self.leases[key].0 == token)
    }

    /// Looks one up.
    #[must_use]
    pub fn get(&self, token: Token) -> Option<&Lease> {
        self.key(token).map(|key| &self.leases[key].1)
    }

    /// Looks one up.
    pub fn get_mut(&mut self, token: Token) -> Option<&mut Lease> {
        self.key(token).map(|key| &mut self.leases[key].1)
    }

    /// Ends one.
    pub fn remove(&mut self, token: Token) -> Option<Lease> {
        let key = self.key(token)?;
        self.by_token.remove(key);
        let (_, lease) = self.leases.remove(key);
        self.detached -= usize::from(lease.detached);
        if lease.held.is_some() {
            self.holding.remove(&(lease.queue, token));
        }
        if lease.taken_back {
            self.taken_back.remove(&(lease.queue, token));
        }
        Some(lease)
    }

    /// Nobody waits for the handler of a delivery any more: its slot is free, and what the delivery
    /// holds is held until `until` at the latest.
    pub fn detach(&mut self, token: Token, until: Timestamp) {
        let lease = self.get_mut(token).expect("only what is there is detached");
        let newly = !lease.detached;
        (lease.detached, lease.until) = (true, until);
        self.detached += usize::from(newly);
    }

    /// A message waits again, but not before the handler of its delivery returned.
    ///
    /// # Panics
    /// When there is no such delivery.
    pub fn hold(&mut self, token: Token, slot: u32) {
        let lease = self.get_mut(token).expect("a delivery in flight");
        lease.held = Some(slot);
        let queue = lease.queue;
        self.holding.insert((queue, token));
    }

    /// A message waits for the handler of its delivery no longer, if it did: which one.
    pub fn release(&mut self, token: Token) -> Option<u32> {
        let lease = self.get_mut(token)?;
        let slot = lease.held.take()?;
        let queue = lease.queue;
        self.holding.remove(&(queue, token));
        Some(slot)
    }

    /// Whether the handler of a message's last delivery still runs, though that delivery is over. One that
    /// was told to stop long ago does not count: nothing waits for it.
    #[must_use]
    pub fn still_runs(&self, number: u64, token: Token) -> bool {
        self.get(token).is_some_and(|lease| {
            let is_over = lease.delivered && lease.progress != Progress::Open;
            let is_handler = matches!(lease.to, Recipient::Worker(_));
            let waited_for = lease
                .watch
                .as_ref()
                .is_none_or(|watch| watch.next() != Timestamp::NEVER);
            lease.number == number && is_over && is_handler && waited_for
        })
    }

    /// A claim is nobody's any more; it ends once its content is there.
    ///
    /// # Panics
    /// When there is no such delivery.
    pub fn take_back(&mut self, token: Token) {
        let lease = self.get_mut(token).expect("a delivery in flight");
        lease.taken_back = true;
        let queue = lease.queue;
        self.taken_back.insert((queue, token));
    }

    /// The payload that the delivery of a message works on, if it has been loaded. `token`: that of its
    /// last delivery, which may be over.
    #[must_use]
    pub fn content_of(&self, slot: u32, token: Token) -> Option<Rc<[u8]>> {
        let lease = self
            .get(token)
            .filter(|lease| lease.slot == Some(slot) || lease.held == Some(slot))?;
        lease
            .content
            .as_ref()
            .map(|content| Rc::clone(&content.bytes))
    }

    /// Messages of a queue that wait for their handlers to return, with their numbers.
    #[must_use]
    pub fn held(&self, queue: u32) -> Vec<(u32, u64)> {
        let leases = of_queue(&self.holding, queue).filter_map(|token| self.get(token));
        leases
            .filter_map(|lease| Some((lease.held?, lease.number)))
            .collect()
    }

    /// Claims of a queue that are taken back once their contents are there, oldest first.
    pub fn taken_back(&self, queue: u32) -> impl Iterator<Item = Token> {
        of_queue(&self.taken_back, queue)
    }

    /// All tokens, oldest first.
    #[must_use]
    pub fn tokens(&self) -> Vec<Token> {
        let mut tokens: Vec<Token> = self.leases.iter().map(|(_, (token, _))| *token).collect();
        tokens.sort_unstable();
        tokens
    }

    /// Deliveries that run or are about to.
    #[must_use]
    pub fn len(&self) -> usize {
        self.leases.len()
    }

    /// Whether every handler that still runs is one that nobody waits for.
    #[must_use]
    pub fn all_detached(&self) -> bool {
        self.detached == self.leases.len()
    }

    /// Whether nothing is in flight.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.leases.is_empty()
    }
}

fn of_queue(set: &BTreeSet<(u32, Token)>, queue: u32) -> impl Iterator<Item = Token> {
    let tokens = set.range((queue, Token(0))..(queue + 1, Token(0)));
    tokens.map(|(_, token)| *token)
}
