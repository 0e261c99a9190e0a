//! Which messages exist and in which state. Commands come in, records go out; nothing here knows
//! of frames, effects or handlers.
//!
//! Every change is applied at once and written to a [`Recorder`] at the same time; the engine makes
//! sure that nobody hears of it before that record is durable. Replaying the records of a journal
//! rebuilds the same ledger.

mod accept;
mod chain;
mod changes;
mod circuits;
mod claimed;
mod compensation;
mod dead;
pub mod dedup;
mod describe;
mod ends;
mod finish;
mod groups;
mod handing_over;
pub mod history;
mod holds;
mod inbox;
mod kept;
pub mod lanes;
mod lookup;
pub mod message;
mod moving;
mod names;
mod opens;
mod order;
mod past;
mod places;
mod producers;
mod purge;
pub mod queue;
pub mod rank;
mod recognising;
pub mod recorder;
mod redrive;
mod replay;
mod replayed;
mod restoring;
pub mod roster;
pub mod settings;
mod standing;
pub mod steps;
mod transfer;

pub use accept::Accepted;
pub use compensation::Compensation;
pub use dead::DeadQuery;
pub use ends::RecentEnd;
pub use finish::Failed;
pub(crate) use finish::parse_death;
pub use kept::ValveKey;
pub use moving::{Edit, Live};
pub use producers::{AHEAD_MAX, Producers};
pub use purge::Purges;
pub use recorder::{Note, Recorder};
pub use redrive::Redrive;
pub use replayed::Interrupted;

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::effect::EventKind;
use crate::id::GeneratedId;
use crate::index::{Index, spread};
use crate::journal::{Place, RECORD_HEADER_BYTES};
use crate::slab::Slab;
use crate::time::Timestamp;
use chain::Chain;
use circuits::Circuits;
use dedup::Dedup;
use ends::RecentEnds;
use handing_over::{HandedOver, UnseenIds};
use holds::Holds;
use inbox::Inbox;
use message::{Message, NONE, Standing};
use names::Names;
use opens::Opens;
use queue::Queue;
use steps::Steps;

/// Queues of one box.
pub const QUEUES_MAX: usize = 65_536;

/// All messages of a box.
#[derive(Debug)]
pub struct Ledger {
    /// Another ledger owns the messages: what waits again leaves.
    pub is_remote: bool,
    /// Keys the hashes of callers' ids.
    pub hash_key: [u8; 16],
    /// Keys the jitter of retries.
    pub jitter_seed: [u8; 16],
    /// Marks the generated ids of this box.
    pub box_tag: u32,
    /// The number of the current run.
    pub open: u32,
    /// The last message number (or order) that was given away.
    pub last_number: u64,
    /// The last death's sequence.
    pub last_death: u64,
    /// All queues, by number.
    pub queues: Vec<Queue>,
    /// All unfinished and dead messages.
    pub messages: Slab<Message>,
    /// Finished ids within their windows, and where the live ones are.
    pub dedup: Dedup,
    /// Numbered producers.
    pub producers: Producers,
    /// Bytes of records that must survive cleaning.
    pub live_bytes: u64,
    /// Bytes of contents in memory.
    pub cached_bytes: u64,
    /// Messages that were handed over and whose deliveries are not over, by number.
    handed_over: BTreeMap<u64, HandedOver>,
    recent_ends: RecentEnds,
    unseen_ids: UnseenIds,
    opens: Opens,
    inbox: Inbox,
    names: BTreeMap<Rc<str>, u32>,
    numbers: Index,
    destinations: Names,
    circuits: Circuits,
    holds: Holds,
    chain: Chain,
    steps: Steps,
    purges: Purges,
    dirty: Vec<u32>,
    /// When the records that are being replayed were written.
    batch_at: Timestamp,
    /// And those before them.
    batch_before_at: Timestamp,
    changed: Vec<u32>,
    /// Messages up to this number may have records although they are gone: see [`replay`].
    replay_floor: u64,
}

impl Ledger {
    /// An empty ledger; keys come from the journal or, for a new box, from entropy.
    #[must_use]
    pub fn new(box_id: &[u8; 16], hash_key: [u8; 16], jitter_seed: [u8; 16]) -> Self {
        Self {
            is_remote: false,
            hash_key,
            jitter_seed,
            box_tag: GeneratedId::tag_of(box_id),
            open: 0,
            last_number: 0,
            last_death: 0,
            queues: Vec::new(),
            messages: Slab::default(),
            dedup: Dedup::default(),
            producers: Producers::default(),
            live_bytes: 0,
            cached_bytes: 0,
            handed_over: BTreeMap::new(),
            recent_ends: RecentEnds::default(),
            unseen_ids: UnseenIds::default(),
            opens: Opens::default(),
            inbox: Inbox::default(),
            names: BTreeMap::new(),
            numbers: Index::default(),
            destinations: Names::default(),
            circuits: Circuits::default(),
            holds: Holds::default(),
            chain: Chain::default(),
            steps: Steps::default(),
            purges: Purges::default(),
            dirty: Vec::new(),
            batch_at: Timestamp(0),
            batch_before_at: Timestamp(0),
            changed: Vec::new(),
            replay_floor: 0,
        }
    }

    /// The queue of this name.
    #[must_use]
    pub fn queue_named(&self, name: &str) -> Option<u32> {
        self.names.get(name).copied()
    }

    /// Adds a queue under the next number.
    pub fn add_queue(&mut self, queue: Queue) -> u32 {
        let number = u32::try_from(self.queues.len()).expect("fewer queues than QUEUES_MAX");
        self.names.insert(Rc::clone(&queue.name), number);
        self.queues.push(queue);
        number
    }

    /// Marks a queue for the engine's attention.
    pub fn touch(&mut self, queue: u32) {
        if !std::mem::replace(&mut self.queues[queue as usize].dirty, true) {
            self.dirty.push(queue);
        }
    }

    /// A queue that changed since it was taken last.
    pub fn take_dirty(&mut self) -> Option<u32> {
        let queue = self.dirty.pop()?;
        self.queues[queue as usize].dirty = false;
        Some(queue)
    }

    /// Whether a queue changed since it was taken last.
    #[must_use]
    pub fn has_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Notes that what is seen of a queue's messages is not what it was.
    pub(super) fn note_change(&mut self, queue: u32) {
        let target = &mut self.queues[queue as usize];
        if target.listens & (1 << EventKind::Changed as u32) != 0 && !target.changed {
            target.changed = true;
            self.changed.push(queue);
        }
    }

    /// A queue of which something else is seen than when it was taken last.
    pub fn take_changed(&mut self) -> Option<u32> {
        let queue = self.changed.pop()?;
        self.queues[queue as usize].changed = false;
        Some(queue)
    }

    /// Puts a new message into slab and number index.
    fn insert(&mut self, message: Message) -> u32 {
        let number = message.number;
        let queue = &mut self.queues[message.queue as usize];
        queue.depth += 1;
        queue.bytes += u64::from(message.bytes);
        queue.generated += u64::from(message.id.is_none());
        let slot = self.messages.insert(message);
        self.numbers.insert(spread(number), slot);
        slot
    }

    /// Forgets a message that is in no set. Its dedup entry is the caller's business.
    fn erase(&mut self, slot: u32, now: Timestamp) -> Message {
        self.queues[self.messages[slot].queue as usize].depth -= 1;
        self.free(slot, now)
    }

    /// Frees the memory of a message that counts no more.
    fn free(&mut self, slot: u32, now: Timestamp) -> Message {
        debug_assert_eq!(
            self.messages[slot].standing,
            Standing::Held,
            "erased while in a set"
        );
        self.uncache(slot);
        self.drop_steps(slot);
        if self.messages[slot].is_placed() {
            self.chain.unlink(&mut self.messages, slot);
        }
        let message = self.messages.remove(slot);
        self.live_bytes -= stored_bytes(message.place);
        if let Some(death) = &message.death
            && death.place != message.place
        {
            self.live_bytes -= stored_bytes(death.place);
        }
        self.numbers.remove(slot);
        self.destinations.release(message.destination);
        let queue = &mut self.queues[message.queue as usize];
        if !bug!("leak-bytes") {
            queue.bytes -= u64::from(message.bytes);
        }
        queue.generated -= u64::from(message.id.is_none());
        if message.group != NONE {
            queue.groups.part(message.group, message.order);
            if message.death.is_some() {
                queue.groups.unbury(message.group);
            }
            if !bug!("leave-group-waiting") {
                self.promote(message.queue, message.group, now);
            }
        }
        self.touch(message.queue);
        self.note_change(message.queue);
        message
    }

    /// A message takes another number of bytes now.
    pub fn resize(&mut self, slot: u32, bytes: u32) {
        let message = &mut self.messages[slot];
        let queue = &mut self.queues[message.queue as usize];
        queue.bytes = queue.bytes - u64::from(message.bytes) + u64::from(bytes);
        message.bytes = bytes;
    }

    /// Keeps a content in memory.
    pub fn cache(&mut self, slot: u32, content: Rc<[u8]>) {
        let message = &mut self.messages[slot];
        if message.content.is_none() {
            self.cached_bytes += content.len() as u64;
            message.content = Some(content);
        }
    }

    /// Forgets a content.
    pub fn uncache(&mut self, slot: u32) {
        if let Some(content) = self.messages[slot].content.take() {
            self.cached_bytes -= content.len() as u64;
        }
    }
}

/// Bytes that a placed record takes up; none if it has no place.
#[must_use]
pub fn stored_bytes(place: Place) -> u64 {
    if place.length == 0 {
        return 0;
    }
    u64::from(RECORD_HEADER_BYTES) + u64::from(place.length).next_multiple_of(8)
}
