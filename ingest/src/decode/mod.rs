//! Decoding: OTLP bytes → rows.
//!
//! ```text
//!  remote write ─────────────────────────────────▶ metrics
//!  JSON ─▶ json ─▶ protobuf ─▶ wire ─▶ envelope ─┬─▶ logs     ─▶ logs, log_streams
//!                                                ├─▶ metrics  ─▶ metric_samples, exemplars,
//!                                attributes ◀────┤               metric_histograms, metric_series
//!                                                └─▶ traces   ─▶ spans
//! ```
//!
//! A message that is no protobuf is an error of the whole request; a record that cannot be kept
//! as it was sent is rejected alone. The same bytes, time of receipt and limits always make the
//! same rows, which is what lets the WAL hold bodies.

pub(crate) mod attributes;
mod envelope;
mod json;
mod logs;
mod metrics;
mod traces;
mod wire;

use std::ops::Range;
use std::sync::Arc;

use schemas::model::{Signal, TimestampNs};
use storage::{Budget, Frame, LabelIndex, Reservation, TableBatch, Use};

pub(crate) use self::json::transcode as transcode_json;
pub(crate) use self::metrics::NameCache;
use self::metrics::remote_write;
use self::wire::Malformed;
use crate::IngestOptions;
use crate::admit::{Reason, Rejection, Rejections, TimeBounds};
use crate::body::{self, Format};
use crate::error::{Error, ErrorKind};
use crate::identity::{self, Runs};
use crate::known::{KnownSeries, Lookup};
use crate::limits::{
    LABEL_BYTES_PER_REQUEST_MAX, Limits, REPLAY_BYTES_MAX, ROW_BYTES_PER_REQUEST_MAX,
};

/// What decoding needs beside the bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'c> {
    /// When the request was received.
    pub(crate) received_ns: TimestampNs,
    /// Limits of records.
    pub(crate) limits: &'c Limits,
    /// Series that the tenant may have on a day; 0 is no limit.
    pub(crate) series_max: usize,
    /// Log streams that the tenant may have on a day; 0 is no limit.
    pub(crate) streams_max: usize,
    /// Whose request it is.
    pub(crate) tenant: &'c str,
    /// Series by their labels as they were sent.
    pub(crate) known: &'c KnownSeries,
    /// The tenant's known series.
    pub(crate) series: &'c LabelIndex,
    /// The tenant's known streams.
    pub(crate) streams: &'c LabelIndex,
    /// Whether the request was accepted before. What it takes is not limited then: series that
    /// were known when it came may not be known now, and must not make it too large.
    pub(crate) is_replay: bool,
    /// What the memory of the rows is taken from; `None` takes none, which is for requests that
    /// were accepted before.
    pub(crate) memory: Option<&'c Arc<Budget>>,
    /// Places of the records that were rejected when the request came first, in order; empty
    /// unless it is replayed.
    pub(crate) rejected_before: &'c [Range<u64>],
}

impl<'c> Context<'c> {
    fn lookup(&self) -> Lookup<'c> {
        self.known.lookup(self.tenant, self.limits, self.series)
    }

    fn time_bounds(&self) -> TimeBounds {
        TimeBounds::new(self.limits, self.received_ns)
    }
}

/// What a request decodes to.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    /// The rows; none is empty.
    pub(crate) batches: Vec<TableBatch>,
    /// Records in the request.
    pub(crate) received: u64,
    /// Records without rows.
    pub(crate) rejections: Rejections,
    /// Places of those records.
    pub(crate) rejected: Runs,
    /// Whether a record has the time of its receipt because it came without one: the same request
    /// may then come again and mean new records.
    pub(crate) is_untimed: bool,
    /// What remote write tells its sender; zero of OTLP.
    pub(crate) written: Written,
    /// Memory of the rows.
    pub(crate) room: Option<Reservation>,
}

/// What was written of a remote-write request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Float samples.
    pub samples: u64,
    /// Native histogram samples.
    pub histograms: u64,
    /// Exemplars.
    pub exemplars: u64,
}

/// Why a record, a scope, a resource or all could not be decoded.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The bytes are no message: the request fails.
    Malformed(Malformed),
    /// More bytes of rows than a request may make: the request fails.
    TooManyRows,
    /// No memory for the rows: the request fails.
    NoMemory(Box<storage::Error>),
    /// What was being read is rejected, the rest is not.
    Rejected(Box<Rejection>),
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(Box::new(rejection))
    }
}

impl From<Malformed> for Error {
    fn from(malformed: Malformed) -> Self {
        Self::new(ErrorKind::Invalid, format!("body is no protobuf of its kind: {}", malformed.0))
    }
}

/// Counts what a request holds, and keeps it within the limits of a request.
#[derive(Debug)]
pub(crate) struct Tally {
    received: u64,
    rejections: Rejections,
    rejected: Runs,
    rejected_before: Vec<Range<u64>>,
    /// How many of `rejected_before` lie behind the record that is being read.
    passed: usize,
    is_untimed: bool,
    row_bytes: usize,
    row_bytes_max: usize,
    label_bytes: usize,
    label_bytes_max: usize,
    /// Memory of the rows, taken ahead of them; `None` if the request was accepted before.
    room: Option<Reservation>,
}

/// Memory of rows that is taken at once, in bytes.
const ROOM_STEP_BYTES: usize = 256 << 10;

impl Tally {
    fn new(context: &Context<'_>) -> Self {
        let limited = |max: usize| if context.is_replay { usize::MAX } else { max };
        Self {
            received: 0,
            rejections: Rejections::default(),
            rejected: Runs::default(),
            rejected_before: context.rejected_before.to_vec(),
            passed: 0,
            is_untimed: false,
            row_bytes: 0,
            row_bytes_max: limited(ROW_BYTES_PER_REQUEST_MAX),
            label_bytes: 0,
            label_bytes_max: limited(LABEL_BYTES_PER_REQUEST_MAX),
            room: context.memory.map(|memory| memory.reservation(Use::Ingest)),
        }
    }

    /// Counts a record that was read; tells whether it is to be stored, which it is not if it was
    /// rejected when the request came first.
    #[must_use]
    fn receive(&mut self) -> bool {
        let place = self.received;
        self.received += 1;
        while self.rejected_before.get(self.passed).is_some_and(|run| run.end <= place) {
            self.passed += 1;
        }
        !self.rejected_before.get(self.passed).is_some_and(|run| run.contains(&place))
    }

    /// A record has no time of its own.
    fn set_untimed(&mut self) {
        self.is_untimed = true;
    }

    /// Counts rows that are about to be made, with the bytes that each takes.
    fn make_rows(&mut self, rows: usize, bytes_each: usize) -> Result<(), Failure> {
        self.row_bytes = self.row_bytes.saturating_add(rows.saturating_mul(bytes_each));
        if self.row_bytes > self.row_bytes_max {
            return Err(Failure::TooManyRows);
        }
        self.make_room()
    }

    /// Takes memory for the rows and labels counted so far.
    fn make_room(&mut self) -> Result<(), Failure> {
        let needed = self.row_bytes + self.label_bytes;
        let Some(room) = self.room.as_mut().filter(|room| room.bytes() < needed) else {
            return Ok(());
        };
        let step = (needed - room.bytes()).next_multiple_of(ROOM_STEP_BYTES);
        room.grow(step).map_err(|error| Failure::NoMemory(Box::new(error)))
    }

    /// Asks whether a series or a stream may be added to its index.
    fn make_entry(&self, index: &LabelIndex, id: i64) -> Result<(), Failure> {
        if self.room.is_none() || index.knows(id) {
            return Ok(());
        }
        let no_room = |error: storage::Error| Rejection::new(Reason::NoRoom, error.to_string());
        index.check_room().map_err(|error| no_room(error).into())
    }

    /// Counts bytes of labels that are about to be added to the series or stream table.
    fn make_labels(&mut self, bytes: usize) -> Result<(), Failure> {
        let total = self.label_bytes.saturating_add(bytes);
        if total > self.label_bytes_max {
            let message = format!(
                "new series and streams of the request have more than \
                 {LABEL_BYTES_PER_REQUEST_MAX} bytes of labels, the limit"
            );
            return Err(Rejection::new(Reason::Labels, message).into());
        }
        self.label_bytes = total;
        self.make_room()
    }

    /// Counts `records` records that were received and failed together; passes on what fails the
    /// request.
    fn reject(&mut self, failure: Failure, records: u64) -> Result<(), Error> {
        self.received += records;
        self.fail(failure, records)
    }

    /// The same for records that were counted as received.
    fn fail(&mut self, failure: Failure, records: u64) -> Result<(), Error> {
        match failure {
            Failure::Rejected(rejection) => {
                self.rejected.push(self.received - records..self.received);
                self.rejections.add(*rejection, records);
                Ok(())
            }
            Failure::Malformed(malformed) => Err(malformed.into()),
            Failure::NoMemory(error) => Err((*error).into()),
            Failure::TooManyRows => {
                let max = self.row_bytes_max;
                let message = format!("request makes rows of more than {max} bytes, the limit");
                Err(Error::new(ErrorKind::TooLarge, message))
            }
        }
    }

    fn finish(self, batches: Vec<Option<TableBatch>>) -> Decoded {
        Decoded {
            batches: batches.into_iter().flatten().collect(),
            received: self.received,
            rejections: self.rejections,
            rejected: self.rejected,
            is_untimed: self.is_untimed,
            written: Written::default(),
            room: self.room,
        }
    }
}

/// The rows of a request that was inflated, and turned into protobuf if it was JSON.
pub(crate) fn decode(
    signal: Signal,
    format: Format,
    request: &[u8],
    context: &Context<'_>,
) -> Result<Decoded, Error> {
    match (signal, format) {
        (Signal::Metrics, Format::RemoteWrite1) => {
            remote_write::decode(remote_write::Version::One, request, context)
        }
        (Signal::Metrics, Format::RemoteWrite2) => {
            remote_write::decode(remote_write::Version::Two, request, context)
        }
        (_, Format::RemoteWrite1 | Format::RemoteWrite2) => {
            let message = format!("{} cannot come by remote write", signal.name());
            Err(Error::new(ErrorKind::Unsupported, message))
        }
        (Signal::Logs, _) => logs::decode(request, context),
        (Signal::Metrics, _) => metrics::decode(request, context),
        (Signal::Traces, _) => traces::decode(request, context),
    }
}

/// A time that is not the record's own; zero means that it was not sent.
fn optional_time(time_ns: u64, what: &str) -> Result<Option<TimestampNs>, Failure> {
    match i64::try_from(time_ns) {
        Ok(0) => Ok(None),
        Ok(time_ns) => Ok(Some(time_ns)),
        Err(_) => {
            let message = format!("{what} {time_ns} is out of range");
            Err(Rejection::new(Reason::OutOfRange, message).into())
        }
    }
}

/// An id of `N` bytes that are not all zero.
fn valid_id<const N: usize>(id: &[u8]) -> Option<&[u8; N]> {
    let id = <&[u8; N]>::try_from(id).ok()?;
    id.iter().any(|byte| *byte != 0).then_some(id)
}

/// Turns WAL frames back into rows.
#[derive(Clone, Debug)]
pub struct Decoder {
    limits: Arc<Limits>,
    known: Arc<KnownSeries>,
}

impl Decoder {
    /// A decoder for frames that an [`crate::Ingest`] with the same options wrote.
    pub fn new(options: &IngestOptions) -> Self {
        Self { limits: Arc::new(options.limits.clone()), known: Arc::default() }
    }
}

impl storage::Decode for Decoder {
    /// Takes the frame's time of receipt for now and the limits of that time, and leaves out what
    /// was rejected then: what was acknowledged comes back, and nothing else, whatever the clock
    /// and the configuration say now.
    fn decode(
        &self,
        frame: &Frame,
        series: &LabelIndex,
        streams: &LabelIndex,
    ) -> Result<Vec<TableBatch>, Box<dyn std::error::Error + Send + Sync>> {
        let encoding = body::of_frame(frame.encoding)?;
        let unlimited = |_| Ok(());
        let compression = encoding.compression;
        let request = body::inflate(&frame.payload, compression, REPLAY_BYTES_MAX, unlimited)?;
        let mut limits = self.limits.as_ref().clone();
        let rejected_before = identity::read_notes(&frame.notes, &mut limits)?;
        let context = Context {
            received_ns: frame.received_ns,
            limits: &limits,
            series_max: 0,
            streams_max: 0,
            tenant: &frame.tenant,
            known: &self.known,
            series,
            streams,
            is_replay: true,
            memory: None,
            rejected_before: &rejected_before,
        };
        Ok(decode(frame.signal, encoding.format, &request, &context)?.batches)
    }
}

#[cfg(test)]
mod tests;
