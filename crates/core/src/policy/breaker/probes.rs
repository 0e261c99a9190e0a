//! The probes of one half-open epoch: leases with a deadline, in a fixed number of slots.

use super::permit::Permit;

/// So many ends that are nobody's failure are one success: as many as the failures that open a circuit by default.
const IGNORED_PER_SUCCESS: u32 = 5;

/// One slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Slot {
    /// The deadline of the probe under way.
    deadline: Option<u64>,
    /// Which use of the slot this is; it wraps, so that only 256 uses later a second report would pass.
    turn: u8,
}

/// Slots for probes and how many succeeded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Probes {
    slots: Box<[Slot]>,
    succeeded: u32,
    ignored: u32,
}

impl Probes {
    pub(super) fn new(slots: u8) -> Self {
        Self {
            slots: vec![Slot::default(); usize::from(slots)].into(),
            succeeded: 0,
            ignored: 0,
        }
    }

    /// Takes a free slot.
    pub(super) fn start(&mut self, epoch: u32, deadline: u64) -> Option<Permit> {
        let index = self.slots.iter().position(|slot| slot.deadline.is_none())?;
        let slot = &mut self.slots[index];
        slot.deadline = Some(deadline);
        slot.turn = slot.turn.wrapping_add(1);
        Some(Permit {
            epoch,
            slot: u8::try_from(index + 1).expect("slots are counted by one byte"),
            turn: slot.turn,
        })
    }

    /// Frees the slot of a permit; false if that probe is not under way.
    pub(super) fn end(&mut self, permit: Permit) -> bool {
        let slot = usize::from(permit.slot).checked_sub(1);
        match slot.and_then(|index| self.slots.get_mut(index)) {
            Some(slot) if slot.turn == permit.turn => slot.deadline.take().is_some(),
            _ => false,
        }
    }

    /// Moves the deadline of a permit's probe, if it is under way.
    pub(super) fn prolong(&mut self, permit: Permit, until: u64) {
        let slot = usize::from(permit.slot).checked_sub(1);
        if let Some(slot) = slot.and_then(|index| self.slots.get_mut(index))
            && slot.turn == permit.turn
            && let Some(deadline) = &mut slot.deadline
        {
            *deadline = until;
        }
    }

    /// Counts a success; gives how many there are.
    pub(super) fn succeed(&mut self) -> u32 {
        self.succeeded += 1;
        self.succeeded
    }

    /// One ended in a way that is nobody's failure; true if that makes one more success.
    pub(super) fn ignore(&mut self) -> bool {
        self.ignored = (self.ignored + 1) % IGNORED_PER_SUCCESS;
        self.ignored == 0
    }

    pub(super) fn free(&self) -> u32 {
        self.slots.len() as u32 - self.under_way()
    }

    pub(super) fn under_way(&self) -> u32 {
        self.slots
            .iter()
            .filter(|slot| slot.deadline.is_some())
            .count() as u32
    }

    /// The earliest deadline.
    pub(super) fn deadline(&self) -> Option<u64> {
        self.slots.iter().filter_map(|slot| slot.deadline).min()
    }

    /// How many probes are past their deadline.
    pub(super) fn expired(&self, now: u64) -> u64 {
        let deadlines = self.slots.iter().filter_map(|slot| slot.deadline);
        deadlines.filter(|deadline| *deadline <= now).count() as u64
    }
}
