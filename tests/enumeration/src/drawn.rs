//! Scripts that are drawn like the worlds of the simulator.

use ackbox_core::config::Durability;
use ackbox_simulation::op::Op;
use ackbox_simulation::plan::Plan;

use crate::scripts::{Act, SEGMENT_BYTES, Script};

/// Operations of a drawn script.
const DRAWN_OPS: usize = 30;

/// One that was drawn like the worlds of the simulator, and crashes only where it is told to.
#[must_use]
pub fn drawn(seed: u64) -> Script {
    let mut plan = Plan::of(seed);
    plan.prompt = false;
    plan.config.segment_bytes = SEGMENT_BYTES;
    // What a weaker storage may lose is for the scripts that are about that.
    plan.config.durability = Durability::PowerLoss;
    let ops = std::mem::take(&mut plan.ops);
    let is_apart = |op: &Op| matches!(op, Op::Flip { .. } | Op::Jump { .. });
    // A crash between two effects is one that is enumerated.
    let at_once = |op| match op {
        Op::Crash { tear, .. } => Op::Crash { after: 0, tear },
        op => op,
    };
    let ops = ops.into_iter().filter(|op| !is_apart(op)).map(at_once);
    let ops = ops.take(DRAWN_OPS);
    let acts = ops
        .enumerate()
        .map(|(index, op)| {
            if index % 3 == 1 {
                Act::Leave(op)
            } else {
                Act::Do(op)
            }
        })
        .collect();
    Script {
        name: format!("drawn-{seed}"),
        plan,
        acts,
        least: 10,
    }
}
