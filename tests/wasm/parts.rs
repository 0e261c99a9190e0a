//! The small test programs of `crates/core/tests`, each a module: one program to compile and to link instead of many.

#[path = "../../crates/core/tests/backoff_properties.rs"]
mod backoff_properties;
#[path = "../../crates/core/tests/backoff_tables.rs"]
mod backoff_tables;
#[path = "../../crates/core/tests/backoff_vectors.rs"]
mod backoff_vectors;
#[path = "../../crates/core/tests/breaker_calm.rs"]
mod breaker_calm;
#[path = "../../crates/core/tests/breaker_traces.rs"]
mod breaker_traces;
#[path = "../../crates/core/tests/budget_traces.rs"]
mod budget_traces;
#[path = "../../crates/core/tests/dedup_model.rs"]
mod dedup_model;
#[path = "../../crates/core/tests/dedup_size.rs"]
mod dedup_size;
#[path = "../../crates/core/tests/dedup_tables.rs"]
mod dedup_tables;
#[path = "../../crates/core/tests/journal_damage.rs"]
mod journal_damage;
#[path = "../../crates/core/tests/journal_fixture.rs"]
mod journal_fixture;
#[path = "../../crates/core/tests/journal_frame.rs"]
mod journal_frame;
#[path = "../../crates/core/tests/journal_header.rs"]
mod journal_header;
#[path = "../../crates/core/tests/journal_record.rs"]
mod journal_record;
#[path = "../../crates/core/tests/journal_recovery.rs"]
mod journal_recovery;
#[path = "../../crates/core/tests/journal_scan.rs"]
mod journal_scan;
#[path = "../../crates/core/tests/journal_torn.rs"]
mod journal_torn;
