//! What a seed means: how its world is set up, which faults are in the mix, and everything that happens.
//!
//! The mix is drawn anew for each seed (swarm testing: <https://doi.org/10.1145/2338965.2336763>): a world
//! in which everything may go wrong at once seldom gets far enough for the rare combinations.

mod circuits;
mod draws;
mod mix;
mod options;

use crate::chance::Rng;
use ackbox_core::config::{Config, QueueOptions};
use ackbox_core::consumer::policies::Policies;
use ackbox_core::consumer::watch::HandlerLimits;

use crate::op::Op;
use mix::Mix;

/// A world to be.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where all chance comes from.
    pub seed: u64,
    /// Of the box.
    pub config: Config,
    /// Of its queues.
    pub queues: Vec<QueueOptions>,
    /// Of their workers.
    pub policies: Vec<Policies>,
    /// How long handlers of each queue may take.
    pub limits: Vec<HandlerLimits>,
    /// Handlers at once, of the workers that each queue has from the start.
    pub workers: Vec<Vec<u32>>,
    /// The storage answers at once, unless it is told otherwise.
    pub prompt: bool,
    /// Consumers begin later than they are given something, or decline it.
    pub late: bool,
    /// Of the clock.
    pub drift_milli: i64,
    /// What happens.
    pub ops: Vec<Op>,
    /// It is told while it happens.
    pub echoes: bool,
}

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
        let mut queues: Vec<QueueOptions> = (0..count).map(|_| options::queue(&mut rng)).collect();
        let policies = queues.iter();
        let mut policies: Vec<Policies> = policies
            .map(|queue| options::policies(&mut rng, queue))
            .collect();
        let limits = (0..count).map(|_| options::limits(&mut rng)).collect();
        let workers = (0..count).map(|_| options::workers(&mut rng)).collect();
        let mut config = Config {
            max_memory_bytes: *pick(&mut rng, &[0, 500, 4000, 1 << 20]),
            segment_bytes: *pick(&mut rng, &[4 << 10, 4 << 10, 8 << 10, 64 << 10]),
            free_owner_deaths: *pick(&mut rng, &[0, 0, 0, 3]),
            ..Config::default()
        };
        let prompt = rng.bool();
        let late = rng.u8(..3) == 2;
        let drift_milli = *pick(&mut rng, &[0, 0, 1, -1, 300]);
        let length = *pick(&mut rng, &[30, 100, 100, 200, 400]);
        let mut mix = Mix::draw(&mut rng, prompt, late);
        let mut ops = Vec::new();
        while ops.len() < length && !rng.is_spent() {
            ops.push(mix.op(&mut rng));
        }
        options::rarely(&mut rng, &mut config, &mut queues);
        circuits::refine(&mut rng, &mut policies);
        Self {
            seed,
            config,
            queues,
            policies,
            limits,
            workers,
            prompt,
            late,
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
