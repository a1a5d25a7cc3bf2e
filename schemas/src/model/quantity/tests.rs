//! Tables of texts and what Go makes of them.

use super::{parse_float, parse_go_duration, parse_size};

#[test]
fn numbers() {
    for (text, value) in [
        ("1", Some(1.0)),
        ("-1.5e3", Some(-1500.0)),
        (".5", Some(0.5)),
        ("5.", Some(5.0)),
        ("0x1.8p1", Some(3.0)),
        ("-0X10p0", Some(-16.0)),
        ("+Inf", Some(f64::INFINITY)),
        ("0x1F", None),
        ("1e999", None),
        ("1_000", None),
        (" 1", None),
        ("", None),
        ("12ms", None),
    ] {
        assert_eq!(parse_float(text), value, "{text:?}");
    }
    assert!(parse_float("nan").is_some_and(f64::is_nan));
}

#[test]
fn durations() {
    for (text, value) in [
        ("1h30m", Some(5_400_000_000_000)),
        ("1.5s", Some(1_500_000_000)),
        ("0.3s", Some(300_000_000)),
        (".5ms", Some(500_000)),
        ("-3µs", Some(-3_000)),
        ("+10ns", Some(10)),
        ("0", Some(0)),
        ("1d", None),
        ("200", None),
        ("s", None),
        (".s", None),
        ("1.2.3s", None),
        ("", None),
        ("-", None),
        ("99999999999h", None),
    ] {
        assert_eq!(parse_go_duration(text), value, "{text:?}");
    }
}

#[test]
fn sizes() {
    for (text, value) in [
        ("5", Some(5)),
        ("5B", Some(5)),
        ("1mb", Some(1_000_000)),
        ("1.5 KiB", Some(1536)),
        ("1,024", Some(1024)),
        ("2K", Some(2000)),
        ("1gi", Some(1 << 30)),
        ("1EB", Some(1_000_000_000_000_000_000)),
        ("100EB", None),
        ("1zb", None),
        ("-1B", None),
        ("B", None),
        ("", None),
    ] {
        assert_eq!(parse_size(text), value, "{text:?}");
    }
}
