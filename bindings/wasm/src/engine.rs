//! The engine as a class.

use ackbox_wire::{Host, StepResult, code_name, panic};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::area::Area;
use crate::convert::{error, from_host, to_host};

const INPUT_BYTES: usize = 128 << 10;
const OUTPUT_BYTES: usize = 1 << 20;

/// One engine and the two areas of memory through which it is spoken to.
///
/// Any call may grow the memory, which detaches the views that JavaScript has of it.
#[wasm_bindgen]
pub struct WasmEngine {
    host: Host,
    input: Area,
    output: Area,
    last: StepResult,
}

#[wasm_bindgen]
impl WasmEngine {
    /// Throws an error whose `code` is the engine's when it refuses `config`. `entropy` is 32 bytes,
    /// drawn from the system when left out.
    ///
    /// # Errors
    /// As said above.
    #[wasm_bindgen(constructor)]
    pub fn new(now_ms: f64, config: JsValue, entropy: Option<Vec<u8>>) -> Result<Self, JsValue> {
        panic::record();
        let host = Host::new(now_ms, from_host(config)?, seed(entropy)?)
            .map_err(|refused| error(&code_name(refused.code), &refused.message))?;
        Ok(Self {
            host,
            input: Area::new(INPUT_BYTES),
            output: Area::new(OUTPUT_BYTES),
            last: StepResult {
                written: 0,
                more: false,
                needed: 0,
            },
        })
    }

    /// Makes the areas at least this long. What the input area held comes along.
    pub fn reserve(&mut self, input: u32, output: u32) {
        self.input.reserve(input as usize);
        self.output.reserve(output as usize);
    }

    /// Where the input area starts.
    #[wasm_bindgen(js_name = inputPointer)]
    pub fn input_pointer(&self) -> u32 {
        self.input.pointer()
    }

    /// How long the input area is.
    #[wasm_bindgen(js_name = inputLength)]
    pub fn input_length(&self) -> u32 {
        self.input.length() as u32
    }

    /// Where the output area starts.
    #[wasm_bindgen(js_name = outputPointer)]
    pub fn output_pointer(&self) -> u32 {
        self.output.pointer()
    }

    /// How long the output area is.
    #[wasm_bindgen(js_name = outputLength)]
    pub fn output_length(&self) -> u32 {
        self.output.length() as u32
    }

    /// Handles the first `input_length` bytes of the input area; gives how many bytes it wrote into
    /// the output area.
    pub fn step(&mut self, now_ms: f64, input_length: u32) -> u32 {
        let input = &self.input.bytes()[..input_length as usize];
        self.last = self.host.step(now_ms, input, self.output.bytes_mut());
        self.last.written
    }

    /// Whether the last step left outputs for another one.
    pub fn more(&self) -> bool {
        self.last.more
    }

    /// How many bytes the output area must have for the next record; 0 if it has them.
    pub fn needed(&self) -> u32 {
        self.last.needed
    }

    /// Handles a cold request: `{ ok }`, `{}` for an answer that will come, or `{ failure }`.
    ///
    /// # Errors
    /// When the request is no plain object.
    pub fn call(&mut self, now_ms: f64, ticket: f64, request: JsValue) -> Result<JsValue, JsValue> {
        let request = from_host(request)?;
        to_host(&self.host.call(now_ms, ticket, request))
    }

    /// The object that a reply or notice announced under `key`, once.
    ///
    /// # Errors
    /// Never: an object can always be written.
    pub fn take(&mut self, key: f64) -> Result<JsValue, JsValue> {
        to_host(&self.host.take(key))
    }

    /// When to step without input, in milliseconds since 1970; infinite for never.
    pub fn wakeup(&self) -> f64 {
        self.host.wakeup()
    }
}

fn seed(entropy: Option<Vec<u8>>) -> Result<[u8; 32], JsValue> {
    let mut seed = [0; 32];
    match entropy {
        Some(bytes) => {
            seed = bytes.as_slice().try_into().map_err(|_| {
                let message = format!("entropy: expected 32 bytes, got {}", bytes.len());
                error("ERR_INVALID_OPTION", &message)
            })?;
        }
        None => getrandom::fill(&mut seed).map_err(|why| {
            error(
                "ERR_ENGINE",
                &format!("the system gives no random bytes: {why}"),
            )
        })?,
    }
    Ok(seed)
}
