//! The naive model, and what each thing that may be done to it does.

use std::collections::BTreeMap;

use ackbox_core::command::{MessageState, Reason};

use crate::support::T0;

pub const QUEUES: usize = 2;
pub const LEASE_MS: u64 = 1000;
pub const BACKOFF_MS: u64 = 300;
/// Of each queue.
pub const WINDOW_MS: [u64; QUEUES] = [2000, 0];
pub const MAX_ATTEMPTS: [u32; QUEUES] = [2, 3];
/// The first queue's groups wait for their dead letters.
pub const BLOCKS: [bool; QUEUES] = [true, false];

/// One enqueue.
#[derive(Clone, Debug)]
pub struct Item {
    pub queue: usize,
    pub id: u8,
    pub body: u8,
    pub group: Option<u8>,
    pub priority: u8,
    pub delay: u64,
    pub ttl: Option<u64>,
}

#[derive(Clone, Debug)]
pub enum Settlement {
    Ack,
    Reject { delay: Option<u64> },
    Dead,
    RetryAt { delay: u64, costs: bool },
    Return,
}

#[derive(Clone, Debug)]
pub enum Transition {
    Enqueue(Vec<Item>),
    Dequeue {
        queue: usize,
        max: u32,
    },
    Settle {
        number: usize,
        settlement: Settlement,
    },
    Cancel {
        queue: usize,
        id: u8,
    },
    RetryNow {
        queue: usize,
        id: u8,
    },
    Forget {
        queue: usize,
        id: u8,
    },
    Purge {
        queue: usize,
    },
    Pause {
        queue: usize,
        paused: bool,
    },
    Redrive {
        queue: usize,
        limit: Option<u32>,
    },
    RemoveDead {
        queue: usize,
        limit: u32,
    },
    Advance {
        ms: u64,
    },
    /// Everything that was in flight when the owner died, and can be claimed, runs once, alone.
    RunSuspects,
    /// The owner dies; `during`: while the append of this waits, of which `torn` 256ths are written.
    Crash {
        during: Option<Box<Self>>,
        torn: u8,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    Waiting,
    Leased {
        until: u64,
        claim: u64,
    },
    Dead {
        sequence: u64,
        reason: Reason,
        blocks: bool,
    },
    Gone,
}

#[derive(Clone, Debug)]
pub struct Message {
    pub item: Item,
    pub state: State,
    pub order: u64,
    pub due: u64,
    pub deadline: u64,
    pub attempt: u32,
    /// It ran when its owner died, and runs alone next time.
    pub suspect: bool,
}

#[derive(Clone, Debug)]
pub struct Model {
    pub now: u64,
    /// All messages ever accepted; a message's number is its place.
    pub messages: Vec<Message>,
    /// Finished ids and when they finished.
    pub finished: BTreeMap<(usize, u8), (u64, u8)>,
    pub paused: [bool; QUEUES],
    counter: u64,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            now: T0,
            messages: Vec::new(),
            finished: BTreeMap::new(),
            paused: [false; QUEUES],
            counter: 0,
        }
    }
}

impl Model {
    pub fn numbers(&self, is_it: impl Fn(&Message) -> bool) -> Vec<usize> {
        (0..self.messages.len())
            .filter(|number| is_it(&self.messages[*number]))
            .collect()
    }

    pub fn live(&self, queue: usize, id: u8) -> Option<usize> {
        let is_it = |message: &Message| {
            message.item.queue == queue && message.item.id == id && message.state != State::Gone
        };
        self.numbers(is_it).pop()
    }

    pub fn allows(&self, transition: &Transition) -> bool {
        match transition {
            Transition::Settle { number, .. } => self
                .messages
                .get(*number)
                .is_some_and(|message| matches!(message.state, State::Leased { .. })),
            // A suspect that can be claimed comes first, and alone.
            Transition::Dequeue { .. } => self.claimable_suspects().is_empty(),
            Transition::RunSuspects => self
                .numbers(|message| matches!(message.state, State::Leased { .. }))
                .is_empty(),
            Transition::Crash { during, .. } => {
                during.as_ref().is_none_or(|during| self.allows(during))
            }
            _ => true,
        }
    }

    pub fn apply(&mut self, transition: &Transition) {
        match transition {
            Transition::Enqueue(items) => {
                self.enqueue(items);
            }
            Transition::Dequeue { queue, max } => {
                self.claim(*queue, *max);
            }
            Transition::Settle { number, settlement } => self.settle(*number, settlement),
            Transition::Cancel { queue, id } => {
                if let Some(number) = self.live(*queue, *id)
                    && !matches!(self.messages[number].state, State::Dead { .. })
                {
                    self.messages[number].state = State::Gone;
                }
            }
            Transition::RetryNow { queue, id } => {
                if let Some(number) = self.live(*queue, *id)
                    && self.messages[number].state == State::Waiting
                {
                    self.messages[number].due = self.messages[number].due.min(self.now);
                }
            }
            Transition::Forget { queue, id } => {
                self.finished.remove(&(*queue, *id));
            }
            Transition::Purge { queue } => {
                let waits = |message: &Message| {
                    message.item.queue == *queue && message.state == State::Waiting
                };
                for number in self.numbers(waits) {
                    self.messages[number].state = State::Gone;
                }
            }
            Transition::Pause { queue, paused } => self.paused[*queue] = *paused,
            Transition::Redrive { queue, limit } => {
                for number in self
                    .dead(*queue)
                    .into_iter()
                    .take(limit.map_or(usize::MAX, |limit| limit as usize))
                {
                    self.redrive(number);
                }
            }
            Transition::RemoveDead { queue, limit } => {
                for number in self.dead(*queue).into_iter().take(*limit as usize) {
                    self.messages[number].state = State::Gone;
                }
            }
            Transition::Advance { ms } => self.advance(*ms),
            Transition::RunSuspects => self.run_suspects(),
            Transition::Crash { .. } => self.crash(),
        }
        self.expire();
    }

    /// Whether each item is new; none if the unit is refused for a conflict.
    pub fn judge(&self, items: &[Item]) -> Option<Vec<(bool, MessageState)>> {
        self.clone().enqueue(items)
    }

    fn enqueue(&mut self, items: &[Item]) -> Option<Vec<(bool, MessageState)>> {
        let before = self.clone();
        let mut receipts = Vec::new();
        for item in items {
            if let Some((body, state)) = self.known(item.queue, item.id) {
                if body != item.body {
                    *self = before;
                    return None;
                }
                receipts.push((true, state));
                continue;
            }
            self.counter += 1;
            let due = self.now + item.delay;
            self.messages.push(Message {
                item: item.clone(),
                state: State::Waiting,
                order: self.counter,
                due,
                deadline: item.ttl.map_or(u64::MAX, |ttl| self.now + ttl),
                attempt: 0,
                suspect: false,
            });
            let ready = due <= self.now;
            receipts.push((
                false,
                if ready {
                    MessageState::Ready
                } else {
                    MessageState::Scheduled
                },
            ));
        }
        Some(receipts)
    }

    fn known(&self, queue: usize, id: u8) -> Option<(u8, MessageState)> {
        if let Some(number) = self.live(queue, id) {
            return Some((self.messages[number].item.body, self.shown_state(number)));
        }
        let (at, body) = self.finished.get(&(queue, id))?;
        (at + WINDOW_MS[queue] > self.now).then_some((*body, MessageState::Completed))
    }

    pub fn shown_state(&self, number: usize) -> MessageState {
        match self.messages[number].state {
            State::Waiting if self.messages[number].due > self.now => MessageState::Scheduled,
            State::Waiting => MessageState::Ready,
            State::Leased { .. } => MessageState::Leased,
            State::Dead { .. } => MessageState::Dead,
            State::Gone => MessageState::Completed,
        }
    }

    /// Whether a dead letter in front of a message holds its group back.
    fn is_blocked(&self, message: &Message) -> bool {
        let (queue, group) = (message.item.queue, message.item.group);
        let in_front = |other: &Message| {
            other.item.queue == queue && other.item.group == group && other.order < message.order
        };
        group.is_some()
            && self.messages.iter().any(|other| {
                in_front(other) && matches!(other.state, State::Dead { blocks: true, .. })
            })
    }

    /// Whether a waiting message that is due may be claimed.
    pub fn is_claimable(&self, number: usize) -> bool {
        let message = &self.messages[number];
        let (queue, group) = (message.item.queue, message.item.group);
        if message.state != State::Waiting || message.due > self.now {
            return false;
        }
        let is_member = |other: &Message| {
            other.item.queue == queue
                && other.item.group == group
                && matches!(other.state, State::Waiting | State::Leased { .. })
        };
        let is_in_front = |other: &Message| {
            is_member(other)
                && (other.order < message.order || matches!(other.state, State::Leased { .. }))
        };
        group.is_none() || (!self.messages.iter().any(is_in_front) && !self.is_blocked(message))
    }

    pub fn has_suspects(&self) -> bool {
        !self.suspects().is_empty()
    }

    fn suspects(&self) -> Vec<usize> {
        self.numbers(|message| message.suspect && message.state == State::Waiting)
    }

    /// Suspects that would be claimed now.
    pub fn claimable_suspects(&self) -> Vec<usize> {
        let mut suspects = self.suspects();
        suspects.retain(|number| {
            self.is_claimable(*number) && !self.paused[self.messages[*number].item.queue]
        });
        suspects
    }

    pub fn rank(&self, number: usize) -> (u8, u64) {
        (
            u8::MAX - self.messages[number].item.priority,
            self.messages[number].order,
        )
    }

    /// Claims and returns what a dequeue gets.
    pub fn claim(&mut self, queue: usize, max: u32) -> Vec<usize> {
        let mut claimed = Vec::new();
        while claimed.len() < max as usize && !self.paused[queue] {
            let mut ready = self.numbers(|message| message.item.queue == queue);
            ready.retain(|number| self.is_claimable(*number));
            let Some(first) = ready.into_iter().min_by_key(|number| self.rank(*number)) else {
                break;
            };
            self.counter += 1;
            let claim = self.counter;
            let until = self.now + LEASE_MS;
            let message = &mut self.messages[first];
            message.state = State::Leased { until, claim };
            message.attempt += 1;
            claimed.push(first);
        }
        claimed
    }

    fn settle(&mut self, number: usize, settlement: &Settlement) {
        let now = self.now;
        let message = &mut self.messages[number];
        match settlement {
            Settlement::Ack => {
                message.state = State::Gone;
                let (queue, id) = (message.item.queue, message.item.id);
                if WINDOW_MS[queue] > 0 {
                    self.finished.insert((queue, id), (now, message.item.body));
                }
            }
            Settlement::Reject { delay } => {
                self.fail(number, delay.unwrap_or(BACKOFF_MS), Reason::Exhausted)
            }
            Settlement::Dead => self.die(number, Reason::Permanent),
            Settlement::RetryAt { delay, costs: true } => {
                self.fail(number, *delay, Reason::Exhausted)
            }
            Settlement::RetryAt {
                delay,
                costs: false,
            } => {
                message.attempt -= 1;
                (message.state, message.due) = (State::Waiting, now + delay);
            }
            Settlement::Return => {
                message.attempt -= 1;
                (message.state, message.due) = (State::Waiting, message.due.min(now));
            }
        }
    }

    fn fail(&mut self, number: usize, delay: u64, reason: Reason) {
        if self.messages[number].attempt >= MAX_ATTEMPTS[self.messages[number].item.queue] {
            return self.die(number, reason);
        }
        let due = self.now + delay;
        let message = &mut self.messages[number];
        (message.state, message.due) = (State::Waiting, due);
    }

    fn die(&mut self, number: usize, reason: Reason) {
        self.counter += 1;
        let sequence = self.counter;
        let message = &mut self.messages[number];
        let blocks = BLOCKS[message.item.queue] && message.item.group.is_some();
        message.suspect = false;
        message.state = State::Dead {
            sequence,
            reason,
            blocks,
        };
    }

    /// Dead letters in the order of their deaths.
    pub fn dead(&self, queue: usize) -> Vec<usize> {
        let sequence = |number: &usize| match self.messages[*number].state {
            State::Dead { sequence, .. } => sequence,
            _ => unreachable!("only dead letters are listed"),
        };
        let mut dead = self.numbers(|message| {
            message.item.queue == queue && matches!(message.state, State::Dead { .. })
        });
        dead.sort_by_key(sequence);
        dead
    }

    fn redrive(&mut self, number: usize) {
        self.counter += 1;
        let (now, order) = (self.now, self.counter);
        let message = &mut self.messages[number];
        if !matches!(message.state, State::Dead { blocks: true, .. }) {
            message.order = order;
        }
        message.state = State::Waiting;
        (message.attempt, message.due, message.deadline) = (0, now, u64::MAX);
    }

    fn advance(&mut self, ms: u64) {
        let end = self.now + ms;
        loop {
            let next = self
                .messages
                .iter()
                .filter_map(|message| match message.state {
                    State::Waiting => Some(message.deadline.saturating_add(1)),
                    State::Leased { until, .. } => Some(until),
                    _ => None,
                });
            match next.min() {
                Some(at) if at <= end => self.now = self.now.max(at),
                _ => break,
            }
            self.end_leases();
            self.expire();
        }
        self.now = end;
    }

    fn end_leases(&mut self) {
        let mut over: Vec<(u64, u64, usize)> = Vec::new();
        for (number, message) in self.messages.iter().enumerate() {
            if let State::Leased { until, claim } = message.state
                && until <= self.now
            {
                over.push((until, claim, number));
            }
        }
        over.sort_unstable();
        for (.., number) in over {
            self.fail(number, BACKOFF_MS, Reason::LeaseExpired);
        }
    }

    fn expire(&mut self) {
        let mut over =
            self.numbers(|message| message.state == State::Waiting && message.deadline < self.now);
        over.sort_by_key(|number| (self.messages[*number].deadline, *number));
        for number in over {
            self.die(number, Reason::Expired);
        }
    }

    /// Each ran once, alone, and was put off at no cost: the subject does the same.
    fn run_suspects(&mut self) {
        for number in self.claimable_suspects() {
            let now = self.now;
            let message = &mut self.messages[number];
            (message.suspect, message.due) = (false, now);
        }
    }

    fn crash(&mut self) {
        for number in self.numbers(|message| matches!(message.state, State::Leased { .. })) {
            let message = &mut self.messages[number];
            if message.attempt >= MAX_ATTEMPTS[message.item.queue] {
                self.die(number, Reason::OwnerDied);
            } else {
                (message.state, message.due) = (State::Waiting, message.due.min(self.now));
                message.suspect = true;
            }
        }
    }
}
