//! One taken id, packed: a box may hold millions.

use std::num::NonZeroU32;

use crate::command::MessageState;
use crate::journal::Place;
use crate::ledger::order::Rank;
use crate::slab::NONE;
use crate::time::Timestamp;

/// What an entry takes in memory, without its part of the index.
pub const ENTRY_BYTES: usize = size_of::<Entry>();

/// Bits of a finish time: up to the year 4199. Later ones count as that.
const TIME_BITS: u32 = 46;
/// Bits of a message number, as in [`crate::id`].
const NUMBER_BITS: u32 = 50;
/// Bits of the length of a record, whose frame is far shorter than 512 MiB.
const LENGTH_BITS: u32 = 29;

/// The highest attempt that is kept; later ones count as that.
pub const ATTEMPT_MAX: u32 = u16::MAX as u32;

/// Codes beside the length. None is 0: an empty slot of the slab then costs no flag.
const LIVE: u32 = 1;
const COMPLETED: u32 = 2;
const DEAD: u32 = 3;
const CANCELLED: u32 = 4;
/// Added to the code of an end whose record holds something.
const TELLS: u32 = 3;

/// What an entry says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// The message is unfinished or dead.
    Live {
        /// Where the ledger keeps it.
        message: u32,
    },
    /// The message ended.
    Finished {
        /// When.
        at: Timestamp,
        /// How: completed, dead or cancelled.
        state: MessageState,
        /// Its number.
        number: u64,
        /// Which attempt it ended with; [`ATTEMPT_MAX`] for that or more, 0 if nobody told.
        attempt: u32,
    },
}

/// How the message of an entry ended.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// When.
    pub at: Timestamp,
    /// How: completed, dead or cancelled.
    pub state: MessageState,
    /// Its number.
    pub number: u64,
    /// With which attempt; 0 if nobody told.
    pub attempt: u32,
    /// Its record holds something to be shown: a result, or a history.
    pub tells: bool,
}

/// Fingerprint of an id that the host made: it passes for any body as well, counts towards no limit, and is free when its
/// message has ended.
pub const HOST_ID: u64 = u64::MAX - 1;

/// What is kept of [`HOST_ID`].
const HOST_ID_KEPT: u32 = u32::MAX - 1;

/// Set in the stored state of an end whose result is what was left of a damaged record.
const DAMAGED: u8 = 1 << 7;

/// How a message ended as it is stored; `is_damaged`: what it gave is lost.
#[must_use]
pub const fn end_code(state: MessageState, is_damaged: bool) -> u8 {
    state as u8 | if is_damaged { DAMAGED } else { 0 }
}

/// A stored end, and whether what it gave is lost; none if there is no such state.
#[must_use]
pub fn parse_end(code: u8) -> Option<(MessageState, bool)> {
    let state = MessageState::from_code(code & !DAMAGED)?;
    Some((state, code & DAMAGED != 0))
}

/// What is kept of a fingerprint: enough to tell a body from another by mistake, not by malice. 0 and the
/// two highest, which stand for something else than a body, stay what they are.
#[must_use]
pub const fn kept_of(fingerprint: u64) -> u64 {
    widen(narrow(fingerprint))
}

const fn narrow(fingerprint: u64) -> u32 {
    match (fingerprint, fingerprint as u32) {
        (0, _) => 0,
        (u64::MAX, _) => u32::MAX,
        (HOST_ID, _) => HOST_ID_KEPT,
        (_, 0) => 1,
        (_, low) if low >= HOST_ID_KEPT => HOST_ID_KEPT - 1,
        (_, low) => low,
    }
}

const fn widen(kept: u32) -> u64 {
    match kept {
        u32::MAX => u64::MAX,
        HOST_ID_KEPT => HOST_ID,
        kept => kept as u64,
    }
}

/// A taken id.
///
/// All fields are words of 32 bits or halves of them, which leaves no gaps. Wider values are stored
/// in two or three.
#[derive(Clone, Debug)]
pub struct Entry {
    hash: [u32; 4],
    fingerprint: u32,
    /// A box has no more than 65,536 queues.
    queue: u16,
    attempt: u16,
    /// Live: the message's slot. Finished: number (50 bits) and time (46 bits).
    subject: [u32; 3],
    segment: u32,
    offset: u32,
    /// Length of the record above the code of the state.
    length_and_state: NonZeroU32,
    /// In the chain of its bucket.
    pub(super) next: u32,
}

impl Entry {
    pub(super) fn live(queue: u32, hash: u128, fingerprint: u64, message: u32) -> Self {
        Self {
            hash: words(hash),
            fingerprint: narrow(fingerprint),
            queue: u16::try_from(queue).expect("a queue's number is below 65,536"),
            attempt: 0,
            subject: [message, 0, 0],
            segment: 0,
            offset: 0,
            length_and_state: pack_length(0, LIVE),
            next: NONE,
        }
    }

    /// Whose id it is.
    #[must_use]
    pub fn queue(&self) -> u32 {
        self.queue.into()
    }

    /// The keyed hash of the id.
    #[must_use]
    pub fn hash(&self) -> u128 {
        let [a, b, c, d] = self.hash.map(u128::from);
        a | b << 32 | c << 64 | d << 96
    }

    /// The part of the hash that it is filed under.
    pub(super) const fn filing(&self) -> u64 {
        self.hash[0] as u64 | (self.hash[1] as u64) << 32
    }

    /// Of the message's encoded body, as [`kept_of`] keeps it.
    #[must_use]
    pub const fn fingerprint(&self) -> u64 {
        widen(self.fingerprint)
    }

    /// Whether its message has not ended.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.code() == LIVE
    }

    /// What it says.
    #[must_use]
    pub fn status(&self) -> Status {
        if self.is_live() {
            return Status::Live {
                message: self.subject[0],
            };
        }
        let told = if self.tells() { TELLS } else { 0 };
        let state = match self.code() - told {
            COMPLETED => MessageState::Completed,
            DEAD => MessageState::Dead,
            CANCELLED => MessageState::Cancelled,
            code => unreachable!("no state has the code {code}"),
        };
        Status::Finished {
            at: self.finished_at(),
            state,
            number: self.number(),
            attempt: self.attempt.into(),
        }
    }

    /// Whether its record holds something to be shown; false while it is live.
    #[must_use]
    pub const fn tells(&self) -> bool {
        self.code() > CANCELLED
    }

    /// Where its record lies; all zero if nobody told.
    #[must_use]
    pub fn place(&self) -> Place {
        if !self.is_placed() {
            return Place::default();
        }
        Place {
            segment: self.segment,
            offset: self.offset,
            length: self.length(),
        }
    }

    /// Whether it is known where its record lies.
    #[must_use]
    pub const fn is_placed(&self) -> bool {
        self.length() > 0
    }

    pub(super) fn finish(&mut self, end: End) {
        let End {
            at,
            state,
            number,
            attempt,
            tells,
        } = end;
        let code = match state {
            MessageState::Completed => COMPLETED,
            MessageState::Dead => DEAD,
            MessageState::Cancelled => CANCELLED,
            MessageState::Scheduled | MessageState::Ready | MessageState::Leased => {
                panic!("a message that ended is completed, dead or cancelled, not {state:?}")
            }
        };
        assert!(
            number >> NUMBER_BITS == 0,
            "message number {number} needs more than {NUMBER_BITS} bits"
        );
        self.length_and_state = pack_length(0, if tells { code + TELLS } else { code });
        self.attempt = attempt.min(ATTEMPT_MAX) as u16;
        self.set_subject(at, number);
    }

    pub(super) fn relive(&mut self, message: u32) {
        self.subject = [message, 0, 0];
        self.attempt = 0;
        self.length_and_state = pack_length(0, LIVE);
    }

    pub(super) fn set_place(&mut self, place: Place) {
        assert!(place.length > 0, "a record without a payload says nothing");
        self.segment = place.segment;
        self.offset = place.offset;
        self.length_and_state = pack_length(place.length, self.code());
    }

    pub(super) fn clear_place(&mut self) {
        (self.segment, self.offset) = (0, 0);
        self.length_and_state = pack_length(0, self.code());
    }

    /// When its message ended; zero while it is live.
    pub(super) fn finished_at(&self) -> Timestamp {
        if self.is_live() {
            Timestamp(0)
        } else {
            Timestamp((self.subject() >> NUMBER_BITS) as u64)
        }
    }

    pub(super) fn cut_finished_at(&mut self, latest: Timestamp) {
        if self.finished_at() > latest {
            self.set_subject(latest, self.number());
        }
    }

    /// Among the finished ones of its queue: by the time of its end, then by its number.
    pub(super) fn end_rank(&self) -> Rank {
        (self.finished_at().0, self.number())
    }

    /// Among those of the box that have a place.
    pub(super) fn place_rank(&self) -> Rank {
        (self.segment.into(), self.offset.into())
    }

    const fn length(&self) -> u32 {
        self.length_and_state.get() & ((1 << LENGTH_BITS) - 1)
    }

    const fn code(&self) -> u32 {
        self.length_and_state.get() >> LENGTH_BITS
    }

    fn number(&self) -> u64 {
        (self.subject() & ((1 << NUMBER_BITS) - 1)) as u64
    }

    fn subject(&self) -> u128 {
        let [a, b, c] = self.subject.map(u128::from);
        a | b << 32 | c << 64
    }

    fn set_subject(&mut self, at: Timestamp, number: u64) {
        let at = at.0.min((1 << TIME_BITS) - 1);
        let [a, b, c, _] = words(u128::from(number) | u128::from(at) << NUMBER_BITS);
        self.subject = [a, b, c];
    }
}

const fn words(value: u128) -> [u32; 4] {
    [
        value as u32,
        (value >> 32) as u32,
        (value >> 64) as u32,
        (value >> 96) as u32,
    ]
}

fn pack_length(length: u32, code: u32) -> NonZeroU32 {
    assert!(
        length >> LENGTH_BITS == 0,
        "a record of {length} bytes needs more than {LENGTH_BITS} bits"
    );
    NonZeroU32::new(length | code << LENGTH_BITS).expect("no code is 0")
}
