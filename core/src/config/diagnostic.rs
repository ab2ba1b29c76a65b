//! Problems of the configuration, and how they are printed.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

use super::source::Source;

/// Widest line of source that is printed whole, in columns; a longer one is cut around the problem.
const LINE_COLUMNS_MAX: usize = 160;

/// Diagnostics that are kept. A scope's first error is kept beyond it, since it decides what runs.
const DIAGNOSTICS_MAX: usize = 100;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// What the scope names cannot run.
    Error,
    /// It runs, perhaps not as meant.
    Warning,
}

/// What an error takes out of service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// The whole configuration.
    File,
    /// One sink, by its name.
    Sink(String),
    /// One transform, by its name.
    Transform(String),
    /// A redaction, without which nothing may leave.
    Redact,
}

/// What sort of problem it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The file is not TOML.
    Syntax,
    /// A key that nothing reads.
    UnknownKey,
    /// A value of another type.
    WrongType,
    /// A value of the right type outside its range.
    OutOfRange,
    /// A required key is not there.
    Missing,
    /// A value that means nothing, or does not fit the others.
    Invalid,
    /// Something that this version or build does not have.
    NotBuilt,
    /// A variable of the environment that is unset, where it can be done without.
    Unset,
    /// Nothing is wrong, but probably not meant so.
    Advice,
}

/// One problem with the place that it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What sort of problem it is.
    pub kind: Kind,
    /// What an error takes out of service.
    pub scope: Scope,
    /// What is wrong: one sentence, lowercase, without full stop, free of secrets.
    pub message: String,
    /// A few words beside the caret; may be empty.
    pub label: String,
    /// What to write instead; may be empty.
    pub help: String,
    /// Bytes of the source; always inside the text and on borders of characters.
    pub span: Range<usize>,
    /// The file.
    pub source: Arc<Source>,
    /// Parts of the first line of the span that must not be printed.
    pub(super) hidden: Vec<Range<usize>>,
}

impl Diagnostic {
    /// A problem of the whole file that no [`Reader`](super::Reader) has found, such as a file that cannot be opened.
    pub fn of_file(source: Arc<Source>, kind: Kind, message: String, help: String) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            kind,
            scope: Scope::File,
            message,
            label: String::new(),
            help,
            span: 0..0,
            source,
            hidden: Vec::new(),
        }
    }

    /// Appends the problem over several lines, with the line of source and a caret under it.
    ///
    /// Columns count characters from 1; a tab is shown as four spaces and counts as one.
    pub fn render(&self, out: &mut String) {
        let word = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let (number, column) = self.source.position(self.span.start);
        let gutter = " ".repeat(number.to_string().len());
        let line = Line::new(&self.source, &self.span, &self.hidden);
        let carets = "^".repeat(line.caret.len().max(1));
        let mut text = format!(
            "{word}: {}\n{gutter}--> {}:{number}:{column}\n",
            printable(&self.message),
            self.source.name
        );
        if !self.source.text.is_empty() {
            let caret = format!(
                "{}{carets} {}",
                " ".repeat(line.caret.start),
                printable(&self.label)
            );
            let shown = format!("{number} | {}", line.text);
            for line in [format!("{gutter} |"), shown, format!("{gutter} | {caret}")] {
                text.push_str(line.trim_end());
                text.push('\n');
            }
        }
        if !self.help.is_empty() {
            let help = printable(&self.help);
            writeln!(text, "{gutter} = help: {help}").expect("a String takes every write");
        }
        out.push_str(&text);
    }

    /// The problem in one line, for the log at run time: `tapline.toml:24:9: message; help`.
    pub fn line(&self) -> String {
        let (number, column) = self.source.position(self.span.start);
        let mut text = format!("{}:{number}:{column}: {}", self.source.name, self.message);
        for part in [&self.label, &self.help] {
            if !part.is_empty() {
                text.push_str("; ");
                text.push_str(part);
            }
        }
        printable(&text)
    }
}

/// Control characters would move the cursor of a terminal or break the line; they are shown as `�`.
fn printable(text: &str) -> String {
    text.chars().map(printable_char).collect()
}

fn printable_char(c: char) -> char {
    if c.is_control() { '�' } else { c }
}

/// The line of source that a problem starts in, as it is shown.
struct Line {
    text: String,
    /// Columns of `text`, from 0, under which carets stand.
    caret: Range<usize>,
}

impl Line {
    fn new(source: &Source, span: &Range<usize>, hidden: &[Range<usize>]) -> Line {
        let line = source.line_range(span.start);
        let mut cells: Vec<char> = Vec::new();
        let (mut caret_start, mut caret_end) = (None, None);
        let (mut masked_until, mut ellipsis) = (0, 0);
        for (at, c) in source.text[line.clone()].char_indices() {
            let at = line.start + at;
            if at >= span.end {
                let end = if at < masked_until {
                    ellipsis + 1
                } else {
                    cells.len()
                };
                caret_end.get_or_insert(end);
            }
            if at >= span.start {
                // Inside a masked value the caret stands under its ellipsis.
                let cell = if at < masked_until {
                    ellipsis
                } else {
                    cells.len()
                };
                caret_start.get_or_insert(cell);
            }
            if at < masked_until {
                continue;
            }
            if let Some(range) = hidden.iter().find(|range| range.contains(&at)) {
                masked_until = range.end;
                if matches!(c, '"' | '\'') {
                    cells.extend([c, '…', c]);
                    ellipsis = cells.len() - 2;
                } else {
                    cells.push('…');
                    ellipsis = cells.len() - 1;
                }
            } else if c == '\t' {
                cells.extend([' '; 4]);
            } else {
                cells.push(printable_char(c));
            }
        }
        let start = caret_start.unwrap_or(cells.len());
        let end = caret_end.unwrap_or(cells.len()).max(start);
        Line::cut(&cells, start..end)
    }

    fn cut(cells: &[char], caret: Range<usize>) -> Line {
        if cells.len() <= LINE_COLUMNS_MAX {
            return Line {
                text: cells.iter().collect(),
                caret,
            };
        }
        let from = caret.start.saturating_sub(LINE_COLUMNS_MAX / 2);
        let from = from.min(cells.len() - LINE_COLUMNS_MAX);
        let to = from + LINE_COLUMNS_MAX;
        let (before, after) = (from > 0, to < cells.len());
        let mut text = String::new();
        text.extend(before.then_some('…'));
        text.extend(&cells[from..to]);
        text.extend(after.then_some('…'));
        let shift = usize::from(before);
        Line {
            text,
            caret: caret.start - from + shift..caret.end.min(to) - from + shift,
        }
    }
}

/// Every problem of a configuration, by file and position.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    left_out: usize,
}

impl Diagnostics {
    /// Adds a problem; the same message at the same place counts once. Beyond 100 only what decides is kept: the
    /// first error of each scope.
    pub fn push(&mut self, mut diagnostic: Diagnostic) {
        diagnostic.span = diagnostic.source.clamp(&diagnostic.span);
        let known = self.list.iter().any(|other| {
            other.span == diagnostic.span
                && other.message == diagnostic.message
                && other.source.name == diagnostic.source.name
        });
        if known {
            return;
        }
        let decides = diagnostic.severity == Severity::Error
            && !self
                .list
                .iter()
                .any(|other| other.severity == Severity::Error && other.scope == diagnostic.scope);
        if self.list.len() < DIAGNOSTICS_MAX || decides {
            self.list.push(diagnostic);
        } else {
            self.left_out += 1;
        }
    }

    /// The problems in order; after [`Context::finish`](super::Context::finish) that of the files.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether one of them is an error.
    pub fn has_errors(&self) -> bool {
        self.errors_count() > 0
    }

    /// Turns unknown keys and variables that are unset into errors, as `check` and `TAPLINE_STRICT` want them.
    pub fn strict(&mut self) {
        for diagnostic in &mut self.list {
            if matches!(diagnostic.kind, Kind::UnknownKey | Kind::Unset) {
                diagnostic.severity = Severity::Error;
            }
        }
    }

    /// All of them as `check` prints them, with an empty line between two.
    pub fn render(&self) -> String {
        let mut out = String::new();
        for (index, diagnostic) in self.list.iter().enumerate() {
            if index > 0 {
                out.push('\n');
            }
            diagnostic.render(&mut out);
        }
        if self.left_out > 0 {
            writeln!(out, "\nand {} more", self.left_out).expect("a String takes every write");
        }
        out
    }

    /// How many there are, for example `2 errors, 1 warning`; empty where there is none.
    pub fn summary(&self) -> String {
        let errors = self.errors_count();
        let parts = [
            (errors, "error"),
            (self.list.len() - errors, "warning"),
            (self.left_out, "left out"),
        ];
        let parts = parts.iter().filter(|(count, _)| *count > 0);
        let parts: Vec<String> = parts
            .map(|(count, word)| {
                let plural = *count > 1 && *word != "left out";
                format!("{count} {word}{}", if plural { "s" } else { "" })
            })
            .collect();
        parts.join(", ")
    }

    fn errors_count(&self) -> usize {
        let errors = self.list.iter();
        errors.filter(|d| d.severity == Severity::Error).count()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Diagnostic> {
        self.list.iter_mut()
    }

    pub(super) fn sort(&mut self) {
        self.list.sort_by(|a, b| {
            let by_name = a.source.name.cmp(&b.source.name);
            by_name
                .then(a.span.start.cmp(&b.span.start))
                .then(a.severity.cmp(&b.severity))
        });
    }
}
