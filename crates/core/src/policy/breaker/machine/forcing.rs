//! What somebody decides instead of the breaker.

use super::{Breaker, Phase};
use crate::policy::breaker::state::{Change, Why};
use crate::policy::breaker::window::Window;
use crate::time::Timestamp;

impl Breaker {
    /// Lets no call through until somebody says otherwise.
    #[must_use = "a change is to be saved and told of"]
    pub fn isolate(&mut self, now: Timestamp) -> Option<Change> {
        self.force(Phase::Isolated, now)
    }

    /// Lets all calls through and looks at none until somebody says otherwise.
    #[must_use = "a change is to be saved and told of"]
    pub fn disable(&mut self, now: Timestamp) -> Option<Change> {
        self.force(Phase::Disabled, now)
    }

    /// Closes it, whatever it was: nothing that happened before counts any more.
    #[must_use = "a change is to be saved and told of"]
    pub fn reset(&mut self, now: Timestamp) -> Option<Change> {
        self.force(Phase::Closed(Window::new(self.settings.span)), now)
    }

    /// Sets how long the present cooldown takes, from its beginning; for hosts that compute it themselves.
    /// Without effect unless it is open.
    pub fn cool_down_for(&mut self, ms: u64) {
        if let Phase::Open { since, until } = &mut self.phase {
            *until = since.saturating_add(ms);
        }
    }

    fn force(&mut self, phase: Phase, now: Timestamp) -> Option<Change> {
        let at = self.steady.at(now);
        self.openings = 0;
        self.paused_until = 0;
        let change = self.enter(phase, Why::Manual, at);
        (change.from != change.to).then_some(change)
    }
}
