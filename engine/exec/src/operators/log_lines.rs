//! `LogLinesExec`: the first lines in a direction.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::{ExecutionPlan, PlanProperties};
use futures::StreamExt;
use schemas::model::{Direction, Labels};
use schemas::tables::{columns as stored, label_map};

use super::log_rows::{Kept, LABEL_BYTES, LogRows};
use super::node::{channel, execution_plan, single_partition};
use super::series_output::label_maps;
use crate::memory::QueryMemory;
use crate::output::columns;
use crate::pipeline::{PipelineBatch, PipelineRows};
use crate::{Error, ErrorKind};

/// Rows of a batch that leaves the engine.
const BATCH_ROWS: usize = 1_024;

/// The oldest or newest rows that a pipeline keeps, in order of time. Output: the columns of
/// `OutputKind::Streams`.
pub(crate) struct LogLinesExec {
    rows: LogRows,
    direction: Direction,
    limit: usize,
    properties: Arc<PlanProperties>,
}

struct Line {
    time_ns: i64,
    line: String,
    stream: Labels,
    metadata: Labels,
    parsed: Labels,
}

impl Line {
    fn bytes(&self) -> usize {
        let labels = self.stream.len() + self.metadata.len() + self.parsed.len();
        let texts = self.metadata.iter().chain(&self.parsed).map(|label| label.value.len());
        size_of::<Self>() + self.line.capacity() + labels * LABEL_BYTES + texts.sum::<usize>()
    }
}

/// The first lines of those met.
struct Lines {
    /// In order, at most `limit`.
    lines: Vec<Line>,
    direction: Direction,
    limit: usize,
}

impl Kept for Lines {
    fn bytes(&self) -> usize {
        self.lines.iter().map(Line::bytes).sum()
    }

    fn joins(last: &mut Self, next: &mut Self) -> bool {
        last.lines.append(&mut next.lines);
        keep_first(&mut last.lines, last.direction, last.limit);
        true
    }
}

impl LogLinesExec {
    /// At most `limit` rows, oldest first if `direction` is forward.
    pub(crate) fn new(rows: LogRows, direction: Direction, limit: usize) -> Self {
        Self { rows, direction, limit, properties: single_partition(streams_schema()) }
    }

    fn inputs(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.rows.input]
    }

    fn with_inputs(&self, mut inputs: Vec<Arc<dyn ExecutionPlan>>) -> Self {
        Self::new(self.rows.with_input(inputs.swap_remove(0)), self.direction, self.limit)
    }

    fn describe(&self) -> String {
        format!("{} lines {:?}", self.limit, self.direction)
    }

    fn start(&self, context: &Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (direction, limit) = (self.direction, self.limit);
        let held = QueryMemory::of(context.memory_pool()).hold("lines");
        let mut batches =
            self.rows.batches(context, move |batch| first_lines(batch, direction, limit))?;
        let mut builder = channel(self.schema());
        let sender = builder.tx();
        builder.spawn(async move {
            let mut first = Lines { lines: Vec::new(), direction, limit };
            while let Some(batch) = batches.next().await {
                let (mut batch, _held) = batch?;
                held.grow(batch.bytes())?;
                Lines::joins(&mut first, &mut batch);
                held.resize(first.bytes())?;
            }
            // Each line is written once more, into a batch.
            for lines in first.lines.chunks(BATCH_ROWS) {
                held.resize(first.bytes() + lines.iter().map(Line::bytes).sum::<usize>())?;
                if sender.send(encode(lines)).await.is_err() {
                    return Ok(());
                }
            }
            Ok(())
        });
        Ok(builder.build())
    }
}

/// The first lines of one batch; only these get texts of their own.
fn first_lines(batch: PipelineBatch, direction: Direction, limit: usize) -> Result<Lines, Error> {
    let PipelineRows::Lines { line, stream, metadata, parsed } = batch.rows else {
        return Err(Error::new(ErrorKind::Internal, "samples where lines are expected"));
    };
    let mut order: Vec<usize> = (0..batch.time_ns.len()).collect();
    let time_ns = &batch.time_ns;
    match direction {
        Direction::Forward => order.sort_by_key(|row| time_ns[*row]),
        Direction::Backward => order.sort_by_key(|row| std::cmp::Reverse(time_ns[*row])),
    }
    order.truncate(limit);
    let lines = order.into_iter().map(|row| Line {
        time_ns: time_ns[row],
        line: line.value(row).to_owned(),
        stream: stream[row].clone(),
        metadata: metadata[row].clone(),
        parsed: parsed[row].clone(),
    });
    Ok(Lines { lines: lines.collect(), direction, limit })
}

/// Sorts by time and cuts; the sort is stable, so lines of one instant keep their order.
fn keep_first(lines: &mut Vec<Line>, direction: Direction, limit: usize) {
    match direction {
        Direction::Forward => lines.sort_by_key(|line| line.time_ns),
        Direction::Backward => lines.sort_by_key(|line| std::cmp::Reverse(line.time_ns)),
    }
    lines.truncate(limit);
}

/// The columns of `OutputKind::Streams`.
fn streams_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new(stored::TIME_NS, DataType::Int64, false),
        Field::new(columns::LINE, DataType::Utf8, false),
        Field::new(columns::STREAM, label_map(), false),
        Field::new(columns::METADATA, label_map(), false),
        Field::new(columns::PARSED, label_map(), false),
    ]))
}

fn encode(lines: &[Line]) -> Result<RecordBatch> {
    let times: Int64Array = lines.iter().map(|line| Some(line.time_ns)).collect();
    let texts: StringArray = lines.iter().map(|line| Some(line.line.as_str())).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(times),
        Arc::new(texts),
        label_maps(lines.iter().map(|line| &line.stream)),
        label_maps(lines.iter().map(|line| &line.metadata)),
        label_maps(lines.iter().map(|line| &line.parsed)),
    ];
    Ok(RecordBatch::try_new(streams_schema(), columns)?)
}

execution_plan!(LogLinesExec);
