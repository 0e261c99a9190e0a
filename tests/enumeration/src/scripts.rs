//! Short stories of a box: each of them is crashed at every moment.

use ackbox_core::config::{Config, DedupOptions, Durability, GroupOnDead, Guarantee, QueueOptions};
use ackbox_core::consumer::policies::Policies;
use ackbox_core::consumer::watch::HandlerLimits;
use ackbox_core::policy::backoff::{Backoff, Jitter};
use ackbox_simulation::op::{Care, Effort, Item, Op, Say};
use ackbox_simulation::plan::Plan;
use ackbox_simulation::storage::{Fault, Tear};

/// The smallest segments that there are.
pub(crate) const SEGMENT_BYTES: u32 = 4 << 10;

/// What happens, and what the storage answers.
#[derive(Clone, Debug)]
pub enum Act {
    /// It happens, and then everything is answered that was asked of the storage, one after the other.
    Do(Op),
    /// It happens, and the storage takes its time.
    Leave(Op),
}

/// A script.
#[derive(Clone, Debug)]
pub struct Script {
    /// Names it.
    pub name: String,
    /// The box and its queues.
    pub plan: Plan,
    /// What happens.
    pub acts: Vec<Act>,
    /// Fewer states than this are a mistake in the script: it does not do what it is to show.
    pub least: u64,
}

/// Those that were written by hand.
#[must_use]
pub fn written() -> Vec<Script> {
    vec![
        first_messages(),
        handled(),
        retried_and_dead(),
        batches(),
        large_batch(),
        transactions(),
        at_most_once(),
        groups(),
        known_ids(),
        rotation(),
        cleaning(),
        dead_letters_cleaned(),
        closed_and_opened(),
        crashed_twice(),
        failed_appends(),
        swept(),
        steps(),
        weaker(),
        weaker_rotation(),
    ]
}

fn script(name: &str, queues: Vec<QueueOptions>, acts: Vec<Act>, least: u64) -> Script {
    let workers = queues.iter().map(|_| vec![2]).collect();
    Script {
        name: name.to_owned(),
        plan: Plan {
            seed: 1,
            config: Config {
                segment_bytes: SEGMENT_BYTES,
                durability: Durability::PowerLoss,
                ..Config::default()
            },
            policies: queues.iter().map(|_| Policies::default()).collect(),
            limits: queues.iter().map(|_| HandlerLimits::default()).collect(),
            queues,
            workers,
            prompt: false,
            late: false,
            drift_milli: 0,
            ops: Vec::new(),
            echoes: false,
        },
        acts,
        least,
    }
}

fn queue() -> QueueOptions {
    QueueOptions {
        max_attempts: Some(3),
        backoff: Some(Backoff::Constant {
            ms: 20,
            jitter: Jitter::None,
        }),
        lease_ms: Some(1000),
        dedup: Some(DedupOptions {
            window_ms: Some(86_400_000),
            ..DedupOptions::default()
        }),
        ..QueueOptions::default()
    }
}

fn queue_of(guarantee: Guarantee) -> QueueOptions {
    QueueOptions {
        guarantee: Some(guarantee),
        ..queue()
    }
}

/// A message with a body of so many bytes.
fn item(serial: u32, bytes: u16) -> Item {
    Item {
        queue: 0,
        id: None,
        conflicts: false,
        serial,
        bytes,
        group: None,
        priority: 0,
        destination: None,
        delay_ms: 0,
        ttl_ms: None,
    }
}

/// A message under an id.
fn named(serial: u32, id: u8) -> Item {
    Item {
        id: Some(id),
        ..item(serial, 0)
    }
}

fn enqueue(item: Item) -> Act {
    Act::Do(Op::Enqueue(item))
}

fn settle(say: Say) -> Act {
    Act::Do(settling(say, true))
}

fn settling(say: Say, answered: bool) -> Op {
    Op::Settle {
        pick: 0,
        say,
        answered,
        returned: true,
    }
}

fn care(care: Care) -> Act {
    Act::Do(Op::Care { queue: 0, care })
}

fn crash(tear: Tear) -> Act {
    Act::Leave(Op::Crash { after: 0, tear })
}

fn dequeue(max: u32) -> Act {
    Act::Do(Op::Dequeue {
        queue: 0,
        max,
        wait_ms: 0,
        lease_ms: None,
    })
}

fn advance(ms: u64) -> Act {
    Act::Do(Op::Advance { ms })
}

/// The journal begins: its first bytes are of all the most delicate.
fn first_messages() -> Script {
    let acts = vec![
        enqueue(item(1, 1500)),
        enqueue(item(2, 10)),
        Act::Leave(Op::Enqueue(item(3, 10))),
        enqueue(item(4, 700)),
    ];
    script("first-messages", vec![queue()], acts, 450)
}

/// Handlers succeed; what one of them says is on its way together with something new.
fn handled() -> Script {
    let acts = vec![
        enqueue(named(1, 1)),
        settle(Say::Ack),
        enqueue(item(2, 900)),
        Act::Leave(settling(Say::Ack, true)),
        Act::Leave(Op::Enqueue(item(3, 300))),
        enqueue(item(4, 300)),
        Act::Leave(settling(Say::Ack, false)),
        settle(Say::Ack),
    ];
    script("handled", vec![queue()], acts, 700)
}

/// A message fails until it is dead, is redriven and fails again; others are dead at once or given back.
fn retried_and_dead() -> Script {
    let mut acts = vec![enqueue(named(1, 1)), enqueue(item(2, 600))];
    for _ in 0..3 {
        acts.extend([settle(Say::Reject { delay_ms: None }), advance(25)]);
    }
    acts.extend([
        settle(Say::Dead),
        enqueue(item(3, 400)),
        settle(Say::Later {
            ms: 10,
            costs: false,
        }),
        advance(10),
        settle(Say::Return),
        care(Care::Redrive {
            per_second_milli: None,
            limit: None,
            to: None,
            forget_steps: false,
        }),
        settle(Say::Dead),
        care(Care::RemoveDead { limit: 1 }),
    ]);
    script("retried-and-dead", vec![queue()], acts, 1000)
}

/// All or nothing of several messages, over several sectors.
fn batches() -> Script {
    let items =
        |serials: std::ops::Range<u32>, bytes| serials.map(|serial| item(serial, bytes)).collect();
    let acts = vec![
        Act::Do(Op::EnqueueMany(items(1..4, 700))),
        Act::Leave(Op::EnqueueMany(items(4..7, 400))),
        Act::Do(Op::EnqueueMany(items(7..9, 1200))),
        settle(Say::Ack),
        settle(Say::Ack),
    ];
    script("batches", vec![queue()], acts, 900)
}

/// One frame of so many sectors as all subsets are tried of.
fn large_batch() -> Script {
    let items = (1..5).map(|serial| item(serial, 1270)).collect();
    let acts = vec![enqueue(item(9, 10)), Act::Do(Op::EnqueueMany(items))];
    script("large-batch", vec![queue()], acts, 12_000)
}

/// An end and messages to two queues become durable together.
fn transactions() -> Script {
    let to_second = |serial| Item {
        queue: 1,
        ..item(serial, 600)
    };
    let acts = vec![
        enqueue(item(1, 100)),
        enqueue(item(2, 100)),
        Act::Do(Op::Transaction {
            ends: vec![(0, Say::Ack)],
            items: vec![item(3, 600), to_second(4)],
        }),
        Act::Do(Op::Transaction {
            ends: vec![(0, Say::Ack), (0, Say::Reject { delay_ms: Some(5) })],
            items: vec![to_second(5)],
        }),
        advance(5),
        settle(Say::Ack),
    ];
    script("transactions", vec![queue(), queue()], acts, 450)
}

/// What was given away does not come back, and what was not is not lost.
fn at_most_once() -> Script {
    let mut claimed_by_hand = script(
        "at-most-once",
        vec![queue_of(Guarantee::AtMostOnce)],
        vec![
            enqueue(item(1, 600)),
            Act::Do(Op::EnqueueMany(vec![item(2, 300), item(3, 300)])),
            dequeue(2),
            settle(Say::Ack),
            Act::Leave(Op::Enqueue(item(4, 300))),
            dequeue(2),
            Act::Do(Op::Close),
            enqueue(item(5, 100)),
            dequeue(3),
        ],
        100,
    );
    claimed_by_hand.plan.workers = vec![Vec::new()];
    claimed_by_hand
}

/// Messages of a group go one after the other, past a dead one or not.
fn groups() -> Script {
    let of_group = |serial| Item {
        group: Some(0),
        ..item(serial, 300)
    };
    let blocking = QueueOptions {
        group_on_dead: Some(GroupOnDead::Block),
        ..queue()
    };
    let acts = vec![
        enqueue(of_group(1)),
        Act::Do(Op::EnqueueMany(vec![of_group(2), of_group(3)])),
        settle(Say::Reject { delay_ms: Some(10) }),
        advance(10),
        settle(Say::Dead),
        care(Care::Redrive {
            per_second_milli: None,
            limit: None,
            to: None,
            forget_steps: false,
        }),
        settle(Say::Ack),
        settle(Say::Ack),
    ];
    script("groups", vec![blocking], acts, 600)
}

/// Ids are known while their messages wait, after they ended, and not after they are forgotten.
fn known_ids() -> Script {
    let acts = vec![
        enqueue(named(1, 1)),
        enqueue(named(2, 1)),
        settle(Say::Ack),
        enqueue(named(3, 1)),
        care(Care::Forget { id: 1 }),
        enqueue(named(4, 1)),
        enqueue(Item {
            conflicts: true,
            ..named(5, 2)
        }),
        enqueue(named(6, 2)),
        care(Care::Cancel { pick: 1 }),
        settle(Say::Ack),
    ];
    script(
        "known-ids",
        vec![queue_of(Guarantee::ExactlyOnce)],
        acts,
        500,
    )
}

/// Segments are full and new ones begin, in the middle of everything.
fn rotation() -> Script {
    let acts = (1..7)
        .map(|serial| {
            let op = Op::Enqueue(item(serial, 1700));
            if serial == 4 {
                Act::Leave(op)
            } else {
                Act::Do(op)
            }
        })
        .collect();
    script("rotation", vec![queue()], acts, 1000)
}

/// What is live in old segments is written again, and they are removed.
fn cleaning() -> Script {
    let delayed = |serial| Item {
        delay_ms: 3_600_000,
        ..item(serial, 200)
    };
    let mut acts = vec![enqueue(delayed(1)), enqueue(named(2, 1)), settle(Say::Ack)];
    for serial in 3..12 {
        acts.push(enqueue(item(serial, 1500)));
        acts.push(if serial % 4 == 0 {
            Act::Leave(settling(Say::Ack, true))
        } else {
            settle(Say::Ack)
        });
    }
    acts.push(enqueue(named(20, 1)));
    script("cleaning", vec![queue()], acts, 2700)
}

/// Dead letters and half-done deliveries move with their histories.
fn dead_letters_cleaned() -> Script {
    let mut acts = vec![
        enqueue(item(1, 300)),
        settle(Say::Reject {
            delay_ms: Some(3_600_000),
        }),
        enqueue(named(2, 1)),
        settle(Say::Dead),
        enqueue(item(3, 200)),
    ];
    for serial in 4..10 {
        acts.push(enqueue(item(serial, 1500)));
        acts.push(Act::Do(Op::Settle {
            pick: 1,
            say: Say::Ack,
            answered: true,
            returned: true,
        }));
    }
    acts.push(care(Care::Redrive {
        per_second_milli: None,
        limit: None,
        to: None,
        forget_steps: false,
    }));
    script("dead-letters-cleaned", vec![queue()], acts, 1800)
}

/// A box is closed in order, and opened again; its first append is another one's last.
fn closed_and_opened() -> Script {
    let acts = vec![
        enqueue(item(1, 600)),
        Act::Leave(Op::Enqueue(item(2, 100))),
        Act::Do(Op::Close),
        enqueue(item(3, 600)),
        settle(Say::Ack),
        Act::Do(Op::Close),
        dequeue(1),
        enqueue(item(4, 100)),
    ];
    script("closed-and-opened", vec![queue()], acts, 450)
}

/// The next owner dies while it cuts what the first one left, and so does the one after.
fn crashed_twice() -> Script {
    let noise = |seed| Tear::Sectors {
        size: 512,
        noise: true,
        seed,
    };
    let mut acts = vec![enqueue(item(1, 1200)), enqueue(item(2, 1200))];
    for (round, tear) in [
        noise(3),
        Tear::Prefix(600),
        Tear::Everything,
        noise(4),
        Tear::Nothing,
    ]
    .into_iter()
    .enumerate()
    {
        acts.push(Act::Leave(Op::Enqueue(item(10 + round as u32, 1500))));
        acts.push(crash(tear));
        // The torn tail is found, and about to be cut.
        acts.extend([
            Act::Leave(Op::Serve { pick: 0 }),
            Act::Leave(Op::Serve { pick: 0 }),
        ]);
        acts.push(crash(Tear::Nothing));
        acts.push(Act::Do(Op::Advance { ms: 1 }));
        acts.push(enqueue(item(20 + round as u32, 300)));
        acts.push(settle(Say::Ack));
    }
    script("crashed-twice", vec![queue()], acts, 2000)
}

/// Appends fail, with something written or nothing at all.
fn failed_appends() -> Script {
    let arm = |fault, tear| Act::Do(Op::Arm { fault, tear });
    let torn = Tear::Sectors {
        size: 512,
        noise: false,
        seed: 9,
    };
    let mut acts = vec![
        enqueue(item(1, 100)),
        arm(Fault::Full, Tear::Nothing),
        enqueue(item(2, 1500)),
        enqueue(item(3, 300)),
        settle(Say::Ack),
    ];
    for (round, tear) in [torn, Tear::Everything, Tear::Prefix(500)]
        .into_iter()
        .enumerate()
    {
        acts.push(arm(Fault::Append, tear));
        acts.push(enqueue(item(10 + round as u32, 1500)));
        // A box that failed is opened again after a while.
        for _ in 0..4 {
            acts.push(advance(1));
        }
        acts.push(enqueue(item(20 + round as u32, 100)));
    }
    script("failed-appends", vec![queue()], acts, 1000)
}

/// Withdrawn, swept away, paused.
fn swept() -> Script {
    let acts = vec![
        care(Care::Pause(true)),
        enqueue(item(1, 400)),
        enqueue(item(2, 400)),
        care(Care::Cancel { pick: 0 }),
        enqueue(item(3, 400)),
        Act::Leave(Op::Care {
            queue: 0,
            care: Care::Purge,
        }),
        enqueue(item(4, 400)),
        care(Care::Pause(false)),
        settle(Say::Ack),
    ];
    script("swept", vec![queue()], acts, 700)
}

/// A handler does a step, or finds that it has done it.
fn working(name: u8) -> Op {
    Op::Step {
        pick: 0,
        effort: Effort {
            name,
            gives: Some(20),
            cut_off: false,
        },
    }
}

/// Handlers record what they have done, fail, and find it again; steps are moved by cleaning.
fn steps() -> Script {
    let step = |name| Act::Do(working(name));
    let mut acts = vec![
        enqueue(named(1, 1)),
        step(1),
        Act::Leave(working(2)),
        step(3),
        settle(Say::Reject { delay_ms: Some(5) }),
        advance(5),
        step(1),
        step(4),
        settle(Say::Dead),
        care(Care::Redrive {
            per_second_milli: None,
            limit: None,
            to: None,
            forget_steps: false,
        }),
        step(2),
        settle(Say::Reject {
            delay_ms: Some(3_600_000),
        }),
    ];
    for serial in 2..8 {
        acts.extend([enqueue(item(serial, 1400)), step(1), settle(Say::Ack)]);
    }
    acts.extend([advance(3_600_000), step(4), step(5), settle(Say::Ack)]);
    script("steps", vec![queue_of(Guarantee::ExactlyOnce)], acts, 2000)
}

/// Appends of a storage that does not flush each of them.
fn weaker() -> Script {
    let mut weaker = handled();
    weaker.name = "weaker".to_owned();
    weaker.plan.config.durability = Durability::ProcessCrash;
    weaker.least = 3000;
    weaker
}

/// The same where segments begin and end.
fn weaker_rotation() -> Script {
    let acts = (1..8)
        .flat_map(|serial| [enqueue(item(serial, 1100)), settle(Say::Ack)])
        .collect();
    let mut script = script("weaker-rotation", vec![queue()], acts, 4000);
    script.plan.config.durability = Durability::ProcessCrash;
    script
}
