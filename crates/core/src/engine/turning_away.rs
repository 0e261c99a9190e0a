//! Messages that meet an open circuit while their workers do not want them to wait: they fail, or die at once.
//!
//! Nobody had them in hand, so of one that dies the body may have to be read first, for those who are told
//! of it (see [`super::compensating`]). It is turned away when it is there, whatever its circuit has become.

use super::Engine;
use super::own_errors::circuit_open;
use crate::command::{Reason, WorkerId};
use crate::consumer::policies::WhenOpen;
use crate::journal::Record;
use crate::ledger::{Note, Recorder};
use crate::time::Timestamp;

/// How a message is turned away.
#[derive(Clone, Debug)]
pub(super) struct TurnedAway {
    /// The worker that would have had it.
    worker: WorkerId,
    /// It dies, however many attempts it has left.
    dies: bool,
    /// What its circuit was like.
    error: Box<[u8]>,
}

impl Engine {
    /// A message meets an open circuit.
    pub(super) fn turn_away(&mut self, id: WorkerId, slot: u32, whose: &str, until: Timestamp) {
        let message = &self.ledger.messages[slot];
        let (queue, number) = (message.queue, message.number);
        let key = self.workers[&id].control.expect("it has a breaker");
        let when_open = self.desks[queue as usize].controls[&key].policies.when_open;
        let turned_away = TurnedAway {
            worker: id,
            dies: when_open == WhenOpen::DeadLetter,
            error: circuit_open(whose, until).into(),
        };
        let due = self.now.plus(self.rest_ms(slot));
        let may_die = turned_away.dies || self.ledger.dies_of_failure(slot, self.now, due);
        if may_die && self.has_to_be_read(slot) {
            self.ledger.leave(slot);
            self.kill_turned_away(number, queue, turned_away);
            return self.ledger.touch(queue);
        }
        self.fail_turned_away(slot, &turned_away);
    }

    /// It fails, or dies.
    pub(super) fn fail_turned_away(&mut self, slot: u32, turned_away: &TurnedAway) {
        let queue = self.ledger.messages[slot].queue;
        let TurnedAway {
            worker,
            dies,
            error,
        } = turned_away;
        if *dies {
            self.ledger.leave(slot);
            self.kill(slot, Reason::CircuitOpen, false, error);
            self.count_undelivered(*worker, false);
        } else {
            let token = self.next_token();
            self.ledger.lease(slot, token, self.now);
            let number = self.ledger.messages[slot].number;
            let started = Record::Started {
                number,
                token: token.0,
            };
            self.commit.write(&started, Note::None);
            self.ledger.unlease(slot);
            self.ledger.queues[queue as usize].counters.rejected += 1;
            let rest_ms = self.rest_ms(slot);
            let stays = self.fail_attempt(slot, Reason::Exhausted, Some(rest_ms), error);
            if stays {
                self.ledger.enter(slot, self.now);
            }
            self.count_undelivered(*worker, stays);
        }
        self.promote_group_of(slot);
        self.note_drained(queue);
        self.ledger.touch(queue);
    }

    /// Time has to pass, or a message with many attempts would meet the circuit again at once, without end.
    fn rest_ms(&self, slot: u32) -> u64 {
        self.ledger.backoff_ms(slot).max(1)
    }
}
