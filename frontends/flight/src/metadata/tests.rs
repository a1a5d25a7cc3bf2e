//! Filters of GetTables, and that every other answer can be built.

use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use arrow_flight::sql::{
    CommandGetCatalogs, CommandGetDbSchemas, CommandGetSqlInfo, CommandGetTableTypes,
    CommandGetTables, CommandGetXdbcTypeInfo,
};

use super::{catalogs, schemas, sql_info, table_types, tables, xdbc_types};

fn all() -> Vec<(String, SchemaRef)> {
    let schema = || Arc::new(Schema::new(vec![Field::new("body", DataType::Utf8View, true)]));
    vec![("logs".to_owned(), schema()), ("spans".to_owned(), schema())]
}

fn names(batch: &RecordBatch) -> Vec<String> {
    let column = batch.column_by_name("table_name").unwrap().as_string::<i32>();
    column.iter().map(|name| name.unwrap().to_owned()).collect()
}

#[test]
fn without_filters_all_tables_are_told() {
    let batch = tables(CommandGetTables::default(), &all()).unwrap();
    assert_eq!(names(&batch), ["logs", "spans"]);
}

#[test]
fn filters_are_patterns_and_types() {
    let grafana = CommandGetTables {
        table_types: vec!["BASE TABLE".to_owned(), "table".to_owned()],
        ..CommandGetTables::default()
    };
    assert_eq!(names(&tables(grafana, &all()).unwrap()).len(), 2);
    let by_name = CommandGetTables {
        table_name_filter_pattern: Some("sp%".to_owned()),
        include_schema: true,
        ..CommandGetTables::default()
    };
    let batch = tables(by_name, &all()).unwrap();
    assert_eq!(names(&batch), ["spans"]);
    assert!(!batch.column_by_name("table_schema").unwrap().is_null(0));
    let elsewhere =
        CommandGetTables { catalog: Some("other".to_owned()), ..CommandGetTables::default() };
    assert_eq!(tables(elsewhere, &all()).unwrap().num_rows(), 0);
    let temporary = CommandGetTables {
        table_types: vec!["LOCAL TEMPORARY".to_owned()],
        ..CommandGetTables::default()
    };
    assert_eq!(tables(temporary, &all()).unwrap().num_rows(), 0);
}

#[test]
fn the_rest_can_be_told() {
    assert_eq!(catalogs(CommandGetCatalogs {}).unwrap().num_rows(), 1);
    assert_eq!(schemas(CommandGetDbSchemas::default()).unwrap().num_rows(), 1);
    assert_eq!(table_types(CommandGetTableTypes {}).unwrap().num_rows(), 1);
    assert_eq!(xdbc_types(CommandGetXdbcTypeInfo::default()).unwrap().num_rows(), 7);
    assert!(sql_info(&CommandGetSqlInfo { info: vec![] }).unwrap().num_rows() > 20);
    assert_eq!(sql_info(&CommandGetSqlInfo { info: vec![0] }).unwrap().num_rows(), 1);
}
