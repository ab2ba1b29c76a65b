//! How a sink makes requests: by its `framing`, or by its `preset` and what that one makes of `options`.

use std::ops::Range;

use hyper::header::HeaderMap;
use tapline_core::config::{Data, Kind, Reader, Severity, Spanned, size_text, words_list};
use tapline_core::expr::Names;
use tapline_core::sink::CallLimits;

use super::body::Limits;
use super::encode::Framing;
use super::preset::{Form, Options, Preset, Writer};
use super::presets;
use super::service::Service;
use crate::shared::coder;
use crate::shared::late::LateHeaders;
use crate::shared::signed::Signed;
use crate::shared::url::{self, Url};

/// What differs between a sink with a preset and one without.
pub(super) struct Plan {
    pub writer: Writer,
    /// Those of the preset.
    pub limits: Limits,
    pub content_type: &'static str,
    pub headers: HeaderMap,
    pub late: LateHeaders,
    pub service: Option<Service>,
    /// Signs every request, where the preset does.
    pub signed: Option<Signed>,
    preset: Option<&'static Preset>,
    /// Where requests go without `url`, and what says so.
    base: Option<(String, Range<usize>)>,
}

/// What a sink without a preset has.
const NO_LIMITS: Limits = Limits {
    records_max: usize::MAX,
    body_bytes_max: usize::MAX,
    record_bytes_max: usize::MAX,
    age_max: None,
};

impl Plan {
    /// Reads `preset` with `options`, or `framing`. `None` after it reported what is wrong.
    pub fn read(reader: &Reader<'_>, names: Names<'_>) -> Option<Plan> {
        // In place of a table anything may stand, a credential too.
        if let Some(value) = reader.raw("options")
            && !matches!(value.data, Data::Table(_))
        {
            reader.hide(value.span.clone());
        }
        if !reader.has("preset") {
            return Plan::generic(reader);
        }
        let mut right = true;
        for key in ["framing", "method"] {
            if let Some(span) = reader.key_span(key) {
                let message = format!("`{key}` is what the preset sets");
                reader.error(span, message, "leave out `preset` or this key");
                right = false;
            }
        }
        let Some(preset) = reader
            .choice("preset")
            .and_then(|name| presets::find(name.value))
        else {
            // Nobody knows which of the options are credentials.
            reader.table_as("options", &[])?.hide_unknown();
            return None;
        };
        let options = Options {
            reader: reader.table_as("options", preset.options)?,
            sink: reader,
            names,
            preset: preset.name,
        };
        let form = (preset.read)(&options);
        options.reader.finish();
        let form = form?;
        right.then(|| Plan::of(preset, form))
    }

    fn generic(reader: &Reader<'_>) -> Option<Plan> {
        let options = reader.table_as("options", &[])?;
        options.hide_unknown();
        let given = reader.raw("options").map(|value| &value.data);
        if matches!(given, Some(Data::Table(entries)) if !entries.is_empty()) {
            let help = "add `preset = …`, or leave out `options`";
            let message = "`options` are those of a preset, and there is none";
            reader.error(options.header(), message, help);
            return None;
        }
        let framing = match reader.choice("framing")?.value {
            "json_array" => Framing::JsonArray,
            "text" => Framing::Text,
            _ => Framing::Ndjson,
        };
        Some(Plan {
            writer: Writer::Framing(framing),
            limits: NO_LIMITS,
            content_type: framing.content_type(),
            headers: HeaderMap::new(),
            late: LateHeaders::default(),
            service: None,
            signed: None,
            preset: None,
            base: None,
        })
    }

    fn of(preset: &'static Preset, form: Form) -> Plan {
        let own_max = preset.limits.record_bytes_max;
        Plan {
            writer: form.body,
            limits: Limits {
                record_bytes_max: form.record_bytes_max.unwrap_or(own_max),
                ..preset.limits
            },
            content_type: preset.content_type,
            headers: form.headers,
            late: form.late,
            service: Some(Service::new(preset, form.target, form.rendered)),
            signed: form.signed,
            preset: Some(preset),
            base: form.base,
        }
    }

    /// Where requests go if there is no `url`.
    pub fn url(&self, reader: &Reader<'_>) -> Option<Url> {
        let Some((base, span)) = &self.base else {
            let message = format!("{} lacks the key `url`", reader.label());
            let help = "add `url = …`, a string: where requests go, `http://` or `https://`";
            let (severity, kind) = (Severity::Error, Kind::Missing);
            reader.report(severity, kind, reader.header(), message, help);
            return None;
        };
        let url = url::parse(base).ok();
        if url.is_none() {
            let help = "write `url = …` in place of it";
            reader.error(span.clone(), "this makes no URL", help);
        }
        url
    }

    /// Checks what the file asks for against what the service takes. `None` after it reported what does not fit.
    pub fn fits(
        &self,
        reader: &Reader<'_>,
        compression: &Spanned<&'static str>,
        limits: &CallLimits,
    ) -> Option<Fitting> {
        if !coder::is_built(reader, compression, "`gzip`") {
            return None;
        }
        let Some(preset) = self.preset else {
            return Some(Fitting(NO_LIMITS));
        };
        let (name, of) = (preset.name, preset.limits);
        let mut right = true;
        let word = compression.value;
        if word != "none" && !preset.compressions.contains(&word) {
            let known = std::iter::once("none").chain(preset.compressions.iter().copied());
            let help = format!("write {}", words_list(known));
            let message = format!("`{name}` does not take `{word}`");
            reader.error(compression.span.clone(), message, help);
            right = false;
        }
        let batch = reader.table("batch")?;
        let rows = [
            (
                "records",
                limits.records_max > of.records_max,
                of.records_max.to_string(),
            ),
            (
                "bytes",
                limits.bytes_max > of.body_bytes_max,
                size_text(of.body_bytes_max as u64),
            ),
        ];
        for (key, too_many, most) in rows {
            if let (Some(span), true) = (batch.key_span(key), too_many) {
                let message = format!("`{name}` takes at most {most} {key} in a request");
                batch.error(span, message, format!("write {most} or less"));
                right = false;
            }
        }
        right.then_some(Fitting(of))
    }
}

/// The limits of a service that the file does not go beyond.
pub(super) struct Fitting(Limits);

impl Fitting {
    /// The limits of one call.
    pub fn narrowed(self, limits: CallLimits) -> CallLimits {
        let Fitting(of) = self;
        CallLimits {
            records_max: limits.records_max.min(of.records_max),
            // What is written around a record counts too; where this is still too much, the request is halved.
            bytes_max: limits.bytes_max.min(of.body_bytes_max / 4 * 3),
        }
    }
}
