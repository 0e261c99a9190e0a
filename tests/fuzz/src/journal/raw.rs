//! Bytes as they come, in one to four segments.

use super::journals::{self, Origin};
use super::{Disk, reading};
use crate::chance::Chance;

pub(super) fn take(mut chance: Chance<'_>) {
    let first = chance.number() as u32;
    let count = chance.below(4);
    let mut disk = Disk::new();
    for index in 0..count {
        let bytes = chance.bytes(1 << 12);
        disk.insert(first.wrapping_add(index as u32), bytes.to_vec());
    }
    disk.insert(first.wrapping_add(count as u32), chance.rest().to_vec());
    let _ = reading::read(&disk);
    journals::open_and_use(&disk, &[], Origin::Anybody);
}
