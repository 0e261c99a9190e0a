//! One `process` worker: its slots, and how many starts may be written ahead of them.
//!
//! A claim is written to the journal before its handler starts. So that this costs no latency in
//! a backlog, starts are claimed ahead of free slots: as many as handlers returned during the last
//! append, since so many slots will probably be free when the next one is done.

use std::collections::VecDeque;
use std::rc::Rc;

use super::policies::WorkerRate;
use super::watch::HandlerLimits;
use crate::command::{Ticket, Token};
use crate::policy::rate::Pace;

/// More starts are never written ahead: a bound on what one crash can cost.
const AHEAD_MAX: u32 = 8192;

/// A worker that ends by itself once nothing is ready.
#[derive(Clone, Copy, Debug)]
pub struct Drain {
    /// Who wants to know when it is done.
    pub ticket: Ticket,
    /// Whether what it settled is durable.
    pub rest: Rest,
}

/// How far a worker that drains has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rest {
    /// It has work, or might get some.
    Busy,
    /// It has none; its last settlements are on their way to the storage.
    Settling,
    /// It has none, and what it settled is durable.
    Settled,
}

/// What became of the deliveries of a worker.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(missing_docs, reason = "named as in the public contract")]
pub struct Tally {
    pub completed: u64,
    pub retried: u64,
    pub dead: u64,
}

/// A worker and its deliveries.
#[derive(Debug)]
pub struct Worker {
    /// Its queue.
    pub queue: u32,
    /// Handlers at once.
    pub concurrency: u32,
    /// Handlers that run.
    pub running: u32,
    /// Claimed and not handed out yet, in hand-out order.
    pub claimed: VecDeque<Token>,
    /// Under which its rate is kept when it is closed.
    pub name: Rc<str>,
    /// What it shares with others of its name, if it wants anything of that.
    pub control: Option<u32>,
    /// How often it starts something, alone or with all others of its queue.
    pub rate: Option<WorkerRate>,
    /// Its starts, where its rate is its own.
    pub pace: Pace,
    /// What it allows its handlers.
    pub limits: HandlerLimits,
    /// Claims nothing for now.
    pub paused: bool,
    /// Those who want to know when it is done; it claims nothing any more once there is one.
    pub closing: Vec<Ticket>,
    /// Deliveries that were given back while it closed.
    pub given_back: u64,
    /// Set if it ends by itself.
    pub drain: Option<Drain>,
    /// What became of its deliveries.
    pub tally: Tally,
    /// Messages that it claimed or had turned away, so that one can be told from none.
    pub claims: u64,
    returned: u32,
    ahead: u32,
    /// The end of the next append means something to it.
    counts: bool,
}

impl Worker {
    /// A worker with free slots only, and without a rate.
    #[must_use]
    pub fn new(queue: u32, concurrency: u32, control: Option<u32>) -> Self {
        Self {
            queue,
            concurrency,
            running: 0,
            claimed: VecDeque::new(),
            name: Rc::from(""),
            control,
            rate: None,
            pace: Pace::default(),
            limits: HandlerLimits::default(),
            paused: false,
            closing: Vec::new(),
            given_back: 0,
            drain: None,
            tally: Tally::default(),
            claims: 0,
            returned: 0,
            ahead: 0,
            counts: false,
        }
    }

    /// Whether it may claim one more message; `ahead`: even one that has no slot yet.
    #[must_use]
    pub fn has_room(&self, ahead: bool) -> bool {
        if self.paused || !self.closing.is_empty() {
            return false;
        }
        let allowance = if ahead { self.ahead } else { 0 };
        u64::from(self.running) + (self.claimed.len() as u64)
            < u64::from(self.concurrency) + u64::from(allowance)
    }

    /// How many more it may claim, those that have no slot yet included.
    #[must_use]
    pub fn room(&self) -> u64 {
        if self.paused || !self.closing.is_empty() {
            return 0;
        }
        let taken = u64::from(self.running) + self.claimed.len() as u64;
        (u64::from(self.concurrency) + u64::from(self.ahead)).saturating_sub(taken)
    }

    /// Claims a message.
    pub fn claim(&mut self, token: Token) {
        self.claimed.push_back(token);
        self.stir();
    }

    /// It has done something more: that what came before is durable says nothing of this.
    pub fn stir(&mut self) {
        self.claims += 1;
        if let Some(drain) = &mut self.drain {
            drain.rest = Rest::Busy;
        }
    }

    /// A claim is not its any more.
    pub fn forget_claim(&mut self, token: Token) {
        // Tokens ascend, and so do claims in the order of their hand-out.
        if let Ok(at) = self.claimed.binary_search(&token) {
            self.claimed.remove(at);
        }
    }

    /// Whether it has nothing to do at this moment.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.running == 0 && self.claimed.is_empty()
    }

    /// Whether a slot is free for what was claimed.
    #[must_use]
    pub fn has_slot(&self) -> bool {
        self.running < self.concurrency
    }

    /// A handler returned. True if it is to be told of the end of the next append, and was not before.
    pub fn handler_returned(&mut self) -> bool {
        self.running -= 1;
        self.returned = self.returned.saturating_add(1);
        !std::mem::replace(&mut self.counts, true)
    }

    /// An append ended: what returned meanwhile is what may be written ahead from now on. True if it is
    /// to be told of the end of the next one as well.
    pub fn append_ended(&mut self) -> bool {
        self.ahead = std::mem::take(&mut self.returned).min(AHEAD_MAX);
        self.counts = self.ahead > 0;
        self.counts
    }
}
