//! Wrong, missing and switched-off configurations: they never fail the function, and nothing leaves that should not.
//! Each single message is tested in `extension`.

use tapline::local::{Script, Status, Step};

use crate::backend::{Answer, FakeBackend};
use crate::harness::{End, Scenario};

async fn lived(scenario: Scenario) -> End {
    let mut life = scenario.begin().await;
    for number in 0..2 {
        life.invoke(Script::new(vec![Step::Log(format!(
            "card 4111 1111 1111 1111, {number}"
        ))]))
        .await;
    }
    let end = life.end().await;
    end.assert_unharmed();
    end
}

/// Nothing was subscribed to or printed but one message.
fn assert_parked(end: &End, says: &[&str]) {
    assert!(
        end.journal.deliveries.is_empty(),
        "{:?}",
        end.journal.deliveries
    );
    assert!(end.ledgers.is_empty());
    let said = &end.processes[0].stderr;
    assert_eq!(said.len(), 1, "{said:?}");
    for part in says {
        assert!(said[0].contains(part), "`{part}` in {}", said[0]);
    }
}

/// The table of one sink has an error, another one is right.
/// The first is disabled, which is said, and counts what it would have got; the second has every record.
#[tokio::test]
async fn an_error_in_one_sink_disables_that_sink() {
    let backend = FakeBackend::start(Answer::OK);
    let wrong = "[sink.wrong]\ntype = \"http\"\nurl = \"gopher://example.com\"\n";
    let end = lived(Scenario::new(&format!("{wrong}{}", backend.sink("right")))).await;
    end.assert_all_arrived(&backend.lines());
    let ledger = end.ledger();
    assert_eq!(
        ledger.dropped("wrong")["disabled"],
        ledger.count("received")
    );
    assert_eq!(ledger.of("wrong", "generated"), 0);
    assert!(end.said().contains("`wrong` is disabled"), "{}", end.said());
    backend.finish();
}

/// A redaction rule does not exist.
/// The extension is parked: the function runs on, nothing is exported, and one message says what is wrong and where.
#[tokio::test]
async fn an_error_in_redact_parks() {
    let backend = FakeBackend::start(Answer::OK);
    let redact = "[[transform]]\ntype = \"redact\"\nrules = [\"CreditCardNumbr\"]\n";
    let end = lived(Scenario::new(&format!("{redact}{}", backend.sink("out")))).await;
    assert_parked(
        &end,
        &[
            "CreditCardNumbr",
            "CreditCardNumber",
            "tapline.toml",
            "nothing is exported",
        ],
    );
    assert!(backend.requests().is_empty());
    backend.finish();
}

/// The file is no TOML; there is no file; the file that is named cannot be read.
/// Each time the function runs on, and one message says what to do.
#[tokio::test]
async fn without_a_configuration_nothing_happens() {
    assert_parked(
        &lived(Scenario::new("this is = not [ toml")).await,
        &["nothing is exported"],
    );
    assert_parked(&lived(Scenario::without_configuration()).await, &["[sink."]);
    let named =
        Scenario::without_configuration().variable("TAPLINE_CONFIG", "/nowhere/tapline.toml");
    assert_parked(&lived(named).await, &["/nowhere/tapline.toml", "[sink."]);
}

/// `TAPLINE_MODE=off`, with a file that is right and with one that is wrong.
/// The platform is answered, and that is all.
#[tokio::test]
async fn off_is_off() {
    let backend = FakeBackend::start(Answer::OK);
    for config in [backend.sink("out"), "wrong".to_owned()] {
        let end = lived(Scenario::new(&config).variable("TAPLINE_MODE", "off")).await;
        assert!(end.journal.deliveries.is_empty());
        assert_eq!(end.processes[0].stderr, Vec::<String>::new());
    }
    assert!(backend.requests().is_empty());
    backend.finish();
}

/// `TAPLINE_MODE=shadow`, with a filter and a redaction.
/// Everything runs and is counted as if it were on, and not even a connection is made.
#[tokio::test]
async fn a_shadow_counts_and_sends_nothing() {
    let backend = FakeBackend::start(Answer::OK);
    let config = format!(
        "[[transform]]\ntype = \"filter\"\ndrop = 'type == \"platform.start\"'\n\
         [[transform]]\ntype = \"redact\"\nrules = [\"CreditCardNumber\"]\n{}",
        backend.sink("out")
    );
    let end = lived(Scenario::new(&config).variable("TAPLINE_MODE", "shadow")).await;
    let ledger = end.ledger();
    assert_eq!(ledger.0["mode"], "shadow");
    assert_eq!(ledger.of("out", "filtered"), 2);
    assert_eq!(ledger.of("out", "delivered"), ledger.count("received") - 2);
    assert_eq!(ledger.0["redactions"]["CreditCardNumber"], 2);
    assert_eq!(backend.connections(), 0);
    backend.finish();
}

/// `TAPLINE_STRICT=1` with an error in one of two sinks, and with none.
/// The error ends init, and the platform knows why; without an error nothing differs.
#[tokio::test]
async fn strict_reports_an_init_error() {
    let backend = FakeBackend::start(Answer::OK);
    let config = format!("[sink.wrong]\ntype = \"http\"\n{}", backend.sink("right"));
    let (_, init) = Scenario::new(&config)
        .variable("TAPLINE_STRICT", "1")
        .start()
        .await;
    assert_eq!(init.status, Status::Error);
    assert_eq!(init.fatal.expect("init failed").kind, "Extension.InitError");
    assert!(backend.requests().is_empty());
    let end = lived(Scenario::new(&backend.sink("right")).variable("TAPLINE_STRICT", "1")).await;
    end.assert_all_arrived(&backend.lines());
    backend.finish();
}
