//! Any bytes as a record: redaction with its gate gives what it gives without, stays JSON, and finds nothing twice.
#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use tapline_core::budget::Budget;
use tapline_core::config::{Context as Loading, Document, Reader, Scope};
use tapline_core::expr::Names;
use tapline_core::facts::Facts;
use tapline_core::invocation::Invocations;
use tapline_core::json;
use tapline_core::ledger::Ledger;
use tapline_core::port::Identity;
use tapline_core::registry::{Build, TransformKind};
use tapline_core::test_util::{INSTANCE, VirtualWorld, batch_of};
use tapline_core::transform::{Context, Transform};
use tapline_core::view::Scratch;

const CONFIG: &str = "rules = ['@all', 'HighEntropy']
keys = ['user.pin', '*_code']
custom = [{ id = 'customer', regex = 'CUS-\\d{4}' }]";

fn made(kind: &TransformKind) -> Box<dyn Transform> {
    let loading = Loading::new(&|_| None);
    let document = Document::parse(&loading, "f.toml", CONFIG.as_bytes()).expect("it is TOML");
    let reader = Reader::root(&loading, &document, kind.fields)
        .with_scope(Scope::Redact, "transform `redact`");
    let facts = Facts::default();
    let build = Build {
        names: Names { env: &[] },
        facts: &facts,
        memory: 16 << 20,
    };
    kind.build.expect("the feature is on")(&reader, &build).expect("the rules are right")
}

fn kind() -> &'static TransformKind {
    let mut kinds = tapline_transforms::kinds().iter();
    kinds
        .find(|kind| kind.name == "redact")
        .expect("the feature is on")
}

thread_local! {
    static GATED: RefCell<Box<dyn Transform>> = RefCell::new(made(kind()));
    static UNGATED: RefCell<Box<dyn Transform>> = RefCell::new(made(&tapline_transforms::UNGATED));
}

/// A record's value redacted, and how often something was found in it.
fn redacted(transform: &mut dyn Transform, value: &str) -> (Vec<u8>, u64) {
    let (world, facts, invocations) = (
        VirtualWorld::new(1),
        Facts::default(),
        Invocations::default(),
    );
    let (identity, budget, scratch) = (
        Identity::new(INSTANCE),
        Budget::new(64 << 20),
        Scratch::default(),
    );
    let ledger = Ledger::default();
    let context = Context {
        world: &world,
        facts: &facts,
        invocations: &invocations,
        identity: &identity,
        budget: &budget,
        ledger: &ledger,
        scratch: &scratch,
    };
    let mut output = Vec::new();
    let batch = batch_of(&Budget::new(64 << 20), &[("function", value, None)]);
    transform.apply(batch, &context, &mut output);
    let batch = output.pop().expect("a batch comes out");
    let value = batch.bytes(batch.records()[0].value).to_vec();
    (value, ledger.redactions().values().sum())
}

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let mut quoted = Vec::new();
    json::quote_into(text.as_bytes(), &mut quoted);
    let quoted = String::from_utf8(quoted).expect("quoting keeps text");
    // As a text; and as the JSON that it may be.
    let whole = json::whole_value(text.as_bytes()).is_some();
    for raw in [Some(quoted.as_str()), whole.then_some(&*text)]
        .into_iter()
        .flatten()
    {
        let gated = GATED.with_borrow_mut(|transform| redacted(&mut **transform, raw));
        let ungated = UNGATED.with_borrow_mut(|transform| redacted(&mut **transform, raw));
        assert_eq!(gated, ungated, "the gate hid something in {raw}");
        assert!(json::whole_value(&gated.0).is_some());
        assert_eq!(gated.0 == raw.as_bytes(), gated.1 == 0);
    }
});
