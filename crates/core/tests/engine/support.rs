//! A world around one engine: storage in memory, virtual time, and everything that the engine
//! said, in order. Tests drive it through the engine's public interface only.

#[path = "views.rs"]
mod views;

pub use views::message;

use std::collections::{BTreeMap, VecDeque};

use ackbox_core::command::*;
use ackbox_core::config::{Config, QueueOptions};
use ackbox_core::consumer::policies::Policies;
use ackbox_core::consumer::watch::HandlerLimits;
use ackbox_core::effect::*;
use ackbox_core::engine::Engine;
use ackbox_core::error::Failure;
use ackbox_core::time::Timestamp;

/// Start of virtual time.
pub const T0: u64 = 1_700_000_000_000;

/// What a box leaves behind.
pub type Disk = BTreeMap<u32, Vec<u8>>;

pub struct World {
    pub engine: Engine,
    pub now: u64,
    pub disk: Disk,
    /// Segments as they were when they were removed.
    pub removed: Disk,
    pub config: Config,
    /// Appends wait for [`World::land`] instead of being confirmed at once.
    pub hold_appends: bool,
    pub held: Option<(u32, Vec<u8>)>,
    pub appends: u64,
    pub deliveries: VecDeque<Delivery>,
    pub receipts: Vec<(u64, u32, bool, MessageState, String)>,
    pub replies: BTreeMap<u64, Result<Answer, Failure>>,
    pub bodies: BTreeMap<u64, Vec<(u32, bool, Content)>>,
    pub events: Vec<Event>,
    pub notices: Vec<Notice>,
    pub aborts: Vec<(Token, AbortReason)>,
    pub reports: Vec<OpenReport>,
    /// What a remote engine wanted of its ledger, and what it settled there.
    pub wants: Vec<(QueueId, u32)>,
    pub settlements: Vec<Settlement>,
    /// Reads wait for [`World::answer_reads`].
    pub hold_reads: bool,
    pub held_reads: VecDeque<(ReadId, u32, u64, u32)>,
    pub reads: u64,
    /// Steps that the engine was let take.
    pub steps: u64,
    ticket: u64,
}

pub fn entropy() -> [u8; 32] {
    std::array::from_fn(|index| index as u8)
}

impl World {
    pub fn new() -> Self {
        Self::open(Disk::new(), T0, Config::default()).expect("an empty box opens")
    }

    pub fn with_config(config: Config) -> Self {
        Self::open(Disk::new(), T0, config).expect("an empty box opens")
    }

    /// Opens a box over what another one left.
    pub fn open(disk: Disk, now: u64, config: Config) -> Result<Self, Failure> {
        Self::open_with(disk, now, config, entropy())
    }

    /// Opens a box with entropy of its own.
    pub fn open_with(
        disk: Disk,
        now: u64,
        config: Config,
        entropy: [u8; 32],
    ) -> Result<Self, Failure> {
        Self::begin(disk, now, config, entropy, false)
    }

    fn begin(
        disk: Disk,
        now: u64,
        config: Config,
        entropy: [u8; 32],
        hold_reads: bool,
    ) -> Result<Self, Failure> {
        let engine = Engine::new(config.clone(), entropy, Timestamp(now))?;
        let mut world = Self {
            engine,
            now,
            disk,
            removed: Disk::new(),
            config,
            hold_appends: false,
            held: None,
            appends: 0,
            deliveries: VecDeque::new(),
            receipts: Vec::new(),
            replies: BTreeMap::new(),
            bodies: BTreeMap::new(),
            events: Vec::new(),
            notices: Vec::new(),
            aborts: Vec::new(),
            reports: Vec::new(),
            wants: Vec::new(),
            settlements: Vec::new(),
            hold_reads,
            held_reads: VecDeque::new(),
            reads: 0,
            steps: 0,
            ticket: 0,
        };
        let segments = world
            .disk
            .iter()
            .map(|(segment, bytes)| SegmentInfo {
                segment: *segment,
                bytes: bytes.len() as u64,
            })
            .collect();
        let ticket = world.request(Request::Open { segments })?;
        match world.replies.remove(&ticket).expect("opening is answered") {
            Ok(Answer::Object(object)) => match *object {
                Object::Opened(report) => {
                    world.reports.push(report);
                    Ok(world)
                }
                other => panic!("expected a report, got {other:?}"),
            },
            Ok(other) => panic!("expected a report, got {other:?}"),
            Err(failure) => Err(failure),
        }
    }

    /// What a crash at this moment would leave; a held append has not happened.
    pub fn crash(self) -> Disk {
        self.disk
    }

    /// A crash and a new owner.
    pub fn reopen(self) -> Self {
        let (now, config) = (self.now, self.config.clone());
        Self::open(self.crash(), now, config).expect("what a crash leaves can be opened")
    }

    pub fn report(&self) -> &OpenReport {
        &self.reports[0]
    }

    pub fn next_ticket(&mut self) -> Ticket {
        self.ticket += 1;
        Ticket(self.ticket)
    }

    pub fn define(&mut self, name: &str, options: QueueOptions) -> QueueId {
        match self.at_once(Request::DefineQueue {
            name: name.to_owned(),
            options,
        }) {
            Object::Defined(defined) => defined.queue,
            other => panic!("expected a definition, got {other:?}"),
        }
    }

    /// A request that is answered at once.
    pub fn at_once(&mut self, request: Request) -> Object {
        self.try_at_once(request).expect("the request is answered")
    }

    pub fn try_at_once(&mut self, request: Request) -> Result<Object, Failure> {
        let ticket = self.next_ticket();
        let object = self
            .engine
            .handle_request(Timestamp(self.now), ticket, request)?;
        self.run();
        Ok(object.expect("this request is answered at once"))
    }

    /// A request that is answered later; returns its ticket.
    pub fn request(&mut self, request: Request) -> Result<u64, Failure> {
        let ticket = self.next_ticket();
        let object = self
            .engine
            .handle_request(Timestamp(self.now), ticket, request)?;
        assert!(object.is_none(), "this request is answered by a reply");
        self.run();
        Ok(ticket.0)
    }

    /// The value that a request is answered with.
    pub fn value(&mut self, request: Request) -> u64 {
        let ticket = self.request(request).expect("the request is taken");
        match self.replies.remove(&ticket) {
            Some(Ok(Answer::Value(value))) => value,
            other => panic!("expected a value, got {other:?}"),
        }
    }

    /// The object that a request is answered with.
    pub fn object(&mut self, request: Request) -> Object {
        let ticket = self.request(request).expect("the request is taken");
        match self.replies.remove(&ticket) {
            Some(Ok(Answer::Object(object))) => *object,
            other => panic!("expected an object, got {other:?}"),
        }
    }

    pub fn infos(&mut self, request: Request) -> Vec<MessageInfo> {
        match self.object(request) {
            Object::Infos(infos) => infos,
            Object::DeadPage(page) => page.items,
            other => panic!("expected infos, got {other:?}"),
        }
    }

    pub fn stats(&mut self, queue: QueueId) -> QueueStats {
        match self.at_once(Request::QueueStats { queue }) {
            Object::QueueStats(stats) => *stats,
            other => panic!("expected statistics, got {other:?}"),
        }
    }

    /// Statistics between two steps of the engine.
    pub fn stats_now(&mut self, queue: QueueId) -> QueueStats {
        let ticket = self.next_ticket();
        match self
            .engine
            .handle_request(Timestamp(self.now), ticket, Request::QueueStats { queue })
        {
            Ok(Some(Object::QueueStats(stats))) => *stats,
            other => panic!("expected statistics, got {other:?}"),
        }
    }

    pub fn box_stats(&mut self) -> BoxStats {
        match self.at_once(Request::BoxStats {}) {
            Object::BoxStats(stats) => stats,
            other => panic!("expected statistics, got {other:?}"),
        }
    }

    pub fn worker(&mut self, queue: QueueId, concurrency: u32) -> WorkerId {
        self.worker_with(queue, concurrency, Policies::default())
    }

    /// A worker that limits what it takes.
    pub fn worker_with(&mut self, queue: QueueId, concurrency: u32, limits: Policies) -> WorkerId {
        self.open_worker(queue, concurrency, limits, HandlerLimits::default())
    }

    /// A worker that limits its handlers.
    pub fn limited_worker(
        &mut self,
        queue: QueueId,
        concurrency: u32,
        limits: HandlerLimits,
    ) -> WorkerId {
        self.open_worker(queue, concurrency, Policies::default(), limits)
    }

    /// A worker that limits what it takes, and how long that may take.
    pub fn open_worker(
        &mut self,
        queue: QueueId,
        concurrency: u32,
        policies: Policies,
        limits: HandlerLimits,
    ) -> WorkerId {
        match self.at_once(Request::OpenWorker {
            queue,
            concurrency,
            policies: Box::new(policies),
            limits,
        }) {
            Object::Worker(opened) => opened.worker,
            other => panic!("expected a worker, got {other:?}"),
        }
    }

    /// Listens to everything but the hints for those who watch.
    pub fn listen(&mut self, queue: QueueId) {
        self.at_once(Request::Listen {
            queue,
            events: !(1 << EventKind::Changed as u32),
        });
    }

    pub fn command(&mut self, command: Command<'_>) -> u64 {
        let ticket = self.next_ticket();
        self.engine
            .handle_command(Timestamp(self.now), ticket, command);
        self.run();
        ticket.0
    }

    /// A batch that comes in parts of so many.
    pub fn batch_in_parts(&mut self, items: &[Enqueue<'_>], size: usize) -> u64 {
        let ticket = self.next_ticket();
        let parts = items.len().div_ceil(size);
        for (number, items) in items.chunks(size).enumerate() {
            let part = Part {
                items: items.to_vec(),
                is_last: number + 1 == parts,
            };
            let command = Command::EnqueuePart(part);
            self.engine
                .handle_command(Timestamp(self.now), ticket, command);
        }
        self.run();
        ticket.0
    }

    /// A command that nobody waits for.
    pub fn unanswered(&mut self, command: Command<'_>) {
        self.unanswered_as(Ticket(0), command);
    }

    /// A command under the ticket of another one.
    pub fn unanswered_as(&mut self, ticket: Ticket, command: Command<'_>) {
        self.engine
            .handle_command(Timestamp(self.now), ticket, command);
        self.run();
    }

    /// Enqueues a body and returns the id of the receipt, or the refusal.
    pub fn try_enqueue(
        &mut self,
        enqueue: Enqueue<'_>,
    ) -> Result<(bool, MessageState, String), Failure> {
        let ticket = self.command(Command::Enqueue(enqueue));
        if let Some(Err(failure)) = self.replies.remove(&ticket) {
            return Err(failure);
        }
        let receipt = self
            .receipts
            .iter()
            .find(|receipt| receipt.0 == ticket)
            .expect("a receipt");
        Ok((receipt.2, receipt.3, receipt.4.clone()))
    }

    pub fn enqueue(&mut self, queue: QueueId, body: &str) -> String {
        self.try_enqueue(message(queue, body)).expect("accepted").2
    }

    pub fn enqueue_id(
        &mut self,
        queue: QueueId,
        id: &str,
        body: &str,
    ) -> (bool, MessageState, String) {
        self.try_enqueue(Enqueue {
            id: Some(id),
            ..message(queue, body)
        })
        .expect("accepted")
    }

    /// Enqueues a body for a destination.
    pub fn send(&mut self, queue: QueueId, destination: &str, body: &str) {
        let enqueue = Enqueue {
            destination: Some(destination),
            ..message(queue, body)
        };
        self.try_enqueue(enqueue).expect("accepted");
    }

    /// Settles a delivery as a handler that returned does, and returns the answer.
    pub fn settle(&mut self, token: Token, verdict: Verdict) -> Result<Answer, Failure> {
        self.settle_with(token, verdict, true, b"", b"")
    }

    pub fn settle_with(
        &mut self,
        token: Token,
        verdict: Verdict,
        returned: bool,
        result: &[u8],
        error: &[u8],
    ) -> Result<Answer, Failure> {
        let settle = Settle {
            token,
            verdict,
            returned,
            result,
            error,
        };
        let ticket = self.command(Command::Settle(settle));
        self.replies
            .remove(&ticket)
            .expect("a settlement with a ticket is answered")
    }

    pub fn ack(&mut self, token: Token) {
        self.settle(token, Verdict::Ack).expect("acknowledged");
    }

    pub fn reject(&mut self, token: Token) {
        self.settle_with(
            token,
            Verdict::Reject { delay_ms: None },
            true,
            b"",
            br#"{"message":"no"}"#,
        )
        .expect("rejected");
    }

    /// Claims by hand.
    pub fn dequeue(&mut self, queue: QueueId, max: u32) -> Vec<Delivery> {
        let before = self.deliveries.len();
        let ticket = self.command(Command::Dequeue {
            queue,
            max,
            lease_ms: None,
            wait_ms: 0,
        });
        assert!(
            self.replies.remove(&ticket).is_some(),
            "a dequeue that does not wait is answered"
        );
        self.deliveries.split_off(before).into()
    }

    /// The next delivery to a worker.
    pub fn delivery(&mut self) -> Delivery {
        self.deliveries.pop_front().expect("a delivery")
    }

    /// Lets virtual time pass, stopping wherever the engine wants to be called.
    pub fn advance(&mut self, ms: u64) {
        let end = self.now + ms;
        for _ in 0..100_000 {
            match self.engine.poll_timeout() {
                Some((at, _)) if at.0 <= end => self.now = self.now.max(at.0),
                _ => {
                    self.now = end;
                    self.run();
                    return;
                }
            }
            self.run();
        }
        panic!("time does not pass: the engine wants to be called again and again");
    }

    /// Confirms a held append.
    pub fn land(&mut self) {
        let (segment, bytes) = self.held.take().expect("an append is held");
        self.disk.entry(segment).or_default().extend(bytes);
        self.complete(Completion::Appended);
    }

    /// Fails a held append.
    pub fn fail_append(&mut self, clean: bool) {
        self.held.take().expect("an append is held");
        self.complete(Completion::AppendFailed { clean });
    }

    /// Answers the reads that were held.
    pub fn answer_reads(&mut self) {
        for (read, segment, offset, length) in std::mem::take(&mut self.held_reads) {
            let bytes = self.disk[&segment][offset as usize..][..length as usize].to_vec();
            self.complete(Completion::Chunk {
                read,
                bytes: &bytes,
            });
        }
    }

    pub fn complete(&mut self, completion: Completion<'_>) {
        self.engine
            .handle_completion(Timestamp(self.now), completion);
        self.run();
    }

    /// Performs effects until the engine has nothing more to do now.
    pub fn run(&mut self) {
        for _ in 0..1_000_000 {
            self.engine.handle_timeout(Timestamp(self.now));
            self.steps += 1;
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
        let now = Timestamp(self.now);
        match effect {
            Effect::Append { segment, bytes } => {
                self.appends += 1;
                if self.hold_appends {
                    assert!(self.held.is_none(), "two appends in flight");
                    self.held = Some((segment, bytes.to_vec()));
                } else {
                    self.disk.entry(segment).or_default().extend(bytes.iter());
                    self.engine.handle_completion(now, Completion::Appended);
                }
            }
            Effect::Read {
                read,
                segment,
                offset,
                length,
            } => {
                self.reads += 1;
                if self.hold_reads && read != ReadId(0) {
                    self.held_reads.push_back((read, segment, offset, length));
                } else {
                    let bytes = self.disk[&segment][offset as usize..][..length as usize].to_vec();
                    self.engine.handle_completion(
                        now,
                        Completion::Chunk {
                            read,
                            bytes: &bytes,
                        },
                    );
                }
            }
            Effect::Truncate { segment, bytes } => {
                self.disk
                    .get_mut(&segment)
                    .expect("it exists")
                    .truncate(bytes as usize);
                self.engine.handle_completion(now, Completion::Truncated);
            }
            Effect::Remove { segment } => {
                let bytes = self.disk.remove(&segment).expect("it exists");
                self.removed.insert(segment, bytes);
                self.engine
                    .handle_completion(now, Completion::Removed { segment });
            }
            Effect::Deliver(delivery) => self.deliveries.push_back(*delivery),
            Effect::Abort { token, reason } => self.aborts.push((token, reason)),
            Effect::Receipt {
                ticket,
                index,
                duplicate,
                state,
                id,
                ..
            } => {
                self.receipts
                    .push((ticket.0, index, duplicate, state, id.into()));
            }
            Effect::Reply { ticket, result } => {
                assert!(
                    self.replies.insert(ticket.0, result).is_none(),
                    "answered twice"
                );
            }
            Effect::Body {
                ticket,
                index,
                intact,
                content,
            } => {
                self.bodies
                    .entry(ticket.0)
                    .or_default()
                    .push((index, intact, content));
            }
            Effect::Want { queue, max } => self.wants.push((queue, max)),
            Effect::Settlement(settlement) => self.settlements.push(*settlement),
            Effect::Transit { .. } => {
                self.appends += 1;
                if !self.hold_appends {
                    self.engine.handle_completion(now, Completion::Appended);
                }
            }
            Effect::Event(event) => self.events.push(*event),
            Effect::Notice(notice) => self.notices.push(notice),
        }
    }
}

/// The body of a delivery as text.
pub fn body(delivery: &Delivery) -> String {
    String::from_utf8(delivery.content.body().to_vec()).expect("bodies of tests are text")
}
