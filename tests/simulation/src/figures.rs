//! What happened in a world, counted where it happened.

/// Declares the counts once: their fields, their sum, and their names for those who read them.
macro_rules! figures {
    ($($(#[$doc:meta])* $field:ident: $name:literal,)*) => {
        /// What happened, in figures.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
        pub struct Figures {
            $($(#[$doc])* pub $field: u64,)*
        }

        impl Figures {
            /// Adds what happened elsewhere.
            pub fn add(&mut self, other: &Self) {
                $(self.$field += other.$field;)*
            }

            /// Every count with its name.
            #[must_use]
            pub fn named(&self) -> Vec<(&'static str, u64)> {
                vec![$(($name, self.$field)),*]
            }
        }
    };
}

figures! {
    /// Ends of runs without a closing: crashes, and openings after a failure.
    crashes: "simulated crashes",
    /// Of those, crashes after which an append that had not been confirmed was not there, and none was there in part.
    power_cuts: "simulated power cuts that lost unsynchronised bytes",
    /// Power cuts that took back what had been told, where the storage promises no more.
    taken_back: "simulated power cuts that took back what was not flushed",
    /// Of the crashes, those that left a part of an append.
    torn_writes: "simulated torn writes",
    /// Bits that another one opened the box with.
    bit_flips: "simulated bit flips",
    /// Of those, in bytes that had been called durable.
    bit_flips_in_stable: "simulated bit flips in durable bytes",
    /// Reads of a box at work that returned a bit that was another one.
    rotten_reads: "simulated reads with a flipped bit",
    /// Appends that found no room.
    full_disks: "simulated appends without room",
    /// Appends and flushes that failed otherwise.
    failed_flushes: "simulated failed writes and flushes",
    /// Of those, writes of which a part was there.
    torn_failures: "simulated failed writes that left a part",
    /// Of those, flushes of a segment that was left for the next one, where appends are not flushed themselves.
    failed_leaves: "simulated failed flushes of a segment before the next one",
    /// Reads that failed.
    failed_reads: "simulated failed reads",
    /// Cuts and removals that failed.
    failed_removals: "simulated failed truncations and removals",
    /// Clocks that were set, or slept.
    clock_jumps: "simulated clock jumps",
    /// Boxes that were closed.
    closings: "simulated closings",
    /// Deliveries.
    deliveries: "simulated deliveries",
    /// Of those, how many their consumers declined.
    declined: "simulated deliveries that were declined",
    /// Of those, how many their consumers began with later.
    begun_late: "simulated deliveries that began late",
    /// Rows of the inbox that were moved into the box.
    moved: "simulated rows of the inbox that were moved",
    /// Rows of the inbox that were refused.
    rows_refused: "simulated rows of the inbox that were refused",
    /// Circuits that opened for a reason that could be told.
    opened: "simulated circuits that opened",
    /// Messages that were accepted.
    messages: "simulated messages",
    /// Sends that were known.
    duplicates: "simulated duplicate sends",
    /// Consumers that came too late, or twice.
    stale_settlements: "simulated settlements with a stale token",
    /// Steps that were called.
    steps: "simulated steps called",
    /// Of those, how many were cut off before their record.
    steps_cut_off: "simulated steps cut off before their record",
    /// Recorded steps that a later delivery came to.
    steps_recalled: "simulated recorded steps that came up again",
    /// Numbers of producers that were sent again.
    numbers_again: "simulated numbers of producers sent again",
    /// Sends with a fenced handle.
    fenced_sends: "simulated sends with a fenced handle",
    /// Answers to how long a circuit stays open.
    cooldowns: "simulated answers to how long a circuit stays open",
    /// Handlers that took too long.
    timeouts: "simulated handlers that timed out",
    /// Deliveries that probed an open circuit.
    probes: "simulated probes of open circuits",
}
