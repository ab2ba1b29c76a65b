use std::time::Duration;

use proptest::prelude::*;

use super::*;

const QUEUE: Fields = &[
    field(
        "bytes",
        FieldKind::Size {
            min: 1 << 10,
            max: 1 << 30,
        },
        "\"4MiB\"",
    ),
    field(
        "overflow",
        FieldKind::Choice(&["drop_newest", "drop_oldest"]),
        "\"drop_oldest\"",
    ),
];

const SINK: Fields = &[
    Field {
        required: true,
        ..field("url", FieldKind::Text, "")
    },
    field(
        "timeout",
        FieldKind::Duration {
            min: Duration::from_millis(1),
            max: Duration::from_secs(60),
        },
        "\"5s\"",
    ),
    field("attempts", FieldKind::Integer { min: 1, max: 10 }, "4"),
    field("rate", FieldKind::Number { min: 0.0, max: 1.0 }, "0.5"),
    field("enabled", FieldKind::Boolean, "true"),
    field("when", FieldKind::Expression, ""),
    field("key", FieldKind::Template, ""),
    field("pattern", FieldKind::Regex, ""),
    field(
        "signals",
        FieldKind::List(&FieldKind::Choice(&["logs", "metrics"])),
        "[\"logs\"]",
    ),
    field("level", FieldKind::Choice(&["info", "warn"]), ""),
    field("queue", FieldKind::Table(QUEUE), "{}"),
    field("headers", FieldKind::Map(&FieldKind::Secret), ""),
    field("auth", FieldKind::Secret, ""),
    field("key_of_hash", FieldKind::SecretOr("a hash is a label"), ""),
    field("labels", FieldKind::Map(&FieldKind::Text), ""),
    field("custom", FieldKind::List(&FieldKind::Table(QUEUE)), ""),
    field("options", FieldKind::Any, ""),
];

const ROOT: Fields = &[
    field("sink", FieldKind::Map(&FieldKind::Any), ""),
    field("level", FieldKind::Choice(&["info", "warn"]), "\"info\""),
];

const fn field(name: &'static str, kind: FieldKind, default: &'static str) -> Field {
    Field {
        name,
        kind,
        default,
        required: false,
        doc: "What it is for. And more.",
    }
}

fn environment(name: &str) -> Option<String> {
    let value = match name {
        "N" => "7",
        "BIG" => "4711",
        "YES" => "true",
        "STAGE" => "prod",
        "TOKEN" => "hunter2",
        "EMPTY" => "",
        _ => return None,
    };
    Some(value.to_owned())
}

/// Reads `[sink.*]` tables and the root with the fields above, as the real configuration does.
fn read(text: &[u8]) -> Diagnostics {
    let context = Context::new(&environment);
    if let Some(document) = Document::parse(&context, "tapline.toml", text) {
        let root = Reader::root(&context, &document, ROOT);
        for (name, reader) in root.map_of_tables("sink") {
            let label = format!("sink `{}`", name.value);
            let reader = reader
                .with_scope(Scope::Sink(name.value), label)
                .with_fields(SINK, &[]);
            for key in ["url", "when", "key", "pattern"] {
                reader.text(key);
            }
            reader.duration("timeout");
            reader.integer("attempts");
            reader.number("rate");
            reader.boolean("enabled");
            reader.list_of_text("signals");
            reader.map_of_secrets("headers");
            reader.map_of_text("labels");
            reader.secret("auth");
            if let Some(queue) = reader.table("queue") {
                queue.size("bytes");
                queue.choice("overflow");
            }
            for custom in reader.tables("custom") {
                custom.size("bytes");
            }
            reader.finish();
        }
        root.choice("level");
        root.finish();
    }
    context.finish()
}

fn sink(line: &str) -> String {
    read(format!("[sink.out]\nurl = \"u\"\n{line}\n").as_bytes()).render()
}

/// Every diagnostic of `golden.txt`: a case is the text of a file, `---`, and what is printed for it.
#[test]
fn diagnostics_read_as_written_down() {
    let golden = include_str!("golden.txt");
    let mut cases_count = 0;
    for case in golden.split("=====\n").filter(|case| !case.is_empty()) {
        let (text, wanted) = case.split_once("---\n").expect("a case has both parts");
        assert_eq!(read(text.as_bytes()).render(), wanted, "for:\n{text}");
        cases_count += 1;
    }
    assert!(cases_count >= 40, "{cases_count}");
}

#[test]
fn what_is_no_text_of_256_kib_is_refused_with_its_place() {
    let line = |bytes: &[u8]| read(bytes).iter().map(Diagnostic::line).collect::<Vec<_>>();
    assert_eq!(
        line(b"a = 1\nb = \"\xff\"\n"),
        ["tapline.toml:2:6: the file is not UTF-8: byte 11 is 0xff; save the file as UTF-8"]
    );
    let long = vec![b'\n'; FILE_BYTES_MAX + 1];
    assert!(
        line(&long)[0].contains("the file has 262145 bytes; at most 262144 (256 KiB) are read")
    );
    assert!(read(&long[1..]).is_empty());
    let deep = format!("{}a = 1", "a.".repeat(100_000));
    assert!(line(deep.as_bytes())[0].contains("more than 16 parts"));
    let hidden = format!("x = \"\\\n{}a = 1", "a.".repeat(100_000));
    assert!(line(hidden.as_bytes())[0].contains("more than 16 parts"));
    let marked = line("\u{feff}level = 5\n".as_bytes());
    assert!(marked[0].starts_with("tapline.toml:1:9: "), "{}", marked[0]);
}

#[test]
fn long_lines_are_cut_around_the_caret() {
    let labels: String = (0..60).map(|i| format!("k{i} = \"é\", ")).collect();
    let shown = sink(&format!(
        "labels = {{ {labels}z = 5 }} # {}",
        "é".repeat(300)
    ));
    let lines: Vec<&str> = shown.lines().collect();
    let column = lines[4]
        .chars()
        .position(|c| c == '^')
        .expect("there is a caret");
    assert_eq!(lines[3].chars().nth(column), Some('5'), "{shown}");
    assert!(lines[3].chars().count() <= 160 + 6, "{shown}");
    assert!(
        lines[3].starts_with("3 | …") && lines[3].ends_with('…'),
        "{shown}"
    );
}

#[test]
fn one_line_holds_place_message_and_remedy() {
    let diagnostics = read(b"[sink.out]\nurl = \"u\"\nlevle = \"info\"\n");
    let lines: Vec<String> = diagnostics.iter().map(Diagnostic::line).collect();
    assert_eq!(lines.len(), 1);
    assert!(lines[0].starts_with(
        "tapline.toml:3:1: `levle` is not a key of sink `out`; did you mean `level`?; the keys are `url`, "
    ));
}

#[test]
fn severity_and_scope_tell_what_is_disabled() {
    let mut diagnostics = read(b"levl = 1\n[sink.a]\nurl = 5\nx = 1\n[sink.b]\nurl = 'u'\n");
    assert_eq!(diagnostics.summary(), "1 error, 2 warnings");
    let found: Vec<_> = diagnostics
        .iter()
        .map(|d| (d.kind, d.scope.clone()))
        .collect();
    assert_eq!(
        found,
        [
            (Kind::UnknownKey, Scope::File),
            (Kind::WrongType, Scope::Sink("a".to_owned())),
            (Kind::UnknownKey, Scope::Sink("a".to_owned())),
        ]
    );
    diagnostics.strict();
    assert_eq!(diagnostics.summary(), "3 errors");
    assert!(diagnostics.has_errors());
}

#[test]
fn unknown_key_of_a_redaction_is_an_error() {
    let context = Context::new(&environment);
    let document = Document::parse(&context, "f", b"actoin = \"hash\"\n").expect("this is TOML");
    let reader = Reader::root(&context, &document, QUEUE);
    reader.with_scope(Scope::Redact, "redact `pii`").finish();
    assert_eq!(context.finish().summary(), "1 error");
}

#[test]
fn many_problems_keep_the_first_error_of_each_scope() {
    let mut text: String = (0..300)
        .map(|i| format!("[sink.s{i}]\nurl = 1\nqqq = 1\n"))
        .collect();
    text.push_str("[sink.last]\nurl = 1\n");
    let diagnostics = read(text.as_bytes());
    let last = Scope::Sink("last".to_owned());
    assert!(
        diagnostics
            .iter()
            .any(|d| d.scope == last && d.severity == Severity::Error)
    );
    assert!(diagnostics.render().ends_with(" more\n"));
}

fn with_reader<T>(text: &str, read: impl FnOnce(&Reader<'_>) -> T) -> T {
    let context = Context::new(&environment);
    let document = Document::parse(&context, "f", text.as_bytes()).expect("this is TOML");
    let result = read(&Reader::root(&context, &document, SINK));
    let diagnostics = context.finish();
    assert!(diagnostics.is_empty(), "{}", diagnostics.render());
    result
}

#[test]
fn absent_keys_have_their_defaults() {
    with_reader("url = 'u'\n", |reader| {
        assert_eq!(
            reader.duration("timeout").map(|v| v.value),
            Some(Duration::from_secs(5))
        );
        assert_eq!(reader.integer("attempts").map(|v| v.value), Some(4));
        assert_eq!(reader.number("rate").map(|v| v.value), Some(0.5));
        assert_eq!(reader.boolean("enabled").map(|v| v.value), Some(true));
        assert_eq!(reader.list_of_text("signals").map(|v| v.len()), Some(1));
        let queue = reader
            .table("queue")
            .expect("its default is an empty table");
        assert_eq!(queue.size("bytes").map(|v| v.value), Some(4 << 20));
        assert_eq!(
            queue.choice("overflow").map(|v| v.value),
            Some("drop_oldest")
        );
        assert!(reader.secret("auth").is_none() && reader.map_of_secrets("headers").is_empty());
        reader.finish();
    });
}

#[test]
fn variables_are_replaced_and_remembered() {
    let text = "url = 'https://${STAGE}.example.com'\nattempts = \"${N}\"\nenabled = \"${YES}\"\nrate = \"${NO:-0.25}\"\n\
                timeout = \"${NO:-}${N}s\"\n\
                labels = { a = \"$${STAGE} pa$$word $5 $\", b = \"${EMPTY:-x}\", c = \"${NO:-}\", d = \"${STAGE:?no}\" }\n";
    with_reader(text, |reader| {
        let url = reader.text("url").expect("it is there");
        assert_eq!(
            (url.value.as_str(), url.interpolated),
            ("https://prod.example.com", true)
        );
        assert_eq!(reader.inside(&url, 2..3), url.span);
        assert!(!reader.quote(&url).contains("prod"));
        assert_eq!(reader.integer("attempts").map(|v| v.value), Some(7));
        assert_eq!(reader.boolean("enabled").map(|v| v.value), Some(true));
        assert_eq!(reader.number("rate").map(|v| v.value), Some(0.25));
        assert_eq!(
            reader.duration("timeout").map(|v| v.value),
            Some(Duration::from_secs(7))
        );
        let labels = reader.map_of_text("labels");
        let labels: Vec<(&str, bool)> = labels
            .iter()
            .map(|(_, v)| (v.value.as_str(), v.interpolated))
            .collect();
        assert_eq!(
            labels,
            [
                ("${STAGE} pa$$word $5 $", false),
                ("x", true),
                ("", true),
                ("prod", true)
            ]
        );
        reader.finish();
    });
}

#[test]
fn secrets_are_resolved_and_not_printed() {
    let text = "url = 'u'\nauth = { env = \"TOKEN\", prefix = \"Bearer \" }\nheaders = { b = \"x\", a = \"${TOKEN}\" }\n";
    with_reader(text, |reader| {
        let auth = reader.secret("auth").expect("it is set").value;
        assert_eq!(auth.expose(), "Bearer hunter2");
        assert_eq!(format!("{auth:?}"), "Secret(…)");
        let headers = reader.map_of_secrets("headers");
        let headers: Vec<_> = headers
            .iter()
            .map(|(k, v)| (k.value.as_str(), v.value.expose()))
            .collect();
        assert_eq!(headers, [("b", "x"), ("a", "hunter2")]);
        reader.finish();
    });
}

#[test]
fn a_secret_that_can_be_done_without_is_an_error_only_for_those_who_are_strict() {
    for (value, place) in [("{ env = 'NO' }", 23), ("'${NO}'", 16), ("'x${NO}y'", 17)] {
        let text = format!("[sink.a]\nurl = 'u'\nkey_of_hash = {value}\n");
        let mut diagnostics = read(text.as_bytes());
        let lines: Vec<String> = diagnostics.iter().map(Diagnostic::line).collect();
        let said = format!(
            "tapline.toml:3:{place}: the environment variable `NO` is unset or empty, so that a hash is a label; set"
        );
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with(&said), "{lines:?}");
        assert!(!diagnostics.has_errors());
        diagnostics.strict();
        assert!(diagnostics.has_errors());
    }
    // Whoever writes that it must be set means it; and what is wrong otherwise is wrong.
    for value in [
        "'${NO:?}'",
        "'${NO:?set it}'",
        "'${NO'",
        "{ env = 'NO', prefix = 5 }",
        "5",
    ] {
        let text = format!("[sink.a]\nurl = 'u'\nkey_of_hash = {value}\n");
        assert!(read(text.as_bytes()).has_errors(), "{value}");
    }
    let text = "url = 'u'\nkey_of_hash = { env = \"TOKEN\" }\n";
    with_reader(text, |reader| {
        let key = reader.any_secret("key_of_hash").expect("it is set").value;
        assert_eq!(key.expose(), "hunter2");
    });
}

#[test]
fn secrets_of_aws_are_refused_where_nothing_can_fetch_them() {
    let context = Context::new(&environment).without_late_secrets("rebuild");
    let text = "[sink.a]\nurl = 'u'\nauth = { secret = 'arn:aws:ssm:r:1:parameter/p' }\n";
    let document = Document::parse(&context, "f", text.as_bytes()).expect("this is TOML");
    let root = Reader::root(&context, &document, ROOT);
    for (_, reader) in root.map_of_tables("sink") {
        reader.with_fields(SINK, &[]).finish();
    }
    assert!(context.late_secrets().is_empty());
    let said: Vec<String> = context.finish().iter().map(Diagnostic::line).collect();
    assert_eq!(
        said,
        ["f:3:19: secrets of AWS are not in this build; rebuild"]
    );
}

#[test]
fn no_diagnostic_shows_a_secret() {
    for line in [
        "auth = ['hunter2']",
        "auth = { env = 5, prefix = 'x', value = 'hunter2' }",
        "headers = { x = 'hunter2', y = 5 }",
        "headers = ['x: hunter2']",
        "header = { x = 'hunter2' }",
        "pwd = 'hunter2'",
        "something = { deep = { er = [ 'hunter2' ] } }",
        "attempts = \"${TOKEN}\"",
        "level = \"${TOKEN}\"",
        "timeout = \"${TOKEN}\"",
        "queue = { bytes = \"${TOKEN}\" }",
        "labels = { password = 'hunter2', a = 5 }",
        "password = hunter2",
        "password = 'hunter2' x",
        "x-api-key = \"hunter2",
        "headers = { x = \"hunter2\", y = }",
        "token = [\n  'hunter2' 'x',\n]",
        "tls.key = \"\"\"\n-----BEGIN\nhunter2 \\q ==\n\"\"\"",
    ] {
        let diagnostics = read(format!("[sink.out]\nurl = 'u'\n{line}\n").as_bytes());
        assert!(!diagnostics.is_empty(), "{line}");
        let lines: Vec<String> = diagnostics.iter().map(Diagnostic::line).collect();
        let shown = diagnostics.render() + &lines.concat();
        assert!(!shown.contains("hunter2"), "{line}\n{shown}");
    }
}

#[test]
fn places_inside_strings_are_exact_where_the_text_is() {
    for (written, exact) in [
        ("'abc def'", true),
        ("\"abc def\"", true),
        ("\"\"\"abc def\"\"\"", true),
        ("'''\nabc def'''", true),
        ("\"abc\\u0020def\"", false),
    ] {
        let text = format!("url = 'u'\nwhen = {written}\n");
        let (span, whole) = with_reader(&text, |reader| {
            let when = reader.text("when").expect("it is there");
            (reader.inside(&when, 4..7), when.span)
        });
        assert_eq!(&text[span.clone()] == "def", exact, "{written}");
        assert!(exact || span == whole);
    }
}

#[test]
fn fields_are_checked() {
    assert_eq!(check_fields(SINK), Ok(()));
    assert_eq!(check_fields(ROOT), Ok(()));
    const WRONG: [(Fields, &str); 5] = [
        (
            &[field("a", FieldKind::Integer { min: 1, max: 2 }, "3")],
            "must be from 1 to 2",
        ),
        (
            &[field("a", FieldKind::Size { min: 1, max: 2 }, "\"4\"")],
            "has no unit",
        ),
        (
            &[field("a", FieldKind::Boolean, "yes please")],
            "the default of `a` is wrong",
        ),
        (
            &[field("a", FieldKind::Text, "\"${A}\"")],
            "it holds a variable",
        ),
        (
            &[
                field("a", FieldKind::Any, ""),
                field("a", FieldKind::Any, ""),
            ],
            "twice",
        ),
    ];
    for (fields, wanted) in WRONG {
        let error = check_fields(fields).expect_err(wanted);
        assert!(error.contains(wanted), "{error}");
    }
}

fn assert_sound(text: &str) {
    let diagnostics = read(text.as_bytes());
    for diagnostic in diagnostics.iter() {
        let source = &diagnostic.source.text;
        assert!(
            source.get(diagnostic.span.clone()).is_some(),
            "{:?} in {text:?}",
            diagnostic.span
        );
    }
    diagnostics.render();
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn any_text_is_survived(text in "(\\PC|\n|\r|\t|[\\[\\]{}=.\"'$#,]){0,80}") {
        assert_sound(&text);
    }

    #[test]
    fn any_pieces_of_toml_are_survived(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "[sink.out]\n", "[[sink]]\n", "sink", "url", "timeout", "headers", "token", "é", "= ", "=", "\n", "\r\n",
                "\"${N}\"", "\"${", "}", "\"", "'", "\"\"\"", "'''", "\"5s\"", "5", "{ ", "[", "]", ", ", ".", "\\u00e9", "#", "\t",
                "key = \"é${N}\"\n", "pattern = '${é}'\n", "auth = { env = \"é\" }\n", "queue = { bytes = \"1B\" }\n",
            ]),
            0..40,
        )
    ) {
        assert_sound(&pieces.concat());
    }
}
