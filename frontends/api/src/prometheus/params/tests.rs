//! Parameters of Prometheus' endpoints.

use super::*;

fn params(text: &str) -> Params {
    Params::parse(&[text.as_bytes()]).unwrap()
}

fn grid_error(text: &str) -> String {
    grid(&params(text), 11_000).unwrap_err().to_string()
}

#[test]
fn a_range_query_has_a_step_at_both_ends() {
    let grid = grid(&params("start=10&end=1970-01-01T00:01:00Z&step=25"), 11_000).unwrap();
    assert_eq!((grid.start_ns, grid.step_ns, grid.steps), (10_000_000_000, 25_000_000_000, 3));
    let grid = super::grid(&params("start=0.5&end=0.5&step=1m"), 11_000).unwrap();
    assert_eq!((grid.start_ns, grid.step_ns, grid.steps), (500_000_000, 60_000_000_000, 1));
}

#[test]
fn grids_are_refused_in_prometheus_words() {
    for (text, message) in [
        ("end=1&step=1", r#"invalid parameter "start": cannot parse "" to a valid timestamp"#),
        (
            "start=x&end=1&step=1",
            r#"invalid parameter "start": cannot parse "x" to a valid timestamp"#,
        ),
        (
            "start=2&end=1&step=1",
            r#"invalid parameter "end": end timestamp must not be before start time"#,
        ),
        (
            "start=0&end=1&step=y",
            r#"invalid parameter "step": cannot parse "y" to a valid duration"#,
        ),
        (
            "start=0&end=1&step=0",
            "invalid parameter \"step\": zero or negative query resolution step widths are not \
             accepted. Try a positive integer",
        ),
        (
            "start=0&end=11001&step=1",
            "exceeded maximum resolution of 11,000 points per timeseries. \
             Try decreasing the query resolution (?step=XX)",
        ),
    ] {
        assert_eq!(grid_error(text), message);
    }
    assert_eq!(grid(&params("start=0&end=11000&step=1"), 11_000).unwrap().steps, 11_001);
}

#[test]
fn the_ends_of_time_do_not_overflow() {
    let ends = "start=-292273086-05-16T16:47:06Z&end=292277025-08-18T07:12:54.999999999Z";
    assert!(grid_error(&format!("{ends}&step=1")).starts_with("exceeded"));
    assert_eq!(grid(&params(&format!("{ends}&step=9e9")), 11_000).unwrap().steps, 3);
    let range = range(&params("")).unwrap();
    assert!(range.start_ns < 0 && range.end_ns > INSTANT_MAX_NS);
}

#[test]
fn limits_are_counts() {
    assert_eq!(limit(&params("")).unwrap(), None);
    assert_eq!(limit(&params("limit=0")).unwrap(), None);
    assert_eq!(limit(&params("limit=7")).unwrap(), Some(7));
    assert!(limit(&params("limit=-1")).is_err());
    assert!(limit(&params("limit=x")).is_err());
}

#[test]
fn escaped_names_are_unescaped() {
    for (escaped, name) in [
        ("job", "job"),
        ("U__http_2e_route", "http.route"),
        ("U__a__b_2e_c", "a_b.c"),
        ("U__bad_zz_", "U__bad_zz_"),
        ("U__open_2e", "U__open_2e"),
    ] {
        assert_eq!(label_name(escaped).unwrap(), name);
    }
    assert_eq!(label_name("U__").unwrap_err().to_string(), "invalid label name: \"\"");
}

#[test]
fn query_params_have_defaults() {
    let options = ApiOptions::default();
    let params = params("query=up&timeout=5s&stats=all&lookback_delta=1m");
    let read = QueryParams::read(&params, &options).unwrap();
    assert_eq!(read.text, "up");
    assert_eq!(read.timeout, Some(Duration::from_secs(5)));
    assert!(read.stats);
    assert_eq!(read.options.lookback_ns, 60_000_000_000);
    let params = super::Params::default();
    let read = QueryParams::read(&params, &options).unwrap();
    assert_eq!(read.options.lookback_ns, 300_000_000_000);
}
