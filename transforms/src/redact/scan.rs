//! Finding what the rules mean in one text.
//!
//! All patterns are in one automaton, the gate: one pass tells whether any of them matches at all, and which. Only
//! those are then searched for one by one, judged, and joined where they overlap.

use std::ops::Range;

use regex_automata::meta::{BuildError, Regex};
use regex_automata::util::syntax;
use regex_automata::{Input, MatchKind, PatternSet};

use super::action::{Action, is_continuation, is_replacement};
use super::keys::{Keys, glob_fits};
use super::validate::{Check, Found, Verdict};
use tapline_core::json;

/// Largest compiled form of one regex, in bytes.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// Largest compiled form of all together, in bytes.
const GATE_BYTES_MAX: usize = 8 << 20;

/// What the search caches of one regex and of all together may grow to, in bytes.
const CACHE_BYTES_MAX: usize = 256 << 10;
const GATE_CACHE_BYTES_MAX: usize = 2 << 20;

/// Bytes that judging the matches of one rule may look at, as a multiple of the text and beyond it. Past it, which
/// only made-up text comes to, all that follows counts as a match.
const WORK_FACTOR: usize = 16;
const WORK_FREE: usize = 64 << 10;

/// Cost of one match beside its length, in bytes.
const WORK_EACH: usize = 16;

/// A rule at work.
pub struct Active {
    pub id: String,
    pub action: Action,
    pub regex: Regex,
    pub check: Check,
    /// Globs of keys whose whole value is meant.
    pub keys: &'static [&'static str],
}

/// One place to redact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    pub start: usize,
    pub end: usize,
    /// Which rule gives the label.
    pub rule: usize,
    pub action: Action,
}

/// All rules.
pub struct Scanner {
    gate: Regex,
    hit: PatternSet,
    rules: Vec<Active>,
    allow: Option<Regex>,
    /// The first rule whose regex asks for a border of the text, so that it cannot be searched for in raw JSON.
    anchored: Option<usize>,
}

/// Compiles one regex: ASCII classes, bytes.
pub fn compile(pattern: &str) -> Result<Regex, Box<BuildError>> {
    builder(REGEX_BYTES_MAX, CACHE_BYTES_MAX, MatchKind::LeftmostFirst)
        .build(pattern)
        .map_err(Box::new)
}

/// Compiles regexes that are asked together whether one of them matches all of a text.
pub fn compile_whole(patterns: &[String]) -> Result<Regex, Box<BuildError>> {
    let whole: Vec<String> = patterns
        .iter()
        .map(|pattern| format!(r"\A(?:{pattern})\z"))
        .collect();
    builder(GATE_BYTES_MAX, CACHE_BYTES_MAX, MatchKind::All)
        .build_many(&whole)
        .map_err(Box::new)
}

/// What is known of a pattern before it runs: whether it can match nothing, and whether it asks for a border of text.
pub fn traits(pattern: &str) -> Option<(bool, bool)> {
    let config = syntax::Config::new().unicode(false).utf8(false);
    let parsed = syntax::parse_with(pattern, &config).ok()?;
    let properties = parsed.properties();
    let empty = properties.minimum_len().is_none_or(|length| length == 0);
    Some((empty, properties.look_set().contains_anchor()))
}

fn builder(bytes: usize, cache: usize, kind: MatchKind) -> regex_automata::meta::Builder {
    let mut builder = Regex::builder();
    builder
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .configure(
            Regex::config()
                .match_kind(kind)
                .utf8_empty(false)
                .nfa_size_limit(Some(bytes))
                .onepass_size_limit(Some(bytes))
                .hybrid_cache_capacity(cache),
        );
    builder
}

impl Scanner {
    /// All rules with their patterns, in the order of precedence.
    pub fn new(
        rules: Vec<Active>,
        patterns: &[String],
        allow: Option<Regex>,
    ) -> Result<Scanner, Box<BuildError>> {
        let gate = builder(GATE_BYTES_MAX, GATE_CACHE_BYTES_MAX, MatchKind::All)
            .build_many(patterns)
            .map_err(Box::new)?;
        let anchored = patterns
            .iter()
            .position(|pattern| traits(pattern).is_none_or(|(_, anchored)| anchored));
        Ok(Scanner {
            hit: PatternSet::new(gate.pattern_len()),
            gate,
            rules,
            allow,
            anchored,
        })
    }

    /// The rules.
    pub fn rules(&self) -> &[Active] {
        &self.rules
    }

    /// The rule that cannot be searched for in raw JSON, if there is one.
    pub fn anchored(&self) -> Option<usize> {
        self.anchored
    }

    /// Whether something may be found in a text. For a value's raw JSON without escapes too: then in it or inside it.
    pub fn suspects(&self, text: &[u8]) -> bool {
        self.anchored.is_some() || self.gate.is_match(text)
    }

    /// The rule that takes the whole value of a member with this key, if there is one.
    pub fn of_key(&self, key: &[u8]) -> Option<usize> {
        self.rules.iter().position(|rule| {
            let mut globs = rule.keys.iter();
            globs.any(|glob| glob_fits(glob.as_bytes(), key))
        })
    }

    /// Finds all places in a text, in order and apart from each other. `key` is that of the member it is the value of.
    pub fn scan(&mut self, text: &[u8], key: &[u8], found: &mut Vec<Match>) {
        found.clear();
        self.hit.clear();
        self.gate
            .which_overlapping_matches(&Input::new(text), &mut self.hit);
        for pattern in self.hit.iter() {
            self.search(pattern.as_usize(), text, key, found);
        }
        merge(found);
    }

    fn search(&self, rule: usize, text: &[u8], key: &[u8], found: &mut Vec<Match>) {
        let active = &self.rules[rule];
        let mut work = WORK_FREE + WORK_FACTOR * text.len();
        let mut at = 0;
        let mut push = |range: Range<usize>| {
            found.push(Match {
                start: range.start,
                end: range.end,
                rule,
                action: active.action,
            });
        };
        while let Some(next) = active.regex.find(Input::new(text).range(at..)) {
            let cost = next.len() + WORK_EACH;
            if work < cost {
                push(widen(text, next.start()..text.len()));
                return;
            }
            work -= cost;
            let caught = Found {
                text,
                range: next.range(),
                key,
            };
            at = match (active.check)(&caught) {
                Verdict::Redact(range) => {
                    let range = widen(text, range);
                    let end = range.end;
                    if !self.allows(&text[range.clone()]) {
                        push(range);
                    }
                    end.max(next.start() + 1)
                }
                Verdict::Reject(resume) => resume.max(next.start() + 1),
            };
            if at >= text.len() {
                return;
            }
        }
    }

    fn allows(&self, text: &[u8]) -> bool {
        self.allow
            .as_ref()
            .is_some_and(|allow| allow.is_match(text))
    }
}

/// Out to the borders of characters.
fn widen(text: &[u8], range: Range<usize>) -> Range<usize> {
    let (mut start, mut end) = (range.start, range.end);
    while start > 0 && text.get(start).copied().is_some_and(is_continuation) {
        start -= 1;
    }
    while text.get(end).copied().is_some_and(is_continuation) {
        end += 1;
    }
    start..end
}

/// Joins what overlaps: the first gives the label, the strictest the action.
fn merge(found: &mut Vec<Match>) {
    found.sort_unstable_by_key(|found| (found.start, found.rule));
    found.dedup_by(|next, kept| {
        let overlaps = next.start < kept.end;
        if overlaps {
            kept.end = kept.end.max(next.end);
            kept.action = kept.action.max(next.action);
        }
        overlaps
    });
}

/// The rule for configured keys where they stand in text that is no JSON: the value behind the colon, or all that
/// follows where it has no end.
pub fn keyed(keys: &Keys, action: Action) -> Result<(Active, String), Box<BuildError>> {
    let pattern = keys.pattern();
    let rule = Active {
        id: "KEY".to_owned(),
        action,
        regex: compile(&pattern)?,
        check: keyed_value,
        keys: &[],
    };
    Ok((rule, pattern))
}

fn keyed_value(found: &Found<'_>) -> Verdict {
    let text = found.text;
    let start = json::skip_space(text, found.range.end);
    let end = json::skip_value(text, start).unwrap_or(text.len());
    let value = text.get(start..end).unwrap_or_default();
    let inside = json::string_inside(value).unwrap_or(value);
    if inside.is_empty() || inside == b"null" || is_replacement(inside) {
        return Verdict::Reject(end);
    }
    let shift = usize::from(inside.len() < value.len());
    Verdict::Redact(start + shift..end - shift)
}
