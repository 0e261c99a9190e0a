//! Opening a box: what the segments hold becomes the ledger, and a torn tail is cut.

use std::collections::VecDeque;

use super::commit::{Commit, Remote};
use super::{Engine, Phase};
use crate::command::{ReadId, Reason, SegmentInfo, Ticket};
use crate::config::Config;
use crate::effect::{Answer, Effect, Object, OpenReport};
use crate::error::{ErrorCode, Failure};
use crate::hash;
use crate::journal::{FrameInfo, Place, Record, Recovery, RecoveryReport, Replay, SegmentHeader};
use crate::ledger::Ledger;
use crate::time::Timestamp;

/// Smallest segment: a header, and a frame or two.
const SEGMENT_BYTES_MIN: u32 = 4 << 10;
/// Largest: offsets have 32 bits, and a frame may be larger than what is left.
const SEGMENT_BYTES_MAX: u32 = 1 << 30;
/// No token of an earlier run is given out again, whatever of its tail was lost.
const TOKENS_SKIPPED: u64 = 1 << 24;

/// An opening under way.
#[derive(Debug)]
pub(super) struct Opening {
    ticket: Ticket,
    /// Until everything was read.
    recovery: Option<Recovery>,
    /// From then on.
    report: RecoveryReport,
    replayer: Replayer,
    /// Segments still to be removed, then the one to be cut.
    repairs: VecDeque<Effect>,
}

/// What the segments of an existing box held.
pub(super) struct Found {
    /// Of the last segment that has one.
    pub(super) header: SegmentHeader,
    pub(super) ledger: Ledger,
    /// Segments and their intact bytes, oldest first.
    pub(super) segments: VecDeque<(u32, u64)>,
    pub(super) last_frame: u64,
}

/// Turns records into a ledger.
#[derive(Debug)]
struct Replayer {
    ledger: Option<Ledger>,
    time: Timestamp,
    last_token: u64,
    cache_limit: u64,
    free_deaths: u32,
}

impl Opening {
    /// Who waits for it.
    pub(super) fn ticket(&self) -> Ticket {
        self.ticket
    }
}

impl Replay for Replayer {
    fn segment(&mut self, header: &SegmentHeader) {
        let ledger = self.ledger.get_or_insert_with(|| {
            let mut ledger = Ledger::new(&header.box_id, header.hash_key, header.jitter_seed);
            ledger.begin_replay(header.last_number);
            ledger
        });
        ledger.last_number = ledger.last_number.max(header.last_number);
        ledger.last_death = ledger.last_death.max(header.deaths);
        self.last_token = self.last_token.max(header.last_token);
    }

    fn frame(&mut self, info: &FrameInfo) {
        self.time = self.time.max(Timestamp(info.time));
        if let Some(ledger) = &mut self.ledger {
            ledger.begin_batch(self.time);
        }
    }

    fn record(
        &mut self,
        record: Record<'_>,
        place: Place,
        payload: &[u8],
    ) -> Result<(), &'static str> {
        match record {
            Record::Started { token, .. } => self.last_token = self.last_token.max(token),
            Record::Opened { last_token, .. } => self.last_token = self.last_token.max(last_token),
            _ => {}
        }
        let ledger = self
            .ledger
            .as_mut()
            .ok_or("a record before any segment's header")?;
        ledger.replay(
            record,
            self.time,
            place,
            payload,
            self.cache_limit,
            self.free_deaths,
        )
    }
}

pub(super) fn check(config: &Config) -> Result<(), Failure> {
    let segment_bytes = config.segment_bytes;
    if (SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&segment_bytes) {
        return Ok(());
    }
    let message = format!(
        "segmentBytes: expected {SEGMENT_BYTES_MIN} to {SEGMENT_BYTES_MAX}, got {segment_bytes}"
    );
    Err(Failure::new(ErrorCode::InvalidOption, message))
}

/// Ledger and journal of a box that does not exist yet.
pub(super) fn blank(config: &Config, entropy: &[u8; 32]) -> (Ledger, Commit) {
    let mut identity = identity(config, entropy);
    let mut ledger = Ledger::new(&identity.box_id, identity.hash_key, identity.jitter_seed);
    identity.run = ledger.draw_run(entropy);
    ledger.note_open(identity.run, 0);
    let mut commit = Commit::new(
        identity,
        config.durability,
        config.segment_bytes,
        VecDeque::new(),
        0,
    );
    ledger.is_remote = config.remote;
    commit.remote = config.remote.then(Remote::default);
    (ledger, commit)
}

/// What a crash left behind: segments to be removed, then the one to be cut.
fn repairs(report: &RecoveryReport) -> VecDeque<Effect> {
    let remove = report.remove.iter();
    let mut repairs: VecDeque<Effect> = remove
        .map(|segment| Effect::Remove { segment: *segment })
        .collect();
    if let Some((segment, bytes)) = report.truncate().filter(|_| !bug!("keep-torn-tail")) {
        repairs.push_back(Effect::Truncate { segment, bytes });
    }
    repairs
}

fn identity(config: &Config, entropy: &[u8; 32]) -> SegmentHeader {
    let keys = hash::Keys::draw(entropy, config.seed.as_deref());
    SegmentHeader {
        box_id: hash::derive(entropy, "box id"),
        hash_key: keys.hash_key,
        jitter_seed: keys.jitter_seed,
        segment: 0,
        first_frame: 0,
        last_number: 0,
        last_token: 0,
        deaths: 0,
        run: 0,
        time: 0,
    }
}

impl Engine {
    pub(super) fn open(&mut self, ticket: Ticket, segments: &[SegmentInfo]) -> Result<(), Failure> {
        if !matches!(self.phase, Phase::New) {
            return Err(Failure::new(ErrorCode::Closed, "a box is opened once"));
        }
        let recovery = Recovery::new(segments).map_err(Failure::from)?;
        let replayer = Replayer {
            ledger: None,
            time: Timestamp(0),
            last_token: 0,
            cache_limit: self.config.max_memory_bytes,
            free_deaths: self.config.free_owner_deaths,
        };
        self.phase = Phase::Opening(Box::new(Opening {
            ticket,
            recovery: Some(recovery),
            report: RecoveryReport::default(),
            replayer,
            repairs: VecDeque::new(),
        }));
        self.continue_opening();
        Ok(())
    }

    pub(super) fn opening_chunk(&mut self, bytes: &[u8]) {
        let Phase::Opening(opening) = &mut self.phase else {
            return;
        };
        let Some(recovery) = &mut opening.recovery else {
            return;
        };
        match recovery.handle_chunk(bytes, &mut opening.replayer) {
            Ok(()) => self.continue_opening(),
            Err(error) => {
                let ticket = opening.ticket;
                self.phase = Phase::Closed;
                self.output.push_back(Effect::Reply {
                    ticket,
                    result: Err(Failure::from(error)),
                });
            }
        }
    }

    fn continue_opening(&mut self) {
        let Phase::Opening(opening) = &mut self.phase else {
            return;
        };
        let Some(mut recovery) = opening.recovery.take() else {
            return;
        };
        if let Some(request) = recovery.poll_read() {
            self.output.push_back(Effect::Read {
                read: ReadId(0),
                segment: request.segment,
                offset: request.offset,
                length: request.length,
            });
            opening.recovery = Some(recovery);
            return;
        }
        let report = recovery.into_report();
        if !self.config.read_only {
            opening.repairs = repairs(&report);
        }
        opening.report = report;
        self.repair();
    }

    /// A repair of the torn tail at a time, then the box is open.
    fn repair(&mut self) {
        let Phase::Opening(opening) = &mut self.phase else {
            return;
        };
        match opening.repairs.pop_front() {
            Some(effect) => self.output.push_back(effect),
            None => self.opened(),
        }
    }

    pub(super) fn truncated(&mut self) {
        self.repair();
    }

    pub(super) fn opening_removed(&mut self) -> bool {
        let opening = matches!(self.phase, Phase::Opening(_));
        if opening {
            self.repair();
        }
        opening
    }

    fn opened(&mut self) {
        let Phase::Opening(opening) = std::mem::replace(&mut self.phase, Phase::Open) else {
            return;
        };
        let Opening {
            ticket,
            report,
            replayer,
            ..
        } = *opening;
        let created = report.header.is_none();
        let mut interrupted = 0;
        if let (Some(header), Some(ledger)) = (&report.header, replayer.ledger) {
            let found = Found {
                header: *header,
                ledger,
                segments: report.segments.iter().copied().collect(),
                last_frame: report.last_frame,
            };
            if self.config.read_only {
                self.look_at(found);
            } else {
                let last_time = Timestamp(report.last_time);
                interrupted = self.take_over(found, last_time, replayer.last_token);
            }
        } else {
            let (ledger, commit) = blank(&self.config, &self.entropy);
            (self.ledger, self.commit) = (ledger, commit);
        }
        for _ in 0..self.ledger.queues.len() {
            self.add_desk();
        }
        for queue in 0..self.ledger.queues.len() as u32 {
            if self.config.read_only {
                continue;
            }
            self.rearm(queue);
            self.ledger.touch(queue);
        }
        self.tell_opened(ticket, created, interrupted, &report);
    }

    /// Goes on where the last owner stopped; returns how many deliveries died with it.
    fn take_over(&mut self, found: Found, last_time: Timestamp, last_token: u64) -> u64 {
        let Found {
            header, mut ledger, ..
        } = found;
        let now = self.now;
        let interrupted = ledger.finish_replay(now, last_time, self.config.free_owner_deaths);
        if last_time > now {
            let message = format!(
                "the clock was set back: the journal was last written at {last_time}, now is {now}"
            );
            self.warn(None, message);
        }
        let run = ledger.draw_run(&self.entropy);
        // Journaled as it is after the jump: a run whose tokens left no trace is jumped over as well.
        self.last_token = if bug!("reuse-tokens") {
            0
        } else {
            last_token + TOKENS_SKIPPED
        };
        let identity = SegmentHeader {
            run,
            last_number: ledger.last_number,
            last_token: self.last_token,
            deaths: ledger.last_death,
            ..header
        };
        ledger.note_open(run, ledger.last_number);
        self.commit = Commit::new(
            identity,
            self.config.durability,
            self.config.segment_bytes,
            found.segments,
            found.last_frame,
        );
        self.ledger = ledger;
        for slot in interrupted.exhausted {
            self.kill_undelivered(slot, Reason::OwnerDied);
        }
        interrupted.count
    }

    fn tell_opened(
        &mut self,
        ticket: Ticket,
        created: bool,
        interrupted: u64,
        report: &RecoveryReport,
    ) {
        let stats = |count: fn(&crate::ledger::queue::Queue) -> u64| -> u64 {
            self.ledger.queues.iter().map(count).sum()
        };
        let dead_letters = stats(|queue| queue.dead.len() as u64);
        let box_id = self
            .commit
            .box_id()
            .iter()
            .map(|byte| format!("{byte:02x}"));
        let opened = OpenReport {
            box_id: box_id.collect(),
            created,
            segments: report.segments.len() as u32,
            bytes: report.segments.iter().map(|(_, bytes)| bytes).sum(),
            frames: report.frames,
            messages: stats(|queue| queue.depth) - dead_letters,
            dead_letters,
            interrupted,
            cut: report.cut,
            moved: self.ledger.moved(),
        };
        let result = Ok(Answer::Object(Box::new(Object::Opened(opened))));
        self.output.push_back(Effect::Reply { ticket, result });
    }
}
