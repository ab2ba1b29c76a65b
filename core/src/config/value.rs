//! The parsed file as a tree that owns its text and keeps the order of the file.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// A value with the place that it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value itself.
    pub value: T,
    /// Bytes of the source that it stands in, with its quotes; for a default, the header of its table.
    pub span: Range<usize>,
    /// Whether part of it came from the environment: then it must not be printed, and `span` is not its text.
    pub interpolated: bool,
}

impl<T> Spanned<T> {
    /// The same place with another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned {
            value: change(self.value),
            span: self.span,
            interpolated: self.interpolated,
        }
    }

    /// The same place with a value that is made from this one.
    pub fn with<U>(&self, value: U) -> Spanned<U> {
        Spanned {
            value,
            span: self.span.clone(),
            interpolated: self.interpolated,
        }
    }
}

/// One TOML value, before variables are replaced.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// What it is.
    pub data: Data,
    /// Bytes of the source: a scalar with its quotes, an inline table with its braces, a table with its `[header]`.
    pub span: Range<usize>,
}

/// The kinds of TOML value.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// A string, escapes resolved, `${…}` as written.
    Text(String),
    /// An integer of 64 bits.
    Integer(i64),
    /// An integer that 64 bits do not hold, as its digits.
    HugeInteger(String),
    /// A number with a fraction or exponent, `inf` or `nan`.
    Number(f64),
    /// `true` or `false`.
    Boolean(bool),
    /// A date or time, which no key of Tapline takes.
    Date,
    /// A list.
    List(Vec<Value>),
    /// A table, inline or with a header, in the order of the file.
    Table(Vec<Entry>),
}

/// One key of a table with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key as written, without its quotes.
    pub key: Spanned<String>,
    /// The value.
    pub value: Value,
}

impl Value {
    /// What it is, with its article: `a string`, `an integer`.
    pub fn found(&self) -> &'static str {
        match self.data {
            Data::Text(_) => "a string",
            Data::Integer(_) => "an integer",
            Data::HugeInteger(_) => "an integer of more than 64 bits",
            Data::Number(_) => "a number",
            Data::Boolean(_) => "a boolean",
            Data::Date => "a date",
            Data::List(_) => "a list",
            Data::Table(_) => "a table",
        }
    }

    pub(super) fn from_toml(value: toml::Spanned<DeValue<'_>>) -> Value {
        let span = value.span();
        let data = match value.into_inner() {
            DeValue::String(text) => Data::Text(text.into_owned()),
            DeValue::Integer(integer) => {
                match i64::from_str_radix(integer.as_str(), integer.radix()) {
                    Ok(value) => Data::Integer(value),
                    Err(_) => Data::HugeInteger(integer.to_string()),
                }
            }
            // The parser has checked the shape; what does not parse is refused later, as `nan` is by every range.
            DeValue::Float(float) => Data::Number(float.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(value) => Data::Boolean(value),
            DeValue::Datetime(_) => Data::Date,
            DeValue::Array(list) => Data::List(list.into_iter().map(Value::from_toml).collect()),
            DeValue::Table(table) => Data::Table(entries(table)),
        };
        Value { data, span }
    }

    /// Moves the value and everything in it to one place, as a default has none of its own.
    pub(super) fn move_to(&mut self, span: &Range<usize>) {
        self.span = span.clone();
        match &mut self.data {
            Data::List(items) => items.iter_mut().for_each(|item| item.move_to(span)),
            Data::Table(entries) => {
                for entry in entries {
                    entry.key.span = span.clone();
                    entry.value.move_to(span);
                }
            }
            _ => {}
        }
    }
}

pub(super) fn entries(table: DeTable<'_>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = table
        .into_iter()
        .map(|(key, value)| Entry {
            key: Spanned {
                span: key.span(),
                value: key.into_inner().into_owned(),
                interpolated: false,
            },
            value: Value::from_toml(value),
        })
        .collect();
    // The parser sorts by name; messages and components want the order of the file.
    entries.sort_by_key(|entry| entry.key.span.start);
    entries
}
