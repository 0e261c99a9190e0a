//! Ids that the box generates and a caller passes back. [S9]

use ackbox_core::command::*;
use ackbox_core::config::{Compare, Config, DedupOptions, QueueOptions};
use ackbox_core::error::{ErrorCode, Failure};

use crate::support::{World, message};

/// Whether an id is known, whatever came under it.
fn is_duplicate(world: &mut World, queue: QueueId, id: &str) -> bool {
    match pass_back(world, queue, id, "again") {
        Ok((duplicate, ..)) => duplicate,
        Err(failure) => {
            assert_eq!(failure.code, ErrorCode::IdConflict);
            true
        }
    }
}

fn pass_back(
    world: &mut World,
    queue: QueueId,
    id: &str,
    body: &str,
) -> Result<(bool, MessageState, String), Failure> {
    world.try_enqueue(Enqueue {
        id: Some(id),
        ..message(queue, body)
    })
}

#[test]
fn an_id_passed_back_is_known_while_its_message_lives_and_after_it_finished() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let id = world.enqueue(orders, "x");
    assert_eq!(
        world.enqueue_id(orders, &id, "x"),
        (true, MessageState::Ready, id.clone())
    );
    world.worker(orders, 1);
    world.work_off();
    assert_eq!(
        world.enqueue_id(orders, &id, "again"),
        (true, MessageState::Completed, id.clone())
    );
    for _ in 0..5 {
        world = world.reopen();
        world.enqueue(orders, "y");
        assert!(is_duplicate(&mut world, orders, &id));
    }
}

#[test]
fn an_id_whose_message_never_became_durable_was_never_accepted() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.enqueue(orders, "durable");
    world.hold_appends = true;
    world.command(Command::Enqueue(message(orders, "lost")));
    world.held = None;
    let lost = {
        // The id that the receipt would have told, from a run in which it became durable.
        let mut twin = World::new();
        let orders = twin.define("orders", QueueOptions::default());
        twin.enqueue(orders, "durable");
        twin.enqueue(orders, "lost")
    };
    let mut world = world.reopen();
    assert!(
        !is_duplicate(&mut world, orders, &lost),
        "it is accepted under that id now"
    );
    assert!(is_duplicate(&mut world, orders, &lost));
    let mut world = world.reopen();
    assert!(is_duplicate(&mut world, orders, &lost));
    assert_eq!(world.box_stats().messages, 2);
}

#[test]
fn a_torn_first_frame_of_a_segment_claims_no_id() {
    let config = Config {
        segment_bytes: 4096,
        ..Default::default()
    };
    let mut world = World::with_config(config);
    let orders = world.define("orders", QueueOptions::default());
    let body = "b".repeat(1000);
    let mut last = String::new();
    while world.disk.len() < 2 {
        last = world.enqueue(orders, &body);
    }
    let bytes = world.disk.get_mut(&2).unwrap();
    bytes.truncate(200);
    let mut world = world.reopen();
    assert!(world.report().cut.is_some());
    assert!(
        !is_duplicate(&mut world, orders, &last),
        "its frame was torn"
    );
}

#[test]
fn ids_of_another_box_are_callers_ids() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let foreign = "01hf7yat0000003nqk8n000011zzzzzz";
    assert!(!is_duplicate(&mut world, orders, foreign));
    assert!(is_duplicate(&mut world, orders, foreign));
    assert_eq!(world.stats(orders).dedup_entries, 1);
}

#[test]
fn ids_of_a_run_that_left_no_trace_are_not_taken_for_those_of_the_next() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    world.enqueue(orders, "first");
    let (now, config) = (world.now, world.config.clone());
    let disk = world.crash();
    let open = |run: u8| World::open_with(disk.clone(), now, config.clone(), [run; 32]).unwrap();
    let mut failing = open(1);
    failing.hold_appends = true;
    let ticket = failing.command(Command::Enqueue(message(orders, "lost")));
    failing.fail_append(false);
    let failure = failing.answer(ticket).unwrap().unwrap_err();
    let lost = failure
        .id
        .expect("an enqueue whose outcome is unknown tells its id");
    let mut world = open(2);
    let other = world.enqueue(orders, "other");
    assert_ne!(other, lost);
    assert!(
        !is_duplicate(&mut world, orders, &lost),
        "its append left nothing on the disk"
    );
    assert!(is_duplicate(&mut world, orders, &lost));
    assert!(is_duplicate(&mut world, orders, &other));
    let mut world = world.reopen();
    assert!(is_duplicate(&mut world, orders, &other));
    assert_eq!(world.box_stats().messages, 3);
}

#[test]
fn another_body_under_the_id_of_a_live_message_is_a_conflict() {
    // Bodies that are not in memory are known as well.
    let mut world = World::with_config(Config {
        segment_bytes: 4096,
        max_memory_bytes: 0,
        ..Config::default()
    });
    let options = |compare| QueueOptions {
        max_attempts: Some(1),
        dedup: Some(DedupOptions {
            compare,
            ..DedupOptions::default()
        }),
        ..QueueOptions::default()
    };
    let orders = world.define("orders", options(None));
    let id = world.enqueue(orders, "x");
    let expect_conflict = |world: &mut World| {
        let refused = pass_back(world, orders, &id, "y").unwrap_err();
        assert_eq!(refused.code, ErrorCode::IdConflict);
        assert_eq!(refused.id.as_ref(), Some(&id));
        assert!(pass_back(world, orders, &id, "x").expect("the same").0);
    };
    expect_conflict(&mut world);
    let mails = world.define("mails", QueueOptions::default());
    let before = world.box_stats().cleaned_segments;
    while world.box_stats().cleaned_segments < before + 3 {
        world.enqueue(mails, &"b".repeat(1000));
        world.value(Request::Purge { queue: mails });
    }
    let mut world = world.reopen();
    expect_conflict(&mut world);
    let running = world.dequeue(orders, 1);
    expect_conflict(&mut world);
    world.reject(running[0].token);
    assert_eq!(world.dead(orders).len(), 1);
    expect_conflict(&mut world);
    world.define("orders", options(Some(Compare::Id)));
    assert!(
        pass_back(&mut world, orders, &id, "y")
            .expect("ids alone")
            .0
    );
    world.define("orders", options(Some(Compare::Body)));
    world.redrive(orders, DeadFilter::default());
    let running = world.dequeue(orders, 1);
    world.ack(running[0].token);
    assert_eq!(
        pass_back(&mut world, orders, &id, "y").expect("nothing is known of its body"),
        (true, MessageState::Completed, id.clone())
    );
}

#[test]
fn an_id_that_this_run_has_yet_to_give_was_never_accepted() {
    let box_of_two = || {
        let mut world = World::new();
        let orders = world.define("orders", QueueOptions::default());
        world.enqueue(orders, "first");
        (world, orders)
    };
    let (mut twin, orders) = box_of_two();
    twin.now += 5;
    let ahead = twin.enqueue(orders, "second");
    let (mut world, orders) = box_of_two();
    assert!(!is_duplicate(&mut world, orders, &ahead));
    assert_eq!(world.box_stats().messages, 2);
}
