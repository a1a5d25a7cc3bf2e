//! Metric families, and the text format of Prometheus, version 0.0.4.
//!
//! ```text
//!  # HELP name what it tells
//!  # TYPE name counter
//!  name{label="value"} 12
//! ```

/// The type of a metric family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only grows while the process lives.
    Counter,
    /// Grows and shrinks.
    Gauge,
    /// Counts by size: buckets that include all smaller ones, sum and count.
    Histogram,
}

/// Metrics of one name.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) help: String,
    pub(super) samples: Vec<Sample>,
}

/// A number of a family.
#[derive(Debug)]
pub(super) struct Sample {
    /// Of a histogram with a suffix; else the family's.
    pub(super) name: String,
    pub(super) labels: Vec<(String, String)>,
    pub(super) value: f64,
}

/// Takes families one after another.
#[derive(Debug, Default)]
pub(super) struct Writer {
    families: Vec<Family>,
}

impl Writer {
    /// Begins a family; its samples follow.
    pub(super) fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let (name, help) = (name.to_owned(), help.to_owned());
        self.families.push(Family { name, kind, help, samples: Vec::new() });
    }

    /// A sample of the family begun last.
    pub(super) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let owned = |(label, value): &(&str, &str)| ((*label).to_owned(), (*value).to_owned());
        let labels = labels.iter().map(owned).collect();
        if let Some(family) = self.families.last_mut() {
            family.samples.push(Sample { name: name.to_owned(), labels, value });
        }
    }

    /// A counter without labels.
    pub(super) fn counter(&mut self, name: &str, help: &str, value: f64) {
        self.family(name, Kind::Counter, help);
        self.sample(name, &[], value);
    }

    /// A gauge without labels.
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.family(name, Kind::Gauge, help);
        self.sample(name, &[], value);
    }

    /// All families, in order.
    pub(super) fn finish(self) -> Vec<Family> {
        self.families
    }
}

/// Families as text.
pub(super) fn text(families: &[Family]) -> String {
    let mut text = String::new();
    for family in families {
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let name = &family.name;
        let help = family.help.replace('\\', "\\\\").replace('\n', "\\n");
        text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
        for sample in &family.samples {
            write_sample(&mut text, sample);
        }
    }
    text
}

fn write_sample(text: &mut String, sample: &Sample) {
    text.push_str(&sample.name);
    for (at, (label, value)) in sample.labels.iter().enumerate() {
        let open = if at == 0 { '{' } else { ',' };
        text.push_str(&format!("{open}{label}=\"{}\"", escape(value)));
    }
    if !sample.labels.is_empty() {
        text.push('}');
    }
    text.push_str(&format!(" {}\n", sample.value));
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
