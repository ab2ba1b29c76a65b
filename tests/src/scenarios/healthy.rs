//! A destination that takes everything: each record is there once, byte for byte. Unlike what `sinks` tests, records
//! come from the platform here, and a flush is driven by invocations.

use std::time::Duration;

use tapline::local::{End as FunctionEnd, LogFormat, Script, Stamp, Step};

use crate::backend::{Answer, FakeBackend};
use crate::harness::Scenario;
use crate::traffic::{self, Random};

fn lines(random: &mut Random, count: usize) -> Vec<Step> {
    (0..count)
        .map(|_| Step::Line(traffic::line(random)))
        .collect()
}

async fn lived(config: &str, format: LogFormat, seed: u64) -> crate::harness::End {
    let mut random = Random::seeded(seed);
    let mut life = Scenario::new(config)
        .on(|platform| platform.log_format = format)
        .begin()
        .await;
    for count in [1, 40, 0, 300] {
        life.invoke(Script::new(lines(&mut random, count))).await;
        life.lambda.freeze_for(Duration::from_millis(50)).await;
    }
    let failing = FunctionEnd::Throw {
        kind: "Oops".into(),
        message: "the \"handler\" threw".into(),
    };
    life.invoke(
        Script::new(lines(&mut random, 5))
            .ending(failing)
            .stamped(Stamp::Node),
    )
    .await;
    life.end().await
}

/// Five invocations with text and JSON lines of all kinds.
/// Every record arrives exactly once, byte for byte, with an id of its own; nothing is lost or counted otherwise.
#[tokio::test]
async fn every_record_arrives_once_byte_for_byte() {
    let backend = FakeBackend::start(Answer::OK);
    let end = lived(&backend.sink("out"), LogFormat::Text, 1).await;
    end.assert_unharmed();
    let lines = backend.lines();
    end.assert_all_arrived(&lines);
    let ledger = end.ledger();
    assert_eq!(ledger.count("received"), lines.len() as u64);
    assert_eq!(ledger.of("out", "delivered"), lines.len() as u64);
    for request in backend.requests() {
        assert!(!request.batch().is_empty());
        assert_eq!(request.target, "POST /out");
        assert_eq!(request.headers["content-type"], "application/x-ndjson");
    }
    backend.finish();
}

/// The same with JSON log format, and with gzip.
/// The bytes are the same once unpacked, and fewer on the wire.
#[tokio::test]
async fn compressed_records_are_the_same() {
    let backend = FakeBackend::start(Answer::OK);
    let config = format!("{}compression = \"gzip\"\n", backend.sink("out"));
    let end = lived(&config, LogFormat::Json, 2).await;
    end.assert_unharmed();
    end.assert_all_arrived(&backend.lines());
    let packed: Vec<_> = backend
        .requests()
        .into_iter()
        .filter(|request| request.headers.contains_key("content-encoding"))
        .collect();
    assert!(!packed.is_empty());
    assert!(
        packed
            .iter()
            .all(|request| request.raw.len() < request.body.len())
    );
    backend.finish();
}

/// The destination fails twice and is well again.
/// Both repetitions carry the same batch id and the same bytes, and no record comes again in another batch.
#[tokio::test]
async fn a_retry_is_the_same_request() {
    let backend = FakeBackend::start(Answer::OK);
    backend.next([Answer::status(503), Answer::Close]);
    let mut life = Scenario::new(&backend.sink("out")).begin().await;
    life.invoke(Script::new(vec![Step::Log("once".into())]))
        .await;
    let end = life.end().await;
    end.assert_unharmed();
    let requests = backend.requests();
    assert!(requests.len() >= 3, "{requests:?}");
    for repeated in &requests[1..3] {
        assert_eq!(repeated.batch(), requests[0].batch());
        assert_eq!(repeated.body, requests[0].body);
    }
    let batches: std::collections::BTreeSet<&str> =
        requests.iter().map(|request| request.batch()).collect();
    assert_eq!(batches.len(), requests.len() - 2);
    end.assert_all_arrived(&backend.lines());
    backend.finish();
}
