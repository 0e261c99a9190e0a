//! JSON inside of records.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// What the text says; nothing if it is no JSON, or says something else.
///
/// By way of a value, as what a host says comes as one: of each type there is one reader then, and not another for text.
pub(crate) fn read<T: DeserializeOwned>(text: &[u8]) -> Option<T> {
    let value: Value = serde_json::from_slice(text).ok()?;
    serde_json::from_value(value).ok()
}
