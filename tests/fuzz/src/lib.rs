//! What may come from outside, as arbitrary bytes: each target is a plain function that panics when a promise
//! is broken. A fuzzer makes the bytes (`libfuzzer/`), and every input that once taught something lies in
//! `corpus/` and is replayed by the tests without one. `README.md` tells what each target promises, and what
//! *forged* means.

pub mod allocation;
pub mod breaker;
pub mod chance;
pub mod journal;
pub mod operations;
pub mod wire;

/// Something that takes any bytes.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Of its corpus, and of its fuzzer.
    pub name: &'static str,
    /// Takes them.
    pub take: fn(&[u8]),
}

/// All of them.
pub const TARGETS: [Target; 4] = [
    Target {
        name: "journal_reader",
        take: journal_reader,
    },
    Target {
        name: "wire_decoder",
        take: wire_decoder,
    },
    Target {
        name: "engine_operations",
        take: engine_operations,
    },
    Target {
        name: "breaker_traces",
        take: breaker_traces,
    },
];

/// Stored bytes: read, and opened by an engine.
///
/// # Panics
/// When a promise is broken.
pub fn journal_reader(data: &[u8]) {
    allocation::bounded(data.len(), || journal::take(data));
}

/// What the driver says across the boundary: flat records, and requests as JSON.
///
/// # Panics
/// When a promise is broken.
pub fn wire_decoder(data: &[u8]) {
    allocation::bounded(data.len(), || wire::take(data));
}

/// A world of producers, consumers and faults, held against the reference model of the simulator.
///
/// # Panics
/// When a promise is broken.
pub fn engine_operations(data: &[u8]) {
    allocation::bounded(data.len(), || operations::take(data));
}

/// What calls may do to a circuit breaker, held against a naive one.
///
/// # Panics
/// When a promise is broken.
pub fn breaker_traces(data: &[u8]) {
    allocation::bounded(data.len(), || breaker::take(data));
}
