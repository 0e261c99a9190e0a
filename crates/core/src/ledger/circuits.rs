//! Circuits that are not closed, as the journal keeps them: by queue, name of their workers and
//! destination.
//!
//! What a circuit is like is opaque here. One that is written with nothing is forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::recorder::{Note, Recorder};
use super::replay::Replayed;
use super::{Ledger, stored_bytes};
use crate::journal::{Place, Record};

/// Queue, name of workers, destination (empty for none).
pub type CircuitKey = (u32, Rc<str>, Rc<str>);

#[derive(Debug)]
struct Saved {
    key: CircuitKey,
    state: Rc<[u8]>,
    place: Place,
}

/// All saved circuits.
#[derive(Debug, Default)]
pub(super) struct Circuits {
    /// By a number that no other one ever had.
    saved: BTreeMap<u64, Saved>,
    by_key: BTreeMap<CircuitKey, u64>,
    places: BTreeSet<(Place, u64)>,
    last: u64,
}

impl Ledger {
    /// Saves how a circuit is; with an empty state it is forgotten.
    pub fn save_circuit(&mut self, key: CircuitKey, state: &[u8], out: &mut impl Recorder) {
        if state.is_empty() && !self.circuits.by_key.contains_key(&key) {
            return;
        }
        let number = self.keep_circuit(key.clone(), state);
        let (queue, worker, destination) = (key.0, &*key.1, &*key.2);
        let record = Record::Circuit {
            queue,
            worker,
            destination,
            state,
        };
        let note = number.map_or(Note::None, |circuit| Note::Circuit { circuit });
        out.write(&record, note);
    }

    /// The saved circuits of workers of one name: destinations and states.
    #[must_use]
    pub fn circuits_of(&self, queue: u32, worker: &str) -> Vec<(Rc<str>, Rc<[u8]>)> {
        let circuits = &self.circuits;
        let from: CircuitKey = (queue, Rc::from(worker), Rc::from(""));
        let keys = circuits.by_key.range(from..);
        keys.take_while(|((of, name, _), _)| *of == queue && **name == *worker)
            .map(|((.., destination), number)| {
                let state = &circuits.saved[number].state;
                (Rc::clone(destination), Rc::clone(state))
            })
            .collect()
    }

    pub(super) fn replay_circuit(
        &mut self,
        key: CircuitKey,
        state: &[u8],
        place: Place,
    ) -> Replayed {
        self.queue_known(key.0)?;
        if let Some(number) = self.keep_circuit(key, state) {
            self.place_circuit(number, place);
        }
        Ok(())
    }

    /// The oldest record of a saved circuit, if it lies in this segment or before.
    #[must_use]
    pub(super) fn oldest_circuit(&self, segment: u32) -> Option<u64> {
        let (place, number) = self.circuits.places.first()?;
        (place.segment <= segment).then_some(*number)
    }

    /// Writes a saved circuit again, since the segment of its record is cleaned; returns how many bytes
    /// it takes.
    pub fn rewrite_circuit(&mut self, number: u64, out: &mut impl Recorder) -> usize {
        self.unplace_circuit(number);
        let saved = &self.circuits.saved[&number];
        let (queue, worker, destination) = &saved.key;
        let record = Record::Circuit {
            queue: *queue,
            worker,
            destination,
            state: &saved.state,
        };
        out.write(&record, Note::Circuit { circuit: number });
        out.last_payload().len()
    }

    /// A record of a saved circuit has its place.
    pub(super) fn place_circuit(&mut self, number: u64, place: Place) {
        if self.circuits.saved.contains_key(&number) {
            self.unplace_circuit(number);
            self.circuits.places.insert((place, number));
            self.live_bytes += stored_bytes(place);
            let saved = self.circuits.saved.get_mut(&number);
            saved.expect("looked up just now").place = place;
        }
    }

    fn unplace_circuit(&mut self, number: u64) {
        let Some(saved) = self.circuits.saved.get_mut(&number) else {
            return;
        };
        let old = std::mem::take(&mut saved.place);
        if self.circuits.places.remove(&(old, number)) {
            self.live_bytes -= stored_bytes(old);
        }
    }

    /// Takes the state of a circuit in place of an earlier one. None: it is forgotten.
    fn keep_circuit(&mut self, key: CircuitKey, state: &[u8]) -> Option<u64> {
        if let Some(old) = self.circuits.by_key.remove(&key) {
            self.unplace_circuit(old);
            self.circuits.saved.remove(&old);
        }
        if state.is_empty() {
            return None;
        }
        self.circuits.last += 1;
        let number = self.circuits.last;
        let saved = Saved {
            key: key.clone(),
            state: Rc::from(state),
            place: Place::default(),
        };
        self.circuits.saved.insert(number, saved);
        self.circuits.by_key.insert(key, number);
        Some(number)
    }
}
