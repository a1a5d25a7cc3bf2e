//! Volumes as queries.

use super::*;

#[test]
fn volumes_are_grouped_by_targets_or_by_matchers() {
    let job = || vec![Matcher::new("job", MatchOp::Equal, "a\"b")];
    assert_eq!(
        volume_query(job(), &[], 60_000_000_000, Form::Instant),
        r#"sort_desc(sum by (job) (bytes_over_time({job="a\"b"}[60000ms])))"#
    );
    assert_eq!(
        volume_query(job(), &["level", "job"], 1_000_000, Form::Range),
        r#"sum by (level,job) (bytes_over_time({job="a\"b",level=~".+"}[1ms]))"#
    );
    assert_eq!(
        volume_query(Vec::new(), &[], 1, Form::Range),
        r#"sum by (service_name) (bytes_over_time({service_name=~".+"}[1ms]))"#
    );
}
