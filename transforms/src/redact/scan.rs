//! Finding what the rules mean in one text.
//!
//! All patterns are in one automaton, the gate: one pass tells whether any of them matches at all, and which. Only
//! those are then searched for one by one, judged, and joined where they overlap.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Range;

use regex_automata::meta::{BuildError, Regex};
use regex_automata::util::syntax;
use regex_automata::{Input, MatchKind, PatternID, PatternSet};

use super::action::{Action, is_continuation, is_replacement};
use super::keys::{Keys, Link, glob_fits};
use super::validate::{Check, Found, Verdict};
use tapline_core::json;

/// Largest compiled form of one regex, in bytes.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// Largest compiled form of all together, in bytes.
const GATE_BYTES_MAX: usize = 8 << 20;

/// What the search caches of one regex and of all together may grow to, in bytes.
const CACHE_BYTES_MAX: usize = 256 << 10;
const GATE_CACHE_BYTES_MAX: usize = 2 << 20;

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
    /// Globs of keys whose whole value is meant.
    pub keys: &'static [&'static str],
    /// Words of which one must stand near a match; none: it needs none.
    pub words: &'static [&'static str],
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
    /// It is known to compile, so that this can wait.
    deferred: bool,
    compiled: OnceCell<Option<Regex>>,
}

impl Pattern {
    /// A pattern that is known to compile, because a test says so.
    pub fn built_in(source: &'static str) -> Pattern {
        Pattern {
            source: Cow::Borrowed(source),
            deferred: true,
            compiled: OnceCell::new(),
        }
    }

    /// The pattern of configured keys. A short one of ASCII is known to compile; any other is compiled now.
    pub fn of_keys(source: String) -> Result<Pattern, Box<BuildError>> {
        if source.is_ascii() && source.len() <= DEFERRED_BYTES_MAX {
            return Ok(Pattern {
                source: Cow::Owned(source),
                deferred: true,
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
            deferred: false,
            compiled: OnceCell::from(Some(regex)),
        }
    }

    fn regex(&self) -> Option<&Regex> {
        self.compiled
            .get_or_init(|| compile(&self.source).ok())
            .as_ref()
    }
}

/// One automaton over the patterns of several rules, which says at little cost that none of them can match.
struct Gate {
    /// Positions of the rules, in the order of the automaton's patterns.
    rules: Vec<usize>,
    sources: Vec<Cow<'static, str>>,
    compiled: OnceCell<Option<Regex>>,
    hit: PatternSet,
}

impl Gate {
    fn new(rules: &[Active], deferred: bool) -> Gate {
        let mine = |rule: &&(usize, &Active)| rule.1.regex.deferred == deferred;
        let rules: Vec<(usize, &Active)> = rules.iter().enumerate().collect();
        let chosen: Vec<_> = rules.iter().filter(mine).collect();
        Gate {
            rules: chosen.iter().map(|(position, _)| *position).collect(),
            sources: chosen
                .iter()
                .map(|(_, rule)| rule.regex.source.clone())
                .collect(),
            compiled: OnceCell::new(),
            hit: PatternSet::new(chosen.len()),
        }
    }

    fn compile(&self) -> Result<Regex, Box<BuildError>> {
        builder(GATE_BYTES_MAX, GATE_CACHE_BYTES_MAX, MatchKind::All)
            .build_many(&self.sources)
            .map_err(Box::new)
    }

    /// `None`: it does not compile, which a test excludes; then it is always open.
    fn regex(&self) -> Option<&Regex> {
        self.compiled.get_or_init(|| self.compile().ok()).as_ref()
    }

    fn opens(&self, text: &[u8]) -> bool {
        !self.rules.is_empty() && self.regex().is_none_or(|regex| regex.is_match(text))
    }

    /// Notes which of the patterns match.
    fn note(&mut self, text: &[u8]) {
        self.hit.clear();
        if self.rules.is_empty() {
            return;
        }
        match self.compiled.get().and_then(Option::as_ref) {
            Some(regex) => regex.which_overlapping_matches(&Input::new(text), &mut self.hit),
            None => (0..self.rules.len()).for_each(|pattern| {
                self.hit.insert(PatternID::must(pattern));
            }),
        }
    }
}

/// All rules.
pub struct Scanner {
    /// Of the patterns that were compiled at load, and of those that could wait.
    gates: [Gate; 2],
    rules: Vec<Active>,
    allow: Option<Regex>,
    /// The first rule whose regex asks for a border of the text, so that it cannot be searched for in raw JSON.
    anchored: OnceCell<Option<usize>>,
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
    /// All rules, in the order of precedence. Configured patterns are compiled together now, built-in ones later.
    pub fn new(rules: Vec<Active>, allow: Option<Regex>) -> Result<Scanner, Box<BuildError>> {
        let gates = [Gate::new(&rules, false), Gate::new(&rules, true)];
        if !gates[0].rules.is_empty() {
            // One pattern alone, that of `keys` most often, is its own gate.
            let alone = match gates[0].rules[..] {
                [only] => rules[only].regex.regex().cloned(),
                _ => None,
            };
            let configured = alone.map_or_else(|| gates[0].compile(), Ok)?;
            gates[0].compiled.get_or_init(|| Some(configured));
        }
        Ok(Scanner {
            gates,
            rules,
            allow,
            anchored: OnceCell::new(),
        })
    }

    /// Compiles what was left for later.
    pub fn prepare(&self) {
        for gate in self.gates.iter().filter(|gate| !gate.rules.is_empty()) {
            gate.regex();
        }
        self.anchored();
    }

    /// The rules.
    pub fn rules(&self) -> &[Active] {
        &self.rules
    }

    /// The rule that cannot be searched for in raw JSON, if there is one.
    pub fn anchored(&self) -> Option<usize> {
        let asks = |rule: &Active| traits(&rule.regex.source).is_none_or(|(_, anchored)| anchored);
        *self
            .anchored
            .get_or_init(|| self.rules.iter().position(asks))
    }

    /// Whether something may be found in a text. For a value's raw JSON without escapes too: then in it or inside it.
    pub fn suspects(&self, text: &[u8]) -> bool {
        self.anchored().is_some() || self.gates.iter().any(|gate| gate.opens(text))
    }

    /// The rule that takes the whole value of a member with this key, if there is one.
    pub fn of_key(&self, key: &[u8]) -> Option<usize> {
        self.rules.iter().position(|rule| {
            let mut globs = rule.keys.iter();
            globs.any(|glob| glob_fits(glob.as_bytes(), key))
        })
    }

    /// Finds all places in a text, in order and apart from each other. `path` are the keys that lead to it.
    pub fn scan(&mut self, text: &[u8], path: Option<&Link<'_>>, found: &mut Vec<Match>) {
        found.clear();
        self.prepare();
        for gate in &mut self.gates {
            gate.note(text);
        }
        for gate in &self.gates {
            for pattern in gate.hit.iter() {
                self.search(gate.rules[pattern.as_usize()], text, path, found);
            }
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
        while let Some(next) = regex.find(Input::new(text).range(at..)) {
            let cost = next.len() + WORK_EACH;
            if work < cost {
                push(widen(text, next.start()..text.len()));
                return;
            }
            work -= cost;
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

/// The rule for configured keys where they stand in text that is no JSON: the value behind the colon, or all that
/// follows where it has no end.
pub fn keyed(keys: &Keys, action: Action) -> Result<Active, Box<BuildError>> {
    Ok(Active {
        id: "KEY".to_owned(),
        action,
        regex: Pattern::of_keys(keys.pattern())?,
        check: keyed_value,
        keys: &[],
        words: &[],
    })
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
