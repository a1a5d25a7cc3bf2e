//! Tempo's JSON of OTLP messages.

use super::*;
use crate::tempo::attributes::{integer, parse, text};

#[test]
fn a_span_is_written_without_its_defaults() {
    let span = Span {
        trace_id: vec![0; 16],
        span_id: vec![1, 2, 3, 4, 5, 6, 7, 8],
        name: "GET /\"x\"".to_owned(),
        kind: 2,
        start_time_unix_nano: 1_700_000_000_000_000_001,
        end_time_unix_nano: 1_700_000_000_000_000_002,
        attributes: vec![text("a", ""), integer("n", 5)],
        events: vec![Event { time_unix_nano: 7, name: "e".to_owned(), ..Event::default() }],
        links: vec![Link { trace_id: vec![255; 16], span_id: vec![0; 8], ..Link::default() }],
        status: Some(Status { code: 2, message: "bad".to_owned() }),
        ..Span::default()
    };
    let all = [ResourceSpans {
        resource: Some(Resource::default()),
        scope_spans: vec![ScopeSpans {
            scope: Some(InstrumentationScope::default()),
            spans: vec![span, Span { status: Some(Status::default()), ..Span::default() }],
            schema_url: String::new(),
        }],
        schema_url: String::new(),
    }];
    let mut out = String::new();
    write_resource_spans(&mut out, &all);
    assert_eq!(
        out,
        concat!(
            r#"[{"resource":{},"scopeSpans":[{"scope":{},"spans":[{"#,
            r#""traceId":"AAAAAAAAAAAAAAAAAAAAAA==","spanId":"AQIDBAUGBwg=","#,
            r#""name":"GET /\"x\"","kind":"SPAN_KIND_SERVER","#,
            r#""startTimeUnixNano":"1700000000000000001","endTimeUnixNano":"1700000000000000002","#,
            r#""attributes":[{"key":"a","value":{"stringValue":""}},"#,
            r#"{"key":"n","value":{"intValue":"5"}}],"#,
            r#""events":[{"timeUnixNano":"7","name":"e"}],"#,
            r#""links":[{"traceId":"/////////////////////w==","spanId":"AAAAAAAAAAA="}],"#,
            r#""status":{"message":"bad","code":"STATUS_CODE_ERROR"}},{"status":{}}]}]}]"#,
        )
    );
}

#[test]
fn values_keep_their_types() {
    let stored = concat!(
        r#"{"b":true,"d":1.5,"e":2.0,"n":null,"y":{"$bytes":"AAE="},"#,
        r#""l":[1,"x"],"m":{"k":[]},"f":{"$double":"NaN"}}"#
    );
    let mut out = String::new();
    write_attributes(&mut out, &parse(Some(stored)).unwrap());
    assert_eq!(
        out,
        concat!(
            r#"[{"key":"b","value":{"boolValue":true}},{"key":"d","value":{"doubleValue":1.5}},"#,
            r#"{"key":"e","value":{"doubleValue":2}},{"key":"n","value":{}},"#,
            r#"{"key":"y","value":{"bytesValue":"AAE="}},"#,
            r#"{"key":"l","value":{"arrayValue":{"values":[{"intValue":"1"},"#,
            r#"{"stringValue":"x"}]}}},"#,
            r#"{"key":"m","value":{"kvlistValue":{"values":[{"key":"k","value":"#,
            r#"{"arrayValue":{}}}]}}},{"key":"f","value":{"doubleValue":"NaN"}}]"#,
        )
    );
}
