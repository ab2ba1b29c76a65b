//! Counting what is looked at: by the gate, by searches, by checks, at keys. Counted are bytes, or steps where one is
//! bound by something else.
//!
//! A search takes one step of a finite automaton for each byte, up to where nothing more can match. Those steps are
//! taken once more here. The engine takes at most as many forward, be it by a DFA that is made as it goes or by an NFA,
//! which costs a constant more for each; it goes back over what it caught once, which is part of the cost of a match;
//! and it jumps over what cannot begin a match, which counts here as looked at.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use regex_automata::Input;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::util::syntax;

thread_local! {
    static LOOKED_AT: Cell<usize> = const { Cell::new(0) };
    /// Each search is followed by hand, which takes longer than the search: only where a test asks for it.
    static FOLLOWS: Cell<bool> = const { Cell::new(false) };
    static AUTOMATA: RefCell<HashMap<String, (DFA, Cache)>> = RefCell::default();
}

/// What the cache of one automaton may grow to, in bytes: as much as the engine's.
const CACHE_BYTES_MAX: usize = 256 << 10;

/// So many bytes were looked at.
pub fn looked_at(bytes: usize) {
    LOOKED_AT.set(LOOKED_AT.get() + bytes);
}

/// A text was searched from an offset on.
pub fn searched(pattern: &str, text: &[u8], at: usize) {
    if FOLLOWS.get() {
        looked_at(steps(pattern, text, at));
    }
}

/// What is looked at while something is done.
pub fn counted<T>(done: impl FnOnce() -> T) -> (usize, T) {
    FOLLOWS.set(true);
    let before = LOOKED_AT.get();
    let made = done();
    FOLLOWS.set(false);
    (LOOKED_AT.get() - before, made)
}

fn steps(pattern: &str, text: &[u8], at: usize) -> usize {
    AUTOMATA.with_borrow_mut(|automata| {
        if !automata.contains_key(pattern) {
            automata.insert(pattern.to_owned(), automaton(pattern));
        }
        let (dfa, cache) = automata.get_mut(pattern).unwrap();
        follow(dfa, cache, text, at)
    })
}

fn automaton(pattern: &str) -> (DFA, Cache) {
    let config = DFA::config()
        .cache_capacity(CACHE_BYTES_MAX)
        .skip_cache_capacity_check(true);
    let dfa = DFA::builder()
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .configure(config)
        .build(pattern)
        .unwrap();
    let cache = dfa.create_cache();
    (dfa, cache)
}

fn follow(dfa: &DFA, cache: &mut Cache, text: &[u8], at: usize) -> usize {
    let input = Input::new(text).range(at..);
    let mut state = dfa.start_state_forward(cache, &input).unwrap();
    for (offset, byte) in text[at..].iter().enumerate() {
        state = dfa.next_state(cache, state, *byte).unwrap();
        assert!(!state.is_quit(), "a byte that the automaton cannot judge");
        if state.is_dead() {
            return offset + 1;
        }
    }
    text.len() - at
}

/// One that stopped early would prove nothing.
#[test]
fn a_search_is_followed_to_its_last_step() {
    for (pattern, text, at, wanted) in [
        ("a", "xxaxx", 0, 5),
        ("a", "xxxx", 1, 3),
        ("a(?:.*b)?", "xaxxxx\nx", 0, 7),
        ("a(?s:.*b)?", "xaxxxx\nxxx", 0, 10),
    ] {
        assert_eq!(
            steps(pattern, text.as_bytes(), at),
            wanted,
            "{pattern} {text:?}"
        );
    }
}
