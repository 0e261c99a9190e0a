//! Frames that will not become durable: taken apart to be staged anew, or given up.

use super::Commit;
use crate::engine::staging::{Gate, Retracted};
use crate::journal::{Record, Span};
use crate::ledger::Note;

impl Commit {
    /// The append in flight wrote nothing: it is taken back, together with the staged frames behind
    /// it. All are given back in order.
    pub(in crate::engine) fn retract(&mut self) -> Vec<Retracted> {
        let failed = self
            .in_flight
            .take()
            .expect("AppendFailed without an append in flight");
        self.frames -= 1;
        self.written = failed.before;
        if failed.began_segment {
            self.segments.pop_back();
        } else {
            let (_, end) = self.segments.back_mut().expect("it was appended to");
            *end -= failed.bytes.len() as u64;
        }
        let payload = |span: &Span| failed.payload(*span).to_vec();
        let first = Retracted {
            records: failed
                .notes
                .iter()
                .map(|(note, span)| (*note, payload(span)))
                .collect(),
            gates: failed.gates,
        };
        let later = std::mem::take(&mut self.staged)
            .into_iter()
            .map(|staged| Retracted {
                records: staged
                    .notes
                    .iter()
                    .map(|(note, span)| (*note, staged.frame.payload(*span).to_vec()))
                    .collect(),
                gates: staged.gates,
            });
        std::iter::once(first).chain(later).collect()
    }

    /// Begins to stage a frame anew that was taken back. Frames are joined where they fit: what nobody
    /// waits for shares the fate of what somebody does.
    pub(in crate::engine) fn begin_again(&mut self) {
        self.make_frame();
    }

    /// Writes a record that was taken back.
    pub(in crate::engine) fn write_again(&mut self, record: &Record<'_>, note: Note) {
        self.push(record, note);
    }

    /// Keeps what is staged until something else is written, unless somebody waits for it.
    pub(in crate::engine) fn hold_if_unawaited(&mut self) {
        self.on_hold = !self
            .staged
            .iter()
            .flat_map(|staged| &staged.gates)
            .any(Gate::is_awaited);
    }

    /// Keeps what is staged until something else is written, or lets it be tried again.
    pub(in crate::engine) fn hold(&mut self, hold: bool) {
        self.on_hold = hold;
    }

    /// The queues of all messages whose acceptance is not durable, one entry each.
    #[must_use]
    pub(in crate::engine) fn accepting(&self) -> Vec<u32> {
        let mut queues = Vec::new();
        let mut look = |note: Note, payload: &[u8]| {
            if matches!(note, Note::Accepted { .. } | Note::Owed { .. })
                && let Ok(Record::Message(message)) = Record::decode(payload)
            {
                queues.push(message.queue);
            }
        };
        if let Some(in_flight) = &self.in_flight {
            for (note, span) in &in_flight.notes {
                look(*note, in_flight.payload(*span));
            }
        }
        for staged in &self.staged {
            for (note, span) in &staged.notes {
                look(*note, staged.frame.payload(*span));
            }
        }
        queues
    }

    /// Everything that waits, to be told that it will never be durable.
    pub(in crate::engine) fn abandon(&mut self) -> Vec<Gate> {
        if let Some(remote) = &mut self.remote {
            return remote.abandon();
        }
        let in_flight = self
            .in_flight
            .take()
            .into_iter()
            .flat_map(|in_flight| in_flight.gates);
        let staged = std::mem::take(&mut self.staged)
            .into_iter()
            .flat_map(|staged| staged.gates);
        in_flight.chain(staged).collect()
    }
}
