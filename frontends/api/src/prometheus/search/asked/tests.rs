//! What a search may be asked, and in which words it is refused.

use super::*;

fn read(query: &str) -> Result<Asked, Error> {
    Asked::read(&Params::parse(&[query.as_bytes()]).unwrap(), "label_names", 1_000)
}

#[test]
fn what_is_not_said_has_defaults() {
    let asked = read("").unwrap();
    assert_eq!((asked.limit, asked.batch, asked.order), (100, 100, Order::Ascending));
    assert!(asked.terms.is_case_sensitive && !asked.with_scores && asked.terms.terms.is_empty());
    assert_eq!(asked.terms.algorithm, Algorithm::Subsequence);
    let hour_ns = 3_600_000_000_000;
    assert_eq!(asked.range.end_ns - asked.range.start_ns, hour_ns + NANOS_PER_MILLI);
    assert_eq!(Asked::read(&Params::default(), "", 7).unwrap().limit, 7);
    let asked = read("limit=0&batch_size=0&search[]=&search[]=Ab&case_sensitive=F").unwrap();
    assert_eq!((asked.limit, asked.batch), (100, 100));
    assert_eq!(asked.terms.terms, [['a', 'b']]);
    let asked = read("search[]=a&sort_by=score&limit=1000&fuzz_threshold=25").unwrap();
    assert_eq!((asked.order, asked.limit, asked.terms.threshold), (Order::Best, 1_000, 0.25));
    assert_eq!(read("sort_by=alpha&sort_dir=dsc").unwrap().order, Order::Descending);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let many = "search[]=a&".repeat(33);
    let long = format!("search[]={}", "a".repeat(1_025));
    for (query, told) in [
        ("start=2&end=1", "end timestamp must not be before start timestamp"),
        ("fuzz_alg=x", "unsupported fuzz_alg \"x\": must be one of [subsequence jarowinkler]"),
        ("fuzz_threshold=101", "invalid fuzz_threshold \"101\": must be 0-100"),
        ("fuzz_threshold=x", "invalid fuzz_threshold \"x\": must be 0-100"),
        ("case_sensitive=maybe", "invalid case_sensitive \"maybe\": must be boolean"),
        ("include_score=2", "invalid include_score \"2\": must be boolean"),
        ("sort_dir=asc", "sort_dir is only valid when sort_by is set"),
        ("sort_by=score&sort_dir=asc", "sort_dir is not supported for sort_by=score"),
        ("sort_by=alpha&sort_dir=up", "invalid sort_dir \"up\": must be \"asc\" or \"dsc\""),
        ("sort_by=score", "sort_by=score requires search[] to be set"),
        (
            "sort_by=size",
            "invalid sort_by \"size\" for label_names: must be \"alpha\" or \"score\"",
        ),
        ("limit=-1", "invalid limit \"-1\": must be non-negative integer"),
        (
            "limit=1001",
            "limit 1001 exceeds the configured maximum (1000, see promql.search_results_max)",
        ),
        ("batch_size=x", "invalid batch_size \"x\": must be non-negative integer"),
        ("batch_size=10001", "batch_size 10001 exceeds maximum 10000"),
        (&many, "too many search[] terms: got 33, maximum is 32"),
        (&long, "a search[] term has over 1024 characters"),
    ] {
        let error = read(query).expect_err(query);
        assert_eq!(error.to_string(), told);
    }
}
