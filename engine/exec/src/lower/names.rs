//! Metadata queries: names, values and label sets, from the label indexes or from spans.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use futures::StreamExt;
use plan::Node;
use plan::node::{Distinct, DistinctOf, Scan};
use schemas::model::{CompiledMatcher, Labels, Signal, TimeRange};
use schemas::tables::columns as stored;
use storage::LabelIndex;

use super::{Context, from_datafusion, impossible};
use crate::Error;
use crate::memory::Held;
use crate::operators::label_maps;
use crate::output::{OutputKind, columns};
use crate::session::BatchStream;

/// Runs a query for names.
pub(crate) async fn names(root: Node, ctx: Context) -> Result<(OutputKind, BatchStream), Error> {
    let (root, limit) = match root {
        Node::Limit(node) => (*node.input, node.count),
        root => (root, usize::MAX),
    };
    let Node::Distinct(distinct) = root else {
        return Err(impossible("names from something else than Distinct"));
    };
    let batch = match &distinct.of {
        DistinctOf::LabelNames => texts(label_names(&distinct, &ctx)?, limit)?,
        DistinctOf::LabelValues(name) => texts(label_values(&distinct, name, limit, &ctx)?, limit)?,
        DistinctOf::LabelSets => {
            let (found, held) = label_sets(&distinct, limit, &ctx)?;
            let batch = sets(&found, limit)?;
            drop(found);
            held.resize(batch.get_array_memory_size())?;
            ctx.memory.keep(held);
            batch
        }
        _ => return super::traces::names(distinct, limit, ctx).await,
    };
    Ok((OutputKind::Names, one_batch(batch)))
}

/// A constant text.
pub(crate) fn text(root: Node) -> Result<(OutputKind, BatchStream), Error> {
    let Node::Text(text) = root else { return Err(impossible("a text that is none")) };
    Ok((OutputKind::Text, one_batch(texts([text], 1)?)))
}

/// A stream of one batch.
pub(super) fn one_batch(batch: RecordBatch) -> BatchStream {
    futures::stream::once(async move { Ok(batch) }).boxed()
}

/// Calls `each` with the index, the matchers and the range of every input.
fn for_each_selector(
    distinct: &Distinct,
    ctx: &Context,
    mut each: impl FnMut(&LabelIndex, &[CompiledMatcher], &TimeRange) -> Result<(), Error>,
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
        each(index, &super::compile(&selector.matchers)?, &selector.range)?;
    }
    Ok(())
}

fn label_names(distinct: &Distinct, ctx: &Context) -> Result<BTreeSet<Arc<str>>, Error> {
    let mut names = BTreeSet::new();
    for_each_selector(distinct, ctx, |index, matchers, range| {
        names.extend(index.label_names(matchers, range));
        Ok(())
    })?;
    Ok(names)
}

fn label_values(
    distinct: &Distinct,
    name: &str,
    limit: usize,
    ctx: &Context,
) -> Result<Vec<Arc<str>>, Error> {
    let held = ctx.memory.hold("label values");
    let mut values = Vec::new();
    for_each_selector(distinct, ctx, |index, matchers, range| {
        let found = index.label_values_up_to(limit, name, matchers, range);
        // Each is in the list, in the joined list, and as bytes in the answer.
        held.grow(found.iter().map(|value| 2 * VALUE_BYTES + value.len()).sum())?;
        match values.is_empty() {
            true => values = found,
            false => values.extend(found),
        }
        Ok(())
    })?;
    sort_joined(&mut values, distinct);
    ctx.memory.keep(held);
    Ok(values)
}

/// Label sets, sorted: all, or some if there are more than `limit`.
fn label_sets(
    distinct: &Distinct,
    limit: usize,
    ctx: &Context,
) -> Result<(Vec<Labels>, Held), Error> {
    let all = ctx.memory.hold("label sets");
    let mut sets = Vec::new();
    for_each_selector(distinct, ctx, |index, matchers, range| {
        let (entries, held) = ctx.resolve_up_to(limit, index, matchers, range)?;
        all.grow(held.bytes())?;
        sets.extend(entries.into_iter().map(|entry| entry.labels));
        Ok(())
    })?;
    sets.sort_unstable();
    sets.dedup();
    // Each is written once more, into the answer.
    let texts = sets.iter().flatten().map(|label| label.name.len() + label.value.len());
    all.grow(texts.sum::<usize>() * 2)?;
    Ok((sets, all))
}

/// What one selector finds is sorted; what several find is joined.
fn sort_joined(values: &mut Vec<Arc<str>>, distinct: &Distinct) {
    if distinct.inputs.len() > 1 {
        values.sort_unstable();
        values.dedup();
    }
}

/// Memory of a text beside its bytes.
const VALUE_BYTES: usize = 2 * size_of::<Arc<str>>();

fn texts(
    names: impl IntoIterator<Item = impl AsRef<str>>,
    limit: usize,
) -> Result<RecordBatch, Error> {
    let names: StringArray = names.into_iter().take(limit).map(Some).collect();
    batch([(columns::NAME, Arc::new(names) as ArrayRef)])
}

fn sets(sets: &[Labels], limit: usize) -> Result<RecordBatch, Error> {
    batch([(stored::LABELS, label_maps(sets.iter().take(limit)))])
}

/// A batch of columns that may hold nulls.
pub(super) fn batch<const N: usize>(
    columns: [(&'static str, ArrayRef); N],
) -> Result<RecordBatch, Error> {
    RecordBatch::try_from_iter(columns).map_err(|error| from_datafusion(error.into()))
}
