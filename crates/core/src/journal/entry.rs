//! What deduplication remembers of a message.

use super::bytes::{Reader, cut_inside, put_bytes, put_u32, put_u64, put_u128};

/// Which id, and what came under it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EntryKey {
    /// The queue.
    pub queue: u32,
    /// Of the id.
    pub hash: u128,
    /// Of the body.
    pub fingerprint: u64,
}

/// What deduplication remembers of a finished message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EntryRecord<'a> {
    /// Which id.
    pub key: EntryKey,
    /// The message.
    pub number: u64,
    /// When it finished, in ms.
    pub finished_at: u64,
    /// What it became; opaque.
    pub state: u8,
    /// Which attempt it finished with. Default: 0, not told.
    pub attempt: u32,
    /// The attempts before: [`super::AttemptRecord`]s in a row. Default: empty, not kept.
    pub history: &'a [u8],
    /// Encoded result, empty for none.
    pub result: &'a [u8],
}

/// Which of the fields that came later the record of an entry tells; each kind of record has one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum With {
    /// Neither.
    Nothing,
    /// Its attempt.
    Attempt,
    /// Its attempt and its history.
    History,
}

impl EntryKey {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_u32(out, self.queue);
        put_u128(out, self.hash);
        put_u64(out, self.fingerprint);
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, &'static str> {
        Ok(Self {
            queue: reader.u32(cut_inside!("queue number"))?,
            hash: reader.u128(cut_inside!("hash"))?,
            fingerprint: reader.u64(cut_inside!("fingerprint"))?,
        })
    }
}

impl<'a> EntryRecord<'a> {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        self.key.encode(out);
        put_u64(out, self.number);
        put_u64(out, self.finished_at);
        out.push(self.state);
        let with = self.with();
        if with != With::Nothing {
            put_u32(out, self.attempt);
        }
        if with == With::History {
            put_bytes(out, self.history);
        }
        out.extend_from_slice(self.result);
    }

    /// Which of the fields that came later it tells.
    pub(super) const fn with(&self) -> With {
        if !self.history.is_empty() {
            With::History
        } else if self.attempt != 0 {
            With::Attempt
        } else {
            With::Nothing
        }
    }

    pub(super) fn read(reader: &mut Reader<'a>, with: With) -> Result<Self, &'static str> {
        Ok(Self {
            key: EntryKey::read(reader)?,
            number: reader.u64(cut_inside!("message number"))?,
            finished_at: reader.u64(cut_inside!("time of finishing"))?,
            state: reader.u8(cut_inside!("state"))?,
            attempt: match with {
                With::Nothing => 0,
                With::Attempt | With::History => reader.u32(cut_inside!("attempt"))?,
            },
            history: match with {
                With::Nothing | With::Attempt => &[],
                With::History => reader.bytes(cut_inside!("history"))?,
            },
            result: reader.rest(),
        })
    }
}
