//! Payloads: every record comes back as it was, everything else is refused with its reason.

mod journal_support;

use ackbox_core::journal::{
    AttemptRecord, Attempts, MessageRecord, Record, StoredState, content_parts,
};
use journal_support::records::{KINDS, encoded, parts, plain_message};
use proptest::prelude::*;

proptest! {
    #[test]
    fn every_record_comes_back_as_it_was(parts in parts(40)) {
        let payload = encoded(&parts.record());
        prop_assert_eq!(Record::decode(&payload), Ok(parts.record()));
    }

    /// A payload that is cut off is refused, or, where its last field has no length of its own, is a
    /// record of the bytes that are left.
    #[test]
    fn a_cut_payload_never_reads_beyond_its_end(parts in parts(40)) {
        let payload = encoded(&parts.record());
        for length in 0..payload.len() {
            if let Ok(record) = Record::decode(&payload[..length]) {
                prop_assert_eq!(encoded(&record), &payload[..length]);
            }
        }
    }

    #[test]
    fn any_bytes_decode_or_are_refused(
        kind in 0..=KINDS + 2,
        rest in proptest::collection::vec(prop_oneof![Just(0_u8), Just(1), any::<u8>()], 0..200),
    ) {
        let payload = [&[kind][..], &rest].concat();
        if let Ok(record) = Record::decode(&payload) {
            let again = encoded(&record);
            prop_assert_eq!(Record::decode(&again), Ok(record));
        }
    }

    #[test]
    fn content_is_found_without_reading_the_rest(parts in parts(40)) {
        let payload = encoded(&parts.record());
        let found = content_parts(&payload).map(|(headers, body)| (&payload[headers], &payload[body]));
        let expected = match parts.record() {
            Record::Message(message) => Some((message.headers, message.body)),
            _ => None,
        };
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn content_lies_within_any_bytes(
        kind in 0..=KINDS + 2,
        rest in proptest::collection::vec(prop_oneof![Just(0_u8), Just(1), any::<u8>()], 0..200),
    ) {
        let payload = [&[kind][..], &rest].concat();
        if let Some((headers, body)) = content_parts(&payload) {
            prop_assert!(headers.end <= body.start);
            prop_assert_eq!(body.end, payload.len());
        }
    }

    #[test]
    fn a_history_is_its_attempts_in_a_row(
        attempts in proptest::collection::vec(
            (any::<u32>(), any::<u64>(), any::<u64>(), any::<u8>(), proptest::collection::vec(any::<u8>(), 0..20)),
            0..6,
        ),
        cut in any::<proptest::sample::Index>(),
    ) {
        let attempts: Vec<_> = attempts
            .iter()
            .map(|(attempt, started_at, ended_at, reason, error)| AttemptRecord {
                attempt: *attempt,
                started_at: *started_at,
                ended_at: *ended_at,
                reason: *reason,
                error,
            })
            .collect();
        let mut history = Vec::new();
        let mut ends = vec![0];
        for attempt in &attempts {
            attempt.encode(&mut history);
            ends.push(history.len());
        }
        let read: Result<Vec<_>, _> = Attempts::new(&history).collect();
        prop_assert_eq!(read, Ok(attempts.clone()));

        let cut = cut.index(history.len() + 1);
        let read: Vec<_> = Attempts::new(&history[..cut]).collect();
        let whole = ends.iter().filter(|&&end| end <= cut).count() - 1;
        let torn = usize::from(!ends.contains(&cut));
        prop_assert_eq!(read.len(), whole + torn);
        prop_assert_eq!(read.iter().filter(|attempt| attempt.is_ok()).count(), whole);
    }
}

#[test]
fn a_usual_message_costs_36_bytes_beside_id_and_body() {
    let (id, body) = ("order-1234", [7; 200]);
    let payload = encoded(&Record::Message(plain_message(1, id, &body)));
    assert_eq!(payload.len() - id.len() - body.len(), 36);
}

#[test]
fn a_default_that_is_written_out_says_the_same() {
    let dead = MessageRecord {
        state: StoredState::Dead,
        id: None,
        ..plain_message(1, "", b"")
    };
    let mut payload = encoded(&Record::Message(dead));
    *payload.last_mut().unwrap() = 0;
    let waiting = MessageRecord {
        state: StoredState::Waiting,
        ..dead
    };
    assert_eq!(Record::decode(&payload), Ok(Record::Message(waiting)));
}

#[test]
fn what_is_wrong_with_a_payload_is_said() {
    let mut message = encoded(&Record::Message(plain_message(1, "id", b"body")));
    let mut with_flag = message.clone();
    with_flag[3] |= 0x80;
    let id = message.len() - 6;
    message[id] = 0xFF;
    let mut bad_state = encoded(&Record::Message(MessageRecord {
        state: StoredState::Dead,
        id: None,
        ..plain_message(1, "", b"")
    }));
    *bad_state.last_mut().unwrap() = 0xFF;
    let mut queue = encoded(&Record::Queue {
        queue: 0,
        paused: true,
        name: "n",
        options: b"",
    });
    queue[10] = 0x80;

    let cases: [(&[u8], &str); 16] = [
        (&[], "the record is empty"),
        (
            &[0],
            "the record is of a kind that this format does not have",
        ),
        (
            &[255, 1, 2],
            "the record is of a kind that this format does not have",
        ),
        (&[1, 0, 0, 0], "the record ends inside its run"),
        (
            &[2, 1, 0, 0, 0, 1],
            "the record ends inside its last message number",
        ),
        (
            &[3, 2, 0, 0, 0, 0],
            "a flag is set that this format does not have",
        ),
        (
            &[3, 0, 0, 0, 0, 0, 255, 255, 255, 255, 1],
            "the record ends inside its queue name",
        ),
        (&queue, "the queue name is not UTF-8"),
        (&[4, 0], "the record ends inside its flags"),
        (&with_flag, "a flag is set that this format does not have"),
        (&message, "the id is not UTF-8"),
        (&bad_state, "the state is none that this format has"),
        (
            &[6, 1, 0, 0, 0, 0, 0, 0, 0, 0],
            "the record is longer than its fields",
        ),
        (&[15, 1, 0, 0, 0, 9], "the record ends inside its hash"),
        (
            &[20, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 255],
            "the step name is not UTF-8",
        ),
        (
            &[20, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            "a step that gave nothing and is damaged",
        ),
    ];
    for (payload, what) in cases {
        assert_eq!(Record::decode(payload), Err(what), "{payload:?}");
    }
}
