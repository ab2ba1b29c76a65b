//! What one destination does not take, another one does; and a destination that lets nobody in. In the real binary.

use std::process::Command;

use tapline::local::{Script, Step};

use crate::backend::{Answer, FakeBackend, Line};
use crate::binary;
use crate::harness::{End, Folder, Ledger, Scenario};

/// A card number that is put together here, so that nobody takes it for a real one.
const CARD: &str = concat!("4111 1111 ", "1111 1111");

const REDACT: &str = "[[transform]]\ntype = \"redact\"\nrules = [\"@financial\"]\n";

/// A sink that takes nothing but dead letters.
fn archive(backend: &FakeBackend) -> String {
    format!("{}when = 'type == \"never\"'\n", backend.sink("archive"))
}

async fn lived(config: &str) -> End {
    let mut life = Scenario::new(config).begin().await;
    for number in 0..3 {
        let line = Step::Log(format!("line {number}, card {CARD}"));
        life.invoke(Script::new(vec![line])).await;
    }
    let end = life.end().await;
    end.assert_unharmed();
    end
}

fn letters(archive: &FakeBackend, reason: &str) -> Vec<Line> {
    let lines = archive.lines();
    for line in &lines {
        assert_eq!(line.attributes["dead_letter.sink"], "ill", "{line:?}");
        assert_eq!(line.attributes["dead_letter.reason"], reason, "{line:?}");
        assert!(
            !line.record.contains("4111 1111"),
            "redacted before: {line:?}"
        );
    }
    lines
}

/// A destination refuses everything, another one is named as its dead letter.
/// Every record is there, redacted, with what became of it, and both ledgers add up.
#[tokio::test]
async fn what_is_refused_is_taken_over() {
    let (ill, well) = (
        FakeBackend::start(Answer::status(400)),
        FakeBackend::start(Answer::OK),
    );
    let ill_sink = format!("{}dead_letter = \"archive\"\n", ill.sink("ill"));
    let end = lived(&format!("{REDACT}{ill_sink}{}", archive(&well))).await;
    let ledger = end.ledger();
    let received = ledger.count("received");
    assert_eq!(
        ledger.of("ill", "rejected"),
        received + ledger.of("ill", "generated")
    );
    assert_eq!(ledger.of("archive", "inherited"), received);
    assert_eq!(ledger.of("archive", "delivered"), received);
    assert_eq!(letters(&well, "400").len() as u64, received);
    ill.finish();
    well.finish();
}

/// A destination never answers. What is left at SHUTDOWN still reaches the one that takes over.
#[tokio::test]
async fn what_is_left_at_shutdown_is_taken_over_in_time() {
    let (ill, well) = (
        FakeBackend::start(Answer::Never),
        FakeBackend::start(Answer::OK),
    );
    let ill_sink = format!("{}dead_letter = \"archive\"\n", ill.sink("ill"));
    let end = lived(&format!("{REDACT}{ill_sink}{}", archive(&well))).await;
    let ledger = end.ledger();
    let received = ledger.count("received");
    assert_eq!(ledger.of("archive", "inherited"), received);
    assert_eq!(ledger.of("archive", "delivered"), received);
    assert_eq!(letters(&well, "shutdown").len() as u64, received);
    ill.finish();
    well.finish();
}

/// The credentials are wrong: one line of level error, hardly a request, and the records are named as denied.
#[tokio::test]
async fn a_destination_that_lets_nobody_in_is_named_once() {
    let ill = FakeBackend::start(Answer::status(401));
    let end = lived(&ill.sink("ill")).await;
    let said = end.said();
    assert_eq!(
        said.matches("is denied by its destination: 401").count(),
        1,
        "{said}"
    );
    let ledger = end.ledger();
    assert_eq!(
        ledger.dropped("ill")["denied"] + ledger.dropped("ill").get("shutdown").unwrap_or(&0),
        ledger.count("received") + ledger.of("ill", "generated"),
        "{:?}",
        ledger.dropped("ill")
    );
    let requests = ill.requests().len();
    assert!(
        (2..=3).contains(&requests),
        "once, at shutdown, and the report: {requests}"
    );
    ill.finish();
}

/// `tapline run` against such a destination ends, says how many records were not taken, and goes on with the others.
#[test]
fn a_run_ends_where_a_destination_lets_nobody_in() {
    let (ill, well) = (
        FakeBackend::start(Answer::status(403)),
        FakeBackend::start(Answer::OK),
    );
    let folder = Folder::new();
    let config = folder.write(
        "tapline.toml",
        format!("{}{}", ill.sink("ill"), well.sink("well")),
    );
    let line = "{\"time\":\"2026-03-14T09:26:53.589Z\",\"type\":\"function\",\"record\":\"one\"}\n";
    let input = folder.write("input", line.repeat(20_000));
    let mut command = Command::new(binary::tapline());
    command.arg("run").arg(config).arg("--input").arg(input);
    let output = command.output().expect("it starts");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    let ledger = said.lines().find_map(Ledger::parse).expect("a ledger");
    ledger.assert_adds_up();
    assert_eq!(ledger.of("well", "delivered"), 20_000);
    assert!(
        ledger.dropped("ill")["denied"] >= 20_000,
        "{:?}",
        ledger.dropped("ill")
    );
    ill.finish();
    well.finish();
}
