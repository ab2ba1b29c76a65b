//! Finding what the rules mean in one text.
//!
//! The [`Gate`] tells in one pass over the text which rules can match in it, most often none. Only those are searched
//! for, their matches judged, and joined where they overlap.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Range;

use regex_automata::meta::{BuildError, Regex};
use regex_automata::util::syntax;
use regex_automata::{Input, MatchKind};

use super::action::{Action, is_continuation, is_replacement};
use super::gate::{Gate, Span, Suspects, Wants};
use super::keys::{Keys, Link};
use super::validate::{Check, Found, Verdict};
use super::words::Words;
use super::work::{looked_at, searched};
use tapline_core::json;

/// Largest compiled form of one regex, in bytes.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// Largest compiled form of all regexes of the configuration together, in bytes.
const TOGETHER_BYTES_MAX: usize = 8 << 20;

/// What the search cache of one regex may grow to, in bytes.
const CACHE_BYTES_MAX: usize = 256 << 10;

/// Longest pattern of configured keys that is compiled later, in bytes.
const DEFERRED_BYTES_MAX: usize = 2 << 10;

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
    pub regex: Pattern,
    pub check: Check,
    /// Keys of members whose whole value is meant.
    pub keys: Keys,
    /// What such a value must be.
    pub takes: Takes,
    /// Words of which one must stand near a match; none: it needs none.
    pub words: &'static [&'static str],
    /// Whether it takes a match only as a whole, and only where no letter, digit or `_` stands beside it.
    pub apart: bool,
}

/// Which values of its keys a rule takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// What can hold a secret: not `true` or `false`, which say that there is one.
    Secrets,
    /// Any.
    All,
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

/// One regex. That of a built-in rule is compiled when its gate first opens; that of the configuration at load.
pub struct Pattern {
    source: Cow<'static, str>,
    compiled: OnceCell<Option<Regex>>,
}

impl Pattern {
    /// A pattern that is known to compile, because a test says so.
    pub fn built_in(source: &'static str) -> Pattern {
        Pattern {
            source: Cow::Borrowed(source),
            compiled: OnceCell::new(),
        }
    }

    /// The pattern of configured keys. A short one of ASCII is known to compile; any other is compiled now.
    pub fn of_keys(source: String) -> Result<Pattern, Box<BuildError>> {
        if source.is_ascii() && source.len() <= DEFERRED_BYTES_MAX {
            return Ok(Pattern {
                source: Cow::Owned(source),
                compiled: OnceCell::new(),
            });
        }
        let regex = compile(&source)?;
        Ok(Pattern::compiled(source, regex))
    }

    /// A pattern of the configuration that was compiled already.
    pub fn compiled(source: String, regex: Regex) -> Pattern {
        Pattern {
            source: Cow::Owned(source),
            compiled: OnceCell::from(Some(regex)),
        }
    }

    fn regex(&self) -> Option<&Regex> {
        self.compiled
            .get_or_init(|| compile(&self.source).ok())
            .as_ref()
    }
}

impl Active {
    /// What the gate looks for.
    fn wants(&self) -> Wants {
        let mut patterns = vec![self.regex.source.to_string()];
        patterns.extend(self.keys.traces());
        Wants {
            patterns,
            apart: self.apart,
        }
    }
}

/// All rules.
pub struct Scanner {
    rules: Vec<Active>,
    gate: OnceCell<Gate>,
    allow: Option<Regex>,
    /// The rules whose regex asks for a border of the text, so that it cannot be searched for in raw JSON.
    anchored: OnceCell<Vec<bool>>,
    suspects: Suspects,
    /// Made with the gate. Without it every suspect is searched for.
    words: Option<Words>,
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
    builder(TOGETHER_BYTES_MAX, CACHE_BYTES_MAX, MatchKind::All)
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
    /// All rules, in the order of precedence. The gate is made later.
    pub fn new(rules: Vec<Active>, allow: Option<Regex>) -> Scanner {
        Scanner {
            suspects: Suspects::new(rules.len()),
            rules,
            gate: OnceCell::new(),
            allow,
            anchored: OnceCell::new(),
            words: None,
        }
    }

    /// Suspects all rules of every text.
    #[cfg(any(test, feature = "test-util"))]
    pub fn open_gate(&mut self) {
        self.gate = OnceCell::from(Gate::open(self.rules.len()));
    }

    /// Whether the regexes that are compiled so far are no larger together than is allowed.
    pub fn fits(&self) -> bool {
        let compiled = self
            .rules
            .iter()
            .filter_map(|rule| rule.regex.compiled.get());
        let bytes = compiled.flatten().map(Regex::memory_usage).sum::<usize>();
        bytes <= TOGETHER_BYTES_MAX
    }

    /// Makes what was left for later.
    pub fn prepare(&mut self) {
        if self.gate.get().is_none() {
            self.gate = OnceCell::from(Gate::new(self.rules.iter().map(Active::wants)));
            self.words = Words::new(&self.rules).ok();
        }
        self.anchored();
    }

    fn anchored(&self) -> &[bool] {
        self.anchored.get_or_init(|| {
            let asks =
                |rule: &Active| traits(&rule.regex.source).is_none_or(|(_, anchored)| anchored);
            self.rules.iter().map(asks).collect()
        })
    }

    /// The rules.
    pub fn rules(&self) -> &[Active] {
        &self.rules
    }

    /// Forgets who is suspected.
    pub fn acquit(&mut self) {
        self.suspects.clear();
    }

    /// Adds the rules to the suspects that may find something in a text or, where it is JSON without escapes, inside
    /// it; tells whether there are any.
    pub fn suspect(&mut self, text: &[u8]) -> bool {
        looked_at(text.len());
        self.prepare();
        if let Some(gate) = self.gate.get() {
            gate.note(text, &mut self.suspects);
        }
        !self.suspects.is_empty()
    }

    /// Where in the text the suspicion lies, if only one text was looked at since the last acquittal.
    pub fn span(&self) -> Span {
        self.suspects.span()
    }

    /// The same of a record's JSON without escapes, which holds all its texts and their keys.
    pub fn suspect_record(&mut self, raw: &[u8]) -> bool {
        self.suspect(raw) && self.has_words(raw, None)
    }

    /// Leaves out the suspects that want a word and have none; tells whether there are others.
    fn has_words(&mut self, text: &[u8], path: Option<&Link<'_>>) -> bool {
        if let Some(words) = &mut self.words {
            words.acquit(&mut self.suspects, text, path);
        }
        !self.suspects.is_empty()
    }

    /// A suspected rule that cannot be searched for in raw JSON.
    pub fn suspected_border(&self) -> Option<usize> {
        let anchored = self.anchored();
        self.suspects.iter().find(|rule| anchored[*rule])
    }

    /// Whether one of the suspects looks for keys.
    pub fn suspects_keys(&self) -> bool {
        self.suspects
            .iter()
            .any(|rule| !self.rules[rule].keys.is_empty())
    }

    /// The rule that takes the whole value of a member, if there is one; that of the configuration first.
    pub fn of_key(&self, link: &Link<'_>) -> Option<usize> {
        self.rules.iter().rposition(|rule| rule.keys.fit(link))
    }

    /// Finds all places in a text, in order and apart from each other. `path` are the keys that lead to it.
    pub fn scan(&mut self, text: &[u8], path: Option<&Link<'_>>, found: &mut Vec<Match>) {
        found.clear();
        self.acquit();
        if !self.suspect(text) || !self.has_words(text, path) {
            return;
        }
        for rule in self.suspects.iter() {
            self.search(rule, text, path, found);
        }
        merge(found);
    }

    fn search(&self, rule: usize, text: &[u8], path: Option<&Link<'_>>, found: &mut Vec<Match>) {
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
        let Some(regex) = active.regex.regex() else {
            // A test excludes this; were it to happen, nothing of the text may leave.
            push(0..text.len());
            return;
        };
        loop {
            searched(&active.regex.source, text, at);
            let Some(next) = regex.find(Input::new(text).range(at..)) else {
                return;
            };
            let cost = next.len() + WORK_EACH;
            if work < cost {
                push(widen(text, next.start()..text.len()));
                return;
            }
            work -= cost;
            looked_at(cost);
            let caught = Found {
                text,
                range: next.range(),
                path,
            };
            at = match caught.judged(active.check, active.words) {
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

/// The rule for keys where they stand in text that is no JSON: the value behind the colon, or all that follows where
/// it has no end.
pub fn keyed(
    id: &str,
    keys: Keys,
    takes: Takes,
    action: Action,
) -> Result<Active, Box<BuildError>> {
    Ok(Active {
        id: id.to_owned(),
        action,
        regex: Pattern::of_keys(keys.pattern())?,
        check: match takes {
            Takes::All => keyed_value,
            Takes::Secrets => keyed_secret,
        },
        keys,
        takes,
        words: &[],
        apart: false,
    })
}

impl Takes {
    /// Whether a raw value of a key goes. What says nothing, and what an earlier redaction left, stays.
    pub fn takes(self, raw: &[u8]) -> bool {
        let inside = json::string_inside(raw).unwrap_or(raw);
        let says = match self {
            Takes::All => true,
            Takes::Secrets => !matches!(raw, b"true" | b"false" | b"{}" | b"[]"),
        };
        says && !inside.is_empty() && raw != b"null" && !is_replacement(inside)
    }
}

fn keyed_value(found: &Found<'_>) -> Verdict {
    behind_colon(found, Takes::All)
}

fn keyed_secret(found: &Found<'_>) -> Verdict {
    behind_colon(found, Takes::Secrets)
}

/// What follows a key in text that is no JSON, up to the end of the value, or all where that is missing. A secret that
/// is neither in quotes nor in brackets is left to the regex of its rule, which knows where words end.
fn behind_colon(found: &Found<'_>, takes: Takes) -> Verdict {
    let text = found.text;
    let start = json::skip_space(text, found.range.end);
    let rest = text.get(start..).unwrap_or_default();
    let quoted = rest
        .strip_prefix(b"'")
        .and_then(|rest| memchr::memchr(b'\'', rest));
    let end = match quoted {
        Some(length) => start + length + 2,
        None => json::skip_value(text, start).unwrap_or(text.len()),
    };
    let value = text.get(start..end).unwrap_or_default();
    let marked = matches!(rest.first(), Some(b'"' | b'{' | b'['));
    if !takes.takes(value) || (takes == Takes::Secrets && !marked) {
        return Verdict::Reject(end.min(start + 1));
    }
    let shift = usize::from(quoted.is_some() || json::string_inside(value).is_some());
    Verdict::Redact(start + shift..end - shift)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pattern_of(globs: &[String]) -> String {
        let mut keys = Keys::default();
        globs.iter().for_each(|glob| keys.add(glob));
        keys.pattern()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        /// What is compiled after the start must compile: any names and globs of ASCII, up to the bound.
        #[test]
        fn a_deferred_pattern_of_keys_compiles(globs in prop::collection::vec(r"[ -~]{1,40}", 1..60)) {
            let keys: Vec<String> = globs.iter().map(|glob| glob.replace('*', "").to_ascii_lowercase() + "*a*").collect();
            let source = pattern_of(&keys);
            let pattern = Pattern::of_keys(source).unwrap();
            prop_assert!(pattern.regex().is_some());
        }
    }

    /// The largest that waits: nothing but stars.
    #[test]
    fn the_longest_deferred_pattern_compiles() {
        let mut keys = vec!["*a*b*c*d".to_owned()];
        while pattern_of(&keys).len() <= DEFERRED_BYTES_MAX {
            keys.push("*a*b*c*d".to_owned());
        }
        keys.pop();
        assert!(
            Pattern::of_keys(pattern_of(&keys))
                .unwrap()
                .regex()
                .is_some()
        );
    }
}
