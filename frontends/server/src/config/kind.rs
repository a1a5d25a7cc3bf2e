//! Kinds of configuration values.

/// What the text of a value must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any text.
    Text,
    /// Text that is not printed.
    Secret,
    /// `true` or `false`.
    Switch,
    /// A whole number.
    Count,
    /// Bytes: `4096`, `128MiB`.
    Size,
    /// Memory: bytes as of `Size`, or a part of the machine's: `60%`.
    Memory,
    /// A part of the whole: `30%`.
    Percent,
    /// A span of time: `30` (seconds), `250ms`, `1h30m`.
    Duration,
    /// Periods by tenant, an inline table.
    RetentionTenants,
    /// Streams with periods, an array of inline tables.
    RetentionStreams,
    /// One of these words.
    Choice(&'static [&'static str]),
}

impl Kind {
    /// What to call the kind in the documentation of a key.
    pub(crate) fn describe(self) -> String {
        match self {
            Self::Text | Self::Secret => "text".to_owned(),
            Self::Switch => "true or false".to_owned(),
            Self::Count => "count".to_owned(),
            Self::Size => "bytes, or text such as 128MiB".to_owned(),
            Self::Memory => "bytes, or text such as 4GiB, 60%".to_owned(),
            Self::Percent => "per cent, as text such as 30%".to_owned(),
            Self::Duration => "seconds, or text such as 250ms, 1h30m".to_owned(),
            Self::RetentionTenants => "tables".to_owned(),
            Self::RetentionStreams => "array of tables".to_owned(),
            Self::Choice(words) => words.join(" | "),
        }
    }
}
