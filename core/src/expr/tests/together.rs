//! What an expression looks for at once is what it would find alone.

use super::*;
use crate::expr::paths::{NO_PLACES, Paths};

proptest! {
    /// Whatever the JSON and the paths: one walk finds what a walk for each path finds.
    #[test]
    fn one_walk_finds_what_many_find(
        text in r#"(\{"a":)?(\[|\{"(a|b|\u0061)":)(1|"x"|\[1,\{"b":2\},"c"\]|\{"a":\{"b":null\},"b":\[\[7\]\],"a":3\}|true)(,"(a|b|c)":(\{"b":[0-9]\}|"y"|\[\])){0,3}(\}|\]){1,2} ?"#,
        wanted in prop::collection::vec(prop::sample::select(vec![
            ".a", ".b", ".a.b", ".a.a", ".a.a.b", ".b[0]", ".b[0][0]", ".a[1].b", ".[1]", ".[1].b", ".c", ".a.c",
        ]), 1..20),
    ) {
        let mut paths = Paths::default();
        let places: Vec<usize> = wanted.iter().map(|path| paths.add(&Path::parse(path).unwrap())).collect();
        let mut found = NO_PLACES;
        let bytes = text.as_bytes();
        let end = paths.locate(bytes, 0, &mut found, |_, _| {});
        let whole = crate::json::skip_value(bytes, 0);
        prop_assert_eq!(end, whole, "{}", text);
        if whole.is_ok() {
            for (path, place) in wanted.iter().zip(places) {
                let alone = crate::view::find(bytes, 0..bytes.len(), &paths.get(place).segments);
                let range = found[place].range();
                prop_assert_eq!((!range.is_empty()).then_some(range), alone, "{} in {}", path, text);
            }
        }
    }
}

/// Regexes that are asked of one name are looked for together, and the outcome is that of each alone.
#[test]
fn regexes_of_one_name_give_what_each_gives_alone() {
    let record = record();
    let holds = |source: &str| {
        let expression = Expression::parse(source, &Names { env: &[] }).unwrap();
        expression.matches(&record, &mut Unlike::default())
    };
    let patterns = [
        "timed? out",
        "^Request",
        "refused",
        "\\d",
        "(?i)TIMED",
        "out$",
    ];
    for first in patterns {
        for second in patterns {
            for third in patterns {
                let [a, b, c] =
                    [first, second, third].map(|pattern| format!("message ~ '{pattern}'"));
                let alone = [&a, &b, &c].map(|source| holds(source));
                assert_eq!(holds(&format!("{a} and {b} and {c}")), alone == [true; 3]);
                assert_eq!(holds(&format!("{a} or {b} or {c}")), alone != [false; 3]);
                let mixed = holds(&format!("not ({a}) and {b} or {c}"));
                assert_eq!(mixed, (!alone[0] && alone[1]) || alone[2]);
            }
        }
    }
    // Asked of different texts they have nothing to do with each other.
    assert!(holds(
        "message ~ 'Request' and .s ~ 'five' and not (.s ~ 'Request')"
    ));
}

#[test]
fn expressions_of_one_configuration_share_their_regexes() {
    let regexes = Regexes::default();
    let names = Names { env: &[] };
    let parse = |source: &str| Expression::parse_sharing(source, &names, &regexes).unwrap();
    let first = parse("message ~ 'a' or message ~ 'b'");
    let second = parse(".x == 1 and (.m ~ 'a' or .m ~ 'b')");
    let third = parse("message ~ 'b' or message ~ 'a'");
    assert!(std::sync::Arc::ptr_eq(
        &first.automata[0],
        &second.automata[0]
    ));
    assert!(!std::sync::Arc::ptr_eq(
        &first.automata[0],
        &third.automata[0]
    ));
    first.prepare();
    assert!(second.matches(
        &Fake {
            names: vec![],
            json: json!({"x": 1, "m": "cab"})
        },
        &mut Unlike::default()
    ));
}

/// More paths than one walk finds, and more sets of regexes than are remembered.
#[test]
fn what_does_not_fit_is_looked_for_alone() {
    let object: Vec<String> = (0..100)
        .map(|number| format!("\"k{number}\":\"v{number}\""))
        .collect();
    let object = format!("{{{}}}", object.join(","));
    let condition: Vec<String> = (0..80)
        .map(|number| format!("(.k{number} ~ '^v{number}$' or .k{number} ~ 'none')"))
        .collect();
    let names = Names { env: &[] };
    let (holds, fails) = (
        condition[..40].join(" and "),
        condition[..40].join(" and ") + " and .k99 ~ 'v98'",
    );
    let on = |source: &str| {
        let expression = Expression::parse(source, &names).unwrap();
        let json = serde_json::from_str(&object).unwrap();
        expression.matches(
            &Fake {
                names: vec![],
                json,
            },
            &mut Unlike::default(),
        )
    };
    assert!(on(&holds));
    assert!(!on(&fails));
}
