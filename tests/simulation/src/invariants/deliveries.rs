//! Deliveries: of a message that is there, as it was sent, to one consumer at a time, each start counted.

use ackbox_core::effect::{Delivery, Recipient};

use super::{Checked, Violation};
use crate::model::letters::Unknown;
use crate::model::steps::Step;
use crate::model::{End, Held, Message, Model, Sure};
use crate::must;
use crate::passing::{Passage, is_free};

impl Model {
    /// A message was handed out.
    pub fn delivery(&mut self, delivery: &Delivery, passage: Option<Passage>, now: u64) -> Checked {
        let what = format!(
            "{} of queue {} as number {}, attempt {}, token {}, at {now}",
            delivery.id, delivery.queue.0, delivery.number, delivery.attempt, delivery.token.0
        );
        let index = self
            .known_as(delivery)?
            .ok_or_else(|| Violation(format!("I2: delivered what nobody sent: {what}")))?;
        self.meet_redrives(index);
        self.check_content(index, delivery, &what)?;
        self.messages[index].seen_in(delivery.queue.0 as usize);
        self.check_lease(index, delivery, now, &what)?;
        self.check_group(index, now, &what)?;
        self.check_time(index, now, &what)?;
        self.check_hold(passage.as_ref(), delivery, now)?;
        let turns_away = self.turns_away(delivery.queue.0 as usize);
        let at_most_once = self.at_most_once(delivery.queue.0 as usize);
        let by_hand = matches!(delivery.to, Recipient::Dequeue(_));
        let is_limited = !self.limits[delivery.queue.0 as usize].is_empty();
        let policies = &self.policies[delivery.queue.0 as usize];
        let is_free = is_free(policies, passage.as_ref());
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
        // Who is turned away has tried, too.
        let least = message.starts.0 + 1;
        let most = if turns_away {
            u32::MAX
        } else {
            message.starts.1 + 1
        };
        must!(
            (least..=most).contains(&delivery.attempt),
            "I5: expected attempt {least} to {most}: {what}"
        );
        let limit = message.max_attempts;
        must!(
            delivery.attempt <= limit,
            "I5: more attempts than {limit}: {what}"
        );
        message.starts = (delivery.attempt, delivery.attempt);
        if is_limited && is_free != Sure::No {
            // It may take too long, which costs a probe nothing.
            message.starts.0 -= 1;
        }
        (message.end, message.dead) = (End::No, Sure::No);
        let may_fail = !at_most_once && (by_hand || is_limited);
        (message.may_die, message.refunded) = (may_fail || turns_away, false);
        message.token = delivery.token.0;
        self.tokens.insert(delivery.token.0);
        self.hold(index, delivery, passage, now);
        if !self.late {
            self.see(self.held.len() - 1, now);
        }
        Ok(())
    }

    fn hold(&mut self, index: usize, delivery: &Delivery, passage: Option<Passage>, now: u64) {
        let queue = delivery.queue.0 as usize;
        let handler = matches!(delivery.to, Recipient::Worker(_));
        let mut held = Held {
            token: delivery.token.0,
            message: index,
            queue,
            at: now,
            attempt: delivery.attempt,
            handler,
            until: (!handler).then_some(delivery.lease_until.0),
            seen: false,
            settled: false,
            lost: false,
            late: false,
            patience: None,
            abandoned: None,
            passage,
            origin: (delivery.number, delivery.run),
        };
        if handler {
            let lease_ms = self.queues[queue].lease_ms.unwrap_or(0);
            held.begin(self.limits[queue], lease_ms, delivery.handed_over, now);
        }
        self.held.push(held);
    }

    /// The message that is delivered, which may be one that nobody sent.
    fn known_as(&mut self, delivery: &Delivery) -> Checked<Option<usize>> {
        let unknown = Unknown {
            queue: delivery.queue.0 as usize,
            id: delivery.id.as_str(),
            number: Some(delivery.number),
            headers: delivery.content.headers(),
            body: Some(delivery.content.body()),
        };
        let index = match self.identify(delivery) {
            Some(index) => {
                self.renew_letter(index, &unknown)?;
                Some(index)
            }
            None => self.adopt_letter(&unknown)?,
        };
        if let Some(index) = index {
            self.letter_delivered(index);
        }
        Ok(index)
    }

    fn identify(&mut self, delivery: &Delivery) -> Option<usize> {
        if let Some(index) = self.by_number.get(&delivery.number) {
            return Some(*index);
        }
        // It was found after a crash, where numbers are not shown.
        let headers = delivery.content.headers();
        let is_it = |message: &Message| {
            message.number.is_none() && message.is_found(headers, delivery.id.as_str())
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
            message.may_be_in(delivery.queue.0 as usize),
            "I2: sent to queue {}: {what}",
            sent.queue
        );
        must!(
            message.may_hold(delivery.content.body()),
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
            sent.destination.as_deref().unwrap_or("") == &*delivery.destination,
            "I2: another destination: {what}"
        );
        must!(
            sent.priority == delivery.priority,
            "I2: another priority: {what}"
        );
        let recorded = message.steps.values().map(Step::is_recorded);
        let (least, most) = recorded.fold((0, 0), |(least, most), (is, may_be)| {
            (least + u32::from(is), most + u32::from(may_be))
        });
        // What is settled already records no steps, nor does it show any.
        must!(
            delivery.handed_over || (least..=most).contains(&delivery.steps),
            "exactly-once: {} steps are recorded, expected {least} to {most}: {what}",
            delivery.steps
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
            let runs = held.keeps(now) || (!held.handler && held.is_open(now));
            must!(!runs, "I4: handed out twice at once, {held:?}: {what}");
        }
        Ok(())
    }
}
