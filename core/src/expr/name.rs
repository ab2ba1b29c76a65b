//! What an expression or a template can point at: the names of a record and paths into its JSON.

use std::borrow::Cow;
use std::fmt;

use super::{PATH_SEGMENTS_MAX, Problem};

/// The level words of the language, least severe first.
pub(crate) const LEVEL_WORDS: [&str; 6] = ["trace", "debug", "info", "warn", "error", "fatal"];

/// A name that a record has a value for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Name {
    /// `type`: text, for example `function` or `platform.report`.
    Type,
    /// `time`: RFC 3339 text in UTC, compared as text.
    Time,
    /// `level`: a level.
    Level,
    /// `message`: text.
    Message,
    /// `request_id`: text.
    RequestId,
    /// `trace_id`: text, 32 hexadecimal digits.
    TraceId,
    /// `span_id`: text, 16 hexadecimal digits.
    SpanId,
    /// `xray_trace_id`: text in AWS's form.
    XrayTraceId,
    /// `status`: text, the platform's word at the end of the invocation.
    Status,
    /// `failed`: a boolean.
    Failed,
    /// `cold_start`: a boolean.
    ColdStart,
    /// `duration`: a duration.
    Duration,
    /// `function.name`: text.
    FunctionName,
    /// `function.version`: text.
    FunctionVersion,
    /// `function.memory`: a size.
    FunctionMemory,
    /// `function.arn`: text.
    FunctionArn,
    /// `function.alias`: text.
    FunctionAlias,
    /// `region`: text.
    Region,
    /// `account_id`: text.
    AccountId,
    /// `init_type`: text.
    InitType,
    /// `instance`: text, 32 hexadecimal digits.
    Instance,
    /// `env.NAME`: text; holds NAME without `env.`.
    Env(Box<str>),
}

/// What kind of value an operand has, as far as it is known at load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Time,
    Number,
    Boolean,
    Level,
    Duration,
    Size,
    /// A path, or something already reported: fits everything.
    Any,
}

impl Kind {
    pub(super) fn described(self) -> &'static str {
        match self {
            Kind::Text => "text",
            Kind::Time => "a time",
            Kind::Number => "a number",
            Kind::Boolean => "a boolean",
            Kind::Level => "a level",
            Kind::Duration => "a duration",
            Kind::Size => "a size",
            Kind::Any => "a path",
        }
    }
}

/// Every name but `env.NAME`, as the contract spells and orders them.
static FIXED: [(&str, Name); 21] = [
    ("type", Name::Type),
    ("time", Name::Time),
    ("level", Name::Level),
    ("message", Name::Message),
    ("request_id", Name::RequestId),
    ("trace_id", Name::TraceId),
    ("span_id", Name::SpanId),
    ("xray_trace_id", Name::XrayTraceId),
    ("status", Name::Status),
    ("failed", Name::Failed),
    ("cold_start", Name::ColdStart),
    ("duration", Name::Duration),
    ("function.name", Name::FunctionName),
    ("function.version", Name::FunctionVersion),
    ("function.memory", Name::FunctionMemory),
    ("function.arn", Name::FunctionArn),
    ("function.alias", Name::FunctionAlias),
    ("region", Name::Region),
    ("account_id", Name::AccountId),
    ("init_type", Name::InitType),
    ("instance", Name::Instance),
];

impl Name {
    /// The name that a word spells, exactly; `env.` with any name of letters, digits and `_`, listed or not.
    pub fn parse(word: &str) -> Option<Name> {
        if let Some(variable) = word.strip_prefix("env.") {
            let shaped = !variable.is_empty()
                && !variable.as_bytes()[0].is_ascii_digit()
                && variable
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            return shaped.then(|| Name::Env(variable.into()));
        }
        FIXED
            .iter()
            .find(|(spelling, _)| *spelling == word)
            .map(|(_, name)| name.clone())
    }

    /// How the name is written: `request_id`, `env.STAGE`. Allocates for `env.` only.
    pub fn as_str(&self) -> Cow<'_, str> {
        if let Name::Env(variable) = self {
            return Cow::Owned(format!("env.{variable}"));
        }
        FIXED
            .iter()
            .find(|(_, name)| name == self)
            .map_or(Cow::Borrowed(""), |(spelling, _)| Cow::Borrowed(*spelling))
    }

    /// The spellings of every name but `env.NAME`.
    pub(crate) fn spellings<'a>() -> impl Iterator<Item = &'a str> {
        FIXED.iter().map(|(spelling, _)| *spelling)
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Name::Time => Kind::Time,
            Name::Level => Kind::Level,
            Name::Failed | Name::ColdStart => Kind::Boolean,
            Name::Duration => Kind::Duration,
            Name::FunctionMemory => Kind::Size,
            _ => Kind::Text,
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.as_str())
    }
}

/// A path into a record's JSON: `.a.b[0]`, `."odd key".x`, or `.[0]` where the record is an array.
///
/// A plain key begins with a letter, `_`, `@` or `$` and goes on with these, digits and `-`; any other key is quoted
/// with `"` or `'`, without escapes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Path {
    /// From the root inwards; 1 to [`PATH_SEGMENTS_MAX`].
    pub segments: Vec<Segment>,
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Segment {
    /// A key of an object.
    Key(Box<str>),
    /// A place in an array, from 0.
    Index(usize),
}

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    ///
    /// The first problem, with its place in `source`.
    pub fn parse(source: &str) -> Result<Path, Problem> {
        if !source.starts_with('.') {
            let help = "a path begins with a dot, for example `.user.id`";
            return Err(Problem::new(
                0..source.len(),
                format!("`{source}` is no path"),
                help,
            ));
        }
        let (path, end) = path_at(source, 0)?;
        if end < source.len() {
            return Err(Problem::new(
                end..source.len(),
                format!("`{}` does not belong to a path", &source[end..]),
                "quote a key with other characters than letters, digits, `_`, `-`, `@`, `$`: `.\"odd key\"`",
            ));
        }
        Ok(path)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, segment) in self.segments.iter().enumerate() {
            match segment {
                Segment::Key(key) if key_end(key, 0) == key.len() && !key.is_empty() => {
                    write!(formatter, ".{key}")?;
                }
                Segment::Key(key) if key.contains('"') => write!(formatter, ".'{key}'")?,
                Segment::Key(key) => write!(formatter, ".\"{key}\"")?,
                Segment::Index(index) if place == 0 => write!(formatter, ".[{index}]")?,
                Segment::Index(index) => write!(formatter, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// Reads the path that begins with the dot at `start`; gives it with the byte after it.
pub(crate) fn path_at(source: &str, start: usize) -> Result<(Path, usize), Problem> {
    let bytes = source.as_bytes();
    let mut segments = Vec::new();
    let mut at = start;
    loop {
        let begun = at;
        match bytes.get(at) {
            Some(b'.') if at == start && bytes.get(at + 1) == Some(&b'[') => at += 1,
            Some(b'.') => {
                let (key, end) = key_at(source, at)?;
                segments.push(Segment::Key(key.into()));
                at = end;
            }
            Some(b'[') => {
                let (index, end) = index_at(source, at)?;
                segments.push(Segment::Index(index));
                at = end;
            }
            _ => return Ok((Path { segments }, at)),
        }
        if segments.len() > PATH_SEGMENTS_MAX {
            return Err(Problem::new(
                begun..at,
                format!("the path has more than {PATH_SEGMENTS_MAX} keys and indices"),
                "test a value nearer to the root",
            ));
        }
    }
}

/// Reads the key after the dot at `dot`; gives it with the byte after it.
fn key_at(source: &str, dot: usize) -> Result<(&str, usize), Problem> {
    let start = dot + 1;
    match source.as_bytes().get(start) {
        Some(&quote @ (b'"' | b'\'')) => {
            let inner = start + 1;
            let length = source[inner..].find(char::from(quote)).ok_or_else(|| {
                Problem::new(
                    start..source.len(),
                    "the quoted key has no end",
                    format!("close it with `{}`", char::from(quote)),
                )
            })?;
            Ok((&source[inner..inner + length], inner + length + 1))
        }
        Some(byte) if byte.is_ascii_digit() => Err(Problem::new(
            dot..start + 1,
            "a key that begins with a digit must be quoted",
            "write `.\"5\"` for a key, `[5]` for a place in an array, `0.5` for a number",
        )),
        _ => {
            let end = key_end(source, start);
            if end == start {
                return Err(Problem::new(
                    dot..start,
                    "a key is missing after the dot",
                    "write a key, for example `.user.id`, or quote an odd one: `.\"odd key\"`",
                ));
            }
            Ok((&source[start..end], end))
        }
    }
}

/// Where a plain key that begins at `start` ends; `start` itself if there is none.
fn key_end(source: &str, start: usize) -> usize {
    let inner =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'@' | b'$' | b'-');
    let bytes = &source.as_bytes()[start..];
    match bytes.first() {
        Some(&byte) if inner(byte) && !byte.is_ascii_digit() && byte != b'-' => bytes
            .iter()
            .position(|&byte| !inner(byte))
            .map_or(source.len(), |length| start + length),
        _ => start,
    }
}

/// Reads the index in the bracket at `open`; gives it with the byte after the closing one.
fn index_at(source: &str, open: usize) -> Result<(usize, usize), Problem> {
    let inner = &source[open + 1..];
    let length = inner
        .bytes()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(inner.len());
    let index = inner[..length].parse::<u32>().ok();
    match index {
        Some(index) if inner.as_bytes().get(length) == Some(&b']') => {
            Ok((index as usize, open + length + 2))
        }
        _ => {
            let end = inner.find(']').map_or(source.len(), |end| open + end + 2);
            Err(Problem::new(
                open..end,
                "an index is a whole number in brackets",
                "write for example `.items[0]`; a quoted key is written after a dot: `.\"odd key\"`",
            ))
        }
    }
}
