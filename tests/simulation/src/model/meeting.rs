//! Commands without an answer may be carried out at any moment until that comes: whom they may meet.

use std::collections::BTreeSet;

use super::{Asked, End, Message, Model, Sent, Sure};

/// What a redrive does with each dead letter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct How {
    /// The queue that it goes to, if it is another one.
    pub to: Option<usize>,
    /// Its steps are forgotten.
    pub forget_steps: bool,
}

/// What somebody removes from a queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Swept {
    /// Messages that wait.
    Waiting,
    /// Dead letters.
    Dead,
}

impl Swept {
    fn fits(self, message: &Message) -> bool {
        match self {
            Self::Waiting => message.dead != Sure::Yes,
            Self::Dead => message.may_be_dead(),
        }
    }
}

impl Model {
    /// Somebody sweeps a queue.
    pub fn sweep(&mut self, queue: usize, what: Swept, now: u64) {
        self.swept.insert(queue);
        for index in self.idle(now) {
            self.meet_sweep(index, queue, what);
        }
    }

    /// Somebody redrives the dead letters of a queue.
    pub fn redrive(&mut self, queue: usize, how: How, now: u64) {
        for index in self.idle(now) {
            self.meet_redrive(index, queue, how);
        }
    }

    /// Everything that was asked for since a command and not answered may have met a message by now.
    pub fn meet_asked(&mut self, index: usize, since: u64) {
        for asked in self.asked_since(since) {
            match asked {
                Asked::Sweep { queue, what } => self.meet_sweep(index, queue, what),
                Asked::Redrive { queue, how, .. } => self.meet_redrive(index, queue, how),
                Asked::Cancel { message } if message != index => {
                    // It named an id, which has been another message's since.
                    let (named, message) = (&self.messages[message], &self.messages[index]);
                    if named.id == message.id && message.may_be_in(named.sent.queue) {
                        self.may_end(index);
                    }
                }
                _ => {}
            }
        }
    }

    /// A redrive without an answer may have met a message by now.
    pub fn meet_redrives(&mut self, index: usize) {
        for asked in self.asked_since(0) {
            if let Asked::Redrive { queue, how, .. } = asked {
                self.meet_redrive(index, queue, how);
            }
        }
    }

    /// Everything that was asked for and not answered may have met anything that is in nobody's hands.
    pub fn meet_all_asked(&mut self, now: u64) {
        for index in self.idle(now) {
            self.meet_asked(index, 0);
        }
    }

    /// Somebody wants the messages under an id to be tried at once.
    pub fn hurry(&mut self, queue: usize, id: &str) {
        let is_it = |sent: &Sent| sent.queue == queue && sent.id.as_deref() == Some(id);
        for message in &mut self.messages {
            if message.may_be_in(queue) && message.id.as_deref() == Some(id) {
                message.not_before = 0;
            }
        }
        for asked in self.asked.values_mut() {
            let sents: &mut [Option<Sent>] = match asked {
                Asked::Enqueue { items }
                | Asked::Unit { items, .. }
                | Asked::Move { items, .. } => items,
                Asked::Produce { sent, .. } => std::slice::from_mut(sent),
                _ => &mut [],
            };
            for sent in sents.iter_mut().flatten().filter(|sent| is_it(sent)) {
                sent.not_before = 0;
            }
        }
    }

    fn asked_since(&self, since: u64) -> Vec<Asked> {
        let asked = self.asked.range(since..).map(|(_, asked)| asked);
        let meets = |asked: &&Asked| {
            matches!(
                asked,
                Asked::Sweep { .. } | Asked::Redrive { .. } | Asked::Cancel { .. }
            )
        };
        asked.filter(meets).cloned().collect()
    }

    fn meet_sweep(&mut self, index: usize, queue: usize, what: Swept) {
        let message = &self.messages[index];
        if message.may_be_in(queue) && what.fits(message) {
            self.may_end(index);
        }
    }

    fn meet_redrive(&mut self, index: usize, queue: usize, how: How) {
        let message = &mut self.messages[index];
        if message.end != End::Told && message.may_be_in(queue) && message.may_be_dead() {
            message.redrive(how);
            self.may_be_lost_damaged(index);
        }
    }

    fn may_end(&mut self, index: usize) {
        let end = &mut self.messages[index].end;
        if *end == End::No {
            *end = End::Maybe;
        }
    }

    /// Messages that are not over and that no consumer certainly has.
    fn idle(&self, now: u64) -> Vec<usize> {
        let open = self.held.iter().filter(|held| held.is_open(now));
        let held: BTreeSet<usize> = open.map(|held| held.message).collect();
        let is_idle =
            |index: &usize| self.messages[*index].end != End::Told && !held.contains(index);
        (0..self.messages.len()).filter(is_idle).collect()
    }
}
