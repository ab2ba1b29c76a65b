//! The bytes of one POST, shared by all that refer to records in them.

use crate::budget::Charge;
use crate::limits;

/// The bytes of one POST (or of one joined record, or of a record that Tapline made). They never change.
#[derive(Debug)]
pub struct Body {
    bytes: Vec<u8>,
    charge: Charge,
}

impl Body {
    /// Wraps bytes that `charge` has paid for. Always valid UTF-8: what is not becomes U+FFFD; the second value
    /// counts those places.
    pub fn new(bytes: Vec<u8>, mut charge: Charge) -> (Body, u64) {
        debug_assert!(bytes.len() <= limits::BODY_BYTES_MAX * 3);
        let (bytes, replaced) = match String::from_utf8(bytes) {
            Ok(text) => (text.into_bytes(), 0),
            Err(error) => replace_invalid(error.as_bytes()),
        };
        let held = bytes.capacity();
        if held as u64 > charge.bytes() {
            charge.grow_over(held - charge.bytes() as usize);
        } else {
            charge.shrink_to(held);
        }
        (Body { bytes, charge }, replaced)
    }

    /// The bytes, valid UTF-8.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What this body counts for in the budget, in bytes.
    pub fn charged(&self) -> u64 {
        self.charge.bytes()
    }

    /// The budget that this body is charged to.
    pub fn budget(&self) -> &crate::budget::Budget {
        self.charge.budget()
    }
}

fn replace_invalid(bytes: &[u8]) -> (Vec<u8>, u64) {
    let mut text = Vec::with_capacity(bytes.len() + 16);
    let mut replaced = 0;
    for chunk in bytes.utf8_chunks() {
        text.extend_from_slice(chunk.valid().as_bytes());
        if !chunk.invalid().is_empty() {
            text.extend_from_slice("\u{FFFD}".as_bytes());
            replaced += 1;
        }
    }
    (text, replaced)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budget;

    #[test]
    fn invalid_utf8_becomes_the_replacement_character_and_is_counted() {
        let budget = Budget::new(1_000);
        let charge = budget.charge(6).unwrap();
        let (body, replaced) = Body::new(b"a\xFFb\xC3(c".to_vec(), charge);
        assert_eq!(body.bytes(), "a\u{FFFD}b\u{FFFD}(c".as_bytes());
        assert_eq!(replaced, 2);
        assert_eq!(budget.used(), body.charged());
        drop(body);
        assert_eq!(budget.used(), 0);
    }
}
