//! Those who live in a world: what they ask of the engine, and what they then expect of it.

mod beginning;
mod consumer;
mod inbox;
mod numbered;
mod operator;
pub(crate) mod producer;
pub(crate) mod steps;
