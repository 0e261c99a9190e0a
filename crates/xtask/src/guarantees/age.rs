//! How old a run is: when it was, of which release, and what has changed since.

use serde_json::Value;

use super::{Release, grouped, text};

/// By how many commits the product has changed since; none if what ran is not in the history.
pub(super) fn commits(run: &Value) -> Option<u64> {
    run["behind"].as_u64()
}

/// The date, and what speaks against relying on it.
pub(super) fn tell(run: &Value, release: &Release) -> String {
    let mut told = text(run, "date").to_owned();
    if text(run, "release") != release.version {
        told += &format!(", **of {}**", text(run, "release"));
    }
    match commits(run) {
        Some(0) => told,
        Some(1) => told + ", older: 1 commit of the product since",
        Some(count) => told + &format!(", older: {} commits of the product since", grouped(count)),
        None => told + ", **of no commit of this history**",
    }
}
