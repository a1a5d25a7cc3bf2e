//! `Format`: lines and labels of log rows rewritten.

use schemas::model::Matcher;

use super::Node;

/// Rewrites each log row; no row is dropped.
#[derive(Clone, Debug)]
pub struct Format {
    /// Log rows.
    pub input: Box<Node>,
    /// What is rewritten.
    pub format: LabelFormat,
}

/// What is rewritten.
#[derive(Clone, Debug)]
pub enum LabelFormat {
    /// The line becomes the rendered template.
    Line(Template),
    /// `target=source` renames, `target="template"` renders; in order.
    Labels(Vec<(String, LabelSource)>),
    /// Labels that go; a matcher drops only where it holds.
    Drop(Vec<LabelPick>),
    /// Labels that stay; a matcher keeps only where it holds.
    Keep(Vec<LabelPick>),
    /// Terminal colour codes are removed from the line.
    Decolorize,
}

/// Where a formatted label's value comes from.
#[derive(Clone, Debug)]
pub enum LabelSource {
    /// The value of this label, which is removed.
    Rename(String),
    /// A rendered template.
    Template(Template),
}

/// A label by name, or by name and value.
#[derive(Clone, Debug)]
pub enum LabelPick {
    /// Whatever its value.
    Name(String),
    /// Only where the value matches.
    Matching(Matcher),
}

/// A text template: the pieces are joined.
#[derive(Clone, Debug, Default)]
pub struct Template {
    /// In order.
    pub parts: Vec<TemplatePart>,
}

/// A piece of a template.
#[derive(Clone, Debug)]
pub enum TemplatePart {
    /// As it stands.
    Text(String),
    /// The value of a label; absent is empty.
    Label(String),
    /// The line.
    Line,
    /// The record's time in nanoseconds.
    Timestamp,
}
