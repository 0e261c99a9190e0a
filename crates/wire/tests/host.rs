//! The rules of a step, over the real engine and a storage that confirms everything.

mod support;

use ackbox_wire::codes::ReplyCode;
use ackbox_wire::output::Output;
use serde_json::json;
use support::{Driver, enqueue};

#[test]
fn a_message_travels_in_and_out() {
    let mut driver = Driver::opened();
    let receipts = driver.run(&enqueue(7, "order-1", b"{}"));
    assert_eq!(receipts, ["append", "receipt 7 order-1"]);

    let worker = json!({ "op": "openWorker", "queue": 0, "concurrency": 1 });
    assert_eq!(driver.call(8, worker), json!({ "ok": { "worker": 1 } }));
    assert_eq!(driver.run(&[]), ["append", "deliver order-1 {}"]);
}

#[test]
fn a_record_that_does_not_fit_comes_with_the_next_step() {
    let mut driver = Driver::opened();
    let ids: Vec<String> = (0..20).map(|number| format!("order-{number}")).collect();
    let input: Vec<u8> = ids.iter().flat_map(|id| enqueue(1, id, b"{}")).collect();
    let step = driver.host.step(Driver::NOW, &input, &mut driver.output);
    assert!(!step.more, "one append waits for its completion");

    // Room for two receipts of 40 bytes, and not for a third.
    driver.output = vec![0; 100];
    let receipts: Vec<String> = ids.iter().map(|id| format!("receipt 1 {id}")).collect();
    assert_eq!(driver.run(&support::appended()), receipts);
    assert_eq!(driver.steps, 10);
}

#[test]
fn a_record_larger_than_the_area_says_how_much_it_needs() {
    let mut driver = Driver::opened();
    driver.output = vec![0; 64];
    let input = enqueue(1, "a", &[b'x'; 500]);
    let first = driver.host.step(Driver::NOW, &input, &mut driver.output);
    assert_eq!((first.written, first.more), (0, true));
    assert!(first.needed > 500);

    let again = driver.host.step(Driver::NOW, &[], &mut driver.output);
    assert_eq!(again, first, "asking again changes nothing");

    driver.output = vec![0; first.needed as usize];
    let second = driver.host.step(Driver::NOW, &[], &mut driver.output);
    assert_eq!((second.written, second.needed), (first.needed, 0));
    let (record, _) = Output::decode(&driver.output).unwrap();
    assert!(matches!(record, Output::Append(_)), "{record:?}");
}

#[test]
#[should_panic(expected = "input came before the outputs of the last one were drained")]
fn input_before_the_last_outputs_is_a_bug_of_the_host() {
    let mut driver = Driver::opened();
    driver.output = vec![0; 64];
    let input = enqueue(1, "a", b"{}");
    assert!(
        driver
            .host
            .step(Driver::NOW, &input, &mut driver.output)
            .more
    );
    driver.host.step(Driver::NOW, &input, &mut driver.output);
}

#[test]
#[should_panic(expected = "a request came before the outputs of the last step were drained")]
fn a_request_before_the_last_outputs_is_a_bug_of_the_host() {
    let mut driver = Driver::opened();
    driver.output = vec![0; 64];
    assert!(
        driver
            .host
            .step(Driver::NOW, &enqueue(1, "a", b"{}"), &mut driver.output)
            .more
    );
    driver.call(2, json!({ "op": "queues" }));
}

#[test]
#[should_panic(expected = "input record at byte 96: expected the kind of a known record, got 99")]
fn malformed_input_is_a_bug_of_the_host() {
    let mut driver = Driver::opened();
    let mut input = enqueue(1, "order-1", b"{}");
    assert_eq!(input.len(), 96);
    input.extend([99, 0, 0, 0, 16, 0, 0, 0]);
    input.extend([0; 8]);
    driver.run(&input);
}

#[test]
fn a_batch_is_one_command() {
    let mut driver = Driver::opened();
    let batch = support::batch(5, &[("a", b"1"), ("b", b"2"), ("a", b"1")]);
    assert_eq!(
        driver.run(&batch),
        ["append", "receipt 5 a", "receipt 5 b", "receipt 5 a again"]
    );
}

#[test]
fn much_input_is_handed_over_in_several_steps_and_answered_in_its_order() {
    let mut driver = Driver::opened();
    driver.output = vec![0; 1 << 20];
    let count = 12_000;
    let input: Vec<u8> = (0..count)
        .flat_map(|number| enqueue(1, &format!("order-{number}"), b"{}"))
        .collect();
    let first = driver.host.step(Driver::NOW, &input, &mut driver.output);
    assert!(first.more, "no step handles all of it");
    let (record, _) = Output::decode(&driver.output).unwrap();
    let Output::Append(append) = record else {
        panic!("expected an append, got {record:?}");
    };
    let appended_first = append.bytes.len();

    assert!(
        driver.run(&[]).is_empty(),
        "one append waits for its completion"
    );
    assert_eq!(driver.steps, 4, "four more steps take the rest");
    let told = driver.run(&support::appended());
    let receipts: Vec<_> = told.iter().filter(|line| *line != "append").collect();
    let expected: Vec<_> = (0..count)
        .map(|number| format!("receipt 1 order-{number}"))
        .collect();
    assert_eq!(receipts, expected.iter().collect::<Vec<_>>());
    assert!(appended_first < driver.journal.len());
}

#[test]
fn many_bytes_are_handed_over_in_several_steps() {
    let mut driver = Driver::opened();
    driver.output = vec![0; 16 << 20];
    let body = vec![b'x'; 1 << 20];
    let input: Vec<u8> = (0..12)
        .flat_map(|number| enqueue(1, &format!("order-{number}"), &body))
        .collect();
    let mut first = Vec::new();
    let answers = driver.drain(&input, &mut first);
    assert_eq!(driver.steps, 3, "four mebibytes each");
    first.extend(driver.run(&answers));
    let receipts = first.iter().filter(|line| *line != "append");
    let expected: Vec<_> = (0..12)
        .map(|number| format!("receipt 1 order-{number}"))
        .collect();
    assert_eq!(
        receipts.collect::<Vec<_>>(),
        expected.iter().collect::<Vec<_>>()
    );
}

#[test]
fn a_large_batch_is_accepted_in_several_steps_and_written_as_a_whole() {
    let mut driver = Driver::opened();
    driver.output = vec![0; 2 << 20];
    let ids: Vec<String> = (0..9_000).map(|number| format!("{number}")).collect();
    let items: Vec<(&str, &[u8])> = ids.iter().map(|id| (&**id, &b"{}"[..])).collect();
    let mut input = enqueue(1, "before", b"{}");
    input.extend(support::batch(5, &items));
    input.extend(enqueue(6, "behind", b"{}"));
    let first = driver.host.step(Driver::NOW, &input, &mut driver.output);
    assert_eq!(
        (first.more, first.written),
        (true, 0),
        "nothing is sealed in the middle"
    );
    let mut told = Vec::new();
    let answers = driver.drain(&[], &mut told);
    assert_eq!(
        driver.steps, 3,
        "the rest of the batch, and what is behind it"
    );
    assert_eq!(told, ["append"]);
    told = driver.run(&answers);
    let middle = ids.iter().map(|id| format!("receipt 5 {id}"));
    let expected: Vec<_> = ["receipt 1 before".to_owned()]
        .into_iter()
        .chain(middle)
        .chain(["receipt 6 behind".to_owned()])
        .collect();
    assert_eq!(told, expected);
}

#[test]
fn a_large_batch_is_refused_as_a_whole_by_its_last_item() {
    let mut driver = Driver::opened();
    let ids: Vec<String> = (0..6_000).map(|number| format!("{number}")).collect();
    let mut items: Vec<(&str, &[u8])> = ids.iter().map(|id| (&**id, &b"{}"[..])).collect();
    items.push(("0", b"another body"));
    let before = driver.journal.len();
    assert_eq!(driver.run(&support::batch(5, &items)), ["reply 5 failure"]);
    let failure = driver.host.take(5.0);
    assert_eq!(failure["code"], "ERR_ID_CONFLICT");
    let message = failure["message"].as_str().expect("a text");
    assert!(message.starts_with("item 6000: "), "{message}");
    assert_eq!(driver.journal.len(), before, "nothing of it was written");
    let told = driver.run(&enqueue(6, "0", b"yet another"));
    assert_eq!(told, ["append", "receipt 6 0"]);
}

#[test]
#[should_panic(expected = "unit of 2: expected a record at 1, got none")]
fn a_batch_that_ends_early_is_a_bug_of_the_host() {
    let mut driver = Driver::opened();
    let mut batch = support::batch(5, &[("a", b"1"), ("b", b"2")]);
    let (_, header) = ackbox_wire::input::Input::decode(&batch).unwrap();
    let (_, first) = ackbox_wire::input::Input::decode(&batch[header..]).unwrap();
    batch.truncate(header + first);
    driver.run(&batch);
}

#[test]
#[should_panic(expected = "unit of 3000: expected a record at 2999, got none")]
fn a_large_batch_that_ends_early_is_one_too() {
    let mut driver = Driver::opened();
    let items = vec![("", &b"1"[..]); 3_000];
    let mut batch = support::batch(5, &items);
    let (_, header) = ackbox_wire::input::Input::decode(&batch).unwrap();
    let last = (batch.len() - header) / 3_000;
    batch.truncate(batch.len() - last);
    driver.run(&batch);
}

#[test]
fn an_object_is_taken_once() {
    let mut driver = Driver::opened();
    driver.run(&enqueue(1, "order-1", b"{}"));
    assert_eq!(
        driver.call(9, json!({ "op": "get", "queue": 0, "id": "order-1" })),
        json!({})
    );
    assert_eq!(driver.run(&[]), ["body 9 {}", "reply 9 object"]);
    let infos = driver.host.take(9.0);
    assert_eq!(infos[0]["id"], "order-1");
    assert_eq!(infos[0]["state"], "ready");
    assert_eq!(infos[0]["enqueuedAt"], json!(Driver::NOW));
    assert_eq!(
        infos[0].get("group"),
        None,
        "what is absent has no property"
    );
}

#[test]
#[should_panic(expected = "nothing to take under 9")]
fn what_was_never_announced_cannot_be_taken() {
    Driver::opened().host.take(9.0);
}

#[test]
fn a_refused_command_announces_its_failure() {
    let mut driver = Driver::opened();
    driver.run(&enqueue(1, "order-1", b"{}"));
    assert_eq!(
        driver.run(&enqueue(2, "order-1", b"{ }")),
        ["reply 2 failure"]
    );
    assert_eq!(driver.host.take(2.0)["code"], "ERR_ID_CONFLICT");
    assert_eq!(ReplyCode::Failure as u32, 2);
}

#[test]
fn a_configuration_that_no_one_knows_is_refused() {
    let Err(refused) = ackbox_wire::Host::new(Driver::NOW, json!({ "speed": 11 }), [0; 32]) else {
        panic!("an unknown field was accepted");
    };
    assert_eq!(ackbox_wire::code_name(refused.code), "ERR_INVALID_OPTION");
    assert!(
        refused.message.contains("unknown field `speed`"),
        "{}",
        refused.message
    );
}

#[test]
fn equal_entropy_and_equal_inputs_give_equal_bytes() {
    let run = |entropy| {
        let mut driver = Driver::new(entropy);
        driver.open();
        driver.run(&enqueue(1, "", b"body"));
        driver.journal
    };
    assert_eq!(run([7; 32]), run([7; 32]));
    assert_ne!(
        run([7; 32]),
        run([8; 32]),
        "the box id comes from the entropy"
    );
}

#[test]
fn an_idle_engine_wants_no_wakeup_and_a_delayed_message_one() {
    let mut driver = Driver::opened();
    assert_eq!(driver.host.wakeup(), f64::INFINITY);
    driver.run(&support::delayed(1, "later", 2500.0));
    assert_eq!(driver.host.wakeup(), Driver::NOW + 2500.0);
}
