//! Which things happen in one world, and how often.

use crate::chance::Rng;

use super::draws::{care, effort, fault, jump, say, tear, which};
use super::{pick, spread};
use crate::op::{DESTINATIONS, Item, Op};

/// How often each kind of thing happens in one world.
pub(super) struct Mix {
    weights: [u32; KINDS],
    ids: u8,
    groups: u8,
    delays: bool,
    lives: bool,
    priorities: bool,
    destinations: bool,
    large: bool,
    serial: u32,
}

const KINDS: usize = 28;

impl Mix {
    pub(super) fn draw(rng: &mut Rng, prompt: bool, late: bool) -> Self {
        let mut weights = [0; KINDS];
        let usual = [
            20,
            4,
            8,
            30,
            3,
            8,
            2,
            2,
            4,
            8,
            if prompt { 2 } else { 50 },
            8,
            8,
            2,
            2,
            5,
            2,
            1,
            12,
            1,
            2,
            2,
            6,
            if late { 12 } else { 0 },
            if late { 6 } else { 0 },
            4,
            5,
            1,
        ];
        for (weight, usual) in weights.iter_mut().zip(usual) {
            *weight = usual * pick(rng, &[0, 1, 1, 1, 3]);
        }
        // Nothing happens in a world without messages.
        weights[0] = weights[0].max(20);
        Self {
            weights,
            ids: *pick(rng, &[0, 2, 6, 40]),
            groups: *pick(rng, &[0, 0, 1, 3]),
            delays: rng.bool(),
            lives: rng.u8(..3) == 0,
            priorities: rng.bool(),
            destinations: rng.bool(),
            large: rng.bool(),
            serial: 0,
        }
    }

    fn kind(&self, rng: &mut Rng) -> usize {
        let sum: u32 = self.weights.iter().sum();
        let mut left = rng.u32(..sum);
        for (kind, weight) in self.weights.iter().enumerate() {
            if left < *weight {
                return kind;
            }
            left -= weight;
        }
        unreachable!("the sum was drawn from")
    }

    pub(super) fn op(&mut self, rng: &mut Rng) -> Op {
        match self.kind(rng) {
            0 => Op::Enqueue(self.item(rng)),
            1 => Op::EnqueueMany(self.items(rng, 5)),
            2 => Op::Dequeue {
                queue: rng.usize(..3),
                max: rng.u32(1..=3),
                wait_ms: if rng.bool() { 0 } else { spread(rng, 5000) },
                lease_ms: rng.bool().then(|| 1 + spread(rng, 3000)),
            },
            3 => Op::Settle {
                pick: rng.u32(..),
                say: say(rng),
                answered: rng.bool(),
                returned: rng.u8(..6) != 0,
            },
            4 => Op::Stale {
                pick: rng.u32(..),
                say: say(rng),
            },
            5 => Op::Returned { pick: rng.u32(..) },
            6 => Op::Abandon { pick: rng.u32(..) },
            7 => Op::Extend {
                pick: rng.u32(..),
                ms: spread(rng, 5000),
            },
            8 => Op::Transaction {
                ends: (0..rng.usize(..3))
                    .map(|_| (rng.u32(..), say(rng)))
                    .collect(),
                items: self.items(rng, 2),
            },
            9 => Op::Care {
                queue: rng.usize(..3),
                care: care(rng),
            },
            10 => Op::Serve { pick: rng.u32(..) },
            11 => Op::Advance {
                ms: spread(rng, 20_000),
            },
            12 => Op::Wake,
            13 => Op::Jump { ms: jump(rng) },
            14 => Op::Arm {
                fault: fault(rng),
                tear: tear(rng),
            },
            15 => Op::Crash {
                after: if rng.bool() { 0 } else { rng.u32(..20) },
                tear: tear(rng),
            },
            16 => Op::Flip {
                place: rng.u64(..),
                bit: rng.u8(..8),
            },
            17 => Op::Close,
            18 => Op::Step {
                pick: rng.u32(..),
                effort: effort(rng),
            },
            19 => Op::StaleStep {
                pick: rng.u32(..),
                name: rng.u8(..3),
            },
            20 => Op::OpenProducer {
                producer: rng.u8(..2),
            },
            21 => Op::Room {
                bytes: *pick(rng, &[None, None, Some(100), Some(400), Some(1500)]),
            },
            22 => Op::Produce {
                producer: rng.u8(..2),
                which: which(rng),
                item: self.item(rng),
            },
            23 => Op::Begin { pick: rng.u32(..) },
            24 => Op::Decline { pick: rng.u32(..) },
            25 => Op::Leave {
                items: self.items(rng, 2),
            },
            26 => Op::MoveIn {
                rows: rng.u8(1..=3),
                buries: rng.bool(),
            },
            _ => Op::MoveAgain {
                pick: rng.u32(..),
                leaps: rng.bool(),
            },
        }
    }

    fn items(&mut self, rng: &mut Rng, max: usize) -> Vec<Item> {
        (0..rng.usize(..=max)).map(|_| self.item(rng)).collect()
    }

    fn item(&mut self, rng: &mut Rng) -> Item {
        self.serial += 1;
        Item {
            queue: rng.usize(..3),
            id: (self.ids > 0 && rng.u8(..4) != 0).then(|| rng.u8(..self.ids)),
            conflicts: rng.u8(..20) == 0,
            serial: self.serial,
            bytes: spread(rng, if self.large { 3000 } else { 60 }) as u16,
            group: (self.groups > 0 && rng.bool()).then(|| rng.u8(..self.groups)),
            destination: (self.destinations && rng.u8(..4) > 0).then(|| rng.u8(..DESTINATIONS)),
            priority: if self.priorities { rng.u8(..3) } else { 0 },
            delay_ms: if self.delays && rng.bool() {
                spread(rng, 5000)
            } else {
                0
            },
            ttl_ms: (self.lives && rng.u8(..3) == 0).then(|| 1 + spread(rng, 5000)),
        }
    }
}
