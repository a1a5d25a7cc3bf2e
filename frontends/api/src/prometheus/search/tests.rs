//! The lines of an answer.

use super::*;
use crate::params::Params;

fn found(names: &[(&str, f64)]) -> Vec<Found> {
    names.iter().map(|(name, score)| Found { name: (*name).to_owned(), score: *score }).collect()
}

fn asked(query: &str) -> Asked {
    Asked::read(&Params::parse(&[query.as_bytes()]).unwrap(), "metric_names", 100).unwrap()
}

#[test]
fn results_are_written_in_batches() {
    let metadata = [MetricMetadata {
        name: "b".to_owned(),
        kind: "gauge".to_owned(),
        unit: String::new(),
        help: "Says \"hi\".".to_owned(),
    }];
    let asked = asked("limit=3&batch_size=2&include_score=true");
    let found = found(&[("a", 1.0), ("b", 0.5), ("c", 0.25), ("d", 0.1)]);
    let warnings = ["careful".to_owned()];
    assert_eq!(
        write(&found, &asked, &metadata, &warnings),
        concat!(
            r#"{"results":[{"name":"a","score":1},"#,
            r#"{"name":"b","score":0.5,"type":"gauge","help":"Says \"hi\"."}],"#,
            r#""warnings":["careful"]}"#,
            "\n",
            r#"{"results":[{"name":"c","score":0.25}]}"#,
            "\n",
            r#"{"status":"success","has_more":true}"#,
            "\n",
        )
    );
    assert_eq!(
        write(&[], &asked, &[], &[]),
        "{\"results\":[]}\n{\"status\":\"success\",\"has_more\":false}\n"
    );
}

#[test]
fn the_first_in_order_are_kept() {
    let all = [("b", 0.5), ("d", 1.0), ("a", 0.5), ("c", 0.1)];
    for (query, kept) in [
        ("limit=1", ["a", "b"]),
        ("limit=1&sort_by=alpha&sort_dir=dsc", ["d", "c"]),
        ("limit=1&search[]=x&sort_by=score", ["d", "a"]),
    ] {
        let mut found = found(&all);
        keep_first(&mut found, &asked(query));
        let names: Vec<&str> = found.iter().map(|found| found.name.as_str()).collect();
        assert_eq!(names, kept, "{query}");
    }
}
