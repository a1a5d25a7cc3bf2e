//! Rows of a batch through the stages.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use schemas::model::{Direction, Label, Labels};
use schemas::tables::columns;

use super::labels::{Category, RowLabels, StreamState};
use super::metadata::{MetadataColumns, text};
use super::names::{NameId, Names};
use super::sample::{SeriesSet, UnwrapStage, pipeline_error};
use super::stages::{Line, Row, Stage};
use super::usage::Usage;
use super::{Pipeline, PipelineBatch, PipelineRows, ROW_BYTES_MAX, StreamLabels, Wanted, lines};
use crate::memory::Held;
use crate::{Error, ErrorKind};

/// Finds what the records of a stream share.
pub(super) type FindStream<'a> = dyn Fn(i64) -> Option<StreamLabels> + 'a;

/// A batch while its rows run.
struct Batch<'a> {
    stages: &'a [Stage],
    usage: &'a Usage,
    names: Names,
    time_ns: &'a Int64Array,
    stream_id: &'a Int64Array,
    body: Option<StringArray>,
    metadata: MetadataColumns,
    find_stream: &'a FindStream<'a>,
    known: HashMap<i64, Option<Arc<StreamState>>, ahash::RandomState>,
    /// The stream that `labels` stand at.
    current: Option<i64>,
    labels: Option<RowLabels>,
    line: Line,
    scratch: String,
    room: Room<'a>,
}

/// Memory that is taken in steps while something grows.
struct Room<'a> {
    held: &'a Held,
    taken: usize,
}

impl Room<'_> {
    /// Bytes that are taken at once, at least.
    const STEP: usize = 64 << 10;

    /// Makes sure that there is room for so many bytes in all.
    fn reach(&mut self, bytes: usize) -> Result<(), Error> {
        if let Some(missing) = bytes.checked_sub(self.taken).filter(|missing| *missing > 0) {
            let step = missing.max(Self::STEP);
            self.held.grow(step)?;
            self.taken += step;
        }
        Ok(())
    }
}

/// Runs the stages over a batch.
pub(super) fn run(
    pipeline: &Pipeline,
    rows: &RecordBatch,
    find_stream: &FindStream<'_>,
    wanted: &Wanted,
    held: &Held,
) -> Result<PipelineBatch, Error> {
    let usage = Usage::new(pipeline, wanted);
    let mut names = usage.names.clone();
    let metadata = MetadataColumns::new(rows, &usage, &mut names)?;
    let body = rows.column_by_name(columns::BODY).map(text).transpose()?;
    let mut alive = vec![true; rows.num_rows()];
    if let Some(body) = &body {
        for test in &pipeline.line_filters {
            lines::keep(test, body, &mut alive);
        }
    } else if !pipeline.line_filters.is_empty() || usage.line {
        return Err(missing(columns::BODY));
    }
    let mut batch = Batch {
        stages: &pipeline.stages,
        usage: &usage,
        names,
        time_ns: integers(rows, columns::TIME_NS)?,
        stream_id: integers(rows, columns::STREAM_ID)?,
        body,
        metadata,
        find_stream,
        known: HashMap::default(),
        current: None,
        labels: None,
        line: Line { rewritten: false, text: String::new() },
        scratch: String::new(),
        room: Room { held, taken: 0 },
    };
    match wanted {
        Wanted::Lines { direction, limit } => batch.lines(&alive, *direction, *limit),
        Wanted::Series { .. } => batch.series(&alive, wanted),
    }
}

fn missing(column: &str) -> Error {
    Error::new(ErrorKind::Internal, format!("log rows without the column {column}"))
}

fn integers<'a>(rows: &'a RecordBatch, column: &str) -> Result<&'a Int64Array, Error> {
    rows.column_by_name(column)
        .and_then(|array| array.as_primitive_opt::<Int64Type>())
        .ok_or_else(|| missing(column))
}

impl Batch<'_> {
    /// The body of a row; empty if nobody reads it.
    fn stored(body: Option<&StringArray>, row: usize) -> &str {
        body.map_or("", |body| body.value(row))
    }

    /// Turns to the stream of a row; `false` if it is not known.
    fn enter_stream(&mut self, row: usize) -> bool {
        let id = self.stream_id.value(row);
        if self.current == Some(id) {
            return self.labels.is_some();
        }
        self.current = Some(id);
        let state = match self.known.get(&id) {
            Some(state) => state.clone(),
            None => {
                let found = (self.find_stream)(id);
                let state = found
                    .map(|stream| Arc::new(stream.state(&self.usage.metadata, &mut self.names)));
                self.known.insert(id, state.clone());
                state
            }
        };
        match (&mut self.labels, state) {
            (Some(labels), Some(state)) => labels.set_stream(state),
            (labels, state) => *labels = state.map(RowLabels::new),
        }
        self.labels.is_some()
    }

    /// Runs the stages over a row of the stream that was entered; whether it stays.
    fn apply(&mut self, row: usize) -> Result<bool, Error> {
        let Some(labels) = &mut self.labels else { return Ok(false) };
        labels.start();
        self.line.rewritten = false;
        let stored = Self::stored(self.body.as_ref(), row);
        if !self.usage.metadata.is_empty() {
            self.metadata.load(row, &self.usage.metadata, labels, &mut self.names);
            if self.usage.level {
                self.metadata.add_level(row, stored, labels, &mut self.names);
            }
        }
        let mut state = Row {
            stored,
            time_ns: self.time_ns.value(row),
            line: &mut self.line,
            labels,
            names: &mut self.names,
            parsed: &self.usage.parsed,
            scratch: &mut self.scratch,
        };
        for stage in self.stages {
            if !stage.apply(&mut state) {
                return Ok(false);
            }
            if state.bytes() > ROW_BYTES_MAX {
                let message = format!(
                    "the stages make over {ROW_BYTES_MAX} bytes of one line and its labels"
                );
                return Err(Error::new(ErrorKind::Limit, message));
            }
        }
        Ok(true)
    }

    fn lines(
        &mut self,
        alive: &[bool],
        direction: Direction,
        limit: usize,
    ) -> Result<PipelineBatch, Error> {
        // In the direction asked for, so that rows beyond the limit cost nothing.
        let mut order: Vec<usize> = (0..alive.len()).filter(|row| alive[*row]).collect();
        match direction {
            Direction::Forward => order.sort_by_key(|row| self.time_ns.value(*row)),
            Direction::Backward => {
                order.sort_by_key(|row| std::cmp::Reverse(self.time_ns.value(*row)));
            }
        }
        let mut kept: Vec<(usize, String, [Labels; 3])> = Vec::new();
        let mut bytes = 0;
        for row in order {
            if kept.len() >= limit {
                break;
            }
            if self.enter_stream(row)
                && self.apply(row)?
                && let Some(labels) = &self.labels
            {
                let line = self.line.get(Self::stored(self.body.as_ref(), row)).to_owned();
                // The line is copied once more below.
                bytes += 2 * line.len() + labels.bytes();
                self.room.reach(bytes)?;
                kept.push((row, line, categories(labels, &self.names)));
            }
        }
        kept.sort_unstable_by_key(|(row, ..)| *row);
        let time_ns = kept.iter().map(|(row, ..)| self.time_ns.value(*row)).collect();
        let line: StringArray = kept.iter().map(|(_, line, _)| Some(line.as_str())).collect();
        let (mut stream, mut metadata, mut parsed) = (Vec::new(), Vec::new(), Vec::new());
        for (_, _, [of_stream, of_metadata, of_parsed]) in kept {
            stream.push(of_stream);
            metadata.push(of_metadata);
            parsed.push(of_parsed);
        }
        let rows = PipelineRows::Lines { line, stream, metadata, parsed };
        Ok(PipelineBatch { time_ns, rows })
    }

    fn series(&mut self, alive: &[bool], wanted: &Wanted) -> Result<PipelineBatch, Error> {
        let Wanted::Series { grouping, unwrap, bytes } = wanted else {
            return Err(Error::new(ErrorKind::Internal, "lines where samples are expected"));
        };
        let unwrap =
            unwrap.as_ref().map(|unwrap| UnwrapStage::new(unwrap, &mut self.names)).transpose()?;
        let mut set =
            SeriesSet::new(grouping.as_ref(), unwrap.as_ref(), self.usage, &mut self.names);
        let relabels = self.stages.iter().any(Stage::rewrites_labels);
        let passive = unwrap.is_none()
            && self.stages.iter().all(|stage| stage.only_parses() && self.usage.parsed.is_empty());
        let (mut time_ns, mut series, mut values) = (Vec::new(), Vec::new(), Vec::new());
        // The series of all rows of the current stream, where they have the same.
        let mut of_stream: Option<(i64, u32)> = None;
        for row in (0..alive.len()).filter(|row| alive[*row]) {
            if !self.enter_stream(row) {
                continue;
            }
            // Without a stage that could drop the row, known streams need not be looked at.
            let id = self.stream_id.value(row);
            let same = of_stream.filter(|(stream, _)| *stream == id).map(|(_, series)| series);
            let looked_at = !passive || same.is_none();
            if looked_at && !self.apply(row)? {
                continue;
            }
            let Some(labels) = &mut self.labels else { continue };
            let line = self.line.get(Self::stored(self.body.as_ref(), row));
            let value = match &unwrap {
                Some(unwrap) => match unwrap.value(line, labels) {
                    Some(value) => value,
                    None => continue,
                },
                None if *bytes => line.len() as f64,
                None => 1.0,
            };
            if let Some(error) = labels.error()
                && !self.usage.keeps_errors
            {
                return Err(pipeline_error(error, &all_labels(labels, &self.names)));
            }
            let ordinal = match same {
                Some(series) => series,
                None => set.series(labels, &self.names),
            };
            self.room.reach(set.bytes())?;
            if same.is_none() && !relabels && set.is_of_stream(&labels.stream().names) {
                of_stream = Some((id, ordinal));
            }
            time_ns.push(self.time_ns.value(row));
            series.push(ordinal);
            values.push(value);
        }
        let labels = set.into_labels();
        Ok(PipelineBatch { time_ns, rows: PipelineRows::Series { labels, series, values } })
    }
}

fn label((name, value): (NameId, &str), names: &Names) -> Label {
    Label { name: Arc::clone(names.text(name)), value: value.into() }
}

/// Stream labels, structured metadata and parsed labels of a row.
fn categories(labels: &RowLabels, names: &Names) -> [Labels; 3] {
    let stream = match labels.whole_stream() {
        Some(labels) => labels.clone(),
        None => labels.visible_stream().map(|(name, value)| label((name, value), names)).collect(),
    };
    let of = |wanted: Category| {
        let of = labels.added().filter(|(_, category, _)| *category == wanted);
        let of = of.map(|(name, _, value)| label((name, value), names));
        Labels::with_empty_values(of.collect())
    };
    [stream, of(Category::Metadata), of(Category::Parsed)]
}

fn all_labels(labels: &RowLabels, names: &Names) -> Labels {
    let stream = labels.visible_stream().map(|(name, value)| label((name, value), names));
    let added = labels.added().map(|(name, _, value)| label((name, value), names));
    Labels::with_empty_values(stream.chain(added).collect())
}
