//! Which rows of a row group belong to which series, and in which blocks they are decoded.
//!
//! ```text
//!  keys    a      b        c   d ...      series, in order
//!  starts  0      240      480 700        their first rows
//!  blocks  0          400        800      first rows of what is decoded together: whole pages
//! ```

use crate::operators::SeriesKey;

use super::pages::Run;

/// Rows of a block, at least, unless the row group ends: pages may be far smaller.
const BLOCK_ROWS_MIN: u32 = 8 << 10;

/// Where the series of a row group are.
#[derive(Debug)]
pub(super) struct Directory {
    /// Ascending.
    keys: Vec<SeriesKey>,
    /// First row of each series, and after the last one the number of rows.
    starts: Vec<u32>,
    /// First row of each block, and after the last one the number of rows.
    blocks: Vec<u32>,
}

impl Directory {
    /// From the columns of metrics and series; `pages` are first rows of the pages that take
    /// longest to decode. `None` if the columns are not in order or of one length.
    pub(super) fn new(metrics: &[Run], series: &[Run], pages: &[u32], rows: u32) -> Option<Self> {
        let (mut keys, mut starts): (Vec<SeriesKey>, Vec<u32>) = (Vec::new(), Vec::new());
        let (mut row, mut metric) = (0, 0);
        for (until, id) in series {
            while row < *until {
                let (metric_until, metric_id) = *metrics.get(metric)?;
                let key = (metric_id, *id);
                if keys.last() != Some(&key) {
                    keys.push(key);
                    starts.push(row);
                }
                row = metric_until.min(*until);
                metric += usize::from(row == metric_until);
            }
        }
        starts.push(rows);
        if row != rows || !keys.is_sorted() {
            return None;
        }
        let mut blocks = vec![0];
        for page in pages {
            let begun = blocks.last().copied().unwrap_or(0);
            if page.saturating_sub(begun) >= BLOCK_ROWS_MIN && *page < rows {
                blocks.push(*page);
            }
        }
        blocks.push(rows);
        keys.shrink_to_fit();
        starts.shrink_to_fit();
        Some(Self { keys, starts, blocks })
    }

    /// Memory it holds, in bytes.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.keys.capacity() * size_of::<SeriesKey>()
            + (self.starts.capacity() + self.blocks.capacity()) * size_of::<u32>()
    }

    /// The blocks that hold samples of the series wanted, which ascend.
    pub(super) fn wanted(&self, wanted: &[SeriesKey]) -> Vec<u32> {
        let (Some(first), Some(last)) = (self.keys.first(), self.keys.last()) else {
            return Vec::new();
        };
        let from = wanted.partition_point(|key| key < first);
        let until = wanted.partition_point(|key| key <= last);
        let wanted = &wanted[from..until.max(from)];
        let mut blocks: Vec<u32> = Vec::new();
        let mut add = |at: usize| {
            let block = |row: u32| (self.blocks.partition_point(|start| *start <= row) - 1) as u32;
            let first = block(self.starts[at]);
            let first = blocks.last().map_or(first, |last| first.max(last + 1));
            blocks.extend(first..=block(self.starts[at + 1] - 1));
        };
        if wanted.len() * KEYS_PER_SEARCH < self.keys.len() {
            wanted.iter().filter_map(|key| self.keys.binary_search(key).ok()).for_each(&mut add);
            return blocks;
        }
        let mut wanted = wanted.iter().peekable();
        for (at, key) in self.keys.iter().enumerate() {
            while wanted.next_if(|wanted| *wanted < key).is_some() {}
            if wanted.peek() == Some(&key) {
                add(at);
            }
        }
        blocks
    }

    /// The rows of a block.
    pub(super) fn rows(&self, block: u32) -> std::ops::Range<u32> {
        self.blocks[block as usize]..self.blocks[block as usize + 1]
    }

    /// The series that have rows among `rows`, each with its own of them, in order.
    pub(super) fn series(
        &self,
        rows: std::ops::Range<u32>,
    ) -> impl Iterator<Item = (SeriesKey, std::ops::Range<u32>)> {
        let first = self.starts.partition_point(|start| *start <= rows.start) - 1;
        let runs = self.keys[first..].iter().zip(self.starts[first..].windows(2));
        runs.take_while(move |(_, bounds)| bounds[0] < rows.end)
            .map(move |(key, bounds)| (*key, bounds[0].max(rows.start)..bounds[1].min(rows.end)))
    }
}

/// With fewer series wanted than one of so many, each is searched for.
const KEYS_PER_SEARCH: usize = 8;
