//! Rewriting: one segment without the rows that are deleted or older than their retention.

use std::sync::Arc;

use arrow::array::BooleanArray;
use schemas::tables::Table;

use super::input::{self, reader};
use super::job::{self, Context, Done};
use super::plan::Merge;
use crate::catalog::Change;
use crate::{Deletes, Error, ErrorKind, Operation, Segment, Store};

impl Store {
    /// The number of rows of a segment that are hidden.
    pub(crate) async fn hidden_rows(
        &self,
        table: Table,
        segment: &Arc<Segment>,
        deletes: &Deletes,
    ) -> Result<u64, Error> {
        let context = self.context(table, deletes.clone());
        let segment = Arc::clone(segment);
        let work = move || hidden_rows(&context, &segment);
        tokio::task::spawn_blocking(work).await.map_err(cut_off)?
    }

    /// Replaces a segment by one without the rows that are hidden; how many those were, `None` if
    /// it is not live any more.
    pub(crate) async fn rewrite(
        &self,
        table: Table,
        segment: &Arc<Segment>,
        deletes: &Deletes,
        operation: Operation,
    ) -> Result<Option<u64>, Error> {
        let _one_at_a_time = self.compacting.lock().await;
        let context = self.context(table, deletes.clone());
        let merge = Merge { inputs: vec![Arc::clone(segment)], level: segment.level };
        let work = move || job::run(&context, &merge);
        let done = tokio::task::spawn_blocking(work).await.map_err(cut_off)??;
        let rows = done.deleted_rows.iter().sum();
        Ok(self.replace(table, &done, operation).await?.then_some(rows))
    }

    /// What a job needs.
    pub(super) fn context(&self, table: Table, deletes: Deletes) -> Context {
        Context {
            table,
            layout: self.layout(table),
            objects: self.objects.clone(),
            runtime: tokio::runtime::Handle::current(),
            shared: Arc::clone(&self.shared),
            budget: Arc::clone(&self.options.budget),
            options: self.options.compaction.clone(),
            row_group_rows: self.options.row_group_rows,
            writer: Arc::clone(&self.catalogs.writer),
            deletes,
        }
    }

    /// Commits what a job has done; false if an input is not live any more.
    pub(super) async fn replace(
        &self,
        table: Table,
        done: &Done,
        operation: Operation,
    ) -> Result<bool, Error> {
        let deleted = done.deleted_rows.iter().any(|rows| *rows > 0);
        self.note_replaced(table, &done.inputs, &done.deleted_rows).await?;
        let operation = match operation {
            // Whoever follows the table must see that rows are gone.
            Operation::Compact if deleted => Operation::Delete,
            operation => operation,
        };
        let change = Change {
            operation,
            adds: done.output.iter().cloned().collect(),
            removes: done.inputs.clone(),
            applied: None,
        };
        match self.publish(table, &change).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::Conflict => {
                tracing::debug!(%error, "others have replaced these segments");
                // Nobody names it. What cannot be removed now is swept like any orphan.
                for output in &change.adds {
                    let _ = self.objects.delete(&output.path).await;
                }
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

fn hidden_rows(context: &Context, segment: &Segment) -> Result<u64, Error> {
    let layout = &context.layout;
    let wanted = context.deletes.columns(context.table, layout);
    let wanted: Vec<&str> =
        wanted.iter().map(|at| layout.schema().field(*at).name().as_str()).collect();
    let (rows, _) =
        reader(&context.objects, &context.runtime, segment, |name| wanted.contains(&name))?;
    let mut hidden = 0;
    for rows in rows {
        let rows = rows.map_err(|error| input::failed(&segment.path, error))?;
        let kept = context.deletes.keep(context.table, segment, &rows)?;
        hidden += kept.as_ref().map_or(0, BooleanArray::false_count) as u64;
    }
    Ok(hidden)
}

fn cut_off(error: tokio::task::JoinError) -> Error {
    Error::with_source(ErrorKind::Internal, "a rewrite was cut off", error)
}
