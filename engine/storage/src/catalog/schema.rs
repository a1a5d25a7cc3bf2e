//! The schema of a table in Delta's JSON.

use arrow::datatypes::{DataType, Fields};
use schemas::tables::{Table, columns};
use serde_json::{Value, json};

use crate::{Error, ErrorKind};

/// The value of `schemaString`: the stored columns, then the partition columns.
pub(super) fn schema_string(table: Table) -> Result<String, Error> {
    let mut fields = struct_fields(table.schema().fields())?;
    for (name, data_type) in [(columns::TENANT, "string"), (columns::DATE, "date")] {
        fields.push(field(name, json!(data_type), false));
    }
    Ok(json!({"type": "struct", "fields": fields}).to_string())
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
