//! What the table of an `http` sink may hold.

use super::*;

#[test]
fn defaults_are_as_documented() {
    let sink = sink("url = \"https://a.example\"").unwrap();
    assert_eq!(sink.method, Method::POST);
    assert_eq!(
        sink.limits(),
        CallLimits {
            records_max: 1_000,
            bytes_max: 1 << 20
        }
    );
}

#[test]
fn what_cannot_be_meant_is_refused_with_a_remedy() {
    let rows = [
        ("url = \"http://u:s3cret@a/\"", "put them into `headers`"),
        ("url = \"${URL}\"", "put them into `headers`"),
        ("url = \"http://a/#x\"", "fragment"),
        ("method = \"POST\"", "lacks the key `url`"),
        ("headers = { a = \"b\\r\\nc: s3cret\" }", "line break"),
        ("headers = { a = \"b\\u0000s3cret\" }", "control character"),
        ("headers = { a = { env = \"BROKEN\" } }", "line break"),
        ("headers = { a = { env = \"UNSET\" } }", "unset or empty"),
        ("headers = { \"a b\" = \"s3cret\" }", "no name of a header"),
        (
            "headers = { \"a\\r\\nb\" = \"s3cret\" }",
            "no name of a header",
        ),
        ("headers = { \"a:\" = \"s3cret\" }", "no name of a header"),
        ("headers = { A = \"s3cret\", a = \"c\" }", "there twice"),
        (
            "headers = { Content-Length = \"1\" }",
            "set by Tapline alone",
        ),
        ("headers = { host = \"b\" }", "set by Tapline alone"),
        (
            "headers = { Transfer-Encoding = \"chunked\" }",
            "set by Tapline alone",
        ),
        (
            "headers = { content-encoding = \"br\" }",
            "set by Tapline alone",
        ),
        (
            "headers = { connection = \"close\" }",
            "set by Tapline alone",
        ),
        (
            "headers = { x-tapline-batch = \"1\" }",
            "set by Tapline alone",
        ),
        ("headers = \"s3cret\"", "expected a table"),
        ("auth = {}", "exactly one"),
        (
            "auth = { bearer = \"s3cret\", basic = { user = \"u\", password = \"s3cret\" } }",
            "exactly one",
        ),
        ("auth = { bearer = \"s3cret\\n\" }", "line break"),
        (
            "auth = { basic = { user = \"a:b\", password = \"s3cret\" } }",
            "colon",
        ),
        (
            "auth = { basic = { user = \"a\" } }",
            "lacks the key `password`",
        ),
        ("auth = { sigv4 = {} }", "lacks the key `service`"),
        (
            "auth = { sigv4 = { service = \"a b\" } }",
            "no name of a service",
        ),
        (
            "auth = { sigv4 = { service = \"es\", region = \"a/b\" } }",
            "no region of AWS",
        ),
        (
            "auth = { sigv4 = { service = \"es\", role_arn = \"me\" } }",
            "no ARN of a role",
        ),
        (
            "auth = { sigv4 = { service = \"es\", external_id = \"x\" } }",
            "and there is none",
        ),
        (
            "auth = { sigv4 = { service = \"es\" }, bearer = \"s3cret\" }",
            "exactly one",
        ),
        (
            "auth = { bearer = \"s3cret\" }\nheaders = { Authorization = \"s3cret\" }",
            "both set `authorization`",
        ),
        ("batch = { records = 0 }", "from 1 to 10000"),
        ("batch = { bytes = \"9MiB\" }", "from 1KiB to 8MiB"),
        ("connect_timeout = \"0s\"", "from 1ms to 1m"),
        ("framing = \"csv\"", "no value of `framing`"),
        ("compression = \"br\"", "no value of `compression`"),
        ("preset = 7", "expected"),
        ("options = { a = 1 }", "there is none"),
        (
            "tls = { cert = \"/c.pem\" }",
            "`cert` is not in this version",
        ),
        ("tls = { key = \"s3cret\" }", "`key` is not in this version"),
    ];
    for (text, wanted) in rows {
        let text = if text.starts_with("url") || text.starts_with("method") {
            text.to_owned()
        } else {
            format!("url = \"http://a/\"\n{text}")
        };
        let Err(message) = sink(&text) else {
            panic!("{text} was taken");
        };
        assert!(!message.starts_with("built"), "{text}: {message}");
        assert!(message.contains(wanted), "{text}: {message}");
        assert!(!message.contains("s3cret"), "{text}: {message}");
    }
}

#[test]
fn all_problems_are_shown_at_once() {
    let text = "url = \"nowhere\"\nmethod = \"GET\"\nheaders = { host = \"b\" }\nbatch = { records = 0 }\npreset = 1\n";
    let Err(message) = sink(text) else {
        panic!("it was taken");
    };
    for place in [
        "t.toml:1:",
        "t.toml:2:",
        "t.toml:3:",
        "t.toml:4:",
        "t.toml:5:",
    ] {
        assert!(message.contains(place), "{message}");
    }
}
