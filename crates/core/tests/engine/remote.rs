//! An engine that works for a remote ledger: what it wants, what becomes of what it gets, and what is refused.

use ackbox_core::command::*;
use ackbox_core::config::{Config, Guarantee, QueueOptions};
use ackbox_core::effect::*;
use ackbox_core::error::ErrorCode;
use ackbox_core::policy::backoff::{Backoff, Jitter};
use ackbox_core::time::Timestamp;

use crate::circuits::guarded;
use crate::support::{T0, World, body, message};

fn remote() -> World {
    World::with_config(Config {
        remote: true,
        ..Config::default()
    })
}

fn options() -> QueueOptions {
    QueueOptions {
        max_attempts: Some(3),
        backoff: Some(Backoff::Constant {
            ms: 1000,
            jitter: Jitter::None,
        }),
        ..QueueOptions::default()
    }
}

fn claimed(queue: QueueId, token: u64) -> Claimed<'static> {
    Claimed {
        token: Token(token),
        queue,
        id: "order",
        attempt: 1,
        deaths: 0,
        max_attempts: 3,
        priority: 0,
        enqueued_at: Timestamp(T0),
        first_delivery: Timestamp(T0),
        deadline: Timestamp::NEVER,
        group: "",
        destination: "",
        headers: b"{}",
        body: b"body",
    }
}

impl World {
    fn bring(&mut self, claims: &[Claimed<'_>], dry: bool) {
        let queue = claims.first().map_or(QueueId(0), |claimed| claimed.queue);
        let now = Timestamp(self.now);
        for claimed in claims {
            self.engine
                .handle_command(now, Ticket(0), Command::TakeIn(claimed.clone()));
        }
        self.unanswered(Command::ClaimDone { queue, dry });
    }

    fn wanted(&mut self) -> u32 {
        let (_, max) = self
            .wants
            .pop()
            .expect("something was told of what is wanted");
        self.wants.clear();
        max
    }

    fn fates(&mut self) -> Vec<(u64, Fate)> {
        let settlements = std::mem::take(&mut self.settlements).into_iter();
        settlements.map(|it| (it.token.0, it.fate)).collect()
    }
}

#[test]
fn it_wants_as_many_as_its_workers_have_room_for() {
    let mut world = remote();
    let orders = world.define("orders", options());
    assert!(world.wants.is_empty());
    world.worker(orders, 3);
    assert_eq!(world.wanted(), 3);
    world.bring(&[claimed(orders, 10), claimed(orders, 11)], true);
    assert_eq!(world.wanted(), 1);
    let (first, second) = (world.delivery(), world.delivery());
    assert_eq!((first.token, second.token), (Token(10), Token(11)));
    assert_eq!((body(&first), &*first.id), ("body".to_owned(), "order"));
    world.settle(first.token, Verdict::Ack).expect("settled");
    assert_eq!(world.fates(), [(10, Fate::Completed([].into()))]);
    assert!(world.wanted() >= 2);
}

#[test]
fn what_became_of_messages_goes_back_with_the_delays_of_the_policies() {
    let mut world = remote();
    let orders = world.define("orders", options());
    world.worker(orders, 9);
    let last = Claimed {
        attempt: 3,
        ..claimed(orders, 14)
    };
    let claims = (10..14).map(|token| claimed(orders, token)).chain([last]);
    world.bring(&claims.collect::<Vec<_>>(), false);
    let put_off = Verdict::PutOff {
        delay_ms: Some(70),
        costs_attempt: false,
        counts_as_failure: false,
    };
    let verdicts = [
        Verdict::Reject { delay_ms: None },
        put_off,
        Verdict::Dead(Reason::Permanent),
        Verdict::Return,
        Verdict::Reject { delay_ms: None },
    ];
    for verdict in verdicts {
        let token = world.delivery().token;
        world.settle(token, verdict).expect("settled");
    }
    let again = |delay, costs_attempt| Fate::Again {
        due: Timestamp(T0 + delay),
        costs_attempt,
        reason: Reason::Exhausted,
        error: [].into(),
    };
    let dead = |reason| Fate::Dead {
        reason,
        error: [].into(),
    };
    let expected = [
        (10, again(1000, true)),
        (11, again(70, false)),
        (12, dead(Reason::Permanent)),
        (13, Fate::Returned),
        (14, dead(Reason::Exhausted)),
    ];
    assert_eq!(world.fates(), expected);
    let stats = world.stats(orders);
    let left = stats.ready + stats.scheduled + stats.leased + stats.dead_letters;
    assert_eq!(left, 0, "nothing of them stays here");
    world.advance(100_000);
    assert!(world.deliveries.is_empty());
}

#[test]
fn an_answer_waits_for_the_ledger_which_may_refuse_it() {
    let mut world = remote();
    let orders = world.define("orders", options());
    world.listen(orders);
    world.worker(orders, 2);
    world.bring(&[claimed(orders, 10), claimed(orders, 11)], false);
    world.events.clear();
    world.hold_appends = true;
    let settle = |token| {
        Command::Settle(Settle {
            token: Token(token),
            verdict: Verdict::Ack,
            returned: false,
            result: b"5",
            error: b"",
        })
    };
    let now = Timestamp(world.now);
    let tickets = [10, 11].map(|token| {
        let ticket = world.next_ticket();
        world.engine.handle_command(now, ticket, settle(token));
        ticket.0
    });
    world.run();
    assert_eq!(world.fates().len(), 2);
    assert!(world.replies.is_empty() && world.events.is_empty());
    world.complete(Completion::Refused(Token(10)));
    world.complete(Completion::Appended);
    let refused = world.replies.remove(&tickets[0]).expect("answered");
    assert_eq!(refused.unwrap_err().code, ErrorCode::LeaseLost);
    assert!(world.replies.remove(&tickets[1]).expect("answered").is_ok());
    let completed = |event: &&Event| event.kind == EventKind::Completed;
    assert_eq!(world.events.iter().filter(completed).count(), 1);
}

#[test]
fn a_lost_claim_aborts_its_handler_and_settles_nothing() {
    let mut world = remote();
    let orders = world.define("orders", options());
    world.worker(orders, 1);
    world.bring(&[claimed(orders, 10), claimed(orders, 11)], false);
    let token = world.delivery().token;
    for token in [10, 11, 12] {
        world.unanswered(Command::LoseClaim {
            token: Token(token),
        });
    }
    assert_eq!(world.aborts, [(token, AbortReason::LeaseLost)]);
    let refused = world.settle(token, Verdict::Ack).unwrap_err();
    assert_eq!(refused.code, ErrorCode::LeaseLost);
    world.unanswered(Command::Returned { token });
    assert!(world.fates().is_empty() && world.deliveries.is_empty());
    assert_eq!(world.wanted(), 1);
}

#[test]
fn what_nobody_takes_any_more_goes_back_at_no_cost() {
    let mut world = remote();
    let orders = world.define("orders", options());
    let worker = world.worker(orders, 1);
    world.bring(&[claimed(orders, 10), claimed(orders, 11)], false);
    let running = world.delivery().token;
    let closing = world
        .request(Request::CloseWorker { worker })
        .expect("taken");
    assert_eq!(world.fates(), [(11, Fate::Returned)]);
    world.bring(&[claimed(orders, 12)], false);
    assert_eq!(world.fates(), [(12, Fate::Returned)], "it came too late");
    world.settle(running, Verdict::Ack).expect("settled");
    assert!(world.replies.remove(&closing).expect("answered").is_ok());
    let closed = world.request(Request::Close {}).expect("taken");
    assert!(world.replies.remove(&closed).expect("answered").is_ok());
}

#[test]
fn an_open_circuit_wants_nothing_and_then_one_probe() {
    let mut world = remote();
    let orders = world.define("orders", options());
    world.worker_with(orders, 8, guarded());
    let mut token = 10;
    while world.wants.pop().is_none_or(|(_, max)| max > 0) {
        world.bring(&[claimed(orders, token), claimed(orders, token + 1)], false);
        let failed = Verdict::Reject { delay_ms: None };
        while let Some(delivery) = world.deliveries.pop_front() {
            world.settle(delivery.token, failed).expect("settled");
        }
        token += 2;
        assert!(token < 100, "the circuit opens");
    }
    world.wants.clear();
    world.bring(&[claimed(orders, token)], false);
    let fates = world.fates();
    assert_eq!(fates.last(), Some(&(token, Fate::Returned)));
    world.advance(3_600_000);
    assert_eq!(world.wanted(), 1, "a probe");
}

#[test]
fn at_most_once_tells_the_ledger_when_a_group_may_go_on() {
    let mut world = remote();
    let at_most_once = QueueOptions {
        guarantee: Some(Guarantee::AtMostOnce),
        ..options()
    };
    let orders = world.define("orders", at_most_once);
    world.worker(orders, 2);
    let of_a_group = Claimed {
        group: "g",
        ..claimed(orders, 10)
    };
    world.bring(&[of_a_group, claimed(orders, 11)], false);
    assert!(world.fates().is_empty(), "the claim has settled them");
    for _ in 0..2 {
        let token = world.delivery().token;
        world.settle(token, Verdict::Ack).expect("settled");
    }
    assert_eq!(world.fates(), [(10, Fate::Completed([].into()))]);
}

#[test]
fn a_unit_of_settlements_is_one_for_the_ledger() {
    let mut world = remote();
    let orders = world.define("orders", options());
    world.worker(orders, 2);
    world.bring(&[claimed(orders, 10), claimed(orders, 11)], false);
    let settles = [world.delivery().token, world.delivery().token].map(|token| Settle {
        token,
        verdict: Verdict::Ack,
        returned: false,
        result: b"",
        error: b"",
    });
    let unit = Transaction {
        settles: settles.into(),
        enqueues: Vec::new(),
    };
    let ticket = world.command(Command::Transaction(unit));
    let units = world.settlements.iter().map(|it| (it.in_unit, it.ticket.0));
    assert_eq!(units.collect::<Vec<_>>(), [(true, ticket); 2]);
    assert!(world.replies.remove(&ticket).expect("answered").is_ok());
}

#[test]
fn what_the_ledger_does_itself_is_refused() {
    let mut world = remote();
    let orders = world.define("orders", options());
    let ticket = world.command(Command::Enqueue(message(orders, "x")));
    let refused = world.replies.remove(&ticket).expect("answered");
    assert_eq!(refused.unwrap_err().code, ErrorCode::Unsupported);
}
