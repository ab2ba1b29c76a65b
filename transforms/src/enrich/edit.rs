//! Setting and removing one member of a JSON object, on its text.
//!
//! The text is known to hold one whole object and nothing else, or to be empty: it is not checked again here.

use std::ops::Range;

use tapline_core::json;

/// Writes into `out` the text with the member at a path set to a raw value. `false`, with `out` of no use, where the
/// text is no object or something on the way is none. Of equal keys the last is set.
pub fn set(text: &[u8], keys: &[Box<str>], value: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(mut object) = object(text) else {
        return false;
    };
    let Some((last, parents)) = keys.split_last() else {
        return false;
    };
    for (depth, key) in parents.iter().enumerate() {
        if text.get(object.start) != Some(&b'{') {
            return false;
        }
        match find(text, &object, key) {
            Some((_, found)) => object = found,
            None => {
                insert(text, &object, &keys[depth..], value, out);
                return true;
            }
        }
    }
    if text.get(object.start) != Some(&b'{') {
        return false;
    }
    match find(text, &object, last) {
        Some((_, found)) => splice(text, found, value, out),
        None => insert(text, &object, &keys[parents.len()..], value, out),
    }
    true
}

/// The value at a path. Of equal keys the last counts.
pub fn get(text: &[u8], keys: &[Box<str>]) -> Option<Range<usize>> {
    let object = object(text)?;
    keys.iter().try_fold(object, |object, key| {
        find(text, &object, key).map(|(_, value)| value)
    })
}

/// Writes into `out` the text without the members at a path, all of equal keys in one pass. `false` where there is none.
pub fn remove(text: &[u8], keys: &[Box<str>], out: &mut Vec<u8>) -> bool {
    let Some(mut object) = object(text) else {
        return false;
    };
    let Some((last, parents)) = keys.split_last() else {
        return false;
    };
    for key in parents {
        match find(text, &object, key) {
            Some((_, found)) => object = found,
            None => return false,
        }
    }
    out.clear();
    let (mut copied, mut previous, mut kept) = (0, None, false);
    for (key, value) in json::members(text, object) {
        if !json::key_is(&text[key.clone()], last) {
            kept = true;
        } else if let (true, Some(end)) = (kept, previous) {
            out.extend_from_slice(&text[copied..end]);
            copied = value.end;
        } else {
            out.extend_from_slice(&text[copied..key.start - 1]);
            let after = json::skip_space(text, value.end);
            copied = if text.get(after) == Some(&b',') {
                json::skip_space(text, after + 1)
            } else {
                value.end
            };
        }
        previous = Some(value.end);
    }
    out.extend_from_slice(&text[copied..]);
    copied > 0
}

/// The range of the object in a text that holds one, with white space around it.
fn object(text: &[u8]) -> Option<Range<usize>> {
    let start = json::skip_space(text, 0);
    (text.get(start) == Some(&b'{')).then(|| start..text.trim_ascii_end().len())
}

/// The last member with a key: between the key's quotes, and its value.
fn find(text: &[u8], object: &Range<usize>, wanted: &str) -> Option<(Range<usize>, Range<usize>)> {
    json::members(text, object.clone())
        .filter(|(key, _)| json::key_is(&text[key.clone()], wanted))
        .last()
}

fn splice(text: &[u8], range: Range<usize>, with: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(&text[..range.start]);
    out.extend_from_slice(with);
    out.extend_from_slice(&text[range.end..]);
}

/// Adds a member, inside new objects where the path has further keys, before the brace that closes the object.
fn insert(text: &[u8], object: &Range<usize>, keys: &[Box<str>], value: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let brace = object.end - 1;
    let filled = text[..brace].trim_ascii_end();
    out.extend_from_slice(filled);
    if filled.last() != Some(&b'{') || filled.len() != object.start + 1 {
        out.push(b',');
    }
    for (depth, key) in keys.iter().enumerate() {
        if depth > 0 {
            out.push(b'{');
        }
        json::quote_into(key.as_bytes(), out);
        out.push(b':');
    }
    out.extend_from_slice(value);
    out.resize(out.len() + keys.len() - 1, b'}');
    out.extend_from_slice(&text[filled.len()..]);
}
