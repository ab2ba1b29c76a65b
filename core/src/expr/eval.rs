//! Runs a checked expression over a record.
//!
//! The expression is a list of steps around one truth value: a test sets it, `Not` turns it, a jump skips forward on
//! it. Jumps only go forward, so a run ends after at most as many steps as there are.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

use super::paths::Paths;
use super::regexes::Automaton;
use super::{Name, Source, Unlike, Value};
use crate::level::Level;
use crate::units;
use memchr::memmem;

/// Longest text that is tried as a number, in bytes; a longer one is text.
const NUMBER_BYTES_MAX: usize = 64;

/// Longest text that is tried as a duration or a size, in bytes: more digits than the units accept.
const QUANTITY_BYTES_MAX: usize = 24;

#[derive(Debug, Clone)]
pub(super) enum Step {
    Compare {
        left: Operand,
        relation: Relation,
        right: Operand,
    },
    /// Whether the value equals one of the literals.
    In {
        left: Operand,
        list: Box<[Literal]>,
    },
    /// A text test whose right side is not known at load.
    Text {
        left: Operand,
        test: TextTest,
        right: Operand,
    },
    /// A text test with a literal, which was prepared.
    Search {
        left: Operand,
        search: Search,
    },
    Exists(Operand),
    /// A boolean on its own.
    Truth(Operand),
    Not,
    /// Skips to a later step if the truth value is false: the rest of an `and` cannot change it.
    IfFalse(usize),
    /// Skips to a later step if the truth value is true: the rest of an `or` cannot change it.
    IfTrue(usize),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    Name(Name),
    /// The path at a place of the expression's paths.
    Path(usize),
    Literal(Literal),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    Text(Box<str>),
    Number(f64),
    Boolean(bool),
    Level(Level),
    Duration(Duration),
    Size(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextTest {
    Contains,
    StartsWith,
    EndsWith,
}

#[derive(Debug, Clone)]
pub(super) enum Search {
    Contains(Box<memmem::Finder<'static>>),
    /// A regex, among those that are asked of the same text.
    Matches {
        set: usize,
        index: usize,
    },
}

/// How two values stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Ordered(Ordering),
    /// Comparable for equality only.
    Same(bool),
    Missing,
    Unlike,
}

/// A record, and what an expression knows beside its steps.
pub(super) struct Ask<'a> {
    pub record: &'a dyn Source,
    pub paths: &'a Paths,
    pub automata: &'a [Arc<Automaton>],
}

/// Whether the steps hold for a record.
pub(super) fn run(steps: &[Step], ask: &Ask<'_>, counts: &mut Unlike) -> bool {
    let mut seen = Seen::default();
    let mut truth = false;
    let mut at = 0;
    while let Some(step) = steps.get(at) {
        at += 1;
        match step {
            Step::Not => truth = !truth,
            Step::IfFalse(target) if !truth => at = *target,
            Step::IfTrue(target) if truth => at = *target,
            Step::IfFalse(_) | Step::IfTrue(_) => {}
            Step::Compare {
                left,
                relation,
                right,
            } => truth = compare(&left.value(ask), *relation, &right.value(ask), counts),
            Step::In { left, list } => truth = is_in(&left.value(ask), list, counts),
            Step::Text { left, test, right } => {
                truth = text_test(&left.value(ask), *test, &right.value(ask), counts);
            }
            Step::Search { left, search } => {
                truth = match search {
                    Search::Contains(finder) => contains(&left.value(ask), finder, counts),
                    Search::Matches { set, index } => {
                        let value = left.value(ask);
                        seen.matches(&value, &ask.automata[*set], (*set, *index), counts)
                    }
                };
            }
            Step::Exists(operand) => truth = operand.value(ask) != Value::Missing,
            Step::Truth(operand) => truth = is_true(&operand.value(ask), counts),
        }
    }
    truth
}

fn compare(left: &Value<'_>, relation: Relation, right: &Value<'_>, counts: &mut Unlike) -> bool {
    let equality = matches!(relation, Relation::Equal | Relation::NotEqual);
    let holds = match standing(left, right) {
        Standing::Missing => false,
        Standing::Ordered(order) => match relation {
            Relation::Equal | Relation::NotEqual => order.is_eq(),
            Relation::Less => order.is_lt(),
            Relation::LessOrEqual => order.is_le(),
            Relation::Greater => order.is_gt(),
            Relation::GreaterOrEqual => order.is_ge(),
        },
        Standing::Same(same) if equality => same,
        Standing::Same(_) | Standing::Unlike => {
            counts.add();
            false
        }
    };
    holds != (relation == Relation::NotEqual)
}

/// Counts once, and only where the value is like none of the literals: a list may mix kinds on purpose.
fn is_in(value: &Value<'_>, list: &[Literal], counts: &mut Unlike) -> bool {
    let mut unlike = true;
    for literal in list {
        match standing(value, &literal.value()) {
            Standing::Missing => return false,
            Standing::Ordered(Ordering::Equal) | Standing::Same(true) => return true,
            Standing::Ordered(_) | Standing::Same(false) => unlike = false,
            Standing::Unlike => {}
        }
    }
    if unlike {
        counts.add();
    }
    false
}

fn text_test(left: &Value<'_>, test: TextTest, right: &Value<'_>, counts: &mut Unlike) -> bool {
    match (left, right) {
        (Value::Missing, _) | (_, Value::Missing) => false,
        (Value::Text(left), Value::Text(right)) => match test {
            TextTest::Contains => memmem::find(left.as_bytes(), right.as_bytes()).is_some(),
            TextTest::StartsWith => left.starts_with(right.as_ref()),
            TextTest::EndsWith => left.ends_with(right.as_ref()),
        },
        _ => {
            counts.add();
            false
        }
    }
}

fn contains(value: &Value<'_>, finder: &memmem::Finder<'_>, counts: &mut Unlike) -> bool {
    match value {
        Value::Missing => false,
        Value::Text(text) => finder.find(text.as_bytes()).is_some(),
        _ => {
            counts.add();
            false
        }
    }
}

/// What automata have seen in a record, a bit each; those behind the last bit look again.
#[derive(Default)]
struct Seen {
    /// None of their regexes matches.
    nothing: u64,
    /// Some of them do.
    something: u64,
}

impl Seen {
    /// Whether a regex, given by its automaton and its place there, matches.
    fn matches(
        &mut self,
        value: &Value<'_>,
        automaton: &Automaton,
        (set, index): (usize, usize),
        counts: &mut Unlike,
    ) -> bool {
        let text = match value {
            Value::Missing => return false,
            Value::Text(text) => text.as_bytes(),
            _ => {
                counts.add();
                return false;
            }
        };
        let bit = 1u64.checked_shl(set as u32).unwrap_or(0);
        if self.nothing & bit != 0 {
            return false;
        }
        if self.something & bit == 0 {
            if !automaton.any_matches(text) {
                self.nothing |= bit;
                return false;
            }
            self.something |= bit;
        }
        automaton.matches(index, text)
    }
}

fn is_true(value: &Value<'_>, counts: &mut Unlike) -> bool {
    match value {
        Value::Boolean(truth) => *truth,
        Value::Missing => false,
        _ => {
            counts.add();
            false
        }
    }
}

fn standing(left: &Value<'_>, right: &Value<'_>) -> Standing {
    use Value::{Boolean, Duration, Level, Missing, Number, Size, Text};
    match (left, right) {
        (Missing, _) | (_, Missing) => Standing::Missing,
        (Text(left), Text(right)) => Standing::Ordered(left.as_bytes().cmp(right.as_bytes())),
        (Number(left), Number(right)) => ordered(left.partial_cmp(right)),
        (Boolean(left), Boolean(right)) => Standing::Same(left == right),
        (Level(left), Level(right)) => Standing::Ordered(left.cmp(right)),
        (Duration(left), Duration(right)) => Standing::Ordered(left.cmp(right)),
        (Size(left), Size(right)) => Standing::Ordered(left.cmp(right)),
        // A mixed pair is written once, the converted side left, and turned round for the other order.
        (Text(_) | Number(_), Level(_) | Duration(_) | Size(_)) | (Text(_), Number(_)) => {
            ordered(converted(left, right))
        }
        (Level(_) | Duration(_) | Size(_), Text(_) | Number(_)) | (Number(_), Text(_)) => {
            ordered(converted(right, left).map(Ordering::reverse))
        }
        _ => Standing::Unlike,
    }
}

fn ordered(order: Option<Ordering>) -> Standing {
    order.map_or(Standing::Unlike, Standing::Ordered)
}

/// How JSON's text or number stands to a value of a kind that JSON does not have; `None` if it cannot be read as one.
fn converted(plain: &Value<'_>, typed: &Value<'_>) -> Option<Ordering> {
    match (plain, typed) {
        (Value::Text(text), Value::Number(number)) => as_number(text)?.partial_cmp(number),
        (Value::Text(text), Value::Level(level)) => {
            Some(Level::from_word(text.as_bytes())?.cmp(level))
        }
        (Value::Text(text), Value::Duration(duration)) if may_be_quantity(text) => {
            Some(units::duration(text).ok()?.cmp(duration))
        }
        (Value::Text(text), Value::Size(size)) if may_be_quantity(text) => {
            Some(units::size(text).ok()?.cmp(size))
        }
        (Value::Number(ms), Value::Duration(duration)) => {
            ms.partial_cmp(&(duration.as_nanos() as f64 / 1e6))
        }
        (Value::Number(bytes), Value::Size(size)) => bytes.partial_cmp(&(*size as f64)),
        _ => None,
    }
}

/// Keeps text that cannot be a quantity from the units, whose errors are sentences and allocate.
fn may_be_quantity(text: &str) -> bool {
    text.len() <= QUANTITY_BYTES_MAX && text.as_bytes().first().is_some_and(u8::is_ascii_digit)
}

/// The number that a text wholly is. Rust's reader also knows `inf`, `NaN`, `+1` and `.5`, which are text here.
fn as_number(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix('-').unwrap_or(text).as_bytes();
    let shaped = text.len() <= NUMBER_BYTES_MAX
        && unsigned.first().is_some_and(u8::is_ascii_digit)
        && unsigned.last().is_some_and(u8::is_ascii_digit)
        && unsigned
            .iter()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    if shaped { text.parse().ok() } else { None }
}

impl Step {
    /// What the step reads.
    pub(super) fn operands(&self) -> impl Iterator<Item = &Operand> {
        let (first, second) = match self {
            Step::Compare { left, right, .. } | Step::Text { left, right, .. } => {
                (Some(left), Some(right))
            }
            Step::In { left, .. } | Step::Search { left, .. } => (Some(left), None),
            Step::Exists(operand) | Step::Truth(operand) => (Some(operand), None),
            Step::Not | Step::IfFalse(_) | Step::IfTrue(_) => (None, None),
        };
        first.into_iter().chain(second)
    }
}

impl Operand {
    fn value<'a>(&'a self, ask: &Ask<'a>) -> Value<'a> {
        match self {
            Operand::Name(name) => ask.record.named(name, ask.paths),
            Operand::Path(place) => ask.record.located(ask.paths, *place),
            Operand::Literal(literal) => literal.value(),
        }
    }

    pub(super) fn as_name(&self) -> Option<&Name> {
        match self {
            Operand::Name(name) => Some(name),
            _ => None,
        }
    }
}

impl Literal {
    fn value(&self) -> Value<'_> {
        match self {
            Literal::Text(text) => Value::Text(text.as_ref().into()),
            Literal::Number(number) => Value::Number(*number),
            Literal::Boolean(truth) => Value::Boolean(*truth),
            Literal::Level(level) => Value::Level(*level),
            Literal::Duration(duration) => Value::Duration(*duration),
            Literal::Size(size) => Value::Size(*size),
        }
    }
}

impl Unlike {
    fn add(&mut self) {
        self.0 = self.0.saturating_add(1);
    }
}
