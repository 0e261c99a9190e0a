//! What must hold whenever the engine tells something. The numbers are those of the promises:
//!
//! | | |
//! |---|---|
//! | I1 | what was accepted is acknowledged, dead, or withdrawn in the end; never nothing |
//! | I2 | nothing is delivered that was not sent, and its bytes are equal |
//! | I3 | nothing is delivered after its end was told |
//! | I4 | one lease a message; a stale token has no effect; no token is given twice |
//! | I5 | attempts are never too low, and at most one too high for each crash |
//! | I6 | what is recovered is a prefix of what was asked, with everything in it that was told |
//! | I7 | an id in its window is a duplicate, any other message is accepted |
//! | I8 | a group keeps its order |
//! | I9 | after a failure of the storage, nothing is told to have succeeded |
//! | I11 | nothing is delivered early, nothing is started late, no input panics |

use std::fmt;

use ackbox_core::command::MessageState;
use ackbox_core::config::GroupOnDead;
use ackbox_core::effect::{Delivery, Recipient};

use crate::model::{Asked, End, Held, Message, Model, Sure};

/// A promise that was broken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation(pub String);

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Breaks off unless something holds.
#[macro_export]
macro_rules! must {
    ($holds:expr, $($what:tt)*) => {
        if !$holds {
            return Err($crate::invariants::Violation(format!($($what)*)).into());
        }
    };
}

type Checked<T = ()> = Result<T, Violation>;

/// A receipt as it was told.
#[derive(Debug)]
pub struct Told<'a> {
    /// Of which command.
    pub sequence: u64,
    /// Of which of its messages.
    pub index: usize,
    /// Nothing was accepted.
    pub duplicate: bool,
    /// What it is, or was.
    pub state: MessageState,
    /// Its number.
    pub number: u64,
    /// Its id.
    pub id: &'a str,
}

impl Model {
    /// A message was accepted, or known.
    pub fn receipt(&mut self, told: &Told<'_>) -> Checked {
        let sequence = told.sequence;
        let sent = match self.asked.get_mut(&sequence) {
            Some(Asked::Enqueue { items } | Asked::Unit { items, .. }) => items[told.index].take(),
            _ => None,
        };
        let Some(sent) = sent else {
            return Err(Violation(format!(
                "I2: a receipt that nobody waits for: {told:?}"
            )));
        };
        if let Some(Asked::Enqueue { items }) = self.asked.get(&sequence)
            && items.iter().all(Option::is_none)
        {
            self.asked.remove(&sequence);
        }
        self.durable = self.durable.max(sequence);
        if let Some(id) = &sent.id {
            must!(id == told.id, "I2: sent under {id}: {told:?}");
            self.check_identity(sent.queue, id, &sent.body, sent.at, told)?;
        } else {
            must!(
                !told.duplicate,
                "I7: a message without an id is a duplicate: {told:?}"
            );
        }
        if told.duplicate {
            return Ok(());
        }
        let known = self.by_number.get(&told.number);
        must!(known.is_none(), "I2: number {} is given twice", told.number);
        let queue = sent.queue;
        let index = self.accept(sent, told.id.to_owned(), Some(told.number), sequence);
        // Somebody swept the queue while the receipt was on its way.
        let mut later = self.asked.range(sequence..).map(|(_, asked)| asked);
        if later.any(|asked| matches!(asked, Asked::Sweep { queue: swept } if *swept == queue)) {
            self.messages[index].end = End::Maybe;
        }
        let mut later = self.asked.range(sequence..).map(|(_, asked)| asked);
        if later
            .any(|asked| matches!(asked, Asked::Redrive { queue: redriven } if *redriven == queue))
            && self.messages[index].may_be_dead()
        {
            self.messages[index].redrive();
        }
        Ok(())
    }

    fn check_identity(
        &self,
        queue: usize,
        id: &str,
        body: &[u8],
        at: u64,
        told: &Told<'_>,
    ) -> Checked {
        let same =
            |message: &&Message| message.sent.queue == queue && message.id.as_deref() == Some(id);
        let entry = self.entries.get(&(queue, id.to_owned()));
        if told.duplicate {
            let live = self
                .messages
                .iter()
                .filter(same)
                .any(|message| message.end != End::Told);
            let finished = entry.is_some_and(|entry| at < entry.at_most);
            must!(
                live || finished,
                "I7: taken for a duplicate of nothing, and lost: {told:?}"
            );
            let mut others = self.messages.iter().filter(same);
            let differs = others.any(|message| {
                let is_live = message.end == End::No && !self.may_have_retired(message);
                is_live && message.sent.body != body
            });
            must!(!differs, "I7: a duplicate with another body: {told:?}");
            return Ok(());
        }
        for message in self.messages.iter().filter(same) {
            let was_live = match message.end {
                // At most once, an id is finished as soon as somebody claims its message.
                End::No => !self.may_have_retired(message) && !self.at_most_once(queue),
                End::Asked(ended) => ended > told.sequence,
                End::Maybe | End::Told => false,
            };
            must!(!was_live, "I7: accepted beside {message:?}: {told:?}");
        }
        if let Some(entry) = entry {
            let remembered = entry.sure && entry.sequence < told.sequence && at < entry.at_least;
            must!(
                !remembered,
                "I7: accepted again within its window, {entry:?}: {told:?}, sent at {at}"
            );
        }
        Ok(())
    }

    /// A message was handed out.
    pub fn delivery(&mut self, delivery: &Delivery, now: u64) -> Checked {
        let what = format!(
            "{} of queue {} as number {}, attempt {}, token {}, at {now}",
            delivery.id, delivery.queue.0, delivery.number, delivery.attempt, delivery.token.0
        );
        let index = self
            .identify(delivery)
            .ok_or_else(|| Violation(format!("I2: delivered what nobody sent: {what}")))?;
        self.check_content(index, delivery, &what)?;
        self.check_lease(index, delivery, now, &what)?;
        self.check_group(index, now, &what)?;
        self.check_time(index, now, &what)?;
        let at_most_once = self.at_most_once(delivery.queue.0 as usize);
        let by_hand = matches!(delivery.to, Recipient::Dequeue(_));
        let message = &mut self.messages[index];
        must!(
            !message.handed_over,
            "I3: delivered twice, at most once: {what}"
        );
        must!(
            message.end != End::Told,
            "I3: delivered after its end was told: {what}"
        );
        must!(
            !matches!(message.end, End::Asked(_)),
            "I3: delivered after its acknowledgement: {what}"
        );
        must!(
            message.dead != Sure::Yes,
            "I3: delivered while it is a dead letter: {what}"
        );
        let (least, most) = (message.starts.0 + 1, message.starts.1 + 1);
        must!(
            (least..=most).contains(&delivery.attempt),
            "I5: expected attempt {least} to {most}: {what}"
        );
        let (least, most) = message.steps_recorded();
        must!(
            (least..=most).contains(&delivery.steps),
            "I6: expected {least} to {most} recorded steps, not {}: {what}",
            delivery.steps
        );
        let limit = self.queues[message.sent.queue]
            .max_attempts
            .unwrap_or(u32::MAX);
        must!(
            delivery.attempt <= limit,
            "I5: more attempts than {limit}: {what}"
        );
        message.starts = (delivery.attempt, delivery.attempt);
        (message.end, message.dead) = (End::No, Sure::No);
        (message.may_die, message.refunded) = (by_hand, false);
        message.token = delivery.token.0;
        if at_most_once {
            message.handed_over = true;
            message.end = End::Told;
            let sent = message.sent.clone();
            if let Some(id) = sent.id {
                let sequence = message.sequence;
                self.remember(sent.queue, id, sequence, (0, now), false);
            }
        }
        self.tokens.insert(delivery.token.0);
        self.held.push(Held {
            token: delivery.token.0,
            message: index,
            queue: delivery.queue.0 as usize,
            handler: matches!(delivery.to, Recipient::Worker(_)),
            until: matches!(delivery.to, Recipient::Dequeue(_)).then_some(delivery.lease_until.0),
            settled: false,
            lost: false,
            abandoned: None,
        });
        Ok(())
    }

    fn identify(&mut self, delivery: &Delivery) -> Option<usize> {
        if let Some(index) = self.by_number.get(&delivery.number) {
            return Some(*index);
        }
        // It was found after a crash, where numbers are not shown.
        let headers = delivery.content.headers();
        let is_it = |message: &Message| {
            message.number.is_none() && message.sent.headers.as_bytes() == headers
        };
        let index = self.messages.iter().position(is_it)?;
        self.messages[index].number = Some(delivery.number);
        self.by_number.insert(delivery.number, index);
        Some(index)
    }

    fn check_content(&self, index: usize, delivery: &Delivery, what: &str) -> Checked {
        let message = &self.messages[index];
        let sent = &message.sent;
        must!(
            message.id.as_deref() == Some(delivery.id.as_str()),
            "I2: sent under {:?}: {what}",
            message.id
        );
        must!(
            sent.queue == delivery.queue.0 as usize,
            "I2: sent to queue {}: {what}",
            sent.queue
        );
        must!(
            sent.body == delivery.content.body(),
            "I2: another body than was sent: {what}"
        );
        must!(
            sent.headers.as_bytes() == delivery.content.headers(),
            "I2: other headers than were sent: {what}"
        );
        must!(
            sent.group.as_deref().unwrap_or("") == &*delivery.group,
            "I2: another group: {what}"
        );
        must!(
            sent.priority == delivery.priority,
            "I2: another priority: {what}"
        );
        Ok(())
    }

    fn check_lease(&self, index: usize, delivery: &Delivery, now: u64, what: &str) -> Checked {
        let token = delivery.token.0;
        must!(
            !self.tokens.contains(&token),
            "I4: the token was given out before: {what}"
        );
        must!(
            token > self.messages[index].token,
            "I4: a lower token than before: {what}"
        );
        for held in self.held.iter().filter(|held| held.message == index) {
            let runs = match (held.handler, held.abandoned) {
                (true, Some(until)) => now < until,
                (true, None) => true,
                (false, _) => held.is_open(now),
            };
            must!(!runs, "I4: handed out twice at once, {held:?}: {what}");
        }
        Ok(())
    }

    /// In a group, one is in flight, and none overtakes another.
    fn check_group(&self, index: usize, now: u64, what: &str) -> Checked {
        let message = &self.messages[index];
        let (queue, Some(group)) = (message.sent.queue, &message.sent.group) else {
            return Ok(());
        };
        let is_in_group =
            |other: &Message| other.sent.queue == queue && other.sent.group.as_ref() == Some(group);
        for held in self.held.iter().filter(|held| held.message != index) {
            let runs = held.is_open(now)
                || (self.at_most_once(queue) && held.handler && held.abandoned.is_none());
            let beside = runs && is_in_group(&self.messages[held.message]);
            must!(!beside, "I8: beside another of its group, {held:?}: {what}");
        }
        let (Some(number), false) = (message.number, message.displaced) else {
            return Ok(());
        };
        let blocks = self.queues[queue].group_on_dead == Some(GroupOnDead::Block);
        for other in self.messages.iter().filter(|other| is_in_group(other)) {
            let in_front = !other.displaced && other.number.is_some_and(|other| other < number);
            let waits = other.end == End::No && !other.may_be_dead();
            let keeps = !self.may_have_retired(other);
            let holds = other.end == End::No && blocks && keeps && other.dead == Sure::Yes;
            must!(
                !(in_front && (waits || holds)),
                "I8: overtook {other:?}: {what}"
            );
        }
        Ok(())
    }

    fn check_time(&self, index: usize, now: u64, what: &str) -> Checked {
        let message = &self.messages[index];
        let due = message.not_before;
        must!(due <= now, "I11: delivered {} ms early: {what}", due - now);
        // At most once, its start is its end: it goes out when that is durable.
        let bounded = !self.at_most_once(message.sent.queue);
        let late = bounded && message.deadline.is_some_and(|deadline| deadline < now);
        must!(!late, "I11: delivered after its time to live: {what}");
        Ok(())
    }
}
