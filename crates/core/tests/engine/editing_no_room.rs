//! Edits of dead letters that a storage does not take: refused, and the letter is as it was. [A5 dead edit, A8 clean]

use ackbox_core::command::*;
use ackbox_core::config::{Config, QueueOptions};
use ackbox_core::error::ErrorCode;

use crate::editing::{answered, begin, edit, shown, tight, world_with_letter};
use crate::support::message;

#[test]
fn without_room_it_is_refused_and_the_letter_is_as_it_was() {
    let (mut world, orders) = world_with_letter(tight());
    world.hold_appends = true;
    let first = begin(&mut world, orders, None, Some("mended"));
    let other = world.command(Command::Enqueue(message(orders, "behind")));
    world.fail_append(true);
    let failure = answered(&mut world, first).unwrap().unwrap_err();
    assert_eq!(failure.code, ErrorCode::StorageFull);
    world.hold_appends = false;
    world.land();
    assert!(
        world.receipts.iter().any(|receipt| receipt.0 == other),
        "the box lives"
    );
    let (info, _, text) = shown(&mut world, orders);
    assert_eq!((text.as_str(), info.error.is_some()), ("original", true));
    world.audit();
    assert_eq!(
        edit(&mut world, orders, None, Some("mended")),
        Ok(1),
        "with room it works"
    );
    world.audit();
}

#[test]
fn one_that_waits_for_another_to_be_durable_goes_on_without_it() {
    let (mut world, orders) = world_with_letter(tight());
    world.hold_appends = true;
    let refused = begin(
        &mut world,
        orders,
        Some("{}"),
        Some("a longer body than before"),
    );
    let waits = begin(&mut world, orders, None, Some("mended"));
    world.fail_append(true);
    assert!(answered(&mut world, refused).unwrap().is_err());
    assert_eq!(answered(&mut world, waits), None);
    world.hold_appends = false;
    world.land();
    assert_eq!(answered(&mut world, waits), Some(Ok(1)));
    let (_, headers, text) = shown(&mut world, orders);
    assert_eq!(
        (headers.as_str(), text.as_str()),
        ("{\"h\":\"1\"}", "mended")
    );
    world.audit();
}

#[test]
fn a_redriven_letter_that_found_no_room_ends_the_run() {
    let (mut world, orders) = world_with_letter(tight());
    world.hold_appends = true;
    let ticket = begin(&mut world, orders, None, Some("mended"));
    let redrive = world
        .request(Request::Redrive {
            queue: orders,
            filter: DeadFilter::default(),
            to: None,
            per_second_milli: None,
            forget_steps: false,
        })
        .unwrap();
    world.fail_append(true);
    for ticket in [ticket, redrive] {
        let failure = world.answer(ticket).unwrap().unwrap_err();
        assert_eq!(failure.code, ErrorCode::StorageFailed);
    }
    let mut world = world.reopen();
    assert_eq!(shown(&mut world, orders).2, "original");
}

#[test]
fn a_failed_append_refuses_it() {
    let (mut world, orders) = world_with_letter(Config::default());
    world.hold_appends = true;
    let first = begin(&mut world, orders, None, Some("mended"));
    let second = begin(&mut world, orders, None, Some("mended again"));
    world.fail_append(false);
    for ticket in [first, second] {
        let failure = answered(&mut world, ticket).unwrap().unwrap_err();
        assert_eq!(failure.code, ErrorCode::StorageFailed);
    }
}

#[test]
fn without_room_to_move_its_letter_it_is_refused_as_well() {
    let (mut world, orders) = world_with_letter(tight());
    let churned = world.define("churned", QueueOptions::default());
    for _ in 0..100 {
        let id = world.enqueue(churned, &"x".repeat(300));
        world.hold_appends = true;
        let ticket = world
            .request(Request::Cancel { queue: churned, id })
            .unwrap();
        world.land();
        assert!(world.answer(ticket).is_some());
        if world.held.is_some() {
            // Nobody waits for this one: it moves the letter.
            world.fail_append(true);
            let failure = edit(&mut world, orders, None, Some("mended")).unwrap_err();
            assert_eq!(failure.code, ErrorCode::StorageFull);
            world.hold_appends = false;
            world.enqueue(churned, "room again");
            assert_eq!(edit(&mut world, orders, None, Some("mended")), Ok(1));
            world.audit();
            return;
        }
        world.hold_appends = false;
    }
    panic!("the letter is never moved alone");
}
