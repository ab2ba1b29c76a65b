//! Destinations that say back what they were sent, in place of a reason.

use tapline::local::{Script, Step};

use crate::backend::{Answer, FakeBackend, Request};
use crate::harness::Scenario;

/// A word as it may stand in a record; it passes for the code of an error.
const CANARY: &str = "canary_7f3a";

/// Every form in which one of the sinks below looks for a reason, each filled with the canary and with the request.
fn echo(request: &Request) -> Answer {
    let quoted = serde_json::to_string(&String::from_utf8_lossy(&request.body)).expect("text");
    let c = CANARY;
    if request.target.starts_with("POST /1/batch/") {
        let item = format!("{{\"status\":400,\"error\":{quoted}}}");
        let items = vec![item; 64].join(",");
        return Answer::Said(200, format!("[{items}]"));
    }
    if request.target.contains("/_bulk") {
        let item = format!(
            "{{\"create\":{{\"status\":400,\"error\":{{\"type\":\"{c}\",\"reason\":{quoted}}}}}}}"
        );
        let items = vec![item; 64].join(",");
        return Answer::Said(200, format!("{{\"errors\":true,\"items\":[{items}]}}"));
    }
    if request.target.starts_with("PUT /") {
        let text = format!("<Error><Code>{c}</Code><Message>{c}</Message></Error>");
        return Answer::Said(400, text);
    }
    Answer::Said(
        400,
        format!("{{\"__type\":\"{c}\",\"code\":\"{c}\",\"message\":{quoted},\"error\":\"{c}\"}}"),
    )
}

/// Six sinks of all kinds are refused everything, in the words of their own records; one takes their dead letters.
/// Neither the ledger nor the log nor a report of losses nor what stands beside a dead letter has a word of it.
#[tokio::test]
async fn what_a_destination_echoes_goes_nowhere() {
    let (ill, well) = (FakeBackend::judging(echo), FakeBackend::start(Answer::OK));
    let url = ill.url();
    let config = format!(
        "[flush]\nmax_hold = \"500ms\"\n\
         [sink.plain]\ntype = \"http\"\nurl = \"{url}/\"\ndead_letter = \"archive\"\n\
         [sink.comb]\ntype = \"http\"\npreset = \"honeycomb\"\nurl = \"{url}\"\noptions = {{ api_key = \"k\" }}\ndead_letter = \"archive\"\n\
         [sink.bulk]\ntype = \"http\"\npreset = \"elasticsearch\"\nurl = \"{url}\"\noptions = {{ index = \"i\" }}\ndead_letter = \"archive\"\n\
         [sink.otel]\ntype = \"otlp\"\nendpoint = \"{url}\"\nprotocol = \"http/json\"\ndead_letter = \"archive\"\n\
         [sink.cw]\ntype = \"cloudwatch\"\nregion = \"eu-west-1\"\nendpoint = \"{url}\"\ngroup = \"/g\"\ndead_letter = \"archive\"\n\
         [sink.store]\ntype = \"s3\"\nregion = \"eu-west-1\"\nendpoint = \"{url}\"\nbucket = \"acme-logs\"\ndead_letter = \"archive\"\n\
         {}when = 'type == \"never\"'\n",
        well.sink("archive")
    );
    let mut life = Scenario::new(&config)
        .variable("AWS_ACCESS_KEY_ID", "key-id")
        .variable("AWS_SECRET_ACCESS_KEY", "not-a-secret")
        .variable("TAPLINE_LOG", "debug")
        .begin()
        .await;
    for _ in 0..3 {
        let line = Step::Log(format!("{{\"message\":\"{CANARY}\"}}"));
        life.invoke(Script::new(vec![line])).await;
    }
    let end = life.end().await;
    end.assert_unharmed();
    let said = end.said();
    assert!(!said.contains(CANARY), "{said}");
    let ledger = end.ledger();
    for sink in ["plain", "comb", "bulk", "otel", "cw", "store"] {
        assert!(ledger.of(sink, "rejected") >= 3, "{sink}: {}", ledger.0);
    }
    let letters = well.lines();
    assert!(letters.len() >= 18, "{}", letters.len());
    for letter in &letters {
        let beside = letter.attributes.to_string();
        assert!(beside.contains("dead_letter.reason"), "{letter:?}");
        assert!(!beside.contains(CANARY), "{letter:?}");
    }
    // What a sink lost is reported to that sink, behind its next records.
    let requests = ill.requests();
    let bodies = requests
        .iter()
        .map(|request| String::from_utf8_lossy(&request.body));
    let lines = bodies.flat_map(|body| body.lines().map(str::to_owned).collect::<Vec<_>>());
    let is_report =
        |line: &String| line.starts_with("{\"id\"") && line.contains("\"type\":\"tapline.loss\"");
    let reports: Vec<String> = lines.filter(is_report).collect();
    assert!(!reports.is_empty());
    for report in reports {
        assert!(!report.contains(CANARY), "{report}");
    }
    ill.finish();
    well.finish();
}
