//! What a world asks of its engine, and letting that work until it rests.

use ackbox_core::command::{Command, Request, Ticket};
use ackbox_core::effect::Object;
use ackbox_core::time::Timestamp;

use crate::invariants::Violation;
use crate::model::Asked;
use crate::world::{Stop, World};

/// Steps without rest that are no rest any more.
const STEPS_MAX: u32 = 10_000;

impl World {
    pub(crate) fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    pub(crate) fn now(&mut self) -> Timestamp {
        let now = self.clock.read();
        self.model.latest = self.model.latest.max(now);
        Timestamp(now)
    }

    /// A command, and what follows from it.
    pub(crate) fn command(&mut self, ticket: u64, command: Command<'_>) -> Result<(), Stop> {
        self.tell(ticket, command);
        self.run()
    }

    /// A command; what follows from it comes later.
    pub(crate) fn tell(&mut self, ticket: u64, command: Command<'_>) {
        let now = self.now();
        self.has_said = true;
        self.engine.handle_command(now, Ticket(ticket), command);
    }

    /// A request that is answered later.
    pub(crate) fn request(&mut self, request: Request, asked: Asked) -> Result<(), Stop> {
        let sequence = self.next_sequence();
        let now = self.now();
        self.model.asked.insert(sequence, asked);
        self.has_said = true;
        match self.engine.handle_request(now, Ticket(sequence), request) {
            Ok(_) => self.run(),
            Err(failure) => {
                self.model.asked.remove(&sequence);
                self.check_refusal(&failure)?;
                self.run()
            }
        }
    }

    /// A request that is answered at once.
    pub(crate) fn at_once(&mut self, request: Request) -> Result<Option<Object>, Stop> {
        let object = self.answer_to(request)?;
        self.run()?;
        Ok(object)
    }

    /// Its answer, before anything follows from it; none if it is refused with reason.
    pub(crate) fn answer_to(&mut self, request: Request) -> Result<Option<Object>, Stop> {
        let sequence = self.next_sequence();
        let now = self.now();
        self.has_said = true;
        let answer = self.engine.handle_request(now, Ticket(sequence), request);
        match answer {
            Ok(object) => Ok(object),
            Err(failure) => {
                self.check_refusal(&failure)?;
                Ok(None)
            }
        }
    }

    /// Lets the engine work on what it was told until it rests, and the storage answer if it is prompt.
    pub(crate) fn run(&mut self) -> Result<(), Stop> {
        self.model.see_over(self.clock.engine_now());
        loop {
            self.drain()?;
            if !self.prompt || self.storage.jobs.is_empty() {
                return self.check_rest();
            }
            self.answer(0)?;
        }
    }

    /// Calls the engine as a host does: once behind what it was told, and again as long as it wants to be called
    /// now.
    fn drain(&mut self) -> Result<(), Stop> {
        for _ in 0..STEPS_MAX {
            self.has_said = false;
            let now = self.now();
            self.engine.handle_timeout(now);
            self.poll()?;
            let next = self.engine.poll_timeout();
            if !self.has_said && !self.engine.has_more() && next.is_none_or(|(at, _)| at > now) {
                return Ok(());
            }
        }
        let next = self.engine.poll_timeout();
        let text = format!("liveness: the engine never comes to rest, it asks for {next:?}");
        Err(Violation(text).into())
    }

    /// Performs what the engine asks for and tells.
    fn poll(&mut self) -> Result<(), Stop> {
        while let Some(effect) = self.engine.poll_effect() {
            self.burn()?;
            self.digest.effect(&effect);
            self.perform(effect)?;
        }
        Ok(())
    }

    /// A crash comes nearer.
    pub(crate) fn burn(&mut self) -> Result<(), Stop> {
        match &mut self.fuse {
            Some((0, tear)) => {
                let tear = *tear;
                self.fuse = None;
                Err(Stop::Crash(tear))
            }
            Some((left, _)) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}
