use super::*;
use crate::test_kit::{Kit, attributes as rendered, problems, value as text};

fn after(config: &str, value: &str) -> (String, String) {
    let kit = Kit::new();
    let batch = kit.run(&KIND, config, kit.one(value));
    let record = &batch.records()[0];
    (
        text(&batch, record).to_owned(),
        rendered(&batch, record).to_owned(),
    )
}

#[test]
fn attributes_are_set_from_the_environment_and_from_the_record() {
    let config = r#"set = { team = "payments", stage = "{env.STAGE}", user = "{.user.id}", day = "{date}" }"#;
    let (value, attributes) = after(config, r#"{"user":{"id":"a\"b"}}"#);
    assert_eq!(value, r#"{"user":{"id":"a\"b"}}"#);
    assert_eq!(
        attributes,
        r#""team":"payments","stage":"prod","user":"a\"b","day":"2026-03-14""#
    );
}

#[test]
fn an_attribute_that_renders_empty_is_left_out() {
    let (_, attributes) = after(r#"set = { none = "{.nothing}", one = "1" }"#, "{}");
    assert_eq!(attributes, r#""one":"1""#);
}

#[test]
fn dotted_keys_write_into_the_record_and_make_what_is_missing() {
    let set = |path: &str, value: &str| after(&format!(r#"set = {{ "{path}" = "x" }}"#), value).0;
    assert_eq!(set(".a", "{}"), r#"{"a":"x"}"#);
    assert_eq!(
        set(".a", r#"{ "a" : 1 , "b":2}"#),
        r#"{ "a" : "x" , "b":2}"#
    );
    assert_eq!(
        set(".a.b.c", r#"{"z":{} }"#),
        r#"{"z":{},"a":{"b":{"c":"x"}} }"#
    );
    assert_eq!(set(".a.b", r#"{"a":{}}"#), r#"{"a":{"b":"x"}}"#);
    assert_eq!(set(".a.b", r#"{"a":5}"#), r#"{"a":5}"#);
    assert_eq!(set(".a", r#"{"a":1,"a":2}"#), r#"{"a":1,"a":"x"}"#);
    assert_eq!(set(".a", r#""plain text""#), r#""plain text""#);
    assert_eq!(set(".a", "[1]"), "[1]");
}

#[test]
fn text_that_holds_an_object_stays_text() {
    let config = r#"set = { ".a" = "q\"" }"#;
    let (value, _) = after(config, r#""{\"b\":\"\\n\"}\n""#);
    assert_eq!(value, r#""{\"b\":\"\\n\",\"a\":\"q\\\"\"}\n""#);
    let decoded: String = serde_json::from_str(&value).unwrap();
    let inner: serde_json::Value = serde_json::from_str(&decoded).unwrap();
    assert_eq!(inner, serde_json::json!({"b": "\n", "a": "q\""}));
}

#[test]
fn removing_takes_every_member_of_the_name_and_keeps_valid_json() {
    let remove = |value: &str| after(r#"remove = [".a"]"#, value).0;
    assert_eq!(remove(r#"{"a":1}"#), "{}");
    assert_eq!(remove(r#"{"a":1,"b":2}"#), r#"{"b":2}"#);
    assert_eq!(remove(r#"{"b":2 , "a":1}"#), r#"{"b":2}"#);
    assert_eq!(remove(r#"{"a":1,"b":2,"\u0061":[3]}"#), r#"{"b":2}"#);
    assert_eq!(remove(r#"{"b":2}"#), r#"{"b":2}"#);
    let (value, _) = after(r#"remove = [".a.b"]"#, r#"{"a":{"b":1,"c":2}}"#);
    assert_eq!(value, r#"{"a":{"c":2}}"#);
}

#[test]
fn attributes_are_replaced_and_removed() {
    let kit = Kit::new();
    let mut batch = kit.one("{}");
    batch.records_mut()[0].attributes = batch.keep(br#""team":"old","debug":1"#);
    let config = "set = { team = \"new\" }\nremove = [\"debug\"]";
    let batch = kit.run(&KIND, config, batch);
    assert_eq!(rendered(&batch, &batch.records()[0]), r#""team":"new""#);
}

/// What is the same for all records is rendered once and shared.
#[test]
fn fixed_attributes_share_one_slice() {
    let kit = Kit::new();
    let batch = kit.batch(&[("function", "{}", None); 3]);
    let batch = kit.run(&KIND, r#"set = { fn = "{function.name}" }"#, batch);
    let slices: Vec<Slice> = batch.records().iter().map(|r| r.attributes).collect();
    assert_eq!(rendered(&batch, &batch.records()[2]), r#""fn":"orders""#);
    assert!(slices.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn attributes_beyond_the_limit_are_left_out() {
    let big = format!(r#"{{"a":"{}"}}"#, "x".repeat(ATTRIBUTES_BYTES_MAX));
    let (_, attributes) = after(r#"set = { a = "{.a}", b = "1" }"#, &big);
    assert_eq!(attributes, r#""b":"1""#);
}

#[test]
fn metric_lines_are_left_alone() {
    let kit = Kit::new();
    let mut batch = kit.one(r#"{"_aws":{}}"#);
    batch.records_mut()[0].embedded_metrics = true;
    let batch = kit.run(&KIND, r#"set = { ".a" = "1", b = "2" }"#, batch);
    assert_eq!(text(&batch, &batch.records()[0]), r#"{"_aws":{}}"#);
    assert!(batch.records()[0].attributes.is_empty());
}

#[test]
fn what_cannot_be_is_said_at_load() {
    for (config, said) in [
        ("rename = { a = 'b' }", "not in this version"),
        ("lookup = {}", "not in this version"),
        ("remove = ['.a[0]']", "place in an array"),
        ("set = { '.a..b' = 'x' }", "key is missing"),
        ("set = { a = '{nothing}' }", "nothing"),
        ("remove = ['']", "empty"),
    ] {
        let lines = problems(&KIND, config);
        assert!(lines[0].contains(said), "{config}: {lines:?}");
    }
}
