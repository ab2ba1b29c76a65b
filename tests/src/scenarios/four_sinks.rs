//! All four sinks at once, each to a destination of its own; each in turn is a black hole: it takes a request, never answers
//! and never closes. What that costs the function stands in `sink_misbehaves`.

use std::io::Read as _;
use std::time::Duration;

use tapline::local::{Script, Step, clock};

use crate::backend::{Answer, FakeBackend, Request};
use crate::harness::{End, SLACK, Scenario, held};

const INVOCATIONS: usize = 8;

/// Three holds at most are spent before the breaker opens.
const STRIKES: usize = 4;

const SINKS: [&str; 4] = ["cloudwatch", "otlp", "http", "s3"];

/// What a destination says that took everything.
fn taken(sink: &str) -> Answer {
    match sink {
        "cloudwatch" => Answer::Said(200, "{}".to_owned()),
        _ => Answer::OK,
    }
}

fn config(urls: &[String; 4]) -> String {
    let [cloudwatch, otlp, http, s3] = urls;
    format!(
        "[sink.cloudwatch]\ntype = \"cloudwatch\"\ngroup = \"/pay/orders\"\nregion = \"eu-west-1\"\nendpoint = \"{cloudwatch}\"\n\
         [sink.otlp]\ntype = \"otlp\"\nprotocol = \"http/json\"\nendpoint = \"{otlp}\"\n\
         [sink.http]\ntype = \"http\"\nurl = \"{http}/in\"\n\
         [sink.s3]\ntype = \"s3\"\nbucket = \"acme-logs\"\nregion = \"eu-west-1\"\nendpoint = \"{s3}\"\n"
    )
}

/// The text of a request: objects are gzip without saying so in a header.
fn text(request: &Request) -> String {
    let mut text = String::new();
    match request.body.starts_with(&[0x1f, 0x8b]) {
        true => {
            let mut decoder = flate2::read::GzDecoder::new(request.body.as_slice());
            decoder.read_to_string(&mut text).expect("it is gzip");
        }
        false => text.push_str(std::str::from_utf8(&request.body).expect("it is UTF-8")),
    }
    text
}

fn marker(number: usize) -> String {
    format!("order {number:04} paid")
}

/// What was seen of one life.
struct Seen {
    end: End,
    /// By sink and invocation: how long after its end its record was there; `None` where it never was.
    delays: Vec<Vec<Option<Duration>>>,
}

/// Eight invocations, where the sink `hole` leads into a black hole.
async fn lived(hole: Option<&str>) -> Seen {
    let backends = SINKS.map(|sink| match hole == Some(sink) {
        true => FakeBackend::start(Answer::Never),
        false => FakeBackend::start(taken(sink)),
    });
    let urls = [0, 1, 2, 3].map(|at: usize| backends[at].url());
    let mut life = Scenario::new(&config(&urls))
        .variable("AWS_ACCESS_KEY_ID", "key-id")
        .variable("AWS_SECRET_ACCESS_KEY", "not-a-secret")
        .begin()
        .await;
    let mut ends = Vec::new();
    for number in 0..INVOCATIONS {
        let began = clock::now();
        let log = Step::Log(marker(number));
        let outcome = life.invoke(Script::new(vec![log])).await;
        ends.push(began + outcome.duration);
    }
    let end = life.end().await;
    let delays = backends.iter().map(|backend| {
        let requests = backend.requests();
        let texts: Vec<String> = requests.iter().map(text).collect();
        let delay = |number: usize| {
            let marker = marker(number);
            let times: usize = texts.iter().map(|text| text.matches(&marker).count()).sum();
            // A black hole is sent the same records again and again.
            assert!(
                times <= 1 || requests[0].answer == Answer::Never,
                "{marker}"
            );
            let at = texts.iter().position(|text| text.contains(&marker))?;
            Some(requests[at].at.saturating_duration_since(ends[number]))
        };
        (0..INVOCATIONS).map(delay).collect()
    });
    let delays = delays.collect();
    backends.into_iter().for_each(FakeBackend::finish);
    Seen { end, delays }
}

/// The same eight invocations five times: with all destinations well, and with each of them as a black hole.
/// The other three have every record once and as early as without it, the function is held no longer once the breaker is
/// open, every ledger adds up, and it names the one sink that lost.
#[tokio::test]
async fn a_black_hole_changes_nothing_for_the_other_three() {
    let well = lived(None).await;
    well.end.assert_unharmed();
    for hole in SINKS {
        let seen = lived(Some(hole)).await;
        seen.end.assert_unharmed();
        let ledger = seen.end.ledger();
        let received = ledger.count("received");
        for (at, sink) in SINKS.into_iter().enumerate() {
            if sink == hole {
                let lost = received + ledger.of(sink, "generated");
                assert_eq!(ledger.dropped(sink)["shutdown"], lost, "{}", ledger.0);
                continue;
            }
            assert_eq!(
                ledger.of(sink, "delivered"),
                received,
                "{hole}: {}",
                ledger.0
            );
            assert!(ledger.dropped(sink).is_empty(), "{hole}: {}", ledger.0);
            for (number, delay) in seen.delays[at].iter().enumerate() {
                let (delay, alone) = (delay.expect("it came"), well.delays[at][number]);
                let alone = alone.expect("it came there too");
                assert!(
                    delay <= alone + SLACK,
                    "{hole}, {sink}: {delay:?} {alone:?}"
                );
            }
        }
        let pairs = seen.end.outcomes.iter().zip(&well.end.outcomes);
        for (beside, alone) in pairs.skip(STRIKES) {
            let (beside, alone) = (held(beside), held(alone));
            assert!(beside <= alone + SLACK, "{hole}: {beside:?} {alone:?}");
        }
    }
}
