//! Fitting: rows of one layout among the columns of another.

use arrow::array::{RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

/// The rows with exactly the columns of `schema`, in its order: columns that the rows do not have
/// are null, which is refused if they may not be; texts are encoded as the schema says.
pub fn fit(rows: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let column = |field: &arrow::datatypes::FieldRef| match rows.column_by_name(field.name()) {
        Some(column) if column.data_type() == field.data_type() => {
            Ok(std::sync::Arc::clone(column))
        }
        Some(column) => cast(column, field.data_type()),
        None => Ok(new_null_array(field.data_type(), rows.num_rows())),
    };
    let columns = schema.fields().iter().map(column).collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    RecordBatch::try_new_with_options(std::sync::Arc::clone(schema), columns, &options)
}
