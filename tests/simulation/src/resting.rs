//! An engine that rests: it wakes only when it asked for that, and leaves nobody without an answer.

use ackbox_core::effect::Effect;

use crate::model::{Asked, End};
use crate::must;
use crate::world::{Phase, Stop, World};

impl World {
    /// Time has passed. A host calls if it was asked to by now; if not, a call must change nothing.
    pub(crate) fn pass_time(&mut self) -> Result<(), Stop> {
        let now = self.now();
        let asked = self.engine.poll_timeout();
        if asked.is_some_and(|(at, _)| at <= now) {
            return self.run();
        }
        self.model.see_over(self.clock.engine_now());
        self.engine.handle_timeout(now);
        let is_quiet = match self.engine.poll_effect() {
            None => !self.engine.has_more(),
            // Whoever waits for the storage is called again anyway, and may begin with that now. A segment that
            // nobody needs may stay until somebody calls.
            Some(effect)
                if !self.storage.jobs.is_empty() || matches!(effect, Effect::Remove { .. }) =>
            {
                let effect = self.take_effect(effect)?;
                must!(
                    effect.is_none(),
                    "liveness: told at {} although it asked for {asked:?}: {effect:?}",
                    now.0
                );
                return self.run();
            }
            Some(effect) => {
                must!(
                    false,
                    "liveness: called at {} although it asked for {asked:?}, the engine has something to do: {effect:?}",
                    now.0
                );
                false
            }
        };
        must!(
            is_quiet,
            "liveness: called at {} although it asked for {asked:?}, the engine has more to do",
            now.0
        );
        Ok(())
    }

    /// Time passes up to an instant, by a host that misses no timer.
    pub(crate) fn sleep_until(&mut self, end: u64) -> Result<(), Stop> {
        while let Some((at, _)) = self.engine.poll_timeout()
            && at.0 <= end
            && self.phase == Phase::Open
        {
            self.clock.advance_to(at.0);
            self.run()?;
        }
        self.clock.advance_to(end);
        self.pass_time()
    }

    /// Who asked something of an engine at rest was answered.
    pub(crate) fn check_rest(&self) -> Result<(), Stop> {
        let storage = &self.storage;
        let waits_for_storage = !storage.jobs.is_empty() || self.model.was_full;
        if self.phase != Phase::Open || waits_for_storage || self.closing.is_some() {
            return Ok(());
        }
        let now = self.clock.engine_now();
        let may_be_there = |queue: usize| {
            let mut messages = self.model.messages.iter();
            messages.any(|message| message.may_be_in(queue) && message.end != End::Told)
        };
        let waits = |asked: &Asked| match asked {
            Asked::Dequeue { until } => now < *until,
            Asked::Redrive { is_paced, .. } => *is_paced,
            Asked::Leave { worker } => self.model.held.iter().any(|held| held.is_of(worker.0)),
            Asked::Drain { queue } => {
                let mut held = self.model.held.iter();
                may_be_there(*queue) || held.any(|held| held.queue == *queue)
            }
            _ => false,
        };
        let mut asked = self.model.asked.iter();
        let left =
            asked.find(|(sequence, asked)| !self.model.unheard.contains(sequence) && !waits(asked));
        must!(
            left.is_none(),
            "liveness: never answered, at {now}: {left:?}"
        );
        Ok(())
    }
}
