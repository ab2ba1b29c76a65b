//! Addresses of cryptocurrencies: base58check, bech32, and Ethereum's hex.

use sha2::{Digest, Sha256};

use crate::redact::validate::{Found, Verdict};

/// Digits of base58: no 0, O, I, l.
const BASE58: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// Digits of bech32.
const BECH32: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/// An address of Bitcoin with a sound checksum, or 40 hex digits behind `0x`.
pub fn address(found: &Found<'_>) -> Verdict {
    let bytes = found.bytes();
    if !found.stands_alone() {
        return found.none_in_it();
    }
    let sound = match bytes {
        [b'0', b'x', ..] => bytes.len() == 42,
        [b'b' | b't', ..] => is_bech32(bytes),
        _ => is_base58_check(bytes),
    };
    if sound {
        found.yes()
    } else {
        found.none_in_it()
    }
}

/// One byte of version, twenty of a hash, and four of the double SHA-256 of those.
///
/// Source: <https://en.bitcoin.it/wiki/Base58Check_encoding>, read 2026-11-25.
fn is_base58_check(text: &[u8]) -> bool {
    let mut bytes = [0u8; 25];
    for character in text {
        let Some(value) = BASE58.iter().position(|digit| digit == character) else {
            return false;
        };
        let mut carry = value as u32;
        for byte in bytes.iter_mut().rev() {
            carry += u32::from(*byte) * 58;
            *byte = carry as u8;
            carry >>= 8;
        }
        if carry > 0 {
            return false;
        }
    }
    let (body, check) = bytes.split_at(21);
    let digest = Sha256::digest(Sha256::digest(body));
    digest.iter().zip(check).all(|(made, given)| made == given)
}

/// The checksum of BIP 173 leaves 1, that of BIP 350 another constant.
///
/// Source: <https://github.com/bitcoin/bips/blob/master/bip-0350.mediawiki>, read 2026-11-25.
fn is_bech32(text: &[u8]) -> bool {
    let (human, data) = (&text[..2], &text[3..]);
    let mut state = 1;
    let expanded = human.iter().map(|byte| u32::from(byte >> 5));
    let low = human.iter().map(|byte| u32::from(byte & 31));
    for value in expanded.chain([0]).chain(low) {
        state = step(state, value);
    }
    for character in data {
        let Some(value) = BECH32.iter().position(|digit| digit == character) else {
            return false;
        };
        state = step(state, value as u32);
    }
    matches!(state, 1 | 0x2bc8_30a3)
}

fn step(state: u32, value: u32) -> u32 {
    const GENERATOR: [u32; 5] = [
        0x3b6a_57b2,
        0x2650_8e6d,
        0x1ea1_19fa,
        0x3d42_33dd,
        0x2a14_62b3,
    ];
    let top = state >> 25;
    let next = (state & 0x1ff_ffff) << 5 ^ value;
    let bits = GENERATOR.iter().enumerate();
    bits.fold(next, |next, (bit, generator)| match top >> bit & 1 {
        1 => next ^ generator,
        _ => next,
    })
}
