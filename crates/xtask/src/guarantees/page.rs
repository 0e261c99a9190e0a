//! The page itself: a frame of prose, and in it what the evidence says.

use serde_json::Value;

use super::promises::{PROMISES, Promise};
use super::{Release, age, bugs, grouped, list, number, peers, text};

/// The prose, with a place for each part that is written here.
const FRAME: &str = include_str!("frame.md");

/// The whole page.
pub(super) fn render(evidence: &Value, release: &Release) -> String {
    let runs = list(&evidence["runs"]);
    let parts = [
        ("notice", notice(runs, release)),
        ("release", release.version.clone()),
        ("promises", promises(runs, release)),
        ("proofs", proofs(runs, release)),
        ("runs", programs(runs, release)),
        ("figures", figures(runs)),
        ("skipped", skipped(runs)),
        ("bugs", bugs::render(runs)),
        ("peers", peers::render(runs)),
        ("machines", machines(runs)),
    ];
    let page = parts
        .into_iter()
        .fold(FRAME.to_owned(), |page, (name, part)| {
            page.replace(&format!("{{{{{name}}}}}"), &part)
        });
    // A part that has nothing to say leaves no gap.
    let mut lines: Vec<&str> = Vec::new();
    for line in page.lines() {
        if !(line.is_empty() && lines.last().is_some_and(|last| last.is_empty())) {
            lines.push(line);
        }
    }
    format!("{}\n", lines.join("\n").trim_end())
}

/// One piece of evidence of something that was really tried, and the run that it is from.
struct Proof<'a> {
    run: &'a Value,
    how: &'a str,
    runs: u64,
    failures: u64,
}

fn proofs_of<'a>(runs: &'a [Value], promise: &str) -> Vec<Proof<'a>> {
    let mut found = Vec::new();
    for run in runs {
        let proves = list(&run["evidence"]["proves"]).iter();
        found.extend(
            proves
                .filter(|proof| text(proof, "promise") == promise && number(proof, "runs") > 0)
                .map(|proof| Proof {
                    run,
                    how: text(proof, "how"),
                    runs: number(proof, "runs"),
                    failures: number(proof, "failures"),
                }),
        );
    }
    found
}

/// What a reader must know before anything else; empty when everything is as it should be.
fn notice(runs: &[Value], release: &Release) -> String {
    let of = |fits: &dyn Fn(&Value) -> bool| {
        let names = runs
            .iter()
            .filter(|run| fits(run))
            .map(|run| format!("`{}`", text(run, "program")));
        names.collect::<Vec<_>>().join(", ")
    };
    let failed = of(&|run| number(run, "failed") > 0);
    let older = of(&|run| text(run, "release") != release.version || age::commits(run) > Some(0));
    let lost = of(&|run| age::commits(run).is_none());
    let short = of(&|run| !text(run, "shortened").is_empty());
    let mut lines = Vec::new();
    if !failed.is_empty() {
        lines.push(format!(
            "> **Failures.** Not all passed when it ran last: {failed}."
        ));
    }
    if !older.is_empty() {
        lines.push(format!(
            "> **Older.** The product has changed since these ran, as their rows tell: {older}."
        ));
    }
    if !lost.is_empty() {
        lines.push(format!(
            "> **Of no commit of this history.** What these ran cannot be had any more: {lost}."
        ));
    }
    if !short.is_empty() {
        lines.push(format!(
            "> **Shortened.** These did less than a proof does: {short}."
        ));
    }
    let unproven: Vec<&str> = PROMISES
        .iter()
        .filter(|promise| is_made(promise, release) && proofs_of(runs, promise.id).is_empty())
        .map(|promise| promise.fault)
        .collect();
    if !unproven.is_empty() {
        lines.push(format!(
            "> **Not proven.** Promised, and no run has shown it: {}.",
            unproven.join("; ")
        ));
    }
    lines.join("\n>\n")
}

fn is_made(promise: &Promise, release: &Release) -> bool {
    release.exports.iter().any(|name| name == promise.needs)
}

fn promises(runs: &[Value], release: &Release) -> String {
    let head =
        "| What happens | What is promised | Tried | Failed | Last |\n|---|---|---:|---:|---|";
    let rows = PROMISES.iter().map(|promise| {
        let proofs = proofs_of(runs, promise.id);
        let Promise {
            fault,
            promise: promised,
            ..
        } = promise;
        if !is_made(promise, release) {
            return format!(
                "| {fault} | not yet: the package has no `{}` | | | |",
                promise.needs.replacen('.', "ackbox", 1)
            );
        }
        if proofs.is_empty() {
            return format!("| {fault} | {promised} | **not proven** | | |");
        }
        let tried: u64 = proofs.iter().map(|proof| proof.runs).sum();
        let failures: u64 = proofs.iter().map(|proof| proof.failures).sum();
        let oldest = proofs
            .iter()
            .max_by_key(|proof| age::commits(proof.run).unwrap_or(u64::MAX));
        let last = oldest.map_or_else(String::new, |proof| age::tell(proof.run, release));
        format!(
            "| {fault} | {promised} | {} | {} | {last} |",
            grouped(tried),
            failed(failures)
        )
    });
    [head.to_owned()]
        .into_iter()
        .chain(rows)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Failures cannot be overlooked.
fn failed(failures: u64) -> String {
    if failures == 0 {
        "0".to_owned()
    } else {
        format!("**{}**", grouped(failures))
    }
}

fn proofs(runs: &[Value], release: &Release) -> String {
    let mut parts = Vec::new();
    for promise in &PROMISES {
        let proofs = proofs_of(runs, promise.id);
        if proofs.is_empty() {
            continue;
        }
        let lines = proofs.iter().map(
            |Proof {
                 run,
                 how,
                 runs,
                 failures,
             }| {
                let program = text(run, "program");
                format!(
                    "- {how} {} times, {} failed (`{program}`, {}).",
                    grouped(*runs),
                    failed(*failures),
                    age::tell(run, release)
                )
            },
        );
        parts.push(format!(
            "**{}**\n\n{}",
            promise.fault,
            lines.collect::<Vec<_>>().join("\n")
        ));
    }
    parts.join("\n\n")
}

fn programs(runs: &[Value], release: &Release) -> String {
    let head = "| Program | What it does | Passed | Failed | Skipped | Took | Of | When |\n|---|---|---:|---:|---:|---:|---|---|";
    let rows = runs.iter().map(|run| {
        format!(
            "| `{}` | {} | {} | {} | {} | {} | `{}` | {} |",
            text(run, "program"),
            title(run),
            grouped(number(run, "passed")),
            failed(number(run, "failed")),
            grouped(number(run, "skipped")),
            took(number(run, "seconds")),
            text(run, "commit"),
            age::tell(run, release),
        )
    });
    [head.to_owned()]
        .into_iter()
        .chain(rows)
        .collect::<Vec<_>>()
        .join("\n")
}

fn title(run: &Value) -> String {
    let title = text(run, "title");
    match text(run, "shortened") {
        "" => title.to_owned(),
        shortened => format!("{title} (shortened: {shortened})"),
    }
}

fn took(seconds: u64) -> String {
    if seconds < 120 {
        format!("{seconds} s")
    } else {
        format!("{} min", (seconds + 30) / 60)
    }
}

fn figures(runs: &[Value]) -> String {
    let mut lines = Vec::new();
    for run in runs {
        let figures = run["evidence"]["figures"].as_object().into_iter().flatten();
        let figures: Vec<String> = figures
            .map(|(name, value)| format!("{name} {}", figure(value)))
            .collect();
        if !figures.is_empty() {
            lines.push(format!(
                "- `{}`: {}",
                text(run, "program"),
                figures.join(", ")
            ));
        }
    }
    lines.join("\n")
}

fn figure(value: &Value) -> String {
    value.as_u64().map_or_else(|| value.to_string(), grouped)
}

fn skipped(runs: &[Value]) -> String {
    let mut lines = Vec::new();
    for run in runs {
        let reasons = list(&run["evidence"]["skipped"])
            .iter()
            .filter_map(Value::as_str);
        lines.extend(reasons.map(|reason| format!("- `{}`: {reason}", text(run, "program"))));
    }
    if lines.is_empty() {
        "Nothing was skipped.".to_owned()
    } else {
        lines.join("\n")
    }
}

/// Each machine once, with the programs that ran on it where there are several.
fn machines(runs: &[Value]) -> String {
    let mut known: Vec<(String, Vec<&str>)> = Vec::new();
    for run in runs {
        let facts = run["machine"].as_object().into_iter().flatten();
        let facts: Vec<String> = facts
            .map(|(name, fact)| format!("{name} {}", fact.as_str().unwrap_or_default()))
            .collect();
        let machine = facts.join(", ");
        match known.iter_mut().find(|(other, _)| *other == machine) {
            Some((_, programs)) => programs.push(text(run, "program")),
            None => known.push((machine, vec![text(run, "program")])),
        }
    }
    if let [(machine, _)] = &known[..] {
        return format!("Everything ran on one machine: {machine}.");
    }
    let lines = known
        .iter()
        .map(|(machine, programs)| format!("- {machine}: `{}`", programs.join("`, `")));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn release() -> Release {
        Release {
            version: "1.0.0".to_owned(),
            exports: vec![".".to_owned()],
        }
    }

    /// A page from one run of the program `kills`, of this release, changed as the test wants it.
    fn page_with(change: impl FnOnce(&mut Value)) -> String {
        let mut run = json!({
            "program": "kills", "title": "kills things", "passed": 3, "failed": 0, "skipped": 0, "seconds": 61,
            "release": "1.0.0", "commit": "abc", "behind": 0, "date": "2026-11-23", "machine": { "cores": "2", "kernel": "Linux 6" },
            "evidence": {
                "figures": { "kills": 1_200 },
                "proves": [{ "promise": "process-kill", "how": "It was killed.", "runs": 1_200, "failures": 0 }],
            },
        });
        change(&mut run);
        render(&json!({ "runs": [run] }), &release())
    }

    #[test]
    fn every_place_of_the_frame_is_filled() {
        let page = page_with(|_| {});
        assert!(!page.contains("{{"), "{page}");
        assert!(!page.contains("\n\n\n"), "{page}");
    }

    #[test]
    fn a_row_says_how_often_it_was_tried_and_when() {
        let page = page_with(|_| {});
        assert!(page.contains("| 1,200 | 0 | 2026-11-23 |"), "{page}");
        assert!(
            page.contains("- It was killed. 1,200 times, 0 failed (`kills`, 2026-11-23)."),
            "{page}"
        );
        assert!(
            page.contains("| `kills` | kills things | 3 | 0 | 0 | 61 s | `abc` | 2026-11-23 |"),
            "{page}"
        );
        assert!(page.contains("- `kills`: kills 1,200"), "{page}");
        assert!(
            page.contains("Everything ran on one machine: cores 2, kernel Linux 6."),
            "{page}"
        );
    }

    #[test]
    fn a_promise_without_evidence_is_not_proven() {
        let page = page_with(|_| {});
        assert!(
            page.contains("> **Not proven.** Promised, and no run has shown it: The power fails;"),
            "{page}"
        );
        assert!(page.contains("| **not proven** |"), "{page}");
    }

    #[test]
    fn what_was_never_tried_is_not_proven_either() {
        let page = page_with(|run| run["evidence"]["proves"][0]["runs"] = json!(0));
        assert!(
            page.contains("no run has shown it: The process is killed at any moment;"),
            "{page}"
        );
        assert!(!page.contains("It was killed."), "{page}");
    }

    #[test]
    fn rows_tell_how_far_the_product_has_gone_since() {
        let page = page_with(|run| run["behind"] = json!(12));
        assert!(
            page.contains("| 1,200 | 0 | 2026-11-23, older: 12 commits of the product since |"),
            "{page}"
        );
        assert!(
            page.contains(
                "> **Older.** The product has changed since these ran, as their rows tell: `kills`."
            ),
            "{page}"
        );
        let page = page_with(|run| run["behind"] = Value::Null);
        assert!(
            page.contains("| 2026-11-23, **of no commit of this history** |"),
            "{page}"
        );
        assert!(
            page.contains("> **Of no commit of this history.**"),
            "{page}"
        );
    }

    #[test]
    fn a_run_that_was_shortened_says_so() {
        let page = page_with(|run| run["shortened"] = json!("60 of 300 s"));
        assert!(
            page.contains("| kills things (shortened: 60 of 300 s) |"),
            "{page}"
        );
        assert!(
            page.contains("> **Shortened.** These did less than a proof does: `kills`."),
            "{page}"
        );
    }

    #[test]
    fn what_the_package_does_not_have_is_not_promised() {
        let page = page_with(|_| {});
        assert!(
            page.contains(
                "| A browser tab is killed | not yet: the package has no `ackbox/indexeddb` |"
            ),
            "{page}"
        );
        assert!(!page.contains("bad input; A browser tab"), "{page}");
    }

    #[test]
    fn failures_and_older_runs_stand_at_the_top_and_in_their_rows() {
        let page = page_with(|run| {
            run["failed"] = json!(2);
            run["release"] = json!("0.9.0");
            run["evidence"]["proves"][0]["failures"] = json!(2);
        });
        assert!(
            page.contains("> **Failures.** Not all passed when it ran last: `kills`."),
            "{page}"
        );
        assert!(page.contains("> **Older.**"), "{page}");
        assert!(
            page.contains("| 1,200 | **2** | 2026-11-23, **of 0.9.0** |"),
            "{page}"
        );
    }

    #[test]
    fn what_was_skipped_says_why() {
        let page =
            page_with(|run| run["evidence"]["skipped"] = json!(["nothing may be mounted here"]));
        assert!(
            page.contains("- `kills`: nothing may be mounted here"),
            "{page}"
        );
        assert!(page_with(|_| {}).contains("Nothing was skipped."));
    }
}
