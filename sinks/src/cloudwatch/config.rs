//! What the table of a `cloudwatch` sink may hold.

use std::time::Duration;

use tapline_core::config::{Data, Field, FieldKind, Fields, Reader};
use tapline_core::registry::Build;
use tapline_core::sink::Sink;
use tapline_core::template::Allow;

use super::message::{Format, Writer};
use super::pack::Oversize;
use super::target::{Target, object_into};
use super::{CloudWatch, LOGS};
use crate::buffer::Buffer;
use crate::shared::aws;
use crate::shared::gzip::Gzip;
use crate::shared::signed::Signed;
use crate::shared::sigv4::Scope;
use crate::shared::url;

pub(super) const FIELDS: Fields = &[
    Field {
        name: "group",
        kind: FieldKind::Template,
        default: "",
        required: true,
        doc: "Template of the group's name, without names of a record. Characters that a group may not have become `_`.",
    },
    Field {
        name: "stream",
        kind: FieldKind::Template,
        default: "\"{date:%Y/%m/%d}/{function.version}/{instance}\"",
        required: false,
        doc: "Template of the stream's name, made with the first record of an environment and kept. Characters that a \
              stream may not have become `_`.",
    },
    Field {
        name: "format",
        kind: FieldKind::Choice(&["bare", "envelope"]),
        default: "\"bare\"",
        required: false,
        doc: "`bare`: what the function wrote, and platform events whole; `envelope`: the line that other sinks write.",
    },
    Field {
        name: "oversize",
        kind: FieldKind::Choice(&["split", "truncate", "drop"]),
        default: "\"split\"",
        required: false,
        doc: "What becomes of a message of more than 1,048,550 bytes: several events, its beginning, or nothing.",
    },
    Field {
        name: "compression",
        kind: FieldKind::Choice(&["none", "gzip"]),
        default: "\"none\"",
        required: false,
        doc: "Compression of requests. What is paid for is the size before it.",
    },
    Field {
        name: "retention_days",
        kind: FieldKind::Integer { min: 1, max: 3_653 },
        default: "",
        required: false,
        doc: "Days that a group which Tapline makes keeps its events. Without it they are kept for ever. A group that \
              is there is left as it is.",
    },
    Field {
        name: "class",
        kind: FieldKind::Choice(&["STANDARD", "INFREQUENT_ACCESS"]),
        default: "\"STANDARD\"",
        required: false,
        doc: "Class of a group that Tapline makes. It can never be changed.",
    },
    Field {
        name: "kms_key",
        kind: FieldKind::Text,
        default: "",
        required: false,
        doc: "ARN of the key that a group which Tapline makes is encrypted with.",
    },
    Field {
        name: "tags",
        kind: FieldKind::Map(&FieldKind::Text),
        default: "",
        required: false,
        doc: "Tags of a group that Tapline makes.",
    },
    Field {
        name: "entity",
        kind: FieldKind::Table(ENTITY_FIELDS),
        default: "",
        required: false,
        doc: "What the events belong to in CloudWatch's view of an application.",
    },
    aws::REGION,
    aws::ENDPOINT,
    aws::ROLE_ARN,
    aws::EXTERNAL_ID,
    aws::CONNECT_TIMEOUT,
];

const ENTITY_FIELDS: Fields = &[
    Field {
        name: "key",
        kind: FieldKind::Map(&FieldKind::Text),
        default: "",
        required: true,
        doc: "Two to four of `Type`, `ResourceType`, `Identifier`, `Name`, `Environment`.",
    },
    Field {
        name: "attributes",
        kind: FieldKind::Map(&FieldKind::Text),
        default: "",
        required: false,
        doc: "At most ten attributes of your own.",
    },
];

/// What `retentionInDays` takes.
///
/// Source: <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html>, read
/// 2026-11-25.
const RETENTION_DAYS: [i64; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1_096, 1_827, 2_192, 2_557,
    2_922, 3_288, 3_653,
];

/// Names that an entity's key is made of.
const ENTITY_KEYS: [&str; 5] = ["Type", "ResourceType", "Identifier", "Name", "Environment"];

pub(super) fn build(reader: &Reader<'_>, build: &Build<'_>) -> Option<Box<dyn Sink>> {
    read(reader, build).map(|sink| Box::new(sink) as Box<dyn Sink>)
}

/// Reads everything before it gives up, so that all problems are shown at once.
pub(super) fn read(reader: &Reader<'_>, build: &Build<'_>) -> Option<CloudWatch> {
    let target = read_target(reader, build);
    let format = reader.choice("format");
    let oversize = reader.choice("oversize");
    let compression = reader.choice("compression");
    let region = aws::read_region(reader);
    let provider = aws::read_provider(reader);
    let endpoint = match reader.has("endpoint") {
        true => url::read(reader, "endpoint").map(Some),
        false => Some(None),
    };
    let connect_timeout = reader.duration("connect_timeout");
    let scope = Scope {
        region: region?,
        service: LOGS.prefix.to_owned(),
    };
    Some(CloudWatch {
        target: target?,
        writer: Writer::new(match format?.value {
            "envelope" => Format::Envelope,
            _ => Format::Bare,
        }),
        oversize: match oversize?.value {
            "truncate" => Oversize::Truncate,
            "drop" => Oversize::Drop,
            _ => Oversize::Split,
        },
        gzip: (compression?.value == "gzip").then(Gzip::default),
        packed: Buffer::default(),
        endpoint: endpoint?,
        connect_timeout: connect_timeout.map_or(Duration::from_secs(1), |time| time.value),
        clients: Vec::new(),
        signed: Signed::new(scope, provider?),
    })
}

fn read_target(reader: &Reader<'_>, build: &Build<'_>) -> Option<Target> {
    let group = build.template(reader, "group", Allow::Environment);
    let stream = build.template(reader, "stream", Allow::Environment);
    let retention_days = read_retention(reader);
    let class = reader.choice("class");
    let kms_key = reader.text("kms_key");
    let entity = read_entity(reader);
    let tags = texts(reader, "tags");
    let right = group
        .as_ref()
        .is_some_and(|group| is_named(reader, group.source()));
    if !right || (reader.has("kms_key") && kms_key.is_none()) {
        return None;
    }
    let mut target = Target::new(group?, stream?);
    target.retention_days = retention_days?;
    target.class = class?.value;
    target.kms_key = kms_key.map(|key| key.value);
    target.tags = tags?;
    target.entity = entity?;
    Some(target)
}

fn is_named(reader: &Reader<'_>, group: &str) -> bool {
    let (message, help) = if group.is_empty() {
        (
            "`group` is empty",
            "write for example `/app/{function.name}`",
        )
    } else if group.starts_with("aws/") {
        (
            "the name of a group does not begin with `aws/`",
            "write `/aws/…`, or a name of your own",
        )
    } else {
        return true;
    };
    if let Some(text) = reader.text("group") {
        reader.error(text.span, message, help);
    }
    false
}

fn read_retention(reader: &Reader<'_>) -> Option<Option<i64>> {
    if !reader.has("retention_days") {
        return Some(None);
    }
    let days = reader.integer("retention_days")?;
    if RETENTION_DAYS.contains(&days.value) {
        return Some(Some(days.value));
    }
    let all: Vec<String> = RETENTION_DAYS.iter().map(i64::to_string).collect();
    let message = format!("CloudWatch Logs keeps no events for {} days", days.value);
    reader.error(
        days.span,
        message,
        format!("write one of {}", all.join(", ")),
    );
    None
}

/// A table of texts. `None` after it reported what is wrong.
fn texts(reader: &Reader<'_>, key: &str) -> Option<Vec<(String, String)>> {
    let read = reader.map_of_text(key);
    let wanted = match reader.raw(key).map(|value| &value.data) {
        None => 0,
        Some(Data::Table(entries)) => entries.len(),
        Some(_) => return None,
    };
    let read: Vec<_> = read.into_iter().map(|(k, v)| (k.value, v.value)).collect();
    (read.len() == wanted).then_some(read)
}

/// The JSON of the entity. `None` after it reported what is wrong.
fn read_entity(reader: &Reader<'_>) -> Option<Option<String>> {
    if !reader.has("entity") {
        return Some(None);
    }
    let entity = reader.table("entity")?;
    let (key, attributes) = (texts(&entity, "key")?, texts(&entity, "attributes")?);
    let known = key
        .iter()
        .all(|(name, _)| ENTITY_KEYS.contains(&name.as_str()));
    if !known || !(2..=4).contains(&key.len()) {
        let help =
            "write two to four of `Type`, `ResourceType`, `Identifier`, `Name`, `Environment`";
        let span = entity.key_span("key").unwrap_or_else(|| entity.header());
        reader.error(span, "this is no key of an entity", help);
        return None;
    }
    if attributes.len() > 10 {
        let span = entity
            .key_span("attributes")
            .unwrap_or_else(|| entity.header());
        reader.error(
            span,
            "an entity has at most ten attributes",
            "leave some out",
        );
        return None;
    }
    let mut json = b"{\"keyAttributes\":".to_vec();
    object_into(&key, &mut json);
    if !attributes.is_empty() {
        json.extend_from_slice(b",\"attributes\":");
        object_into(&attributes, &mut json);
    }
    json.push(b'}');
    String::from_utf8(json).ok().map(Some)
}
