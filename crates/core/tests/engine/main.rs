//! The engine as a black box, in virtual time: one behaviour a module, all of them over [`support::World`].

#![allow(
    unreachable_pub,
    reason = "one crate: `pub` says what a module offers to the others"
)]

mod support;

mod attempts;
mod dequeueing;
mod fencing;
mod groups;
mod lifecycle;
mod pausing;
mod priorities;
mod retrying;
mod scheduling;
mod time_to_live;
