//! Leave to make one call, and what is said of the call afterwards.

use super::state::{Changes, State};
use crate::time::Timestamp;

/// Bits of a permit's number that tell its probe.
const PROBE_BITS: u32 = 16;

/// Leave to make one call, in the epoch that gave it. It is worth nothing after the first report.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "a permit has to be reported"]
pub struct Permit {
    pub(super) epoch: u32,
    /// The probe's slot from 1, or 0 for a call of a closed breaker.
    pub(super) slot: u8,
    /// How often that slot was used in this epoch, so that no permit is honoured twice.
    pub(super) turn: u8,
}

impl Permit {
    /// As a number below 2^48, which every host can hold.
    #[must_use]
    pub fn number(self) -> u64 {
        u64::from(self.epoch) << PROBE_BITS
            | u64::from(self.slot) << u8::BITS
            | u64::from(self.turn)
    }

    /// The permit of a number. A number that was never given out is as good as a late permit.
    pub fn of(number: u64) -> Self {
        Self {
            epoch: (number >> PROBE_BITS) as u32,
            slot: (number >> u8::BITS) as u8,
            turn: number as u8,
        }
    }

    /// Whether the call tells if a half-open breaker may close.
    #[must_use]
    pub fn is_probe(self) -> bool {
        self.slot != 0
    }
}

/// Why a call may not be made now, and when to ask again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The state that refuses. A closed or half-open one does so while the callee asked for a pause, or because
    /// all probes are under way.
    pub state: State,
    /// The earliest instant at which another answer is possible without a report before. That of a half-open
    /// breaker whose probes are all under way is their next deadline; of an isolated one it is never.
    pub retry_at: Timestamp,
}

/// The answer to who wants to make a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "a permit has to be reported, and changes to be told of"]
pub struct Answer {
    /// Whether the call may be made.
    pub permit: Result<Permit, Refusal>,
    /// What time had changed before.
    pub changes: Changes,
}

/// How a call went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It was not made, or given up by the caller: the permit is returned and nothing is counted.
    Cancelled,
    /// It failed.
    Failure,
    /// It ended in a way that is nobody's failure, such as an answer that refuses this one call: the permit is returned and
    /// nothing is counted. Half-open, each five of them are one success: who goes on answering is there, and a circuit
    /// that hears nothing else must not stay half-open for ever.
    Ignored,
    /// It succeeded.
    Success,
    /// The callee asked for a pause: nobody gets a permit until then.
    Throttled {
        /// When the pause is over.
        until: Timestamp,
        /// Whether that is a failure as well; otherwise neither success nor failure is counted.
        failed: bool,
    },
    /// It took too long, which is a failure.
    Timeout,
}
