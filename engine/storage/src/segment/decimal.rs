//! Decimals: samples that are exactly a decimal number, as integers.
//!
//! ```text
//!  value          ▶  value_mantissa  value_exponent  value
//!  1027.25            102725          2               null      one exponent for the whole series
//!  1031.5             103150          2               null
//!  NaN                null            null            NaN       what is no decimal stays
//! ```
//!
//! Both ways are bit-exact: dividing an integer below 2^53 by a power of ten up to 10^22 rounds
//! once, as reading the decimal would, and a number is replaced only if the division gives its
//! very bits. So -0, NaN with their payloads and infinities stay floats.

use std::sync::Arc;

use arrow::array::{
    Array, AsArray, Float64Array, Float64Builder, Int32Builder, Int64Builder, RecordBatch,
    new_null_array,
};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};
use arrow::error::ArrowError;
use schemas::tables::columns;

/// Largest exponent that is tried.
const EXPONENT_MAX: i32 = 12;

/// The powers of ten by exponent; all are exact.
const POWERS: [f64; EXPONENT_MAX as usize + 1] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12];

/// Largest mantissa: integers up to here are exact as floats.
const MANTISSA_MAX: f64 = 9_007_199_254_740_992.0;

/// Adding and subtracting it rounds a number below [`ROUNDED_MAX`] to an integer.
const ROUNDER: f64 = 6_755_399_441_055_744.0;

/// Largest magnitude that [`ROUNDER`] rounds.
const ROUNDED_MAX: f64 = 2_251_799_813_685_248.0;

/// Rewrites sorted rows of `metric_samples`; rows without a value are left as they are.
pub(crate) fn split(rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = rows.schema();
    let series = rows.column(schema.index_of(columns::SERIES_ID)?).as_primitive::<Int64Type>();
    let value_at = schema.index_of(columns::VALUE)?;
    let numbers = rows.column(value_at).as_primitive::<Float64Type>();
    let mantissa_at = schema.index_of(columns::VALUE_MANTISSA)?;
    if numbers.null_count() > 0 {
        return Ok(rows.clone());
    }
    let mut values = Float64Builder::with_capacity(rows.num_rows());
    let mut mantissas = Int64Builder::with_capacity(rows.num_rows());
    let mut exponents = Int32Builder::with_capacity(rows.num_rows());
    let mut exact = Vec::new();
    let mut start = 0;
    for run in series.values().chunk_by(|a, b| a == b) {
        let run = &numbers.values()[start..start + run.len()];
        start += run.len();
        let exponent = common_exponent(run);
        exact.clear();
        exact.extend(run.iter().map_while(|number| mantissa(*number, exponent?)));
        if exact.len() == run.len() {
            values.append_nulls(run.len());
            mantissas.append_slice(&exact);
            exponents.append_value_n(exponent.unwrap_or(0), run.len());
            continue;
        }
        for number in run {
            match exponent.and_then(|exponent| mantissa(*number, exponent)) {
                Some(mantissa) => {
                    values.append_null();
                    mantissas.append_value(mantissa);
                    exponents.append_option(exponent);
                }
                None => {
                    values.append_value(*number);
                    mantissas.append_null();
                    exponents.append_null();
                }
            }
        }
    }
    let mut columns = rows.columns().to_vec();
    columns[value_at] = Arc::new(values.finish());
    columns[mantissa_at] = Arc::new(mantissas.finish());
    columns[schema.index_of(columns::VALUE_EXPONENT)?] = Arc::new(exponents.finish());
    RecordBatch::try_new(schema, columns)
}

/// The way back: every row has its value, as it had in the memtable.
pub(crate) fn join(rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = rows.schema();
    let value_at = schema.index_of(columns::VALUE)?;
    let mantissa_at = schema.index_of(columns::VALUE_MANTISSA)?;
    let exponent_at = schema.index_of(columns::VALUE_EXPONENT)?;
    let values = rows.column(value_at).as_primitive::<Float64Type>();
    let mantissas = rows.column(mantissa_at).as_primitive::<Int64Type>();
    let exponents = rows.column(exponent_at).as_primitive::<Int32Type>();
    if values.null_count() == 0 {
        return Ok(rows.clone());
    }
    let power = |row: usize| {
        let at = usize::try_from(exponents.value(row)).ok();
        at.and_then(|at| POWERS.get(at)).copied().unwrap_or(f64::NAN)
    };
    let has_value = values.null_count() < values.len();
    let mut numbers = Vec::with_capacity(rows.num_rows());
    for (row, mantissa) in mantissas.values().iter().enumerate() {
        numbers.push(if has_value && values.is_valid(row) {
            values.value(row)
        } else {
            *mantissa as f64 / power(row)
        });
    }
    let mut columns = rows.columns().to_vec();
    columns[value_at] = Arc::new(Float64Array::from(numbers));
    for at in [mantissa_at, exponent_at] {
        columns[at] = new_null_array(columns[at].data_type(), rows.num_rows());
    }
    RecordBatch::try_new(schema, columns)
}

/// The least exponent that makes every finite number of a series an integer.
fn common_exponent(numbers: &[f64]) -> Option<i32> {
    let mut exponent = 0;
    for number in numbers.iter().filter(|number| number.is_finite()) {
        while mantissa(*number, exponent).is_none() {
            // A negative zero has no integer at any exponent, but is no reason to give up.
            if *number == 0.0 {
                break;
            }
            exponent += 1;
            if exponent > EXPONENT_MAX {
                return None;
            }
        }
    }
    // A greater exponent may push a mantissa over its limit: then that row stays a float.
    Some(exponent)
}

/// The integer that divided by `10^exponent` is exactly `number`.
fn mantissa(number: f64, exponent: i32) -> Option<i64> {
    let power = POWERS[exponent as usize];
    let scaled = number * power;
    let rounded =
        if scaled.abs() < ROUNDED_MAX { (scaled + ROUNDER) - ROUNDER } else { scaled.round() };
    let exact = rounded.abs() <= MANTISSA_MAX
        && ((rounded as i64) as f64 / power).to_bits() == number.to_bits();
    exact.then_some(rounded as i64)
}

#[cfg(test)]
mod tests;
