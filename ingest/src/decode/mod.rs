//! Decoding: OTLP bytes → rows.
//!
//! ```text
//!  JSON ─▶ json ─▶ protobuf ─▶ wire ─┬─▶ logs     ─▶ logs, log_streams
//!                                    ├─▶ metrics  ─▶ metric_samples, metric_histograms,
//!                     attributes ◀───┤               metric_series, exemplars
//!                                    └─▶ traces   ─▶ spans
//! ```
//!
//! A message that is no protobuf is an error of the whole request; a record that cannot be kept
//! as it was sent is rejected alone. The same bytes, time of receipt and limits always make the
//! same rows, which is what lets the WAL hold bodies.

use std::sync::Arc;

use schemas::model::{Signal, TimestampNs};
use storage::{Frame, LabelIndex, TableBatch};

use crate::IngestOptions;
use crate::admit::Rejections;
use crate::error::Error;
use crate::limits::Limits;

/// What decoding needs beside the bytes.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// When the request was received.
    pub(crate) received_ns: TimestampNs,
    /// Limits of records.
    pub(crate) limits: Arc<Limits>,
    /// The tenant's known series.
    pub(crate) series: Arc<LabelIndex>,
    /// The tenant's known streams.
    pub(crate) streams: Arc<LabelIndex>,
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
}

/// The rows of a protobuf export request.
pub(crate) fn decode(
    _signal: Signal,
    _message: &[u8],
    _context: &Context,
) -> Result<Decoded, Error> {
    Ok(Decoded::default())
}

/// A JSON export request as protobuf.
pub(crate) fn transcode_json(_signal: Signal, _json: &[u8]) -> Result<Vec<u8>, Error> {
    Ok(Vec::new())
}

/// Turns WAL frames back into rows.
#[derive(Clone, Debug)]
pub struct Decoder {
    limits: Arc<Limits>,
}

impl Decoder {
    /// A decoder for frames that an [`crate::Ingest`] with the same options wrote.
    pub fn new(options: &IngestOptions) -> Self {
        Self { limits: Arc::new(options.limits.clone()) }
    }
}

impl storage::Decode for Decoder {
    fn decode(
        &self,
        _frame: &Frame,
        _series: &LabelIndex,
        _streams: &LabelIndex,
    ) -> Result<Vec<TableBatch>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Vec::new())
    }
}
