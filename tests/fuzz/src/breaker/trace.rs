//! One trace: options, then calls, decisions, restarts and a clock that jumps. After every step the breaker and
//! the naive one agree; at last the callee is healthy, and the breaker closes.

use std::sync::Arc;

use ackbox_core::policy::backoff::{Backoff, Jitter};
use ackbox_core::policy::breaker::{
    Breaker, BreakerOptions, Change, Outcome, Permit, Settings, Snapshot, State, WindowKind,
};
use ackbox_core::time::Timestamp;

use super::reference::{Chosen, Leave, Naive};
use crate::chance::Chance;

const START: u64 = 1_600_000_000_000;
/// Steps of one trace at most.
const STEPS_MAX: usize = 400;
/// Calls that a healthy callee may take until the breaker is closed: a hundred probes, and a cooldown or a pause now
/// and then.
const CALLS_MAX: usize = 400;
const SEED: [u8; 16] = [9; 16];

struct Trace {
    settings: Arc<Settings>,
    breaker: Breaker,
    naive: Naive,
    calls: Vec<(Permit, Leave)>,
    now: u64,
}

pub(crate) fn take(data: &[u8]) {
    let mut chance = Chance::new(data);
    if chance.once_in(8) {
        return restore_anything(chance);
    }
    let options = options(&mut chance);
    let Ok(settings) = Settings::parse(&options) else {
        return;
    };
    let settings = Arc::new(settings);
    let mut trace = Trace {
        breaker: Breaker::new(settings.clone(), SEED),
        settings,
        naive: Naive::new(Chosen::of(&options), START),
        calls: Vec::new(),
        now: START,
    };
    let _ = trace.breaker.advance(Timestamp(START));
    for _ in 0..STEPS_MAX {
        if chance.is_spent() {
            break;
        }
        trace.step(&mut chance);
        // Who looks makes time pass, so now and then nobody does.
        if chance.once_in(2) {
            trace.compare();
        }
    }
    recover(&mut trace.breaker, trace.now);
}

/// A snapshot that any program may have written: refused, or a breaker that closes again.
fn restore_anything(chance: Chance<'_>) {
    let Ok(snapshot) = serde_json::from_slice::<Snapshot>(chance.rest()) else {
        return;
    };
    let settings = Arc::new(Settings::default());
    if let Ok(mut breaker) = Breaker::restore(settings, SEED, &snapshot, Timestamp(START)) {
        recover(&mut breaker, START);
    }
}

/// Options; those that do not go with the window are left out, but for one in many.
fn options(chance: &mut Chance<'_>) -> BreakerOptions {
    let window = chance.pick(&[WindowKind::Consecutive, WindowKind::Count, WindowKind::Time]);
    let wrong = chance.once_in(64);
    let rated = window != WindowKind::Consecutive || wrong;
    let mut some = |fits: bool, choices: &[u64]| {
        let chosen = chance.below(choices.len() + 1);
        (fits && chosen > 0).then(|| choices[chosen - 1])
    };
    let u32_of = |value: Option<u64>| value.map(|value| value as u32);
    let ms = some(true, &[0, 1, 1000, 5000]).unwrap_or(2000);
    BreakerOptions {
        window,
        failures: u32_of(some(!rated, &[1, 2, 3, 0])),
        size: u32_of(some(
            window == WindowKind::Count || wrong,
            &[1, 3, 64, 65, 0],
        )),
        window_ms: some(
            window == WindowKind::Time || wrong,
            &[1, 9, 10, 95, 1000, 0],
        ),
        failure_rate_ppm: u32_of(some(rated, &[1, 250_000, 1_000_000, 0])),
        min_calls: u32_of(some(rated, &[1, 2, 10])),
        slow_ms: some(rated, &[0, 10]),
        slow_rate_ppm: u32_of(some(rated, &[1, 400_000])),
        cooldown: match some(true, &[0, 1]) {
            None => None,
            Some(0) => Some(Backoff::Constant {
                ms,
                jitter: Jitter::None,
            }),
            Some(_) => Some(Backoff::Exponential {
                base_ms: ms,
                factor_milli: 2000,
                cap_ms: 20_000,
                jitter: Jitter::None,
            }),
        },
        probes: u32_of(some(true, &[1, 2, 5, 101])),
        successes: u32_of(some(true, &[1, 2, 5, 101])),
        probe_timeout_ms: some(true, &[1, 100, 30_000, 0]),
    }
}

impl Trace {
    fn step(&mut self, chance: &mut Chance<'_>) {
        match chance.below(16) {
            0..=3 => self.ask(),
            4..=8 => self.tell(chance),
            9 | 10 => self.wait(chance),
            11 => self.advance(),
            12 => self.decide(chance),
            13 => self.restart(chance),
            14 => self.tell_of_many(chance),
            _ => self.cool_down(chance),
        }
    }

    fn ask(&mut self) {
        let answer = self.breaker.permit(Timestamp(self.now));
        let leave = self.naive.ask(self.now);
        match (answer.permit, leave) {
            (Ok(permit), Some(leave)) => {
                // Through its number, as a host keeps it.
                self.calls.push((Permit::of(permit.number()), leave));
            }
            (Err(refusal), None) => {
                assert!(
                    refusal.retry_at.0 > self.now,
                    "refused now and told to ask now: {refusal:?}"
                );
            }
            (permit, leave) => panic!("a permit: {permit:?}, expected {leave:?}"),
        }
        for change in answer.changes.iter() {
            check_change(&change);
        }
    }

    fn tell(&mut self, chance: &mut Chance<'_>) {
        if self.calls.is_empty() {
            return;
        }
        let at = chance.below(self.calls.len());
        // A caller may tell twice.
        let (permit, leave) = if chance.once_in(8) {
            self.calls[at]
        } else {
            self.calls.swap_remove(at)
        };
        let outcome = match chance.below(8) {
            0..=2 => Outcome::Failure,
            3 | 4 => Outcome::Success,
            5 => Outcome::Timeout,
            6 => chance.pick(&[Outcome::Ignored, Outcome::Cancelled]),
            _ => {
                let late = chance.below(800) as u64;
                Outcome::Throttled {
                    until: Timestamp((self.now + 700).saturating_sub(late)),
                    failed: late % 2 == 1,
                }
            }
        };
        let took = chance.pick(&[0, 1, 11, 100_000]);
        let now = Timestamp(self.now);
        let change = self.breaker.report(permit, outcome, took, now);
        self.naive.tell(leave, outcome, took, self.now);
        change.iter().for_each(check_change);
    }

    fn tell_of_many(&mut self, chance: &mut Chance<'_>) {
        let Some((permit, leave)) = self.calls.last().copied() else {
            return;
        };
        let times = chance.below(70) as u32;
        let now = Timestamp(self.now);
        let change = self.breaker.report_successes(permit, times, now);
        // Also of none it is told at some time.
        self.naive.tick(self.now);
        for _ in 0..times {
            self.naive.tell(leave, Outcome::Success, 0, self.now);
        }
        change.iter().for_each(check_change);
    }

    fn wait(&mut self, chance: &mut Chance<'_>) {
        let ms = chance.pick(&[1, 9, 10, 50, 700, 2000, 30_000, 3_600_000]);
        let back = chance.once_in(6);
        self.now = if back { self.now - ms } else { self.now + ms };
    }

    fn advance(&mut self) {
        let changes = self.breaker.advance(Timestamp(self.now));
        self.naive.advance(self.now);
        changes.iter().for_each(|change| check_change(&change));
    }

    fn decide(&mut self, chance: &mut Chance<'_>) {
        let now = Timestamp(self.now);
        let to = chance.pick(&[State::Isolated, State::Disabled, State::Closed]);
        let change = match to {
            State::Isolated => self.breaker.isolate(now),
            State::Disabled => self.breaker.disable(now),
            _ => self.breaker.reset(now),
        };
        self.naive.force(to, self.now);
        change.iter().for_each(check_change);
    }

    fn restart(&mut self, chance: &mut Chance<'_>) {
        self.advance();
        let snapshot = self.breaker.snapshot(Timestamp(self.now));
        let text = serde_json::to_string(&snapshot).expect("a snapshot is plain data");
        let snapshot = serde_json::from_str(&text).expect("it reads as it was written");
        self.now = match chance.below(4) {
            0 => self.now - 1000,
            1 => self.now + 1500,
            _ => self.now,
        };
        let (settings, now) = (self.settings.clone(), Timestamp(self.now));
        self.breaker =
            Breaker::restore(settings, SEED, &snapshot, now).expect("its own snapshot is good");
        self.naive.restart(self.now);
        // Permits of another process are worth nothing here.
        self.calls.clear();
    }

    fn cool_down(&mut self, chance: &mut Chance<'_>) {
        self.advance();
        let ms = chance.pick(&[0, 5, 100_000]);
        self.breaker.cool_down_for(ms);
        self.naive.cool_down_for(ms);
    }

    fn compare(&mut self) {
        self.advance();
        let stats = self.breaker.stats(Timestamp(self.now));
        assert_eq!(stats.state, self.naive.state());
        assert_eq!(stats.window, self.naive.totals());
        assert_eq!(stats.probes as usize, self.naive.probes());
        assert_eq!(stats.openings, self.naive.openings);
    }
}

/// What may follow what.
fn check_change(change: &Change) {
    use State::{Closed, Disabled, HalfOpen, Isolated, Open};
    let is_forced = matches!(change.to, Closed | Disabled | Isolated);
    let follows = matches!(
        (change.from, change.to),
        (Closed | HalfOpen, Open) | (Open, HalfOpen) | (HalfOpen, Closed)
    );
    assert!(follows || is_forced, "no such change: {change:?}");
    assert_eq!(change.retry_at.is_some(), change.to == Open, "{change:?}");
}

/// The callee is healthy from now on, and time passes: the breaker closes.
fn recover(breaker: &mut Breaker, mut now: u64) {
    for _ in 0..CALLS_MAX {
        match breaker.permit(Timestamp(now)).permit {
            Ok(permit) => {
                let _ = breaker.report(permit, Outcome::Success, 0, Timestamp(now));
            }
            Err(refusal) if refusal.retry_at == Timestamp::NEVER => {
                let _ = breaker.reset(Timestamp(now));
            }
            Err(refusal) => {
                assert!(refusal.retry_at.0 > now, "told to ask at once: {refusal:?}");
                now = refusal.retry_at.0;
            }
        }
    }
    let state = breaker.state();
    assert!(
        matches!(state, State::Closed | State::Disabled),
        "stuck {state:?} although every call succeeds"
    );
}
