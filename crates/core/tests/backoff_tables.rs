//! Delays, case by case, from `testdata/backoff`. The form of a case is explained in its first file. [A7 exponential, A7 constant, A7 decorrelated]

use std::collections::BTreeMap;

use ackbox_core::policy::backoff::{Backoff, Jitter};

/// Besides the ends: some random numbers from everywhere.
const RANDOM: [u64; 6] = [
    1,
    0x1234_5678_9abc_def0,
    u64::MAX / 3,
    u64::MAX / 2 + 1,
    u64::MAX / 10 * 9,
    u64::MAX - 1,
];

#[test]
fn every_case_holds() {
    for (file, text, cases_min) in [
        (
            "exponential.txt",
            include_str!("../testdata/backoff/exponential.txt"),
            40,
        ),
        (
            "jitter.txt",
            include_str!("../testdata/backoff/jitter.txt"),
            30,
        ),
        (
            "schedule.txt",
            include_str!("../testdata/backoff/schedule.txt"),
            10,
        ),
    ] {
        let mut cases = 0;
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Err(what) = check(line) {
                panic!("{file}:{}: {line}\n{what}", at + 1);
            }
            cases += 1;
        }
        assert!(
            cases >= cases_min,
            "{file} holds {cases} cases, expected at least {cases_min}"
        );
    }
}

fn check(line: &str) -> Result<(), String> {
    let (case, outcome) = line.split_once(" -> ").ok_or("expected ` -> `")?;
    let (kind, fields) = case.split_once(' ').unwrap_or((case, ""));
    let mut fields: BTreeMap<&str, &str> = fields
        .split_whitespace()
        .filter_map(|field| field.split_once('='))
        .collect();
    let retry = fields.remove("retry").map(number::<u32>);
    let random = fields.remove("random").map(number::<u64>);
    let backoff = parse_backoff(kind, &mut fields);
    if !fields.is_empty() {
        return Err(format!("unknown fields: {fields:?}"));
    }
    match (outcome.split_once(' '), retry) {
        (Some(("longest", ms)), None) => equal(backoff.max_delay_ms(), number(ms)),
        (Some(("refused", text)), None) => equal(backoff.check(), Err(text.to_owned())),
        (None, None) if outcome == "ok" => equal(backoff.check(), Ok(())),
        (None, Some(retry)) => check_delay(&backoff, retry, random, outcome),
        _ => Err(format!("unknown outcome {outcome:?}")),
    }
}

fn check_delay(
    backoff: &Backoff,
    retry: u32,
    random: Option<u64>,
    outcome: &str,
) -> Result<(), String> {
    let (low, high) = outcome.split_once("..").unwrap_or((outcome, outcome));
    let (low, high) = (number::<u64>(low), number::<u64>(high));
    if let Some(random) = random {
        return equal(backoff.delay_ms(retry, |_| random), low);
    }
    equal(backoff.delay_ms(retry, |_| 0), low)?;
    equal(backoff.delay_ms(retry, |_| u64::MAX), high)?;
    for random in RANDOM {
        let ms = backoff.delay_ms(retry, |_| random);
        if !(low..=high).contains(&ms) {
            return Err(format!("got {ms} for the random number {random}"));
        }
    }
    Ok(())
}

fn parse_backoff(kind: &str, fields: &mut BTreeMap<&str, &str>) -> Backoff {
    if kind == "default" {
        return Backoff::default();
    }
    let mut take = |name| {
        fields
            .remove(name)
            .unwrap_or_else(|| panic!("expected {name}=…"))
    };
    let jitter = match take("jitter") {
        "none" => Jitter::None,
        "full" => Jitter::Full,
        "equal" => Jitter::Equal,
        "decorrelated" => Jitter::Decorrelated,
        fraction => Jitter::Fraction(milli(fraction)),
    };
    match kind {
        "exponential" => Backoff::Exponential {
            base_ms: number(take("base")),
            factor_milli: milli(take("factor")),
            cap_ms: number(take("cap")),
            jitter,
        },
        "constant" => Backoff::Constant {
            ms: number(take("ms")),
            jitter,
        },
        "schedule" => {
            let delays = take("delays").split(',').filter(|delay| !delay.is_empty());
            Backoff::Schedule {
                delays_ms: delays.map(number).collect(),
                jitter,
            }
        }
        _ => panic!("unknown schedule {kind:?}"),
    }
}

/// Thousandths of a decimal number.
fn milli(text: &str) -> u32 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    assert!(fraction.len() <= 3, "at most three decimals, got {text}");
    number(&format!("{whole}{fraction:0<3}"))
}

fn number<N: std::str::FromStr>(text: &str) -> N {
    text.parse()
        .unwrap_or_else(|_| panic!("expected a number, got {text:?}"))
}

fn equal<T: PartialEq + std::fmt::Debug>(got: T, expected: T) -> Result<(), String> {
    if got == expected {
        Ok(())
    } else {
        Err(format!("got {got:?}, expected {expected:?}"))
    }
}
