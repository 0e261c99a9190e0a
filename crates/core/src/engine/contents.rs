//! Reading contents back from the journal: wishes are gathered, neighbours share a read.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use crate::command::{ReadId, Token};
use crate::effect::{Content, Effect};
use crate::journal::{
    EntryRecord, Place, RECORD_HEADER_BYTES, Record, StepResult, StoredState, content_parts, verify,
};
use crate::ledger::dedup;

/// A read takes in a neighbour that begins so close behind.
const GAP_MAX: u32 = 4 << 10;
/// And grows up to this.
const READ_MAX: u32 = 1 << 20;

/// What a record is read for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    /// A delivery.
    Deliver(Token),
    /// Cleaning moves the message with this number.
    Move { number: u64, details: bool },
    /// Cleaning moves the dedup entry of the message with this number.
    MoveEntry { entry: u32, number: u64 },
    /// Cleaning moves this step of the message with this number.
    MoveStep { key: u32, number: u64, index: u32 },
    /// The message with this number is about to die.
    Die(u64),
    /// A dead letter is to be edited: its content, or the record of its death.
    Edit { death: u64, details: bool },
    /// An inspection shows it as this entry of its answer.
    Inspect { job: u64, index: u32, part: Part },
}

/// What an inspection wants of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    /// Headers and body.
    Content,
    /// Error and history of a death.
    Details,
    /// All of it: the record of a dead letter that was moved.
    Both,
    /// What a message ended with, and its history if that is shown.
    End {
        /// Where the record is.
        place: Place,
        /// Whether the history is shown.
        history: bool,
    },
    /// What a step gave, and where the record is.
    Step(Place),
}

#[derive(Debug)]
struct Reading {
    segment: u32,
    offset: u32,
    parts: Vec<(Place, Purpose)>,
}

/// Records that are wanted, and reads under way.
#[derive(Debug, Default)]
pub(super) struct Reads {
    wanted: Vec<(Place, Purpose)>,
    running: BTreeMap<u64, Reading>,
    last: u64,
}

/// One record that was read.
#[derive(Debug)]
pub(super) struct Loaded {
    /// What for.
    pub(super) purpose: Purpose,
    /// Its payload; as it is stored if that fails its checksum.
    pub(super) payload: Result<Rc<[u8]>, Vec<u8>>,
}

impl Reads {
    /// Wants a record.
    pub(super) fn want(&mut self, place: Place, purpose: Purpose) {
        self.wanted.push((place, purpose));
    }

    /// Begins the reads that bring everything wanted.
    pub(super) fn begin(&mut self, effects: &mut impl Extend<Effect>) {
        if self.wanted.is_empty() {
            return;
        }
        let mut wanted = std::mem::take(&mut self.wanted);
        wanted.sort_by_key(|(place, _)| (place.segment, place.offset));
        let mut readings: Vec<Reading> = Vec::new();
        for (place, purpose) in wanted {
            match readings.last_mut() {
                Some(reading) if reading.takes_in(place) => reading.parts.push((place, purpose)),
                _ => readings.push(Reading {
                    segment: place.segment,
                    offset: place.offset,
                    parts: vec![(place, purpose)],
                }),
            }
        }
        effects.extend(readings.into_iter().map(|reading| {
            self.last += 1;
            let effect = Effect::Read {
                read: ReadId(self.last),
                segment: reading.segment,
                offset: reading.offset.into(),
                length: reading.end() - reading.offset,
            };
            self.running.insert(self.last, reading);
            effect
        }));
    }

    /// A read is done.
    pub(super) fn chunk(&mut self, read: ReadId, bytes: &[u8]) -> Vec<Loaded> {
        let Some(reading) = self.running.remove(&read.0) else {
            return Vec::new();
        };
        let load = |(place, purpose): (Place, Purpose)| {
            let from = (place.offset - reading.offset) as usize;
            let to = from + (RECORD_HEADER_BYTES + place.length) as usize;
            let record = bytes.get(from..to).unwrap_or_default();
            let payload = verify(record).map(Rc::from).ok_or_else(|| {
                record
                    .get(RECORD_HEADER_BYTES as usize..)
                    .unwrap_or_default()
                    .to_vec()
            });
            Loaded { purpose, payload }
        };
        reading.parts.into_iter().map(load).collect()
    }

    /// Whether nothing is wanted or being read.
    #[must_use]
    pub(super) fn is_idle(&self) -> bool {
        self.wanted.is_empty() && self.running.is_empty()
    }

    /// Whether anything is read from a segment.
    #[must_use]
    pub(super) fn touch(&self, segment: u32) -> bool {
        self.wanted
            .iter()
            .any(|(place, _)| place.segment == segment)
            || self
                .running
                .values()
                .any(|reading| reading.segment == segment)
    }
}

impl Reading {
    fn end(&self) -> u32 {
        // Parts are sorted and do not overlap: the last one ends last.
        self.parts.last().map_or(self.offset, |(place, _)| {
            place.offset + RECORD_HEADER_BYTES + place.length
        })
    }

    fn takes_in(&self, place: Place) -> bool {
        let end = self.end();
        place.segment == self.segment
            && place.offset <= end.saturating_add(GAP_MAX)
            && place.offset + RECORD_HEADER_BYTES + place.length - self.offset <= READ_MAX
    }
}

/// Where headers and body are in the payload of a message's record; none if it is none.
#[must_use]
pub(super) fn content_of(payload: Rc<[u8]>) -> Option<Content> {
    let (headers, body) = content_parts(&payload)?;
    let place = |part: Range<usize>| (part.start as u32, part.end as u32);
    Some(Content {
        bytes: payload,
        headers: place(headers),
        body: place(body),
    })
}

/// The same of a dead letter: none if its record was damaged, and its body is what was left of it.
#[must_use]
pub(super) fn content_of_dead(payload: Rc<[u8]>) -> Option<Content> {
    let is_damaged = matches!(
        Record::decode(&payload),
        Ok(Record::Message(stored)) if stored.state == StoredState::Damaged
    );
    if is_damaged {
        None
    } else {
        content_of(payload)
    }
}

/// What a step gave, as a content without headers; none if the payload is no record of a step that
/// gave a value.
#[must_use]
pub(super) fn step_result_of(payload: &Rc<[u8]>) -> Option<Content> {
    let Ok(Record::Step {
        result: StepResult::Value(result),
        ..
    }) = Record::decode(payload)
    else {
        return None;
    };
    Some(at_the_end(payload, result.len()))
}

/// The last bytes of a payload as a content without headers.
fn at_the_end(payload: &Rc<[u8]>, bytes: usize) -> Content {
    let end = payload.len() as u32;
    Content {
        bytes: Rc::clone(payload),
        headers: (0, 0),
        body: (end - bytes as u32, end),
    }
}

/// Whether what a message gave is lost: its record was damaged when it was moved.
#[must_use]
pub(super) fn is_damaged_end(entry: &EntryRecord<'_>) -> bool {
    dedup::parse_end(entry.state).is_some_and(|(_, is_damaged)| is_damaged)
}

/// What a record keeps of a message that ended: its result, as a content without headers, and its
/// encoded history; none if it is no such record, or a damaged one.
#[must_use]
pub(super) fn end_of(payload: &Rc<[u8]>) -> Option<(Content, &[u8])> {
    let (result, history) = match Record::decode(payload) {
        Ok(Record::Completed {
            result, history, ..
        }) => (result, history),
        Ok(Record::Entry(entry)) if !is_damaged_end(&entry) => (entry.result, entry.history),
        _ => return None,
    };
    // A record ends with its result.
    Some((at_the_end(payload, result.len()), history))
}
