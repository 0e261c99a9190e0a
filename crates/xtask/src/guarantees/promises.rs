//! What can happen to a box, and what is promised then. Which runs show it is told by the evidence alone.

/// One row of the table.
pub(super) struct Promise {
    /// By which evidence names it.
    pub(super) id: &'static str,
    pub(super) fault: &'static str,
    pub(super) promise: &'static str,
    /// What must be exported for the promise to be made at all.
    pub(super) needs: &'static str,
}

const fn promise(id: &'static str, fault: &'static str, promise: &'static str) -> Promise {
    Promise {
        id,
        fault,
        promise,
        needs: ".",
    }
}

/// Every row, in the order of the page.
pub(super) const PROMISES: [Promise; 14] = [
    promise(
        "process-kill",
        "The process is killed at any moment",
        "What had a receipt is delivered until it completes or is a dead letter; what completed does not come back; a group keeps its order",
    ),
    promise(
        "power-loss",
        "The power fails",
        "The same, with `durability: 'power-loss'`, which is the default: a receipt means flushed. With `'process-crash'` the segment that is being written may be lost",
    ),
    promise(
        "torn-write",
        "A write reaches the disk in part",
        "The half is found by its checksum, cut off, and told by `recovered`; all before it stays",
    ),
    promise(
        "bit-rot",
        "Bits change in what had been written",
        "It is never handed out as if it were sound: `ERR_CORRUPT` with its place, or a dead letter `corrupt`; nothing is skipped in silence",
    ),
    promise(
        "failed-flush",
        "A write or a flush fails",
        "What waited for it is rejected, nothing later is called durable, opening the box again recovers",
    ),
    promise(
        "full-disk",
        "The disk is full",
        "Messages are refused with `ERR_STORAGE_FULL` while there is still room to settle; a box on a full disk opens and drains",
    ),
    promise(
        "two-openers",
        "Two processes open one box",
        "One owns it, the other gets `ERR_LOCKED` or waits; a dead owner is never in the way; native and WebAssembly honour each other",
    ),
    promise(
        "paused-consumer",
        "A process stands still and wakes up again",
        "It goes on, or is told that its lease is gone; nothing is lost, nothing runs twice at once",
    ),
    promise(
        "lost-lease",
        "A consumer settles behind its lease",
        "`ERR_LEASE_LOST`, and nothing changes: no settlement, no step, no transaction",
    ),
    promise(
        "clock-jump",
        "The clock jumps, drifts or sleeps",
        "Nothing is lost or handed out twice at once; what is due is early or late by no more than the jump",
    ),
    promise(
        "duplicate-enqueue",
        "A producer has not heard, and enqueues again",
        "The same id is one message: `duplicate`, through the window of deduplication",
    ),
    promise(
        "exactly-once-steps",
        "A handler dies in the middle of its steps",
        "A step that is on record never runs again; one that was cut off runs again with the same key",
    ),
    promise(
        "bad-input",
        "Bytes, options or calls make no sense",
        "A clear error; no panic, no unbounded memory, nothing lost, nothing forged accepted",
    ),
    Promise {
        needs: "./indexeddb",
        ..promise(
            "tab-kill",
            "A browser tab is killed",
            "The same as for a killed process",
        )
    },
];
