//! The bugs: where each would have been made is told by its name, which stands there as `bug!("name")`.

/// Who is to notice a bug of the engine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tier {
    /// Seeded worlds of faults.
    Simulation,
    /// Everything that a crash may leave of short scripts.
    Enumeration,
    /// Tests of the engine by name: those of a file, or all that begin so.
    Core {
        /// The test program.
        target: &'static str,
        /// Which tests of it.
        filter: &'static str,
    },
}

impl Tier {
    /// What it is called in reports.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Simulation => "simulation".to_owned(),
            Self::Enumeration => "enumeration".to_owned(),
            Self::Core { target, filter: "" } => target.to_owned(),
            Self::Core { target, filter } => format!("{target}-{filter}"),
        }
    }
}

/// A bug of the engine.
pub(crate) struct Bug {
    pub(crate) name: &'static str,
    /// What goes wrong.
    pub(crate) what: &'static str,
    /// Who must notice it, whoever else does.
    pub(crate) tier: Tier,
}

const fn bug(name: &'static str, tier: Tier, what: &'static str) -> Bug {
    Bug { name, what, tier }
}

const fn engine(filter: &'static str) -> Tier {
    Tier::Core {
        target: "engine",
        filter,
    }
}

/// All of them.
pub(crate) const BUGS: [Bug; 58] = [
    bug(
        "acknowledge-before-flush",
        Tier::Enumeration,
        "an enqueue and an acknowledgement are answered before their record is durable",
    ),
    bug(
        "start-before-record",
        Tier::Simulation,
        "a handler starts before the record of its start is durable",
    ),
    bug(
        "settle-at-most-once-late",
        Tier::Enumeration,
        "an at-most-once message is settled after its handler, not before",
    ),
    bug(
        "accept-stale-token",
        Tier::Simulation,
        "a delivery whose lease is gone settles its message",
    ),
    bug(
        "reuse-tokens",
        Tier::Simulation,
        "tokens begin anew after a recovery",
    ),
    bug(
        "go-on-after-failed-append",
        Tier::Simulation,
        "a failed append is taken for one that succeeded",
    ),
    bug(
        "remove-newer-segment-first",
        Tier::Enumeration,
        "a segment is removed while an older one is still there",
    ),
    bug(
        "remove-before-moved",
        Tier::Enumeration,
        "a segment is removed before what was live in it is durable elsewhere",
    ),
    bug(
        "clean-ids-away",
        Tier::Simulation,
        "ids in their window go with the segment that they are stored in",
    ),
    bug(
        "move-without-attempts",
        Tier::Simulation,
        "a message that cleaning moves begins its attempts anew",
    ),
    bug(
        "segment-without-definitions",
        Tier::Enumeration,
        "a segment does not begin with the definitions of the queues",
    ),
    bug(
        "header-without-counters",
        Tier::Simulation,
        "a segment's header does not tell how far the numbers of messages are",
    ),
    bug(
        "keep-torn-tail",
        Tier::Enumeration,
        "a torn tail is not cut before something is appended behind it",
    ),
    bug(
        "ignore-stable-to",
        Tier::Simulation,
        "damage in front of what was durable is cut off like a torn tail",
    ),
    bug(
        "skip-record-checksum",
        Tier::Enumeration,
        "the checksum of a record is not looked at",
    ),
    bug(
        "skip-frame-checksum",
        Tier::Simulation,
        "the checksum of a frame is not looked at",
    ),
    bug(
        "split-unit",
        Tier::Enumeration,
        "a transaction is written as several frames",
    ),
    bug(
        "forget-id-early",
        Tier::Simulation,
        "a finished id is free after half its window",
    ),
    bug(
        "forget-finished-ids",
        Tier::Enumeration,
        "an id is free as soon as its message finished",
    ),
    bug(
        "forget-steps",
        Tier::Enumeration,
        "recorded steps do not survive reopening",
    ),
    bug(
        "forget-sequences",
        engine("producers"),
        "sequences of producers do not survive reopening",
    ),
    bug(
        "death-costs-nothing",
        Tier::Enumeration,
        "a delivery that died with its process is no attempt",
    ),
    bug(
        "charge-given-back",
        Tier::Enumeration,
        "a delivery that was put off without cost is an attempt after reopening",
    ),
    bug(
        "redeliver-while-running",
        Tier::Simulation,
        "a message is delivered again while its handler still runs",
    ),
    bug(
        "lease-without-end",
        Tier::Simulation,
        "a lease by hand does not end when its time is over",
    ),
    bug(
        "group-two-in-flight",
        Tier::Simulation,
        "two messages of a group are in flight",
    ),
    bug(
        "retry-early",
        Tier::Simulation,
        "a retry comes after half its backoff",
    ),
    bug(
        "start-after-ttl",
        engine("time_to_live"),
        "a delivery starts after the message's time to live",
    ),
    bug(
        "believe-clock",
        Tier::Simulation,
        "time runs backwards when the host's clock does",
    ),
    bug(
        "run-suspects-together",
        engine("suspects"),
        "messages whose owner died run beside each other",
    ),
    bug(
        "charge-failed-probe",
        engine("circuits"),
        "a failed probe of an open circuit costs its message an attempt",
    ),
    bug(
        "withdraw-orphans",
        engine("compensation_hindered"),
        "a purge takes a message whose owner died with its last attempt, and nobody is told of its death",
    ),
    bug(
        "lose-declined",
        Tier::Simulation,
        "an at-most-once message that its consumer declined is not taken back",
    ),
    bug(
        "begin-at-hand-out",
        Tier::Simulation,
        "the time of a handler that begins late runs from its hand-out",
    ),
    bug(
        "forget-moved-rows",
        Tier::Simulation,
        "how far the inbox was moved goes with the segment that it is stored in",
    ),
    bug(
        "overtake-refused-row",
        Tier::Simulation,
        "a row of the inbox is moved although the one in front of it was refused",
    ),
    bug(
        "all-calls-slow",
        Tier::Simulation,
        "a circuit takes every call for a slow one",
    ),
    bug(
        "rotate-one-bucket",
        Tier::Core {
            target: "breaker_traces",
            filter: "",
        },
        "a pause moves a breaker's time window on by one bucket only",
    ),
    bug(
        "cap-after-jitter",
        Tier::Core {
            target: "backoff_properties",
            filter: "",
        },
        "a capped delay has no jitter",
    ),
    bug(
        "no-queue-timer",
        Tier::Simulation,
        "nobody is asked to call when a message comes due, or a lease or a wait is over",
    ),
    bug(
        "no-waiter-timer",
        Tier::Simulation,
        "nobody is asked to call when a dequeue has waited long enough",
    ),
    bug(
        "no-suspect-timer",
        Tier::Simulation,
        "nobody is asked to call when a suspect has held other work back long enough",
    ),
    bug(
        "no-room-timer",
        Tier::Simulation,
        "nobody is asked to call when a storage without room is to be tried again",
    ),
    bug(
        "lose-settle-answer",
        Tier::Simulation,
        "a settlement is carried out and never answered",
    ),
    bug(
        "lose-dequeue-answer",
        Tier::Simulation,
        "a dequeue is never answered",
    ),
    bug(
        "lose-transaction-answer",
        Tier::Simulation,
        "a transaction is carried out and never answered",
    ),
    bug(
        "leave-group-waiting",
        Tier::Simulation,
        "the next of a group does not go on when its head is done",
    ),
    bug(
        "forget-purge",
        Tier::Simulation,
        "a purge does not survive reopening",
    ),
    bug(
        "event-before-record",
        Tier::Simulation,
        "an event is told before its record is durable",
    ),
    bug(
        "clean-loses-due",
        Tier::Simulation,
        "a delayed message that cleaning moves is due at once",
    ),
    bug(
        "clean-loses-deadline",
        Tier::Simulation,
        "a message that cleaning moves lives for ever",
    ),
    bug(
        "clean-prolongs-window",
        Tier::Simulation,
        "cleaning begins the window of a finished id anew",
    ),
    bug(
        "never-open-circuit",
        Tier::Simulation,
        "a circuit stays closed whatever fails",
    ),
    bug(
        "open-circuit-for-ever",
        Tier::Simulation,
        "an open circuit lets no probe through",
    ),
    bug(
        "no-suspects",
        Tier::Simulation,
        "messages whose owner died are no suspects",
    ),
    bug(
        "redrive-keeps-attempts",
        Tier::Simulation,
        "a redriven message keeps the attempts of its life before",
    ),
    bug(
        "wrong-sequence-ahead",
        Tier::Simulation,
        "of a producer's numbers ahead of a gap, the wrong one counts as known",
    ),
    bug(
        "differ-between-runs",
        Tier::Simulation,
        "equal inputs give other tokens the second time",
    ),
];
