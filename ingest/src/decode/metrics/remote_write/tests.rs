//! Remote write: messages built field by field, rows compared.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};
use schemas::model::{Labels, Signal};
use schemas::tables::Table;
use storage::TableBatch;

use super::*;
use crate::body::Format;
use crate::decode::decode;
use crate::decode::tests::Place;

/// 2023-11-14T22:13:20Z.
const NOW_MS: i64 = 1_700_000_000_000;

/// A protobuf message under construction.
#[derive(Clone, Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(mut self, field: u32, value: u64) -> Self {
        push_varint(&mut self.0, u64::from(field << 3));
        push_varint(&mut self.0, value);
        self
    }

    fn double(mut self, field: u32, value: f64) -> Self {
        push_varint(&mut self.0, u64::from(field << 3 | 1));
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn bytes(mut self, field: u32, value: impl AsRef<[u8]>) -> Self {
        push_varint(&mut self.0, u64::from(field << 3 | 2));
        push_varint(&mut self.0, value.as_ref().len() as u64);
        self.0.extend_from_slice(value.as_ref());
        self
    }

    fn message(self, field: u32, value: &Self) -> Self {
        self.bytes(field, &value.0)
    }

    fn packed(self, field: u32, values: impl IntoIterator<Item = u64>) -> Self {
        let mut packed = Vec::new();
        values.into_iter().for_each(|value| push_varint(&mut packed, value));
        self.bytes(field, packed)
    }
}

fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn zigzag_of(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn label(name: &str, value: &str) -> Message {
    Message::default().bytes(1, name).bytes(2, value)
}

fn sample(value: f64, time_ms: i64) -> Message {
    Message::default().double(1, value).varint(2, time_ms as u64)
}

fn series_1(labels: &[(&str, &str)]) -> Message {
    labels
        .iter()
        .fold(Message::default(), |series, (name, value)| series.message(1, &label(name, value)))
}

fn decoded(format: Format, request: &Message) -> Decoded {
    try_decode(format, request).unwrap()
}

fn try_decode(format: Format, request: &Message) -> Result<Decoded, Error> {
    let place = Place::default();
    let context = Context { received_ns: NOW_MS * NANOS_PER_MILLI, ..place.context() };
    decode(Signal::Metrics, format, &request.0, &context)
}

fn rows(decoded: &Decoded, table: Table) -> &TableBatch {
    decoded.batches.iter().find(|batch| batch.table == table).unwrap()
}

fn ints(batch: &TableBatch, column: &str) -> Vec<i64> {
    batch.rows.column_by_name(column).unwrap().as_primitive::<Int64Type>().values().to_vec()
}

fn floats(batch: &TableBatch, column: &str) -> Vec<u64> {
    let column = batch.rows.column_by_name(column).unwrap().as_primitive::<Float64Type>();
    column.values().iter().map(|value| value.to_bits()).collect()
}

fn text(batch: &TableBatch, column: &str, row: usize) -> String {
    let column = batch.rows.column_by_name(column).unwrap().as_dictionary::<Int32Type>();
    let at = column.keys().value(row);
    column.values().as_string::<i32>().value(at as usize).to_owned()
}

fn id_of(pairs: &[(&str, &str)]) -> i64 {
    let labels: Labels =
        pairs.iter().map(|(name, value)| schemas::model::Label::new(*name, *value)).collect();
    labels.id()
}

#[test]
fn series_of_1_0_become_samples_and_series() {
    let labels = [("__name__", "requests_total"), ("job.name", "a b"), ("zone", "")];
    let metadata = Message::default().varint(1, 1).bytes(2, "requests").bytes(4, "How many.");
    let series = series_1(&labels)
        .message(2, &sample(1.5, NOW_MS))
        .message(2, &sample(f64::from_bits(0x7ff0_0000_0000_0002), NOW_MS + 15_000));
    let request = Message::default().message(1, &series).message(3, &metadata);
    let decoded = decoded(Format::RemoteWrite1, &request);
    assert_eq!((decoded.received, decoded.rejections.count()), (2, 0));
    let expected = Written { samples: 2, ..Written::default() };
    assert_eq!(decoded.written, expected);
    let id = id_of(&[("__name__", "requests_total"), ("job.name", "a b")]);
    let samples = rows(&decoded, Table::MetricSamples);
    assert_eq!(ints(samples, "series_id"), [id, id]);
    assert_eq!(ints(samples, "time_ms"), [NOW_MS, NOW_MS + 15_000]);
    assert_eq!(floats(samples, "value"), [1.5_f64.to_bits(), 0x7ff0_0000_0000_0002]);
    let series = rows(&decoded, Table::MetricSeries);
    assert_eq!(ints(series, "series_id"), [id]);
    assert_eq!(text(series, "type", 0), "counter");
    assert_eq!(text(series, "help", 0), "How many.");
}

#[test]
fn series_of_2_0_refer_to_symbols() {
    let symbols = ["", "__name__", "up", "job", "api", "Whether it answers.", "1"];
    let metadata = Message::default().varint(1, 2).varint(3, 5).varint(4, 6);
    let counted = sample(1.0, NOW_MS).varint(3, (NOW_MS - 1_000) as u64);
    let exemplar = Message::default().packed(1, [3, 4]).double(2, 9.0).varint(3, NOW_MS as u64);
    let series = Message::default()
        .packed(1, [1, 2, 3, 4])
        .message(2, &counted)
        .message(4, &exemplar)
        .message(5, &metadata);
    let request = symbols.iter().fold(Message::default(), |request, text| request.bytes(4, text));
    let decoded = decoded(Format::RemoteWrite2, &request.message(5, &series));
    assert_eq!(decoded.written, Written { samples: 1, histograms: 0, exemplars: 1 });
    let samples = rows(&decoded, Table::MetricSamples);
    assert_eq!(ints(samples, "start_time_ms"), [NOW_MS - 1_000]);
    let series = rows(&decoded, Table::MetricSeries);
    assert_eq!(ints(series, "series_id"), [id_of(&[("__name__", "up"), ("job", "api")])]);
    assert_eq!(text(series, "type", 0), "gauge");
    assert_eq!(text(series, "unit", 0), "1");
    let exemplars = rows(&decoded, Table::Exemplars);
    let attributes = exemplars.rows.column_by_name("attributes").unwrap().as_string::<i32>();
    assert_eq!(attributes.value(0), r#"{"job":"api"}"#);
}

#[test]
fn trace_ids_of_exemplars_have_columns() {
    let exemplar = Message::default()
        .message(1, &label("trace_id", "0102030405060708090a0b0c0d0e0f10"))
        .message(1, &label("span_id", "not hex"))
        .double(2, 1.0)
        .varint(3, NOW_MS as u64);
    let series = series_1(&[("__name__", "x")]).message(3, &exemplar);
    let decoded = decoded(Format::RemoteWrite1, &Message::default().message(1, &series));
    let exemplars = rows(&decoded, Table::Exemplars);
    let traces = exemplars.rows.column_by_name("trace_id").unwrap().as_fixed_size_binary();
    assert_eq!(traces.value(0)[..2], [1, 2]);
    assert!(exemplars.rows.column_by_name("span_id").unwrap().is_null(0));
}

#[test]
fn histograms_are_laid_out_from_their_first_bucket() {
    // Buckets 1, 2 and 5 of schema 0 with 3, 4 and 1 observations.
    let span =
        |offset: i64, length| Message::default().varint(1, zigzag_of(offset)).varint(2, length);
    let histogram = Message::default()
        .varint(1, 10)
        .double(3, 18.5)
        .varint(4, zigzag_of(0))
        .double(5, 0.001)
        .varint(6, 2)
        .message(11, &span(1, 2))
        .message(11, &span(2, 1))
        .packed(12, [3, 1, -3].map(zigzag_of))
        .varint(15, NOW_MS as u64);
    let series = series_1(&[("__name__", "latency")]).message(4, &histogram);
    let decoded = decoded(Format::RemoteWrite1, &Message::default().message(1, &series));
    assert_eq!(decoded.written, Written { histograms: 1, ..Written::default() });
    let rows = rows(&decoded, Table::MetricHistograms);
    assert_eq!(ints(rows, "count"), [10]);
    assert_eq!(ints(rows, "zero_count"), [2]);
    let offsets = rows.rows.column_by_name("positive_offset").unwrap();
    assert_eq!(offsets.as_primitive::<Int32Type>().values(), &[0]);
    let counts = rows.rows.column_by_name("positive_counts").unwrap().as_list::<i32>().value(0);
    assert_eq!(counts.as_primitive::<Int64Type>().values(), &[3, 4, 0, 0, 1]);
}

#[test]
fn finer_histograms_are_merged() {
    let read = |schema: i64| {
        let span = Message::default().varint(1, zigzag_of(1)).varint(2, 4);
        let message = Message::default()
            .varint(4, zigzag_of(schema))
            .message(11, &span)
            .packed(12, [1, 0, 0, 0].map(zigzag_of));
        histogram::read(&message.0).map(|read| (read.point.scale, read.point.positive.counts))
    };
    assert_eq!(read(8).unwrap(), (8, vec![1, 1, 1, 1]));
    assert_eq!(read(9).unwrap(), (8, vec![2, 2]));
    assert!(read(-5).is_err());
}

#[test]
fn fractions_and_custom_bounds_are_kept() {
    let floats = |values: &[f64]| -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    };
    let span = Message::default().varint(1, zigzag_of(1)).varint(2, 2);
    let message = Message::default()
        .double(2, 3.5)
        .varint(4, zigzag_of(-53))
        .message(11, &span)
        .bytes(13, floats(&[1.5, 2.0]))
        .varint(14, 3)
        .bytes(16, floats(&[0.5, 1.0]));
    let read = histogram::read(&message.0).unwrap();
    let point = read.point;
    assert_eq!(point.custom_bounds, Some(vec![0.5, 1.0]));
    assert_eq!((point.scale, point.positive.offset, point.reset_hint), (-53, 1, Some(3)));
    assert_eq!(point.fractions, Some(vec![3.5, 0.0, 1.5, 2.0]));
    assert_eq!(point.positive.counts, [0, 0]);
    let falling = message.bytes(16, floats(&[0.7]));
    assert!(histogram::read(&falling.0).is_err());
}

#[test]
fn what_makes_no_sense_is_rejected_alone() {
    let good = series_1(&[("__name__", "good")]).message(2, &sample(1.0, NOW_MS));
    let nameless = series_1(&[("job", "a")])
        .message(2, &sample(1.0, NOW_MS))
        .message(2, &sample(2.0, NOW_MS + 1));
    let twice =
        series_1(&[("__name__", "x"), ("a", "1"), ("a", "2")]).message(2, &sample(1.0, NOW_MS));
    let mixed = series_1(&[("__name__", "old")])
        .message(2, &sample(1.0, 0))
        .message(2, &sample(1.0, -5))
        .message(2, &sample(1.0, NOW_MS));
    let request = [good, nameless, twice, mixed]
        .iter()
        .fold(Message::default(), |request, series| request.message(1, series));
    let decoded = decoded(Format::RemoteWrite1, &request);
    assert_eq!((decoded.received, decoded.rejections.count()), (7, 5));
    assert_eq!(decoded.written.samples, 2);
    assert_eq!(rows(&decoded, Table::MetricSamples).rows.num_rows(), 2);
}

#[test]
fn references_must_be_there() {
    let series = |references: &[u64]| {
        let series = Message::default().packed(1, references.iter().copied());
        Message::default().bytes(4, "").bytes(4, "__name__").message(5, &series)
    };
    assert!(try_decode(Format::RemoteWrite2, &series(&[1, 0])).is_ok());
    assert!(try_decode(Format::RemoteWrite2, &series(&[1, 2])).is_err());
    assert!(try_decode(Format::RemoteWrite2, &series(&[1])).is_err());
    let first = Message::default().bytes(4, "x");
    assert!(try_decode(Format::RemoteWrite2, &first).is_err());
}

#[test]
fn series_that_came_before_are_known_by_their_labels() {
    const DAY_MS: i64 = 86_400_000;
    let with_samples = |series: Message| {
        let late = sample(2.0, NOW_MS - DAY_MS);
        series.message(2, &sample(1.0, NOW_MS)).message(2, &late).message(2, &sample(3.0, 1))
    };
    let of_1_0 =
        |pairs: &[(&str, &str)]| Message::default().message(1, &with_samples(series_1(pairs)));
    // The numbers of symbols change from request to request.
    let of_2_0 = |symbols: [&str; 5], references: [u64; 4]| {
        let request = symbols.iter().fold(Message::default(), |all, text| all.bytes(4, text));
        request.message(5, &with_samples(Message::default().packed(1, references)))
    };
    let (a, b) = ([("__name__", "up"), ("job", "a")], [("__name__", "up"), ("job", "b")]);
    let requests = [
        (Format::RemoteWrite1, of_1_0(&a), id_of(&a)),
        (Format::RemoteWrite1, of_1_0(&b), id_of(&b)),
        (Format::RemoteWrite1, of_1_0(&[b[1], b[0]]), id_of(&b)),
        (Format::RemoteWrite2, of_2_0(["", "__name__", "up", "job", "a"], [1, 2, 3, 4]), id_of(&a)),
        (Format::RemoteWrite2, of_2_0(["", "__name__", "up", "job", "b"], [1, 2, 3, 4]), id_of(&b)),
        (Format::RemoteWrite2, of_2_0(["", "a", "job", "up", "__name__"], [4, 3, 2, 1]), id_of(&a)),
    ];
    let place = Place::default();
    for round in 0..3 {
        for (format, request, id) in &requests {
            let context = Context { received_ns: NOW_MS * NANOS_PER_MILLI, ..place.context() };
            let decoded = decode(Signal::Metrics, *format, &request.0, &context).unwrap();
            let samples = rows(&decoded, Table::MetricSamples);
            assert_eq!(ints(samples, "series_id"), [*id; 2]);
            assert_eq!(ints(samples, "time_ms"), [NOW_MS, NOW_MS - DAY_MS]);
            let metric = id_of_name("up");
            assert_eq!(ints(samples, "metric_id"), [metric; 2]);
            // The sample of 1970 is told apart by the name of its metric, known or not.
            let message = decoded.rejections.message().unwrap();
            assert!(message.contains("\"up\""), "{message}");
            let new = decoded.batches.iter().find(|batch| batch.table == Table::MetricSeries);
            assert!(round == 0 || new.is_none());
            new.into_iter().for_each(|batch| place.series.absorb(&batch.rows).unwrap());
        }
    }
    assert_eq!(place.series.len(), 2);
}

fn id_of_name(name: &str) -> i64 {
    xxhash_rust::xxh3::xxh3_64(name.as_bytes()) as i64
}
