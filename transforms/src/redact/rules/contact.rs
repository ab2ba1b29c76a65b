//! Judging what identifies a person or a machine: addresses, phones, American social security numbers.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::redact::validate::{Found, Verdict, before, behind};

/// An e-mail address whose last label is letters (or punycode), so that `pkg@1.2.3` is none.
pub fn email(found: &Found<'_>) -> Verdict {
    let bytes = found.bytes();
    let at = memchr::memrchr(b'@', bytes)
        .map(|at| (at, 1))
        .or_else(|| memchr::memmem::rfind(bytes, b"%40").map(|at| (at, 3)));
    let Some((at, length)) = at else {
        return found.none_in_it();
    };
    let domain = &bytes[at + length..];
    // Labels behind the last good one are text that follows: `joe@example.com.5`.
    let mut end = domain.len();
    loop {
        let Some(dot) = memchr::memrchr(b'.', &domain[..end]) else {
            return found.none_in_it();
        };
        let label = domain[dot + 1..end].trim_ascii_end();
        let label = label.strip_suffix(b"-").unwrap_or(label);
        let letters = label
            .iter()
            .all(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii());
        if (letters && label.len() >= 2) || label.starts_with(b"xn--") {
            let length = at + length + dot + 1 + label.len();
            return Verdict::Redact(found.range.start..found.range.start + length);
        }
        end = dot;
    }
}

/// `ddd-dd-dddd`, or nine digits near a word that says what they are. Areas 000, 666 and from 900, group 00 and serial
/// 0000 are not given out.
///
/// Source: <https://www.ssa.gov/employer/randomization.html>, read 2026-11-23.
pub fn ssn(found: &Found<'_>) -> Verdict {
    let bytes = found.bytes();
    let joined = |edge: u8, next: u8| {
        edge.is_ascii_alphanumeric() || (edge == b'-' && next.is_ascii_digit())
    };
    let (start, end) = (found.range.start, found.range.end);
    if joined(found.before(), before(found.text, start.saturating_sub(1)))
        || joined(found.behind(), behind(found.text, end + 1))
    {
        // All digits that hang together are looked at once.
        let digits = found.text[start..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit());
        return Verdict::Reject(start + digits.count().max(1));
    }
    let mut digits = [0; 9];
    let only_digits = bytes.iter().filter(|byte| byte.is_ascii_digit());
    for (slot, digit) in digits.iter_mut().zip(only_digits) {
        *slot = *digit;
    }
    let (area, group, serial) = (&digits[..3], &digits[3..5], &digits[5..]);
    let given =
        area != b"000" && area != b"666" && area[0] != b'9' && group != b"00" && serial != b"0000";
    let dashed = bytes.len() == 11 && bytes[3] == b'-' && bytes[6] == b'-';
    const WORDS: &[&str] = &["ssn", "socialsecurity", "socsec", "ss#"];
    if given && (dashed || found.is_near(WORDS, 32)) {
        found.yes()
    } else {
        found.no()
    }
}

/// A number in the international form, of 8 to 15 digits. `country` is its calling code; empty for any.
///
/// Source: ITU-T E.164.
pub fn phone(found: &Found<'_>, country: &str) -> Verdict {
    let bytes = found.bytes();
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    let first = found.before();
    if !(8..=15).contains(&digits)
        || bytes[1] == b'0'
        || !bytes[1..].starts_with(country.as_bytes())
        || first.is_ascii_alphanumeric()
        || first == b'+'
        || found.behind().is_ascii_alphanumeric()
    {
        return found.no();
    }
    found.yes()
}

/// An address of IP version 4 or 6. One of version 6 needs a digit, so that `a::b` is none.
pub fn ip(found: &Found<'_>) -> Verdict {
    let bytes = found.bytes();
    let Ok(text) = std::str::from_utf8(bytes) else {
        return found.no();
    };
    let (first, last) = (found.before(), found.behind());
    if !found.stands_alone() {
        return found.no();
    }
    let next = behind(found.text, found.range.end + 1);
    if text.contains('.') {
        let longer = first == b'.' || (last == b'.' && next.is_ascii_digit());
        let octets: Result<Ipv4Addr, _> = text.parse();
        return if octets.is_ok() && !longer {
            found.yes()
        } else {
            found.no()
        };
    }
    // A colon that follows is punctuation, unless the address goes on.
    let longer = first == b':' || (last == b':' && next.is_ascii_hexdigit());
    for cut in [text, text.strip_suffix(':').unwrap_or(text)] {
        let digits = cut.bytes().any(|byte| byte.is_ascii_digit());
        if !longer && digits && cut.len() > 4 && cut.parse::<Ipv6Addr>().is_ok() {
            return Verdict::Redact(found.range.start..found.range.start + cut.len());
        }
    }
    found.no()
}

/// Six pairs of hex digits with one kind of separator.
pub fn mac(found: &Found<'_>) -> Verdict {
    let bytes = found.bytes();
    let separator = bytes[2];
    let same = bytes
        .iter()
        .skip(2)
        .step_by(3)
        .all(|byte| *byte == separator);
    let longer = found.before() == separator || found.behind() == separator;
    if same && !longer && found.stands_alone() {
        found.yes()
    } else {
        found.no()
    }
}
