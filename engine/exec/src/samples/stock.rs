//! `Stock`: the samples of wanted series in one segment, taken in order.
//!
//! ```text
//!  place (group, block) ─▶ in the cache? ─▶ Runs
//!                             │ no
//!                             └▶ from here on a task decodes ahead, keeps what there is room for
//! ```
//!
//! At most a few blocks are held at once, whether or not the cache has room for them.

use std::sync::Arc;

use datafusion::common::runtime::SpawnedTask;
use storage::Segment;
use tokio::sync::mpsc::{Receiver, Sender};

use super::cache::{Kept, Part};
use super::directory::Directory;
use super::segment::{Buffers, Map, Open, Source};
use super::{Runs, SampleCache};
use crate::memory::QueryMemory;
use crate::operators::{Scratch, SeriesKey};
use crate::{Error, ErrorKind};

/// Blocks that are decoded ahead.
const BLOCKS_AHEAD: usize = 2;

/// What a query reads of segments through the cache.
pub(crate) struct Cached {
    segments: Vec<Arc<Segment>>,
    shared: Arc<Shared>,
    /// First and last millisecond that is read.
    range_ms: (i64, i64),
}

/// What the readings of all segments of a query have in common.
struct Shared {
    source: Source,
    cache: Arc<SampleCache>,
    memory: QueryMemory,
    /// Number of the query.
    query: u64,
    /// Series wanted, ascending.
    wanted: Arc<[SeriesKey]>,
}

impl Cached {
    /// The samples of series, which ascend, from the first to the last millisecond of `range_ms`.
    pub(crate) fn new(
        segments: Vec<Arc<Segment>>,
        wanted: Arc<[SeriesKey]>,
        range_ms: (i64, i64),
        (source, cache, memory): (Source, Arc<SampleCache>, QueryMemory),
    ) -> Self {
        let query = cache.ask();
        let shared = Shared { source, cache, memory, query, wanted };
        Self { segments, shared: Arc::new(shared), range_ms }
    }

    /// How many segments there are.
    pub(crate) fn segments(&self) -> usize {
        self.segments.len()
    }

    /// A stock for each segment, in order.
    pub(crate) fn stocks(&self) -> Vec<Stock> {
        let stock = |segment: &Arc<Segment>| Stock {
            reading: Arc::new(Reading {
                path: Arc::from(segment.path.as_str()),
                segment: Arc::clone(segment),
                shared: Arc::clone(&self.shared),
            }),
            range_ms: self.range_ms,
            next: Place { group: 0, block: 0 },
            of_group: None,
            ahead: None,
            current: Current::Before,
        };
        self.segments.iter().map(stock).collect()
    }
}

/// The samples of wanted series in a segment.
pub(crate) struct Stock {
    reading: Arc<Reading>,
    range_ms: (i64, i64),
    next: Place,
    /// Blocks wanted of the row group that `next` is in, if that is known.
    of_group: Option<Vec<u32>>,
    ahead: Option<Ahead>,
    current: Current,
}

/// A row group, and a place among the blocks wanted of it.
#[derive(Clone, Copy, Debug)]
struct Place {
    group: usize,
    block: usize,
}

/// A task that decodes; it ends when this is dropped.
struct Ahead {
    blocks: Receiver<Result<Arc<Runs>, Error>>,
    _task: SpawnedTask<()>,
}

enum Current {
    Before,
    /// Runs, and the place in them that comes next.
    At(Arc<Runs>, usize),
    End,
}

/// What the cache says about the next block.
enum Next {
    Runs(Arc<Runs>),
    Missing,
    End,
}

impl Stock {
    /// Adds the samples of a series, which must not come before those taken already.
    pub(crate) async fn take(
        &mut self,
        key: SeriesKey,
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        loop {
            match &mut self.current {
                Current::End => return Ok(()),
                Current::Before => {}
                Current::At(runs, at) => {
                    *at = runs.seek(*at, key);
                    while runs.take(*at, key, self.range_ms, scratch) {
                        *at += 1;
                    }
                    if *at < runs.len() {
                        return Ok(());
                    }
                }
            }
            // The series may go on in the next block.
            self.current = match self.advance().await? {
                Some(runs) => Current::At(runs, 0),
                None => Current::End,
            };
        }
    }

    async fn advance(&mut self) -> Result<Option<Arc<Runs>>, Error> {
        if self.ahead.is_none() {
            match self.look_up()? {
                Next::Runs(runs) => return Ok(Some(runs)),
                Next::End => return Ok(None),
                Next::Missing => {
                    let (sender, blocks) = tokio::sync::mpsc::channel(BLOCKS_AHEAD);
                    let (reading, from) = (Arc::clone(&self.reading), self.next);
                    let task = SpawnedTask::spawn(async move {
                        if let Err(error) = reading.decode(from, &sender).await {
                            // A consumer that is gone wants no error.
                            let _ = sender.send(Err(error)).await;
                        }
                    });
                    self.ahead = Some(Ahead { blocks, _task: task });
                }
            }
        }
        match &mut self.ahead {
            Some(ahead) => ahead.blocks.recv().await.transpose(),
            None => Ok(None),
        }
    }

    /// The next block, if the cache has all that is asked on the way to it.
    fn look_up(&mut self) -> Result<Next, Error> {
        let reading = &self.reading;
        let Some(map) = reading.kept_map() else { return Ok(Next::Missing) };
        while self.next.group < map.metrics.len() {
            let group = self.next.group;
            if self.of_group.is_none() {
                let wanted = &reading.shared.wanted;
                self.of_group = match map.may_hold(group, wanted) {
                    false => Some(Vec::new()),
                    true => match reading.kept_directory(part(group)?) {
                        Some(directory) => Some(directory.wanted(wanted)),
                        None => return Ok(Next::Missing),
                    },
                };
            }
            let blocks = self.of_group.as_deref().unwrap_or_default();
            if let Some(block) = blocks.get(self.next.block) {
                let Some(runs) = reading.kept_runs(part(group)?, *block) else {
                    return Ok(Next::Missing);
                };
                self.next.block += 1;
                return Ok(Next::Runs(runs));
            }
            self.next = Place { group: group + 1, block: 0 };
            self.of_group = None;
        }
        Ok(Next::End)
    }
}

/// One segment as a query reads it.
struct Reading {
    segment: Arc<Segment>,
    path: Arc<str>,
    shared: Arc<Shared>,
}

impl Reading {
    fn kept(&self, part: Part) -> Option<Kept> {
        self.shared.cache.get(&self.path, part, self.shared.query)
    }

    fn keep(&self, part: Part, kept: Kept) {
        self.shared.cache.put(&self.path, part, kept, self.shared.query);
    }

    fn kept_map(&self) -> Option<Arc<Map>> {
        let Kept::Map(map) = self.kept(Part::Map)? else { return None };
        Some(map)
    }

    fn kept_directory(&self, group: u32) -> Option<Arc<Directory>> {
        let Kept::Directory(directory) = self.kept(Part::Directory(group))? else { return None };
        Some(directory)
    }

    fn kept_runs(&self, group: u32, block: u32) -> Option<Arc<Runs>> {
        let Kept::Runs(runs) = self.kept(Part::Runs(group, block))? else { return None };
        Some(runs)
    }

    /// Sends the runs of all blocks wanted from a place on, and keeps those that were decoded.
    async fn decode(
        &self,
        from: Place,
        sender: &Sender<Result<Arc<Runs>, Error>>,
    ) -> Result<(), Error> {
        let open = Open::new(&self.shared.source, &self.segment).await?;
        let map = match self.kept_map() {
            Some(map) => map,
            None => {
                let map = Arc::new(open.map()?);
                self.keep(Part::Map, Kept::Map(Arc::clone(&map)));
                map
            }
        };
        let wanted = &self.shared.wanted;
        let held = self.shared.memory.hold("decoded samples");
        let mut buffers = Buffers::default();
        for group in from.group..map.metrics.len() {
            if !map.may_hold(group, wanted) {
                continue;
            }
            let part_of_group = part(group)?;
            let directory = match self.kept_directory(part_of_group) {
                Some(directory) => directory,
                None => {
                    let directory = Arc::new(open.directory(group).await?);
                    let kept = Kept::Directory(Arc::clone(&directory));
                    self.keep(Part::Directory(part_of_group), kept);
                    directory
                }
            };
            let blocks = directory.wanted(wanted);
            let first = if group == from.group { from.block } else { 0 };
            let blocks = blocks.get(first..).unwrap_or_default();
            let kept = blocks.iter().map(|block| self.kept_runs(part_of_group, *block));
            let kept: Vec<Option<Arc<Runs>>> = kept.collect();
            let missing = blocks.iter().zip(&kept).filter(|(_, kept)| kept.is_none());
            let missing: Vec<u32> = missing.map(|(block, _)| *block).collect();
            let mut fetched = match missing.is_empty() {
                true => None,
                false => Some(open.blocks(group, &directory, &missing).await?),
            };
            for (block, kept) in blocks.iter().zip(kept) {
                let runs = match (kept, &mut fetched) {
                    (None, Some(fetched)) => {
                        let runs = Arc::new(fetched.decode(*block, &mut buffers)?);
                        let waiting = (BLOCKS_AHEAD + 2) * runs.bytes();
                        held.resize(fetched.bytes() + buffers.bytes() + waiting)?;
                        let kept = Kept::Runs(Arc::clone(&runs));
                        self.keep(Part::Runs(part_of_group, *block), kept);
                        runs
                    }
                    (Some(kept), _) => kept,
                    (None, None) => continue,
                };
                if sender.send(Ok(runs)).await.is_err() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

fn part(group: usize) -> Result<u32, Error> {
    u32::try_from(group).map_err(|_| Error::new(ErrorKind::Internal, "over 2^32 row groups"))
}
