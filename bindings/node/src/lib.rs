//! Node-API binding of the ackbox engine: a [`Host`](ackbox_wire::Host) over memory of JavaScript,
//! and the lock of the operating system on a file. It decides nothing, and never calls JavaScript.

// Bugs on purpose are for programs that test the engine: nothing that is released may hold one.
#[cfg(ackbox_bugs)]
compile_error!("built with `--cfg ackbox_bugs`, which no addon may be");

pub mod breaker;
pub mod engine;
mod guard;
pub mod lock;
pub mod policy;
