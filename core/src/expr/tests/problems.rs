//! What each wrong expression is told: the place, the message, the remedy.

use super::read;

/// Each line: an expression, the place that is pointed at, the message, and a part of the help.
const GOLDEN: &[(&str, &str, &str, &str)] = &[
    ("", "", "the expression is empty", "level >= warn"),
    (
        "level < inof",
        "inof",
        "`inof` is no level",
        "did you mean `info`? levels: trace, debug, info, warn, error, fatal",
    ),
    (
        "level >= warning",
        "warning",
        "`warning` is no level",
        "`warn`",
    ),
    (
        "level in [warn, eror]",
        "eror",
        "`eror` is no level",
        "`error`",
    ),
    (
        "level == 3",
        "3",
        "`level` is a level and `3` is a number, which do not compare",
        "level >= warn",
    ),
    (
        "level == 'info'",
        "'info'",
        "`level` is a level and `'info'` is text, which do not compare",
        "write `info` without quotes",
    ),
    (
        "duration > 'x'",
        "'x'",
        "`duration` is a duration and `'x'` is text, which do not compare",
        "duration > 800ms",
    ),
    (
        "duration > 800",
        "800",
        "`duration` is a duration and `800` is a number, which do not compare",
        "`800ms`",
    ),
    (
        "5 < duration",
        "5",
        "`5` is a number and `duration` is a duration, which do not compare",
        "`5ms`",
    ),
    (
        "cold_start > 1",
        "1",
        "`cold_start` is a boolean and `1` is a number, which do not compare",
        "write `cold_start` or `not cold_start`",
    ),
    (
        "failed < true",
        "failed < true",
        "booleans have no order",
        "`==`",
    ),
    (
        "function.memory > 512",
        "512",
        "`function.memory` is a size and `512` is a number, which do not compare",
        "`512MiB`",
    ),
    (
        "message == error",
        "error",
        "`message` is text and `error` is a level, which do not compare",
        "`\"error\"`",
    ),
    (
        "time > 5",
        "5",
        "`time` is a time and `5` is a number, which do not compare",
        "2026-01-31",
    ),
    (
        "duration == level",
        "duration == level",
        "`duration` is a duration and `level` is a level, which do not compare",
        "write a duration",
    ),
    (
        "type in ['a', 5s]",
        "5s",
        "`type` is text and `5s` is a duration, which do not compare",
        "`\"5s\"`",
    ),
    (
        "reqest_id == 'x'",
        "reqest_id",
        "there is no name `reqest_id`",
        "did you mean `request_id`?",
    ),
    ("id == 'x'", "id", "there is no name `id`", "request_id"),
    (
        ".a == banana",
        "banana",
        "there is no name `banana`",
        "`\"banana\"`",
    ),
    (
        ".a == null",
        "null",
        "there is no name `null`",
        "exists(.a)",
    ),
    (
        ".a == True",
        "True",
        "there is no name `True`",
        "did you mean `true`?",
    ),
    (
        "env.OTHER == 'x'",
        "env.OTHER",
        "the environment variable `OTHER` is not listed",
        "add it to `[receiver] env`",
    ),
    (
        "env.STAGR == 'x'",
        "env.STAGR",
        "the environment variable `STAGR` is not listed",
        "`env.STAGE`",
    ),
    (
        "not a == b",
        "not a == b",
        "`not` before a comparison needs parentheses",
        "write `not (a == b)`",
    ),
    (
        "not .a == 1",
        "not .a == 1",
        "`not` before a comparison needs parentheses",
        "write `not (.a == 1)`",
    ),
    (
        "1 < .a < 5",
        "<",
        "comparisons do not chain",
        "write `1 < .a and .a < …`",
    ),
    (
        ".a == .b == .c",
        "==",
        "comparisons do not chain",
        "`.a == .b and .b == …`",
    ),
    (
        "request_id",
        "request_id",
        "`request_id` is text, not a condition",
        "exists(request_id)",
    ),
    (
        ".flag",
        ".flag",
        "`.flag` is a path, not a condition",
        "`.flag == true`",
    ),
    (
        "error",
        "error",
        "`error` is a level, not a condition",
        "level == error",
    ),
    (
        "duration and failed",
        "duration",
        "`duration` is a duration, not a condition",
        "duration > 800ms",
    ),
    (
        "message ~ 'a('",
        "'a('",
        "the regex does not compile: unclosed group",
        "look-around",
    ),
    (
        "message ~ '\\pL'",
        "'\\pL'",
        "the regex does not compile: Unicode not allowed here",
        "ASCII",
    ),
    (
        "message ~ '(a{999}){999}'",
        "'(a{999}){999}'",
        "the regex needs more than 1024 KiB",
        "smaller counts",
    ),
    (
        "message ~ .a",
        ".a",
        "expected a regex in quotes, found `.a`",
        "message ~",
    ),
    (
        "level contains 'x'",
        "level",
        "`contains` works on text, and `level` is a level",
        "`==`",
    ),
    (
        ".a contains 5",
        "5",
        "`contains` works on text, and `5` is a number",
        "`\"5\"`",
    ),
    (
        "exists('a')",
        "'a'",
        "expected a path or a name, found `'a'`",
        "exists(.user.id)",
    ),
    (
        "exists(true)",
        "true",
        "`true` is a literal and always exists",
        "exists(",
    ),
    (
        "exists(.a) == true",
        "==",
        "`exists` is a condition and cannot be compared",
        "stands alone",
    ),
    (
        "(failed) == true",
        "==",
        "a condition in parentheses cannot be compared",
        "no parentheses",
    ),
    (
        "type in []",
        "[]",
        "nothing is in an empty list",
        "literals",
    ),
    (
        "type in 'a'",
        "'a'",
        "expected `[`, found `'a'`",
        "literals",
    ),
    (
        "type in ['a' 'b']",
        "'b'",
        "expected `,` or `]`, found `'b'`",
        "literals",
    ),
    (
        "type in [region]",
        "region",
        "`region` is no literal",
        "`\"region\"`",
    ),
    (".a = 1", "=", "`=` is no operator", "`==`"),
    (".a === 1", "===", "`===` is no operator", "`==`"),
    ("failed && cold_start", "&&", "`&&` is no operator", "`and`"),
    ("failed || cold_start", "||", "`||` is no operator", "`or`"),
    ("!failed", "!", "`!` is no operator", "`not`"),
    ("message !~ 'a'", "!~", "`!~` is no operator", "not (a ~"),
    ("NOT failed", "NOT", "`NOT` is no operator", "`not`"),
    (
        "failed AND cold_start",
        "AND",
        "expected an operator after `failed`, found `AND`",
        "did you mean `and`?",
    ),
    (
        "type not in ['a']",
        "not",
        "expected an operator after `type`, found `not`",
        "`not (type …)`",
    ),
    (
        "type contain 'a'",
        "contain",
        "expected an operator after `type`, found `contain`",
        "`contains`",
    ),
    (
        "type is 'a'",
        "is",
        "expected an operator after `type`, found `is`",
        "`==`",
    ),
    (".a == 'x", "'x", "the text has no end", "close it"),
    (
        ".a == “x”",
        "“",
        "`“` means nothing here",
        "straight quotes",
    ),
    (".a == ${X}", "$", "`$` means nothing here", "env.NAME"),
    (".a + 1 == 2", "+", "`+` means nothing here", "arithmetic"),
    (
        "duration > 5min",
        "5min",
        "`min` is no unit of time",
        "use ms, s, m, h or d",
    ),
    (
        "function.memory > 4mb",
        "4mb",
        "`mb` is no unit of size",
        "MiB",
    ),
    (".a > -5s", "-5s", "`-5s` is below zero", "no sign"),
    (".a == 1.2.3", "1.2.3", "`1.2.3` is no number", "quotes"),
    (
        ".a == 1e999",
        "1e999",
        "the number `1e999` is too large",
        "1e308",
    ),
    (
        "duration > 400d",
        "400d",
        "the duration `400d` is longer than 366 days",
        "smaller",
    ),
    (
        ".a..b == 1",
        ".",
        "a key is missing after the dot",
        ".user.id",
    ),
    (
        ".5 == .a",
        ".5",
        "a key that begins with a digit must be quoted",
        "`0.5`",
    ),
    (
        ".a[x] == 1",
        "[x]",
        "an index is a whole number in brackets",
        ".items[0]",
    ),
    (".\"a == 1", "\"a == 1", "the quoted key has no end", "`\"`"),
    ("(failed", "(", "this `(` is not closed", "`)`"),
    ("failed)", ")", "this `)` closes nothing", "remove"),
    (
        "failed and",
        "",
        "expected a value, found the end",
        "a name",
    ),
    (
        "and failed",
        "and",
        "expected a value, found `and`",
        "a name",
    ),
    (
        "failed cold_start",
        "cold_start",
        "expected an operator after `failed`, found `cold_start`",
        "operators",
    ),
    (
        "(failed) cold_start",
        "cold_start",
        "expected `and`, `or` or the end, found `cold_start`",
        "operators",
    ),
];

#[test]
fn problems_point_at_their_place_and_say_what_to_write() {
    for (source, place, message, help) in GOLDEN {
        let problems = read(source).unwrap_err();
        let first = &problems[0];
        assert_eq!(
            &source[first.span.clone()],
            *place,
            "{source}: {problems:?}"
        );
        assert_eq!(first.message, *message, "{source}");
        assert!(first.help.contains(help), "{source}: {}", first.help);
    }
}

#[test]
fn every_problem_is_found_at_once() {
    let problems =
        read("typ == 'a' and (level < inof or duration > 5) and not .a == 1 and =").unwrap_err();
    let messages: Vec<&str> = problems.iter().map(|problem| &*problem.message).collect();
    assert_eq!(
        messages,
        [
            "there is no name `typ`",
            "`inof` is no level",
            "`duration` is a duration and `5` is a number, which do not compare",
            "`not` before a comparison needs parentheses",
            "`=` is no operator",
        ]
    );
}
