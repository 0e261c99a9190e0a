//! Probes that were not handed out before their deadline are nobody's any more. [S8]

use crate::circuits::{guarded, queue};
use crate::support::World;

#[test]
fn a_probe_that_was_never_handed_out_runs_beside_no_other() {
    let mut world = World::new();
    let orders = queue(&mut world);
    world.worker_with(orders, 3, guarded());
    for body in ["x", "y"] {
        world.send(orders, "a", body);
    }
    while let Some(delivery) = world.deliveries.pop_front() {
        world.reject(delivery.token);
    }
    world.hold_appends = true;
    world.advance(10_000);
    assert!(world.held.is_some(), "a probe is on its way");
    // Its deadline passes, and the time of rest after it.
    world.now += 60_000;
    world.advance(0);
    while world.held.is_some() {
        world.land();
    }
    assert_eq!(world.deliveries.len(), 1, "one probe at a time");
}
