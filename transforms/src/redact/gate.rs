//! Ruling rules out at little cost: one pass over a text tells which of them can match in it.
//!
//! Of each rule the [`window`](super::window)s are known, without one of which it has no match. The gate looks for up
//! to 16 places of all windows at once, their prints, and steps over four bytes at a time. Prints are put into buckets,
//! and each bucket has four lanes: one for each offset that a print may have from the start of such a group. A lane is
//! a chain of groups, a bit each in a word; for each byte of a group a table says in which links it may not stand there.
//! At each group the word is shifted by a link and united with what the tables say of its four bytes (shift-or), so
//! that a lane of which all places fitted shows a zero at its end. Only then the windows of that bucket are compared in
//! full.
//!
//! One word has short chains of neighbouring bytes, one long ones; a third looks at every fourth byte alone, and needs
//! no lanes; it is left out where no window is in it. A rule of which nothing is known is always suspected. The windows
//! of one that takes only what stands apart hold the bytes beside a match, too; where a text may begin or end with a
//! match, which has no such byte, it is suspected as well.

use std::collections::BTreeMap;
use std::ops::Range;

use super::page::Page;
use super::window::{
    ByteSet, GROUP_BYTES, PRINT_PLACES, Prints, Row, Shape, Tail, Window, windows,
};

/// The words.
const WORDS: usize = 3;
const SHORT: usize = 0;
const LONG: usize = 1;
const FAR: usize = 2;

/// Offsets that a print may have from the start of a group.
const PHASES: usize = GROUP_BYTES;

/// Links of one kind in each word, which lie side by side: lanes of neighbouring bytes, buckets of every fourth byte.
const LINKS: [usize; WORDS] = [32, 16, 8];

/// The ends of all lanes but those of the word itself, in which they are the highest.
const NOT_ENDED: [u64; WORDS] = [
    u64::MAX >> LINKS[SHORT],
    u64::MAX >> LINKS[LONG],
    u64::MAX >> LINKS[FAR],
];

/// What a state without the end of a lane is at least.
const FIRED_NONE: u64 = !NOT_ENDED[SHORT];

const _: () = assert!(LINKS[SHORT] * Shape::Short.places() / GROUP_BYTES == u64::BITS as usize);
const _: () = assert!(LINKS[LONG] * Shape::Long.places() / GROUP_BYTES == u64::BITS as usize);
const _: () = assert!(LINKS[FAR] * Shape::Far.places() == u64::BITS as usize);
const _: () = assert!(PRINT_PLACES == Shape::Long.places() && GROUP_BYTES == 4);

/// The buckets of each word, counted through.
const FIRST_BUCKET: [usize; WORDS + 1] = [0, 8, 12, 20];
const BUCKETS: usize = FIRST_BUCKET[WORDS];

const _: () = assert!(FIRST_BUCKET[LONG] * PHASES == LINKS[SHORT]);
const _: () = assert!((FIRST_BUCKET[FAR] - FIRST_BUCKET[LONG]) * PHASES == LINKS[LONG]);
const _: () = assert!(BUCKETS - FIRST_BUCKET[FAR] == LINKS[FAR]);

/// For each byte, in which links it may not stand.
type Table = [u64; 256];

/// Of each word, a zero for what fitted up to now.
type State = [u64; WORDS];

/// The word of a shape.
const fn word_of(shape: Shape) -> usize {
    match shape {
        Shape::Short => SHORT,
        Shape::Long => LONG,
        Shape::Far => FAR,
    }
}

/// The word of a bucket.
fn shape_of(bucket: usize) -> Shape {
    match bucket {
        0..8 => Shape::Short,
        8..12 => Shape::Long,
        _ => Shape::Far,
    }
}

/// The buckets for prints of a shape.
fn buckets(shape: Shape) -> std::ops::Range<usize> {
    let word = word_of(shape);
    FIRST_BUCKET[word]..FIRST_BUCKET[word + 1]
}

/// The rules that may match in a text, a bit each.
#[derive(Debug, Clone, Default)]
pub struct Suspects {
    words: Vec<u64>,
    span: Span,
}

/// From the first byte of a text that may belong to a match to behind the last.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    start: usize,
    end: usize,
    /// Windows that may still be compared for the span's sake alone.
    left: usize,
}

/// Windows of rules that are suspected already which are compared for the span's sake; past that, it is everything.
const SPAN_WINDOWS_MAX: usize = 64;

impl Span {
    /// All of a text.
    pub const ALL: Span = Span {
        start: 0,
        end: usize::MAX,
        left: 0,
    };

    /// Whether none of its bytes is in a range.
    pub fn misses(&self, range: &Range<usize>) -> bool {
        range.end <= self.start || self.end <= range.start
    }
}

impl Default for Span {
    fn default() -> Span {
        Span {
            start: usize::MAX,
            end: 0,
            left: SPAN_WINDOWS_MAX,
        }
    }
}

impl Suspects {
    /// None of so many rules.
    pub fn new(rules: usize) -> Suspects {
        Suspects {
            words: vec![0; rules.div_ceil(64)],
            span: Span::default(),
        }
    }

    /// Where in the text the windows stand that made them suspects. No match is apart from it, if only one text was
    /// noted since they were cleared.
    pub fn span(&self) -> Span {
        self.span
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
        self.span = Span::default();
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

    /// Adds rules that may match anywhere.
    fn add_all(&mut self, others: &Suspects) {
        if others.is_empty() {
            return;
        }
        for (word, other) in self.words.iter_mut().zip(&others.words) {
            *word |= other;
        }
        self.span = Span::ALL;
    }

    /// Adds a rule.
    pub fn add(&mut self, rule: usize) {
        if let Some(word) = self.words.get_mut(rule / 64) {
            *word |= 1 << (rule % 64);
        }
    }
}

/// All words a group on.
#[inline(always)]
fn next(state: &State, row: &State) -> State {
    [
        state[SHORT] << LINKS[SHORT] | row[SHORT],
        state[LONG] << LINKS[LONG] | row[LONG],
        state[FAR] << LINKS[FAR] | row[FAR],
    ]
}

/// A zero at the end of each lane that fired, among the highest bits.
#[inline(always)]
fn fired(state: &State) -> u64 {
    state[SHORT] & (state[LONG] | NOT_ENDED[LONG]) & (state[FAR] | NOT_ENDED[FAR])
}

/// What a gate is to look for, for one rule.
pub struct Wants {
    pub patterns: Vec<String>,
    /// Whether a match counts only where no letter, digit or `_` stands beside it.
    pub apart: bool,
}

impl Wants {
    /// The patterns, with what must stand around them.
    pub fn bordered(&self) -> Vec<String> {
        const BORDER: &str = "[^0-9A-Za-z_]";
        let bordered = |pattern: &String| match self.apart {
            true => format!("{BORDER}(?:{pattern}){BORDER}"),
            false => pattern.clone(),
        };
        self.patterns.iter().map(bordered).collect()
    }
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
    /// For some places around the last of a print, which windows allow a byte there: a bit each.
    allowed: [Box<Table>; SIEVE_PLACES],
}

/// Places that a sieve looks at: one before the last of a print, that, and one behind it.
const SIEVE_PLACES: usize = 3;
const SIEVE_STEP: usize = 2;
const SIEVE_WINDOWS_MAX: usize = u64::BITS as usize;

impl Sieve {
    fn new() -> Sieve {
        Sieve {
            wanted: Vec::new(),
            allowed: std::array::from_fn(|_| Box::new([0; 256])),
        }
    }

    fn add(&mut self, wanted: Wanted, window: &Window) {
        let bit = 1 << self.wanted.len();
        let last = window.print.last;
        let at = |offset: Option<usize>| offset.and_then(|offset| window.sets.get(offset).copied());
        let around = match window.print.shape {
            // Where the window begins is known only to the group.
            Shape::Far => {
                let places = window.places();
                let before = places[PRINT_PLACES - 1 - SIEVE_STEP];
                [Some(before), Some(places[PRINT_PLACES - 1]), None]
            }
            _ => [
                at(last.checked_sub(SIEVE_STEP)),
                at(Some(last)),
                at(Some(last + SIEVE_STEP)),
            ],
        };
        for (table, set) in self.allowed.iter_mut().zip(around) {
            let set = set.unwrap_or(ByteSet::ALL);
            let bytes = (0..=u8::MAX).filter(|byte| set.has(*byte));
            bytes.for_each(|byte| table[usize::from(byte)] |= bit);
        }
        self.wanted.push(wanted);
    }

    /// The windows that may stand where the last place of their print is at `at`.
    fn candidates(&self, text: &[u8], at: usize, stride: usize) -> u64 {
        let [before, here, behind] = &self.allowed;
        let step = SIEVE_STEP * stride;
        let byte_before = at.checked_sub(step).and_then(|at| text.get(at));
        let allow = |table: &Table, byte: Option<&u8>| {
            byte.map_or(u64::MAX, |byte| table[usize::from(*byte)])
        };
        allow(here, text.get(at)) & allow(before, byte_before) & allow(behind, text.get(at + step))
    }
}

/// See the module.
pub struct Gate {
    /// For each byte of a group, what it rules out in the words of neighbouring bytes.
    near: Box<[[Table; GROUP_BYTES]; 2]>,
    /// The same of the first byte of a group in the word of every fourth.
    far: Box<Table>,
    /// What a byte that is not there rules out: it fits only where anything does.
    outside: [[u64; GROUP_BYTES]; 2],
    /// The state before the first byte.
    start: State,
    buckets: [Vec<Sieve>; BUCKETS],
    palette: Vec<ByteSet>,
    /// The rules of which nothing is known.
    open: Suspects,
    /// Those whose windows reach over what they match, and so not over the borders of a text.
    apart: Suspects,
}

impl Gate {
    /// The gate of some rules.
    pub fn new(rules: impl ExactSizeIterator<Item = Wants>) -> Gate {
        let mut page = Page::default();
        let mut open = Suspects::new(rules.len());
        let mut apart = Suspects::new(rules.len());
        let mut all: Vec<(Window, usize)> = Vec::new();
        for (rule, wants) in rules.enumerate() {
            if wants.apart {
                apart.add(rule);
            }
            for pattern in wants.bordered() {
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
        let mut gate = Gate::of_nothing(open, apart);
        gate.fill(distinct, &mut page);
        gate
    }

    /// A gate that suspects all of so many rules.
    #[cfg(any(test, feature = "test-util"))]
    pub fn open(rules: usize) -> Gate {
        let mut all = Suspects::new(rules);
        (0..rules).for_each(|rule| all.add(rule));
        Gate::of_nothing(all, Suspects::new(rules))
    }

    fn of_nothing(open: Suspects, apart: Suspects) -> Gate {
        Gate {
            near: Box::new([[[u64::MAX; 256]; GROUP_BYTES]; 2]),
            far: Box::new([u64::MAX; 256]),
            outside: [[u64::MAX; GROUP_BYTES]; 2],
            start: [u64::MAX; WORDS],
            buckets: std::array::from_fn(|_| Vec::new()),
            palette: Vec::new(),
            open,
            apart,
        }
    }

    /// Puts windows into buckets: the most frequent first, each where it makes the least more suspicious.
    fn fill(&mut self, windows: Vec<(Window, Vec<usize>)>, page: &mut Page) {
        let mut prints = [(Prints::default(), Tail::default()); BUCKETS];
        let mut rows = [(Row::NONE, 0.0f32); BUCKETS];
        let mut counts = [0u32; BUCKETS];
        let mut positions: BTreeMap<ByteSet, u32> = BTreeMap::new();
        let found = windows.into_iter().map(|(window, rules)| {
            let row = window.row(page);
            let rate = row.rate(window.print.shape);
            (window, rules, row, rate)
        });
        let mut found: Vec<_> = found.collect();
        found.sort_by(|a, b| b.3.total_cmp(&a.3));
        for (window, rules, row, _) in found {
            let shape = window.print.shape;
            let stride = shape.stride();
            let united = buckets(shape).map(|bucket| {
                let (mut united, rate) = rows[bucket];
                united.unite(&row);
                // Each time that a bucket fires costs a look, and its windows something too.
                let windows = counts[bucket] as f32 / 8.0;
                let new = united.rate(shape);
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
            let (print, tail) = &mut prints[bucket];
            let united = print.iter_mut().chain(tail);
            let more = places.into_iter().chain(window.tail());
            united.zip(more).for_each(|(set, more)| set.unite(&more));
            let sets = window.sets.iter().map(|set| {
                *positions.entry(*set).or_insert_with(|| {
                    self.palette.push(*set);
                    self.palette.len() as u32 - 1
                })
            });
            let wanted = Wanted {
                rules,
                last: window.print.last,
                later: stride - 1,
                sets: sets.collect(),
            };
            let sieves = &mut self.buckets[bucket];
            let full = |sieve: &Sieve| sieve.wanted.len() == SIEVE_WINDOWS_MAX;
            if sieves.last().is_none_or(full) {
                sieves.push(Sieve::new());
            }
            if let Some(sieve) = sieves.last_mut() {
                sieve.add(wanted, &window);
            }
        }
        self.fill_tables(&prints);
    }

    fn fill_tables(&mut self, prints: &[(Prints, Tail); BUCKETS]) {
        let mut before = u64::MAX;
        for (bucket, (print, tail)) in prints.iter().enumerate() {
            let shape = shape_of(bucket);
            let places = &print[PRINT_PLACES - shape.places()..];
            let lane = bucket - buckets(shape).start;
            if shape == Shape::Far {
                for (place, set) in places.iter().enumerate() {
                    let mask = !(1 << (place * LINKS[FAR] + lane));
                    let bytes = (0..=u8::MAX).filter(|byte| set.has(*byte));
                    bytes.for_each(|byte| self.far[usize::from(byte)] &= mask);
                    if *set == ByteSet::ALL {
                        before &= mask;
                    }
                }
                continue;
            }
            let word = word_of(shape);
            for phase in 0..PHASES {
                let own = places.iter().chain(tail).skip(phase);
                for (place, set) in own.take(places.len()).enumerate() {
                    let link = place / GROUP_BYTES * LINKS[word] + lane * PHASES + phase;
                    self.allow(word, place % GROUP_BYTES, set, link);
                }
            }
        }
        // What stands before the text fits no place but those where anything does.
        for _ in 0..PRINT_PLACES {
            let [short, long] = self
                .outside
                .map(|row| row.iter().fold(0, |all, one| all | one));
            self.start = next(&self.start, &[short, long, before]);
        }
    }

    /// Lets a set of bytes stand at an offset of a group in one link.
    fn allow(&mut self, word: usize, offset: usize, set: &ByteSet, link: usize) {
        let mask = !(1 << link);
        let bytes = (0..=u8::MAX).filter(|byte| set.has(*byte));
        bytes.for_each(|byte| self.near[word][offset][usize::from(byte)] &= mask);
        if *set == ByteSet::ALL {
            self.outside[word][offset] &= mask;
        }
    }

    /// Adds the rules that may match in a text.
    pub fn note(&self, text: &[u8], suspects: &mut Suspects) {
        suspects.add_all(&self.open);
        let in_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        if text.first().is_some_and(in_word) || text.last().is_some_and(in_word) {
            suspects.add_all(&self.apart);
        }
        if self.buckets[FIRST_BUCKET[FAR]..].iter().all(Vec::is_empty) {
            self.pass::<false>(text, suspects);
        } else {
            self.pass::<true>(text, suspects);
        }
    }

    /// Passes over a text, by every fourth byte only where a window wants that.
    fn pass<const FAR_TOO: bool>(&self, text: &[u8], suspects: &mut Suspects) {
        let mut state = self.start;
        let (pairs, rest) = text.as_chunks::<{ 2 * GROUP_BYTES }>();
        for (pair, group) in pairs.iter().enumerate() {
            let [a, b, c, d, e, f, g, h] = *group;
            let middle = next(&state, &self.row::<FAR_TOO>([a, b, c, d]));
            state = next(&middle, &self.row::<FAR_TOO>([e, f, g, h]));
            if fired(&middle) & fired(&state) < FIRED_NONE {
                let at = pair * 2 * GROUP_BYTES;
                if fired(&middle) < FIRED_NONE {
                    let [short, long, far] = middle;
                    self.compare_all(short, long, far, text, at, suspects);
                }
                if fired(&state) < FIRED_NONE {
                    let [short, long, far] = state;
                    self.compare_all(short, long, far, text, at + GROUP_BYTES, suspects);
                }
            }
        }
        let mut at = text.len() - rest.len();
        for group in rest.chunks(GROUP_BYTES) {
            state = next(&state, &self.last_row(group));
            if fired(&state) < FIRED_NONE {
                let [short, long, far] = state;
                self.compare_all(short, long, far, text, at, suspects);
            }
            at += GROUP_BYTES;
        }
    }

    /// What a group rules out.
    #[inline(always)]
    fn row<const FAR_TOO: bool>(&self, [a, b, c, d]: [u8; GROUP_BYTES]) -> State {
        let all = |[first, second, third, fourth]: &[Table; GROUP_BYTES]| {
            first[usize::from(a)]
                | second[usize::from(b)]
                | third[usize::from(c)]
                | fourth[usize::from(d)]
        };
        let [short, long] = &*self.near;
        let far = match FAR_TOO {
            true => self.far[usize::from(a)],
            false => u64::MAX,
        };
        [all(short), all(long), far]
    }

    /// What the last group rules out, which may be cut short.
    fn last_row(&self, group: &[u8]) -> State {
        let mut row = [0; WORDS];
        for word in [SHORT, LONG] {
            for (offset, outside) in self.outside[word].iter().enumerate() {
                let byte = group.get(offset);
                let table = &self.near[word][offset];
                row[word] |= byte.map_or(*outside, |byte| table[usize::from(*byte)]);
            }
        }
        row[FAR] = group.first().map_or(0, |byte| self.far[usize::from(*byte)]);
        row
    }

    /// Suspects the rules whose windows stand where the lanes that end in the group at `at` say. It takes the words one
    /// by one, so that they stay in registers where nothing fires.
    #[cold]
    #[inline(never)]
    fn compare_all(
        &self,
        short: u64,
        long: u64,
        far: u64,
        text: &[u8],
        at: usize,
        suspects: &mut Suspects,
    ) {
        for (word, state) in [short, long, far].into_iter().enumerate() {
            let mut fired = !(state | NOT_ENDED[word]);
            while fired != 0 {
                let lane = fired.trailing_zeros() as usize - (u64::BITS as usize - LINKS[word]);
                fired &= fired - 1;
                if word == FAR {
                    self.compare(FIRST_BUCKET[FAR] + lane, text, at, suspects);
                } else {
                    // Such a print ends as far before the group's end as it began behind a group's start.
                    let last = at + GROUP_BYTES - 1 - lane % PHASES;
                    let bucket = FIRST_BUCKET[word] + lane / PHASES;
                    self.compare(bucket, text, last, suspects);
                }
            }
        }
    }

    /// Suspects the rules of a bucket whose windows stand in the text with the last place of their print at `at`.
    fn compare(&self, bucket: usize, text: &[u8], at: usize, suspects: &mut Suspects) {
        if at >= text.len() {
            return;
        }
        let stride = shape_of(bucket).stride();
        for sieve in &self.buckets[bucket] {
            let mut left = sieve.candidates(text, at, stride);
            while left != 0 {
                let wanted = &sieve.wanted[left.trailing_zeros() as usize];
                self.compare_one(wanted, text, at, suspects);
                left &= left - 1;
            }
        }
    }

    fn compare_one(&self, wanted: &Wanted, text: &[u8], at: usize, suspects: &mut Suspects) {
        let new = wanted.rules.iter().any(|rule| !suspects.has(*rule));
        if !new {
            let first = at.saturating_sub(wanted.last + wanted.later);
            let behind = at + wanted.sets.len();
            if suspects.span.start <= first && behind <= suspects.span.end {
                return;
            }
            let Some(left) = suspects.span.left.checked_sub(1) else {
                suspects.span = Span::ALL;
                return;
            };
            suspects.span.left = left;
        }
        let mut starts = (0..=wanted.later).filter_map(|later| self.start(wanted, text, at, later));
        if let Some(start) = starts.next() {
            wanted.rules.iter().for_each(|rule| suspects.add(*rule));
            let last = starts.next_back().unwrap_or(start);
            let span = &mut suspects.span;
            span.start = span.start.min(start.min(last));
            span.end = span.end.max(start.max(last) + wanted.sets.len());
        }
    }

    /// Where a window starts, if it stands in the text with the last place of its print `later` bytes before `at`.
    fn start(&self, wanted: &Wanted, text: &[u8], at: usize, later: usize) -> Option<usize> {
        let start = at.checked_sub(wanted.last + later)?;
        let place = text.get(start..start + wanted.sets.len())?;
        let mut pairs = wanted.sets.iter().zip(place);
        let stands = pairs.all(|(set, byte)| self.palette[*set as usize].has(*byte));
        stands.then_some(start)
    }
}
