//! Group commit of an engine that works on what it claimed of a remote ledger.
//!
//! The ledger writes the records that it would write into a journal. Those that tell what became of a claimed message
//! are turned into settlements, all others concern nobody. Settlements are gathered while others are on their
//! way; gates wait for the settlement that was written last before them. A journal takes all or nothing; here the remote
//! ledger may refuse single ones, whose leases were gone: what waited for those is told so.

use std::collections::{BTreeSet, VecDeque};

use super::Commit;
use crate::command::{Reason, Ticket, Token};
use crate::effect::{Effect, EventKind, Fate, Settlement};
use crate::engine::deliveries::lease_lost;
use crate::engine::staging::Gate;
use crate::journal::Record;
use crate::ledger::parse_death;
use crate::time::Timestamp;

/// Settlements that go together at most, but for a unit, which is never cut.
const SETTLEMENTS_AT_ONCE: usize = 1000;
/// The same in bytes of results and errors.
const BYTES_AT_ONCE: usize = 4 << 20;

/// Settlements that go together, and what waits for each.
#[derive(Debug, Default)]
struct Batch {
    settlements: Vec<Settlement>,
    bytes: usize,
    /// Each with the number of settlements that were written before it, 1 at least.
    gates: Vec<(usize, Gate)>,
}

/// What the host carries out now.
#[derive(Debug)]
struct InFlight {
    /// Of each settlement its claim, and on whose behalf it is.
    whose: Vec<(Token, Ticket)>,
    gates: Vec<(usize, Gate)>,
}

/// Settlements on their way.
#[derive(Debug, Default)]
pub(in crate::engine) struct Remote {
    staged: VecDeque<Batch>,
    in_flight: Option<InFlight>,
    /// Settlements of those that were refused.
    refused: BTreeSet<Token>,
    /// Who is told what becomes of the settlements that are written now.
    ticket: Ticket,
    in_unit: bool,
}

impl Remote {
    /// Settlements that follow are on behalf of this ticket.
    pub(in crate::engine) fn ask_for(&mut self, ticket: Ticket) {
        self.ticket = ticket;
    }

    /// The settlements that follow are one unit, until this is said with false.
    pub(in crate::engine) fn join(&mut self, in_unit: bool) {
        self.in_unit = in_unit;
        if in_unit {
            self.staged.push_back(Batch::default());
        }
    }

    /// The settlement of a claim, which is in flight, was refused.
    pub(in crate::engine) fn refuse(&mut self, token: Token) {
        self.refused.insert(token);
    }

    pub(super) fn is_idle(&self) -> bool {
        self.in_flight.is_none() && self.staged.iter().all(Batch::is_empty)
    }

    pub(super) fn staged_bytes(&self) -> usize {
        self.staged.iter().map(|batch| batch.bytes).sum()
    }

    pub(super) fn gates(&self) -> usize {
        let staged = self.staged.iter().map(|batch| batch.gates.len());
        staged.sum::<usize>() + self.in_flight.as_ref().map_or(0, |it| it.gates.len())
    }

    /// Has the host carry out what was gathered, unless it is at it already.
    pub(in crate::engine) fn seal(&mut self, output: &mut VecDeque<Effect>) {
        if self.in_flight.is_some() {
            return;
        }
        while self.staged.front().is_some_and(Batch::is_empty) {
            self.staged.pop_front();
        }
        let Some(batch) = self.staged.pop_front() else {
            return;
        };
        let whose = batch
            .settlements
            .iter()
            .map(|it| (it.token, it.ticket))
            .collect();
        self.in_flight = Some(InFlight {
            whose,
            gates: batch.gates,
        });
        let count = batch.settlements.len() as u32;
        output.extend(
            batch
                .settlements
                .into_iter()
                .map(|it| Effect::Settlement(Box::new(it))),
        );
        output.push_back(Effect::Transit { count });
    }

    /// The settlements in flight were carried out, but for those that were refused: what waited for them.
    pub(in crate::engine) fn done(&mut self) -> Vec<Gate> {
        let sent = self.in_flight.take();
        let InFlight { whose, gates } = sent.expect("Appended without settlements in flight");
        let refused = std::mem::take(&mut self.refused);
        let opened = gates
            .into_iter()
            .filter_map(|(behind, gate)| match whose[behind - 1] {
                (token, ticket) if refused.contains(&token) => as_refused(gate, ticket),
                _ => Some(gate),
            });
        opened.collect()
    }

    pub(super) fn abandon(&mut self) -> Vec<Gate> {
        let in_flight = self.in_flight.take().into_iter().flat_map(|it| it.gates);
        let staged = std::mem::take(&mut self.staged)
            .into_iter()
            .flat_map(|batch| batch.gates);
        in_flight.chain(staged).map(|(_, gate)| gate).collect()
    }

    fn push(&mut self, token: Token, fate: Fate) {
        let is_full = |batch: &Batch| !self.in_unit && batch.is_full();
        if self.staged.back().is_none_or(is_full) {
            self.staged.push_back(Batch::default());
        }
        let batch = self.staged.back_mut().expect("there is one");
        batch.bytes += size_of::<Settlement>() + fate.bytes();
        batch.settlements.push(Settlement {
            token,
            ticket: self.ticket,
            in_unit: self.in_unit,
            fate,
        });
    }
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.settlements.is_empty()
    }

    fn is_full(&self) -> bool {
        self.settlements.len() >= SETTLEMENTS_AT_ONCE || self.bytes >= BYTES_AT_ONCE
    }
}

impl Commit {
    /// Writes what concerns a remote ledger.
    pub(super) fn write_remote(&mut self, record: &Record<'_>) {
        let remote = self.remote.as_mut().expect("asked before");
        let (number, fate) = match record {
            Record::Completed {
                number,
                handed_over: false,
                result,
                ..
            } => (*number, Fate::Completed((*result).into())),
            Record::Returned { number } => (*number, Fate::Returned),
            Record::Retried {
                number,
                due,
                costs,
                attempt,
            } => {
                let again = Fate::Again {
                    due: Timestamp(*due),
                    costs_attempt: *costs,
                    reason: Reason::from_code(attempt.reason).unwrap_or(Reason::Exhausted),
                    error: attempt.error.into(),
                };
                (*number, again)
            }
            Record::Dead {
                number,
                reason,
                error,
                ..
            } => {
                let (reason, _) = parse_death(*reason).expect("it was written by this run");
                let error = (*error).into();
                (*number, Fate::Dead { reason, error })
            }
            _ => return,
        };
        remote.push(Token(number), fate);
    }

    /// Lets something wait for the settlement that was written last.
    pub(super) fn gate_remote(&mut self, gate: Gate) -> Option<Gate> {
        let remote = self.remote.as_mut().expect("asked before");
        if let Some(batch) = remote
            .staged
            .iter_mut()
            .rev()
            .find(|batch| !batch.is_empty())
        {
            batch.gates.push((batch.settlements.len(), gate));
        } else if let Some(in_flight) = &mut remote.in_flight {
            in_flight.gates.push((in_flight.whose.len(), gate));
        } else {
            return Some(gate);
        }
        None
    }
}

/// What becomes of something that waited for a settlement that was refused.
fn as_refused(gate: Gate, whose: Ticket) -> Option<Gate> {
    match gate {
        Gate::Effect(Effect::Reply { ticket, .. }) if ticket == whose => {
            Some(Gate::Effect(Effect::Reply {
                ticket,
                result: Err(lease_lost()),
            }))
        }
        Gate::Effect(Effect::Event(event)) if tells_of_settlement(event.kind) => None,
        other => Some(other),
    }
}

fn tells_of_settlement(kind: EventKind) -> bool {
    use EventKind::{Completed, Dead, Failed, Retry};
    matches!(kind, Completed | Failed | Retry | Dead)
}
