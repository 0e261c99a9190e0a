//! The record of a message: as it was accepted, or with its whole state when cleaning moved it.

use super::bytes::{Reader, cut_inside, put_bytes, put_u32, put_u64};

/// A message. Fields with a default take no bytes while they have it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MessageRecord<'a> {
    /// Its number in the box, from 1.
    pub number: u64,
    /// Its queue.
    pub queue: u32,
    /// The run that accepted it.
    pub open: u32,
    /// When it was accepted, in ms.
    pub enqueued_at: u64,
    /// Not delivered before, in ms. Default: `enqueued_at`.
    pub due: u64,
    /// No delivery starts later, in ms. Default: `u64::MAX`.
    pub deadline: u64,
    /// Higher first. Default: 0.
    pub priority: u8,
    /// `u32::MAX` is without limit. Always stored.
    pub max_attempts: u32,
    /// Its rank among those of its priority. Default: `number`.
    pub order: u64,
    /// Attempts so far. Default: 0.
    pub attempt: u32,
    /// How often its owner died while it ran. Default: 0.
    pub deaths: u32,
    /// When its first delivery started, in ms. Default: 0, never.
    pub first_delivery: u64,
    /// Default: waiting.
    pub state: StoredState,
    /// Of its lease. Default: 0.
    pub token: u64,
    /// Of its body, for deduplication. Default: 0, not taken.
    pub fingerprint: u64,
    /// How it died. Default: none.
    pub death: Option<DeathRecord<'a>>,
    /// [`super::AttemptRecord`]s in a row. Default: empty.
    pub history: &'a [u8],
    /// Given by the caller. Default: none, then it is generated from `open` and `number`.
    pub id: Option<&'a str>,
    /// Ordering key. Default: empty, none.
    pub group: &'a str,
    /// What it goes to. Default: empty, none.
    pub destination: &'a str,
    /// Opaque. Default: empty.
    pub headers: &'a [u8],
    /// When the delivery in flight started, in ms. Default: `first_delivery`.
    pub started_at: u64,
    /// Its recorded steps with a lower index are forgotten. Default: 0.
    pub first_step: u32,
    /// Opaque.
    pub body: &'a [u8],
}

/// What a message was doing when its record was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum StoredState {
    /// Scheduled or ready.
    #[default]
    Waiting,
    /// Started and not settled.
    Leased,
    /// A dead letter.
    Dead,
    /// Scheduled or ready, to be delivered alone: it ran when its owner died.
    Suspect,
    /// Started alone, since it ran when its owner died, and not settled.
    LeasedSuspect,
    /// A dead letter whose record was damaged: its body is that record as it was stored.
    Damaged,
}

/// How a message died.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeathRecord<'a> {
    /// Its rank among the deaths of the box.
    pub sequence: u64,
    /// When, in ms.
    pub at: u64,
    /// Why, as [`crate::command::Reason`].
    pub reason: u8,
    /// Encoded error, empty for none.
    pub error: &'a [u8],
}

/// Which fields follow, a bit each, in the order of the fields.
pub(super) mod flag {
    pub(in super::super) const DUE: u32 = 1 << 0;
    pub(in super::super) const DEADLINE: u32 = 1 << 1;
    pub(in super::super) const PRIORITY: u32 = 1 << 2;
    pub(in super::super) const ORDER: u32 = 1 << 3;
    pub(in super::super) const ATTEMPT: u32 = 1 << 4;
    pub(in super::super) const DEATHS: u32 = 1 << 5;
    pub(in super::super) const FIRST_DELIVERY: u32 = 1 << 6;
    pub(in super::super) const STATE: u32 = 1 << 7;
    pub(in super::super) const TOKEN: u32 = 1 << 8;
    pub(in super::super) const FINGERPRINT: u32 = 1 << 9;
    pub(in super::super) const DEATH: u32 = 1 << 10;
    pub(in super::super) const HISTORY: u32 = 1 << 11;
    pub(in super::super) const ID: u32 = 1 << 12;
    pub(in super::super) const GROUP: u32 = 1 << 13;
    pub(in super::super) const DESTINATION: u32 = 1 << 14;
    pub(in super::super) const HEADERS: u32 = 1 << 15;
    pub(in super::super) const STARTED_AT: u32 = 1 << 16;
    pub(in super::super) const FIRST_STEP: u32 = 1 << 17;
    pub(in super::super) const ALL: u32 = (1 << 18) - 1;
}

impl<'a> MessageRecord<'a> {
    /// Bytes that count against limits: id, headers and body.
    #[must_use]
    pub fn counted_bytes(&self) -> u32 {
        let bytes = self.id.map_or(0, str::len) + self.headers.len() + self.body.len();
        u32::try_from(bytes).unwrap_or(u32::MAX)
    }

    /// Appends its bytes: kind and flags in one word (so that what follows the kind is three bytes
    /// of flags), the fixed fields, the flagged ones, the body to the end.
    pub(super) fn encode(&self, kind: u8, out: &mut Vec<u8>) {
        let flags = self.flags();
        put_u32(out, u32::from(kind) | flags << 8);
        put_u64(out, self.number);
        put_u32(out, self.queue);
        put_u32(out, self.open);
        put_u64(out, self.enqueued_at);
        put_u32(out, self.max_attempts);
        if flags != 0 {
            self.encode_optional(flags, out);
        }
        out.extend_from_slice(self.body);
    }

    fn flags(&self) -> u32 {
        let bit = |present: bool, flag: u32| if present { flag } else { 0 };
        bit(self.due != self.enqueued_at, flag::DUE)
            | bit(self.deadline != u64::MAX, flag::DEADLINE)
            | bit(self.priority != 0, flag::PRIORITY)
            | bit(self.order != self.number, flag::ORDER)
            | bit(self.attempt != 0, flag::ATTEMPT)
            | bit(self.deaths != 0, flag::DEATHS)
            | bit(self.first_delivery != 0, flag::FIRST_DELIVERY)
            | bit(self.state != StoredState::Waiting, flag::STATE)
            | bit(self.token != 0, flag::TOKEN)
            | bit(self.fingerprint != 0, flag::FINGERPRINT)
            | bit(self.death.is_some(), flag::DEATH)
            | bit(!self.history.is_empty(), flag::HISTORY)
            | bit(self.id.is_some(), flag::ID)
            | bit(!self.group.is_empty(), flag::GROUP)
            | bit(!self.destination.is_empty(), flag::DESTINATION)
            | bit(!self.headers.is_empty(), flag::HEADERS)
            | bit(self.started_at != self.first_delivery, flag::STARTED_AT)
            | bit(self.first_step != 0, flag::FIRST_STEP)
    }

    fn encode_optional(&self, flags: u32, out: &mut Vec<u8>) {
        let u64s = [(flag::DUE, self.due), (flag::DEADLINE, self.deadline)];
        put_flagged(out, flags, &u64s);
        if flags & flag::PRIORITY != 0 {
            out.push(self.priority);
        }
        put_flagged(out, flags, &[(flag::ORDER, self.order)]);
        if flags & flag::ATTEMPT != 0 {
            put_u32(out, self.attempt);
        }
        if flags & flag::DEATHS != 0 {
            put_u32(out, self.deaths);
        }
        put_flagged(out, flags, &[(flag::FIRST_DELIVERY, self.first_delivery)]);
        if flags & flag::STATE != 0 {
            out.push(self.state.to_byte());
        }
        put_flagged(
            out,
            flags,
            &[
                (flag::TOKEN, self.token),
                (flag::FINGERPRINT, self.fingerprint),
            ],
        );
        if let Some(death) = &self.death {
            death.encode(out);
        }
        let strings = [
            (flag::HISTORY, self.history),
            (flag::ID, self.id.unwrap_or_default().as_bytes()),
            (flag::GROUP, self.group.as_bytes()),
            (flag::DESTINATION, self.destination.as_bytes()),
            (flag::HEADERS, self.headers),
        ];
        for (flag, bytes) in strings {
            if flags & flag != 0 {
                put_bytes(out, bytes);
            }
        }
        put_flagged(out, flags, &[(flag::STARTED_AT, self.started_at)]);
        if flags & flag::FIRST_STEP != 0 {
            put_u32(out, self.first_step);
        }
    }

    /// Reads what [`MessageRecord::encode`] wrote after the kind byte.
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, &'static str> {
        let flags = read_flags(reader)?;
        let number = reader.u64(cut_inside!("number"))?;
        let queue = reader.u32(cut_inside!("queue"))?;
        let open = reader.u32(cut_inside!("run"))?;
        let enqueued_at = reader.u64(cut_inside!("time of enqueueing"))?;
        let max_attempts = reader.u32(cut_inside!("limit of attempts"))?;
        let has = |flag: u32| flags & flag != 0;
        macro_rules! flagged {
            ($flag:ident, $read:expr, $default:expr) => {
                if has(flag::$flag) { $read? } else { $default }
            };
        }
        let first_delivery;
        // A struct's fields are evaluated in the order in which they are written here.
        Ok(Self {
            number,
            queue,
            open,
            enqueued_at,
            max_attempts,
            due: flagged!(DUE, reader.u64(cut_inside!("due time")), enqueued_at),
            deadline: flagged!(DEADLINE, reader.u64(cut_inside!("deadline")), u64::MAX),
            priority: flagged!(PRIORITY, reader.u8(cut_inside!("priority")), 0),
            order: flagged!(ORDER, reader.u64(cut_inside!("order")), number),
            attempt: flagged!(ATTEMPT, reader.u32(cut_inside!("attempt")), 0),
            deaths: flagged!(DEATHS, reader.u32(cut_inside!("owner's deaths")), 0),
            first_delivery: {
                first_delivery =
                    flagged!(FIRST_DELIVERY, reader.u64(cut_inside!("first delivery")), 0);
                first_delivery
            },
            state: flagged!(STATE, StoredState::read(reader), StoredState::Waiting),
            token: flagged!(TOKEN, reader.u64(cut_inside!("token")), 0),
            fingerprint: flagged!(FINGERPRINT, reader.u64(cut_inside!("fingerprint")), 0),
            death: flagged!(DEATH, DeathRecord::read(reader).map(Some), None),
            history: flagged!(HISTORY, reader.bytes(cut_inside!("history")), &[]),
            id: flagged!(
                ID,
                reader
                    .str(cut_inside!("id"), "the id is not UTF-8")
                    .map(Some),
                None
            ),
            group: flagged!(
                GROUP,
                reader.str(cut_inside!("group"), "the group is not UTF-8"),
                ""
            ),
            destination: flagged!(
                DESTINATION,
                reader.str(cut_inside!("destination"), "the destination is not UTF-8"),
                ""
            ),
            headers: flagged!(HEADERS, reader.bytes(cut_inside!("headers")), &[]),
            started_at: flagged!(
                STARTED_AT,
                reader.u64(cut_inside!("start of the delivery")),
                first_delivery
            ),
            first_step: flagged!(FIRST_STEP, reader.u32(cut_inside!("first step")), 0),
            body: reader.rest(),
        })
    }
}

fn put_flagged(out: &mut Vec<u8>, flags: u32, fields: &[(u32, u64)]) {
    for &(flag, value) in fields {
        if flags & flag != 0 {
            put_u64(out, value);
        }
    }
}

fn read_flags(reader: &mut Reader<'_>) -> Result<u32, &'static str> {
    let mut flags = 0;
    for shift in [0, 8, 16] {
        flags |= u32::from(reader.u8(cut_inside!("flags"))?) << shift;
    }
    if flags & !flag::ALL == 0 {
        Ok(flags)
    } else {
        Err("a flag is set that this format does not have")
    }
}

impl StoredState {
    fn to_byte(self) -> u8 {
        match self {
            Self::Waiting => 0,
            Self::Leased => 1,
            Self::Dead => 2,
            Self::Suspect => 3,
            Self::LeasedSuspect => 4,
            Self::Damaged => 5,
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, &'static str> {
        match reader.u8(cut_inside!("state"))? {
            0 => Ok(Self::Waiting),
            1 => Ok(Self::Leased),
            2 => Ok(Self::Dead),
            3 => Ok(Self::Suspect),
            4 => Ok(Self::LeasedSuspect),
            5 => Ok(Self::Damaged),
            _ => Err("the state is none that this format has"),
        }
    }
}

impl<'a> DeathRecord<'a> {
    fn encode(&self, out: &mut Vec<u8>) {
        put_u64(out, self.sequence);
        put_u64(out, self.at);
        out.push(self.reason);
        put_bytes(out, self.error);
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, &'static str> {
        Ok(Self {
            sequence: reader.u64(cut_inside!("death's number"))?,
            at: reader.u64(cut_inside!("death's time"))?,
            reason: reader.u8(cut_inside!("death's reason"))?,
            error: reader.bytes(cut_inside!("death's error"))?,
        })
    }
}
