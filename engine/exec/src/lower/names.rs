//! Metadata queries: names, values and label sets, from the label indexes or from spans.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::execution::SessionState;
use futures::StreamExt;
use plan::Node;
use plan::node::{Distinct, DistinctOf, Scan};
use schemas::model::{Labels, Signal};
use schemas::tables::columns as stored;

use super::{Context, from_datafusion, impossible};
use crate::Error;
use crate::operators::label_maps;
use crate::output::{OutputKind, columns};
use crate::session::BatchStream;

/// Runs a query for names.
pub(crate) async fn names(
    root: Node,
    ctx: Context,
    state: &SessionState,
) -> Result<(OutputKind, BatchStream), Error> {
    let (root, limit) = match root {
        Node::Limit(node) => (*node.input, node.count),
        root => (root, usize::MAX),
    };
    let Node::Distinct(distinct) = root else {
        return Err(impossible("names from something else than Distinct"));
    };
    let batch = match &distinct.of {
        DistinctOf::LabelNames => texts(label_names(&distinct, &ctx)?, limit)?,
        DistinctOf::LabelValues(name) => texts(label_values(&distinct, name, &ctx)?, limit)?,
        DistinctOf::LabelSets => sets(label_sets(&distinct, &ctx)?, limit)?,
        _ => return super::traces::names(distinct, limit, ctx, state).await,
    };
    Ok((OutputKind::Names, one_batch(batch)))
}

/// A constant text.
pub(crate) fn text(root: Node) -> Result<(OutputKind, BatchStream), Error> {
    let Node::Text(text) = root else { return Err(impossible("a text that is none")) };
    Ok((OutputKind::Text, one_batch(texts(BTreeSet::from([text]), 1)?)))
}

/// A stream of one batch.
pub(super) fn one_batch(batch: RecordBatch) -> BatchStream {
    futures::stream::once(async move { Ok(batch) }).boxed()
}

/// Calls `each` for the labels of every series or stream that one of the inputs selects.
fn for_each_set(
    distinct: &Distinct,
    ctx: &Context,
    mut each: impl FnMut(Labels),
) -> Result<(), Error> {
    for input in &distinct.inputs {
        let Node::Scan(Scan { selector }) = input else {
            return Err(impossible("labels of something else than a scan"));
        };
        let index = match selector.signal {
            Signal::Metrics => &ctx.snapshot.series,
            Signal::Logs => &ctx.snapshot.streams,
            Signal::Traces => return Err(impossible("labels of spans")),
        };
        let matchers = super::compile(&selector.matchers)?;
        for entry in index.resolve(&matchers, &selector.range) {
            each(entry.labels);
        }
    }
    Ok(())
}

fn label_names(distinct: &Distinct, ctx: &Context) -> Result<BTreeSet<String>, Error> {
    let mut names: BTreeSet<Arc<str>> = BTreeSet::new();
    for_each_set(distinct, ctx, |labels| {
        for label in &labels {
            if !names.contains(&label.name) {
                names.insert(Arc::clone(&label.name));
            }
        }
    })?;
    Ok(names.iter().map(|name| name.to_string()).collect())
}

fn label_values(distinct: &Distinct, name: &str, ctx: &Context) -> Result<BTreeSet<String>, Error> {
    let mut values = BTreeSet::new();
    for_each_set(distinct, ctx, |labels| {
        if let Some(value) = labels.get(name)
            && !values.contains(value)
        {
            values.insert(value.to_owned());
        }
    })?;
    Ok(values)
}

fn label_sets(distinct: &Distinct, ctx: &Context) -> Result<BTreeSet<Labels>, Error> {
    let mut sets = BTreeSet::new();
    for_each_set(distinct, ctx, |labels| {
        sets.insert(labels);
    })?;
    Ok(sets)
}

fn texts(names: BTreeSet<String>, limit: usize) -> Result<RecordBatch, Error> {
    let names: StringArray = names.into_iter().take(limit).map(Some).collect();
    batch([(columns::NAME, Arc::new(names) as ArrayRef)])
}

fn sets(sets: BTreeSet<Labels>, limit: usize) -> Result<RecordBatch, Error> {
    batch([(stored::LABELS, label_maps(sets.iter().take(limit)))])
}

/// A batch of columns that may hold nulls.
pub(super) fn batch<const N: usize>(
    columns: [(&'static str, ArrayRef); N],
) -> Result<RecordBatch, Error> {
    RecordBatch::try_from_iter(columns).map_err(|error| from_datafusion(error.into()))
}
