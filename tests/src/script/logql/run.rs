//! Running a file: each command in order, each eval judged.

use std::path::Path;

use logql::{ErrorKind, Params};
use schemas::model::{Direction, Signal, TimeRange};

use super::super::engine::{BoxError, Engine, Place, Refusal};
use super::super::parse::{Eval, Expected};
use super::super::report::{Failure, FileReport, Reason};
use super::super::run::{Verdict, answered, check, times};
use super::load;
use super::parse::{self, Action};

/// Records that a log query may return; the cases ask metric queries only.
const RECORDS_MAX: usize = 100;

/// Runs a file; an error says that it could not be run at all.
pub(in crate::script) async fn run_file(path: &Path, place: Place) -> Result<FileReport, BoxError> {
    let text = std::fs::read_to_string(path)?;
    let file = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let mut report = FileReport { file: file.unwrap_or_default(), ..FileReport::default() };
    let mut engine = Engine::open(place).await?;
    for command in parse::parse(&text) {
        let line = command.line;
        match command.action {
            Action::Clear => engine.clear(),
            Action::Load(entries) => {
                engine.append(Signal::Logs, load::batches(&entries)?).await?;
            }
            Action::Broken(message) => {
                let (reason, query) = (Reason::Wrong, "a line that cannot be read".to_owned());
                report.failures.push(Failure { line, reason, query, message });
            }
            Action::Eval(eval) => match judge(&eval, &engine).await {
                Ok(()) => report.passed += 1,
                Err((reason, message)) => {
                    let query = format!("{} {:?}", eval.query, eval.when);
                    report.failures.push(Failure { line, reason, query, message });
                }
            },
        }
    }
    Ok(report)
}

async fn judge(eval: &Eval, engine: &Engine) -> Verdict {
    let (grid, steps) = times(eval.when);
    if let Expected::Series(series) = &eval.expected
        && let Some(series) = series.iter().find(|series| series.items.len() != steps)
    {
        let message = format!("{} has {} values", series.labels, series.items.len());
        return Err((Reason::Wrong, format!("{message} for {steps} steps")));
    }
    let params = Params {
        range: TimeRange { start_ns: grid.start_ns, end_ns: grid.last_ns() },
        grid,
        limit: RECORDS_MAX,
        direction: Direction::Backward,
    };
    let result = match logql::query(&eval.query, &params) {
        Ok(query) => engine.answer(query).await,
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            Err(Refusal::Unsupported(error.to_string()))
        }
        // A text that is no query may be what a case is about.
        Err(error) => Err(Refusal::Failed(error.to_string())),
    };
    match answered(result, eval.fails.as_ref())? {
        Some(answered) => check(eval, &answered.answer, 0, steps),
        None => Ok(()),
    }
}
