//! Reading `[sink.NAME]`.

use tapline_core::config::{Kind, Reader, Scope, Severity, Spanned, words_list};
use tapline_core::expr::Expression;
use tapline_core::port::DeliverySettings;
use tapline_core::queue::Overflow;
use tapline_core::registry::{Build, SinkKind};
use tapline_core::suggest::closest;
use tapline_core::units;

use super::kind::{self, NAME_HELP, Row};
use super::stages::Transform;
use super::{SinkPlan, fields};

/// Least ceiling: a request would hold no more than an eighth of it.
const BYTES_PER_HOUR_MIN: u64 = 64 << 10;

/// Most sinks of one file, since each has a queue and a request of its own.
pub(super) const SINKS_MAX: usize = 32;

/// Reads all tables, in the order of the file.
pub(super) fn read(
    root: &Reader<'_>,
    kinds: &[SinkKind],
    build: &Build<'_>,
    transforms: &[Transform],
) -> Vec<SinkPlan> {
    let tables = root.map_of_tables("sink");
    if tables.is_empty() {
        let message = "the file has no sink, so that no record would leave";
        let help = "add a table `[sink.out]` with `type = \"console\"`";
        let span = root.key_span("sink").unwrap_or_else(|| root.header());
        root.report(Severity::Error, Kind::Missing, span, message, help);
    }
    if let Some((name, _)) = tables.get(SINKS_MAX) {
        let message = format!("the file has more than {SINKS_MAX} sinks");
        root.error(
            name.span.clone(),
            message,
            "send what belongs together to one sink",
        );
    }
    let tables = tables.into_iter().take(SINKS_MAX);
    let plans = tables.map(|(name, reader)| {
        let label = format!("sink `{}`", name.value);
        let reader = reader
            .with_scope(Scope::Sink(name.value.clone()), label)
            .with_fields(&[], fields::SINK);
        plan(name, reader, kinds, build, transforms)
    });
    plans.collect()
}

fn plan(
    name: Spanned<String>,
    mut reader: Reader<'_>,
    kinds: &[SinkKind],
    build: &Build<'_>,
    transforms: &[Transform],
) -> SinkPlan {
    if !kind::is_name(&name.value) {
        let message = format!("`{}` cannot name a sink", name.value);
        reader.error(name.span, message, NAME_HELP);
    }
    let rows: Vec<Row> = kinds.iter().map(row).collect();
    let kind = kind::find(&reader, "sink", &rows, kind::LATER_SINKS);
    let kind = kind.map(|found| &kinds[found]);
    if let Some(kind) = kind {
        reader = reader.with_fields(kind.fields, fields::SINK);
    }
    let mut when = build.expression(&reader, "when");
    let after = tap(&reader, transforms);
    if let Some(after) = after {
        check_redaction(&reader, after, transforms);
    }
    let mut delivery = delivery(&reader);
    let sink = match kind.and_then(|kind| kind.build) {
        Some(make) => {
            let made = make(&reader, build);
            reader.finish();
            if made.as_ref().is_some_and(|sink| !sink.takes_records()) {
                // This holds for no record: all of them count as filtered.
                when = Expression::parse("not exists(.a) and exists(.a)", &build.names).ok();
            }
            if let Some(timeout) = made.as_ref().and_then(|sink| sink.timeout())
                && !reader.has("timeout")
            {
                delivery.timeout = timeout;
            }
            made
        }
        None => {
            reader.hide_unknown();
            None
        }
    };
    SinkPlan {
        name: name.value,
        kind: kind.map_or("", |kind| kind.name),
        after: after.unwrap_or_default(),
        when,
        delivery,
        dead_letter: None,
        sink,
    }
}

fn row(kind: &SinkKind) -> Row {
    Row {
        name: kind.name,
        feature: kind.feature,
        built: kind.build.is_some(),
    }
}

/// The number of stages that the sink's records have passed; `None` after it reported that there is no such transform.
fn tap(reader: &Reader<'_>, transforms: &[Transform]) -> Option<usize> {
    let all = transforms.last().map_or(0, |last| last.through);
    if !reader.has("after") {
        return Some(all);
    }
    let after = reader.text("after")?;
    let named = transforms
        .iter()
        .find(|transform| transform.name.as_ref() == Some(&after.value));
    if let Some(transform) = named {
        return Some(transform.through);
    }
    let names: Vec<&str> = transforms
        .iter()
        .filter_map(|t| t.name.as_deref())
        .collect();
    let suggestion = closest(&after.value, &names).filter(|_| !after.interpolated);
    let label = suggestion.map_or_else(String::new, |name| format!("did you mean `{name}`?"));
    let message = format!("no transform is called {}", reader.quote(&after));
    let help = if names.is_empty() {
        "give a transform a `name`, or leave `after` out to take what has passed all".to_owned()
    } else {
        format!("write {}", words_list(names))
    };
    reader.report_labelled(
        Severity::Error,
        Kind::Invalid,
        after.span,
        message,
        label,
        help,
    );
    None
}

/// Once the file redacts, what has passed no redaction leaves only where the sink says so.
fn check_redaction(reader: &Reader<'_>, after: usize, transforms: &[Transform]) {
    let unredacted = reader
        .boolean("unredacted")
        .is_some_and(|value| value.value);
    let mut redactions = transforms.iter().filter(|t| t.outline.redacts).peekable();
    if unredacted || redactions.peek().is_none() {
        return;
    }
    if redactions.any(|t| t.outline.enabled && t.through <= after) {
        return;
    }
    let span = reader.key_span("after").unwrap_or_else(|| reader.header());
    let message = format!("no `redact` comes before {}", reader.label());
    let help = "let the sink take what has passed a `redact` that is enabled, or write `unredacted = true`";
    reader.error(span, message, help);
}

fn delivery(reader: &Reader<'_>) -> DeliverySettings {
    let mut settings = DeliverySettings::default();
    if let Some(timeout) = reader.duration("timeout") {
        settings.timeout = timeout.value;
    }
    let attempts = reader
        .table("retry")
        .and_then(|retry| retry.integer("max_attempts"));
    if let Some(attempts) = attempts.and_then(|value| u32::try_from(value.value).ok()) {
        settings.attempts_max = attempts;
    }
    let strikes = reader
        .table("breaker")
        .and_then(|breaker| breaker.integer("strikes"));
    if let Some(strikes) = strikes.and_then(|value| u32::try_from(value.value).ok()) {
        settings.strikes_max = strikes;
    }
    if let Some(queue) = reader.table("queue") {
        if let Some(bytes) = queue.size("bytes") {
            settings.queue_bytes_max = usize::try_from(bytes.value).unwrap_or(usize::MAX);
        }
        let overflow = queue.choice("overflow");
        if let Some(overflow) = overflow.and_then(|word| Overflow::from_word(word.value)) {
            settings.overflow = overflow;
        }
    }
    settings.bytes_per_hour = bytes_per_hour(reader);
    settings
}

/// A ceiling, from 64 KiB to 1 TiB; `None` for none, also after what is wrong was reported.
fn bytes_per_hour(reader: &Reader<'_>) -> Option<u64> {
    let text = reader.text("bytes_per_hour")?;
    if text.value == "none" {
        return None;
    }
    let help = "write `\"none\"`, or a size from 64KiB to 1TiB such as `\"100MiB\"`";
    match units::size(&text.value) {
        Ok(bytes) if bytes >= BYTES_PER_HOUR_MIN => return Some(bytes),
        Ok(_) => {
            let message = format!("{} an hour is too little to be of use", reader.quote(&text));
            reader.error(text.span, message, help);
        }
        Err(why) => reader.error(text.span, why, help),
    }
    None
}
