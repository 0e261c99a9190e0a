//! At-most-once: messages that are settled before anybody saw them.
//!
//! A message that is handed over leaves the ledger as completed. What was known of it is kept aside
//! until its delivery is over, so that a delivery that nobody saw can be taken back: the message is
//! written again behind the record of its completion, and waits as if it had never been claimed. A
//! crash between the two records loses it, which at-most-once may.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::message::{Message, NONE};
use super::recorder::{Note, Recorder};
use super::{Ledger, accept::Identity};
use crate::command::Token;
use crate::effect::MessageInfo;
use crate::id_text::IdText;
use crate::journal::{Place, Record};
use crate::time::Timestamp;

/// A message that was handed over.
#[derive(Debug)]
pub struct HandedOver {
    /// Its delivery.
    pub token: Token,
    /// Its queue.
    pub queue: u32,
    /// Its group, empty for none.
    pub group: Rc<str>,
    /// Its destination, empty for none.
    pub destination: Rc<str>,
    /// What was known of it.
    pub message: Message,
    /// The id that it had taken.
    identity: Option<Identity>,
    /// That id is remembered as a finished one.
    is_remembered: bool,
}

impl HandedOver {
    /// Whether its end is remembered under its id.
    pub(super) const fn is_remembered(&self) -> bool {
        self.is_remembered
    }

    /// The hash of the id that it had taken.
    pub(super) fn id_hash(&self) -> Option<u128> {
        self.identity.map(|id| id.hash)
    }
}

/// Ids of messages that were handed over and that nobody saw yet: such a message may be taken back, so its
/// id is taken, whatever is remembered of finished ones.
#[derive(Debug, Default)]
pub(super) struct UnseenIds(BTreeMap<(u32, u128), u64>);

impl Ledger {
    /// Settles a claimed message before its delivery `token` starts.
    pub fn hand_over(&mut self, slot: u32, token: Token, now: Timestamp, out: &mut impl Recorder) {
        self.unlease(slot);
        let (group, destination) = (self.group(slot), self.destination(slot));
        let message = &self.messages[slot];
        let (number, queue, entry) = (message.number, message.queue, message.entry);
        let identity = (entry != NONE).then(|| Identity {
            hash: self.dedup.hash(entry),
            fingerprint: self.dedup.fingerprint(entry),
        });
        if let Some(identity) = identity {
            self.unseen_ids.0.insert((queue, identity.hash), number);
        }
        let message = self.complete(slot, now, b"", true, out);
        let handed_over = HandedOver {
            token,
            queue,
            group,
            destination,
            message,
            identity,
            is_remembered: identity
                .is_some_and(|id| self.entry_of_end(queue, id, number).is_some()),
        };
        self.handed_over.insert(number, handed_over);
    }

    /// A message that was handed over and whose delivery is not over.
    #[must_use]
    pub fn handed_over(&self, number: u64) -> Option<&HandedOver> {
        self.handed_over.get(&number)
    }

    /// The text of its id.
    #[must_use]
    pub fn handed_over_id(&self, number: u64) -> Option<IdText> {
        let handed_over = self.handed_over.get(&number)?;
        Some(self.id_of(&handed_over.message))
    }

    /// It, but for its content, as those see it who wait for its end.
    #[must_use]
    pub fn handed_over_info(&self, number: u64) -> Option<MessageInfo> {
        let handed_over = self.handed_over.get(&number)?;
        let (group, destination) = (&handed_over.group, &handed_over.destination);
        Some(self.info_of(&handed_over.message, group, destination))
    }

    /// The number of a message of a queue that was handed over and whose delivery is not over, by its
    /// id. Once somebody sees it, an id that is not remembered finds none.
    #[must_use]
    pub fn handed_over_by_id(&self, queue: u32, id: &str) -> Option<u64> {
        let generated = self.parse_generated(queue, id).map(|parsed| parsed.number);
        let number = generated.or_else(|| {
            let hash = self.id_hash(queue, id);
            if let Some((number, _)) = self.unseen(queue, hash) {
                return Some(number);
            }
            self.dedup.finished_number(self.dedup.find(queue, hash)?)
        })?;
        let message = &self.handed_over.get(&number)?.message;
        (message.queue == queue && self.id_of(message) == *id).then_some(number)
    }

    /// The delivery of a message that was handed over is over, or it can never be durable.
    pub fn forget_handed_over(&mut self, number: u64) -> Option<HandedOver> {
        self.see_handed_over(number);
        self.handed_over.remove(&number)
    }

    /// Somebody sees a message that was handed over, or saw it: it will not be taken back, and its id is
    /// taken only as far as its end is remembered.
    pub fn see_handed_over(&mut self, number: u64) {
        if let Some(handed_over) = self.handed_over.get(&number)
            && let Some(id) = handed_over.identity
        {
            let key = (handed_over.queue, id.hash);
            // It may be another one's by now.
            if self.unseen_ids.0.get(&key) == Some(&number) {
                self.unseen_ids.0.remove(&key);
            }
        }
    }

    /// What was accepted under an id and waits to be seen by a consumer: its number, and the fingerprint
    /// of its body.
    #[must_use]
    pub fn unseen(&self, queue: u32, hash: u128) -> Option<(u64, u64)> {
        let number = self.unseen_ids.0.get(&(queue, hash))?;
        let identity = self.handed_over.get(number)?.identity?;
        Some((*number, identity.fingerprint))
    }

    /// Withdraws a message that was handed over and that nobody saw: its id is free.
    pub fn withdraw_handed_over(&mut self, number: u64, out: &mut impl Recorder) {
        if let Some(HandedOver {
            queue,
            identity: Some(id),
            ..
        }) = self.forget_handed_over(number)
            && let Some(entry) = self.entry_of_end(queue, id, number)
        {
            let hash = id.hash;
            out.write(&Record::Forgotten { queue, hash }, Note::None);
            self.drop_entry(entry);
        }
    }

    /// Takes back a message that was accepted just now and handed over, and whose records will never
    /// be durable.
    pub fn retract_handed_over(&mut self, number: u64) {
        let Some(handed_over) = self.forget_handed_over(number) else {
            return;
        };
        let queue = handed_over.queue;
        self.queues[queue as usize].counters.enqueued -= 1;
        if let Some(id) = handed_over.identity
            && let Some(entry) = self.entry_of_end(queue, id, number)
        {
            self.drop_entry(entry);
        }
    }

    /// Takes back a message that was handed over and that nobody saw: it is held, and as it was before
    /// it was claimed. `payload` is its record.
    pub fn take_back(
        &mut self,
        number: u64,
        payload: &[u8],
        now: Timestamp,
        out: &mut impl Recorder,
    ) -> u32 {
        let handed_over = self.forget_handed_over(number);
        let HandedOver {
            queue,
            group,
            destination,
            message,
            identity,
            ..
        } = handed_over.expect("its delivery was not over");
        let target = &mut self.queues[queue as usize];
        let message = Message {
            group: if group.is_empty() {
                NONE
            } else {
                target.groups.ensure(&group)
            },
            destination: self.destinations.acquire(&destination),
            entry: NONE,
            place: Place::default(),
            epoch: target.purges,
            ..message
        };
        let slot = self.insert(message);
        self.unstart(slot, now);
        if let Some(id) = identity {
            self.take_id_again(slot, id);
        }
        let is_message =
            self.write_again(slot, payload, None, Note::TakenBack { slot, number }, out);
        assert!(is_message, "a content is the payload of a message's record");
        // Its new place cannot be read before it is durable: its content stays in memory.
        self.cache(slot, Rc::from(out.last_payload()));
        self.join_group(slot, now);
        slot
    }

    /// Its id, which was taken all the time, is that of an unfinished message again.
    fn take_id_again(&mut self, slot: u32, id: Identity) {
        let message = &self.messages[slot];
        let (queue, number) = (message.queue, message.number);
        let entry = if let Some(entry) = self.entry_of_end(queue, id, number) {
            self.unplace_entry(entry);
            self.dedup.relive(entry, slot);
            entry
        } else {
            // Its window has passed since it was handed over.
            let namesake = self.dedup.find(queue, id.hash);
            debug_assert!(namesake.is_none(), "its id was free");
            self.dedup.insert_live(queue, id.hash, id.fingerprint, slot)
        };
        self.messages[slot].entry = entry;
    }

    /// The entry that remembers the end of this message.
    fn entry_of_end(&self, queue: u32, id: Identity, number: u64) -> Option<u32> {
        let entry = self.dedup.find(queue, id.hash)?;
        (self.dedup.finished_number(entry) == Some(number)).then_some(entry)
    }
}
