//! The engine as a black box, in virtual time: one behaviour a module, all of them over [`support::World`].

#![allow(
    unreachable_pub,
    reason = "one crate: `pub` says what a module offers to the others"
)]

mod support;

mod abandoned;
mod at_most_once;
mod attempts;
mod batches;
mod bounded_work;
mod circuits;
mod circuits_saved;
mod cleaned_state;
mod cleaning;
mod clock;
mod closing;
mod cold_backlog;
mod coming_back;
mod compensation;
mod compensation_hindered;
mod cooldowns_told;
mod corruption;
mod crash_points;
mod dead_pages;
mod deduplication;
mod dequeueing;
mod destinations;
mod determinism;
mod draining;
mod draining_deaths;
mod draining_gated;
mod editing;
mod events;
mod fencing;
mod gates;
mod generated_ids;
mod group_commit;
mod groups;
mod histories;
mod holds_kept;
mod idle;
mod implausible;
mod inspection;
mod lifecycle;
mod limits;
mod looking;
mod no_room;
mod options;
mod outcomes;
mod outcomes_awaited;
mod outcomes_random;
mod outcomes_recent;
mod overrunning;
mod paced_redrives;
mod pausing;
mod priorities;
mod probes_late;
mod producers;
mod producers_cut;
mod purging;
mod put_off;
mod rates;
mod redriving;
mod retry_budgets;
mod retrying;
mod scheduling;
mod seen_once;
mod sluices;
mod statistics;
mod steps;
mod steps_cleaned;
mod steps_random;
mod storage_failure;
mod suspects;
mod taking_back;
mod time_to_live;
mod transactions;
mod transactions_cut;
mod transactions_random;
mod transfers;
mod undecodable;
mod unseen_ids;
mod watching;
mod written_ahead;
