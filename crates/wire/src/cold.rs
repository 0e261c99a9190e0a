//! The cold path: options, requests and objects as JSON values, which both bindings turn into
//! JavaScript objects. Passing through one form here makes the objects of both engines equal.
//!
//! JavaScript has one type of number. Whole numbers arrive as integers or as floats, and leave as
//! floats once they exceed 32 bits, since a binding would make a `BigInt` of them. A number that a
//! double cannot hold exactly leaves as 2^53 - 1: such numbers stand for "without limit".

use ackbox_core::effect::Object;
use ackbox_core::error::{ErrorCode, Failure};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Number, Value};

const EXACT_MAX: u64 = (1 << 53) - 1;

/// Reads what the host said.
pub(crate) fn read<T: DeserializeOwned>(mut value: Value, what: &str) -> Result<T, Failure> {
    for_numbers(&mut value, &mut whole);
    serde_json::from_value(value)
        .map_err(|why| Failure::new(ErrorCode::InvalidOption, format!("{what}: {why}")))
}

/// Writes an object for the host.
pub(crate) fn write(object: &impl Serialize) -> Value {
    let mut value =
        serde_json::to_value(object).expect("objects have string keys and finite numbers");
    for_numbers(&mut value, &mut double);
    value
}

/// What a request came to: `{ ok }`, `{}` for an answer that will come, or `{ failure }`.
pub(crate) fn result(result: &Result<Option<Object>, Failure>) -> Value {
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
    use ackbox_core::command::{DeadFilter, Request};
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
        let failure = read::<Request>(json!({ "op": "explode" }), "request").unwrap_err();
        assert!(
            failure.message.contains("unknown variant `explode`"),
            "{failure:?}"
        );
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
        assert_eq!(result(&Ok(None)), json!({}));
        assert_eq!(result(&Ok(Some(Object::None))), json!({ "ok": null }));
        let failure = Failure::new(ErrorCode::Closed, "closed");
        assert_eq!(
            result(&Err(failure)),
            json!({ "failure": { "code": "ERR_CLOSED", "message": "closed" } })
        );
    }
}
