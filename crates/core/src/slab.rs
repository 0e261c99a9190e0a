//! Storage with stable `u32` keys.
//!
//! A slab hands out the number of a slot for every value. Slots lie in pages of [`PAGE_SLOTS`], so
//! growing allocates one page and never copies the values of others. The key of the next value
//! depends only on the inserts and removals before it (the slot freed last is filled first), so
//! equal inputs give equal keys on every target. Freed slots are kept for reuse.
//!
//! A key outlives its value: whoever keeps one across a removal must be told of that removal.

use std::ops::{Index, IndexMut};

use crate::meter;

/// Slots of one page.
pub const PAGE_SLOTS: usize = 1024;

/// The key that no slot has: the end of a list of keys.
pub const NONE: u32 = u32::MAX;

#[derive(Clone, Debug)]
enum Slot<T> {
    Taken(T),
    /// The slot that was freed before this one.
    Vacant(u32),
}

/// Values under stable keys.
#[derive(Clone, Debug)]
pub struct Slab<T> {
    pages: Vec<Vec<Slot<T>>>,
    /// The slot freed last.
    vacant: u32,
    /// Slots ever used; the next new one.
    used: u32,
    len: u32,
}

impl<T> Slab<T> {
    /// An empty slab, which has allocated nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            pages: Vec::new(),
            vacant: NONE,
            used: 0,
            len: 0,
        }
    }

    /// How many values there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there is no value.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Keeps a value and returns its key.
    ///
    /// # Panics
    /// When all keys below [`NONE`] are taken; the limits of the queues are far below that.
    pub fn insert(&mut self, value: T) -> u32 {
        self.len += 1;
        if self.vacant == NONE {
            return self.append(value);
        }
        let key = self.vacant;
        match std::mem::replace(self.slot_mut(key), Slot::Taken(value)) {
            Slot::Vacant(next) => self.vacant = next,
            Slot::Taken(_) => unreachable!("slot {key} is on the free list and taken"),
        }
        key
    }

    /// Takes a value out; its key may be handed out again.
    ///
    /// # Panics
    /// When the slot is vacant.
    pub fn remove(&mut self, key: u32) -> T {
        assert!(self.get(key).is_some(), "slot {key} is vacant");
        let next = self.vacant;
        let Slot::Taken(value) = std::mem::replace(self.slot_mut(key), Slot::Vacant(next)) else {
            unreachable!("slot {key} was taken a moment ago");
        };
        self.vacant = key;
        self.len -= 1;
        value
    }

    /// The value under a key, if there is one.
    #[must_use]
    pub fn get(&self, key: u32) -> Option<&T> {
        meter::look();
        let (page, place) = split(key);
        match self.pages.get(page)?.get(place)? {
            Slot::Taken(value) => Some(value),
            Slot::Vacant(_) => None,
        }
    }

    /// The value under a key, if there is one.
    #[must_use]
    pub fn get_mut(&mut self, key: u32) -> Option<&mut T> {
        meter::look();
        let (page, place) = split(key);
        match self.pages.get_mut(page)?.get_mut(place)? {
            Slot::Taken(value) => Some(value),
            Slot::Vacant(_) => None,
        }
    }

    /// All values by ascending key.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        (0..self.used).filter_map(|key| Some((key, self.get(key)?)))
    }

    /// One more than the highest key ever used: the end of a walk that is done in slices.
    #[must_use]
    pub const fn end(&self) -> u32 {
        self.used
    }

    /// Bytes allocated.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let slots: usize = self.pages.iter().map(Vec::capacity).sum();
        slots * size_of::<Slot<T>>() + self.pages.capacity() * size_of::<Vec<Slot<T>>>()
    }

    fn append(&mut self, value: T) -> u32 {
        let key = self.used;
        assert!(key != NONE, "a slab holds at most {NONE} values");
        let (page, place) = split(key);
        if place == 0 {
            // The first page grows with what is in it: most slabs of a small box stay far below one page.
            let capacity = if page == 0 { 0 } else { PAGE_SLOTS };
            self.pages.push(Vec::with_capacity(capacity));
        }
        self.pages[page].push(Slot::Taken(value));
        self.used += 1;
        key
    }

    fn slot_mut(&mut self, key: u32) -> &mut Slot<T> {
        let (page, place) = split(key);
        &mut self.pages[page][place]
    }
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Index<u32> for Slab<T> {
    type Output = T;

    fn index(&self, key: u32) -> &T {
        self.get(key)
            .unwrap_or_else(|| panic!("slot {key} is vacant"))
    }
}

impl<T> IndexMut<u32> for Slab<T> {
    fn index_mut(&mut self, key: u32) -> &mut T {
        self.get_mut(key)
            .unwrap_or_else(|| panic!("slot {key} is vacant"))
    }
}

const fn split(key: u32) -> (usize, usize) {
    (key as usize / PAGE_SLOTS, key as usize % PAGE_SLOTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_ascend_across_pages_and_values_stay_under_them() {
        let mut slab = Slab::new();
        let count = 3 * PAGE_SLOTS as u32 + 5;
        for value in 0..count {
            assert_eq!(slab.insert(value * 7), value);
        }
        assert_eq!(slab.len(), count as usize);
        assert_eq!(slab.end(), count);
        assert!((0..count).all(|key| slab[key] == key * 7));
        assert!(slab.iter().map(|(key, _)| key).eq(0..count));
    }

    #[test]
    fn growing_leaves_earlier_pages_where_they_are() {
        let mut slab = Slab::new();
        for value in 0..2 * PAGE_SLOTS {
            slab.insert(value);
        }
        let before: Vec<*const usize> = slab
            .iter()
            .map(|(_, value)| std::ptr::from_ref(value))
            .collect();
        for value in 0..10 * PAGE_SLOTS {
            slab.insert(value);
        }
        let after = slab.iter().map(|(_, value)| std::ptr::from_ref(value));
        assert!(before.into_iter().eq(after.take(2 * PAGE_SLOTS)));
    }

    #[test]
    fn the_slot_freed_last_is_filled_first() {
        let mut slab = Slab::new();
        for value in ["a", "b", "c", "d"] {
            slab.insert(value);
        }
        assert_eq!(slab.remove(1), "b");
        assert_eq!(slab.remove(3), "d");
        assert_eq!((slab.len(), slab.get(1), slab.get(3)), (2, None, None));
        assert!(slab.iter().eq([(0, &"a"), (2, &"c")]));
        assert_eq!(
            [slab.insert("e"), slab.insert("f"), slab.insert("g")],
            [3, 1, 4]
        );
        assert_eq!([slab[1], slab[3], slab[4]], ["f", "e", "g"]);
    }

    #[test]
    fn values_change_in_place() {
        let mut slab = Slab::new();
        let key = slab.insert(1);
        slab[key] += 1;
        *slab.get_mut(key).expect("was inserted") += 1;
        assert_eq!(slab[key], 3);
        assert_eq!(slab.get_mut(key + 1), None);
    }

    #[test]
    #[should_panic(expected = "slot 0 is vacant")]
    fn a_vacant_slot_cannot_be_read() {
        let mut slab = Slab::new();
        let key = slab.insert(());
        slab.remove(key);
        let () = slab[key];
    }

    #[test]
    #[should_panic(expected = "slot 7 is vacant")]
    fn a_slot_is_freed_once() {
        Slab::<u8>::new().remove(7);
    }
}
