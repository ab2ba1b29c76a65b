//! Reading `dead_letter`: which sink takes over what another cannot deliver.
//!
//! Refused: a sink that is not there, a loop, and a way around a redaction. What a sink gives away has passed the
//! stages before its own tap; who takes it over must not have been promised more.

use std::ops::Range;

use tapline_core::config::{Kind, Reader, Scope, Severity, Spanned, words_list};
use tapline_core::suggest::closest;

use super::SinkPlan;
use super::stages::Transform;

/// Fills in `dead_letter` of each plan, in the order of the file.
pub(super) fn read(root: &Reader<'_>, transforms: &[Transform], plans: &mut [SinkPlan]) {
    let tables = root.map_of_tables("sink");
    let readers: Vec<Reader<'_>> = tables
        .into_iter()
        .take(plans.len())
        .map(|(name, reader)| {
            let label = format!("sink `{}`", name.value);
            reader
                .with_scope(Scope::Sink(name.value), label)
                .with_fields(&[], super::fields::SINK)
        })
        .collect();
    let mut spans: Vec<Option<Range<usize>>> = Vec::new();
    for (position, reader) in readers.iter().enumerate() {
        let named = reader
            .has("dead_letter")
            .then(|| reader.text("dead_letter"));
        let named = named.flatten();
        spans.push(named.as_ref().map(|name| name.span.clone()));
        plans[position].dead_letter = named.and_then(|name| find(reader, name, position, plans));
    }
    refuse_loops(&readers, &spans, plans);
    refuse_ways_round(&readers, &spans, transforms, plans);
}

fn refuse_loops(readers: &[Reader<'_>], spans: &[Option<Range<usize>>], plans: &mut [SinkPlan]) {
    for position in 0..plans.len() {
        if closes_loop(position, plans) {
            let message = "dead letters would go round in a loop";
            let help =
                "leave out one `dead_letter` of the loop; what its sink cannot deliver is counted";
            let reader = &readers[position];
            reader.error(place(reader, &spans[position]), message, help);
            plans[position].dead_letter = None;
        }
    }
}

fn refuse_ways_round(
    readers: &[Reader<'_>],
    spans: &[Option<Range<usize>>],
    transforms: &[Transform],
    plans: &mut [SinkPlan],
) {
    for position in 0..plans.len() {
        let Some(heir) = plans[position].dead_letter else {
            continue;
        };
        let unredacted = readers[heir].boolean("unredacted");
        let passed = passed_by_all(position, plans);
        let skipped = transforms.iter().any(|transform| {
            let outline = &transform.outline;
            let promised = passed < transform.through && transform.through <= plans[heir].after;
            outline.redacts && outline.enabled && promised
        });
        if skipped && !unredacted.is_some_and(|value| value.value) {
            let (reader, name) = (&readers[position], &plans[heir].name);
            let message = format!(
                "dead letters of {} have not passed every `redact` that comes before sink `{name}`",
                reader.label()
            );
            let help = format!(
                "let both take what has passed the same `redact`, or write `unredacted = true` in `[sink.{name}]`"
            );
            reader.error(place(reader, &spans[position]), message, help);
            plans[position].dead_letter = None;
        }
    }
}

fn place(reader: &Reader<'_>, span: &Option<Range<usize>>) -> Range<usize> {
    span.clone().unwrap_or_else(|| reader.header())
}

/// The position of the sink with this name; `None` after it reported that there is none, or that it is the same.
fn find(
    reader: &Reader<'_>,
    name: Spanned<String>,
    position: usize,
    plans: &[SinkPlan],
) -> Option<usize> {
    let others = plans.iter().enumerate().filter(|(at, _)| *at != position);
    let names: Vec<&str> = others.map(|(_, plan)| plan.name.as_str()).collect();
    let found = plans.iter().position(|plan| plan.name == name.value);
    if found.is_some_and(|found| found != position) {
        return found;
    }
    let (message, label) = if found.is_some() {
        let message = "a sink cannot take over what it could not deliver itself".to_owned();
        (message, String::new())
    } else {
        let suggestion = closest(&name.value, &names).filter(|_| !name.interpolated);
        let label = suggestion.map_or_else(String::new, |name| format!("did you mean `{name}`?"));
        (format!("no sink is called {}", reader.quote(&name)), label)
    };
    let help = if names.is_empty() {
        "add another sink, or leave the key out; what cannot be delivered is counted".to_owned()
    } else {
        format!("write {}", words_list(names))
    };
    let (severity, kind) = (Severity::Error, Kind::Invalid);
    reader.report_labelled(severity, kind, name.span, message, label, help);
    None
}

/// Whether the way from this sink leads back to it, and no later sink of the file closes the same loop.
fn closes_loop(start: usize, plans: &[SinkPlan]) -> bool {
    let mut at = start;
    // A way without a loop is shorter than there are sinks.
    for _ in 0..plans.len() {
        match plans[at].dead_letter {
            Some(next) if next == start => return true,
            Some(next) if next < start => at = next,
            _ => return false,
        }
    }
    false
}

/// The number of stages that everything in the queue of a sink has passed, letters of other sinks included. There must
/// be no loops.
fn passed_by_all(position: usize, plans: &[SinkPlan]) -> usize {
    let givers = plans
        .iter()
        .enumerate()
        .filter(|(_, plan)| plan.dead_letter == Some(position));
    givers.fold(plans[position].after, |passed, (giver, _)| {
        passed.min(passed_by_all(giver, plans))
    })
}
