//! `config-examples/reference.toml` is what the tables of fields say, key by key.

use tapline::settings::{Load, Place, fields};
use tapline_core::config::{Field, FieldKind, Fields};

use super::{example, kinds, load};

/// Widest line of a comment.
const COLUMNS: usize = 110;

const HEAD: &str = "\
# Every key of Tapline with its default. A key in a comment has none, and shows an example; so do keys that a table
# must have, such as `url`. Sizes and durations carry their unit.
";

/// Values of keys that have no default but must be there, so that the file is a good one.
const CHOSEN: [(&str, &str, &str); 6] = [
    (
        "filter",
        "drop",
        "'type == \"platform.telemetrySubscription\"'",
    ),
    ("redact", "rules", "[\"@secrets\"]"),
    ("sample", "rate", "1.0"),
    ("http", "url", "\"https://logs.example.com/ingest\""),
    ("cloudwatch", "group", "'/pay/{function.name}'"),
    ("s3", "bucket", "\"acme-logs\""),
];

/// What to show for keys without a default, by the table and the key.
const SHOWN: &[(&str, &str, &str)] = &[
    ("", "memory", "\"16MiB\""),
    ("transform", "name", "\"quiet\""),
    ("transform", "when", "'type == \"function\"'"),
    ("sink", "when", "'level >= info'"),
    ("sink", "after", "\"quiet\""),
    ("console", "path", "\"/tmp/tapline.ndjson\""),
    ("filter", "keep", "'level >= info'"),
    ("redact", "hash_key", "{ env = \"PII_KEY\" }"),
    (
        "redact",
        "custom",
        "[{ id = \"customer\", regex = 'CUS-\\d{8}', action = \"hash\" }]",
    ),
    ("sample", "keep", "'level >= warn'"),
    (
        "sample",
        "tail.keep",
        "'failed or cold_start or duration > 800ms'",
    ),
    ("sample", "tail.context", "200"),
    ("sample", "tail.memory", "\"1MiB\""),
    ("sample", "tail.max_wait", "\"30s\""),
    ("sample", "limit.rate", "\"500/s\""),
    ("sample", "limit.by", "\"message\""),
    (
        "enrich",
        "set",
        "{ team = \"payments\", version = \"{function.version}\" }",
    ),
    ("enrich", "rename", "{ \".msg\" = \".message\" }"),
    (
        "enrich",
        "lookup",
        "{ by = \".tenant\", table = { \"7\" = \"acme\" }, into = \"tenant_name\" }",
    ),
    ("parse", "start", "'^\\d{4}-\\d\\d-\\d\\d '"),
    ("parse", "continue", "'^\\s+\\|'"),
    ("http", "headers", "{ x-api-key = { env = \"API_KEY\" } }"),
    ("http", "auth.bearer", "{ env = \"TOKEN\" }"),
    ("http", "auth.basic.user", "\"tapline\""),
    ("http", "auth.basic.password", "{ env = \"PASSWORD\" }"),
    ("http", "auth.sigv4.service", "\"es\""),
    ("http", "auth.sigv4.region", "\"eu-west-1\""),
    (
        "http",
        "auth.sigv4.role_arn",
        "\"arn:aws:iam::123456789012:role/logs\"",
    ),
    ("http", "auth.sigv4.external_id", "\"tapline\""),
    (
        "s3",
        "kms_key",
        "\"arn:aws:kms:eu-west-1:123456789012:key/logs\"",
    ),
    ("s3", "expected_owner", "\"123456789012\""),
    ("s3", "path_style", "true"),
    ("s3", "region", "\"eu-west-1\""),
    ("s3", "endpoint", "\"https://storage.example.com\""),
    ("s3", "role_arn", "\"arn:aws:iam::123456789012:role/logs\""),
    ("s3", "external_id", "\"tapline\""),
    ("sink", "dead_letter", "\"archive\""),
    ("cloudwatch", "retention_days", "14"),
    (
        "cloudwatch",
        "kms_key",
        "\"arn:aws:kms:eu-west-1:123456789012:key/logs\"",
    ),
    ("cloudwatch", "tags", "{ team = \"payments\" }"),
    (
        "cloudwatch",
        "entity.key",
        "{ Type = \"Service\", Name = \"payments\" }",
    ),
    ("cloudwatch", "entity.attributes", "{ tier = \"1\" }"),
    ("cloudwatch", "region", "\"eu-west-1\""),
    (
        "cloudwatch",
        "endpoint",
        "\"https://vpce-0123.logs.eu-west-1.vpce.amazonaws.com\"",
    ),
    (
        "cloudwatch",
        "role_arn",
        "\"arn:aws:iam::123456789012:role/logs\"",
    ),
    ("cloudwatch", "external_id", "\"tapline\""),
    ("http", "preset", "\"loki\""),
    ("http", "tls.ca", "\"/var/task/ca.pem\""),
    ("http", "tls.key", "{ env = \"KEY\" }"),
];

fn find(list: &[(&str, &str, &'static str)], table: &str, key: &str) -> Option<&'static str> {
    let found = list.iter().find(|(t, k, _)| *t == table && *k == key);
    found.map(|(_, _, text)| *text)
}

/// Writes the fields of a table; `path` leads to it with dots, as `queue.`.
fn write(out: &mut String, table: &str, path: &str, fields: Fields, skip: &[&str]) {
    for field in fields.iter().filter(|field| !skip.contains(&field.name)) {
        let key = format!("{path}{}", field.name);
        out.push('\n');
        comment(out, field.doc);
        let listed: Fields = match field.kind {
            FieldKind::Table(inner) => {
                write(out, table, &format!("{key}."), inner, &[]);
                continue;
            }
            FieldKind::List(FieldKind::Table(inner)) => inner,
            _ => &[],
        };
        for inner in listed {
            comment(out, &format!("`{}`: {}", inner.name, inner.doc));
        }
        write_value(out, table, &key, field);
    }
}

fn write_value(out: &mut String, table: &str, key: &str, field: &Field) {
    if let Some(chosen) = find(&CHOSEN, table, key) {
        out.push_str(&format!("{key} = {chosen}\n"));
    } else if let Some(shown) = find(SHOWN, table, key) {
        out.push_str(&format!("# {key} = {shown}\n"));
    } else if field.default.is_empty() {
        let later = field.doc.contains("Not in this version");
        assert!(later, "{table} {key} needs an example");
        out.push_str(&format!("# {key} = …\n"));
    } else {
        out.push_str(&format!("{key} = {}\n", field.default));
    }
}

fn comment(out: &mut String, text: &str) {
    let mut line = String::from("#");
    for word in text.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > COLUMNS {
            out.push_str(&line);
            out.push('\n');
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    out.push_str(&line);
    out.push('\n');
}

fn expected() -> String {
    let mut out = String::from(HEAD);
    let tables = ["receiver", "flush", "transform", "sink", "test"];
    write(&mut out, "", "", fields::ROOT, &tables);
    for field in fields::ROOT
        .iter()
        .filter(|field| tables.contains(&field.name))
    {
        out.push('\n');
        comment(&mut out, field.doc);
        match (field.name, field.kind) {
            (name, FieldKind::Table(inner)) => {
                out.push_str(&format!("[{name}]\n"));
                write(&mut out, name, "", inner, &[]);
            }
            ("transform", _) => transforms(&mut out),
            ("sink", _) => sinks(&mut out),
            (name, _) => out.push_str(&format!("# [[{name}]]\n")),
        }
    }
    out
}

fn transforms(out: &mut String) {
    for (index, kind) in kinds().transforms.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        out.push_str(&format!("[[transform]]\ntype = \"{}\"\n", kind.name));
        if index == 0 {
            out.push_str("\n# Keys of every transform:\n");
            write(out, "transform", "", fields::TRANSFORM, &["type"]);
            out.push_str(&format!("\n# Keys of `{}`:\n", kind.name));
        }
        write(out, kind.name, "", kind.fields, &[]);
    }
}

fn sinks(out: &mut String) {
    for (index, kind) in kinds().sinks.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        out.push_str(&format!(
            "[sink.{}]\ntype = \"{}\"\n",
            ["out", "collector", "cw", "archive"][index],
            kind.name
        ));
        if index == 0 {
            out.push_str("\n# Keys of every sink:\n");
            write(out, "sink", "", fields::SINK, &["type"]);
            out.push_str(&format!("\n# Keys of `{}`:\n", kind.name));
        }
        write(out, kind.name, "", kind.fields, &[]);
    }
}

#[test]
fn the_reference_is_what_the_fields_say() {
    let expected = expected();
    let written = std::fs::read_to_string(example("reference.toml")).unwrap_or_default();
    if written != expected {
        let path = concat!(env!("CARGO_TARGET_TMPDIR"), "/reference.toml");
        std::fs::write(path, &expected).expect("it can be written");
        panic!("config-examples/reference.toml is to be (a copy is at {path}):\n{expected}");
    }
}

#[test]
fn the_reference_is_loaded_without_a_word() {
    let Load::Runs(settings) = load("reference.toml", &expected(), Place::Offline) else {
        panic!("it does not run");
    };
    assert!(
        settings.diagnostics.is_empty(),
        "{}",
        settings.diagnostics.render()
    );
}
