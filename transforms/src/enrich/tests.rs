use super::*;
use crate::test_kit::{Kit, attributes as rendered, made, problems, value as text};
use tapline_core::invocation::Invocations;
use tapline_core::level::Level;
use tapline_core::platform::{PlatformEvent, Status};

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

/// Long attributes of many records would be a multiple of the body: what the budget has no room for is left out and
/// counted, the records go on.
#[test]
fn attributes_without_room_in_memory_are_left_out_and_counted() {
    let kit = Kit::new();
    let batch = kit.batch(&[("function", "\"x\"", None); 200]);
    let room = 1 << 20;
    let _others = kit.budget.charge_over(kit.budget.room() as usize - room);
    let long = format!("{{message}}{}", "y".repeat(20_000 / 5));
    let config = format!("set = {{ a = \"{long}\", b = \"{long}\" }}");
    let batch = kit.run(&KIND, &config, batch);
    assert!(kit.budget.used() <= kit.budget.limit());
    let records = batch.records().iter();
    let with = records
        .filter(|record| !record.attributes.is_empty())
        .count() as u64;
    assert!((60..190).contains(&with), "{with}");
    assert_eq!(kit.ledger.attributes_left_out.get(), 200 - with);
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
        ("rename = { a = 'a' }", "renamed to itself"),
        ("rename = { '.a' = '.\"a\"' }", "renamed to itself"),
        ("rename = { '.a' = 'b', '.\"a\"' = 'c' }", "renamed twice"),
        ("rename = { a = '.b[0]' }", "place in an array"),
        ("rename = { a = 5 }", "string"),
        ("lookup = {}", "lacks the key `by`"),
        ("lookup = 5", "table"),
        ("lookup = [5]", "table"),
        (
            "lookup = { by = 'tenat', table = { a = 'b' }, into = 'c' }",
            "no name `tenat`",
        ),
        ("lookup = { by = '.a', table = {}, into = 'c' }", "empty"),
        (
            "lookup = { by = '.a', table = { a = 5 }, into = 'c' }",
            "string",
        ),
        (
            "lookup = { by = '.a', table = { a = 'b' }, into = '' }",
            "empty",
        ),
        (
            "lookup = { by = '.a', table = { a = 'b' }, into = 'c', default = 'd' }",
            "default",
        ),
        ("remove = ['.a[0]']", "place in an array"),
        ("set = { '.a..b' = 'x' }", "key is missing"),
        ("set = { a = '{nothing}' }", "nothing"),
        ("remove = ['']", "empty"),
    ] {
        let lines = problems(&KIND, config);
        assert!(lines[0].contains(said), "{config}: {lines:?}");
    }
}

#[test]
fn tables_are_bounded() {
    let table = |entries: usize, length: usize| {
        let value = "x".repeat(length);
        let rows: Vec<String> = (0..entries).map(|n| format!("k{n} = '{value}'")).collect();
        let rows = rows.join(", ");
        format!("lookup = {{ by = '.a', table = {{ {rows} }}, into = 'c' }}")
    };
    made(&KIND, &table(TABLE_ENTRIES_MAX, 1));
    assert!(problems(&KIND, &table(TABLE_ENTRIES_MAX + 1, 1))[0].contains("more than 4096"));
    made(&KIND, &table(1, TABLE_TEXT_BYTES_MAX));
    assert!(problems(&KIND, &table(1, TABLE_TEXT_BYTES_MAX + 1))[0].contains("more than 1024"));
    let renames = |count: usize| {
        let rows: Vec<String> = (0..count).map(|n| format!("a{n} = 'b'")).collect();
        format!("rename = {{ {} }}", rows.join(", "))
    };
    made(&KIND, &renames(RENAMES_MAX));
    assert!(problems(&KIND, &renames(RENAMES_MAX + 1))[0].contains("more than 64"));
    let lookups = |count: usize| {
        let one = "{ by = '.a', table = { a = 'b' }, into = 'c' }";
        format!("lookup = [{}]", vec![one; count].join(", "))
    };
    made(&KIND, &lookups(LOOKUPS_MAX));
    assert!(problems(&KIND, &lookups(LOOKUPS_MAX + 1))[0].contains("more than 16"));
}

#[test]
fn a_renamed_value_moves_as_it_is() {
    let moved = after;
    for (rename, before, after) in [
        (
            ".msg",
            r#"{"msg":"a\"","b":1}"#,
            r#"{"b":1,"message":"a\""}"#,
        ),
        (
            ".msg",
            r#"{"msg":12345678901234567890}"#,
            r#"{"message":12345678901234567890}"#,
        ),
        (
            ".msg",
            r#"{"msg":{"a":[1]},"message":2}"#,
            r#"{"message":{"a":[1]}}"#,
        ),
        (".msg", r#"{"other":1}"#, r#"{"other":1}"#),
        (".msg", r#""text""#, r#""text""#),
        (
            ".msg",
            r#""{\"msg\":\"x\\n\"}\n""#,
            r#""{\"message\":\"x\\n\"}\n""#,
        ),
        (
            ".message.inner",
            r#"{"message":{"inner":5}}"#,
            r#"{"message":5}"#,
        ),
    ] {
        let config = format!("rename = {{ '{rename}' = '.message' }}");
        assert_eq!(moved(&config, before).0, after, "{rename} in {before}");
    }
    let inwards = after("rename = { '.a' = '.a.b.c' }", r#"{"a":1}"#);
    assert_eq!(inwards.0, r#"{"a":{"b":{"c":1}}}"#);
    let through = after("rename = { '.a' = '.b.c' }", r#"{"a":1,"b":2}"#);
    assert_eq!(through.0, r#"{"a":1,"b":2}"#, "it stays where it cannot go");
}

#[test]
fn values_move_between_the_record_and_its_attributes() {
    let (value, attributes) = after(
        "rename = { '.user' = 'user' }",
        r#"{"user":{"id":7},"b":1}"#,
    );
    assert_eq!(
        (&*value, &*attributes),
        (r#"{"b":1}"#, r#""user":{"id":7}"#)
    );
    let kit = Kit::new();
    let with_attributes = |value: &str| {
        let mut batch = kit.one(value);
        batch.records_mut()[0].attributes = batch.keep(br#""team":"a","n":5"#);
        batch
    };
    let batch = kit.run(
        &KIND,
        "rename = { n = '.n', team = 'squad' }",
        with_attributes("{}"),
    );
    let record = &batch.records()[0];
    assert_eq!(text(&batch, record), r#"{"n":5}"#);
    assert_eq!(rendered(&batch, record), r#""squad":"a""#);
    let batch = kit.run(&KIND, "rename = { n = '.n' }", with_attributes("\"text\""));
    let record = &batch.records()[0];
    assert_eq!(
        rendered(&batch, record),
        r#""team":"a","n":5"#,
        "no object to move it into"
    );
    let big = format!(r#"{{"a":"{}"}}"#, "x".repeat(ATTRIBUTES_BYTES_MAX));
    let (value, attributes) = after("rename = { '.a' = 'a' }", &big);
    assert_eq!(
        (value, &*attributes),
        (big, ""),
        "too large for an attribute"
    );
}

#[test]
fn what_stands_in_a_table_is_set_and_what_does_not_changes_nothing() {
    let config = r#"lookup = { by = ".tenant", table = { "7" = "acme", "9" = "glo\"bex" }, into = "tenant_name" }"#;
    for (value, attributes) in [
        (r#"{"tenant":7}"#, r#""tenant_name":"acme""#),
        (r#"{"tenant":"7"}"#, r#""tenant_name":"acme""#),
        (r#"{"tenant":"\u0039"}"#, r#""tenant_name":"glo\"bex""#),
        (r#"{"tenant":8}"#, ""),
        (r#"{"tenant":null}"#, ""),
        ("{}", ""),
        (r#""7""#, ""),
    ] {
        assert_eq!(
            after(config, value),
            (value.to_owned(), attributes.to_owned())
        );
    }
    let config = r#"
        remove = [".tenant"]
        set = { name = "by set" }
        lookup = [
            { by = ".tenant", table = { "7" = "acme" }, into = ".tenant_name" },
            { by = "env.STAGE", table = { prod = "live" }, into = "stage" },
            { by = ".tenant", table = { "7" = "by lookup" }, into = "name" },
        ]"#;
    let (value, attributes) = after(config, r#"{"tenant":7}"#);
    assert_eq!(
        value, r#"{"tenant_name":"acme"}"#,
        "it sees the record as it came in"
    );
    assert_eq!(
        attributes, r#""stage":"live","name":"by set""#,
        "`set` comes last"
    );
}

#[test]
fn the_resource_is_set_beside_each_record() {
    let kit = Kit::new();
    let batch = kit.batch(&[("function", "{}", None); 2]);
    let config = "resource = true\nset = { \"service.name\" = \"mine\" }";
    let batch = kit.run(&KIND, config, batch);
    assert_eq!(
        rendered(&batch, &batch.records()[1]),
        r#""cloud.provider":"aws","cloud.platform":"aws_lambda","cloud.region":"eu-west-1","faas.name":"orders","service.name":"mine""#
    );
    assert_eq!(batch.records()[0].attributes, batch.records()[1].attributes);
    assert_eq!(after("resource = false", "{}").1, "");
}

/// What is known only at the end of the invocation is there once the end is known.
#[test]
fn values_of_the_invocation_are_joined() {
    let mut kit = Kit::new();
    kit.invocations = Invocations::new(false, true);
    let id = "8476a536-e9f4-11e8-9739-2dfe598c3fcd";
    kit.invocations.observe(&PlatformEvent::Start {
        request_id: id.to_owned(),
        trace: Some(
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1".to_owned(),
        ),
    });
    let slot = kit.invocations.current();
    let config = r#"set = { cold = "{cold_start}", status = "{status}", ms = "{duration}", failed = "{failed}", x = "{xray_trace_id}" }"#;
    let on = |kit: &Kit| {
        let mut batch = kit.one("{}");
        batch.records_mut()[0].invocation = slot;
        let batch = kit.run(&KIND, config, batch);
        rendered(&batch, &batch.records()[0]).to_owned()
    };
    let header =
        r#""x":"Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1""#;
    assert_eq!(
        on(&kit),
        format!(r#""cold":"true","failed":"false",{header}"#)
    );
    kit.invocations.observe_level(slot, Level::Error);
    kit.invocations.observe(&PlatformEvent::RuntimeDone {
        request_id: id.to_owned(),
        status: Some(Status::Success),
        duration_ms: Some(12.5),
        time_ms: None,
    });
    assert_eq!(
        on(&kit),
        format!(r#""cold":"true","status":"success","ms":"12.5ms","failed":"true",{header}"#)
    );
}
