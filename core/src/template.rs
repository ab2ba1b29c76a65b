//! Templates such as `{function.name}/dt={date}/{time_ms}-{seq}.gz`: text with names in braces.
//!
//! - Names are those of expressions, paths too where a record is at hand.
//! - `{date}` is `2026-11-23`; `{date:%Y/%m/%d}` takes `%Y %m %d %H %M %S %%`; `{hour}` is two digits; `{time_ms}` is
//!   the moment in milliseconds since 1970; `{seq}` counts from 0. All in UTC.
//! - `{{` and `}}` are braces.
//!
//! A missing value is rendered as nothing, and so is an array, an object or null. Levels are rendered as `WARN`,
//! numbers in decimal, durations and sizes as expressions write them: `812ms`, `512MiB`. Nothing is escaped: whoever
//! puts the result into a key or a header looks after the characters that may not stand there.

use std::fmt;
use std::io::Write;
use std::ops::Range;

use crate::expr::{Name, Names, Path, Paths, Problem, Source, Value, check, path_at};
use crate::suggest::closest;
use crate::time::{Civil, civil, digits};

/// Longest template, in bytes.
pub const TEMPLATE_BYTES_MAX: usize = 4_096;

/// The words in braces that the moment gives, not the record.
const MOMENT_WORDS: [&str; 4] = ["date", "hour", "time_ms", "seq"];

/// What a template may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allow {
    /// What is the same for every record of an environment, and the moment: `function.*`, `region`, `account_id`,
    /// `instance`, `env.*`, `date`, `hour`, `time_ms`, `seq`. For keys, groups and streams.
    Environment,
    /// Every name, paths, `date`, `hour`, `time_ms`; no `seq`. For values set in a record.
    Record,
}

/// The moment that a template is rendered for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Milliseconds since 1970 in UTC.
    pub time_ms: i64,
    /// The object's number, from 0, per sink.
    pub seq: u64,
}

/// A text with places to fill in, checked and ready to render.
#[derive(Clone, PartialEq, Eq)]
pub struct Template {
    source: Box<str>,
    parts: Box<[Part]>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(Box<str>),
    Name(Name),
    Path(Path),
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    TimeMs,
    Seq,
}

impl Template {
    /// Reads and checks a template.
    ///
    /// # Errors
    ///
    /// Every problem, in the order of the source.
    pub fn parse(source: &str, names: &Names<'_>, allow: Allow) -> Result<Template, Vec<Problem>> {
        if source.len() > TEMPLATE_BYTES_MAX {
            let message = format!(
                "the template has {} bytes, more than {TEMPLATE_BYTES_MAX}",
                source.len()
            );
            let problem = Problem::new(0..source.len(), message, "write a shorter one");
            return Err(vec![problem]);
        }
        let mut parser = Parser {
            source,
            names,
            allow,
            text: String::new(),
            parts: Vec::new(),
        };
        parser.whole()?;
        Ok(Template {
            source: source.into(),
            parts: parser.parts.into(),
        })
    }

    /// Appends the text for a record at a moment. Cannot fail.
    pub fn render(&self, source: &dyn Source, moment: &Moment, out: &mut Vec<u8>) {
        let at = civil(moment.time_ms);
        for part in &self.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                Part::Name(name) => write_value(&source.name(name), out),
                Part::Path(path) => write_value(&source.path(path), out),
                Part::TimeMs => write_display(moment.time_ms, out),
                Part::Seq => write_display(moment.seq, out),
                part => write_date(part, &at, out),
            }
        }
    }

    /// The text that it was read from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Calls a function with every name in the template, in order, repeated ones again. Paths are not names.
    pub fn visit_names(&self, visit: &mut dyn FnMut(&Name)) {
        for part in &self.parts {
            if let Part::Name(name) = part {
                visit(name);
            }
        }
    }

    /// Adds the paths that it names, and whether it names the message, to what one walk finds.
    pub fn add_to(&self, paths: &mut Paths) {
        for part in &self.parts {
            match part {
                Part::Path(path) => {
                    paths.add(path);
                }
                Part::Name(name) => paths.with_message |= *name == Name::Message,
                _ => {}
            }
        }
    }

    /// Whether the text is the same for every record of an environment: it names no value of a record and no moment.
    pub fn is_fixed(&self) -> bool {
        self.parts.iter().all(|part| match part {
            Part::Text(_) => true,
            Part::Name(name) => is_environment(name),
            _ => false,
        })
    }

    /// Whether the text differs from object to object by `{seq}`.
    pub fn has_seq(&self) -> bool {
        self.parts.contains(&Part::Seq)
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("Template")
            .field(&self.source)
            .finish()
    }
}

/// Appends a value as templates render it.
pub fn write_value(value: &Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Missing | Value::Other => {}
        Value::Text(text) => out.extend_from_slice(text.as_bytes()),
        Value::Number(number) => write_display(number, out),
        Value::Boolean(truth) => write_display(truth, out),
        Value::Level(level) => out.extend_from_slice(level.as_str().as_bytes()),
        Value::Duration(duration) => {
            write_display(duration.as_micros() as f64 / 1_000.0, out);
            out.extend_from_slice(b"ms");
        }
        Value::Size(bytes) => write_size(*bytes, out),
    }
}

/// Writes a size with the largest unit that leaves a whole number.
fn write_size(bytes: u64, out: &mut Vec<u8>) {
    let (shift, unit) = match bytes.trailing_zeros() {
        _ if bytes == 0 => (0, "B"),
        30.. => (30, "GiB"),
        20.. => (20, "MiB"),
        10.. => (10, "KiB"),
        _ => (0, "B"),
    };
    write_display(bytes >> shift, out);
    out.extend_from_slice(unit.as_bytes());
}

fn write_display(value: impl fmt::Display, out: &mut Vec<u8>) {
    write!(out, "{value}").expect("writing to a vector does not fail");
}

fn write_date(part: &Part, at: &Civil, out: &mut Vec<u8>) {
    let number = match part {
        // A year outside four digits comes from no record: the receiver's times lie in 1970 to 9999.
        Part::Year => {
            let mut year = *b"0000";
            digits(&mut year, at.year.clamp(0, 9_999) as u32);
            out.extend_from_slice(&year);
            return;
        }
        Part::Month => at.month,
        Part::Day => at.day,
        Part::Hour => at.hour,
        Part::Minute => at.minute,
        Part::Second => at.second,
        _ => return,
    };
    out.extend_from_slice(&[b'0' + number / 10, b'0' + number % 10]);
}

struct Parser<'s> {
    source: &'s str,
    names: &'s Names<'s>,
    allow: Allow,
    /// Text since the last place to fill in.
    text: String,
    parts: Vec<Part>,
}

impl Parser<'_> {
    fn whole(&mut self) -> Result<(), Vec<Problem>> {
        let source = self.source;
        let mut problems = Vec::new();
        let mut at = 0;
        while let Some(length) = source[at..].find(['{', '}']) {
            self.text.push_str(&source[at..at + length]);
            let brace = at + length;
            let rest = &source[brace..];
            if rest.starts_with("{{") || rest.starts_with("}}") {
                self.text.push_str(&rest[..1]);
                at = brace + 2;
            } else if rest.starts_with('}') {
                let message = "this `}` closes nothing";
                let help = "write `}}` for a brace";
                problems.push(Problem::new(brace..brace + 1, message, help));
                at = brace + 1;
            } else {
                match self.place(brace) {
                    Ok(end) => at = end,
                    Err((problem, end)) => {
                        problems.push(problem);
                        at = end;
                    }
                }
            }
        }
        self.text.push_str(&source[at..]);
        self.flush();
        if problems.is_empty() {
            Ok(())
        } else {
            Err(problems)
        }
    }

    /// Reads what the brace at `open` begins; gives the byte after it, with an error too, so that reading goes on.
    fn place(&mut self, open: usize) -> Result<usize, (Problem, usize)> {
        let source = self.source;
        let start = open + 1;
        if source[start..].starts_with('.') {
            // A quoted key may hold a brace, so the path says where it ends.
            let (path, end) =
                path_at(source, start).map_err(|problem| (problem, after_brace(source, start)))?;
            if !source[end..].starts_with('}') {
                let help = "write the path alone in the braces, for example `{.user.id}`";
                let problem = Problem::new(open..end, "the path is not followed by `}`", help);
                return Err((problem, after_brace(source, end)));
            }
            let path = self.path(path, start..end);
            self.push(path.map_err(|problem| (problem, end + 1))?);
            return Ok(end + 1);
        }
        let Some(length) = source[start..].find('}') else {
            let help = "close it with `}`, or write `{{` for a brace";
            let problem = Problem::new(open..source.len(), "this `{` is not closed", help);
            return Err((problem, source.len()));
        };
        let end = start + length;
        let inner = &source[start..end];
        let found = if let Some(format) = inner.strip_prefix("date:") {
            self.date(format, start + "date:".len())
        } else {
            self.word(inner, start..end)
                .map(|part| part.into_iter().for_each(|part| self.push(part)))
        };
        found.map_err(|problem| (problem, end + 1))?;
        Ok(end + 1)
    }

    fn path(&self, path: Path, span: Range<usize>) -> Result<Part, Problem> {
        if self.allow == Allow::Record {
            return Ok(Part::Path(path));
        }
        let message = format!("`{path}` differs from record to record");
        Err(Problem::new(span, message, environment_help()))
    }

    /// The parts of a name or a word of the moment.
    fn word(&self, word: &str, span: Range<usize>) -> Result<Vec<Part>, Problem> {
        if word.trim() != word {
            let help = format!("write `{{{}}}`", word.trim());
            return Err(Problem::new(span, "spaces do not belong in braces", help));
        }
        match word {
            "date" => {
                let dash = || Part::Text("-".into());
                Ok(vec![Part::Year, dash(), Part::Month, dash(), Part::Day])
            }
            "hour" => Ok(vec![Part::Hour]),
            "time_ms" => Ok(vec![Part::TimeMs]),
            "seq" if self.allow == Allow::Environment => Ok(vec![Part::Seq]),
            "seq" => Err(Problem::new(
                span,
                "`seq` counts the objects of a sink, and there is none here",
                "use `{instance}` and `{time_ms}`",
            )),
            "" => Err(Problem::new(
                span.start - 1..span.end + 1,
                "the braces are empty",
                "write a name, for example `{function.name}`, or `{{}}` for braces",
            )),
            _ => match check::name(word, span.clone(), self.names)? {
                Some(name) => self.name(name, span).map(|part| vec![part]),
                None => Err(self.unknown(word, span)),
            },
        }
    }

    fn name(&self, name: Name, span: Range<usize>) -> Result<Part, Problem> {
        if self.allow == Allow::Record || is_environment(&name) {
            return Ok(Part::Name(name));
        }
        let message = format!("`{name}` differs from record to record");
        Err(Problem::new(span, message, environment_help()))
    }

    fn unknown(&self, word: &str, span: Range<usize>) -> Problem {
        let listed: Vec<String> = self
            .names
            .env
            .iter()
            .map(|name| format!("env.{name}"))
            .collect();
        let candidates: Vec<&str> = Name::spellings()
            .filter(|spelling| {
                self.allow == Allow::Record
                    || Name::parse(spelling).is_some_and(|name| is_environment(&name))
            })
            .chain(MOMENT_WORDS)
            .chain(listed.iter().map(String::as_str))
            .collect();
        let help = match closest(word, &candidates) {
            Some(meant) => format!("did you mean `{{{meant}}}`?"),
            None => format!("names: {}; write `{{{{` for a brace", candidates.join(", ")),
        };
        Problem::new(span, format!("there is no name `{word}`"), help)
    }

    /// Reads the format after `date:`, which begins at `start`.
    fn date(&mut self, format: &str, start: usize) -> Result<(), Problem> {
        const HELP: &str = "use %Y, %m, %d, %H, %M, %S or %%, for example `{date:%Y/%m/%d}`";
        if format.is_empty() {
            let span = start - 1..start;
            return Err(Problem::new(span, "the format of the date is empty", HELP));
        }
        let mut characters = format.char_indices();
        while let Some((at, character)) = characters.next() {
            if character != '%' {
                self.text.push(character);
                continue;
            }
            let part = match characters.next() {
                Some((_, 'Y')) => Part::Year,
                Some((_, 'm')) => Part::Month,
                Some((_, 'd')) => Part::Day,
                Some((_, 'H')) => Part::Hour,
                Some((_, 'M')) => Part::Minute,
                Some((_, 'S')) => Part::Second,
                Some((_, '%')) => Part::Text("%".into()),
                other => {
                    let length = 1 + other.map_or(0, |(_, character)| character.len_utf8());
                    let wrong = &format[at..at + length];
                    let span = start + at..start + at + length;
                    let message = format!("`{wrong}` is no part of a date here");
                    return Err(Problem::new(span, message, HELP));
                }
            };
            self.push(part);
        }
        Ok(())
    }

    fn push(&mut self, part: Part) {
        if let Part::Text(text) = part {
            self.text.push_str(&text);
            return;
        }
        self.flush();
        self.parts.push(part);
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            let text = std::mem::take(&mut self.text);
            self.parts.push(Part::Text(text.into()));
        }
    }
}

/// The byte after the next closing brace, or the end.
fn after_brace(source: &str, from: usize) -> usize {
    source[from..]
        .find('}')
        .map_or(source.len(), |length| from + length + 1)
}

fn is_environment(name: &Name) -> bool {
    matches!(
        name,
        Name::FunctionName
            | Name::FunctionVersion
            | Name::FunctionMemory
            | Name::FunctionArn
            | Name::FunctionAlias
            | Name::Region
            | Name::AccountId
            | Name::Instance
            | Name::Env(_)
    )
}

fn environment_help() -> &'static str {
    "this text serves many records: use function.*, region, account_id, instance, env.*, date, hour, time_ms or seq"
}

#[cfg(test)]
mod tests;
