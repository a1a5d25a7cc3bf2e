//! What clients ask about the server instead of its data: catalogs, schemas, tables, abilities.
//!
//! There is one catalog with one schema. Views are told as base tables, because clients that list
//! tables (Grafana's plugin among them) ask for nothing else.

use std::collections::HashMap;

use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use arrow_flight::error::FlightError;
use arrow_flight::sql::metadata::{
    SqlInfoData, SqlInfoDataBuilder, XdbcTypeInfo, XdbcTypeInfoData, XdbcTypeInfoDataBuilder,
};
use arrow_flight::sql::{
    CommandGetCatalogs, CommandGetDbSchemas, CommandGetSqlInfo, CommandGetTableTypes,
    CommandGetTables, CommandGetXdbcTypeInfo, Nullable, Searchable, SqlInfo, XdbcDataType,
};

use crate::encode::plain_schema;
use crate::error::Error;

/// Name of the one catalog, as statements may spell it.
const CATALOG: &str = "siglake";

/// Name of the one schema.
const SCHEMA: &str = "public";

/// Type of every table.
const TABLE_TYPE: &str = "BASE TABLE";

/// The one catalog.
pub(crate) fn catalogs(command: CommandGetCatalogs) -> Result<RecordBatch, Error> {
    let mut builder = command.into_builder();
    builder.append(CATALOG);
    builder.build().map_err(encode_error)
}

/// The one schema, if the filters let it through.
pub(crate) fn schemas(command: CommandGetDbSchemas) -> Result<RecordBatch, Error> {
    let mut builder = command.into_builder();
    builder.append(CATALOG, SCHEMA);
    builder.build().map_err(encode_error)
}

/// The tables that the filters let through, by name; a filter that is absent lets all through.
pub(crate) fn tables(
    mut command: CommandGetTables,
    tables: &[(String, SchemaRef)],
) -> Result<RecordBatch, Error> {
    command.table_types = table_types_known(command.table_types);
    let mut builder = command.into_builder();
    for (name, schema) in tables {
        builder
            .append(CATALOG, SCHEMA, name, TABLE_TYPE, &plain_schema(schema))
            .map_err(encode_error)?;
    }
    builder.build().map_err(encode_error)
}

/// The one type of tables.
pub(crate) fn table_types(command: CommandGetTableTypes) -> Result<RecordBatch, Error> {
    let mut builder = command.into_builder();
    builder.append(TABLE_TYPE);
    builder.build().map_err(encode_error)
}

/// What the server can do; without a list of items, all of them.
pub(crate) fn sql_info(command: &CommandGetSqlInfo) -> Result<RecordBatch, Error> {
    let data = sql_info_data().map_err(encode_error)?;
    command.clone().into_builder(&data).build().map_err(encode_error)
}

/// The types of columns.
pub(crate) fn xdbc_types(command: CommandGetXdbcTypeInfo) -> Result<RecordBatch, Error> {
    let data = xdbc_type_data().map_err(encode_error)?;
    command.into_builder(&data).build().map_err(encode_error)
}

/// Clients spell the type of a table in several ways; all of them mean ours.
fn table_types_known(asked: Vec<String>) -> Vec<String> {
    let ours = |name: &String| {
        ["table", "base table", "view"].iter().any(|known| name.eq_ignore_ascii_case(known))
    };
    if asked.iter().any(ours) { vec![TABLE_TYPE.to_owned()] } else { asked }
}

fn sql_info_data() -> Result<SqlInfoData, FlightError> {
    let mut builder = SqlInfoDataBuilder::new();
    builder.append(SqlInfo::FlightSqlServerName, "Siglake");
    builder.append(SqlInfo::FlightSqlServerVersion, env!("CARGO_PKG_VERSION"));
    builder.append(SqlInfo::FlightSqlServerArrowVersion, "1.3");
    builder.append(SqlInfo::FlightSqlServerReadOnly, true);
    builder.append(SqlInfo::FlightSqlServerSql, true);
    builder.append(SqlInfo::FlightSqlServerSubstrait, false);
    // No transactions, no way to cancel but to drop the call.
    builder.append(SqlInfo::FlightSqlServerTransaction, 0_i32);
    builder.append(SqlInfo::FlightSqlServerCancel, false);
    builder.append(SqlInfo::FlightSqlServerBulkIngestion, false);
    builder.append(SqlInfo::SqlDdlCatalog, false);
    builder.append(SqlInfo::SqlDdlSchema, false);
    builder.append(SqlInfo::SqlDdlTable, false);
    builder.append(SqlInfo::SqlIdentifierCase, SQL_CASE_LOWER);
    builder.append(SqlInfo::SqlIdentifierQuoteChar, "\"");
    builder.append(SqlInfo::SqlQuotedIdentifierCase, SQL_CASE_SENSITIVE);
    builder.append(SqlInfo::SqlAllTablesAreSelectable, true);
    builder.append(SqlInfo::SqlNullOrdering, SQL_NULLS_SORTED_HIGH);
    builder.append(SqlInfo::SqlSupportsColumnAliasing, true);
    builder.append(SqlInfo::SqlNullPlusNullIsNull, true);
    builder.append(SqlInfo::SqlSupportsTableCorrelationNames, true);
    builder.append(SqlInfo::SqlSupportsExpressionsInOrderBy, true);
    builder.append(SqlInfo::SqlSupportsOrderByUnrelated, true);
    builder.append(SqlInfo::SqlSchemaTerm, "schema");
    builder.append(SqlInfo::SqlCatalogTerm, "catalog");
    builder.append(SqlInfo::SqlCatalogAtStart, true);
    builder.append(SqlInfo::SqlSupportsConvert, HashMap::<i32, Vec<i32>>::new());
    builder.build()
}

/// `SqlSupportedCaseSensitivity`: names without quotes are folded to lower case.
const SQL_CASE_LOWER: i32 = 3;

/// `SqlSupportedCaseSensitivity`: quoted names are taken as they stand.
const SQL_CASE_SENSITIVE: i32 = 1;

/// `SqlNullOrdering`: null is greater than every value.
const SQL_NULLS_SORTED_HIGH: i32 = 0;

fn xdbc_type_data() -> Result<XdbcTypeInfoData, FlightError> {
    let mut builder = XdbcTypeInfoDataBuilder::new();
    let types = [
        ("BIGINT", XdbcDataType::XdbcBigint, 64, true),
        ("INTEGER", XdbcDataType::XdbcInteger, 32, true),
        ("DOUBLE", XdbcDataType::XdbcDouble, 64, true),
        ("BOOLEAN", XdbcDataType::XdbcBit, 1, false),
        ("VARCHAR", XdbcDataType::XdbcVarchar, i32::MAX, false),
        ("VARBINARY", XdbcDataType::XdbcVarbinary, i32::MAX, false),
        ("TIMESTAMP", XdbcDataType::XdbcTimestamp, 29, false),
    ];
    for (name, data_type, column_size, number) in types {
        let quoted = !number && data_type != XdbcDataType::XdbcBit;
        builder.append(XdbcTypeInfo {
            type_name: name.to_owned(),
            data_type,
            sql_data_type: data_type,
            column_size: Some(column_size),
            literal_prefix: quoted.then(|| "'".to_owned()),
            literal_suffix: quoted.then(|| "'".to_owned()),
            nullable: Nullable::NullabilityNullable,
            case_sensitive: data_type == XdbcDataType::XdbcVarchar,
            searchable: Searchable::Full,
            unsigned_attribute: Some(false),
            auto_increment: Some(false),
            local_type_name: Some(name.to_owned()),
            num_prec_radix: number.then_some(2),
            ..XdbcTypeInfo::default()
        });
    }
    builder.build()
}

/// The builders fail only where Arrow does.
fn encode_error(error: FlightError) -> Error {
    match error {
        FlightError::Arrow(error) => Error::Encode(error),
        other => Error::Encode(ArrowError::ExternalError(Box::new(other))),
    }
}

#[cfg(test)]
mod tests;
