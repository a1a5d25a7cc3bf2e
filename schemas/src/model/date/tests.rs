//! Dates there and back, and times as text.

use super::*;

#[test]
fn days_and_dates_are_inverse() {
    for days in (-800_000..800_000).step_by(37).chain([0, 59, 11_016, -1, 20_778]) {
        assert_eq!(Date::of_day(days).days(), days);
    }
    assert_eq!(Date::of_day(11_016).to_string(), "2000-02-29");
    assert_eq!(Date::of_day(i64::from(i32::MAX)).days(), i64::from(i32::MAX));
}

#[test]
fn times_are_written_as_they_are_read() {
    for text in ["1970-01-01T00:00:00.000Z", "2024-02-29T23:59:59.999Z", "1969-12-31T00:00:00.001Z"]
    {
        assert_eq!(rfc3339(parse_rfc3339(text).unwrap()).to_string(), text);
    }
}

#[test]
fn zones_and_fractions_are_read() {
    let noon = 1_769_860_800 * NANOS_PER_SECOND;
    for text in ["2026-01-31T14:00:00+02:00", "2026-01-31 12:00:00z", "2026-01-31t10:30:00-01:30"] {
        assert_eq!(parse_rfc3339(text), Some(noon), "{text}");
    }
    assert_eq!(parse_rfc3339("2026-01-31T12:00:00.0000000019Z"), Some(noon + 1));
    assert_eq!(parse_rfc3339("9999-01-31T12:00:00Z"), Some(i64::MAX));
    assert_eq!(parse_rfc3339("0001-01-31T12:00:00Z"), Some(i64::MIN));
}

#[test]
fn what_is_no_time_is_refused() {
    for text in [
        "",
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-13-01T12:00:00Z",
        "2026-01-31T25:00:00Z",
        "2026-01-31T12:00:00.Z",
        "2026-01-31T12:00:00+2",
        "+202-01-31T12:00:00Z",
        "2026-01-31T12:00:00\u{e9}Z",
    ] {
        assert_eq!(parse_rfc3339(text), None, "{text}");
    }
}
