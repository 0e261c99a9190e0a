//! What the world knows of its messages: what it asked for, what it was told, and what is in doubt.
//!
//! The model decides nothing that the engine decides. It keeps bounds: a message that was acknowledged
//! without an answer may be there after a crash or not, and until somebody looks it is both.

mod asked;
mod beginning;
pub mod inbox;
pub mod letters;
pub mod meeting;
mod message;
pub mod producers;
pub mod steps;

use std::collections::{BTreeMap, BTreeSet};

use ackbox_core::config::{Guarantee, QueueOptions, WhenFull};
use ackbox_core::consumer::policies::{Policies, WhenOpen};
use ackbox_core::consumer::watch::HandlerLimits;
use ackbox_core::policy::backoff::{Backoff, Jitter};

pub use asked::{Asked, Entry, Held};
pub use message::{Body, End, Message, Sent, Sure};

use crate::op::Say;
use inbox::Inbox;
use producers::Producer;
use steps::Service;

/// What is known.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// Options of the queues.
    pub queues: Vec<QueueOptions>,
    /// Policies of their workers.
    pub policies: Vec<Policies>,
    /// How long their handlers may take.
    pub limits: Vec<HandlerLimits>,
    /// Consumers begin later than they are given something.
    pub late: bool,
    /// Destinations that a consumer wanted to be left alone until then.
    pub holds: BTreeMap<(usize, String), u64>,
    /// Every message that was accepted.
    pub messages: Vec<Message>,
    /// Which of them has this number.
    pub by_number: BTreeMap<u64, usize>,
    /// Deliveries of this run.
    pub held: Vec<Held>,
    /// Tokens that are worth nothing any more.
    pub stale: Vec<u64>,
    /// All tokens ever seen.
    pub tokens: BTreeSet<u64>,
    /// Finished ids.
    pub entries: BTreeMap<(usize, String), Entry>,
    /// Commands of this run without an answer, by their sequence.
    pub asked: BTreeMap<u64, Asked>,
    /// Of those, the ones of which nobody is told the outcome.
    pub unheard: BTreeSet<u64>,
    /// Everything up to this command is durable.
    pub durable: u64,
    /// The latest time that any run was told.
    pub latest: u64,
    /// What was sent with a command below this one may be damaged.
    pub rotten: u64,
    /// The storage had no room in this run.
    pub was_full: bool,
    /// Producers that number what they send.
    pub producers: BTreeMap<u8, Producer>,
    /// What tabs left for the one that drives the box.
    pub inbox: Inbox,
    /// What steps call.
    pub service: Service,
    /// Deaths that were told of which a queue is to be told, by queue and id.
    pub deaths: BTreeMap<(usize, String), u32>,
    /// Messages about deaths that were delivered, by queue and id of who died.
    pub letters: BTreeMap<(usize, String), u32>,
    /// Those about whom one was found.
    pub found_letters: BTreeSet<(usize, String)>,
    /// Queues from which somebody removed what nobody named.
    pub swept: BTreeSet<usize>,
}

impl Model {
    /// Whether a queue gives its messages away before they are handled.
    #[must_use]
    pub fn at_most_once(&self, queue: usize) -> bool {
        self.queues[queue].guarantee == Some(Guarantee::AtMostOnce)
    }

    /// Whether a message may be a dead letter that nobody keeps any more.
    #[must_use]
    pub fn may_have_retired(&self, message: &Message) -> bool {
        self.retires(message) && message.may_be_dead()
    }

    /// Whether nobody keeps a message that dies.
    #[must_use]
    pub fn retires(&self, message: &Message) -> bool {
        let mut queues = self.queues.iter().enumerate();
        queues.any(|(queue, options)| options.dead.is_some() && message.may_be_in(queue))
    }

    /// Whether a message may be given away before it is handled.
    #[must_use]
    pub fn may_be_given_away(&self, message: &Message) -> bool {
        (0..self.queues.len()).any(|queue| self.at_most_once(queue) && message.may_be_in(queue))
    }

    /// Whether messages of a queue fail or die without a delivery while a circuit is open.
    #[must_use]
    pub fn turns_away(&self, queue: usize) -> bool {
        let policies = &self.policies[queue];
        let own = policies.per_destination.as_ref();
        let has_own = own.is_some_and(|limits| limits.breaker.is_some());
        (policies.breaker.is_some() || has_own) && policies.when_open != WhenOpen::Pause
    }

    /// How long a queue remembers finished ids.
    #[must_use]
    pub fn window_ms(&self, queue: usize) -> u64 {
        let dedup = self.queues[queue].dedup.as_ref();
        dedup.and_then(|dedup| dedup.window_ms).unwrap_or(0)
    }

    /// Whether a queue may forget finished ids before their window is over.
    fn shortens(&self, queue: usize) -> bool {
        let dedup = self.queues[queue].dedup.as_ref();
        dedup.is_some_and(|dedup| {
            dedup.when_full == Some(WhenFull::Shorten) && dedup.max_entries.is_some()
        })
    }

    /// The shortest time that a queue waits before a retry.
    #[must_use]
    pub fn least_backoff_ms(&self, queue: usize) -> u64 {
        match &self.queues[queue].backoff {
            Some(Backoff::Constant { ms, .. }) => *ms,
            Some(Backoff::Exponential {
                base_ms,
                jitter: Jitter::None | Jitter::Fraction(_),
                ..
            }) => *base_ms,
            _ => 0,
        }
    }

    /// The message under this id that is not certainly over.
    #[must_use]
    pub fn live(&self, queue: usize, id: &str) -> Option<usize> {
        let is_it = |message: &Message| {
            message.may_be_in(queue)
                && message.end != End::Told
                && message.id.as_deref() == Some(id)
        };
        let messages = &self.messages;
        let is_there = |message: &Message| is_it(message) && message.elsewhere.is_empty();
        let found = messages.iter().rposition(is_there);
        found.or_else(|| messages.iter().rposition(is_it))
    }

    /// Whether more than one message may be under an id.
    #[must_use]
    pub fn is_ambiguous(&self, queue: usize, id: &str) -> bool {
        let is_it = |message: &&Message| {
            message.may_be_in(queue)
                && message.end != End::Told
                && message.id.as_deref() == Some(id)
        };
        self.messages.iter().filter(is_it).count() > 1
    }

    /// Whether somebody waits for a step of a message.
    #[must_use]
    pub fn is_in_step(&self, message: usize, name: u8) -> bool {
        self.asked.values().any(|asked| match asked {
            Asked::Recall(call) => call.message == message && call.effort.name == name,
            Asked::Record {
                message: other,
                name: same,
                ..
            } => *other == message && *same == name,
            _ => false,
        })
    }

    /// Whether an id may be known when it is sent.
    #[must_use]
    pub fn may_be_known(&self, queue: usize, id: &str, now: u64) -> bool {
        let is_it = |item: &Sent| item.queue == queue && item.id.as_deref() == Some(id);
        let sent = self.asked.values().any(|asked| match asked {
            Asked::Enqueue { items, .. }
            | Asked::Unit { items, .. }
            | Asked::Move { items, .. } => items.iter().flatten().any(is_it),
            Asked::Produce { sent, .. } => sent.iter().any(is_it),
            _ => false,
        });
        let entry = self.entries.get(&(queue, id.to_owned()));
        sent || self.live(queue, id).is_some() || entry.is_some_and(|entry| now < entry.at_most)
    }

    /// Adds a message that is durable.
    pub fn accept(&mut self, sent: Sent, id: String, number: Option<u64>, sequence: u64) -> usize {
        let index = self.messages.len();
        if let Some(number) = number {
            self.by_number.insert(number, index);
        }
        self.messages.push(Message {
            sequence,
            id: Some(id),
            number,
            end: End::No,
            acked_at: None,
            dead: Sure::No,
            may_die: self.turns_away(sent.queue),
            may_be_damaged: sequence < self.rotten,
            displaced: false,
            not_before: sent.not_before,
            deadline: sent.deadline,
            starts: (0, 0),
            refunded: false,
            token: 0,
            handed_over: false,
            handed_over_at: 0,
            steps: BTreeMap::new(),
            max_attempts: self.queues[sent.queue].max_attempts.unwrap_or(u32::MAX),
            bodies: vec![(0, Body(sent.body.clone()))],
            former: Vec::new(),
            provisional: false,
            elsewhere: BTreeSet::new(),
            sent,
        });
        index
    }

    /// Something that was stored by now was read with another bit: nobody here knows what.
    pub fn rot(&mut self, sequence: u64) {
        self.rotten = sequence + 1;
        for index in 0..self.messages.len() {
            self.messages[index].may_be_damaged = true;
            self.may_be_lost_damaged(index);
        }
    }

    /// Who is to be delivered at most once is settled before its bytes are looked at.
    pub(super) fn may_be_lost_damaged(&mut self, index: usize) {
        let message = &self.messages[index];
        if message.may_be_damaged && message.end == End::No && self.may_be_given_away(message) {
            self.messages[index].end = End::Maybe;
        }
    }

    /// A consumer says what became of a delivery: what follows, if the engine agrees.
    /// `free`: a failure costs no attempt, since it was a probe.
    pub fn say(&mut self, index: usize, say: Say, now: u64, sequence: u64, free: Sure) {
        let queue = self.messages[index].sent.queue;
        let backoff = match free {
            Sure::No => self.least_backoff_ms(queue),
            _ => 0,
        };
        let is_bounded = self.queues[queue].max_retry_ms.is_some();
        let message = &mut self.messages[index];
        match say {
            Say::Ack => (message.end, message.acked_at) = (End::Asked(sequence), Some(now)),
            Say::Reject { delay_ms } => {
                message.not_before = now + delay_ms.unwrap_or(backoff);
                message.may_die |= free != Sure::Yes || is_bounded;
                spare(message, free);
            }
            Say::Dead => message.may_die = true,
            Say::Later { ms, costs } => {
                message.not_before = now + ms;
                message.may_die |= (costs && free != Sure::Yes) || is_bounded;
                spare(message, if costs { free } else { Sure::Yes });
            }
            Say::Return => {
                message.not_before = 0;
                spare(message, Sure::Yes);
            }
        }
    }

    /// A delivery is settled while its handler runs on: it has no lease any more that could run out.
    pub fn settle(&mut self, place: usize, sure: bool) {
        let held = &mut self.held[place];
        held.settled = true;
        if sure && !held.late {
            let lease_ms = self.queues[held.queue].lease_ms.unwrap_or(0);
            let times_out = self.limits[held.queue].timeout_ms.filter(|_| held.handler);
            held.patience = times_out.map(|ms| held.at + ms + lease_ms);
        }
    }

    /// An acknowledgement is durable.
    pub fn complete(&mut self, index: usize, now: u64, sure: bool) {
        let message = &mut self.messages[index];
        message.end = End::Told;
        let (queue, sequence) = (message.sent.queue, message.sequence);
        let (Some(id), Some(acked_at)) = (message.sent.id.clone(), message.acked_at) else {
            return;
        };
        let elsewhere = self.messages[index].elsewhere.clone();
        let sure = sure && elsewhere.is_empty();
        for queue in elsewhere.into_iter().chain([queue]) {
            self.remember(queue, id.clone(), sequence, (acked_at, now), sure);
        }
    }

    /// An id is finished since some time between these two.
    pub fn remember(
        &mut self,
        queue: usize,
        id: String,
        sequence: u64,
        finished: (u64, u64),
        sure: bool,
    ) {
        let window_ms = self.window_ms(queue);
        if window_ms == 0 {
            return;
        }
        let sure = sure && !self.shortens(queue);
        let entry = Entry {
            sequence,
            at_least: finished.0 + window_ms,
            // A clock that was set back finishes things at the latest time in the journal.
            at_most: finished.1.max(self.latest) + window_ms,
            sure,
        };
        self.entries.insert((queue, id), entry);
    }
}

/// The last start of a message may not count.
fn spare(message: &mut Message, free: Sure) {
    if free == Sure::No {
        return;
    }
    let (least, most) = message.starts;
    message.starts = (
        least.saturating_sub(1),
        most.saturating_sub(u32::from(free == Sure::Yes)),
    );
    message.refunded = true;
}
