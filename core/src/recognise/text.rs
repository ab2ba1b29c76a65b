//! What runtimes and loggers write as text. Only the head of a line is looked at, and only forms that are known.

use std::ops::Range;

use super::logfmt;
use super::{Recognised, is_uuid, usable_id};
use crate::level::Level;

/// The head of a line: time, ids and level stand within it, in bytes.
const HEAD_BYTES: usize = 320;
/// Words before the level of a line that begins with a time: a date and a time in up to three parts, a request id,
/// a thread, a logger, a place in the source.
const WORDS_MAX: usize = 9;

/// Looks at plain text.
///
/// | written by | form |
/// |---|---|
/// | Node.js, .NET | `2026-01-02T03:04:05.123Z\t<request id>\tINFO\tmessage` |
/// | Python | `[INFO]\t2026-01-02T03:04:05.123Z\t<request id>\tmessage`; its bootstrap `[ERROR] Type: message` |
/// | Java | `[INFO] message`; AWS's pattern of log4j `2026-01-02 03:04:05 <request id> INFO  App:23 - message` |
/// | Ruby | `I, [2026-01-02T03:04:05.123456 #8]  INFO <request id> -- : message` |
/// | Go | `2026/01/02 03:04:05 message`, slog's `… INFO message`, and `time=… level=INFO msg=…` |
/// | Rust | `2026-01-02T03:04:05.123456Z  INFO target: message`, also in colours, with the ids of the invocation's span |
/// | loggers | logback, log4j, Spring Boot, NLog, Serilog, loguru, structlog, zap, zerolog, klog, Monolog; `WARNING:root:message`, `info: message`, `ERROR message` |
/// | the platform | `RequestId: <request id> Error: …` |
///
/// A message leaves out nothing but time, level and ids: a sink that sends it alone loses no name of a logger.
///
/// An uncaught error that the Java runtime writes without a level (`message\n\tat …`) counts as an error, and so does
/// that of the Go runtime (JSON behind its time) and of the Ruby runtime.
///
/// Sources, read 2026-11-24: the runtime interface clients of AWS for these languages; `aws-lambda-java-log4j2`;
/// `log/slog`; `tracing-subscriber`; the default formats in the documentation of each logger.
pub fn in_text(text: &[u8]) -> Recognised {
    let found = match text.first() {
        Some(b'[') => bracketed(text),
        Some(b'0'..=b'9') => framed(text).or_else(|| stamped(text)),
        Some(b'A'..=b'Z') => capital(text),
        Some(b'a'..=b'z') => small(text),
        Some(0x1B) => stamped(text).or_else(|| coloured(text)),
        _ => None,
    };
    found.or_else(|| uncaught(text)).unwrap_or_default()
}

/// Python's and Java's own forms, and loggers that put time and level into one pair of brackets.
fn bracketed(text: &[u8]) -> Option<Recognised> {
    let close = memchr::memchr(b']', head(text))?;
    let Some(level) = Level::from_word(text[1..close].trim_ascii()) else {
        return inside_brackets(text, close);
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
    Some(found)
}

/// `[2026-01-02T03:04:05Z INFO  target] message`, `[03:04:05 INF] message`, `[2026-01-02 03:04:05] app.INFO: message`.
fn inside_brackets(text: &[u8], close: usize) -> Option<Recognised> {
    let mut words = Words::new(text, 1);
    let first = words.next()?;
    if !is_moment(trimmed(&text[first.clone()])) {
        return None;
    }
    for word in words {
        if word.start > close {
            let name = text[word.clone()].strip_suffix(b":")?;
            let dot = memchr::memrchr(b'.', name)?;
            return Some(levelled(upper(&name[dot + 1..])?, None));
        }
        if let Some(level) = upper(trimmed(&text[word.clone()])) {
            let alone = word.end == close + 1 || text.get(word.end) == Some(&b']');
            let message = skip_gap(text, close + 1)..text.len();
            return Some(levelled(level, alone.then_some(message)));
        }
    }
    None
}

/// The form of Node.js and .NET.
fn framed(text: &[u8]) -> Option<Recognised> {
    let request_id = next_field(text, 0).filter(|_| looks_like_time(text))?;
    let level = next_field(text, request_id)?;
    let message = next_field(text, level)?;
    Some(Recognised {
        level: Some(Level::from_word(&text[level..message - 1])?),
        request_id: usable_id(text, request_id..level - 1),
        message: Some(message..text.len()),
        ..Recognised::default()
    })
}

/// A time, then a level within the next few words.
fn stamped(text: &[u8]) -> Option<Recognised> {
    let mut words = Words::new(text, 0);
    let first = words.next()?;
    if !is_moment(&text[first.clone()]) {
        return None;
    }
    let mut found = Recognised::default();
    let mut after_time = first.end;
    let mut in_time = true;
    let mut named = 0;
    for _ in 0..WORDS_MAX {
        let Some(word) = words.next() else { break };
        let (bare, decorated) = undecorated(&text[word.clone()]);
        let fielded = decorated || words.fielded();
        if in_time && is_moment_part(&text[word.clone()]) {
            after_time = word.end;
            continue;
        }
        in_time = false;
        if bare.is_empty() || bare == b"undefined" {
            continue;
        }
        if is_uuid(bare) && found.request_id.is_none() {
            let start = word.start + (bare.as_ptr() as usize - text[word].as_ptr() as usize);
            found.request_id = Some(start..start + bare.len());
            continue;
        }
        let level = if fielded { plain(bare) } else { upper(bare) };
        if level.is_some() {
            found.level = level;
            let message = skip_separators(text, word.end);
            if found.request_id.is_none() {
                found.request_id = span_id(text, message);
            }
            found.message = (named == 0).then_some(message..text.len());
            return Some(found);
        }
        // What may stand between time and level: a thread, a logger, a place in the source.
        named += 1;
        if named > 2 || !(fielded || words.before_dash()) {
            break;
        }
    }
    if found.request_id.is_some() {
        return Some(found);
    }
    // Go's `log` knows no level.
    let go = text.get(4) == Some(&b'/') && after_time > 11;
    go.then(|| {
        let message = skip_gap(text, after_time);
        let error = text[message..].starts_with(b"{\"errorMessage\"");
        found.level = error.then_some(Level::Error);
        found.message = Some(message..text.len());
        found
    })
}

/// The request id in the span that AWS's Rust runtime opens: `invoke{requestId="…" xrayTraceId="…"}: message`.
fn span_id(text: &[u8], at: usize) -> Option<Range<usize>> {
    const KEY: &[u8] = b"requestId=\"";
    let id = at + memchr::memmem::find(text.get(at..text.len().min(at + 160))?, KEY)? + KEY.len();
    usable_id(text, id..id + 36)
}

/// Ruby, Python's `basicConfig`, klog, `java.util.logging`, the platform's own error line, and `ERROR message`.
fn capital(text: &[u8]) -> Option<Recognised> {
    if text.get(1..4) == Some(b", [") {
        return ruby(text);
    }
    if let Some(id) = text.strip_prefix(b"RequestId: ") {
        let range = usable_id(text, 11..47.min(text.len()))?;
        let error = id.get(36..44) == Some(b" Error: ");
        return Some(Recognised {
            level: error.then_some(Level::Error),
            message: error.then_some(48..text.len()),
            request_id: Some(range),
            ..Recognised::default()
        });
    }
    if let Some(level) = klog(text) {
        return Some(levelled(level, None));
    }
    let end = head(text)
        .iter()
        .position(|byte| !byte.is_ascii_alphabetic())?;
    let word = &text[..end];
    match text[end] {
        b':' => Some(levelled(plain(word)?, after(text, end + 1))),
        b' ' | b'\t' => match upper(word) {
            Some(level) => {
                let message = skip_separators(text, end);
                let mut found = levelled(level, after(text, message));
                found.request_id = span_id(text, message);
                Some(found)
            }
            None => java_util_logging(text, word),
        },
        _ => None,
    }
}

/// A level in colours, before anything else.
fn coloured(text: &[u8]) -> Option<Recognised> {
    let word = Words::new(text, 0).next()?;
    let level = plain(trimmed(&text[word.clone()]))?;
    let message = skip_separators(text, word.end);
    Some(levelled(level, Some(message..text.len())))
}

/// `I, [2026-01-02T03:04:05.123456 #8]  INFO <request id> -- name: message`
fn ruby(text: &[u8]) -> Option<Recognised> {
    let close = memchr::memchr(b']', head(text))?;
    let mut words = Words::new(text, close + 1);
    let level = words.next()?;
    let mut found = levelled(ruby_level(&text[level])?, None);
    for word in words {
        match &text[word.clone()] {
            b"--" => {
                let rest = &text[word.end..];
                let nameless = rest.strip_prefix(b" : ").is_some();
                let message = word.end + if nameless { 3 } else { 1 };
                found.message = (message < text.len()).then_some(message..text.len());
                return Some(found);
            }
            id if is_uuid(id) => found.request_id = Some(word),
            _ => return None,
        }
    }
    None
}

fn ruby_level(word: &[u8]) -> Option<Level> {
    // Ruby's logger calls what has no level ANY.
    if word == b"ANY" {
        return Some(Level::Info);
    }
    upper(word)
}

/// `I0102 03:04:05.123456       1 main.go:23] message`
fn klog(text: &[u8]) -> Option<Level> {
    let level = match text[0] {
        b'I' => Level::Info,
        b'W' => Level::Warn,
        b'E' => Level::Error,
        b'F' => Level::Fatal,
        _ => return None,
    };
    let shaped = text.get(1..5)?.iter().all(u8::is_ascii_digit) && text.get(5) == Some(&b' ');
    (shaped && text.get(8) == Some(&b':')).then_some(level)
}

/// `Jan 02, 2026 3:04:05 AM com.example.App main\nINFO: message`
fn java_util_logging(text: &[u8], month: &[u8]) -> Option<Recognised> {
    if month.len() != 3 || !text.get(4)?.is_ascii_digit() || !head(text).contains(&b',') {
        return None;
    }
    let line = memchr::memchr2(b'\n', b'\r', head(text))? + 1;
    let end = line + memchr::memchr(b':', &text[line..text.len().min(line + 12)])?;
    Some(levelled(upper(&text[line..end])?, None))
}

/// `info: message`, `panic: …`, and `level=info msg=…`.
fn small(text: &[u8]) -> Option<Recognised> {
    let end = head(text).iter().position(|byte| !in_word(*byte))?;
    match text[end] {
        b':' => Some(levelled(plain(&text[..end])?, after(text, end + 1))),
        b'=' => pairs(text),
        _ => None,
    }
}

fn in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'@')
}

fn pairs(text: &[u8]) -> Option<Recognised> {
    let mut found = Recognised::default();
    // The message is all of it: the pairs are what was logged.
    for pair in logfmt::pairs(text).take_while(|pair| pair.key.start < HEAD_BYTES) {
        let Some(value) = pair.value else { continue };
        match &text[pair.key] {
            b"level" | b"lvl" | b"severity" | b"log.level" | b"at" | b"levelname" => {
                let word = &text[value];
                let word = word.split(|byte| matches!(byte, b'+' | b'-')).next();
                found.level = found.level.or(word.and_then(Level::from_word));
            }
            b"requestId"
            | b"AWSRequestId"
            | b"aws_request_id"
            | b"function_request_id"
            | b"awsRequestId" => found.request_id = usable_id(text, value),
            b"trace_id" | b"traceId" => found.trace_id = Some(value),
            b"span_id" | b"spanId" => found.span_id = Some(value),
            _ => {}
        }
    }
    (found.level.is_some() || found.request_id.is_some()).then_some(found)
}

/// Errors that runtimes report without a level.
fn uncaught(text: &[u8]) -> Option<Recognised> {
    let error = text.starts_with(b"Error raised from handler method")
        || text.starts_with(b"Init error when loading handler")
        || java_trace(text);
    error.then(|| Recognised {
        level: Some(Level::Error),
        ..Recognised::default()
    })
}

/// A message that names a class, then a frame of the stack: in one record, since a single line is told as such.
fn java_trace(text: &[u8]) -> bool {
    let head = &text[..text.len().min(1024)];
    if memchr::memchr2(b'\n', b'\r', head).is_none_or(|end| end + 1 == head.len()) {
        return false;
    }
    let frame =
        memchr::memmem::find(head, b"\n\tat ").or_else(|| memchr::memmem::find(head, b"\r\tat "));
    frame.is_some_and(|frame| {
        let before = &head[..frame];
        memchr::memmem::find(before, b"Exception").is_some()
            || memchr::memmem::find(before, b"Error").is_some()
    })
}

fn levelled(level: Level, message: Option<Range<usize>>) -> Recognised {
    Recognised {
        level: Some(level),
        message,
        ..Recognised::default()
    }
}

/// What follows at an offset, without the space before it.
fn after(text: &[u8], at: usize) -> Option<Range<usize>> {
    let start = skip_gap(text, at);
    (start < text.len()).then_some(start..text.len())
}

/// A level in capitals, of the words that loggers write so: nobody means a level by `HTTP` or `SUCCESS` in a text.
fn upper(word: &[u8]) -> Option<Level> {
    let capital = word.iter().all(u8::is_ascii_uppercase);
    if capital { plain(word) } else { None }
}

/// A level in any case, of the words that stand for nothing else.
fn plain(word: &[u8]) -> Option<Level> {
    let common = [
        "http", "default", "success", "config", "fine", "alert", "silly", "verbose",
    ];
    if common
        .iter()
        .any(|common| common.as_bytes().eq_ignore_ascii_case(word))
    {
        return None;
    }
    Level::from_word(word)
}

fn head(text: &[u8]) -> &[u8] {
    &text[..text.len().min(HEAD_BYTES)]
}

/// The start of the field after the next tab, which must come within 64 bytes.
fn next_field(text: &[u8], from: usize) -> Option<usize> {
    let window = text.get(from..text.len().min(from + 65))?;
    memchr::memchr(b'\t', window).map(|tab| from + tab + 1)
}

fn looks_like_time(text: &[u8]) -> bool {
    text.len() > 19 && text[4] == b'-' && text[7] == b'-' && text[10] == b'T' && text[13] == b':'
}

/// The first part of a time: a date, a time of day, or seconds since 1970.
fn is_moment(word: &[u8]) -> bool {
    let digits = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
    match (digits, word.get(digits)) {
        (4, Some(b'-' | b'/')) => word.len() >= 10 && is_moment_part(word),
        (1 | 2, Some(b':')) => is_moment_part(word),
        (10, Some(b'.')) => is_moment_part(word),
        _ => false,
    }
}

/// A further part of it: `03:04:05,123`, `+00:00`, `AM`, `UTC`.
fn is_moment_part(word: &[u8]) -> bool {
    let inside = |byte: &u8| byte.is_ascii_digit() || b":.,+-/TZ".contains(byte);
    let clock = word
        .strip_suffix(b"AM")
        .or(word.strip_suffix(b"PM"))
        .unwrap_or(word);
    let number = clock.iter().all(inside)
        && clock.iter().any(u8::is_ascii_digit)
        && clock
            .iter()
            .any(|byte| matches!(byte, b':' | b'-' | b'/' | b'.'));
    number || matches!(word, b"AM" | b"PM" | b"UTC")
}

/// The word inside brackets and before punctuation, and whether there was any.
fn undecorated(word: &[u8]) -> (&[u8], bool) {
    let bare = trimmed(word);
    (bare, bare.len() < word.len())
}

fn trimmed(word: &[u8]) -> &[u8] {
    let mark = |byte: &u8| matches!(byte, b'[' | b']' | b'(' | b')' | b':' | b'-' | b'<' | b'>');
    let start = word
        .iter()
        .position(|byte| !mark(byte))
        .unwrap_or(word.len());
    let end = word
        .iter()
        .rposition(|byte| !mark(byte))
        .map_or(start, |last| last + 1);
    &word[start..end]
}

/// The words of a line's head. Spaces, tabs, `|` and escape sequences of terminals stand between them.
struct Words<'t> {
    text: &'t [u8],
    at: usize,
    gap: Range<usize>,
}

impl<'t> Words<'t> {
    fn new(text: &'t [u8], at: usize) -> Words<'t> {
        Words {
            text,
            at,
            gap: at..at,
        }
    }

    /// Whether the last word was a field of its own, with tabs or `|` on both sides.
    fn fielded(&self) -> bool {
        let marks = |byte: &u8| matches!(byte, b'\t' | b'|');
        let after = skip_gap(self.text, self.at);
        self.text[self.gap.clone()].iter().any(marks)
            && self.text[self.at..after.min(self.at + 8)].iter().any(marks)
    }

    /// Whether a dash follows the last word, as behind a logger's name.
    fn before_dash(&self) -> bool {
        let after = skip_gap(self.text, self.at);
        self.text[after..].starts_with(b"- ") || self.text[after..].starts_with(b"--")
    }
}

impl Iterator for Words<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let start = skip_gap(self.text, self.at);
        let rest = head(self.text).get(start..)?;
        let length = rest
            .iter()
            .position(|byte| matches!(byte, b' ' | b'\t' | b'|' | b'\n' | b'\r' | 0x1B))
            .unwrap_or(rest.len());
        if length == 0 {
            return None;
        }
        self.gap = self.at..start;
        self.at = start + length;
        Some(start..self.at)
    }
}

/// The first offset at or after `at` that is no space, tab, `|` or escape sequence of a terminal.
fn skip_gap(text: &[u8], at: usize) -> usize {
    let mut at = at;
    loop {
        match text.get(at) {
            Some(b' ' | b'\t' | b'|') => at += 1,
            Some(0x1B) if text.get(at + 1) == Some(&b'[') => {
                let inside = &text[at + 2..text.len().min(at + 24)];
                match inside.iter().position(u8::is_ascii_alphabetic) {
                    Some(end) => at += end + 3,
                    None => return at,
                }
            }
            _ => return at.min(text.len()),
        }
    }
}

/// Behind a level: what closes its brackets or stands between it and the message.
fn skip_separators(text: &[u8], at: usize) -> usize {
    let mut at = skip_gap(text, at);
    while let Some(b']' | b':' | b')') = text.get(at) {
        at = skip_gap(text, at + 1);
    }
    match text.get(at..at + 2) {
        Some(b"- ") => skip_gap(text, at + 2),
        _ => at,
    }
}
