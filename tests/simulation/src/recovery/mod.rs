//! What a crash may have made of everything: what a new owner finds is held against what was told, and
//! against what was asked for without an answer.

mod doubts;
mod ids;

use std::collections::BTreeSet;

use ackbox_core::command::{MessageState, Reason};

use crate::invariants::Violation;
use crate::model::letters::Unknown;
use crate::model::steps::Step;
use crate::model::{Asked, End, Model, Sent, Sure};
use crate::must;
use crate::probe::{Finding, Seen};

use doubts::Doubt;

type Checked<T = ()> = Result<T, Violation>;

/// How a run ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// The box was closed: nothing is in doubt.
    pub clean: bool,
    /// The latest instant of that run.
    pub last: u64,
    /// The first one of the next.
    pub now: u64,
    /// Deaths of its owner cost a message nothing at first.
    pub free_deaths: bool,
}

impl Model {
    /// Takes over what a new owner finds.
    pub fn recover(&mut self, found: &Finding, ended: Ended) -> Checked {
        self.meet_all_asked(ended.last);
        let (mut doubts, blurred) = self.doubts();
        self.before_looking(ended);
        let mut seen = BTreeSet::new();
        for (queue, found) in found.queues.iter().enumerate() {
            let mut ids = BTreeSet::new();
            for one in found {
                must!(
                    ids.insert(&one.info.id),
                    "I7: two under one id: {:?}",
                    one.info
                );
                let index = self.find(queue, one, &mut doubts)?;
                must!(seen.insert(index), "I6: found twice: {:?}", one.info);
                self.look_at(index, one)?;
            }
        }
        self.accept_the_dead(found, &mut doubts);
        self.check_prefix(&doubts, &seen, &blurred)?;
        self.check_moved(found.report.moved)?;
        self.check_rows(&doubts, found.report.moved)?;
        self.check_found_letters(found)?;
        self.bury_the_missing(&seen, &blurred, ended)?;
        self.remember_doubts(&doubts, ended);
        let messages = &self.messages;
        for producer in self.producers.values_mut() {
            let is_there = |sent: &Sent| {
                let mut sents = messages.iter().map(|message| &message.sent);
                sents.any(|other| other.headers == sent.headers)
            };
            producer.end_run(is_there);
        }
        self.begin_run(ended);
        self.resume_inbox(found.report.moved);
        self.check_ids(found, ended.now)
    }

    fn check_found_letters(&self, found: &Finding) -> Checked {
        for (queue, found) in found.queues.iter().enumerate() {
            let dead = found.iter().map(|one| &one.info);
            for info in dead.filter(|info| info.state == MessageState::Dead) {
                self.check_told(queue, &info.id)?;
            }
        }
        Ok(())
    }

    fn before_looking(&mut self, ended: Ended) {
        let touched: BTreeSet<usize> = self
            .asked
            .values()
            .filter_map(|asked| match asked {
                Asked::Unit { before, .. } => Some(before.iter().map(|(index, ..)| *index)),
                _ => None,
            })
            .flatten()
            .collect();
        let held: BTreeSet<usize> = self.held.iter().map(|held| held.message).collect();
        for (index, message) in self.messages.iter_mut().enumerate() {
            if !ended.clean {
                let refund = u32::from(message.refunded);
                message.starts.1 = message
                    .starts
                    .1
                    .saturating_add(1 + refund)
                    .min(u32::MAX - 2);
            }
            if ended.free_deaths {
                message.starts.0 = message.starts.0.saturating_sub(1);
            }
            let overdue = message.not_before <= ended.last;
            if overdue || held.contains(&index) || touched.contains(&index) || message.refunded {
                message.not_before = 0;
            }
            if ended.now < self.latest && (message.starts.1 > 0 || message.token > 0) {
                message.not_before = 0;
            }
        }
        // An end that was asked for of what was perhaps lost before.
        for asked in self.asked.values() {
            if let Asked::Unit {
                before,
                sure: false,
                ..
            } = asked
            {
                for (index, ..) in before {
                    if self.messages[*index].end == End::No {
                        self.messages[*index].end = End::Maybe;
                    }
                }
            }
        }
    }

    /// Which message this is.
    fn find(&mut self, queue: usize, one: &Seen, doubts: &mut [Doubt]) -> Checked<usize> {
        let is_it = |sent: &Sent| sent.headers.as_bytes() == one.headers;
        let is_damaged = one.info.reason == Some(Reason::Corrupt);
        let found = if !is_damaged {
            let mut messages = self.messages.iter();
            messages.position(|message| message.is_found(&one.headers, &one.info.id))
        } else {
            self.live(queue, &one.info.id)
        };
        let letter = Unknown {
            queue,
            id: &one.info.id,
            number: None,
            headers: &one.headers,
            body: (!is_damaged).then_some(&one.body),
        };
        if let Some(index) = found {
            self.renew_letter(index, &letter)?;
            let message = &mut self.messages[index];
            must!(
                message.may_be_in(queue),
                "I2: in queue {queue}: {message:?}"
            );
            message.seen_in(queue);
            must!(
                message.end != End::Told,
                "I3: back after its end was told: {message:?}"
            );
            must!(
                message.id.as_ref() == Some(&one.info.id),
                "I2: another id: {message:?}"
            );
            return Ok(index);
        }
        let fits = doubts.iter_mut().find_map(|doubt| match doubt {
            Doubt::Sent {
                sequence,
                sent,
                found,
                row,
            } if is_it(sent) => Some((*sequence, sent, found, *row)),
            _ => None,
        });
        let index = match fits {
            Some((sequence, sent, found, row)) => {
                *found = true;
                if row.is_some_and(|row| row.buried) {
                    // What is refused has another id where its own is somebody else's.
                    sent.id = sent.id.take().filter(|given| *given == one.info.id);
                }
                self.accept(sent.clone(), one.info.id.clone(), None, sequence)
            }
            None => self
                .adopt_letter(&letter)?
                .ok_or_else(|| Violation(format!("I2: found what nobody sent: {:?}", one.info)))?,
        };
        self.may_have_gone_on(index, queue);
        Ok(index)
    }

    /// The start of a message may have come with it, and a redrive behind it.
    fn may_have_gone_on(&mut self, index: usize, queue: usize) {
        self.messages[index].starts.1 = 1;
        self.messages[index].not_before = 0;
        let redriven = self.asked.values().find_map(|asked| match asked {
            Asked::Redrive {
                queue: from, how, ..
            } => (*from == queue || how.to == Some(queue)).then_some(*how),
            _ => None,
        });
        if let Some(how) = redriven {
            self.messages[index].redrive(how);
        }
    }

    fn look_at(&mut self, index: usize, one: &Seen) -> Checked {
        let queue = self.messages[index].sent.queue;
        let is_bounded = self.queues[queue].max_retry_ms.is_some();
        let turns_away = self.turns_away(queue);
        let message = &mut self.messages[index];
        if one.info.reason == Some(Reason::Corrupt) {
            must!(
                message.may_be_damaged,
                "I2: sound bytes are called damaged: {message:?}"
            );
        } else {
            must!(one.intact, "I2: damaged after a crash: {message:?}");
            must!(
                message.may_hold(&one.body),
                "I2: another body than was sent: {message:?}"
            );
        }
        must!(
            !message.handed_over,
            "I3: handed over, and back: {message:?}"
        );
        let is_dead = one.info.state == MessageState::Dead;
        message.dead = if is_dead { Sure::Yes } else { Sure::No };
        let attempt = one.info.attempt.unwrap_or(0);
        // A suspect may be too late by the time at which the box is open, and a death of its owner that
        // costs nothing leaves no attempt to tell it by.
        message.may_die = is_bounded || turns_away;
        if !is_dead {
            let (least, most) = message.starts;
            let most = if turns_away { u32::MAX } else { most };
            must!(
                (least..=most).contains(&attempt),
                "I5: expected {least} to {most} attempts, found {attempt}: {message:?}"
            );
            message.starts = (attempt, attempt);
        }
        Ok(())
    }

    fn bury_the_missing(
        &mut self,
        seen: &BTreeSet<usize>,
        blurred: &BTreeSet<usize>,
        ended: Ended,
    ) -> Checked {
        for index in (0..self.messages.len()).filter(|index| !seen.contains(index)) {
            let message = &self.messages[index];
            match message.end {
                End::Told => {}
                End::Asked(_) => {
                    // Or its owner's death was its last attempt, and nobody keeps dead letters.
                    let may_have_died = self.retires(message) && !ended.clean;
                    let sure = !blurred.contains(&index) && !may_have_died;
                    self.complete(index, ended.last, sure);
                    self.keep_in_doubt(index, may_have_died);
                }
                End::Maybe => {
                    let may_have_died = self.retires(message) || message.provisional;
                    if message.acked_at.is_none() {
                        self.remember_given_away(index, ended);
                    }
                    self.complete(index, ended.last, false);
                    self.keep_in_doubt(index, may_have_died);
                }
                End::No => {
                    let cancelled = self.asked.values().any(
                        |asked| matches!(asked, Asked::Cancel { message } if *message == index),
                    );
                    let retired = self.retires(message) && (message.may_be_dead() || !ended.clean);
                    let lost = self.may_be_given_away(message) && !ended.clean;
                    must!(cancelled || retired || lost, "I1: lost: {message:?}");
                    self.messages[index].end = End::Told;
                    self.keep_in_doubt(index, retired && !cancelled);
                    self.remember_given_away(index, ended);
                }
            }
        }
        for index in seen {
            let message = &mut self.messages[*index];
            message.end = if message.provisional {
                End::Maybe
            } else {
                End::No
            };
            message.acked_at = None;
        }
        Ok(())
    }

    /// It may have been on its way to a consumer who was to have it at most once: it is finished then.
    fn remember_given_away(&mut self, index: usize, ended: Ended) {
        let message = &self.messages[index];
        let is_certain = ended.clean && !message.may_be_damaged;
        if is_certain || !self.may_be_given_away(message) {
            return;
        }
        let sequence = message.sequence;
        let queues = 0..self.queues.len();
        let queues: Vec<usize> = queues.filter(|queue| message.may_be_in(*queue)).collect();
        if let Some(id) = message.sent.id.clone() {
            for queue in queues {
                self.remember(queue, id.clone(), sequence, (0, ended.last), false);
            }
        }
    }

    /// Time alone removes a dead letter, as long as nobody sets the clock back: it may be there again.
    fn keep_in_doubt(&mut self, index: usize, may_have_retired: bool) {
        if may_have_retired {
            self.messages[index].end = End::Maybe;
        }
    }

    fn begin_run(&mut self, ended: Ended) {
        let held = std::mem::take(&mut self.held);
        self.stale.extend(held.iter().map(|held| held.token));
        self.asked.clear();
        self.unheard.clear();
        self.durable = 0;
        self.holds.clear();
        self.was_full = false;
        for message in &mut self.messages {
            message.refunded = false;
            for (asked, _) in &mut message.bodies {
                *asked = 0;
            }
            message.steps.values_mut().for_each(Step::end_run);
        }
        let windows: Vec<u64> = (0..self.queues.len())
            .map(|queue| self.window_ms(queue))
            .collect();
        for ((queue, _), entry) in &mut self.entries {
            // A clock that was set back shortens what it would otherwise prolong.
            entry.sure &= ended.last < entry.at_least;
            entry.at_least = entry.at_least.min(ended.now + windows[*queue]);
        }
    }
}
