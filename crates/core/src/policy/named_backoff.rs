//! How hosts and journals name a retry schedule: an object whose `kind` tells which other fields it has.
//!
//! Read as the fields of all kinds at once. What serde makes for an enum that is tagged inside keeps each object until its tag
//! was found, and reads it anew from there: another copy of all that reads, which WebAssembly would have to carry.

use serde::Deserialize;

use super::backoff::{Backoff, Jitter};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Kind {
    Exponential,
    Constant,
    Schedule,
}

/// The fields of every kind of schedule.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Named {
    kind: Kind,
    jitter: Jitter,
    base_ms: Option<u64>,
    factor_milli: Option<u32>,
    cap_ms: Option<u64>,
    ms: Option<u64>,
    delays_ms: Option<Vec<u64>>,
}

impl TryFrom<Named> for Backoff {
    type Error = &'static str;

    fn try_from(named: Named) -> Result<Self, Self::Error> {
        let jitter = named.jitter;
        match named {
            Named {
                kind: Kind::Exponential,
                base_ms: Some(base_ms),
                factor_milli: Some(factor_milli),
                cap_ms: Some(cap_ms),
                ms: None,
                delays_ms: None,
                ..
            } => Ok(Self::Exponential {
                base_ms,
                factor_milli,
                cap_ms,
                jitter,
            }),
            Named {
                kind: Kind::Constant,
                base_ms: None,
                factor_milli: None,
                cap_ms: None,
                ms: Some(ms),
                delays_ms: None,
                ..
            } => Ok(Self::Constant { ms, jitter }),
            Named {
                kind: Kind::Schedule,
                base_ms: None,
                factor_milli: None,
                cap_ms: None,
                ms: None,
                delays_ms: Some(delays_ms),
                ..
            } => Ok(Self::Schedule { delays_ms, jitter }),
            _ => Err(
                "expected a backoff to have the fields of its kind: `baseMs`, `factorMilli` and `capMs` of an \
                 exponential one, `ms` of a constant one, `delaysMs` of a schedule",
            ),
        }
    }
}
