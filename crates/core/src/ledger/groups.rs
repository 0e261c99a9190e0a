//! Ordering groups of one queue: FIFO within a group, one in flight.
//!
//! A group exists while it has members. Its members are unfinished messages by order; the first is
//! its head. Only the head may become claimable, and only while nothing of the group is in flight
//! and no dead letter blocks it.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::index::Index;
use crate::ledger::names::text_hash;
use crate::slab::Slab;

/// One group.
#[derive(Debug)]
pub(super) struct Group {
    name: Rc<str>,
    members: BTreeMap<u64, u32>,
    /// Deliveries in flight that the group waits for, message or not (at-most-once).
    in_flight: u32,
    /// Dead letters of the group.
    dead: u32,
    /// Those of them that hold it back.
    blocked_by: u32,
}

/// The groups of a queue.
#[derive(Debug, Default)]
pub struct Groups {
    groups: Slab<Group>,
    index: Index,
}

impl Groups {
    /// Finds or creates a group.
    pub fn ensure(&mut self, name: &str) -> u32 {
        let hash = text_hash(name.as_bytes());
        if let Some(slot) = self
            .index
            .find(hash, |slot| &*self.groups[slot].name == name)
        {
            return slot;
        }
        let slot = self.groups.insert(Group {
            name: Rc::from(name),
            members: BTreeMap::new(),
            in_flight: 0,
            dead: 0,
            blocked_by: 0,
        });
        let groups = &self.groups;
        self.index
            .insert(hash, slot, |slot| text_hash(groups[slot].name.as_bytes()));
        slot
    }

    /// A group's name.
    #[must_use]
    pub fn name(&self, group: u32) -> Rc<str> {
        Rc::clone(&self.groups[group].name)
    }

    /// Adds a message; returns the head that it displaced, if it comes before it.
    pub fn join(&mut self, group: u32, order: u64, slot: u32) -> Option<u32> {
        let members = &mut self.groups[group].members;
        let old = members
            .first_key_value()
            .map(|(order, slot)| (*order, *slot));
        members.insert(order, slot);
        old.filter(|(first, _)| order < *first)
            .map(|(_, slot)| slot)
    }

    /// Removes a message.
    pub fn part(&mut self, group: u32, order: u64) {
        self.groups[group].members.remove(&order);
    }

    /// The first member.
    #[must_use]
    pub fn head(&self, group: u32) -> Option<u32> {
        self.groups[group]
            .members
            .first_key_value()
            .map(|(_, slot)| *slot)
    }

    /// Whether its head may be claimed.
    #[must_use]
    pub fn is_free(&self, group: u32) -> bool {
        let group = &self.groups[group];
        group.in_flight == 0 && group.blocked_by == 0
    }

    /// A delivery of the group starts.
    pub fn start(&mut self, group: u32) {
        self.groups[group].in_flight += 1;
    }

    /// A delivery of the group is over.
    pub fn end(&mut self, group: u32) {
        self.groups[group].in_flight -= 1;
    }

    /// A member became a dead letter, which may hold the group back.
    pub fn bury(&mut self, group: u32, blocks: bool) {
        self.groups[group].dead += 1;
        self.groups[group].blocked_by += u32::from(blocks);
    }

    /// That dead letter is gone.
    pub fn unbury(&mut self, group: u32, blocked: bool) {
        self.groups[group].dead -= 1;
        self.groups[group].blocked_by -= u32::from(blocked);
    }

    /// Forgets the group if nothing needs it.
    pub fn tidy(&mut self, group: u32) {
        let entry = &self.groups[group];
        if entry.members.is_empty() && entry.in_flight == 0 && entry.dead == 0 {
            let hash = text_hash(entry.name.as_bytes());
            self.index.remove(hash, group);
            self.groups.remove(group);
        }
    }
}
