//! What a thing that happens is like.

use crate::chance::Rng;

use super::{pick, spread};
use crate::op::{Care, DESTINATIONS, Effort, Say, Which};
use crate::storage::{Fault, Tear};

pub(super) fn which(rng: &mut Rng) -> Which {
    match rng.u8(..8) {
        0..5 => Which::Next {
            gap: if rng.u8(..6) == 0 { rng.u64(1..4) } else { 0 },
        },
        5..7 => Which::Again { pick: rng.u32(..) },
        _ => Which::Fenced { pick: rng.u32(..) },
    }
}

pub(super) fn say(rng: &mut Rng) -> Say {
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

pub(super) fn care(rng: &mut Rng) -> Care {
    match rng.u8(..24) {
        20..24 => Care::CoolDown {
            pick: rng.u32(..),
            ms: spread(rng, 5000),
        },
        16 => Care::DrainWorker { pick: rng.u32(..) },
        17..19 => Care::Edit {
            pick: rng.u32(..),
            bytes: spread(rng, 500) as u16,
        },
        19 => Care::Circuit {
            pick: rng.u32(..),
            destination: rng.u8(..=DESTINATIONS),
            isolate: rng.bool(),
        },
        0 => Care::Pause(true),
        1 => Care::Pause(false),
        2 => Care::Cancel { pick: rng.u32(..) },
        3 => Care::RetryNow { pick: rng.u32(..) },
        4 => Care::Forget { id: rng.u8(..6) },
        5 if rng.bool() => Care::Purge,
        5..8 => Care::Redrive {
            limit: rng.bool().then(|| rng.u32(1..3)),
            per_second_milli: *pick(rng, &[None, None, None, Some(200), Some(50_000)]),
            to: (rng.u8(..3) == 0).then(|| rng.usize(..3)),
            forget_steps: rng.u8(..4) == 0,
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

pub(super) fn jump(rng: &mut Rng) -> i64 {
    let ms = spread(rng, 7_200_000) as i64;
    if rng.bool() { ms } else { -ms }
}

pub(super) fn fault(rng: &mut Rng) -> Fault {
    let (place, bit) = (rng.u32(..), rng.u8(..8));
    let rot = Fault::Rot { place, bit };
    let faults = [
        Fault::Append,
        Fault::Full,
        Fault::Full,
        Fault::Read,
        rot,
        rot,
        Fault::Maintenance,
        Fault::Flush,
    ];
    *pick(rng, &faults)
}

pub(super) fn tear(rng: &mut Rng) -> Tear {
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

pub(super) fn effort(rng: &mut Rng) -> Effort {
    Effort {
        name: rng.u8(..3),
        gives: rng.bool().then(|| spread(rng, 600) as u16),
        cut_off: rng.u8(..4) == 0,
    }
}
