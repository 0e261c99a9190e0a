//! WebAssembly binding of the ackbox engine: a [`Host`](ackbox_wire::Host) over areas of its own
//! memory, which JavaScript reads and writes in place, and breakers that stand alone. It decides nothing, and never calls
//! JavaScript.
//!
//! A panic is a trap here. What panicked must not be called again; [`panic_message`] tells why.

// Bugs on purpose are for programs that test the engine: nothing that is released may hold one.
#[cfg(ackbox_bugs)]
compile_error!("built with `--cfg ackbox_bugs`, which no addon may be");

mod area;
pub mod breaker;
mod convert;
pub mod engine;
pub mod policy;

use wasm_bindgen::prelude::wasm_bindgen;

/// The text of the panic behind a trap; empty if there was none.
#[wasm_bindgen(js_name = panicMessage)]
#[must_use]
pub fn panic_message() -> String {
    ackbox_wire::panic::message()
}
