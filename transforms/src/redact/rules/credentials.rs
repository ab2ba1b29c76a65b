//! Judging credentials. For those with a prefix of their own the shape is enough; others need a word near them.

use tapline_core::json;

use crate::redact::action::is_replacement;
use crate::redact::validate::{Found, Verdict, behind};

/// Keys of JSON members that [`key_value`] takes the value of.
pub const SECRET_KEYS: &[&str] = &[
    "*password",
    "*passwd",
    "*passphrase",
    "*pwd",
    "*secret",
    "*secretkey",
    "*secret_key",
    "*secret-key",
    "*secret.key",
    "*apikey",
    "*api_key",
    "*api-key",
    "*api.key",
    "*privatekey",
    "*private_key",
    "*private-key",
    "*private.key",
    "*accesskey",
    "*access_key",
    "*access-key",
    "*access.key",
    "*accountkey",
    "*account_key",
    "*account-key",
    "*account.key",
    "*signingkey",
    "*signing_key",
    "*signing-key",
    "*signing.key",
    "*encryptionkey",
    "*encryption_key",
    "*encryption-key",
    "*encryption.key",
    "token",
    "*accesstoken",
    "*authtoken",
    "*refreshtoken",
    "*idtoken",
    "*bearertoken",
    "*apitoken",
    "*sessiontoken",
    "*_token",
    "*-token",
    "*.token",
];

/// From the BEGIN line to the END line of the same block, or to the end of the text where that is missing.
pub fn pem(found: &Found<'_>) -> Verdict {
    let rest = found.text.get(found.range.end..).unwrap_or_default();
    let end = memchr::memmem::find(rest, b"-----END ").and_then(|end| {
        let line = &rest[end + 9..];
        memchr::memmem::find(line, b"-----").map(|dashes| end + 9 + dashes + 5)
    });
    let end = end.map_or(found.text.len(), |end| found.range.end + end);
    Verdict::Redact(found.range.start..end)
}

/// A PEM block that is neither OpenSSH's nor PGP's: `RSA PRIVATE KEY`, `ENCRYPTED PRIVATE KEY`, `PRIVATE KEY` ….
pub fn pkcs(found: &Found<'_>) -> Verdict {
    if memchr::memmem::find(found.bytes(), b" OPENSSH ").is_some() {
        return found.none_in_it();
    }
    pem(found)
}

/// From the first line to the end of the MAC's line, or to the end of the text.
pub fn putty(found: &Found<'_>) -> Verdict {
    let rest = found.text.get(found.range.end..).unwrap_or_default();
    let end = memchr::memmem::find(rest, b"Private-MAC:").map(|mac| {
        let start = mac + b"Private-MAC:".len();
        let start = start + skip(&rest[start..], b" ");
        let digits = rest[start..].iter();
        start + digits.take_while(|byte| byte.is_ascii_hexdigit()).count()
    });
    let end = end.map_or(found.text.len(), |end| found.range.end + end);
    Verdict::Redact(found.range.start..end)
}

/// An id of an AWS key or principal: 20 characters and no more.
///
/// Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>, read 2026-11-23.
pub fn aws_access_key(found: &Found<'_>) -> Verdict {
    let next = found.behind();
    if found.before().is_ascii_alphanumeric() || next.is_ascii_uppercase() || next.is_ascii_digit()
    {
        return found.no();
    }
    found.yes()
}

/// 40 characters of base64 near the word `secret` or `aws`, as random as a key is and hex digits are not.
pub fn aws_secret_key(found: &Found<'_>) -> Verdict {
    let bytes = found.bytes();
    if bytes.len() != 40 || found.behind() == b'=' {
        return found.none_in_it();
    }
    if entropy(bytes) < 4.0 || !found.is_near(&["secret", "aws", "akia"], 64) {
        return found.none_in_it();
    }
    found.yes()
}

/// Shannon's entropy of the bytes, in bits a byte.
pub fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0u32; 256];
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    let total = bytes.len() as f64;
    let bits = |count: &u32| {
        let share = f64::from(*count) / total;
        -share * share.log2()
    };
    counts.iter().filter(|count| **count > 0).map(bits).sum()
}

/// Header, payload and signature of a JSON Web Token; also the five parts of an encrypted one.
///
/// The header must be a JSON object with `alg`. Source: RFC 7515, RFC 7516.
pub fn jwt(found: &Found<'_>) -> Verdict {
    let bytes = found.bytes();
    let header = bytes.split(|byte| *byte == b'.').next().unwrap_or_default();
    if !names_an_algorithm(header) {
        return found.no();
    }
    let mut end = found.range.end;
    for _ in 0..2 {
        if behind(found.text, end) != b'.' {
            break;
        }
        let part = found.text[end + 1..].iter();
        let length = part.take_while(|byte| is_base64url(**byte)).count();
        if length == 0 {
            break;
        }
        end += 1 + length;
    }
    Verdict::Redact(found.range.start..end)
}

/// Longest header that is decoded, in characters; a longer one passes as one.
const JWT_HEADER_MAX: usize = 4_096;

fn names_an_algorithm(header: &[u8]) -> bool {
    if header.len() > JWT_HEADER_MAX {
        return true;
    }
    let mut decoded = [0; JWT_HEADER_MAX];
    let Some(length) = decode_base64(header, &mut decoded) else {
        return false;
    };
    let text = &decoded[..length];
    json::whole_value(text).is_some_and(|object| {
        json::members(text, object).any(|(key, _)| json::key_is(&text[key], "alg"))
    })
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// Decodes either alphabet of base64, padded or not, into the front of `out`; how many bytes that were. `None` where
/// a character belongs to neither, or `out` is full.
pub fn decode_base64(text: &[u8], out: &mut [u8]) -> Option<usize> {
    let (mut bits, mut held, mut length) = (0u32, 0, 0);
    let body = text.strip_suffix(b"=").unwrap_or(text);
    let body = body.strip_suffix(b"=").unwrap_or(body);
    for byte in body {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            *out.get_mut(length)? = (bits >> held) as u8;
            length += 1;
        }
    }
    Some(length)
}

/// A token of Slack whole; of a webhook what follows the kind.
pub fn slack(found: &Found<'_>) -> Verdict {
    let bytes = found.bytes();
    if !bytes.starts_with(b"hooks") {
        return found.yes();
    }
    let start = bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'/')
        .nth(1);
    let start = start.map_or(0, |(at, _)| at + 1);
    Verdict::Redact(found.range.start + start..found.range.end)
}

/// A key of OpenAI: a word of its own with a digit in it.
pub fn open_ai(found: &Found<'_>) -> Verdict {
    let digits = found.bytes().iter().any(u8::is_ascii_digit);
    if digits && !found.before().is_ascii_alphanumeric() {
        return found.yes();
    }
    found.no()
}

/// What stands behind the equals sign.
pub fn after_equals(found: &Found<'_>) -> Verdict {
    let start = memchr::memchr(b'=', found.bytes()).map_or(0, |at| at + 1);
    Verdict::Redact(found.range.start + start..found.range.end)
}

/// The password of `scheme://user:password@host`.
///
/// A password may hold `@`, and in careless URLs `/`. Digits between a colon and a slash are a port.
pub fn url(found: &Found<'_>) -> Verdict {
    let bytes = found.bytes();
    // The pattern gives `://`, the user, a colon, and ends with an `@`.
    let Some(colon) = memchr::memchr(b':', &bytes[3..]).map(|at| at + 3) else {
        return found.no();
    };
    let secret = &bytes[colon + 1..];
    let authority = secret
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?' | b'#'));
    let end = match authority {
        Some(slash) => match memchr::memrchr(b'@', &secret[..slash]) {
            Some(at) => Some(at),
            None if secret[..slash].iter().all(u8::is_ascii_digit) => None,
            None => memchr::memrchr(b'@', secret),
        },
        None => memchr::memrchr(b'@', secret),
    };
    let start = found.range.start + colon + 1;
    match end {
        Some(end) if end > 0 && bytes[3] != b'[' => {
            if is_replacement(&secret[..end]) {
                return Verdict::Reject(start + end);
            }
            Verdict::Redact(start..start + end)
        }
        _ => found.no(),
    }
}

/// The value of a member of a URL's query.
pub fn query(found: &Found<'_>) -> Verdict {
    let value = memchr::memchr(b'=', found.bytes()).map_or(0, |at| at + 1);
    redact_from(found, value)
}

/// A word of base64 or hex that is as random as one gets, with digits and no pattern of a path.
pub fn high_entropy(found: &Found<'_>) -> Verdict {
    let bytes = found.bytes();
    let hex = bytes.iter().all(u8::is_ascii_hexdigit);
    let digits = bytes.iter().any(u8::is_ascii_digit);
    let letters = bytes.iter().any(u8::is_ascii_alphabetic);
    let least = if hex { 3.0 } else { 4.5 };
    if digits && letters && entropy(bytes) >= least {
        return found.yes();
    }
    found.none_in_it()
}

/// The credential of an `Authorization` header, or of a scheme that stands without its header.
pub fn authorization(found: &Found<'_>) -> Verdict {
    let bytes = found.bytes();
    let schemed = starts_with_scheme(bytes);
    let Some(scheme) = schemed else {
        let separator = bytes.iter().position(|byte| matches!(byte, b'=' | b':'));
        let start = separator.map_or(0, |at| at + 1);
        let start = start + skip(&bytes[start..], b" \t\r\n\\\"'");
        let start = start + starts_with_scheme(&bytes[start..]).unwrap_or(0);
        return redact_from(found, start);
    };
    let credential = &bytes[scheme..];
    let named = found.is_near(&["authorization"], 32);
    let basic = bytes[1].eq_ignore_ascii_case(&b'a');
    let mut decoded = [0; 512];
    let likely = if basic {
        let shown = &credential[..credential.len().min(512)];
        decode_base64(shown, &mut decoded)
            .is_some_and(|length| memchr::memchr(b':', &decoded[..length]).is_some())
    } else {
        credential.len() >= 16 && credential.iter().any(u8::is_ascii_digit)
    };
    if found.before().is_ascii_alphanumeric() || !(named || likely) {
        return found.no();
    }
    redact_from(found, scheme)
}

/// From an offset in it to its end; what an earlier redaction left stays.
pub fn redact_from(found: &Found<'_>, start: usize) -> Verdict {
    let range = found.range.start + start..found.range.end;
    if range.is_empty() || is_replacement(&found.text[range.clone()]) {
        return found.none_in_it();
    }
    Verdict::Redact(range)
}

/// The length of a scheme's word with the space behind it.
fn starts_with_scheme(bytes: &[u8]) -> Option<usize> {
    [&b"bearer"[..], b"basic"].iter().find_map(|word| {
        let head = bytes.get(..word.len())?;
        let space = skip(&bytes[word.len()..], b" \t");
        (head.eq_ignore_ascii_case(word) && space > 0).then_some(word.len() + space)
    })
}

fn skip(bytes: &[u8], what: &[u8]) -> usize {
    bytes.iter().take_while(|byte| what.contains(byte)).count()
}

/// The value of `password=…`, `"secret": "…"` and the like.
pub fn key_value(found: &Found<'_>) -> Verdict {
    let bytes = found.bytes();
    let separator = bytes.iter().position(|byte| matches!(byte, b'=' | b':'));
    let word = &bytes[..separator.unwrap_or(0)];
    let glued = word.len() >= 5
        && word[..5].eq_ignore_ascii_case(b"token")
        && found.before().is_ascii_alphabetic()
        && !ends_with_kind(&found.text[..found.range.start]);
    if glued {
        return found.no();
    }
    let start = separator.map_or(0, |at| at + 1);
    let start = start + skip(&bytes[start..], b"> \t\r\n");
    let quoted = skip(&bytes[start..], b"\\\"'");
    let start = start + quoted;
    let mut end = bytes.len();
    if quoted > 0 {
        // The backslash before the closing quote belongs to it.
        while end > start && bytes[end - 1] == b'\\' {
            end -= 1;
        }
    } else {
        // A comma behind it belongs to what it stands in; one inside may be its own.
        while end > start && bytes[end - 1] == b',' {
            end -= 1;
        }
    }
    let value = &bytes[start..end];
    let trimmed = value.trim_ascii_end();
    let trimmed = trimmed.strip_suffix(b",").unwrap_or(trimmed);
    const NO_SECRET: [&[u8]; 6] = [b"", b"null", b"none", b"true", b"false", b"undefined"];
    let nothing = NO_SECRET
        .iter()
        .any(|word| trimmed.eq_ignore_ascii_case(word));
    let opens = quoted == 0 && matches!(trimmed, b"{" | b"[");
    if nothing || opens || is_replacement(trimmed) {
        return Verdict::Reject(found.range.start + start.max(1));
    }
    Verdict::Redact(found.range.start + start..found.range.start + end)
}

/// Whether what stands before `token` makes it one that is secret: `accessToken`.
fn ends_with_kind(text: &[u8]) -> bool {
    const KINDS: [&[u8]; 7] = [
        b"access", b"auth", b"refresh", b"id", b"bearer", b"api", b"session",
    ];
    KINDS.iter().any(|kind| {
        let tail = text
            .len()
            .checked_sub(kind.len())
            .map(|start| &text[start..]);
        tail.is_some_and(|tail| tail.eq_ignore_ascii_case(kind))
    })
}
