//! A journal that an engine wrote, and what may happen to it on a disk. No checksum is computed anew, so
//! whatever is replayed was written: the records from the first segment that is there, without a gap.

use std::collections::BTreeSet;

use super::journals::{self, Origin};
use super::naive::Found;
use super::{Disk, reading};
use crate::chance::Chance;

/// Damages at once.
const DAMAGES_MAX: usize = 6;
/// Bytes that one damage takes at most: a sector.
const SPAN_MAX: usize = 4096;

pub(super) fn take(mut chance: Chance<'_>) {
    let (own, foreign) = journals::written();
    let mut disk = own.clone();
    for _ in 0..=chance.below(DAMAGES_MAX) {
        damage(&mut disk, foreign, &mut chance);
    }
    let Ok(found) = reading::read(&disk) else {
        return;
    };
    check_written(&found, own, foreign);
    journals::open_and_use(&disk, &bodies(own), Origin::Engine);
}

/// What is replayed stood in one of the two journals, in the same order and without a gap.
fn check_written(found: &Found, own: &Disk, foreign: &Disk) {
    let Some(first) = found.records.first() else {
        return;
    };
    let journals = [own, foreign];
    let written = journals.map(|disk| reading::recover(disk).expect("it is sound").records);
    let is_part = |written: &Vec<_>| {
        let begin = written.iter().position(|record| record == first);
        begin.is_some_and(|begin| written[begin..].starts_with(&found.records))
    };
    assert!(
        written.iter().any(is_part),
        "replayed what was not written: {:?}",
        found.records
    );
}

fn bodies(disk: &Disk) -> Vec<Vec<u8>> {
    let found = reading::recover(disk).expect("it is sound");
    journals::bodies(&found)
}

fn damage(disk: &mut Disk, foreign: &Disk, chance: &mut Chance<'_>) {
    let segments: BTreeSet<u32> = disk.keys().copied().collect();
    let Some(segment) = segments.iter().nth(chance.below(segments.len().max(1))) else {
        return;
    };
    let segment = *segment;
    let other = disk.keys().copied().nth(chance.below(disk.len()));
    let bytes = disk.get_mut(&segment).expect("it was listed");
    let at = place(bytes, chance);
    let end = (at + chance.below(SPAN_MAX)).min(bytes.len());
    match chance.below(10) {
        0 if at < bytes.len() => bytes[at] ^= 1 << chance.below(8),
        1 => bytes.truncate(at),
        2 => bytes[at..end].fill(0),
        3 => {
            let noise = chance.byte();
            for (index, byte) in bytes[at..end].iter_mut().enumerate() {
                *byte = (index as u8).wrapping_mul(167).wrapping_add(noise);
            }
        }
        4 => {
            bytes.drain(at..end);
        }
        5 => {
            let copy = bytes[at..end].to_vec();
            let to = place(bytes, chance);
            bytes.splice(to..to, copy);
        }
        6 => bytes.extend(std::iter::repeat_n(0, end - at)),
        7 => {
            disk.remove(&segment);
        }
        8 => {
            let copy = disk[&segment].clone();
            disk.insert(other.unwrap_or(segment), copy);
        }
        _ => {
            if let Some(bytes) = foreign.get(&segment) {
                disk.insert(segment, bytes.clone());
            }
        }
    }
}

/// Somewhere, more often than not where something may begin.
fn place(bytes: &[u8], chance: &mut Chance<'_>) -> usize {
    let at = chance.below(bytes.len() + 1);
    if chance.below(4) == 0 { at } else { at / 8 * 8 }
}
