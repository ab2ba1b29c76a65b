//! What loggers write into JSON.

use std::ops::Range;

use super::{Recognised, usable_id};
use crate::json;
use crate::level::Level;

/// What a key of a record's JSON says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// The level, as a word or a number.
    Level,
    /// The level as a number on Python's scale.
    PythonNumber,
    /// The level as a number on OpenTelemetry's scale.
    OtelNumber,
    /// The request id; a lower rank says more.
    RequestId(u8),
    TraceId,
    SpanId,
    /// The message; a lower rank says more.
    Message(u8),
    /// The message, where the record is one of OpenTelemetry's.
    Body,
    /// An error's type: with its message it is what runtimes write for an uncaught error.
    ErrorType,
    /// An object that holds some of these one level down.
    Nested(Nested),
    Metrics,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nested {
    /// `log.level` of the Elastic Common Schema.
    Log,
    /// Rust's tracing writes its message one level down.
    Fields,
    /// loguru: `record.level.name`, `record.message`.
    Record,
    /// Rust's tracing: the ids of the invocation. The Elastic Common Schema: `span.id`.
    Span,
    /// `trace.id` of the Elastic Common Schema.
    Trace,
}

const ERROR_MESSAGE: u8 = 2;

/// The role of a key, by the loggers that write it.
///
/// Sources, read 2026-11-24: the runtime interface clients of AWS; Powertools for AWS Lambda
/// (<https://docs.powertools.aws.dev>); pino, bunyan, winston; Python's `logging`, structlog, loguru; zap, zerolog,
/// logrus, `log/slog`; Serilog's compact form (<https://github.com/serilog/serilog-formatting-compact>) and the JSON
/// console of .NET; log4j's `JsonTemplateLayout`; <https://www.elastic.co/docs/reference/ecs>;
/// <https://cloud.google.com/logging/docs/structured-logging>; <https://opentelemetry.io/docs/specs/otel/logs/data-model/>.
fn role(key: &[u8]) -> Option<Role> {
    Some(match key {
        b"level" | b"log_level" | b"severity" | b"levelname" | b"lvl" | b"@l" | b"log.level"
        | b"loglevel" | b"logLevel" | b"LogLevel" | b"Level" | b"severityText"
        | b"SeverityText" | b"severity_text" => Role::Level,
        b"levelno" | b"level_number" => Role::PythonNumber,
        b"severityNumber" | b"SeverityNumber" | b"severity_number" => Role::OtelNumber,
        b"AWSRequestId"
        | b"aws_request_id"
        | b"function_request_id"
        | b"awsRequestId"
        | b"AwsRequestId"
        | b"functionRequestId"
        | b"FunctionRequestId"
        | b"lambdaRequestId"
        | b"lambda_request_id"
        | b"faas.invocation_id"
        | b"faas.execution" => Role::RequestId(0),
        b"requestId" => Role::RequestId(1),
        b"trace_id" | b"traceId" | b"xray_trace_id" | b"TraceId" | b"trace.id" | b"xrayTraceId"
        | b"@tr" => Role::TraceId,
        b"span_id" | b"spanId" | b"SpanId" | b"span.id" | b"@sp" => Role::SpanId,
        b"message" => Role::Message(0),
        b"msg" => Role::Message(1),
        b"errorMessage" => Role::Message(ERROR_MESSAGE),
        b"@m" | b"Message" | b"RenderedMessage" | b"short_message" => Role::Message(4),
        b"@mt" | b"MessageTemplate" | b"event" => Role::Message(5),
        b"body" | b"Body" => Role::Body,
        b"errorType" => Role::ErrorType,
        b"log" => Role::Nested(Nested::Log),
        b"fields" => Role::Nested(Nested::Fields),
        b"record" => Role::Nested(Nested::Record),
        b"span" => Role::Nested(Nested::Span),
        b"trace" => Role::Nested(Nested::Trace),
        b"_aws" => Role::Metrics,
        _ => return None,
    })
}

/// Looks at a JSON object, `object` being its range in `text`. Where keys say different things, a word says more than
/// a number, and of two words the first.
pub fn in_object(text: &[u8], object: Range<usize>) -> Recognised {
    let mut reading = Reading::new(text);
    for (key, value) in json::members(text, object) {
        reading.member(key, value);
    }
    reading.finish()
}

/// The same for a text that may be one JSON object, with white space around it: checked in the walk that looks at it.
/// `None` where it is none.
pub fn in_whole_object(text: &[u8]) -> Option<Recognised> {
    let start = json::skip_space(text, 0);
    if text.get(start) != Some(&b'{') {
        return None;
    }
    let mut reading = Reading::new(text);
    let mut members = json::members(text, start..text.len());
    for (key, value) in members.by_ref() {
        reading.member(key, value);
    }
    let end = members.end()?;
    (json::skip_space(text, end) == text.len()).then(|| reading.finish())
}

/// What is found in an object while somebody else walks over its members.
pub(crate) struct Reading<'t> {
    text: &'t [u8],
    found: Recognised,
    /// `{"level":40,"levelname":"ERROR"}` is Python's, where 40 is no warning.
    named: Option<Level>,
    numbered: Option<Level>,
    request_rank: u8,
    message_rank: u8,
    body: Option<Range<usize>>,
    otel: bool,
    error_type: bool,
    /// The level is a number of syslog's: Graylog's format.
    graylog: Option<u32>,
}

impl<'t> Reading<'t> {
    pub fn new(text: &'t [u8]) -> Reading<'t> {
        Reading {
            text,
            found: Recognised::default(),
            named: None,
            numbered: None,
            request_rank: u8::MAX,
            message_rank: u8::MAX,
            body: None,
            otel: false,
            error_type: false,
            graylog: None,
        }
    }

    /// Looks at a member of the object, by the ranges of its key and of its value.
    pub fn member(&mut self, key: Range<usize>, value: Range<usize>) {
        let key = &self.text[key];
        if let Some(role) = role(key) {
            self.take(role, key, value);
        }
    }

    fn take(&mut self, role: Role, key: &[u8], value: Range<usize>) {
        let raw = &self.text[value.clone()];
        match role {
            Role::Level => {
                self.otel |= key.len() == 12 || key == b"severity_text";
                self.named = self.named.or(level_word(raw));
                self.graylog = self.graylog.or(number(raw).filter(|level| *level < 8));
                self.numbered = self.numbered.or_else(|| match key {
                    b"levelname" => Level::from_python(number(raw)?),
                    _ => Level::from_number(number(raw)?),
                });
            }
            Role::PythonNumber => {
                let level = number(raw).and_then(Level::from_python);
                self.numbered = level.or(self.numbered);
            }
            Role::OtelNumber => {
                self.otel = true;
                let level = number(raw).and_then(Level::from_otel);
                self.numbered = self.numbered.or(level);
            }
            Role::RequestId(rank) if rank < self.request_rank => {
                if let Some(id) = inside(raw, &value).and_then(|range| usable_id(self.text, range))
                {
                    self.request_rank = rank;
                    self.found.request_id = Some(id);
                }
            }
            Role::RequestId(_) => {}
            Role::TraceId => {
                self.found.trace_id = self.found.trace_id.take().or(inside(raw, &value))
            }
            Role::SpanId => self.found.span_id = self.found.span_id.take().or(inside(raw, &value)),
            Role::Message(rank) => {
                // Words that may name other things than a message count only where they are text.
                if rank < 4 || raw.first() == Some(&b'"') {
                    self.message(rank, value);
                }
            }
            Role::Body => self.body = Some(value),
            Role::ErrorType => self.error_type = raw.first() == Some(&b'"'),
            Role::Nested(nested) if raw.first() == Some(&b'{') => self.descend(nested, value),
            Role::Nested(_) => {}
            Role::Metrics => self.found.embedded_metrics = raw.first() == Some(&b'{'),
        }
    }

    fn message(&mut self, rank: u8, value: Range<usize>) {
        if rank < self.message_rank {
            self.message_rank = rank;
            self.found.message = Some(value);
        }
    }

    fn descend(&mut self, nested: Nested, object: Range<usize>) {
        let text = self.text;
        for (key, value) in json::members(text, object) {
            let key = &text[key];
            let role = match (nested, key) {
                (Nested::Log | Nested::Record, b"level") => Some(Role::Level),
                (Nested::Fields | Nested::Record, b"message") => Some(Role::Message(3)),
                (Nested::Span, b"id") => Some(Role::SpanId),
                (Nested::Trace, b"id") => Some(Role::TraceId),
                (Nested::Span, b"requestId" | b"xrayTraceId") => role(key),
                _ => None,
            };
            match role {
                Some(Role::Level) if text[value.start] == b'{' => {
                    let name =
                        json::members(text, value).find(|(key, _)| &text[key.clone()] == b"name");
                    if let Some((_, name)) = name {
                        self.take(Role::Level, b"level", name);
                    }
                }
                Some(role) => self.take(role, key, value),
                None => {}
            }
        }
    }

    /// What was found.
    pub fn finish(mut self) -> Recognised {
        if self.otel
            && let Some(body) = self.body.take()
        {
            self.message(3, body);
        }
        // The error that a runtime reports bears no level.
        let uncaught = self.error_type && self.message_rank == ERROR_MESSAGE;
        let graylog = match self.graylog {
            Some(number) if self.message_rank == 4 => Level::from_syslog(number),
            _ => None,
        };
        self.found.level = self
            .named
            .or(self.numbered)
            .or(graylog)
            .or(uncaught.then_some(Level::Error));
        self.found
    }
}

/// The level that a JSON string names: `"INFO"`, slog's `"WARN+1"`, and words that a logger put colours around.
fn level_word(raw: &[u8]) -> Option<Level> {
    let mut word = json::string_inside(raw)?;
    if let Some(coloured) = word.strip_prefix(b"\\u001b[") {
        let start = coloured.iter().position(|byte| *byte == b'm')? + 1;
        let end = memchr::memchr(b'\\', &coloured[start..]).unwrap_or(coloured.len() - start);
        word = &coloured[start..start + end];
    }
    if let Some(sign) = word.iter().position(|byte| matches!(byte, b'+' | b'-'))
        && word[sign + 1..].iter().all(u8::is_ascii_digit)
    {
        return match (Level::from_word(&word[..sign]), word[sign]) {
            // slog has no level below debug but by a number: four steps down is what others call trace.
            (Some(Level::Debug), b'-') => Some(Level::Trace),
            (level, _) => level,
        };
    }
    Level::from_word(word.trim_ascii())
}

fn inside(raw: &[u8], value: &Range<usize>) -> Option<Range<usize>> {
    json::string_inside(raw)?;
    Some(value.start + 1..value.end - 1)
}

/// A whole number, also in quotes.
fn number(raw: &[u8]) -> Option<u32> {
    let digits = json::string_inside(raw).unwrap_or(raw);
    std::str::from_utf8(digits).ok()?.parse().ok()
}
