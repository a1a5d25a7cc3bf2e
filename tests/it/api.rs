//! Requests of Grafana and the exact answers, as `tests/cases/api` has them.

use std::fs;

use serde_json::Value;

use crate::program::Program;
use crate::tidy::root;

#[tokio::test(flavor = "multi_thread")]
async fn requests_get_their_exact_answers() {
    let program = Program::start(&[]).await;
    let mut wrong = Vec::new();
    for protocol in ["prometheus", "loki", "tempo", "sql"] {
        let path = root().join(format!("tests/cases/api/{protocol}.json"));
        let cases: Vec<Value> = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        for case in &cases {
            if let Err(answer) = check(&program, case).await {
                wrong.push(format!("{protocol}: {}: {answer}", case["name"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), program.log());
}

/// Sends the request of a case; the answer is returned if it is not the one expected.
async fn check(program: &Program, case: &Value) -> Result<(), String> {
    let method = case["method"].as_str().unwrap_or("GET").parse().unwrap();
    let url = program.url(case["path"].as_str().unwrap());
    let mut request = program.http.request(method, url).query(&pairs(&case["query"]));
    for (name, value) in case["headers"].as_object().into_iter().flatten() {
        request = request.header(name, value.as_str().unwrap());
    }
    if case["form"].is_array() {
        request = request.form(&pairs(&case["form"]));
    }
    if let Some(body) = case["body"].as_str() {
        request = request.body(body.to_owned());
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    let is_same = match case["text"].as_str() {
        Some(expected) => text == expected,
        None => serde_json::from_str(&text).is_ok_and(|answer| matches(&case["json"], &answer)),
    };
    if is_same && case["status"] == status { Ok(()) } else { Err(format!("{status} {text}")) }
}

fn pairs(list: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    list.as_array().into_iter().flatten().map(|pair| (text(&pair[0]), text(&pair[1]))).collect()
}

/// Whether an answer is the one expected; `"*"` stands for any value.
fn matches(expected: &Value, answer: &Value) -> bool {
    match (expected, answer) {
        (Value::String(any), _) if any == "*" => true,
        (Value::Array(expected), Value::Array(answer)) => {
            expected.len() == answer.len()
                && expected.iter().zip(answer).all(|(expected, answer)| matches(expected, answer))
        }
        (Value::Object(expected), Value::Object(answer)) => {
            expected.len() == answer.len()
                && expected.iter().all(|(key, expected)| {
                    answer.get(key).is_some_and(|answer| matches(expected, answer))
                })
        }
        (expected, answer) => {
            expected == answer
                || expected.as_f64().is_some_and(|number| Some(number) == answer.as_f64())
        }
    }
}
