//! Errors of attempts that the engine itself ended, in the form in which hosts encode those of handlers.

use crate::consumer::lease::Lease;
use crate::consumer::watch::HandlerLimits;
use crate::time::Timestamp;

/// The circuit is open, and messages do not wait for it. `destination`: empty for none.
pub(super) fn circuit_open(destination: &str, until: Timestamp) -> Vec<u8> {
    let whose = match destination {
        "" => String::new(),
        destination => format!(" of destination '{destination}'"),
    };
    let until = match until {
        Timestamp::NEVER => String::new(),
        until => format!(" until {until}"),
    };
    encode(
        "ERR_CIRCUIT_OPEN",
        &format!("the circuit{whose} is open{until}"),
    )
}

/// A handler ended after its time, and said nothing of that.
pub(super) fn took_too_long(limits: HandlerLimits) -> Vec<u8> {
    let ms = limits.timeout_ms.unwrap_or(0);
    let message = format!("the handler took longer than its timeoutMs, {ms} ms");
    encode("ERR_TIMEOUT", &message)
}

/// A handler was told to stop, and did not.
pub(super) fn did_not_stop(limits: HandlerLimits, lease_ms: u64) -> Vec<u8> {
    let ms = limits.timeout_ms.unwrap_or(0);
    let message = format!(
        "the handler took longer than its timeoutMs, {ms} ms, and had not ended {lease_ms} ms after it was told to stop"
    );
    encode("ERR_TIMEOUT", &message)
}

/// The lease of a handler is renewed no more.
pub(super) fn ran_too_long(limits: HandlerLimits) -> Vec<u8> {
    let ms = limits.max_runtime_ms.unwrap_or(0);
    let message = format!("the handler ran for longer than its maxRuntimeMs, {ms} ms");
    encode("ERR_LEASE_LOST", &message)
}

/// A manual lease ended.
pub(super) fn lease_ran_out(lease: &Lease) -> Vec<u8> {
    let ms = lease.until.since(lease.delivered_at);
    let message = format!("the lease ran out {ms} ms after the delivery, which was not settled");
    encode("ERR_LEASE_LOST", &message)
}

fn encode(code: &str, message: &str) -> Vec<u8> {
    let error = serde_json::json!({ "name": "AckboxError", "message": message, "code": code });
    error.to_string().into_bytes()
}
