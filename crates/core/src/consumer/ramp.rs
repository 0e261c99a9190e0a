//! How many messages run at once after a recovery, or after a pause that was asked for: one, and one more for
//! each that is answered without a failure, so twice as many with each round until there are as many as there are handlers.

use crate::policy::breaker::Outcome;

/// The return of messages; as long as it is none, all come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ramp(Option<u32>);

impl Ramp {
    /// Messages come back from now on.
    pub fn begin(&mut self) {
        self.0 = Some(1);
    }

    /// All may come, or none: it is of no use.
    pub fn end(&mut self) {
        self.0 = None;
    }

    /// Whether one more may run beside so many.
    #[must_use]
    pub fn allows(self, running: u32) -> bool {
        self.0.is_none_or(|most| running < most)
    }

    /// How one that ran ended; `slots`: handlers that there are.
    pub fn note(&mut self, outcome: Outcome, slots: u32) {
        if let Outcome::Throttled { .. } = outcome {
            // What was too much before the pause would be too much after it.
            return self.begin();
        }
        let Some(most) = self.0 else { return };
        self.0 = match outcome {
            // Whoever answers that it will not have this one message has answered.
            Outcome::Success | Outcome::Ignored => {
                Some(most.saturating_add(1)).filter(|most| *most < slots)
            }
            Outcome::Failure | Outcome::Timeout => Some((most / 2).max(1)),
            Outcome::Cancelled | Outcome::Throttled { .. } => self.0,
        };
    }
}
