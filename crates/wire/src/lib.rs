//! Flat records between the ackbox engine and its JavaScript driver.
//!
//! Hot traffic crosses the boundary as records in two reused areas of memory, one in, one out;
//! a step handles all records of the input area and fills the output area. [`input`] and
//! [`output`] are the only description of the records: Rust encodes and decodes with the types
//! generated there, and [`typescript()`] prints the codec of the other side. Cold traffic (options,
//! inspection) crosses as JSON-like values (`ackbox_cold`). [`Host`] is both, over one engine; [`BreakerHost`] is a
//! circuit breaker behind numbers.
//!
//! This crate decides nothing and keeps nothing but what waits to be fetched.

#![forbid(unsafe_code)]

mod breaker;
mod bytes;
pub mod codes;
pub mod decode;
mod encode;
mod host;
pub mod input;
mod number;
pub mod output;
pub mod panic;
pub mod policy;
pub mod record;
mod typescript;

pub use ackbox_cold::code_name;
pub use breaker::BreakerHost;
pub use bytes::{FieldKind, TailKind};
pub use host::{Host, StepResult};
pub use typescript::typescript;
