//! Tests of OTLP JSON: the protobuf it becomes is what prost reads.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message;

use super::*;

fn logs(json: &str) -> Result<ExportLogsServiceRequest, Error> {
    let request = transcode(Signal::Logs, json.as_bytes())?;
    Ok(ExportLogsServiceRequest::decode(request.as_slice()).expect("JSON becomes protobuf"))
}

fn record(json: &str) -> Result<opentelemetry_proto::tonic::logs::v1::LogRecord, Error> {
    let json = format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{json}]}}]}}]}}"#);
    let mut request = logs(&json)?;
    Ok(request.resource_logs.remove(0).scope_logs.remove(0).log_records.remove(0))
}

#[test]
fn numbers_may_be_texts_and_enums_names() {
    for json in [
        r#"{"timeUnixNano":"5","severityNumber":9,"droppedAttributesCount":"2","flags":1}"#,
        r#"{"time_unix_nano":5,"severity_number":"SEVERITY_NUMBER_INFO",
            "dropped_attributes_count":2.0,"flags":"1","unknown":{"a":[1,{}]}}"#,
        r#"{"timeUnixNano":5e0,"severityNumber":"9","droppedAttributesCount":2,"flags":1,
            "body":null,"attributes":null}"#,
    ] {
        let record = record(json).unwrap();
        assert_eq!((record.time_unix_nano, record.severity_number), (5, 9), "{json}");
        assert_eq!((record.dropped_attributes_count, record.flags), (2, 1), "{json}");
    }
}

#[test]
fn ids_are_hex_and_bytes_base64() {
    let record = record(
        r#"{"traceId":"5b8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174",
            "body":{"bytesValue":"-_8"}}"#,
    )
    .unwrap();
    assert_eq!(record.trace_id[..2], [0x5B, 0x8E]);
    assert_eq!(record.span_id[7], 0x74);
    assert_eq!(record.body.unwrap().value, Some(Any::BytesValue(vec![0xFB, 0xFF])));
}

#[test]
fn values_that_are_zero_are_still_values() {
    for (json, expected) in [
        (r#"{"intValue":"0"}"#, Some(Any::IntValue(0))),
        (r#"{"intValue":-1}"#, Some(Any::IntValue(-1))),
        (r#"{"boolValue":false}"#, Some(Any::BoolValue(false))),
        (r#"{"stringValue":""}"#, Some(Any::StringValue(String::new()))),
        (r#"{"doubleValue":"Infinity"}"#, Some(Any::DoubleValue(f64::INFINITY))),
        (r#"{"doubleValue":3}"#, Some(Any::DoubleValue(3.0))),
        (r#"{}"#, None),
    ] {
        let record = record(&format!(r#"{{"body":{json}}}"#)).unwrap();
        assert_eq!(record.body.unwrap().value, expected, "{json}");
    }
}

#[test]
fn long_messages_have_long_lengths() {
    let text = "x".repeat(20_000);
    let record = record(&format!(r#"{{"body":{{"stringValue":"{text}"}}}}"#)).unwrap();
    assert_eq!(record.body.unwrap().value, Some(Any::StringValue(text)));
}

#[test]
fn metrics_and_spans_have_all_their_fields() {
    let metrics = br#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[
        {"name":"e","exponentialHistogram":{"aggregationTemporality":2,"dataPoints":[
            {"scale":-3,"count":"2","positive":{"offset":-7,"bucketCounts":["1",1]},
             "min":1,"zeroThreshold":0.5}]}},
        {"name":"s","sum":{"isMonotonic":true,"aggregationTemporality":
            "AGGREGATION_TEMPORALITY_DELTA","dataPoints":[{"asInt":"-4"}]}},
        {"name":"h","histogram":{"dataPoints":[{"bucketCounts":["1","2"],
            "explicitBounds":[0.5],"sum":3}]}}]}]}]}"#;
    let request = transcode(Signal::Metrics, metrics).unwrap();
    let mut request = ExportMetricsServiceRequest::decode(request.as_slice()).unwrap();
    let metrics = request.resource_metrics.remove(0).scope_metrics.remove(0).metrics;
    let Some(Data::ExponentialHistogram(exponential)) = &metrics[0].data else { panic!() };
    let point = &exponential.data_points[0];
    assert_eq!((point.scale, point.min, point.zero_threshold), (-3, Some(1.0), 0.5));
    let positive = point.positive.clone().unwrap();
    assert_eq!((positive.offset, positive.bucket_counts), (-7, vec![1, 1]));
    let Some(Data::Sum(sum)) = &metrics[1].data else { panic!() };
    assert_eq!((sum.is_monotonic, sum.aggregation_temporality), (true, 1));
    let Some(Data::Histogram(histogram)) = &metrics[2].data else { panic!() };
    assert_eq!(histogram.data_points[0].bucket_counts, [1, 2]);
    assert_eq!(histogram.data_points[0].explicit_bounds, [0.5]);

    let spans = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"kind":"SPAN_KIND_SERVER",
        "status":{"code":2,"message":"m"},"links":[{"spanId":"eee19b7ec3c1b174"}],
        "events":[{"timeUnixNano":"1","name":"n"}],"flags":257}]}]}]}"#;
    let request = transcode(Signal::Traces, spans).unwrap();
    let mut request = ExportTraceServiceRequest::decode(request.as_slice()).unwrap();
    let span = request.resource_spans.remove(0).scope_spans.remove(0).spans.remove(0);
    assert_eq!((span.kind, span.flags, span.events[0].time_unix_nano), (2, 257, 1));
    assert_eq!((span.status.unwrap().code, span.links[0].span_id.len()), (2, 8));
}

#[test]
fn what_is_no_otlp_json_is_told_with_its_place() {
    for (json, told) in [
        ("{", "line 1 column 1"),
        ("[]", "expected an object"),
        (r#"{"resourceLogs":{}}"#, "an array for resourceLogs"),
        (r#"{"resourceLogs":[]} x"#, "trailing characters"),
        (r#"{"resourceLogs":[1]}"#, "resourceLogs"),
    ] {
        let error = logs(json).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(told), "{json}: {error}");
    }
    for json in [
        r#"{"timeUnixNano":-1}"#,
        r#"{"timeUnixNano":"18446744073709551616"}"#,
        r#"{"timeUnixNano":1.5}"#,
        r#"{"timeUnixNano":true}"#,
        r#"{"traceId":"xyz"}"#,
        r#"{"severityNumber":"LOUD"}"#,
        r#"{"body":{"bytesValue":"!"}}"#,
        r#"{"body":"text"}"#,
        r#"{"flags":4294967296}"#,
    ] {
        assert!(record(json).is_err(), "{json}");
    }
    let deep = r#"{"body":{"arrayValue":{"values":["#.repeat(60);
    assert!(record(&deep).is_err());
    let deep = r#"{"arrayValue":{"values":["#.repeat(60) + &"]}}".repeat(60);
    let error = record(&format!(r#"{{"body":{deep}}}"#)).unwrap_err();
    assert!(error.to_string().contains("recursion limit"), "{error}");
}
