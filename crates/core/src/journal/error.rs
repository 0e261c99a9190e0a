//! Why a journal cannot be opened.

use std::fmt;

use crate::error::{ErrorCode, Failure};

use super::header::FORMAT_VERSION;

/// A journal that cannot be opened. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum JournalError {
    /// Bytes that had been durable are damaged or missing.
    Corrupt {
        /// In which segment.
        segment: u32,
        /// Where the damage begins, in bytes from the segment's start.
        offset: u64,
        /// What is wrong there.
        what: &'static str,
    },
    /// A later ackbox wrote this.
    NewerFormat {
        /// The segment that says so.
        segment: u32,
        /// Its format version.
        version: u32,
    },
    /// Not written by any ackbox.
    Foreign {
        /// The segment that is none.
        segment: u32,
    },
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Corrupt {
                segment,
                offset,
                what,
            } => {
                write!(
                    f,
                    "the journal is damaged in segment {segment} at byte {offset}: {what}; nothing was changed"
                )
            }
            Self::NewerFormat { segment, version } => write!(
                f,
                "segment {segment} has journal format {version}, this version of ackbox reads up to {FORMAT_VERSION}; \
                 nothing was changed"
            ),
            Self::Foreign { segment } => write!(
                f,
                "segment {segment} is no ackbox journal: it does not begin with the magic number; nothing was changed"
            ),
        }
    }
}

impl std::error::Error for JournalError {}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        let (code, segment, offset) = match error {
            JournalError::Corrupt {
                segment, offset, ..
            } => (ErrorCode::Corrupt, segment, offset),
            JournalError::NewerFormat { segment, .. } => (ErrorCode::NewerFormat, segment, 0),
            JournalError::Foreign { segment } => (ErrorCode::Corrupt, segment, 0),
        };
        Self {
            segment: Some(segment),
            offset: Some(offset),
            ..Self::new(code, error.to_string())
        }
    }
}
