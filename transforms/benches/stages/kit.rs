//! Records, a world that stands still, transforms from their TOML, and a stopwatch.

use std::time::{Duration, Instant as Clock};

use tapline_core::batch::{Batch, Slice};
use tapline_core::budget::Budget;
use tapline_core::facts::Facts;
use tapline_core::invocation::Invocations;
use tapline_core::ledger::Ledger;
use tapline_core::level::Level;
use tapline_core::platform::PlatformEvent;
use tapline_core::port::Identity;
use tapline_core::test_util::{self, StillWorld};
use tapline_core::transform::{Context, Transform};
use tapline_core::view::Scratch;

/// Records of the batch.
pub const RECORDS_MAX: usize = 300;

/// Rounds of each side; the least of them counts.
const ROUNDS: usize = 200;

/// Lines of 250 bytes as loggers write them: an object, text that holds one, and an object whose message is escaped.
const RECORDS: [&str; 3] = [
    r#"{"timestamp":"2026-01-02T03:04:05.123Z","level":"INFO","requestId":"8476a536-e9f4-11e8-9739-2dfe598c3fcd","message":"order 1234 shipped to the customer","path":"/orders/1234","user":{"id":77,"tier":"gold"},"tags":["a","b"],"elapsed_ms":12.5,"ok":true}"#,
    r#""{\"level\":\"INFO\",\"requestId\":\"8476a536-e9f4-11e8-9739-2dfe598c3fcd\",\"message\":\"order 1234 shipped to the customer\",\"path\":\"/orders/1234\",\"user\":{\"id\":77,\"tier\":\"gold\"},\"tags\":[\"a\",\"b\"],\"ok\":true}\n""#,
    r#"{"timestamp":"2026-01-02T03:04:05.123Z","level":"WARN","requestId":"8476a536-e9f4-11e8-9739-2dfe598c3fcd","message":"the \"slow\" backend timed out\nagain","path":"/orders/1234","user":{"id":77,"tier":"silver"},"tags":["a","b"],"elapsed_ms":1200,"ok":false}"#,
];

/// A batch, and all that a transform may look at.
pub struct Kit {
    /// 300 records of one body, each with level, ids and invocation as `decode` joins them.
    pub batch: Batch,
    pub budget: Budget,
    facts: Facts,
    invocations: Invocations,
    identity: Identity,
    ledger: Ledger,
    scratch: Scratch,
}

impl Kit {
    pub fn new() -> Kit {
        let budget = Budget::new(1 << 30);
        let level = |position: usize| Some([Level::Info, Level::Info, Level::Warn][position % 3]);
        let rows: Vec<_> = (0..RECORDS_MAX)
            .map(|position| ("function", RECORDS[position % 3], level(position)))
            .collect();
        let mut batch = test_util::batch_of(&budget, &rows);
        let mut invocations = Invocations::new(false, true);
        invocations.observe(&PlatformEvent::Start {
            request_id: "8476a536-e9f4-11e8-9739-2dfe598c3fcd".to_owned(),
            trace: None,
        });
        // Each record has a key of its own, so that a rate keeps its share of them.
        let ids: Vec<Slice> = (0..RECORDS_MAX)
            .map(|n| batch.keep(format!("{n:08x}-e9f4-11e8-9739-2dfe598c3fcd").as_bytes()))
            .collect();
        for (record, id) in batch.records_mut().iter_mut().zip(ids) {
            record.request_id = id;
            record.invocation = invocations.current();
        }
        Kit {
            batch,
            budget,
            facts: Facts {
                function_name: "orders".to_owned(),
                function_version: "7".to_owned(),
                ..Facts::default()
            },
            invocations,
            identity: Identity::new(test_util::INSTANCE),
            ledger: Ledger::default(),
            scratch: Scratch::default(),
        }
    }

    pub fn context(&self) -> Context<'_> {
        Context {
            world: &StillWorld,
            facts: &self.facts,
            invocations: &self.invocations,
            identity: &self.identity,
            budget: &self.budget,
            ledger: &self.ledger,
            scratch: &self.scratch,
        }
    }
}

/// The transform that a table makes.
pub fn made(kit: &Kit, kind: &str, config: &str) -> Box<dyn Transform> {
    let kinds = tapline_transforms::kinds();
    test_util::transform(kinds, kind, config, &|_| None, &kit.facts)
}

/// The least times of two sides.
pub struct Sides {
    pub ours: Duration,
    pub limit: Duration,
}

impl Sides {
    pub fn ratio(&self) -> f64 {
        self.ours.as_secs_f64() / self.limit.as_secs_f64()
    }
}

/// Runs two sides in turn, so that what slows the machine slows both.
pub fn pair(mut ours: impl FnMut(), mut limit: impl FnMut()) -> Sides {
    let mut sides = Sides {
        ours: Duration::MAX,
        limit: Duration::MAX,
    };
    for _ in 0..ROUNDS {
        sides.ours = sides.ours.min(time(&mut ours));
        sides.limit = sides.limit.min(time(&mut limit));
    }
    sides
}

#[allow(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn time(work: &mut impl FnMut()) -> Duration {
    let start = Clock::now();
    work();
    start.elapsed()
}
