//! Any bytes as the body of a POST, whole and cut into two POSTs: no panic, and every element comes out or waits.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tapline::decode::{Context, Decoded, Decoder, Form, Post};
use tapline_core::budget::Budget;
use tapline_core::invocation::Invocations;
use tapline_core::ledger::Ledger;
use tapline_core::line;
use tapline_core::port::Identity;
use tapline_core::world::Instant;

/// One decoder with what it reads and writes.
struct Bench {
    decoder: Decoder,
    invocations: Invocations,
    identity: Identity,
    ledger: Ledger,
    budget: Budget,
    records: u64,
}

impl Bench {
    fn new(overlapping: bool) -> Bench {
        Bench {
            decoder: Decoder::new(1),
            invocations: Invocations::new(overlapping, true),
            identity: Identity::new([b'0'; 32]),
            ledger: Ledger::default(),
            budget: Budget::new(16 << 20),
            records: 0,
        }
    }

    fn post(&mut self, bytes: &[u8], form: Form) {
        let post = Post {
            bytes: bytes.to_vec(),
            charge: self.budget.charge_over(bytes.len()),
            arrived_ms: 1_773_480_413_589,
            form,
        };
        let decoded = self.step(|decoder, context| decoder.decode(post, Instant(0), context));
        self.take(decoded);
    }

    /// Whatever still waits comes out.
    fn end(mut self) -> u64 {
        let decoded = self.step(|decoder, context| decoder.flush_fragment(Instant(0), context));
        self.take(decoded);
        assert!(self.decoder.fragment_due().is_none());
        assert_eq!(self.budget.used(), 0, "what was charged is given back");
        self.records
    }

    fn step(&mut self, work: impl FnOnce(&mut Decoder, Context<'_>) -> Decoded) -> Decoded {
        let context = Context {
            invocations: &mut self.invocations,
            identity: &self.identity,
            ledger: &self.ledger,
        };
        work(&mut self.decoder, context)
    }

    /// Each record has bytes inside its body, and its line is one line.
    fn take(&mut self, decoded: Decoded) {
        let mut out = Vec::new();
        for batch in &decoded.batches {
            for record in batch.records() {
                self.records += 1;
                out.clear();
                line::write(batch, record, &mut out);
                assert!(!out.contains(&b'\n'));
            }
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&place, body)) = data.split_first() else {
        return;
    };
    let form = if place & 1 == 0 {
        Form::Array
    } else {
        Form::Lines
    };
    let mut whole = Bench::new(place & 2 == 0);
    whole.post(body, form);
    let something = body.iter().any(|byte| !b" \t\r\n[],".contains(byte));
    let records = whole.end();
    assert!(records > 0 || !something, "bytes vanished");

    let cut = body.len() * usize::from(place) / 256;
    let mut halves = Bench::new(false);
    halves.post(&body[..cut], Form::Array);
    halves.post(&body[cut..], Form::Array);
    halves.end();
});
