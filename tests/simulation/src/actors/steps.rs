//! Handlers that work in steps: each is done once, recorded, and asked for from then on.

use ackbox_core::command::{Command, RecordStep, Token};

use crate::model::{Asked, Sure};
use crate::must;
use crate::world::{Stop, World};

impl World {
    /// A handler does a step of its work and has it recorded; or asks what it gave, if it may have done it
    /// before.
    pub(crate) fn take_step(&mut self, pick: u32, name: u8) -> Result<(), Stop> {
        let now = self.clock.engine_now();
        let fits =
            |held: &crate::model::Held| held.is_open(now) && !self.model.at_most_once(held.queue);
        let Some(place) = self.pick(pick, fits) else {
            return Ok(());
        };
        let held = self.model.held[place].clone();
        let (token, message) = (Token(held.token), held.message);
        let sequence = self.next_sequence();
        let text = format!("step-{name}");
        if let Some(known) = self.model.messages[message].steps.get(&name) {
            let sure = *known == Sure::Yes;
            let asked = Asked::Recall {
                message,
                name,
                sure,
            };
            self.model.asked.insert(sequence, asked);
            return self.command(sequence, Command::RecallStep { token, name: &text });
        }
        let model = &mut self.model.messages[message];
        model.steps.insert(name, Sure::Maybe);
        let result = model.result_of(name);
        self.model
            .asked
            .insert(sequence, Asked::Step { message, name });
        let step = RecordStep {
            token,
            name: &text,
            result: Some(&result),
        };
        self.command(sequence, Command::RecordStep(step))
    }

    /// What a step gave, as it is told: nothing is known of it (0), or it gave a value (2).
    pub(crate) fn recalled(
        &mut self,
        message: usize,
        name: u8,
        sure: bool,
        answer: u64,
        body: Option<&[u8]>,
    ) -> Result<(), Stop> {
        let known = &self.model.messages[message];
        let result = known.result_of(name);
        match answer {
            0 => must!(
                !sure,
                "I6: step {name} was recorded and is forgotten: {known:?}"
            ),
            2 => must!(
                body == Some(&*result),
                "I2: step {name} gave something else: {known:?}"
            ),
            _ => must!(
                false,
                "I2: step {name} gave a value, not {answer}: {known:?}"
            ),
        }
        Ok(())
    }
}
