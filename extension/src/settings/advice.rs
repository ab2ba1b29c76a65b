//! Advice for whoever writes the file: nothing is wrong, but probably not meant so. Given outside of Lambda only.

use std::time::Duration;

use tapline_core::config::{Data, Field, FieldKind, Fields, Reader, duration_text};

use super::stages::Transform;
use super::{FlushSettings, PlatformFormat, ReceiverSettings, SinkPlan, Strategy};

/// Looks at the file as a whole.
pub(super) fn give(
    root: &Reader<'_>,
    receiver: &ReceiverSettings,
    transforms: &[Transform],
    sinks: &[SinkPlan],
) {
    if let Some(span) = root.key_span("test") {
        let message = "`tapline test` is not in this version; tests are neither checked nor run";
        root.warning(span, message, "");
    }
    of_redaction(root, transforms);
    of_unused(root, transforms, sinks);
    if !(receiver.platform || receiver.function || receiver.extension) {
        let message = "`types` names no source, so that every record counts as filtered";
        let help = "write for example `types = [\"platform\", \"function\"]`";
        root.warning(place_of_types(root), message, help);
    }
    if let Some(span) = root
        .table("receiver")
        .and_then(|reader| reader.key_span("platform_format"))
        && receiver.platform_format == PlatformFormat::Text
        && !receiver.platform
    {
        let message = "`platform_format` has no effect: `types` does not name `platform`";
        let help = "add `\"platform\"` to `types`, or take the key out";
        root.warning(span, message, help);
    }
    let tables = root.map_of_tables("sink");
    let groups = tables
        .iter()
        .zip(sinks)
        .filter(|(_, sink)| sink.kind == "cloudwatch");
    for ((_, reader), _) in groups {
        of_group(root, reader);
    }
    let mut consoles = tables
        .iter()
        .zip(sinks)
        .filter(|(_, sink)| sink.kind == "console");
    if receiver.extension && consoles.any(|((_, reader), _)| !reader.has("path")) {
        let message = "a console sink on standard output makes records of type `extension`, which it takes in again";
        let help = "take `\"extension\"` out of `types`, or give the console a `path`";
        root.warning(place_of_types(root), message, help);
    }
}

/// What is looked at in the table of a `cloudwatch` sink.
const GROUP_FIELDS: Fields = &[any("group"), any("format")];

const fn any(name: &'static str) -> Field {
    Field {
        name,
        kind: FieldKind::Any,
        default: "",
        required: false,
        doc: "",
    }
}

/// A group that Lambda writes to as well, and what `enrich` sets where most messages are text.
fn of_group(root: &Reader<'_>, reader: &Reader<'_>) {
    let reader = reader.clone().with_fields(GROUP_FIELDS, &[]);
    let text = |key| match reader.raw(key).map(|value| (&value.data, &value.span)) {
        Some((Data::Text(text), span)) => Some((text.as_str(), span.clone())),
        _ => None,
    };
    if let Some((group, span)) = text("group")
        && group.starts_with("/aws/lambda/")
    {
        let message = "Lambda writes the function's lines under `/aws/lambda/` too: they are there, and paid for, twice";
        let help = "write another group, and deny the function's role to write to Lambda's";
        reader.warning(span, message, help);
    }
    let bare = text("format").is_none_or(|(format, _)| format == "bare");
    let sets = |transform: &Reader<'_>| transform.has("set") || transform.has("lookup");
    if bare && root.tables("transform").iter().any(sets) {
        let message =
            "what `enrich` sets is merged into lines of JSON; lines of text carry none of it";
        let help = "write `format = \"envelope\"`, or let the function log JSON";
        reader.warning(reader.header(), message, help);
    }
}

fn place_of_types(root: &Reader<'_>) -> std::ops::Range<usize> {
    let types = root
        .table("receiver")
        .and_then(|reader| reader.key_span("types"));
    types.unwrap_or_else(|| root.header())
}

fn of_redaction(root: &Reader<'_>, transforms: &[Transform]) {
    let redacts = |t: &Transform| t.outline.redacts && t.outline.enabled;
    let Some(last) = transforms.iter().rposition(redacts) else {
        let message = "nothing is redacted: records leave as they come";
        let help = "add a `[[transform]]` of type `redact` before the sinks";
        root.warning(root.header(), message, help);
        return;
    };
    for span in transforms[last + 1..]
        .iter()
        .filter_map(|t| t.sets_env.clone())
    {
        let message =
            "a value of the environment is set after the last `redact`, which does not see it";
        let help = "move the `redact` below, unless the variable holds nothing secret";
        root.warning(span, message, help);
    }
}

/// Transforms whose work no sink takes.
fn of_unused(root: &Reader<'_>, transforms: &[Transform], sinks: &[SinkPlan]) {
    let Some(furthest) = sinks.iter().map(|sink| sink.after).max() else {
        return;
    };
    let unused = transforms
        .iter()
        .find(|t| t.outline.enabled && t.through > furthest);
    if let Some(unused) = unused {
        let message = format!("no sink takes what has passed `{}`", unused.outline.name);
        let help = "remove it, or leave out the `after` of a sink";
        root.warning(unused.header.clone(), message, help);
    }
}

/// Values that can be meant but mostly are not.
pub(super) fn of_flush(reader: &Reader<'_>, settings: &FlushSettings) {
    let span = |key| reader.key_span(key).unwrap_or_else(|| reader.header());
    if settings.max_hold > Duration::from_secs(2) {
        let message = "an invocation may be held for more than 2s, which is billed and keeps the environment busy";
        reader.warning(span("max_hold"), message, "write `max_hold = \"500ms\"`");
    }
    if settings.max_hold.is_zero() && settings.strategy != Strategy::Continuous {
        let message =
            "nothing is held to send: records wait for the next invocation or the shutdown";
        let help = "write for example `max_hold = \"100ms\"`";
        reader.warning(span("max_hold"), message, help);
    }
    if settings.deadline_margin < Duration::from_millis(100) {
        let message =
            "with less than 100ms before the deadline the platform may cut an invocation off";
        let help = "write `deadline_margin = \"500ms\"`";
        reader.warning(span("deadline_margin"), message, help);
    }
    if settings.deadline_margin > Duration::from_secs(2) {
        let timeout = duration_text(settings.deadline_margin * 10);
        let message = format!(
            "the margin is at most 10 % of the function's timeout: below {timeout} this one is not reached"
        );
        reader.warning(
            span("deadline_margin"),
            message,
            "write `deadline_margin = \"500ms\"`",
        );
    }
}
