//! Who gets messages, and how many at once. Pure state: it holds no message and writes no record,
//! so that it works over any ledger.

pub mod circuit;
pub mod control;
pub mod desk;
pub mod lease;
pub mod paces;
pub mod policies;
pub mod ramp;
pub mod sluice;
pub mod suspects;
pub mod turns;
pub mod valve;
pub mod waiters;
pub mod watch;
pub mod worker;
