//! Whatever bytes come to the listener: each is answered and counted, nothing crashes, and neighbours stay whole.
//! What each form becomes is tested in `extension`'s decoder; here it is the process that must live on.

use serde_json::json;
use tapline::local::{Freeze, Script, Step};

use crate::backend::{Answer, FakeBackend, Line};
use crate::harness::{End, Life, Scenario, peak_rss_kib};
use crate::listener::Listener;

const MIB: usize = 1 << 20;

/// Budget of a function with 256 MB: a tenth.
const BUDGET_KIB: u64 = 256 * 1024 / 10;

/// What the process may need beside its budget.
const BESIDE_KIB: u64 = 30 * 1024;

/// An environment whose listener can be talked to at any time.
struct Site {
    backend: FakeBackend,
    life: Life,
    listener: Listener,
    idle_kib: u64,
    neighbours: u32,
}

impl Site {
    async fn new() -> Site {
        let backend = FakeBackend::start(Answer::OK);
        // Nothing is flushed between two invocations: all that a scenario posts has to find room.
        let config = format!("{}queue = {{ bytes = \"16MiB\" }}\n", backend.sink("out"));
        let scenario =
            Scenario::new(&config).on(|platform| platform.freeze = Freeze::Never);
        let mut life = scenario.begin().await;
        life.invoke(Script::new(vec![Step::Log("first".into())]))
            .await;
        let listener = Listener::find(life.lambda.temp());
        let idle_kib = peak_rss_kib(life.process());
        Site {
            backend,
            life,
            listener,
            idle_kib,
            neighbours: 0,
        }
    }

    /// A POST that is as it should be.
    async fn neighbour(&mut self) {
        let body = format!(
            "[{}]",
            element(&json!(format!("neighbour {}", self.neighbours)))
        );
        self.neighbours += 1;
        assert_eq!(self.listener.post(body.as_bytes()).await, 200);
    }

    /// POSTs a body between two neighbours; gives the status.
    async fn post(&mut self, body: &[u8]) -> u16 {
        self.neighbour().await;
        let status = self.listener.post(body).await;
        self.neighbour().await;
        status
    }

    /// Ends it. Neighbours are whole, memory stayed within its bounds, and the process is well.
    async fn end(mut self) -> (End, Vec<Line>) {
        self.life
            .invoke(Script::new(vec![Step::Log("last".into())]))
            .await;
        let peak_kib = peak_rss_kib(self.life.process());
        let end = self.life.end().await;
        end.assert_unharmed();
        let lines = self.backend.lines();
        assert!(
            peak_kib <= self.idle_kib + BUDGET_KIB + BESIDE_KIB,
            "{} KiB, then {peak_kib} KiB",
            self.idle_kib
        );
        for number in 0..self.neighbours {
            let text = format!("neighbour {number}");
            assert_eq!(
                lines.iter().filter(|line| line.text() == text).count(),
                1,
                "{text}"
            );
        }
        assert_eq!(
            end.ledger().of("out", "delivered"),
            end.ledger().count("received")
        );
        crate::harness::assert_ids_unique(&lines);
        self.backend.finish();
        (end, lines)
    }
}

fn element(record: &serde_json::Value) -> String {
    format!("{{\"time\":\"2026-11-23T12:00:00.000Z\",\"type\":\"function\",\"record\":{record}}}")
}

fn unknown(lines: &[Line]) -> Vec<&Line> {
    lines.iter().filter(|line| line.kind == "unknown").collect()
}

/// A body that is text; one that is an object; an array of numbers; an element that breaks off inside.
/// Each is taken, becomes opaque records of type `unknown` with its own text, and counts as malformed.
#[tokio::test]
async fn what_is_no_telemetry_becomes_opaque() {
    let mut site = Site::new().await;
    for body in [
        "hello, world",
        r#"{"not":"an array"}"#,
        "[1,2]",
        r#"[{"time":"x","type":"function","record":oops}]"#,
    ] {
        assert_eq!(site.post(body.as_bytes()).await, 200, "{body}");
    }
    let (end, lines) = site.end().await;
    let opaque = unknown(&lines);
    assert!(
        opaque.iter().any(|line| line.text() == "hello, world"),
        "{opaque:?}"
    );
    assert!(
        opaque.iter().any(|line| line.record.contains("oops")),
        "{opaque:?}"
    );
    assert!(end.ledger().count("malformed") >= 4, "{:?}", end.ledger());
}

/// A body ends before its announced length; a connection breaks off within the head.
/// Nothing of it is taken, since the platform sends it again, and the listener goes on.
#[tokio::test]
async fn half_a_body_is_no_body() {
    let mut site = Site::new().await;
    let body = format!("[{},{}", element(&json!("half")), element(&json!("lost")));
    let path = format!("/{}", site.listener.token);
    site.neighbour().await;
    let answer = site
        .listener
        .send("POST", &path, body.len() + 100, body.as_bytes())
        .await;
    assert!(
        answer.is_err() || answer.as_ref().is_ok_and(|status| *status == 400),
        "{answer:?}"
    );
    site.neighbour().await;
    let (_, lines) = site.end().await;
    assert!(
        !lines
            .iter()
            .any(|line| line.record.contains("half") || line.record.contains("lost"))
    );
}

/// POSTs with a wrong token, with none, and with the right one in another place; GET with the right one.
/// 403 and 405; nothing is taken, and refusals are counted.
#[tokio::test]
async fn without_the_token_nothing_is_taken() {
    let mut site = Site::new().await;
    let body = format!("[{}]", element(&json!("smuggled")));
    let token = site.listener.token.clone();
    for path in [
        "/",
        "/00000000000000000000000000000000",
        &format!("/{token}/more"),
        &format!("/x?{token}"),
    ] {
        let status = site
            .listener
            .send("POST", path, body.len(), body.as_bytes())
            .await;
        assert_eq!(status.expect("it answers"), 403, "{path}");
    }
    let status = site
        .listener
        .send("GET", &format!("/{token}"), 0, b"")
        .await;
    assert_eq!(status.expect("it answers"), 405);
    site.neighbour().await;
    let (end, lines) = site.end().await;
    assert!(!lines.iter().any(|line| line.record.contains("smuggled")));
    assert_eq!(end.ledger().count("refused"), 4);
}

/// A POST of just under 8 MiB, and one of 9 MiB.
/// Both are answered with 2xx; the first is taken, the second counts as a dropped body.
#[tokio::test]
async fn a_body_may_be_large_but_not_too_large() {
    let mut site = Site::new().await;
    let record = json!("x".repeat(MIB - 200));
    let of = |count: usize| format!("[{}]", vec![element(&record); count].join(","));
    let (under, over) = (of(7), of(9));
    assert!(under.len() < 8 * MIB && over.len() > 8 * MIB);
    assert_eq!(site.post(under.as_bytes()).await, 200);
    assert_eq!(site.post(over.as_bytes()).await, 200);
    let (end, lines) = site.end().await;
    assert_eq!(end.ledger().count("bodies_dropped"), 1);
    assert_eq!(
        lines
            .iter()
            .filter(|line| line.record.len() > MIB / 2)
            .count(),
        7
    );
}

/// Bytes that are no UTF-8, and NUL bytes, within records and around them.
/// Each invalid place becomes U+FFFD and is counted; every line that leaves is JSON.
#[tokio::test]
async fn invalid_bytes_are_replaced_and_counted() {
    let mut site = Site::new().await;
    let (head, tail) = (
        r#"[{"time":"2026-11-23T12:00:00.000Z","type":"function","record":"a"#,
        r#"b"}]"#,
    );
    for bytes in [&b"\xff"[..], b"\xc3", b"\xed\xa0\x80", b"\xf0\x9f"] {
        assert_eq!(
            site.post(&[head.as_bytes(), bytes, tail.as_bytes()].concat())
                .await,
            200
        );
    }
    assert_eq!(
        site.post(&[head.as_bytes(), b"\0\0", tail.as_bytes()].concat())
            .await,
        200
    );
    assert_eq!(site.post(&[0; 100]).await, 200);
    assert_eq!(site.post(&[0xff; 100]).await, 200);
    let (end, lines) = site.end().await;
    assert!(
        lines
            .iter()
            .filter(|line| line.record.contains('\u{fffd}'))
            .count()
            >= 5
    );
    assert!(
        end.ledger().count("invalid_utf8") >= 5,
        "{:?}",
        end.ledger()
    );
}

/// 10,000 records in one POST; one record of 1 MiB.
/// All of them arrive.
#[tokio::test]
async fn many_and_long_records_arrive() {
    let mut site = Site::new().await;
    let many: Vec<String> = (0..10_000)
        .map(|number| element(&json!(format!("many {number}"))))
        .collect();
    assert_eq!(
        site.post(format!("[{}]", many.join(",")).as_bytes()).await,
        200
    );
    let long = json!("y".repeat(MIB));
    assert_eq!(
        site.post(format!("[{}]", element(&long)).as_bytes()).await,
        200
    );
    let (_, lines) = site.end().await;
    assert_eq!(
        lines
            .iter()
            .filter(|line| line.text().starts_with("many "))
            .count(),
        10_000
    );
    assert_eq!(
        lines
            .iter()
            .filter(|line| line.record == long.to_string())
            .count(),
        1
    );
}

/// Brackets nested 5,000 deep as a record, as a body, and never closed.
/// The stack holds, and the text arrives, as a record or as an opaque one.
#[tokio::test]
async fn deep_nesting_does_not_overflow() {
    let mut site = Site::new().await;
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let objects = format!("{}1{}", "{\"a\":".repeat(5_000), "}".repeat(5_000));
    let element =
        |record: &str| format!("[{{\"time\":\"x\",\"type\":\"function\",\"record\":{record}}}]");
    for body in [
        element(&deep),
        element(&objects),
        deep.clone(),
        "[".repeat(5_000),
        "{\"a\":[".repeat(5_000),
    ] {
        assert_eq!(site.post(body.as_bytes()).await, 200);
    }
    let (end, _) = site.end().await;
    assert!(end.ledger().count("malformed") >= 3, "{:?}", end.ledger());
}

/// Empty bodies, `[]`, and white space.
/// They are answered and hold no record.
#[tokio::test]
async fn nothing_is_nothing() {
    let mut site = Site::new().await;
    for body in ["", "[]", " [ ] \n"] {
        assert_eq!(site.post(body.as_bytes()).await, 200, "{body:?}");
    }
    let (end, lines) = site.end().await;
    assert!(unknown(&lines).is_empty());
    assert_eq!(end.ledger().count("malformed"), 0);
}
