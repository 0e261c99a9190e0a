//! From a hash to a slot, for keys that live in the caller's slab.
//!
//! An index keeps 32 bits of each hash beside the slot, so it asks its caller for nothing but whether a
//! slot is the one that is looked for. It is a linear hash (see `buckets`): an insert looks at a few
//! others at every size, and nothing is ever moved as a whole. Each slot below the highest one takes eight
//! bytes, and each that is in the index three more. It cannot be iterated: no decision can depend on
//! the order in which it keeps its entries.

use crate::buckets::{Buckets, Links};
use crate::slab::NONE;

/// Links of one page.
const PAGE: usize = 1_024;

/// Slots by hash. The upper half of a hash must be well spread in all bits.
#[derive(Clone, Debug, Default)]
pub struct Index {
    links: Pages,
    buckets: Buckets,
    len: usize,
}

/// What is kept of each slot.
#[derive(Clone, Copy, Debug)]
struct Link {
    hash: u32,
    next: u32,
}

/// Links by slot.
#[derive(Clone, Debug, Default)]
struct Pages {
    /// All but the last one are full.
    pages: Vec<Vec<Link>>,
}

impl Index {
    /// An empty index, which has allocated nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many slots it holds.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The slot with this hash whose key `is_it` recognises.
    pub fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let kept = kept_of(hash);
        let links = &self.links;
        self.buckets.find(links, filing(kept), |slot| {
            links.at(slot).hash == kept && is_it(slot)
        })
    }

    /// Adds a slot that is not in the index yet.
    pub fn insert(&mut self, hash: u64, slot: u32) {
        self.links.keep(slot, kept_of(hash));
        self.len += 1;
        self.buckets.insert(&mut self.links, slot, self.len);
    }

    /// Takes a slot out; false if it was not there.
    pub fn remove(&mut self, slot: u32) -> bool {
        let was_there = self.links.holds(slot) && self.buckets.remove(&mut self.links, slot);
        self.len -= usize::from(was_there);
        was_there
    }

    /// Bytes allocated.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.links.memory_bytes() + self.buckets.memory_bytes()
    }
}

/// A hash for keys that are numbered one after the other (the odd constant of Fibonacci hashing).
#[must_use]
pub const fn spread(number: u64) -> u64 {
    number.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

impl Pages {
    /// Notes the hash of a slot.
    fn keep(&mut self, slot: u32, hash: u32) {
        let (page, place) = split(slot);
        while self.pages.len() <= page {
            if let Some(last) = self.pages.last_mut() {
                last.resize(PAGE, Link::NONE);
            }
            // The first page grows with what is in it: most indexes of a small box stay far below one page.
            let capacity = if self.pages.is_empty() { 0 } else { PAGE };
            self.pages.push(Vec::with_capacity(capacity));
        }
        let links = &mut self.pages[page];
        if links.len() <= place {
            links.resize(place + 1, Link::NONE);
        }
        links[place].hash = hash;
    }

    /// Whether anything was ever kept of a slot.
    fn holds(&self, slot: u32) -> bool {
        let (page, place) = split(slot);
        self.pages
            .get(page)
            .is_some_and(|links| place < links.len())
    }

    fn at(&self, slot: u32) -> Link {
        // The length of one chain is chance, which would drown what tests of the engine count.
        #[cfg(test)]
        crate::meter::look();
        let (page, place) = split(slot);
        self.pages[page][place]
    }

    fn memory_bytes(&self) -> usize {
        let links: usize = self.pages.iter().map(Vec::capacity).sum();
        links * size_of::<Link>() + self.pages.capacity() * size_of::<Vec<Link>>()
    }
}

impl Links for Pages {
    fn hash(&self, key: u32) -> u64 {
        filing(self.at(key).hash)
    }

    fn next(&self, key: u32) -> u32 {
        self.at(key).next
    }

    fn set_next(&mut self, key: u32, next: u32) {
        let (page, place) = split(key);
        self.pages[page][place].next = next;
    }
}

impl Link {
    const NONE: Self = Self {
        hash: 0,
        next: NONE,
    };
}

/// The half of a hash that is kept, its highest bit lowest: what [`spread`] makes of numbers however far
/// apart differs most in its highest bits, and chains are told apart by the lowest ones that are kept.
const fn kept_of(hash: u64) -> u32 {
    hash.reverse_bits() as u32
}

/// Chains tell buckets apart by low bits, and what is in them by high ones.
const fn filing(hash: u32) -> u64 {
    (hash as u64) << 32 | hash as u64
}

const fn split(slot: u32) -> (usize, usize) {
    (slot as usize / PAGE, slot as usize % PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter;

    /// Spreads small numbers over all bits (the finaliser of `MurmurHash3`).
    fn mixed(key: u32) -> u64 {
        let mut hash = u64::from(key).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
        hash ^ hash >> 33
    }

    fn filled(count: u32) -> Index {
        let mut index = Index::new();
        (0..count).for_each(|slot| index.insert(mixed(slot), slot));
        index
    }

    #[test]
    fn slots_are_found_until_they_are_removed() {
        let mut index = filled(20_000);
        assert_eq!(index.len(), 20_000);
        for slot in (0..20_000).step_by(2) {
            assert!(index.remove(slot));
            assert!(!index.remove(slot), "slot {slot} was removed before");
        }
        assert_eq!(index.len(), 10_000);
        for slot in 0..20_000 {
            let expected = (slot % 2 == 1).then_some(slot);
            assert_eq!(index.find(mixed(slot), |found| found == slot), expected);
        }
        assert!(!index.remove(20_000), "it was never there");
    }

    #[test]
    fn a_slot_comes_again_under_another_hash() {
        let mut index = filled(100);
        assert!(index.remove(7));
        index.insert(mixed(1_000), 7);
        assert_eq!(index.find(mixed(1_000), |_| true), Some(7));
        assert_eq!(index.find(mixed(7), |found| found == 7), None);
    }

    #[test]
    fn slots_come_in_any_order() {
        let mut index = Index::new();
        for slot in (0..5_000).rev().map(|slot| slot * 3) {
            index.insert(mixed(slot), slot);
        }
        for slot in 0..15_000 {
            let expected = (slot % 3 == 0).then_some(slot);
            assert_eq!(index.find(mixed(slot), |found| found == slot), expected);
        }
        assert!(!index.remove(1), "it was passed over");
    }

    #[test]
    fn equal_hashes_are_told_apart_by_their_keys() {
        let mut index = Index::new();
        (0..100).for_each(|slot| index.insert(42, slot));
        assert!((0..100).all(|slot| index.find(42, |found| found == slot) == Some(slot)));
        assert!(index.remove(50));
        assert_eq!(index.find(42, |found| found == 50), None);
        assert_eq!(index.find(42, |found| found == 51), Some(51));
    }

    #[test]
    fn an_insert_looks_at_a_few_others_at_every_size() {
        let mut index = Index::new();
        let mut most = 0;
        for slot in 0..400_000 {
            let before = meter::looks();
            index.insert(mixed(slot), slot);
            most = most.max(meter::looks() - before);
        }
        assert!(most > 0, "looks are counted");
        assert!(most < 50, "one insert took {most} looks");
    }

    #[test]
    fn numbers_fill_all_chains_alike_however_far_apart() {
        for step in [1, 2, 3, 1_000, 1 << 10, 1 << 16, 1 << 20] {
            let mut index = Index::new();
            let number = |slot: u32| spread(u64::from(slot) * step);
            (0..50_000).for_each(|slot| index.insert(number(slot), slot));
            let before = meter::looks();
            for slot in 0..50_000 {
                assert_eq!(index.find(number(slot), |found| found == slot), Some(slot));
            }
            let looks = meter::looks() - before;
            assert!(
                looks < 400_000,
                "50,000 searches for every {step}th number took {looks} looks"
            );
        }
    }

    #[test]
    fn a_search_compares_few_keys() {
        let index = filled(100_000);
        let mut compared = 0;
        for absent in 100_000..110_000 {
            let found = index.find(mixed(absent), |_| {
                compared += 1;
                false
            });
            assert_eq!(found, None);
        }
        assert!(
            compared < 10,
            "10,000 searches for absent keys compared {compared} keys"
        );
    }

    #[test]
    fn an_index_of_slots_stays_small() {
        let index = filled(200_000);
        let bytes = index.memory_bytes() / index.len();
        assert!((5..=13).contains(&bytes), "{bytes} bytes a slot");
        assert_eq!(Index::new().memory_bytes(), 0, "an empty one takes nothing");
    }
}
