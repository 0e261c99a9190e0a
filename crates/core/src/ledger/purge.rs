//! Purging a queue: one record, at once for everyone who looks, carried out in slices.
//!
//! The sets of waiting messages are taken away whole; the queue's purge count makes every message
//! in them count as gone. Slices then free them. Whoever meets one earlier frees it on the spot.
//!
//! A replay has no such sets. There a purge only counts, and what it dropped is freed by a walk over
//! all messages as soon as half of them are dropped ones: so each of them pays for a look at two.

use std::collections::{BTreeMap, VecDeque};

use super::Ledger;
use super::lanes::Remains;
use super::message::{Message, NONE, Standing};
use super::rank::Rank;
use super::recorder::{Note, Recorder};
use super::replay::Replayed;
use crate::command::MessageState;
use crate::journal::Record;
use crate::time::Timestamp;

#[derive(Debug)]
struct Purge {
    queue: u32,
    ranked: Vec<BTreeMap<Rank, u32>>,
    scheduled: BTreeMap<(Timestamp, u64), u32>,
    lanes: Remains,
}

/// Purged messages that are still to be freed.
#[derive(Debug, Default)]
pub struct Purges {
    slices: VecDeque<Purge>,
    /// Dropped by replayed purges since the last walk.
    replayed: u64,
}

impl Ledger {
    /// Drops every message of a queue that is neither leased nor dead; returns how many. If there is
    /// none, nothing is written.
    pub fn purge(&mut self, queue: u32, out: &mut impl Recorder) -> u64 {
        let count = self.outdate_waiting(queue);
        if count == 0 {
            return 0;
        }
        out.write(
            &Record::Purged {
                queue,
                last_number: self.last_number,
            },
            Note::None,
        );
        let target = &mut self.queues[queue as usize];
        let purge = Purge {
            queue,
            ranked: vec![
                std::mem::take(&mut target.ready),
                std::mem::take(&mut target.suspects),
                std::mem::take(&mut target.parked),
            ],
            scheduled: std::mem::take(&mut target.scheduled),
            lanes: target.lanes.take(),
        };
        target.expiries.clear();
        target.groups.purge();
        self.purges.slices.push_back(purge);
        self.touch(queue);
        self.note_change(queue);
        count
    }

    /// Makes every message of a queue that is neither leased nor dead count as gone; returns how many.
    fn outdate_waiting(&mut self, queue: u32) -> u64 {
        let target = &mut self.queues[queue as usize];
        let count = target.depth - (target.leased.len() + target.dead.len()) as u64;
        if count > 0 {
            target.depth -= count;
            target.purges += 1;
        }
        count
    }

    /// A purge that was carried out before. Its record lies behind those of all messages that it
    /// dropped, and in front of those of all others.
    pub(super) fn replay_purge(&mut self, queue: u32, time: Timestamp) -> Replayed {
        self.queue_known(queue)?;
        if bug!("forget-purge") {
            return Ok(());
        }
        self.purges.replayed += self.outdate_waiting(queue);
        if 2 * self.purges.replayed > self.messages.len() as u64 {
            self.free_replayed_purges(time);
        }
        Ok(())
    }

    /// Frees what replayed purges dropped.
    pub(super) fn free_replayed_purges(&mut self, time: Timestamp) {
        if std::mem::take(&mut self.purges.replayed) == 0 {
            return;
        }
        let mut cursor = self.chain.head();
        while let Some(slot) = cursor {
            cursor = self.chain.next(&self.messages, slot);
            if self.is_purged(slot) {
                self.drop_purged(slot, time);
            }
        }
    }

    /// Frees at most `limit` purged messages; true if there are more.
    pub fn carry_out_purges(&mut self, now: Timestamp, limit: usize) -> bool {
        for _ in 0..limit {
            let Some(purge) = self.purges.slices.front_mut() else {
                return false;
            };
            let queue = purge.queue;
            if let Some(set) = purge.ranked.last_mut() {
                match set.pop_first() {
                    Some((rank, slot)) => self.free_purged(slot, now, |message| {
                        message.queue == queue && message.rank() == rank
                    }),
                    None => drop(purge.ranked.pop()),
                }
            } else if let Some(((_, number), slot)) = purge.scheduled.pop_first() {
                self.free_purged(slot, now, |message| message.number == number);
            } else if !purge.lanes.drop_one() {
                self.purges.slices.pop_front();
            }
        }
        !self.purges.slices.is_empty()
    }

    /// Whether slices of a purge are still to come.
    #[must_use]
    pub fn is_purging(&self) -> bool {
        !self.purges.slices.is_empty()
    }

    /// Frees a message that was purged while it stood in no set.
    pub fn free_if_purged(&mut self, slot: u32, number: u64, now: Timestamp) {
        if self.is_tenant(slot, number)
            && self.messages[slot].standing == Standing::Held
            && self.is_purged(slot)
        {
            self.erase_purged(slot, now);
        }
    }

    fn free_purged(&mut self, slot: u32, now: Timestamp, is_it: impl Fn(&Message) -> bool) {
        if self.messages.get(slot).is_some_and(is_it) && self.is_purged(slot) {
            self.messages[slot].standing = Standing::Held;
            self.erase_purged(slot, now);
        }
    }

    /// Whether a waiting message was purged and only its memory is left.
    #[must_use]
    pub fn is_purged(&self, slot: u32) -> bool {
        let message = &self.messages[slot];
        let waits = matches!(
            message.standing,
            Standing::Scheduled | Standing::Ready | Standing::Parked | Standing::Held
        );
        waits && message.epoch < self.queues[message.queue as usize].purges
    }

    /// Frees a purged message that is in no set; who asks for its end lately is still told.
    pub(super) fn erase_purged(&mut self, slot: u32, now: Timestamp) {
        self.note_end(slot, MessageState::Cancelled, b"", now);
        self.drop_purged(slot, now);
    }

    fn drop_purged(&mut self, slot: u32, now: Timestamp) {
        let entry = self.messages[slot].entry;
        self.drop_entry(entry);
        self.free(slot, now);
    }

    /// Takes a purged message out of its group, so that the group can go on; its slice frees the rest.
    pub(super) fn erase_purged_member(&mut self, slot: u32) {
        let message = &mut self.messages[slot];
        let (queue, group, order) = (message.queue, message.group, message.order);
        message.group = NONE;
        self.queues[queue as usize].groups.part(group, order);
    }
}
