//! The circuit breaker of one destination, as a queue uses it.
//!
//! Beside the breaker itself it remembers which message was the last probe, so that probes take turns over
//! messages, and how many may run at once after a recovery.

use std::sync::Arc;

use super::ramp::Ramp;
use crate::json;
use crate::policy::breaker::{Breaker, Change, Outcome, Permit, Settings, Snapshot, State};
use crate::time::Timestamp;

/// How long a circuit stays open whose host is asked and does not answer.
const COOLDOWN_MS_DEFAULT: u64 = 30_000;

/// The circuit of a destination.
#[derive(Debug)]
pub struct Circuit {
    breaker: Breaker,
    /// How messages come back while it is closed.
    pub ramp: Ramp,
    /// The rank of the message that was the last probe.
    pub probed: Option<u64>,
    /// What changed and was not told yet.
    changes: Vec<Change>,
    /// Whether its host was asked how long the opening takes that was not told yet.
    question: Question,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Question {
    #[default]
    None,
    Asked,
    /// Or not to be answered any more.
    Answered,
}

/// Whether a circuit lets messages through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Passage {
    /// It does.
    Free,
    /// A place for a probe is free.
    Probe,
    /// Not before this instant, or before a report: the destination is known to fail.
    Broken(Timestamp),
    /// Not before this instant, or before a report: the destination recovers or asked for time.
    Waiting(Timestamp),
}

impl Circuit {
    /// A circuit that has seen nothing.
    #[must_use]
    pub fn new(settings: Arc<Settings>, seed: [u8; 16]) -> Self {
        Self::around(Breaker::new(settings, seed))
    }

    /// The circuit that was saved so; a new one if what was saved cannot be read.
    #[must_use]
    pub fn restore(settings: Arc<Settings>, seed: [u8; 16], saved: &[u8], now: Timestamp) -> Self {
        let snapshot: Option<Snapshot> = json::read(saved);
        let restored = snapshot
            .and_then(|snapshot| Breaker::restore(settings.clone(), seed, &snapshot, now).ok());
        restored.map_or_else(|| Self::new(settings, seed), Self::around)
    }

    fn around(breaker: Breaker) -> Self {
        Self {
            breaker,
            ramp: Ramp::default(),
            probed: None,
            changes: Vec::new(),
            question: Question::None,
        }
    }

    /// What is to be saved of it: nothing of one that is closed.
    #[must_use]
    pub fn saved(&self, now: Timestamp) -> Vec<u8> {
        if self.is_closed() {
            return Vec::new();
        }
        let snapshot = self.breaker.snapshot(now);
        serde_json::to_vec(&snapshot).expect("a snapshot is plain data")
    }

    /// Whether messages pass, though not all at once perhaps.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.breaker.state() == State::Closed
    }

    /// The breaker.
    #[must_use]
    pub fn breaker(&self) -> &Breaker {
        &self.breaker
    }

    /// Whether a message may pass, once time has done its work.
    pub fn passage(&mut self, now: Timestamp) -> Passage {
        let changes = self.breaker.advance(now);
        changes.iter().for_each(|change| self.note(change));
        let room = self.breaker.room(now);
        let retry_at = || self.breaker.retry_at(now).unwrap_or(Timestamp::NEVER);
        match self.breaker.state() {
            State::Open | State::Isolated => Passage::Broken(retry_at()),
            // It asked for time, which says nothing bad of it.
            State::HalfOpen if room == 0 && self.breaker.room(retry_at()) > 0 => {
                Passage::Waiting(retry_at())
            }
            State::HalfOpen if room == 0 => Passage::Broken(retry_at()),
            State::HalfOpen => Passage::Probe,
            State::Closed | State::Disabled if room == 0 => Passage::Waiting(retry_at()),
            State::Closed | State::Disabled => {
                let next = self.ramp.next(now);
                next.map_or(Passage::Free, Passage::Waiting)
            }
        }
    }

    /// When time alone changes it.
    #[must_use]
    pub fn next_change(&self) -> Timestamp {
        self.breaker.next_deadline().unwrap_or(Timestamp::NEVER)
    }

    /// A message passes; `rank` is that of a probe from now on.
    pub fn pass(&mut self, rank: u64, now: Timestamp) -> Option<Permit> {
        let answer = self.breaker.permit(now);
        answer.changes.iter().for_each(|change| self.note(change));
        let permit = answer.permit.ok()?;
        if permit.is_probe() {
            self.probed = Some(rank);
        }
        Some(permit)
    }

    /// The handler of a message that has passed begins; `limit_ms`: what it may take, as far as anybody limits that.
    pub fn begin(&mut self, permit: Permit, limit_ms: Option<u64>, now: Timestamp) {
        self.breaker.begin_probe(permit, limit_ms, now);
    }

    /// How the delivery of a message went.
    pub fn report(&mut self, permit: Permit, outcome: Outcome, took_ms: u64, now: Timestamp) {
        if let Some(change) = self.breaker.report(permit, outcome, took_ms, now) {
            self.note(change);
        }
    }

    /// Its destination asked for time: messages come back in growing numbers.
    pub fn begin_ramp(&mut self) {
        if self.is_closed() {
            self.ramp.begin();
        }
    }

    /// Lets nothing through, or forgets all that was.
    pub fn force(&mut self, isolate: bool, now: Timestamp) {
        let change = if isolate {
            self.breaker.isolate(now)
        } else {
            self.breaker.reset(now)
        };
        if let Some(change) = change {
            self.note(change);
        }
    }

    /// Whether it has opened just now, and its host is yet to be asked for how long. Until it answers, and if it
    /// never does, that is as long as by default.
    pub fn begins_to_ask(&mut self, now: Timestamp) -> bool {
        let has_opened = self.changes.last().is_some_and(|it| it.to == State::Open);
        let begins = has_opened && self.question == Question::None;
        if begins {
            self.cool_down_for(COOLDOWN_MS_DEFAULT, now);
            self.question = Question::Asked;
        }
        begins
    }

    /// Whether its host is asked how long it stays open.
    #[must_use]
    pub fn asks(&self) -> bool {
        self.question == Question::Asked
            && self.changes.last().is_some_and(|it| it.to == State::Open)
    }

    /// Its host has said how long it stays open, from when it opened.
    pub fn cool_down_for(&mut self, ms: u64, now: Timestamp) {
        self.question = Question::Answered;
        self.breaker.cool_down_for(ms);
        let retry_at = self.breaker.retry_at(now);
        if let Some(change) = self.changes.last_mut()
            && change.to == State::Open
        {
            change.retry_at = retry_at.or(Some(now));
        }
    }

    /// Its host does not say how long it stays open.
    pub fn stop_asking(&mut self) {
        self.question = Question::Answered;
    }

    /// What changed since it was asked last, in order.
    pub fn take_changes(&mut self) -> Vec<Change> {
        self.question = Question::None;
        std::mem::take(&mut self.changes)
    }

    fn note(&mut self, change: Change) {
        self.ramp.end();
        if change.to == State::Closed && change.from == State::HalfOpen {
            self.ramp.begin();
        }
        self.changes.push(change);
    }
}
