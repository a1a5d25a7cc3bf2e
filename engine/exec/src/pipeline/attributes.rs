//! Attributes as labels: names made fit, values as text.

use std::collections::BTreeMap;
use std::fmt::Write;

use schemas::model::label_name;

use super::json::{DEPTH_MAX, Malformed, Reader, Value, push_text};

/// The attributes of an object in the stored form as labels; of two that get one name the first
/// stays.
pub(crate) fn attribute_labels(object: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    each(object, &mut |key, text| {
        labels.entry(label_name(key)).or_insert_with(|| {
            let mut value = String::new();
            text.push_to(&mut value);
            value
        });
    });
    labels
}

/// Calls `visit` with key and value of each attribute of an object in the stored form.
///
/// Nested objects come one by one, their keys joined by dots. What is malformed is left out: the
/// stored form is ours, so there is nothing to tell the user.
pub(super) fn each(object: &str, visit: &mut dyn FnMut(&str, AttributeText<'_>)) {
    let mut reader = Reader::new(object);
    if reader.take(b'{') {
        let _ = members(&mut reader, &mut String::new(), 0, visit);
    }
}

/// A value that can be written as text.
#[derive(Clone, Copy, Debug)]
pub(super) struct AttributeText<'a>(Value<'a>, &'a str);

impl AttributeText<'_> {
    /// Appends the text.
    pub(super) fn push_to(self, output: &mut String) {
        match self.0 {
            Value::Text(text) => push_text(text, output),
            Value::Plain(text) => push_plain(text, output),
            Value::Null => {}
            Value::Object | Value::Array => output.push_str(self.1),
        }
    }
}

/// Integers and booleans as they stand, doubles in the shortest form.
fn push_plain(text: &str, output: &mut String) {
    let is_double = text.contains(['.', 'e', 'E']);
    let Some(number) = is_double.then(|| text.parse::<f64>().ok()).flatten() else {
        output.push_str(text);
        return;
    };
    push_double(number, output);
}

/// A double in the shortest form.
pub(super) fn push_double(number: f64, output: &mut String) {
    let magnitude = number.abs();
    // Writing to a string cannot fail.
    let _ = if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        let text = format!("{number:e}");
        match text.split_once('e') {
            Some((mantissa, exponent)) if !exponent.starts_with('-') => {
                write!(output, "{mantissa}e+{exponent}")
            }
            _ => write!(output, "{text}"),
        }
    } else {
        write!(output, "{number}")
    };
}

fn members(
    reader: &mut Reader<'_>,
    prefix: &mut String,
    depth: usize,
    visit: &mut dyn FnMut(&str, AttributeText<'_>),
) -> Result<(), Malformed> {
    let mut first = true;
    while let Some(key) = reader.key(first)? {
        first = false;
        let length = prefix.len();
        if length > 0 {
            prefix.push('.');
        }
        let start = prefix.len();
        push_text(key, prefix);
        // Keys of nested maps that begin with a dollar sign are stored with one more.
        if depth > 0 && prefix[start..].starts_with("$$") {
            prefix.remove(start);
        }
        match reader.value()? {
            Value::Object => nested(reader, prefix, depth, visit)?,
            Value::Array => {
                let text = reader.skip_block()?;
                visit(prefix, AttributeText(Value::Array, text));
            }
            value => visit(prefix, AttributeText(value, "")),
        }
        prefix.truncate(length);
    }
    Ok(())
}

/// A map, or a value that JSON cannot say.
fn nested(
    reader: &mut Reader<'_>,
    prefix: &mut String,
    depth: usize,
    visit: &mut dyn FnMut(&str, AttributeText<'_>),
) -> Result<(), Malformed> {
    let mut ahead = reader.clone();
    ahead.take(b'{');
    if let Ok(Some(key)) = ahead.key(true)
        && matches!(key.raw, "$bytes" | "$double")
        && let Ok(value @ Value::Text(_)) = ahead.value()
    {
        reader.skip_block()?;
        visit(prefix, AttributeText(value, ""));
        return Ok(());
    }
    if depth >= DEPTH_MAX {
        return Err(Malformed("nested too deep"));
    }
    reader.take(b'{');
    members(reader, prefix, depth + 1, visit)
}
