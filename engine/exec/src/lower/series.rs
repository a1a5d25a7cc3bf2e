//! Nodes whose output is series: each becomes one operator over tiles.

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;
use plan::node::{
    Aggregate, AggregateOp, AggregatePlaces, Binary, Edges, Sample, Window, WindowFunction,
};
use plan::{Node, Position, Shape};
use schemas::model::{Grouping, NANOS_PER_MILLI, Signal, StepGrid};

use super::metrics::{leaf, windows};
use super::selection::Called;
use super::{Context, call, impossible};
use crate::annotations::Remarks;
use crate::functions::window::Reach;
use crate::operators::{
    AggregateExec, AggregateRemarks, Aggregation, BinaryExec, ConstantExec, Kernel, Operands,
    Operation, TileWindow, TileWindowExec,
};
use crate::{Error, ErrorKind};

/// Stack that must be left to lower a node, and stack that is added if it is not.
const STACK_LEFT_BYTES: usize = 256 * 1024;
const STACK_ADDED_BYTES: usize = 1024 * 1024;

/// Lowers a node whose shape is a vector or a scalar; tiles have the steps of `grid`.
pub(crate) fn series(
    node: Node,
    grid: &StepGrid,
    ctx: &Context,
) -> Result<Arc<dyn ExecutionPlan>, Error> {
    grouped(node, grid, None, ctx)
}

/// The same; of an input that is only put into groups the labels of its groups are enough.
fn grouped(
    node: Node,
    grid: &StepGrid,
    grouping: Option<&Grouping>,
    ctx: &Context,
) -> Result<Arc<dyn ExecutionPlan>, Error> {
    if grid.steps > ctx.limits.steps_max {
        let message = format!(
            "the query has {} steps, over the limit of {} (steps_max)",
            grid.steps, ctx.limits.steps_max
        );
        return Err(Error::new(ErrorKind::Limit, message));
    }
    match node {
        Node::Sample(node) => {
            let kernel = if node.smoothed { Kernel::Smoothed } else { Kernel::Newest };
            sample(&node, kernel, Called { keep_name: true, grouping }, ctx)
        }
        Node::Window(node) => window(node, grouping, ctx),
        Node::Aggregate(node) => aggregate(node, grid, ctx),
        // Chains of operations are plans as deep as they are long.
        Node::Binary(node) => {
            stacker::maybe_grow(STACK_LEFT_BYTES, STACK_ADDED_BYTES, || binary(node, grid, ctx))
        }
        Node::Call(node) => call::call(node, grid, ctx),
        Node::Number(number) => Ok(Arc::new(ConstantExec::new(Some(number), *grid, &ctx.roster)?)),
        Node::Time => Ok(Arc::new(ConstantExec::new(None, *grid, &ctx.roster)?)),
        // Order has a meaning at the root only, where the session takes it off.
        Node::Sort(node) => series(*node.input, grid, ctx),
        _ => Err(impossible("rows where series are expected")),
    }
}

/// A selector of instant values.
pub(super) fn sample(
    node: &Sample,
    kernel: Kernel,
    called: Called<'_>,
    ctx: &Context,
) -> Result<Arc<dyn ExecutionPlan>, Error> {
    let Node::Scan(scan) = node.input.as_ref() else {
        return Err(impossible("a sample of something else than a scan"));
    };
    let windows = windows(&node.grid, node.lookback_ns, node.offset_ns, node.at_ns);
    leaf(scan, (kernel, Vec::new()), windows, called, node.position, ctx)
}

fn window(
    mut node: Window,
    grouping: Option<&Grouping>,
    ctx: &Context,
) -> Result<Arc<dyn ExecutionPlan>, Error> {
    let grid = node.grid;
    if let WindowFunction::Absent(labels) = &node.function {
        let labels = call::labels(labels);
        let present = Window { function: WindowFunction::Present, ..node };
        let input = window(present, None, ctx)?;
        return Ok(call::absent(input, labels, grid, ctx));
    }
    let mut parameters = Vec::with_capacity(node.parameters.len());
    for parameter in std::mem::take(&mut node.parameters) {
        parameters.push(series(parameter, &grid, ctx)?);
    }
    match node.input.shape() {
        Shape::Rows(Signal::Metrics) => {
            let Node::Scan(scan) = node.input.as_ref() else {
                return Err(impossible("a window over something else than a scan"));
            };
            let windows = windows(&grid, node.range_ns, node.offset_ns, node.at_ns);
            let kernel = kernel(node.function, node.edges, node.start_times);
            let kernel = (kernel, parameters);
            let called = Called { keep_name: node.keep_name, grouping };
            leaf(scan, kernel, windows, called, node.position, ctx)
        }
        Shape::Rows(Signal::Logs) => super::logs::window(node, ctx),
        Shape::Vector | Shape::Scalar => {
            let Some(input_grid) = node.input_grid else {
                return Err(impossible("a window over series without their grid"));
            };
            let windows = windows(&grid, node.range_ns, node.offset_ns, node.at_ns);
            let mut inputs = vec![series(*node.input, &input_grid, ctx)?];
            inputs.append(&mut parameters);
            let work = TileWindow {
                function: node.function,
                input_grid,
                windows,
                keep_name: node.keep_name,
                remarks: Remarks::new(&ctx.annotations, node.position),
            };
            Ok(Arc::new(TileWindowExec::new(inputs, work, Arc::clone(&ctx.roster))))
        }
        _ => Err(impossible("a window over spans")),
    }
}

fn kernel(function: WindowFunction, edges: Edges, start_times: bool) -> Kernel {
    let reach = |lookback_ns: i64, smoothed: bool| Reach {
        lookback: lookback_ns / NANOS_PER_MILLI,
        smoothed,
    };
    match edges {
        Edges::Plain if start_times => Kernel::Started(function),
        Edges::Plain => Kernel::Function(function),
        Edges::Anchored { lookback_ns } => Kernel::Edged(function, reach(lookback_ns, false)),
        Edges::Smoothed { lookback_ns } => Kernel::Edged(function, reach(lookback_ns, true)),
    }
}

fn aggregate(
    node: Aggregate,
    grid: &StepGrid,
    ctx: &Context,
) -> Result<Arc<dyn ExecutionPlan>, Error> {
    let grouping = Some(&node.grouping).filter(|_| forgets_series(&node.op));
    let mut inputs = vec![grouped(*node.input, grid, grouping, ctx)?];
    if let Some(parameter) = node.parameter {
        inputs.push(series(*parameter, grid, ctx)?);
    }
    let place = |of: fn(&AggregatePlaces) -> Position| {
        Remarks::new(&ctx.annotations, node.places.as_ref().map(of))
    };
    let remarks = AggregateRemarks {
        whole: place(|places| places.whole),
        input: place(|places| places.input),
        parameter: place(|places| places.parameter),
    };
    let aggregation = Aggregation { op: node.op, grouping: node.grouping, remarks };
    let roster = Arc::clone(&ctx.roster);
    Ok(Arc::new(AggregateExec::new(inputs, aggregation, grid.steps, roster)))
}

/// Whether it is of no matter which series of a group a value is of.
fn forgets_series(op: &AggregateOp) -> bool {
    use AggregateOp as A;
    match op {
        A::Sum | A::Avg | A::Min | A::Max | A::Count | A::Group | A::Stddev | A::Stdvar => true,
        A::Quantile | A::CountValues(_) => true,
        A::TopK | A::BottomK | A::LimitK | A::LimitRatio => false,
    }
}

fn binary(node: Binary, grid: &StepGrid, ctx: &Context) -> Result<Arc<dyn ExecutionPlan>, Error> {
    let operands = match (node.left.shape(), node.right.shape()) {
        (Shape::Vector, Shape::Vector) => Operands::Vectors,
        (Shape::Vector, Shape::Scalar) => Operands::VectorScalar,
        (Shape::Scalar, Shape::Vector) => Operands::ScalarVector,
        (Shape::Scalar, Shape::Scalar) => Operands::Scalars,
        _ => return Err(impossible("an operation between rows")),
    };
    let inputs = [series(*node.left, grid, ctx)?, series(*node.right, grid, ctx)?];
    let remarks = Remarks::new(&ctx.annotations, node.position);
    let operation = Operation { op: node.op, matching: node.matching, operands, remarks };
    let roster = Arc::clone(&ctx.roster);
    Ok(Arc::new(BinaryExec::new(inputs, operation, grid.steps, roster)))
}
