//! `EXPLAIN`: a plan as an indented tree, one node a line.

use std::fmt::Write;

use crate::node::Node;

/// The plan as text, root first, inputs indented below it by two blanks.
pub fn explain(node: &Node) -> String {
    let mut text = String::new();
    write_node(&mut text, node, 0);
    text
}

fn write_node(text: &mut String, node: &Node, depth: usize) {
    let _ = writeln!(text, "{:indent$}{}", "", line(node), indent = depth * 2);
    for input in node.inputs() {
        write_node(text, input, depth + 1);
    }
}

fn line(node: &Node) -> String {
    match node {
        Node::Scan(node) => {
            let matchers: Vec<String> =
                node.selector.matchers.iter().map(ToString::to_string).collect();
            let range = node.selector.range;
            format!(
                "Scan: {} {{{}}} [{}, {})",
                node.selector.signal,
                matchers.join(", "),
                range.start_ns,
                range.end_ns
            )
        }
        Node::Filter(node) => format!("Filter: {:?}", node.predicate),
        Node::Extract(node) => format!("Extract: {:?}", node.parser),
        Node::Format(node) => format!("Format: {:?}", node.format),
        Node::Sample(node) => format!("Sample: lookback {} ns", node.lookback_ns),
        Node::Window(node) => format!("Window: {:?} over {} ns", node.function, node.range_ns),
        Node::Aggregate(node) => format!("Aggregate: {:?} {:?}", node.op, node.grouping),
        Node::Binary(node) => format!("Binary: {:?} {:?}", node.op, node.matching),
        Node::Call(node) => format!("Call: {:?}", node.function),
        Node::Number(number) => format!("Number: {number}"),
        Node::Time => "Time".to_owned(),
        Node::Text(text) => format!("Text: {text:?}"),
        Node::Spanset(node) => format!("Spanset: select {:?}", node.select),
        Node::SpansetBinary(node) => format!("SpansetBinary: {:?}", node.op),
        Node::SpansetFilter(node) => {
            format!("SpansetFilter: {:?} {:?} {:?}", node.aggregate, node.op, node.value)
        }
        Node::Sort(node) => format!("Sort: {:?}", node.by),
        Node::Limit(node) => format!("Limit: {}", node.count),
        Node::Distinct(node) => format!("Distinct: {:?}", node.of),
    }
}
