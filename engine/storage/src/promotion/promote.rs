//! Promoting: values move out of the overflow objects into the columns that a layout has.
//!
//! ```text
//!  attributes                            span.a  span.b        attributes   span.a  span.b
//!  {"a":"x","c":1}                       -       -             {"c":1}      x       -
//!  {"a":7,"b":true}    a text, b bool    -       -        ▶    {"a":7}      -       true
//!  null                                  y       -             null         y       -
//! ```
//!
//! A value of another type stays, and so does one behind which the column or an earlier member
//! says something else already: whoever asks the column and then the first member of the object
//! is told the same before and after.

use std::sync::Arc;

use ahash::AHashMap;
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, Float64Array, Int32Array, Int64Array,
    RecordBatch, StringArray, StringBuilder, new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type, Schema};
use arrow::error::ArrowError;
use schemas::model::Scope;
use schemas::tables::object::{Member, Scalar, members, scalar};
use schemas::tables::{PromotedType, TableLayout, overflow_columns};

use super::occupied::{Occupied, bit};
use crate::Segment;

/// Keys of overflow objects of which is remembered which labels they give.
const KNOWN_KEYS_MAX: usize = 4_096;

/// Lays rows out, batch by batch, and notes where their promoted attributes are.
#[derive(Debug)]
pub(crate) struct Promoter {
    layout: Arc<TableLayout>,
    places: Vec<Place>,
    occupied: Occupied,
}

/// The overflow objects of one scope.
#[derive(Debug)]
struct Place {
    column: &'static str,
    /// Positions in the layout of the keys that have a column.
    keys: AHashMap<Arc<str>, usize>,
    /// The same by the label that the key gives in LogQL, loosely; empty for other tables.
    labels: Vec<(String, usize)>,
    /// Which columns the label of a key may be mistaken for, of keys that were seen.
    known: AHashMap<Box<str>, u128>,
}

/// A value that moves, and the position in the layout of its column.
type Move<'a> = (usize, Scalar<'a>);

impl Promoter {
    /// For rows that will have this layout.
    pub(crate) fn new(layout: &Arc<TableLayout>) -> Self {
        let places = overflow_columns(layout.table()).iter();
        Self {
            layout: Arc::clone(layout),
            places: places.map(|(scope, column)| Place::new(layout, *scope, column)).collect(),
            occupied: Occupied::of(layout),
        }
    }

    /// For rows of segments of which this is known. If all of them have the layout already, no
    /// object is read.
    pub(crate) fn merging(layout: &Arc<TableLayout>, inputs: &[Arc<Segment>]) -> Self {
        let start = Occupied::of(layout);
        let union = inputs.iter().fold(start, |union, of| union.union(&of.occupied.under(layout)));
        if union.columns() < start.columns() {
            return Self::new(layout);
        }
        Self { layout: Arc::clone(layout), places: Vec::new(), occupied: union }
    }

    /// The rows with all columns of the layout, and everything in columns that can be. Columns
    /// that are no attributes stay as they are; texts may be views.
    pub(crate) fn promote(&mut self, rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let mut fields = Vec::with_capacity(self.layout.schema().fields().len());
        let mut columns = Vec::with_capacity(fields.capacity());
        for field in self.layout.schema().fields() {
            let column = match rows.column_by_name(field.name()) {
                Some(column) => Arc::clone(column),
                None => new_null_array(field.data_type(), rows.num_rows()),
            };
            let is_overflow = self.places.iter().any(|place| place.column == field.name());
            // Objects that repeat are read once in a dictionary.
            columns.push(if is_overflow { cast(&column, field.data_type())? } else { column });
        }
        if rows.num_rows() > 0 && !self.places.is_empty() {
            self.move_values(&mut columns)?;
        }
        for (field, column) in self.layout.schema().fields().iter().zip(&columns) {
            let field = field.as_ref().clone().with_data_type(column.data_type().clone());
            fields.push(Arc::new(field));
        }
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
    }

    /// The same of all columns of the layout.
    fn move_values(&mut self, columns: &mut [ArrayRef]) -> Result<(), ArrowError> {
        let fixed = columns.len() - self.layout.promoted().len();
        for place in &mut self.places {
            let at = self.layout.schema().index_of(place.column)?;
            let overflow = Arc::clone(&columns[at]);
            let mut moved = vec![Vec::new(); self.layout.promoted().len()];
            let is_free = |position: usize, row: usize| columns[fixed + position].is_null(row);
            let left = match overflow.as_dictionary_opt::<Int32Type>() {
                Some(entries) => place.entries(
                    entries,
                    &self.layout,
                    &is_free,
                    &mut moved,
                    &mut self.occupied,
                )?,
                None => {
                    let texts = overflow.as_string::<i32>();
                    place.texts(texts, &self.layout, &is_free, &mut moved, &mut self.occupied)
                }
            };
            columns[at] = left.unwrap_or_else(|| Arc::clone(&overflow));
            for (position, moved) in moved.into_iter().enumerate() {
                if !moved.is_empty() {
                    let value_type = self.layout.promoted()[position].value_type;
                    let column = &mut columns[fixed + position];
                    *column = with_values(column, value_type, &moved)?;
                }
            }
        }
        for position in 0..self.layout.promoted().len() {
            let column = &columns[fixed + position];
            if column.null_count() < column.len() {
                self.occupied.fill(position);
            }
        }
        Ok(())
    }

    /// Where the promoted attributes of all rows are that were promoted.
    pub(crate) fn occupied(&self) -> Occupied {
        self.occupied
    }
}

impl Place {
    fn new(layout: &TableLayout, scope: Scope, column: &'static str) -> Self {
        let of_scope = || layout.promoted().iter().enumerate().filter(|(_, it)| it.scope == scope);
        let labels = match scope {
            Scope::Log => of_scope().map(|(at, it)| (loose(&it.key), at)).collect(),
            _ => Vec::new(),
        };
        let keys = of_scope().map(|(at, it)| (Arc::clone(&it.key), at)).collect();
        Self { column, keys, labels, known: AHashMap::new() }
    }

    /// Moves values out of plain texts; what is left, or `None` if nothing moved.
    fn texts<'a>(
        &mut self,
        texts: &'a StringArray,
        layout: &TableLayout,
        is_free: &impl Fn(usize, usize) -> bool,
        moved: &mut [Vec<(usize, Scalar<'a>)>],
        occupied: &mut Occupied,
    ) -> Option<ArrayRef> {
        let mut rest = String::new();
        let mut moves = Vec::new();
        // Made when the first value moves: mostly none does.
        let mut left: Option<StringBuilder> = None;
        for row in 0..texts.len() {
            let object = if texts.is_null(row) { None } else { Some(texts.value(row)) };
            moves.clear();
            if let Some(object) = object {
                let is_free = |position| is_free(position, row);
                self.split(object, layout, &is_free, &mut moves, &mut rest, occupied);
            }
            if left.is_none() && !moves.is_empty() {
                let mut builder = StringBuilder::with_capacity(texts.len(), texts.values().len());
                (0..row).for_each(|row| {
                    builder.append_option(texts.is_valid(row).then(|| texts.value(row)));
                });
                left = Some(builder);
            }
            let Some(left) = &mut left else { continue };
            if moves.is_empty() {
                left.append_option(object);
            } else {
                left.append_option(Some(rest.as_str()).filter(|rest| !rest.is_empty()));
                moves.drain(..).for_each(|(at, value)| moved[at].push((row, value)));
            }
        }
        left.map(|mut left| Arc::new(left.finish()) as ArrayRef)
    }

    /// The same of a dictionary: each entry that occurs is read once. A row whose column says
    /// something already keeps its whole entry.
    fn entries<'a>(
        &mut self,
        column: &'a DictionaryArray<Int32Type>,
        layout: &TableLayout,
        is_free: &impl Fn(usize, usize) -> bool,
        moved: &mut [Vec<(usize, Scalar<'a>)>],
        occupied: &mut Occupied,
    ) -> Result<Option<ArrayRef>, ArrowError> {
        let texts = column.values().as_string::<i32>();
        // Of each entry its moves and the key of what is left of it.
        let mut known: Vec<Option<(Vec<Move<'a>>, Option<i32>)>> = vec![None; texts.len()];
        let mut values: Vec<String> = Vec::new();
        let mut keys: Vec<Option<i32>> = Vec::with_capacity(column.len());
        let mut any = false;
        for row in 0..column.len() {
            let Some(entry) = column.key(row).filter(|entry| texts.is_valid(*entry)) else {
                keys.push(None);
                continue;
            };
            if known[entry].is_none() {
                let (mut moves, mut rest) = (Vec::new(), String::new());
                let text = texts.value(entry);
                self.split(text, layout, &|_| true, &mut moves, &mut rest, occupied);
                let rest = if moves.is_empty() { text.to_owned() } else { rest };
                known[entry] = Some((moves, next_key(&mut values, rest)));
            }
            let Some((moves, rest)) = &known[entry] else { continue };
            if moves.iter().all(|(at, _)| is_free(*at, row)) {
                any |= !moves.is_empty();
                moves.iter().for_each(|(at, value)| moved[*at].push((row, value.clone())));
                keys.push(*rest);
            } else {
                moves.iter().for_each(|(at, _)| occupied.mix(bit(*at)));
                keys.push(next_key(&mut values, texts.value(entry).to_owned()));
            }
        }
        if !any {
            return Ok(None);
        }
        let values: ArrayRef = Arc::new(StringArray::from(values));
        let left = DictionaryArray::<Int32Type>::try_new(Int32Array::from(keys), values)?;
        Ok(Some(Arc::new(left)))
    }

    /// Reads one object: which values move, and the text that is left in `rest` if any does.
    fn split<'a>(
        &mut self,
        object: &'a str,
        layout: &TableLayout,
        is_free: &impl Fn(usize) -> bool,
        moves: &mut Vec<Move<'a>>,
        rest: &mut String,
        occupied: &mut Occupied,
    ) {
        rest.clear();
        let mut seen = 0_u128;
        let mut found = members(object);
        for member in found.by_ref() {
            if let Some(at) = self.keys.get(member.key.as_ref()).copied() {
                let is_first = seen & bit(at) == 0;
                seen |= bit(at);
                if is_first
                    && is_free(at)
                    && let Some(value) = fitting(member.value, layout.promoted()[at].value_type)
                {
                    moves.push((at, value));
                    continue;
                }
                occupied.mix(bit(at));
            }
            if !self.labels.is_empty() {
                occupied.mix(self.alike(&member));
            }
            rest.push(if rest.is_empty() { '{' } else { ',' });
            rest.push_str(member.quoted);
            rest.push(':');
            rest.push_str(member.value);
        }
        if !found.is_whole() && !moves.is_empty() {
            // Something follows that nobody can read; it is not ours to throw away.
            moves.drain(..).for_each(|(at, _)| occupied.mix(bit(at)));
        }
        if !rest.is_empty() {
            rest.push('}');
        }
    }

    /// The columns whose labels a member that stays may give, too.
    fn alike(&mut self, member: &Member<'_>) -> u128 {
        if member.value.starts_with('{') {
            // The members of a map give labels that begin with its key.
            return self.labelled(&loose(&member.key), |label, prefix| label.starts_with(prefix));
        }
        if let Some(known) = self.known.get(member.key.as_ref()) {
            return *known;
        }
        let bits = self.labelled(&loose(&member.key), |label, own| label == own);
        if self.known.len() < KNOWN_KEYS_MAX {
            self.known.insert(member.key.as_ref().into(), bits);
        }
        bits
    }

    fn labelled(&self, own: &str, is_alike: impl Fn(&str, &str) -> bool) -> u128 {
        let alike = self.labels.iter().filter(|(label, _)| is_alike(label, own));
        alike.fold(0, |bits, (_, at)| bits | bit(*at))
    }
}

fn next_key(values: &mut Vec<String>, text: String) -> Option<i32> {
    if text.is_empty() {
        return None;
    }
    // There are at most as many as rows of a batch.
    let key = i32::try_from(values.len()).ok();
    values.push(text);
    key
}

/// The value if its column takes it.
fn fitting(value: &str, value_type: PromotedType) -> Option<Scalar<'_>> {
    let value = scalar(value)?;
    let fits = match value_type {
        PromotedType::Text | PromotedType::UniqueText => matches!(value, Scalar::Text(_)),
        PromotedType::Int => matches!(value, Scalar::Int(_)),
        PromotedType::Double => matches!(value, Scalar::Double(_)),
        PromotedType::Bool => matches!(value, Scalar::Bool(_)),
    };
    fits.then_some(value)
}

/// A form in which all keys are the same that give the same label, and some others.
fn loose(key: &str) -> String {
    let mut form = String::with_capacity(key.len());
    for c in key.chars() {
        if c.is_ascii_alphanumeric() {
            form.push(c);
        } else if !form.ends_with('_') {
            form.push('_');
        }
    }
    form.strip_prefix("key_").map(str::to_owned).unwrap_or(form)
}

/// The column with values in rows where it was null; rows ascend.
fn with_values(
    column: &ArrayRef,
    value_type: PromotedType,
    moved: &[(usize, Scalar<'_>)],
) -> Result<ArrayRef, ArrowError> {
    let plain = match value_type {
        PromotedType::Text | PromotedType::UniqueText => DataType::Utf8,
        other => other.data_type(),
    };
    let old = cast(column, &plain)?;
    Ok(match value_type {
        PromotedType::Int => {
            let new = |value: &Scalar<'_>| match value {
                Scalar::Int(value) => Some(*value),
                _ => None,
            };
            let merged = merged(moved, new, old.as_primitive::<Int64Type>().iter());
            Arc::new(merged.collect::<Int64Array>())
        }
        PromotedType::Double => {
            let new = |value: &Scalar<'_>| match value {
                Scalar::Double(value) => Some(*value),
                _ => None,
            };
            let merged = merged(moved, new, old.as_primitive::<Float64Type>().iter());
            Arc::new(merged.collect::<Float64Array>())
        }
        PromotedType::Bool => {
            let new = |value: &Scalar<'_>| match value {
                Scalar::Bool(value) => Some(*value),
                _ => None,
            };
            let merged = merged(moved, new, old.as_boolean().iter());
            Arc::new(merged.collect::<BooleanArray>())
        }
        PromotedType::UniqueText => {
            let merged = merged(moved, text, old.as_string::<i32>().iter());
            Arc::new(merged.collect::<StringArray>())
        }
        PromotedType::Text => {
            let merged = merged(moved, text, old.as_string::<i32>().iter());
            Arc::new(merged.collect::<DictionaryArray<Int32Type>>())
        }
    })
}

fn text<'a>(value: &'a Scalar<'_>) -> Option<&'a str> {
    match value {
        Scalar::Text(text) => Some(text),
        _ => None,
    }
}

/// The values of all rows: those that moved, and else the old ones.
fn merged<'m, T>(
    moved: &'m [(usize, Scalar<'m>)],
    new: impl Fn(&'m Scalar<'m>) -> Option<T>,
    old: impl Iterator<Item = Option<T>>,
) -> impl Iterator<Item = Option<T>> {
    let mut moved = moved.iter().peekable();
    old.enumerate().map(move |(row, old)| match moved.next_if(|(of, _)| *of == row) {
        Some((_, value)) => new(value),
        None => old,
    })
}

#[cfg(test)]
mod tests;
