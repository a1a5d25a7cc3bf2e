//! Answers beside what was expected, by the rules of Prometheus' runner.

use std::collections::BTreeMap;
use std::ops::Range;

use schemas::model::Labels;

use super::engine::{Answer, Row};
use super::histogram::is_expected;
use super::series::{Item, STALE_NAN_BITS, Series};

/// Whether two numbers count as equal, `tolerance` being the difference allowed in relation to
/// their sum; stale markers equal only each other.
pub(super) fn almost_equal(a: f64, b: f64, tolerance: f64) -> bool {
    let stale = |value: f64| value.to_bits() == STALE_NAN_BITS;
    if stale(a) || stale(b) {
        return stale(a) && stale(b);
    }
    if a.is_nan() && b.is_nan() || a == b {
        return true;
    }
    let (sum, difference) = (a.abs() + b.abs(), (a - b).abs());
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < tolerance * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < tolerance
}

/// Whether an answer's series are the expected ones at `steps`; `is_ordered` makes their
/// places count.
pub(super) fn series(
    answer: &Answer,
    expected: &[Series],
    steps: Range<usize>,
    tolerance: f64,
    is_ordered: bool,
) -> Result<(), String> {
    let rows = match answer {
        Answer::Series(rows) => rows,
        // A range query shows a scalar as a series without labels.
        Answer::Scalar(values) => {
            let values = values.iter().copied().map(Some).collect();
            let (histograms, shown) = (BTreeMap::new(), BTreeMap::new());
            &vec![Row { labels: Labels::default(), values, histograms, shown }]
        }
        Answer::Text(text) => return Err(format!("got the text {text:?}")),
    };
    let has_value = |row: &&Row| steps.clone().any(|step| row.has(step));
    let rows: Vec<&Row> = rows.iter().filter(has_value).collect();
    let expected: Vec<&Series> =
        expected.iter().filter(|series| !series.items.is_empty()).collect();
    let mismatch = || Err(mismatch(&expected, &rows, steps.clone()));
    if rows.len() != expected.len() {
        return mismatch();
    }
    for (place, series) in expected.iter().enumerate() {
        let row = if is_ordered {
            rows.get(place).filter(|row| row.labels == series.labels)
        } else {
            rows.iter().find(|row| row.labels == series.labels)
        };
        let Some(row) = row else { return mismatch() };
        for step in steps.clone() {
            let equal = match series.items.get(step - steps.start) {
                Some(Item::Omitted) | None => !row.has(step),
                Some(Item::Value(wanted)) => {
                    row.values[step].is_some_and(|got| almost_equal(*wanted, got, tolerance))
                }
                Some(Item::Histogram(wanted, hint)) => {
                    let got = row.histograms.get(&step);
                    let shown = row.shown.get(&step);
                    got.is_some_and(|got| is_expected(wanted, *hint, got, tolerance))
                        || shown.is_some_and(|got| got.is_of(wanted, tolerance))
                }
            };
            if !equal {
                return mismatch();
            }
        }
    }
    Ok(())
}

/// Whether rows stand in the order of their labels, each once.
pub(super) fn is_sorted(rows: &[Row]) -> bool {
    rows.is_sorted_by(|a, b| a.labels < b.labels)
}

fn mismatch(expected: &[&Series], rows: &[&Row], steps: Range<usize>) -> String {
    let mut text = String::from("expected");
    for series in expected {
        let items = series.items.iter().map(|item| match item {
            Item::Omitted => "_".to_owned(),
            Item::Value(value) => value.to_string(),
            Item::Histogram(histogram, _) => format!("{histogram:?}"),
        });
        push_series(&mut text, &series.labels, items);
    }
    text.push_str("\n    got");
    for row in rows {
        let items = steps.clone().map(|step| match (row.values[step], row.histograms.get(&step)) {
            (Some(value), _) => value.to_string(),
            (None, Some(histogram)) => format!("{histogram:?}"),
            (None, None) => match row.shown.get(&step) {
                Some(shown) => format!("{shown:?}"),
                None => "_".to_owned(),
            },
        });
        push_series(&mut text, &row.labels, items);
    }
    text
}

/// Samples of a series that a message shows.
const SAMPLES_SHOWN: usize = 24;

fn push_series(text: &mut String, labels: &Labels, items: impl Iterator<Item = String>) {
    text.push_str(&format!("\n      {labels}"));
    for item in items.take(SAMPLES_SHOWN) {
        text.push(' ');
        text.push_str(&item);
    }
}
