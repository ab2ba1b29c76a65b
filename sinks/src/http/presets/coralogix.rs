//! `coralogix`: the REST API for single logs of Coralogix.
//!
//! Source: <https://coralogix.com/docs/integrations/coralogix-endpoints/> and
//! <https://coralogix.com/docs/developer-portal/apis/log-ingestion/coralogix-rest-api/>, read 2026-11-25.

use tapline_core::config::{Field, FieldKind, Fields};
use tapline_core::level::Level;
use tapline_core::template::Allow;

use super::super::answer::by_status;
use super::super::body::{Items, Limits};
use super::super::document::{Shape, write_display};
use super::super::preset::{Form, Options, Preset};

pub(super) const PRESET: Preset = Preset {
    name: "coralogix",
    options: OPTIONS,
    content_type: "application/json",
    compressions: &["gzip"],
    limits: Limits {
        records_max: 3_000,
        body_bytes_max: 2_000_000,
        record_bytes_max: 2_000_000,
        age_max: None,
    },
    read,
    judge: |answer, _, wall_ms| by_status(answer, wall_ms).into(),
};

const OPTIONS: Fields = &[
    Field {
        name: "api_key",
        kind: FieldKind::Secret,
        default: "",
        required: false,
        doc: "Key for sending data, sent as `Authorization: Bearer …`.",
    },
    Field {
        name: "domain",
        kind: FieldKind::Text,
        default: "\"coralogix.com\"",
        required: false,
        doc: "Domain of the account: `eu2.coralogix.com` and so on. Takes the place of `url`.",
    },
    Field {
        name: "application",
        kind: FieldKind::Template,
        default: "",
        required: true,
        doc: "Name of the application, a template of the record.",
    },
    Field {
        name: "subsystem",
        kind: FieldKind::Template,
        default: "\"{function.name}\"",
        required: false,
        doc: "Name of the subsystem, a template of the record.",
    },
    Field {
        name: "fields",
        kind: FieldKind::Map(&FieldKind::Template),
        default: "",
        required: false,
        doc: "Fields of every record, templates of the record; by default `function`, its name.",
    },
];

fn read(options: &Options<'_>) -> Option<Form> {
    let key = options.credential("api_key", "authorization", "Bearer ");
    let base = options.host("domain", "https://ingress.", "/");
    let application = options.name("application");
    let subsystem = options.name("subsystem");
    let fields = options.fields()?;
    let (application, subsystem) = (application?, subsystem?);
    let items = Items::array(move |seen, object| {
        for (key, template) in [
            ("applicationName", &application),
            ("subsystemName", &subsystem),
        ] {
            // Without a name a record is refused, and all with it.
            seen.with_rendered(template, |text| match text {
                b"" => object.text(key, b"unknown"),
                text => object.text(key, text),
            });
        }
        object.number("severity", severity(seen.level()));
        object.with("hiResTimestamp", |out| {
            out.push(b'"');
            write_display(seen.time_ns(), out);
            out.push(b'"');
        });
        object.object("text", |inner| {
            inner.message("message", Some(&seen.message()));
            inner.level("level", seen);
            inner.identity(seen);
            inner.templates(&fields, seen);
            inner.rest(seen, Shape::Nested);
        });
    });
    let mut form = Form::new(items)
        .at("/logs/v1/singles")
        .with_credential("authorization", key?);
    form.base = base?;
    Some(form)
}

/// 1 debug, 2 verbose, 3 info, 4 warning, 5 error, 6 critical.
fn severity(level: Option<Level>) -> u8 {
    match level {
        Some(Level::Debug) => 1,
        Some(Level::Trace) => 2,
        None | Some(Level::Info) => 3,
        Some(Level::Warn) => 4,
        Some(Level::Error) => 5,
        Some(Level::Fatal) => 6,
    }
}

impl Options<'_> {
    /// A name that must not be empty.
    fn name(&self, key: &str) -> Option<tapline_core::template::Template> {
        self.not_empty(&self.reader.text(key)?, key)?;
        self.template(key, Allow::Record)
    }
}
