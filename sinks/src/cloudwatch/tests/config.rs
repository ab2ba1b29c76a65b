//! What the table may hold.

use super::*;

#[test]
fn what_cannot_be_meant_is_refused_with_a_remedy() {
    let rows = [
        ("stream = \"x\"", "lacks the key `group`"),
        ("group = \"\"", "`group` is empty"),
        ("group = \"aws/x\"", "does not begin with `aws/`"),
        ("group = \"{level}\"", "differs from record to record"),
        (
            "group = \"g\"\nstream = \"{request_id}\"",
            "differs from record to record",
        ),
        (
            "group = \"g\"\nretention_days = 13",
            "write one of 1, 3, 5, 7, 14, 30,",
        ),
        ("group = \"g\"\nretention_days = 0", "from 1 to 3653"),
        ("group = \"g\"\nclass = \"DELIVERY\"", "no value of `class`"),
        ("group = \"g\"\nformat = \"json\"", "no value of `format`"),
        (
            "group = \"g\"\noversize = \"cut\"",
            "no value of `oversize`",
        ),
        (
            "group = \"g\"\ncompression = \"zstd\"",
            "no value of `compression`",
        ),
        ("group = \"g\"\nregion = \"Ireland\"", "no region of AWS"),
        ("group = \"g\"\nendpoint = \"nowhere\"", "no scheme"),
        ("group = \"g\"\nrole_arn = \"logs\"", "no ARN of a role"),
        ("group = \"g\"\ntags = { a = 1 }", "expected a string"),
        (
            "group = \"g\"\nentity = { key = { Type = \"Service\" } }",
            "no key of an entity",
        ),
        (
            "group = \"g\"\nentity = { key = { Type = \"a\", Color = \"b\" } }",
            "no key of an entity",
        ),
        ("group = \"g\"\nentity = {}", "lacks the key `key`"),
    ];
    for (text, wanted) in rows {
        let Err(message) = read(text) else {
            panic!("{text} was taken");
        };
        assert!(!message.starts_with("built"), "{text}: {message}");
        assert!(message.contains(wanted), "{text}: {message}");
    }
}

#[test]
fn all_problems_are_shown_at_once() {
    let text = "group = \"{level}\"\nretention_days = 13\nclass = \"x\"\nregion = \"X\"\nrole_arn = \"y\"\nendpoint = \"z\"\n";
    let Err(message) = read(text) else {
        panic!("it was taken");
    };
    for line in 1..=6 {
        assert!(
            message.contains(&format!("t.toml:{line}:")),
            "{line}: {message}"
        );
    }
}

#[test]
fn every_retention_that_the_service_has_is_taken() {
    for days in [
        1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557,
        2922, 3288, 3653,
    ] {
        let sink = read(&format!("group = \"g\"\nretention_days = {days}")).unwrap();
        assert_eq!(sink.target.retention_days, Some(days));
    }
}
