//! Secrets at places that few records have: across the cut of a message that is too large for CloudWatch, and in lines
//! that wait for the end of their invocation and find no room.

use serde_json::json;
use tapline::local::{Freeze, Script, Stamp, Step};

use super::{assert_clean, element, outputs};
use crate::backend::{Answer, FakeBackend};
use crate::canary::Search;
use crate::harness::{Folder, Scenario};
use crate::listener::Listener;

/// Goes by its shape alone. Each half is long enough to be looked for.
const SECRET: &str = concat!("CNRY", "0123456789abcdef0123");

const REDACT: &str = "[[transform]]\ntype = \"redact\"\n\
                      custom = [{ id = \"canary\", regex = 'CNRY[0-9a-f]{20}' }]\n";

/// Bytes of a message of CloudWatch, where a larger one is cut.
///
/// Source: <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html>, read 2026-11-25.
const CUT: usize = 1_048_550;

/// What stands in place of the end where a message is truncated: `...[truncated 1234567 bytes]` is as long.
const MARKER: usize = 28;

/// JSON, and a text, whose byte at the cut is in the middle of the secret, and in that of another one where it would be
/// truncated.
fn oversize() -> [String; 2] {
    let before = CUT - MARKER - SECRET.len() / 2;
    let both = format!("{SECRET}    {SECRET} end");
    let (open, between) = ("{\"first\":\"", "\",\"second\":\"");
    let (first, second) = (
        "x".repeat(500_000),
        before - 500_000 - open.len() - between.len(),
    );
    let second = "y ".repeat(second)[..second - 1].to_owned();
    let object = format!(
        "{open}{first}{between}{second} {both}\",\"third\":\"{}\",\"mark\":\"the object\"}}",
        "z".repeat(50_000)
    );
    let text = format!("{}{both}", "y ".repeat(before / 2));
    [object, json!(text).to_string()]
}

/// Two records that are cut by CloudWatch, the secret across the cut, to sinks that split and truncate.
/// Neither part shows a part of it; both parts of what is split are there.
#[tokio::test]
async fn a_secret_across_the_cut_of_a_message_is_in_neither_part() {
    let backend = FakeBackend::start(Answer::Said(200, "{}".to_owned()));
    let mut config = format!("version = 1\nmemory = \"32MiB\"\n{REDACT}");
    for oversize in ["split", "truncate"] {
        for format in ["bare", "envelope"] {
            config.push_str(&format!(
                "[sink.{oversize}_{format}]\ntype = \"cloudwatch\"\ngroup = \"/g\"\noversize = \"{oversize}\"\n\
                 format = \"{format}\"\nendpoint = \"{}/{oversize}_{format}\"\nqueue = {{ bytes = \"4MiB\" }}\n",
                backend.url()
            ));
        }
    }
    let scenario = Scenario::new(&config).variable("TAPLINE_LOG", "trace");
    let mut life = scenario
        .on(|platform| platform.freeze = Freeze::Never)
        .begin()
        .await;
    let listener = Listener::find(life.lambda.temp());
    for raw in oversize() {
        let last = raw.rfind(SECRET).expect("it is there");
        assert!(last < CUT && CUT < last + SECRET.len());
        let body = format!("[{}]", element("function", &raw));
        assert_eq!(listener.post(body.as_bytes()).await, 200);
        life.invoke(Script::new(vec![Step::Log("on".into())])).await;
    }
    let end = life.end().await;
    end.assert_ended_well();
    assert_eq!(end.ledger().count("bodies_dropped"), 0);
    let requests = backend.requests();
    let (left, right) = SECRET.split_at(SECRET.len() / 2);
    let search = Search::new([SECRET, left, right]);
    assert_clean(&search, &outputs(&end, &requests, &[]));
    for name in [
        "split_bare",
        "split_envelope",
        "truncate_bare",
        "truncate_envelope",
    ] {
        let sent: Vec<u8> = requests
            .iter()
            .filter(|request| request.target.contains(name))
            .flat_map(|request| request.body.clone())
            .collect();
        let sent = String::from_utf8_lossy(&sent);
        let split = name.starts_with("split");
        // The text is short enough for one message once it is redacted; the object is not.
        let wanted = match split {
            true => sent.matches("[canary]    [canary]").count() == 2,
            false => sent.contains("...[truncated"),
        };
        assert!(wanted, "{name}: {:?}", end.ledger());
        assert_eq!(sent.contains("the object"), split, "{name}");
        let delivered = end.ledger().of(name, "delivered");
        assert_eq!(delivered, end.ledger().count("received"), "{name}");
    }
    backend.finish();
}

/// An invocation whose lines are more than the ring before `redact` holds, so that they leave one by one while it runs,
/// and one whose lines fit and come out at its end.
/// None shows its secret, and all are there.
#[tokio::test]
async fn lines_that_find_no_room_in_the_ring_are_redacted() {
    let backend = FakeBackend::start(Answer::OK);
    let folder = Folder::new();
    let config = format!(
        "version = 1\n[[transform]]\ntype = \"sample\"\nrate = 0\ntail = {{ keep = 'failed', memory = \"64KiB\" }}\n\
         {REDACT}{}[sink.file]\ntype = \"console\"\npath = \"{}\"\n",
        backend.sink("out"),
        folder.path().join("console").display()
    );
    let mut life = Scenario::new(&config)
        .variable("TAPLINE_LOG", "trace")
        .begin()
        .await;
    let lines = |count: usize| -> Vec<Step> {
        let line = |number| format!("line {number} {} {SECRET} end", "x".repeat(900));
        (0..count).map(|number| Step::Log(line(number))).collect()
    };
    life.invoke(Script::new(lines(200)).stamped(Stamp::Python))
        .await;
    let failed = tapline::local::End::Throw {
        kind: "ValueError".to_owned(),
        message: format!("it threw {SECRET}"),
    };
    life.invoke(Script::new(lines(20)).stamped(Stamp::Python).ending(failed))
        .await;
    let end = life.end().await;
    end.assert_ended_well();
    let ledger = end.ledger();
    assert!(ledger.count("tail_overflow") > 0, "{ledger:?}");
    let requests = backend.requests();
    assert_clean(
        &Search::new([SECRET]),
        &outputs(&end, &requests, &[folder.path()]),
    );
    let shown = backend.lines();
    let labelled = shown.iter().filter(|line| line.record.contains("[canary]"));
    assert!(labelled.count() > 150, "{} lines, {ledger:?}", shown.len());
    backend.finish();
}
