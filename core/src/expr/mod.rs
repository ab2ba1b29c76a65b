//! The expressions of `when`, `keep` and `drop`: a condition on one record, typed when it is loaded.
//!
//! ```text
//! type == "function" and (level >= warn or duration > 800ms) and not (.path starts_with "/health")
//! ```
//!
//! - Literals: text in `"` or `'` without escapes, numbers, `true` and `false`, the levels `trace` to `fatal` in any
//!   case, durations (`800ms`), sizes (`4KiB`).
//! - Operators: `== != < <= > >=`, `in ["a", "b"]`, `contains`, `starts_with`, `ends_with`, `~ "regex"`,
//!   `exists(.a)`; then `not`, `and`, `or` in this order of strength, and parentheses. Comparisons do not chain.
//! - Names are those of [`Name`]; paths such as `.a.b[0]` and `."odd key"` read the record's JSON.
//!
//! # Meaning
//!
//! `a != b` is `not (a == b)`. Every other comparison with a missing value is false. Values of unlike kinds compare as
//! false and are counted in [`Unlike`]. Text is case-sensitive and ordered by its bytes; levels have no case. Text that
//! is wholly a number (at most 64 bytes) compares as one with a number. Numbers are 64-bit floats: compare identifiers
//! of more than 15 digits as text. With a duration, a number counts as milliseconds and text may carry a unit; with a
//! size, a number counts as bytes. Between text and a level, the text is read as a level word. A JSON `null` is a value
//! of its own kind: it is unlike everything, and `exists` is true for it. `exists(level)` is always true where the
//! source reads a missing level as `info`.
//!
//! Regexes match anywhere in the text, in time linear in it. They are those of the Rust `regex` crate without Unicode:
//! `\d`, `\w`, `\s`, `\b`, `(?i)` and all classes know ASCII only, and `.` is one byte.
//!
//! # Limits
//!
//! [`SOURCE_BYTES_MAX`], [`DEPTH_MAX`], [`NODES_MAX`], [`LIST_MAX`], [`PATH_SEGMENTS_MAX`], [`REGEX_BYTES_MAX`].
//! Evaluation follows a list of at most `2 × NODES_MAX` steps forward, without recursion, and cannot fail.

pub(crate) mod check;
mod eval;
mod lex;
mod name;
mod parse;
mod paths;
mod regexes;
mod subject;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use name::{LEVEL_WORDS, path_at};
pub use name::{Name, Path, Segment};
pub use paths::{NO_PLACES, PLACES_MAX, Paths, Place, Places};
pub use regexes::{Pattern, Regexes};
pub use subject::Subject;

use crate::level::Level;
use eval::Step;
use regexes::Automaton;

/// Longest expression, in bytes.
pub const SOURCE_BYTES_MAX: usize = 4_096;

/// Deepest nesting of parentheses and `not`.
pub const DEPTH_MAX: usize = 32;

/// Most nodes of one expression: conditions, and each `not`, `and` and `or` between them. 128 conditions fit.
pub const NODES_MAX: usize = 256;

/// Most literals in one `in [..]`.
pub const LIST_MAX: usize = 256;

/// Most keys and indices in one path.
pub const PATH_SEGMENTS_MAX: usize = 32;

/// Largest compiled form of one regex, in bytes.
pub const REGEX_BYTES_MAX: usize = 1 << 20;

/// What the one who writes an expression or a template may name, beside what every record has.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    /// The environment variables of `[receiver] env`.
    pub env: &'a [String],
}

/// One thing that is wrong with an expression or a template, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where, in bytes of the source; empty at the source's end when something is missing there.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

impl Problem {
    pub(crate) fn new(
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Problem {
        Problem {
            span,
            message: message.into(),
            help: help.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}; {}", self.message, self.help)
    }
}

/// A value of a record, as an expression or a template sees it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// There is none.
    Missing,
    /// Text.
    Text(Cow<'a, str>),
    /// A JSON number.
    Number(f64),
    /// A boolean.
    Boolean(bool),
    /// A level.
    Level(Level),
    /// A duration.
    Duration(Duration),
    /// A size in bytes.
    Size(u64),
    /// There is one that compares with nothing: an array, an object or null.
    Other,
}

/// A record that can be asked for its values.
pub trait Source {
    /// The value of a name. A missing level should be given as `info`, so that `level >= info` keeps the record.
    fn name(&self, name: &Name) -> Value<'_>;

    /// The value at a path of the record's JSON; missing where there is none or the record is no JSON.
    fn path(&self, path: &Path) -> Value<'_>;

    /// The value of a name, where the paths of the expression are likely to be asked for too.
    fn named<'s>(&'s self, name: &Name, paths: &Paths) -> Value<'s> {
        let _ = paths;
        self.name(name)
    }

    /// The value at the path that stands at a place of an expression's paths. A source may look for all of them at
    /// once, since others of them are likely to be asked for too.
    fn located<'s>(&'s self, paths: &'s Paths, place: usize) -> Value<'s> {
        self.path(paths.get(place))
    }
}

/// Comparisons of unlike kinds met while evaluating. They were false; a rising count says that a condition asks for
/// something that the records do not have.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Unlike(pub u64);

/// A condition on a record, checked and ready to evaluate.
///
/// Holds its source, its literals and its compiled regexes: a few KiB without regexes, at most a few
/// [`REGEX_BYTES_MAX`] for each regex with the caches that fill as it runs.
#[derive(Clone)]
pub struct Expression {
    source: Box<str>,
    steps: Box<[Step]>,
    paths: Paths,
    automata: Box<[Arc<Automaton>]>,
}

impl Expression {
    /// Reads and checks an expression.
    ///
    /// # Errors
    ///
    /// Every problem that could be found, in the order of the source: all unknown names and unlike kinds up to the
    /// first error of syntax.
    pub fn parse(source: &str, names: &Names<'_>) -> Result<Expression, Vec<Problem>> {
        Expression::parse_sharing(source, names, &Regexes::default())
    }

    /// The same, with the regexes of one configuration.
    ///
    /// # Errors
    ///
    /// As [`parse`](Expression::parse).
    pub fn parse_sharing(
        source: &str,
        names: &Names<'_>,
        regexes: &Regexes,
    ) -> Result<Expression, Vec<Problem>> {
        let (steps, plan) = parse::parse(source, names)?;
        let searches = plan.searches.into_iter();
        let mut paths = plan.paths;
        paths.with_message = steps
            .iter()
            .flat_map(Step::operands)
            .any(|operand| operand.as_name() == Some(&Name::Message));
        Ok(Expression {
            source: source.into(),
            steps: steps.into(),
            paths,
            automata: searches
                .map(|(_, patterns)| regexes.automaton(&patterns))
                .collect(),
        })
    }

    /// Compiles its regexes; without it the first record pays.
    pub fn prepare(&self) {
        self.automata
            .iter()
            .for_each(|automaton| automaton.prepare());
    }

    /// Whether the condition holds for a record. Cannot fail; what could not be compared is counted.
    pub fn matches(&self, record: &dyn Source, counts: &mut Unlike) -> bool {
        let ask = eval::Ask {
            record,
            paths: &self.paths,
            automata: &self.automata,
        };
        eval::run(&self.steps, &ask, counts)
    }

    /// The text that it was read from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Calls a function with every name in the expression, in order, repeated ones again. Paths are not names.
    pub fn visit_names(&self, visit: &mut dyn FnMut(&Name)) {
        self.names().for_each(visit);
    }

    /// Whether it reads the record's JSON.
    pub fn reads_paths(&self) -> bool {
        !self.paths.is_empty()
    }

    /// Every name in the expression, in order, repeated ones again.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.steps
            .iter()
            .flat_map(Step::operands)
            .filter_map(eval::Operand::as_name)
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("Expression")
            .field(&self.source)
            .finish()
    }
}
