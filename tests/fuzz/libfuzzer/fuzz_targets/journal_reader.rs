//! The target of this name under libFuzzer.

#![no_main]

use ackbox_fuzz::allocation::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

libfuzzer_sys::fuzz_target!(|data: &[u8]| ackbox_fuzz::journal_reader(data));
