//! Numbers that no box reaches: a journal that names one was not written by an engine, whatever its checksums say,
//! and counting on from there would overflow.

use super::header::SegmentHeader;
use super::record::Record;
use crate::id::GeneratedId;

/// Of messages, orders and deaths: half of what a generated id holds, so that a sum of two still fits into one.
const NUMBER_MAX: u64 = 1 << 49;
/// Of tokens, epochs and sequences: half of what a host can name.
const TOKEN_MAX: u64 = 1 << 52;
/// Of attempts, owner's deaths and steps of one message.
const COUNT_MAX: u32 = 1 << 31;
/// A limit of attempts is any number.
const WHAT: &str = "a number that no box reaches";

pub(super) type Plausible = Result<(), &'static str>;

fn number(value: u64) -> Plausible {
    (value <= NUMBER_MAX).then_some(()).ok_or(WHAT)
}

fn token(value: u64) -> Plausible {
    (value <= TOKEN_MAX).then_some(()).ok_or(WHAT)
}

fn count(value: u32) -> Plausible {
    (value <= COUNT_MAX).then_some(()).ok_or(WHAT)
}

fn run(value: u32) -> Plausible {
    (value <= GeneratedId::OPEN_MAX).then_some(()).ok_or(WHAT)
}

impl SegmentHeader {
    /// Whether a box may have come so far.
    pub(super) fn check_numbers(&self) -> Plausible {
        number(self.last_number)?;
        number(self.deaths)?;
        token(self.last_token)?;
        token(self.first_frame)?;
        run(self.run)
    }
}

impl Record<'_> {
    /// Whether a box may have come so far.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check_numbers(&self) -> Plausible {
        match self {
            Self::Opened {
                open,
                last_number,
                last_token,
            } => {
                run(*open)?;
                number(*last_number)?;
                token(*last_token)
            }
            Self::Opens(runs) => runs.iter().try_for_each(|(open, last_number)| {
                run(*open)?;
                number(*last_number)
            }),
            Self::Message(message) => {
                number(message.number)?;
                number(message.order)?;
                token(message.token)?;
                count(message.attempt)?;
                count(message.deaths)?;
                count(message.first_step)?;
                run(message.open)?;
                number(message.death.map_or(0, |death| death.sequence))
            }
            Self::Started {
                number: of,
                token: given,
            } => {
                number(*of)?;
                token(*given)
            }
            Self::Redriven {
                last_death,
                first_order,
                ..
            } => {
                number(*last_death)?;
                number(last_death.saturating_add(*first_order))
            }
            Self::Revived {
                number: of, order, ..
            } => {
                number(*of)?;
                number(*order)
            }
            Self::Producer {
                epoch, watermark, ..
            } => {
                token(*epoch)?;
                token(*watermark)
            }
            Self::Produced { sequence, .. } => token(*sequence),
            Self::Moved { key } => token(*key),
            Self::Step {
                number: of, index, ..
            } => {
                number(*of)?;
                count(*index)
            }
            Self::Entry(entry) => number(entry.number),
            Self::Returned { number: of }
            | Self::Retried { number: of, .. }
            | Self::Completed { number: of, .. }
            | Self::Dead { number: of, .. }
            | Self::Cancelled { number: of }
            | Self::Removed { number: of }
            | Self::Rescheduled { number: of, .. }
            | Self::Purged {
                last_number: of, ..
            } => number(*of),
            Self::Queue { .. }
            | Self::Forgotten { .. }
            | Self::Circuit { .. }
            | Self::Held { .. } => Ok(()),
        }
    }
}
