//! Runs the tests of another crate where Rust's own runner has nobody to talk to: on `wasm32-unknown-unknown`.
//!
//! Its targets (`Cargo.toml`) are the files of `crates/core`, as they are, and `parts.rs` puts the small ones together. Files of
//! test data are parts of them, for nothing can be read there.
//!
//! `main.mjs` instantiates the module that holds them and tells which test is next. A panic ends the instance, as it does
//! where the engine runs in a browser; then `main.mjs` goes on with a new one, behind the test that panicked. So a test that
//! should panic can be seen to do so.
//!
//! The compiler hands over the tests (`custom_test_frameworks`, unstable): the crate under test needs no line for it.

#![cfg_attr(target_family = "wasm", feature(test))]

#[cfg(target_family = "wasm")]
mod runner;

#[cfg(target_family = "wasm")]
pub use runner::run;
