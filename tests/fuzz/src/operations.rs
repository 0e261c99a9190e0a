//! A world of the simulator whose every choice is a byte of the input: how the box and its queues are set up,
//! what producers, consumers and operators do, which faults the storage has, and when the process dies. The
//! simulator holds what the engine tells against its invariants and its reference model.

use ackbox_simulation::plan::Plan;

pub(crate) fn take(data: &[u8]) {
    let plan = Plan::decode(data);
    let all: Vec<usize> = (0..plan.ops.len()).collect();
    let report = ackbox_simulation::run(&plan, &all);
    if let Some((at, violation)) = report.violation {
        panic!("operation {at} of {:#?}: {violation}", plan);
    }
}
