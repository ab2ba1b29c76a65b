//! What redaction finds, what it leaves, and that nothing slips through. Secrets are made up and put together from
//! parts, so that no scanner takes them for real ones.

use super::*;
use crate::test_kit::{Kit, attributes as rendered, made, problems, value};

mod canary;
mod gate;
mod hostile;
mod numbers;
mod rule_by_rule;
mod vendors;

const AKIA: &str = concat!("AKIA", "IOSFODNN7EXAMPLE");

fn redacted(config: &str, raw: &str) -> String {
    let kit = Kit::new();
    let batch = kit.run(&KIND, config, kit.one(raw));
    value(&batch, &batch.records()[0]).to_owned()
}

/// The text of a record that is text, redacted by these rules.
fn text(rules: &str, text: &str) -> String {
    let config = format!("rules = [{rules}]");
    let raw = serde_json::to_string(text).unwrap();
    serde_json::from_str(&redacted(&config, &raw)).unwrap()
}

#[test]
fn a_whole_number_is_seen_where_it_is_written_as_a_fraction() {
    assert_eq!(
        redacted(
            "rules = ['IdentityNumber-ZA']",
            r#"{"id number":4401108502085.0,"n":{"id number":4401108502085.05}}"#
        ),
        r#"{"id number":"[IdentityNumber-ZA]","n":{"id number":4401108502085.05}}"#
    );
}

/// A number may be a key itself, and the word that says so a key on the way to it.
#[test]
fn a_key_is_searched_with_the_keys_that_lead_to_it() {
    let config = "rules = ['Ssn-US']";
    assert_eq!(
        redacted(
            config,
            r#"{"ssn":{"078051120":{"x":1}},"n":{"078051120":1}}"#
        ),
        r#"{"ssn":{"[Ssn-US]":{"x":1}},"n":{"078051120":1}}"#
    );
}

const CARDS: &str = "rules = ['CreditCardNumber']";

#[test]
fn text_is_seen_decoded() {
    let mail = "rules = ['EmailAddress']";
    assert_eq!(
        redacted(mail, r#""to joe\u0040example.com\n""#),
        r#""to [EmailAddress]\n""#
    );
    assert_eq!(
        redacted(mail, r#""\ud83e\udd80 joe@ex\u0061mple.com""#),
        "\"🦀 [EmailAddress]\""
    );
    assert_eq!(
        redacted(mail, r#"{"a\"b":["joe\u0040example.com","\\"]}"#),
        r#"{"a\"b":["[EmailAddress]","\\"]}"#
    );
}

#[test]
fn json_inside_text_is_walked_twice_and_searched_beyond() {
    let config = "keys = ['password']\nrules = ['EmailAddress']";
    let mut raw = r#"{"password":"hunter2","m":"joe\u0040example.com"}"#.to_owned();
    for depth in 0..5 {
        let out = redacted(config, &raw);
        assert!(
            !out.contains("hunter2") && !out.contains("example.com"),
            "{depth}: {out}"
        );
        let parsed: serde_json::Value = serde_json::from_str(&out).unwrap();
        if depth == 1 {
            let inner = r#"{"password":"[KEY]","m":"[EmailAddress]"}"#;
            assert_eq!(parsed, serde_json::json!(inner));
        }
        raw = serde_json::to_string(&raw).unwrap();
    }
}

#[test]
fn json_behind_a_prefix_and_broken_json_are_searched_by_key() {
    let config = "keys = ['user.pin', '*_token']";
    let raw = serde_json::to_string("INFO got {\"user\":{\"pin\":[1,2]},\"pin\":3} ok").unwrap();
    let out = redacted(config, &raw);
    assert_eq!(
        out,
        r#""INFO got {\"user\":{\"pin\":\"[KEY]\"},\"pin\":3} ok""#
    );
    let raw = serde_json::to_string(r#"{"a_token":"abc","x":"trunc"#).unwrap();
    assert_eq!(
        redacted(config, &raw),
        r#""{\"a_token\":\"[KEY]\",\"x\":\"trunc""#
    );
    let raw = serde_json::to_string(r#"{"in":"{\"a_token\":\"abc\"}","x":"trunc"#).unwrap();
    assert!(!redacted(config, &raw).contains("abc"));
}

/// Loggers escape what is no ASCII; a record that was cut off is no JSON, but its parts are.
#[test]
fn an_escaped_key_in_broken_json_takes_the_json_behind_it() {
    let config = "keys = ['contraseña', 'password']";
    for text in [
        r#"{"contrase\u00f1a": {"x": "hunter2"}, "b": "cut o"#,
        r#"{"contrase\u00f1a": ["hunter2"], "b": "cut o"#,
        r#"{"contrase\u00f1a": [1, {"x": "hunter2"}, {"x": 1}], "b": "cut o"#,
        r#"{"p\u0061ssword":[1,{"x":1},{"x":"hunter2"},{"x"#,
        r#"{"password": "a\\b", "contrase\u00f1a": {"x": "hunter2"}, "b": "cut o"#,
    ] {
        let raw = serde_json::to_string(text).unwrap();
        let out = redacted(config, &raw);
        assert!(
            !out.contains("hunter2") && out.contains("[KEY]"),
            "{text} -> {out}"
        );
    }
}

#[test]
fn keys_take_any_value_at_any_depth_and_in_any_case() {
    let config = "keys = ['password', '*_token', 'user.ssn', 'schlüssel']";
    for (raw, wanted) in [
        (r#"{"PassWord":"x"}"#, r#"{"PassWord":"[KEY]"}"#),
        (
            r#"{"a":[{"id_token":{"deep":1}}]}"#,
            r#"{"a":[{"id_token":"[KEY]"}]}"#,
        ),
        (
            r#"{"user":[{"ssn":1}],"ssn":2}"#,
            r#"{"user":[{"ssn":"[KEY]"}],"ssn":2}"#,
        ),
        (r#"{"user.ssn":true}"#, r#"{"user.ssn":"[KEY]"}"#),
        (r#"{"user":{"x":{"ssn":1}}}"#, r#"{"user":{"x":{"ssn":1}}}"#),
        (r#"{"pass\u0077ord":"x"}"#, r#"{"pass\u0077ord":"[KEY]"}"#),
        (r#"{"schlüssel" : "x"}"#, r#"{"schlüssel" : "[KEY]"}"#),
        (
            r#"{"password":null,"a_token":""}"#,
            r#"{"password":null,"a_token":""}"#,
        ),
        (
            r#"{"passwords":"x","token_a":"y"}"#,
            r#"{"passwords":"x","token_a":"y"}"#,
        ),
    ] {
        assert_eq!(redacted(config, raw), wanted);
    }
    let everything = redacted("keys = ['user.*']", r#"{"user":{"a":1,"b":"x"},"c":2}"#);
    assert_eq!(everything, r#"{"user":{"a":"[KEY]","b":"[KEY]"},"c":2}"#);
    let within = redacted("keys = ['user.*']", r#"{"user":"{\"ssn\":\"123\"}","c":2}"#);
    assert_eq!(within, r#"{"user":"{\"ssn\":\"[KEY]\"}","c":2}"#);
}

#[test]
fn built_in_keys_take_objects_and_lists_but_not_what_says_nothing() {
    let config = "rules = ['KeyValueSecret']";
    for (raw, wanted) in [
        (
            r#"{"secret":{"value":"v"},"n":1}"#,
            r#"{"secret":"[KeyValueSecret]","n":1}"#,
        ),
        (
            r#"{"a":[{"token":["v",{"w":2}]}]}"#,
            r#"{"a":[{"token":"[KeyValueSecret]"}]}"#,
        ),
        (
            r#""cut {\"secret\":{\"value\":\"v""#,
            r#""cut {\"secret\":[KeyValueSecret]""#,
        ),
        (
            r#"{"hasPassword":true,"token":null,"secret":{},"pwd":[]}"#,
            r#"{"hasPassword":true,"token":null,"secret":{},"pwd":[]}"#,
        ),
    ] {
        assert_eq!(redacted(config, raw), wanted);
    }
}

/// In text that is no JSON too, `user.*` means what is in `user`, not the value of any key.
#[test]
fn a_path_that_ends_in_a_star_takes_what_is_under_its_name() {
    let config = "keys = ['user.*']";
    let raw = r#""cut {\"n\":1,\"user\":{\"pin\":7777,\"x\":\"y""#;
    assert_eq!(redacted(config, raw), r#""cut {\"n\":1,\"user\":[KEY]""#);
}

#[test]
fn each_action_leaves_what_it_says() {
    let card = r#"{"password":"pw","n":"card 4111111111111111."}"#;
    for (action, key, number) in [
        ("label", "[KEY]", "[CreditCardNumber]"),
        ("mask", "****", "****"),
        ("remove", "", ""),
        ("partial", "****", "****1111"),
    ] {
        let config = format!("{CARDS}\nkeys = ['password']\naction = '{action}'");
        let wanted = format!(r#"{{"password":"{key}","n":"card {number}."}}"#);
        assert_eq!(redacted(&config, card), wanted);
    }
    let config = format!("{CARDS}\naction = 'hash'\nhash_key = {{ env = 'PII_KEY' }}");
    let out = redacted(&config, "\"4111111111111111\"");
    let digits = out
        .trim_start_matches("\"[CreditCardNumber:")
        .trim_end_matches("]\"");
    assert_eq!(digits.len(), 16, "{out}");
    assert_eq!(
        out,
        redacted(&config, "4111111111111111"),
        "the same number, the same hash"
    );
    assert_eq!(
        digits, GOLDEN_HASH,
        "equal values must stay equal over versions"
    );
}

/// The first 8 bytes of HMAC-SHA-256 of 4111111111111111 with [`HASH_KEY`](crate::test_kit::HASH_KEY).
pub(super) const GOLDEN_HASH: &str = "7b7e6cb2715c7b1c";

#[test]
fn partial_masks_short_matches_whole() {
    let config = "custom = [{ id = 'c', regex = '#[^#]+#', action = 'partial' }]";
    assert_eq!(redacted(config, "\"#éé3456789#\""), "\"****\"");
    assert_eq!(redacted(config, "\"#123456-7890#\""), "\"****7890\"");
}

#[test]
fn numbers_become_strings() {
    assert_eq!(
        redacted(CARDS, r#"{"n":4111111111111111}"#),
        r#"{"n":"[CreditCardNumber]"}"#
    );
    assert_eq!(
        redacted(CARDS, r#"{"n":0.4111111111111111}"#),
        r#"{"n":0.4111111111111111}"#
    );
}

#[test]
fn keys_of_members_are_searched_too() {
    let out = redacted("rules = ['EmailAddress']", r#"{"joe@example.com":{"n":1}}"#);
    assert_eq!(out, r#"{"[EmailAddress]":{"n":1}}"#);
}

#[test]
fn custom_regexes_have_their_own_action_and_see_borders_of_text() {
    let config = "custom = [{ id = 'customer', regex = '^CUS-\\d{8}$', action = 'mask' }]";
    assert_eq!(
        redacted(config, r#"{"a":"CUS-12345678","b":"x CUS-12345678"}"#),
        r#"{"a":"****","b":"x CUS-12345678"}"#
    );
}

#[test]
fn matches_end_at_borders_of_characters() {
    let config = "custom = [{ id = 'c', regex = 'x.' }]";
    assert_eq!(redacted(config, "\"axéb\""), "\"a[c]b\"");
}

#[test]
fn overlapping_matches_go_together_with_the_stricter_action() {
    let config = "custom = [{ id = 'a', regex = 'abcdefghijklmnop', action = 'partial' }, { id = 'b', regex = 'mnopqr', action = 'mask' }]";
    assert_eq!(redacted(config, "\"-abcdefghijklmnopqr-\""), "\"-****-\"");
}

#[test]
fn allow_spares_a_match_that_fits_entirely() {
    let config = "rules = ['EmailAddress']\nallow = ['noreply@example\\.com']";
    let out = redacted(config, "\"noreply@example.com noreply@example.community\"");
    assert_eq!(out, "\"noreply@example.com [EmailAddress]\"");
}

#[test]
fn audit_counts_and_changes_nothing() {
    let kit = Kit::new();
    let raw = r#"{"a":"4111111111111111","password":"x"}"#;
    let batch = kit.run(
        &KIND,
        &format!("{CARDS}\nkeys = ['password']\nmode = 'audit'"),
        kit.one(raw),
    );
    assert_eq!(value(&batch, &batch.records()[0]), raw);
    let counts: Vec<(String, u64)> = kit.ledger.redactions().into_iter().collect();
    assert_eq!(
        counts,
        [("CreditCardNumber".to_owned(), 1), ("KEY".to_owned(), 1)]
    );
}

#[test]
fn a_second_redaction_finds_nothing_more() {
    let config = "rules = ['@all']\nkeys = ['password']";
    let kit = Kit::new();
    let raw = r#"{"password":"a","secret":"b","m":"pwd=hunter2 https://u:p4ss@h/ Authorization: Bearer abcdefgh12345678","j":"{\"secret\":\"x\"}"}"#;
    let batch = kit.run(&KIND, config, kit.one(raw));
    let once = value(&batch, &batch.records()[0]).to_owned();
    let count = |kit: &Kit| kit.ledger.redactions().values().sum::<u64>();
    let before = count(&kit);
    let batch = kit.run(&KIND, config, batch);
    assert_eq!(value(&batch, &batch.records()[0]), once);
    assert_eq!(count(&kit), before, "{:?}", kit.ledger.redactions());
}

#[test]
fn attributes_are_redacted_like_an_object() {
    let kit = Kit::new();
    let mut batch = kit.one("{}");
    batch.records_mut()[0].attributes = batch.keep(br#""team":"joe@example.com","password":"x""#);
    let batch = kit.run(
        &KIND,
        "rules = ['EmailAddress']\nkeys = ['password']",
        batch,
    );
    assert_eq!(
        rendered(&batch, &batch.records()[0]),
        r#""team":"[EmailAddress]","password":"[KEY]""#
    );
}

#[test]
fn ids_that_join_records_stay_where_they_have_their_shape() {
    let config = "custom = [{ id = 'c', regex = '[0-9a-f-]{8,}' }]";
    for raw in [
        r#"{"requestId":"8476a536-e9f4-11e8-9739-2dfe598c3fcd"}"#,
        r#"{"trace_id":"5759e988bd862e3fe1be46a994272793","span_id":"bd862e3fe1be46a9"}"#,
        r#"{"xray_trace_id":"1-5759e988-bd862e3fe1be46a994272793"}"#,
        r#"{"traceId":"Root=1-5759e988-bd862e3fe1be46a994272793;Parent=bd862e3fe1be46a9;Sampled=1"}"#,
        r#"{"timestamp":1700000000000}"#,
        r#"{"timestamp":"2026-03-14T09:26:53.589Z"}"#,
        r#""{\"requestId\":\"8476a536-e9f4-11e8-9739-2dfe598c3fcd\"}\n""#,
    ] {
        assert_eq!(redacted(config, raw), raw);
    }
    let out = redacted(
        config,
        r#"{"requestId":"8476a536-e9f4","timestamp":4111111111111111}"#,
    );
    assert_eq!(out, r#"{"requestId":"[c]","timestamp":"[c]"}"#);
}

#[test]
fn opaque_and_platform_records_are_redacted_and_those_set_aside_are_not() {
    let kit = Kit::new();
    let row = |kind| (kind, "\"4111111111111111\"", None);
    let mut batch = kit.batch(&[
        row("unknown"),
        row("platform.fault"),
        row("function"),
        row("function"),
    ]);
    batch.records_mut()[2].set_aside = true;
    batch.records_mut()[3].fate = tapline_core::batch::Fate::Filtered;
    let batch = kit.run(&KIND, CARDS, batch);
    let values: Vec<&str> = batch
        .records()
        .iter()
        .map(|record| value(&batch, record))
        .collect();
    let (gone, stays) = ("\"[CreditCardNumber]\"", "\"4111111111111111\"");
    assert_eq!(values, [gone, gone, stays, stays]);
}

#[test]
fn what_is_no_json_goes_as_a_whole() {
    assert_eq!(
        redacted(CARDS, "{4111111111111111"),
        "\"[CreditCardNumber]\""
    );
    assert_eq!(redacted(CARDS, "{plain"), "{plain");
}

#[test]
fn deep_subtrees_go_as_a_whole_where_something_is_found() {
    let deep = |inner: &str| format!("{}{inner}{}", "[".repeat(100), "]".repeat(100));
    let out = redacted(
        CARDS,
        &deep(r#""4111\u0031111 11111111", "\u0034111111111111111""#),
    );
    assert!(
        out.contains("[CreditCardNumber]") && !out.contains("1111"),
        "{out}"
    );
    assert!(serde_json::from_str::<serde_json::Value>(&out).is_ok());
    assert_eq!(redacted(CARDS, &deep(r#""a\n""#)), deep(r#""a\n""#));
    let out = redacted("keys = ['pin']", &deep(r#"{"pin":7777}"#));
    assert!(!out.contains("7777"), "{out}");
}

#[test]
fn a_text_beyond_the_limit_loses_its_tail_and_one_below_does_not() {
    let just = format!("\"{}\"", "x".repeat(walk::TEXT_BYTES_MAX));
    assert_eq!(redacted(CARDS, &just), just);
    let kit = Kit::new();
    let over = format!(
        "\"{}4111111111111111\"",
        "é".repeat(walk::TEXT_BYTES_MAX / 2)
    );
    let batch = kit.run(&KIND, CARDS, kit.one(&over));
    let out = value(&batch, &batch.records()[0]);
    assert!(out.ends_with("é[OVERSIZE]\"") && out.len() < over.len());
    assert_eq!(kit.ledger.redactions()["OVERSIZE"], 1);
}

#[test]
fn what_is_wrong_is_said_at_its_place() {
    for (config, said) in [
        ("", "redacts nothing"),
        (
            "rules = ['CreditCardNumbr']",
            "did you mean `CreditCardNumber`?",
        ),
        ("rules = ['@secret']", "did you mean `@secrets`?"),
        ("rules = ['Name']", "it takes a model"),
        (
            "custom = [{ id = 'a', regex = '(' }]",
            ":1:32: the regex does not compile",
        ),
        (
            "custom = [{ id = 'a', regex = 'a*' }]",
            "where there is nothing",
        ),
        ("custom = [{ id = 'a b', regex = 'a' }]", "no id of a rule"),
        (
            "custom = [{ id = 'a', regex = 'a' }, { id = 'a', regex = 'b' }]",
            "is taken",
        ),
        ("custom = [{ id = 'a' }]", "lacks the key `regex`"),
        (
            "custom = [{ id = 'a', regex = '(?:a{1000}){1000}' }]",
            "larger than 1 MiB",
        ),
        ("keys = ['.a']", "no key"),
        ("keys = ['*']", "no key"),
        (
            "keys = ['a']\nallow = ['[']",
            ":2:11: the regex does not compile",
        ),
        ("keys = ['a']\naction = 'hash'", "has no `hash_key`"),
        (
            "keys = ['a']\naction = 'hash'\nhash_key = 'short'",
            "shorter than 32 bytes",
        ),
        (
            "keys = ['a']\naction = 'hash'\nhash_key = { env = 'NOT_SET' }",
            "NOT_SET",
        ),
        ("keys = ['a']\naction = 'blur'", "blur"),
        ("keys = ['a']\nruls = []", "ruls"),
    ] {
        let lines = problems(&KIND, config);
        assert!(
            lines.iter().any(|line| line.contains(said)),
            "{config}: {lines:?}"
        );
    }
}

#[test]
fn every_rule_and_group_can_be_chosen() {
    for rule in RULES {
        made(&KIND, &format!("rules = ['{}']", rule.id));
    }
    for name in [
        "@secrets",
        "@financial",
        "@personal",
        "@network",
        "@health",
        "@all",
        "PrivateKey",
    ] {
        made(&KIND, &format!("rules = ['{name}']"));
    }
}
