//! A sorted list of numbers in blocks: what stands in the middle is found by bisection, and
//! what is added there moves a block, not the list.

use std::cmp::Ordering;

/// Numbers of a block before it is halved.
const BLOCK: usize = 512;

/// Numbers in the order of what they stand for, which the caller compares.
#[derive(Clone, Debug, Default)]
pub(super) struct Sorted {
    blocks: Vec<Vec<u32>>,
    len: usize,
}

impl Sorted {
    /// Number of numbers.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds a number; `compare` tells how another one lies to it.
    pub(super) fn insert(&mut self, number: u32, compare: impl Fn(u32) -> Ordering) {
        self.len += 1;
        let (block, at) = self.place(&compare);
        let Some(numbers) = self.blocks.get_mut(block) else {
            self.blocks.push(vec![number]);
            return;
        };
        numbers.insert(at, number);
        if numbers.len() > BLOCK {
            let behind = numbers.split_off(BLOCK / 2);
            numbers.shrink_to_fit();
            self.blocks.insert(block + 1, behind);
        }
    }

    /// Removes the number that `compare` finds equal, if there is one.
    pub(super) fn remove(&mut self, compare: impl Fn(u32) -> Ordering) {
        let (block, at) = self.place(&compare);
        let Some(numbers) = self.blocks.get_mut(block) else { return };
        if numbers.get(at).is_none_or(|number| compare(*number).is_ne()) {
            return;
        }
        numbers.remove(at);
        self.len -= 1;
        if numbers.is_empty() {
            self.blocks.remove(block);
        }
    }

    /// The numbers in order, from the first one that `is_before` refuses.
    pub(super) fn iter_from<F: Fn(u32) -> bool>(
        &self,
        is_before: F,
    ) -> impl Iterator<Item = u32> + use<'_, F> {
        let compare = |number| if is_before(number) { Ordering::Less } else { Ordering::Greater };
        let (block, at) = self.place(&compare);
        let first = self.blocks.get(block).map_or(&[][..], |numbers| &numbers[at..]);
        let others = self.blocks.iter().skip(block + 1).flatten();
        first.iter().chain(others).copied()
    }

    /// The numbers in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        self.blocks.iter().flatten().copied()
    }

    /// Block and place of the first number that is not less; the end of the last block if all are.
    fn place(&self, compare: &impl Fn(u32) -> Ordering) -> (usize, usize) {
        let is_less = |number: &u32| compare(*number).is_lt();
        let block = self.blocks.partition_point(|numbers| numbers.last().is_some_and(is_less));
        let block = block.min(self.blocks.len().saturating_sub(1));
        let at = self.blocks.get(block).map_or(0, |numbers| numbers.partition_point(is_less));
        (block, at)
    }

    /// Memory of the blocks.
    pub(super) fn bytes(&self) -> usize {
        // Blocks are between half full and full.
        self.len * size_of::<u32>() * 3 / 2 + self.blocks.capacity() * size_of::<Vec<u32>>()
    }
}
