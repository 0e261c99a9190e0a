//! Rebuilding the ledger, the part of single messages: from the record of one, whole or moved.

use std::rc::Rc;

use super::accept::ANY_BODY;
use super::finish::{death_code, parse_death};
use super::message::{Death, Message, NONE, Standing};
use super::queue::Queue;
use super::replay::Replayed;
use super::settings::{self, Settings};
use super::{Ledger, Note, QUEUES_MAX, Recorder};
use crate::command::Reason;
use crate::config::GroupOnDead;
use crate::hash;
use crate::id::GeneratedId;
use crate::journal::{DeathRecord, MessageRecord, Place, Record, StoredState};
use crate::time::Timestamp;

impl Ledger {
    pub(super) fn replay_queue(
        &mut self,
        queue: u32,
        paused: bool,
        name: &str,
        options: &[u8],
    ) -> Replayed {
        let named = settings::decode(options)?;
        let settings = Settings::resolve(named).map_err(|_| "queue options out of range")?;
        let next = self.queues.len();
        match self.queues.get_mut(queue as usize) {
            Some(known) if *known.name == *name => {
                known.settings = settings;
                known.paused = paused && !bug!("forget-pause");
            }
            None if queue as usize == next && next < QUEUES_MAX => {
                self.add_queue(Queue::new(name, settings));
                self.queues[queue as usize].paused = paused && !bug!("forget-pause");
            }
            _ => return Err("a queue whose number or name does not fit those before it"),
        }
        Ok(())
    }

    pub(super) fn replay_message(
        &mut self,
        record: &MessageRecord<'_>,
    ) -> Result<u32, &'static str> {
        self.queue_known(record.queue)?;
        let moved = self.by_number(record.number);
        let slot = match moved {
            Some(slot) => self.check_moved(slot, record)?,
            None => self.replay_new(record),
        };
        let (queue, group) = (record.queue as usize, self.messages[slot].group);
        if group != NONE {
            let member = self.queues[queue].groups.member(group, record.order);
            if member.is_some_and(|member| member != slot) {
                return Err("two messages at one place of a group");
            }
        }
        let is_dead = matches!(record.state, StoredState::Dead | StoredState::Damaged);
        let dies = is_dead && self.messages[slot].death.is_none();
        if dies && moved.is_some() {
            self.leave_to_die(slot);
        }
        self.resize(slot, record.counted_bytes());
        let queue = &self.queues[record.queue as usize];
        let purges = queue.purges;
        let message = &mut self.messages[slot];
        message.order = record.order;
        message.due = Timestamp(record.due);
        message.deadline = Timestamp(record.deadline);
        message.attempt = record.attempt;
        message.deaths = record.deaths;
        message.first_delivery = Timestamp(record.first_delivery);
        message.history = record.history.to_vec();
        message.epoch = purges;
        if moved.is_none() || dies {
            self.replay_standing(slot, record)?;
        }
        let message = &self.messages[slot];
        if message.standing == Standing::Leased && message.attempt == 0 {
            return Err("a delivery that is no attempt");
        }
        if let Some(death) = &record.death {
            if let Some(own) = &mut self.messages[slot].death {
                (own.reason, own.blocks) = parse_death(death.reason)?;
            }
            self.last_death = self.last_death.max(death.sequence);
            self.forget_details(slot);
        }
        self.last_number = self.last_number.max(record.number).max(record.order);
        Ok(slot)
    }

    /// A record that was moved tells what the records before it have led to.
    fn check_moved(&self, slot: u32, record: &MessageRecord<'_>) -> Result<u32, &'static str> {
        let message = &self.messages[slot];
        if message.queue != record.queue {
            return Err("a message that was moved is in another queue");
        }
        if message.group == NONE {
            return Ok(slot);
        }
        let name = self.queues[record.queue as usize]
            .groups
            .name(message.group);
        if *name != *record.group || message.order != record.order {
            return Err("a message that was moved is at another place of its group");
        }
        Ok(slot)
    }

    /// The bytes of a message were found damaged when it was moved: no other record tells its death.
    fn leave_to_die(&mut self, slot: u32) {
        if self.messages[slot].standing == Standing::Leased {
            self.unlease(slot);
        }
        let message = &self.messages[slot];
        if message.group != NONE {
            self.queues[message.queue as usize]
                .groups
                .part(message.group, message.order);
        }
    }

    /// A message whose record is the first one of it that is left.
    fn replay_new(&mut self, record: &MessageRecord<'_>) -> u32 {
        let queue = &mut self.queues[record.queue as usize];
        let group = if record.group.is_empty() {
            NONE
        } else {
            queue.groups.ensure(record.group)
        };
        let message = Message {
            number: record.number,
            queue: record.queue,
            open: record.open,
            enqueued_at: Timestamp(record.enqueued_at),
            priority: record.priority,
            max_attempts: record.max_attempts,
            id: record.id.map(Rc::from),
            group,
            destination: self.destinations.acquire(record.destination),
            bytes: record.counted_bytes(),
            body_checksum: match record.id {
                Some(_) => 0,
                None => crc32fast::hash(record.body),
            },
            ..Message::blank()
        };
        let slot = self.insert(message);
        if let Some(id) = record.id.filter(|_| record.fingerprint != 0) {
            let hash = hash::id_hash(&self.hash_key, record.queue, id.as_bytes());
            if let Some(old) = self.dedup.find(record.queue, hash) {
                self.forget_entry(old);
            }
            let entry = self
                .dedup
                .insert_live(record.queue, hash, record.fingerprint, slot);
            self.messages[slot].entry = entry;
        }
        slot
    }

    /// The sets that a replayed message stands in at once: leases and dead letters.
    fn replay_standing(&mut self, slot: u32, record: &MessageRecord<'_>) -> Replayed {
        let message = &mut self.messages[slot];
        let queue = &mut self.queues[record.queue as usize];
        match (record.state, &record.death) {
            (StoredState::Dead | StoredState::Damaged, Some(death)) => {
                let (reason, blocks) = parse_death(death.reason)?;
                message.standing = Standing::Dead;
                message.death = Some(Box::new(Death {
                    sequence: death.sequence,
                    at: Timestamp(death.at),
                    reason,
                    place: Place::default(),
                    blocks,
                    in_memory: false,
                }));
                queue.dead.insert(death.sequence, slot);
                if message.group != NONE {
                    queue
                        .groups
                        .bury(message.group, message.order, slot, blocks);
                }
            }
            (StoredState::Dead | StoredState::Damaged, None) => {
                return Err("a dead letter without a death");
            }
            (StoredState::Leased | StoredState::LeasedSuspect, _) => {
                message.suspect = record.state == StoredState::LeasedSuspect;
                message.standing = Standing::Leased;
                message.started_at = Timestamp(record.started_at);
                let group = message.group;
                queue.leased.join(&mut self.messages, slot);
                if group != NONE {
                    queue.groups.start(group);
                }
                self.join_group(slot, Timestamp(record.enqueued_at));
            }
            (StoredState::Waiting | StoredState::Suspect, _) => {
                message.suspect = record.state == StoredState::Suspect;
                self.join_group(slot, Timestamp(record.enqueued_at));
            }
        }
        Ok(())
    }

    /// An at-most-once message that was handed over and could not be decoded: it comes back as a dead
    /// letter. `payload` is its record, perhaps from when it was in another queue.
    pub fn bury_handed_over(
        &mut self,
        number: u64,
        payload: &[u8],
        now: Timestamp,
        reason: Reason,
        error: &[u8],
        out: &mut impl Recorder,
    ) -> u32 {
        let Ok(Record::Message(stored)) = Record::decode(payload) else {
            unreachable!("a content is the payload of a message's record");
        };
        let handed_over = self.handed_over(number);
        let handed_over = handed_over.expect("its delivery is not over");
        let (queue, id) = (handed_over.queue, self.id_of(&handed_over.message));
        let is_own = |parsed: GeneratedId| parsed.number == stored.number;
        let is_generated = self.parse_generated(queue, &id).is_some_and(is_own);
        let namesake = self.dedup.find(queue, self.id_hash(queue, &id));
        let fingerprint = match stored.fingerprint {
            // Its id was free when it was handed over, and is another message's now.
            _ if namesake.is_some_and(|entry| self.dedup.live(entry).is_some()) => 0,
            0 if !is_generated && stored.queue != queue => ANY_BODY,
            fingerprint => fingerprint,
        };
        let group_on_dead = self.queues[queue as usize].settings.group_on_dead;
        let blocks = !stored.group.is_empty() && group_on_dead == GroupOnDead::Block;
        let death = DeathRecord {
            sequence: self.last_death + 1,
            at: now.0,
            reason: death_code(reason, blocks),
            error: super::history::cut(error),
        };
        let record = MessageRecord {
            state: StoredState::Dead,
            death: Some(death),
            attempt: 1,
            queue,
            id: (!is_generated).then_some(&*id),
            fingerprint,
            ..stored
        };
        let slot = self
            .replay_message(&record)
            .expect("its queue exists, and its reason is known");
        out.write(&Record::Message(record), Note::Moved { slot, number });
        self.cache(slot, Rc::from(out.last_payload()));
        self.queues[queue as usize].counters.dead += 1;
        self.touch(queue);
        slot
    }
}
