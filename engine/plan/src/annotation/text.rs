//! Remarks as text, word by word as Prometheus' clients know them.

use std::fmt::{self, Display};

use schemas::model::Date;

use super::{Annotation, HistogramOperation, Position, Remark, SampleType, Severity};

/// The text of a remark without its place and without what is merged.
pub(super) fn key(remark: &Remark) -> String {
    let severity = match remark.severity() {
        Severity::Warning => "warning",
        Severity::Info => "info",
    };
    format!("PromQL {severity}: {}", Body(remark))
}

impl Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key())?;
        let Self::ForcedMonotonicity(forced) = self else { return Ok(()) };
        write!(
            f,
            ", from buckets {} to {}, with a max diff of {}, over {} samples from {} to {}",
            General(forced.bound_min),
            General(forced.bound_max),
            TwoDigits(forced.difference_max),
            forced.samples,
            Time(forced.first_ms),
            Time(forced.last_ms),
        )
    }
}

impl Display for Annotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.remark, self.at)
    }
}

impl Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

impl Display for HistogramOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Addition => "addition",
            Self::Subtraction => "subtraction",
            Self::Aggregation => "aggregation",
        })
    }
}

impl Display for SampleType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Float => "float",
            Self::Histogram => "histogram",
        })
    }
}

/// What stands behind the severity.
struct Body<'a>(&'a Remark);

impl Display for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Remark as R;
        match self.0 {
            R::InvalidQuantile(given) => {
                write!(f, "quantile value should be between 0 and 1, got {}", General(*given))
            }
            R::InvalidRatio { given, capped } => write!(
                f,
                "ratio value should be between -1 and 1, got {}, capping to {}",
                General(*given),
                General(*capped)
            ),
            R::BadBucketLabel { bound, metric } => write!(
                f,
                "bucket label \"le\" is missing or has a malformed value of {}{}",
                Quoted(bound),
                ForMetric(metric)
            ),
            R::MixedFloatsHistograms(metric) => write!(
                f,
                "encountered a mix of histograms and floats for metric name {}",
                Quoted(metric)
            ),
            R::MixedFloatsHistogramsInAggregation => {
                f.write_str("encountered a mix of histograms and floats for aggregation")
            }
            R::MixedClassicNative(metric) => write!(
                f,
                "vector contains a mix of classic and native histograms{}",
                ForMetric(metric)
            ),
            R::NotCounter(metric) => {
                write!(f, "this native histogram metric is not a counter: {}", Quoted(metric))
            }
            R::NotGauge(metric) => {
                write!(f, "this native histogram metric is not a gauge: {}", Quoted(metric))
            }
            R::MixedExponentialCustom(metric) => write!(
                f,
                "vector contains a mix of histograms with exponential and custom buckets schemas \
                 for metric name {}",
                Quoted(metric)
            ),
            R::IncompatibleBucketLayout(operator) => {
                write!(f, "incompatible bucket layout encountered for binary operator {operator}")
            }
            R::SortInRangeQuery => f.write_str(
                "sort is ineffective for range queries since results are always ordered by labels",
            ),
            R::ConflictingCounterResets(operation) => {
                write!(f, "conflicting counter resets during histogram {operation}")
            }
            R::OverlappingStart(metric) => write!(
                f,
                "sample has start time that overlaps with previous sample timestamp for metric {}",
                Quoted(metric)
            ),
            info => info_body(info, f),
        }
    }
}

fn info_body(remark: &Remark, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use Remark as R;
    match remark {
        R::PossibleNonCounter(metric) => write!(
            f,
            "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {}",
            Quoted(metric)
        ),
        R::ForcedMonotonicity(forced) => write!(
            f,
            "input to histogram_quantile needed to be fixed for monotonicity (see \
             https://prometheus.io/docs/prometheus/latest/querying/functions/\
             #histogram_quantile){}",
            ForMetric(&forced.metric)
        ),
        R::IncompatibleTypes { left, operator, right } => write!(
            f,
            "incompatible sample types encountered for binary operator {}: {left} {operator} \
             {right}",
            Quoted(operator)
        ),
        R::IgnoredInAggregation(aggregation) => {
            write!(f, "ignored histogram in {aggregation} aggregation")
        }
        R::IgnoredInMixedRange(metric) => write!(
            f,
            "ignored histograms in a range containing both floats and histograms for metric name \
             {}",
            Quoted(metric)
        ),
        R::QuantileNanResult(metric) => write!(
            f,
            "input to histogram_quantile has NaN observations, result is NaN{}",
            ForMetric(metric)
        ),
        R::QuantileNanSkew(metric) => write!(
            f,
            "input to histogram_quantile has NaN observations, result is skewed higher{}",
            ForMetric(metric)
        ),
        R::FractionNan(metric) => write!(
            f,
            "input to histogram_fraction has NaN observations, which are excluded from all \
             fractions{}",
            ForMetric(metric)
        ),
        R::ReconciledCustomBuckets(operation) => {
            write!(f, "mismatched custom buckets were reconciled during {operation}")
        }
        // All others are warnings.
        _ => Ok(()),
    }
}

/// ` for metric name "…"`, or nothing for a metric without a name.
struct ForMetric<'a>(&'a str);

impl Display for ForMetric<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, " for metric name {}", Quoted(self.0)) }
    }
}

/// A text in quotes, as Go's `%q` writes it.
struct Quoted<'a>(&'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                '\u{7}' => f.write_str("\\a")?,
                '\u{8}' => f.write_str("\\b")?,
                '\t' => f.write_str("\\t")?,
                '\n' => f.write_str("\\n")?,
                '\u{b}' => f.write_str("\\v")?,
                '\u{c}' => f.write_str("\\f")?,
                '\r' => f.write_str("\\r")?,
                c if c.is_ascii_control() => write!(f, "\\x{:02x}", u32::from(c))?,
                c if c.is_control() || (c.is_whitespace() && c != ' ') => {
                    write!(f, "\\u{:04x}", u32::from(c))?;
                }
                c => write!(f, "{c}")?,
            }
        }
        f.write_str("\"")
    }
}

/// The shortest text that reads back as the same number, as Go's `%g`: with an exponent below
/// 1e-4 and from 1e6 on.
struct General(f64);

impl Display for General {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_general(f, self.0, &format!("{:e}", self.0), 6)
    }
}

/// A number of two digits at most, as Go's `%.2g`.
struct TwoDigits(f64);

impl Display for TwoDigits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounded: f64 = format!("{:.1e}", self.0).parse().unwrap_or(self.0);
        write_general(f, rounded, &format!("{rounded:e}"), 2)
    }
}

/// `number`, whose scientific form is given: with an exponent below 1e-4 and from 10^`limit` on.
fn write_general(
    f: &mut fmt::Formatter<'_>,
    number: f64,
    scientific: &str,
    limit: i32,
) -> fmt::Result {
    if number.is_nan() {
        return f.write_str("NaN");
    }
    if number.is_infinite() {
        return f.write_str(if number > 0.0 { "+Inf" } else { "-Inf" });
    }
    let Some((digits, exponent)) = scientific.split_once('e') else {
        return f.write_str(scientific);
    };
    let power: i32 = exponent.parse().unwrap_or_default();
    if number == 0.0 || (-4..limit).contains(&power) {
        return write!(f, "{number}");
    }
    write!(f, "{digits}e{}{:02}", if power < 0 { '-' } else { '+' }, power.abs())
}

/// Milliseconds since 1970 as a time in UTC, to the second.
struct Time(i64);

impl Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DAY_SECONDS: i64 = 86_400;
        let seconds = self.0 / 1_000;
        let (days, of_day) = (seconds.div_euclid(DAY_SECONDS), seconds.rem_euclid(DAY_SECONDS));
        let date = Date::of_day(days);
        let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
        write!(f, "{date}T{hour:02}:{minute:02}:{second:02}Z")
    }
}
