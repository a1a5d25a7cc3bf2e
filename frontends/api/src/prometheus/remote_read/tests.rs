//! Requests and frames.

use schemas::model::{Label, Labels};

use super::*;

#[test]
fn a_long_series_has_several_frames() {
    let samples = (0..10_000_u32).map(|at| (i64::from(at), f64::from(at).sqrt())).collect();
    let labels = Labels::new(vec![Label::new("__name__", "x")]);
    let series = RawSeries { labels, samples, histograms: Vec::new() };
    let most = 4_096;
    let frames = frames(&series, 3, most);
    assert!(frames.len() > 1);
    let mut count = 0;
    for frame in frames {
        let mut rest = &frame[..];
        let length = prost::decode_length_delimiter(&mut rest).unwrap();
        let (checksum, payload) = rest.split_at(4);
        assert_eq!(payload.len(), length);
        assert_eq!(checksum, crc32c::crc32c(payload).to_be_bytes());
        assert!(length < most + 2_048);
        let message = ChunkedReadResponse::decode(payload).unwrap();
        assert_eq!((message.series.len(), message.query_index), (1, 3));
        let chunks = &message.series[0].chunks;
        assert!(chunks.iter().all(|chunk| chunk.min_time_ms <= chunk.max_time_ms));
        count += chunks.iter().map(|chunk| usize::from(chunk.data[1])).sum::<usize>();
    }
    assert_eq!(count, 10_000);
}

#[test]
fn the_first_type_that_is_known_is_sent() {
    assert_eq!(kind_of_answer(&[]).unwrap(), SAMPLES);
    assert_eq!(kind_of_answer(&[1, 0]).unwrap(), STREAMED_XOR_CHUNKS);
    assert_eq!(kind_of_answer(&[0, 1]).unwrap(), SAMPLES);
    assert_eq!(kind_of_answer(&[7, 1]).unwrap(), STREAMED_XOR_CHUNKS);
    assert!(kind_of_answer(&[7]).is_err());
}

#[test]
fn hostile_requests_are_refused() {
    let pack =
        |message: &[u8]| Bytes::from(snap::raw::Encoder::new().compress_vec(message).unwrap());
    assert!(decode(&Bytes::from_static(b"\xff\xff\xff\xff\xff")).is_err());
    assert!(decode(&pack(b"\xff")).is_err());
    let many =
        ReadRequest { queries: vec![ReadQuery::default(); QUERIES_MAX + 1], accepted: vec![] };
    assert!(decode(&pack(&many.encode_to_vec())).is_err());
    let matcher = |kind: i32, value: &str| ReadQuery {
        matchers: vec![messages::LabelMatcher {
            kind,
            name: "a".to_owned(),
            value: value.to_owned(),
        }],
        ..ReadQuery::default()
    };
    assert!(matchers(&matcher(2, "(")).is_err());
    assert!(matchers(&matcher(9, "x")).is_err());
    assert_eq!(matchers(&matcher(1, "x")).unwrap().len(), 1);
    let all = ReadQuery { start_ms: i64::MIN, end_ms: i64::MAX, ..ReadQuery::default() };
    assert!(!range(&all).is_empty());
}
