//! The ackbox engine: every decision of a durable message queue, and no I/O.
//!
//! Four parts, each of which knows nothing of those after it: [`policy`] calculates, [`ledger`]
//! knows which messages exist and in which state, [`journal`] turns what happened into bytes and
//! back, [`consumer`] knows who takes how much. [`engine`] puts them together; its documentation
//! says how it is driven.
//!
//! The crate reads no clock, draws no randomness, starts no thread and iterates no hash map: equal
//! inputs give equal bytes out, on every target.

#![forbid(unsafe_code)]

#[macro_use]
mod seeded;

mod buckets;
pub mod command;
pub mod config;
pub mod consumer;
pub mod effect;
pub mod engine;
pub mod error;
pub mod hash;
pub mod histogram;
pub mod id;
pub mod id_text;
pub mod index;
pub mod journal;
mod json;
pub mod ledger;
pub mod meter;
pub mod policy;
pub mod slab;
pub mod time;
pub mod transit;
