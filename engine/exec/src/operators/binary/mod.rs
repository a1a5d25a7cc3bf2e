//! `BinaryExec`: operations between two vectors, a vector and a scalar, or two scalars.
//!
//! Vectors are matched by signature: the labels that must agree, as an ordinal of the roster,
//! computed once per series. The side that may have only one series per signature is collected
//! first, then the other side is answered series by series.

mod told;

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::{ExecutionPlan, PlanProperties};
use plan::expr::{ArithmeticOp, CompareOp};
use plan::node::{BinaryOp, Cardinality, Fill, MatchOn, Matching};
use schemas::model::{Grouping, Labels};

use self::told::Told;
use super::collect::{Cell, Content, Row, Rows, collect, duplicate, push, scalar};
use super::node::{execution_plan, place, send_full, send_rest, single_partition, stream};
use crate::annotations::Remarks;
use crate::histogram::Histogram;
use crate::roster::{Identity, OrdinalMap, Roster, without_name};
use crate::tiles::{self, TileBuilder};
use crate::{Error, ErrorKind};

/// Which operands are scalars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operands {
    /// Two vectors.
    Vectors,
    /// A vector on the left.
    VectorScalar,
    /// A vector on the right.
    ScalarVector,
    /// No vector.
    Scalars,
}

/// What is computed.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    /// Between two values.
    pub(crate) op: BinaryOp,
    /// How series find their partners.
    pub(crate) matching: Matching,
    /// Which operands are scalars.
    pub(crate) operands: Operands,
    /// Where remarks go.
    pub(crate) remarks: Remarks,
}

/// Computes an operation at each step.
pub(crate) struct BinaryExec {
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    operation: Operation,
    steps: u32,
    roster: Arc<Roster>,
    properties: Arc<PlanProperties>,
}

impl BinaryExec {
    /// `left op right`.
    pub(crate) fn new(
        inputs: [Arc<dyn ExecutionPlan>; 2],
        operation: Operation,
        steps: u32,
        roster: Arc<Roster>,
    ) -> Self {
        let properties = single_partition(tiles::schema(steps));
        Self { inputs: inputs.to_vec(), operation, steps, roster, properties }
    }

    fn inputs(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }

    fn with_inputs(&self, inputs: Vec<Arc<dyn ExecutionPlan>>) -> Self {
        let (operation, roster) = (self.operation.clone(), Arc::clone(&self.roster));
        Self {
            inputs,
            operation,
            steps: self.steps,
            roster,
            properties: Arc::clone(&self.properties),
        }
    }

    fn describe(&self) -> String {
        let Operation { op, matching, operands, .. } = &self.operation;
        format!("{op:?} {matching:?} of {operands:?}")
    }

    fn start(&self, context: &Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let context = Arc::clone(context);
        let work = Arc::new(self.with_inputs(self.inputs.clone()));
        Ok(stream(self.schema(), place(&self.inputs()), |sender| async move {
            let rows = match (work.operation.operands, work.operation.op) {
                (Operands::Vectors, BinaryOp::And | BinaryOp::Or | BinaryOp::Unless) => {
                    work.sets(&context).await?
                }
                (Operands::Vectors, _) => work.vectors(&context).await?,
                _ => work.with_scalar(&context).await?,
            };
            let mut output = TileBuilder::new(work.steps).expecting(rows.len());
            for row in rows {
                push(&mut output, row);
                if !send_full(&mut output, &sender).await {
                    return Ok(());
                }
            }
            send_rest(output, &sender).await;
            Ok(())
        }))
    }

    /// A vector with a scalar, or two scalars: the vector's series keep their place.
    async fn with_scalar(&self, context: &Arc<TaskContext>) -> Result<Vec<Row>> {
        let vector_left = self.operation.operands != Operands::ScalarVector;
        let (vector, other) = if vector_left { (0, 1) } else { (1, 0) };
        let scalars = scalar(&self.inputs[other], self.steps as usize, context).await?;
        let mut names = OrdinalMap::new(
            Arc::clone(&self.roster),
            super::function::name_rule(Arc::clone(&self.roster), self.keeps_name()),
        );
        let mut rows = Vec::new();
        let mut told = Told::default();
        collect(&self.inputs[vector], context).await?.for_each(|tile| {
            let mut row = self.empty(names.get(tile.series)?);
            let told = &mut told;
            for (step, scalar) in scalars.iter().enumerate() {
                let Some(value) = tile.get(step) else { continue };
                let (left, right) = if vector_left { (value, *scalar) } else { (*scalar, value) };
                row.set(step, self.of_numbers(left, right, value).map(Content::Number));
            }
            for (step, histogram) in tile.histograms() {
                let step = step as usize;
                let (value, scalar) = (Cell::Histogram(&histogram), Cell::Number(scalars[step]));
                let (left, right) = if vector_left { (value, scalar) } else { (scalar, value) };
                row.set(step, self.compute(left, right, value, told));
            }
            rows.push(row);
            Ok::<(), Error>(())
        })?;
        told.tell(&self.operation);
        Ok(rows)
    }

    /// Set operations: presence of a partner with the same signature, step by step.
    async fn sets(&self, context: &Arc<TaskContext>) -> Result<Vec<Row>> {
        let left = self.gather(0, context).await?;
        let right = self.gather(1, context).await?;
        let mut signatures = self.signatures();
        let (mut in_left, mut in_right) = (Presence::default(), Presence::default());
        for row in left.iter() {
            mark(&mut in_left, signatures.get(row.series)?, row);
        }
        for row in right.iter() {
            mark(&mut in_right, signatures.get(row.series)?, row);
        }
        let mut rows = Vec::new();
        for mut row in left.into_rows() {
            let partners = in_right.get(&signatures.get(row.series)?);
            let has = |step: usize| partners.is_some_and(|partners| partners[step]);
            match self.operation.op {
                BinaryOp::And => row.keep(has),
                BinaryOp::Unless => row.keep(|step| !has(step)),
                _ => {}
            }
            rows.push(row);
        }
        if self.operation.op == BinaryOp::Or {
            for mut row in right.into_rows() {
                let partners = in_left.get(&signatures.get(row.series)?);
                row.keep(|step| !partners.is_some_and(|partners| partners[step]));
                rows.push(row);
            }
        }
        Ok(rows)
    }

    /// Arithmetic and comparison between vectors.
    async fn vectors(&self, context: &Arc<TaskContext>) -> Result<Vec<Row>> {
        let swapped = matches!(self.operation.matching.cardinality, Cardinality::OneToMany(_));
        let (many_at, one_at) = if swapped { (1, 0) } else { (0, 1) };
        let one = self.gather(one_at, context).await?;
        let many = self.gather(many_at, context).await?;
        let mut signatures = self.signatures();
        let mut partners: HashMap<u32, Vec<&Row>, ahash::RandomState> = HashMap::default();
        let mut order = Vec::new();
        let mut in_one = Presence::default();
        for row in one.iter() {
            let signature = signatures.get(row.series)?;
            let rows = partners.entry(signature).or_default();
            if rows.is_empty() {
                order.push(signature);
            }
            rows.push(row);
            mark(&mut in_one, signature, row);
        }
        for signature in &order {
            self.check_one_side(*signature, &partners[signature], &many, swapped)?;
        }
        let fill = self.operation.matching.fill;
        let (fill_one, fill_many) =
            if swapped { (fill.left, fill.right) } else { (fill.right, fill.left) };
        let mut results = Results::new(self, swapped);
        let mut in_many = Presence::default();
        for row in many.iter() {
            let signature = signatures.get(row.series)?;
            for partner in partners.get(&signature).into_iter().flatten() {
                results.add(row, partner, signature)?;
            }
            if let Some(value) = fill_one {
                results.add(row, &self.filled(value, signature, row, &in_one), signature)?;
            }
            mark(&mut in_many, signature, row);
        }
        if let Some(value) = fill_many {
            for signature in order {
                for row in &partners[&signature] {
                    results.add(&self.filled(value, signature, row, &in_many), row, signature)?;
                }
            }
        }
        results.told.tell(&self.operation);
        Ok(results.rows)
    }

    /// The partner that stands in where no series of the other side has the row's signature.
    fn filled(&self, value: f64, signature: u32, row: &Row, others: &Presence) -> Row {
        let others = others.get(&signature);
        let is_alone = |step: usize| !others.is_some_and(|others| others[step]);
        let valid = (0..row.valid.len()).map(|step| row.has(step) && is_alone(step)).collect();
        let values = vec![value; row.values.len()];
        Row { values, valid, ..Row::empty(signature, 0) }
    }

    /// Two series of the "one" side with the same signature at one step are an error, whether or
    /// not they find a partner, if the other side has any series at that step, or is filled.
    fn check_one_side(
        &self,
        signature: u32,
        rows: &[&Row],
        many: &Rows,
        swapped: bool,
    ) -> Result<(), Error> {
        if rows.len() < 2 {
            return Ok(());
        }
        let is_filled = self.operation.matching.fill != Fill::default();
        for step in 0..self.steps as usize {
            let mut present = rows.iter().filter(|row| row.has(step));
            if let (Some(first), Some(second)) = (present.next(), present.next())
                && (is_filled || many.iter().any(|row| row.has(step)))
            {
                return Err(self.ambiguous(signature, [first, second], swapped));
            }
        }
        Ok(())
    }

    fn ambiguous(&self, signature: u32, rows: [&Row; 2], swapped: bool) -> Error {
        let side = if swapped { "left" } else { "right" };
        let mut found = rows.map(|row| self.roster.labels(row.series).to_string());
        found.sort();
        let message = format!(
            "found duplicate series for the match group {} on the {side} hand-side of the \
             operation: [{}];many-to-many matching not allowed: matching labels must be unique \
             on one side",
            self.roster.labels(signature),
            found.join(", "),
        );
        Error::new(ErrorKind::Invalid, message)
    }

    async fn gather(&self, input: usize, context: &Arc<TaskContext>) -> Result<Rows> {
        let mut rows = Rows::default();
        collect(&self.inputs[input], context)
            .await?
            .for_each(|tile| rows.add(tile.series, &tile))?;
        Ok(rows)
    }

    /// The labels that must agree.
    fn signatures(&self) -> OrdinalMap<impl FnMut(Identity) -> Result<Identity, Error> + use<>> {
        let grouping = match &self.operation.matching.on {
            MatchOn::On(labels) => Grouping::By(labels.clone()),
            MatchOn::Ignoring(labels) => Grouping::Without(labels.clone()),
        };
        OrdinalMap::new(Arc::clone(&self.roster), move |series: Identity| {
            Ok(Identity::plain(grouping.group_of(&series.labels)))
        })
    }

    /// What a result has, or nothing; `kept` is what a comparison keeps.
    fn compute(
        &self,
        left: Cell<'_>,
        right: Cell<'_>,
        kept: Cell<'_>,
        told: &mut Told,
    ) -> Option<Content> {
        use ArithmeticOp as A;
        let histogram = |histogram: Histogram| Some(Content::Histogram(Box::new(histogram)));
        match (left, right, self.operation.op) {
            (Cell::Number(left), Cell::Number(right), _) => {
                let kept = if let Cell::Number(kept) = kept { kept } else { left };
                self.of_numbers(left, right, kept).map(Content::Number)
            }
            (Cell::Histogram(left), Cell::Histogram(right), _) => {
                self.of_histograms(left, right, told)
            }
            (Cell::Number(factor), Cell::Histogram(of), BinaryOp::Arithmetic(A::Multiply))
            | (Cell::Histogram(of), Cell::Number(factor), BinaryOp::Arithmetic(A::Multiply)) => {
                histogram(of.clone().scaled(factor))
            }
            (Cell::Histogram(of), Cell::Number(divisor), BinaryOp::Arithmetic(A::Divide)) => {
                histogram(of.clone().divided(divisor))
            }
            (Cell::Number(_), Cell::Histogram(_), _) => {
                told.number_histogram = true;
                None
            }
            (Cell::Histogram(_), Cell::Number(_), _) => {
                told.histogram_number = true;
                None
            }
        }
    }

    fn of_histograms(
        &self,
        left: &Histogram,
        right: &Histogram,
        told: &mut Told,
    ) -> Option<Content> {
        let joined = match self.operation.op {
            BinaryOp::Arithmetic(ArithmeticOp::Add) => left.clone().plus(right),
            BinaryOp::Arithmetic(ArithmeticOp::Subtract) => left.clone().minus(right),
            BinaryOp::Keep(op) if is_equality(op).is_some() => {
                let holds = is_equality(op) == Some(left.equals(right));
                return holds.then(|| Content::Histogram(Box::new(left.clone())));
            }
            BinaryOp::Test(op) if is_equality(op).is_some() => {
                let holds = is_equality(op) == Some(left.equals(right));
                return Some(Content::Number(f64::from(u8::from(holds))));
            }
            _ => {
                told.histograms = true;
                return None;
            }
        };
        let Some((made, conflict)) = joined else {
            told.layout = true;
            return None;
        };
        told.conflicting |= conflict.hints;
        told.reconciled |= conflict.bounds;
        Some(Content::Histogram(Box::new(made.compacted())))
    }

    fn of_numbers(&self, left: f64, right: f64, kept: f64) -> Option<f64> {
        match self.operation.op {
            BinaryOp::Arithmetic(op) => Some(op.apply(left, right)),
            BinaryOp::Keep(op) => op.holds(&left, &right).then_some(kept),
            BinaryOp::Test(op) => Some(f64::from(u8::from(op.holds(&left, &right)))),
            BinaryOp::And | BinaryOp::Or | BinaryOp::Unless => None,
        }
    }

    fn keeps_name(&self) -> bool {
        matches!(self.operation.op, BinaryOp::Keep(_))
    }

    fn empty(&self, series: u32) -> Row {
        Row::empty(series, self.steps as usize)
    }

    /// The name of a result of `many` and `one`.
    fn result_name(&self, many: &Identity, one: &Labels) -> Identity {
        let base = match self.operation.op {
            BinaryOp::Keep(_) => many.clone(),
            BinaryOp::Test(_) => self.roster.renamed(many.clone()),
            // A number made of two is no longer either's, whenever names are dropped.
            _ => Identity::plain(without_name(&many.labels)),
        };
        let Identity { labels: base, sheds_name } = base;
        let labels = match (&self.operation.matching.cardinality, &self.operation.matching.on) {
            (Cardinality::OneToOne, MatchOn::On(on)) => {
                base.filter(|label| on.iter().any(|name| name == label.name.as_ref()))
            }
            (Cardinality::OneToOne, MatchOn::Ignoring(ignored)) => {
                base.filter(|label| !ignored.iter().any(|name| name == label.name.as_ref()))
            }
            (Cardinality::ManyToOne(copied) | Cardinality::OneToMany(copied), _) => {
                copied.iter().fold(base, |labels, name| labels.with(name, one.value(name)))
            }
        };
        Identity { labels, sheds_name }
    }
}

/// The results of a vector operation, with what is needed to find two results of one label set.
struct Results<'a> {
    exec: &'a BinaryExec,
    swapped: bool,
    rows: Vec<Row>,
    taken: HashMap<u32, usize, ahash::RandomState>,
    /// The steps at which a signature, or a result within it, had its partner.
    matched: HashMap<(u32, Option<u32>), Vec<bool>, ahash::RandomState>,
    told: Told,
}

impl<'a> Results<'a> {
    fn new(exec: &'a BinaryExec, swapped: bool) -> Self {
        let (taken, matched) = (HashMap::default(), HashMap::default());
        Self { exec, swapped, rows: Vec::new(), taken, matched, told: Told::default() }
    }

    fn add(&mut self, many: &Row, one: &Row, signature: u32) -> Result<(), Error> {
        let roster = &self.exec.roster;
        let name = self.exec.result_name(&roster.identity(many.series), &roster.labels(one.series));
        let series = roster.ordinal_of(&name)?;
        let at = *self.taken.entry(series).or_insert_with(|| {
            self.rows.push(self.exec.empty(series));
            self.rows.len() - 1
        });
        let row = &mut self.rows[at];
        let is_grouped = self.exec.operation.matching.cardinality != Cardinality::OneToOne;
        let matched = self
            .matched
            .entry((signature, is_grouped.then_some(series)))
            .or_insert_with(|| vec![false; row.values.len()]);
        let (left, right) = if self.swapped { (one, many) } else { (many, one) };
        if let BinaryOp::Arithmetic(op) = self.exec.operation.op
            && left.is_full()
            && right.is_full()
            && row.is_empty()
            && !matched.contains(&true)
        {
            let pairs = left.values.iter().zip(&right.values);
            let results = row.values.iter_mut().zip(pairs);
            results.for_each(|(result, (left, right))| *result = op.apply(*left, *right));
            row.valid.fill(true);
            matched.fill(true);
            return Ok(());
        }
        for (step, matched) in matched.iter_mut().enumerate() {
            let (Some(many), Some(one)) = (many.cell(step), one.cell(step)) else { continue };
            // Also where a comparison drops the result.
            if std::mem::replace(matched, true) {
                return Err(two_matches(is_grouped));
            }
            if row.has(step) {
                return Err(duplicate());
            }
            let (left, right) = if self.swapped { (one, many) } else { (many, one) };
            row.set(step, self.exec.compute(left, right, left, &mut self.told));
        }
        Ok(())
    }
}

fn two_matches(is_grouped: bool) -> Error {
    let message = if is_grouped {
        "multiple matches for labels: grouping labels must ensure unique matches"
    } else {
        "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
    };
    Error::new(ErrorKind::Invalid, message)
}

/// Whether a comparison asks for equality or for the opposite; `None` for those by order.
fn is_equality(op: CompareOp) -> Option<bool> {
    match op {
        CompareOp::Equal => Some(true),
        CompareOp::NotEqual => Some(false),
        _ => None,
    }
}

/// The steps at which any series of a signature has a value.
type Presence = HashMap<u32, Vec<bool>, ahash::RandomState>;

/// Marks the steps at which a series with this signature has a value.
fn mark(present: &mut Presence, signature: u32, row: &Row) {
    let marks = present.entry(signature).or_insert_with(|| vec![false; row.valid.len()]);
    for (mark, valid) in marks.iter_mut().zip(&row.valid) {
        *mark |= *valid;
    }
    for step in row.histograms.keys() {
        marks[*step as usize] = true;
    }
}

execution_plan!(BinaryExec);
