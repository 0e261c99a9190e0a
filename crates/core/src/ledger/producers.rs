//! Numbered producers: which of their sequences were accepted, for ever.
//!
//! A producer numbers what it sends from 1, without gaps, though not always in order. All up to its
//! watermark were accepted; which of the [`AHEAD_MAX`] behind that, bits tell. Opening a producer raises
//! its epoch, and whoever holds an older one is fenced.
//!
//! The record of a producer holds its whole state; each sequence has a small one beside its message. When
//! the segment with the former is cleaned it is written again, with what the latter have added since.

mod producer;
mod table;

use super::recorder::{Note, Recorder};
use super::{Ledger, stored_bytes};
use crate::error::{ErrorCode, Failure};
use crate::journal::{Place, Record};

pub use producer::AHEAD_MAX;
use producer::Producer;
use table::PRODUCERS_MAX;
pub use table::Producers;

impl Ledger {
    /// Opens the producer with this name, which fences its older handles; gives its number.
    pub fn open_producer(&mut self, name: &str, out: &mut impl Recorder) -> Result<u32, Failure> {
        let producers = &mut self.producers;
        let producer = match producers.find(&self.hash_key, name) {
            Some(known) => known,
            None => {
                let number = producers.end();
                if number >= PRODUCERS_MAX {
                    let message = format!("a box keeps at most {PRODUCERS_MAX} producers");
                    return Err(Failure::new(ErrorCode::QueueFull, message));
                }
                producers.insert(&self.hash_key, number, name);
                number
            }
        };
        self.producer_mut(producer).epoch += 1;
        self.write_producer(producer, out);
        Ok(producer)
    }

    /// A sequence of a producer was accepted.
    pub fn note_produced(&mut self, producer: u32, sequence: u64, out: &mut impl Recorder) {
        out.write(&Record::Produced { producer, sequence }, Note::None);
        self.producer_mut(producer).note(sequence);
    }

    /// Takes back that a sequence of a producer was accepted. Of several, the highest goes first.
    pub fn forget_produced(&mut self, producer: u32, sequence: u64) {
        self.producer_mut(producer).forget(sequence);
    }

    /// Writes the whole state of a producer.
    pub fn write_producer(&self, producer: u32, out: &mut impl Recorder) {
        let known = self.producers.get(producer);
        let known = known.expect("producers are kept for ever");
        let record = Record::Producer {
            producer,
            epoch: known.epoch,
            watermark: known.watermark,
            name: &known.name,
            ahead: &known.ahead_bytes(),
        };
        out.write(&record, Note::Producer { producer });
    }

    /// Writes a producer again, since the segment of its record is cleaned.
    pub fn rewrite_producer(&mut self, producer: u32, out: &mut impl Recorder) {
        let old = self.producers.unplace(producer);
        self.live_bytes -= stored_bytes(old);
        self.write_producer(producer, out);
    }

    /// The record of a producer has its place now.
    pub(super) fn place_producer(&mut self, producer: u32, place: Place) {
        let old = self.producers.unplace(producer);
        self.live_bytes -= stored_bytes(old);
        self.producers.place(producer, place);
        self.live_bytes += stored_bytes(place);
    }

    /// The state of a producer as it was written.
    pub(super) fn replay_producer(
        &mut self,
        record: &Record<'_>,
        place: Place,
    ) -> Result<(), &'static str> {
        let Record::Producer {
            producer,
            epoch,
            watermark,
            name,
            ahead,
        } = *record
        else {
            return Ok(());
        };
        if producer >= PRODUCERS_MAX {
            return Err("a producer beyond the highest number");
        }
        match self.producers.get(producer) {
            None if self.producers.find(&self.hash_key, name).is_some() => {
                return Err("a producer under another number");
            }
            None => self.producers.insert(&self.hash_key, producer, name),
            Some(known) if *known.name == *name => {}
            Some(_) => return Err("a producer under another name"),
        }
        self.producer_mut(producer)
            .restore(epoch, watermark, ahead)?;
        self.place_producer(producer, place);
        Ok(())
    }

    /// A sequence that was accepted. A producer that is not known comes later, with its whole state.
    pub(super) fn replay_produced(
        &mut self,
        producer: u32,
        sequence: u64,
    ) -> Result<(), &'static str> {
        let Some(known) = self.producers.get_mut(producer) else {
            return Ok(());
        };
        if sequence >= known.next() + AHEAD_MAX {
            return Err("a sequence that is too far ahead");
        }
        if !bug!("forget-sequences") {
            known.note(sequence);
        }
        Ok(())
    }

    fn producer_mut(&mut self, producer: u32) -> &mut Producer {
        let known = self.producers.get_mut(producer);
        known.expect("producers are kept for ever")
    }
}
