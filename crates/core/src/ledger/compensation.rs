//! What a queue is told of the dead letters of another one: durable compensation.
//!
//! A message for each death, accepted in the same commit. Its body is JSON and holds all there is to
//! know: `{ queue, id, body, headers, reason, error }`. Its id follows from box, queue, id and death,
//! so whoever handles it can tell one from another for ever.
//!
//! Bodies that are JSON stand in it as they are. All others, those of a queue with a codec of its own
//! and those that are no JSON text, are told as `bodyBase64`; of damaged ones there is neither.

use super::Ledger;
use super::accept::Accepted;
use super::recorder::Recorder;
use crate::command::{Enqueue, QueueId};
use crate::config::Bodies;
use crate::error::Failure;
use crate::hash;
use crate::journal::Record;
use crate::time::Timestamp;

/// A message about a dead letter.
#[derive(Debug)]
pub struct Compensation {
    /// Where it goes.
    pub to: u32,
    id: String,
    body: Vec<u8>,
}

impl Ledger {
    /// The queue that is told of the deaths in a queue.
    #[must_use]
    pub fn told_of(&self, queue: u32) -> Option<u32> {
        let name = self.queues[queue as usize]
            .settings
            .dead_letter_to
            .as_ref()?;
        self.queue_named(name)
    }

    /// The message about a letter that died just now; none if nobody wants one. `content` is its
    /// record, none if that is damaged.
    #[must_use]
    pub fn compensation(
        &self,
        slot: u32,
        content: Option<&[u8]>,
        error: &[u8],
    ) -> Option<Compensation> {
        let message = &self.messages[slot];
        let to = self.told_of(message.queue)?;
        let death = message.death.as_ref()?;
        let id = self.id_text(slot);
        let hash = hash::death_hash(&self.hash_key, message.queue, death.sequence, id.as_bytes());
        let queue = &self.queues[message.queue as usize];
        let (headers, body) = match content.map(Record::decode) {
            Some(Ok(Record::Message(stored))) => (stored.headers, Some(stored.body)),
            _ => (&b""[..], None),
        };
        let mut json = Vec::with_capacity(body.map_or(0, <[u8]>::len) + 256);
        json.extend_from_slice(b"{\"queue\":");
        put_text(&mut json, &queue.name);
        json.extend_from_slice(b",\"id\":");
        put_text(&mut json, &id);
        match body {
            Some(body) if queue.settings.bodies == Bodies::Json && is_json(body) => {
                json.extend_from_slice(b",\"body\":");
                json.extend_from_slice(body);
            }
            Some(body) => {
                json.extend_from_slice(b",\"bodyBase64\":\"");
                put_base64(&mut json, body);
                json.push(b'"');
            }
            None => {}
        }
        json.extend_from_slice(b",\"headers\":");
        json.extend_from_slice(if is_json(headers) { headers } else { b"{}" });
        json.extend_from_slice(b",\"reason\":");
        let reason = serde_json::to_string(&death.reason).expect("a reason is a word");
        json.extend_from_slice(reason.as_bytes());
        let error = super::history::cut(error);
        if !error.is_empty() {
            json.extend_from_slice(b",\"error\":");
            if is_json(error) {
                json.extend_from_slice(error);
            } else {
                put_text(&mut json, &String::from_utf8_lossy(error));
            }
        }
        json.push(b'}');
        Some(Compensation {
            to,
            id: format!("dead-{hash:032x}"),
            body: json,
        })
    }

    /// Accepts such a message, whatever its size; tells why not if the queue has no room for it.
    pub fn accept_compensation(
        &mut self,
        compensation: &Compensation,
        now: Timestamp,
        out: &mut impl Recorder,
    ) -> Result<Accepted, Failure> {
        let enqueue = Enqueue {
            queue: QueueId(compensation.to),
            id: Some(&compensation.id),
            delay_ms: None,
            at: None,
            ttl_ms: None,
            priority: 0,
            max_attempts: None,
            group: None,
            destination: None,
            headers: b"",
            body: &compensation.body,
            enqueued_at: None,
            has_host_id: false,
        };
        self.take_in(now, &enqueue, true, out)
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("memory takes all that is written");
}

/// Whether bytes are one JSON text, which can stand in another one.
fn is_json(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok()
        && serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
}

/// Base64 with padding (RFC 4648, section 4).
fn put_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let index = (bits >> (18 - 6 * digit)) as usize & 63;
            let is_padding = digit > chunk.len();
            out.push(if is_padding { b'=' } else { DIGITS[index] });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4648, section 10.
    #[test]
    fn base64_is_that_of_the_rfc() {
        for (plain, encoded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            let mut out = Vec::new();
            put_base64(&mut out, plain.as_bytes());
            assert_eq!(String::from_utf8(out).as_deref(), Ok(encoded), "{plain}");
        }
    }

    #[test]
    fn one_whole_json_text_is_json() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        for text in [
            "0",
            "\"\\ud800\"",
            "{\"a\":[1,null]}",
            " 1 ",
            "1e999",
            &deep,
        ] {
            assert!(is_json(text.as_bytes()), "{:.20}", text);
        }
        let open = "[".repeat(100_000);
        for bytes in [
            &b""[..],
            b"{",
            b"1 2",
            b"nul",
            b"\"\xff\"",
            b"\xff",
            open.as_bytes(),
        ] {
            assert!(!is_json(bytes), "{:.20}", String::from_utf8_lossy(bytes));
        }
    }
}
