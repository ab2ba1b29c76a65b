//! `otlp`: the OpenTelemetry protocol, to a collector or to a service that speaks it.
//!
//! Protocol: OTLP 1.x over HTTP/1.1, as protobuf or JSON, one POST a batch over one connection that is kept.
//! [`logs`] says what of a record stands where. Every attempt carries `x-tapline-batch`, the same for the same records.
//!
//! Guarantee: at least once. An attempt whose answer was lost is repeated; the attribute `log.record.uid` is the same
//! on every attempt.
//!
//! - 2xx: accepted, but for as many as `partial_success` says were rejected.
//! - 429, 502, 503, 504: tried again, not before `Retry-After` (seconds or a date).
//! - 413: sent again in two halves; one record alone is rejected.
//! - other statuses, 500 and redirects too: rejected, with the status as reason, as the protocol asks.
//! - timeout, no connection, no TLS, an answer that breaks off in its head: tried again.
//!
//! # Limits
//!
//! At most 4,000 records and 1 MiB of them, before encoding, in a request. An encoded request is held once, with gzip
//! twice, until its answer. Of an answer see [`crate::shared::http`].

use hyper::Method;
use hyper::header::{
    CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
};
use std::time::Duration;
use tapline_core::config::{Field, FieldKind, Fields, Kind, Reader, Severity};
use tapline_core::level::Level;
use tapline_core::registry::{Build, SinkKind};
use tapline_core::sink::{Call, CallLimits, Outcome, Selection, Sink, Verdict};
use tapline_core::world::Boxed;

use crate::buffer::lines_bytes;
use crate::grpc;
use crate::shared::gzip::Gzip;
use crate::shared::headers::{self, not_built, refuse};
use crate::shared::http::{Client, Failure, Outgoing};
use crate::shared::packer::{Packed, Packer};
use crate::shared::tls::{self, TLS_FIELDS, Tls};
use crate::shared::url::{self, Url};
use answer::{Meaning, meaning};
use environment::Signal;
use logs::{Body, Scratch};
use wire::{Json, Proto};

mod answer;
mod environment;
mod logs;
pub(crate) mod reply;
mod resource;
#[cfg(test)]
mod tests;
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
const COMPRESSIONS: &[&str] = &["none", "gzip"];

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
        kind: FieldKind::Any,
        default: "",
        required: false,
        doc: "URL for metrics. Not in this version.",
    },
    Field {
        name: "traces_endpoint",
        kind: FieldKind::Any,
        default: "",
        required: false,
        doc: "URL for traces. Not in this version.",
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
        doc: "What is sent. In this version only `logs`.",
    },
    Field {
        name: "temporality",
        kind: FieldKind::Any,
        default: "",
        required: false,
        doc: "Whether metrics count since the last request or since the start. Not in this version.",
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
        doc: "Compression of requests. With `gzip` one that it does not make smaller is still sent as it is.",
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
        doc: "`sigv4` signs requests to AWS's own endpoints. Not in this version.",
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
        doc: "Whom to trust. Without `ca`, `OTEL_EXPORTER_OTLP_CERTIFICATE`.",
    },
];

const AGENT: HeaderValue = HeaderValue::from_static(concat!("tapline/", env!("CARGO_PKG_VERSION")));
const BATCH_ID: HeaderName = HeaderName::from_static("x-tapline-batch");

/// How much one request holds. 4 MiB is what collectors commonly take, and JSON may triple a record.
const LIMITS: CallLimits = CallLimits {
    records_max: 4_000,
    bytes_max: 1 << 20,
};

/// Where a collector is expected without any word about it.
const ENDPOINT: &str = "http://localhost:4318";
const ENDPOINT_GRPC: &str = "http://localhost:4317";

/// What `protocol` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Protobuf,
    Json,
    Grpc,
}

/// How requests travel.
enum Transport {
    Http(Client),
    Grpc(grpc::Client),
}

impl Transport {
    /// Sends one encoded request. `Err` where nothing came back.
    async fn send(
        &mut self,
        call: &Call<'_>,
        headers: &HeaderMap,
        packed: &Packed,
        sent: usize,
    ) -> Result<Meaning, Failure> {
        let mut headers = headers.clone();
        if packed.gzipped && matches!(self, Transport::Http(_)) {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        if let Ok(id) = HeaderValue::from_str(call.batch_id) {
            headers.insert(BATCH_ID, id);
        }
        match self {
            Transport::Http(client) => {
                let outgoing = Outgoing {
                    method: Method::POST,
                    headers,
                    body: packed.body.clone(),
                };
                let answer = client.send(call, &outgoing).await?;
                Ok(meaning(&answer, sent, call.world.wall_ms()))
            }
            Transport::Grpc(client) => {
                let (body, gzipped) = (&packed.body, packed.gzipped);
                let reply = client.call(call, &headers, body, gzipped).await?;
                Ok(reply.meaning(sent))
            }
        }
    }
}

/// Sends batches to one collector.
struct Otlp {
    /// As messages name it: ``sink `out` ``.
    label: String,
    transport: Transport,
    packer: Packer,
    form: Form,
    body: Body,
    /// Those that are the same on every request.
    headers: HeaderMap,
    timeout: Option<Duration>,
    scratch: Scratch,
    /// Which sorts of remarks were made.
    remarked: [bool; 4],
}

fn build(reader: &Reader<'_>, _: &Build<'_>) -> Option<Box<dyn Sink>> {
    read(reader).map(|sink| Box::new(sink) as Box<dyn Sink>)
}

/// Reads everything before it gives up, so that all problems are shown at once.
fn read(reader: &Reader<'_>) -> Option<Otlp> {
    let later = [
        refuse(reader, "metrics_endpoint"),
        refuse(reader, "traces_endpoint"),
        refuse(reader, "temporality"),
        refuse_signals(reader),
        refuse_word(reader, "auth", "sigv4"),
    ];
    let form = read_form(reader);
    let url = read_url(reader, Signal::Logs, form == Some(Form::Grpc));
    let own_headers = read_headers(reader);
    let gzip = read_gzip(reader);
    let body = reader.choice("body");
    let connect_timeout = reader.duration("connect_timeout");
    let tls = read_tls(reader);
    if later.contains(&true) {
        return None;
    }
    let form = form?;
    let (url, connect_timeout, tls) = (url?, connect_timeout?.value, tls?);
    let transport = match form {
        Form::Grpc => {
            let method = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
            Transport::Grpc(grpc::Client::new(url, method, connect_timeout, tls)?)
        }
        _ => Transport::Http(Client::new(url, connect_timeout, tls)),
    };
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, AGENT);
    let kind = match form {
        Form::Protobuf => "application/x-protobuf",
        Form::Json => "application/json",
        Form::Grpc => "application/grpc",
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.extend(own_headers?);
    Some(Otlp {
        label: reader.label().to_owned(),
        transport,
        packer: Packer::new(gzip?.then(Gzip::default)),
        form,
        body: match body?.value {
            "record" => Body::Record,
            _ => Body::Message,
        },
        headers,
        timeout: environment::timeout(reader, Signal::Logs),
        scratch: Scratch::default(),
        remarked: [false; 4],
    })
}

/// Reports a word that is not in this version, where it is chosen.
fn refuse_word(reader: &Reader<'_>, key: &str, word: &str) -> bool {
    let chosen = reader.choice(key).filter(|chosen| chosen.value == word);
    if let Some(chosen) = &chosen {
        not_built(reader, chosen.span.clone(), &format!("`{word}`"));
    }
    chosen.is_some()
}

fn refuse_signals(reader: &Reader<'_>) -> bool {
    let Some(signals) = reader.list_of_text("signals") else {
        return true;
    };
    if signals.is_empty() {
        let span = reader
            .key_span("signals")
            .unwrap_or_else(|| reader.header());
        let help = "write `signals = [\"logs\"]`";
        reader.error(span, "`signals` names nothing that could be sent", help);
        return true;
    }
    let later = signals.into_iter().filter(|signal| signal.value != "logs");
    let spans: Vec<_> = later.map(|signal| (signal.span, signal.value)).collect();
    for (span, word) in &spans {
        not_built(reader, span.clone(), &format!("the signal `{word}`"));
    }
    !spans.is_empty()
}

fn read_form(reader: &Reader<'_>) -> Option<Form> {
    let chosen = reader.choice("protocol")?;
    let chosen = if reader.has("protocol") {
        chosen
    } else {
        let word = environment::word(reader, Signal::Logs, "PROTOCOL", PROTOCOLS);
        chosen.map(|default| word.unwrap_or(default))
    };
    match chosen.value {
        "grpc" if !grpc::BUILT => {
            let message = "`grpc` is not in this build";
            let help = "rebuild with the cargo feature `otlp-grpc`, or write `http/protobuf`";
            reader.report(Severity::Error, Kind::NotBuilt, chosen.span, message, help);
            None
        }
        "grpc" => Some(Form::Grpc),
        "http/json" => Some(Form::Json),
        _ => Some(Form::Protobuf),
    }
}

/// Where a signal goes: its own key, the base key, its own variable, the base variable, the default.
fn read_url(reader: &Reader<'_>, signal: Signal, over_grpc: bool) -> Option<Url> {
    let own = format!("{}_endpoint", signal.word());
    // Both are read, so that what is wrong with the one that is not used is said too.
    let exact = given(reader, &own, None);
    let base = given(reader, "endpoint", Some(signal));
    if let Some(url) = exact.or(base) {
        return url;
    }
    let found = environment::find(reader, signal, "ENDPOINT");
    let (place, value, base) = match &found {
        Some(found) => (found.name.as_str(), found.value.clone(), !found.of_signal),
        None if over_grpc => ("", ENDPOINT_GRPC.to_owned(), true),
        None => ("", ENDPOINT.to_owned(), true),
    };
    let value = if over_grpc && !value.contains("://") {
        let insecure = environment::find(reader, signal, "INSECURE");
        let insecure = insecure.is_some_and(|found| found.value.eq_ignore_ascii_case("true"));
        format!("{}://{value}", if insecure { "http" } else { "https" })
    } else {
        value
    };
    match url::parse(&value).and_then(|url| joined(url, base.then_some(signal))) {
        Ok(url) => Some(url),
        Err(wrong) => {
            let message = format!("`{place}`: {}", wrong.message);
            reader.error(reader.header(), message, wrong.help);
            None
        }
    }
}

/// The URL under a key: `None` where it is absent, `Some(None)` where it is wrong, which was reported.
fn given(reader: &Reader<'_>, key: &str, base_of: Option<Signal>) -> Option<Option<Url>> {
    if !reader.has(key) {
        return None;
    }
    let url = reader.text(key).and_then(|text| {
        // A URL may be a credential as a whole.
        reader.hide(text.span.clone());
        match url::parse(&text.value).and_then(|url| joined(url, base_of)) {
            Ok(url) => Some(url),
            Err(wrong) => {
                reader.error(text.span, wrong.message, wrong.help);
                None
            }
        }
    });
    Some(url)
}

/// A base with the path of a signal added, its query behind it; anything else as it is.
fn joined(mut url: Url, base_of: Option<Signal>) -> Result<Url, url::Wrong> {
    let Some(signal) = base_of else {
        return Ok(url);
    };
    let path = url.target.path().trim_end_matches('/');
    let query = url.target.query();
    let query = query.map_or_else(String::new, |query| format!("?{query}"));
    let target = format!("{path}/v1/{}{query}", signal.word()).parse();
    url.target = target.map_err(|_| url::Wrong {
        message: "the URL cannot be read",
        help: "write `https://host[:port]/path`",
    })?;
    Ok(url)
}

fn read_headers(reader: &Reader<'_>) -> Option<HeaderMap> {
    if !reader.has("headers") {
        return Some(environment::headers(reader, Signal::Logs));
    }
    let mut right = true;
    for (name, _) in reader.map_of_secrets("headers") {
        let parsed = HeaderName::from_bytes(name.value.as_bytes());
        let taken =
            |name: &HeaderName| !headers::is_reserved(name.as_str()) && environment::is_taken(name);
        if parsed.as_ref().is_ok_and(taken) {
            let message = format!(
                "the header `{}` is set by Tapline alone",
                name.value.to_lowercase()
            );
            reader.error(name.span, message, "leave it out");
            right = false;
        }
    }
    headers::read_map(reader).filter(|_| right)
}

fn read_gzip(reader: &Reader<'_>) -> Option<bool> {
    let chosen = reader.choice("compression")?.value;
    let word = if reader.has("compression") {
        None
    } else {
        environment::word(reader, Signal::Logs, "COMPRESSION", COMPRESSIONS)
    };
    Some(word.unwrap_or(chosen) == "gzip")
}

fn read_tls(reader: &Reader<'_>) -> Option<Tls> {
    let from_environment = || {
        let found = environment::find(reader, Signal::Logs, "CERTIFICATE")?;
        Some(found.value.into())
    };
    tls::read(reader, from_environment)
}

impl Otlp {
    async fn send(&mut self, records: &Selection, call: &Call<'_>) -> Outcome {
        let (form, body, scratch) = (self.form, self.body, &mut self.scratch);
        let bytes = lines_bytes(records);
        let packed = self.packer.pack(bytes, call.budget, |out| match form {
            Form::Protobuf | Form::Grpc => {
                logs::write(&mut Proto(out), records, call.facts, body, scratch)
            }
            Form::Json => logs::write(&mut Json(out), records, call.facts, body, scratch),
        });
        let sent = records.len();
        let meaning = self
            .transport
            .send(call, &self.headers, &packed, sent)
            .await;
        self.packer.take_back(packed, call.budget);
        match meaning {
            Ok(meaning) => {
                self.remark(call, &meaning);
                meaning.outcome
            }
            Err(failure) => Outcome::from(Verdict::from(failure)),
        }
    }

    /// Says what the collector had to say, each sort once.
    fn remark(&mut self, call: &Call<'_>, meaning: &Meaning) {
        if let Some(remark) = &meaning.remark
            && !std::mem::replace(&mut self.remarked[remark.sort()], true)
        {
            let line = remark.line(&self.label, Signal::Logs.word());
            call.world.log(Level::Warn, &line);
        }
    }
}

impl Sink for Otlp {
    fn limits(&self) -> CallLimits {
        LIMITS
    }

    fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    fn deliver<'a>(&'a mut self, records: &'a Selection, call: Call<'a>) -> Boxed<'a, Outcome> {
        Box::pin(async move { self.send(records, &call).await })
    }
}
