//! Whole searches: from the plan to the traces that are returned.

use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Int64Type;
use arrow::util::display::array_value_to_string;
use plan::Node;
use plan::node::{
    Filter, Scan, Spanset, SpansetAggregate, SpansetBinary, SpansetFilter, SpansetOp,
    SpansetRelation,
};
use schemas::model::{Selector, Signal, TimeRange};

use super::*;
use crate::spansets::structure::{Link, NestedSet, nested_sets};

fn every_span() -> Node {
    let selector = Selector { signal: Signal::Traces, matchers: Vec::new(), range: TimeRange::ALL };
    Node::Spanset(Spanset { input: Box::new(Node::Scan(Scan { selector })), select: Vec::new() })
}

fn filter(predicate: Expr) -> Node {
    let Node::Spanset(Spanset { input, select }) = every_span() else { unreachable!() };
    let input = Box::new(Node::Filter(Filter { input, predicate }));
    Node::Spanset(Spanset { input, select })
}

fn named(pattern: &str) -> Node {
    filter(Expr::Matches {
        input: Box::new(intrinsic(Intrinsic::Name)),
        pattern: compile_anchored(pattern).expect("a pattern"),
    })
}

fn binary(op: SpansetOp, left: Node, right: Node) -> Node {
    Node::SpansetBinary(SpansetBinary { left: Box::new(left), right: Box::new(right), op })
}

fn run(node: Node, limit: usize, spans: &[Span]) -> RecordBatch {
    let search = Arc::new(Search::compile(node).expect("a search"));
    let all = batch(spans);
    let schema = all.schema();
    let position = |name: &str| schema.index_of(name).expect("a column");
    let read: Vec<usize> = search.columns(&schema).iter().map(|name| position(name)).collect();
    let rows = all.project(&read).expect("columns");
    let mut collector = search.collector(limit, crate::QueryMemory::default().hold("spans"));
    // Two batches, so that traces are cut in the middle.
    let middle = rows.num_rows() / 2;
    for part in [rows.slice(0, middle), rows.slice(middle, rows.num_rows() - middle)] {
        let mask = search.candidate(&part).expect("a mask");
        let kept = filter_record_batch(&part, &mask).expect("rows");
        collector.push(&kept).expect("candidates");
    }
    let wanted = collector.candidates().expect("candidates");
    assert!(wanted.iter().all(|id| id[15] > 0));
    let summary = all.project(&SUMMARY_COLUMNS.iter().map(|it| position(it)).collect::<Vec<_>>());
    let summary = summary.expect("columns");
    collector.push_summary(&summary).expect("summaries");
    collector.finish().expect("traces")
}

/// Traces with the names of their selected spans: `trace: op1 op2`.
fn found(node: Node, spans: &[Span]) -> Vec<String> {
    let rows = run(node, 20, spans);
    let ids = rows.column_by_name("trace_id").expect("ids").as_fixed_size_binary();
    let lists = rows.column_by_name("spans").expect("spans").as_list::<i32>();
    let matched = rows.column_by_name("matched").expect("counts").as_primitive::<Int64Type>();
    (0..rows.num_rows())
        .map(|row| {
            let spans = lists.value(row);
            let names = spans.as_struct().column_by_name("name").expect("names");
            let names: Vec<String> = (0..names.len())
                .map(|at| array_value_to_string(names, at).expect("a text"))
                .collect();
            assert_eq!(matched.value(row), names.len() as i64);
            format!("{}: {}", ids.value(row)[15], names.join(" "))
        })
        .collect()
}

/// Trace 1 is `op1 ─┬ op2 ── op3`, `└ op4`; trace 2 holds two orphans `op5 ── op6`.
fn family() -> Vec<Span> {
    vec![
        Span::new(1, 1),
        Span::new(2, 5).child_of(99),
        Span::new(1, 2).child_of(1),
        Span::new(1, 3).child_of(2),
        Span::new(2, 6).child_of(5),
        Span::new(1, 4).child_of(1),
    ]
}

#[test]
fn relations_hold_within_a_trace() {
    use SpansetRelation::{Child, Descendant, Parent, Sibling};
    for (op, left, right, expected) in [
        (SpansetOp::And, "op1", "op3", vec!["1: op1 op3"]),
        (SpansetOp::And, "op1", "op5", vec![]),
        (SpansetOp::Or, "op1", "op5", vec!["2: op5", "1: op1"]),
        (SpansetOp::Child, "op1", "op.", vec!["1: op2 op4"]),
        (SpansetOp::Parent, "op3", "op.", vec!["1: op2"]),
        (SpansetOp::Descendant, "op1", "op[34]", vec!["1: op3 op4"]),
        (SpansetOp::Descendant, "op5", "op.", vec!["2: op6"]),
        (SpansetOp::Ancestor, "op3", "op.", vec!["1: op1 op2"]),
        (SpansetOp::Sibling, "op2", "op.", vec!["1: op4"]),
        (SpansetOp::Sibling, "op.", "op.", vec!["1: op2 op4"]),
        (SpansetOp::Unrelated(Child), "op1", "op.", vec!["2: op5 op6", "1: op1 op3"]),
        (SpansetOp::Unrelated(Child), "none", "op6", vec!["2: op6"]),
        (SpansetOp::Unrelated(Descendant), "op2", "op.", vec!["2: op5 op6", "1: op1 op2 op4"]),
        (SpansetOp::Pairs(Child), "op[12]", "op3", vec!["1: op2 op3"]),
        (SpansetOp::Pairs(Parent), "op3", "op.", vec!["1: op2 op3"]),
        (SpansetOp::Pairs(Descendant), "op1", "op3", vec!["1: op1 op3"]),
        (SpansetOp::Pairs(Sibling), "op2", "op4", vec!["1: op2 op4"]),
    ] {
        let rows = found(binary(op, named(left), named(right)), &family());
        assert_eq!(rows, expected, "{left} {op:?} {right}");
    }
}

#[test]
fn lone_roots_are_siblings_and_circles_end() {
    let roots = [Span::new(1, 1), Span::new(1, 2)];
    let siblings = binary(SpansetOp::Sibling, every_span(), every_span());
    assert_eq!(found(siblings.clone(), &roots), ["1: op1 op2"]);
    let orphans = [Span::new(1, 1).child_of(9), Span::new(1, 2).child_of(9)];
    assert_eq!(found(siblings, &orphans), [""; 0]);
    let circle = [Span::new(1, 1).child_of(2), Span::new(1, 2).child_of(1)];
    let below = binary(SpansetOp::Descendant, named("op1"), named("op2"));
    assert_eq!(found(below, &circle), ["1: op2"]);
    let below = binary(SpansetOp::Ancestor, named("none|op1"), named("op2"));
    assert_eq!(found(below, &circle), ["1: op2"]);
}

fn aggregate(input: Node, aggregate: SpansetAggregate, op: CompareOp, value: i64) -> Node {
    let input = Box::new(input);
    Node::SpansetFilter(SpansetFilter { input, aggregate, op, value: int(value) })
}

#[test]
fn aggregates_keep_or_drop_whole_traces() {
    use CompareOp::{Equal, Greater};
    let x = || attribute(Some(Scope::Span), "x");
    let mut spans = family();
    spans[0].attributes = r#"{"x":4}"#.to_owned();
    spans[2].attributes = r#"{"x":2.0}"#.to_owned();
    spans[3].attributes = r#"{"x":"no number"}"#.to_owned();
    let trace_1 = vec!["1: op1 op2 op3 op4"];
    for (of, op, value, expected) in [
        (SpansetAggregate::Count, Greater, 3, trace_1.clone()),
        (SpansetAggregate::Count, Equal, 2, vec!["2: op5 op6"]),
        (SpansetAggregate::Count, Equal, 0, vec![]),
        (SpansetAggregate::Sum(x()), Equal, 6, trace_1.clone()),
        (SpansetAggregate::Avg(x()), Equal, 3, trace_1.clone()),
        (SpansetAggregate::Min(x()), Equal, 2, trace_1.clone()),
        (SpansetAggregate::Max(x()), Equal, 4, trace_1.clone()),
        (SpansetAggregate::Max(x()), Equal, 5, vec![]),
    ] {
        let label = format!("{of:?} {op:?} {value}");
        assert_eq!(found(aggregate(every_span(), of, op, value), &spans), expected, "{label}");
    }
}

#[test]
fn conditions_on_the_trace_wait_for_its_summary() {
    let of_root = |name| equal(intrinsic(Intrinsic::RootName), text(name));
    let is_op3 = equal(intrinsic(Intrinsic::Name), text("op3"));
    let both = Expr::And(vec![of_root("op1"), is_op3.clone()]);
    assert_eq!(found(filter(both), &family()), ["1: op3"]);
    assert_eq!(found(filter(of_root("op5")), &family()), [""; 0]);
    let long = Expr::Literal(Literal::Duration(400));
    let duration = cmp(CompareOp::GreaterEqual, intrinsic(Intrinsic::TraceDuration), long);
    assert_eq!(found(filter(duration), &family()), ["1: op1 op2 op3 op4"]);
    let either = Expr::Or(vec![of_root("op1"), is_op3]);
    assert!(Search::compile(filter(either)).is_err());
}

#[test]
fn the_newest_traces_are_returned_with_their_summaries() {
    let mut spans: Vec<Span> =
        (1..=9).map(|trace| Span::new(trace, 1).at(i64::from(trace) * 1_000)).collect();
    spans.push(Span::new(9, 2).child_of(1).at(9_100).attributes(r#"{"x":"y"}"#));
    spans[9].service = "cart".to_owned();
    spans[9].status = 2;
    let rows = run(every_span(), 3, &spans);
    assert_eq!(rows.num_rows(), 3);
    let shown = |name: &str, row| {
        array_value_to_string(rows.column_by_name(name).expect("a column"), row).expect("a text")
    };
    assert_eq!(shown("start_time_unix_nano", 0), "9000");
    assert_eq!(shown("start_time_unix_nano", 2), "7000");
    assert_eq!(shown("duration_nano", 0), "200");
    assert_eq!(shown("root_service_name", 0), "shop");
    assert_eq!(shown("root_name", 0), "op1");
    let services = shown("services", 0);
    let expected = "[{service_name: cart, spans: 1, errors: 1}, \
        {service_name: shop, spans: 1, errors: 0}]";
    assert_eq!(services, expected);
    // A span that was stored twice is one span.
    spans.push(spans[9].clone());
    assert_eq!(found(every_span(), &spans)[0], "9: op1 op2");
    assert_eq!(run(every_span(), 3, &[]).num_rows(), 0);
}

#[test]
fn old_traces_are_forgotten_before_memory_is() {
    let search = Arc::new(Search::compile(every_span()).expect("a search"));
    let mut collector = search.collector(2, crate::QueryMemory::default().hold("spans"));
    let spans: Vec<Span> = (0..50_000_u32)
        .map(|at| {
            Span::new((at % 250 + 1) as u8, 1)
                .at(i64::from(at % 250) * 1_000_000 + 7 * i64::from(at))
        })
        .collect();
    let rows = batch(&spans);
    for _ in 0..6 {
        collector.push(&rows).expect("room");
    }
    let mut newest = collector.candidates().expect("candidates");
    newest.sort_unstable();
    let last_bytes: Vec<u8> = newest.iter().map(|id| id[15]).collect();
    assert_eq!(last_bytes, [249, 250]);
}

#[test]
fn what_was_asked_about_is_reported() {
    let spans = [
        Span::new(1, 1).attributes(r#"{"x":[1,"a"],"y":2.0}"#),
        Span::new(1, 2).child_of(1).event(5, "A", r#"{"k":"v"}"#),
    ];
    let mut node = filter(cmp(
        CompareOp::NotEqual,
        intrinsic(Intrinsic::Kind),
        Expr::Literal(Literal::Kind(2)),
    ));
    let Node::Spanset(spanset) = &mut node else { unreachable!() };
    spanset.select = vec![
        attribute(None, "x"),
        attribute(Some(Scope::Resource), "service.name"),
        attribute(Some(Scope::Event), "k"),
        intrinsic(Intrinsic::Name),
        intrinsic(Intrinsic::NestedSetLeft),
        intrinsic(Intrinsic::NestedSetParent),
        intrinsic(Intrinsic::RootName),
    ];
    let rows = run(node, 3, &spans);
    let lists = rows.column_by_name("spans").expect("spans").as_list::<i32>().value(0);
    let attributes = lists.as_struct().column_by_name("attributes").expect("attributes");
    let attributes = attributes.as_string::<i32>();
    assert_eq!(
        attributes.value(0),
        concat!(
            r#"{"kind":"internal","x":[1,"a"],"service.name":"shop","#,
            r#""nestedSetLeft":1,"nestedSetParent":-1,"rootName":"op1"}"#
        )
    );
    assert_eq!(
        attributes.value(1),
        concat!(
            r#"{"kind":"internal","service.name":"shop","k":"v","#,
            r#""nestedSetLeft":2,"nestedSetParent":1,"rootName":"op1"}"#
        )
    );
}

#[test]
fn nested_sets_number_what_roots_lead_to() {
    let link = |id, parent: Option<u8>| Link {
        id: spans::span_id(id),
        parent: parent.map(spans::span_id),
    };
    let sets = nested_sets(&[
        link(1, None),
        link(2, Some(1)),
        link(3, Some(1)),
        link(4, None),
        link(5, Some(9)),
    ]);
    let set = |id| sets.get(&spans::span_id(id)).copied();
    let numbers = |left, right, parent, children| Some(NestedSet { left, right, parent, children });
    assert_eq!(set(1), numbers(1, 6, -1, 2));
    assert_eq!(set(2), numbers(2, 3, 1, 0));
    assert_eq!(set(3), numbers(4, 5, 1, 0));
    assert_eq!(set(4), numbers(7, 8, -1, 0));
    assert_eq!(set(5), None);
}
