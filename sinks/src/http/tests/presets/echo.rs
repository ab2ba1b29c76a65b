//! Services that say back what they were sent. Nothing of it may come into a reason or into the log, since reasons stand
//! in the ledger, in reports of losses and beside dead letters.

use super::*;

/// A word as it may stand in a record, which passes for a code of AWS, for a word and for the kind of an error.
const WORD: &str = "canary_7f3a";

/// A number as it may stand in a record, put together so that nobody takes it for a real card.
const NUMBER: &str = concat!("4111111", "111111111");

/// Bodies of every form that some service answers with, each value of them the record's.
const BODIES: [&str; 16] = [
    "WORD",
    "NUMBER",
    r#"{"message":"WORD","error":"WORD","code":"WORD","__type":"WORD"}"#,
    r#"{"code":NUMBER,"text":"WORD","invalid-event-number":0}"#,
    r#"{"error":{"type":"WORD","reason":"WORD"},"status":NUMBER}"#,
    r#"{"errors":true,"items":[{"WORD":{"status":400,"error":{"type":"WORD","reason":"WORD"}}},{"create":{"status":NUMBER}}]}"#,
    r#"[{"status":400,"error":"WORD"},{"status":429,"error":"WORD"},{"status":NUMBER,"error":"WORD"}]"#,
    r#"{"ingested":0,"failed":2,"failures":[{"timestamp":"WORD","error":"WORD"}]}"#,
    r#"{"code":200,"status":[{"name":"WORD","successful":0,"failed":2,"error":"WORD"}]}"#,
    r#"{"status":[{"name":"WORD","failed":NUMBER,"error":"WORD"}]}"#,
    r#"{"FailedPutCount":2,"RequestResponses":[{"ErrorCode":"WORD","ErrorMessage":"WORD"}]}"#,
    r#"{"malformedLines":NUMBER,"successfulLines":0,"oversizedLines":NUMBER,"emptyLogLines":0}"#,
    "Code: NUMBER. DB::Exception: WORD. (WORD)",
    "entry for stream '{a=\"WORD\"}' has timestamp too old: WORD, total ignored: 1 out of 2 for stream: WORD",
    r#"{"success":{"message":"WORD"},"details":{"ok":1,"error":NUMBER,"message":"WORD"}}"#,
    "<Error><Code>WORD</Code><Message>WORD</Message></Error>",
];

const HEADS: [&str; 13] = [
    "200 OK",
    "200 OK\r\nx-clickhouse-exception-code: NUMBER",
    "202 Accepted",
    "204 None",
    "260 Blocked",
    "400 WORD",
    "400 Bad\r\nx-amzn-errortype: WORD:http://WORD\r\nx-clickhouse-exception-code: NUMBER",
    "401 WORD\r\nwww-authenticate: WORD",
    "403 WORD",
    "404 WORD",
    "418 WORD\r\nlocation: http://WORD/",
    "429 WORD\r\nretry-after: NUMBER\r\nx-ratelimit-reset: NUMBER",
    "503 WORD\r\nx-amz-retry-after: NUMBER",
];

fn said(template: &str) -> String {
    template.replace("WORD", WORD).replace("NUMBER", NUMBER)
}

/// The words of a verdict, which is all of it that is ever shown.
fn word(verdict: &Verdict) -> &str {
    match verdict {
        Verdict::Rejected(why)
        | Verdict::Unnamed(why)
        | Verdict::Retry { why, .. }
        | Verdict::Denied { why } => why,
        Verdict::Accepted | Verdict::TooLarge | Verdict::Held => "",
    }
}

fn assert_clean(shown: &str, of: &str) {
    assert!(
        !shown.contains(WORD) && !shown.contains("4111"),
        "{of}: {shown}"
    );
}

#[tokio::test]
async fn what_a_service_echoes_is_never_a_reason() {
    let texts = [WORD, NUMBER];
    for (name, _) in SHOWN {
        for head in HEADS {
            for body in BODIES {
                // The second one is for clients that fetch credentials anew.
                let echo = answer(&said(head), &said(body));
                let server = Server::start(vec![vec![Take, echo.clone()], vec![Take, echo]]).await;
                let (world, budget) = (world(), Budget::new(64 << 20));
                let mut sink = preset(name, &server);
                let records = select(test_util::batch(&texts));
                let outcome = sink.deliver(&records, world.call(&budget)).await;
                let of = format!("{name}: {head}: {body}");
                for (_, verdict) in &outcome.exceptions {
                    assert_clean(word(verdict), &of);
                }
                assert_clean(word(&outcome.verdict), &of);
                assert_clean(&world.messages.borrow().join("\n"), &of);
            }
        }
    }
}

#[tokio::test]
async fn what_a_plain_receiver_echoes_is_never_a_reason() {
    for head in HEADS {
        let server = Server::start(vec![vec![Take, answer(&said(head), &said(BODIES[0]))]]).await;
        let world = TestWorld::new();
        let verdict = deliver_texts(&mut plain(&server, ""), &world, &[WORD, NUMBER]).await;
        assert_clean(word(&verdict), head);
        assert_clean(&world.messages.borrow().join("\n"), head);
    }
}
