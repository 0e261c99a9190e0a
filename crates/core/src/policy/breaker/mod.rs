//! Circuit breakers: whether a call may be made now, learned from how calls before it went.
//!
//! A [`Breaker`] is a state machine without clock and timers: time is an argument, and whoever wants to be
//! woken asks [`Breaker::next_deadline`]. A report costs the same however many calls the window holds.
//!
//! # States
//!
//! | state | calls | left when |
//! |---|---|---|
//! | closed | all, and their results fill the window | the window trips: open |
//! | open | none | the cooldown is over: half-open |
//! | half-open | at most `probes` at once | `successes` probes succeeded: closed; one failed, was slow or outlived its deadline: open, for the next cooldown |
//! | isolated | none | only by [`Breaker::reset`] or [`Breaker::disable`] |
//! | disabled | all, and nothing is counted | only by [`Breaker::reset`] or [`Breaker::isolate`] |
//!
//! Each state that is entered is a new *epoch*, and each [`Permit`] belongs to the epoch that gave it. A result
//! of an earlier epoch is counted as late and changes nothing else: a call that began before an outage can
//! neither end a recovery nor stand for one. A probe is a lease: one that never returns is a failure at its
//! deadline, so no breaker stays half-open for ever.
//!
//! # The gate of a queue
//!
//! ```
//! use std::sync::Arc;
//! use ackbox_core::policy::breaker::{Breaker, BreakerOptions, Outcome, Settings, State};
//! use ackbox_core::time::Timestamp;
//!
//! let settings = Arc::new(Settings::parse(&BreakerOptions::default()).unwrap());
//! let mut gate = Breaker::new(settings, [7; 16]);
//! let now = Timestamp(1_000);
//!
//! // Before a message is handed out. A refusal says when to ask again: park the messages until then.
//! let permit = gate.permit(now).permit.unwrap();
//! // When its handler returned. What changed is saved and told of; nothing else has to be saved.
//! let changed = gate.report(permit, Outcome::Failure, 25, now.plus(25));
//! assert!(changed.is_none());
//!
//! for _ in 0..4 {
//!     let permit = gate.permit(now).permit.unwrap();
//!     let _ = gate.report(permit, Outcome::Failure, 0, now.plus(25));
//! }
//! assert_eq!(gate.state(), State::Open);
//! assert_eq!(gate.permit(now.plus(25)).permit.unwrap_err().retry_at, now.plus(30_025));
//! // One timer of the host for all gates: the earliest deadline, and then `advance`.
//! assert_eq!(gate.next_deadline(), Some(now.plus(30_025)));
//! let changes = gate.advance(now.plus(30_025));
//! assert_eq!(changes.last().map(|change| change.to), Some(State::HalfOpen));
//! // So many messages may be handed out now: the slots for probes.
//! assert_eq!(gate.room(now.plus(30_025)), 1);
//! ```
//!
//! Messages whose start was taken back report [`Outcome::Cancelled`], which returns the permit. A
//! `RetryAfterError` is [`Outcome::Throttled`]: it closes the gate for everybody until then, and says nothing
//! about health unless it says that it does. `PermanentError` is [`Outcome::Ignored`]; a
//! body that cannot be decoded was no call, and is cancelled.

mod machine;
mod options;
mod permit;
mod probes;
mod snapshot;
mod state;
mod stats;
mod steady;
mod verdict;
mod window;

pub use machine::Breaker;
pub use options::{BreakerOptions, PROBES_MAX, SIZE_MAX, Settings, WindowKind};
pub use permit::{Answer, Outcome, Permit, Refusal};
pub use snapshot::Snapshot;
pub use state::{Change, Changes, State, Why};
pub use stats::{Counters, Stats};
pub use window::Totals;
