//! Breakers, case by case, from `testdata/breaker`. Its README tells the form. [A7 CircuitBreaker]

use std::collections::BTreeMap;
use std::sync::Arc;

use ackbox_core::policy::breaker::{
    Breaker, BreakerOptions, Change, Outcome, Permit, Settings, State,
};
use ackbox_core::time::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

/// Instant 0 of every trace.
const START: u64 = 1_600_000_000_000;
/// All files of the folder, by their names: parts of the program, for WebAssembly reads no files.
const FILES: [(&str, &str); 10] = [
    (
        "consecutive.json",
        include_str!("../testdata/breaker/consecutive.json"),
    ),
    (
        "cooldown.json",
        include_str!("../testdata/breaker/cooldown.json"),
    ),
    (
        "count-window.json",
        include_str!("../testdata/breaker/count-window.json"),
    ),
    (
        "decisions.json",
        include_str!("../testdata/breaker/decisions.json"),
    ),
    (
        "defects.json",
        include_str!("../testdata/breaker/defects.json"),
    ),
    (
        "half-open.json",
        include_str!("../testdata/breaker/half-open.json"),
    ),
    (
        "pauses.json",
        include_str!("../testdata/breaker/pauses.json"),
    ),
    (
        "restarts.json",
        include_str!("../testdata/breaker/restarts.json"),
    ),
    (
        "slow-calls.json",
        include_str!("../testdata/breaker/slow-calls.json"),
    ),
    (
        "time-window.json",
        include_str!("../testdata/breaker/time-window.json"),
    ),
];
/// In all files together.
const CASES_MIN: usize = 140;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// Whose behaviour it is; for people.
    #[serde(rename = "like")]
    _like: Option<String>,
    #[serde(default)]
    options: Value,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Step {
    at: u64,
    call: Option<Value>,
    #[serde(default)]
    took_ms: u64,
    start: Option<String>,
    end: Option<String>,
    with: Option<Value>,
    #[serde(default)]
    refuse: bool,
    #[serde(default)]
    look: bool,
    #[serde(default)]
    isolate: bool,
    #[serde(default)]
    disable: bool,
    #[serde(default)]
    reset: bool,
    #[serde(default)]
    restart: bool,
    times: Option<u32>,
    state: Option<State>,
    /// `null` is an expectation too.
    #[serde(default, deserialize_with = "named")]
    retry_at: Option<Value>,
    window: Option<Value>,
    stats: Option<BTreeMap<String, u64>>,
    events: Option<Vec<State>>,
}

fn named<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

#[test]
fn every_case_holds() {
    let mut names = BTreeMap::new();
    for (file, text) in FILES {
        let cases: Vec<Case> =
            serde_json::from_str(text).unwrap_or_else(|why| panic!("{file}: {why}"));
        for case in cases {
            if let Err(what) = Run::new(&case).and_then(|mut run| run.all(&case)) {
                panic!("{file}: {}\n{what}", case.name);
            }
            let before = names.insert(case.name.clone(), ());
            assert!(before.is_none(), "two cases named {}", case.name);
        }
    }
    let cases = names.len();
    assert!(
        cases >= CASES_MIN,
        "expected at least {CASES_MIN} cases, found {cases}"
    );
}

#[test]
#[cfg(not(target_family = "wasm"))]
fn no_file_is_forgotten() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/breaker");
    let entries = std::fs::read_dir(folder).expect("test data can be listed");
    let mut found: Vec<String> = entries
        .map(|entry| entry.expect("test data can be listed").file_name())
        .map(|name| name.into_string().expect("names are text"))
        .filter(|name| name.ends_with(".json"))
        .collect();
    found.sort();
    assert_eq!(found, FILES.map(|(name, _)| name));
}

struct Run {
    settings: Arc<Settings>,
    breaker: Breaker,
    calls: BTreeMap<String, (Permit, u64)>,
    events: Vec<State>,
}

impl Run {
    fn new(case: &Case) -> Result<Self, String> {
        let settings = Arc::new(Settings::parse(&options(&case.options))?);
        Ok(Self {
            breaker: Breaker::new(settings.clone(), [0; 16]),
            settings,
            calls: BTreeMap::new(),
            events: Vec::new(),
        })
    }

    fn all(&mut self, case: &Case) -> Result<(), String> {
        for (index, step) in case.steps.iter().enumerate() {
            let now = self
                .one(step)
                .map_err(|what| format!("step {index}: {what}"))?;
            self.check(step, now)
                .map_err(|what| format!("step {index}: {what}"))?;
        }
        Ok(())
    }

    /// Does the step, and gives the instant at which it ended.
    fn one(&mut self, step: &Step) -> Result<u64, String> {
        self.events.clear();
        let now = step.at;
        let mut times = step.times.unwrap_or(1);
        // As a host does that tells of successes together.
        if times > 1
            && step.call.as_ref().and_then(Value::as_str) == Some("ok")
            && self.breaker.is_calm(host(now))
        {
            let permit = self.start(now)?;
            let change = self.breaker.report_successes(permit, times, host(now));
            self.see(change);
            times = 0;
        }
        for _ in 0..times {
            if let Some(result) = &step.call {
                let permit = self.start(now)?;
                self.end(permit, now, now + step.took_ms, result);
            } else if let Some(name) = &step.start {
                let permit = self.start(now)?;
                self.calls.insert(name.clone(), (permit, now));
            } else if let Some(name) = &step.end {
                let (permit, since) = self.calls.remove(name).ok_or("no such call")?;
                self.end(permit, since, now, step.with.as_ref().ok_or("with what?")?);
            } else if step.refuse {
                self.refuse(now)?;
            } else {
                self.decide(step)?;
            }
        }
        Ok(now + step.took_ms)
    }

    fn decide(&mut self, step: &Step) -> Result<(), String> {
        let now = host(step.at);
        if step.look {
            let changes = self.breaker.advance(now);
            self.events.extend(changes.iter().map(|change| change.to));
            return Ok(());
        }
        let change = match step {
            Step { isolate: true, .. } => self.breaker.isolate(now),
            Step { disable: true, .. } => self.breaker.disable(now),
            Step { reset: true, .. } => self.breaker.reset(now),
            Step { restart: true, .. } => {
                let snapshot = serde_json::to_string(&self.breaker.snapshot(now))
                    .and_then(|text| serde_json::from_str(&text))
                    .map_err(|why| why.to_string())?;
                let settings = self.settings.clone();
                self.breaker = Breaker::restore(settings, [0; 16], &snapshot, now)?;
                None
            }
            _ => return Err("does nothing".into()),
        };
        self.see(change);
        Ok(())
    }

    fn start(&mut self, now: u64) -> Result<Permit, String> {
        let answer = self.breaker.permit(host(now));
        self.events
            .extend(answer.changes.iter().map(|change| change.to));
        answer
            .permit
            .map_err(|refusal| format!("refused: {refusal:?}"))
    }

    fn refuse(&mut self, now: u64) -> Result<(), String> {
        match self.start(now) {
            Ok(permit) => Err(format!("let through: {permit:?}")),
            Err(_) => Ok(()),
        }
    }

    fn end(&mut self, permit: Permit, since: u64, now: u64, result: &Value) {
        // Through its number, as a host keeps it.
        let permit = Permit::of(permit.number());
        let outcome = outcome(result, now);
        let took = now.saturating_sub(since);
        let change = self.breaker.report(permit, outcome, took, host(now));
        self.see(change);
    }

    fn see(&mut self, change: Option<Change>) {
        self.events.extend(change.map(|change| change.to));
    }

    fn check(&mut self, step: &Step, now: u64) -> Result<(), String> {
        if let Some(expected) = &step.events {
            equal("events", &json!(self.events), &json!(expected))?;
        }
        // Who looks at it is part of what happens, as in a host.
        let _ = self.breaker.advance(host(now));
        let stats =
            serde_json::to_value(self.breaker.stats(host(now))).map_err(|why| why.to_string())?;
        if let Some(state) = step.state {
            equal("state", &json!(self.breaker.state()), &json!(state))?;
        }
        if let Some(expected) = &step.retry_at {
            let retry_at = stats["retryAt"].as_u64().map(|at| at - START);
            equal("retryAt", &json!(retry_at), expected)?;
        }
        if let Some(expected) = &step.window {
            equal("window", &stats["window"], expected)?;
        }
        for (name, expected) in step.stats.iter().flatten() {
            equal(name, &stats[name], &json!(expected))?;
        }
        Ok(())
    }
}

fn equal(what: &str, got: &Value, expected: &Value) -> Result<(), String> {
    if got == expected {
        return Ok(());
    }
    Err(format!("expected {what} to be {expected}, got {got}"))
}

fn host(at: u64) -> Timestamp {
    Timestamp(START + at)
}

fn outcome(result: &Value, now: u64) -> Outcome {
    match result.as_str() {
        Some("ok") => Outcome::Success,
        Some("fail") => Outcome::Failure,
        Some("timeout") => Outcome::Timeout,
        Some("ignored") => Outcome::Ignored,
        Some("cancelled") => Outcome::Cancelled,
        Some(other) => panic!("unknown result {other}"),
        None => Outcome::Throttled {
            until: host(
                now + result["throttledMs"]
                    .as_u64()
                    .expect("a throttled call names its pause"),
            ),
            failed: result["failed"].as_bool().unwrap_or(false),
        },
    }
}

/// The engine's form of options that are named as in the package.
fn options(given: &Value) -> BreakerOptions {
    let mut options = serde_json::Map::new();
    for (name, value) in given.as_object().into_iter().flatten() {
        match name.as_str() {
            "failureRate" | "slowRate" => {
                let ppm = (value.as_f64().expect("a rate is a number") * 1e6 + 1e-3).floor() as u32;
                options.insert(format!("{name}Ppm"), json!(ppm));
            }
            "cooldownMs" if value.is_u64() => {
                let fixed = json!({ "kind": "constant", "ms": value, "jitter": "none" });
                options.insert("cooldown".into(), fixed);
            }
            "cooldownMs" => {
                let mut backoff = value.clone();
                if let Some(factor) = backoff["factor"].as_f64() {
                    let fields = backoff.as_object_mut().expect("a backoff is an object");
                    fields.remove("factor");
                    fields.insert("factorMilli".into(), json!((factor * 1e3).round() as u32));
                }
                if let Some(fraction) = backoff["jitter"].as_f64() {
                    backoff["jitter"] = json!({ "fraction": (fraction * 1e3).round() as u32 });
                }
                options.insert("cooldown".into(), backoff);
            }
            _ => {
                options.insert(name.clone(), value.clone());
            }
        }
    }
    serde_json::from_value(Value::Object(options)).expect("the options of a case are known")
}
