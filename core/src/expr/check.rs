//! Which kinds go together, and what to write where they do not.

use std::ops::Range;

use super::eval::{Literal, Operand, Relation, TextTest};
use super::name::Kind;
use super::{LEVEL_WORDS, Name, Names, Problem};
use crate::level::Level;
use crate::suggest::closest;
use crate::units;

/// One side of a comparison, as it was written.
#[derive(Debug)]
pub(super) struct Side<'s> {
    /// `None` for a word that means nothing; [`unknown`] says so once both sides are known.
    pub operand: Option<Operand>,
    pub text: &'s str,
    pub span: Range<usize>,
}

impl Side<'_> {
    fn kind(&self) -> Kind {
        match &self.operand {
            None | Some(Operand::Path(_)) => Kind::Any,
            Some(Operand::Name(name)) => name.kind(),
            Some(Operand::Literal(literal)) => match literal {
                Literal::Text(_) => Kind::Text,
                Literal::Number(_) => Kind::Number,
                Literal::Boolean(_) => Kind::Boolean,
                Literal::Level(_) => Kind::Level,
                Literal::Duration(_) => Kind::Duration,
                Literal::Size(_) => Kind::Size,
            },
        }
    }

    pub(super) fn literal(&self) -> Option<&Literal> {
        match &self.operand {
            Some(Operand::Literal(literal)) => Some(literal),
            _ => None,
        }
    }

    pub(super) fn is_level(&self) -> bool {
        matches!(self.operand, Some(Operand::Name(Name::Level)))
    }
}

/// What is wrong with `left relation right`, if anything. `whole` is the comparison's place.
pub(super) fn comparison(
    left: &Side<'_>,
    relation: Relation,
    right: &Side<'_>,
    whole: Range<usize>,
) -> Option<Problem> {
    let (left_kind, right_kind) = (left.kind(), right.kind());
    if !alike(left_kind, right_kind) {
        return Some(unlike(left, right, whole));
    }
    let equality = matches!(relation, Relation::Equal | Relation::NotEqual);
    if !equality && (left_kind == Kind::Boolean || right_kind == Kind::Boolean) {
        return Some(Problem::new(
            whole,
            "booleans have no order",
            "compare them with `==` or `!=`",
        ));
    }
    None
}

fn alike(left: Kind, right: Kind) -> bool {
    match (left, right) {
        (Kind::Any, _) | (_, Kind::Any) => true,
        (Kind::Text | Kind::Time, Kind::Text | Kind::Time) => true,
        // Text may be a number: `env.RETRIES > 3`, `function.version == 12`.
        (Kind::Text, Kind::Number) | (Kind::Number, Kind::Text) => true,
        (left, right) => left == right,
    }
}

fn unlike(left: &Side<'_>, right: &Side<'_>, whole: Range<usize>) -> Problem {
    // The literal is what the writer can change; the other side says what it should have been.
    let (wanted, other, span) = match (left.literal(), right.literal()) {
        (_, Some(_)) => (left, right, right.span.clone()),
        (Some(_), None) => (right, left, left.span.clone()),
        (None, None) => (left, right, whole),
    };
    let message = format!(
        "`{}` is {} and `{}` is {}, which do not compare",
        left.text,
        left.kind().described(),
        right.text,
        right.kind().described()
    );
    Problem::new(span, message, remedy(wanted, other))
}

/// What to write so that something compares with `wanted`.
fn remedy(wanted: &Side<'_>, other: &Side<'_>) -> String {
    let name = wanted.text;
    let bare = |text: &str| format!("write `{text}` without quotes");
    match (wanted.kind(), other.literal()) {
        (Kind::Level, Some(Literal::Text(text))) if level_word(text).is_some() => bare(text),
        (Kind::Level, _) => format!("write a level, for example `{name} >= warn`; {}", levels()),
        (Kind::Duration, Some(Literal::Number(_))) => {
            format!(
                "give it a unit of time: `{}ms` or `{}s`",
                other.text, other.text
            )
        }
        (Kind::Duration, Some(Literal::Text(text))) if units::duration(text).is_ok() => bare(text),
        (Kind::Duration, _) => format!("write a duration, for example `{name} > 800ms`"),
        (Kind::Size, Some(Literal::Number(_))) => {
            format!(
                "give it a unit of size: `{}MiB` or `{}KiB`",
                other.text, other.text
            )
        }
        (Kind::Size, Some(Literal::Text(text))) if units::size(text).is_ok() => bare(text),
        (Kind::Size, _) => format!("write a size, for example `{name} >= 512MiB`"),
        (Kind::Boolean, _) => format!("write `{name}` or `not {name}`"),
        (Kind::Time, _) => format!("write `{name} > \"2026-01-31T12:00:00Z\"`"),
        (Kind::Number, _) => "write a number".to_owned(),
        (Kind::Text | Kind::Any, Some(Literal::Text(_)) | None) => {
            "compare each with a literal".to_owned()
        }
        (Kind::Text | Kind::Any, Some(_)) => format!("write it in quotes: `\"{}\"`", other.text),
    }
}

/// What is wrong with a side of `contains`, `starts_with`, `ends_with` or `~`, which all work on text.
pub(super) fn text_side(side: &Side<'_>, operator: &str) -> Option<Problem> {
    let kind = side.kind();
    if matches!(kind, Kind::Text | Kind::Time | Kind::Any) {
        return None;
    }
    let help = if side.literal().is_some() {
        format!("write it in quotes: `\"{}\"`", side.text)
    } else if kind == Kind::Boolean {
        format!("write `{}` or `not {}`", side.text, side.text)
    } else {
        "compare it with `==`, `<` and the like".to_owned()
    };
    Some(Problem::new(
        side.span.clone(),
        format!(
            "`{operator}` works on text, and `{}` is {}",
            side.text,
            kind.described()
        ),
        help,
    ))
}

/// What is wrong with a value that stands alone, if it is no boolean.
pub(super) fn condition(side: &Side<'_>) -> Option<Problem> {
    let kind = side.kind();
    let text = side.text;
    if kind == Kind::Boolean || side.operand.is_none() {
        return None;
    }
    let help = match (&side.operand, kind) {
        (Some(Operand::Literal(Literal::Level(_))), _) => format!("write `level == {text}`"),
        (Some(Operand::Literal(_)), _) => {
            format!("compare something with it, for example `message == {text}`")
        }
        (_, Kind::Level) => format!("compare it, for example `{text} >= warn`"),
        (_, Kind::Duration) => format!("compare it, for example `{text} > 800ms`"),
        (_, Kind::Size) => format!("compare it, for example `{text} >= 512MiB`"),
        (_, Kind::Any) => format!("write `{text} == true` or `exists({text})`"),
        _ => format!("compare it, for example `{text} == \"…\"`, or write `exists({text})`"),
    };
    Some(Problem::new(
        side.span.clone(),
        format!("`{text}` is {}, not a condition", kind.described()),
        help,
    ))
}

/// The level behind one of the six words of the language, in any case.
pub(super) fn level_word(word: &str) -> Option<Level> {
    LEVEL_WORDS
        .iter()
        .position(|known| known.eq_ignore_ascii_case(word))
        .map(|place| Level::ALL[place])
}

fn levels() -> String {
    format!("levels: {}", LEVEL_WORDS.join(", "))
}

/// What to say of a word that is compared with `level` and is no level.
pub(super) fn unknown_level(word: &str, span: Range<usize>) -> Problem {
    let meant = match Level::from_word(word.as_bytes()) {
        Some(level) => Some(LEVEL_WORDS[level as usize - 1]),
        None => closest(word, &LEVEL_WORDS),
    };
    let help = match meant {
        Some(meant) => format!("did you mean `{meant}`? {}", levels()),
        None => levels(),
    };
    Problem::new(span, format!("`{word}` is no level"), help)
}

/// What to say of a word that means nothing.
pub(super) fn unknown(word: &str, span: Range<usize>, names: &Names<'_>) -> Problem {
    let message = format!("there is no name `{word}`");
    if matches!(word, "null" | "nil" | "none" | "None" | "undefined") {
        let help = "there is no such literal; `exists(.a)` tells whether a value is there";
        return Problem::new(span, message, help);
    }
    let listed: Vec<String> = names.env.iter().map(|name| format!("env.{name}")).collect();
    let candidates: Vec<&str> = Name::spellings()
        .chain(listed.iter().map(String::as_str))
        .chain(LEVEL_WORDS)
        .chain(["true", "false", "exists"])
        .collect();
    let help = match closest(word, &candidates) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!(
            "write text in quotes, `\"{word}\"`, a JSON path with a dot, `.{word}`, or one of the names {}, env.NAME",
            Name::spellings().collect::<Vec<_>>().join(", ")
        ),
    };
    Problem::new(span, message, help)
}

/// The name that a word spells, if the reader may use it.
///
/// # Errors
///
/// An environment variable that is not listed.
pub(crate) fn name(
    word: &str,
    span: Range<usize>,
    names: &Names<'_>,
) -> Result<Option<Name>, Problem> {
    let name = Name::parse(word);
    let Some(Name::Env(variable)) = &name else {
        return Ok(name);
    };
    if names.env.iter().any(|listed| **listed == **variable) {
        return Ok(name);
    }
    let listed: Vec<&str> = names.env.iter().map(String::as_str).collect();
    let help = match closest(variable, &listed) {
        Some(meant) => {
            format!("did you mean `env.{meant}`? otherwise add it to `[receiver] env`")
        }
        None => format!("add it to `[receiver] env`: `env = [\"{variable}\"]`"),
    };
    Err(Problem::new(
        span,
        format!("the environment variable `{variable}` is not listed"),
        help,
    ))
}

/// The operator that `contains` and its like stand for.
pub(super) fn text_operator(word: &str) -> Option<TextTest> {
    match word {
        "contains" => Some(TextTest::Contains),
        "starts_with" => Some(TextTest::StartsWith),
        "ends_with" => Some(TextTest::EndsWith),
        _ => None,
    }
}
