//! Refusals: what the engine answers when it does not do what it was asked.

use serde::{Deserialize, Serialize};

/// Codes of the public contract that the engine itself decides.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[repr(u8)]
#[expect(
    missing_docs,
    reason = "each variant is the public code of the same name"
)]
pub enum ErrorCode {
    #[serde(rename = "ERR_ALREADY_SETTLED")]
    AlreadySettled = 1,
    #[serde(rename = "ERR_BODY_TOO_LARGE")]
    BodyTooLarge = 2,
    #[serde(rename = "ERR_CLOSED")]
    Closed = 3,
    #[serde(rename = "ERR_CORRUPT")]
    Corrupt = 4,
    #[serde(rename = "ERR_DEDUP_FULL")]
    DedupFull = 5,
    #[serde(rename = "ERR_ENGINE")]
    Engine = 6,
    #[serde(rename = "ERR_ID_CONFLICT")]
    IdConflict = 7,
    #[serde(rename = "ERR_ID_REQUIRED")]
    IdRequired = 8,
    #[serde(rename = "ERR_INVALID_OPTION")]
    InvalidOption = 9,
    #[serde(rename = "ERR_LEASE_LOST")]
    LeaseLost = 10,
    #[serde(rename = "ERR_NEWER_FORMAT")]
    NewerFormat = 11,
    #[serde(rename = "ERR_NOT_FOUND")]
    NotFound = 12,
    #[serde(rename = "ERR_QUEUE_FULL")]
    QueueFull = 13,
    #[serde(rename = "ERR_STORAGE_FAILED")]
    StorageFailed = 14,
    #[serde(rename = "ERR_STORAGE_FULL")]
    StorageFull = 15,
    #[serde(rename = "ERR_UNSUPPORTED")]
    Unsupported = 16,
    #[serde(rename = "ERR_FENCED")]
    Fenced = 17,
}

/// A refusal: its code, and a sentence that says what was expected, what came and where.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// The public code.
    pub code: ErrorCode,
    /// For people.
    pub message: String,
    /// The message that it is about, where that helps (`ERR_STORAGE_FAILED` of an enqueue).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// All messages of an atomic unit that it is about, in their order; empty for a single one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<String>,
    /// Damaged place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment: Option<u32>,
    /// Damaged place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
}

impl Failure {
    /// A failure without details.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            id: None,
            ids: Vec::new(),
            segment: None,
            offset: None,
        }
    }
}
