//! Node-API binding of the ackbox engine: a [`Host`](ackbox_wire::Host) over memory of JavaScript,
//! and the lock of the operating system on a file. It decides nothing, and never calls JavaScript.

pub mod breaker;
pub mod engine;
mod guard;
pub mod lock;
pub mod policy;
