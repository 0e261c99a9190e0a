//! Consumers that do not begin at once with what they are given: they begin later, or decline it.

use ackbox_core::command::{Command, Token};

use crate::model::Held;
use crate::op::Say;
use crate::world::{Stop, World};

impl World {
    /// A consumer begins.
    pub(crate) fn begin(&mut self, pick: u32) -> Result<(), Stop> {
        let now = self.clock.engine_now();
        let Some(place) = self.pick(pick, |held| held.may_be_declined(now)) else {
            return Ok(());
        };
        self.see(place);
        self.run()
    }

    /// A consumer sees its delivery from now on, which it may have had for a while; what follows comes later.
    pub(crate) fn see(&mut self, place: usize) {
        let now = self.clock.engine_now();
        let held = &self.model.held[place];
        if held.seen {
            return;
        }
        let (token, is_told) = (Token(held.token), held.may_be_declined(now));
        self.model.see(place, now);
        if is_told {
            self.figures.begun_late += 1;
            self.tell(0, Command::Began { token });
        }
    }

    /// A consumer wants nothing of what it was given.
    pub(crate) fn decline(&mut self, pick: u32) -> Result<(), Stop> {
        let now = self.clock.engine_now();
        match self.pick(pick, |held| held.may_be_declined(now)) {
            Some(place) => self.decline_at(place),
            None => Ok(()),
        }
    }

    pub(crate) fn decline_at(&mut self, place: usize) -> Result<(), Stop> {
        let now = self.clock.engine_now();
        let held = self.model.held.remove(place);
        let (token, sequence) = (Token(held.token), self.next_sequence());
        self.figures.declined += 1;
        self.unpace(&held);
        self.model.decline(&held, now, sequence);
        self.command(0, Command::Declined { token })
    }

    /// Who closes a box has everything declined that was claimed by hand and that nobody has begun with.
    pub(crate) fn decline_claims(&mut self) -> Result<(), Stop> {
        let now = self.clock.engine_now();
        let may_be = |held: &Held| !held.handler && held.may_be_declined(now);
        while let Some(place) = self.model.held.iter().position(may_be) {
            self.decline_at(place)?;
        }
        let over = |held: &Held| !held.handler && !held.seen;
        while let Some(place) = self.model.held.iter().position(over) {
            self.model.see(place, now);
        }
        Ok(())
    }

    /// A handler ends well, or does not begin with what the closing of a box would not wait for.
    pub(crate) fn end_handler(&mut self, place: usize) -> Result<(), Stop> {
        let now = self.clock.engine_now();
        if self.closing.is_some() && self.model.held[place].may_be_declined(now) {
            return self.decline_at(place);
        }
        if self.model.held[place].settled {
            return self.returned_at(place);
        }
        self.settle_at(place, Say::Ack, true, true)
    }
}
