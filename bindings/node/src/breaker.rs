//! A circuit breaker as a class.

use ackbox_wire::{BreakerHost, code_name};
use napi::Error;
use napi::bindgen_prelude::Uint8Array;
use napi_derive::napi;
use serde_json::Value;

use crate::guard::{CodedError, Guard, making};

/// One breaker; [`BreakerHost`] tells what its numbers mean.
#[napi]
pub struct NodeBreaker {
    host: Guard<BreakerHost>,
}

#[napi]
impl NodeBreaker {
    /// Throws an error whose `code` is the engine's when it refuses the options or the snapshot. `entropy` is 16 bytes.
    #[napi(constructor)]
    pub fn new(
        now_ms: f64,
        options: Value,
        entropy: Uint8Array,
        seed: Option<String>,
        snapshot: Option<Value>,
    ) -> Result<Self, CodedError> {
        let host = making(|| {
            let entropy = (*entropy).try_into().expect("entropy has 16 bytes");
            BreakerHost::new(now_ms, options, entropy, seed.as_deref(), snapshot)
        })?
        .map_err(|refused| Error::new(code_name(refused.code), refused.message))?;
        Ok(Self {
            host: Guard::Alive(host),
        })
    }

    /// Asks for a permit, for a call that may take so long.
    #[napi]
    pub fn permit(&mut self, now_ms: f64, limit_ms: Option<f64>) -> Result<f64, CodedError> {
        self.host.with(|host| host.permit(now_ms, limit_ms))
    }

    /// Tells how a call went.
    #[napi]
    pub fn report(
        &mut self,
        permit: f64,
        outcome: u32,
        took_ms: f64,
        now_ms: f64,
        successes: u32,
    ) -> Result<u32, CodedError> {
        self.host
            .with(|host| host.report(permit, outcome, took_ms, now_ms, successes))
    }

    /// Tells of several successes.
    #[napi]
    pub fn report_successes(
        &mut self,
        permit: f64,
        times: u32,
        now_ms: f64,
    ) -> Result<u32, CodedError> {
        self.host
            .with(|host| host.report_successes(permit, times, now_ms))
    }

    /// Tells that the callee asked for a pause, and whether that is a failure.
    #[napi]
    pub fn throttle(
        &mut self,
        permit: f64,
        until_ms: f64,
        failed: bool,
        now_ms: f64,
    ) -> Result<bool, CodedError> {
        self.host
            .with(|host| host.throttle(permit, until_ms, failed, now_ms))
    }

    /// Lets time pass.
    #[napi]
    pub fn advance(&mut self, now_ms: f64) -> Result<bool, CodedError> {
        self.host.with(|host| host.advance(now_ms))
    }

    /// Somebody decides.
    #[napi]
    pub fn decide(&mut self, decision: u32, now_ms: f64) -> Result<bool, CodedError> {
        self.host.with(|host| host.decide(decision, now_ms))
    }

    /// Sets how long the present cooldown takes.
    #[napi]
    pub fn cool_down_for(&mut self, ms: f64) -> Result<(), CodedError> {
        self.host.with(|host| host.cool_down_for(ms))
    }

    /// When the next permit can be had.
    #[napi]
    pub fn retry_at(&mut self, now_ms: f64) -> Result<f64, CodedError> {
        self.host.with(|host| host.retry_at(now_ms))
    }

    /// The changes that were not taken yet.
    #[napi]
    pub fn changes(&mut self) -> Result<Value, CodedError> {
        self.host.with(BreakerHost::changes)
    }

    /// What it has seen.
    #[napi]
    pub fn stats(&mut self, now_ms: f64) -> Result<Value, CodedError> {
        self.host.with(|host| host.stats(now_ms))
    }

    /// What outlives the process.
    #[napi]
    pub fn snapshot(&mut self, now_ms: f64) -> Result<Value, CodedError> {
        self.host.with(|host| host.snapshot(now_ms))
    }
}
