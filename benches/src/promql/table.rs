//! The table: milliseconds of CPU (and wall) time, and how many times less Siglake takes.

use super::Cost;
use super::systems::Kind;

/// Shortest time that ratios reckon with, in milliseconds: the kernel counts in steps.
const CPU_MS_MIN: f64 = 0.05;

/// A figure of a cold and a warm cost.
type Measure = fn(&(Cost, Cost)) -> f64;

/// What one question cost every system.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    /// The question.
    name: String,
    /// Series of the answer.
    pub(super) series: usize,
    /// Cold and warm cost, in order of the systems; absent if refused.
    costs: Vec<Option<(Cost, Cost)>>,
    notes: Vec<String>,
}

impl Row {
    /// No system has been asked yet.
    pub(super) fn new(name: String) -> Self {
        Self { name, ..Self::default() }
    }

    /// Adds the next system.
    pub(super) fn add(&mut self, cost: Option<(Cost, Cost)>, note: &str) {
        self.costs.push(cost);
        self.notes.push(note.to_owned());
    }

    /// Warm CPU of the system over that of the first.
    fn ratio(&self, at: usize, of: Measure) -> Option<f64> {
        let ours = self.costs.first()?.as_ref().map(of)?;
        let theirs = self.costs.get(at)?.as_ref().map(of)?;
        Some(theirs.max(CPU_MS_MIN) / ours.max(CPU_MS_MIN))
    }

    /// One line.
    pub(super) fn text(&self) -> String {
        let mut line = format!("{:>6}", self.series);
        for (at, cost) in self.costs.iter().enumerate() {
            match cost {
                Some((cold, warm)) => {
                    line.push_str(&format!(
                        " | {:>7.1} {:>7.1} {:>7.1} {:>7.1}",
                        cold.cpu_ms, cold.wall_ms, warm.cpu_ms, warm.wall_ms
                    ));
                }
                None => line.push_str(&format!(" | {:>7} {:>7} {:>7} {:>7}", "-", "-", "-", "-")),
            }
            if at > 0 {
                let ratio = self.ratio(at, |cost| cost.1.cpu_ms);
                let ratio = ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.1}x"));
                line.push_str(&format!(" {ratio:>7} {:<2}", self.notes[at]));
            }
        }
        format!("{line} | {}", self.name)
    }
}

/// The lines above the table.
pub(super) fn head(kinds: &[Kind]) -> String {
    let mut first = format!("{:>6}", "");
    let mut second = format!("{:>6}", "series");
    for (at, kind) in kinds.iter().enumerate() {
        let width = if at == 0 { 31 } else { 42 };
        first.push_str(&format!(" | {:<width$}", format!("{}, ms", kind.name())));
        second
            .push_str(&format!(" | {:>7} {:>7} {:>7} {:>7}", "coldCPU", "wall", "warmCPU", "wall"));
        if at > 0 {
            second.push_str(&format!(" {:>7} {:<2}", "ratio", "="));
        }
    }
    format!("{first}\n{second}")
}

/// Geometric means of the ratios.
pub(super) fn means(rows: &[Row], systems: usize) -> String {
    let mut text = String::new();
    let kinds: [(&str, Measure); 4] = [
        ("warm CPU", |cost| cost.1.cpu_ms),
        ("warm wall", |cost| cost.1.wall_ms),
        ("cold CPU", |cost| cost.0.cpu_ms),
        ("cold wall", |cost| cost.0.wall_ms),
    ];
    for at in 1..systems {
        for (name, of) in kinds {
            let ratios: Vec<f64> = rows.iter().filter_map(|row| row.ratio(at, of)).collect();
            let logs: f64 = ratios.iter().map(|ratio| ratio.ln()).sum();
            let slower = ratios.iter().filter(|ratio| **ratio < 1.0).count();
            let count = f64::from(u32::try_from(ratios.len().max(1)).unwrap_or(1));
            text.push_str(&format!(
                "system {at}: {name}: {:.2} times as much as Siglake in the geometric mean of {} \
                 questions; Siglake takes more in {slower}\n",
                (logs / count).exp(),
                ratios.len(),
            ));
        }
    }
    text
}
