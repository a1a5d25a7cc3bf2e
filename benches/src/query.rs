//! Asking: how long the first queries take over an hour of each signal, warm.

use std::io::{self, Write};
use std::time::Instant;

use serde_json::Value;
use tempfile::TempDir;

use crate::LoadArgs;
use crate::generate::{NEEDLE, SECOND_NS, SERVICES, Signal, last_minute_ns};
use crate::ingest::load;
use crate::server::Server;

/// Times a query is asked before it is timed.
const WARM_UP: usize = 3;

/// A question over HTTP.
#[derive(Debug)]
pub(crate) struct Question {
    /// What is told of it.
    pub(crate) name: String,
    path: &'static str,
    params: Vec<(&'static str, String)>,
}

/// Loads an hour of each signal and times the queries.
pub(crate) async fn run(out: &mut impl Write, args: &LoadArgs, runs: usize) -> io::Result<()> {
    let folder = TempDir::new()?;
    let end_ns = last_minute_ns();
    let mut rows = Vec::new();
    for signal in Signal::ALL {
        load(folder.path(), signal, args, end_ns).await?;
        let count = args.rows.unwrap_or(signal.rows_default());
        rows.push(format!("{count} {signal:?}"));
    }
    let server = Server::start(folder.path(), &args.set).await?;
    let http = reqwest::Client::new();
    writeln!(out, "\nqueries over an hour: {}; warm, {runs} runs each", rows.join(", "))?;
    writeln!(out, "  {:>9} {:>9} {:>10}", "median ms", "max ms", "answer B")?;
    for question in questions(&server, &http, end_ns).await? {
        if let Err(error) = ask(&server, &http, &question).await {
            writeln!(out, "  {:>9} {:>9} {:>10}  {error}", "-", "-", "-")?;
            continue;
        }
        let mut times_ms = Vec::new();
        let mut bytes = 0;
        for run in 0..WARM_UP + runs.max(1) {
            let started = Instant::now();
            bytes = ask(&server, &http, &question).await?.len();
            if run >= WARM_UP {
                times_ms.push(started.elapsed().as_secs_f64() * 1000.0);
            }
        }
        times_ms.sort_by(f64::total_cmp);
        let median = times_ms[times_ms.len() / 2];
        let max = times_ms.last().copied().unwrap_or(median);
        writeln!(out, "  {median:>9.2} {max:>9.2} {bytes:>10}  {}", question.name)?;
    }
    let usage = server.stop().await?;
    writeln!(out, "  peak memory while asking {} MB", usage.peak_memory_bytes / 1_000_000)
}

/// The answer to a question; an error if it is refused.
pub(crate) async fn ask(
    server: &Server,
    http: &reqwest::Client,
    question: &Question,
) -> io::Result<String> {
    let request = http.get(server.url(question.path)).query(&question.params);
    let answer = request.send().await.map_err(io::Error::other)?;
    let status = answer.status();
    let text = answer.text().await.map_err(io::Error::other)?;
    if status.is_success() {
        return Ok(text);
    }
    Err(io::Error::other(format!("{}: {status}: {text}", question.name)))
}

async fn questions(
    server: &Server,
    http: &reqwest::Client,
    end_ns: u64,
) -> io::Result<Vec<Question>> {
    let end_s = end_ns / 1_000_000_000;
    let start_s = end_s - 3600;
    let mut questions = metric_questions(start_s, end_s);
    questions.extend(log_questions(end_ns - 3_600 * SECOND_NS, end_ns));
    let search = |query: &str| search(query, start_s, end_s);
    let failed = search("{ resource.service.name = \"payment\" && status = error }");
    let found: Value = serde_json::from_str(&ask(server, http, &failed).await?)?;
    let trace = found["traces"][0]["traceID"].as_str().unwrap_or_default();
    questions.push(Question {
        name: "trace by id".to_owned(),
        // The path is part of the question, and questions are few.
        path: String::leak(format!("/tempo/api/traces/{trace}")),
        params: Vec::new(),
    });
    questions.push(failed);
    questions.push(search("{ span.http.response.status_code = 500 && duration > 100ms }"));
    questions.push(search("{ name = \"PlaceOrder\" } >> { status = error }"));
    questions.push(Question {
        name: "TraceQL { } | rate() by (resource.service.name), 1 h in steps of 60 s".to_owned(),
        path: "/tempo/api/metrics/query_range",
        params: vec![
            ("q", "{ } | rate() by (resource.service.name)".to_owned()),
            ("start", start_s.to_string()),
            ("end", end_s.to_string()),
            ("step", "60s".to_owned()),
        ],
    });
    for statement in [
        "SELECT service_name, count(*) AS n FROM logs GROUP BY service_name ORDER BY n DESC",
        "SELECT name, avg(duration_nano) AS mean FROM spans GROUP BY name ORDER BY mean DESC",
    ] {
        questions.push(sql(statement));
    }
    Ok(questions)
}

/// A search of TraceQL.
pub(crate) fn search(query: &str, start_s: u64, end_s: u64) -> Question {
    Question {
        name: format!("TraceQL {query}"),
        path: "/tempo/api/search",
        params: vec![
            ("q", query.to_owned()),
            ("limit", "20".to_owned()),
            ("start", start_s.to_string()),
            ("end", end_s.to_string()),
        ],
    }
}

/// A range query of PromQL in steps of 15 s.
pub(crate) fn range(query: &str, start_s: u64, end_s: u64) -> Question {
    Question {
        name: format!("PromQL {query}, {} min in steps of 15 s", (end_s - start_s).div_ceil(60)),
        path: "/prometheus/api/v1/query_range",
        params: vec![
            ("query", query.to_owned()),
            ("start", start_s.to_string()),
            ("end", end_s.to_string()),
            ("step", "15".to_owned()),
        ],
    }
}

/// A statement of SQL.
pub(crate) fn sql(statement: &str) -> Question {
    Question {
        name: format!("SQL {statement}"),
        path: "/sql",
        params: vec![("query", statement.to_owned())],
    }
}

fn metric_questions(start_s: u64, end_s: u64) -> Vec<Question> {
    let range = |query: &str| range(query, start_s, end_s);
    let instant = |query: &str| Question {
        name: format!("PromQL {query}, instant"),
        path: "/prometheus/api/v1/query",
        params: vec![("query", query.to_owned()), ("time", end_s.to_string())],
    };
    vec![
        instant("node_load1"),
        instant("sum by (instance) (rate(node_cpu_seconds_total{mode!=\"idle\"}[5m]))"),
        range("node_load1"),
        range("sum by (instance) (rate(node_cpu_seconds_total{mode!=\"idle\"}[5m]))"),
        range("sum(rate(node_cpu_seconds_total[5m]))"),
        range("topk(5, rate(node_network_receive_bytes_total[5m]))"),
        range("avg_over_time(node_filesystem_avail_bytes[10m]) / node_filesystem_size_bytes"),
    ]
}

/// Questions of LogQL over this time.
pub(crate) fn log_questions(start_ns: u64, end_ns: u64) -> Vec<Question> {
    let minutes = (end_ns - start_ns).div_ceil(60 * SECOND_NS);
    let service = SERVICES[0];
    let queries = [
        format!("{{service_name=\"{service}\"}}"),
        format!("{{service_name=\"{service}\"}} |= \"status=500\""),
        format!("{{service_name=~\".+\"}} |= \"{NEEDLE}\""),
        format!("{{service_name=\"{service}\"}} | logfmt | status=`500` and bytes > 80000"),
        "sum by (service_name) (rate({service_name=~\".+\"}[5m]))".to_owned(),
        "sum by (service_name) (count_over_time({service_name=~\".+\"} |= \"status=500\" [5m]))"
            .to_owned(),
    ];
    let question = |query: String| Question {
        name: format!("LogQL {query}, {minutes} min"),
        path: "/loki/loki/api/v1/query_range",
        params: vec![
            ("query", query),
            ("start", start_ns.to_string()),
            ("end", end_ns.to_string()),
            ("limit", "100".to_owned()),
            ("step", "60".to_owned()),
        ],
    };
    queries.into_iter().map(question).collect()
}
