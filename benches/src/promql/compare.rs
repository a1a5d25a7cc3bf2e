//! Whether two answers say the same: same series, same steps, values within 1e-9.

use std::collections::BTreeMap;

use serde_json::Value;

/// Values may differ by this part of the greater one.
const TOLERANCE: f64 = 1e-9;

/// Series by their labels, each with seconds and values.
type Series = BTreeMap<String, Vec<(f64, f64)>>;

/// How two answers differ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Difference {
    /// Not at all, but for so large a part of a value (at most [`TOLERANCE`]).
    None(f64),
    /// Other series or other steps.
    Shape,
    /// A value by this part.
    Value(f64),
}

/// Compares the `data` of two answers, if `any_series` by the values at each step alone.
pub(super) fn compare(ours: &Value, theirs: &Value, any_series: bool) -> Difference {
    if ours["result"].is_null() {
        return if names(ours) == names(theirs) {
            Difference::None(0.0)
        } else {
            Difference::Shape
        };
    }
    let (mut ours, mut theirs) = (series(ours), series(theirs));
    if any_series {
        (ours, theirs) = (by_step(&ours), by_step(&theirs));
    }
    if ours.len() != theirs.len() {
        return Difference::Shape;
    }
    let mut worst = 0.0_f64;
    for ((labels, points), (their_labels, their_points)) in ours.iter().zip(&theirs) {
        if labels != their_labels || points.len() != their_points.len() {
            return Difference::Shape;
        }
        for ((time, value), (their_time, their_value)) in points.iter().zip(their_points) {
            if (time - their_time).abs() > 1e-3 {
                return Difference::Shape;
            }
            worst = worst.max(distance(*value, *their_value));
        }
    }
    if worst <= TOLERANCE { Difference::None(worst) } else { Difference::Value(worst) }
}

fn distance(a: f64, b: f64) -> f64 {
    if a == b || (a.is_nan() && b.is_nan()) {
        return 0.0;
    }
    let part = (a - b).abs() / a.abs().max(b.abs());
    if part.is_nan() { f64::INFINITY } else { part }
}

fn names(data: &Value) -> Vec<&str> {
    let mut names: Vec<&str> =
        data.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    names.sort_unstable();
    names
}

/// Series by their labels as text, each with seconds and values.
fn series(data: &Value) -> Series {
    let result = data["result"].as_array();
    let mut series = BTreeMap::new();
    for one in result.into_iter().flatten() {
        // Objects are sorted by key, so that equal labels are equal texts.
        let labels = one["metric"].to_string();
        let single = std::slice::from_ref(&one["value"]);
        let points = one["values"].as_array().map_or(single, Vec::as_slice);
        let points = points.iter().map(point).collect();
        series.insert(labels, points);
    }
    series
}

/// For each step, as text, its values in order.
fn by_step(series: &Series) -> Series {
    let mut steps = Series::new();
    for (time, value) in series.values().flatten() {
        steps.entry(format!("{time:.3}")).or_default().push((*time, *value));
    }
    steps.values_mut().for_each(|values| values.sort_by(|a, b| a.1.total_cmp(&b.1)));
    steps
}

fn point(point: &Value) -> (f64, f64) {
    let value = point[1].as_str().unwrap_or_default();
    let value = match value {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        text => text.parse().unwrap_or(f64::NAN),
    };
    (point[0].as_f64().unwrap_or(f64::NAN), value)
}

/// How many series an answer has.
pub(super) fn size(data: &Value) -> usize {
    data["result"].as_array().or(data.as_array()).map_or(0, Vec::len)
}
