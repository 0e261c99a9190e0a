//! Counters of the records written so far, for the headers of segments.
//!
//! A header tells what was counted *before* its segment: if it counted what its own first frame
//! holds, a torn frame would leave behind the claim that its messages were accepted.

use crate::journal::Record;

/// What the records up to some point have counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Totals {
    /// The last message number, or order, given away.
    pub(super) last_number: u64,
    /// The last token given away.
    pub(super) last_token: u64,
    /// The last death.
    pub(super) deaths: u64,
}

impl Totals {
    /// Counts one more record.
    pub(super) fn count(&mut self, record: &Record<'_>) {
        match record {
            Record::Message(message) => {
                self.last_number = self.last_number.max(message.number).max(message.order);
                if let Some(death) = &message.death {
                    self.deaths = self.deaths.max(death.sequence);
                }
            }
            Record::Started { token, .. } => self.last_token = self.last_token.max(*token),
            Record::Opened { last_token, .. } => self.last_token = self.last_token.max(*last_token),
            Record::Dead { .. } => self.deaths += 1,
            Record::Revived { order, .. } => self.last_number = self.last_number.max(*order),
            Record::Redriven {
                last_death,
                first_order,
                ..
            } => {
                self.last_number = self.last_number.max(first_order + last_death);
            }
            _ => {}
        }
    }
}
