//! Looking at a box without owning it: what its journal held when its segments were listed, as it is.
//!
//! The owner may live and write on. So nothing is taken over: a torn tail is an append under way and
//! stays, leases stay with the one who has them, no message dies of an owner. No time passes, nothing
//! is ever written, and only requests that show something are taken.

use super::commit::Commit;
use super::opening::Found;
use super::{Engine, Phase};
use crate::command::{QueueId, Request};
use crate::effect::{Defined, Object};
use crate::error::{ErrorCode, Failure};

impl Engine {
    /// Whether this engine owns its box, so that something may change.
    pub(super) fn owned(&self) -> Result<(), Failure> {
        if !self.config.read_only {
            return Ok(());
        }
        let message = "the box is open with readOnly: it is looked at, and nothing in it changes";
        Err(Failure::new(ErrorCode::Unsupported, message))
    }

    /// Whether a request may be taken: those that show something always.
    pub(super) fn may_request(&self, request: &Request) -> Result<(), Failure> {
        match request {
            Request::Open { .. }
            | Request::Close {}
            | Request::DefineQueue { .. }
            | Request::QueueStats { .. }
            | Request::BoxStats {}
            | Request::Queues {}
            | Request::Get { .. }
            | Request::Peek { .. }
            | Request::Select { .. }
            | Request::DeadPage { .. }
            | Request::DeadCount { .. } => Ok(()),
            _ => self.owned(),
        }
    }

    /// What was read becomes the ledger, with the leases of its owner.
    pub(super) fn look_at(&mut self, found: Found) {
        let mut ledger = found.ledger;
        ledger.finish_looking(self.now);
        self.commit = Commit::new(
            found.header,
            self.config.durability,
            self.config.segment_bytes,
            found.segments,
            found.last_frame,
        );
        self.ledger = ledger;
    }

    /// Goes on with what is being shown.
    pub(super) fn show(&mut self) {
        if !matches!(self.phase, Phase::Open) {
            return;
        }
        self.work_on_dead_jobs();
        self.reads.begin(&mut self.output);
        self.check_closing();
    }

    /// A queue that the journal knows, with the options in force.
    pub(super) fn known_by_name(&self, name: &str) -> Result<Object, Failure> {
        let Some(queue) = self.ledger.queue_named(name) else {
            let message = format!("the box has no queue '{name}', and with readOnly none is made");
            return Err(Failure::new(ErrorCode::NotFound, message));
        };
        let settings = &self.ledger.queues[queue as usize].settings;
        Ok(Object::Defined(Defined {
            queue: QueueId(queue),
            created: false,
            changed: Vec::new(),
            options: settings.in_force(),
            named: Box::new(settings.named.clone()),
        }))
    }
}
