//! Samples in the text format.

use exec::output::Histogram;
use schemas::model::{Label, Labels};

use super::*;

fn series(labels: &[(&str, &str)], samples: &[(i64, f64)]) -> RawSeries {
    let labels = labels.iter().map(|(name, value)| Label::new(*name, *value)).collect();
    RawSeries { labels: Labels::new(labels), samples: samples.to_vec(), histograms: Vec::new() }
}

fn text(names: Names, all: &[RawSeries]) -> String {
    let series = futures::stream::empty().boxed();
    let mut writer = Writer { series, names, family: String::new(), ended: false };
    let mut out = String::new();
    all.iter().for_each(|series| writer.write(&mut out, series));
    out
}

#[test]
fn the_newest_sample_is_told_unless_it_is_a_stale_marker() {
    let stale = f64::from_bits(STALE_NAN_BITS);
    let all = [
        series(&[("__name__", "up"), ("job", "a\"\\\n")], &[(1, 0.0), (2, 1e21)]),
        series(&[("__name__", "up"), ("instance", "i")], &[(3, f64::NAN)]),
        series(&[("__name__", "up"), ("job", "gone")], &[(1, 1.0), (2, stale)]),
    ];
    assert_eq!(
        text(Names::Underscores, &all),
        concat!(
            "# TYPE up untyped\n",
            "up{instance=\"\",job=\"a\\\"\\\\\\n\"} 1e+21 2\n",
            "up{instance=\"i\"} NaN 3\n",
        )
    );
}

#[test]
fn odd_names_are_escaped_or_quoted() {
    let all = [series(&[("__name__", "a.b"), ("c d", "1"), ("instance", "i")], &[(1, 2.0)])];
    let plain = "# TYPE a_b untyped\na_b{c_d=\"1\",instance=\"i\"} 2 1\n";
    assert_eq!(text(Names::Underscores, &all), plain);
    let quoted = "# TYPE \"a.b\" untyped\n{\"a.b\",\"c d\"=\"1\",instance=\"i\"} 2 1\n";
    assert_eq!(text(Names::Quoted, &all), quoted);
}

#[test]
fn a_histogram_is_its_count_and_its_sum() {
    let mut one = series(&[("__name__", "h"), ("instance", "i"), ("z", "1")], &[(1, 2.0)]);
    let found = Histogram { count: 3.0, sum: 1.5, ..Histogram::default() };
    one.histograms = vec![(2, found)];
    assert_eq!(
        text(Names::Underscores, &[one]),
        concat!(
            "# TYPE h histogram\n",
            "h_bucket{instance=\"i\",le=\"+Inf\",z=\"1\"} 3 2\n",
            "h_sum{instance=\"i\",z=\"1\"} 1.5 2\n",
            "h_count{instance=\"i\",z=\"1\"} 3 2\n",
        )
    );
}

#[test]
fn names_are_quoted_for_those_who_accept_it() {
    let modern = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                  text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,*/*;q=0.1";
    assert_eq!(names_of(modern), Names::Quoted);
    assert_eq!(names_of("text/plain;version=0.0.4;q=0.5,*/*;q=0.1"), Names::Underscores);
    assert_eq!(names_of(""), Names::Underscores);
}
