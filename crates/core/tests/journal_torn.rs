//! Torn tails: what a crash leaves of the last append is cut, reported, and nothing else is lost. [S18]

mod journal_support;

use ackbox_core::effect::Cut;
use ackbox_core::journal::{JournalError, Position, READ_BYTES, Record};
use journal_support::records::{Parts, plain_message, reachable_parts as parts};
use journal_support::{Disk, Seen, Writer, expect_frames, expect_torn, expect_whole};
use proptest::collection::vec;
use proptest::prelude::*;

/// Two segments; the last one has its header and these frames.
fn two_segments(frames: &[Vec<Parts>]) -> Writer {
    let mut writer = Writer::new();
    writer.begin_segment(1);
    writer.append(&[Record::Opened {
        open: 1,
        last_number: 0,
        last_token: 0,
    }]);
    writer.append(&[Record::Returned { number: 1 }]);
    writer.begin_segment(2);
    for frame in frames {
        let records: Vec<Record<'_>> = frame.iter().map(Parts::record).collect();
        writer.append(&records);
    }
    writer
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// For every length of the last segment: the longest prefix of whole frames, and the cut.
    #[test]
    fn a_journal_cut_at_any_byte_keeps_its_whole_frames(frames in vec(vec(parts(40), 0..3), 0..4)) {
        let writer = two_segments(&frames);
        let last = &writer.disk.segments[&2];
        for length in 0..last.len() as u64 {
            let mut disk = writer.disk.clone();
            disk.segments.insert(2, last[..length as usize].to_vec());
            let kept: Vec<_> =
                writer.frames.iter().filter(|frame| frame.segment == 1 || frame.end() <= length).cloned().collect();
            let report = expect_torn(&disk, &kept);
            let whole = match kept.last() {
                _ if length < 128 => 0,
                Some(frame) if frame.segment == 2 => frame.end(),
                _ => 128,
            };
            let cut = (whole < length).then_some(Cut { segment: 2, offset: whole, bytes: length - whole });
            prop_assert_eq!(report.cut, cut, "cut at {}", length);
            prop_assert_eq!(report.remove, if whole == 0 { vec![2] } else { vec![] });
        }
    }

    /// A crash may leave any mixture of new and old bytes of the last append.
    #[test]
    fn a_last_frame_of_which_any_bytes_are_missing_is_cut(
        frames in vec(vec(parts(40), 1..3), 1..4),
        holes in vec((any::<prop::sample::Index>(), 1..600_usize), 1..4),
    ) {
        let mut writer = two_segments(&frames);
        let last = writer.frames.pop().unwrap();
        let bytes = writer.disk.segments.get_mut(&2).unwrap();
        let whole = bytes.clone();
        for (start, length) in holes {
            let start = last.offset as usize + start.index(last.length as usize);
            let end = (start + length).min(bytes.len());
            bytes[start..end].fill(0);
        }
        prop_assume!(*bytes != whole);
        let report = expect_torn(&writer.disk, &writer.frames);
        prop_assert_eq!(report.cut, Some(Cut { segment: 2, offset: last.offset, bytes: last.length }));
        prop_assert_eq!(report.truncate(), Some((2, last.offset)));
    }
}

#[test]
fn an_empty_last_segment_is_removed() {
    let mut writer = two_segments(&[]);
    writer.disk.segments.insert(2, vec![]);
    let report = expect_torn(&writer.disk, &writer.frames);
    assert_eq!((report.cut, report.remove), (None, vec![2]));
    assert_eq!(
        report.end,
        Position {
            segment: 1,
            offset: 128 + 80 + 72
        }
    );
}

/// A box whose very first append was torn was never created.
#[test]
fn a_torn_first_segment_leaves_nothing() {
    let mut writer = Writer::new();
    writer.begin_segment(1);
    writer.append(&[Record::Returned { number: 1 }]);
    let whole = writer.disk.segments[&1].clone();
    for length in 0..128 {
        let disk = Disk {
            segments: [(1, whole[..length].to_vec())].into(),
        };
        let report = expect_torn(&disk, &[]);
        assert_eq!(
            (report.header, report.end, report.remove),
            (None, Position::default(), vec![1])
        );
    }
    let zeros = Disk {
        segments: [(1, vec![0; whole.len()])].into(),
    };
    assert_eq!(expect_torn(&zeros, &[]).remove, [1]);
}

#[test]
fn a_torn_header_with_a_torn_frame_is_removed_whole() {
    let body = vec![1; 3 * READ_BYTES as usize];
    let mut writer = two_segments(&[]);
    let frame = writer.append(&[
        Record::Message(plain_message(1, "id", &body)),
        Record::Message(plain_message(2, "id", &body)),
    ]);
    let kept = &writer.frames[..2];
    let bytes = writer.disk.segments.get_mut(&2).unwrap();
    bytes[64..128].fill(0);
    let last = bytes.len() - 9;
    bytes[last] = 0;
    let report = expect_torn(&writer.disk, kept);
    assert_eq!(
        report.cut,
        Some(Cut {
            segment: 2,
            offset: 0,
            bytes: frame.end()
        })
    );
    assert_eq!((report.truncate(), report.remove), (None, vec![2]));
}

/// Some file systems show noise where the bytes of a file never reached the disk.
#[test]
fn noise_where_the_next_segment_should_begin_is_removed() {
    let writer = two_segments(&[]);
    let kept = &writer.frames;
    let mut disk = writer.disk.clone();
    for length in [1, 7, 128, 4096] {
        disk.segments.insert(2, vec![0x5a; length]);
        let report = expect_torn(&disk, kept);
        assert_eq!(report.remove, [2], "{length} bytes");
    }
    disk.segments.insert(1, vec![0x5a; 4096]);
    let error = disk.recover().unwrap_err();
    assert_eq!(
        error,
        JournalError::Foreign { segment: 1 },
        "nothing shows that the first file is ours"
    );
}

/// File systems grow a file before its bytes reach the disk.
#[test]
fn zeros_behind_the_last_frame_are_cut() {
    for zeros in [1, 8, 47, 48, 4096, 2 * READ_BYTES as usize + 5] {
        let mut writer = two_segments(&[]);
        let frame = writer.append(&[Record::Returned { number: 1 }]);
        let bytes = writer.disk.segments.get_mut(&2).unwrap();
        bytes.resize(bytes.len() + zeros, 0);
        let report = expect_torn(&writer.disk, &writer.frames);
        assert_eq!(
            report.cut,
            Some(Cut {
                segment: 2,
                offset: frame.end(),
                bytes: zeros as u64
            })
        );
    }
}

/// Where flushes are rare, several frames may be torn, and some behind them whole: nobody was told
/// that any of them is durable, so the journal ends where it is no longer contiguous.
#[test]
fn whole_frames_that_were_not_stable_are_cut_with_the_torn_one_before_them() {
    let mut writer = Writer::new();
    writer.begin_segment(1);
    writer.append(&[Record::Returned { number: 0 }]);
    writer.stable_to = Some(writer.end);
    for number in 1..3 {
        writer.append(&[Record::Returned { number }]);
    }
    writer.begin_segment(2);
    writer.append(&[Record::Returned { number: 3 }]);
    let torn = writer.frames[1].clone();
    writer.disk.segments.get_mut(&1).unwrap()[torn.offset as usize + 60] ^= 1;
    let report = expect_torn(&writer.disk, &writer.frames[..1]);
    assert_eq!(
        report.cut,
        Some(Cut {
            segment: 1,
            offset: torn.offset,
            bytes: 72 * 2 + 128 + 72
        })
    );
    assert_eq!(
        (report.remove.clone(), report.truncate()),
        (vec![2], Some((1, torn.offset)))
    );
}

/// Each step of carrying out a report leaves a journal from which the same is recovered.
#[test]
fn carrying_out_a_report_may_be_interrupted() {
    let mut writer = Writer::new();
    writer.stable_to = Some(Position::default());
    for segment in 1..=4 {
        writer.begin_segment(segment);
        writer.append(&[Record::Returned { number: 1 }]);
        writer.append(&[Record::Returned { number: 2 }]);
    }
    writer.disk.segments.get_mut(&2).unwrap()[128 + 72 + 50] ^= 1;
    let kept = writer.frames[..3].to_vec();
    let mut disk = writer.disk;
    let report = expect_torn(&disk, &kept);
    assert_eq!(report.remove, [4, 3]);
    for segment in &report.remove {
        disk.segments.remove(segment);
        expect_torn(&disk, &kept);
    }
}

/// Another append behind a cut does not bring back what was cut, even if its bytes were the same.
#[test]
fn a_journal_goes_on_behind_a_cut() {
    let mut writer = two_segments(&[]);
    writer.append(&[Record::Returned { number: 1 }]);
    writer.append(&[Record::Returned { number: 2 }]);
    let torn = writer.frames.pop().unwrap();
    writer
        .disk
        .segments
        .get_mut(&2)
        .unwrap()
        .truncate(torn.end() as usize - 1);
    let report = expect_torn(&writer.disk, &writer.frames);
    let mut disk = writer.disk.clone();
    disk.apply(&report);
    let mut again = Writer::resume(disk, &report);
    again.append(&[Record::Returned { number: 3 }]);
    assert_eq!(again.frames[0].number, torn.number);
    expect_whole(&again.disk, &[writer.frames, again.frames.clone()].concat());
}

#[test]
fn a_failed_or_torn_recovery_replays_no_record_of_a_torn_frame() {
    let mut writer = two_segments(&[]);
    let frame = writer.append(&[
        Record::Returned { number: 1 },
        Record::Returned { number: 2 },
    ]);
    let bytes = writer.disk.segments.get_mut(&2).unwrap();
    let last_record = frame.end() as usize - 24;
    bytes[last_record + 8] ^= 1;
    let mut seen = Seen::default();
    writer.disk.recover_into(&mut seen).unwrap();
    expect_frames(&seen, &writer.frames[..2]);
}
