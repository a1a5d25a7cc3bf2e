//! Sessions: where queries are run, within the limits.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use plan::node::Query;
use schemas::model::{Matcher, TimeRange};
use storage::Store;

use crate::{Error, ErrorKind, Limits, QueryOutput};

/// How much data a log selector covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamStats {
    /// Streams that match.
    pub streams: u64,
    /// Segments that may hold their records.
    pub segments: u64,
    /// Bytes of their lines.
    pub bytes: u64,
    /// Records.
    pub entries: u64,
}

/// Metadata of a metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricMetadata {
    /// Name of the metric family as Prometheus shows it: without `_bucket`, `_sum`, `_count`.
    pub name: String,
    /// Prometheus type: `counter gauge histogram summary unknown`.
    pub kind: String,
    /// Unit; empty if not known.
    pub unit: String,
    /// Description; empty if not known.
    pub help: String,
}

/// Runs queries against a store.
#[derive(Debug)]
pub struct Session {
    _store: Arc<Store>,
    _limits: Limits,
}

impl Session {
    /// A session over a store; all its queries share one memory budget.
    pub fn new(store: Arc<Store>, limits: Limits) -> Result<Self, Error> {
        Ok(Self { _store: store, _limits: limits })
    }

    /// Runs a query of any of the three languages.
    pub async fn run(&self, _tenant: &str, _query: Query) -> Result<QueryOutput, Error> {
        Err(Error::new(ErrorKind::Internal, "written next"))
    }

    /// Runs a SQL statement that only reads.
    pub async fn sql(&self, _tenant: &str, _statement: &str) -> Result<QueryOutput, Error> {
        Err(Error::new(ErrorKind::Internal, "written next"))
    }

    /// The columns a SQL statement would return; nothing is read.
    pub async fn sql_schema(&self, _tenant: &str, _statement: &str) -> Result<SchemaRef, Error> {
        Err(Error::new(ErrorKind::Internal, "written next"))
    }

    /// The tables and views that SQL can name, each with its columns.
    pub async fn sql_tables(&self, _tenant: &str) -> Result<Vec<(String, SchemaRef)>, Error> {
        Err(Error::new(ErrorKind::Internal, "written next"))
    }

    /// How a query would be run, as text: our plan, then DataFusion's.
    pub async fn explain(&self, _tenant: &str, _query: Query) -> Result<String, Error> {
        Err(Error::new(ErrorKind::Internal, "written next"))
    }

    /// How much data a log selector covers; bytes are estimated from segment sizes.
    pub async fn stream_stats(
        &self,
        _tenant: &str,
        _matchers: &[Matcher],
        _range: TimeRange,
    ) -> Result<StreamStats, Error> {
        Err(Error::new(ErrorKind::Internal, "written next"))
    }

    /// Metadata of metrics, sorted by name; `name` picks one.
    pub fn metric_metadata(&self, _tenant: &str, _name: Option<&str>) -> Vec<MetricMetadata> {
        Vec::new()
    }
}
