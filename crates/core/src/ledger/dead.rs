//! Dead letters: walking over them by filter, and removing them.

use std::collections::VecDeque;

use super::Ledger;
use super::message::Standing;
use super::recorder::{Note, Recorder};
use crate::command::DeadFilter;
use crate::journal::Record;
use crate::time::Timestamp;

/// A walk over the dead letters of a queue that match a filter, in the order of their deaths.
///
/// It begins with its first step and sees those that are dead then and still are when it comes to
/// them, each once: what dies later, or dies again, is behind its end. It may be taken up again
/// after any pause, whatever happens to dead letters meanwhile.
#[derive(Debug)]
pub struct DeadQuery {
    queue: u32,
    filter: DeadFilter,
    /// Where it stands: deaths up to here are done with.
    pub after: u64,
    /// Later deaths are not its business; none before it begins.
    last_death: Option<u64>,
    /// Deaths of the ids that were asked for, when ids were.
    named: Option<VecDeque<u64>>,
    left: u64,
}

impl DeadQuery {
    /// Over all that are dead when it begins.
    #[must_use]
    pub fn new(queue: u32, filter: DeadFilter) -> Self {
        let left = filter.limit.map_or(u64::MAX, u64::from);
        Self {
            queue,
            filter,
            after: 0,
            last_death: None,
            named: None,
            left,
        }
    }

    /// Over what died after the death `after`, up to `last_death`.
    #[must_use]
    pub fn between(queue: u32, filter: DeadFilter, after: u64, last_death: u64) -> Self {
        Self {
            after,
            last_death: Some(last_death),
            ..Self::new(queue, filter)
        }
    }

    /// Begins, if it has not: fixes its end, and finds the ids that were asked for. Returns its end.
    pub fn begin(&mut self, ledger: &Ledger) -> u64 {
        let last_death = *self.last_death.get_or_insert(ledger.last_death);
        if let (Some(ids), None) = (&self.filter.ids, &self.named) {
            let slots = ids.iter().filter_map(|id| ledger.by_id(self.queue, id));
            let deaths = slots.filter_map(|slot| ledger.messages[slot].death.as_ref());
            let mut deaths: Vec<u64> = deaths.map(|death| death.sequence).collect();
            deaths.sort_unstable();
            deaths.dedup();
            let within = |death: &u64| *death > self.after && *death <= last_death;
            self.named = Some(deaths.into_iter().filter(within).collect());
        }
        last_death
    }

    /// Ids that were asked for and are no dead letters within its bounds, once it has begun.
    #[must_use]
    pub fn missing(&self) -> u64 {
        let asked = self.filter.ids.as_ref().map_or(0, Vec::len);
        let found = self.named.as_ref().map_or(asked, VecDeque::len);
        asked.saturating_sub(found) as u64
    }

    /// The next match among at most `budget` dead letters; the budget shrinks by those looked at.
    /// None when it ran out or all were seen: [`DeadQuery::is_done`] tells which.
    pub fn next(&mut self, ledger: &Ledger, budget: &mut usize) -> Option<u32> {
        self.begin(ledger);
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
        let last_death = self.last_death?;
        if self.after >= last_death {
            return None;
        }
        let (sequence, slot) = dead.range(self.after + 1..=last_death).next()?;
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

impl Ledger {
    /// Bytes that a message takes in an answer that shows all of it.
    #[must_use]
    pub fn shown_bytes(&self, slot: u32) -> u64 {
        let message = &self.messages[slot];
        let death = message.death.as_ref();
        let steps = self.step_bytes(slot);
        if message.is_placed() && death.is_some_and(|death| death.place == message.place) {
            return u64::from(message.place.length) + steps;
        }
        let details = match message.details_place() {
            Some(place) => place.length as usize,
            None => message.history.len() + message.error.len(),
        };
        u64::from(message.bytes) + details as u64 + steps
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
        (death
            .at
            .plus(if bug!("ignore-retention") { 0 } else { retain })
            <= now)
            .then_some(*slot)
    }
}
