//! How a person or a machine is reached: mail, telephone, addresses of networks, places.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::Group::{Network, Personal};
use super::numbers::{number, stands_apart};
use super::{Rule, rule};
use crate::redact::validate::{Found, Verdict, behind};

/// A number with its plus, or seven digits and more with what people write between them.
const PHONE: &str = r"[+(]?[0-9](?:[ ()./-]{0,2}[0-9]){6,14}";

/// The table.
pub const RULES: &[Rule] = &[
    rule(
        "EmailAddress",
        Personal,
        r"[A-Za-z0-9._%+'\x80-\xff-]+(?:@|%40)[A-Za-z0-9\x80-\xff-]+(?:\.[A-Za-z0-9\x80-\xff-]+)+",
        email,
    ),
    rule("PhoneNumber", Personal, PHONE, |found| phone(found, &ANY)),
    rule("PhoneNumber-BR", Personal, PHONE, |found| phone(found, &BR)),
    rule("PhoneNumber-DE", Personal, PHONE, |found| phone(found, &DE)),
    rule("PhoneNumber-ES", Personal, PHONE, |found| phone(found, &ES)),
    rule("PhoneNumber-FR", Personal, PHONE, |found| phone(found, &FR)),
    rule("PhoneNumber-GB", Personal, PHONE, |found| phone(found, &GB)),
    rule("PhoneNumber-IT", Personal, PHONE, |found| phone(found, &IT)),
    rule("PhoneNumber-US", Personal, PHONE, |found| phone(found, &US)),
    Rule {
        keys: &["latitude", "longitude", "lat", "lng", "lon"],
        words: &[
            "coordinate",
            "lat",
            "latitude",
            "long",
            "longitude",
            "lon",
            "lng",
            "gps",
            "geo",
            "location",
            "position",
        ],
        ..rule(
            "LatLong",
            Personal,
            r#"[+-]?[0-9]{1,3}\.[0-9]{3,} ?[,;/ ] ?[+-]?[0-9]{1,3}\.[0-9]{3,}|(?i:lat|lon|long|lng|latitude|longitude)[=: ]{1,3}[+-]?[0-9]{1,3}\.[0-9]{2,}|(?i:latitude|longitude|lat|lng|lon)" *:"#,
            place,
        )
    },
    rule(
        "IpAddress",
        Network,
        r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}",
        ip,
    ),
    rule(
        "MacAddress",
        Network,
        "[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}",
        mac,
    ),
];

/// How a country writes its numbers.
struct Country {
    /// Its calling code; empty: any.
    code: &'static str,
    /// How many digits a number has behind the code.
    digits: std::ops::RangeInclusive<usize>,
    /// What a number that is written without the code begins with; empty: any digit.
    starts: &'static [u8],
    /// How many digits such a number has.
    inland: std::ops::RangeInclusive<usize>,
}

/// Source: ITU-T E.164 and its national numbering plans,
/// <https://www.itu.int/oth/T0202.aspx?parent=T0202>, read 2026-11-25.
const ANY: Country = Country {
    code: "",
    digits: 7..=14,
    starts: b"",
    inland: 7..=15,
};
const BR: Country = Country {
    code: "55",
    digits: 10..=11,
    starts: b"123456789",
    inland: 10..=11,
};
const DE: Country = Country {
    code: "49",
    digits: 6..=12,
    starts: b"0",
    inland: 7..=13,
};
const ES: Country = Country {
    code: "34",
    digits: 9..=9,
    starts: b"6789",
    inland: 9..=9,
};
const FR: Country = Country {
    code: "33",
    digits: 9..=9,
    starts: b"0",
    inland: 10..=10,
};
const GB: Country = Country {
    code: "44",
    digits: 9..=10,
    starts: b"0",
    inland: 10..=11,
};
const IT: Country = Country {
    code: "39",
    digits: 8..=11,
    starts: b"03",
    inland: 8..=11,
};
const US: Country = Country {
    code: "1",
    digits: 10..=10,
    starts: b"23456789",
    inland: 10..=10,
};

/// Words beside a number that is written without a calling code.
const PHONE_WORDS: &[&str] = &[
    "phone",
    "telephone",
    "tel",
    "mobile",
    "cell",
    "cellphone",
    "fax",
    "sms",
    "whatsapp",
    "msisdn",
    "telefon",
    "telefone",
    "telefono",
    "téléphone",
    "teléfono",
    "handy",
    "portable",
    "movil",
    "móvil",
    "celular",
    "cellulare",
    "contactnumber",
];

/// An e-mail address whose last label is letters (or punycode), so that `pkg@1.2.3` is none.
fn email(found: &Found<'_>) -> Verdict {
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

/// A number in the international form, of 8 to 15 digits; an American one in its three groups; or any near a word.
fn phone(found: &Found<'_>, country: &Country) -> Verdict {
    let bytes = found.bytes();
    if bytes[0] == b'+' {
        return international(found, country);
    }
    if matches!(country.code, "" | "1") {
        let american = american(found);
        if american != found.none_in_it() {
            return american;
        }
    }
    let verdict = inland(found, country);
    found.near_or_none(verdict, PHONE_WORDS)
}

/// `+`, the calling code, and as many digits as the country has.
fn international(found: &Found<'_>, country: &Country) -> Verdict {
    let bytes = found.bytes();
    let mut digits = [0; 16];
    let mut count = 0;
    for byte in bytes.iter().filter(|byte| byte.is_ascii_digit()) {
        digits[count] = *byte;
        count += 1;
    }
    let fits = digits[..count]
        .strip_prefix(country.code.as_bytes())
        .is_some_and(|rest| country.digits.contains(&rest.len()) || (rest.len() == 15));
    let first = found.before();
    if !fits
        || digits[0] == b'0'
        || count < 8
        || first.is_ascii_alphanumeric()
        || first == b'+'
        || found.behind().is_ascii_alphanumeric()
    {
        return found.no();
    }
    found.yes()
}

/// Three digits, three, four; area and exchange begin with 2 to 9.
///
/// Source: <https://www.nanpa.com/numbering>, read 2026-11-25.
fn american(found: &Found<'_>) -> Verdict {
    const SHAPES: &[&str] = &["ddd-ddd-dddd", "ddd.ddd.dddd"];
    let judge = |digits: &[u8]| digits[0] >= b'2' && digits[3] >= b'2';
    let bytes = found.bytes();
    let rest = match bytes {
        [b'(', _, _, _, b')', b' ', rest @ ..] | [b'(', _, _, _, b')', rest @ ..] => rest,
        _ => return number(found, SHAPES, judge),
    };
    let plain = rest.len() == 8
        && matches!(rest[3], b'-' | b'.' | b' ')
        && rest.iter().filter(|byte| byte.is_ascii_digit()).count() == 7;
    if plain && bytes[1] >= b'2' && rest[0] >= b'2' && !found.behind().is_ascii_alphanumeric() {
        return found.yes();
    }
    found.none_in_it()
}

/// As many digits as a number without a calling code has, up to the end of one of their groups.
fn inland(found: &Found<'_>, country: &Country) -> Verdict {
    let (text, mut run) = (found.text, found.range.clone());
    if found.bytes()[0] == b'(' && !found.bytes().contains(&b')') {
        run.start += 1;
    }
    let first = found.bytes().iter().find(|byte| byte.is_ascii_digit());
    let begins =
        country.starts.is_empty() || first.is_some_and(|byte| country.starts.contains(byte));
    if !begins {
        return found.none_in_it();
    }
    for end in (run.start + 1..=run.end).rev() {
        if !text[end - 1].is_ascii_digit() || behind(text, end).is_ascii_digit() {
            continue;
        }
        let digits = text[run.start..end]
            .iter()
            .filter(|byte| byte.is_ascii_digit())
            .count();
        if country.inland.contains(&digits) && stands_apart(text, &(run.start..end)) {
            return Verdict::Redact(run.start..end);
        }
    }
    found.none_in_it()
}

/// Degrees of latitude and longitude, both or one behind its name.
fn place(found: &Found<'_>) -> Verdict {
    let bytes = found.bytes();
    let named = bytes[0].is_ascii_alphabetic();
    if bytes.ends_with(b":") {
        return found.none_in_it();
    }
    let start = bytes
        .iter()
        .position(|byte| matches!(byte, b'+' | b'-' | b'0'..=b'9'))
        .unwrap_or(0);
    let range = found.range.start + start..found.range.end;
    let text = std::str::from_utf8(&bytes[start..]).unwrap_or_default();
    let mut degrees = text
        .split([',', ';', '/', ' '])
        .filter(|part| !part.is_empty())
        .map(|part| part.parse::<f64>().unwrap_or(f64::MAX).abs());
    let most = if named { 180.0 } else { 90.0 };
    let sound =
        degrees.next().is_some_and(|value| value <= most) && degrees.all(|value| value <= 180.0);
    if !sound
        || !stands_apart(found.text, &range)
        || (named && found.before().is_ascii_alphabetic())
    {
        return found.no();
    }
    Verdict::Redact(range)
}

/// An address of IP version 4 or 6. One of version 6 needs a digit, so that `a::b` is none.
fn ip(found: &Found<'_>) -> Verdict {
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
        let is_version = is_version(&found.text[..found.range.start]);
        return if octets.is_ok() && !longer && !is_version {
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

/// Whether the text before four numbers says that they are a version: `version 1.2.3.4`, `pkg@1.2.3.4`, or a browser's
/// name. `host/10.0.0.1`, as Java prints addresses, is none.
fn is_version(text: &[u8]) -> bool {
    const BROWSERS: [&[u8]; 8] = [
        b"chrome",
        b"chromium",
        b"headlesschrome",
        b"edg",
        b"edge",
        b"opr",
        b"version",
        b"electron",
    ];
    let tail = &text[text.len().saturating_sub(20)..];
    let Some((last, rest)) = tail.split_last() else {
        return false;
    };
    let word = |text: &[u8]| {
        let letters = text
            .iter()
            .rev()
            .take_while(|byte| byte.is_ascii_alphabetic());
        text[text.len() - letters.count()..].to_ascii_lowercase()
    };
    match last {
        b'/' => BROWSERS.contains(&&word(rest)[..]),
        b'@' => rest.last().is_some_and(u8::is_ascii_alphanumeric),
        b' ' | b':' | b'=' | b'"' => {
            let end = rest
                .iter()
                .rposition(u8::is_ascii_alphanumeric)
                .map_or(0, |at| at + 1);
            word(&rest[..end]) == b"version"
        }
        _ => false,
    }
}

/// Six pairs of hex digits with one kind of separator.
fn mac(found: &Found<'_>) -> Verdict {
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
