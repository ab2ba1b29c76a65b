//! The gate hides no match: what fits a pattern opens it, and with it comes out what comes out without.

use regex_automata::util::syntax;
use regex_syntax::hir::{Class, Hir, HirKind};

use super::super::gate::{Gate, Suspects, Wants};
use super::super::keys::Keys;
use super::super::scan;
use super::*;

/// Numbers from a seed: xorshift64*.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 11) as usize % bound.max(1)
    }

    pub fn one_of<'t, T>(&mut self, items: &'t [T]) -> &'t T {
        &items[self.below(items.len())]
    }
}

/// Appends a text that a pattern matches, but for what it asks of the text around.
pub fn generate(hir: &Hir, random: &mut Random, out: &mut Vec<u8>) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => out.extend_from_slice(&literal.0),
        HirKind::Class(Class::Bytes(class)) => {
            let range = random.one_of(class.ranges());
            out.push(range.start() + random.below(usize::from(range.len() as u8).max(1)) as u8);
        }
        HirKind::Class(Class::Unicode(class)) => {
            let range = random.one_of(class.ranges());
            let spread = u32::from(range.end()) - u32::from(range.start());
            let code = u32::from(range.start()) + random.below(spread as usize + 1) as u32;
            let character = char::from_u32(code).unwrap_or(range.start());
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        HirKind::Repetition(repetition) => {
            let more = repetition.max.map_or(9, |max| max - repetition.min).min(9);
            let count = repetition.min + random.below(more as usize + 1) as u32;
            (0..count).for_each(|_| generate(&repetition.sub, random, out));
        }
        HirKind::Capture(capture) => generate(&capture.sub, random, out),
        HirKind::Concat(parts) => parts.iter().for_each(|part| generate(part, random, out)),
        HirKind::Alternation(choices) => generate(random.one_of(choices), random, out),
    }
}

pub fn parsed(pattern: &str) -> Hir {
    let config = syntax::Config::new().unicode(false).utf8(false);
    syntax::parse_with(pattern, &config).unwrap()
}

/// Bytes as logs have them around a match, and such as have no meaning.
fn noise(random: &mut Random, out: &mut Vec<u8>, most: usize) {
    const WORDS: [&str; 12] = [
        " ",
        "\"",
        "{\"a\":",
        "2026-11-25T07:57:43.123Z",
        "order 81723",
        "1764057463123",
        "-",
        "8476a536-e9f4-11e8",
        "\u{e9}",
        "/var/task",
        "=",
        "key: ",
    ];
    for _ in 0..random.below(most) {
        match random.below(4) {
            0 => out.push(random.next() as u8),
            _ => out.extend_from_slice(random.one_of(&WORDS).as_bytes()),
        }
    }
}

/// All that the gate is asked for: of each built-in rule its pattern with its borders, and that of its keys.
fn built_in() -> Vec<(String, String)> {
    let patterns = RULES.iter().map(|rule| {
        let wants = wants(rule.pattern, rule.apart);
        (rule.id.to_owned(), wants.bordered().remove(0))
    });
    let keyed = RULES
        .iter()
        .filter(|rule| !rule.keys.is_empty())
        .map(|rule| {
            let mut keys = Keys::default();
            rule.keys.iter().for_each(|key| keys.add_glob(key));
            (format!("{}, keys", rule.id), keys.pattern())
        });
    patterns.chain(keyed).collect()
}

fn wants(pattern: &str, apart: bool) -> Wants {
    Wants {
        patterns: vec![pattern.to_owned()],
        apart,
    }
}

/// Patterns that a configuration may have, hard ones among them: borders, empty parts, any bytes, Unicode.
const CONFIGURED: &[&str] = &[
    r"CUS-\d{8}",
    r"^only$",
    r"\bword\b",
    r"(?s:.)+x",
    r"[^a]",
    r"a|bc|def",
    r"(?:a?b?c?)+z",
    r"(?:ab|cd){2,5}e*f",
    r"x{40}",
    r"(?i:straße|k)",
    r"(?u:[äöü]{2}\w)",
    r"(?:(?:a{0,3}b){0,3}c){2}",
    r"[\x80-\xff]{3}",
    r"\x00\xff",
    r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}",
];

#[test]
fn what_fits_a_pattern_opens_the_gate() {
    let mut patterns = built_in();
    patterns.extend(
        CONFIGURED
            .iter()
            .map(|regex| ((*regex).to_owned(), (*regex).to_owned())),
    );
    let gate = Gate::new(patterns.iter().map(|(_, pattern)| wants(pattern, false)));
    let parsed: Vec<Hir> = patterns
        .iter()
        .map(|(_, pattern)| parsed(pattern))
        .collect();
    for (rule, hir) in parsed.iter().enumerate() {
        for seed in 0..150 {
            let mut random = Random::new(seed);
            let mut text = Vec::new();
            noise(&mut random, &mut text, 1 + 8 * (seed as usize % 3));
            let start = text.len();
            generate(hir, &mut random, &mut text);
            let fits = start..text.len();
            noise(&mut random, &mut text, 1 + 8 * (seed as usize % 3));
            let mut suspects = Suspects::new(patterns.len());
            gate.note(&text, &mut suspects);
            let (id, shown) = (&patterns[rule].0, String::from_utf8_lossy(&text));
            assert!(suspects.has(rule), "{id}, seed {seed}: {shown:?}");
            let span = suspects.span();
            assert!(
                !span.misses(&fits),
                "{id}, seed {seed}: {shown:?}, {span:?}"
            );
        }
    }
}

/// At every offset, so in both halves of a text, at its borders and across groups.
#[test]
fn a_match_is_seen_wherever_it_stands() {
    let patterns = built_in();
    let gate = Gate::new(patterns.iter().map(|(_, pattern)| wants(pattern, false)));
    for (rule, (id, pattern)) in patterns.iter().enumerate() {
        let mut fits = Vec::new();
        generate(&parsed(pattern), &mut Random::new(rule as u64), &mut fits);
        for before in 0..130 {
            let behind = (rule * 31 + before * 7) % 120;
            let text = [vec![b'.'; before], fits.clone(), vec![b'~'; behind]].concat();
            let mut suspects = Suspects::new(patterns.len());
            gate.note(&text, &mut suspects);
            assert!(suspects.has(rule), "{id} at {before}, {behind} behind it");
        }
    }
}

/// Every key that fits a glob is seen with its quotes and its colon.
#[test]
fn a_key_that_fits_opens_the_gate() {
    for (seed, glob) in [
        "a*b",
        "*_token",
        "x*",
        "*mid*",
        "user.ssn",
        "user.*",
        "*",
        "pass\\w",
        "schlüssel",
        "a.*.b*c",
    ]
    .into_iter()
    .cycle()
    .take(400)
    .enumerate()
    {
        let mut random = Random::new(seed as u64);
        let mut keys = Keys::default();
        keys.add(glob);
        let keyed = scan::keyed("KEY", keys, scan::Takes::All, Action::Label).unwrap();
        let mut scanner = Scanner::new(vec![keyed], None);
        let mut raw = String::new();
        for part in glob.split('.') {
            let mut name = String::new();
            for character in part.chars() {
                match character {
                    '*' => (0..random.below(4))
                        .for_each(|_| name.push(*random.one_of(&['q', '"', '\\', 'é', ' ']))),
                    _ if random.below(2) == 0 => name.push(character.to_ascii_uppercase()),
                    _ => name.push(character),
                }
            }
            raw += &format!(
                "{{{}{}:",
                serde_json::to_string(&name).unwrap(),
                [" ", ""][seed % 2]
            );
        }
        raw += "7";
        raw += &"}".repeat(glob.split('.').count());
        let mut text = Vec::new();
        tapline_core::json::unescape_into(raw.as_bytes(), &mut text);
        assert!(scanner.suspect(&text), "{glob}, seed {seed}: {raw}");
    }
}

/// A record with a few things that fit, bent and hidden in many ways.
fn record(random: &mut Random, patterns: &[Hir]) -> String {
    let mut value = serde_json::Value::from("plain");
    for _ in 0..1 + random.below(4) {
        let mut bytes = Vec::new();
        noise(random, &mut bytes, 4);
        generate(random.one_of(patterns), random, &mut bytes);
        noise(random, &mut bytes, 4);
        if random.below(3) == 0 && !bytes.is_empty() {
            let at = random.below(bytes.len());
            bytes[at] = random.next() as u8;
        }
        let mut text = String::from_utf8_lossy(&bytes).into_owned();
        if random.below(4) == 0 {
            text = text.chars().filter(char::is_ascii_digit).take(18).collect();
        }
        let inner = value.clone();
        value = match random.below(8) {
            0 => serde_json::json!({ "n": text.parse::<u64>().unwrap_or(4), "v": inner }),
            1 => serde_json::json!({ "v": inner.to_string(), "t": text }),
            2 => serde_json::json!([text, inner]),
            3 => serde_json::json!({ text: inner }),
            4 => serde_json::json!({ "a": { "password": inner, "user": { "pin": text } } }),
            5 => serde_json::json!(format!("{text} {inner} {text}")),
            6 => {
                let owner = serde_json::json!({ "name": text }).to_string();
                serde_json::json!({ "owner": owner, "v": inner })
            }
            _ => {
                serde_json::json!({ "m": text, "requestId": "8476a536-e9f4-11e8-9739-2dfe598c3fcd", "v": inner })
            }
        };
    }
    let choices: Vec<bool> = (0..17).map(|_| random.below(6) == 0).collect();
    canary::escape_randomly(&value.to_string(), &choices)
}

#[test]
fn the_gate_changes_nothing_but_the_time_it_takes() {
    let config = "rules = ['@all', 'HighEntropy']\nkeys = ['user.pin', 'pass*', 'owner.*']\ncustom = [{ id = 'edge', regex = '\\b4\\d+' }]";
    let (mut gated, mut ungated) = (made(&KIND, config), made(&UNGATED, config));
    let patterns: Vec<Hir> = RULES.iter().map(|rule| parsed(rule.pattern)).collect();
    for seed in 0..400 {
        let mut random = Random::new(seed);
        let raw = record(&mut random, &patterns);
        let (one, two) = (Kit::new(), Kit::new());
        let batch = one.apply(&mut *gated, one.one(&raw));
        let other = two.apply(&mut *ungated, two.one(&raw));
        let (out, wanted) = (
            value(&batch, &batch.records()[0]),
            value(&other, &other.records()[0]),
        );
        assert_eq!(out, wanted, "seed {seed}: {raw}");
        assert_eq!(
            one.ledger.redactions(),
            two.ledger.redactions(),
            "seed {seed}: {raw}"
        );
    }
}
