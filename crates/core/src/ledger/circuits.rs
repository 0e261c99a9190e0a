//! Circuits that are not closed, as the journal keeps them: by queue, name of their workers and
//! destination.
//!
//! What a circuit is like is opaque here. One that is written with nothing is forgotten.

use std::rc::Rc;

use super::Ledger;
use super::kept::{Kept, ValveKey};
use super::recorder::{Note, Recorder};
use super::replay::Replayed;
use crate::journal::{Place, Record};

/// All saved circuits.
pub(super) type Circuits = Kept<Rc<[u8]>>;

impl Ledger {
    /// Saves how a circuit is; with an empty state it is forgotten.
    pub fn save_circuit(&mut self, key: ValveKey, state: &[u8], out: &mut impl Recorder) {
        if state.is_empty() && self.circuits.find(&key).is_none() {
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
        let saved = self.circuits.of(queue, worker);
        saved
            .map(|(destination, state)| (Rc::clone(destination), Rc::clone(state)))
            .collect()
    }

    pub(super) fn replay_circuit(&mut self, key: ValveKey, state: &[u8], place: Place) -> Replayed {
        self.queue_known(key.0)?;
        if let Some(number) = self.keep_circuit(key, state) {
            self.place_circuit(number, place);
        }
        Ok(())
    }

    /// Writes a saved circuit again, since the segment of its record is cleaned; returns how many bytes
    /// it takes.
    pub fn rewrite_circuit(&mut self, number: u64, out: &mut impl Recorder) -> usize {
        self.live_bytes -= self.circuits.unplace(number);
        let (key, state) = self.circuits.get(number).expect("it has a place");
        let record = Record::Circuit {
            queue: key.0,
            worker: &key.1,
            destination: &key.2,
            state,
        };
        out.write(&record, Note::Circuit { circuit: number });
        out.last_payload().len()
    }

    /// A record of a saved circuit has its place.
    pub(super) fn place_circuit(&mut self, number: u64, place: Place) {
        let (more, less) = self.circuits.place(number, place);
        self.live_bytes = self.live_bytes + more - less;
    }

    /// Takes the state of a circuit in place of an earlier one. None: it is forgotten.
    fn keep_circuit(&mut self, key: ValveKey, state: &[u8]) -> Option<u64> {
        if let Some(old) = self.circuits.find(&key) {
            self.live_bytes -= self.circuits.remove(old);
        }
        (!state.is_empty()).then(|| self.circuits.insert(key, Rc::from(state)))
    }
}
