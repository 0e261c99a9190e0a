//! What a crash may have made of everything: what a new owner finds is held against what was told, and
//! against what was asked for without an answer.

use std::collections::BTreeSet;

use ackbox_core::command::MessageState;

use crate::invariants::Violation;
use crate::model::steps::Step;
use crate::model::{Asked, End, Model, Sent, Sure};
use crate::must;
use crate::probe::Seen;

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

/// A command whose outcome nobody told.
#[derive(Debug)]
enum Doubt {
    /// It sent a message; where that is now, if it is found.
    Sent {
        sequence: u64,
        sent: Sent,
        found: bool,
    },
    /// It ended one.
    Ended { sequence: u64, message: usize },
}

impl Model {
    /// Takes over what a new owner finds.
    pub fn recover(&mut self, queues: &[Vec<Seen>], ended: Ended) -> Checked {
        let (mut doubts, blurred) = self.doubts();
        self.before_looking(ended);
        let mut seen = BTreeSet::new();
        for (queue, found) in queues.iter().enumerate() {
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
        self.check_prefix(&doubts, &seen, &blurred)?;
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
        Ok(())
    }

    /// What nobody told, in order, and the messages of which more than one thing is in doubt.
    fn doubts(&self) -> (Vec<Doubt>, BTreeSet<usize>) {
        let mut doubts = Vec::new();
        let mut blurred = BTreeSet::new();
        for (index, message) in self.messages.iter().enumerate() {
            match message.end {
                End::Asked(sequence) => doubts.push(Doubt::Ended {
                    sequence,
                    message: index,
                }),
                End::Maybe => {
                    blurred.insert(index);
                }
                End::No | End::Told => {}
            }
        }
        for (sequence, asked) in &self.asked {
            match asked {
                Asked::Cancel { message } => {
                    if matches!(self.messages[*message].end, End::No) {
                        doubts.push(Doubt::Ended {
                            sequence: *sequence,
                            message: *message,
                        });
                    }
                    if self.messages[*message].end != End::No
                        || self.messages[*message].may_be_dead()
                    {
                        blurred.insert(*message);
                    }
                }
                Asked::Produce {
                    sent: Some(sent), ..
                } => doubts.push(Doubt::Sent {
                    sequence: *sequence,
                    sent: sent.clone(),
                    found: false,
                }),
                Asked::Enqueue { items, .. } | Asked::Unit { items, .. } => {
                    let sent = items.iter().flatten().cloned();
                    doubts.extend(sent.map(|sent| Doubt::Sent {
                        sequence: *sequence,
                        sent,
                        found: false,
                    }));
                }
                _ => {}
            }
        }
        (doubts, blurred)
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
        if let Some(index) = self
            .messages
            .iter()
            .position(|message| is_it(&message.sent))
        {
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
            } if is_it(sent) => Some((*sequence, sent, found)),
            _ => None,
        });
        let Some((sequence, sent, found)) = fits else {
            return Err(Violation(format!(
                "I2: found what nobody sent: {:?}",
                one.info
            )));
        };
        *found = true;
        let index = self.accept(sent.clone(), one.info.id.clone(), None, sequence);
        // Its start may have come with it, and a redrive behind it.
        self.messages[index].starts.1 = 1;
        self.messages[index].not_before = 0;
        let redriven = self.asked.values().find_map(|asked| match asked {
            Asked::Redrive {
                queue: redriven,
                to,
                forget_steps,
            } if *redriven == queue || *to == Some(queue) => Some((*to, *forget_steps)),
            _ => None,
        });
        if let Some((to, forget_steps)) = redriven {
            self.messages[index].redrive(to, forget_steps);
        }
        Ok(index)
    }

    fn look_at(&mut self, index: usize, one: &Seen) -> Checked {
        let queue = self.messages[index].sent.queue;
        let is_bounded = self.queues[queue].max_retry_ms.is_some();
        let turns_away = self.turns_away(queue);
        let message = &mut self.messages[index];
        must!(one.intact, "I2: damaged after a crash: {message:?}");
        must!(
            message.seen_with(&one.body),
            "I2: another body than was sent: {message:?}"
        );
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

    /// If a command is carried out, all before it are; and all before one that was told.
    fn check_prefix(
        &self,
        doubts: &[Doubt],
        seen: &BTreeSet<usize>,
        blurred: &BTreeSet<usize>,
    ) -> Checked {
        let mut first_missing = None;
        let mut last_there = self.durable;
        for doubt in doubts {
            let (sequence, done) = match doubt {
                Doubt::Ended { message, .. }
                    if blurred.contains(message)
                        || self.vanishes(&self.messages[*message].sent) =>
                {
                    continue;
                }
                Doubt::Ended { sequence, message } => (*sequence, !seen.contains(message)),
                Doubt::Sent { sent, .. } if sent.known || self.vanishes(sent) => continue,
                Doubt::Sent {
                    sequence, found, ..
                } => (*sequence, *found),
            };
            if done {
                last_there = last_there.max(sequence);
            } else if first_missing.is_none_or(|(first, _)| sequence < first) {
                first_missing = Some((sequence, doubt));
            }
        }
        if let Some((missing, doubt)) = first_missing {
            must!(
                missing > last_there,
                "I6: command {last_there} is there, {missing} is not: {doubt:?}"
            );
        }
        Ok(())
    }

    /// Whether a message may be gone as soon as it was accepted.
    fn vanishes(&self, sent: &Sent) -> bool {
        let swept = self
            .asked
            .values()
            .any(|asked| matches!(asked, Asked::Sweep { .. } | Asked::Cancel { .. }));
        let moved = |asked: &Asked| matches!(asked, Asked::Redrive { to: Some(_), .. });
        let retains = self.queues[sent.queue].dead.is_some();
        let moved = self.asked.values().any(moved);
        self.at_most_once(sent.queue) || swept || retains || moved
    }

    fn bury_the_missing(
        &mut self,
        seen: &BTreeSet<usize>,
        blurred: &BTreeSet<usize>,
        ended: Ended,
    ) -> Checked {
        for index in (0..self.messages.len()).filter(|index| !seen.contains(index)) {
            let message = &self.messages[index];
            let queue = message.sent.queue;
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
                    let may_have_died = self.retires(message);
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
                    let (sent, sequence) = (message.sent.clone(), message.sequence);
                    self.messages[index].end = End::Told;
                    self.keep_in_doubt(index, retired && !cancelled);
                    if let (Some(id), true) = (sent.id, lost) {
                        self.remember(queue, id, sequence, (0, ended.last), false);
                    }
                }
            }
        }
        for index in seen {
            self.messages[*index].end = End::No;
            self.messages[*index].acked_at = None;
        }
        Ok(())
    }

    /// Time alone removes a dead letter, as long as nobody sets the clock back: it may be there again.
    fn keep_in_doubt(&mut self, index: usize, may_have_retired: bool) {
        if may_have_retired {
            self.messages[index].end = End::Maybe;
        }
    }

    /// What may have been accepted and finished without anybody having been told.
    fn remember_doubts(&mut self, doubts: &[Doubt], ended: Ended) {
        for doubt in doubts {
            if let Doubt::Sent {
                sequence,
                sent,
                found: false,
            } = doubt
                && let Some(id) = &sent.id
                && self.at_most_once(sent.queue)
                && self.live(sent.queue, id).is_none()
            {
                let at_least = self
                    .entries
                    .get(&(sent.queue, id.clone()))
                    .map(|entry| entry.at_least);
                self.remember(sent.queue, id.clone(), *sequence, (0, ended.last), false);
                let entry = self.entries.get_mut(&(sent.queue, id.clone()));
                if let (Some(entry), Some(at_least)) = (entry, at_least) {
                    entry.at_least = at_least;
                }
            }
        }
    }

    fn begin_run(&mut self, ended: Ended) {
        let held = std::mem::take(&mut self.held);
        self.stale.extend(held.iter().map(|held| held.token));
        self.asked.clear();
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
