//! SQL: DataFusion's dialect over readable views of the lake.
//!
//! ```text
//!  siglake.public   metrics  logs  spans  traces        views: Timestamp(ns), ids as hex, labels
//!  siglake.lake     metric_samples  logs  spans  …      tables as they are stored
//!                   series  streams                     what the label indexes know
//! ```

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
    MemorySchemaProvider, SchemaProvider,
};
use datafusion::dataframe::DataFrame;
use datafusion::datasource::ViewTable;
use datafusion::error::DataFusionError;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use schemas::model::Signal;
use schemas::tables::Table;
use storage::Snapshot;

use crate::error::from_datafusion;
use crate::memory::QueryMemory;
use crate::output::{OutputKind, QueryOutput, QueryStats};
use crate::table::provider::SnapshotTable;
use crate::views::IndexTable;
use crate::{Error, ErrorKind, Session, views};

pub(crate) mod bounded;
mod size;
mod whole;

/// The catalog that unqualified names are looked up in.
pub(crate) const CATALOG: &str = "siglake";
/// The schema that unqualified names are looked up in: the views.
pub(crate) const SCHEMA: &str = "public";
/// The schema of the stored tables.
const LAKE: &str = "lake";

/// Stack that must be left to plan a statement, and stack that is added if it is not: a chain of
/// as many operators as there may be is a tree of that depth.
const STACK_LEFT_BYTES: usize = 8 << 20;
const STACK_ADDED_BYTES: usize = 32 << 20;

/// The memory of a query, and DataFusion's surroundings that draw on it.
type Surroundings<'a> = (&'a QueryMemory, Arc<RuntimeEnv>);

impl Session {
    /// Runs a SQL statement that only reads.
    pub async fn sql(&self, tenant: &str, statement: &str) -> Result<QueryOutput, Error> {
        let admitted = self.admit(tenant).await?;
        let stats = self.stats(tenant);
        let (memory, runtime) = self.runtime_of_query();
        let frame = self.frame(tenant, statement, &stats, (&memory, runtime)).await?;
        let schema = Arc::new(frame.schema().as_arrow().clone());
        let stream = with_stack(frame.execute_stream()).await.map_err(from_datafusion)?;
        let stream = stream.map(|batch| batch.map_err(from_datafusion)).boxed();
        let stream = self.guard(stream, admitted, memory.clone());
        let kind = OutputKind::Table(schema);
        Ok(QueryOutput { kind, stream, stats, memory, annotations: Arc::default() })
    }

    /// The columns a SQL statement would return; nothing is read.
    pub async fn sql_schema(&self, tenant: &str, statement: &str) -> Result<SchemaRef, Error> {
        let (memory, runtime) = self.runtime_of_query();
        let frame = self.frame(tenant, statement, &Arc::default(), (&memory, runtime)).await?;
        Ok(Arc::new(frame.schema().as_arrow().clone()))
    }

    /// The tables and views that SQL can name, each with its columns.
    pub async fn sql_tables(&self, tenant: &str) -> Result<Vec<(String, SchemaRef)>, Error> {
        let (memory, runtime) = self.runtime_of_query();
        let context = self.sql_context(tenant, &Arc::default(), (&memory, runtime)).await?;
        let mut tables = Vec::new();
        for name in views::NAMES {
            let view = context.table_provider(*name).await.map_err(from_datafusion)?;
            tables.push(((*name).to_owned(), view.schema()));
        }
        Ok(tables)
    }

    async fn frame(
        &self,
        tenant: &str,
        statement: &str,
        stats: &Arc<QueryStats>,
        surroundings: Surroundings<'_>,
    ) -> Result<DataFrame, Error> {
        size::check_text(statement)?;
        let read_only = SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false);
        let context = self.sql_context(tenant, stats, surroundings).await?;
        let frame = with_stack(planned(&context, statement, read_only)).await;
        frame.map_err(|error| match from_datafusion(error) {
            error if error.kind() == ErrorKind::Internal => {
                Error::new(ErrorKind::Invalid, error.to_string())
            }
            error => error,
        })
    }

    /// A context that names the tables and views of one snapshot.
    async fn sql_context(
        &self,
        tenant: &str,
        stats: &Arc<QueryStats>,
        (memory, runtime): Surroundings<'_>,
    ) -> Result<SessionContext, Error> {
        self.store.ready(tenant).await?;
        let snapshot = Arc::new(self.store.snapshot(tenant));
        let catalogs = Arc::new(MemoryCatalogProviderList::new());
        let catalog = Arc::new(MemoryCatalogProvider::new());
        let public = Arc::new(MemorySchemaProvider::new());
        let register = |name, schema: Arc<MemorySchemaProvider>| {
            catalog.register_schema(name, schema).map_err(from_datafusion)
        };
        register(LAKE, lake(&snapshot, stats, memory, &runtime)?)?;
        register(SCHEMA, Arc::clone(&public))?;
        catalogs.register_catalog(CATALOG.to_owned(), catalog);
        let state = SessionStateBuilder::new_from_existing(self.state.clone())
            .with_catalog_list(catalogs)
            .with_runtime_env(runtime)
            .build();
        let context = SessionContext::new_with_state(state);
        let mut calls = Vec::new();
        for (table, prefix, alias) in [(Table::Logs, "log", "l"), (Table::Spans, "span", "p")] {
            for (function, call, column) in whole::functions(&snapshot.layout(table), alias) {
                context.register_udf(function);
                calls.push((format!("{{{prefix}:{column}}}"), call));
            }
        }
        for (name, definition) in views::DEFINITIONS {
            let whole = |text: String, (place, call): &(String, String)| text.replace(place, call);
            let definition = calls.iter().fold((*definition).to_owned(), whole);
            let plan = context.state().create_logical_plan(&definition).await;
            let view = ViewTable::new(plan.map_err(from_datafusion)?, None);
            public.register_table((*name).to_owned(), Arc::new(view)).map_err(from_datafusion)?;
        }
        Ok(context)
    }
}

/// A statement as a plan that only reads.
async fn planned(
    context: &SessionContext,
    statement: &str,
    read_only: SQLOptions,
) -> datafusion::error::Result<DataFrame> {
    let state = context.state();
    let dialect = state.config_options().sql_parser.dialect;
    let statement = state.sql_to_statement(statement, &dialect)?;
    size::check_tree(&statement).map_err(|error| DataFusionError::External(Box::new(error)))?;
    let plan = state.statement_to_plan(statement).await?;
    read_only.verify_plan(&plan)?;
    context.execute_logical_plan(plan).await
}

/// A future that has stack enough for deep trees wherever it is polled.
async fn with_stack<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|context| {
        let poll = || future.as_mut().poll(context);
        stacker::maybe_grow(STACK_LEFT_BYTES, STACK_ADDED_BYTES, poll)
    })
    .await
}

fn lake(
    snapshot: &Arc<Snapshot>,
    stats: &Arc<QueryStats>,
    memory: &QueryMemory,
    runtime: &Arc<RuntimeEnv>,
) -> Result<Arc<MemorySchemaProvider>, Error> {
    let lake = Arc::new(MemorySchemaProvider::new());
    for table in Table::ALL {
        let provider =
            SnapshotTable::new(Arc::clone(snapshot), table, Arc::clone(runtime), Arc::clone(stats));
        let name = table.name().to_owned();
        lake.register_table(name, Arc::new(provider)).map_err(from_datafusion)?;
    }
    for (name, of) in [("series", Signal::Metrics), ("streams", Signal::Logs)] {
        let table = IndexTable::new(snapshot, of, memory.clone());
        let table = table.map_err(|error| from_datafusion(error.into()))?;
        lake.register_table(name.to_owned(), Arc::new(table)).map_err(from_datafusion)?;
    }
    Ok(lake)
}

#[cfg(test)]
mod tests;
