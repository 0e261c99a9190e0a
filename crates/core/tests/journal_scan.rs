//! The search behind damage: it finds what proves a loss however far it is, is not misled by what [S18]
//! users store, and reads no more than it must.

mod journal_support;

use ackbox_core::journal::{
    FRAME_HEADER_BYTES, JournalError, Position, READ_BYTES, Record, Recovery,
};
use journal_support::records::plain_message;
use journal_support::{Disk, Seen, Writer, expect_torn};

const MIB: usize = READ_BYTES as usize;

fn append_body(writer: &mut Writer, body: &[u8]) {
    writer.append(&[Record::Message(plain_message(1, "id", body))]);
}

fn expect_damage(disk: &Disk, segment: u32, offset: u64) {
    match disk.recover().map(|(_, report)| report) {
        Err(JournalError::Corrupt {
            segment: s,
            offset: o,
            ..
        }) => assert_eq!((s, o), (segment, offset)),
        other => panic!("damage in segment {segment} at {offset} was taken for {other:?}"),
    }
}

/// A damaged first frame, frames that prove nothing, and one that proves the loss, with sizes that
/// put its parts on every side of the ends of reads.
#[test]
fn a_frame_that_proves_a_loss_is_found_wherever_it_is() {
    let body = vec![0x5A; 3 * MIB];
    for damaged in [1, MIB - 300, 2 * MIB + 100] {
        for between in [0, MIB - 200] {
            for last in [1, MIB, 3 * MIB] {
                let mut writer = Writer::new();
                writer.begin_segment(1);
                writer.stable_to = Some(Position {
                    segment: 1,
                    offset: 128,
                });
                append_body(&mut writer, &body[..damaged]);
                append_body(&mut writer, &body[..between]);
                writer.stable_to = None;
                append_body(&mut writer, &body[..last]);
                writer.disk.segments.get_mut(&1).unwrap()[128 + 80] ^= 1;
                expect_damage(&writer.disk, 1, 128);
            }
        }
    }
}

#[test]
fn a_frame_header_across_the_end_of_a_read_is_found() {
    for shift in (0..2 * FRAME_HEADER_BYTES as usize).step_by(8) {
        let mut writer = Writer::new();
        writer.begin_segment(1);
        // The scan begins 8 bytes behind the damaged frame's start.
        append_body(
            &mut writer,
            &vec![1; MIB - 100 - FRAME_HEADER_BYTES as usize + shift],
        );
        append_body(&mut writer, b"proof");
        writer.disk.segments.get_mut(&1).unwrap()[128 + 60] ^= 1;
        expect_damage(&writer.disk, 1, 128);
    }
}

/// The last 8 bytes of the damaged frame look like the beginning of one.
#[test]
fn a_false_beginning_does_not_hide_the_frame_behind_it() {
    let mut writer = Writer::new();
    writer.begin_segment(1);
    append_body(&mut writer, b"a");
    let magic = writer.disk.segments[&1][128..132].to_vec();
    // 38 bytes of payload before the body: these 10 make it a multiple of 8.
    append_body(&mut writer, &[&[0; 2], magic.as_slice(), &[0; 4]].concat());
    let damaged = writer.frames[1].clone();
    append_body(&mut writer, b"proof");
    let bytes = writer.disk.segments.get_mut(&1).unwrap();
    assert_eq!(bytes[damaged.end() as usize - 8..][..4], magic);
    bytes[damaged.offset as usize + 60] ^= 1;
    expect_damage(&writer.disk, 1, damaged.offset);
}

#[test]
fn a_loss_is_proven_by_a_later_segment() {
    let mut writer = Writer::new();
    writer.begin_segment(1);
    append_body(&mut writer, &vec![1; 2 * MIB]);
    writer.begin_segment(2);
    writer.begin_segment(3);
    append_body(&mut writer, b"proof");
    writer.disk.segments.get_mut(&1).unwrap()[MIB] ^= 1;
    expect_damage(&writer.disk, 1, 128);
    // Also when that segment's own header is gone.
    writer.disk.segments.get_mut(&3).unwrap()[40] ^= 1;
    expect_damage(&writer.disk, 1, 128);
    // And when the damage is in the first header, so that no box id is known yet.
    let mut disk = writer.disk.clone();
    disk.segments.get_mut(&1).unwrap()[20] ^= 1;
    expect_damage(&disk, 1, 0);
}

/// Where appends are not flushed one by one, a power cut may take the first one of a segment and leave
/// the second.
#[test]
fn a_lost_first_append_is_a_torn_tail_unless_it_had_been_stable() {
    let mut writer = Writer::new();
    writer.begin_segment(1);
    writer.stable_to = Some(Position {
        segment: 1,
        offset: 0,
    });
    append_body(&mut writer, &[1; 500]);
    append_body(&mut writer, b"b");
    let behind = writer.frames[0].end() as usize;
    let mut disk = writer.disk.clone();
    disk.segments.get_mut(&1).unwrap()[..behind].fill(0);
    expect_torn(&disk, &[]);
    writer.stable_to = None;
    append_body(&mut writer, b"proof");
    let mut disk = writer.disk.clone();
    disk.segments.get_mut(&1).unwrap()[..behind].fill(0);
    expect_damage(&disk, 1, 0);
}

/// A queue may carry copies of journals, its own included.
#[test]
fn frames_inside_bodies_prove_nothing() {
    let mut writer = Writer::new();
    writer.begin_segment(1);
    append_body(&mut writer, b"a");
    append_body(&mut writer, b"b");
    let own = writer.disk.segments[&1].clone();
    let mut stranger = Writer {
        box_id: *b"some other box's",
        ..Writer::new()
    };
    stranger.begin_segment(1);
    stranger.stable_to = Some(Position {
        segment: 7,
        offset: 0,
    });
    append_body(&mut stranger, b"c");
    let others = stranger.disk.segments[&1].clone();
    for alignment in 0..8 {
        let body = [&vec![0; alignment], own.as_slice(), &others].concat();
        let mut writer = writer.clone();
        append_body(&mut writer, &body);
        append_body(&mut writer, b"d");
        let kept = writer.frames[..3].to_vec();
        // The last frame is torn: what lies in the body before it is whole and replayed.
        writer.disk.segments.get_mut(&1).unwrap().pop();
        expect_torn(&writer.disk, &kept);
        // The frame with the copies is torn itself.
        let bytes = writer.disk.segments.get_mut(&1).unwrap();
        bytes.truncate(kept[2].end() as usize - 1);
        expect_torn(&writer.disk, &kept[..2]);
    }
}

/// Bytes that look like headers of huge frames at every place do not make the scan read the rest of
/// the segment again and again.
#[test]
fn bytes_that_look_like_frames_are_read_about_once() {
    let mut writer = Writer::new();
    writer.begin_segment(1);
    append_body(&mut writer, b"a");
    let frame = writer.frames[0].clone();
    let mut lure =
        writer.disk.segments[&1][frame.offset as usize..frame.offset as usize + 64].to_vec();
    lure[4..8].copy_from_slice(&(16_u32 << 20).to_le_bytes());
    lure[8..12].copy_from_slice(&1000_u32.to_le_bytes());
    // 38 bytes of payload before the body: these 2 put the lures where frames may begin.
    let body = [&[0; 2], lure.repeat(24 * MIB / lure.len()).as_slice()].concat();
    append_body(&mut writer, &body);
    writer.disk.segments.get_mut(&1).unwrap().pop();
    let size = writer.end.offset;
    let mut recovery = Recovery::new(&writer.disk.list()).unwrap();
    let mut read_bytes = 0;
    while let Some(read) = recovery.poll_read() {
        read_bytes += u64::from(read.length);
        assert!(read_bytes < 3 * size, "too much was read of {size} bytes");
        recovery
            .handle_chunk(writer.disk.read(read), &mut Seen::default())
            .unwrap();
    }
    assert_eq!(recovery.into_report().end, writer.frames[1].start());
}

#[test]
fn the_scan_holds_one_read_at_a_time_of_1_mib() {
    let mut writer = Writer::new();
    writer.begin_segment(1);
    append_body(&mut writer, b"a");
    append_body(&mut writer, &vec![1; 10 * MIB]);
    let torn = writer.frames.pop().unwrap();
    writer.disk.segments.get_mut(&1).unwrap().pop();
    let mut seen = Seen::default();
    let (report, reads) = writer.disk.recover_into(&mut seen).unwrap();
    assert_eq!(report.end, torn.start());
    assert!(
        reads.iter().all(|read| read.length <= READ_BYTES),
        "{reads:?}"
    );
}
