//! How much of the work may be retries: the retry budget of Finagle (`RetryBudget`, Twitter), which is
//! also that of tower (`TpsBudget`).
//!
//! Each first attempt deposits a share of a retry, each retry withdraws a whole one. Deposits and
//! withdrawals are forgotten after a while, and a reserve lets some retries pass even where there is
//! little work. Where those refuse a retry, this one puts it off: it waits in line, and whenever a deposit or
//! a forgotten withdrawal makes room, the one that waited longest is called. Who waits is told how long that
//! takes at the pace of the reserve, which is the longest, so that it is looked at once or twice.

use serde::{Deserialize, Serialize};

use super::line::Line;
use crate::time::Timestamp;

/// Parts of the time after which deposits are forgotten.
const SLOTS: u64 = 10;
/// Thousandths of a retry in a retry.
const RETRY: i64 = 1000;

const RATIO_MILLI_MAX: u32 = 1000;
const PER_SECOND_MAX: u32 = 1_000_000;
const TTL_MS_MAX: u64 = 3_600_000;

/// What a budget allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BudgetOptions {
    /// Thousandths of a retry that each first attempt allows.
    pub ratio_milli: u32,
    /// Retries a second that are always allowed.
    pub min_per_second: u32,
    /// How long a first attempt counts.
    pub ttl_ms: u64,
}

impl BudgetOptions {
    /// What is wrong with them, if anything is.
    pub fn check(&self) -> Result<(), String> {
        let within = |name: &str, value: u64, least: u64, most: u64| {
            let fits = (least..=most).contains(&value);
            fits.then_some(())
                .ok_or_else(|| format!("{name}: expected {least} to {most}, got {value}"))
        };
        let ratio = u64::from(self.ratio_milli);
        within("ratioMilli", ratio, 0, RATIO_MILLI_MAX.into())?;
        let reserve = u64::from(self.min_per_second);
        within("minPerSecond", reserve, 1, PER_SECOND_MAX.into())?;
        within("ttlMs", self.ttl_ms, 1000, TTL_MS_MAX)
    }

    fn reserve(&self) -> i64 {
        (u64::from(self.min_per_second) * self.ttl_ms) as i64
    }
}

/// What was deposited and withdrawn lately.
#[derive(Clone, Debug)]
pub struct Budget {
    options: BudgetOptions,
    slots: [i64; SLOTS as usize],
    /// The slot in use, counted from the beginning of time.
    slot: u64,
    sum: i64,
    line: Line,
}

impl Budget {
    /// A budget of nothing but its reserve.
    #[must_use]
    pub fn new(options: BudgetOptions) -> Self {
        Self {
            options,
            slots: [0; SLOTS as usize],
            slot: 0,
            sum: 0,
            line: Line::default(),
        }
    }

    /// A first attempt starts.
    pub fn deposit(&mut self, now: Timestamp) {
        self.add(now, self.options.ratio_milli.into());
    }

    /// A first attempt did not start after all.
    pub fn undo_deposit(&mut self, now: Timestamp) {
        self.add(now, -i64::from(self.options.ratio_milli));
    }

    /// Whether a retry of this message may start now; if not, it waits in line, and asks again at that time at the
    /// latest.
    pub fn check(&mut self, now: Timestamp, number: u64) -> Result<(), Timestamp> {
        self.pass(now);
        let is_next = self.has_room() && !self.line.has_before(number);
        if is_next || self.line.is_called(number, self.forgotten()) {
            return Ok(());
        }
        let interval = 1000u64.div_ceil(self.options.min_per_second.into());
        let until = now.plus((self.line.len() + 1).saturating_mul(interval));
        let until = until.max(self.next_room());
        self.line.wait(number, until);
        Err(until)
    }

    /// A retry of this message starts.
    pub fn withdraw(&mut self, now: Timestamp, number: u64) {
        self.pass(now);
        self.line.leave(number);
        if !self.line.answer(number, self.forgotten()) {
            self.add(now, -RETRY);
        }
    }

    /// Who is to be called now, and when it would ask by itself: nobody if there is no room, or nobody waits.
    pub fn next_to_call(&mut self, now: Timestamp) -> Option<(u64, Timestamp)> {
        self.pass(now);
        self.line.first().filter(|_| self.has_room())
    }

    /// One that waits may ask now: a retry is kept for it.
    pub fn call(&mut self, now: Timestamp, number: u64) {
        self.add(now, -RETRY);
        self.line.call(number, self.slot, self.forgotten());
    }

    /// One that waits asks no more.
    pub fn forget(&mut self, number: u64) {
        self.line.leave(number);
    }

    /// When time alone makes room for one that waits; in the past if there is room.
    #[must_use]
    pub fn next_change(&self) -> Timestamp {
        if self.line.is_empty() {
            return Timestamp::NEVER;
        }
        self.next_room()
    }

    /// A retry did not start after all.
    pub fn undo_withdrawal(&mut self, now: Timestamp) {
        self.add(now, RETRY);
    }

    fn add(&mut self, now: Timestamp, amount: i64) {
        self.pass(now);
        self.slots[(self.slot % SLOTS) as usize] += amount;
        self.sum += amount;
    }

    fn has_room(&self) -> bool {
        self.options.reserve() + self.sum >= RETRY
    }

    /// The beginning of the first slot, from that in use, in which there is room unless somebody takes it.
    fn next_room(&self) -> Timestamp {
        let mut room = self.options.reserve() + self.sum;
        let mut slot = self.slot;
        // A reserve is a retry at least, so there is room once all is forgotten.
        while room < RETRY && slot < self.slot + SLOTS {
            slot += 1;
            room -= self.slots[(slot % SLOTS) as usize];
        }
        Timestamp(slot * self.slot_ms())
    }

    /// The last slot of which nothing is remembered.
    fn forgotten(&self) -> Option<u64> {
        self.slot.checked_sub(SLOTS)
    }

    fn slot_ms(&self) -> u64 {
        self.options.ttl_ms.div_ceil(SLOTS)
    }

    /// Forgets what is older than the time to live, however long nobody asked.
    fn pass(&mut self, now: Timestamp) {
        let slot = now.0 / self.slot_ms();
        let passed = slot.saturating_sub(self.slot).min(SLOTS);
        self.slot = self.slot.max(slot);
        for back in 0..passed {
            let at = ((self.slot - back) % SLOTS) as usize;
            self.sum -= std::mem::take(&mut self.slots[at]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: BudgetOptions = BudgetOptions {
        ratio_milli: 200,
        min_per_second: 1,
        ttl_ms: 10_000,
    };

    fn withdraw_all(budget: &mut Budget, now: u64) -> u32 {
        let mut taken = 0;
        while budget.check(Timestamp(now), 0).is_ok() {
            budget.withdraw(Timestamp(now), 0);
            taken += 1;
        }
        budget.forget(0);
        taken
    }

    fn call_all(budget: &mut Budget, now: u64) -> Vec<u64> {
        let mut called = Vec::new();
        while let Some((number, _)) = budget.next_to_call(Timestamp(now)) {
            budget.call(Timestamp(now), number);
            called.push(number);
        }
        called
    }

    fn exhausted() -> Budget {
        let mut budget = Budget::new(OPTIONS);
        withdraw_all(&mut budget, 0);
        budget
    }

    #[test]
    fn a_reserve_is_there_without_any_deposit() {
        assert_eq!(withdraw_all(&mut Budget::new(OPTIONS), 0), 10);
    }

    #[test]
    fn each_five_first_attempts_allow_one_retry() {
        let mut budget = Budget::new(OPTIONS);
        withdraw_all(&mut budget, 0);
        for _ in 0..4 {
            budget.deposit(Timestamp(0));
        }
        assert_eq!(withdraw_all(&mut budget, 0), 0);
        budget.deposit(Timestamp(0));
        assert_eq!(withdraw_all(&mut budget, 0), 1);
    }

    #[test]
    fn what_is_old_is_forgotten_after_any_idle_time() {
        let mut budget = Budget::new(OPTIONS);
        for _ in 0..1000 {
            budget.deposit(Timestamp(500));
        }
        assert_eq!(withdraw_all(&mut budget.clone(), 9_999), 210);
        assert_eq!(withdraw_all(&mut budget.clone(), 10_500), 10);
        assert_eq!(withdraw_all(&mut budget, 3_600_000), 10);
    }

    #[test]
    fn withdrawals_are_forgotten_as_well() {
        let mut budget = Budget::new(OPTIONS);
        withdraw_all(&mut budget, 0);
        assert_eq!(withdraw_all(&mut budget, 9_999), 0);
        assert_eq!(withdraw_all(&mut budget, 10_000), 10);
    }

    #[test]
    fn what_is_refused_is_put_off_one_behind_the_other_until_there_may_be_room() {
        let mut budget = exhausted();
        assert_eq!(budget.next_change(), Timestamp::NEVER);
        for number in 1..=9 {
            assert_eq!(budget.check(Timestamp(10), number), Err(Timestamp(10_000)));
        }
        assert_eq!(budget.check(Timestamp(10), 10), Err(Timestamp(10_010)));
        assert_eq!(budget.check(Timestamp(10), 11), Err(Timestamp(11_010)));
        assert_eq!(budget.next_change(), Timestamp(10_000));
        assert!(call_all(&mut budget, 9_999).is_empty());
        assert_eq!(
            call_all(&mut budget, 10_000),
            (1..=10).collect::<Vec<u64>>()
        );
    }

    #[test]
    fn a_deposit_calls_who_waited_longest_and_keeps_a_retry_for_it() {
        let mut budget = exhausted();
        for number in [7, 3] {
            assert!(budget.check(Timestamp(0), number).is_err());
        }
        for _ in 0..5 {
            assert!(call_all(&mut budget, 0).is_empty());
            budget.deposit(Timestamp(0));
        }
        assert_eq!(call_all(&mut budget, 0), [7]);
        for number in [1, 3] {
            assert!(budget.check(Timestamp(0), number).is_err(), "{number}");
        }
        assert!(budget.check(Timestamp(0), 7).is_ok());
        budget.withdraw(Timestamp(0), 7);
        assert!(
            budget.check(Timestamp(0), 7).is_err(),
            "one call, one retry"
        );
    }

    #[test]
    fn who_comes_waits_behind_those_in_line_even_if_there_is_room() {
        let mut budget = exhausted();
        assert!(budget.check(Timestamp(0), 7).is_err());
        (0..5).for_each(|_| budget.deposit(Timestamp(0)));
        assert_eq!(budget.next_change(), Timestamp(0));
        assert!(budget.check(Timestamp(0), 1).is_err());
        assert!(
            budget.check(Timestamp(0), 7).is_ok(),
            "its turn without a call"
        );
        budget.forget(7);
        assert_eq!(call_all(&mut budget, 0), [1]);
    }

    #[test]
    fn a_call_that_nobody_answers_is_forgotten_with_what_it_kept() {
        let mut budget = exhausted();
        assert!(budget.check(Timestamp(0), 7).is_err());
        assert_eq!(call_all(&mut budget, 10_000), [7]);
        assert_eq!(withdraw_all(&mut budget, 10_000), 9);
        assert!(budget.check(Timestamp(19_999), 7).is_ok());
        assert_eq!(withdraw_all(&mut budget, 20_000), 10);
        assert!(budget.check(Timestamp(20_000), 7).is_err());
    }

    #[test]
    fn what_did_not_start_costs_nothing() {
        let mut budget = Budget::new(OPTIONS);
        withdraw_all(&mut budget, 0);
        budget.undo_withdrawal(Timestamp(0));
        assert!(budget.check(Timestamp(0), 0).is_ok());
        budget.withdraw(Timestamp(0), 0);
        for _ in 0..5 {
            budget.deposit(Timestamp(0));
        }
        budget.undo_deposit(Timestamp(0));
        assert!(budget.check(Timestamp(0), 0).is_err());
    }

    #[test]
    fn limits_are_checked() {
        assert!(OPTIONS.check().is_ok());
        let named = |options: BudgetOptions| options.check().unwrap_err();
        let (ratio_milli, min_per_second, ttl_ms) = (1001, 0, 999);
        assert!(
            named(BudgetOptions {
                ratio_milli,
                ..OPTIONS
            })
            .starts_with("ratioMilli")
        );
        assert!(
            named(BudgetOptions {
                min_per_second,
                ..OPTIONS
            })
            .starts_with("minPerSecond")
        );
        assert!(named(BudgetOptions { ttl_ms, ..OPTIONS }).starts_with("ttlMs"));
    }
}
