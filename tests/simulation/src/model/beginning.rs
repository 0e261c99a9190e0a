//! What a consumer has and what it has begun with may be two things: until it begins, it may decline.

use super::{End, Held, Model, Sure};
use crate::op::Say;

impl Model {
    /// Code of a consumer sees its delivery from now on. At most once, that is the end of its message.
    pub fn see(&mut self, place: usize, now: u64) {
        let held = &mut self.held[place];
        if std::mem::replace(&mut held.seen, true) {
            return;
        }
        let (index, queue) = (held.message, held.queue);
        let is_final = self.at_most_once(queue);
        let held = &mut self.held[place];
        if held.handler && held.is_open(now) && !held.late {
            let lease_ms = self.queues[queue].lease_ms.unwrap_or(0);
            held.begin(self.limits[queue], lease_ms, is_final, now);
        }
        if !is_final {
            return;
        }
        let message = &mut self.messages[index];
        (message.end, message.handed_over) = (End::Told, true);
        message.handed_over_at = now;
        let (sent, sequence) = (message.sent.clone(), message.sequence);
        if let Some(id) = sent.id {
            self.remember(sent.queue, id, sequence, (0, now), false);
        }
    }

    /// A consumer declines: its message waits as if nobody had been given it.
    pub fn decline(&mut self, held: &Held, now: u64, sequence: u64) {
        self.stale.push(held.token);
        self.say(held.message, Say::Return, now, sequence, Sure::Yes);
    }

    /// A delivery took too long, perhaps before its consumer began with it. At most once, nobody will any more, but
    /// until its consumer says that it is done, its id may be taken.
    pub fn miss(&mut self, held: &Held) {
        if !held.seen && self.at_most_once(held.queue) {
            let message = &mut self.messages[held.message];
            (message.end, message.handed_over) = (End::Maybe, true);
        }
    }

    /// What was to be delivered at most once, and is over by now, is nobody's to begin with.
    pub fn see_over(&mut self, now: u64) {
        for place in 0..self.held.len() {
            let held = &self.held[place];
            if !held.seen && held.is_over(now) && self.at_most_once(held.queue) {
                self.see(place, now);
            }
        }
    }

    /// Nobody has begun with any of what is over by now.
    pub fn see_all(&mut self, now: u64) {
        for place in 0..self.held.len() {
            self.see(place, now);
        }
    }
}
