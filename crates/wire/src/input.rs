//! Records from the host to the engine: commands (1 to 15, 24 to 31) and completions (16 to 23).

use crate::record::records;

records! {
    /// What the host tells the engine. An empty text is none.
    enum Input<'a>;

    /// Accept one message: answered by a receipt or a failed reply.
    Enqueue<'a> = 1, key ticket, bytes 80 {
        /// Not delivered before now plus this.
        delay_ms: Option<f64>,
        /// Not delivered before this instant; never given together with a delay.
        at: Option<f64>,
        /// No delivery starts later than now plus this.
        ttl_ms: Option<f64>,
        /// The queue's when none; 2^32 - 1 is without limit.
        max_attempts: Option<f64>,
        /// Where to.
        queue: u32,
        /// 0 to 255, higher first.
        priority: u32,
        ;
        /// The caller's identity, 1 to 256 bytes; generated when none.
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
    /// The next `count` records are enqueues of one atomic batch; their own tickets are not used.
    Batch = 2, key ticket, bytes 24 {
        /// How many follow.
        count: u32,
    }
    /// End a delivery. Answered by a reply unless the ticket is 0.
    Settle<'a> = 3, key ticket, bytes 64 {
        /// The delivery.
        token: f64,
        /// `Reject`, `PutOff`: delay in ms instead of the backoff. `RetryAt`: the instant.
        when: Option<f64>,
        /// One of `Verdict`.
        verdict: u32,
        /// `Dead`: one of `Reason`, else 0.
        reason: u32,
        /// The handler is done as well.
        returned: bool,
        /// `RetryAt`, `PutOff`: this delivery counts as an attempt.
        costs_attempt: bool,
        /// `RetryAt`, `PutOff`: a circuit breaker counts it as a failure.
        counts_as_failure: bool,
        ;
        /// Encoded result of an ack.
        result: &'a [u8],
        /// Encoded error of a rejection.
        error: &'a [u8],
    }
    /// The handler of a delivery that was settled, lost or abandoned before is done.
    Returned = 4, key token, bytes 16 {}
    /// Prolong a lease: it ends `ms` from now. Answered by a reply.
    Extend = 5, key ticket, bytes 32 {
        /// The delivery.
        token: f64,
        /// Milliseconds from now.
        ms: f64,
    }
    /// Claim messages for manual settling. Answered by deliveries, then a reply with their number.
    Dequeue = 6, key ticket, bytes 40 {
        /// Lease; the queue's when none.
        lease_ms: Option<f64>,
        /// How long to wait for a first message; 0: not at all.
        wait_ms: f64,
        /// From where.
        queue: u32,
        /// At most so many, at least 1.
        max: u32,
    }
    /// Give up a waiting dequeue (its own ticket): it is answered with what it has. Or a waiting
    /// `Finished` or `Idle`: it is answered with 0.
    StopWaiting = 7, key ticket, bytes 16 {}
    /// The handler of a delivery was told to stop and is not waited for: an open one is given back.
    Abandoned = 8, key token, bytes 16 {}
    /// Wait for the end of a message. Answered by a reply with its outcome.
    Finished<'a> = 9, key ticket, bytes 24 {
        /// Whose.
        queue: u32,
        ;
        /// Of the message.
        id: &'a str,
    }
    /// Wait until nothing of a queue is ready or being handled. Answered by a reply.
    Idle = 10, key ticket, bytes 24 {
        /// Which one.
        queue: u32,
    }
    /// No code of the user saw a delivery, and none will: it is taken back as if it had not been handed out.
    Declined = 11, key token, bytes 16 {}

    /// Give a dead letter another content. Answered by a reply: 1, or 0 if there is none with this id.
    EditDead<'a> = 12, key ticket, bytes 40 {
        /// Where it is.
        queue: u32,
        /// The headers are replaced.
        has_headers: bool,
        /// The body is replaced.
        has_body: bool,
        ;
        /// Of the letter.
        id: &'a str,
        /// Encoded headers.
        headers: &'a [u8],
        /// Encoded body.
        body: &'a [u8],
    }

    /// Record what a step of a delivery's message gave. Answered by a reply once that is durable.
    RecordStep<'a> = 13, key ticket, bytes 40 {
        /// The delivery.
        token: f64,
        /// It gave a result.
        has_result: bool,
        ;
        /// Of the step.
        name: &'a str,
        /// Encoded result.
        result: &'a [u8],
    }
    /// Ask what a step of a delivery's message gave. Answered by a reply: 0, nothing is recorded; 1, it gave
    /// nothing; 2, it gave the body before.
    RecallStep<'a> = 14, key ticket, bytes 32 {
        /// The delivery.
        token: f64,
        ;
        /// Of the step.
        name: &'a str,
    }
    /// The next records are settlements and then enqueues that become durable together or not at all; their own
    /// tickets are not used. Answered by a receipt for each enqueue, then a reply.
    Transaction = 15, key ticket, bytes 24 {
        /// Settlements that follow.
        settles: u32,
        /// Enqueues that follow them.
        enqueues: u32,
    }

    /// The one append in flight is durable.
    Appended = 16, bytes 16 {}
    /// The one append in flight failed.
    AppendFailed = 17, bytes 24 {
        /// It wrote nothing at all, so the box lives on.
        clean: bool,
    }
    /// What a read returned.
    Chunk<'a> = 18, key read, bytes 24 {
        ;
        /// Exactly the bytes asked for.
        bytes: &'a [u8],
    }
    /// A read failed.
    ReadFailed = 19, key read, bytes 16 {}
    /// The truncation asked for is done.
    Truncated = 20, bytes 16 {}
    /// A segment was removed.
    Removed = 21, bytes 24 {
        /// Which one.
        segment: u32,
    }
    /// A truncation or removal failed.
    MaintenanceFailed = 22, bytes 16 {}

    /// The next record is the enqueue of a producer's sequence; its own ticket is not used. Answered by a receipt (its id is
    /// empty if nothing is known of an earlier message), then a reply with the lowest sequence that is missing.
    Produce = 24, key ticket, bytes 40 {
        /// Of the handle.
        epoch: f64,
        /// From 1.
        sequence: f64,
        /// Its number.
        producer: u32,
    }
    /// Code of the user sees a delivery from now on, which was handed out before; in at-most-once to be told
    /// of each one, else of handlers that are watched and start later.
    Began = 25, key token, bytes 16 {}
    /// What is to be known of the end of a delivery, which follows.
    Excused = 26, key token, bytes 32 {
        /// It is no failure of the destination.
        blameless: bool,
        /// A failure costs no attempt: it was a probe of the host's own breaker.
        free: bool,
        /// The destination was not asked.
        unasked: bool,
    }
    /// The next records are the enqueues that the host kept in its inbox under one key; their own tickets are not used.
    /// Answered by a receipt for each, then a reply with 0.
    Move<'a> = 27, key ticket, bytes 56 {
        /// The key that was moved before.
        after: f64,
        /// Its own.
        inbox_key: f64,
        /// Since when the host has had them, in ms since 1970.
        left_at: f64,
        /// How many follow.
        count: u32,
        /// They become dead letters.
        refused: bool,
        ;
        /// Encoded error of these.
        error: &'a [u8],
        /// For each of them a byte: 1 if its id was made by the host, and is no caller's.
        host_ids: &'a [u8],
    }

    /// A settlement in flight was refused by the remote ledger, for its lease was gone. Told ahead of `Appended`.
    Refused = 23, key token, bytes 16 {}
    /// A message that was claimed of a remote ledger for this engine. Nothing is answered.
    TakeIn<'a> = 28, key token, bytes 88 {
        /// When it was accepted.
        enqueued_at: f64,
        /// When its first delivery was claimed.
        first_delivery: f64,
        /// No delivery starts after.
        deadline: Option<f64>,
        /// 2^32 - 1 is without limit.
        max_attempts: f64,
        /// Where it is.
        queue: u32,
        /// Which attempt this is, from 1.
        attempt: u32,
        /// How often a lease of it ran out.
        deaths: u32,
        /// 0 to 255, higher first.
        priority: u32,
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
    /// A claim of a remote ledger is over: what it brought was taken in.
    ClaimDone = 29, bytes 24 {
        /// From where.
        queue: u32,
        /// There was less than was wanted.
        dry: bool,
    }
    /// The lease of a message that was taken in is gone.
    LoseClaim = 30, key token, bytes 16 {}
}
