//! The engine in its world, made to do what the model did, and compared.

use std::collections::BTreeMap;

use ackbox_core::command::*;
use ackbox_core::config::{Config, DedupOptions, GroupOnDead, QueueOptions};
use ackbox_core::effect::Delivery;
use ackbox_core::policy::backoff::{Backoff, Jitter};
use ackbox_core::time::Timestamp;

use crate::reference::*;
use crate::support::{Disk, T0, World, message};

pub struct Subject {
    world: World,
    /// Tokens of leased messages by the model's numbers.
    tokens: BTreeMap<usize, Token>,
    /// What the model was before the last transition.
    before: Model,
    /// Deliveries that died with the last owner.
    interrupted: u64,
}

fn config() -> Config {
    Config {
        segment_bytes: 4096,
        max_memory_bytes: 2000,
        ..Config::default()
    }
}

fn options(queue: usize) -> QueueOptions {
    QueueOptions {
        max_attempts: Some(MAX_ATTEMPTS[queue]),
        lease_ms: Some(LEASE_MS),
        backoff: Some(Backoff::Constant {
            ms: BACKOFF_MS,
            jitter: Jitter::None,
        }),
        dedup: Some(DedupOptions {
            window_ms: Some(WINDOW_MS[queue]),
            ..DedupOptions::default()
        }),
        group_on_dead: Some(if BLOCKS[queue] {
            GroupOnDead::Block
        } else {
            GroupOnDead::Continue
        }),
        ..QueueOptions::default()
    }
}

fn id(id: u8) -> String {
    format!("id-{id}")
}

fn queue_id(queue: usize) -> QueueId {
    QueueId(queue as u32)
}

/// Large enough that segments fill up.
fn content(body: u8) -> String {
    format!("{body}").repeat(120)
}

impl Subject {
    pub fn new() -> Self {
        let mut world = World::open(Disk::new(), T0, config()).expect("an empty box opens");
        for queue in 0..QUEUES {
            world.define(&format!("queue-{queue}"), options(queue));
        }
        Self {
            world,
            tokens: BTreeMap::new(),
            before: Model::default(),
            interrupted: 0,
        }
    }

    pub fn apply(&mut self, model: &Model, transition: Transition) {
        match &transition {
            Transition::Enqueue(items) => self.enqueue(items),
            Transition::Dequeue { queue, max } => self.dequeue(*queue, *max),
            Transition::Settle { number, settlement } => {
                let token = self.tokens.remove(number).expect("it is leased");
                self.settle(token, settlement);
            }
            Transition::RunSuspects => self.run_suspects(),
            Transition::Crash { during, torn } => self.crash(during.as_deref(), *torn),
            Transition::Advance { ms } => {
                self.world.advance(*ms);
            }
            Transition::Pause { queue, paused } => {
                self.world.value(pause(*queue, *paused));
            }
            other => {
                let request = request(other).expect("all others are requests");
                let ticket = self.world.request(request).expect("it is taken");
                self.world
                    .answer(ticket)
                    .expect("it is answered")
                    .expect("it is granted");
            }
        }
        self.tokens
            .retain(|number, _| matches!(model.messages[*number].state, State::Leased { .. }));
        self.compare(model);
        self.world.audit();
        assert!(
            self.world.disk_bytes() <= bound(&mut self.world),
            "cleaning keeps its bound"
        );
        self.before = model.clone();
    }

    fn enqueue(&mut self, items: &[Item]) {
        let expected = self.before.judge(items);
        let ticket = enqueue_many(&mut self.world, items);
        let receipts = std::mem::take(&mut self.world.receipts);
        match expected {
            Some(expected) => {
                let got: Vec<_> = receipts
                    .iter()
                    .map(|receipt| (receipt.2, receipt.3))
                    .collect();
                assert_eq!(got, expected, "receipts");
            }
            None => {
                let refused = self
                    .world
                    .answer(ticket)
                    .expect("it is answered")
                    .expect_err("it conflicts");
                assert_eq!(refused.code, ackbox_core::error::ErrorCode::IdConflict);
            }
        }
    }

    fn dequeue(&mut self, queue: usize, max: u32) {
        let expected = self.before.clone().claim(queue, max);
        let deliveries = self.world.dequeue(queue_id(queue), max);
        let got: Vec<String> = deliveries
            .iter()
            .map(|delivery| delivery.id.to_string())
            .collect();
        let ids: Vec<String> = expected
            .iter()
            .map(|number| id(self.before.messages[*number].item.id))
            .collect();
        assert_eq!(got, ids, "deliveries in order");
        for (number, delivery) in expected.iter().zip(&deliveries) {
            let message = &self.before.messages[*number];
            assert_eq!(delivery.attempt, message.attempt + 1);
            assert_eq!(
                delivery.content.body(),
                content(message.item.body).as_bytes()
            );
            self.tokens.insert(*number, delivery.token);
        }
    }

    fn settle(&mut self, token: Token, settlement: &Settlement) {
        let verdict = self.verdict(settlement);
        self.world.settle(token, verdict).expect("its lease holds");
    }

    fn verdict(&self, settlement: &Settlement) -> Verdict {
        match settlement {
            Settlement::Ack => Verdict::Ack,
            Settlement::Reject { delay } => Verdict::Reject { delay_ms: *delay },
            Settlement::Dead => Verdict::Dead(Reason::Permanent),
            Settlement::RetryAt { delay, costs } => Verdict::RetryAt {
                at: Timestamp(self.world.now + delay),
                costs_attempt: *costs,
                counts_as_failure: false,
            },
            Settlement::Return => Verdict::Return,
        }
    }

    /// Dies, perhaps while `during` is on its way to the disk, and comes back.
    fn crash(&mut self, during: Option<&Transition>, torn: u8) {
        let wrote = self.world.appends > 0;
        self.world.hold_appends = true;
        if let Some(during) = during {
            self.begin(during);
        }
        let mut world = std::mem::replace(&mut self.world, World::new());
        if let Some((segment, bytes)) = world.held.take() {
            let written = (bytes.len() - 1) * usize::from(torn) / 256;
            if written > 0 {
                world
                    .disk
                    .entry(segment)
                    .or_default()
                    .extend(&bytes[..written]);
            }
        }
        self.world = world.reopen();
        self.tokens.clear();
        if wrote {
            let leased = self
                .before
                .numbers(|message| matches!(message.state, State::Leased { .. }));
            self.interrupted = leased.len() as u64;
        }
        // Else the owner before the one that wrote nothing is still the last that anybody knows of.
        assert_eq!(self.world.report().interrupted, self.interrupted);
    }

    fn run_suspects(&mut self) {
        for number in self.before.claimable_suspects() {
            let queue = queue_id(self.before.messages[number].item.queue);
            let first = self.claim_suspect(queue);
            self.world
                .settle(first.token, Verdict::Return)
                .expect("its lease holds");
            let world = std::mem::replace(&mut self.world, World::new());
            self.world = world.reopen();
            let delivery = self.claim_suspect(queue);
            assert_eq!(
                (delivery.id, delivery.attempt),
                (first.id, first.attempt),
                "a suspect that is given back stays one"
            );
            let now = Timestamp(self.world.now);
            let verdict = Verdict::RetryAt {
                at: now,
                costs_attempt: false,
                counts_as_failure: false,
            };
            self.world
                .settle(delivery.token, verdict)
                .expect("its lease holds");
        }
    }

    fn claim_suspect(&mut self, queue: QueueId) -> Delivery {
        let mut deliveries = self.world.dequeue(queue, 3);
        assert_eq!(deliveries.len(), 1, "suspects run one at a time");
        deliveries.remove(0)
    }

    /// Begins something whose append is held.
    fn begin(&mut self, transition: &Transition) {
        match transition {
            Transition::Enqueue(items) => {
                enqueue_many(&mut self.world, items);
            }
            Transition::Dequeue { queue, max } => {
                let queue = queue_id(*queue);
                self.world.command(Command::Dequeue {
                    queue,
                    max: *max,
                    lease_ms: None,
                    wait_ms: 0,
                });
            }
            Transition::Settle { number, settlement } => {
                let (token, verdict) = (self.tokens[number], self.verdict(settlement));
                self.world.command(Command::Settle(Settle {
                    token,
                    verdict,
                    returned: true,
                    result: b"",
                    error: b"",
                }));
            }
            Transition::Pause { queue, paused } => {
                self.world
                    .request(pause(*queue, *paused))
                    .expect("it is taken");
            }
            other => {
                self.world
                    .request(request(other).expect("all others are requests"))
                    .expect("it is taken");
            }
        }
    }

    fn compare(&mut self, model: &Model) {
        for queue in 0..QUEUES {
            let of_state = |state| {
                model
                    .numbers(|message| message.item.queue == queue)
                    .into_iter()
                    .filter(|number| {
                        model.messages[*number].state != State::Gone
                            && model.shown_state(*number) == state
                    })
                    .collect::<Vec<usize>>()
            };
            let mut ready = of_state(MessageState::Ready);
            let place = |number: usize| match model.messages[number].suspect {
                _ if !model.is_claimable(number) => 2,
                true => 0,
                false => 1,
            };
            ready.sort_by_key(|number| (place(*number), model.rank(*number)));
            let mut scheduled = of_state(MessageState::Scheduled);
            scheduled.sort_by_key(|number| (model.messages[*number].due, *number));
            let leased = of_state(MessageState::Leased);
            let dead = model.dead(queue);
            let expected = [
                (MessageState::Ready, ready),
                (MessageState::Scheduled, scheduled),
                (MessageState::Leased, leased),
                (MessageState::Dead, dead),
            ];
            for (state, numbers) in expected {
                let shown = self.world.peek(queue_id(queue), Some(state));
                let got: Vec<_> = shown
                    .iter()
                    .map(|info| (info.id.clone(), info.attempt.unwrap_or(0), info.reason))
                    .collect();
                let expected: Vec<_> = numbers
                    .iter()
                    .map(|number| described(model, *number))
                    .collect();
                assert_eq!(got, expected, "queue {queue}: messages that are {state:?}");
            }
            assert_eq!(
                self.world.stats(queue_id(queue)).paused,
                model.paused[queue]
            );
        }
        self.compare_finished(model);
    }

    fn compare_finished(&mut self, model: &Model) {
        for (queue, window_ms) in WINDOW_MS.into_iter().enumerate() {
            for known in 0..12 {
                let finished = model.finished.get(&(queue, known));
                let remembered = model.live(queue, known).is_none()
                    && finished.is_some_and(|(at, _)| at + window_ms > model.now);
                let state = self.world.state(queue_id(queue), &id(known));
                assert_eq!(
                    state == Some(MessageState::Completed),
                    remembered,
                    "queue {queue}, id {known}"
                );
            }
        }
    }
}

fn described(model: &Model, number: usize) -> (String, u32, Option<Reason>) {
    let message = &model.messages[number];
    let reason = match message.state {
        State::Dead { reason, .. } => Some(reason),
        _ => None,
    };
    (id(message.item.id), message.attempt, reason)
}

fn enqueue_many(world: &mut World, items: &[Item]) -> u64 {
    let texts: Vec<_> = items
        .iter()
        .map(|item| {
            (
                id(item.id),
                content(item.body),
                item.group.map(|group| format!("group-{group}")),
            )
        })
        .collect();
    let enqueues = items
        .iter()
        .zip(&texts)
        .map(|(item, (id, body, group))| Enqueue {
            id: Some(id),
            group: group.as_deref(),
            priority: item.priority,
            delay_ms: Some(item.delay),
            ttl_ms: item.ttl,
            ..message(queue_id(item.queue), body)
        });
    let enqueues: Vec<_> = enqueues.collect();
    world.command(Command::EnqueueMany(enqueues))
}

fn pause(queue: usize, paused: bool) -> Request {
    let queue = queue_id(queue);
    if paused {
        Request::PauseQueue { queue }
    } else {
        Request::ResumeQueue { queue }
    }
}

fn request(transition: &Transition) -> Option<Request> {
    Some(match transition {
        Transition::Cancel { queue, id: known } => Request::Cancel {
            queue: queue_id(*queue),
            id: id(*known),
        },
        Transition::RetryNow { queue, id: known } => Request::RetryNow {
            queue: queue_id(*queue),
            id: id(*known),
        },
        Transition::Forget { queue, id: known } => Request::Forget {
            queue: queue_id(*queue),
            id: id(*known),
        },
        Transition::Purge { queue } => Request::Purge {
            queue: queue_id(*queue),
        },
        Transition::Redrive { queue, limit } => Request::Redrive {
            queue: queue_id(*queue),
            filter: DeadFilter {
                limit: *limit,
                ..DeadFilter::default()
            },
            to: None,
            per_second_milli: None,
            forget_steps: false,
        },
        Transition::RemoveDead { queue, limit } => Request::RemoveDead {
            queue: queue_id(*queue),
            filter: DeadFilter {
                limit: Some(*limit),
                ..DeadFilter::default()
            },
        },
        _ => return None,
    })
}

/// Twice the live bytes, one segment, and what a segment's beginning and one frame take beside records.
fn bound(world: &mut World) -> u64 {
    2 * world.box_stats().live_bytes + 4096 + 2048
}
