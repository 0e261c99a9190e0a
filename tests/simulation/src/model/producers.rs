//! What is known of producers that number what they send: each number is accepted once, for ever.

use std::collections::BTreeMap;

use super::{Sent, Sure};
use crate::invariants::Violation;
use crate::must;
use crate::op::Item;

type Checked<T = ()> = Result<T, Violation>;

/// A handle of a producer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Handle {
    /// The producer's number in the box.
    pub producer: u32,
    /// Older ones are fenced.
    pub epoch: u64,
}

/// A numbered message: under its number nothing else is ever sent.
#[derive(Clone, Debug)]
pub struct Numbered {
    /// As it was asked for.
    pub item: Item,
    /// As it was sent.
    pub sent: Sent,
    /// Whether it was accepted.
    pub accepted: Sure,
    /// A run ended before anybody told whether it was.
    pub in_doubt: bool,
}

/// A producer.
#[derive(Clone, Debug, Default)]
pub struct Producer {
    /// The one to send with.
    pub handle: Option<Handle>,
    /// Those of before.
    pub old: Vec<Handle>,
    /// The highest epoch that was told.
    pub epoch: u64,
    /// What was sent.
    pub sent: BTreeMap<u64, Numbered>,
}

impl Producer {
    /// It is about to be opened: whoever has a handle will be fenced.
    pub fn open(&mut self) {
        self.old.extend(self.handle.take());
    }

    /// It is open. `is_latest`: nobody has asked for another handle meanwhile.
    pub fn opened(&mut self, handle: Handle, next: u64, is_latest: bool) -> Checked {
        must!(
            handle.epoch > self.epoch,
            "I7: a producer's epoch was {} before: {handle:?}",
            self.epoch
        );
        self.epoch = handle.epoch;
        if is_latest {
            self.handle = Some(handle);
        } else {
            self.old.push(handle);
        }
        self.check_next(next)
    }

    /// Whether `next` may be the lowest number that was not accepted.
    pub fn check_next(&self, next: u64) -> Checked {
        let lowest = |is_missing: fn(Sure) -> bool| {
            (1..)
                .find(|number| {
                    let sent = self.sent.get(number);
                    sent.is_none_or(|sent| is_missing(sent.accepted))
                })
                .expect("few are sent")
        };
        let least = lowest(|accepted| accepted != Sure::Yes);
        let most = lowest(|accepted| accepted == Sure::No);
        must!(
            (least..=most).contains(&next),
            "I7: a producer goes on with {next}, expected {least} to {most}"
        );
        Ok(())
    }

    /// A number is sent, perhaps again.
    pub fn send(&mut self, number: u64) {
        let sent = self.sent.get_mut(&number).expect("it was entered");
        if sent.accepted == Sure::No {
            sent.accepted = Sure::Maybe;
        }
    }

    /// A number was accepted, now or before.
    pub fn accept(&mut self, number: u64, duplicate: bool) -> Checked {
        let sent = self.sent.get_mut(&number).expect("it was sent");
        let accepted = std::mem::replace(&mut sent.accepted, Sure::Yes);
        must!(
            duplicate || accepted != Sure::Yes,
            "I7: number {number} of a producer was accepted twice: {sent:?}"
        );
        Ok(())
    }

    /// A number was refused, and nobody has sent it again since.
    pub fn refuse(&mut self, number: u64) {
        if let Some(sent) = self.sent.get_mut(&number)
            && sent.accepted == Sure::Maybe
            && !sent.in_doubt
        {
            sent.accepted = Sure::No;
        }
    }

    /// Handles that are certainly fenced.
    #[must_use]
    pub fn fenced(&self) -> Vec<Handle> {
        let epoch = self.epoch;
        let old = self.old.iter().filter(|handle| handle.epoch < epoch);
        old.copied().collect()
    }

    /// The run is over. `is_there`: whether a message was found.
    pub fn end_run(&mut self, is_there: impl Fn(&Sent) -> bool) {
        self.open();
        for numbered in self.sent.values_mut() {
            if numbered.accepted == Sure::Maybe && is_there(&numbered.sent) {
                numbered.accepted = Sure::Yes;
            }
            numbered.in_doubt |= numbered.accepted == Sure::Maybe;
        }
    }
}
