//! Settings: one checked value a key, taken from the strongest source that names it.
//!
//! ```text
//!  defaults ◀ file ◀ environment ◀ flags        a later source wins
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use schemas::model::check_tenant;

use super::Error;
use super::keys::{self, Key, Kind};
use super::retention;
use super::suggest::suggest;
use super::units;

/// Variables of the environment that begin like ours but are flags of single commands.
const ENV_OTHER: &[&str] = &["SIGLAKE_CONFIG", "SIGLAKE_URL", "SIGLAKE_TENANT"];

/// Variables of the environment that are configuration begin like this.
const ENV_PREFIX: &str = "SIGLAKE_";

/// The table of the file with a table for each tenant that has limits of its own.
const TENANTS: &str = "tenants";

/// The table of keys that a tenant may have of its own.
const LIMITS: &str = "limits";

/// Bytes a configuration file may have; it is read whole.
pub(super) const FILE_BYTES_MAX: u64 = 1 << 20;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The built-in default.
    Default,
    /// The configuration file.
    File,
    /// A variable of the environment, by name.
    Environment(String),
    /// The command line.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File => f.write_str("configuration file"),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Flag => f.write_str("command line"),
        }
    }
}

/// An amount of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Memory {
    /// So many bytes.
    Bytes(u64),
    /// A part of what the machine leaves to the process, in per cent; 100 at most.
    Percent(u8),
}

/// A checked value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// Of `Text`, `Secret` and `Choice` keys.
    Text(String),
    /// Of `Switch` keys.
    Switch(bool),
    /// Of `Count` keys.
    Count(u64),
    /// Of `Size` keys, in bytes.
    Size(u64),
    /// Of `Memory` keys.
    Memory(Memory),
    /// Of `Percent` keys; 100 at most.
    Percent(u8),
    /// Of `Duration` keys.
    Duration(Duration),
}

impl Value {
    fn parse(kind: Kind, text: &str) -> Result<Self, String> {
        match kind {
            Kind::Text | Kind::Secret => Ok(Self::Text(text.to_owned())),
            Kind::Switch => match text {
                "true" => Ok(Self::Switch(true)),
                "false" => Ok(Self::Switch(false)),
                _ => Err(format!("`{text}` is neither true nor false")),
            },
            Kind::Count => {
                let digits = text.replace('_', "");
                digits
                    .parse()
                    .map(Self::Count)
                    .map_err(|_| format!("`{text}` is not a whole number"))
            }
            Kind::Size => units::parse_size(text).map(Self::Size),
            Kind::Percent => units::parse_percent(text).map(Self::Percent),
            Kind::Memory if text.trim_end().ends_with('%') => {
                units::parse_percent(text).map(|percent| Self::Memory(Memory::Percent(percent)))
            }
            Kind::Memory => units::parse_size(text).map(|bytes| Self::Memory(Memory::Bytes(bytes))),
            Kind::Duration => units::parse_duration(text).map(Self::Duration),
            Kind::RetentionTenants => retention::tenants(text).map(|_| Self::Text(text.to_owned())),
            Kind::RetentionStreams => retention::classes(text).map(|_| Self::Text(text.to_owned())),
            Kind::Choice(words) if words.contains(&text) => Ok(Self::Text(text.to_owned())),
            Kind::Choice(words) => Err(format!("`{text}` is none of {}", words.join(", "))),
        }
    }
}

/// One value for every key.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    values: BTreeMap<&'static str, (Value, Origin)>,
    /// Values of keys below `limits` that tenants have of their own, by tenant.
    tenants: BTreeMap<String, BTreeMap<&'static str, Value>>,
}

impl Settings {
    /// The built-in defaults.
    pub(crate) fn defaults() -> Self {
        let parsed = |key: &Key| Value::parse(key.kind, key.default).expect("tested for each key");
        let values = keys::all().map(|key| (key.path, (parsed(key), Origin::Default))).collect();
        Self { values, tenants: BTreeMap::new() }
    }

    /// Takes over what a TOML file says.
    pub(crate) fn merge_file(&mut self, path: &Path, text: &str) -> Result<(), Error> {
        let table: toml::Table = text
            .parse()
            .map_err(|source| Error::Syntax { path: path.to_owned(), source: Box::new(source) })?;
        let (tenants, rest): (toml::Table, toml::Table) =
            table.into_iter().partition(|(name, _)| name == TENANTS);
        for (name, limits) in
            tenants.get(TENANTS).and_then(toml::Value::as_table).into_iter().flatten()
        {
            self.merge_tenant(name, limits)?;
        }
        self.merge_table("", &rest)
    }

    fn merge_tenant(&mut self, name: &str, limits: &toml::Value) -> Result<(), Error> {
        let at = format!("{TENANTS}.{name:?}");
        check_tenant(name)
            .map_err(|error| Error::Tenant { path: at.clone(), message: error.to_string() })?;
        let Some(table) = limits.as_table() else { return Err(unknown(&at, Origin::File)) };
        for (leaf, value) in table {
            let Some(key) = keys::find(&format!("{LIMITS}.{leaf}")) else {
                return Err(unknown(&format!("{LIMITS}.{leaf}"), Origin::File));
            };
            let text = match value {
                toml::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let value = Value::parse(key.kind, &text).map_err(|message| Error::Value {
                path: key.path,
                origin: Origin::File,
                message: format!("{message} (in {at})"),
            })?;
            self.tenants.entry(name.to_owned()).or_default().insert(key.path, value);
        }
        Ok(())
    }

    /// The tenants that have limits of their own, each with settings in which those hold.
    pub(super) fn tenants(&self) -> impl Iterator<Item = (&str, Self)> {
        self.tenants.iter().map(|(name, limits)| {
            let mut own = self.clone();
            for (path, value) in limits {
                own.values.insert(path, (value.clone(), Origin::File));
            }
            (name.as_str(), own)
        })
    }

    /// Takes over the environment: `SIGLAKE_LISTEN`, `SIGLAKE_STORAGE__S3__REGION`, and so on.
    pub(crate) fn merge_environment(
        &mut self,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(), Error> {
        for (name, text) in variables {
            let Some(rest) = name.strip_prefix(ENV_PREFIX) else { continue };
            if ENV_OTHER.contains(&name.as_str()) {
                continue;
            }
            let path = rest.to_lowercase().replace("__", ".");
            // Kubernetes gives every pod SIGLAKE_PORT and more if a service is called so: what is
            // unlike every key is not meant for us, what is like one is a mistake.
            if keys::find(&path).is_some() || meant(&path).is_some() {
                self.set(&path, &text, Origin::Environment(name.clone()))?;
            }
        }
        Ok(())
    }

    /// Takes over flags, as pairs of path and text.
    pub(crate) fn merge_flags<'a>(
        &mut self,
        flags: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<(), Error> {
        for (path, text) in flags {
            self.set(path, text, Origin::Flag)?;
        }
        Ok(())
    }

    /// The value of a key and its source, in the order of [`keys::all`].
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static Key, &Value, &Origin)> {
        keys::all().map(|key| {
            let (value, origin) = &self.values[key.path];
            (key, value, origin)
        })
    }

    /// The text of a key.
    pub(super) fn text(&self, path: &str) -> String {
        match self.value(path) {
            Value::Text(text) => text.clone(),
            other => wrong_kind(path, other),
        }
    }

    /// The switch of a key.
    pub(super) fn switch(&self, path: &str) -> bool {
        match self.value(path) {
            Value::Switch(on) => *on,
            other => wrong_kind(path, other),
        }
    }

    /// The number of a key: a count, or bytes.
    pub(super) fn number(&self, path: &str) -> u64 {
        match self.value(path) {
            Value::Count(number) | Value::Size(number) => *number,
            other => wrong_kind(path, other),
        }
    }

    /// The amount of memory of a key.
    pub(super) fn memory(&self, path: &str) -> Memory {
        match self.value(path) {
            Value::Memory(memory) => *memory,
            other => wrong_kind(path, other),
        }
    }

    /// The part of a key, in per cent.
    pub(super) fn percent(&self, path: &str) -> u8 {
        match self.value(path) {
            Value::Percent(percent) => *percent,
            other => wrong_kind(path, other),
        }
    }

    /// The duration of a key.
    pub(super) fn duration(&self, path: &str) -> Duration {
        match self.value(path) {
            Value::Duration(duration) => *duration,
            other => wrong_kind(path, other),
        }
    }

    fn value(&self, path: &str) -> &Value {
        &self.values.get(path).expect("a key of the list, which the tests read whole").0
    }

    fn merge_table(&mut self, prefix: &str, table: &toml::Table) -> Result<(), Error> {
        for (name, value) in table {
            let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            match value {
                toml::Value::Table(inner) if is_section(&path) => {
                    self.merge_table(&path, inner)?;
                }
                toml::Value::String(text) => self.set(&path, text, Origin::File)?,
                other => self.set(&path, &other.to_string(), Origin::File)?,
            }
        }
        Ok(())
    }

    fn set(&mut self, path: &str, text: &str, origin: Origin) -> Result<(), Error> {
        let Some(key) = keys::find(path) else {
            return Err(unknown(path, origin));
        };
        let value = Value::parse(key.kind, text).map_err(|message| Error::Value {
            path: key.path,
            origin: origin.clone(),
            message,
        })?;
        self.values.insert(key.path, (value, origin));
        Ok(())
    }
}

/// Whether keys begin with this path.
fn is_section(path: &str) -> bool {
    keys::all().any(|key| key.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
}

fn unknown(path: &str, origin: Origin) -> Error {
    let suggestion = match (meant(path), &origin) {
        (Some(meant), Origin::Environment(_)) => {
            let variable = meant.to_uppercase().replace('.', "__");
            format!("; did you mean {ENV_PREFIX}{variable}?")
        }
        (Some(meant), _) => format!("; did you mean `{meant}`?"),
        (None, _) => "; `siglake config` lists every key".to_owned(),
    };
    Error::Unknown { path: path.to_owned(), origin, suggestion }
}

/// The key that was probably meant.
fn meant(path: &str) -> Option<&'static str> {
    suggest(path, keys::all().map(|key| key.path)).or_else(|| same_last_word(path))
}

/// The key that is called so in another table: `flush_interval` is `storage.flush_interval`.
fn same_last_word(path: &str) -> Option<&'static str> {
    let last = |path: &str| path.rsplit('.').next().map(str::to_owned);
    keys::all().map(|key| key.path).find(|known| last(known) == last(path))
}

fn wrong_kind(path: &str, value: &Value) -> ! {
    unreachable!("key {path} holds {value:?}, which its kind rules out")
}
