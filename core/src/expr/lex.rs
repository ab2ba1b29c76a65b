//! Cuts an expression into tokens.

use std::ops::Range;
use std::time::Duration;

use super::name::path_at;
use super::{Path, Problem};
use crate::units;

/// One token and its place in the source.
#[derive(Debug, Clone)]
pub(super) struct Token<'s> {
    pub kind: TokenKind<'s>,
    pub span: Range<usize>,
}

#[derive(Debug, Clone)]
pub(super) enum TokenKind<'s> {
    /// A name, a keyword, a level: letters, digits, `_`, and dots and hyphens inside.
    Word(&'s str),
    Path(Path),
    /// What stands between the quotes.
    Text(&'s str),
    Number(f64),
    Duration(Duration),
    Size(u64),
    /// An operator, bracket or comma.
    Symbol(&'static str),
    End,
    /// No token begins here; nothing follows.
    Bad(Box<Problem>),
}

/// Longest first, so that `<=` is not read as `<`.
const SYMBOLS: [&str; 12] = [
    "==", "!=", "<=", ">=", "<", ">", "~", "(", ")", "[", "]", ",",
];

/// What people bring along from other languages, and what to write instead; longest first.
const FOREIGN: [(&str, &str); 11] = [
    ("===", "`==`"),
    ("!==", "`!=`"),
    ("=~", "`~`"),
    ("!~", "`not (a ~ \"regex\")`"),
    ("<>", "`!=`"),
    ("&&", "`and`"),
    ("||", "`or`"),
    ("=", "`==`"),
    ("!", "`not`"),
    ("&", "`and`"),
    ("|", "`or`"),
];

/// Every token of an expression; the last one is `End` or `Bad`.
pub(super) fn lex(source: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    loop {
        let bytes = &source.as_bytes()[at..];
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        at += bytes.iter().take_while(|byte| blank(byte)).count();
        let (kind, end) = match token_at(source, at) {
            Ok(found) => found,
            Err(problem) => (TokenKind::Bad(Box::new(problem)), source.len()),
        };
        let last = matches!(kind, TokenKind::End | TokenKind::Bad(_));
        tokens.push(Token {
            kind,
            span: at..end,
        });
        if last {
            return tokens;
        }
        at = end;
    }
}

/// The token that begins at a byte, and the byte after it.
fn token_at(source: &str, start: usize) -> Result<(TokenKind<'_>, usize), Problem> {
    let rest = &source[start..];
    let bytes = rest.as_bytes();
    let Some(&first) = bytes.first() else {
        return Ok((TokenKind::End, start));
    };
    let digit_follows = bytes.get(1).is_some_and(u8::is_ascii_digit);
    match first {
        b'"' | b'\'' => return text_at(source, start, char::from(first)),
        b'.' => {
            let (path, end) = path_at(source, start)?;
            return Ok((TokenKind::Path(path), end));
        }
        b'-' if digit_follows => return number_at(source, start),
        _ if first.is_ascii_digit() => return number_at(source, start),
        _ if first.is_ascii_alphabetic() || first == b'_' => {
            let end = start + word_length(bytes);
            return Ok((TokenKind::Word(&source[start..end]), end));
        }
        _ => {}
    }
    let foreign = FOREIGN.iter().find(|(symbol, _)| rest.starts_with(symbol));
    let symbol = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol));
    match (foreign, symbol) {
        // `===` begins with the good `==`; the longer one is what was meant.
        (Some((foreign, instead)), symbol) if symbol.is_none_or(|s| s.len() < foreign.len()) => {
            Err(Problem::new(
                start..start + foreign.len(),
                format!("`{foreign}` is no operator"),
                format!("write {instead}"),
            ))
        }
        (_, Some(symbol)) => Ok((TokenKind::Symbol(symbol), start + symbol.len())),
        _ => Err(stray(rest, start)),
    }
}

fn stray(rest: &str, start: usize) -> Problem {
    let stray = rest.chars().next().unwrap_or_default();
    let help = match stray {
        '“' | '”' | '‘' | '’' | '`' => "write text in straight quotes, `\"` or `'`",
        '+' | '-' | '*' | '/' | '%' => "there is no arithmetic; compare with a literal",
        '$' | '{' | '}' => {
            "nothing is filled in here; list the variable in `[receiver] env` and write `env.NAME`"
        }
        _ => "write text in quotes, and odd keys as `.\"odd key\"`",
    };
    Problem::new(
        start..start + stray.len_utf8(),
        format!("`{}` means nothing here", stray.escape_debug()),
        help,
    )
}

fn text_at(source: &str, start: usize, quote: char) -> Result<(TokenKind<'_>, usize), Problem> {
    let inner = start + 1;
    match source[inner..].find(quote) {
        Some(length) => Ok((
            TokenKind::Text(&source[inner..inner + length]),
            inner + length + 1,
        )),
        None => Err(Problem::new(
            start..source.len(),
            "the text has no end",
            format!(
                "close it with `{quote}`; to have a `{quote}` inside, use the other quote around it"
            ),
        )),
    }
}

/// Bytes of a word: a dot or hyphen belongs to it when a letter follows, so that `request-id` is seen whole.
fn word_length(bytes: &[u8]) -> usize {
    let mut length = 0;
    while let Some(&byte) = bytes.get(length) {
        let inside = byte.is_ascii_alphanumeric() || byte == b'_';
        let joins = matches!(byte, b'.' | b'-')
            && bytes
                .get(length + 1)
                .is_some_and(|next| next.is_ascii_alphabetic() || *next == b'_');
        if !inside && !joins {
            break;
        }
        length += 1;
    }
    length
}

/// Reads a number, a duration or a size.
fn number_at(source: &str, start: usize) -> Result<(TokenKind<'_>, usize), Problem> {
    let rest = &source[start..];
    let number_length = number_length(rest.as_bytes());
    let suffix_length = rest.as_bytes()[number_length..]
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
        .count();
    let text = &rest[..number_length + suffix_length];
    let suffix = &text[number_length..];
    let end = start + text.len();
    let problem = |message: String, help: &str| Err(Problem::new(start..end, message, help));
    if suffix.is_empty() {
        return match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok((TokenKind::Number(number), end)),
            _ => problem(
                format!("the number `{text}` is too large"),
                "write a number below 1e308",
            ),
        };
    }
    if suffix.contains(['.', '_']) {
        return problem(
            format!("`{text}` is no number"),
            "write anything else than numbers, durations and sizes in quotes",
        );
    }
    if text.starts_with('-') {
        return problem(
            format!("`{text}` is below zero"),
            "durations and sizes have no sign",
        );
    }
    let read = if suffix.ends_with(['B', 'b']) {
        units::size(text).map(TokenKind::Size)
    } else {
        units::duration(text).map(TokenKind::Duration)
    };
    match read {
        Ok(kind) => Ok((kind, end)),
        Err(sentence) => {
            let (message, help) = sentence
                .split_once("; ")
                .unwrap_or((&sentence, "write a smaller one"));
            problem(message.to_owned(), help)
        }
    }
}

/// Bytes of `-1.5e-3`, without a unit. The first byte is a digit or a sign before one.
fn number_length(bytes: &[u8]) -> usize {
    let digits = |from: usize| {
        let tail = bytes.get(from..).unwrap_or_default();
        tail.iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    let mut length = usize::from(bytes.first() == Some(&b'-'));
    length += digits(length);
    if bytes.get(length) == Some(&b'.') && digits(length + 1) > 0 {
        length += 1 + digits(length + 1);
    }
    if matches!(bytes.get(length), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(length + 1), Some(b'+' | b'-')));
        let exponent = digits(length + 1 + sign);
        if exponent > 0 {
            length += 1 + sign + exponent;
        }
    }
    length
}
