//! Producers: messages with and without ids, alone and in units.

use ackbox_core::command::{Command, Enqueue, QueueId};
use ackbox_core::config::Guarantee;

use crate::model::{Asked, Sent};
use crate::op::Item;
use crate::world::{Stop, World};

/// How ids begin that a plan chose, so that they meet.
const CHOSEN: &str = "id-";
/// How those of other messages begin where a queue takes none without an id.
const NUMBERED: &str = "serial-";

impl World {
    /// Sends messages, all or none.
    pub(crate) fn send(&mut self, items: &[Item], many: bool) -> Result<(), Stop> {
        if items.is_empty() {
            return Ok(());
        }
        let sent = self.sent(items);
        let enqueues = enqueues(items, &sent, self.model.queues.len());
        let sequence = self.next_sequence();
        let items = sent.iter().cloned().map(Some).collect();
        self.model.asked.insert(sequence, Asked::Enqueue { items });
        let command = match (many, enqueues.as_slice()) {
            (false, [one]) => Command::Enqueue(one.clone()),
            _ => Command::EnqueueMany(enqueues),
        };
        self.command(sequence, command)
    }

    /// What the model is to know of these.
    pub(crate) fn sent(&mut self, items: &[Item]) -> Vec<Sent> {
        self.sent_with(items, false)
    }

    /// The same of what a tab leaves, which gives every message an id.
    pub(crate) fn sent_by_tab(&mut self, items: &[Item]) -> Vec<Sent> {
        self.sent_with(items, true)
    }

    fn sent_with(&mut self, items: &[Item], always_named: bool) -> Vec<Sent> {
        let now = self.clock.engine_now();
        let mut all: Vec<Sent> = Vec::new();
        for item in items {
            let queue = item.queue % self.model.queues.len();
            let id = self.id_of(item, queue, always_named);
            let twice = |sent: &Sent| sent.queue == queue && sent.id.is_some() && sent.id == id;
            let known = all.iter().any(twice)
                || id
                    .as_deref()
                    .is_some_and(|id| self.model.may_be_known(queue, id, now));
            all.push(Sent {
                queue,
                headers: format!("serial {}", item.serial),
                body: body_of(item, id.as_deref()),
                id,
                group: item.group.map(|group| format!("group-{group}")),
                priority: item.priority,
                destination: item.destination.map(|number| format!("place-{number}")),
                not_before: now + item.delay_ms,
                deadline: item.ttl_ms.map(|ms| now + ms),
                at: now,
                known,
            });
        }
        all
    }

    /// A queue that promises exactly-once takes no message without an id.
    fn id_of(&self, item: &Item, queue: usize, always: bool) -> Option<String> {
        let guarantee = self.model.queues[queue].guarantee;
        let requires = always || guarantee == Some(Guarantee::ExactlyOnce);
        match item.id {
            Some(id) => Some(format!("{CHOSEN}{id}")),
            None if requires => Some(format!("{NUMBERED}{}", item.serial)),
            None => None,
        }
    }
}

/// Whether an id is one that producers give: all others are generated.
pub(crate) fn is_given(id: &str) -> bool {
    [CHOSEN, NUMBERED].iter().any(|begin| id.starts_with(begin))
}

/// The same id means the same body, but where it is to conflict.
fn body_of(item: &Item, id: Option<&str>) -> Vec<u8> {
    let mut body = match id {
        Some(id) if item.conflicts => format!("{id}, otherwise"),
        Some(id) => id.to_owned(),
        None => format!("{}", item.serial),
    }
    .into_bytes();
    let length = if id.is_some() {
        100
    } else {
        usize::from(item.bytes)
    };
    let letter = body[body.len() - 1];
    body.extend(std::iter::repeat_n(letter, length));
    body
}

/// The commands of these messages.
pub(crate) fn enqueues<'a>(items: &[Item], sent: &'a [Sent], queues: usize) -> Vec<Enqueue<'a>> {
    let enqueue = |(item, sent): (&Item, &'a Sent)| Enqueue {
        queue: QueueId((item.queue % queues) as u32),
        id: sent.id.as_deref(),
        delay_ms: (item.delay_ms > 0).then_some(item.delay_ms),
        at: None,
        ttl_ms: item.ttl_ms,
        priority: sent.priority,
        max_attempts: None,
        group: sent.group.as_deref(),
        destination: sent.destination.as_deref(),
        headers: sent.headers.as_bytes(),
        body: &sent.body,
        enqueued_at: None,
        has_host_id: false,
    };
    items.iter().zip(sent).map(enqueue).collect()
}
