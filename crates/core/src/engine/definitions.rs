//! Defining queues: new ones, other options for known ones, and those that only other queues speak of.

use super::Engine;
use crate::command::QueueId;
use crate::config::{Guarantee, QueueOptions};
use crate::consumer::desk::Desk;
use crate::effect::{Defined, Object, OptionChange};
use crate::error::{ErrorCode, Failure};
use crate::ledger::QUEUES_MAX;
use crate::ledger::queue::Queue;
use crate::ledger::settings::Settings;
use crate::time::Timestamp;

/// Bytes of a queue's name.
const QUEUE_NAME_BYTES_MAX: usize = 256;

impl Engine {
    pub(super) fn define(&mut self, name: &str, options: QueueOptions) -> Result<Object, Failure> {
        if name.is_empty() || name.len() > QUEUE_NAME_BYTES_MAX {
            let length = name.len();
            let message =
                format!("queue name: expected 1 to {QUEUE_NAME_BYTES_MAX} bytes, got {length}");
            return Err(Failure::new(ErrorCode::InvalidOption, message));
        }
        if self.config.read_only {
            return self.known_by_name(name);
        }
        let known = self.ledger.queue_named(name);
        let settings = match known {
            Some(queue) => self.ledger.queues[queue as usize].settings.amend(options)?,
            None => Settings::resolve(options)?,
        };
        if let Some(queue) = known {
            self.check_switch(queue, &settings)?;
        }
        self.check_told(name, &settings)?;
        self.check_room(known.is_none(), &settings)?;
        // What tells of deaths, and what is told, are in the journal together.
        self.commit.begin_unit();
        let (queue, changed) = match known {
            Some(queue) => (queue, self.amend(queue, settings)),
            None => (self.create_queue(name, settings), Vec::new()),
        };
        self.create_told(queue);
        self.commit.end_unit();
        self.ledger.touch(queue);
        let was_implied = std::mem::take(&mut self.ledger.queues[queue as usize].implied);
        let settings = &self.ledger.queues[queue as usize].settings;
        Ok(Object::Defined(Defined {
            queue: QueueId(queue),
            created: known.is_none() || was_implied,
            changed: if was_implied { Vec::new() } else { changed },
            options: settings.in_force(),
            named: Box::new(settings.named.clone()),
        }))
    }

    /// Puts other settings in force; returns what changed.
    fn amend(&mut self, queue: u32, settings: Settings) -> Vec<OptionChange> {
        let target = &mut self.ledger.queues[queue as usize];
        let changed = target.settings.changes(&settings);
        if settings.named != target.settings.named {
            target.settings = settings;
            self.ledger.write_queue(queue, &mut self.commit);
        }
        changed
    }

    /// Whether the box takes one queue more, and the one that it tells of dead letters.
    fn check_room(&self, is_new: bool, settings: &Settings) -> Result<(), Failure> {
        let told = settings.dead_letter_to.as_ref();
        let implies = told.is_some_and(|told| self.ledger.queue_named(told).is_none());
        let wanted = usize::from(is_new) + usize::from(implies);
        if wanted == 0 || self.ledger.queues.len() + wanted <= QUEUES_MAX {
            return Ok(());
        }
        let message = format!("a box holds at most {QUEUES_MAX} queues");
        Err(Failure::new(ErrorCode::QueueFull, message))
    }

    fn create_queue(&mut self, name: &str, settings: Settings) -> u32 {
        let queue = self.ledger.add_queue(Queue::new(name, settings));
        self.add_desk();
        self.ledger.write_queue(queue, &mut self.commit);
        queue
    }

    /// A queue that is told of dead letters is another one, and no row of them leads back.
    fn check_told(&self, name: &str, settings: &Settings) -> Result<(), Failure> {
        let refused = |expected: String| {
            let message = format!("deadLetterTo: expected {expected} (queue '{name}')");
            Err(Failure::new(ErrorCode::InvalidOption, message))
        };
        let Some(told) = &settings.dead_letter_to else {
            return Ok(());
        };
        if told.len() > QUEUE_NAME_BYTES_MAX {
            let length = told.len();
            return refused(format!(
                "a queue's name of at most {QUEUE_NAME_BYTES_MAX} bytes, got {length}"
            ));
        }
        let mut row = format!("'{name}'");
        let mut next = Some(told.clone());
        while let Some(told) = next {
            row.push_str(&format!(" to '{told}'"));
            if told == name {
                return refused(format!("no row of queues that leads back, got {row}"));
            }
            let known = self.ledger.queue_named(&told);
            next = known.and_then(|known| {
                let settings = &self.ledger.queues[known as usize].settings;
                settings.dead_letter_to.clone()
            });
        }
        Ok(())
    }

    /// A queue that is told of dead letters need not be defined by anybody.
    fn create_told(&mut self, queue: u32) {
        let settings = &self.ledger.queues[queue as usize].settings;
        let Some(told) = settings.dead_letter_to.clone() else {
            return;
        };
        if self.ledger.queue_named(&told).is_none() {
            let defaults =
                Settings::resolve(QueueOptions::default()).expect("defaults are allowed");
            let created = self.create_queue(&told, defaults);
            self.ledger.queues[created as usize].implied = true;
        }
    }

    pub(super) fn add_desk(&mut self) {
        self.desks.push(Desk::default());
        self.wakes.push(Timestamp::NEVER);
    }

    /// A queue becomes exactly-once only when every unfinished message has an id of its caller's.
    fn check_switch(&mut self, queue: u32, settings: &Settings) -> Result<(), Failure> {
        let target = &self.ledger.queues[queue as usize];
        let is = |guarantee| guarantee == Guarantee::ExactlyOnce;
        if !is(settings.guarantee) || is(target.settings.guarantee) {
            return Ok(());
        }
        if !self.ledger.holds_generated(self.now, queue) {
            return Ok(());
        }
        let message = format!(
            "queue '{}' cannot become exactly-once: it holds unfinished messages without an id of the caller's",
            self.ledger.queues[queue as usize].name
        );
        Err(Failure::new(ErrorCode::IdRequired, message))
    }
}
