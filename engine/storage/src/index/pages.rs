//! A vector that never moves what it holds: no copy of everything, and no half of it empty.

use std::ops::{Index, IndexMut};

/// Elements of a page.
const PAGE: usize = 4096;

/// A growing list in pages; the first grows like a `Vec`, so that a short list is small.
#[derive(Clone, Debug)]
pub(super) struct Pages<T> {
    pages: Vec<Vec<T>>,
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Self { pages: Vec::new() }
    }
}

impl<T> Pages<T> {
    /// Number of elements.
    pub(super) fn len(&self) -> usize {
        self.pages.last().map_or(0, |last| (self.pages.len() - 1) * PAGE + last.len())
    }

    /// Adds an element behind all others.
    pub(super) fn push(&mut self, value: T) {
        match self.pages.last_mut() {
            Some(last) if last.len() < PAGE => last.push(value),
            Some(_) => {
                let mut page = Vec::with_capacity(PAGE);
                page.push(value);
                self.pages.push(page);
            }
            None => self.pages.push(vec![value]),
        }
    }

    /// Memory of the pages, without what elements point to.
    pub(super) fn bytes(&self) -> usize {
        let first = self.pages.first().map_or(0, Vec::capacity);
        (first + self.pages.len().saturating_sub(1) * PAGE) * size_of::<T>()
            + self.pages.capacity() * size_of::<Vec<T>>()
    }
}

impl<T> Index<u32> for Pages<T> {
    type Output = T;

    fn index(&self, at: u32) -> &T {
        &self.pages[at as usize / PAGE][at as usize % PAGE]
    }
}

impl<T> IndexMut<u32> for Pages<T> {
    fn index_mut(&mut self, at: u32) -> &mut T {
        &mut self.pages[at as usize / PAGE][at as usize % PAGE]
    }
}
