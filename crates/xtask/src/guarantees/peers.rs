//! Other queues under the same faults: what each lost, from the member `peers` of a run's evidence.
//!
//! `peers` holds `subjects`: `{ name, version, setup, links: [{ says, url }] }`, and `faults`: `{ fault, what, runs, results }`, where
//! `results` has for the name of a subject `{ accepted, lost, repeated, note }`, or only a `note` where the fault makes no sense.

use serde_json::Value;

use super::{grouped, list, number, text};

/// Who takes part and how, then a table for each fault.
pub(super) fn render(runs: &[Value]) -> String {
    let Some(peers) = runs
        .iter()
        .map(|run| &run["evidence"]["peers"])
        .find(|peers| peers.is_object())
    else {
        return "No other queue has been held against these faults yet.".to_owned();
    };
    let subjects = list(&peers["subjects"]);
    let who = subjects.iter().map(subject).collect::<Vec<_>>().join("\n");
    let tables = list(&peers["faults"])
        .iter()
        .map(|fault| table(fault, subjects));
    [who]
        .into_iter()
        .chain(tables)
        .collect::<Vec<_>>()
        .join("\n\n")
}

fn subject(subject: &Value) -> String {
    let links = list(&subject["links"]).iter();
    let links: Vec<String> = links
        .map(|link| format!("[{}]({})", text(link, "says"), text(link, "url")))
        .collect();
    let read = if links.is_empty() {
        String::new()
    } else {
        format!(" Documented: {}.", links.join(", "))
    };
    format!(
        "- **{}** {}: {}{read}",
        text(subject, "name"),
        text(subject, "version"),
        text(subject, "setup")
    )
}

fn table(fault: &Value, subjects: &[Value]) -> String {
    let mut lines = vec![
        format!(
            "**{}.** {} {} rounds each.",
            text(fault, "fault"),
            text(fault, "what"),
            grouped(number(fault, "runs"))
        ),
        String::new(),
        "| | Accepted | Lost | Handled again | |".to_owned(),
        "|---|---:|---:|---:|---|".to_owned(),
    ];
    for subject in subjects {
        let name = text(subject, "name");
        let result = &fault["results"][name];
        if result["accepted"].is_null() {
            lines.push(format!("| {name} | | | | {} |", text(result, "note")));
            continue;
        }
        let lost = number(result, "lost");
        let lost = if lost == 0 {
            "0".to_owned()
        } else {
            format!("**{}**", grouped(lost))
        };
        lines.push(format!(
            "| {name} | {} | {lost} | {} | {} |",
            grouped(number(result, "accepted")),
            grouped(number(result, "repeated")),
            text(result, "note"),
        ));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_subject_has_a_row_under_each_fault() {
        let peers = json!({
            "subjects": [
                { "name": "ours", "version": "1", "setup": "As it is.", "links": [] },
                { "name": "other", "version": "2", "setup": "With a file.", "links": [{ "says": "its page", "url": "https://example.org" }] },
            ],
            "faults": [
                { "fault": "Killed", "what": "It is killed.", "runs": 30, "results": {
                    "ours": { "accepted": 1_000, "lost": 0, "repeated": 3, "note": "" },
                    "other": { "accepted": 900, "lost": 7, "repeated": 0, "note": "as it says" } } },
                { "fault": "Cut", "what": "It is cut.", "runs": 2, "results": { "ours": { "accepted": 5, "lost": 0, "repeated": 0, "note": "" } } },
            ],
        });
        let expected = "\
- **ours** 1: As it is.
- **other** 2: With a file. Documented: [its page](https://example.org).

**Killed.** It is killed. 30 rounds each.

| | Accepted | Lost | Handled again | |
|---|---:|---:|---:|---|
| ours | 1,000 | 0 | 3 |  |
| other | 900 | **7** | 0 | as it says |

**Cut.** It is cut. 2 rounds each.

| | Accepted | Lost | Handled again | |
|---|---:|---:|---:|---|
| ours | 5 | 0 | 0 |  |
| other | | | |  |";
        assert_eq!(
            render(&[json!({}), json!({ "evidence": { "peers": peers } })]),
            expected
        );
    }

    #[test]
    fn without_peers_the_page_says_so() {
        assert!(render(&[]).starts_with("No other queue"));
    }
}
