//! What is known of the steps of messages: what they gave, as far as that was told or asked for, and what
//! the outside saw of them.

use std::collections::BTreeMap;

use crate::invariants::Violation;
use crate::must;

type Checked<T = ()> = Result<T, Violation>;

/// What a step gave, encoded; none if it gave nothing.
pub type Gave = Option<Vec<u8>>;

/// A step of a message.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// What it gave, once that was told: from then on it is never called again.
    told: Option<Gave>,
    /// What may be recorded, and the command that asked for it; 0: one of a run before, or from before
    /// somebody perhaps had it forgotten.
    may: Vec<(u64, Gave)>,
    /// What the outside knows its calls by.
    key: Option<String>,
}

impl Step {
    /// It is asked to be recorded.
    pub fn ask(&mut self, sequence: u64, gave: Gave) {
        self.may.push((sequence, gave));
    }

    /// That was refused.
    pub fn refuse(&mut self, sequence: u64) {
        self.may.retain(|(asked, _)| *asked != sequence);
    }

    /// It is recorded.
    pub fn confirm(&mut self, sequence: u64) {
        let gave = self.may.iter().rfind(|(asked, _)| *asked == sequence);
        // It may have been shown to somebody first; or perhaps it is to be forgotten, and in doubt since.
        if let Some((_, gave)) = gave.cloned() {
            self.told = Some(gave);
            self.may.clear();
        }
    }

    /// Nothing is recorded of it: it is about to be called.
    pub fn deny(&mut self) -> Checked {
        must!(
            self.told.is_none() && self.may.iter().all(|(sequence, _)| *sequence == 0),
            "exactly-once: a recorded step is called again: {self:?}"
        );
        self.may.clear();
        Ok(())
    }

    /// This is what it gave.
    pub fn show(&mut self, gave: Gave) -> Checked {
        let known = match &self.told {
            Some(told) => *told == gave,
            None => self.may.iter().any(|(_, may)| *may == gave),
        };
        must!(
            known,
            "exactly-once: a step gave something else before, {self:?}, not {gave:?}"
        );
        self.told = Some(gave);
        self.may.clear();
        Ok(())
    }

    /// Somebody may have it forgotten.
    pub fn may_forget(&mut self) {
        let told = self.told.take();
        self.may.extend(told.map(|gave| (0, gave)));
        self.end_run();
    }

    /// What was asked for without an answer is in doubt.
    pub fn end_run(&mut self) {
        for (sequence, _) in &mut self.may {
            *sequence = 0;
        }
    }

    /// Whether it is certainly recorded, and whether it may be.
    #[must_use]
    pub fn is_recorded(&self) -> (bool, bool) {
        (
            self.told.is_some(),
            self.told.is_some() || !self.may.is_empty(),
        )
    }
}

/// What steps call. It does what it is asked for under one key once.
#[derive(Clone, Debug, Default)]
pub struct Service {
    done: BTreeMap<String, (String, u8)>,
}

impl Service {
    /// A step is carried out, or carried out again by the same key, which has no effect. True the first
    /// time.
    pub fn call(&mut self, message: &str, name: u8, step: &mut Step, key: &str) -> Checked<bool> {
        let known = step.key.get_or_insert_with(|| key.to_owned());
        must!(
            known == key,
            "exactly-once: a step had the key {known} before, and now {key}"
        );
        let (whose, mine) = (self.done.get(key), (message.to_owned(), name));
        must!(
            whose.is_none_or(|whose| *whose == mine),
            "exactly-once: one key for two steps: {whose:?} and {mine:?}"
        );
        Ok(self.done.insert(key.to_owned(), mine).is_none())
    }
}
