//! What a new owner would find: a copy of the stored bytes, opened and looked at.

use std::collections::BTreeMap;

use ackbox_core::command::{Completion, MessageState, QueueId, Request, Ticket};
use ackbox_core::config::Config;
use ackbox_core::effect::{Answer, Effect, MessageInfo, Object, OpenReport};
use ackbox_core::engine::Engine;
use ackbox_core::error::{ErrorCode, Failure};
use ackbox_core::time::Timestamp;

use crate::storage::{Disk, Job, Storage};

/// Entropy of an owner, which no other one has.
#[must_use]
pub fn entropy(seed: u64, run: u64) -> [u8; 32] {
    let mut entropy = [0; 32];
    entropy[..8].copy_from_slice(&seed.to_le_bytes());
    entropy[8..16].copy_from_slice(&run.to_le_bytes());
    entropy
}

/// A message that was found.
#[derive(Clone, PartialEq, Debug)]
pub struct Seen {
    /// As it is shown.
    pub info: MessageInfo,
    /// Its headers.
    pub headers: Vec<u8>,
    /// What is in it.
    pub body: Vec<u8>,
    /// Its bytes are sound.
    pub intact: bool,
}

/// A queue and an id in it.
pub type Name = (usize, String);

/// What is known of an id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Known {
    /// Nothing.
    No,
    /// The state of its message.
    As(MessageState),
    /// That it completed; what it gave is damaged.
    Damaged,
}

/// What was found.
#[derive(Debug)]
pub struct Finding {
    /// What opening told.
    pub report: OpenReport,
    /// Messages by queue.
    pub queues: Vec<Vec<Seen>>,
    /// What became of those that were asked for.
    pub ends: BTreeMap<Name, Known>,
    /// The stored bytes once the box was open, and nothing new was written.
    pub repaired: Disk,
}

struct Probe {
    engine: Engine,
    now: Timestamp,
    disk: Disk,
    replies: BTreeMap<u64, Result<Answer, Failure>>,
    bodies: BTreeMap<u32, (bool, Vec<u8>, Vec<u8>)>,
    tickets: u64,
    repaired: Option<Disk>,
}

/// Opens a copy and looks at everything in it. An error leaves the copy as it was.
pub fn probe(disk: &Disk, now: u64, config: &Config, seed: u64) -> Result<Finding, Failure> {
    probe_for(&[], disk, now, config, seed)
}

/// Opens a copy, looks at everything in it, and asks for messages that may be over.
pub fn probe_for(
    names: &[Name],
    disk: &Disk,
    now: u64,
    config: &Config,
    seed: u64,
) -> Result<Finding, Failure> {
    let entropy = entropy(seed, u64::MAX);
    let mut probe = Probe {
        engine: Engine::new(config.clone(), entropy, Timestamp(now))?,
        now: Timestamp(now),
        disk: disk.clone(),
        replies: BTreeMap::new(),
        bodies: BTreeMap::new(),
        tickets: 0,
        repaired: None,
    };
    let segments = Storage::segments(disk);
    let object = match probe.ask(Request::Open { segments }) {
        Ok(object) => object,
        Err(failure) => {
            assert_eq!(&probe.disk, disk, "I6: what cannot be opened was changed");
            return Err(failure);
        }
    };
    let Object::Opened(report) = object else {
        panic!("expected a report, got {object:?}")
    };
    let object = probe.ask(Request::Queues {})?;
    let Object::Queues(summaries) = object else {
        panic!("expected queues, got {object:?}")
    };
    let mut queues = Vec::new();
    for queue in 0..summaries.len() as u32 {
        queues.push(probe.look(QueueId(queue))?);
    }
    let mut ends = BTreeMap::new();
    for name in names.iter().filter(|(queue, _)| *queue < summaries.len()) {
        ends.insert(name.clone(), probe.end_of(name)?);
    }
    Ok(Finding {
        report,
        queues,
        ends,
        repaired: probe.repaired.expect("it was opened"),
    })
}

impl Probe {
    fn look(&mut self, queue: QueueId) -> Result<Vec<Seen>, Failure> {
        let object = self.ask(Request::Peek {
            queue,
            state: None,
            limit: 10_000,
        })?;
        let Object::Infos(infos) = object else {
            panic!("expected messages, got {object:?}")
        };
        let mut bodies = std::mem::take(&mut self.bodies);
        let seen = infos.into_iter().zip(0..).map(|(info, index)| {
            let (intact, headers, body) = bodies.remove(&index).unwrap_or_default();
            assert_ne!(
                info.state,
                MessageState::Leased,
                "no lease survives its owner"
            );
            Seen {
                info,
                headers,
                body,
                intact,
            }
        });
        Ok(seen.collect())
    }

    fn end_of(&mut self, (queue, id): &Name) -> Result<Known, Failure> {
        let (queue, id) = (QueueId(*queue as u32), id.clone());
        let object = match self.ask(Request::Get { queue, id }) {
            Ok(object) => object,
            Err(failure) if failure.code == ErrorCode::Corrupt => return Ok(Known::Damaged),
            Err(failure) => return Err(failure),
        };
        let Object::Infos(infos) = object else {
            panic!("expected a message or none, got {object:?}")
        };
        self.bodies.clear();
        let state = infos.first().map(|info| info.state);
        Ok(state.map_or(Known::No, Known::As))
    }

    fn ask(&mut self, request: Request) -> Result<Object, Failure> {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        if let Some(object) = self.engine.handle_request(self.now, ticket, request)? {
            self.run();
            return Ok(object);
        }
        self.run();
        match self
            .replies
            .remove(&ticket.0)
            .expect("everything is answered")
        {
            Ok(Answer::Object(object)) => Ok(*object),
            Ok(other) => panic!("expected an object, got {other:?}"),
            Err(failure) => Err(failure),
        }
    }

    fn run(&mut self) {
        loop {
            self.engine.handle_timeout(self.now);
            let mut idle = true;
            while let Some(effect) = self.engine.poll_effect() {
                idle = false;
                self.perform(effect);
            }
            if idle && !self.engine.has_more() {
                return;
            }
        }
    }

    fn perform(&mut self, effect: Effect) {
        let job = match effect {
            Effect::Append { segment, bytes } => Job::Append { segment, bytes },
            Effect::Read {
                read,
                segment,
                offset,
                length,
            } => {
                let bytes = Storage::read(&self.disk, segment, offset, length);
                let chunk = Completion::Chunk { read, bytes };
                return self.engine.handle_completion(self.now, chunk);
            }
            Effect::Truncate { segment, bytes } => Job::Truncate { segment, bytes },
            Effect::Remove { segment } => Job::Remove { segment },
            Effect::Reply { ticket, result } => {
                // The first one says that the box is open.
                self.repaired.get_or_insert_with(|| self.disk.clone());
                self.replies.insert(ticket.0, result);
                return;
            }
            Effect::Body {
                index,
                intact,
                content,
                ..
            } => {
                self.bodies.insert(
                    index,
                    (intact, content.headers().to_vec(), content.body().to_vec()),
                );
                return;
            }
            _ => return,
        };
        Storage::apply(&mut self.disk, &job);
        let completion = match job {
            Job::Truncate { .. } => Completion::Truncated,
            Job::Remove { segment } => Completion::Removed { segment },
            _ => Completion::Appended,
        };
        self.engine.handle_completion(self.now, completion);
    }
}
