//! Showing what was recorded of the steps of messages: what they gave comes behind all other contents.

use super::{Inspection, Shape};
use crate::command::{Ticket, Token};
use crate::effect::StepInfo;
use crate::engine::Engine;
use crate::engine::contents::{Part, Purpose, step_result_of};
use crate::ledger::steps::Gave;

impl Engine {
    /// Shows messages with what was recorded of their steps.
    pub(super) fn inspect_with_steps(&mut self, ticket: Ticket, slots: &[u32], shape: Shape) {
        let mut inspection = self.inspection_of(ticket, slots, shape);
        for (entry, slot) in slots.iter().enumerate() {
            let keys = self.ledger.steps_of(*slot).to_vec();
            let mut steps = Vec::with_capacity(keys.len());
            for key in keys {
                let step = self.ledger.step(key);
                let (name, gave) = (step.name.to_string(), step.gave);
                steps.push(StepInfo { name, gave });
                self.add_step(&mut inspection, key);
            }
            inspection.infos[entry].steps = Some(steps);
        }
        self.begin_inspection(inspection);
    }

    /// Shows what a step gave to the delivery that asks.
    pub(in crate::engine) fn show_step(&mut self, ticket: Ticket, token: Token, key: u32) {
        let mut inspection = Inspection {
            ticket,
            shape: Shape::Step(token),
            infos: Vec::new(),
            contents: Vec::new(),
            reads: 0,
            durable: false,
            damaged: None,
        };
        self.add_step(&mut inspection, key);
        self.begin_inspection(inspection);
    }

    /// Adds what a step gave behind all other contents; nothing if it gave nothing.
    fn add_step(&mut self, inspection: &mut Inspection, key: u32) {
        let step = self.ledger.step(key);
        let (job, index) = (self.inspections.last + 1, inspection.contents.len() as u32);
        let mut content = None;
        if step.gave == Gave::Value {
            if let Some(payload) = self.ledger.unplaced_step(key) {
                content = step_result_of(&payload);
            } else {
                let part = Part::Step(step.place);
                self.reads
                    .want(step.place, Purpose::Inspect { job, index, part });
                inspection.reads += 1;
            }
        }
        inspection.contents.push(content);
    }
}
