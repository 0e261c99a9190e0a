//! How many messages run at once after a recovery, or after a pause that was asked for: one, and one more for
//! each that is answered, so twice as many with each round until there are as many as there are handlers.
//!
//! Only those count that came since, and only until it is known how they went: a handler that was told to stop, or
//! that hangs since before, keeps nobody out. One that nobody tells to stop keeps others out for [`PATIENCE_MS`],
//! after which one more may come. What fails lets no more come, and takes nothing back either: whether a
//! destination fails too often is for its circuit to say. So the return ends at any rate of failures, after
//! `ROUNDS_MAX` times as many ends as there are handlers at the latest.

use crate::policy::breaker::Outcome;
use crate::time::Timestamp;

/// For how long those who run keep others out, while none of them ends.
pub const PATIENCE_MS: u64 = 30_000;

/// A return is over after so many times as many ends as there are handlers.
const ROUNDS_MAX: u32 = 2;

/// A message came with this return, and has not been answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step(u32);

/// The return of messages; as long as there is none, all come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ramp {
    /// Tells returns apart.
    number: u32,
    returning: Option<Returning>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Returning {
    most: u32,
    running: u32,
    ended: u32,
    /// When one of those who run came or ended last.
    moved_at: Timestamp,
}

impl Ramp {
    /// Messages come back from now on. Those that came with a return that is not over count in this one.
    pub fn begin(&mut self) {
        if self.returning.is_none() {
            self.number = self.number.wrapping_add(1);
        }
        let before = self.returning;
        self.returning = Some(Returning {
            most: 1,
            running: before.map_or(0, |it| it.running),
            ended: 0,
            moved_at: before.map_or(Timestamp(0), |it| it.moved_at),
        });
    }

    /// All may come, or none: it is of no use.
    pub fn end(&mut self) {
        self.returning = None;
    }

    /// When one more may come, as far as time alone decides; none if one may now.
    #[must_use]
    pub fn next(self, now: Timestamp) -> Option<Timestamp> {
        let it = self.returning.filter(|it| it.running >= it.most)?;
        let next = it.moved_at.plus(PATIENCE_MS);
        (next > now).then_some(next)
    }

    /// A message comes.
    pub fn pass(&mut self, now: Timestamp) -> Option<Step> {
        let it = self.returning.as_mut()?;
        it.running += 1;
        it.most = it.most.max(it.running);
        it.moved_at = now;
        Some(Step(self.number))
    }

    /// It is known how one went that came, or that nobody will know; `slots`: handlers that there are.
    pub fn leave(&mut self, step: Step, outcome: Outcome, slots: u32, now: Timestamp) {
        let Some(it) = self.returning.as_mut().filter(|_| step.0 == self.number) else {
            return;
        };
        it.running -= 1;
        it.moved_at = now;
        match outcome {
            // Whoever answers that it will not have this one message has answered.
            Outcome::Success | Outcome::Ignored => it.most = it.most.saturating_add(1),
            Outcome::Failure | Outcome::Timeout => {}
            // What was too much before the pause would be too much after it.
            Outcome::Throttled { until, .. } if until > now => return self.begin(),
            Outcome::Throttled { .. } | Outcome::Cancelled => return,
        }
        it.ended += 1;
        if it.most >= slots || it.ended >= slots.saturating_mul(ROUNDS_MAX) {
            self.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp(1000);

    /// How many may run at most, up to a limit.
    fn fill(ramp: &mut Ramp, limit: usize) -> Vec<Step> {
        let mut steps = Vec::new();
        while steps.len() < limit
            && ramp.next(NOW).is_none()
            && let Some(step) = ramp.pass(NOW)
        {
            steps.push(step);
        }
        steps
    }

    #[test]
    fn who_came_before_it_neither_counts_nor_tells_anything() {
        let mut ramp = Ramp::default();
        ramp.begin();
        let old = ramp.pass(NOW).expect("it returns");
        ramp.end();
        ramp.begin();
        assert_eq!(fill(&mut ramp, 9).len(), 1);
        ramp.leave(old, Outcome::Success, 9, NOW);
        assert!(fill(&mut ramp, 9).is_empty());
    }

    #[test]
    fn who_asks_for_time_again_is_asked_by_one_at_a_time() {
        let mut ramp = Ramp::default();
        ramp.begin();
        let asks = Outcome::Throttled {
            until: NOW.plus(1),
            failed: false,
        };
        for outcome in [Outcome::Success, asks] {
            let step = fill(&mut ramp, 1)[0];
            ramp.leave(step, outcome, 9, NOW);
        }
        assert_eq!(fill(&mut ramp, 9).len(), 1);
    }

    proptest! {
        #[test]
        fn it_ends_at_any_rate_of_failures(
            slots in 1_u32..200,
            ends in proptest::collection::vec(0_u32..100, 400),
            failing in 0_u32..=100,
        ) {
            let mut ramp = Ramp::default();
            ramp.begin();
            let mut ended = 0;
            for end in ends.iter().take(slots as usize * 2) {
                let Some(step) = fill(&mut ramp, 1).pop() else { break };
                let outcome = if *end < failing { Outcome::Failure } else { Outcome::Success };
                ramp.leave(step, outcome, slots, NOW);
                ended += 1;
            }
            prop_assert!(ramp.returning.is_none(), "{ended} ended for {slots} slots");
        }
    }
}
