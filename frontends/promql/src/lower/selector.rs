//! Selectors and subqueries: what is read, and when.

use std::ops::Range;

use plan::Node;
use plan::node::{Sample, Scan};
use schemas::model::{
    METRIC_NAME, MatchOp, Matcher, NANOS_PER_MILLI, Selector as Selected, Signal, StepGrid,
    TimeRange, TimestampNs,
};

use super::duration::{nanoseconds, positive_nanoseconds};
use super::{Context, SUBQUERY_STEPS_MAX, unsupported};
use crate::Error;
use crate::syntax::ast::{At, Edge, RangeSelector, Selector, Shift, Subquery};

/// What a function of a range works on.
pub(super) struct Input {
    /// A scan, or series on `grid`.
    pub(super) node: Node,
    /// The steps of the series, if it is not a scan.
    pub(super) grid: Option<StepGrid>,
    /// How far back, in nanoseconds.
    pub(super) range_ns: i64,
    /// How it is shifted.
    pub(super) shift: ShiftNs,
}

/// The modifiers `@` and `offset` in nanoseconds.
#[derive(Clone, Copy)]
pub(super) struct ShiftNs {
    /// The fixed evaluation time.
    pub(super) at_ns: Option<TimestampNs>,
    /// How far evaluation is moved back.
    pub(super) offset_ns: i64,
}

/// All matchers of a selector, that of the metric's name first.
pub(crate) fn matchers(selector: Selector) -> Vec<Matcher> {
    let name = selector.name.map(|name| Matcher::new(METRIC_NAME, MatchOp::Equal, name));
    name.into_iter().chain(selector.matchers).collect()
}

/// An instant selector.
pub(super) fn sample(
    selector: Selector,
    span: Range<usize>,
    context: Context<'_>,
) -> Result<Node, Error> {
    let smoothed = match selector.edge {
        None => false,
        Some(Edge::Smoothed) => true,
        Some(edge) => {
            let message = format!("the {} modifier of an instant selector", edge.name());
            return Err(unsupported(&message, span));
        }
    };
    let lookback_ns = context.options.lookback_ns;
    let shift = shift(&selector.shift, &span, context)?;
    let ahead_ns = if smoothed { lookback_ns } else { 0 };
    let range = reach(shift, (lookback_ns, ahead_ns), &span, context.grid)?;
    Ok(Node::Sample(Sample {
        input: Box::new(scan(selector, range)),
        grid: context.grid,
        lookback_ns,
        offset_ns: shift.offset_ns,
        at_ns: shift.at_ns,
        smoothed,
        position: Some(context.position_of(&span)),
    }))
}

/// A range selector; that its edges fit the function is the caller's business.
pub(super) fn range(
    range: RangeSelector,
    span: &Range<usize>,
    context: Context<'_>,
) -> Result<Input, Error> {
    let range_ns = positive_nanoseconds(&range.range, context.query, span)?;
    let shift = shift(&range.selector.shift, span, context)?;
    let lookback_ns = context.options.lookback_ns;
    let (before_ns, ahead_ns) = match range.selector.edge {
        None => (0, 0),
        Some(Edge::Anchored) => (lookback_ns, 0),
        Some(Edge::Smoothed) => (lookback_ns, lookback_ns),
    };
    let back_ns = range_ns.saturating_add(before_ns);
    let reach = reach(shift, (back_ns, ahead_ns), span, context.grid)?;
    Ok(Input { node: scan(range.selector, reach), grid: None, range_ns, shift })
}

/// A subquery: its input is evaluated at the multiples of its step that any window reaches.
pub(super) fn subquery(
    subquery: Subquery,
    span: &Range<usize>,
    context: Context<'_>,
) -> Result<Input, Error> {
    let range_ns = positive_nanoseconds(&subquery.range, context.query, span)?;
    let step_ns = match &subquery.step {
        Some(step) => positive_nanoseconds(step, context.query, span)?,
        None => context.options.subquery_step_ns,
    };
    let shift = shift(&subquery.shift, span, context)?;
    let reach = reach(shift, (range_ns, 0), span, context.grid)?;
    let grid = subquery_grid(reach, step_ns).map_err(|error| error.at(span.clone()))?;
    let node = super::node(subquery.input, Context { grid, ..context })?;
    Ok(Input { node, grid: Some(grid), range_ns, shift })
}

/// The multiples of `step_ns` within a time range, at least one.
///
/// They do not depend on where the query starts, so that results stay the same as time goes on.
fn subquery_grid(reach: TimeRange, step_ns: i64) -> Result<StepGrid, Error> {
    // The range is left-open, and its start one nanosecond after what it leaves out.
    let left_out = reach.start_ns - 1;
    let last_ns = reach.end_ns - 1;
    let mut start_ns = left_out / step_ns * step_ns;
    if start_ns <= left_out {
        start_ns = start_ns.checked_add(step_ns).ok_or_else(out_of_bounds)?;
    }
    // Where no multiple is reached the next one stands in: no window sees it, and no grid is empty.
    let last_ns = last_ns.max(start_ns);
    let gaps = last_ns.checked_sub(start_ns).ok_or_else(out_of_bounds)? / step_ns;
    match u32::try_from(gaps + 1) {
        Ok(steps) if steps <= SUBQUERY_STEPS_MAX => Ok(StepGrid { start_ns, step_ns, steps }),
        _ => {
            let message = format!("subquery has more than {SUBQUERY_STEPS_MAX} steps");
            Err(plan::Error::limit(message).into())
        }
    }
}

fn scan(selector: Selector, range: TimeRange) -> Node {
    let matchers = matchers(selector);
    Node::Scan(Scan { selector: Selected { signal: Signal::Metrics, matchers, range } })
}

fn shift(shift: &Shift, span: &Range<usize>, context: Context<'_>) -> Result<ShiftNs, Error> {
    let at_ns = match shift.at {
        None => None,
        Some(At::Start) => Some(context.query.start_ns),
        Some(At::End) => Some(context.query.last_ns()),
        Some(At::TimeMs(time)) => {
            let at_ns = time.checked_mul(NANOS_PER_MILLI);
            Some(at_ns.ok_or_else(|| out_of_bounds().at(span.clone()))?)
        }
    };
    let offset_ns = match &shift.offset {
        None => 0,
        Some(offset) => nanoseconds(offset, context.query, span)?,
    };
    Ok(ShiftNs { at_ns, offset_ns })
}

/// The times that windows see at the steps of `grid`, which reach so far back and ahead.
///
/// ```text
///   first - offset - back       first - offset        last - offset + ahead
///   ├───────────────────────────────┤         …                 ┤
///   left out: start is 1 ns later                  taken: end is 1 ns later
/// ```
fn reach(
    shift: ShiftNs,
    (back_ns, ahead_ns): (i64, i64),
    span: &Range<usize>,
    grid: StepGrid,
) -> Result<TimeRange, Error> {
    let first_ns = shift.at_ns.unwrap_or(grid.start_ns);
    let last_ns = shift.at_ns.unwrap_or(grid.last_ns());
    let start_ns = first_ns
        .checked_sub(shift.offset_ns)
        .and_then(|start| start.checked_sub(back_ns))
        .and_then(|start| start.checked_add(1));
    let end_ns = last_ns
        .checked_sub(shift.offset_ns)
        .and_then(|end| end.checked_add(ahead_ns))
        .and_then(|end| end.checked_add(1));
    match (start_ns, end_ns) {
        (Some(start_ns), Some(end_ns)) => Ok(TimeRange { start_ns, end_ns }),
        _ => Err(out_of_bounds().at(span.clone())),
    }
}

fn out_of_bounds() -> Error {
    Error::invalid("selected time is out of bounds: it must lie within 292 years around 1970")
}
