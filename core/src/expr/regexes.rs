//! The regexes of `~`. Those that one expression asks of the same name or path are also one automaton, which looks at
//! the text once for all of them: most texts match none. Expressions of one configuration share what is the same.
//!
//! A regex is only read when it is loaded, so that what is wrong is said then; it is compiled when it is prepared, or
//! first needed.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use regex_automata::meta::{BuildError, Regex};
use regex_automata::util::syntax;

use super::{Problem, REGEX_BYTES_MAX};

/// Most memory that a regex's lazily built automaton may fill, in bytes; beyond it, states are made again.
const REGEX_CACHE_BYTES_MAX: usize = 256 << 10;

/// Longest regex without a count (`{…}`) that cannot become too large, in bytes: each of them is a class at most, and
/// a class of bytes takes no more than 2 KiB.
const REGEX_SURELY_SMALL: usize = REGEX_BYTES_MAX / (2 << 10);

/// Regexes that are asked of the same text.
pub(super) struct Automaton {
    /// One regex, or several and then all of them at once.
    each: Box<[Lazy]>,
    any: Option<Lazy>,
}

/// Regexes of which one must match; compiled when that is first asked.
struct Lazy {
    patterns: Box<[Box<str>]>,
    compiled: OnceLock<Option<Regex>>,
}

impl Lazy {
    fn new(patterns: &[Box<str>]) -> Lazy {
        Lazy {
            patterns: patterns.into(),
            compiled: OnceLock::new(),
        }
    }

    fn regex(&self) -> Option<&Regex> {
        let compile = || {
            let built = build(&self.patterns);
            debug_assert!(built.is_ok(), "each of them was checked");
            built.ok()
        };
        self.compiled.get_or_init(compile).as_ref()
    }

    fn is_match(&self, text: &[u8]) -> bool {
        self.regex().is_some_and(|regex| regex.is_match(text))
    }
}

impl Automaton {
    fn new(patterns: &[Box<str>]) -> Automaton {
        Automaton {
            any: (patterns.len() > 1).then(|| Lazy::new(patterns)),
            each: patterns.chunks(1).map(Lazy::new).collect(),
        }
    }

    /// Compiles it, if that was not done yet.
    pub fn prepare(&self) {
        for lazy in self.each.iter().chain(&self.any) {
            lazy.regex();
        }
    }

    /// Whether a text may match one of them: where not, none needs to look at it by itself.
    pub fn any_matches(&self, text: &[u8]) -> bool {
        self.any.as_ref().is_none_or(|any| any.is_match(text))
    }

    /// Whether one of them matches.
    pub fn matches(&self, index: usize, text: &[u8]) -> bool {
        self.each[index].is_match(text)
    }

    fn is_of(&self, patterns: &[Box<str>]) -> bool {
        let own = self.each.iter().flat_map(|lazy| &lazy.patterns);
        own.eq(patterns)
    }
}

/// One regex of a configuration, as `~` takes them: ASCII classes, time linear in the text.
pub struct Pattern(Lazy);

impl Pattern {
    /// Reads a regex; it is compiled when it is prepared or first needed.
    ///
    /// # Errors
    ///
    /// One that does not compile or is too large, with its place in `source`.
    pub fn parse(source: &str) -> Result<Pattern, Problem> {
        check(source, 0..source.len())?;
        Ok(Pattern(Lazy::new(&[source.into()])))
    }

    /// Compiles it, if that was not done yet.
    pub fn prepare(&self) {
        self.0.regex();
    }

    /// Whether it matches anywhere in the text.
    pub fn is_match(&self, text: &[u8]) -> bool {
        self.0.is_match(text)
    }
}

/// The automata of one configuration.
#[derive(Default)]
pub struct Regexes(RefCell<Vec<Arc<Automaton>>>);

impl Regexes {
    /// The automaton of these regexes, each of which was [checked](check).
    pub(super) fn automaton(&self, patterns: &[Box<str>]) -> Arc<Automaton> {
        let mut known = self.0.borrow_mut();
        if let Some(same) = known.iter().find(|automaton| automaton.is_of(patterns)) {
            return same.clone();
        }
        let automaton = Arc::new(Automaton::new(patterns));
        known.push(automaton.clone());
        automaton
    }
}

fn syntax_config() -> syntax::Config {
    // Neither Unicode tables nor UTF-8 boundaries: the tables are not compiled in, and only a yes or no is asked.
    syntax::Config::new().unicode(false).utf8(false)
}

fn build(patterns: &[Box<str>]) -> Result<Regex, Box<BuildError>> {
    let bytes_max = REGEX_BYTES_MAX * patterns.len();
    Regex::builder()
        .syntax(syntax_config())
        .configure(
            Regex::config()
                .utf8_empty(false)
                .nfa_size_limit(Some(bytes_max))
                .onepass_size_limit(Some(REGEX_BYTES_MAX))
                .hybrid_cache_capacity(REGEX_CACHE_BYTES_MAX),
        )
        .build_many(patterns)
        .map_err(Box::new)
}

/// Reads a regex.
///
/// # Errors
///
/// One that does not compile or is too large.
pub(super) fn check(pattern: &str, span: Range<usize>) -> Result<(), Problem> {
    if let Err(error) = syntax::parse_with(pattern, &syntax_config()) {
        return Err(unreadable(&error, span));
    }
    if pattern.len() <= REGEX_SURELY_SMALL && !pattern.contains('{') {
        return Ok(());
    }
    match build(&[pattern.into()]) {
        Ok(_) => Ok(()),
        Err(error) if error.size_limit().is_some() => {
            let message = format!("the regex needs more than {} KiB", REGEX_BYTES_MAX >> 10);
            Err(Problem::new(
                span,
                message,
                "use smaller counts in `{…}`, or fewer of them",
            ))
        }
        Err(error) => Err(unreadable(
            std::error::Error::source(&*error).unwrap_or(&*error),
            span,
        )),
    }
}

fn unreadable(error: &dyn std::fmt::Display, span: Range<usize>) -> Problem {
    // The regex crate draws the pattern with a caret first; its last line is the sentence.
    let drawn = error.to_string();
    let sentence = drawn.lines().last().unwrap_or_default();
    Problem::new(
        span,
        format!(
            "the regex does not compile: {}",
            sentence.trim_start_matches("error: ")
        ),
        "the syntax is that of Rust's `regex` with ASCII classes: no look-around, no back-reference, no `\\p{…}`; \
         a literal bracket or dot takes a `\\`",
    )
}
