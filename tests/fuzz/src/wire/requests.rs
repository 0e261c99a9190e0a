//! Requests as JSON: each with values that are usual, and with values that nobody would give.

use serde_json::{Map, Value, json};

use crate::chance::Chance;

/// Every request with usual values; `0` stands for a number of a queue or worker.
const REQUESTS: [&str; 30] = [
    r#"{"op":"defineQueue","name":"orders","options":{"maxAttempts":2,"leaseMs":100}}"#,
    r#"{"op":"defineQueue","name":"mails","options":{"guarantee":"exactly-once","dedup":{"windowMs":5,"maxEntries":1,"whenFull":"shorten"}}}"#,
    r#"{"op":"defineQueue","name":"orders","options":{"backoff":{"kind":"exponential","baseMs":1,"factorMilli":2000,"capMs":9,"jitter":"full"}}}"#,
    r#"{"op":"defineQueue","name":"orders","options":{"deadLetterTo":"mails","dead":{"retainMs":5},"history":{"windowMs":9,"maxEntries":1}}}"#,
    r#"{"op":"openProducer","name":"p"}"#,
    r#"{"op":"openWorker","queue":0,"concurrency":2}"#,
    r#"{"op":"openWorker","queue":0,"concurrency":1,"policies":{"breaker":{"failures":1,"cooldown":{"kind":"constant","ms":5,"jitter":"none"}}},"limits":{"timeoutMs":5}}"#,
    r#"{"op":"openWorker","queue":0,"concurrency":1,"policies":{"rate":{"limit":1,"perMs":10}}}"#,
    r#"{"op":"circuits","worker":1}"#,
    r#"{"op":"forceCircuit","worker":1,"destination":"d","isolate":true}"#,
    r#"{"op":"pauseWorker","worker":1}"#,
    r#"{"op":"resumeWorker","worker":1}"#,
    r#"{"op":"closeWorker","worker":1}"#,
    r#"{"op":"drainWorker","worker":1}"#,
    r#"{"op":"pauseQueue","queue":0}"#,
    r#"{"op":"resumeQueue","queue":0}"#,
    r#"{"op":"cancel","queue":0,"id":"a"}"#,
    r#"{"op":"retryNow","queue":0,"id":"a"}"#,
    r#"{"op":"purge","queue":0}"#,
    r#"{"op":"forget","queue":0,"id":"a"}"#,
    r#"{"op":"get","queue":0,"id":"a"}"#,
    r#"{"op":"peek","queue":0,"state":null,"limit":10}"#,
    r#"{"op":"select","queue":0,"ids":["a"],"states":["ready","dead"],"limit":5}"#,
    r#"{"op":"deadPage","queue":0,"filter":{"ids":["a"],"limit":3},"after":null,"limit":2}"#,
    r#"{"op":"deadCount","queue":0,"filter":{"reason":"permanent","before":5}}"#,
    r#"{"op":"redrive","queue":0,"filter":{"limit":2},"to":"mails","perSecondMilli":1000,"forgetSteps":true}"#,
    r#"{"op":"redrive","queue":0,"to":null,"perSecondMilli":null}"#,
    r#"{"op":"removeDead","queue":0,"filter":{"limit":1}}"#,
    r#"{"op":"listen","queue":0,"events":4095}"#,
    r#"{"op":"stepKey","number":1,"run":1,"name":"s"}"#,
];

/// A request, or what only looks like one.
pub(super) fn request(chance: &mut Chance<'_>) -> Value {
    if chance.once_in(12) {
        return serde_json::from_slice(chance.bytes(200)).unwrap_or(json!({ "op": "queues" }));
    }
    if chance.once_in(30) {
        return json!({ "op": "close" });
    }
    let text = chance.pick(&REQUESTS);
    let mut request = serde_json::from_str(text).expect("the requests here are JSON");
    if chance.once_in(2) {
        change(&mut request, chance);
    }
    request
}

/// Puts something else in one place.
fn change(value: &mut Value, chance: &mut Chance<'_>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => change_field(fields, chance),
        Value::Array(items) if !items.is_empty() => {
            let at = chance.below(items.len());
            change(&mut items[at], chance);
        }
        other => *other = anything(chance),
    }
}

fn change_field(fields: &mut Map<String, Value>, chance: &mut Chance<'_>) {
    let at = chance.below(fields.len());
    let name = fields
        .keys()
        .nth(at)
        .expect("it is below their number")
        .clone();
    if name == "op" {
        return;
    }
    if chance.once_in(8) {
        fields.remove(&name);
    } else if let Some(value) = fields.get_mut(&name) {
        change(value, chance);
    }
}

fn anything(chance: &mut Chance<'_>) -> Value {
    match chance.below(8) {
        0 => json!(chance.number()),
        1 => json!(chance.number() as f64),
        2 => json!(-(chance.number() as f64)),
        3 => json!(chance.number() as f64 / 3.0),
        4 => Value::Null,
        5 => json!(chance.pick(&["", "a", "orders", "mails", "reject", "none"])),
        6 => json!("x".repeat(chance.number().min(300) as usize)),
        _ => json!([chance.number(), "a"]),
    }
}
