//! Queries made to exhaust a stack, a memory or a patience, over HTTP: each is refused soon, in
//! words, and the server goes on.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::program::Program;
use crate::prometheus::{request, write};

/// How long a refusal may take, on a machine that does other things, too.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Bytes of a long text.
const LONG: usize = 100_000;

/// Samples may lie in 1970.
const SETTINGS: [&str; 3] =
    ["ingest.past_max=100000d", "query.series_max=1000", "query.memory_bytes=64MiB"];

const OPERATORS: [&str; 18] = [
    "+", "-", "*", "/", "%", "^", "atan2", "==", "!=", "<", "<=", ">", ">=", "and", "or", "unless",
    "</", ">/",
];

/// Asks by form, as any client does that has long queries; at 1,000 s or from 0 on.
async fn ask(program: &Program, query: &str, is_range: bool) -> (StatusCode, Value) {
    let path = if is_range { "query_range" } else { "query" };
    let form: &[(&str, &str)] = match is_range {
        true => &[("query", query), ("start", "0"), ("end", "1000"), ("step", "10")],
        false => &[("query", query), ("time", "1000")],
    };
    let shown: String = query.chars().take(60).collect();
    let url = program.url(&format!("/prometheus/api/v1/{path}"));
    let began = Instant::now();
    let answer = program.http.post(url).form(form).send().await;
    let answer = answer.unwrap_or_else(|error| panic!("{shown}: {error}\n{}", program.log()));
    let status = answer.status();
    let text = answer.text().await.unwrap();
    let took = began.elapsed();
    assert!(took < ANSWER_MAX, "{shown}: {status} after {took:?}");
    assert!(text.len() < 1 << 20, "{shown}: an answer of {} bytes", text.len());
    (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("{shown}: {status} {text}")))
}

async fn refused(program: &Program, query: &str, is_range: bool, expected: &[u16]) -> String {
    let shown: String = query.chars().take(60).collect();
    let (status, answer) = ask(program, query, is_range).await;
    assert!(expected.contains(&status.as_u16()), "{shown}: {status} {answer:.300}");
    assert_eq!(answer["status"], "error", "{shown}");
    let told = answer["error"].as_str().unwrap_or_default().to_owned();
    assert!(!told.is_empty(), "{shown}");
    told
}

/// The server answers as ever and nothing of it has panicked.
async fn check_sound(program: &mut Program) {
    let (status, answer) = ask(program, "1 + 1", false).await;
    assert_eq!((status, &answer["data"]["result"]), (StatusCode::OK, &json!([1_000, "2"])));
    assert!(program.lives());
    let log = program.log();
    assert!(!log.contains("panicked"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn long_and_deep_texts_are_refused() {
    let mut program = Program::start(&SETTINGS).await;
    let chain = |link: &str| format!("a{}", link.repeat(LONG / link.len()));
    let mut texts: Vec<String> = Vec::new();
    for operator in OPERATORS {
        texts.push(chain(&format!(" {operator} a")));
        texts.push(chain(&format!(" {operator} on (b) a")));
    }
    let nested = |open: &str, close: &str| {
        let count = LONG / (open.len() + close.len()).max(1);
        format!("{}a{}", open.repeat(count), close.repeat(count))
    };
    texts.extend([
        "(".repeat(LONG),
        format!("{}1{}", "(".repeat(LONG), ")".repeat(LONG)),
        "-".repeat(LONG),
        format!("{}a", "-".repeat(LONG)),
        format!("{}a", "+-".repeat(LONG / 2)),
        nested("abs(", ")"),
        nested("sum by (b) (", ")"),
        nested("topk(1, ", ")"),
        nested("label_replace(", ",'a','b','c','d')"),
        nested("max_over_time(", "[1m:1s])"),
        nested("1 * (", ")"),
        nested("a and (", ")"),
        nested("a[1m + (", ")"),
        chain("[1m:]"),
        chain(" offset 1m"),
        chain(" @ 1"),
        format!("a{{{}}}", "b=\"c\",".repeat(LONG / 6)),
        format!("sum by ({}) (a", "b,".repeat(LONG / 2)),
        format!("a[{}1m]", "(".repeat(LONG)),
        format!("a[1m{}]", "+1m".repeat(LONG / 3)),
        format!("\"{}", "\\".repeat(LONG)),
        format!("{{a=~\"{}\"}}", "(".repeat(LONG)),
        format!("{{a=~\"{}\"}}", "(a{1000}){1000}".repeat(5)),
        format!("{{a=~\"{}\"}}", "x{0,1000}".repeat(1_000)),
        "a[1e30]".to_owned(),
        "a offset 1e30".to_owned(),
        "a @ 1e30".to_owned(),
        "rate(a[1e30:1e30])".to_owned(),
        "a".repeat(300_000),
    ]);
    for text in &texts {
        for is_range in [false, true] {
            // A long matcher list is odd, but it is a query.
            let is_query = text.starts_with("a{b=");
            if is_query {
                let (status, answer) = ask(&program, text, is_range).await;
                assert!(status.is_success() || status.is_client_error(), "{status} {answer:.300}");
                continue;
            }
            refused(&program, text, is_range, &[400, 422]).await;
        }
    }
    // Other doors to the same parser.
    for path in ["format_query", "parse_query", "query_exemplars", "series", "labels"] {
        let deep = nested("abs(", ")");
        let form = [("query", deep.as_str()), ("match[]", &deep)];
        let url = program.url(&format!("/prometheus/api/v1/{path}"));
        let answer = program.http.post(url).form(&form).send().await.unwrap();
        assert!([400, 422].contains(&answer.status().as_u16()), "{path}: {}", answer.status());
    }
    check_sound(&mut program).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_of_too_much_meet_their_limit() {
    let mut program = Program::start(&SETTINGS).await;
    // One sample each, more series than a selector may select, and some fewer of another name.
    let many: Vec<String> = (0..5_000).map(|at| format!("many{{n=\"{at}\"}} {at}")).collect();
    let few: Vec<String> = (0..900).map(|at| format!("few{{n=\"{at}\"}} {at}.5+1x100")).collect();
    for lines in [many, few] {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let answer = write(&program, request(0, 10_000, &lines)).await;
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    }
    let doubled = |series: &str, depth: usize| {
        let open = "label_replace(".repeat(depth);
        let close = ", \"n\", \"$1$1\", \"n\", \"(.*)\")".repeat(depth);
        format!("{open}{series}{close}")
    };
    let joined = |series: &str, depth: usize| {
        let open = "label_join(".repeat(depth);
        let close = ", \"n\", \"n\", \"n\", \"n\", \"n\", \"n\")".repeat(depth);
        format!("{open}{series}{close}")
    };
    let cases = [
        ("last_over_time(many[20m])".to_owned(), "series"),
        ("sum by (n) ({__name__=~\".+\"})".to_owned(), "series"),
        ("last_over_time({__name__=~\"m.*\"}[20m]) * 2".to_owned(), "series"),
        // A label for each value that there is at any step.
        ("count_values(\"v\", few * time())".to_owned(), "series"),
        ("count_values by (n) (\"v\", few * time())".to_owned(), "series"),
        ("sum_over_time(few[30d:1ms])".to_owned(), ""),
        ("max_over_time(sum_over_time(few[1y:1s])[1y:1s])".to_owned(), ""),
        // Values that double sixty times, of many series and of one.
        (doubled("few", 60), ""),
        (doubled("few{n=\"7\"}", 60), "label value"),
        (joined("few{n=\"7\"}", 60), "label value"),
        ("topk(1e300, few)".to_owned(), "overflows int64"),
        ("bottomk(-1e300, few)".to_owned(), "underflows int64"),
    ];
    for (query, told) in &cases {
        let why = refused(&program, query, true, &[400, 422, 503]).await;
        let shown: String = query.chars().take(60).collect();
        assert!(why.contains(told), "{shown}: {why}");
    }
    // What is under the limits is answered, however odd its numbers are.
    for (query, series) in [
        ("topk(1e18, few)", 900),
        ("bottomk(-1e18, few)", 0),
        ("limitk(1e18, few)", 900),
        ("quantile(1e300, few)", 1),
        // Their own label sets and those without names are more than a selector may select.
        ("count_values(\"v\", few > bool 300)", 2),
        ("count by (__name__, n) (few) + on (n) group_right () few * 2", 900),
        ("clamp(few, -1e308, 1e308) ^ 1e308", 900),
    ] {
        let (status, answer) = ask(&program, query, false).await;
        assert_eq!(status, StatusCode::OK, "{query}: {answer:.300}");
        assert_eq!(answer["data"]["result"].as_array().map(Vec::len), Some(series), "{query}");
    }
    let terms = format!("few{}", " + few".repeat(20));
    let (status, answer) = ask(&program, &format!("sum({terms})"), false).await;
    assert_eq!(status, StatusCode::OK, "{answer:.300}");
    let branches: Vec<String> = (0..10_000).map(|at| format!("{at}x")).collect();
    let (status, answer) =
        ask(&program, &format!("few{{n=~\"{}\"}}", branches.join("|")), false).await;
    assert_eq!((status, &answer["data"]["result"]), (StatusCode::OK, &json!([])));
    check_sound(&mut program).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_of_too_much_are_refused() {
    let mut program = Program::start(&[]).await;
    let chain = |first: &str, link: &str| format!("{first}{}", link.repeat(5_000));
    for statement in [
        chain("SELECT 1", " + 1"),
        chain("SELECT 'a'", " || 'a'"),
        chain("SELECT 1 WHERE 1 = 1", " OR 1 = 2"),
        chain("SELECT 1", "::int"),
        chain("SELECT 1", " UNION ALL SELECT 1"),
        chain("SELECT 1 FROM logs", ", logs"),
        chain("SELECT 1 FROM logs", " JOIN logs ON true"),
        chain("SELECT ", "NOT "),
        chain("SELECT ", "("),
        "SELECT repeat('a', 2000000000)".to_owned(),
        "SELECT range(0, 10000000000)".to_owned(),
        "SELECT lpad(column1, column2) FROM (VALUES ('a', 2000000000))".to_owned(),
    ] {
        let shown: String = statement.chars().take(40).collect();
        let request = program.http.post(program.url("/sql")).body(statement);
        let began = Instant::now();
        let answer = request.header("content-type", "text/plain").send().await;
        let answer = answer.unwrap_or_else(|error| panic!("{shown}: {error}\n{}", program.log()));
        let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
        assert!([400, 422].contains(&status), "{shown}: {status} {text:.300}");
        assert!(began.elapsed() < ANSWER_MAX, "{shown}");
    }
    // A width below zero, which is none.
    let rows = program.sql("SELECT lpad(column1, column2) AS t FROM (VALUES ('a', -1))").await;
    assert_eq!(rows, [json!({"t": ""})]);
    check_sound(&mut program).await;
}
