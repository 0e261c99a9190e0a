//! Objects and errors on their way to JavaScript and back.

use js_sys::{Error, Reflect};
use serde::Serialize;
use serde_json::Value;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::JsValue;

pub(crate) fn from_host(value: JsValue) -> Result<Value, JsValue> {
    serde_wasm_bindgen::from_value(value)
        .map_err(|why| error("ERR_INVALID_OPTION", &why.to_string()))
}

pub(crate) fn to_host(value: &Value) -> Result<JsValue, JsValue> {
    Ok(value.serialize(&Serializer::json_compatible())?)
}

/// An error with a `code` property, as Node's own errors have one.
pub(crate) fn error(code: &str, message: &str) -> JsValue {
    let error = Error::new(message);
    let set = Reflect::set(&error, &"code".into(), &code.into());
    debug_assert!(set.is_ok(), "a fresh error takes properties");
    error.into()
}
