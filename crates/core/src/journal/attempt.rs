//! One past attempt, and a history of them.

use super::bytes::{Reader, cut_inside, put_bytes, put_u32, put_u64};

/// How an attempt ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AttemptRecord<'a> {
    /// Which attempt, from 1.
    pub attempt: u32,
    /// When it started, in ms.
    pub started_at: u64,
    /// When it ended, in ms.
    pub ended_at: u64,
    /// Why it ended, as [`crate::command::Reason`].
    pub reason: u8,
    /// Encoded error, empty for none.
    pub error: &'a [u8],
}

impl<'a> AttemptRecord<'a> {
    /// Appends its bytes. A history is any number of them in a row, oldest first.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_u32(out, self.attempt);
        put_u64(out, self.started_at);
        put_u64(out, self.ended_at);
        out.push(self.reason);
        put_bytes(out, self.error);
    }

    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, &'static str> {
        Ok(Self {
            attempt: reader.u32(cut_inside!("attempt's number"))?,
            started_at: reader.u64(cut_inside!("attempt's start"))?,
            ended_at: reader.u64(cut_inside!("attempt's end"))?,
            reason: reader.u8(cut_inside!("attempt's reason"))?,
            error: reader.bytes(cut_inside!("attempt's error"))?,
        })
    }
}

/// The attempts of an encoded history, oldest first. Ends after the first error.
pub struct Attempts<'a> {
    reader: Reader<'a>,
}

impl<'a> Attempts<'a> {
    /// Reads what [`AttemptRecord::encode`] wrote.
    #[must_use]
    pub fn new(history: &'a [u8]) -> Self {
        Self {
            reader: Reader::new(history),
        }
    }
}

impl<'a> Iterator for Attempts<'a> {
    type Item = Result<AttemptRecord<'a>, &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.is_empty() {
            return None;
        }
        let attempt = AttemptRecord::read(&mut self.reader);
        if attempt.is_err() {
            self.reader.rest();
        }
        Some(attempt)
    }
}
