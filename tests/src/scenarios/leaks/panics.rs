//! A stage or a sink that panics and quotes the record that it works on.

use tapline::local::{Freeze, Script, Step};

use super::{assert_clean, outputs};
use crate::backend::{Answer, FakeBackend};
use crate::binary;
use crate::canary::Search;
use crate::harness::{Folder, Scenario};

const SECRET: &str = concat!("CNRY", "fedcba9876543210fedc");

/// A transform before `redact`, a sink that is given unredacted records and one that is not panic with the text of what
/// they have at hand, when called and later.
/// The secret is in nothing that leaves, dead letters and the own log included; each panic is told by its place, and
/// every record has its fate.
#[tokio::test]
async fn what_a_panic_says_shows_no_secret() {
    let backend = FakeBackend::start(Answer::OK);
    let folder = Folder::new();
    let config = format!(
        "version = 1\n[[transform]]\nname = \"start\"\ntype = \"clumsy\"\n[[transform]]\ntype = \"redact\"\n\
         custom = [{{ id = \"canary\", regex = 'CNRY[0-9a-f]{{20}}' }}]\n\
         [sink.bare]\ntype = \"clumsy\"\nafter = \"start\"\nunredacted = true\n\
         [sink.clumsy]\ntype = \"clumsy\"\ndead_letter = \"out\"\n{}\
         [sink.file]\ntype = \"console\"\npath = \"{}\"\n",
        backend.sink("out"),
        folder.path().join("console").display()
    );
    let mut life = Scenario::new(&config)
        .run_by(binary::clumsy())
        .variable("TAPLINE_LOG", "trace")
        .variable("RUST_BACKTRACE", "full")
        .on(|platform| platform.freeze = Freeze::Never)
        .begin()
        .await;
    for place in [
        "call panics",
        "answer panics",
        "transform panics",
        "all is well",
    ] {
        let line = format!("{place} at {SECRET} end");
        life.invoke(Script::new(vec![Step::Log(line)])).await;
    }
    let end = life.end().await;
    end.assert_ended_well();
    let requests = backend.requests();
    let outputs = outputs(&end, &requests, &[folder.path()]);
    assert_clean(&Search::new([SECRET]), &outputs);
    let ledger = end.ledger();
    for (sink, least) in [("out", 1), ("bare", 3), ("clumsy", 3)] {
        let broken = ledger.dropped(sink).get("broken").copied();
        assert!(broken >= Some(least), "{sink}: {ledger:?} {}", end.said());
    }
    let said = end.said();
    assert!(said.matches("a bug at").count() >= 5, "{said}");
    let shown = backend.lines();
    let letters = shown
        .iter()
        .filter(|line| line.attributes["dead_letter.reason"] == "broken");
    assert!(letters.count() >= 2, "{shown:?}");
    assert!(
        shown
            .iter()
            .any(|line| line.record.contains("answer panics at [canary] end"))
    );
    backend.finish();
}
