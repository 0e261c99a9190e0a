//! Ordering groups of one queue: FIFO within a group, one in flight.
//!
//! A group exists while it has members: unfinished messages, and dead letters that hold it back, by
//! order. The first one is its head. Only the head may become claimable, only while nothing of the
//! group is in flight, and not while it is dead.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::index::Index;
use crate::ledger::names::text_hash;
use crate::slab::Slab;

/// One group.
#[derive(Debug)]
pub(super) struct Group {
    name: Rc<str>,
    members: Members,
    /// Deliveries in flight that the group waits for, message or not (at-most-once).
    in_flight: u32,
    /// Members that are due and wait behind the head, as of the purge count `epoch`.
    parked: u32,
    epoch: u32,
    /// Dead letters of the group, members or not.
    dead: u32,
}

/// Messages of one group in their order. Most groups have one at a time, which allocates nothing.
#[derive(Debug, Default)]
struct Members {
    head: Option<(u64, u32)>,
    /// All but the head.
    behind: BTreeMap<u64, u32>,
}

/// The groups of a queue.
#[derive(Debug, Default)]
pub struct Groups {
    groups: Slab<Group>,
    index: Index,
    /// Parked members of groups with a delivery in flight.
    behind: u64,
    /// How often the queue was purged: parked members of an earlier epoch are gone.
    epoch: u32,
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
            members: Members::default(),
            in_flight: 0,
            parked: 0,
            epoch: self.epoch,
            dead: 0,
        });
        self.index.insert(hash, slot);
        slot
    }

    /// A group's name.
    #[must_use]
    pub fn name(&self, group: u32) -> Rc<str> {
        Rc::clone(&self.groups[group].name)
    }

    /// Adds a message; returns the head that it displaced, if it comes before it.
    pub fn join(&mut self, group: u32, order: u64, slot: u32) -> Option<u32> {
        self.groups[group].members.insert(order, slot)
    }

    /// Who stands at this place of a group.
    #[must_use]
    pub fn member(&self, group: u32, order: u64) -> Option<u32> {
        self.groups[group].members.get(order)
    }

    /// Removes a message.
    pub fn part(&mut self, group: u32, order: u64) {
        self.groups[group].members.remove(order);
    }

    /// The first member.
    #[must_use]
    pub fn head(&self, group: u32) -> Option<u32> {
        self.groups[group].members.head.map(|(_, slot)| slot)
    }

    /// Whether its head may be claimed, if that waits.
    #[must_use]
    pub fn is_free(&self, group: u32) -> bool {
        self.groups[group].in_flight == 0 || bug!("group-two-in-flight")
    }

    /// A delivery of the group starts.
    pub fn start(&mut self, group: u32) {
        let group = current(&mut self.groups, self.epoch, group);
        group.in_flight += 1;
        if group.in_flight == 1 {
            self.behind += u64::from(group.parked);
        }
    }

    /// A delivery of the group is over.
    pub fn end(&mut self, group: u32) {
        let group = current(&mut self.groups, self.epoch, group);
        group.in_flight -= 1;
        if group.in_flight == 0 {
            self.behind -= u64::from(group.parked);
        }
    }

    /// A member that is due waits behind the head.
    pub fn park(&mut self, group: u32) {
        let group = current(&mut self.groups, self.epoch, group);
        group.parked += 1;
        self.behind += u64::from(group.in_flight > 0);
    }

    /// A parked member goes on, or leaves.
    pub fn unpark(&mut self, group: u32) {
        let group = current(&mut self.groups, self.epoch, group);
        group.parked -= 1;
        self.behind -= u64::from(group.in_flight > 0);
    }

    /// All parked members are gone at once.
    pub fn purge(&mut self) {
        self.behind = 0;
        self.epoch += 1;
    }

    /// Whether a due message waits for nothing but the end of a delivery that is in flight.
    #[must_use]
    pub fn wait_for_delivery(&self) -> bool {
        self.behind > 0
    }

    /// A message became a dead letter: it stays a member if it holds back what is behind it.
    pub fn bury(&mut self, group: u32, order: u64, slot: u32, blocks: bool) {
        let group = &mut self.groups[group];
        group.dead += 1;
        if blocks {
            group.members.insert(order, slot);
        } else {
            group.members.remove(order);
        }
    }

    /// A dead letter lives again or is gone.
    pub fn unbury(&mut self, group: u32) {
        self.groups[group].dead -= 1;
    }

    /// Forgets the group if nothing needs it.
    pub fn tidy(&mut self, group: u32) {
        let entry = &self.groups[group];
        if entry.members.head.is_none() && entry.in_flight == 0 && entry.dead == 0 {
            self.index.remove(group);
            self.groups.remove(group);
        }
    }
}

impl Members {
    /// Adds one, or replaces who stands there; returns the head that it displaced, if it comes before it.
    fn insert(&mut self, order: u64, slot: u32) -> Option<u32> {
        match self.head {
            Some((first, _)) if order > first => {
                self.behind.insert(order, slot);
                None
            }
            Some((first, old)) if order < first => {
                self.behind.insert(first, old);
                self.head = Some((order, slot));
                Some(old)
            }
            _ => {
                self.head = Some((order, slot));
                None
            }
        }
    }

    fn remove(&mut self, order: u64) {
        if self.head.is_some_and(|(first, _)| first == order) {
            self.head = self.behind.pop_first();
        } else {
            self.behind.remove(&order);
        }
    }

    fn get(&self, order: u64) -> Option<u32> {
        match self.head {
            Some((first, slot)) if first == order => Some(slot),
            _ => self.behind.get(&order).copied(),
        }
    }
}

/// A group, without what was purged meanwhile.
fn current(groups: &mut Slab<Group>, epoch: u32, group: u32) -> &mut Group {
    let group = &mut groups[group];
    if group.epoch != epoch {
        (group.epoch, group.parked) = (epoch, 0);
    }
    group
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_forgotten_once_nothing_needs_it() {
        let mut groups = Groups::default();
        let group = groups.ensure("g");
        groups.join(group, 1, 7);
        groups.tidy(group);
        groups.start(group);
        groups.part(group, 1);
        groups.tidy(group);
        groups.bury(group, 1, 7, false);
        groups.end(group);
        groups.tidy(group);
        assert_eq!(&*groups.name(group), "g", "a dead letter has its name");
        groups.unbury(group);
        groups.tidy(group);
        assert_eq!(groups.groups.len(), 0);
    }
}
