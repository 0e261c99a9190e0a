//! From a hash to a slot, for keys that live in the caller's slab.
//!
//! An index stores nothing but slot numbers, about 6 to 11 bytes each; the caller compares keys and
//! tells hashes again when a table grows. It is cut into [`SHARDS`] tables, so one insert moves at
//! most 1/192 of a large index; and some tables get twice as much as others, so that they do not all
//! grow while the same few messages are accepted. It cannot be iterated: no decision can depend on the
//! order in which a table keeps its entries.

use hashbrown::HashTable;

/// Tables of one index.
pub const SHARDS: usize = 256;

/// Slots by hash. Hashes must be well spread in all bits (keyed hashes are).
#[derive(Clone, Debug)]
pub struct Index {
    shards: Box<[HashTable<u32>]>,
    len: usize,
}

impl Index {
    /// An empty index of empty tables.
    #[must_use]
    pub fn new() -> Self {
        Self {
            shards: std::iter::repeat_with(HashTable::new)
                .take(SHARDS)
                .collect(),
            len: 0,
        }
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
        self.shards[shard(hash)]
            .find(hash, |&slot| is_it(slot))
            .copied()
    }

    /// Adds a slot that is not in the index yet. `rehash` tells the hash of any slot in it.
    pub fn insert(&mut self, hash: u64, slot: u32, rehash: impl Fn(u32) -> u64) {
        self.shards[shard(hash)].insert_unique(hash, slot, |&slot| rehash(slot));
        self.len += 1;
    }

    /// Takes a slot out; false if it was not there.
    pub fn remove(&mut self, hash: u64, slot: u32) -> bool {
        match self.shards[shard(hash)].find_entry(hash, |&held| held == slot) {
            Ok(entry) => {
                entry.remove();
                self.len -= 1;
                true
            }
            Err(_) => false,
        }
    }

    /// Bytes allocated.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let tables: usize = self.shards.iter().map(HashTable::allocation_size).sum();
        tables + SHARDS * size_of::<HashTable<u32>>()
    }
}

impl Default for Index {
    fn default() -> Self {
        Self::new()
    }
}

/// A hash for keys that are numbered one after the other (the odd constant of Fibonacci hashing).
#[must_use]
pub const fn spread(number: u64) -> u64 {
    number.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// Which table: from the bits 32 to 55, which a table does not use itself. It takes its buckets from the
/// low bits and its one-byte tags from the highest seven of a machine word (57 to 63, or 25 to 31
/// where words have 32 bits). Equal tags throughout a shard would make every probe compare keys.
///
/// Of a fraction `u`, which is spread evenly, it takes `sqrt(1 + 3u) - 1`: the last tables get twice as
/// much as the first ones, and in between it grows evenly, so each of them is full at another size of
/// the index.
const fn shard(hash: u64) -> usize {
    const ONE: u32 = 1 << 24;
    let fraction = (hash >> 32) as u32 % ONE;
    // SHARDS² is 2^16, of which the root is SHARDS.
    let root = ((ONE + 3 * fraction) >> 8).isqrt();
    root as usize - SHARDS
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spreads small numbers over all bits (the finaliser of `MurmurHash3`).
    fn spread(key: u32) -> u64 {
        let mut hash = u64::from(key).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
        hash ^ hash >> 33
    }

    #[test]
    fn slots_are_found_until_they_are_removed() {
        let mut index = Index::new();
        for slot in 0..20_000 {
            index.insert(spread(slot), slot, spread);
        }
        assert_eq!(index.len(), 20_000);
        for slot in (0..20_000).step_by(2) {
            assert!(index.remove(spread(slot), slot));
            assert!(
                !index.remove(spread(slot), slot),
                "slot {slot} was removed before"
            );
        }
        assert_eq!(index.len(), 10_000);
        for slot in 0..20_000 {
            let expected = (slot % 2 == 1).then_some(slot);
            assert_eq!(index.find(spread(slot), |found| found == slot), expected);
        }
    }

    #[test]
    fn equal_hashes_are_told_apart_by_their_keys() {
        let mut index = Index::new();
        (0..100).for_each(|slot| index.insert(42, slot, |_| 42));
        assert!((0..100).all(|slot| index.find(42, |found| found == slot) == Some(slot)));
        assert!(index.remove(42, 50));
        assert_eq!(index.find(42, |found| found == 50), None);
        assert_eq!(index.find(42, |found| found == 51), Some(51));
    }

    #[test]
    fn growing_moves_one_shard_at_a_time() {
        let mut index = Index::new();
        let mut most_moved = 0;
        for slot in 0..100_000 {
            let moved = std::cell::Cell::new(0);
            index.insert(spread(slot), slot, |slot| {
                moved.set(moved.get() + 1);
                spread(slot)
            });
            most_moved = most_moved.max(moved.get());
        }
        let shard_on_average = 100_000 / SHARDS;
        assert!(
            most_moved <= 2 * shard_on_average,
            "one insert moved {most_moved} slots"
        );
    }

    #[test]
    fn shards_grow_one_after_the_other() {
        let mut index = Index::new();
        let mut most = 0.0_f64;
        let mut moved_before = 0;
        let moved = std::cell::Cell::new(0);
        for slot in 0..400_000 {
            index.insert(spread(slot), slot, |slot| {
                moved.set(moved.get() + 1);
                spread(slot)
            });
            if slot % 5_000 == 0 && slot >= 100_000 {
                let share = f64::from(moved.get() - moved_before) / f64::from(slot);
                most = most.max(share);
            }
            if slot % 5_000 == 0 {
                moved_before = moved.get();
            }
        }
        assert!(most > 0.0, "some shard has grown");
        assert!(most < 0.2, "5,000 inserts moved {most} of all slots");
    }

    #[test]
    fn a_search_compares_few_keys() {
        let mut index = Index::new();
        (0..100_000).for_each(|slot| index.insert(spread(slot), slot, spread));
        let mut compared = 0;
        for absent in 100_000..110_000 {
            let found = index.find(spread(absent), |_| {
                compared += 1;
                false
            });
            assert_eq!(found, None);
        }
        assert!(
            compared < 4_000,
            "10,000 searches for absent keys compared {compared} keys"
        );
    }

    #[test]
    fn an_index_of_slots_stays_small() {
        let mut index = Index::new();
        (0..200_000).for_each(|slot| index.insert(spread(slot), slot, spread));
        let bytes = index.memory_bytes() / index.len();
        assert!((5..=13).contains(&bytes), "{bytes} bytes a slot");
    }
}
