//! Rendered attributes of a record: members of a JSON object without its braces.

use tapline_core::json;

/// The members, each as its key between quotes (still escaped) and its raw value.
pub fn members(rendered: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = json::skip_space(rendered, at);
        if rendered.get(start) != Some(&b'"') {
            return None;
        }
        let key_end = json::skip_string(rendered, start).ok()?;
        let colon = json::skip_space(rendered, key_end);
        let value = json::skip_space(rendered, colon + 1);
        let end = json::skip_value(rendered, value).ok()?;
        at = json::skip_space(rendered, end) + 1;
        Some((&rendered[start + 1..key_end - 1], &rendered[value..end]))
    })
}

/// The raw value of a member; of equal keys the last counts.
pub fn get<'a>(rendered: &'a [u8], key: &str) -> Option<&'a [u8]> {
    let named = members(rendered).filter(|(escaped, _)| json::key_is(escaped, key));
    named.last().map(|(_, value)| value)
}

/// Appends all members but those with this key.
pub fn without(rendered: &[u8], key: &str, out: &mut Vec<u8>) {
    for (escaped, value) in members(rendered) {
        if !json::key_is(escaped, key) {
            push_separator(out);
            out.push(b'"');
            out.extend_from_slice(escaped);
            out.extend_from_slice(b"\":");
            out.extend_from_slice(value);
        }
    }
}

/// Appends all members, with this key set to a raw JSON value; it comes last.
pub fn with(rendered: &[u8], key: &str, value: &[u8], out: &mut Vec<u8>) {
    without(rendered, key, out);
    push_separator(out);
    json::quote_into(key.as_bytes(), out);
    out.push(b':');
    out.extend_from_slice(value);
}

fn push_separator(out: &mut Vec<u8>) {
    if !out.is_empty() {
        out.push(b',');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setting_replaces_and_removing_keeps_the_rest() {
        let mut out = Vec::new();
        with(br#""a":{"x":[1,2]},"b\u0041":"c,d""#, "bA", b"5", &mut out);
        assert_eq!(out, br#""a":{"x":[1,2]},"bA":5"#);
        let mut rest = Vec::new();
        without(&out, "a", &mut rest);
        assert_eq!(rest, br#""bA":5"#);
    }
}
