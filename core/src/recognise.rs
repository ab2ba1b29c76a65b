//! Level, message and ids as the managed runtimes and common loggers write them: in text and in JSON.

use std::ops::Range;

use crate::json;
use crate::level::Level;

/// What was found in a record's text. Ranges are offsets into that text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recognised {
    /// The severity.
    pub level: Option<Level>,
    /// The request id, without quotes.
    pub request_id: Option<Range<usize>>,
    /// The trace id or X-Ray root as written, without quotes.
    pub trace_id: Option<Range<usize>>,
    /// The span id as written, without quotes.
    pub span_id: Option<Range<usize>>,
    /// The message. In JSON: a raw value, with its quotes where it is a string.
    pub message: Option<Range<usize>>,
    /// The text is JSON with `_aws` at its root: CloudWatch's embedded metric format.
    pub embedded_metrics: bool,
}

/// Looks at plain text: the default formats of the Node.js, .NET, Python and Java runtimes.
///
/// - Node.js and .NET: `2026-01-02T03:04:05.123Z\t<request id>\tINFO\tmessage`
/// - Python: `[INFO]\t2026-01-02T03:04:05.123Z\t<request id>\tmessage`, errors of its bootstrap `[ERROR] Type: message`
/// - Java: `[INFO] message`
///
/// Source: the runtime interface clients of AWS for these languages, read 2026-11-23.
pub fn in_text(text: &[u8]) -> Recognised {
    match text.first() {
        Some(b'[') => bracketed(text),
        Some(b'0'..=b'9') => stamped(text),
        _ => Recognised::default(),
    }
}

fn bracketed(text: &[u8]) -> Recognised {
    let Some(close) = memchr::memchr(b']', &text[..text.len().min(16)]) else {
        return Recognised::default();
    };
    let Some(level) = Level::from_word(&text[1..close]) else {
        return Recognised::default();
    };
    let mut found = Recognised {
        level: Some(level),
        ..Recognised::default()
    };
    match text.get(close + 1) {
        Some(b'\t') => {
            let time = close + 2;
            let request_id = next_field(text, time);
            let message = request_id.and_then(|start| next_field(text, start));
            if let (Some(start), Some(message)) = (request_id, message)
                && looks_like_time(&text[time..])
            {
                found.request_id = usable_id(text, start..message - 1);
                found.message = Some(message..text.len());
            }
        }
        Some(b' ') => found.message = Some(close + 2..text.len()),
        _ => {}
    }
    found
}

fn stamped(text: &[u8]) -> Recognised {
    let fields = || {
        let request_id = next_field(text, 0).filter(|_| looks_like_time(text))?;
        let level = next_field(text, request_id)?;
        let message = next_field(text, level)?;
        Some((request_id, level, message))
    };
    let Some((request_id, level, message)) = fields() else {
        return Recognised::default();
    };
    let Some(severity) = Level::from_word(&text[level..message - 1]) else {
        return Recognised::default();
    };
    Recognised {
        level: Some(severity),
        request_id: usable_id(text, request_id..level - 1),
        message: Some(message..text.len()),
        ..Recognised::default()
    }
}

/// The start of the field after the next tab, which must come within 64 bytes.
fn next_field(text: &[u8], from: usize) -> Option<usize> {
    let window = text.get(from..text.len().min(from + 65))?;
    memchr::memchr(b'\t', window).map(|tab| from + tab + 1)
}

fn looks_like_time(text: &[u8]) -> bool {
    text.len() > 19 && text[4] == b'-' && text[7] == b'-' && text[10] == b'T' && text[13] == b':'
}

/// Request ids are UUIDs. Outside an invocation Node.js writes `undefined`, and Python nothing, where they stand; any
/// other text is the developer's own, and may be something that must not leave the record unredacted.
fn usable_id(text: &[u8], range: Range<usize>) -> Option<Range<usize>> {
    let id = &text[range.clone()];
    let is_dash = |position: usize| matches!(position, 8 | 13 | 18 | 23);
    let uuid = id.len() == 36
        && id.iter().enumerate().all(|(position, byte)| {
            if is_dash(position) {
                *byte == b'-'
            } else {
                byte.is_ascii_hexdigit()
            }
        });
    uuid.then_some(range)
}

/// Looks at a JSON object, `object` being its range in `text`.
pub fn in_object(text: &[u8], object: Range<usize>) -> Recognised {
    let mut found = Recognised::default();
    let mut message_rank = u8::MAX;
    let (mut named, mut numbered) = (None, None);
    for (key, value) in json::members(text, object) {
        let raw = &text[value.clone()];
        let key = &text[key];
        match key {
            b"level" | b"log_level" | b"severity" | b"levelname" | b"lvl" | b"@l" => {
                // A word says more than a number: `{"level":40,"levelname":"ERROR"}` is Python's.
                let word = json::string_inside(raw).and_then(Level::from_word);
                named = named.or(word);
                numbered = numbered.or_else(|| level_of(raw, key));
            }
            b"levelno" => numbered = level_of(raw, b"levelno").or(numbered),
            b"requestId" | b"AWSRequestId" | b"aws_request_id" | b"function_request_id" => {
                let usable = || inside(raw, &value).and_then(|range| usable_id(text, range));
                found.request_id = found.request_id.take().or_else(usable);
            }
            b"trace_id" | b"traceId" | b"xray_trace_id" => {
                found.trace_id = found.trace_id.or(inside(raw, &value))
            }
            b"span_id" | b"spanId" => found.span_id = found.span_id.or(inside(raw, &value)),
            b"message" => take_message(&mut found, &mut message_rank, 0, value),
            b"msg" => take_message(&mut found, &mut message_rank, 1, value),
            b"errorMessage" => take_message(&mut found, &mut message_rank, 2, value),
            b"fields" if raw.first() == Some(&b'{') => {
                // Rust's tracing writes its message one level down.
                let nested =
                    json::members(text, value).find(|(key, _)| &text[key.clone()] == b"message");
                if let Some((_, value)) = nested {
                    take_message(&mut found, &mut message_rank, 3, value);
                }
            }
            b"_aws" => found.embedded_metrics = raw.first() == Some(&b'{'),
            _ => {}
        }
    }
    found.level = named.or(numbered);
    found
}

fn take_message(found: &mut Recognised, rank: &mut u8, candidate: u8, value: Range<usize>) {
    if candidate < *rank {
        *rank = candidate;
        found.message = Some(value);
    }
}

fn inside(raw: &[u8], value: &Range<usize>) -> Option<Range<usize>> {
    json::string_inside(raw)?;
    Some(value.start + 1..value.end - 1)
}

/// A level as a number, also in quotes. Under Python's own keys it is on Python's scale, elsewhere on pino's.
fn level_of(raw: &[u8], key: &[u8]) -> Option<Level> {
    let digits = json::string_inside(raw).unwrap_or(raw);
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    match key {
        b"levelname" | b"levelno" => Level::from_python(number),
        _ => Level::from_number(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "5e2f9b64-8d3c-4c1a-9f77-0b6a41d2c3e8";

    fn message(text: &str) -> (Option<Level>, Option<&str>, Option<&str>) {
        let found = if text.starts_with('{') {
            in_object(text.as_bytes(), 0..text.len())
        } else {
            in_text(text.as_bytes())
        };
        (
            found.level,
            found.request_id.map(|range| &text[range]),
            found.message.map(|range| &text[range]),
        )
    }

    #[test]
    fn text_of_node_python_and_java_is_taken_apart() {
        let node = format!("2026-01-02T03:04:05.123Z\t{ID}\tWARN\tslow\tquery\n");
        assert_eq!(
            message(&node),
            (Some(Level::Warn), Some(ID), Some("slow\tquery\n"))
        );
        let python = format!("[ERROR]\t2026-01-02T03:04:05.123Z\t{ID}\tboom");
        assert_eq!(
            message(&python),
            (Some(Level::Error), Some(ID), Some("boom"))
        );
        assert_eq!(
            message("[ERROR] KeyError: 'sku'\rTraceback"),
            (Some(Level::Error), None, Some("KeyError: 'sku'\rTraceback"))
        );
        assert_eq!(
            message("[INFO] hello"),
            (Some(Level::Info), None, Some("hello"))
        );
    }

    #[test]
    fn outside_an_invocation_there_is_no_request_id() {
        let node = "2026-01-02T03:04:05.123Z\tundefined\tINFO\tcold";
        assert_eq!(message(node), (Some(Level::Info), None, Some("cold")));
        let python = "[INFO]\t2026-01-02T03:04:05.123Z\t\tcold";
        assert_eq!(message(python), (Some(Level::Info), None, Some("cold")));
    }

    /// A request id is copied beside the record, where redaction does not look.
    #[test]
    fn only_a_uuid_is_a_request_id() {
        for other in [
            "4111111111111111",
            "5e2f9b648d3c4c1a9f770b6a41d2c3e8",
            "not-an-id",
            "",
        ] {
            assert_eq!(
                message(&format!(r#"{{"requestId":"{other}","message":"m"}}"#)).1,
                None,
                "{other}"
            );
        }
    }

    #[test]
    fn other_text_is_left_alone() {
        for text in [
            "",
            "[",
            "[INF",
            "[1, 2]",
            "2026",
            "plain",
            "[NOTALEVEL] x",
            "2026-01-02T03:04:05.123Z x",
            "\t\t\t",
        ] {
            assert_eq!(in_text(text.as_bytes()), Recognised::default(), "{text}");
        }
    }

    #[test]
    fn json_of_common_loggers_is_read() {
        let node = format!(
            r#"{{"timestamp":"t","level":"ERROR","requestId":"{ID}","message":{{"a":1}}}}"#
        );
        assert_eq!(
            message(&node),
            (Some(Level::Error), Some(ID), Some(r#"{"a":1}"#))
        );
        let pino = format!(r#"{{"level":50,"time":1,"msg":"boom","aws_request_id":"{ID}"}}"#);
        assert_eq!(
            message(&pino),
            (Some(Level::Error), Some(ID), Some(r#""boom""#))
        );
        let python =
            format!(r#"{{"log_level":"ERROR","errorMessage":"'sku'","requestId":"{ID}"}}"#);
        assert_eq!(
            message(&python),
            (Some(Level::Error), Some(ID), Some(r#""'sku'""#))
        );
        let java = format!(r#"{{"level":"INFO","message":"ok","AWSRequestId":"{ID}"}}"#);
        assert_eq!(message(&java).1, Some(ID));
        let tracing = r#"{"level":"DEBUG","fields":{"message":"deep"}}"#;
        assert_eq!(
            message(tracing),
            (Some(Level::Debug), None, Some(r#""deep""#))
        );
    }

    #[test]
    fn pythons_numbers_are_on_their_own_scale_and_words_win() {
        let level = |text: &str| in_object(text.as_bytes(), 0..text.len()).level;
        assert_eq!(level(r#"{"levelno":40,"msg":"x"}"#), Some(Level::Error));
        assert_eq!(level(r#"{"levelname":30}"#), Some(Level::Warn));
        assert_eq!(
            level(r#"{"level":40,"levelname":"ERROR"}"#),
            Some(Level::Error)
        );
        assert_eq!(level(r#"{"level":40}"#), Some(Level::Warn), "pino's");
    }

    #[test]
    fn embedded_metrics_are_known_by_their_root() {
        let text = br#"{"_aws":{"Timestamp":1},"latency":3}"#;
        assert!(in_object(text, 0..text.len()).embedded_metrics);
        let nested = br#"{"a":{"_aws":{}}}"#;
        assert!(!in_object(nested, 0..nested.len()).embedded_metrics);
    }
}
