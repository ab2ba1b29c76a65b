//! `sumo_logic`: an HTTP source of Sumo Logic, whose URL is the credential.
//!
//! A line of JSON each, the same as without a preset.
//!
//! Source: <https://help.sumologic.com/docs/send-data/hosted-collectors/http-source/logs-metrics/upload-logs/>, read
//! 2026-11-25.

use hyper::header::HeaderName;
use tapline_core::config::{Field, FieldKind, Fields};
use tapline_core::template::{Allow, Template};

use super::super::answer::by_status;
use super::super::body::Limits;
use super::super::encode::Framing;
use super::super::preset::{Form, Options, Preset, Writer};
use super::super::target::Piece;

pub(super) const PRESET: Preset = Preset {
    name: "sumo_logic",
    options: OPTIONS,
    content_type: "application/x-ndjson",
    compressions: &["gzip", "zstd"],
    limits: Limits {
        records_max: 10_000,
        body_bytes_max: 1_000_000,
        record_bytes_max: 1_000_000,
        age_max: None,
    },
    read,
    judge: |answer, _, wall_ms| by_status(answer, wall_ms).into(),
};

const OPTIONS: Fields = &[
    Field {
        name: "category",
        kind: FieldKind::Template,
        default: "",
        required: false,
        doc: "Source category, a template of the environment, sent as `X-Sumo-Category`.",
    },
    Field {
        name: "name",
        kind: FieldKind::Template,
        default: "\"{function.name}\"",
        required: false,
        doc: "Source name, a template of the environment, sent as `X-Sumo-Name`.",
    },
    Field {
        name: "host",
        kind: FieldKind::Template,
        default: "",
        required: false,
        doc: "Source host, a template of the environment, sent as `X-Sumo-Host`.",
    },
    Field {
        name: "fields",
        kind: FieldKind::Map(&FieldKind::Text),
        default: "",
        required: false,
        doc: "Fields of all records, sent as `X-Sumo-Fields`. They must be there in the account.",
    },
];

fn read(options: &Options<'_>) -> Option<Form> {
    let category = options.optional("category", Allow::Environment);
    let name = options.template("name", Allow::Environment);
    let host = options.optional("host", Allow::Environment);
    let fields = read_fields(options);
    let mut form = Form::of(Writer::Framing(Framing::Ndjson));
    for (header, template) in [
        ("x-sumo-category", category?),
        ("x-sumo-name", Some(name?)),
        ("x-sumo-host", host?),
        ("x-sumo-fields", fields?),
    ] {
        let name = HeaderName::from_static(header);
        form.rendered
            .extend(template.map(|template| (name, Piece::Template(template))));
    }
    Some(form)
}

/// `key=value,key=value`, as a template without names.
fn read_fields(options: &Options<'_>) -> Option<Option<Template>> {
    let pairs = options.reader.map_of_text("fields");
    let mut right = pairs.len() == options.reader.map("fields").len();
    for text in pairs.iter().flat_map(|(key, value)| [key, value]) {
        if text.value.contains([',', '=']) {
            let help = "these two stand between fields; take them out";
            let message = "a field of `sumo_logic` holds `,` or `=`";
            options.reader.error(text.span.clone(), message, help);
            right = false;
        }
    }
    let texts = pairs
        .iter()
        .map(|(key, value)| format!("{}={}", key.value, value.value));
    let text = texts.collect::<Vec<_>>().join(",");
    let escaped = text.replace('{', "{{").replace('}', "}}");
    let template = Template::parse(&escaped, &options.names, Allow::Environment).ok()?;
    right.then(|| (!text.is_empty()).then_some(template))
}
