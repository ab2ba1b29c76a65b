//! What templates render, and what they say when they are wrong.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::expr::Segment;
use crate::level::Level;

struct Fake;

impl Source for Fake {
    fn name(&self, name: &Name) -> Value<'_> {
        match name {
            Name::FunctionName => Value::Text("pay".into()),
            Name::FunctionMemory => Value::Size(512 << 20),
            Name::Level => Value::Level(Level::Warn),
            Name::Duration => Value::Duration(Duration::from_micros(812_500)),
            Name::Failed => Value::Boolean(true),
            Name::Env(variable) if **variable == *"STAGE" => Value::Text("prod".into()),
            _ => Value::Missing,
        }
    }

    fn path(&self, path: &Path) -> Value<'_> {
        match path.segments.first() {
            Some(Segment::Key(key)) if **key == *"n" => Value::Number(5.0),
            Some(Segment::Key(key)) if **key == *"half" => Value::Number(0.5),
            Some(Segment::Key(key)) if **key == *"}" => Value::Text("brace".into()),
            Some(Segment::Key(key)) if **key == *"list" => Value::Other,
            _ => Value::Missing,
        }
    }
}

/// 2026-11-23T09:05:07.042Z.
const MOMENT: Moment = Moment {
    time_ms: 1_795_424_707_042,
    seq: 7,
};

fn read(source: &str, allow: Allow) -> Result<Template, Vec<Problem>> {
    let env = ["STAGE".to_owned()];
    Template::parse(source, &Names { env: &env }, allow)
}

fn rendered(source: &str, allow: Allow) -> String {
    let template = read(source, allow).unwrap_or_else(|problems| panic!("{source}: {problems:?}"));
    let mut out = b"> ".to_vec();
    template.render(&Fake, &MOMENT, &mut out);
    String::from_utf8(out.split_off(2)).unwrap()
}

#[test]
fn environment_templates_render() {
    for (source, text) in [
        ("", ""),
        ("plain", "plain"),
        (
            "{function.name}/dt={date}/hour={hour}/{time_ms}-{instance}-{seq}.gz",
            "pay/dt=2026-11-23/hour=09/1795424707042--7.gz",
        ),
        ("{date:%Y/%m/%d}/{env.STAGE}", "2026/11/23/prod"),
        ("{date:%H:%M:%S %%}", "09:05:07 %"),
        ("{{{function.name}}}", "{pay}"),
        ("{{}}", "{}"),
        ("{function.memory}", "512MiB"),
        ("größe {region}!", "größe !"),
    ] {
        assert_eq!(rendered(source, Allow::Environment), text, "{source}");
    }
}

#[test]
fn record_templates_render() {
    for (source, text) in [
        ("{level} {failed} {duration}", "WARN true 812.5ms"),
        ("{.n}|{.half}|{.no}|{.list}|{request_id}|", "5|0.5||||"),
        ("{.\"}\"}", "brace"),
        ("{date}", "2026-11-23"),
    ] {
        assert_eq!(rendered(source, Allow::Record), text, "{source}");
    }
}

/// Each line: a template, what it may name, the place that is pointed at, the message, and a part of the help.
const GOLDEN: &[(&str, Allow, &str, &str, &str)] = &[
    ("a}b", Allow::Record, "}", "this `}` closes nothing", "`}}`"),
    ("a{b", Allow::Record, "{b", "this `{` is not closed", "`{{`"),
    (
        "a{}",
        Allow::Record,
        "{}",
        "the braces are empty",
        "{function.name}",
    ),
    (
        "{ date }",
        Allow::Record,
        " date ",
        "spaces do not belong in braces",
        "`{date}`",
    ),
    (
        "{dat}",
        Allow::Record,
        "dat",
        "there is no name `dat`",
        "`{date}`",
    ),
    (
        "{function.nam}",
        Allow::Environment,
        "function.nam",
        "there is no name `function.nam`",
        "`{function.name}`",
    ),
    (
        "{banana}",
        Allow::Environment,
        "banana",
        "there is no name `banana`",
        "names: ",
    ),
    (
        "{env.X}",
        Allow::Record,
        "env.X",
        "the environment variable `X` is not listed",
        "`[receiver] env`",
    ),
    (
        "{request_id}",
        Allow::Environment,
        "request_id",
        "`request_id` differs from record to record",
        "function.*",
    ),
    (
        "{init_type}",
        Allow::Environment,
        "init_type",
        "`init_type` differs from record to record",
        "function.*",
    ),
    (
        "{.a.b}",
        Allow::Environment,
        ".a.b",
        "`.a.b` differs from record to record",
        "function.*",
    ),
    (
        "{.a b}",
        Allow::Record,
        "{.a",
        "the path is not followed by `}`",
        "alone",
    ),
    (
        "{.}",
        Allow::Record,
        ".",
        "a key is missing after the dot",
        "key",
    ),
    (
        "{seq}",
        Allow::Record,
        "seq",
        "`seq` counts the objects of a sink, and there is none here",
        "time_ms",
    ),
    (
        "{date:%Y-%j}",
        Allow::Record,
        "%j",
        "`%j` is no part of a date here",
        "%Y",
    ),
    (
        "{date:%é}",
        Allow::Record,
        "%é",
        "`%é` is no part of a date here",
        "%Y",
    ),
    (
        "{date:%}",
        Allow::Record,
        "%",
        "`%` is no part of a date here",
        "%Y",
    ),
    (
        "{date:}",
        Allow::Record,
        ":",
        "the format of the date is empty",
        "%Y",
    ),
];

#[test]
fn problems_point_at_their_place_and_say_what_to_write() {
    for &(source, allow, place, message, help) in GOLDEN {
        let problems = read(source, allow).unwrap_err();
        assert_eq!(problems.len(), 1, "{source}: {problems:?}");
        assert_eq!(&source[problems[0].span.clone()], place, "{source}");
        assert_eq!(problems[0].message, message, "{source}");
        assert!(
            problems[0].help.contains(help),
            "{source}: {}",
            problems[0].help
        );
    }
}

#[test]
fn every_problem_is_found_at_once() {
    let problems = read("{dat} } {level} {date:%q} {.a} {x", Allow::Environment).unwrap_err();
    assert_eq!(problems.len(), 6, "{problems:?}");
}

#[test]
fn the_length_is_limited() {
    assert!(read(&"x".repeat(TEMPLATE_BYTES_MAX), Allow::Record).is_ok());
    assert!(read(&"x".repeat(TEMPLATE_BYTES_MAX + 1), Allow::Record).is_err());
}

#[test]
fn names_and_seq_are_visible() {
    let template = read("{region}{seq}{env.STAGE}", Allow::Environment).unwrap();
    let mut seen = Vec::new();
    template.visit_names(&mut |name| seen.push(name.to_string()));
    assert_eq!(seen, ["region", "env.STAGE"]);
    assert!(template.has_seq());
    assert!(!read("{date}", Allow::Environment).unwrap().has_seq());
}

fn near_templates() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "{",
        "}",
        "{{",
        "}}",
        "date",
        "date:",
        "%Y",
        "%",
        "%é",
        "hour",
        "seq",
        ".a",
        ".\"}\"",
        ".a[",
        "env.STAGE",
        "level",
        " ",
        "x",
        "é",
    ]);
    prop::collection::vec(token, 0..16).prop_map(|tokens| tokens.concat())
}

proptest! {
    #[test]
    fn near_templates_never_panic(source in near_templates(), time_ms in any::<i64>()) {
        for allow in [Allow::Environment, Allow::Record] {
            match read(&source, allow) {
                Ok(template) => template.render(&Fake, &Moment { time_ms, seq: 0 }, &mut Vec::new()),
                Err(problems) => {
                    for problem in problems {
                        prop_assert!(source.get(problem.span.clone()).is_some(), "{source}: {problem:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn text_with_doubled_braces_is_itself(text in any::<String>()) {
        let source = text.replace('{', "{{").replace('}', "}}");
        prop_assert_eq!(rendered(&source, Allow::Environment), text);
    }
}
