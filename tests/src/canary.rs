//! Secrets made up from a seed, all the places of a record that they are put into, and the search for them in whatever
//! left the process.

use std::collections::BTreeMap;
use std::io::Read;

use serde_json::{Value, json};
use tapline_corpus::random::Random as Maker;
use tapline_corpus::values::{Row, rows};

use crate::traffic::Random;

/// Shortest text that is looked for, in bytes: a shorter one may stand somewhere by chance.
const NEEDLE_BYTES_MIN: usize = 10;
/// Shortest text that is taken for base64: a record is longer.
const BASE64_BYTES_MIN: usize = 64;
/// Letters of a secret that has no shape, and goes by its key alone.
const LETTERS: &[u8] = b"abcdefghijkmnopqrstuvwxyz";

/// What takes a secret out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taker {
    /// A rule that knows its shape, or a word near it.
    Rule(&'static str),
    /// The key of its member.
    Key,
}

/// A secret and the words around it.
#[derive(Debug, Clone)]
pub struct Canary {
    /// What takes it out.
    pub taker: Taker,
    /// What must never be seen.
    pub secret: String,
    /// It, among the words that a rule wants near it.
    pub sentence: String,
    /// One of those words, where it is a number and so need not stand in quotes.
    pub number_word: Option<&'static str>,
}

/// Rules that a configuration names, and how to make what they take out.
#[derive(Debug)]
pub struct Aviary {
    rows: Vec<&'static Row>,
    maker: Maker,
}

/// The rules that have a `redact` in a file beside the built-in ones: keys, and a regex of one's own.
pub const KEYS: &str = r#"keys = ["password", "*_token", "user.ssn"]
custom = [{ id = "canary", regex = 'CNRY[0-9a-f]{20}' }]
"#;

impl Aviary {
    /// With so many rules.
    pub fn new(random: &mut Random, rules_count: usize) -> Aviary {
        let mut maker = Maker::seeded(random.number());
        let all: Vec<&'static Row> = rows().filter(|row| tells(row, &mut maker)).collect();
        let numbers: Vec<&Row> = all
            .iter()
            .copied()
            .filter(|row| is_number(row, &mut maker))
            .collect();
        let rows = (0..rules_count).map(|turn| match turn % 4 {
            0 => *random.pick(&numbers),
            _ => *random.pick(&all),
        });
        let rows = rows.collect();
        Aviary { rows, maker }
    }

    /// The keys of a `redact` that takes all of them out.
    pub fn rules(&self) -> String {
        let names: Vec<String> = self
            .rows
            .iter()
            .map(|row| format!("\"{}\"", row.rule))
            .collect();
        format!("rules = [{}]\n{KEYS}", names.join(", "))
    }

    /// One that goes by its shape.
    pub fn shaped(&mut self, random: &mut Random) -> Canary {
        if random.below(8) == 0 {
            let digits = (0..20).map(|_| char::from(*random.pick(b"0123456789abcdef")));
            let secret = format!("CNRY{}", digits.collect::<String>());
            return Canary {
                taker: Taker::Rule("canary"),
                sentence: format!("customer {secret} came"),
                secret,
                number_word: None,
            };
        }
        let row = *random.pick(&self.rows);
        let made = (row.make)(&mut self.maker);
        let word = match row.words {
            [] => "saw",
            words => random.pick(words),
        };
        Canary {
            number_word: is_digits(&made.secret).then_some(word),
            taker: Taker::Rule(row.rule),
            sentence: format!("{word}: {}{}{} ok", made.before, made.secret, made.after),
            secret: made.secret,
        }
    }

    /// One that goes by its key.
    pub fn keyed(&mut self, random: &mut Random) -> Canary {
        let letters = (0..24).map(|_| char::from(*random.pick(LETTERS)));
        let secret: String = letters.collect();
        Canary {
            taker: Taker::Key,
            sentence: secret.clone(),
            secret,
            number_word: None,
        }
    }

    /// Either.
    pub fn any(&mut self, random: &mut Random) -> Canary {
        match random.below(4) {
            0 => self.keyed(random),
            _ => self.shaped(random),
        }
    }
}

/// Whether values of a rule can be told from all else: long, and of many characters.
fn tells(row: &Row, maker: &mut Maker) -> bool {
    (0..4).all(|_| {
        let mut letters: Vec<char> = (row.make)(maker).secret.chars().collect();
        let long = letters.len() >= NEEDLE_BYTES_MIN + 2;
        letters.sort_unstable();
        letters.dedup();
        long && letters.len() >= 6
    })
}

fn is_number(row: &Row, maker: &mut Maker) -> bool {
    (0..4).all(|_| is_digits(&(row.make)(maker).secret))
}

/// Whether it is a number of JSON as it is.
fn is_digits(text: &str) -> bool {
    !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A record that holds a canary: raw JSON. Objects have a member `mark`, which must arrive.
pub fn record(random: &mut Random, canary: &Canary, mark: &str) -> String {
    let value = match (&canary.taker, canary.number_word) {
        (Taker::Key, _) => under_key(random, canary, mark),
        (Taker::Rule(_), Some(word)) if random.below(2) == 0 => {
            return as_number(random, word, &canary.secret, mark);
        }
        (Taker::Rule(_), _) => by_shape(random, canary, mark),
    };
    let raw = value.to_string();
    match random.below(3) {
        0 => escaped(random, &raw),
        _ => raw,
    }
}

fn by_shape(random: &mut Random, canary: &Canary, mark: &str) -> Value {
    let text = canary.sentence.as_str();
    let level = *random.pick(&["debug", "info", "warn", "error"]);
    match random.below(20) {
        0 => json!(text),
        1 => json!(format!("[ERROR] {text}\n")),
        2 => json!({ "mark": mark, "level": level, "message": text }),
        3 => json!({ "mark": mark, "level": level, "deep": deep(random, json!(text)) }),
        4 => json!({ "mark": mark, "body": json!({ "a": [text] }).to_string() }),
        5 => json!({ "mark": mark, "body": nested(2, text) }),
        6 => json!({ "mark": mark, "body": nested(4, text) }),
        7 => json!({ "mark": mark, "list": [1, [text, null], { "x": text }] }),
        8 => json!({ "mark": mark, "by": { text: 1 } }),
        9 => json!(format!("before {} behind\n", json!({ "a": { "b": text } }))),
        10 => json!({
            "mark": mark, "note": text, "Latency": 7,
            "_aws": { "Timestamp": 1_774_000_000_000_u64, "CloudWatchMetrics": [
                { "Namespace": "n", "Dimensions": [["note"]], "Metrics": [{ "Name": "Latency" }] }
            ] },
        }),
        11 => json!({ "mark": mark, "note": text, "msg": text, "from": { "x": text } }),
        12 => json!(format!("\u{1f600}\u{1d11e} {text} \u{1f600}")),
        13 => json!(format!("first line\n{text}\nlast line")),
        // Broken off, as the runtime writes it: not a record of JSON.
        14 => json!(format!("{{\"a\":{{\"message\":{}", json!(text))),
        15 => {
            json!({ "mark": mark, "level": text, "requestId": text, "trace_id": text, "span_id": text })
        }
        16 => json!([text, { "a": text }]),
        17 => {
            json!({ "mark": mark, "errorType": text, "errorMessage": text, "stackTrace": [text] })
        }
        18 => json!(json!({ "level": level, "message": text }).to_string()),
        _ => json!({ "mark": mark, "note": text, "said": text }),
    }
}

/// Without quotes around it, or as a key. The text is put together by hand: many numbers are larger than 64 bits hold.
fn as_number(random: &mut Random, word: &str, number: &str, mark: &str) -> String {
    let member = format!("\"{word}\":{number}");
    match random.below(9) {
        0 => format!("{{\"mark\":\"{mark}\",{member}}}"),
        1 => format!("{{{member},\"{word} too\":-{number},\"mark\":\"{mark}\"}}"),
        2 => format!("{{\"mark\":\"{mark}\",\"{word}\":[1,{number},{{\"x\": {number} }}]}}"),
        3 => format!("{{\"mark\":\"{mark}\",\"{word}\":{number}.0}}"),
        4 => format!("{{\"mark\":\"{mark}\",\"{word}\":{{\"{number}\":1}}}}"),
        5 => format!("{{\"mark\":\"{mark}\",\"{word} {number}\":{{}}}}"),
        6 => json!({ "mark": mark, "body": format!("{{{member}}}") }).to_string(),
        7 => json!({ "mark": mark, "body": json!(format!("[{{{member}}}]")).to_string() })
            .to_string(),
        _ => format!("[{{{member}}},{{\"level\":\"warn\",{member}}}]"),
    }
}

fn under_key(random: &mut Random, canary: &Canary, mark: &str) -> Value {
    let secret = canary.secret.as_str();
    let key = *random.pick(&["password", "PassWord", "api_token", "Session_Token"]);
    let value = match random.below(4) {
        0 => json!([secret, { "x": secret }]),
        1 => json!({ "is": { "this": secret } }),
        _ => json!(secret),
    };
    let object = json!({ key: value, "n": 1 });
    match random.below(10) {
        0 => json!({ "mark": mark, key: value }),
        1 => json!({ "mark": mark, "deep": deep(random, object) }),
        2 => json!({ "mark": mark, "body": object.to_string() }),
        3 => {
            json!({ "mark": mark, "body": json!({ "inner": object.to_string() }).to_string() })
        }
        4 => json!({ "mark": mark, "body": [json!({ "a": [object.to_string()] }).to_string()] }),
        5 => json!({ "mark": mark, "user": { "ssn": secret, "name": "x" } }),
        6 => json!(object.to_string()),
        7 => json!(format!("got {object} from them\n")),
        8 => {
            let text = json!({ "n": 1, key: secret }).to_string();
            let end = text.len() - random.below(12) as usize - 2;
            json!(&text[..end])
        }
        _ => json!({ "mark": mark, "list": [object, object] }),
    }
}

/// Objects and arrays around a value, sometimes more than are walked.
fn deep(random: &mut Random, value: Value) -> Value {
    let depth = *random.pick(&[2, 9, 61, 63, 64, 66, 90]);
    (0..depth).fold(value, |value, step| match step % 3 {
        0 => json!([1, value]),
        _ => json!({ "in": value }),
    })
}

/// JSON in text, so many times.
fn nested(times: usize, text: &str) -> String {
    (0..times).fold(text.to_owned(), |text, _| {
        json!({ "message": text }).to_string()
    })
}

/// The same JSON with many letters of its strings written as escapes.
pub fn escaped(random: &mut Random, raw: &str) -> String {
    let mut out = String::new();
    let (mut letters, mut inside) = (raw.chars(), false);
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => {
                out.push('\\');
                out.extend(letters.next());
            }
            '"' => {
                inside = !inside;
                out.push('"');
            }
            letter if inside && (!letter.is_ascii() || random.below(4) == 0) => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            letter => out.push(letter),
        }
    }
    out
}

/// Looks for secrets in bytes that left.
#[derive(Debug)]
pub struct Search {
    needles: BTreeMap<[u8; HEAD], Vec<String>>,
    /// By the first two bytes, whether a needle begins so: what most places are told by.
    begins: Vec<bool>,
}

/// Bytes of a needle that it is found by.
const HEAD: usize = 8;
const _: () = assert!(HEAD <= NEEDLE_BYTES_MIN);

impl Search {
    /// For these, whole and in halves, line by line.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Search {
        let mut search = Search {
            needles: BTreeMap::new(),
            begins: vec![false; 1 << 16],
        };
        for needle in secrets.into_iter().flat_map(pieces) {
            let head: [u8; HEAD] = *needle.as_bytes().first_chunk().expect("it is longer");
            search.begins[usize::from(u16::from_be_bytes([head[0], head[1]]))] = true;
            search.needles.entry(head).or_default().push(needle);
        }
        search
    }

    /// What of them bytes show, in any form that a receiver can read.
    pub fn seen_in(&self, bytes: &[u8]) -> Vec<String> {
        let mut seen = Vec::new();
        for form in forms(bytes) {
            for at in self.places(&form).take(3) {
                let around = &form[at.saturating_sub(200)..form.len().min(at + 120)];
                seen.push(String::from_utf8_lossy(around).into_owned());
            }
        }
        seen
    }

    /// Where a needle begins.
    fn places<'a>(&'a self, form: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
        let begins = form
            .windows(2)
            .enumerate()
            .filter(|(_, two)| self.begins[usize::from(two[0]) << 8 | usize::from(two[1])]);
        begins.map(|(at, _)| at).filter(|at| {
            let rest = &form[*at..];
            let known = rest.first_chunk().and_then(|head| self.needles.get(head));
            let whole = |needle: &String| rest.starts_with(needle.as_bytes());
            known.is_some_and(|needles| needles.iter().any(whole))
        })
    }
}

/// A secret, its halves and its lines, as far as they are long enough.
fn pieces(secret: &str) -> Vec<String> {
    let middle = (secret.len() / 2..).find(|at| secret.is_char_boundary(*at));
    let (left, right) = secret.split_at(middle.unwrap_or_default());
    let lines = secret.lines();
    let all = [secret, left, right].into_iter().chain(lines);
    all.map(str::trim)
        .filter(|piece| piece.len() >= NEEDLE_BYTES_MIN)
        .map(str::to_owned)
        .collect()
}

/// Bytes as they are, and decoded: unpacked, out of base64, out of percent encoding, and unescaped up to five times.
fn forms(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut whole = bytes.to_vec();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut unpacked = Vec::new();
        flate2::read::MultiGzDecoder::new(bytes)
            .read_to_end(&mut unpacked)
            .expect("what begins like gzip is gzip");
        whole = unpacked;
    }
    let decoded = from_base64(&whole);
    if !decoded.is_empty() {
        whole.push(b'\n');
        whole.extend(decoded);
    }
    let mut forms = Vec::new();
    if whole.contains(&b'%') {
        forms.push(from_percent(&whole));
    }
    forms.push(whole);
    for _ in 0..5 {
        let last = forms.last().expect("there is one");
        let Some(next) = unescaped(last) else { break };
        forms.push(next);
    }
    forms
}

/// All that looks like base64, decoded.
fn from_base64(bytes: &[u8]) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    };
    let mut out = Vec::new();
    for run in bytes.split(|byte| value(*byte).is_none()) {
        if run.len() < BASE64_BYTES_MIN {
            continue;
        }
        for four in run.chunks(4) {
            let bits = four.iter().fold(0u32, |bits, byte| {
                bits << 6 | u32::from(value(*byte).unwrap_or(0))
            });
            let shift = 6 * (4 - four.len() as u32);
            let three = (bits << shift).to_be_bytes();
            out.extend(&three[1..four.len().max(1)]);
        }
        out.push(b'\n');
    }
    out
}

fn from_percent(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'%' {
            out.push(bytes[at]);
            at += 1;
            continue;
        }
        let digits = bytes
            .get(at + 1..at + 3)
            .and_then(|two| std::str::from_utf8(two).ok());
        match digits.map(|digits| u8::from_str_radix(digits, 16)) {
            Some(Ok(byte)) => {
                out.push(byte);
                at += 3;
            }
            _ => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    out
}

/// JSON's escapes resolved, wherever they stand; `None` where there are none.
fn unescaped(bytes: &[u8]) -> Option<Vec<u8>> {
    if !bytes.contains(&b'\\') {
        return None;
    }
    let mut out = Vec::with_capacity(bytes.len());
    let unit = |at: usize| -> Option<u16> {
        let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'\\' {
            out.push(bytes[at]);
            at += 1;
            continue;
        }
        if let Some(first) = unit(at) {
            let units = [first, unit(at + 6).unwrap_or(0)];
            let pair = char::decode_utf16(units).next().and_then(Result::ok);
            let letter = pair.unwrap_or('\u{fffd}');
            out.extend(letter.encode_utf8(&mut [0; 4]).as_bytes());
            at += if letter > '\u{ffff}' { 12 } else { 6 };
            continue;
        }
        match bytes.get(at + 1) {
            Some(b'n') => out.push(b'\n'),
            Some(b't') => out.push(b'\t'),
            Some(b'r') => out.push(b'\r'),
            Some(letter) => out.push(*letter),
            None => {}
        }
        at += 2;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the search is blind to would pass for clean.
    #[test]
    fn a_secret_is_seen_in_every_form() {
        let secret = "zq7-Kestrel/Linnet\n\u{e9}w9";
        let search = Search::new([secret]);
        let once = json!({ "a": secret }).to_string();
        let thrice = json!({ "b": json!({ "c": once }).to_string() }).to_string();
        let mut random = Random::seeded(1);
        let letters = escaped(&mut random, &once);
        let mut packed = Vec::new();
        let mut encoder =
            flate2::read::GzEncoder::new(thrice.as_bytes(), flate2::Compression::fast());
        encoder.read_to_end(&mut packed).expect("it can be packed");
        for form in [
            secret,
            &once,
            &thrice,
            &letters,
            "zq7-Kestrel",
            "?a=zq7%2DKestrel%2FLinnet",
        ] {
            assert!(!search.seen_in(form.as_bytes()).is_empty(), "{form}");
        }
        assert!(!search.seen_in(&packed).is_empty());
        // `printf '{"message":"a record that a stream takes, with zq7-Kestrel/Linnet"}' | base64`
        let base64 = concat!(
            "{\"Data\":\"eyJtZXNzYWdlIjoiYSByZWNvcmQgdGhhdCBhIHN0cmVhbSB0YWtlcywg",
            "d2l0aCB6cTctS2VzdHJlbC9MaW5uZXQifQ==\"}"
        );
        assert!(!search.seen_in(base64.as_bytes()).is_empty());
        assert!(search.seen_in(b"zq7-Kest and [KEY]").is_empty());
    }
}
