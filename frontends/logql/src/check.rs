//! Rules that the grammar cannot say: which aggregation takes what.

use schemas::model::Matcher;

use crate::Error;
use crate::syntax::ast::{
    Expr, MetricExpr, RangeAggregation, RangeOp, VectorAggregation, VectorOp,
};

/// Refuses what has a tree but no meaning. `instant` tells whether there is only one step.
pub(crate) fn check(expr: &Expr, instant: bool) -> Result<(), Error> {
    match expr {
        Expr::Log(log) => check_matchers(&log.matchers),
        Expr::Metric(metric) => check_metric(metric, instant),
    }
}

fn check_metric(expr: &MetricExpr, instant: bool) -> Result<(), Error> {
    match expr {
        MetricExpr::Range(range) => check_range(range),
        MetricExpr::Vector(vector) => check_vector(vector, instant),
        MetricExpr::Binary(binary) => {
            check_metric(&binary.left, instant)?;
            check_metric(&binary.right, instant)
        }
        MetricExpr::LabelReplace(replace) => check_metric(&replace.input, instant),
        MetricExpr::Literal(_) | MetricExpr::Constant(_) => Ok(()),
    }
}

/// At least one matcher must not accept the empty text, or the query would read all streams.
fn check_matchers(matchers: &[Matcher]) -> Result<(), Error> {
    let mut selective = false;
    for matcher in matchers {
        selective |= !compiled(matcher)?.matches("");
    }
    if selective {
        return Ok(());
    }
    Err(Error::invalid(
        "queries require at least one regexp or equality matcher that does not have an \
         empty-compatible value. For instance, app=~\".*\" does not meet this requirement, but \
         app=~\".+\" will",
    ))
}

/// The matcher ready to be asked, or what is wrong with its pattern.
pub(crate) fn compiled(matcher: &Matcher) -> Result<schemas::model::CompiledMatcher, Error> {
    matcher.compile().map_err(Error::pattern)
}

fn check_range(range: &RangeAggregation) -> Result<(), Error> {
    use RangeOp::{
        Absent, Avg, Bytes, BytesRate, Count, First, Last, Max, Min, Quantile, Rate, RateCounter,
        Stddev, Stdvar, Sum,
    };
    check_matchers(&range.log.matchers)?;
    let op = range.op;
    let word = op.word();
    match (op, &range.unwrap) {
        (Avg | Sum | Min | Max | Stddev | Stdvar | Quantile | First | Last | RateCounter, None) => {
            return Err(Error::invalid(format!("invalid aggregation {word} without unwrap")));
        }
        (Count | Bytes | BytesRate, Some(_)) => {
            return Err(Error::invalid(format!("invalid aggregation {word} with unwrap")));
        }
        (Rate | Absent, _) | (_, Some(_) | None) => {}
    }
    if range.grouping.is_some()
        && !matches!(op, Avg | Stddev | Stdvar | Quantile | Max | Min | First | Last)
    {
        return Err(Error::invalid(format!("grouping not allowed for {word} aggregation")));
    }
    match (op, range.parameter) {
        (Quantile, None) => Err(Error::invalid(format!("parameter required for operation {word}"))),
        (Quantile, Some(_)) | (_, None) => Ok(()),
        (_, Some(parameter)) => {
            Err(Error::invalid(format!("parameter {parameter} not supported for operation {word}")))
        }
    }
}

fn check_vector(vector: &VectorAggregation, instant: bool) -> Result<(), Error> {
    let word = vector.op.word();
    match (vector.op, vector.parameter) {
        (VectorOp::Topk | VectorOp::Bottomk | VectorOp::ApproxTopk, None) => {
            return Err(Error::invalid(format!("parameter required for operation {word}")));
        }
        (VectorOp::Topk | VectorOp::Bottomk | VectorOp::ApproxTopk, Some(count)) => {
            if count.fract() != 0.0 || count > f64::from(i32::MAX) {
                return Err(Error::invalid(format!("invalid parameter {word}({count},")));
            }
            if count <= 0.0 {
                return Err(Error::invalid(format!(
                    "invalid parameter (must be greater than 0) {word}({count}"
                )));
            }
        }
        (_, Some(parameter)) => {
            return Err(Error::invalid(format!(
                "unsupported parameter for operation {word}({parameter},"
            )));
        }
        (_, None) => {}
    }
    let grouped = vector.grouping.as_ref().is_some_and(|grouping| !grouping.labels.is_empty());
    match vector.op {
        VectorOp::Sort | VectorOp::SortDesc if grouped => {
            return Err(Error::invalid("sort and sort_desc doesn't allow grouping by "));
        }
        VectorOp::ApproxTopk if vector.grouping.is_some() => {
            return Err(Error::invalid("grouping not allowed for approx_topk aggregation"));
        }
        VectorOp::ApproxTopk if !instant => {
            return Err(Error::invalid("approx_topk is only supported on instant queries"));
        }
        _ => {}
    }
    check_metric(&vector.input, instant)
}
