//! What a seed means: how its world is set up, which faults are in the mix, and everything that happens.
//!
//! The mix is drawn anew for each seed (swarm testing: <https://doi.org/10.1145/2338965.2336763>): a world
//! in which everything may go wrong at once seldom gets far enough for the rare combinations.

use ackbox_core::config::{
    Config, DeadOptions, DedupOptions, Durability, GroupOnDead, Guarantee, QueueOptions,
};
use ackbox_core::policy::backoff::{Backoff, Jitter};

use crate::chance::Rng;
use crate::op::{Care, Item, Op, Say};
use crate::storage::{Fault, Tear};

/// A world to be.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where all chance comes from.
    pub seed: u64,
    /// Of the box.
    pub config: Config,
    /// Of its queues.
    pub queues: Vec<QueueOptions>,
    /// Handlers at once, of the workers that each queue has from the start.
    pub workers: Vec<Vec<u32>>,
    /// The storage answers at once, unless it is told otherwise.
    pub prompt: bool,
    /// Of the clock.
    pub drift_milli: i64,
    /// What happens.
    pub ops: Vec<Op>,
    /// It is told while it happens.
    pub echoes: bool,
}

/// How often each kind of thing happens in one world.
struct Mix {
    weights: [u32; KINDS],
    ids: u8,
    groups: u8,
    delays: bool,
    lives: bool,
    priorities: bool,
    large: bool,
    serial: u32,
}

const KINDS: usize = 19;

impl Plan {
    /// The world of a seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        Self::drawn(Rng::with_seed(seed), seed)
    }

    /// The world in which these bytes are all the chance there is.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Self {
        Self::drawn(Rng::of_bytes(bytes), 0)
    }

    fn drawn(mut rng: Rng, seed: u64) -> Self {
        let count = rng.usize(1..=3);
        let queues: Vec<QueueOptions> = (0..count).map(|_| queue(&mut rng)).collect();
        let workers = (0..count).map(|_| workers(&mut rng)).collect();
        let config = Config {
            max_memory_bytes: *pick(&mut rng, &[0, 500, 4000, 1 << 20]),
            segment_bytes: *pick(&mut rng, &[4 << 10, 4 << 10, 8 << 10, 64 << 10]),
            free_owner_deaths: *pick(&mut rng, &[0, 0, 0, 3]),
            durability: Durability::PowerLoss,
            ..Config::default()
        };
        let prompt = rng.bool();
        let drift_milli = *pick(&mut rng, &[0, 0, 1, -1, 300]);
        let length = *pick(&mut rng, &[30, 100, 100, 200, 400]);
        let mut mix = Mix::draw(&mut rng, prompt);
        let mut ops = Vec::new();
        while ops.len() < length && !rng.is_spent() {
            ops.push(mix.op(&mut rng));
        }
        Self {
            seed,
            config,
            queues,
            workers,
            prompt,
            drift_milli,
            ops,
            echoes: false,
        }
    }
}

fn pick<'a, T>(rng: &mut Rng, choices: &'a [T]) -> &'a T {
    &choices[rng.usize(..choices.len())]
}

/// Small numbers often, large ones sometimes.
fn spread(rng: &mut Rng, max: u64) -> u64 {
    let limit = max >> rng.u32(0..=max.ilog2());
    rng.u64(0..=limit)
}

fn queue(rng: &mut Rng) -> QueueOptions {
    use Guarantee::{AtLeastOnce, AtMostOnce, ExactlyOnce};
    let guarantees = [
        AtLeastOnce,
        AtLeastOnce,
        AtLeastOnce,
        AtMostOnce,
        ExactlyOnce,
    ];
    let dead_retain = (rng.u8(..5) == 0).then(|| spread(rng, 20_000));
    let guarantee = *pick(rng, &guarantees);
    QueueOptions {
        guarantee: Some(guarantee),
        max_attempts: Some(*pick(rng, &[1, 2, 3, 6, u32::MAX])),
        max_retry_ms: *pick(rng, &[None, None, None, Some(5000)]),
        backoff: Some(backoff(rng)),
        lease_ms: Some(*pick(rng, &[1, 300, 1000, 30_000])),
        dedup: Some(DedupOptions {
            window_ms: Some(*pick(rng, &[0, 700, 5000, 86_400_000])),
            ..DedupOptions::default()
        }),
        max_depth: *pick(rng, &[None, None, None, Some(5)]),
        group_on_dead: Some(*pick(rng, &[GroupOnDead::Continue, GroupOnDead::Block])),
        dead: dead_retain.map(|retain_ms| DeadOptions {
            retain_ms: Some(retain_ms),
        }),
        ..QueueOptions::default()
    }
}

fn backoff(rng: &mut Rng) -> Backoff {
    if rng.bool() {
        return Backoff::Constant {
            ms: *pick(rng, &[0, 20, 300, 2000]),
            jitter: Jitter::None,
        };
    }
    Backoff::Exponential {
        base_ms: 100,
        factor_milli: 2000,
        cap_ms: 3000,
        jitter: *pick(
            rng,
            &[
                Jitter::None,
                Jitter::Full,
                Jitter::Equal,
                Jitter::Fraction(100),
            ],
        ),
    }
}

fn workers(rng: &mut Rng) -> Vec<u32> {
    (0..rng.usize(..3))
        .map(|_| *pick(rng, &[1, 2, 5]))
        .collect()
}

impl Mix {
    fn draw(rng: &mut Rng, prompt: bool) -> Self {
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
            8,
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

    fn op(&mut self, rng: &mut Rng) -> Op {
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
                fault: *pick(
                    rng,
                    &[
                        Fault::Append,
                        Fault::Full,
                        Fault::Full,
                        Fault::Read,
                        Fault::Maintenance,
                    ],
                ),
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
            _ => Op::Step {
                pick: rng.u32(..),
                name: rng.u8(..4),
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

fn say(rng: &mut Rng) -> Say {
    match rng.u8(..12) {
        0..6 => Say::Ack,
        6..8 => Say::Reject {
            delay_ms: rng.bool().then(|| spread(rng, 2000)),
        },
        8 => Say::Dead,
        9 => Say::Later {
            ms: spread(rng, 2000),
            costs: rng.bool(),
        },
        10 => Say::Later {
            ms: 0,
            costs: false,
        },
        _ => Say::Return,
    }
}

fn care(rng: &mut Rng) -> Care {
    match rng.u8(..16) {
        0 => Care::Pause(true),
        1 => Care::Pause(false),
        2 => Care::Cancel { pick: rng.u32(..) },
        3 => Care::RetryNow { pick: rng.u32(..) },
        4 => Care::Forget { id: rng.u8(..6) },
        5 if rng.bool() => Care::Purge,
        5..8 => Care::Redrive {
            limit: rng.bool().then(|| rng.u32(1..3)),
        },
        8 => Care::RemoveDead {
            limit: rng.u32(1..3),
        },
        9..12 => Care::Peek,
        12 => Care::OpenWorker {
            concurrency: rng.u32(1..4),
        },
        13 => Care::CloseWorker { pick: rng.u32(..) },
        _ => Care::PauseWorker {
            pick: rng.u32(..),
            paused: rng.bool(),
        },
    }
}

fn jump(rng: &mut Rng) -> i64 {
    let ms = spread(rng, 7_200_000) as i64;
    if rng.bool() { ms } else { -ms }
}

fn tear(rng: &mut Rng) -> Tear {
    match rng.u8(..5) {
        0 => Tear::Nothing,
        1 => Tear::Everything,
        2 => Tear::Prefix(rng.u16(..1000)),
        _ => Tear::Sectors {
            size: *pick(rng, &[512, 4096]),
            noise: rng.bool(),
            seed: rng.u64(..),
        },
    }
}
