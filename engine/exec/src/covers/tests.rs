//! Queries become selectors, or are refused.

use plan::node::{Filter, Scan};
use schemas::model::{Attribute, Matcher, Selector, TimeRange};

use super::*;

fn filtered(signal: Signal, predicate: Expr) -> Node {
    let matchers = match signal {
        Signal::Traces => Vec::new(),
        _ => vec![Matcher::new("app", MatchOp::Equal, "shop")],
    };
    let selector = Selector { signal, matchers, range: TimeRange::ALL };
    let input = Box::new(Node::Scan(Scan { selector }));
    Node::Filter(Filter { input, predicate })
}

fn contains(needle: &str) -> Expr {
    Expr::Contains { input: Box::new(Expr::Line), needle: needle.to_owned() }
}

fn needles(selectors: &[RowSelector]) -> Vec<Vec<(ConditionOp, &str)>> {
    let of = |it: &'_ RowCondition| it.op;
    let all = selectors
        .iter()
        .map(|selector| selector.conditions.iter().map(|it| (of(it), it.value.as_str())).collect());
    all.collect()
}

#[test]
fn alternatives_are_multiplied_out() {
    use ConditionOp::{Contains, ContainsNot};
    let either = Expr::Or(vec![contains("a"), contains("b")]);
    let neither = Expr::Not(Box::new(Expr::Or(vec![contains("c"), contains("d")])));
    let root = filtered(Signal::Logs, Expr::And(vec![either, neither]));
    let (signal, selectors) = covers(&root).unwrap();
    assert_eq!(signal, Signal::Logs);
    assert!(selectors.iter().all(|selector| selector.matchers.len() == 1));
    let rest = [(ContainsNot, "c"), (ContainsNot, "d")];
    let expected: Vec<Vec<_>> =
        ["a", "b"].map(|needle| [&[(Contains, needle)], &rest[..]].concat()).into();
    assert_eq!(needles(&selectors), expected);
}

#[test]
fn spans_are_never_selected_by_what_they_lack() {
    let attribute = || {
        let attribute = Attribute { scope: Some(Scope::Span), key: "user.id".to_owned() };
        Box::new(Expr::Attribute(attribute))
    };
    let literal = |text: &str| Box::new(Expr::Literal(Literal::Text(text.to_owned())));
    let compare = |op, text| Expr::Compare { op, left: attribute(), right: literal(text) };
    let (_, found) = covers(&filtered(Signal::Traces, compare(CompareOp::Equal, "7"))).unwrap();
    assert_eq!(found[0].conditions[0].field, RowField::SpanAttribute("user.id".to_owned()));
    for predicate in [
        compare(CompareOp::NotEqual, "7"),
        compare(CompareOp::Equal, ""),
        Expr::Not(Box::new(compare(CompareOp::Equal, "7"))),
        Expr::Exists(attribute()),
    ] {
        let refused = covers(&filtered(Signal::Traces, predicate)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid);
    }
}
