//! Records from the engine to the host: one for each effect (33 to 63).

use crate::record::records;

records! {
    /// What the engine tells the host. An empty text is none.
    enum Output<'a>;

    /// Append to a segment; a number never seen before begins a new one. One at a time.
    Append<'a> = 33, bytes 24 {
        /// Which segment.
        segment: u32,
        ;
        /// What to append.
        bytes: &'a [u8],
    }
    /// Read back; answered by a chunk.
    Read = 34, key read, bytes 32 {
        /// From here.
        offset: f64,
        /// Which segment.
        segment: u32,
        /// So many bytes.
        length: u32,
    }
    /// Cut a torn tail.
    Truncate = 35, bytes 32 {
        /// The new length of the segment.
        length: f64,
        /// Which segment.
        segment: u32,
    }
    /// Remove a segment in which nothing is live.
    Remove = 36, bytes 24 {
        /// Which one.
        segment: u32,
    }
    /// Hand a message to a handler or to a waiting dequeue.
    Deliver<'a> = 37, key token, bytes 96 {
        /// The dequeue that waits for it, 0 for a worker.
        ticket: f64,
        /// When it was accepted.
        enqueued_at: f64,
        /// When the lease ends; infinite where the engine renews it.
        lease_until: f64,
        /// The number of its message, which no other message of the box has.
        number: f64,
        /// The worker whose slot it takes; not used for a dequeue.
        worker: u32,
        /// Where from.
        queue: u32,
        /// From 1.
        attempt: u32,
        /// As enqueued.
        priority: u32,
        /// The run that accepted its message.
        run: u32,
        /// How many steps of its message are recorded.
        steps: u32,
        /// It is settled already (at-most-once): no step can be recorded.
        handed_over: bool,
        ;
        /// Its identity.
        id: &'a str,
        /// Ordering key.
        group: &'a str,
        /// What it goes to.
        destination: &'a str,
        /// Encoded headers.
        headers: &'a [u8],
        /// Encoded body.
        body: &'a [u8],
    }
    /// A delivery is not valid any more.
    Abort = 38, key token, bytes 24 {
        /// One of `AbortReason`.
        reason: u32,
    }
    /// A message was accepted or known; durable.
    Receipt<'a> = 39, key ticket, bytes 32 {
        /// Of the item in its batch.
        index: u32,
        /// One of `MessageState`.
        state: u32,
        /// Nothing was enqueued.
        duplicate: bool,
        ;
        /// Its identity.
        id: &'a str,
    }
    /// Answer to a command or request.
    Reply = 40, key ticket, bytes 32 {
        /// The plain answer.
        value: f64,
        /// One of `ReplyCode`.
        code: u32,
    }
    /// The content of one entry of the reply that follows.
    Body<'a> = 41, key ticket, bytes 32 {
        /// Which entry.
        index: u32,
        /// False: the stored bytes fail their checksum and are not given.
        intact: bool,
        ;
        /// Encoded headers.
        headers: &'a [u8],
        /// Encoded body.
        body: &'a [u8],
    }
    /// Something happened in a queue; durable.
    Event<'a> = 42, bytes 72 {
        /// `Retry`: the delay in ms. `Completed`: ms from enqueue to start.
        wait_ms: f64,
        /// `Completed`: ms in the handler.
        handle_ms: f64,
        /// `Retry`: the instant of the next attempt. `Circuit`: when an open one lets a message through, or 0.
        at: f64,
        /// One of `EventKind`.
        event: u32,
        /// Where.
        queue: u32,
        /// Of which attempt.
        attempt: u32,
        /// One of `Reason`, 0 for none.
        reason: u32,
        /// `Circuit`: one of `CircuitState`, before.
        circuit_from: u32,
        /// `Circuit`: one of `CircuitState`, now.
        circuit_to: u32,
        ;
        /// Which message; `Circuit`: which destination.
        id: &'a str,
        /// Encoded error.
        error: &'a [u8],
    }
    /// Something happened to the box: `take` the key.
    Notice = 43, key number, bytes 16 {}

    /// Consumers of a queue have room for so many messages more of a remote ledger.
    Want = 44, bytes 24 {
        /// Of which queue.
        queue: u32,
        /// How many.
        max: u32,
    }
    /// What became of a claimed message, for a remote ledger to carry out with the `Transit` that follows.
    Settlement<'a> = 45, key token, bytes 56 {
        /// On whose behalf; 0: nobody waits for the answer.
        ticket: f64,
        /// `Again`: the instant from which it waits.
        due: f64,
        /// One of `Fate`.
        fate: u32,
        /// `Again`, `Dead`: one of `Reason`.
        reason: u32,
        /// `Again`: the attempt counts.
        costs_attempt: bool,
        /// All settlements of this ticket are carried out together, or none.
        in_unit: bool,
        ;
        /// Encoded result or error.
        bytes: &'a [u8],
    }
    /// Carry out the settlements before this: answered like an append. One at a time.
    Transit = 46, bytes 24 {
        /// How many they are.
        count: u32,
    }
}
