//! Receipts: what is accepted is new, what is a duplicate is known.

use ackbox_core::command::MessageState;

use super::{Checked, Violation};
use crate::model::{Asked, End, Message, Model, Sent, Sure};
use crate::must;

/// A receipt as it was told.
#[derive(Debug)]
pub struct Told<'a> {
    /// Of which command.
    pub sequence: u64,
    /// Of which of its messages.
    pub index: usize,
    /// Nothing was accepted.
    pub duplicate: bool,
    /// What it is, or was.
    pub state: MessageState,
    /// Its number.
    pub number: u64,
    /// Its id.
    pub id: &'a str,
}

impl Model {
    /// A message was accepted, or known.
    pub fn receipt(&mut self, told: &Told<'_>) -> Checked {
        let sequence = told.sequence;
        if let Some(Asked::Produce { .. }) = self.asked.get(&sequence) {
            return self.numbered_receipt(told);
        }
        let buried = self.is_buried(sequence);
        let sent = match self.asked.get_mut(&sequence) {
            Some(
                Asked::Enqueue { items } | Asked::Unit { items, .. } | Asked::Move { items, .. },
            ) => items[told.index].take(),
            _ => None,
        };
        let Some(mut sent) = sent else {
            return Err(Violation(format!(
                "I2: a receipt that nobody waits for: {told:?}"
            )));
        };
        if let Some(Asked::Enqueue { items }) = self.asked.get(&sequence)
            && items.iter().all(Option::is_none)
        {
            self.asked.remove(&sequence);
        }
        self.durable = self.durable.max(sequence);
        if buried {
            let is_dead = told.duplicate || told.state == MessageState::Dead;
            must!(is_dead, "I2: refused before, and no dead letter: {told:?}");
            // It is another one's, and nobody was to be told.
            let is_free = told.duplicate || sent.id.as_deref() == Some(told.id);
            must!(
                is_free || sent.known,
                "I2: another id than that of nobody else: {sent:?}, {told:?}"
            );
            sent.id = sent.id.filter(|_| is_free);
        }
        if let Some(id) = &sent.id {
            must!(id == told.id, "I2: sent under {id}: {told:?}");
            self.check_identity(sent.queue, id, &sent.body, sent.at, told)?;
        } else {
            must!(
                !told.duplicate,
                "I7: a message without an id is a duplicate: {told:?}"
            );
        }
        if told.duplicate {
            return Ok(());
        }
        let known = self.by_number.get(&told.number);
        must!(known.is_none(), "I2: number {} is given twice", told.number);
        self.accept_told(sent, told.id.to_owned(), told);
        Ok(())
    }

    /// Whether a command makes dead letters of what it sends.
    fn is_buried(&self, sequence: u64) -> bool {
        matches!(self.asked.get(&sequence), Some(Asked::Move { row, .. }) if row.buried)
    }

    /// A message is accepted, and what was asked for meanwhile may have met it.
    fn accept_told(&mut self, sent: Sent, id: String, told: &Told<'_>) {
        let index = self.accept(sent, id, Some(told.number), told.sequence);
        if self.is_buried(told.sequence) {
            let message = &mut self.messages[index];
            (message.dead, message.may_die) = (Sure::Yes, true);
        }
        self.meet_asked(index, told.sequence);
    }

    /// A numbered message was accepted, or known.
    fn numbered_receipt(&mut self, told: &Told<'_>) -> Checked {
        let Some(Asked::Produce {
            producer,
            number,
            sent,
        }) = self.asked.get_mut(&told.sequence)
        else {
            return Ok(());
        };
        let (producer, number) = (*producer, *number);
        let sent = sent.take();
        let sent = sent.ok_or_else(|| Violation(format!("I2: a second receipt: {told:?}")))?;
        let known = self.producers.entry(producer).or_default();
        must!(
            !told.duplicate || sent.known,
            "I7: number {number} of a producer is taken for a duplicate, and lost: {told:?}"
        );
        known.accept(number, told.duplicate)?;
        self.durable = self.durable.max(told.sequence);
        if !told.duplicate {
            let is_new = !self.by_number.contains_key(&told.number);
            must!(is_new, "I2: number {} is given twice", told.number);
            let id = told.id.to_owned();
            self.accept_told(sent, id, told);
        }
        Ok(())
    }

    fn check_identity(
        &self,
        queue: usize,
        id: &str,
        body: &[u8],
        at: u64,
        told: &Told<'_>,
    ) -> Checked {
        let same =
            |message: &&Message| message.may_be_in(queue) && message.id.as_deref() == Some(id);
        let entry = self.entries.get(&(queue, id.to_owned()));
        if told.duplicate {
            let live = self
                .messages
                .iter()
                .filter(same)
                .any(|message| message.end != End::Told || message.handed_over_at >= at);
            let finished = entry.is_some_and(|entry| at < entry.at_most);
            must!(
                live || finished,
                "I7: taken for a duplicate of nothing, and lost: {told:?}"
            );
            let mut others = self.messages.iter().filter(same);
            let differs = others.any(|message| {
                let is_live = message.end == End::No
                    && !self.may_have_retired(message)
                    && message.elsewhere.is_empty();
                is_live && message.sent.body != body
            });
            must!(!differs, "I7: a duplicate with another body: {told:?}");
            return Ok(());
        }
        for message in self.messages.iter().filter(same) {
            let was_live = match message.end {
                End::No => !self.may_have_retired(message) && message.elsewhere.is_empty(),
                End::Asked(ended) => ended > told.sequence && message.elsewhere.is_empty(),
                End::Maybe | End::Told => false,
            };
            must!(!was_live, "I7: accepted beside {message:?}: {told:?}");
        }
        if let Some(entry) = entry {
            let remembered = entry.sure && entry.sequence < told.sequence && at < entry.at_least;
            must!(
                !remembered,
                "I7: accepted again within its window, {entry:?}: {told:?}, sent at {at}"
            );
        }
        Ok(())
    }
}
