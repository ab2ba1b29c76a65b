//! Ruling rules out at little cost: one pass over a text tells which of them can match in it.
//!
//! Of each rule the [`window`](super::window)s are known, without one of which it has no match. The gate looks for up
//! to 14 places of all windows at once, their prints. Prints are put into buckets, and for each byte a table says in
//! which buckets it may not stand at which place. A word, of which each bit of a byte is a bucket and each byte a place,
//! is shifted by a place and united with the table's at each byte (shift-or), so that a bucket of which all places
//! fitted shows a zero at its end. Only then the windows of that bucket are compared in full.
//!
//! Two words in a row are for prints of neighbouring bytes, one for those of every fourth byte. A rule of which
//! nothing is known is always suspected.

use std::collections::BTreeMap;

use super::page::{self, Page, Places};
use super::window::{ByteSet, PRINT_PLACES, Prints, Shape, Window, windows};

/// Bits of a byte: each is a bucket. The first of them are long prints, which go on from the first word in the second;
/// the others are short ones in either word. All of the third word are far prints.
const BITS: usize = 8;
const LONG_BITS: usize = 3;
const LONG_MASK: u64 = (1 << LONG_BITS) - 1;

/// A bucket's place: its bit in a word, where its last place is.
const BUCKETS: usize = WORDS * BITS;

/// Places in one word: a byte each. The byte behind the last shows for one step more what fitted, so that every second
/// step is asked.
const WORD_PLACES: usize = 7;
const LAST: usize = 8 * (WORD_PLACES - 1);
const FIRED_NONE: u64 = u64::MAX >> LAST;

/// What long prints show at the end of the first word is not their end.
const NOT_ENDED: u64 = (LONG_MASK | LONG_MASK << 8) << LAST;

/// The words: neighbouring bytes take two, every fourth byte one.
const WORDS: usize = 3;
const FIRST: usize = 0;
const SECOND: usize = 1;
const FAR: usize = 2;

/// Bytes after which it is asked whether a bucket fired.
const GROUP_BYTES: usize = 4;

/// Shortest text of which both halves are looked at together.
const HALVES_BYTES_MIN: usize = 96;

const _: () = assert!((WORD_PLACES + 1) * BITS == u64::BITS as usize);
const _: () = assert!(PRINT_PLACES == 2 * WORD_PLACES);
const _: () = assert!(Shape::Far.stride() == GROUP_BYTES && GROUP_BYTES == 4);
const _: () = assert!(HALVES_BYTES_MIN / 2 >= WORD_PLACES * GROUP_BYTES + GROUP_BYTES);

/// For each byte, in which buckets it may not stand at which place.
type Table = [u64; 256];

/// Of each word, a zero for what fitted up to now.
type State = [u64; WORDS];

/// The buckets for prints of a shape.
fn buckets(shape: Shape) -> impl Iterator<Item = usize> {
    (0..BUCKETS).filter(move |bucket| {
        let long = bucket % BITS < LONG_BITS;
        match (shape, bucket / BITS) {
            (Shape::Long, word) => word == SECOND && long,
            (Shape::Short, word) => word != FAR && !long,
            (Shape::Far, word) => word == FAR,
        }
    })
}

/// The rules that may match in a text, a bit each.
#[derive(Debug, Clone, Default)]
pub struct Suspects {
    words: Vec<u64>,
}

impl Suspects {
    /// None of so many rules.
    pub fn new(rules: usize) -> Suspects {
        Suspects {
            words: vec![0; rules.div_ceil(64)],
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// Whether this rule is one.
    pub fn has(&self, rule: usize) -> bool {
        self.words
            .get(rule / 64)
            .is_some_and(|word| word >> (rule % 64) & 1 == 1)
    }

    /// All of them, the lowest first.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        self.words.iter().enumerate().flat_map(|(word, bits)| {
            let mut left = *bits;
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros() as usize)?;
                left &= left - 1;
                Some(64 * word + bit)
            })
        })
    }

    /// Leaves none.
    pub fn clear(&mut self) {
        self.words.fill(0);
    }

    /// Whether one of them is one of others.
    pub fn meets(&self, others: &Suspects) -> bool {
        let pairs = self.words.iter().zip(&others.words);
        pairs.into_iter().any(|(word, other)| word & other != 0)
    }

    /// Of those that are wanting, leaves only the named.
    pub fn keep_named(&mut self, wanting: &Suspects, named: &Suspects) {
        let others = wanting.words.iter().zip(&named.words);
        for (word, (wanting, named)) in self.words.iter_mut().zip(others) {
            *word &= !wanting | named;
        }
    }

    /// Adds a rule.
    pub fn add(&mut self, rule: usize) {
        if let Some(word) = self.words.get_mut(rule / 64) {
            *word |= 1 << (rule % 64);
        }
    }
}

/// The words of neighbouring bytes a step on: the second goes on where the first was full a step before.
#[inline(always)]
fn next(state: &State, row: &State) -> State {
    let full = state[FIRST] >> LAST & LONG_MASK;
    let second = state[SECOND] << 8 | row[SECOND] | full;
    [state[FIRST] << 8 | row[FIRST], second, state[FAR]]
}

/// A window with the rules that want it.
struct Wanted {
    rules: Vec<usize>,
    /// Where in the window the last place of its print may be, at the earliest and how much later.
    last: usize,
    later: usize,
    /// Its sets, as positions in the palette.
    sets: Vec<u32>,
}

/// Up to 64 windows of a bucket, of which three bytes of a text tell nearly all that are not there.
struct Sieve {
    wanted: Vec<Wanted>,
    /// For some places of the prints, which windows allow a byte there: a bit each.
    allowed: [Box<Table>; SIEVE_PLACES],
}

/// Places that a sieve looks at: the last of a print, and others before it.
const SIEVE_PLACES: usize = 3;
const SIEVE_WINDOWS_MAX: usize = u64::BITS as usize;

impl Sieve {
    /// How many places before the last the looked at ones are.
    const BACK: [usize; SIEVE_PLACES] = [0, 1, 3];

    fn new() -> Sieve {
        Sieve {
            wanted: Vec::new(),
            allowed: std::array::from_fn(|_| Box::new([0; 256])),
        }
    }

    fn add(&mut self, wanted: Wanted, places: &Prints) {
        let bit = 1 << self.wanted.len();
        for (table, back) in self.allowed.iter_mut().zip(Sieve::BACK) {
            let set = places[places.len() - 1 - back];
            let bytes = (0..=u8::MAX).filter(|byte| set.has(*byte));
            bytes.for_each(|byte| table[usize::from(byte)] |= bit);
        }
        self.wanted.push(wanted);
    }

    /// The windows that may stand where the last place of their print is at `at`.
    fn candidates(&self, text: &[u8], at: usize, stride: usize) -> u64 {
        let tables = self.allowed.iter().zip(Sieve::BACK);
        tables.fold(u64::MAX, |left, (table, back)| {
            let byte = at.checked_sub(back * stride).map(|at| text[at]);
            left & byte.map_or(u64::MAX, |byte| table[usize::from(byte)])
        })
    }
}

/// See the module.
pub struct Gate {
    tables: Box<[Table; WORDS]>,
    /// The state before the first byte.
    start: State,
    buckets: [Vec<Sieve>; BUCKETS],
    palette: Vec<ByteSet>,
    /// The rules of which nothing is known.
    open: Suspects,
}

impl Gate {
    /// The gate of some rules, each with all patterns that it looks for.
    pub fn new(rules: impl ExactSizeIterator<Item = Vec<String>>) -> Gate {
        let mut page = Page::default();
        let mut open = Suspects::new(rules.len());
        let mut all: Vec<(Window, usize)> = Vec::new();
        for (rule, patterns) in rules.enumerate() {
            for pattern in patterns {
                match windows(&pattern, &mut page) {
                    Some(windows) => all.extend(windows.into_iter().map(|window| (window, rule))),
                    None => open.add(rule),
                }
            }
        }
        all.sort_unstable();
        let mut distinct: Vec<(Window, Vec<usize>)> = Vec::new();
        for (window, rule) in all {
            match distinct.last_mut() {
                Some((last, rules)) if *last == window => rules.push(rule),
                _ => distinct.push((window, vec![rule])),
            }
        }
        let mut gate = Gate::of_nothing(open);
        gate.fill(distinct, &mut page);
        gate
    }

    /// A gate that suspects all of so many rules.
    #[cfg(any(test, feature = "test-util"))]
    pub fn open(rules: usize) -> Gate {
        let mut all = Suspects::new(rules);
        (0..rules).for_each(|rule| all.add(rule));
        Gate::of_nothing(all)
    }

    fn of_nothing(open: Suspects) -> Gate {
        Gate {
            tables: Box::new([[u64::MAX; 256]; WORDS]),
            start: [u64::MAX; WORDS],
            buckets: std::array::from_fn(|_| Vec::new()),
            palette: Vec::new(),
            open,
        }
    }

    /// Puts windows into buckets: the most frequent first, each where it makes the least more suspicious.
    fn fill(&mut self, windows: Vec<(Window, Vec<usize>)>, page: &mut Page) {
        let mut prints = [Prints::default(); BUCKETS];
        let mut rows = [([Places::NONE; PRINT_PLACES], 0.0f32); BUCKETS];
        let mut counts = [0u32; BUCKETS];
        let mut positions: BTreeMap<ByteSet, u32> = BTreeMap::new();
        let found = windows.into_iter().map(|(window, rules)| {
            let row = window.places().map(|set| page.places(&set));
            let rate = page::rate(&row, window.print.shape.stride());
            (window, rules, row, rate)
        });
        let mut found: Vec<_> = found.collect();
        found.sort_by(|a, b| b.3.total_cmp(&a.3));
        for (window, rules, row, _) in found {
            let shape = window.print.shape;
            let stride = shape.stride();
            let united = buckets(shape).map(|bucket| {
                let (mut united, rate) = rows[bucket];
                united
                    .iter_mut()
                    .zip(&row)
                    .for_each(|(places, more)| places.unite(more));
                // Each time that a bucket fires costs a look, and its windows something too.
                let windows = counts[bucket] as f32 / 8.0;
                let new = page::rate(&united, stride);
                (
                    new * (windows + 1.125) - rate * (windows + 1.0),
                    new,
                    united,
                    bucket,
                )
            });
            let Some((_, rate, united, bucket)) = united.min_by(|a, b| a.0.total_cmp(&b.0)) else {
                continue;
            };
            rows[bucket] = (united, rate);
            counts[bucket] += 1;
            let places = window.places();
            prints[bucket]
                .iter_mut()
                .zip(&places)
                .for_each(|(set, more)| set.unite(more));
            let sets = window.sets.iter().map(|set| {
                *positions.entry(*set).or_insert_with(|| {
                    self.palette.push(*set);
                    self.palette.len() as u32 - 1
                })
            });
            let wanted = Wanted {
                rules,
                last: window.print.last(),
                later: stride - 1,
                sets: sets.collect(),
            };
            let sieves = &mut self.buckets[bucket];
            let full = |sieve: &Sieve| sieve.wanted.len() == SIEVE_WINDOWS_MAX;
            if sieves.last().is_none_or(full) {
                sieves.push(Sieve::new());
            }
            if let Some(sieve) = sieves.last_mut() {
                sieve.add(wanted, &places);
            }
        }
        self.fill_tables(&prints);
    }

    fn fill_tables(&mut self, prints: &[Prints; BUCKETS]) {
        let mut before = [u64::MAX; WORDS];
        for (bucket, print) in prints.iter().enumerate() {
            let (last, bit) = (bucket / BITS, bucket % BITS);
            for (place, set) in print.iter().enumerate() {
                let word = match place / WORD_PLACES {
                    1 => last,
                    _ if last == SECOND && bit < LONG_BITS => FIRST,
                    _ => continue,
                };
                let mask = !(1 << (BITS * (place % WORD_PLACES) + bit));
                let bytes = (0..=u8::MAX).filter(|byte| set.has(*byte));
                bytes.for_each(|byte| self.tables[word][usize::from(byte)] &= mask);
                if *set == ByteSet::ALL {
                    before[word] &= mask;
                }
            }
        }
        for word in [FIRST, SECOND] {
            self.tables[word]
                .iter_mut()
                .for_each(|row| *row &= u64::MAX >> 8);
        }
        // What stands before the text fits no place but those where anything does.
        for _ in 0..2 * WORD_PLACES {
            self.start = next(&self.start, &before);
            self.start[FAR] = self.start[FAR] << 8 | before[FAR];
        }
    }

    /// Adds the rules that may match in a text.
    pub fn note(&self, text: &[u8], suspects: &mut Suspects) {
        for (word, open) in suspects.words.iter_mut().zip(&self.open.words) {
            *word |= open;
        }
        let (mut state, mut at) = (self.start, 0);
        if text.len() >= HALVES_BYTES_MIN {
            // Both halves of a long text go at once, because each step waits for the one before.
            let half = text.len() / 2 / GROUP_BYTES * GROUP_BYTES;
            let (first, second) = text.split_at(half);
            let mut other = self.resumed(text, half);
            for (left, right) in first.as_chunks().0.iter().zip(second.as_chunks().0) {
                if self.group(&mut state, left) >> LAST != FIRED_NONE {
                    self.look(text, at, suspects);
                }
                if self.group(&mut other, right) >> LAST != FIRED_NONE {
                    self.look(text, half + at, suspects);
                }
                at += GROUP_BYTES;
            }
            (state, at) = (other, half + at);
        }
        let (groups, rest) = text[at..].as_chunks();
        for group in groups {
            if self.group(&mut state, group) >> LAST != FIRED_NONE {
                self.look(text, at, suspects);
            }
            at += GROUP_BYTES;
        }
        if !rest.is_empty() {
            self.look(text, at, suspects);
        }
    }

    /// Steps over a group; gives a zero for each bucket that fired in it.
    #[inline(always)]
    fn group(&self, state: &mut State, group: &[u8; GROUP_BYTES]) -> u64 {
        let [a, b, c, d] = *group;
        state[FAR] = state[FAR] << 8 | self.tables[FAR][usize::from(a)];
        self.step(state, a);
        self.step(state, b);
        let fired = state[FAR] & state[SECOND] & (state[FIRST] | NOT_ENDED);
        self.step(state, c);
        self.step(state, d);
        fired & state[SECOND] & (state[FIRST] | NOT_ENDED)
    }

    /// Steps over a byte in the words of neighbouring bytes.
    #[inline(always)]
    fn step(&self, state: &mut State, byte: u8) {
        let row = [
            self.tables[FIRST][usize::from(byte)],
            self.tables[SECOND][usize::from(byte)],
            0,
        ];
        *state = next(state, &row);
    }

    /// The state before a group: no print reaches farther back than is looked at.
    fn resumed(&self, text: &[u8], at: usize) -> State {
        let mut state = self.start;
        for byte in &text[at.saturating_sub(2 * WORD_PLACES)..at] {
            self.step(&mut state, *byte);
        }
        for byte in text[at.saturating_sub(WORD_PLACES * GROUP_BYTES)..at]
            .iter()
            .step_by(GROUP_BYTES)
        {
            state[FAR] = state[FAR] << 8 | self.tables[FAR][usize::from(*byte)];
        }
        state
    }

    /// Looks which buckets fire in the group at `at`, and compares their windows.
    #[cold]
    #[inline(never)]
    fn look(&self, text: &[u8], at: usize, suspects: &mut Suspects) {
        let mut state = self.resumed(text, at);
        let group = &text[at..text.len().min(at + GROUP_BYTES)];
        for (offset, byte) in group.iter().enumerate() {
            self.step(&mut state, *byte);
            self.compare(FIRST, state[FIRST] | NOT_ENDED, text, at + offset, suspects);
            self.compare(SECOND, state[SECOND], text, at + offset, suspects);
        }
        let far = state[FAR] << 8 | self.tables[FAR][usize::from(text[at])];
        self.compare(FAR, far, text, at, suspects);
    }

    /// Suspects the rules whose windows stand in the text with the last place of their print at `at`, of the buckets
    /// of a word that fired there.
    fn compare(&self, word: usize, state: u64, text: &[u8], at: usize, suspects: &mut Suspects) {
        let stride = if word == FAR { Shape::Far.stride() } else { 1 };
        let mut fired = !state >> LAST & 0xFF;
        while fired != 0 {
            let bucket = word * BITS + fired.trailing_zeros() as usize;
            fired &= fired - 1;
            for sieve in &self.buckets[bucket] {
                let mut left = sieve.candidates(text, at, stride);
                while left != 0 {
                    self.compare_one(
                        &sieve.wanted[left.trailing_zeros() as usize],
                        text,
                        at,
                        suspects,
                    );
                    left &= left - 1;
                }
            }
        }
    }

    fn compare_one(&self, wanted: &Wanted, text: &[u8], at: usize, suspects: &mut Suspects) {
        let stands = || (0..=wanted.later).any(|later| self.stands(wanted, text, at, later));
        if wanted.rules.iter().any(|rule| !suspects.has(*rule)) && stands() {
            wanted.rules.iter().for_each(|rule| suspects.add(*rule));
        }
    }

    fn stands(&self, wanted: &Wanted, text: &[u8], at: usize, later: usize) -> bool {
        let start = at.checked_sub(wanted.last + later);
        let place = start.and_then(|start| text.get(start..start + wanted.sets.len()));
        place.is_some_and(|place| {
            let mut pairs = wanted.sets.iter().zip(place);
            pairs.all(|(set, byte)| self.palette[*set as usize].has(*byte))
        })
    }
}
