//! Finding the kind that a `type` names, and what to say where it is not there.

use tapline_core::config::{Kind, Reader, Severity, words_list};
use tapline_core::suggest::closest;

/// Kinds of sinks that the format knows and this version does not have.
pub(super) const LATER_SINKS: &[&str] = &["otlp"];

/// Kinds of transforms that the format knows and this version does not have.
pub(super) const LATER_TRANSFORMS: &[&str] = &[];

/// A kind, as far as finding it goes.
pub(super) struct Row {
    pub name: &'static str,
    pub feature: &'static str,
    pub built: bool,
}

/// Where in `rows` the kind of this table is. `None` after it reported that there is none, or that it is not built.
pub(super) fn find(
    reader: &Reader<'_>,
    noun: &str,
    rows: &[Row],
    later: &[&'static str],
) -> Option<usize> {
    let word = reader.text("type")?;
    let built = || words_list(rows.iter().filter(|row| row.built).map(|row| row.name));
    if let Some(found) = rows.iter().position(|row| row.name == word.value) {
        if rows[found].built {
            return Some(found);
        }
        let message = format!("`{}` is not in this build", rows[found].name);
        let help = format!("rebuild with the cargo feature `{}`", rows[found].feature);
        reader.report(Severity::Error, Kind::NotBuilt, word.span, message, help);
        return None;
    }
    if let Some(name) = later.iter().find(|name| **name == word.value) {
        let message = format!("`{name}` is not in this version of tapline");
        let help = format!("a {noun} is of type {}", built());
        reader.report(Severity::Error, Kind::NotBuilt, word.span, message, help);
        return None;
    }
    let names: Vec<&str> = rows
        .iter()
        .map(|row| row.name)
        .chain(later.iter().copied())
        .collect();
    let suggestion = closest(&word.value, &names).filter(|_| !word.interpolated);
    let label = suggestion.map_or_else(String::new, |name| format!("did you mean `{name}`?"));
    let message = format!("{} is no type of {noun}", reader.quote(&word));
    let help = format!("write {}", built());
    reader.report_labelled(
        Severity::Error,
        Kind::Invalid,
        word.span,
        message,
        label,
        help,
    );
    None
}

/// Whether a text may name a sink or a transform.
pub(super) fn is_name(text: &str) -> bool {
    let shaped = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=64).contains(&text.len()) && text.bytes().all(shaped)
}

/// What to write in place of a text that [`is_name`] refuses.
pub(super) const NAME_HELP: &str = "write 1 to 64 letters, digits, `_` and `-`";
