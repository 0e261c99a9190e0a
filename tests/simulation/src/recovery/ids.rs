//! I7, over reopening and cleaning: a finished id is known through its window, wherever its record has gone
//! since, and not for longer.

use ackbox_core::command::MessageState;

use super::Checked;
use crate::model::{End, Model};
use crate::must;
use crate::probe::{Finding, Known};

impl Model {
    /// What a new owner knows of ids that it was asked for.
    pub(super) fn check_ids(&self, found: &Finding, now: u64) -> Checked {
        for (name, end) in &found.ends {
            let (queue, id) = name;
            // An unfinished message goes by the same name.
            if self.may_be_live(*queue, id) {
                continue;
            }
            let Some(entry) = self.entries.get(name) else {
                continue;
            };
            let is_damaged = *end == Known::Damaged;
            must!(
                !is_damaged || self.rotten > 0,
                "I2: what {id} of queue {queue} gave is damaged"
            );
            let is_finished = is_damaged || *end == Known::As(MessageState::Completed);
            must!(
                !entry.sure || now >= entry.at_least || is_finished,
                "I7: {id} of queue {queue} is {end:?} at {now}, within its window, {entry:?}"
            );
            must!(
                now < entry.at_most || *end == Known::No,
                "I7: {id} of queue {queue} is {end:?} at {now}, past its window, {entry:?}"
            );
        }
        Ok(())
    }

    fn may_be_live(&self, queue: usize, id: &str) -> bool {
        let is_it = |id_of: &Option<String>| id_of.as_deref() == Some(id);
        let mut messages = self.messages.iter();
        messages.any(|message| {
            message.end != End::Told && message.may_be_in(queue) && is_it(&message.id)
        })
    }
}
