//! Reservations: parts of the budget that are given back when they are dropped.

use std::sync::Arc;

use super::{Budget, Use};
use crate::Error;

/// A part of a [`Budget`] that grows and shrinks with what it stands for; dropping it gives all
/// of it back.
#[derive(Debug)]
pub struct Reservation {
    budget: Arc<Budget>,
    of: Use,
    bytes: usize,
}

impl Reservation {
    pub(super) fn empty(budget: Arc<Budget>, of: Use) -> Self {
        Self { budget, of, bytes: 0 }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What the bytes are used for.
    pub fn of(&self) -> Use {
        self.of
    }

    /// The budget it is a part of.
    pub fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// Takes `bytes` more. Errors are those of [`Budget::reserve`]; then nothing has changed.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Error> {
        if bytes > 0 {
            self.budget.take(self.of, bytes)?;
            self.bytes += bytes;
        }
        Ok(())
    }

    /// Takes `bytes` more even if they are over the limit: for what exists already and cannot be
    /// refused any more. Others are refused until the excess is given back.
    pub fn grow_anyway(&mut self, bytes: usize) {
        self.budget.take_anyway(self.of, bytes);
        self.bytes += bytes;
    }

    /// Gives back `bytes`, or all if fewer are held.
    pub fn shrink(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.budget.give(self.of, bytes);
        self.bytes -= bytes;
    }

    /// Grows or shrinks to `bytes`.
    pub fn resize(&mut self, bytes: usize) -> Result<(), Error> {
        if bytes > self.bytes {
            return self.grow(bytes - self.bytes);
        }
        self.shrink(self.bytes - bytes);
        Ok(())
    }

    /// Grows, over the limit if need be, or shrinks to `bytes`.
    pub fn resize_anyway(&mut self, bytes: usize) {
        if bytes > self.bytes {
            self.grow_anyway(bytes - self.bytes);
        } else {
            self.shrink(self.bytes - bytes);
        }
    }

    /// Splits off `bytes`, or all if fewer are held, as a reservation of its own.
    #[must_use]
    pub fn split(&mut self, bytes: usize) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Self { budget: Arc::clone(&self.budget), of: self.of, bytes }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.budget.give(self.of, self.bytes);
        }
    }
}
