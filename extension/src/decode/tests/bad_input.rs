//! Bodies that are broken, huge or hostile: a counted outcome, no crash, no growth, no lost neighbour.

use super::*;
use proptest::prelude::*;

/// Whole bodies that are no array.
/// Each is one opaque record with its text, or none when there is no text.
#[test]
fn a_body_that_is_no_array_is_one_opaque_record() {
    let single = element(r#""alone""#);
    for body in [
        "not json",
        "{}",
        single.as_str(),
        "null",
        "\"[]\"",
        "[INFO] hello, world",
        "]",
        "<html>",
    ] {
        let mut desk = Desk::new();
        let rows = desk.decode(format!(" {body}\n"));
        assert_eq!(rows.len(), 1, "{body}");
        assert_eq!(unquoted(&rows[0]), body);
        assert_eq!(rows[0].time, "2026-03-14T09:26:53.589Z");
        assert_eq!(desk.ledger.malformed.get(), 1);
    }
    for body in ["", " \n", "[]", " [ ] ", "[,]"] {
        let mut desk = Desk::new();
        assert!(desk.decode(body).is_empty(), "{body}");
        assert_eq!(desk.ledger.malformed.get(), 0);
    }
}

/// A body is cut off at each of its bytes, without what the platform puts behind a cut.
/// Every element before that place is whole; the rest is at most one opaque record.
#[test]
fn half_a_body_keeps_its_whole_elements() {
    let elements = [
        element(r#""a""#),
        element(r#"{"b":[1,"x"]}"#),
        element(r#""c\n""#),
    ];
    let body = array(&elements);
    for length in 0..body.len() {
        let mut desk = Desk::new();
        let rows = desk.decode(&body[..length]);
        let mut end = 1;
        let whole = elements
            .iter()
            .take_while(|element| {
                end += element.len() + 1;
                end - 1 <= length
            })
            .count();
        assert_eq!(
            values(&rows)[..whole],
            [r#""a""#, r#"{"b":[1,"x"]}"#, r#""c\n""#][..whole]
        );
        assert!(rows.len() <= whole + 1, "{length}: {rows:?}");
    }
}

#[test]
fn broken_elements_cost_no_neighbour() {
    let garbage = [
        "nope",
        "5",
        r#""text""#,
        "{}",
        "[1,2]",
        "}",
        "{\"a\":",
        "{\"a\":}",
        r#"{"time":"T","type":"function","record":nope}"#,
        r#"{"time":"T","type":"function","record":"open"#,
        r#"{"time":"T","type":"function","record":{"a":[1"#,
        r#"{"time":"T","type":"function","record":[1"#,
        r#"{"time":"T","type":"function""#,
        "[1",
        "\"",
        "{\"time\":\"T\0\",\"type\":\"function\",\"record\":\"\0\"}",
        "\0\0",
        r#"{"time":"T","type":"function","record":"\q"}"#,
    ];
    for garbage in garbage {
        let mut desk = Desk::new();
        let body = format!(
            "[{},{garbage},{},{}]",
            element("1"),
            element("2"),
            element("3")
        );
        let mut rows = desk.decode(body);
        rows.extend(desk.flush());
        let whole: Vec<_> = rows
            .iter()
            .filter(|row| row.origin == Origin::Function)
            .collect();
        assert_eq!(whole.len(), 3, "{garbage}: {rows:?}");
        let opaque: Vec<_> = rows
            .iter()
            .filter(|row| row.origin == Origin::Unknown)
            .collect();
        assert_eq!(opaque.len(), 1, "{garbage}: {rows:?}");
        assert_eq!(unquoted(opaque[0]), garbage);
        assert_eq!(desk.ledger.malformed.get(), 1, "{garbage}");
    }
}

#[test]
fn invalid_utf8_is_replaced_and_counted() {
    let mut desk = Desk::new();
    let mut body = array(&[element(r#""caf?""#), element(r#""next""#)]).into_bytes();
    let place = body.iter().position(|byte| *byte == b'?').unwrap();
    body[place] = 0xE9;
    assert_eq!(values(&desk.decode(body)), ["\"caf\u{FFFD}\"", "\"next\""]);
    assert_eq!(desk.ledger.invalid_utf8.get(), 1);
    assert_eq!(desk.ledger.malformed.get(), 0);
}

#[test]
fn nesting_beyond_the_limit_is_opaque_and_its_neighbours_are_not() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    for (depth, whole) in [(512, 3), (513, 2), (5_000, 2), (100_000, 2)] {
        let mut desk = Desk::new();
        let rows = desk.decode(array(&[
            element("1"),
            element(&nested(depth)),
            element("2"),
        ]));
        assert_eq!(rows.len(), 3);
        let function = rows.iter().filter(|row| row.origin == Origin::Function);
        assert_eq!(function.count(), whole, "{depth}");
    }
    let mut desk = Desk::new();
    let within = format!(
        "{}0,{}{}",
        "[".repeat(5_000),
        element("7"),
        "]".repeat(5_000)
    );
    let rows = desk.decode(array(&[element(&within), element("2")]));
    assert_eq!(rows.len(), 2);
    assert_eq!(unquoted(&rows[0]), element(&within));
    let rows = desk.decode(format!("[{}{}", "[".repeat(5_000), element("8")));
    assert_eq!(rows.len(), 1, "brackets that are never closed");
}

#[test]
fn ten_thousand_records_in_one_body_are_ten_thousand_records() {
    let mut desk = Desk::new();
    let elements: Vec<String> = (0..10_000)
        .map(|number| element(&number.to_string()))
        .collect();
    let rows = desk.decode(array(&elements));
    assert_eq!(rows.len(), 10_000);
    assert!(
        rows.iter()
            .enumerate()
            .all(|(number, row)| row.value == number.to_string())
    );
}

#[test]
fn a_record_of_one_mebibyte_is_one_record() {
    let mut desk = Desk::new();
    let long = format!(r#""{}""#, r"é\n\u0041x".repeat(100_000));
    assert!(long.len() > 1 << 20);
    let rows = desk.decode(array(&[element(&long), element("2")]));
    assert_eq!(values(&rows), [long.as_str(), "2"]);
}

/// Bodies of 1 MiB, made to cost much: values of one byte, NUL bytes, brackets, elements that swallow each other.
/// What is held stays under six times the body, and all of it is counted.
#[test]
fn hostile_bodies_do_not_grow() {
    let size = 1 << 20;
    let swallower = format!("{},", r#"{"time":"T","type":"function","record":[0"#);
    let prefix = r#",{"time""#;
    let bodies: [Vec<u8>; 8] = [
        format!("[{}", "1,".repeat(size / 2)).into_bytes(),
        vec![0; size],
        [b"[".to_vec(), vec![0; size]].concat(),
        vec![b'['; size],
        vec![b'"'; size],
        format!("[{}", swallower.repeat(size / swallower.len())).into_bytes(),
        format!("[{}", prefix.repeat(size / prefix.len())).into_bytes(),
        vec![0xFF; size / 4],
    ];
    for body in bodies {
        let mut desk = Desk::new();
        let decoded = desk.decode_as(Form::Array, &body);
        let name = String::from_utf8_lossy(&body[..16]).into_owned();
        assert!(desk.ledger.malformed.get() > 0, "{name}");
        let used = desk.budget.used();
        assert!(used <= 6 * size as u64, "{name}: {used}");
        drop(decoded);
        desk.flush();
        assert_eq!(desk.budget.used(), 0);
    }
}

fn valid() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<u32>().prop_map(|number| number.to_string()),
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
        any::<String>()
            .prop_map(|text| serde_json::json!({"message": text, "a": [{}, []]}).to_string()),
        any::<u8>().prop_map(|n| serde_json::json!([{"time": n}, {"time": "x"}]).to_string()),
    ]
}

/// Garbage that closes no bracket: what it opens nothing but the array's own end can close, so that no neighbour is
/// well-formed as a part of it. (Garbage that closes what it opened around a neighbour is one well-formed value.)
fn garbage() -> impl Strategy<Value = String> {
    prop_oneof![
        r#"[^\]}]{1,40}"#,
        r#"[,{\["\\:a0 \x00\n]{1,30}"#,
        Just(r#"{"time":"T","type":"function","record":[1"#.to_owned()),
        Just(r#"{"time":"T","type":"function","record":"open"#.to_owned()),
        Just(r#"x,{"time":"T","type":"function","record":{"#.to_owned()),
        Just(r#"{"time":"T","type":"function","record":nope}"#.to_owned()),
        Just(r#"{"time":"T","type":"function"}"#.to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn neighbours_of_garbage_always_come_out(
        parts in prop::collection::vec((valid(), prop::option::weighted(0.4, garbage())), 1..8),
    ) {
        let mut desk = Desk::new();
        let mut pieces = Vec::new();
        for (value, garbage) in &parts {
            pieces.extend(garbage.clone());
            pieces.push(element(value));
        }
        let mut rows = desk.decode(array(&pieces));
        rows.extend(desk.flush());
        let whole: Vec<_> = rows
            .iter()
            .filter(|row| row.origin == Origin::Function && row.time == "2026-03-14T09:26:53.820Z")
            .map(|row| row.value.as_str())
            .collect();
        let expected: Vec<_> = parts.iter().map(|(value, _)| value.as_str()).collect();
        prop_assert_eq!(whole, expected);
    }

    #[test]
    fn valid_bodies_have_as_many_records_as_elements(values in prop::collection::vec(valid(), 0..20)) {
        let mut desk = Desk::new();
        let elements: Vec<_> = values.iter().map(|value| element(value)).collect();
        let rows = desk.decode(array(&elements));
        prop_assert_eq!(super::values(&rows), values);
        prop_assert_eq!(desk.ledger.malformed.get(), 0);
    }

    #[test]
    fn arbitrary_bytes_are_never_more_than_they_were(
        bodies in prop::collection::vec(prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            r#"[\[\]{}",:\\ue0-9a \x00é]{0,80}"#.prop_map(String::into_bytes),
            r#"\[?(\{"time":"T","type":"(function|platform.start)","record":("a|\{"requestId":"|\}|\]|,|\[)*){0,3}\}?\]?"#
                .prop_map(String::into_bytes),
        ], 1..6),
        lines: bool,
    ) {
        let mut desk = Desk::new();
        let form = if lines { Form::Lines } else { Form::Array };
        let mut held = 0;
        let mut taken = 0;
        for body in &bodies {
            taken += String::from_utf8_lossy(body).len();
            let decoded = desk.decode_as(form, body);
            held += rows(&decoded).iter().map(text_length).sum::<usize>();
        }
        held += desk.flush().iter().map(text_length).sum::<usize>();
        // A fragment that is given up has its platform's `}` counted in, and a bracket for good measure.
        prop_assert!(held <= taken + 3 * bodies.len(), "{held} of {taken}");
        prop_assert_eq!(desk.budget.used(), 0);
    }
}

/// Bytes of the body that a record stands for, but for the run of control characters that one U+FFFD stands for.
fn text_length(row: &Row) -> usize {
    if row.kind == "unknown" {
        unquoted(row).replace('\u{FFFD}', "").len()
    } else {
        row.value.len()
    }
}
