//! Redrives at a pace: even, never ahead of it, and cut off without a loss.

use ackbox_core::command::*;
use ackbox_core::config::{Config, QueueOptions};
use ackbox_core::effect::{Answer, Object, Redriven};
use ackbox_core::error::{ErrorCode, Failure};
use ackbox_core::time::Timestamp;

use crate::support::{World, message};

/// So many dead letters, `0` and up.
fn letters(count: usize) -> (World, QueueId) {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let ids: Vec<String> = (0..count).map(|index| index.to_string()).collect();
    for ids in ids.chunks(1000) {
        let items = ids.iter().map(|id| Enqueue {
            id: Some(id),
            ttl_ms: Some(1),
            ..message(orders, "x")
        });
        world.command(Command::EnqueueMany(items.collect()));
    }
    world.advance(2);
    assert_eq!(world.stats(orders).dead_letters, count as u64);
    (world, orders)
}

fn request(queue: QueueId, per_second_milli: u64, filter: DeadFilter) -> Request {
    Request::Redrive {
        queue,
        filter,
        to: None,
        per_second_milli: Some(per_second_milli),
        forget_steps: false,
    }
}

fn begin(world: &mut World, queue: QueueId, per_second_milli: u64) -> u64 {
    let request = request(queue, per_second_milli, DeadFilter::default());
    world.request(request).expect("it is taken")
}

fn done(world: &mut World, ticket: u64) -> Option<Result<(u64, u64), Failure>> {
    Some(world.answer(ticket)?.map(|answer| match answer {
        Answer::Object(object) => match *object {
            Object::Redriven(Redriven { moved, skipped }) => (moved, skipped),
            other => panic!("expected what was redriven, got {other:?}"),
        },
        other => panic!("expected an object, got {other:?}"),
    }))
}

fn ready(world: &mut World, queue: QueueId) -> u64 {
    world.stats(queue).ready
}

#[test]
fn a_slow_pace_is_even_and_ends_with_the_last_letter() {
    let (mut world, orders) = letters(4);
    let ticket = begin(&mut world, orders, 2000);
    for moved in 1..4 {
        assert_eq!(ready(&mut world, orders), moved);
        assert_eq!(done(&mut world, ticket), None);
        world.advance(499);
        assert_eq!(ready(&mut world, orders), moved);
        world.advance(1);
        world.audit();
    }
    assert_eq!(done(&mut world, ticket), Some(Ok((4, 0))));
    assert_eq!(ready(&mut world, orders), 4);
    let ids: Vec<String> = world
        .peek(orders, None)
        .into_iter()
        .map(|info| info.id)
        .collect();
    assert_eq!(ids, ["0", "1", "2", "3"], "in the order of their deaths");
    assert_eq!(world.engine.poll_timeout(), None, "nothing is left to do");
}

#[test]
fn a_pace_below_one_a_second_is_a_pace() {
    let (mut world, orders) = letters(2);
    let ticket = begin(&mut world, orders, 1);
    world.advance(999_999);
    assert_eq!(ready(&mut world, orders), 1);
    world.advance(1);
    assert_eq!(done(&mut world, ticket), Some(Ok((2, 0))));
}

#[test]
fn a_fast_pace_wakes_the_host_fifty_times_a_second_at_most() {
    let (mut world, orders) = letters(3000);
    let ticket = begin(&mut world, orders, 1_000_000);
    let (mut wakeups, start) = (0, world.now);
    while let Some((Timestamp(at), _)) = world.engine.poll_timeout() {
        world.advance(at - world.now);
        wakeups += 1;
        let (moved, passed) = (ready(&mut world, orders), world.now - start);
        assert!(moved <= passed + 1, "{moved} letters after {passed} ms");
        assert!(moved + 20 >= passed, "{moved} letters after {passed} ms");
    }
    assert_eq!(done(&mut world, ticket), Some(Ok((3000, 0))));
    assert!((140..=160).contains(&wakeups), "{wakeups} in three seconds");
}

#[test]
fn a_pause_of_the_host_is_not_made_up_for_in_a_burst() {
    let (mut world, orders) = letters(1000);
    begin(&mut world, orders, 100_000);
    world.now += 60_000;
    world.run();
    assert!(
        ready(&mut world, orders) <= 1 + 3,
        "{}",
        ready(&mut world, orders)
    );
    world.advance(1000);
    assert!((100..=106).contains(&ready(&mut world, orders)));
}

#[test]
fn what_is_not_redriven_when_it_is_cut_off_stays_dead() {
    let cuts: [fn(&mut World, u64); 3] = [
        |_, _| (),
        |world, ticket| {
            let now = Timestamp(world.now);
            world
                .engine
                .handle_command(now, Ticket(ticket), Command::StopWaiting);
            world.run();
            assert_eq!(done(world, ticket), Some(Ok((3, 0))), "what it has done");
        },
        |world, ticket| {
            world.value(Request::Close {});
            let failure = done(world, ticket).unwrap().unwrap_err();
            assert_eq!(failure.code, ErrorCode::Closed);
            assert!(failure.message.contains("3 dead letters"), "{failure:?}");
        },
    ];
    for cut in cuts {
        let (mut world, orders) = letters(10);
        let ticket = begin(&mut world, orders, 1000);
        world.advance(2000);
        cut(&mut world, ticket);
        let mut world = world.reopen();
        world.advance(60_000);
        let stats = world.stats(orders);
        assert_eq!((stats.ready, stats.dead_letters), (3, 7));
        let again = begin(&mut world, orders, 1_000_000);
        world.advance(1000);
        assert_eq!(
            done(&mut world, again),
            Some(Ok((7, 0))),
            "it goes on where it was cut"
        );
        world.audit();
    }
}

#[test]
fn it_ends_although_everything_dies_again_at_once() {
    let (mut world, orders) = letters(5);
    let ticket = begin(&mut world, orders, 10_000);
    for _ in 0..10 {
        while let Some(delivery) = world.dequeue(orders, 1).pop() {
            world
                .settle(delivery.token, Verdict::Dead(Reason::Permanent))
                .unwrap();
        }
        world.advance(100);
    }
    assert_eq!(done(&mut world, ticket), Some(Ok((5, 0))));
    assert_eq!(world.stats(orders).dead_letters, 5);
}

#[test]
fn all_other_work_goes_on_beside_it() {
    let config = Config {
        segment_bytes: 4096,
        ..Config::default()
    };
    let (world, orders) = letters(20);
    let mut world = World::open(world.crash(), crate::support::T0 + 2, config).unwrap();
    let filter = DeadFilter {
        ids: Some(["0", "1", "2", "19", "no"].map(str::to_owned).to_vec()),
        ..DeadFilter::default()
    };
    let ticket = world.request(request(orders, 1000, filter)).unwrap();
    let named = |id: &str| DeadFilter {
        ids: Some(vec![id.to_owned()]),
        ..DeadFilter::default()
    };
    // Its next one is taken by another redrive, the one after that is removed.
    assert_eq!(world.redrive(orders, named("1")).moved, 1);
    let remove = |filter| Request::RemoveDead {
        queue: orders,
        filter,
    };
    assert_eq!(world.value(remove(named("2"))), 1);
    let churned = world.define("churned", QueueOptions::default());
    for _ in 0..60 {
        let id = world.enqueue(churned, &"x".repeat(300));
        world.value(Request::Cancel { queue: churned, id });
        world.audit();
    }
    assert!(world.box_stats().cleaned_segments > 1, "cleaning goes on");
    assert_eq!(
        world
            .redrive(
                orders,
                DeadFilter {
                    limit: Some(10),
                    ..DeadFilter::default()
                }
            )
            .moved,
        10
    );
    assert_eq!(done(&mut world, ticket), None);
    world.advance(1000);
    assert_eq!(done(&mut world, ticket), Some(Ok((2, 1))));
    world.audit();
}

#[test]
fn it_waits_while_one_record_redrives_the_same_letters() {
    let (mut world, orders) = letters(3000);
    let paced = begin(&mut world, orders, 1_000_000);
    world.now += 20;
    let now = Timestamp(world.now);
    let ticket = world.next_ticket();
    let plain = Request::Redrive {
        queue: orders,
        filter: DeadFilter::default(),
        to: None,
        per_second_milli: None,
        forget_steps: false,
    };
    world.engine.handle_request(now, ticket, plain).unwrap();
    world.engine.handle_timeout(now);
    world.advance(1000);
    assert_eq!(done(&mut world, ticket.0), Some(Ok((2999, 0))));
    assert_eq!(done(&mut world, paced), Some(Ok((1, 0))));
    world.audit();
}

#[test]
fn it_goes_to_another_queue_as_well() {
    let (mut world, orders) = letters(3);
    let repairs = world.define("repairs", QueueOptions::default());
    world.enqueue_id(repairs, "1", "another");
    let request = Request::Redrive {
        queue: orders,
        filter: DeadFilter::default(),
        to: Some("repairs".into()),
        per_second_milli: Some(1000),
        forget_steps: false,
    };
    let ticket = world.request(request).unwrap();
    world.advance(1000);
    assert_eq!(
        done(&mut world, ticket),
        Some(Ok((2, 1))),
        "a skipped one takes no time"
    );
    assert_eq!(ready(&mut world, repairs), 3);
    world.audit();
}

#[test]
fn its_pace_and_number_have_limits() {
    let (mut world, orders) = letters(2000);
    for wrong in [0, 1_000_000_001] {
        let refused = world.request(request(orders, wrong, DeadFilter::default()));
        let failure = refused.unwrap_err();
        assert_eq!(failure.code, ErrorCode::InvalidOption);
        assert!(failure.message.starts_with("perSecond"), "{failure:?}");
    }
    let none = DeadFilter {
        before: Some(Timestamp(1)),
        ..DeadFilter::default()
    };
    let ticket = world.request(request(orders, 1, none)).unwrap();
    assert_eq!(done(&mut world, ticket), Some(Ok((0, 0))));
    for _ in 0..1000 {
        begin(&mut world, orders, 1);
    }
    let failure = world
        .request(request(orders, 1, DeadFilter::default()))
        .unwrap_err();
    assert_eq!(failure.code, ErrorCode::QueueFull);
}
