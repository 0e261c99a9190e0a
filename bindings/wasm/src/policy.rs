//! Policies without a box.

use ackbox_wire::{code_name, panic, policy};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::convert::{error, from_host};

/// How long to wait after attempt number `attempt`, in ms; `floor_ms` at least, if that is given.
///
/// # Errors
/// An error whose `code` is the engine's when it refuses `backoff`.
#[wasm_bindgen(js_name = backoffDelay)]
pub fn backoff_delay(
    backoff: JsValue,
    seed: &str,
    id: &str,
    attempt: u32,
    floor_ms: Option<f64>,
) -> Result<f64, JsValue> {
    panic::record();
    policy::backoff_delay(from_host(backoff)?, seed, id, attempt, floor_ms)
        .map_err(|refused| error(&code_name(refused.code), &refused.message))
}
