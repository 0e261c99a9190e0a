//! What a run of the simulator proves, as JSON for those who gather it.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use ackbox_simulation::figures::Figures;

/// How many worlds there were, and what happened in them.
pub(crate) struct Sum {
    /// Worlds that kept every promise.
    pub(crate) passed: u64,
    /// Worlds that broke one.
    pub(crate) failed: u64,
    /// Everything that happened.
    pub(crate) figures: Figures,
    /// Wall time.
    pub(crate) seconds: f64,
}

impl Sum {
    /// Crashes a second.
    pub(crate) fn speed(&self) -> f64 {
        self.figures.crashes as f64 / self.seconds.max(0.001)
    }

    /// Writes it down.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let text = format!("{:#}\n", self.to_json());
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    fn to_json(&self) -> Value {
        let worlds = self.passed + self.failed;
        let mut figures = Map::new();
        figures.insert(
            "simulated worlds (each run twice)".to_owned(),
            json!(worlds),
        );
        let speed = self.speed().round();
        figures.insert("simulated crashes a second".to_owned(), json!(speed));
        for (name, count) in self.figures.named() {
            figures.insert(name.to_owned(), json!(count));
        }
        json!({ "figures": figures, "proves": self.proves(), "skipped": [] })
    }

    /// What happened counts for one promise. A failed world counts against every promise: which one it broke, its message tells.
    fn proves(&self) -> Value {
        let happened = &self.figures;
        let rows = [
            (
                "process-kill",
                happened.crashes - happened.power_cuts - happened.torn_writes,
                "the engine was stopped between any two of its effects with all that it had written there, and what a new owner found was held against all that had been told",
            ),
            (
                "power-loss",
                happened.power_cuts,
                "the simulated power was cut, and appends that had not been confirmed were not there afterwards",
            ),
            (
                "torn-write",
                happened.torn_writes + happened.torn_failures,
                "an append was left in part, as a prefix or as sectors with zeros or noise between them, and the box was opened again",
            ),
            (
                "bit-rot",
                happened.bit_flips + happened.rotten_reads,
                "one bit of the stored bytes was flipped, anywhere, and whoever opened or read them had to notice",
            ),
            (
                "failed-flush",
                happened.failed_flushes - happened.torn_failures,
                "a write or flush failed and left nothing or all of it, after which the box had to report it and to tell of no success",
            ),
            (
                "full-disk",
                happened.full_disks,
                "an append found no room, after which refusals had to be clean and settlements kept",
            ),
            (
                "lost-lease",
                happened.stale_settlements,
                "a consumer whose lease was over settled, and had to be refused without any effect",
            ),
            (
                "clock-jump",
                happened.clock_jumps,
                "the clock was set forward or back by up to two hours, or slept",
            ),
            (
                "duplicate-enqueue",
                happened.duplicates + happened.numbers_again,
                "an id or a producer's number was sent again, before and after crashes, and had to be known",
            ),
            (
                "exactly-once-steps",
                happened.steps + happened.steps_recalled,
                "steps ran in deliveries that crashed, failed and were repeated; one that was recorded was never called again, and its key never changed",
            ),
        ];
        let row = |(promise, runs, how): (&str, u64, &str)| json!({ "promise": promise, "how": format!("Simulated: {how}."), "runs": runs, "failures": self.failed });
        rows.map(row).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_and_a_failed_write_count_once_each() {
        let figures = Figures {
            crashes: 100,
            power_cuts: 20,
            torn_writes: 3,
            failed_flushes: 50,
            torn_failures: 7,
            ..Figures::default()
        };
        let sum = Sum {
            passed: 1,
            failed: 0,
            figures,
            seconds: 1.0,
        };
        let evidence = sum.to_json();
        let runs = |promise: &str| {
            let rows = evidence["proves"].as_array().into_iter().flatten();
            let rows = rows.filter(|row| row["promise"] == promise);
            rows.filter_map(|row| row["runs"].as_u64()).sum::<u64>()
        };
        let crashes = runs("process-kill") + runs("power-loss");
        assert_eq!((crashes, runs("torn-write")), (77 + 20, 3 + 7));
        assert_eq!(runs("failed-flush"), 43);
    }
}
