//! The last safety: what the process really holds, against what the machine leaves it.

use std::sync::Weak;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::machine::resident_bytes;
use super::{Budget, mib};

/// How often the process is measured; far shorter than what it takes to fill the rest.
const TICK: Duration = Duration::from_millis(25);

/// New work is refused from this part of the machine's limit on, in per cent.
const PRESSED_PERCENT: usize = 80;

/// And is taken again below this part, so that the state does not flicker.
const RELAXED_PERCENT: usize = 70;

impl Budget {
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
        let is_pressed = self.is_pressed.load(Ordering::Relaxed);
        let percent = if is_pressed { RELAXED_PERCENT } else { PRESSED_PERCENT };
        let now = resident >= limit / 100 * percent;
        if now == is_pressed {
            return;
        }
        self.is_pressed.store(now, Ordering::Relaxed);
        let (resident, limit) = (mib(resident), mib(limit));
        if now {
            tracing::warn!(resident, limit, "memory is nearly full: new work is refused");
        } else {
            tracing::info!(resident, limit, "memory is free again: new work is taken");
        }
    }
}
