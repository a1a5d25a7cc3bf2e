//! Loading a log: the newest checkpoint that can be read, then the commits after it.
//!
//! ```text
//!  _last_checkpoint ─ version ─▶ LIST from there ─▶ newest readable checkpoint ─▶ later commits
//!         └ torn or none: LIST all                       └ damaged: the one before, or commit 0
//! ```
//!
//! The list is taken from the hint on, so it stays short however long the log is. It is needed
//! although commits could be tried one by one: where a log was cleaned up, a number that is not
//! there need not be the end.

use futures::{StreamExt, TryStreamExt};
use schemas::tables::Table;

use super::actions::{self, damaged};
use super::checkpoint::{self, Hint};
use super::log::Log;
use super::{commit_number, folder};
use crate::objects::{Listed, Objects};
use crate::{Error, ErrorKind};

/// Commits that are read at once.
const READS_AT_ONCE: usize = 32;

/// The log of a table as it is now; `writer` names our WAL. A table without a log is empty.
pub(super) async fn load(table: Table, objects: &Objects, writer: &str) -> Result<Log, Error> {
    let hint = hint(table, objects).await?;
    if let Some(version) = hint.map(|hint| hint.version) {
        let after = format!("{}/{version:020}", folder(table));
        let listed = objects.list_after(&folder(table), Some(&after)).await?;
        if let Some(log) = from_checkpoint(table, objects, writer, &listed).await? {
            return Ok(log);
        }
    }
    let listed = objects.list_after(&folder(table), None).await?;
    if let Some(log) = from_checkpoint(table, objects, writer, &listed).await? {
        return Ok(log);
    }
    let mut log = Log::default();
    log.damaged = listed.iter().filter_map(|of| checkpoint::version(&of.path)).max();
    add_commits(&mut log, table, objects, writer, &listed).await?;
    Ok(log)
}

/// What `_last_checkpoint` says; `None` if it is not there or makes no sense. It is written
/// again and again, so it may be old, but never ahead of what is there.
pub(super) async fn hint(table: Table, objects: &Objects) -> Result<Option<Hint>, Error> {
    let path = checkpoint::hint_path(table);
    let Some(body) = objects.find(&path).await? else { return Ok(None) };
    match serde_json::from_slice(&body) {
        Ok(hint) => Ok(Some(hint)),
        Err(error) => {
            tracing::warn!(path, %error, "the hint to the newest checkpoint cannot be read");
            Ok(None)
        }
    }
}

/// The log from the newest checkpoint of a list that can be read; `None` if there is none.
async fn from_checkpoint(
    table: Table,
    objects: &Objects,
    writer: &str,
    listed: &[Listed],
) -> Result<Option<Log>, Error> {
    let mut unreadable = None;
    for Listed { path, .. } in listed.iter().rev() {
        let Some(version) = checkpoint::version(path) else { continue };
        match read_checkpoint(objects, path, version).await {
            Ok(None) => {}
            Ok(Some(mut log)) => {
                log.damaged = unreadable;
                add_commits(&mut log, table, objects, writer, listed).await?;
                return Ok(Some(log));
            }
            Err(error) if error.kind() == ErrorKind::Damaged => {
                tracing::error!(path, %error, "a checkpoint is damaged; an older one is tried");
                unreadable = unreadable.or(Some(version));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// The log as of a checkpoint; `None` if it is not there, `Damaged` if it cannot be read.
pub(super) async fn read_checkpoint(
    objects: &Objects,
    path: &str,
    version: u64,
) -> Result<Option<Log>, Error> {
    let Some(bytes) = objects.find(path).await? else { return Ok(None) };
    let path = path.to_owned();
    let reading = tokio::task::spawn_blocking(move || {
        let actions = checkpoint::read(&path, bytes)?;
        let mut log = Log::default();
        log.restart(version, actions);
        Ok(Some(log))
    });
    reading.await.map_err(|error| {
        Error::with_source(ErrorKind::Internal, "reading a checkpoint was cut off", error)
    })?
}

/// What is wrong with a log, told in a sentence each that begins with the object's path.
///
/// Every commit and every checkpoint that is there must be readable, commits must follow one
/// another, and each checkpoint must tell the same live segments as the commits up to it, as far
/// as those are still there.
pub(crate) async fn verify(table: Table, objects: &Objects) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    let listed = objects.list_after(&folder(table), None).await?;
    let checkpoints: Vec<(u64, &str)> = listed
        .iter()
        .filter_map(|of| checkpoint::version(&of.path).map(|version| (version, of.path.as_str())))
        .collect();
    let has_first = listed.iter().any(|of| commit_number(&of.path) == Some(0));
    let mut replayed: Option<Log> = has_first.then(Log::default);
    let mut at = 0;
    let mut last: Option<u64> = None;
    for Listed { path, .. } in &listed {
        let Some(number) = commit_number(path) else { continue };
        if last.is_some_and(|last| last + 1 != number) {
            found.push(format!("{path}: commit {} is missing before it", number - 1));
            replayed = None;
        }
        last = Some(number);
        let Some(body) = objects.find(path).await? else { continue };
        match actions::parse(path, &body) {
            Ok(actions) => {
                if let Some(log) = &mut replayed {
                    log.apply(actions, "");
                    log.unpublished.clear();
                }
            }
            Err(error) => {
                found.push(error.to_string());
                replayed = None;
            }
        }
        while let Some((version, path)) = checkpoints.get(at).filter(|(of, _)| *of <= number) {
            at += 1;
            let replayed = replayed.as_ref().filter(|_| *version == number);
            found.extend(verify_checkpoint(objects, path, *version, replayed).await?);
        }
    }
    for (version, path) in &checkpoints[at..] {
        found.extend(verify_checkpoint(objects, path, *version, None).await?);
    }
    let covered = checkpoints.last().map(|(version, _)| *version);
    if !has_first && covered.is_none() && last.is_some() {
        found.push(format!("{}: commit 0 is missing and there is no checkpoint", folder(table)));
    }
    Ok(found)
}

/// What is wrong with one checkpoint; `replayed` is what the commits up to it say.
async fn verify_checkpoint(
    objects: &Objects,
    path: &str,
    version: u64,
    replayed: Option<&Log>,
) -> Result<Option<String>, Error> {
    let log = match read_checkpoint(objects, path, version).await {
        Ok(Some(log)) => log,
        Ok(None) => return Ok(None),
        Err(error) if error.kind() == ErrorKind::Damaged => return Ok(Some(error.to_string())),
        Err(error) => return Err(error),
    };
    let Some(replayed) = replayed else { return Ok(None) };
    let paths = |log: &Log| -> std::collections::BTreeSet<String> {
        log.live().map(|segment| segment.path.clone()).collect()
    };
    let (told, expected) = (paths(&log), paths(replayed));
    let other = told.symmetric_difference(&expected).next();
    Ok(other.map(|other| format!("{path}: tells otherwise than the commits of {other}")))
}

/// Takes in the commits of a list that come after what a log holds.
async fn add_commits(
    log: &mut Log,
    table: Table,
    objects: &Objects,
    writer: &str,
    listed: &[Listed],
) -> Result<(), Error> {
    let from = log.next;
    let paths = listed.iter().map(|of| &of.path);
    let paths = paths.filter(|path| commit_number(path).is_some_and(|of| of >= from));
    // Owned, or the compiler cannot tell that the future may move between threads.
    let reads: Vec<_> = paths.map(|path| (objects.clone(), path.clone())).collect();
    let reads = reads.into_iter().map(|(objects, path)| async move {
        let body = objects.read(&path).await?;
        Ok::<_, Error>((path, body))
    });
    let mut commits = futures::stream::iter(reads).buffered(READS_AT_ONCE).boxed();
    while let Some((path, body)) = commits.try_next().await? {
        let path = path.as_str();
        if commit_number(path) != Some(log.next) {
            let missing = format!("commit {} of {} is missing before it", log.next, table.name());
            return Err(damaged(path, &missing));
        }
        log.apply(actions::parse(path, &body)?, writer);
        // Who loads a table shows all of it at once.
        log.unpublished.clear();
    }
    Ok(())
}
