//! Recovery of sound journals: all of it, in order, in reads of bounded size, and on from there. [S21]

mod journal_support;

use ackbox_core::command::SegmentInfo;
use ackbox_core::journal::{JournalError, Position, READ_BYTES, Record, Recovery, RecoveryReport};
use journal_support::records::{Parts, plain_message, reachable_parts as parts};
use journal_support::{Disk, Seen, Writer, expect_frames, expect_whole};
use proptest::collection::vec;
use proptest::prelude::*;

/// Segments of frames of records.
fn history() -> impl Strategy<Value = Vec<Vec<Vec<Parts>>>> {
    vec(vec(vec(parts(60), 0..4), 0..5), 1..4)
}

fn write(history: &[Vec<Vec<Parts>>], first_segment: u32) -> Writer {
    let mut writer = Writer::new();
    for (index, frames) in history.iter().enumerate() {
        writer.begin_segment(first_segment + index as u32);
        for frame in frames {
            let records: Vec<Record<'_>> = frame.iter().map(Parts::record).collect();
            writer.append(&records);
        }
    }
    writer
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_written_is_replayed(history in history(), first_segment in 0..5_u32) {
        let writer = write(&history, first_segment);
        let (seen, report) = writer.disk.recover().expect("a sound journal");
        expect_frames(&seen, &writer.frames);
        let numbers: Vec<u32> = seen.headers.iter().map(|header| header.segment).collect();
        prop_assert_eq!(numbers, writer.disk.segments.keys().copied().collect::<Vec<_>>());
        prop_assert_eq!(&report, &RecoveryReport {
            header: seen.headers.last().copied(),
            segments: writer.disk.list().iter().map(|info| (info.segment, info.bytes)).collect(),
            frames: writer.frames.len() as u64,
            last_frame: writer.next_frame - 1,
            last_time: writer.time,
            end: writer.end,
            cut: None,
            remove: vec![],
        });
        for (info, frame) in seen.frames.iter().zip(&writer.frames) {
            prop_assert_eq!(u64::from(info.length), frame.length);
            prop_assert_eq!(info.records as usize, frame.payloads.len());
        }
    }

    /// Appending at the reported end continues the same journal.
    #[test]
    fn a_recovered_journal_is_continued(history in history(), more in history()) {
        let before = write(&history, 1);
        let (_, report) = before.disk.recover().expect("a sound journal");
        let mut after = Writer::resume(before.disk.clone(), &report);
        for frame in &more[0] {
            let records: Vec<Record<'_>> = frame.iter().map(Parts::record).collect();
            after.append(&records);
        }
        let frames = [before.frames, after.frames].concat();
        let report = expect_whole(&after.disk, &frames);
        prop_assert_eq!(report.end, after.end);
    }
}

#[test]
fn no_segments_are_a_journal_without_history() {
    let (seen, report) = Disk::default().recover().unwrap();
    assert_eq!((seen, report), (Seen::default(), RecoveryReport::default()));
}

#[test]
fn segments_may_be_listed_in_any_order() {
    let mut writer = Writer::new();
    for segment in 1..=3 {
        writer.begin_segment(segment);
        writer.append(&[Record::Returned {
            number: u64::from(segment),
        }]);
    }
    let mut listed = writer.disk.list();
    listed.reverse();
    let mut recovery = Recovery::new(&listed).unwrap();
    let mut seen = Seen::default();
    while let Some(read) = recovery.poll_read() {
        recovery
            .handle_chunk(writer.disk.read(read), &mut seen)
            .unwrap();
    }
    expect_frames(&seen, &writer.frames);
}

#[test]
fn a_journal_whose_older_segments_were_removed_is_whole() {
    let mut writer = Writer::new();
    for segment in 1..=4 {
        writer.begin_segment(segment);
        writer.append(&[Record::Returned {
            number: u64::from(segment),
        }]);
    }
    writer.disk.segments.retain(|&segment, _| segment > 2);
    let report = expect_whole(&writer.disk, &writer.frames[2..]);
    assert_eq!(report.last_frame, 4);
}

/// A segment that was begun and whose first frame was cut earlier.
#[test]
fn a_last_segment_with_a_header_alone_is_whole() {
    let mut writer = Writer::new();
    writer.begin_segment(1);
    writer.append(&[Record::Returned { number: 1 }]);
    writer.begin_segment(2);
    let report = expect_whole(&writer.disk, &writer.frames);
    assert_eq!(
        (report.end, report.last_frame),
        (
            Position {
                segment: 2,
                offset: 128
            },
            1
        )
    );
    assert_eq!(report.segments, [(1, 128 + 72), (2, 128)]);
}

#[test]
fn a_read_is_1_mib_unless_a_frame_is_larger() {
    let mut writer = Writer::new();
    writer.begin_segment(1);
    let body = vec![0xA5; 3 * READ_BYTES as usize];
    for (number, bytes) in [
        100,
        700_000,
        body.len(),
        10,
        READ_BYTES as usize,
        700_000,
        600_000,
        1,
    ]
    .into_iter()
    .enumerate()
    {
        writer.append(&[Record::Message(plain_message(
            number as u64,
            "id",
            &body[..bytes],
        ))]);
    }
    let mut seen = Seen::default();
    let (_, reads) = writer.disk.recover_into(&mut seen).unwrap();
    expect_frames(&seen, &writer.frames);
    let longest = writer
        .frames
        .iter()
        .map(|frame| frame.length)
        .max()
        .unwrap();
    let mut starts = writer.frames.iter().map(|frame| frame.offset);
    for read in &reads {
        assert!(
            read.length <= READ_BYTES || u64::from(read.length) <= longest,
            "{read:?}"
        );
        assert!(
            read.offset == 0 || starts.any(|start| start == read.offset),
            "{read:?} begins with a frame"
        );
    }
    let read: u64 = reads.iter().map(|read| u64::from(read.length)).sum();
    assert!(
        read < 2 * writer.end.offset,
        "{read} bytes read of {}",
        writer.end.offset
    );
}

#[test]
fn many_small_frames_are_replayed_from_one_read_after_the_other() {
    let mut writer = Writer::new();
    writer.begin_segment(1);
    let body = [3; 1000];
    for number in 0..3_000 {
        writer.append(&[Record::Message(plain_message(number, "id", &body))]);
    }
    let mut seen = Seen::default();
    let (_, reads) = writer.disk.recover_into(&mut seen).unwrap();
    expect_frames(&seen, &writer.frames);
    let fewest = writer.end.offset.div_ceil(u64::from(READ_BYTES));
    assert!(
        reads.len() as u64 <= fewest + 1,
        "{} reads where {fewest} is the least",
        reads.len()
    );
}

#[test]
fn a_record_that_contradicts_others_is_reported_with_its_place() {
    let mut writer = Writer::new();
    writer.begin_segment(1);
    writer.append(&[
        Record::Returned { number: 1 },
        Record::Returned { number: 2 },
    ]);
    let mut seen = Seen {
        refuse: Some(1),
        ..Seen::default()
    };
    let error = writer.disk.recover_into(&mut seen).unwrap_err();
    let what = "the record contradicts those before it";
    assert_eq!(
        error,
        JournalError::Corrupt {
            segment: 1,
            offset: 128 + 48 + 24,
            what
        }
    );
}

/// A storage that lists a size and then returns other bytes is not to be trusted with a cut.
#[test]
fn a_chunk_of_another_length_is_an_error() {
    let mut writer = Writer::new();
    writer.begin_segment(1);
    writer.append(&[Record::Returned { number: 1 }]);
    for length in [0, 100, 300] {
        let mut recovery = Recovery::new(&writer.disk.list()).unwrap();
        recovery.poll_read().unwrap();
        let error = recovery
            .handle_chunk(&vec![0; length], &mut Seen::default())
            .unwrap_err();
        assert!(
            matches!(
                error,
                JournalError::Corrupt {
                    segment: 1,
                    offset: 0,
                    ..
                }
            ),
            "{error}"
        );
    }
}

#[test]
fn a_list_that_no_journal_has_is_an_error() {
    let info = |segment, bytes| SegmentInfo { segment, bytes };
    for (list, segment, what) in [
        (
            vec![info(1, 200), info(3, 200)],
            2,
            "the segment is missing",
        ),
        (
            vec![info(7, 200), info(2, 200)],
            3,
            "the segment is missing",
        ),
        (
            vec![info(1, 200), info(2, 200), info(1, 300)],
            1,
            "the segment is listed twice",
        ),
        (
            vec![info(1, 200), info(2, 1 << 32)],
            2,
            "the segment is larger than any segment",
        ),
        (
            vec![info(u32::MAX, 200), info(u32::MAX, 200)],
            u32::MAX,
            "the segment is listed twice",
        ),
    ] {
        let error = Recovery::new(&list).unwrap_err();
        assert_eq!(
            error,
            JournalError::Corrupt {
                segment,
                offset: 0,
                what
            },
            "{list:?}"
        );
    }
}
