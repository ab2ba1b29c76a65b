//! The record of a platform event, read leniently: whatever is missing or of another kind is left out.
//!
//! ```text
//! {"requestId":"…","status":"success","metrics":{"durationMs":55.912},"tracing":{"value":"Root=1-…"}}
//! ```
//!
//! Nothing is built but the few texts that are used, so that a record of any size or shape costs no memory.
//!
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html>, read 2026-11-23.

use std::ops::Range;

use tapline_core::invocation::{Invocations, Trace};
use tapline_core::json;
use tapline_core::level::Level;
use tapline_core::observation::{Observation, What};
use tapline_core::platform::{PlatformEvent, Status};
use tapline_core::time;

/// Characters of a text that are kept. The table of invocations keeps as many of a request id.
const TEXT_CHARACTERS_MAX: usize = 512;
const REQUEST_ID_CHARACTERS_MAX: usize = 128;
const TYPE_NAME_CHARACTERS_MAX: usize = 128;
/// Digits of a type's name: `Http404Error` has three, and few secrets as few.
const TYPE_NAME_DIGITS_MAX: usize = 3;

/// What is read of a platform event's record.
#[derive(Debug, Default)]
pub(super) struct Fields {
    /// The request id between its quotes, as a range of the text.
    pub request_id: Option<Range<usize>>,
    /// The X-Ray header.
    pub trace: Option<String>,
    status: Option<String>,
    state: Option<String>,
    init_type: Option<String>,
    phase: Option<String>,
    log_stream: Option<String>,
    has_runtime_version: bool,
    duration_ms: Option<f64>,
    memory_mb: Option<f64>,
    span_id: Option<String>,
    error_type: Option<String>,
    overhead: Option<(i64, f64)>,
    dropped: Option<f64>,
}

impl Fields {
    /// Reads the value at `record`. Text has no field but the request id that it begins with.
    pub fn read(bytes: &[u8], record: Range<usize>) -> Fields {
        let mut fields = Fields::default();
        if bytes.get(record.start) == Some(&b'"') {
            fields.request_id = fault_id(bytes, record);
            return fields;
        }
        for (key, value) in json::members(bytes, record) {
            let raw = &bytes[value.clone()];
            match &*json::unescape(&bytes[key]) {
                b"requestId" => {
                    // It is copied beside every record of the invocation, where no redaction looks and nothing is
                    // escaped: so it must look like one.
                    let inside = json::string_inside(raw).filter(|inside| is_request_id(inside));
                    fields.request_id = inside.map(|_| value.start + 1..value.end - 1);
                }
                b"status" => fields.status = text(raw),
                b"state" => fields.state = text(raw),
                b"initializationType" => fields.init_type = text(raw),
                b"phase" => fields.phase = text(raw),
                b"instanceId" => fields.log_stream = text(raw).filter(|name| !name.is_empty()),
                b"runtimeVersion" => {
                    fields.has_runtime_version = text(raw).is_some_and(|text| !text.is_empty());
                }
                b"metrics" => {
                    fields.memory_mb =
                        member(bytes, value.clone(), "maxMemoryUsedMB").and_then(number);
                    fields.duration_ms = member(bytes, value, "durationMs").and_then(number)
                }
                b"tracing" => {
                    fields.span_id = member(bytes, value.clone(), "spanId").and_then(text);
                    fields.trace = member(bytes, value, "value").and_then(text)
                }
                // It goes into spans, past every transform: so it must look like the name of a type.
                b"errorType" => fields.error_type = text(raw).filter(|name| is_type_name(name)),
                b"spans" => fields.overhead = overhead(bytes, value),
                b"droppedRecords" => fields.dropped = number(raw),
                _ => {}
            }
        }
        fields
    }

    /// The event of type `kind`. One that needs a request id and has none is [`PlatformEvent::Other`].
    pub fn event(&self, kind: &[u8], time: &[u8], bytes: &[u8]) -> PlatformEvent {
        let request_id = || {
            let escaped = &bytes[self.request_id.clone()?];
            Some(limited(&json::unescape(escaped), REQUEST_ID_CHARACTERS_MAX))
        };
        let (status, duration_ms) = (self.status(), self.duration_ms);
        match kind {
            b"platform.initStart" => PlatformEvent::InitStart {
                init_type: self.init_type.clone(),
                suppressed: self.phase.as_deref() == Some("invoke"),
                log_stream: self.log_stream.clone(),
            },
            b"platform.initReport" => PlatformEvent::InitReport {
                status,
                duration_ms,
            },
            b"platform.restoreStart" => PlatformEvent::RestoreStart {
                log_stream: self.log_stream.clone(),
            },
            b"platform.start" => {
                request_id().map_or(PlatformEvent::Other, |request_id| PlatformEvent::Start {
                    request_id,
                    trace: self.trace.clone(),
                })
            }
            b"platform.runtimeDone" => request_id().map_or(PlatformEvent::Other, |request_id| {
                PlatformEvent::RuntimeDone {
                    request_id,
                    status,
                    duration_ms,
                    time_ms: time::parse_rfc3339_ms(time),
                }
            }),
            b"platform.report" => {
                request_id().map_or(PlatformEvent::Other, |request_id| PlatformEvent::Report {
                    request_id,
                    status,
                    duration_ms,
                })
            }
            b"platform.logsDropped" => PlatformEvent::LogsDropped {
                records: self.dropped.map_or(0, |count| count.max(0.0) as u64),
            },
            _ => PlatformEvent::Other,
        }
    }

    /// What the event says in numbers, joined with what is known of its invocation by now; `None` for one that ends
    /// nothing, and for one without a time.
    pub fn observation(
        &self,
        kind: &[u8],
        time: &[u8],
        bytes: &[u8],
        invocations: &Invocations,
    ) -> Option<Observation> {
        let what = match kind {
            b"platform.initReport" => What::Init,
            b"platform.restoreReport" => What::Restore,
            b"platform.runtimeDone" => What::Invocation,
            b"platform.report" => What::Report,
            _ => return None,
        };
        let id = self.request_id.clone().map(|range| &bytes[range]);
        let of_invocation = matches!(what, What::Invocation | What::Report);
        let id = json::unescape(id.filter(|_| of_invocation).unwrap_or_default()).into_owned();
        if of_invocation && id.is_empty() {
            return None;
        }
        let invocation = invocations.get(invocations.by_request_id(&id));
        let own = self.trace.as_deref().map(Trace::parse);
        let is_span = |id: &&String| id.len() == 16 && id.bytes().all(|b| b.is_ascii_hexdigit());
        Some(Observation {
            what,
            request_id: String::from_utf8_lossy(&id).into_owned(),
            end_ms: time::parse_rfc3339_ms(time)?,
            duration_ms: self.duration_ms,
            status: self.status(),
            failed: match invocation {
                Some(invocation) => invocation.failed(),
                None => self
                    .status()
                    .is_some_and(|status| status != Status::Success),
            },
            cold_start: invocation.is_some_and(|invocation| invocation.cold_start),
            error_type: self.error_type.clone().unwrap_or_default(),
            memory_used: self.memory_mb.map(|mb| (mb.max(0.0) * 1_048_576.0) as u64),
            trace: own.or_else(|| invocation?.trace.clone()),
            span_id: self
                .span_id
                .as_ref()
                .filter(is_span)
                .cloned()
                .unwrap_or_default(),
            overhead: self.overhead,
        })
    }

    fn status(&self) -> Option<Status> {
        self.status.as_deref().and_then(Status::from_word)
    }

    /// The level that AWS publishes for the event; `None` for one that it does not list. A status or state that is
    /// missing counts as good, as older schema versions leave it out.
    ///
    /// Source: <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html>, "System log
    /// level event mapping", read 2026-11-23. That has no `platform.fault`, which tells that a process of the environment
    /// crashed: an error, since no invocation survives it.
    pub fn level(&self, kind: &[u8]) -> Option<Level> {
        let good = self
            .status
            .as_deref()
            .is_none_or(|word| Status::from_word(word) == Some(Status::Success));
        let unless_bad = |level| if good { level } else { Level::Warn };
        let level = match kind.strip_prefix(b"platform.")? {
            b"initStart" | b"restoreStart" if self.has_runtime_version => Level::Info,
            b"initStart" | b"restoreStart" => Level::Debug,
            b"initRuntimeDone" | b"restoreRuntimeDone" | b"runtimeDone" => unless_bad(Level::Debug),
            b"initReport" => match self.init_type.as_deref() {
                Some("on-demand") => unless_bad(Level::Debug),
                _ => unless_bad(Level::Info),
            },
            b"restoreReport" | b"report" => unless_bad(Level::Info),
            b"start" | b"logsSubscription" | b"telemetrySubscription" => Level::Info,
            b"extension" => match self.state.as_deref() {
                None | Some("Ready" | "success") => Level::Info,
                Some(_) => Level::Warn,
            },
            b"logsDropped" => Level::Warn,
            b"fault" => Level::Error,
            _ => return None,
        };
        Some(level)
    }
}

/// The request id that the text of a `platform.fault` begins with:
/// `"RequestId: 5e2f9b64-… Error: Runtime exited with error: signal: killed\nRuntime.ExitError"`.
///
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-logs-api.html>, read 2026-11-23.
fn fault_id(bytes: &[u8], text: Range<usize>) -> Option<Range<usize>> {
    const BEFORE: &[u8] = b"RequestId: ";
    let inside = json::string_inside(&bytes[text.clone()])?;
    let rest = inside.strip_prefix(BEFORE)?;
    let ends = |byte: &u8| !byte.is_ascii_alphanumeric() && *byte != b'-';
    let length = rest.iter().position(ends).unwrap_or(rest.len());
    let start = text.start + 1 + BEFORE.len();
    is_request_id(&rest[..length]).then_some(start..start + length)
}

/// The span `extensionOverhead` of a list: its start in milliseconds since 1970, and how long it took.
fn overhead(bytes: &[u8], list: Range<usize>) -> Option<(i64, f64)> {
    json::elements(bytes, list).find_map(|span| {
        let part = |name| member(bytes, span.clone(), name);
        let name = part("name").and_then(json::string_inside)?;
        let start = part("start").and_then(json::string_inside)?;
        let duration_ms = part("durationMs").and_then(number)?;
        let start_ms = time::parse_rfc3339_ms(start)?;
        (name == b"extensionOverhead").then_some((start_ms, duration_ms))
    })
}

/// A member of an object; the last of equal keys wins.
fn member<'a>(bytes: &'a [u8], object: Range<usize>, wanted: &str) -> Option<&'a [u8]> {
    json::members(bytes, object)
        .filter(|(key, _)| json::key_is(&bytes[key.clone()], wanted))
        .last()
        .map(|(_, value)| &bytes[value])
}

/// A text, of a number its digits.
fn text(raw: &[u8]) -> Option<String> {
    match raw.first() {
        Some(b'"') => {
            // An escape has at most six bytes a character, twelve where it is a pair.
            let inside = json::string_inside(raw)?;
            let inside = &inside[..inside.len().min(12 * TEXT_CHARACTERS_MAX)];
            Some(limited(&json::unescape(inside), TEXT_CHARACTERS_MAX))
        }
        Some(b'-' | b'0'..=b'9') => Some(limited(raw, TEXT_CHARACTERS_MAX)),
        _ => None,
    }
}

/// A number, also one that was written as text.
fn number(raw: &[u8]) -> Option<f64> {
    let digits = json::string_inside(raw).unwrap_or(raw);
    let number: f64 = std::str::from_utf8(digits).ok()?.trim().parse().ok()?;
    number.is_finite().then_some(number)
}

fn limited(text: &[u8], characters: usize) -> String {
    String::from_utf8_lossy(&text[..text.len().min(4 * characters)])
        .chars()
        .take(characters)
        .collect()
}

/// At most 128 letters, digits and dashes, one of them a letter: platforms give UUIDs, test doubles shorter words.
fn is_request_id(text: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    (1..=REQUEST_ID_CHARACTERS_MAX).contains(&text.len())
        && text.iter().all(plain)
        && (text.iter().any(u8::is_ascii_alphabetic) || text.len() < 12 || text.len() == 36)
}

/// `Runtime.ExitError`, `com.example.Orders$Http2Error`: words, few digits. What an exception is
/// called may be chosen by the function, and so may hold anything.
fn is_type_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:$-".contains(&byte);
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    (1..=TYPE_NAME_CHARACTERS_MAX).contains(&text.len())
        && text.bytes().all(plain)
        && text.bytes().any(|byte| byte.is_ascii_lowercase())
        && digits <= TYPE_NAME_DIGITS_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, record: &str) -> PlatformEvent {
        let fields = Fields::read(record.as_bytes(), 0..record.len());
        fields.event(
            kind.as_bytes(),
            b"2030-01-01T00:00:00.000Z",
            record.as_bytes(),
        )
    }

    #[test]
    fn fields_of_the_wrong_kind_are_left_out() {
        assert_eq!(
            event(
                "platform.runtimeDone",
                r#"{"requestId":"a","status":7,"metrics":{"durationMs":"12.5"},"spans":"none","tracing":[]}"#
            ),
            PlatformEvent::RuntimeDone {
                request_id: "a".to_owned(),
                status: None,
                duration_ms: Some(12.5),
                time_ms: Some(1_893_456_000_000),
            }
        );
        assert_eq!(
            event("platform.logsDropped", r#"{"droppedRecords":"37"}"#),
            PlatformEvent::LogsDropped { records: 37 }
        );
        assert_eq!(
            event("platform.initReport", r#"{"metrics":null,"status":null}"#),
            PlatformEvent::InitReport {
                status: None,
                duration_ms: None
            }
        );
    }

    #[test]
    fn an_event_without_its_request_id_opens_no_invocation() {
        for record in [
            "{}",
            r#"{"requestId":""}"#,
            r#"{"requestId":5}"#,
            "null",
            r#""text""#,
        ] {
            for kind in ["platform.start", "platform.runtimeDone", "platform.report"] {
                assert_eq!(event(kind, record), PlatformEvent::Other, "{kind} {record}");
            }
        }
    }

    #[test]
    fn what_does_not_look_like_a_request_id_is_none() {
        for id in [
            "é".repeat(10),
            "a".repeat(129),
            r#"a\"b\nc"#.to_owned(),
            "4111-1111-1111-1111".to_owned(),
        ] {
            let record = format!(r#"{{"requestId":"{id}"}}"#);
            assert_eq!(
                event("platform.start", &record),
                PlatformEvent::Other,
                "{id}"
            );
        }
    }

    /// It would stand in a span as it is.
    #[test]
    fn what_does_not_look_like_a_type_is_none() {
        let read = |name: &str| {
            let record = format!(r#"{{"errorType":"{name}"}}"#);
            Fields::read(record.as_bytes(), 0..record.len()).error_type
        };
        for name in [
            "Runtime.ExitError",
            "com.example.Orders$Http404Error",
            "Sandbox.Timedout",
            "orders::Error",
        ] {
            assert_eq!(read(name).as_deref(), Some(name));
        }
        for name in [
            "password is hunter2",
            "4111111111111111",
            concat!("AKIA", "IOSFODNN7EXAMPLE"),
            concat!("ghp_", "16C7e42F292c6912E7710c838347Ae178B4a"),
            "joe@example.com",
            "",
        ] {
            assert_eq!(read(name), None, "{name}");
        }
    }

    #[test]
    fn what_ends_is_observed_in_numbers_and_joined_with_its_invocation() {
        const TRACE: &str = r#""tracing":{"spanId":"6f1e2d3c4b5a6978","value":"Root=1-69573b95-2b7c9d0e4f61a83355c7e912;Sampled=1"}"#;
        let mut invocations = Invocations::new(false, true);
        let start = format!(r#"{{"requestId":"r-1",{TRACE}}}"#);
        invocations.observe(&event("platform.start", &start));
        invocations.observe_level(invocations.current(), Level::Error);
        let observe = |kind: &str, record: &str| {
            let fields = Fields::read(record.as_bytes(), 0..record.len());
            let time = b"2030-01-01T00:00:00.500Z";
            fields.observation(kind.as_bytes(), time, record.as_bytes(), &invocations)
        };
        let done = r#"{"requestId":"r-1","status":"success","metrics":{"durationMs":200.5}}"#;
        let done = observe("platform.runtimeDone", done).unwrap();
        assert_eq!(
            (done.what, done.request_id.as_str()),
            (What::Invocation, "r-1")
        );
        assert_eq!(done.start_ms(), 1_893_456_000_300);
        assert!(done.failed && done.cold_start, "the handler threw");
        assert_eq!(
            done.trace.unwrap().trace_id,
            "69573b952b7c9d0e4f61a83355c7e912"
        );
        let report = format!(
            r#"{{"requestId":"r-1","metrics":{{"durationMs":115.3,"maxMemoryUsedMB":84}},{TRACE},
            "spans":[{{"name":"other"}},{{"name":"extensionOverhead","start":"2030-01-01T00:00:00.100Z","durationMs":59.2}}]}}"#
        );
        let report = observe("platform.report", &report).unwrap();
        assert_eq!(report.memory_used, Some(84 << 20));
        assert_eq!(report.overhead, Some((1_893_456_000_100, 59.2)));
        assert_eq!(report.span_id, "6f1e2d3c4b5a6978");
        let init = observe(
            "platform.initReport",
            r#"{"status":"error","errorType":"Error","metrics":{"durationMs":9}}"#,
        );
        let init = init.unwrap();
        assert_eq!(
            (init.what, init.failed, init.error_type.as_str()),
            (What::Init, true, "Error")
        );
        let restore = observe(
            "platform.restoreReport",
            r#"{"status":"success","spans":7,"tracing":{"spanId":"zz"}}"#,
        );
        assert_eq!(
            restore.map(|restore| (restore.what, restore.span_id)),
            Some((What::Restore, String::new()))
        );
        for (kind, record) in [
            ("platform.start", start.as_str()),
            ("platform.runtimeDone", "{}"),
            ("platform.extension", "{}"),
        ] {
            assert_eq!(observe(kind, record), None, "{kind}");
        }
    }
}
