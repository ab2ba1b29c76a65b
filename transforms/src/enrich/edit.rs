//! Setting and removing one member of a JSON object, on its text.
//!
//! The text is known to hold one whole object and nothing else, or to be empty: it is not checked again here.

use std::ops::Range;

use tapline_core::expr::Place;
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

/// Writes into `out` the text with what stands in a range replaced.
pub fn replace(text: &[u8], range: Range<usize>, value: &[u8], out: &mut Vec<u8>) {
    splice(text, range, value, out);
}

/// Writes into `out` the text with a member added whose first key the object is known to lack. `false`, with `out` of no
/// use, where the text is no object.
pub fn add(text: &[u8], keys: &[Box<str>], value: &[u8], out: &mut Vec<u8>) -> bool {
    let object = object(text);
    if let Some(object) = &object {
        insert(text, object, keys, value, out);
    }
    object.is_some()
}

/// Writes into `out` the text without the member that was found at a place, whose key stands in its object once.
pub fn cut(text: &[u8], found: Place, out: &mut Vec<u8>) {
    out.clear();
    let before = text[..found.key as usize].trim_ascii_end();
    if before.last() == Some(&b',') {
        out.extend_from_slice(before[..before.len() - 1].trim_ascii_end());
        out.extend_from_slice(&text[found.end as usize..]);
    } else {
        out.extend_from_slice(&text[..found.key as usize]);
        let after = json::skip_space(text, found.end as usize);
        let rest = match text.get(after) {
            Some(b',') => json::skip_space(text, after + 1),
            _ => found.end as usize,
        };
        out.extend_from_slice(&text[rest..]);
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tapline_core::expr::{NO_PLACES, Path, Paths};

    proptest! {
        /// What is cut, replaced or added at a place that one walk found is what a walk of its own would do.
        #[test]
        fn an_edit_at_a_place_is_the_edit_of_its_path(
            text in r#"\{ ?("(a|b|c)" ?: ?(1|"x,\}"|\{ ?("(a|b)":[0-9] ?,){0,2}"c":2 ?\}|\[1\]) ?, ?){0,4}"(d|a)" ?:true ?\} ?"#,
            wanted in prop::sample::select(vec![".a", ".b", ".c", ".d", ".a.a", ".b.c", ".absent", ".c.absent"]),
        ) {
            let path = Path::parse(wanted).unwrap();
            let keys: Vec<Box<str>> = wanted[1..].split('.').map(Into::into).collect();
            let mut paths = Paths::default();
            let place = paths.add(&path);
            let mut places = NO_PLACES;
            let bytes = text.as_bytes();
            paths.locate(bytes, 0, &mut places, |_, _| {}).unwrap();
            let found = places[place];
            let (mut at_place, mut by_path) = (Vec::new(), Vec::new());
            let there = remove(bytes, &keys, &mut by_path);
            prop_assert_eq!(there, !found.is_empty());
            let set_there = set(bytes, &keys, b"7", &mut at_place);
            if there && !found.repeated {
                cut(bytes, found, &mut at_place);
                prop_assert_eq!(&at_place, &by_path, "{}", text);
            }
            set(bytes, &keys, b"7", &mut by_path);
            if there {
                replace(bytes, found.range(), b"7", &mut at_place);
                prop_assert_eq!(at_place, by_path, "{}", text);
            } else if keys.len() == 1 {
                prop_assert!(set_there && add(bytes, &keys, b"7", &mut at_place));
                prop_assert_eq!(at_place, by_path, "{}", text);
            }
        }
    }
}
