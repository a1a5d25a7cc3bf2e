//! Times and durations.

use super::*;

#[test]
fn instants_are_read_in_every_spelling() {
    for (text, millis) in [
        ("0", 0),
        ("1435781430.781", 1_435_781_430_781),
        ("1.7e9", 1_700_000_000_000),
        ("1.0004", 1_000),
        ("2015-07-01T20:10:30.781Z", 1_435_781_430_781),
        ("2015-07-01T22:10:30+02:00", 1_435_781_430_000),
        ("1969-12-31T23:59:59Z", -1_000),
        ("2000-02-29T00:00:00Z", 951_782_400_000),
    ] {
        assert_eq!(parse_instant(text), Some(millis * 1_000_000), "{text}");
    }
    for text in ["", "foo", "NaN", "2015-13-01T00:00:00Z", "2015-07-01", "2015-07-01T20:10Z"] {
        assert_eq!(parse_instant(text), None, "{text}");
    }
}

#[test]
fn instants_beyond_the_end_of_time_are_the_end() {
    assert_eq!(parse_instant("1700000000000"), Some(INSTANT_MAX_NS));
    assert_eq!(parse_instant("-292273086-05-16T16:47:06Z"), Some(-INSTANT_MAX_NS));
    assert_eq!(parse_instant("9999-12-31T23:59:59Z"), Some(INSTANT_MAX_NS));
}

#[test]
fn loki_tells_seconds_from_nanoseconds_by_digits() {
    for (text, nanos) in [
        ("4000000000", 4_000_000_000 * NANOS_PER_SECOND),
        ("9999999999", INSTANT_MAX_NS),
        ("1700000000123456789", 1_700_000_000_123_456_789),
        ("1700000000.5", 1_700_000_000_500_000_000),
        ("2026-01-01T00:00:00.000000001Z", 1_767_225_600_000_000_001),
    ] {
        assert_eq!(parse_loki_instant(text), Some(nanos), "{text}");
    }
}

#[test]
fn durations_are_seconds_or_units_in_order() {
    for (text, nanos) in [
        ("15", 15_000_000_000),
        ("0.5", 500_000_000),
        ("1h30m", 5_400_000_000_000),
        ("15000ms", 15_000_000_000),
        ("1d", NANOS_PER_DAY),
        ("-1", -1_000_000_000),
    ] {
        assert_eq!(parse_duration(text), Some(nanos), "{text}");
    }
    for text in ["", "1m1h", "1.5h", "h", "1x", "NaN", "1e300", "99999999999999999999y"] {
        assert_eq!(parse_duration(text), None, "{text}");
    }
}

#[test]
fn seconds_have_three_digits_or_none() {
    for (nanos, text) in [
        (1_000_000_000, "1"),
        (1_005_000_000, "1.005"),
        (-1_500_000_000, "-1.500"),
        (1_000_000_999, "1"),
        (0, "0"),
    ] {
        let mut out = String::new();
        write_seconds(&mut out, nanos);
        assert_eq!(out, text);
    }
}

#[test]
fn steps_have_their_own_texts() {
    let texts = StepTexts::new(&StepGrid { start_ns: 0, step_ns: 500_000_000, steps: 3 });
    let all: Vec<&str> = (0..4).map(|step| texts.get(step)).collect();
    assert_eq!(all, ["0", "0.500", "1", ""]);
}
