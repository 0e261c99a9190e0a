//! Redrives, one letter and one record at a time: to another queue, or at a pace.
//!
//! A plain redrive is one record for all (see [`super::deadjobs`]). Here each letter has its own, so
//! whatever cuts a redrive off, a letter either waits again or is still dead; nothing is lost, and
//! asking again goes on where it was cut.
//!
//! A paced redrive runs beside all other work. It is evenly spread: never ahead of its pace, and
//! behind it after a pause of the host, since what was missed is not made up for in a burst.

use std::collections::BTreeMap;

use super::Engine;
use super::deadjobs::{Work, check_filter};
use crate::command::{DeadFilter, QueueId, Ticket, Token};
use crate::effect::{Answer, Event, EventKind, Object, Redriven};
use crate::error::{ErrorCode, Failure};
use crate::ledger::message::Message;
use crate::ledger::{DeadQuery, Redrive};
use crate::time::Timestamp;

/// Paced redrives at once.
const PACED_MAX: usize = 1000;
/// How often a paced redrive is looked after: a faster pace moves several letters at a time.
const TICK_MS: u64 = 20;
/// Thousandths of a letter a second: up to a million letters.
const PER_SECOND_MILLI_MAX: u64 = 1_000_000_000;

/// What a redrive does with each letter.
#[derive(Clone, Copy, Debug)]
pub(super) struct How {
    /// The queue that it goes to, if it is another one.
    pub(super) to: Option<u32>,
    /// Its recorded steps are forgotten.
    pub(super) forget_steps: bool,
}

/// A redrive of which each letter has its own record.
#[derive(Debug)]
pub(super) struct EachRedrive {
    queue: u32,
    how: How,
    query: DeadQuery,
    /// Slot and death of the letter that comes next.
    next: Option<(u32, u64)>,
    has_begun: bool,
    redriven: Redriven,
}

impl EachRedrive {
    pub(super) fn new(queue: u32, how: How, filter: DeadFilter) -> Self {
        Self {
            queue,
            how,
            query: DeadQuery::new(queue, filter),
            next: None,
            has_begun: false,
            redriven: Redriven {
                moved: 0,
                skipped: 0,
            },
        }
    }

    pub(super) fn redriven(&self) -> Answer {
        Answer::Object(Box::new(Object::Redriven(self.redriven)))
    }
}

/// A redrive at a pace. Times are in µs, so that a fast one is even as well.
#[derive(Debug)]
struct Paced {
    ticket: Ticket,
    work: EachRedrive,
    interval_us: u64,
    /// The next letter is not redriven before.
    next_us: u64,
}

/// Redrives at a pace, by when they go on and ticket.
#[derive(Debug, Default)]
pub(super) struct PacedRedrives(BTreeMap<(Timestamp, u64), Paced>);

impl PacedRedrives {
    /// When the first of them goes on.
    #[must_use]
    pub(super) fn next_change(&self) -> Timestamp {
        let first = self.0.first_key_value();
        first.map_or(Timestamp::NEVER, |((at, _), _)| *at)
    }

    /// The tickets of all that will not be done.
    pub(super) fn abandon(&mut self) -> Vec<Ticket> {
        let all = std::mem::take(&mut self.0).into_values();
        all.map(|paced| paced.ticket).collect()
    }
}

impl Engine {
    pub(super) fn redrive(
        &mut self,
        ticket: Ticket,
        queue: u32,
        filter: DeadFilter,
        how: How,
        per_second_milli: Option<u64>,
    ) -> Result<(), Failure> {
        check_filter(&filter)?;
        let to = how.to.filter(|to| *to != queue);
        let how = How { to, ..how };
        match (per_second_milli, to) {
            (Some(per_second_milli), _) => {
                let work = EachRedrive::new(queue, how, filter);
                self.redrive_at_pace(ticket, work, per_second_milli)
            }
            // When a letter died that no attempt ended is told by its frame, which may be sealed later:
            // a replay could choose other letters by time than this run does.
            (None, to) if to.is_some() || filter.before.is_some() || filter.after.is_some() => {
                let work = Work::RedriveEach(EachRedrive::new(queue, how, filter));
                self.add_dead_job(ticket, queue, work)
            }
            (None, _) => self.redrive_all(ticket, queue, filter, how.forget_steps),
        }
    }

    pub(super) fn redrive_target(&self, name: &str) -> Result<u32, Failure> {
        self.ledger.queue_named(name).ok_or_else(|| {
            let message = format!("to: expected the name of a queue of this box, got '{name}'");
            Failure::new(ErrorCode::NotFound, message)
        })
    }

    fn redrive_at_pace(
        &mut self,
        ticket: Ticket,
        mut work: EachRedrive,
        per_second_milli: u64,
    ) -> Result<(), Failure> {
        if !(1..=PER_SECOND_MILLI_MAX).contains(&per_second_milli) {
            let message =
                format!("perSecond: expected 0.001 to 1000000, got {per_second_milli} thousandths");
            return Err(Failure::new(ErrorCode::InvalidOption, message));
        }
        if self.closing.is_some() {
            return Err(Failure::new(ErrorCode::Closed, "the box is closing"));
        }
        if self.paced_redrives.0.len() >= PACED_MAX {
            let message = format!("{PACED_MAX} paced redrives are under way, more must not");
            return Err(Failure::new(ErrorCode::QueueFull, message));
        }
        // What dies from now on is not its business, however long it goes on.
        work.query.begin(&self.ledger);
        let paced = Paced {
            ticket,
            work,
            interval_us: 1_000_000_000_u64.div_ceil(per_second_milli),
            next_us: 0,
        };
        self.paced_redrives.0.insert((self.now, ticket.0), paced);
        self.more = true;
        Ok(())
    }

    /// Lets each paced redrive whose time has come redrive what its pace allows.
    pub(super) fn work_on_paced_redrives(&mut self) {
        for _ in 0..self.paced_redrives.0.len() {
            let Some(first) = self.paced_redrives.0.first_entry() else {
                return;
            };
            let (at, key) = *first.key();
            if at > self.now {
                return;
            }
            let mut paced = first.remove();
            match self.redrive_in_time(&mut paced) {
                Some(at) => {
                    self.paced_redrives.0.insert((at, key), paced);
                }
                None => self.reply(paced.ticket, Ok(paced.work.redriven())),
            }
        }
    }

    /// Redrives what is due; returns when to go on, unless all is done.
    fn redrive_in_time(&mut self, paced: &mut Paced) -> Option<Timestamp> {
        let in_a_tick = self.now.plus(TICK_MS);
        if self.dead_jobs.is_redriving(paced.work.queue) || self.is_choked() {
            return Some(in_a_tick);
        }
        let now_us = self.now.0.saturating_mul(1000);
        paced.next_us = paced.next_us.max(now_us.saturating_sub(TICK_MS * 1000));
        if !paced.work.has_begun {
            paced.next_us = now_us;
        }
        let mut budget = super::SLICE;
        while self.find_next(&mut paced.work, &mut budget) {
            if paced.next_us > now_us {
                let next = Timestamp(paced.next_us.div_ceil(1000));
                return Some(next.max(in_a_tick));
            }
            if self.redrive_next(&mut paced.work) && !bug!("ignore-redrive-pace") {
                paced.next_us += paced.interval_us;
            }
        }
        if paced.work.query.is_done() {
            return None;
        }
        self.more = true;
        Some(self.now)
    }

    /// Redrives letters, one after the other, and looks at as many as `budget` says; true if all is done.
    pub(super) fn redrive_each(&mut self, work: &mut EachRedrive, mut budget: usize) -> bool {
        while self.find_next(work, &mut budget) {
            self.redrive_next(work);
        }
        work.query.is_done()
    }

    /// Whether there is a letter to redrive next, among as many as `budget` lets it look at.
    fn find_next(&mut self, work: &mut EachRedrive, budget: &mut usize) -> bool {
        if !work.has_begun {
            work.query.begin(&self.ledger);
            work.redriven.skipped += work.query.missing();
            work.has_begun = true;
        }
        if let Some((slot, death)) = work.next
            && !self.ledger.is_death(slot, death)
        {
            // Somebody else took it meanwhile.
            work.next = None;
        }
        if work.next.is_none() {
            let found = work.query.next(&self.ledger, budget);
            work.next = found.map(|slot| (slot, work.query.after));
        }
        work.next.is_some()
    }

    /// Carries out a slice of a redrive; true when all of it is done. What a handler still works on waits
    /// until that returned.
    pub(super) fn redrive_slice(&mut self, redrive: &mut Redrive, budget: usize) -> bool {
        let leases = &self.leases;
        let is_held = |message: &Message| leases.still_runs(message.number, Token(message.token));
        let mut held = Vec::new();
        let ledger = &mut self.ledger;
        let done = ledger.redrive_some(redrive, self.now, budget, is_held, &mut held);
        for slot in held {
            self.leases
                .hold(Token(self.ledger.messages[slot].token), slot);
        }
        done
    }

    /// Redrives the letter that was found; false if it stays what it is.
    fn redrive_next(&mut self, work: &mut EachRedrive) -> bool {
        let (slot, _) = work.next.take().expect("found before");
        let target = work.how.to.unwrap_or(work.queue);
        let had_shortened = self.has_shortened(target);
        let How { to, forget_steps } = work.how;
        let message = &self.ledger.messages[slot];
        let (number, token) = (message.number, Token(message.token));
        let is_held = self.leases.still_runs(number, token);
        let moved =
            self.ledger
                .revive_one(slot, to, forget_steps, self.now, is_held, &mut self.commit);
        if !moved {
            work.redriven.skipped += 1;
            return false;
        }
        if is_held {
            self.leases.hold(token, slot);
        }
        work.redriven.moved += 1;
        if work.how.to.is_some() {
            self.await_message(slot);
        }
        self.warn_of_shortening(target, had_shortened);
        if work.how.to.is_some() && self.listens(target, EventKind::Enqueued) {
            let event = Event {
                id: self.ledger.id_text(slot).to_string(),
                ..Event::of(EventKind::Enqueued, QueueId(target))
            };
            self.emit(target, event);
        }
        true
    }

    /// Ends a paced redrive early: it is answered with what was done. False if there is none.
    pub(super) fn stop_paced_redrive(&mut self, ticket: Ticket) -> bool {
        let all = &self.paced_redrives.0;
        let Some(key) = all.keys().find(|(_, key)| *key == ticket.0).copied() else {
            return false;
        };
        let paced = self.paced_redrives.0.remove(&key).expect("found just now");
        self.reply(ticket, Ok(paced.work.redriven()));
        true
    }

    /// The box closes: letters that are not redriven yet stay dead.
    pub(super) fn cut_paced_redrives(&mut self) {
        for paced in std::mem::take(&mut self.paced_redrives.0).into_values() {
            let Redriven { moved, .. } = paced.work.redriven;
            let message =
                format!("the box closes: {moved} dead letters were redriven, the others stay dead");
            self.reply(paced.ticket, Err(Failure::new(ErrorCode::Closed, message)));
        }
    }
}
