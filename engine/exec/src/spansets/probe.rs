//! One test asked of a whole column: the fast way to a mask.
//!
//! A dictionary is asked once per entry. Overflow objects are searched as one buffer for the
//! quoted key, and only objects that hold it are parsed. The answer is null where the value is
//! absent, so that the next place can be asked.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, StringArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};
use memchr::memmem;
use plan::expr::CompareOp;

use super::frame::{Frame, bytes_at, hex, internal, plain};
use super::json;
use super::place::{Form, Place};
use super::value::{Test, Value};
use crate::Error;

/// For each row whether the value satisfies the test; null where there is none.
///
/// `is_last` says that nobody asks whether a null or a false is meant.
pub(super) fn probe(
    frame: &Frame,
    key: &str,
    place: &Place,
    test: &Test<'_>,
    is_last: bool,
) -> Result<BooleanArray, Error> {
    let wrong = || internal(format!("column {} has an unexpected type", place.column));
    if place.form == Form::SinceStart {
        return Ok(ints(&frame.since_start(place)?, test, Value::Duration));
    }
    let column = plain(frame.column(place.items, &place.column)?)?;
    let codes = |wrap: fn(i32) -> Value<'static>| {
        let codes = column.as_primitive_opt::<Int32Type>().ok_or_else(wrong)?;
        // There are a handful of codes: ask once for each of them.
        let known: Vec<bool> = (0..8).map(|code| test.holds(&wrap(code))).collect();
        Ok(BooleanArray::from_unary(codes, |code| match usize::try_from(code) {
            Ok(at) if at < known.len() => known[at],
            _ => test.holds(&wrap(code)),
        }))
    };
    match place.form {
        Form::Text => texts(&column, |text| Some(test.holds(&Value::text(text)))).ok_or_else(wrong),
        Form::TextOrEmpty => {
            let present = texts(&column, |text| Some(test.holds(&Value::text(text))));
            Ok(filled(&present.ok_or_else(wrong)?, test.holds(&Value::text(""))))
        }
        Form::Int | Form::Duration => {
            let values = column.as_primitive_opt::<Int64Type>().ok_or_else(wrong)?;
            let wrap = if place.form == Form::Int { Value::Int } else { Value::Duration };
            Ok(ints(values, test, wrap))
        }
        Form::Float => {
            let values = column.as_primitive_opt::<Float64Type>().ok_or_else(wrong)?;
            Ok(BooleanArray::from_unary(values, |value| test.holds(&Value::Float(value))))
        }
        Form::Bool => {
            let values = column.as_boolean_opt().ok_or_else(wrong)?;
            let known = [false, true].map(|value| test.holds(&Value::Bool(value)));
            let answers = values.iter().map(|value| value.map(|value| known[usize::from(value)]));
            Ok(answers.collect())
        }
        Form::Status => codes(Value::Status),
        Form::Kind => codes(Value::Kind),
        Form::Id => Ok(ids(&column, test)),
        Form::ParentEdge => {
            let (root, child) = (test.holds(&Value::Int(-1)), test.holds(&Value::Int(0)));
            let answers =
                (0..column.len()).map(|row| if column.is_null(row) { root } else { child });
            Ok(BooleanArray::from(answers.collect::<Vec<bool>>()))
        }
        Form::SinceStart => Err(wrong()),
        Form::Json => match column.as_string_opt::<i32>() {
            Some(objects) => Ok(object_members(objects, key, test, is_last)),
            None => texts(&column, |object| match json::member(object, key) {
                Value::Absent => None,
                value => Some(test.holds(&value)),
            })
            .ok_or_else(wrong),
        },
    }
}

/// Nulls become this answer.
pub(super) fn filled(answers: &BooleanArray, absent: bool) -> BooleanArray {
    let Some(nulls) = answers.nulls() else { return answers.clone() };
    let values =
        if absent { answers.values() | &!nulls.inner() } else { answers.values() & nulls.inner() };
    BooleanArray::new(values, None)
}

/// The answers of `first`, and where it has none those of `second`.
pub(super) fn or_else(first: &BooleanArray, second: &BooleanArray) -> BooleanArray {
    let Some(first_valid) = first.nulls() else { return first.clone() };
    let first_valid = first_valid.inner();
    let first_values = first.values() & first_valid;
    let values = &first_values | &(second.values() & &!first_valid);
    let nulls = second.nulls().map(|nulls| NullBuffer::new(nulls.inner() | first_valid));
    BooleanArray::new(values, nulls)
}

/// Asks about texts, once for each entry of a dictionary; `None` if the column has no texts.
fn texts(column: &ArrayRef, ask: impl Fn(&str) -> Option<bool>) -> Option<BooleanArray> {
    if let Some(texts) = column.as_string_opt::<i32>() {
        return Some((0..texts.len()).map(|row| ask_at(texts, row, &ask)).collect());
    }
    let dictionary = column.as_dictionary_opt::<Int32Type>()?;
    let entries = dictionary.values().as_string_opt::<i32>()?;
    let keys = dictionary.keys();
    // A dictionary can be larger than the rows that are left of its batch.
    if entries.len() > keys.len() {
        let at = |row: usize| ask_at(entries, dictionary.key(row)?, &ask);
        return Some((0..keys.len()).map(at).collect());
    }
    let answers: Vec<Option<bool>> =
        (0..entries.len()).map(|row| ask_at(entries, row, &ask)).collect();
    let at = |row: usize| {
        let key = dictionary.key(row)?;
        answers.get(key).copied().flatten()
    };
    Some((0..keys.len()).map(at).collect())
}

fn ask_at(texts: &StringArray, row: usize, ask: &impl Fn(&str) -> Option<bool>) -> Option<bool> {
    if row >= texts.len() || texts.is_null(row) { None } else { ask(texts.value(row)) }
}

fn ints(values: &Int64Array, test: &Test<'_>, wrap: fn(i64) -> Value<'static>) -> BooleanArray {
    let Test::Compare(op, Value::Int(right) | Value::Duration(right)) = *test else {
        return BooleanArray::from_unary(values, |value| test.holds(&wrap(value)));
    };
    // The operator is chosen outside the loop, so that each loop is one comparison.
    match op {
        CompareOp::Equal => BooleanArray::from_unary(values, |it| it == right),
        CompareOp::NotEqual => BooleanArray::from_unary(values, |it| it != right),
        CompareOp::Less => BooleanArray::from_unary(values, |it| it < right),
        CompareOp::LessEqual => BooleanArray::from_unary(values, |it| it <= right),
        CompareOp::Greater => BooleanArray::from_unary(values, |it| it > right),
        CompareOp::GreaterEqual => BooleanArray::from_unary(values, |it| it >= right),
    }
}

fn ids(column: &ArrayRef, test: &Test<'_>) -> BooleanArray {
    let bytes = |row: usize| bytes_at(column, row).unwrap_or_default();
    let answers: Vec<bool> = match test {
        Test::Compare(op @ (CompareOp::Equal | CompareOp::NotEqual), Value::Text(text)) => {
            // Hex that no id is written as, such as upper case, equals none.
            let wanted = unhex(text);
            let equal = |row| wanted.as_deref().is_some_and(|wanted| wanted == bytes(row));
            (0..column.len()).map(|row| op.holds(&equal(row), &true)).collect()
        }
        _ => {
            (0..column.len()).map(|row| test.holds(&Value::Text(hex(bytes(row)).into()))).collect()
        }
    };
    BooleanArray::from(answers)
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.len() % 2 == 1 {
        return None;
    }
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?))
        .collect()
}

/// Asks about one member of each object.
fn object_members(
    objects: &StringArray,
    key: &str,
    test: &Test<'_>,
    is_last: bool,
) -> BooleanArray {
    let rows = objects.len();
    let mut present = vec![false; rows];
    let mut answers = vec![false; rows];
    let wanted_text = match test {
        Test::Compare(CompareOp::Equal, Value::Text(text)) if is_last && json::is_plain(text) => {
            Some(memmem::Finder::new(text.as_bytes()))
        }
        _ => None,
    };
    let mut ask = |row: usize| {
        if objects.is_null(row) {
            return;
        }
        let object = objects.value(row);
        if wanted_text.as_ref().is_some_and(|text| text.find(object.as_bytes()).is_none()) {
            return;
        }
        let value = json::member(object, key);
        present[row] = value != Value::Absent;
        answers[row] = present[row] && test.holds(&value);
    };
    if json::is_plain(key) {
        rows_with(objects, format!("\"{key}\"").as_bytes(), &mut ask);
    } else {
        (0..rows).for_each(&mut ask);
    }
    let nulls = NullBuffer::new(BooleanBuffer::from(present));
    BooleanArray::new(BooleanBuffer::from(answers), Some(nulls))
}

/// Calls `each` for the rows whose text holds the needle, found in one pass over the buffer.
fn rows_with(texts: &StringArray, needle: &[u8], each: &mut impl FnMut(usize)) {
    let finder = memmem::Finder::new(needle);
    let bytes = texts.value_data();
    let offsets = texts.value_offsets();
    let mut row = 0;
    let mut at = offsets.first().map_or(0, |first| *first as usize);
    let end = offsets.last().map_or(0, |last| *last as usize);
    while let Some(found) = bytes.get(at..end).and_then(|rest| finder.find(rest)) {
        let hit = (at + found) as i32;
        row += offsets[row + 1..].partition_point(|offset| *offset <= hit);
        let row_end = offsets[row + 1];
        // A hit across the border of two texts is none.
        if hit as usize + needle.len() <= row_end as usize {
            each(row);
            at = row_end as usize;
        } else {
            at = hit as usize + 1;
        }
    }
}
