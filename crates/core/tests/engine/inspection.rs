//! Looking at messages without taking them.

use ackbox_core::command::*;
use ackbox_core::config::QueueOptions;
use ackbox_core::consumer::watch::HandlerLimits;
use ackbox_core::effect::MessageInfo;
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

#[test]
fn a_message_that_waits_for_its_handler_to_return_is_shown_by_all_as_scheduled() {
    let limits = HandlerLimits {
        timeout_ms: None,
        max_runtime_ms: Some(500),
    };
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.limited_worker(orders, 2, limits);
    let (by_hand, too_long) = (world.enqueue(orders, "x"), world.enqueue(orders, "y"));
    let first = world.delivery();
    let reject = Verdict::Reject {
        delay_ms: Some(100),
    };
    world
        .settle_with(first.token, reject, false, b"", b"")
        .expect("settled");
    world.advance(500);
    world.advance(5000);
    let ids = |infos: Vec<MessageInfo>| -> Vec<String> {
        let ids = infos.into_iter().map(|info| info.id);
        ids.collect()
    };
    let both = [by_hand.clone(), too_long.clone()];
    for state in [None, Some(MessageState::Scheduled)] {
        assert_eq!(ids(world.peek(orders, state)), both, "{state:?}");
    }
    let select = Request::Select {
        queue: orders,
        ids: None,
        states: None,
        limit: 10,
    };
    assert_eq!(ids(world.infos(select)), both);
    for id in &both {
        let shown = world.get(orders, id).expect("it is kept");
        assert_eq!(shown.state, MessageState::Scheduled);
        assert!(shown.due_at.is_some());
    }
    assert_eq!(world.stats(orders).scheduled, 2);
    world.value(Request::Cancel {
        queue: orders,
        id: by_hand,
    });
    assert_eq!(ids(world.peek(orders, None)), [too_long]);
}
