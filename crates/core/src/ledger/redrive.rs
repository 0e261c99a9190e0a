//! Redriving: dead letters wait for a delivery again, with all their attempts before them.

use super::Ledger;
use super::dead::DeadQuery;
use super::message::{Message, NONE, Standing};
use super::recorder::{Note, Recorder};
use super::replay::Replayed;
use crate::command::{DeadFilter, Reason};
use crate::journal::{Record, Transfer};
use crate::time::Timestamp;

/// A redrive under way: one record, carried out in slices.
///
/// A redriven message's new order follows from its death alone, so that replay gives it the same
/// one, whatever else is left of the journal.
#[derive(Debug)]
pub struct Redrive {
    query: DeadQuery,
    first_order: u64,
    /// Recorded steps are forgotten.
    pub(super) forget_steps: bool,
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
        forget_steps: bool,
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
                forget_steps,
            },
            Note::None,
        );
        Redrive {
            forget_steps,
            ..self.resume_redrive(queue, filter, last_death, first_order)
        }
    }

    pub(super) fn resume_redrive(
        &mut self,
        queue: u32,
        filter: DeadFilter,
        last_death: u64,
        first_order: u64,
    ) -> Redrive {
        self.last_number = self.last_number.max(first_order + last_death);
        let mut query = DeadQuery::between(queue, filter, 0, last_death);
        query.begin(self);
        let skipped = query.missing();
        Redrive {
            query,
            first_order,
            forget_steps: false,
            moved: 0,
            skipped,
        }
    }

    /// One slice; true when all is done. Messages of which `is_held` says so join no set: they are added
    /// to `held`.
    pub fn redrive_some(
        &mut self,
        redrive: &mut Redrive,
        now: Timestamp,
        mut budget: usize,
        is_held: impl Fn(&Message) -> bool,
        held: &mut Vec<u32>,
    ) -> bool {
        while let Some(slot) = redrive.query.next(self, &mut budget) {
            let order = redrive.first_order + redrive.query.after;
            if self.revive(slot, order, None, redrive.forget_steps, now) {
                if is_held(&self.messages[slot]) {
                    held.push(slot);
                } else {
                    self.enter(slot, now);
                }
                redrive.moved += 1;
            } else {
                redrive.skipped += 1;
            }
        }
        redrive.query.is_done()
    }

    /// Redrives one dead letter by a record of its own, perhaps to another queue. False, and nothing
    /// is changed, if its bytes are damaged or the other queue does not take it. `is_held`: it joins no set.
    pub fn revive_one(
        &mut self,
        slot: u32,
        to: Option<u32>,
        forget_steps: bool,
        now: Timestamp,
        is_held: bool,
        out: &mut impl Recorder,
    ) -> bool {
        let reason = self.messages[slot].death.as_ref().map(|death| death.reason);
        if reason.is_none_or(|reason| reason == Reason::Corrupt) {
            return false;
        }
        let to = match to {
            Some(queue) => match self.admit_letter(slot, queue, now) {
                Some(transfer) => Some(transfer),
                None => return false,
            },
            None => None,
        };
        // One that keeps its place in its group does not use it: each life takes a number.
        self.last_number += 1;
        let (number, order) = (self.messages[slot].number, self.last_number);
        let record = Record::Revived {
            number,
            order,
            to,
            forget_steps,
        };
        out.write(&record, Note::None);
        self.revive(slot, order, to, forget_steps, now);
        if let Some(to) = to {
            self.queues[to.queue as usize].counters.enqueued += 1;
        }
        if !is_held {
            self.enter(slot, now);
        }
        true
    }

    pub(super) fn replay_revived(
        &mut self,
        slot: u32,
        order: u64,
        to: Option<Transfer>,
        forget_steps: bool,
        time: Timestamp,
    ) -> Replayed {
        if let Some(to) = to {
            self.queue_known(to.queue)?;
        }
        let revived = self.revive(slot, order, to, forget_steps, time);
        revived
            .then_some(())
            .ok_or("the redrive of a message that is no dead letter")
    }

    /// A dead letter lives again, held, with all its attempts before it. False for one whose bytes
    /// are damaged: there is nothing to deliver.
    pub(super) fn revive(
        &mut self,
        slot: u32,
        order: u64,
        to: Option<Transfer>,
        forget_steps: bool,
        now: Timestamp,
    ) -> bool {
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
        if forget_steps {
            self.forget_steps(slot);
        }
        let message = &mut self.messages[slot];
        let from = message.queue;
        self.queues[from as usize].dead.remove(&death.sequence);
        message.standing = Standing::Held;
        if !bug!("redrive-keeps-attempts") {
            message.attempt = 0;
        }
        message.deaths = 0;
        message.first_delivery = Timestamp(0);
        message.deadline = Timestamp::NEVER;
        message.due = now;
        message.history = Vec::new();
        message.error = Box::default();
        let (group, old_order) = (message.group, message.order);
        // In front of a blocked group it goes to the head, elsewhere to the tail.
        let to_tail = bug!("redrive-to-tail");
        if !death.blocks || to.is_some() || to_tail {
            message.order = order;
        }
        if to_tail && death.blocks && to.is_none() && group != NONE {
            self.queues[from as usize].groups.part(group, old_order);
            self.promote(from, group, now);
        }
        if group != NONE {
            self.queues[from as usize].groups.unbury(group);
        }
        if let Some(to) = to {
            self.change_queue(slot, to);
            if group != NONE {
                self.queues[from as usize].groups.part(group, old_order);
                self.promote(from, group, now);
            }
            self.touch(from);
            self.note_change(from);
        }
        let message = &mut self.messages[slot];
        message.epoch = self.queues[message.queue as usize].purges;
        self.join_group(slot, now);
        true
    }
}

/// Carries out a whole redrive on messages that join their sets later.
pub(super) fn replay(ledger: &mut Ledger, redrive: &mut Redrive, time: Timestamp) {
    let mut budget = usize::MAX;
    while let Some(slot) = redrive.query.next(ledger, &mut budget) {
        let order = redrive.first_order + redrive.query.after;
        ledger.revive(slot, order, None, redrive.forget_steps, time);
    }
}
