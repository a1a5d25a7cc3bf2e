//! Where the promoted attributes of a segment's rows are.

use schemas::tables::TableLayout;

/// Which promoted attributes the rows of a segment have, and whether all of them are in columns.
///
/// Positions are those of `TableLayout::promoted`; a segment has a prefix of them. A segment of
/// which nothing is known has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Occupied {
    /// How many promoted columns the segment was written with.
    columns: u32,
    /// Hash of their names, from the layout.
    prefix: u32,
    /// Bit by bit: the column may have values.
    filled: u128,
    /// Bit by bit: the overflow objects may hold the attribute too, because its value has another
    /// type, or, in logs, an attribute that is another one to the sender but gives the same label.
    mixed: u128,
}

impl Occupied {
    /// Of rows that are laid out so, and have no attributes yet.
    pub(crate) fn of(layout: &TableLayout) -> Self {
        let columns = layout.promoted().len();
        let prefix = layout.prefix(columns).unwrap_or_default();
        Self { columns: u32::try_from(columns).unwrap_or(0), prefix, ..Self::default() }
    }

    /// This, if the positions are those of `layout`; otherwise nothing is known.
    #[must_use]
    pub fn under(self, layout: &TableLayout) -> Self {
        match layout.prefix(self.columns()) {
            Some(prefix) if prefix == self.prefix => self,
            _ => Self::default(),
        }
    }

    /// How many promoted columns the segment was written with.
    pub fn columns(&self) -> usize {
        self.columns as usize
    }

    /// Whether the column of an attribute tells all: where it is null, the row has no such
    /// attribute.
    pub fn is_settled(&self, position: usize) -> bool {
        position < self.columns() && !has(self.mixed, position)
    }

    /// Whether the column of an attribute has values.
    pub fn is_filled(&self, position: usize) -> bool {
        has(self.filled, position)
    }

    /// Whether no row has the attribute.
    pub fn is_absent(&self, position: usize) -> bool {
        self.is_settled(position) && !self.is_filled(position)
    }

    /// Of rows of both; nothing is known if they are laid out differently.
    pub(crate) fn union(&self, other: &Self) -> Self {
        if (self.columns, self.prefix) != (other.columns, other.prefix) {
            return Self::default();
        }
        Self { filled: self.filled | other.filled, mixed: self.mixed | other.mixed, ..*self }
    }

    pub(super) fn fill(&mut self, position: usize) {
        self.filled |= bit(position);
    }

    pub(super) fn mix(&mut self, positions: u128) {
        self.mixed |= positions;
    }

    /// As the log of the catalog has it: columns, prefix, bits of filled and mixed in hex.
    pub(crate) fn to_tag(self) -> String {
        format!("{} {:x} {:x} {:x}", self.columns, self.prefix, self.filled, self.mixed)
    }

    /// Reads [`Self::to_tag`]; what is not of that form says nothing.
    pub(crate) fn of_tag(tag: &str) -> Self {
        let mut parts = tag.split(' ');
        let mut read = || {
            Some(Self {
                columns: parts.next()?.parse().ok().filter(|columns| *columns <= u128::BITS)?,
                prefix: u32::from_str_radix(parts.next()?, 16).ok()?,
                filled: u128::from_str_radix(parts.next()?, 16).ok()?,
                mixed: u128::from_str_radix(parts.next()?, 16).ok()?,
            })
        };
        read().unwrap_or_default()
    }
}

pub(super) fn bit(position: usize) -> u128 {
    u32::try_from(position).ok().and_then(|position| 1_u128.checked_shl(position)).unwrap_or(0)
}

fn has(bits: u128, position: usize) -> bool {
    bits & bit(position) != 0
}
