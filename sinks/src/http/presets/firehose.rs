//! `firehose`: PutRecordBatch of Amazon Data Firehose, signed with the function's credentials.
//!
//! Lines of JSON, the same as without a preset, put together into records of Firehose of about 64 KiB, because each is
//! billed in steps of 5 KiB. Firehose gives them on one after the other.
//!
//! Source: <https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html>,
//! <https://docs.aws.amazon.com/firehose/latest/dev/limits.html> and <https://aws.amazon.com/firehose/pricing/>, read
//! 2026-11-25.

use std::ops::Range;

use hyper::header::HeaderValue;
use tapline_core::config::{Field, FieldKind, Fields};
use tapline_core::json;
use tapline_core::line;
use tapline_core::sink::{Outcome, Selection, Verdict};
use tapline_core::template::{Allow, Template};

use super::super::answer::{again, at, by_status, known, not_understood, number};
use super::super::body::{Body, Left, Limits, Paper};
use super::super::preset::{Form, Options, Preset};
use super::super::seen::render_fixed;
use crate::shared::aws;
use crate::shared::endpoint::{self, Service};
use crate::shared::headers::base64_into;
use crate::shared::http::Answer;
use crate::shared::signed::Signed;
use crate::shared::sigv4::Scope;

pub(super) const PRESET: Preset = Preset {
    name: "firehose",
    options: OPTIONS,
    content_type: "application/x-amz-json-1.1",
    compressions: &[],
    limits: Limits {
        records_max: 10_000,
        // In Base64, with all that stands around it.
        body_bytes_max: 4 << 20,
        record_bytes_max: 1_000 << 10,
        age_max: None,
    },
    read,
    judge,
};

const OPTIONS: Fields = &[
    Field {
        name: "stream",
        kind: FieldKind::Template,
        default: "",
        required: true,
        doc: "Name of the delivery stream, a template of the environment.",
    },
    aws::REGION,
    aws::ROLE_ARN,
    aws::EXTERNAL_ID,
];

const SERVICE: Service = Service {
    prefix: "firehose",
    variable: "FIREHOSE",
    government_is_fips: false,
};

/// A record of Firehose is full once it has this many bytes: 13 steps of what is billed.
const PACK_BYTES: usize = 64 << 10;

/// Records of Firehose in one call. With [`PACK_BYTES`] each, 4 MiB in Base64 hold 48.
const PACKS_MAX: usize = 500;
const _: () = assert!(PRESET.limits.body_bytes_max / PACK_BYTES <= PACKS_MAX);

fn read(options: &Options<'_>) -> Option<Form> {
    let stream = options.template("stream", Allow::Environment);
    let region = aws::read_region(&options.reader);
    let provider = aws::read_provider(&options.reader);
    if let Some(span) = options.sink.key_span("auth") {
        let message = "`firehose` signs its requests itself";
        let help = "leave out `auth`; `region`, `role_arn` and `external_id` are options";
        options.sink.error(span, message, help);
        return None;
    }
    let (stream, region, provider) = (stream?, region?, provider?);
    let mut form = Form::new(Packs {
        stream,
        pack: Vec::new(),
    });
    let target = HeaderValue::from_static("Firehose_20150804.PutRecordBatch");
    form = form.with_header("x-amz-target", Some(target));
    if !options.sink.has("url") {
        form.base = Some(base(options, &region)?);
    }
    let scope = Scope {
        region,
        service: SERVICE.prefix.to_owned(),
    };
    form.signed = Some(Signed::new(scope, provider));
    Some(form)
}

fn base(options: &Options<'_>, region: &str) -> Option<(String, Range<usize>)> {
    let variable = |name: &str| options.reader.variable(name);
    let own = || variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
    let region = match region {
        "" => own().unwrap_or_default(),
        region => region.to_owned(),
    };
    let span = options.reader.header();
    match endpoint::find(SERVICE, &region, &variable) {
        Ok(url) => {
            let scheme = if url.https { "https" } else { "http" };
            let host = url.host_header.to_str().ok()?;
            Some((format!("{scheme}://{host}{}", url.target), span))
        }
        Err(wrong) => {
            let help = "write the option `region` or the key `url`, or set the variable right";
            options.reader.error(span, wrong.0, help);
            None
        }
    }
}

/// Puts lines together. Holds one record of Firehose between two calls.
struct Packs {
    stream: Template,
    pack: Vec<u8>,
}

impl Body for Packs {
    fn write(&mut self, records: &Selection, paper: &Paper<'_>, out: &mut Vec<u8>) -> Left {
        let mut left = Left::new();
        let occasion = &paper.occasion;
        out.extend_from_slice(b"{\"DeliveryStreamName\":");
        let stream = render_fixed(&self.stream, occasion.facts, occasion.time_ms);
        json::quote_into(&stream, out);
        out.extend_from_slice(b",\"Records\":[");
        let first = out.len();
        self.pack.clear();
        for (position, (batch, record)) in records.records().enumerate() {
            let start = self.pack.len();
            line::write(batch, record, &mut self.pack);
            self.pack.push(b'\n');
            if let Some(verdict) = paper.too_large(self.pack.len() - start) {
                self.pack.truncate(start);
                left.push((position as u32, verdict));
                continue;
            }
            if ends_before(start, self.pack.len()) {
                let rest = self.pack.split_off(start);
                self.close(first, out);
                self.pack = rest;
            }
        }
        self.close(first, out);
        self.pack.shrink_to(PACK_BYTES);
        out.extend_from_slice(b"]}");
        left
    }
}

impl Packs {
    /// Appends what is gathered as one record of Firehose; `first` is where the first one begins.
    fn close(&mut self, first: usize, out: &mut Vec<u8>) {
        if self.pack.is_empty() {
            return;
        }
        if out.len() > first {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"Data\":\"");
        base64_into(&self.pack, out);
        out.extend_from_slice(b"\"}");
        self.pack.clear();
    }
}

/// Whether a record of Firehose that has `start` bytes, and `end` with one more line, is given on without that line.
fn ends_before(start: usize, end: usize) -> bool {
    start > 0 && end > PACK_BYTES
}

/// Firehose says it for each of its records; a line shares the fate of the one that it is in.
fn judge(answer: &Answer, records: &Selection, wall_ms: i64) -> Outcome {
    let verdict = by_status(answer, wall_ms);
    if verdict != Verdict::Accepted {
        return verdict.into();
    }
    match number(&answer.body, &["FailedPutCount"]) {
        Some(0) => return Verdict::Accepted.into(),
        Some(_) => {}
        None => return not_understood().into(),
    }
    let responses = at(&answer.body, &["RequestResponses"]).unwrap_or_default();
    let mut responses = json::elements(responses, 0..responses.len()).map(|item| &responses[item]);
    let mut exceptions = Vec::new();
    let mut fate = responses.next().map_or_else(not_understood, of_pack);
    let (mut text, mut filled) = (Vec::new(), 0);
    for (position, (batch, record)) in records.records().enumerate() {
        text.clear();
        line::write(batch, record, &mut text);
        let length = text.len() + 1;
        if ends_before(filled, filled + length) {
            fate = responses.next().map_or_else(not_understood, of_pack);
            filled = 0;
        }
        filled += length;
        if fate != Verdict::Accepted {
            exceptions.push((position as u32, fate.clone()));
        }
    }
    Outcome {
        verdict: Verdict::Accepted,
        exceptions,
    }
}

/// Codes of one record.
///
/// Source: `PutRecordBatchResponseEntry` of the API reference, read 2026-11-25.
const CODES: [&str; 2] = ["ServiceUnavailableException", "InternalFailure"];

/// The verdict of `{"RecordId":"…"}` or `{"ErrorCode":"…","ErrorMessage":"…"}`. What is wrong with a single record
/// passes: service, throughput, an internal failure.
fn of_pack(item: &[u8]) -> Verdict {
    match at(item, &["ErrorCode"]) {
        Some(_) => again(known(item, &["ErrorCode"], &CODES).unwrap_or("ErrorCode")),
        None if at(item, &["RecordId"]).is_some() => Verdict::Accepted,
        None => not_understood(),
    }
}
