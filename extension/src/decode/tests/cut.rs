//! Records that the platform cut at `maxBytes`: joined they are what they would have been whole.

use super::*;
use proptest::prelude::*;
use tapline_core::limits::{FRAGMENT_BYTES_MAX, FRAGMENT_WAIT};

const ENVELOPE: &[u8] = br#"{"time":"2026-03-14T09:26:53.820Z","type":"function","record":"#;

/// The POSTs of a body whose element with `value` is cut before these offsets of its value.
fn cut_posts(before: &[String], value: &str, after: &[String], cuts: &[usize]) -> Vec<Vec<u8>> {
    let mut posts = Vec::new();
    let mut post = b"[".to_vec();
    for element in before {
        post.extend_from_slice(element.as_bytes());
        post.push(b',');
    }
    let mut from = 0;
    for cut in cuts {
        post.extend_from_slice(ENVELOPE);
        post.extend_from_slice(&value.as_bytes()[from..*cut]);
        post.extend_from_slice(b"}]");
        posts.push(std::mem::replace(&mut post, b"[".to_vec()));
        from = *cut;
    }
    post.extend_from_slice(ENVELOPE);
    post.extend_from_slice(&value.as_bytes()[from..]);
    post.push(b'}');
    for element in after {
        post.push(b',');
        post.extend_from_slice(element.as_bytes());
    }
    post.push(b']');
    posts.push(post);
    posts
}

fn whole_body(before: &[String], value: &str, after: &[String]) -> String {
    let mut elements = before.to_vec();
    elements.push(element(value));
    elements.extend_from_slice(after);
    array(&elements)
}

/// Decodes cut and whole; both must be the same. The fragment must be gone at the end.
fn assert_joined(before: &[String], value: &str, after: &[String], cuts: &[usize]) {
    let expected = Desk::new().decode(whole_body(before, value, after));
    let mut desk = Desk::new();
    let mut rows = Vec::new();
    for post in cut_posts(before, value, after, cuts) {
        rows.extend(desk.decode(post));
    }
    assert_eq!(rows, expected, "{value} cut at {cuts:?}");
    assert_eq!(desk.decoder.fragment_due(), None);
    assert_eq!(
        (desk.ledger.joined.get(), desk.ledger.malformed.get()),
        (1, 0)
    );
    assert_eq!(desk.ledger.invalid_utf8.get(), 0);
    assert_eq!(desk.budget.used(), 0);
}

const VALUES: [&str; 4] = [
    r#""[ERROR]\t2026-03-14T09:26:53.820Z\t5e2f9b64-8d3c-4c1a-9f77-0b6a41d2c3e8\tza\u017c\u00f3\ud83e\udd80 zażółć 🦀 \"}]\" \\""#,
    r#"{"level":"ERROR","n":[-1.5e-3,true,null,{"a":{}}],"message":"}],{\"time\":\"🦀\u00e9\\","z":false}"#,
    r#"{"events":[{"time":"T","type":"function","record":1},{"time":"T","type":"function","record":{"a":1}}]}"#,
    r#"["text",{"time":"T"}]"#,
];

#[test]
fn a_record_cut_at_any_byte_is_joined() {
    let neighbours = [element(r#""before ]}""#), element(r#"{"after":1}"#)];
    for value in VALUES {
        for cut in 0..value.len() {
            assert_joined(&[], value, &[], &[cut]);
            assert_joined(&neighbours[..1], value, &neighbours[1..], &[cut]);
        }
    }
}

#[test]
fn a_record_cut_twice_is_joined() {
    for value in VALUES {
        for first in (0..value.len()).step_by(3) {
            for second in (first..value.len()).step_by(5) {
                assert_joined(&[element("1")], value, &[element("2")], &[first, second]);
            }
        }
    }
}

/// The second part of one record is followed by the first of another.
#[test]
fn one_body_may_end_one_record_and_begin_another() {
    let mut desk = Desk::new();
    let first = cut_posts(&[], r#""first long""#, &[], &[6]);
    let second = cut_posts(&[], r#""second long""#, &[], &[6]);
    let mut middle = first[1].clone();
    middle.pop();
    middle.push(b',');
    middle.extend_from_slice(&second[0][1..]);
    assert!(desk.decode(&first[0]).is_empty());
    assert_eq!(values(&desk.decode(middle)), [r#""first long""#]);
    assert_eq!(values(&desk.decode(&second[1])), [r#""second long""#]);
    assert_eq!(desk.ledger.joined.get(), 2);
}

/// The second part does not come, but another body of the same millisecond does.
/// The first part is an opaque record at once, before the other body's records.
#[test]
fn a_body_that_does_not_continue_a_fragment_ends_it() {
    for value in [r#""abcdef""#, r#"{"message":"abcdef"}"#] {
        for next in [
            element(r#""other""#),
            element(r#"{"message":"other"}"#),
            "not json".to_owned(),
        ] {
            let mut desk = Desk::new();
            let posts = cut_posts(&[element("1")], value, &[], &[value.len() - 4]);
            assert_eq!(values(&desk.decode(&posts[0])), ["1"]);
            let rows = desk.decode(format!("[{next}]"));
            assert_eq!(rows.len(), 2, "{rows:?}");
            let text = String::from_utf8(posts[0].clone()).unwrap();
            let expected = &text[element("1").len() + 2..text.len() - 1];
            assert_eq!(unquoted(&rows[0]), expected);
            assert_eq!(desk.ledger.joined.get(), 0);
            assert!(rows[0].sequence < rows[1].sequence);
        }
    }
}

/// The second part does not come, and nothing else does.
/// Just before the wait is over nothing happens; then the first part is an opaque record.
#[test]
fn a_fragment_waits_for_as_long_as_it_may() {
    let mut desk = Desk::new();
    let posts = cut_posts(&[], r#""abcdef""#, &[], &[4]);
    assert!(desk.decode(&posts[0]).is_empty());
    let due = Instant(0) + FRAGMENT_WAIT;
    assert_eq!(desk.decoder.fragment_due(), Some(due));
    desk.now = Instant(due.0 - 1);
    assert!(desk.expire().is_empty());
    desk.now = due;
    let rows = desk.expire();
    assert_eq!(rows.len(), 1);
    assert_eq!(unquoted(&rows[0]), element(r#""abc"#));
    assert_eq!(desk.decoder.fragment_due(), None);
    assert!(desk.flush().is_empty());
}

/// A fragment of the greatest length waits; one a byte longer, or one that the budget has no room for, does not.
#[test]
fn a_fragment_is_bounded() {
    let longest = FRAGMENT_BYTES_MAX - ENVELOPE.len();
    for (length, waits) in [(longest, true), (longest + 1, false)] {
        let mut desk = Desk::new();
        let value = format!("\"{}", "x".repeat(length - 1));
        let rows = desk.decode(format!("[{}]", element(&value)));
        assert_eq!(desk.decoder.fragment_due().is_some(), waits);
        assert_eq!(rows.len(), usize::from(!waits));
    }
    let mut desk = Desk::new();
    desk.budget = Budget::new(100);
    let rows = desk.decode(format!("[{},{}]", element("1"), element(r#""abc"#)));
    assert_eq!(rows.len(), 2);
    assert_eq!(unquoted(&rows[1]), element(r#""abc"#));
}

/// A record that goes on and on, each part in a body of its own.
/// It is given up when it is longer than a fragment may be.
#[test]
fn a_fragment_does_not_grow_for_ever() {
    let mut desk = Desk::new();
    let part = "x".repeat(FRAGMENT_BYTES_MAX / 3);
    let mut opened = b"[".to_vec();
    opened.extend_from_slice(ENVELOPE);
    let mut first = opened.clone();
    first.extend_from_slice(format!("\"{part}}}]").as_bytes());
    let mut next = opened;
    next.extend_from_slice(format!("{part}}}]").as_bytes());
    assert!(desk.decode(first).is_empty());
    let mut rows = Vec::new();
    for _ in 0..4 {
        rows.extend(desk.decode(&next));
        assert!(desk.budget.used() <= 2 * FRAGMENT_BYTES_MAX as u64);
    }
    assert!(!rows.is_empty());
    assert_eq!(desk.ledger.joined.get(), 0);
}

/// Not cut: a body without the platform's framing, a record before another key, an element without an envelope.
#[test]
fn nothing_else_is_held_back() {
    let bodies = [
        r#"[{"time":"T","type":"function","record":"abc"#,
        r#"[{"time":"T","type":"function","record":"abc}"#,
        r#"[{"time":"T","type":"function","record":1,"more":"abc}]"#,
        r#"[{"time":"T","record":"abc}]"#,
        r#"[{"type":"function","record":"abc}]"#,
        r#"[{"time":"T","type":"function}]"#,
        r#"["abc}]"#,
        r#"[{"time":"T","type":"function","record":{"a" 1,"b":"long enough"}}]"#,
    ];
    for body in bodies {
        let mut desk = Desk::new();
        assert_eq!(desk.decode(body).len(), 1, "{body}");
        assert_eq!(desk.decoder.fragment_due(), None, "{body}");
    }
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,30}".prop_map(|text| serde_json::to_string(&text).unwrap()),
        (".{0,20}", any::<f64>(), ".{0,10}").prop_map(|(text, number, key)| {
            serde_json::json!({"message": text, key: [number, {"time": null}], "level": "WARN"})
                .to_string()
        }),
    ]
}

proptest! {
    #[test]
    fn cut_posts_decode_as_the_whole(
        before in prop::collection::vec(value(), 0..3),
        value in value(),
        after in prop::collection::vec(self::value(), 0..3),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
    ) {
        let elements = |values: &[String]| values.iter().map(|value| element(value)).collect::<Vec<_>>();
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(value.len())).collect();
        cuts.sort_unstable();
        assert_joined(&elements(&before), &value, &elements(&after), &cuts);
    }
}
