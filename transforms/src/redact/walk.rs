//! Walking through a record: every text at any depth is looked at decoded, and written back escaped where it changed.

use std::borrow::Cow;
use std::ops::Range;

use tapline_core::json;
use tapline_core::view::Scratch;

use super::action::{self, Action, Hasher, is_continuation};
use super::gate::Span;
use super::keys::Link;
use super::scan::{Match, Scanner};
use super::work::looked_at;

/// Deepest nesting that is walked. What lies deeper is searched as one text, and goes as a whole if that finds anything.
const DEPTH_MAX: usize = 64;

/// How often JSON inside a string is walked in its turn. What lies deeper is searched as text.
const NEST_MAX: usize = 2;

/// Longest text that is searched, in bytes; what follows is replaced by `[OVERSIZE]`.
pub const TEXT_BYTES_MAX: usize = 1 << 20;

/// How much before that the cut lies, so that what would begin before and end behind it does not remain in part.
const CUT_BYTES: usize = 4 << 10;

/// Brackets in a text that are tried as the start of JSON, and are none, before the rest counts as text.
const SEGMENT_TRIES_MAX: usize = 16;

/// How often text that is no JSON is unescaped to see whether something hides in it.
const UNESCAPE_MAX: usize = 3;

/// How often a record is unescaped to see whether anything of it must be walked: as often as the walk does at most.
const LEVELS_MAX: usize = 1 + NEST_MAX + UNESCAPE_MAX;

/// What all texts of a transform have in common.
pub struct Walker<'w> {
    pub scanner: &'w mut Scanner,
    pub hasher: Option<&'w Hasher>,
    pub scratch: &'w Scratch,
    /// Matches by rule, and behind them texts that were cut.
    pub counts: &'w mut [u64],
    /// Whether the record at hand may have a key that a rule looks for.
    pub keyed: bool,
    /// Where in its raw JSON something may be found; what is apart from it need not be searched.
    pub span: Span,
    /// Lists that are used again.
    pub lists: &'w mut Vec<Vec<Match>>,
}

/// Where in a record a value lies.
#[derive(Clone, Copy)]
struct Place<'p> {
    link: Option<&'p Link<'p>>,
    depth: usize,
    nest: usize,
}

/// A text being copied with changes; nothing is copied before the first one.
struct Edited<'t> {
    source: &'t [u8],
    copied: usize,
    out: Vec<u8>,
}

impl<'t> Edited<'t> {
    fn new(source: &'t [u8]) -> Edited<'t> {
        Edited {
            source,
            copied: 0,
            out: Vec::new(),
        }
    }

    /// Copies up to a range and leaves it out; what stands for it is to be appended.
    fn instead(&mut self, range: Range<usize>) -> &mut Vec<u8> {
        self.out
            .extend_from_slice(&self.source[self.copied..range.start]);
        self.copied = range.end;
        &mut self.out
    }

    fn finish(mut self) -> Option<Vec<u8>> {
        if self.copied == 0 {
            return None;
        }
        self.out.extend_from_slice(&self.source[self.copied..]);
        Some(self.out)
    }
}

impl Walker<'_> {
    /// The redacted form of a record's raw JSON; `None` where nothing was found.
    pub fn record(&mut self, raw: &[u8]) -> Option<Vec<u8>> {
        if raw.is_empty() || (raw.len() <= TEXT_BYTES_MAX && !self.suspicious(raw)) {
            return None;
        }
        let plain = raw.len() <= TEXT_BYTES_MAX && memchr::memchr(b'\\', raw).is_none();
        self.span = if plain {
            self.scanner.span()
        } else {
            Span::ALL
        };
        self.keyed = raw.len() > TEXT_BYTES_MAX || self.scanner.suspects_keys();
        let root = Place {
            link: None,
            depth: 0,
            nest: 0,
        };
        if json::whole_value(raw).is_some() {
            return self.json(raw, root);
        }
        // No JSON: nothing can be said of its parts.
        let rule = self.hidden(raw, None)?;
        let mut out = Vec::new();
        self.quoted_label(rule, &mut out);
        Some(out)
    }

    /// Whether anything can be found in a record, however often its texts are unescaped. Every text that the walk looks
    /// at is a part of one of these forms.
    fn suspicious(&mut self, raw: &[u8]) -> bool {
        self.scanner.acquit();
        if memchr::memchr(b'\\', raw).is_none() {
            return self.scanner.suspect_record(raw);
        }
        let mut suspicious = false;
        let mut now = self.scratch.take();
        json::unescape_into(raw, &mut now);
        for _ in 0..LEVELS_MAX {
            suspicious = self.scanner.suspect(&now);
            if memchr::memchr(b'\\', &now).is_none() {
                break;
            }
            self.unescape(&mut now);
        }
        self.scratch.give_back(now);
        suspicious
    }

    fn unescape(&self, text: &mut Vec<u8>) {
        let mut next = self.scratch.take();
        json::unescape_into(text, &mut next);
        std::mem::swap(text, &mut next);
        self.scratch.give_back(next);
    }

    /// One JSON value, with white space around it or not.
    fn json(&mut self, text: &[u8], place: Place<'_>) -> Option<Vec<u8>> {
        let mut edited = Edited::new(text);
        self.value(&mut edited, json::skip_space(text, 0), place);
        edited.finish()
    }

    /// Walks the value at `at`; gives the offset behind it.
    fn value(&mut self, edited: &mut Edited<'_>, at: usize, place: Place<'_>) -> usize {
        let text = edited.source;
        let inner = Place {
            depth: place.depth + 1,
            ..place
        };
        match text.get(at) {
            Some(b'{' | b'[') if place.depth >= DEPTH_MAX => self.deep(edited, at, place),
            Some(b'{') => self.object(edited, at, inner),
            Some(b'[') => self.array(edited, at, inner),
            Some(b'"') => self.string(edited, at, place),
            Some(b'-' | b'0'..=b'9') => self.number(edited, at, place),
            _ => value_end(text, at),
        }
    }

    fn array(&mut self, edited: &mut Edited<'_>, open: usize, place: Place<'_>) -> usize {
        let text = edited.source;
        let mut at = json::skip_space(text, open + 1);
        while at < text.len() && text[at] != b']' {
            at = json::skip_space(text, self.value(edited, at, place));
            if text.get(at) == Some(&b',') {
                at = json::skip_space(text, at + 1);
            }
        }
        at + 1
    }

    fn object(&mut self, edited: &mut Edited<'_>, open: usize, place: Place<'_>) -> usize {
        let text = edited.source;
        let mut at = json::skip_space(text, open + 1);
        while text.get(at) == Some(&b'"') {
            let Ok(key_end) = json::skip_string(text, at) else {
                return text.len();
            };
            let escaped = &text[at + 1..key_end - 1];
            let decoded = self.decoded(escaped);
            let key = decoded.as_deref().unwrap_or(escaped);
            let bare = Place {
                link: None,
                ..place
            };
            if self.may_find(&(at..key_end), place)
                && let Some(name) = self.text(key, bare)
            {
                json::quote_into(&name, edited.instead(at..key_end));
            }
            let colon = json::skip_space(text, key_end);
            let value = json::skip_space(text, colon + 1);
            let end = self.member(edited, key, value, place);
            if let Some(buffer) = decoded {
                self.scratch.give_back(buffer);
            }
            at = json::skip_space(text, end);
            if text.get(at) == Some(&b',') {
                at = json::skip_space(text, at + 1);
            }
        }
        at + 1
    }

    fn member(
        &mut self,
        edited: &mut Edited<'_>,
        key: &[u8],
        at: usize,
        place: Place<'_>,
    ) -> usize {
        let text = edited.source;
        let link = Link {
            parent: place.link,
            key,
        };
        let place = Place {
            link: Some(&link),
            ..place
        };
        let rule = if self.keyed {
            self.scanner.of_key(&link)
        } else {
            None
        };
        if rule.is_none() && !is_identifier_key(key) {
            return self.value(edited, at, place);
        }
        let end = value_end(text, at);
        let raw = &text[at..end];
        match rule {
            Some(rule) if self.scanner.rules()[rule].takes.takes(raw) => {
                self.keyed(edited, at..end, rule);
                end
            }
            None if is_identifier(raw) => end,
            _ => self.value(edited, at, place),
        }
    }

    /// Replaces the whole value of a key.
    fn keyed(&mut self, edited: &mut Edited<'_>, range: Range<usize>, rule: usize) {
        let raw = &edited.source[range.clone()];
        let text = match json::string_inside(raw) {
            Some(inside) => json::unescape(inside),
            None => Cow::Borrowed(raw),
        };
        self.counts[rule] += 1;
        let active = &self.scanner.rules()[rule];
        let out = edited.instead(range);
        out.push(b'"');
        action::write(active.action, &active.id, &text, self.hasher, out);
        out.push(b'"');
    }

    /// A number whose digits are found becomes a string.
    fn number(&mut self, edited: &mut Edited<'_>, at: usize, place: Place<'_>) -> usize {
        let end = value_end(edited.source, at);
        if self.may_find(&(at..end), place)
            && let Some(text) = self.text(&edited.source[at..end], place)
        {
            json::quote_into(&text, edited.instead(at..end));
        }
        end
    }

    fn string(&mut self, edited: &mut Edited<'_>, at: usize, place: Place<'_>) -> usize {
        let end = value_end(edited.source, at);
        if !self.may_find(&(at..end), place) {
            return end;
        }
        let escaped = edited.source.get(at + 1..end - 1).unwrap_or_default();
        let decoded = self.decoded(escaped);
        if let Some(text) = self.text(decoded.as_deref().unwrap_or(escaped), place) {
            json::quote_into(&text, edited.instead(at..end));
        }
        if let Some(buffer) = decoded {
            self.scratch.give_back(buffer);
        }
        end
    }

    /// Whether something may be found in a part of the text at hand. Only of the record itself is known where.
    fn may_find(&self, range: &Range<usize>, place: Place<'_>) -> bool {
        place.nest > 0 || !self.span.misses(range)
    }

    /// A subtree too deep to walk: it stays as it is, or goes as a whole.
    fn deep(&mut self, edited: &mut Edited<'_>, at: usize, place: Place<'_>) -> usize {
        let end = value_end(edited.source, at);
        if let Some(rule) = self.hidden(&edited.source[at..end], place.link) {
            let out = edited.instead(at..end);
            self.quoted_label(rule, out);
        }
        end
    }

    /// A rule that finds something in raw JSON or in its unescaped forms.
    fn hidden(&mut self, raw: &[u8], path: Option<&Link<'_>>) -> Option<usize> {
        if self.suspicious(raw)
            && let Some(rule) = self.scanner.suspected_border()
        {
            return Some(rule);
        }
        let mut found = self.lists.pop().unwrap_or_default();
        self.scanner.scan(raw, path, &mut found);
        let rule = found.first().map(|found| found.rule);
        self.lists.push(found);
        rule.or_else(|| self.escaped(raw, path))
    }

    /// A rule that finds something in the unescaped forms of a text.
    fn escaped(&mut self, text: &[u8], path: Option<&Link<'_>>) -> Option<usize> {
        let mut found = self.lists.pop().unwrap_or_default();
        let mut now = self.scratch.take();
        now.extend_from_slice(text);
        let mut rule = None;
        for _ in 0..UNESCAPE_MAX {
            if rule.is_some() || memchr::memchr(b'\\', &now).is_none() {
                break;
            }
            self.unescape(&mut now);
            self.scanner.scan(&now, path, &mut found);
            rule = found.first().map(|found| found.rule);
        }
        self.scratch.give_back(now);
        self.lists.push(found);
        rule
    }

    fn decoded(&self, escaped: &[u8]) -> Option<Vec<u8>> {
        memchr::memchr(b'\\', escaped)?;
        let mut buffer = self.scratch.take();
        json::unescape_into(escaped, &mut buffer);
        Some(buffer)
    }

    fn quoted_label(&mut self, rule: usize, out: &mut Vec<u8>) {
        self.counts[rule] += 1;
        out.push(b'"');
        action::write(
            Action::Label,
            &self.scanner.rules()[rule].id,
            b"",
            None,
            out,
        );
        out.push(b'"');
    }

    /// The redacted form of a decoded text; `None` where nothing was found.
    fn text(&mut self, text: &[u8], place: Place<'_>) -> Option<Vec<u8>> {
        let escapes = memchr::memchr(b'\\', text).is_some();
        let whole = text.len() <= TEXT_BYTES_MAX;
        if whole && !escapes {
            self.scanner.acquit();
            if !self.scanner.suspect(text) {
                return None;
            }
        }
        let walks = place.nest < NEST_MAX;
        if walks
            && matches!(text.trim_ascii_start().first(), Some(b'{' | b'['))
            && json::whole_value(text).is_some()
        {
            return self.json(
                text,
                Place {
                    nest: place.nest + 1,
                    ..place
                },
            );
        }
        let mut cut = text.len();
        if !whole {
            cut = TEXT_BYTES_MAX - CUT_BYTES;
            while is_continuation(text[cut]) {
                cut -= 1;
            }
        }
        let mut edited = Edited::new(text);
        let mut found = self.lists.pop().unwrap_or_default();
        self.scanner.scan(&text[..cut], place.link, &mut found);
        self.parts(&mut edited, cut, &found, place);
        self.lists.push(found);
        if !whole {
            self.counts[self.scanner.rules().len()] += 1;
            edited
                .instead(cut..text.len())
                .extend_from_slice(b"[OVERSIZE]");
        }
        edited.finish()
    }

    /// The parts of a text in turn: what is JSON is walked, what is between is searched.
    fn parts(&mut self, edited: &mut Edited<'_>, cut: usize, found: &[Match], place: Place<'_>) {
        let text = &edited.source[..cut];
        let mut tries = if place.nest < NEST_MAX {
            SEGMENT_TRIES_MAX
        } else {
            0
        };
        let (mut at, mut from, mut next) = (0, 0, 0);
        while let Some(segment) = next_segment(text, from, &mut tries) {
            // A match that begins before the JSON and reaches into it, or the other way round: all of it is text.
            let first = found.partition_point(|found| found.end <= segment.start);
            let behind = found.partition_point(|found| found.start < segment.end);
            let meeting = found.get(first..behind).unwrap_or_default();
            looked_at(meeting.len());
            let crossing = meeting
                .first()
                .is_some_and(|found| found.start < segment.start)
                || meeting.last().is_some_and(|found| found.end > segment.end);
            from = segment.end;
            if crossing {
                continue;
            }
            let before = found[next..]
                .iter()
                .take_while(|found| found.end <= segment.start);
            let until = next + before.count();
            if self.part(edited, at..segment.start, &found[next..until], place, true) {
                // What it hid may go on in the JSON, as the value of a key does.
                edited.instead(segment.start..cut);
                return;
            }
            next = until
                + found[until..]
                    .iter()
                    .take_while(|found| found.end <= segment.end)
                    .count();
            let inner = Place {
                nest: place.nest + 1,
                ..place
            };
            if let Some(changed) = self.json(&text[segment.clone()], inner) {
                edited.instead(segment.clone()).extend_from_slice(&changed);
            }
            at = segment.end;
        }
        self.part(edited, at..cut, &found[next..], place, false);
    }

    /// A part of a text that is no JSON. Where something hides behind escapes of its own, all of it goes; tells whether
    /// it did. `leads` says that JSON follows.
    fn part(
        &mut self,
        edited: &mut Edited<'_>,
        range: Range<usize>,
        found: &[Match],
        place: Place<'_>,
        leads: bool,
    ) -> bool {
        let source = edited.source;
        let text = &source[range.clone()];
        let escapes = memchr::memchr(b'\\', text).is_some();
        if found.is_empty() {
            if escapes && let Some(rule) = self.hides(text, place.link, leads) {
                self.counts[rule] += 1;
                let id = &self.scanner.rules()[rule].id;
                action::write(Action::Label, id, b"", None, edited.instead(range));
                return true;
            }
            return false;
        }
        edited.instead(range.start..range.start);
        let mark = edited.out.len();
        for found in found {
            self.counts[found.rule] += 1;
            let id = &self.scanner.rules()[found.rule].id;
            let out = edited.instead(found.start..found.end);
            action::write(
                found.action,
                id,
                &source[found.start..found.end],
                self.hasher,
                out,
            );
        }
        if !escapes {
            return false;
        }
        edited.instead(range.end..range.end);
        let rest = edited.out.split_off(mark);
        match self.hides(&rest, place.link, leads) {
            None => {
                edited.out.extend_from_slice(&rest);
                false
            }
            Some(rule) => {
                self.counts[rule] += 1;
                let id = &self.scanner.rules()[rule].id;
                action::write(Action::Label, id, b"", None, &mut edited.out);
                true
            }
        }
    }

    /// A rule that finds something in the unescaped forms of a part of a text. A key whose value would be the JSON that
    /// follows finds a value behind it.
    fn hides(&mut self, part: &[u8], path: Option<&Link<'_>>, leads: bool) -> Option<usize> {
        if !leads || !part.trim_ascii_end().ends_with(b":") {
            return self.escaped(part, path);
        }
        let mut whole = self.scratch.take();
        whole.extend_from_slice(part);
        whole.extend_from_slice(b"\"x\"");
        let rule = self.escaped(&whole, path);
        self.scratch.give_back(whole);
        rule
    }
}

fn value_end(text: &[u8], at: usize) -> usize {
    json::skip_value(text, at).unwrap_or(text.len())
}

/// The next JSON object, or array of objects, arrays or strings, inside a text.
fn next_segment(text: &[u8], mut from: usize, tries: &mut usize) -> Option<Range<usize>> {
    while *tries > 0 {
        let start = from + memchr::memchr2(b'{', b'[', text.get(from..)?)?;
        let inside = text.get(json::skip_space(text, start + 1));
        let likely = match text[start] {
            b'{' => inside == Some(&b'"'),
            _ => matches!(inside, Some(b'{' | b'[' | b'"')),
        };
        if likely {
            if let Ok(end) = json::skip_value(text, start) {
                return Some(start..end);
            }
            *tries -= 1;
        }
        from = start + 1;
    }
    None
}

/// Whether a member's key says that its value joins records: request and trace ids, and the time.
fn is_identifier_key(key: &[u8]) -> bool {
    const KEYS: [&[u8]; 13] = [
        b"requestId",
        b"AWSRequestId",
        b"aws_request_id",
        b"function_request_id",
        b"request_id",
        b"trace_id",
        b"traceId",
        b"xray_trace_id",
        b"span_id",
        b"spanId",
        b"parent_id",
        b"timestamp",
        b"time",
    ];
    KEYS.contains(&key)
}

/// Whether a raw value has the shape of such an id or time, and so can hold nothing else.
fn is_identifier(raw: &[u8]) -> bool {
    let Some(text) = json::string_inside(raw) else {
        return is_epoch(raw);
    };
    let hex = text.iter().all(u8::is_ascii_hexdigit);
    (hex && matches!(text.len(), 16 | 32) && text.iter().any(u8::is_ascii_alphabetic))
        || is_uuid(text)
        || is_xray(text)
        || is_epoch(text)
        || tapline_core::time::parse_rfc3339_ms(text).is_some()
}

/// `8476a536-e9f4-11e8-9739-2dfe598c3fcd`.
fn is_uuid(text: &[u8]) -> bool {
    text.len() == 36
        && text.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// `1-5759e988-bd862e3fe1be46a994272793`, with `Root=` before it and the other parts of the header behind it or not.
fn is_xray(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"Root=").unwrap_or(text);
    let Some((root, rest)) = text.split_at_checked(35) else {
        return false;
    };
    let shaped = root.iter().enumerate().all(|(at, byte)| match at {
        0 => *byte == b'1',
        1 | 10 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    });
    shaped
        && rest.split(|byte| *byte == b';').all(|part| {
            part.is_empty()
                || part
                    .strip_prefix(b"Parent=")
                    .is_some_and(|id| id.len() == 16 && id.iter().all(u8::is_ascii_hexdigit))
                || matches!(part, b"Sampled=0" | b"Sampled=1")
        })
}

/// Seconds to nanoseconds since 1970, between 2001 and 2033: all begin with 1, as no payment card does.
fn is_epoch(text: &[u8]) -> bool {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let fraction = text[digits..].strip_prefix(b".");
    let fraction_is_short = fraction.is_none_or(|rest| {
        rest.len() <= 9 && !rest.is_empty() && rest.iter().all(u8::is_ascii_digit)
    });
    matches!(digits, 10 | 13 | 16 | 19)
        && text[0] == b'1'
        && (digits == text.len() || fraction.is_some())
        && fraction_is_short
}
