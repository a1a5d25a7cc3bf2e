//! The catalog of a table: a Delta Lake transaction log, numbered commits created once.
//!
//! ```text
//!  logs/_delta_log/00000000000000000000.json    protocol, metaData
//!                  00000000000000000001.json    txn (WAL applied up to), add, add …
//! ```
//!
//! The format is that of the Delta protocol, reader version 1 and writer version 2. Our extras
//! stand in the `tags` of an `add`, so that live segments can be rebuilt from the log alone.
//! A `txn` says up to which sequence number of the WAL the table holds everything: what is
//! replayed after a crash and lies below was committed before.

mod actions;
mod schema;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use schemas::tables::Table;
use tokio::sync::Mutex;

use self::actions::Action;
use crate::objects::{Created, Objects};
use crate::{Error, ErrorKind, Segment};

/// Numbers that a commit tries, at most: each is lost to another writer's commit.
const CONFLICTS_MAX: u32 = 100;

/// Commits that are read at once when a log is loaded.
const READS_AT_ONCE: usize = 32;

/// The log of one table.
#[derive(Debug)]
pub(crate) struct Catalog {
    table: Table,
    objects: Objects,
    writer: Arc<str>,
    /// The number of the next commit, as far as this process knows.
    next: Mutex<Next>,
}

/// What the next commit must know.
#[derive(Debug)]
struct Next {
    number: u64,
    /// Whether the table has the schema of now.
    has_schema: bool,
}

/// What a log says.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// Live segments, in the order of their paths.
    pub(crate) segments: Vec<Arc<Segment>>,
    /// Last sequence number of our WAL that the table holds; 0 if there is none.
    pub(crate) applied: u64,
}

impl Catalog {
    /// Reads the log of a table; a table without one is empty. `writer` names our WAL.
    pub(crate) async fn load(
        table: Table,
        objects: Objects,
        writer: Arc<str>,
    ) -> Result<(Self, Loaded), Error> {
        let folder = folder(table);
        let mut live: BTreeMap<String, Arc<Segment>> = BTreeMap::new();
        let mut applied = 0;
        let mut next = 0;
        let mut schema = String::new();
        let mut paths = objects.list(&folder).await?;
        paths.retain(|path| commit_number(path).is_some());
        let reads = paths.into_iter().map(|path| {
            let objects = &objects;
            async move { objects.read(&path).await.map(|body| (path, body)) }
        });
        let mut commits = futures::stream::iter(reads).buffered(READS_AT_ONCE);
        while let Some((path, body)) = commits.try_next().await? {
            let Some(number) = commit_number(&path) else { continue };
            if number != next {
                let message = format!("{path}: commit {next} is missing before it");
                return Err(Error::new(ErrorKind::Damaged, message));
            }
            next = number + 1;
            for action in actions::parse(&path, &body)? {
                match action {
                    Action::Add(segment) => {
                        live.insert(segment.path.clone(), Arc::new(segment));
                    }
                    Action::Remove(path) => {
                        live.remove(&format!("{}/{path}", table.name()));
                    }
                    Action::Applied(app, version) if app == application(&writer) => {
                        applied = applied.max(version);
                    }
                    Action::Schema(newest) => schema = newest,
                    Action::Applied(..) | Action::Other => {}
                }
            }
        }
        let loaded = Loaded { segments: live.into_values().collect(), applied };
        drop(commits);
        let has_schema = schema == schema::schema_string(table)?;
        let next = Mutex::new(Next { number: next, has_schema });
        Ok((Self { table, objects, writer, next }, loaded))
    }

    /// Adds segments, together with the fact that the WAL is applied up to `applied`. Appending
    /// never conflicts: if another writer took the number, the next one is tried.
    pub(crate) async fn append(&self, segments: &[Segment], applied: u64) -> Result<(), Error> {
        let mut next = self.next.lock().await;
        if next.number == 0 {
            let first = actions::first_commit(self.table)?;
            self.create(0, first, 0).await?;
            *next = Next { number: 1, has_schema: true };
        }
        let application = application(&self.writer);
        let body =
            actions::append_commit(self.table, segments, &application, applied, next.has_schema)?;
        for _ in 0..CONFLICTS_MAX {
            let ours = self.create(next.number, body.clone(), applied).await?;
            next.number += 1;
            if ours {
                next.has_schema = true;
                return Ok(());
            }
        }
        let message = format!(
            "{}: {CONFLICTS_MAX} commits in a row were lost to other writers",
            self.table.name()
        );
        Err(Error::new(ErrorKind::Unavailable, message))
    }

    /// Creates a commit; whether it is ours. A commit that exists may be ours, if the answer to
    /// an earlier attempt was lost: it then says that our WAL is applied. (Its bytes need not be
    /// these: a later attempt tells another time.)
    async fn create(&self, number: u64, body: Bytes, applied: u64) -> Result<bool, Error> {
        let path = format!("{}/{number:020}.json", folder(self.table));
        match self.objects.create(&path, body.clone()).await? {
            Created::New => Ok(true),
            Created::Exists => {
                let ours = application(&self.writer);
                let found = actions::parse(&path, &self.objects.read(&path).await?)?;
                Ok(found.iter().any(|action| match action {
                    Action::Applied(app, version) => *app == ours && *version >= applied,
                    _ => false,
                }))
            }
        }
    }
}

fn folder(table: Table) -> String {
    format!("{}/_delta_log", table.name())
}

/// How our WAL is named in `txn` actions.
fn application(writer: &str) -> String {
    format!("siglake-wal-{writer}")
}

/// The number of a commit; `None` for everything else in the folder.
fn commit_number(path: &str) -> Option<u64> {
    path.rsplit('/').next()?.strip_suffix(".json")?.parse().ok()
}

#[cfg(test)]
mod tests;
