//! Tests of attributes.

use opentelemetry_proto::tonic::common::v1 as common;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::decode::tests::{attribute, framed, string};

fn object_of(attributes: &[common::KeyValue]) -> Result<String, Failure> {
    let encoded: Vec<Vec<u8>> = attributes.iter().map(Message::encode_to_vec).collect();
    let mut list = Vec::new();
    for message in &encoded {
        push(&mut list, message, &Limits::default())?;
    }
    dedup(&mut list);
    let mut out = String::new();
    write_object(&mut out, &list)?;
    Ok(out)
}

fn json_of(value: Value) -> String {
    let object = object_of(&[attribute("k", value)]).unwrap();
    object.strip_prefix(r#"{"k":"#).unwrap().strip_suffix('}').unwrap().to_owned()
}

fn any_of(value: Value) -> common::AnyValue {
    common::AnyValue { value: Some(value) }
}

#[test]
fn types_survive_as_json() {
    let cases = [
        (Value::StringValue("a\"b\\\n\t\u{1}ü".into()), r#""a\"b\\\n\t\u0001ü""#),
        (Value::BoolValue(true), "true"),
        (Value::BoolValue(false), "false"),
        (Value::IntValue(1), "1"),
        (Value::IntValue(i64::MIN), "-9223372036854775808"),
        (Value::DoubleValue(1.0), "1.0"),
        (Value::DoubleValue(-0.0), "-0.0"),
        (Value::DoubleValue(1e300), "1e300"),
        (Value::DoubleValue(f64::NAN), r#"{"$double":"NaN"}"#),
        (Value::DoubleValue(f64::INFINITY), r#"{"$double":"Infinity"}"#),
        (Value::DoubleValue(f64::NEG_INFINITY), r#"{"$double":"-Infinity"}"#),
        (Value::BytesValue(vec![1, 2]), r#"{"$bytes":"AQI="}"#),
    ];
    for (value, expected) in cases {
        assert_eq!(json_of(value), expected);
    }
    assert_eq!(object_of(&[]).unwrap(), "");
}

#[test]
fn arrays_maps_and_empty_values_nest() {
    let values = vec![any_of(Value::IntValue(1)), common::AnyValue { value: None }];
    let array = Value::ArrayValue(common::ArrayValue { values });
    assert_eq!(json_of(array.clone()), "[1,null]");
    let empty = Value::ArrayValue(common::ArrayValue::default());
    assert_eq!(json_of(empty), "[]");
    let values = vec![attribute("$bytes", array), string("a", "1"), string("a", "2")];
    let map = Value::KvlistValue(common::KeyValueList { values });
    assert_eq!(json_of(map), r#"{"$$bytes":[1,null],"a":"2"}"#);
    assert_eq!(json_of(Value::KvlistValue(common::KeyValueList::default())), "{}");
}

#[test]
fn the_last_of_equal_keys_wins_in_short_and_long_lists() {
    let short = object_of(&[string("a", "1"), string("b", "2"), string("a", "3")]).unwrap();
    assert_eq!(short, r#"{"a":"3","b":"2"}"#);
    let mut long: Vec<_> = (0..100).map(|i| string(&format!("k{}", i % 50), "v")).collect();
    long[99] = string("k0", "last");
    let json: serde_json::Value = serde_json::from_str(&object_of(&long).unwrap()).unwrap();
    assert_eq!(json.as_object().unwrap().len(), 50);
    assert_eq!(json["k0"], "last");
}

#[test]
fn lists_of_a_value_sent_twice_are_joined() {
    let item = |value: i64| framed(1, &any_of(Value::IntValue(value)).encode_to_vec());
    let array = |value: i64| framed(2, &framed(5, &item(value)));
    let message = [framed(1, b"k"), array(1), array(2)].concat();
    let mut list = Vec::new();
    push(&mut list, &message, &Limits::default()).unwrap();
    let mut out = String::new();
    write_object(&mut out, &list).unwrap();
    assert_eq!(out, r#"{"k":[1,2]}"#);
}

#[test]
fn what_is_too_deep_too_long_or_not_utf8_is_rejected() {
    let mut deep = Value::IntValue(1);
    for _ in 0..VALUE_DEPTH_MAX {
        deep = Value::ArrayValue(common::ArrayValue { values: vec![any_of(deep)] });
    }
    let limits = Limits::default();
    let long = "x".repeat(limits.attribute_value_bytes_max + 1);
    let many: Vec<_> = (0..=limits.attributes_max).map(|i| string(&i.to_string(), "")).collect();
    for attributes in [vec![attribute("k", deep)], vec![string("k", &long)], many] {
        let Err(Failure::Rejected(rejection)) = object_of(&attributes) else {
            panic!("must be rejected");
        };
        assert_eq!(rejection.reason, Reason::Attributes);
    }
    let message = [framed(1, b"k"), framed(2, &framed(1, &[0xFF]))].concat();
    let mut list = Vec::new();
    push(&mut list, &message, &limits).unwrap();
    let Err(Failure::Rejected(rejection)) = write_object(&mut String::new(), &list) else {
        panic!("must be rejected");
    };
    assert_eq!(rejection.reason, Reason::NotUtf8);
}

#[test]
fn labels_have_plain_texts() {
    let text_of = |value: AnyValue<'_>| {
        let mut text = String::new();
        write_label_text(&mut text, &value).unwrap();
        text
    };
    assert_eq!(text_of(AnyValue::Text("a\"b")), "a\"b");
    assert_eq!(text_of(AnyValue::Empty), "");
    assert_eq!(text_of(AnyValue::Int(-5)), "-5");
    assert_eq!(text_of(AnyValue::Bool(true)), "true");
    assert_eq!(text_of(AnyValue::Double(1.0)), "1");
    assert_eq!(text_of(AnyValue::Double(0.25)), "0.25");
    assert_eq!(text_of(AnyValue::Double(1e21)), "1e21");
    assert_eq!(text_of(AnyValue::Bytes(&[1, 2])), "AQI=");
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        ".*".prop_map(Value::StringValue),
        any::<bool>().prop_map(Value::BoolValue),
        any::<i64>().prop_map(Value::IntValue),
        any::<f64>().prop_map(Value::DoubleValue),
        prop::collection::vec(any::<u8>(), 0..9).prop_map(Value::BytesValue),
    ];
    leaf.prop_recursive(4, 20, 4, |inner| {
        let items = prop::collection::vec(inner.clone().prop_map(any_of), 0..4);
        let entries = prop::collection::btree_map(".*", inner, 0..4);
        prop_oneof![
            items.prop_map(|values| Value::ArrayValue(common::ArrayValue { values })),
            entries.prop_map(|entries| {
                let values = entries.into_iter().map(|(key, value)| attribute(&key, value));
                Value::KvlistValue(common::KeyValueList { values: values.collect() })
            }),
        ]
    })
}

/// The same by way of prost and serde, slow and plain.
fn reference(value: &Value) -> serde_json::Value {
    use serde_json::json;
    let inner = |any: &Option<common::AnyValue>| {
        any.as_ref().and_then(|any| any.value.as_ref()).map_or(json!(null), reference)
    };
    match value {
        Value::StringValue(text) => json!(text),
        Value::BoolValue(value) => json!(value),
        Value::IntValue(value) => json!(value),
        Value::DoubleValue(value) if value.is_nan() => json!({ "$double": "NaN" }),
        Value::DoubleValue(value) if value.is_infinite() => {
            json!({ "$double": if *value > 0.0 { "Infinity" } else { "-Infinity" } })
        }
        Value::DoubleValue(value) => json!(value),
        Value::BytesValue(bytes) => json!({ "$bytes": BASE64_STANDARD.encode(bytes) }),
        Value::ArrayValue(array) => {
            array.values.iter().map(|item| inner(&Some(item.clone()))).collect()
        }
        Value::KvlistValue(list) => {
            let entries = list.values.iter().map(|entry| {
                let escape = if entry.key.starts_with('$') { "$" } else { "" };
                (format!("{escape}{}", entry.key), inner(&entry.value))
            });
            serde_json::Value::Object(entries.collect())
        }
        _ => json!(null),
    }
}

/// Equal but for the last digit of doubles, which serde_json reads roughly.
fn same(a: &serde_json::Value, b: &serde_json::Value) -> bool {
    use serde_json::Value as Json;
    match (a, b) {
        (Json::Number(a), Json::Number(b)) if a.is_f64() && b.is_f64() => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            a == b || ((a - b) / a).abs() < 1e-12
        }
        (Json::Array(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

proptest! {
    #[test]
    fn written_values_are_what_a_slow_way_makes(value in any_value()) {
        let written = json_of(value.clone());
        let parsed: serde_json::Value = serde_json::from_str(&written).unwrap();
        let expected = reference(&value);
        prop_assert!(same(&parsed, &expected), "{written} is not {expected}");
    }

    #[test]
    fn integers_are_written_as_std_does(value in any::<i64>()) {
        let mut out = String::new();
        write_int(&mut out, value);
        prop_assert_eq!(out, value.to_string());
    }
}
