//! Doubly linked lists whose links lie in the entries: append, take out anywhere, read both ends,
//! each in O(1) and without memory of their own.

use super::entry::Entry;
use crate::slab::{NONE, Slab};

/// Which of an entry's two pairs of links a list uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Chain {
    /// The entries of a queue.
    Queue,
    /// The entries of the box that have a place in the journal.
    Journal,
}

/// Neighbours in one list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Links {
    pub(super) before: u32,
    pub(super) after: u32,
}

impl Links {
    /// Of an entry that is alone or in no list.
    pub(super) const NONE: Self = Self {
        before: NONE,
        after: NONE,
    };
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct List {
    first: u32,
    last: u32,
    len: u32,
}

impl List {
    pub(super) const fn len(&self) -> u32 {
        self.len
    }

    pub(super) const fn first(&self) -> Option<u32> {
        if self.first == NONE {
            None
        } else {
            Some(self.first)
        }
    }

    pub(super) const fn last(&self) -> Option<u32> {
        if self.last == NONE {
            None
        } else {
            Some(self.last)
        }
    }

    pub(super) fn append(&mut self, chain: Chain, entries: &mut Slab<Entry>, key: u32) {
        *entries[key].links_mut(chain) = Links {
            before: self.last,
            after: NONE,
        };
        match self.last {
            NONE => self.first = key,
            last => entries[last].links_mut(chain).after = key,
        }
        self.last = key;
        self.len += 1;
    }

    /// Takes out an entry that is in this list.
    pub(super) fn take(&mut self, chain: Chain, entries: &mut Slab<Entry>, key: u32) {
        let Links { before, after } = std::mem::replace(entries[key].links_mut(chain), Links::NONE);
        match before {
            NONE => self.first = after,
            before => entries[before].links_mut(chain).after = after,
        }
        match after {
            NONE => self.last = before,
            after => entries[after].links_mut(chain).before = before,
        }
        self.len -= 1;
    }
}

impl Default for List {
    fn default() -> Self {
        Self {
            first: NONE,
            last: NONE,
            len: 0,
        }
    }
}
