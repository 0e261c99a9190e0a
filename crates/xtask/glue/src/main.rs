//! Writes the JavaScript glue of the WebAssembly binding.
//!
//! `xtask-glue <compiled.wasm> <folder>` leaves `ackbox.js`, `ackbox.d.ts` and `ackbox_bg.wasm` in the
//! folder: the `web` target of wasm-bindgen, whose `initSync` takes a compiled module and so needs
//! neither a bundler nor `fetch`. A crate of its own, so that only a WebAssembly build compiles
//! wasm-bindgen's tools (half a minute).

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let [input, folder] = arguments.as_slice() else {
        bail!(
            "expected <compiled.wasm> <folder>, got {} arguments",
            arguments.len()
        );
    };
    Bindgen::new()
        .input_path(input)
        .out_name("ackbox")
        .web(true)?
        .typescript(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(folder)
        .with_context(|| format!("no glue from {}", input.display()))
}
