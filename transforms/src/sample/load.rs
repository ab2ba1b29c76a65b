//! Reads the table of a `sample`, and says what is wrong with it.

use std::time::Duration;

use tapline_core::config::{Field, FieldKind, Fields, Kind, Reader, Severity, Spanned, size_text};
use tapline_core::expr::{Expression, Name, Path, Subject};
use tapline_core::registry::Build;
use tapline_core::transform::Transform;

use super::Sample;
use super::key::{Key, Share};
use super::limit::{Limit, RATE_COUNT_MAX, Rate};
use super::tail::Tail;

/// The keys of `sample`.
pub(super) const FIELDS: Fields = &[
    Field {
        name: "rate",
        kind: FieldKind::Number { min: 0.0, max: 1.0 },
        default: "",
        required: false,
        doc: "Share of the keys whose records are kept, from 0 to 1. The same key has the same fate everywhere. \
              Required, but where there is only a `limit`.",
    },
    Field {
        name: "by",
        kind: FieldKind::Text,
        default: "\"request_id\"",
        required: false,
        doc: "What decides: `request_id`, `trace_id` or a path such as `.user.id`. A record without it is kept.",
    },
    Field {
        name: "keep",
        kind: FieldKind::Expression,
        default: "",
        required: false,
        doc: "Records for which this holds are never left out, and bear no weight.",
    },
    Field {
        name: "tail",
        kind: FieldKind::Table(TAIL),
        default: "",
        required: false,
        doc: "Holds the lines of an invocation until its end, and then decides on all of them.",
    },
    Field {
        name: "limit",
        kind: FieldKind::Table(LIMIT),
        default: "",
        required: false,
        doc: "Bounds the records of a key in a time; what it suppresses is summed up in records of type \
              `tapline.summary`.",
    },
];

/// The keys of `tail`.
const TAIL: Fields = &[
    Field {
        name: "keep",
        kind: FieldKind::Expression,
        default: "",
        required: true,
        doc: "Invocations for which this holds are kept, all others fall to `rate`. It may name what an invocation has: \
              `failed`, `status`, `duration`, `cold_start`, ids, and the names of the environment.",
    },
    Field {
        name: "context",
        kind: FieldKind::Integer {
            min: 0,
            max: 10_000,
        },
        default: "200",
        required: false,
        doc: "How many trace and debug lines before each error, and before the end, are kept with an invocation. 0 to \
              10000; all others of them fall to `rate`.",
    },
    Field {
        name: "memory",
        kind: FieldKind::Size {
            min: 64 << 10,
            max: 1 << 30,
        },
        default: "\"1MiB\"",
        required: false,
        doc: "Most bytes that are held, for all invocations together. 64KiB to 1GiB, at most half of the file's \
              `memory`. What does not fit is decided early, in favour of the lines.",
    },
    Field {
        name: "max_wait",
        kind: FieldKind::Duration {
            min: Duration::from_secs(1),
            max: Duration::from_secs(900),
        },
        default: "\"30s\"",
        required: false,
        doc: "Longest time that a line is held, while the environment runs. 1s to 15m. An invocation that takes longer \
              is kept.",
    },
];

/// The keys of `limit`.
const LIMIT: Fields = &[
    Field {
        name: "rate",
        kind: FieldKind::Text,
        default: "",
        required: true,
        doc: "Records of one key: 1 to 1000000 in a second, a minute or an hour, as `500/s`, `20/m` or `100/h`. So many \
              may come at once.",
    },
    Field {
        name: "by",
        kind: FieldKind::Text,
        default: "\"message\"",
        required: false,
        doc: "The key: a name such as `message` or a path such as `.route`. A record without it is let through.",
    },
];

pub(super) fn build(reader: &Reader<'_>, build: &Build<'_>) -> Option<Box<dyn Transform>> {
    let by = reader.text("by").and_then(|by| read_key(reader, &by));
    let keep = build.expression(reader, "keep");
    let keep_read = keep.is_some() || !reader.has("keep");
    // Each is read even where another is wrong, so that all problems are shown at once.
    let tail = reader.table("tail").map(|table| read_tail(&table, build));
    let limit = reader.table("limit").map(|table| read_limit(&table, build));
    let rate = read_rate(reader);
    let sample = Sample::new(by?, Share::new(rate?), keep);
    let sample = match tail {
        Some(tail) => sample.with_tail(tail?),
        None if reader.has("tail") => return None,
        None => sample,
    };
    let sample = match limit {
        Some(limit) => sample.with_limit(limit?),
        None if reader.has("limit") => return None,
        None => sample,
    };
    keep_read.then(|| Box::new(sample) as Box<dyn Transform>)
}

fn read_rate(reader: &Reader<'_>) -> Option<f64> {
    if reader.has("rate") {
        return reader.number("rate").map(|rate| rate.value);
    }
    if reader.has("limit") && !reader.has("tail") {
        return Some(1.0);
    }
    let message = format!("{} lacks the key `rate`", reader.label());
    let help = "add `rate = …`, a number from 0 to 1: the share that is kept";
    reader.report(
        Severity::Error,
        Kind::Missing,
        reader.header(),
        message,
        help,
    );
    None
}

fn read_key(reader: &Reader<'_>, by: &Spanned<String>) -> Option<Key> {
    match by.value.as_str() {
        "request_id" => Some(Key::RequestId),
        "trace_id" => Some(Key::TraceId),
        path if path.starts_with('.') => match Path::parse(path) {
            Ok(parsed) => Some(Key::path(path, parsed)),
            Err(problem) => {
                let span = reader.inside(by, problem.span);
                reader.error(span, problem.message, problem.help);
                None
            }
        },
        _ => {
            let message = format!("{} is no key to sample by", reader.quote(by));
            let help = "write `request_id`, `trace_id` or a path such as `.user.id`";
            reader.error(by.span.clone(), message, help);
            None
        }
    }
}

fn read_tail(reader: &Reader<'_>, build: &Build<'_>) -> Option<Tail> {
    let keep = build.expression(reader, "keep");
    let keep = keep.filter(|keep| asks_an_invocation(reader, keep));
    let context = reader.integer("context");
    let memory = read_memory(reader, build);
    let max_wait = reader.duration("max_wait");
    let context = usize::try_from(context?.value).ok()?;
    Some(Tail::new(keep?, context, memory?, max_wait?.value))
}

/// Whether an expression names only what an invocation has; says so where it does not.
fn asks_an_invocation(reader: &Reader<'_>, keep: &Expression) -> bool {
    let of_record =
        |name: &&Name| matches!(name, Name::Type | Name::Time | Name::Level | Name::Message);
    let wrong = match keep.names().find(of_record) {
        Some(name) => format!("`{name}` belongs to a record"),
        None if keep.reads_paths() => "a path reads a record".to_owned(),
        None => return true,
    };
    let help = "an invocation is asked: use `failed`, `status`, `duration`, `cold_start`, `request_id` or names of the \
                environment; `failed` is true where a record of level error was written";
    if let Some(source) = reader.text("keep") {
        reader.error(
            source.span,
            format!("{wrong}, and `tail.keep` is asked of an invocation"),
            help,
        );
    }
    false
}

/// The bytes that may be held: a ceiling that shrinks to half of the budget.
fn read_memory(reader: &Reader<'_>, build: &Build<'_>) -> Option<usize> {
    let memory = reader.size("memory")?;
    let half = build.memory / 2;
    if memory.value <= half {
        return usize::try_from(memory.value).ok();
    }
    if reader.has("memory") {
        let message = format!(
            "the lines may take {}, more than half of the file's `memory` ({}); they get {}",
            size_text(memory.value),
            size_text(build.memory),
            size_text(half)
        );
        let help = "write less here, or more for the file";
        reader.warning(memory.span, message, help);
    }
    usize::try_from(half).ok()
}

fn read_limit(reader: &Reader<'_>, build: &Build<'_>) -> Option<Limit> {
    let rate = reader.text("rate").and_then(|text| {
        let rate = Rate::parse(&text.value);
        if rate.is_none() {
            let message = format!("{} is no rate", reader.quote(&text));
            let help = format!("write 1 to {RATE_COUNT_MAX} records in a second, a minute or an hour, such as `500/s`, `20/m` or `100/h`");
            reader.error(text.span.clone(), message, help);
        }
        Some((rate?, text.value))
    });
    let by = reader.text("by").and_then(|by| {
        let subject = Subject::parse(&by.value, &build.names);
        let subject = subject.map_err(|problem| {
            let span = reader.inside(&by, problem.span);
            reader.error(span, problem.message, problem.help);
        });
        Some((subject.ok()?, by.value))
    });
    let ((rate, rate_text), (by, by_text)) = (rate?, by?);
    Some(Limit::new(rate, &rate_text, by, &by_text))
}
