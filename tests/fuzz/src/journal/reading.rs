//! The reader of the engine beside the naive one.

use ackbox_core::command::SegmentInfo;
use ackbox_core::journal::{
    FrameInfo, JournalError, Place, Record, Recovery, Replay, SegmentHeader, verify,
};

use super::Disk;
use super::naive::{self, Found, Refusal};

/// Writes down what recovery tells.
#[derive(Default)]
struct Collector {
    found: Found,
    /// Records that the frame before them announced and that have not come.
    announced: u32,
}

impl Replay for Collector {
    fn segment(&mut self, _: &SegmentHeader) {}

    fn frame(&mut self, info: &FrameInfo) {
        assert_eq!(self.announced, 0, "a frame counts whole");
        self.announced = info.records;
    }

    fn record(
        &mut self,
        record: Record<'_>,
        place: Place,
        payload: &[u8],
    ) -> Result<(), &'static str> {
        self.announced -= 1;
        assert_eq!(place.length as usize, payload.len());
        check_form(&record, payload);
        let at = (place.segment, u64::from(place.offset));
        self.found.records.push((at, payload.to_vec()));
        Ok(())
    }
}

/// A record is what its bytes say and nothing else: written again it reads the same.
fn check_form(record: &Record<'_>, payload: &[u8]) {
    let mut again = Vec::new();
    record.encode(&mut again);
    let reread = Record::decode(&again).expect("what was written can be read");
    assert_eq!(&reread, record, "from {payload:?}");
}

/// What the engine's reader finds.
pub(super) fn recover(disk: &Disk) -> Result<Found, Refusal> {
    let segments: Vec<SegmentInfo> = disk
        .iter()
        .map(|(segment, bytes)| SegmentInfo {
            segment: *segment,
            bytes: bytes.len() as u64,
        })
        .collect();
    let mut collector = Collector::default();
    let mut recovery = Recovery::new(&segments).map_err(refusal)?;
    while let Some(read) = recovery.poll_read() {
        let bytes = &disk[&read.segment][read.offset as usize..][..read.length as usize];
        recovery
            .handle_chunk(bytes, &mut collector)
            .map_err(refusal)?;
    }
    let report = recovery.into_report();
    let mut found = collector.found;
    found.cut = report.cut.map(|cut| (cut.segment, cut.offset));
    check_places(disk, &found);
    Ok(found)
}

/// A record read back alone is what was replayed.
fn check_places(disk: &Disk, found: &Found) {
    for ((segment, offset), payload) in &found.records {
        let stored = &disk[segment][*offset as usize..][..8 + payload.len()];
        assert_eq!(verify(stored), Some(payload.as_slice()));
    }
}

fn refusal(error: JournalError) -> Refusal {
    match error {
        JournalError::Corrupt {
            segment, offset, ..
        } => Refusal::Corrupt((segment, offset)),
        JournalError::NewerFormat { segment, .. } => Refusal::Newer(segment),
        JournalError::Foreign { segment } => Refusal::Foreign(segment),
        other => panic!("an error that the format does not have: {other}"),
    }
}

/// Both readers, which must agree.
pub(super) fn read(disk: &Disk) -> Result<Found, Refusal> {
    let found = recover(disk);
    let expected = naive::read(disk, |payload| {
        Record::decode(payload).is_ok_and(|record| record.check_numbers().is_ok())
    });
    assert_eq!(found, expected, "the engine's reader, and a naive one");
    found
}
