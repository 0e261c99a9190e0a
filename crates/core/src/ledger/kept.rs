//! States that the journal keeps by queue, name of workers and destination: the last record of each
//! tells all of it.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::stored_bytes;
use crate::journal::Place;

/// Queue, name of workers, destination (empty for none).
pub type ValveKey = (u32, Rc<str>, Rc<str>);

#[derive(Debug)]
struct Entry<S> {
    key: ValveKey,
    state: S,
    place: Place,
}

/// States of one kind.
#[derive(Debug)]
pub(super) struct Kept<S> {
    /// By a number that no other one ever had.
    entries: BTreeMap<u64, Entry<S>>,
    by_key: BTreeMap<ValveKey, u64>,
    places: BTreeSet<(Place, u64)>,
    last: u64,
}

impl<S> Default for Kept<S> {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            by_key: BTreeMap::new(),
            places: BTreeSet::new(),
            last: 0,
        }
    }
}

impl<S> Kept<S> {
    /// Keeps a state, which has no place yet, under a number of its own.
    pub(super) fn insert(&mut self, key: ValveKey, state: S) -> u64 {
        self.last += 1;
        let place = Place::default();
        self.by_key.insert(key.clone(), self.last);
        self.entries.insert(self.last, Entry { key, state, place });
        self.last
    }

    /// Forgets one; returns how many bytes of records that frees.
    pub(super) fn remove(&mut self, number: u64) -> u64 {
        let freed = self.unplace(number);
        if let Some(entry) = self.entries.remove(&number) {
            self.by_key.remove(&entry.key);
        }
        freed
    }

    /// The number under which something is kept.
    pub(super) fn find(&self, key: &ValveKey) -> Option<u64> {
        self.by_key.get(key).copied()
    }

    /// What is kept under a number.
    pub(super) fn get(&self, number: u64) -> Option<(&ValveKey, &S)> {
        let entry = self.entries.get(&number)?;
        Some((&entry.key, &entry.state))
    }

    /// Everything of workers of one name: destinations and states.
    pub(super) fn of(&self, queue: u32, worker: &str) -> impl Iterator<Item = (&Rc<str>, &S)> {
        let from: ValveKey = (queue, Rc::from(worker), Rc::from(""));
        let name = Rc::clone(&from.1);
        let keys = self.by_key.range(from..);
        keys.take_while(move |((of, worker, _), _)| *of == queue && *worker == name)
            .map(|((.., destination), number)| (destination, &self.entries[number].state))
    }

    /// The oldest record, if it lies in this segment or before.
    pub(super) fn oldest(&self, segment: u32) -> Option<u64> {
        let (place, number) = self.places.first()?;
        (place.segment <= segment).then_some(*number)
    }

    /// A record has its place; returns how many bytes that takes more than before, and how many less.
    pub(super) fn place(&mut self, number: u64, place: Place) -> (u64, u64) {
        let freed = self.unplace(number);
        let Some(entry) = self.entries.get_mut(&number) else {
            return (0, freed);
        };
        entry.place = place;
        self.places.insert((place, number));
        (stored_bytes(place), freed)
    }

    /// A record is not needed any more; returns how many bytes that frees.
    pub(super) fn unplace(&mut self, number: u64) -> u64 {
        let Some(entry) = self.entries.get_mut(&number) else {
            return 0;
        };
        let old = std::mem::take(&mut entry.place);
        self.places.remove(&(old, number));
        stored_bytes(old)
    }
}
