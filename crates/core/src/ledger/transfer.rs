//! Dead letters that change their queue: whether the other one takes them, and how.
//!
//! A message keeps its number, its id, its priority, group and destination, and how many attempts it
//! was enqueued with. An id that was generated, or made by the host, becomes an explicit one, which passes for any body;
//! back in the queue that generated it, it is a generated one again.

use std::rc::Rc;

use super::Ledger;
use super::accept::ANY_BODY;
use super::dedup::HOST_ID;
use super::message::NONE;
use crate::config::Guarantee;
use crate::hash;
use crate::journal::Transfer;
use crate::time::Timestamp;

impl Ledger {
    /// How a dead letter would go to another queue; none if that is full or knows the id already.
    pub(super) fn admit_letter(
        &mut self,
        slot: u32,
        queue: u32,
        now: Timestamp,
    ) -> Option<Transfer> {
        let id = self.id_text(slot);
        let message = &self.messages[slot];
        let is_home = self.is_home(slot, queue, &id);
        let is_taken_here = message.entry != NONE || message.id.is_none();
        let length = id.len() as u32;
        let bytes = match (message.id.is_some(), is_home) {
            (true, true) => message.bytes - length,
            (false, false) => message.bytes + length,
            _ => message.bytes,
        };
        let fingerprint = match message.entry {
            NONE => ANY_BODY,
            entry => match self.dedup.fingerprint(entry) {
                HOST_ID => ANY_BODY,
                fingerprint => fingerprint,
            },
        };
        if is_home && self.queues[queue as usize].settings.guarantee == Guarantee::ExactlyOnce {
            // There its id would be a generated one again.
            return None;
        }
        self.make_room(now, queue, bytes).ok()?;
        if is_home || !is_taken_here {
            return Some(Transfer {
                queue,
                fingerprint: 0,
            });
        }
        if self.recognise_generated(queue, &id).is_some() {
            return None;
        }
        let hash = hash::id_hash(&self.hash_key, queue, id.as_bytes());
        if self.entry_of(queue, hash, now).is_some() || self.unseen(queue, hash).is_some() {
            return None;
        }
        self.make_room_for_id(now, queue).ok()?;
        Some(Transfer { queue, fingerprint })
    }

    /// Moves a message that is in no set and in no group from its queue to another one. It is in no
    /// group there either.
    pub(super) fn change_queue(&mut self, slot: u32, to: Transfer) {
        if bug!("redrive-loses-steps") {
            self.forget_steps(slot);
        }
        let id = self.id_text(slot);
        let is_home = self.is_home(slot, to.queue, &id);
        let group = self.group(slot);
        let message = &mut self.messages[slot];
        let entry = std::mem::replace(&mut message.entry, NONE);
        let from = &mut self.queues[message.queue as usize];
        from.depth -= 1;
        from.bytes -= u64::from(message.bytes);
        from.generated -= u64::from(message.id.is_none());
        let length = id.len() as u32;
        if message.id.is_some() {
            message.bytes -= length;
        }
        message.id = (!is_home).then(|| Rc::from(id.as_str()));
        if message.id.is_some() {
            message.bytes += length;
        }
        message.queue = to.queue;
        let target = &mut self.queues[to.queue as usize];
        target.depth += 1;
        target.bytes += u64::from(message.bytes);
        target.generated += u64::from(message.id.is_none());
        message.group = if group.is_empty() {
            NONE
        } else {
            target.groups.ensure(&group)
        };
        self.drop_entry(entry);
        if to.fingerprint != 0 {
            let hash = hash::id_hash(&self.hash_key, to.queue, id.as_bytes());
            if let Some(old) = self.dedup.find(to.queue, hash) {
                // Replay finds one whose window was over.
                self.forget_entry(old);
            }
            self.forget_recent_end(hash);
            let entry = self.dedup.insert_live(to.queue, hash, to.fingerprint, slot);
            self.messages[slot].entry = entry;
        }
    }

    /// Whether a queue generated the id that this very message has.
    fn is_home(&self, slot: u32, queue: u32, id: &str) -> bool {
        let message = &self.messages[slot];
        let is_own = |number, open| number == message.number && open == message.open;
        self.parse_generated(queue, id)
            .is_some_and(|parsed| is_own(parsed.number, parsed.open))
    }
}
