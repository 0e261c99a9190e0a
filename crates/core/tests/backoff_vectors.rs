//! Delays of messages, case by case, from `testdata/backoff/vectors.json`, which every build of the
//! engine is tested with. [A7 exponential, A7 decorrelated]
//!
//! A case names a schedule as a program would (`factor` and a fraction of jitter as plain numbers), the
//! seed of a box, the id of a message, and for each of some attempts that failed the delay after it. The
//! delays were computed by an implementation of their own, not by this one.

use ackbox_core::hash;
use ackbox_core::policy::backoff::Backoff;
use ackbox_core::policy::delay;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Case {
    name: String,
    backoff: Value,
    seed: String,
    id: String,
    attempts: Vec<u32>,
    delays_ms: Vec<u64>,
}

#[test]
fn every_vector_holds() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../testdata/backoff/vectors.json"))
        .expect("the vectors are JSON of this form");
    assert!(cases.len() >= 69, "{} cases", cases.len());
    for case in cases {
        let backoff = in_thousandths(case.backoff);
        assert_eq!(backoff.check(), Ok(()), "{}", case.name);
        let seed = hash::seed_from_text(&case.seed);
        let attempts = case.attempts.iter();
        let delays: Vec<u64> = attempts
            .map(|&attempt| delay::after(&backoff, &seed, case.id.as_bytes(), attempt))
            .collect();
        assert_eq!(delays, case.delays_ms, "{}", case.name);
    }
}

/// The engine counts factors and fractions in thousandths.
fn in_thousandths(mut backoff: Value) -> Backoff {
    let milli = |number: &Value| (number.as_f64().expect("a number") * 1000.0).round() as u64;
    let fields = backoff.as_object_mut().expect("a schedule is an object");
    if let Some(factor) = fields.remove("factor") {
        fields.insert("factorMilli".into(), json!(milli(&factor)));
    }
    if fields["jitter"].is_number() {
        fields["jitter"] = json!({ "fraction": milli(&fields["jitter"]) });
    }
    serde_json::from_value(backoff).expect("a schedule of the engine")
}
