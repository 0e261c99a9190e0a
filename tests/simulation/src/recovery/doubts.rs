//! What was asked for without an answer: if a command was carried out, so were all before it.

use std::collections::BTreeSet;

use super::{Checked, Ended};
use crate::model::inbox::Row;
use crate::model::{Asked, End, Model, Sent, Sure};
use crate::must;
use crate::probe::Finding;

/// A command whose outcome nobody told.
#[derive(Debug)]
pub(super) enum Doubt {
    /// It sent a message; where that is now, if it is found.
    Sent {
        sequence: u64,
        sent: Sent,
        found: bool,
        /// The row of the inbox that it came from.
        row: Option<Row>,
    },
    /// It ended one.
    Ended { sequence: u64, message: usize },
}

impl Model {
    /// What nobody told, in order, and the messages of which more than one thing is in doubt.
    pub(super) fn doubts(&self) -> (Vec<Doubt>, BTreeSet<usize>) {
        let mut doubts = Vec::new();
        let mut blurred = BTreeSet::new();
        for (index, message) in self.messages.iter().enumerate() {
            match message.end {
                End::Asked(sequence) => doubts.push(Doubt::Ended {
                    sequence,
                    message: index,
                }),
                End::Maybe => {
                    blurred.insert(index);
                }
                End::No | End::Told => {}
            }
        }
        for (sequence, asked) in &self.asked {
            match asked {
                Asked::Cancel { message } => {
                    if matches!(self.messages[*message].end, End::No) {
                        doubts.push(Doubt::Ended {
                            sequence: *sequence,
                            message: *message,
                        });
                    }
                    if self.messages[*message].end != End::No
                        || self.messages[*message].may_be_dead()
                    {
                        blurred.insert(*message);
                    }
                }
                Asked::Produce {
                    sent: Some(sent), ..
                } => doubts.push(Doubt::Sent {
                    sequence: *sequence,
                    sent: sent.clone(),
                    found: false,
                    row: None,
                }),
                Asked::Move { row, items } => {
                    let sent = items.iter().flatten().cloned();
                    doubts.extend(sent.map(|sent| Doubt::Sent {
                        sequence: *sequence,
                        sent,
                        found: false,
                        row: Some(*row),
                    }));
                }
                Asked::Enqueue { items, .. } | Asked::Unit { items, .. } => {
                    let sent = items.iter().flatten().cloned();
                    doubts.extend(sent.map(|sent| Doubt::Sent {
                        sequence: *sequence,
                        sent,
                        found: false,
                        row: None,
                    }));
                }
                _ => {}
            }
        }
        (doubts, blurred)
    }

    /// Takes what was sent without a receipt for accepted if somebody is told of its death. The message about
    /// it may not be there for good, and then the next owner tells of the same death anew.
    pub(super) fn accept_the_dead(&mut self, found: &Finding, doubts: &mut [Doubt]) {
        for doubt in doubts {
            let Doubt::Sent {
                sequence,
                sent,
                found: is_found @ false,
                row,
            } = doubt
            else {
                continue;
            };
            let mut letters = found.queues.iter().flatten();
            let mut unnamed = sent.clone();
            if row.is_some_and(|row| row.buried) {
                unnamed.id = None;
            }
            let died_as = letters.find_map(|one| self.first_told_of(&unnamed, &one.body));
            if let Some(id) = died_as {
                *is_found = true;
                sent.id = sent.id.take().filter(|given| *given == id);
                let index = self.accept(sent.clone(), id, None, *sequence);
                self.messages[index].end = End::Maybe;
                self.messages[index].dead = Sure::Maybe;
                self.may_have_gone_on(index, sent.queue);
            }
        }
    }

    /// The messages of a row that is moved are there, those of any other one are not.
    pub(super) fn check_rows(&self, doubts: &[Doubt], moved: u64) -> Checked {
        for doubt in doubts {
            let Doubt::Sent {
                sent,
                found,
                row: Some(row),
                ..
            } = doubt
            else {
                continue;
            };
            let is_moved = row.key <= moved;
            must!(
                is_moved || !found,
                "I6: only {moved} rows are moved, but {sent:?} of {row:?} is there"
            );
            let may_miss = sent.known || self.vanishes(sent);
            must!(
                !is_moved || *found || may_miss,
                "I6: {moved} rows are moved, but {sent:?} of {row:?} is lost"
            );
        }
        Ok(())
    }

    /// If a command is carried out, all before it are; and all before one that was told.
    pub(super) fn check_prefix(
        &self,
        doubts: &[Doubt],
        seen: &BTreeSet<usize>,
        blurred: &BTreeSet<usize>,
    ) -> Checked {
        let mut first_missing = None;
        let mut last_there = self.durable;
        for doubt in doubts {
            let (sequence, done) = match doubt {
                Doubt::Ended { message, .. }
                    if blurred.contains(message)
                        || self.vanishes(&self.messages[*message].sent) =>
                {
                    continue;
                }
                Doubt::Ended { sequence, message } => (*sequence, !seen.contains(message)),
                Doubt::Sent { sent, .. } if sent.known || self.vanishes(sent) => continue,
                Doubt::Sent {
                    sequence, found, ..
                } => (*sequence, *found),
            };
            if done {
                last_there = last_there.max(sequence);
            } else if first_missing.is_none_or(|(first, _)| sequence < first) {
                first_missing = Some((sequence, doubt));
            }
        }
        if let Some((missing, doubt)) = first_missing {
            must!(
                missing > last_there,
                "I6: command {last_there} is there, {missing} is not: {doubt:?}"
            );
        }
        Ok(())
    }

    /// Whether a message may be gone as soon as it was accepted.
    fn vanishes(&self, sent: &Sent) -> bool {
        let swept = self
            .asked
            .values()
            .any(|asked| matches!(asked, Asked::Sweep { .. } | Asked::Cancel { .. }));
        let moved = |asked: &Asked| matches!(asked, Asked::Redrive { how, .. } if how.to.is_some());
        let retains = self.queues[sent.queue].dead.is_some();
        let moved = self.asked.values().any(moved);
        self.at_most_once(sent.queue) || swept || retains || moved
    }

    /// What may have been accepted and finished without anybody having been told.
    pub(super) fn remember_doubts(&mut self, doubts: &[Doubt], ended: Ended) {
        for doubt in doubts {
            if let Doubt::Sent {
                sequence,
                sent,
                found: false,
                ..
            } = doubt
                && let Some(id) = &sent.id
                && self.at_most_once(sent.queue)
                && self.live(sent.queue, id).is_none()
            {
                let at_least = self
                    .entries
                    .get(&(sent.queue, id.clone()))
                    .map(|entry| entry.at_least);
                self.remember(sent.queue, id.clone(), *sequence, (0, ended.last), false);
                let entry = self.entries.get_mut(&(sent.queue, id.clone()));
                if let (Some(entry), Some(at_least)) = (entry, at_least) {
                    entry.at_least = at_least;
                }
            }
        }
    }
}
