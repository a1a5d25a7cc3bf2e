//! Stored attributes.

use super::*;

fn value(stored: &str) -> Option<Value> {
    let attributes = parse(Some(&format!("{{\"k\":{stored}}}"))).unwrap();
    assert_eq!(attributes[0].key, "k");
    attributes.into_iter().next().unwrap().value.unwrap().value
}

#[test]
fn types_survive() {
    for (stored, expected) in [
        ("\"a\\n\"", Some(Value::StringValue("a\n".to_owned()))),
        ("true", Some(Value::BoolValue(true))),
        ("-7", Some(Value::IntValue(-7))),
        ("9223372036854775807", Some(Value::IntValue(i64::MAX))),
        ("1.0", Some(Value::DoubleValue(1.0))),
        ("1e300", Some(Value::DoubleValue(1e300))),
        ("null", None),
        (r#"{"$bytes":"AAE="}"#, Some(Value::BytesValue(vec![0, 1]))),
        (r#"{"$double":"-Infinity"}"#, Some(Value::DoubleValue(f64::NEG_INFINITY))),
    ] {
        assert_eq!(value(stored), expected, "{stored}");
    }
    assert!(matches!(value(r#"{"$double":"NaN"}"#), Some(Value::DoubleValue(v)) if v.is_nan()));
}

#[test]
fn arrays_and_maps_nest_in_order() {
    let Some(Value::ArrayValue(array)) = value(r#"[1,"a",[true],null]"#) else {
        panic!("an array")
    };
    assert_eq!(array.values.len(), 4);
    let Some(Value::KvlistValue(map)) = value(r#"{"z":1,"$$bytes":"x","a":{}}"#) else {
        panic!("a map")
    };
    let keys: Vec<&str> = map.values.iter().map(|entry| entry.key.as_str()).collect();
    assert_eq!(keys, ["z", "$bytes", "a"]);
}

#[test]
fn an_escaped_reserved_key_is_a_map() {
    let Some(Value::KvlistValue(map)) = value(r#"{"$$bytes":"AAE="}"#) else { panic!("a map") };
    assert_eq!(map.values[0].key, "$bytes");
}

#[test]
fn keys_of_attributes_keep_their_dollars_and_order() {
    let attributes = parse(Some(r#"{"$$b":1,"a":2}"#)).unwrap();
    assert_eq!(attributes, [integer("$$b", 1), integer("a", 2)]);
    assert!(parse(None).unwrap().is_empty());
    assert!(parse(Some("[1]")).is_err());
}
