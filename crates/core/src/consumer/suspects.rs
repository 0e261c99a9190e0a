//! Messages whose owner died while they were handled run one at a time, so that the one that kills
//! its process takes no innocent with it.
//!
//! - **Idle**: no suspect runs and none waits for quiet. Everything is claimed as usual.
//! - **Waiting**: a suspect could be claimed while other deliveries run. Nothing new is claimed
//!   until they are done, or until the suspect has waited as long as it may hold others back.
//! - **Due**: it has. It starts beside them as soon as anything can be claimed, and holds nobody back before.
//! - **Holding**: a suspect runs. Nothing else is claimed until it is settled or its hold is over.
//!
//! A hold lasts 1 s for the first death and four times as long for each further one, at most the
//! queue's lease.

use crate::command::Token;
use crate::time::Timestamp;

/// Hold of a message whose owner died once.
const HOLD_MS: u64 = 1000;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum State {
    #[default]
    Idle,
    Waiting {
        until: Timestamp,
    },
    Due,
    Holding {
        token: Token,
        until: Timestamp,
    },
}

/// Whether and why claims are held back.
#[derive(Debug, Default)]
pub struct Suspects(State);

/// How long a suspect may hold other work back.
#[must_use]
pub fn hold_ms(deaths: u32, lease_ms: u64) -> u64 {
    let factor = 4u64.saturating_pow(deaths.saturating_sub(1));
    HOLD_MS.saturating_mul(factor).min(lease_ms)
}

impl Suspects {
    /// Whether a running suspect holds all other claims back.
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        matches!(self.0, State::Holding { until, .. } if now < until)
            && !bug!("run-suspects-together")
    }

    /// A suspect can be claimed: may it start now? `busy`: other deliveries run.
    pub fn may_start(&mut self, now: Timestamp, busy: bool, hold_ms: u64) -> bool {
        if !busy || bug!("run-suspects-together") {
            return true;
        }
        match self.0 {
            State::Due => true,
            State::Waiting { until } => now >= until,
            State::Idle | State::Holding { .. } => {
                self.0 = State::Waiting {
                    until: now.plus(hold_ms),
                };
                false
            }
        }
    }

    /// A suspect starts.
    pub fn start(&mut self, token: Token, now: Timestamp, hold_ms: u64) {
        self.0 = State::Holding {
            token,
            until: now.plus(hold_ms),
        };
    }

    /// No suspect can be claimed any more; true if others were held back because one waited.
    pub fn give_up_waiting(&mut self) -> bool {
        let waited = matches!(self.0, State::Waiting { .. } | State::Due);
        if waited {
            self.0 = State::Idle;
        }
        waited
    }

    /// A delivery was settled; true if it was the one that held the others back.
    pub fn settled(&mut self, token: Token) -> bool {
        let held = matches!(self.0, State::Holding { token: holder, .. } if holder == token);
        if held {
            self.0 = State::Idle;
        }
        held
    }

    /// A hold or a wait is over by time; true if it was.
    pub fn expire(&mut self, now: Timestamp) -> bool {
        match self.0 {
            State::Holding { until, .. } if now >= until => {
                self.0 = State::Idle;
                true
            }
            State::Waiting { until } if now >= until => {
                self.0 = State::Due;
                true
            }
            _ => false,
        }
    }

    /// When time alone changes something.
    #[must_use]
    pub fn next_change(&self) -> Timestamp {
        match self.0 {
            State::Idle | State::Due => Timestamp::NEVER,
            State::Waiting { until } | State::Holding { until, .. } => until,
        }
    }
}
