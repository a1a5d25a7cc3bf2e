//! Samples of the memtable, put into the order that segments have.
//!
//! ```text
//!  batches, as they arrived ─▶ rows of series that are wanted ─ count, place ─▶ one sorted batch
//! ```
//!
//! Series are numbered by their place in the order of keys, so rows are placed by counting and
//! never compared, unless samples of a series came out of order.

use std::collections::HashMap;

use arrow::array::{Array, AsArray};
use arrow::compute::interleave;
use arrow::datatypes::Int64Type;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use schemas::model::TimeRange;

use super::from_datafusion;
use super::metrics::range_ms;
use crate::functions::window::Windows;
use crate::memory::Held;
use crate::operators::{Kernel, Selected};
use crate::{Error, ErrorKind};

/// Which samples of a series are read, of those in the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All.
    All,
    /// The newest one that is not after this millisecond.
    NewestUpTo(i64),
}

impl Wanted {
    /// What a kernel looks at.
    pub(super) fn by(kernel: &Kernel, windows: &Windows) -> Self {
        let is_one_window = windows.count == 1 || windows.step == 0;
        match kernel {
            Kernel::Newest | Kernel::NewestTime | Kernel::InfoTime if is_one_window => {
                Self::NewestUpTo(windows.first_end)
            }
            _ => Self::All,
        }
    }
}

/// Where a row is: number of its batch, and its place there.
type Place = (u32, u32);

/// Memory of a row while it is put into order, in bytes: what was noted of it, and its place in
/// the form that the copy wants.
const ROW_BYTES: usize = size_of::<(u32, Place)>() + size_of::<(usize, usize)>();

/// The chosen columns of the selected series' rows, sorted as in a segment; of two samples of one
/// time the one that arrived later stands behind. `None` if there are none.
///
/// Columns 1 and 2 of the batches are series id and time in milliseconds.
pub(super) fn buffered(
    batches: &[RecordBatch],
    projection: &[usize],
    selected: &[Selected],
    (range, wanted): (TimeRange, Wanted),
    held: &Held,
) -> Result<Option<RecordBatch>, Error> {
    if selected.is_empty() || batches.is_empty() {
        return Ok(None);
    }
    let before = held.bytes();
    let failed = |error: ArrowError| from_datafusion(error.into());
    let projected = batches.iter().map(|batch| batch.project(projection));
    let batches: Vec<RecordBatch> = projected.collect::<Result<_, _>>().map_err(failed)?;
    let (start_ms, mut end_ms) = range_ms(&range);
    let order = match wanted {
        Wanted::All => all(&batches, selected, (start_ms, end_ms), held)?,
        Wanted::NewestUpTo(time_ms) => {
            end_ms = end_ms.min(time_ms);
            newest(&batches, selected, (start_ms, end_ms), held)?
        }
    };
    if order.is_empty() {
        held.resize(before)?;
        return Ok(None);
    }
    let sorted = pick(&batches, &order).map_err(failed)?;
    held.resize(before + sorted.get_array_memory_size())?;
    Ok(Some(sorted))
}

/// Some rows of batches as one batch, of which there is one at least.
fn pick(batches: &[RecordBatch], order: &[(usize, usize)]) -> Result<RecordBatch, ArrowError> {
    let schema = batches[0].schema();
    let columns = schema.fields().iter().enumerate().map(|(at, field)| {
        let parts: Vec<&dyn Array> = batches.iter().map(|it| it.column(at).as_ref()).collect();
        // Mantissas and exponents are found when segments are written.
        let is_absent = parts.iter().all(|part| part.null_count() == part.len());
        match is_absent && field.data_type().is_primitive() {
            true => Ok(storage::absent(field.data_type(), order.len())),
            false => interleave(&parts, order),
        }
    });
    let columns = columns.collect::<Result<_, _>>()?;
    RecordBatch::try_new(schema, columns)
}

/// Places of series in the order of their keys.
fn places(
    selected: &[Selected],
    held: &Held,
) -> Result<HashMap<i64, u32, ahash::RandomState>, Error> {
    held.grow(selected.len() * 2 * size_of::<(i64, u32)>())?;
    let mut places = HashMap::with_capacity_and_hasher(selected.len(), ahash::RandomState::new());
    for (place, series) in selected.iter().enumerate() {
        places.insert(series.key.1, place32(place)?);
    }
    Ok(places)
}

fn place32(place: usize) -> Result<u32, Error> {
    u32::try_from(place)
        .map_err(|_| Error::new(ErrorKind::Limit, "more than 2^32 rows cannot be put into order"))
}

/// Calls for each row of the wanted series within the range with its series' place, its own, and
/// its time.
fn for_each_row(
    batch: (usize, &RecordBatch),
    places: &HashMap<i64, u32, ahash::RandomState>,
    (start_ms, end_ms): (i64, i64),
    mut each: impl FnMut(u32, Place, i64),
) -> Result<(), Error> {
    let number = place32(batch.0)?;
    place32(batch.1.num_rows())?;
    let series = batch.1.column(1).as_primitive::<Int64Type>().values();
    let times = batch.1.column(2).as_primitive::<Int64Type>().values();
    // Samples of a series often arrive together.
    let mut last: Option<(i64, Option<u32>)> = None;
    for (row, (series, time)) in (0..).zip(series.iter().zip(times)) {
        if *time < start_ms || end_ms < *time {
            continue;
        }
        let place = match last {
            Some((id, place)) if id == *series => place,
            _ => places.get(series).copied(),
        };
        last = Some((*series, place));
        if let Some(place) = place {
            each(place, (number, row), *time);
        }
    }
    Ok(())
}

/// Memory that a row of a batch takes when it is copied, in the mean, in bytes.
fn bytes_a_row(batch: &RecordBatch) -> usize {
    batch.get_array_memory_size() / batch.num_rows().max(1)
}

/// The rows of all samples, in order.
fn all(
    batches: &[RecordBatch],
    selected: &[Selected],
    range_ms: (i64, i64),
    held: &Held,
) -> Result<Vec<(usize, usize)>, Error> {
    let places = places(selected, held)?;
    held.grow(selected.len() * size_of::<usize>())?;
    // First how many rows each series has, then where its next row goes.
    let mut next = vec![0_usize; selected.len()];
    let mut rows: Vec<(u32, Place)> = Vec::new();
    for (number, batch) in batches.iter().enumerate() {
        let known = rows.len();
        for_each_row((number, batch), &places, range_ms, |series, place, _| {
            rows.push((series, place));
            next[series as usize] += 1;
        })?;
        let added = rows.len() - known;
        held.grow(added * (ROW_BYTES + bytes_a_row(batch)))?;
    }
    let mut end = 0;
    for next in &mut next {
        end += std::mem::replace(next, end);
    }
    let mut order = vec![(0, 0); rows.len()];
    for (series, (batch, row)) in rows {
        let next = &mut next[series as usize];
        order[*next] = (batch as usize, row as usize);
        *next += 1;
    }
    // Now each holds the end of its series.
    let times: Vec<&[i64]> = batches
        .iter()
        .map(|batch| batch.column(2).as_primitive::<Int64Type>().values().as_ref())
        .collect();
    let time = |place: &(usize, usize)| times[place.0][place.1];
    let mut start = 0;
    for end in next {
        let of_series = &mut order[start..end];
        if !of_series.is_sorted_by_key(time) {
            of_series.sort_by_key(time);
        }
        start = end;
    }
    Ok(order)
}

/// The row of the newest sample of each series, in order; of two samples of one time that of the
/// one that arrived later.
fn newest(
    batches: &[RecordBatch],
    selected: &[Selected],
    range_ms: (i64, i64),
    held: &Held,
) -> Result<Vec<(usize, usize)>, Error> {
    let places = places(selected, held)?;
    held.grow(selected.len() * size_of::<Option<(i64, Place)>>())?;
    let mut newest: Vec<Option<(i64, Place)>> = vec![None; selected.len()];
    for batch in batches.iter().enumerate() {
        for_each_row(batch, &places, range_ms, |series, place, time| {
            let newest = &mut newest[series as usize];
            if newest.is_none_or(|newest| newest.0 <= time) {
                *newest = Some((time, place));
            }
        })?;
    }
    let found = newest.iter().flatten().count();
    let copied = batches.iter().map(bytes_a_row).max().unwrap_or(0);
    held.grow(found * (size_of::<(usize, usize)>() + copied))?;
    Ok(newest
        .into_iter()
        .flatten()
        .map(|(_, (batch, row))| (batch as usize, row as usize))
        .collect())
}

#[cfg(test)]
mod tests;
