//! What becomes of queries: times, grids, constants.

use plan::expr::CompareOp;
use plan::node::{
    AggregateOp, BinaryOp, Cardinality, MatchOn, Sample, SortBy, Window, WindowFunction,
};
use plan::{Node, Shape};
use schemas::model::{Direction, Grouping, MatchOp, Matcher, StepGrid, TimeRange};

use super::*;

const SECOND: i64 = 1_000_000_000;

fn root_on(text: &str, grid: StepGrid) -> Node {
    crate::query(text, grid, &Options::default()).unwrap_or_else(|e| panic!("{text}: {e}")).root
}

/// Over ten minutes from 1,000 s on, a step a minute.
fn range_root(text: &str) -> Node {
    root_on(text, StepGrid::new(1_000 * SECOND, 1_600 * SECOND, 60 * SECOND))
}

/// At 1,000 s.
fn instant_root(text: &str) -> Node {
    root_on(text, StepGrid::instant(1_000 * SECOND))
}

fn sample(node: Node) -> Sample {
    let Node::Sample(sample) = node else { panic!("no sample: {node:?}") };
    sample
}

fn window(node: Node) -> Window {
    let Node::Window(window) = node else { panic!("no window: {node:?}") };
    window
}

/// The seconds that a scan leaves out and takes in: `(first, last]`.
fn scanned(node: &Node) -> (i64, i64) {
    let Node::Scan(scan) = node else { panic!("no scan: {node:?}") };
    let TimeRange { start_ns, end_ns } = scan.selector.range;
    assert_eq!(((start_ns - 1) % SECOND, (end_ns - 1) % SECOND), (0, 0));
    ((start_ns - 1) / SECOND, (end_ns - 1) / SECOND)
}

fn number(node: Node) -> f64 {
    let Node::Number(value) = node else { panic!("no number: {node:?}") };
    value
}

#[test]
fn instant_selectors() {
    for (text, offset, at, times) in [
        ("up", 0, None, (700, 1_600)),
        ("up offset 5m", 300, None, (400, 1_300)),
        ("up offset -1m", -60, None, (760, 1_660)),
        ("up offset (step()*2)", 120, None, (580, 1_480)),
        ("up offset range()", 600, None, (100, 1_000)),
        ("up @ 50", 0, Some(50), (-250, 50)),
        ("up @ start() offset 1m", 60, Some(1_000), (640, 940)),
        ("up @ end()", 0, Some(1_600), (1_300, 1_600)),
    ] {
        let sample = sample(range_root(text));
        assert_eq!(sample.offset_ns, offset * SECOND, "{text}");
        assert_eq!(sample.at_ns, at.map(|at: i64| at * SECOND), "{text}");
        assert_eq!(sample.lookback_ns, 300 * SECOND);
        assert_eq!(scanned(&sample.input), times, "{text}");
    }
}

#[test]
fn matchers_of_a_scan() {
    let sample = sample(instant_root("up{job!=\"a\", x=~\"b\"}"));
    let Node::Scan(scan) = *sample.input else { panic!("no scan") };
    let expected = [
        Matcher::new("__name__", MatchOp::Equal, "up"),
        Matcher::new("job", MatchOp::NotEqual, "a"),
        Matcher::new("x", MatchOp::Regex, "b"),
    ];
    assert_eq!(scan.selector.matchers, expected);
}

#[test]
fn range_selectors() {
    for (text, function, range, times) in [
        ("rate(x[5m])", WindowFunction::Rate, 300, (700, 1_600)),
        ("rate((x[5m] offset 1m))", WindowFunction::Rate, 300, (640, 1_540)),
        ("idelta(x[30] @ 100)", WindowFunction::Idelta, 30, (70, 100)),
        ("sum_over_time(x[step()])", WindowFunction::Sum, 60, (940, 1_600)),
        ("quantile_over_time(1/4, x[1m])", WindowFunction::Quantile(0.25), 60, (940, 1_600)),
        ("predict_linear(x[1m], 1h)", WindowFunction::PredictLinear(3600.0), 60, (940, 1_600)),
    ] {
        let window = window(range_root(text));
        assert_eq!(window.function, function, "{text}");
        assert_eq!(window.range_ns, range * SECOND, "{text}");
        assert_eq!(scanned(&window.input), times, "{text}");
        assert_eq!((window.input_grid, window.keep_name), (None, false));
    }
    assert!(window(range_root("last_over_time(x[1m])")).keep_name);
    assert!(window(range_root("first_over_time(x[1m])")).keep_name);
}

#[test]
fn milliseconds_are_the_finest() {
    assert_eq!(window(range_root("rate(x[1.0019])")).range_ns, 1_001_000_000);
    assert_eq!(sample(range_root("x offset -1.0019")).offset_ns, -1_001_000_000);
    assert_eq!(sample(range_root("x @ 1.0016")).at_ns, Some(1_002_000_000));
}

fn subquery_times(grid: StepGrid, text: &str) -> (i64, i64, u32) {
    let window = window(root_on(text, grid));
    let inner = window.input_grid.expect("a subquery has a grid");
    (inner.start_ns / SECOND, inner.step_ns / SECOND, inner.steps)
}

#[test]
fn subqueries() {
    let grid = StepGrid::instant(1_000 * SECOND);
    for (text, expected) in [
        // (700, 1000] holds 720, 780, … 960.
        ("rate(x[5m:])", (720, 60, 5)),
        ("rate(x[5m:100s])", (800, 100, 3)),
        ("rate(x[100s:100s])", (1_000, 100, 1)),
        ("rate(x[5m:1m] offset 5m)", (420, 60, 5)),
        ("rate(x[5m:1m] @ 0)", (-240, 60, 5)),
        ("rate(x[90s:1m] @ -30)", (-60, 60, 1)),
        // (980, 1000] holds none: the next one, which the window does not see.
        ("rate(x[20s:1m])", (1_020, 60, 1)),
    ] {
        assert_eq!(subquery_times(grid, text), expected, "{text}");
    }
    let grid = StepGrid::new(1_000 * SECOND, 1_100 * SECOND, 30 * SECOND);
    assert_eq!(subquery_times(grid, "rate(x[1m:1m])"), (960, 60, 3));
    // The selector inside is read for the steps of the subquery.
    let outer = window(instant_root("max_over_time(rate(x[1m] offset 10s)[5m:1m])"));
    let inner = window(*outer.input);
    assert_eq!(Some(inner.grid), outer.input_grid);
    assert_eq!(scanned(&inner.input), (650, 950));
    // Times of the query stay those of the whole query.
    let outer = window(range_root("max_over_time((x @ end())[5m:1m])"));
    assert_eq!(sample(*outer.input).at_ns, Some(1_600 * SECOND));
}

#[test]
fn constants() {
    for (text, value) in [
        ("1 + 2 * 3", 7.0),
        ("2 ^ 3 ^ 2", 512.0),
        ("-2 ^ 2", -4.0),
        ("-7 % 3", -1.0),
        ("1 / 0", f64::INFINITY),
        ("1 atan2 0", std::f64::consts::FRAC_PI_2),
        ("1 < bool 2", 1.0),
        ("NaN == bool NaN", 0.0),
        ("pi()", std::f64::consts::PI),
        ("start()", 1_000.0),
        ("end() - start() - range()", 0.0),
        ("step()", 60.0),
        ("min_of(1, 2) + max_of(3, 4)", 5.0),
        ("5m", 300.0),
    ] {
        assert_eq!(number(range_root(text)), value, "{text}");
    }
    assert!(number(range_root("min_of(NaN, 1)")).is_nan());
    assert_eq!(number(instant_root("step() + range()")), 0.0);
    assert_eq!(range_root("-time()").shape(), Shape::Scalar);
    assert_eq!(range_root("scalar(x) + 1").shape(), Shape::Scalar);
}

#[test]
fn operators() {
    let Node::Binary(keep) = range_root("1 < x") else { panic!("no operation") };
    assert_eq!(keep.op, BinaryOp::Keep(CompareOp::Less));
    let text = "a / on (x) group_right (y) b";
    let Node::Binary(divide) = range_root(text) else { panic!("no operation") };
    assert_eq!(divide.matching.on, MatchOn::On(vec!["x".to_owned()]));
    assert_eq!(divide.matching.cardinality, Cardinality::OneToMany(vec!["y".to_owned()]));
    let Node::Binary(or) = range_root("a or ignoring (z) b") else { panic!("no operation") };
    assert_eq!((or.op, or.matching.cardinality), (BinaryOp::Or, Cardinality::OneToOne));
    assert!(matches!(range_root("+x"), Node::Sample(_)));
    let Node::Call(negate) = range_root("-x") else { panic!("no call") };
    assert_eq!(negate.function, Function::Negate);
}

#[test]
fn aggregations() {
    let Node::Aggregate(sum) = range_root("sum(x)") else { panic!("no aggregation") };
    assert_eq!((sum.op, sum.grouping), (AggregateOp::Sum, Grouping::By(Vec::new())));
    let text = "topk(scalar(k), x) without (a)";
    let Node::Aggregate(top) = range_root(text) else { panic!("no aggregation") };
    assert_eq!(top.grouping, Grouping::Without(vec!["a".to_owned()]));
    assert_eq!(top.parameter.map(|k| k.shape()), Some(Shape::Scalar));
    let Node::Aggregate(count) = range_root("count_values(\"v\", x)") else { panic!("none") };
    assert_eq!(count.op, AggregateOp::CountValues("v".to_owned()));
    assert!(count.parameter.is_none());
}

#[test]
fn calls() {
    let Node::Call(hour) = range_root("hour()") else { panic!("no call") };
    let [Node::Call(vector)] = hour.arguments.as_slice() else { panic!("no argument") };
    assert!(matches!(vector.arguments.as_slice(), [Node::Time]));
    let Node::Call(round) = range_root("round(x)") else { panic!("no call") };
    assert!(matches!(round.arguments.as_slice(), [Node::Sample(_), Node::Number(1.0)]));
    let text = "absent(x{a=\"1\", b=\"2\", b=\"3\", c!=\"4\", d=\"5\", d=~\"5\", e=\"\"})";
    let Node::Call(absent) = range_root(text) else { panic!("no call") };
    assert_eq!(absent.function, Function::Absent(vec![("a".to_owned(), "1".to_owned())]));
    let absent = window(range_root("absent_over_time(x{a=\"1\"}[1m])"));
    let labels = vec![("a".to_owned(), "1".to_owned())];
    assert_eq!(absent.function, WindowFunction::Absent(labels));
    let Node::Call(join) = range_root("label_join(x, 'a', '-', 'b', 'c')") else { panic!("none") };
    let function = Function::LabelJoin {
        target: "a".to_owned(),
        separator: "-".to_owned(),
        sources: vec!["b".to_owned(), "c".to_owned()],
    };
    assert_eq!((join.function, join.arguments.len()), (function, 1));
}

#[test]
fn order_matters_at_the_root_of_an_instant_query() {
    let Node::Sort(sort) = instant_root("(sort_desc(x))") else { panic!("no sort") };
    assert_eq!(sort.by, SortBy::ValueDescending);
    let text = "sort_by_label_desc(x, 'a', 'b')";
    let Node::Sort(sort) = instant_root(text) else { panic!("no sort") };
    let names = vec!["a".to_owned(), "b".to_owned()];
    assert_eq!(sort.by, SortBy::Labels(names, Direction::Backward));
    assert!(matches!(range_root("sort(x)"), Node::Sample(_)));
    assert!(matches!(instant_root("sort(x) + 1"), Node::Binary(_)));
}

#[test]
fn texts() {
    let Node::Text(text) = instant_root("('a')") else { panic!("no text") };
    assert_eq!(text, "a");
}
