//! The last safety: what the process really holds, against what the machine leaves it.
//!
//! ```text
//!  pressed: caches give up the excess, new work waits ─ for PATIENCE ─▶ is refused
//!  full:    requests and queries that are under way get no more; flushes and merges go on
//! ```
//!
//! A flush or a merge takes much for a second and gives it back; whoever waits that long is served,
//! and his sender need not come again.

use std::sync::Weak;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::machine::resident_bytes;
use super::{Budget, mib};
use crate::Error;

/// How often the process is measured; far shorter than what it takes to fill the rest.
const TICK: Duration = Duration::from_millis(25);

/// New work waits from this part of the machine's limit on, in per cent.
const PRESSED_PERCENT: usize = 80;

/// And is taken again below this part, so that the state does not flicker.
const RELAXED_PERCENT: usize = 70;

/// From this part on, in per cent, what is under way gets no more. Above it there must be room for
/// what cannot be refused, and below it for what was begun before the process was pressed.
const FULL_PERCENT: usize = 90;

/// How long new work waits for memory before it is refused: longer than a flush holds most of its
/// copies, shorter than senders wait for an answer.
const PATIENCE: Duration = Duration::from_secs(3);

impl Budget {
    /// Waits while the process holds nearly what the machine has, a few seconds at most, before
    /// anything is taken for new work; then errors are those of [`Self::check_pressure`].
    pub async fn wait_for_memory(&self) -> Result<(), Error> {
        self.wait_for_relief(PATIENCE).await
    }

    /// Waits until new work is taken; the error is that of [`Self::check_pressure`].
    pub(super) async fn wait_for_relief(&self, patience: Duration) -> Result<(), Error> {
        let until = Instant::now() + patience;
        loop {
            let pressure = self.check_pressure();
            if pressure.is_ok() || Instant::now() >= until {
                return pressure;
            }
            tokio::time::sleep(TICK).await;
        }
    }

    /// Measures the process again and again, as long as the budget lives; returns at once where
    /// the operating system does not tell.
    pub async fn watch(budget: Weak<Self>) {
        loop {
            let Some(alive) = budget.upgrade() else { return };
            let (Some(limit), Some(resident)) = (alive.machine.known(), resident_bytes()) else {
                return;
            };
            alive.observe(resident, limit);
            drop(alive);
            tokio::time::sleep(TICK).await;
        }
    }

    /// Notes that the process holds `resident` bytes of `limit`.
    pub(super) fn observe(&self, resident: usize, limit: usize) {
        self.is_full.store(resident >= limit / 100 * FULL_PERCENT, Ordering::Relaxed);
        let is_pressed = self.is_pressed.load(Ordering::Relaxed);
        let percent = if is_pressed { RELAXED_PERCENT } else { PRESSED_PERCENT };
        let now = resident >= limit / 100 * percent;
        if now == is_pressed {
            return;
        }
        self.is_pressed.store(now, Ordering::Relaxed);
        if now {
            self.ask_for(resident - limit / 100 * RELAXED_PERCENT);
        }
        let (resident, limit) = (mib(resident), mib(limit));
        if now {
            tracing::warn!(resident, limit, "memory is nearly full: new work waits");
        } else {
            tracing::info!(resident, limit, "memory is free again: new work is taken");
        }
    }
}
