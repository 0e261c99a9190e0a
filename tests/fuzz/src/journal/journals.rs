//! Journals that an engine wrote, and engines over journals that somebody else did.

use std::collections::VecDeque;
use std::sync::OnceLock;

use ackbox_core::command::{
    Command, Completion, DeadFilter, Enqueue, QueueId, RecordStep, Request, SegmentInfo, Settle,
    Ticket, Token, Verdict,
};
use ackbox_core::config::{Config, DedupOptions, HistoryOptions, QueueOptions};
use ackbox_core::effect::{Answer, Effect, Object};
use ackbox_core::engine::Engine;
use ackbox_core::error::Failure;
use ackbox_core::journal::{Record, StepResult};
use ackbox_core::policy::backoff::{Backoff, Jitter};
use ackbox_core::time::Timestamp;

use super::Disk;
use super::deaths::tells_of_a_death;
use super::naive::Found;

const START: u64 = 1_700_000_000_000;
/// Steps without rest that are no rest any more.
const STEPS_MAX: u32 = 100_000;
/// Deliveries that somebody takes of what was found.
const DELIVERIES_MAX: usize = 200;

/// Who has a box, over a storage in memory that answers at once.
pub(super) struct Owner {
    engine: Engine,
    now: u64,
    disk: Disk,
    tickets: u64,
    replies: Vec<(u64, Result<Answer, Failure>)>,
    /// Token, and the body that came with it.
    deliveries: VecDeque<(Token, Vec<u8>)>,
    /// Of everything that was looked at.
    bodies: Vec<Vec<u8>>,
}

impl Owner {
    /// Opens what is stored. An error leaves it as it was.
    pub(super) fn open(disk: Disk, now: u64, seed: u8) -> Result<Self, Failure> {
        let config = Config {
            segment_bytes: 4 << 10,
            max_memory_bytes: 1 << 10,
            ..Config::default()
        };
        let segments = disk
            .iter()
            .map(|(segment, bytes)| SegmentInfo {
                segment: *segment,
                bytes: bytes.len() as u64,
            })
            .collect();
        let mut opened = Self {
            engine: Engine::new(config, [seed; 32], Timestamp(now))?,
            now,
            disk,
            tickets: 0,
            replies: Vec::new(),
            deliveries: VecDeque::new(),
            bodies: Vec::new(),
        };
        opened.ask(Request::Open { segments })?;
        Ok(opened)
    }

    /// Asks for something, and gives the object that it is answered with.
    fn ask(&mut self, request: Request) -> Result<Object, Failure> {
        self.tickets += 1;
        let ticket = self.tickets;
        let now = Timestamp(self.now);
        if let Some(object) = self.engine.handle_request(now, Ticket(ticket), request)? {
            self.run();
            return Ok(object);
        }
        self.run();
        let at = self.replies.iter().position(|(to, _)| *to == ticket);
        match at.map(|at| self.replies.swap_remove(at).1) {
            Some(Ok(Answer::Object(object))) => Ok(*object),
            Some(Ok(Answer::Value(_))) | None => Ok(Object::None),
            Some(Err(failure)) => Err(failure),
        }
    }

    fn command(&mut self, command: Command<'_>) {
        self.tickets += 1;
        let (now, ticket) = (Timestamp(self.now), Ticket(self.tickets));
        self.engine.handle_command(now, ticket, command);
        self.run();
    }

    fn advance(&mut self, ms: u64) {
        self.now = self.now.saturating_add(ms);
        self.run();
    }

    fn run(&mut self) {
        for _ in 0..STEPS_MAX {
            self.engine.handle_timeout(Timestamp(self.now));
            let mut idle = true;
            while let Some(effect) = self.engine.poll_effect() {
                idle = false;
                self.perform(effect);
            }
            if idle && !self.engine.has_more() {
                return;
            }
        }
        panic!("the engine never comes to rest");
    }

    fn perform(&mut self, effect: Effect) {
        let completion = match effect {
            Effect::Append { segment, bytes } => {
                self.disk.entry(segment).or_default().extend(bytes.iter());
                Completion::Appended
            }
            Effect::Read {
                read,
                segment,
                offset,
                length,
            } => {
                let stored = self.disk.get(&segment).unwrap_or_else(|| {
                    panic!(
                        "a read of segment {segment}, which is not among {:?}",
                        self.disk.keys()
                    )
                });
                let bytes = &stored[offset as usize..][..length as usize];
                let chunk = Completion::Chunk { read, bytes };
                return self.engine.handle_completion(Timestamp(self.now), chunk);
            }
            Effect::Truncate { segment, bytes } => {
                let file = self
                    .disk
                    .get_mut(&segment)
                    .expect("only what is there is cut");
                file.truncate(bytes as usize);
                Completion::Truncated
            }
            Effect::Remove { segment } => {
                self.disk
                    .remove(&segment)
                    .expect("only what is there is removed");
                Completion::Removed { segment }
            }
            Effect::Deliver(delivery) => {
                let body = delivery.content.body().to_vec();
                self.deliveries.push_back((delivery.token, body));
                return;
            }
            Effect::Body {
                intact, content, ..
            } => {
                if intact {
                    self.bodies.push(content.body().to_vec());
                }
                return;
            }
            Effect::Reply { ticket, result } => {
                self.replies.push((ticket.0, result));
                return;
            }
            _ => return,
        };
        self.engine
            .handle_completion(Timestamp(self.now), completion);
    }

    fn queues(&mut self) -> Result<usize, Failure> {
        match self.ask(Request::Queues {})? {
            Object::Queues(queues) => Ok(queues.len()),
            other => panic!("expected queues, got {other:?}"),
        }
    }

    /// Looks at everything in a queue.
    fn look(&mut self, queue: QueueId) -> Result<(), Failure> {
        let (filter, after) = (DeadFilter::default(), None);
        self.ask(Request::Peek {
            queue,
            state: None,
            limit: 1000,
        })?;
        self.ask(Request::DeadPage {
            queue,
            filter,
            after,
            limit: 10,
        })?;
        self.ask(Request::QueueStats { queue })?;
        Ok(())
    }

    /// Takes what is ready, and says of it in turn that it succeeded, failed and did nothing.
    fn consume(&mut self, queue: QueueId) -> Result<(), Failure> {
        self.ask(Request::ResumeQueue { queue })?;
        self.ask(Request::OpenWorker {
            queue,
            concurrency: 3,
            policies: Default::default(),
            limits: Default::default(),
        })?;
        for count in 0..DELIVERIES_MAX {
            let Some((token, body)) = self.deliveries.pop_front() else {
                break;
            };
            self.bodies.push(body);
            let verdict = match count % 3 {
                0 => Verdict::Ack,
                1 => Verdict::Reject { delay_ms: None },
                _ => Verdict::Reject { delay_ms: Some(0) },
            };
            self.command(settle(token, verdict));
        }
        Ok(())
    }

    /// A life: everything is looked at, consumed, redriven, purged.
    fn live(&mut self) -> Result<(), Failure> {
        self.ask(Request::BoxStats {})?;
        let queues = self.queues()?.min(4) as u32;
        for queue in (0..queues).map(QueueId) {
            self.look(queue)?;
        }
        for queue in (0..queues).map(QueueId) {
            self.consume(queue)?;
            self.advance(100_000);
            self.consume(queue)?;
            self.ask(Request::Redrive {
                queue,
                filter: DeadFilter::default(),
                to: None,
                per_second_milli: None,
                forget_steps: false,
            })?;
            self.consume(queue)?;
            self.look(queue)?;
            self.ask(Request::Purge { queue })?;
        }
        self.ask(Request::DefineQueue {
            name: "one more".to_owned(),
            options: QueueOptions::default(),
        })?;
        self.command(Command::Enqueue(message(QueueId(0), "", b"one more")));
        self.ask(Request::Close {})?;
        Ok(())
    }
}

/// What an opened journal is like.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// An engine wrote all that is left of it: what its own engine goes on with opens again.
    Engine,
    /// Nobody's: each of its segments says what it likes, and without the oldest one the others may contradict
    /// themselves.
    Anybody,
}

/// Opens what may be anything. If it opens, it can be lived with; no body is seen but those.
pub(super) fn open_and_use(disk: &Disk, bodies: &[Vec<u8>], origin: Origin) {
    let mut opened = match Owner::open(disk.clone(), START, 7) {
        Ok(opened) => opened,
        Err(_) => return,
    };
    let mut own = vec![b"one more".to_vec(), Vec::new()];
    own.extend(bodies.iter().cloned());
    if opened.live().is_err() {
        return;
    }
    for body in &opened.bodies {
        let is_written = own.contains(body) || tells_of_a_death(body, &own);
        assert!(is_written, "nobody wrote the body {body:?}");
    }
    let (now, disk) = (opened.now, opened.disk);
    let again = Owner::open(disk, now, 8);
    if let (Err(failure), Origin::Engine) = (again, origin) {
        panic!("cannot be opened after its own engine closed it: {failure:?}");
    }
}

/// The contents of all message records, and what steps and completions gave: what may be shown of a journal.
pub(super) fn bodies(found: &Found) -> Vec<Vec<u8>> {
    let bodies =
        found
            .records
            .iter()
            .filter_map(|(_, payload)| match Record::decode(payload).ok()? {
                Record::Message(message) => Some(message.body.to_vec()),
                Record::Completed { result, .. } => Some(result.to_vec()),
                Record::Entry(entry) => Some(entry.result.to_vec()),
                Record::Step {
                    result: StepResult::Value(value),
                    ..
                } => Some(value.to_vec()),
                _ => None,
            });
    bodies.collect()
}

/// Two journals, written in the same way by different boxes: some segments with everything in them.
pub(super) fn written() -> &'static (Disk, Disk) {
    static WRITTEN: OnceLock<(Disk, Disk)> = OnceLock::new();
    WRITTEN.get_or_init(|| (write(1), write(2)))
}

fn write(seed: u8) -> Disk {
    let mut writer = Owner::open(Disk::new(), START, seed).expect("an empty box opens");
    for name in ["orders", "mails"] {
        let request = Request::DefineQueue {
            name: name.to_owned(),
            options: options(),
        };
        writer.ask(request).expect("a queue can be defined");
    }
    for round in 0..40_u32 {
        let (id, group) = (format!("id-{seed}-{round}"), format!("g{}", round % 3));
        let body = vec![b'a' + (round % 26) as u8; 40 + round as usize * 7];
        let mut enqueue = message(QueueId(round % 2), &id, &body);
        enqueue.group = (round % 4 == 0).then_some(&group);
        enqueue.destination = (round % 5 == 0).then_some("https://example.com");
        writer.command(Command::Enqueue(enqueue));
        writer.command(Command::Dequeue {
            queue: QueueId(round % 2),
            max: 1,
            lease_ms: None,
            wait_ms: 0,
        });
        if let Some((token, _)) = writer.deliveries.pop_front() {
            writer.command(Command::RecordStep(RecordStep {
                token,
                name: "reserve",
                result: (round % 2 == 0).then_some(b"42".as_slice()),
            }));
            let verdict = match round % 4 {
                0 | 1 => Verdict::Ack,
                2 => Verdict::Reject { delay_ms: None },
                _ => Verdict::Dead(ackbox_core::command::Reason::Permanent),
            };
            writer.command(settle(token, verdict));
        }
        writer.advance(500);
    }
    writer.disk
}

fn options() -> QueueOptions {
    QueueOptions {
        max_attempts: Some(2),
        backoff: Some(Backoff::Constant {
            ms: 100,
            jitter: Jitter::None,
        }),
        dedup: Some(DedupOptions {
            window_ms: Some(5000),
            ..DedupOptions::default()
        }),
        history: Some(HistoryOptions {
            window_ms: Some(5000),
            max_entries: Some(10),
        }),
        ..QueueOptions::default()
    }
}

fn message<'a>(queue: QueueId, id: &'a str, body: &'a [u8]) -> Enqueue<'a> {
    Enqueue {
        queue,
        id: (!id.is_empty()).then_some(id),
        delay_ms: None,
        at: None,
        ttl_ms: None,
        priority: 0,
        max_attempts: None,
        group: None,
        destination: None,
        headers: b"",
        body,
        enqueued_at: None,
        has_host_id: false,
    }
}

fn settle(token: Token, verdict: Verdict) -> Command<'static> {
    Command::Settle(Settle {
        token,
        verdict,
        returned: true,
        result: b"7",
        error: br#"{"name":"Error","message":"no"}"#,
    })
}
