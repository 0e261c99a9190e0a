//! Recorded steps: what handlers have done of a message, so that no later delivery does it again.
//!
//! A step is kept in memory with its name and the place of its record; what it gave stays in the
//! journal. A message without steps keeps nothing. Steps go with their message, and survive all else
//! that befalls it: retries, lost leases, its death, another queue, cleaning.
//!
//! Of one message no two steps ever have the same index, so forgetting all of them is one number: the
//! lowest index that counts.

mod journal;

use std::collections::BTreeMap;
use std::rc::Rc;

use serde::Serialize;

use super::Ledger;
use super::recorder::{Note, Recorder};
use super::settings::BODY_BYTES_MAX;
use crate::error::{ErrorCode, Failure};
use crate::journal::{Place, Record, StepResult};
use crate::slab::{NONE, Slab};

/// Steps of one message.
const STEPS_MAX: usize = 1024;
/// Bytes of the names and results of one message's steps from which no further one is begun.
const STEPS_BYTES_FULL: u64 = 8 << 20;
/// Bytes of a step's name.
pub const STEP_NAME_BYTES_MAX: usize = 256;
/// Bytes of the names and results of one message's steps. One that was begun before they were full
/// fits, whatever it gave, unless others were recorded while it ran.
const STEPS_BYTES_MAX: u64 = STEPS_BYTES_FULL + BODY_BYTES_MAX as u64 + STEP_NAME_BYTES_MAX as u64;

/// What is known of a step's result without reading it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gave {
    /// A value.
    Value,
    /// Nothing.
    Nothing,
    /// Something that is damaged.
    Damaged,
}

/// A recorded step.
#[derive(Debug)]
pub struct Step {
    /// Its message; none while a replay has not come to that.
    pub slot: u32,
    /// Among the steps of its message.
    pub index: u32,
    /// Its name.
    pub name: Box<str>,
    /// What it gave.
    pub gave: Gave,
    /// It is on its way to be moved by cleaning.
    pub moving: bool,
    /// Where its record is; length 0 while it has not been sealed into a frame.
    pub place: Place,
    /// Of name and result.
    bytes: u32,
    /// Neighbours in journal order.
    before: u32,
    after: u32,
}

/// The steps of one message.
#[derive(Debug, Default)]
pub struct StepList {
    /// In the order of their indexes.
    keys: Vec<u32>,
    /// Those below are forgotten.
    first: u32,
    /// The index of the next one.
    next: u32,
    bytes: u64,
}

/// All steps of a box.
#[derive(Debug)]
pub(super) struct Steps {
    all: Slab<Step>,
    /// The oldest record.
    head: u32,
    tail: u32,
    /// Records that have no place yet.
    unplaced: BTreeMap<u32, Rc<[u8]>>,
    /// While a journal is replayed: steps whose messages have not come yet, by the numbers of those.
    strays: BTreeMap<u64, Vec<u32>>,
}

impl Default for Steps {
    fn default() -> Self {
        Self {
            all: Slab::default(),
            head: NONE,
            tail: NONE,
            unplaced: BTreeMap::new(),
            strays: BTreeMap::new(),
        }
    }
}

impl Ledger {
    /// Records what a step gave. A refusal changes nothing.
    pub fn record_step(
        &mut self,
        slot: u32,
        name: &str,
        result: Option<&[u8]>,
        out: &mut impl Recorder,
    ) -> Result<(), Failure> {
        let bytes = name.len() + result.map_or(0, <[u8]>::len);
        self.check_step(slot, name, bytes)?;
        let message = &self.messages[slot];
        let (number, list) = (message.number, message.steps.as_ref());
        let index = list.map_or(0, |list| list.next);
        let (gave, stored) = match result {
            Some(result) => (Gave::Value, StepResult::Value(result)),
            None => (Gave::Nothing, StepResult::Nothing),
        };
        let bytes = u32::try_from(bytes).expect("checked above");
        let key = self.add_step(slot, index, Box::from(name), gave, bytes);
        let record = Record::Step {
            number,
            index,
            name,
            result: stored,
        };
        out.write(&record, Note::Step { key, number, index });
        self.steps
            .unplaced
            .insert(key, Rc::from(out.last_payload()));
        Ok(())
    }

    fn check_step(&self, slot: u32, name: &str, bytes: usize) -> Result<(), Failure> {
        let of_message = || format!("message '{}'", self.id_text(slot));
        if !(1..=STEP_NAME_BYTES_MAX).contains(&name.len()) {
            let message = format!(
                "step: expected a name of 1 to {STEP_NAME_BYTES_MAX} bytes, got {} ({})",
                name.len(),
                of_message()
            );
            return Err(Failure::new(ErrorCode::InvalidOption, message));
        }
        if self.step_named(slot, name).is_some() {
            let message = format!("step '{name}' is recorded already ({})", of_message());
            return Err(Failure::new(ErrorCode::InvalidOption, message));
        }
        self.check_number_of_steps(slot, name)?;
        let total = self.step_bytes(slot) + bytes as u64;
        if total > STEPS_BYTES_MAX {
            let message = format!(
                "step '{name}': expected at most {STEPS_BYTES_MAX} bytes of all steps, got {total} ({})",
                of_message()
            );
            return Err(Failure::new(ErrorCode::BodyTooLarge, message));
        }
        Ok(())
    }

    /// Whether one step more may be begun.
    pub fn room_for_step(&self, slot: u32, name: &str) -> Result<(), Failure> {
        self.check_number_of_steps(slot, name)?;
        let bytes = self.step_bytes(slot);
        if bytes >= STEPS_BYTES_FULL {
            let message = format!(
                "step '{name}': expected less than {STEPS_BYTES_FULL} bytes of all steps before it, \
                 got {bytes} (message '{}')",
                self.id_text(slot)
            );
            return Err(Failure::new(ErrorCode::BodyTooLarge, message));
        }
        Ok(())
    }

    fn check_number_of_steps(&self, slot: u32, name: &str) -> Result<(), Failure> {
        if self.steps_of(slot).len() < STEPS_MAX {
            return Ok(());
        }
        let message = format!(
            "step '{name}': expected at most {STEPS_MAX} steps (message '{}')",
            self.id_text(slot)
        );
        Err(Failure::new(ErrorCode::InvalidOption, message))
    }

    fn add_step(&mut self, slot: u32, index: u32, name: Box<str>, gave: Gave, bytes: u32) -> u32 {
        let key = self.insert_step(index, name, gave, bytes);
        self.attach_step(slot, key);
        key
    }

    /// A step that belongs to no message and has no place yet.
    fn insert_step(&mut self, index: u32, name: Box<str>, gave: Gave, bytes: u32) -> u32 {
        self.steps.all.insert(Step {
            slot: NONE,
            index,
            name,
            gave,
            moving: false,
            place: Place::default(),
            bytes,
            before: NONE,
            after: NONE,
        })
    }

    /// A step belongs to a message from now on.
    fn attach_step(&mut self, slot: u32, key: u32) {
        self.steps.all[key].slot = slot;
        let all = &self.steps.all;
        let (index, bytes) = (all[key].index, all[key].bytes);
        let list = self.messages[slot].steps.get_or_insert_default();
        let at = list.keys.partition_point(|other| all[*other].index < index);
        list.keys.insert(at, key);
        list.next = list.next.max(index + 1);
        list.bytes += u64::from(bytes);
    }

    /// The steps of a message, in the order in which they were recorded.
    #[must_use]
    pub fn steps_of(&self, slot: u32) -> &[u32] {
        let list = self.messages[slot].steps.as_ref();
        list.map_or(&[], |list| list.keys.as_slice())
    }

    /// Bytes of the names and results of a message's steps.
    #[must_use]
    pub fn step_bytes(&self, slot: u32) -> u64 {
        let list = self.messages[slot].steps.as_ref();
        list.map_or(0, |list| list.bytes)
    }

    /// Steps of a message with a lower index are forgotten.
    #[must_use]
    pub(super) fn first_step(&self, slot: u32) -> u32 {
        let list = self.messages[slot].steps.as_ref();
        list.map_or(0, |list| list.first)
    }

    /// A step.
    #[must_use]
    pub fn step(&self, key: u32) -> &Step {
        &self.steps.all[key]
    }

    /// The step of a message with this name.
    #[must_use]
    pub fn step_named(&self, slot: u32, name: &str) -> Option<u32> {
        let mut keys = self.steps_of(slot).iter().copied();
        keys.find(|key| *self.steps.all[*key].name == *name)
    }

    /// The record of a step, while that has no place.
    #[must_use]
    pub fn unplaced_step(&self, key: u32) -> Option<Rc<[u8]>> {
        self.steps.unplaced.get(&key).cloned()
    }

    /// Whether a key still holds this step.
    #[must_use]
    pub fn is_step(&self, key: u32, number: u64, index: u32) -> bool {
        self.steps
            .all
            .get(key)
            .is_some_and(|step| step.index == index && self.messages[step.slot].number == number)
    }

    /// Forgets the steps of a message below an index.
    fn forget_steps_below(&mut self, slot: u32, first: u32) {
        let Some(mut list) = self.messages[slot].steps.take() else {
            return;
        };
        let all = &self.steps.all;
        let kept = list.keys.partition_point(|key| all[*key].index < first);
        for key in list.keys.drain(..kept) {
            self.unlink_step(key);
            self.steps.unplaced.remove(&key);
            list.bytes -= u64::from(self.steps.all.remove(key).bytes);
        }
        list.first = list.first.max(first);
        list.next = list.next.max(first);
        self.messages[slot].steps = Some(list);
    }

    /// Forgets all steps of a message.
    pub(super) fn forget_steps(&mut self, slot: u32) {
        let next = self.messages[slot].steps.as_ref().map(|list| list.next);
        if let Some(next) = next {
            self.forget_steps_below(slot, next);
        }
    }

    /// A message goes, and its steps with it.
    pub(super) fn drop_steps(&mut self, slot: u32) {
        self.forget_steps(slot);
        self.messages[slot].steps = None;
    }
}
