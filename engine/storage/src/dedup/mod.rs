//! Requests that were stored lately, so that one which comes again is stored once.
//!
//! ```text
//!  append ─▶ known? ─ no ─▶ group ─▶ WAL (holds the identity) ─ acknowledged ─▶ window
//!              │                          │ flush
//!             yes ─▶ Duplicate            └─▶ dedup/NNN.dedup, synced ─▶ WAL removed
//! ```
//!
//! The window is a row of generations, the youngest of which grows. A generation is closed when it
//! is a quarter of the window old, or full; the fifth oldest is forgotten. So a request is known
//! for the window at least and for a quarter more at most, unless there are too many of them.
//! Ages are measured by a clock that no one sets, and time in which no process runs does not
//! count: a sender that waited out our downtime is recognised.
//!
//! A request is as well known as it is stored: its identity is in its WAL frame, and reaches
//! `dedup` before the WAL is removed. A request that failed is in neither.

mod log;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use ahash::AHashMap;
use parking_lot::Mutex;

use crate::Identity;

pub(crate) use log::DedupLog;

/// Generations that are closed and still known.
const CLOSED_GENERATIONS: usize = 4;

/// The requests that are known.
#[derive(Debug)]
pub(crate) struct Window {
    /// How long a request is known; nothing is if this is zero.
    duration: Duration,
    /// Most requests of a generation.
    generation_max: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Oldest first; never empty.
    generations: VecDeque<Generation>,
    youngest_since: Instant,
}

#[derive(Debug, Default)]
struct Generation {
    number: u64,
    /// Records and rejected records, by hash. Halves of hashes, so that an entry is 24 bytes.
    known: AHashMap<[u64; 2], [u32; 2]>,
}

impl Default for Window {
    /// A window that nothing enters.
    fn default() -> Self {
        Self::new(Duration::ZERO, 0, 1)
    }
}

impl Window {
    /// A window without requests; its first generation has the number `number`.
    pub(crate) fn new(duration: Duration, requests_max: usize, number: u64) -> Self {
        let first = Generation { number, ..Generation::default() };
        let state = State { generations: VecDeque::from([first]), youngest_since: Instant::now() };
        Self {
            duration,
            generation_max: requests_max / (CLOSED_GENERATIONS + 1),
            state: Mutex::new(state),
        }
    }

    /// What was stored under a hash; `None` if nothing is known of it.
    pub(crate) fn get(&self, hash: u128) -> Option<Identity> {
        let key = halves(hash);
        let state = self.state.lock();
        // The youngest first: that is where most retries are found.
        let mut found = state.generations.iter().rev().filter_map(|of| of.known.get(&key));
        found.next().map(|[records, rejected]| Identity {
            hash,
            records: *records,
            rejected: *rejected,
        })
    }

    /// Remembers a request that is stored; returns the number of its generation, or `None` if the
    /// window is closed.
    pub(crate) fn insert(&self, identity: Identity) -> Option<u64> {
        if self.duration.is_zero() || self.generation_max == 0 {
            return None;
        }
        let mut state = self.state.lock();
        let full = state.youngest().known.len() >= self.generation_max;
        if full || state.youngest_since.elapsed() >= self.duration / CLOSED_GENERATIONS as u32 {
            let number = state.youngest().number + 1;
            state.generations.push_back(Generation { number, ..Generation::default() });
            state.youngest_since = Instant::now();
            if state.generations.len() > CLOSED_GENERATIONS + 1 {
                state.generations.pop_front();
            }
        }
        let youngest = state.youngest();
        youngest.known.insert(halves(identity.hash), [identity.records, identity.rejected]);
        Some(youngest.number)
    }

    /// Enters a generation that was read from the disk, younger than all before.
    fn restore(&self, number: u64, identities: Vec<Identity>) {
        let mut state = self.state.lock();
        let entries = identities.into_iter();
        let known = entries.map(|of| (halves(of.hash), [of.records, of.rejected])).collect();
        if state.youngest().known.is_empty() {
            state.generations.pop_back();
        }
        state.generations.push_back(Generation { number, known });
        while state.generations.len() > CLOSED_GENERATIONS + 1 {
            state.generations.pop_front();
        }
    }

    /// Number of the oldest generation that is known.
    pub(crate) fn oldest(&self) -> u64 {
        self.state.lock().generations.front().map_or(0, |oldest| oldest.number)
    }

    /// Requests that are known now.
    pub(crate) fn len(&self) -> usize {
        self.state.lock().generations.iter().map(|of| of.known.len()).sum()
    }
}

impl State {
    fn youngest(&mut self) -> &mut Generation {
        self.generations.back_mut().expect("there is always a generation")
    }
}

fn halves(hash: u128) -> [u64; 2] {
    [hash as u64, (hash >> 64) as u64]
}

#[cfg(test)]
mod tests;
