//! Pruning: which segments cannot hold a row that satisfies a predicate.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, UInt64Array};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, ScalarValue};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use schemas::tables::{Table, TableLayout};
use storage::Segment;

/// The segments that may hold a row that satisfies `predicate`, judged by the ranges of their
/// sort key alone.
pub(super) fn keep(
    segments: Vec<Arc<Segment>>,
    layout: &TableLayout,
    predicate: &Arc<dyn PhysicalExpr>,
) -> datafusion::error::Result<Vec<Arc<Segment>>> {
    let pruning = PruningPredicateBuilder::new()
        .with_file_schema(Arc::clone(layout.schema()))
        .build(Arc::clone(predicate));
    let Some(pruning) = pruning else {
        return Ok(segments);
    };
    let kept = pruning.prune(&Ranges { segments: &segments, table: layout.table() })?;
    Ok(segments
        .into_iter()
        .zip(kept)
        .filter(|(_, kept)| *kept)
        .map(|(segment, _)| segment)
        .collect())
}

/// Least and greatest keys of segments, column by column.
struct Ranges<'a> {
    segments: &'a [Arc<Segment>],
    table: Table,
}

impl Ranges<'_> {
    fn ends(&self, column: &Column, end: impl Fn(&(i64, i64)) -> i64) -> Option<ArrayRef> {
        let at = self.table.sort_key().columns.iter().position(|key| *key == column.name)?;
        let ends: Int64Array =
            self.segments.iter().map(|segment| segment.key_ranges.get(at).map(&end)).collect();
        Some(Arc::new(ends))
    }
}

impl PruningStatistics for Ranges<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.ends(column, |range| range.0)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.ends(column, |range| range.1)
    }

    fn num_containers(&self) -> usize {
        self.segments.len()
    }

    fn null_counts(&self, _column: &Column) -> Option<ArrayRef> {
        None
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        let rows: UInt64Array = self.segments.iter().map(|segment| Some(segment.rows)).collect();
        Some(Arc::new(rows))
    }

    fn contained(&self, _column: &Column, _values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}
