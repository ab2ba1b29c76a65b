//! Finds the elements of a telemetry body, and where one is broken, the next that is not.

use std::ops::Range;

use tapline_core::json;
use tapline_core::limits::JSON_DEPTH_MAX;

/// How the elements of a body follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `[{…},{…}]`: what the platform sends over HTTP.
    Array,
    /// Elements with white space between them, as a rule one a line.
    Lines,
}

/// The parts of a well-formed element, as ranges of the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Envelope {
    /// `time`, between its quotes; empty when there is none.
    pub time: Range<usize>,
    /// `type`, between its quotes.
    pub kind: Range<usize>,
    /// The value of `record`.
    pub record: Range<usize>,
}

/// A part of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// A well-formed element.
    Element(Envelope),
    /// Text that is none.
    Opaque(Range<usize>),
    /// An element that the platform cut at the end of the body.
    Cut(Cut),
}

/// The first part of an element whose value goes on in the next body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cut {
    /// From the element's start to the cut, without the `}]` that the platform put behind it.
    pub text: Range<usize>,
    /// Where the value of `record` begins.
    pub value: usize,
}

/// What stands at a place.
enum Scan {
    Element(Envelope, usize),
    /// A JSON value that is no element, and its end.
    Value(usize),
    Cut(Cut),
    /// No JSON value; the place where that showed.
    Broken(usize),
}

/// Failed scans may look at this many times the bytes of a body; what is left then is one opaque record.
const RESCANS_MAX: usize = 32;

/// Least bytes that an element of the platform has: its index entry is larger than this, so a body of smaller ones
/// could take many times its own size. Elements beyond the bound are one opaque record.
pub(super) const ELEMENT_BYTES_MIN: usize = 64;
/// Elements of any size that a small body may have.
const ELEMENTS_ANYWAY: usize = 1024;

/// Walks over a body once, and over what is broken a bounded number of times.
pub(super) struct Splitter {
    form: Form,
    /// Whether a last element that looks cut is told apart.
    tells_cuts: bool,
    at: usize,
    started: bool,
    ended: bool,
    pieces: usize,
    /// Bytes that failed scans have looked at.
    spent: usize,
    /// The comma before the next sound element, as found last.
    candidate: Option<Option<usize>>,
}

impl Splitter {
    pub fn new(form: Form) -> Splitter {
        Splitter {
            form,
            tells_cuts: form == Form::Array,
            at: 0,
            started: false,
            ended: false,
            pieces: 0,
            spent: 0,
            candidate: None,
        }
    }

    /// From here on what looks cut is as broken as anything else.
    pub fn without_cuts(mut self) -> Splitter {
        self.tells_cuts = false;
        self
    }

    /// Looks at a cut element once more, as at any broken one.
    pub fn refuse(&mut self, cut: &Cut) {
        self.tells_cuts = false;
        self.ended = false;
        self.at = cut.text.start;
    }

    /// Where the last piece ended, if it was an element.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// The next piece. `bytes` must be the same at every call.
    pub fn next(&mut self, bytes: &[u8]) -> Option<Piece> {
        if self.ended {
            return None;
        }
        if !self.started {
            self.started = true;
            self.at = json::skip_space(bytes, 0);
            if self.form == Form::Array {
                if bytes.get(self.at) != Some(&b'[') {
                    return self.rest(bytes, self.at);
                }
                self.at += 1;
            }
        }
        let piece = match self.form {
            Form::Array => self.next_of_array(bytes),
            Form::Lines => self.next_line(bytes),
        };
        self.pieces += usize::from(piece.is_some());
        piece
    }

    fn next_of_array(&mut self, bytes: &[u8]) -> Option<Piece> {
        let start = loop {
            let start = json::skip_space(bytes, self.at);
            match bytes.get(start)? {
                b',' => self.at = start + 1,
                b']' => return self.rest(bytes, start + 1),
                _ => break start,
            }
        };
        if self.worked_enough(bytes) {
            return self.rest_of_array(bytes, start);
        }
        match scan(bytes, start) {
            Scan::Element(envelope, end) => {
                self.at = end;
                return Some(Piece::Element(envelope));
            }
            // A quote or bracket too many can make a value of what is none; then no comma or bracket follows it.
            Scan::Value(end) => {
                let next = json::skip_space(bytes, end);
                if matches!(bytes.get(next), Some(b',' | b']')) {
                    self.at = next;
                    return Some(Piece::Opaque(start..end));
                }
                self.spent += end - start;
            }
            Scan::Cut(cut) if self.tells_cuts => {
                self.ended = true;
                return Some(Piece::Cut(cut));
            }
            Scan::Cut(_) => self.spent += bytes.len() - start,
            Scan::Broken(at) => self.spent += at - start,
        }
        self.recover(bytes, start)
    }

    /// Past a broken element: to the comma that its brackets leave outside, or to the next sound element, whichever
    /// comes first. Brackets win where they are well-formed and merely nested too deep.
    fn recover(&mut self, bytes: &[u8], start: usize) -> Option<Piece> {
        let candidate = self.next_candidate(bytes, start);
        let limit = candidate.unwrap_or(bytes.len());
        let balanced = balanced_end(bytes, start, limit);
        self.spent += balanced.seen - start;
        let end = match (balanced.end, candidate) {
            (Some(end), _) => end,
            (None, Some(comma)) => comma,
            // Text that happens to begin with a bracket: `[INFO] …`.
            (None, None) if self.pieces == 0 && bytes[start] != b'{' => {
                return self.rest(bytes, json::skip_space(bytes, 0));
            }
            (None, None) => return self.rest_of_array(bytes, start),
        };
        self.at = end;
        Some(Piece::Opaque(start..trim_end(bytes, start, end)))
    }

    /// The next comma after `start` that a sound element follows.
    fn next_candidate(&mut self, bytes: &[u8], start: usize) -> Option<usize> {
        match self.candidate {
            Some(None) => return None,
            Some(Some(comma)) if comma > start => return Some(comma),
            _ => {}
        }
        let found = self.search_candidate(bytes, start + 1);
        self.candidate = Some(found);
        found
    }

    fn search_candidate(&mut self, bytes: &[u8], from: usize) -> Option<usize> {
        for offset in memchr::memchr_iter(b',', &bytes[from..]) {
            let element = json::skip_space(bytes, from + offset + 1);
            if !looks_like_element(bytes, element) {
                continue;
            }
            if self.spent > RESCANS_MAX * bytes.len() {
                return None;
            }
            match scan(bytes, element) {
                Scan::Element(..) => return Some(from + offset),
                Scan::Cut(_) if self.tells_cuts => return Some(from + offset),
                Scan::Cut(_) => self.spent += bytes.len() - element,
                Scan::Value(end) | Scan::Broken(end) => self.spent += end - element,
            }
        }
        None
    }

    /// Whether index or scans have reached what this body is worth.
    fn worked_enough(&self, bytes: &[u8]) -> bool {
        self.pieces > ELEMENTS_ANYWAY + bytes.len() / ELEMENT_BYTES_MIN
            || self.spent > RESCANS_MAX * bytes.len()
    }

    fn next_line(&mut self, bytes: &[u8]) -> Option<Piece> {
        let start = json::skip_space(bytes, self.at);
        if start == bytes.len() {
            self.ended = true;
            return None;
        }
        if self.worked_enough(bytes) {
            return self.rest(bytes, start);
        }
        match scan(bytes, start) {
            Scan::Element(envelope, end) => {
                self.at = end;
                return Some(Piece::Element(envelope));
            }
            Scan::Value(end) if end == bytes.len() || bytes[end].is_ascii_whitespace() => {
                self.at = end;
                return Some(Piece::Opaque(start..end));
            }
            Scan::Value(at) | Scan::Broken(at) => self.spent += at - start,
            Scan::Cut(_) => self.spent += bytes.len() - start,
        }
        let end = memchr::memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |line| start + line);
        self.at = end;
        Some(Piece::Opaque(start..trim_end(bytes, start, end)))
    }

    /// All that is left, if anything is.
    fn rest(&mut self, bytes: &[u8], start: usize) -> Option<Piece> {
        self.ended = true;
        let start = json::skip_space(bytes, start);
        let end = trim_end(bytes, start, bytes.len());
        (start < end).then_some(Piece::Opaque(start..end))
    }

    /// All that is left, without the bracket of the array.
    fn rest_of_array(&mut self, bytes: &[u8], start: usize) -> Option<Piece> {
        self.ended = true;
        let end = trim_end(bytes, start, bytes.len());
        let inside = bytes[start..end]
            .strip_suffix(b"]")
            .map_or(end, |text| start + text.len());
        let end = trim_end(bytes, start, inside);
        Some(Piece::Opaque(start..end))
    }
}

/// The end without the white space before it.
fn trim_end(bytes: &[u8], start: usize, end: usize) -> usize {
    let text = &bytes[start..end];
    let blank = text
        .iter()
        .rev()
        .take_while(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t'));
    end - blank.count()
}

fn looks_like_element(bytes: &[u8], at: usize) -> bool {
    if bytes.get(at) != Some(&b'{') {
        return false;
    }
    let key = &bytes[json::skip_space(bytes, at + 1)..];
    [&b"\"time\""[..], b"\"type\"", b"\"record\""]
        .iter()
        .any(|word| key.starts_with(word))
}

/// Looks for one element at `at`. Checks all of it, and finds its members on the way.
fn scan(bytes: &[u8], at: usize) -> Scan {
    if bytes.get(at) != Some(&b'{') {
        return match json::skip_value(bytes, at) {
            Ok(end) => Scan::Value(end),
            Err(malformed) => Scan::Broken(malformed.at),
        };
    }
    let mut found = Found::default();
    match found.read(bytes, at) {
        Ok(end) => match (found.kind, found.record) {
            (Some(kind), Some(record)) if is_type(&bytes[kind.clone()]) => Scan::Element(
                Envelope {
                    time: found.time.unwrap_or_default(),
                    kind,
                    record,
                },
                end,
            ),
            _ => Scan::Value(end),
        },
        Err(malformed) => found
            .cut(bytes, at, malformed.at)
            .map_or(Scan::Broken(malformed.at), Scan::Cut),
    }
}

/// `function`, `platform.runtimeDone`, and whatever else the platform may call its events. Anything else is kept as
/// text: a type is given out beside the record, where no redaction looks.
fn is_type(kind: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let digits = kind.iter().filter(|byte| byte.is_ascii_digit()).count();
    (1..=64).contains(&kind.len()) && kind.iter().all(plain) && digits < 6
}

/// The members of an element as far as they were read.
#[derive(Default)]
struct Found {
    time: Option<Range<usize>>,
    kind: Option<Range<usize>>,
    record: Option<Range<usize>>,
    /// Where the value of the last key begins, when that key is `record`.
    last_record: Option<usize>,
}

impl Found {
    /// Reads the object at `at`; gives its end. The last of equal keys wins.
    fn read(&mut self, bytes: &[u8], at: usize) -> Result<usize, json::Malformed> {
        let mut at = json::skip_space(bytes, at + 1);
        if bytes.get(at) == Some(&b'}') {
            return Ok(at + 1);
        }
        loop {
            if bytes.get(at) != Some(&b'"') {
                return Err(json::Malformed { at });
            }
            let key_end = json::skip_string(bytes, at)?;
            let key = &bytes[at + 1..key_end - 1];
            let colon = json::skip_space(bytes, key_end);
            if bytes.get(colon) != Some(&b':') {
                return Err(json::Malformed { at: colon });
            }
            let value = json::skip_space(bytes, colon + 1);
            let is_record = json::key_is(key, "record");
            self.last_record = is_record.then_some(value);
            let end = json::skip_value(bytes, value)?;
            if is_record {
                self.record = Some(value..end);
            } else if json::key_is(key, "time") {
                self.time = text_range(bytes, value..end);
            } else if json::key_is(key, "type") {
                self.kind = text_range(bytes, value..end);
            }
            at = json::skip_space(bytes, end);
            match bytes.get(at) {
                Some(b',') => at = json::skip_space(bytes, at + 1),
                Some(b'}') => return Ok(at + 1),
                _ => return Err(json::Malformed { at }),
            }
        }
    }

    /// Whether this is an element as the platform cuts it: `{"time":"…","type":"…","record":{"message":"AAA}]`, all
    /// of the body's rest, and sound up to the cut.
    ///
    /// Source: <https://github.com/DataDog/datadog-lambda-extension/pull/1357>, read 2026-11-23.
    fn cut(&self, bytes: &[u8], start: usize, failed_at: usize) -> Option<Cut> {
        /// An escape cut before its last digit is found wrong at its backslash, this far before the cut.
        const ESCAPE_BYTES: usize = 5;
        let value = self.last_record?;
        self.time.as_ref()?;
        self.kind.as_ref()?;
        let end = trim_end(bytes, start, bytes.len());
        let text = bytes[start..end].strip_suffix(b"}]")?;
        let cut = start + text.len();
        let sound = failed_at + ESCAPE_BYTES >= cut && value <= cut;
        sound.then_some(Cut {
            text: start..cut,
            value,
        })
    }
}

fn text_range(bytes: &[u8], value: Range<usize>) -> Option<Range<usize>> {
    json::string_inside(&bytes[value.clone()])?;
    Some(value.start + 1..value.end - 1)
}

/// What counting brackets gave.
struct Balanced {
    /// Where the broken element ends: at a comma or the last bracket of the array.
    end: Option<usize>,
    /// How far the count had to look.
    seen: usize,
}

/// Counts brackets outside strings from `start` up to the comma or closing bracket that follows the element. Goes
/// beyond `limit` only inside brackets that are nested deeper than JSON may be here.
fn balanced_end(bytes: &[u8], start: usize, limit: usize) -> Balanced {
    let mut depth = 0usize;
    let mut deepest = 0;
    let mut at = start;
    while let Some(&byte) = bytes.get(at) {
        if at >= limit && deepest <= JSON_DEPTH_MAX {
            break;
        }
        match byte {
            b'"' => match string_end(bytes, at) {
                Some(end) => at = end - 1,
                None => {
                    at = bytes.len();
                    break;
                }
            },
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' if depth == 0 => {
                let last = json::skip_space(bytes, at + 1) == bytes.len();
                return Balanced {
                    end: last.then_some(at),
                    seen: at,
                };
            }
            b'}' if depth == 0 => break,
            b'}' | b']' => depth -= 1,
            b',' if depth == 0 => {
                return Balanced {
                    end: Some(at),
                    seen: at,
                };
            }
            _ => {}
        }
        at += 1;
    }
    Balanced {
        end: None,
        seen: at,
    }
}

/// The offset after a string's closing quote, whatever stands inside.
fn string_end(bytes: &[u8], quote: usize) -> Option<usize> {
    let mut at = quote + 1;
    loop {
        let found = at + memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[found] == b'"' {
            return Some(found + 1);
        }
        at = found + 2;
    }
}
