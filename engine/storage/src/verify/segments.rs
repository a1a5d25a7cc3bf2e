//! One segment against what the log says of it.

use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use schemas::tables::{Table, day_of_ns};

use super::Labels;
use crate::compact;
use crate::objects::Objects;
use crate::segment::{Key, Keys, Place, integers, range};
use crate::{Deletes, Error, ErrorKind, Segment};

/// Bytes that are read at once for the checksum.
const CHUNK_BYTES: u64 = 8 << 20;

/// Bytes at the end of a Parquet file: the length of the footer, and the magic.
const TAIL_BYTES: u64 = 8;

/// What is wrong with a segment, in a sentence each. Labels are entered into `labels`.
pub(super) async fn check(
    objects: &Objects,
    table: Table,
    segment: &Arc<Segment>,
    deletes: &Deletes,
    labels: &Labels,
) -> Result<Vec<String>, Error> {
    let Some(found) = objects.head(&segment.path).await? else {
        return Ok(vec!["is missing".to_owned()]);
    };
    if found.bytes != segment.bytes {
        let what = format!("has {} bytes, the log says {}", found.bytes, segment.bytes);
        return Ok(vec![what]);
    }
    let mut wrong = Vec::new();
    match check_bytes(objects, segment).await {
        Ok(found) => wrong.extend(found),
        Err(error) if error.kind() == ErrorKind::Damaged => wrong.push(error.to_string()),
        Err(error) => return Err(error),
    }
    let (objects, segment, deletes) = (objects.clone(), Arc::clone(segment), deletes.clone());
    let index = labels.index(table).map(|_| ());
    let runtime = tokio::runtime::Handle::current();
    let reading = tokio::task::spawn_blocking(move || {
        let mut kept = Vec::new();
        let read = check_rows(&objects, &runtime, table, &segment, &deletes, |rows| {
            if index.is_some() {
                kept.push(rows.clone());
            }
        });
        (read, kept)
    });
    let (read, rows) = reading.await.map_err(|error| {
        Error::with_source(ErrorKind::Internal, "reading a segment was cut off", error)
    })?;
    match read {
        Ok(found) => wrong.extend(found),
        Err(error) if error.kind() == ErrorKind::Damaged => wrong.push(error.to_string()),
        Err(error) => return Err(error),
    }
    if let Some(index) = labels.index(table) {
        let plain = table.schema();
        for rows in rows {
            // Labels that cannot be entered are wrong in themselves.
            let entered = crate::fit(&rows, &plain).map_err(crate::segment::arrow);
            if let Err(error) = entered.and_then(|rows| index.enter_unseen(&rows)) {
                wrong.push(format!("labels cannot be told: {error}"));
            }
        }
    }
    Ok(wrong)
}

async fn check_bytes(objects: &Objects, segment: &Segment) -> Result<Vec<String>, Error> {
    let (mut wrong, mut crc32c, mut at) = (Vec::new(), 0, 0);
    let mut tail = [0; TAIL_BYTES as usize];
    while at < segment.bytes {
        let end = (at + CHUNK_BYTES).min(segment.bytes);
        let bytes = objects.read_range(&segment.path, at..end).await?;
        crc32c = crc32c::crc32c_append(crc32c, &bytes);
        for byte in bytes.iter().skip(bytes.len().saturating_sub(tail.len())) {
            tail.rotate_left(1);
            tail[tail.len() - 1] = *byte;
        }
        at = end;
    }
    if segment.crc32c != 0 && crc32c != segment.crc32c {
        let said = segment.crc32c;
        wrong.push(format!("its checksum is {crc32c:08x}, the log says {said:08x}"));
    }
    let footer = u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]);
    if tail[4..] != *b"PAR1" || u64::from(footer) + TAIL_BYTES != segment.footer_bytes {
        wrong.push(format!("its footer is not the {} bytes of the log", segment.footer_bytes));
    }
    Ok(wrong)
}

/// What was seen of the rows so far.
#[derive(Default)]
struct Seen {
    rows: u64,
    last: Option<Key>,
    out_of_order: bool,
    times: Option<(i64, i64)>,
    ranges: Vec<(i64, i64)>,
    covered: u64,
}

fn check_rows(
    objects: &Objects,
    runtime: &tokio::runtime::Handle,
    table: Table,
    segment: &Segment,
    deletes: &Deletes,
    mut each: impl FnMut(&RecordBatch),
) -> Result<Vec<String>, Error> {
    let (reader, _) = compact::reader(objects, runtime, segment, |_| true)?;
    let mut seen = Seen::default();
    for rows in reader {
        let rows = rows.map_err(|error| compact::failed(&segment.path, error))?;
        if rows.num_rows() == 0 {
            continue;
        }
        seen.add(table, &rows)?;
        let kept = deletes.keep(table, segment, &rows)?;
        seen.covered += kept.as_ref().map_or(0, BooleanArray::false_count) as u64;
        each(&rows);
    }
    Ok(seen.compare(table, segment))
}

impl Seen {
    fn add(&mut self, table: Table, rows: &RecordBatch) -> Result<(), Error> {
        let keys = Keys::of(table, rows)?;
        let follows = self.last.is_none_or(|last| last <= keys.at(0));
        self.out_of_order |= !follows || keys.first_out_of_order().is_some();
        self.last = Some(keys.at(keys.len() - 1));
        self.rows += keys.len() as u64;
        let times = integers(rows, table.sort_key().time_column)?;
        self.times = join(self.times, range(&times));
        let ranges = keys.ranges();
        if self.ranges.is_empty() {
            self.ranges = ranges;
        } else {
            for (known, new) in self.ranges.iter_mut().zip(ranges) {
                *known = (known.0.min(new.0), known.1.max(new.1));
            }
        }
        Ok(())
    }

    fn compare(&self, table: Table, segment: &Segment) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.rows != segment.rows {
            wrong.push(format!("has {} rows, the log says {}", self.rows, segment.rows));
        }
        if self.out_of_order {
            wrong.push("its rows are not in the order of the sort key".to_owned());
        }
        let unit_ns = table.sort_key().time_unit_ns;
        let (least, greatest) = self.times.unwrap_or_default();
        let times = (least.saturating_mul(unit_ns), greatest.saturating_mul(unit_ns));
        let said = (segment.min_time_ns, segment.max_time_ns);
        if self.rows > 0 && times != said {
            wrong.push(format!("its times are {times:?}, the log says {said:?}"));
        }
        if self.rows > 0 && self.ranges != segment.key_ranges {
            let (found, said) = (&self.ranges, &segment.key_ranges);
            wrong.push(format!("its keys are {found:?}, the log says {said:?}"));
        }
        if [times.0, times.1].iter().any(|time| day_of_ns(*time) != segment.day) {
            wrong.push(format!("it has rows of other days than {}", segment.day));
        }
        let place = Place { table, tenant: Arc::clone(&segment.tenant), day: segment.day };
        let folder = place.path("");
        let folder = folder.trim_end_matches(".parquet");
        if !segment.path.starts_with(folder) {
            wrong.push(format!("it lies outside of {folder}"));
        }
        if self.covered > 0 {
            let covered = self.covered;
            wrong.push(format!("has {covered} rows that finished delete requests cover"));
        }
        wrong
    }
}

fn join(known: Option<(i64, i64)>, new: Option<(i64, i64)>) -> Option<(i64, i64)> {
    match (known, new) {
        (Some(known), Some(new)) => Some((known.0.min(new.0), known.1.max(new.1))),
        (known, new) => new.or(known),
    }
}
