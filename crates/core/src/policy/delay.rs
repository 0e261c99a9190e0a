//! The delay of one message: its schedule, and what makes it this message's own.
//!
//! The seed, the id of the message and the number of the attempt decide, so that a recovered engine,
//! another engine, and a call outside any queue come to the same delay.

use super::backoff::Backoff;
use crate::hash;

/// How long to wait after an attempt, from 1, that failed.
#[must_use]
pub fn after(backoff: &Backoff, seed: &[u8; 16], id: &[u8], attempt: u32) -> u64 {
    let random = |retry: u32| hash::jitter(seed, id, retry.saturating_add(1));
    backoff.delay_ms(attempt.saturating_sub(1), random)
}

/// How long to wait after an attempt that was told to wait `floor_ms` at least.
#[must_use]
pub fn above(backoff: &Backoff, floor_ms: u64, seed: &[u8; 16], id: &[u8], attempt: u32) -> u64 {
    backoff.delay_above_ms(floor_ms, hash::jitter(seed, id, attempt))
}
