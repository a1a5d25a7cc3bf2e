//! A table of a snapshot as a DataFusion table, for SQL.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use schemas::model::TimeRange;
use schemas::tables::Table;
use storage::Snapshot;

use super::{Attributes, ScanRequest, scan, union};
use crate::output::QueryStats;

/// One table of one snapshot.
#[derive(Debug)]
pub(crate) struct SnapshotTable {
    snapshot: Arc<Snapshot>,
    table: Table,
    runtime: Arc<RuntimeEnv>,
    stats: Arc<QueryStats>,
}

impl SnapshotTable {
    /// A table of `snapshot`; what is read of it is counted in `stats`.
    pub(crate) fn new(
        snapshot: Arc<Snapshot>,
        table: Table,
        runtime: Arc<RuntimeEnv>,
        stats: Arc<QueryStats>,
    ) -> Self {
        Self { snapshot, table, runtime, stats }
    }
}

#[async_trait]
impl TableProvider for SnapshotTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.snapshot.layout(self.table).schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> datafusion::error::Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
        let all = || (0..self.schema().fields().len()).collect();
        let request = ScanRequest {
            snapshot: &self.snapshot,
            table: self.table,
            range: TimeRange::ALL,
            projection: projection.cloned().unwrap_or_else(all),
            filter: conjunction(filters.to_vec()),
            attributes: Attributes::default(),
        };
        union(scan(request, &self.runtime, &self.stats)?)
    }
}
