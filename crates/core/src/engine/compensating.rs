//! Telling queues of the dead letters of others, in the same commit as their deaths.
//!
//! The message about a death holds the body of the letter. Where that has to be read first (a message
//! that expires, that meets an open circuit, or that has no attempt left when the box is opened), the death
//! waits for it: the
//! message is held, in no set, and a crash finds it as it was. What is read at a time is limited.
//!
//! Whose owner died is dead from the opening on, written or not: nobody withdraws it meanwhile, and a purge, which
//! spares dead letters, waits until it is one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use super::Engine;
use super::contents::Purpose;
use super::turning_away::TurnedAway;
use crate::command::{QueueId, Reason, Token};
use crate::effect::{Event, EventKind};
use crate::ledger::history::OWNER_DIED;
use crate::ledger::message::Standing;
use crate::ledger::{Accepted, Compensation};

/// Bytes of records that are read for deaths at a time.
const READING_BYTES: usize = 4 << 20;

/// Messages that are about to die, by number.
#[derive(Debug, Default)]
pub(super) struct Dying {
    waiting: VecDeque<(u64, Death)>,
    /// With the bytes that are being read.
    reading: BTreeMap<u64, (Death, usize)>,
    bytes: usize,
    /// How many there are of a queue.
    queues: BTreeMap<u32, usize>,
    /// Those whose owner died, by queue.
    orphans: BTreeSet<(u32, u64)>,
}

/// A death that waits.
#[derive(Clone, Debug)]
struct Death {
    queue: u32,
    cause: Cause,
}

/// What a message dies of that nobody has in hand.
#[derive(Clone, Debug)]
enum Cause {
    /// Nothing that anybody did.
    Itself(Reason),
    /// An open circuit.
    TurnedAway(TurnedAway),
}

impl Dying {
    fn add(&mut self, number: u64, death: Death) {
        *self.queues.entry(death.queue).or_default() += 1;
        if matches!(death.cause, Cause::Itself(Reason::OwnerDied)) {
            self.orphans.insert((death.queue, number));
        }
        self.waiting.push_back((number, death));
    }

    /// A message has died, or is gone.
    fn end(&mut self, queue: u32, number: u64) {
        self.orphans.remove(&(queue, number));
        if let Some(count) = self.queues.get_mut(&queue) {
            *count -= 1;
            if *count == 0 {
                self.queues.remove(&queue);
            }
        }
    }

    /// Whether messages of a queue are about to die.
    pub(super) fn is_any_of(&self, queue: u32) -> bool {
        self.queues.contains_key(&queue)
    }

    /// Whether the owner of a message died with its last attempt.
    pub(super) fn is_orphan(&self, queue: u32, number: u64) -> bool {
        self.orphans.contains(&(queue, number)) && !bug!("withdraw-orphans")
    }

    /// Whether that is so of any message of a queue.
    pub(super) fn is_any_orphan_of(&self, queue: u32) -> bool {
        let mut of_it = self.orphans.range((queue, 0)..=(queue, u64::MAX));
        of_it.next().is_some() && !bug!("withdraw-orphans")
    }
}

impl Engine {
    /// Makes a held message a dead letter that dies without a delivery, once its content is known to
    /// those who are told of it.
    pub(super) fn kill_undelivered(&mut self, slot: u32, reason: Reason) {
        if !self.has_to_be_read(slot) {
            return self.kill_of_itself(slot, reason);
        }
        let message = &self.ledger.messages[slot];
        let (number, queue) = (message.number, message.queue);
        let cause = Cause::Itself(reason);
        self.dying.add(number, Death { queue, cause });
        self.more = true;
    }

    /// Turns a held message away for good, once its content is known to those who are told of it.
    pub(super) fn kill_turned_away(&mut self, number: u64, queue: u32, turned_away: TurnedAway) {
        let cause = Cause::TurnedAway(turned_away);
        self.dying.add(number, Death { queue, cause });
        self.more = true;
    }

    /// Whether somebody is to be told of what is in a message, and that is not in memory.
    pub(super) fn has_to_be_read(&self, slot: u32) -> bool {
        let message = &self.ledger.messages[slot];
        message.content.is_none() && self.ledger.told_of(message.queue).is_some()
    }

    fn kill_of_itself(&mut self, slot: u32, reason: Reason) {
        let queue = self.ledger.messages[slot].queue;
        self.kill(slot, reason, false, error_of(reason));
        self.count_death(queue);
        self.note_drained(queue);
    }

    /// Has read what those need that are about to die.
    pub(super) fn read_for_deaths(&mut self) {
        while (self.closing.is_none() || self.dead_jobs.is_purging())
            && self.dying.bytes < READING_BYTES
            && let Some((number, death)) = self.dying.waiting.pop_front()
        {
            let Some(slot) = self.still_dying(number) else {
                self.dying.end(death.queue, number);
                continue;
            };
            let place = self.ledger.messages[slot].place;
            let bytes = place.length as usize;
            self.dying.reading.insert(number, (death, bytes));
            self.dying.bytes += bytes;
            self.reads.want(place, Purpose::Die(number));
        }
    }

    /// The record of a message that is about to die; `None`: damaged.
    pub(super) fn loaded_for_death(&mut self, number: u64, payload: Option<Rc<[u8]>>) {
        let Some((death, bytes)) = self.dying.reading.remove(&number) else {
            return;
        };
        self.dying.bytes -= bytes;
        self.dying.end(death.queue, number);
        let Some(slot) = self.still_dying(number) else {
            return;
        };
        let lent = match payload {
            Some(payload) if self.ledger.messages[slot].content.is_none() => {
                self.ledger.cache(slot, payload);
                true
            }
            Some(_) => false,
            None => {
                self.ledger.messages[slot].moving = false;
                false
            }
        };
        match death.cause {
            Cause::Itself(reason) => self.kill_of_itself(slot, reason),
            Cause::TurnedAway(turned_away) => self.fail_turned_away(slot, &turned_away),
        }
        if lent {
            self.ledger.uncache(slot);
        }
    }

    /// The slot of a message that was about to die, if nothing has become of it since.
    fn still_dying(&mut self, number: u64) -> Option<u32> {
        let slot = self.ledger.by_number(number)?;
        self.ledger.free_if_purged(slot, number, self.now);
        let message = self.ledger.messages.get(slot)?;
        let is_it = message.number == number && message.standing == Standing::Held;
        is_it.then_some(slot)
    }

    /// A message may die with the end of this delivery: its content is kept in memory until then, if
    /// somebody is to be told of it. The slot, if it has to be taken out again.
    pub(super) fn lend_content(&mut self, token: Token) -> Option<u32> {
        let lease = self.leases.get(token)?;
        let slot = lease.slot?;
        let content = lease.content.as_ref()?;
        if self.ledger.messages[slot].content.is_some()
            || self.ledger.told_of(lease.queue).is_none()
        {
            return None;
        }
        self.ledger.cache(slot, Rc::clone(&content.bytes));
        Some(slot)
    }

    /// A message died just now: whoever is to be told of it gets a message.
    pub(super) fn compensate(&mut self, slot: u32, reason: Reason, error: &[u8]) {
        let message = &self.ledger.messages[slot];
        let content = message
            .content
            .clone()
            .filter(|_| reason != Reason::Corrupt);
        let compensation = self.ledger.compensation(slot, content.as_deref(), error);
        let Some(compensation) = compensation else {
            return;
        };
        let to = compensation.to;
        let had_shortened = self.has_shortened(to);
        let accepted =
            self.ledger
                .accept_compensation(&compensation, self.now, &mut self.commit.joined());
        self.warn_of_shortening(to, had_shortened);
        match accepted {
            Ok(Accepted::New(slot)) => self.tell_compensation(slot, to),
            // Its id follows from the death: it is there already.
            Ok(Accepted::Duplicate { .. }) => {}
            Err(failure) => self.miss_letter(slot, &compensation, &failure.message),
        }
    }

    fn tell_compensation(&mut self, slot: u32, to: u32) {
        self.ledger.queues[to as usize].missed_letter = false;
        self.await_message(slot);
        if self.listens(to, EventKind::Enqueued) {
            let event = Event {
                id: self.ledger.id_text(slot).to_string(),
                ..Event::of(EventKind::Enqueued, QueueId(to))
            };
            self.emit(to, event);
        }
    }

    /// There is no room for a message about a dead letter: the letter itself is all there is.
    fn miss_letter(&mut self, slot: u32, compensation: &Compensation, why: &str) {
        let told = &mut self.ledger.queues[compensation.to as usize];
        if std::mem::replace(&mut told.missed_letter, true) {
            return;
        }
        let (name, queue) = (Rc::clone(&told.name), self.ledger.messages[slot].queue);
        let id = self.ledger.id_text(slot);
        let message = format!(
            "queue '{name}' is not told of the dead letter '{id}', nor of others until it has room: {why}"
        );
        self.warn(Some(queue), message);
    }
}

/// What the last attempt of a message ended with that dies without a delivery.
fn error_of(reason: Reason) -> &'static [u8] {
    match reason {
        Reason::OwnerDied => OWNER_DIED,
        _ => b"",
    }
}
