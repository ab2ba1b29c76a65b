//! The little XML that answers of S3 and STS hold: texts of elements by name.
//!
//! No tree is built and nothing is allocated but the text. Namespaces, attributes, comments and everything else around
//! the wanted element are passed over; what is no XML has no element.

/// Longest text that is given back, in bytes; a session token has some 1,500.
const TEXT_BYTES_MAX: usize = 16 << 10;

/// The text of the first element with this name, its references resolved.
pub(crate) fn text_of(xml: &[u8], name: &str) -> Option<String> {
    let xml = std::str::from_utf8(xml).ok().or_else(|| {
        // A body may have been cut inside a character.
        let valid = std::str::from_utf8(xml).err()?.valid_up_to();
        std::str::from_utf8(&xml[..valid]).ok()
    })?;
    let mut rest = xml;
    while let Some(found) = rest.find('<') {
        rest = &rest[found + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = &comment[comment.find("-->")? + 3..];
            continue;
        }
        let end = rest.find('>')?;
        let tag = &rest[..end];
        rest = &rest[end + 1..];
        let word = tag.split_ascii_whitespace().next().unwrap_or_default();
        let local = word.rsplit(':').next().unwrap_or_default();
        if local == name && !tag.ends_with('/') {
            let text = &rest[..rest.find('<')?];
            return (text.len() <= TEXT_BYTES_MAX).then(|| resolved(text.trim()));
        }
    }
    None
}

fn resolved(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(found) = rest.find('&') {
        out.push_str(&rest[..found]);
        rest = &rest[found..];
        let reference = rest.find(';').map(|end| &rest[1..end]);
        match reference.and_then(character) {
            Some(character) => {
                out.push(character);
                rest = &rest[reference.map_or(0, str::len) + 2..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn character(reference: &str) -> Option<char> {
    match reference {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = reference.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_are_found_by_name_whatever_is_around_them() {
        let rows = [
            (
                "<Error><Code>NoSuchBucket</Code></Error>",
                Some("NoSuchBucket"),
            ),
            (
                "<?xml version=\"1.0\"?>\n<Error><Code>A</Code><Code>B</Code></Error>",
                Some("A"),
            ),
            (
                "<a:Error xmlns:a=\"x\"><a:Code b='c'> S </a:Code></a:Error>",
                Some("S"),
            ),
            ("<!-- <Code>no</Code> --><Code>yes</Code>", Some("yes")),
            ("<Code/><Code>full</Code>", Some("full")),
            (
                "<Code>&lt;a&amp;b&#33;&#x21;&nope;&</Code>",
                Some("<a&b!!&nope;&"),
            ),
            ("<CodeX>no</CodeX>", None),
            ("<Code>not closed", None),
            ("<html>busy</html>", None),
            ("", None),
        ];
        for (xml, wanted) in rows {
            assert_eq!(text_of(xml.as_bytes(), "Code").as_deref(), wanted, "{xml}");
        }
        let mut cut = "<Code>x</Code>ä".as_bytes().to_vec();
        cut.pop();
        assert_eq!(text_of(&cut, "Code").as_deref(), Some("x"));
        let long = format!("<Code>{}</Code>", "x".repeat(1 << 20));
        assert_eq!(text_of(long.as_bytes(), "Code"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "[<>/&;#x!a-c -]{0,60}") {
            text_of(&bytes, "Code");
            text_of(text.as_bytes(), "a");
        }
    }
}
