//! `http`: requests with many records each, to whatever takes them.
//!
//! Protocol: HTTP/1.1, one POST or PUT a batch over one connection that is kept. Body: with `ndjson` the line of
//! [`tapline_core::line`] for each record, each ended by a newline; with `json_array` the same between `[`, `,` and
//! `]`; with `text` the message of each record, line breaks in it written as `\n` and `\r`, each ended by a newline.
//! Every attempt carries `x-tapline-batch`, the same for the same records. A `preset` brings path, body, headers and
//! the meaning of answers of a known service: a row in `presets.rs`.
//!
//! Guarantee: at least once. An attempt whose answer was lost is repeated; the batch id and, in JSON, the ids of the
//! records tell.
//!
//! - 2xx: accepted, whatever the body says; a preset reads the body, and takes no page for people for a success.
//! - 429, 408, 425, 5xx but for 501 and 505: tried again, not before `Retry-After` (seconds or a date).
//! - 413: sent again in two halves; one record alone is rejected.
//! - 401, 403, 404, 407: said once, loudly; the records are kept and tried again every few minutes.
//! - other statuses, redirects too: rejected, with the status as reason. With `auth.sigv4` the error code decides
//!   first and is the reason: throttling that comes as 400 is tried again, and refused credentials or permissions are
//!   denied like 403.
//! - timeout, no connection, no TLS, an answer that breaks off in its head: tried again; a certificate that is not
//!   trusted or a proxy that lets nobody in: as 403.
//!
//! # Limits
//!
//! `batch.bytes` counts records before encoding and compression. An encoded request is held once, compressed twice,
//! until its answer. No HTTP/2; see [`crate::shared::http`] for what is read of an
//! answer.

use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use hyper::header::{
    CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
};
use tapline_core::config::{Field, FieldKind, Fields, Reader};
use tapline_core::registry::{Build, SinkKind};
use tapline_core::sink::{Call, CallLimits, Outcome, Selection, Sink, Verdict};
use tapline_core::world::{Boxed, World};

use crate::shared::classify::by_status;
use crate::shared::coder::Coder;
use crate::shared::credentials::Missing;
use crate::shared::fault::{CREDENTIALS, Fault, Remedy, denied, verdict_of_wait};
use crate::shared::headers::{self, AUTH_FIELDS};
use crate::shared::http::{AGENT, Answer, Client, Outgoing};
use crate::shared::late::LateHeaders;
use crate::shared::signed::Signed;
use crate::shared::tls::{self, StandIns, TLS_FIELDS};
use crate::shared::url;
use encode::{Encoded, Encoder};
use plan::Plan;
use service::Service;

mod answer;
mod body;
mod document;
mod encode;
mod plan;
mod preset;
mod presets;
mod seen;
mod service;
mod target;
#[cfg(test)]
mod tests;

/// The row of this sink.
pub(crate) const KIND: SinkKind = SinkKind {
    name: "http",
    feature: "http",
    fields: FIELDS,
    build: Some(build),
};

const FIELDS: Fields = &[
    Field {
        name: "url",
        kind: FieldKind::Text,
        default: "",
        required: false,
        doc: "Where requests go, `http://` or `https://`; needed unless the preset knows it. Credentials belong into \
              `headers` or `auth`.",
    },
    Field {
        name: "method",
        kind: FieldKind::Choice(&["POST", "PUT"]),
        default: "\"POST\"",
        required: false,
        doc: "Method of the requests.",
    },
    Field {
        name: "framing",
        kind: FieldKind::Choice(&["ndjson", "json_array", "text"]),
        default: "\"ndjson\"",
        required: false,
        doc: "How records become a body. `ndjson`: a line of JSON each; `json_array`: one JSON array; `text`: the \
              message alone, a line each.",
    },
    Field {
        name: "compression",
        kind: FieldKind::Choice(&["none", "gzip", "zstd"]),
        default: "\"none\"",
        required: false,
        doc: "Compression of the body; one that it does not make smaller is still sent as it is. `zstd` is in builds \
              with the cargo feature of that name.",
    },
    Field {
        name: "headers",
        kind: FieldKind::Map(&FieldKind::Secret),
        default: "",
        required: false,
        doc: "Headers of every request, each a string or `{ env = \"NAME\" }` with an optional `prefix`.",
    },
    Field {
        name: "auth",
        kind: FieldKind::Table(AUTH_FIELDS),
        default: "",
        required: false,
        doc: "Credentials that are sent as `Authorization`; exactly one of the keys.",
    },
    Field {
        name: "batch",
        kind: FieldKind::Table(BATCH_FIELDS),
        default: "{}",
        required: false,
        doc: "How much one request holds.",
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
        doc: "Whom to trust.",
    },
    Field {
        name: "preset",
        kind: FieldKind::Choice(presets::NAMES),
        default: "",
        required: false,
        doc: "A known service: its path, body, headers, limits and answers. Takes the place of `framing` and `method`.",
    },
    Field {
        name: "options",
        kind: FieldKind::Any,
        default: "{}",
        required: false,
        doc: "What the preset wants to know: labels, index, tags, keys; see its page.",
    },
];

const BATCH_FIELDS: Fields = &[
    Field {
        name: "records",
        kind: FieldKind::Integer {
            min: 1,
            max: 10_000,
        },
        default: "1000",
        required: false,
        doc: "Most records of one request.",
    },
    Field {
        name: "bytes",
        kind: FieldKind::Size {
            min: 1 << 10,
            max: 8 << 20,
        },
        default: "\"1MiB\"",
        required: false,
        doc: "Most bytes of one request, before encoding and compression. One larger record still travels, alone.",
    },
];

const BATCH_ID: HeaderName = HeaderName::from_static("x-tapline-batch");

/// Sends batches to one URL.
struct Http {
    client: Client,
    encoder: Encoder,
    method: Method,
    /// Those that are the same on every request.
    headers: HeaderMap,
    limits: CallLimits,
    /// Signs each attempt, where `auth` says so.
    signed: Option<Signed>,
    /// With a preset.
    service: Option<Service>,
}

fn build(reader: &Reader<'_>, build: &Build<'_>) -> Option<Box<dyn Sink>> {
    read(reader, build).map(|sink| Box::new(sink) as Box<dyn Sink>)
}

/// Names and options of every preset, for the documentation and its tests.
pub(crate) fn presets() -> impl Iterator<Item = (&'static str, Fields)> {
    presets::PRESETS
        .iter()
        .map(|preset| (preset.name, preset.options))
}

/// Reads everything before it gives up, so that all problems are shown at once.
fn read(reader: &Reader<'_>, build: &Build<'_>) -> Option<Http> {
    let own_url = reader.has("url").then(|| url::read(reader, "url"));
    let method = reader.choice("method");
    let compression = reader.choice("compression");
    let own_headers = headers::read(reader);
    let signed = headers::read_signed(reader);
    let late = LateHeaders::default().of_headers(reader).of_auth(reader);
    let limits = read_batch(reader);
    let connect_timeout = reader.duration("connect_timeout");
    let tls = tls::read(reader, StandIns::default());
    let plan = Plan::read(reader, build.names);
    let url = match own_url {
        Some(url) => url,
        None => plan.as_ref().and_then(|plan| plan.url(reader)),
    };
    let (plan, compression, limits) = (plan?, compression?, limits?);
    let fits = plan.fits(reader, &compression, &limits);
    let (url, own_headers) = (url?, own_headers?);
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, AGENT);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(plan.content_type));
    headers.extend(plan.headers);
    headers.extend(own_headers);
    let limits = fits?.narrowed(limits);
    let service = plan.service.map(|service| service.behind(&url));
    Some(Http {
        client: Client::new(url, connect_timeout?.value, tls?).with_late(late.and(plan.late)),
        encoder: Encoder::new(plan.writer, plan.limits, Coder::of(compression.value)),
        method: match method?.value {
            "PUT" => Method::PUT,
            _ => Method::POST,
        },
        headers,
        limits,
        signed: plan.signed.or(signed?),
        service,
    })
}

fn read_batch(reader: &Reader<'_>) -> Option<CallLimits> {
    let batch = reader.table("batch")?;
    let (records, bytes) = (batch.integer("records"), batch.size("bytes"));
    Some(CallLimits {
        records_max: usize::try_from(records?.value).ok()?,
        bytes_max: usize::try_from(bytes?.value).ok()?,
    })
}

impl Http {
    async fn send(&mut self, records: &Selection, call: &Call<'_>) -> Outcome {
        let time_ms = service::time_of_first(records, call);
        let encoded = self.encoder.encode(records, call, time_ms);
        let unsendable = self
            .service
            .as_ref()
            .and_then(|service| service.unsendable(records, &encoded));
        let answer = match unsendable {
            Some(verdict) => Err(verdict),
            None => self.exchange(&encoded, call, time_ms).await,
        };
        let outcome = match answer {
            Ok(answer) => self.judge(&answer, records, &encoded, call.world),
            Err(verdict) => service::outcome(records, &encoded, |_| verdict.into()),
        };
        self.encoder.take_back(encoded, call.budget);
        outcome
    }

    /// Sends a body and waits for what comes back.
    async fn exchange(
        &mut self,
        encoded: &Encoded,
        call: &Call<'_>,
        time_ms: i64,
    ) -> Result<Answer, Verdict> {
        let mut headers = self.headers.clone();
        if let Some(coding) = encoded.coding {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        if let Ok(id) = HeaderValue::from_str(call.batch_id) {
            headers.insert(BATCH_ID, id);
        }
        if let Some(service) = &self.service {
            self.client.aim(service.target(call, time_ms)?);
            service.add_headers(call, time_ms, &mut headers);
        }
        let mut outgoing = Outgoing {
            method: self.method.clone(),
            headers,
            body: Bytes::clone(&encoded.body),
        };
        let answer = match &mut self.signed {
            None => self
                .client
                .send(call, &outgoing)
                .await
                .map_err(Missing::Failed),
            Some(signed) => signed.send(&mut self.client, call, &mut outgoing).await,
        };
        answer.map_err(Verdict::from)
    }

    /// What became of the records: with a preset the service's own words count, unless AWS refused the request as a
    /// whole, or somebody else answered.
    fn judge(
        &mut self,
        answer: &Answer,
        records: &Selection,
        encoded: &Encoded,
        world: &dyn World,
    ) -> Outcome {
        let verdict = self.verdict(answer, world);
        let success = answer.status.is_success();
        let judge = match &self.service {
            Some(_) if success && answer::is_page(answer) => {
                return service::outcome(records, encoded, |_| answer::not_understood().into());
            }
            Some(service) if success || self.signed.is_none() => service.judge(),
            _ => return service::outcome(records, encoded, |_| verdict.into()),
        };
        let wall_ms = world.wall_ms();
        service::outcome(records, encoded, |sent| judge(answer, sent, wall_ms))
    }

    fn verdict(&self, answer: &Answer, world: &dyn World) -> Verdict {
        let verdict = by_status(answer, world.wall_ms());
        let Some(signed) = &self.signed else {
            return verdict;
        };
        if verdict == Verdict::Accepted {
            return verdict;
        }
        let fault = Fault::of(answer);
        match fault.remedy() {
            Remedy::Wait => verdict_of_wait(&fault, answer, world.wall_ms()),
            remedy @ (Remedy::SignAnew | Remedy::Allow) => {
                let service = &signed.scope.service;
                let allow = format!("allow the function's role to write to `{service}`");
                match remedy {
                    Remedy::SignAnew => denied(&fault, &format!("{CREDENTIALS}, and {allow}")),
                    _ => denied(&fault, &allow),
                }
            }
            Remedy::Refused if fault.code == "ResourceNotFoundException" => denied(
                &fault,
                "there is no such resource in this account and region",
            ),
            Remedy::Refused if matches!(verdict, Verdict::Rejected(_)) => {
                Verdict::Rejected(fault.reason().into())
            }
            Remedy::Refused => verdict,
        }
    }
}

impl Sink for Http {
    fn limits(&self) -> CallLimits {
        self.limits
    }

    fn deliver<'a>(&'a mut self, records: &'a Selection, call: Call<'a>) -> Boxed<'a, Outcome> {
        Box::pin(async move { self.send(records, &call).await })
    }
}
