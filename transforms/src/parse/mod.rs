//! `parse`: joins the lines of a stack trace, and reads text into fields.
//!
//! A runtime without a framed log channel hands over standard error line by line, so that one error becomes ten
//! records. `parse` puts them together again: the first one keeps its time, level and ids and gets the text of all,
//! the others become part of it and count as `merged`. Lines are joined within one invocation only; records of other
//! invocations between them change nothing, and any other record of the same invocation ends the join. What runtimes
//! write into one record with `\r` gets its line breaks back.
//!
//! A trace that may go on in the next POST is held for `wait`, at most until its invocation is done; one that comes
//! outside of an invocation only while an init runs.
//!
//! With `format`, text becomes a JSON object of its fields. What cannot be read stays as it is and counts as
//! `unparsed`. Level and request id of a record that had none are taken from what was read.
//!
//! A line in CloudWatch's embedded metric format is left alone.
//!
//! # Limits
//!
//! `max_lines` and `max_bytes` a record: what is over them begins another one. [`OPEN_MAX`] traces are open at once.
//! What is held is charged to the budget.

mod fields;
mod trace;

use std::time::Duration;

use tapline_core::batch::{Batch, Fate, Lane, Origin, Slice};
use tapline_core::budget::Charge;
use tapline_core::config::{Field, FieldKind, Fields, Reader};
use tapline_core::expr::Pattern;
use tapline_core::invocation::Slot;
use tapline_core::json;
use tapline_core::ledger::add;
use tapline_core::recognise::{self, logfmt::Pair};
use tapline_core::registry::{Build, TransformKind};
use tapline_core::transform::{Context, Holding, Transform};
use tapline_core::view::{View, trim_newline};
use tapline_core::world::Instant;

use fields::Format;
use trace::Trace;

/// The row of the registry.
pub const KIND: TransformKind = TransformKind {
    name: "parse",
    feature: "parse",
    fields: FIELDS,
    build: Some(build),
    redacts: false,
};

/// Traces that are open at once, one an invocation; the oldest is given out for another one.
const OPEN_MAX: usize = 64;

/// Its keys.
const FIELDS: Fields = &[
    Field {
        name: "join",
        kind: FieldKind::Boolean,
        default: "true",
        required: false,
        doc: "Joins the lines of a stack trace into one record, and turns the `\\r` that runtimes write into line breaks.",
    },
    Field {
        name: "start",
        kind: FieldKind::Regex,
        default: "",
        required: false,
        doc: "A text that matches begins a record, and any other one of the same invocation goes on with it. For formats \
              of your own; Tapline knows the traces of Lambda's runtimes.",
    },
    Field {
        name: "continue",
        kind: FieldKind::Regex,
        default: "",
        required: false,
        doc: "A text that matches goes on with the record before, beside the traces that Tapline knows.",
    },
    Field {
        name: "max_lines",
        kind: FieldKind::Integer {
            min: 2,
            max: 10_000,
        },
        default: "500",
        required: false,
        doc: "Most lines of one record. 2 to 10000. What comes after them begins another one.",
    },
    Field {
        name: "max_bytes",
        kind: FieldKind::Size {
            min: 1 << 10,
            max: 1 << 20,
        },
        default: "\"128KiB\"",
        required: false,
        doc: "Most text of one joined record. 1KiB to 1MiB. What comes after it begins another one.",
    },
    Field {
        name: "wait",
        kind: FieldKind::Duration {
            min: Duration::ZERO,
            max: Duration::from_secs(10),
        },
        default: "\"250ms\"",
        required: false,
        doc: "Longest time that a trace waits for its next line, while its invocation runs. 0s to 10s; with 0s lines are \
              joined within one delivery of the platform only.",
    },
    Field {
        name: "format",
        kind: FieldKind::Choice(&["none", "json", "logfmt", "key_value"]),
        default: "\"none\"",
        required: false,
        doc: "What text is read as: one JSON object, pairs alone (`level=info msg=\"x\"`), or pairs among words, which stay \
              as `message`. The record becomes an object; what cannot be read stays as it is and is counted.",
    },
];

fn build(reader: &Reader<'_>, _: &Build<'_>) -> Option<Box<dyn Transform>> {
    let start = regex(reader, "start");
    let next = regex(reader, "continue");
    let format = match reader.choice("format")?.value {
        "json" => Format::Json,
        "logfmt" => Format::Logfmt,
        "key_value" => Format::KeyValue,
        _ => Format::None,
    };
    let join = reader.boolean("join")?.value;
    if !join {
        for key in ["start", "continue", "max_lines", "max_bytes", "wait"] {
            if let Some(span) = reader.key_span(key) {
                let message = format!("`{key}` has no effect with `join = false`");
                reader.error(span, message, "take one of the two out");
            }
        }
        if format == Format::None {
            let message = format!("{} does nothing", reader.label());
            reader.error(
                reader.header(),
                message,
                "set a `format`, or take `join = false` out",
            );
        }
    }
    Some(Box::new(Parse {
        join,
        start: start?,
        next: next?,
        lines_max: reader.integer("max_lines")?.value as u32,
        bytes_max: reader.size("max_bytes")?.value as usize,
        wait: reader.duration("wait")?.value,
        format,
        open: Vec::new(),
        pairs: Vec::new(),
    }))
}

/// The regex of a key, `Some(None)` where the key is absent.
fn regex(reader: &Reader<'_>, key: &str) -> Option<Option<Pattern>> {
    if !reader.has(key) {
        return Some(None);
    }
    let source = reader.text(key)?;
    match Pattern::parse(&source.value) {
        Ok(pattern) => Some(Some(pattern)),
        Err(problem) => {
            reader.error(
                reader.inside(&source, problem.span),
                problem.message,
                problem.help,
            );
            None
        }
    }
}

struct Parse {
    join: bool,
    start: Option<Pattern>,
    next: Option<Pattern>,
    lines_max: u32,
    bytes_max: usize,
    wait: Duration,
    format: Format,
    /// One an invocation, oldest first.
    open: Vec<Open>,
    pairs: Vec<Pair>,
}

/// The last text of an invocation, to which the next one may belong.
struct Open {
    invocation: Slot,
    place: Place,
    trace: Trace,
    /// The text of all its lines; empty while there is one only.
    text: Vec<u8>,
    lines: u32,
    due: Instant,
}

/// Where the record is whose text grows.
enum Place {
    /// In the batch at hand.
    Here(usize),
    /// In a batch of its own, held back; the charge is for the text.
    Held(Box<Batch>, Charge),
}

impl Transform for Parse {
    fn apply(&mut self, mut batch: Batch, context: &Context<'_>, output: &mut Vec<Batch>) {
        if self.join {
            // What a batch that broke left behind means nothing for this one.
            self.open.retain(Open::is_held);
            for position in 0..batch.records().len() {
                let record = &batch.records()[position];
                if record.is_live() && record.origin == Origin::Function {
                    self.join(&mut batch, position, context, output);
                }
            }
            self.settle(&mut batch, context, output);
        }
        for position in 0..batch.records().len() {
            self.read(&mut batch, position, context);
        }
        if !batch.records().is_empty() {
            output.push(batch);
        }
    }

    fn prepare(&mut self) {
        for pattern in self.start.iter().chain(&self.next) {
            pattern.prepare();
        }
    }

    fn holding(&self) -> Holding {
        let held = self.open.iter().filter(|open| open.is_held());
        Holding {
            held: held.clone().count() as u64,
            made: 0,
            due: held.map(|open| open.due).min(),
        }
    }

    fn expire(&mut self, context: &Context<'_>, output: &mut Vec<Batch>) {
        let now = context.world.now();
        self.give_out(|open| open.due <= now, context, output);
    }

    fn evict(&mut self, lane: Lane) -> u64 {
        let of_lane = |open: &Open| match &open.place {
            Place::Held(batch, _) => batch.records()[0].lane() == lane,
            Place::Here(_) => false,
        };
        match self.open.iter().position(of_lane) {
            Some(oldest) => {
                self.open.remove(oldest);
                1
            }
            None => 0,
        }
    }

    fn release(&mut self, context: &Context<'_>, output: &mut Vec<Batch>) {
        self.give_out(|_| true, context, output);
    }
}

impl Open {
    fn is_held(&self) -> bool {
        matches!(self.place, Place::Held(..))
    }
}

impl Parse {
    /// Takes a record to the one that it goes on with, or lets it be the one that others go on with.
    fn join(
        &mut self,
        batch: &mut Batch,
        position: usize,
        context: &Context<'_>,
        output: &mut Vec<Batch>,
    ) {
        let record = &batch.records()[position];
        let invocation = record.invocation;
        // Without an id nobody knows whose line it is where invocations overlap.
        if invocation == Slot::NONE && context.invocations.overlapping() {
            return;
        }
        let known = self
            .open
            .iter()
            .position(|open| open.invocation == invocation);
        let view = View::new(batch, record, context.surroundings());
        let is_text = view.raw().first() == Some(&b'"') && !record.embedded_metrics;
        let line = trim_newline(view.text());
        if !is_text || line.first() == Some(&b'{') {
            drop(view);
            if let Some(known) = known {
                self.close(known, batch, context, output);
            }
            return;
        }
        if let Some(known) = known {
            let open = &self.open[known];
            let trace = self.goes_on(open, line);
            let fits = open.lines < self.lines_max
                && open.length(batch, context) + line.len() < self.bytes_max;
            if let Some(trace) = trace
                && fits
            {
                let mut taken = context.scratch.take();
                taken.extend_from_slice(line);
                drop(view);
                self.open[known].append(batch, &taken, trace, context, self.wait);
                context.scratch.give_back(taken);
                batch.records_mut()[position].fate = Fate::Merged;
                return;
            }
            // What no longer fits goes on by itself.
            let trace = trace.unwrap_or_else(|| head(line));
            drop(view);
            self.close(known, batch, context, output);
            self.begin(invocation, position, trace, batch, context, output);
            return;
        }
        let trace = head(line);
        drop(view);
        self.begin(invocation, position, trace, batch, context, output);
    }

    /// What is read once a line was taken; `None` where it begins a record of its own.
    fn goes_on(&self, open: &Open, line: &[u8]) -> Option<Trace> {
        if let Some(start) = &self.start {
            if start.is_match(line) {
                return None;
            }
            if self.next.is_none() {
                return Some(open.trace);
            }
        }
        if self.next.as_ref().is_some_and(|next| next.is_match(line)) {
            return Some(open.trace);
        }
        open.trace.next(line)
    }

    fn begin(
        &mut self,
        invocation: Slot,
        position: usize,
        trace: Trace,
        batch: &mut Batch,
        context: &Context<'_>,
        output: &mut Vec<Batch>,
    ) {
        if self.open.len() == OPEN_MAX {
            self.close(0, batch, context, output);
        }
        self.open.push(Open {
            invocation,
            place: Place::Here(position),
            trace,
            text: Vec::new(),
            lines: 1,
            due: context.world.now() + self.wait,
        });
    }

    /// At the end of a batch: what may go on is held, everything else is finished.
    fn settle(&mut self, batch: &mut Batch, context: &Context<'_>, output: &mut Vec<Batch>) {
        let asked = self.start.is_some() || self.next.is_some();
        let mut leaving = Vec::new();
        let mut at = 0;
        while let Some(open) = self.open.get_mut(at) {
            // Behind the end of everything there is no time to wait in: the environment is about to be frozen.
            let waits = context.invocations.running(open.invocation)
                && !self.wait.is_zero()
                && (asked || open.may_go_on(batch, context));
            match open.place {
                _ if !waits => {
                    self.close(at, batch, context, output);
                    continue;
                }
                Place::Here(position) => {
                    let charge = context.budget.charge_over(open.text.capacity());
                    let alone = batch.compact(std::iter::once(position));
                    leaving.push(position);
                    open.place = Place::Held(Box::new(alone), charge);
                }
                Place::Held(..) => {}
            }
            at += 1;
        }
        if !leaving.is_empty() {
            let mut position = 0;
            batch.retain(|_| {
                position += 1;
                !leaving.contains(&(position - 1))
            });
        }
    }

    /// Gives out what is held and due.
    fn give_out(
        &mut self,
        due: impl Fn(&Open) -> bool,
        context: &Context<'_>,
        output: &mut Vec<Batch>,
    ) {
        let (given, kept) = std::mem::take(&mut self.open).into_iter().partition(due);
        self.open = kept;
        let given: Vec<Open> = given;
        for open in given {
            self.finish_held(open, context, output);
        }
    }

    /// Ends what is open: its text is written, and where it was held it goes out.
    fn close(
        &mut self,
        at: usize,
        batch: &mut Batch,
        context: &Context<'_>,
        output: &mut Vec<Batch>,
    ) {
        let open = self.open.remove(at);
        match open.place {
            Place::Here(position) => write_text(batch, position, &open.text),
            Place::Held(..) => self.finish_held(open, context, output),
        }
    }

    fn finish_held(&mut self, open: Open, context: &Context<'_>, output: &mut Vec<Batch>) {
        if let Place::Held(mut batch, _) = open.place {
            write_text(&mut batch, 0, &open.text);
            self.read(&mut batch, 0, context);
            output.push(*batch);
        }
    }

    /// Gives a record its line breaks back, and reads its text into fields.
    fn read(&mut self, batch: &mut Batch, position: usize, context: &Context<'_>) {
        let record = &batch.records()[position];
        let readable = matches!(record.origin, Origin::Function | Origin::Extension)
            && record.is_live()
            && !record.embedded_metrics
            && batch.bytes(record.value).first() == Some(&b'"');
        if !readable {
            return;
        }
        if self.join && memchr::memmem::find(batch.bytes(record.value), b"\\r").is_some() {
            restore_lines(batch, position, context);
        }
        if self.format != Format::None {
            self.read_fields(batch, position, context);
        }
    }

    fn read_fields(&mut self, batch: &mut Batch, position: usize, context: &Context<'_>) {
        let record = &batch.records()[position];
        let mut object = context.scratch.take();
        let view = View::new(batch, record, context.surroundings());
        // What a runtime put before the message is known already; in text that holds JSON there is nothing before it.
        let whole = view.text();
        let read = fields::write(self.format, whole, &mut self.pairs, &mut object)
            || fields::write(self.format, &view.message(), &mut self.pairs, &mut object);
        drop(view);
        if read {
            let found = recognise::in_object(&object, 0..object.len());
            let value = batch.keep(&object);
            let id = found.request_id.map(|range| batch.keep(&object[range]));
            let record = &mut batch.records_mut()[position];
            record.value = value;
            record.level = record.level.or(found.level);
            record.embedded_metrics = found.embedded_metrics;
            if record.request_id.is_empty() {
                record.request_id = id.unwrap_or(Slice::EMPTY);
            }
        } else {
            add(&context.ledger.unparsed, 1);
        }
        context.scratch.give_back(object);
    }
}

impl Open {
    /// The record whose text grows, with its batch.
    fn view<'b>(&'b self, batch: &'b Batch, context: &'b Context<'_>) -> View<'b> {
        let (batch, position) = match &self.place {
            Place::Here(position) => (batch, *position),
            Place::Held(held, _) => (&**held, 0),
        };
        View::new(batch, &batch.records()[position], context.surroundings())
    }

    /// Bytes of the text so far.
    fn length(&self, batch: &Batch, context: &Context<'_>) -> usize {
        match self.text.len() {
            0 => self.view(batch, context).text().len(),
            length => length,
        }
    }

    /// Whether another line may be on its way. What is held was worth it before.
    fn may_go_on(&self, batch: &Batch, context: &Context<'_>) -> bool {
        let view = self.view(batch, context);
        let text = trim_newline(view.text());
        let whole = self.lines == 1 && memchr::memchr2(b'\n', b'\r', text).is_some();
        self.is_held() || (!whole && self.trace.may_go_on(text))
    }

    fn append(
        &mut self,
        batch: &Batch,
        line: &[u8],
        trace: Trace,
        context: &Context<'_>,
        wait: Duration,
    ) {
        if self.text.is_empty() {
            let mut text = std::mem::take(&mut self.text);
            text.extend_from_slice(trim_newline(self.view(batch, context).text()));
            self.text = text;
        }
        self.text.push(b'\n');
        self.text.extend_from_slice(line);
        self.lines += 1;
        self.trace = trace;
        self.due = context.world.now() + wait;
        if let Place::Held(_, charge) = &mut self.place {
            let more = self.text.capacity().saturating_sub(charge.bytes() as usize);
            charge.grow_over(more);
        }
    }
}

/// What a first line is. A text with line breaks of its own is whole as a rule: nothing but a frame may follow.
fn head(text: &[u8]) -> Trace {
    match memchr::memchr2(b'\n', b'\r', text) {
        Some(_) => Trace::Text,
        None => Trace::of_head(text),
    }
}

/// Puts a joined text in the place of a record's own; an empty one was joined with nothing.
fn write_text(batch: &mut Batch, position: usize, text: &[u8]) {
    if text.is_empty() {
        return;
    }
    let value = batch.keep_with(|side| json::quote_into(text, side));
    let record = &mut batch.records_mut()[position];
    record.value = value;
    // The first line says what it is; where it says nothing, all of them may.
    if record.level.is_none() {
        record.level = recognise::in_text(text).level;
    }
}

/// `\r` becomes a line break, and the no-break spaces that Python's runtime puts behind it become spaces.
fn restore_lines(batch: &mut Batch, position: usize, context: &Context<'_>) {
    const NO_BREAK: &[u8] = "\u{a0}".as_bytes();
    let record = &batch.records()[position];
    let view = View::new(batch, record, context.surroundings());
    let text = trim_newline(view.text());
    let tail = &view.text()[text.len()..];
    let mut changed = context.scratch.take();
    let mut rest = text;
    while let Some(end) = memchr::memchr(b'\r', rest) {
        changed.extend_from_slice(&rest[..end]);
        changed.push(b'\n');
        rest = &rest[end + 1..];
        rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        while let Some(indented) = rest.strip_prefix(NO_BREAK) {
            changed.push(b' ');
            rest = indented;
        }
    }
    let differs = !changed.is_empty();
    changed.extend_from_slice(rest);
    changed.extend_from_slice(tail);
    drop(view);
    if differs {
        let value = batch.keep_with(|side| json::quote_into(&changed, side));
        batch.records_mut()[position].value = value;
    }
    context.scratch.give_back(changed);
}

#[cfg(test)]
mod tests;
