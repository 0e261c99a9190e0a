//! A circuit breaker as a class.

use ackbox_wire::{BreakerHost, code_name, panic};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::convert::{error, from_host, to_host};

/// One breaker; [`BreakerHost`] tells what its numbers mean.
#[wasm_bindgen]
pub struct WasmBreaker {
    host: BreakerHost,
}

#[wasm_bindgen]
impl WasmBreaker {
    /// Throws an error whose `code` is the engine's when it refuses the options or the snapshot. `entropy` is 16 bytes.
    ///
    /// # Errors
    /// As said above.
    #[wasm_bindgen(constructor)]
    pub fn new(
        now_ms: f64,
        options: JsValue,
        entropy: &[u8],
        seed: Option<String>,
        snapshot: JsValue,
    ) -> Result<Self, JsValue> {
        panic::record();
        let entropy = entropy.try_into().expect("entropy has 16 bytes");
        let snapshot = if snapshot.is_undefined() {
            None
        } else {
            Some(from_host(snapshot)?)
        };
        let options = from_host(options)?;
        let host = BreakerHost::new(now_ms, options, entropy, seed.as_deref(), snapshot)
            .map_err(|refused| error(&code_name(refused.code), &refused.message))?;
        Ok(Self { host })
    }

    /// Asks for a permit, for a call that may take so long.
    pub fn permit(&mut self, now_ms: f64, limit_ms: Option<f64>) -> f64 {
        self.host.permit(now_ms, limit_ms)
    }

    /// Tells how a call went.
    pub fn report(
        &mut self,
        permit: f64,
        outcome: u32,
        took_ms: f64,
        now_ms: f64,
        successes: u32,
    ) -> u32 {
        self.host
            .report(permit, outcome, took_ms, now_ms, successes)
    }

    /// Tells of several successes.
    #[wasm_bindgen(js_name = reportSuccesses)]
    pub fn report_successes(&mut self, permit: f64, times: u32, now_ms: f64) -> u32 {
        self.host.report_successes(permit, times, now_ms)
    }

    /// Tells that the callee asked for a pause, and whether that is a failure.
    pub fn throttle(&mut self, permit: f64, until_ms: f64, failed: bool, now_ms: f64) -> bool {
        self.host.throttle(permit, until_ms, failed, now_ms)
    }

    /// Lets time pass.
    pub fn advance(&mut self, now_ms: f64) -> bool {
        self.host.advance(now_ms)
    }

    /// Somebody decides.
    pub fn decide(&mut self, decision: u32, now_ms: f64) -> bool {
        self.host.decide(decision, now_ms)
    }

    /// Sets how long the present cooldown takes.
    #[wasm_bindgen(js_name = coolDownFor)]
    pub fn cool_down_for(&mut self, ms: f64) {
        self.host.cool_down_for(ms);
    }

    /// When the next permit can be had.
    #[wasm_bindgen(js_name = retryAt)]
    pub fn retry_at(&self, now_ms: f64) -> f64 {
        self.host.retry_at(now_ms)
    }

    /// The changes that were not taken yet.
    ///
    /// # Errors
    /// Never: an object can always be written.
    pub fn changes(&mut self) -> Result<JsValue, JsValue> {
        to_host(&self.host.changes())
    }

    /// What it has seen.
    ///
    /// # Errors
    /// Never: an object can always be written.
    pub fn stats(&self, now_ms: f64) -> Result<JsValue, JsValue> {
        to_host(&self.host.stats(now_ms))
    }

    /// What outlives the process.
    ///
    /// # Errors
    /// Never: an object can always be written.
    pub fn snapshot(&self, now_ms: f64) -> Result<JsValue, JsValue> {
        to_host(&self.host.snapshot(now_ms))
    }
}
