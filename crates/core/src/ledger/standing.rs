//! Which set a message stands in, and how it moves from one to another.

use super::Ledger;
use super::lanes::Kind;
use super::message::{NONE, Standing};
use crate::command::Token;
use crate::time::Timestamp;

impl Ledger {
    /// Puts a held message where time, group and suspicion want it.
    pub fn enter(&mut self, slot: u32, now: Timestamp) {
        let message = &mut self.messages[slot];
        debug_assert_eq!(message.standing, Standing::Held, "entered twice");
        if message.went_back {
            return self.dismiss(slot, now);
        }
        let queue = &mut self.queues[message.queue as usize];
        if message.epoch < queue.purges {
            return self.erase_purged(slot, now);
        }
        let heads_group = message.group == NONE
            || (queue.groups.head(message.group) == Some(slot)
                && queue.groups.is_free(message.group));
        if message.due > now {
            message.standing = Standing::Scheduled;
            queue.scheduled.insert((message.due, message.number), slot);
        } else if !heads_group {
            message.standing = Standing::Parked;
            queue.groups.park(message.group);
            queue.parked.insert(message.rank(), slot);
        } else {
            message.standing = Standing::Ready;
            let (kind, set) = if message.suspect {
                (Kind::Suspect, &mut queue.suspects)
            } else {
                (Kind::Ordinary, &mut queue.ready)
            };
            let rank = message.rank();
            set.insert(rank, slot);
            queue.lanes.insert(kind, message.destination, rank, slot);
        }
        if message.deadline != Timestamp::NEVER {
            queue
                .expiries
                .insert((message.deadline, message.number), slot);
        }
        let number = message.queue;
        self.touch(number);
        self.note_change(number);
    }

    /// Takes a waiting message out of its set.
    pub fn leave(&mut self, slot: u32) {
        let message = &mut self.messages[slot];
        let queue = &mut self.queues[message.queue as usize];
        match message.standing {
            Standing::Scheduled => queue.scheduled.remove(&(message.due, message.number)),
            Standing::Parked => {
                // A purge took those of its time out of the count.
                if message.epoch == queue.purges {
                    queue.groups.unpark(message.group);
                }
                queue.parked.remove(&message.rank())
            }
            Standing::Ready => {
                let (kind, set) = if message.suspect {
                    (Kind::Suspect, &mut queue.suspects)
                } else {
                    (Kind::Ordinary, &mut queue.ready)
                };
                let rank = message.rank();
                queue.lanes.remove(kind, message.destination, rank);
                set.remove(&rank)
            }
            Standing::Held | Standing::Leased | Standing::Dead => return,
        };
        if message.deadline != Timestamp::NEVER {
            queue.expiries.remove(&(message.deadline, message.number));
        }
        message.standing = Standing::Held;
    }

    /// Puts a message off that could be claimed. Nothing is written: after a crash it may be claimed
    /// earlier.
    pub fn defer(&mut self, slot: u32, until: Timestamp, now: Timestamp) {
        self.leave(slot);
        self.messages[slot].due = until;
        self.enter(slot, now);
    }

    /// Claims a ready message: one more attempt, from now on.
    pub fn lease(&mut self, slot: u32, token: Token, now: Timestamp) {
        self.leave(slot);
        let message = &mut self.messages[slot];
        let queue = &mut self.queues[message.queue as usize];
        queue.lanes.end_turn(message.destination);
        message.standing = Standing::Leased;
        message.attempt += 1;
        message.token = token.0;
        message.started_at = now;
        if message.first_delivery == Timestamp(0) {
            message.first_delivery = now;
        }
        let (number, group) = (message.queue, message.group);
        queue.leased.join(&mut self.messages, slot);
        if group != NONE {
            queue.groups.start(group);
        }
        self.touch(number);
        self.note_change(number);
    }

    /// Ends a claim; the message is held and in no set.
    pub fn unlease(&mut self, slot: u32) {
        let message = &mut self.messages[slot];
        let queue = &mut self.queues[message.queue as usize];
        debug_assert_eq!(message.standing, Standing::Leased, "not leased");
        message.standing = Standing::Held;
        message.epoch = queue.purges;
        let (number, group) = (message.queue, message.group);
        queue.leased.leave(&mut self.messages, slot);
        if group != NONE {
            queue.groups.end(group);
        }
        self.touch(number);
        self.note_change(number);
    }

    /// Lets the head of a group be claimed if nothing is in its way any more.
    pub fn promote(&mut self, queue: u32, group: u32, now: Timestamp) {
        while let Some(head) = self.queues[queue as usize].groups.head(group) {
            if self.is_purged(head) {
                self.erase_purged_member(head);
                continue;
            }
            if self.messages[head].standing == Standing::Parked
                && self.queues[queue as usize].groups.is_free(group)
            {
                self.leave(head);
                self.enter(head, now);
            }
            break;
        }
        self.queues[queue as usize].groups.tidy(group);
    }

    /// Adds a message to its group; a head that it displaces waits behind it.
    pub(super) fn join_group(&mut self, slot: u32, now: Timestamp) {
        let message = &self.messages[slot];
        let (queue, group) = (message.queue, message.group);
        if group == NONE {
            return;
        }
        let order = message.order;
        let displaced = self.queues[queue as usize].groups.join(group, order, slot);
        if let Some(old) = displaced
            && self.messages[old].standing == Standing::Ready
            && !self.is_purged(old)
        {
            self.leave(old);
            self.enter(old, now);
        }
    }

    /// Moves what is due at `now` among the claimable, at most `limit` messages; how many it were.
    pub fn advance(&mut self, queue: u32, now: Timestamp, limit: usize) -> usize {
        for moved in 0..limit {
            let first = self.queues[queue as usize].scheduled.first_key_value();
            match first.map(|((due, _), slot)| (*due, *slot)) {
                Some((due, slot)) if due <= now => {
                    self.leave(slot);
                    self.enter(slot, now);
                }
                _ => return moved,
            }
        }
        limit
    }

    /// Adds at most `limit` of a queue's claimable messages to its lanes, if somebody looks at those;
    /// true if more are missing.
    pub fn fill_lanes(&mut self, queue: u32, limit: usize) -> bool {
        let target = &mut self.queues[queue as usize];
        if !target.lanes.lags() {
            return false;
        }
        let messages = &self.messages;
        let destination_of = |slot: u32| messages[slot].destination;
        let (ready, suspects) = (&target.ready, &target.suspects);
        let lanes = &mut target.lanes;
        lanes.catch_up(Kind::Suspect, suspects, destination_of, limit);
        lanes.catch_up(Kind::Ordinary, ready, destination_of, limit);
        lanes.lags()
    }

    /// The next message whose time to live has passed before a delivery started.
    #[must_use]
    pub fn next_expired(&self, queue: u32, now: Timestamp) -> Option<u32> {
        let ((deadline, _), slot) = self.queues[queue as usize].expiries.first_key_value()?;
        (*deadline < now).then_some(*slot)
    }
}
