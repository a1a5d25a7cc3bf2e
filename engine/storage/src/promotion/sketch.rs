//! The sketch: which attributes without a column are frequent, in bounded memory.
//!
//! ```text
//!  rows that are flushed ─ some of them ─▶ (scope, key) ─▶ rows by type, bytes, distinct values
//!                                                │ enough rows
//!                                                ▼
//!                        keys above the share, most frequent first ─▶ new columns
//! ```
//!
//! Counts are those of Misra and Gries: when there are too many keys, all counts are lowered until
//! half of the keys are gone. A count is never too high, so nothing rare gets a column; what is in
//! over one in [`KEYS_KEPT`] of all attributes is always seen. The same rows in the same order
//! make the same choice.

use std::collections::BTreeMap;
use std::sync::Arc;

use ahash::AHashMap;
use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::datatypes::Int32Type;
use schemas::model::Scope;
use schemas::tables::object::{Scalar, members, scalar};
use schemas::tables::{Promoted, PromotedType, TableLayout, has_column_name, overflow_columns};

use super::PromotionOptions;

/// Keys that are kept when there are too many; twice as many are too many.
const KEYS_KEPT: usize = 4_096;

/// Rows of a batch that are looked at, about; each stands for several.
const ROWS_LOOKED_AT: usize = 256;

/// Bytes of objects of a batch that are looked at, about: of wide rows fewer are.
const BYTES_LOOKED_AT: usize = 1 << 20;

/// Mean bytes of a key's values from which on it gets no column: such values are read one by one.
const VALUE_BYTES_MAX: u64 = 1_024;

/// Share of a key's values that must have one type, in percent.
const TYPE_PERCENT_MIN: u64 = 90;

/// Values of a key that are looked at to tell whether they repeat.
const VALUES_TOLD_APART: u32 = 128;

/// Words of 64 bits of the set of hashes of these values.
const SET_WORDS: usize = 16;

/// Types that a column can have, in the order of the counts.
const TYPES: usize = 4;

/// Counts the attributes of one table that have no column.
#[derive(Debug, Default)]
pub(crate) struct Sketch {
    /// In the order of the table's scopes.
    keys: Vec<(Scope, AHashMap<Arc<str>, Seen>)>,
    /// Rows that were shown.
    rows: u64,
}

/// What is known of a key.
#[derive(Clone, Debug, Default)]
struct Seen {
    /// Rows with a text, an integer, a double or a truth.
    rows: [u64; TYPES],
    bytes: u64,
    /// How many values are in the set.
    told_apart: u32,
    set: [u64; SET_WORDS],
}

impl Sketch {
    /// Looks at rows of a table that has this layout.
    pub(crate) fn observe(&mut self, rows: &RecordBatch, layout: &TableLayout) {
        for (scope, column) in overflow_columns(layout.table()) {
            let Some(column) = rows.column_by_name(column) else { continue };
            let dictionary = column.as_dictionary_opt::<Int32Type>();
            let entries: Option<&StringArray> =
                dictionary.map_or(column, |of| of.values()).as_string_opt();
            let Some(entries) = entries else { continue };
            let bytes = if dictionary.is_some() { 0 } else { entries.values().len() };
            let step = rows.num_rows().div_ceil(ROWS_LOOKED_AT).max(bytes / BYTES_LOOKED_AT).max(1);
            // Of a dictionary each entry is read once, for all its rows.
            let mut weights: BTreeMap<usize, u64> = BTreeMap::new();
            for row in (0..rows.num_rows()).filter(|row| is_looked_at(*row, step)) {
                let entry = dictionary.map_or(Some(row), |of| of.key(row));
                if let Some(entry) = entry.filter(|entry| entries.is_valid(*entry)) {
                    *weights.entry(entry).or_default() += step as u64;
                }
            }
            for (entry, weight) in weights {
                self.add_object(*scope, entries.value(entry), weight, layout);
            }
        }
        self.rows += rows.num_rows() as u64;
    }

    fn add_object(&mut self, scope: Scope, object: &str, rows: u64, layout: &TableLayout) {
        let at = self.keys.iter().position(|(of, _)| *of == scope).unwrap_or_else(|| {
            self.keys.push((scope, AHashMap::new()));
            self.keys.len() - 1
        });
        let keys = &mut self.keys[at].1;
        for member in members(object) {
            let Some(value) = scalar(member.value) else { continue };
            if let Some(seen) = keys.get_mut(member.key.as_ref()) {
                seen.add(&value, member.value, rows);
            } else if has_column_name(&member.key) && layout.position(scope, &member.key).is_none()
            {
                let mut seen = Seen::default();
                seen.add(&value, member.value, rows);
                keys.insert(member.key.as_ref().into(), seen);
            }
        }
        if keys.len() > 2 * KEYS_KEPT {
            lower(keys);
        }
    }

    /// The attributes that shall have columns, most frequent first, and nothing if too few rows
    /// were shown; then the counting starts again.
    pub(crate) fn choose(
        &mut self,
        layout: &TableLayout,
        options: &PromotionOptions,
    ) -> Vec<Promoted> {
        if self.rows < options.rows_min.max(1) {
            return Vec::new();
        }
        let all = std::mem::take(self);
        let free = options.columns_max.saturating_sub(layout.promoted().len());
        let enough = |rows: u64| {
            u128::from(rows) * 100 >= u128::from(all.rows) * u128::from(options.share_percent)
        };
        let mut chosen: Vec<(u64, Promoted)> = Vec::new();
        let keys = all
            .keys
            .iter()
            .flat_map(|(scope, keys)| keys.iter().map(move |(key, seen)| (scope, key, seen)));
        for (scope, key, seen) in keys {
            let Some((value_type, rows)) = seen.dominant() else { continue };
            if enough(rows)
                && seen.bytes / rows.max(1) <= VALUE_BYTES_MAX
                && let Some(promoted) = Promoted::new(*scope, key, value_type)
            {
                chosen.push((rows, promoted));
            }
        }
        chosen.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.column.cmp(&b.1.column)));
        let before = layout.promoted().len();
        let chosen = layout.with(chosen.into_iter().map(|(_, promoted)| promoted));
        chosen.promoted()[before..].iter().take(free).cloned().collect()
    }
}

/// One in `step` rows, scattered: what recurs in rows must not meet with what is looked at.
fn is_looked_at(row: usize, step: usize) -> bool {
    let scattered = (row as u32).wrapping_mul(0x9E37_79B1) >> 8;
    (scattered as usize).is_multiple_of(step)
}

/// Lowers all counts so far that half of the keys are left.
fn lower(keys: &mut AHashMap<Arc<str>, Seen>) {
    let mut totals: Vec<u64> = keys.values().map(Seen::total).collect();
    totals.sort_unstable_by(|a, b| b.cmp(a));
    let by = totals.get(KEYS_KEPT).copied().unwrap_or(0);
    keys.retain(|_, seen| seen.lower(by));
}

impl Seen {
    fn add(&mut self, value: &Scalar<'_>, text: &str, rows: u64) {
        let at = match value {
            Scalar::Text(_) => 0,
            Scalar::Int(_) => 1,
            Scalar::Double(_) => 2,
            Scalar::Bool(_) => 3,
        };
        self.rows[at] += rows;
        self.bytes += rows * text.len() as u64;
        if self.told_apart < VALUES_TOLD_APART {
            let hash = crc32c::crc32c(text.as_bytes()) as usize;
            self.set[hash / 64 % SET_WORDS] |= 1 << (hash % 64);
            self.told_apart += 1;
        }
    }

    fn total(&self) -> u64 {
        self.rows.iter().sum()
    }

    /// Takes `by` rows away, first from the rarer types; whether any are left.
    fn lower(&mut self, by: u64) -> bool {
        let total = self.total();
        if total <= by {
            return false;
        }
        self.bytes = self.bytes / total * (total - by);
        let mut rest = by;
        while rest > 0 {
            let least = self.rows.iter_mut().filter(|rows| **rows > 0).min();
            let Some(least) = least else { return false };
            let taken = rest.min(*least);
            *least -= taken;
            rest -= taken;
        }
        true
    }

    /// The type that nearly all values have, and in how many rows.
    fn dominant(&self) -> Option<(PromotedType, u64)> {
        let (at, rows) = self.rows.iter().copied().enumerate().max_by_key(|(_, rows)| *rows)?;
        if rows == 0 || rows * 100 < self.total() * TYPE_PERCENT_MIN {
            return None;
        }
        let distinct: u32 = self.set.iter().map(|word| word.count_ones()).sum();
        let value_type = match at {
            // Hashes of different values meet now and then: over half is mostly distinct.
            0 if self.told_apart >= VALUES_TOLD_APART && distinct * 2 > self.told_apart => {
                PromotedType::UniqueText
            }
            0 => PromotedType::Text,
            1 => PromotedType::Int,
            2 => PromotedType::Double,
            _ => PromotedType::Bool,
        };
        Some((value_type, rows))
    }
}

#[cfg(test)]
mod tests;
