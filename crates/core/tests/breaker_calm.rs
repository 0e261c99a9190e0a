//! A host that tells of successes later and together, while the circuit is calm, sees what one sees that tells of each at
//! once. [A7 CircuitBreaker]

use std::sync::Arc;

use ackbox_core::policy::breaker::{Breaker, BreakerOptions, Outcome, Settings, State};
use ackbox_core::time::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

#[derive(Clone, Copy, Debug)]
enum Event {
    Success,
    Failure,
    /// Somebody looks at the state after so much time.
    Pass(u64),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        6 => Just(Event::Success),
        2 => Just(Event::Failure),
        1 => (1..400_u64).prop_map(Event::Pass),
    ];
    prop::collection::vec(event, 1..300)
}

fn options() -> impl Strategy<Value = Value> {
    let window = prop_oneof![
        (1..6_u32).prop_map(|failures| json!({ "window": "consecutive", "failures": failures })),
        (1..80_u32, 1..30_u32, 100_000..900_000_u32).prop_map(|(size, least, rate)| {
            json!({ "window": "count", "size": size, "minCalls": least.min(size), "failureRatePpm": rate })
        }),
        (10..900_u64, 1..30_u32, 100_000..900_000_u32).prop_map(|(ms, least, rate)| {
            json!({ "window": "time", "windowMs": ms, "minCalls": least, "failureRatePpm": rate })
        }),
    ];
    window
}

/// A breaker, and successes that it was not told of.
struct Told {
    breaker: Breaker,
    defers: bool,
    untold: u32,
}

impl Told {
    fn new(settings: &Arc<Settings>, defers: bool) -> Self {
        Self {
            breaker: Breaker::new(settings.clone(), [0; 16]),
            defers,
            untold: 0,
        }
    }

    fn handle(&mut self, event: Event, now: Timestamp) {
        if matches!(event, Event::Success) && self.defers && self.breaker.is_calm(now) {
            self.untold += 1;
            return;
        }
        self.tell(now);
        let outcome = match event {
            Event::Success => Outcome::Success,
            Event::Failure => Outcome::Failure,
            Event::Pass(_) => {
                let _ = self.breaker.advance(now);
                return;
            }
        };
        if let Ok(permit) = self.breaker.permit(now).permit {
            let _ = self.breaker.report(permit, outcome, 0, now);
        }
    }

    fn tell(&mut self, now: Timestamp) {
        let times = std::mem::take(&mut self.untold);
        if times > 0 {
            let permit = self.breaker.permit(now).permit.expect("it is closed");
            let change = self.breaker.report_successes(permit, times, now);
            assert_eq!(change, None, "a calm circuit changed");
        }
    }
}

proptest! {
    #[test]
    fn successes_that_are_told_together_are_those_told_one_by_one(
        options in options(),
        events in events(),
    ) {
        let options: BreakerOptions = serde_json::from_value(options).expect("options of a breaker");
        let settings = Arc::new(Settings::parse(&options).expect("they are in their ranges"));
        let (mut at_once, mut later) = (Told::new(&settings, false), Told::new(&settings, true));
        let mut now = Timestamp(1_600_000_000_000);
        for event in events {
            if let Event::Pass(ms) = event {
                // Those of a time window are told with their time.
                later.tell(now);
                now = now.plus(ms);
            }
            at_once.handle(event, now);
            later.handle(event, now);
            prop_assert_eq!(at_once.breaker.state(), later.breaker.state());
            let untold = later.untold;
            let mut looked_at = later.breaker.clone();
            // None at all is no success.
            if looked_at.state() == State::Closed {
                let permit = looked_at.permit(now).permit.expect("it is closed");
                let change = looked_at.report_successes(permit, untold, now);
                prop_assert_eq!(change, None);
            }
            prop_assert_eq!(at_once.breaker.stats(now), looked_at.stats(now));
        }
    }
}
