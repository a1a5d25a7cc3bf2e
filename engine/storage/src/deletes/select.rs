//! Selecting: which rows of a batch a request covers.

use std::sync::Arc;

use ahash::HashSet;
use arrow::array::{Array, AsArray, BooleanArray, Int64Array, RecordBatch};
use arrow::datatypes::Int64Type;
use arrow::error::ArrowError;
use parking_lot::Mutex;
use schemas::model::{
    CompiledMatcher, MatchOp, Matcher, NANOS_PER_DAY, Signal, TimeRange, compile_anchored,
    compile_search,
};
use schemas::tables::{Table, columns, day_of_ns};

use super::texts::Texts;
use super::{ConditionOp, DeleteRequest, RowCondition, RowField, RowSelector};
use crate::{Error, ErrorKind, LabelIndex};

/// Asks about a text.
type Test = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// A request that is ready to be asked about rows.
pub(super) struct Selection {
    selectors: Vec<Compiled>,
    /// The ids that each selector's matchers accept, and how many the index knew then.
    ids: Mutex<Option<(usize, Arc<Vec<Ids>>)>>,
}

/// Ids of series or of streams.
type Ids = HashSet<i64>;

struct Compiled {
    matchers: Vec<CompiledMatcher>,
    conditions: Vec<(RowField, Test)>,
}

impl std::fmt::Debug for Selection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Selection").field("selectors", &self.selectors.len()).finish()
    }
}

impl Selection {
    /// Compiles the patterns of selectors; `Invalid` if one is none, or if a selector asks for
    /// what the signal does not have.
    pub(super) fn compile(signal: Signal, selectors: &[RowSelector]) -> Result<Self, Error> {
        let selectors = selectors.iter().map(|selector| {
            check(signal, selector)?;
            let matchers = selector.matchers.iter().map(compile_matcher);
            let conditions = selector.conditions.iter().map(compile_condition);
            Ok(Compiled {
                matchers: matchers.collect::<Result<_, Error>>()?,
                conditions: conditions.collect::<Result<_, Error>>()?,
            })
        });
        Ok(Self { selectors: selectors.collect::<Result<_, Error>>()?, ids: Mutex::new(None) })
    }

    /// Whether it never takes a whole series or stream.
    pub(super) fn only_conditions(&self) -> bool {
        self.selectors.iter().all(|selector| !selector.conditions.is_empty())
    }

    /// The ids of series or streams that are selected whatever their rows hold.
    pub(super) fn unconditional_ids(&self, index: &LabelIndex) -> Vec<i64> {
        let whole = self.selectors.iter().filter(|selector| selector.conditions.is_empty());
        whole.flat_map(|selector| index.ids(&selector.matchers)).collect()
    }

    /// The fields that its conditions look at.
    pub(super) fn fields(&self) -> impl Iterator<Item = &RowField> {
        self.selectors.iter().flat_map(|it| &it.conditions).map(|(field, _)| field)
    }

    /// Whether the labels of a series or stream are selected whatever its rows hold.
    pub(super) fn selects_labels<'a>(&self, value: impl Fn(&str) -> &'a str) -> bool {
        self.selectors.iter().any(|selector| {
            selector.conditions.is_empty()
                && selector.matchers.iter().all(|matcher| matcher.matches(value(matcher.label())))
        })
    }

    /// The ids of the series or streams that each selector selects, whenever they were seen.
    pub(super) fn ids(&self, index: &LabelIndex) -> Arc<Vec<Ids>> {
        let known = index.len();
        let mut cached = self.ids.lock();
        if let Some((of, ids)) = cached.as_ref()
            && *of == known
        {
            return Arc::clone(ids);
        }
        let of = |selector: &Compiled| index.ids(&selector.matchers).into_iter().collect();
        let ids = Arc::new(self.selectors.iter().map(of).collect());
        *cached = Some((known, Arc::clone(&ids)));
        ids
    }

    /// The rows that are selected, of those that `in_range` accepts.
    pub(super) fn rows(
        &self,
        table: Table,
        rows: &RecordBatch,
        in_range: &BooleanArray,
        (series, streams): (&LabelIndex, &Arc<LabelIndex>),
    ) -> Result<BooleanArray, Error> {
        match table {
            Table::MetricSamples | Table::MetricHistograms | Table::Exemplars => {
                let ids = self.ids(series);
                let column = integers(rows, columns::SERIES_ID)?;
                let selected = |row: usize| ids.iter().any(|ids| ids.contains(&column.value(row)));
                Ok(narrow(in_range, selected))
            }
            Table::MetricSeries | Table::LogStreams => self.label_rows(rows, in_range),
            Table::Logs => {
                let ids = self.ids(streams);
                let column = integers(rows, columns::STREAM_ID)?;
                let holds = self.conditions(rows, streams)?;
                let selected = |row: usize| {
                    let id = column.value(row);
                    (0..ids.len()).any(|at| ids[at].contains(&id) && holds(at, row))
                };
                Ok(narrow(in_range, selected))
            }
            Table::Spans => {
                let holds = self.conditions(rows, streams)?;
                Ok(narrow(in_range, |row| (0..self.selectors.len()).any(|at| holds(at, row))))
            }
        }
    }

    /// Whether all conditions of a selector hold for a row.
    fn conditions<'a>(
        &'a self,
        rows: &RecordBatch,
        streams: &Arc<LabelIndex>,
    ) -> Result<impl Fn(usize, usize) -> bool + use<'a>, Error> {
        let texts = |(field, test): &'a (RowField, Test)| {
            Texts::of(field, rows, streams).map(|texts| (texts, test))
        };
        let of = |selector: &'a Compiled| selector.conditions.iter().map(texts).collect();
        let all: Vec<Vec<(Texts, &Test)>> =
            self.selectors.iter().map(of).collect::<Result<_, Error>>()?;
        Ok(move |at: usize, row: usize| all[at].iter().all(|(texts, test)| test(&texts.get(row))))
    }

    fn label_rows(
        &self,
        rows: &RecordBatch,
        in_range: &BooleanArray,
    ) -> Result<BooleanArray, Error> {
        let maps = rows.column_by_name(columns::LABELS).and_then(|maps| maps.as_map_opt());
        let maps = maps.ok_or_else(|| missing(columns::LABELS))?;
        let keys = maps.keys().as_string_opt::<i32>();
        let values = maps.values().as_string_opt::<i32>();
        let (Some(keys), Some(values)) = (keys, values) else {
            return Err(missing(columns::LABELS));
        };
        Ok(narrow(in_range, |row| {
            let offsets = maps.value_offsets();
            let places = offsets[row] as usize..offsets[row + 1] as usize;
            self.selects_labels(|name| {
                let at = places.clone().find(|at| keys.value(*at) == name);
                at.filter(|at| values.is_valid(*at)).map_or("", |at| values.value(at))
            })
        }))
    }
}

/// The rows whose time lies in a range; for a row of the series and stream tables, those whose
/// whole day does. `None` if there are none.
pub(super) fn in_range(
    table: Table,
    rows: &RecordBatch,
    range: &TimeRange,
) -> Result<Option<BooleanArray>, Error> {
    let key = table.sort_key();
    let times = integers(rows, key.time_column)?;
    let by_day = matches!(table, Table::MetricSeries | Table::LogStreams);
    let is_in = |time: i64| {
        let time_ns = time.saturating_mul(key.time_unit_ns);
        if by_day { covers_day(range, day_of_ns(time_ns)) } else { range.contains(time_ns) }
    };
    let mask: BooleanArray = times.values().iter().map(|time| Some(is_in(*time))).collect();
    Ok((mask.true_count() > 0).then_some(mask))
}

/// Whether a range holds every instant of a day.
pub(crate) fn covers_day(range: &TimeRange, day: i32) -> bool {
    let start_ns = i64::from(day).saturating_mul(NANOS_PER_DAY);
    range.start_ns <= start_ns && range.end_ns >= start_ns.saturating_add(NANOS_PER_DAY)
}

/// The rows of `mask` that `selected` accepts, too.
fn narrow(mask: &BooleanArray, selected: impl Fn(usize) -> bool) -> BooleanArray {
    (0..mask.len()).map(|row| Some(mask.value(row) && selected(row))).collect()
}

fn check(signal: Signal, selector: &RowSelector) -> Result<(), Error> {
    let refused = |what: &str| Error::new(ErrorKind::Invalid, format!("{signal}: {what}"));
    match signal {
        Signal::Metrics if !selector.conditions.is_empty() => {
            Err(refused("samples are selected by the labels of their series alone"))
        }
        Signal::Traces if !selector.matchers.is_empty() => {
            Err(refused("spans have no index labels"))
        }
        Signal::Traces if selector.conditions.is_empty() => {
            Err(refused("a selector without conditions would delete all spans"))
        }
        Signal::Metrics | Signal::Logs if selects_all(&selector.matchers) => {
            Err(refused("at least one matcher must not match the empty text"))
        }
        _ => Ok(()),
    }
}

/// Whether a selector would take whatever comes: a mistake more often than a wish.
fn selects_all(matchers: &[Matcher]) -> bool {
    let all = matchers.iter().map(Matcher::compile);
    !all.flatten().any(|matcher| !matcher.matches(""))
}

fn compile_matcher(matcher: &Matcher) -> Result<CompiledMatcher, Error> {
    matcher
        .compile()
        .map_err(|error| Error::with_source(ErrorKind::Invalid, error.to_string(), error))
}

fn compile_condition(condition: &RowCondition) -> Result<(RowField, Test), Error> {
    let invalid = |error: schemas::model::PatternError| {
        Error::with_source(ErrorKind::Invalid, error.to_string(), error)
    };
    let literal = condition.value.clone();
    let test: Test = match condition.op {
        ConditionOp::Match(MatchOp::Equal) => Box::new(move |text| text == literal),
        ConditionOp::Match(MatchOp::NotEqual) => Box::new(move |text| text != literal),
        ConditionOp::Match(MatchOp::Regex) => {
            let pattern = compile_anchored(&literal).map_err(invalid)?;
            Box::new(move |text| pattern.is_match(text))
        }
        ConditionOp::Match(MatchOp::NotRegex) => {
            let pattern = compile_anchored(&literal).map_err(invalid)?;
            Box::new(move |text| !pattern.is_match(text))
        }
        ConditionOp::Contains => Box::new(move |text| text.contains(&literal)),
        ConditionOp::ContainsNot => Box::new(move |text| !text.contains(&literal)),
        ConditionOp::Search => {
            let pattern = compile_search(&literal).map_err(invalid)?;
            Box::new(move |text| pattern.is_match(text))
        }
        ConditionOp::SearchNot => {
            let pattern = compile_search(&literal).map_err(invalid)?;
            Box::new(move |text| !pattern.is_match(text))
        }
    };
    Ok((condition.field.clone(), test))
}

fn integers<'a>(rows: &'a RecordBatch, name: &str) -> Result<&'a Int64Array, Error> {
    let column = rows.column_by_name(name).and_then(|it| it.as_primitive_opt::<Int64Type>());
    column.ok_or_else(|| missing(name))
}

fn missing(name: &str) -> Error {
    Error::new(ErrorKind::Internal, format!("rows to be masked have no column {name}"))
}

pub(super) fn failed(error: ArrowError) -> Error {
    Error::with_source(ErrorKind::Internal, format!("rows cannot be masked: {error}"), error)
}

/// How long a request may be kept waiting by its own size.
pub(super) fn check_size(request: &DeleteRequest) -> Result<(), Error> {
    let bytes = request.to_json().to_string().len();
    if bytes <= REQUEST_BYTES_MAX {
        return Ok(());
    }
    let message =
        format!("a delete request of {bytes} bytes is over the limit of {REQUEST_BYTES_MAX}");
    Err(Error::new(ErrorKind::Limit, message))
}

/// Bytes that a stored request may have.
const REQUEST_BYTES_MAX: usize = 1 << 20;
