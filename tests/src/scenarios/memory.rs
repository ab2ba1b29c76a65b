//! An outage and far more logs than memory: what is kept has a bound, and what matters most is kept longest.

use serde_json::json;
use tapline::local::{Freeze, Script, Step};

use crate::backend::{Answer, FakeBackend};
use crate::harness::{Scenario, peak_rss_kib};
use crate::listener::Listener;

/// `memory` of the configuration.
const MEMORY_KIB: u64 = 8 * 1024;

/// What the process may need beside it, over what it has when idle.
const BESIDE_KIB: u64 = 8 * 1024;

const BODIES: usize = 60;

/// About 1 MiB: lines of 1 KiB, and in the middle of them an error and a platform event.
fn body(number: usize) -> String {
    let element = |kind: &str, record: serde_json::Value| {
        json!({ "time": "2026-11-23T12:00:00.000Z", "type": kind, "record": record }).to_string()
    };
    let fill = "z".repeat(900);
    let mut elements: Vec<String> = (0..1_000)
        .map(|line| {
            element(
                "function",
                json!({ "level": "info", "message": format!("{number} {line} {fill}") }),
            )
        })
        .collect();
    elements[500] = element(
        "function",
        json!({ "level": "error", "message": format!("error {number}") }),
    );
    elements[501] = element("platform.tomorrow", json!({ "number": number }));
    format!("[{}]", elements.join(","))
}

/// The destination is down while 60 MB of logs come, and well again before the end; `memory` is 8 MiB.
/// Resident memory stays within 8 MiB and 8 more; all errors and platform events survive; every record has its place in the ledger.
#[tokio::test]
async fn an_outage_drops_the_least_important_first() {
    let backend = FakeBackend::start(Answer::status(503));
    let config = format!("memory = \"8MiB\"\n{}", backend.sink("out"));
    let mut life = Scenario::new(&config)
        .on(|platform| platform.freeze = Freeze::Never)
        .begin()
        .await;
    for _ in 0..4 {
        life.invoke(Script::new(vec![Step::Log("warming up".into())]))
            .await;
    }
    let listener = Listener::find(life.lambda.temp());
    let idle_kib = peak_rss_kib(life.process());
    for number in 0..BODIES {
        assert_eq!(listener.post(body(number).as_bytes()).await, 200);
    }
    let peak_kib = peak_rss_kib(life.process());
    println!("idle {idle_kib} KiB, peak {peak_kib} KiB");
    backend.usually(Answer::OK);
    let end = life.end().await;
    end.assert_unharmed();
    let (ledger, lines) = (end.ledger(), backend.lines());
    assert!(
        peak_kib <= idle_kib + MEMORY_KIB + BESIDE_KIB,
        "idle {idle_kib} KiB, then {peak_kib} KiB"
    );
    assert_eq!(ledger.count("bodies_dropped"), 0, "{ledger:?}");
    let errors = lines
        .iter()
        .filter(|line| line.level.as_deref() == Some("ERROR") && line.kind == "function")
        .count();
    let events = lines
        .iter()
        .filter(|line| line.kind == "platform.tomorrow")
        .count();
    assert_eq!((errors, events), (BODIES, BODIES), "{ledger:?}");
    assert_eq!(
        ledger.count("received"),
        (BODIES * 1_000 + end.sent().len()) as u64
    );
    let lost: u64 = ledger.dropped("out").values().sum();
    assert!(lost > 40_000, "{ledger:?}");
    let told: u64 = lines
        .iter()
        .filter(|line| line.kind == "tapline.loss")
        .map(|line| loss(&line.value()))
        .sum();
    assert_eq!(told, lost, "every loss is told to the destination, too");
    backend.finish();
}

fn loss(report: &serde_json::Value) -> u64 {
    let lost = report["lost"]
        .as_object()
        .expect("a report names what was lost");
    lost.values()
        .map(|count| count.as_u64().expect("a count"))
        .sum()
}
