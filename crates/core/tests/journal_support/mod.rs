//! A journal in memory: written frame by frame, read back through recovery.

// Each test file uses its own part of this.
#![allow(dead_code, unreachable_pub)]

use std::collections::BTreeMap;

use ackbox_core::command::SegmentInfo;
use ackbox_core::journal::{
    FrameBuilder, FrameInfo, JournalError, Place, Position, ReadRequest, Record, Recovery,
    RecoveryReport, Replay, Seal, SegmentHeader, verify,
};

pub mod records;

pub const BOX_ID: [u8; 16] = *b"box of the tests";

/// The stored segments.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Disk {
    pub segments: BTreeMap<u32, Vec<u8>>,
}

/// A frame as it was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Written {
    pub segment: u32,
    pub offset: u64,
    pub length: u64,
    pub number: u64,
    pub stable_to: Position,
    pub payloads: Vec<Vec<u8>>,
}

impl Written {
    pub fn start(&self) -> Position {
        Position {
            segment: self.segment,
            offset: self.offset,
        }
    }

    pub fn end(&self) -> u64 {
        self.offset + self.length
    }
}

/// Writes frames, each of them stable before the next.
#[derive(Clone, Debug)]
pub struct Writer {
    pub disk: Disk,
    pub frames: Vec<Written>,
    pub box_id: [u8; 16],
    pub end: Position,
    pub next_frame: u64,
    pub time: u64,
    /// How far later frames say that the journal is durable; always up to themselves when none.
    pub stable_to: Option<Position>,
}

impl Writer {
    pub fn new() -> Self {
        Self {
            disk: Disk::default(),
            frames: Vec::new(),
            box_id: BOX_ID,
            end: Position::default(),
            next_frame: 1,
            time: 1_700_000_000_000,
            stable_to: None,
        }
    }

    /// Goes on where recovery ended.
    pub fn resume(disk: Disk, report: &RecoveryReport) -> Self {
        Self {
            disk,
            end: report.end,
            next_frame: report.last_frame + 1,
            ..Self::new()
        }
    }

    pub fn header(&self, segment: u32) -> SegmentHeader {
        SegmentHeader {
            box_id: self.box_id,
            hash_key: [7; 16],
            jitter_seed: [9; 16],
            segment,
            first_frame: self.next_frame,
            last_number: 1000,
            last_token: 2000,
            deaths: 3,
            run: 4,
            time: self.time,
        }
    }

    pub fn begin_segment(&mut self, segment: u32) {
        let header = self.header(segment).encode();
        self.end = Position {
            segment,
            offset: header.len() as u64,
        };
        self.disk.segments.insert(segment, header);
    }

    pub fn append(&mut self, records: &[Record<'_>]) -> Written {
        let mut builder = FrameBuilder::new();
        let spans: Vec<_> = records.iter().map(|record| builder.push(record)).collect();
        let payloads = spans
            .iter()
            .map(|span| builder.payload(*span).to_vec())
            .collect();
        self.time += 1;
        let stable_to = self.stable_to.unwrap_or_else(|| {
            self.frames
                .last()
                .map_or(Position::default(), |frame| Position {
                    segment: frame.segment,
                    offset: frame.end(),
                })
        });
        let frame = builder.seal(&Seal {
            box_id: self.box_id,
            segment: self.end.segment,
            number: self.next_frame,
            time: self.time,
            stable_to,
        });
        let written = Written {
            segment: self.end.segment,
            offset: self.end.offset,
            length: frame.len() as u64,
            number: self.next_frame,
            stable_to,
            payloads,
        };
        let bytes = self
            .disk
            .segments
            .get_mut(&self.end.segment)
            .expect("a segment was begun");
        bytes.truncate(self.end.offset as usize);
        bytes.extend_from_slice(&frame);
        self.end.offset = bytes.len() as u64;
        self.next_frame += 1;
        self.frames.push(written.clone());
        written
    }
}

/// What recovery replayed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Seen {
    pub headers: Vec<SegmentHeader>,
    pub frames: Vec<FrameInfo>,
    pub records: Vec<(Place, Vec<u8>)>,
    /// Fails the replay of the record with this index.
    pub refuse: Option<usize>,
}

impl Seen {
    pub fn payloads(&self) -> Vec<&[u8]> {
        self.records
            .iter()
            .map(|(_, payload)| payload.as_slice())
            .collect()
    }
}

impl Replay for Seen {
    fn segment(&mut self, header: &SegmentHeader) {
        self.headers.push(*header);
    }

    fn frame(&mut self, info: &FrameInfo) {
        self.frames.push(*info);
    }

    fn record(
        &mut self,
        record: Record<'_>,
        place: Place,
        payload: &[u8],
    ) -> Result<(), &'static str> {
        assert_eq!(
            records::encoded(&record),
            payload,
            "a record is what its payload says"
        );
        if self.refuse == Some(self.records.len()) {
            return Err("the record contradicts those before it");
        }
        self.records.push((place, payload.to_vec()));
        Ok(())
    }
}

impl Disk {
    pub fn list(&self) -> Vec<SegmentInfo> {
        self.segments
            .iter()
            .map(|(&segment, bytes)| SegmentInfo {
                segment,
                bytes: bytes.len() as u64,
            })
            .collect()
    }

    pub fn read(&self, read: ReadRequest) -> &[u8] {
        let start = read.offset as usize;
        &self.segments[&read.segment][start..start + read.length as usize]
    }

    /// The payload of a record read back alone.
    pub fn verify(&self, place: Place) -> Option<&[u8]> {
        verify(self.read(ReadRequest {
            segment: place.segment,
            offset: u64::from(place.offset),
            length: place.length + 8,
        }))
    }

    pub fn recover_into(
        &self,
        seen: &mut Seen,
    ) -> Result<(RecoveryReport, Vec<ReadRequest>), JournalError> {
        let mut recovery = Recovery::new(&self.list())?;
        let mut reads = Vec::new();
        while let Some(read) = recovery.poll_read() {
            assert_eq!(recovery.poll_read(), None, "one read at a time");
            assert!(reads.last() != Some(&read), "the same read twice: {read:?}");
            reads.push(read);
            if let Err(error) = recovery.handle_chunk(self.read(read), seen) {
                assert_eq!(
                    recovery.poll_read(),
                    None,
                    "a failed recovery asks for nothing"
                );
                assert!(!recovery.is_done());
                return Err(error);
            }
        }
        assert!(recovery.is_done());
        Ok((recovery.into_report(), reads))
    }

    pub fn recover(&self) -> Result<(Seen, RecoveryReport), JournalError> {
        let mut seen = Seen::default();
        let (report, _) = self.recover_into(&mut seen)?;
        for (place, payload) in &seen.records {
            assert_eq!(
                self.verify(*place),
                Some(payload.as_slice()),
                "{place:?} is where the record is"
            );
        }
        Ok((seen, report))
    }

    /// Does what a report asks for.
    pub fn apply(&mut self, report: &RecoveryReport) {
        for segment in &report.remove {
            assert_eq!(
                self.segments.last_key_value().map(|(last, _)| last),
                Some(segment),
                "latest first"
            );
            self.segments.remove(segment);
        }
        if let Some((segment, bytes)) = report.truncate() {
            self.segments
                .get_mut(&segment)
                .expect("a kept segment")
                .truncate(bytes as usize);
        }
    }
}

/// Recovers a journal that must be whole and hold exactly these frames.
pub fn expect_whole(disk: &Disk, frames: &[Written]) -> RecoveryReport {
    let (seen, report) = disk.recover().expect("a sound journal");
    expect_frames(&seen, frames);
    assert_eq!((report.cut, &report.remove), (None, &vec![]));
    report
}

/// What was replayed is exactly these frames.
pub fn expect_frames(seen: &Seen, frames: &[Written]) {
    let expected: Vec<&[u8]> = frames
        .iter()
        .flat_map(|frame| &frame.payloads)
        .map(Vec::as_slice)
        .collect();
    assert_eq!(seen.payloads(), expected);
    let starts: Vec<_> = seen
        .frames
        .iter()
        .map(|info| (info.segment, u64::from(info.offset), info.number))
        .collect();
    let expected: Vec<_> = frames
        .iter()
        .map(|frame| (frame.segment, frame.offset, frame.number))
        .collect();
    assert_eq!(starts, expected);
}

/// Recovers a torn journal, expects that exactly `frames` are left, and that after doing what the
/// report asks for the journal is sound and holds the same.
pub fn expect_torn(disk: &Disk, frames: &[Written]) -> RecoveryReport {
    let (seen, report) = disk.recover().expect("a torn tail is no error");
    expect_frames(&seen, frames);
    let mut applied = disk.clone();
    applied.apply(&report);
    let again = expect_whole(&applied, frames);
    assert_eq!(
        (again.end, again.segments, again.header),
        (report.end, report.segments.clone(), report.header)
    );
    let kept: u64 = report.segments.iter().map(|(_, bytes)| bytes).sum();
    let had: u64 = disk.list().iter().map(|info| info.bytes).sum();
    assert_eq!(
        report.cut.map_or(0, |cut| cut.bytes),
        had - kept,
        "every byte is kept or reported"
    );
    report
}
