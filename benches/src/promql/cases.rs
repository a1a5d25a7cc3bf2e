//! What is asked.
//!
//! Steps and windows never end on a sample: Prometheus before 3.0 counts a sample at the left end of a
//! window in, and Siglake, as Prometheus since 3.0, does not.
//!
//! Of Prometheus' own benchmarks these are left out: native histograms, which VictoriaMetrics does
//! not take, `info()` and `smoothed`, which the Prometheus of Debian does not know.

use super::systems::Kind;

/// How well VictoriaMetrics means the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Victoria {
    /// The answer must be equal.
    Same,
    /// Its own semantics of windows (`rate` looks at the sample before the window and does not
    /// extrapolate), or another order.
    Other,
}

/// What kind of request it is.
#[derive(Clone, Debug)]
pub(super) enum Form {
    /// A range of so many seconds back from the end, in steps of so many seconds.
    Range { seconds: i64, step: i64 },
    /// One step at the end.
    Instant,
    /// Values of a label.
    LabelValues(&'static str),
}

/// A question.
#[derive(Clone, Debug)]
pub(super) struct Case {
    /// The expression; empty for label values.
    pub(super) query: String,
    /// What is asked of it.
    pub(super) form: Form,
    /// Whether VictoriaMetrics should give the same.
    pub(super) victoria: Victoria,
}

const HOUR_S: i64 = 3600;

/// Questions over series that hold so many hours.
pub(super) fn cases(hours: i64) -> Vec<Case> {
    let mut cases = vec![];
    for (back, step) in [(1, 15), (6, 60), (24, 240)] {
        if back <= hours {
            let query = "sum by (job) (rate(http_requests_total[5m]))";
            cases.push(range(query, back * HOUR_S - 600, step, Victoria::Other));
        }
    }
    let hour = HOUR_S - 600;
    let most = hours.min(24) * HOUR_S - 4000;
    cases.extend([
        range("topk(10, rate(http_requests_total[5m]))", hour, 15, Victoria::Other),
        range("max_over_time(node_load[1h])", most, 240, Victoria::Other),
        range("avg_over_time(node_load[1h])", most, 240, Victoria::Other),
        range("quantile_over_time(0.9, node_load[10m])", hour, 60, Victoria::Other),
        range(
            "histogram_quantile(0.9, sum by (le) (rate(request_duration_seconds_bucket[5m])))",
            hour,
            15,
            Victoria::Other,
        ),
        range(
            "histogram_quantile(0.9, rate(request_duration_seconds_bucket[5m]))",
            hour,
            60,
            Victoria::Other,
        ),
        instant(
            "max_over_time(sum by (job) (rate(http_requests_total[5m] offset 7s))[5h:1m])",
            Victoria::Other,
        ),
        instant("sum by (job) (rate(http_requests_total[5m]))", Victoria::Other),
        instant("http_requests_total{job=\"job-3\"}", Victoria::Same),
        instant("count({__name__!=\"\"}) by (__name__)", Victoria::Same),
        instant("count({__name__!=\"\"})", Victoria::Same),
        Case {
            query: String::new(),
            form: Form::LabelValues("instance"),
            victoria: Victoria::Same,
        },
        Case {
            query: String::new(),
            form: Form::LabelValues("__name__"),
            victoria: Victoria::Same,
        },
    ]);
    // As there, for a tenth of the steps: nearly every value is one of its own.
    let values = "count_values('value', h_hundred)";
    cases.push(range(values, (99 * 15).min(most), 15, Victoria::Other));
    let thousand = 999 * 15;
    let bench = |query: &str, victoria| range(query, thousand.min(most), 15, victoria);
    cases.extend(SAME.iter().map(|query| bench(query, Victoria::Same)));
    cases.extend(OTHER.iter().map(|query| bench(query, Victoria::Other)));
    let most_steps = |query: &str| range(query, (4999 * 15).min(most), 15, Victoria::Other);
    cases.extend(MOST_STEPS.iter().map(|query| most_steps(query)));
    cases
}

/// A query as a system spells it.
pub(super) fn spelled(query: &str, kind: Kind) -> String {
    match kind {
        Kind::Siglake => query.to_owned(),
        // By the name it had before Prometheus 3.0.
        Kind::Prometheus | Kind::VictoriaMetrics => {
            query.replace("double_exponential_smoothing", "holt_winters")
        }
    }
}

fn range(query: &str, seconds: i64, step: i64, victoria: Victoria) -> Case {
    Case { query: query.to_owned(), form: Form::Range { seconds, step }, victoria }
}

fn instant(query: &str, victoria: Victoria) -> Case {
    Case { query: query.to_owned(), form: Form::Instant, victoria }
}

/// What versions of Prometheus do not agree about: before 3.0 a counter that may have begun within
/// the window is extrapolated otherwise.
pub(super) const CLAMPED: &str = "rate(a_hundred[1d])";

/// Expressions of Prometheus' `BenchmarkRangeQuery`, 1,000 steps.
const SAME: &[&str] = &[
    "a_one",
    "a_hundred",
    "-a_hundred",
    "a_hundred and b_hundred{l=~'.*[0-4]$'}",
    "a_hundred or b_hundred{l=~'.*[0-4]$'}",
    "a_hundred unless b_hundred{l=~'.*[0-4]$'}",
    "a_hundred and b_hundred{l='notfound'}",
    "abs(a_hundred)",
    "label_replace(a_hundred, 'l2', '$1', 'l', '(.*)')",
    "label_join(a_hundred, 'l2', '-', 'l', 'l')",
    "sum(a_hundred)",
    "avg(a_hundred)",
    "sum without (l) (h_hundred)",
    "sum without (le) (h_hundred)",
    "sum by (l) (h_hundred)",
    "sum by (le) (h_hundred)",
    "topk(1, a_hundred)",
    "topk(5, a_hundred)",
    "count({__name__!=\"\",l=\"\"})",
];

/// The rest of them.
const OTHER: &[&str] = &[
    // Its numbers are rounded, which shows once most of them is taken away.
    "a_hundred - b_hundred",
    "rate(a_hundred[1m])",
    "rate(sparse[1m])",
    CLAMPED,
    "changes(a_hundred[1d])",
    "absent_over_time(a_hundred[1d])",
    "limitk(5, a_hundred)",
    "rate(a_hundred[1m]) + rate(b_hundred[1m])",
    "sum without (l) (rate(a_hundred[1m]))",
    "sum without (l) (rate(a_hundred[1m])) / sum without (l) (rate(b_hundred[1m]))",
    "histogram_quantile(0.9, rate(h_hundred[5m]))",
    "a_hundred + on(l) group_right a_one",
    "timestamp(a_hundred)",
    "double_exponential_smoothing(a_hundred[1d], 0.3, 0.3)",
    "rate(a_one[1m])",
    "sum(a_one)",
    "limitk(1, a_hundred)",
    "limit_ratio(0.1, a_hundred)",
    "limit_ratio(0.5, a_hundred)",
    "limit_ratio(-0.5, a_hundred)",
    "deriv(a_hundred[1h])",
    "predict_linear(a_hundred[1h], 3600)",
];

/// Expressions of the same that are asked at 10,000 steps there, and of its `BenchmarkJoinQuery`
/// over series that are there: 5,000 steps.
const MOST_STEPS: &[&str] = &[
    "rate(a_hundred[1m])",
    "a_hundred - b_hundred",
    "http_requests_total{method='GET',status='200'} + ignoring(method) \
     http_requests_total{method='POST',status='200'}",
    "http_requests_total{method='GET',status='200'} + on(job, instance) group_left \
     http_requests_total{method='POST',status='200'}",
    "http_requests_total{method='GET',status='200'} and on(job, instance) \
     http_requests_total{method='POST',status='200',instance=~'host-1.*'}",
    "http_requests_total{method='GET',status='200'} or on(job, instance) \
     http_requests_total{method='POST',status='200',instance=~'host-1.*'}",
    "http_requests_total{method='GET',status='200'} unless on(job, instance) \
     http_requests_total{method='POST',status='200',instance=~'host-1.*'}",
];
