//! Calls: functions of series.

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;
use plan::Node;
use plan::node::{Call, Function};
use schemas::model::{Label, Labels, StepGrid, compile_anchored};

use super::selection::Called;
use super::series::{sample, series};
use super::{Context, impossible};
use crate::annotations::Remarks;
use crate::operators::{
    Change, FunctionExec, HistogramExec, HistogramStatistic, InfoExec, InfoMatchers, Kernel,
    ScalarOfExec,
};
use crate::{Error, ErrorKind};

/// Lowers a call; its arguments have the steps of `grid`.
pub(super) fn call(
    node: Call,
    grid: &StepGrid,
    ctx: &Context,
) -> Result<Arc<dyn ExecutionPlan>, Error> {
    if let (Function::Timestamp, [Node::Sample(selector)]) =
        (&node.function, node.arguments.as_slice())
    {
        return sample(selector, Kernel::NewestTime, Called::each(false), ctx);
    }
    if let (Function::Info { names, labels }, [_, Node::Sample(selector)]) =
        (&node.function, node.arguments.as_slice())
    {
        let labels_ready = super::compile(labels)?;
        let matchers = Arc::new(InfoMatchers {
            names: super::compile(names)?,
            added: labels.iter().map(|matcher| matcher.label.clone()).collect(),
            keeps_lone: labels_ready.iter().all(|matcher| matcher.matches("")),
        });
        let info = sample(selector, Kernel::InfoTime, Called::each(true), ctx)?;
        let mut arguments = node.arguments;
        let inputs = vec![series(arguments.swap_remove(0), grid, ctx)?, info];
        return Ok(Arc::new(InfoExec::new(inputs, matchers, grid.steps, Arc::clone(&ctx.roster))));
    }
    let mut inputs = Vec::with_capacity(node.arguments.len());
    for argument in node.arguments {
        inputs.push(series(argument, grid, ctx)?);
    }
    if inputs.is_empty() {
        return Err(impossible("a call without arguments"));
    }
    let remarks = node.positions.iter().map(|at| Remarks::new(&ctx.annotations, Some(*at)));
    let remarks: Vec<Remarks> = remarks.collect();
    let roster = Arc::clone(&ctx.roster);
    let change = match node.function {
        Function::HistogramQuantile => {
            let statistic = HistogramStatistic::Quantile;
            return Ok(Arc::new(HistogramExec::new(inputs, statistic, remarks, grid, roster)));
        }
        Function::HistogramFraction => {
            let statistic = HistogramStatistic::Fraction;
            return Ok(Arc::new(HistogramExec::new(inputs, statistic, remarks, grid, roster)));
        }
        Function::Scalar => {
            let input = inputs.swap_remove(0);
            return Ok(Arc::new(ScalarOfExec::new(input, grid.steps, &ctx.roster)?));
        }
        Function::Info { .. } => return Err(impossible("info series that are no selector")),
        Function::HistogramQuantiles(label) => {
            let statistic = HistogramStatistic::Quantiles(label);
            return Ok(Arc::new(HistogramExec::new(inputs, statistic, remarks, grid, roster)));
        }
        Function::Histogram(number) => Change::Histogram(number),
        Function::Map(function) => Change::Map(function),
        Function::Negate => Change::Negate,
        Function::Round => Change::Round,
        Function::Clamp => Change::Clamp,
        Function::ClampMin => Change::ClampMin,
        Function::ClampMax => Change::ClampMax,
        Function::Absent(pairs) => Change::Absent(labels(&pairs)),
        Function::Vector => Change::Nothing,
        Function::Timestamp => Change::StepTime,
        Function::LabelReplace { target, replacement, source, pattern } => {
            let pattern = compile_anchored(&pattern).map_err(|error| {
                Error::with_source(ErrorKind::Invalid, error.to_string(), error)
            })?;
            Change::LabelReplace { target, replacement, source, pattern }
        }
        Function::LabelJoin { target, separator, sources } => {
            Change::LabelJoin { target, separator, sources }
        }
    };
    Ok(Arc::new(FunctionExec::new(inputs, change, *grid, roster)))
}

/// 1 where `input` has no value.
pub(super) fn absent(
    input: Arc<dyn ExecutionPlan>,
    labels: Labels,
    grid: StepGrid,
    ctx: &Context,
) -> Arc<dyn ExecutionPlan> {
    let roster = Arc::clone(&ctx.roster);
    Arc::new(FunctionExec::new(vec![input], Change::Absent(labels), grid, roster))
}

/// A label set from pairs.
pub(super) fn labels(pairs: &[(String, String)]) -> Labels {
    pairs.iter().map(|(name, value)| Label::new(name.as_str(), value.as_str())).collect()
}
