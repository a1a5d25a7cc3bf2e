//! Spansets: which spans a TraceQL query selects, and which traces that makes.
//!
//! ```text
//!  rows of Table::Spans ─ masks ─▶ candidate spans ─ by trace ─▶ spanset algebra ─▶ newest traces
//! ```

use std::sync::Arc;

use arrow::array::BooleanArray;
use arrow::record_batch::RecordBatch;
use plan::node::DistinctOf;
use plan::{Expr, Node};
use schemas::model::TimeRange;

use crate::{Error, ErrorKind};

/// A search, compiled from the plan below order and limit.
#[derive(Debug)]
pub(crate) struct Search {}

impl Search {
    /// Takes a tree of `Spanset`, `SpansetBinary` and `SpansetFilter` over scans of spans.
    pub(crate) fn compile(_node: Node) -> Result<Self, Error> {
        Err(Error::new(ErrorKind::Internal, "written next"))
    }

    /// When the spans that decide start.
    pub(crate) fn range(&self) -> TimeRange {
        TimeRange::ALL
    }

    /// Columns of `Table::Spans` that deciding and reporting read.
    pub(crate) fn columns(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// For each row whether any leaf filter selects it. Rows have the columns of `columns`.
    pub(crate) fn candidate(&self, _rows: &RecordBatch) -> Result<BooleanArray, Error> {
        Err(Error::new(ErrorKind::Internal, "written next"))
    }

    /// Collects the candidates of a search for the `limit` newest traces.
    pub(crate) fn collector(self: &Arc<Self>, _limit: usize) -> Collector {
        Collector {}
    }
}

/// Columns of `Table::Spans` that `Collector::push_summary` reads.
pub(crate) const SUMMARY_COLUMNS: &[&str] = &[];

/// Collects candidate spans, then the summaries of the traces that are returned.
pub(crate) struct Collector {}

impl Collector {
    /// Adds candidate rows (those that `Search::candidate` accepts).
    pub(crate) fn push(&mut self, _rows: &RecordBatch) -> Result<(), Error> {
        Ok(())
    }

    /// Evaluates the spansets and returns the ids of the traces that will be returned.
    pub(crate) fn candidates(&mut self) -> Result<Vec<[u8; 16]>, Error> {
        Ok(Vec::new())
    }

    /// Adds spans of those traces, whether they matched or not: rows with `SUMMARY_COLUMNS`.
    pub(crate) fn push_summary(&mut self, _rows: &RecordBatch) -> Result<(), Error> {
        Ok(())
    }

    /// The traces, newest first: the columns of `OutputKind::Traces`.
    pub(crate) fn finish(self) -> Result<RecordBatch, Error> {
        Err(Error::new(ErrorKind::Internal, "written next"))
    }
}

/// For each row of spans whether a predicate holds.
pub(crate) fn mask(_predicate: &Expr, _rows: &RecordBatch) -> Result<BooleanArray, Error> {
    Err(Error::new(ErrorKind::Internal, "written next"))
}

/// Columns of `Table::Spans` that a predicate reads.
pub(crate) fn columns_of(_predicate: &Expr) -> Vec<&'static str> {
    Vec::new()
}

/// Collects the distinct names or values of spans: a sorted set with a limit.
pub(crate) struct Names {}

impl Names {
    /// An empty set of at most `limit` names; `of` is about span attributes or intrinsics.
    pub(crate) fn new(_of: DistinctOf, _limit: usize) -> Self {
        Self {}
    }

    /// Columns of `Table::Spans` that `push` reads.
    pub(crate) fn columns(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// Adds the names or values of rows.
    pub(crate) fn push(&mut self, _rows: &RecordBatch) -> Result<(), Error> {
        Ok(())
    }

    /// The names, sorted: `scope` and `name`, or `type` and `name`.
    pub(crate) fn finish(self) -> Result<RecordBatch, Error> {
        Err(Error::new(ErrorKind::Internal, "written next"))
    }
}
