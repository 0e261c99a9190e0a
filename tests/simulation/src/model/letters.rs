//! What queues are told of the deaths in others (`deadLetterTo`): for each death one message, in the same
//! commit, with everything in it that the dead letter had.
//!
//! Nobody is told that such a message was accepted. It is held against the message that died when it is
//! delivered or found. What a new owner finds it may have made itself of a death that it noticed, and not
//! have written yet: only what is delivered is there for good. Those that never are are missed in the end.

use super::{Asked, Body, Model, Sent};
use crate::invariants::Violation;
use crate::must;

type Checked<T = ()> = Result<T, Violation>;

/// How their ids begin.
const BEGIN: &str = "dead-";
/// What stands in front of a body that is JSON, and what behind any.
const BODY: &str = r#","body":"#;
const REST: &str = r#","headers":{},"reason":""#;

/// A message that nobody sent.
#[derive(Clone, Copy, Debug)]
pub struct Unknown<'a> {
    /// Where it is.
    pub queue: usize,
    /// Under which id.
    pub id: &'a str,
    /// Its number, if that is known.
    pub number: Option<u64>,
    /// Its headers.
    pub headers: &'a [u8],
    /// What is in it; none if that is damaged.
    pub body: Option<&'a [u8]>,
}

impl Model {
    /// The queue that is told of deaths in a queue.
    fn told_of(&self, queue: usize) -> Option<usize> {
        let name = self.queues[queue].dead_letter_to.as_ref()?;
        name.strip_prefix("queue-")?.parse().ok()
    }

    /// A death was told.
    pub fn note_death(&mut self, queue: usize, id: &str) {
        if self.told_of(queue).is_some() {
            let deaths = self.deaths.entry((queue, id.to_owned())).or_default();
            *deaths += 1;
        }
    }

    /// Takes something that nobody sent for a message about a death, if it is one: its place.
    pub fn adopt_letter(&mut self, unknown: &Unknown<'_>) -> Checked<Option<usize>> {
        if !unknown.id.starts_with(BEGIN) || !unknown.headers.is_empty() {
            return Ok(None);
        }
        let twice = |id: &Option<String>| id.as_deref() == Some(unknown.id);
        must!(
            !self.messages.iter().any(|message| twice(&message.id)),
            "I2: told twice of one death: {unknown:?}"
        );
        self.check_letter(unknown)?;
        let body = unknown.body.unwrap_or_default();
        let sent = Sent {
            queue: unknown.queue,
            id: Some(unknown.id.to_owned()),
            headers: String::new(),
            body: body.to_owned(),
            group: None,
            priority: 0,
            destination: None,
            not_before: 0,
            deadline: None,
            at: 0,
            known: true,
        };
        let index = self.accept(sent, unknown.id.to_owned(), unknown.number, 0);
        self.messages[index].provisional = true;
        self.meet_asked(index, 0);
        Ok(Some(index))
    }

    /// One that was not there for good may have been made anew, of the same death.
    pub fn renew_letter(&mut self, index: usize, unknown: &Unknown<'_>) -> Checked {
        let is_same = unknown
            .body
            .is_some_and(|body| self.messages[index].may_hold(body));
        if self.messages[index].provisional && !is_same {
            self.check_letter(unknown)?;
            let body = unknown.body.unwrap_or_default().to_owned();
            self.messages[index].bodies = vec![(0, Body(body))];
        }
        Ok(())
    }

    /// It is delivered: it is there for good.
    pub fn letter_delivered(&mut self, index: usize) {
        let message = &mut self.messages[index];
        if std::mem::take(&mut message.provisional)
            && let Some(origin) = self.origin_of(&self.messages[index].bodies[0].1.0)
        {
            *self.letters.entry(origin).or_default() += 1;
        }
    }

    fn check_letter(&mut self, unknown: &Unknown<'_>) -> Checked {
        let Some(body) = unknown.body else {
            must!(self.rotten > 0, "I2: damaged: {unknown:?}");
            return Ok(());
        };
        let text = String::from_utf8_lossy(body);
        let origin = self.origin_of(body);
        let origin = origin
            .ok_or_else(|| Violation(format!("I2: told of a death that was none: {text}")))?;
        self.found_letters.insert(origin);
        Ok(())
    }

    /// Where a message died that somebody is told of, and under which id.
    fn origin_of(&self, letter: &[u8]) -> Option<(usize, String)> {
        let is_watched = |queue: &usize| self.told_of(*queue).is_some();
        for queue in (0..self.queues.len()).filter(is_watched) {
            for message in &self.messages {
                let Some(id) = &message.id else { continue };
                let mut bodies = message.bodies.iter().chain(&message.former);
                let tells_it = bodies.any(|(_, body)| tells(letter, queue, id, Some(&body.0)))
                    || (self.rotten > 0 && tells(letter, queue, id, None));
                if tells_it {
                    return Some((queue, id.clone()));
                }
            }
            for asked in self.asked.values() {
                let loses_id = matches!(asked, Asked::Move { row, .. } if row.buried);
                for sent in sent_with(asked) {
                    let given = sent.id.clone().filter(|_| !loses_id);
                    let id = given.unwrap_or_else(|| id_in(letter));
                    if tells(letter, queue, &id, Some(&sent.body)) {
                        return Some((queue, id));
                    }
                }
            }
            // Who died told of a death itself, and nobody saw it; if it is damaged, nobody can any more.
            let id = id_in(letter);
            if self.rotten > 0 && id.starts_with(BEGIN) && tells(letter, queue, &id, None) {
                return Some((queue, id));
            }
            if id.starts_with(BEGIN)
                && let Some(inner) = letter_in(letter)
                && tells(letter, queue, &id, Some(inner))
                && self.origin_of(inner).is_some()
            {
                return Some((queue, id));
            }
        }
        None
    }

    /// The id under which something died that was sent without a receipt, if that is what a message tells of,
    /// or one about whose death it tells, and nobody else died like that.
    pub fn first_told_of(&self, sent: &Sent, letter: &[u8]) -> Option<String> {
        self.told_of(sent.queue)?;
        let id = sent.id.clone().unwrap_or_else(|| id_in(letter));
        if !tells(letter, sent.queue, &id, Some(&sent.body)) {
            return self.first_told_of(sent, letter_in(letter)?);
        }
        let is_known = self.messages.iter().any(|message| {
            message.id.as_ref() == Some(&id)
                && message.may_be_in(sent.queue)
                && message.may_hold(&sent.body)
        });
        (!is_known).then_some(id)
    }

    /// Whether every death of which somebody was to be told was told: none was told in doubt, so there is
    /// a message about each, unless its queue may have lost it unseen or had no room.
    pub fn check_letters(&self) -> Checked {
        for ((queue, id), deaths) in &self.deaths {
            let told = self.letters.get(&(*queue, id.clone())).unwrap_or(&0);
            let misses = self.told_of(*queue).is_none_or(|to| self.may_miss(to));
            must!(
                misses || told >= deaths,
                "I1: {id} of queue {queue} died {deaths} times, told {told} times"
            );
        }
        Ok(())
    }

    /// A dead letter that was found, of which somebody was to be told.
    pub fn check_told(&self, queue: usize, id: &str) -> Checked {
        let is_told = self.found_letters.contains(&(queue, id.to_owned()));
        let misses = self.told_of(queue).is_none_or(|to| self.may_miss(to));
        must!(
            misses || is_told,
            "I6: {id} of queue {queue} is a dead letter, and nobody was told in the same commit"
        );
        Ok(())
    }

    fn may_miss(&self, queue: usize) -> bool {
        let options = &self.queues[queue];
        let dedup = options.dedup.as_ref();
        let takes_all_ids = dedup.is_none_or(|dedup| dedup.max_entries.is_none());
        let takes_all = options.max_depth.is_none() && options.max_bytes.is_none();
        let has_room = takes_all && takes_all_ids;
        let keeps = options.dead.is_none() && !self.at_most_once(queue);
        !has_room || !keeps || self.swept.contains(&queue) || self.rotten > 0
    }
}

/// Messages that were sent with a command that is not answered.
fn sent_with(asked: &Asked) -> Vec<&Sent> {
    match asked {
        Asked::Enqueue { items } | Asked::Unit { items, .. } | Asked::Move { items, .. } => {
            items.iter().flatten().collect()
        }
        Asked::Produce { sent, .. } => sent.iter().collect(),
        _ => Vec::new(),
    }
}

/// The id of who died, which nobody may have been told.
fn id_in(letter: &[u8]) -> String {
    let text = String::from_utf8_lossy(letter);
    let id = text.split("\"id\":\"").nth(1).unwrap_or_default();
    id.split('"').next().unwrap_or_default().to_owned()
}

/// The message about another death that died.
fn letter_in(letter: &[u8]) -> Option<&[u8]> {
    let text = std::str::from_utf8(letter).ok()?;
    let begin = text.find(BODY)? + BODY.len();
    let end = text.rfind(REST)?;
    letter.get(begin..end)
}

/// Whether a message about a death is what it is to be, as far as that is known.
fn tells(letter: &[u8], queue: usize, id: &str, body: Option<&[u8]>) -> bool {
    let mut begin = format!(r#"{{"queue":"queue-{queue}","id":"{id}""#).into_bytes();
    match body {
        Some(body) if is_json(body) => {
            begin.extend(BODY.bytes());
            begin.extend(body);
        }
        Some(body) => {
            begin.extend(br#","bodyBase64":""#);
            begin.extend(base64(body).bytes());
            begin.push(b'"');
        }
        None => {}
    }
    begin.extend(REST.bytes());
    letter.starts_with(&begin) && letter.ends_with(b"}")
}

/// Whether a body is JSON: of those that are sent here, numbers are, and messages about deaths.
fn is_json(body: &[u8]) -> bool {
    body.first() == Some(&b'{') || body.iter().all(u8::is_ascii_digit)
}

/// Base64 with padding (RFC 4648, section 4).
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, at| {
            bits << 8 | u32::from(*chunk.get(at).unwrap_or(&0))
        });
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at)) as usize & 63];
            text.push(if at > chunk.len() { '=' } else { digit.into() });
        }
    }
    text
}
