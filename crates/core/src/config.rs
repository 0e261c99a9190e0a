//! What a host may configure: plain serde types, every field optional, checked by the engine.

use serde::{Deserialize, Serialize};

use crate::policy::backoff::Backoff;

/// How much a resolved append promises.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Durability {
    /// The bytes survive a power cut.
    #[default]
    PowerLoss,
    /// The bytes survive the end of the process.
    ProcessCrash,
    /// Nothing survives.
    None,
}

/// Settings of a box, for one run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Config {
    /// Bytes of message contents kept in memory.
    pub max_memory_bytes: u64,
    /// Size at which a segment is closed.
    pub segment_bytes: u32,
    /// What the storage promises.
    pub durability: Durability,
    /// Fixes the jitter of a box that this run creates.
    pub seed: Option<String>,
    /// Deaths of its owner that a message survives without cost (browsers reload daily).
    pub free_owner_deaths: u32,
    /// The box is looked at, beside its owner or without one, and never written.
    pub read_only: bool,
    /// Another ledger owns the messages: this engine works on what it claims there, and writes no journal.
    pub remote: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_memory_bytes: 64 << 20,
            segment_bytes: 64 << 20,
            durability: Durability::PowerLoss,
            seed: None,
            free_owner_deaths: 0,
            read_only: false,
            remote: false,
        }
    }
}

/// A delivery promise.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guarantee {
    /// Never delivered twice.
    AtMostOnce,
    /// Never lost.
    #[default]
    AtLeastOnce,
    /// Effects happen once.
    ExactlyOnce,
}

/// What happens to a new id when the index is full.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhenFull {
    /// `ERR_DEDUP_FULL`.
    Reject,
    /// The earliest finished ids are forgotten.
    Shorten,
}

/// What makes two enqueues with one id the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compare {
    /// The encoded body must be equal, else `ERR_ID_CONFLICT`.
    Body,
    /// The id alone.
    Id,
}

/// What a group does behind a dead letter.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupOnDead {
    /// Goes on.
    Continue,
    /// Waits until the dead letter is redriven or removed.
    Block,
}

/// Deduplication options.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[expect(missing_docs, reason = "named as in the public contract")]
pub struct DedupOptions {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_entries: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when_full: Option<WhenFull>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compare: Option<Compare>,
}

/// Dead-letter options.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DeadOptions {
    /// How long dead letters are kept; for ever when none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retain_ms: Option<u64>,
}

/// Options of the histories of completed messages.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HistoryOptions {
    /// How long they are kept; not at all when 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_ms: Option<u64>,
    /// At most so many of a queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_entries: Option<u64>,
}

/// What the bytes of a queue's bodies are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Bodies {
    /// JSON text.
    #[default]
    Json,
    /// Whatever a codec of the host makes.
    Encoded,
}

/// Named options of a queue. `u32::MAX` / `u64::MAX` mean without limit.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[expect(missing_docs, reason = "named as in the public contract")]
pub struct QueueOptions {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guarantee: Option<Guarantee>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_retry_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Backoff>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dedup: Option<DedupOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_depth: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_body_bytes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_result_bytes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_on_dead: Option<GroupOnDead>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead: Option<DeadOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<HistoryOptions>,
    /// Name of the queue that is told of dead letters, empty for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letter_to: Option<String>,
    /// What bodies are, for those who are told of dead letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bodies: Option<Bodies>,
}
