//! Batching and cutting, without sockets.

use super::super::settings::{Schema, Settings};
use super::*;

fn subscription(items_max: usize, timeout_ms: u64) -> Subscription {
    Subscription {
        schema: Schema::V2022_12_13,
        types: vec!["platform".into(), "function".into()],
        items_max,
        bytes_max: 262_144,
        timeout_ms,
        destination: Destination::Http {
            port: 1,
            path: "/".into(),
            host: "sandbox:1".into(),
            method: "POST",
        },
    }
}

fn line(text: String) -> Element {
    Element {
        time: "2026-01-02T03:04:05.678Z".into(),
        kind: "function".into(),
        record: Record::Line(text),
        audience: Audience::Everyone,
    }
}

fn body(relay: &mut Relay) -> Option<Bytes> {
    match relay.take(0) {
        Take::Batch(batch) => {
            relay.delivered(0, &batch);
            Some(batch.body)
        }
        _ => None,
    }
}

/// The number of elements reaches `maxItems`; one more waits for the next POST.
#[test]
fn a_batch_leaves_at_its_last_item() {
    let mut relay = Relay::new(&Settings::default());
    relay.subscribe("e", 1, subscription(1000, 30_000));
    for n in 0..999 {
        relay.emit(line(n.to_string()));
    }
    assert!(body(&mut relay).is_none(), "999 wait for the timeout");
    relay.emit(line("999".into()));
    relay.emit(line("1000".into()));
    let bytes = body(&mut relay).expect("1000 are enough");
    let elements: Vec<serde_json::Value> = serde_json::from_slice(&bytes).expect("an array");
    assert_eq!(elements.len(), 1000);
    assert!(body(&mut relay).is_none());
}

/// Bytes reach `maxBytes` long before the items do.
#[test]
fn a_batch_leaves_at_its_last_byte() {
    let mut relay = Relay::new(&Settings::default());
    relay.subscribe("e", 1, subscription(10_000, 30_000));
    relay.emit(line("x".repeat(200_000)));
    assert!(body(&mut relay).is_none());
    relay.emit(line("x".repeat(100_000)));
    let bytes = body(&mut relay).expect("300 kB are enough");
    assert!(bytes.len() > 300_000 && bytes.len() < 2 * 262_144);
}

/// A record of three times `maxBytes` is cut twice; joined by the rule of the reference it is whole again.
#[test]
fn a_cut_record_rejoins() {
    let mut relay = Relay::new(&Settings::default());
    relay.subscribe("e", 1, subscription(10_000, 30_000));
    relay.emit(line("before".into()));
    let long = format!("{}é{}", "A".repeat(400_000), "B".repeat(300_000));
    relay.emit(line(long.clone()));
    relay.emit(line("after".into()));
    let posts: Vec<Bytes> = std::iter::from_fn(|| body(&mut relay)).collect();
    assert_eq!(posts.len(), 3);
    let mut joined = posts[0]
        .strip_suffix(b"}]")
        .expect("closing framing")
        .to_vec();
    let envelope = br#"[{"time":"2026-01-02T03:04:05.678Z","type":"function","record":"#;
    for (n, post) in posts[1..].iter().enumerate() {
        assert!(serde_json::from_slice::<serde_json::Value>(post).is_err());
        let rest = post
            .strip_prefix(envelope.as_slice())
            .expect("the same envelope");
        let rest = if n == 1 {
            rest
        } else {
            rest.strip_suffix(b"}]").expect("cut again")
        };
        joined.extend_from_slice(rest);
    }
    let elements: Vec<serde_json::Value> = serde_json::from_slice(&joined).expect("whole");
    let records: Vec<_> = elements
        .iter()
        .map(|e| e["record"].as_str().expect("a line"))
        .collect();
    assert_eq!(
        records,
        ["before\n", format!("{long}\n").as_str(), "after\n"]
    );
}

/// A full buffer drops the newest and says so in the next batch.
#[test]
fn a_full_buffer_reports_what_it_dropped() {
    let settings = Settings {
        buffer_bytes_max: 1000,
        ..Settings::default()
    };
    let mut relay = Relay::new(&settings);
    relay.subscribe("e", 1, subscription(1000, 30_000));
    for _ in 0..5 {
        relay.emit(line("x".repeat(300)));
    }
    relay.draining = true;
    let bytes = body(&mut relay).expect("draining");
    let elements: Vec<serde_json::Value> = serde_json::from_slice(&bytes).expect("an array");
    assert_eq!(elements.len(), 3);
    assert_eq!(elements[2]["type"], "platform.logsDropped");
    assert_eq!(elements[2]["record"]["droppedRecords"], 3);
    let journal = relay.journal();
    assert_eq!(journal.deliveries[0].dropped().count(), 3);
    assert_eq!(journal.deliveries[0].delivered().count(), 3);
}
