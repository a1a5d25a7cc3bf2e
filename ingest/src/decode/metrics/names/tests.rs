//! Tests of names.

use super::*;

#[test]
fn metric_names_get_units_and_suffixes() {
    let cases = [
        ("http.server.duration", "ms", Suffix::None, "http_server_duration_milliseconds"),
        ("my.counter", "1", Suffix::Total, "my_counter_total"),
        ("my.gauge", "1", Suffix::Ratio, "my_gauge_ratio"),
        ("my.gauge", "By", Suffix::Ratio, "my_gauge_bytes"),
        ("total.requests", "", Suffix::Total, "requests_total"),
        ("request_seconds", "s", Suffix::None, "request_seconds"),
        ("disk.io", "By/s", Suffix::None, "disk_io_bytes_per_second"),
        ("speed", "m/s", Suffix::None, "speed_meters_per_second"),
        ("queue.length", "{items}", Suffix::None, "queue_length"),
        ("errors", "{errors}/min", Suffix::None, "errors_per_min"),
        ("flow", "foo bar", Suffix::None, "flow_foo_bar"),
        ("2xx", "", Suffix::None, "_2xx"),
        ("a__b..c", "", Suffix::None, "a_b_c"),
        ("_lead", "", Suffix::None, "lead"),
        ("ns:rule", "", Suffix::None, "ns:rule"),
        ("cpu", "%", Suffix::None, "cpu_percent"),
    ];
    for (name, unit, suffix, expected) in cases {
        assert_eq!(metric_name(name, unit, suffix).as_deref(), Some(expected), "{name} {unit}");
    }
    assert_eq!(metric_name("", "s", Suffix::None), None);
    assert_eq!(metric_name("__", "s", Suffix::None), None);
}

#[test]
fn label_names_are_escaped() {
    let cases = [
        ("http.method", "http_method"),
        ("2xx", "key_2xx"),
        ("_hidden", "key_hidden"),
        (".dot", "key_dot"),
        ("__name", "__name"),
        ("a..b", "a__b"),
        ("größe", "gr__e"),
    ];
    for (key, expected) in cases {
        assert_eq!(label_name(key), expected);
    }
}
