//! Who is next: each member once, in the order in which they came.

use std::collections::{BTreeSet, VecDeque};

/// Queues that wait for their turn.
#[derive(Debug, Default)]
pub struct Turns {
    order: VecDeque<u32>,
    members: BTreeSet<u32>,
}

impl Turns {
    /// Adds one at the end, unless it waits already.
    pub fn add(&mut self, queue: u32) {
        if self.members.insert(queue) {
            self.order.push_back(queue);
        }
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Takes the first one out.
    pub fn take(&mut self) -> Option<u32> {
        let queue = self.order.pop_front()?;
        self.members.remove(&queue);
        Some(queue)
    }
}
