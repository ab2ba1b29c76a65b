//! What the table of an `s3` sink may hold.

use std::time::Duration;

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use tapline_core::config::{Field, FieldKind, Fields, Kind, Reader, Severity, Spanned};
use tapline_core::registry::Build;
use tapline_core::sink::Sink;
use tapline_core::template::{Allow, Template};

use super::object::{Checksum, Form, Object, Plan};
use super::{S3, S3Sink};
use crate::parquet;
use crate::shared::aws;
use crate::shared::coder::{self, Coder};
use crate::shared::signed::Signed;
use crate::shared::sigv4::Scope;
use crate::shared::url;

/// What the suffix `.parquet` asks for.
const PARQUET: &str = "parquet";

pub(super) const FIELDS: Fields = &[
    Field {
        name: "bucket",
        kind: FieldKind::Text,
        default: "",
        required: true,
        doc: "Name of the bucket. It is never made.",
    },
    Field {
        name: "key",
        kind: FieldKind::Template,
        default: "\"{function.name}/dt={date}/hour={hour}/{time_ms}-{instance}-{seq}.ndjson.gz\"",
        required: false,
        doc: "Template of an object's key, of its first record. With the suffix `.gz` or `.zst` it is compressed, with `.parquet` \
              it is Parquet. It must name `{instance}` and `{seq}`, so that no two objects have the same.",
    },
    Field {
        name: "object",
        kind: FieldKind::Table(OBJECT_FIELDS),
        default: "{}",
        required: false,
        doc: "How far an object grows.",
    },
    Field {
        name: "conditional",
        kind: FieldKind::Boolean,
        default: "true",
        required: false,
        doc: "Whether only the first PUT of a key wins (`If-None-Match: *`). Off for services that do not know it.",
    },
    Field {
        name: "checksum",
        kind: FieldKind::Choice(&["crc32", "sha256", "none"]),
        default: "\"crc32\"",
        required: false,
        doc: "What S3 compares what it got with, beside the signed hash. `none` for services that do not know it.",
    },
    Field {
        name: "storage_class",
        kind: FieldKind::Choice(&[
            "STANDARD",
            "INTELLIGENT_TIERING",
            "STANDARD_IA",
            "ONEZONE_IA",
            "GLACIER_IR",
        ]),
        default: "\"STANDARD\"",
        required: false,
        doc: "Storage class of the objects. All but the first two bill at least 128 KB an object.",
    },
    Field {
        name: "kms_key",
        kind: FieldKind::Text,
        default: "",
        required: false,
        doc: "ARN of the key that objects are encrypted with, in place of the bucket's own default.",
    },
    Field {
        name: "expected_owner",
        kind: FieldKind::Text,
        default: "",
        required: false,
        doc: "Account that the bucket must belong to, 12 digits. A bucket of somebody else gets nothing.",
    },
    Field {
        name: "path_style",
        kind: FieldKind::Boolean,
        default: "",
        required: false,
        doc: "Whether the bucket stands in the path and not in the host's name. Without it: where the bucket has dots or \
              the endpoint is another than AWS's.",
    },
    aws::REGION,
    aws::ENDPOINT,
    aws::ROLE_ARN,
    aws::EXTERNAL_ID,
    aws::CONNECT_TIMEOUT,
];

const OBJECT_FIELDS: Fields = &[
    Field {
        name: "size",
        kind: FieldKind::Size {
            min: 1 << 10,
            max: 64 << 20,
        },
        default: "\"1MiB\"",
        required: false,
        doc: "Bytes, before compression, at which an object is sent. Larger is cheaper, and is what an unclean end can \
              lose; it is held in `memory`.",
    },
    Field {
        name: "max_age",
        kind: FieldKind::Duration {
            min: Duration::ZERO,
            max: Duration::from_secs(86_400),
        },
        default: "\"0s\"",
        required: false,
        doc: "Running time after which an object is sent although it is small. With `0s` each flush makes an object.",
    },
];

pub(super) fn build(reader: &Reader<'_>, build: &Build<'_>) -> Option<Box<dyn Sink>> {
    read(reader, build).map(|sink| Box::new(sink) as Box<dyn Sink>)
}

/// Reads everything before it gives up, so that all problems are shown at once.
pub(super) fn read(reader: &Reader<'_>, build: &Build<'_>) -> Option<S3Sink> {
    let bucket = read_bucket(reader);
    let plan = read_plan(reader, build);
    let headers = read_headers(reader);
    let conditional = reader.boolean("conditional");
    let path_style = optional(reader, "path_style", |reader| reader.boolean("path_style"));
    let region = aws::read_region(reader);
    let provider = aws::read_provider(reader);
    let endpoint = match reader.has("endpoint") {
        true => url::read(reader, "endpoint").map(Some),
        false => Some(None),
    };
    let connect_timeout = reader.duration("connect_timeout");
    let scope = Scope {
        region: region?,
        service: S3.prefix.to_owned(),
    };
    Some(S3Sink {
        bucket: bucket?,
        object: Object::new(plan?),
        headers: headers?,
        conditional: conditional?.value,
        path_style: path_style?.map(|value| value.value),
        endpoint: endpoint?,
        connect_timeout: connect_timeout?.value,
        client: None,
        base: String::new(),
        signed: Signed::new(scope, provider?),
    })
}

/// A key that may be absent. `None` after it reported what is wrong.
fn optional<T>(
    reader: &Reader<'_>,
    key: &str,
    read: impl FnOnce(&Reader<'_>) -> Option<T>,
) -> Option<Option<T>> {
    match reader.has(key) {
        true => read(reader).map(Some),
        false => Some(None),
    }
}

/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>, read 2026-11-25.
fn read_bucket(reader: &Reader<'_>) -> Option<String> {
    let bucket = reader.text("bucket")?;
    let name = bucket.value.as_str();
    let is_label = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let right = (3..=63).contains(&name.len())
        && name
            .bytes()
            .all(|byte| is_label(byte) || b".-".contains(&byte))
        && name.bytes().next().is_some_and(is_label)
        && name.bytes().next_back().is_some_and(is_label)
        && !name.contains("..");
    if !right {
        let help = "write its name alone: 3 to 63 lower-case letters, digits, `-` and `.`";
        reader.error(bucket.span, "this is no name of a bucket", help);
        return None;
    }
    Some(bucket.value)
}

fn read_plan(reader: &Reader<'_>, build: &Build<'_>) -> Option<Plan> {
    let key = build.template(reader, "key", Allow::Environment);
    let source = reader.text("key");
    let object = reader.table("object");
    let size = object.as_ref().and_then(|object| object.size("size"));
    let age = object
        .as_ref()
        .and_then(|object| object.duration("max_age"));
    let checksum = reader.choice("checksum");
    let source = source?;
    let coding = coding(&source);
    let built = coder::is_built(reader, &coding, "the suffix `.gz`") && is_built(reader, &coding);
    if !is_unique(reader, &source, key.as_ref()) || !built {
        return None;
    }
    Some(Plan {
        form: match coding.value {
            PARQUET => Form::Columns,
            word => Form::Lines(Coder::of(word)),
        },
        key: key?,
        size_max: usize::try_from(size?.value).ok()?,
        age_max: age?.value,
        checksum: match checksum?.value {
            "sha256" => Checksum::Sha256,
            "none" => Checksum::None,
            _ => Checksum::Crc32,
        },
    })
}

/// What a key promises of its objects.
fn coding(key: &Spanned<String>) -> Spanned<&'static str> {
    key.clone().map(|key| match key.rsplit('.').next() {
        Some("gz") => "gzip",
        Some("zst") => "zstd",
        Some(PARQUET) => PARQUET,
        _ => "none",
    })
}

/// Whether this build can write Parquet where a key asks for it. It was reported where it cannot.
fn is_built(reader: &Reader<'_>, coding: &Spanned<&'static str>) -> bool {
    if coding.value != PARQUET || parquet::BUILT {
        return true;
    }
    let (severity, kind, span) = (Severity::Error, Kind::NotBuilt, coding.span.clone());
    let message = "`.parquet` is not in this build";
    let help = "rebuild with the cargo feature `parquet`, or write the suffix `.gz`";
    reader.report(severity, kind, span, message, help);
    false
}

/// Whether no two objects of any environment can have the same key.
fn is_unique(reader: &Reader<'_>, source: &Spanned<String>, key: Option<&Template>) -> bool {
    if key.is_none() {
        return false;
    }
    let missing: Vec<&str> = ["{instance}", "{seq}"]
        .into_iter()
        .filter(|name| !source.value.contains(name))
        .collect();
    if missing.is_empty() {
        return true;
    }
    let message = format!(
        "without `{}` two objects may have the same key",
        missing.join("` and `")
    );
    let help = "write for example `logs/dt={date}/{time_ms}-{instance}-{seq}.ndjson.gz`";
    reader.error(source.span.clone(), message, help);
    false
}

/// The headers that are the same for every object. `None` after it reported what is wrong.
fn read_headers(reader: &Reader<'_>) -> Option<HeaderMap> {
    let class = reader.choice("storage_class");
    let kms_key = optional(reader, "kms_key", |reader| reader.text("kms_key"));
    let owner = optional(reader, "expected_owner", |reader| {
        reader.text("expected_owner")
    });
    let mut headers = HeaderMap::new();
    if let Some(class) = class.as_ref().filter(|class| class.value != "STANDARD") {
        let class = HeaderValue::from_static(class.value);
        headers.insert("x-amz-storage-class", class);
    }
    if let Some(owner) = owner? {
        let right =
            owner.value.len() == 12 && owner.value.bytes().all(|byte| byte.is_ascii_digit());
        if !right {
            reader.error(
                owner.span,
                "this is no account of AWS",
                "write its 12 digits in quotes",
            );
            return None;
        }
        insert(&mut headers, reader, "x-amz-expected-bucket-owner", &owner)?;
    }
    if let Some(key) = kms_key? {
        insert(
            &mut headers,
            reader,
            "x-amz-server-side-encryption-aws-kms-key-id",
            &key,
        )?;
        headers.insert(
            "x-amz-server-side-encryption",
            HeaderValue::from_static("aws:kms"),
        );
    }
    class.map(|_| headers)
}

fn insert(
    headers: &mut HeaderMap,
    reader: &Reader<'_>,
    name: &'static str,
    text: &Spanned<String>,
) -> Option<()> {
    match HeaderValue::from_str(&text.value) {
        Ok(value) if !text.value.is_empty() => {
            headers.insert(HeaderName::from_static(name), value);
            Some(())
        }
        _ => {
            let help = "write it in plain letters and digits";
            reader.error(text.span.clone(), "this cannot stand in a header", help);
            None
        }
    }
}
