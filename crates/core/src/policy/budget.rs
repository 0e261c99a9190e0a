//! How much of the work may be retries: the retry budget of Finagle (`RetryBudget`, Twitter), which is
//! also that of tower (`TpsBudget`).
//!
//! Each first attempt deposits a share of a retry, each retry withdraws a whole one. Deposits and
//! withdrawals are forgotten after a while, and a reserve lets some retries pass even where there is
//! little work. A budget that is exhausted says when it is worth asking again: retries are put off one
//! behind the other at the pace of the reserve, so that each of them is put off a few times at most.

use serde::{Deserialize, Serialize};

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
    /// Until when retries that did not pass are put off so far.
    put_off: Timestamp,
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
            put_off: Timestamp(0),
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

    /// Whether a retry may start now; if not, when to ask for it again.
    pub fn check(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        self.pass(now);
        if self.options.reserve() + self.sum >= RETRY {
            return Ok(());
        }
        let interval = 1000u64.div_ceil(self.options.min_per_second.into());
        self.put_off = self.put_off.max(now).plus(interval);
        Err(self.put_off)
    }

    /// A retry starts.
    pub fn withdraw(&mut self, now: Timestamp) {
        self.add(now, -RETRY);
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

    /// Forgets what is older than the time to live, however long nobody asked.
    fn pass(&mut self, now: Timestamp) {
        let slot = now.0 / self.options.ttl_ms.div_ceil(SLOTS);
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
        while budget.check(Timestamp(now)).is_ok() {
            budget.withdraw(Timestamp(now));
            taken += 1;
        }
        taken
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
    fn what_is_refused_is_put_off_one_behind_the_other() {
        let mut budget = Budget::new(OPTIONS);
        withdraw_all(&mut budget, 0);
        assert_eq!(budget.check(Timestamp(10)), Err(Timestamp(2000)));
        assert_eq!(budget.check(Timestamp(10)), Err(Timestamp(3000)));
        assert_eq!(budget.check(Timestamp(5000)), Err(Timestamp(6000)));
    }

    #[test]
    fn what_did_not_start_costs_nothing() {
        let mut budget = Budget::new(OPTIONS);
        withdraw_all(&mut budget, 0);
        budget.undo_withdrawal(Timestamp(0));
        assert!(budget.check(Timestamp(0)).is_ok());
        budget.withdraw(Timestamp(0));
        for _ in 0..5 {
            budget.deposit(Timestamp(0));
        }
        budget.undo_deposit(Timestamp(0));
        assert!(budget.check(Timestamp(0)).is_err());
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
