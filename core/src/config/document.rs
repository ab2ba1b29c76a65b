//! One parsed file, and what is collected while files are read.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

use toml::de::DeTable;

use super::diagnostic::{Diagnostic, Diagnostics, Kind, Scope, Severity};
use super::hide::{self, Marks};
use super::late::LateSecrets;
use super::source::Source;
use super::value::{Entry, entries};
use crate::expr::Regexes;

/// Largest file that is read, in bytes.
pub const FILE_BYTES_MAX: usize = 256 * 1024;

/// Most errors of syntax that are shown; later ones are mostly consequences.
const SYNTAX_ERRORS_MAX: usize = 10;

/// What reading collects: the problems, and the parts of the files that must not be printed with them.
pub struct Context<'e> {
    pub(super) environment: &'e dyn Fn(&str) -> Option<String>,
    diagnostics: RefCell<Diagnostics>,
    marks: RefCell<Vec<Marked>>,
    pub(super) late: RefCell<LateSecrets>,
    /// What to do where nothing can fetch them.
    pub(super) late_unbuilt: Option<&'static str>,
    pub(super) regexes: Regexes,
}

/// A range of a file with what is known about it.
type Marked = (Arc<Source>, Mark, Range<usize>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    HiddenByName,
    HiddenByField,
    Shown,
}

impl<'e> Context<'e> {
    /// Starts with no problem. The environment answers with the value of a variable; an empty one counts as unset.
    pub fn new(environment: &'e dyn Fn(&str) -> Option<String>) -> Context<'e> {
        Context {
            environment,
            diagnostics: RefCell::default(),
            marks: RefCell::default(),
            late: RefCell::default(),
            late_unbuilt: None,
            regexes: Regexes::default(),
        }
    }

    /// The same in a build that cannot fetch secrets of AWS: those are errors, with this remedy.
    #[must_use]
    pub fn without_late_secrets(self, help: &'static str) -> Context<'e> {
        Context {
            late_unbuilt: Some(help),
            ..self
        }
    }

    /// The secrets of AWS that the files name.
    pub fn late_secrets(&self) -> LateSecrets {
        self.late.borrow().clone()
    }

    /// Adds a problem that no [`Reader`](super::Reader) has found, such as a file that cannot be opened.
    pub fn push(&self, diagnostic: Diagnostic) {
        self.diagnostics.borrow_mut().push(diagnostic);
    }

    /// Every problem by file and position, once each.
    pub fn finish(self) -> Diagnostics {
        let mut diagnostics = self.diagnostics.into_inner();
        let marks = self.marks.into_inner();
        for diagnostic in diagnostics.iter_mut() {
            let line = diagnostic.source.line_range(diagnostic.span.start);
            let near = marks.iter().filter(|(source, _, range)| {
                Arc::ptr_eq(source, &diagnostic.source)
                    && range.start < line.end
                    && line.start < range.end
            });
            let near: Vec<_> = near.map(|(_, mark, range)| (*mark, range)).collect();
            let hidden = near.iter().filter(|(mark, range)| match mark {
                Mark::Shown => false,
                Mark::HiddenByField => true,
                Mark::HiddenByName => !near.contains(&(Mark::Shown, range)),
            });
            let hidden = hidden.map(|(_, range)| (*range).clone());
            diagnostic.hidden.extend(hidden);
        }
        diagnostics.sort();
        diagnostics
    }

    pub(super) fn mark(&self, source: &Arc<Source>, marks: Marks) {
        let hidden = marks
            .hidden
            .into_iter()
            .map(|range| (Mark::HiddenByField, range));
        let shown = marks.shown.into_iter().map(|range| (Mark::Shown, range));
        let marked = hidden
            .chain(shown)
            .map(|(mark, range)| (source.clone(), mark, range));
        self.marks.borrow_mut().extend(marked);
    }

    fn syntax(&self, source: &Arc<Source>, span: Range<usize>, message: String, help: &str) {
        self.push(Diagnostic {
            severity: Severity::Error,
            kind: Kind::Syntax,
            scope: Scope::File,
            message,
            label: String::new(),
            help: help.to_owned(),
            hidden: Vec::from_iter(hide::in_broken_line(source, span.start)),
            span,
            source: source.clone(),
        });
    }
}

/// One parsed file.
#[derive(Debug)]
pub struct Document {
    pub(super) source: Arc<Source>,
    pub(super) root: Vec<Entry>,
}

impl Document {
    /// Reads one file of at most [`FILE_BYTES_MAX`] bytes. Where it is too long, not UTF-8 or not TOML, the context
    /// holds every error that was found and there is no document.
    pub fn parse(context: &Context<'_>, name: &str, bytes: &[u8]) -> Option<Document> {
        let source = |text: &str| {
            Arc::new(Source {
                name: name.to_owned(),
                text: text.to_owned(),
            })
        };
        if bytes.len() > FILE_BYTES_MAX {
            let message = format!(
                "the file has {} bytes; at most {FILE_BYTES_MAX} (256 KiB) are read",
                bytes.len()
            );
            let help = "move long lists out of the file, or check that this is the right one";
            context.syntax(&source(""), 0..0, message, help);
            return None;
        }
        let text = match str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let at = error.valid_up_to();
                let valid = String::from_utf8_lossy(&bytes[..at]);
                let message = format!("the file is not UTF-8: byte {at} is 0x{:02x}", bytes[at]);
                let help = "save the file as UTF-8";
                context.syntax(&source(&valid), at..at, message, help);
                return None;
            }
        };
        // A byte order mark is no character of the first line.
        let source = source(text.strip_prefix('\u{feff}').unwrap_or(text));
        if let Some(at) = source.deep_key() {
            let message = "a dotted key has more than 16 parts".to_owned();
            context.syntax(&source, at..at + 1, message, "nest less deeply");
            return None;
        }
        let (table, errors) = DeTable::parse_recoverable(&source.text);
        if errors.is_empty() {
            let root = entries(table.into_inner());
            let mut ranges = Vec::new();
            hide::by_name(&root, &mut ranges);
            let ranges = ranges.into_iter();
            let marks = ranges.map(|range| (source.clone(), Mark::HiddenByName, range));
            context.marks.borrow_mut().extend(marks);
            return Some(Document { source, root });
        }
        let mut lines = Vec::new();
        for error in errors {
            let span = error.span().unwrap_or(source.text.len()..source.text.len());
            let (line, _) = source.position(span.start);
            // The second error of a line is a consequence of the first.
            if lines.contains(&line) || lines.len() == SYNTAX_ERRORS_MAX {
                continue;
            }
            lines.push(line);
            context.syntax(
                &source,
                span,
                error.message().to_owned(),
                syntax_help(error.message()),
            );
        }
        None
    }

    /// The file that it was read from.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }
}

fn syntax_help(message: &str) -> &'static str {
    for (start, help) in [
        (
            "duplicate key",
            "keep one of the two; a table is defined once, `[[name]]` adds to a list",
        ),
        ("string values must be quoted", "put the value in quotes"),
        (
            "invalid basic string",
            "close the string with `\"`; for a text with `\"` in it use '…'",
        ),
        ("invalid literal string", "close the string with `'`"),
        (
            "missing escaped value",
            "write `\\\\` for a backslash, or use a string in '…'",
        ),
        ("key with no value", "write `key = value`"),
        ("unclosed", "close what is open"),
        ("cannot recurse", "nest less deeply"),
    ] {
        if message.starts_with(start) {
            return help;
        }
    }
    "a line is `key = value`, `[table]`, `[[list of tables]]` or `# comment`; strings stand in quotes"
}
