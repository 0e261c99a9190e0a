//! What a taken id costs in memory, and what may not be done with one.

use ackbox_core::command::MessageState;
use ackbox_core::hash;
use ackbox_core::journal::Place;
use ackbox_core::ledger::dedup::{ATTEMPT_MAX, Dedup, ENTRY_BYTES, End, Entry};
use ackbox_core::time::Timestamp;

#[test]
fn an_entry_has_no_gaps_and_its_slot_no_flag() {
    assert_eq!(size_of::<Entry>(), ENTRY_BYTES);
    assert_eq!(ENTRY_BYTES, 52);
    assert_eq!(size_of::<Option<Entry>>(), ENTRY_BYTES);
}

/// So many ids, finished one after the other, with the places of their records.
fn finished(ids: u32) -> Dedup {
    let mut dedup = Dedup::new();
    for id in 0..ids {
        let entry = dedup.insert_live(0, hash::id_hash(&[7; 16], 0, &id.to_le_bytes()), 0, id);
        let end = End {
            at: Timestamp(u64::from(id / 20)),
            number: u64::from(id) + 1,
            ..end(MessageState::Completed)
        };
        dedup.finish(entry, end);
        let place = Place {
            segment: 1 + id / 500_000,
            offset: 128 + id % 500_000 * 80,
            length: 60,
        };
        dedup.set_place(entry, place);
    }
    dedup
}

#[test]
fn a_finished_id_takes_sixty_four_bytes_at_most_at_any_size() {
    for ids in [100_000, 262_145, 600_000, 1_000_000] {
        let dedup = finished(ids);
        let bytes = dedup.memory_bytes() as f64 / f64::from(ids);
        assert!(bytes <= 64.0, "{bytes} bytes an id of {ids}");
    }
}

#[test]
fn ids_that_come_and_go_leave_little_behind() {
    let mut dedup = finished(200_000);
    // All but every fourth go, wherever they stand.
    for entry in (0..200_000).filter(|entry| entry % 4 != 0) {
        dedup.remove(entry);
    }
    for id in 200_000..350_000_u32 {
        dedup.insert_live(0, hash::id_hash(&[7; 16], 0, &id.to_le_bytes()), 0, id);
    }
    let bytes = dedup.memory_bytes() / dedup.len();
    assert!(bytes <= 64, "{bytes} bytes an id");
}

fn end(state: MessageState) -> End {
    End {
        at: Timestamp(1),
        state,
        number: 1,
        attempt: 1,
        tells: false,
    }
}

fn one_live() -> (Dedup, u32) {
    let mut dedup = Dedup::new();
    let entry = dedup.insert_live(0, 1, 2, 3);
    (dedup, entry)
}

#[test]
#[should_panic(expected = "has ended before")]
fn a_message_ends_once() {
    let (mut dedup, entry) = one_live();
    dedup.finish(entry, end(MessageState::Completed));
    dedup.finish(entry, end(MessageState::Completed));
}

#[test]
#[should_panic(expected = "is completed, dead or cancelled, not Leased")]
fn a_message_ends_in_a_final_state() {
    let (mut dedup, entry) = one_live();
    dedup.finish(entry, end(MessageState::Leased));
}

#[test]
#[should_panic(expected = "is that of its message")]
fn a_live_entry_has_no_record_of_its_own() {
    let (mut dedup, entry) = one_live();
    dedup.set_place(
        entry,
        Place {
            segment: 1,
            offset: 128,
            length: 8,
        },
    );
}

#[test]
#[should_panic(expected = "the entry has a message")]
fn a_live_entry_cannot_live_again() {
    let (mut dedup, entry) = one_live();
    dedup.relive(entry, 4);
}

#[test]
#[should_panic(expected = "needs more than 29 bits")]
fn a_record_of_half_a_gigabyte_is_refused() {
    let (mut dedup, entry) = one_live();
    dedup.finish(entry, end(MessageState::Completed));
    dedup.set_place(
        entry,
        Place {
            segment: 1,
            offset: 128,
            length: 1 << 29,
        },
    );
}

#[test]
#[should_panic(expected = "slot 0 is vacant")]
fn an_entry_is_removed_once() {
    let (mut dedup, entry) = one_live();
    dedup.remove(entry);
    dedup.remove(entry);
}

#[test]
fn an_attempt_beyond_the_highest_counts_as_that() {
    for (attempt, told) in [
        (0, None),
        (1, Some(1)),
        (ATTEMPT_MAX, Some(ATTEMPT_MAX)),
        (u32::MAX, Some(ATTEMPT_MAX)),
    ] {
        let (mut dedup, entry) = one_live();
        assert_eq!(dedup.finished_attempt(entry), None);
        let end = End {
            attempt,
            ..end(MessageState::Completed)
        };
        dedup.finish(entry, end);
        assert_eq!(dedup.finished_attempt(entry), told);
        dedup.relive(entry, 9);
        assert_eq!(dedup.finished_attempt(entry), None);
    }
}
