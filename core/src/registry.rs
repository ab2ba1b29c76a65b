//! The kinds of sinks and transforms: built-in ones are rows of a static slice, outside ones are added to it.

use crate::config::{Fields, Reader, Spanned};
use crate::expr::{Expression, Names, Problem};
use crate::facts::Facts;
use crate::sink::Sink;
use crate::template::{Allow, Template};
use crate::transform::Transform;

/// What a build function may use beside its own table.
#[derive(Clone, Copy)]
pub struct Build<'a> {
    /// What expressions and templates may name.
    pub names: Names<'a>,
    /// What is known of the function at start; the ARN is not yet.
    pub facts: &'a Facts,
    /// The whole budget, in bytes: what a component may hold is a part of it.
    pub memory: u64,
}

impl Build<'_> {
    /// Reads an expression; problems are reported where they stand in the file.
    pub fn expression(&self, reader: &Reader<'_>, key: &str) -> Option<Expression> {
        let source = reader.text(key)?;
        reported(
            reader,
            &source,
            Expression::parse_sharing(&source.value, &self.names, reader.regexes()),
        )
    }

    /// Reads a template; problems are reported where they stand in the file.
    pub fn template(&self, reader: &Reader<'_>, key: &str, allow: Allow) -> Option<Template> {
        let source = reader.text(key)?;
        reported(
            reader,
            &source,
            Template::parse(&source.value, &self.names, allow),
        )
    }
}

fn reported<T>(
    reader: &Reader<'_>,
    source: &Spanned<String>,
    parsed: Result<T, Vec<Problem>>,
) -> Option<T> {
    parsed
        .map_err(|problems| {
            for problem in problems {
                reader.error(
                    reader.inside(source, problem.span),
                    problem.message,
                    problem.help,
                );
            }
        })
        .ok()
}

/// Builds a transform from its table. `None` after it reported what is wrong; reading goes on, so that all problems
/// of a file are shown at once.
pub type BuildTransform = fn(&Reader<'_>, &Build<'_>) -> Option<Box<dyn Transform>>;

/// Builds a sink from its table; see [`BuildTransform`].
pub type BuildSink = fn(&Reader<'_>, &Build<'_>) -> Option<Box<dyn Sink>>;

/// A kind of transform.
#[derive(Clone, Copy)]
pub struct TransformKind {
    /// The word in `type`.
    pub name: &'static str,
    /// The cargo feature that builds it.
    pub feature: &'static str,
    /// Its keys, beside those that all transforms have.
    pub fields: Fields,
    /// `None`: its feature is not in this build.
    pub build: Option<BuildTransform>,
    /// It redacts: an error in it stops everything, and it must come before every sink.
    pub redacts: bool,
}

/// A kind of sink.
#[derive(Clone, Copy)]
pub struct SinkKind {
    /// The word in `type`.
    pub name: &'static str,
    /// The cargo feature that builds it.
    pub feature: &'static str,
    /// Its keys, beside those that all sinks have.
    pub fields: Fields,
    /// `None`: its feature is not in this build.
    pub build: Option<BuildSink>,
}
