//! Metric expressions.

use plan::Node;
use plan::expr::{ArithmeticOp, Expr};
use plan::node::{
    Aggregate, AggregateOp, Binary, BinaryOp as PlanOp, Call, Cardinality, Edges, Function,
    MatchOn, Matching, Sort, SortBy, Unwrap, UnwrapAs, Window, WindowFunction,
};
use schemas::model::{Grouping, MatchOp, Matcher, StepGrid, TimeRange, compile_anchored};

use super::{filter, pipeline, scan};
use crate::Error;
use crate::syntax::ast::{
    self, BinaryExpr, BinaryOp, Comparison, Conversion, LabelReplace, MatchingExpr, MetricExpr,
    RangeAggregation, RangeOp, UnwrapExpr, VectorAggregation, VectorOp,
};

/// The plan of a metric query. A sort orders the whole result, wherever it stands, and only
/// if there is one step.
pub(super) fn lower(expr: &MetricExpr, grid: StepGrid) -> Result<Node, Error> {
    let root = lower_expr(expr, grid)?;
    let order = if grid.steps <= 1 { sort_order(expr) } else { None };
    Ok(match order {
        Some(by) => Node::Sort(Sort { input: Box::new(root), by }),
        None => root,
    })
}

/// The order that the outermost sort asks for.
fn sort_order(expr: &MetricExpr) -> Option<SortBy> {
    match expr {
        MetricExpr::Vector(vector) => match vector.op {
            VectorOp::Sort => Some(SortBy::Value),
            VectorOp::SortDesc => Some(SortBy::ValueDescending),
            _ => sort_order(&vector.input),
        },
        MetricExpr::Binary(binary) => {
            sort_order(&binary.left).or_else(|| sort_order(&binary.right))
        }
        MetricExpr::LabelReplace(replace) => sort_order(&replace.input),
        MetricExpr::Range(_) | MetricExpr::Literal(_) | MetricExpr::Constant(_) => None,
    }
}

fn lower_expr(expr: &MetricExpr, grid: StepGrid) -> Result<Node, Error> {
    match expr {
        MetricExpr::Range(range) => lower_range(range, grid, None),
        MetricExpr::Vector(vector) => lower_vector(vector, grid),
        MetricExpr::Binary(binary) => lower_binary(binary, grid),
        MetricExpr::Literal(number) => Ok(Node::Number(*number)),
        MetricExpr::LabelReplace(replace) => lower_label_replace(replace, grid),
        MetricExpr::Constant(number) => {
            Ok(Node::Call(Call::new(Function::Vector, vec![Node::Number(*number)])))
        }
    }
}

/// `outer` is what a sum around the aggregation groups by.
fn lower_range(
    range: &RangeAggregation,
    grid: StepGrid,
    outer: Option<Grouping>,
) -> Result<Node, Error> {
    let rows = scan(&range.log.matchers, scanned(range, grid)?);
    let input = Box::new(pipeline::lower(rows, &range.log.stages)?);
    let unwrap = range.unwrap.as_ref().map(lower_unwrap).transpose()?;
    Ok(Node::Window(Window {
        parameters: Vec::new(),
        input,
        input_grid: None,
        grid,
        range_ns: range.range_ns,
        offset_ns: range.offset_ns,
        at_ns: None,
        edges: Edges::Plain,
        start_times: false,
        function: window_function(range),
        keep_name: false,
        unwrap,
        grouping: range.grouping.as_ref().map(lower_grouping).or(outer),
        position: None,
    }))
}

/// The records that any window of the grid holds: windows are open on the left.
fn scanned(range: &RangeAggregation, grid: StepGrid) -> Result<TimeRange, Error> {
    let shift = |at_ns: i64, by_ns: i64| at_ns.checked_sub(by_ns);
    let start_ns = shift(grid.start_ns, range.offset_ns)
        .and_then(|at_ns| shift(at_ns, range.range_ns))
        .and_then(|at_ns| at_ns.checked_add(1));
    let end_ns = shift(grid.last_ns(), range.offset_ns).and_then(|at_ns| at_ns.checked_add(1));
    match (start_ns, end_ns) {
        (Some(start_ns), Some(end_ns)) => Ok(TimeRange { start_ns, end_ns }),
        _ => Err(Error::invalid("the window reaches beyond the times that can be told")),
    }
}

fn window_function(range: &RangeAggregation) -> WindowFunction {
    match range.op {
        RangeOp::Count => WindowFunction::Count,
        RangeOp::Rate => WindowFunction::PerSecond,
        RangeOp::RateCounter => WindowFunction::RateCounter,
        RangeOp::Bytes => WindowFunction::Bytes,
        RangeOp::BytesRate => WindowFunction::BytesPerSecond,
        RangeOp::Avg => WindowFunction::Avg,
        RangeOp::Sum => WindowFunction::Sum,
        RangeOp::Min => WindowFunction::Min,
        RangeOp::Max => WindowFunction::Max,
        RangeOp::Stdvar => WindowFunction::Stdvar,
        RangeOp::Stddev => WindowFunction::Stddev,
        RangeOp::Quantile => WindowFunction::Quantile(range.parameter.unwrap_or(f64::NAN)),
        RangeOp::First => WindowFunction::First,
        RangeOp::Last => WindowFunction::Last,
        RangeOp::Absent => WindowFunction::Absent(absent_labels(&range.log.matchers)),
    }
}

/// Labels that the selector fixes; one that it names twice is not fixed.
fn absent_labels(matchers: &[Matcher]) -> Vec<(String, String)> {
    let named = |label: &str| matchers.iter().filter(|matcher| matcher.label == label).count();
    let mut labels: Vec<(String, String)> = matchers
        .iter()
        .filter(|matcher| matcher.op == MatchOp::Equal && !matcher.value.is_empty())
        .filter(|matcher| named(&matcher.label) == 1)
        .map(|matcher| (matcher.label.clone(), matcher.value.clone()))
        .collect();
    labels.sort();
    labels
}

fn lower_unwrap(unwrap: &UnwrapExpr) -> Result<Unwrap, Error> {
    let read_as = match unwrap.conversion {
        Conversion::Number => UnwrapAs::Number,
        Conversion::Bytes => UnwrapAs::Bytes,
        Conversion::Duration | Conversion::DurationSeconds => UnwrapAs::Seconds,
    };
    let filters: Vec<Expr> =
        unwrap.filters.iter().map(filter::lower_label).collect::<Result<_, _>>()?;
    let filter = (!filters.is_empty()).then_some(Expr::And(filters));
    Ok(Unwrap { label: unwrap.label.clone(), read_as, filter })
}

fn lower_grouping(grouping: &ast::Grouping) -> Grouping {
    let labels = grouping.labels.clone();
    if grouping.without { Grouping::Without(labels) } else { Grouping::By(labels) }
}

fn lower_vector(vector: &VectorAggregation, grid: StepGrid) -> Result<Node, Error> {
    let written = vector.grouping.as_ref().map(lower_grouping);
    let grouping = written.clone().unwrap_or(Grouping::By(Vec::new()));
    let input = match vector.input.as_ref() {
        // Only a sum of what adds up may look at its own labels alone: this decides how much of
        // a line is parsed, and with it which errors a query can meet.
        MetricExpr::Range(range)
            if vector.op == VectorOp::Sum && range.grouping.is_none() && adds_up(range.op) =>
        {
            lower_range(range, grid, Some(grouping.clone()))?
        }
        input => lower_expr(input, grid)?,
    };
    let input = Box::new(input);
    let op = match vector.op {
        VectorOp::Sort | VectorOp::SortDesc => return Ok(*input),
        VectorOp::Sum => AggregateOp::Sum,
        VectorOp::Avg => AggregateOp::Avg,
        VectorOp::Count => AggregateOp::Count,
        VectorOp::Max => AggregateOp::Max,
        VectorOp::Min => AggregateOp::Min,
        VectorOp::Stddev => AggregateOp::Stddev,
        VectorOp::Stdvar => AggregateOp::Stdvar,
        VectorOp::Bottomk => AggregateOp::BottomK,
        VectorOp::Topk | VectorOp::ApproxTopk => AggregateOp::TopK,
    };
    let parameter = vector.parameter.map(|count| Box::new(Node::Number(count)));
    Ok(Node::Aggregate(Aggregate { input, op, parameter, grouping, places: None }))
}

/// Whether the sum over parts is the value of the whole.
fn adds_up(op: RangeOp) -> bool {
    matches!(
        op,
        RangeOp::Count | RangeOp::Rate | RangeOp::Bytes | RangeOp::BytesRate | RangeOp::Sum
    )
}

fn lower_label_replace(replace: &LabelReplace, grid: StepGrid) -> Result<Node, Error> {
    if let Err(error) = compile_anchored(&replace.pattern) {
        let why = Error::pattern(error);
        return Err(Error::invalid(format!("invalid regex in label_replace: {why}")));
    }
    if !pipeline::is_label_name(&replace.target) {
        return Err(Error::invalid(format!(
            "invalid destination label name in label_replace: {}",
            replace.target
        )));
    }
    let function = Function::LabelReplace {
        target: replace.target.clone(),
        replacement: replace.replacement.clone(),
        source: replace.source.clone(),
        pattern: replace.pattern.clone(),
    };
    Ok(Node::Call(Call::new(function, vec![lower_expr(&replace.input, grid)?])))
}

fn lower_binary(binary: &BinaryExpr, grid: StepGrid) -> Result<Node, Error> {
    let left = lower_expr(&binary.left, grid)?;
    let right = lower_expr(&binary.right, grid)?;
    // The parser refuses literals beside a set operator; folding makes new ones.
    if binary.op.is_set() && [&left, &right].iter().any(|leg| matches!(leg, Node::Number(_))) {
        return Err(Error::invalid(format!(
            "unexpected literal for a leg of logical/set binary operation ({})",
            binary.op.word()
        )));
    }
    if let (Node::Number(left), Node::Number(right)) = (&left, &right) {
        return Ok(Node::Number(fold(binary.op, *left, *right)));
    }
    let op = plan_op(binary.op, binary.returns_bool);
    let matching = binary.matching.as_ref().map_or_else(Matching::all_labels, lower_matching);
    let (left, right) = (Box::new(left), Box::new(right));
    Ok(Node::Binary(Binary { left, right, op, matching, position: None }))
}

fn plan_op(op: BinaryOp, returns_bool: bool) -> PlanOp {
    if let Some(comparison) = op.comparison() {
        let comparison = filter::compare_op(comparison);
        return if returns_bool { PlanOp::Test(comparison) } else { PlanOp::Keep(comparison) };
    }
    PlanOp::Arithmetic(match op {
        BinaryOp::Or => return PlanOp::Or,
        BinaryOp::And => return PlanOp::And,
        BinaryOp::Unless => return PlanOp::Unless,
        BinaryOp::Add => ArithmeticOp::Add,
        BinaryOp::Subtract => ArithmeticOp::Subtract,
        BinaryOp::Multiply => ArithmeticOp::Multiply,
        BinaryOp::Divide => ArithmeticOp::DivideOrNan,
        BinaryOp::Modulo => ArithmeticOp::Modulo,
        _ => ArithmeticOp::Power,
    })
}

/// Two literals make a literal, comparisons with or without `bool`.
fn fold(op: BinaryOp, left: f64, right: f64) -> f64 {
    if let Some(comparison) = op.comparison() {
        return f64::from(u8::from(holds(comparison, left, right)));
    }
    match op {
        BinaryOp::Add => left + right,
        BinaryOp::Subtract => left - right,
        BinaryOp::Multiply => left * right,
        BinaryOp::Divide if right == 0.0 => f64::NAN,
        BinaryOp::Divide => left / right,
        BinaryOp::Modulo => left % right,
        BinaryOp::Power => left.powf(right),
        // Set operators and comparisons are dealt with by whoever calls.
        _ => f64::NAN,
    }
}

fn holds(comparison: Comparison, left: f64, right: f64) -> bool {
    match comparison {
        Comparison::Equal => left == right,
        Comparison::NotEqual => left != right,
        Comparison::Less => left < right,
        Comparison::LessEqual => left <= right,
        Comparison::Greater => left > right,
        Comparison::GreaterEqual => left >= right,
    }
}

fn lower_matching(matching: &MatchingExpr) -> Matching {
    let labels = matching.labels.clone();
    let on = if matching.on { MatchOn::On(labels) } else { MatchOn::Ignoring(labels) };
    let cardinality = match &matching.group {
        None => Cardinality::OneToOne,
        Some(group) if group.left => Cardinality::ManyToOne(group.include.clone()),
        Some(group) => Cardinality::OneToMany(group.include.clone()),
    };
    Matching { on, cardinality, ..Matching::all_labels() }
}
