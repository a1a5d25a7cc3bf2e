//! Parameters of Tempo's endpoints.

use super::*;

const NOW_NS: i64 = 1_700_000_000_000_000_000;

fn params(text: &str) -> Params {
    Params::parse(&[text.as_bytes()]).unwrap()
}

fn read(text: &str) -> Result<SearchParams, Error> {
    SearchParams::read(&params(text), &ApiOptions::default(), NOW_NS)
}

fn tag(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

#[test]
fn a_search_has_defaults() {
    let search = read("").unwrap();
    assert_eq!(search.what, What::Query("{}".to_owned()));
    assert_eq!((search.traceql.limit, search.spans_per_spanset), (20, 3));
    assert_eq!(search.traceql.range.end_ns, NOW_NS);
    let search = read("q=%7B%7D&spss=0&start=100&end=200&limit=5").unwrap();
    assert_eq!((search.traceql.limit, search.spans_per_spanset), (5, 3));
    assert_eq!(search.traceql.range.start_ns, 100 * NANOS_PER_SECOND);
    assert_eq!(search.traceql.range.end_ns, 201 * NANOS_PER_SECOND);
}

#[test]
fn tags_are_logfmt_or_parameters() {
    let tags = |tags| What::Tags(Tags { tags, min_duration_ns: None, max_duration_ns: None });
    assert_eq!(
        read("tags=a%3Db+c%3D%22d+%5C%22e%22").unwrap().what,
        tags(vec![tag("a", "b"), tag("c", "d \"e")])
    );
    assert_eq!(read("http.path=/x&limit=3").unwrap().what, tags(vec![tag("http.path", "/x")]));
    assert_eq!(
        read("minDuration=1.5ms&maxDuration=2s").unwrap().what,
        What::Tags(Tags {
            tags: Vec::new(),
            min_duration_ns: Some(1_500_000),
            max_duration_ns: Some(2_000_000_000),
        })
    );
}

#[test]
fn odd_searches_are_refused() {
    for text in [
        "limit=0",
        "limit=-1",
        "limit=999999",
        "q=%7B%7D&tags=a%3Db",
        "tags=a",
        "tags=%3Db",
        "tags=a%3D%22b",
        "start=200&end=100",
        "start=x",
        "minDuration=x",
        "minDuration=2s&maxDuration=1s",
    ] {
        assert!(read(text).is_err(), "{text}");
    }
}

#[test]
fn trace_ids_are_padded() {
    assert_eq!(trace_id("1").unwrap()[15], 1);
    assert_eq!(trace_id("0AF7651916CD43DD8448EB211C80319C").unwrap()[..2], [0x0a, 0xf7]);
    assert_eq!(trace_id("8448eb211c80319c").unwrap()[..9], [0, 0, 0, 0, 0, 0, 0, 0, 0x84]);
    assert_eq!(trace_id(&format!("{}1", "0".repeat(40))).unwrap()[15], 1);
    for text in ["", "xyz", "+1", &"1".repeat(33)] {
        assert!(trace_id(text).is_err(), "{text}");
    }
}
