//! A server that is asked over HTTP: loads by remote write 2.0, queries by the Prometheus API.
//!
//! Each file, and each `clear` in it, goes on under a tenant of its own, so the server must tell
//! tenants apart and take samples of 1970. JSON shows only the buckets of a native histogram, so
//! of those count, sum and buckets are compared.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use exec::output::Histogram;
use reqwest::{Client, StatusCode};
use schemas::model::{Label, Labels, NANOS_PER_MILLI, StepGrid};
use serde_json::Value;

use super::compare::almost_equal;
use super::engine::{Answer, Answered, BoxError, Refusal, Row, step_at};
use super::series::Series;
use super::write_request;

/// Series of a request; a server's limit on bytes lies far above.
const SERIES_PER_REQUEST: usize = 1_000;

/// How long an answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// A server and a tenant that nobody else uses.
#[derive(Debug)]
pub(super) struct Remote {
    http: Client,
    /// Of the Prometheus API, without `/api/v1`.
    url: String,
    /// What all tenants of this file begin with.
    name: String,
    cleared: u32,
}

impl Remote {
    /// A server at `url`, such as `http://127.0.0.1:7400/prometheus`.
    pub(super) fn open(url: &str, file: &str) -> Result<Self, BoxError> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
        let fit = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let file: String = file.chars().map(fit).collect();
        let http = Client::builder().timeout(ANSWER_MAX).build()?;
        let url = url.trim_end_matches('/').to_owned();
        Ok(Self { http, url, name: format!("case-{file}-{since}"), cleared: 0 })
    }

    /// Goes on as another tenant.
    pub(super) fn clear(&mut self) {
        self.cleared += 1;
    }

    fn tenant(&self) -> String {
        format!("{}-{}", self.name, self.cleared)
    }

    /// Stores samples, the i-th of each series at `i * interval_ms`.
    pub(super) async fn load(&self, interval_ms: i64, series: &[Series]) -> Result<(), BoxError> {
        for part in series.chunks(SERIES_PER_REQUEST) {
            let (body, counts) = write_request::encode((0, interval_ms), part)?;
            let request = self.http.post(format!("{}/api/v1/write", self.url));
            let request = request
                .header("x-scope-orgid", self.tenant())
                .header(
                    "content-type",
                    "application/x-protobuf;proto=io.prometheus.write.v2.Request",
                )
                .header("content-encoding", "snappy")
                .header("x-prometheus-remote-write-version", "2.0.0");
            let answer = request.body(body).send().await?;
            let written = |kind: &str| {
                let name = format!("x-prometheus-remote-write-{kind}-written");
                let header = answer.headers().get(name)?.to_str().ok()?;
                header.parse::<usize>().ok()
            };
            let written = (written("samples"), written("histograms"));
            let status = answer.status();
            if status != StatusCode::NO_CONTENT {
                return Err(format!("remote write: {status} {}", answer.text().await?).into());
            }
            if written != (Some(counts.samples), Some(counts.histograms)) {
                return Err(format!("{written:?} are written, not {counts:?}").into());
            }
        }
        Ok(())
    }

    /// The answer to a query at the steps of a grid.
    pub(super) async fn query(&self, text: &str, grid: StepGrid) -> Result<Answered, Refusal> {
        self.ask(text, grid, grid).await
    }

    /// The answer to a query at the steps of a grid, whose samples are at steps of another one.
    pub(super) async fn ask(
        &self,
        text: &str,
        grid: StepGrid,
        shown: StepGrid,
    ) -> Result<Answered, Refusal> {
        let failed = |error: &dyn std::fmt::Display| Refusal::Failed(error.to_string());
        let is_instant = grid == StepGrid::instant(grid.start_ns);
        let mut form = vec![("query", text.to_owned())];
        let path = if is_instant {
            form.push(("time", seconds(grid.start_ns)));
            "query"
        } else {
            form.push(("start", seconds(grid.start_ns)));
            form.push(("end", seconds(grid.last_ns())));
            form.push(("step", seconds(grid.step_ns)));
            "query_range"
        };
        let request = self.http.post(format!("{}/api/v1/{path}", self.url)).form(&form);
        let request = request.header("x-scope-orgid", self.tenant());
        let answer = request.send().await.map_err(|error| failed(&error))?;
        let status = answer.status();
        let body = answer.text().await.map_err(|error| failed(&error))?;
        let json: Value = serde_json::from_str(&body)
            .map_err(|error| failed(&format!("{status}: {error}: {body}")))?;
        if json["status"] != "success" {
            return Err(refusal(status, &json));
        }
        let texts = |key: &str| -> Vec<String> {
            let texts = json[key].as_array().into_iter().flatten();
            texts.filter_map(|text| text.as_str().map(str::to_owned)).collect()
        };
        let (warnings, infos) = (texts("warnings"), texts("infos"));
        let answer = read(&json["data"], shown);
        let answer = answer.ok_or_else(|| failed(&format!("no known answer: {body}")))?;
        Ok(Answered { answer, warnings, infos })
    }
}

/// Seconds with a fraction, as the API takes them.
fn seconds(time_ns: i64) -> String {
    let millis = time_ns / NANOS_PER_MILLI;
    let sign = if millis < 0 { "-" } else { "" };
    format!("{sign}{}.{:03}", millis.unsigned_abs() / 1000, millis.unsigned_abs() % 1000)
}

fn refusal(status: StatusCode, json: &Value) -> Refusal {
    let message = json["error"].as_str().unwrap_or_default();
    let bare = message.strip_prefix("invalid parameter \"query\": ").unwrap_or(message).to_owned();
    let expected = match json["errorType"].as_str() {
        Some("bad_data") => StatusCode::BAD_REQUEST,
        Some("execution") => StatusCode::UNPROCESSABLE_ENTITY,
        _ => return Refusal::Parse(format!("{status}: {json}")),
    };
    if status != expected {
        return Refusal::Parse(format!("{status} does not fit: {json}"));
    }
    if bare.ends_with("is not supported yet") {
        Refusal::Unsupported(bare)
    } else if bare.contains("parse error: ") {
        Refusal::Parse(bare)
    } else {
        Refusal::Failed(bare)
    }
}

/// The data of an answer.
fn read(data: &Value, grid: StepGrid) -> Option<Answer> {
    let result = &data["result"];
    match data["resultType"].as_str()? {
        "scalar" => Some(Answer::Scalar(vec![number(&result[1])?])),
        "string" => Some(Answer::Text(result[1].as_str()?.to_owned())),
        _ => {
            let rows = result.as_array()?.iter().map(|series| row(series, grid));
            Some(Answer::Series(rows.collect::<Option<_>>()?))
        }
    }
}

fn row(series: &Value, grid: StepGrid) -> Option<Row> {
    let labels = series["metric"].as_object()?.iter();
    let labels = labels.map(|(name, value)| Some(Label::new(name.as_str(), value.as_str()?)));
    let mut row = Row {
        labels: Labels::with_empty_values(labels.collect::<Option<_>>()?),
        values: vec![None; grid.steps as usize],
        histograms: BTreeMap::new(),
        shown: BTreeMap::new(),
    };
    let one = |key: &str| series.get(key).map(std::slice::from_ref);
    let many = |key: &str| series.get(key).and_then(Value::as_array).map(Vec::as_slice);
    for point in one("value").or_else(|| many("values")).unwrap_or_default() {
        *row.values.get_mut(step(&point[0], grid)?)? = Some(number(&point[1])?);
    }
    for point in one("histogram").or_else(|| many("histograms")).unwrap_or_default() {
        row.shown.insert(step(&point[0], grid)?, Shown::read(&point[1])?);
    }
    Some(row)
}

/// Which step of the grid a time in seconds is.
fn step(time: &Value, grid: StepGrid) -> Option<usize> {
    step_at((time.as_f64()? * 1e3).round() as i64, grid)
}

fn number(text: &Value) -> Option<f64> {
    text.as_str()?.parse().ok()
}

/// What JSON shows of a native histogram.
#[derive(Debug)]
pub(super) struct Shown {
    count: f64,
    sum: f64,
    /// Rule, bounds and count.
    buckets: Vec<(u64, [f64; 3])>,
}

impl Shown {
    fn read(json: &Value) -> Option<Self> {
        let mut buckets = Vec::new();
        for bucket in json.get("buckets").and_then(Value::as_array).into_iter().flatten() {
            let numbers = [number(&bucket[1])?, number(&bucket[2])?, number(&bucket[3])?];
            buckets.push((bucket[0].as_u64()?, numbers));
        }
        Some(Self { count: number(&json["count"])?, sum: number(&json["sum"])?, buckets })
    }

    /// Whether this is what would be shown of a histogram.
    pub(super) fn is_of(&self, expected: &Histogram, tolerance: f64) -> bool {
        let equal = |a: f64, b: f64| almost_equal(a, b, tolerance);
        let buckets = expected.buckets();
        let mut wanted = buckets.into_iter().filter(|bucket| bucket.count != 0.0).map(|bucket| {
            let rule = match (bucket.includes_lower, bucket.includes_upper) {
                (false, true) => 0,
                (true, false) => 1,
                (false, false) => 2,
                (true, true) => 3,
            };
            (rule, [bucket.lower, bucket.upper, bucket.count])
        });
        let mut got = self.buckets.iter();
        let is_same = loop {
            match (wanted.next(), got.next()) {
                (None, None) => break true,
                (Some((rule, wanted)), Some((shown, got))) if rule == *shown => {
                    if !wanted.into_iter().zip(*got).all(|(a, b)| equal(a, b)) {
                        break false;
                    }
                }
                _ => break false,
            }
        };
        is_same && equal(expected.count, self.count) && equal(expected.sum, self.sum)
    }
}
