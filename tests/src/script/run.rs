//! Running a file: each command in order, each eval judged.

use std::path::Path;

use schemas::model::StepGrid;

use super::backend::Backend;
use super::compare;
use super::engine::{Answer, Answered, BoxError, Place, Refusal, instant_grid, range_grid};
use super::histogram;
use super::parse::{self, Action, Eval, Expected, Pattern, When};
use super::report::{Failure, FileReport, Reason};
use super::series::{Item, Series};

/// Whether an eval passed, or why not.
pub(super) type Verdict = Result<(), (Reason, String)>;

/// Runs a file; an error says that it could not be run at all.
pub(super) async fn run_file(path: &Path, place: Place) -> Result<FileReport, BoxError> {
    let text = std::fs::read_to_string(path)?;
    let file = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let mut report = FileReport { file: file.unwrap_or_default(), ..FileReport::default() };
    let mut engine = Backend::open(place, &report.file).await?;
    let mut has_histograms = false;
    for command in parse::parse(&text) {
        let line = command.line;
        match command.action {
            Action::Clear => {
                engine.clear();
                has_histograms = false;
            }
            Action::Load { interval_ms, converts, mut series } => {
                has_histograms |= converts || any_histogram(&series);
                if converts {
                    series.extend(histogram::converted(&series));
                }
                if let Err(error) = engine.load(interval_ms, &series).await {
                    let (reason, query) = (Reason::Wrong, "a load".to_owned());
                    let message = error.to_string();
                    report.failures.push(Failure { line, reason, query, message });
                }
            }
            Action::Broken(message) => {
                let (reason, query) = (Reason::Wrong, "a line that cannot be read".to_owned());
                report.failures.push(Failure { line, reason, query, message });
            }
            Action::Eval(eval) => match judge(&eval, &engine).await {
                Ok(()) => report.passed += 1,
                Err((mut reason, message)) => {
                    if has_histograms && reason == Reason::Wrong {
                        reason = Reason::Histograms;
                    }
                    let query = format!("{} {:?}", eval.query, eval.when);
                    report.failures.push(Failure { line, reason, query, message });
                }
            },
        }
    }
    Ok(report)
}

fn any_histogram(series: &[Series]) -> bool {
    series.iter().any(|series| series.items.iter().any(|item| matches!(item, Item::Histogram(..))))
}

async fn judge(eval: &Eval, engine: &Backend) -> Verdict {
    let (grid, steps) = times(eval.when);
    if let Expected::RangeVector(shown, expected) = &eval.expected {
        let result = engine.samples(&eval.query, grid, *shown).await;
        let Some(answered) = answered(result, eval.fails.as_ref())? else { return Ok(()) };
        let steps = 0..shown.steps as usize;
        let result = compare::series(&answered.answer, expected, steps, eval.tolerance, false);
        result.map_err(|message| (Reason::Wrong, message))?;
        return remarks(eval, &answered);
    }
    let result = engine.query(&eval.query, grid).await;
    let Some(answered) = answered(result, eval.fails.as_ref())? else { return Ok(()) };
    let answer = &answered.answer;
    check(eval, answer, 0, steps)?;
    if let (When::Range { .. }, Answer::Series(rows)) = (eval.when, answer)
        && !compare::is_sorted(rows)
    {
        return Err((Reason::Wrong, "the series are not sorted".to_owned()));
    }
    remarks(eval, &answered)?;
    let When::Instant { at_ms } = eval.when else { return Ok(()) };
    if matches!(eval.expected, Expected::Text(_)) {
        return Ok(());
    }
    within_range(eval, &eval.query, at_ms, engine).await?;
    pinned(eval, at_ms, engine).await
}

/// Whether what was remarked is what is expected.
fn remarks(eval: &Eval, answered: &Answered) -> Verdict {
    let result = eval.warnings.check("warnings", &answered.warnings);
    let result = result.and_then(|()| eval.infos.check("infos", &answered.infos));
    result.map_err(|message| (Reason::Annotations, message))
}

/// The grid of an eval and the number of its steps.
pub(super) fn times(when: When) -> (StepGrid, usize) {
    match when {
        When::Instant { at_ms } => (instant_grid(at_ms), 1),
        When::Range { start_ms, end_ms, step_ms } => {
            let grid = range_grid(start_ms, end_ms, step_ms);
            (grid, grid.steps as usize)
        }
    }
}

/// The answer to look at; `None` if the query failed as it must.
pub(super) fn answered(
    result: Result<Answered, Refusal>,
    fails: Option<&Pattern>,
) -> Result<Option<Answered>, (Reason, String)> {
    let message = match (result, fails) {
        (Ok(answer), None) => return Ok(Some(answer)),
        (Err(Refusal::Failed(message)), Some(pattern)) if pattern.matches(&message) => {
            return Ok(None);
        }
        (Err(Refusal::Unsupported(message)), _) => return Err((Reason::Unsupported, message)),
        (Ok(_), Some(pattern)) => format!("expected an error ({pattern:?}), got none"),
        (Err(Refusal::Parse(message)), _) => message,
        (Err(Refusal::Failed(message)), Some(pattern)) => {
            format!("expected {pattern:?}, got {message:?}")
        }
        (Err(Refusal::Failed(message)), None) => format!("got the error {message}"),
    };
    Err((Reason::Wrong, message))
}

/// The same query fixed to its time by `@`, asked at other times: the answer must be the same.
async fn pinned(eval: &Eval, at_ms: i64, engine: &Backend) -> Verdict {
    let wrong = |message: String| (Reason::Wrong, message);
    let query = promql::pinned(&eval.query, at_ms).map_err(|error| wrong(error.to_string()))?;
    let Some(query) = query else { return Ok(()) };
    let other_times = match at_ms {
        0 => vec![-1_000, 0, 1_000],
        at => vec![-10 * at, 0, at / 5, at, 10 * at],
    };
    for time_ms in other_times {
        let result = match engine.query(&query, instant_grid(time_ms)).await {
            Ok(got) => check(eval, &got.answer, 0, 1).and_then(|()| remarks(eval, &got)),
            Err(refusal) => Err(refused(&refusal)),
        };
        result.map_err(|(reason, message)| {
            (reason, format!("as {query} at {time_ms} ms: {message}"))
        })?;
        within_range(eval, &query, time_ms, engine).await?;
    }
    Ok(())
}

fn refused(refusal: &Refusal) -> (Reason, String) {
    let unsupported = matches!(refusal, Refusal::Unsupported(_));
    let reason = if unsupported { Reason::Unsupported } else { Reason::Wrong };
    (reason, format!("it is refused: {refusal:?}"))
}

/// Whether an instant query must give the same within a range.
fn repeats(eval: &Eval) -> bool {
    let depends = ["start()", "end()", "range()", "step()"];
    !eval.ordered && !depends.iter().any(|call| eval.query.contains(call))
}

/// The same query from a minute before to a minute after: its middle must be the same.
async fn within_range(eval: &Eval, query: &str, at_ms: i64, engine: &Backend) -> Verdict {
    const MINUTE_MS: i64 = 60_000;
    if !repeats(eval) {
        return Ok(());
    }
    let grid = range_grid(at_ms - MINUTE_MS, at_ms + MINUTE_MS, MINUTE_MS);
    let result = match engine.query(query, grid).await {
        Ok(answered) => check(eval, &answered.answer, 1, 1),
        Err(refusal) => Err(refused(&refusal)),
    };
    result.map_err(|(reason, message)| {
        (reason, format!("as {query} in the range around {at_ms} ms: {message}"))
    })
}

/// Whether an answer's steps from `first` on are what is expected.
pub(super) fn check(eval: &Eval, answer: &Answer, first: usize, steps: usize) -> Verdict {
    let wrong = |message: String| Err((Reason::Wrong, message));
    match (&eval.expected, answer) {
        (Expected::Series(_), Answer::Scalar(values))
            if matches!(eval.when, When::Instant { .. }) =>
        {
            wrong(format!("expected a vector, got the scalar {values:?}"))
        }
        (Expected::Series(expected), answer) => {
            let result = compare::series(
                answer,
                expected,
                first..first + steps,
                eval.tolerance,
                eval.ordered,
            );
            let reason = if any_histogram(expected) { Reason::Histograms } else { Reason::Wrong };
            result.map_err(|message| (reason, message))
        }
        (Expected::Scalar(expected), Answer::Scalar(values)) => match values.get(first) {
            Some(value) if compare::almost_equal(*expected, *value, eval.tolerance) => Ok(()),
            value => wrong(format!("expected {expected}, got {value:?}")),
        },
        // Over HTTP a scalar of a range is told as a series without labels.
        (Expected::Scalar(expected), Answer::Series(rows)) => match rows.as_slice() {
            [row] if row.labels.is_empty() && row.values.len() > 1 => match row.values[first] {
                Some(value) if compare::almost_equal(*expected, value, eval.tolerance) => Ok(()),
                value => wrong(format!("expected {expected}, got {value:?}")),
            },
            rows => wrong(format!("expected the scalar {expected}, got {rows:?}")),
        },
        (Expected::Text(expected), Answer::Text(text)) if expected == text => Ok(()),
        (expected, answer) => wrong(format!("expected {expected:?}, got {answer:?}")),
    }
}
