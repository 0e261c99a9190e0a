//! Bodies that the engine writes itself: what a queue is told of a death in another one.

use serde_json::Value;

/// All that may be told; the body in one of two forms, or in none where it is damaged.
const NAMES: [&str; 7] = [
    "queue",
    "id",
    "body",
    "bodyBase64",
    "headers",
    "reason",
    "error",
];

/// Whether this tells of a death, and of no other body than these, or one that tells of a death itself.
pub(super) fn tells_of_a_death(told: &[u8], bodies: &[Vec<u8>]) -> bool {
    let Ok(Value::Object(told)) = serde_json::from_slice(told) else {
        return false;
    };
    let has = |name: &str| told.contains_key(name);
    if !["queue", "id", "headers", "reason"].into_iter().all(has) {
        return false;
    }
    if told.keys().any(|name| !NAMES.contains(&name.as_str())) {
        return false;
    }
    match (told.get("body"), told.get("bodyBase64")) {
        (None, None) => true,
        (Some(body), None) => {
            let is_it = |other: &Vec<u8>| {
                serde_json::from_slice(other).is_ok_and(|other: Value| other == *body)
            };
            bodies.iter().any(is_it) || tells_of_a_death(body.to_string().as_bytes(), bodies)
        }
        (None, Some(Value::String(text))) => from_base64(text)
            .is_some_and(|body| bodies.contains(&body) || tells_of_a_death(&body, bodies)),
        _ => false,
    }
}

/// The bytes of a text in Base64, with its padding.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for letter in text.trim_end_matches('=').bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn what_tells_of_a_known_body_is_the_engines_own() {
        let bodies = [b"abc".to_vec(), b"[1, 2]".to_vec()];
        let tells = |body: &str| {
            let told =
                format!(r#"{{"queue":"q","id":"i"{body},"headers":{{}},"reason":"exhausted"}}"#);
            tells_of_a_death(told.as_bytes(), &bodies)
        };
        assert!(tells(""));
        assert!(tells(r#","bodyBase64":"YWJj""#));
        assert!(tells(r#","body":[1,2]"#));
        assert!(!tells(r#","bodyBase64":"YWJk""#));
        assert!(!tells(r#","body":[1,3]"#));
        assert!(!tells(r#","more":1"#));
        let inner = r#"{"queue":"q","id":"i","bodyBase64":"YWJj","headers":{},"reason":"expired"}"#;
        assert!(tells(&format!(r#","body":{inner}"#)));
        assert!(!tells(&format!(
            r#","body":{}"#,
            inner.replace("YWJj", "YWJk")
        )));
    }
}
