//! Native histograms in descriptions: `{{schema:0 count:4 sum:5.5 buckets:[1 2 1]}}`, and those
//! that are made of the buckets of classic ones.

use std::collections::BTreeMap;

use exec::output::{CUSTOM_BOUNDS, Histogram, ResetHint};
use schemas::model::{Labels, METRIC_NAME};

use super::compare::almost_equal;
use super::series::{Item, Series};

/// The label with a classic bucket's upper bound.
const BOUND: &str = "le";

/// Reads the text between the braces; the hint is `None` unless it is written.
pub(super) fn parse(text: &str) -> Option<(Histogram, Option<ResetHint>)> {
    let mut histogram = Histogram::default();
    let (mut hint, mut offset, mut negative_offset) = (None, 0, 0);
    let (mut positive, mut negative) = (Vec::new(), Vec::new());
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (key, after) = rest.split_once(':')?;
        let after = after.trim_start();
        let (value, after) = match after.strip_prefix('[') {
            Some(list) => list.split_once(']')?,
            None => after.split_once(char::is_whitespace).unwrap_or((after, "")),
        };
        let number = || number(value);
        let numbers = || value.split_whitespace().map(self::number).collect::<Option<Vec<f64>>>();
        match key.trim() {
            "schema" => histogram.schema = value.parse().ok()?,
            "sum" => histogram.sum = number()?,
            "count" => histogram.count = number()?,
            "z_bucket" => histogram.zero_count = number()?,
            "z_bucket_w" => histogram.zero_threshold = number()?,
            "buckets" => positive = numbers()?,
            "n_buckets" => negative = numbers()?,
            "offset" => offset = value.parse().ok()?,
            "n_offset" => negative_offset = value.parse().ok()?,
            "custom_values" => histogram.bounds = numbers()?.into(),
            "counter_reset_hint" => {
                hint = Some(match value {
                    "unknown" => ResetHint::Unknown,
                    "reset" => ResetHint::Reset,
                    "not_reset" => ResetHint::NotReset,
                    "gauge" => ResetHint::Gauge,
                    _ => return None,
                });
            }
            _ => return None,
        }
        rest = after.trim_start();
    }
    histogram.hint = hint.unwrap_or_default();
    histogram.positive = (offset..).zip(positive).collect();
    histogram.negative = (negative_offset..).zip(negative).collect();
    Some((histogram, hint))
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok()
}

/// Whether a histogram is as expected; the hint counts if it is written.
pub(super) fn is_expected(
    expected: &Histogram,
    hint: Option<ResetHint>,
    got: &Histogram,
    tolerance: f64,
) -> bool {
    let (expected, got) = (expected.clone().compacted(), got.clone().compacted());
    let equal = |a: f64, b: f64| almost_equal(a, b, tolerance);
    let buckets = |a: &[(i32, f64)], b: &[(i32, f64)]| {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.0 == b.0 && equal(a.1, b.1))
    };
    hint.is_none_or(|hint| hint == got.hint)
        && expected.schema == got.schema
        && equal(expected.count, got.count)
        && equal(expected.sum, got.sum)
        && equal(expected.zero_count, got.zero_count)
        && expected.zero_threshold == got.zero_threshold
        && expected.bounds == got.bounds
        && buckets(&expected.positive, &got.positive)
        && buckets(&expected.negative, &got.negative)
}

/// Histograms with custom bounds, one for each family of classic buckets.
pub(super) fn converted(series: &[Series]) -> Vec<Series> {
    let mut families: BTreeMap<Labels, Family<'_>> = BTreeMap::new();
    for described in series {
        let name = described.labels.value(METRIC_NAME).to_owned();
        let base = described.labels.filter(|label| label.name.as_ref() != BOUND);
        let bound = number(described.labels.value(BOUND));
        let suffixes: &[&str] = if bound.is_some() { &["_bucket"] } else { &["_count", "_sum"] };
        for suffix in suffixes {
            let Some(name) = name.strip_suffix(suffix) else { continue };
            let family = families.entry(base.with(METRIC_NAME, name)).or_default();
            match (bound, *suffix) {
                (Some(bound), _) => family.buckets.push((bound, &described.items)),
                (None, "_count") => family.count = Some(&described.items),
                (None, _) => family.sum = Some(&described.items),
            }
        }
    }
    let histograms = families.into_iter().filter(|(_, family)| !family.buckets.is_empty());
    histograms
        .map(|(labels, family)| Series { labels, items: family.histograms(), starts: Vec::new() })
        .collect()
}

/// The series of a classic histogram.
#[derive(Default)]
struct Family<'a> {
    buckets: Vec<(f64, &'a [Item])>,
    count: Option<&'a [Item]>,
    sum: Option<&'a [Item]>,
}

impl Family<'_> {
    fn histograms(mut self) -> Vec<Item> {
        self.buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        // Bounds of a histogram ascend; of one that is written in several ways the first counts.
        self.buckets.dedup_by_key(|bucket| bucket.0);
        let lengths = self.buckets.iter().map(|bucket| bucket.1.len());
        let length = lengths.chain(self.count.map(<[Item]>::len)).max().unwrap_or(0);
        (0..length).map(|at| self.at(at).unwrap_or(Item::Omitted)).collect()
    }

    fn at(&self, at: usize) -> Option<Item> {
        let value = |items: &[Item]| match items.get(at) {
            Some(Item::Value(value)) => Some(*value),
            _ => None,
        };
        let mut bounds = Vec::new();
        let mut cumulative = Vec::new();
        let mut all = None;
        for (bound, items) in &self.buckets {
            let Some(count) = value(items) else { continue };
            if *bound == f64::INFINITY {
                all = Some(count);
            } else {
                bounds.push(*bound);
                cumulative.push(count);
            }
        }
        let count = self.count.and_then(value).or(all).or(cumulative.last().copied())?;
        if all.is_some_and(|all| all != count) {
            return None;
        }
        cumulative.push(count);
        let mut before = 0.0;
        let counts =
            cumulative.into_iter().map(|count| count - std::mem::replace(&mut before, count));
        let histogram = Histogram {
            schema: CUSTOM_BOUNDS,
            count,
            sum: self.sum.and_then(value).unwrap_or_default(),
            positive: (0..).zip(counts).collect(),
            bounds: bounds.into(),
            ..Histogram::default()
        };
        Some(Item::Histogram(Box::new(histogram), None))
    }
}
