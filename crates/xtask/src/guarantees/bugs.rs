//! The bugs that were planted on purpose, and who noticed each: from the member `bugs` of a run's evidence.
//!
//! `bugs` holds `{ bug, what, caughtBy: [tier], hung: [tier], missedBy: [tier] }`; `missedBy` are those of the tiers named beside the bug that
//! did not notice it.

use serde_json::Value;

use super::{list, text};

/// A row for each bug.
pub(super) fn render(runs: &[Value]) -> String {
    let bugs: Vec<&Value> = runs
        .iter()
        .flat_map(|run| list(&run["evidence"]["bugs"]))
        .collect();
    if bugs.is_empty() {
        return "No run has planted bugs yet: **not proven**.".to_owned();
    }
    let head = "| Bug | What goes wrong | Noticed by |\n|---|---|---|".to_owned();
    let rows = bugs.iter().map(|bug| {
        format!(
            "| `{}` | {} | {} |",
            text(bug, "bug"),
            text(bug, "what"),
            noticed(bug)
        )
    });
    [head]
        .into_iter()
        .chain(rows)
        .collect::<Vec<_>>()
        .join("\n")
}

fn noticed(bug: &Value) -> String {
    let names = |member: &str| {
        let names = list(&bug[member]).iter().filter_map(Value::as_str);
        names.collect::<Vec<_>>().join(", ")
    };
    let mut noticed = names("caughtBy");
    let hung = names("hung");
    if !hung.is_empty() {
        noticed = format!("{noticed} (hung, which is no catch: {hung})");
    }
    let missed = names("missedBy");
    if !missed.is_empty() {
        noticed = format!("**missed by {missed}** {noticed}");
    }
    noticed.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_bug_tells_who_noticed_it() {
        let bugs = json!([
            { "bug": "split-unit", "what": "it is split", "caughtBy": ["simulation", "enumeration"], "hung": [], "missedBy": [] },
            { "bug": "skip-flush", "what": "it is skipped", "caughtBy": [], "hung": ["power-cuts"], "missedBy": ["power-cuts"] },
        ]);
        let page = render(&[json!({ "evidence": { "bugs": bugs } })]);
        assert!(
            page.contains("| `split-unit` | it is split | simulation, enumeration |"),
            "{page}"
        );
        assert!(
            page.contains("| **missed by power-cuts**  (hung, which is no catch: power-cuts) |"),
            "{page}"
        );
        assert!(render(&[json!({ "evidence": {} })]).contains("**not proven**"));
    }
}
