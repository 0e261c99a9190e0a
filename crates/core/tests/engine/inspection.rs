//! Looking at messages without taking them.

use ackbox_core::command::*;
use ackbox_core::config::QueueOptions;
use ackbox_core::error::ErrorCode;

use crate::support::World;

#[test]
fn only_states_that_a_message_can_be_found_in_are_peeked() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.worker(orders, 1);
    world.enqueue_id(orders, "a", "x");
    world.work_off();
    for (state, name) in [
        (MessageState::Completed, "'completed'"),
        (MessageState::Cancelled, "'cancelled'"),
    ] {
        let refused = world
            .request(Request::Peek {
                queue: orders,
                state: Some(state),
                limit: 10,
            })
            .expect_err("nothing could be shown");
        assert_eq!(refused.code, ErrorCode::InvalidOption);
        for word in ["'scheduled', 'ready', 'leased' or 'dead'", name] {
            assert!(refused.message.contains(word), "{}", refused.message);
        }
    }
    assert_eq!(
        world.state(orders, "a"),
        Some(MessageState::Completed),
        "that is what get is for"
    );
}
