//! Parameters of Loki's endpoints.

use super::*;

const NOW_NS: i64 = 1_700_000_000_000_000_000;

fn params(text: &str) -> Params {
    Params::parse(&[text.as_bytes()]).unwrap()
}

fn read(text: &str, is_log: bool) -> Result<QueryParams, Error> {
    range(&params(text), &ApiOptions::default(), is_log, NOW_NS)
}

#[test]
fn a_range_query_has_defaults() {
    let read = read("", true).unwrap();
    assert_eq!(read.range.end_ns, NOW_NS);
    assert_eq!(read.range.start_ns, NOW_NS - DEFAULT_RANGE_NS);
    assert_eq!(read.grid.step_ns, 14 * NANOS_PER_SECOND);
    assert_eq!((read.limit, read.direction), (100, Direction::Backward));
}

#[test]
fn since_looks_back_from_the_end_but_not_from_the_future() {
    let range = bounds(&params("since=5m"), NOW_NS, 1).unwrap();
    assert_eq!(range.start_ns, NOW_NS - 300 * NANOS_PER_SECOND);
    let range = bounds(&params("since=5m&end=1800000000"), NOW_NS, 1).unwrap();
    assert_eq!(range.start_ns, NOW_NS - 300 * NANOS_PER_SECOND);
    let range = bounds(&params("since=5m&start=12&end=20"), NOW_NS, 1).unwrap();
    assert_eq!(range.start_ns, 12 * NANOS_PER_SECOND);
}

#[test]
fn a_grid_has_both_ends() {
    let read = read("start=100&end=160&step=30000ms", false).unwrap();
    assert_eq!((read.grid.step_ns, read.grid.steps), (30 * NANOS_PER_SECOND, 3));
}

#[test]
fn requests_are_refused_in_lokis_words() {
    for (text, is_log, message) in [
        ("start=2&end=2", true, "end timestamp must not be before or equal to start time"),
        (
            "step=0",
            false,
            "zero or negative query resolution step widths are not accepted. \
             Try a positive integer",
        ),
        (
            "start=0&end=11001&step=1",
            false,
            "exceeded maximum resolution of 11,000 points per time series. \
             Try increasing the value of the step parameter",
        ),
        ("limit=0", true, "limit must be a positive value"),
        ("limit=-1", true, "limit must be a positive value"),
        (
            "limit=5001",
            true,
            "max entries limit per query exceeded, limit > max_entries_limit_per_query \
             (5001 > 5000)",
        ),
        ("direction=up", true, "invalid direction 'up'"),
        ("step=x", true, "cannot parse \"x\" to a valid duration"),
    ] {
        assert_eq!(read(text, is_log).unwrap_err().to_string(), message);
    }
    assert!(read("limit=5001", false).is_ok());
    assert!(read("start=0&end=11001&step=1", true).is_ok());
}

#[test]
fn the_health_check_lies_in_the_future() {
    let read = instant(&params("time=4000000000"), &ApiOptions::default(), NOW_NS).unwrap();
    assert_eq!(read.grid, StepGrid::instant(4_000_000_000 * NANOS_PER_SECOND));
}
