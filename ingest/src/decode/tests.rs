//! Tests of decoding as a whole: the cases in `tests/cases/otlp`, the specification's example
//! messages, requests against a slow reference, and hostile bytes.
//!
//! Other test modules take their helpers from here.

use std::path::{Path, PathBuf};

use opentelemetry_proto::tonic::common::v1 as common;
use proptest::prelude::*;
use prost::Message;
use serde_json::{Value, json};

use super::*;
use crate::body::Format;
use crate::known::KnownSeries;
use crate::limits::Limits;

/// The time of receipt in all tests: 2023-11-14T22:13:20Z.
pub(super) const NOW_NS: i64 = 1_700_000_000_000_000_000;

pub(super) fn string(key: &str, value: &str) -> common::KeyValue {
    attribute(key, common::any_value::Value::StringValue(value.to_owned()))
}

pub(super) fn attribute(key: &str, value: common::any_value::Value) -> common::KeyValue {
    common::KeyValue {
        key: key.to_owned(),
        value: Some(common::AnyValue { value: Some(value) }),
        ..Default::default()
    }
}

/// Where requests come in that are all of one tenant.
#[derive(Default)]
pub(super) struct Place {
    pub(super) limits: Limits,
    pub(super) known: KnownSeries,
    pub(super) series: LabelIndex,
    pub(super) streams: LabelIndex,
}

impl Place {
    /// What a request is decoded with that comes now and for the first time.
    pub(super) fn context(&self) -> Context<'_> {
        Context {
            received_ns: NOW_NS,
            limits: &self.limits,
            series_max: 0,
            streams_max: 0,
            tenant: "t",
            known: &self.known,
            series: &self.series,
            streams: &self.streams,
            is_replay: false,
            memory: None,
            rejected_before: &[],
        }
    }
}

pub(super) fn decode_with(signal: Signal, request: &[u8], limits: &Limits) -> Decoded {
    let place = Place::default();
    let context = Context { limits, ..place.context() };
    decode(signal, Format::Protobuf, request, &context).unwrap()
}

pub(super) fn decode_message(signal: Signal, request: &impl Message) -> Decoded {
    decode_with(signal, &request.encode_to_vec(), &Limits::default())
}

/// The rows of a table as JSON objects, nulls left out.
pub(super) fn rows(decoded: &Decoded, table: schemas::tables::Table) -> Vec<Value> {
    let Some(batch) = decoded.batches.iter().find(|batch| batch.table == table) else {
        return Vec::new();
    };
    let mut writer = arrow::json::ArrayWriter::new(Vec::new());
    writer.write(&batch.rows).unwrap();
    writer.finish().unwrap();
    let Value::Array(rows) = serde_json::from_slice(&writer.into_inner()).unwrap() else {
        unreachable!("an array was written");
    };
    rows
}

fn table_named(name: &str) -> schemas::tables::Table {
    *schemas::tables::Table::ALL.iter().find(|table| table.name() == name).unwrap()
}

fn signal_named(name: &str) -> Signal {
    *Signal::ALL.iter().find(|signal| signal.name() == name).unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Whether `row` has all that `expected` has; `null` stands for an absent value.
fn holds(row: &Value, expected: &Value) -> bool {
    let (Value::Object(row), Value::Object(expected)) = (row, expected) else {
        return row == expected;
    };
    expected.iter().all(|(name, value)| row.get(name).unwrap_or(&Value::Null) == value)
}

/// A case names a signal, a request in OTLP JSON, and for each table the rows that it makes, with
/// the columns that matter. Columns that hold JSON text are compared as text.
#[test]
fn cases_decode_as_they_say() {
    let folder = root().join("tests/cases/otlp");
    let mut cases = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let file: Vec<Value> = serde_json::from_str(&text).unwrap();
        for case in &file {
            check_case(&format!("{}: {}", path.display(), case["case"]), case);
            cases += 1;
        }
    }
    assert!(cases > 0);
}

fn check_case(name: &str, case: &Value) {
    let signal = signal_named(case["signal"].as_str().unwrap());
    let transcoded = transcode_json(signal, case["request"].to_string().as_bytes());
    let request = match (transcoded, case.get("error")) {
        (Ok(request), None) => request,
        (Err(error), Some(expected)) => {
            let expected = expected.as_str().unwrap();
            assert!(error.to_string().contains(expected), "{name}: {error}");
            return;
        }
        (transcoded, expected) => panic!("{name}: {transcoded:?} instead of {expected:?}"),
    };
    let decoded = decode_with(signal, &request, &Limits::default());
    let rejected = case.get("rejected").cloned().unwrap_or(json!(0));
    assert_eq!(json!(decoded.rejections.count()), rejected, "{name}: {decoded:?}");
    if let Some(reason) = case.get("reason").and_then(Value::as_str) {
        let message = decoded.rejections.message().unwrap_or_default();
        assert!(message.contains(reason), "{name}: {message}");
    }
    let Some(Value::Object(tables)) = case.get("rows") else {
        panic!("{name}: says nothing of rows");
    };
    for (table, expected) in tables {
        let made = rows(&decoded, table_named(table));
        let expected = expected.as_array().unwrap();
        assert_eq!(made.len(), expected.len(), "{name}: rows of {table}: {made:#?}");
        for (row, expected) in made.iter().zip(expected) {
            assert!(holds(row, expected), "{name}: {table}: {row:#} should hold {expected:#}");
        }
    }
}

#[test]
fn the_specifications_examples_decode() {
    let folder = root().join("../shared/data/otlp");
    let limits = Limits { past_max: std::time::Duration::from_secs(1 << 33), ..Limits::default() };
    for (file, signal, records) in [
        ("logs.json", Signal::Logs, 1),
        ("events.json", Signal::Logs, 1),
        ("metrics.json", Signal::Metrics, 4),
        ("trace.json", Signal::Traces, 1),
    ] {
        let Ok(json) = std::fs::read(folder.join(file)) else {
            eprintln!("skipped: {} is absent", folder.join(file).display());
            continue;
        };
        let request = transcode_json(signal, &json).unwrap();
        let decoded = decode_with(signal, &request, &limits);
        assert_eq!((decoded.received, decoded.rejections.count()), (records, 0), "{file}");
        let defaults = decode_with(signal, &request, &Limits::default());
        assert_eq!(defaults.rejections.count(), records, "{file} is from 2018");
        assert!(defaults.batches.is_empty());
    }
}

#[test]
fn a_replayed_frame_makes_the_same_rows() {
    use storage::Decode;
    let request = crate::decode::logs::tests::small_request().encode_to_vec();
    let first = decode_with(Signal::Logs, &request, &Limits::default());
    let compressed = zstd::encode_all(request.as_slice(), 1).unwrap();
    let decoder = Decoder::new(&IngestOptions::default());
    for (encoding, payload) in [(0, request), (2, compressed)] {
        let frame = Frame {
            tenant: "default".into(),
            signal: Signal::Logs,
            encoding,
            received_ns: NOW_NS,
            payload: payload.into(),
            notes: bytes::Bytes::new(),
            identity: None,
        };
        let (series, streams) = (LabelIndex::default(), LabelIndex::default());
        let again = decoder.decode(&frame, &series, &streams).unwrap();
        assert_eq!(again.len(), first.batches.len());
        for (a, b) in again.iter().zip(&first.batches) {
            assert_eq!((a.table, &a.rows), (b.table, &b.rows));
        }
    }
}

#[test]
fn a_request_of_endless_empty_records_is_refused() {
    let rows_max = crate::limits::ROW_BYTES_PER_REQUEST_MAX / crate::limits::LOG_ROW_BYTES;
    let records = [0x12, 0x00].repeat(rows_max + 1);
    let request = framed(1, &framed(2, &records));
    let place = Place::default();
    let context = place.context();
    let error = decode(Signal::Logs, Format::Protobuf, &request, &context).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
}

/// A length-delimited field.
pub(super) fn framed(field: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![field << 3 | 2];
    prost::encoding::encode_varint(bytes.len() as u64, &mut out);
    out.extend_from_slice(bytes);
    out
}

#[test]
fn repeated_envelope_messages_are_merged() {
    let key_value = |key: &str| {
        let key_value = string(key, "x").encode_to_vec();
        framed(1, &framed(1, &key_value))
    };
    // The second half of the resource comes after the records.
    let scope_logs = framed(2, &framed(2, &[]));
    let resource_logs = [key_value("a"), scope_logs, key_value("b")].concat();
    let decoded = decode_with(Signal::Logs, &framed(1, &resource_logs), &Limits::default());
    let streams = rows(&decoded, schemas::tables::Table::LogStreams);
    assert_eq!(streams[0]["resource_attributes"], r#"{"a":"x","b":"x"}"#);
}

fn decode_anything(bytes: &[u8]) {
    let place = Place::default();
    let context = place.context();
    for signal in Signal::ALL {
        if let Ok(decoded) = decode(signal, Format::Protobuf, bytes, &context) {
            assert!(decoded.rejections.count() <= decoded.received);
        }
        if let Ok(request) = transcode_json(signal, bytes) {
            // What JSON is turned into always is protobuf.
            decode(signal, Format::Protobuf, &request, &context).unwrap();
        }
    }
}

fn seeds() -> Vec<Vec<u8>> {
    vec![
        crate::decode::logs::tests::small_request().encode_to_vec(),
        crate::decode::traces::tests::small_request().encode_to_vec(),
        crate::decode::metrics::tests::small_request().encode_to_vec(),
        br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"intValue":"1"},
            "severityNumber":"SEVERITY_NUMBER_INFO","traceId":"5B8EFFF798038103D269B633813FC60C",
            "attributes":[{"key":"k","value":{"bytesValue":"AQI="}}]}]}]}]}"#
            .to_vec(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn random_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        decode_anything(&bytes);
    }

    #[test]
    fn random_records_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        decode_anything(&framed(1, &framed(2, &framed(2, &bytes))));
    }

    #[test]
    fn changed_requests_do_no_harm(
        seed in 0_usize..4,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let mut bytes = seeds().swap_remove(seed);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        decode_anything(&bytes);
    }
}

#[test]
fn endless_scopes_without_records_are_refused_too() {
    // Each scope would copy the identity of its resource.
    let attributes: Vec<u8> =
        (0..200).flat_map(|i| framed(1, &string(&i.to_string(), "x").encode_to_vec())).collect();
    let scopes = [0x12, 0x00].repeat(100_000);
    let request = framed(1, &[framed(1, &attributes), scopes].concat());
    let place = Place::default();
    let mut context = place.context();
    let error = decode(Signal::Metrics, Format::Protobuf, &request, &context).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    // What was accepted once is never refused by the log.
    context.is_replay = true;
    decode(Signal::Metrics, Format::Protobuf, &request, &context).unwrap();
}
