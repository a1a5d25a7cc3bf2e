//! The log pipeline: all row-level stages of a LogQL query as one fused kernel.
//!
//! ```text
//!  Filter(Extract(Filter(Scan)))  ─ compile ─▶  scan  +  line filters  +  [filter, extract, …]
//!  rows of Table::Logs ─ line filters over the whole buffer ─▶ rows that are alive
//!                      ─ structured metadata, stages ────────▶ lines or samples
//! ```
//!
//! Only what a query names is read and parsed: [`usage`] tells which columns and labels those
//! are. `detected_level` is not stored but found out when a query names it or returns lines.

mod address;
mod attributes;
mod format;
mod json;
mod labels;
mod level;
mod line_pattern;
mod lines;
mod metadata;
mod names;
mod parse_json;
mod parse_logfmt;
mod parse_regexp;
mod predicate;
mod run;
mod sample;
mod stages;
#[cfg(test)]
mod tests;
mod usage;

use std::borrow::Cow;

use arrow::array::StringArray;
use arrow::datatypes::Schema;
use arrow::record_batch::RecordBatch;
use plan::expr::CompareOp;
use plan::node::{Scan, Unwrap};
use plan::{Expr, Node};
use schemas::model::{Direction, Grouping, Labels};

use crate::memory::Held;
use crate::{Error, ErrorKind};
use names::Names;
use predicate::LineTest;
use stages::Stage;
use usage::Usage;

pub(crate) use attributes::attribute_labels;
pub(crate) use metadata::StreamLabels;

/// Bytes of line and labels that stages may make of one row: templates that show each other's
/// result double it stage by stage otherwise.
const ROW_BYTES_MAX: usize = 16 << 20;

/// The stages of a query, ready to run.
#[derive(Debug)]
pub(crate) struct Pipeline {
    /// Names with numbers that the stages use.
    names: Names,
    /// Filters of the line as stored, wherever they stood.
    line_filters: Vec<LineTest>,
    /// The same, as they were written.
    pushable: Vec<Expr>,
    /// All other stages, in order.
    stages: Vec<Stage>,
    /// Labels that every selected stream has.
    stream_names: Vec<String>,
}

/// What is wanted of the rows that survive.
#[derive(Clone, Debug)]
pub(crate) enum Wanted {
    /// Lines with their labels, category by category.
    Lines {
        /// Which rows of a batch are wanted first.
        direction: Direction,
        /// Rows of a batch that are wanted at most.
        limit: usize,
    },
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

/// What a filter asks of a label.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Asked<'a> {
    /// It is this text, which is not empty.
    Equal(&'a str, &'a str),
    /// Read as a number, it compares so with a number; false if it is absent.
    Compare(&'a str, CompareOp, f64),
}

/// Rows that survived, in input order.
#[derive(Debug)]
pub(crate) struct PipelineBatch {
    /// Time of each row.
    pub(crate) time_ns: Vec<i64>,
    /// What was wanted of each row.
    pub(crate) rows: PipelineRows,
}

/// What was wanted of each row.
#[derive(Debug)]
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
    pub(crate) fn compile(node: Node) -> Result<(Self, Scan), Error> {
        let mut chain = Vec::new();
        let mut node = node;
        let scan = loop {
            node = match node {
                Node::Scan(scan) => break scan,
                Node::Filter(mut filter) => {
                    let input = std::mem::replace(&mut *filter.input, Node::Time);
                    chain.push(Node::Filter(filter));
                    input
                }
                Node::Extract(mut extract) => {
                    let input = std::mem::replace(&mut *extract.input, Node::Time);
                    chain.push(Node::Extract(extract));
                    input
                }
                Node::Format(mut format) => {
                    let input = std::mem::replace(&mut *format.input, Node::Time);
                    chain.push(Node::Format(format));
                    input
                }
                _ => return Err(Error::new(ErrorKind::Internal, "a pipeline over no log rows")),
            }
        };
        let mut pipeline = Self {
            names: Names::new(),
            line_filters: Vec::new(),
            pushable: Vec::new(),
            stages: Vec::new(),
            stream_names: selected_names(&scan)?,
        };
        for node in chain.into_iter().rev() {
            pipeline.push(node)?;
        }
        Ok((pipeline, scan))
    }

    /// Adds a stage behind the others.
    fn push(&mut self, node: Node) -> Result<(), Error> {
        let stage = match node {
            Node::Filter(filter) => {
                // A filter of the line commutes with whatever leaves the line alone: other
                // filters only drop rows, and parsers only add labels.
                if !self.stages.iter().any(Stage::rewrites_line)
                    && let Some(test) = LineTest::compile(&filter.predicate)
                {
                    self.line_filters.push(test);
                    self.pushable.push(filter.predicate);
                    return Ok(());
                }
                stages::filter(&filter.predicate, &mut self.names)?
            }
            Node::Extract(extract) => stages::extract(extract.parser, &mut self.names),
            Node::Format(format) => stages::format(format.format, &mut self.names)?,
            _ => return Err(Error::new(ErrorKind::Internal, "not a stage of a pipeline")),
        };
        self.stages.push(stage);
        Ok(())
    }

    /// Line filters on the body as stored, which a scan may apply before: exact.
    pub(crate) fn pushable(&self) -> Vec<Expr> {
        self.pushable.clone()
    }

    /// Columns of `schema`, the layout of the logs table, that `run` reads.
    pub(crate) fn needs(&self, wanted: &Wanted, schema: &Schema) -> Vec<Cow<'static, str>> {
        Usage::new(self, wanted).columns(self, schema)
    }

    /// The labels that `run` looks for in structured metadata; `None` if all may be.
    pub(crate) fn looked_up(&self, wanted: &Wanted) -> Option<Vec<String>> {
        let usage = Usage::new(self, wanted);
        Some(usage.looked_up()?.into_iter().map(str::to_owned).collect())
    }

    /// What filters at the front ask of labels; rows for which one does not hold are dropped.
    pub(crate) fn asked(&self) -> Vec<Asked<'_>> {
        let mut asked = Vec::new();
        for stage in &self.stages {
            let Stage::Filter(test) = stage else { break };
            test.asked(&self.names, &mut asked);
        }
        asked
    }

    /// Runs the stages; rows of streams that `streams` does not know are left out. What is made of
    /// the rows is taken from `held` while it grows.
    ///
    /// `Limit` if there is no room for it, or if the stages make too much of one row.
    pub(crate) fn run(
        &self,
        rows: &RecordBatch,
        streams: &dyn Fn(i64) -> Option<StreamLabels>,
        wanted: &Wanted,
        held: &Held,
    ) -> Result<PipelineBatch, Error> {
        run::run(self, rows, streams, wanted, held)
    }

    /// Whether every selected stream has a label of this name, so that no other label can.
    fn is_of_stream(&self, name: &str) -> bool {
        self.stream_names.iter().any(|known| known == name)
    }
}

/// Whether records have a column of their own for a label, beside their attributes.
pub(crate) fn is_own_label(label: &str) -> bool {
    usage::OWN_COLUMNS.iter().any(|(_, own)| *own == label) || label == "detected_level"
}

/// Names of labels that every stream has which a scan selects.
fn selected_names(scan: &Scan) -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    for matcher in &scan.selector.matchers {
        let compiled = matcher.compile().map_err(|error| {
            Error::with_source(ErrorKind::Invalid, "a matcher was refused", error)
        })?;
        if !compiled.matches("") {
            names.push(matcher.label.clone());
        }
    }
    Ok(names)
}
