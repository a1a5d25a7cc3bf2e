//! The schema of a table in Delta's JSON.
//!
//! | stored (Parquet) | Delta | what a reader gets |
//! |---|---|---|
//! | `INT64` | `long` | 64-bit integer |
//! | `INT32` | `integer` | 32-bit integer |
//! | `DOUBLE` | `double` | 64-bit float, NaN payloads included |
//! | `BOOLEAN` | `boolean` | truth |
//! | `BYTE_ARRAY` (UTF8), with or without dictionary | `string` | text |
//! | `FIXED_LEN_BYTE_ARRAY(16)`, `(8)` | `binary` | trace and span ids as raw bytes |
//! | `LIST` | `array` | list |
//! | group | `struct` | struct |
//! | `MAP` | `map` | map of texts |
//! | folder name | `string`, `date` | the partition columns `tenant` and `date` |
//!
//! Times are `long`: `…time_ms` counts milliseconds, `…_nano` nanoseconds since
//! 1970-01-01T00:00:00Z, because version 1 of the protocol has no timestamp finer than
//! microseconds. The partition column `date` is the UTC day of a row's time.
//!
//! A column `span.k`, `resource.k` or `log.k` holds the attribute `k` of segments that were written
//! since it was added. Where it is null, a member `k` of `attributes` (of `resource_attributes`)
//! may hold it: older segments have it there, and so have values of another type. So
//! `coalesce("span.k", get_json_object(attributes, '$["k"]'))` is the attribute of every row.

use arrow::datatypes::{DataType, Fields};
use schemas::tables::{Promoted, PromotedType, TableLayout, attribute_of, columns};
use serde_json::{Value, json};

use crate::{Error, ErrorKind};

/// Metadata of a field: whether most of its texts are distinct, so that they have no dictionary.
const DISTINCT: &str = "siglake.distinct";

/// The value of `schemaString`: the stored columns, then the partition columns.
pub(super) fn schema_string(layout: &TableLayout) -> Result<String, Error> {
    Ok(json!({"type": "struct", "fields": table_fields(layout)?}).to_string())
}

/// The schema that a table must get so that rows of `layout` can be added: what it has, in its
/// order, and behind it what is new. `None` if it has everything already. Another process may
/// know more columns than this one, so none that the table has is dropped.
pub(super) fn grown(layout: &TableLayout, current: &str) -> Result<Option<String>, Error> {
    let parsed: Value = serde_json::from_str(current).unwrap_or_default();
    let known = parsed.get("fields").and_then(Value::as_array).cloned().unwrap_or_default();
    let ours = table_fields(layout)?;
    if ours.iter().all(|field| known.contains(field)) {
        return Ok(None);
    }
    let mut fields = known;
    for field in ours {
        match fields.iter_mut().find(|known| known.get("name") == field.get("name")) {
            Some(known) => *known = field,
            None => fields.push(field),
        }
    }
    Ok(Some(json!({"type": "struct", "fields": fields}).to_string()))
}

/// The promoted columns of a `schemaString`, in its order. Columns that are none of ours are left
/// out, so a table to which another engine has added a column stays readable.
pub(super) fn promoted(schema_string: &str) -> Vec<Promoted> {
    let schema: Value = serde_json::from_str(schema_string).unwrap_or_default();
    let fields = schema["fields"].as_array().into_iter().flatten();
    let promoted = fields.filter_map(|field| {
        let (scope, key) = attribute_of(field["name"].as_str()?)?;
        let value_type = match field["type"].as_str()? {
            "string" if field["metadata"][DISTINCT] == true => PromotedType::UniqueText,
            "string" => PromotedType::Text,
            "long" => PromotedType::Int,
            "double" => PromotedType::Double,
            "boolean" => PromotedType::Bool,
            _ => return None,
        };
        Promoted::new(scope, key, value_type)
    });
    promoted.collect()
}

fn table_fields(layout: &TableLayout) -> Result<Vec<Value>, Error> {
    let mut fields = struct_fields(layout.schema().fields())?;
    for promoted in layout.promoted() {
        if promoted.value_type == PromotedType::UniqueText
            && let Some(field) = fields.iter_mut().find(|of| of["name"] == *promoted.column)
        {
            field["metadata"] = json!({DISTINCT: true});
        }
    }
    for (name, data_type) in [(columns::TENANT, "string"), (columns::DATE, "date")] {
        fields.push(field(name, json!(data_type), false));
    }
    Ok(fields)
}

fn struct_fields(fields: &Fields) -> Result<Vec<Value>, Error> {
    fields
        .iter()
        .map(|of| Ok(field(of.name(), delta_type(of.data_type())?, of.is_nullable())))
        .collect()
}

fn field(name: &str, data_type: Value, nullable: bool) -> Value {
    json!({"name": name, "type": data_type, "nullable": nullable, "metadata": {}})
}

fn delta_type(data_type: &DataType) -> Result<Value, Error> {
    Ok(match data_type {
        DataType::Int64 => json!("long"),
        DataType::Int32 => json!("integer"),
        DataType::Float64 => json!("double"),
        DataType::Boolean => json!("boolean"),
        DataType::Utf8 => json!("string"),
        DataType::FixedSizeBinary(_) => json!("binary"),
        DataType::Dictionary(_, values) => delta_type(values)?,
        DataType::List(item) => json!({
            "type": "array",
            "elementType": delta_type(item.data_type())?,
            "containsNull": item.is_nullable(),
        }),
        DataType::Struct(fields) => json!({"type": "struct", "fields": struct_fields(fields)?}),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => json!({
                "type": "map",
                "keyType": delta_type(fields[0].data_type())?,
                "valueType": delta_type(fields[1].data_type())?,
                "valueContainsNull": fields[1].is_nullable(),
            }),
            other => return Err(no_type(other)),
        },
        other => return Err(no_type(other)),
    })
}

fn no_type(data_type: &DataType) -> Error {
    Error::new(ErrorKind::Internal, format!("Delta has no type for {data_type}"))
}
