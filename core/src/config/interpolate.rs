//! Variables of the environment inside string values.
//!
//! | Written | Becomes |
//! |---|---|
//! | `${NAME}` | the variable; an error where it is unset or empty |
//! | `${NAME:-text}` | the variable, or `text` (which may be empty) where it is unset or empty |
//! | `${NAME:?message}` | the variable, or an error with `message` where it is unset or empty |
//! | `$${` | the two characters `${` |
//!
//! Every other `$` stands for itself, `$$` included, so that a password with dollars survives. A name is a letter or
//! `_`, then letters, digits and `_`. What a variable holds is not searched again, and the text of a default holds
//! neither `}` nor `${`.

use std::ops::Range;

/// What is wrong with one `${…}`; never with the value of a variable in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// Where, in bytes of the string's content.
    pub range: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: String,
    /// The variable is unset, and nothing else is wrong.
    pub unset: bool,
}

/// The text with its variables replaced, and whether there was any; else every problem in it.
pub(super) fn interpolate(
    text: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<(String, bool), Vec<Problem>> {
    let mut out = String::with_capacity(text.len());
    let mut problems = Vec::new();
    let (mut at, mut replaced) = (0, false);
    while let Some(found) = text[at..].find("${") {
        let start = at + found;
        if text[..start].ends_with('$') && start > at {
            out.push_str(&text[at..start - 1]);
            out.push_str("${");
            at = start + 2;
            continue;
        }
        out.push_str(&text[at..start]);
        let Some(length) = text[start..].find('}') else {
            problems.push(Problem {
                range: start..text.len(),
                message: "`${` is not closed".to_owned(),
                help: "write `${NAME}`, or `$${` for the two characters themselves".to_owned(),
                unset: false,
            });
            return Err(problems);
        };
        let end = start + length + 1;
        match resolve(&text[start + 2..end - 1], environment) {
            Ok(value) => out.push_str(&value),
            Err((message, help, unset)) => problems.push(Problem {
                range: start..end,
                message,
                help,
                unset,
            }),
        }
        replaced = true;
        at = end;
    }
    out.push_str(&text[at..]);
    if problems.is_empty() {
        Ok((out, replaced))
    } else {
        Err(problems)
    }
}

fn resolve(
    inner: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<String, (String, String, bool)> {
    let length = name_length(inner);
    let (name, rest) = inner.split_at(length);
    let shape = "write `${NAME}`, `${NAME:-default}` or `${NAME:?message}`";
    if name.is_empty() {
        return Err((
            "`${` is not followed by the name of a variable".to_owned(),
            format!("{shape}, or `$${{` for the two characters themselves"),
            false,
        ));
    }
    if rest.contains("${") {
        let message = format!("the text after `${{{name}` holds another `${{`");
        let help = "one variable cannot stand inside another; set a default without `${`";
        return Err((message, help.to_owned(), false));
    }
    let otherwise = if rest.is_empty() {
        None
    } else if let Some(default) = rest.strip_prefix(":-") {
        Some(Ok(default))
    } else if let Some(message) = rest.strip_prefix(":?") {
        Some(Err(message))
    } else {
        let message = format!("`${{{name}` is followed by neither `}}` nor `:-` nor `:?`");
        return Err((message, shape.to_owned(), false));
    };
    let value = environment(name).filter(|value| !value.is_empty());
    match (value, otherwise) {
        (Some(value), _) => Ok(value),
        (None, Some(Ok(default))) => Ok(default.to_owned()),
        (None, Some(Err(message))) if !message.trim().is_empty() => Err((
            format!("the environment variable `{name}` is unset or empty: {message}"),
            format!("set `{name}` in the function's environment"),
            false,
        )),
        (None, otherwise) => Err((
            format!("the environment variable `{name}` is unset or empty"),
            format!("set `{name}` in the function's environment, or write `${{{name}:-default}}`"),
            otherwise.is_none(),
        )),
    }
}

/// The first `${NAME…}` in a text where variables are not replaced: its range and the name.
pub(super) fn variable(text: &str) -> Option<(Range<usize>, &str)> {
    let mut at = 0;
    while let Some(found) = text[at..].find("${") {
        let start = at + found;
        let length = name_length(&text[start + 2..]);
        if length > 0 {
            let name = &text[start + 2..start + 2 + length];
            let end = text[start..]
                .find('}')
                .map_or(text.len(), |n| start + n + 1);
            return Some((start..end, name));
        }
        at = start + 2;
    }
    None
}

fn name_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    match bytes.first() {
        Some(byte) if byte.is_ascii_alphabetic() || *byte == b'_' => bytes
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_')
            .count(),
        _ => 0,
    }
}
