//! Bits that change on the disk: they are noticed by whoever opens the box, and nothing is lost silently.

use ackbox_core::error::ErrorCode;

use crate::must;
use crate::probe::probe;
use crate::world::{Phase, Stop, World};

impl World {
    /// Flips a bit in a copy of what is stored, and opens that.
    pub(crate) fn flip(&mut self, place: u64, bit: u8) -> Result<(), Stop> {
        let total: usize = self.storage.disk.values().map(Vec::len).sum();
        if self.phase != Phase::Open || total == 0 {
            return Ok(());
        }
        let mut disk = self.storage.disk.clone();
        let mut left = (place % total as u64) as usize;
        let mut at = (0, 0);
        for (segment, bytes) in &mut disk {
            if left < bytes.len() {
                at = (*segment, left);
                bytes[left] ^= 1 << bit;
                break;
            }
            left -= bytes.len();
        }
        let now = self.clock.engine_now();
        let was_stable = self.storage.stable_to.is_some_and(|stable| at < stable);
        self.figures.bit_flips += 1;
        self.figures.bit_flips_in_stable += u64::from(was_stable);
        match probe(&disk, now, &self.plan.config, self.plan.seed) {
            Ok(found) => {
                let cut = found.report.cut;
                must!(
                    cut.is_some(),
                    "a bit that flipped at {at:?} was not noticed"
                );
                must!(
                    !was_stable,
                    "a bit that flipped at {at:?}, in what was durable, was cut off: {cut:?}"
                );
            }
            Err(failure) => {
                let noticed = matches!(failure.code, ErrorCode::Corrupt | ErrorCode::NewerFormat);
                must!(noticed, "a bit that flipped at {at:?}: {failure:?}");
            }
        }
        Ok(())
    }
}
