//! `otlp`: the OpenTelemetry protocol, to a collector or to a service that speaks it.
//!
//! Protocol: OTLP 1.x over HTTP/1.1, as protobuf or JSON, one POST a batch over one connection that is kept; with
//! `otlp-grpc` also over HTTP/2. [`logs`] says what of a record stands where, [`metrics`] and [`traces`] what is made of
//! observations; each signal has an [`exporter`] of its own. Every attempt carries `x-tapline-batch`, the same for the same records.
//!
//! Guarantee: at least once. An attempt whose answer was lost is repeated; the attribute `log.record.uid` is the same
//! on every attempt.
//!
//! - 2xx with the protocol's message: accepted, but for as many as `partial_success` says were rejected.
//! - 2xx without it, or with a body that breaks off: tried again.
//! - 429, 502, 503, 504: tried again, not before `Retry-After` (seconds or a date).
//! - 413: sent again in two halves; one record alone is rejected.
//! - 401, 403, 404: denied, and the records are kept: they speak of credentials and of the address.
//! - other statuses, 500 and redirects too: rejected, with the status as reason, as the protocol asks.
//! - timeout, no connection, no TLS, an answer that breaks off in its head: tried again.
//!
//! # Limits
//!
//! At most 4,000 records and 1 MiB of them, before encoding, in a request. An encoded request is held once, with gzip
//! twice, until its answer. Of an answer see [`crate::shared::http`].

use std::time::Duration;

use tapline_core::config::{Field, FieldKind, Fields, Reader};
use tapline_core::registry::{Build, SinkKind};
use tapline_core::sink::{Call, CallLimits, Outcome, Selection, Sink, Verdict};
use tapline_core::world::Boxed;

use crate::buffer::lines_bytes;
use crate::shared::tls::TLS_FIELDS;
use environment::Signal;
use exporter::{Exporter, Form};
use logs::{Body, Scratch};
use metrics::{Metrics, Temporality};
use traces::Traces;
use wire::{Json, Proto};

mod answer;
mod environment;
mod exporter;
mod logs;
mod metrics;
pub(crate) mod reply;
mod resource;
#[cfg(test)]
mod tests;
mod traces;
mod value;
mod wire;

/// The row of this sink.
pub(crate) const KIND: SinkKind = SinkKind {
    name: "otlp",
    feature: "otlp",
    fields: FIELDS,
    build: Some(build),
};

const PROTOCOLS: &[&str] = &["http/protobuf", "http/json", "grpc"];
const COMPRESSIONS: &[&str] = &["none", "gzip", "zstd"];

const FIELDS: Fields = &[
    Field {
        name: "endpoint",
        kind: FieldKind::Text,
        default: "",
        required: false,
        doc: "Base of the collector's URLs, to which `/v1/logs` and the like are added. Without it \
              `OTEL_EXPORTER_OTLP_ENDPOINT`, else `http://localhost:4318`.",
    },
    Field {
        name: "logs_endpoint",
        kind: FieldKind::Text,
        default: "",
        required: false,
        doc: "URL for logs, used as it is in place of `endpoint`.",
    },
    Field {
        name: "metrics_endpoint",
        kind: FieldKind::Text,
        default: "",
        required: false,
        doc: "URL for metrics, used as it is in place of `endpoint`.",
    },
    Field {
        name: "traces_endpoint",
        kind: FieldKind::Text,
        default: "",
        required: false,
        doc: "URL for traces, used as it is in place of `endpoint`.",
    },
    Field {
        name: "protocol",
        kind: FieldKind::Choice(PROTOCOLS),
        default: "\"http/protobuf\"",
        required: false,
        doc: "Form and transport. `grpc` needs the cargo feature `otlp-grpc`, and uses of an endpoint only scheme, host and \
              port.",
    },
    Field {
        name: "signals",
        kind: FieldKind::List(&FieldKind::Choice(&["logs", "metrics", "traces"])),
        default: "[\"logs\"]",
        required: false,
        doc: "What is sent. `metrics` and `traces` are made from platform events, as they come in.",
    },
    Field {
        name: "temporality",
        kind: FieldKind::Choice(&["delta", "cumulative"]),
        default: "\"delta\"",
        required: false,
        doc: "What metrics count from: the request before, or the start of the environment.",
    },
    Field {
        name: "body",
        kind: FieldKind::Choice(&["message", "record"]),
        default: "\"message\"",
        required: false,
        doc: "Body of a log record. `message`: the message, and the other members of JSON as attributes; `record`: \
              all of the record.",
    },
    Field {
        name: "compression",
        kind: FieldKind::Choice(COMPRESSIONS),
        default: "\"gzip\"",
        required: false,
        doc: "Compression of requests; one that it does not make smaller is still sent as it is. `zstd` is beyond the \
              protocol: the Collector takes it; it is in builds with the cargo feature `zstd`.",
    },
    Field {
        name: "headers",
        kind: FieldKind::Map(&FieldKind::Secret),
        default: "",
        required: false,
        doc: "Headers of every request, each a string or `{ env = \"NAME\" }` with an optional `prefix`. Without it \
              `OTEL_EXPORTER_OTLP_HEADERS`.",
    },
    Field {
        name: "auth",
        kind: FieldKind::Choice(&["none", "sigv4"]),
        default: "\"none\"",
        required: false,
        doc: "`sigv4` signs requests to AWS's own endpoints with the credentials of the function.",
    },
    Field {
        name: "connect_timeout",
        kind: FieldKind::Duration {
            min: Duration::from_millis(1),
            max: Duration::from_secs(60),
        },
        default: "\"1s\"",
        required: false,
        doc: "Longest time for name, connection and TLS together. It counts towards `timeout`.",
    },
    Field {
        name: "tls",
        kind: FieldKind::Table(TLS_FIELDS),
        default: "{}",
        required: false,
        doc: "Whom to trust, and who connects. Without `ca`, `OTEL_EXPORTER_OTLP_CERTIFICATE`; without `cert` and `key`, \
              `OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE` and `OTEL_EXPORTER_OTLP_CLIENT_KEY`.",
    },
];

/// How much one request holds. 4 MiB is what collectors commonly take, and JSON may triple a record.
const LIMITS: CallLimits = CallLimits {
    records_max: 4_000,
    bytes_max: 1 << 20,
};

/// The same for AWS's own endpoint, which takes 1 MiB after encoding: short records double. A request that is larger all
/// the same is halved before it is sent.
const AWS_LIMITS: CallLimits = CallLimits {
    records_max: 4_000,
    bytes_max: 512 << 10,
};

/// Sends batches to one collector, and knows what is sent beside them.
struct Otlp {
    /// `None` where `signals` does not name logs: no record comes then.
    logs: Option<Exporter>,
    body: Body,
    timeout: Option<Duration>,
    scratch: Scratch,
    companions: Vec<(&'static str, Box<dyn Sink>)>,
}

fn build(reader: &Reader<'_>, _: &Build<'_>) -> Option<Box<dyn Sink>> {
    read(reader).map(|sink| Box::new(sink) as Box<dyn Sink>)
}

/// Reads everything before it gives up, so that all problems are shown at once.
fn read(reader: &Reader<'_>) -> Option<Otlp> {
    let signals = read_signals(reader);
    let body = reader.choice("body");
    let temporality = reader.choice("temporality");
    let signals = signals?;
    let exporter = |signal| {
        let exporter = signals.contains(&signal);
        exporter.then(|| Exporter::read(reader, signal))
    };
    let logs = exporter(Signal::Logs);
    let metrics = exporter(Signal::Metrics);
    let traces = exporter(Signal::Traces);
    let temporality = match temporality?.value {
        "cumulative" => Temporality::Cumulative,
        _ => Temporality::Delta,
    };
    let mut companions: Vec<(&'static str, Box<dyn Sink>)> = Vec::new();
    if let Some(exporter) = metrics {
        let metrics = Metrics::new(exporter?, temporality);
        companions.push((Signal::Metrics.word(), Box::new(metrics)));
    }
    if let Some(exporter) = traces {
        companions.push((Signal::Traces.word(), Box::new(Traces::new(exporter?))));
    }
    Some(Otlp {
        logs: match logs {
            Some(exporter) => Some(exporter?),
            None => None,
        },
        body: match body?.value {
            "record" => Body::Record,
            _ => Body::Message,
        },
        timeout: environment::timeout(reader, signals[0]),
        scratch: Scratch::default(),
        companions,
    })
}

/// At least one signal; `None` after it reported what is wrong.
fn read_signals(reader: &Reader<'_>) -> Option<Vec<Signal>> {
    let words = reader.list_of_text("signals")?;
    let all = [Signal::Logs, Signal::Metrics, Signal::Traces];
    let named = |signal: &Signal| words.iter().any(|word| word.value == signal.word());
    let signals: Vec<Signal> = all.into_iter().filter(named).collect();
    if words.is_empty() {
        let span = reader.key_span("signals");
        let span = span.unwrap_or_else(|| reader.header());
        let help = "write `signals = [\"logs\"]`";
        reader.error(span, "`signals` names nothing that could be sent", help);
    }
    (!signals.is_empty()).then_some(signals)
}

impl Otlp {
    async fn send(&mut self, records: &Selection, call: &Call<'_>) -> Outcome {
        let (facts, body, scratch) = (call.facts, self.body, &mut self.scratch);
        let Some(logs) = &mut self.logs else {
            return Verdict::Rejected("no_logs".into()).into();
        };
        let bytes = lines_bytes(records);
        logs.send(call, bytes, records.len(), |out, form| match form {
            Form::Json => logs::write(&mut Json(out), records, facts, body, scratch),
            Form::Protobuf | Form::Grpc => {
                logs::write(&mut Proto(out), records, facts, body, scratch);
            }
        })
        .await
    }
}

impl Sink for Otlp {
    fn limits(&self) -> CallLimits {
        match &self.logs {
            Some(logs) if logs.is_aws() => AWS_LIMITS,
            _ => LIMITS,
        }
    }

    fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    fn takes_records(&self) -> bool {
        self.logs.is_some()
    }

    fn companions(&mut self) -> Vec<(&'static str, Box<dyn Sink>)> {
        std::mem::take(&mut self.companions)
    }

    fn deliver<'a>(&'a mut self, records: &'a Selection, call: Call<'a>) -> Boxed<'a, Outcome> {
        Box::pin(async move { self.send(records, &call).await })
    }
}
