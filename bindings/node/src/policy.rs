//! Policies without a box.

use ackbox_wire::{code_name, policy};
use napi::Error;
use napi_derive::napi;
use serde_json::Value;

use crate::guard::{CodedError, making};

/// How long to wait after attempt number `attempt`, in ms; `floor_ms` at least, if that is given.
/// Throws an error whose `code` is the engine's when it refuses `backoff`.
#[napi]
pub fn backoff_delay(
    backoff: Value,
    seed: String,
    id: String,
    attempt: u32,
    floor_ms: Option<f64>,
) -> Result<f64, CodedError> {
    making(|| policy::backoff_delay(backoff, &seed, &id, attempt, floor_ms))?
        .map_err(|refused| Error::new(code_name(refused.code), refused.message))
}
