//! Where the attributes of a segment are: in columns, in overflow objects, or in both.
//!
//! ```text
//!  asked: span.x       segment without the column        overflow read
//!                      column, some values of another type   both read
//!                      column, settled                   column read, overflow null, filter pushed
//!                      column, settled, no values        not opened if a row must have it
//! ```
//!
//! Readers ask the column, and where it is null the overflow object; that gives the same answer
//! for each of these segments. What is decided here is only what need not be read for it.

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::utils::{conjunction, disjunction};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::projection::ProjectionExec;
use schemas::model::Scope;
use schemas::tables::{TableLayout, overflow_columns};
use storage::{Occupied, Segment};

/// Alternatives and conditions that are looked at; what is beyond is not used.
const CONDITIONS_MAX: usize = 64;

/// A key with its scope.
pub(crate) type Key = (Scope, String);

/// What a reader does with attributes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attributes {
    /// The attributes that are looked up; `None` if all may be.
    pub(crate) lookups: Option<Vec<Key>>,
    /// A row is of use only if all conditions of one alternative hold; none: every row is.
    pub(crate) alternatives: Vec<Vec<Condition>>,
}

/// A condition on promoted columns, true of every row that the reader would keep, if the columns
/// tell all about their attributes.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    /// Over promoted and fixed columns.
    pub(crate) expr: Expr,
    /// The attributes whose columns it reads.
    pub(crate) attributes: Vec<Key>,
    /// Whether it is false if none of the attributes is there.
    pub(crate) rejects_absent: bool,
}

/// Segments that are read in one way.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) segments: Vec<Arc<Segment>>,
    pub(super) way: Way,
}

/// How segments are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Way {
    /// Positions in the projection of columns that are null instead of read.
    pub(super) nulls: Vec<usize>,
    /// Of each alternative that can hold the conditions that are pushed; empty if nothing is.
    pushed: Vec<Vec<usize>>,
}

/// Sorts segments by how they are read, in the order given; those that hold no row of use are
/// left out.
pub(super) fn readings(
    attributes: &Attributes,
    layout: &TableLayout,
    projection: &[usize],
    segments: Vec<Arc<Segment>>,
) -> Vec<Reading> {
    let asked = Asked::new(attributes, layout, projection);
    let mut readings: Vec<Reading> = Vec::new();
    for segment in segments {
        let Some(way) = asked.way(&segment.occupied.under(layout)) else { continue };
        match readings.iter_mut().find(|reading| reading.way == way) {
            Some(reading) => reading.segments.push(segment),
            None => readings.push(Reading { segments: vec![segment], way }),
        }
    }
    readings
}

impl Way {
    /// The filter that is pushed, if there is one.
    pub(super) fn filter(&self, attributes: &Attributes) -> Option<Expr> {
        let alternatives = self.pushed.iter().map(|used| {
            let (at, used) = used.split_first()?;
            let conditions = attributes.alternatives.get(*at)?;
            conjunction(used.iter().filter_map(|at| Some(conditions.get(*at)?.expr.clone())))
        });
        disjunction(alternatives.collect::<Option<Vec<Expr>>>()?)
    }

    /// What is read of a projection.
    pub(super) fn read(&self, projection: &[usize]) -> Vec<usize> {
        let is_read = |at: &usize| !self.nulls.contains(at);
        (0..projection.len()).filter(is_read).map(|at| projection[at]).collect()
    }

    /// Puts the columns that are null among those that were read.
    pub(super) fn complete(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        layout: &TableLayout,
        projection: &[usize],
    ) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
        if self.nulls.is_empty() {
            return Ok(plan);
        }
        let mut columns: Vec<(Arc<dyn PhysicalExpr>, String)> = Vec::new();
        let mut read = 0;
        for (at, position) in projection.iter().enumerate() {
            let field = layout.schema().field(*position);
            let column: Arc<dyn PhysicalExpr> = if self.nulls.contains(&at) {
                Arc::new(Literal::new(ScalarValue::try_from(field.data_type())?))
            } else {
                read += 1;
                Arc::new(Column::new(field.name(), read - 1))
            };
            columns.push((column, field.name().clone()));
        }
        Ok(Arc::new(ProjectionExec::try_new(columns, plan)?))
    }
}

/// The question, with positions in place of keys.
struct Asked {
    /// Overflow columns: position in the projection, and the attributes looked up there; `None`
    /// if one of them has no column.
    overflows: Vec<(usize, Option<Vec<usize>>)>,
    /// Of each alternative its conditions; `None` if one of the attributes has no column.
    alternatives: Vec<Vec<Option<Asking>>>,
}

/// What must be settled so that a condition can be pushed, and whether one of it must be there.
type Asking = (Vec<usize>, bool);

impl Asked {
    fn new(attributes: &Attributes, layout: &TableLayout, projection: &[usize]) -> Self {
        let position = |(scope, key): &Key| layout.position(*scope, key);
        let mut overflows = Vec::new();
        if let Some(lookups) = &attributes.lookups {
            for (scope, column) in overflow_columns(layout.table()) {
                let fields = layout.schema().fields();
                let at = projection.iter().position(|at| fields[*at].name() == column);
                let of_scope = lookups.iter().filter(|(of, _)| of == scope);
                overflows.extend(at.map(|at| (at, of_scope.map(position).collect())));
            }
        }
        let condition = |condition: &Condition| {
            let positions =
                condition.attributes.iter().map(position).collect::<Option<Vec<_>>>()?;
            let must_be = condition.rejects_absent && !positions.is_empty();
            Some((positions, must_be))
        };
        let alternatives = attributes
            .alternatives
            .iter()
            .map(|conditions| conditions.iter().take(CONDITIONS_MAX).map(condition).collect());
        let is_small = attributes.alternatives.len() <= CONDITIONS_MAX;
        let alternatives = if is_small { alternatives.collect() } else { Vec::new() };
        Self { overflows, alternatives }
    }

    /// How a segment is read; `None` if it need not be.
    fn way(&self, occupied: &Occupied) -> Option<Way> {
        let settled = |positions: &Vec<usize>| positions.iter().all(|at| occupied.is_settled(*at));
        let absent = |positions: &Vec<usize>| positions.iter().all(|at| occupied.is_absent(*at));
        let mut way = Way::default();
        for (at, looked_up) in &self.overflows {
            if looked_up.as_ref().is_some_and(settled) {
                way.nulls.push(*at);
            }
        }
        let mut all_are_filtered = true;
        for (at, conditions) in self.alternatives.iter().enumerate() {
            let known =
                || conditions.iter().enumerate().filter_map(|(at, it)| Some((at, it.as_ref()?)));
            if known().any(|(_, (positions, must_be))| *must_be && absent(positions)) {
                continue;
            }
            let mut used = vec![at];
            used.extend(known().filter(|(_, (positions, _))| settled(positions)).map(|(at, _)| at));
            all_are_filtered &= used.len() > 1;
            way.pushed.push(used);
        }
        if way.pushed.is_empty() && !self.alternatives.is_empty() {
            return None;
        }
        if !all_are_filtered {
            way.pushed.clear();
        }
        Some(way)
    }
}
