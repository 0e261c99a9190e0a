//! Where the records of steps are in the journal, how cleaning moves them, and how they are replayed.
//!
//! Cleaning moves a message and its steps each by itself. Replay may therefore meet a step in front of its
//! message: it is a *stray* until that comes, or until it is known that the message has ended. Like any
//! other it has its place in the journal order, by which cleaning knows whether a segment is still needed.

use super::Gave;
use crate::journal::{Place, Record, StepResult};
use crate::ledger::recorder::{Note, Recorder};
use crate::ledger::replay::Replayed;
use crate::ledger::{Ledger, stored_bytes};
use crate::slab::NONE;

impl Ledger {
    /// The record of a step has its place.
    pub(in crate::ledger) fn place_step(
        &mut self,
        key: u32,
        number: u64,
        index: u32,
        place: Place,
    ) {
        if !self.is_step(key, number, index) {
            return;
        }
        self.link_step(key, place);
        self.steps.unplaced.remove(&key);
    }

    /// Puts a step at the end of the journal order.
    fn link_step(&mut self, key: u32, place: Place) {
        self.unlink_step(key);
        let tail = self.steps.tail;
        let step = &mut self.steps.all[key];
        step.place = place;
        step.moving = false;
        (step.before, step.after) = (tail, NONE);
        match tail {
            NONE => self.steps.head = key,
            tail => self.steps.all[tail].after = key,
        }
        self.steps.tail = key;
        self.live_bytes += stored_bytes(place);
    }

    /// Takes the record of a step out of the journal order, if it has a place.
    pub(super) fn unlink_step(&mut self, key: u32) {
        let step = &self.steps.all[key];
        let (before, after, place) = (step.before, step.after, step.place);
        if place.length == 0 {
            return;
        }
        self.live_bytes -= stored_bytes(place);
        match before {
            NONE => self.steps.head = after,
            before => self.steps.all[before].after = after,
        }
        match after {
            NONE => self.steps.tail = before,
            after => self.steps.all[after].before = before,
        }
    }

    /// The first of the steps whose records stand in this segment or before and are not on their way,
    /// behind the step `after` if one is given.
    pub(in crate::ledger) fn next_live_step(
        &self,
        segment: u32,
        after: Option<u32>,
    ) -> Option<u32> {
        let all = &self.steps.all;
        let mut key = after.map_or(self.steps.head, |key| all[key].after);
        while key != NONE && all[key].place.segment <= segment {
            if !all[key].moving {
                return Some(key);
            }
            key = all[key].after;
        }
        None
    }

    /// Whether the record of a step stands in this segment or before.
    pub(in crate::ledger) fn has_live_step(&self, segment: u32) -> bool {
        let head = self.steps.all.get(self.steps.head);
        head.is_some_and(|step| step.place.segment <= segment)
    }

    /// The record of a step is being read to be moved.
    pub fn begin_to_move_step(&mut self, key: u32) {
        self.steps.all[key].moving = true;
    }

    /// The record of a step stays where it is for now.
    pub fn leave_step(&mut self, key: u32) {
        self.steps.all[key].moving = false;
    }

    /// Writes a step again, since the segment of its record is cleaned. `payload` is that record.
    /// False: the bytes make no step.
    pub fn rewrite_step(&mut self, key: u32, payload: &[u8], out: &mut impl Recorder) -> bool {
        let Ok(record @ Record::Step { number, index, .. }) = Record::decode(payload) else {
            return false;
        };
        if self.is_step(key, number, index) {
            out.write(&record, Note::MovedStep { key, number, index });
        }
        true
    }

    /// Writes a step whose stored bytes are damaged again as a damaged one that keeps those bytes.
    pub fn rewrite_damaged_step(&mut self, key: u32, raw: &[u8], out: &mut impl Recorder) {
        let step = &mut self.steps.all[key];
        step.gave = Gave::Damaged;
        let (number, index) = (self.messages[step.slot].number, step.index);
        let record = Record::Step {
            number,
            index,
            name: &step.name,
            result: StepResult::Damaged(raw),
        };
        out.write(&record, Note::Step { key, number, index });
    }

    pub(in crate::ledger) fn replay_step(
        &mut self,
        slot: Option<u32>,
        record: &Record<'_>,
        place: Place,
    ) -> Replayed {
        let Record::Step {
            number,
            index,
            name,
            result,
        } = *record
        else {
            return Err("no step");
        };
        let (gave, bytes) = match result {
            StepResult::Value(bytes) => (Gave::Value, bytes),
            StepResult::Nothing => (Gave::Nothing, &[][..]),
            StepResult::Damaged(bytes) => (Gave::Damaged, bytes),
        };
        let known = match slot {
            Some(slot) => self.steps_of(slot),
            None => self
                .steps
                .strays
                .get(&number)
                .map_or(&[][..], Vec::as_slice),
        };
        let all = &self.steps.all;
        let known = known.iter().copied().find(|key| all[*key].index == index);
        if let Some(key) = known {
            // Cleaning has moved it.
            self.steps.all[key].gave = gave;
            self.link_step(key, place);
            return Ok(());
        }
        if slot.is_some_and(|slot| index < self.first_step(slot)) {
            return Ok(());
        }
        let bytes = u32::try_from(name.len() + bytes.len()).unwrap_or(u32::MAX);
        let key = self.insert_step(index, Box::from(name), gave, bytes);
        self.link_step(key, place);
        match slot {
            Some(slot) => self.attach_step(slot, key),
            None => self.steps.strays.entry(number).or_default().push(key),
        }
        Ok(())
    }

    /// A message was replayed from a record that says which of its steps are forgotten: those that came
    /// before it find it.
    pub(in crate::ledger) fn replay_steps_of(&mut self, slot: u32, first: u32) {
        if first > 0 {
            self.messages[slot].steps.get_or_insert_default();
            self.forget_steps_below(slot, first);
        }
        let number = self.messages[slot].number;
        for key in self.steps.strays.remove(&number).unwrap_or_default() {
            if self.steps.all[key].index < self.first_step(slot) {
                self.remove_stray(key);
            } else {
                self.attach_step(slot, key);
            }
        }
    }

    fn remove_stray(&mut self, key: u32) {
        self.unlink_step(key);
        self.steps.all.remove(key);
    }

    /// A message ended whose record was not replayed.
    pub(in crate::ledger) fn forget_strays(&mut self, number: u64) {
        for key in self.steps.strays.remove(&number).unwrap_or_default() {
            self.remove_stray(key);
        }
    }

    /// All was replayed: what has found no message never will.
    pub(in crate::ledger) fn forget_all_strays(&mut self) {
        for (_, keys) in std::mem::take(&mut self.steps.strays) {
            for key in keys {
                self.remove_stray(key);
            }
        }
    }
}
