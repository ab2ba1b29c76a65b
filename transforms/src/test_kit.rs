//! What the tests of all transforms need: a transform from its TOML, and a batch through it.

use std::cell::{Cell, RefCell};
use std::io;

use tapline_core::batch::{Batch, Record};
use tapline_core::budget::Budget;
use tapline_core::config::{Context as Loading, Document, Reader, Scope};
use tapline_core::expr::Names;
use tapline_core::facts::Facts;
use tapline_core::invocation::Invocations;
use tapline_core::ledger::Ledger;
use tapline_core::level::Level;
use tapline_core::port::Identity;
use tapline_core::registry::{Build, TransformKind};
use tapline_core::test_util;
use tapline_core::transform::{Context, Transform};
use tapline_core::view::Scratch;
use tapline_core::world::{Boxed, Instant, Stream, World};

/// The key that `{ env = "PII_KEY" }` gives in tests: 32 bytes.
pub const HASH_KEY: &str = "0123456789abcdef0123456789abcdef";

/// A clock that stands still until it is set, and a log.
#[derive(Default)]
pub struct Clock(Cell<u64>, RefCell<Vec<String>>);

impl Clock {
    /// Sets running time, in milliseconds; the wall clock shows the same since 1970.
    pub fn set_ms(&self, ms: u64) {
        self.0.set(ms * 1_000_000);
    }

    /// What was logged.
    pub fn logged(&self) -> Vec<String> {
        self.1.borrow().clone()
    }
}

impl World for Clock {
    fn now(&self) -> Instant {
        Instant(self.0.get())
    }
    fn wall_ms(&self) -> i64 {
        (self.0.get() / 1_000_000) as i64
    }
    fn sleep_until(&self, _: Instant) -> Boxed<'static, ()> {
        Box::pin(std::future::ready(()))
    }
    fn random(&self) -> u64 {
        4
    }
    fn variable(&self, _: &str) -> Option<String> {
        None
    }
    fn connect(&self, _: &str, _: u16) -> Boxed<'static, io::Result<Box<dyn Stream>>> {
        Box::pin(std::future::ready(Err(
            io::ErrorKind::ConnectionRefused.into()
        )))
    }
    fn log(&self, _: Level, message: &str) {
        self.1.borrow_mut().push(message.to_owned());
    }
}

/// A pipeline of one transform.
pub struct Kit {
    pub clock: Clock,
    pub ledger: Ledger,
    pub facts: Facts,
    pub invocations: Invocations,
    identity: Identity,
    pub budget: Budget,
    scratch: Scratch,
}

impl Kit {
    pub fn new() -> Kit {
        Kit {
            clock: Clock::default(),
            ledger: Ledger::default(),
            facts: Facts {
                function_name: "orders".to_owned(),
                region: "eu-west-1".to_owned(),
                env: vec![("STAGE".to_owned(), "prod".to_owned())],
                ..Facts::default()
            },
            invocations: Invocations::default(),
            identity: Identity::new(test_util::INSTANCE),
            budget: Budget::new(64 << 20),
            scratch: Scratch::default(),
        }
    }

    pub fn batch(&self, rows: &[(&str, &str, Option<Level>)]) -> Batch {
        test_util::batch_of(&self.budget, rows)
    }

    /// A batch of one function record with this raw JSON.
    pub fn one(&self, value: &str) -> Batch {
        self.batch(&[("function", value, None)])
    }

    pub fn context(&self) -> Context<'_> {
        Context {
            world: &self.clock,
            facts: &self.facts,
            invocations: &self.invocations,
            identity: &self.identity,
            budget: &self.budget,
            ledger: &self.ledger,
            scratch: &self.scratch,
        }
    }

    /// All that a transform gives out for a batch.
    pub fn apply_all(&self, transform: &mut dyn Transform, batch: Batch) -> Vec<Batch> {
        let mut output = Vec::new();
        transform.apply(batch, &self.context(), &mut output);
        output
    }

    pub fn apply(&self, transform: &mut dyn Transform, batch: Batch) -> Batch {
        let mut output = self.apply_all(transform, batch);
        assert_eq!(output.len(), 1);
        output.remove(0)
    }

    pub fn run(&self, kind: &TransformKind, config: &str, batch: Batch) -> Batch {
        self.apply(&mut *made(kind, config), batch)
    }
}

/// The value of a record as text.
pub fn value<'b>(batch: &'b Batch, record: &Record) -> &'b str {
    std::str::from_utf8(batch.bytes(record.value)).unwrap()
}

/// The attributes of a record as text.
pub fn attributes<'b>(batch: &'b Batch, record: &Record) -> &'b str {
    std::str::from_utf8(batch.bytes(record.attributes)).unwrap()
}

/// The transform that a table makes; what is wrong with it is a failed test.
pub fn made(kind: &TransformKind, config: &str) -> Box<dyn Transform> {
    let (transform, problems) = load(kind, config);
    assert_eq!(problems, Vec::<String>::new(), "{config}");
    transform.unwrap()
}

/// What is wrong with a table, a line each.
pub fn problems(kind: &TransformKind, config: &str) -> Vec<String> {
    let (transform, problems) = load(kind, config);
    assert!(transform.is_none() || !problems.is_empty(), "{config}");
    problems
}

fn load(kind: &TransformKind, config: &str) -> (Option<Box<dyn Transform>>, Vec<String>) {
    let environment = |name: &str| (name == "PII_KEY").then(|| HASH_KEY.to_owned());
    let loading = Loading::new(&environment);
    let document = Document::parse(&loading, "t.toml", config.as_bytes()).unwrap();
    let scope = if kind.redacts {
        Scope::Redact
    } else {
        Scope::Transform("t".to_owned())
    };
    let reader = Reader::root(&loading, &document, kind.fields).with_scope(scope, "transform `t`");
    let build = Build {
        names: Names {
            env: &["STAGE".to_owned()],
        },
        facts: &Facts::default(),
        memory: 16 << 20,
    };
    let transform = kind.build.unwrap()(&reader, &build);
    reader.finish();
    let diagnostics = loading.finish();
    let lines = diagnostics.iter().map(|problem| problem.line()).collect();
    (transform, lines)
}
