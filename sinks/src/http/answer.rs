//! What services say in the bodies of their answers: values in JSON, and outcomes made from them.

use std::borrow::Cow;

use hyper::header::CONTENT_TYPE;
use tapline_core::json;
use tapline_core::sink::{Outcome, Verdict};

pub(super) use crate::shared::classify::by_status;
use crate::shared::http::Answer;

/// An answer that says less than the service always says: nothing tells what became of the records.
pub(super) fn not_understood() -> Verdict {
    Verdict::Retry {
        why: "malformed".into(),
        after: None,
        answered: true,
    }
}

/// Whether an answer is a page for people: a sign-in page or that of a filter in between. No service answers records
/// with one, and its status says nothing about them. The type alone does not tell: small servers call any text HTML.
pub(super) fn is_page(answer: &Answer) -> bool {
    let begins = |text: &[u8], with: &str| {
        let begin = text.get(..with.len());
        begin.is_some_and(|begin| begin.eq_ignore_ascii_case(with.as_bytes()))
    };
    let body = answer.body.trim_ascii_start();
    let kind = answer.headers.get(CONTENT_TYPE);
    let of_html = kind.is_some_and(|kind| begins(kind.as_bytes(), "text/html"));
    (of_html && begins(body, "<")) || begins(body, "<!doctype html") || begins(body, "<html")
}

/// The verdict of one record that the service wants to see again.
pub(super) fn again(why: impl Into<Cow<'static, str>>) -> Verdict {
    Verdict::Retry {
        why: why.into(),
        after: None,
        answered: true,
    }
}

/// The raw value at keys of an object inside a JSON text.
pub(super) fn at<'a>(text: &'a [u8], keys: &[&str]) -> Option<&'a [u8]> {
    let start = json::skip_space(text, 0);
    let mut value = &text[start..];
    for wanted in keys {
        let (_, range) = json::members(value, 0..value.len())
            .find(|(key, _)| json::key_is(&value[key.clone()], wanted))?;
        value = &value[range];
    }
    (!value.is_empty()).then_some(value)
}

/// A whole number at keys.
pub(super) fn number(text: &[u8], keys: &[&str]) -> Option<u64> {
    let raw = at(text, keys)?;
    let end = raw.iter().position(|byte| !byte.is_ascii_digit());
    let digits = &raw[..end.unwrap_or(raw.len())];
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The word at keys, where it is one of those that the service is known to say. Anything else that it says stays out of
/// the ledger and of the log: a service may quote what it was sent.
pub(super) fn known(
    text: &[u8],
    keys: &[&str],
    words: &'static [&'static str],
) -> Option<&'static str> {
    let inside = json::string_inside(at(text, keys)?)?;
    words.iter().find(|word| word.as_bytes() == inside).copied()
}

/// A status of HTTP at keys, of one item among many. What can be none is not taken for one.
pub(super) fn status(text: &[u8], keys: &[&str]) -> Option<u64> {
    number(text, keys).filter(|status| (100..=599).contains(status))
}

/// The verdict where somebody has to put something right at the service before it takes anything.
pub(super) fn denied(why: impl Into<Cow<'static, str>>) -> Verdict {
    Verdict::Denied { why: why.into() }
}

/// Accepted, but for as many records as the service says it refused. It does not say which: the last ones are counted.
pub(super) fn some_rejected(
    records_count: usize,
    rejected: u64,
    reason: impl Into<Cow<'static, str>>,
) -> Outcome {
    let rejected = usize::try_from(rejected).unwrap_or(usize::MAX);
    let verdict = Verdict::Unnamed(reason.into());
    let first = records_count - rejected.min(records_count);
    Outcome {
        verdict: Verdict::Accepted,
        exceptions: (first..records_count)
            .map(|position| (position as u32, verdict.clone()))
            .collect(),
    }
}

/// The outcome of verdicts in the order of the records. Records without one are tried again.
pub(super) fn positional(records_count: usize, verdicts: impl Iterator<Item = Verdict>) -> Outcome {
    let all = verdicts.chain(std::iter::repeat_with(not_understood));
    let exceptions = all
        .take(records_count)
        .enumerate()
        .filter(|(_, verdict)| *verdict != Verdict::Accepted)
        .map(|(position, verdict)| (position as u32, verdict));
    Outcome {
        verdict: Verdict::Accepted,
        exceptions: exceptions.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_are_found_and_only_known_words_are_taken() {
        let text = br#" {"a":{"b":[1],"n":12,"m":-3},"e":"full","s":429,"card":4111111111111111}"#;
        assert_eq!(at(text, &["a", "b"]), Some(&b"[1]"[..]));
        assert_eq!(at(text, &["a", "c"]), None);
        assert_eq!(number(text, &["a", "n"]), Some(12));
        assert_eq!(number(text, &["a", "m"]), None);
        assert_eq!(known(text, &["e"], &["empty", "full"]), Some("full"));
        assert_eq!(known(text, &["e"], &["empty"]), None);
        assert_eq!(known(text, &["a"], &["full"]), None);
        assert_eq!(status(text, &["s"]), Some(429));
        assert_eq!(status(text, &["card"]), None);
    }

    #[test]
    fn no_more_records_are_refused_than_were_sent() {
        assert_eq!(some_rejected(2, 9, "x").exceptions.len(), 2);
        assert_eq!(some_rejected(3, 1, "x").exceptions[0].0, 2);
        assert!(some_rejected(3, 0, "x").exceptions.is_empty());
    }

    proptest! {
        #[test]
        fn no_answer_breaks_the_parsers(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            at(&body, &["a", "b"]);
            number(&body, &["a"]);
            known(&body, &["a"], &["x"]);
            status(&body, &["a"]);
        }
    }
}
