//! Policies without a box: the calculators of the engine as plain functions.

use ackbox_cold as cold;
use ackbox_core::error::{ErrorCode, Failure};
use ackbox_core::hash;
use ackbox_core::policy::delay;
use serde_json::Value;

use crate::number::{duration, trusted};

/// How long to wait after attempt number `attempt`, from 1, in ms: what a box that was created with this
/// seed waits before it delivers the message with this id again.
///
/// `floor_ms`: somebody else said that it must be so much at least, and the schedule only spreads that.
///
/// # Errors
/// `ERR_INVALID_OPTION` for a schedule that is none.
pub fn backoff_delay(
    backoff: Value,
    seed: &str,
    id: &str,
    attempt: u32,
    floor_ms: Option<f64>,
) -> Result<f64, Failure> {
    let backoff = cold::read_backoff(backoff)?;
    let refused = |what| Failure::new(ErrorCode::InvalidOption, what);
    backoff.check().map_err(refused)?;
    let (seed, id) = (hash::seed_from_text(seed), id.as_bytes());
    let ms = match floor_ms {
        Some(floor_ms) => delay::above(
            &backoff,
            trusted(duration(floor_ms, "floor")),
            &seed,
            id,
            attempt,
        ),
        None => delay::after(&backoff, &seed, id, attempt),
    };
    Ok(ms as f64)
}
