//! What may wait inside the engine at once, and what becomes of more.
//!
//! | what | at most | beyond it |
//! |---|---|---|
//! | records that wait for the storage | 64 MiB | `ERR_QUEUE_FULL`; claims and the work of time wait |
//! | answers and events that wait for it | a million | the same |
//! | deliveries that are not over | 100,000 | a dequeue gets `ERR_QUEUE_FULL`; workers wait |
//! | dequeues that are not answered | 100,000 | `ERR_QUEUE_FULL` |
//! | open workers | 10,000 | `ERR_QUEUE_FULL` |
//! | messages that are being shown | 100,000 | `ERR_QUEUE_FULL` |
//!
//! Settlements whose answers are awaited are refused as well, and change nothing: their leases hold.
//! What a handler returned is always taken. Since nothing is claimed meanwhile, that is one record for
//! each delivery that is not over.

use super::Engine;
use crate::command::Ticket;
use crate::error::{ErrorCode, Failure};

/// Bytes of records that may wait for the storage.
const STAGED_BYTES_MAX: usize = 64 << 20;
/// Answers and events that may wait for it.
const GATES_MAX: usize = 1_000_000;
/// Deliveries that are not over.
const LEASES_MAX: usize = 100_000;
/// Dequeues that are not answered.
const WAITERS_MAX: usize = 100_000;
/// Workers of a box.
const WORKERS_MAX: usize = 10_000;
/// Handlers of one worker at once, and messages of one dequeue.
pub(super) const CLAIMS_MAX: u32 = 100_000;
/// Messages that may be shown at once, in all answers that are being put together.
const SHOWN_MAX: usize = 100_000;

impl Engine {
    /// Whether so much waits for the storage that nothing is to be added that can wait itself.
    #[must_use]
    pub(super) fn is_stage_full(&self) -> bool {
        self.commit.staged_bytes() >= STAGED_BYTES_MAX || self.commit.gates() >= GATES_MAX
    }

    /// Whether a message may be claimed.
    #[must_use]
    pub(super) fn may_claim(&self) -> bool {
        self.leases.len() < LEASES_MAX && !self.is_stage_full() && !self.room.is_awaited()
    }

    /// Whether something may be written that nobody is owed.
    pub(super) fn room_to_stage(&self) -> Result<(), Failure> {
        let staged = self.commit.staged_bytes();
        if staged >= STAGED_BYTES_MAX {
            return Err(full(format!(
                "{staged} bytes wait for the storage, more than {STAGED_BYTES_MAX} must not"
            )));
        }
        let gates = self.commit.gates();
        if gates >= GATES_MAX {
            return Err(full(format!(
                "{gates} answers wait for the storage, more than {GATES_MAX} must not"
            )));
        }
        Ok(())
    }

    /// Whether a settlement may be written. One that nobody waits for always may: nobody could repeat it.
    pub(super) fn room_to_settle(&self, ticket: Ticket) -> Result<(), Failure> {
        if ticket.0 == 0 {
            return Ok(());
        }
        self.room_to_stage()
    }

    /// Whether one dequeue more may wait, for at most `max` messages.
    pub(super) fn room_to_dequeue(&self, max: u32) -> Result<(), Failure> {
        if !(1..=CLAIMS_MAX).contains(&max) {
            let message = format!("max: expected 1 to {CLAIMS_MAX}, got {max}");
            return Err(Failure::new(ErrorCode::InvalidOption, message));
        }
        if self.leases.len() >= LEASES_MAX {
            return Err(full(format!(
                "{LEASES_MAX} deliveries are not settled, more must not be"
            )));
        }
        if self.waiters.len() >= WAITERS_MAX {
            return Err(full(format!("{WAITERS_MAX} dequeues wait, more must not")));
        }
        Ok(())
    }

    /// Whether one worker more may be opened.
    pub(super) fn room_to_work(&self) -> Result<(), Failure> {
        if self.workers.len() < WORKERS_MAX {
            return Ok(());
        }
        Err(full(format!(
            "{WORKERS_MAX} workers are open, more must not be"
        )))
    }

    /// Whether anything more may be shown. One answer shows a thousand messages at most.
    pub(super) fn room_to_show(&self) -> Result<(), Failure> {
        let shown = self.inspections.shown();
        if shown < SHOWN_MAX {
            return Ok(());
        }
        Err(full(format!(
            "{shown} messages are being shown, more than {SHOWN_MAX} must not be"
        )))
    }
}

fn full(message: String) -> Failure {
    Failure::new(ErrorCode::QueueFull, message)
}
