//! The index against a slow reference, and what it must refuse.

use proptest::prelude::*;
use schemas::model::{MatchOp, Matcher, NANOS_PER_DAY, TimeRange};

use super::days::Days;
use super::*;
use crate::ErrorKind;
use crate::fixtures::{labels, series, streams};

const DAY_MS: i64 = 86_400_000;

fn compiled(label: &str, op: MatchOp, value: &str) -> CompiledMatcher {
    Matcher::new(label, op, value).compile().unwrap()
}

fn days(first: i64, last: i64) -> TimeRange {
    TimeRange { start_ns: first * NANOS_PER_DAY, end_ns: (last + 1) * NANOS_PER_DAY }
}

#[test]
fn a_row_is_seen_only_once_it_is_published() {
    let index = LabelIndex::default();
    let rows = series(&[(7, labels(&[("__name__", "up"), ("job", "a")]), DAY_MS)]);
    let marks = index.reserve(&rows).unwrap();
    assert!(!index.contains(7, 1));
    assert!(index.entry(7).is_none());
    assert!(index.resolve(&[], &TimeRange::ALL).is_empty());
    assert_eq!(index.publish(&marks), [true]);
    assert_eq!(index.publish(&marks), [false]);
    assert!(index.contains(7, 1));
    assert!(!index.contains(7, 2));
    assert_eq!(index.resolve(&[], &days(1, 1)).len(), 1);
    assert!(index.resolve(&[], &days(2, 9)).is_empty());
    assert_eq!(index.entry(7).unwrap().info.kind, "gauge");
}

#[test]
fn an_id_with_other_labels_is_refused() {
    let index = LabelIndex::default();
    index.absorb(&series(&[(7, labels(&[("job", "a")]), 0)])).unwrap();
    index.absorb(&series(&[(7, labels(&[("job", "a")]), DAY_MS)])).unwrap();
    let error = index.absorb(&series(&[(7, labels(&[("job", "b")]), 0)])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(index.len(), 1);
}

#[test]
fn a_stream_keeps_its_identity() {
    let index = LabelIndex::default();
    let name = labels(&[("service_name", "shop")]);
    index.absorb(&streams(&[(1, name.clone(), 5, r#"{"a":1,"b":"x"}"#)])).unwrap();
    // The same attributes in another order are the same stream.
    index.absorb(&streams(&[(1, name.clone(), 5, r#"{"b":"x","a":1}"#)])).unwrap();
    let other = index.absorb(&streams(&[(1, name, 5, r#"{"a":2,"b":"x"}"#)]));
    assert_eq!(other.unwrap_err().kind(), ErrorKind::Invalid);
    let stream = index.stream(1).unwrap();
    assert_eq!(stream.service.as_ref(), "shop");
    assert_eq!(stream.resource_attributes.as_deref(), Some(r#"{"a":1,"b":"x"}"#));
    assert_eq!(stream.promoted, [("host.name", "h1".into())]);
    assert_eq!(stream.scope_name, None);
    assert!(index.stream(2).is_none());
}

#[test]
fn an_attribute_that_becomes_a_column_makes_no_other_stream() {
    let index = LabelIndex::default();
    let name = labels(&[("service_name", "shop")]);
    let rows = streams(&[(1, name.clone(), 5, r#"{"host.name":"h1","a":1}"#)]);
    let at = rows.schema().index_of("resource.host.name").unwrap();
    let others: Vec<usize> = (0..rows.num_columns()).filter(|column| *column != at).collect();
    index.absorb(&rows.project(&others).unwrap()).unwrap();
    index.absorb(&streams(&[(1, name.clone(), 5, r#"{"a":1}"#)])).unwrap();
    let other = index.absorb(&streams(&[(1, name, 5, r#"{"a":2}"#)]));
    assert_eq!(other.unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn names_and_values_follow_matchers_and_days() {
    let index = LabelIndex::default();
    let rows = [
        (1, labels(&[("job", "a"), ("x", "1")]), 0),
        (2, labels(&[("job", "b"), ("y", "2")]), DAY_MS),
    ];
    index.absorb(&series(&rows)).unwrap();
    let texts = |found: Vec<Arc<str>>| found.iter().map(|t| t.to_string()).collect::<Vec<_>>();
    let job_a = [compiled("job", MatchOp::Equal, "a")];
    assert_eq!(texts(index.label_names(&[], &TimeRange::ALL)), ["job", "x", "y"]);
    assert_eq!(texts(index.label_names(&[], &days(1, 1))), ["job", "y"]);
    assert_eq!(texts(index.label_names(&job_a, &TimeRange::ALL)), ["job", "x"]);
    assert_eq!(texts(index.label_values("job", &[], &days(0, 0))), ["a"]);
    assert_eq!(texts(index.label_values("job", &job_a, &TimeRange::ALL)), ["a"]);
    assert!(index.label_values("y", &job_a, &TimeRange::ALL).is_empty());
}

fn text() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["", "a", "b", "ab", "ba", "c"])
}

fn matcher() -> impl Strategy<Value = Matcher> {
    let op = prop::sample::select(vec![
        MatchOp::Equal,
        MatchOp::NotEqual,
        MatchOp::Regex,
        MatchOp::NotRegex,
    ]);
    let value = prop::sample::select(vec!["", "a", "b", "a.*", ".*", ".+", "a|c", "(b.*)?"]);
    (prop::sample::select(vec!["x", "y", "z", "none"]), op, value)
        .prop_map(|(label, op, value)| Matcher::new(label, op, value))
}

proptest! {
    #[test]
    fn resolve_finds_what_a_scan_finds(
        rows in prop::collection::vec((text(), text(), text(), 0..4_i64), 0..40),
        matchers in prop::collection::vec(matcher(), 0..4),
        first in 0..4_i64,
        length in 0..3_i64,
    ) {
        let index = LabelIndex::default();
        let rows: Vec<_> = rows
            .iter()
            .map(|(x, y, z, day)| {
                let labels = labels(&[("x", x), ("y", y), ("z", z)]);
                (labels.id(), labels, day * DAY_MS)
            })
            .collect();
        if !rows.is_empty() {
            index.absorb(&series(&rows)).unwrap();
        }
        let matchers: Vec<_> = matchers.iter().map(|matcher| matcher.compile().unwrap()).collect();
        let mut expected: Vec<i64> = rows
            .iter()
            .filter(|(_, labels, _)| {
                matchers.iter().all(|matcher| matcher.matches(labels.value(matcher.label())))
            })
            .filter(|(_, _, time)| (first..=first + length).contains(&(time / DAY_MS)))
            .map(|(id, _, _)| *id)
            .collect();
        expected.sort_unstable();
        expected.dedup();
        let found = index.resolve(&matchers, &days(first, first + length));
        prop_assert_eq!(found.iter().map(|entry| entry.id).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn days_are_a_set(
        given in prop::collection::vec(-100..100_i32, 0..50),
        first in -120..120_i32,
        length in 0..90_i32,
    ) {
        let mut days = Days::default();
        let mut reference = std::collections::BTreeSet::new();
        for day in given {
            prop_assert_eq!(days.insert(day), reference.insert(day));
        }
        let last = first + length;
        prop_assert_eq!(days.is_empty(), reference.is_empty());
        prop_assert_eq!(days.overlaps(first, last), reference.range(first..=last).next().is_some());
        prop_assert_eq!(days.contains(first), reference.contains(&first));
    }
}
