//! The index against a slow reference, and what it must refuse.

use arrow::array::{ArrayRef, Int64Array, StringArray};
use arrow::compute::cast;
use proptest::prelude::*;
use schemas::model::{Grouping, Labels, MatchOp, Matcher, NANOS_PER_DAY, TimeRange};
use schemas::tables::columns;

use super::days::Days;
use super::posting::Posting;
use super::sorted::Sorted;
use super::table::Table;
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
    index.reserve(&rows).unwrap();
    assert!(!index.contains(7, 1));
    assert!(index.entry(7).is_none());
    assert!(index.resolve(&[], &TimeRange::ALL).is_empty());
    assert_eq!(index.absorb_new(&rows).unwrap().num_rows(), 1);
    assert_eq!(index.absorb_new(&rows).unwrap().num_rows(), 0);
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

/// Rows of `metric_series` with ids of their metrics; every second metric is of delta temporality.
fn metrics(rows: &[(i64, Labels, i64)]) -> RecordBatch {
    let ids = || rows.iter().map(|row| row.1.value(METRIC_NAME).len() as i64);
    let of_metric = |id: i64| if id % 2 == 0 { "delta" } else { "cumulative" };
    let batch = series(rows);
    let (schema, mut columns, _) = batch.into_parts();
    let mut set = |name: &str, column: ArrayRef| columns[schema.index_of(name).unwrap()] = column;
    set(columns::METRIC_ID, Arc::new(Int64Array::from_iter_values(ids())));
    let temporality = schema.field_with_name(columns::TEMPORALITY).unwrap().data_type();
    let texts = StringArray::from_iter_values(ids().map(of_metric));
    set(columns::TEMPORALITY, cast(&texts, temporality).unwrap());
    RecordBatch::try_new(schema, columns).unwrap()
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
    fn groups_are_those_of_each_series(
        rows in prop::collection::vec((text(), text(), text(), 0..4_i64), 0..40),
        matchers in prop::collection::vec(matcher(), 0..2),
        names in prop::collection::vec(prop::sample::select(vec!["x", "y", "z", "none", "__name__"]), 0..4),
        is_without in any::<bool>(),
    ) {
        let index = LabelIndex::default();
        let rows: Vec<_> = rows
            .iter()
            .map(|(name, x, y, day)| {
                let labels = labels(&[("__name__", name), ("x", x), ("y", y), ("z", "a")]);
                (labels.id(), labels, day * DAY_MS)
            })
            .collect();
        if !rows.is_empty() {
            index.absorb(&metrics(&rows)).unwrap();
        }
        let matchers: Vec<_> = matchers.iter().map(|matcher| matcher.compile().unwrap()).collect();
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        let grouping =
            if is_without { Grouping::Without(names) } else { Grouping::By(names) };
        let of_group = |labels: &Labels| {
            let is_kept = |name: &str| match &grouping {
                Grouping::By(names) => names.iter().any(|it| it == name),
                Grouping::Without(names) => names.iter().all(|it| it != name),
            };
            labels.filter(|label| label.name.as_ref() == METRIC_NAME || is_kept(&label.name))
        };
        let mut numbered = Vec::new();
        let found = index.resolve_groups(
            &matchers,
            &TimeRange::ALL,
            &grouping,
            |_| Ok::<(), Infallible>(()),
            |metric_id, labels| {
                numbered.push((metric_id, labels));
                Ok(numbered.len() as u32 - 1)
            },
        );
        let found: Vec<_> = found
            .unwrap()
            .into_iter()
            .map(|series| (series.key, numbered[series.group as usize].clone(), series.is_delta))
            .collect();
        let entries = index.resolve(&matchers, &TimeRange::ALL);
        let expected: Vec<_> = entries
            .iter()
            .map(|entry| {
                let group = (entry.metric_id, of_group(&entry.labels));
                ((entry.metric_id, entry.id), group, entry.info.temporality == "delta")
            })
            .collect();
        prop_assert_eq!(found, expected);
        let mut groups = numbered.clone();
        groups.sort_by_key(|group| format!("{group:?}"));
        groups.dedup();
        prop_assert_eq!(groups.len(), numbered.len(), "each group is numbered once");
    }

    #[test]
    fn forgetting_leaves_what_was_never_there(
        rows in prop::collection::vec((text(), text(), text(), 0..4_i64), 0..40),
        later in prop::collection::vec((text(), text(), text(), 4..6_i64), 0..20),
        matchers in prop::collection::vec(matcher(), 0..3),
        day in 0..6_i32,
    ) {
        let row = |(x, y, z, day): &(&str, &str, &str, i64)| {
            let labels = labels(&[("x", x), ("y", y), ("z", z)]);
            (labels.id(), labels, day * DAY_MS)
        };
        let index = LabelIndex::default();
        let expected = LabelIndex::default();
        let (rows, later): (Vec<_>, Vec<_>) =
            (rows.iter().map(row).collect(), later.iter().map(row).collect());
        let kept: Vec<_> =
            rows.iter().filter(|row| row.2 >= i64::from(day) * DAY_MS).cloned().collect();
        for (index, rows) in [(&index, &rows), (&expected, &kept)] {
            if !rows.is_empty() {
                index.absorb(&series(rows)).unwrap();
            }
        }
        index.forget_before(day);
        for index in [&index, &expected] {
            if !later.is_empty() {
                index.absorb(&series(&later)).unwrap();
            }
        }
        let matchers: Vec<_> = matchers.iter().map(|matcher| matcher.compile().unwrap()).collect();
        let ids = |index: &LabelIndex| {
            let found = index.resolve(&matchers, &TimeRange::ALL);
            found.into_iter().map(|entry| (entry.id, entry.labels)).collect::<Vec<_>>()
        };
        prop_assert_eq!(ids(&index), ids(&expected));
        prop_assert_eq!(index.len(), expected.len());
        let names = |index: &LabelIndex| index.label_names(&matchers, &TimeRange::ALL);
        prop_assert_eq!(names(&index), names(&expected));
        for name in ["x", "y", "z"] {
            let values = |index: &LabelIndex| index.label_values(name, &matchers, &TimeRange::ALL);
            prop_assert_eq!(values(&index), values(&expected));
        }
    }

    #[test]
    fn days_are_sets(
        given in prop::collection::vec((0..30_u32, 0..9_i32), 0..60),
        first in -2..10_i32,
        length in 0..9_i32,
        forgotten in -1..10_i32,
    ) {
        let mut days = Days::default();
        let mut reference = std::collections::BTreeSet::new();
        for (ordinal, day) in given {
            prop_assert_eq!(days.insert(ordinal, day), reference.insert((day, ordinal)));
        }
        let last = first + length;
        for forget in [false, true] {
            if forget {
                let gone: Vec<u32> = days.forget_before(forgotten, 30).iter().collect();
                let before: Vec<_> = reference.iter().filter(|at| at.0 < forgotten).copied().collect();
                reference.retain(|(day, _)| *day >= forgotten);
                let is_kept = |ordinal: u32| reference.iter().any(|at| at.1 == ordinal);
                let mut expected: Vec<u32> =
                    before.iter().map(|at| at.1).filter(|ordinal| !is_kept(*ordinal)).collect();
                expected.sort_unstable();
                expected.dedup();
                prop_assert_eq!(gone, expected);
            }
            let mut expected: Vec<u32> =
                reference.range((first, 0)..=(last, 99)).map(|(_, ordinal)| *ordinal).collect();
            expected.sort_unstable();
            expected.dedup();
            let seen: Vec<u32> = days.seen_in((first, last), 30).iter().collect();
            prop_assert_eq!(seen, expected);
            for ordinal in 0..30 {
                let is_seen = reference.iter().any(|at| at.1 == ordinal);
                prop_assert_eq!(days.is_seen(ordinal), is_seen);
                prop_assert_eq!(
                    days.is_seen_on(ordinal, first),
                    reference.contains(&(first, ordinal))
                );
            }
        }
    }

    #[test]
    fn postings_are_sets(
        steps in prop::collection::vec((any::<bool>(), ordinal()), 0..60),
        run in (0..200_000_u32, 0..9_000_u32),
    ) {
        let mut posting = Posting::default();
        let mut reference = std::collections::BTreeSet::new();
        let mut bytes = 0;
        let all = (run.0..run.0 + run.1).map(|ordinal| (true, ordinal)).chain(steps);
        for (inserts, ordinal) in all {
            if inserts {
                prop_assert_eq!(posting.insert(ordinal, &mut bytes), reference.insert(ordinal));
            } else {
                prop_assert_eq!(posting.remove(ordinal, &mut bytes), reference.remove(&ordinal));
            }
        }
        prop_assert_eq!(bytes, posting.bytes());
        prop_assert_eq!(posting.len(), reference.len());
        prop_assert_eq!(posting.first(), reference.first().copied());
        let len = 250_001;
        let mut found = bits::Bits::empty(len);
        posting.add_to(&mut found);
        let expected: Vec<u32> =
            reference.iter().copied().filter(|ordinal| (*ordinal as usize) < len).collect();
        prop_assert_eq!(found.iter().collect::<Vec<_>>(), expected.clone());
        prop_assert_eq!(posting.meets(&found), !expected.is_empty());
        posting.take_from(&mut found);
        prop_assert!(found.is_empty() && !posting.meets(&found));
    }

    #[test]
    fn tables_and_sorted_lists_hold_what_they_are_given(
        steps in prop::collection::vec((any::<bool>(), 0..80_u32), 0..300),
    ) {
        // Few homes and long probes.
        let hash = |number: u32| u64::from(number % 5) << 32;
        let (mut table, mut sorted) = (Table::default(), Sorted::default());
        let mut reference = std::collections::BTreeSet::new();
        for (inserts, number) in steps {
            if inserts && reference.insert(number) {
                table.insert(hash(number), number, hash);
                sorted.insert(number, |other| other.cmp(&number));
            } else if !inserts {
                table.remove(hash(number), number, hash);
                sorted.remove(|other| other.cmp(&number));
                reference.remove(&number);
            }
            for number in 0..80 {
                let found = table.find(hash(number), |other| other == number);
                prop_assert_eq!(found.is_some(), reference.contains(&number));
            }
        }
        prop_assert_eq!(sorted.iter().collect::<Vec<_>>(), Vec::from_iter(reference.clone()));
        let from: Vec<u32> = sorted.iter_from(|number| number < 40).collect();
        prop_assert_eq!(from, reference.range(40..).copied().collect::<Vec<_>>());
    }
}

/// Ordinals on both sides of chunk bounds, some of them again and again.
fn ordinal() -> impl Strategy<Value = u32> {
    prop_oneof![0..20_u32, 65_530..65_550_u32, 0..300_000_u32]
}

#[test]
fn long_sorted_lists_are_in_blocks() {
    let mut sorted = Sorted::default();
    for number in (0..5_000_u32).map(|at| at * 7_919 % 5_000) {
        sorted.insert(number, |other| other.cmp(&number));
    }
    assert!(sorted.iter().eq(0..5_000));
    assert_eq!(sorted.iter_from(|number| number < 4_321).next(), Some(4_321));
    assert_eq!(sorted.iter_from(|_| true).next(), None);
    for number in 0..5_000 {
        sorted.remove(|other| other.cmp(&number));
        sorted.remove(|other| other.cmp(&number));
    }
    assert_eq!((sorted.len(), sorted.iter().count()), (0, 0));
}

#[test]
fn what_is_forgotten_gives_its_memory_back() {
    let budget = Budget::new(1 << 30);
    let index = LabelIndex::within(&budget);
    let rows: Vec<_> = (0..20_000)
        .map(|at| {
            let value = format!("a-rather-long-value-{at}");
            let labels = labels(&[("__name__", "up"), ("instance", value.as_str())]);
            (labels.id(), labels, DAY_MS * (1 + at % 2))
        })
        .collect();
    index.absorb(&series(&rows)).unwrap();
    let full = budget.used(Use::Index);
    assert!(full >= index.bytes() && full < index.bytes() * 5 / 4, "{full} {}", index.bytes());
    assert_eq!(index.forget_before(2), 10_000);
    assert_eq!(index.len(), 10_000);
    assert!(index.entry(rows[0].0).is_none() && index.entry(rows[1].0).is_some());
    let half = index.bytes();
    // Places are kept for those who come next.
    index.absorb(&series(&rows)).unwrap();
    assert_eq!(index.len(), 20_000);
    assert!(index.bytes() < full + 100_000, "{full} {half} {}", index.bytes());
    drop(index);
    assert_eq!(budget.used(Use::Index), 0);
}

#[test]
fn new_entries_are_refused_beyond_the_budget_and_known_ones_go_on() {
    let shares = crate::Shares::default().with_cap(Use::Index, 5);
    let budget = Budget::with_shares(64 << 20, shares, crate::Machine::unlimited());
    let cap = budget.cap(Use::Index);
    let index = LabelIndex::within(&budget);
    let rows = |from: i64, day: i64| {
        let row = |at: i64| {
            let value = format!("value-{at}");
            (at, labels(&[("__name__", "up"), ("instance", value.as_str())]), day * DAY_MS)
        };
        series(&(from..from + 1000).map(row).collect::<Vec<_>>())
    };
    let mut entered = 0;
    let error = loop {
        let batch = rows(entered, 1);
        match index.reserve(&batch) {
            Ok(()) => index.absorb(&batch).unwrap(),
            Err(error) => break error,
        }
        entered += 1000;
    };
    assert_eq!(error.kind(), ErrorKind::Limit);
    assert!(error.to_string().contains("memory.index"), "{error}");
    assert!(index.check_room().is_err());
    assert!(entered > 4_000 && budget.used(Use::Index) <= cap, "{entered}");
    let known = rows(0, 2);
    index.reserve(&known).unwrap();
    index.absorb(&known).unwrap();
    assert!(index.contains(999, 2));
    // What is durable already is never refused.
    index.absorb(&rows(1_000_000, 1)).unwrap();
    assert!(index.contains(1_000_999, 1));
}

#[test]
fn limits_leave_some_out_and_statistics_count_all() {
    let index = LabelIndex::default();
    let rows: Vec<_> = (0..30_i64)
        .map(|id| {
            let (name, job) = (format!("m{}", id % 3), format!("j{:02}", id % 10));
            (id, labels(&[("__name__", &name), ("job", &job)]), 0)
        })
        .collect();
    index.absorb(&series(&rows)).unwrap();
    let never = |_| Ok::<(), Infallible>(());
    for (limit, found) in [(0, 0), (7, 7), (30, 30), (usize::MAX, 30)] {
        let some = index.resolve_up_to(limit, &[], &TimeRange::ALL, never).unwrap();
        assert_eq!(some.len(), found);
        let values = index.label_values_up_to(limit, "job", &[], &TimeRange::ALL);
        let all = index.label_values("job", &[], &TimeRange::ALL);
        assert_eq!(values, all[..all.len().min(limit)]);
    }
    let told = index.cardinality(2);
    assert_eq!((told.series, told.label_pairs), (30, 13));
    assert_eq!(told.series_by_metric, [("m0".into(), 10), ("m1".into(), 10)]);
    assert_eq!(told.values_by_name, [("job".into(), 10), ("__name__".into(), 3)]);
    assert_eq!(told.bytes_by_name, [("job".into(), 30), ("__name__".into(), 6)]);
    let pairs: Vec<String> =
        told.series_by_pair.iter().map(|(label, _)| label.value.to_string()).collect();
    assert_eq!(pairs, ["m0", "m1"]);
    assert_eq!(index.cardinality(0).series_by_metric, []);
}
