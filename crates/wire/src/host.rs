//! An engine behind flat memory: what both bindings wrap.

use std::collections::BTreeMap;

use ackbox_cold as cold;
use ackbox_core::command::Ticket;
use ackbox_core::config::Config;
use ackbox_core::effect::{Answer, Effect, Object};
use ackbox_core::engine::Engine;
use ackbox_core::error::Failure;
use ackbox_core::time::Timestamp;
use serde_json::Value;

use crate::decode::{Message, Messages, Place, ticket};
use crate::encode;
use crate::number::{exact, now, to_host, trusted};

/// Notices are kept under numbers from here, above every ticket that a host counts up to.
const FIRST_NOTICE: u64 = 1 << 52;

/// How often one step lets the engine go on by itself, so that a long purge is many short steps.
const SLICES_PER_STEP: u32 = 2;

/// Records that one step hands over, and what of a part of a batch is beyond that: much input is many short steps.
const RECORDS_PER_STEP: usize = 2_500;
/// The same in bytes, and what of a record is beyond that: what was read from the storage is large.
const BYTES_PER_STEP: usize = 4 << 20;

/// Owns an engine, and keeps what does not fit into an output area for the next step.
///
/// The host writes records into its input area, calls [`Host::step`], and performs the records that
/// it finds in its output area. As long as a step says `more`, outputs of its input are still to
/// come, and nothing else may be said to the engine. Whatever breaks a rule of this crate is a bug
/// of the host and panics; the binding turns the panic into an error and never uses the host again.
pub struct Host {
    engine: Engine,
    /// An effect that did not fit.
    held: Option<Effect>,
    /// The time of the input whose outputs are still to come.
    unfinished: Option<Timestamp>,
    /// An input of which not all was handed over yet, and where the rest of it begins.
    rest: Option<(Vec<u8>, Place)>,
    /// Objects of replies and notices that wait to be taken.
    objects: BTreeMap<u64, Object>,
    next_notice: u64,
}

/// What a step left in the output area.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StepResult {
    /// Bytes of records.
    pub written: u32,
    /// Outputs are still to come: step again, without input.
    pub more: bool,
    /// Above 0: the output area must have at least so many bytes, nothing was written.
    pub needed: u32,
}

impl Host {
    /// An engine that knows nothing yet: its first request is `open`.
    ///
    /// `config` is an object with the fields of [`Config`]; equal `entropy` and equal inputs give
    /// equal outputs.
    ///
    /// # Errors
    /// `ERR_INVALID_OPTION` when the configuration is not acceptable.
    pub fn new(now_ms: f64, config: Value, entropy: [u8; 32]) -> Result<Self, Failure> {
        let config: Config = cold::read_config(config)?;
        Ok(Self {
            engine: Engine::new(config, entropy, now(now_ms))?,
            held: None,
            unfinished: None,
            rest: None,
            objects: BTreeMap::new(),
            next_notice: FIRST_NOTICE,
        })
    }

    /// Handles all records of `input` at one instant, as many steps as that takes, and writes effects into
    /// `output`.
    ///
    /// # Panics
    /// When `input` is malformed (which a later step may find), or is not empty although the last step said
    /// `more`.
    pub fn step(&mut self, now_ms: f64, input: &[u8], output: &mut [u8]) -> StepResult {
        let now = match self.unfinished {
            Some(now) => {
                assert!(
                    input.is_empty(),
                    "input came before the outputs of the last one were drained"
                );
                // What is still to be told comes first.
                if self.held.is_none()
                    && let Some((input, at)) = self.rest.take()
                {
                    let at = self.handle(now, &input, at);
                    self.rest = (!at.is_end(input.len())).then_some((input, at));
                }
                now
            }
            None => {
                let now = now(now_ms);
                let at = self.handle(now, input, Place::START);
                self.rest = (!at.is_end(input.len())).then(|| (input.to_vec(), at));
                now
            }
        };
        if self.engine.is_in_batch() {
            // What is known of a batch before its end is not to be told, nor to be sealed.
            self.unfinished = Some(now);
            return StepResult {
                written: 0,
                more: true,
                needed: 0,
            };
        }
        let (written, needed, told) = self.fill(now, output);
        let finished = told && self.rest.is_none();
        self.unfinished = (!finished).then_some(now);
        StepResult {
            written: length(written),
            more: !finished,
            needed: length(needed),
        }
    }

    /// Handles a cold request: an object with the fields of [`Request`](ackbox_core::command::Request) and its name as `op`. Gives `{ ok }`, `{}` when a
    /// reply to `key` will come, or `{ failure }`. Its effects come with the next step.
    ///
    /// # Panics
    /// When outputs of a step are still to come, or `key` is no ticket.
    pub fn call(&mut self, now_ms: f64, key: f64, request: Value) -> Value {
        assert!(
            self.unfinished.is_none(),
            "a request came before the outputs of the last step were drained"
        );
        let result = cold::read_request(request).and_then(|request| {
            self.engine
                .handle_request(now(now_ms), trusted(ticket(key)), request)
        });
        cold::write_result(&result)
    }

    /// The object that was announced under `key` by a reply or notice, once.
    ///
    /// # Panics
    /// When there is none.
    pub fn take(&mut self, key: f64) -> Value {
        match self.objects.remove(&trusted(exact(key, "key"))) {
            Some(object) => cold::write_object(&object),
            None => panic!("nothing to take under {key}"),
        }
    }

    /// When to step without input, in milliseconds since 1970; infinite for never.
    #[must_use]
    pub fn wakeup(&self) -> f64 {
        self.engine
            .poll_timeout()
            .map_or(f64::INFINITY, |(at, _)| to_host(at.0))
    }

    /// Handles records from `at` on, and tells where those begin that are left for the next step.
    fn handle(&mut self, now: Timestamp, input: &[u8], at: Place) -> Place {
        let mut messages = Messages::behind(input, at);
        while messages.records() < RECORDS_PER_STEP
            && messages.bytes() < BYTES_PER_STEP
            && let Some(message) = messages.next()
        {
            match trusted(message) {
                Message::Command(ticket, command) => {
                    self.engine.handle_command(now, ticket, command)
                }
                Message::Completion(completion) => self.engine.handle_completion(now, completion),
            }
        }
        if !self.engine.is_in_batch() {
            self.engine.handle_timeout(now);
        }
        messages.at()
    }

    /// Writes effects until the area is full or all is told: bytes written, bytes needed, finished.
    fn fill(&mut self, now: Timestamp, output: &mut [u8]) -> (usize, usize, bool) {
        let mut written = 0;
        for _ in 0..SLICES_PER_STEP {
            while let Some(effect) = self.held.take().or_else(|| self.engine.poll_effect()) {
                let record = encode::record(&effect, self.next_notice);
                let size = record.size();
                if size > output.len() - written {
                    self.held = Some(effect);
                    let needed = if written == 0 { size } else { 0 };
                    return (written, needed, false);
                }
                record.encode(&mut output[written..written + size]);
                written += size;
                self.keep(effect);
            }
            if !self.engine.has_more() {
                return (written, 0, true);
            }
            self.engine.handle_timeout(now);
        }
        (written, 0, false)
    }

    /// Keeps the object that the record of this effect announces.
    fn keep(&mut self, effect: Effect) {
        let (key, object) = match effect {
            Effect::Reply {
                ticket: Ticket(key),
                result: Ok(Answer::Object(object)),
            } => (key, *object),
            Effect::Reply {
                ticket: Ticket(key),
                result: Err(failure),
            } => (key, Object::Failure(failure)),
            Effect::Notice(notice) => {
                self.next_notice += 1;
                (self.next_notice - 1, Object::Notice(notice))
            }
            _ => return,
        };
        self.objects.insert(key, object);
    }
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("areas are smaller than 4 GiB")
}
