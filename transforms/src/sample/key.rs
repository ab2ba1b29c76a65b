//! What decides whether a record is kept: 56 bits of its key, and the threshold that they are held against.

use tapline_core::batch::{Batch, Record};
use tapline_core::expr::{Path, Subject};
use tapline_core::view::View;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::attributes;

/// The attribute that bears the weight: the number of records that one stands for.
pub(super) const WEIGHT: &str = "sample_weight";

/// The attribute that says which part of the weight comes from keys other than the request id.
pub(super) const WEIGHT_BY: &str = "sample_by";

/// Seed of the hash. Part of the contract between instances and versions: never to be changed.
pub(super) const SEED: u64 = 0x7461_706c_696e_6501;

/// Bits that decide, as in OpenTelemetry's consistent sampling.
///
/// Source: <https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/>, read 2026-11-23.
const BITS: u32 = 56;

/// What a stage samples by.
pub(super) enum Key {
    RequestId,
    TraceId,
    /// As the file writes it, and read.
    Path(String, Subject),
}

impl Key {
    pub fn path(text: &str, path: Path) -> Key {
        Key::Path(text.to_owned(), Subject::Path(path))
    }

    /// The bits of a record; `None` where it lacks the key. `text` is a buffer.
    pub fn randomness(
        &self,
        batch: &Batch,
        record: &Record,
        view: &View<'_>,
        text: &mut Vec<u8>,
    ) -> Option<u64> {
        match self {
            Key::RequestId => of_text(batch.bytes(record.request_id)),
            Key::TraceId => of_trace(batch.bytes(record.trace_id)),
            Key::Path(_, subject) => {
                text.clear();
                view.write(subject, text);
                of_text(text)
            }
        }
    }

    /// The name of the key in [`WEIGHT_BY`]; `None` for the request id, whose part is what is left.
    fn name(&self) -> Option<&str> {
        match self {
            Key::RequestId => None,
            Key::TraceId => Some("trace_id"),
            Key::Path(text, _) => Some(text),
        }
    }
}

pub(super) fn of_text(key: &[u8]) -> Option<u64> {
    (!key.is_empty()).then(|| xxh3_64_with_seed(key, SEED) >> (64 - BITS))
}

/// The last 7 bytes of a trace id are its randomness, in W3C's form and in X-Ray's, so that OpenTelemetry's samplers
/// decide alike.
pub(super) fn of_trace(key: &[u8]) -> Option<u64> {
    let digits = key.len().checked_sub(BITS as usize / 4);
    let tail = digits.and_then(|start| std::str::from_utf8(&key[start..]).ok());
    let randomness = tail
        .filter(|tail| tail.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .and_then(|tail| u64::from_str_radix(tail, 16).ok());
    randomness.or_else(|| of_text(key))
}

/// The share that is kept.
pub(super) struct Share {
    /// A record is kept where its bits are not below.
    pub threshold: u64,
    /// Records that one stands for: `2^56 / (2^56 - T)`.
    weight: f64,
}

impl Share {
    pub fn new(rate: f64) -> Share {
        let all = (1u64 << BITS) as f64;
        // `1 - rate` would lose bits of a small rate.
        let kept = (rate * all).round() as u64;
        Share {
            threshold: (1u64 << BITS) - kept,
            weight: if kept > 0 { all / kept as f64 } else { 0.0 },
        }
    }

    /// Writes attributes with the weight set. A stage with the same key decided by the same bits, so that of both
    /// weights the larger counts; one with another key decided by bits of its own, so that the weights multiply.
    pub fn write_weight(&self, by: &Key, before: &[u8], out: &mut Vec<u8>) {
        let earlier = attributes::get(before, WEIGHT).and_then(number);
        let others = attributes::get(before, WEIGHT_BY).filter(|raw| raw.first() == Some(&b'{'));
        let others = others.map_or(&b""[..], |raw| &raw[1..raw.len() - 1]);
        if earlier.is_none() && by.name().is_none() {
            return attributes::with(before, WEIGHT, self.weight.to_string().as_bytes(), out);
        }
        let product = |of: &[u8]| -> f64 {
            attributes::members(of)
                .filter_map(|(_, value)| number(value))
                .product()
        };
        let (total, by_name) = match by.name() {
            None => {
                let others = product(others);
                let own = earlier.unwrap_or(1.0) / others;
                (own.max(self.weight) * others, Vec::new())
            }
            Some(name) => {
                let known = attributes::get(others, name)
                    .and_then(number)
                    .unwrap_or(1.0);
                let own = known.max(self.weight);
                let mut by_name = Vec::new();
                attributes::with(others, name, own.to_string().as_bytes(), &mut by_name);
                (earlier.unwrap_or(1.0) / known * own, by_name)
            }
        };
        let mut rest = Vec::new();
        attributes::without(before, WEIGHT, &mut rest);
        if by_name.is_empty() {
            return attributes::with(&rest, WEIGHT, total.to_string().as_bytes(), out);
        }
        let mut weighed = Vec::new();
        attributes::with(&rest, WEIGHT, total.to_string().as_bytes(), &mut weighed);
        let mut object = vec![b'{'];
        object.extend_from_slice(&by_name);
        object.push(b'}');
        attributes::with(&weighed, WEIGHT_BY, &object, out);
    }
}

fn number(raw: &[u8]) -> Option<f64> {
    let number: f64 = std::str::from_utf8(raw).ok()?.parse().ok()?;
    (number.is_finite() && number >= 1.0).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tapline_core::expr::Names;

    const GOLDEN: u64 = 56_389_730_141_165_333;

    /// Instances of different versions must agree, so these numbers never change.
    #[test]
    fn the_hash_is_frozen() {
        assert_eq!(
            of_text(b"8476a536-e9f4-11e8-9739-2dfe598c3fcd"),
            Some(GOLDEN)
        );
        assert_eq!(
            of_trace(b"5759e988bd862e3fe1be46a994272793"),
            Some(0x00be_46a9_9427_2793)
        );
        assert_eq!(of_text(b""), None);
    }

    /// OpenTelemetry's own examples of thresholds: 50 %, 25 %, 10 %, 1 %, all and, of its 56 bits, the last.
    ///
    /// Source: <https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/>, read 2026-11-23.
    #[test]
    fn thresholds_are_those_of_opentelemetry() {
        assert_eq!(Share::new(0.5).threshold, 0x80_0000_0000_0000);
        assert_eq!(Share::new(0.25).threshold, 0xc0_0000_0000_0000);
        assert_eq!(Share::new(0.1).threshold >> 8, 0xe666_6666_6666);
        assert_eq!(Share::new(0.01).threshold >> 16, 0xfd_70a3_d70a);
        assert_eq!(Share::new(1.0).threshold, 0);
        assert_eq!(Share::new(0.0).threshold, 1 << BITS, "above every 56 bits");
        let least = Share::new(1.0 / (1u64 << BITS) as f64);
        assert_eq!(
            (least.threshold, least.weight),
            ((1 << BITS) - 1, (1u64 << BITS) as f64)
        );
        for rate in [1.0, 0.5, 0.3, 0.05, 1e-6] {
            let weight = Share::new(rate).weight;
            assert!((weight * rate - 1.0).abs() < 1e-9, "{rate}: {weight}");
        }
    }

    fn weighed(stages: &[(&Key, f64)]) -> String {
        let mut now = Vec::new();
        for (by, rate) in stages {
            let mut next = Vec::new();
            Share::new(*rate).write_weight(by, &now, &mut next);
            now = next;
        }
        String::from_utf8(now).unwrap()
    }

    #[test]
    fn weights_of_one_key_nest_and_those_of_two_multiply() {
        let names = Names { env: &[] };
        let Ok(subject) = Subject::parse(".user", &names) else {
            panic!("it is a path");
        };
        let (request, trace, user) = (
            &Key::RequestId,
            &Key::TraceId,
            &Key::Path(".user".into(), subject),
        );
        assert_eq!(
            weighed(&[(request, 0.5), (request, 0.05), (request, 0.5)]),
            r#""sample_weight":20"#
        );
        assert_eq!(
            weighed(&[(trace, 0.5), (trace, 0.1)]),
            r#""sample_weight":10,"sample_by":{"trace_id":10}"#
        );
        assert_eq!(
            weighed(&[(request, 0.5), (trace, 0.1), (request, 0.25), (trace, 0.5)]),
            r#""sample_weight":40,"sample_by":{"trace_id":10}"#
        );
        assert_eq!(
            weighed(&[(user, 0.5), (trace, 0.25), (request, 0.5)]),
            r#""sample_by":{".user":2,"trace_id":4},"sample_weight":16"#
        );
    }
}
