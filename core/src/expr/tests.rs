//! What expressions mean, and what they say when they are wrong.

mod problems;
mod together;

use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// A record for tests: some names with values, and JSON for the paths.
struct Fake {
    names: Vec<(Name, Value<'static>)>,
    json: serde_json::Value,
}

impl Source for Fake {
    fn name(&self, name: &Name) -> Value<'_> {
        let found = self.names.iter().find(|(known, _)| known == name);
        found.map_or(Value::Missing, |(_, value)| value.clone())
    }

    fn path(&self, path: &Path) -> Value<'_> {
        let mut at = &self.json;
        for segment in &path.segments {
            let next = match segment {
                Segment::Key(key) => at.get(&**key),
                Segment::Index(index) => at.get(index),
            };
            let Some(next) = next else {
                return Value::Missing;
            };
            at = next;
        }
        match at {
            serde_json::Value::String(text) => Value::Text(text.as_str().into()),
            serde_json::Value::Number(number) => Value::Number(number.as_f64().unwrap()),
            serde_json::Value::Bool(truth) => Value::Boolean(*truth),
            _ => Value::Other,
        }
    }
}

fn record() -> Fake {
    Fake {
        names: vec![
            (Name::Type, Value::Text("function".into())),
            (Name::Time, Value::Text("2026-11-23T09:05:07.042Z".into())),
            (Name::Level, Value::Level(Level::Warn)),
            (Name::Message, Value::Text("Request timed out".into())),
            (Name::FunctionVersion, Value::Text("12".into())),
            (Name::FunctionMemory, Value::Size(512 << 20)),
            (Name::Duration, Value::Duration(Duration::from_millis(900))),
            (Name::Failed, Value::Boolean(true)),
            (Name::ColdStart, Value::Boolean(false)),
            (Name::Env("STAGE".into()), Value::Text("prod".into())),
        ],
        json: json!({
            "n": 5, "s": "five", "ns": "5", "neg": "-1.5e1", "inf": "inf", "t": true, "z": null,
            "list": [1, {"deep": "x"}], "odd key": {"x": "y"}, "ms": 850, "took": "1.5s", "bytes": 2048,
            "big": "2KiB", "sev": "Warning", "@timestamp": "now",
        }),
    }
}

fn stage() -> Vec<String> {
    vec!["STAGE".to_owned()]
}

fn read(source: &str) -> Result<Expression, Vec<Problem>> {
    Expression::parse(source, &Names { env: &stage() })
}

/// The truth of an expression for the record above, and how many unlike comparisons it met.
fn holds(source: &str) -> (bool, u64) {
    let expression = read(source).unwrap_or_else(|problems| panic!("{source}: {problems:?}"));
    let mut counts = Unlike::default();
    let truth = expression.matches(&record(), &mut counts);
    (truth, counts.0)
}

#[test]
fn conditions_that_hold() {
    for source in [
        r#"type == "function""#,
        "type == 'function'",
        "level >= WARN and level < Error",
        "warn <= level",
        "duration > 800ms and duration <= 0.9s",
        "function.memory >= 512MiB",
        "function.version == 12",
        "env.STAGE == \"prod\"",
        "failed and not cold_start",
        "failed == true and cold_start != true",
        "time >= \"2026-11-23\" and time < \"2026-11-24\"",
        "message contains \"timed\" and message starts_with \"Req\" and message ends_with 'out'",
        "message ~ \"timed? out$\"",
        "message ~ '^(?i)request\\s'",
        "\"x function y\" contains type",
        ".n == 5 and .n in [4, 5,] and .n >= 5 and .n != 6",
        ".n == '5' and .ns == 5 and .ns in [5] and .ns > 4.5",
        ".neg == -15 and .neg < 0",
        ".t == true and .t != false",
        "exists(.z) and exists(.list) and exists(.list[1].deep) and exists(type)",
        "not exists(.list[2]) and not exists(.list.x) and not exists(request_id)",
        ".list[1].deep == 'x' and .\"odd key\".x == \"y\" and .@timestamp == 'now'",
        ".ms > 800ms and .ms < 0.9s and .took == 1500ms",
        ".bytes == 2KiB and .big == 2048B",
        ".sev >= warn and .sev == WARN",
        ".n == .ns",
        ".missing != 1 and not (.missing == 1)",
        "true or false",
        "false or (not (false))\n and\ttrue",
        ".s != \"Five\"",
    ] {
        assert_eq!(holds(source), (true, 0), "{source}");
    }
}

/// A missing value is no reason to count: it is what `exists` is for.
#[test]
fn comparisons_with_missing_are_false_and_not_counted() {
    for source in [
        ".no == 1",
        ".no < 1",
        "1 >= .no",
        ".no == .nor",
        ".no in [1, 'a']",
        ".no contains 'a'",
        "message contains .no",
        ".no ~ 'a'",
        "request_id == ''",
        ".no >= info",
        "exists(.no)",
    ] {
        assert_eq!(holds(source), (false, 0), "{source}");
    }
}

#[test]
fn unlike_kinds_are_false_and_counted() {
    for (source, counted) in [
        (".s == 5", 1),
        (".s > 5", 1),
        (".inf > 5", 1),
        (".n contains '5'", 1),
        (".n ~ '5'", 1),
        (".n starts_with '5'", 1),
        (".t == 1", 1),
        (".t < .t", 1),
        (".z == 'null'", 1),
        (".list == 1", 1),
        (".n in ['a', true]", 1),
        (".n in [4, true]", 0),
        (".t in ['a', 1]", 1),
        (".s > 800ms", 1),
        (".s > 1KiB", 1),
        (".s >= warn", 1),
        (".n >= warn", 1),
        ("env.STAGE > 3", 1),
        (".s == 5 or .t == 1", 2),
        (".no == 5 and .s == 5", 0),
    ] {
        assert_eq!(holds(source), (false, counted), "{source}");
    }
    assert_eq!(holds(".s != 5"), (true, 1));
}

/// `not` binds tighter than `and`, and `and` tighter than `or`.
#[test]
fn operators_bind_as_documented() {
    for (source, truth) in [
        ("true or false and false", true),
        ("(true or false) and false", false),
        ("not false and false", false),
        ("not (false and false)", true),
        ("not true or true", true),
        ("not not true", true),
        ("false and true or true", true),
        ("true and false or false and true", false),
    ] {
        assert_eq!(holds(source), (truth, 0), "{source}");
    }
}

#[test]
fn names_are_visited_in_order() {
    let expression =
        read("failed and (type == 'a' or not exists(env.STAGE)) and .a == region").unwrap();
    let mut seen = Vec::new();
    expression.visit_names(&mut |name| seen.push(name.to_string()));
    assert_eq!(seen, ["failed", "type", "env.STAGE", "region"]);
    assert_eq!(expression.names().count(), 4);
}

#[test]
fn every_name_reads_as_it_is_written() {
    for spelling in Name::spellings().chain(["env.STAGE"]) {
        let name = Name::parse(spelling).unwrap();
        assert_eq!(name.as_str(), spelling);
        assert!(read(&format!("exists({spelling})")).is_ok(), "{spelling}");
    }
    for word in ["id", "Type", "env.", "env.1A", "env.A-B", "function", ""] {
        assert_eq!(Name::parse(word), None, "{word}");
    }
}

fn joined(part: &str, word: &str, count: usize) -> String {
    vec![part; count].join(word)
}

/// Each limit just met and just passed.
#[test]
fn limits_hold_at_their_edge() {
    let nested = |depth| format!("{}failed{}", "(".repeat(depth), ")".repeat(depth));
    let listed = |count| format!(".a in [{}]", joined("1", ",", count));
    let long = |bytes: usize| format!("failed{}", " ".repeat(bytes - "failed".len()));
    let deep_path = |keys| format!("exists({})", ".a".repeat(keys));
    for (within, beyond, message) in [
        (nested(32), nested(33), "nest deeper than 32"),
        (
            "not ".repeat(32) + "failed",
            "not ".repeat(33) + "failed",
            "nest deeper than 32",
        ),
        (
            joined("failed", " or ", 128),
            joined("failed", " or ", 129),
            "more than 256 conditions",
        ),
        (listed(256), listed(257), "more than 256 literals"),
        (long(4_096), long(4_097), "4097 bytes, more than 4096"),
        (deep_path(32), deep_path(33), "more than 32 keys"),
    ] {
        assert!(read(&within).is_ok(), "{within}");
        let problems = read(&beyond).unwrap_err();
        assert!(problems[0].message.contains(message), "{problems:?}");
    }
}

/// A regex that backtracks exponentially elsewhere; here a record of a million bytes takes no time worth noting.
#[test]
fn a_hostile_regex_is_linear() {
    let expression = read("message ~ '(a*)*(a|aa)*b$'").unwrap();
    let record = Fake {
        names: vec![(Name::Message, Value::Text("a".repeat(1_000_000).into()))],
        json: json!(null),
    };
    assert!(!expression.matches(&record, &mut Unlike::default()));
}

#[test]
fn paths_read_and_print() {
    for (source, printed) in [
        (".a.b[0]", ".a.b[0]"),
        (".\"odd key\".x", ".\"odd key\".x"),
        (".'say \"x\"'", ".'say \"x\"'"),
        (".\"plain\"", ".plain"),
        (".\"\"", ".\"\""),
        (".[3].a", ".[3].a"),
        (".user-agent.$x.@l", ".user-agent.$x.@l"),
    ] {
        assert_eq!(Path::parse(source).unwrap().to_string(), printed);
    }
    for bad in [
        "",
        "a",
        ".",
        ".a.",
        ".a[",
        ".a[-1]",
        ".a[99999999999]",
        ".a b",
        ".ä",
        ".a..b",
        ".-a",
    ] {
        let problem = Path::parse(bad).unwrap_err();
        assert!(problem.span.end <= bad.len(), "{bad}");
    }
}

const fn is_send<T: Send + Sync>() {}
const _: () = is_send::<Expression>();

/// A condition as a tree, evaluated by recursion: what the flat steps must agree with.
#[derive(Debug, Clone)]
enum Tree {
    Leaf(&'static str, bool),
    Not(Box<Tree>),
    And(Vec<Tree>),
    Or(Vec<Tree>),
}

impl Tree {
    fn truth(&self) -> bool {
        match self {
            Tree::Leaf(_, truth) => *truth,
            Tree::Not(inner) => !inner.truth(),
            Tree::And(parts) => parts.iter().all(Tree::truth),
            Tree::Or(parts) => parts.iter().any(Tree::truth),
        }
    }

    fn source(&self) -> String {
        let joined = |parts: &[Tree], word: &str| {
            let parts: Vec<String> = parts
                .iter()
                .map(|part| format!("({})", part.source()))
                .collect();
            parts.join(word)
        };
        match self {
            Tree::Leaf(source, _) => (*source).to_owned(),
            Tree::Not(inner) => format!("not ({})", inner.source()),
            Tree::And(parts) => joined(parts, " and "),
            Tree::Or(parts) => joined(parts, " or "),
        }
    }
}

fn trees() -> impl Strategy<Value = Tree> {
    let leaf = prop::sample::select(vec![
        Tree::Leaf(".n == 5", true),
        Tree::Leaf(".no == 5", false),
        Tree::Leaf(".no != 5", true),
        Tree::Leaf("failed", true),
        Tree::Leaf("level < warn", false),
        Tree::Leaf(".s > 1", false),
        Tree::Leaf("type in ['function']", true),
        Tree::Leaf("message ~ '^x'", false),
    ]);
    leaf.prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|tree| Tree::Not(Box::new(tree))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Tree::And),
            prop::collection::vec(inner, 2..4).prop_map(Tree::Or),
        ]
    })
}

/// Text made mostly of what the language is made of, so that it gets past the first token.
fn near_expressions() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "not",
        "and",
        "or",
        "(",
        ")",
        "[",
        "]",
        ",",
        "==",
        "!=",
        "<",
        "<=",
        "~",
        "in",
        "contains",
        "exists",
        "exists(",
        "ends_with",
        "level",
        "type",
        "failed",
        "duration",
        "function.memory",
        "env.STAGE",
        "env.X",
        "warn",
        "inof",
        "true",
        "5",
        "-1.5e3",
        "800ms",
        "4KiB",
        "5x",
        "\"text\"",
        "'a('",
        "'",
        "\"",
        ".a",
        ".a.b[0]",
        ".\"k k\"",
        ".[",
        ".",
        "é",
        "“",
        "=",
        "!",
        "-",
        "\u{0}",
        "1e",
        "1e999",
    ]);
    prop::collection::vec((token, prop::sample::select(vec!["", " ", "\n"])), 0..24).prop_map(
        |parts| {
            parts
                .iter()
                .map(|(token, blank)| format!("{token}{blank}"))
                .collect()
        },
    )
}

/// An operand of the record above, of any kind.
fn operands() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        ".n",
        ".s",
        ".ns",
        ".neg",
        ".inf",
        ".t",
        ".z",
        ".list",
        ".no",
        ".ms",
        ".took",
        ".big",
        ".sev",
        ".@timestamp",
    ])
}

/// The truth for the record above, or nothing if the expression is only too long or too deep.
fn truth_within_limits(source: &str) -> Option<bool> {
    match read(source) {
        Ok(expression) => Some(expression.matches(&record(), &mut Unlike::default())),
        Err(problems) => {
            let message = &problems[0].message;
            assert!(
                message.contains("more than") || message.contains("deeper"),
                "{source}: {message}"
            );
            None
        }
    }
}

fn check_spans(source: &str) {
    for problem in read(source).err().unwrap_or_default() {
        assert!(
            source.get(problem.span.clone()).is_some(),
            "{source}: {problem:?}"
        );
        assert!(
            !problem.message.is_empty() && !problem.help.is_empty(),
            "{problem:?}"
        );
    }
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(source in any::<String>()) {
        check_spans(&source);
    }

    #[test]
    fn near_expressions_never_panic(source in near_expressions()) {
        check_spans(&source);
        if let Ok(expression) = read(&source) {
            expression.matches(&record(), &mut Unlike::default());
        }
    }

    #[test]
    fn steps_agree_with_the_tree(tree in trees()) {
        if let Some(truth) = truth_within_limits(&tree.source()) {
            prop_assert_eq!(truth, tree.truth(), "{}", tree.source());
        }
    }

    #[test]
    fn de_morgan_holds(left in trees(), right in trees()) {
        let (left, right) = (left.source(), right.source());
        let one = truth_within_limits(&format!("not (({left}) and ({right}))"));
        let other = truth_within_limits(&format!("(not ({left})) or (not ({right}))"));
        if let (Some(one), Some(other)) = (one, other) {
            prop_assert_eq!(one, other);
        }
    }

    #[test]
    fn unequal_is_not_equal(left in operands(), right in operands()) {
        prop_assert_eq!(
            holds(&format!("{left} != {right}")),
            holds(&format!("not ({left} == {right})"))
        );
    }

    #[test]
    fn order_turns_round_with_its_sides(left in operands(), right in operands()) {
        for (one, other) in [("<", ">"), ("<=", ">="), ("==", "==")] {
            prop_assert_eq!(
                holds(&format!("{left} {one} {right}")),
                holds(&format!("{right} {other} {left}"))
            );
        }
    }

    #[test]
    fn missing_compares_false(
        operand in operands(),
        operator in prop::sample::select(vec!["==", "<", "<=", ">", ">=", "contains", "starts_with", "ends_with"]),
    ) {
        prop_assert_eq!(holds(&format!(".no {operator} {operand}")), (false, 0));
        prop_assert_eq!(holds(&format!("{operand} {operator} .no")), (false, 0));
    }

    #[test]
    fn paths_print_as_they_read(source in "(\\.([a-z@$_][a-z0-9-]{0,3}|\"[^\"]{0,4}\"|'[^']{0,4}')(\\[[0-9]{1,3}\\])?){1,4}") {
        let path = Path::parse(&source).unwrap();
        prop_assert_eq!(Path::parse(&path.to_string()).unwrap(), path);
    }

    #[test]
    fn numbers_in_text_equal_themselves(number in -1e15f64..1e15) {
        let record = Fake { names: Vec::new(), json: json!({"a": number.to_string()}) };
        let expression = read(&format!(".a == {number}")).unwrap();
        prop_assert!(expression.matches(&record, &mut Unlike::default()));
    }
}
