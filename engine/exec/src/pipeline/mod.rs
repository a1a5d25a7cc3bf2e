//! The log pipeline: all row-level stages of a LogQL query as one fused kernel.
//!
//! ```text
//!  Filter(Extract(Filter(Scan)))  ─ compile ─▶  scan  +  [filter, extract, filter]
//!  rows of Table::Logs ─ run ─▶ rows that survive, as lines or as samples
//! ```

use std::sync::Arc;

use arrow::array::StringArray;
use arrow::record_batch::RecordBatch;
use plan::node::{Scan, Unwrap};
use plan::{Expr, Node};
use schemas::model::{Grouping, Labels};
use storage::StreamInfo;

use crate::{Error, ErrorKind};

/// The stages of a query, ready to run.
#[derive(Debug)]
pub(crate) struct Pipeline {}

/// What is wanted of the rows that survive.
#[derive(Clone, Debug)]
pub(crate) enum Wanted {
    /// Lines with their labels, category by category.
    Lines,
    /// Samples.
    Series {
        /// The labels that tell series apart; `None` takes all labels.
        grouping: Option<Grouping>,
        /// The label whose value is the sample; without it a row counts 1, or its bytes.
        unwrap: Option<Unwrap>,
        /// A row counts the bytes of its line.
        bytes: bool,
    },
}

/// What the records of a stream share.
#[derive(Clone, Debug)]
pub(crate) struct StreamLabels {
    labels: Labels,
    info: Arc<StreamInfo>,
}

impl StreamLabels {
    /// From the index labels and the stream's identity.
    pub(crate) fn new(labels: Labels, info: Arc<StreamInfo>) -> Self {
        Self { labels, info }
    }
}

/// Rows that survived, in input order.
pub(crate) struct PipelineBatch {
    /// Time of each row.
    pub(crate) time_ns: Vec<i64>,
    /// What was wanted of each row.
    pub(crate) rows: PipelineRows,
}

/// What was wanted of each row.
pub(crate) enum PipelineRows {
    /// Lines; each column has one item a row.
    Lines {
        /// The line after the pipeline.
        line: StringArray,
        /// Stream labels.
        stream: Vec<Labels>,
        /// Structured metadata.
        metadata: Vec<Labels>,
        /// Parsed and formatted labels.
        parsed: Vec<Labels>,
    },
    /// Samples.
    Series {
        /// The distinct label sets of the batch.
        labels: Vec<Labels>,
        /// Position in `labels` of each row.
        series: Vec<u32>,
        /// Sample of each row.
        values: Vec<f64>,
    },
}

impl Pipeline {
    /// Takes the chain of row-level nodes over a scan of logs, outermost first.
    pub(crate) fn compile(_node: Node) -> Result<(Self, Scan), Error> {
        Err(Error::new(ErrorKind::Internal, "written next"))
    }

    /// Line filters on the body as stored, which a scan may apply before: exact.
    pub(crate) fn pushable(&self) -> Vec<Expr> {
        Vec::new()
    }

    /// Columns of `Table::Logs` that `run` reads.
    pub(crate) fn needs(&self, _wanted: &Wanted) -> Vec<&'static str> {
        Vec::new()
    }

    /// Runs the stages; rows of streams that `streams` does not know are left out.
    pub(crate) fn run(
        &self,
        _rows: &RecordBatch,
        _streams: &dyn Fn(i64) -> Option<StreamLabels>,
        _wanted: &Wanted,
    ) -> Result<PipelineBatch, Error> {
        Err(Error::new(ErrorKind::Internal, "written next"))
    }
}
