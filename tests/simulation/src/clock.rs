//! Virtual time: what a host would read, which drifts, jumps and sleeps, and what the engine makes of it.

/// The start of virtual time, in ms since the Unix epoch.
const START: u64 = 1_700_000_000_000;

/// A host's clock.
#[derive(Clone, Debug)]
pub struct Clock {
    reading: u64,
    /// The latest instant that the engine was told in this run: it never goes back behind it.
    latest: u64,
    /// Thousandths by which this clock is fast, or slow.
    drift_milli: i64,
}

impl Clock {
    /// A clock that gains so many thousandths.
    #[must_use]
    pub fn new(drift_milli: i64) -> Self {
        Self {
            reading: START,
            latest: START,
            drift_milli,
        }
    }

    /// What the clock shows.
    #[must_use]
    pub fn read(&mut self) -> u64 {
        self.latest = self.latest.max(self.reading);
        self.reading
    }

    /// What the engine takes for now.
    #[must_use]
    pub fn engine_now(&self) -> u64 {
        self.latest.max(self.reading)
    }

    /// Time passes.
    pub fn advance(&mut self, ms: u64) {
        let drift = i64::try_from(ms)
            .unwrap_or(i64::MAX)
            .saturating_mul(self.drift_milli)
            / 1000;
        self.reading = self.reading.saturating_add(ms).saturating_add_signed(drift);
    }

    /// Time passes until the engine wants to be called.
    pub fn advance_to(&mut self, at: u64) {
        self.reading = self.reading.max(at);
    }

    /// Somebody sets the clock.
    pub fn jump(&mut self, ms: i64) {
        self.reading = self.reading.saturating_add_signed(ms).max(START / 2);
    }

    /// A new run begins, at what the clock shows.
    pub fn restart(&mut self) {
        self.latest = self.reading;
    }
}
