//! What tests ask a world: messages, dead letters, events, and whether another owner would find the same.

use std::collections::BTreeMap;

use ackbox_core::command::*;
use ackbox_core::effect::*;
use ackbox_core::error::Failure;
use ackbox_core::policy::breaker::State;

use super::{World, body, entropy};

impl World {
    /// A crash and a new owner, with all reads held but those of the opening itself.
    pub fn reopen_holding_reads(self) -> Self {
        let (now, config) = (self.now, self.config.clone());
        let opened = Self::begin(self.crash(), now, config, entropy(), true);
        opened.expect("what a crash leaves can be opened")
    }

    /// The states of a worker's circuits by destination.
    pub fn circuits(&mut self, worker: WorkerId) -> BTreeMap<String, State> {
        let destination = None;
        match self.at_once(Request::Circuits {
            worker,
            destination,
        }) {
            Object::Circuits(infos) => {
                let states = infos.into_iter().map(|info| (info.destination, info.state));
                states.collect()
            }
            other => panic!("expected circuits, got {other:?}"),
        }
    }

    pub fn get(&mut self, queue: QueueId, id: &str) -> Option<MessageInfo> {
        self.infos(Request::Get {
            queue,
            id: id.to_owned(),
        })
        .pop()
    }

    pub fn state(&mut self, queue: QueueId, id: &str) -> Option<MessageState> {
        self.get(queue, id).map(|info| info.state)
    }

    /// Asks to be told how a message ends; returns the ticket.
    pub fn finished(&mut self, queue: QueueId, id: &str) -> u64 {
        self.command(Command::Finished { queue, id })
    }

    /// What was told of an end under a ticket, with the result: none if nothing was told yet.
    pub fn end(&mut self, ticket: u64) -> Option<(MessageInfo, Option<String>)> {
        match self.replies.remove(&ticket)? {
            Ok(Answer::Object(object)) => match *object {
                Object::Infos(mut infos) => Some((infos.pop().expect("one"), self.result(ticket))),
                other => panic!("expected infos, got {other:?}"),
            },
            other => panic!("expected an end, got {other:?}"),
        }
    }

    /// A finished message and its result.
    pub fn outcome(&mut self, queue: QueueId, id: &str) -> Option<(MessageState, Option<String>)> {
        let id = id.to_owned();
        let ticket = self.request(Request::Get { queue, id }).expect("taken");
        let object = match self.replies.remove(&ticket) {
            Some(Ok(Answer::Object(object))) => *object,
            other => panic!("expected an object, got {other:?}"),
        };
        let Object::Infos(mut infos) = object else {
            panic!("expected infos, got {object:?}")
        };
        let info = infos.pop()?;
        Some((info.state, self.result(ticket)))
    }

    fn result(&mut self, ticket: u64) -> Option<String> {
        let (_, intact, content) = self.bodies.remove(&ticket)?.pop()?;
        assert!(content.headers().is_empty());
        intact.then(|| String::from_utf8(content.body().to_vec()).expect("results are text"))
    }

    pub fn peek(&mut self, queue: QueueId, state: Option<MessageState>) -> Vec<MessageInfo> {
        self.infos(Request::Peek {
            queue,
            state,
            limit: 1000,
        })
    }

    pub fn dead(&mut self, queue: QueueId) -> Vec<MessageInfo> {
        self.infos(Request::DeadPage {
            queue,
            filter: DeadFilter::default(),
            after: None,
            limit: 1000,
        })
    }

    pub fn redrive(&mut self, queue: QueueId, filter: DeadFilter) -> Redriven {
        match self.object(Request::Redrive {
            queue,
            filter,
            to: None,
            per_second_milli: None,
            forget_steps: false,
        }) {
            Object::Redriven(redriven) => redriven,
            other => panic!("expected what was redriven, got {other:?}"),
        }
    }

    /// Records what a step gave.
    pub fn record(
        &mut self,
        token: Token,
        name: &str,
        result: Option<&str>,
    ) -> Result<(), Failure> {
        let result = result.map(str::as_bytes);
        let ticket = self.command(Command::RecordStep(RecordStep {
            token,
            name,
            result,
        }));
        let answer = self.replies.remove(&ticket).expect("it is answered");
        answer.map(|_| ())
    }

    /// What a step is recorded to have given: nothing at all, nothing, or a value.
    pub fn recall(&mut self, token: Token, name: &str) -> Result<Option<Option<String>>, Failure> {
        let ticket = self.command(Command::RecallStep { token, name });
        match self.replies.remove(&ticket).expect("it is answered")? {
            Answer::Value(0) => Ok(None),
            Answer::Value(1) => Ok(Some(None)),
            Answer::Value(2) => {
                let mut bodies = self.bodies.remove(&ticket).expect("a body");
                let (_, intact, content) = bodies.pop().expect("a body");
                assert!(intact && bodies.is_empty());
                let text = String::from_utf8(content.body().to_vec());
                Ok(Some(Some(text.expect("results are text"))))
            }
            other => panic!("expected what a step gave, got {other:?}"),
        }
    }

    /// The steps of the one message that a request shows: their names, and what came of each.
    pub fn shown_steps(&mut self, request: Request) -> Vec<(String, Option<String>)> {
        let ticket = self.request(request).expect("the request is taken");
        let infos = match self.replies.remove(&ticket) {
            Some(Ok(Answer::Object(object))) => match *object {
                Object::Infos(infos) => infos,
                Object::DeadPage(page) => page.items,
                other => panic!("expected infos, got {other:?}"),
            },
            other => panic!("expected an object, got {other:?}"),
        };
        let [info] = &infos[..] else {
            panic!("expected one message, got {infos:?}")
        };
        let bodies = self.bodies.remove(&ticket).expect("bodies");
        let steps = info.steps.as_ref().expect("steps are shown").iter();
        let given = steps.zip(&bodies[1..]).map(|(step, (_, intact, content))| {
            let text = String::from_utf8(content.body().to_vec()).expect("results are text");
            (step.name.clone(), intact.then_some(text))
        });
        given.collect()
    }

    /// Gives an answer that arrived later.
    pub fn answer(&mut self, ticket: u64) -> Option<Result<Answer, Failure>> {
        self.replies.remove(&ticket)
    }

    /// Events of a kind so far.
    pub fn events_of(&self, kind: EventKind) -> Vec<&Event> {
        self.events
            .iter()
            .filter(|event| event.kind == kind)
            .collect()
    }

    /// Bodies of all deliveries that were not taken yet; takes them.
    pub fn delivered(&mut self) -> Vec<String> {
        self.deliveries
            .drain(..)
            .map(|delivery| body(&delivery))
            .collect()
    }

    pub fn disk_bytes(&self) -> u64 {
        self.disk.values().map(|bytes| bytes.len() as u64).sum()
    }

    /// Acknowledges one delivery after the other until there is none left; returns their bodies.
    pub fn work_off(&mut self) -> Vec<String> {
        let mut done = Vec::new();
        while let Some(delivery) = self.deliveries.pop_front() {
            done.push(body(&delivery));
            self.ack(delivery.token);
        }
        done
    }

    /// What a new owner would find must be what this one knows. Nothing may be in flight.
    pub fn audit(&mut self) {
        assert!(self.held.is_none(), "an append is in flight");
        let mut other =
            Self::open(self.disk.clone(), self.now, self.config.clone()).expect("it opens");
        other.advance(0);
        if other.appends > 0 {
            // It found the last attempts of messages cut short, which this run sees in flight.
            return;
        }
        let live = (self.box_stats().live_bytes, other.box_stats().live_bytes);
        assert_eq!(
            live.0, live.1,
            "live bytes of this run, and of one that reads them anew"
        );
        assert_eq!(
            other.at_once(Request::Queues {}),
            self.at_once(Request::Queues {})
        );
        let Object::Queues(queues) = self.at_once(Request::Queues {}) else {
            panic!("expected queues")
        };
        for queue in 0..queues.len() as u32 {
            let queue = QueueId(queue);
            let stats = (self.stats(queue), other.stats(queue));
            assert_eq!(
                stats.0.dedup_entries, stats.1.dedup_entries,
                "remembered ids"
            );
            assert_eq!(
                stats.0.bytes, stats.1.bytes,
                "bytes that count against limits"
            );
            assert_eq!(stats.0.dead_letters, stats.1.dead_letters, "dead letters");
            if stats.0.leased == 0 {
                for state in [
                    MessageState::Ready,
                    MessageState::Scheduled,
                    MessageState::Dead,
                ] {
                    let of_both = (
                        self.peek(queue, Some(state)),
                        other.peek(queue, Some(state)),
                    );
                    assert_eq!(of_both.0, of_both.1, "messages that are {state:?}");
                }
            }
        }
    }
}

/// A message with nothing but a body.
pub fn message(queue: QueueId, body: &str) -> Enqueue<'_> {
    Enqueue {
        queue,
        id: None,
        delay_ms: None,
        at: None,
        ttl_ms: None,
        priority: 0,
        max_attempts: None,
        group: None,
        destination: None,
        headers: b"",
        body: body.as_bytes(),
        enqueued_at: None,
        has_host_id: false,
    }
}
