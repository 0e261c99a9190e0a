//! What outlives the process, and what becomes of it.

use std::sync::Arc;

use super::{Breaker, Phase};
use crate::policy::breaker::options::Settings;
use crate::policy::breaker::probes::Probes;
use crate::policy::breaker::snapshot::Snapshot;
use crate::policy::breaker::state::State;
use crate::policy::breaker::window::Window;
use crate::time::Timestamp;

impl Breaker {
    /// The breaker of a snapshot. One that was half-open begins its probes again; one that was open stays so for
    /// what is left of its cooldown.
    ///
    /// # Errors
    /// What is wrong with the snapshot.
    pub fn restore(
        settings: Arc<Settings>,
        seed: [u8; 16],
        snapshot: &Snapshot,
        now: Timestamp,
    ) -> Result<Self, String> {
        snapshot.check()?;
        let mut breaker = Self::new(settings, seed);
        let at = breaker.steady.at(now);
        breaker.epoch = snapshot.epoch.wrapping_add(1);
        breaker.openings = snapshot.openings;
        breaker.paused_until = at.saturating_add(snapshot.pause_left_ms(now));
        breaker.phase = match snapshot.state {
            State::Closed => {
                let mut window = Window::new(breaker.settings.span);
                if let Window::Consecutive(failures) = &mut window {
                    *failures = snapshot.failures.min(breaker.settings.failures - 1);
                }
                Phase::Closed(window)
            }
            State::Disabled => Phase::Disabled,
            State::HalfOpen => Phase::HalfOpen(Probes::new(breaker.settings.probes)),
            State::Isolated => Phase::Isolated,
            State::Open => {
                let left = snapshot.cooldown_left_ms(now, breaker.settings.cooldown_ms_max());
                Phase::Open {
                    since: at,
                    until: at.saturating_add(left),
                }
            }
        };
        Ok(breaker)
    }

    /// What outlives the process.
    #[must_use]
    pub fn snapshot(&self, now: Timestamp) -> Snapshot {
        let (opened_at, open_until) = match self.phase {
            Phase::Open { since, until } => (
                Some(self.steady.to_host(since)),
                Some(self.steady.to_host(until)),
            ),
            _ => (None, None),
        };
        let failures = match self.phase {
            Phase::Closed(Window::Consecutive(failures)) => failures,
            _ => 0,
        };
        let paused = self.paused_until > self.steady.peek(now);
        Snapshot {
            version: Snapshot::VERSION,
            state: self.state(),
            epoch: self.epoch,
            openings: self.openings,
            failures,
            saved_at: now,
            opened_at,
            open_until,
            paused_until: paused.then(|| self.steady.to_host(self.paused_until)),
        }
    }
}
