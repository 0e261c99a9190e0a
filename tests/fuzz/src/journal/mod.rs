//! Stored bytes from anywhere, in three ways: as they come ([`raw`]), as a sound journal that somebody damaged
//! ([`damaged`]), and as records that nobody would write, under checksums that hold ([`sealed`]).

mod damaged;
mod deaths;
mod journals;
mod naive;
mod raw;
mod reading;
mod sealed;

use crate::chance::Chance;

/// Bytes by segment.
type Disk = std::collections::BTreeMap<u32, Vec<u8>>;

pub(crate) fn take(data: &[u8]) {
    let mut chance = Chance::new(data);
    match chance.below(3) {
        0 => raw::take(chance),
        1 => damaged::take(chance),
        _ => sealed::take(chance),
    }
}
