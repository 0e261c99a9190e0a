//! When a delivery may be: in the order of its group, at its time, and not while its destination is left
//! alone.

use ackbox_core::config::GroupOnDead;
use ackbox_core::effect::Delivery;

use super::Checked;
use crate::model::{End, Message, Model, Sure};
use crate::must;
use crate::passing::Passage;

impl Model {
    /// In a group, one is in flight, and none overtakes another.
    pub(super) fn check_group(&self, index: usize, now: u64, what: &str) -> Checked {
        let message = &self.messages[index];
        let (queue, Some(group)) = (message.sent.queue, &message.sent.group) else {
            return Ok(());
        };
        let is_in_group =
            |other: &Message| other.sent.queue == queue && other.sent.group.as_ref() == Some(group);
        for held in self.held.iter().filter(|held| held.message != index) {
            let runs = held.is_open(now)
                || (self.at_most_once(queue) && held.keeps(now) && held.abandoned.is_none());
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

    /// A consumer wanted its destination to be left alone.
    pub(super) fn check_hold(
        &self,
        passage: Option<&Passage>,
        delivery: &Delivery,
        now: u64,
    ) -> Checked {
        let Some(passage) = passage else {
            return Ok(());
        };
        let key = (delivery.queue.0 as usize, passage.destination.clone());
        let until = self.holds.get(&key).copied().unwrap_or(0);
        must!(
            until <= now,
            "I10: a destination was to be left alone until {until}, at {now}: number {}",
            delivery.number
        );
        Ok(())
    }

    pub(super) fn check_time(&self, index: usize, now: u64, what: &str) -> Checked {
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
