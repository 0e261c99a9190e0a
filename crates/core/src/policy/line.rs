//! Who waits in line for a retry budget: messages by number, the one that came first goes first.
//!
//! Whoever is at the head is called when there is room, and that room is kept for it: no other may take it
//! before it is forgotten. The line is told of no end of a message, so who calls looks whether there is still
//! somebody to be called. Then a message that is gone costs a place until it is at the head, and no room.

use std::collections::{BTreeMap, VecDeque};

use crate::time::Timestamp;

/// Calls that were forgotten and are cleared away with each new one: more than come.
const CLEARED_AT_ONCE: usize = 2;

/// Who waits, and who was called.
#[derive(Clone, Debug, Default)]
pub struct Line {
    /// By place: who, and when it asks again if it is not called.
    waiting: BTreeMap<u64, (u64, Timestamp)>,
    places: BTreeMap<u64, u64>,
    last_place: u64,
    /// By whom: the slot of time of the call.
    called: BTreeMap<u64, u64>,
    /// The same in the order of the calls.
    calls: VecDeque<(u64, u64)>,
}

impl Line {
    /// How many wait.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.waiting.len() as u64
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Who goes first, and when it asks again if it is not called.
    #[must_use]
    pub fn first(&self) -> Option<(u64, Timestamp)> {
        self.waiting.first_key_value().map(|(_, first)| *first)
    }

    /// Whether anybody goes before this one, which may be in line or not.
    #[must_use]
    pub fn has_before(&self, number: u64) -> bool {
        self.first().is_some_and(|(first, _)| first != number)
    }

    /// One joins at the end, or keeps its place, and asks again at `until`.
    pub fn wait(&mut self, number: u64, until: Timestamp) {
        let place = *self.places.entry(number).or_insert_with(|| {
            self.last_place += 1;
            self.last_place
        });
        self.waiting.insert(place, (number, until));
    }

    /// One leaves, for whatever reason.
    pub fn leave(&mut self, number: u64) {
        if let Some(place) = self.places.remove(&number) {
            self.waiting.remove(&place);
        }
    }

    /// One is called in this slot of time; calls of slots up to `forgotten` are forgotten.
    pub fn call(&mut self, number: u64, slot: u64, forgotten: Option<u64>) {
        for _ in 0..CLEARED_AT_ONCE {
            let oldest = self.calls.front().copied();
            let Some((at, who)) = oldest.filter(|(at, _)| Some(*at) <= forgotten) else {
                break;
            };
            self.calls.pop_front();
            if self.called.get(&who) == Some(&at) {
                self.called.remove(&who);
            }
        }
        self.leave(number);
        self.called.insert(number, slot);
        self.calls.push_back((slot, number));
    }

    /// Whether one was called after the slot of time `forgotten`.
    #[must_use]
    pub fn is_called(&self, number: u64, forgotten: Option<u64>) -> bool {
        let slot = self.called.get(&number);
        slot.is_some_and(|slot| Some(*slot) > forgotten)
    }

    /// One that was called goes. False if it was not, or that was forgotten.
    pub fn answer(&mut self, number: u64, forgotten: Option<u64>) -> bool {
        let is_called = self.is_called(number, forgotten);
        self.called.remove(&number);
        is_called
    }
}
