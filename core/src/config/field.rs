//! What a component says about its keys: one constant table that reading, checking, the schema and the book share.

use std::fmt::Write as _;
use std::time::Duration;

/// The keys of one table.
pub type Fields = &'static [Field];

/// One key of a component.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The key as the file writes it.
    pub name: &'static str,
    /// What it takes.
    pub kind: FieldKind,
    /// The default as TOML text, for example `"\"500ms\""` or `"4"`; `""` for none. A table takes only `"{}"`: it is
    /// then read as if it stood in the file, each of its keys with its own default.
    pub default: &'static str,
    /// Whether the file must hold it.
    pub required: bool,
    /// What it does, in sentences; the first stands alone.
    pub doc: &'static str,
}

/// What a key takes.
#[derive(Debug, Clone, Copy)]
pub enum FieldKind {
    /// `true` or `false`.
    Boolean,
    /// A whole number, both ends included.
    Integer {
        /// Smallest.
        min: i64,
        /// Largest; `i64::MAX` for no bound.
        max: i64,
    },
    /// A number, both ends included; neither `nan` nor `inf`.
    Number {
        /// Smallest.
        min: f64,
        /// Largest; `f64::MAX` for no bound.
        max: f64,
    },
    /// Any string.
    Text,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A size such as `"4MiB"`, in bytes, both ends included.
    Size {
        /// Smallest, in bytes.
        min: u64,
        /// Largest, in bytes; `u64::MAX` for no bound.
        max: u64,
    },
    /// A duration such as `"500ms"`, both ends included.
    Duration {
        /// Shortest.
        min: Duration,
        /// Longest; `Duration::MAX` for no bound.
        max: Duration,
    },
    /// An expression, as a string in which variables are not replaced.
    Expression,
    /// A template, as a string in which variables are not replaced.
    Template,
    /// A regular expression, as a string in which variables are not replaced.
    Regex,
    /// A list of values of one kind.
    List(&'static FieldKind),
    /// A table with these keys.
    Table(&'static [Field]),
    /// A table with free keys and values of one kind.
    Map(&'static FieldKind),
    /// A credential: a string, `{ env = "NAME" }` or `{ secret = "arn:…" }`, the tables with an optional `prefix`. Its
    /// value is never shown.
    Secret,
    /// The same, but where its variable is unset the component does something else, which the text says: at run time a
    /// warning, an error for `check` and `TAPLINE_STRICT`.
    SecretOr(&'static str),
    /// Anything; the component checks it.
    Any,
}

impl FieldKind {
    /// What is wanted, with its article, for "expected …".
    pub fn expected(&self) -> String {
        match self {
            FieldKind::Boolean => "`true` or `false`".to_owned(),
            FieldKind::Integer { .. } => "an integer".to_owned(),
            FieldKind::Number { .. } => "a number".to_owned(),
            FieldKind::Text => "a string".to_owned(),
            FieldKind::Choice(words) => words_list(words.iter().copied()),
            FieldKind::Size { .. } => "a size such as `\"4MiB\"`".to_owned(),
            FieldKind::Duration { .. } => "a duration such as `\"500ms\"`".to_owned(),
            FieldKind::Expression => "an expression in a string".to_owned(),
            FieldKind::Template => "a template in a string".to_owned(),
            FieldKind::Regex => "a regular expression in a string".to_owned(),
            FieldKind::List(_) => "a list".to_owned(),
            FieldKind::Table(_) | FieldKind::Map(_) => "a table".to_owned(),
            FieldKind::Secret | FieldKind::SecretOr(_) => {
                "a string or `{ env = \"NAME\" }`".to_owned()
            }
            FieldKind::Any => "a value".to_owned(),
        }
    }

    /// The range that it must lie in, for "must be …".
    pub(super) fn range(&self) -> String {
        match *self {
            FieldKind::Integer { min, max } => range(min, max, max == i64::MAX),
            FieldKind::Number { min, max } => range(min, max, max == f64::MAX),
            FieldKind::Size { min, max } => range(size_text(min), size_text(max), max == u64::MAX),
            FieldKind::Duration { min, max } => {
                range(duration_text(min), duration_text(max), max == Duration::MAX)
            }
            _ => String::new(),
        }
    }

    /// Whether a value of this kind is, or holds, a credential.
    pub(super) fn holds_secret(&self) -> bool {
        match self {
            FieldKind::Secret | FieldKind::SecretOr(_) => true,
            FieldKind::List(kind) | FieldKind::Map(kind) => kind.holds_secret(),
            FieldKind::Table(fields) => fields.iter().any(|field| field.kind.holds_secret()),
            _ => false,
        }
    }
}

fn range(min: impl std::fmt::Display, max: impl std::fmt::Display, unbounded: bool) -> String {
    if unbounded {
        format!("at least {min}")
    } else {
        format!("from {min} to {max}")
    }
}

/// `a`, `b` or `c`, each in backticks.
pub fn words_list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<&str> = words.into_iter().collect();
    let mut out = String::new();
    for (index, word) in words.iter().enumerate() {
        let before = match index {
            0 => "",
            _ if index + 1 == words.len() => " or ",
            _ => ", ",
        };
        write!(out, "{before}`{word}`").expect("a String takes every write");
    }
    out
}

/// A size in the largest unit that needs no fraction: `4MiB`, `1000B`.
pub fn size_text(bytes: u64) -> String {
    for (unit, factor) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
        if bytes >= factor && bytes.is_multiple_of(factor) {
            return format!("{}{unit}", bytes / factor);
        }
    }
    format!("{bytes}B")
}

/// A duration in the largest unit that needs no fraction: `10m`, `1500ms`; `0s` for none.
pub fn duration_text(duration: Duration) -> String {
    let ms = duration.as_millis();
    if ms == 0 {
        return "0s".to_owned();
    }
    for (unit, factor) in [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
    ] {
        if ms >= factor && ms.is_multiple_of(factor) {
            return format!("{}{unit}", ms / factor);
        }
    }
    format!("{ms}ms")
}
