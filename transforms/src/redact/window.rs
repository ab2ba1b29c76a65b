//! What must stand side by side in a text for a pattern to match in it.
//!
//! Every match of a pattern has, at each offset from its start, a byte of a set that depends on the offset alone: the
//! union over all ways through the pattern. Such sets in a row are a window. No text without the window has a match,
//! so a search for windows can rule the pattern out, and nothing of it is written by hand that could go stale.
//!
//! From the start of a match the sets soon say little: the name of an e-mail address may be anything. So a pattern is
//! taken apart into ways (one for each choice of its alternatives), and a way is looked at from each point between its
//! parts, to the left and to the right. Of these views the rarest is kept, by how often bytes occur in logs.

use regex_automata::util::syntax;
use regex_syntax::hir::{Class, Hir, HirKind};

use super::page::{self, Page, Places};

/// Bytes that a window reaches to the left and to the right of its point.
const REACH: usize = 32;

/// Of which part of a window all rules are compared at once: its print. Most are told by a few neighbouring bytes, runs
/// of digits by many, long runs of letters by every fourth byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shape {
    Short,
    Long,
    Far,
}

impl Shape {
    /// All, the cheapest first.
    pub const ALL: [Shape; 3] = [Shape::Short, Shape::Long, Shape::Far];

    /// How many bytes lie between two places.
    pub const fn stride(self) -> usize {
        match self {
            Shape::Short | Shape::Long => 1,
            Shape::Far => GROUP_BYTES,
        }
    }

    /// How many places there are at most.
    pub const fn places(self) -> usize {
        match self {
            Shape::Short | Shape::Far => 8,
            Shape::Long => PRINT_PLACES,
        }
    }
}

/// Bytes of a text that are looked at in one step.
pub const GROUP_BYTES: usize = 4;

/// Places of the longest print.
pub const PRINT_PLACES: usize = 16;

/// A print that fits less often than this, of all bytes, is rare enough.
const RARE: f32 = 0.0005;

/// What the places of a print allow, at the end of as many as there may be; those before say nothing.
pub type Prints = [ByteSet; PRINT_PLACES];

/// What the places behind a print allow, up to the end of the group in which its last place may be.
pub type Tail = [ByteSet; GROUP_BYTES - 1];

/// Ways of one pattern that are looked at apart; alternatives beyond stay together as one part.
const WAYS_MAX: usize = 24;

/// Steps that a pattern may cost before it is given up: nested counts can be made to take for ever.
const WORK_MAX: usize = 200_000;

/// A set of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct ByteSet([u64; 4]);

impl ByteSet {
    /// All bytes.
    pub const ALL: ByteSet = ByteSet([u64::MAX; 4]);

    /// Whether it has a byte.
    pub fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1
    }

    fn add(&mut self, from: u8, to: u8) {
        for word in from >> 6..=to >> 6 {
            let first = if word == from >> 6 { from & 63 } else { 0 };
            let last = if word == to >> 6 { to & 63 } else { 63 };
            self.0[usize::from(word)] |= u64::MAX >> (63 - (last - first)) << first;
        }
    }

    /// Adds what the other has.
    pub fn unite(&mut self, other: &ByteSet) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine |= theirs;
        }
    }
}

/// Sets in a row. Without those at its ends that say nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    pub sets: Vec<ByteSet>,
    pub print: Print,
}

/// Which part of a window is compared for all rules at once: the rarest.
///
/// With a stride of more than 1 only bytes are looked at whose offset in the text it divides. A window may begin
/// anywhere, so each place allows what any of so many sets in a row allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Print {
    pub shape: Shape,
    /// The offset in the window of what its last place allows first.
    pub last: usize,
    /// How many places lie in the window.
    pub places: usize,
}

impl Print {
    /// The sets of a window, or where they are on the page, as places of the print: those in it, and those behind it.
    pub fn split<T>(self, sets: &[T]) -> (std::slice::Chunks<'_, T>, &[T]) {
        let stride = self.shape.stride();
        let start = self.last - (self.places - 1) * stride;
        let own = sets[start..self.last + stride].chunks(stride);
        match self.shape {
            Shape::Far => (own, &[]),
            _ => (
                own,
                &sets[self.last + 1..sets.len().min(self.last + GROUP_BYTES)],
            ),
        }
    }

    fn note(self, places: &[Places], row: &mut Row) {
        let (own, behind) = self.split(places);
        row.places[PRINT_PLACES - self.places..].fill(Places::NONE);
        for (place, all) in row.places[PRINT_PLACES - self.places..].iter_mut().zip(own) {
            all.iter().for_each(|one| place.unite(one));
        }
        row.tail[..behind.len()].copy_from_slice(behind);
    }
}

/// Where on the page stands what a print and its tail allow.
#[derive(Clone, Copy)]
pub struct Row {
    places: [Places; PRINT_PLACES],
    tail: [Places; GROUP_BYTES - 1],
}

impl Default for Row {
    /// Of a print that allows everything.
    fn default() -> Row {
        Row {
            places: [Places::ALL; PRINT_PLACES],
            tail: [Places::ALL; GROUP_BYTES - 1],
        }
    }
}

impl Row {
    /// Of a print that allows nothing.
    pub const NONE: Row = Row {
        places: [Places::NONE; PRINT_PLACES],
        tail: [Places::NONE; GROUP_BYTES - 1],
    };

    /// These and those.
    pub fn unite(&mut self, other: &Row) {
        let mine = self.places.iter_mut().chain(&mut self.tail);
        let theirs = other.places.iter().chain(&other.tail);
        mine.zip(theirs)
            .for_each(|(mine, theirs)| mine.unite(theirs));
    }

    /// How often it fits, about: the mean of what its outermost lanes see.
    pub fn rate(&self, shape: Shape) -> f32 {
        let own = &self.places[PRINT_PLACES - shape.places()..];
        if shape == Shape::Far {
            return page::rate(own, shape.stride());
        }
        let mut late = [Places::ALL; PRINT_PLACES];
        let behind = GROUP_BYTES - 1;
        late[..own.len() - behind].copy_from_slice(&own[behind..]);
        late[own.len() - behind..own.len()].copy_from_slice(&self.tail);
        (page::rate(own, 1) + page::rate(&late[..own.len()], 1)) / 2.0
    }
}

impl Window {
    /// What the places of its print allow.
    pub fn places(&self) -> Prints {
        let mut places = [ByteSet::ALL; PRINT_PLACES];
        let own = self.print.split(&self.sets).0;
        for (place, sets) in places[PRINT_PLACES - self.print.places..]
            .iter_mut()
            .zip(own)
        {
            *place = ByteSet::default();
            sets.iter().for_each(|set| place.unite(set));
        }
        places
    }

    /// What the bytes behind its print are.
    pub fn tail(&self) -> Tail {
        let behind = self.print.split(&self.sets).1;
        std::array::from_fn(|at| behind.get(at).copied().unwrap_or(ByteSet::ALL))
    }

    /// Where that stands on the page.
    pub fn row(&self, page: &mut Page) -> Row {
        let places: Vec<Places> = self.sets.iter().map(|set| page.places(set)).collect();
        let mut row = Row::default();
        self.print.note(&places, &mut row);
        row
    }

    /// With its rarest print, and how often that fits. `None` where no byte says anything.
    fn new(mut sets: Vec<ByteSet>, page: &mut Page) -> Option<(Window, f32)> {
        while sets.last() == Some(&ByteSet::ALL) {
            sets.pop();
        }
        let full = sets.iter().take_while(|set| **set == ByteSet::ALL).count();
        sets.drain(..full);
        let places: Vec<Places> = sets.iter().map(|set| page.places(set)).collect();
        let mut best: Option<(Print, f32)> = None;
        for shape in Shape::ALL {
            let stride = shape.stride();
            if best.is_some_and(|(_, rate)| rate < RARE) || sets.len() < stride {
                break;
            }
            for last in 0..=sets.len() - stride {
                let print = Print {
                    shape,
                    last,
                    places: shape.places().min(last / stride + 1),
                };
                let mut row = Row::default();
                print.note(&places, &mut row);
                let rate = row.rate(shape);
                if best.is_none_or(|(_, least)| rate < least) {
                    best = Some((print, rate));
                }
                // Rare enough: looking on would cost the start more than it saves.
                if rate < RARE / 4.0 {
                    break;
                }
            }
        }
        let (mut print, rate) = best?;
        if print.shape == Shape::Short {
            // As many places as each lane sees of a window's start: more tell it better from others.
            let seen = Shape::Short.places() - GROUP_BYTES;
            print.last = print.last.max(seen.min(sets.len() - 1));
            print.places = Shape::Short.places().min(print.last + 1);
        }
        Some((Window { sets, print }, rate))
    }
}

/// Windows of which every match of the pattern has at least one. `None` where nothing can be said.
pub fn windows(pattern: &str, page: &mut Page) -> Option<Vec<Window>> {
    let config = syntax::Config::new().unicode(false).utf8(false);
    let hir = syntax::parse_with(pattern, &config).ok()?;
    let mut work = WORK_MAX;
    let ways = ways(&hir, WAYS_MAX);
    let windows = ways.iter().map(|way| rarest(way, &mut work, page));
    let mut windows: Vec<Window> = windows.collect::<Option<_>>()?;
    windows.sort_unstable();
    windows.dedup();
    Some(windows)
}

/// The ways through a pattern, each a row of parts; at most so many.
fn ways(hir: &Hir, most: usize) -> Vec<Vec<&Hir>> {
    match hir.kind() {
        HirKind::Capture(capture) => ways(&capture.sub, most),
        HirKind::Repetition(repetition) if repetition.min == 1 && repetition.max == Some(1) => {
            ways(&repetition.sub, most)
        }
        HirKind::Repetition(repetition)
            if repetition.min == 0 && repetition.max == Some(1) && most > 1 =>
        {
            let mut rows = ways(&repetition.sub, most - 1);
            rows.push(Vec::new());
            rows
        }
        HirKind::Alternation(choices) if choices.len() <= most => {
            let each = most / choices.len();
            choices
                .iter()
                .flat_map(|choice| ways(choice, each))
                .collect()
        }
        HirKind::Concat(parts) => {
            let mut rows: Vec<Vec<&Hir>> = vec![Vec::new()];
            for part in parts {
                let tails = ways(part, most / rows.len());
                let longer = rows.iter().flat_map(|row| {
                    let tails = tails.iter();
                    tails.map(|tail| row.iter().chain(tail).copied().collect())
                });
                rows = longer.collect();
            }
            rows
        }
        _ => vec![vec![hir]],
    }
}

/// The rarest window of one way.
fn rarest(way: &[&Hir], work: &mut usize, page: &mut Page) -> Option<Window> {
    let mut best: Option<(Window, f32)> = None;
    for point in 0..way.len() {
        let left = way[..point].iter().rev().copied();
        let mut sets = sets(left, Direction::Left, work)?;
        sets.reverse();
        let right = way[point..].iter().copied();
        sets.extend(self::sets(right, Direction::Right, work)?);
        if let Some((window, rate)) = Window::new(sets, page)
            && best.as_ref().is_none_or(|(_, least)| rate < *least)
        {
            best = Some((window, rate));
        }
        if best.as_ref().is_some_and(|(_, rate)| *rate < RARE) {
            break;
        }
    }
    best.map(|(window, _)| window)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Left,
    Right,
}

/// The sets by distance from a point, as far as every match goes.
fn sets<'h>(
    parts: impl Iterator<Item = &'h Hir>,
    direction: Direction,
    work: &mut usize,
) -> Option<Vec<ByteSet>> {
    let mut reach = Reach {
        direction,
        sets: [ByteSet::default(); REACH],
        work,
    };
    let mut ends = 1;
    for part in parts {
        ends = reach.through(part, ends)?;
    }
    let shortest = (ends.trailing_zeros() as usize).min(REACH);
    Some(reach.sets[..shortest].to_vec())
}

/// Distances are bits of a word; those beyond the reach fall off its end.
type Distances = u64;

const WITHIN: Distances = (1 << REACH) - 1;

struct Reach<'w> {
    direction: Direction,
    sets: [ByteSet; REACH],
    work: &'w mut usize,
}

impl Reach<'_> {
    /// Notes the bytes of a part that begins at any of these distances; gives where it may end.
    fn through(&mut self, hir: &Hir, starts: Distances) -> Option<Distances> {
        *self.work = self.work.checked_sub(1)?;
        if starts == 0 {
            return Some(0);
        }
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => Some(starts),
            HirKind::Literal(literal) => {
                let bytes = &literal.0;
                let mut at = starts;
                for offset in 0..bytes.len().min(REACH) {
                    let byte = match self.direction {
                        Direction::Right => bytes[offset],
                        Direction::Left => bytes[bytes.len() - 1 - offset],
                    };
                    let mut set = ByteSet::default();
                    set.add(byte, byte);
                    at = self.note(&set, at);
                }
                Some(at)
            }
            HirKind::Class(class) => Some(self.class(class, starts)),
            HirKind::Capture(capture) => self.through(&capture.sub, starts),
            HirKind::Alternation(choices) => choices
                .iter()
                .try_fold(0, |ends, choice| Some(ends | self.through(choice, starts)?)),
            HirKind::Concat(parts) => match self.direction {
                Direction::Right => parts
                    .iter()
                    .try_fold(starts, |at, part| self.through(part, at)),
                Direction::Left => parts
                    .iter()
                    .rev()
                    .try_fold(starts, |at, part| self.through(part, at)),
            },
            HirKind::Repetition(repetition) => {
                let mut at = starts;
                for _ in 0..repetition.min {
                    let next = self.through(&repetition.sub, at)?;
                    if next == at {
                        break;
                    }
                    at = next;
                }
                let mut ends = at;
                let more = repetition.max.map_or(u32::MAX, |max| max - repetition.min);
                for _ in 0..more {
                    let next = self.through(&repetition.sub, at)?;
                    if next & !ends == 0 {
                        break;
                    }
                    at = next & !ends;
                    ends |= next;
                }
                Some(ends)
            }
        }
    }

    /// Notes one byte of the set at each distance; gives the distances behind it.
    fn note(&mut self, set: &ByteSet, starts: Distances) -> Distances {
        let mut left = starts;
        while left != 0 {
            self.sets[left.trailing_zeros() as usize].unite(set);
            left &= left - 1;
        }
        (starts << 1) & WITHIN
    }

    fn class(&mut self, class: &Class, starts: Distances) -> Distances {
        let (mut ascii, mut beyond) = (ByteSet::default(), false);
        match class {
            Class::Bytes(class) => {
                class
                    .iter()
                    .for_each(|range| ascii.add(range.start(), range.end()));
            }
            Class::Unicode(class) => {
                for range in class.iter() {
                    let byte = |character: char| u8::try_from(character).unwrap_or(0xFF);
                    (byte(range.start())..=byte(range.end()).min(0x7F))
                        .for_each(|byte| ascii.add(byte, byte));
                    beyond |= !range.end().is_ascii();
                }
            }
        }
        let mut ends = if ascii == ByteSet::default() {
            0
        } else {
            self.note(&ascii, starts)
        };
        if beyond {
            // A character beyond ASCII is two to four bytes, all of them beyond ASCII.
            let mut other = ByteSet::default();
            other.add(0x80, 0xFF);
            let mut at = self.note(&other, starts);
            for _ in 2..=4 {
                at = self.note(&other, at);
                ends |= at;
            }
        }
        ends
    }
}
