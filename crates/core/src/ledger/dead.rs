//! Dead letters: finding them by filter, redriving and removing them.

use std::collections::VecDeque;

use super::Ledger;
use super::message::Standing;
use super::recorder::{Note, Recorder};
use crate::command::{DeadFilter, Reason};
use crate::journal::Record;
use crate::time::Timestamp;

/// A walk over the dead letters of a queue that match a filter, in the order of their deaths. It
/// sees those that were dead when it began and may be taken up again after any pause.
#[derive(Debug)]
pub struct DeadQuery {
    queue: u32,
    filter: DeadFilter,
    /// Where it stands: deaths up to here are done with.
    pub after: u64,
    /// Later deaths are not its business.
    last_death: u64,
    /// Deaths of the ids that were asked for, when ids were.
    named: Option<VecDeque<u64>>,
    left: u64,
}

impl DeadQuery {
    /// Begins after the death `after`.
    #[must_use]
    pub fn new(ledger: &Ledger, queue: u32, filter: DeadFilter, after: u64) -> Self {
        let last_death = ledger.last_death;
        Self::up_to(ledger, queue, filter, after, last_death)
    }

    fn up_to(ledger: &Ledger, queue: u32, filter: DeadFilter, after: u64, last_death: u64) -> Self {
        let named = filter.ids.as_ref().map(|ids| {
            let slots = ids.iter().filter_map(|id| ledger.by_id(queue, id));
            let deaths = slots.filter_map(|slot| ledger.messages[slot].death.as_ref());
            let mut deaths: Vec<u64> = deaths.map(|death| death.sequence).collect();
            deaths.sort_unstable();
            deaths.dedup();
            deaths.into_iter().filter(|death| *death > after).collect()
        });
        let left = filter.limit.map_or(u64::MAX, u64::from);
        Self {
            queue,
            filter,
            after,
            last_death,
            named,
            left,
        }
    }

    /// The next match among at most `budget` dead letters; the budget shrinks by those looked at.
    /// None when it ran out or all were seen: [`DeadQuery::is_done`] tells which.
    pub fn next(&mut self, ledger: &Ledger, budget: &mut usize) -> Option<u32> {
        while *budget > 0 && !self.is_done() {
            *budget -= 1;
            let Some((sequence, slot)) = self.advance(ledger) else {
                self.left = 0;
                return None;
            };
            self.after = sequence;
            if self.matches(ledger, slot) {
                self.left -= 1;
                return Some(slot);
            }
        }
        None
    }

    /// Whether all were seen.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.left == 0
    }

    fn advance(&mut self, ledger: &Ledger) -> Option<(u64, u32)> {
        let dead = &ledger.queues[self.queue as usize].dead;
        if let Some(named) = &mut self.named {
            while let Some(sequence) = named.pop_front() {
                if let Some(slot) = dead.get(&sequence) {
                    return Some((sequence, *slot));
                }
            }
            return None;
        }
        if self.after >= self.last_death {
            return None;
        }
        let (sequence, slot) = dead.range(self.after + 1..=self.last_death).next()?;
        Some((*sequence, *slot))
    }

    fn matches(&self, ledger: &Ledger, slot: u32) -> bool {
        let Some(death) = &ledger.messages[slot].death else {
            return false;
        };
        self.filter
            .reason
            .is_none_or(|reason| death.reason == reason)
            && self.filter.before.is_none_or(|before| death.at < before)
            && self.filter.after.is_none_or(|after| death.at > after)
    }
}

/// A redrive under way: one record, carried out in slices.
///
/// A redriven message's new order follows from its death alone, so that replay gives it the same
/// one, whatever else is left of the journal.
#[derive(Debug)]
pub struct Redrive {
    query: DeadQuery,
    first_order: u64,
    /// How many were redriven so far.
    pub moved: u64,
    /// Ids that were asked for and are no dead letters, and dead letters whose bytes are damaged.
    skipped: u64,
}

impl Redrive {
    /// How many were asked for and stay as they are: no dead letters, or damaged ones.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }
}

impl Ledger {
    /// Begins a redrive: writes its record and reserves the order of everything it may move, so that
    /// replay puts the messages where the slices put them. A limit must have been turned into
    /// `last_death` before: replay may not know all that it counts.
    pub fn begin_redrive(
        &mut self,
        queue: u32,
        filter: DeadFilter,
        last_death: u64,
        out: &mut impl Recorder,
    ) -> Redrive {
        debug_assert!(filter.limit.is_none(), "a limit is resolved before");
        let oldest = self.queues[queue as usize]
            .dead
            .first_key_value()
            .map_or(1, |(death, _)| *death);
        debug_assert!(
            oldest <= self.last_number + 1,
            "each death ends a life that took a number"
        );
        let first_order = (self.last_number + 1).saturating_sub(oldest);
        let filter_bytes = serde_json::to_vec(&filter).expect("a filter is plain data");
        out.write(
            &Record::Redriven {
                queue,
                filter: &filter_bytes,
                last_death,
                first_order,
            },
            Note::None,
        );
        self.resume_redrive(queue, filter, last_death, first_order)
    }

    pub(super) fn resume_redrive(
        &mut self,
        queue: u32,
        filter: DeadFilter,
        last_death: u64,
        first_order: u64,
    ) -> Redrive {
        self.last_number = self.last_number.max(first_order + last_death);
        let query = DeadQuery::up_to(self, queue, filter, 0, last_death);
        let asked = query.filter.ids.as_ref().map_or(0, Vec::len);
        let skipped = asked - query.named.as_ref().map_or(asked, VecDeque::len).min(asked);
        Redrive {
            query,
            first_order,
            moved: 0,
            skipped: skipped as u64,
        }
    }

    /// One slice; true when all is done.
    pub fn redrive_some(
        &mut self,
        redrive: &mut Redrive,
        now: Timestamp,
        mut budget: usize,
    ) -> bool {
        while let Some(slot) = redrive.query.next(self, &mut budget) {
            if self.revive(slot, redrive.first_order + redrive.query.after, now) {
                self.enter(slot, now);
                redrive.moved += 1;
            } else {
                redrive.skipped += 1;
            }
        }
        redrive.query.is_done()
    }

    /// A dead letter lives again, held, with all its attempts before it. False for one whose bytes
    /// are damaged: there is nothing to deliver.
    pub(super) fn revive(&mut self, slot: u32, order: u64, now: Timestamp) -> bool {
        let message = &mut self.messages[slot];
        let Some(death) = message
            .death
            .take_if(|death| death.reason != Reason::Corrupt)
        else {
            return false;
        };
        if death.place != message.place {
            self.live_bytes -= super::stored_bytes(death.place);
        }
        let queue = &mut self.queues[message.queue as usize];
        queue.dead.remove(&death.sequence);
        message.standing = Standing::Held;
        message.epoch = queue.purges;
        message.attempt = 0;
        message.deaths = 0;
        message.first_delivery = Timestamp(0);
        message.deadline = Timestamp::NEVER;
        message.due = now;
        message.history = Vec::new();
        message.error = Box::default();
        if message.group != super::message::NONE {
            queue.groups.unbury(message.group);
            // Behind a blocked group its old order is the head's; elsewhere it goes to the tail.
            if !death.blocks {
                message.order = order;
            }
            self.join_group(slot, now);
        } else {
            message.order = order;
        }
        true
    }

    /// Removes a dead letter and frees its id.
    pub fn remove_dead(&mut self, slot: u32, now: Timestamp, out: &mut impl Recorder) {
        out.write(
            &Record::Removed {
                number: self.messages[slot].number,
            },
            Note::None,
        );
        self.forget_dead(slot, now);
    }

    pub(super) fn forget_dead(&mut self, slot: u32, now: Timestamp) {
        let message = &mut self.messages[slot];
        if let Some(death) = &message.death {
            self.queues[message.queue as usize]
                .dead
                .remove(&death.sequence);
        }
        message.standing = Standing::Held;
        let entry = message.entry;
        self.drop_entry(entry);
        self.erase(slot, now);
    }

    /// The next dead letter whose retention is over.
    #[must_use]
    pub fn next_outlived(&self, queue: u32, now: Timestamp) -> Option<u32> {
        let target = &self.queues[queue as usize];
        let retain = target.settings.dead_retain_ms?;
        let (_, slot) = target.dead.first_key_value()?;
        let death = self.messages[*slot].death.as_ref()?;
        (death.at.plus(retain) <= now).then_some(*slot)
    }
}

/// Carries out a whole redrive on messages that join their sets later.
pub(super) fn replay(ledger: &mut Ledger, redrive: &mut Redrive, time: Timestamp) {
    let mut budget = usize::MAX;
    while let Some(slot) = redrive.query.next(ledger, &mut budget) {
        ledger.revive(slot, redrive.first_order + redrive.query.after, time);
    }
}
