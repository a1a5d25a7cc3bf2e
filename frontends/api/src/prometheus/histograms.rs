//! Native histograms in Prometheus' JSON.
//!
//! ```text
//!  {"count":"3","sum":"4.5","buckets":[[0,"1","2","3"]]}      empty buckets are left out
//!   0 (lower, upper]   1 [lower, upper)   2 (lower, upper)   3 [lower, upper]
//! ```

use exec::output::{Bounded, Histogram};

use crate::json::write_prometheus_float;

/// `[1.5,{"count":"3",…}]`: a histogram at a time.
pub(super) fn write_sample(out: &mut String, time: &str, histogram: &Histogram) {
    out.push('[');
    out.push_str(time);
    out.push_str(",{\"count\":\"");
    write_prometheus_float(out, histogram.count);
    out.push_str("\",\"sum\":\"");
    write_prometheus_float(out, histogram.sum);
    out.push('"');
    let mut before = ",\"buckets\":[";
    for bucket in histogram.buckets() {
        out.push_str(before);
        write_bucket(out, &bucket);
        before = ",";
    }
    if before == "," {
        out.push(']');
    }
    out.push_str("}]");
}

fn write_bucket(out: &mut String, bucket: &Bounded) {
    let rule = match (bucket.includes_lower, bucket.includes_upper) {
        (false, true) => '0',
        (true, false) => '1',
        (false, false) => '2',
        (true, true) => '3',
    };
    out.push('[');
    out.push(rule);
    for number in [bucket.lower, bucket.upper, bucket.count] {
        out.push_str(",\"");
        write_prometheus_float(out, number);
        out.push('"');
    }
    out.push(']');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_tell_their_bounds() {
        let histogram = Histogram {
            count: 9.0,
            sum: -1.5,
            zero_threshold: 0.5,
            zero_count: 2.0,
            positive: vec![(1, 3.0), (2, 0.0)],
            negative: vec![(2, 4.0)],
            ..Histogram::default()
        };
        let mut out = String::new();
        write_sample(&mut out, "1.500", &histogram);
        assert_eq!(
            out,
            concat!(
                r#"[1.500,{"count":"9","sum":"-1.5","buckets":[[1,"-4","-2","4"],"#,
                r#"[3,"-0.5","0.5","2"],[0,"1","2","3"]]}]"#
            )
        );
        out.clear();
        write_sample(&mut out, "0", &Histogram::default());
        assert_eq!(out, r#"[0,{"count":"0","sum":"0"}]"#);
    }
}
