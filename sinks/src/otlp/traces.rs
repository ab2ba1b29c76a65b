//! Observations as `ExportTraceServiceRequest`.
//!
//! | Span | Kind | From | Parent |
//! |---|---|---|---|
//! | the function's name | server | an invocation | that of the X-Ray header |
//! | `init`, `restore` | server | the init or the restore | that of the X-Ray header |
//! | `extension overhead` | internal | what extensions took after the runtime was done | the invocation's |
//!
//! The X-Ray header decides: without `Sampled=1`, and without a usable root, there is no span. The id of a span is the
//! one that the platform gave it, else one that is made from the trace, the environment and the request id, so that
//! every attempt sends the same.
//!
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/telemetry-otel-spans.html> and
//! <https://opentelemetry.io/docs/specs/semconv/faas/faas-spans/>, read 2026-11-25.

use tapline_core::facts::Facts;
use tapline_core::invocation::Trace;
use tapline_core::observation::{Observation, What};
use tapline_core::sink::{Call, CallLimits, Outcome, Selection, Sink, Verdict};
use tapline_core::world::Boxed;

use super::exporter::{Exporter, Form};
use super::metrics::ns;
use super::resource;
use super::value::{boolean_attribute, text_attribute};
use super::wire::{Json, Key, Proto, Text, Wire};

const RESOURCE_SPANS: Key = Key::roomy(1, "resourceSpans", 2);
const SCOPE_SPANS: Key = Key::roomy(2, "scopeSpans", 2);
const SPANS: Key = Key::roomy(2, "spans", 2);

const TRACE_ID: Key = Key::new(1, "traceId");
const SPAN_ID: Key = Key::new(2, "spanId");
const PARENT_ID: Key = Key::new(4, "parentSpanId");
const NAME: Key = Key::new(5, "name");
const KIND: Key = Key::new(6, "kind");
const START: Key = Key::new(7, "startTimeUnixNano");
const END: Key = Key::new(8, "endTimeUnixNano");
const ATTRIBUTES: Key = Key::new(9, "attributes");
const STATUS: Key = Key::new(15, "status");
const CODE: Key = Key::new(3, "code");

/// `SpanKind`.
const INTERNAL: u32 = 1;
const SERVER: u32 = 2;
/// `StatusCode`: an error. Success leaves it unset, as the conventions ask of servers.
const ERROR: u32 = 2;

/// Sends spans.
pub(super) struct Traces {
    exporter: Exporter,
}

impl Traces {
    /// Spans from now on.
    pub fn new(exporter: Exporter) -> Traces {
        Traces { exporter }
    }

    async fn send(&mut self, records: &Selection, call: &Call<'_>) -> Outcome {
        if !records
            .observations()
            .any(|observation| span(observation).is_some())
        {
            return Verdict::Accepted.into();
        }
        let facts = call.facts;
        let bytes = records.len() * SPAN_BYTES;
        self.exporter
            .send(call, bytes, records.len(), |out, form| match form {
                Form::Json => write(&mut Json(out), records, facts),
                Form::Protobuf | Form::Grpc => write(&mut Proto(out), records, facts),
            })
            .await
    }
}

/// About how long a span is, in bytes.
const SPAN_BYTES: usize = 512;

impl Sink for Traces {
    fn limits(&self) -> CallLimits {
        CallLimits {
            records_max: 1_000,
            bytes_max: 1 << 20,
        }
    }

    fn deliver<'a>(&'a mut self, records: &'a Selection, call: Call<'a>) -> Boxed<'a, Outcome> {
        Box::pin(async move { self.send(records, &call).await })
    }
}

/// What of an observation becomes a span.
struct Span<'a> {
    trace: &'a Trace,
    start_ns: u64,
    end_ns: u64,
}

fn span(observation: &Observation) -> Option<Span<'_>> {
    let trace = observation.trace.as_ref()?;
    if !trace.sampled || trace.trace_id.is_empty() {
        return None;
    }
    let (start_ns, end_ns) = match (observation.what, observation.overhead) {
        (What::Report, None) => return None,
        (What::Report, Some((start_ms, duration_ms))) => {
            let length_ns = (duration_ms.clamp(0.0, 1e12) * 1e6) as u64;
            (ns(start_ms), ns(start_ms).saturating_add(length_ns))
        }
        _ => (ns(observation.start_ms()), ns(observation.end_ms)),
    };
    Some(Span {
        trace,
        start_ns,
        end_ns,
    })
}

pub(super) fn write<W: Wire>(wire: &mut W, records: &Selection, facts: &Facts) {
    wire.root(|wire| {
        resource::around(wire, RESOURCE_SPANS, SCOPE_SPANS, facts, |wire| {
            wire.list(SPANS, |wire| {
                for observation in records.observations() {
                    if let Some(span) = span(observation) {
                        wire.item(SPANS, |wire| write_span(wire, observation, &span, facts));
                    }
                }
            });
        });
    });
}

fn write_span<W: Wire>(wire: &mut W, observation: &Observation, span: &Span<'_>, facts: &Facts) {
    let own = id(observation, span.trace, facts);
    let (name, kind, id, parent) = match observation.what {
        What::Init => ("init", SERVER, own, span.trace.span_id.clone()),
        What::Restore => ("restore", SERVER, own, span.trace.span_id.clone()),
        What::Invocation => {
            let name = match facts.function_name.as_str() {
                "" => "invocation",
                name => name,
            };
            (name, SERVER, own, span.trace.span_id.clone())
        }
        What::Report => {
            let id = made(&[&own, "extension overhead"]);
            ("extension overhead", INTERNAL, id, own)
        }
    };
    wire.id(TRACE_ID, span.trace.trace_id.as_bytes());
    wire.id(SPAN_ID, id.as_bytes());
    if !parent.is_empty() && parent != id {
        wire.id(PARENT_ID, parent.as_bytes());
    }
    wire.text(NAME, Text::Plain(name.as_bytes()));
    wire.number(KIND, kind);
    wire.fixed(START, span.start_ns);
    wire.fixed(END, span.end_ns);
    wire.list(ATTRIBUTES, |wire| write_attributes(wire, observation));
    let failed = observation.failed && observation.what != What::Report;
    if failed {
        wire.message(STATUS, |wire| wire.number(CODE, ERROR));
    }
}

fn write_attributes<W: Wire>(wire: &mut W, observation: &Observation) {
    if !observation.request_id.is_empty() {
        let id = Text::Plain(observation.request_id.as_bytes());
        text_attribute(wire, ATTRIBUTES, "faas.invocation_id", id);
    }
    if observation.what == What::Invocation {
        boolean_attribute(wire, ATTRIBUTES, "faas.coldstart", observation.cold_start);
    }
    if observation.failed && observation.what != What::Report {
        let status = observation.status.map(|status| status.as_str());
        let kind = match observation.error_type.as_str() {
            "" => status
                .filter(|status| *status != "success")
                .unwrap_or("error"),
            kind => kind,
        };
        text_attribute(wire, ATTRIBUTES, "error.type", Text::Plain(kind.as_bytes()));
    }
}

/// The id of the span of an init, a restore or an invocation: that of the platform, else one that is always the same.
fn id(observation: &Observation, trace: &Trace, facts: &Facts) -> String {
    if !observation.span_id.is_empty() {
        return observation.span_id.to_ascii_lowercase();
    }
    let phase = match observation.what {
        What::Init => "init",
        What::Restore => "restore",
        What::Invocation | What::Report => "invocation",
    };
    made(&[
        &trace.trace_id,
        &facts.instance,
        phase,
        &observation.request_id,
    ])
}

/// 16 hex digits from texts: FNV-1a with 64 bits, never zero.
fn made(parts: &[&str]) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for part in parts {
        for byte in part.bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    format!("{:016x}", hash.max(1))
}
