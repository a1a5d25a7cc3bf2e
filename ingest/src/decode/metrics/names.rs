//! Names as Prometheus writes them: OTLP metric names with units, and label names.
//!
//! The rules are those of Prometheus' default strategy, escaping with suffixes: see
//! <https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/>.

/// What a metric's name ends in beside its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Suffix {
    /// Nothing.
    None,
    /// `_total`: sums that only rise.
    Total,
    /// `_ratio` if the unit is `1`: gauges.
    Ratio,
}

/// Units that have a longer name.
const UNITS: [(&str, &str); 25] = [
    ("d", "days"),
    ("h", "hours"),
    ("min", "minutes"),
    ("s", "seconds"),
    ("ms", "milliseconds"),
    ("us", "microseconds"),
    ("ns", "nanoseconds"),
    ("By", "bytes"),
    ("KiBy", "kibibytes"),
    ("MiBy", "mebibytes"),
    ("GiBy", "gibibytes"),
    ("TiBy", "tibibytes"),
    ("KBy", "kilobytes"),
    ("MBy", "megabytes"),
    ("GBy", "gigabytes"),
    ("TBy", "terabytes"),
    ("m", "meters"),
    ("V", "volts"),
    ("A", "amperes"),
    ("J", "joules"),
    ("W", "watts"),
    ("g", "grams"),
    ("Cel", "celsius"),
    ("Hz", "hertz"),
    ("%", "percent"),
];

/// Units that have a longer name after a slash.
const PER_UNITS: [(&str, &str); 7] = [
    ("s", "second"),
    ("m", "minute"),
    ("h", "hour"),
    ("d", "day"),
    ("w", "week"),
    ("mo", "month"),
    ("y", "year"),
];

/// The name of a metric; `None` if nothing of it can be kept.
pub(super) fn metric_name(name: &str, unit: &str, suffix: Suffix) -> Option<String> {
    let is_kept = |c: char| c.is_ascii_alphanumeric() || c == ':';
    let mut tokens: Vec<&str> = name.split(|c| !is_kept(c)).filter(|t| !t.is_empty()).collect();
    if tokens.is_empty() {
        return None;
    }
    let (main, per) = unit.split_once('/').unwrap_or((unit, ""));
    let main = unit_name(main, &UNITS);
    let per = unit_name(per, &PER_UNITS);
    if !main.is_empty() && !tokens.contains(&main.as_str()) {
        tokens.push(&main);
    }
    if !per.is_empty() && !tokens.contains(&per.as_str()) {
        tokens.extend(["per", per.as_str()]);
    }
    let last = match suffix {
        Suffix::Total => Some("total"),
        Suffix::Ratio if unit.trim() == "1" => Some("ratio"),
        _ => None,
    };
    if let Some(last) = last {
        tokens.retain(|token| *token != last);
        tokens.push(last);
    }
    let joined = tokens.join("_");
    let starts_with_digit = joined.starts_with(|c: char| c.is_ascii_digit());
    Some(if starts_with_digit { format!("_{joined}") } else { joined })
}

/// A unit as a part of a name; empty for `1` and for annotations in braces.
fn unit_name(unit: &str, names: &[(&str, &str)]) -> String {
    let unit = unit.trim();
    if unit == "1" || unit.contains(['{', '}']) {
        return String::new();
    }
    if let Some((_, name)) = names.iter().find(|(short, _)| *short == unit) {
        return (*name).to_owned();
    }
    let tokens: Vec<&str> =
        unit.split(|c: char| !c.is_ascii_alphanumeric()).filter(|t| !t.is_empty()).collect();
    tokens.join("_")
}

/// An attribute's key as a label's name: other characters than letters, digits and `_` become
/// `_`, a leading digit gets `key_`, a single leading underscore `key`.
pub(super) fn label_name(key: &str) -> String {
    let mut name = String::with_capacity(key.len() + 4);
    if key.starts_with(|c: char| c.is_ascii_digit()) {
        name.push_str("key_");
    }
    name.extend(key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }));
    if name.starts_with('_') && !name.starts_with("__") {
        name.insert_str(0, "key");
    }
    name
}

#[cfg(test)]
mod tests;
