//! Turns the bytes of a POST into records.
//!
//! # The life of a body
//!
//! 1. [`Decoder::is_redelivered`] tells a body that came before.
//! 2. A first part of a cut record that waits is continued by the body, or given up: `join`.
//! 3. The body is split into elements, and what is no element is told apart from its neighbours: `split`.
//! 4. Each element becomes a record: its level and ids are found, platform events are read (`event`), and both are
//!    joined with the invocation: `element`.
//!
//! No I/O, no clock, no copy of a body. What a body costs beside its own bytes: an index entry for each record, at
//! most 2.5 times the text of what is no element (and 96 KiB), and each invocation's ids once. All of it is charged
//! to the budget.

pub mod classic;
mod element;
mod event;
mod join;
mod split;
#[cfg(test)]
mod tests;

use tapline_core::batch::Batch;
use tapline_core::body::Body;
use tapline_core::budget::Charge;
use tapline_core::invocation::Invocations;
use tapline_core::ledger::{Ledger, add};
use tapline_core::limits::REDELIVERY_WINDOW;
use tapline_core::observation::Observation;
use tapline_core::platform::PlatformEvent;
use tapline_core::port::Identity;
use tapline_core::world::Instant;
use xxhash_rust::xxh3::xxh3_128_with_seed;

use element::{Builder, Heard};
use join::{Fragment, Next};
pub use split::Form;
use split::{Piece, Splitter};

/// What came in: one POST.
#[derive(Debug)]
pub struct Post {
    /// Its body.
    pub bytes: Vec<u8>,
    /// What pays for the bytes.
    pub charge: Charge,
    /// The wall clock at its arrival, in milliseconds since 1970.
    pub arrived_ms: i64,
    /// How its elements follow each other. Cut records are joined in arrays only.
    pub form: Form,
}

/// What decoding reads and writes beside the body.
#[derive(Debug)]
pub struct Context<'c> {
    /// Learns from platform events and error levels; records are joined with it.
    pub invocations: &'c mut Invocations,
    /// Gives the records their ids.
    pub identity: &'c Identity,
    /// Counts `malformed`, `joined` and `invalid_utf8`.
    pub ledger: &'c Ledger,
}

/// What a body held.
#[derive(Debug, Default)]
pub struct Decoded {
    /// Its records, and before them those of a fragment that it completed or ended. None is empty.
    pub batches: Vec<Batch>,
    /// Its platform events, in order of appearance.
    pub events: Vec<PlatformEvent>,
    /// What they say in numbers.
    pub observations: Vec<Observation>,
}

/// Decodes bodies one after the other.
#[derive(Debug)]
pub struct Decoder {
    seed: u64,
    /// Hash and length of the last bodies, a ring.
    seen: Vec<(u128, usize)>,
    seen_next: usize,
    fragment: Option<Fragment>,
    scratch: Vec<u8>,
}

impl Decoder {
    /// A decoder that has seen nothing. `seed` is random, so that nobody can make two bodies look the same.
    pub fn new(seed: u64) -> Decoder {
        Decoder {
            seed,
            seen: Vec::with_capacity(REDELIVERY_WINDOW),
            seen_next: 0,
            fragment: None,
            scratch: Vec::new(),
        }
    }

    /// Whether the same bytes came among the last [`REDELIVERY_WINDOW`] bodies that this was asked for. Remembers
    /// them.
    pub fn is_redelivered(&mut self, body: &[u8]) -> bool {
        let mark = (xxh3_128_with_seed(body, self.seed), body.len());
        if self.seen.contains(&mark) {
            return true;
        }
        if self.seen.len() < REDELIVERY_WINDOW {
            self.seen.push(mark);
        } else {
            self.seen[self.seen_next] = mark;
            self.seen_next = (self.seen_next + 1) % REDELIVERY_WINDOW;
        }
        false
    }

    /// Decodes a body. Total: whatever the bytes, they come out as records, or wait as the first part of one.
    pub fn decode(&mut self, mut post: Post, now: Instant, mut context: Context<'_>) -> Decoded {
        let mut decoded = Decoded::default();
        if post.form == Form::Array
            && let Some(fragment) = self.fragment.take()
        {
            match fragment.continue_with(&mut post.bytes, now) {
                Next::Joined(bytes, charge) => {
                    add(&context.ledger.joined, 1);
                    let joined = Post {
                        bytes,
                        charge,
                        arrived_ms: post.arrived_ms,
                        form: Form::Lines,
                    };
                    let splitter = Splitter::new(Form::Lines);
                    self.read(joined, splitter, now, &mut context, &mut decoded);
                }
                Next::Longer(fragment) => {
                    self.fragment = Some(fragment);
                    return decoded;
                }
                Next::Unrelated(fragment) => {
                    self.give_up(fragment, now, &mut context, &mut decoded)
                }
            }
        }
        if post.form == Form::Array && join::cut_inside_character(&post.bytes) {
            self.hold_raw(&mut post, now);
        }
        let splitter = Splitter::new(post.form);
        self.read(post, splitter, now, &mut context, &mut decoded);
        decoded
    }

    /// When the fragment that waits has waited long enough.
    pub fn fragment_due(&self) -> Option<Instant> {
        self.fragment.as_ref().map(Fragment::due)
    }

    /// Gives up a fragment that is due at `now`: it becomes an opaque record.
    pub fn expire(&mut self, now: Instant, context: Context<'_>) -> Decoded {
        if self.fragment_due().is_some_and(|due| due <= now) {
            return self.flush_fragment(now, context);
        }
        Decoded::default()
    }

    /// Gives up a fragment, because everything ends.
    pub fn flush_fragment(&mut self, now: Instant, mut context: Context<'_>) -> Decoded {
        let mut decoded = Decoded::default();
        if let Some(fragment) = self.fragment.take() {
            self.give_up(fragment, now, &mut context, &mut decoded);
        }
        decoded
    }

    /// What looked cut was broken, or its second part is lost. Where it was broken, a bracket too few may have made
    /// it swallow its neighbours: they are looked for now.
    fn give_up(
        &mut self,
        fragment: Fragment,
        now: Instant,
        context: &mut Context<'_>,
        decoded: &mut Decoded,
    ) {
        let (bytes, charge, arrived_ms) = fragment.into_body();
        let post = Post {
            bytes,
            charge,
            arrived_ms,
            form: Form::Array,
        };
        let splitter = Splitter::new(Form::Array).without_cuts();
        self.read(post, splitter, now, context, decoded);
    }

    /// Takes a fragment out of a body before its half of a character becomes U+FFFD.
    fn hold_raw(&mut self, post: &mut Post, now: Instant) {
        let mut splitter = Splitter::new(Form::Array);
        while let Some(piece) = splitter.next(&post.bytes) {
            let Piece::Cut(cut) = piece else { continue };
            let text = &post.bytes[cut.text.clone()];
            let value = cut.value - cut.text.start;
            let budget = post.charge.budget();
            self.fragment = Fragment::new(text, value, budget, now, post.arrived_ms);
            if self.fragment.is_some() {
                post.bytes.truncate(cut.text.start);
            }
        }
    }

    fn read(
        &mut self,
        post: Post,
        mut splitter: Splitter,
        now: Instant,
        context: &mut Context<'_>,
        decoded: &mut Decoded,
    ) {
        let (body, replaced) = Body::new(post.bytes, post.charge);
        add(&context.ledger.invalid_utf8, replaced);
        let heard = Heard {
            events: &mut decoded.events,
            observations: &mut decoded.observations,
        };
        let scratch = &mut self.scratch;
        let mut builder = Builder::new(body, post.arrived_ms, context, heard, scratch);
        let body = builder.body();
        while let Some(piece) = splitter.next(body.bytes()) {
            match piece {
                Piece::Element(envelope) => builder.element(envelope),
                Piece::Opaque(text) => builder.opaque(text),
                Piece::Cut(cut) => {
                    let text = &body.bytes()[cut.text.clone()];
                    let value = cut.value - cut.text.start;
                    self.fragment = Fragment::new(text, value, body.budget(), now, post.arrived_ms);
                    if self.fragment.is_none() {
                        splitter.refuse(&cut);
                    }
                }
            }
        }
        decoded.batches.extend(builder.finish());
    }
}
