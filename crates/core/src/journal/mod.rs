//! Durable history of a box as bytes: what was decided, in order, and how it is found again.
//!
//! The journal is a row of segments; a segment is a [`SegmentHeader`] and then frames; a frame is
//! what one append wrote: a header and one or more [`Record`]s. `FORMAT.md` beside this file tells
//! every byte.
//!
//! This module turns records into bytes ([`FrameBuilder`]) and bytes back into records
//! ([`Recovery`]). It performs no I/O and knows nothing of what a record means.
//!
//! What holds:
//! - Whatever bytes it is given, it answers with records that were written as they are, with a cut,
//!   or with a [`JournalError`]; it never panics and never yields a record that was not written.
//! - A frame counts whole or not at all: none of its records is replayed before all are verified.
//! - What is given up was never durable, as far as anything that is still intact can tell.

mod attempt;
mod bytes;
mod codec;
mod content;
mod cursor;
mod entry;
mod error;
mod frame;
mod header;
mod intact;
mod message;
mod place;
mod plausible;
mod record;
mod recovery;
mod replay;
mod scan;

pub use attempt::{AttemptRecord, Attempts};
pub use content::content_parts;
pub use cursor::{READ_BYTES, ReadRequest};
pub use entry::{EntryKey, EntryRecord};
pub use error::JournalError;
pub use frame::{FRAME_HEADER_BYTES, MAX_FRAME_BYTES, MAX_SEGMENT_BYTES, RECORD_HEADER_BYTES};
pub use frame::{FrameBuilder, Mark, Seal, verify};
pub use header::{FORMAT_VERSION, SEGMENT_HEADER_BYTES, SegmentHeader};
pub use message::{DeathRecord, MessageRecord, StoredState};
pub use place::{Place, Position, Span};
pub use record::{Record, StepResult, Transfer};
pub use recovery::Recovery;
pub use replay::{FrameInfo, RecoveryReport, Replay};
