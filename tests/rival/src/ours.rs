//! Our side.

use tapline_core::batch::Batch;
use tapline_core::budget::Budget;
use tapline_core::config::{Context as Loading, Document, Reader, Scope};
use tapline_core::expr::Names;
use tapline_core::facts::Facts;
use tapline_core::invocation::Invocations;
use tapline_core::ledger::Ledger;
use tapline_core::port::Identity;
use tapline_core::registry::Build;
use tapline_core::test_util::{self, VirtualWorld};
use tapline_core::transform::{Context, Transform};
use tapline_core::view::Scratch;

use crate::corpus::Corpus;

/// `redact` with built-in rules.
pub struct Ours {
    transform: Box<dyn Transform>,
    world: VirtualWorld,
    facts: Facts,
    invocations: Invocations,
    identity: Identity,
    budget: Budget,
    ledger: Ledger,
    scratch: Scratch,
}

impl Ours {
    pub fn new(rules: &[&str]) -> Ours {
        let config = format!("rules = {rules:?}");
        let mut kinds = tapline_transforms::kinds().iter();
        let kind = kinds
            .find(|kind| kind.name == "redact")
            .expect("the feature is on");
        let loading = Loading::new(&|_| None);
        let document =
            Document::parse(&loading, "rival.toml", config.as_bytes()).expect("it is TOML");
        let reader = Reader::root(&loading, &document, kind.fields)
            .with_scope(Scope::Redact, "transform `redact`");
        let facts = Facts::default();
        let build = Build {
            names: Names { env: &[] },
            facts: &facts,
            memory: 16 << 20,
        };
        let make = kind.build.expect("the feature is on");
        let mut transform = make(&reader, &build).expect("the rules are known");
        transform.prepare();
        Ours {
            transform,
            world: VirtualWorld::new(1),
            facts,
            invocations: Invocations::default(),
            identity: Identity::new(test_util::INSTANCE),
            budget: Budget::new(64 << 20),
            ledger: Ledger::default(),
            scratch: Scratch::default(),
        }
    }

    /// Passes a corpus through once more.
    pub fn redact(&mut self, corpus: &Corpus) {
        let batch = corpus.batch.take();
        corpus.batch.replace(self.apply(batch));
    }

    /// Passes one batch through.
    pub fn apply(&mut self, batch: Option<Batch>) -> Option<Batch> {
        let context = Context {
            world: &self.world,
            facts: &self.facts,
            invocations: &self.invocations,
            identity: &self.identity,
            budget: &self.budget,
            ledger: &self.ledger,
            scratch: &self.scratch,
        };
        let mut output = Vec::new();
        self.transform.apply(batch?, &context, &mut output);
        output.pop()
    }

    /// One text, redacted.
    pub fn text(&mut self, text: &str) -> String {
        let raw = serde_json::to_string(text).expect("text is JSON");
        let batch = test_util::batch_of(&Budget::new(1 << 20), &[("function", &raw, None)]);
        let batch = self.apply(Some(batch)).expect("a batch comes out");
        let out = batch.bytes(batch.records()[0].value);
        serde_json::from_slice(out).expect("it stays a string")
    }
}
