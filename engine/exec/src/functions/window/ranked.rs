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

/// Distances of a window's values to a number, in order, without sorting them: those of the values
/// below it ascend to the left, those of the others to the right.
pub(super) struct Distances<'a> {
    window: &'a Ranked,
    from: f64,
    /// Values below.
    below: usize,
    /// All values; none is NaN.
    count: usize,
}

impl<'a> Distances<'a> {
    /// Distances of the `count` values of a window.
    pub(super) fn new(window: &'a Ranked, from: f64, count: usize) -> Self {
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low.midpoint(high);
            if window.get(middle) < from {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Self { window, from, below: low, count }
    }

    fn of(&self, rank: usize) -> f64 {
        (self.window.get(rank) - self.from).abs()
    }

    /// The distance of a rank, from 0; there must be so many.
    pub(super) fn get(&self, rank: usize) -> f64 {
        let above = self.count - self.below;
        let left = |at: usize| self.of(self.below - 1 - at);
        let right = |at: usize| self.of(self.below + at);
        // How many of those of smaller rank lie to the left.
        let (mut low, mut high) = (rank.saturating_sub(above), rank.min(self.below));
        while low < high {
            let middle = low.midpoint(high);
            if left(middle) < right(rank - middle - 1) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let at_right = rank - low;
        match (low < self.below, at_right < above) {
            (true, true) => left(low).min(right(at_right)),
            (true, false) => left(low),
            _ => right(at_right),
        }
    }
}
