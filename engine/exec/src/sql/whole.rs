//! Whole objects: attributes with columns back among those without, as if nothing had one.
//!
//! ```text
//!  attributes     span.a    span.b          log_attributes(attributes, "log.a", …)
//!  {"c":1}        x         null       ▶    {"a":"x","c":1}       members sorted by key
//! ```
//!
//! Members are sorted, so that rows of old and new segments say the same in the same words.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringBuilder};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use schemas::model::Scope;
use schemas::tables::object::{Scalar, members, write_member, write_text};
use schemas::tables::{Promoted, PromotedType, Table, TableLayout, overflow_columns};

/// The functions that make whole objects of a table, each with the call of it for columns of the
/// relation `alias`, and the overflow column that it takes first.
pub(super) fn functions(
    layout: &TableLayout,
    alias: &str,
) -> Vec<(ScalarUDF, String, &'static str)> {
    let scopes = overflow_columns(layout.table()).iter();
    scopes.map(|(scope, column)| function(layout, *scope, column, alias)).collect()
}

fn function(
    layout: &TableLayout,
    scope: Scope,
    column: &'static str,
    alias: &str,
) -> (ScalarUDF, String, &'static str) {
    let of_scope: Vec<Promoted> =
        layout.promoted().iter().filter(|it| it.scope == scope).cloned().collect();
    let table = if layout.table() == Table::Logs { "log" } else { "span" };
    let name = format!("{table}_{column}");
    let mut types = vec![DataType::Utf8];
    let mut call = format!("{name}({alias}.{column}");
    for promoted in &of_scope {
        types.push(match promoted.value_type {
            PromotedType::Text | PromotedType::UniqueText => DataType::Utf8,
            other => other.data_type(),
        });
        call.push_str(&format!(", {alias}.\"{}\"", promoted.column));
    }
    call.push(')');
    let make = move |args: &[ColumnarValue]| whole(args, &of_scope);
    let function = create_udf(&name, types, DataType::Utf8, Volatility::Immutable, Arc::new(make));
    (function, call, column)
}

fn whole(args: &[ColumnarValue], promoted: &[Promoted]) -> Result<ColumnarValue> {
    let columns = ColumnarValue::values_to_arrays(args)?;
    let rows = columns.first().map_or(0, |column| column.len());
    let overflow = columns.first().and_then(|column| column.as_string_opt::<i32>());
    let mut out = StringBuilder::new();
    for row in 0..rows {
        let object = overflow.filter(|it| it.is_valid(row)).map_or("", |it| it.value(row));
        // A member that has its column, too, comes behind it.
        let mut told: BTreeMap<String, String> = BTreeMap::new();
        for (promoted, column) in promoted.iter().zip(columns.iter().skip(1)) {
            if let Some(value) = value(column, row) {
                let mut member = String::new();
                write_member(&mut member, &promoted.key, &value);
                told.insert(promoted.key.to_string(), member.split_off(1));
            }
        }
        for member in members(object) {
            let key = member.key.into_owned();
            told.entry(key).or_insert_with_key(|key| {
                let mut text = String::new();
                write_text(&mut text, key);
                format!("{text}:{}", member.value)
            });
        }
        if told.is_empty() {
            out.append_null();
        } else {
            let told: Vec<String> = told.into_values().collect();
            out.append_value(format!("{{{}}}", told.join(",")));
        }
    }
    Ok(ColumnarValue::Array(Arc::new(out.finish())))
}

fn value(column: &ArrayRef, row: usize) -> Option<Scalar<'_>> {
    if column.is_null(row) {
        return None;
    }
    Some(match column.data_type() {
        DataType::Int64 => Scalar::Int(column.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => Scalar::Double(column.as_primitive::<Float64Type>().value(row)),
        DataType::Boolean => Scalar::Bool(column.as_boolean().value(row)),
        _ => Scalar::Text(column.as_string_opt::<i32>()?.value(row).into()),
    })
}
