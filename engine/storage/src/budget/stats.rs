//! What a budget tells of itself.

use super::{Budget, Use, resident_bytes};

/// A budget at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BudgetStats {
    /// All that may be held, in bytes.
    pub bytes_max: u64,
    /// What the machine leaves to the process, in bytes; 0 if not known.
    pub machine_bytes: u64,
    /// What the process really holds, in bytes, as pressure is judged by; 0 if not known.
    pub resident_bytes: u64,
    /// Held now, in bytes.
    pub used: u64,
    /// Most that was ever held, in bytes.
    pub peak: u64,
    /// Whether new work is refused because the process holds nearly what the machine has.
    pub is_pressed: bool,
    /// Each use, in the order of [`Use::ALL`].
    pub uses: Vec<UseStats>,
}

/// One use of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UseStats {
    /// Which.
    pub of: Use,
    /// Held now, in bytes.
    pub used: u64,
    /// Most that was ever held, in bytes.
    pub peak: u64,
    /// Most that may be held, in bytes.
    pub cap: u64,
    /// Reservations that were refused.
    pub refused: u64,
}

impl Budget {
    /// What is held, and was.
    pub fn stats(&self) -> BudgetStats {
        let held = self.held.lock().clone();
        let of_use = |of: Use| UseStats {
            of,
            used: held.used[of as usize] as u64,
            peak: held.peak[of as usize] as u64,
            cap: self.caps[of as usize] as u64,
            refused: held.refused[of as usize],
        };
        BudgetStats {
            bytes_max: self.bytes_max as u64,
            machine_bytes: self.machine.known().unwrap_or(0) as u64,
            resident_bytes: resident_bytes().unwrap_or(0) as u64,
            used: held.total as u64,
            peak: held.total_peak as u64,
            is_pressed: self.check_pressure().is_err(),
            uses: Use::ALL.map(of_use).into(),
        }
    }
}
