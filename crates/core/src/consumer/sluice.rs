//! A gate that the host keeps, in front of workers of any queues: a circuit breaker of its user.
//!
//! How it stands is told by the host, and so is every change. While it probes, as many messages are claimed
//! as it has places; once it recovered they come back in growing numbers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::circuit::Passage;
use super::ramp::{Ramp, Step};
use crate::policy::breaker::Outcome;
use crate::time::Timestamp;

/// How a sluice stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// All messages pass.
    Open,
    /// So many messages pass as there are places.
    Probing,
    /// None passes: what is behind it is known to fail.
    Broken,
    /// None passes for now.
    Waiting,
}

/// What the host says of a sluice.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SluiceState {
    /// How it stands.
    pub level: Level,
    /// Probing: messages that may pass.
    #[serde(default)]
    pub places: u32,
    /// When it may stand otherwise, as far as time alone decides.
    #[serde(default)]
    pub until: Option<Timestamp>,
}

/// One sluice.
#[derive(Debug)]
pub struct Sluice {
    state: SluiceState,
    /// Workers behind it by their queues.
    queues: BTreeMap<u32, u32>,
    /// Handlers that all of them have.
    slots: u32,
    /// Messages that have passed and are not done.
    running: u32,
    /// Those of them that were not handed out yet.
    claimed: u32,
    ramp: Ramp,
    /// Queue and rank of the message that was the last probe.
    probed: Option<(u32, u64)>,
}

impl Sluice {
    /// One with no worker behind it.
    #[must_use]
    pub fn new(state: SluiceState) -> Self {
        Self {
            state,
            queues: BTreeMap::new(),
            slots: 0,
            running: 0,
            claimed: 0,
            ramp: Ramp::default(),
            probed: None,
        }
    }

    /// The host tells how it stands. True if what was claimed and not handed out is to be taken back.
    pub fn set(&mut self, state: SluiceState) -> bool {
        let before = std::mem::replace(&mut self.state, state).level;
        match state.level {
            Level::Open if before == Level::Probing => self.ramp.begin(),
            Level::Broken => self.ramp.end(),
            Level::Open | Level::Probing | Level::Waiting => {}
        }
        matches!(state.level, Level::Broken | Level::Waiting)
    }

    /// A worker is behind it from now on.
    pub fn join(&mut self, queue: u32, slots: u32) {
        *self.queues.entry(queue).or_default() += 1;
        self.slots += slots;
    }

    /// A worker is not behind it any more. True if it was the last one.
    pub fn part(&mut self, queue: u32, slots: u32) -> bool {
        self.slots -= slots;
        if let Some(workers) = self.queues.get_mut(&queue) {
            *workers -= 1;
            if *workers == 0 {
                self.queues.remove(&queue);
            }
        }
        self.queues.is_empty()
    }

    /// Whether any worker is behind it.
    #[must_use]
    pub fn is_used(&self) -> bool {
        !self.queues.is_empty()
    }

    /// Queues of the workers behind it. The one that had the last probe comes last, where each is looked at
    /// in turn from the end.
    #[must_use]
    pub fn queues(&self) -> Vec<u32> {
        let next = self.probed.map_or(0, |(queue, _)| queue + 1);
        let behind = self.queues.range(..next).rev();
        let ahead = self.queues.range(next..).rev();
        behind.chain(ahead).map(|(queue, _)| *queue).collect()
    }

    /// Whether a message may pass.
    #[must_use]
    pub fn passage(&self, now: Timestamp) -> Passage {
        let until = self.state.until.unwrap_or(Timestamp::NEVER);
        match self.state.level {
            Level::Open => self.ramp.next(now).map_or(Passage::Free, Passage::Waiting),
            Level::Probing if self.claimed < self.state.places => Passage::Probe,
            Level::Probing | Level::Broken => Passage::Broken(until),
            Level::Waiting => Passage::Waiting(until),
        }
    }

    /// Whether nobody knows when a message may pass: none may, and none that has passed could change that.
    #[must_use]
    pub fn is_shut(&self, now: Timestamp) -> bool {
        self.running == 0 && !matches!(self.passage(now), Passage::Free | Passage::Probe)
    }

    /// The rank of the last probe, if it was of this queue.
    #[must_use]
    pub fn probed(&self, queue: u32) -> Option<u64> {
        let (of, rank) = self.probed?;
        (of == queue).then_some(rank)
    }

    /// A message passes. True if it is a probe; and how it comes back, if it does.
    pub fn pass(&mut self, queue: u32, rank: u64, now: Timestamp) -> (bool, Option<Step>) {
        let is_probe = self.state.level == Level::Probing;
        self.running += 1;
        self.claimed += 1;
        if is_probe {
            self.probed = Some((queue, rank));
        }
        (is_probe, self.ramp.pass(now))
    }

    /// What has passed is handed out: it takes its place.
    pub fn hand_out(&mut self) {
        self.claimed -= 1;
        self.state.places = self.state.places.saturating_sub(1);
    }

    /// What has passed is done, or was not even handed out. True if others may pass for it.
    pub fn leave(&mut self, handed_out: bool, now: Timestamp) -> bool {
        self.running -= 1;
        if !handed_out {
            self.claimed -= 1;
        }
        !matches!(self.passage(now), Passage::Broken(_) | Passage::Waiting(_))
    }

    /// How one went that was no probe; `step`: how it came back, if it did.
    pub fn answer(&mut self, step: Option<Step>, outcome: Outcome, now: Timestamp) {
        if let Outcome::Throttled { until, .. } = outcome
            && until > now
        {
            self.ramp.begin();
        }
        if let Some(step) = step {
            self.ramp.leave(step, outcome, self.slots, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_take_turns_with_probes() {
        let state = SluiceState {
            level: Level::Probing,
            places: 1,
            until: None,
        };
        let mut sluice = Sluice::new(state);
        for queue in [1, 3, 5] {
            sluice.join(queue, 1);
        }
        let mut order = Vec::new();
        for _ in 0..4 {
            let next = *sluice.queues().last().expect("three");
            let _ = sluice.pass(next, 1, Timestamp(0));
            order.push(next);
        }
        assert_eq!(order, [1, 3, 5, 1]);
    }
}
