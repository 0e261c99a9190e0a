//! Damage: what had been durable is never given up in silence, and nothing wrong is ever replayed. [S18]

mod journal_support;

use ackbox_core::effect::Cut;
use ackbox_core::journal::{JournalError, Position, Record};
use journal_support::records::{Parts, reachable_parts as parts};
use journal_support::{Disk, Seen, Writer, expect_torn};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// Segments of frames; when lazy, `stable_to` moves only when a segment is closed.
fn write(segments: &[Vec<Vec<Parts>>], lazy: bool) -> Writer {
    let mut writer = Writer::new();
    for (index, frames) in segments.iter().enumerate() {
        writer.stable_to = lazy.then_some(writer.end);
        writer.begin_segment(index as u32 + 1);
        for frame in frames {
            let records: Vec<Record<'_>> = frame.iter().map(Parts::record).collect();
            writer.append(&records);
        }
    }
    writer
}

fn segments() -> impl Strategy<Value = Vec<Vec<Vec<Parts>>>> {
    vec(vec(vec(parts(30), 0..3), 0..4), 1..4)
}

/// What a flipped bit in an otherwise whole journal must lead to.
fn expected(writer: &Writer, segment: u32, at: u64, bit: u32) -> Result<Position, JournalError> {
    let place = match writer
        .frames
        .iter()
        .find(|frame| frame.segment == segment && at < frame.end())
    {
        Some(frame) if at >= 128 => frame.start(),
        _ => Position { segment, offset: 0 },
    };
    match at {
        // Behind a sound segment it is damage like any other.
        0..8 if segment == 1 => return Err(JournalError::Foreign { segment }),
        8..12 if (at, bit) != (8, 0) => {
            let version = 1 | 1 << ((at - 8) * 8 + u64::from(bit));
            return Err(JournalError::NewerFormat { segment, version });
        }
        _ => {}
    }
    let lost = writer.frames.iter().any(|frame| {
        let first_in_damaged_segment = at < 128 && frame.segment == segment;
        frame.stable_to > place || first_in_damaged_segment
    });
    if lost {
        Err(JournalError::Corrupt {
            segment,
            offset: place.offset,
            what: "",
        })
    } else {
        Ok(place)
    }
}

fn check_flip(writer: &Writer, segment: u32, at: u64, bit: u32) {
    let mut disk = writer.disk.clone();
    disk.segments.get_mut(&segment).unwrap()[at as usize] ^= 1 << bit;
    let mut seen = Seen::default();
    let outcome = disk.recover_into(&mut seen);
    match expected(writer, segment, at, bit) {
        Ok(place) => {
            let kept: Vec<_> = writer
                .frames
                .iter()
                .filter(|frame| frame.start() < place)
                .cloned()
                .collect();
            let cut = expect_torn(&disk, &kept).cut.expect("a torn tail");
            assert_eq!((cut.segment, cut.offset), (place.segment, place.offset));
        }
        Err(error) => assert_eq!(
            outcome.map_err(unsaid),
            Err(error),
            "segment {segment}, byte {at}, bit {bit}"
        ),
    }
    expect_prefix(&seen, writer);
}

/// The same error without its text.
fn unsaid(error: JournalError) -> JournalError {
    match error {
        JournalError::Corrupt {
            segment, offset, ..
        } => JournalError::Corrupt {
            segment,
            offset,
            what: "",
        },
        other => other,
    }
}

/// Whatever was replayed is what was written, in order, without a gap.
fn expect_prefix(seen: &Seen, writer: &Writer) {
    let written: Vec<&[u8]> = writer
        .frames
        .iter()
        .flat_map(|frame| &frame.payloads)
        .map(Vec::as_slice)
        .collect();
    let replayed = seen.payloads();
    assert!(
        written.starts_with(&replayed),
        "a record that was never written, or not there"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_flipped_bit_is_an_error_or_a_cut_at_its_frame(
        segments in segments(),
        lazy in any::<bool>(),
        flips in vec((any::<Index>(), any::<Index>(), 0..8_u32), 16),
    ) {
        let writer = write(&segments, lazy);
        for (segment, at, bit) in flips {
            let segment = segment.index(segments.len()) as u32 + 1;
            let at = at.index(writer.disk.segments[&segment].len()) as u64;
            check_flip(&writer, segment, at, bit);
        }
    }

    /// Bytes overwritten with anything, or with bytes from elsewhere in the journal (so with whole
    /// frames in wrong places), segments cut, emptied or gone.
    #[test]
    fn any_damage_leaves_a_prefix(
        segments in segments(),
        lazy in any::<bool>(),
        blows in vec((any::<[Index; 4]>(), 0..5_u8, vec(any::<u8>(), 1..50)), 1..5),
    ) {
        let writer = write(&segments, lazy);
        let mut disk = writer.disk.clone();
        let frames = &writer.frames;
        for ([segment, at, from_frame, to_frame], blow, bytes) in blows {
            let target = segment.index(segments.len()) as u32 + 1;
            let Some(target) = disk.segments.get_mut(&target) else { continue };
            if target.is_empty() {
                continue;
            }
            let at = at.index(target.len());
            match blow {
                0 => overwrite(target, at, &bytes),
                1 => target.truncate(at),
                2 => target.clear(),
                3 if !frames.is_empty() => {
                    let from = &frames[from_frame.index(frames.len())];
                    let to = &frames[to_frame.index(frames.len())];
                    let source = &writer.disk.segments[&from.segment][from.offset as usize..from.end() as usize];
                    if let Some(target) = disk.segments.get_mut(&to.segment) {
                        overwrite(target, to.offset as usize, source);
                    }
                }
                _ => {
                    disk.segments.pop_last();
                }
            }
        }
        let mut seen = Seen::default();
        let outcome = disk.recover_into(&mut seen);
        expect_prefix(&seen, &writer);
        if let Ok((report, _)) = outcome {
            disk.apply(&report);
            let (again, second) = disk.recover().expect("a journal is sound when its report was carried out");
            prop_assert_eq!(again.records, seen.records);
            prop_assert_eq!((second.end, second.cut, second.remove), (report.end, None, vec![]));
        }
    }

    #[test]
    fn any_bytes_are_refused_or_cut(
        sound_header in any::<bool>(),
        words in vec(prop_oneof![
            Just(u32::from_le_bytes([0xF5, b'A', b'F', 0x9E])),
            Just(0), Just(8), Just(48), Just(56), Just(1), Just(u32::MAX), any::<u32>(),
        ], 0..200),
        odd in 0..8_usize,
    ) {
        let mut bytes = if sound_header { Writer::new().header(1).encode() } else { vec![] };
        bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        bytes.truncate(bytes.len().saturating_sub(odd));
        let disk = Disk { segments: [(1, bytes)].into() };
        let mut seen = Seen::default();
        // Either outcome is right; that there is one, and no record, is what is checked.
        let _ = disk.recover_into(&mut seen);
        prop_assert_eq!(seen.records, vec![]);
    }
}

fn overwrite(target: &mut [u8], at: usize, bytes: &[u8]) {
    let at = at.min(target.len());
    let length = bytes.len().min(target.len() - at);
    target[at..at + length].copy_from_slice(&bytes[..length]);
}

/// Three segments of two frames.
fn small_journal(lazy: bool) -> Writer {
    let mut writer = Writer::new();
    for segment in 1..=3 {
        writer.stable_to = lazy.then_some(writer.end);
        writer.begin_segment(segment);
        writer.append(&[Record::Returned { number: 1 }, Record::Opens(vec![(1, 2)])]);
        writer.append(&[Record::Started {
            number: 1,
            token: 2,
        }]);
    }
    writer
}

#[test]
fn every_bit_of_a_small_journal_is_guarded() {
    for lazy in [false, true] {
        let writer = small_journal(lazy);
        for (&segment, bytes) in &writer.disk.segments {
            for at in 0..bytes.len() as u64 {
                for bit in 0..8 {
                    check_flip(&writer, segment, at, bit);
                }
            }
        }
    }
}

#[test]
fn the_error_tells_place_and_cause() {
    let mut writer = small_journal(false);
    let damaged = writer.frames[2].clone();
    writer.disk.segments.get_mut(&2).unwrap()[damaged.offset as usize + 60] ^= 0x10;
    let error = writer.disk.recover().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the journal is damaged in segment 2 at byte 128: a record's checksum does not hold; nothing was changed"
    );
}

/// A header that lost its box id must not cost the messages behind it.
#[test]
fn the_only_segment_is_kept_when_its_header_is_damaged() {
    let mut writer = Writer::new();
    writer.begin_segment(1);
    writer.append(&[Record::Returned { number: 1 }]);
    for at in 16..128 {
        let mut disk = writer.disk.clone();
        disk.segments.get_mut(&1).unwrap()[at] ^= 0xFF;
        let error = unsaid(disk.recover().unwrap_err());
        assert_eq!(
            error,
            JournalError::Corrupt {
                segment: 1,
                offset: 0,
                what: ""
            }
        );
    }
}

#[test]
fn an_older_segment_that_lost_its_end_is_damage() {
    let writer = small_journal(false);
    let first = &writer.frames[2];
    let second = &writer.frames[3];
    for (length, segment, offset) in [
        (0, 2, 0),
        (5, 2, 0),
        (127, 2, 0),
        (130, 2, first.offset),
        (second.offset + 1, 2, second.offset),
        (second.end() - 8, 2, second.offset),
        // Cut between frames there is no damaged byte: the next segment shows the gap.
        (128, 3, 0),
        (second.offset, 3, 0),
    ] {
        let mut disk = writer.disk.clone();
        disk.segments.get_mut(&2).unwrap().truncate(length as usize);
        let error = unsaid(disk.recover().unwrap_err());
        assert_eq!(
            error,
            JournalError::Corrupt {
                segment,
                offset,
                what: ""
            },
            "cut to {length}"
        );
    }
}

#[test]
fn a_missing_frame_is_damage() {
    let mut writer = small_journal(false);
    writer.next_frame += 1;
    let gap = writer.append(&[Record::Returned { number: 1 }]);
    let error = unsaid(writer.disk.recover().unwrap_err());
    assert_eq!(
        error,
        JournalError::Corrupt {
            segment: 3,
            offset: gap.offset,
            what: ""
        }
    );
}

#[test]
fn a_segment_of_another_box_is_an_error() {
    let what = "the segment belongs to another box";
    for torn_before in [false, true] {
        let mut writer = small_journal(false);
        if torn_before {
            writer.disk.segments.get_mut(&3).unwrap().pop();
        }
        writer.box_id = *b"some other box's";
        writer.begin_segment(4);
        let error = writer.disk.recover().unwrap_err();
        assert_eq!(
            error,
            JournalError::Corrupt {
                segment: 4,
                offset: 0,
                what
            }
        );
    }
}

#[test]
fn a_segment_under_another_number_is_an_error() {
    let mut writer = small_journal(false);
    let second = writer.disk.segments[&2].clone();
    let third = writer.disk.segments.insert(3, second).unwrap();
    writer.disk.segments.insert(2, third);
    let error = writer.disk.recover().unwrap_err();
    let what = "the segment's header names another segment";
    assert_eq!(
        error,
        JournalError::Corrupt {
            segment: 2,
            offset: 0,
            what
        }
    );
}

/// Frames of another box or segment, say from a disk block that belonged to another file, are no
/// part of this journal.
#[test]
fn a_frame_from_elsewhere_is_a_torn_tail() {
    let mut other_box = Writer {
        box_id: *b"some other box's",
        ..Writer::new()
    };
    let mut other_segment = Writer::new();
    let mut writer = Writer::new();
    writer.begin_segment(1);
    writer.append(&[Record::Returned { number: 1 }]);
    for (stranger, segment) in [(&mut other_box, 1), (&mut other_segment, 2)] {
        stranger.next_frame = writer.next_frame;
        stranger.stable_to = Some(Position {
            segment: 9,
            offset: 0,
        });
        stranger.begin_segment(segment);
        let frame = stranger.append(&[Record::Returned { number: 2 }]);
        let mut disk = writer.disk.clone();
        let bytes = disk.segments.get_mut(&1).unwrap();
        bytes.extend_from_slice(&stranger.disk.segments[&segment][frame.offset as usize..]);
        let report = expect_torn(&disk, &writer.frames);
        assert_eq!(
            report.cut,
            Some(Cut {
                segment: 1,
                offset: writer.end.offset,
                bytes: frame.length
            })
        );
    }
}
