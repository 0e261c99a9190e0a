//! Pages of dead letters: complete whatever happens between them, bounded in work and bytes. [S24]

use ackbox_core::command::*;
use ackbox_core::config::{Config, QueueOptions};
use ackbox_core::effect::{Answer, DeadPage, Delivery, Object};
use ackbox_core::error::{ErrorCode, Failure};

use crate::support::{World, message};

/// Messages `0` to `count - 1`, dead in this order.
fn dead_letters(count: usize, config: Config) -> (World, QueueId) {
    let mut world = World::with_config(config);
    let orders = world.define("orders", QueueOptions::default());
    for index in 0..count {
        let id = index.to_string();
        world.enqueue_id(orders, &id, &format!("body {id}"));
        kill(&mut world, orders);
    }
    (world, orders)
}

/// The next message dies.
fn kill(world: &mut World, queue: QueueId) {
    let delivery = world.dequeue(queue, 1).remove(0);
    let verdict = Verdict::Dead(Reason::Permanent);
    world.settle(delivery.token, verdict).expect("it is dead");
}

fn request(queue: QueueId, filter: DeadFilter, after: Option<&str>, limit: u32) -> Request {
    Request::DeadPage {
        queue,
        filter,
        after: after.map(str::to_owned),
        limit,
    }
}

fn page(world: &mut World, queue: QueueId, after: Option<&str>, limit: u32) -> DeadPage {
    match world.object(request(queue, DeadFilter::default(), after, limit)) {
        Object::DeadPage(page) => page,
        other => panic!("expected a page, got {other:?}"),
    }
}

fn ids(page: &DeadPage) -> Vec<&str> {
    page.items.iter().map(|info| info.id.as_str()).collect()
}

fn refused(world: &mut World, request: Request) -> Failure {
    world.request(request).expect_err("it is refused")
}

#[test]
fn pages_follow_each_other_and_the_last_one_says_so() {
    let (mut world, orders) = dead_letters(10, Config::default());
    for (limit, expected) in [(4, 3), (5, 2), (10, 1), (1000, 1)] {
        let (mut after, mut seen, mut pages) = (None, Vec::new(), 0);
        loop {
            let page = page(&mut world, orders, after.as_deref(), limit);
            seen.extend(page.items.into_iter().map(|info| info.id));
            pages += 1;
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let all: Vec<String> = (0..10).map(|index| index.to_string()).collect();
        assert_eq!((seen, pages), (all, expected), "{limit} a page");
    }
}

#[test]
fn a_cursor_holds_over_reopening_and_cleaning() {
    let (mut world, orders) = dead_letters(
        12,
        Config {
            segment_bytes: 4096,
            ..Config::default()
        },
    );
    let first = page(&mut world, orders, None, 5);
    let churned = world.define("churned", QueueOptions::default());
    for _ in 0..60 {
        let id = world.enqueue(churned, &"x".repeat(300));
        world.value(Request::Cancel { queue: churned, id });
    }
    assert!(world.box_stats().cleaned_segments > 0);
    let mut world = world.reopen();
    let second = page(&mut world, orders, first.next.as_deref(), 5);
    assert_eq!(ids(&second), ["5", "6", "7", "8", "9"]);
    let third = page(&mut world, orders, second.next.as_deref(), 5);
    assert_eq!((ids(&third), &third.next), (vec!["10", "11"], &None));
}

#[test]
fn a_cursor_that_no_page_of_this_queue_gave_is_refused() {
    let (mut world, orders) = dead_letters(4, Config::default());
    let others = world.define("others", QueueOptions::default());
    let given = page(&mut world, orders, None, 2).next.unwrap();
    let mut wrong: Vec<String> = ["", "x", "2", "2-4", "2-4-", "2-4-00000000", "+2-4-0", "-1"]
        .map(str::to_owned)
        .to_vec();
    wrong.push(given.to_uppercase() + " ");
    wrong.push(format!("0{given}"));
    wrong.push(given.replacen('2', "1", 1));
    for text in wrong {
        let failure = refused(
            &mut world,
            request(orders, DeadFilter::default(), Some(&text), 2),
        );
        assert_eq!(failure.code, ErrorCode::InvalidOption, "{text}");
        assert!(
            failure.message.contains(&format!("got '{text}'"))
                && failure.message.contains("orders"),
            "{failure:?}"
        );
    }
    let failure = refused(
        &mut world,
        request(others, DeadFilter::default(), Some(&given), 2),
    );
    assert_eq!(failure.code, ErrorCode::InvalidOption);
    assert_eq!(ids(&page(&mut world, orders, Some(&given), 2)), ["2", "3"]);
}

#[test]
fn a_walk_shows_each_dead_letter_once_while_others_die_live_and_go() {
    let (mut world, orders) = dead_letters(12, Config::default());
    let named = |ids: &[&str]| DeadFilter {
        ids: Some(ids.iter().map(|id| (*id).to_owned()).collect()),
        ..DeadFilter::default()
    };
    let first = page(&mut world, orders, None, 4);
    assert_eq!(ids(&first), ["0", "1", "2", "3"]);
    // One that was shown dies again, one that was not lives, one is gone, and one dies for the first time.
    world.redrive(orders, named(&["1"]));
    kill(&mut world, orders);
    world.value(Request::RemoveDead {
        queue: orders,
        filter: named(&["3", "6"]),
    });
    world.enqueue_id(orders, "new", "x");
    kill(&mut world, orders);
    world.redrive(orders, named(&["5"]));
    let second = page(&mut world, orders, first.next.as_deref(), 4);
    assert_eq!(ids(&second), ["4", "7", "8", "9"]);
    // What the cursor points at goes.
    world.value(Request::RemoveDead {
        queue: orders,
        filter: named(&["9", "10"]),
    });
    let third = page(&mut world, orders, second.next.as_deref(), 4);
    assert_eq!((ids(&third), &third.next), (vec!["11"], &None));
    let anew = page(&mut world, orders, None, 100);
    assert_eq!(ids(&anew), ["0", "2", "4", "7", "8", "11", "1", "new"]);
}

#[test]
fn a_walk_over_named_letters_shows_each_once_and_none_that_died_since_it_began() {
    let (mut world, orders) = dead_letters(6, Config::default());
    let named = |ids: &[&str]| DeadFilter {
        ids: Some(ids.iter().map(|id| (*id).to_owned()).collect()),
        ..DeadFilter::default()
    };
    let page = |world: &mut World, after: Option<&str>| {
        let filter = named(&["0", "1", "3", "4", "5"]);
        match world.object(request(orders, filter, after, 2)) {
            Object::DeadPage(page) => page,
            other => panic!("expected a page, got {other:?}"),
        }
    };
    let first = page(&mut world, None);
    assert_eq!(ids(&first), ["0", "1"]);
    world.redrive(orders, named(&["0", "4"]));
    kill(&mut world, orders);
    kill(&mut world, orders);
    let second = page(&mut world, first.next.as_deref());
    assert_eq!((ids(&second), &second.next), (vec!["3", "5"], &None));
}

#[test]
fn a_walk_that_redrives_what_fails_at_once_comes_to_an_end() {
    let (mut world, orders) = dead_letters(5, Config::default());
    let (mut after, mut seen) = (None, 0);
    for round in 0.. {
        assert!(round < 10, "the walk goes on for ever");
        let page = page(&mut world, orders, after.as_deref(), 1);
        seen += page.items.len();
        world.redrive(orders, DeadFilter::default());
        for _ in 0..world.stats(orders).ready {
            kill(&mut world, orders);
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    // The others died again behind its end.
    assert_eq!(seen, 1);
}

/// Dead letters that expired, and a last one that is permanent.
fn many_and_a_rare_one(count: usize) -> (World, QueueId) {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    for _ in 0..count / 1000 {
        let items = (0..1000).map(|_| Enqueue {
            ttl_ms: Some(1),
            ..message(orders, "x")
        });
        world.command(Command::EnqueueMany(items.collect()));
    }
    world.advance(2);
    world.enqueue_id(orders, "rare", "x");
    kill(&mut world, orders);
    assert_eq!(world.stats(orders).dead_letters, count as u64 + 1);
    (world, orders)
}

#[test]
fn what_is_rare_is_looked_for_in_bounded_steps() {
    let (mut world, orders) = many_and_a_rare_one(20_000);
    let rare = DeadFilter {
        reason: Some(Reason::Permanent),
        ..DeadFilter::default()
    };
    let mut steps = |make: fn(QueueId, DeadFilter) -> Request| {
        let before = world.steps;
        let ticket = world.request(make(orders, rare.clone())).unwrap();
        assert!(world.answer(ticket).expect("it is answered").is_ok());
        world.steps - before
    };
    let page = steps(|queue, filter| request(queue, filter, None, 10));
    let count = steps(|queue, filter| Request::DeadCount { queue, filter });
    let limited = steps(|queue, filter| Request::Redrive {
        queue,
        filter: DeadFilter {
            limit: Some(1),
            reason: Some(Reason::Corrupt),
            ..filter
        },
        to: None,
        per_second_milli: None,
        forget_steps: false,
    });
    let remove = steps(|queue, filter| Request::RemoveDead { queue, filter });
    for (what, steps) in [
        ("page", page),
        ("count", count),
        ("limited redrive", limited),
        ("remove", remove),
    ] {
        assert!(
            (21..=45).contains(&steps),
            "{what}: 20,001 letters, 1,000 a step, took {steps} steps"
        );
    }
}

#[test]
fn a_page_ends_before_its_bodies_take_too_much_memory() {
    let mut world = World::with_config(Config {
        max_memory_bytes: 0,
        ..Config::default()
    });
    let orders = world.define("orders", QueueOptions::default());
    let large = "x".repeat(1 << 20);
    for _ in 0..20 {
        world.enqueue(orders, &large);
        kill(&mut world, orders);
    }
    assert_eq!(
        sizes(&mut world, orders),
        [7, 7, 6],
        "8 MiB a page, with ids and histories"
    );
    assert_eq!(world.box_stats().memory_bytes, 0, "nothing stays behind");
}

/// How many letters each page shows.
fn sizes(world: &mut World, queue: QueueId) -> Vec<usize> {
    let (mut after, mut sizes) = (None, Vec::new());
    loop {
        let page = page(world, queue, after.as_deref(), 1000);
        sizes.push(page.items.len());
        after = page.next;
        if after.is_none() {
            return sizes;
        }
    }
}

/// Attempts that all end with this error; what they failed with is due again at once.
fn fail(world: &mut World, deliveries: Vec<Delivery>, error: &[u8]) {
    for delivery in deliveries {
        world.unanswered(Command::Settle(Settle {
            token: delivery.token,
            verdict: Verdict::Reject { delay_ms: Some(0) },
            returned: true,
            result: b"",
            error,
        }));
    }
}

#[test]
fn errors_and_histories_count_in_a_page_wherever_they_are() {
    let config = Config {
        segment_bytes: 4 << 20,
        ..Config::default()
    };
    let mut world = World::with_config(config);
    let options = QueueOptions {
        max_attempts: Some(12),
        ..QueueOptions::default()
    };
    let orders = world.define("orders", options);
    let (body, error) = ("x".repeat(1_000_000), [b'e'; 4096]);
    for _ in 0..9 {
        world.enqueue(orders, &body);
    }
    for _ in 1..12 {
        let deliveries = world.dequeue(orders, 9);
        fail(&mut world, deliveries, &error);
    }
    let last = world.dequeue(orders, 9);
    world.hold_appends = true;
    fail(&mut world, last, &error);
    let first = request(orders, DeadFilter::default(), None, 1000);
    let ticket = world.request(first).expect("it is taken");
    world.hold_appends = false;
    world.land();
    // Without what their attempts said there would be room for eight.
    match world.answer(ticket) {
        Some(Ok(Answer::Object(page))) => match *page {
            Object::DeadPage(page) => assert_eq!(page.items.len(), 7, "in memory"),
            other => panic!("expected a page, got {other:?}"),
        },
        other => panic!("expected a page, got {other:?}"),
    }
    assert_eq!(sizes(&mut world, orders), [7, 2], "in records of their own");
    let before = world.box_stats().cleaned_segments;
    while world.box_stats().cleaned_segments < before + 8 {
        let id = world.enqueue(orders, &body);
        world.value(Request::Cancel { queue: orders, id });
    }
    assert_eq!(sizes(&mut world, orders), [7, 2], "moved by cleaning");
}

#[test]
fn steps_count_in_a_page_as_well() {
    let config = Config {
        segment_bytes: 4 << 20,
        ..Config::default()
    };
    let mut world = World::with_config(config);
    let orders = world.define("orders", QueueOptions::default());
    let result = "x".repeat(1_000_000);
    for _ in 0..9 {
        world.enqueue(orders, "small");
        let delivery = world.dequeue(orders, 1).remove(0);
        world.record(delivery.token, "s", Some(&result)).unwrap();
        let verdict = Verdict::Dead(Reason::Permanent);
        world.settle(delivery.token, verdict).expect("it is dead");
    }
    assert_eq!(sizes(&mut world, orders), [8, 1], "in records of their own");
    let before = world.box_stats().cleaned_segments;
    while world.box_stats().cleaned_segments < before + 8 {
        let id = world.enqueue(orders, &result);
        world.value(Request::Cancel { queue: orders, id });
    }
    assert_eq!(sizes(&mut world, orders), [8, 1], "moved by cleaning");
}

#[test]
fn a_filter_names_a_bounded_number_of_ids() {
    let (mut world, orders) = dead_letters(1, Config::default());
    let filter = |count| DeadFilter {
        ids: Some((0..count).map(|index: i32| index.to_string()).collect()),
        ..DeadFilter::default()
    };
    let count = |filter| Request::DeadCount {
        queue: orders,
        filter,
    };
    assert_eq!(world.value(count(filter(10_000))), 1);
    let failure = refused(&mut world, count(filter(10_001)));
    assert_eq!(failure.code, ErrorCode::InvalidOption);
    for request in [
        request(orders, filter(10_001), None, 1),
        Request::Redrive {
            queue: orders,
            filter: filter(10_001),
            to: None,
            per_second_milli: None,
            forget_steps: false,
        },
        Request::RemoveDead {
            queue: orders,
            filter: filter(10_001),
        },
    ] {
        assert_eq!(refused(&mut world, request), failure);
    }
}

#[test]
fn jobs_are_limited_and_wait_while_much_waits_for_the_storage() {
    let (mut world, orders) = dead_letters(3, Config::default());
    world.hold_appends = true;
    world.command(Command::Enqueue(message(orders, "in flight")));
    let large = "x".repeat(1 << 20);
    for _ in 0..5 {
        world.command(Command::Enqueue(message(orders, &large)));
    }
    let remove = Request::RemoveDead {
        queue: orders,
        filter: DeadFilter::default(),
    };
    let ticket = world.request(remove.clone()).unwrap();
    assert_eq!(world.stats(orders).dead_letters, 3, "it waits");
    for _ in 1..10_000 {
        world.request(remove.clone()).unwrap();
    }
    let failure = refused(&mut world, remove);
    assert_eq!(failure.code, ErrorCode::QueueFull);
    world.hold_appends = false;
    world.land();
    let answer = world.answer(ticket).expect("it is answered");
    assert!(matches!(answer, Ok(Answer::Value(3))), "{answer:?}");
    world.audit();
}
