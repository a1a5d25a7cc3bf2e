//! The values of a sliding window in order: a count of those in the window for every rank among
//! all values of the series, summed up in a binary indexed tree (Fenwick).

use crate::functions::quantile::order;

/// A window over values, empty at first; its edges may only move right.
pub(super) struct Ranked {
    /// All values, ordered.
    ordered: Vec<f64>,
    /// For every value its rank among all, from 0.
    ranks: Vec<u32>,
    /// Item `i` (from 1) counts the window's values among the ranks `i - (i & -i)..i`.
    tree: Vec<u32>,
    lo: usize,
    hi: usize,
}

impl Ranked {
    /// No window of `values` yet.
    pub(super) fn new(values: &[f64]) -> Self {
        let mut places: Vec<u32> = (0..u32::try_from(values.len()).unwrap_or(u32::MAX)).collect();
        // Stable: of equal values the earlier one comes first, as if only a window were sorted.
        places.sort_by(|a, b| order(&values[*a as usize], &values[*b as usize]));
        let mut ranks = vec![0; values.len()];
        for (rank, place) in (0..).zip(&places) {
            ranks[*place as usize] = rank;
        }
        let ordered = places.iter().map(|place| values[*place as usize]).collect();
        Self { ordered, ranks, tree: vec![0; values.len() + 1], lo: 0, hi: 0 }
    }

    /// Makes `lo..hi` the window.
    pub(super) fn move_to(&mut self, lo: usize, hi: usize) {
        for at in self.hi.max(lo)..hi {
            self.count(at, 1);
        }
        for at in self.lo..lo.min(self.hi) {
            self.count(at, u32::MAX);
        }
        (self.lo, self.hi) = (lo, hi);
    }

    /// Adds to the count of a value's rank; `u32::MAX` takes one away.
    fn count(&mut self, at: usize, by: u32) {
        let mut node = self.ranks[at] as usize + 1;
        while node < self.tree.len() {
            self.tree[node] = self.tree[node].wrapping_add(by);
            node += node & node.wrapping_neg();
        }
    }

    /// The window's value of a rank in the window, from 0; there must be so many.
    pub(super) fn get(&self, rank: usize) -> f64 {
        let (mut node, mut before) = (0, rank as u32);
        let mut reach = (self.tree.len() - 1).checked_ilog2().map_or(0, |bits| 1 << bits);
        while reach > 0 {
            let next = node + reach;
            if next < self.tree.len() && self.tree[next] <= before {
                before -= self.tree[next];
                node = next;
            }
            reach /= 2;
        }
        self.ordered[node]
    }
}
