//! Pipelines over small batches, held against what Loki is known to answer.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, DictionaryArray, FixedSizeBinaryArray, Int32Array, Int64Array, RecordBatch,
    StringArray, new_null_array,
};
use plan::expr::{CompareOp, LabelType, Literal};
use plan::node::{
    Extract, Filter, Format, LabelExpression, LabelFormat, LabelPick, LabelSource, Parser,
    PathSegment, PatternPart, Scan, Template, TemplatePart, Unwrap, UnwrapAs,
};
use plan::{Expr, Node};
use schemas::model::{
    Direction, Grouping, Label, Labels, MatchOp, Matcher, Selector, Signal, TimeRange,
    compile_anchored, compile_search,
};
use schemas::tables::{Table, columns};
use storage::StreamInfo;

use super::{Pipeline, PipelineRows, StreamLabels, Wanted};
use crate::memory::Held;
use crate::{ErrorKind, QueryMemory};

/// A log record of a test.
#[derive(Clone, Debug, Default)]
struct Record {
    line: String,
    attributes: Option<&'static str>,
    severity: Option<(i32, &'static str)>,
    trace_id: Option<[u8; 16]>,
}

fn record(line: &str) -> Record {
    Record { line: line.to_owned(), ..Record::default() }
}

fn with(line: &str, attributes: &'static str) -> Record {
    Record { attributes: Some(attributes), ..record(line) }
}

/// The records at 1, 2, 3, … nanoseconds of stream 7, with all columns that the table has.
fn batch(records: &[Record]) -> RecordBatch {
    let count = records.len();
    let column = |name: &str| -> ArrayRef {
        match name {
            columns::STREAM_ID => Arc::new(Int64Array::from(vec![7; count])),
            columns::TIME_NS => Arc::new(Int64Array::from_iter_values(1..=count as i64)),
            columns::FLAGS | columns::DROPPED_ATTRIBUTES_COUNT => {
                Arc::new(Int32Array::from(vec![0; count]))
            }
            columns::BODY => {
                Arc::new(StringArray::from_iter_values(records.iter().map(|row| &row.line)))
            }
            columns::ATTRIBUTES => {
                Arc::new(records.iter().map(|row| row.attributes).collect::<StringArray>())
            }
            columns::SEVERITY_NUMBER => {
                let numbers = records.iter().map(|row| row.severity.map(|(number, _)| number));
                Arc::new(numbers.collect::<Int32Array>())
            }
            columns::SEVERITY_TEXT => {
                let texts = records.iter().map(|row| row.severity.map(|(_, text)| text));
                let texts: DictionaryArray<arrow::datatypes::Int32Type> = texts.collect();
                Arc::new(texts)
            }
            columns::TRACE_ID => {
                let ids = records.iter().map(|row| row.trace_id);
                let ids = FixedSizeBinaryArray::try_from_sparse_iter_with_size(ids, 16);
                Arc::new(ids.expect("ids have one size"))
            }
            _ => {
                let schema = Table::Logs.schema();
                let field = schema.field_with_name(name).expect("the column is the table's");
                new_null_array(field.data_type(), count)
            }
        }
    };
    let schema = Table::Logs.schema();
    let arrays = schema.fields().iter().map(|field| column(field.name())).collect();
    RecordBatch::try_new(schema, arrays).expect("the columns fit")
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::with_empty_values(pairs.iter().map(|(name, value)| Label::new(*name, *value)).collect())
}

fn scan() -> Node {
    let matchers = vec![Matcher::new("app", MatchOp::Equal, "a")];
    let range = TimeRange::ALL;
    Node::Scan(Scan { selector: Selector { signal: Signal::Logs, matchers, range } })
}

fn extract(input: Node, parser: Parser) -> Node {
    Node::Extract(Extract { input: Box::new(input), parser })
}

fn filter(input: Node, predicate: Expr) -> Node {
    Node::Filter(Filter { input: Box::new(input), predicate })
}

fn format(input: Node, format: LabelFormat) -> Node {
    Node::Format(Format { input: Box::new(input), format })
}

fn json() -> Parser {
    Parser::Json(Vec::new())
}

fn logfmt() -> Parser {
    Parser::Logfmt { expressions: Vec::new(), strict: false, keep_empty: false }
}

fn label_is(name: &str, op: CompareOp, value: &str) -> Expr {
    compare(name, LabelType::Text, op, Literal::Text(value.to_owned()))
}

fn compare(name: &str, read_as: LabelType, op: CompareOp, value: Literal) -> Expr {
    let left = Box::new(Expr::Label { name: name.to_owned(), read_as });
    Expr::Compare { op, left, right: Box::new(Expr::Literal(value)) }
}

fn contains(needle: &str) -> Expr {
    Expr::Contains { input: Box::new(Expr::Line), needle: needle.to_owned() }
}

fn template(parts: Vec<TemplatePart>) -> Template {
    Template { parts }
}

fn held() -> Held {
    QueryMemory::default().hold("rows")
}

/// A pipeline with the columns it asks for, and nothing else, of records of one stream.
fn run(node: Node, records: &[Record], stream: &[(&str, &str)], wanted: &Wanted) -> Outcome {
    let (pipeline, _) = Pipeline::compile(node).expect("the chain is one of log rows");
    let all = batch(records);
    let needed = pipeline.needs(wanted, &Table::Logs.schema());
    let at: Vec<usize> =
        needed.iter().map(|name| all.schema().index_of(name).expect("it exists")).collect();
    let rows = all.project(&at).expect("the columns exist");
    let info = StreamInfo {
        resource_attributes: Some(r#"{"app":"a","host.id":"h1"}"#.into()),
        ..StreamInfo::default()
    };
    let stream = StreamLabels::new(labels(stream), Arc::new(info));
    let found = |id| (id == 7).then(|| stream.clone());
    match pipeline.run(&rows, &found, wanted, &held()) {
        Ok(batch) => Outcome { rows: Ok(batch.rows), needed },
        Err(error) => Outcome { rows: Err(error.to_string()), needed },
    }
}

struct Outcome {
    rows: Result<PipelineRows, String>,
    needed: Vec<Cow<'static, str>>,
}

const APP: &[(&str, &str)] = &[("app", "a")];

fn lines_wanted() -> Wanted {
    Wanted::Lines { direction: Direction::Forward, limit: usize::MAX }
}

fn by(names: &[&str]) -> Wanted {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    Wanted::Series { grouping: Some(Grouping::By(names)), unwrap: None, bytes: false }
}

fn all_labels() -> Wanted {
    Wanted::Series { grouping: None, unwrap: None, bytes: false }
}

/// Each row's series as text, with its value.
fn samples(outcome: Outcome) -> Vec<(String, f64)> {
    let PipelineRows::Series { labels, series, values } = outcome.rows.expect("it succeeds") else {
        panic!("lines instead of samples");
    };
    let of = |(series, value): (&u32, &f64)| (labels[*series as usize].to_string(), *value);
    series.iter().zip(&values).map(of).collect()
}

fn one_sample(outcome: Outcome) -> String {
    let samples = samples(outcome);
    assert_eq!(samples.len(), 1, "{samples:?}");
    samples[0].0.clone()
}

/// Each row's line with structured metadata and parsed labels.
fn lines(outcome: Outcome) -> Vec<(String, String, String)> {
    let PipelineRows::Lines { line, metadata, parsed, .. } = outcome.rows.expect("it succeeds")
    else {
        panic!("samples instead of lines");
    };
    let of = |row: usize| {
        (line.value(row).to_owned(), metadata[row].to_string(), parsed[row].to_string())
    };
    (0..line.len()).map(of).collect()
}

/// The labels that a parser finds in a line of a stream without any, and its error.
pub(super) fn parse(parser: Parser, line: &str) -> (BTreeMap<String, String>, Option<String>) {
    let mut rows = match run(extract(scan(), parser), &[record(line)], &[], &lines_wanted()).rows {
        Ok(PipelineRows::Lines { parsed, .. }) => parsed,
        other => panic!("{other:?}"),
    };
    let mut found: BTreeMap<String, String> = rows
        .swap_remove(0)
        .iter()
        .map(|label| (label.name.to_string(), label.value.to_string()))
        .collect();
    found.remove("__error_details__");
    let error = found.remove("__error__");
    (found, error)
}

#[test]
fn lines_carry_their_metadata_by_category() {
    let rows = [Record {
        attributes: Some(r#"{"a.b":1,"app":"x","m":{"k":[1,2]},"d":1.0,"b":{"$bytes":"AA=="}}"#),
        severity: Some((17, "ERR")),
        trace_id: Some([0xab; 16]),
        ..record("msg k=v")
    }];
    let answer = lines(run(extract(scan(), logfmt()), &rows, APP, &lines_wanted()));
    let trace = "ab".repeat(16);
    assert_eq!(answer[0].0, "msg k=v");
    assert_eq!(
        answer[0].1,
        format!(
            "{{a_b=\"1\", app_extracted=\"x\", b=\"AA==\", d=\"1\", detected_level=\"error\", \
             host_id=\"h1\", m_k=\"[1,2]\", severity_number=\"17\", severity_text=\"ERR\", \
             trace_id=\"{trace}\"}}"
        )
    );
    assert_eq!(answer[0].2, r#"{k="v"}"#);
}

#[test]
fn lines_are_cut_in_the_direction_asked_for() {
    let rows: Vec<Record> = ["a1", "b2", "a3", "a4"].map(record).into();
    let wanted = Wanted::Lines { direction: Direction::Backward, limit: 2 };
    let answer = lines(run(filter(scan(), contains("a")), &rows, APP, &wanted));
    let texts: Vec<&str> = answer.iter().map(|(line, ..)| line.as_str()).collect();
    assert_eq!(texts, ["a3", "a4"]);
}

#[test]
fn a_count_by_stream_labels_reads_nothing_but_streams_and_times() {
    let outcome = run(scan(), &[record("x")], APP, &by(&["app"]));
    assert_eq!(outcome.needed, [columns::STREAM_ID, columns::TIME_NS]);
    assert_eq!(one_sample(outcome), r#"{app="a"}"#);
    let outcome = run(filter(scan(), contains("x")), &[record("x")], APP, &by(&[]));
    assert_eq!(outcome.needed, [columns::STREAM_ID, columns::TIME_NS, columns::BODY]);
    // A label that no selected stream lacks cannot come from attributes, another one can.
    let parses = || extract(scan(), json());
    assert_eq!(run(parses(), &[record("{}")], APP, &by(&["app"])).needed.len(), 3);
    assert_eq!(run(parses(), &[record("{}")], APP, &by(&["x"])).needed.len(), 4);
}

#[test]
fn unneeded_labels_cannot_fail() {
    let parses = || extract(scan(), json());
    let broken = [record(r#"{"a":"1","b"#)];
    assert_eq!(one_sample(run(parses(), &broken, APP, &by(&[]))), "{}");
    assert_eq!(one_sample(run(parses(), &broken, APP, &by(&["a"]))), r#"{a="1"}"#);
    let failed = run(parses(), &broken, APP, &by(&["b"])).rows.expect_err("the tail is needed");
    assert!(failed.starts_with("pipeline error: 'JSONParserErr' for series: '{"), "{failed}");
    let kept = run(parses(), &broken, APP, &by(&["__error__"]));
    assert_eq!(one_sample(kept), r#"{__error__="JSONParserErr"}"#);
    let dropped = format(parses(), LabelFormat::Drop(vec![LabelPick::Name("__error__".into())]));
    assert_eq!(one_sample(run(dropped, &broken, APP, &by(&["b"]))), "{}");
    let skipped = filter(parses(), label_is("__error__", CompareOp::Equal, ""));
    assert!(samples(run(skipped, &broken, APP, &by(&["b"]))).is_empty());
}

#[test]
fn the_weaker_category_gets_another_name() {
    let rows = [with("sl=p md=p tri=p", r#"{"md":"m","sm":"m","tri":"m"}"#)];
    let stream = [("app", "a"), ("sl", "s"), ("sm", "s"), ("tri", "s")];
    let answer = one_sample(run(extract(scan(), logfmt()), &rows, &stream, &all_labels()));
    assert_eq!(
        answer,
        r#"{app="a", host_id="h1", md="m", md_extracted="p", sl="s", sl_extracted="p", "#
            .to_owned()
            + r#"sm="s", sm_extracted="m", tri="s", tri_extracted="p"}"#
    );
    let by_extracted = by(&["sl_extracted", "md", "sm_extracted"]);
    let answer = one_sample(run(extract(scan(), logfmt()), &rows, &stream, &by_extracted));
    assert_eq!(answer, r#"{md="m", sl_extracted="p", sm_extracted="m"}"#);
}

#[test]
fn quantities_are_read_from_labels() {
    let kept = |line: &str, test: Expr| {
        let node = filter(extract(scan(), logfmt()), test);
        let mut answer = lines(run(node, &[record(line)], APP, &lines_wanted()));
        answer.pop().map(|(.., parsed)| parsed.contains("LabelFilterErr"))
    };
    let more =
        |name, read_as, value| compare(name, read_as, CompareOp::Greater, Literal::Float(value));
    assert_eq!(kept("x=5", more("x", LabelType::Number, 4.0)), Some(false));
    assert_eq!(kept("x=5", more("x", LabelType::Number, 5.0)), None);
    assert_eq!(kept("y=5", more("x", LabelType::Number, 4.0)), None);
    assert_eq!(kept("x=abc", more("x", LabelType::Number, 4.0)), Some(true));
    assert_eq!(kept("x=1d", more("x", LabelType::Duration, 1.0)), Some(true));
    assert_eq!(kept("x=1m30s", more("x", LabelType::Duration, 89.0)), Some(false));
    assert_eq!(kept("x=1mb", more("x", LabelType::Bytes, 999_999.0)), Some(false));
    // An alternative that holds spares the error of the next one.
    let either = |left, right| Expr::Or(vec![left, right]);
    let holds = more("y", LabelType::Number, 1.0);
    let fails = more("x", LabelType::Number, 1.0);
    assert_eq!(kept("x=abc y=2", either(holds.clone(), fails.clone())), Some(false));
    assert_eq!(kept("x=abc y=2", either(fails, holds)), Some(true));
}

#[test]
fn absent_labels_are_empty_texts() {
    let kept = |test| samples(run(filter(scan(), test), &[record("x")], APP, &by(&[]))).len();
    assert_eq!(kept(label_is("x", CompareOp::Equal, "")), 1);
    assert_eq!(kept(label_is("x", CompareOp::NotEqual, "a")), 1);
    assert_eq!(kept(label_is("app", CompareOp::Equal, "a")), 1);
    let matches = |name: &str, pattern| Expr::Matches {
        input: Box::new(Expr::Label { name: name.to_owned(), read_as: LabelType::Text }),
        pattern: compile_anchored(pattern).expect("compiles"),
    };
    assert_eq!(kept(matches("x", ".*")), 1);
    assert_eq!(kept(Expr::Not(Box::new(matches("app", "a|b")))), 0);
}

#[test]
fn unwrapped_labels_are_samples() {
    let unwrap = |read_as, filter| {
        let unwrap = Unwrap { label: "v".to_owned(), read_as, filter };
        Wanted::Series { grouping: None, unwrap: Some(unwrap), bytes: false }
    };
    let rows = [record("v=1.5s k=a"), record("v= k=b"), record("k=c"), record("v=bad k=d")];
    let node = || extract(scan(), logfmt());
    let failed = run(node(), &rows, APP, &unwrap(UnwrapAs::Seconds, None)).rows;
    assert!(failed.expect_err("one is no duration").contains("SampleExtractionErr"));
    let filter = Some(Expr::And(vec![label_is("__error__", CompareOp::Equal, "")]));
    let answer = samples(run(node(), &rows, APP, &unwrap(UnwrapAs::Seconds, filter)));
    assert_eq!(answer, [(r#"{app="a", host_id="h1", k="a"}"#.to_owned(), 1.5)]);
    let named = Wanted::Series {
        grouping: Some(Grouping::By(vec!["v".to_owned()])),
        unwrap: Some(Unwrap { label: "v".into(), read_as: UnwrapAs::Bytes, filter: None }),
        bytes: false,
    };
    let answer = samples(run(node(), &[record("v=2KB")], APP, &named));
    assert_eq!(answer, [(r#"{v="2KB"}"#.to_owned(), 2000.0)]);
}

#[test]
fn formats_rewrite_lines_and_labels() {
    let set = |target: &str, parts| (target.to_owned(), LabelSource::Template(template(parts)));
    let label = |name: &str| TemplatePart::Label(name.to_owned());
    let text = |text: &str| TemplatePart::Text(text.to_owned());
    let parsed = extract(scan(), logfmt());
    let formatted = format(
        parsed,
        LabelFormat::Labels(vec![
            ("to".to_owned(), LabelSource::Rename("from".to_owned())),
            set("both", vec![label("to"), text("+"), label("from"), label("none")]),
            set("from", vec![label("both"), text("!")]),
            ("other".to_owned(), LabelSource::Rename("none".to_owned())),
            set("app", vec![TemplatePart::Timestamp]),
        ]),
    );
    let line =
        format(formatted, LabelFormat::Line(template(vec![label("to"), TemplatePart::Line])));
    let answer = lines(run(line, &[record("from=1")], APP, &lines_wanted()));
    assert_eq!(answer[0].0, "1from=1");
    assert_eq!(answer[0].2, r#"{app="1", both="1+", from="!", to="1"}"#);
}

#[test]
fn drop_and_keep_pick_labels() {
    let pick = |name: &str| LabelPick::Name(name.to_owned());
    let only =
        |name: &str, value: &str| LabelPick::Matching(Matcher::new(name, MatchOp::Equal, value));
    let answer = |picked: LabelFormat| {
        one_sample(run(format(scan(), picked), &[record("x")], APP, &all_labels()))
    };
    let host = r#"{host_id="h1"}"#;
    assert_eq!(answer(LabelFormat::Drop(vec![pick("app")])), host);
    assert_eq!(answer(LabelFormat::Drop(vec![only("app", "b")])), r#"{app="a", host_id="h1"}"#);
    assert_eq!(answer(LabelFormat::Keep(vec![pick("host_id")])), host);
    assert_eq!(answer(LabelFormat::Keep(vec![only("app", "b")])), "{}");
    assert_eq!(answer(LabelFormat::Keep(vec![only("app", "a")])), r#"{app="a"}"#);
    // A rewritten stream label is not the stream's any more.
    let dropped = format(scan(), LabelFormat::Drop(vec![pick("app")]));
    assert_eq!(one_sample(run(dropped, &[record("x")], APP, &by(&["app"]))), "{}");
}

#[test]
fn bytes_count_the_rewritten_line() {
    let wanted = Wanted::Series { grouping: Some(Grouping::By(vec![])), unwrap: None, bytes: true };
    let node = format(scan(), LabelFormat::Decolorize);
    let answer = samples(run(node, &[record("\u{1b}[31mred\u{1b}[0m!")], APP, &wanted));
    assert_eq!(answer[0].1, 4.0);
    let node = filter(extract(scan(), Parser::Unpack), contains("new"));
    let packed = record(r#"{"a":"b","_entry":"new"}"#);
    assert_eq!(samples(run(node, &[packed], APP, &wanted))[0].1, 3.0);
}

#[test]
fn only_filters_of_the_stored_line_are_pushed_down() {
    let (pipeline, _) = Pipeline::compile(filter(
        filter(extract(filter(scan(), contains("a")), json()), contains("b")),
        label_is("x", CompareOp::Equal, "y"),
    ))
    .expect("compiles");
    assert_eq!((pipeline.pushable().len(), pipeline.stages.len()), (2, 2));
    let (pipeline, _) = Pipeline::compile(filter(extract(scan(), Parser::Unpack), contains("b")))
        .expect("compiles");
    assert_eq!((pipeline.pushable().len(), pipeline.stages.len()), (0, 2));
}

#[test]
fn parsers_of_text() {
    let found = |parser, line: &str| {
        let (found, error) = parse(parser, line);
        let pairs: Vec<String> = found.iter().map(|(k, v)| format!("{k}={v}")).collect();
        (pairs.join(" "), error)
    };
    let ok = |text: &str| (text.to_owned(), None);
    let regexp = Parser::Regexp(compile_search(r"(?P<m>\w+) (?P<p>\S+)( (?P<q>x))?").expect("ok"));
    assert_eq!(found(regexp.clone(), "- GET /a -"), ok("m=GET p=/a q="));
    assert_eq!(found(regexp, "-"), ok(""));
    let literal = |text: &str| PatternPart::Literal(text.to_owned());
    let capture = |name: &str| PatternPart::Capture(Some(name.to_owned()));
    let pattern = |parts: &[PatternPart]| Parser::Pattern(parts.to_vec());
    let access =
        [capture("a"), literal(" "), PatternPart::Capture(None), literal(" "), capture("b")];
    assert_eq!(found(pattern(&access), "1 2 3 4"), ok("a=1 b=3 4"));
    assert_eq!(found(pattern(&access), "1"), ok("a=1"));
    let start = [literal("<"), capture("a"), literal(">")];
    assert_eq!(found(pattern(&start), "<x>y"), ok("a=x"));
    assert_eq!(found(pattern(&start), " <x>"), ok(""));
    assert_eq!(found(Parser::Unpack, r#"{"a":"1","n":2,"_entry":"e"}"#), ok("a=1"));
    assert_eq!(found(Parser::Unpack, r#"{"a":"1"}"#), ok(""));
    assert_eq!(found(Parser::Unpack, "x").1.as_deref(), Some("JSONParserErr"));
    let key = |label: &str, path: &[&str]| LabelExpression {
        label: label.to_owned(),
        path: path.iter().map(|key| PathSegment::Key((*key).to_owned())).collect(),
    };
    let mut tag = key("t", &["tags"]);
    tag.path.push(PathSegment::Index(1));
    let paths =
        Parser::Json(vec![key("u", &["user", "id"]), tag, key("o", &["user"]), key("x", &["y"])]);
    let line = r#"{"user":{"id":"u\u0031"},"tags":["x",[2]]}"#;
    assert_eq!(found(paths.clone(), line), ok(r#"o={"id":"u\u0031"} t=[2] u=u1 x="#));
    assert_eq!(found(paths, "user").1.as_deref(), Some("JSONParserErr"));
    let keys = Parser::Logfmt {
        expressions: vec![key("a", &["b.c"]), key("d", &["e"])],
        strict: false,
        keep_empty: false,
    };
    assert_eq!(found(keys, r#"b.c="1 \"2" x=y"#), ok("a=1 \"2 d="));
    let strict = Parser::Logfmt { expressions: vec![], strict: true, keep_empty: true };
    let answer = (String::from("a= b=1"), Some(String::from("LogfmtParserErr")));
    assert_eq!(found(strict, r#"a b=1 c="x"#), answer);
}

#[test]
fn unknown_streams_are_left_out() {
    let (pipeline, _) = Pipeline::compile(scan()).expect("compiles");
    let rows = batch(&[record("x")]);
    let answer = pipeline.run(&rows, &|_| None, &by(&[]), &held()).expect("runs");
    assert!(answer.time_ns.is_empty());
}

#[test]
fn line_patterns_and_addresses() {
    let keeps = |test: Expr, line: &str| {
        samples(run(filter(scan(), test), &[record(line)], APP, &by(&[]))).len() == 1
    };
    let literal = |text: &str| PatternPart::Literal(text.to_owned());
    let any = || PatternPart::Capture(None);
    let took = || Expr::LinePattern(vec![any(), literal(" took "), any(), literal("ms")]);
    assert!(keeps(took(), "it took 5ms"));
    assert!(!keeps(took(), "it took 5ms."));
    assert!(!keeps(took(), " took 5ms"));
    assert!(!keeps(took(), "it took ms"));
    let starts = || Expr::LinePattern(vec![literal("a"), any()]);
    assert!(keeps(starts(), "ab") && !keeps(starts(), "a") && !keeps(starts(), "ba"));
    assert!(keeps(Expr::LinePattern(vec![]), "") && !keeps(Expr::LinePattern(vec![]), "x"));
    let address = |first: &str, last: &str| Expr::ContainsAddress {
        input: Box::new(Expr::Line),
        first: first.parse().expect("an address"),
        last: last.parse().expect("an address"),
    };
    let local = || address("10.0.0.0", "10.255.255.255");
    assert!(keeps(local(), "from 10.1.2.3: hello") && keeps(local(), "x=10.1.2.3:8080,"));
    assert!(!keeps(local(), "from 11.1.2.3") && !keeps(local(), "10.1.2"));
    assert!(keeps(address("::1", "::1"), "from ::1 to") && !keeps(local(), "::1"));
}

#[test]
fn what_templates_make_of_a_row_is_bounded() {
    let label = |name: &str| TemplatePart::Label(name.to_owned());
    let twice = |part: TemplatePart| template(vec![part.clone(), part]);
    let set = |parts| LabelFormat::Labels(vec![("a".to_owned(), LabelSource::Template(parts))]);
    let chain = |stages: usize, stage: &dyn Fn() -> LabelFormat| {
        let begun = format(scan(), set(template(vec![TemplatePart::Line])));
        (0..stages).fold(begun, |node, _| format(node, stage()))
    };
    let grown = |stages, stage: &dyn Fn() -> LabelFormat| {
        let lines = run(chain(stages, stage), &[record("0123456789")], APP, &lines_wanted()).rows;
        let samples = run(chain(stages, stage), &[record("0123456789")], APP, &all_labels()).rows;
        [lines.map(|_| ()), samples.map(|_| ())]
    };
    let refused = || Err("the stages make over 16777216 bytes of one line and its labels".into());
    let line = || LabelFormat::Line(twice(TemplatePart::Line));
    assert_eq!(grown(10, &line), [Ok(()), Ok(())]);
    assert_eq!(grown(60, &line), [refused(), refused()]);
    let labels = || set(twice(label("a")));
    assert_eq!(grown(10, &labels), [Ok(()), Ok(())]);
    assert_eq!(grown(60, &labels), [refused(), refused()]);
    let there_and_back = || {
        let rename = |to: &str, from: &str| (to.to_owned(), LabelSource::Rename(from.to_owned()));
        LabelFormat::Labels((0..2_000).flat_map(|_| [rename("b", "a"), rename("a", "b")]).collect())
    };
    assert_eq!(grown(1, &there_and_back), [Ok(()), Ok(())]);
    assert_eq!(grown(1_000, &there_and_back), [refused(), refused()]);
}

#[test]
fn what_is_made_of_a_batch_is_taken_from_the_querys_memory() {
    let long = "x".repeat(100_000);
    let records: Vec<Record> = (0..40).map(|_| record(&long)).collect();
    let rows = batch(&records);
    let stream = StreamLabels::new(labels(APP), Arc::default());
    let found = |_| Some(stream.clone());
    let formatted =
        format(scan(), LabelFormat::Line(template(vec![TemplatePart::Line, TemplatePart::Line])));
    let (pipeline, _) = Pipeline::compile(formatted).expect("compiles");
    let budget = storage::Budget::new(256 << 20);
    let memory = QueryMemory::within(&budget, 4 << 20);
    let error = pipeline.run(&rows, &found, &lines_wanted(), &memory.hold("rows")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
    let memory = QueryMemory::within(&budget, 32 << 20);
    let held = memory.hold("rows");
    pipeline.run(&rows, &found, &lines_wanted(), &held).expect("there is room");
    assert!((16_000_000..16_200_000).contains(&held.bytes()), "{}", held.bytes());
}
