//! Tests of times as text.

use schemas::model::NANOS_PER_SECOND as SECOND_NS;

use super::*;

const NOW_NS: i64 = 1_769_860_800 * SECOND_NS;

#[test]
fn relative_times_are_counted_from_now() {
    assert_eq!(parse("now", NOW_NS), Ok(NOW_NS));
    assert_eq!(parse("-1h", NOW_NS), Ok(NOW_NS - 3600 * SECOND_NS));
    assert_eq!(parse("now-1h30m", NOW_NS), Ok(NOW_NS - 5400 * SECOND_NS));
}

#[test]
fn absolute_times_are_read_in_several_forms() {
    for text in [
        "2026-01-31T12:00:00Z",
        "2026-01-31 12:00:00",
        "2026-01-31T14:00:00+02:00",
        "2026-01-31T12:00:00.000Z",
        "1769860800",
    ] {
        assert_eq!(parse(text, 0), Ok(NOW_NS), "{text}");
    }
    assert_eq!(parse("2026-01-31", 0), Ok(NOW_NS - 12 * 3600 * SECOND_NS));
    assert_eq!(parse("1970-01-01T00:00:00.5Z", 0), Ok(SECOND_NS / 2));
}

#[test]
fn what_is_no_time_is_refused() {
    for text in ["", "yesterday", "-x", "2026-13-01", "2026-01-31T25:00:00Z", "ü", "nan"] {
        assert!(parse(text, NOW_NS).is_err(), "{text}");
    }
}

#[test]
fn what_is_shown_is_read_back() {
    for time_ns in [0, NOW_NS, 951_782_400 * SECOND_NS, -SECOND_NS, 4_107_542_400 * SECOND_NS] {
        assert_eq!(parse(&format(time_ns), 0), Ok(time_ns), "{}", format(time_ns));
    }
    assert_eq!(format(NOW_NS), "2026-01-31T12:00:00.000Z");
    assert_eq!(format(951_782_400 * SECOND_NS), "2000-02-29T00:00:00.000Z");
}
