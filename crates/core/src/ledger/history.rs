//! Past attempts of one message: the last [`ATTEMPTS_MAX`], oldest first, each with how it ended,
//! when, and an error of at most [`ERROR_BYTES_MAX`] bytes.

use crate::command::Reason;
use crate::effect::AttemptInfo;
use crate::journal::{AttemptRecord, Attempts};
use crate::time::Timestamp;

/// The error of an attempt whose owner died, as hosts encode those of handlers.
pub const OWNER_DIED: &[u8] = br#"{"name":"AckboxError","message":"the process that owned the box ended before the delivery was settled","code":"ERR_LEASE_LOST"}"#;

/// Attempts kept for one message.
pub const ATTEMPTS_MAX: usize = 32;
/// Bytes of error text kept for one attempt.
pub const ERROR_BYTES_MAX: usize = 4096;

/// Appends one attempt and forgets the oldest beyond the limit.
pub fn push(history: &mut Vec<u8>, attempt: &AttemptRecord<'_>) {
    attempt.encode(history);
    let excess = Attempts::new(history).count().saturating_sub(ATTEMPTS_MAX);
    if excess > 0 {
        let mut kept = Vec::with_capacity(history.len());
        for attempt in Attempts::new(history).skip(excess).flatten() {
            attempt.encode(&mut kept);
        }
        *history = kept;
    }
}

/// Cuts an error to what is kept of it.
#[must_use]
pub fn cut(error: &[u8]) -> &[u8] {
    &error[..error.len().min(ERROR_BYTES_MAX)]
}

/// As users see them.
#[must_use]
pub fn describe(history: &[u8]) -> Vec<AttemptInfo> {
    Attempts::new(history)
        .flatten()
        .map(|attempt| AttemptInfo {
            attempt: attempt.attempt,
            started_at: Timestamp(attempt.started_at),
            ended_at: Timestamp(attempt.ended_at),
            reason: Reason::from_code(attempt.reason).unwrap_or(Reason::Exhausted),
            error: text(attempt.error),
        })
        .collect()
}

/// An encoded error as text, none when empty.
#[must_use]
pub fn text(error: &[u8]) -> Option<String> {
    (!error.is_empty()).then(|| String::from_utf8_lossy(error).into_owned())
}
