//! Rows of `metric_series` and `log_streams`, read in place.

use std::borrow::Cow;

use arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, Int64Array, MapArray, RecordBatch, StringArray,
};
use arrow::datatypes::{Int32Type, Int64Type};
use schemas::tables::{Table, TableLayout, columns, day_of_ms, day_of_ns};

use crate::{Error, ErrorKind};

/// The columns that the index reads.
#[derive(Debug)]
pub(super) struct Rows<'a> {
    id: &'a Int64Array,
    time: &'a Int64Array,
    labels: Maps<'a>,
    pub(super) kind: Kind<'a>,
}

/// What series have and streams have not, and the other way round.
#[derive(Debug)]
pub(super) enum Kind<'a> {
    Series { metric_id: &'a Int64Array, info: [Texts<'a>; 4] },
    Streams(Box<StreamColumns<'a>>),
}

/// What a stream's records share.
#[derive(Debug)]
pub(super) struct StreamColumns<'a> {
    pub(super) service: Texts<'a>,
    pub(super) resource_attributes: Texts<'a>,
    pub(super) scope_name: Texts<'a>,
    pub(super) scope_version: Texts<'a>,
    pub(super) scope_attributes: Texts<'a>,
    pub(super) promoted: Vec<(&'static str, Texts<'a>)>,
}

impl<'a> Rows<'a> {
    /// The rows of a batch of either table.
    pub(super) fn of(batch: &'a RecordBatch) -> Result<Self, Error> {
        let labels = Maps::of(column(batch, columns::LABELS)?)?;
        if batch.column_by_name(columns::SERIES_ID).is_some() {
            let kind = Kind::Series {
                metric_id: integers(batch, columns::METRIC_ID)?,
                info: [
                    texts(batch, columns::TYPE)?,
                    texts(batch, columns::UNIT)?,
                    texts(batch, columns::HELP)?,
                    texts(batch, columns::TEMPORALITY)?,
                ],
            };
            let id = integers(batch, columns::SERIES_ID)?;
            return Ok(Self { id, time: integers(batch, columns::TIME_MS)?, labels, kind });
        }
        let promoted = TableLayout::starting(Table::LogStreams)
            .promoted()
            .iter()
            // Segments of an earlier schema have fewer columns.
            .filter(|promoted| batch.column_by_name(&promoted.column).is_some())
            .map(|promoted| Ok((promoted.key.as_ref(), texts(batch, &promoted.column)?)))
            .collect::<Result<_, Error>>()?;
        let streams = StreamColumns {
            service: texts(batch, columns::SERVICE)?,
            resource_attributes: texts(batch, columns::RESOURCE_ATTRIBUTES)?,
            scope_name: texts(batch, columns::SCOPE_NAME)?,
            scope_version: texts(batch, columns::SCOPE_VERSION)?,
            scope_attributes: texts(batch, columns::SCOPE_ATTRIBUTES)?,
            promoted,
        };
        let kind = Kind::Streams(Box::new(streams));
        let id = integers(batch, columns::STREAM_ID)?;
        Ok(Self { id, time: integers(batch, columns::TIME_NS)?, labels, kind })
    }

    pub(super) fn id(&self, row: usize) -> i64 {
        self.id.value(row)
    }

    pub(super) fn day(&self, row: usize) -> i32 {
        match self.kind {
            Kind::Series { .. } => day_of_ms(self.time.value(row)),
            Kind::Streams(_) => day_of_ns(self.time.value(row)),
        }
    }

    /// The labels of a row: sorted by name, names unique, no empty values.
    pub(super) fn labels(&self, row: usize) -> Vec<(&'a str, &'a str)> {
        let mut pairs = self.labels.pairs(row);
        pairs.retain(|(_, value)| !value.is_empty());
        if !pairs.is_sorted_by(|a, b| a.0 < b.0) {
            // Of several with one name the last wins, as in `Labels::new`.
            pairs.reverse();
            pairs.sort_by_key(|(name, _)| *name);
            pairs.dedup_by_key(|(name, _)| *name);
        }
        pairs
    }
}

/// A column of `Map<Utf8, Utf8>`.
#[derive(Debug)]
struct Maps<'a> {
    map: &'a MapArray,
    keys: &'a StringArray,
    values: &'a StringArray,
}

impl<'a> Maps<'a> {
    fn of(column: &'a ArrayRef) -> Result<Self, Error> {
        let wrong = || internal(columns::LABELS, "is not a map of texts");
        let map = column.as_map_opt().ok_or_else(wrong)?;
        let keys = map.keys().as_string_opt().ok_or_else(wrong)?;
        let values = map.values().as_string_opt().ok_or_else(wrong)?;
        Ok(Self { map, keys, values })
    }

    fn pairs(&self, row: usize) -> Vec<(&'a str, &'a str)> {
        let offsets = self.map.value_offsets();
        let (start, end) = (offsets[row] as usize, offsets[row + 1] as usize);
        let value = |at| if self.values.is_null(at) { "" } else { self.values.value(at) };
        (start..end).map(|at| (self.keys.value(at), value(at))).collect()
    }
}

/// A column of texts, with or without a dictionary.
#[derive(Debug)]
pub(super) struct Texts<'a> {
    keys: Option<&'a DictionaryArray<Int32Type>>,
    values: &'a StringArray,
}

impl<'a> Texts<'a> {
    /// The text of a row; `None` for null.
    pub(super) fn get(&self, row: usize) -> Option<&'a str> {
        let at = match self.keys {
            Some(keys) => keys.key(row)?,
            None => row,
        };
        (!self.values.is_null(at)).then(|| self.values.value(at))
    }
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, Error> {
    batch.column_by_name(name).ok_or_else(|| internal(name, "is missing"))
}

fn integers<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a Int64Array, Error> {
    let integers = column(batch, name)?.as_primitive_opt::<Int64Type>();
    integers.ok_or_else(|| internal(name, "is not of integers"))
}

fn texts<'a>(batch: &'a RecordBatch, name: &str) -> Result<Texts<'a>, Error> {
    let column = column(batch, name)?;
    let keys = column.as_dictionary_opt::<Int32Type>();
    let values = keys.map_or(column, |keys| keys.values());
    let values = values.as_string_opt().ok_or_else(|| internal(name, "is not of texts"))?;
    Ok(Texts { keys, values })
}

fn internal<'a>(column: impl Into<Cow<'a, str>>, what: &str) -> Error {
    Error::new(ErrorKind::Internal, format!("column {} {what}", column.into()))
}
