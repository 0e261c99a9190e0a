//! The cold path: options, requests and objects as JSON values, which both bindings turn into
//! JavaScript objects. Passing through one form here makes the objects of both engines equal.
//!
//! JavaScript has one type of number. Whole numbers arrive as integers or as floats, and leave as
//! floats once they exceed 32 bits, since a binding would make a `BigInt` of them. A number that a
//! double cannot hold exactly leaves as 2^53 - 1: such numbers stand for "without limit".
//!
//! A crate of its own, because what serde makes of a type is compiled where a value is read or written: here for
//! size, where WebAssembly is concerned, and for speed on the way of every message. So nothing that is public is generic.

#![forbid(unsafe_code)]

use ackbox_core::command::Request;
use ackbox_core::config::Config;
use ackbox_core::effect::Object;
use ackbox_core::error::{ErrorCode, Failure};
use ackbox_core::policy::backoff::Backoff;
use ackbox_core::policy::breaker::{BreakerOptions, Change, Snapshot, Stats};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Number, Value};

const EXACT_MAX: u64 = (1 << 53) - 1;

/// Reads the configuration of a box.
///
/// # Errors
/// `ERR_INVALID_OPTION`, like all that reads here.
pub fn read_config(value: Value) -> Result<Config, Failure> {
    read(value, "configuration")
}

/// Reads a retry schedule.
///
/// # Errors
/// `ERR_INVALID_OPTION`.
pub fn read_backoff(value: Value) -> Result<Backoff, Failure> {
    read(value, "backoff")
}

/// Reads the options of a circuit breaker.
///
/// # Errors
/// `ERR_INVALID_OPTION`.
pub fn read_breaker(value: Value) -> Result<BreakerOptions, Failure> {
    read(value, "breaker")
}

/// Reads what was saved of a circuit breaker.
///
/// # Errors
/// `ERR_INVALID_OPTION`.
pub fn read_snapshot(value: Value) -> Result<Snapshot, Failure> {
    read(value, "snapshot")
}

/// Reads what the host said.
fn read<T: DeserializeOwned>(mut value: Value, what: &str) -> Result<T, Failure> {
    for_numbers(&mut value, &mut whole);
    serde_json::from_value(value)
        .map_err(|why| Failure::new(ErrorCode::InvalidOption, format!("{what}: {why}")))
}

/// Reads a request: its fields, and its name as `op`.
///
/// # Errors
/// `ERR_INVALID_OPTION`.
pub fn read_request(mut value: Value) -> Result<Request, Failure> {
    const WHAT: &str = "request";
    let name = match &mut value {
        Value::Object(fields) => fields.remove("op"),
        _ => None,
    };
    let Some(Value::String(name)) = name else {
        let message = format!("{WHAT}: expected an object with the name of a request as `op`");
        return Err(Failure::new(ErrorCode::InvalidOption, message));
    };
    read(Value::Object(Map::from_iter([(name, value)])), WHAT)
}

/// Writes an object of the engine.
#[must_use]
pub fn write_object(object: &Object) -> Value {
    write(object)
}

/// Writes how the state of a circuit breaker changed.
#[must_use]
pub fn write_changes(changes: &[Change]) -> Value {
    write(&changes)
}

/// Writes what a circuit breaker has seen.
#[must_use]
pub fn write_stats(stats: &Stats) -> Value {
    write(stats)
}

/// Writes what is to be saved of a circuit breaker.
#[must_use]
pub fn write_snapshot(snapshot: &Snapshot) -> Value {
    write(snapshot)
}

/// Writes an object for the host.
fn write(object: &impl Serialize) -> Value {
    let mut value =
        serde_json::to_value(object).expect("objects have string keys and finite numbers");
    for_numbers(&mut value, &mut double);
    value
}

/// What a request came to: `{ ok }`, `{}` for an answer that will come, or `{ failure }`.
#[must_use]
pub fn write_result(result: &Result<Option<Object>, Failure>) -> Value {
    let (name, value) = match result {
        Ok(Some(object)) => ("ok", write(object)),
        Ok(None) => return Value::Object(Map::new()),
        Err(failure) => ("failure", write(failure)),
    };
    Value::Object(Map::from_iter([(name.to_owned(), value)]))
}

/// The public name of a code, as errors carry it.
#[must_use]
pub fn code_name(code: ErrorCode) -> String {
    match serde_json::to_value(code) {
        Ok(Value::String(name)) => name,
        other => unreachable!("a code is written as its name, not as {other:?}"),
    }
}

fn for_numbers(value: &mut Value, change: &mut impl FnMut(&mut Number)) {
    match value {
        Value::Number(number) => change(number),
        Value::Array(values) => values
            .iter_mut()
            .for_each(|value| for_numbers(value, change)),
        Value::Object(map) => map
            .values_mut()
            .for_each(|value| for_numbers(value, change)),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

fn whole(number: &mut Number) {
    if let Some(float) = number.as_f64()
        && float.fract() == 0.0
        && (0.0..=EXACT_MAX as f64).contains(&float)
    {
        *number = Number::from(float as u64);
    }
}

fn double(number: &mut Number) {
    if let Some(integer) = number
        .as_u64()
        .filter(|integer| *integer > u64::from(u32::MAX))
    {
        let float = integer.min(EXACT_MAX) as f64;
        *number = Number::from_f64(float).expect("integers are finite");
    }
}

#[cfg(test)]
mod tests {
    use ackbox_core::command::{DeadFilter, QueueId};
    use ackbox_core::policy::backoff::Jitter;
    use serde_json::json;

    use super::*;

    #[test]
    fn whole_floats_are_integers() {
        let filter: DeadFilter = read(json!({ "before": 1.7e12, "limit": 5.0 }), "filter").unwrap();
        assert_eq!(filter.before.map(|at| at.0), Some(1_700_000_000_000));
        assert_eq!(filter.limit, Some(5));
    }

    #[test]
    fn a_fraction_where_an_integer_belongs_is_refused() {
        let failure = read::<DeadFilter>(json!({ "limit": 1.5 }), "filter").unwrap_err();
        assert_eq!(failure.code, ErrorCode::InvalidOption);
        assert!(
            failure
                .message
                .starts_with("filter: invalid type: floating point `1.5`"),
            "{failure:?}"
        );
    }

    #[test]
    fn an_unknown_request_is_refused_by_name() {
        let failure = read_request(json!({ "op": "explode" })).unwrap_err();
        assert!(
            failure.message.contains("unknown variant `explode`"),
            "{failure:?}"
        );
    }

    #[test]
    fn a_request_without_a_name_is_refused() {
        for value in [
            json!({ "queue": 0 }),
            json!({ "op": 1 }),
            json!([]),
            json!("purge"),
        ] {
            let failure = read_request(value).unwrap_err();
            assert_eq!(failure.code, ErrorCode::InvalidOption);
            assert!(failure.message.contains("as `op`"), "{failure:?}");
        }
    }

    #[test]
    fn a_request_has_its_own_fields_and_no_others() {
        assert_eq!(
            read_request(json!({ "op": "purge", "queue": 3.0 })),
            Ok(Request::Purge { queue: QueueId(3) })
        );
        assert_eq!(
            read_request(json!({ "op": "close" })),
            Ok(Request::Close {})
        );
        for value in [
            json!({ "op": "purge", "queue": 3, "id": "a" }),
            json!({ "op": "purge" }),
            json!({ "op": "close", "queue": 3 }),
        ] {
            assert!(read_request(value.clone()).is_err(), "{value}");
        }
    }

    #[test]
    fn a_schedule_has_the_fields_of_its_kind() {
        let constant = json!({ "kind": "constant", "ms": 5, "jitter": { "fraction": 200 } });
        assert_eq!(
            read_backoff(constant),
            Ok(Backoff::Constant {
                ms: 5,
                jitter: Jitter::Fraction(200)
            })
        );
        for value in [
            json!({ "kind": "constant", "ms": 5 }),
            json!({ "kind": "constant", "jitter": "none" }),
            json!({ "kind": "constant", "ms": 5, "baseMs": 5, "jitter": "none" }),
            json!({ "kind": "constant", "ms": 5, "jitter": "none", "speed": 11 }),
            json!({ "kind": "exponential", "ms": 5, "jitter": "none" }),
            json!({ "kind": "schedule", "delaysMs": [1], "capMs": 5, "jitter": "none" }),
            json!({ "ms": 5, "jitter": "none" }),
        ] {
            assert!(read_backoff(value.clone()).is_err(), "{value}");
        }
    }

    #[test]
    fn a_schedule_is_read_as_it_was_written() {
        for schedule in [
            Backoff::Exponential {
                base_ms: 1,
                factor_milli: 2000,
                cap_ms: 9,
                jitter: Jitter::Decorrelated,
            },
            Backoff::Constant {
                ms: 0,
                jitter: Jitter::Full,
            },
            Backoff::Schedule {
                delays_ms: vec![1, 1 << 40],
                jitter: Jitter::None,
            },
        ] {
            assert_eq!(read_backoff(write(&schedule)), Ok(schedule));
        }
    }

    #[test]
    fn large_numbers_leave_as_doubles() {
        let value = write(&[5_u64, u64::from(u32::MAX), 1 << 40, u64::MAX]);
        let numbers = value.as_array().unwrap();
        assert!(numbers[0].is_u64() && numbers[1].is_u64());
        assert_eq!(numbers[2], json!(1_099_511_627_776.0));
        assert_eq!(numbers[3], json!(9_007_199_254_740_991.0));
    }

    #[test]
    fn each_outcome_of_a_request_has_its_own_shape() {
        assert_eq!(write_result(&Ok(None)), json!({}));
        assert_eq!(write_result(&Ok(Some(Object::None))), json!({ "ok": null }));
        let failure = Failure::new(ErrorCode::Closed, "closed");
        assert_eq!(
            write_result(&Err(failure)),
            json!({ "failure": { "code": "ERR_CLOSED", "message": "closed" } })
        );
    }
}
