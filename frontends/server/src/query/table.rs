//! A table for a terminal: a head, aligned columns, no lines to draw.

/// Blanks between two columns.
const GAP: usize = 2;

/// Widest a column is made; longer cells stand as they are and only break the alignment.
const COLUMN_CHARS_MAX: usize = 120;

/// Rows under a head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Table {
    /// Names of the columns.
    pub(super) head: Vec<String>,
    /// Cells of each row, as many as the head has.
    pub(super) rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table.
    pub(super) fn new(head: &[&str]) -> Self {
        Self { head: head.iter().map(|name| (*name).to_owned()).collect(), rows: Vec::new() }
    }

    /// The table as text; columns of numbers stand at the right.
    pub(super) fn to_text(&self) -> String {
        if self.rows.is_empty() {
            return "(nothing found)\n".to_owned();
        }
        let mut widths = vec![0; self.head.len()];
        let mut numeric = vec![true; self.head.len()];
        for (column, name) in self.head.iter().enumerate() {
            widths[column] = name.chars().count();
        }
        for row in &self.rows {
            for (column, cell) in row.iter().enumerate().take(self.head.len()) {
                let chars = cell.chars().count();
                widths[column] = widths[column].max(chars.min(COLUMN_CHARS_MAX));
                numeric[column] &= cell.is_empty() || cell.parse::<f64>().is_ok();
            }
        }
        let mut out = String::new();
        for row in std::iter::once(&self.head).chain(&self.rows) {
            write_row(&mut out, row, &widths, &numeric);
        }
        out
    }
}

fn write_row(out: &mut String, row: &[String], widths: &[usize], numeric: &[bool]) {
    let mut line = String::new();
    for (column, cell) in row.iter().enumerate().take(widths.len()) {
        if column > 0 {
            line.push_str(&" ".repeat(GAP));
        }
        let cell = printable(cell);
        let padding = " ".repeat(widths[column].saturating_sub(cell.chars().count()));
        if numeric[column] {
            line.push_str(&padding);
            line.push_str(&cell);
        } else {
            line.push_str(&cell);
            line.push_str(&padding);
        }
    }
    out.push_str(line.trim_end());
    out.push('\n');
}

/// A cell on one line: telemetry may hold line breaks and, from a hostile sender, escapes that
/// would command the terminal.
fn printable(cell: &str) -> String {
    cell.chars()
        .flat_map(|c| {
            let escaped = c.is_control();
            let plain = (!escaped).then_some(c);
            plain.into_iter().chain(escaped.then(|| c.escape_default()).into_iter().flatten())
        })
        .collect()
}

#[cfg(test)]
mod tests;
