//! Numbered producers when an append failed clean.
//!
//! A producer of which a message is refused has to send it again, and what it sent behind that too: all
//! of its sequences that wait are refused, and none of them was ever accepted.

use std::collections::BTreeSet;

use super::Engine;
use super::producing::Produced;
use super::staging::{Gate, Retracted};
use crate::journal::Record;

/// The producers of which a message is gone, or was told to be the duplicate of one.
pub(super) fn producers_of(frames: &[Retracted], gone: &BTreeSet<u64>) -> BTreeSet<u32> {
    let refused = produced(frames).filter(|produced| gone.contains(&produced.number));
    refused.map(|produced| produced.producer).collect()
}

/// The messages that wait to be told as accepted by these producers.
pub(super) fn messages_of(
    frames: &[Retracted],
    producers: &BTreeSet<u32>,
) -> impl Iterator<Item = u64> {
    produced(frames)
        .filter(|produced| !produced.duplicate && producers.contains(&produced.producer))
        .map(|produced| produced.number)
}

/// The sequences that wait to be told.
pub(super) fn produced(frames: &[Retracted]) -> impl Iterator<Item = &Produced> {
    let gates = frames.iter().flat_map(|frame| &frame.gates);
    gates.filter_map(|gate| match gate {
        Gate::Produced(produced) => Some(&**produced),
        _ => None,
    })
}

impl Engine {
    /// Takes back every sequence of these producers that waits for the journal.
    pub(super) fn take_produced_back(&mut self, frames: &[Retracted], producers: &BTreeSet<u32>) {
        let records = frames.iter().flat_map(|frame| &frame.records);
        let mut sequences: Vec<(u32, u64)> = records
            .map(|(_, payload)| Record::decode(payload).expect("it was encoded by this run"))
            .filter_map(|record| match record {
                Record::Produced { producer, sequence } if producers.contains(&producer) => {
                    Some((producer, sequence))
                }
                _ => None,
            })
            .collect();
        sequences.sort_unstable();
        for (producer, sequence) in sequences.into_iter().rev() {
            self.ledger.forget_produced(producer, sequence);
        }
    }

    /// Refuses what these producers wait for, and corrects where they go on.
    pub(super) fn refuse_produced(
        &mut self,
        gate: Gate,
        producers: &BTreeSet<u32>,
    ) -> Option<Gate> {
        match gate {
            Gate::Produced(produced) if producers.contains(&produced.producer) => {
                self.refuse_for_room(produced.ticket, &produced.id);
                None
            }
            Gate::ProducerOpened(mut opened) if producers.contains(&opened.producer) => {
                let known = self.ledger.producers.get(opened.producer);
                opened.next = known.expect("producers are kept for ever").next();
                Some(Gate::ProducerOpened(opened))
            }
            gate => Some(gate),
        }
    }
}
