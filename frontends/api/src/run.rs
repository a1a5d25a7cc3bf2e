//! Running a query: the plan in, batches out, the first of them before any status is sent.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use exec::{
    Annotations, Held, OutputKind, QueryMemory, QueryOutput, QueryStats, RawOutput, RawSeries,
};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use plan::node::{Limit, Query};
use plan::{Node, Shape};
use schemas::model::{Matcher, TimeRange};
use tokio::time::{Instant, timeout_at};

use crate::Api;
use crate::error::{Error, ErrorKind};

/// The answer to a query, its first batch read.
pub(crate) struct Output {
    pub(crate) kind: OutputKind,
    pub(crate) batches: Batches,
    pub(crate) stats: Arc<QueryStats>,
    pub(crate) annotations: Arc<Annotations>,
    /// The query's memory: what is gathered of the answer is taken from it.
    pub(crate) memory: QueryMemory,
    /// When the query began.
    pub(crate) started: Instant,
    /// Bytes that the answer may have; 0: any number.
    pub(crate) answer_bytes_max: u64,
}

/// Batches of an answer, in order, until a deadline.
pub(crate) struct Batches {
    first: Option<RecordBatch>,
    rest: BoxStream<'static, Result<RecordBatch, exec::Error>>,
    deadline: Instant,
}

impl Api {
    /// Runs a query and waits for its first batch.
    pub(crate) async fn run(
        &self,
        tenant: &str,
        query: Query,
        deadline: Instant,
    ) -> Result<Output, Error> {
        let started = Instant::now();
        let output = before(deadline, self.session.run(tenant, query)).await??;
        Output::new(output, started, deadline, self.answer_bytes_max(tenant)).await
    }

    /// The samples, as they are stored, of the series that one of the selectors selects.
    pub(crate) async fn raw(
        &self,
        tenant: &str,
        selectors: &[Vec<Matcher>],
        range: TimeRange,
        deadline: Instant,
    ) -> Result<RawSamples, Error> {
        let asked = self.session.raw(tenant, selectors, range);
        let output = before(deadline, asked).await??;
        Ok(RawSamples { output, deadline })
    }

    /// Runs a SQL statement and waits for its first batch.
    pub(crate) async fn run_sql(
        &self,
        tenant: &str,
        statement: &str,
        deadline: Instant,
    ) -> Result<Output, Error> {
        let started = Instant::now();
        let output = before(deadline, self.session.sql(tenant, statement)).await??;
        Output::new(output, started, deadline, self.answer_bytes_max(tenant)).await
    }

    fn answer_bytes_max(&self, tenant: &str) -> u64 {
        self.tenants.options(tenant).answer_bytes_max
    }
}

/// Stored samples, and until when they may be read.
pub(crate) struct RawSamples {
    output: RawOutput,
    deadline: Instant,
}

impl RawSamples {
    /// A part of the query's memory that holds nothing yet.
    pub(crate) fn hold(&self, what: &'static str) -> Held {
        self.output.memory.hold(what)
    }

    /// What was read so far.
    pub(crate) fn stats(&self) -> Arc<QueryStats> {
        Arc::clone(&self.output.stats)
    }

    /// The next series; `None` after the last.
    pub(crate) async fn next(&mut self) -> Option<Result<RawSeries, Error>> {
        match before(self.deadline, self.output.stream.next()).await {
            Ok(series) => series.map(|series| series.map_err(Error::from)),
            Err(error) => Some(Err(error)),
        }
    }

    /// All series; ends after the first error.
    pub(crate) fn into_stream(self) -> impl Stream<Item = Result<RawSeries, Error>> {
        futures::stream::unfold(Some(self), |samples| async move {
            let mut samples = samples?;
            let series = samples.next().await?;
            let rest = series.is_ok().then_some(samples);
            Some((series, rest))
        })
    }
}

impl Output {
    pub(crate) async fn new(
        output: QueryOutput,
        started: Instant,
        deadline: Instant,
        answer_bytes_max: u64,
    ) -> Result<Self, Error> {
        let QueryOutput { kind, stream, stats, memory, annotations } = output;
        // The first look at an empty answer ends the stream, which may not be polled again.
        let rest = stream.fuse().boxed();
        let mut batches = Batches { first: None, rest, deadline };
        batches.first = batches.next().await?;
        Ok(Self { kind, batches, stats, annotations, memory, started, answer_bytes_max })
    }
}

impl Batches {
    /// The next batch; `None` after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<RecordBatch>, Error> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        match before(self.deadline, self.rest.next()).await? {
            Some(batch) => Ok(Some(batch?)),
            None => Ok(None),
        }
    }
}

/// Waits for a future until a deadline.
pub(crate) async fn before<F: Future>(deadline: Instant, future: F) -> Result<F::Output, Error> {
    let timed_out = |_| Error::new(ErrorKind::Timeout, "query timed out in expression evaluation");
    timeout_at(deadline, future).await.map_err(timed_out)
}

/// The query with at most so many results; `None` leaves it as it is, and so does a scalar.
pub(crate) fn limited(query: Query, count: Option<usize>) -> Query {
    let Some(count) = count else { return query };
    if matches!(query.root.shape(), Shape::Scalar | Shape::Text) {
        return query;
    }
    Query { root: Node::Limit(Limit { input: Box::new(query.root), count }), ..query }
}
