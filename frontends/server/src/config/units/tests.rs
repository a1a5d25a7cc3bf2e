//! Tests of sizes and durations as text.

use super::*;

#[test]
fn sizes_are_read_in_binary_and_decimal_units() {
    assert_eq!(parse_size("4096"), Ok(4096));
    assert_eq!(parse_size("128MiB"), Ok(128 << 20));
    assert_eq!(parse_size(" 1.5 gib "), Ok(3 << 29));
    assert_eq!(parse_size("2MB"), Ok(2_000_000));
    assert_eq!(parse_size("0B"), Ok(0));
}

#[test]
fn sizes_that_are_none_are_refused() {
    for text in ["", "MiB", "12 parsecs", "-1", "99999999999TiB", "1..2MiB", "ü"] {
        assert!(parse_size(text).is_err(), "{text}");
    }
}

#[test]
fn durations_are_read_alone_and_as_sums() {
    assert_eq!(parse_duration("90"), Ok(Duration::from_secs(90)));
    assert_eq!(parse_duration("5m"), Ok(Duration::from_secs(300)));
    assert_eq!(parse_duration("1h30m"), Ok(Duration::from_secs(5400)));
    assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
    assert_eq!(parse_duration("1.5s"), Ok(Duration::from_millis(1500)));
    assert_eq!(parse_duration("0"), Ok(Duration::ZERO));
}

#[test]
fn durations_that_are_none_are_refused() {
    for text in ["", "m", "5 minutes", "-5m", "1h30", "999999999999d", "5µ"] {
        assert!(parse_duration(text).is_err(), "{text}");
    }
}

#[test]
fn what_is_printed_is_read_back() {
    for bytes in [0, 1, 1000, 1024, 1 << 20, 384 << 20, 1_500_000, u64::MAX] {
        assert_eq!(parse_size(&format_size(bytes)), Ok(bytes));
    }
    for nanos in [0, 1, 1_500, 250_000_000, 90_000_000_000, 90_061_000_000_001] {
        let duration = Duration::from_nanos(nanos);
        assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
    }
    assert_eq!(format_size(384 << 20), "384MiB");
    assert_eq!(format_duration(Duration::from_secs(5400)), "1h30m");
}
