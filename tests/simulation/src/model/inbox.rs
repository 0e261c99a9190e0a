//! What tabs leave for the one that drives the box, under keys that only grow, until it is in the journal.
//!
//! It is kept where the journal is: a power cut that takes back the one takes back the other.

use std::collections::BTreeMap;

use super::{Asked, Model};
use crate::invariants::Violation;
use crate::must;
use crate::op::Item;

type Checked<T = ()> = Result<T, Violation>;

/// The inbox.
#[derive(Clone, Debug, Default)]
pub struct Inbox {
    /// What is left in it.
    pub rows: BTreeMap<u64, Vec<Item>>,
    /// The highest key that was given.
    pub last: u64,
    /// All up to this key is in the journal: that was told.
    pub moved: u64,
    /// What was refused, and holds up what is behind it.
    pub refused: Option<u64>,
}

/// A row that is being moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    /// Its key.
    pub key: u64,
    /// Its messages are to be dead letters, for they were refused before.
    pub buried: bool,
}

impl Inbox {
    /// A tab leaves messages, if there are any.
    pub fn leave(&mut self, items: &[Item]) {
        if !items.is_empty() {
            self.last += 1;
            self.rows.insert(self.last, items.to_vec());
        }
    }

    /// A row is in the journal.
    pub fn moved(&mut self, row: Row) -> Checked {
        let Row { key, .. } = row;
        must!(
            key > self.moved,
            "I7: row {key} is moved twice: {} was told before",
            self.moved
        );
        must!(
            self.refused.is_none_or(|refused| key < refused),
            "I8: row {key} overtook {:?}, which was refused",
            self.refused
        );
        self.end_at(key);
        Ok(())
    }

    /// A row is not: what is behind it must not be either.
    pub fn refuse(&mut self, key: u64) {
        self.refused = Some(self.refused.map_or(key, |other| other.min(key)));
    }

    fn end_at(&mut self, key: u64) {
        self.moved = key;
        self.rows.retain(|other, _| *other > key);
    }
}

impl Model {
    /// Whether rows are under way.
    #[must_use]
    pub fn is_moving(&self) -> bool {
        let mut asked = self.asked.values();
        asked.any(|asked| matches!(asked, Asked::Move { .. }))
    }

    /// How far a new owner finds the inbox moved: as far as was told at least, and no further than was asked.
    pub fn check_moved(&self, moved: u64) -> Checked {
        let asked = self.asked.values().filter_map(|asked| match asked {
            Asked::Move { row, .. } => Some(row.key),
            _ => None,
        });
        let told = self.inbox.moved;
        let fits = moved == told || (moved > told && asked.max() >= Some(moved));
        must!(
            fits,
            "I6: rows up to {told} were moved, a new owner finds {moved}"
        );
        Ok(())
    }

    /// A new owner goes on from there.
    pub fn resume_inbox(&mut self, moved: u64) {
        self.inbox.refused = None;
        self.inbox.end_at(moved);
    }
}
