//! Telemetry elements: what the platform says, and the form that each API and schema version gives to it.

use std::fmt::Write as _;

use serde::Serialize;

use super::settings::{LogFormat, Schema};
use super::subscription::Subscription;

/// Which subscribers an element is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// All.
    Everyone,
    /// Those of the Telemetry API.
    Telemetry,
    /// Those of the Logs API, from this schema version on.
    Logs(Schema),
    /// One alone: the report of what it lost.
    Subscriber(usize),
    /// Nobody: a fault keeps it back.
    Nobody,
}

/// The content of an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A JSON value in its exact bytes: what platform elements carry.
    Json(String),
    /// A line of a process, as it was printed, without its newline.
    Line(String),
}

/// One telemetry element as it was generated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// When the platform made it, `2026-01-02T03:04:05.678Z`.
    pub time: String,
    /// `platform.start`, `function`, …
    pub kind: String,
    /// Its content.
    pub record: Record,
    /// Who gets it.
    pub audience: Audience,
}

/// How lines become records.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LineForm {
    pub format: LogFormat,
    pub newline: bool,
}

impl Element {
    /// The stream of a subscription's `types` that it belongs to.
    pub fn stream(&self) -> &str {
        self.kind.split('.').next().unwrap_or_default()
    }

    pub(crate) fn is_for(&self, index: usize, subscription: &Subscription) -> bool {
        let schema = subscription.schema;
        let heard = match &self.audience {
            Audience::Everyone => true,
            Audience::Telemetry => !schema.of_logs_api(),
            Audience::Logs(from) => schema.of_logs_api() && schema >= *from,
            Audience::Subscriber(only) => *only == index,
            Audience::Nobody => false,
        };
        let stream = self.stream();
        // An element that a script made up may have any type; it travels with the platform's own.
        let known = matches!(stream, "function" | "extension");
        let stream = if known { stream } else { "platform" };
        heard && subscription.types.iter().any(|asked| asked == stream)
    }

    /// The element's JSON as a subscriber with this schema version gets it.
    pub(crate) fn render(&self, schema: Schema, form: LineForm) -> String {
        let Element {
            time, kind, record, ..
        } = self;
        let mut json = format!(r#"{{"time":"{time}","type":"{kind}","record":"#);
        match record {
            Record::Json(value) => json.push_str(value),
            Record::Line(line) => {
                let objects = form.format == LogFormat::Json && schema >= Schema::V2022_12_13;
                if objects && is_object(line) {
                    json.push_str(line.trim());
                } else if form.newline {
                    json.push_str(&quoted(&format!("{line}\n")));
                } else {
                    json.push_str(&quoted(line));
                }
            }
        }
        json.push('}');
        json
    }
}

fn is_object(line: &str) -> bool {
    line.trim_start().starts_with('{')
        && serde_json::from_str::<serde::de::IgnoredAny>(line).is_ok()
}

/// `text` as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A value as JSON, its keys in the order of its fields.
pub(crate) fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("plain structs of strings and numbers are always JSON")
}

/// Milliseconds with microsecond precision, as metrics carry them.
pub(crate) fn ms(duration: std::time::Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// `metrics` of an element that measures a duration alone.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DurationOnly {
    pub duration_ms: f64,
}

/// X-Ray context of an invocation.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tracing {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span_id: Option<String>,
    pub r#type: &'static str,
    pub value: String,
}

/// A part of a duration.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Span {
    pub name: &'static str,
    pub start: String,
    pub duration_ms: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InitStart<'a> {
    pub initialization_type: &'a str,
    pub phase: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub runtime_version: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub runtime_version_arn: &'a str,
    pub function_name: &'a str,
    pub function_version: &'a str,
    pub instance_id: &'a str,
    pub instance_max_memory: u64,
}

/// `initRuntimeDone` without metrics, `initReport` with them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InitEnd<'a> {
    pub initialization_type: &'a str,
    pub phase: &'a str,
    pub status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<DurationOnly>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExtensionReport<'a> {
    pub name: &'a str,
    pub state: &'a str,
    pub events: &'a [&'static str],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_type: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Subscribed<'a> {
    pub name: &'a str,
    pub state: &'a str,
    pub types: &'a [String],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Start<'a> {
    pub request_id: &'a str,
    pub version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracing: Option<&'a Tracing>,
}

/// Logs API: `platform.end` without status, `platform.runtimeDone` with it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogsEnd<'a> {
    pub request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<&'a str>,
}

/// `platform.runtimeDone` and `platform.report`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct End<'a> {
    pub request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_type: Option<&'a str>,
    pub metrics: Metrics,
    #[serde(skip_serializing_if = "<[Span]>::is_empty")]
    pub spans: &'a [Span],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracing: Option<&'a Tracing>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metrics {
    pub duration_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub produced_bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billed_duration_ms: Option<u64>,
    #[serde(rename = "memorySizeMB", skip_serializing_if = "Option::is_none")]
    pub memory_size_mb: Option<u32>,
    #[serde(rename = "maxMemoryUsedMB", skip_serializing_if = "Option::is_none")]
    pub max_memory_used_mb: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_duration_ms: Option<f64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Dropped<'a> {
    pub reason: &'a str,
    pub dropped_records: u64,
    pub dropped_bytes: u64,
}

/// `{"errorMessage":…,"errorType":…}` and the newline that ends the platform's error bodies.
pub(crate) fn error_body(kind: &str, message: &str) -> String {
    let mut body = String::new();
    // Writing to a String cannot fail.
    writeln!(
        body,
        r#"{{"errorMessage":{},"errorType":{}}}"#,
        quoted(message),
        quoted(kind)
    )
    .ok();
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str, schema: Schema, format: LogFormat) -> String {
        let element = Element {
            time: "T".into(),
            kind: "function".into(),
            record: Record::Line(text.into()),
            audience: Audience::Everyone,
        };
        element.render(
            schema,
            LineForm {
                format,
                newline: true,
            },
        )
    }

    #[test]
    fn log_format_and_schema_decide_between_string_and_object() {
        let text = r#"{"b":1,"a":"x"}"#;
        let string = r#"{"time":"T","type":"function","record":"{\"b\":1,\"a\":\"x\"}\n"}"#;
        let object = r#"{"time":"T","type":"function","record":{"b":1,"a":"x"}}"#;
        assert_eq!(line(text, Schema::V2025_01_29, LogFormat::Json), object);
        assert_eq!(line(text, Schema::V2022_12_13, LogFormat::Json), object);
        assert_eq!(line(text, Schema::V2022_07_01, LogFormat::Json), string);
        assert_eq!(line(text, Schema::Logs2021, LogFormat::Json), string);
        assert_eq!(line(text, Schema::V2025_01_29, LogFormat::Text), string);
        let plain = r#"{"time":"T","type":"function","record":"plain\n"}"#;
        assert_eq!(line("plain", Schema::V2025_01_29, LogFormat::Json), plain);
    }
}
