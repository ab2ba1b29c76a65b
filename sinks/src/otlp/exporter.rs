//! What logs, metrics and traces share: where they go, how they are packed, and what is said about the answers.

use hyper::Method;
use hyper::header::{
    CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
};
use tapline_core::config::{Kind, Reader, Severity};
use tapline_core::level::Level;
use tapline_core::sink::{Call, Outcome, Verdict};

use super::answer::{Meaning, meaning};
use super::environment::{self, Signal};
use super::{COMPRESSIONS, PROTOCOLS};
use crate::grpc;
use crate::shared::coder::{self, Coder};
use crate::shared::credentials::Provider;
use crate::shared::fault::{CREDENTIALS, Fault, Remedy, denied, verdict_of_wait};
use crate::shared::headers;
use crate::shared::http::{AGENT, Answer, Client, Outgoing};
use crate::shared::late::LateHeaders;
use crate::shared::packer::{Packed, Packer};
use crate::shared::signed::Signed;
use crate::shared::sigv4::Scope;
use crate::shared::tls::{self, StandIns, Tls};
use crate::shared::url::{self, Url};
use crate::zstd;

const BATCH_ID: HeaderName = HeaderName::from_static("x-tapline-batch");

/// Where a collector is expected without any word about it.
const ENDPOINT: &str = "http://localhost:4318";
const ENDPOINT_GRPC: &str = "http://localhost:4317";

/// What `protocol` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Protobuf,
    Json,
    Grpc,
}

/// How requests travel.
pub(super) enum Transport {
    Http {
        client: Box<Client>,
        signed: Option<Box<Signed>>,
    },
    Grpc(Box<grpc::Client>),
}

impl Transport {
    /// Sends one encoded request. `Err` where nothing came back.
    async fn send(
        &mut self,
        call: &Call<'_>,
        headers: &HeaderMap,
        packed: &Packed,
        sent: usize,
    ) -> Result<Meaning, Verdict> {
        let mut headers = headers.clone();
        if let (Some(coding), Transport::Http { .. }) = (packed.coding, &*self) {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        if let Ok(id) = HeaderValue::from_str(call.batch_id) {
            headers.insert(BATCH_ID, id);
        }
        match self {
            Transport::Http { client, signed } => {
                let mut outgoing = Outgoing {
                    method: Method::POST,
                    headers,
                    body: packed.body.clone(),
                };
                let answer = match signed {
                    None => client.send(call, &outgoing).await.map_err(Verdict::from)?,
                    Some(signed) => {
                        let answer = signed.send(client, call, &mut outgoing).await;
                        let answer = answer.map_err(Verdict::from)?;
                        refused_by_aws(&answer, call.world.wall_ms()).map_or(Ok(answer), Err)?
                    }
                };
                Ok(meaning(&answer, sent, call.world.wall_ms()))
            }
            Transport::Grpc(client) => {
                let (body, coding) = (&packed.body, packed.coding);
                let reply = client.call(call, &headers, body, coding).await;
                let wall_ms = call.world.wall_ms();
                Ok(reply.map_err(Verdict::from)?.meaning(sent, wall_ms))
            }
        }
    }

    /// Where requests go.
    #[cfg(test)]
    pub fn url(&self) -> Option<&Url> {
        match self {
            Transport::Http { client, .. } => Some(client.url()),
            Transport::Grpc(_) => None,
        }
    }
}

/// The verdict where AWS refuses the caller rather than what was sent: that is tried again, or held until allowed.
fn refused_by_aws(answer: &Answer, wall_ms: i64) -> Option<Verdict> {
    let fault = Fault::of(answer);
    match fault.remedy() {
        _ if answer.status.is_success() => None,
        Remedy::Wait => Some(verdict_of_wait(&fault, answer, wall_ms)),
        Remedy::SignAnew => Some(denied(&fault, CREDENTIALS)),
        Remedy::Allow => {
            let line = "allow the function's role to write to the endpoint";
            Some(denied(&fault, line))
        }
        Remedy::Refused if fault.code == "ResourceNotFoundException" => {
            let line = "make the log group and the stream that its headers name";
            Some(denied(&fault, line))
        }
        Remedy::Refused => None,
    }
}

/// Sends requests of one signal to one collector.
pub(super) struct Exporter {
    /// As messages name it: ``sink `out` ``.
    label: String,
    signal: Signal,
    pub transport: Transport,
    pub packer: Packer,
    pub form: Form,
    /// Those that are the same on every request.
    pub headers: HeaderMap,
    /// Most bytes of one request before compression, where that is known.
    bytes_max: usize,
    /// A request was taken that could have been refused for its compression.
    zstd_taken: bool,
    /// It was said that the collector warns.
    warning_said: bool,
}

impl Exporter {
    /// Reads what bears on one signal. Everything is read before it gives up, so that all problems are shown at once.
    pub fn read(reader: &Reader<'_>, signal: Signal) -> Option<Exporter> {
        let form = read_form(reader, signal);
        let url = read_url(reader, signal, form == Some(Form::Grpc));
        let own_headers = read_headers(reader, signal);
        let coder = read_coder(reader, signal);
        let connect_timeout = reader.duration("connect_timeout");
        let tls = read_tls(reader, signal);
        let form = form?;
        let (url, connect_timeout, tls) = (url?, connect_timeout?.value, tls?);
        let coder = coder?;
        let signed = read_signed(reader, &url, form, coder.word())?;
        let bytes_max = signed.as_ref().map_or(usize::MAX, aws_bytes_max);
        let late = LateHeaders::default().of_headers(reader);
        let transport = match form {
            Form::Grpc => {
                let client = grpc::Client::new(url, signal.method(), connect_timeout, tls, late)?;
                Transport::Grpc(Box::new(client))
            }
            _ => Transport::Http {
                signed: signed.map(Box::new),
                client: Box::new(Client::new(url, connect_timeout, tls).with_late(late)),
            },
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
        Some(Exporter {
            label: reader.label().to_owned(),
            signal,
            transport,
            packer: Packer::new(coder),
            form,
            headers,
            bytes_max,
            zstd_taken: false,
            warning_said: false,
        })
    }

    /// Whether requests go to an endpoint of AWS's own.
    pub fn is_aws(&self) -> bool {
        self.bytes_max != usize::MAX
    }

    /// Sends what `write` appends, about `bytes` long, which stands for `sent` records or observations.
    pub async fn send(
        &mut self,
        call: &Call<'_>,
        bytes: usize,
        sent: usize,
        mut write: impl FnMut(&mut Vec<u8>, Form),
    ) -> Outcome {
        let mut meaning = self.attempt(call, bytes, sent, &mut write).await;
        // The protocol asks receivers for gzip alone, and some refuse zstd as if the records were wrong.
        let doubtful = !self.zstd_taken && self.packer.is_zstd();
        if doubtful && matches!(&meaning, Ok(meaning) if meaning.is_refusal()) {
            let zstd = std::mem::replace(&mut self.packer, Packer::new(Coder::of("gzip")));
            let with_gzip = self.attempt(call, bytes, sent, &mut write).await;
            if matches!(&with_gzip, Ok(meaning) if meaning.is_success()) {
                let label = &self.label;
                let message = format!("{label} does not take zstd; it gets gzip from now on");
                call.world.log(Level::Warn, &message);
                meaning = with_gzip;
            } else {
                self.packer = zstd;
            }
        }
        match meaning {
            Ok(meaning) => {
                self.zstd_taken = self.zstd_taken || meaning.is_success();
                self.pass_on_warning(call, &meaning);
                meaning.outcome
            }
            Err(verdict) => verdict.into(),
        }
    }

    /// Encodes and sends one request. `Err` where nothing came back, or where nothing was sent.
    async fn attempt(
        &mut self,
        call: &Call<'_>,
        bytes: usize,
        sent: usize,
        write: &mut impl FnMut(&mut Vec<u8>, Form),
    ) -> Result<Meaning, Verdict> {
        let form = self.form;
        let packed = self.packer.pack(bytes, call.budget, |out| write(out, form));
        let counted = packed.plain_bytes.saturating_add(sent * AWS_RECORD_BYTES);
        let meaning = if sent > 1 && counted > self.bytes_max {
            Err(Verdict::TooLarge)
        } else {
            let sending = self.transport.send(call, &self.headers, &packed, sent);
            sending.await
        };
        self.packer.take_back(packed, call.budget);
        meaning
    }

    /// Says once that the collector took everything and warns of something. What it refuses is said by the loop.
    fn pass_on_warning(&mut self, call: &Call<'_>, meaning: &Meaning) {
        if meaning.warns && !std::mem::replace(&mut self.warning_said, true) {
            let line = format!(
                "{} took all {} of a request, and warns; its words are not logged, since they may quote what was sent",
                self.label,
                self.signal.word()
            );
            call.world.log(Level::Warn, &line);
        }
    }
}

fn read_form(reader: &Reader<'_>, signal: Signal) -> Option<Form> {
    let chosen = reader.choice("protocol")?;
    let chosen = if reader.has("protocol") {
        chosen
    } else {
        let word = environment::word(reader, signal, "PROTOCOL", PROTOCOLS);
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
pub(super) fn read_url(reader: &Reader<'_>, signal: Signal, over_grpc: bool) -> Option<Url> {
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

fn read_headers(reader: &Reader<'_>, signal: Signal) -> Option<HeaderMap> {
    if !reader.has("headers") {
        return Some(environment::headers(reader, signal));
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

fn read_coder(reader: &Reader<'_>, signal: Signal) -> Option<Coder> {
    let chosen = reader.choice("compression")?;
    if reader.has("compression") {
        let built = coder::is_built(reader, &chosen, "`gzip`");
        return built.then(|| Coder::of(chosen.value));
    }
    // What this build has not got is a word that is not known to it.
    let known: Vec<&str> = COMPRESSIONS
        .iter()
        .copied()
        .filter(|word| *word != "zstd" || zstd::BUILT)
        .collect();
    let word = environment::word(reader, signal, "COMPRESSION", &known);
    Some(Coder::of(word.unwrap_or(chosen.value)))
}

fn read_tls(reader: &Reader<'_>, signal: Signal) -> Option<Tls> {
    let ca = environment::find(reader, signal, "CERTIFICATE");
    let own = reader
        .table("tls")
        .is_some_and(|tls| tls.has("cert") || tls.has("key"));
    let stand_ins = StandIns {
        ca: ca.map(|found| found.value.into()),
        identity: match own {
            true => None,
            false => environment::identity(reader, signal),
        },
    };
    tls::read(reader, stand_ins)
}

/// What each record counts for beside its own bytes, at AWS's endpoint for logs.
const AWS_RECORD_BYTES: usize = 26;

/// Most bytes of one request, before compression, of AWS's own endpoints. One larger record still goes there alone: what
/// is too long in it is cut off or kept elsewhere by CloudWatch.
///
/// Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-OTLPEndpoint.html>, read
/// 2026-11-25.
fn aws_bytes_max(signed: &Signed) -> usize {
    match signed.scope.service.as_str() {
        "logs" => 1_048_576,
        "xray" => 5_000_000,
        _ => 1_000_000,
    }
}

/// Reads `auth`. AWS's own endpoints are named after the service and the region that requests are signed for.
///
/// Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-OTLPEndpoint.html>, read
/// 2026-11-25.
fn read_signed(
    reader: &Reader<'_>,
    url: &Url,
    form: Form,
    coding: Option<&str>,
) -> Option<Option<Signed>> {
    let auth = reader.choice("auth")?;
    if auth.value == "none" {
        return Some(None);
    }
    let mut labels = url.host.split('.');
    let scope = match (labels.next(), labels.next(), labels.next()) {
        (Some(service @ ("logs" | "xray" | "monitoring")), Some(region), Some("amazonaws")) => {
            Scope {
                region: region.to_owned(),
                service: service.to_owned(),
            }
        }
        _ => {
            let message = "`sigv4` is for AWS's own endpoints, and this is none";
            let help = "write for example `logs_endpoint = \"https://logs.eu-west-1.amazonaws.com/v1/logs\"`";
            reader.error(auth.span, message, help);
            return None;
        }
    };
    if form == Form::Grpc {
        let help = "write `protocol = \"http/protobuf\"`";
        reader.error(auth.span, "AWS's endpoints do not take gRPC", help);
        return None;
    }
    if coding == Some("zstd") {
        let help = "write `compression = \"gzip\"`";
        reader.error(auth.span, "AWS's endpoints do not take zstd", help);
        return None;
    }
    Some(Some(Signed::new(scope, Provider::new(None))))
}
