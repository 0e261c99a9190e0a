//! The engine as a class.

use ackbox_wire::{Host, StepResult, code_name};
use napi::Error;
use napi::bindgen_prelude::Uint8Array;
use napi_derive::napi;
use serde_json::Value;

use crate::guard::{CodedError, Guard, making};

/// One engine and the two areas of memory through which it is spoken to.
///
/// The areas belong to JavaScript and are pinned here by a reference. JavaScript must neither
/// transfer nor resize their buffers while they are bound.
#[napi]
pub struct NodeEngine {
    host: Guard<Host>,
    input: Uint8Array,
    output: Uint8Array,
    last: StepResult,
}

#[napi]
impl NodeEngine {
    /// Throws an error whose `code` is the engine's when it refuses `config`. `entropy` is 32 bytes,
    /// drawn from the system when left out.
    #[napi(constructor)]
    pub fn new(
        now_ms: f64,
        config: Value,
        entropy: Option<Uint8Array>,
        input: Uint8Array,
        output: Uint8Array,
    ) -> Result<Self, CodedError> {
        let entropy = seed(entropy.as_deref())?;
        let host = making(|| Host::new(now_ms, config, entropy))?
            .map_err(|refused| Error::new(code_name(refused.code), refused.message))?;
        let last = StepResult {
            written: 0,
            more: false,
            needed: 0,
        };
        Ok(Self {
            host: Guard::Alive(host),
            input,
            output,
            last,
        })
    }

    /// Exchanges the areas.
    #[napi]
    pub fn rebind(&mut self, input: Uint8Array, output: Uint8Array) {
        self.input = input;
        self.output = output;
    }

    /// Handles the first `input_length` bytes of the input area; gives how many bytes it wrote into
    /// the output area.
    #[napi]
    pub fn step(&mut self, now_ms: f64, input_length: u32) -> Result<u32, CodedError> {
        let input = &*self.input;
        // SAFETY: the reference of `Uint8Array` keeps the memory alive, and nothing else touches it
        // during this call: JavaScript of this thread waits for it, buffers of other threads are
        // never bound, and the input area is another buffer (the constructor's contract).
        let output = unsafe { self.output.as_mut() };
        self.last = self.host.with(|host| {
            let input = input
                .get(..input_length as usize)
                .expect("input ends within its area");
            host.step(now_ms, input, output)
        })?;
        Ok(self.last.written)
    }

    /// Whether the last step left outputs for another one.
    #[napi]
    pub fn more(&self) -> bool {
        self.last.more
    }

    /// How many bytes the output area must have for the next record; 0 if it has them.
    #[napi]
    pub fn needed(&self) -> u32 {
        self.last.needed
    }

    /// Handles a cold request: `{ ok }`, `{}` for an answer that will come, or `{ failure }`.
    #[napi]
    pub fn call(&mut self, now_ms: f64, ticket: f64, request: Value) -> Result<Value, CodedError> {
        self.host.with(|host| host.call(now_ms, ticket, request))
    }

    /// The object that a reply or notice announced under `key`, once.
    #[napi]
    pub fn take(&mut self, key: f64) -> Result<Value, CodedError> {
        self.host.with(|host| host.take(key))
    }

    /// When to step without input, in milliseconds since 1970; infinite for never.
    #[napi]
    pub fn wakeup(&mut self) -> Result<f64, CodedError> {
        self.host.with(|host| host.wakeup())
    }

    /// Gives its memory back at once; every later call throws. Idempotent.
    #[napi]
    pub fn free(&mut self) {
        self.host.free();
    }
}

fn seed(entropy: Option<&[u8]>) -> Result<[u8; 32], CodedError> {
    let mut seed = [0; 32];
    match entropy {
        Some(bytes) if bytes.len() == seed.len() => seed.copy_from_slice(bytes),
        Some(bytes) => {
            let message = format!("entropy: expected 32 bytes, got {}", bytes.len());
            return Err(Error::new("ERR_INVALID_OPTION".to_owned(), message));
        }
        None => getrandom::fill(&mut seed).map_err(|why| {
            Error::new(
                "ERR_ENGINE".to_owned(),
                format!("the system gives no random bytes: {why}"),
            )
        })?,
    }
    Ok(seed)
}
