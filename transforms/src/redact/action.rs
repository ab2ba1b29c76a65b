//! What stands in place of what was found.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What is done with a match. The order is that of what is left of it, most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// `****` and the last 4 letters or digits, where the match has at least [`PARTIAL_CHARS_MIN`] characters.
    Partial,
    /// `[RULE:0123456789abcdef]`: equal values can be told to be equal.
    Hash,
    /// `[RULE]`.
    Label,
    /// `****`.
    Mask,
    /// Nothing.
    Remove,
}

/// Shortest match of which `partial` leaves something, in characters; a shorter one is masked.
pub const PARTIAL_CHARS_MIN: usize = 12;

/// Bytes of the HMAC that a hash shows: 16 hex digits.
const HASH_BYTES: usize = 8;

/// The words in the configuration.
pub const WORDS: &[&str] = &["label", "mask", "remove", "hash", "partial"];

impl Action {
    /// The action of a word.
    pub fn parse(word: &str) -> Option<Action> {
        match word {
            "label" => Some(Action::Label),
            "mask" => Some(Action::Mask),
            "remove" => Some(Action::Remove),
            "hash" => Some(Action::Hash),
            "partial" => Some(Action::Partial),
            _ => None,
        }
    }
}

/// HMAC-SHA-256 with the configured key, set up once.
pub struct Hasher(Hmac<Sha256>);

impl Hasher {
    /// A hasher with this key.
    pub fn new(key: &[u8]) -> Option<Hasher> {
        Hmac::new_from_slice(key).ok().map(Hasher)
    }
}

/// Appends what stands for `found`. Without a hasher a hash acts as a label.
pub fn write(action: Action, id: &str, found: &[u8], hasher: Option<&Hasher>, out: &mut Vec<u8>) {
    match (action, hasher) {
        (Action::Remove, _) => {}
        (Action::Mask, _) => out.extend_from_slice(b"****"),
        (Action::Partial, _) => {
            out.extend_from_slice(b"****");
            let chars = found.iter().filter(|byte| !is_continuation(**byte)).count();
            if chars >= PARTIAL_CHARS_MIN {
                let alphanumeric = |byte: &&u8| byte.is_ascii_alphanumeric();
                let skipped = found.iter().filter(alphanumeric).count().saturating_sub(4);
                out.extend(found.iter().filter(alphanumeric).skip(skipped));
            }
        }
        (Action::Hash, Some(hasher)) => {
            let mut mac = hasher.0.clone();
            mac.update(found);
            out.push(b'[');
            out.extend_from_slice(id.as_bytes());
            out.push(b':');
            for byte in mac.finalize().into_bytes().iter().take(HASH_BYTES) {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
            out.push(b']');
        }
        (Action::Label | Action::Hash, _) => {
            out.push(b'[');
            out.extend_from_slice(id.as_bytes());
            out.push(b']');
        }
    }
}

/// Whether a byte goes on with a character of UTF-8.
pub fn is_continuation(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

/// Whether text is what an earlier redaction left, so that a second one does not redact and count it again.
pub fn is_replacement(text: &[u8]) -> bool {
    if let Some(rest) = text.strip_prefix(b"****") {
        return rest.len() <= 4;
    }
    let Some(inside) = text
        .strip_prefix(b"[")
        .and_then(|text| text.strip_suffix(b"]"))
    else {
        return false;
    };
    let (id, hash) = match memchr::memchr(b':', inside) {
        Some(colon) => (&inside[..colon], &inside[colon + 1..]),
        None => (inside, &b""[..]),
    };
    let hashed =
        hash.is_empty() || (hash.len() == 2 * HASH_BYTES && hash.iter().all(u8::is_ascii_hexdigit));
    let own = matches!(id, b"KEY" | b"OVERSIZE");
    hashed
        && (own
            || super::rules::RULES
                .iter()
                .any(|rule| rule.id.as_bytes() == id))
}
