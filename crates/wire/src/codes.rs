//! Numbers that stand for names on the wire, and the names by which the host knows them.

use ackbox_core::command::{MessageState, Reason};
use ackbox_core::effect::{AbortReason, EventKind};
use ackbox_core::policy::breaker::State as CircuitState;

/// One table of codes, as printed for the host.
#[derive(Clone, Copy, Debug)]
pub struct Codes {
    /// Of the table.
    pub name: &'static str,
    /// What it is for.
    pub doc: &'static str,
    /// Each name with its number.
    pub entries: &'static [(&'static str, u32)],
}

macro_rules! codes {
    (#[doc = $doc:literal] $constant:ident = $type:ident { $($variant:ident = $name:literal,)+ }) => {
        #[doc = $doc]
        pub const $constant: Codes = Codes {
            name: stringify!($type),
            doc: $doc,
            entries: &[$(($name, $type::$variant as u32),)+],
        };
    };
}

/// What became of a delivery, in a `Settle` record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
#[expect(
    missing_docs,
    reason = "each variant is the core's verdict of the same name"
)]
pub enum Verdict {
    Ack = 0,
    Reject = 1,
    Dead = 2,
    RetryAt = 3,
    Return = 4,
    PutOff = 5,
}

/// How a claimed message ends, in a `Settlement` record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
#[expect(
    missing_docs,
    reason = "each variant is the core's fate of the same name"
)]
pub enum Fate {
    Completed = 0,
    Again = 1,
    Dead = 2,
    Returned = 3,
}

/// How a `Reply` record answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum ReplyCode {
    /// `value` is the answer.
    Value = 0,
    /// `take` gives the answer.
    Object = 1,
    /// `take` gives the refusal.
    Failure = 2,
}

codes! {
    /// What became of a delivery.
    VERDICTS = Verdict { Ack = "ack", Reject = "reject", Dead = "dead", RetryAt = "retry-at", Return = "return", PutOff = "put-off", }
}
codes! {
    /// How a reply answers: by its value, or with an object or a refusal to take.
    REPLIES = ReplyCode { Value = "value", Object = "object", Failure = "failure", }
}
codes! {
    /// Why a message is dead, or why an attempt ended.
    REASONS = Reason {
        Exhausted = "exhausted", Timeout = "timeout", LeaseExpired = "lease-expired", OwnerDied = "owner-died",
        Permanent = "permanent", Expired = "expired", Invalid = "invalid", Corrupt = "corrupt",
        CircuitOpen = "circuit-open", Refused = "refused",
    }
}
codes! {
    /// A state as users see it.
    STATES = MessageState {
        Scheduled = "scheduled", Ready = "ready", Leased = "leased", Completed = "completed", Dead = "dead",
        Cancelled = "cancelled",
    }
}
codes! {
    /// Why a delivery became invalid.
    ABORTS = AbortReason { LeaseLost = "lease-lost", Closed = "closed", Timeout = "timeout", RanOut = "ran-out", }
}
codes! {
    /// A kind of queue event; `1 << code` in the mask of a `listen` request.
    EVENTS = EventKind {
        Enqueued = "enqueued", Started = "started", Completed = "completed", Failed = "failed", Retry = "retry",
        Dead = "dead", Stalled = "stalled", Duplicate = "duplicate", Drained = "drained", Paused = "paused",
        Resumed = "resumed", Changed = "changed", Circuit = "circuit",
    }
}
codes! {
    /// Whether a circuit lets messages through.
    CIRCUITS = CircuitState {
        Closed = "closed", Open = "open", HalfOpen = "half-open", Isolated = "isolated", Disabled = "disabled",
    }
}
codes! {
    /// How a message that was claimed of a remote ledger goes back, or ends.
    FATES = Fate { Completed = "completed", Again = "again", Dead = "dead", Returned = "returned", }
}

/// All tables, in the order in which they are printed.
pub const ALL: &[Codes] = &[
    VERDICTS, REPLIES, REASONS, STATES, ABORTS, EVENTS, CIRCUITS, FATES,
];

/// The reason with this number.
#[must_use]
pub fn reason(code: u32) -> Option<Reason> {
    const BY_CODE: [Reason; 10] = [
        Reason::Exhausted,
        Reason::Timeout,
        Reason::LeaseExpired,
        Reason::OwnerDied,
        Reason::Permanent,
        Reason::Expired,
        Reason::Invalid,
        Reason::Corrupt,
        Reason::CircuitOpen,
        Reason::Refused,
    ];
    BY_CODE.into_iter().find(|reason| *reason as u32 == code)
}
